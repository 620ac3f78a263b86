"""One folder with everything that a served classifier needs, each file known by its hash. Used by lesson 18 and the help desk.

    encoder.safetensors, config.json            the encoder
    tokenizer.json, tokenizer_config.json       its tokenizer
    head.safetensors                            the fitted head
    CARD.md                                     what it is, for people
    bundle.json                                 classes, temperature, costs, the card again, versions, and the sha256 of each file

The folder is written whole or not at all. Loading checks every hash before anything is used, so that what answers is what
was measured. The sha256 of `bundle.json` itself is the `fingerprint` of the whole: note it down, and you can check later that
you have the same bundle.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from babyagi_lib.basics.arguments import check_number
from babyagi_lib.basics.whole import whole_folder
from babyagi_lib.sources.errors import first_line
from babyagi_lib.sources.integrity import sha256

if TYPE_CHECKING:
    from babyagi_lib.apps.classifier import TextClassifier

FORMAT = 1
ABOUT_FILE, CARD_FILE, ENCODER_FILE, HEAD_FILE = "bundle.json", "CARD.md", "encoder.safetensors", "head.safetensors"
NEEDED = (CARD_FILE, ENCODER_FILE, HEAD_FILE, "config.json", "tokenizer.json", "tokenizer_config.json")
KEYS = ("attention", "names", "temperature", "costs", "card", "versions", "files")
PACKAGES = ("torch", "transformers", "tokenizers", "numpy")


class BundleError(RuntimeError):
    """A bundle that cannot be written, or one that is not what it says; the message says why and what to do."""


@dataclass(frozen=True, eq=False)
class Bundle:
    """What a folder holds.

    Attributes:
        folder: its full path.
        classifier: ready to answer.
        costs: numbers by name, such as of a wrong answer.
        card: texts by heading: what it is for, what it was fitted on, what was measured, what it cannot do.
        versions: of the packages that wrote it.
        files: the sha256 of each file, by name.
        fingerprint: the sha256 of `bundle.json`, which holds all of the above.
    """

    folder: Path
    classifier: TextClassifier
    costs: dict[str, float]
    card: dict[str, str]
    versions: dict[str, str]
    files: dict[str, str]
    fingerprint: str


def save_bundle(
    folder: str | Path, classifier: TextClassifier, *, costs: Mapping[str, float], card: Mapping[str, str]
) -> Bundle:
    """Write a classifier with all that belongs to it, and return what was written.

    Args:
        folder: a new folder, or one that holds a bundle, which is replaced. `~` is the home folder.
        classifier: as `fit_classifier` returns it.
        costs: numbers by name.
        card: texts by heading.

    Raises:
        BundleError: the folder cannot be written, holds other files, or is the one you work in; then it is as it was.
        ValueError: a cost is not a number, or a heading or text of the card is empty.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    for name, cost in costs.items():
        check_number(f"the cost {name!r}", cost, 0)
    if not all(isinstance(text, str) and text.strip() for part in card.items() for text in part):
        raise ValueError(f"the card needs a text for each heading; got {dict(card)!r:.80}")
    folder = _full(folder)
    if Path.cwd().is_relative_to(folder):
        raise BundleError(f"{folder} holds the folder you work in, and saving would replace it; choose a new folder")
    if folder.exists() and not (folder.is_dir() and (not any(folder.iterdir()) or (folder / ABOUT_FILE).is_file())):
        raise BundleError(f"{folder} holds something else, and saving would delete it; choose a new folder")
    try:
        with whole_folder(folder) as partial:
            save_file(_plain(classifier.encoder), str(partial / ENCODER_FILE))
            save_file(_plain(classifier.scorer.head), str(partial / HEAD_FILE))
            classifier.encoder.config.save_pretrained(partial)
            classifier.tokenizer.save_pretrained(partial)
            (partial / CARD_FILE).write_text(_card(card, classifier.names, costs), encoding="utf-8")
            about = {
                "format": FORMAT,
                # The same weights give other last bits by another program for attention, which config.json does not name.
                "attention": classifier.encoder.config._attn_implementation,
                "names": classifier.names,
                "temperature": classifier.temperature,
                "costs": dict(costs),
                "card": dict(card),
                "versions": {package: metadata.version(package) for package in PACKAGES},
                "files": {path.name: sha256(path) for path in sorted(partial.iterdir())},
            }
            text = json.dumps(about, indent=1, ensure_ascii=False) + "\n"
            (partial / ABOUT_FILE).write_text(text, encoding="utf-8")
    except (OSError, SafetensorError) as error:
        raise BundleError(
            f"{folder} cannot be written ({first_line(error)}); free some space, or choose another"
        ) from error
    return load_bundle(folder)


