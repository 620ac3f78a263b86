"""Lesson 13's gate: the bet keeps its promise, exactly; what the others promise; a gate that is saved goes on as it was."""

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babyagi_lib.agents import gate
from babyagi_lib.agents.gate import BettingGate

few = settings(max_examples=40)
LEAST = -2.0
values_of_d = st.lists(st.floats(LEAST, 3), max_size=60)


def fair(atoms, p):
    """The same atoms, all moved so that their mean is 0."""
    atoms, p = np.array(atoms), np.array(p)
    return atoms - atoms @ p, p


def by_hand(values, least=LEAST):
    """The capital, multiplied out."""
    total = 0.0
    for fraction in gate.FRACTIONS:
        product = 1.0
        for d in values:
            product *= 1 + fraction / -least * d
        total += product
    return total / len(gate.FRACTIONS)


def enumerated(atoms, p, n):
    """Every sequence of n values, and its probability."""
    for chosen in itertools.product(range(len(atoms)), repeat=n):
        yield [atoms[place] for place in chosen], math.prod(p[place] for place in chosen)


# --- the promise ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("atoms", "p"), [((-1, 3), (0.75, 0.25)), ((-0.5, 0, 40), (0.5, 0.49, 0.01)), ((-9, 1), (0.1, 0.9))]
)
def test_the_capital_is_a_martingale_if_the_versions_are_equal(atoms, p):
    """Over all sequences of 6 values, from every beginning: the mean of the next capital is the capital."""
    atoms, p = fair(atoms, p)
    least = atoms.min()
    for n in range(4):
        for begun, _ in enumerated(atoms, p, n):
            now = by_hand(begun, least)
            after = sum(by_hand([*begun, atom], least) * chance for atom, chance in zip(atoms, p, strict=True))
            assert after == pytest.approx(now, abs=1e-12)
    worse = sum(by_hand(one, least - 0.1) * chance for one, chance in enumerated(atoms - 0.1, p, 5))
    assert worse < 1


def ever_promoted(atoms, p, least, delta, n):
    """The exact probability that the gate promotes within n values, two atoms: by how often the first one came."""
    here, promoted = np.array([1.0]), 0.0
    for t in range(1, n + 1):
        here = np.concatenate([here * p[1], [0]]) + np.concatenate([[0], here * p[0]])
        first = np.arange(t + 1)
        enough = gate.capital(np.stack([first, t - first], axis=1), atoms, least) >= 1 / delta
        promoted += here[enough].sum()
        here[enough] = 0
    return promoted


@pytest.mark.parametrize("delta", [0.2, 0.05])
@pytest.mark.parametrize(("atoms", "p"), [((-1, 1), (0.5, 0.5)), ((-1, 19), (0.95, 0.05)), ((-19, 1), (0.05, 0.95))])
def test_an_equal_version_is_promoted_with_probability_delta_at_most(atoms, p, delta):
    """At any of 400 looks. The probability is exact, so this is no matter of luck."""
    chance = ever_promoted(np.array(atoms, float), p, float(atoms[0]), delta, 400)
    assert 0 < chance <= delta
    assert chance > delta / 10, "nor does it promise far too little"


def test_a_least_value_taken_from_the_sample_breaks_the_promise():
    """-19 comes once in 20 times. Who has not seen it yet bets on 1 alone, and cannot lose."""
    seen = np.ones(30)
    assert BettingGate(-1).observe(seen), "with the least value of a sample without -19, the gate promotes at once"
    assert not BettingGate(-19).observe(seen)
    assert by_hand([1] * 9, -1) > 20 and 0.95**9 > 0.6  # the first 9 are all 1 in 63% of cases


def test_a_better_version_is_promoted_in_time():
    draw = np.random.default_rng(3)
    better = draw.choice([-1.0, 1.0], p=[0.4, 0.6], size=(100, 1000))
    crossed = []
    for values in better:
        one = BettingGate(-1)
        assert one.observe(values)
        crossed.append(one.crossed)
    assert 50 < np.median(crossed) < 300


