"""The memory that a program and all that it starts take at their peak."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def peak_memory() -> Iterator[list[int]]:
    """Watch the processes started meanwhile; the list's maximum is their peak resident memory in bytes, together."""
    import psutil

    me, samples, done = psutil.Process(os.getpid()), [0], threading.Event()
    before = {child.pid for child in me.children(recursive=True)}

    def watch() -> None:
        while not done.wait(0.1):
            total = 0
            for child in me.children(recursive=True):
                if child.pid not in before:
                    try:
                        total += child.memory_info().rss
                    except psutil.Error:  # it ended between the two calls
                        continue
            samples.append(total)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        done.set()
        thread.join()
