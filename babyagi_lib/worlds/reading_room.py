"""A reading room whose best recommendation is known: readers, books, ratings, and clicks on a shelf. Used by lesson 17.

A book is a row of hidden factors, of which its description explains a part. A reader is a taste, drawn from a normal
distribution around the taste of the month. How much the reader enjoys a book is the product of both, and a rating is that plus
noise. All is normal and linear, so the best ranking after any history is a formula (`methods.recommendation.posterior`).
Imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.basics.arguments import check_number, check_whole

FACTORS = 8  # of a book and of a taste
NOISE = 1.0  # standard deviation of a rating around what the reader enjoyed
MONTHS = 12  # that the log covers; the last one is now
READ = 20  # books that each reader of the log has rated
NEW = 20  # books that came today: nobody has read them


@dataclass(frozen=True, eq=False)
class Room:
    """Books and what readers like.

    Attributes:
        factors: of each book, (books, FACTORS).
        tastes: the mean taste of each month, (MONTHS, FACTORS). A reader's taste is this plus a standard normal vector.
        chosen: how likely each book is picked to be read, (books,); 0 for new books.
    """

    factors: NDArray[np.float64]
    tastes: NDArray[np.float64]
    chosen: NDArray[np.float64]

    @property
    def new(self) -> NDArray[np.bool_]:
        """Which books are new, (books,)."""
        return self.chosen == 0


@dataclass(frozen=True, eq=False)
class Readers:
    """Readers and what they have read, in the order in which they read it.

    Attributes:
        month: of each reader, (readers,).
        taste: hidden from every method, (readers, FACTORS).
        books: numbers of the books that each has read, no book twice, (readers, read).
        ratings: of these books, (readers, read).
    """

    month: NDArray[np.int64]
    taste: NDArray[np.float64]
    books: NDArray[np.int64]
    ratings: NDArray[np.float64]


def text_features(vectors: NDArray, size: int = 16) -> NDArray[np.float64]:
    """The strongest directions of text vectors, each with mean 0 and variance 1, (texts, hidden) to (texts, size).

    Raises:
        ValueError: `size` is not below the number of texts, or above the width of the vectors.
    """
    check_whole("size", size, 1)
    vectors = np.asarray(vectors, dtype=float)
    if size >= len(vectors) or size > vectors.shape[1]:
        raise ValueError(f"size is {size}; expected less than {len(vectors)} texts, and at most {vectors.shape[1]}")
    left, *_ = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    left = left[:, :size] * np.sign(left[np.abs(left[:, :size]).argmax(axis=0), range(size)])  # the sign is arbitrary
    return left * np.sqrt(len(vectors))


def draw_room(
    text: NDArray, rng: np.random.Generator, *, explained: float = 0.6, stays: float = 0.9, new: int = NEW
) -> Room:
    """A room with a book for each row of text features.

    Args:
        text: features of the descriptions, (books, features), each with mean 0 and variance 1.
        rng: makes the hidden part of the books, the tastes of the months and which books are new.
        explained: share of the variance of the factors that is a linear function of the text, 0 to 1.
        stays: correlation of the mean taste of one month with the month before, 0 to 1.
        new: how many books are new.

    Raises:
        ValueError: a parameter is out of its range.
    """
    text = np.asarray(text, dtype=float)
    check_number("explained", explained, 0, 1)
    check_number("stays", stays, 0, 1)
    check_whole("new", new, 0)
    if new >= len(text) - READ:
        raise ValueError(f"new is {new}; {len(text)} books must leave more than {READ} that are not new")
    count, size = text.shape
    told = text @ rng.normal(size=(size, FACTORS)) / np.sqrt(size)
    factors = np.sqrt(explained) * told + np.sqrt(1 - explained) * rng.normal(size=(count, FACTORS))
    tastes = [rng.normal(size=FACTORS)]
    for _ in range(MONTHS - 1):
        tastes.append(stays * tastes[-1] + np.sqrt(1 - stays**2) * rng.normal(size=FACTORS))
    chosen = rng.permutation(1 / (5 + np.arange(count)))
    chosen[rng.permutation(count)[:new]] = 0
    return Room(factors / np.sqrt(FACTORS), 0.7 * np.array(tastes), chosen / chosen.sum())


def draw_readers(
    room: Room, count: int, rng: np.random.Generator, *, read: int = READ, month: int | None = None
) -> Readers:
    """Readers, each with ratings of books that were picked without looking at the reader's taste.

    Args:
        room: its books.
        count: of readers.
        rng: makes tastes, picks and noise.
        read: how many books each has read.
        month: of all readers; None for months drawn with equal chances.

    Raises:
        ValueError: a parameter is out of its range.
    """
    check_whole("count", count, 1)
    check_whole("read", read, 0)
    there = int((~room.new).sum())
    if read > there:
        raise ValueError(f"read is {read}; the room has {there} books that are not new")
    months = rng.integers(len(room.tastes), size=count) if month is None else np.full(count, month)
    taste = room.tastes[months] + rng.normal(size=(count, FACTORS))
    # The smallest of exponential waiting times are a draw without replacement, in the order of drawing.
    with np.errstate(divide="ignore"):
        waiting = rng.exponential(size=(count, len(room.chosen))) / room.chosen
    books = waiting.argsort(axis=1)[:, :read]
    enjoyed = np.take_along_axis(taste @ room.factors.T, books, axis=1)
    return Readers(months, taste, books, enjoyed + NOISE * rng.normal(size=enjoyed.shape))
