"""Stacked networks, replay, deep Q-learning, DDPG, the worlds of lesson 08 and its checks, each against another way to know."""

import copy
import itertools
import math
import re

import gymnasium as gym
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mutants import deep_q_learning as answers
from scipy.linalg import solve_discrete_are

from babyagi_lib.learner.checks import deep_q_learning as checks
from babyagi_lib.models.stacked import StackedMLP, move_towards
from babyagi_lib.rl import ddpg, deep_q, exact
from babyagi_lib.rl.mdp import MDP, from_gymnasium
from babyagi_lib.rl.replay import Replay
from babyagi_lib.worlds import conveyor
from babyagi_lib.worlds.conveyor import Conveyor
from babyagi_lib.worlds.pendulum import Pendulum, swing_up


def draws(seed=0):
    return torch.Generator().manual_seed(seed)


# --- stacked networks ------------------------------------------------------------------------------------------


def test_each_network_of_a_stack_is_an_ordinary_network():
    stack = StackedMLP([3, 4], (2, 8, 8, 1), torch.nn.functional.silu, torch.tanh)
    x = torch.randn(2, 5, 2, generator=draws())
    for run in range(2):
        layers = []
        for weight, bias in zip(stack.weights, stack.biases, strict=True):
            layer = torch.nn.Linear(*weight.shape[1:])
            layer.weight.data, layer.bias.data = weight[run].T, bias[run, 0]
            layers += [layer, torch.nn.SiLU()]
        alone = torch.nn.Sequential(*layers[:-1], torch.nn.Tanh())
        torch.testing.assert_close(stack(x)[run], alone(x[run]))


def test_the_networks_of_a_stack_share_nothing():
    stack = StackedMLP([3, 4, 5], (2, 8, 1))
    x = torch.randn(3, 5, 2, generator=draws())
    stack(x)[1].sum().backward()
    for parameter in stack.parameters():
        assert (parameter.grad[[0, 2]] == 0).all() and (parameter.grad[1] != 0).any()


def test_a_network_is_the_same_in_a_larger_stack():
    small, large = StackedMLP([3, 4], (2, 8, 1)), StackedMLP([3, 4, 5], (2, 8, 1))
    for one, other in zip(small.parameters(), large.parameters(), strict=True):
        assert torch.equal(one, other[:2]) and not torch.equal(other[1], other[2])
        assert one.abs().max() <= 1 / math.sqrt(2)


