"""What three senses say about a machine part, as tables of probabilities. Used by lessons 11 and 12. Imports no torch.

A part has a shape, a material, and is whole or cracked: 12 kinds of parts. A camera (LOOK), a worker's note (READ) and the
sound of a tap (TAP) each answer with one of a few symbols. A table gives the probability of every symbol for every kind of
part, (12, symbols). Given the part, each answer is independent of all others. Everything here is invented, and known.

The parts, their prices and their names are those of `part_notes`; the numbers of the note differ from the notes there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from babyagi_lib.basics.arguments import check_number
from babyagi_lib.worlds.part_notes import CRACKED, MATERIALS, SHAPES, STATES

KINDS = len(SHAPES) * len(MATERIALS) * len(STATES)  # 12: part = (2 · shape + material) · 2 + cracked
SHAPE, MATERIAL, IS_CRACKED = (np.arange(KINDS) // 4, np.arange(KINDS) // 2 % 2, np.arange(KINDS) % 2)
PARTS = tuple(f"{SHAPES[s]}, {MATERIALS[m]}, {STATES[c]}" for s, m, c in zip(SHAPE, MATERIAL, IS_CRACKED, strict=True))
PRIOR = np.where(IS_CRACKED == 1, CRACKED, 1 - CRACKED) / (KINDS / 2)  # shapes and materials are equally frequent

SENSES = ("look", "read", "tap")
# The names of the symbols, in the order of a table's columns.
SYMBOLS = {
    "look": tuple(f"looks like {material} {shape}" for shape in SHAPES for material in MATERIALS),
    "read": (*(f"note says {material} {shape}" for shape in SHAPES for material in MATERIALS), "no note"),
    "tap": tuple(f"sounds {state}, {material}" for material in MATERIALS for state in STATES),
}
# How often a sense is right about a property; a sense says nothing about the others. A note can be missing.
ACCURACY = {
    "look": {"shape": 0.85, "material": 0.60},
    "read": {"shape": 0.50, "material": 0.90, "missing": 0.20},
    "tap": {"material": 0.65, "cracked": 0.90},
}


def sense_table(
    *,
    shape: float | None = None,
    material: float | None = None,
    cracked: float | None = None,
    missing: float | None = None,
) -> NDArray[np.float64]:
    """The table of a sense, from how often it is right about each property.

    Mistakes about shape, material and crack are independent, and all wrong answers are equally likely.

    Args:
        shape: the probability that the sense names the right shape; None for a sense that says nothing about it.
        material: the same for the material.
        cracked: the same for whole or cracked.
        missing: the probability that there is no answer, which then has a symbol of its own, the last; None for a sense
            that always answers.

    Returns:
        Probabilities, (12, symbols). The symbols run through the named shapes, materials and states, the last one
        fastest. A sense that names nothing has one symbol.

    Raises:
        ValueError: a probability is not from 0 to 1.
    """
    table = np.ones((KINDS, 1))
    properties = {"shape": (shape, SHAPE, 3), "material": (material, MATERIAL, 2), "cracked": (cracked, IS_CRACKED, 2)}
    for name, (accuracy, true, values) in properties.items():
        if accuracy is not None:
            check_number(name, accuracy, 0, 1)
            named = np.full((values, values), (1 - accuracy) / (values - 1))
            np.fill_diagonal(named, accuracy)
            table = (table[:, :, None] * named[true][:, None]).reshape(KINDS, -1)
    if missing is not None:
        check_number("missing", missing, 0, 1)
        table = np.hstack([(1 - missing) * table, np.full((KINDS, 1), missing)])
    return table


def designed() -> dict[str, NDArray[np.float64]]:
    """The tables of LOOK (12, 6), READ (12, 7) and TAP (12, 4) with the accuracies of `ACCURACY`."""
    return {sense: sense_table(**accuracy) for sense, accuracy in ACCURACY.items()}


def perfected(sense: str) -> NDArray[np.float64]:
    """The table of a sense that is never wrong about the properties that it names, and never missing.

    Raises:
        ValueError: there is no such sense.
    """
    if sense not in ACCURACY:
        raise ValueError(f"there is no sense {sense!r}; there are {', '.join(SENSES)}")
    return sense_table(**{name: 0.0 if name == "missing" else 1.0 for name in ACCURACY[sense]})


def garbled(table: ArrayLike, channel: ArrayLike | float) -> NDArray[np.float64]:
    """A sense whose answers pass through a noisy channel: it can never be worth more (Blackwell 1953).

    Args:
        table: of the sense, (12, symbols).
        channel: the probability of every new symbol for each old one, (symbols, new symbols); or a number: with this
            probability the answer is replaced by one drawn at random, all equally likely.

    Returns:
        (12, new symbols).

    Raises:
        ValueError: the channel has the wrong shape, or its rows are not probabilities.
    """
    table = checked(table)
    symbols = table.shape[1]
    if np.ndim(channel) == 0:
        check_number("channel", channel, 0, 1)
        channel = (1 - channel) * np.eye(symbols) + channel / symbols
    channel = checked(channel, symbols)
    return table @ channel


def joined(tables: Sequence[ArrayLike]) -> NDArray[np.float64]:
    """The table of several answers together, each sense asked once: (12, product of the numbers of symbols).

    The symbols run through the combinations, the last sense fastest. Without a sense there is one symbol, which says
    nothing. A sense that appears twice is asked twice.
    """
    together = np.ones((KINDS, 1))
    for table in tables:
        together = (together[:, :, None] * checked(table)[:, None]).reshape(KINDS, -1)
    return together


def posterior(table: ArrayLike, prior: ArrayLike = PRIOR) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bayes' rule for every symbol of a table.

    Returns:
        The probability of each part given the symbol, (symbols, 12), and of each symbol, (symbols,). The row of a symbol
        that never occurs is the prior.
    """
    weights = (checked(table) * np.asarray(prior)[:, None]).T
    total = weights.sum(axis=1)
    return np.where(total[:, None] > 0, weights / np.maximum(total[:, None], 1e-300), prior), total


def bayes_accuracy(table: ArrayLike, label: ArrayLike | None = None, prior: ArrayLike = PRIOR) -> float:
    """The highest accuracy that any rule can have which sees only the symbol.

    Args:
        table: (12, symbols).
        label: what is to be named, a whole number for each kind of part, (12,), such as `SHAPE` or `IS_CRACKED`; None for
            the part itself.
        prior: how frequent the parts are, (12,).
    """
    label = np.arange(KINDS) if label is None else np.asarray(label)
    weights = checked(table) * np.asarray(prior)[:, None]
    return float(np.array([weights[label == value].sum(axis=0) for value in np.unique(label)]).max(axis=0).sum())


def checked(table: ArrayLike, rows: int = KINDS) -> NDArray[np.float64]:
    """The table as an array of floats.

    Raises:
        ValueError: it does not have this many rows, or a row is not a distribution: finite, not negative, sum 1.
    """
    table = np.asarray(table, dtype=float)
    if table.ndim != 2 or len(table) != rows or table.shape[1] == 0:
        raise ValueError(f"the table has the shape {table.shape}; expected ({rows}, symbols)")
    if not np.isfinite(table).all() or (table < 0).any() or np.abs(table.sum(axis=1) - 1).max() > 1e-9:
        raise ValueError("every row of the table must be probabilities that sum to 1")
    return table
