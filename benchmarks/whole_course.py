"""The whole course in a fresh clone: every lesson and the book from nothing, again with nothing changed, the book alone.

    python benchmarks/whole_course.py

A clone of this checkout's last commit goes to a temporary folder and is run there with this environment, so the seconds are
those of `make course` after its installation; the book's script comes from the npm registry, as it does for everybody. On
two cores and more two lessons run at a time: the seconds of a lesson are not those of one alone. Memory is the peak of all
processes together. The result goes to `whole_course.json` beside this file. A quarter of an hour; run it with nothing else
running.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import results

from babyagi_course.errors import CourseError
from babyagi_course.measured import Aim
from babyagi_course.memory import peak_memory
from babyagi_course.runs import read_report
from babyagi_course.tables import minutes

ROOT = Path(__file__).resolve().parents[1]
STAGES = {"from nothing": "course", "again, nothing changed": "course", "the book alone": "book"}


def clone(root: Path, folder: Path) -> Path:
    """The last commit of a checkout in a folder of its own."""
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(root), str(folder)], check=True)
    return folder


def timed(program: str, folder: Path) -> tuple[float, int]:
    """Seconds and peak memory in bytes of a Python program, run in a folder whose own library it imports.

    Raises:
        CourseError: it failed.
    """
    started = time.perf_counter()
    with peak_memory() as peak:
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(folder)},  # for the kernels too, which start in notebooks/
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise CourseError(f"{program!r} failed in {folder}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return time.perf_counter() - started, max(peak)


def measure(folder: Path) -> list[dict]:
    """Each stage in a checkout without a build, and each lesson of the first."""
    runs, lessons = [], []
    for name, command in STAGES.items():
        program = f"import sys; from babyagi_course.cli import main; sys.argv[1:] = [{command!r}]; main()"
        seconds, peak = timed(program, folder)
        runs.append({"name": name, "seconds": round(seconds, 1), "peak_memory_mb": round(peak / 2**20)})
        print(runs[-1], flush=True)
        lessons = lessons or [
            {"name": f"{entry['title'].partition(':')[0]}, of it"}
            | {key: entry[key] for key in ("seconds", "peak_memory_mb")}
            for entry in read_report(folder / "build")["lessons"].values()
        ]
    return runs + lessons


def aims(result: dict) -> Iterator[Aim]:
    """What a result says about the aims."""
    runs = results.by_name(result)
    for name, work, limit in (
        ("from nothing", "every lesson and the book", 20 * 60),
        ("again, nothing changed", "again, nothing changed", 60),
        ("the book alone", "the book alone", 30),
    ):
        seconds = runs[name]["seconds"]
        aim = "under " + (f"{limit // 60} min" if limit > 60 else f"{limit} s")
        yield Aim(work, "", "", minutes(seconds), "", aim, seconds < limit)


conclusions = results.stating(aims)


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = clone(ROOT, Path(scratch) / "course")
        runs = measure(folder)
    results.write(
        "whole_course",
        title="The whole course",
        data="babyagi course in a fresh clone, again with nothing changed, then babyagi book",
        model="all that the lessons use",
        runs=runs,
        conclusions=conclusions,
    )


if __name__ == "__main__":
    main()