def check_files(folder: str | Path, fingerprint: str | None = None) -> dict[str, Any]:
    """Check every file of a bundle against its hash, without loading anything; what `bundle.json` says.

    Args:
        folder: of the bundle.
        fingerprint: what the sha256 of `bundle.json` must be; None accepts any.

    Raises:
        BundleError: a file is missing, was changed, is a link that leads out of the folder, or is not listed; or the folder
            is no bundle, or one of another format.
    """
    folder = _full(folder)
    path = folder / ABOUT_FILE
    if not path.is_file():
        raise BundleError(f"{folder} is no bundle: it has no {ABOUT_FILE}. save_bundle writes one")
    _inside(folder, path)
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        if about["format"] != FORMAT:
            raise BundleError(
                f"{folder} has format {about['format']!r}; this program reads {FORMAT}. Use the program it came with, or "
                "save it again"
            )
        if absent := [key for key in KEYS if key not in about] + [
            name for name in NEEDED if name not in about["files"]
        ]:
            raise BundleError(f"{path} does not mention {', '.join(absent)}; get the bundle again")
        listed = dict(about["files"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BundleError(f"{path} is damaged ({first_line(error)}); get the bundle again") from error
    found = sha256(path)
    if fingerprint is not None and found != fingerprint:
        raise BundleError(
            f"{folder} is another bundle: its fingerprint is {found[:8]}, expected {str(fingerprint)[:8]}"
        )
    for name, expected in listed.items():
        _inside(folder, folder / name)
        if not (folder / name).is_file():
            raise BundleError(f"{folder / name} is missing; get the bundle again")
        if (now := sha256(folder / name)) != expected:
            raise BundleError(
                f"{folder / name} was changed (sha256 {now[:8]}, expected {str(expected)[:8]}); get the bundle again"
            )
    if extra := sorted(path.name for path in folder.iterdir() if path.name not in {*listed, ABOUT_FILE}):
        raise BundleError(f"{folder} holds {extra[0]!r}, which {ABOUT_FILE} does not list; remove it, or save again")
    return about | {"fingerprint": found}


def load_bundle(folder: str | Path, *, fingerprint: str | None = None) -> Bundle:
    """Read a bundle, its hashes checked first. It answers as the classifier that was saved, bit for bit on the same machine.

    Args:
        folder: what `save_bundle` wrote.
        fingerprint: as in `check_files`.

    Raises:
        BundleError: as `check_files`; or the parts do not fit each other.
    """
    from safetensors.torch import load_file
    from transformers import AutoConfig, AutoModel

    from babyagi_lib.apps.classifier import TextClassifier
    from babyagi_lib.methods.probe import Probe
    from babyagi_lib.sources.encoders import check_encoder, load_tokenizer, quiet

    folder = _full(folder)
    about = check_files(folder, fingerprint)
    try:
        with quiet():
            config = AutoConfig.from_pretrained(folder, local_files_only=True)
            encoder = AutoModel.from_config(config, attn_implementation=about["attention"]).float().eval()
            tokenizer = load_tokenizer(str(folder), str(folder))
        encoder.load_state_dict(load_file(folder / ENCODER_FILE))
        check_encoder(encoder, tokenizer, str(folder))
        head = load_file(folder / HEAD_FILE)
        weights = head["weight"].numpy().T.astype(float), head["bias"].numpy().astype(float)
        classifier = TextClassifier(encoder, tokenizer, Probe(about["names"], *weights, about["temperature"]))
    except Exception as error:  # each library raises errors of its own
        raise BundleError(
            f"the parts of {folder} do not fit each other ({first_line(error)}); save it again"
        ) from error
    rest = {key: about[key] for key in ("costs", "card", "versions", "files", "fingerprint")}
    return Bundle(folder, classifier, **rest)


def _full(folder: str | Path) -> Path:
    """The full path of a folder; `BundleError` if it can be none."""
    try:
        return Path(folder).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise BundleError(f"{str(folder)[:200]!r} cannot be a path ({first_line(error)})") from error


def _inside(folder: Path, path: Path) -> None:
    """Raise `BundleError` unless a path, links followed, lies in the folder itself."""
    if not path.resolve().is_relative_to(folder) or path.resolve().parent != folder:
        raise BundleError(f"{path} leads out of the bundle, to {path.resolve()}; a bundle holds its files itself")


def _plain(module: Any) -> dict[str, Any]:
    """The weights of a module by name, each with memory of its own, as safetensors asks."""
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in module.state_dict().items()}


def _card(card: Mapping[str, str], names: list[str], costs: Mapping[str, float]) -> str:
    """The card as Markdown."""
    parts = [f"## {heading}\n\n{text}" for heading, text in card.items()]
    parts.append(f"## Classes\n\n{', '.join(names)}")
    if costs:
        parts.append("## Costs\n\n" + "\n".join(f"- {name}: {cost:g}" for name, cost in costs.items()))
    return "# Model card\n\n" + "\n\n".join(parts) + "\n"
