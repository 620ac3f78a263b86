"""`babyagi run`: execute lessons with papermill and keep a report of what they measured."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from babyagi_course import watch
from babyagi_course.errors import CourseError
from babyagi_course.extras import must_have
from babyagi_course.files import write_atomically
from babyagi_course.lessons import Course, Lesson
from babyagi_course.notebooks import figures
from babyagi_course.runs import REPORT, Runs, alone
from babyagi_lib.basics.machine import machine


def run(course: Course, lessons: list[Lesson], profile: str, settings: list[str], out: Path) -> dict[str, Any]:
    """Run lessons one after another and return the report, which is also written to `out/report.json`.

    A lesson of which nothing that it is given or uses has changed since its last good run into `out` is skipped. A lesson
    that fails is recorded with its cell and error, and the next one runs.

    Raises:
        CourseError: something in the call is wrong, a package is missing, or a notebook has no heading or parameters;
            then nothing has run.
    """
    from tqdm import tqdm

    must_have("lab")
    named = _named_packages()
    if out.resolve() == (course.root / "notebooks").resolve():
        raise CourseError(f"{out} holds the lessons themselves; choose another folder with --out")
    plan = course.plan(lessons, profile, settings)
    for lesson in lessons:
        _ = lesson.title  # raises where there is none
    keys = {lesson.name: course.key(lesson, plan[lesson.name]) for lesson in lessons}
    with alone(out):
        for left in (*out.glob("*.unfinished.ipynb"), *out.glob("*.ipynb.partial"), *out.glob(f"{REPORT}.partial")):
            left.unlink()  # by a run that was killed
        runs = Runs(course, out)
        with tqdm(lessons, desc="Lessons", unit="lesson") as bar:
            for lesson in bar:
                bar.set_postfix_str(lesson.name)
                if runs.good(lesson, keys[lesson.name]):
                    bar.write(f"{lesson.name}: unchanged since its last run, skipped", file=sys.stderr)
                    continue
                changed = plan[lesson.name]
                ran_as = profile if changed else "cpu"  # a profile that changes nothing of a lesson is none for it
                entry = _run_one(course, lesson, changed, ran_as, out, named)
                if entry["status"] == "failed":
                    where = "" if entry["cell"] is None else f" in cell {entry['cell']}"
                    bar.write(f"{lesson.name}: FAILED{where}: {entry['error']}", file=sys.stderr)
                runs.report["lessons"][lesson.name] = entry | {"key": keys[lesson.name]}
                write_atomically(out / REPORT, json.dumps(runs.report, indent=1, ensure_ascii=False))
    return runs.report


def _run_one(
    course: Course, lesson: Lesson, parameters: dict[str, Any], profile: str, out: Path, named: set[str]
) -> dict[str, Any]:
    from babyagi_course.executing import execute  # which imports papermill

    copy, unfinished, failed = (
        out / f"{lesson.name}{ending}" for ending in (".ipynb", ".unfinished.ipynb", ".failed.ipynb")
    )
    failed.unlink(missing_ok=True)
    entry: dict[str, Any] = {
        "title": lesson.title,
        "profile": profile,
        "parameters": lesson.parameters | parameters,
        "machine": machine(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }
    try:
        entry |= execute(lesson, parameters, unfinished, course.root)
        if entry["status"] == "failed":
            if unfinished.is_file():
                unfinished.replace(failed)
            return entry
        notebook = json.loads(unfinished.read_text(encoding="utf-8"))
        entry["versions"] = _versions(entry["used"], named)
        entry["figures"] = figures(notebook)
        notebook["metadata"].pop("papermill", None)  # holds paths of this machine
        notebook["metadata"]["babyagi"] = {
            k: v for k, v in entry.items() if k not in ("figures", "title", "status", "used")
        }
        write_atomically(copy, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        error.filename = error.filename or str(copy)  # which a failed write does not say
        raise
    finally:
        unfinished.unlink(missing_ok=True)
    return entry


def _versions(used: dict[str, Any], named: set[str]) -> dict[str, str]:
    """What a reader is told of the versions that a lesson used: Python's, and those of packages that the course names."""
    packages = {name: version for name, version in used["packages"].items() if version and name in named}
    return {"python": used["python"], **packages}


def _named_packages() -> set[str]:
    """The packages that `pyproject.toml` names.

    Raises:
        CourseError: the course is not installed.
    """
    from packaging.requirements import Requirement

    try:
        requirements = metadata.requires("babyagi-course") or []
    except metadata.PackageNotFoundError as error:
        raise CourseError("the course is not installed: pip install -e . in its folder, or make course") from error
    return {watch.canonical(Requirement(text).name) for text in requirements}
