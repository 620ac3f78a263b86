"""The machine that a program runs on, in words. Used by the doctor, the tool and the benchmarks."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def give_home() -> None:
    """Give this process a home folder if it has none, as Jupyter needs one, though not to write there."""
    try:
        Path.home()
    except RuntimeError:  # a user without a name and without HOME, as in some containers
        os.environ["HOME"] = os.devnull


def machine() -> str:
    """The machine in words, such as "2 CPU cores, x86_64, Linux"."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} CPU cores, {platform.machine()}, {platform.system()}"
