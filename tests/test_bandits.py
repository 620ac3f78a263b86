"""Lesson 13's bandits and its chain: the best rule and what others lose, exactly; how long until the far end is found."""

import time
from fractions import Fraction
from functools import cache, partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babyagi_lib.rl import bandits, exploring
from babyagi_lib.rl.mdp import MDP
from babyagi_lib.worlds.chain import LEFT, RIGHT, chain
from babyagi_lib.worlds.corridor import corridor

RULES = {
    "greedy": bandits.greedy,
    "thompson": bandits.thompson,
    "epsilon": bandits.epsilon_greedy,
    "ucb": bandits.ucb,
    "ucb1": bandits.ucb1,
}
few = settings(max_examples=25)
mean = st.floats(0, 1)


@cache
def followed(name, horizon):
    return bandits.follow(RULES[name], horizon)


@cache
def best(horizon):
    return bandits.plan(horizon)


# --- the programme against other ways to the same number --------------------------------------------------------


def recursion(horizon, rule=None):
    """The expected number of successes, exactly, by plain recursion: the best, or that of a rule."""

    @cache
    def worth(w1, n1, w2, n2):
        if n1 + n2 == horizon:
            return Fraction(0)
        both = []
        for arm, (w, n) in enumerate(((w1, n1), (w2, n2))):
            m = Fraction(w + 1, n + 2)
            after = [(w1 + s, n1 + 1, w2, n2) if arm == 0 else (w1, n1, w2 + s, n2 + 1) for s in (0, 1)]
            both.append(m * (1 + worth(*after[1])) + (1 - m) * worth(*after[0]))
        if rule is None:
            return max(both)
        p = rule(w1, n1, w2, n2)
        return p * both[0] + (1 - p) * both[1]

    return worth(0, 0, 0, 0)


def thompson_by_integration(w1, n1, w2, n2):
    """P(first mean > second mean): the integral of a polynomial, in fractions."""
    from math import comb, factorial

    a, b, c, d = w1 + 1, n1 - w1 + 1, w2 + 1, n2 - w2 + 1
    # P(X > Y) = sum over k of P(X > Y given that Y is Beta(c, d)), with the distribution of Y as a binomial tail.
    total = Fraction(0)
    for k in range(c, c + d):  # Y <= x has the probability of at least c successes in c + d - 1 trials
        beta = Fraction(factorial(a + k - 1) * factorial(b + c + d - 1 - k - 1), factorial(a + b + c + d - 2))
        total += comb(c + d - 1, k) * beta
    return total * Fraction(factorial(a + b - 1), factorial(a - 1) * factorial(b - 1))


def greedy_by_hand(w1, n1, w2, n2):
    one, two = Fraction(w1 + 1, n1 + 2), Fraction(w2 + 1, n2 + 2)
    return Fraction((one > two) - (one < two) + 1, 2)


@pytest.mark.parametrize("horizon", [1, 2, 7, 14])
def test_the_best_value_is_that_of_a_plain_recursion(horizon):
    assert best(horizon).value == pytest.approx(float(recursion(horizon)), abs=1e-12)


@pytest.mark.parametrize(
    ("name", "by_hand"),
    [
        ("greedy", greedy_by_hand),
        ("thompson", thompson_by_integration),
        ("epsilon", lambda *state: Fraction(1, 20) + Fraction(9, 10) * greedy_by_hand(*state)),
    ],
)
def test_a_rules_regret_is_that_of_a_plain_recursion(name, by_hand):
    found = followed(name, 12).bayes_regret
    for horizon in (1, 5, 12):
        exact = horizon * Fraction(2, 3) - recursion(horizon, by_hand)
        assert found[horizon] == pytest.approx(float(exact), abs=1e-12)


