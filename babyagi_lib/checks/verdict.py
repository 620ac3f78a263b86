"""The answer of a check, and what turns a function that finds faults into a check. Used by every module here."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """The answer of a check: `status` is "correct", "not yet" or "not attempted yet"."""

    status: str
    message: str

    def __repr__(self) -> str:
        return f"{self.status.capitalize()}: {self.message}"


class Wrong(Exception):
    """Raised inside a check with what is wrong, in the learner's terms."""


def exercise(check: Callable[..., str]) -> Callable[..., Verdict]:
    """Turn a function that raises `Wrong`, or returns praise, into one that returns a `Verdict`."""

    @functools.wraps(check)
    def run(attempt: Callable) -> Verdict:
        try:
            return Verdict("correct", check(attempt))
        except NotImplementedError:
            return Verdict("not attempted yet", "fill in the function above and run this cell again.")
        except Wrong as wrong:
            return Verdict("not yet", str(wrong))
        except Exception as error:  # whatever the learner's code raises is an answer to the learner, not a crash
            return Verdict("not yet", f"your code raised {type(error).__name__}: {error}")

    return run
