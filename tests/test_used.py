"""What a lesson used, and that a change of it runs the lesson again, and no other."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from conftest import BODY, babyagi, lesson, report, small_course

from babyagi_course import watch
from babyagi_course.lessons import Course
from babyagi_course.runs import Runs

SMALL = ["WORLD=CliffWalking-v1", "TAXI_STEPS=20000", "LAKE_STEPS=3000"]  # lesson 06 in a few seconds

# --- in a copy of the real course -------------------------------------------------------------------------------


def good(course: Path, out: Path) -> set[str]:
    """The lessons whose last run, in the smoke profile, would do the same today."""
    found = Course(course)
    plan, runs = found.plan(found.lessons, "smoke", SMALL), Runs(found, out)
    return {one.name[:2] for one in found.lessons if runs.good(one, found.key(one, plan[one.name]))}


@pytest.fixture(scope="module")
def scratch(root, tmp_path_factory) -> Path:
    """A copy of the course, in which lessons 00 and 06 have been run in the smoke profile."""
    copy = tmp_path_factory.mktemp("used") / "a course é {x} 100%"
    for folder in ("babyagi_lib", "babyagi_course", "notebooks", "data", "benchmarks"):
        shutil.copytree(root / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__", "my_progress*"))
    done = run_in(copy, "00", "06")
    assert done.returncode == 0, done.stderr
    return copy


def run_in(copy: Path, *lessons: str) -> subprocess.CompletedProcess:
    """Run lessons of a copy with the library of that copy, as in a clone with an environment of its own."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(copy), os.environ["PYTHONPATH"]])}
    settings = [part for setting in SMALL for part in ("--set", setting)]
    return babyagi(copy, "run", *lessons, "--profile", "smoke", *settings, env=environment)


@pytest.mark.parametrize(
    ("path", "others"),
    [
        ("babyagi_lib/figures/q_learning.py", {"00"}),
        ("babyagi_lib/learner/doctor.py", {"06"}),
        ("babyagi_lib/learner/quiz.py", set()),
        ("babyagi_lib/__init__.py", set()),
        ("babyagi_lib/figures/fewshot.py", {"00", "06"}),
        ("babyagi_lib/learner/quizzes/06_q_learning.yml", set()),  # lesson 0 counts the questions of all
        ("babyagi_lib/learner/quizzes/03_binary_cross_entropy.yml", {"06"}),
        ("babyagi_lib/learner/quizzes/07_new.yml", {"06"}),  # and shows a line for each
        ("benchmarks/q_learning.json", {"00"}),
        ("benchmarks/in_context.json", {"00", "06"}),
        ("data/support_intents/train.csv", {"06"}),
        ("data/newswire/train.txt", {"00", "06"}),
        ("babyagi_course/pages.py", {"00", "06"}),
        ("notebooks/my_progress.json", {"00", "06"}),
    ],
)
def test_an_edited_file_runs_the_lessons_again_that_use_it(scratch, path, others):
    assert good(scratch, scratch / "build") == {"00", "06"}
    file = scratch / path
    before = file.read_bytes() if file.is_file() else None
    try:
        file.write_bytes((before or b"{}") + b"\n")
        assert good(scratch, scratch / "build") == others
        file.unlink()
        assert good(scratch, scratch / "build") == (others if before else {"00", "06"})
    finally:
        if before:
            file.write_bytes(before)


def test_the_tool_runs_only_the_lesson_whose_module_was_edited(scratch, tmp_path):
    copy = shutil.copytree(scratch, tmp_path / "moved")  # elsewhere, so that the paths are the course's own
    doctor = copy / "babyagi_lib" / "learner" / "doctor.py"
    doctor.write_text(doctor.read_text(encoding="utf-8").replace("no GPU", "no graphics card"), encoding="utf-8")
    done = run_in(copy, "00", "06")
    assert done.returncode == 0 and "06_q_learning: unchanged since its last run, skipped" in done.stderr
    assert "00_start_here: unchanged" not in done.stderr
    assert "no graphics card" in (copy / "build" / "00_start_here.ipynb").read_text(encoding="utf-8")
    assert good(copy, copy / "build") == {"00", "06"}


# --- in a small course ------------------------------------------------------------------------------------------

READS = """
import os, pathlib, subprocess, sys
pathlib.Path("own.txt").write_text("written before it is read")
print(pathlib.Path("own.txt").read_text())
os.chdir("..")
print(open(b"data/words.txt").read())
os.chdir("data/deeper")
print(pathlib.Path("../numbers.txt").read_text())
sys.path.append("..")
import helper
pathlib.Path("gone.txt").write_text("x")
pathlib.Path("gone.txt").unlink()
try:
    open("later.txt")
except FileNotFoundError:
    print("not yet")
os.chdir("/")
"""


