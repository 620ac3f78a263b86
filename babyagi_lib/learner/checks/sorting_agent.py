"""The exercises of lesson 12: the value of one more answer, backward induction, a limit that a coin keeps. Imports no torch."""

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
        given = astuple(case)
        found.append(np.array(number(attempt(*given), expected)))
        if any(not _same(now, value) for now, value in zip(given, astuple(case), strict=True)):
            raise Wrong("your function changes what it was given; work on copies.")
    return found


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return np.array_equal(one, other)


def _tell(found: list[Values], cases: Sequence, name: Callable[[Any], str]) -> Callable[[int, tuple], str]:
    def tell(case: int, _: tuple) -> str:
        yours, right = side_by_side(found[case], cases[case].right)
        return f" For {name(cases[case])} you return {yours}; {right} is right."

    return tell


# --- exercise 1: the value of one more answer ---------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class OneMore:
    """A belief (kinds,), a sense (kinds, symbols) with its cost, and what decisions pay (kinds, decisions)."""

    belief: Values
    table: Values
    cost: float
    payoff: Values

    @property
    def now(self) -> float:
        """Of deciding at once."""
        return (self.belief @ self.payoff).max()

    def then(self, weights: Values | None = None, belief: Values | None = None) -> Values:
        """For each symbol and decision: the expected payoff, times the probability of the symbol (or other weights)."""
        belief = self.belief if belief is None else belief
        joint = (self.table * belief[:, None]).T
        if weights is None:
            return joint @ self.payoff
        return weights[:, None] * (joint / joint.sum(axis=1, keepdims=True)) @ self.payoff

    @property
    def right(self) -> Values:
        """The gain."""
        return np.array(self.then().max(axis=1).sum() - self.cost - self.now)


def beliefs_and_senses() -> list[OneMore]:
    """Senses that help, one that cannot change the decision, and one where deciding at once loses."""
    draw, found = np.random.default_rng(4), []
    for kinds, symbols, decisions, cost in ((3, 2, 3, 0.04), (4, 3, 3, 0.11), (3, 3, 4, 0.02), (2, 2, 2, 0.3)):
        table = draw.dirichlet(np.full(symbols, 0.5), size=kinds)
        payoff = draw.choice([-1.5, -1.0, -0.5, 0.3, 1.0], size=(kinds, decisions)) + draw.normal(
            0, 0.1, (kinds, decisions)
        )
        found.append(OneMore(draw.dirichlet(np.full(kinds, 3.0)), table, cost, payoff))
    sure = np.array([0.9, 0.06, 0.04])
    found.append(OneMore(sure, np.array([[0.6, 0.4], [0.5, 0.5], [0.3, 0.7]]), 0.05, np.eye(3) * 2 - 1))
    unsure, right = np.full(3, 1 / 3), 0.4 * np.eye(3) + 0.2  # at the start of a part, all decisions lose
    found.append(OneMore(unsure, right, 0.02, np.hstack([np.eye(3) * 2 - 1.2, np.full((3, 1), -0.45)])))
    return found


