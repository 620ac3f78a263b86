"""Worlds as tables, their exact solutions, and agents that must find them."""

import copy
import dataclasses
import math
import threading
from fractions import Fraction

import gymnasium
import numpy as np
import pytest
from gymnasium import wrappers
from gymnasium.envs.toy_text.frozen_lake import FrozenLakeEnv
from gymnasium.envs.toy_text.taxi import TaxiEnv
from hypothesis import given, settings
from hypothesis import strategies as st

from babyagi_lib.learner.checks.q_learning import small_mdp
from babyagi_lib.rl import exact, tabular
from babyagi_lib.rl.mdp import MDP, from_gymnasium
from babyagi_lib.rl.mdp import _compare_with_play as compare_with_play
from babyagi_lib.rl.mdp import _divergence as divergence
from babyagi_lib.rl.mdp import _play as play
from babyagi_lib.worlds.help_desk import ASK, HAND_OVER, INTENTS, help_desk

ENVIRONMENTS = [("FrozenLake-v1", {}), ("FrozenLake-v1", {"map_name": "8x8"}), ("CliffWalking-v1", {}), ("Taxi-v4", {})]
worlds = st.builds(small_mdp, st.integers(0, 10_000), st.integers(1, 7), st.integers(1, 4), st.integers(1, 3))
gammas = st.floats(0, 0.97)


@pytest.fixture(scope="module")
def lake():
    return from_gymnasium(gymnasium.make("FrozenLake-v1"))


@pytest.fixture(scope="module")
def taxi():
    return from_gymnasium(gymnasium.make("Taxi-v4"))


@pytest.fixture(scope="module")
def cliff():
    return from_gymnasium(gymnasium.make("CliffWalking-v1"))


# --- tables ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "options"), ENVIRONMENTS)
def test_the_real_environment_behaves_as_its_table_says(name, options):
    env = gymnasium.make(name, **options)
    mdp = from_gymnasium(env)
    env.reset(seed=0)
    draw, seen = np.random.default_rng(0), {}
    begun = np.zeros(mdp.states)
    for _ in range(300):
        s, _ = env.reset()
        begun[s] += 1
        for _ in range(40):
            a = int(draw.integers(mdp.actions))
            s_next, r, terminated, _, _ = env.step(a)
            seen.setdefault((s, a), []).append((int(s_next), float(r), bool(terminated)))
            s = s_next
            if terminated:
                break
    assert (mdp.start[begun > 0] > 0).all() and mdp.acting[[s for s, _ in seen]].all()
    for (s, a), outcomes in seen.items():
        chances = {}
        for p, *outcome in zip(
            *(t[s, a] for t in (mdp.probability, mdp.next_state, mdp.reward, mdp.terminated)), strict=True
        ):
            key = (int(outcome[0]), float(outcome[1]), bool(outcome[2]))
            chances[key] = chances.get(key, 0) + p
        for outcome in set(outcomes):
            p, n = chances[outcome], len(outcomes)
            assert abs(outcomes.count(outcome) - n * p) <= 5 * np.sqrt(n * p * (1 - p)) + 1e-9


def test_worlds_without_a_table_are_refused():
    with pytest.raises(ValueError, match="CartPole-v1 carries no table"):
        from_gymnasium(gymnasium.make("CartPole-v1"))


# The table is the world: everything below is played, not looked up by its name.


class Changed(FrozenLakeEnv):
    """A lake whose table is right for FrozenLakeEnv; the subclasses change what `step` or `reset` does."""


class PunishesHoles(Changed):
    def step(self, a):
        state, reward, terminated, *rest = super().step(a)
        return state, -1 if terminated and not reward else reward, terminated, *rest


class RicherGoal(Changed):
    def step(self, a):
        state, reward, *rest = super().step(a)
        return state, 10 * reward, *rest


class Sticky(Changed):
    def step(self, a):
        repeats = self.lastaction is not None and self.np_random.random() < 0.25
        return super().step(self.lastaction if repeats else a)


class Tired(Changed):
    """Ends after 30 steps, as if that were part of the world."""

    def reset(self, **options):
        self.steps = 0
        return super().reset(**options)

    def step(self, a):
        self.steps += 1
        state, reward, terminated, *rest = super().step(a)
        return state, reward, terminated or self.steps == 30, *rest


class Drifting(Changed):
    """All outcomes are those of the table, but the wind favours one."""

    def step(self, a):
        if self.np_random.random() < 0.2:
            _, self.s, reward, terminated = self.P[self.s][a][-1]
            return self.s, reward, terminated, False, {}
        return super().step(a)


class BeginsElsewhere(Changed):
    def reset(self, **options):
        super().reset(**options)
        self.s = 4
        return 4, {}


class PrefersOneStart(TaxiEnv):
    def reset(self, **options):
        state, told = super().reset(**options)
        if self.np_random.random() < 0.5:
            self.s = state = 1
        return state, told


class HiddenFare(TaxiEnv):
    """In one episode of ten, drop-offs cost more, and nothing shows which."""

    def reset(self, **options):
        found = super().reset(**options)
        self.dear = self.np_random.random() < 0.1
        return found

    def step(self, a):
        state, reward, *rest = super().step(a)
        return state, reward - (self.dear and a == 5), *rest


class Pictures(Changed):
    def step(self, a):
        state, *rest = super().step(a)
        return np.eye(16)[state], *rest


class Counting(Changed):
    def step(self, a):
        state, *rest = super().step(a)
        return state + 16, *rest


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        (PunishesHoles, {}, "the table is not that of this world"),
        (RicherGoal, {}, "the table is not that of this world. In state 14, action"),
        (RicherGoal, {"map_name": "8x8"}, "the table is not that of this world"),
        (RicherGoal, {"map_name": "8x8", "is_slippery": False}, "In state 62, action 2"),
        (Sticky, {}, "the table is not that of this world"),
        (Sticky, {"is_slippery": False}, "the table is not that of this world"),
        (Tired, {}, "the table is not that of this world"),
        (Drifting, {}, "the table gives it the probability"),
        (BeginsElsewhere, {}, "an episode began in state 4, which the table excludes"),
        (PrefersOneStart, {}, "trials of the first state, 1 happened"),
        (HiddenFare, {}, "action 5 led to"),
        (Pictures, {}, "cannot be played.*an observation is array"),
        (Counting, {}, "cannot be played.*an observation is"),
    ],
)
def test_a_world_that_is_not_its_table_is_refused(kind, options, said):
    with pytest.raises(ValueError, match=said):
        from_gymnasium(kind(**options))


