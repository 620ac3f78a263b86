"""Policy gradients: the exact gradient against autograd and differences, estimates against it, and the loop that learns.

Worlds are random tables and the worlds of lesson 07. Where an estimate is random, its expectation is computed by going
through all episodes of a probe world, or it is tested with a z of 5 from a fixed seed.
"""

import itertools
import re
import subprocess
import sys
from dataclasses import replace

import gymnasium as gym
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mutants import policy_gradients as answers

from babyagi_lib.figures import policy_gradients as figures
from babyagi_lib.learner.checks import policy_gradients as checks
from babyagi_lib.learner.checks.q_learning import small_mdp
from babyagi_lib.rl import exact, policy_learning
from babyagi_lib.rl import policy_gradients as pg
from babyagi_lib.rl.mdp import MDP, from_gymnasium
from babyagi_lib.rl.policy_learning import divergence, learn
from babyagi_lib.worlds import machine as machines
from babyagi_lib.worlds import probes
from babyagi_lib.worlds.corridor import corridor
from babyagi_lib.worlds.machine import machine

seeds = st.integers(0, 10_000)
gammas = st.floats(0.1, 0.97)
PROBES = [probes.one_step(), probes.two_steps(), probes.delayed_reward(), probes.no_end()]
WORLDS = [corridor(), machine(), *PROBES]
each_world = pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)


def logits(world, seed=0, scale=1.0):
    return scale * np.random.default_rng(seed).normal(size=(world.states, world.actions))


def by_autograd(mdp, theta, gamma):
    """J and its gradient through the linear system, written state by state."""
    theta = torch.tensor(theta, requires_grad=True)
    policy = theta.softmax(1)
    rows, rewards = [], []
    for s in range(mdp.states):
        row, r = torch.zeros(mdp.states, dtype=torch.float64), torch.zeros((), dtype=torch.float64)
        for a, o in itertools.product(range(mdp.actions), range(mdp.probability.shape[2])):
            p = policy[s, a] * mdp.probability[s, a, o]
            r = r + p * mdp.reward[s, a, o]
            if not mdp.terminated[s, a, o]:
                row = row + p * torch.eye(mdp.states, dtype=torch.float64)[mdp.next_state[s, a, o]]
        rows.append(row)
        rewards.append(r)
    V = torch.linalg.solve(torch.eye(mdp.states) - gamma * torch.stack(rows), torch.stack(rewards))
    J = torch.tensor(mdp.start) @ V
    J.backward()
    return J.item(), theta.grad.numpy()


# --- exact ---------------------------------------------------------------------------------------------------


@given(seeds, gammas, st.floats(0, 4))
@settings(max_examples=25)
def test_the_exact_gradient_is_that_of_autograd(seed, gamma, scale):
    mdp = small_mdp(seed)
    theta = logits(mdp, seed, scale)
    found = pg.exact_gradient(mdp, theta, gamma)
    J, gradient = by_autograd(mdp, theta, gamma)
    assert abs(found.J - J) < 1e-9
    assert np.abs(found.gradient - gradient).max() < 1e-10 / (1 - gamma) ** 2


@each_world
def test_the_exact_gradient_is_the_slope_of_j(world):
    theta, gamma, h = logits(world), 0.9, 1e-5
    found = pg.exact_gradient(world, theta, gamma).gradient
    for entry in np.ndindex(theta.shape):
        step = np.zeros(theta.shape)
        step[entry] = h
        slope = (pg.exact_gradient(world, theta + step, gamma).J - pg.exact_gradient(world, theta - step, gamma).J) / (
            2 * h
        )
        assert found[entry] == pytest.approx(slope, rel=1e-5, abs=1e-8)


@each_world
def test_many_policies_at_once_are_as_one_by_one(world):
    theta = np.stack([logits(world, seed, 2.0) for seed in range(6)]).reshape(2, 3, world.states, world.actions)
    together = pg.exact_gradient(world, theta, 0.9)
    for at in np.ndindex(2, 3):
        alone = pg.exact_gradient(world, theta[at], 0.9)
        for name in ("J", "gradient", "V", "advantage", "visits"):
            assert np.allclose(getattr(together, name)[at], getattr(alone, name), rtol=0, atol=1e-12)


