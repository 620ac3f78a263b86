"""The sorting line when it changes: four known changes, and the notes of a second supplier. Used by lesson 13.

Nothing stays as it was when an agent was trained. Here the camera wears out, a supplier takes over who writes other notes, a
kind of part comes that never came before, and the camera is replaced. Between two changes the tables of the senses are known,
so the value of every policy is exact at every time. The notes of the second supplier exist as texts, too: the same words mean
something else there. Everything here is invented. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.basics.arguments import check_number, check_whole
from babyagi_lib.rl.belief_planning import Problem
from babyagi_lib.worlds import part_senses
from babyagi_lib.worlds.part_notes import WORDS
from babyagi_lib.worlds.part_sort import part_sort
from babyagi_lib.worlds.part_symbols import MATERIAL, PRIOR, SHAPE, designed, garbled

PHASES = ("as trained", "camera worn out", "second supplier", "brass plates", "new camera")
WEAR = 1.0  # share of the pictures of the worn camera that show a shape and a material at random: all of them
NEVER_BEFORE = (SHAPE == 2) & (MATERIAL == 1)  # brass plates
OTHER_MATERIAL = np.eye(7)[[1, 0, 3, 2, 5, 4, 6]]  # "steel" for "brass" in a note, and the other way round

# The second supplier names the surface: its steel is passivated, which makes it yellow, and its brass is nickel-plated.
SURFACES = (("yellow", "golden", "magnetic"), ("grey", "silvery", "nickelled"))
FORMS = (
    "delivery 7 / {shape} / {surface}",
    "item: {shape}; finish: {surface}",
    "{surface} finish, {shape}",
    "{shape} ({surface}), lot 12",
    "lot 12: {shape}, {surface}",
    "checked: {surface} {shape}",
)


def phase(name: str, horizon: int = 4, wear: float = WEAR) -> Problem:
    """The line in one phase; every phase keeps what the phases before it have changed, and the last mends the camera.

    Args:
        name: one of `PHASES`.
        horizon: how many answers there can be for one part.
        wear: how much the worn camera garbles, from 0 (not at all) to 1 (its pictures say nothing).

    Raises:
        ValueError: there is no such phase, or a number is out of its range.
    """
    if name not in PHASES:
        raise ValueError(f"there is no phase {name!r}; there are {', '.join(PHASES)}")
    check_number("wear", wear, 0, 1)
    number, tables = PHASES.index(name), designed()
    if 1 <= number < 4:
        tables["look"] = garbled(tables["look"], wear)
    if number >= 2:
        tables["read"] = garbled(tables["read"], OTHER_MATERIAL)
    prior = PRIOR if number >= 3 else np.where(NEVER_BEFORE, 0, PRIOR)
    return part_sort(horizon, tables, prior=prior / prior.sum())


def phases(rounds: int, horizon: int = 4, wear: float = WEAR) -> list[Problem]:
    """All phases one after the other, each for so many rounds."""
    check_whole("rounds", rounds, 1)
    return [line for name in PHASES for line in [phase(name, horizon, wear)] * rounds]


def second_supplier_notes(
    parts: part_senses.Parts, rng: np.random.Generator, forms: Sequence[int] = range(len(FORMS))
) -> NDArray[np.str_]:
    """A note about each part, (parts,), as often right as those of the first supplier, and never missing.

    Shapes are named by the first two words of `part_notes.WORDS`, surfaces by `SURFACES`.

    Args:
        parts: what the notes are about.
        rng: where chance comes from.
        forms: which of `FORMS` are used, each as often as any other.

    Raises:
        ValueError: there is no such form.
    """
    if not len(forms) or not set(forms) <= set(range(len(FORMS))):
        raise ValueError(f"forms must be numbers from 0 to {len(FORMS) - 1}, not {list(forms)}")
    named = {}
    for name, true, values in (("shape", parts.shape, 3), ("material", parts.material, 2)):
        wrong = rng.random(len(parts)) >= part_senses.NOTE_RIGHT[name]
        named[name] = np.where(wrong, (true + rng.integers(1, values, size=len(parts))) % values, true)
    form, word = (
        np.asarray(forms)[rng.integers(len(forms), size=len(parts))],
        rng.integers((2, 3), size=(len(parts), 2)),
    )
    texts = [
        FORMS[f].format(shape=WORDS["shape"][s][first], surface=SURFACES[m][second])
        for f, s, m, (first, second) in zip(form, named["shape"], named["material"], word, strict=True)
    ]
    return np.array(texts, dtype=np.str_)