@pytest.mark.parametrize("probability", [0.05, 0.3, 1.0])
def test_a_fickle_passenger_is_refused_by_name_and_by_play(probability):
    with pytest.raises(ValueError, match="fickle_passenger=False"):
        from_gymnasium(gymnasium.make("Taxi-v4", fickle_passenger=True, fickle_probability=probability))

    class Anonymous(TaxiEnv):
        """The same, with nothing that shows it."""

        def reset(self, **options):
            found = super().reset(**options)
            self.fickle_step = self.np_random.random() < probability
            return found

        def step(self, a):
            self.fickle_passenger = True
            found = super().step(a)
            self.fickle_passenger = False
            return found

    with pytest.raises(ValueError, match="the table is not that of this world"):
        from_gymnasium(Anonymous())


class AddsOne(gymnasium.RewardWrapper):
    def reward(self, reward):
        return reward + 1


class Turns(gymnasium.ActionWrapper):
    def action(self, action):
        return (action + 1) % 4


class Same(gymnasium.ObservationWrapper):
    def observation(self, observation):
        return observation


class OwnStep(gymnasium.Wrapper):
    def step(self, action):
        return self.env.step(0)


class OwnReset(gymnasium.Wrapper):
    def reset(self, **options):
        return 0, {}


class TimeLimit(OwnStep):
    """Has a harmless name only."""


class Nothing(gymnasium.Wrapper):
    pass


def wrapped(wrapper, *arguments):
    return lambda env: wrapper(env, *arguments)


@pytest.mark.parametrize(
    "wrap",
    [
        AddsOne,
        Turns,
        Same,
        OwnStep,
        OwnReset,
        TimeLimit,
        wrappers.Autoreset,
        wrappers.NormalizeReward,
        wrappers.TimeAwareObservation,
        wrapped(wrappers.ClipReward, 0, 0.5),
        wrapped(wrappers.StickyAction, 0.25),
        wrapped(wrappers.TransformReward, lambda r: 2 * r),
        wrapped(wrappers.TransformAction, lambda a: 3 - a, gymnasium.spaces.Discrete(4)),
        wrapped(wrappers.TransformObservation, lambda s: 15 - s, gymnasium.spaces.Discrete(16)),
        lambda env: wrappers.RecordEpisodeStatistics(wrappers.TimeLimit(AddsOne(env), 5)),
    ],
)
def test_a_wrapper_that_can_change_the_world_is_refused(wrap):
    with pytest.raises(ValueError, match="FrozenLake-v1 is wrapped in"):
        from_gymnasium(wrap(gymnasium.make("FrozenLake-v1")))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda env: env.unwrapped,
        wrappers.PassiveEnvChecker,
        wrappers.RecordEpisodeStatistics,
        wrapped(wrappers.TimeLimit, 5),
        Nothing,
    ],
)
def test_a_wrapper_that_changes_nothing_is_accepted(lake, wrap):
    assert np.array_equal(from_gymnasium(wrap(gymnasium.make("FrozenLake-v1"))).reward, lake.reward)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("name", "options"),
    [
        *ENVIRONMENTS,
        ("FrozenLake-v1", {"is_slippery": False}),
        ("FrozenLake-v1", {"success_rate": 0.8}),
        ("FrozenLake-v1", {"success_rate": 1.0}),
        ("FrozenLake-v1", {"reward_schedule": (10, -3, 0.5)}),
        ("CliffWalking-v1", {"is_slippery": True}),
        ("Taxi-v4", {"is_rainy": True, "rainy_probability": 0.3}),
    ],
)
def test_the_standard_worlds_are_accepted(name, options, seed):
    env = gymnasium.make(name, **options)
    mdp = from_gymnasium(env)
    compare_with_play(mdp, env.unwrapped, seed)
    _, seen = play(mdp, env.unwrapped, seed)
    assert len(seen) > 0.95 * mdp.acting.sum() * mdp.actions, "nearly every action was tried in nearly every state"


def test_the_environment_is_left_as_it_is():
    """Even one that holds what cannot be copied: an open window, here a lock."""
    env, same = gymnasium.make("Taxi-v4"), gymnasium.make("Taxi-v4")
    for world in (env, same):
        world.unwrapped.window = threading.Lock()
        world.reset(seed=5)
        world.step(1)
    mdp = from_gymnasium(env)
    assert env.unwrapped.s == same.unwrapped.s and env.unwrapped.lastaction == 1
    for _ in range(5):
        assert env.reset()[0] == same.reset()[0], "its random stream goes on where it was"
    assert mdp.states == 500


def test_divergence_of_two_coins():
    assert divergence(0.3, 0.3) == 0 == divergence(1, 1)
    assert divergence(0, 0.5) == divergence(1, 0.5) == pytest.approx(math.log(2))
    assert divergence(0.5, 0.25) == pytest.approx(0.5 * math.log(2) + 0.5 * math.log(2 / 3))
    assert divergence(0.1, 0) == divergence(0.9, 1) == math.inf


def test_a_broken_table_is_refused():
    good = small_mdp(0)
    parts = [good.name, good.probability, good.next_state, good.reward, good.terminated, good.start]

    def broken(position, value):
        return MDP(*[value if i == position else part for i, part in enumerate(parts)])

    with pytest.raises(ValueError, match="sum to 1"):
        broken(1, good.probability * 0.9)
    with pytest.raises(ValueError, match="first state"):
        broken(5, good.start * 2)
    with pytest.raises(ValueError, match="next_state"):
        broken(2, good.next_state + good.states)
    with pytest.raises(ValueError, match="one shape"):
        broken(3, good.reward[:, :, :1])
    with pytest.raises(ValueError, match="sum to 1"):
        broken(1, good.probability * (1 - 2e-6))
    assert broken(1, good.probability.astype("f4")).states == good.states, "float32 sums to 1 closely enough"


