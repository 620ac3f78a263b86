"""The house: the library's folders import one way, nothing in it needs the tool, and what says "Imports no torch" does not."""

import ast
import json
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from reading import imported, imported_by, modules

import babyagi_lib
from babyagi_course.lessons import Course
from babyagi_course.notebooks import source, tags

ROOT = Path(__file__).resolve().parents[1]
ROOMS = re.findall(r"^- `(\w+)`:", babyagi_lib.__doc__, re.MULTILINE)  # in the order in which they may import
HEAVY = ("torch", "transformers", "accelerate", "peft", "datasets", "sklearn")

LESSONS = {lesson.name[:2]: lesson for lesson in Course(ROOT).lessons}
CODE = modules(ROOT)
DOCSTRINGS = {name: " ".join((ast.get_docstring(ast.parse(code)) or "").split()) for name, code in CODE.items()}

LONGEST = 420
LONGEST_CHECKS = 600  # a lesson's exercises stay in one file, where a reader looks for them; none needs another


def room(name: str) -> int:
    """The place of a module's room in their order; the library itself comes before all."""
    return ROOMS.index(name.split(".")[1]) if "." in name else -1


def upwards(name: str, code: str) -> set[str]:
    """What a module imports of its library from a room that comes after its own."""
    ours = {other for other in imported(ast.parse(code)) if other.startswith("babyagi_lib.")}
    return {other for other in ours if room(other) > room(name)} if room(name) >= 0 else set()


def test_the_rooms_are_those_that_the_library_describes():
    folders = {path.parent.name for path in (ROOT / "babyagi_lib").glob("*/__init__.py")}
    assert sorted(ROOMS) == sorted(folders)


def test_rooms_import_only_from_those_before_them():
    assert {name: found for name, code in CODE.items() if (found := upwards(name, code))} == {}


@pytest.mark.parametrize(
    ("name", "code", "found"),
    [
        ("text.iob2", "def f():\n    from babyagi_lib.training import loop", {"babyagi_lib.training.loop"}),
        ("text.iob2", "from babyagi_lib import figures", {"babyagi_lib.figures"}),
        ("text.iob2", "from babyagi_lib.text import wordpieces", set()),
        ("training.loop", "import babyagi_lib.text.iob2", set()),
        ("text.iob2", "if TYPE_CHECKING:\n    import babyagi_lib.training.loop", set()),
    ],
)
def test_an_import_upwards_is_found(name, code, found):
    assert upwards(f"babyagi_lib.{name}", code) == found


def test_neither_the_library_nor_a_lesson_imports_the_tool():
    names = {name: imported(ast.parse(code)) for name, code in CODE.items()}
    names |= {lesson.name: imported_by(lesson) for lesson in LESSONS.values()}
    assert [name for name, found in names.items() if any(other.startswith("babyagi_course") for other in found)] == []


def test_no_two_modules_of_the_tool_need_each_other():
    """Imports inside functions count, too."""
    names = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "babyagi_course").glob("*.py")}
    needs = {
        name: {other.split(".")[1] for other in imported(ast.parse(code)) if other.startswith("babyagi_course.")}
        for name, code in names.items()
    }
    assert needs["cli"] > {"running"} and needs["running"] > {"executing"}
    TopologicalSorter(needs).prepare()  # raises an error where they do


# --- what docstrings say ------------------------------------------------------------------------------------


def test_every_module_says_what_it_is_for_and_who_uses_it():
    """The modules in a folder say it; those of one lesson name the lesson."""
    folders = {name.rpartition(".")[0] for name in CODE}
    assert [name for name in CODE if not DOCSTRINGS[name]] == []
    telling = re.compile(r"\bUsed by\b|\blessons? \d\d", re.IGNORECASE)
    assert [name for name in CODE if name not in folders and not telling.search(DOCSTRINGS[name])] == []


