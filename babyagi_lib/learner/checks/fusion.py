"""The exercises of lesson 11: adding log-odds, dropping senses in training, finding a sense that leaks. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.learner.checks.answers import Wrong, array, side_by_side
from babyagi_lib.learner.checks.cases import Mistakes, answers_to, judge
from babyagi_lib.learner.checks.verdict import exercise

Values = NDArray[np.float64]


# --- exercise 1: add log-odds ---------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Said:
    """What several senses say, (senses, examples, classes), and the prior, (classes,)."""

    p: Values
    prior: Values

    @property
    def right(self) -> Values:
        """Bayes' rule for independent senses, (examples, classes)."""
        return self.weighted(1, 1 - len(self.p))

    def weighted(self, senses: float, priors: float) -> Values:
        """The normalised product of all senses, each to one power, and of the prior to another."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return normal(senses * np.log(self.p).sum(axis=0) + priors * np.log(self.prior))

    @property
    def binary(self) -> Values:
        """Log-odds of each class against all others, added and squashed: right only for two classes."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            odds = np.log(self.p / (1 - self.p))
            total = odds.sum(axis=0) + (1 - len(self.p)) * np.log(self.prior / (1 - self.prior))
            return 1 / (1 + np.exp(-total))


def normal(logs: Values) -> Values:
    """Probabilities from logarithms that lack a constant in each row."""
    with np.errstate(invalid="ignore"):
        odds = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return odds / odds.sum(axis=-1, keepdims=True)


def said_cases() -> list[Said]:
    """Few and many senses, two and more classes, senses that are sure, one sense alone; no prior is uniform."""
    draw = np.random.default_rng(11)
    cases = [
        Said(draw.dirichlet(np.full(classes, 2.0), size=(senses, 5)), draw.dirichlet(np.full(classes, 6.0)))
        for senses, classes in ((2, 3), (3, 2), (4, 4), (1, 3))
    ]
    sure = draw.dirichlet(np.ones(3), size=(3, 4))
    sure[1, 0], sure[2, 2] = (0, 1, 0), (0.5, 0, 0.5)
    cases.append(Said(sure, np.array([0.5, 0.3, 0.2])))
    cases.append(Said(draw.dirichlet(np.full(24, 8.0), size=(250, 3)), draw.dirichlet(np.full(24, 8.0))))
    rare = np.tile([[0.95, 0.05], [0.4, 0.6], [0.02, 0.98]], (300, 1, 1))  # all for a rare class, and none
    cases.append(Said(rare, np.array([0.02, 0.98])))
    return cases


