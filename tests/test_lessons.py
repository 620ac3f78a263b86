"""A lesson has one name, and what carries that name is found by it: a new lesson is new files, and no list is edited."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import nbformat
import pytest
import yaml
from conftest import BODY, PLAN, ROOT, babyagi, report
from mutate import scratch_copy
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from reading import calls, cells, imported, imported_by, modules

from babyagi_course.lessons import Course, Lesson
from babyagi_course.links import Links
from babyagi_course.notebooks import source
from babyagi_lib.learner.lessons import module_of

QUIZZES, CHECKS, FIGURES = (f"babyagi_lib/{folder}" for folder in ("learner/quizzes", "learner/checks", "figures"))
MUTANTS = "tests/mutants"


def needed(lesson: Lesson) -> set[str]:
    """The files that must be there for a lesson: its quiz, its checks with their mutants, and the figures it imports."""
    own, files = module_of(lesson.name), set()
    if any(calls(cell, "quiz") for cell in cells(lesson)):
        files.add(f"{QUIZZES}/{lesson.name}.yml")
    if any(calls(cell, "checks") for cell in cells(lesson)):
        files |= {f"{CHECKS}/{own}.py", f"{MUTANTS}/{own}.py"}
    return files | {f"{FIGURES}/{name}.py" for name in members("babyagi_lib.figures", imported_by(lesson))}


def members(folder: str, names: set[str]) -> set[str]:
    """The modules of a folder of the library among imported names."""
    return {name.removeprefix(f"{folder}.").partition(".")[0] for name in names if name.startswith(f"{folder}.")}


def lacking(root: Path) -> set[str]:
    """The files that a lesson of this checkout needs and that are not there."""
    return {file for lesson in Course(root).lessons for file in needed(lesson) if not (root / file).is_file()}


def orphans(root: Path) -> Iterator[str]:
    """The files for one lesson that carry the name of none.

    A module without a lesson's name has to be for several: other modules of the library use it, or two lessons.
    """
    lessons = Course(root).lessons
    names, own = {lesson.name for lesson in lessons}, {module_of(lesson.name) for lesson in lessons}
    yield from (f"{QUIZZES}/{path.name}" for path in (root / QUIZZES).glob("*.yml") if path.stem not in names)
    yield from (f"{MUTANTS}/{path.name}" for path in (root / MUTANTS).glob("*.py") if path.stem not in own)
    library = set.union(*(imported(ast.parse(code)) for code in modules(root).values()))
    for path in (CHECKS, FIGURES):
        folder = path.replace("/", ".")
        users = Counter(name for lesson in lessons for name in members(folder, imported_by(lesson)))
        shared = members(folder, library) | {name for name, count in users.items() if count > 1} | {"__init__"}
        yield from (f"{path}/{file.name}" for file in (root / path).glob("*.py") if file.stem not in own | shared)


def test_every_lesson_has_what_it_needs_and_nothing_is_left_over():
    assert lacking(ROOT) == set()
    assert set(orphans(ROOT)) == set()


@pytest.mark.parametrize("lesson", Course(ROOT).lessons, ids=lambda lesson: lesson.name)
def test_the_name_of_a_lesson_is_its_own_and_fits_a_module(lesson):
    assert re.fullmatch(r"\d\d_[a-z][a-z0-9_]*", lesson.name)
    others = {other.name for other in Course(ROOT).lessons} - {lesson.name}
    assert not {name[:2] for name in others} & {lesson.name[:2]}
    assert not {module_of(name) for name in others} & {module_of(lesson.name)}
    assert members("babyagi_lib.learner.checks", imported_by(lesson)) == {module_of(lesson.name)}


# --- a lesson more -----------------------------------------------------------------------------------------

NAME = "99_doubling"
QUIZ = """
- question: What is twice {n}?
  options:
    - text: "{right}"
      right: true
      because: Twice a number is the number added to itself.
    - text: "{n}"
      because: That is once the number, and not twice it.
    - text: "0"
      because: Only twice 0 is 0, and the number is another.
"""
CHECK = '''
"""The exercise of lesson 99: doubling. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable

from babyagi_lib.learner.checks.answers import Wrong, number
from babyagi_lib.learner.checks.verdict import exercise


@exercise
def doubled(attempt: Callable[[float], float]) -> str:
    """Lesson 99, exercise 1: `attempt(x)` returns twice x."""
    for x in (3.0, -1.5):
        if number(attempt(x)) != 2 * x:
            raise Wrong(f"twice {x} is {2 * x}.")
    return "that is twice the number."
