"""Softmax policies in a table: the exact gradient of their return, and estimates of it from play. Used by lesson 07.

A policy is a table of logits theta, (states, actions); in state s it takes action a with the probability
pi(a|s) = softmax(theta[s])[a]. Its objective J is the expected discounted return of an episode from the start.

The exact gradient comes from the world's table. The estimates see only episodes. `play` plays many side by side, for one
policy or for the policies of many runs. Arrays of episodes have the shape (steps, episodes), so that one row holds the
same step of all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from babyagi_lib.basics.arguments import check_number, check_whole
from babyagi_lib.rl import exact
from babyagi_lib.rl.mdp import MDP


def softmax(theta: ArrayLike) -> NDArray:
    """Probabilities of actions from logits, along the last axis: exp(theta) divided by its sum.

    Raises:
        ValueError: a logit is NaN or infinite, as after a step that was too large.
    """
    theta = np.asarray(theta, dtype=float)
    if not np.isfinite(theta).all():
        raise ValueError("a logit of the policy is NaN or infinite; was the step too large?")
    powers = np.exp(theta - theta.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


@dataclass(frozen=True, eq=False)
class Exact:
    """What the world's table says about a policy, or about many in leading dimensions.

    Attributes:
        J: expected discounted return of an episode, (...).
        gradient: of J by the logits, (..., states, actions).
        V: value of each state, (..., states).
        advantage: Q - V, (..., states, actions).
        visits: discounted number of visits of each state in an episode, (..., states).
    """

    J: NDArray
    gradient: NDArray
    V: NDArray
    advantage: NDArray
    visits: NDArray


def exact_gradient(mdp: MDP, theta: ArrayLike, gamma: float) -> Exact:
    """J and its gradient in closed form: dJ/dtheta(s,a) = mu(s) · pi(a|s) · (Q(s,a) - V(s)).

    This is the policy gradient theorem (Sutton, McAllester, Singh & Mansour 2000) for a softmax of a table. mu(s) counts
    the visits of s, a visit after t steps as gamma^t.

    Args:
        mdp: the world's table.
        theta: logits, (..., states, actions).
        gamma: the discount, at least 0 and below 1.

    Raises:
        ValueError: gamma is not a discount, a logit is not finite, or the shape is not that of this world.
    """
    policy = softmax(theta)
    V = exact.policy_value(mdp, policy, gamma)
    visits = exact.policy_visits(mdp, policy, gamma)
    onward = gamma * mdp.probability * ~mdp.terminated
    Q = (mdp.probability * mdp.reward).sum(axis=-1) + (onward * V[..., mdp.next_state]).sum(axis=-1)
    advantage = Q - V[..., None]
    return Exact(V @ mdp.start, visits[..., None] * policy * advantage, V, advantage, visits)


@dataclass(frozen=True, eq=False)
class Episodes:
    """Episodes side by side; every array but the last is (steps, episodes), with 0 after an episode's last step.

    Attributes:
        state, action, reward, next_state: of each step.
        terminated: whether the world ended the episode with this step. An episode without it was cut by the time limit.
        went: whether the episode still went on, so that there was such a step.
        run: which of the policies played the episode, (episodes,).
    """

    state: NDArray
    action: NDArray
    reward: NDArray
    next_state: NDArray
    terminated: NDArray
    went: NDArray
    run: NDArray


def play(mdp: MDP, policy: ArrayLike, episodes: int, draw: np.random.Generator, *, limit: int = 1000) -> Episodes:
    """Play episodes side by side, with actions drawn from the policy.

    Args:
        mdp: the world.
        policy: probabilities, (states, actions), or (runs, states, actions) for the policies of many runs.
        episodes: how many each policy plays.
        draw: the random numbers.
        limit: an episode is cut after this many steps.

    Raises:
        ValueError: a number is out of its range, or the policy is not one of this world.
    """
    check_whole("episodes", episodes, 1)
    check_whole("limit", limit, 1)
    policy = np.asarray(policy, dtype=float)
    policy = policy[None] if policy.ndim == 2 else policy
    if policy.ndim != 3 or policy.shape[1:] != (mdp.states, mdp.actions) or not np.isfinite(policy).all():
        raise ValueError(
            f"{mdp.name}: expected finite probabilities ({mdp.states}, {mdp.actions}), or one such table for each run; "
            f"the policy has the shape {policy.shape}"
        )
    states, actions, outcomes = mdp.probability.shape

    def steps(p: NDArray) -> NDArray:
        """Cumulated probabilities that end at exactly 1, so that nothing of probability zero is drawn."""
        p = p.cumsum(axis=-1)
        return p / p[..., -1:]

    chosen = steps(policy).reshape(-1, actions)
    happens = steps(mdp.probability).reshape(-1, outcomes)
    run = np.repeat(np.arange(len(policy)), episodes)
    going, s = np.arange(len(run)), np.searchsorted(steps(mdp.start), draw.random(len(run)), side="right")
    rows = []
    while len(going) and len(rows) < limit:
        a = (draw.random(len(going))[:, None] >= chosen[run[going] * states + s]).sum(axis=1)
        pair = s * actions + a
        what = (draw.random(len(going))[:, None] >= happens[pair]).sum(axis=1) if outcomes > 1 else 0
        at = pair * outcomes + what
        after, over = mdp.next_state.ravel()[at], mdp.terminated.ravel()[at]
        rows.append((going, s, a, mdp.reward.ravel()[at], after, over))
        going, s = going[~over], after[~over]

    def table(column: int, kind: type) -> NDArray:
        filled = np.zeros((len(rows), len(run)), dtype=kind)
        for row, values in zip(filled, rows, strict=True):
            row[values[0]] = 1 if column == 0 else values[column]
        return filled

    kinds = ((1, int), (2, int), (3, float), (4, int), (5, bool), (0, bool))
    return Episodes(*(table(column, kind) for column, kind in kinds), run)


def discounts(episodes: Episodes, gamma: float) -> NDArray:
    """gamma^t for each step, (steps, episodes), and 0 after an episode's last step."""
    return gamma ** np.arange(len(episodes.went))[:, None] * episodes.went


