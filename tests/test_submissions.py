"""A class hands in what real classes hand in. nbgrader grades every submission it can, and the report names the others."""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nbgrader.api import Gradebook
from nbgrader.nbgraderformat import MetadataValidator
from test_editions import nbgrader, zips  # noqa: F401

from babyagi_course import grading
from babyagi_course.lessons import Course
from babyagi_course.notebooks import source

[LESSON] = Course.find().select(["06"])
NAME = LESSON.name
ANSWERS = ("value_iteration", "q_update", "epsilon_schedule")
POINTS = dict(zip(ANSWERS, (2, 1, 2), strict=True))
VERDICT = "babyagi_lib.learner.checks.verdict"
LIMIT = f"{VERDICT}.LIMIT"  # the seconds that an answer may take


def place(notebook, name):
    return next(i for i, c in enumerate(notebook.cells) if c.metadata.get("nbgrader", {}).get("grade_id") == name)


def copied(notebook, name):
    cell = json.loads(json.dumps(notebook.cells[place(notebook, name)]))
    notebook.cells.insert(place(notebook, name), nbformat.from_dict(cell | {"id": f"{name}-copy"}))


def split(notebook, name):
    """As JupyterLab does it: both halves keep the marks."""
    copied(notebook, name)
    at = place(notebook, name)
    notebook.cells[at + 1].source = ""


def without(notebook, *names):
    for name in names:
        del notebook.cells[place(notebook, name)]


def answered(notebook, name, header, body):
    notebook.cells[place(notebook, name)].source = f"def {header}:\n    {body}"


def as_it_is(notebook):
    pass


def copies(notebook):
    copied(notebook, "value_iteration")
    copied(notebook, "q_update-check")


def split_around_an_error(notebook):
    split(notebook, "q_update")
    notebook.cells.insert(place(notebook, "q_update"), nbformat.v4.new_code_cell("%%bash\nexit 3"))


def other_checks(notebook):
    without(notebook, "value_iteration-check")
    notebook.cells[place(notebook, "q_update-check")].source = "verdict = 1"


def no_answer_and_no_check(notebook):
    without(notebook, "q_update", "q_update-check")


def unmarked(notebook):
    for cell in notebook.cells:
        cell.metadata = nbformat.NotebookNode()


def of_another_version(notebook):
    """Old marks, new marks, and an answer that is text."""
    for number, cell in enumerate(notebook.cells):
        if "nbgrader" in cell.metadata:
            cell.metadata["nbgrader"]["schema_version"] = (1, 4)[number % 2]
    cell = notebook.cells[place(notebook, "q_update")]
    cell.cell_type = "markdown"
    del cell["outputs"], cell["execution_count"]


def warns(notebook):
    cell = notebook.cells[place(notebook, "epsilon_schedule")]
    cell.source = cell.source.replace("    return", "    import warnings; warnings.warn('x')\n    return")
    assert "warn" in cell.source


def endless(notebook, body):
    """An answer that never ends, and that the check stops after two seconds: time enough, since all that it does is wrong."""
    answered(notebook, "epsilon_schedule", "schedule(t)", body)
    notebook.cells[place(notebook, "epsilon_schedule")].source += f"\n\n\n{LIMIT} = 2"


def never_ends(notebook):
    endless(notebook, "while True:\n        print(t)")


def catches_everything(notebook):
    endless(notebook, "while True:\n        try:\n            sum(range(99))\n        except:\n            pass")


def kills_the_kernel(notebook):
    answered(notebook, "epsilon_schedule", "schedule(t)", "import os; os._exit(0)")


def leaves(notebook):
    answered(notebook, "epsilon_schedule", "schedule(t)", "raise SystemExit")


# What a student does to the right answers; the points, of five; what the report says. Nothing: no look is needed.
CLASS = {
    as_it_is: (5, []),
    copies: (5, ["value_iteration is there more than once", "q_update-check is there more than once"]),
    split_around_an_error: (5, ["q_update is there more than once"]),
    other_checks: (5, ["value_iteration-check is missing and was put back", "q_update-check was changed"]),
    no_answer_and_no_check: (
        4,
        ["q_update is missing", "q_update-check is missing and", "q_update-check could not run"],
    ),
    unmarked: (5, [f"{name}-check is missing and was put back" for name in ANSWERS]),
    of_another_version: (5, []),
    warns: (5, []),
    never_ends: (3, []),
    catches_everything: (3, []),
    kills_the_kernel: (0, ["not graded: the kernel died"]),
    leaves: (3, ["epsilon_schedule-check could not run: SystemExit"]),
}