def test_what_a_lesson_reads_wherever_it_stands(course):
    (course / "data" / "deeper").mkdir(parents=True)
    for name in ("words", "numbers", "unread"):
        (course / "data" / f"{name}.txt").write_text(name, encoding="utf-8")
    (course / "data" / "helper.py").touch()
    lesson(course / "notebooks" / "01_one.ipynb", READS + BODY)
    assert babyagi(course, "run").returncode == 0
    used = report(course)["01_one"]["used"]["files"]
    here = {path: found for path, found in used.items() if not Path(path).is_absolute()}
    words, numbers, helper, later = (
        f"data/{name}" for name in ("words.txt", "numbers.txt", "helper.py", "deeper/later.txt")
    )
    assert here.keys() == {words, numbers, helper, later}
    assert here[later] is None and here[words] == watch.hash_of(str(course / words))
    assert any(path.endswith("babyagi_lib/learner/publishing.py") for path in used), "the library lies elsewhere"

    for change in (
        lambda: (course / words).write_text("other words", encoding="utf-8"),
        lambda: (course / numbers).unlink(),
        lambda: (course / later).touch(),
        lambda: (course / helper).write_text("print('helped')", encoding="utf-8"),
    ):
        assert runs_are_good(course)
        before = {path: path.read_bytes() if path.is_file() else None for path in map(course.joinpath, here)}
        change()
        assert not runs_are_good(course)
        for path, content in before.items():
            path.unlink(missing_ok=True)
            if content is not None:
                path.write_bytes(content)
    (course / "data" / "unread.txt").write_text("changed", encoding="utf-8")
    assert runs_are_good(course)


def runs_are_good(course: Path) -> bool:
    found = Course(course)
    return all(Runs(found, course / "build").good(one, found.key(one, {})) for one in found.lessons)


def distribution(folder: Path, name: str, version: str) -> None:
    """Install a package of one module."""
    for left in folder.glob(f"{name}-*.dist-info"):
        shutil.rmtree(left)
    (folder / f"{name}.py").touch()
    about = folder / f"{name}-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    (about / "top_level.txt").write_text(name, encoding="utf-8")


ASKS = """
from importlib import metadata
from importlib.util import find_spec
import imported_pkg
print(find_spec("found_pkg") is None, find_spec("absent_pkg") is None, metadata.version("named-pkg"))
try:
    metadata.version("unknown-pkg")
except metadata.PackageNotFoundError:
    print("unknown")
"""


def test_a_package_that_changes_comes_or_goes(course, tmp_path, monkeypatch):
    packages = tmp_path / "packages"
    packages.mkdir()
    for name in ("imported_pkg", "found_pkg", "named_pkg", "other_pkg"):
        distribution(packages, name, "1.0")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(packages), os.environ["PYTHONPATH"]]))
    lesson(course / "notebooks" / "01_one.ipynb", ASKS + BODY)
    assert babyagi(course, "run").returncode == 0, report(course)
    used = report(course)["01_one"]["used"]
    assert used["python"] == "{}.{}.{}".format(*sys.version_info[:3]) and "absent_pkg" in used["absent"]
    asked = {name: version for name, version in used["packages"].items() if name.endswith("-pkg")}
    assert asked == {"imported-pkg": "1.0", "found-pkg": "1.0", "named-pkg": "1.0", "unknown-pkg": None}

    for name in ("imported_pkg", "found_pkg", "named_pkg", "absent_pkg", "unknown_pkg", "other_pkg"):
        assert runs_are_good(course)
        distribution(packages, name, "2.0")
        assert runs_are_good(course) is (name == "other_pkg"), name
        shutil.rmtree(packages / f"{name}-2.0.dist-info")
        if name in ("absent_pkg", "unknown_pkg"):
            (packages / f"{name}.py").unlink()
        else:
            assert runs_are_good(course) is (name == "other_pkg"), f"{name} is gone"
            distribution(packages, name, "1.0")


def test_the_learners_kernel_and_notebook_show_no_trace(course):
    names = "print(sorted(name for name in globals() if name[0] != '_'), len(In), Out, _)"
    lesson(course / "notebooks" / "01_one.ipynb", f"{names}\n{BODY}")
    assert babyagi(course, "run").returncode == 0
    executed = nbformat.read(course / "build" / "01_one.ipynb", as_version=4)
    assert [cell.get("execution_count") for cell in executed.cells] == [None, 1, 2]
    known = "['In', 'NAME', 'Out', 'RATE', 'STEPS', 'exit', 'get_ipython', 'open', 'quit'] 3 {} \n"
    assert executed.cells[2].outputs[0].text == known
    assert "watch" not in json.dumps(executed) and "used" not in executed.metadata["babyagi"]


def test_versions_for_the_reader_are_those_of_packages_that_the_course_names(course):
    lesson(course / "notebooks" / "01_one.ipynb", "import numpy\n" + BODY)
    assert babyagi(course, "run").returncode == 0
    entry = report(course)["01_one"]
    versions = entry["versions"]
    assert versions["numpy"] == entry["used"]["packages"]["numpy"] and versions["python"] == entry["used"]["python"]
    assert "torch" not in versions and "traitlets" not in versions and "traitlets" in entry["used"]["packages"]


