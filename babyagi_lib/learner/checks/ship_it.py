"""The exercises of lesson 18: a paired interval, a mean that padding does not change, a mean waiting time. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.learner.checks.answers import Wrong, number, side_by_side
from babyagi_lib.learner.checks.cases import answers_to, judge
from babyagi_lib.learner.checks.verdict import exercise

Values = NDArray[np.float64]
Z = 1.96


def _tell(found: list[Values], cases: Sequence, name: Callable) -> Callable[[int, tuple], str]:
    def tell(case: int, _: tuple) -> str:
        yours, right = side_by_side(found[case], cases[case].right)
        return f" For {name(cases[case])} you return {yours}; {right} is right."

    return tell


# --- exercise 1: a paired interval --------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Pair:
    """Which of the same messages two models answer right: 0 and 1, (messages,) each."""

    one: NDArray[np.int64]
    other: NDArray[np.int64]

    @property
    def gains(self) -> Values:
        """Of each message: 1 if only the other model is right, -1 if only the first is."""
        return self.other.astype(float) - self.one

    def around(self, half: float, middle: float | None = None) -> Values:
        """The estimate and the ends of an interval of this half width."""
        middle = self.gains.mean() if middle is None else middle
        return np.array([middle, middle - half, middle + half])

    @property
    def half(self) -> float:
        """Half the width of the paired interval."""
        return float(Z * self.gains.std() / math.sqrt(len(self.one)))

    @property
    def right(self) -> Values:
        """The gain in accuracy and its interval."""
        return self.around(self.half)


def pairs() -> list[Pair]:
    """Models that answer nearly alike, others that do not, and a pair in which the first is better."""
    draw, found = np.random.default_rng(18), []
    for messages, accuracy, changed in ((60, 0.5, 0.1), (200, 0.6, 0.25), (90, 0.8, 0.15), (35, 0.4, 0.4)):
        one = (draw.random(messages) < accuracy).astype(np.int64)
        other = np.where(draw.random(messages) < changed, draw.random(messages) < 0.5, one).astype(np.int64)
        found.append(Pair(one, other))
    found.append(Pair(np.array([1] * 30 + [0] * 20), np.array([1] * 22 + [0] * 28)))
    return found


def _independent(c: Pair) -> float:
    return Z * math.sqrt((c.one.var() + c.other.var()) / len(c.one))


def _with_half_pairs(c: Pair) -> Values:
    """The library's interval (Agresti and Min): half a message more of each of the four kinds of pair."""
    number = len(c.one) + 2
    middle = c.gains.sum() / number
    half = Z * math.sqrt(((c.gains**2).sum() + 1) / number - middle**2) / math.sqrt(number)
    return np.array([c.gains.mean(), middle - half, middle + half])


