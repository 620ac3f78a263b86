"""The learner's and the instructor's editions come from one source, and nbgrader makes and grades an assignment of it."""

import ast
import json
import os
import re
import stat
import subprocess
import sys
import zipfile
from functools import partial
from pathlib import Path

import nbformat
import pytest
from conftest import babyagi

from babyagi_course import editions
from babyagi_course.editions import difference
from babyagi_course.errors import CourseError
from babyagi_course.lessons import Course, Lesson
from babyagi_course.links import Links
from babyagi_course.notebooks import source, tags

COURSE = Course.find()
each_lesson = pytest.mark.parametrize("lesson", COURSE.lessons, ids=lambda lesson: lesson.name)

STUB = 'class Layer(nn.Module):\n    def __init__(self, size):\n        super().__init__()\n        raise NotImplementedError("exercise 2")\n\n    def forward(self, x):\n        raise NotImplementedError("exercise 2")\n\n\nchecks.layer(Layer)'
SOLUTION = "class Layer(nn.Module):\n    def __init__(self, size):\n        super().__init__()\n        self.linear = nn.Linear(size, size)\n\n    def forward(self, x):\n        y = self.linear(x)\n        return x + y\n\n\nchecks.layer(Layer, solution=True)"


def test_no_difference():
    assert difference(STUB, SOLUTION) == ""
    assert difference(STUB, "# @title Solution 2\n" + SOLUTION) == "", "a comment is no difference"


@pytest.mark.parametrize(
    ("stub", "solution", "said"),
    [
        (STUB, SOLUTION.replace("checks.layer(", "checks.other("), "differ outside"),
        (STUB, SOLUTION.replace("class Layer", "class Layers").replace("(Layer,", "(Layers,"), "differ outside"),
        (STUB, SOLUTION.replace("forward(self, x)", "forward(self, x, y)"), "differ outside"),
        (STUB, SOLUTION.replace("(nn.Module)", ""), "differ outside"),
        (STUB, SOLUTION.replace("        super().__init__()\n", "        print()\n"), "differ outside"),
        (STUB, SOLUTION.replace("        super().__init__()\n", ""), "__init__ of the solution answers nothing"),
        (STUB, SOLUTION + "\nprint(1)", "the solution has to be one definition"),
        (
            STUB,
            SOLUTION.replace("checks.layer(Layer, solution=True)", "Layer"),
            "the solution has to be one definition",
        ),
        (STUB, SOLUTION.replace(", solution=True", ""), "which the solution calls with solution=True"),
        (STUB, SOLUTION.replace("True)", "False)"), "which the solution calls with solution=True"),
        (STUB.replace("(Layer)", "(Layer, solution=True)"), SOLUTION, "which the solution calls with solution=True"),
        (STUB, SOLUTION.replace("return x + y", "raise NotImplementedError"), "raises NotImplementedError"),
        (
            STUB,
            SOLUTION.replace("\n    def forward", "\n    def more(self):\n        pass\n\n    def forward"),
            "other functions",
        ),
        (
            STUB.replace('        raise NotImplementedError("exercise 2")\n\n    def', "        pass\n\n    def"),
            SOLUTION,
            "has to end in raise",
        ),
        (STUB.split("\n\n\n")[0], SOLUTION, "the stub has to be one definition"),
        (STUB, SOLUTION.replace("return", "return return"), "does not parse"),
        (STUB, STUB, "raises NotImplementedError"),
    ],
)
def test_every_drift_is_found(stub, solution, said):
    assert said in difference(stub, solution)


@each_lesson
def test_stub_and_solution_differ_only_inside_the_exercise(lesson):
    found = editions.exercises(lesson)
    assert len(found) == sum("exercise" in tags(cell) for cell in lesson.notebook["cells"]) >= 1


def altered(tmp_path, change):
    notebook = json.loads(COURSE.lessons[1].path.read_text(encoding="utf-8"))
    change(notebook["cells"])
    path = tmp_path / "01_altered.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return Lesson(path)


