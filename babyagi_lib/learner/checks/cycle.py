"""The exercises of lesson 13: inverse propensity scoring, the capital of a betting gate, what is replayed. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.learner.checks.answers import Wrong, number, side_by_side
from babyagi_lib.learner.checks.cases import answers_to, judge
from babyagi_lib.learner.checks.verdict import exercise

Values = NDArray[np.float64]


def numbers_to(attempt: Callable, cases: Sequence, expected: str) -> list[Values]:
    """The attempt's answer to every case, each one number."""
    found = []
    for case in cases:
        given = [value.copy() if isinstance(value, np.ndarray) else value for value in astuple(case)]
        found.append(np.array(number(attempt(*given), expected)))
        if any(not np.array_equal(now, value) for now, value in zip(given, astuple(case), strict=True)):
            raise Wrong("your function changes the arrays that it was given; work on copies.")
    return found


# --- exercise 1: inverse propensity scoring --------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Logged:
    """Logged decisions, (n,) each, and the policy to be judged, (contexts, actions)."""

    context: NDArray[np.int64]
    action: NDArray[np.int64]
    propensity: Values
    reward: Values
    policy: Values

    @property
    def chance(self) -> Values:
        """The probability of each logged action under the policy, (n,)."""
        return self.policy[self.context, self.action]

    @property
    def weight(self) -> Values:
        """Of each decision, (n,)."""
        return self.chance / self.propensity

    @property
    def right(self) -> Values:
        """The estimate."""
        return np.array((self.weight * self.reward).mean())


def logs() -> list[Logged]:
    """Policies that are fixed and that draw; small propensities; rewards of both signs; propensities that change over time."""
    draw, found = np.random.default_rng(13), []
    for contexts, actions, n, explored in ((3, 2, 12, 0.5), (4, 3, 40, 0.3), (2, 4, 25, 0.6), (5, 3, 60, 0.1)):
        rate = explored * draw.uniform(0.5, 1.5, n)[:, None]  # exploration changes from one decision to the next
        acting = np.eye(actions)[draw.integers(actions, size=contexts)]
        context = draw.integers(contexts, size=n)
        behaviour = (1 - rate) * acting[context] + rate / actions
        action = (draw.random((n, 1)) > behaviour.cumsum(axis=1)[:, :-1]).sum(axis=1)
        fixed = np.eye(actions)[draw.integers(actions, size=contexts)]
        policy = fixed if len(found) % 2 == 0 else 0.7 * fixed + 0.3 * draw.dirichlet(np.ones(actions), contexts)
        reward = draw.normal(0.4, 1, n).round(2)
        found.append(Logged(context, action, behaviour[np.arange(n), action], reward, policy))
    # a log of a policy that seldom does what the new one would do: weights of 40 and 80
    few = Logged(
        np.array([0, 0, 1, 1, 0, 1]),
        np.array([0, 1, 0, 1, 0, 0]),
        np.array([0.9875, 0.0125, 0.975, 0.025, 0.9875, 0.975]),
        np.array([-0.2, 1.0, -0.2, -1.5, -0.2, -0.3]),
        np.array([[0.0, 1.0], [0.0, 1.0]]),
    )
    return [*found, few]


def _by_context(c: Logged) -> Values:
    each = c.weight * c.reward
    return np.array(np.mean([each[c.context == value].mean() for value in np.unique(c.context)]))


def _clipped(most: float) -> tuple[str, Callable[[Logged], Any]]:
    said = (
        f"weights above {most:g} are cut off. That makes the estimate biased: if you clip, do it knowingly, and say so."
    )
    return said, lambda c: (np.minimum(c.weight, most) * c.reward).mean()


