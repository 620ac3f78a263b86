"""Rankers that learn from text, from behaviour, or from both. Used by lesson 17.

All predict how much a reader would enjoy each item. The first family is one model: an item has factors, a reader has a normal
taste, a rating is their product plus noise. What differs is where the factors of an item come from: its text, the ratings, or
both (Agarwal and Chen 2009, https://doi.org/10.1145/1557019.1557029).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.basics.arguments import check_number, check_whole

USES = ("text", "behaviour", "both")


@dataclass(frozen=True, eq=False)
class Model:
    """Factors of all items, (items, factors), and the mean taste of today's readers, (factors,)."""

    factors: NDArray[np.float64]
    taste: NDArray[np.float64]


def posterior(
    factors: NDArray, taste: NDArray, books: NDArray, ratings: NDArray, noise: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and covariance of each reader's taste after a history: ridge regression around the mean taste.

    With the prior N(taste, I) and ratings `factors[book] @ u + noise * z`, the posterior precision is
    I + sum v v' / noise^2 (Bishop 2006, equations 3.50 and 3.51). If the prior is the true one, ranking by
    `mean @ factors.T` maximises the expected DCG with linear gain.

    Args:
        factors: of all items, (items, factors).
        taste: mean taste, (factors,) or one for each reader, (readers, factors).
        books: numbers of the items read, (readers, read); `read` may be 0.
        ratings: of these items, (readers, read).
        noise: standard deviation of a rating.

    Returns:
        Means, (readers, factors), and covariances, (readers, factors, factors).

    Raises:
        ValueError: books and ratings differ in shape, or the noise is not above 0.
    """
    check_number("noise", noise, 0, above=True)
    books, ratings = np.asarray(books, dtype=int), np.asarray(ratings, dtype=float)
    if books.ndim != 2 or books.shape != ratings.shape:
        raise ValueError(f"books {books.shape} and ratings {ratings.shape} must have one shape, (readers, read)")
    read = factors[books]  # (readers, read, factors)
    covariance = np.linalg.inv(np.eye(factors.shape[1]) + read.transpose(0, 2, 1) @ read / noise**2)
    gain = np.einsum("urf,ur->uf", read, ratings) / noise**2 + taste
    return np.einsum("ufg,ug->uf", covariance, gain), covariance


def learn(
    books: NDArray,
    ratings: NDArray,
    month: NDArray,
    text: NDArray,
    uses: str,
    *,
    factors: int = 8,
    noise: float = 1.0,
    half_life: float = 1.0,
    steps: int = 25,
    seed: int = 0,
) -> Model:
    """Learn the factors of all items from a log, by expectation maximisation.

    An item's factors are A @ text + rest. "text" learns A only, "behaviour" the rest only, "both" learn both: then the text
    is the prior of an item, which its ratings correct.

    Args:
        books: numbers of the items that each reader of the log has rated, (readers, read).
        ratings: of these items, (readers, read).
        month: of each reader, (readers,); the greatest is today.
        text: features of all items, (items, features), each with mean 0 and variance 1.
        uses: one of `USES`.
        factors: how many; the world's own number is 8.
        noise: standard deviation of a rating.
        half_life: months after which a reader counts half for the mean taste.
        steps: of expectation maximisation.
        seed: for the first guess.

    Raises:
        ValueError: `uses` is none of these, or a parameter is out of its range.
    """
    if uses not in USES:
        raise ValueError(f"uses is {uses!r}; expected one of {', '.join(USES)}")
    for name, value in (("factors", factors), ("steps", steps)):
        check_whole(name, value, 1)
    check_number("half_life", half_life, 0, above=True)
    rng, (items, size) = np.random.default_rng(seed), text.shape
    prior = 0.5 / factors  # variance of a factor's rest around its text
    told = v = rng.normal(size=(items, factors)) / np.sqrt(factors)
    if uses != "behaviour":
        told = v = text @ rng.normal(size=(size, factors)) / np.sqrt(size * factors)
    months, slot = np.unique(month, return_inverse=True)
    near = 0.5 ** (np.abs(month[:, None] - months) / half_life)  # how much a reader counts for each month
    taste = np.zeros((near.shape[1], factors))
    rated = np.zeros((items, len(books)))  # who has read what, and the ratings
    scores = np.zeros_like(rated)
    np.put_along_axis(rated.T, books, 1.0, axis=1)
    np.put_along_axis(scores.T, books, ratings, axis=1)
    for _ in range(steps):
        # Expectation: what each reader likes, given the items' factors.
        mean, covariance = posterior(v, taste[slot], books, ratings, noise)
        taste = (near.T @ mean) / near.sum(axis=0)[:, None]
        # Maximisation: the items' factors, by ridge regression on the readers' tastes, around what the text says.
        second = (covariance + mean[:, :, None] * mean[:, None]).reshape(len(mean), -1)
        precision = (rated @ second).reshape(items, factors, factors) / noise**2
        evidence = scores @ mean / noise**2
        if uses == "behaviour":
            v = np.linalg.solve(precision + np.eye(factors) / prior, evidence[..., None])[..., 0]
            continue
        if uses == "text":
            v = text @ _weights(text, precision, evidence)
            continue
        v = np.linalg.solve(precision + np.eye(factors) / prior, (evidence + told / prior)[..., None])[..., 0]
        told = text @ np.linalg.solve(text.T @ text + np.eye(size), text.T @ v)
    return Model(v, taste[-1])


def popularity(
    books: NDArray, ratings: NDArray, month: NDArray, items: int, *, half_life: float = np.inf, doubt: float = 2.0
) -> NDArray[np.float64]:
    """Mean rating of each item, (items,), drawn towards 0 where there are few ratings.

    Args:
        books: numbers of the items that each reader of the log has rated, (readers, read).
        ratings: of these items, (readers, read).
        month: of each reader, (readers,); the greatest is today.
        items: how many there are.
        half_life: months after which a rating counts half; infinite for the mean of all time.
        doubt: how many ratings of 0 each item is given in addition.

    Raises:
        ValueError: `half_life` is not above 0.
    """
    if not half_life > 0:
        raise ValueError(f"half_life is {half_life!r}; expected a number above 0")
    weights = np.repeat(0.5 ** ((month.max() - month) / half_life), books.shape[1])
    total, count = (np.bincount(books.ravel(), w, items) for w in (weights * ratings.ravel(), weights))
    return total / (count + doubt)


def _weights(text: NDArray, precision: NDArray, evidence: NDArray) -> NDArray[np.float64]:
    """The matrix A, (features, factors), if the text says all about an item: one least-squares problem for all entries."""
    (items, size), factors = text.shape, evidence.shape[1]
    outer = (text[:, :, None] * text[:, None]).reshape(items, -1)
    system = (outer.T @ precision.reshape(items, -1)).reshape(size, size, factors, factors).transpose(0, 2, 1, 3)
    # The prior of an entry of A has mean 0 and variance 1 / (size * factors), so that factors have a length of about one.
    system = system.reshape(size * factors, size * factors) + size * factors * np.eye(size * factors)
    return np.linalg.solve(system, (text.T @ evidence).ravel()).reshape(size, factors)