def index(cells, tag):
    return next(i for i, cell in enumerate(cells) if tag in tags(cell))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda cells: cells.pop(index(cells, "exercise")), "needs a stub before it"),
        (lambda cells: cells.pop(max(i for i, c in enumerate(cells) if "solution" in tags(c))), "has no solution"),
        (
            lambda cells: cells[index(cells, "solution")].update(source="def f():\n    pass\n\n\nchecks.f(f)"),
            "exercise 1: .* outside",
        ),
        (lambda cells: cells.pop(index(cells, "exercise") - 1), "a text with its difficulty"),
    ],
)
def test_a_lesson_out_of_order_is_told_about(tmp_path, change, said):
    with pytest.raises(CourseError, match=said):
        editions.exercises(altered(tmp_path, change))


# --- the two zips -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def zips(tmp_path_factory):
    out = tmp_path_factory.mktemp("student")
    done = babyagi(COURSE.root, "student", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in out.iterdir()) == ["instructor.zip", "learner.zip"]
    return out


def notebook_in(zips, edition, name):
    with zipfile.ZipFile(zips / f"{edition}.zip") as archive:
        return nbformat.reads(archive.read(name).decode(), as_version=4)


@each_lesson
def test_the_learners_edition_has_every_stub_and_no_solution(zips, lesson):
    notebook = notebook_in(zips, "learner", f"notebooks/{lesson.path.name}")
    nbformat.validate(notebook)
    cells = [source(cell) for cell in notebook.cells]
    for exercise in editions.exercises(lesson):
        assert exercise.stub in cells
        answer = ast.unparse(ast.parse(exercise.solution).body[0])
        assert not any(answer in _plain(cell) for cell in notebook.cells)
    assert not any("solution" in tags(cell) for cell in notebook.cells)
    kept = [source(cell) for cell in lesson.notebook["cells"] if "solution" not in tags(cell)]
    without_addresses = partial(re.sub, r"\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\([^()\s]+\)", r"\1")
    assert [*map(without_addresses, cells)] == [*map(without_addresses, kept)], "and everything else"
    assert "](../book/" not in "".join(cells), "which is not in the zip"


def _plain(cell):
    try:
        return ast.unparse(ast.parse(source(cell))) if cell["cell_type"] == "code" else ""
    except SyntaxError:  # a magic
        return ""


@each_lesson
def test_the_instructors_edition_has_the_lesson_as_it_is_and_an_assignment(zips, lesson):
    with zipfile.ZipFile(zips / "instructor.zip") as archive:
        assert archive.read(f"notebooks/{lesson.path.name}") == lesson.path.read_bytes()
        guide = archive.read("teaching.md").decode()
        assert "<!--" not in guide and "](../" not in guide and lesson.path.name in guide
    assignment = notebook_in(zips, "instructor", f"nbgrader/source/{lesson.name}/{lesson.path.name}")
    nbformat.validate(assignment)
    found = editions.exercises(lesson)
    points = [
        cell.metadata.nbgrader.points for cell in assignment.cells if "points" in cell.metadata.get("nbgrader", {})
    ]
    assert points == [exercise.points for exercise in found]
    marked = [source(c) for c in assignment.cells if c.metadata.get("nbgrader", {}).get("solution")]
    for text, exercise in zip(marked, found, strict=True):
        without_marks = "\n".join(line for line in text.split("\n") if "### " not in line)
        assert ast.dump(ast.parse(without_marks).body[0]) == ast.dump(ast.parse(exercise.solution).body[0])


def test_the_same_zips_every_time(zips, tmp_path):
    editions.write(Course(COURSE.root), tmp_path)
    for name in ("learner.zip", "instructor.zip"):
        assert (tmp_path / name).read_bytes() == (zips / name).read_bytes()


def test_nothing_but_the_course_is_in_them(zips):
    for name in ("learner.zip", "instructor.zip"):
        with zipfile.ZipFile(zips / name) as archive:
            names = archive.namelist()
            assert not [
                n
                for n in names
                if n.endswith((".pyc", ".partial", ".json.lock")) or "my_progress" in n or n.startswith("tests")
            ]
            assert {
                "pyproject.toml",
                "constraints.txt",
                "README.md",
                "data/MANIFEST",
                "notebooks/profiles/06_q_learning.yml",
            } <= set(names)


