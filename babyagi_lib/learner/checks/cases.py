"""Judges an answer on several cases, each of which knows its right answer, and names a known mistake. Used by lesson 07.

A case is a dataclass: its fields are what the learner's function is given, and `right` is the right answer, an array. Imports
no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple
from typing import Any

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.learner.checks.answers import SINGLE, Wrong, array, rounded_to

Values = NDArray[np.float64]
Mistakes = Sequence[tuple[str, Callable[[Any], Values]]]
CLOSE = {"rtol": 1e-4, "atol": 1e-5}  # leaves room for an answer in single precision


def answers_to(attempt: Callable, cases: Sequence, expected: Callable[[Any], str]) -> list[Values]:
    """The attempt's answer to every case, each of the shape of the right one."""
    found = []
    for case in cases:
        given = [value.copy() if isinstance(value, np.ndarray) else value for value in astuple(case)]
        answer = array(attempt(*given), expected(case))
        if any(
            not np.array_equal(now, value)
            for now, value in zip(given, astuple(case), strict=True)
            if isinstance(value, np.ndarray)
        ):
            raise Wrong("your function changes the arrays that it was given; work on copies.")
        if answer.shape != case.right.shape:
            raise Wrong(f"return {expected(case)}: the shape is {answer.shape}; it should be {case.right.shape}.")
        found.append(answer)
    return found


def judge(found: list[Values], cases: Sequence, mistakes: Mistakes, tell: Callable[[int, tuple], str]) -> None:
    """Raise Wrong, with the mistake if it is a known one, unless all answers are right."""
    off = [i for i, case in enumerate(cases) if not np.allclose(found[i], case.right, **CLOSE)]
    if not off:
        return
    first = off[0]
    wrong = np.where(
        np.isclose(found[first], cases[first].right, **CLOSE), 0, np.abs(found[first] - cases[first].right)
    )
    said = tell(first, np.unravel_index(np.nanargmax(np.where(np.isnan(wrong), np.inf, wrong)), wrong.shape))
    if any(not np.isfinite(answer).all() for answer in found):
        raise Wrong("your answer holds NaN or infinity: is there a division by 0 or a logarithm of 0?" + said)
    flat, right = (np.concatenate([v.ravel() for v in many]) for many in (found, [case.right for case in cases]))
    if (decimals := rounded_to(flat, right, SINGLE)) is not None:
        raise Wrong(f"you round to {decimals} decimals: return the numbers as they are." + said)
    with np.errstate(all="ignore"):
        for message, mistake in mistakes:
            if all(np.allclose(answer, mistake(case), **CLOSE) for answer, case in zip(found, cases, strict=True)):
                raise Wrong(message + said)
    raise Wrong("this is not what the formula says." + said)