MANY, SURE = 100, 4  # senses of a case with many; the number of the case with senses that are sure
ADD_MISTAKES: Mistakes = (
    (
        "the prior is counted once for each sense: every posterior contains it. Subtract its logarithm from each sense, and "
        "add it once.",
        lambda c: c.weighted(1, 0),
    ),
    (
        "the prior is counted once too often: it is added, but not taken out of each sense.",
        lambda c: c.weighted(1, 1),
    ),
    (
        "the prior is taken out only once, whatever the number of senses: take it out of each sense, and put it back once.",
        lambda c: c.weighted(1, -1),
    ),
    (
        "the prior is forgotten: you take it out of each sense; put it back once.",
        lambda c: c.weighted(1, -len(c.p)),
    ),
    (
        "the prior is put back twice: once is enough.",
        lambda c: c.weighted(1, 2 - len(c.p)),
    ),
    (
        "the prior is put back once for each sense, so it is still counted by all of them.",
        lambda c: c.weighted(1, len(c.p)),
    ),
    (
        "you multiply the probabilities and do not normalise: the numbers of each example must sum to 1.",
        lambda c: c.p.prod(axis=0),
    ),
    (
        "you do not normalise: the numbers of each example must sum to 1.",
        lambda c: c.p.prod(axis=0) * c.prior ** (1.0 - len(c.p)),
    ),
    (
        "you do not normalise: the numbers of each example must sum to 1.",
        lambda c: c.right / c.right.max(axis=1, keepdims=True),
    ),
    (
        "you normalise over all examples together; the numbers of each example must sum to 1.",
        lambda c: c.right / c.right.max(axis=1, keepdims=True) / (c.right / c.right.max(axis=1, keepdims=True)).sum(),
    ),
    (
        "you give the most probable class a 1 and all others a 0; return the probabilities.",
        lambda c: (c.right == c.right.max(axis=1, keepdims=True)).astype(float),
    ),
    (
        "you average the probabilities of the senses; then a second sense never makes you surer. Add log-odds.",
        lambda c: c.p.mean(axis=0),
    ),
    (
        "you average the logarithms; independent evidence is added.",
        lambda c: c.weighted(1 / len(c.p), 0),
    ),
    (
        "you take the softmax of the sum of probabilities; the logarithms are to be added.",
        lambda c: normal(c.p.sum(axis=0)),
    ),
    (
        "these are log-odds of each class against all others: they may be added for two classes only. Add log p minus the "
        "logarithm of the prior.",
        lambda c: c.binary,
    ),
    (
        "these are log-odds of each class against all others: they may be added for two classes only. Add log p minus the "
        "logarithm of the prior.",
        lambda c: c.binary / c.binary.sum(axis=1, keepdims=True),
    ),
    (
        "these are log-odds of each class against all others: they may be added for two classes only. Add log p minus the "
        "logarithm of the prior.",
        lambda c: normal(np.log(c.binary / (1 - c.binary))),
    ),
    (
        "you return logarithms; take the exponential.",
        lambda c: np.log(c.right),
    ),
    (
        "you normalise over the examples; normalise over the classes of each example.",
        lambda c: (lambda logs: np.exp(logs) / np.exp(logs).sum(axis=0))(
            np.log(c.p).sum(axis=0) + (1 - len(c.p)) * np.log(c.prior)
        ),
    ),
    ("you use the last sense only.", lambda c: c.p[-1]),
    ("you use the first sense only.", lambda c: c.p[0]),
    ("you return the prior; what the senses say is missing.", lambda c: np.broadcast_to(c.prior, c.p.shape[1:])),
)


@exercise
def add_up(attempt: Callable) -> str:
    """Check `add_up(p, prior)`: the probabilities given all senses."""
    cases = said_cases()
    found = answers_to(attempt, cases, lambda c: f"a probability for each example and class, {c.p.shape[1:]}")
    few = [i for i, case in enumerate(cases) if len(case.p) < MANY and i != SURE]
    fine = all(np.allclose(found[i], cases[i].right, rtol=1e-4, atol=1e-5) for i in few)
    for i, case in enumerate(cases):
        if i not in few and fine and not np.isfinite(found[i]).all():
            if i == SURE:
                raise Wrong(
                    "your answer holds NaN or infinity where a sense is sure (p is 0 or 1). Logarithms of 0 are minus "
                    "infinity, and may be added; infinity minus infinity and 0 times infinity may not."
                )
            raise Wrong(
                f"your answer holds NaN or infinity with {len(case.p)} senses: a product of so many numbers is "
                "rounded to 0, or becomes infinite. Add logarithms, and subtract the largest of each row before the exponential."
            )
    if fine and not np.allclose(found[SURE], cases[SURE].right, rtol=1e-4, atol=1e-5):
        raise Wrong(
            "your answer is right except where a sense is sure (p is 0 or 1): a class that one sense excludes has "
            "probability 0, whatever the others say."
        )

    def tell(i: int, entry: tuple) -> str:
        one, other = side_by_side(found[i][entry], cases[i].right[entry])
        count = len(cases[i].p)
        return (
            f" With {count} sense{'s' * (count > 1)} and {len(cases[i].prior)} classes, you return {one} for example "
            f"{entry[0]} and class {entry[1]}; {other} is right."
        )

    # The mistakes are told apart on the cases without a sure sense and without rounding to 0.
    judge([found[i] for i in few], [cases[i] for i in few], ADD_MISTAKES, lambda i, entry: tell(few[i], entry))
    judge(found, cases, ADD_MISTAKES, tell)
    return (
        f"{len(cases)} cases, also with senses that are sure, and with {len(cases[-1].p)} senses, as Bayes' rule says."
    )


