"""The exercises of lesson 07: an episode's gradient estimate, advantages, the clipped objective. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.learner.checks.answers import side_by_side
from babyagi_lib.learner.checks.cases import answers_to, judge
from babyagi_lib.learner.checks.verdict import exercise

Values = NDArray[np.float64]


# --- exercise 1: the estimate of one episode ----------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Episode:
    """A policy, (states, actions), and one episode that it played: three arrays of a number for each step."""

    policy: Values
    states: NDArray
    actions: NDArray
    rewards: Values
    gamma: float

    @property
    def powers(self) -> Values:
        """gamma^t for each step."""
        return self.gamma ** np.arange(len(self.rewards))

    @property
    def taken(self) -> Values:
        """1 at the action taken, 0 elsewhere, (steps, actions)."""
        return np.eye(self.policy.shape[1])[self.actions]

    @property
    def score(self) -> Values:
        """The derivative of log pi(a_t|s_t) by the logits of the state, (steps, actions)."""
        return self.taken - self.policy[self.states]

    def to_go(self, gamma: float | None = None) -> Values:
        """What follows each step, its own reward included, (steps,)."""
        return _backwards(self.rewards, self.gamma if gamma is None else gamma)

    def total(self, weight: Values, rows: Values | None = None) -> Values:
        """Sum of weight · rows (or of the score), each in the row of its state, (states, actions)."""
        found = np.zeros(self.policy.shape)
        np.add.at(found, self.states, weight[:, None] * (self.score if rows is None else rows))
        return found

    @property
    def right(self) -> Values:
        """The estimate, (states, actions)."""
        return self.total(self.powers * self.to_go())


def _backwards(values: Values, factor: float) -> Values:
    """x_t + factor·x_(t+1) + factor²·x_(t+2) + ..., for each t."""
    found, later = np.zeros(len(values)), 0.0
    for t in range(len(values) - 1, -1, -1):
        found[t] = later = values[t] + factor * later
    return found


def episodes() -> list[Episode]:
    """Episodes in which states come again, the action taken is often not the likeliest, and rewards have both signs."""
    draw, found = np.random.default_rng(3), []
    for states, actions, steps, gamma in ((3, 2, 6, 0.9), (4, 3, 8, 0.5), (2, 4, 5, 0.8), (5, 2, 1, 0.7)):
        policy = draw.dirichlet(np.ones(actions), size=states)
        s, a = draw.integers(states, size=steps), draw.integers(actions, size=steps)
        s[-1], a[0] = s[0], policy[s[0]].argmin()
        found.append(Episode(policy, s, a, draw.normal(size=steps).round(1) + 1.5, gamma))
    return found


@exercise
def score_estimate(estimate: Callable) -> str:
    """Check `estimate(policy, states, actions, rewards, gamma)`: REINFORCE's estimate from one episode."""
    cases = episodes()
    found = answers_to(estimate, cases, lambda case: f"one number for each state and action, {case.policy.shape}")

    def tell(i: int, entry: tuple) -> str:
        one, other = side_by_side(found[i][entry], cases[i].right[entry])
        return (
            f" In an episode of {len(cases[i].rewards)} steps, gamma {cases[i].gamma}, you return {one} for state "
            f"{entry[0]} and action {entry[1]}; {other} is right."
        )

    judge(found, cases, ESTIMATE_MISTAKES, tell)
    return f"{len(cases)} episodes, with states that come again, all as the formula says."


def _overwritten(case: Episode) -> Values:
    """NumPy's += with repeated indices: of several steps in one state, only the last counts."""
    found = np.zeros(case.policy.shape)
    found[case.states] += (case.powers * case.to_go())[:, None] * case.score
    return found


def _first_visits(states: NDArray) -> Values:
    """1 at the steps whose state did not occur before, else 0."""
    first = np.zeros(len(states))
    first[np.unique(states, return_index=True)[1]] = 1
    return first


def _overwritten_in_two(case: Episode) -> Values:
    found, weight = np.zeros(case.policy.shape), case.powers * case.to_go()
    found[case.states, case.actions] += weight
    found[case.states] -= weight[:, None] * case.policy[case.states]
    return found


