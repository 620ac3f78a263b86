"""What earlier runs left in a folder: executed notebooks, and `report.json` with what each measured and used."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from babyagi_course import watch
from babyagi_course.errors import CourseError, cannot_write
from babyagi_course.files import write_atomically
from babyagi_course.lessons import Course, Lesson
from babyagi_lib.basics.whole import Busy, locked

REPORT = "report.json"
# What can be raised by reading JSON that is missing, damaged, or of another shape.
UNREADABLE = (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError)


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Keep every other command that reads or writes the results of runs out of `out`, which is made if it is missing.

    Raises:
        CourseError: another command is using the folder, or the folder cannot be written to.
    """
    with ExitStack() as held:
        try:
            out.mkdir(parents=True, exist_ok=True)
            (out / ".lock").touch()
            held.enter_context(locked(out / ".lock", out / ".lock.held", seconds=0))
        except Busy as error:
            raise CourseError(
                f"another run is writing to {out}; wait for it or choose another folder with --out{error.remedy}"
            ) from error
        except OSError as error:
            raise cannot_write(out, error) from error
        yield


def read_report(out: Path) -> dict[str, Any]:
    """The report of earlier runs into a folder; an empty one if there is none that can be read."""
    try:
        report = json.loads((out / REPORT).read_text(encoding="utf-8"))
        for entry in report["lessons"].values():
            entry.keys()
    except UNREADABLE:
        return {"lessons": {}}
    return report


class Runs:
    """The runs of a course's lessons into a folder."""

    def __init__(self, course: Course, out: Path) -> None:
        self.course, self.out = course, out
        self.report = read_report(out)

    def good(self, lesson: Lesson, key: str) -> dict | None:
        """The notebook of a lesson's last run, if that was a good one and would do the same today.

        That is so if the lesson was given the same (`Course.key`), and all that it used is still as it was: the library's
        modules, data and measured results, Python and the packages. What was looked for in vain must still be missing.

        None also if the notebook is missing, damaged, or not the one that the report describes: a run that was killed may
        have written only one of the two.
        """
        entry = self.report["lessons"].get(lesson.name, {})
        if entry.get("status") != "ok" or entry.get("key") != key:
            return None
        try:
            notebook = json.loads((self.out / f"{lesson.name}.ipynb").read_text(encoding="utf-8"))
            same = notebook["metadata"]["babyagi"].items() <= entry.items() and self._is_as_it_was(entry["used"])
        except UNREADABLE:
            return None
        return notebook if same else None

    def ran_alone(self, lesson: Lesson) -> bool:
        """Whether a lesson's last run was one in which lessons ran one at a time: only then are its times its own."""
        return self.report["lessons"][lesson.name].get("jobs", 1) == 1

    def record(self, lesson: Lesson, entry: dict[str, Any]) -> None:
        """Put a lesson's entry into the report, which is in the order of the lessons, and write it."""
        self.report["lessons"] = dict(sorted((self.report["lessons"] | {lesson.name: entry}).items()))
        write_atomically(self.out / REPORT, json.dumps(self.report, indent=1, ensure_ascii=False))

    def _is_as_it_was(self, used: dict[str, Any]) -> bool:
        now = self._installed
        return (
            used["python"] == now["python"]
            and used["packages"].items() <= now["packages"].items()
            and set(used["absent"]) <= set(now["absent"])
            and all(watch.hash_of(str(self.course.root / path)) == found for path, found in used["files"].items())
        )

    @cached_property
    def _installed(self) -> dict[str, Any]:
        """What `watch.installed` says of all that any lesson asked for, in the Python and folder that kernels run in."""
        packages, modules = set(), set()
        for entry in self.report["lessons"].values():
            used = entry.get("used", {})
            packages |= {*used.get("packages", {})}
            modules |= {name for name in used.get("absent", []) if isinstance(name, str)}
        asked = subprocess.run(
            [sys.executable, "-c", Path(watch.__file__).read_text(encoding="utf-8")],
            cwd=self.course.root / "notebooks",
            input=json.dumps([sorted(packages), sorted(modules)]),
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(asked.stdout)