PAIR_MISTAKES: list[tuple[str, Callable[[Pair], Values]]] = [
    (
        "your interval treats the two models as if they had answered different messages. Take the difference of each "
        "message first, then its standard deviation.",
        lambda c: c.around(_independent(c)),
    ),
    (
        "the sign is wrong: the gain is the other model minus the first.",
        lambda c: c.around(c.half, -c.gains.mean()),
    ),
    (
        "divide the standard deviation by the square root of the number of messages.",
        lambda c: c.around(Z * c.gains.std()),
    ),
    (
        "divide by the square root of the number of messages, not by the number.",
        lambda c: c.around(c.half / math.sqrt(len(c.one))),
    ),
    ("the factor 1.96 is missing: one standard error covers about 68%.", lambda c: c.around(c.half / Z)),
    (
        "1.645 leaves 5% on each side; for a 95% interval 2.5% on each side are left, which is 1.96.",
        lambda c: c.around(c.half * 1.645 / Z),
    ),
    (
        "here the standard deviation divides by n, as np.std does; yours divides by n - 1.",
        lambda c: c.around(c.half * math.sqrt(len(c.one) / (len(c.one) - 1))),
    ),
    (
        "this is the variance where the standard deviation belongs: take its root.",
        lambda c: c.around(Z * c.gains.var() / math.sqrt(len(c.one))),
    ),
    (
        "only the messages on which the two differ are in your standard deviation or in its n: use all messages.",
        lambda c: c.around(Z * c.gains[c.gains != 0].std() / math.sqrt((c.gains != 0).sum())),
    ),
    (
        "the mean goes over all messages; yours goes over those on which the two differ.",
        lambda c: c.around(c.half, c.gains[c.gains != 0].mean()),
    ),
    (
        "you take the size of each difference: a message that was lost and one that was won must cancel.",
        lambda c: c.around(Z * abs(c.gains).std() / math.sqrt(len(c.one)), abs(c.gains).mean()),
    ),
    (
        "this is the interval of the other model's accuracy alone; asked is that of the difference.",
        lambda c: c.around(Z * c.other.std() / math.sqrt(len(c.one)), c.other.mean()),
    ),
    (
        "return the estimate and the two ends; you return the half width where the low end belongs.",
        lambda c: np.array([c.gains.mean(), c.half, c.gains.mean() + c.half]),
    ),
    (
        "add the half width to the gain and subtract it; your ends lie around 0, not around the gain.",
        lambda c: np.array([c.gains.mean(), -c.half, c.half]),
    ),
    (
        "you subtract the ends of two separate intervals, as if both models were unlucky in opposite ways on the same "
        "messages. Take the difference of each message first, then its standard deviation.",
        lambda c: c.around(Z * (c.one.std() + c.other.std()) / math.sqrt(len(c.one))),
    ),
    (
        "the square of the mean difference is missing in your variance: it is the mean of the squares minus the square "
        "of the mean.",
        lambda c: c.around(Z * math.sqrt((c.gains**2).mean() / len(c.one))),
    ),
    ("2 is a rounded 1.96; use 1.96 for 95%.", lambda c: c.around(c.half * 2 / Z)),
    ("2.576 belongs to an interval of 99%; for 95% it is 1.96.", lambda c: c.around(c.half * 2.576 / Z)),
    ("you add something to the counts, as the library does; asked here is the plain formula.", _with_half_pairs),
    ("the order is estimate, low end, high end; yours is low, estimate, high.", lambda c: c.right[[1, 0, 2]]),
    ("the order is estimate, low end, high end; yours begins with the ends.", lambda c: c.right[[1, 2, 0]]),
    ("the two ends are swapped: the low end comes first.", lambda c: c.right[[0, 2, 1]]),
    ("the gain can be negative: do not cut the interval off at 0.", lambda c: np.maximum(c.right, 0)),
]


@exercise
def paired_interval(attempt: Callable) -> str:
    """Lesson 18, exercise 1: `attempt(one, other)` is the gain in accuracy with its paired 95% interval."""
    cases = pairs()
    found = answers_to(attempt, cases, lambda case: "three numbers: the gain, the low end and the high end")
    name = "two models on {} messages that answer {} of them differently"
    told = _tell(found, cases, lambda c: name.format(len(c.one), int((c.gains != 0).sum())))
    judge(found, cases, PAIR_MISTAKES, told)
    narrow = max(1 - c.half / _independent(c) for c in cases[:1])
    return f"gains with paired intervals; the first is {narrow:.0%} narrower than one that ignores the pairs."


# --- exercise 2: a mean that padding does not change --------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Padded:
    """States of texts, (texts, pieces, width), and a mask of 1 for pieces and 0 for padding, (texts, pieces)."""

    states: Values
    mask: NDArray[np.int64]

    def weighted(self, weights: Values) -> Values:
        """The weighted sum of each text's states, (texts, width)."""
        return np.einsum("tpw,tp->tw", self.states, weights)

    @property
    def counts(self) -> Values:
        """How many pieces each text has, (texts, 1)."""
        return self.mask.sum(axis=1, keepdims=True).astype(float)

    @property
    def right(self) -> Values:
        """The mean over the pieces of each text."""
        return self.weighted(self.mask / self.counts)

    def first(self) -> Values:
        """The state in the first place of each text."""
        return self.states[:, 0]

    def from_the_left(self) -> Values:
        """As if the padding were always behind the text."""
        return np.stack([s[: int(n)].mean(axis=0) for s, n in zip(self.states, self.counts[:, 0], strict=True)])

    def from_the_right(self) -> Values:
        """As if the padding were always before the text."""
        return np.stack([s[-int(n) :].mean(axis=0) for s, n in zip(self.states, self.counts[:, 0], strict=True)])

    def at_real(self, choose: Callable[[Values], Values]) -> Values:
        """A function of the states of each text without its padding."""
        return np.stack([choose(s[m == 1]) for s, m in zip(self.states, self.mask, strict=True)])


def batches() -> list[Padded]:
    """Padding on the right, on the left, on both sides, none; states of the padding that are not small."""
    draw, found = np.random.default_rng(19), []
    for places, lengths, side in ((6, (6, 3, 4), "right"), (7, (4, 7, 2, 1), "left"), (5, (3, 3), "right")):
        mask = np.zeros((len(lengths), places), dtype=np.int64)
        for row, length in zip(mask, lengths, strict=True):
            row[slice(None, length) if side == "right" else slice(places - length, None)] = 1
        found.append(Padded(draw.normal(size=(*mask.shape, 4)) + draw.normal(size=4), mask))
    both = np.array([[0, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 1, 1]])
    found.append(Padded(draw.normal(size=(3, 6, 3)) * 5, both))
    found.append(Padded(draw.normal(size=(2, 4, 3)), np.ones((2, 4), dtype=np.int64)))
    return found


