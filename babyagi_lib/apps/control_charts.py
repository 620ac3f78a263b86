"""Control charts for a share: a CUSUM with its exact run lengths, and other alarms on simulated streams. Used by lesson 16.

A stream is a row of 0 and 1 (1: flagged as negative). A chart watches it and raises an alarm when the share has risen. How
long it takes to a false alarm is computed here from a finite Markov chain, without simulation (Brook and Evans 1972,
https://doi.org/10.1093/biomet/59.3.539). Imports no torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.basics.arguments import check_number, check_whole

DENOMINATOR = 40  # of the lattice: fine enough to meet a run length within some per cent
LONGEST = 4000  # states of a chain that is solved as one dense system
RAREST = 1e12  # messages to an alarm

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Cusum:
    """A Bernoulli CUSUM in whole numbers: `up` for a flagged message, minus `down` for another, never below 0.

    Attributes:
        up, down: steps of the sum, in units of one lattice step; `down / (up + down)` is the share that moves it nowhere.
        threshold: the sum that raises an alarm, in the same units.
    """

    up: int
    down: int
    threshold: int

    def __post_init__(self) -> None:
        check_whole("up", self.up, 1)
        check_whole("down", self.down, 1)
        check_whole("threshold", self.threshold, 1)


# --- the chart and its exact run lengths --------------------------------------------------------------------


def weights(before: float, after: float) -> tuple[float, float]:
    """Log-likelihood ratios of a flagged message (positive) and of another one (negative), for a share that rises.

    Page (1954), https://doi.org/10.1093/biomet/41.1-2.100, with the weights of a likelihood-ratio test.

    Args:
        before: share of flagged messages in quiet times, above 0.
        after: the share that should raise an alarm, above `before` and below 1.

    Raises:
        ValueError: the shares are not in this order.
    """
    check_number("before", before, 0, 1, above=True)
    check_number("after", after, 0, 1, above=True)
    if not before < after < 1:
        raise ValueError(f"the share rises from {before!r} to {after!r}; expected 0 < before < after < 1")
    return math.log(after / before), math.log((1 - after) / (1 - before))


def lattice(before: float, after: float, denominator: int = DENOMINATOR) -> tuple[int, int]:
    """Whole steps `(up, down)` whose ratio is nearly that of `weights`, for a chain with finitely many states.

    Of the fractions whose denominator is above half of `denominator`, `down / (up + down)` is the nearest. Coarser steps, as
    in the classical choice of 1 / (up + down) (Reynolds and Stoumbos 1999,
    https://doi.org/10.1080/00224065.1999.11979900), jump past the run length that was asked for.

    Raises:
        ValueError: as `weights`, or no such fraction is between 0 and 1.
    """
    check_whole("denominator", denominator, 2)
    rise, fall = weights(before, after)
    still = -fall / (rise - fall)
    steps = [(whole, round(still * whole)) for whole in range(denominator // 2 + 1, denominator + 1)]
    usable = [(abs(down / whole - still), whole, down) for whole, down in steps if math.gcd(whole, down) == 1]
    usable = [found for found in usable if 0 < found[2] < found[1]]
    if not usable:
        raise ValueError(f"no fraction with a denominator of at most {denominator} is near {still:.4f}")
    _, whole, down = min(usable)
    return whole - down, down


def transitions(chart: Cusum, share: float) -> Values:
    """Probabilities of moving from one sum below the threshold to another: (threshold, threshold).

    What is missing from 1 in a row is the probability of an alarm.

    Args:
        chart: the chart.
        share: probability that a message is flagged.
    """
    check_number("share", share, 0, 1)
    states = np.arange(chart.threshold)
    moves = np.zeros((chart.threshold, chart.threshold))
    moves[states, np.maximum(states - chart.down, 0)] += 1 - share
    rising = states[states + chart.up < chart.threshold]
    moves[rising, rising + chart.up] += share
    return moves


def mean_time(chart: Cusum, share: float, start: Values | None = None) -> float:
    """Mean number of messages until an alarm, exact; `share` decides whether this is a false alarm or a delay.

    Infinite from 1e12 messages on, where double precision no longer solves the equations.

    Solves `(I - Q) m = 1` for the mean times m from every sum, with Q from `transitions`.

    Args:
        chart: with a threshold of at most 4,000.
        share: probability that a message is flagged, above 0.
        start: probabilities of the sums at the beginning, (threshold,); at 0 if none are given.
    """
    check_number("share", share, 0, 1, above=True)
    if chart.threshold > LONGEST:
        raise ValueError(f"the threshold is {chart.threshold:,}; chains of up to {LONGEST:,} states are solved")
    times = np.linalg.solve(np.eye(chart.threshold) - transitions(chart, share), np.ones(chart.threshold))
    mean = float(times[0] if start is None else np.asarray(start, float) @ times)
    return mean if 0 < mean < RAREST else math.inf


def walk(chart: Cusum, share: float, steps: int, start: Values | None = None) -> tuple[Values, Values]:
    """The chance of an alarm within 1, 2, ..., `steps` messages, and the sum's distribution then if there was none.

    Returns:
        (steps,) and (threshold,); the second sums to 1, or is 0 where the alarm was certain.
    """
    check_number("share", share, 0, 1)
    check_whole("steps", steps, 1)
    now = np.zeros(chart.threshold)
    now[0] = 1.0
    if start is not None:
        now = np.array(start, float)
    left = np.empty(steps)
    for step in range(steps):
        after = np.zeros_like(now)
        after[0] = (1 - share) * now[: chart.down + 1].sum()
        falling, rising = now[chart.down + 1 :], now[: max(0, len(now) - chart.up)]
        after[1 : 1 + len(falling)] += (1 - share) * falling
        after[chart.up :] += share * rising
        now = after
        left[step] = now.sum()
    return 1 - left, now / now.sum() if left[-1] > 0 else now


def chart_for(before: float, after: float, affordable: float, denominator: int = DENOMINATOR) -> Cusum:
    """The chart with the lowest threshold whose mean time to a false alarm is at least `affordable` messages.

    Raises:
        ValueError: as `lattice`, or the chain would have more than 4,000 states.
    """
    check_number("affordable", affordable, 1)
    up, down = lattice(before, after, denominator)
    low, high = 0, up  # a threshold of `up` is reached by one flagged message
    while mean_time(Cusum(up, down, high), before) < affordable:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if mean_time(Cusum(up, down, middle), before) >= affordable else (middle, high)
    return Cusum(up, down, high)


def gaussian_mean_time(reference: float, threshold: float, shift: float = 0.0, cells: int = 400) -> float:
    """Mean time to an alarm of a one-sided CUSUM for standard normal numbers, by a Markov chain of `cells` cells.

    Brook and Evans (1972), section 3. A two-sided CUSUM of the same kind alarms after `1 / (1 / up + 1 / down)` steps on
    average (Kemp 1961). The error falls with the square of `cells`.

    Args:
        reference: k, what is subtracted from each number, in standard deviations.
        threshold: h, in standard deviations.
        shift: true mean of the numbers.
        cells: of the chain.
    """
    moves = gaussian_transitions(reference, threshold, shift, cells)
    return float(np.linalg.solve(np.eye(cells) - moves, np.ones(cells))[0])


def gaussian_transitions(reference: float, threshold: float, shift: float = 0.0, cells: int = 400) -> Values:
    """The chain of `gaussian_mean_time`: cell 0 is around 0, the others are equally wide up to the threshold."""
    from scipy.stats import norm

    check_number("threshold", threshold, 0, above=True)
    check_whole("cells", cells, 2)
    width = 2 * threshold / (2 * cells - 1)
    centres = np.arange(cells) * width
    edges = centres[None, :] + width / 2 - centres[:, None] + reference - shift
    below = norm.cdf(edges)
    return np.diff(below, axis=1, prepend=0.0)


# --- alarms on simulated streams ----------------------------------------------------------------------------


def cusum_path(flags: NDArray, chart: Cusum) -> Values:
    """The sum after each message, without an end at the threshold: (streams, steps), in lattice steps.

    Args:
        flags: 0 and 1, (streams, steps).
    """
    flags = np.asarray(flags, bool)
    path, now = np.empty(flags.shape[::-1], np.int32), np.zeros(len(flags), np.int32)
    for step, flag in enumerate(flags.T):
        now = np.maximum(now + np.where(flag, chart.up, -chart.down), 0).astype(np.int32)
        path[step] = now
    return path.T


def window_path(flags: NDArray, width: int) -> Values:
    """The number of flagged messages among the last `width`: (streams, steps); fewer at the beginning."""
    check_whole("width", width, 1)
    total = np.cumsum(flags, axis=1, dtype=np.int32)
    total[:, width:] -= total[:, :-width].copy()
    return total


def page_hinkley_path(flags: NDArray, delta: float = 0.005) -> Values:
    """The statistic of the Page-Hinkley test: the sum of x - mean - delta, above its lowest value so far.

    The mean is that of the stream itself so far, so no share has to be known. It follows a shift, too, and then the
    statistic rises more slowly.

    Args:
        flags: 0 and 1, (streams, steps).
        delta: what is subtracted at each step.
    """
    flags = np.asarray(flags, np.float32)
    mean = np.cumsum(flags, axis=1) / np.arange(1, flags.shape[1] + 1, dtype=np.float32)
    total = np.cumsum(flags - mean - np.float32(delta), axis=1)
    return total - np.minimum(np.minimum.accumulate(total, axis=1), 0)


def split_path(flags: NDArray, widths: tuple[int, ...] = (16, 32, 64, 128, 256)) -> Values:
    """The largest z-score between the last messages and all before them, over several widths: the idea of ADWIN.

    ADWIN (Bifet and Gavaldà 2007) compares old with new in a window that it keeps itself. Here nothing is dropped.

    Args:
        flags: 0 and 1, (streams, steps).
        widths: how many of the last messages are compared with all before.
    """
    total = np.cumsum(flags, axis=1, dtype=np.float32)
    steps = np.arange(1, total.shape[1] + 1, dtype=np.float32)
    best = np.zeros_like(total)
    for width in (w for w in widths if w < total.shape[1]):
        old, n = total[:, :-width], steps[:-width]
        new = total[:, width:] - old
        mean = (total[:, width:] + 1) / (n + width + 2)
        z = (new / width - old / n) / np.sqrt(mean * (1 - mean) * (1 / width + 1 / n))
        z[:, :30] = 0  # too few to compare with
        np.maximum(best[:, width:], z, out=best[:, width:])
    return best


def first_alarm(path: NDArray, threshold: float) -> NDArray[np.int64]:
    """For each stream, the number of the first message (from 1) at which the path reaches the threshold; 0 if none does."""
    reached = np.asarray(path) >= threshold
    return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, 0)


def tuned_threshold(path: NDArray, affordable: float) -> tuple[float, float, float]:
    """Two thresholds and how often to use the lower one, so that quiet streams alarm after `affordable` on average.

    Counts jump from one threshold to the next. A coin, tossed once for each stream, meets the target exactly.

    Args:
        path: of quiet streams, much longer than `affordable`, (streams, steps).
        affordable: mean time to a false alarm, in messages.

    Returns:
        The lower threshold, the next higher one, and the share of streams that use the lower one.

    Raises:
        ValueError: the streams are too short, or their first step alarms already.
    """
    highest = np.maximum.accumulate(path, axis=1)
    levels = np.unique(highest)
    low, high = 0, len(levels) - 1

    def after(level: float) -> float:
        """Mean time; a stream without an alarm counts with its length, which is why streams should be long."""
        times = (highest < level).sum(axis=1) + 1
        return float(times.mean())

    if after(levels[high]) < affordable:
        raise ValueError(f"streams of {path.shape[1]:,} messages are too short to wait {affordable:,.0f} on average")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if after(levels[middle]) >= affordable else (middle, high)
    first, second = after(levels[low]), after(levels[high])
    coin = 0.0 if first == second else float(np.clip((second - affordable) / (second - first), 0, 1))
    return float(levels[low]), float(levels[high]), coin
