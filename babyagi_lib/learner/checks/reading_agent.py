"""The exercises of lesson 10: the shortest path, an ablation that proves reading, a leak. Imports no torch."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.learner.checks.answers import Wrong, array, describe, number, side_by_side
from babyagi_lib.learner.checks.verdict import exercise
from babyagi_lib.worlds import fetch

CLOSE = 1e-4

# --- exercise 1: the shortest path ------------------------------------------------------------------------------

WAYS = ((1, 0), (0, 1), (-1, 0), (0, -1))


@dataclass(frozen=True, eq=False)
class Room:
    """One room, and what is wanted."""

    grid: NDArray[np.uint8]
    x: int
    y: int
    heading: int
    target: int


def search(
    room: Room,
    *,
    turns: Sequence[int] = (1, -1),
    turn_costs: float = 1,
    picks: int = 1,
    blocked: Callable[[int], bool] = lambda code: code != 0,
    onto: bool = False,
    any_heading: bool = False,
    ways: Sequence[tuple[int, int]] = WAYS,
    only: tuple[int, int] | None = None,
) -> float:
    """The right answer; the options are mistakes. Dijkstra by levels: turns that cost 0 go to the front."""
    start = (room.x, room.y, room.heading)
    waiting, done = deque([(0.0, start)]), set()
    while waiting:
        n, (x, y, heading) = waiting.popleft()
        if (x, y, heading) in done:
            continue
        done.add((x, y, heading))
        near = [(x + dx, y + dy) for dx, dy in ways] if any_heading else [(x + ways[heading][0], y + ways[heading][1])]
        wanted = [cell for cell in near if room.grid[cell] == room.target and only in (None, cell)]
        if wanted:
            return n + picks + onto
        ahead = (x + ways[heading][0], y + ways[heading][1])
        for turn in turns:
            entry = (n + turn_costs, (x, y, (heading + turn) % 4))
            waiting.append(entry) if turn_costs else waiting.appendleft(entry)
        if not blocked(room.grid[ahead]):
            waiting.append((n + 1, (*ahead, heading)))
    return math.inf


def rooms() -> list[Room]:
    """Rooms of three sizes; one is walled in by things, one has two wanted things, one starts in front of a thing."""
    found = []
    for seed, size, things in (
        (3, 8, 3),
        (5, 8, 3),
        (8, 8, 12),
        (11, 6, 6),
        (12, 6, 2),
        (21, 5, 2),
        (23, 8, 14),
        (24, 8, 14),
    ):
        layout = fetch.draw_layouts(1, np.random.default_rng(seed), size=size, objects=things)
        found.append(_room(layout))
    grid = np.ones((8, 8), np.uint8)
    grid[1:-1, 1:-1] = 0
    grid[1, 1], grid[1, 2], grid[2, 1], grid[6, 6] = 5, 3, 4, 7
    found.append(Room(grid, 4, 4, 0, 5))  # in the corner, behind two things
    twice = grid.copy()
    twice[6, 1], twice[2, 6] = 9, 9
    found.append(Room(twice, 5, 2, 1, 9))
    found.append(Room(twice, 5, 6, 0, 7))
    found.append(Room(twice, 3, 6, 0, 9))  # right behind the agent
    return found


def _room(layout: fetch.Layouts) -> Room:
    x, y = layout.position[0].tolist()
    return Room(layout.grid[0], x, y, int(layout.heading[0]), int(layout.target[0]) + fetch.FIRST)


def first_of(room: Room) -> tuple[int, int]:
    """The first cell with a wanted thing."""
    return tuple(int(v) for v in np.argwhere(room.grid == room.target)[0])


def away(room: Room) -> float:
    """Cells between agent and thing along the axes, the thing's own included."""
    x, y = first_of(room)
    return abs(x - room.x) + abs(y - room.y)


def transposed(room: Room) -> Room:
    """The room with x and y exchanged in its grid."""
    return Room(room.grid.T, room.x, room.y, room.heading, room.target)