def test_unused_outcomes_are_nothing_and_lead_nowhere(lake):
    unused = lake.probability == 0
    assert unused.any() and not (
        lake.reward[unused].any() or lake.next_state[unused].any() or lake.terminated[unused].any()
    )
    p, next_state = np.array([[[1.0, 0.0]], [[1.0, 0.0]]]), np.array([[[0, 0]], [[1, 0]]])
    rest = np.zeros(p.shape)
    mdp = MDP("two islands", p, next_state, rest, rest.astype(bool), np.array([0.0, 1.0]))
    assert mdp.acting.tolist() == [False, True]


def test_worlds_and_results_stay_as_they_are(lake):
    """Lessons use worlds as keys, and nothing can be put into them afterwards."""
    for thing in (lake, exact.value_iteration(lake, 0.5), tabular.learn(lake, steps=2), help_desk(0.1)):
        assert {thing: 1}[thing] == 1 and thing == thing and thing != copy.copy(thing)
        with pytest.raises(dataclasses.FrozenInstanceError):
            thing.name = "another"


def test_where_one_has_to_act(lake, taxi, cliff):
    assert lake.acting.sum() == 16 - 4 - 1 and taxi.acting.sum() == 400 and cliff.acting.sum() == 48 - 10 - 1
    assert taxi.deterministic and not lake.deterministic
    assert from_gymnasium(gymnasium.make("FrozenLake-v1", success_rate=1.0)).deterministic
    assert not from_gymnasium(gymnasium.make("FrozenLake-v1", success_rate=1 - 1e-7)).deterministic


# --- exact solutions ---------------------------------------------------------------------------------------


def two_states():
    """In state 0, stop for 1, or wait (reward 0) for state 1, where stopping pays 2 and waiting nothing, for good."""
    p = np.ones((2, 2, 1))
    next_state = np.array([[[0], [1]], [[0], [1]]])
    reward = np.array([[[1.0], [0.0]], [[2.0], [0.0]]])
    terminated = np.array([[[True], [False]], [[True], [False]]])
    return MDP("two states", p, next_state, reward, terminated, np.array([1.0, 0.0]))


@pytest.mark.parametrize(("gamma", "first"), [(0.4, 1.0), (0.5, 1.0), (0.9, 1.8)])
def test_two_states_by_hand(gamma, first):
    """V(1) = 2, and V(0) is the better of 1 now and gamma times 2."""
    found = exact.value_iteration(two_states(), gamma)
    assert np.allclose(found.V, [first, 2.0])
    assert np.allclose(found.Q, [[1.0, 2 * gamma], [2.0, 2 * gamma]])
    assert exact.best_return(two_states(), 1) == 1 and exact.best_return(two_states(), 2) == 2


@pytest.mark.parametrize("length", [2, 5])
def test_sweeps_are_counted(length):
    """A way of n steps to the only reward is known after n sweeps; one more changes nothing."""
    n = np.arange(length)
    table = np.ones((length, 1, 1)), np.minimum(n + 1, length - 1)[:, None, None], (n == length - 1)[:, None, None]
    way = MDP("way", table[0], table[1], table[2].astype(float), table[2], np.eye(length)[0])
    found = exact.value_iteration(way, 0.5)
    assert found.sweeps == length + 1 and found.V[0] == 0.5 ** (length - 1)


@given(worlds, gammas)
@settings(max_examples=40)
def test_value_iteration_is_the_linear_solution_of_its_policy(mdp, gamma):
    found = exact.value_iteration(mdp, gamma, 1e-9)
    assert found.error_bound <= 1e-9
    best = exact.policy_value(mdp, found.Q.argmax(axis=1), gamma)
    assert np.abs(best - found.V).max() < 1e-7
    rough = exact.value_iteration(mdp, gamma, 0.1)
    assert np.abs(rough.V - best).max() <= 0.1 + 1e-7, "the stopping rule keeps its promise"


@given(worlds, gammas, st.integers(0, 1000))
@settings(max_examples=40)
def test_the_bellman_operator_is_a_contraction(mdp, gamma, seed):
    U, V = np.random.default_rng(seed).normal(scale=5, size=(2, mdp.states))
    after = [exact.backup(mdp, W, gamma).max(axis=1) for W in (U, V)]
    assert np.abs(after[0] - after[1]).max() <= gamma * np.abs(U - V).max() + 1e-9


@given(worlds, gammas, st.randoms())
@settings(max_examples=25)
def test_names_of_states_do_not_matter(mdp, gamma, random):
    old = list(range(mdp.states))
    random.shuffle(old)  # new state i is the old state old[i]
    new = np.argsort(old)
    renamed = MDP(
        "renamed", mdp.probability[old], new[mdp.next_state[old]], mdp.reward[old], mdp.terminated[old], mdp.start[old]
    )
    assert np.allclose(exact.value_iteration(renamed, gamma).Q, exact.value_iteration(mdp, gamma).Q[old], atol=1e-7)


@given(worlds, gammas, st.floats(0, 2))
@settings(max_examples=25)
def test_values_rise_with_rewards(mdp, gamma, more):
    raised = MDP(mdp.name, mdp.probability, mdp.next_state, mdp.reward + more, mdp.terminated, mdp.start)
    assert (exact.value_iteration(raised, gamma).V >= exact.value_iteration(mdp, gamma).V - 1e-8).all()


@given(worlds, st.floats(0.1, 0.9))
@settings(max_examples=25)
def test_a_long_limit_is_no_limit_and_no_policy_beats_the_best(mdp, gamma):
    Q = exact.value_iteration(mdp, gamma).Q
    policies = np.stack([Q.argmax(axis=1), Q.argmin(axis=1)])
    long = exact.expected_return(mdp, policies, 400, gamma)
    for policy, found in zip(policies, long, strict=True):
        assert found == pytest.approx(mdp.start @ exact.policy_value(mdp, policy, gamma), abs=1e-6)
    for steps in (1, 3, 10):
        assert (exact.expected_return(mdp, policies, steps) <= exact.best_return(mdp, steps) + 1e-9).all()


# Exact arithmetic, for the promises about rounding.


def rational_backup(mdp, V, gamma):
    """Q of the table's own float64 numbers, without any rounding; lists of fractions (states, actions)."""
    return [
        [
            sum(
                Fraction(p) * (Fraction(r) + (0 if over else gamma * V[to]))
                for p, to, r, over in zip(*(column[s, a].tolist() for column in mdp_columns(mdp)), strict=True)
            )
            for a in range(mdp.actions)
        ]
        for s in range(mdp.states)
    ]