def test_it_stays_promoted_and_says_since_when():
    one = BettingGate(-1)
    assert one.observe(np.ones(20)) and one.promoted
    since = one.crossed
    assert by_hand([1] * since, -1) >= 20 > by_hand([1] * (since - 1), -1)
    assert one.observe(-np.ones(100)) and one.crossed == since and one.capital < 1 and one.count == 120


# --- a gate is its sums -----------------------------------------------------------------------------------------


@few
@given(values_of_d)
def test_the_capital_is_what_is_multiplied_out(values):
    one = BettingGate(LEAST)
    one.observe(values)
    assert one.capital == pytest.approx(by_hand(values), rel=1e-9)
    atoms = sorted(set(values)) or [0.0]
    counts = [values.count(atom) for atom in atoms]
    assert gate.capital(counts, atoms, LEAST) == pytest.approx(one.capital, rel=1e-9)
    assert one.promoted == any(by_hand(values[:n]) >= 20 * (1 - 1e-12) for n in range(1, len(values) + 1))


@few
@given(values_of_d, st.integers(1, 7))
def test_a_gate_saved_and_continued_equals_one_that_was_not(values, step):
    """To the last bit, and in pieces of any size."""
    whole, pieces = BettingGate(LEAST, 0.2), BettingGate(LEAST, 0.2)
    whole.observe(values)
    for begin in range(0, len(values), step):
        pieces.observe(values[begin : begin + step])
        pieces = BettingGate.from_state(json.loads(json.dumps(pieces.state())))
    assert pieces.state() == whole.state()
    assert pieces.capital == whole.capital


def test_numbers_of_many_kinds_are_the_same_numbers():
    import torch

    states = []
    for values in ([0.5, 1, -1], np.float32([0.5, 1, -1]), torch.tensor([0.5, 1, -1]), (0.5, 1.0, -1.0)):
        one = BettingGate(-1)
        one.observe(values)
        states.append(one.state())
    one = BettingGate(-1)
    for d in (np.array(0.5), 1, -1.0):
        one.observe(d)
    assert all(state == one.state() for state in states)


def test_a_refused_value_leaves_the_gate_as_it_was():
    one = BettingGate(-1)
    one.observe([0.5, 0.5])
    before = one.state()
    for wrong, said in (([1, -1.01], "below the least value -1.0"), ([np.nan], "not a finite"), ([[1.0]], "shape")):
        with pytest.raises(ValueError, match=said):
            one.observe(wrong)
        assert one.state() == before
    one.observe(-1 - 1e-12)  # rounding
    assert np.isfinite(one.capital)


# --- bounds -----------------------------------------------------------------------------------------------------


def test_moments_are_those_of_the_values():
    draw = np.random.default_rng(1)
    atoms = np.array([-2.0, 0.0, 5.0])
    counts = draw.multinomial(30, [0.3, 0.3, 0.4], size=(4, 3))
    n, mean, variance = gate.moments(counts, atoms)
    values = np.repeat(atoms, counts[2, 1])
    assert (n == 30).all() and mean[2, 1] == pytest.approx(values.mean())
    assert variance[2, 1] == pytest.approx(values.var(ddof=1))


def test_bounds_are_those_of_their_papers():
    assert gate.normal_bound(100, 1.0, 4.0, 0.05) == pytest.approx(1 - 1.6448536 * 0.2)
    log = math.log(40)
    assert gate.empirical_bernstein_bound(100, 1.0, 4.0, 0.05, 10.0) == pytest.approx(
        1 - math.sqrt(8 * log / 100) - 70 * log / 297
    )


