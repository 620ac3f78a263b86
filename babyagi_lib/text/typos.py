"""Mistakes of the fingers, to try what they do to a model. Used by lesson 15. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from babyagi_lib.basics.arguments import check_number
from babyagi_lib.basics.streams import stream_seed

ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")  # of an English keyboard


def with_typos(texts: Sequence[str], share: float, seed: int) -> list[str]:
    """Texts in which a share of the letters a to z, in small letters or capitals, is mistyped at random.

    A mistyped letter is left out, typed twice, swapped with the character behind it, or replaced by a neighbour in its row
    of the keyboard, each with probability 1/4.

    Raises:
        ValueError: share is not a number from 0 to 1.
    """
    check_number("share", share, 0, 1)
    rng = np.random.default_rng(stream_seed("typos", seed))
    return [_mistyped(text, share, rng) for text in texts]


def _mistyped(text: str, share: float, rng: np.random.Generator) -> str:
    slips = (rng.random(len(text)) < share).tolist()
    kinds = rng.integers(4, size=len(text)).tolist()
    sides = rng.integers(2, size=len(text)).tolist()
    written, i = [], 0
    while i < len(text):
        letter = text[i]
        row = next((row for row in ROWS if letter.lower() in row), "") if letter.isascii() else ""
        if not (slips[i] and row):
            written.append(letter)
        elif kinds[i] == 1:
            written.append(letter * 2)
        elif kinds[i] == 2:
            written.append(text[i + 1 : i + 2] + letter)
            i += 1
        elif kinds[i] == 3:
            at = row.index(letter.lower())
            at = at - 1 if at == len(row) - 1 or (sides[i] and at) else at + 1
            written.append(row[at].upper() if letter.isupper() else row[at])
        i += 1
    return "".join(written)