@given(seeds, gammas)
@settings(max_examples=25)
def test_visits_and_values_are_two_ways_to_the_same_return(seed, gamma):
    mdp = small_mdp(seed)
    policy = pg.softmax(logits(mdp, seed))
    r = (policy * (mdp.probability * mdp.reward).sum(axis=2)).sum(axis=1)
    visits = exact.policy_visits(mdp, policy, gamma)
    assert visits @ r == pytest.approx(mdp.start @ exact.policy_value(mdp, policy, gamma), abs=1e-9)
    assert (visits >= -1e-12).all()


@given(seeds, gammas)
@settings(max_examples=25)
def test_a_constant_on_all_logits_of_a_state_changes_nothing(seed, gamma):
    mdp = small_mdp(seed)
    theta, shift = logits(mdp, seed), np.random.default_rng(seed).normal(size=(mdp.states, 1))
    one, other = (pg.exact_gradient(mdp, t, gamma).gradient for t in (theta, theta + shift))
    assert np.allclose(one, other, atol=1e-9)
    assert np.allclose(one.sum(axis=1), 0, atol=1e-9)


def test_the_values_of_the_lessons_worlds_are_those_computed_by_hand():
    gamma = 0.9
    assert exact.value_iteration(corridor(5), gamma).V[0] == pytest.approx(-sum(gamma**t for t in range(5)))
    uniform = pg.exact_gradient(corridor(4), np.zeros((4, 2)), 1 - 1e-9).J
    assert uniform == pytest.approx(-4 * 5, rel=1e-5), "cells·(cells + 1) steps on average"
    assert exact.value_iteration(probes.one_step(), gamma).V[0] == 3
    assert exact.value_iteration(probes.two_steps(), gamma).V[0] == pytest.approx(1 + gamma * 2)
    assert exact.value_iteration(probes.delayed_reward(), gamma).V[0] == pytest.approx(gamma**2 * 4)
    assert np.allclose(exact.value_iteration(probes.no_end(), gamma).V, [gamma / (1 - gamma), 1 / (1 - gamma)])
    assert exact.value_iteration(machine(), gamma).Q.argmax(axis=1).tolist()[0] == machines.RUN
    assert exact.value_iteration(machine(), gamma).Q.argmax(axis=1).tolist()[-1] == machines.REPAIR
    policy = pg.softmax(np.zeros(3))
    found = pg.exact_gradient(probes.one_step(), np.zeros((1, 3)), gamma)
    assert found.gradient[0] == pytest.approx(policy * (np.array([0, 1, 3]) - 4 / 3))


# --- play ------------------------------------------------------------------------------------------------------


@each_world
def test_play_follows_table_and_policy(world):
    theta = np.stack([logits(world, seed) for seed in range(2)])
    policy = pg.softmax(theta)
    batch = pg.play(world, policy, 3000, np.random.default_rng(0), limit=40)
    assert (batch.run == np.repeat([0, 1], 3000)).all()
    assert (np.diff(batch.went.astype(int), axis=0) <= 0).all(), "what has ended stays so"
    assert not batch.terminated[~batch.went].any() and not batch.reward[~batch.went].any()
    goes_on = batch.went[1:]
    assert (batch.state[1:] == batch.next_state[:-1])[goes_on].all()
    assert not batch.terminated[:-1][goes_on].any()
    assert (goes_on | batch.terminated[:-1] | ~batch.went[:-1]).all(), "it ends by the world, or at the limit"
    for run in range(2):
        mine = batch.went & (batch.run == run)
        for s in np.unique(batch.state[mine]):
            taken = np.bincount(batch.action[mine & (batch.state == s)], minlength=world.actions)
            expected = policy[run, s] * taken.sum()
            spread = np.sqrt(expected * (1 - policy[run, s])) + 1e-9
            assert (np.abs(taken - expected) < 5 * spread + 1).all()
            for a in range(world.actions):
                here = mine & (batch.state == s) & (batch.action == a)
                for o in np.flatnonzero(world.probability[s, a] > 0):
                    p = world.probability[s, a]
                    same = (
                        (world.next_state[s, a] == world.next_state[s, a, o])
                        & (world.reward[s, a] == world.reward[s, a, o])
                        & (world.terminated[s, a] == world.terminated[s, a, o])
                    )
                    share, n = p[same].sum(), here.sum()
                    found = (
                        here
                        & (batch.next_state == world.next_state[s, a, o])
                        & (batch.reward == world.reward[s, a, o])
                        & (batch.terminated == world.terminated[s, a, o])
                    ).sum()
                    assert abs(found - share * n) < 5 * np.sqrt(n * share * (1 - share)) + 1