def simulated(rule, horizon, runs, draw, means=None):
    """Regret of each run, played pull by pull."""
    p = draw.random((runs, 2)) if means is None else np.tile(means, (runs, 1))
    pulls, won = np.zeros((runs, 2), dtype=int), np.zeros((runs, 2), dtype=int)
    for _ in range(horizon):
        first = np.empty(runs)
        for block in {tuple(row) for row in pulls.tolist()}:
            here = (pulls == block).all(axis=1)
            table = np.broadcast_to(rule(block, bandits.won_of(block)), (block[0] + 1, block[1] + 1))
            first[here] = table[won[here, 0], won[here, 1]]
        arm = (draw.random(runs) >= first).astype(int)
        pulls[np.arange(runs), arm] += 1
        won[np.arange(runs), arm] += draw.random(runs) < p[np.arange(runs), arm]
    return (p.max(axis=1, keepdims=True) - p)[:, 0] * pulls[:, 0] + (p.max(axis=1, keepdims=True) - p)[:, 1] * pulls[
        :, 1
    ]


@pytest.mark.parametrize("name", sorted(RULES))
def test_played_pulls_have_the_exact_regret(name):
    draw = np.random.default_rng(5)
    regret = simulated(RULES[name], 20, 10_000, draw)
    assert abs(regret.mean() - followed(name, 20).bayes_regret[-1]) < 4 * regret.std() / np.sqrt(10_000)
    regret = simulated(RULES[name], 20, 10_000, draw, (0.7, 0.4))
    exact = followed(name, 20)
    assert abs(regret.mean() - exact.regret((0.7, 0.4))) < 4 * regret.std() / np.sqrt(10_000)
    assert abs((regret > 3 + 1e-9).mean() - exact.tail((0.7, 0.4), 3)) < 0.015


def test_thompsons_choices_are_the_probability_that_an_arm_is_the_best():
    for pulls in ((0, 0), (3, 0), (0, 4), (6, 5), (1, 9)):
        found = bandits.thompson(pulls, bandits.won_of(pulls))
        for w1 in range(pulls[0] + 1):
            for w2 in range(pulls[1] + 1):
                exact = thompson_by_integration(w1, pulls[0], w2, pulls[1])
                assert found[w1, w2] == pytest.approx(float(exact), abs=1e-13)
    far = bandits.thompson((90, 90), bandits.won_of((90, 90)))
    assert (np.diff(far, axis=0) >= 0).all() and far.min() > 0 and far.max() <= 1 and np.allclose(far, 1 - far.T)


def test_the_table_of_the_lesson():
    """Measured once; the figures of the prototype that another programme found are among them."""
    rows = {"greedy": (1.672, 2.691), "thompson": (2.126, 2.786), "epsilon": (2.136, 3.430), "ucb1": (3.518, 5.581)}
    for name, expected in rows.items():
        assert followed(name, 100).bayes_regret[[50, 100]].round(3).tolist() == list(expected)
    assert (round(best(50).regret, 3), round(best(100).regret, 3)) == (1.337, 1.748)


def test_a_hundred_pulls_take_no_time():
    begun = time.process_time()
    bandits.follow(bandits.plan(100).rule, 100)
    assert time.process_time() - begun < 2


# --- properties -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(RULES))
@pytest.mark.parametrize("horizon", [1, 6, 30])
def test_no_rule_is_better_than_the_best(name, horizon):
    assert followed(name, horizon).bayes_regret[-1] >= best(horizon).regret - 1e-12


def test_the_best_rule_has_the_best_value():
    assert bandits.follow(best(40).rule, 40).bayes_regret[-1] == pytest.approx(best(40).regret, abs=1e-11)


def test_regret_is_not_negative_and_never_falls():
    for name in RULES:
        regret = followed(name, 30).bayes_regret
        assert abs(regret[0]) < 1e-12 and (np.diff(regret) > 0).all()
        # these rules do not know the horizon, so a longer run begins as a shorter one
        assert np.allclose(regret[:13], followed(name, 12).bayes_regret, atol=1e-12)


@few
@given(st.sampled_from(sorted(RULES)), mean, mean)
def test_for_given_means_the_probabilities_are_probabilities(name, one, two):
    exact = followed(name, 12)
    p = exact.pulls((one, two))
    assert (p >= 0).all() and p.sum() == pytest.approx(1, abs=1e-12)
    assert 0 <= exact.regret((one, two)) <= 12 * abs(one - two) + 1e-9
    assert exact.tail((one, two), 12.0) == 0 and exact.tail((one, two), -1.0) == pytest.approx(1)


