"""Several lessons at a time, each in a process of its own, with its share of the threads and enough memory.

A process for each, because papermill changes the working directory of the one that it runs in, and because the peak memory
of a lesson is that of all that its process starts.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from babyagi_course import CHOSEN_THREADS
from babyagi_course.lessons import Lesson
from babyagi_lib.basics.threads import share

ENOUGH = 3 * 2**30  # bytes that must be free for a lesson to start beside another: what one needs at its peak

# The variables that set the threads of a kernel's numerical libraries.
POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

Entry = dict[str, Any]


def lessons_at_a_time() -> int:
    """How many lessons to run at a time: two if each can have a core, else one.

    More threads than cores make both lessons many times slower, so it is also one if the user has set more than one thread.
    """
    return 2 if share()[0] >= 2 and CHOSEN_THREADS in (None, "1") else 1


def threads_each(jobs: int) -> dict[str, str]:
    """What each of several lessons gets in its environment: its share of the threads; nothing if the user has chosen."""
    return {} if CHOSEN_THREADS is not None else dict.fromkeys(POOLS, str(max(1, share()[0] // jobs)))


def side_by_side(
    run_one: Callable[[Lesson], Entry], lessons: Iterator[Lesson], jobs: int, show: Callable[[str], None]
) -> Iterator[tuple[Lesson, Entry]]:
    """Run lessons in their order, up to `jobs` at a time, and yield each with its entry for the report when it has ended.

    If the caller stops before the end, the lessons that are running are ended.

    Args:
        run_one: runs a lesson; can be pickled.
        lessons: asked for the next one when there is room for it.
        jobs: how many run at a time, at least 1; fewer while too little memory is free.
        show: told the names of the lessons that run, whenever that changes.

    Raises:
        Exception: what `run_one` raised.
    """
    running: dict[Connection, tuple[Lesson, BaseProcess]] = {}
    following = next(lessons, None)
    try:
        while following or running:
            while following and len(running) < jobs and (not running or free_memory() >= ENOUGH):
                ours, process = _started(run_one, following, jobs)
                running[ours] = following, process
                show(", ".join(lesson.name for lesson, _ in running.values()))
                following = next(lessons, None)
            for ours in wait([*running]):
                lesson, process = running[ours]
                entry = _received(ours, lesson)
                process.join()
                del running[ours]
                show(", ".join(lesson.name for lesson, _ in running.values()))
                yield lesson, entry
    finally:
        for _, process in running.values():
            _kill(process)


def free_memory() -> int:
    """Bytes of memory that programs can still get on this machine."""
    import psutil

    return psutil.virtual_memory().available


def _started(run_one: Callable[[Lesson], Entry], lesson: Lesson, jobs: int) -> tuple[Connection, BaseProcess]:
    """A new process that runs a lesson, and the connection on which it sends the entry."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe(duplex=False)
    # Of a process that is no daemon, Python would wait for the end when it stops after an error.
    process = spawn.Process(target=_work, args=(run_one, lesson, threads_each(jobs), theirs), daemon=True)
    process.start()
    theirs.close()  # so that `ours` ends when the process does
    return ours, process


def _work(run_one: Callable[[Lesson], Entry], lesson: Lesson, threads: dict[str, str], theirs: Connection) -> None:
    """Run a lesson and send its entry, or the exception that it raised: what the new process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent too, which then ends this process
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.update(threads)  # for the kernel, which is started from here
    try:
        answer = run_one(lesson)
    except Exception as error:  # the parent raises it
        answer = error
    theirs.send(answer)


def _end_with_parent() -> None:
    """End this process at once when its parent is gone; the kernel notices that, and ends too."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
    os._exit(1)


def _received(ours: Connection, lesson: Lesson) -> Entry:
    """The entry that a process sends.

    Raises:
        Exception: what was raised in the process.
    """
    try:
        answer = ours.recv()
    except EOFError:
        error = "the process that ran it died, most often because memory ran out"
        answer = {"title": lesson.title, "status": "failed", "cell": None, "error": error}
    finally:
        ours.close()
    if isinstance(answer, Exception):
        raise answer
    return answer


def _kill(process: BaseProcess) -> None:
    """End a process and all that it has started, such as the kernel of its lesson."""
    import psutil

    family: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.join()
    for child in family:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    # Not for ever: what was killed keeps its number until its new parent, the system's first process, has collected it.
    psutil.wait_procs(family, timeout=10)