def returns_to_go(episodes: Episodes, gamma: float) -> NDArray:
    """What follows each step: G_t = r_t + gamma·r_(t+1) + gamma²·r_(t+2) + ..., (steps, episodes)."""
    G = np.zeros(episodes.reward.shape)
    later = np.zeros(len(episodes.run))
    for t in range(len(G) - 1, -1, -1):
        G[t] = later = episodes.reward[t] + gamma * later
    return G


def gae(episodes: Episodes, V: ArrayLike, gamma: float, lam: float) -> NDArray:
    """Generalised advantage estimates (Schulman and others 2016, equation 16), (steps, episodes).

    A_t = delta_t + gamma·lam·A_(t+1) with delta_t = r_t + gamma·V(s_(t+1)) - V(s_t). After a termination nothing
    follows, and V(s_(t+1)) counts as 0. At a time limit the sum stops, and V(s_(t+1)) stands for what would follow.

    Args:
        episodes: what was played.
        V: the critic's values, (states,), or (runs, states).
        gamma: the discount, from 0 to 1.
        lam: 0 trusts the critic after one step; 1 uses it only as a baseline.

    Raises:
        ValueError: gamma or lam is out of its range, or a value is not finite.
    """
    check_number("gamma", gamma, 0, 1)
    check_number("lam", lam, 0, 1)
    V = np.atleast_2d(np.asarray(V, dtype=float))
    if not np.isfinite(V).all():
        raise ValueError("a value of the critic is not finite")
    run = episodes.run if len(V) > 1 else np.zeros_like(episodes.run)
    then = np.where(episodes.terminated, 0.0, V[run, episodes.next_state])
    delta = (episodes.reward + gamma * then - V[run, episodes.state]) * episodes.went
    A = np.zeros(delta.shape)
    later = np.zeros(delta.shape[1])
    for t in range(len(A) - 1, -1, -1):
        A[t] = later = delta[t] + gamma * lam * later
    return A


def score_sums(episodes: Episodes, weight: NDArray, policy: NDArray, *, each: bool = False) -> NDArray:
    """Sum over steps of weight · d log pi(a_t|s_t) / d theta: for each run, or for each episode; (n, states, actions).

    The derivative is 1 at the action taken, minus pi(a|s) at every action of the state. With gamma^t·G_t as weight, an
    episode's sum is the estimate of REINFORCE (Williams 1992).

    Args:
        episodes: what was played.
        weight: a number for each step, (steps, episodes); steps that did not happen are left out.
        policy: the probabilities at which the derivative is taken, (states, actions) or (runs, states, actions).
        each: a sum for each episode rather than for each run.

    Raises:
        ValueError: there is no step, a weight is not finite, or the shapes do not fit.
    """
    policy = np.asarray(policy, dtype=float)
    policy = policy[None] if policy.ndim == 2 else policy
    if weight.shape != episodes.state.shape or not episodes.went.any():
        raise ValueError(f"expected a weight for each step, {episodes.state.shape}, and at least one step")
    if not np.isfinite(weight[episodes.went]).all():
        raise ValueError("a weight is not finite; is every reward a finite number?")
    _, states, actions = policy.shape
    groups = len(episodes.run) if each else len(policy)
    group = np.arange(groups) if each else episodes.run
    entry = ((group * states + episodes.state) * actions + episodes.action)[episodes.went]
    W = np.bincount(entry, weight[episodes.went], minlength=groups * states * actions)
    W = W.reshape(groups, states, actions)
    return W - policy[episodes.run if each else slice(None)] * W.sum(axis=-1, keepdims=True)