# --- exercise 2: drop senses ----------------------------------------------------------------------------------

EXAMPLES, NUMBERS, CHANCE = 6000, 4, 0.3
ERRORS = 5  # standard errors within which a share must lie


@exercise
def drop_senses(attempt: Callable) -> str:
    """Check `drop_senses(x, chance, rng)`: each sense of each example set to 0 with this probability."""
    draw = np.random.default_rng(12)
    x = draw.choice([-1.0, 1.0], size=(EXAMPLES, 3, NUMBERS)) * draw.uniform(0.5, 2, size=(EXAMPLES, 3, NUMBERS))
    masks = [_kept(attempt, x, CHANCE, seed) for seed in (1, 2, 1)]
    _shares(masks[0])
    if np.array_equal(*masks[:2]):
        raise Wrong("the same senses are dropped in every call: take random numbers from `rng`, which goes on.")
    if not np.array_equal(masks[0], masks[2]):
        raise Wrong(
            "two calls with equal generators drop different senses: take all random numbers from `rng`, so that a run can be "
            "repeated."
        )
    for seed, (chance, every) in enumerate(((0.0, True), (1.0, False))):
        if not (_kept(attempt, x[:200], chance, seed) == every).all():
            raise Wrong(f"with chance {chance:.0f}, {'nothing' if every else 'everything'} is to be dropped.")
    small = _kept(attempt, x[:3000], 0.1, 3)
    if abs((~small).mean() - 0.1) > ERRORS * np.sqrt(0.09 / small.size):
        raise Wrong(f"with chance 0.1, you drop {(~small).mean():.3f} of the senses: chance is ignored.")
    drawn = [*masks[:2], small]
    if all(
        (~mask).sum() == round(chance * mask.size) for mask, chance in zip(drawn, (CHANCE, CHANCE, 0.1), strict=True)
    ):
        raise Wrong(
            "you drop exactly the same number in each call: drop each sense by itself, with a random number of its own; then "
            "the number varies."
        )
    dropped = (~masks[0]).mean()
    return f"of {masks[0].size:,} senses, you dropped {dropped:.3f}, each by itself; the rest is as it was."


def _kept(attempt: Callable, x: Values, chance: float, seed: int) -> NDArray[np.bool_]:
    """Which senses are left, (examples, senses), after a check that they are whole and as they were."""
    expected = f"an array of the shape of x, {x.shape}"
    found = array(attempt(x.copy(), chance, np.random.default_rng(seed)), expected)
    if found.shape == x.shape[:2]:
        raise Wrong(f"you return the mask; multiply x by it and return {expected}.")
    if found.shape != x.shape:
        raise Wrong(f"return {expected}: the shape is {found.shape}.")
    if not np.isfinite(found).all():
        raise Wrong("your answer holds NaN or infinity; a dropped sense is zeros.")
    zero, same = found == 0, np.isclose(found, x, rtol=1e-5)
    if not (zero | same).all():
        entry = tuple(int(place[0]) for place in np.nonzero(~(zero | same)))
        if 0 < chance < 1 and np.allclose(found[~zero], x[~zero] / (1 - chance), rtol=1e-5):
            raise Wrong(
                "what is left is divided by 1 - chance, as dropout does for single numbers. A network that is told which "
                "senses are there must see their usual numbers."
            )
        one, other = side_by_side(found[entry], x[entry])
        raise Wrong(f"what is not dropped must stay as it is: x{list(entry)} is {one}; it was {other}.")
    if not ((zero == zero[:, :, :1]).all()):
        raise Wrong(
            "single numbers are dropped; drop all numbers of a sense together: one random number for each example and sense."
        )
    return ~zero[:, :, 0]


