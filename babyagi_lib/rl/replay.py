"""A replay buffer for many runs side by side: what each agent has seen, to be learned from again. Used by lesson 08.

Consecutive steps of an agent resemble each other, and a network that learns from them in order forgets what it does not
see. So the agent keeps its transitions and learns from a random batch of them (Lin 1992; Mnih and others 2015).

A transition holds the state that followed its action, not the state at which the next transition begins. At the end of an
episode these two differ. It also holds `terminated`, and not whether a time limit truncated the episode: a truncated state
keeps its value.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from babyagi_lib.basics.arguments import check_whole


class Batch(NamedTuple):
    """Transitions of every run: each tensor is (runs, batch, numbers), and so has a last axis of 1 for a single number."""

    state: Tensor
    action: Tensor
    reward: Tensor
    next_state: Tensor
    terminated: Tensor


class Replay:
    """The latest transitions of each run, in a ring: when it is full, the oldest are overwritten.

    Args:
        runs: how many runs.
        capacity: how many transitions of each run are kept.
        state: numbers in a state.
        action: numbers in an action.

    Raises:
        ValueError: a size is below 1.
    """

    def __init__(self, runs: int, capacity: int, state: int, action: int) -> None:
        for name, value in {"runs": runs, "capacity": capacity, "state": state, "action": action}.items():
            check_whole(name, value, 1)
        self.widths = [state, action, 1, state, 1]
        self.rows = torch.zeros(runs, capacity, sum(self.widths))
        self.added = 0

    def __len__(self) -> int:
        return min(self.added, self.rows.shape[1])

    def add(self, *transition: Tensor) -> None:
        """Keep one transition of each world of each run: the five tensors of a `Batch`, (runs, worlds, numbers).

        Raises:
            ValueError: a tensor does not have its shape, a reward is not finite, or there are more worlds than places.
        """
        runs, capacity, _ = self.rows.shape
        worlds = transition[0].shape[1]
        wanted = [(runs, worlds, width) for width in self.widths]
        found = [tuple(part.shape) for part in transition]
        if found != wanted or worlds > capacity:
            raise ValueError(f"expected {wanted} and at most {capacity} worlds, found {found}")
        if not torch.isfinite(transition[2]).all():
            raise ValueError("a reward is not a finite number")
        places = (self.added + torch.arange(worlds)) % capacity
        self.rows[:, places] = torch.cat([part.to(self.rows.dtype) for part in transition], dim=-1)
        self.added += worlds

    def sample(self, batch: int, generator: torch.Generator) -> Batch:
        """A random batch for each run, with replacement, all that is kept equally likely.

        Raises:
            ValueError: nothing has been kept yet.
        """
        if not len(self):
            raise ValueError("the buffer is empty: add a transition first")
        runs, capacity, width = self.rows.shape
        drawn = torch.randint(len(self), (runs, batch), generator=generator)
        drawn += capacity * torch.arange(runs)[:, None]
        return self._split(self.rows.view(-1, width)[drawn])

    def latest(self, batch: int) -> Batch:
        """The latest transitions of each run, oldest first; fewer than `batch` while there are not as many."""
        size = min(batch, len(self))
        places = (self.added - size + torch.arange(size)) % self.rows.shape[1]
        return self._split(self.rows[:, places])

    def _split(self, rows: Tensor) -> Batch:
        return Batch(*rows.split(self.widths, dim=-1))