'''
FIGURE = '''
"""The figure of lesson 99: a straight line. Imports no torch."""

from __future__ import annotations

import matplotlib.pyplot as plt

from babyagi_lib.figures.base import show


def line() -> None:
    """Twice a number, for numbers from 0 to 1."""
    figure, axes = plt.subplots()
    axes.plot([0, 1], [0, 2])
    show(figure, "A straight line from (0, 0) to (1, 2): twice a number is drawn over the number.")
'''
ANSWERS = """
from babyagi_lib.learner.checks import doubling as checks

RIGHT = [lambda x: 2 * x, lambda x: x + x, lambda x: x * 2.0, lambda x: x / 0.5, lambda x: 4 * x / 2]
WRONG = [lambda x: x, lambda x: x**2, lambda x: -2 * x, lambda x: x + 3, lambda x: 6.0]
CASES = [(checks.doubled, right) for right in RIGHT]
MUTANTS = [(checks.doubled, wrong, "twice") for wrong in WRONG]
"""
STUB = 'def double(x):\n    raise NotImplementedError("exercise 1")\n\n\nchecks.doubled(double)'
SOLUTION = "# @title Solution 1\ndef double(x):\n    return 2 * x\n\n\nchecks.doubled(double, solution=True)"
IMPORTS = """from babyagi_lib.figures import doubling as figures
from babyagi_lib.learner import quiz
from babyagi_lib.learner.checks import doubling as checks"""


def notebook() -> nbformat.NotebookNode:
    """The notebook of the lesson, with everything that the contract asks for."""
    text = [
        f"# Lesson 99. Doubling\n\n<!-- launch -->\n{Links.read(ROOT).launch(NAME)}\n<!-- /launch -->\n\n## You will\n\n1. double;\n2. check it;\n3. see it.\n\n## Before you start\n\n{PLAN}\n\n"
        "<!-- cost --><!-- /cost -->",
        "### Exercise 1: double\n\n*Difficulty 1 of 3, about 5 minutes.*\n\n<details><summary>Hint</summary>Add.</details>",
        "## What you measured",
        "## Recap\n\n## Quiz",
        "## Where to go next\n\n## Sources",
    ]
    [installation] = [source(cell) for cell in Course(ROOT).lessons[0].notebook["cells"] if "find_spec" in source(cell)]
    compared = "nbval-check-output"
    collapsed = {"cellView": "form", "jupyter": {"source_hidden": True}, "tags": ["solution", compared]}
    listed = [
        new_markdown_cell(text[0]),
        new_code_cell(installation),
        new_code_cell("STEPS = 3\nSEED = 0", metadata={"tags": ["parameters"]}),
        new_code_cell(IMPORTS),
        new_code_cell("figures.line()"),
        new_markdown_cell(text[1]),
        new_code_cell(STUB, metadata={"tags": ["exercise", compared]}),
        new_code_cell(SOLUTION, metadata=collapsed),
        new_markdown_cell(text[2]),
        new_code_cell(BODY.strip()),
        new_markdown_cell(text[3]),
        new_code_cell(f'quiz.ask("{NAME}")'),
        new_markdown_cell(text[4]),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=listed, metadata={"kernelspec": kernel})


@pytest.fixture(scope="module")
def larger(tmp_path_factory) -> Path:
    """A copy of the course with one lesson more, by new files alone."""
    copy = scratch_copy(tmp_path_factory.mktemp("larger"))
    files = {
        f"{QUIZZES}/{NAME}.yml": "".join(QUIZ.format(n=n, right=2 * n) for n in range(4, 8)),
        f"{CHECKS}/{module_of(NAME)}.py": CHECK.lstrip(),
        f"{FIGURES}/{module_of(NAME)}.py": FIGURE.lstrip(),
        f"{MUTANTS}/{module_of(NAME)}.py": ANSWERS.lstrip(),
        f"notebooks/{NAME}.ipynb": nbformat.writes(notebook()) + "\n",
    }
    for name, content in files.items():
        assert not (copy / name).exists()
        (copy / name).write_text(content, encoding="utf-8")
    return copy


def environment(copy: Path) -> dict[str, str]:
    """That of a process which imports the copy, its kernels included."""
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(copy), os.environ["PYTHONPATH"]])}


def run(copy: Path, *arguments: str) -> str:
    """What Python prints in the copy, started with these arguments."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=copy, env=environment(copy), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def published(larger) -> Path:
    """The copy after the lesson was run and written back."""
    for command in ("run", "refresh"):
        done = babyagi(larger, command, "99", env=environment(larger))
        assert done.returncode == 0, done.stdout + done.stderr
    return larger


def test_a_lesson_more_is_run_and_published(published):
    entry = report(published)[NAME]
    assert entry["status"] == "ok" and entry["figures"][0]["value"] == 3
    assert "[Lesson 99. Doubling](notebooks/99_doubling.ipynb)" in (published / "README.md").read_text(encoding="utf-8")
    lesson = Course(published).lessons[-1]
    assert lesson.name == NAME
    shown = {source(cell): str(cell["outputs"]) for cell in lesson.notebook["cells"] if cell["cell_type"] == "code"}
    assert "Not attempted yet" in shown[STUB]
    assert "Correct: that is twice the number." in shown[SOLUTION]
    assert "A straight line" in shown["figures.line()"]
    contents = yaml.safe_load((published / "book" / "_toc.yml").read_text(encoding="utf-8"))
    pages = [page.get("glob", "") for part in contents["parts"] for page in part["chapters"]]
    assert any(fnmatch(f"notebooks/{NAME}", page) for page in pages)


def test_a_lesson_more_is_tested_as_all_others_are(published):
    """Its notebook is held to the contract and run, and its checks meet their right answers and their mutants."""
    tests = ["tests/test_notebooks.py", "tests/test_checks.py", "tests/test_architecture.py"]
    wanted = f"{NAME} or doubled or five_right_answers or before_them or names_do_use_it or no_torch_does_not"
    said = run(published, "-m", "pytest", *tests, "-k", wanted, "-q", "-p", "no:cacheprovider", "-rA")
    told = Counter(re.findall(r"^PASSED tests/\w+\.py::(\w+)", said, re.MULTILINE))
    assert told["test_a_right_answer_is_correct"] == told["test_a_mutant_is_told_what_is_wrong"] == 5
    assert told["test_nbval_in_the_smoke_profile"] == told["test_the_same_seed_measures_the_same"] == 1
    assert told["test_every_check_has_five_right_answers_and_five_wrong_ones"] == 1
    assert told["test_rooms_import_only_from_those_before_them"] == 1


PROGRESS = """
from babyagi_lib.learner import progress
from babyagi_lib.learner.checks import doubling, verdict
verdict._in_notebook = lambda: True
print(doubling.doubled(lambda x: x + x))
progress.show()
"""


def test_a_lesson_more_counts_in_the_learners_progress(larger):
    said = run(larger, "-c", PROGRESS)
    assert "(1 of 1 exercises of this lesson solved.)" in said
    assert re.search(r"^99_doubling +1 of 1 +0 of 4$", said, re.MULTILINE)


def test_a_lesson_more_is_handed_out_and_its_links_are_kept(published):
    for command, said in (
        (["student"], "instructor.zip"),
        (["links", "--repo", "someone/else"], f"notebooks/{NAME}.ipynb"),
    ):
        done = babyagi(published, *command, env=environment(published))
        assert done.returncode == 0 and said in done.stdout, done.stderr


def test_a_lesson_that_is_complete_lacks_nothing(larger):
    assert lacking(larger) == set(orphans(larger)) == set()


@pytest.mark.parametrize("folder", [QUIZZES, CHECKS, FIGURES, MUTANTS])
def test_a_file_that_a_lesson_lacks_is_named(larger, tmp_path, folder):
    copy = Path(shutil.copytree(larger, tmp_path / "copy"))
    [file] = [path for path in (copy / folder).iterdir() if path.stem in (NAME, module_of(NAME))]
    file.unlink()
    assert lacking(copy) == {f"{folder}/{file.name}"}


def test_files_of_a_lesson_that_is_gone_are_named(larger, tmp_path):
    copy = Path(shutil.copytree(larger, tmp_path / "copy"))
    (copy / "notebooks" / f"{NAME}.ipynb").unlink()
    assert set(orphans(copy)) == {
        f"{QUIZZES}/{NAME}.yml",
        *(f"{folder}/{module_of(NAME)}.py" for folder in (CHECKS, FIGURES, MUTANTS)),
    }