def _shares(kept: NDArray[np.bool_]) -> None:
    """Raise Wrong unless each sense of each example is dropped by itself, with probability CHANCE."""
    dropped = ~kept
    if not dropped.any():
        raise Wrong("nothing is dropped: does your function return its new array?")
    if dropped.all():
        raise Wrong("everything is dropped, in every example.")
    if (dropped == dropped[:1]).all():
        raise Wrong(
            "the same senses are dropped in all examples of the batch: draw for each example, rng.random(x.shape[:2])."
        )
    error = np.sqrt(CHANCE * (1 - CHANCE) / len(kept))
    rates = dropped.mean(axis=0)
    told = ", ".join(f"{rate:.3f}" for rate in rates)
    if (dropped == dropped[:, :1]).all():
        raise Wrong("all senses of an example are dropped together: draw for each sense, rng.random(x.shape[:2]).")
    if (np.abs(rates - (1 - CHANCE)) < ERRORS * error).all():
        raise Wrong(f"you drop with probability 1 - chance: with chance {CHANCE}, the shares dropped are {told}.")
    if (dropped.sum(axis=1) <= 1).all():
        raise Wrong("you never drop two senses of one example: each is dropped or not, whatever happens to the others.")
    if not dropped.all(axis=1).any():
        raise Wrong("you never drop all senses of an example; they may all go, and then the network learns the prior.")
    if (np.abs(rates - CHANCE) > ERRORS * error).any():
        raise Wrong(
            f"with chance {CHANCE}, the shares dropped of the three senses are {told}; each should be near {CHANCE}."
        )
    pairs = [(dropped[:, i] & dropped[:, j]).mean() for i, j in ((0, 1), (0, 2), (1, 2))]
    pairs += [(dropped[:-1, i] & dropped[1:, j]).mean() for i in range(3) for j in range(3)]
    wanted = CHANCE**2
    if np.abs(np.array(pairs) - wanted).max() > ERRORS * np.sqrt(wanted * (1 - wanted) / len(kept)) * 1.3:
        raise Wrong(
            "what is dropped is not independent: two senses of one example, or of two neighbours, go together in "
            f"{max(pairs, key=lambda share: abs(share - wanted)):.3f} of the cases; {wanted:.3f} is right."
        )


# --- exercise 3: a sense that leaks ---------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Tested:
    """For each sense how many answers were right, how many were tested, and the ceiling of its accuracy."""

    answers: Values
    tested: Values
    ceiling: Values

    @property
    def share(self) -> Values:
        """The measured accuracy of each sense."""
        return self.answers / self.tested

    @property
    def error(self) -> Values:
        """The standard error of a share at the ceiling."""
        return np.sqrt(self.ceiling * (1 - self.ceiling) / self.tested)

    @property
    def right(self) -> Values:
        """1 for a sense that leaks, else 0."""
        return (self.share - self.ceiling > 3 * self.error).astype(float)


def tested_cases() -> list[Tested]:
    """Leaks and luck: few tests, a ceiling of 1, an accuracy below the ceiling, the highest accuracy without a leak."""
    return [
        Tested(np.array([640, 985, 681]), np.array([1000, 1000, 1000]), np.array([0.655, 0.9, 0.677])),
        Tested(np.array([37, 880, 3080]), np.array([50, 1000, 4000]), np.array([0.655, 0.9, 0.677])),
        Tested(np.array([4000, 500, 2750]), np.array([4000, 1000, 4000]), np.array([1.0, 0.9, 0.677])),
        Tested(np.array([715, 915, 50, 938]), np.array([1000, 1000, 50, 1000]), np.array([0.655, 0.9, 0.937, 0.91])),
        Tested(np.array([20, 2990]), np.array([20, 4000]), np.array([0.677, 0.7])),
        Tested(np.array([14, 924, 54, 0]), np.array([20, 1000, 60, 50]), np.array([0.677, 0.9, 0.05, 0.5])),
    ]


def _flags(values: Values) -> Values:
    return np.asarray(values, dtype=float)


