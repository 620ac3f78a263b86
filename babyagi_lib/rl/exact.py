"""The optimal answer, computed from a world's table: the ruler that learning is held against. Used by lesson 06.

Notation as in Sutton & Barto (2018), http://incompleteideas.net/book/the-book-2nd.html: V(s) is what a state is worth,
Q(s, a) what an action is worth in it, both as the expected sum of rewards, each discounted by gamma per step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.rl.mdp import MDP


@dataclass(frozen=True, eq=False)
class Solution:
    """What value iteration found: V (states,), Q (states, actions), how often it swept, and how wrong V can be.

    Attributes:
        V: value of each state.
        Q: value of each action in each state.
        sweeps: how often every state was backed up.
        error_bound: no entry of V is further than this from the true optimum.
    """

    V: NDArray
    Q: NDArray
    sweeps: int
    error_bound: float


def backup(mdp: MDP, V: NDArray, gamma: float) -> NDArray:
    """Q(s, a) = sum over outcomes of p · (r + gamma · V(s')), with nothing after termination; (states, actions)."""
    after = np.where(mdp.terminated, 0.0, V[mdp.next_state])
    return (mdp.probability * (mdp.reward + gamma * after)).sum(axis=-1)


def value_iteration(mdp: MDP, gamma: float, tolerance: float = 1e-10) -> Solution:
    """Apply V(s) <- max over a of Q(s, a) until V is within `tolerance` of the optimum, everywhere.

    A sweep brings V closer to V* by the factor gamma at least (it is a contraction), so after a sweep that changed no
    entry by more than d, none is further than gamma/(1-gamma)·d from the optimum (Puterman 1994, theorem 6.3.1).

    Args:
        mdp: the world's table.
        gamma: the discount, at least 0 and below 1.
        tolerance: the largest error of V that is acceptable.

    Raises:
        ValueError: gamma is not a discount; at 1 the sweeps need not converge.
    """
    if not 0 <= gamma < 1:
        raise ValueError(f"gamma must be at least 0 and below 1, not {gamma}")
    V, sweeps = np.zeros(mdp.states), 0
    while True:
        Q = backup(mdp, V, gamma)
        change = np.abs(Q.max(axis=1) - V).max()
        V, sweeps = Q.max(axis=1), sweeps + 1
        bound = gamma / (1 - gamma) * change
        if bound <= tolerance:
            return Solution(V, backup(mdp, V, gamma), sweeps, float(bound))


def policy_value(mdp: MDP, policy: NDArray, gamma: float) -> NDArray:
    """V of a policy that never changes, from the linear system V = r + gamma·P·V; (states,).

    Args:
        mdp: the world's table.
        policy: the action in each state, (states,) of integers, or the probability of each, (states, actions).
        gamma: the discount, below 1.
    """
    chosen = np.eye(mdp.actions)[policy] if policy.ndim == 1 else policy
    weight = chosen[:, :, None] * mdp.probability
    r = (weight * mdp.reward).sum(axis=(1, 2))
    P = np.zeros((mdp.states, mdp.states))
    rows = np.broadcast_to(np.arange(mdp.states)[:, None, None], weight.shape)
    np.add.at(P, (rows, mdp.next_state), weight * ~mdp.terminated)
    return np.linalg.solve(np.eye(mdp.states) - gamma * P, r)


def expected_return(mdp: MDP, policies: NDArray, steps: int, gamma: float = 1.0) -> NDArray:
    """What policies earn on average in an episode of at most `steps` steps, exactly, with no episode played.

    The average is over the first state and over all chance in the world. In FrozenLake, where the only reward is 1 for
    arriving, the expected return with gamma 1 is the share of episodes that succeed.

    Args:
        mdp: the world's table.
        policies: actions, (..., states): one policy, or one for each run.
        steps: the time limit.
        gamma: the discount; 1 counts every reward in full.

    Returns:
        Array (...,), one number for each policy.
    """
    flat = policies.reshape(-1, mdp.states)
    every, which = np.arange(mdp.states), np.arange(len(flat))[:, None, None]
    p, r = mdp.probability[every, flat], mdp.reward[every, flat]
    onward, after = p * ~mdp.terminated[every, flat], mdp.next_state[every, flat]
    earned = (p * r).sum(axis=-1)
    V = np.zeros(flat.shape)
    for _ in range(steps):
        V = earned + gamma * (onward * V[which, after]).sum(axis=-1)
    return (V @ mdp.start).reshape(policies.shape[:-1])[()]


def best_return(mdp: MDP, steps: int) -> float:
    """The most that any agent can earn on average in `steps` steps, undiscounted, even one that watches the clock."""
    V = np.zeros(mdp.states)
    for _ in range(steps):
        V = backup(mdp, V, 1.0).max(axis=1)
    return float(V @ mdp.start)