NOT_ITS_OWN = "the action's own reward is missing: what follows step t begins with r_t."
UP_TO_THE_STEP = "you add up the rewards up to the step; what follows it is needed. Go through the rewards backwards."
NORMALISED = "the returns are normalised, or their mean is subtracted: return the estimate without a baseline."
ESTIMATE_MISTAKES: list[tuple[str, Callable[[Episode], Values]]] = [
    ("the sign is wrong: the estimate points uphill, so that a step along it raises the return.", lambda e: -e.right),
    (
        "you use the likeliest action where the action that was taken is needed: the estimate is about what happened "
        "(no argmax).",
        lambda e: e.total(
            e.powers * e.to_go(),
            np.eye(e.policy.shape[1])[e.policy[e.states].argmax(axis=1)] - e.policy[e.states],
        ),
    ),
    (NOT_ITS_OWN, lambda e: e.total(e.powers * (e.to_go() - e.rewards))),
    (NOT_ITS_OWN, lambda e: e.total(e.powers * np.append(e.to_go()[1:], 0))),
    (
        "discounted twice: gamma^t belongs once before the return that follows, and that return counts from its own "
        "step on.",
        lambda e: e.total(e.powers**2 * e.to_go()),
    ),
    ("gamma^t is missing: a step counts the less, the later it comes.", lambda e: e.total(e.to_go())),
    ("gamma is missing: nothing is discounted.", lambda e: e.total(e.to_go(1.0))),
    (
        "the rewards that follow are not discounted: r_(t+1) counts gamma times, r_(t+2) gamma² times.",
        lambda e: e.total(e.powers * e.to_go(1.0)),
    ),
    (
        "you give every step the whole return. That is unbiased, too, but noisier: count only the rewards from the step "
        "on.",
        lambda e: e.total(np.full(len(e.rewards), e.to_go()[0])),
    ),
    (
        "you give every step the whole return, and gamma^t on top of it: count the rewards from the step on.",
        lambda e: e.total(e.powers * e.to_go()[0]),
    ),
    (
        "only the next reward counts: an action also earns what comes later.",
        lambda e: e.total(e.powers * e.rewards),
    ),
    (UP_TO_THE_STEP, lambda e: e.total(e.powers * np.cumsum(e.rewards))),
    (UP_TO_THE_STEP, lambda e: e.total(np.cumsum(e.powers * e.rewards))),
    (
        "the policy is not subtracted: the score is 1 at the action taken, minus pi(a|s) at every action of the state.",
        lambda e: e.total(e.powers * e.to_go(), e.taken),
    ),
    (
        "that is the derivative of pi(a|s); the derivative of its logarithm is needed: 1 at the action taken, minus "
        "pi(a|s).",
        lambda e: e.total(e.powers * e.to_go(), e.score * e.policy[e.states, e.actions][:, None]),
    ),
    (
        "that is the derivative by the probability, 1/pi; the derivative by the logits is needed: 1 at the action taken, "
        "minus pi(a|s).",
        lambda e: e.total(e.powers * e.to_go(), e.taken / e.policy[e.states]),
    ),
    (
        "only the action taken is changed: the score subtracts pi(a|s) at every action of the state, not at that one alone.",
        lambda e: e.total(e.powers * e.to_go(), e.taken * (1 - e.policy[e.states])),
    ),
    (
        "the row of every state is changed in each step: a step's score belongs to the row of its own state.",
        lambda e: e.total(e.powers * e.to_go(), e.taken) - (e.powers * e.to_go()).sum() * e.policy,
    ),
    (
        "you take the softmax of the policy, but it holds probabilities already.",
        lambda e: replace(e, policy=np.exp(e.policy) / np.exp(e.policy).sum(axis=1, keepdims=True)).right,
    ),
    (
        "you multiply by the logarithm of the probability; its derivative is needed: 1 at the action taken, minus pi(a|s).",
        lambda e: e.total(e.powers * e.to_go(), e.taken * np.log(e.policy[e.states])),
    ),
    (
        "the powers of gamma begin at 1: the first step counts in full, since gamma^0 is 1.",
        lambda e: e.gamma * e.right,
    ),
    (
        "nothing is discounted, and every step gets the whole return: count the rewards from the step on, with gamma.",
        lambda e: e.total(np.full(len(e.rewards), e.rewards.sum())),
    ),
    (
        "each step counts its own reward alone, without gamma: an action also earns what comes later.",
        lambda e: e.total(e.rewards),
    ),
    (
        "the powers of gamma run backwards: the first step counts in full, and the last one least.",
        lambda e: e.total(e.powers[::-1] * e.to_go()),
    ),
    (NORMALISED, lambda e: e.total(e.powers * (e.to_go() - e.to_go().mean()))),
    (NORMALISED, lambda e: e.total(e.powers * (e.to_go() - e.to_go().mean()) / (e.to_go().std() + 1e-8))),
    (
        "the returns are normalised, and gamma^t is missing: return the estimate without a baseline.",
        lambda e: e.total((e.to_go() - e.to_go().mean()) / (e.to_go().std() + 1e-8)),
    ),
    (
        "only the first visit of a state counts: every step adds its score.",
        lambda e: e.total(e.powers * e.to_go() * _first_visits(e.states)),
    ),
    (
        "you take the mean over the steps; the estimate is their sum.",
        lambda e: e.right / len(e.rewards),
    ),
    (
        "that is a loss, and a mean: the estimate is a sum over the steps, and it points uphill.",
        lambda e: -e.right / len(e.rewards),
    ),
    (
        "you take the mean over the visits of a state; the estimate is their sum.",
        lambda e: e.right / np.maximum(np.bincount(e.states, minlength=len(e.policy)), 1)[:, None],
    ),
    *(
        (
            "a state that comes again counts only once: = overwrites, and NumPy's += with repeated indices keeps the last. "
            "Use += in a loop, or np.add.at.",
            mistake,
        )
        for mistake in (_overwritten, _overwritten_in_two)
    ),
]


