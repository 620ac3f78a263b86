"""`babyagi student`: the learner's edition, the instructor's, and assignments for nbgrader, from one source.

A notebook has each exercise twice: as a stub and as its solution. The learner's edition has no solutions. An assignment
is the solution, with marks around the lines that nbgrader removes. Both are right only if stub and solution differ
nowhere else; `difference` checks that before anything is written.
"""

from __future__ import annotations

import ast
import copy
import json
import re
import stat
import zipfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from babyagi_course import parts
from babyagi_course.errors import CourseError, cannot_write
from babyagi_course.lessons import Course, Lesson
from babyagi_course.links import Links
from babyagi_course.notebooks import DIFFICULTY, source, tags
from babyagi_lib.basics.whole import whole_file
from babyagi_lib.sources.errors import SourceError
from babyagi_lib.sources.integrity import check_manifest

SECTION = re.compile(r"^### Exercise \d+:.*", re.MULTILINE | re.DOTALL)
Function = ast.FunctionDef | ast.AsyncFunctionDef

# What both editions have beside the notebooks.
SHARED = (
    "babyagi_lib/**/*",
    "babyagi_course/**/*",
    "data/**/*",
    "benchmarks/*.json",
    "notebooks/profiles/*",
    "pyproject.toml",
    "constraints.txt",
    "environment.yml",
    "LICENSE",
    "LICENSE-CONTENT",
)
# What the instructor's has as well, so that `babyagi links`, `student` and `book` work in it.
INSTRUCTORS = (
    "CITATION.cff",
    "book/*",
    "book/assets/**/*",
    "book/extensions/**/*",
    "benchmarks/jupyterhub_config.py",  # the teaching guide explains it
    "Makefile",
    ".gitattributes",
)
NBGRADER_CONFIG = """from babyagi_course.grading import Repair

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "babyagi"
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}

# Copied, split or deleted cells are put right first. nbgrader alone would stop for the whole class.
c.Autograde.sanitize_preprocessors = [
    "nbgrader.preprocessors.ClearOutput",
    Repair,
    "nbgrader.preprocessors.OverwriteKernelspec",
    "nbgrader.preprocessors.OverwriteCells",
    "nbgrader.preprocessors.CheckCellMetadata",
]
# nbgrader gives no points to a check with a warning in its output. Here the assertion alone decides.
c.IgnorePattern.enabled = True
c.IgnorePattern.pattern = "."
c.Execute.timeout = 120  # seconds for a cell; the first one imports PyTorch, perhaps from a slow disk
c.Execute.iopub_timeout = 30  # seconds to collect what a cell has printed
"""


@dataclass(frozen=True)
class Exercise:
    """One exercise of a lesson: its text, its stub and its solution.

    Attributes:
        text: the Markdown from its heading on.
        stub: the learner's cell.
        solution: the same with the answer.
        points: its difficulty, 1 to 3, which is what a right answer is worth.
        minutes: about how long it takes.
    """

    text: str
    stub: str
    solution: str
    points: int
    minutes: int

    @property
    def check(self) -> str:
        """The call that answers, such as `checks.alignment(align)`."""
        return ast.unparse(ast.parse(self.stub).body[1])


def exercises(lesson: Lesson) -> list[Exercise]:
    """The exercises of a lesson, in order.

    Raises:
        CourseError: one has no text, no solution, or a solution that differs from its stub outside the exercise.
    """
    found: list[Exercise] = []
    text, stub = "", None
    for cell in lesson.notebook["cells"]:
        if cell["cell_type"] == "markdown" and (section := SECTION.search(source(cell))):
            text = section[0].strip()
        elif "exercise" in tags(cell):
            stub = source(cell)
        elif "solution" in tags(cell):
            stated = DIFFICULTY.search(text)
            if stub is None or stated is None:
                raise CourseError(
                    f"{lesson.path}, exercise {len(found) + 1}: a solution needs a stub before it and a text with its difficulty and minutes"
                )
            fault = difference(stub, source(cell))
            if fault:
                raise CourseError(f"{lesson.path}, exercise {len(found) + 1}: {fault}")
            found.append(Exercise(text, stub, source(cell), int(stated[1]), int(stated[2])))
            text, stub = "", None
    if stub is not None:
        raise CourseError(f"{lesson.path}, exercise {len(found) + 1} has no solution")
    return found


