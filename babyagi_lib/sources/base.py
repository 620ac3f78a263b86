"""What all sources share: the two errors, hashes, folders, and results that ship with the course."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import DatasetDict


class SourceError(RuntimeError):
    """A model or corpus that cannot be used; the message says why and what to do."""


class CorpusError(ValueError):
    """A line of a corpus file that cannot be read; the message gives file, line and what was expected."""


@cache
def check_hash(path: Path, expected: str, repair: str) -> None:
    """Compare a file with its published sha256, once per process."""
    if not path.is_file():
        raise SourceError(f"{path} is missing. Repair: {repair}")
    found = sha256(path)
    if found != expected:
        raise SourceError(
            f"{path} is damaged or was changed (sha256 {found[:8]}, expected {expected[:8]}). Repair: {repair}"
        )


def sha256(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_manifest(folder: Path) -> None:
    """Compare the data files of one corpus folder with `data/MANIFEST` (lines of `sha256  path`).

    Raises:
        SourceError: a listed file is missing or differs.
    """
    for line in (folder.parent / "MANIFEST").read_text(encoding="utf-8").splitlines():
        expected, name = line.split(maxsplit=1)
        if name.startswith(f"{folder.name}/"):
            check_hash(folder.parent / name, expected, f"git checkout -- data/{name} (or reinstall the course)")


def data_folder() -> Path:
    """The course's `data/` folder: beside the package in a checkout, inside it in an installed wheel."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package.parent / "data", package / "data"):
        if (folder / "MANIFEST").is_file():
            return folder
    raise SourceError("The course's data folder is missing: reinstall the course, or run from a complete checkout.")


def published(name: str) -> dict[str, Any]:
    """A measured result that ships with the course: `benchmarks/<name>.json`, with its machine, data and versions.

    Raises:
        SourceError: there is no such file.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package.parent / "benchmarks", package / "benchmarks"):
        if (folder / f"{name}.json").is_file():
            return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    raise SourceError(f"There is no published result {name!r}: reinstall the course, or run from a complete checkout.")


def is_folder_name(name: str) -> bool:
    """True if `name` can only mean a folder: it exists, or is written as a path rather than `owner/name`."""
    return Path(name).is_dir() or name.startswith((".", "/", "~", "\\")) or name.count("/") > 1 or "\\" in name


def existing_folder(name: str, what: str) -> Path:
    """The folder of that name; if there is none, a `SourceError` that says what it was given for."""
    folder = Path(name).expanduser()
    if not folder.is_dir():
        raise SourceError(f"{name!r} was given for {what}, but there is no such folder (looked from {Path.cwd()}).")
    return folder


def sizes(corpus: DatasetDict, what: str = "sentences") -> str:
    """How many of what there are in each split, for the line that says what was loaded."""
    return ", ".join(f"{len(split):,} {name}" for name, split in corpus.items()) + f" {what}"


def first_line(error: Exception) -> str:
    """The beginning of another library's message, short enough to quote in ours."""
    return str(error).strip().split("\n")[0][:200]
