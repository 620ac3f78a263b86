"""Several lessons at a time: they overlap, share the threads, wait for memory, and are not what is published."""

import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from conftest import BODY, ROOMY_BABYAGI, babyagi, lesson, report, small_course

from babyagi_course import cli, running, side_by_side
from babyagi_course.errors import CourseError
from babyagi_course.lessons import Lesson
from babyagi_lib.basics.threads import quota, share

# Waits for what another one makes, so that it ends only if both run at the same time.
MEET = """
import os, pathlib, time
pathlib.Path("MINE").touch()
deadline = time.monotonic() + 60
while not pathlib.Path("THEIRS").exists():
    assert time.monotonic() < deadline, "waited in vain"
    time.sleep(0.05)
from babyagi_lib.learner.publishing import publish
publish("nothing", ("threads", int(os.environ["OMP_NUM_THREADS"])))
"""
NO_CHOICE = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A course of two lessons that have run side by side. Not to be changed."""
    root = small_course(tmp_path_factory.mktemp("side by side") / "course")
    for name, other in (("01_one", "02_two"), ("02_two", "01_one")):
        meet = MEET.replace("MINE", f"met_{name}").replace("THEIRS", f"met_{other}")
        lesson(root / "notebooks" / f"{name}.ipynb", meet)
    command = [*ROOMY_BABYAGI, "run", "--jobs", "2"]
    done = subprocess.run(command, cwd=root, env=NO_CHOICE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture
def copy(finished, tmp_path) -> Path:
    return shutil.copytree(finished, tmp_path / "course")


def test_two_lessons_run_at_the_same_time_with_half_of_the_threads_each(finished):
    entries = report(finished)
    assert [*entries] == ["01_one", "02_two"], "in the order of the lessons, whichever ended first"
    half = max(1, share()[0] // 2)
    assert [(entry["jobs"], entry["figures"][0]["value"]) for entry in entries.values()] == [(2, half)] * 2


def test_what_ran_beside_others_is_good_but_not_published(copy):
    """Its time is not its own: `run` alone runs it again, and then `refresh` takes it."""
    assert babyagi(copy, "run", "--jobs", "2").stderr.count("unchanged") == 2
    before = (copy / "notebooks" / "01_one.ipynb").read_bytes()
    done = babyagi(copy, "refresh")
    assert done.returncode == 2
    assert "01_one ran beside other lessons into build" in done.stderr and "babyagi run 01" in done.stderr
    assert (copy / "notebooks" / "01_one.ipynb").read_bytes() == before
    done = babyagi(copy, "run", env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0 and "unchanged" not in done.stderr, done.stderr
    assert babyagi(copy, "run", "--jobs", "2").stderr.count("unchanged") == 2, "one that ran alone is good for both"
    assert babyagi(copy, "refresh").returncode == 0


def test_one_fails_and_the_other_is_good_with_the_threads_that_the_user_chose(course):
    lesson(course / "notebooks" / "00_bad.ipynb", "1 / 0")
    lesson(course / "notebooks" / "01_one.ipynb", f"import os\nSTEPS = int(os.environ['OMP_NUM_THREADS'])\n{BODY}")
    done = babyagi(course, "run", "--jobs", "2", env=os.environ | {"OMP_NUM_THREADS": "3"})
    assert done.returncode == 1 and "00_bad: FAILED in cell 2: ZeroDivisionError" in done.stderr
    assert {name: entry["status"] for name, entry in report(course).items()} == {"00_bad": "failed", "01_one": "ok"}
    assert report(course)["01_one"]["figures"][0]["value"] == 3
    assert (course / "build" / "00_bad.failed.ipynb").is_file()


@pytest.mark.parametrize(
    ("cores", "environment", "threads", "at_a_time"),
    [
        (8, {}, "4", 2),
        (8, {"CPU_LIMIT": "6"}, "3", 2),  # where importing the library sets OMP_NUM_THREADS to 6
        (3, {}, "1", 2),
        (1, {}, "1", 1),
        (8, {"OMP_NUM_THREADS": "1"}, "the user's", 2),
        (8, {"OMP_NUM_THREADS": "8"}, "the user's", 1),
    ],
)
def test_each_has_its_share_of_the_threads(cores, environment, threads, at_a_time):
    if quota() is not None:
        pytest.skip("this machine has a CPU quota")
    program = f"""
