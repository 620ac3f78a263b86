"""Waiting in line: Lindley's recursion by another algorithm, and simulated waits beside the exact means."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from babyagi_lib.apps import queueing

times = st.floats(0, 10, allow_nan=False)


@given(st.lists(st.tuples(times, times), min_size=1, max_size=30))
def test_a_customer_is_served_when_he_is_there_and_the_one_before_has_gone(pairs):
    gaps, services = np.array(pairs).T
    free, clock, expected = 0.0, 0.0, []
    for number, (gap, service) in enumerate(pairs):
        clock += gap if number else 0.0
        begun = max(clock, free)
        expected.append(begun - clock)
        free = begun + service
    np.testing.assert_allclose(queueing.lindley(gaps, services), expected, atol=1e-9)
    np.testing.assert_allclose(
        queueing.lindley([gaps, gaps], [services, 0 * services]), [expected, 0 * gaps], atol=1e-9
    )


def test_the_mean_wait_is_that_of_the_textbook():
    assert queueing.mean_wait(0.8, 1, 1) == pytest.approx(4), "M/M/1: load / (1 - load) services"
    assert queueing.mean_wait(0.8, 1, 0) == pytest.approx(2), "M/D/1: half of it"
    assert queueing.mean_wait(8, 0.1, 0.01) == pytest.approx(0.4), "in other units of time"
    assert queueing.mean_wait(0, 1, 1) == 0 and queueing.mean_wait(1, 1, 0) == math.inf
    # E4/1 (Erlang services of four phases): (1 + 1/4) / 2 of M/M/1's wait, which is 1 here
    assert queueing.mean_wait(0.5, 1, 0.25) == pytest.approx(0.625)


@pytest.mark.parametrize("variance", [0.0, 0.25, 1.0, 3.0])
def test_simulated_waits_have_the_mean_of_pollaczek_and_khinchine(variance):
    rng = np.random.default_rng(0)
    services = queueing.gamma_services(1.0, variance, (600, 3000), rng)
    assert services.mean() == pytest.approx(1, abs=0.01) and services.var() == pytest.approx(variance, abs=0.05)
    found = queueing.mean_of_waits(queueing.poisson_queue(0.7, services, rng), skip=300)
    exact = queueing.mean_wait(0.7, 1.0, variance)
    assert found.low - 0.02 * exact <= exact <= found.high + 0.02 * exact and found.high - found.low < 0.15 * exact


def test_simulated_waits_of_exponential_services_have_the_exact_quantiles():
    """In an M/M/1 queue with load r nobody waits longer than t with probability 1 - r exp(-(1 - r) t)."""
    rng = np.random.default_rng(1)
    waits = queueing.poisson_queue(0.6, queueing.gamma_services(1.0, 1.0, (600, 2000), rng), rng)[:, 200:]
    assert np.mean(waits == 0) == pytest.approx(0.4, abs=0.01)
    for longest in (1, 3, 10):
        assert np.mean(waits <= longest) == pytest.approx(1 - 0.6 * math.exp(-0.4 * longest), abs=0.01)


def test_the_interval_is_that_of_independent_runs():
    rng = np.random.default_rng(2)
    runs = rng.normal(5, 1, (4000, 8, 1))
    covered = [(found := queueing.mean_of_waits(run)).low <= 5 <= found.high for run in runs]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.012)
    assert queueing.mean_of_waits([[9, 1, 1], [9, 1, 1]], skip=1).estimate == 1


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: queueing.lindley([1, 2], [1]),
        lambda: queueing.lindley([], []),
        lambda: queueing.lindley([1.0], [-1.0]),
        lambda: queueing.lindley([np.nan], [1.0]),
        lambda: queueing.mean_wait(-1, 1, 0),
        lambda: queueing.mean_wait(1, 0, 0),
        lambda: queueing.mean_wait(0.5, 1, -1),
        lambda: queueing.poisson_queue(0, [[1.0]], np.random.default_rng(0)),
        lambda: queueing.mean_of_waits([1.0, 2.0]),
        lambda: queueing.mean_of_waits([[1.0], [2.0]], skip=1),
    ],
)
def test_what_makes_no_queue_is_refused(wrong):
    with pytest.raises(ValueError):
        wrong()