def test_moving_towards_another_network():
    one, other = StackedMLP([3], (2, 4, 1)), StackedMLP([4], (2, 4, 1))
    half = copy.deepcopy(one)
    move_towards(half, other, 0.5)
    for a, b, middle in zip(one.parameters(), other.parameters(), half.parameters(), strict=True):
        torch.testing.assert_close(middle, (a + b) / 2)
    for parameter in half.parameters():
        parameter.data.fill_(math.nan)
    move_towards(half, other, 1.0)
    assert all(torch.equal(a, b) for a, b in zip(half.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize(("seeds", "sizes"), [([], (2, 1)), ([1], (2,)), ([1], (2, 0, 1)), ([1], (2, 1.5))])
def test_a_stack_that_cannot_be_is_refused(seeds, sizes):
    with pytest.raises(ValueError):
        StackedMLP(seeds, sizes)


@pytest.mark.parametrize("shape", [(2, 5, 3), (1, 5, 2), (5, 2)])
def test_a_batch_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"expected the shape \(2, batch, 2\)"):
        StackedMLP([1, 2], (2, 1))(torch.zeros(shape))


# --- the replay buffer -------------------------------------------------------------------------------------------


def step(number, runs=2, worlds=1):
    """A transition in which everything tells its number and its run."""
    value = number + 100.0 * torch.arange(runs)[:, None, None].expand(runs, worlds, 1) + 0.0
    return value, value + 0.1, value + 0.2, value + 0.3, torch.full((runs, worlds, 1), number % 2 == 1)


@given(st.integers(1, 7), st.integers(1, 20), st.integers(1, 9))
def test_the_buffer_keeps_the_latest_and_mixes_no_runs(capacity, added, batch):
    memory = Replay(2, capacity, 1, 1)
    for number in range(added):
        memory.add(*step(number))
    kept = range(max(0, added - capacity), added)
    assert len(memory) == len(kept)
    drawn = memory.sample(50, draws())
    for run in range(2):
        numbers = drawn.state[run, :, 0] - 100 * run
        assert set(numbers.tolist()) <= set(map(float, kept))
        torch.testing.assert_close(drawn.reward[run, :, 0], drawn.state[run, :, 0] + 0.2)
        torch.testing.assert_close(drawn.next_state[run, :, 0], drawn.state[run, :, 0] + 0.3)
        assert torch.equal(drawn.terminated[run, :, 0], numbers % 2)
    latest = memory.latest(batch).state[0, :, 0].tolist()
    assert latest == [float(number) for number in list(kept)[-batch:]]


def test_every_transition_is_drawn_equally_often():
    memory = Replay(1, 8, 1, 1)
    for number in range(4):
        memory.add(*step(number, runs=1))
    counts = np.bincount(memory.sample(40_000, draws()).state.flatten().int().numpy())
    assert len(counts) == 4 and np.abs(counts - 10_000).max() < 5 * np.sqrt(40_000 * 3 / 16)


def test_many_worlds_fill_one_buffer():
    memory = Replay(2, 5, 1, 1)
    for number in range(3):
        memory.add(*step(number, worlds=2))
    assert len(memory) == 5 and memory.latest(5).state[0, :, 0].tolist() == [0, 1, 1, 2, 2]


def test_the_buffer_refuses_what_it_cannot_use():
    memory = Replay(2, 3, 1, 1)
    with pytest.raises(ValueError, match="empty"):
        memory.sample(1, draws())
    state, action, reward, after, terminated = step(0)
    with pytest.raises(ValueError, match="not a finite number"):
        memory.add(state, action, reward * math.nan, after, terminated)
    with pytest.raises(ValueError, match="expected"):
        memory.add(state[:1], action, reward, after, terminated)
    with pytest.raises(ValueError, match="at most 3 worlds"):
        memory.add(*step(0, worlds=4))
    with pytest.raises(ValueError, match="capacity"):
        Replay(2, 0, 1, 1)


# --- deep Q-learning ---------------------------------------------------------------------------------------------


def chain(terminates):
    """Three states in a row; action 1 goes on, action 0 stays. The last step pays 1 and ends, or starts again."""
    p = np.ones((3, 2, 1))
    after = np.array([[[0], [1]], [[1], [2]], [[2], [0]]])
    reward, ends = np.zeros((3, 2, 1)), np.zeros((3, 2, 1), bool)
    reward[2, 1], ends[2, 1] = 1.0, terminates
    return MDP("chain", p, after, reward, ends, np.array([1.0, 0, 0]))


@pytest.mark.parametrize("terminates", [True, False])
@pytest.mark.parametrize("switches", [{}, {"double": True}, {"target_network": False}, {"replay": False}])
def test_a_network_that_is_a_table_learns_the_optimum(terminates, switches):
    """Features that name the state: then only mistakes of the loop are left. The time limit must not show."""
    world = chain(terminates)
    run = deep_q.learn(
        world,
        np.eye(3),
        steps=1500,
        runs=2,
        gamma=0.8,
        epsilon=0.5,
        period=20,
        time_limit=4,
        units=16,
        rate=5e-3,
        **switches,
    )
    best = exact.value_iteration(world, 0.8)
    assert run.rms_error(best.Q, np.ones(3, bool))[-1].max() < 0.06
    assert (run.policies[-1] == 1).all()


def test_deep_q_learning_repeats_and_records():
    world, settings = chain(True), {"steps": 30, "runs": 2, "units": 4}
    first, again = (deep_q.learn(world, np.eye(3), **settings, record=[10, 20], seed=3) for _ in range(2))
    assert first.moments.tolist() == [10, 20, 30] and first.Q.shape == (3, 2, 3, 2)
    assert np.array_equal(first.Q, again.Q)
    assert not np.array_equal(first.Q, deep_q.learn(world, np.eye(3), **settings, record=[10, 20], seed=4).Q)
    assert not np.array_equal(first.Q[:, 0], first.Q[:, 1])


def test_a_moment_before_the_first_step_is_refused():
    with pytest.raises(ValueError, match="a moment to record is 0"):
        deep_q.learn(chain(True), np.eye(3), steps=5, record=[0])
    with pytest.raises(ValueError, match="a moment to record is 0"):
        ddpg.learn(
            Conveyor(), StackedMLP([1], (2, 1)), StackedMLP([2], (3, 1)), runs=1, updates=2, gamma=0.9, record=[0]
        )


def test_a_run_that_diverged_has_an_infinite_error():
    Q = np.zeros((1, 2, 3, 2))
    Q[0, 1] = np.nan
    found = deep_q.DeepQ(np.array([1]), Q)
    assert found.rms_error(np.ones((3, 2)), np.ones(3, bool)).tolist() == [[1.0, np.inf]]
    assert found.policies.shape == (1, 2, 3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"runs": 0},
        {"gamma": 1.1},
        {"epsilon": -0.1},
        {"rate": 0.0},
        {"period": 0},
        {"batch": 1.5},
        {"time_limit": 0},
    ],
)
def test_deep_q_learning_refuses_wrong_parameters(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        deep_q.learn(chain(True), np.eye(3), **({"steps": 5} | wrong))


@pytest.mark.parametrize("features", [np.eye(2), np.zeros(3), np.full((3, 1), np.nan)])
def test_deep_q_learning_refuses_wrong_features(features):
    with pytest.raises(ValueError, match="features"):
        deep_q.learn(chain(True), features, steps=5)


# --- the conveyor ------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 3), st.floats(0.3, 1.0))
def test_the_riccati_recursion_agrees_with_scipy(seed, states, actions, gamma):
    draw = np.random.default_rng(seed)
    A, B = draw.normal(size=(states, states)), draw.normal(size=(states, actions))
    A *= 0.99 / max(1.0, np.abs(np.linalg.eigvals(A)).max())
    Q, R = np.eye(states), np.eye(actions)
    K, P = conveyor.riccati(A, B, Q, R, gamma)
    known = solve_discrete_are(gamma**0.5 * A, gamma**0.5 * B, Q, R)
    np.testing.assert_allclose(P, known, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(K, gamma * np.linalg.solve(R + gamma * B.T @ P @ B, B.T @ P @ A), atol=1e-8)


def test_what_cannot_be_controlled_is_refused():
    with pytest.raises(ValueError, match="does not settle"):
        conveyor.riccati(2 * np.eye(1), np.zeros((1, 1)), np.eye(1), np.eye(1), 0.9)
    with pytest.raises(ValueError, match="do not fit together"):
        conveyor.riccati(np.eye(2), np.ones((1, 1)), np.eye(2), np.eye(1), 0.9)
    with pytest.raises(ValueError, match="cost of actions"):
        conveyor.riccati(np.eye(2), np.ones((2, 1)), np.eye(2), np.eye(2), 0.9)
    with pytest.raises(ValueError, match="below 1"):
        conveyor.best_controller(1.0)
    with pytest.raises(ValueError, match="infinite"):
        conveyor.start_cost([[-5.0, 0.0]], 0.95)
    with pytest.raises(ValueError, match=r"\(1, 2\)"):
        conveyor.start_cost([1.0, 2.0], 0.95)
    with pytest.raises(ValueError, match="limit"):
        Conveyor(0)


def test_no_gain_costs_less_than_the_best_one():
    best = conveyor.best_controller(0.95)
    lowest = conveyor.start_cost(best.K, 0.95)
    draw = np.random.default_rng(0)
    for _ in range(100):
        assert conveyor.start_cost(best.K + 0.1 * draw.normal(size=(1, 2)), 0.95) > lowest
    assert lowest == pytest.approx(best.P[0, 0] / 3 + best.constant)


@settings(deadline=None, max_examples=20)
@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(-3, 3))
def test_the_values_of_the_conveyor_satisfy_the_bellman_equation(x, v, u):
    """Q* of an action is minus its cost and the discounted mean of V* after it, by Gauss-Hermite quadrature of the noise."""
    best = conveyor.best_controller(0.95)
    state = np.array([x, v])
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    moved = conveyor.A @ state + conveyor.B @ [u]
    after = moved + np.stack([0 * nodes, conveyor.NOISE * nodes], axis=1)
    mean = weights @ best.value(after) / weights.sum()
    expected = -(x**2 + 0.1 * v**2 + 0.1 * u**2) + 0.95 * mean
    assert best.action_value(state, [u]) == pytest.approx(expected, abs=1e-8)
    assert best.action_value(state, -best.K @ state) == pytest.approx(best.value(state), abs=1e-7)
    assert best.action_value(state, [u]) <= best.value(state) + 1e-9


def test_the_conveyor_moves_as_its_matrices_say():
    state = torch.tensor([[[1.0, -0.5]] * 20_000], dtype=torch.float64)
    action = torch.full((1, 20_000, 1), 0.7, dtype=torch.float64)
    after, reward, terminated = Conveyor().step(state, action, draws())
    assert torch.allclose(reward, torch.tensor(-(1 + 0.1 * 0.25 + 0.1 * 0.49), dtype=torch.float64))
    assert (after[..., 0] == 1 - 0.2 * 0.5).all() and not terminated.any()
    speed = after[..., 1]
    assert speed.mean() == pytest.approx(-0.5 + 0.2 * 0.7, abs=5 * 0.05 / 20_000**0.5)
    assert speed.std() == pytest.approx(0.05, rel=0.03)
    start = Conveyor().start((3, 5000), draws())
    assert start.shape == (3, 5000, 2) and (start[..., 1] == 0).all() and start[..., 0].abs().max() <= 1
    assert start[..., 0].square().mean() == pytest.approx(1 / 3, abs=0.01)


# --- the pendulum ------------------------------------------------------------------------------------------------


def test_the_pendulum_is_gymnasiums_step_by_step():
    env = gym.make("Pendulum-v1", max_episode_steps=10**6).unwrapped
    draw = np.random.default_rng(0)
    states = np.stack([draw.uniform(-9, 9, 300), draw.uniform(-8, 8, 300)], axis=1)
    torques = draw.uniform(-3, 3, (300, 1))  # beyond the largest, too
    after, reward, terminated = Pendulum().step(torch.tensor(states), torch.tensor(torques))
    seen = Pendulum().observe(after)
    for i in range(300):
        env.state = states[i].copy()
        observation, r, end, _, _ = env.step(torques[i])
        np.testing.assert_allclose(after[i], env.state, rtol=0, atol=1e-12)
        np.testing.assert_allclose(seen[i], observation, rtol=0, atol=1e-6)  # Gymnasium's are float32
        assert reward[i, 0] == pytest.approx(r, abs=1e-12) and bool(terminated[i, 0]) == end


def test_the_pendulum_is_gymnasiums_over_an_episode():
    env = gym.make("Pendulum-v1")
    _, _ = env.reset(seed=5)
    state = torch.tensor(env.unwrapped.state)
    truncated, steps = False, 0
    while not truncated:
        torque = swing_up(Pendulum().observe(state))
        _, r, terminated, truncated, _ = env.step(torque.numpy())
        state, reward, _ = Pendulum().step(state, torque)
        assert reward.item() == pytest.approx(r, abs=1e-6) and not terminated
        steps += 1
    assert steps == Pendulum.limit
    np.testing.assert_allclose(state, env.unwrapped.state, atol=1e-6)


def test_the_starts_of_the_pendulum_are_gymnasiums():
    start = Pendulum().start((2, 20_000), draws())
    for column, reach in ((0, math.pi), (1, 1.0)):
        assert start[..., column].abs().max() <= reach
        assert start[..., column].square().mean() == pytest.approx(reach**2 / 3, rel=0.03)


def test_the_hand_written_controller_swings_up_and_holds():
    world = Pendulum()
    state = torch.tensor([[math.pi, 0.1]])
    for _ in range(200):
        state, _, _ = world.step(state, swing_up(world.observe(state)))
    assert abs(math.sin(state[0, 0])) < 0.01 and math.cos(state[0, 0]) > 0.99


# --- DDPG --------------------------------------------------------------------------------------------------------


class Quadratic(torch.nn.Module):
    """A critic with a weight for each product of what it sees."""

    def __init__(self, seeds):
        super().__init__()
        self.linear = StackedMLP(seeds, (6, 1))

    def forward(self, x):
        first, second = torch.triu_indices(3, 3)
        return self.linear(x[..., first] * x[..., second])


def test_ddpg_with_the_right_functions_finds_riccatis_gain():
    actor, critic = StackedMLP([1, 2], (2, 1)), Quadratic([3, 4])
    settings = {"runs": 2, "updates": 2500, "gamma": 0.95, "actor_rate": 1e-2, "critic_rate": 3e-2}
    ddpg.learn(Conveyor(), actor, critic, **settings)
    gains = -actor.weights[0].detach().numpy()[..., 0]
    np.testing.assert_allclose(gains, conveyor.best_controller(0.95).K.repeat(2, 0), atol=0.06)


class OneStep:
    """A world of one step: the reward is -(u - seen)², and the episode terminates."""

    observation, action, largest, limit = 1, 1, 3.0, 5

    def start(self, shape, generator):
        return torch.rand(*shape, 1, generator=generator)

    def observe(self, state):
        return state

    def step(self, state, action, generator):
        return state + 50, -((action - state) ** 2), torch.ones_like(state, dtype=torch.bool)


def test_after_a_termination_nothing_is_worth_anything():
    """The next state, 50, would be worth much to a critic that bootstraps from it."""
    actor, critic = StackedMLP([1, 2], (1, 16, 1)), StackedMLP([3, 4], (2, 16, 1))
    ddpg.learn(OneStep(), actor, critic, runs=2, updates=1200, gamma=0.95, actor_rate=5e-3, critic_rate=1e-2)
    seen = torch.linspace(0, 1, 11).reshape(1, 11, 1).expand(2, -1, -1)
    with torch.no_grad():
        assert (actor(seen) - seen).abs().max() < 0.15
        assert critic(torch.cat([seen, actor(seen)], -1)).abs().max() < 0.3


class Restless(OneStep):
    """Each step pays -1, whatever happens, and nothing terminates. The value is -1/(1 - gamma) everywhere."""

    def step(self, state, action, generator):
        return state, -torch.ones_like(state), torch.zeros_like(state, dtype=torch.bool)


def test_after_a_truncation_the_value_goes_on():
    actor, critic = StackedMLP([1], (1, 1)), StackedMLP([3], (2, 1))
    ddpg.learn(Restless(), actor, critic, runs=1, updates=1500, gamma=0.8, tau=0.1, critic_rate=3e-2)
    seen = torch.rand(1, 50, 2, generator=draws())
    assert (critic(seen) + 5).abs().max() < 0.15


def test_what_is_kept_at_an_episodes_end_is_the_state_before_the_reset(monkeypatch):
    """A clock as the state: it goes on by one in every transition, and never jumps back to 0 within one."""
    kept = []

    class Clock(Restless):
        limit = 3

        def start(self, shape, generator):
            return torch.zeros(*shape, 1)

        def step(self, state, action, generator):
            return state + 1, -torch.ones_like(state), torch.zeros_like(state, dtype=torch.bool)

    add = Replay.add
    monkeypatch.setattr(Replay, "add", lambda self, *parts: (kept.append(parts), add(self, *parts)))
    ddpg.learn(Clock(), StackedMLP([1], (1, 1)), StackedMLP([2], (2, 1)), runs=1, updates=12, gamma=0.9, worlds=4)
    before, after = (torch.cat([parts[i] for parts in kept]) for i in (0, 3))
    assert torch.equal(after, before + 1) and after.max() <= 3 and (before == 0).sum() > 4 * 3
    assert not any(parts[4].any() for parts in kept)


def test_runs_do_not_disturb_each_other():
    """A run that diverges leaves the others as they are."""
    found = []
    for poison in (False, True):
        actor, critic = StackedMLP([1, 2], (2, 8, 1)), StackedMLP([3, 4], (3, 8, 1))
        if poison:
            critic.weights[0].data[1] = math.nan
        ddpg.learn(Conveyor(), actor, critic, runs=2, updates=20, gamma=0.95)
        found.append([parameter[0].detach().clone() for parameter in actor.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))
    assert torch.isnan(actor.weights[0][1]).any()


def test_ddpg_repeats_and_records():
    found = []
    for seed in (3, 3, 4):
        actor, critic = StackedMLP([1], (2, 8, 1)), StackedMLP([2], (3, 8, 1))
        run = ddpg.learn(Conveyor(), actor, critic, runs=1, updates=9, gamma=0.95, record=[3, 50], seed=seed)
        assert run.moments == [3, 9] and len(run.actors) == len(run.critics) == 2
        assert torch.equal(run.actors[1].weights[0], actor.weights[0])
        assert not torch.equal(run.actors[0].weights[0], actor.weights[0])
        found.append(actor.weights[0])
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])