import os
os.cpu_count = lambda: {cores}
os.sched_getaffinity = lambda _: set(range({cores}))
from babyagi_course import side_by_side
print(*set(side_by_side.threads_each(2).values()) or ["the user's"], side_by_side.lessons_at_a_time())
"""
    without = {name: value for name, value in NO_CHOICE.items() if name != "CPU_LIMIT"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=without | environment, capture_output=True, text=True, check=True)
    assert done.stdout == f"{threads} {at_a_time}\n"


@pytest.mark.parametrize("at_a_time", [1, 2])
def test_the_course_runs_as_many_lessons_at_a_time_as_suits_the_machine(course, monkeypatch, at_a_time):
    def run(*_, jobs):
        raise CourseError(f"{jobs} at a time")

    monkeypatch.chdir(course)
    monkeypatch.setattr(side_by_side, "lessons_at_a_time", lambda: at_a_time)
    monkeypatch.setattr(running, "run", run)
    with pytest.raises(CourseError, match=f"{at_a_time} at a time"):
        cli.course(course / "build")


# --- the processes, without notebooks ---------------------------------------------------------------------------


def meet(folder: Path, patience: float, one: Lesson) -> dict:
    """A lesson that waits for a second one to begin: its entry says whether it came in time."""
    (folder / one.name).touch()
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and len([*folder.iterdir()]) < 2:
        time.sleep(0.02)
    return {"met": len([*folder.iterdir()]) == 2}


def die(folder: Path, one: Lesson) -> dict:
    """A lesson that the system ends if it is the first, as one that is too greedy; else a good one."""
    if one.name == "01_one":
        os.kill(os.getpid(), signal.SIGKILL)
    return {"status": "ok"}


def stop(folder: Path, one: Lesson) -> dict:
    """A lesson that finds a full disk if it is the first; else one that takes long."""
    (folder / one.name).write_text(str(os.getpid()))
    if one.name == "02_two":
        time.sleep(600)
    while not (folder / "02_two").exists() or not (folder / "02_two").read_text():
        time.sleep(0.02)
    raise OSError(28, "No space left on device", "results")


def two(run_one, course: Path) -> dict[str, dict]:
    """Run two lessons, two at a time: their entries."""
    lesson(course / "notebooks" / "02_two.ipynb")
    lessons = (Lesson(course / "notebooks" / f"{name}.ipynb") for name in ("01_one", "02_two"))
    return {one.name: entry for one, entry in side_by_side.side_by_side(run_one, lessons, 2, lambda names: None)}


@pytest.mark.parametrize(
    ("free", "patience", "met"),
    [(side_by_side.ENOUGH, 60, [True, True]), (side_by_side.ENOUGH - 1, 0.5, [False, True])],
)
def test_with_too_little_memory_they_take_turns(course, tmp_path, monkeypatch, free, patience, met):
    monkeypatch.setattr(side_by_side, "free_memory", lambda: free)
    (tmp_path / "meet").mkdir()
    entries = two(partial(meet, tmp_path / "meet", patience), course)
    assert [entries[name]["met"] for name in ("01_one", "02_two")] == met


def test_a_process_that_dies_is_a_failed_lesson(course, tmp_path):
    entries = two(partial(die, tmp_path), course)
    assert entries["01_one"]["status"] == "failed" and "memory ran out" in entries["01_one"]["error"]
    assert entries["02_two"] == {"status": "ok"}


def test_a_full_disk_ends_both(course, tmp_path, monkeypatch):
    import psutil

    monkeypatch.setattr(side_by_side, "free_memory", lambda: side_by_side.ENOUGH)
    with pytest.raises(OSError, match="No space left on device: 'results'"):
        two(partial(stop, tmp_path), course)
    assert not psutil.pid_exists(int((tmp_path / "02_two").read_text()))