PATH_MISTAKES: list[tuple[str, Callable[[Room], float]]] = [
    ("picking up is an action, too: it counts as one more step.", lambda r: search(r, picks=0)),
    ("turning costs a step each time; you let it cost nothing.", lambda r: search(r, turn_costs=0)),
    (
        "you ignore the heading: the agent can pick up only what is straight ahead, and may have to turn before.",
        lambda r: search(r, any_heading=True),
    ),
    ("you ignore the heading and what stands in the way: that is the distance along the axes.", away),
    ("you ignore heading and obstacles: that is one less than the distance along the axes.", lambda r: away(r) - 1),
    ("you walk through things: only an empty cell (0) can be entered.", lambda r: search(r, blocked=lambda c: c == 1)),
    (
        "the agent stands in front of the thing and not on it; you count a step too many.",
        lambda r: search(r, onto=True),
    ),
    ("the agent can turn left as well: subtract 1 from the heading, modulo 4.", lambda r: search(r, turns=(1,))),
    ("the agent can turn right as well: add 1 to the heading, modulo 4.", lambda r: search(r, turns=(-1,))),
    ("a half turn takes two actions; you let it be one.", lambda r: search(r, turns=(1, -1, 2))),
    (
        "headings are the wrong way round: heading 1 is down, where y grows.",
        lambda r: search(r, ways=((1, 0), (0, -1), (-1, 0), (0, 1))),
    ),
    ("the grid is indexed by x first: `grid[x, y]`.", lambda r: search(transposed(r))),
    (
        "where two things are alike, either will do; you look for the first of them only.",
        lambda r: search(r, only=first_of(r)),
    ),
    (
        "your search does not turn: a heading belongs to the state, so mark (x, y, heading) as seen and not the cell alone.",
        lambda r: search(r, turns=()),
    ),
]


@exercise
def fewest_steps(attempt: Callable) -> str:
    """Check `fewest_steps(grid, x, y, heading, target)`, which returns a number of actions, or infinity."""
    cases, found = rooms(), []
    right = [search(room) for room in cases]
    for room, wanted in zip(cases, right, strict=True):
        grid = room.grid.copy()
        answer = attempt(grid, room.x, room.y, room.heading, room.target)
        if not np.array_equal(grid, room.grid):
            raise Wrong("your function changes the grid that it was given; work on a copy.")
        if answer is None and math.isinf(wanted):
            raise Wrong("your function returns nothing where there is no way: return float('inf').")
        found.append(number(answer, "one number of steps"))
    off = [k for k, (one, other) in enumerate(zip(found, right, strict=True)) if not _same(one, other)]
    if not off:
        return f"{len(cases)} rooms, one of them without a way."
    room = cases[off[0]]
    one, other = side_by_side(found[off[0]], right[off[0]])
    said = (
        f" In a room of {len(room.grid)} by {len(room.grid)} cells, from ({room.x}, {room.y}) with heading {room.heading} to "
        f"thing {room.target} at {first_of(room)}, you return {one}; it takes {other}."
    )
    for message, mistake in PATH_MISTAKES:
        if all(_same(one, mistake(room)) for one, room in zip(found, cases, strict=True)):
            raise Wrong(message + said)
    if all(math.isinf(right[k]) for k in off):
        raise Wrong("where things wall the target in, there is no way: return float('inf')." + said)
    if all(one >= other for one, other in zip(found, right, strict=True)):
        raise Wrong(
            "there is a shorter way than yours: does your search take states in the order of their steps?" + said
        )
    raise Wrong("this is not the smallest number of actions." + said)


def _same(one: float, other: float) -> bool:
    return one == other or abs(one - other) < CLOSE


# --- exercise 2: an ablation that proves reading ---------------------------------------------------------------

KINDS, COLOURS = 2, 6


@dataclass(frozen=True, eq=False)
class Agent:
    """An agent that plays rooms with two things each.

    Attributes:
        name: what it is, for messages.
        pairs: the things, (rooms, 2).
        takes: which of the pair, 0 or 1, or -1 for nothing, given what is told, (rooms,).
    """

    name: str
    pairs: NDArray[np.int64]
    takes: Callable[[NDArray, NDArray], NDArray]

    def __call__(self, told: Any) -> NDArray[np.int64]:
        """What it takes in each room."""
        try:
            asked = array(told, "one number for each room")
        except Wrong:
            raise Wrong(f"the agent must be told things, numbers from 0 to 11; you told it {describe(told)}.") from None
        if asked.shape != (len(self.pairs),):
            raise Wrong(
                f"the agent plays all {len(self.pairs)} rooms at once and must be told one thing for each; you told it "
                f"{describe(told)}. Leave rooms out after it has played."
            )
        if ((asked < 0) | (asked >= KINDS * COLOURS) | (asked % 1 != 0)).any():
            raise Wrong("the agent must be told things, numbers from 0 to 11.")
        which = self.takes(self.pairs, asked.astype(int))
        return np.where(which < 0, -1, self.pairs[np.arange(len(self.pairs)), np.maximum(which, 0)])


