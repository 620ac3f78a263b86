"""Waiting in line before one server: Lindley's recursion, exact mean waits, simulated arrivals. Used by lesson 18.

Customers arrive at random (a Poisson process), one is served at a time, the others wait in the order in which they came:
the M/G/1 queue. Its load is the share of time in which the server works, rate times mean service. Imports no torch.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from babyagi_lib.basics.arguments import check_number, check_whole
from babyagi_lib.basics.intervals import Interval

Values = NDArray[np.float64]


def lindley(gaps: ArrayLike, services: ArrayLike) -> Values:
    """How long each customer waits before he is served: (..., customers).

    Lindley (1952, https://doi.org/10.1017/S0305004100027638): the next customer waits as long as this one waited and was
    served, less the time between their arrivals, and never less than nothing: `w[n + 1] = max(0, w[n] + s[n] - g[n + 1])`.

    Args:
        gaps: the time from the arrival before to each arrival, (..., customers); the first is not used: the first customer
            finds nobody.
        services: how long each is served, of the same shape.

    Raises:
        ValueError: the shapes differ, there is no customer, or a time is negative.
    """
    gaps, services = np.asarray(gaps, float), np.asarray(services, float)
    if gaps.shape != services.shape or gaps.ndim == 0 or gaps.shape[-1] == 0:
        raise ValueError(f"gaps are {gaps.shape} and services {services.shape}; expected (..., customers) twice")
    if not (gaps.min() >= 0 and services.min() >= 0):  # also false for NaN
        raise ValueError("a time is negative, or not a number")
    waits = np.zeros_like(services)
    for n in range(gaps.shape[-1] - 1):
        waits[..., n + 1] = np.maximum(0, waits[..., n] + services[..., n] - gaps[..., n + 1])
    return waits


def poisson_queue(rate: float, services: ArrayLike, rng: np.random.Generator) -> Values:
    """The waits of customers who arrive at random, (runs, customers), for given services of that shape.

    Args:
        rate: arrivals in a unit of time, on average.
        services: how long each is served.
        rng: of the arrivals.
    """
    check_number("rate", rate, 0, above=True)
    services = np.asarray(services, float)
    return lindley(rng.exponential(1 / rate, services.shape), services)


def gamma_services(mean: float, variance: float, size: tuple[int, ...], rng: np.random.Generator) -> Values:
    """Services with a given mean and variance: gamma, which is constant at variance 0 and exponential at mean squared."""
    check_number("mean", mean, 0, above=True)
    check_number("variance", variance, 0)
    if variance == 0:
        return np.full(size, float(mean))
    return rng.gamma(mean**2 / variance, variance / mean, size)


def mean_wait(rate: float, mean: float, variance: float) -> float:
    """The mean wait in an M/G/1 queue, without the own service: `rate * (variance + mean^2) / (2 (1 - rate * mean))`.

    The formula of Pollaczek and Khinchine: of a service only mean and variance count. Infinite from a load of 1 on.

    Args:
        rate: arrivals in a unit of time.
        mean, variance: of a service.

    Raises:
        ValueError: a number is out of its range.
    """
    check_number("rate", rate, 0)
    check_number("mean", mean, 0, above=True)
    check_number("variance", variance, 0)
    load = rate * mean
    return math.inf if load >= 1 else rate * (variance + mean**2) / (2 * (1 - load))


def mean_of_waits(waits: ArrayLike, skip: int = 0) -> Interval:
    """The mean wait over independent runs with its 95% interval.

    The waits within a run are strongly correlated, so the interval comes from the means of the runs (Student's t).

    Args:
        waits: (runs, customers), at least two runs.
        skip: customers at the beginning that are left out, since each run begins with an empty line.
    """
    from scipy.stats import t

    waits = np.asarray(waits, float)
    check_whole("skip", skip, 0)
    if waits.ndim != 2 or len(waits) < 2 or waits.shape[1] <= skip:
        raise ValueError(f"waits are {waits.shape}; expected two runs or more, of more than {skip} customers")
    means = waits[:, skip:].mean(axis=1)
    half = t.ppf(0.975, len(means) - 1) * means.std(ddof=1) / math.sqrt(len(means))
    middle = means.mean()
    return Interval(middle, middle - half, middle + half)
