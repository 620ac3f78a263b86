"""The lessons of a checkout, with their parameters and profiles."""

from __future__ import annotations

import hashlib
import json
import re
import reprlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from babyagi_course.errors import CourseError
from babyagi_course.files import content
from babyagi_course.notebooks import ORIGIN, fault, source, tags
from babyagi_course.parameters import in_cell, must_fit, paths_in, setting_value
from babyagi_lib.basics import strict_yaml

PROFILES = "profiles"  # the folder of notebooks/ with a file for each lesson that has other parameters in a profile


@dataclass(frozen=True)
class Lesson:
    """One notebook of `notebooks/`, such as `04_ner_finetuning`."""

    path: Path

    @property
    def name(self) -> str:
        """The file name without its ending, such as `04_ner_finetuning`."""
        return self.path.stem

    @cached_property
    def notebook(self) -> dict:
        """The notebook as JSON.

        Raises:
            CourseError: the file is not a notebook; the message gives the cell, counted from 0 as in a failed run.
        """
        try:
            notebook = json.loads(self.path.read_text(encoding="utf-8"))
        except PermissionError as error:
            raise CourseError(
                f"{self.path} cannot be read ({error.strerror}); you need the right to read it: chmod a+r, or unpack the "
                "course again"
            ) from error
        except (OSError, ValueError, RecursionError) as error:  # ValueError: neither JSON nor UTF-8
            raise CourseError(
                f"{self.path} is not a readable notebook ({error}); restore it with git checkout"
            ) from error
        match notebook:
            case {"cells": list(cells), "metadata": dict()}:
                pass
            case _:
                raise CourseError(
                    f"{self.path} is not a readable notebook (of format 4: cells and metadata); restore it with git checkout"
                )
        for number, cell in enumerate(cells):
            if wrong := fault(cell):
                raise CourseError(f"{self.path}, cell {number}: {wrong}; restore the notebook with git checkout")
        return notebook

    @property
    def title(self) -> str:
        """The notebook's first heading.

        Raises:
            CourseError: its first cell has none.
        """
        first = "".join(source(cell) for cell in self.notebook["cells"][:1])
        heading = re.search(r"^# +(\S.*)$", first, re.MULTILINE)
        if heading is None:
            raise CourseError(f"{self.path}, cell 0: expected a heading, such as '# Lesson 4. Finding names'")
        return heading[1]

    @property
    def short_title(self) -> str:
        """The title up to its first colon or question mark, such as "Lesson 4. Finding names"."""
        return re.match(r"[^:?]*\??", self.title)[0]

    @property
    def kernelspec(self) -> dict[str, str]:
        """The notebook's `kernelspec`: which kernel it is for, with its language.

        Raises:
            CourseError: the notebook names no Python kernel.
        """
        match self.notebook["metadata"].get("kernelspec"):
            case {"name": str(), "language": "python"} as kernelspec:
                return kernelspec
        raise CourseError(
            f"{self.path} names no Python kernel: expected metadata with a kernelspec of a name and the language python; "
            "choose the kernel Python 3 in JupyterLab and save, or restore the notebook with git checkout"
        )

    def must_have_run(self) -> None:
        """Make sure that the notebook has the outputs of a run.

        Raises:
            CourseError: it has never been run.
        """
        if "babyagi" not in self.notebook["metadata"]:
            raise CourseError(f"{self.name} has never been run: babyagi run {self.name[:2]}, then babyagi refresh")

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """Name and default of every variable in the cell tagged `parameters`.

        Raises:
            CourseError: there is no such cell, or it has more than lines of NAME = a number, text or a list.
        """
        cells = [(number, cell) for number, cell in enumerate(self.notebook["cells"]) if "parameters" in tags(cell)]
        if len(cells) != 1:
            raise CourseError(f"{self.path} has {len(cells)} cells tagged 'parameters', expected one")
        [(number, cell)] = cells
        return in_cell(source(cell), f"{self.path}, cell {number} (parameters)")