def solved(assignment, release):
    """The released notebook with the right answers, by way of the marks in the source."""
    answers = {}
    for cell in assignment.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            lines = source(cell).split("\n")
            answers[cell.metadata.nbgrader.grade_id] = "\n".join(line for line in lines if "### " not in line)
    notebook = nbformat.from_dict(json.loads(json.dumps(release)))
    for name, answer in answers.items():
        notebook.cells[place(notebook, name)].source = answer
    return notebook


@pytest.fixture(scope="module")
def released(zips, tmp_path_factory):  # noqa: F811
    """A class folder with one released assignment; the folder, the solved notebook, and what nbgrader knows of it."""
    folder = tmp_path_factory.mktemp("class")
    with zipfile.ZipFile(zips / "instructor.zip") as archive:
        for name in ("nbgrader/nbgrader_config.py", f"nbgrader/source/{NAME}/{NAME}.ipynb"):
            archive.extract(name, folder)
    folder /= "nbgrader"
    # The lesson's imports take seconds of each kernel's start. The answers need only these. On a machine that is busy with
    # other tests a right answer may take more than the ten seconds that a learner has.
    path = folder / "source" / NAME / f"{NAME}.ipynb"
    small = nbformat.read(path, as_version=4)
    small.cells[
        1
    ].source = f"import numpy as np\nimport {VERDICT}\nfrom babyagi_lib.learner.checks import q_learning as checks\n{LIMIT} = 100"
    nbformat.write(small, path)
    # On a busy machine a kernel may need more than the usual minute to start.
    with (folder / "nbgrader_config.py").open("a", encoding="utf-8") as settings:
        settings.write("c.Execute.startup_timeout = 300\n")
    nbgrader(folder, "generate_assignment", NAME)
    one, other = (nbformat.read(folder / part / NAME / f"{NAME}.ipynb", as_version=4) for part in ("source", "release"))
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        return folder, solved(one, other), grading.released(gradebook, NAME, NAME)


def hand_in(folder, student, notebook, name=f"{NAME}.ipynb"):
    path = folder / "submitted" / student / NAME / name
    path.parent.mkdir(parents=True)
    path.write_text(notebook if isinstance(notebook, str) else json.dumps(notebook), encoding="utf-8")


@pytest.fixture(scope="module")
def graded(released):
    """The report after one `nbgrader autograde` for the whole class: student to points and notes."""
    folder, right, _ = released
    for change in CLASS:
        notebook = nbformat.from_dict(json.loads(json.dumps(right)))
        change(notebook)
        hand_in(folder, change.__name__, notebook)
    hand_in(folder, "renamed", right, f"{NAME} (1).ipynb")
    hand_in(folder, "conflict", "<<<<<<< HEAD\n{}")
    hand_in(folder, "two", right)
    (folder / "submitted" / "two" / NAME / "scratch.ipynb").write_text("{}", encoding="utf-8")
    (folder / "submitted" / "absent").mkdir()
    command, log = [sys.executable, "-m", "nbgrader", "autograde", NAME], folder / "messages.txt"
    try:
        with log.open("w", encoding="utf-8") as messages:  # a pipe would stay open as long as a kernel does
            done = subprocess.run(command, cwd=folder, stderr=messages, check=False, timeout=600)
    finally:
        print(log.read_text(encoding="utf-8"))  # pytest shows it where a test of this fixture fails
    assert done.returncode == 1, "some could not be graded, and nbgrader says so"
    return {student: (points, notes) for student, points, notes in grading.report(folder, NAME)}


@pytest.mark.parametrize("change", CLASS, ids=lambda change: change.__name__)
def test_what_a_submission_gets(graded, change):
    points, said = CLASS[change]
    got, notes = graded[change.__name__]
    assert got == f"{points} of 5", notes
    assert all(any(note.startswith(part) for note in notes) for part in said), notes
    assert bool(notes) == bool(said), notes