@pytest.mark.parametrize(
    "wrong", [{"updates": 0}, {"gamma": -0.1}, {"tau": 0.0}, {"worlds": 0}, {"critic_rate": 0.0}, {"reward_scale": 0}]
)
def test_ddpg_refuses_wrong_parameters(wrong):
    settings = {"runs": 1, "updates": 2, "gamma": 0.9} | wrong
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ddpg.learn(Conveyor(), StackedMLP([1], (2, 1)), StackedMLP([2], (3, 1)), **settings)


def test_networks_for_another_number_of_runs_are_refused():
    with pytest.raises(ValueError, match="expected the shape"):
        ddpg.learn(Conveyor(), StackedMLP([1], (2, 1)), StackedMLP([2], (3, 1)), runs=2, updates=2, gamma=0.9)


def test_a_policy_that_is_played_earns_what_theory_says():
    best = conveyor.best_controller(0.95)
    gain = torch.tensor(best.K).float()
    found = -ddpg.play(Conveyor(), lambda seen: -seen @ gain.T, runs=2, episodes=4000, steps=120, gamma=0.95)
    assert found.shape == (2, 4000)
    error = float(found.std()) / 4000**0.5  # both runs have the same starts
    assert found.mean() == pytest.approx(conveyor.start_cost(best.K, 0.95), abs=4 * error)


