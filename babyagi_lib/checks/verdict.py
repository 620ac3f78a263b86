"""The answer of a check, and what turns a function that finds faults into a check. Used by every module here."""

from __future__ import annotations

import _thread
import functools
import linecache
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from babyagi_lib import journal

LIMIT = 10.0  # seconds that an answer may take; the slowest right one takes about one
SOLUTION = "# @title Solution"  # how a notebook's solution cells begin
LIBRARY = Path(__file__).parents[1]
EXERCISES: dict[str, list[str]] = {}  # the checks of each lesson, filled as they are defined


@dataclass(frozen=True)
class Verdict:
    """The answer of a check: `status` is "correct", "not yet" or "not attempted yet"."""

    status: str
    message: str

    def __repr__(self) -> str:
        return f"{self.status.capitalize()}: {self.message}"


class Wrong(Exception):
    """Raised inside a check with what is wrong, in the learner's terms."""


def exercise(lesson: str) -> Callable[[Callable[..., str]], Callable[..., Verdict]]:
    """Turn a function that raises `Wrong`, or returns praise, into a check of a lesson that returns a `Verdict`.

    A right answer in a notebook is noted in the learner's journal, unless it was the notebook's own solution.
    """

    def decorate(check: Callable[..., str]) -> Callable[..., Verdict]:
        EXERCISES.setdefault(lesson, []).append(check.__name__)

        @functools.wraps(check)
        def run(attempt: Callable) -> Verdict:
            try:
                with _time_limit():
                    praise = check(attempt)
            except (Wrong, TimeoutError) as wrong:
                return Verdict("not yet", str(wrong))
            except Exception as error:  # whatever the learner's code raises is an answer to the learner, not a crash
                if isinstance(error, NotImplementedError) and (not str(error) or str(error).startswith("exercise")):
                    return Verdict("not attempted yet", "fill in the function above and run this cell again.")
                return Verdict("not yet", _blame(error))
            return Verdict("correct", praise + _noted(lesson, check.__name__, attempt))

        return run

    return decorate


@contextmanager
def _time_limit() -> Iterator[None]:
    """Stop an answer that does not end, as if the learner had pressed the stop button.

    Raises:
        TimeoutError: it took longer than LIMIT.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread can be interrupted
        return
    late = threading.Event()

    def interrupt() -> None:
        late.set()
        _thread.interrupt_main()

    # Where a shell runs Python in the background, interruptions are ignored, and the timer would ring unheard.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        timer = threading.Timer(LIMIT, interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()  # an interruption that is already on its way arrives here, not in the learner's next line
    except KeyboardInterrupt:
        if not late.is_set():
            raise  # it was the learner who pressed it
        raise TimeoutError(
            f"your code took longer than {LIMIT:.0f} seconds and was stopped. Is there a loop that never ends?"
        ) from None
    finally:
        if before is not None:  # else it was set by something other than Python
            signal.signal(signal.SIGINT, before)


def _blame(error: Exception) -> str:
    """What was raised and at which of the learner's lines; if at none, the check stumbled over what it was given."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [f for f in frames if not Path(f.filename).is_relative_to(LIBRARY) and "site-packages" not in f.filename]
    told = f"{type(error).__name__}: {error}"
    if not theirs:
        return f"the check cannot use what your code returned ({told})."
    return f"your code raised {told}" + (f", at `{theirs[-1].line}`." if theirs[-1].line else ".")


def _noted(lesson: str, name: str, attempt: Callable) -> str:
    """Note a solved exercise, and say how many of the lesson are; nothing outside of a notebook, or for its own solution."""
    if not _in_notebook() or _cell_of(attempt).lstrip().startswith(SOLUTION):
        return ""
    try:
        journal.record_exercise(lesson, name)
        solved = set(journal.read()[lesson]["exercises"]) & set(EXERCISES[lesson])
    except journal.JournalError as error:
        return f" (Your progress was not noted: {error}.)"
    return f" ({len(solved)} of {len(EXERCISES[lesson])} exercises of this lesson solved.)"


def _in_notebook() -> bool:
    return "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None


def _cell_of(attempt: Callable) -> str:
    """The source of the cell (or file) that an answer was written in; empty if it was not written in Python.

    A kernel registers the source of each cell, for its tracebacks, whatever front end it serves. Its history of inputs
    would not do: some programs run notebooks without one.
    """
    parts = vars(attempt).values() if isinstance(attempt, type) else [attempt]
    codes = [part.__code__ for part in parts if hasattr(part, "__code__")]
    return "".join(linecache.getlines(codes[0].co_filename)) if codes else ""