def test_the_bootstrap_resamples_the_values():
    atoms = np.array([-1.0, 0.5, 4.0])
    counts = np.array([[10, 5, 5], [0, 20, 0]])
    bound = gate.bootstrap_bound(counts, atoms, 0.05, 4000, np.random.default_rng(0))
    values = np.repeat(atoms, counts[0])
    draw = np.random.default_rng(9)
    means = values[draw.integers(20, size=(4000, 20))].mean(axis=1)
    assert bound[0] == pytest.approx(np.quantile(means, 0.05), abs=0.06) and bound[1] == pytest.approx(0.5)


def test_without_values_there_is_no_evidence():
    one = BettingGate(-3)
    assert not one.observe([]) and one.capital == 1 and one.count == 0


def test_many_repetitions_of_an_equal_version():
    """The normal bound where one value is rare and large; the exact numbers are the benchmark's."""
    atoms, p = np.array([-80.0, 0.22, 80.0]), np.array([0.0064, 0.9886, 0.005])
    atoms[1] = -(atoms[[0, 2]] @ p[[0, 2]]) / p[1]
    counts = np.random.default_rng(0).multinomial(50, p, size=4000)
    promoted = gate.normal_bound(*gate.moments(counts, atoms), 0.05) > 0
    assert promoted.mean() > 0.5 and (gate.capital(counts, atoms, -80) >= 20).mean() < 0.01


# --- parts split between two versions ---------------------------------------------------------------------------


@few
@given(st.floats(0.05, 0.95), st.floats(-1, 1), st.integers(0, 1000))
def test_a_split_is_unbiased_whatever_the_centre(share, centre, seed):
    """By the sum over both sides of the coin and all rewards."""
    draw = np.random.default_rng(seed)
    rewards = np.array([-1.5, -0.2, 1.0])
    old, new = draw.dirichlet(np.ones(3), size=2)
    sent, kept = (gate.split_difference(rewards, np.full(3, side), share, centre) for side in (True, False))
    mean = share * new @ sent + (1 - share) * old @ kept
    assert mean == pytest.approx((new - old) @ rewards, abs=1e-9)
    assert min(sent.min(), kept.min()) == pytest.approx(gate.split_least(-1.5, 1.0, share, centre))


@pytest.mark.parametrize(
    ("do", "said"),
    [
        (lambda: BettingGate(0), "least is 0"),
        (lambda: BettingGate(-math.inf), "least is -inf"),
        (lambda: BettingGate("-1"), "least is '-1'"),
        (lambda: BettingGate(-1, 1), "delta is 1"),
        (lambda: BettingGate(-1, 0), "delta is 0"),
        (lambda: gate.capital([1, 1], [-2.0, 1], -1), "below the least value"),
        (lambda: gate.capital([1, 1, 1], [-1.0, 1], -1), "expected counts"),
        (lambda: gate.capital([1, -1], [-1.0, 1], -1), "at least 0"),
        (lambda: gate.moments([1, 0], [-1.0, 1]), "two observations"),
        (lambda: gate.bootstrap_bound([1, 2], [-1.0, 1], 0.05, 0, np.random.default_rng()), "resamples is 0"),
        (lambda: gate.empirical_bernstein_bound(9, 0, 1, 0.05, 0), "width is 0"),
        (lambda: gate.split_difference([1.0], [True], 1), "share is 1"),
        (lambda: gate.split_difference([1.0], [1], 0.5), "booleans"),
        (lambda: gate.split_difference([math.nan], [True], 0.5), "finite"),
        (lambda: gate.split_least(1, 0, 0.5), "high is 0"),
        (lambda: BettingGate.from_state({"least": -1}), "its names must be"),
        (lambda: BettingGate.from_state(BettingGate(-1).state() | {"logs": [0.0]}), "20 finite numbers"),
        (lambda: BettingGate.from_state(BettingGate(-1).state() | {"crossed": 5}), "after the last of 0"),
        (lambda: BettingGate.from_state(BettingGate(-1).state() | {"count": -1}), "count is -1"),
    ],
)
def test_what_is_no_gate_is_refused(do, said):
    with pytest.raises(ValueError, match=said):
        do()