def test_play_of_a_run_that_diverged_is_minus_infinity():
    found = ddpg.play(Conveyor(), lambda seen: seen[..., :1] * math.nan, runs=1, episodes=2, steps=3)
    assert (found == -np.inf).all()
    with pytest.raises(ValueError, match="terminated"):
        ddpg.play(OneStep(), lambda seen: seen, runs=1, episodes=2, steps=3)


def test_the_floor_of_the_lesson_is_read_from_gymnasium():
    """Costs of a step and a start in any cell, as the lesson describes its world."""
    pays = {"success_rate": 0.8, "reward_schedule": (0, 0, -0.1)}
    floor = from_gymnasium(gym.make("FrozenLake-v1", desc=["SSS", "SSG"], **pays))
    assert (floor.start[:5] == 0.2).all() and floor.start[5] == 0
    assert sorted(floor.probability[0, 1].tolist()) == pytest.approx([0.1, 0.1, 0.8])
    assert set(np.unique(floor.reward)) == {-0.1, 0.0}


# --- the checks --------------------------------------------------------------------------------------------------


def formulas():
    """Wrong formulas that a check knows, each with what it gives on the check's own cases, and the right answers."""
    batches, streams = [checks.seen(batch) for batch in checks.batches()], checks.streams()
    yield checks.TARGET_MISTAKES, lambda f: np.concatenate([f(b) for b in batches]), checks.Targets.right
    yield checks.STREAM_MISTAKES, lambda f: np.concatenate([f(s) for s in streams], axis=1), checks.targets
    square = checks.systems()[0]  # a mistake is named in the first world in which it shows
    yield checks.GAIN_MISTAKES, lambda f: f(square), lambda w: checks.recursion(w)[0]


