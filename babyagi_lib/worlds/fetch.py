"""Rooms with things and an instruction such as "go get a red key", many side by side. Used by lesson 10.

The rooms are those of MiniGrid's Fetch (Chevalier-Boisvert and others 2023, https://arxiv.org/abs/2306.13831), written as
arrays: the same layouts are possible, with the same probabilities, and in the same layout the same actions give the same
observations, rewards and ends. The tests hold the two against each other, transition by transition. Imports no torch.

A cell is one small number, its code: 0 is empty, 1 is a wall, and 2 to 13 are things. `IMAGE` turns codes into MiniGrid's
own three numbers for each cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.basics.arguments import check_whole

COLOURS = ("red", "green", "blue", "purple", "yellow", "grey")  # in MiniGrid's order
KINDS = ("key", "ball")
PHRASES = ("get a {}", "go get a {}", "fetch a {}", "go fetch a {}", "you must fetch a {}")
THINGS = tuple(f"{colour} {kind}" for kind in KINDS for colour in COLOURS)
SIZES = {"8x8-N3": (8, 3), "6x6-N2": (6, 2), "5x5-N2": (5, 2)}  # MiniGrid's rooms: cells along a side, things

EMPTY, WALL, FIRST = 0, 1, 2
CODES = FIRST + len(THINGS)
IMAGE = np.array(
    [(1, 0, 0), (2, 5, 0), *((5 + kind, colour, 0) for kind in range(2) for colour in range(6))], dtype=np.uint8
)

ACTIONS = ("turn left", "turn right", "forward", "pick up", "drop", "toggle", "done")
LEFT, RIGHT, FORWARD, PICK_UP = range(4)
HEADINGS = ("right", "down", "left", "up")
AHEAD = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)])  # x and y of one step forward, by heading

VIEW = 7  # the agent sees 7 x 7 cells: itself in the middle of the bottom row, looking up
_MARGIN = VIEW - 1
_RIGHT = np.stack([-AHEAD[:, 1], AHEAD[:, 0]], axis=1)
_vx, _vy = np.meshgrid(np.arange(VIEW), np.arange(VIEW), indexing="ij")
_OFFSETS = (  # of the cells in view from the agent, by heading: (4, 7, 7, 2)
    AHEAD[:, None, None] * (_MARGIN - _vy)[None, :, :, None] + _RIGHT[:, None, None] * (_vx - 3)[None, :, :, None]
)
AGENT_CELL = 3 * VIEW + _MARGIN  # the agent's own cell in a flattened view


@dataclass(frozen=True, eq=False)
class Layouts:
    """Rooms as they are at the start of an episode.

    Attributes:
        grid: the code of each cell, (rooms, size, size), by x and y.
        position: x and y of the agent, (rooms, 2).
        heading: 0 to 3, as in `HEADINGS`, (rooms,).
        target: the place in `THINGS` of the thing that is wanted, (rooms,).
        phrase: the number of the instruction's wording, (rooms,).
    """

    grid: NDArray[np.uint8]
    position: NDArray[np.int64]
    heading: NDArray[np.int64]
    target: NDArray[np.int64]
    phrase: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.grid)

    def __getitem__(self, which: slice | NDArray) -> Layouts:
        return Layouts(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


def draw_layouts(
    rooms: int,
    draw: np.random.Generator,
    *,
    size: int = 8,
    objects: int = 3,
    things: Sequence[int] = range(len(THINGS)),
    targets: Sequence[int] = range(len(THINGS)),
    phrases: int = len(PHRASES),
) -> Layouts:
    """Rooms drawn as MiniGrid draws them: things, places, target and wording are uniform and independent.

    Args:
        rooms: how many.
        draw: the source of chance.
        size: cells along a side, walls included; at least 4.
        objects: things in each room. Two may be alike.
        things: the places in `THINGS` that may be in a room.
        targets: those that may be wanted. A room without one of them is drawn again.
        phrases: the instruction's wording is uniform from 0 to phrases - 1.

    Raises:
        ValueError: the room is too small, or nothing may be wanted.
    """
    for name, value, least in (
        ("rooms", rooms, 1),
        ("size", size, 4),
        ("objects", objects, 1),
        ("phrases", phrases, 1),
    ):
        check_whole(name, value, least)
    inside = (size - 2) ** 2
    if objects >= inside:
        raise ValueError(f"{objects} things and the agent do not fit into {inside} cells")
    things, targets = np.unique(np.asarray(things, int)), np.unique(np.asarray(targets, int))
    both = np.concatenate([things, targets])
    if not np.isin(targets, things).any() or (both < 0).any() or (both >= len(THINGS)).any():
        raise ValueError(
            f"things and targets are places in THINGS, 0 to {len(THINGS) - 1}, and one at least is in both"
        )
    wanted = np.isin(np.arange(len(THINGS)), targets)

    put = things[draw.integers(len(things), size=(rooms, objects))]
    while (none := ~wanted[put].any(axis=1)).any():
        put[none] = things[draw.integers(len(things), size=(int(none.sum()), objects))]
    chosen = np.where(wanted[put], draw.random(put.shape), -1).argmax(axis=1)
    cells = draw.random((rooms, inside)).argpartition(objects, axis=1)[:, : objects + 1]
    cells = draw.permuted(cells, axis=1)
    x, y = 1 + cells // (size - 2), 1 + cells % (size - 2)
    each = np.arange(rooms)
    grid = np.full((rooms, size, size), WALL, dtype=np.uint8)
    grid[:, 1:-1, 1:-1] = EMPTY
    grid[each[:, None], x[:, 1:], y[:, 1:]] = FIRST + put
    position = np.stack([x[:, 0], y[:, 0]], axis=1)
    return Layouts(grid, position, draw.integers(4, size=rooms), put[each, chosen], draw.integers(phrases, size=rooms))


def views(padded: NDArray[np.uint8], position: NDArray, heading: NDArray) -> NDArray[np.uint8]:
    """What agents see, in codes: (rooms, 49), MiniGrid's 7 x 7 view flattened by x and then y.

    Walls hide nothing. Beyond the room all is wall. The agent's own cell is empty.

    Args:
        padded: grids with a margin of six walls on every side, (rooms, size + 12, size + 12).
        position: x and y without the margin, (rooms, 2).
        heading: (rooms,).
    """
    at = position[:, None, None] + _MARGIN + _OFFSETS[heading]
    seen = padded[np.arange(len(padded))[:, None, None], at[..., 0], at[..., 1]]
    return seen.reshape(len(padded), -1)


def pad(grid: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grids with the margin of walls that `views` needs."""
    return np.pad(grid, ((0, 0), (_MARGIN, _MARGIN), (_MARGIN, _MARGIN)), constant_values=WALL)


