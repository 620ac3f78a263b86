"""Why a task loop stops or does not: new tasks per finished task are a branching process. Used by lesson 14. Imports no torch.

A finished task makes a random number of new ones, always with the same distribution and each independently. Then the tasks
are a Galton-Watson tree, and what becomes of it is known (Harris 1963, The Theory of Branching Processes, chapter 1): with m
new tasks on average, all tasks together are 1 / (1 - m) if m < 1, and the chance that they ever end is the smallest root of
f(s) = s, where f is the generating function of the number of new tasks.

A distribution is an array: entry k is the probability of k new tasks.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from babyagi_lib.basics.arguments import check_number, check_whole


def poisson(m: float, most: int | None = None) -> NDArray[np.float64]:
    """The Poisson distribution of mean `m`, cut where less than 1e-15 is left, or at `most`, and scaled to sum to 1.

    Raises:
        ValueError: `m` is negative.
    """
    check_number("m", m, 0)
    longest = most if most is not None else int(m + 12 * math.sqrt(m) + 20)
    counts = np.arange(longest + 1)
    logs = (
        counts * math.log(m) - np.array([math.lgamma(k + 1) for k in counts])
        if m > 0
        else np.where(counts, -np.inf, 0.0)
    )
    chances = np.exp(logs - m)
    return chances / chances.sum()


def extinction(chances: ArrayLike) -> float:
    """The probability that a loop which starts with one task ever ends: the smallest s in [0, 1] with f(s) = s.

    With several tasks at the start, all their trees have to end: take this to the power of their number. f(s) - s is convex
    and falls up to its first root, so Newton's method from 0 rises to that root and never passes it.

    Raises:
        ValueError: `chances` is no distribution.
    """
    chances = checked(chances)
    counts = np.arange(len(chances))
    if chances[0] == 0:
        return 0.0  # every task makes another one
    if counts @ chances <= 1:
        return 1.0
    s = 0.0
    for _ in range(200):
        powers = s**counts
        value = chances @ powers - s
        slope = (counts[1:] * chances[1:]) @ powers[:-1] - 1
        new = s - value / slope
        if not new > s:
            break
        s = float(new)
    return min(s, 1.0)


def expected_total(m: float) -> float:
    """Tasks in all, the first included, on average: 1 / (1 - m) below m = 1, else infinite.

    Raises:
        ValueError: `m` is negative.
    """
    check_number("m", m, 0)
    return 1 / (1 - m) if m < 1 else math.inf


def total_distribution(chances: ArrayLike, longest: int) -> NDArray[np.float64]:
    """The probability of n tasks in all, for n from 0 to `longest`, (longest + 1,).

    Otter (1949) and Dwass (1969): P(n in all) = P(n finished tasks make n - 1 new ones) / n. The sum of the n numbers is
    found by n convolutions, exact but for rounding. What is missing to 1 are longer loops, endless ones included.

    Raises:
        ValueError: `chances` is no distribution, or `longest` is below 1.
    """
    check_whole("longest", longest, 1)
    chances = checked(chances)
    found, total = np.zeros(longest + 1), np.ones(1)
    for n in range(1, longest + 1):
        total = np.convolve(total, chances)[:longest]
        if n - 1 < len(total):
            found[n] = total[n - 1] / n
    return found


def borel(m: float, longest: int) -> NDArray[np.float64]:
    """`total_distribution` for Poisson numbers, in closed form: exp(-m n) (m n)^(n-1) / n! (Borel 1942)."""
    check_number("m", m, 0, above=True)
    check_whole("longest", longest, 1)
    n = np.arange(1, longest + 1)
    logs = -m * n + (n - 1) * np.log(m * n) - np.array([math.lgamma(k + 1) for k in n])
    return np.concatenate([[0.0], np.exp(logs)])


def totals(chances: ArrayLike, runs: int, limit: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """How many tasks each of many loops finished: (runs,). A loop that is not over after `limit` tasks counts as `limit` + 1.

    Raises:
        ValueError: a parameter is out of its range.
    """
    check_whole("runs", runs, 1)
    check_whole("limit", limit, 1)
    edges = checked(chances).cumsum()
    finished = np.full(runs, limit + 1)
    going, waiting = np.arange(runs), np.ones(runs, dtype=np.int64)
    for number in range(1, limit + 1):
        new = np.minimum(np.searchsorted(edges, rng.random(len(going)), side="right"), len(edges) - 1)
        waiting = waiting + new - 1
        finished[going[waiting == 0]] = number
        going, waiting = going[waiting > 0], waiting[waiting > 0]
        if not len(going):
            break
    return finished


def grow(chances: ArrayLike, limit: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """One tree, first come, first served: the parent of each task, -1 for the first, at most `limit` tasks.

    Raises:
        ValueError: a parameter is out of its range.
    """
    check_whole("limit", limit, 1)
    edges, parents, at = checked(chances).cumsum(), [-1], 0
    while at < len(parents) < limit:
        new = min(int(np.searchsorted(edges, rng.random(), side="right")), len(edges) - 1)
        parents += [at] * min(new, limit - len(parents))
        at += 1
    return np.array(parents)


def checked(chances: ArrayLike) -> NDArray[np.float64]:
    """A distribution as an array; raises ValueError if it is none."""
    chances = np.asarray(chances, dtype=float)
    if chances.ndim != 1 or not len(chances) or not (chances >= 0).all() or abs(chances.sum() - 1) > 1e-9:
        raise ValueError(f"expected the probabilities of 0, 1, 2, ... new tasks, which sum to 1; got {chances!r:.80}")
    return chances
