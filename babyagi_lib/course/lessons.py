"""The lessons of a checkout: which there are, what their parameters and profiles are, what they measured."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from babyagi_lib.measured import MIME

WIDGET = "application/vnd.jupyter.widget-view+json"  # a view of something that lives in the front end and the kernel

# What can change a lesson's outputs, and so what a run records and a skip depends on.
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
)

# Where a lesson says what it costs to run; `refresh` writes the measured time and memory between the marks.
COST = re.compile(r"(<!-- cost -->).*?(<!-- /cost -->)", re.DOTALL)

# Where a notebook installs the course from, if it is missing; `links` writes it.
ORIGIN = re.compile(r"git\+https://[^\s\"]+")

# The line under an exercise's heading, which says how hard it is and how long it takes.
DIFFICULTY = re.compile(r"^\*Difficulty ([123]) of 3, about (\d+) minutes\.\*", re.MULTILINE)


class CourseError(Exception):
    """Something the person at the command line can mend; the message says how."""


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
            CourseError: the file is not a notebook.
        """
        try:
            notebook = json.loads(self.path.read_text(encoding="utf-8"))
            notebook["cells"]
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
            raise CourseError(
                f"{self.path} is not a readable notebook ({error}); restore it with git checkout"
            ) from error
        return notebook

    @property
    def title(self) -> str:
        """The notebook's first heading."""
        first = source(self.notebook["cells"][0])
        return re.search(r"^# (.+)$", first, re.MULTILINE)[1]

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """Name and default of every variable in the cell tagged `parameters`."""
        cells = [c for c in self.notebook["cells"] if "parameters" in tags(c)]
        if len(cells) != 1:
            raise CourseError(f"{self.path} has {len(cells)} cells tagged 'parameters', expected one")
        assigned = [s for s in ast.parse(source(cells[0])).body if isinstance(s, ast.Assign)]
        return {statement.targets[0].id: ast.literal_eval(statement.value) for statement in assigned}


@dataclass(frozen=True)
class Course:
    """A checkout of the course."""

    root: Path

    @classmethod
    def find(cls) -> Course:
        """The checkout around the working directory, or the one this package was installed from."""
        here = Path.cwd()
        for folder in (here, *here.parents, Path(__file__).resolve().parents[2]):
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
        import yaml

        path = self.root / "notebooks" / "profiles.yml"
        try:
            loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            raise CourseError(f"{path} is not valid YAML: {error}") from error
        if not isinstance(loaded, dict):
            raise CourseError(
                f"{path}: expected profiles (smoke, gpu), each with lessons and the parameters they change"
            )
        profiles: dict[str, dict[str, dict[str, Any]]] = {"cpu": {}}
        for profile, changes in loaded.items():
            profiles[profile] = {}
            for name, values in (changes or {}).items():
                lesson = next((lesson for lesson in self.lessons if lesson.name == name), None)
                if lesson is None or not isinstance(values, dict):
                    raise CourseError(f"{path}: {profile}: {name!r} is not a lesson with parameters")
                unknown = set(values) - set(lesson.parameters)
                if unknown:
                    raise CourseError(f"{path}: {profile}: {name} has no parameter {', '.join(sorted(unknown))}")
                profiles[profile][name] = values
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
                wanted, given = type(lesson.parameters[name]), changes[name]
                if type(given) is not wanted and not (wanted is float and type(given) is int):
                    raise CourseError(
                        f"--set {name}={given}: {lesson.name} expects {wanted.__name__}, such as {lesson.parameters[name]!r}"
                    )
        return {
            lesson.name: self.profiles[profile].get(lesson.name, {})
            | {name: value for name, value in changes.items() if name in lesson.parameters}
            for lesson in lessons
        }

    @cached_property
    def library_hash(self) -> str:
        """Hash of everything but the notebook that its outputs depend on: teaching modules and data."""
        digest = hashlib.sha256()
        files = [
            *sorted((self.root / "babyagi_lib").glob("**/*.py")),
            *sorted((self.root / "babyagi_lib" / "quizzes").glob("*.yml")),
            self.root / "data" / "MANIFEST",
            *sorted((self.root / "benchmarks").glob("*.json")),
        ]
        for path in files:
            if path.is_file() and "course" not in path.relative_to(self.root).parts:
                digest.update(path.relative_to(self.root).as_posix().encode() + path.read_bytes())
        return digest.hexdigest()

    def key(self, lesson: Lesson, parameters: dict[str, Any]) -> str:
        """What a result depends on; a result with the same key need not be made again.

        Prose is not in it, nor is where the course is installed from: a better sentence or another address changes
        no output.
        """
        code = [ORIGIN.sub("", source(c)) for c in lesson.notebook["cells"] if c["cell_type"] == "code"]
        parts = [code, lesson.parameters | parameters, self.library_hash, versions()]
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def setting_value(text: str) -> Any:
    """A `--set` value: a Python literal if it is one, else text; an existing folder becomes an absolute path.

    Lessons run in `notebooks/`, so a path relative to the caller's folder has to be made absolute here.
    """
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        folder = Path(text).expanduser()
        return str(folder.resolve()) if folder.is_dir() else text


def source(cell: dict) -> str:
    """A cell's text, which the format allows to be a string or a list of lines."""
    return cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])


def tags(cell: dict) -> list[str]:
    """A cell's tags."""
    return cell.get("metadata", {}).get("tags", [])


def figures(notebook: dict) -> list[dict]:
    """Every figure a notebook's outputs hold, in order, as `measured.publish` wrote them."""
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
        if WIDGET in output.get("data", {}):
            if not {"image/png", "text/html"} & output["data"].keys():
                continue
            output = output | {"data": {kind: data for kind, data in output["data"].items() if kind != WIDGET}}
        if outputs and output["output_type"] == outputs[-1]["output_type"] == "stream":
            outputs[-1] = outputs[-1] | {"text": "".join(outputs[-1]["text"]) + "".join(output["text"])}
        else:
            outputs.append(output)
    return outputs


def versions() -> dict[str, str]:
    """Installed versions of the packages that lessons build on."""
    import platform

    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def write_atomically(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
