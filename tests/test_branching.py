"""The size of a tree of tasks, against closed forms, against enumeration and against simulation."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babyagi_lib.agents import branching

distributions = st.lists(st.floats(0.01, 1), min_size=2, max_size=5).map(lambda p: np.array(p) / sum(p))


def mean(chances):
    return np.arange(len(chances)) @ chances


@pytest.mark.parametrize("m", [0.0, 0.3, 0.8, 1.0, 1.2, 3.0])
def test_poisson_has_its_mean_and_its_probabilities(m):
    chances = branching.poisson(m)
    assert mean(chances) == pytest.approx(m, abs=1e-12)
    assert chances[2] == pytest.approx(math.exp(-m) * m**2 / 2, abs=1e-12)


@pytest.mark.parametrize("m", [0.3, 0.8, 1.0, 1.2, 2.0])
def test_the_convolution_is_the_closed_form(m):
    found = branching.total_distribution(branching.poisson(m), 80)
    assert np.allclose(found, branching.borel(m, 80), rtol=1e-9, atol=1e-15)


def by_enumeration(chances, n):
    """P(n tasks in all): all sequences of new tasks whose walk first has nothing left after exactly n."""
    total = 0.0
    for numbers in itertools.product(range(len(chances)), repeat=n):
        left = 1 + np.cumsum(np.array(numbers) - 1)
        if left[-1] == 0 and (left[:-1] > 0).all():
            total += math.prod(chances[k] for k in numbers)
    return total


@settings(max_examples=20)
@given(distributions)
def test_the_distribution_of_the_total_is_that_of_all_small_trees(chances):
    found = branching.total_distribution(chances, 5)
    assert found[0] == 0
    for n in range(1, 6):
        assert found[n] == pytest.approx(by_enumeration(chances, n), abs=1e-12)


@settings(max_examples=50)
@given(distributions)
def test_extinction_is_the_smallest_root(chances):
    found = branching.extinction(chances)
    counts = np.arange(len(chances))
    f = lambda s: chances @ s**counts  # noqa: E731
    assert f(found) == pytest.approx(found, abs=1e-9)
    assert all(f(s) > s for s in np.linspace(0, found - 1e-6, 50))
    assert (found < 1) == (mean(chances) > 1 + 1e-12)


def test_extinction_is_the_sum_of_all_finite_totals():
    chances = branching.poisson(1.3)
    assert branching.extinction(chances) == pytest.approx(branching.total_distribution(chances, 600).sum(), abs=1e-9)
    assert branching.extinction([0, 0.5, 0.5]) == 0  # every task makes one at least
    assert branching.extinction([0.0, 1.0]) == 0  # exactly one: goes on forever
    assert branching.extinction([1.0]) == 1


def test_the_mean_of_the_total():
    chances = branching.poisson(0.6)
    found = branching.total_distribution(chances, 400)
    assert np.arange(401) @ found == pytest.approx(branching.expected_total(0.6), abs=1e-9)
    assert branching.expected_total(1.0) == branching.expected_total(1.2) == math.inf


def test_simulated_totals_have_the_exact_distribution():
    chances, runs = branching.poisson(0.9), 20_000
    found = branching.totals(chances, runs, 50, np.random.default_rng(3))
    exact = branching.total_distribution(chances, 50)
    counted = np.bincount(found, minlength=52)
    expected = runs * np.append(exact, 1 - exact.sum())
    assert (
        (counted - expected)[1:] ** 2 / expected[1:]
    ).sum() < 90  # chi-squared with 50 degrees: above 90 is p < .0005
    assert found.max() == 51


def test_a_tree_is_a_tree_and_its_size_has_that_distribution():
    rng, chances = np.random.default_rng(5), branching.poisson(0.7)
    trees = [branching.grow(chances, 30, rng) for _ in range(3000)]
    for parents in trees[:50]:
        assert parents[0] == -1 and (parents[1:] < np.arange(1, len(parents))).all() and (np.diff(parents) >= 0).all()
    exact = branching.borel(0.7, 3)
    for n in (1, 2, 3):
        share = np.mean([len(parents) == n for parents in trees])
        assert abs(share - exact[n]) < 4 * math.sqrt(exact[n] / 3000)


@pytest.mark.parametrize("wrong", [[], [0.5, 0.4], [1.5, -0.5], [[1.0]], [np.nan, 1]])
def test_what_is_no_distribution_is_refused(wrong):
    with pytest.raises(ValueError, match="sum to 1"):
        branching.extinction(wrong)


def test_numbers_out_of_range_are_refused():
    with pytest.raises(ValueError, match="m is -1"):
        branching.poisson(-1)
    with pytest.raises(ValueError, match="limit"):
        branching.grow([1.0], 0, np.random.default_rng(0))
