"""Sort machine parts: look, read the note, tap, or decide. Used by lesson 12. Imports no torch.

A part comes along a line: gear, shaft or plate, of steel or brass, whole or cracked. The agent can LOOK and TAP as often as it
likes and READ the worker's note once; each costs something. Then it puts the part into one of six bins, scraps it, or calls
a human. What the decisions pay is in `part_notes`, what the senses say in `part_symbols`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import ArrayLike, NDArray

from babyagi_lib.rl.belief_planning import Problem, Sense
from babyagi_lib.worlds.part_notes import ANSWERS, SCRAP, reward_table
from babyagi_lib.worlds.part_symbols import IS_CRACKED, KINDS, PRIOR, SENSES, checked, designed

COSTS = {"look": 0.05, "read": 0.02, "tap": 0.05}
LOOK, READ, TAP = range(3)  # actions; the final actions follow, in the order of ANSWERS
ACTIONS = (*SENSES, *ANSWERS)
PAYOFF = reward_table().reshape(KINDS, len(ANSWERS))
# 1 where a cracked part is put into a bin, as if it were good: (12, 8).
SHIPPED_CRACKED = (IS_CRACKED[:, None] == 1) & (np.arange(len(ANSWERS)) < SCRAP)
RIGHT = np.isclose(PAYOFF, 1.0)  # the right bin, or scrap for a cracked part: (12, 8)


def part_sort(
    horizon: int,
    tables: Mapping[str, ArrayLike] | None = None,
    costs: Mapping[str, float] | None = None,
    prior: ArrayLike = PRIOR,
) -> Problem:
    """The problem of sorting, for any senses that are tables.

    Args:
        horizon: how many answers there can be for one part.
        tables: of the senses, each (12, symbols); those of `part_symbols.designed` where None. A sense that is left out
            cannot be asked: its table becomes one symbol, which says nothing, and costs as much as before.
        costs: of one answer, by sense, in place of those in `COSTS`.
        prior: how frequent each kind of part is, (12,).

    Raises:
        ValueError: a table is no table, a cost is negative, or a name is not that of a sense.
    """
    tables = designed() if tables is None else tables
    costs = COSTS | dict(costs or {})
    for name in (*tables, *costs):
        if name not in SENSES:
            raise ValueError(f"there is no sense {name!r}; there are {', '.join(SENSES)}")
    blind = np.ones((KINDS, 1))
    senses = tuple(
        Sense(name, checked(tables.get(name, blind)), costs[name], repeatable=name != "read") for name in SENSES
    )
    return Problem(np.asarray(prior, dtype=float), senses, PAYOFF, horizon)


def shares(x: NDArray) -> dict[str, float]:
    """What happens to parts, from the probability of each final action for each kind, (12, 8), which sums to 1.

    Returns:
        The shares of all parts that are decided rightly, that are cracked and shipped, and that a human gets; and the
        share of cracked parts that are shipped.
    """
    x = np.asarray(x, dtype=float)
    cracked = x[IS_CRACKED == 1]
    return {
        "decided rightly": float(x[RIGHT].sum()),
        "cracked and shipped": float(x[SHIPPED_CRACKED].sum()),
        "for a human": float(x[:, -1].sum()),
        "of cracked parts, shipped": float(cracked[:, :SCRAP].sum() / cracked.sum()),
    }


class PartSortEnv(gymnasium.Env):
    """The same problem as a gymnasium environment, one part an episode, for agents of other libraries.

    The observation is how often each symbol was seen, (symbols,). The actions are `ACTIONS`. A sense that may not be asked, or
    any sense after `horizon` answers, calls a human. `info` has the kind of the part when the episode is over.

    Args:
        horizon: how many answers there can be.
        tables: as in `part_sort`.
    """

    def __init__(self, horizon: int = 6, tables: Mapping[str, ArrayLike] | None = None) -> None:
        self.problem = part_sort(horizon, tables)
        symbols = sum(sense.symbols for sense in self.problem.senses)
        self.observation_space = gymnasium.spaces.Box(0, max(1, horizon), (symbols,), np.float32)
        self.action_space = gymnasium.spaces.Discrete(len(ACTIONS))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[NDArray, dict]:
        """A new part."""
        super().reset(seed=seed)
        self.kind = int(self.np_random.choice(KINDS, p=self.problem.prior))
        self.state = 0
        return self._seen(), {}

    def step(self, action: int) -> tuple[NDArray, float, bool, bool, dict]:
        """Ask a sense, or decide."""
        states = self.problem.states
        if action >= len(SENSES) or not states.allowed[self.state, action]:
            final = int(action) - len(SENSES) if action >= len(SENSES) else len(ANSWERS) - 1
            return self._seen(), float(PAYOFF[self.kind, final]), True, False, {"kind": self.kind}
        sense = self.problem.senses[action]
        symbol = int(self.np_random.choice(sense.symbols, p=sense.table[self.kind]))
        self.state = int(states.following[self.state, states.columns[action].start + symbol])
        return self._seen(), -float(sense.cost), False, False, {}

    def _seen(self) -> NDArray[np.float32]:
        return self.problem.states.counts[self.state].astype(np.float32)
