"""Ranking films for users who came later, from who rated what: popularity, recent popularity, EASE, text. Used by lesson 17.

That somebody rated a film is all that is used (implicit feedback), not how. The log before a day is learned from; the users are
those who came after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.basics.arguments import check_number

YEAR = 365.25 * 24 * 3600  # seconds


def ease(seen: NDArray, penalty: float) -> NDArray[np.float64]:
    """EASE: weights between items with which a history predicts the rest, (items, items) (Steck 2019, equation 8).

    Column j is the ridge regression of item j on all other items; its own weight is 0. A history x, (items,), then scores
    all items by x @ weights. https://doi.org/10.1145/3308558.3313710

    Args:
        seen: 1 where a user has had an item, (users, items).
        penalty: of the squared weights.

    Raises:
        ValueError: the penalty is not above 0.
    """
    check_number("penalty", penalty, 0, above=True)
    seen = np.asarray(seen, dtype=float)
    inverse = np.linalg.inv(seen.T @ seen + penalty * np.eye(seen.shape[1]))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


@dataclass(frozen=True, eq=False)
class Split:
    """A log up to a day, and the users who came within three years after it.

    Attributes:
        popular: ratings of each film before the day, (films,).
        recent: those of the last two years before it, (films,).
        kept: the films that have at least five ratings before the day, which EASE learns about.
        weights: of EASE between them, (kept, kept).
        histories: the films of each new user, oldest first; each user has at least `least` of them.
    """

    popular: NDArray[np.float64]
    recent: NDArray[np.float64]
    kept: NDArray[np.int64]
    weights: NDArray[np.float64]
    histories: list[NDArray[np.int64]]


def split(
    user: NDArray, film: NDArray, time: NDArray, films: int, year: int, *, least: int = 40, penalty: float = 100.0
) -> Split:
    """Learn from all ratings before 1 January of a year.

    Args:
        user, film, time: of each rating, oldest first (`sources.movielens.Films`).
        films: how many there are.
        year: of the day.
        least: films that a new user must have rated to be in the test.
        penalty: of EASE.

    Raises:
        ValueError: there is no rating before the day, or no such user after it.
    """
    day = datetime(year, 1, 1, tzinfo=UTC).timestamp()
    before = time < day
    if not before.any():
        raise ValueError(f"there is no rating before {year}")
    popular = np.bincount(film[before], minlength=films).astype(float)
    recent = np.bincount(film[before & (time >= day - 2 * YEAR)], minlength=films).astype(float)
    kept = np.flatnonzero(popular >= 5)
    rows = np.unique(user[before], return_inverse=True)[1]
    place = np.full(films, -1)
    place[kept] = np.arange(len(kept))
    seen = np.zeros((rows.max() + 1, len(kept)))
    inside = place[film[before]] >= 0
    seen[rows[inside], place[film[before]][inside]] = 1
    first = np.full(user.max() + 1, np.inf)
    np.minimum.at(first, user, time)
    came = np.flatnonzero((first >= day) & (first < day + 3 * YEAR))
    histories = [film[user == one] for one in came]
    histories = [history for history in histories if len(history) >= least]
    if not histories:
        raise ValueError(f"no user who came within three years of {year} has rated {least} films")
    return Split(popular, recent, kept, ease(seen, penalty), histories)


def scores_of(found: Split, length: int, vectors: NDArray | None = None) -> dict[str, NDArray[np.float64]]:
    """What each ranker gives all films after the first `length` films of each new user, (users, films) each.

    A film in the history has -inf. Without a history, EASE and text say nothing and are left out.

    Args:
        found: what was learned.
        length: of the histories.
        vectors: of the films' texts, (films, hidden), each of length one; None leaves the text out.
    """
    users, films = len(found.histories), len(found.popular)
    history = np.array([films_of[:length] for films_of in found.histories], dtype=int).reshape(users, length)
    scores = {name: np.tile(counted, (users, 1)) for name, counted in vars(found).items() if name in NAMES}
    scores = {NAMES[name]: values for name, values in scores.items()}
    if length:
        seen = np.zeros((users, films))
        np.put_along_axis(seen, history, 1.0, axis=1)
        learned = np.full((users, films), 0.0)
        learned[:, found.kept] = seen[:, found.kept] @ found.weights
        scores["EASE"] = learned
        if vectors is not None:
            scores["text"] = vectors[history].mean(axis=1) @ vectors.T
    for values in scores.values():
        np.put_along_axis(values, history, -np.inf, axis=1)
    return scores


NAMES = {"popular": "popularity", "recent": "popularity, last two years"}


def mixed(scores: dict[str, NDArray], weights: dict[str, float]) -> NDArray[np.float64]:
    """Recent popularity (the logarithm of 1 + ratings) plus weights times the other scores, each in its own units of spread.

    The spread is that over all films that are not in the history, for each user.
    """

    def level(values: NDArray) -> NDArray:
        there = np.isfinite(values)
        values = np.where(there, values, 0)
        mean = values.sum(axis=1, keepdims=True) / there.sum(axis=1, keepdims=True)
        spread = np.sqrt((np.where(there, values - mean, 0) ** 2).sum(axis=1) / there.sum(axis=1))
        return np.where(there, (values - mean) / np.maximum(spread, 1e-12)[:, None], -np.inf)

    recent = scores["popularity, last two years"]
    total = level(np.where(np.isfinite(recent), np.log1p(np.maximum(recent, 0)), -np.inf))
    for name, weight in weights.items():
        if weight:
            total = total + weight * level(scores[name])
    return total