def mdp_columns(mdp):
    return mdp.probability, mdp.next_state, mdp.reward, mdp.terminated


def rational_value(mdp, policy, gamma):
    """V of a policy by Gaussian elimination in fractions."""
    zero = [Fraction(0)] * mdp.states
    r = [row[a] for row, a in zip(rational_backup(mdp, zero, gamma), policy, strict=True)]
    columns = []
    for to in range(mdp.states):
        one = [Fraction(int(s == to)) for s in range(mdp.states)]
        onward = [row[a] for row, a in zip(rational_backup(mdp, one, gamma), policy, strict=True)]
        columns.append([e - (o - rest) for e, o, rest in zip(one, onward, r, strict=True)])
    rows = [[*row, right] for row, right in zip(zip(*columns, strict=True), r, strict=True)]
    for k in range(mdp.states):
        rows[k] = [v / rows[k][k] for v in rows[k]]  # the diagonal dominates, so it is never zero
        for i in range(mdp.states):
            if i != k and rows[i][k]:
                rows[i] = [v - rows[i][k] * w for v, w in zip(rows[i], rows[k], strict=True)]
    return [row[-1] for row in rows]


def rational_optimum(mdp, gamma):
    """V* and Q* by policy iteration in fractions: it ends at the optimum, exactly."""
    policy = [0] * mdp.states
    while True:
        V = rational_value(mdp, policy, gamma)
        Q = rational_backup(mdp, V, gamma)
        better = [a if max(row) == row[a] else row.index(max(row)) for row, a in zip(Q, policy, strict=True)]
        if better == policy:
            return V, Q
        policy = better


def furthest(found, wanted):
    """The largest difference between floats and fractions, as a fraction."""
    return max(abs(Fraction(x) - y) for x, y in zip(np.ravel(found).tolist(), np.ravel(wanted).tolist(), strict=True))


def cycle(reward, back):
    """Two states for ever: one step pays `reward`, the step back pays `back`."""
    table = np.ones((2, 1, 1)), np.array([[[1]], [[0]]]), np.array([[[reward]], [[back]]])
    return MDP("cycle", *table, np.zeros((2, 1, 1), bool), np.array([1.0, 0.0]))


near_one = st.sampled_from([0.99, 0.999, 0.9999, 0.999999, 1 - 1e-9])


def scaled(mdp, scale):
    return MDP(mdp.name, mdp.probability, mdp.next_state, mdp.reward * scale, mdp.terminated, mdp.start)


@given(
    st.builds(small_mdp, st.integers(0, 10_000), st.integers(1, 3), st.integers(1, 2), st.integers(1, 3)),
    gammas | near_one,
    st.sampled_from([1e-300, 1e-9, 1.0, 1e3, 1e9, 1e200]),
    st.sampled_from([1e-12, 1e-10, 1e-2, 1e3]),
)
@settings(max_examples=60)
def test_the_error_bound_holds_rounding_included(mdp, gamma, scale, tolerance):
    mdp = scaled(mdp, scale)
    V, Q = rational_optimum(mdp, Fraction(gamma))
    found = exact.value_iteration(mdp, gamma, tolerance)
    assert furthest(found.V, V) <= found.error_bound and furthest(found.Q, Q) <= found.error_bound
    largest = float(max(1, *map(abs, V)))
    relative = 1e-14 / (1 - gamma) * max(largest, np.abs(mdp.reward).max())
    assert found.error_bound <= max(tolerance, relative), "and it is no worse than rounding makes it"


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9), gammas | near_one)
@settings(max_examples=25)
def test_value_iteration_ends_on_a_cycle(reward, back, gamma):
    """Rewards that alternate leave the sweeps in a cycle of roundings, never within the tolerance."""
    found = exact.value_iteration(cycle(reward, back), gamma)
    g = Fraction(gamma)
    V = [(Fraction(x) + g * Fraction(y)) / (1 - g * g) for x, y in ((reward, back), (back, reward))]
    assert furthest(found.V, V) <= found.error_bound
    assert found.sweeps <= exact.MOST_SWEEPS


def test_a_long_way_with_a_gamma_near_one_is_found_by_policy_iteration():
    """Each step costs a little more than staying; only the end of the way pays. Sweeps have not seen it yet."""
    n, gamma = 60, 0.999999
    next_state = np.stack([np.arange(n), np.minimum(np.arange(n) + 1, n - 1)], axis=1)[:, :, None]
    reward = np.zeros((n, 2, 1))
    reward[:, 1], reward[-1] = -1.0, 5.0
    way = MDP("way", np.ones((n, 2, 1)), next_state, reward, np.zeros((n, 2, 1), bool), np.eye(n)[0])
    found = exact.value_iteration(way, gamma)
    at_the_end = 5 / (1 - Fraction(gamma))
    assert furthest(found.V[-1:], [at_the_end]) <= found.error_bound < 0.1
    assert (found.Q.argmax(axis=1)[:-1] == 1).all()


@given(worlds, st.integers(0, 12), gammas | st.just(1.0), st.integers(0, 1000), st.sampled_from([1e-9, 1.0, 1e9]))
@settings(max_examples=40)
def test_returns_are_exact_but_for_rounding(mdp, steps, gamma, seed, scale):
    mdp = scaled(mdp, scale)
    policy = np.random.default_rng(seed).integers(mdp.actions, size=mdp.states)
    assert exact.expected_return(mdp, np.stack([[policy] * 2] * 3), steps, gamma).shape == (3, 2)
    V, best = [[Fraction(0)] * mdp.states for _ in range(2)]
    for _ in range(steps):
        V = [row[a] for row, a in zip(rational_backup(mdp, V, Fraction(gamma)), policy, strict=True)]
        best = [max(row) for row in rational_backup(mdp, best, Fraction(1))]
    start = [Fraction(p) for p in mdp.start]
    rounding = 1e-15 * (steps + 2) * 10 * (steps + 1) * np.abs(mdp.reward).max()
    wanted = sum(p * v for p, v in zip(start, V, strict=True))
    assert furthest(exact.expected_return(mdp, policy, steps, gamma), [wanted]) <= rounding
    wanted = sum(p * v for p, v in zip(start, best, strict=True))
    assert furthest(exact.best_return(mdp, steps), [wanted]) <= rounding


