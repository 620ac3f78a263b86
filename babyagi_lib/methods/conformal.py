"""Sets of answers that contain the right one with a promised probability: split conformal prediction. Used by lesson 15.

Messages that the classifier did not learn from are scored by how little it believed in the right class. The set of a new
message has all classes whose score is no higher than a quantile of these. If old and new messages are exchangeable, and no
two scores are equal, the coverage has an exact law, whatever the classifier. (Vovk, Gammerman and Shafer 2005; Vovk 2012,
"Conditional validity of inductive conformal predictors"; Angelopoulos and Bates 2023, sections 1 and 3.2; the score is that
of Sadinle, Lei and Wasserman 2019.) Imports no torch.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from babyagi_lib.basics.arguments import check_number, check_whole


def scores(probabilities: ArrayLike, labels: ArrayLike) -> NDArray:
    """How little a classifier believed in the right class: 1 minus its probability, (messages, classes) to (messages,).

    Raises:
        ValueError: the shapes do not fit, or a label is no column.
    """
    probabilities, labels = _fitting(probabilities, labels)
    return 1 - probabilities.astype(float)[np.arange(len(labels)), labels]


def rank(n: int, alpha: float) -> int:
    """Which of n scores, from the lowest, is the threshold: ceil((n + 1)(1 - alpha)); n + 1 if they are too few.

    Raises:
        ValueError: n is not a whole number of at least 1, or alpha not above 0 and below 1.
    """
    check_whole("n", n, 1)
    check_number("alpha", alpha, 0, 1, above=True)
    if alpha == 1:
        raise ValueError("alpha is 1; expected a number below 1")
    return math.ceil(round((n + 1) * (1 - alpha), 9))  # 10 * (1 - .3) is 7, not 7.000000000000001


def quantile(scores: ArrayLike, alpha: float) -> float:
    """The threshold: the ceil((n + 1)(1 - alpha))-th lowest of n scores.

    The + 1 is the new message, which is one of n + 1 that are exchangeable. Infinity, and so the set of all classes, if n is
    below 1 / alpha - 1: so few messages cannot promise that much.

    Raises:
        ValueError: there is no score, one is NaN, or alpha is not above 0 and below 1.
    """
    scores = np.asarray(scores, dtype=float)
    if scores.ndim != 1 or np.isnan(scores).any():
        raise ValueError(f"expected a number for each message, found the shape {scores.shape} or NaN")
    k = rank(len(scores), alpha)
    return float(np.sort(scores)[k - 1]) if k <= len(scores) else math.inf


def quantile_per_class(scores: ArrayLike, labels: ArrayLike, classes: int, alpha: float) -> NDArray:
    """A threshold for each class from its own messages, (classes,): the promise holds for each class by itself.

    Infinity for a class with too few messages, or none.
    """
    check_whole("classes", classes, 1)
    scores, labels = np.asarray(scores, dtype=float), np.asarray(labels)
    if scores.shape != labels.shape:
        raise ValueError(f"expected a score and a label for each message, found {scores.shape} and {labels.shape}")
    own = [scores[labels == c] for c in range(classes)]
    return np.array([quantile(found, alpha) if len(found) else math.inf for found in own])


def sets(probabilities: ArrayLike, threshold: ArrayLike) -> NDArray[np.bool_]:
    """The set of each message: which classes have a score of at most the threshold, (messages, classes).

    Args:
        probabilities: (messages, classes).
        threshold: a number, or one for each class, (classes,).
    """
    return 1 - np.asarray(probabilities, dtype=float) <= np.asarray(threshold, dtype=float)


def covered(sets: ArrayLike, labels: ArrayLike) -> NDArray[np.bool_]:
    """Whether the set of each message has its right class: (messages, classes) and (messages,) to (messages,)."""
    sets, labels = _fitting(sets, labels)
    return sets[np.arange(len(labels)), labels].astype(bool)


# --- the law of the coverage --------------------------------------------------------------------------------


def law(n: int, alpha: float) -> tuple[int, int]:
    """The law of the coverage over draws of n calibration messages: Beta(a, b), as (a, b) = (k, n + 1 - k).

    k is the `rank`. The coverage is that on endlessly many new messages. Its mean is k / (n + 1), at least 1 - alpha.

    Raises:
        ValueError: as `rank`; or n is so small that every set has all classes, and the coverage is always 1.
    """
    k = rank(n, alpha)
    if k > n:
        raise ValueError(f"{n} messages are too few for alpha = {alpha}: every set has all classes")
    return k, n + 1 - k


def beta_density(x: ArrayLike, a: float, b: float) -> NDArray:
    """The density of Beta(a, b) at each x from 0 to 1."""
    x = np.asarray(x, dtype=float)
    constant = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = np.exp(constant + (a - 1) * np.log(x) + (b - 1) * np.log1p(-x))
    at_the_ends = np.exp(constant) * np.where(x == 0, 0.0 ** (a - 1), 0.0 ** (b - 1))
    return np.where((x > 0) & (x < 1), inside, np.where((x == 0) | (x == 1), at_the_ends, 0.0))


def beta_sd(a: float, b: float) -> float:
    """The standard deviation of Beta(a, b)."""
    return math.sqrt(a * b / (a + b + 1)) / (a + b)


def count_law(test: int, a: int, b: int) -> NDArray:
    """The law of how many of `test` new messages are covered, (test + 1,): Beta-binomial with whole a and b.

    A finite test adds the chance of its own draw to that of the calibration. Among all orders of a + b - 1 old and `test`
    new scores, j new ones come before the a-th old one in C(a + j - 1, j) C(b - 1 + test - j, test - j) of
    C(a + b - 1 + test, test): computed in whole numbers, so exact to the last rounding.

    Raises:
        ValueError: a number is not whole or below 1.
    """
    for name, value in (("test", test), ("a", a), ("b", b)):
        check_whole(name, value, 1)
    before, behind = [1], [1]
    for j in range(test):
        before.append(before[-1] * (a + j) // (j + 1))  # C(a + j, j + 1)
        behind.append(behind[-1] * (b + j) // (j + 1))
    orders = math.comb(a + b - 1 + test, test)
    return np.array([one * other / orders for one, other in zip(before, reversed(behind), strict=True)])


def share_sd(counts: ArrayLike) -> float:
    """The standard deviation of the share of covered messages, from the law of their number: (test + 1,)."""
    counts = np.asarray(counts, dtype=float)
    share = np.linspace(0, 1, len(counts))
    return math.sqrt(counts @ (share - counts @ share) ** 2)


def _fitting(table: ArrayLike, labels: ArrayLike) -> tuple[NDArray, NDArray]:
    table, labels = np.asarray(table), np.asarray(labels)
    if table.ndim != 2 or labels.shape != table.shape[:1] or labels.dtype.kind not in "iu":
        raise ValueError(
            f"expected (messages, classes) and (messages,) whole numbers; found {table.shape} and {labels.dtype} {labels.shape}"
        )
    if len(labels) and (labels.min() < 0 or labels.max() >= table.shape[1]):
        raise ValueError(f"labels must be whole numbers from 0 to {table.shape[1] - 1}")
    return table, labels