def named(said: str) -> set[str]:
    """The numbers of the lessons that a docstring names, as in "lessons 00 to 02, 05 and 06"."""
    numbers = set()
    for text in re.findall(r"\blessons? (\d\d(?:(?:,| and| to) \d\d)*)", said, re.IGNORECASE):
        for first, last in re.findall(r"(\d\d)(?: to (\d\d))?", text):
            numbers |= {f"{number:02}" for number in range(int(first), int(last or first) + 1)}
    return numbers


def test_lessons_named_in_a_docstring_are_read():
    assert named("Used by lessons 00 to 02, 05 and 06; as lesson 09 says") == {"00", "01", "02", "05", "06", "09"}


def within(name: str) -> str:
    """The module that a full name is of or in."""
    while name not in CODE:
        name = name.rpartition(".")[0]
    return name


def needed(names: set[str]) -> set[str]:
    """All modules of the library that are imported where these names are imported."""
    found, left = set(), {within(name) for name in names if name.split(".")[0] == "babyagi_lib"}
    while left:
        name = left.pop()
        found.add(name)
        ours = {within(other) for other in imported(ast.parse(CODE[name])) if other.split(".")[0] == "babyagi_lib"}
        left |= (ours | {name.rpartition(".")[0] or name}) - found
    return found


def test_the_lessons_that_a_module_names_do_use_it():
    """Others may too: a new lesson need not be added to the docstrings of what it uses."""
    used = {number: needed(imported_by(lesson)) for number, lesson in LESSONS.items()}
    wrong = {name: {n for n in named(said) if name not in used.get(n, ())} for name, said in DOCSTRINGS.items()}
    assert {name: numbers for name, numbers in wrong.items() if numbers} == {}


def users_named(name: str) -> set[str]:
    """The modules and folders of the library that a module's docstring says it is used by."""
    said = DOCSTRINGS[name].partition("Used by ")[2].partition(". ")[0]
    near = {other: f"{name.rpartition('.')[0]}.{other}" for other in re.findall(r"`([\w.]+)`", said)}
    return {full if full in CODE else f"babyagi_lib.{other}" for other, full in near.items()} & CODE.keys()


def test_the_modules_that_a_module_names_do_use_it():
    users = {
        name: {within(other) for other in imported(ast.parse(CODE[name])) if other.startswith("babyagi_lib.")}
        for name in CODE
    }
    wrong = {
        (name, user)
        for name in CODE
        for user in users_named(name)
        if not any(name in used for other, used in users.items() if f"{other}.".startswith(f"{user}."))
    }
    assert wrong == set()


# --- torch --------------------------------------------------------------------------------------------------


def loaded_by(program: str) -> list[str]:
    """The heavy packages that a program in a process of its own has loaded at its end."""
    ending = f"\nimport json, sys\nprint(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    command = [sys.executable, "-c", program + ending]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_what_says_that_it_imports_no_torch_does_not():
    """A module says it, or its folder for all modules in it."""
    said = "Imports no torch"
    names = [name for name, text in DOCSTRINGS.items() if said in text + DOCSTRINGS.get(name.rpartition(".")[0], "")]
    assert {ROOMS[room(name)] for name in names} == set(ROOMS) - {"models", "methods"}
    if loaded_by("".join(f"import {name}\n" for name in names)):
        assert {name: found for name in names if (found := loaded_by(f"import {name}"))} == {}


def test_torch_is_noticed():
    assert "torch" in loaded_by("import babyagi_lib.training.loop")


def test_lesson_06_does_not_wait_for_torch():
    """Its worlds are tables: what its cells import, checks included, loads no torch."""
    code = [cell for cell in LESSONS["06"].notebook["cells"] if cell["cell_type"] == "code"]
    parameters = next(number for number, cell in enumerate(code) if "parameters" in tags(cell))
    assert loaded_by(source(code[parameters + 1])) == []


def test_no_module_is_too_long():
    paths = [*(ROOT / "babyagi_lib").glob("**/*.py"), *(ROOT / "babyagi_course").glob("**/*.py")]
    lines = {path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines()) for path in paths}
    longest = {name: LONGEST_CHECKS if "/learner/checks/" in name else LONGEST for name in lines}
    assert {name: lines[name] for name in lines if lines[name] > longest[name]} == {}