@given(
    st.builds(small_mdp, st.integers(0, 10_000), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)),
    gammas | near_one,
    st.integers(0, 1000),
)
@settings(max_examples=40)
def test_a_policys_value_is_exact_but_for_rounding(mdp, gamma, seed):
    policy = np.random.default_rng(seed).integers(mdp.actions, size=mdp.states)
    V = rational_value(mdp, policy.tolist(), Fraction(gamma))
    size = float(max(map(abs, V))) + np.abs(mdp.reward).max()
    for form in (policy, np.eye(mdp.actions)[policy]):
        assert furthest(exact.policy_value(mdp, form, gamma), V) <= 1e-14 / (1 - gamma) * size


@pytest.mark.parametrize("gamma", [-0.1, 1.0, 1.5, 5, math.nan, math.inf])
def test_gamma_must_be_a_discount(lake, gamma):
    for solve in (exact.value_iteration, lambda mdp, g: exact.policy_value(mdp, np.zeros(16, int), g)):
        with pytest.raises(ValueError, match="gamma must be at least 0 and below 1"):
            solve(lake, gamma)
    if gamma != 1.0:
        with pytest.raises(ValueError, match="gamma is"):
            exact.expected_return(lake, np.zeros(16, int), 3, gamma)


def test_policy_iteration_goes_on_until_no_action_changes(monkeypatch):
    """A corridor in which staying earns a little at once: each round of policy iteration turns one more cell around."""
    monkeypatch.setattr(exact, "MOST_SWEEPS", 1)
    cells, gamma = 8, 0.9
    here = np.arange(cells)
    next_state = np.stack([here, np.minimum(here + 1, cells - 1)], axis=1)[..., None]
    reward = np.stack([np.full(cells, 0.01), here == cells - 1], axis=1)[..., None]
    shape = next_state.shape
    corridor = MDP("corridor", np.ones(shape), next_state, reward, np.zeros(shape, bool), (here == 0).astype(float))
    found = exact.value_iteration(corridor, gamma)
    assert found.error_bound < 1e-10
    np.testing.assert_allclose(found.V, gamma ** (cells - 1 - here) / (1 - gamma), rtol=1e-12)


def test_sweeps_end_where_rounding_leaves_nothing_to_gain():
    assert exact.value_iteration(cycle(1e9, -1e9), 0.5).sweeps < 100


@pytest.mark.parametrize("outcomes", [1, 3])
def test_the_largest_rewards_that_float64_can_hold(outcomes):
    """Just within the limit nothing overflows; just above it they are refused."""
    p = np.full((2, 2, outcomes), 1 / outcomes)
    ones = np.ones(p.shape)
    limit = np.finfo(float).max * 0.01 / (4 * outcomes)

    def world(reward):
        return MDP("rich", p, ones.astype(int), reward * ones, ones < 0, np.array([1.0, 0.0]))

    with np.errstate(over="raise"):
        found = exact.value_iteration(world(0.99 * limit), 0.99)
        assert (
            furthest(found.V[:1], [Fraction(0.99 * limit) / (1 - Fraction(0.99))]) <= found.error_bound < 1e-9 * limit
        )
    with pytest.raises(ValueError, match="exceed the largest"):
        exact.value_iteration(world(1.01 * limit), 0.99)


def test_what_exact_answers_refuse(lake):
    with pytest.raises(ValueError, match="too close to 1"):
        exact.value_iteration(lake, np.nextafter(1, 0))
    with pytest.raises(ValueError, match="exceed the largest float64 number"):
        exact.value_iteration(cycle(1e308, 1e308), 0.99)
    for tolerance in (0, -1.0, math.nan):
        with pytest.raises(ValueError, match="tolerance is"):
            exact.value_iteration(lake, 0.9, tolerance)
    for steps in (-1, 2.5, None):
        with pytest.raises(ValueError, match="steps is"):
            exact.best_return(lake, steps)
        with pytest.raises(ValueError, match="steps is"):
            exact.expected_return(lake, np.zeros(16, int), steps)
    wrong = (np.zeros(15, int), np.full(16, 4), np.full(16, -1), np.zeros(16), np.zeros((16, 4), int), np.int64(0))
    for policy in wrong:
        with pytest.raises(ValueError, match="expected actions from 0 to 3 for each of 16 states"):
            exact.expected_return(lake, policy, 3)
    for policy in (*wrong[:4], np.full((16, 4), 0.3), np.ones((16, 3)) / 3, np.tile([1.5, -0.5, 0, 0], (16, 1))):
        with pytest.raises(ValueError, match=r"expected (actions|a policy)"):
            exact.policy_value(lake, policy, 0.9)
    assert exact.best_return(lake, 0) == exact.expected_return(lake, np.zeros(16, int), 0) == 0


def test_known_figures(lake, taxi, cliff):
    for mdp, limit, policy_earns, best in (
        (lake, 100, 0.740165, 0.744190),
        (taxi, 200, 7.93, 7.93),
        (cliff, 50, -13, -13),
    ):
        policy = exact.value_iteration(mdp, 0.99).Q.argmax(axis=1)
        assert exact.expected_return(mdp, policy, limit) == pytest.approx(policy_earns, abs=1e-5)
        assert exact.best_return(mdp, limit) == pytest.approx(best, abs=1e-5)


# --- learning ----------------------------------------------------------------------------------------------


def logged(mdp, update, **options):
    """What `learn` did, and every transition it showed to the update."""
    steps = []

    def logging(Q, *transition):
        steps.append([np.copy(part) for part in transition])
        update(Q, *transition)

    return tabular.learn(mdp, logging, **options), steps


