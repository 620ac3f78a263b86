"""Names that stand for files and folders. Used by `encoders`, `messages`, `news` and `text`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from babyagi_lib.sources.errors import SourceError


def is_folder_name(name: str) -> bool:
    """True if `name` can only mean a folder: it exists, or is written as a path rather than `owner/name`."""
    return is_there(name, Path.is_dir) or name.startswith((".", "/", "~", "\\")) or name.count("/") > 1 or "\\" in name


def existing_folder(name: str, what: str) -> Path:
    """The folder of that name; if there is none, a `SourceError` that says what it was given for."""
    if not is_there(name, Path.is_dir):
        raise SourceError(f"{name!r} was given for {what}, but there is no such folder (looked from {Path.cwd()}).")
    return Path(name).expanduser()


def is_there(name: str, kind: Callable[[Path], bool]) -> bool:
    """True if a name is the path of something of that kind, `Path.is_dir` or `Path.is_file`."""
    try:
        return kind(Path(name).expanduser())
    except (OSError, RuntimeError, ValueError):  # too long for a path, an unknown user, a zero byte
        return False