def difference(stub: str, solution: str) -> str:
    """Where a stub and its solution differ outside the exercise; empty if they do not.

    Both have to be one definition and one call of a check, to which the solution adds `solution=True`. The solution without
    its answers has to be the stub.
    """
    try:
        left, right = ast.parse(stub), ast.parse(solution)
    except SyntaxError as error:
        return f"it does not parse: {error}"
    for name, tree in (("stub", left), ("solution", right)):
        match tree.body:
            case [ast.FunctionDef() | ast.ClassDef(), ast.Expr(value=ast.Call())]:
                pass
            case _:
                return f"the {name} has to be one definition and one call of a check"
    answers = _functions(left)
    if not answers or any(not _raises(function) for function in answers):
        return "every function of the stub has to end in raise NotImplementedError"
    if len(_functions(right)) != len(answers):
        return "the solution defines other functions than the stub"
    for given, answered in zip(answers, _functions(right), strict=True):
        kept = len(given.body) - 1
        if any(isinstance(node, ast.Raise) and "NotImplementedError" in ast.dump(node) for node in ast.walk(answered)):
            return f"{answered.name} of the solution raises NotImplementedError"
        if len(answered.body) <= kept:
            return f"{answered.name} of the solution answers nothing"
        answered.body[kept:] = [given.body[-1]]
    left.body[1].value.keywords.append(ast.keyword("solution", ast.Constant(True)))
    if ast.dump(left) != ast.dump(right):
        return (
            "stub and solution differ outside the exercise: in names, arguments, given lines, or the check, which the "
            "solution calls with solution=True"
        )
    return ""


def for_learners(notebook: dict, links: Links) -> dict:
    """A copy of a notebook without its solutions and their outputs, and with links to the published book."""
    notebook = copy.deepcopy(notebook)
    notebook["cells"] = [cell for cell in notebook["cells"] if "solution" not in tags(cell)]
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            text = re.sub(r"\]\(\.\./book/([\w-]+)\.md", rf"]({links.site}\1.html", source(cell))
            cell["source"] = links.live(text).splitlines(keepends=True)
    return notebook


def assignment(lesson: Lesson) -> dict:
    """A lesson's exercises as the source of an nbgrader assignment: solutions marked, checks graded.

    Raises:
        CourseError: as `exercises`.
    """
    cells = [
        _markdown(f"# {lesson.title}: the exercises\n\nThe lesson itself explains everything that is asked here."),
        _code(source(_imports(lesson))),
    ]
    for exercise in exercises(lesson):
        name = exercise.check.split("(")[0].removeprefix("checks.")
        cells += [
            _markdown(exercise.text),
            _code(_marked(exercise.stub, exercise.solution), name, solution=True),
            _code(
                f'verdict = {exercise.check}\nprint(verdict)\nassert verdict.status == "correct", verdict.message',
                f"{name}-check",
                points=exercise.points,
            ),
        ]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    return {"cells": cells, "metadata": {"kernelspec": lesson.kernelspec}, "nbformat": 4, "nbformat_minor": 5}


def write(course: Course, out: Path) -> list[Path]:
    """Write `learner.zip` and `instructor.zip` into a folder, both whole or neither; the same files every time.

    Raises:
        CourseError: a lesson's exercises are not in order, a corpus is damaged, or the folder cannot be written to; then
            nothing is written.
    """
    _check_data(course.root / "data")
    learner, instructor = _files(course.root, SHARED), _files(course.root, SHARED + INSTRUCTORS)
    links = Links.read(course.root)
    for lesson in course.lessons:
        lesson.must_have_run()
        _ = lesson.kernelspec  # raises where there is none
        exercises(lesson)  # says what is wrong with them before anything is written
        notebook = f"notebooks/{lesson.path.name}"
        learner[notebook] = _json(for_learners(lesson.notebook, links))
        instructor[notebook] = lesson.path.read_bytes()
        instructor[f"nbgrader/source/{lesson.name}/{lesson.path.name}"] = _json(assignment(lesson))
    learner["README.md"] = _readme(course, "notebooks with exercises and no solutions").encode()
    instructor["README.md"] = _readme(course, "notebooks with solutions, and assignments for nbgrader").encode()
    instructor["teaching.md"] = _guide(course, links).encode()
    instructor["nbgrader/nbgrader_config.py"] = NBGRADER_CONFIG.encode()
    zips = {out / "learner.zip": learner, out / "instructor.zip": instructor}
    try:
        out.mkdir(parents=True, exist_ok=True)
        with ExitStack() as both_or_none:
            for path, files in zips.items():
                _zip(both_or_none.enter_context(whole_file(path)), files)
    except OSError as error:
        raise cannot_write(out, error) from error
    return list(zips)