@pytest.mark.parametrize("update", [tabular.q_learning, tabular.sarsa])
@pytest.mark.parametrize("alpha", [0.3, lambda n: n**-0.6])
def test_side_by_side_is_one_plain_loop_for_each_run(lake, update, alpha):
    """Replayed in plain Python, one run at a time and with integers, the transitions give the same tables."""
    run, steps = logged(lake, update, steps=600, runs=3, alpha=alpha, epsilon=0.4, time_limit=20, seed=5)
    for k in range(3):
        Q, visits = np.zeros((16, 4)), np.zeros((16, 4))
        for s, a, r, s_next, a_next, terminated, _, gamma in steps:
            s, s_next = int(s[k]) - 16 * k, int(s_next[k]) - 16 * k
            a, a_next = int(a[k]), int(a_next[k])
            visits[s, a] += 1
            step_size = alpha(visits[s, a]) if callable(alpha) else alpha
            after = Q[s_next].max() if update is tabular.q_learning else Q[s_next, a_next]
            target = float(r[k]) + (0.0 if terminated[k] else float(gamma) * after)
            Q[s, a] += step_size * (target - Q[s, a])
        assert run.Q[-1, k] == pytest.approx(Q, abs=1e-12)
        assert np.array_equal(run.visits[k], visits)


def test_transitions_are_those_of_the_world(taxi):
    """On a world without chance: gymnasium, given the same actions, goes the same way, episode by episode."""
    env = gymnasium.make("Taxi-v4")
    env.reset(seed=0)
    _, steps = logged(taxi, tabular.q_learning, steps=500, runs=2, epsilon=1.0, time_limit=30, seed=1)
    age, before = 0, None
    for s, a, r, s_next, a_next, terminated, *_ in steps:
        if before is not None and age < 30:
            assert (int(s[1]) - 500, int(a[1])) == before, "the next action is the one that was announced"
        else:
            assert taxi.start[int(s[1]) - 500] > 0
            age = 0
        env.reset()
        env.unwrapped.s = int(s[1]) - 500
        observed, reward, ended, _, _ = env.step(int(a[1]))
        assert (observed, reward, ended) == (int(s_next[1]) - 500, float(r[1]), bool(terminated[1]))
        age = 30 if ended else age + 1
        before = (int(s_next[1]) - 500, int(a_next[1]))


def test_chance_is_that_of_the_table(lake):
    run, steps = logged(lake, tabular.q_learning, steps=4000, runs=4, epsilon=1.0, exploring_starts=True, seed=2)
    s, a, _, s_next, *_ = (
        np.array([step[i] for step in steps]) % 16 if i in (0, 3) else np.array([step[i] for step in steps])
        for i in range(5)
    )
    here = (s == 14) & (a == 1)
    for to in (13, 14, 15):
        share = (s_next[here] == to).mean()
        assert abs(share - 1 / 3) < 5 * np.sqrt(2 / 9 / here.sum())
    assert run.visits.sum() == 16_000 and run.visits[:, ~lake.acting].sum() == 0


def test_a_terminal_state_is_not_bootstrapped_past(lake):
    """Whatever the table says about terminal states, it changes nothing else."""
    options = {"steps": 2000, "runs": 4, "epsilon": 0.5, "exploring_starts": True, "seed": 3}
    odd = np.where(lake.acting[:, None], 0.0, 1000.0) * np.ones((16, 4))
    for update in (tabular.q_learning, tabular.sarsa):
        plain, marked = (tabular.learn(lake, update, initial=initial, **options) for initial in (0.0, odd))
        assert np.array_equal(plain.Q[:, :, lake.acting], marked.Q[:, :, lake.acting])
    assert (plain.Q <= 1).all()


def test_a_truncated_state_keeps_its_value():
    """A world that pays 1 for ever is worth 1/(1-gamma), however often the clock stops it."""
    shape = (1, 1, 1)
    ever = MDP("ever", np.ones(shape), np.zeros(shape, int), np.ones(shape), np.zeros(shape, bool), np.ones(1))
    run = tabular.learn(ever, steps=3000, runs=2, alpha=0.5, gamma=0.9, time_limit=3, record=[1500])
    assert run.Q[-1] == pytest.approx(10.0)
    assert run.returns == pytest.approx(3.0)


@pytest.mark.parametrize(("seed", "outcomes"), [(0, 3), (1, 3), (2, 2), (3, 1)])
def test_q_learning_finds_q_star(seed, outcomes):
    mdp = small_mdp(seed, states=4, actions=2, outcomes=outcomes)
    Q_star = exact.value_iteration(mdp, 0.8).Q
    run = tabular.learn(
        mdp, steps=40_000, runs=8, alpha=lambda n: n**-0.7, gamma=0.8, epsilon=1.0, record=[400], seed=seed
    )
    error = run.sup_error(Q_star, mdp.acting)
    assert error[-1].max() < 0.3 and error[-1].mean() < error[0].mean() / 3


def test_deterministic_world_is_learned_exactly(cliff):
    Q_star = exact.value_iteration(cliff, 0.99).Q
    run = tabular.learn(cliff, steps=12_000, runs=4, alpha=1.0, epsilon=1.0, exploring_starts=True, time_limit=5)
    assert run.sup_error(Q_star, cliff.acting).max() < 1e-9


def test_same_seed_same_runs_and_different_runs_differ(lake):
    options = {"steps": 500, "runs": 5, "epsilon": lambda t: 1 / (1 + t / 50), "record": [100], "time_limit": 50}
    one, again, other = (tabular.learn(lake, seed=seed, **options) for seed in (7, 7, 8))
    assert np.array_equal(one.Q, again.Q) and np.array_equal(one.returns, again.returns, equal_nan=True)
    assert not np.array_equal(one.visits, other.visits)
    assert len({table.tobytes() for table in (*one.visits, *other.visits)}) == 10, (
        "nor does a run repeat in another seed"
    )
    assert one.moments.tolist() == [100, 500] and one.Q.shape == (2, 5, 16, 4)
    assert one.policies[1, 3].tolist() == [row.argmax() for row in one.Q[1, 3]]


def test_epsilon_is_the_share_of_random_actions():
    """With one good arm known from the start, the others are pulled in epsilon·(1 - 1/actions) of the steps."""
    shape = (1, 4, 1)
    arms = MDP("arms", np.ones(shape), np.zeros(shape, int), np.zeros(shape), np.ones(shape, bool), np.ones(1))
    run = tabular.learn(arms, steps=5000, runs=20, alpha=0.0, epsilon=0.2, initial=[[1.0, 0, 0, 0]])
    assert run.visits[:, 0, 1:].sum() / run.visits.sum() == pytest.approx(0.15, abs=0.005)
    assert run.visits[:, 0, 1:].sum(axis=0) == pytest.approx(5000, rel=0.1)
    ties = tabular.learn(arms, steps=5000, runs=4, alpha=0.0, epsilon=0.0)
    assert ties.visits.sum(axis=(0, 1)) == pytest.approx(5000, rel=0.1), "ties are broken at random"


