"""The exercises of lesson 16: a mean time from a Markov chain, what F1 rewards, a corrected share. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.learner.checks.answers import Wrong, number, side_by_side
from babyagi_lib.learner.checks.cases import answers_to, judge
from babyagi_lib.learner.checks.verdict import exercise

Values = NDArray[np.float64]
Z = 1.959964

# --- exercise 1: the mean time until an alarm ---------------------------------------------------------------


@dataclass(frozen=True)
class Chain:
    """A chart, `up`, `down` and `threshold` in whole steps, and the share of flagged messages."""

    up: int
    down: int
    threshold: int
    share: float

    def moves(self) -> Values:
        """Probabilities of moving from one sum below the threshold to another."""
        states = np.arange(self.threshold)
        moves = np.zeros((self.threshold, self.threshold))
        moves[states, np.maximum(states - self.down, 0)] += 1 - self.share
        rising = states[states + self.up < self.threshold]
        moves[rising, rising + self.up] += self.share
        return moves

    def times(self, moves: Values | None = None) -> Values:
        """From every sum."""
        moves = self.moves() if moves is None else moves
        return np.linalg.solve(np.eye(len(moves)) - moves, np.ones(len(moves)))

    @property
    def right(self) -> Values:
        """The mean time from 0."""
        return np.array(self.times()[0])


CHAINS = [
    Chain(3, 1, 8, 0.2),
    Chain(7, 3, 20, 0.25),
    Chain(5, 2, 13, 0.3),
    Chain(4, 3, 9, 0.4),
    Chain(2, 3, 2, 0.1),  # a step down is longer than the threshold
    Chain(4, 3, 31, 0.35),  # lasts so long that a sum over a thousand messages is too small
]


def without_floor(c: Chain) -> Values:
    """Sums below 0 leave the chain, as an alarm does."""
    moves = c.moves()
    moves[: c.down, 0] = 0
    moves[c.down :, 0] = c.moves()[c.down :, 0]
    return c.times(moves)[0]


def stays_low(c: Chain) -> Values:
    """A step that would lead below 0 is not taken."""
    moves = c.moves()
    low = np.arange(min(c.down, c.threshold))
    moves[low, 0] -= 1 - c.share
    moves[low, low] += 1 - c.share
    return c.times(moves)[0]


def falls_to_zero(c: Chain) -> Values:
    """Each message without a flag sets the sum to 0."""
    moves = c.moves()
    states = np.arange(c.threshold)
    moves[states, np.maximum(states - c.down, 0)] -= 1 - c.share
    moves[:, 0] += 1 - c.share
    return c.times(moves)[0]


def median(c: Chain) -> Values:
    """The number of messages after which an alarm is likelier than none."""
    now, moves, messages = np.eye(c.threshold)[0], c.moves(), 0
    while now.sum() > 0.5:
        now, messages = now @ moves, messages + 1
    return np.array(float(messages))


def cut_short(messages: int) -> Callable[[Chain], Values]:
    """The chances of no alarm yet, added up over so many messages."""

    def added(c: Chain) -> Values:
        now, moves, total = np.eye(c.threshold)[0], c.moves(), 0.0
        for _ in range(messages):
            total += now.sum()
            now = now @ moves
        return np.array(total)

    return added


TIME_MISTAKES: list[tuple[str, Callable[[Chain], Values]]] = [
    (
        "the chart alarms as soon as the sum is at the threshold; your chain goes on there. The states are 0 to "
        "threshold - 1.",
        lambda c: Chain(c.up, c.down, c.threshold + 1, c.share).right,
    ),
    (
        "one state is missing: the states are 0 to threshold - 1.",
        lambda c: Chain(c.up, c.down, max(1, c.threshold - 1), c.share).right,
    ),
    ("this is the time from the highest sum; the chart begins at 0.", lambda c: c.times()[-1]),
    ("this is the mean over all sums; the chart begins at 0.", lambda c: c.times().mean()),
    (
        "the matrix is transposed: row i holds the moves from sum i.",
        lambda c: np.linalg.solve(np.eye(c.threshold) - c.moves().T, np.ones(c.threshold))[0],
    ),
    ("a sum below 0 is set to 0; in your chain it ends the run, as an alarm does.", without_floor),
    ("a sum below 0 is set to 0; in your chain it stays where it was.", stays_low),
    ("a message without a flag subtracts `down`; in your chain it sets the sum to 0.", falls_to_zero),
    (
        "share and 1 - share are swapped: a flagged message, which has probability `share`, moves the sum up.",
        lambda c: Chain(c.up, c.down, c.threshold, 1 - c.share).right,
    ),
    ("up and down are swapped.", lambda c: Chain(c.down, c.up, c.threshold, c.share).right),
    ("the message that raises the alarm counts, too: your times are one too short.", lambda c: c.right - 1),
    ("your times are one too long: each message counts once.", lambda c: c.right + 1),
    (
        "you divide the steps by `down` and round: then the chart is another one. Keep up, down and threshold as they are.",
        lambda c: Chain(max(1, round(c.up / c.down)), 1, max(1, round(c.threshold / c.down)), c.share).right,
    ),
    (
        "you take the alarm for as likely as the flag alone: that is 1 / share. The sum has to reach the threshold.",
        lambda c: np.array(1 / c.share),
    ),
    ("this is the median; the mean is larger, since a few runs last very long.", median),
    ("you stop adding after 100 messages: runs may last much longer.", cut_short(100)),
    ("you stop adding after 1,000 messages: runs may last much longer.", cut_short(1000)),
]


@exercise
def mean_time(attempt: Callable) -> str:
    """Lesson 16, exercise 1: `attempt(up, down, threshold, share)` is the exact mean number of messages to an alarm."""
    expected = "one number, the mean number of messages until the alarm"
    found = []
    for case in CHAINS:
        try:
            found.append(np.array(number(attempt(*astuple(case)), expected)))
        except Exception as error:
            if "singular" in str(error).lower():
                raise Wrong(_endless(case)) from None
            if isinstance(error, IndexError):
                raise Wrong(
                    f"your code raised IndexError: {error}. A sum below 0 is set to 0, and a move that reaches the threshold "
                    "has no entry in the matrix."
                ) from None
            raise
        if not abs(found[-1]) < 1e7:
            raise Wrong(_endless(case))

    def tell(case: int, _: tuple) -> str:
        yours, right = side_by_side(found[case], CHAINS[case].right)
        c = CHAINS[case]
        return f" With up {c.up}, down {c.down}, threshold {c.threshold} and share {c.share} you return {yours}; {right} is right."

    judge(found, CHAINS, TIME_MISTAKES, tell)
    return "the mean time from the chain, exact. No stream had to be simulated."


def _endless(case: Chain) -> str:
    return (
        f"your chain has no alarm: with threshold {case.threshold}, the matrix of moves keeps all probability, so I - Q cannot "
        "be solved. A move that reaches the threshold leaves the matrix; do not send it to another state."
    )


# --- exercise 2: what F1 rewards ----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Rung:
    """When alarms rang and when something changed, and for how long after a change an alarm counts."""

    alarms: NDArray[np.int64]
    changes: NDArray[np.int64]
    window: int

    def score(self, right: float, found: float | None = None, alarms: float | None = None) -> Values:
        """Precision, recall, F1 of so many right alarms and so many detected changes."""
        alarms = len(self.alarms) if alarms is None else alarms
        found = right if found is None else found
        precision = right / alarms if alarms else 0.0
        recall = found / len(self.changes)
        return np.array([precision, recall, 2 * precision * recall / (precision + recall) if right else 0.0])

    def detected(self, first: int = 0, last: int = 0, before: bool = False, endless: bool = False) -> int:
        """How many changes have an alarm from `change + first` to before `change + window + last`."""
        late = self.alarms[None, :] - self.changes[:, None]
        end = late < self.window + last if not endless else late >= 0
        start = late > -self.window if before else late >= first
        return int((end & start).any(axis=1).sum())

    def backwards(self) -> int:
        """How many changes have an alarm up to `window` before them."""
        early = self.changes[:, None] - self.alarms[None, :]
        return int(((early >= 0) & (early < self.window)).any(axis=1).sum())

    def inside(self) -> int:
        """How many alarms are in the window of some change."""
        late = self.alarms[None, :] - self.changes[:, None]
        return int(((late >= 0) & (late < self.window)).any(axis=0).sum())

    @property
    def right(self) -> Values:
        """Precision, recall and F1."""
        return self.score(self.detected())


def _rung(alarms: list[int], changes: list[int], window: int) -> Rung:
    return Rung(np.array(alarms, dtype=np.int64), np.array(changes, dtype=np.int64), window)


RUNGS = [
    _rung([120, 250, 410, 415, 420, 900], [90, 400, 700], 50),
    _rung([10, 30, 60, 65, 200], [10, 50, 120], 15),  # an alarm at the change itself
    _rung([40, 90, 130, 190], [30, 100, 150], 30),  # at the end of a window, and before a change
    _rung([], [50, 120], 20),
    _rung(list(range(25, 501, 25)), [101, 333], 100),
]


def _blind(precision: float, f1: float) -> Callable[[Rung], Values]:
    """Without alarms, precision and F1 are these."""

    def scored(c: Rung) -> Values:
        return c.right if len(c.alarms) else np.array([precision, 0.0, f1])

    return scored


def _others_left_out(c: Rung) -> Values:
    right = c.detected()
    return c.score(right, alarms=len(c.alarms) - c.inside() + right)


F1_MISTAKES: list[tuple[str, Callable[[Rung], Values]]] = [
    (
        "of several alarms in the window of one change, only one is right; you count them all.",
        lambda c: c.score(c.inside(), c.detected()),
    ),
    (
        "of several alarms in the window of one change, the others are false; you leave them out of precision.",
        _others_left_out,
    ),
    (
        "recall counts alarms; it should count the changes that were detected.",
        lambda c: c.score(c.inside()),
    ),
    (
        "an alarm exactly `window` messages after a change is too late: change <= alarm < change + window.",
        lambda c: c.score(c.detected(last=1)),
    ),
    (
        "an alarm before the change did not detect it: change <= alarm < change + window.",
        lambda c: c.score(c.detected(before=True)),
    ),
    (
        "an alarm at the change itself counts: change <= alarm < change + window.",
        lambda c: c.score(c.detected(first=1)),
    ),
    (
        "your window is one message late: change <= alarm < change + window.",
        lambda c: c.score(c.detected(first=1, last=1)),
    ),
    (
        "your windows are before the changes: change <= alarm < change + window.",
        lambda c: c.score(c.backwards()),
    ),
    ("an alarm after the window is too late; you take any later one.", lambda c: c.score(c.detected(endless=True))),
    (
        "the third number is the arithmetic mean; F1 is the harmonic one.",
        lambda c: np.array([*c.right[:2], c.right[:2].mean()]),
    ),
    (
        "the third number is the geometric mean; F1 is the harmonic one.",
        lambda c: np.array([*c.right[:2], np.sqrt(c.right[0] * c.right[1])]),
    ),
    ("precision and recall are swapped.", lambda c: c.right[[1, 0, 2]]),
    ("the order is precision, recall, F1; yours begins with F1.", lambda c: c.right[[2, 0, 1]]),
    (
        "the third number is precision times recall; F1 is twice that, divided by their sum.",
        lambda c: np.array([*c.right[:2], c.right[0] * c.right[1]]),
    ),
    (
        "F1 lacks the factor 2.",
        lambda c: c.right * [1, 1, 0.5],
    ),
    ("without any alarm, precision is 0 by convention here, and so is F1.", _blind(1.0, 1.0)),
    ("without any alarm, precision is 0 by convention here, not 1.", _blind(1.0, 0.0)),
]


@exercise
def alarm_f1(attempt: Callable) -> str:
    """Lesson 16, exercise 2: `attempt(alarms, changes, window)` is precision, recall and F1 of the alarms."""
    try:
        found = answers_to(attempt, RUNGS, lambda case: "three numbers: precision, recall, F1")
    except ZeroDivisionError:
        raise Wrong("one case has no alarm at all: there, precision and F1 are 0 by convention here.") from None
    if not np.isfinite(found[3]).all():
        raise Wrong("one case has no alarm at all: there, precision and F1 are 0 by convention here.")

    def tell(case: int, _: tuple) -> str:
        yours, right = side_by_side(found[case], RUNGS[case].right)
        c = RUNGS[case]
        return (
            f" For alarms {c.alarms.tolist()}, changes {c.changes.tolist()} and window {c.window} you return {yours}; "
            f"{right} is right."
        )

    judge(found, RUNGS, F1_MISTAKES, tell)
    return "precision, recall and F1 of alarms. Now use it on an alarm that always rings."


# --- exercise 3: the corrected share ------------------------------------------------------------------------


@dataclass(frozen=True)
class Counted:
    """A share that was flagged, and a classifier's rates, each with the number that it was measured on."""

    seen: float
    n: int
    se: float
    n_se: int
    sp: float
    n_sp: int

    def interval(self, share: float, variance: float, z: float = Z) -> Values:
        """A share and z standard errors on both sides, cut to the range 0 to 1."""
        half = z * np.sqrt(variance)
        return np.clip([share, share - half, share + half], 0, 1)

    @property
    def informed(self) -> float:
        """How much a flag depends on the truth."""
        return self.se + self.sp - 1

    @property
    def share(self) -> float:
        """The corrected share, not cut."""
        return (self.seen + self.sp - 1) / self.informed

    def parts(self) -> tuple[float, float, float]:
        """Of the variance, before the division: from the messages, from se, from sp."""
        p = self.share
        return (
            self.seen * (1 - self.seen) / self.n,
            p**2 * self.se * (1 - self.se) / self.n_se,
            (1 - p) ** 2 * self.sp * (1 - self.sp) / self.n_sp,
        )

    @property
    def right(self) -> Values:
        """The share and the ends of its interval."""
        return self.interval(self.share, sum(self.parts()) / self.informed**2)


