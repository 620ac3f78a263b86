"""How models are saved: weights as safetensors, written whole or not at all. Used by `heads` and `adapters`.

`save_file` is for parts of a model, which are used with an encoder that is loaded already; `save_folder` for a whole model.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from babyagi_lib.basics.whole import whole_file, whole_folder
from babyagi_lib.sources.errors import first_line

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

WEIGHTS_FILE = "model.safetensors"


class ModelError(RuntimeError):
    """A model that cannot be saved or loaded; the message says why and what to do."""


def full_path(name: str | Path) -> Path:
    """The absolute path that a name stands for, with `~` as the home folder; `ModelError` if it can be no path."""
    try:
        return Path(name).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:  # an unknown user, a zero byte, a loop of links
        raise ModelError(f"{str(name)[:200]!r} cannot be a path ({first_line(error)})") from error


def save_file(path: str | Path, model: nn.Module, about: dict[str, str]) -> Path:
    """Write a model's weights, and what its loader must know about them, to one file.

    Args:
        path: a new file, or one to replace. `~` is the home folder.
        model: its weights are written by their names.
        about: texts by name, for `read_about`.

    Returns:
        The file's full path.

    Raises:
        ModelError: the file cannot be written; if there was one, it is as it was.
    """
    from safetensors.torch import save_model

    path = full_path(path)
    with _written(path), whole_file(path) as partial:
        save_model(model, str(partial), metadata=about)
    return path


def save_folder(
    folder: str | Path,
    model: nn.Module,
    about_file: str,
    about: dict,
    parts: Iterable[PretrainedConfig | PreTrainedTokenizerBase],
) -> Path:
    """Write a model's weights to a folder, with all that is needed to make the model again.

    Args:
        folder: a new folder, or one that holds such a model, which is replaced. `~` is the home folder.
        model: its weights are written by their names.
        about_file: the name of the JSON file for `about`. By it a folder of such a model is known.
        about: what its loader must know.
        parts: what else belongs to the model; each has a `save_pretrained`.

    Returns:
        The folder's full path.

    Raises:
        ModelError: the folder cannot be written, holds other files, or is the one you work in; then it is as it was.
    """
    from safetensors.torch import save_model

    folder = full_path(folder)
    if Path.cwd().is_relative_to(folder):
        raise ModelError(f"{folder} holds the folder you work in, and saving would replace it; choose a new folder")
    with _written(folder):
        if folder.is_dir() and any(folder.iterdir()) and not (folder / about_file).is_file():
            raise ModelError(f"{folder} holds other files, and saving would delete them; choose a new folder")
        with whole_folder(folder) as partial:
            save_model(model, str(partial / WEIGHTS_FILE))
            for part in parts:
                part.save_pretrained(partial)
            (partial / about_file).write_text(json.dumps(about, indent=1), encoding="utf-8")
    return folder


def read_about(path: Path, names: Iterable[str], kind: str, writer: str) -> dict[str, str]:
    """What `save_file` was told about the weights in a file.

    Args:
        path: the file.
        names: what it must have been told.
        kind: what the file should be, for the message, such as "saved task".
        writer: the function that writes such files, for the message.

    Raises:
        ModelError: there is no such file, or it holds something else.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            about = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} cannot be read as a {kind} ({first_line(error)}); {writer} writes one") from error
    if not about.keys() >= set(names):
        raise ModelError(f"{path} holds no {kind}: {writer} writes one")
    return about


def load_weights(path: Path, model: nn.Module) -> None:
    """Give a model the weights of a file: every one that it has, and no other.

    Raises:
        ModelError: the file cannot be read, or its weights have other names or shapes than the model's. The message
            leaves it to the caller to name the file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_model

    try:
        load_model(model, str(path))
    except (OSError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]  # torch names the weights on the lines after the first
        raise ModelError(f"its weights cannot be loaded: {reason}") from error


@contextmanager
def _written(path: Path) -> Iterator[None]:
    """Turn what goes wrong in writing to `path` into a `ModelError` that names it."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"{path} cannot be written ({first_line(error)}); free some space, or choose another folder"
        ) from error
