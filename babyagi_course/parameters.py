"""A lesson's parameters: what their cell says, and what they may be set to."""

from __future__ import annotations

import ast
import json
import reprlib
from pathlib import Path
from typing import Any

from babyagi_course.errors import CourseError
from babyagi_course.files import existing_path


def in_cell(text: str, where: str) -> dict[str, Any]:
    """Name and default of every variable in the text of a `parameters` cell.

    Raises:
        CourseError: it has more than lines of NAME = a number, text or a list; the message begins with `where`.
    """
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise CourseError(f"{where}: not Python ({error})") from error
    found = {}
    for statement in statements:
        try:
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    found[name] = literal(value)
                case _:
                    raise ValueError("no assignment to one name")
        except ValueError as error:
            written = ast.get_source_segment(text, statement)[:60]
            raise CourseError(
                f"{where}, line {statement.lineno}: {written!r} is {error}; expected NAME = a number, text or a list"
            ) from error
    return found


def setting_value(text: str) -> Any:
    """A `--set` value: a Python literal if it is one, else text; an existing file or folder becomes an absolute path.

    Lessons run in `notebooks/`, so a path relative to the caller's folder has to be made absolute here.

    Raises:
        CourseError: the text is not valid Unicode, as a path with undecodable bytes in it; a notebook cannot hold it.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise CourseError(f"--set: {text!r} is not valid UTF-8; rename that file or folder") from error
    try:
        return literal(text)
    except ValueError:
        path = existing_path(text, Path.cwd())
        return text if path is None else str(path)


def paths_in(value: Any, folder: Path) -> list[Path]:
    """Every existing file or folder that is named by a text in a parameter's value, seen from `folder`."""
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list):
        return [path for entry in value for path in paths_in(entry, folder)]
    path = existing_path(value, folder) if isinstance(value, str) else None
    return [] if path is None else [path]


def literal(written: str | ast.expr) -> Any:
    """The value of a Python literal that JSON can hold too, since the report of a run is JSON.

    Raises:
        ValueError: it is something else.
    """
    try:
        value = ast.literal_eval(written)
        json.dumps(value, sort_keys=True)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError("no plain value") from error
    return value


def must_fit(given: Any, default: Any, what: str, who: str) -> None:
    """Make sure that a value is of the kind of a parameter's default; a whole number may stand for a float.

    Args:
        given: the value.
        default: the parameter's.
        what: where the value comes from, with the parameter's name, such as `--set STEPS`.
        who: the lesson's name.

    Raises:
        CourseError: it is not.
    """
    if not _fits(given, default):
        raise CourseError(f"{what}={reprlib.repr(given)[:60]}: {who} expects {_kind(default)}, such as {default!r}")


def _fits(given: Any, default: Any) -> bool:
    """True if a value is of its default's kind; a whole number may stand for a float."""
    if isinstance(given, list) and isinstance(default, list):
        return all(_fits(entry, default[0]) for entry in given) if default else True
    return type(given) is type(default) or (type(default) is float and type(given) is int)


def _kind(value: Any) -> str:
    """A value's kind in words, such as `int` or `list of int`."""
    return f"list of {_kind(value[0])}" if isinstance(value, list) and value else type(value).__name__