@pytest.mark.parametrize("known", list(formulas()), ids=["targets", "streams", "gains"])
def test_no_mistake_is_right_or_looks_like_another(known):
    mistakes, on_the_cases, right = known
    told = {"right": on_the_cases(right)} | {message: on_the_cases(mistake) for message, mistake in mistakes}
    assert len(told) == len(mistakes) + 1
    for (one, first), (other, second) in itertools.combinations(told.items(), 2):
        alike = np.shape(first) == np.shape(second) and np.allclose(first, second, rtol=0.005, atol=1e-3)
        assert not alike, f"{one!r} and {other!r}"


@settings(max_examples=20)
@given(st.floats(1e-6, 1e-2))
def test_no_message_shows_equal_numbers_as_different(error):
    verdicts = [
        checks.double_target(lambda *given: np.asarray(answers.target(*given)) * (1 + error)),
        checks.n_step(lambda *given: answers.rows(*given) * (1 + error)),
        checks.riccati(lambda *given: answers.riccati(*given) * (1 + error)),
    ]
    compared = [r"your target is (.+?); it should be (.+?)\.$", r"you return (\[.+?\]); it should be (\[.+?\]) \("]
    compared.append(r"you return (\[.+\]); the best gain is (.+?)\.$")
    for found, pattern in zip(verdicts, compared, strict=True):
        assert found.status == "correct" or error > 1e-5
        if found.status != "correct":
            pair = re.search(pattern, found.message)
            assert pair and pair[1] != pair[2], found.message
