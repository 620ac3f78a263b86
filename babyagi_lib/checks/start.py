"""The exercise of lesson 00: how alike two vectors are."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.checks.verdict import Wrong, exercise

Vector = NDArray[np.float64]


@exercise("00_start_here")
def cosine(similarity: Callable[[Vector, Vector], float]) -> str:
    """Check `similarity(a, b)`: the cosine of the angle between two vectors."""
    cases = [
        ("vectors of lengths 5 and 2", [3.0, 4.0], [0.0, 2.0]),
        ("two vectors of length 1 at a right angle", [1.0, 0.0], [0.0, 1.0]),
        ("a vector and itself", [0.6, 0.8], [0.6, 0.8]),
        ("opposite directions", [1.0, 2.0, 2.0], [-2.0, -4.0, -4.0]),
        ("five dimensions", [1.0, -2.0, 0.5, 3.0, -1.0], [0.5, 1.0, 2.0, 1.5, 4.0]),
    ]
    for name, a, b in cases:
        first, second = np.array(a), np.array(b)
        found = similarity(first, second)
        if found is None:
            raise Wrong("your function returns nothing; return one number.")
        if np.shape(found) != ():
            raise Wrong(f"one number is needed, and you return something of shape {np.shape(found)}.")
        if not (np.array_equal(first, a) and np.array_equal(second, b)):
            raise Wrong("your function changes the vectors it is given; work on copies.")
        product, one, two = float(np.dot(a, b)), float(np.linalg.norm(a)), float(np.linalg.norm(b))
        wanted = product / (one * two)
        said = f" For {name}, {a} and {b}, you return {float(found):.4g} where {wanted:.4g} is right."
        if math.isclose(found, wanted, abs_tol=1e-9):
            continue
        if math.isclose(found, product, abs_tol=1e-9):
            raise Wrong("that is the product alone; divide it by both lengths." + said)
        if math.isclose(found, product / (one * two) ** 2, abs_tol=1e-9):
            raise Wrong("you divide by the squares of the lengths; a length is a square root." + said)
        if math.isclose(found, product / one, abs_tol=1e-9) or math.isclose(found, product / two, abs_tol=1e-9):
            raise Wrong("you divide by the length of one vector only; both are needed." + said)
        if math.isclose(found, 1 - wanted, abs_tol=1e-9):
            raise Wrong("that is a distance: it is 0 for a vector and itself, where the cosine is 1." + said)
        if math.isclose(found, -wanted, abs_tol=1e-9) or math.isclose(found, abs(wanted), abs_tol=1e-9):
            raise Wrong("the size is right and the sign is wrong: opposite directions have the cosine -1." + said)
        raise Wrong("the cosine is the product of the vectors divided by the product of their lengths." + said)
    return "1 for the same direction, 0 for a right angle, -1 for opposite directions, whatever the lengths."