@few
@given(st.sampled_from(sorted(RULES)), mean, mean)
def test_the_names_of_the_arms_do_not_matter(name, one, two):
    exact = followed(name, 12)
    assert np.allclose(exact.pulls((one, two)), exact.pulls((two, one))[::-1], atol=1e-12)
    assert exact.tail((one, two), 1.0) == pytest.approx(exact.tail((two, one), 1.0), abs=1e-12)


def test_the_bayes_regret_is_the_mean_over_all_means():
    """By Gauss-Legendre, on both sides of the line where the regret has its kink."""
    x, w = np.polynomial.legendre.leggauss(20)
    x, w = (x + 1) / 2, w / 2
    for name in RULES:
        exact = followed(name, 12)
        # over the triangle two < one, by two = one · v; the other triangle is the same with the arms exchanged
        total = sum(
            wu * wv * u * (exact.regret((u, u * v)) + exact.regret((u * v, u)))
            for u, wu in zip(x, w, strict=True)
            for v, wv in zip(x, w, strict=True)
        )
        assert total == pytest.approx(exact.bayes_regret[-1], abs=1e-9)


def test_greedy_is_no_worse_on_average_and_worse_in_its_tail():
    greedy, thompson = followed("greedy", 100), followed("thompson", 100)
    assert greedy.bayes_regret[100] < thompson.bayes_regret[100]
    assert greedy.tail((0.6, 0.4), 10) > 3 * thompson.tail((0.6, 0.4), 10)


@pytest.mark.parametrize(
    ("do", "said"),
    [
        (lambda: bandits.plan(0), "horizon is 0"),
        (lambda: bandits.follow(bandits.greedy, 1000), "at most 200"),
        (lambda: bandits.follow(lambda pulls, won: np.full((2, 2), 0.5), 3), "returned the shape"),
        (lambda: bandits.follow(lambda pulls, won: np.array(1.5), 3), "expected probabilities"),
        (lambda: bandits.follow(lambda pulls, won: np.array(np.nan), 3), "expected probabilities"),
        (lambda: bandits.follow(partial(bandits.epsilon_greedy, epsilon=2), 3), "epsilon is 2"),
        (lambda: bandits.follow(partial(bandits.ucb, width=-1), 3), "width is -1"),
        (lambda: followed("greedy", 12).pulls((0.5, 1.5)), "a mean is 1.5"),
    ],
)
def test_what_is_no_bandit_is_refused(do, said):
    with pytest.raises(ValueError, match=said):
        do()


# --- the chain --------------------------------------------------------------------------------------------------


def right_with(p, cells):
    return np.tile([1 - p, p], (cells, 1))


@pytest.mark.parametrize("cells", [2, 3, 8, 40])
@pytest.mark.parametrize("p", [0.5, 0.05, 0.9])
def test_the_expected_time_is_that_of_the_formula_for_a_walk(cells, p):
    """Step by step: d(k) is the expected time from k to k + 1, d(0) = 1/p, d(k) = (1 + (1 - p)·d(k - 1))/p."""
    step = [1 / Fraction(p)]
    for _ in range(cells - 2):
        step.append((1 + (1 - Fraction(p)) * step[-1]) / Fraction(p))
    found = exploring.expected_steps(chain(cells), right_with(p, cells), cells - 1)
    for cell in range(cells):
        assert found[cell] == pytest.approx(float(sum(step[cell:])), rel=1e-11)
    if p == 0.5:
        assert found[0] == pytest.approx(cells * (cells - 1))


def test_who_may_get_stuck_needs_for_ever():
    world = chain(5)
    assert exploring.expected_steps(world, np.full(5, LEFT), 4).tolist() == [np.inf] * 4 + [0]
    assert exploring.expected_steps(world, np.array([RIGHT, RIGHT, LEFT, RIGHT, RIGHT]), 4).tolist() == [
        *[np.inf] * 3,
        1,
        0,
    ]
    assert exploring.expected_steps(world, np.full(5, RIGHT), 4).tolist() == [4, 3, 2, 1, 0]
    assert exploring.expected_steps(world, right_with(0.5, 5), 0)[0] == 0


def test_after_an_end_the_next_episode_begins():
    """From the last cell of a corridor a step right ends the episode, and the next one begins in the first cell."""
    found = exploring.expected_steps(corridor(4), np.full(4, RIGHT), 0)
    assert found.tolist() == [0, 3, 2, 1]