IPS_MISTAKES: list[tuple[str, Callable[[Logged], Any]]] = [
    (
        "divide by the propensity of the policy that acted, which is in the log, not by that of the new policy.",
        lambda c: np.where(c.chance > 0, c.reward, 0).mean(),
    ),
    ("the weight is upside down: new probability divided by propensity.", lambda c: _upside_down(c)),
    ("nothing is divided by the propensity: rare actions must count more.", lambda c: (c.chance * c.reward).mean()),
    (
        "the new policy does not appear: weight each reward by how probable its action is there.",
        lambda c: (c.reward / c.propensity).mean(),
    ),
    (
        "multiply by the new probability and divide by the propensity; you multiply by both.",
        lambda c: (c.chance * c.propensity * c.reward).mean(),
    ),
    (
        "this is the mean reward where both policies agree, without weights: it judges another mix of contexts.",
        lambda c: c.reward[c.chance > 0].mean(),
    ),
    (
        "the mean goes over all logged decisions, also those with a weight of 0.",
        lambda c: (c.weight * c.reward)[c.chance > 0].mean(),
    ),
    (
        "this divides by the sum of the weights: that is the self-normalised estimate. Asked is the plain mean.",
        lambda c: (c.weight * c.reward).sum() / c.weight.sum(),
    ),
    ("this is the sum; return the mean.", lambda c: (c.weight * c.reward).sum()),
    ("this is the mean reward of the policy that acted.", lambda c: c.reward.mean()),
    ("contexts are not equally frequent: take one mean over all decisions.", _by_context),
    (
        "the policy gives probabilities: use them, not only its likeliest action.",
        lambda c: np.where(c.policy[c.context].argmax(axis=1) == c.action, c.reward / c.propensity, 0).mean(),
    ),
    (
        "this is the mean weight, without the rewards.",
        lambda c: c.weight.mean(),
    ),
    ("the sign is wrong.", lambda c: -c.right),
    *map(_clipped, (1, 2, 3, 5, 10, 20, 30, 50)),
]


def _upside_down(c: Logged) -> Values:
    ratio = np.divide(c.propensity, c.chance, out=np.zeros_like(c.chance), where=c.chance > 0)
    return np.array((ratio * c.reward).mean())


@exercise
def ips(attempt: Callable[..., Any]) -> str:
    """Logs whose estimates are known."""
    cases = logs()
    found = numbers_to(attempt, cases, "one number, the estimate")

    def tell(case: int, _: tuple) -> str:
        yours, right = side_by_side(found[case], cases[case].right)
        return f" For a log of {len(cases[case].reward)} decisions you return {yours}; {right} is right."

    judge(found, cases, IPS_MISTAKES, tell)
    return f"{len(cases)} logs; in the last, two decisions of six carry the whole estimate."


# --- exercise 2: the capital of a betting gate -----------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Bets:
    """Evidence (n,), its least possible value (below 0), and the fractions of the capital's parts."""

    D: Values
    least: float
    fractions: Values

    def paths(self, least: float | None = None, sign: float = 1.0) -> Values:
        """The capital of each part after each decision, (n, parts)."""
        return (1 + sign * self.D[:, None] * self.fractions / -(self.least if least is None else least)).cumprod(axis=0)

    @property
    def right(self) -> Values:
        """The capital after each decision."""
        return self.paths().mean(axis=1)


def bets() -> list[Bets]:
    """Evidence for, against and neither; with and without the least value in it; one fraction and many; a capital above 20."""
    draw = np.random.default_rng(31)
    return [
        Bets(np.array([1.0, 1.0, -2.0, 3.0]), -4.0, np.array([0.1, 0.5])),
        Bets(draw.normal(0.3, 0.8, 40).clip(-2, 2), -3.0, np.array([0.01, 0.1, 0.3, 0.9])),
        Bets(np.array([0.0, 0.25, 0.25, 80.0, 0.0, -80.0, 0.25, 0.25]), -120.0, np.array([0.05, 0.9])),
        Bets(draw.normal(-0.2, 0.5, 25).clip(-1, 1), -1.5, np.array([0.4])),
        Bets(np.array([-5.0, 2.0, 2.0]), -5.0, np.array([0.2, 0.95])),
        Bets(np.array([3.0, 3.0, 3.0, 3.0, 3.0, 3.0, -1.5, 3.0, -2.0]), -3.0, np.array([0.3, 0.9])),
    ]


def _stopped(c: Bets) -> Values:
    """The capital, kept as it was when it reached 20."""
    over = c.right >= 20
    return np.where(np.logical_or.accumulate(over), c.right[over.argmax()], c.right)


