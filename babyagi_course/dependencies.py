"""The course's dependencies for a page of the book: the purpose, licence and release date of each.

Each fact has one source. `pyproject.toml` declares a package, `constraints.txt` has the pinned version, and
`book/dependencies.yml` has the rest.
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

FACTS, PYPROJECT = "book/dependencies.yml", "pyproject.toml"
COURSE = "course"  # the group of what is no extra
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
        CourseError: one without a purpose, a pin, a licence or the day of its release; the message says where to add it.
    """
    facts = _facts(root)
    pins = {_canonical(name): pin for name, pin in PIN.findall(_text(root / "constraints.txt"))}
    declared = [*_in_pyproject(root, facts["groups"]), *_elsewhere(facts["elsewhere"])]
    unknown = facts["packages"].keys() - {_canonical(name) for _, _, name in declared}
    if unknown:
        raise CourseError(f"{FACTS}: {', '.join(sorted(unknown))}: nothing in the course declares that")
    found = []
    for file, group, name in declared:
        about = facts["packages"].get(_canonical(name))
        if about is None:
            raise CourseError(f"{FACTS}: {name}: expected why the course needs it, its licence and releases")
        pin = pins.get(_canonical(name)) or _npm_pin(_text(root / file), name)
        releases, behind = about["releases"], about.get("behind", "")
        if not pin:
            raise CourseError(f"{file}: {name} has no exact version, neither there nor in constraints.txt")
        if pin not in releases:
            raise CourseError(f"{FACTS}: {name}: expected the day on which release {pin} appeared")
        newest = max(releases, key=releases.get)
        if bool(behind) != (newest != pin):
            raise CourseError(f"{FACTS}: {name}: `behind` says why {pin} is not the newest, where it is not")
        why = about["why"] if file == PYPROJECT else f"{about['why']} (`{file}`)"
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


def _in_pyproject(root: Path, purposes: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """File, group and name of what `pyproject.toml` declares.

    Raises:
        CourseError: an extra without a purpose, or a purpose without an extra.
    """
    from packaging.requirements import Requirement

    project = tomllib.loads(_text(root / PYPROJECT))["project"]
    extras = project["optional-dependencies"]
    if different := purposes.keys() ^ {COURSE, *extras}:
        raise CourseError(
            f"{FACTS}: groups: expected {COURSE} and each extra of {PYPROJECT}; look at {sorted(different)}"
        )
    groups = {f"The course itself: {purposes[COURSE]}": project["dependencies"]}
    for extra, requirements in extras.items():
        groups[f"The extra `{extra}`: {purposes[extra]}"] = requirements
    for group, requirements in groups.items():
        for requirement in requirements:
            name = Requirement(requirement).name
            if name != project["name"]:  # an extra that is made of others
                yield PYPROJECT, group, name


def _elsewhere(files: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """The same of what other files declare."""
    for name, file in files.items():
        yield file, "Elsewhere: declared in the files that need them", name


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
    kinds = {"asked": date, "groups": dict, "packages": dict, "elsewhere": dict}
    if not isinstance(facts, dict) or {key: type(value) for key, value in facts.items()} != kinds:
        raise CourseError(f"{path}: expected asked (a day), groups, packages and elsewhere")
    for name, about in facts["packages"].items():
        if not _is_package(about):
            raise CourseError(f"{path}: {name}: expected why, a licence, releases (version: day) and perhaps `behind`")
    for name, said in (*facts["groups"].items(), *facts["elsewhere"].items()):
        if not isinstance(said, str) or not said:
            raise CourseError(f"{path}: {name}: expected what the group is for, or the file that declares the package")
    return facts


def _is_package(about: Any) -> bool:
    texts = {"why", "licence"}
    return (
        isinstance(about, dict)
        and texts | {"releases"} <= set(about) <= texts | {"releases", "behind"}
        and all(isinstance(about[key], str) and about[key] for key in texts)
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