@dataclass(frozen=True, eq=False)
class Moment:
    """One step in one room, before the action.

    Attributes:
        grid: codes of the room, (size, size), by x and y.
        position: x and y of the agent.
        heading: 0 to 3.
        probability: of the first four actions.
        action: what was drawn.
    """

    grid: NDArray[np.uint8]
    position: tuple[int, int]
    heading: int
    probability: NDArray
    action: int


class Fetch:
    """Many rooms, one agent in each.

    Args:
        layouts: where each room starts.
        fresh: draws so many layouts for rooms that begin again; without it `restart` begins the same rooms again.
        limit: steps after which an episode is cut; MiniGrid's 5 · size² if None.

    Attributes:
        rooms: how many there are.
        steps: made in each running episode, (rooms,).
        layout: how each running episode began.
    """

    def __init__(self, layouts: Layouts, fresh: Fresh | None = None, limit: int | None = None) -> None:
        self.rooms, self.fresh = len(layouts), fresh
        self.limit = 5 * layouts.grid.shape[1] ** 2 if limit is None else limit
        check_whole("limit", self.limit, 1)
        self.layout = layouts[np.arange(self.rooms)]  # a copy, which `restart` changes
        self.padded = pad(layouts.grid)
        self.position, self.heading = layouts.position.copy(), layouts.heading.copy()
        self.steps = np.zeros(self.rooms, dtype=np.int64)
        self.carried = np.zeros(self.rooms, dtype=np.uint8)

    def see(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """What the agents know: `views`, and the number of the instruction, phrase · 12 + target, (rooms,)."""
        seen = views(self.padded, self.position, self.heading)
        seen[:, AGENT_CELL] = self.carried
        return seen, self.layout.phrase * len(THINGS) + self.layout.target

    def step(self, action: NDArray) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
        """Make one step in every room: reward, terminated, truncated, each (rooms,).

        Whatever is picked up ends the episode. The right thing pays 1 - 0.9 · steps / limit, anything else 0.

        Raises:
            ValueError: there is not one action for each room, or one is not from 0 to 6.
        """
        action = np.asarray(action)
        if action.shape != (self.rooms,) or not np.isin(action, range(len(ACTIONS))).all():
            raise ValueError(f"expected {self.rooms} actions from 0 to {len(ACTIONS) - 1}")
        self.steps += 1
        each, front = np.arange(self.rooms), self.position + AHEAD[self.heading]
        there = self.padded[each, front[:, 0] + _MARGIN, front[:, 1] + _MARGIN]
        self.heading = (self.heading + (action == RIGHT) - (action == LEFT)) % 4
        self.position = np.where(((action == FORWARD) & (there == EMPTY))[:, None], front, self.position)
        took = (action == PICK_UP) & (there >= FIRST) & (self.carried == EMPTY)
        self.carried = np.where(took, there, self.carried)
        self.padded[each[took], front[took, 0] + _MARGIN, front[took, 1] + _MARGIN] = EMPTY
        right = took & (there == FIRST + self.layout.target)
        return np.where(right, 1 - 0.9 * (self.steps / self.limit), 0.0), took, self.steps >= self.limit

    def restart(self, which: NDArray[np.bool_]) -> None:
        """Begin a new episode in these rooms, (rooms,)."""
        if not which.any():
            return
        new = self.layout[which] if self.fresh is None else self.fresh.take(int(which.sum()))
        for name in ("grid", "position", "heading", "target", "phrase"):
            getattr(self.layout, name)[which] = getattr(new, name)
        self.padded[which] = pad(new.grid)
        self.position[which], self.heading[which] = new.position, new.heading
        self.steps[which], self.carried[which] = 0, EMPTY

    def keep(self, which: NDArray[np.bool_]) -> None:
        """Go on with these rooms only, (rooms,)."""
        self.layout, self.rooms = self.layout[which], int(which.sum())
        for name in ("padded", "position", "heading", "steps", "carried"):
            setattr(self, name, getattr(self, name)[which])


class Fresh:
    """New layouts whenever some are needed. They are drawn in blocks, which is faster than one by one.

    Args:
        draw: the source of chance.
        block: how many are drawn at once.
        options: for `draw_layouts`.
    """

    def __init__(self, draw: np.random.Generator, block: int = 2048, **options: object) -> None:
        self.draw, self.block, self.options = draw, block, options
        self.used, self.drawn = block, None

    def take(self, count: int) -> Layouts:
        """So many layouts that were not given out before."""
        if self.drawn is None or self.used + count > len(self.drawn):
            self.drawn, self.used = draw_layouts(max(count, self.block), self.draw, **self.options), 0
        self.used += count
        return self.drawn[self.used - count : self.used]


def rooms(count: int, draw: np.random.Generator, **options: object) -> Fetch:
    """So many rooms that begin again with new layouts; the options are those of `draw_layouts`."""
    fresh = Fresh(draw, **options)
    return Fetch(fresh.take(count), fresh)


def places(things: Sequence[str]) -> list[int]:
    """The places in `THINGS` of things such as "red key".

    Raises:
        ValueError: there is none, or one is not in `THINGS`.
    """
    if isinstance(things, str) or not things or not set(things) <= set(THINGS):
        raise ValueError(f"expected a list of some of {', '.join(THINGS)}; found {things!r}")
    return [THINGS.index(thing) for thing in things]


def kind_decides(layouts: Layouts) -> NDArray[np.bool_]:
    """Whether a room has a thing of the wanted colour and another kind, so that the colour is not enough, (rooms,)."""
    here = layouts.grid.reshape(len(layouts), -1).astype(int) - FIRST
    wanted, colours = layouts.target[:, None], len(COLOURS)
    return ((here >= 0) & (here % colours == wanted % colours) & (here != wanted)).any(axis=1)


def blind_chance(objects: int = 3) -> float:
    """The share of right things if one of the things in a room is taken without reading.

    The wanted one is the taken one, or else is like it: 1/n + (1 - 1/n) / 12.
    """
    check_whole("objects", objects, 1)
    return 1 / objects + (1 - 1 / objects) / len(THINGS)