def test_the_same_seed_plays_the_same_and_a_limit_cuts():
    world, policy = machine(), np.full((5, 2), 0.5)
    one, other = (pg.play(world, policy, 50, np.random.default_rng(4), limit=7) for _ in range(2))
    assert (one.state == other.state).all() and (one.reward == other.reward).all()
    assert len(one.went) == 7 and one.went[-1].any()
    different = pg.play(world, policy, 50, np.random.default_rng(5), limit=7)
    assert (one.action != different.action).any()


# --- estimates -------------------------------------------------------------------------------------------------


def every_episode(world, policy, limit):
    """All episodes of a world without chance, with their probabilities, (episodes,), as Episodes."""
    found = []

    def go(path, p, s):
        for a in range(world.actions):
            step = (s, a, world.reward[s, a, 0], world.next_state[s, a, 0], world.terminated[s, a, 0])
            if step[4] or len(path) + 1 == limit:
                found.append((p * policy[s, a], [*path, step]))
            else:
                go([*path, step], p * policy[s, a], step[3])

    go([], 1.0, int(world.start.argmax()))
    steps = max(len(path) for _, path in found)
    columns = [np.zeros((steps, len(found)), kind) for kind in (int, int, float, int, bool, bool)]
    for i, (_, path) in enumerate(found):
        for t, step in enumerate(path):
            for column, value in zip(columns, (*step, True), strict=True):
                column[t, i] = value
    return np.array([p for p, _ in found]), pg.Episodes(*columns, np.zeros(len(found), int))


def expected_estimate(world, theta, gamma, weigh, limit=6):
    """The expectation of an estimate, over all episodes."""
    policy = pg.softmax(theta)
    p, batch = every_episode(world, policy, limit)
    assert p.sum() == pytest.approx(1)
    return np.tensordot(p, pg.score_sums(batch, weigh(batch), policy, each=True), 1)


ESTIMATES = {
    "whole return": lambda V, gamma: lambda b: pg.returns_to_go(b, gamma)[0] * b.went,
    "reward-to-go": lambda V, gamma: lambda b: pg.discounts(b, gamma) * pg.returns_to_go(b, gamma),
    "wrong baseline": lambda V, gamma: (
        lambda b: pg.discounts(b, gamma) * (pg.returns_to_go(b, gamma) - (V**2 - 3)[b.state])
    ),
    "wrong critic, lambda 1": lambda V, gamma: lambda b: pg.discounts(b, gamma) * pg.gae(b, V**2 - 3, gamma, 1.0),
    "true critic, lambda 1": lambda V, gamma: lambda b: pg.discounts(b, gamma) * pg.gae(b, V, gamma, 1.0),
    "true critic, lambda .5": lambda V, gamma: lambda b: pg.discounts(b, gamma) * pg.gae(b, V, gamma, 0.5),
    "true critic, lambda 0": lambda V, gamma: lambda b: pg.discounts(b, gamma) * pg.gae(b, V, gamma, 0.0),
}


