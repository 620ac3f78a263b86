"""The part of the desk that reads: a frozen encoder, a linear head, a temperature. Used by `server` and lesson 15.

`fit_agent` makes one from messages and what they want; `DeskAgent.save` and `load` keep its head in a folder as safetensors, with the
hash of the encoder that it needs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.basics.whole import whole_folder
from babyagi_lib.methods.fewshot import PairModel, embed
from babyagi_lib.methods.probe import Probe, fit_probe
from babyagi_lib.models.saving import WEIGHTS_FILE, ModelError, full_path
from babyagi_lib.sources.errors import first_line
from babyagi_lib.text.wordpieces import longest_window
from babyagi_lib.training.prediction import predict

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ABOUT_FILE = "desk_agent.json"


@dataclass(frozen=True, eq=False)
class DeskAgent:
    """An encoder with its tokenizer, and a probe for its vectors."""

    encoder: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    probe: Probe

    @property
    def classes(self) -> list[str]:
        """The names of the columns of `probabilities`."""
        return self.probe.classes

    @property
    def version(self) -> str:
        """A name that is another one for every other head, temperature or list of classes."""
        digest = hashlib.sha256(json.dumps([self.classes, self.probe.temperature]).encode())
        for array in (self.probe.weights, self.probe.bias):
            digest.update(np.ascontiguousarray(array, dtype=np.float64).tobytes())
        return digest.hexdigest()[:12]

    def probabilities(self, texts: Sequence[str]) -> NDArray:
        """The probability of each class: a list of texts to (texts, classes).

        Each text is read by itself, so that what one customer gets does not depend on who else is writing. Of a text longer than the
        encoder's window, only the beginning is read.
        """
        limit = longest_window(self.tokenizer)
        pieces = self.tokenizer(list(texts), truncation=True, max_length=limit)["input_ids"]
        vectors = predict(PairModel(self.encoder), [{"input_ids": ids} for ids in pieces], batch_size=1)
        return np.concatenate([self.probe.probabilities(vector[None]) for vector in vectors])

    def save(self, folder: str | Path) -> Path:
        """Write head, temperature and classes to a folder, whole or not at all; the encoder stays where it came from.

        Raises:
            ModelError: the folder holds other files.
        """
        from safetensors.numpy import save_file

        folder = full_path(folder)
        if folder.is_dir() and any(folder.iterdir()) and not (folder / ABOUT_FILE).is_file():
            raise ModelError(f"{folder} holds other files, and saving would delete them; choose a new folder")
        about = {"classes": self.classes, "temperature": self.probe.temperature, "encoder": _fingerprint(self.encoder)}
        with whole_folder(folder) as partial:
            save_file({"weights": self.probe.weights, "bias": self.probe.bias}, partial / WEIGHTS_FILE)
            about["sha256"] = hashlib.sha256((partial / WEIGHTS_FILE).read_bytes()).hexdigest()
            (partial / ABOUT_FILE).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        return folder

    @classmethod
    def load(cls, folder: str | Path, encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> DeskAgent:
        """What `save` wrote, with the encoder that it was fitted with.

        Raises:
            ModelError: there is none, a file is damaged, or the encoder is another one.
        """
        from safetensors.numpy import load

        folder = full_path(folder)
        try:
            about = json.loads((folder / ABOUT_FILE).read_text(encoding="utf-8"))
            weights = (folder / WEIGHTS_FILE).read_bytes()
            if hashlib.sha256(weights).hexdigest() != about["sha256"]:
                raise ValueError(f"{WEIGHTS_FILE} was changed")
            arrays = load(weights)
            probe = Probe(list(about["classes"]), arrays["weights"], arrays["bias"], float(about["temperature"]))
        except FileNotFoundError as error:
            raise ModelError(f"{folder} holds no agent of the help desk: DeskAgent.save writes one") from error
        except Exception as error:  # a damaged file can raise almost anything
            raise ModelError(f"{folder} is damaged ({first_line(error)}): delete it and fit the agent again") from error
        if about["encoder"] != _fingerprint(encoder):
            raise ModelError(f"the agent in {folder} was fitted with another encoder: fit it again")
        return cls(encoder, tokenizer, probe)


def fit_agent(
    encoder: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    labels: Sequence[str],
    seed: int = 0,
) -> DeskAgent:
    """Fit the head and its temperature on messages and what they want; the encoder is not changed.

    Args:
        encoder, tokenizer: such as `load_encoder` returns.
        texts: messages.
        labels: the intent of each; one class more may stand for messages that want something else.
        seed: of the folds for the temperature.
    """
    return DeskAgent(encoder, tokenizer, fit_probe(embed(encoder, tokenizer, texts), labels, seed=seed))


def _fingerprint(encoder: PreTrainedModel) -> str:
    """The hash of an encoder's weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(encoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
