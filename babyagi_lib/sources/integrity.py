"""Whether files are as published: hashes, and the course's own data folder.

Used by `encoders`, `language_models`, `messages`, `news` and the tool.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

from babyagi_lib.sources.errors import SourceError


@cache
def check_hash(path: Path, expected: str, repair: str) -> None:
    """Compare a file with its published sha256, once per process.

    Raises:
        SourceError: the file is missing or cannot be read, its line endings were changed, or its content.
    """
    if not path.is_file():
        raise SourceError(f"{path} is missing. Repair: {repair}")
    try:
        found = sha256(path)
    except OSError as error:
        raise SourceError(
            f"{path} cannot be read ({error.strerror}); you need the right to read it: chmod a+r"
        ) from error
    if found != expected:
        if hashlib.sha256(re.sub(rb"\r\n?", b"\n", path.read_bytes())).hexdigest() == expected:
            raise SourceError(
                f"{path} has other line endings than published (carriage returns, as Git for Windows or an editor writes "
                f"them); its content is unchanged. Repair: delete the file, then {repair}"
            )
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
        SourceError: a listed file is missing or differs, or none is listed.
    """
    manifest = folder.parent / "MANIFEST"
    lines = [line.partition("  ") for line in manifest.read_text(encoding="utf-8", errors="replace").splitlines()]
    files = {name: expected for expected, _, name in lines if name.startswith(f"{folder.name}/")}
    if not files:
        raise SourceError(
            f"{manifest} is damaged: it lists no file of {folder.name}. Repair: git checkout -- data/MANIFEST (or reinstall "
            f"the course)"
        )
    for name, expected in files.items():
        check_hash(folder.parent / name, expected, f"git checkout -- data/{name} (or reinstall the course)")


def data_folder() -> Path:
    """The course's `data/` folder: beside the package in a checkout, inside it in an installed wheel."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package.parent / "data", package / "data"):
        if (folder / "MANIFEST").is_file():
            return folder
    raise SourceError("The course's data folder is missing: reinstall the course, or run from a complete checkout.")