def test_epsilon_is_asked_for_each_action_from_step_0_on():
    """Random in one step of two, and greedy in the other."""
    shape = (1, 4, 1)
    arms = MDP("arms", np.ones(shape), np.zeros(shape, int), np.zeros(shape), np.ones(shape, bool), np.ones(1))
    for once in (0, 1):
        _, steps = logged(
            arms,
            tabular.q_learning,
            steps=2,
            runs=4000,
            alpha=0.0,
            epsilon=lambda t, once=once: float(t == once),
            initial=[[1.0, 0, 0, 0]],
        )
        shares = [(a > 0).mean() for _, a, *_ in steps]
        assert shares[once] == pytest.approx(0.75, abs=0.04) and shares[1 - once] == 0


def test_sarsa_keeps_away_from_the_cliff(cliff):
    options = {"steps": 20_000, "runs": 16, "alpha": 0.1, "epsilon": 0.1, "time_limit": 200, "record": [15_000]}
    q, sarsa = (tabular.learn(cliff, update, **options) for update in (tabular.q_learning, tabular.sarsa))
    greedy = [exact.expected_return(cliff, run.policies[-1], 100).mean() for run in (q, sarsa)]
    assert greedy[0] == pytest.approx(-13, abs=0.5) and greedy[1] < -14.5
    assert sarsa.returns[-1].mean() > q.returns[-1].mean() + 10


@pytest.mark.parametrize(
    "change",
    [
        {"steps": 0},
        {"steps": 10.0},
        {"runs": 0},
        {"alpha": -0.1},
        {"alpha": math.nan},
        {"alpha": math.inf},
        {"alpha": np.ones(2)},
        {"alpha": lambda n: -1 / n},
        {"alpha": lambda n: 1 - n},  # right at the first visit only
        {"alpha": lambda n: n[:1]},
        {"gamma": 1.5},
        {"gamma": 5},
        {"gamma": -0.1},
        {"gamma": math.nan},
        {"epsilon": 1.1},
        {"epsilon": -0.1},
        {"epsilon": math.nan},
        {"epsilon": lambda t: t / 5},  # above 1 from the sixth step on
        {"epsilon": lambda t: None},
        {"time_limit": 0},
        {"time_limit": -3},
        {"time_limit": 2.5},
        {"seed": -1},
        {"seed": 1.5},
    ],
)
def test_learn_names_the_parameter_that_is_out_of_range(lake, change):
    with pytest.raises(ValueError, match=rf"^{next(iter(change))} is "):
        tabular.learn(lake, **{"steps": 10, "runs": 3} | change)


def test_what_else_learn_refuses(lake):
    for record in ([0], [2.5], [-1], np.linspace(1, 10, 3)):
        with pytest.raises(ValueError, match="a step to record is"):
            tabular.learn(lake, steps=10, record=record)
    for initial in (np.zeros((4, 16)), np.zeros(4), math.nan, np.full((16, 4), np.inf)):
        with pytest.raises(ValueError, match="initial has the shape"):
            tabular.learn(lake, steps=10, initial=initial)
    for epsilon in (np.float32(0.5), np.array(0.5), 0, 1):
        assert tabular.learn(lake, steps=10, epsilon=lambda t, share=epsilon: share).visits.sum() == 10
    rest = tabular.learn(lake, steps=10, record=[3, 3, 10, 12], gamma=1, alpha=0)
    assert rest.moments.tolist() == [3, 10], "a step after the last is left out"
    assert tabular.learn(lake, steps=10, time_limit=1, record=[1]).visits[0, 1:].sum() == 0, "always the first state"


def test_one_run_of_seed_0_unless_asked_otherwise(lake):
    usual, asked = (
        tabular.learn(lake, steps=300),
        tabular.learn(
            lake, tabular.q_learning, steps=300, runs=1, alpha=0.1, gamma=0.99, epsilon=0.1, initial=0.0, seed=0
        ),
    )
    assert usual.Q.shape == (1, 1, 16, 4) and np.array_equal(usual.visits, asked.visits)
    assert np.array_equal(usual.Q, asked.Q)


@pytest.mark.parametrize(("steps", "returns"), [(2, math.nan), (3, 3.0), (5, 3.0), (6, 3.0)])
def test_the_mean_return_of_no_episode_of_one_and_of_two(steps, returns):
    shape = (1, 1, 1)
    ever = MDP("ever", np.ones(shape), np.zeros(shape, int), np.ones(shape), np.zeros(shape, bool), np.ones(1))
    with np.errstate(all="raise"):
        run = tabular.learn(ever, steps=steps, runs=2, time_limit=3)
    assert np.array_equal(run.returns, [[returns] * 2], equal_nan=True)


def test_noise_breaks_ties_and_nothing_else(monkeypatch):
    """The best action is taken by a difference of 1e-8, however small or large the draws."""
    shape = (1, 3, 1)
    arms = MDP("arms", np.ones(shape), np.zeros(shape, int), np.zeros(shape), np.ones(shape, bool), np.ones(1))
    for draws in ([0.5, 1e-300, 1 - 1e-16], [1e-300, 0.5, 0.0], [1 - 1e-16, 1e-12, 0.5]):

        class Fixed(np.random.Generator):
            def random(self, size, draws=draws):
                return np.array(draws) * np.ones(size) if isinstance(size, tuple) else np.full(size, 0.5)

        monkeypatch.setattr(np.random, "Generator", Fixed)
        run = tabular.learn(arms, steps=5, alpha=0.0, epsilon=0.0, initial=[[1e-8, 2e-8, 0.0]])
        assert run.visits[0, 0].tolist() == [0, 5, 0]
        tied = tabular.learn(arms, steps=5, alpha=0.0, epsilon=0.0)
        assert tied.visits[0, 0, np.argmax(draws)] == 5


