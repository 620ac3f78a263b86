"""Parts of a benchmark that share one deadline: each in a process of its own, which is ended when its time is over.

A part is a function that yields a row of the table as soon as it is measured. What it yielded stays, whatever happens to
it later: it may run out of time, raise an error, or die with its process. Then the reason is recorded, and the next part
begins. A part that needs less than its share leaves the rest to those behind it.
"""

from __future__ import annotations

import multiprocessing
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

RESERVE = 5.0  # seconds that a part keeps back of its time, so that it ends by itself rather than being ended


class OutOfTime(Exception):
    """Raised by a part that does not begin what it could not finish; the message says what."""


@dataclass(frozen=True)
class Part:
    """One part.

    Attributes:
        name: in the result, where something is said of the whole part.
        weight: its share of the time that is left when it begins, beside the weights of the parts behind it.
        least: seconds below which it is not begun.
        rows: from what was chosen, and the time (of `time.time`) at which it has to end, to its rows.
    """

    name: str
    weight: float
    least: float
    rows: Callable[[Any, float], Iterator[dict]]


@dataclass
class Outcome:
    """What became of a part.

    Attributes:
        rows: what it yielded.
        seconds: what it took, its imports included.
        allowed: the seconds that it was given; 0 if it was not begun.
        reason: why it did not come to its end; None if it did.
        failed: whether that was an error, and not the time.
    """

    rows: list[dict] = field(default_factory=list)
    seconds: float = 0.0
    allowed: float = 0.0
    reason: str | None = None
    failed: bool = False


def outcomes(parts: list[Part], chosen: Any, ends: float) -> Iterator[tuple[Part, Outcome]]:
    """Every part with what became of it, one after the other, all of them by `ends`, a time of `time.time`."""
    for number, part in enumerate(parts):
        left = ends - time.time()
        allowed = left * part.weight / sum(later.weight for later in parts[number:])
        if allowed < part.least:
            reason = f"not begun: {max(left, 0):.0f} s were left, {allowed:.0f} s of them for it, and it needs {part.least:.0f} s"
            yield part, Outcome(reason=reason)
        else:
            yield part, alone(part.rows, chosen, allowed)


def alone(rows: Callable[[Any, float], Iterator[dict]], chosen: Any, seconds: float) -> Outcome:
    """What a part yields in a new process, which is killed after so many seconds."""
    started = time.time()
    ends = started + seconds
    outcome = Outcome(allowed=seconds)
    # Spawned, not forked: CUDA does not work in a process that was forked from one that has used it.
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(rows, chosen, ends - RESERVE, there))
    try:
        process.start()
        there.close()  # so that the end of the process is the end of what is read here
        while True:
            if not here.poll(max(0.0, ends - time.time())):
                outcome.reason = f"ended after {seconds:.0f} s, its share of the time"
                break
            kind, message = here.recv()
            if kind == "row":
                outcome.rows.append(message)
                continue
            if kind != "finished":
                outcome.reason, outcome.failed = message, kind == "error"
            break
    except EOFError:
        process.join()
        outcome.reason, outcome.failed = f"its process died, with exit code {process.exitcode}", True
    finally:
        if process.pid is not None:
            process.join(min(RESERVE, max(0.0, ends - time.time())))  # to leave in peace, if it can
            process.kill()
            process.join()
        here.close()
    outcome.seconds = time.time() - started
    return outcome


def _child(rows: Callable[[Any, float], Iterator[dict]], chosen: Any, ends: float, there: Connection) -> None:
    """Run a part in this process, and send what it yields and how it ended."""
    try:
        for row in rows(chosen, ends):
            there.send(("row", row))
        there.send(("finished", None))
    except OutOfTime as error:
        there.send(("time", str(error)))
    except Exception as error:
        traceback.print_exc()
        first = (str(error).strip().splitlines() or [""])[0]
        there.send(("error", f"{type(error).__name__}: {first}"))
