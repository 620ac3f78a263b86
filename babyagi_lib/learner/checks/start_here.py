"""The exercise of lesson 00: how alike two vectors are."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.learner.checks.answers import SINGLE, Wrong, number, precision, rounded_to, side_by_side
from babyagi_lib.learner.checks.verdict import exercise

Vector = NDArray[np.float64]

# Lengths differ from 1 and from each other, and cosines of both signs have many decimals, so that no two of the mistakes
# below give the same numbers in all cases, nor the right ones. The first case has a round cosine, for a clear message.
CASES = [
    ("vectors of lengths 5 and 2", [3.0, 4.0], [0.0, 2.0]),
    ("two vectors of length 1 at a right angle", [1.0, 0.0], [0.0, 1.0]),
    ("a vector and itself", [0.6, 0.8], [0.6, 0.8]),
    ("opposite directions", [1.0, 2.0, 2.0], [-2.0, -4.0, -4.0]),
    ("five dimensions", [1.0, -2.0, 0.5, 3.0, -1.0], [0.5, 1.0, 2.0, 1.5, -4.0]),
    ("an obtuse angle in three dimensions", [0.3, -1.7, 2.9], [2.3, 1.1, -0.7]),
]


def right(a: Vector, b: Vector) -> float:
    """The cosine of the angle between two vectors."""
    return float(np.dot(a, b) / _lengths(a, b))


def _lengths(a: Vector, b: Vector) -> float:
    return float(np.linalg.norm(a) * np.linalg.norm(b))


MISTAKES: list[tuple[str, Callable[[Vector, Vector], float]]] = [
    ("that is the product alone; divide it by both lengths.", lambda a, b: a @ b),
    (
        "you divide by one length and multiply by the other, because `x / y * z` is `(x / y) * z`: put the product of the "
        "lengths in brackets.",
        lambda a, b: a @ b / np.linalg.norm(a) * np.linalg.norm(b),
    ),
    (
        "you divide by the squares of the lengths; a length is a square root.",
        lambda a, b: a @ b / _lengths(a, b) ** 2,
    ),
    (
        "you divide by the length of one vector only; both are needed.",
        lambda a, b: a @ b / np.linalg.norm(a),
    ),
    (
        "you divide by the length of one vector only; both are needed.",
        lambda a, b: a @ b / np.linalg.norm(b),
    ),
    (
        "you divide by the square of one length; each vector has its own length.",
        lambda a, b: a @ b / (a @ a),
    ),
    (
        "you divide by the square of one length; each vector has its own length.",
        lambda a, b: a @ b / (b @ b),
    ),
    (
        "you add the two lengths; multiply them.",
        lambda a, b: a @ b / (np.linalg.norm(a) + np.linalg.norm(b)),
    ),
    (
        "the root is taken of the sum of the two squared lengths; it is needed of their product.",
        lambda a, b: a @ b / np.sqrt(a @ a + b @ b),
    ),
    (
        "the length is not the sum of the absolute entries: square the entries, sum, and take the root.",
        lambda a, b: a @ b / (np.abs(a).sum() * np.abs(b).sum()),
    ),
    (
        "`len` counts the entries of a vector; its length in space is np.linalg.norm.",
        lambda a, b: a @ b / (len(a) * len(b)),
    ),
    ("that is the mean of the products; divide their sum by both lengths.", lambda a, b: (a * b).mean()),
    (
        "you subtract the means first, which gives a correlation: the cosine takes the vectors as they are.",
        lambda a, b: right(a - a.mean(), b - b.mean()),
    ),
    (
        "that is a distance: it is 0 for a vector and itself, where the cosine is 1.",
        lambda a, b: 1 - right(a, b),
    ),
    (
        "that is a distance: it is 0 for a vector and itself, where the cosine is 1.",
        lambda a, b: float(np.linalg.norm(a - b)),
    ),
    (
        "you moved the cosine into the range from 0 to 1: leave it as it is, from -1 to 1.",
        lambda a, b: (1 + right(a, b)) / 2,
    ),
    ("that is the angle; its cosine is asked for.", lambda a, b: math.acos(max(-1.0, min(1.0, right(a, b))))),
    (
        "that is the angle; its cosine is asked for.",
        lambda a, b: math.degrees(math.acos(max(-1.0, min(1.0, right(a, b))))),
    ),
    (
        "the size is right and the sign is wrong: opposite directions have the cosine -1.",
        lambda a, b: -right(a, b),
    ),
    (
        "the size is right and the sign is wrong: opposite directions have the cosine -1.",
        lambda a, b: abs(right(a, b)),
    ),
    (
        "you cut negative cosines off at 0: opposite directions have the cosine -1.",
        lambda a, b: max(0.0, right(a, b)),
    ),
    ("that is the square of the cosine: the sign is lost.", lambda a, b: right(a, b) ** 2),
    (
        "only the first two entries count: take the whole vectors, of any dimension.",
        lambda a, b: right(a[:2], b[:2]),
    ),
    (
        "only the first two entries are in the product: take all of them.",
        lambda a, b: a[:2] @ b[:2] / _lengths(a, b),
    ),
    ("that is the product of the lengths; the product of the vectors belongs above it.", lambda a, b: _lengths(a, b)),
    ("the fraction is upside down: the lengths belong below.", lambda a, b: _lengths(a, b) / (a @ b)),
]


@exercise
def cosine(similarity: Callable[[Vector, Vector], float]) -> str:
    """Check `similarity(a, b)`: the cosine of the angle between two vectors."""
    found, eps = np.zeros(len(CASES)), 0.0
    for i, (_, *pair) in enumerate(CASES):
        a, b = (np.array(vector) for vector in pair)
        answer = similarity(a, b)
        found[i], eps = number(answer), max(eps, precision(answer))
        if not all(np.array_equal(vector, before) for vector, before in zip((a, b), pair, strict=True)):
            raise Wrong("your function changes the vectors it is given; work on copies.")

    def of_all(formula: Callable[[Vector, Vector], float]) -> Vector:
        with np.errstate(all="ignore"):
            return np.array([formula(np.array(a), np.array(b)) for _, a, b in CASES], dtype=float)

    wanted = of_all(right)
    tolerance = 8 * max(SINGLE, eps)  # a Python float, too, may have been computed in float32
    decimals = rounded_to(found, wanted, eps)
    if decimals is None and np.allclose(found, wanted, rtol=0, atol=tolerance):
        return "1 for the same direction, 0 for a right angle, -1 for opposite directions, whatever the lengths."
    off = ~np.isclose(found, wanted, rtol=0, atol=tolerance if decimals is None else eps)
    first = int(np.argmax(off))
    name, a, b = CASES[first]
    one, other = side_by_side(found[first], wanted[first])
    said = f" For {name}, {a} and {b}, you return {one} where {other} is right."
    if decimals is not None:
        raise Wrong(f"you round to {decimals} decimals: return the number as it is." + said)
    for message, mistake in MISTAKES:
        if np.allclose(found, of_all(mistake), rtol=tolerance, atol=tolerance, equal_nan=True):
            raise Wrong(message + said)
    if not math.isfinite(found[first]):
        raise Wrong("is something divided by 0, or a root taken of a negative number?" + said)
    raise Wrong("the cosine is the product of the vectors divided by the product of their lengths." + said)