@pytest.mark.parametrize("world", PROBES[:3], ids=lambda world: world.name)
@pytest.mark.parametrize("kind", ESTIMATES)
def test_an_unbiased_estimate_is_the_exact_gradient_on_average_over_all_episodes(world, kind):
    theta, gamma = logits(world, 2), 0.8
    right = pg.exact_gradient(world, theta, gamma)
    found = expected_estimate(world, theta, gamma, ESTIMATES[kind](right.V, gamma))
    assert np.allclose(found, right.gradient, rtol=0, atol=1e-12)


def test_a_wrong_critic_inside_the_sum_is_a_bias():
    world, gamma = probes.delayed_reward(), 0.8
    theta = logits(world, 2)
    right = pg.exact_gradient(world, theta, gamma)
    wrong = right.V + np.arange(world.states)
    found = expected_estimate(world, theta, gamma, lambda b: pg.discounts(b, gamma) * pg.gae(b, wrong, gamma, 0.0))
    assert np.abs(found - right.gradient).max() > 0.05


def test_a_cut_keeps_the_value_and_an_end_does_not():
    """With the true critic every advantage is 0 on average, in every state, however the episode ends."""
    for world in PROBES:
        theta, gamma = logits(world, 1), 0.8
        policy, V = pg.softmax(theta), pg.exact_gradient(world, theta, gamma).V
        p, batch = every_episode(world, policy, 5)
        for lam in (0.0, 0.5, 1.0):
            A = pg.gae(batch, V, gamma, lam)
            for s in np.unique(batch.state[batch.went]):
                assert (p * (A * (batch.state == s) * batch.went).sum(axis=0)).sum() == pytest.approx(0, abs=1e-12)
        cut = replace(batch, terminated=batch.terminated | (np.arange(len(batch.went)) == 4)[:, None])
        if world.name == "no end":
            assert abs((p * pg.gae(cut, V, gamma, 0.5).sum(axis=0)).sum()) > 0.1


def test_gae_is_that_of_the_exercise_for_each_episode():
    world = machine()
    batch = pg.play(world, np.full((5, 2), 0.5), 60, np.random.default_rng(0), limit=12)
    V = np.random.default_rng(1).normal(size=5)
    found = pg.gae(batch, V, 0.9, 0.7)
    kinds = set()
    for i in range(60):
        steps = batch.went[:, i].sum()
        column = lambda values, i=i, steps=steps: values[:steps, i]  # noqa: E731
        ended = bool(batch.terminated[steps - 1, i])
        kinds.add(ended)
        alone = answers.gae(column(batch.reward), V[column(batch.state)], V[column(batch.next_state)], ended, 0.9, 0.7)
        assert np.allclose(found[:steps, i], alone, atol=1e-12) and not found[steps:, i].any()
        G = answers.to_go(column(batch.reward), 0.9)
        assert np.allclose(pg.returns_to_go(batch, 0.9)[:steps, i], G, atol=1e-12)
        one = answers.estimate(
            np.full((5, 2), 0.5), column(batch.state), column(batch.action), column(batch.reward), 0.9
        )
        weight = pg.discounts(batch, 0.9) * pg.returns_to_go(batch, 0.9)
        each = pg.score_sums(batch, weight, np.full((5, 2), 0.5), each=True)
        assert np.allclose(each[i], one, atol=1e-12)
    assert kinds == {True, False}


def test_sums_for_each_run_are_those_of_its_episodes():
    world, theta = machine(), np.stack([logits(machine(), seed) for seed in range(3)])
    policy = pg.softmax(theta)
    batch = pg.play(world, policy, 20, np.random.default_rng(0), limit=30)
    weight = pg.returns_to_go(batch, 0.9)
    runs, each = pg.score_sums(batch, weight, policy), pg.score_sums(batch, weight, policy, each=True)
    assert np.allclose(runs, each.reshape(3, 20, 5, 2).sum(axis=1), atol=1e-9)