def _swapped_weights(c: Counted) -> Values:
    p, (messages, *_) = c.share, c.parts()
    se, sp = c.se * (1 - c.se) / c.n_se, c.sp * (1 - c.sp) / c.n_sp
    return c.interval(p, (messages + (1 - p) ** 2 * se + p**2 * sp) / c.informed**2)


def _not_cut(c: Counted) -> Values:
    half = Z * np.sqrt(sum(c.parts())) / c.informed
    return np.array([c.share, c.share - half, c.share + half])


def _only_estimate_cut(c: Counted) -> Values:
    found = _not_cut(c)
    return np.array([np.clip(found[0], 0, 1), *found[1:]])


def _around_the_cut(c: Counted) -> Values:
    p = min(max(c.share, 0), 1)
    return np.clip(p + np.array([0, -1, 1]) * (_not_cut(c)[2] - c.share), 0, 1)


def _variance(c: Counted, p: float, weights: tuple[float, float], sizes: tuple[float, float]) -> float:
    """As the right one, with other weights for the errors of se and sp, and other numbers of texts."""
    of_se, of_sp = c.se * (1 - c.se) / sizes[0], c.sp * (1 - c.sp) / sizes[1]
    return (p * (1 - p) / c.n + weights[0] * of_se + weights[1] * of_sp) / c.informed**2