CAPITAL_MISTAKES: list[tuple[str, Callable[[Bets], Any]]] = [
    (
        "the least value of the sample is not the least possible one: a worse D can come tomorrow. Use `least`.",
        lambda c: c.paths(c.D.min()).mean(axis=1),
    ),
    (
        "divide by the size of the least value, not by that of the largest D.",
        lambda c: c.paths(-np.abs(c.D).max()).mean(axis=1),
    ),
    (
        "the fractions are used as lambda: 1 + lambda · D can become negative. Divide them by -least first.",
        lambda c: (1 + c.D[:, None] * c.fractions).cumprod(axis=0).mean(axis=1),
    ),
    (
        "lambda is fraction / -least: you multiply by it.",
        lambda c: (1 + c.D[:, None] * c.fractions * -c.least).cumprod(axis=0).mean(axis=1),
    ),
    (
        "the sign is wrong: the bet is on a positive D, and `least` is negative.",
        lambda c: c.paths(sign=-1.0).mean(axis=1),
    ),
    (
        "return the capital at every look; this is the capital at the end, everywhere.",
        lambda c: np.full(len(c.D), c.right[-1]),
    ),
    ("this is the capital of the last fraction alone; take the mean over all.", lambda c: c.paths()[:, -1]),
    ("this is the capital of the first fraction alone; take the mean over all.", lambda c: c.paths()[:, 0]),
    (
        "this is the best fraction at each time, which nobody knows beforehand: take the mean.",
        lambda c: c.paths().max(axis=1),
    ),
    (
        "this is the fraction that is best at the end, which nobody knows beforehand: take the mean.",
        lambda c: c.paths()[:, c.paths()[-1].argmax()],
    ),
    ("the capital begins at 1: take the mean over the fractions, not the sum.", lambda c: c.paths().sum(axis=1)),
    (
        "the mean goes over the capitals, after the product. You bet with the mean fraction.",
        lambda c: (1 + c.D * c.fractions.mean() / -c.least).cumprod(),
    ),
    (
        "a capital is multiplied by 1 + lambda · D, time after time: take products, not sums.",
        lambda c: 1 + (c.D[:, None] * c.fractions / -c.least).mean(axis=1).cumsum(),
    ),
    (
        "take the mean of the capitals, not of their logarithms.",
        lambda c: np.exp(np.log(c.paths()).mean(axis=1)),
    ),
    ("return the capital, not its logarithm.", lambda c: np.log(c.right)),
    (
        "these are the factors of single decisions: the capital is their product up to now.",
        lambda c: (1 + c.D[:, None] * c.fractions / -c.least).mean(axis=1),
    ),
    (
        "the capital is one decision late: the first entry is the capital after the first decision.",
        lambda c: np.concatenate([[1.0], c.right[:-1]]),
    ),
    ("this is the highest capital so far; return the capital now.", lambda c: np.maximum.accumulate(c.right)),
    ("the capital does not stop at 20: return it as it is, and leave the decision to the gate.", _stopped),
    (
        "the capital does not stop at 20: return it as it is, and leave the decision to the gate.",
        lambda c: np.minimum(c.right, 20),
    ),
    ("multiply by 1 + lambda · D, not by exp(lambda · D).", lambda c: _exponential(c)),
    ("the bet is on D, not on its sign.", lambda c: Bets(np.sign(c.D), c.least, c.fractions).right),
]


def _exponential(c: Bets) -> Values:
    return np.exp((c.D[:, None] * c.fractions / -c.least).cumsum(axis=0)).mean(axis=1)


@exercise
def capital(attempt: Callable[[Values, float, Values], Any]) -> str:
    """Evidence whose capital is known at every look."""
    cases = bets()
    found = answers_to(attempt, cases, lambda c: f"the capital after each of the {len(c.D)} decisions")

    def tell(case: int, where: tuple) -> str:
        yours, right = side_by_side(found[case][where], cases[case].right[where])
        return f" After decision {where[0] + 1} of {len(cases[case].D)} you have {yours}; {right} is right."

    judge(found, cases, CAPITAL_MISTAKES, tell)
    return f"the capital at every look of {len(cases)} streams; it never becomes negative."


# --- exercise 3: what is replayed --------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Replayed:
    """The supplier of each note, (notes,), the newest supplier, and the share of a batch that is of older ones."""

    supplier: NDArray[np.int64]
    newest: int
    share: float

    def weights(self, share: float | None = None, newest: int | None = None, alone: float = 1.0) -> Values:
        """The weights, if the share, the newest supplier, or what it gets alone were these."""
        share, newest = self.share if share is None else share, self.newest if newest is None else newest
        older = [value for value in np.unique(self.supplier) if value != newest]
        found = np.zeros(len(self.supplier))
        for value in np.unique(self.supplier):
            here = self.supplier == value
            part = (1 - share if older else alone) if value == newest else share / len(older)
            found[here] = part / here.sum()
        return found

    @property
    def right(self) -> Values:
        """The probability of each note."""
        return self.weights()

    @property
    def new(self) -> NDArray[np.bool_]:
        """Whether a note is of the newest supplier."""
        return self.supplier == self.newest


