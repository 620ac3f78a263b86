"""The optimal answer, computed from a world's table: what learning is compared with. Used by lessons 06 and 07.

Notation as in Sutton & Barto (2018), http://incompleteideas.net/book/the-book-2nd.html: V(s) is the value of a state,
Q(s, a) the value of an action in it, both as the expected sum of rewards, each discounted by gamma per step.

Every result is a float64 number, and so has rounding errors. `value_iteration` includes them in its error bound; the
other functions say how large they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.basics.arguments import check_number, check_whole
from babyagi_lib.rl.mdp import MDP

MOST_SWEEPS = 10_000  # then policy iteration: with gamma .999999, sweeps alone would need some 10 million
MOST_POLICIES = 100
EPS, TINY = np.finfo(float).eps, np.finfo(float).tiny


@dataclass(frozen=True, eq=False)
class Solution:
    """The result of `value_iteration`.

    Attributes:
        V: value of each state, (states,).
        Q: value of each action in each state, (states, actions).
        sweeps: how often every state was backed up.
        error_bound: no entry of V or Q is further than this from the optimum of the table, rounding included.
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

    A sweep brings V closer to V* by the factor gamma at least (it is a contraction). So after a sweep that changed no
    entry by more than d, no entry is further than gamma/(1-gamma)·d from the optimum (Puterman 1994, theorem 6.3.1).
    In floating point each sweep adds a rounding error, which counts 1/(1-gamma) times in the bound.

    It always ends. When rounding stops the progress of the sweeps, or after `MOST_SWEEPS` of them, policy iteration
    takes over: V becomes the value of the greedy policy, while that lowers the bound. If float64 cannot reach
    `tolerance`, the result is the best that was found, and `error_bound` is above `tolerance`.

    Args:
        mdp: the world's table.
        gamma: the discount, at least 0 and below 1.
        tolerance: the largest acceptable error of V, above 0.

    Raises:
        ValueError: gamma is not a discount (at 1 the sweeps need not converge) or so close to 1 that rounding hides the
            difference, the tolerance is not above 0, or the values are too large for float64.
    """
    check_number("tolerance", tolerance, 0, above=True)
    shrink = _contraction(mdp, gamma)
    if np.abs(mdp.reward).max() > np.finfo(float).max * (1 - shrink) / (4 * mdp.probability.shape[2]):
        raise ValueError(f"{mdp.name}: with gamma {gamma}, values exceed the largest float64 number")

    def sweep(V: NDArray) -> tuple[NDArray, float, float]:
        """The next V, how much it changed, and how far it can be from the optimum."""
        after = backup(mdp, V, gamma).max(axis=1)
        change = np.abs(after - V).max()
        bound = (shrink * change + _rounding(mdp, V, gamma)) / (1 - shrink) * (1 + 8 * EPS)
        return after, float(change), float(bound)

    V, change, bound = sweep(np.zeros(mdp.states))
    sweeps = 1
    while bound > tolerance and sweeps < MOST_SWEEPS:
        after, next_change, next_bound = sweep(V)
        sweeps += 1
        if next_change >= change:  # without rounding, every change is smaller than the one before
            break
        V, change, bound = after, next_change, next_bound

    best, policy = V, None
    for _ in range(MOST_POLICIES if bound > tolerance else 0):
        greedy = backup(mdp, V, gamma).argmax(axis=1)
        if policy is not None and np.array_equal(greedy, policy):
            break
        policy = greedy
        V, _, next_bound = sweep(policy_value(mdp, policy, gamma))
        if next_bound < bound:
            best, bound = V, next_bound
    return Solution(best, backup(mdp, best, gamma), sweeps, bound)


def policy_value(mdp: MDP, policy: NDArray, gamma: float) -> NDArray:
    """V of policies that never change, from the linear system V = r + gamma·P·V; (..., states).

    Rounding errors are of the order of 1e-16/(1-gamma) of the largest value.

    Args:
        mdp: the world's table.
        policy: the action in each state, (states,) of integers, or the probability of each, (..., states, actions).
        gamma: the discount, at least 0 and below 1.

    Raises:
        ValueError: gamma is not a discount, or the policy is not one of this world.
    """
    system, r = _system(mdp, policy, gamma)
    return np.linalg.solve(system, r[..., None])[..., 0]


def policy_visits(mdp: MDP, policy: NDArray, gamma: float) -> NDArray:
    """How often an episode is in each state, where a visit after t steps counts gamma^t; (..., states).

    These expected numbers mu solve mu = start + gamma·mu·P, the transposed system of `policy_value`, so that
    mu·r = start·V. The arguments and errors are those of `policy_value`.
    """
    system, _ = _system(mdp, policy, gamma)
    return np.linalg.solve(np.swapaxes(system, -1, -2), mdp.start[:, None])[..., 0]


def expected_return(mdp: MDP, policies: NDArray, steps: int, gamma: float = 1.0) -> NDArray:
    """What policies earn on average in an episode of at most `steps` steps, from the table, with no episode played.

    The average is over the first state and over all chance in the world. In FrozenLake, where the only reward is 1 for
    reaching the goal, the expected return with gamma 1 is the share of episodes that succeed. There is no sampling
    error; rounding errors are of the order of 1e-16 of the largest value in each step.

    Args:
        mdp: the world's table.
        policies: actions, (..., states): one policy, or one for each run.
        steps: the time limit, 0 or more.
        gamma: the discount, from 0 to 1; 1 counts every reward in full.

    Returns:
        Array (...,), one number for each policy.

    Raises:
        ValueError: the time limit or gamma is out of its range, or a policy is not one of this world.
    """
    check_whole("steps", steps, 0)
    check_number("gamma", gamma, 0, 1)
    policies = np.asarray(policies)
    _check_actions(mdp, policies)
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
    """The most that any agent can earn on average in `steps` steps, undiscounted, even one that counts its steps.

    Rounding errors are of the order of 1e-16 of the largest value in each step.

    Raises:
        ValueError: `steps` is not a whole number of at least 0.
    """
    check_whole("steps", steps, 0)
    V = np.zeros(mdp.states)
    for _ in range(steps):
        V = backup(mdp, V, 1.0).max(axis=1)
    return float(V @ mdp.start)


def _contraction(mdp: MDP, gamma: float) -> float:
    """The factor by which a sweep brings two V closer at least: gamma, unless the probabilities' sums are not exact."""
    if not 0 <= gamma < 1:
        raise ValueError(f"gamma must be at least 0 and below 1, not {gamma}")
    onward = (mdp.probability * ~mdp.terminated).sum(axis=-1).max()
    shrink = float(gamma * onward * (1 + (mdp.probability.shape[2] + 2) * EPS))
    if shrink >= 1:
        raise ValueError(f"{mdp.name}: gamma {gamma} is too close to 1; rounding hides that it is below 1")
    return shrink


