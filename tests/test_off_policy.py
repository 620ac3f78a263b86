"""Lesson 13's estimates from logs: unbiased by a sum over everything that can happen, and what they do with bad logs."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babyagi_lib.rl import off_policy
from babyagi_lib.rl.off_policy import Log

few = settings(max_examples=25)
seeds = st.integers(0, 10_000)


class World:
    """Three contexts, two hidden states, three actions, and policies, all random."""

    def __init__(self, seed):
        draw = np.random.default_rng(seed)
        self.joint = draw.dirichlet(np.ones(6)).reshape(3, 2)
        self.payoff = draw.normal(size=(2, 3))
        self.behaviour, self.old, self.new = (draw.dirichlet(np.ones(3), size=3) for _ in range(3))
        self.behaviour = 0.9 * self.behaviour + 0.1 / 3
        self.model = draw.normal(size=(3, 3))

    def value(self, policy):
        return off_policy.value(self.joint, self.payoff, policy)

    def everything(self, n=1):
        """All logs of n decisions that can be, as one log with a row for each, and their probabilities."""
        one = list(itertools.product(range(3), range(2), range(3)))
        context, hidden, action = np.array(list(itertools.product(one, repeat=n))).transpose(2, 0, 1)
        chance = (self.joint[context, hidden] * self.behaviour[context, action]).prod(axis=1)
        return Log(context, action, self.behaviour[context, action], self.payoff[hidden, action]), chance


@few
@given(seeds)
def test_the_estimates_are_unbiased(seed):
    world = World(seed)
    for n in (1, 2):
        logs, chance = world.everything(n)
        assert chance.sum() == pytest.approx(1)
        exact = world.value(world.new)
        assert chance @ off_policy.ips(logs, world.new).estimate == pytest.approx(exact, abs=1e-12)
        dr = off_policy.doubly_robust(logs, world.new, world.model).estimate
        assert chance @ dr == pytest.approx(exact, abs=1e-12), "whatever the model"
        gain = chance @ off_policy.difference(logs, world.old, world.new).mean(axis=1)
        assert gain == pytest.approx(exact - world.value(world.old), abs=1e-12)
    assert off_policy.weights(logs, world.new).mean(axis=1) @ chance == pytest.approx(1)


def test_clipped_weights_and_a_ratio_are_biased():
    world = World(1)
    logs, chance = world.everything(2)
    exact = world.value(world.new)
    assert abs(chance @ off_policy.ips(logs, world.new, most=1.0).estimate - exact) > 0.01
    assert abs(chance @ off_policy.snips(logs, world.new).estimate - exact) > 0.005
    same = off_policy.ips(logs, world.new, most=1e9).estimate
    assert np.array_equal(same, off_policy.ips(logs, world.new).estimate)


@few
@given(seeds, st.floats(-5, 5))
def test_what_a_constant_in_all_rewards_does(seed, more):
    """SNIPS and DR with a model that knows of it move by the constant; IPS moves by the constant times the mean weight."""
    world = World(seed)
    log = off_policy.draw_log(world.joint, world.payoff, world.behaviour, 50, np.random.default_rng(seed))
    moved = replace(log, reward=log.reward + more)
    before, after = off_policy.snips(log, world.new), off_policy.snips(moved, world.new)
    assert np.allclose(np.array(after) - np.array(before), more)
    one = off_policy.doubly_robust(log, world.new, world.model)
    two = off_policy.doubly_robust(moved, world.new, world.model + more)
    assert np.allclose(np.array(two) - np.array(one), more)
    mean_weight = off_policy.weights(log, world.new).mean()
    shift = off_policy.ips(moved, world.new).estimate - off_policy.ips(log, world.new).estimate
    assert shift == pytest.approx(more * mean_weight)


@few
@given(seeds, st.permutations(range(3)))
def test_the_names_of_the_actions_do_not_matter(seed, order):
    world = World(seed)
    log = off_policy.draw_log(world.joint, world.payoff, world.behaviour, 30, np.random.default_rng(seed))
    place = np.argsort(order)
    named = replace(log, action=place[log.action])
    policy, model = world.new[:, order], world.model[:, order]
    for one, two in (
        (off_policy.ips(log, world.new), off_policy.ips(named, policy)),
        (off_policy.snips(log, world.new), off_policy.snips(named, policy)),
        (off_policy.doubly_robust(log, world.new, world.model), off_policy.doubly_robust(named, policy, model)),
    ):
        assert np.allclose(one, two)


def test_a_model_of_zeros_changes_nothing_and_a_good_one_helps():
    world = World(2)
    logs = off_policy.draw_log(world.joint, world.payoff, world.behaviour, (500, 100), np.random.default_rng(0))
    plain = off_policy.ips(logs, world.new)
    assert np.allclose(off_policy.doubly_robust(logs, world.new, np.zeros((3, 3))).estimate, plain.estimate)
    perfect = world.joint @ world.payoff / world.joint.sum(axis=1, keepdims=True)
    assert off_policy.doubly_robust(logs, world.new, perfect).estimate.std() < plain.estimate.std()


def test_the_behaviour_policy_itself_earns_the_mean():
    world = World(3)
    log = off_policy.draw_log(world.joint, world.payoff, world.behaviour, 200, np.random.default_rng(1))
    for found in (off_policy.ips(log, world.behaviour), off_policy.snips(log, world.behaviour)):
        assert found.estimate == pytest.approx(log.reward.mean())
    assert off_policy.effective_size(off_policy.weights(log, world.behaviour)) == pytest.approx(200)
    assert off_policy.effective_size([0.0, 0.0]) == 0 and off_policy.effective_size([2.0, 0.0]) == 1


def test_a_drawn_log_is_as_frequent_as_its_probabilities():
    world = World(4)
    log = off_policy.draw_log(world.joint, world.payoff, world.behaviour, 200_000, np.random.default_rng(2))
    context = np.bincount(log.context) / 200_000
    assert np.allclose(context, world.joint.sum(axis=1), atol=0.005)
    for x in range(3):
        taken = np.bincount(log.action[log.context == x], minlength=3)
        assert np.allclose(taken / taken.sum(), world.behaviour[x], atol=0.01)
    assert abs(log.reward.mean() - world.value(world.behaviour)) < 0.01


def test_many_logs_at_once_are_each_log_by_itself():
    world = World(5)
    logs = off_policy.draw_log(world.joint, world.payoff, world.behaviour, (4, 60), np.random.default_rng(3))
    second = Log(logs.context[1], logs.action[1], logs.propensity[1], logs.reward[1])
    for estimate in (
        lambda log: off_policy.ips(log, world.new),
        lambda log: off_policy.snips(log, world.new),
        lambda log: off_policy.doubly_robust(log, world.new, world.model),
    ):
        assert np.allclose([part[1] for part in estimate(logs)], estimate(second))


def test_the_intervals_cover_the_value():
    world = World(6)
    logs = off_policy.draw_log(world.joint, world.payoff, world.behaviour, (2000, 400), np.random.default_rng(4))
    exact = world.value(world.new)
    for _, low, high in (
        off_policy.ips(logs, world.new),
        off_policy.snips(logs, world.new),
        off_policy.doubly_robust(logs, world.new, world.model),
    ):
        assert 0.925 < ((low <= exact) & (exact <= high)).mean() < 0.97


def test_without_a_matching_action_snips_says_that_it_does_not_know():
    log = Log([0, 0], [0, 0], [0.5, 0.5], [1.0, 2.0])
    found = off_policy.snips(log, [[0.0, 1.0]])
    assert np.isnan(found.estimate) and np.isnan(found.low)
    assert off_policy.ips(log, [[0.0, 1.0]]).estimate == 0, "IPS does not say it"


# --- the difference of two policies -----------------------------------------------------------------------------


@few
@given(seeds, st.floats(-1, 1))
def test_the_values_of_the_difference_are_all_that_can_be(seed, centre):
    world = World(seed)
    atoms, p = off_policy.differences(world.joint, world.payoff, world.behaviour, world.old, world.new, centre)
    assert p.sum() == pytest.approx(1) and (np.diff(atoms) > 0).all()
    assert atoms @ p == pytest.approx(world.value(world.new) - world.value(world.old), abs=1e-9)
    low, high = world.payoff.min(), world.payoff.max()
    least = off_policy.least_difference(world.behaviour, world.old, world.new, low, high, centre)
    assert least <= atoms.min() + 1e-9
    log = off_policy.draw_log(world.joint, world.payoff, world.behaviour, 40, np.random.default_rng(seed))
    D = off_policy.difference(log, world.old, world.new, centre)
    assert (np.abs(D[:, None] - atoms).min(axis=1) < 1e-9).all()


def test_an_action_that_is_never_logged_cannot_be_judged():
    joint, payoff = np.array([[0.5], [0.5]]), np.array([[1.0, 2.0]])
    one, two = np.array([[1.0, 0.0]] * 2), np.array([[0.0, 1.0]] * 2)
    with pytest.raises(ValueError, match="never takes action 1"):
        off_policy.differences(joint, payoff, one, one, two)
    with pytest.raises(ValueError, match="never takes action 1"):
        off_policy.least_difference(one, one, two, 0, 1)


# --- whole episodes ---------------------------------------------------------------------------------------------


@few
@given(seeds)
def test_products_of_ratios_are_unbiased(seed):
    """Two decisions; the second depends on the first. All four courses with their probabilities."""
    draw = np.random.default_rng(seed)
    behaviour, policy = draw.dirichlet(np.ones(2), size=(2, 3))  # of the first decision, and after each first action
    reward = draw.normal(size=(2, 2, 2))  # of the first and the second decision, by both actions
    reward[0] = reward[0][:, :1]  # the first reward is paid before the second decision
    ratio, earned, chance, exact = [], [], [], 0.0
    for first, second in itertools.product(range(2), range(2)):
        b = np.array([behaviour[0, first], behaviour[1 + first, second]])
        q = np.array([policy[0, first], policy[1 + first, second]])
        ratio.append(q / b)
        earned.append(reward[:, first, second])
        chance.append(b.prod())
        exact += q.prod() * reward[:, first, second].sum()
    ratio, earned = np.array(ratio)[:, None], np.array(earned)[:, None]
    for estimate in (off_policy.whole_episode, off_policy.per_decision):
        assert chance @ estimate(ratio, earned).estimate == pytest.approx(exact, abs=1e-9)


def test_a_later_ratio_does_not_touch_an_earlier_reward():
    ratio, reward = np.array([[2.0, 0.0], [1.0, 3.0]]), np.array([[1.0, 5.0], [0.0, 1.0]])
    assert off_policy.per_decision(ratio, reward).estimate == pytest.approx((2 * 1 + 0 + 3) / 2)
    assert off_policy.whole_episode(ratio, reward).estimate == pytest.approx((0 + 3) / 2)


# --- bad logs ---------------------------------------------------------------------------------------------------

GOOD = {"context": [0, 1], "action": [1, 0], "propensity": [0.5, 1.0], "reward": [1.0, -1.0]}
POLICY = np.full((2, 2), 0.5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"propensity": [0.5, 0.0]}, "a propensity is 0.0"),
        ({"propensity": [0.5, 1.2]}, "a propensity is 1.2"),
        ({"propensity": [0.5, math.nan]}, "a propensity is nan"),
        ({"reward": [1.0, math.nan]}, "1 rewards are not finite"),
        ({"reward": [1.0]}, "must have one length"),
        ({"action": [0.0, 1.0]}, "every action must be a number 0, 1, 2"),
        ({"context": [-1, 0]}, "every context must be"),
        ({name: [] for name in GOOD}, "has no decision"),
        (dict.fromkeys(GOOD, 1), "must have one length"),
    ],
)
def test_what_is_no_log_is_refused(change, said):
    with pytest.raises(ValueError, match=said):
        Log(**GOOD | change)


@pytest.mark.parametrize(
    ("do", "said"),
    [
        (lambda log: off_policy.ips(log, np.ones((2, 2))), "sum to 1"),
        (lambda log: off_policy.ips(log, [0.5, 0.5]), "a table \\(contexts, actions\\)"),
        (lambda log: off_policy.ips(log, np.ones((1, 1))), "the log has the context 1 and the action 1"),
        (lambda log: off_policy.ips(log, POLICY, most=0), "most is 0"),
        (lambda log: off_policy.doubly_robust(log, POLICY, np.zeros(2)), "the policy's shape"),
        (lambda log: off_policy.value(np.ones((2, 2)), np.ones((2, 2)), POLICY), "sum to 1 over the table"),
        (lambda log: off_policy.value(POLICY / 2, np.full((2, 2), np.nan), POLICY), "every payoff"),
        (lambda log: off_policy.value(POLICY / 2, np.ones((3, 2)), POLICY), "expected \\(contexts, hidden\\)"),
        (lambda log: off_policy.per_decision([1.0], [1.0]), "\\(episodes, steps\\)"),
        (lambda log: off_policy.per_decision([[-1.0]], [[1.0]]), "at least 0"),
        (lambda log: off_policy.least_difference(POLICY, POLICY, POLICY, 1, 0), "high is 0"),
    ],
)
def test_what_cannot_be_judged_is_refused(do, said):
    with pytest.raises(ValueError, match=said):
        do(Log(**GOOD))
