"""The measurements that take longer than a lesson: their results in `benchmarks/`, and the aims that these state.

A result says itself what the book shows of it, and whether it reaches the course's aims in comparison with other tools.
Its program in `benchmarks/` wrote that when it measured; here it is only read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from babyagi_course.errors import CourseError

HEADS = ("work", "beside", "ours", "ratio", "aim", "met")


@dataclass(frozen=True)
class Aim:
    """One aim.

    Attributes:
        work: what is done.
        peer: what people would use instead.
        theirs, ours: what both measured, in words; empty where nothing was.
        ratio: how they compare, in words.
        aim: what it should be.
        met: whether it is.
        hindrance: what stands in the way where it is not met; empty if there is nothing to say.
    """

    work: str
    peer: str
    theirs: str
    ours: str
    ratio: str
    aim: str
    met: bool
    hindrance: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """The aim as text, in the order of `HEADS`."""
        peer = ": ".join(text for text in (self.peer, self.theirs) if text)
        return self.work, peer, self.ours, self.ratio, self.aim, "yes" if self.met else "no"

    @property
    def in_the_way(self) -> str:
        """The hindrance of an aim that is not met; empty for one that is."""
        return "" if self.met else self.hindrance


@dataclass(frozen=True)
class Learner:
    """What one learner of a class needs.

    Attributes:
        lesson: which lesson was run.
        memory_gb, core_seconds: what it took.
        measured: how, in words.
    """

    lesson: str
    memory_gb: float
    core_seconds: float
    measured: str


def all_of(benchmarks: Path) -> list[dict[str, Any]]:
    """Every result of a folder, with its `title` and the `markdown` that the book shows, in the order of the files' names.

    Raises:
        CourseError: one cannot be read, or lacks one of them.
    """
    return [_read(path, "title", "markdown") for path in sorted(benchmarks.glob("*.json"))]


def aims(results: list[dict[str, Any]]) -> list[Aim]:
    """The aims that results state; most state none.

    Raises:
        CourseError: one is in another form.
    """
    return [_made(Aim, aim, result["title"]) for result in results for aim in result.get("aims", ())]


def learner(path: Path) -> Learner:
    """What a result says that a learner needs.

    Raises:
        CourseError: it cannot be read, or does not say that.
    """
    return _made(Learner, _read(path, "learner")["learner"], str(path))


def _read(path: Path, *keys: str) -> dict[str, Any]:
    """A result, which has these keys."""
    repair = f"restore it with git checkout, or run its program in {path.parent.name}/ again"
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CourseError(f"{path} cannot be read ({error}); {repair}") from error
    if lacking := [key for key in keys if key not in result]:
        raise CourseError(f"{path} lacks {', '.join(lacking)}, which its program writes; {repair}")
    return result


def _made(kind: type[Any], values: dict[str, Any], where: str) -> Any:
    """What a result says as an object of that kind."""
    try:
        return kind(**values)
    except TypeError as error:
        raise CourseError(f"{where}: {error}; python benchmarks/restate.py writes it as it must be") from error