def _rounding(mdp: MDP, V: NDArray, gamma: float) -> float:
    """The largest rounding error of `backup`: each outcome's term has 3 roundings, their sum one less than outcomes.

    Twice what the analysis gives (Higham 2002, section 3.1), so that the roundings of the bound itself are included.
    """
    largest = np.abs(mdp.reward).max() + gamma * np.abs(V).max()
    return (mdp.probability.shape[2] + 3) * EPS * largest + TINY


def _system(mdp: MDP, policy: NDArray, gamma: float) -> tuple[NDArray, NDArray]:
    """I - gamma·P, (..., states, states), and the expected rewards r, (..., states), of a policy that is checked here."""
    _contraction(mdp, gamma)
    policy = np.asarray(policy)
    if policy.ndim == 1:
        _check_actions(mdp, policy)
        policy = np.eye(mdp.actions)[policy]
    elif policy.shape[-2:] != (mdp.states, mdp.actions) or not (
        (policy >= 0).all() and np.allclose(policy.sum(axis=-1), 1)
    ):
        raise ValueError(
            f"{mdp.name}: expected a policy of {mdp.states} actions, or of probabilities ({mdp.states}, {mdp.actions}) "
            f"that sum to 1 in each state; it has the shape {policy.shape}"
        )
    onward = np.zeros((mdp.states, mdp.actions, mdp.states))
    state, action, _ = np.indices(mdp.probability.shape)
    np.add.at(onward, (state, action, mdp.next_state), mdp.probability * ~mdp.terminated)
    P = np.einsum("...sa,sat->...st", policy, onward)
    return np.eye(mdp.states) - gamma * P, (policy * (mdp.probability * mdp.reward).sum(axis=2)).sum(axis=-1)


def _check_actions(mdp: MDP, policies: NDArray) -> None:
    right = policies.dtype.kind in "iu" and policies.shape[-1:] == (mdp.states,)
    if not right or (policies < 0).any() or (policies >= mdp.actions).any():
        raise ValueError(
            f"{mdp.name}: expected actions from 0 to {mdp.actions - 1} for each of {mdp.states} states; found "
            f"{policies.dtype} of the shape {policies.shape}"
        )
