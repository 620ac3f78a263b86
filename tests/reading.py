"""What the tests read in code without running it: the library's modules, a notebook's cells, and what they import."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from babyagi_course.lessons import Lesson
from babyagi_course.notebooks import source


def modules(root: Path) -> dict[str, str]:
    """The code of each module of a checkout's library, by the module's full name."""
    paths = sorted((root / "babyagi_lib").glob("**/*.py"))
    names = [".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__") for path in paths]
    return {name: path.read_text(encoding="utf-8") for name, path in zip(names, paths, strict=True)}


def parsed(code: str) -> ast.Module:
    """The code of a cell, with nothing in place of IPython's magics."""
    return ast.parse(re.sub(r"^(\s*)%.*", r"\1pass", code, flags=re.MULTILINE))


def cells(lesson: Lesson) -> Iterator[ast.Module]:
    """The code cells of a lesson."""
    return (parsed(source(cell)) for cell in lesson.notebook["cells"] if cell["cell_type"] == "code")


def calls(tree: ast.AST, module: str) -> list[ast.Call]:
    """The calls of a module's functions, such as `checks.alignment(align)` for "checks"."""
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return [call for call in found if ast.unparse(call.func).startswith(f"{module}.")]


def imported(node: ast.AST) -> set[str]:
    """The full names of all that is imported anywhere in this code, but for what only a type checker imports."""
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


def imported_by(lesson: Lesson) -> set[str]:
    """The full names of all that a lesson imports."""
    return {name for cell in cells(lesson) for name in imported(cell)}
