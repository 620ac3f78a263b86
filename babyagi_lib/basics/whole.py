"""Files and folders written whole or not at all, and by one process at a time.

Used by `models`, `learner.journal` and the tool, for all they save.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A file to write to, which takes the place of `path` when the block ends without an error.

    After an error, such as a full disk, the file is removed and `path` is unchanged. If the process is killed, the
    file can remain, as `path` with `.partial` at its end; the next writer replaces it.
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

    As `whole_file`; but a folder cannot be replaced in one step, so the old one is first renamed, to `path` with
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


class Busy(Exception):
    """Another process holds what `locked` asks for; `remedy` is what to add to a message, or empty."""

    def __init__(self, remedy: str = "") -> None:
        super().__init__(remedy)
        self.remedy = remedy


@contextmanager
def locked(path: Path, stand_in: Path, seconds: float) -> Iterator[None]:
    """Let one process at a time into the block.

    Args:
        path: an existing file or folder that all of them lock. It is not changed.
        stand_in: a file whose existence is the lock where the file system or the system cannot lock `path`: some
            network folders, and Windows. It is removed afterwards.
        seconds: how long to wait.

    Raises:
        Busy: another process was in the block all the time.
        OSError: the stand-in cannot be made.
    """
    deadline = time.monotonic() + seconds
    try:
        descriptor = _lock(path, deadline)
    except BlockingIOError as error:
        raise Busy from error
    except (ImportError, OSError):
        with _existing(stand_in, seconds):
            yield
        return
    try:
        yield
    finally:
        os.close(descriptor)  # which also unlocks


def _lock(path: Path, deadline: float) -> int:
    """Lock a file or folder; returns the open descriptor that holds the lock.

    Raises:
        BlockingIOError: another process holds it, still at the deadline.
        ImportError: this system has no such locks.
        OSError: the path cannot be opened, or its file system has no locks.
    """
    import fcntl

    # A folder can only be opened for reading; network folders lock only files that are open for writing.
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return descriptor
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.01)
    except BaseException:
        os.close(descriptor)
        raise


@contextmanager
def _existing(file: Path, seconds: float) -> Iterator[None]:
    """A lock that is a file's existence; a process that is killed leaves it behind.

    Raises:
        Busy: the file exists, and has not been removed in time.
        OSError: the file cannot be made.
    """
    from filelock import SoftFileLock, Timeout

    lock = SoftFileLock(file, timeout=seconds)
    try:
        lock.acquire()
    except Timeout as error:
        raise Busy(f"; if nothing else is running, delete {file}") from error
    try:
        yield
    finally:
        lock.release()
