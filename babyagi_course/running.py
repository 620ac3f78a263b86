"""`babyagi run`: execute lessons with papermill and keep a report of what they measured."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
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
from babyagi_course.side_by_side import Entry, side_by_side
from babyagi_lib.basics.machine import machine


def run(
    course: Course, lessons: list[Lesson], profile: str, settings: list[str], out: Path, jobs: int = 1
) -> dict[str, Any]:
    """Run lessons in their order, up to `jobs` at a time, and return the report, which is also written to `out/report.json`.

    A lesson of which nothing that it is given or uses has changed since its last good run into `out` is skipped; with one
    job only if it also ran alone then, since a run beside others takes longer. A lesson that fails is recorded with its
    cell and error, and the others run.

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
    run_one = partial(_run_one, course, plan=plan, profile=profile, out=out.absolute(), named=named, jobs=jobs)
    with alone(out), _without_leftovers(out), tqdm(total=len(lessons), desc="Lessons", unit="lesson") as bar:
        runs = Runs(course, out)

        def changed() -> Iterator[Lesson]:
            for lesson in lessons:
                if runs.good(lesson, keys[lesson.name]) and (jobs > 1 or runs.ran_alone(lesson)):
                    bar.write(f"{lesson.name}: unchanged since its last run, skipped", file=sys.stderr)
                    bar.update()
                else:
                    yield lesson

        with closing(_ended(run_one, changed(), jobs, bar.set_postfix_str)) as ended:
            for lesson, entry in ended:
                if entry["status"] == "failed":
                    where = "" if entry["cell"] is None else f" in cell {entry['cell']}"
                    bar.write(f"{lesson.name}: FAILED{where}: {entry['error']}", file=sys.stderr)
                runs.record(lesson, entry | {"key": keys[lesson.name]})
                bar.update()
    return runs.report


def _ended(
    run_one: Callable[..., Entry], lessons: Iterator[Lesson], jobs: int, show: Callable[[str], None]
) -> Iterator[tuple[Lesson, Entry]]:
    """Run lessons, one at a time in this process or several side by side, and yield each when it has ended."""
    if jobs > 1:
        yield from side_by_side(run_one, lessons, jobs, show)
        return
    for lesson in lessons:
        show(lesson.name)
        yield lesson, run_one(lesson)


@contextmanager
def _without_leftovers(out: Path) -> Iterator[None]:
    """Remove what a run that was killed has left in a folder, an earlier one before the block and this one after it."""

    def remove() -> None:
        for left in (*out.glob("*.unfinished.ipynb"), *out.glob("*.ipynb.partial"), *out.glob(f"{REPORT}.partial")):
            left.unlink()

    remove()
    try:
        yield
    finally:
        remove()


def _run_one(
    course: Course,
    lesson: Lesson,
    *,
    plan: dict[str, dict[str, Any]],
    profile: str,
    out: Path,
    named: set[str],
    jobs: int,
) -> Entry:
    from babyagi_course.executing import execute  # which imports papermill

    changed = plan[lesson.name]
    copy, unfinished, failed = (
        out / f"{lesson.name}{ending}" for ending in (".ipynb", ".unfinished.ipynb", ".failed.ipynb")
    )
    failed.unlink(missing_ok=True)
    entry: Entry = {
        "title": lesson.title,
        "profile": profile if changed else "cpu",  # a profile that changes nothing of a lesson is none for it
        "parameters": lesson.parameters | changed,
        "machine": machine(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "jobs": jobs,
    }
    try:
        entry |= execute(lesson, changed, unfinished, course.root, progress=jobs == 1)
        if entry["status"] == "failed":
            if unfinished.is_file():
                unfinished.replace(failed)
            return entry
        notebook = json.loads(unfinished.read_text(encoding="utf-8"))
        entry["versions"] = _versions(entry["used"], named)
        entry["figures"] = figures(notebook)
        notebook["metadata"].pop("papermill", None)  # holds paths of this machine
        notebook["metadata"]["babyagi"] = {
            k: v for k, v in entry.items() if k not in ("figures", "jobs", "title", "status", "used")
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