GAIN_MISTAKES: list[tuple[str, Callable[[OneMore], Any]]] = [
    ("the cost of the sense is missing.", lambda c: c.then().max(axis=1).sum() - c.now),
    ("the cost is added; it has to be paid.", lambda c: c.then().max(axis=1).sum() + c.cost - c.now),
    (
        "this is what asking is worth, not how much more than deciding at once: subtract that.",
        lambda c: c.then().max(axis=1).sum() - c.cost,
    ),
    (
        "maximum and sum are swapped: the agent hears the symbol first, and then takes the best decision for it.",
        lambda c: c.then().sum(axis=0).max() - c.cost - c.now,
    ),
    (
        "you take all symbols as equally likely: weight each by its probability under the belief.",
        lambda c: c.then(np.full(c.table.shape[1], 1 / c.table.shape[1])).max(axis=1).sum() - c.cost - c.now,
    ),
    (
        "you add the symbols up without their probabilities: weight each by its probability under the belief.",
        lambda c: c.then(np.ones(c.table.shape[1])).max(axis=1).sum() - c.cost - c.now,
    ),
    (
        "the belief before the answer is lost: the posterior is belief times likelihood, not the likelihood alone.",
        lambda c: (
            c.then(c.belief @ c.table, np.full(len(c.belief), 1 / len(c.belief))).max(axis=1).sum() - c.cost - c.now
        ),
    ),
    (
        "the belief counts twice: belief times likelihood holds the probability of the symbol already.",
        lambda c: ((c.belief @ c.table) * c.then().max(axis=1)).sum() - c.cost - c.now,
    ),
    (
        "the maximum goes over the decisions, once for each symbol; you take it over the symbols.",
        lambda c: c.then().max(axis=0).sum() - c.cost - c.now,
    ),
    (
        "no answer is certain to come: take the mean over the symbols, not the best of them.",
        lambda c: (c.then().max(axis=1) / (c.belief @ c.table)).max() - c.cost - c.now,
    ),
    (
        "the table is not used: this is the gain of a sense that tells the kind.",
        lambda c: c.belief @ c.payoff.max(axis=1) - c.cost - c.now,
    ),
    (
        "take the decision with the highest expected payoff, not the best one for the likeliest kind.",
        lambda c: (
            (c.belief @ c.table) @ c.payoff[(c.table * c.belief[:, None]).argmax(axis=0)].max(axis=1) - c.cost - c.now
        ),
    ),
    (
        "the cost is paid once for an answer, not once for each symbol that there is.",
        lambda c: c.right + c.cost - c.table.shape[1] * c.cost,
    ),
    (
        "the value of deciding at once can be below 0: subtract it with its sign.",
        lambda c: c.right + c.now - abs(c.now),
    ),
    (
        "the value of deciding at once can be below 0: do not cut it off at 0.",
        lambda c: c.right + c.now - max(c.now, 0),
    ),
    ("the sign is wrong: the gain is asking minus deciding.", lambda c: -c.right),
    ("the gain can be negative, where asking does not pay: do not cut it off at 0.", lambda c: np.maximum(c.right, 0)),
    ("the gain can be negative, where asking does not pay: do not take its size.", lambda c: np.abs(c.right)),
]


@exercise
def gain_of_asking(attempt: Callable[[Values, Values, float, Values], Any]) -> str:
    """Beliefs and senses whose gains are known."""
    cases = beliefs_and_senses()
    found = numbers_to(attempt, cases, "one number, the gain")
    told = _tell(found, cases, lambda c: f"{len(c.belief)} kinds and a sense with {c.table.shape[1]} symbols")
    judge(found, cases, GAIN_MISTAKES, told)
    return f"gains from {min(float(c.right) for c in cases):.3f} to {max(float(c.right) for c in cases):.3f}, some below 0."


# --- exercise 2: backward induction --------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Asking:
    """A belief, how many answers are left, the senses as (table, cost, once), and what decisions pay."""

    belief: Values
    left: int
    senses: list
    payoff: Values

    @property
    def right(self) -> Values:
        """The value of the best policy."""
        return np.array(solve(self.belief, self.left, self.senses, self.payoff))