# --- exercise 2: generalised advantage estimation -----------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Stretch:
    """Rewards and the critic's values along one episode, (steps,) each, and whether the world ended it."""

    rewards: Values
    values: Values
    next_values: Values
    terminated: bool
    gamma: float
    lam: float

    def advantages(
        self, *, ended: bool | None = None, gamma: float | None = None, decay: float | None = None, then: Any = None
    ) -> Values:
        """Advantages where the episode ended or not, with another gamma in delta, factor of the sum, or next values."""
        ended, gamma = self.terminated if ended is None else ended, self.gamma if gamma is None else gamma
        then = np.array(self.next_values if then is None else then)
        then[-1] *= not ended
        return _backwards(self.rewards + gamma * then - self.values, self.gamma * self.lam if decay is None else decay)

    @property
    def right(self) -> Values:
        """The advantages, (steps,)."""
        return self.advantages()


def stretches() -> list[Stretch]:
    """Terminated and truncated episodes of several lengths; the value after the last step is never 0."""
    draw, found = np.random.default_rng(5), []
    settings = (
        (5, True, 0.9, 0.8),
        (6, False, 0.9, 0.6),
        (1, False, 0.8, 0.5),
        (1, True, 0.5, 0.7),
        (7, False, 0.6, 0.9),
    )
    for steps, terminated, gamma, lam in settings:
        V = draw.normal(size=steps + 1).round(1) + 2.5
        found.append(Stretch(draw.normal(size=steps).round(1) + 0.5, V[:-1], V[1:], terminated, gamma, lam))
    return found


@exercise
def advantages(estimate: Callable) -> str:
    """Check `estimate(rewards, values, next_values, terminated, gamma, lam)`: one advantage for each step."""
    cases = stretches()
    found = answers_to(estimate, cases, lambda case: f"one advantage for each of the {len(case.rewards)} steps")

    def tell(i: int, entry: tuple) -> str:
        case, (one, other) = cases[i], side_by_side(found[i][entry], cases[i].right[entry])
        how = "that the world ended" if case.terminated else "that a time limit cut"
        return (
            f" In an episode of {len(case.rewards)} steps {how}, gamma {case.gamma} and lambda {case.lam}, you return "
            f"{one} for step {entry[0]}; {other} is right."
        )

    judge(found, cases, ADVANTAGE_MISTAKES, tell)
    return f"{len(cases)} episodes, ended by the world and cut by a time limit, all as the formula says."


def _forwards(case: Stretch) -> Values:
    delta = case.advantages(decay=0.0)
    return _backwards(delta[::-1], case.gamma * case.lam)[::-1]