@dataclass(frozen=True)
class Course:
    """A checkout of the course."""

    root: Path

    @classmethod
    def find(cls) -> Course:
        """The checkout around the working directory, or the one this package was installed from.

        Raises:
            CourseError: there is none, or the working directory has been deleted.
        """
        try:
            here = Path.cwd()
        except FileNotFoundError as error:
            raise CourseError("the current folder no longer exists: change to another one") from error
        for folder in (here, *here.parents, Path(__file__).resolve().parents[1]):
            if (folder / "notebooks" / PROFILES).is_dir():
                return cls(folder)
        raise CourseError("no course found here: run this inside a checkout (the folder with notebooks/ in it)")

    @property
    def lessons(self) -> list[Lesson]:
        """Every notebook of `notebooks/` that begins with a number, in order."""
        return [Lesson(path) for path in sorted((self.root / "notebooks").glob("[0-9][0-9]_*.ipynb"))]

    def select(self, names: list[str]) -> list[Lesson]:
        """The lessons asked for, by number, name or file; all of them if none is named."""
        if not names:
            return self.lessons
        chosen = []
        for name in names:
            stem = Path(name).stem
            found = [lesson for lesson in self.lessons if stem in (lesson.name, lesson.name[:2])]
            if not found:
                raise CourseError(
                    f"unknown lesson {name!r}; there are: {', '.join(lesson.name for lesson in self.lessons)}"
                )
            chosen += [lesson for lesson in found if lesson not in chosen]
        return chosen

    @cached_property
    def profiles(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Profile -> lesson -> parameters it changes. `cpu` changes nothing: it is what the notebooks say.

        Raises:
            CourseError: a file of `notebooks/profiles/` is not of that form, or is for no lesson.
        """
        lessons = {lesson.name: lesson for lesson in self.lessons}
        profiles: dict[str, dict[str, dict[str, Any]]] = {"cpu": {}}
        for path in sorted((self.root / "notebooks" / PROFILES).glob("*.yml")):
            if path.stem not in lessons:
                raise CourseError(f"{path}: there is no lesson of that name; there are: {', '.join(lessons)}")
            for profile, values in _profiles_in(path, lessons[path.stem]).items():
                profiles.setdefault(profile, {})[path.stem] = values
        return profiles

    def plan(self, lessons: list[Lesson], profile: str, settings: list[str]) -> dict[str, dict[str, Any]]:
        """Parameters to inject, per lesson: those of the profile, then `NAME=VALUE` settings on top.

        Raises:
            CourseError: unknown profile, unknown parameter, or a setting that is not NAME=VALUE.
        """
        if profile not in self.profiles:
            raise CourseError(f"unknown profile {profile!r}; there are: {', '.join(self.profiles)}")
        changes: dict[str, Any] = {}
        for setting in settings:
            name, equals, text = setting.partition("=")
            if not equals:
                raise CourseError(f"--set {setting!r}: expected NAME=VALUE, such as --set EPOCHS=1")
            if not any(name in lesson.parameters for lesson in lessons):
                known = sorted({n for lesson in lessons for n in lesson.parameters})
                raise CourseError(f"--set {name}: no such parameter; there are: {', '.join(known)}")
            changes[name] = setting_value(text)
        for lesson in lessons:
            for name in changes.keys() & lesson.parameters.keys():
                must_fit(changes[name], lesson.parameters[name], f"--set {name}", lesson.name)
        return {
            lesson.name: self.profiles[profile].get(lesson.name, {})
            | {name: value for name, value in changes.items() if name in lesson.parameters}
            for lesson in lessons
        }

    def key(self, lesson: Lesson, parameters: dict[str, Any]) -> str:
        """Hash of what a lesson is given: its code, its parameters, and the content of files and folders that they name.

        Prose does not count, nor does the address that the course is installed from: they change no output. What the
        lesson reads and imports besides is known once it has run (`runs`).
        """
        code = [ORIGIN.sub("", source(c)) for c in lesson.notebook["cells"] if c["cell_type"] == "code"]
        given = lesson.parameters | parameters
        folder = lesson.path.parent.resolve()
        contents = [content(path, folder) for path in paths_in(given, folder)]
        return hashlib.sha256(json.dumps([code, given, contents], sort_keys=True, default=str).encode()).hexdigest()


def _profiles_in(path: Path, lesson: Lesson) -> dict[str, dict[str, Any]]:
    """Profile -> the parameters that it changes, as a lesson's file says.

    Raises:
        CourseError: the file cannot be read, or something in it is no profile or no parameter of the lesson.
    """
    try:
        loaded = strict_yaml.read(path)
    except ValueError as error:
        raise CourseError(f"{path}: {error}") from error
    if not isinstance(loaded, dict):
        raise CourseError(f"{path}: expected profiles (smoke, gpu), each with the parameters that it changes")
    for profile, values in loaded.items():
        if not isinstance(profile, str) or not isinstance(values, dict) or profile == "cpu":
            raise CourseError(
                f"{path}: {reprlib.repr(profile)}: expected a name (not cpu, which is what the notebook says) and under it "
                "parameters"
            )
        for parameter, value in values.items():
            if parameter not in lesson.parameters:
                raise CourseError(f"{path}: {profile}: {lesson.name} has no parameter {parameter}")
            must_fit(value, lesson.parameters[parameter], f"{path}: {profile}: {parameter}", lesson.name)
    return loaded