def test_one_critic_for_many_runs_is_the_same_critic_for_each():
    world, V = machine(), np.arange(5.0)
    batch = pg.play(world, np.full((3, 5, 2), 0.5), 4, np.random.default_rng(0), limit=9)
    shared = pg.gae(batch, V, 0.9, 0.8)
    assert (shared == pg.gae(batch, np.stack([V] * 3), 0.9, 0.8)).all()
    own = pg.gae(batch, np.stack([V, 2 * V, V]), 0.9, 0.8)
    assert (own != shared)[:, batch.run == 1].any() and (own == shared)[:, batch.run != 1].all()


def test_an_episode_begins_where_the_world_begins_it():
    world = replace(machine(), start=np.array([0.1, 0.0, 0.6, 0.3, 0.0]))
    batch = pg.play(world, np.full((5, 2), 0.5), 5000, np.random.default_rng(0), limit=1)
    assert np.allclose(np.bincount(batch.state[0], minlength=5) / 5000, world.start, atol=0.03)
    assert not np.isin(batch.state[0], (1, 4)).any()


def test_on_the_lake_whole_return_and_reward_to_go_are_one_number():
    lake = from_gymnasium(gym.make("FrozenLake-v1"))
    batch = pg.play(lake, np.full((16, 4), 0.25), 4000, np.random.default_rng(0))
    G = pg.returns_to_go(batch, 0.9)
    assert np.allclose(pg.discounts(batch, 0.9) * G, G[0] * batch.went, rtol=1e-12)
    assert (G[0] > 0).any()


# --- learning --------------------------------------------------------------------------------------------------

SHORT = {"gamma": 0.9, "iterations": 30, "episodes": 16, "runs": 3, "limit": 60, "seed": 1}


