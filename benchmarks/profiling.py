"""Where the time of a program goes, in a few rows. Benchmarks say with it what stands in the way of an aim.

And `finished`, to be called before a clock is read where a GPU may still be at work.
"""

from __future__ import annotations

import cProfile
import pstats
import re
from pathlib import Path

import torch


def hottest(watch: cProfile.Profile) -> list[dict]:
    """The functions that take most time themselves, with their share of the whole."""
    stats = pstats.Stats(watch)
    spent = sorted(((row[2], name) for name, row in stats.stats.items()), reverse=True)
    return [{"function": named(name), "share": round(own / stats.total_tt, 3)} for own, name in spent[:8]]


def finished() -> None:
    """Wait until the card has done what it was given; without a GPU there is nothing to wait for."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def named(function: tuple[str, int, str]) -> str:
    """A function of a profile in words, such as "optimizer.py: step" or "torch._C._EngineBase.run_backward"."""
    file, _, name = function
    if file != "~":
        return f"{Path(file).name}: {name}"
    if method := re.fullmatch(r"<method '(\w+)' of '([\w.]+)' objects>", name):
        return f"{method[2]}.{method[1]}"
    return name.removeprefix("<built-in method ").removesuffix(">")