def test_a_random_action_is_always_an_action(monkeypatch):
    """Also where the draw is the largest below epsilon, and rounding would name one action too many."""
    shape = (2, 7, 1)
    arms = MDP("arms", np.ones(shape), np.zeros(shape, int), np.zeros(shape), np.ones(shape, bool), np.array([1.0, 0]))
    shares = np.linspace(0.01, 0.99, 99)
    rounded = [share for share in shares if np.nextafter(share, 0) * (7 / share) >= 7]
    assert rounded, "some share is rounded up"
    for share in rounded:

        class Extreme(np.random.Generator):
            def random(self, size, share=share):
                return np.full(size, np.nextafter(share, 0))

        monkeypatch.setattr(np.random, "Generator", Extreme)
        run = tabular.learn(arms, steps=5, epsilon=share)
        assert run.visits[0, 0].tolist() == [0] * 6 + [5] and not run.visits[0, 1].any()


@pytest.mark.parametrize("total", [1 - 9e-7, 1.0, 1 + 9e-7])
def test_outcomes_and_starts_of_probability_zero_never_happen(total, monkeypatch):
    """Even where probabilities sum to a little less than 1, and the draw is the largest or the smallest there is."""
    p = np.array([[[0.0, 0.25, 0.0, 0.75, 0.0]]] * 3) * total
    next_state = np.array([[[0, 1, 0, 2, 0]]] * 3)
    zeros = np.zeros(p.shape)
    mdp = MDP("gaps", p, next_state, zeros, zeros.astype(bool), np.array([0.0, total, 0.0]))

    class Extreme(np.random.Generator):
        def random(self, size):
            return np.full(size, edge)

    for edge in (0.0, np.nextafter(1, 0)):
        monkeypatch.setattr(np.random, "Generator", Extreme)
        _, steps = logged(mdp, tabular.q_learning, steps=20, runs=2, epsilon=0.0, time_limit=3)
        assert {int(s) % 3 for step in steps for s in step[0]} == ({1} if edge == 0 else {1, 2})
        assert {int(s) % 3 for step in steps for s in step[3]} == ({1} if edge == 0 else {2})


# --- replies -----------------------------------------------------------------------------------------------


@given(st.floats(0, 1))
@settings(max_examples=30)
def test_beliefs_are_probabilities_and_reading_is_consistent(confusion):
    desk = help_desk(confusion)
    assert desk.belief.sum(axis=1) == pytest.approx(np.ones(desk.mdp.states))
    n = len(INTENTS)
    for first in range(n):  # what is believed now is the mean of what will be believed
        after = desk.mdp.probability[first, ASK] @ desk.belief[n + n * first : n + n * first + n]
        assert after == pytest.approx(desk.belief[first], abs=1e-9)


def test_noise_never_helps_and_a_colleague_is_always_there():
    values = [exact.best_return(help_desk(c).mdp, 2) for c in np.linspace(0, 0.75, 16)]
    assert (np.diff(values) <= 1e-12).all() and values[0] == pytest.approx(0.8) and values[-1] == pytest.approx(0.3)
    desk = help_desk(0.4)
    assert exact.expected_return(desk.mdp, np.full(desk.mdp.states, HAND_OVER), 2) == pytest.approx(0.3)
    assert desk.state_name(1) == INTENTS[1] and desk.state_name(5) == f"{INTENTS[0]}, then {INTENTS[1]}"
    with pytest.raises(ValueError, match=r"confusion is 1\.2; expected .* at least 0 and at most 1"):
        help_desk(1.2)


def test_every_conversation_ends_in_the_state_called_the_end():
    desk = help_desk(0.2)
    ends = desk.mdp.next_state[desk.mdp.terminated & (desk.mdp.probability > 0)]
    assert {desk.state_name(int(state)) for state in ends} == {"the end"}


def test_nothing_here_needs_torch():
    import subprocess
    import sys

    program = "import sys; import babyagi_lib.worlds.help_desk, babyagi_lib.rl.tabular, babyagi_lib.rl.exact; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


# --- figures -----------------------------------------------------------------------------------------------


def test_figures_tell_their_numbers(monkeypatch):
    from IPython import display

    from babyagi_lib.figures import base as base_figures
    from babyagi_lib.figures import q_learning as figures

    alts = []
    monkeypatch.setattr(
        display, "display", lambda data, metadata=None, raw=False: alts.append(metadata["image/png"]["alt"])
    )
    moments, runs = np.array([100, 200]), np.array([[0.1, 0.2, 0.3], [0.5, 0.6, 0.7]])
    figures.learning_runs(moments, {"one": runs, "a single run": runs[:, :1]}, "|Q − Q*|", {"optimum": 0.74})
    figures.step_size_runs(moments, {"0.7": runs}, {"0.7": runs}, 0.86, "Q(s, a)")
    figures.cliff_paths({"Q-learning": [36, 24, 25], "SARSA": [36, 24, 12, 13, 25]}, 4, 12)
    figures.puzzle(2, moments, runs, "greedy success", ("optimal", 0.74))
    figures.puzzle(6, moments, 10 * runs, "largest |Q|", logarithmic=True)
    figures.reply_values(np.array([0, 0.5]), {"optimum": [0.8, 0.25]}, {0.2: runs[1]})
    assert "|Q − Q*|, mean of 3 runs" in alts[0] and "from 0.2 to 0.6" in alts[0] and "optimum is at 0.74" in alts[0]
    assert "0.600 with step size 0.7" in alts[1] and "optimum 0.860" in alts[1]
    assert "SARSA takes 4 steps and goes up to row 2 of 4" in alts[2]
    assert "Puzzle 2" in alts[3] and "optimal is at 0.74" in alts[3] and "to 6" in alts[4]
    assert "0.80 without misreadings to 0.25 at 50%" in alts[5] and "0.60 at 20%" in alts[5]
    figure, alt = figures.grid_world(
        {"now": (np.linspace(0, 1, 4), np.array([0, -1, 2, 3]))}, ["SH", "FG"], "←↓→↑", agent=0
    )
    written = [text.get_text() for text in figure.axes[0].texts]
    assert written == ["0.00", "←", "hole", "0.67", "→", "goal"]
    assert "now: 0.00← hole; 0.67→ goal." in alt and "the agent, in row 1, column 1" in alt
    base_figures.plt.close(figure)
