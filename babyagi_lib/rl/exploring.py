"""How long until a state is found: by chance, exactly; by agents that count their visits, in many runs. Used by lesson 13.

Imports no torch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from babyagi_lib.basics.arguments import check_number, check_whole
from babyagi_lib.rl.mdp import MDP


def expected_steps(mdp: MDP, policy: ArrayLike, goal: int) -> NDArray:
    """The expected number of steps until a state is entered, for a policy that does not change, (states,).

    It solves h(s) = 1 + sum over s' of P(s'|s)·h(s') with h(goal) = 0 (Kemeny & Snell 1960). States are eliminated one by
    one without any subtraction (Grassmann, Taksar & Heyman 1985), so an answer such as 1e30 is right to 12 digits, too.

    Args:
        mdp: the world's table. Where an episode ends, the next one begins.
        policy: an action for each state, (states,) of integers, or the probability of each, (states, actions).
        goal: the number of the state.

    Returns:
        0 for the goal itself, and inf where it may never be entered.

    Raises:
        ValueError: there is no such state, or the policy is none.
    """
    _check_state(mdp, goal)
    policy = np.asarray(policy)
    if policy.shape == (mdp.states,) and policy.dtype.kind in "iu":
        if not ((policy >= 0) & (policy < mdp.actions)).all():
            raise ValueError(f"an action is not from 0 to {mdp.actions - 1}")
        policy = np.eye(mdp.actions)[policy]
    if policy.shape != (mdp.states, mdp.actions) or not ((policy >= 0).all() and np.allclose(policy.sum(axis=1), 1)):
        raise ValueError(
            f"expected {mdp.states} actions, or probabilities {mdp.states, mdp.actions}; found {policy.shape}"
        )
    chance = policy[..., None] * mdp.probability
    P = np.zeros((mdp.states, mdp.states))
    state = np.indices(chance.shape)[0]
    np.add.at(P, (state, mdp.next_state), chance * ~mdp.terminated)
    P += np.outer((chance * mdp.terminated).sum(axis=(1, 2)), mdp.start)

    # Who may get stuck: the states from which another can be reached that has no way to the goal.
    reaches = np.eye(mdp.states, dtype=bool) | (P > 0)
    reaches[goal] = np.arange(mdp.states) == goal
    for _ in range(mdp.states.bit_length()):
        reaches = reaches @ reaches
    stuck = (reaches & ~reaches[:, goal]).any(axis=1)
    left = [goal, *np.flatnonzero(~stuck & (np.arange(mdp.states) != goal))]
    steps = np.where(stuck, np.inf, 0.0)
    steps[left] = _without_subtraction(P[np.ix_(left, left)])
    return steps


def _without_subtraction(P: NDArray) -> NDArray:
    """Expected steps to state 0 in a chain that always gets there, (states, states) to (states,)."""
    P, cost = P.copy(), np.ones(len(P))
    leaving = np.zeros(len(P))
    for k in range(len(P) - 1, 0, -1):
        # Leave out state k: who would go there goes on to where it leads, and pays for the time that it takes.
        leaving[k] = P[k, :k].sum()  # not 1 - P[k, k], which would lose digits
        cost[:k] += P[:k, k] / leaving[k] * cost[k]
        P[:k, :k] += np.outer(P[:k, k] / leaving[k], P[k, :k])
    steps = np.zeros(len(P))
    for k in range(1, len(P)):
        steps[k] = (cost[k] + P[k, :k] @ steps[:k]) / leaving[k]
    return steps


def first_found(
    mdp: MDP,
    goal: int,
    *,
    bonus: float = 0.0,
    epsilon: float = 0.0,
    steps: int = 10_000,
    runs: int = 100,
    alpha: float = 0.5,
    gamma: float = 0.95,
    seed: int = 0,
) -> NDArray:
    """Let Q-learning act in many runs at once, until each has entered a state for the first time.

    Every reward is raised by bonus / sqrt(n), where n counts how often the action was taken in the state, this time
    included (Strehl & Littman 2008 add such a bonus to planning in a learned model). An action that was never tried has
    had no bonus yet. So Q begins at bonus / (1 - gamma), what it would be worth if every step paid the first bonus: with a Q
    that begins at 0, the first action that is tried looks better than all others. The update carries what is left of the
    bonus back to the states before. Where an episode ends, the next one begins.

    Args:
        mdp: the world. The agents see only what happens to them.
        goal: the number of the state.
        bonus: 0 for none.
        epsilon: the share of actions at random; the others are greedy, with ties broken at random.
        steps: after how many a run is given up.
        runs: how many runs.
        alpha: the step size of Q-learning.
        gamma: the discount, below 1.
        seed: the same seed gives the same runs.

    Returns:
        The number of steps in each run, (runs,); inf where it was given up.

    Raises:
        ValueError: a parameter is out of its range.
    """
    _check_state(mdp, goal)
    check_number("bonus", bonus, 0)
    check_number("epsilon", epsilon, 0, 1)
    check_number("alpha", alpha, 0, 1, above=True)
    check_number("gamma", gamma, 0, 1)
    if gamma == 1:
        raise ValueError("gamma is 1; it must be below 1, since nothing here need ever end")
    for name, whole, least in (("steps", steps, 1), ("runs", runs, 1), ("seed", seed, 0)):
        check_whole(name, whole, least)

    draw = np.random.default_rng(seed)
    found = np.full(runs, np.inf)
    shape = (runs, mdp.states, mdp.actions)
    Q, visits = np.full(shape, bonus / (1 - gamma)), np.zeros(shape)
    edges, first = mdp.probability.cumsum(axis=-1), mdp.start.cumsum()
    s = np.searchsorted(first / first[-1], draw.random(runs), side="right")
    found[s == goal] = 0
    going = np.flatnonzero(s != goal)  # the runs that are still looking
    s = s[going]
    for step in range(1, steps + 1):
        if not len(going):
            break
        # The tiny noise breaks ties: argmax alone would always prefer action 0.
        a = (Q[going, s] + 1e-9 * draw.random((len(going), mdp.actions))).argmax(axis=1)
        a = np.where(draw.random(len(going)) < epsilon, draw.integers(mdp.actions, size=len(going)), a)
        edge = edges[s, a]
        outcome = (draw.random(len(going))[:, None] * edge[:, -1:] >= edge[:, :-1]).sum(axis=1)
        s_next, ended = mdp.next_state[s, a, outcome], mdp.terminated[s, a, outcome]
        visits[going, s, a] += 1
        r = mdp.reward[s, a, outcome] + bonus / np.sqrt(visits[going, s, a])
        target = r + gamma * ~ended * Q[going, s_next].max(axis=1)
        Q[going, s, a] += alpha * (target - Q[going, s, a])
        arrived = s_next == goal
        found[going[arrived]] = step
        again = np.searchsorted(first / first[-1], draw.random(len(going)), side="right")
        s = np.where(ended, again, s_next)[~arrived]
        going = going[~arrived]
    return found


def _check_state(mdp: MDP, goal: int) -> None:
    check_whole("goal", goal, 0)
    if goal >= mdp.states:
        raise ValueError(f"goal is {goal}; {mdp.name} has the states 0 to {mdp.states - 1}")
