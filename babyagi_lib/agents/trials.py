"""How reliable an agent is that tries each task several times: pass^k without bias. Used by lesson 14. Imports no torch.

pass^k is the probability that k tries of a task all succeed (Yao and others 2024, tau-bench, https://arxiv.org/abs/2406.12045); it
is not pass@k, where one success is enough. From n tries with c successes it is estimated without bias by counting the choices of
k of the n tries. Putting c/n into p^k instead gives too much on average, since p^k is convex.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

import numpy as np

from babyagi_lib.basics.arguments import check_whole


def pass_hat(successes: Sequence[int], tries: int, k: int) -> float:
    """pass^k, the chance that k tries of a task all succeed: C(c, k) / C(n, k), as a mean over the tasks.

    Args:
        successes: of each task, from 0 to `tries`.
        tries: of each task.
        k: from 1 to `tries`.

    Raises:
        ValueError: there is no task, or a number is out of its range.
    """
    return float(np.mean([comb(c, k) / comb(tries, k) for c in _checked(successes, tries, k)]))


def pass_hat_plugged_in(successes: Sequence[int], tries: int, k: int) -> float:
    """(c/n)^k, as a mean over the tasks: the estimate of pass^k that is too high on average.

    Args and Raises: as `pass_hat`.
    """
    return float(np.mean([(c / tries) ** k for c in _checked(successes, tries, k)]))


def _checked(successes: Sequence[int], tries: int, k: int) -> list[int]:
    check_whole("tries", tries, 1)
    check_whole("k", k, 1)
    if k > tries:
        raise ValueError(f"k is {k}, but each task was tried only {tries} times")
    found = [int(c) for c in np.asarray(successes).reshape(-1)]
    if not found or min(found) < 0 or max(found) > tries:
        raise ValueError(f"successes must be numbers from 0 to {tries}, one for each task")
    return found
