"""Files and folders written whole or not at all. Used by `journal`, `heads`, `adapters` and the tool, for all they save."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A file to write to, which takes the place of `path` when the block ends without an error.

    After an error, such as a full disk, the new file is deleted and `path` is as it was. Only if the process is killed does
    it stay, as `path` with `.partial` at its end; the next writer replaces it.
    """
    path = path.resolve()
    partial = path.with_name(f"{path.name}.partial")
    try:
        yield partial
        partial.replace(path)
    except BaseException as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename in (None, str(partial)):
            error.filename = str(path)  # which a failed write does not say
        raise


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """An empty folder to fill, which takes the place of `path` when the block ends without an error.

    As `whole_file`; but a folder cannot be replaced in one step, so the old one is first renamed to `path` with
    `.replaced` at its end. If the process is killed between the two steps, the next call renames it back first.
    """
    path = path.resolve()
    partial, old = (path.with_name(path.name + ending) for ending in (".partial", ".replaced"))
    if old.exists() and not path.exists():
        old.rename(path)
    for left in (partial, old):
        shutil.rmtree(left, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        yield partial
        if path.exists():
            path.rename(old)
        partial.rename(path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)
