"""The gate: may a new version take the place of the old one? Only on evidence that it earns more. Used by lesson 13.

The evidence is a stream of numbers D, each an unbiased estimate of what the new version earns more than the old one, such as
(new weight - old weight) · reward from a log with propensities (`rl.off_policy`), or `split_difference` where some parts go to
the new version. A gate *promotes* the new version when it can say that the mean of D is above 0. If the new version is not
better, it should promote with a probability of at most delta, however often it looks.

`BettingGate` keeps this promise. It bets a share of a capital, which begins at 1, on each D being positive: the capital is
multiplied by 1 + lambda·D. If the mean of D is at most 0, no way of betting makes the capital grow on average, and by Ville's
inequality it ever reaches 1/delta with a probability of at most delta. The best lambda is not known, so the capital is split
equally over `FRACTIONS` (Waudby-Smith & Ramdas 2024, https://arxiv.org/abs/2010.09686). What must be known is the least value
that D can have, since 1 + lambda·D must never be negative. The least D in a sample is not it.

For comparison: `normal_bound`, which most people use, `bootstrap_bound`, and `empirical_bernstein_bound`.
Imports no torch.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from babyagi_lib.basics.arguments import check_number, check_whole

# Shares of the most that can be bet: lambda = fraction / -least. The capital is split equally over them.
FRACTIONS = np.geomspace(0.002, 0.95, 20)
ROUNDING = 1e-9  # by how much D may be below its least value, in proportion


class BettingGate:
    """A gate that looks after every D and promotes a version that is not better with probability `delta` at most.

    Args:
        least: the least value that D can have, below 0. It follows from the smallest propensity and the range of rewards.
        delta: the largest acceptable probability of a false promotion.

    Attributes:
        count: how many D were observed.
        crossed: after how many D the capital reached 1/delta; None if it has not.

    Raises:
        ValueError: `least` is not a finite number below 0, or `delta` not between 0 and 1.
    """

    def __init__(self, least: float, delta: float = 0.05) -> None:
        self.least, self.delta = _checked_least(least), _checked_delta(delta)
        self.count = 0
        self.crossed: int | None = None
        self._log = np.zeros(len(FRACTIONS))  # ln of the capital of each fraction, beginning at ln 1

    @property
    def capital(self) -> float:
        """The capital now."""
        return float(_mean_of_exponentials(self._log))

    @property
    def promoted(self) -> bool:
        """Whether the capital has reached 1/delta at any time: evidence that was enough once stays enough."""
        return self.crossed is not None

    def observe(self, values: ArrayLike) -> bool:
        """Bet on these D one after the other; returns whether the new version may be promoted.

        It makes no difference whether the D come one by one or many at once, to the last bit.

        Args:
            values: D, a number or (n,).

        Raises:
            ValueError: a D is below the least value or not finite. None of `values` is counted then.
        """
        values = _checked_values(values, self.least)
        steps = np.log1p(values[:, None] * FRACTIONS / -self.least)
        # accumulate adds one after the other, in the order of time
        paths = np.add.accumulate(np.concatenate([self._log[None], steps]))[1:]
        enough = np.flatnonzero(_mean_of_exponentials(paths) >= 1 / self.delta)
        if self.crossed is None and len(enough):
            self.crossed = self.count + int(enough[0]) + 1
        if len(paths):
            self._log = paths[-1]
        self.count += len(values)
        return self.promoted

    def state(self) -> dict[str, Any]:
        """Everything that the gate knows, for JSON. A gate made `from_state` goes on with the same bits."""
        logs = self._log.tolist()
        return {"least": self.least, "delta": self.delta, "count": self.count, "crossed": self.crossed, "logs": logs}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> BettingGate:
        """The gate with a state that `state` returned.

        Raises:
            ValueError: it is no such state.
        """
        names = {"least", "delta", "count", "crossed", "logs"}
        if not isinstance(state, Mapping) or set(state) != names:
            raise ValueError(f"no state of a gate; its names must be {', '.join(sorted(names))}")
        gate = cls(state["least"], state["delta"])
        check_whole("count", state["count"], 0)
        if state["crossed"] is not None:
            check_whole("crossed", state["crossed"], 1)
            if state["crossed"] > state["count"]:
                raise ValueError(f"crossed is {state['crossed']}, after the last of {state['count']} observations")
        gate.count, gate.crossed = state["count"], state["crossed"]
        gate._log = np.array(state["logs"], dtype=float)
        if gate._log.shape != FRACTIONS.shape or not np.isfinite(gate._log).all():
            raise ValueError(f"logs must be {len(FRACTIONS)} finite numbers")
        return gate


# --- many repetitions at once, where D has few values -----------------------------------------------------------


def capital(counts: ArrayLike, atoms: ArrayLike, least: float) -> NDArray:
    """The capital of `BettingGate` from how often D had each of its possible values; (..., atoms) to (...).

    The order of the D does not matter to a capital, so counts are enough, and 10,000 repetitions cost milliseconds.

    Args:
        counts: how often each value came, (..., atoms).
        atoms: the values, (atoms,).
        least: the least value that D can have, below 0.

    Raises:
        ValueError: an atom is below `least`, or the shapes do not fit.
    """
    counts, atoms = _checked_atoms(counts, atoms)
    atoms = _checked_values(atoms, _checked_least(least))
    return _mean_of_exponentials(counts @ np.log1p(atoms[:, None] * FRACTIONS / -least))


def moments(counts: ArrayLike, atoms: ArrayLike) -> tuple[NDArray, NDArray, NDArray]:
    """Number, mean and variance (with n - 1) of D from how often each value came; (..., atoms) to three arrays (...).

    Raises:
        ValueError: the shapes do not fit, or a repetition has fewer than two D.
    """
    counts, atoms = _checked_atoms(counts, atoms)
    n = counts.sum(axis=-1)
    if (n < 2).any():
        raise ValueError("a variance needs two observations at least")
    mean = counts @ atoms / n
    variance = (counts * (atoms - mean[..., None]) ** 2).sum(axis=-1) / (n - 1)
    return n, mean, variance


def normal_bound(n: ArrayLike, mean: ArrayLike, variance: ArrayLike, delta: float) -> NDArray:
    """mean - z·sqrt(variance/n): right for normal D, and nearly so for many D that are not too skewed."""
    z = NormalDist().inv_cdf(1 - _checked_delta(delta))
    return np.asarray(mean) - z * np.sqrt(np.asarray(variance) / n)


def empirical_bernstein_bound(
    n: ArrayLike, mean: ArrayLike, variance: ArrayLike, delta: float, width: float
) -> NDArray:
    """A lower bound that holds for every bounded D, at one look (Maurer & Pontil 2009, theorem 4).

    mean - sqrt(2·variance·ln(2/delta)/n) - 7·width·ln(2/delta)/(3·(n - 1)), where D lies in an interval of this width.
    """
    check_number("width", width, 0, above=True)
    log = math.log(2 / _checked_delta(delta))
    n = np.asarray(n, dtype=float)
    return np.asarray(mean) - np.sqrt(2 * np.asarray(variance) * log / n) - 7 * width * log / (3 * (n - 1))


def bootstrap_bound(
    counts: ArrayLike, atoms: ArrayLike, delta: float, resamples: int, rng: np.random.Generator
) -> NDArray:
    """The share `delta` of the means of resamples lies below it: the percentile bootstrap; (..., atoms) to (...).

    Raises:
        ValueError: the shapes do not fit, or there is no resample.
    """
    check_whole("resamples", resamples, 1)
    counts, atoms = _checked_atoms(counts, atoms)
    n = counts.sum(axis=-1)
    drawn = rng.multinomial(n.astype(int), counts / n[..., None], size=(resamples, *n.shape))
    return np.quantile(drawn @ atoms / n, _checked_delta(delta), axis=0)


# --- evidence where a share of the parts goes to the new version ------------------------------------------------


def split_difference(reward: ArrayLike, sent: ArrayLike, share: float, centre: float = 0.0) -> NDArray:
    """D of parts that a coin sent to the new version or to the old one, (n,).

    (reward - centre)/share for a part of the new version, -(reward - centre)/(1 - share) for one of the old. Its mean is
    what the new version earns more for a part, whatever the centre; a centre near the usual reward makes D smaller.

    Args:
        reward: of each part, (n,).
        sent: whether it went to the new version, (n,) booleans.
        share: the probability of that, between 0 and 1.
        centre: a number chosen before the rewards are seen.

    Raises:
        ValueError: the shapes differ, a reward is not finite, or `share` is not between 0 and 1.
    """
    reward, sent = np.asarray(reward, dtype=float), np.asarray(sent)
    if reward.shape != sent.shape or sent.dtype != bool:
        raise ValueError(f"expected rewards and booleans of one shape; found {reward.shape}, {sent.shape} {sent.dtype}")
    if not np.isfinite(reward).all():
        raise ValueError("every reward must be a finite number")
    _check_share(share)
    return (reward - centre) * np.where(sent, 1 / share, -1 / (1 - share))


def split_least(low: float, high: float, share: float, centre: float = 0.0) -> float:
    """The least value that `split_difference` can have for rewards from `low` to `high`.

    Raises:
        ValueError: `low` is not below `high`, or `share` is not between 0 and 1.
    """
    check_number("high", high, low, above=True)
    _check_share(share)
    return min((low - centre) / share, -(high - centre) / (1 - share))


# --- checks -----------------------------------------------------------------------------------------------------


def _mean_of_exponentials(logs: NDArray) -> NDArray:
    """The mean of exp over the last axis; inf where it is too large for a float."""
    with np.errstate(over="ignore"):
        return np.exp(logs).mean(axis=-1)


def _checked_least(least: float) -> float:
    if isinstance(least, bool) or not isinstance(least, numbers.Real) or not -math.inf < least < 0:
        raise ValueError(f"least is {least!r}; expected a finite number below 0, the least value that D can have")
    return float(least)


def _checked_delta(delta: float) -> float:
    check_number("delta", delta, 0, 1, above=True)
    if delta == 1:
        raise ValueError("delta is 1: every version would be promoted")
    return float(delta)


def _check_share(share: float) -> None:
    check_number("share", share, 0, 1, above=True)
    if share == 1:
        raise ValueError("share is 1: the old version would get no part, and nothing could be compared")


def _checked_values(values: ArrayLike, least: float = -math.inf) -> NDArray:
    """D as a list, (n,); where rounding has taken one below `least`, it becomes `least`.

    Raises:
        ValueError: one is not finite or below `least`, or the shape is not (n,) or ().
    """
    values = np.asarray(values, dtype=float)
    if values.ndim > 1:
        raise ValueError(f"the values have the shape {values.shape}; expected a number or (n,)")
    values = np.atleast_1d(values)
    if not np.isfinite(values).all():
        raise ValueError("a value is not a finite number")
    if len(values) and least > -math.inf and values.min() < least - ROUNDING * -least:
        raise ValueError(
            f"a value is {values.min()}, below the least value {least} that the gate was told; a bet could lose more than "
            "there is. Compute the least value from the smallest propensity and the range of rewards."
        )
    return np.maximum(values, least)


def _checked_atoms(counts: ArrayLike, atoms: ArrayLike) -> tuple[NDArray, NDArray]:
    counts, atoms = np.asarray(counts, dtype=float), np.asarray(atoms, dtype=float)
    if atoms.ndim != 1 or counts.shape[-1:] != atoms.shape:
        raise ValueError(f"expected counts (..., atoms) and atoms (atoms,); found {counts.shape} and {atoms.shape}")
    if not (np.isfinite(counts).all() and (counts >= 0).all()):
        raise ValueError("every count must be a number of at least 0")
    return counts, atoms