def _powers(case: Stretch) -> Values:
    """(gamma·lambda)^t for each step."""
    return (case.gamma * case.lam) ** np.arange(len(case.rewards))


def _two_terms(case: Stretch) -> Values:
    delta = case.advantages(decay=0.0)
    return delta + case.gamma * case.lam * np.append(delta[1:], 0)


def _begun_with_the_value(case: Stretch) -> Values:
    left = (case.gamma * case.lam) * _powers(case)[::-1]
    return case.right + left * case.next_values[-1] * (not case.terminated)


def _last_delta(case: Stretch, value: float) -> Values:
    """The last delta has this value if the world ended the episode."""
    delta = case.advantages(decay=0.0)
    delta[-1] = value if case.terminated else delta[-1]
    return _backwards(delta, case.gamma * case.lam)


def _values_swapped(case: Stretch) -> Values:
    then = np.array(case.next_values)
    then[-1] *= not case.terminated
    return _backwards(case.rewards + case.gamma * case.values - then, case.gamma * case.lam)


ADVANTAGE_MISTAKES: list[tuple[str, Callable[[Stretch], Values]]] = [
    (
        "you take the time limit for an end: after a cut the next state still has its value. Only a termination sets it "
        "to 0.",
        lambda c: c.advantages(ended=True),
    ),
    (
        "the world ended the episode, but you still count the value of what follows.",
        lambda c: c.advantages(ended=False),
    ),
    (
        "terminated is the wrong way round: after a termination nothing follows, after a cut the value counts.",
        lambda c: c.advantages(ended=not c.terminated),
    ),
    (
        "if the world ended the episode, only the value after the last step is 0, not those before.",
        lambda c: c.advantages(then=c.next_values * (not c.terminated)),
    ),
    (
        "lambda is missing: the later terms shrink by gamma·lambda per step.",
        lambda c: c.advantages(decay=c.gamma),
    ),
    (
        "gamma is missing in the sum: the later terms shrink by gamma·lambda per step, not by lambda alone.",
        lambda c: c.advantages(decay=c.lam),
    ),
    (
        "gamma is missing: the value of the next state is discounted.",
        lambda c: c.advantages(gamma=1.0),
    ),
    (
        "gamma is missing everywhere: it discounts the next value, and the later terms.",
        lambda c: c.advantages(gamma=1.0, decay=c.lam),
    ),
    (
        "gamma and lambda are mixed up: the next value is discounted by gamma.",
        lambda c: c.advantages(gamma=c.lam),
    ),
    (
        "that is the first term alone: add the later ones, each with one more factor gamma·lambda.",
        lambda c: c.advantages(decay=0.0),
    ),
    (
        "the value of the state is not subtracted: an advantage says how much better than expected.",
        lambda c: _backwards(c.advantages(decay=0.0) + c.values, c.gamma * c.lam),
    ),
    (
        "that is the target for the critic, A + V; the advantage alone is asked for.",
        lambda c: c.right + c.values,
    ),
    (
        "the later terms do not shrink: each counts gamma·lambda times as much as the one before it.",
        lambda c: c.advantages(decay=1.0),
    ),
    (
        "the sum stops after two terms: add all the later ones, each with one more factor gamma·lambda.",
        _two_terms,
    ),
    (
        "the powers of gamma·lambda count from step 0; for step t they count from t on, so that delta_t has the factor 1.",
        lambda c: np.cumsum((_powers(c) * c.advantages(decay=0.0))[::-1])[::-1],
    ),
    (
        "lambda is the wrong way round: you use 1 - lambda.",
        lambda c: c.advantages(decay=c.gamma * (1 - c.lam)),
    ),
    (
        "that is G_t - V(s_t), without what follows a cut: use lambda, and the values of the next states.",
        lambda c: _backwards(c.rewards, c.gamma) - c.values,
    ),
    (
        "after a cut the value of the next state counts once, in the last delta; you also begin the sum with it.",
        _begun_with_the_value,
    ),
    (
        "the value of the state is missing in the last delta: if the world ended the episode, it is r_t - V(s_t).",
        lambda c: _last_delta(c, c.rewards[-1]),
    ),
    (
        "the last delta is not 0: if the world ended the episode, it is r_t - V(s_t).",
        lambda c: _last_delta(c, 0.0),
    ),
    (
        "the next value and the value of the state have changed places: delta_t = r_t + gamma·V(s_(t+1)) - V(s_t).",
        _values_swapped,
    ),
    (
        "gamma discounts the next value, not the reward of the step itself.",
        lambda c: _backwards(c.advantages(decay=0.0) - (1 - c.gamma) * c.rewards, c.gamma * c.lam),
    ),
    (
        "the order is reversed: the first number belongs to the first step.",
        lambda c: c.right[::-1],
    ),
    (
        "you go forwards: an advantage is made of this step and the later ones, so begin at the last step.",
        _forwards,
    ),
    (
        "the last step is left out: its advantage is its delta.",
        lambda c: np.append(_backwards(c.advantages(decay=0.0)[:-1], c.gamma * c.lam), 0),
    ),
    (
        "you use the value of the state twice; the target needs that of the next state.",
        lambda c: c.advantages(then=c.values),
    ),
    (
        "the sign is wrong: an action that turned out better than expected has a positive advantage.",
        lambda c: -c.right,
    ),
    (
        "the terms are weighted by 1 - lambda: that is for the weights of n-step returns; in the sum of deltas it is "
        "gone.",
        lambda c: (1 - c.lam) * c.right,
    ),
    (
        "gamma^t is not part of an advantage: it belongs to the estimate of the gradient.",
        lambda c: c.gamma ** np.arange(len(c.rewards)) * c.right,
    ),
    (
        "the advantages are normalised: return them as they are.",
        lambda c: (c.right - c.right.mean()) / (c.right.std() + 1e-8),
    ),
    (
        "the advantages are normalised: return them as they are.",
        lambda c: c.right - c.right.mean(),
    ),
]