@pytest.mark.parametrize(
    "options",
    [
        {"step": 0.15},
        {"step": 0.15, "lam": 0.9},
        {"step": 0.05, "lam": 0.9, "clip": 0.2, "epochs": 4},
        {"step": 50, "lam": 0.9, "most_kl": 0.02},
        {"step": 50, "lam": 0.9, "most_kl": 0.02, "natural": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("world", [machine(), *PROBES], ids=lambda world: world.name)
def test_every_method_learns_the_probes_and_the_machine(world, options):
    run = learn(world, **SHORT | options)
    star = exact.value_iteration(world, 0.9).V @ world.start
    first = pg.exact_gradient(world, np.zeros((world.states, world.actions)), 0.9).J
    assert run.J.max() <= star + 1e-9
    assert ((run.J[-1] - first) / (star - first) > 0.5).all()
    assert np.allclose(run.J[-1], pg.exact_gradient(world, run.theta, 0.9).J)
    assert (
        (run.entropy >= 0).all() and (run.entropy <= np.log(world.actions) + 1e-12).all() and (run.kl >= -1e-12).all()
    )


@pytest.mark.parametrize("world", [machine(), probes.delayed_reward()], ids=lambda world: world.name)
def test_entropy_and_kl_are_those_of_the_tables(world):
    """After one step, from the uniform policy; KL goes from the old policy to the new one, over the old one's visits."""
    run = learn(world, step=0.5, **SHORT | {"iterations": 1})
    for i, theta in enumerate(run.theta):
        old, new = np.full(theta.shape, 1 / world.actions), pg.softmax(theta)
        before, after = (exact.policy_visits(world, policy, 0.9) for policy in (old, new))
        kl, entropy = (old * np.log(old / new)).sum(axis=1), -(new * np.log(new)).sum(axis=1)
        assert run.kl[0, i] == pytest.approx((before / before.sum()) @ kl, rel=1e-9)
        assert run.entropy[0, i] == pytest.approx((after / after.sum()) @ entropy, rel=1e-9)


def test_the_same_seed_learns_the_same_and_runs_differ():
    one, other = (learn(machine(), step=0.5, **SHORT) for _ in range(2))
    assert (one.theta == other.theta).all()
    assert (one.theta[0] != one.theta[1]).any()
    assert (learn(machine(), step=0.5, **SHORT | {"seed": 2}).theta != one.theta).any()


def test_a_limit_on_kl_holds_where_the_agent_measures_it():
    """In `one step` the batch visits the one state that there is, so that the exact KL is the measured one."""
    free = learn(probes.one_step(), step=20, **SHORT)
    limited = learn(probes.one_step(), step=20, most_kl=0.01, **SHORT)
    assert free.kl.max() > 0.1
    assert 0.002 < limited.kl.max() <= 0.01 + 1e-12


def test_the_clip_changes_nothing_in_the_first_epoch_and_something_later():
    plain, clipped = (learn(machine(), step=0.5, lam=0.9, clip=clip, **SHORT) for clip in (None, 0.2))
    assert (plain.theta == clipped.theta).all(), "with one epoch every ratio is 1"
    plain, clipped = (learn(machine(), step=0.5, lam=0.9, clip=clip, epochs=5, **SHORT) for clip in (None, 0.2))
    assert (plain.theta != clipped.theta).any()


def test_the_first_step_is_the_estimate_times_the_step():
    world = machine()
    run = learn(world, step=0.25, **SHORT | {"iterations": 1, "runs": 1})
    policy = np.full((5, 2), 0.5)
    batch = pg.play(world, policy, 16, np.random.default_rng(1), limit=60)
    weight = pg.discounts(batch, 0.9) * pg.returns_to_go(batch, 0.9)
    estimate = pg.score_sums(batch, weight, policy, each=True).mean(axis=0)
    assert np.allclose(run.theta[0], 0.25 * estimate, atol=1e-12)


def test_the_first_natural_step_is_the_mean_of_what_followed_each_action():
    world = machine()
    run = learn(world, step=0.25, natural=True, **SHORT | {"iterations": 1, "runs": 1, "episodes": 1})
    batch = pg.play(world, np.full((5, 2), 0.5), 1, np.random.default_rng(1), limit=60)
    G, expected = pg.returns_to_go(batch, 0.9), np.zeros((5, 2))
    counts = []
    for s, a in np.ndindex(5, 2):
        here = batch.went & (batch.state == s) & (batch.action == a)
        counts.append(here.sum())
        expected[s, a] = G[here].mean() if here.any() else 0
    assert 1 in counts and 0 in counts and max(counts) > 1
    assert np.allclose(run.theta[0], 0.25 * expected, atol=1e-12)


@given(seeds)
@settings(max_examples=30)
def test_divergence_is_zero_for_equal_and_positive_for_other_policies(seed):
    one, other = (pg.softmax(np.random.default_rng(seed + k).normal(size=(3, 4))) for k in range(2))
    assert np.allclose(divergence(one, one), 0)
    assert (divergence(one, other) > 0).all()
    found = torch.distributions.kl_divergence(*(torch.distributions.Categorical(torch.tensor(p)) for p in (one, other)))
    assert np.allclose(divergence(one, other), found.numpy())


def test_divergence_at_the_border():
    assert divergence(np.array([1.0, 0.0]), np.array([0.5, 0.5])) == pytest.approx(np.log(2))
    assert divergence(np.array([0.5, 0.5]), np.array([1.0, 0.0])) == np.inf


# --- errors ----------------------------------------------------------------------------------------------------

HALF = np.full((5, 2), 0.5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_logits_that_are_not_finite_are_refused(bad):
    theta = np.zeros((5, 2))
    theta[3, 1] = bad
    for use in (pg.softmax, lambda t: pg.exact_gradient(machine(), t, 0.9)):
        with pytest.raises(ValueError, match="a logit of the policy is NaN or infinite"):
            use(theta)


def test_a_step_that_overflows_is_named():
    with pytest.raises(ValueError, match="was the step too large"), np.errstate(all="ignore"):
        learn(machine(), **SHORT, step=1e308)


def test_large_logits_are_no_error():
    assert pg.softmax([1e300, 0.0]).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("shape", [(5, 3), (4, 2), (5,), (2, 2, 5, 2)])
def test_a_policy_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match="machine: expected finite probabilities"):
        pg.play(machine(), np.full(shape, 0.5), 3, np.random.default_rng(0))


@pytest.mark.parametrize("shape", [(5, 3), (4, 2)])
def test_logits_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match="machine: expected a policy"):
        pg.exact_gradient(machine(), np.zeros(shape), 0.9)


@pytest.mark.parametrize("changed", [{"episodes": 0}, {"limit": 0}, {"episodes": 2.5}])
def test_numbers_out_of_range_are_refused_by_play(changed):
    given = {"episodes": 3, "limit": 5} | changed
    with pytest.raises(ValueError, match="expected a whole number of at least 1"):
        pg.play(machine(), HALF, given["episodes"], np.random.default_rng(0), limit=given["limit"])


@pytest.mark.parametrize(
    "changed",
    [
        {"step": 0},
        {"step": np.nan},
        {"iterations": 0},
        {"runs": 0},
        {"epochs": 0},
        {"most_kl": 0},
        {"clip": -0.1},
        {"lam": 1.5},
        {"gamma": 1.0},
    ],
    ids=str,
)
def test_numbers_out_of_range_are_refused_by_learn(changed):
    with pytest.raises(ValueError, match=f"{next(iter(changed))} (is|must be)"):
        learn(machine(), **{"step": 1.0} | SHORT | changed)


def test_rewards_weights_and_values_that_are_not_finite_are_refused():
    batch = pg.play(machine(), HALF, 3, np.random.default_rng(0))
    bad = replace(batch, reward=np.where(batch.went, np.nan, 0.0))
    with pytest.raises(ValueError, match="is every reward a finite number"):
        pg.score_sums(batch, pg.returns_to_go(bad, 0.9), HALF)
    with pytest.raises(ValueError, match="a value of the critic is not finite"):
        pg.gae(batch, np.full(5, np.inf), 0.9, 0.9)
    with pytest.raises(ValueError, match="every reward must be a finite number"):
        replace(machine(), reward=np.full_like(machine().reward, np.inf))


def test_no_step_or_other_shapes_are_refused():
    batch = pg.play(machine(), HALF, 3, np.random.default_rng(0))
    weight = pg.returns_to_go(batch, 0.9)
    with pytest.raises(ValueError, match="at least one step"):
        pg.score_sums(replace(batch, went=np.zeros_like(batch.went)), weight, HALF)
    with pytest.raises(ValueError, match="expected a weight for each step"):
        pg.score_sums(batch, weight[:-1], HALF)


@pytest.mark.parametrize("cells", [0, -1, 2.5, True])
def test_a_corridor_without_a_cell_is_refused(cells):
    with pytest.raises(ValueError, match="cells is"):
        corridor(cells)


def test_worlds_are_tables():
    for world in (corridor(1), *WORLDS):
        assert isinstance(world, MDP) and world.acting.all()


# --- the checks of the lesson ----------------------------------------------------------------------------------


def known():
    """Wrong answers that the checks know, with what they give on the checks' cases."""
    for mistakes, cases in (
        (checks.ESTIMATE_MISTAKES, checks.episodes()),
        (checks.ADVANTAGE_MISTAKES, checks.stretches()),
        (checks.CLIP_MISTAKES, checks.steps()),
    ):
        with np.errstate(all="ignore"):
            told = [("right", np.concatenate([case.right.ravel() for case in cases]))]
            told += [(said, np.concatenate([wrong(case).ravel() for case in cases])) for said, wrong in mistakes]
        yield told


def test_no_check_draws_cases_on_which_a_mistake_is_right_or_looks_like_another():
    for told in known():
        for (one, first), (other, second) in itertools.combinations(told, 2):
            assert one == other or not np.allclose(first, second, rtol=0.005, atol=1e-3), f"{one!r} and {other!r}"


@given(st.floats(1e-9, 1e-2), st.sampled_from(["relative", "absolute"]))
@settings(max_examples=30)
def test_no_message_shows_two_equal_numbers_as_different(error, kind):
    def off(answer):
        def other(*given):
            found = np.asarray(answer(*given), float)
            return found * (1 + error) if kind == "relative" else found + error

        return other

    for check, answer in (
        (checks.score_estimate, answers.estimate),
        (checks.advantages, answers.gae),
        (checks.clipped_objective, answers.clipped),
    ):
        found = check(off(answer))
        if found.status != "correct":
            pair = re.search(r"you return (\S+)(?: for .+?)?; (\S+) is right\.$", found.message)
            assert pair and pair[1] != pair[2], found.message


def test_the_loop_needs_no_torch():
    program = "import sys, babyagi_lib.rl.policy_learning, babyagi_lib.worlds.probes; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
    assert policy_learning.CRITIC_STEP <= 1


# --- figures ---------------------------------------------------------------------------------------------------


@pytest.fixture
def alts(monkeypatch):
    """The alt texts of the figures shown."""
    from IPython import display

    shown = []
    monkeypatch.setattr(
        display, "display", lambda data, metadata=None, raw=False: shown.append(metadata["image/png"]["alt"])
    )
    return shown


def test_figures_say_their_numbers_and_are_closed(alts, recwarn):
    runs = np.linspace(0.1, 0.9, 20)
    figures.gradient_map(np.arange(4.0)[::-1], np.arange(16.0).reshape(4, 4) / 100, ["SF", "FG"])
    figures.entries({"lake": (np.zeros(4), np.array([0.0, 0.1, 0.1, 0.3]), np.full(4, 0.06))})
    figures.variances({"lake": {"whole return": 1.0, "reward-to-go": 0.25}})
    figures.noise_and_bias((0, 0.5, 1), np.array([1.0, 4.0, 16.0]), np.array([1.0, 0.2, 0.0]), (1, 100))
    figures.step_sizes((1, 10), {"REINFORCE": np.stack([runs, runs / 2]), "one run": np.full((2, 1), 0.5)})
    kl = np.full((3, 20), 0.25)
    kl[1, 3] = np.inf  # a step that made an action impossible
    figures.three_records({"PPO": (np.stack([runs] * 3), np.full((3, 20), 0.125), kl)})
    figures.probe_table(["no bug", "sign"], ["one", "two"], np.array([[1.0, 2.0], [3.0, np.inf]]), 4.5)
    expected = (
        "The largest entry, 0.1500, is for moving up in cell 3",
        "lake: 75% of 4 entries",
        "lake: whole return 1, reward-to-go 0.25",
        "1 episodes, smallest error at lambda 0: 0 has noise 1.00",
        "step 1: REINFORCE 0.500",
        "PPO: share 0.50 and entropy 0.125 at the end",
        "no bug: none; sign: two.",
    )
    assert len(alts) == len(expected)
    for alt, said in zip(alts, expected, strict=True):
        assert said in alt
    assert "100 episodes, smallest error at lambda 0.5" in alts[3] and "0.5: 0.20" in alts[3]
    assert "step 10: REINFORCE 0.250" in alts[4] and "one run 0.500 [0.500, 0.500]" in alts[4]
    assert plt.get_fignums() == []
    assert [str(w.message) for w in recwarn] == []


def test_the_cloud_says_how_many_point_uphill():
    points = np.array([[1.0, 0.0], [2.0, 1.0], [-1.0, 0.5], [3.0, -1.0]])
    figure, alt = figures.cloud(points, 1.25, 5, "machine")
    (axis,) = figure.axes
    assert axis.get_title() == "machine, 5 episodes for each estimate: 75% point uphill"
    assert "A cloud of 4 estimates" in alt and "75% of them point uphill" in alt
    low, high = axis.get_xlim()
    assert low <= 0 and high >= 1.25, "the arrow is in the picture"
    plt.close(figure)
    figure, _ = figures.cloud(np.zeros((7, 2)), 0.006, 1, "lake")
    assert "1 episode for each estimate: 0% point uphill" in figure.axes[0].get_title()
    plt.close(figure)