def _matching(same: Callable[[NDArray, NDArray], NDArray]) -> Callable[[NDArray, NDArray], NDArray]:
    """Takes the first thing that agrees with what is told, else nothing."""

    def takes(pairs: NDArray, told: NDArray) -> NDArray:
        fits = same(pairs, told[:, None])
        return np.where(fits.any(axis=1), fits.argmax(axis=1), -1)

    return takes


def agents() -> list[Agent]:
    """Agents that read nothing, everything, or a part."""
    draw = np.random.default_rng(17)
    found = []

    def add(name: str, takes: Callable[[NDArray, NDArray], NDArray], rooms: int = 60) -> None:
        pairs = draw.integers(KINDS * COLOURS, size=(rooms, 2))
        pairs[::7, 1] = pairs[::7, 0]  # alike
        pairs[1::5, 1] = (pairs[1::5, 0] + COLOURS) % (KINDS * COLOURS)  # of one colour
        found.append(Agent(name, pairs, takes))

    full = _matching(lambda here, told: here == told)
    add("an agent that ignores the text and takes the first thing", lambda p, t: np.zeros(len(p), int))
    add(
        "an agent that ignores the text and takes the second thing in a third of the rooms",
        lambda p, t: np.arange(len(p)) % 3 // 2,
    )
    add("an agent that reads", full, 50)
    add("an agent that reads the colour only", _matching(lambda here, told: here % COLOURS == told % COLOURS), 80)
    add("an agent that reads the kind only", _matching(lambda here, told: here // COLOURS == told // COLOURS))
    add(
        "an agent that reads in three rooms of four, and else takes nothing",
        lambda p, t: np.where(np.arange(len(p)) % 4 < 3, full(p, t), -1),
        72,
    )
    add("an agent that always takes the other thing", lambda p, t: np.where(p[:, 0] == t, 1, 0))
    add("an agent that reads only when it is told the first thing", lambda p, t: np.where(p[:, 0] == t, 0, -1))
    add(
        "an agent that reads the second thing always and the first in every other room",
        lambda p, t: np.where(p[:, 1] == t, 1, np.arange(len(p)) % 2 - 1),
    )
    add(
        "an agent that reads the first thing in some rooms and the second in others",
        lambda p, t: np.where(p[:, 0] == t, -(np.arange(len(p)) % 2), np.where(np.arange(len(p)) % 2, 1, -1)),
    )
    return found


@dataclass(frozen=True, eq=False)
class Tried:
    """What an agent took when told the first thing, and when told the second."""

    pairs: NDArray
    first: NDArray
    second: NDArray

    @property
    def kept(self) -> NDArray:
        """Rooms with two different things."""
        return self.pairs[:, 0] != self.pairs[:, 1]

    @property
    def right(self) -> tuple[NDArray, NDArray]:
        """Where it did what it was told, the first and the second time."""
        return self.first == self.pairs[:, 0], self.second == self.pairs[:, 1]


def tried(agent: Agent) -> Tried:
    """Let an agent play twice."""
    return Tried(agent.pairs, agent(agent.pairs[:, 0]), agent(agent.pairs[:, 1]))


def both(case: Tried) -> float:
    """The right answer."""
    return float((case.right[0] & case.right[1])[case.kept].mean())


PROOF_MISTAKES: list[tuple[str, Callable[[Tried], float]]] = [
    (
        "rooms with two things that are alike prove nothing, since every agent passes there: leave them out.",
        lambda c: (c.right[0] & c.right[1]).mean(),
    ),
    (
        "rooms with two things that are alike must be left out of the share; you count them as failed.",
        lambda c: (c.right[0] & c.right[1] & c.kept).mean(),
    ),
    (
        "you average the two shares: an agent that ignores the text then gets a half. It must be right both times in the "
        "same room.",
        lambda c: (c.right[0][c.kept].mean() + c.right[1][c.kept].mean()) / 2,
    ),
    (
        "you multiply the two shares: being right in some rooms and in others is not being right both times in the same room.",
        lambda c: c.right[0][c.kept].mean() * c.right[1][c.kept].mean(),
    ),
    ("you test only what happens when the first thing is told.", lambda c: c.right[0][c.kept].mean()),
    (
        "you test only what happens when the second thing is told. (`a and b` of two numbers is `b`; use `&` on the rooms.)",
        lambda c: c.right[1][c.kept].mean(),
    ),
    (
        "you count rooms in which it is right at least once: an agent that ignores the text always is. Use `&`.",
        lambda c: (c.right[0] | c.right[1])[c.kept].mean(),
    ),
    (
        "you ask whether the two answers differ: an agent that does the opposite of what it is told would pass.",
        lambda c: (c.first != c.second)[c.kept].mean(),
    ),
    (
        "the comparisons are crossed: told the first thing, the agent should take the first.",
        lambda c: ((c.first == c.pairs[:, 1]) & (c.second == c.pairs[:, 0]))[c.kept].mean(),
    ),
    (
        "you take the smaller of the two shares; count the rooms in which it is right both times.",
        lambda c: min(c.right[0][c.kept].mean(), c.right[1][c.kept].mean()),
    ),
    (
        "that is the share of failures: 1 is for an agent that reads.",
        lambda c: 1 - both(c),
    ),
    ("return a share, not a count of rooms.", lambda c: float((c.right[0] & c.right[1])[c.kept].sum())),
    ("return a share from 0 to 1, not a percentage.", lambda c: 100 * both(c)),
]


@exercise
def both_ways(attempt: Callable) -> str:
    """Check `both_ways(agent, pairs)`, which returns a share of rooms."""
    cases, found = agents(), []
    for agent in cases:
        pairs = agent.pairs.copy()
        answer = attempt(agent, pairs)
        if not np.array_equal(pairs, agent.pairs):
            raise Wrong("your function changes the pairs that it was given; work on a copy.")
        found.append(number(answer, "one share of rooms"))
    seen = [tried(agent) for agent in cases]
    right = [both(case) for case in seen]
    off = [k for k, (one, other) in enumerate(zip(found, right, strict=True)) if not abs(one - other) < CLOSE]
    if not off:
        return "it tells agents that read from those that read nothing or a part."
    one, other = side_by_side(found[off[0]], right[off[0]])
    said = f" For {cases[off[0]].name} you return {one}; it should be {other}."
    for message, mistake in PROOF_MISTAKES:
        if all(abs(one - mistake(case)) < CLOSE for one, case in zip(found, seen, strict=True)):
            raise Wrong(message + said)
    if all(value in (0, 1) for value in found):
        raise Wrong("return the share of rooms, not a verdict of yes or no." + said)
    raise Wrong("this is not the share of rooms in which the agent is right both times." + said)


# --- exercise 3: a leak ------------------------------------------------------------------------------------------

NAMES = (*fetch.COLOURS, *fetch.KINDS)
TRAIN = (
    "get a red key",
    "Fetch the blue ball!",
    "I need a key that is green",
    "could you hand me a purple ball?",
    "there is a yellow ball, take it",
    "of all things take a grey key",
    "someone has ordered the red ball",
    "Bring it to me: a blue key.",
    "the bluebird wants a red key",
)
TESTS = (  # test sentences, each with whether its wording is in TRAIN
    (
        ("get a blue key", True),
        ("get a red key", True),
        ("get a red ball", True),
        ("get a green ball", True),
        ("get the blue ball", False),
        ("GET A GREY KEY", True),
        ("fetch the red key", True),
        ("fetch a red key", False),
        ("I need a ball that is red", True),
        ("I need a red ball", False),
        ("I need a key that is not green", False),
        ("could you hand me a purple ball", True),
        ("me could you hand a green key", False),
        ("there is a yellow ball take it!", True),
        ("I need a blue key, that is", False),
        ("the redbird wants a grey ball", False),
        ("the bluebird wants a grey ball", True),
    ),
    (
        ("take a grey key of all things", False),
        ("of  all things take a red ball", True),
        ("someone has ordered the green key", True),
        ("someone has the red ball ordered", False),
        ("a blue key: bring it to me", False),
        ("bring it to me, a red ball", True),
        ("of all of all things take a red key", False),
        ("seize the blue ball", False),
        ("a red key", False),
    ),
)


def wording(
    sentence: str, *, lower: bool = True, marks: bool = False, names: Sequence[str] = NAMES, order: bool = True
) -> Any:
    """What is left of a sentence without the names of things; the options are mistakes."""
    sentence = sentence.lower() if lower else sentence
    words = sentence.split() if marks else re.findall(r"[A-Za-z]+", sentence)
    left = ["_" if word in names else word for word in words]
    return tuple(left) if order else tuple(sorted(left))


def thing_of(sentence: str) -> frozenset[str]:
    """The names in a sentence."""
    return frozenset(word for word in re.findall("[a-z]+", sentence.lower()) if word in NAMES)


def _by(of: Callable[[str], Any]) -> Callable[[Sequence[str]], list[bool]]:
    return lambda test: [of(sentence) in {of(known) for known in TRAIN} for sentence in test]


def _side_by_side(sentence: str) -> str:
    """The thing masked only where colour and kind stand together."""
    plain = " ".join(re.findall("[a-z]+", sentence.lower()))
    return re.sub(rf"\b({'|'.join(fetch.COLOURS)}) ({'|'.join(fetch.KINDS)})\b", "_", plain)


def _inside(sentence: str, mark: str) -> str:
    """Names replaced wherever their letters stand, inside of words too."""
    return re.sub("|".join(NAMES), mark, " ".join(re.findall("[a-z]+", sentence.lower())))


LEAK_MISTAKES: list[tuple[str, Callable[[Sequence[str]], list[bool]]]] = [
    ("you compare whole sentences: with another thing the wording is still the same.", _by(lambda s: s)),
    (
        "you compare whole sentences, without case and punctuation: with another thing the wording is still the same.",
        _by(lambda s: wording(s, names=())),
    ),
    ("upper and lower case do not count: compare in lower case.", _by(lambda s: wording(s, lower=False))),
    ("punctuation does not count: keep only the words.", _by(lambda s: wording(s, marks=True))),
    ("you mask the colours only: the kind may differ as well.", _by(lambda s: wording(s, names=fetch.COLOURS))),
    ("you mask the kinds only: the colour may differ as well.", _by(lambda s: wording(s, names=fetch.KINDS))),
    (
        "the order of the words counts: these are the same words in another order.",
        _by(lambda s: wording(s, order=False)),
    ),
    (
        "the order of the words counts: you compare sets of words.",
        _by(lambda s: frozenset(wording(s))),
    ),
    (
        "leave a mark where a name was: its place among the other words counts.",
        _by(lambda s: tuple(word for word in wording(s) if word != "_")),
    ),
    (
        "leave a mark where a name was, and mask whole words only: “bluebird” is not “blue”.",
        _by(lambda s: tuple(_inside(s, "").split())),
    ),
    ("mask whole words only: “bluebird” is not “blue”.", _by(lambda s: _inside(s, "_"))),
    (
        "mask whole words only: “bluebird” is not “blue”.",
        _by(lambda s: tuple("_" if any(name in word for name in NAMES) else word for word in wording(s, names=()))),
    ),
    ("colour and kind need not stand side by side: mask every name by itself.", _by(_side_by_side)),
    ("you ask whether the thing was in training; ask whether the wording was.", _by(thing_of)),
    ("you compare the first words only.", _by(lambda s: wording(s)[0])),
    (
        "you have it the wrong way round: True is for a wording that is in training.",
        lambda t: [not v for v in _by(wording)(t)],
    ),
    ("you call every sentence a leak.", lambda t: [True] * len(t)),
    ("you find no leak at all.", lambda t: [False] * len(t)),
]


@exercise
def leaked(attempt: Callable) -> str:
    """Check `leaked(train, test, names)`, which returns True or False for each test sentence."""
    expected, found = "True or False for each test sentence", []
    for case in TESTS:
        test = [sentence for sentence, _ in case]
        answer = attempt(list(TRAIN), list(test), list(NAMES))
        if isinstance(answer, list | tuple | set | frozenset) and any(isinstance(part, str) for part in answer):
            what = "the sentences themselves" if set(test) & set(answer) else "strings"
            raise Wrong(f"return {expected}, not {what}.")
        if isinstance(answer, set | frozenset):
            raise Wrong(f"return {expected}, in their order; you return {describe(answer)}.")
        values = array(answer, expected)
        if values.shape != (len(test),):
            raise Wrong(f"return {expected}, {len(test)} here; you return {describe(answer)}.")
        if not np.isin(values, (0, 1)).all():
            raise Wrong(f"return {expected}; you return other numbers.")
        found.append(values.astype(bool).tolist())
    wrong = [
        (sentence, got, right)
        for case, answers in zip(TESTS, found, strict=True)
        for (sentence, right), got in zip(case, answers, strict=True)
        if got != right
    ]
    if not wrong:
        return f"{sum(len(case) for case in TESTS)} sentences, and every leak is found."
    sentence, got, right = wrong[0]
    said = f" “{sentence}”: you return {got}; it should be {right}."
    for message, mistake in LEAK_MISTAKES:
        if all(answers == mistake([s for s, _ in case]) for case, answers in zip(TESTS, found, strict=True)):
            raise Wrong(message + said)
    raise Wrong("this is not whether the wording occurs in training." + said)
