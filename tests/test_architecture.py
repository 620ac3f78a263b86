"""The house: the library's folders import one way, nothing in it needs the tool, and what says "Imports no torch" does not."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import babyagi_lib
from babyagi_course.lessons import Course, source, tags

ROOT = Path(__file__).resolve().parents[1]
ROOMS = re.findall(r"^- `(\w+)`:", babyagi_lib.__doc__, re.MULTILINE)  # in the order in which they may import
HEAVY = ("torch", "transformers", "accelerate", "peft", "datasets", "sklearn")

LONGEST = 420
# The exercises of one lesson stay in one file, where a reader looks for them. They have nothing to do with each other.
CHECKS_OF_ONE_LESSON = "babyagi_lib/learner/checks"
LONGEST_OF_CHECKS = 600
LONGER = {"babyagi_course/lessons.py"}


def modules() -> dict[str, Path]:
    """The library's modules by their full names."""
    paths = sorted((ROOT / "babyagi_lib").glob("**/*.py"))
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


def imported(node: ast.AST) -> set[str]:
    """The full names of what is imported anywhere in this code, but for what only a type checker imports."""
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return set()
    match node:
        case ast.Import(names=names):
            return {alias.name for alias in names}
        case ast.ImportFrom(module=module, names=names, level=0):
            return {f"{module}.{alias.name}" for alias in names}
        case ast.ImportFrom():
            raise AssertionError(f"line {node.lineno}: a relative import; write the full name")
    return {name for child in ast.iter_child_nodes(node) for name in imported(child)}


def upwards(name: str, code: str) -> list[str]:
    """What a module imports of its library from a room that comes after its own."""
    room = [*name.split("."), ""][1]
    return [
        other
        for other in sorted(imported(ast.parse(code)))
        if other.startswith("babyagi_lib.") and room and ROOMS.index(other.split(".")[1]) > ROOMS.index(room)
    ]


def test_the_rooms_are_those_that_the_library_describes():
    folders = {path.parent.name for path in (ROOT / "babyagi_lib").glob("*/__init__.py")}
    assert len(ROOMS) == len(set(ROOMS)) and set(ROOMS) == folders


def test_rooms_import_only_from_those_before_them():
    assert {name: found for name, path in modules().items() if (found := upwards(name, path.read_text("utf-8")))} == {}


def test_an_import_upwards_is_found():
    assert upwards("babyagi_lib.text.iob2", "def f():\n    from babyagi_lib.training import loop") == [
        "babyagi_lib.training.loop"
    ]
    assert upwards("babyagi_lib.training.loop", "import babyagi_lib.text.iob2") == []
    assert upwards("babyagi_lib.text.iob2", "if TYPE_CHECKING:\n    import babyagi_lib.training.loop") == []


def test_the_library_and_the_lessons_never_import_the_tool():
    code = {path.name: path.read_text("utf-8") for path in modules().values()}
    for lesson in Course(ROOT).lessons:
        cells = [source(cell) for cell in lesson.notebook["cells"] if cell["cell_type"] == "code"]
        code[lesson.name] = re.sub(r"^(\s*)%.*", r"\1pass", "\n".join(cells), flags=re.MULTILINE)
    for name, text in code.items():
        assert not [other for other in imported(ast.parse(text)) if other.split(".")[0] == "babyagi_course"], name


def without_torch() -> list[str]:
    """The modules that say of themselves, or whose room says of all its modules, that they import no torch."""
    described = {name: ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "" for name, path in modules().items()}
    return [
        name
        for name in described
        if any("Imports no torch." in described[one] for one in (name, name.rpartition(".")[0]) if one)
    ]


def loaded_by(program: str) -> list[str]:
    """The heavy packages that a program in a process of its own has loaded at its end."""
    ending = f"\nimport json, sys\nprint(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    command = [sys.executable, "-c", program + ending]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_what_says_so_imports_no_torch():
    names = without_torch()
    rooms = {name.split(".")[1] for name in names}
    assert rooms >= {"basics", "sources", "text", "rl", "worlds", "figures", "learner"}
    if loaded_by("".join(f"import {name}\n" for name in names)):
        assert {name: found for name in names if (found := loaded_by(f"import {name}"))} == {}


def test_torch_is_noticed():
    assert loaded_by("import babyagi_lib.training.loop")[0] == "torch"


def test_lesson_06_does_not_wait_for_torch():
    """Its learners work with tables: what its cells import, the checks included, loads no torch."""
    [lesson] = Course(ROOT).select(["06"])
    code = [cell for cell in lesson.notebook["cells"] if cell["cell_type"] == "code"]
    first = next(number for number, cell in enumerate(code) if "parameters" in tags(cell))
    assert loaded_by(source(code[first + 1])) == []


def test_no_module_is_too_long():
    paths = [*(ROOT / "babyagi_lib").glob("**/*.py"), *(ROOT / "babyagi_course").glob("**/*.py")]
    long = set()
    for path in paths:
        checks = path.parent == ROOT / CHECKS_OF_ONE_LESSON
        if len(path.read_text("utf-8").splitlines()) > (LONGEST_OF_CHECKS if checks else LONGEST):
            long.add(path.relative_to(ROOT).as_posix())
    assert long <= LONGER
