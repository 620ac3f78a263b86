"""The tool in a process of its own that kills itself at a given point. Used by test_faults.

A point is the moment before a file of the course is opened for writing, written to, closed, renamed or removed, and the
moment after it was written to or closed.
"""

import importlib
import io
import os
import signal
import sys
from pathlib import Path

# What the tool imports in the course of its work.
IMPORTED = (
    "papermill",
    "jsonschema",
    *(f"babyagi_course.{name}" for name in ("cli", "editions", "refreshing", "running", "tables")),
)


def babyagi(course: Path, arguments: list[str], output: Path, point: int) -> None:
    """Run the tool up to the given point; if there is no such point to its end, where it says how many there are."""
    for name in IMPORTED:  # before anything is counted, which would make it twenty times slower
        importlib.import_module(name)
    from babyagi_course import cli

    os.chdir(course)
    os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
    os.dup2(1, 2)
    sys.argv = ["babyagi", *arguments]
    points = 0

    def count(path) -> None:
        nonlocal points
        if isinstance(path, int) or os.fsdecode(path).startswith("<"):  # a pipe, or the terminal
            return
        if Path(os.fsdecode(path)).absolute().is_relative_to(course):
            points += 1
            if points == point:
                os.kill(os.getpid(), signal.SIGKILL)

    def change(event, about) -> None:
        if event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir") or (event == "open" and about[2] & os.O_ACCMODE):
            count(about[0])

    def write(_frame, event, called) -> None:
        if event in ("c_call", "c_return") and isinstance(called.__self__, io.IOBase):
            file = called.__self__
            if called.__name__ in ("write", "close", "__exit__") and not file.closed and file.writable():
                count(getattr(file, "name", "<memory>"))

    sys.addaudithook(change)
    sys.setprofile(write)
    try:
        cli.main()
    finally:
        sys.setprofile(None)
        os.write(1, f"\npoints: {points}".encode())
