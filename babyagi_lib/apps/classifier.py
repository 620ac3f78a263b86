"""A text classifier as it is put to use: a frozen encoder and a fitted probe, in plain float32. Used by lessons 15 and 18.

`methods.fewshot` computes in the precision that is fastest on the machine. What is exported, compared and served needs one
reference that is the same everywhere, so here nothing is rounded to 16 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from babyagi_lib.basics.arguments import check_number, check_whole
from babyagi_lib.methods.fewshot import PROBE_C
from babyagi_lib.methods.probe import Probe, fit_probe, softmax
from babyagi_lib.models.heads import mean_pool
from babyagi_lib.text.wordpieces import longest_window
from babyagi_lib.training.batches import pad_batch

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class Scorer(nn.Module):
    """Ids and mask to scores, (batch, pieces) to (batch, classes): encoder, mean over real pieces, length one, head."""

    def __init__(self, encoder: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(batch, pieces) integers to what the head makes of one vector for each text."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return self.head(nn.functional.normalize(mean_pool(states, attention_mask), dim=1))


class Served:
    """What all ways to compute a classifier share: texts in, scores or probabilities out, in the order given.

    Attributes:
        tokenizer: of the encoder.
        names: of the classes, in the order of the scores.
        temperature: what the scores are divided by before the softmax.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, names: Sequence[str], temperature: float = 1.0) -> None:
        check_number("temperature", temperature, 0, above=True)
        self.tokenizer, self.names, self.temperature = tokenizer, list(names), float(temperature)

    def pieces(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Ids and mask of the texts, (texts, longest) int64 each: padded to the longest, cut at what the encoder reads.

        Raises:
            ValueError: there is no text, or an entry is not a text.
        """
        return pieces(self.tokenizer, texts)

    def from_pieces(self, input_ids: Tensor, attention_mask: Tensor) -> NDArray[np.float32]:
        """The scores of one batch, (texts, pieces) ids and mask to (texts, classes)."""
        raise NotImplementedError

    def logits(self, texts: Sequence[str], batch: int = 32) -> NDArray[np.float32]:
        """The scores of each text before the temperature, (texts, classes). Texts of similar length share a batch.

        Args:
            texts: one or more.
            batch: how many are computed together.
        """
        return in_batches(lambda chosen: self.from_pieces(*self.pieces(chosen)), texts, batch)

    def probabilities(self, texts: Sequence[str], batch: int = 32) -> NDArray[np.float64]:
        """The probability of each class, (texts, classes): the softmax of the scores over the temperature."""
        return softmax(self.logits(texts, batch), self.temperature)


class TextClassifier(Served):
    """The classifier in torch, the reference for all others.

    Args:
        encoder: as `load_encoder` returns it; it is not changed.
        tokenizer: its tokenizer.
        probe: of `fit_probe`, fitted on the encoder's vectors. Its numbers are rounded to float32.

    Raises:
        ValueError: the sizes do not fit each other.
    """

    def __init__(self, encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, probe: Probe) -> None:
        super().__init__(tokenizer, probe.classes, probe.temperature)
        wanted = (encoder.config.hidden_size, len(self.names))
        if np.shape(probe.weights) != wanted or np.shape(probe.bias) != wanted[1:]:
            found = f"weights of {np.shape(probe.weights)} and a bias of {np.shape(probe.bias)}"
            raise ValueError(f"the probe has {found}; expected {wanted} and {wanted[1:]}")
        head = nn.Linear(*wanted)
        weights = {"weight": np.array(probe.weights, np.float32).T, "bias": np.array(probe.bias, np.float32)}
        head.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
        self.scorer = Scorer(encoder, head).eval()

    @property
    def encoder(self) -> PreTrainedModel:
        """The encoder."""
        return self.scorer.encoder

    def from_pieces(self, input_ids: Tensor, attention_mask: Tensor) -> NDArray[np.float32]:
        """As in `Served`. Inside `torch.autocast` it computes in the precision asked for there."""
        with torch.no_grad():
            return self.scorer(input_ids, attention_mask).float().numpy()


def pieces(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """See `Served.pieces`."""
    _check_texts(texts)
    ids = tokenizer(list(texts), truncation=True, max_length=longest_window(tokenizer))["input_ids"]
    batch = pad_batch([{"input_ids": found} for found in ids])
    return batch["input_ids"], batch["attention_mask"]


def in_batches(
    compute: Callable[[list[str]], NDArray[np.float32]], texts: Sequence[str], batch: int
) -> NDArray[np.float32]:
    """What `compute` makes of the texts, (texts, ...), in the order given; texts of similar length share a batch."""
    check_whole("batch", batch, 1)
    _check_texts(texts)
    order = np.argsort([len(text) for text in texts], kind="stable")
    found = [compute([texts[row] for row in order[start : start + batch]]) for start in range(0, len(order), batch)]
    return np.concatenate(found)[np.argsort(order)]


def _check_texts(texts: Sequence[str]) -> None:
    """Raise ValueError unless there is a text, and every entry is one."""
    if isinstance(texts, str) or len(texts) == 0 or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"expected a list of one text or more, got {texts!r:.60}")


def encode(
    encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], batch: int = 32
) -> NDArray[np.float32]:
    """As `fewshot.embed`, but in float32 on every machine: a vector of length one for each text, (texts, hidden)."""
    scorer = Scorer(encoder, nn.Identity()).eval()

    def vectors(chosen: list[str]) -> NDArray[np.float32]:
        with torch.no_grad():
            return scorer(*pieces(tokenizer, chosen)).numpy()

    return in_batches(vectors, texts, batch)


def fit_classifier(
    encoder: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    labels: Sequence[str],
    *,
    C: float = PROBE_C,
    seed: int = 0,
) -> TextClassifier:
    """A classifier whose probe (`fit_probe`) is fitted on float32 vectors of the texts.

    Args:
        encoder, tokenizer: as `load_encoder` returns them.
        texts, labels: what to learn from.
        C: inverse strength of the penalty on the weights.
        seed: of the folds.

    Raises:
        ValueError: as `fit_probe`.
    """
    probe = fit_probe(encode(encoder, tokenizer, texts), labels, C=C, seed=seed)
    return TextClassifier(encoder, tokenizer, probe)