POOL_MISTAKES: list[tuple[str, Callable[[Padded], Values]]] = [
    (
        "the padding is in your mean, as with a mask of ones: multiply the states by the mask, and divide by its sum.",
        lambda c: c.states.mean(axis=1),
    ),
    (
        "you divide by the number of places; divide by the number of pieces, which is the sum of the mask.",
        lambda c: c.weighted(c.mask / c.mask.shape[1]),
    ),
    (
        "the padding is in your sum: multiply the states by the mask before you add them up.",
        lambda c: c.states.sum(axis=1) / c.counts,
    ),
    ("this is the sum over the pieces; divide it by their number.", lambda c: c.weighted(c.mask.astype(float))),
    (
        "this is the state in the first place alone (CLS); the head was trained on the mean of all pieces.",
        lambda c: c.first(),
    ),
    (
        "the padding can be on the left, too: use the mask, not only how many ones it has.",
        lambda c: c.from_the_left(),
    ),
    (
        "the padding can be on the right, too: use the mask, not only how many ones it has.",
        lambda c: c.from_the_right(),
    ),
    (
        "divide each text by its own number of pieces; you divide by the number of the whole batch.",
        lambda c: c.weighted(c.mask / c.counts.sum()),
    ),
    (
        "divide by the number of pieces, not by its square root.",
        lambda c: c.weighted(c.mask / np.sqrt(c.counts)),
    ),
    ("this is the largest state of each text, not the mean.", lambda c: c.at_real(lambda s: s.max(axis=0))),
    ("this is the last piece of each text, not the mean.", lambda c: c.at_real(lambda s: s[-1])),
    ("this is the first piece of each text, not the mean of all.", lambda c: c.at_real(lambda s: s[0])),
    (
        "each text is divided by its own number of pieces; you use the same number for all texts.",
        lambda c: c.weighted(c.mask / c.counts.mean()),
    ),
    (
        "each text is divided by its own number of pieces, not by the largest one of the batch.",
        lambda c: c.weighted(c.mask / c.counts.max()),
    ),
    (
        "return the mean as it is; you scale it to length one.",
        lambda c: c.right / np.linalg.norm(c.right, axis=1, keepdims=True),
    ),
    (
        "the mask is the wrong way round: 1 is a piece, 0 is padding. This is the mean of the padding.",
        lambda c: c.weighted((1 - c.mask) / (1 - c.mask).sum(axis=1, keepdims=True)),
    ),
    (
        "you add 1 to the number of pieces, perhaps so that it is never 0; that changes every mean.",
        lambda c: c.weighted(c.mask / (c.counts + 1)),
    ),
    (
        "this is the median of the pieces, not the mean.",
        lambda c: c.at_real(lambda s: np.median(s, axis=0)),
    ),
]


@exercise
def masked_mean(attempt: Callable) -> str:
    """Lesson 18, exercise 2: `attempt(states, mask)` is the mean of each text's pieces."""
    cases = batches()
    found = answers_to(attempt, cases, lambda case: f"an array (texts, width), here {case.right.shape}")
    name = "{} texts in {} places, of which {} are padding,"
    told = _tell(found, cases, lambda c: name.format(*c.mask.shape, int((1 - c.mask).sum())))
    judge(found, cases, POOL_MISTAKES, told)
    for case in cases:  # more padding, whatever is in it, changes nothing
        rest = np.full((len(case.mask), 3, case.states.shape[2]), 100.0)
        wide = [np.concatenate(two, axis=1) for two in ((case.states, rest), (case.mask, 0 * rest[..., 0]))]
        longer = Padded(wide[0], wide[1].astype(np.int64))
        again = answers_to(attempt, [longer], lambda _: "an array (texts, width)")[0]
        if not np.allclose(again, case.right, rtol=1e-4, atol=1e-5):
            raise Wrong("three more places of padding change your means; no padding may.")
    return "means that stay the same with padding on the right, on the left, and with three more places of it."


# --- exercise 3: the mean waiting time ----------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Line:
    """Requests that arrive at random, `rate` a second, and measured service times in seconds, (requests,)."""

    rate: float
    services: Values

    @property
    def load(self) -> float:
        """The share of the time in which the server is busy."""
        return float(self.rate * self.services.mean())

    @property
    def right(self) -> Values:
        """The mean wait by Pollaczek and Khinchine."""
        return np.array(self.rate * (self.services**2).mean() / (2 * (1 - self.load)))


