"""The exercises of lesson 17: NDCG, what text says about a reader's taste, clicks weighted by position. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.learner.checks.answers import Wrong, number, side_by_side
from babyagi_lib.learner.checks.cases import answers_to, judge
from babyagi_lib.learner.checks.verdict import exercise

Values = NDArray[np.float64]


def _tell(found: list[Values], cases: list, name: Callable[[Any], str]) -> Callable[[int, tuple], str]:
    def tell(case: int, at: tuple) -> str:
        yours, right = side_by_side(found[case][at], cases[case].right[at])
        what = f" for book {at[0]}" if at else ""
        return f" {name(cases[case])} you return {yours}{what}; {right} is right."

    return tell


# --- NDCG -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Ranked:
    """Scores and gains of all items, and how many positions count."""

    scores: Values
    gains: Values
    k: int

    @property
    def right(self) -> Values:
        """NDCG."""
        return np.array(self.value())

    def value(self, **changes: Any) -> float:
        """NDCG, or what a solution with these mistakes returns."""
        return float(_ndcg(self.scores, self.gains, self.k, **changes))


def _ndcg(
    scores: Values,
    gains: Values,
    k: int,
    *,
    order: Callable[[Values], NDArray] = lambda s: (-s).argsort(kind="stable"),
    gain: Callable[[Values], Values] = lambda g: g,
    discount: Callable[[Values], Values] = lambda position: np.log2(position + 1),
    ideal: str = "all",
    below: Callable[[Values], Values] | None = None,
    cut: bool = True,
    cut_ideal: bool = True,
    nothing: float = 0.0,
    divide: bool = True,
) -> float:
    """The right value; each keyword makes one mistake."""
    there = gain(gains)
    listed = there[order(scores)][: k if cut else None]
    best = {
        "all": np.sort(there)[::-1],
        "listed": np.sort(listed)[::-1],
        "unsorted": there,
        "lowest": np.sort(there),
        "ones": np.ones(len(there)),
        "as many": np.ones(int((gains > 0).sum())),
        "k ones": np.ones(k),
    }[ideal][: k if cut_ideal else None]
    below = below or discount
    total, most = ((v / by(np.arange(1, len(v) + 1.0))).sum() for v, by in ((listed, discount), (best, below)))
    if not divide:
        return total
    return total / most if most > 0 else nothing


def rankings_with_gains() -> list[Ranked]:
    """More and less relevant items than positions, equal scores, fewer items than positions, nothing relevant."""
    draw = np.random.default_rng(17)
    graded = np.array([0, 3, 0, 1, 2, 0, 0, 1.5, 0, 0.5])
    binary = (np.arange(14) % 3 > 0).astype(float)
    return [
        Ranked(draw.normal(size=10), graded, 4),
        Ranked(draw.normal(size=10), draw.permutation(graded), 6),
        Ranked(np.array([0.2, 0.9, 0.2, 0.9, 0.2, 0.1]), np.array([0, 1.0, 2, 0, 3, 0]), 3),
        Ranked(draw.normal(size=14), binary, 5),
        Ranked(draw.normal(size=5), np.array([0, 0, 1.0, 0, 2]), 10),
        Ranked(draw.normal(size=6), np.zeros(6), 3),
        Ranked(np.array([0.1, -0.4, 0.5, 0.3, 0.7]), np.array([2.0, 1, 0, 0, 0]), 2),  # nothing found
    ]


def _reversed(scores: Values) -> NDArray:
    return scores.argsort(kind="stable")[::-1]


NDCG_MISTAKES: list[tuple[str, Callable[[Ranked], Any]]] = [
    (
        "the ideal order is that of all items; you only sort the ones that were ranked among the first k. A ranking that finds "
        "one relevant item of many, and puts it first, would get 1.",
        lambda c: c.value(ideal="listed"),
    ),
    (
        "the ideal order has the greatest gains first; you take the gains in the order given.",
        lambda c: c.value(ideal="unsorted"),
    ),
    (
        "the ideal order has the greatest gains first; `np.sort` puts the smallest first.",
        lambda c: c.value(ideal="lowest"),
    ),
    ("the ideal DCG uses the gains; you count each item as 1.", lambda c: c.value(ideal="ones")),
    ("the ideal DCG uses the gains; you count each relevant item as 1.", lambda c: c.value(ideal="as many")),
    (
        "the ideal DCG uses the gains; you take k ones, also where there are fewer items.",
        lambda c: c.value(ideal="k ones"),
    ),
    ("the ideal DCG counts k positions, too; you add up all.", lambda c: c.value(cut_ideal=False)),
    ("only the first k positions count; you add up all.", lambda c: c.value(cut=False, cut_ideal=False)),
    ("only the first k positions count; your DCG adds up all.", lambda c: c.value(cut=False)),
    ("divide by the ideal DCG: this is DCG.", lambda c: c.value(divide=False)),
    ("where nothing is relevant, return 0: you return 1.", lambda c: c.value(nothing=1.0)),
    (
        "of equal scores the item with the lower number comes first: sort the negative scores with kind='stable'.",
        lambda c: c.value(order=_reversed),
    ),
    (
        "of equal scores the item with the lower number comes first; you put the one with the greater gain first, which no ranker "
        "can know.",
        lambda c: c.value(order=lambda s: np.lexsort((-c.gains, -s))),
    ),
    (
        "of equal scores the item with the lower number comes first; you put the one with the smaller gain first.",
        lambda c: c.value(order=lambda s: np.lexsort((c.gains, -s))),
    ),
    ("you rank the lowest score first.", lambda c: c.value(order=lambda s: s.argsort(kind="stable"))),
    (
        "you do not rank by the scores: take the gains in the order of the scores.",
        lambda c: c.value(order=lambda s: np.arange(len(s))),
    ),
    (
        "`scores.argsort()` says which item is at each position; sorted again, it says the position of each item.",
        lambda c: c.value(order=lambda s: (-s).argsort(kind="stable").argsort(kind="stable")),
    ),
    ("the gain here is linear; you use 2 ** gain - 1.", lambda c: c.value(gain=lambda g: 2**g - 1)),
    ("the gain is graded; you only ask whether it is above 0.", lambda c: c.value(gain=lambda g: (g > 0) * 1.0)),
    ("the discount is 1 / log2(position + 1); you divide by the position.", lambda c: c.value(discount=lambda p: p)),
    (
        "positions are counted from 1: the first item is divided by log2(2), the second by log2(3).",
        lambda c: c.value(discount=lambda p: np.log2(p + 2)),
    ),
    (
        "the second position is discounted, too: divide by log2(position + 1), not by log2(position) from the second on.",
        lambda c: c.value(discount=lambda p: np.maximum(1, np.log2(p))),
    ),
    (
        "DCG and ideal DCG need one base of the logarithm; you use two.",
        lambda c: c.value(discount=lambda p: np.log(p + 1), below=lambda p: np.log2(p + 1)),
    ),
    (
        "DCG and ideal DCG need one base of the logarithm; you use two.",
        lambda c: c.value(below=lambda p: np.log(p + 1)),
    ),
    ("there is no discount: a position further down counts less.", lambda c: c.value(discount=np.ones_like)),
]


@exercise
def ndcg(attempt: Callable[[Values, Values, int], Any]) -> str:
    """Rankings whose NDCG is known."""
    cases = rankings_with_gains()
    found = []
    for case in cases:
        given = [value.copy() if isinstance(value, np.ndarray) else value for value in astuple(case)]
        found.append(np.array(number(attempt(*given), "one number, the NDCG")))
        if not all(np.array_equal(a, b) for a, b in zip(given, astuple(case), strict=True)):
            raise Wrong("your function changes the arrays that it was given; work on copies.")
    tell = _tell(found, cases, lambda c: f"For {len(c.scores)} items and k = {c.k}")
    judge(found, cases, NDCG_MISTAKES, tell)
    return f"{len(cases)} rankings from {min(c.value() for c in cases):.2f} to {max(c.value() for c in cases):.2f}."


# --- the prior from text --------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Taste:
    """Text features of the books, a normal prior of the weights, and what one reader has rated."""

    text: Values
    mean: Values
    covariance: Values
    history: NDArray[np.int64]
    ratings: Values
    noise: float

    @property
    def right(self) -> Values:
        """What the reader is expected to think of each book."""
        return self.value()

    def weights(
        self,
        *,
        mean: Values | None = None,
        precision: Values | None = None,
        variance: float | None = None,
        of_ratings: float | None = None,
        residual: bool = True,
        ratings: Values | None = None,
    ) -> Values:
        """The posterior mean of the weights; each keyword makes one mistake."""
        mean = self.mean if mean is None else mean
        precision = np.linalg.inv(self.covariance) if precision is None else precision
        variance = self.noise**2 if variance is None else variance
        of_ratings = variance if of_ratings is None else of_ratings
        ratings = self.ratings if ratings is None else ratings
        read = self.text[self.history]
        evidence = read.T @ ratings / of_ratings + (precision @ mean if residual else mean)
        return np.linalg.solve(precision + read.T @ read / variance, evidence)

    def value(self, **changes: Any) -> Values:
        """The scores of all books."""
        return self.text @ self.weights(**changes)


def tastes() -> list[Taste]:
    """Few and many ratings, none at all, one; priors that are neither centred nor round."""
    draw, found = np.random.default_rng(5), []
    for books, features, read, noise in (
        (7, 2, 3, 0.6),
        (9, 3, 6, 1.4),
        (6, 3, 0, 0.8),
        (5, 4, 1, 0.5),
        (8, 2, 7, 2.0),
    ):
        root = draw.normal(size=(features, features)) / 2
        text = draw.normal(size=(books, features))
        history = draw.permutation(books)[:read]
        mean = draw.normal(0.5, 0.7, features)
        ratings = text[history] @ (mean + draw.normal(size=features)) + noise * draw.normal(size=read) + 0.3
        found.append(Taste(text, mean, root @ root.T + 0.3 * np.eye(features), history, ratings, noise))
    return found


def _zero(c: Taste) -> Values:
    return np.zeros_like(c.mean)


def _average(c: Taste) -> Values:
    """The mean of the texts read, weighted with the ratings: a profile."""
    read = c.text[c.history]
    return c.text @ (read.T @ c.ratings / max(1, len(c.history)))


def _observed(c: Taste) -> Values:
    scores = c.value()
    scores[c.history] = c.ratings
    return scores


def _twice(c: Taste) -> Values:
    """The mean is taken from the ratings, and not added again."""
    return c.value(mean=_zero(c), ratings=c.ratings - c.text[c.history] @ c.mean)


def _mean_added(c: Taste) -> Values:
    """The posterior around 0, and the mean added to it."""
    return c.value(mean=_zero(c)) + c.text @ c.mean


def _nothing_read(c: Taste) -> Values:
    return c.value() if len(c.history) else np.zeros(len(c.text))


TASTE_MISTAKES: list[tuple[str, Callable[[Taste], Any]]] = [
    (
        "the prior mean is missing: with little history, the weights go to it and not to 0.",
        lambda c: c.value(mean=_zero(c)),
    ),
    ("add the prior mean again after you have taken its scores from the ratings.", _twice),
    (
        "the prior mean is multiplied by the inverse of the covariance before it is added to the evidence.",
        lambda c: c.value(residual=False),
    ),
    (
        "the covariance has to be inverted: a wide prior is a weak one.",
        lambda c: c.value(precision=c.covariance),
    ),
    (
        "the covariance of the prior is not used: you take the identity.",
        lambda c: c.value(precision=np.eye(len(c.mean))),
    ),
    ("`noise` is a standard deviation: square it.", lambda c: c.value(variance=c.noise)),
    ("the noise is not used: divide the evidence by its square.", lambda c: c.value(variance=1.0)),
    (
        "the ratings are not divided by the square of the noise; the precision is.",
        lambda c: c.value(of_ratings=1.0),
    ),
    (
        "the precision of what was read is not divided by the square of the noise; the ratings are.",
        lambda c: c.value(variance=1.0, of_ratings=c.noise**2),
    ),
    (
        "the prior mean enters as inv(covariance) @ mean, before you solve; you add it afterwards, as if no rating spoke about it.",
        _mean_added,
    ),
    ("without a rating the prior says what is expected, text @ mean; you return 0.", _nothing_read),
    ("divide by the square of the noise, do not multiply.", lambda c: c.value(variance=c.noise**-2)),
    (
        "only the variances of the prior are used: its features are correlated.",
        lambda c: c.value(precision=np.diag(1 / np.diag(c.covariance))),
    ),
    ("the ratings change nothing in your answer: this is the prior.", lambda c: c.text @ c.mean),
    ("return the scores of all books, from the posterior mean; do not put the noisy ratings in.", _observed),
    ("this is the mean of the texts read, weighted with the ratings; it knows no prior and no noise.", _average),
]


@exercise
def scores_from_text(attempt: Callable[[Values, Values, Values, NDArray, Values, float], Any]) -> str:
    """Readers whose expected enjoyment is known."""
    cases = tastes()
    found = answers_to(attempt, cases, lambda c: f"one score for each book, {len(c.text)} numbers")
    tell = _tell(found, cases, lambda c: f"After {len(c.history)} ratings")
    judge(found, cases, TASTE_MISTAKES, tell)
    return f"{len(cases)} readers with 0 to {max(len(c.history) for c in cases)} ratings."


# --- clicks weighted by position ------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Shown:
    """Rankings that were shown and what was clicked, (sessions, positions), the exponent, and how many books there are."""

    rankings: NDArray[np.int64]
    clicks: NDArray[np.bool_]
    exponent: float
    books: int

    @property
    def right(self) -> Values:
        """Attraction by inverse propensity weighting."""
        return self.value(self.at**self.exponent)

    @property
    def at(self) -> Values:
        """Positions from 1, (positions,)."""
        return np.arange(1.0, self.rankings.shape[1] + 1)

    def add(self, values: Any) -> Values:
        """Sums over the views of each book."""
        values = np.broadcast_to(values, self.rankings.shape).ravel().astype(float)
        return np.bincount(self.rankings.ravel(), values, self.books)

    @property
    def views(self) -> Values:
        """Of each book."""
        return self.add(1)

    def value(self, weights: Any, over: Any = None) -> Values:
        """Weighted clicks over views, or over something else; 0 where that is 0."""
        over = self.views if over is None else over
        return self.add(self.clicks * weights) / np.where(over == 0, 1, over)


def shown() -> list[Shown]:
    """Shelves with fewer positions than books, a book that is never shown, exponents from 0 to 2."""
    draw, found = np.random.default_rng(2), []
    for sessions, positions, books, exponent in ((9, 4, 6, 1.0), (12, 3, 7, 0.5), (7, 5, 5, 2.0), (8, 12, 13, 1.3)):
        rankings = np.array([draw.permutation(books)[:positions] for _ in range(sessions)])
        if books > positions:
            rankings = np.where(rankings == books - 2, books - 1, rankings)  # the last but one is never shown
            rankings = np.array([_distinct(row, books) for row in rankings])
        clicks = draw.random(rankings.shape) < 0.5
        clicks[:, -1] |= draw.random(sessions) < 0.6
        found.append(Shown(rankings, clicks, exponent, books))
    return found


def _distinct(row: NDArray, books: int) -> NDArray:
    """The row without a book that is in it twice; its second place goes to one that is not in it."""
    free = [book for book in range(books) if book not in row and book != books - 2]
    seen: set[int] = set()
    for at, book in enumerate(row):
        if int(book) in seen:
            row[at] = free.pop()
        seen.add(int(row[at]))
    return row


def _last_wins(c: Shown) -> Values:
    """What `total[rankings] += ...` gives: of one book shown many times, only the last view counts."""
    total = np.zeros(c.books)
    total[c.rankings] += c.clicks * c.at**c.exponent
    return total / np.maximum(c.views, 1)


def _last_of_both(c: Shown) -> Values:
    total, views = np.zeros(c.books), np.zeros(c.books)
    total[c.rankings] += c.clicks * c.at**c.exponent
    views[c.rankings] += 1
    return total / np.maximum(views, 1)


def _mean_position(c: Shown) -> Values:
    mean = c.add(c.at) / np.maximum(c.views, 1)
    return c.value(1.0) * mean**c.exponent


def _by_column(c: Shown) -> Values:
    """Position and book confused: the weight of position 1 goes to book 0."""
    weights = np.arange(1.0, c.books + 1) ** c.exponent
    return c.add(c.clicks) * weights / np.maximum(c.views, 1)


CLICK_MISTAKES: list[tuple[str, Callable[[Shown], Any]]] = [
    ("this is the click rate: no click is weighted by its position.", lambda c: c.value(1.0)),
    (
        "a click further down counts more, not less: divide by the probability of a look.",
        lambda c: c.value(c.at**-c.exponent),
    ),
    (
        "positions are counted from 1: a click at the first one has the weight 1.",
        lambda c: c.value((c.at + 1) ** c.exponent),
    ),
    (
        "positions are counted from 1: you give a click at the first one the weight 0.",
        lambda c: c.value((c.at - 1) ** c.exponent),
    ),
    ("the exponent is not used.", lambda c: c.value(c.at)),
    ("the exponent is used twice.", lambda c: c.value(c.at ** (2 * c.exponent))),
    ("the weight is position ** exponent, not exponent * position.", lambda c: c.value(c.at * c.exponent)),
    ("the weight is position ** exponent, not log2(position + 1).", lambda c: c.value(np.log2(c.at + 1))),
    ("divide by the views of the book, not by its clicks.", lambda c: c.value(c.at**c.exponent, c.add(c.clicks))),
    (
        "divide by the views of the book, not by its weighted clicks.",
        lambda c: c.value(c.at**c.exponent, c.add(c.clicks * c.at**c.exponent)),
    ),
    (
        "divide by the views of each book: not every book is in every session.",
        lambda c: c.value(c.at**c.exponent, np.full(c.books, float(len(c.rankings)))),
    ),
    (
        "divide by the views of each book, not by those of all.",
        lambda c: c.value(c.at**c.exponent, np.full(c.books, float(c.rankings.size))),
    ),
    (
        "this is the sum; divide it by the views of the book. If you do: `views[rankings] += 1` counts every book once.",
        lambda c: c.value(c.at**c.exponent, np.ones(c.books)),
    ),
    (
        "this is clicks over expected looks. It is a good estimate, but another one: here each click is weighted by itself, and "
        "the sum divided by the views.",
        lambda c: c.value(1.0, c.add(c.at**-c.exponent)),
    ),
    (
        "you divide by the sum of the weights of all views (self-normalised); divide by their number.",
        lambda c: c.value(c.at**c.exponent, c.add(c.at**c.exponent)),
    ),
    ("the weights are not to be clipped.", lambda c: c.value(np.minimum(c.at**c.exponent, 10))),
    ("weight each click by its own position, not by the mean position of the book.", _mean_position),
    (
        "`total[rankings] += ...` keeps one view of each book: NumPy adds once for equal indices. Use np.add.at or np.bincount.",
        _last_wins,
    ),
    (
        "`total[rankings] += ...` keeps one view of each book: NumPy adds once for equal indices. Use np.add.at or np.bincount.",
        _last_of_both,
    ),
    ("the weight belongs to the position, not to the number of the book.", _by_column),
]


@exercise
def weighted_clicks(attempt: Callable[[NDArray, NDArray, float, int], Any]) -> str:
    """Logs of clicks whose weighted means are known."""
    cases = shown()
    found = answers_to(attempt, cases, lambda c: f"one number for each book, {c.books} numbers")
    if any(
        np.isnan(answer).any() and np.isfinite(np.delete(answer, c.books - 2)).all()
        for answer, c in zip(found, cases, strict=True)
    ):
        raise Wrong("a book that was never shown gets 0; you divide by its 0 views.")
    tell = _tell(found, cases, lambda c: f"With {len(c.rankings)} sessions and the exponent {c.exponent:g}")
    judge(found, cases, CLICK_MISTAKES, tell)
    return f"{len(cases)} logs, with exponents from {min(c.exponent for c in cases):g} to {max(c.exponent for c in cases):g}."