# --- exercise 3: the clipped objective ----------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Steps:
    """Log-probabilities of actions under the new and the old policy, and their advantages, (steps,) each."""

    log_new: Values
    log_old: Values
    advantages: Values
    epsilon: float

    @property
    def ratio(self) -> Values:
        """How many times as likely the action is now."""
        return np.exp(self.log_new - self.log_old)

    def term(self, ratio: Values | None = None, low: float = 1.0, high: float = 1.0, pick: Any = np.minimum) -> Values:
        """The objective with another ratio, without one of the bounds (0), or with another choice."""
        r, A = self.ratio if ratio is None else ratio, self.advantages
        clipped = np.clip(r, 1 - self.epsilon if low else -np.inf, 1 + self.epsilon if high else np.inf)
        return pick(r * A, clipped * A)

    @property
    def right(self) -> Values:
        """The objective of each step, (steps,)."""
        return self.term()


def steps() -> list[Steps]:
    """Ratios below, within and above the bounds, each with good and with bad actions."""
    draw, found = np.random.default_rng(7), []
    for epsilon in (0.2, 0.1):
        ratio = np.repeat([0.5, 0.75, 0.97, 1.0, 1.06, 1.3, 1.9, 5.0], 2) * draw.uniform(0.98, 1.02, 16)
        log_old = np.log(draw.uniform(0.1, 0.45, 16) * np.where(ratio > 2, 0.4, 1))
        A = np.tile([1.0, -1.0], 8) * draw.uniform(0.4, 2.0, 16)
        found.append(Steps(np.log(ratio) + log_old, log_old, A, epsilon))
    return found


@exercise
def clipped_objective(objective: Callable) -> str:
    """Check `objective(log_new, log_old, advantages, epsilon)`: PPO's clipped objective of each step."""
    cases = steps()
    found = answers_to(objective, cases, lambda case: f"the objective of each of the {len(case.log_new)} steps")

    def tell(i: int, entry: tuple) -> str:
        case, (one, other) = cases[i], side_by_side(found[i][entry], cases[i].right[entry])
        return (
            f" With the ratio {case.ratio[entry]:.3f}, the advantage {case.advantages[entry]:.3f} and epsilon "
            f"{case.epsilon}, you return {one}; {other} is right."
        )

    judge(found, cases, CLIP_MISTAKES, tell)
    return "ratios below, within and above the bounds, for good and for bad actions, all as the formula says."


