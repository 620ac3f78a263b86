"""What clicks say about items when readers look at the first positions more often: three estimates, and a model. Used by lesson 17.

A click at position k on item i has probability examined[k] * attraction[i] (`worlds.shelf`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from babyagi_lib.basics.arguments import check_number, check_whole


def counts(rankings: ArrayLike, clicks: ArrayLike, items: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How often each item was shown, and clicked, at each position: two arrays, (positions, items).

    Args:
        rankings: numbers of the items shown, (sessions, positions).
        clicks: 1 or True where the item was clicked, of the same shape.
        items: how many there are.

    Raises:
        ValueError: shapes differ, or a ranking names an item that there is not.
    """
    rankings, clicks = np.asarray(rankings), np.asarray(clicks)
    check_whole("items", items, 1)
    if rankings.ndim != 2 or rankings.shape != clicks.shape:
        raise ValueError(
            f"rankings {rankings.shape} and clicks {clicks.shape} must have one shape, (sessions, positions)"
        )
    if rankings.size and (rankings.min() < 0 or rankings.max() >= items):
        raise ValueError(f"a ranking names an item that is not from 0 to {items - 1}")
    positions = rankings.shape[1]
    cell = (np.arange(positions) * items + rankings).ravel()
    shown, clicked = (np.bincount(cell, w, positions * items) for w in (None, clicks.ravel().astype(float)))
    return shown.reshape(positions, items).astype(float), clicked.reshape(positions, items)


def click_rate(shown: NDArray, clicked: NDArray) -> NDArray[np.float64]:
    """Clicks over views of each item, (items,), from `counts`; 0 for one that was never shown."""
    return clicked.sum(axis=0) / np.maximum(shown.sum(axis=0), 1)


def inverse_propensity(
    shown: NDArray, clicked: NDArray, examined: ArrayLike, clip: float = np.inf
) -> NDArray[np.float64]:
    """Attraction of each item, (items,): the mean over its views of click / examined (Joachims and others 2017).

    Unbiased if `examined` is right and nothing is clipped, since E[click / examined] is the attraction.
    https://doi.org/10.1145/3018661.3018699

    Args:
        shown, clicked: from `counts`, (positions, items).
        examined: the probability that each position is looked at, (positions,).
        clip: the greatest weight of a click. A smaller one has less variance and a bias.

    Raises:
        ValueError: `clip` is not above 0.
    """
    if clip != np.inf:
        check_number("clip", clip, 0, above=True)
    weights = np.minimum(1 / np.asarray(examined, dtype=float), clip)
    return weights @ clicked / np.maximum(shown.sum(axis=0), 1)


def per_look(shown: NDArray, clicked: NDArray, examined: ArrayLike) -> NDArray[np.float64]:
    """Clicks of each item over its expected looks, (items,): also unbiased, and a click far down has no great weight."""
    looks = np.asarray(examined, dtype=float) @ shown
    return clicked.sum(axis=0) / np.where(looks > 0, looks, 1)


class Positions(NamedTuple):
    """What was fitted: examination (positions,), attraction (items,), and the log-likelihood of the clicks."""

    examined: NDArray[np.float64]
    attraction: NDArray[np.float64]
    likelihood: float


def fit(shown: NDArray, clicked: NDArray, examined: ArrayLike, attraction: float = 0.3, steps: int = 300) -> Positions:
    """Fit examination and attraction together to counts of clicks, by expectation maximisation (Wang and others 2018).

    Only their products are seen. Where each item is always at one position, every split of a product fits equally well, and
    the result depends on where the search begins. https://doi.org/10.1145/3159652.3159732

    Args:
        shown, clicked: from `counts`, (positions, items).
        examined: where the search begins, (positions,), each above 0 and below 1.
        attraction: where that of all items begins.
        steps: of expectation maximisation.

    Raises:
        ValueError: a parameter is out of its range.
    """
    check_whole("steps", steps, 1)
    look = np.asarray(examined, dtype=float)[:, None]
    if (look <= 0).any() or (look >= 1).any():
        raise ValueError("examined must begin above 0 and below 1")
    like = np.full((1, shown.shape[1]), float(attraction))
    missed = shown - clicked
    for _ in range(steps):
        # Of a view without a click: the probabilities that it was looked at, and that the item was attractive.
        neither = 1 - look * like
        looked, liked = look * (1 - like) / neither, like * (1 - look) / neither
        look = ((clicked + missed * looked).sum(axis=1) / np.maximum(shown.sum(axis=1), 1))[:, None]
        like = ((clicked + missed * liked).sum(axis=0) / np.maximum(shown.sum(axis=0), 1))[None]
    chance = np.clip(look * like, 1e-300, 1 - 1e-16)
    likelihood = float((clicked * np.log(chance) + missed * np.log1p(-chance)).sum())
    return Positions(look[:, 0], like[0], likelihood)