def _with(**changes: Callable[[Counted], object]) -> Callable[[Counted], Values]:
    """The interval whose variance has another share, other weights or other sizes."""

    def answer(c: Counted) -> Values:
        usual = {"p": c.seen, "weights": (c.share**2, (1 - c.share) ** 2), "sizes": (c.n_se, c.n_sp)}
        return c.interval(c.share, _variance(c, **(usual | {name: change(c) for name, change in changes.items()})))

    return answer


def _cut_below(c: Counted) -> Values:
    return np.maximum(_not_cut(c), 0)


def _only_ends_cut(c: Counted) -> Values:
    return np.array([c.share, *c.right[1:]])


COUNTED = [
    Counted(0.30, 1000, 0.78, 100, 0.90, 200),
    Counted(0.55, 300, 0.70, 60, 0.80, 45),
    Counted(0.21, 2000, 0.90, 40, 0.95, 500),
    Counted(0.08, 400, 0.75, 80, 0.90, 90),  # below 1 - sp: no negative message at all explains it best
    Counted(0.80, 300, 0.85, 60, 0.90, 80),  # the upper end is above 1
]

SHARE_MISTAKES: list[tuple[str, Callable[[Counted], Values]]] = [
    (
        "se and sp are swapped.",
        lambda c: Counted(c.seen, c.n, c.sp, c.n_sp, c.se, c.n_se).right,
    ),
    (
        "a share and the ends of its interval lie between 0 and 1: cut all three.",
        _not_cut,
    ),
    ("only the estimate is cut to the range 0 to 1: cut the ends of the interval, too.", _only_estimate_cut),
    ("the estimate, too, is cut to the range 0 to 1; you cut only the ends.", _only_ends_cut),
    ("you cut at 0 only; an end above 1 is cut to 1.", _cut_below),
    (
        "in the variance, use the share before it is cut.",
        _with(weights=lambda c: (c.right[0] ** 2, (1 - c.right[0]) ** 2)),
    ),
    ("you cut the share first and put the interval around that: compute all three, then cut.", _around_the_cut),
    (
        "the interval counts only the messages: se and sp were measured, too, on few texts. Add their two terms.",
        lambda c: c.interval(c.share, c.parts()[0] / c.informed**2),
    ),
    ("the error of se is missing in the interval.", lambda c: c.interval(c.share, sum(c.parts()[::2]) / c.informed**2)),
    ("the error of sp is missing in the interval.", lambda c: c.interval(c.share, sum(c.parts()[:2]) / c.informed**2)),
    (
        "the error of the messages themselves is missing in the interval.",
        lambda c: c.interval(c.share, sum(c.parts()[1:]) / c.informed**2),
    ),
    (
        "the variance is not divided by (se + sp - 1)²: the correction stretches errors, too.",
        lambda c: c.interval(c.share, sum(c.parts())),
    ),
    (
        "the variance is divided by se + sp - 1, not by its square.",
        lambda c: c.interval(c.share, sum(c.parts()) / c.informed),
    ),
    (
        "the weights are p² and (1 - p)²; you do not square them.",
        _with(weights=lambda c: (c.share, 1 - c.share)),
    ),
    (
        "the errors of se and sp have weights: p² and (1 - p)².",
        _with(weights=lambda c: (1, 1)),
    ),
    (
        "the weights p² and (1 - p)² hold the corrected share; you use the flagged one.",
        _with(weights=lambda c: (c.seen**2, (1 - c.seen) ** 2)),
    ),
    (
        "the messages are counted by their flags: their term is seen (1 - seen) / n; you use the corrected share.",
        _with(p=lambda c: c.share),
    ),
    ("n_se and n_sp are swapped.", _with(sizes=lambda c: (c.n_sp, c.n_se))),
    ("se and sp were measured on n_se and n_sp texts, not on n.", _with(sizes=lambda c: (c.n, c.n))),
    (
        "variances add up, standard errors do not: take the root of the sum.",
        lambda c: c.interval(c.share, np.sqrt(c.parts()).sum() ** 2 / c.informed**2),
    ),
    (
        "only the first term of the variance is divided by (se + sp - 1)²; all three are.",
        lambda c: c.interval(c.share, c.parts()[0] / c.informed**2 + sum(c.parts()[1:])),
    ),
    ("the order is estimate, lower end, upper end; yours is lower, estimate, upper.", lambda c: c.right[[1, 0, 2]]),
    ("the order is estimate, lower end, upper end; your ends are swapped.", lambda c: c.right[[0, 2, 1]]),
    ("the weights p² and (1 - p)² are swapped: se matters for negative messages.", _swapped_weights),
    (
        "this is the flagged share with its own interval: nothing is corrected.",
        lambda c: c.interval(c.seen, c.parts()[0]),
    ),
    (
        "subtract the false alarms, 1 - sp, from the flagged share; you subtract 1 - se.",
        lambda c: c.interval((c.seen + c.se - 1) / c.informed, sum(c.parts()) / c.informed**2),
    ),
    (
        "the interval is half as wide as it should be: both sides get 1.96 standard errors.",
        lambda c: c.interval(c.share, sum(c.parts()) / c.informed**2, Z / 2),
    ),
    (
        "take the square root of the variance.",
        lambda c: np.clip(c.share + np.array([0, -1, 1]) * Z * sum(c.parts()) / c.informed**2, 0, 1),
    ),
    (
        "this is one standard error on both sides; a 95% interval has 1.96.",
        lambda c: c.interval(c.share, sum(c.parts()) / c.informed**2, 1.0),
    ),
    (
        "this is a 90% interval; a 95% interval has 1.96 standard errors on both sides.",
        lambda c: c.interval(c.share, sum(c.parts()) / c.informed**2, 1.644854),
    ),
]


@exercise
def corrected(attempt: Callable) -> str:
    """Lesson 16, exercise 3: `attempt(seen, n, se, n_se, sp, n_sp)` is the share and the ends of its 95% interval."""
    found = answers_to(attempt, COUNTED, lambda case: "three numbers: the share, and the two ends of its interval")

    def tell(case: int, _: tuple) -> str:
        yours, right = side_by_side(found[case], COUNTED[case].right)
        given = ", ".join(f"{value:g}" for value in astuple(COUNTED[case]))
        return f" For ({given}) you return {yours}; {right} is right."

    judge(found, COUNTED, SHARE_MISTAKES, tell)
    return "the share behind the classifier's errors, with all three errors in its interval."