def lines() -> list[Line]:
    """Constant service, varied service, two kinds of requests, low and high loads."""
    draw = np.random.default_rng(20)
    return [
        Line(20.0, draw.gamma(1.0, 0.03, 200)),
        Line(50.0, np.full(40, 0.012)),
        Line(8.0, np.where(np.arange(100) % 10 == 0, 0.4, 0.05)),
        Line(3.0, draw.gamma(4.0, 0.02, 150)),
        Line(0.9, draw.gamma(0.5, 2.0, 60)),
    ]


WAIT_MISTAKES: list[tuple[str, Callable[[Line], Values]]] = [
    (
        "this is right only where the service times are exponential (M/M/1): use the mean of their squares.",
        lambda c: c.load * c.services.mean() / (1 - c.load),
    ),
    (
        "this is right only where all service times are equal: use the mean of their squares, not the square of "
        "their mean.",
        lambda c: c.rate * c.services.mean() ** 2 / (2 * (1 - c.load)),
    ),
    ("the factor 2 in the denominator is missing.", lambda c: 2 * c.right),
    (
        "this is the time until the answer: it contains the service. Asked is the wait before the service.",
        lambda c: c.right + c.services.mean(),
    ),
    (
        "use the mean of the squares; you use the variance, which leaves out the square of the mean.",
        lambda c: c.rate * c.services.var() / (2 * (1 - c.load)),
    ),
    (
        "`a / 2 * b` multiplies by b: put parentheses around `2 * (1 - load)`.",
        lambda c: c.rate * (c.services**2).mean() / 2 * (1 - c.load),
    ),
    ("divide by 1 minus the load once, not twice.", lambda c: c.right / (1 - c.load)),
    (
        "your variance divides by n - 1; take the mean of the squares of these service times, which divides by n.",
        lambda c: c.rate * (c.services.var(ddof=1) + c.services.mean() ** 2) / (2 * (1 - c.load)),
    ),
    (
        "this is the time until the answer where the service times are exponential (M/M/1). Asked is the wait before "
        "the service, for any service times.",
        lambda c: c.services.mean() / (1 - c.load),
    ),
    ("return seconds; yours are milliseconds.", lambda c: 1000 * c.right),
    ("this is how many requests wait (Little's law): divide by the rate for the time.", lambda c: c.rate * c.right),
    ("the rate is missing in the numerator.", lambda c: c.right / c.rate),
    (
        "divide by 1 minus the load, not by the load.",
        lambda c: c.right * (1 - c.load) / c.load,
    ),
    (
        "divide by 1 minus the load: without it, the wait does not grow when the server gets busy.",
        lambda c: c.right * (1 - c.load),
    ),
    (
        "take the mean of the squares over the requests, not their sum.",
        lambda c: c.right * len(c.services),
    ),
    (
        "the load is the rate times the mean service time; you use the rate alone.",
        lambda c: c.rate * (c.services**2).mean() / (2 * (1 - c.rate)),
    ),
    (
        "take no root: your numerator has the root of the mean square, the formula has the mean of the squares.",
        lambda c: c.rate * np.sqrt((c.services**2).mean()) / (2 * (1 - c.load)),
    ),
    ("this is the load, not the wait.", lambda c: np.array(c.load)),
    (
        "this is the mean of those requests that wait at all; the others wait 0 and count, too.",
        lambda c: c.right / c.load,
    ),
]


@exercise
def mean_wait(attempt: Callable) -> str:
    """Lesson 18, exercise 3: `attempt(rate, services)` is the mean wait in the queue, in seconds."""
    cases = lines()
    found = []
    for case in cases:
        services = case.services.copy()
        found.append(np.array(number(attempt(case.rate, services), "one number, the mean wait")))
        if not np.array_equal(services, case.services):
            raise Wrong("your function changes the service times that it was given; work on copies.")
    name = "{:g} requests a second and a load of {:.2f}"
    judge(found, cases, WAIT_MISTAKES, _tell(found, cases, lambda c: name.format(c.rate, c.load)))
    for rate in (4.0, 5.0):
        over = number(attempt(rate, np.full(10, 0.25)), "one number, the mean wait")
        if not (over > 0 and math.isinf(over)):
            raise Wrong(
                f"at a load of {rate * 0.25:g} the queue grows without end: return math.inf; you return {over:g}."
            )
    waits = [float(case.right) for case in cases]
    return f"waits from {min(waits) * 1000:.0f} ms to {max(waits):.1f} s, and infinity where the load is 1 or more."
