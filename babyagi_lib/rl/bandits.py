"""Two arms with unknown chances of success: the best rule, and what every rule loses, exactly. Used by lesson 13. Imports no torch.

Each pull of an arm succeeds with an unknown probability, its mean. Before the first pull every mean from 0 to 1 is equally
likely, so after w successes in n pulls the belief about a mean is Beta(1 + w, 1 + n - w). The numbers of pulls and successes
say all that the pulls tell: they are the state. After t pulls there are (t + 1)(t + 2)(t + 3)/6 states, few enough to visit
every one. So nothing here is simulated, and no number has a sampling error.

*Regret* is what the better arm would have earned in expectation in all pulls, less what the rule earns. *Bayes* regret is its
mean over both means, each uniform from 0 to 1.

States with the same pulls (n1, n2) are handled together, as a block: a matrix with a row for each number of successes of the
first arm, from 0 to n1, and a column for each number of the second. A **rule** is a function `rule(pulls, won)`. `pulls` is
(n1, n2); `won` holds the numbers of successes of both arms, of the shapes (n1 + 1, 1) and (1, n2 + 1), so that arithmetic with
them gives a block. The rule returns the probability of the first arm in every state of the block, and must give the same
answer for the same block.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.basics.arguments import check_number, check_whole

Rule = Callable[[tuple[int, int], tuple[NDArray, NDArray]], NDArray]

BETTER = 2 / 3  # the mean of the larger of two uniform means
LONGEST = 200  # at this horizon there are 70 million states; memory and time grow with the fourth power


def won_of(pulls: tuple[int, int]) -> tuple[NDArray, NDArray]:
    """All numbers of successes in a block, (n1 + 1, 1) and (1, n2 + 1)."""
    return np.arange(pulls[0] + 1)[:, None], np.arange(pulls[1] + 1)[None]


def means_of(pulls: tuple[int, int], won: tuple[NDArray, NDArray]) -> tuple[NDArray, NDArray]:
    """The expected mean of both arms after these successes, (1 + w)/(2 + n)."""
    first, second = ((1 + w) / (2 + n) for n, w in zip(pulls, won, strict=True))
    return first, second


# --- rules ------------------------------------------------------------------------------------------------------


def larger(first: NDArray, second: NDArray) -> NDArray:
    """1 where the first number is larger, 0 where the second is, 1/2 where they are equal: a tie is broken by a coin."""
    return (1 + np.sign(first - second)) / 2


def greedy(pulls: tuple[int, int], won: tuple[NDArray, NDArray]) -> NDArray:
    """The arm with the higher expected mean."""
    return larger(*means_of(pulls, won))


def epsilon_greedy(pulls: tuple[int, int], won: tuple[NDArray, NDArray], epsilon: float = 0.1) -> NDArray:
    """A share `epsilon` of the pulls at random, the others greedy."""
    check_number("epsilon", epsilon, 0, 1)
    return epsilon / 2 + (1 - epsilon) * greedy(pulls, won)


def ucb(pulls: tuple[int, int], won: tuple[NDArray, NDArray], width: float = 0.2) -> NDArray:
    """The arm with the higher expected mean + width · sqrt(ln t / n), where t counts all pulls; first, each arm once."""
    check_number("width", width, 0)
    if min(pulls) == 0:
        return _untried(pulls)
    t = sum(pulls)
    bonus = [width * math.sqrt(math.log(t) / n) for n in pulls]
    first, second = means_of(pulls, won)
    return larger(first + bonus[0], second + bonus[1])


def ucb1(pulls: tuple[int, int], won: tuple[NDArray, NDArray]) -> NDArray:
    """The arm with the higher share of successes + sqrt(2 ln t / n); first, each arm once (Auer and others 2002)."""
    if min(pulls) == 0:
        return _untried(pulls)
    t = sum(pulls)
    first, second = (w / n + math.sqrt(2 * math.log(t) / n) for n, w in zip(pulls, won, strict=True))
    return larger(first, second)


def _untried(pulls: tuple[int, int]) -> NDArray:
    """The arm that was not pulled yet; a coin if neither was."""
    return np.full((pulls[0] + 1, pulls[1] + 1), 0.5 if sum(pulls) == 0 else float(pulls[0] == 0))


def thompson(pulls: tuple[int, int], won: tuple[NDArray, NDArray]) -> NDArray:
    """The probability that the first mean is the larger: an arm is chosen as often as it is believed to be the best.

    Thompson sampling draws a mean for each arm from the belief and takes the arm with the larger draw. How often that is
    the first arm is known exactly. With (a, b) and (c, d) the two Beta beliefs and
    h(a, b) = B(a + c, b + d) / (B(a, b)·B(c, d)), the probability for (a + 1, b - 1) is that for (a, b) plus
    h(a, b - 1)·(1/a + 1/(b - 1)); with a = 1 it is B(c, d + b)/B(c, d).
    """
    (n1, n2), (rows, columns) = pulls, won
    log = _log_factorials(n1 + n2 + 2)
    second = log[columns] + log[n2 - columns] - log[n2 + 1]  # ln B(c, d), (1, n2 + 1)
    start = np.exp(log[columns] + log[n2 - columns + n1 + 1] - log[n1 + n2 + 2] - second)
    a, b = rows[:-1] + 1, n1 - rows[:-1]  # the belief (a, b) that each step upwards begins from, less one failure
    both = log[a + columns] + log[b + n2 - columns] - log[n1 + n2 + 2]  # ln B(a + c, b + d)
    h = np.exp(both - (log[a - 1] + log[b - 1] - log[n1]) - second)
    return np.minimum(np.concatenate([start, h * (1 / a + 1 / b)]).cumsum(axis=0), 1)  # 1 + 1e-13 is rounding


def _log_factorials(most: int) -> NDArray:
    """ln k! for k from 0 to `most`."""
    return np.concatenate([[0.0], np.log(np.arange(1, most + 1)).cumsum()])


# --- the best rule ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Plan:
    """The best rule for a horizon.

    Attributes:
        horizon: how many pulls there are.
        value: the expected number of successes, over both uniform means.
        choices: of each block with fewer pulls than the horizon: 1 for the first arm, -1 for the second, 0 where both are
            equally good.
    """

    horizon: int
    value: float
    choices: dict[tuple[int, int], NDArray]

    @property
    def regret(self) -> float:
        """The smallest Bayes regret that a rule can have at this horizon."""
        return self.horizon * BETTER - self.value

    def rule(self, pulls: tuple[int, int], won: tuple[NDArray, NDArray]) -> NDArray:
        """The best choice, as a rule."""
        return (1 + self.choices[pulls]) / 2


def plan(horizon: int) -> Plan:
    """The rule with the lowest Bayes regret, by dynamic programming over the counts, from the last pull backwards.

    V(state) = max over both arms of m·(1 + V(after a success)) + (1 - m)·V(after a failure), where m is the arm's expected
    mean (Bellman 1956). Two arms with horizon 100: 4.4 million states, about .2 seconds.

    Raises:
        ValueError: `horizon` is no whole number from 1 to `LONGEST`.
    """
    _check_horizon(horizon)
    later = [np.zeros((n + 1, horizon - n + 1)) for n in range(horizon + 1)]  # the values with t + 1 pulls, by n1
    choices = {}
    for t in range(horizon - 1, -1, -1):
        now = []
        for n in range(t + 1):
            first, second = means_of((n, t - n), won_of((n, t - n)))
            more, same = later[n + 1], later[n]
            Q1 = first * (1 + more[1:]) + (1 - first) * more[:-1]
            Q2 = second * (1 + same[:, 1:]) + (1 - second) * same[:, :-1]
            choices[n, t - n] = np.sign(Q1 - Q2).astype(np.int8)
            now.append(np.maximum(Q1, Q2))
        later = now
    return Plan(horizon, float(later[0][0, 0]), choices)


# --- what a rule loses ------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Followed:
    """What a rule does, for all means at once.

    A history with w successes and l failures of an arm with the mean p has the probability p^w·(1 - p)^l, times the
    probability of the rule's choices on the way. Only the first factor depends on the means. `weights` are the sums of
    the second factors over all histories that end in a state.

    Attributes:
        horizon: how many pulls there are.
        weights: for each n1 from 0 to the horizon, the block (n1 + 1, horizon - n1 + 1).
        bayes_regret: the Bayes regret of the first t pulls, (horizon + 1,).
    """

    horizon: int
    weights: list[NDArray]
    bayes_regret: NDArray

    def pulls(self, means: tuple[float, float]) -> NDArray:
        """How probable each number of pulls of the first arm is if the means are these, (horizon + 1,).

        Raises:
            ValueError: a mean is not from 0 to 1.
        """
        for mean in means:
            check_number("a mean", mean, 0, 1)
        one, two = (
            [mean ** np.arange(n + 1) * (1 - mean) ** np.arange(n, -1, -1) for n in range(self.horizon + 1)]
            for mean in means
        )
        return np.array([one[n] @ block @ two[self.horizon - n] for n, block in enumerate(self.weights)])

    def regrets(self, means: tuple[float, float]) -> tuple[NDArray, NDArray]:
        """All regrets that can happen if the means are these, and how probable each is; both (horizon + 1,).

        The regret of a history is the number of pulls of the worse arm, times the difference of the means.
        """
        worse = np.arange(self.horizon + 1) if means[0] < means[1] else np.arange(self.horizon, -1, -1)
        return worse * abs(means[0] - means[1]), self.pulls(means)

    def regret(self, means: tuple[float, float]) -> float:
        """The expected regret if the means are these."""
        regret, p = self.regrets(means)
        return float(regret @ p)

    def tail(self, means: tuple[float, float], above: float) -> float:
        """The probability of a regret larger than `above` if the means are these."""
        regret, p = self.regrets(means)
        return float(p[regret > above + 1e-9].sum())  # 1e-9: 50 · .2 is 10, whatever rounding says


def follow(rule: Rule, horizon: int) -> Followed:
    """Follow a rule through all states, from the first pull on: its exact regret, with no simulation.

    Args:
        rule: as the head of this module says.
        horizon: how many pulls; horizon 100 takes about half a second.

    Raises:
        ValueError: `horizon` is no whole number from 1 to `LONGEST`, or what the rule returns are no probabilities.
    """
    _check_horizon(horizon)
    # The chance of w successes and n - w failures in one given order, for a uniform mean: B(w + 1, n - w + 1).
    log = _log_factorials(horizon + 1)
    chances = [np.exp(log[: n + 1] + log[n::-1] - log[n + 1]) for n in range(horizon + 1)]
    weights, earned = [np.ones((1, 1))], [0.0]
    for t in range(horizon):
        following = [np.zeros((n + 1, t + 2 - n)) for n in range(t + 2)]
        for n, here in enumerate(weights):
            first = here * _checked(rule((n, t - n), won_of((n, t - n))), (n, t - n))
            second = here - first
            following[n + 1][1:] += first
            following[n + 1][:-1] += first
            following[n][:, 1:] += second
            following[n][:, :-1] += second
        weights = following
        earned.append(_successes(weights, chances))
    return Followed(horizon, weights, np.arange(horizon + 1) * BETTER - np.array(earned))


def _successes(weights: list[NDArray], chances: list[NDArray]) -> float:
    """The expected number of successes so far, over both uniform means."""
    t, total = len(weights) - 1, 0.0
    for n, block in enumerate(weights):
        one, two = chances[n], chances[t - n]
        total += (one * np.arange(n + 1)) @ block @ two + one @ block @ (two * np.arange(t - n + 1))
    return total


def _checked(p: NDArray, pulls: tuple[int, int]) -> NDArray:
    """What a rule returned for a block.

    Raises:
        ValueError: these are no probabilities, or not of the block's shape.
    """
    p = np.asarray(p, dtype=float)
    if p.shape not in ((), (1, pulls[1] + 1), (pulls[0] + 1, 1), (pulls[0] + 1, pulls[1] + 1)):
        raise ValueError(
            f"after {pulls} pulls the rule returned the shape {p.shape}; expected {pulls[0] + 1, pulls[1] + 1}"
        )
    if not ((p >= 0) & (p <= 1 + 1e-9)).all():
        raise ValueError(f"after {pulls} pulls the rule returned {p.min()} to {p.max()}; expected probabilities")
    return np.minimum(p, 1)


def _check_horizon(horizon: int) -> None:
    check_whole("horizon", horizon, 1)
    if horizon > LONGEST:
        raise ValueError(f"horizon is {horizon}; at most {LONGEST}, since the states grow with its fourth power")
