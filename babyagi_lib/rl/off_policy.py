"""What another policy would have earned, computed from a log that has propensities. Used by lesson 13. Imports no torch.

A *log* holds decisions: what was seen (the context), what was done (the action), the reward, and the propensity, which is the
probability with which the policy that acted, the behaviour policy, took this action. A reward counts more where the judged
policy takes the action more often than the behaviour policy did: its *weight* is the ratio of the two probabilities.

- `ips`, inverse propensity scoring: the mean of weight · reward (Horvitz & Thompson 1952). Unbiased.
- `snips`, the same divided by the mean weight (Swaminathan & Joachims 2015). Nearly unbiased; adding a constant to all rewards
  adds this constant to the estimate and does nothing else.
- `doubly_robust`: a model's answer, corrected by the weighted errors of the model (Dudík, Langford & Li 2011). Unbiased
  whatever the model; the better the model, the smaller the variance.

All estimates come with a 95% interval from the normal distribution. It is too optimistic where a few large weights decide.

In every function, the arrays of a log may have more axes before the last one, for many logs at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from babyagi_lib.basics.arguments import check_number
from babyagi_lib.basics.intervals import Interval

Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, eq=False)
class Log:
    """Logged decisions, or several logs of one length. All four arrays have one shape (..., n).

    Attributes:
        context: the number of what was seen.
        action: the number of what was done.
        propensity: the probability with which that was done, above 0 and at most 1.
        reward: what it earned.

    Raises:
        ValueError: lengths differ, there is no decision, a propensity is no probability, a number is negative, or
            something is not finite.
    """

    context: NDArray
    action: NDArray
    propensity: NDArray
    reward: NDArray

    def __post_init__(self) -> None:
        for name in ("context", "action", "propensity", "reward"):
            object.__setattr__(self, name, np.asarray(getattr(self, name)))
        shapes = {name: getattr(self, name).shape for name in ("context", "action", "propensity", "reward")}
        if len(set(shapes.values())) != 1 or self.action.ndim == 0:
            raise ValueError(f"a log's arrays must have one length; found {shapes}")
        if 0 in self.action.shape:
            raise ValueError("the log has no decision")
        for name in ("context", "action"):
            if getattr(self, name).dtype.kind not in "iu" or getattr(self, name).min() < 0:
                raise ValueError(f"every {name} must be a number 0, 1, 2 and so on")
        if not np.isfinite(self.reward).all():
            raise ValueError(
                f"{(~np.isfinite(self.reward)).sum()} rewards are not finite; leave such decisions out knowingly"
            )
        wrong = ~((self.propensity > 0) & (self.propensity <= 1))
        if wrong.any():
            raise ValueError(
                f"a propensity is {self.propensity[wrong][0]}; it is the probability of an action that was taken, above 0 and "
                "at most 1"
            )


def draw_log(
    joint: ArrayLike, payoff: ArrayLike, behaviour: ArrayLike, size: int | tuple[int, ...], rng: np.random.Generator
) -> Log:
    """Let a behaviour policy decide, and write the log.

    Args:
        joint: probability of each context together with what is hidden, (contexts, hidden).
        payoff: reward of each action for what is hidden, (hidden, actions).
        behaviour: the probability of each action in each context, (contexts, actions).
        size: how many decisions, or the shape (..., n) of many logs.
        rng: where chance comes from.

    Raises:
        ValueError: shapes do not fit, or probabilities are none.
    """
    joint, payoff = _checked_world(joint, payoff)
    behaviour = _checked_policy(behaviour, (joint.shape[0], payoff.shape[1]))
    both = rng.choice(joint.size, size=size, p=joint.ravel() / joint.sum())
    context, hidden = np.divmod(both, joint.shape[1])
    edges = behaviour.cumsum(axis=1)
    action = (rng.random(context.shape)[..., None] * edges[context][..., -1:] >= edges[context][..., :-1]).sum(axis=-1)
    return Log(context, action, behaviour[context, action], payoff[hidden, action])


def value(joint: ArrayLike, payoff: ArrayLike, policy: ArrayLike) -> float:
    """What a policy earns in expectation, exactly: the sum over all contexts, all that is hidden, and all actions.

    The arguments are those of `draw_log`, with the policy to be judged in place of the behaviour policy.
    """
    joint, payoff = _checked_world(joint, payoff)
    return float((_checked_policy(policy, (joint.shape[0], payoff.shape[1])) * (joint @ payoff)).sum())


def weights(log: Log, policy: ArrayLike) -> NDArray:
    """Probability under the policy, (contexts, actions), divided by the propensity, for each decision; (..., n).

    Raises:
        ValueError: the policy is no table of probabilities, or the log has a context or an action that it lacks.
    """
    policy = _checked_policy(policy)
    if log.context.max() >= policy.shape[0] or log.action.max() >= policy.shape[1]:
        raise ValueError(
            f"the log has the context {log.context.max()} and the action {log.action.max()}; the policy is a table "
            f"{policy.shape}"
        )
    return policy[log.context, log.action] / log.propensity


def effective_size(weight: ArrayLike) -> NDArray:
    """(sum of weights)^2 / sum of squared weights: as many equal weights have the same variance; (..., n) to (...)."""
    weight = np.asarray(weight, dtype=float)
    squares = (weight**2).sum(axis=-1)
    return np.divide(weight.sum(axis=-1) ** 2, squares, out=np.zeros_like(squares), where=squares > 0)


def ips(log: Log, policy: ArrayLike, most: float | None = None) -> Interval:
    """The mean of weight · reward.

    Args:
        log: the decisions.
        policy: the policy to be judged, (contexts, actions).
        most: weights above it are cut down to it, which makes the estimate less variable, and biased.

    Raises:
        ValueError: as `weights` does, or `most` is not above 0.
    """
    weight = weights(log, policy)
    if most is not None:
        check_number("most", most, 0, above=True)
        weight = np.minimum(weight, most)
    return _mean(weight * log.reward)


def snips(log: Log, policy: ArrayLike) -> Interval:
    """The sum of weight · reward divided by the sum of weights; its interval is that of a ratio, for large n.

    Where no logged action could have been the policy's, the estimate and its interval are nan.

    Raises:
        ValueError: as `weights` does.
    """
    weight = weights(log, policy)
    total = weight.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        estimate = np.asarray((weight * log.reward).sum(axis=-1) / total)
        parts = weight * (log.reward - estimate[..., None])
        half = Z * np.sqrt((parts**2).sum(axis=-1)) / total
    return Interval(estimate, estimate - half, estimate + half)


def doubly_robust(log: Log, policy: ArrayLike, model: ArrayLike) -> Interval:
    """The mean of: what the model expects of the policy, plus weight · (reward - what the model expected of the action).

    Args:
        log: the decisions.
        policy: the policy to be judged, (contexts, actions).
        model: the expected reward of each action in each context, (contexts, actions), from elsewhere than this log.

    Raises:
        ValueError: as `weights` does, or the model is not such a table.
    """
    policy, model = _checked_policy(policy), np.asarray(model, dtype=float)
    if model.shape != policy.shape or not np.isfinite(model).all():
        raise ValueError(f"the model must be finite numbers of the policy's shape {policy.shape}; it has {model.shape}")
    weight = weights(log, policy)
    expected = (policy * model).sum(axis=1)
    return _mean(expected[log.context] + weight * (log.reward - model[log.context, log.action]))


def whole_episode(ratio: ArrayLike, reward: ArrayLike) -> Interval:
    """What another policy earns in an episode: the return, weighted by the product of all ratios of the episode.

    Args:
        ratio: of each decision, its probability under the policy divided by its propensity, (episodes, steps); 1 after
            the end of an episode.
        reward: (episodes, steps); 0 after the end.

    Raises:
        ValueError: the shapes differ, or a ratio is negative or not finite.
    """
    ratio, reward = _checked_episodes(ratio, reward)
    return _mean(ratio.prod(axis=-1) * reward.sum(axis=-1))


def per_decision(ratio: ArrayLike, reward: ArrayLike) -> Interval:
    """As `whole_episode`, but each reward is weighted by the ratios up to its own decision: later ones cannot matter.

    (Precup, Sutton & Singh 2000.) The arguments and errors are those of `whole_episode`.
    """
    ratio, reward = _checked_episodes(ratio, reward)
    return _mean((ratio.cumprod(axis=-1) * reward).sum(axis=-1))


def difference(log: Log, old: ArrayLike, new: ArrayLike, centre: float = 0.0) -> NDArray:
    """(new weight - old weight) · (reward - centre) for each decision, (..., n): its mean is what `new` earns more than `old`.

    Whatever the centre, the mean is the same if the behaviour policy takes every action that one of the two takes: both
    weights have the mean 1. The centre moves the least value and the skew.

    Raises:
        ValueError: as `weights` does.
    """
    return (weights(log, new) - weights(log, old)) * (log.reward - centre)


def differences(
    joint: ArrayLike, payoff: ArrayLike, behaviour: ArrayLike, old: ArrayLike, new: ArrayLike, centre: float = 0.0
) -> tuple[NDArray, NDArray]:
    """All values that `difference` can have, in rising order, and the probability of each; both (atoms,).

    Args:
        joint: probability of each context together with what is hidden, (contexts, hidden).
        payoff: reward of each action for what is hidden, (hidden, actions).
        behaviour: the policy that acts, (contexts, actions).
        old: a policy, (contexts, actions).
        new: another policy, (contexts, actions).
        centre: what is subtracted from every reward.

    Raises:
        ValueError: shapes do not fit, probabilities are none, or the behaviour policy never takes an action that one of
            the two takes.
    """
    joint, payoff = _checked_world(joint, payoff)
    behaviour, ratio = _ratios(behaviour, old, new, (joint.shape[0], payoff.shape[1]))
    D = ratio[:, None, :] * (payoff - centre)  # (contexts, hidden, actions)
    p = joint[:, :, None] * behaviour[:, None, :]
    atoms, place = np.unique(np.round(D[p > 0], 12) + 0.0, return_inverse=True)  # + 0.0 makes one zero of -0 and 0
    return atoms, np.bincount(place.ravel(), weights=p[p > 0])


def least_difference(
    behaviour: ArrayLike, old: ArrayLike, new: ArrayLike, low: float, high: float, centre: float = 0.0
) -> float:
    """The least value that `difference` can have for rewards from `low` to `high`: what a betting gate must know.

    Raises:
        ValueError: as `differences` does, or `low` is not below `high`.
    """
    check_number("high", high, low, above=True)
    _, ratio = _ratios(behaviour, old, new)
    return float(np.minimum(ratio * (low - centre), ratio * (high - centre)).min())


def _ratios(
    behaviour: ArrayLike, old: ArrayLike, new: ArrayLike, shape: tuple[int, int] | None = None
) -> tuple[NDArray, NDArray]:
    """The behaviour policy and new weight - old weight of each action in each context, 0 where it is never taken."""
    behaviour = _checked_policy(behaviour, shape)
    old, new = (_checked_policy(policy, behaviour.shape) for policy in (old, new))
    never = (behaviour == 0) & ((old > 0) | (new > 0))
    if never.any():
        context, action = np.argwhere(never)[0]
        raise ValueError(
            f"in context {context} the behaviour policy never takes action {action}, so a log cannot say what it earns"
        )
    return behaviour, np.divide(new - old, behaviour, out=np.zeros(behaviour.shape), where=behaviour > 0)


def _mean(parts: NDArray) -> Interval:
    """The mean over the last axis with its normal interval, which needs two parts: with one, it is nan."""
    n = parts.shape[-1]
    estimate = np.asarray(parts.mean(axis=-1))
    half = Z * parts.std(axis=-1, ddof=1) / np.sqrt(n) if n > 1 else np.full(estimate.shape, np.nan)
    return Interval(estimate, estimate - half, estimate + half)


def _checked_policy(policy: ArrayLike, shape: tuple[int, int] | None = None) -> NDArray:
    policy = np.asarray(policy, dtype=float)
    if policy.ndim != 2 or (shape is not None and policy.shape != shape):
        raise ValueError(f"a policy is a table (contexts, actions){f' {shape}' if shape else ''}; found {policy.shape}")
    if not ((policy >= 0).all() and np.allclose(policy.sum(axis=1), 1)):
        raise ValueError("a policy's probabilities must be at least 0 and sum to 1 in each context")
    return policy


def _checked_world(joint: ArrayLike, payoff: ArrayLike) -> tuple[NDArray, NDArray]:
    joint, payoff = np.asarray(joint, dtype=float), np.asarray(payoff, dtype=float)
    if joint.ndim != 2 or payoff.ndim != 2 or joint.shape[1] != payoff.shape[0]:
        raise ValueError(f"expected (contexts, hidden) and (hidden, actions); found {joint.shape} and {payoff.shape}")
    if not ((joint >= 0).all() and np.isclose(joint.sum(), 1)):
        raise ValueError(
            "the probabilities of contexts and what is hidden must be at least 0 and sum to 1 over the table"
        )
    if not np.isfinite(payoff).all():
        raise ValueError("every payoff must be a finite number")
    return joint, payoff


def _checked_episodes(ratio: ArrayLike, reward: ArrayLike) -> tuple[NDArray, NDArray]:
    ratio, reward = np.asarray(ratio, dtype=float), np.asarray(reward, dtype=float)
    if ratio.shape != reward.shape or ratio.ndim < 2 or 0 in ratio.shape[-2:]:
        raise ValueError(f"expected ratios and rewards (episodes, steps); found {ratio.shape} and {reward.shape}")
    if not (np.isfinite(ratio).all() and (ratio >= 0).all() and np.isfinite(reward).all()):
        raise ValueError("every ratio must be a finite number of at least 0, and every reward finite")
    return ratio, reward
