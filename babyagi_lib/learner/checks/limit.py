"""Stops an answer that takes too long, also while it sleeps or waits. Used by every check, through `verdict`."""

from __future__ import annotations

import _thread
import ctypes
import random
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

AGAIN = 1.0  # seconds after which an answer that goes on is interrupted once more

COIN = random.Random()  # separate, so that the random numbers of the learner's code do not change

Result = TypeVar("Result")


class TimeUp(BaseException):
    """Raised in the middle of an answer whose time is up. No `except Exception` catches it."""


def within(seconds: float, work: Callable[[], Result]) -> Result:
    """Return the result of `work`, or interrupt it after `seconds`.

    In the main thread of Linux and macOS a signal interrupts a loop and everything that waits: sleep, a lock, a queue,
    input, another process. Windows can interrupt a loop or a sleep, but not a lock. In any other thread Python can raise an
    exception only between two of its own steps, so a sleep lasts to its end. In all three cases, one long call of
    compiled code (a product of huge matrices) is not interrupted before its end. If the stop came late, the message says
    how long `work` took.

    The first interruption leaves `work` a second to clean up. If it goes on, perhaps because of a bare `except:`, each
    further interruption is followed by others at once, which arrive in the lines after that `except:`.

    Raises:
        TimeoutError: `work` took longer, even if it caught the interruption and then returned or raised something.
    """
    rings, first, working, ended = 0, True, True, threading.Event()
    thread, in_main = threading.get_ident(), threading.current_thread() is threading.main_thread()

    def ring() -> None:
        nonlocal rings, first
        pause = seconds
        while not ended.wait(pause) and working:
            rings, first, pause = rings + 1, True, AGAIN
            _interrupt_main(thread) if in_main else _raise_in(thread, TimeUp)

    def interrupted(number: int, frame: FrameType | None) -> None:
        nonlocal first
        if not rings:
            signal.default_int_handler(number, frame)  # the learner pressed the stop button
        if not working:
            return
        # From the second time on, let this function be called again at once, so that it raises after an `except:` too.
        # Python 3.12 counts the jump back to a loop's start as part of the `try:` there, so do not raise every time.
        again, pass_by = [number] if rings > 1 else [], not first and COIN.random() < 0.5
        first = False
        # After a call of `interrupt_main` Python would look for signals still in here; within `for` it does not.
        for _ in map(_thread.interrupt_main, again):
            if pass_by:
                return
            raise TimeUp
        raise TimeUp

    started = time.monotonic()
    timer = threading.Thread(target=ring, daemon=True)
    before = signal.signal(signal.SIGINT, interrupted) if in_main else None
    try:
        try:
            timer.start()
            result = work()
        finally:
            working = False  # an interruption that is on its way from here on changes nothing
            ended.set()
            timer.join()
            if not in_main:
                _raise_in(thread, None)
    except BaseException:
        if not rings:
            raise
    finally:
        if before is not None:  # None: it was set by something other than Python
            signal.signal(signal.SIGINT, before)
    if rings:
        taken = time.monotonic() - started
        late = f" after {taken:.0f} seconds" if taken > seconds + 2 * AGAIN else ""
        raise TimeoutError(
            f"your code took longer than {seconds:g} seconds and was stopped{late}. Is there a loop that never ends, or "
            "does it sleep or wait for something?"
        )
    return result


def _interrupt_main(thread: int) -> None:
    """Send the signal of the stop button to the main thread, so that it wakes up."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(thread, signal.SIGINT)
    else:  # Windows
        signal.raise_signal(signal.SIGINT)


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    """Raise an error in another thread between two of its steps; None takes back one that was not raised yet."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error) if error else None)
