"""What a ranking is worth: discounted gain, its share of the best, and what a sampled metric measures. Used by lesson 17.

Everything here takes scores and sorts them: of equal scores the item with the lower number comes first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from babyagi_lib.basics.arguments import check_whole


def discounts(count: int) -> NDArray[np.float64]:
    """1 / log2(position + 1) for the positions 1 to `count`, (count,).

    The usual discount today. Järvelin and Kekäläinen (2002), who proposed DCG, divide by log2(position) from position 2 on.
    """
    check_whole("count", count, 1)
    return 1 / np.log2(np.arange(2, count + 2))


def order(scores: ArrayLike) -> NDArray[np.int64]:
    """Numbers of the items, best first, over the last axis."""
    return (-np.asarray(scores, dtype=float)).argsort(axis=-1, kind="stable")


def dcg(scores: ArrayLike, gains: ArrayLike, k: int = 10) -> NDArray[np.float64]:
    """Discounted gain of the first k items, (..., items) to (...).

    An item with the score -inf is no candidate: it is ranked last, and its gain does not count.

    Args:
        scores: what the items are ranked by, (..., items).
        gains: what each item is worth, of the same shape; may be negative.
        k: how many positions count; with fewer items, all of them.

    Raises:
        ValueError: shapes differ, or `k` is below 1.
    """
    scores, gains = np.asarray(scores, dtype=float), np.asarray(gains, dtype=float)
    if scores.shape != gains.shape:
        raise ValueError(f"scores {scores.shape} and gains {gains.shape} must have one shape")
    check_whole("k", k, 1)
    top = order(scores)[..., :k]
    counted = np.where(np.isneginf(np.take_along_axis(scores, top, -1)), 0, np.take_along_axis(gains, top, -1))
    return counted @ discounts(top.shape[-1])


def ndcg(scores: ArrayLike, gains: ArrayLike, k: int = 10) -> NDArray[np.float64]:
    """DCG divided by the DCG of the best order of *all* items, (..., items) to (...); 0 where no item is worth anything.

    Raises:
        ValueError: as `dcg` does, or a gain is negative.
    """
    gains = np.asarray(gains, dtype=float)
    if (gains < 0).any():
        raise ValueError("a gain is negative: NDCG is a share of the best, and the best must be above 0")
    best = dcg(gains, gains, k)
    return np.where(best > 0, dcg(scores, gains, k) / np.where(best > 0, best, 1), 0.0)


def place(scores: ArrayLike, item: ArrayLike) -> NDArray[np.int64]:
    """The position of one item in each ranking, from 1: (..., items) and (...) to (...)."""
    return (order(scores) == np.asarray(item)[..., None]).argmax(axis=-1) + 1


def sampled(positions: ArrayLike, items: int, negatives: int, k: int = 10) -> NDArray[np.float64]:
    """Expected NDCG of one relevant item if it is ranked among a few random others only (Krichene and Rendle 2020).

    If the item is at position r of all, then of `negatives` others drawn without replacement, hypergeometrically many are
    ranked above it. https://doi.org/10.1145/3394486.3403226

    Args:
        positions: of the item among all, from 1.
        items: how many there are.
        negatives: how many of the others are drawn.
        k: positions that count.

    Returns:
        Of the shape of `positions`. With all others drawn this is the gain at the position itself.

    Raises:
        ValueError: a position is not from 1 to `items`, or there are not so many others.
    """
    from scipy.stats import hypergeom

    positions = np.asarray(positions)
    check_whole("negatives", negatives, 1)
    if negatives > items - 1:
        raise ValueError(f"negatives is {negatives}; there are {items - 1} other items")
    if positions.size and (positions.min() < 1 or positions.max() > items):
        raise ValueError(f"positions must be from 1 to {items}")
    above = np.arange(min(k, negatives + 1))
    gain = discounts(len(above)) @ hypergeom(items - 1, np.arange(items), negatives).pmf(above[:, None])
    return gain[positions - 1]