CLIP_MISTAKES: list[tuple[str, Callable[[Steps], Values]]] = [
    (
        "you take the larger of the two: the objective is the smaller, so that it never promises too much.",
        lambda c: c.term(pick=np.maximum),
    ),
    ("nothing is clipped: that is the ratio times the advantage.", lambda c: c.ratio * c.advantages),
    (
        "you always use the clipped ratio: take the smaller of the clipped and the unclipped product, or a mistake that "
        "went too far could never be taken back.",
        lambda c: np.clip(c.ratio, 1 - c.epsilon, 1 + c.epsilon) * c.advantages,
    ),
    ("there is no bound below: a bad action may not be made less likely without end.", lambda c: c.term(low=0)),
    ("there is no bound above: a good action may not be made more likely without end.", lambda c: c.term(high=0)),
    ("the ratio is upside down: new over old.", lambda c: c.term(1 / c.ratio)),
    (
        "that is the logarithm of the ratio: the ratio is exp(log_new - log_old).",
        lambda c: c.term(c.log_new - c.log_old),
    ),
    (
        "divide the probabilities, not their logarithms: the ratio is exp(log_new - log_old).",
        lambda c: c.term(c.log_new / c.log_old),
    ),
    ("the old policy is missing: the ratio is exp(log_new - log_old).", lambda c: c.term(np.exp(c.log_new))),
    (
        "the sign of the advantage is lost: a bad action has to become less likely.",
        lambda c: np.minimum(c.ratio, np.clip(c.ratio, 1 - c.epsilon, 1 + c.epsilon)) * np.abs(c.advantages),
    ),
    (
        "the smaller ratio is chosen before the advantage's sign is known: for a bad action the smaller product has the "
        "larger ratio. Multiply first.",
        lambda c: np.minimum(c.ratio, 1 + c.epsilon) * c.advantages,
    ),
    (
        "the smaller ratio is chosen before the advantage's sign is known: for a bad action the smaller product has the "
        "larger ratio. Multiply first.",
        lambda c: np.minimum(c.ratio, np.clip(c.ratio, 1 - c.epsilon, 1 + c.epsilon)) * c.advantages,
    ),
    (
        "the ratio is clipped around 0; it should be clipped around 1, from 1 - epsilon to 1 + epsilon.",
        lambda c: np.minimum(c.ratio * c.advantages, np.clip(c.ratio, -c.epsilon, c.epsilon) * c.advantages),
    ),
    (
        "you clip the product; clip the ratio, and multiply then.",
        lambda c: np.minimum(c.ratio * c.advantages, np.clip(c.ratio * c.advantages, 1 - c.epsilon, 1 + c.epsilon)),
    ),
    ("that is the loss: the objective, which is to be made large, has the other sign.", lambda c: -c.right),
    (
        "the ratio is a quotient of probabilities, not their difference: exp(log_new - log_old).",
        lambda c: c.term(np.exp(c.log_new) - np.exp(c.log_old)),
    ),
    (
        "you clip the logarithm of the ratio; clip the ratio itself, from 1 - epsilon to 1 + epsilon.",
        lambda c: np.minimum(
            c.ratio * c.advantages, np.exp(np.clip(c.log_new - c.log_old, -c.epsilon, c.epsilon)) * c.advantages
        ),
    ),
    (
        "epsilon is an argument: you use 0.2 in every case.",
        lambda c: replace(c, epsilon=0.2).right,
    ),
    (
        "that is the mean of the two products: take the smaller one.",
        lambda c: c.term(pick=lambda one, other: (one + other) / 2),
    ),
    (
        "you set the objective to 0 where the ratio is outside the bounds: there it has the value at the bound, or that "
        "without a clip if it is smaller.",
        lambda c: np.where(np.abs(c.ratio - 1) > c.epsilon, 0, c.ratio * c.advantages),
    ),
    (
        'you bound the objective of a bad action from below ("dual clip"); PPO\'s own objective has no such bound.',
        lambda c: np.where(c.advantages < 0, np.maximum(c.right, 3 * c.advantages), c.right),
    ),
    ("the advantages are missing.", lambda c: np.clip(c.ratio, 1 - c.epsilon, 1 + c.epsilon)),
]
