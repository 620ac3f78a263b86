"""`babyagi run`: execute lessons with papermill and keep a report of what they measured."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from babyagi_course.lessons import (
    Course,
    CourseError,
    Lesson,
    cannot_write,
    figures,
    must_have,
    versions,
    write_atomically,
)
from babyagi_lib.basics.machine import give_home, machine
from babyagi_lib.basics.whole import Busy, locked

REPORT = "report.json"
# What can be raised by reading JSON that is missing, damaged, or of another shape.
UNREADABLE = (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError)


def run(course: Course, lessons: list[Lesson], profile: str, settings: list[str], out: Path) -> dict[str, Any]:
    """Run lessons one after another and return the report, which is also written to `out/report.json`.

    A lesson whose notebook, parameters, library, data and versions have not changed since its last good run into
    `out` is skipped. A lesson that fails is recorded with its cell and error, and the next one runs.

    Raises:
        CourseError: something in the call is wrong, a package is missing, or a notebook has no heading or parameters;
            then nothing has run.
    """
    from tqdm import tqdm

    must_have("lab")
    if out.resolve() == (course.root / "notebooks").resolve():
        raise CourseError(f"{out} holds the lessons themselves; choose another folder with --out")
    plan = course.plan(lessons, profile, settings)
    for lesson in lessons:
        _ = lesson.title  # raises where there is none
    keys = {lesson.name: course.key(lesson, plan[lesson.name]) for lesson in lessons}
    with alone(out):
        for left in (*out.glob("*.unfinished.ipynb"), *out.glob("*.ipynb.partial"), *out.glob(f"{REPORT}.partial")):
            left.unlink()  # by a run that was killed
        report = read_report(out)
        with tqdm(lessons, desc="Lessons", unit="lesson") as bar:
            for lesson in bar:
                bar.set_postfix_str(lesson.name)
                if executed(lesson, keys[lesson.name], out, report):
                    bar.write(f"{lesson.name}: unchanged since its last run, skipped", file=sys.stderr)
                    continue
                entry = _run_one(lesson, plan[lesson.name], profile, out)
                if entry["status"] == "failed":
                    where = "" if entry["cell"] is None else f" in cell {entry['cell']}"
                    bar.write(f"{lesson.name}: FAILED{where}: {entry['error']}", file=sys.stderr)
                report["lessons"][lesson.name] = entry | {"key": keys[lesson.name]}
                write_atomically(out / REPORT, json.dumps(report, indent=1, ensure_ascii=False))
    return report


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


def executed(lesson: Lesson, key: str, out: Path, report: dict[str, Any]) -> dict | None:
    """The notebook of a lesson's last run into a folder, if it was a good one with this key.

    None also if the notebook is missing, damaged, or not the one that the report describes: a run that was killed may
    have written only one of the two.
    """
    entry = report["lessons"].get(lesson.name, {})
    if entry.get("status") != "ok" or entry.get("key") != key:
        return None
    try:
        notebook = json.loads((out / f"{lesson.name}.ipynb").read_text(encoding="utf-8"))
        return notebook if notebook["metadata"]["babyagi"].items() <= entry.items() else None
    except UNREADABLE:
        return None


def _run_one(lesson: Lesson, parameters: dict[str, Any], profile: str, out: Path) -> dict[str, Any]:
    copy, unfinished, failed = (
        out / f"{lesson.name}{ending}" for ending in (".ipynb", ".unfinished.ipynb", ".failed.ipynb")
    )
    failed.unlink(missing_ok=True)
    entry: dict[str, Any] = {
        "title": lesson.title,
        "profile": profile,
        "parameters": lesson.parameters | parameters,
        "versions": versions(),
        "machine": machine(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }
    try:
        entry |= _execute(lesson, parameters, unfinished)
        if entry["status"] == "failed":
            if unfinished.is_file():
                unfinished.replace(failed)
            return entry
        notebook = json.loads(unfinished.read_text(encoding="utf-8"))
        entry["figures"] = figures(notebook)
        notebook["metadata"].pop("papermill", None)  # holds paths of this machine
        notebook["metadata"]["babyagi"] = {k: v for k, v in entry.items() if k not in ("figures", "title", "status")}
        write_atomically(copy, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        error.filename = error.filename or str(copy)  # which a failed write does not say
        raise
    finally:
        unfinished.unlink(missing_ok=True)
    return entry


def _execute(lesson: Lesson, parameters: dict[str, Any], unfinished: Path) -> dict[str, Any]:
    """Execute a lesson into a file. Returns status, seconds and memory, and for a failure its cell and error."""
    import papermill
    from jupyter_client import AsyncKernelManager
    from jupyter_client.kernelspec import KernelSpecManager
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    give_home()
    # Without folders to look in, Jupyter starts the kernel of the Python that runs this tool. With them, a kernel called
    # python3 that the user once installed for another Python would come first.
    own_kernel = AsyncKernelManager(kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
    went: dict[str, Any] = {"status": "ok"}
    started = time.perf_counter()
    with peak_memory() as peak:
        try:
            _ = lesson.kernelspec  # raises where there is none
            papermill.execute_notebook(
                _as_it_is(lesson.path),
                _as_it_is(unfinished),
                parameters=parameters,
                cwd=lesson.path.parent,
                kernel_name="python3",
                km=own_kernel,
                progress_bar={"leave": False, "position": 1, "desc": lesson.name},
            )
        except PapermillExecutionError as error:
            went = {"status": "failed", "cell": error.cell_index, "error": f"{error.ename}: {error.evalue}"[:500]}
        except DeadKernelError:
            went = {"status": "failed", "cell": None, "error": "the kernel died, most often because memory ran out"}
        except RuntimeError as error:
            went = {"status": "failed", "cell": None, "error": f"the kernel did not start ({error})"}
        except CourseError as error:
            went = {"status": "failed", "cell": None, "error": str(error)}
        except OSError:
            raise
        except Exception as error:  # papermill and nbformat raise many kinds for a notebook that they cannot read
            fault = f"the notebook cannot be run ({type(error).__name__}: {error})"[:500]
            went = {"status": "failed", "cell": None, "error": fault}
    went["seconds"] = round(time.perf_counter() - started, 1)
    went["peak_memory_mb"] = round(max(peak) / 2**20)
    return went


def _as_it_is(path: Path) -> str:
    """A path for papermill, which takes {braces} in one for parameters."""
    return str(path).replace("{", "{{").replace("}", "}}")


@contextmanager
def peak_memory() -> Iterator[list[int]]:
    """Watch the processes started meanwhile; the list's maximum is their peak resident memory in bytes, together."""
    import psutil

    me, samples, done = psutil.Process(os.getpid()), [0], threading.Event()
    before = {child.pid for child in me.children(recursive=True)}

    def watch() -> None:
        while not done.wait(0.1):
            total = 0
            for child in me.children(recursive=True):
                if child.pid not in before:
                    try:
                        total += child.memory_info().rss
                    except psutil.Error:  # it ended between the two calls
                        continue
            samples.append(total)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        done.set()
        thread.join()