def test_a_kernel_that_cannot_say_what_was_used_is_named_and_the_others_run(course):
    lesson(course / "notebooks" / "00_odd.ipynb", "import sys\nsys.modules.pop('babyagi_watch')")
    done = babyagi(course, "run")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "00_odd: FAILED: the kernel cannot say what the lesson used (KeyError" in done.stderr
    assert {name: entry["status"] for name, entry in report(course).items()} == {"00_odd": "failed", "01_one": "ok"}


@pytest.mark.parametrize(
    "damaged",
    [
        None,
        [],
        {},
        {"files": 3},
        {"absent": [3, None]},
        {"absent": ["sys", "", ".", "a.b", "a\0b", "\ud800"]},
        {"packages": {"": "1", "../x": None, "a\0b": "2"}},
        {"files": {"a\0b": None, "\ud800": "1"}},
        {"python": {}},
    ],
)
def test_a_damaged_record_runs_the_lesson_again(finished, damaged, tmp_path):
    course = shutil.copytree(finished, tmp_path / "course")
    assert runs_are_good(course)
    path = course / "build" / "report.json"
    said = json.loads(path.read_text(encoding="utf-8"))
    whole = said["lessons"]["01_one"]["used"]
    said["lessons"]["01_one"]["used"] = whole | damaged if damaged else damaged
    path.write_text(json.dumps(said), encoding="utf-8")
    assert not runs_are_good(course)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    course = small_course(tmp_path_factory.mktemp("finished") / "course")
    assert babyagi(course, "run").returncode == 0
    return course


# --- the watch itself -------------------------------------------------------------------------------------------


def watched(program: str, root: Path, **options) -> dict:
    """What a program used, watched in a fresh Python."""
    text = f"from babyagi_course.watch import Watch\nw = Watch({str(root)!r}, 'ignored.txt')\n{program}\nprint(w.as_json())"
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=False, cwd=root, **options
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_what_does_not_count(tmp_path):
    for name in ("one.txt", "ignored.txt", ".hidden/x.txt", "other/ignored.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf-8")
    elsewhere = tmp_path.parent / "elsewhere.txt"
    elsewhere.touch()
    program = f"""
import os, threading
for name in ("one.txt", "ignored.txt", ".hidden/x.txt", "other/ignored.txt", "../elsewhere.txt"):
    open(name).close()
threading.Thread(target=lambda: open("other/../two.txt", "w").close()).start()
descriptor = os.open("{tmp_path}/one.txt", os.O_RDONLY)
open(descriptor).close()
for wrong in ("a\\0b", 3.5, "x" * 5000, "no/such/folder"):
    try:
        open(wrong)
    except (ValueError, TypeError, OSError):
        pass
"""
    files = watched(program, tmp_path)["files"]
    counted = {path for path, found in files.items() if found and "babyagi_lib" not in path}
    assert counted == {"one.txt"}


def test_the_names_in_a_folder_count_where_it_is_searched(tmp_path):
    for folder in ("searched", "imported", "own"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "one.py").touch()
    program = """
import sys
from pathlib import Path
print(len(list(Path("searched").glob("*.py"))), list(Path("nowhere").glob("*.py")))
sys.path.insert(0, "imported")
import one
list(Path("own").glob("*"))
Path("own/two.py").touch()
"""
    used = watched(program, tmp_path)["files"]
    assert used.keys() - {"nowhere"} == {"searched", "imported/one.py"} and used.get("nowhere") is None
    for change in (Path.touch, Path.unlink):
        before = watch.hash_of(str(tmp_path / "searched"))
        change(tmp_path / "searched" / "two.py")
        assert watch.hash_of(str(tmp_path / "searched")) != before


def test_a_file_counts_as_it_was_when_first_read(tmp_path):
    file = tmp_path / "one.txt"
    file.write_text("before", encoding="utf-8")
    before = watch.hash_of(str(file))
    program = "print(open('one.txt').read())\nopen('one.txt', 'w').write('after')\nprint(open('one.txt').read())"
    assert watched(program, tmp_path)["files"] == {"one.txt": before}


def test_a_module_counts_by_its_source_however_it_is_compiled(tmp_path):
    (tmp_path / "helper.py").write_text("x = 1", encoding="utf-8")
    source = watch.hash_of(str(tmp_path / "helper.py"))
    for options in ({}, {"PYTHONPYCACHEPREFIX": str(tmp_path / ".cache")}, {"PYTHONDONTWRITEBYTECODE": "1"}):
        for _ in range(2):  # compiled, then from the cache
            used = watched("import helper", tmp_path, env=os.environ | options)
            assert used["files"] == {"helper.py": source}