def suppliers() -> list[Replayed]:
    """One older supplier and several, with many notes and few; the newest first, last and in the middle; no older one."""
    return [
        Replayed(np.array([0, 0, 0, 1, 1]), 1, 0.2),
        Replayed(np.array([2, 0, 1, 0, 0, 0, 0, 2, 2, 1]), 2, 0.3),
        Replayed(np.array([3, 3, 7, 7, 7, 1, 7]), 3, 0.5),
        Replayed(np.array([4, 4, 4]), 4, 0.25),
        Replayed(np.array([5, 5, 2, 2, 2, 9]), 5, 0.0),
        Replayed(np.array([0, 1, 1, 1, 2, 2, 2, 2]), 0, 0.6),
    ]


def _by_notes(c: Replayed) -> Values:
    if c.new.all():
        return c.right
    return np.where(c.new, (1 - c.share) / c.new.sum(), c.share / max((~c.new).sum(), 1))


def _by_suppliers(c: Replayed) -> Values:
    values, place, counts = np.unique(c.supplier, return_inverse=True, return_counts=True)
    return (1 / len(values) / counts)[place]


def _each_the_share(c: Replayed) -> Values:
    older = len(np.unique(c.supplier)) - 1
    return np.where(c.new, c.right, c.right * max(older, 1))


def _newest_among_the_older(c: Replayed) -> Values:
    suppliers = len(np.unique(c.supplier))
    return np.where(c.new, c.right, c.right * (suppliers - 1) / suppliers)


def _not_per_note(c: Replayed) -> Values:
    _, place, counts = np.unique(c.supplier, return_inverse=True, return_counts=True)
    return c.right * counts[place]


def _ratio(c: Replayed) -> Values:
    return c.weights(c.share / (1 + c.share))


REPLAY_MISTAKES: list[tuple[str, Callable[[Replayed], Any]]] = [
    (
        "the share is split over the older suppliers equally, not over their notes: one with many notes gets too much.",
        _by_notes,
    ),
    ("the shares are swapped: the newest supplier gets 1 - share.", lambda c: c.weights(1 - c.share)),
    (
        "without an older supplier the newest gets everything: the weights must sum to 1.",
        lambda c: c.weights(alone=1 - c.share),
    ),
    ("each older supplier gets the whole share: split it among them.", _each_the_share),
    ("the newest supplier is not one of the older ones, among which the share is split.", _newest_among_the_older),
    ("these are the parts of the suppliers: divide each by the number of its notes.", _not_per_note),
    ("all notes are equally likely: the share is not used.", lambda c: np.full(len(c.supplier), 1 / len(c.supplier))),
    ("all suppliers are equally likely: the share is not used.", _by_suppliers),
    ("the share is one of all notes in a batch, not the ratio of old to new notes.", _ratio),
    (
        "the newest supplier is the one with the number `newest`, not the largest number.",
        lambda c: c.weights(newest=c.supplier.max()),
    ),
    (
        "the newest supplier is the one with the number `newest`, not that of the last note.",
        lambda c: c.weights(newest=c.supplier[-1]),
    ),
    ("the weights must sum to 1; they sum to the number of notes.", lambda c: c.right * len(c.supplier)),
    ("old notes get nothing: this is training on the newest alone.", lambda c: c.weights(0.0)),
]


@exercise
def replay_weights(attempt: Callable[[NDArray, int, float], Any]) -> str:
    """Suppliers with many notes and few."""
    cases = suppliers()
    found = answers_to(attempt, cases, lambda c: f"one probability for each of the {len(c.supplier)} notes")

    def tell(case: int, where: tuple) -> str:
        yours, right = side_by_side(found[case][where], cases[case].right[where])
        c = cases[case]
        return (
            f" With suppliers {c.supplier.tolist()}, newest {c.newest} and a share of {c.share:g}, note {where[0]} gets "
            f"{yours}; {right} is right."
        )

    judge(found, cases, REPLAY_MISTAKES, tell)
    return f"{len(cases)} sets of notes; the weights of each sum to 1."