def solve(
    belief: Values,
    left: int,
    senses: Sequence,
    payoff: Values,
    *,
    pays: bool = True,
    update: bool = True,
    swapped: bool = False,
    once: bool | None = None,
    stops: bool = True,
    weighted: bool = True,
    twice: bool = False,
    free: bool = False,
    least: float = -np.inf,
    skips: bool = True,
    lasting: bool = False,
    each: bool = False,
    lucky: bool = False,
) -> float:
    """The right value by recursion; each switch makes one mistake."""
    now = belief @ payoff
    decide = float(now.mean() if swapped else now.max())
    if left <= 0 or not len(senses):
        return decide
    options = [max(decide, least)] if stops else []
    flags = {"pays": pays, "update": update, "swapped": swapped, "once": once, "stops": stops}
    flags |= {"weighted": weighted, "twice": twice, "free": free, "least": least, "skips": skips}
    flags |= {"lasting": lasting, "each": each, "lucky": lucky}
    kept = list(senses)
    for at, (table, cost, only) in enumerate(senses):
        only = only if once is None else once
        rest = [sense for sense in kept if sense is not senses[at]] if only else kept
        kept = rest if lasting else kept
        total, worths = -cost * (table.shape[1] if each else 1) if pays else 0.0, []
        for likelihood in np.asarray(table).T:
            joint = belief * likelihood
            chance = joint.sum()
            if chance > 0:
                after = belief if not update else joint if twice else joint / chance
                worth = solve(after, left - (not free or at > 0), rest, payoff, **flags)
                worths.append(worth)
                total += (chance if weighted else 1 / table.shape[1]) * worth
            elif not skips:
                total = -np.inf  # NaN, which is never the greatest
        options.append(max(worths) - cost if lucky else total)
    return float(np.mean(options) if swapped else np.max(options))


def problems() -> list[Asking]:
    """No answer left, one, two and three; a note that can be read once; a sense that is never wrong; a value below 0."""
    draw, found = np.random.default_rng(12), []
    for kinds, left in ((3, 0), (3, 1), (3, 2), (4, 2), (2, 3)):
        eye = np.zeros((kinds, kinds))
        np.fill_diagonal(eye, 1)
        senses = [
            (0.65 * eye + 0.35 * draw.dirichlet(np.ones(kinds), size=kinds), 0.05, False),
            (draw.dirichlet(np.full(2, 0.6), size=kinds), 0.02, True),
        ]
        payoff = np.hstack([2.0 * eye - 1 + draw.normal(0, 0.1, eye.shape), np.full((kinds, 1), -0.2)])
        found.append(Asking(draw.dirichlet(np.full(kinds, 4.0)), left, senses, payoff))
    perfect = [(np.eye(3), 0.3, False), (np.array([[0.8, 0.2], [0.2, 0.8], [0.5, 0.5]]), 0.01, True)]
    found.append(Asking(np.array([0.5, 0.3, 0.2]), 2, perfect, 2 * np.eye(3) - 1))
    found.append(Asking(np.array([0.5, 0.5, 0]), 2, perfect, 2 * np.eye(3) - 1))  # one kind is ruled out
    # The note comes first, and is worth its price only after one of the symbols of the other sense. All values are below 0.
    senses = [(np.eye(3), 0.5, True), (np.array([[0.95, 0.05], [0.05, 0.95], [0.05, 0.95]]), 0.05, False)]
    found.append(Asking(np.full(3, 1 / 3), 2, senses, 2 * np.eye(3) - 1.7))
    return found


def mistaken(**switches: bool) -> Callable[[Asking], Values]:
    """What a solution with this mistake returns."""
    return lambda c: np.array(solve(c.belief, c.left, c.senses, c.payoff, **switches))


def horizon(by: int) -> Callable[[Asking], Values]:
    """What a solution returns that takes so many answers more, or fewer."""
    return lambda c: np.array(solve(c.belief, max(0, c.left + by), c.senses, c.payoff))


