"""Binary cross-entropy computed safely, a checker for gradients, and how well probabilities are calibrated. Lesson 03.

All in NumPy and float64, so that nothing here knows of autograd: what the lesson checks torch against.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


def sigmoid(z: ArrayLike) -> NDArray[np.float64]:
    """1 / (1 + exp(-z)) for logits of any size: exp is only ever given what is not positive."""
    z = np.asarray(z, dtype=np.float64)
    small = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0, small) / (1 + small)


def stable_loss(z: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    """Binary cross-entropy of each logit: max(z, 0) - z y + log(1 + exp(-|z|)).

    Args:
        z: logits, any shape.
        y: labels from 0 to 1, of a shape that goes with it; between 0 and 1 after label smoothing.

    Returns:
        One loss for each logit; never infinite for a finite logit.
    """
    z, y = np.asarray(z, dtype=np.float64), np.asarray(y, dtype=np.float64)
    return np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))


def gradient_error(
    f: Callable[[NDArray], float], gradient: Callable[[NDArray], NDArray], theta: ArrayLike, step: float = 1e-5
) -> float:
    """How far a gradient is from central differences, relative to the gradient's largest entry.

    Args:
        f: from a vector (n,) to a number.
        gradient: from a vector (n,) to what should be the gradient of `f`, (n,).
        theta: where to compare them, (n,); left as it was.
        step: on either side of each coordinate.

    Returns:
        max |g - d| / max(|g|, |d|), both over all coordinates; 0 if g and d are zero throughout.

    Raises:
        ValueError: the gradient has another shape than theta.
    """
    theta = np.array(theta, dtype=np.float64)
    claimed = np.asarray(gradient(theta.copy()))
    if claimed.shape != theta.shape:
        raise ValueError(f"the gradient has shape {claimed.shape}, theta {theta.shape}")
    measured = np.empty_like(theta)
    for k in range(len(theta)):
        up, down = theta.copy(), theta.copy()
        up[k] += step
        down[k] -= step
        measured[k] = (f(up) - f(down)) / (2 * step)
    scale = max(np.abs(claimed).max(), np.abs(measured).max())
    return float(np.abs(claimed - measured).max() / scale) if scale != 0 else 0.0


@dataclass(frozen=True)
class Bin:
    """Predictions that said about the same.

    Attributes:
        count: how many.
        said: the mean of what they said.
        happened: the share of them whose label is 1.
        low, high: a 95% interval for the share that would show with endless data (see `wilson`).
    """

    count: int
    said: float
    happened: float
    low: float
    high: float


def reliability(probabilities: ArrayLike, labels: ArrayLike, bins: int = 10) -> list[Bin]:
    """Sort predictions into equal stretches of [0, 1], and see what share of each stretch has the label 1.

    Args:
        probabilities: of label 1, (predictions,).
        labels: 0 or 1, (predictions,).
        bins: stretches; those that no prediction fell into are left out.

    Raises:
        ValueError: there is nothing to sort, the lengths differ, or a probability is not in [0, 1].
    """
    p, y = np.asarray(probabilities, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    if p.ndim != 1 or p.shape != y.shape or not len(p):
        raise ValueError(f"one label for each probability is needed; the shapes are {p.shape} and {y.shape}")
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("probabilities lie between 0 and 1")
    where = np.minimum((p * bins).astype(int), bins - 1)  # 1.0 belongs to the last stretch
    found = []
    for i in range(bins):
        here = where == i
        if here.any():
            count = int(here.sum())
            low, high = wilson(int(y[here].sum()), count)
            found.append(Bin(count, float(p[here].mean()), float(y[here].mean()), low, high))
    return found


def calibration_error(bins: list[Bin]) -> float:
    """Expected calibration error: the mean of |said - happened| over all predictions (Naeini et al. 2015)."""
    total = sum(b.count for b in bins)
    return sum(b.count / total * abs(b.said - b.happened) for b in bins)


def wilson(successes: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """The interval of Wilson (1927) for a share: sensible for few trials and for shares of 0 and 1."""
    share = successes / trials
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials**2))
    # With a share of 0 or 1 the ends are exactly that, but for rounding.
    return max(0.0, min(middle - half, share)), min(1.0, max(middle + half, share))
