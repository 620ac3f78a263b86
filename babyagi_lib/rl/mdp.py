"""A world as a table: the Markov decision process behind an environment. Used by lesson 06.

In a Markov decision process the agent is in a state, takes an action, and receives a reward and a next state, drawn
with probabilities that depend on the state and the action alone. Gymnasium's toy-text environments carry that table
with them (`env.unwrapped.P`); `from_gymnasium` reads it, and `exact` and `tabular` work on nothing else.

An episode can end in two ways, and only one of them is part of the table. *Termination* belongs to the world: after it
nothing more can be earned, so the value of what follows is zero. *Truncation* is a clock outside the world (a time
limit): the state after it is worth what it was always worth, and an agent that is cut off there goes on valuing it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import gymnasium


@dataclass(frozen=True, eq=False)
class MDP:
    """The table of a world with numbered states and actions.

    Every pair of state and action has the same number of possible outcomes; where there are fewer, the rest have
    probability zero.

    Attributes:
        name: what it is called in messages and figures.
        probability: of each outcome, (states, actions, outcomes); sums to 1 over the last axis.
        next_state: of each outcome, integers of the same shape.
        reward: of each outcome, the same shape.
        terminated: whether the episode is over after it, booleans of the same shape.
        start: probability of each state to be the first of an episode, (states,).

    Raises:
        ValueError: shapes, probabilities or state numbers that are not those of a Markov decision process.
    """

    name: str
    probability: NDArray
    next_state: NDArray
    reward: NDArray
    terminated: NDArray
    start: NDArray

    def __post_init__(self) -> None:
        shape = self.probability.shape
        if len(shape) != 3 or {self.next_state.shape, self.reward.shape, self.terminated.shape} != {shape}:
            raise ValueError(f"{self.name}: all four tables must have one shape (states, actions, outcomes)")
        if self.start.shape != shape[:1]:
            raise ValueError(f"{self.name}: start has the shape {self.start.shape}, expected ({shape[0]},)")
        if 0 in shape:
            raise ValueError(f"{self.name}: the shape is {shape}; expected a state, an action and an outcome at least")
        if self.next_state.dtype.kind not in "iu" or self.terminated.dtype != bool:
            raise ValueError(f"{self.name}: next_state must be of integers and terminated of booleans")
        if not np.isfinite(self.reward).all():
            raise ValueError(f"{self.name}: every reward must be a finite number")
        if not _sum_to_one(self.start):
            raise ValueError(f"{self.name}: the probabilities of the first state must be at least 0 and sum to 1")
        wrong = np.argwhere(~_sum_to_one(self.probability))
        if len(wrong):
            state, action = wrong[0]
            raise ValueError(
                f"{self.name}: in state {state}, action {action}, the probabilities of the outcomes must be at least 0 and "
                f"sum to 1; they are {self.probability[state, action]}"
            )
        if (self.next_state < 0).any() or (self.next_state >= shape[0]).any():
            raise ValueError(f"{self.name}: next_state names a state that is not in 0..{shape[0] - 1}")

    @property
    def states(self) -> int:
        """How many states there are."""
        return self.probability.shape[0]

    @property
    def actions(self) -> int:
        """How many actions there are, the same in every state."""
        return self.probability.shape[1]

    @property
    def deterministic(self) -> bool:
        """True if every action has one outcome."""
        return bool(np.isclose(self.probability.max(axis=-1), 1).all())

    @cached_property
    def acting(self) -> NDArray:
        """Where the agent can ever have to act, booleans (states,): what can be reached from the start.

        A state that is only entered as an episode ends is not among them: nothing is ever chosen there, so there is no
        action value to learn, or to be compared.
        """
        possible = (self.probability > 0) & ~self.terminated
        found, fresh = self.start > 0, self.start > 0
        while fresh.any():
            entered = np.zeros(self.states, dtype=bool)
            entered[self.next_state[fresh][possible[fresh]]] = True
            fresh = entered & ~found
            found = found | fresh
        return found


def _sum_to_one(p: NDArray) -> NDArray:
    return (p >= 0).all(axis=-1) & np.isclose(p.sum(axis=-1), 1)


def from_gymnasium(env: gymnasium.Env) -> MDP:
    """Read the table that a toy-text environment carries, `env.unwrapped.P[state][action]`.

    A time limit is not in the table; `env.spec.max_episode_steps` has it.

    Raises:
        ValueError: the environment has no such table, or no distribution of its first state, or they are not those of a
            Markov decision process.
    """
    world = env.unwrapped
    name = env.spec.id if env.spec else type(world).__name__
    table, start = getattr(world, "P", None), getattr(world, "initial_state_distrib", None)
    if table is None or start is None:
        raise ValueError(
            f"{name} carries no table of its transitions (`P` and `initial_state_distrib`). FrozenLake-v1, "
            "CliffWalking-v1 and Taxi-v4 do; for other environments the optimal answer is not known this way."
        )
    try:
        rows = [[[(p, s, r, t) for p, s, r, t in table[n][a]] for a in range(len(table[n]))] for n in range(len(table))]
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(
            f"{name}: expected P[state][action], both numbered from 0, to be a list of (probability, next state, reward, "
            f"terminated); found {error!r}"
        ) from error
    if len({len(row) for row in rows}) != 1:
        raise ValueError(f"{name}: expected the same number of actions in every state")
    width = max(len(outcomes) for row in rows for outcomes in row)
    unused = (0.0, 0, 0.0, False)
    padded = [[[*outcomes, *[unused] * (width - len(outcomes))] for outcomes in row] for row in rows]

    def column(which: int, kind: type) -> NDArray:
        return np.array([[[outcome[which] for outcome in o] for o in row] for row in padded], dtype=kind)

    return MDP(name, column(0, float), column(1, int), column(2, float), column(3, bool), np.array(start, dtype=float))
