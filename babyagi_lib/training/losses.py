"""Binary cross-entropy without overflow, a checker for gradients, and the calibration of probabilities. Lesson 03.

All in NumPy and float64, without autograd, so that the lesson can check torch against it. Imports no torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from babyagi_lib.basics.arguments import check_number, check_whole


def sigmoid(z: ArrayLike) -> NDArray[np.float64]:
    """1 / (1 + exp(-z)) for logits of any size: the argument of exp is never positive, so it cannot overflow."""
    z = np.asarray(z, dtype=np.float64)
    small = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0, small) / (1 + small)


def stable_loss(z: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    """Binary cross-entropy of each logit: max(z, 0) - z y + log(1 + exp(-|z|)).

    Args:
        z: finite logits, any shape.
        y: labels of the same shape, or of one that broadcasts to it, such as one label for all; from 0 to 1 (between
            them after label smoothing).

    Returns:
        One loss for each logit, finite and not negative.

    Raises:
        ValueError: a label is not from 0 to 1, a logit is not finite, or the shapes do not fit: labels (n, 1) for
            logits (n,) would give n times n losses.
    """
    z, y = np.asarray(z, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if y.ndim > z.ndim or any(n not in (1, m) for n, m in zip(y.shape[::-1], z.shape[::-1], strict=False)):
        raise ValueError(f"labels of the shape {y.shape} do not fit logits of the shape {z.shape}")
    if not ((y >= 0) & (y <= 1)).all():
        raise ValueError(f"labels lie between 0 and 1; found {y[~((y >= 0) & (y <= 1))][0]}")
    if not np.isfinite(z).all():
        raise ValueError(f"logits must be finite; found {z[~np.isfinite(z)][0]}")
    return np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))


def gradient_error(
    f: Callable[[NDArray], float], gradient: Callable[[NDArray], NDArray], theta: ArrayLike, step: float = 1e-5
) -> float:
    """The largest difference of a gradient from central differences, relative to the largest entry of both.

    Args:
        f: from a vector (n,) to a number.
        gradient: from a vector (n,) to the claimed gradient of `f`, (n,).
        theta: where to compare them, (n,); left as it was.
        step: on either side of each coordinate.

    Returns:
        max |g - d| / max(|g|, |d|), both over all coordinates; 0 if g and d are zero throughout.

    Raises:
        ValueError: theta is not a vector, the gradient has another shape, or the step is not above 0.
    """
    check_number("step", step, 0, above=True)
    theta = np.array(theta, dtype=np.float64)
    if theta.ndim != 1 or not len(theta):
        raise ValueError(f"theta has shape {theta.shape}; expected a vector with at least one coordinate")
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
    """Predictions with similar probabilities.

    Attributes:
        count: how many.
        said: the mean of their probabilities.
        happened: the share of them whose label is 1.
        low, high: a 95% interval for this share in unlimited data (see `wilson`).
    """

    count: int
    said: float
    happened: float
    low: float
    high: float


def reliability(probabilities: ArrayLike, labels: ArrayLike, bins: int = 10) -> list[Bin]:
    """Sort predictions into bins of equal width on [0, 1], and count the share of each bin that has the label 1.

    Args:
        probabilities: of label 1, (predictions,).
        labels: 0 or 1, (predictions,).
        bins: how many; empty ones are left out.

    Raises:
        ValueError: there are no predictions, the lengths differ, a probability is not in [0, 1], a label is not 0 or 1,
            or there is no bin.
    """
    check_whole("bins", bins, 1)
    p, y = np.asarray(probabilities, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    if p.ndim != 1 or p.shape != y.shape or not len(p):
        raise ValueError(f"one label for each probability is needed; the shapes are {p.shape} and {y.shape}")
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("probabilities lie between 0 and 1")
    if not np.isin(y, (0, 1)).all():
        raise ValueError(f"labels are 0 or 1; found {y[~np.isin(y, (0, 1))][0]}")
    where = np.minimum((p * bins).astype(int), bins - 1)  # 1.0 belongs to the last bin
    found = []
    for i in range(bins):
        here = where == i
        if here.any():
            count = int(here.sum())
            low, high = wilson(int(y[here].sum()), count)
            found.append(Bin(count, float(p[here].mean()), float(y[here].mean()), low, high))
    return found


def calibration_error(bins: list[Bin]) -> float:
    """Expected calibration error: the mean of |said - happened| over all predictions (Naeini et al. 2015).

    Raises:
        ValueError: there are no bins.
    """
    if not bins:
        raise ValueError("there are no bins")
    total = sum(b.count for b in bins)
    return sum(b.count / total * abs(b.said - b.happened) for b in bins)


def wilson(successes: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """The interval of Wilson (1927) for a share; it also holds for few trials and for shares of 0 and 1.

    Raises:
        ValueError: there are no trials, more successes than trials, or z is not above 0.
    """
    check_whole("trials", trials, 1)
    check_number("successes", successes, 0, trials)
    check_number("z", z, 0, above=True)
    share = successes / trials
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials**2))
    # With a share of 0 or 1, one end is the share itself; rounding must not move it.
    return max(0.0, min(middle - half, share)), min(1.0, max(middle + half, share))