LEAK_MISTAKES: Mistakes = (
    (
        "you leave no room for chance: an accuracy slightly above the ceiling is usual. Ask for 3 standard errors.",
        lambda c: _flags(c.share > c.ceiling),
    ),
    (
        "you also report accuracies far below the ceiling; those are poor readers, not leaks.",
        lambda c: _flags(np.abs(c.share - c.ceiling) > 3 * c.error),
    ),
    (
        "the sides are swapped: a leak lifts the accuracy above the ceiling.",
        lambda c: _flags(c.ceiling - c.share > 3 * c.error),
    ),
    ("yes and no are swapped: return true where there is a leak.", lambda c: 1 - c.right),
    (
        "yes and no are swapped: return true where there is a leak.",
        lambda c: _flags(c.share < c.ceiling + 3 * c.error),
    ),
    ("a sense with ceiling 1 cannot exceed it, so it never leaks.", lambda c: _flags((c.right > 0) | (c.ceiling == 1))),
    (
        "a sense that is always right is not a leak by that alone: with few tests, or with a ceiling of 1, it is possible.",
        lambda c: _flags((c.right > 0) | (c.share == 1)),
    ),
    (
        "one standard error is too little: one honest sense in six would be accused. Take 3.",
        lambda c: _flags(c.share - c.ceiling > c.error),
    ),
    ("take 3 standard errors; you take fewer.", lambda c: _flags(c.share - c.ceiling > 2 * c.error)),
    ("take 3 standard errors; you take more.", lambda c: _flags(c.share - c.ceiling > 4 * c.error)),
    (
        "your standard error is too small: it is sqrt(c (1 - c) / n), and the division by n is under the root, too.",
        lambda c: _flags(c.share - c.ceiling > 3 * c.error**2),
    ),
    (
        "the standard error is not divided by the number tested: sqrt(c (1 - c) / n).",
        lambda c: _flags(c.share - c.ceiling > 3 * np.sqrt(c.ceiling * (1 - c.ceiling))),
    ),
    (
        "take the standard error at the ceiling, not at the measured accuracy: an accuracy of 1 would have no error at all.",
        lambda c: _flags(c.share - c.ceiling > 3 * np.sqrt(c.share * (1 - c.share) / c.tested)),
    ),
    (
        "you report the sense with the highest accuracy; high is not suspicious if the ceiling is higher.",
        lambda c: _flags(np.arange(len(c.share)) == c.share.argmax()),
    ),
    (
        "you report the one sense that is furthest above its ceiling; there can be several, or none.",
        lambda c: _flags(np.arange(len(c.share)) == (c.share - c.ceiling).argmax()),
    ),
    (
        "you compare the number of right answers with the ceiling; divide by the number tested.",
        lambda c: _flags(c.answers - c.ceiling > 3 * c.error),
    ),
    ("no sense is ever reported.", lambda c: np.zeros(len(c.share))),
    ("every sense is reported.", lambda c: np.ones(len(c.share))),
)


@exercise
def leaking(attempt: Callable) -> str:
    """Check `leaking(right, tested, ceiling)`: true where an accuracy is too high for its ceiling."""
    cases = tested_cases()
    with np.errstate(divide="ignore", invalid="ignore"):
        found = answers_to(attempt, cases, lambda c: f"true or false for each of the {len(c.tested)} senses")
    if any(not np.isin(answer, (0, 1)).all() for answer in found):
        raise Wrong("return true or false for each sense, not numbers.")

    def tell(i: int, entry: tuple) -> str:
        sense, case = entry[0], cases[i]
        z = (case.share - case.ceiling)[sense] / max(case.error[sense], 1e-12)
        return (
            f" {case.answers[sense]} of {case.tested[sense]} right with a ceiling of {case.ceiling[sense]} is "
            f"{abs(z):.1f} standard errors {'above' if z > 0 else 'below'} it, so the answer is {'true' if case.right[sense] else 'false'}."
        )

    judge(found, cases, LEAK_MISTAKES, tell)
    return f"{sum(len(c.tested) for c in cases)} senses, leaks and luck told apart."
