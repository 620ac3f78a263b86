"""The course's dependencies for a page of the book: the purpose, licence and release date of each.

Each fact has one source. `pyproject.toml` declares a package, with a comment that says what it is for.
`constraints.txt` has the pinned version. `book/dependencies.yml` has the rest.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from babyagi_course.errors import CourseError
from babyagi_lib.basics import strict_yaml

FACTS = "book/dependencies.yml"
REQUIREMENT = re.compile(r'^ +"([^"]+)",(?: +# (.+))?$', re.MULTILINE)
EXTRA = re.compile(r"^([\w-]+) = \[ +# (.+)$", re.MULTILINE)
PIN = re.compile(r"^([\w.-]+)==(\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Dependency:
    """One package that the course asks for by name.

    Attributes:
        name: as it is declared.
        group: its heading, and after a colon the purpose of the packages under that heading.
        why: what the course needs it for.
        licence: in the names of SPDX where it has one.
        pinned, released: the version that the tests run on, and its release date.
        newest, appeared: the same of the newest version known.
        behind: why the newest is not the pinned one; empty if it is.
    """

    name: str
    group: str
    why: str
    licence: str
    pinned: str
    released: date
    newest: str
    appeared: date
    behind: str


def read(root: Path) -> list[Dependency]:
    """Every direct dependency of a checkout, group by group.

    Raises:
        CourseError: one without a comment, a pin, a licence or the day of its release; the message says where to add it.
    """
    facts = _facts(root)
    pins = {_canonical(name): pin for name, pin in PIN.findall(_text(root / "constraints.txt"))}
    declared = [*_in_pyproject(root), *_elsewhere(facts)]
    unknown = facts["packages"].keys() - {_canonical(name) for _, _, name, _ in declared}
    if unknown:
        raise CourseError(f"{FACTS}: {', '.join(sorted(unknown))}: nothing in the course declares that")
    found = []
    for file, group, name, why in declared:
        key = _canonical(name)
        pin = pins.get(key) or _npm_pin(_text(root / file), name)
        about = facts["packages"].get(key, {"licence": "", "releases": {}})
        releases, behind = about["releases"], about.get("behind", "")
        if not why:
            raise CourseError(f"{file}: {name} needs a comment behind it that says what it is for")
        if not pin:
            raise CourseError(f"{file}: {name} has no exact version, neither there nor in constraints.txt")
        if pin not in releases:
            raise CourseError(f"{FACTS}: {name}: expected its licence, and the day on which release {pin} appeared")
        newest = max(releases, key=releases.get)
        if bool(behind) != (newest != pin):
            raise CourseError(f"{FACTS}: {name}: `behind` says why {pin} is not the newest, where it is not")
        versions = (pin, releases[pin], newest, releases[newest])
        found.append(Dependency(name, group, why, about["licence"], *versions, behind))
    return found


def tables(root: Path) -> str:
    """Markdown of every direct dependency: a heading and a table for each group."""
    found = read(root)
    asked = (
        f"The registries were asked on {_said(_facts(root)['asked'])}. Where one release is named, it was the newest."
    )
    parts = [asked]
    for group in dict.fromkeys(dependency.group for dependency in found):
        title, _, about = group.partition(": ")
        rows = ["| package | what for | licence | pinned release |", "|---|---|---|---|"]
        for d in found:
            if d.group == group:
                newer = f"; newest: {d.newest}, {_said(d.appeared)} ({d.behind})" if d.behind else ""
                rows.append(f"| {d.name} | {d.why} | {d.licence} | {d.pinned}, {_said(d.released)}{newer} |")
        parts += [f"### {title}", f"{about[:1].upper()}{about[1:]}.", "\n".join(rows)]
    return "\n\n".join(parts)


def _said(day: date) -> str:
    """A day as a reader sees it, such as 8 Jul 2026, never broken over lines."""
    return f"{day.day}\u00a0{day:%b}\u00a0{day.year}"


def _in_pyproject(root: Path) -> Iterator[tuple[str, str, str, str]]:
    """File, group, name and comment of what `pyproject.toml` declares."""
    from packaging.requirements import Requirement

    text = _text(root / "pyproject.toml")
    comments, about, project = (
        dict(REQUIREMENT.findall(text)),
        dict(EXTRA.findall(text)),
        tomllib.loads(text)["project"],
    )
    groups = {"The course itself: what every lesson may use": project["dependencies"]}
    for extra, requirements in project["optional-dependencies"].items():
        groups[f"The extra `{extra}`: {about.get(extra, '')}"] = requirements
    for group, requirements in groups.items():
        for requirement in requirements:
            name = Requirement(requirement).name
            if name != project["name"]:  # an extra that is made of others
                yield "pyproject.toml", group, name, comments.get(requirement, "")


def _elsewhere(facts: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """The same of what other files declare."""
    for name, about in facts["elsewhere"].items():
        yield (
            about["file"],
            "Elsewhere: declared in the files that need them",
            name,
            f"{about['why']} (`{about['file']}`)",
        )


def _npm_pin(text: str, name: str) -> str:
    """The version of an npm package that a source file fetches; empty if it fetches none."""
    match = re.search(rf'"{re.escape(name)}@([\w.-]+)"', text)
    return match[1] if match else ""


def _facts(root: Path) -> dict[str, Any]:
    """What `book/dependencies.yml` says.

    Raises:
        CourseError: it is not of the form that its first lines describe.
    """
    path = root / FACTS
    try:
        facts = strict_yaml.read(path)
    except ValueError as error:
        raise CourseError(f"{path}: {error}") from error
    kinds = {"asked": date, "packages": dict, "elsewhere": dict}
    if not isinstance(facts, dict) or {key: type(value) for key, value in facts.items()} != kinds:
        raise CourseError(f"{path}: expected asked (a day), packages and elsewhere")
    for name, about in facts["packages"].items():
        if not _is_package(about):
            raise CourseError(f"{path}: {name}: expected a licence, releases (version: day) and perhaps `behind`")
    for name, about in facts["elsewhere"].items():
        if not isinstance(about, dict) or set(about) != {"file", "why"}:
            raise CourseError(f"{path}: {name}: expected file and why")
    return facts


def _is_package(about: Any) -> bool:
    return (
        isinstance(about, dict)
        and {"licence", "releases"} <= set(about) <= {"licence", "releases", "behind"}
        and isinstance(about["releases"], dict)
        and all(isinstance(v, str) and isinstance(day, date) for v, day in about["releases"].items())
    )


def _canonical(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CourseError(f"{path} cannot be read ({error}); restore it with git checkout") from error
