"""Learning a softmax policy by gradient ascent, many runs side by side, in one loop. Used by lesson 07.

`learn` is the whole algorithm: play, estimate advantages, take a step, and keep the step within bounds. Its options are
those that the lesson compares: a critic, a limit on the KL divergence of a step, the natural gradient, PPO's clip.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.basics.arguments import check_number, check_whole
from babyagi_lib.rl.mdp import MDP
from babyagi_lib.rl.policy_gradients import discounts, exact_gradient, gae, play, returns_to_go, score_sums, softmax

CRITIC_STEP = 0.3  # share of the way that the critic moves to what a batch says
SHORTER = 0.7  # a step above the limit on KL is multiplied by this until it is within it


@dataclass(frozen=True, eq=False)
class PolicyLearning:
    """What `learn` recorded after each iteration, computed from the world's table, in arrays (iterations, runs).

    Attributes:
        J: expected discounted return of the policy.
        entropy: mean entropy of its actions, in nats, over the states that it visits.
        kl: mean KL divergence of the policy before the step from the one after it, over the states that the old one
            visits, in nats.
        theta: the logits at the end, (runs, states, actions).
    """

    J: NDArray
    entropy: NDArray
    kl: NDArray
    theta: NDArray


def divergence(old: NDArray, new: NDArray) -> NDArray:
    """KL(old || new) in each state: the sum over actions of old · log(old / new), (..., states); inf where new is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = old * np.log(old / new)
    return np.where(old > 0, terms, 0.0).sum(axis=-1)


def learn(
    mdp: MDP,
    *,
    step: float,
    gamma: float,
    iterations: int,
    episodes: int = 32,
    runs: int = 20,
    lam: float | None = None,
    most_kl: float | None = None,
    natural: bool = False,
    clip: float | None = None,
    epochs: int = 1,
    limit: int = 100,
    seed: int = 0,
) -> PolicyLearning:
    """Policy gradient ascent from the uniform policy, in many independent runs at once.

    Without options this is REINFORCE with the return that follows each action.

    Args:
        mdp: the world. The agent sees only episodes, not the table; the table serves the record.
        step: how far to go along the gradient.
        gamma: the discount, at least 0 and below 1.
        iterations: how many batches are played, each with the policy as it is then.
        episodes: in each batch of each run.
        runs: how many runs.
        lam: the lambda of generalised advantage estimation with a learned critic; None uses returns without a critic.
        most_kl: shorten a step until its mean KL divergence over the visited states is at most this.
        natural: the direction of the natural gradient, which for a table is the advantage of each action itself.
        clip: PPO's epsilon. The objective stops growing where an action's probability has changed by this share.
        epochs: steps that each batch is used for; more than one makes sense with `clip`.
        limit: an episode is cut after this many steps.
        seed: the same seed gives the same runs.

    Raises:
        ValueError: a parameter is out of its range, or a step was so large that a logit is no longer finite.
    """
    for name, value in (("iterations", iterations), ("runs", runs), ("epochs", epochs)):
        check_whole(name, value, 1)
    check_number("step", step, 0, above=True)
    for name, value in (("most_kl", most_kl), ("clip", clip)):
        if value is not None:
            check_number(name, value, 0, above=True)
    draw = np.random.default_rng(seed)
    size = (runs, mdp.states, mdp.actions)
    theta, V = np.zeros(size), np.zeros(size[:2])
    J, entropy, kl = np.zeros((3, iterations, runs))
    before = exact_gradient(mdp, theta, gamma)

    for i in range(iterations):
        policy = softmax(theta)
        batch = play(mdp, policy, episodes, draw, limit=limit)
        visit = (batch.run * mdp.states + batch.state)[batch.went]  # the run and state of each step that was made

        # How good was each action?
        A = returns_to_go(batch, gamma)
        if lam is not None:
            A = gae(batch, V, gamma, lam)
            count = np.bincount(visit, minlength=V.size).reshape(V.shape)
            missed = np.bincount(visit, A[batch.went], minlength=V.size).reshape(V.shape)
            V += CRITIC_STEP * missed / np.maximum(count, 1)
        weight = discounts(batch, gamma) * A / episodes

        # Along the gradient of the mean of ratio · A. In the first epoch every ratio is 1: that is REINFORCE's.
        new = theta
        taken = (batch.run, batch.state, batch.action)
        for _ in range(epochs):
            now = softmax(new)
            ratio = now[taken] / policy[taken]
            counts = ratio if clip is None else ratio * np.where(A > 0, ratio < 1 + clip, ratio > 1 - clip)
            direction = score_sums(batch, weight * counts, now)
            if natural:
                often = np.bincount(visit * mdp.actions + batch.action[batch.went], minlength=theta.size)
                total = np.bincount(visit * mdp.actions + batch.action[batch.went], A[batch.went], minlength=theta.size)
                direction = (total / np.maximum(often, 1)).reshape(size)
            new = new + step * direction

        # Not further than the limit, each run for itself.
        if most_kl is not None:
            share = np.bincount(visit, minlength=V.size).reshape(V.shape)
            share = share / share.sum(axis=1, keepdims=True)
            while (far := (share * divergence(policy, softmax(new))).sum(axis=1) > most_kl).any():
                new = np.where(far[:, None, None], theta + SHORTER * (new - theta), new)

        theta = new
        after = exact_gradient(mdp, theta, gamma)
        now = softmax(theta)
        J[i] = after.J
        kl[i] = (before.visits * divergence(policy, now)).sum(axis=1) / before.visits.sum(axis=1)
        surprise = -now * np.log(np.maximum(now, 1e-300))
        entropy[i] = (after.visits * surprise.sum(axis=2)).sum(axis=1) / after.visits.sum(axis=1)
        before = after
    return PolicyLearning(J, entropy, kl, theta)