def _files(root: Path, patterns: tuple[str, ...]) -> dict[str, bytes]:
    """The files of a checkout that match a pattern, by their path in it."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for pattern in patterns
        for path in sorted(root.glob(pattern))
        if path.is_file() and "__pycache__" not in path.parts
    }


def _check_data(data: Path) -> None:
    """Make sure that the corpora are the published ones, since the editions carry them.

    Raises:
        CourseError: a file of one is missing or was changed.
    """
    try:
        for folder in sorted(path for path in data.glob("*") if path.is_dir()):
            check_manifest(folder)
    except SourceError as error:
        raise CourseError(str(error)) from error


def _functions(tree: ast.AST) -> list[Function]:
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def _raises(function: Function) -> bool:
    last = function.body[-1]
    return isinstance(last, ast.Raise) and "NotImplementedError" in ast.dump(last)


def _marked(stub: str, solution: str) -> str:
    """The definition of a solution with what the stub lacks between nbgrader's marks."""
    tree = ast.parse(solution)
    lines = solution.split("\n")
    pairs = list(zip(_functions(ast.parse(stub)), _functions(tree), strict=True))
    for given, answered in sorted(pairs, key=lambda pair: -pair[1].lineno):  # from below, so that lines stay in place
        first, last = answered.body[len(given.body) - 1].lineno - 1, answered.end_lineno
        indent = " " * answered.body[0].col_offset
        lines[first:last] = [f"{indent}### BEGIN SOLUTION", *lines[first:last], f"{indent}### END SOLUTION"]
    definition, check = tree.body
    text = "\n".join(lines[definition.lineno - 1 :])
    return text[: text.rindex(ast.get_source_segment(solution, check))].strip()


def _imports(lesson: Lesson) -> dict:
    """The cell after the parameters, which imports what the lesson needs."""
    code = [cell for cell in lesson.notebook["cells"] if cell["cell_type"] == "code"]
    return code[next(i for i, cell in enumerate(code) if "parameters" in tags(cell)) + 1]


def _markdown(text: str) -> dict:
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def _code(text: str, name: str = "", solution: bool = False, points: int = 0) -> dict:
    metadata = {}
    if name:
        marks = {"grade_id": name, "solution": solution, "grade": points > 0, "locked": not solution, "task": False}
        metadata = {"nbgrader": marks | ({"points": points} if points else {}) | {"schema_version": 3}}
    return {"cell_type": "code", "metadata": metadata, "source": text, "execution_count": None, "outputs": []}


def _json(notebook: dict) -> bytes:
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()


def _readme(course: Course, what: str) -> str:
    rows = "\n".join(f"- [{lesson.title}](notebooks/{lesson.path.name})" for lesson in course.lessons)
    return (
        f"# Adapting large models, and turning them into agents\n\nThis is an edition of the course: {what}.\n\n{rows}\n\n"
        "Install once, in an environment with Python 3.11, 3.12, 3.13 or 3.14, and start JupyterLab in this folder:\n\n"
        '```\npip install -c constraints.txt -e ".[lab,serve]"\njupyter lab\n```\n\n'
        "The notebooks are in `notebooks/`. With conda: `conda env create -f environment.yml`.\n"
    )


def _guide(course: Course, links: Links) -> str:
    """The teaching guide as it reads outside of the book."""
    text = (course.root / "book" / "teaching.md").read_text(encoding="utf-8")
    notebooks = {lesson.name: lesson.notebook for lesson in course.lessons}
    text = parts.filled(text, parts.of(course, notebooks))
    text = text.replace("](../notebooks/", "](notebooks/")
    return links.live(text.replace("](results.md)", f"]({links.site}results.html)"))


def _zip(path: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            about = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            mode = 0o755 if files[name].startswith(b"#!") else 0o644  # without a mode, only its owner may read it
            about.external_attr = (stat.S_IFREG | mode) << 16
            archive.writestr(about, files[name], zipfile.ZIP_DEFLATED)