VALUE_MISTAKES: list[tuple[str, Callable[[Asking], Any]]] = [
    ("the cost of an answer is missing.", mistaken(pays=False)),
    ("the horizon is off by one: with `left` 0 nothing may be asked any more, with 1 one answer.", horizon(1)),
    ("the horizon is off by one: with `left` 1 one more answer may be asked.", horizon(-1)),
    (
        "nothing is asked, or the belief is not updated: after a symbol it is belief times likelihood, divided by its sum.",
        mistaken(update=False),
    ),
    (
        "maximum and mean are swapped: the agent chooses among actions, and chance among symbols.",
        mistaken(swapped=True),
    ),
    ("a sense that may be asked once is asked again: leave it out of the senses that are left.", mistaken(once=False)),
    ("only a sense whose third entry is true may be asked just once.", mistaken(once=True)),
    ("the agent may decide at any time, not only when no answer is left.", mistaken(stops=False)),
    ("weight each symbol by its probability under the belief, not all equally.", mistaken(weighted=False)),
    (
        "the probability of a symbol counts twice: divide the new belief by its sum, or do not multiply its value again.",
        mistaken(twice=True),
    ),
    ("the value can be below 0: begin with the best decision, not with 0.", mistaken(least=0.0)),
    (
        "a symbol of probability 0 has no belief after it: skip it, or NaN takes the whole sense away.",
        mistaken(skips=False),
    ),
    (
        "a sense that may be asked once is lost for the senses after it in the loop: make a new list of what is left.",
        mistaken(lasting=True),
    ),
    ("the cost is paid once for an answer, not once for each symbol that there is.", mistaken(each=True)),
    ("no answer is certain to come: take the mean over the symbols, not the best of them.", mistaken(lucky=True)),
    (
        "you look one answer ahead only: what follows is worth the best action there, which can be to ask again.",
        lambda c: np.array(solve(c.belief, min(1, c.left), c.senses, c.payoff)),
    ),
]


@exercise
def best_value(attempt: Callable[[Values, int, list, Values], Any]) -> str:
    """Problems with up to three answers, whose values are known."""
    cases = problems()
    found = numbers_to(attempt, cases, "one number, the value")
    told = _tell(found, cases, lambda c: f"{len(c.belief)} kinds, {len(c.senses)} senses and left = {c.left}")
    judge(found, cases, VALUE_MISTAKES, told)
    return f"the values of {len(cases)} problems with up to {max(c.left for c in cases)} answers."


# --- exercise 3: a limit that a coin keeps -------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Coin:
    """Two policies as joint probabilities of kind and decision, (kinds, decisions), and a limit.

    `cracked` (kinds,) and `shipped` (decisions,) are booleans.
    """

    safe: Values
    risky: Values
    cracked: NDArray[np.bool_]
    shipped: NDArray[np.bool_]
    limit: float

    def risk(self, joint: Values) -> float:
        """The share of all parts that are cracked and shipped."""
        return float(joint[np.ix_(self.cracked, self.shipped)].sum())

    def mixed(self, share: float) -> Values:
        """Both policies, the risky one in a share of the cases."""
        return share * self.risky + (1 - share) * self.safe

    @property
    def share(self) -> float:
        """The largest share of the risky policy within the limit."""
        low, high = self.risk(self.safe), self.risk(self.risky)
        return 1.0 if high <= self.limit else (self.limit - low) / (high - low)

    def both(self, share: float, given: float | None = None) -> Values:
        """The two answers, if the share were this."""
        mixed = self.mixed(share)
        return np.array([share, self.risk(mixed) / mixed[self.cracked].sum() if given is None else given])

    @property
    def right(self) -> Values:
        """Share, and risk given a crack."""
        return self.both(self.share)


def coins() -> list[Coin]:
    """Pairs of policies for parts that are cracked more and less often; one risky policy is within the limit."""
    draw, found = np.random.default_rng(8), []
    for kinds, rate, limit in ((4, 0.2, 0.02), (6, 0.1, 0.03), (4, 0.3, 0.05), (2, 0.2, 0.5)):
        cracked = np.arange(kinds) % 2 == 1
        prior = np.where(cracked, rate, 1 - rate) / (kinds / 2) * draw.uniform(0.8, 1.2, kinds)
        prior[cracked] *= rate / prior[cracked].sum()
        prior[~cracked] *= (1 - rate) / prior[~cracked].sum()
        shipped = np.array([True, True, False, False])
        pair = []
        for ships in (0.04, 0.35):
            ships = np.where(cracked, ships, 0.85) * draw.uniform(0.6, 1.1, kinds)
            chance = ships[:, None] * draw.dirichlet(np.ones(2), kinds)
            rest = (1 - chance.sum(axis=1))[:, None] * draw.dirichlet(np.ones(2), kinds)
            pair.append(prior[:, None] * np.hstack([chance, rest]))
        found.append(Coin(*pair, cracked, shipped, limit))
    return found


