"""A shelf on a screen: a reader looks at a position or does not, and clicks on a book that is looked at and attractive.

This is the position-based model (Craswell and others 2008, https://doi.org/10.1145/1341531.1341545): a click needs both, and
the two are independent. Used by lesson 17. Imports no torch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from babyagi_lib.basics.arguments import check_number, check_whole


def examination(positions: int, exponent: float = 1.0) -> NDArray[np.float64]:
    """The probability that a reader looks at each position, 1 / position ** exponent, (positions,).

    Raises:
        ValueError: there is no position, or the exponent is negative.
    """
    check_whole("positions", positions, 1)
    check_number("exponent", exponent, 0)
    return 1 / np.arange(1, positions + 1) ** exponent


def shuffled(scores: ArrayLike, sessions: int, spread: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """A ranking for each session, by scores plus noise: books, best first, (sessions, books).

    With Gumbel noise this is the Plackett-Luce model: the next book is drawn with weight exp(score / spread).

    Args:
        scores: of the books, (books,).
        sessions: how many rankings.
        spread: of the noise; 0 shows the same ranking in every session.
        rng: makes the noise.

    Raises:
        ValueError: there is no session, or the spread is negative.
    """
    check_whole("sessions", sessions, 1)
    check_number("spread", spread, 0)
    scores = np.asarray(scores, dtype=float)
    return (-scores - spread * rng.gumbel(size=(sessions, len(scores)))).argsort(axis=1, kind="stable")


def draw_clicks(
    rankings: ArrayLike, attraction: ArrayLike, examined: ArrayLike, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """What is clicked in each session, (sessions, positions).

    Args:
        rankings: numbers of the books shown, (sessions, positions).
        attraction: the probability that a book is clicked if it is looked at, (books,).
        examined: the probability that a position is looked at, (positions,).
        rng: makes the clicks.

    Raises:
        ValueError: the rankings have another number of positions than `examined`.
    """
    rankings, attraction, examined = np.asarray(rankings), np.asarray(attraction), np.asarray(examined)
    if rankings.ndim != 2 or rankings.shape[1] != len(examined):
        raise ValueError(f"rankings are {rankings.shape}; expected (sessions, {len(examined)})")
    return rng.random(rankings.shape) < examined * attraction[rankings]


POLICIES = ("greedy", "one slot in ten at random", "Thompson sampling")


def feedback(
    attraction: ArrayLike,
    policy: str,
    rng: np.random.Generator,
    *,
    rounds: int = 20,
    sessions: int = 300,
    positions: int = 10,
    prior: tuple[float, float] = (1.5, 8.5),
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A shelf that learns from the clicks on what it showed itself, round after round.

    In each round, the books with the highest estimates are shown, and the clicks of the round go into the estimates: clicks
    per expected look, with a Beta prior.

    Args:
        attraction: of the books, (books,); hidden from the policy, which sees clicks.
        policy: one of `POLICIES`.
        rng: makes clicks and exploration.
        rounds: how often the estimates are renewed.
        sessions: readers in each round.
        positions: books shown to each.
        prior: clicks, and looks without a click, that each book begins with.

    Returns:
        After each round, the attraction of the books with the highest estimates, in their order, (rounds, positions); and how
        often each book has been shown in all, (books,).

    Raises:
        ValueError: no such policy, or more positions than books.
    """
    if policy not in POLICIES:
        raise ValueError(f"policy is {policy!r}; expected one of {', '.join(POLICIES)}")
    attraction = np.asarray(attraction, dtype=float)
    books = len(attraction)
    for name, value in (("rounds", rounds), ("sessions", sessions), ("positions", positions)):
        check_whole(name, value, 1)
    if positions > books:
        raise ValueError(f"positions is {positions}; there are {books} books")
    examined = examination(positions)
    clicks, looks, views = np.zeros(books), np.zeros(books), np.zeros(books)
    among_equals = rng.permutation(books) * 1e-9
    found = np.zeros((rounds, positions))
    for number in range(rounds):
        liked, not_liked = prior[0] + clicks, prior[1] + np.maximum(looks - clicks, 0)
        best = (-(liked / (liked + not_liked) + among_equals)).argsort()[:positions]
        shelves = np.tile(best, (sessions, 1))
        if policy == "Thompson sampling":
            drawn = rng.beta(liked, not_liked, size=(sessions, books))
            shelves = (-drawn).argsort(axis=1)[:, :positions]
        elif policy != "greedy":
            random = rng.random(shelves.shape) < 0.1
            shelves[random] = rng.integers(books, size=random.sum())
        clicked = draw_clicks(shelves, attraction, examined, rng)
        clicks += np.bincount(shelves.ravel(), clicked.ravel().astype(float), books)
        looks += np.bincount(shelves.ravel(), np.tile(examined, sessions), books)
        views += np.bincount(shelves.ravel(), minlength=books)
        liked, not_liked = prior[0] + clicks, prior[1] + np.maximum(looks - clicks, 0)
        found[number] = attraction[(-(liked / (liked + not_liked) + among_equals)).argsort()[:positions]]
    return found, views