@pytest.mark.parametrize("edition", ["learner", "instructor"])
def test_everybody_may_read_what_is_unpacked(zips, tmp_path, edition):
    """`unzip` and file managers apply the modes that a zip gives; Python's own module does not."""
    with zipfile.ZipFile(zips / f"{edition}.zip") as archive:
        for about in archive.infolist():
            program = archive.read(about).startswith(b"#!")
            assert about.external_attr >> 16 == stat.S_IFREG | (0o755 if program else 0o644), about.filename


def test_the_tool_works_in_an_unpacked_instructors_edition(zips, tmp_path):
    """As the teaching guide, which is in it, says; what is made there can be handed out."""
    with zipfile.ZipFile(zips / "instructor.zip") as archive:
        archive.extractall(tmp_path)
    slug = Links.read(COURSE.root).slug
    done = babyagi(tmp_path, "links", "--repo", "someone/else", "--hub", "https://hub.example.edu")
    assert done.returncode == 0, done.stderr
    for name in ("notebooks/00_start_here.ipynb", "README.md", "book/index.md", "pyproject.toml"):
        assert slug not in (tmp_path / name).read_text(encoding="utf-8"), name
    done = babyagi(tmp_path, "student")
    assert done.returncode == 0, done.stderr
    for edition in ("learner", "instructor"):
        with zipfile.ZipFile(tmp_path / "build" / "student" / f"{edition}.zip") as again:
            with zipfile.ZipFile(zips / f"{edition}.zip") as first:
                assert again.namelist() == first.namelist()
            assert b"someone/else" in again.read("notebooks/00_start_here.ipynb")


def test_the_links_of_the_instructors_notebooks_lead_somewhere(zips):
    with zipfile.ZipFile(zips / "instructor.zip") as archive:
        names = set(archive.namelist())
        for lesson in COURSE.lessons:
            text = archive.read(f"notebooks/{lesson.path.name}").decode()
            linked = {f"book/{name}" for name in re.findall(r"\]\(\.\./book/([\w.-]+)", text)}
            assert linked <= names, linked - names


@pytest.mark.parametrize("arguments", [["student"], ["links", "--repo", "someone/else"], ["book"]])
def test_in_a_learners_edition_the_tool_says_that_it_needs_more(zips, tmp_path, arguments):
    with zipfile.ZipFile(zips / "learner.zip") as archive:
        archive.extractall(tmp_path)
    done = babyagi(tmp_path, *arguments)
    assert done.returncode == 2 and done.stderr.startswith("error: ") and "Traceback" not in done.stderr, done.stderr


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(CourseError, match="choose another folder"):
        editions.write(COURSE, tmp_path / "file" / "student")


# --- nbgrader -----------------------------------------------------------------------------------------------


def nbgrader(folder, *arguments):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # nbgrader calls alembic by its name
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env=os.environ | {"PATH": path},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_nbgrader_makes_an_assignment_and_grades_it(zips, tmp_path):
    """Right answers get the points, stubs none, and one right answer of three its share."""
    from nbgrader.api import Gradebook

    lesson = COURSE.select(["06"])[0]
    with zipfile.ZipFile(zips / "instructor.zip") as archive:
        archive.extractall(tmp_path)
    folder = tmp_path / "nbgrader"
    nbgrader(folder, "generate_assignment", lesson.name)
    released = nbformat.read(folder / "release" / lesson.name / lesson.path.name, as_version=4)
    text = "\n".join(cell.source for cell in released.cells)
    found = editions.exercises(lesson)
    assert "SOLUTION" not in text and text.count("raise NotImplementedError") == sum(
        exercise.stub.count("raise NotImplementedError") for exercise in found
    )

    answers = {"right": found, "half": found[:1], "stub": []}
    for student, solved in answers.items():
        submitted = nbformat.from_dict(json.loads(json.dumps(released)))
        for exercise in solved:
            name = ast.parse(exercise.stub).body[0].name
            for cell in submitted.cells:
                if cell.cell_type == "code" and cell.source.startswith((f"def {name}(", f"class {name}(")):
                    cell.source = ast.unparse(ast.parse(exercise.solution).body[0])
        target = folder / "submitted" / student / lesson.name
        target.mkdir(parents=True)
        nbformat.write(submitted, target / lesson.path.name)
    nbgrader(folder, "autograde", lesson.name)

    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        scores = {name: gradebook.find_submission(lesson.name, name).score for name in answers}
    assert scores == {"right": sum(e.points for e in found), "half": found[0].points, "stub": 0}
