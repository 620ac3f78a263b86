"""The verdict of a check, and the decorator that makes a check of a function. Used by every module here."""

from __future__ import annotations

import functools
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from babyagi_lib.learner import journal
from babyagi_lib.learner.checks.answers import Wrong, describe
from babyagi_lib.learner.checks.limit import within
from babyagi_lib.learner.lessons import lesson_of

LIMIT = 10.0  # seconds that an answer may take; the slowest right one takes about one second
LIBRARY = Path(__file__).parents[2]
EXERCISES: dict[str, list[str]] = {}  # the names of each module's checks, filled as they are defined


@dataclass(frozen=True)
class Verdict:
    """The answer of a check: `status` is "correct", "not yet" or "not attempted yet"."""

    status: str
    message: str

    def __repr__(self) -> str:
        return f"{self.status.capitalize()}: {self.message}"


def exercise(check: Callable[..., str]) -> Callable[..., Verdict]:
    """Turn a function that raises `Wrong`, or returns praise, into a check that returns a `Verdict`.

    The check belongs to the lesson whose module it is written in. A right answer in a notebook is saved in the learner's
    journal. The notebook's own solutions are not: their cells call the check with `solution=True`.
    """
    EXERCISES.setdefault(check.__module__, []).append(check.__name__)

    @functools.wraps(check)
    def run(attempt: Callable, *, solution: bool = False) -> Verdict:
        if not callable(attempt):
            advice = "give the check the name of your function, without parentheses after it"
            return Verdict("not yet", f"{advice}; it got {describe(attempt)}.")
        watched = _Watched(attempt)
        try:
            praise = within(LIMIT, lambda: check(watched))
        except (Wrong, TimeoutError) as wrong:
            return Verdict("not yet", str(wrong))
        except Exception as error:  # whatever the learner's code raises is an answer to the learner, not a crash
            if isinstance(error, NotImplementedError) and (not str(error) or str(error).startswith("exercise")):
                return Verdict("not attempted yet", "fill in the function above and run this cell again.")
            return Verdict("not yet", _blame(error, watched))
        if solution or not _in_notebook():
            return Verdict("correct", praise)
        return Verdict("correct", praise + _noted(check))

    return run


class _Watched:
    """A learner's function that remembers what it returned last, so that a message can name it."""

    def __init__(self, attempt: Callable) -> None:
        self.attempt = attempt
        self.calling = False
        self.returned: Any = None

    def __call__(self, *arguments: Any) -> Any:
        self.calling = True
        self.returned = self.attempt(*arguments)
        self.calling = False
        return self.returned


def _blame(error: Exception, watched: _Watched) -> str:
    """The error and the line of the learner's code that raised it; without such a line, the value that the check got."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [f for f in frames if not Path(f.filename).is_relative_to(LIBRARY) and "site-packages" not in f.filename]
    raised = f"{type(error).__name__}: {error}"
    if theirs:
        return f"your code raised {raised}" + (f", at `{theirs[-1].line}`." if theirs[-1].line else ".")
    if watched.calling:
        return f"calling your function raised {raised}."
    return f"the check cannot use what your code returned, {describe(watched.returned)} ({raised})."


def _noted(check: Callable[..., str]) -> str:
    """Save a solved exercise, and say how many of the lesson are."""
    lesson, exercises = lesson_of(check.__module__), EXERCISES[check.__module__]
    try:
        journal.record_exercise(lesson, check.__name__)
        solved = set(journal.read()[lesson]["exercises"]) & set(exercises)
    except journal.JournalError as error:
        return f" (Your progress was not saved: {error}.)"
    return f" ({len(solved)} of {len(exercises)} exercises of this lesson solved.)"


def _in_notebook() -> bool:
    return "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None