@few
@given(st.integers(0, 10_000))
def test_in_any_world_the_times_solve_their_equations(seed):
    draw = np.random.default_rng(seed)
    shape = (5, 2, 3)
    world = MDP(
        "random",
        draw.dirichlet(np.ones(3), size=shape[:2]),
        draw.integers(5, size=shape),
        np.zeros(shape),
        draw.random(shape) < 0.2,
        draw.dirichlet(np.ones(5)),
    )
    policy = draw.dirichlet(np.ones(2), size=5)
    h = exploring.expected_steps(world, policy, 2)
    after = np.where(world.terminated, world.start @ h, h[world.next_state])
    right = 1 + (policy * (world.probability * after).sum(axis=2)).sum(axis=1)
    others = np.arange(5) != 2
    assert h[2] == 0 and np.allclose(h[others], right[others]) and (h[others] >= 1).all()


def test_a_walk_in_many_runs_takes_the_expected_time():
    found = exploring.first_found(chain(6), 5, epsilon=1.0, runs=4000, seed=2)
    assert abs(found.mean() - 30) < 4 * found.std() / np.sqrt(4000)
    # without a reward and without a bonus, all actions are equally good: chance again
    found = exploring.first_found(chain(6, near=0.0), 5, runs=4000, seed=3)
    assert abs(found.mean() - 30) < 4 * found.std() / np.sqrt(4000)


def test_a_bonus_finds_the_far_end_and_a_bait_holds_who_has_none():
    for cells in (10, 20):
        counted = exploring.first_found(chain(cells), cells - 1, bonus=1.0, runs=100)
        assert cells - 1 <= counted.min() and counted.max() < cells * (cells - 1)
    held = exploring.first_found(chain(10), 9, epsilon=0.1, runs=50, steps=1000)
    assert np.isinf(held).mean() > 0.5


def test_the_updates_are_those_that_are_worked_out_by_hand():
    """Bonus 1, gamma 1/2: Q begins at 2, alpha is 1/2.

    In a chain of two cells, who goes left first has Q = 2 + (1.1 + 1 - 2)/2 = 2.05 there, goes left again, has
    2.05 + (0.1 + 0.707 + 1.025 - 2.05)/2 = 1.94, and goes right. Where the first action ends the episode instead, nothing
    follows it: Q = 2 + (1 - 2)/2 = 1.5.
    """
    by_hand = {"bonus": 1.0, "gamma": 0.5, "alpha": 0.5, "runs": 50}
    assert set(exploring.first_found(chain(2), 1, **by_hand)) == {1, 3}
    moves, ends = np.array([[[0], [1]], [[0], [0]]]), np.array([[[True], [False]], [[True], [True]]])
    world = MDP("two states", np.ones(moves.shape), moves, np.zeros(moves.shape), ends, np.array([1.0, 0.0]))
    assert set(exploring.first_found(world, 1, **by_hand)) == {1, 2}


def test_the_same_seed_gives_the_same_runs():
    one, two, other = (exploring.first_found(chain(6), 5, bonus=1.0, runs=30, seed=seed) for seed in (4, 4, 5))
    assert (one == two).all() and (one != other).any()


def test_who_begins_at_the_goal_has_found_it():
    assert exploring.first_found(chain(4), 0, runs=3).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("do", "said"),
    [
        (lambda: chain(1), "cells is 1"),
        (lambda: chain(3, near=-1), "near is -1"),
        (lambda: exploring.expected_steps(chain(3), np.full(3, 2), 2), "from 0 to 1"),
        (lambda: exploring.expected_steps(chain(3), np.ones((3, 2)), 2), "expected 3 actions"),
        (lambda: exploring.expected_steps(chain(3), np.full(3, 1), 3), "goal is 3"),
        (lambda: exploring.first_found(chain(3), 2, gamma=1), "gamma is 1"),
        (lambda: exploring.first_found(chain(3), 2, bonus=-1), "bonus is -1"),
        (lambda: exploring.first_found(chain(3), 2, alpha=0), "alpha is 0"),
    ],
)
def test_what_is_no_chain_is_refused(do, said):
    with pytest.raises(ValueError, match=said):
        do()
