"""Every lesson in full size, twice with two threads and once with one: which of its figures differ?

    python benchmarks/same_twice.py

With the same seed and as many threads, every figure should be the same to the last bit, times and speeds aside. With
another number of threads the sums of a matrix product are added up in another order, so figures of what was trained may
move a little; what must not change is what a lesson concludes from them, which its own assertions check in each run. The
result goes to `same_twice.json` beside this file. Three quarters of an hour; stopped and started again, it goes on.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import results

from babyagi_course.lessons import Course
from babyagi_course.running import run
from babyagi_lib.learner.publishing import differing, is_timing

RUNS = {"first": 2, "when run again": 2, "with one thread": 1}  # name: threads
POOLS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def reports(course: Course, out: Path) -> dict[str, dict]:
    """Run every lesson as often as `RUNS` says: name of the run, then the entries of its report by lesson.

    Exits if an assertion of a lesson does not hold.
    """
    entries = {}
    for name, threads in RUNS.items():
        os.environ.update(dict.fromkeys(POOLS, str(threads)))  # for the kernels, which are started from here
        entries[name] = run(course, course.lessons, "cpu", [], out / name.replace(" ", "_"))["lessons"]
        failed = [lesson for lesson, entry in entries[name].items() if entry["status"] == "failed"]
        if failed:
            sys.exit(f"with {threads} threads: {', '.join(failed)} failed; see {out}")
    return entries


def compared(entries: dict[str, dict]) -> tuple[list[dict], list[dict]]:
    """Rows for the reader, and every figure that is not the same in all runs, to the last bit.

    The rows are one for each lesson, with how many of its figures differ, and one for each figure that a reader sees
    differ, in the digits that the lesson shows.
    """
    rows, moved = [], []
    for lesson, first in entries["first"].items():
        title = first["title"].partition(":")[0]
        row = {"name": title, "figures": sum(not is_timing(figure) for figure in first["figures"])}
        for other in ("when run again", "with one thread"):
            found = differing(first["figures"], entries[other][lesson]["figures"])
            row[f"differ_{other.replace(' ', '_')}"] = len(found)
            for label, (one, two) in found.items():
                moved.append({"lesson": lesson, "figure": label, "run": other, "first": one, "then": two})
        rows += [row, *_seen(title, first["figures"], entries["with one thread"][lesson]["figures"])]
    return rows, moved


def _seen(title: str, first: list[dict], other: list[dict]) -> list[dict]:
    """The figures, times and speeds aside, that two runs show in other digits."""
    then = {figure["label"]: figure["text"] for figure in other}
    return [
        {
            "name": f"{title}: {figure['label']}",
            "two_threads": figure["text"],
            "one_thread": then.get(figure["label"], ""),
        }
        for figure in first
        if not is_timing(figure) and figure["text"] != then.get(figure["label"])
    ]


def main() -> None:
    course = Course.find()
    entries = reports(course, course.root / "build" / "same_twice")
    rows, moved = compared(entries)
    for one in moved:
        print(f"{one['lesson']:24} {one['figure']:28} {one['run']:15} {one['first']!r:22} {one['then']!r}")
    print(*rows, sep="\n")
    results.write(
        "same_twice",
        title="The same seed twice, and on one thread",
        data="how many of the figures that the lessons publish, times and speeds aside, differ in the last bit from the first "
        "run, and which of them in the digits shown; the lessons' assertions held in all three runs",
        model="the lessons in full size, twice with two threads, once with one",
        seconds=round(sum(entry["seconds"] for lessons in entries.values() for entry in lessons.values())),
        differing=moved,
        runs=rows,
    )


if __name__ == "__main__":
    main()