def _limit_on_cracked(c: Coin, least: float = -np.inf) -> Values:
    low, high = (c.risk(joint) / joint[c.cracked].sum() for joint in (c.safe, c.risky))
    return c.both(1.0 if high <= c.limit else max(least, (c.limit - low) / (high - low)))


def _not_cut(c: Coin) -> float:
    low, high = c.risk(c.safe), c.risk(c.risky)
    return (c.limit - low) / (high - low)


COIN_MISTAKES: list[tuple[str, Callable[[Coin], Any]]] = [
    (
        "a share cannot be above 1: where the risky policy is within the limit, use it always.",
        lambda c: c.both(_not_cut(c)),
    ),
    (
        "this is the share of the safe policy; return that of the risky one.",
        lambda c: np.array([1 - c.share, c.right[1]]),
    ),
    ("the limit is on all parts, not on the cracked ones alone.", _limit_on_cracked),
    ("the limit is on all parts, not on the cracked ones alone.", lambda c: _limit_on_cracked(c, 0.0)),
    (
        "the safe policy ships cracked parts, too: its risk belongs into the share.",
        lambda c: c.both(min(1.0, c.limit / c.risk(c.risky))),
    ),
    (
        "the second number is the share of all parts; divide it by the share of parts that are cracked.",
        lambda c: c.both(c.share, c.risk(c.mixed(c.share))),
    ),
    (
        "the second number is the share of shipped parts that are cracked; asked is the share of cracked parts that are shipped.",
        lambda c: c.both(c.share, c.risk(c.mixed(c.share)) / c.mixed(c.share)[:, c.shipped].sum()),
    ),
    (
        "the second number is that of the risky policy alone; asked is that of the mixture.",
        lambda c: c.both(c.share, c.risk(c.risky) / c.risky[c.cracked].sum()),
    ),
    (
        "the second number is that of the safe policy alone; asked is that of the mixture.",
        lambda c: c.both(c.share, c.risk(c.safe) / c.safe[c.cracked].sum()),
    ),
    (
        "the mixture does not reach the limit where the risky policy is within it: compute its risk from both policies.",
        lambda c: c.both(c.share, c.limit / c.safe[c.cracked].sum()),
    ),
    (
        "in the second number the share belongs to the wrong policy: it is that of the risky one.",
        lambda c: c.both(c.share, c.both(1 - c.share)[1]),
    ),
    (
        "the kinds are not equally frequent: add up the cracked parts that are shipped, then divide by all cracked parts.",
        lambda c: c.both(
            c.share,
            (
                c.mixed(c.share)[np.ix_(c.cracked, c.shipped)].sum(axis=1) / c.mixed(c.share)[c.cracked].sum(axis=1)
            ).mean(),
        ),
    ),
    (
        "the two numbers are in the wrong order: the share comes first.",
        lambda c: c.right[::-1],
    ),
]


@exercise
def coin(attempt: Callable[[Values, Values, NDArray, NDArray, float], Any]) -> str:
    """Pairs of policies whose mixture within a limit is known."""
    cases = coins()
    found = answers_to(attempt, cases, lambda c: "two numbers, the share and the risk given a crack")

    def tell(case: int, _: tuple) -> str:
        yours, right = side_by_side(found[case], cases[case].right)
        return f" With a limit of {cases[case].limit:g} you return {yours}; {right} is right."

    judge(found, cases, COIN_MISTAKES, tell)
    first = cases[0]
    return f"a limit of {first.limit:g} on all parts lets {first.right[1]:.0%} of the cracked ones through."