@pytest.mark.parametrize(
    ("student", "said"),
    [
        ("renamed", f"not graded: there is no {NAME}/{NAME}.ipynb, but {NAME} (1).ipynb"),
        ("conflict", "not graded: the file is no notebook"),
        ("absent", "but no notebook"),
        ("two", "other notebooks, which are not graded: scratch.ipynb"),
    ],
)
def test_what_cannot_be_graded_is_named(graded, student, said):
    assert said in "\n".join(graded[student][1])


def test_the_report_as_an_instructor_calls_it(graded, released, monkeypatch, capsys):
    monkeypatch.chdir(released[0])
    monkeypatch.setattr(sys, "argv", ["grading", NAME])
    grading.main()
    printed = capsys.readouterr().out
    assert "as_it_is: 5 of 5\n" in printed
    assert f"{sum(bool(notes) for _, notes in graded.values())} of {len(graded)} submissions need a look" in printed
    monkeypatch.setattr(sys, "argv", ["grading", "99_none"])
    with pytest.raises(SystemExit, match="there is no assignment 99_none"):
        grading.main()


def test_the_guide_explains_every_line_of_the_report(graded):
    guide = (Course.find().root / "book" / "teaching.md").read_text(encoding="utf-8")
    table = guide.partition("### Submissions that need a look")[2].partition("These cost no points")[0]
    explained = re.findall(r'^\| "([^"…]+)', table, re.MULTILINE)
    notes = {note for _, notes in graded.values() for note in notes}
    assert all(any(phrase.strip() in note for phrase in explained) for note in notes), notes
    said = "\n".join(notes) + Path(grading.__file__).read_text(encoding="utf-8")
    assert all(phrase.strip() in said for phrase in explained) and len(explained) == 11


# --- repair, for any number of changes ----------------------------------------------------------------------

CELLS = st.integers(0, 30)
CHANGES = st.lists(st.tuples(st.sampled_from(["copy", "delete", "move", "unmark", "mark"]), CELLS, CELLS), max_size=12)
MARKS = [{}, "x", {"grade_id": "q_update"}, {"grade_id": "unknown", "schema_version": 3}, {"schema_version": 0}]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=CHANGES)
def test_after_a_repair_every_check_is_there_once_and_nothing_else_is_lost(released, changes):
    _, right, assignment = released
    notebook = nbformat.from_dict(json.loads(json.dumps(right)))
    for kind, a, b in changes:
        cells = notebook.cells
        if not cells:
            break
        at = a % len(cells)
        if kind == "copy":
            cells.insert(b % len(cells), nbformat.from_dict(json.loads(json.dumps(cells[at]))))
        elif kind == "delete":
            del cells[at]
        elif kind == "move":
            cells.insert(b % len(cells), cells.pop(at))
        elif kind == "unmark":
            cells[at].metadata.pop("nbgrader", None)
        elif cells[at].cell_type == "code":
            cells[at].metadata["nbgrader"] = nbformat.from_dict(json.loads(json.dumps(MARKS[b % len(MARKS)])))
    before = [cell.source for cell in notebook.cells]
    grading.repair(notebook, assignment)
    MetadataValidator().validate_nb(notebook)  # nbgrader stops for the whole class where this fails
    marked = [cell.metadata["nbgrader"] for cell in notebook.cells if "nbgrader" in cell.metadata]
    names = [marks["grade_id"] for marks in marked]
    assert len(set(names)) == len(names)
    assert {marks["grade_id"]: marks["points"] for marks in marked if marks["grade"]} == {
        f"{name}-check": points for name, points in POINTS.items()
    }
    left = iter(cell.source for cell in notebook.cells)
    assert all(text in left for text in before), "the cells that were there are there, in their order"
    assert all("is missing" in note or "was changed" in note for note in grading.repair(notebook, assignment))


def test_a_notebook_without_cell_ids_gets_a_cell_without_one(released):
    _, right, assignment = released
    notebook = nbformat.from_dict(json.loads(json.dumps(right)))
    without(notebook, "q_update-check")
    notebook.nbformat_minor = 4
    for cell in notebook.cells:
        cell.pop("id", None)
    grading.repair(notebook, assignment)
    nbformat.validate(notebook)
    at = place(notebook, "q_update")
    assert notebook.cells[at + 1].metadata.nbgrader.grade_id == "q_update-check", "after its answer"
