"""The shortest way to the wanted thing in every room of `fetch`: the ceiling, and a teacher. Used by lesson 10.

A state is a position and a heading; the moves are two turns, forward, and picking up. All rooms are solved at once: the
distance of every state is lowered to one more than that of its best neighbour, until nothing changes (Bellman-Ford).
Imports no torch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.worlds.fetch import AHEAD, EMPTY, FIRST, FORWARD, LEFT, PICK_UP, RIGHT, Layouts

FAR = 255  # the distance where there is no way


def distances(layouts: Layouts) -> NDArray[np.uint8]:
    """Steps to pick up the wanted thing, by room, x, y and heading: (rooms, size, size, 4); `FAR` where there is no way.

    Things block the way, since picking up another one ends the episode. Of several things that are alike any will do.
    """
    free, wanted = layouts.grid == EMPTY, layouts.grid == FIRST + layouts.target[:, None, None]
    least = np.full((*free.shape, 4), FAR, dtype=np.uint8)
    for heading, (x, y) in enumerate(AHEAD):
        least[..., heading][free & np.roll(wanted, (-x, -y), axis=(1, 2))] = 1
    open_rooms = np.arange(len(layouts))
    while len(open_rooms):
        now = least[open_rooms]
        new = np.minimum(now, 1 + np.minimum(_neighbours(now).min(axis=-1), FAR - 1))
        new[~free[open_rooms]] = FAR
        least[open_rooms] = new
        open_rooms = open_rooms[(new != now).any(axis=(1, 2, 3))]
    return least


def _neighbours(least: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The distance after turning left, turning right, and a step forward, (..., 4 headings, 3)."""
    ahead = [np.roll(least[..., h], (-x, -y), axis=(1, 2)) for h, (x, y) in enumerate(AHEAD)]
    return np.stack([np.roll(least, 1, axis=-1), np.roll(least, -1, axis=-1), np.stack(ahead, axis=-1)], axis=-1)


def best_actions(layouts: Layouts, least: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which of the first four actions begin a shortest way, (rooms, size, size, 4 headings, 4 actions).

    Where there is no way, none does.
    """
    after = np.full((*least.shape, 4), FAR, dtype=np.uint8)
    after[..., [LEFT, RIGHT, FORWARD]] = _neighbours(least)
    after[..., PICK_UP] = np.where(least == 1, 0, FAR)
    return (after == least[..., None] - 1) & (least != FAR)[..., None]


def from_start(layouts: Layouts, table: NDArray) -> NDArray:
    """The entries of a table (rooms, size, size, 4, ...) at the state in which each room starts."""
    x, y = layouts.position.T
    return table[np.arange(len(layouts)), x, y, layouts.heading]
