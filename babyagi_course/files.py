"""Files and folders: what is in them, by hash, and how they are written."""

from __future__ import annotations

import os
from pathlib import Path

from babyagi_lib.basics.whole import whole_file
from babyagi_lib.sources.integrity import sha256


def existing_path(text: str, folder: Path) -> Path | None:
    """The absolute path of the file or folder that a text names, seen from `folder`; None if it names none."""
    try:
        path = folder / Path(text).expanduser()
        return path.resolve() if text and path.exists() else None
    except (OSError, RuntimeError, ValueError):  # too long for a path, an unknown user's home folder, a zero byte
        return None


def content(path: Path, notebooks: Path) -> list[tuple[str, str]]:
    """The files under a path, each with the sha256 of its bytes; a file is listed alone.

    Links are followed. Of a folder that the notebooks lie in, such as `/` or the course itself, only the files directly
    in it count: everything below would include what a run writes.
    """
    if not path.is_dir():
        return [("", _hash(path))]
    too_large = notebooks.is_relative_to(path)
    found, seen = [], set()
    for folder, folders, files in os.walk(path, followlinks=True):
        real = os.path.realpath(folder)
        folders[:] = [] if too_large or real in seen else sorted(folders)
        if real not in seen:  # else reached again through a link
            here = [Path(folder, name) for name in files]
            found += [(file.relative_to(path).as_posix(), _hash(file)) for file in here]
        seen.add(real)
    return sorted(found)


def _hash(path: Path) -> str:
    """Hex sha256 of a file, or why there is none."""
    if not path.is_file():
        return "no regular file"
    try:
        return sha256(path)
    except OSError as error:
        return f"cannot be read: {error.errno}"


def write_atomically(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")
