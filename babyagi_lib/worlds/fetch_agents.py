"""Policies in the rooms of `fetch`: what they take, step by step, and how they learn from shortest ways. Used by lesson 10."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from babyagi_lib.basics.arguments import check_number, check_whole
from babyagi_lib.worlds import fetch_paths
from babyagi_lib.worlds.fetch import (
    AHEAD,
    COLOURS,
    FIRST,
    FORWARD,
    KINDS,
    LEFT,
    RIGHT,
    THINGS,
    Fetch,
    Layouts,
    Moment,
    pad,
    views,
)

Policy = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # view, instruction to logits, values

# Kind and colour of each code, as numbers; -1 for what is no thing.
PROPERTIES = ((-1, -1), (-1, -1), *((kind, colour) for kind in range(len(KINDS)) for colour in range(len(COLOURS))))


@dataclass(frozen=True, eq=False)
class Played:
    """How an episode ended in each room.

    Attributes:
        took: the place in `THINGS` of what was picked up, or -1 if the time ran out, (rooms,).
        steps: made, (rooms,).
    """

    took: NDArray[np.int64]
    steps: NDArray[np.int64]

    def right(self, layouts: Layouts) -> float:
        """The share of rooms in which the wanted thing was picked up."""
        return float((self.took == layouts.target).mean())

    def extra(self, layouts: Layouts, shortest: NDArray) -> float:
        """Mean steps above the shortest way, over rooms in which the wanted thing was picked up; NaN if there is none."""
        done = self.took == layouts.target
        return float((self.steps - shortest.astype(int))[done].mean()) if done.any() else float("nan")


def play(
    policy: Policy, layouts: Layouts, *, seed: int, greedy: bool = False, instruction: ArrayLike | None = None
) -> Played:
    """One episode in every room.

    Args:
        policy: logits of the first four actions, and values.
        layouts: the rooms.
        seed: of the actions.
        greedy: take the most probable action rather than a random one.
        instruction: numbers of sentences that the policy is told instead of the rooms' own, (rooms,).

    Raises:
        ValueError: a logit is not finite, or there is not one instruction for each room.
    """
    told = layouts.phrase * len(THINGS) + layouts.target if instruction is None else np.asarray(instruction)
    if told.shape != (len(layouts),):
        raise ValueError(f"expected {len(layouts)} instructions, found the shape {told.shape}")
    source = torch.Generator().manual_seed(seed)
    took, steps = np.full(len(layouts), -1), np.zeros(len(layouts), dtype=np.int64)
    going, world = np.arange(len(layouts)), Fetch(layouts)
    while len(going):
        view = world.see()[0]
        with torch.no_grad():
            p = policy(torch.as_tensor(view), torch.as_tensor(told[going]))[0].softmax(dim=-1)
        if not torch.isfinite(p).all():
            raise ValueError("a logit of the policy is not finite")
        action = p.argmax(dim=-1) if greedy else torch.multinomial(p, 1, generator=source)[:, 0]
        _, terminated, truncated = world.step(action.numpy())
        steps[going] = world.steps
        took[going[terminated]] = world.carried[terminated].astype(int) - FIRST
        stay = ~(terminated | truncated)
        if not stay.all():
            going = going[stay]
            world.keep(stay)
    return Played(took, steps)


def record(policy: Policy, layout: Layouts, *, seed: int, instruction: int, longest: int = 20) -> list[Moment]:
    """The first steps of an episode in one room, at most `longest`."""
    if len(layout) != 1:
        raise ValueError(f"expected one room, found {len(layout)}")
    check_whole("longest", longest, 1)
    source, world, told = torch.Generator().manual_seed(seed), Fetch(layout), torch.tensor([int(instruction)])
    size, moments = layout.grid.shape[1], []
    while len(moments) < longest:
        with torch.no_grad():
            p = policy(torch.as_tensor(world.see()[0]), told)[0].softmax(dim=-1)
        action = torch.multinomial(p, 1, generator=source)[0].numpy()
        grid = world.padded[0, 6 : 6 + size, 6 : 6 + size].copy()
        x, y = world.position[0].tolist()
        moments.append(Moment(grid, (x, y), int(world.heading[0]), p[0].numpy(), int(action[0])))
        _, terminated, truncated = world.step(action)
        if (terminated | truncated)[0]:
            break
    return moments


def shown(layouts: Layouts, draw: np.random.Generator) -> tuple[NDArray, NDArray, NDArray]:
    """What a teacher shows who walks a shortest way in every room that has one: a row for each of its steps.

    Returns:
        views (steps, 49), instructions (steps,), and the probability of the first four actions, (steps, 4): equal for
        all actions that begin a shortest way. The teacher takes one of them at random.
    """
    best = fetch_paths.best_actions(layouts, fetch_paths.distances(layouts))
    padded, rows = pad(layouts.grid), []
    position, heading = layouts.position.copy(), layouts.heading.copy()
    going = np.flatnonzero(fetch_paths.from_start(layouts, best).any(axis=-1))
    while len(going):
        x, y = position[going].T
        good = best[going, x, y, heading[going]]
        rows.append((views(padded[going], position[going], heading[going]), going, good / good.sum(1, keepdims=True)))
        action = (good * draw.random(good.shape)).argmax(axis=1)
        position[going] += AHEAD[heading[going]] * (action == FORWARD)[:, None]
        heading[going] = (heading[going] + (action == RIGHT) - (action == LEFT)) % 4
        going = going[action <= FORWARD]
    view, room, target = (np.concatenate(part) for part in zip(*rows, strict=True))
    return view, (layouts.phrase * len(THINGS) + layouts.target)[room], target


def clone(
    net: nn.Module, layouts: Layouts, *, epochs: int = 15, rate: float = 2e-3, batch: int = 512, seed: int = 0
) -> list[float]:
    """Train a policy in place to imitate shortest ways, by cross-entropy; the mean loss of each epoch, in nats.

    Args:
        net: gives logits and values; the values are left alone.
        layouts: rooms in which the teacher walks.
        epochs: how often each step is shown.
        rate: Adam's step size at the start; it falls to 0 along a line.
        batch: steps in a batch.
        seed: of the teacher's choices and of the batches.

    Raises:
        ValueError: a parameter is out of its range.
    """
    check_whole("epochs", epochs, 1)
    check_whole("batch", batch, 1)
    check_number("rate", rate, 0, above=True)
    view, instruction, target = map(torch.as_tensor, shown(layouts, np.random.default_rng(seed)))
    target = target.float()
    source, losses = torch.Generator().manual_seed(seed), []
    adam = torch.optim.Adam(net.parameters(), rate)
    for epoch in range(epochs):
        adam.param_groups[0]["lr"] = rate * (1 - epoch / epochs)
        total = 0.0
        for rows in torch.randperm(len(view), generator=source).split(batch):
            log_p = net(view[rows], instruction[rows])[0].log_softmax(dim=-1)
            loss = -(target[rows] * log_p).sum(dim=-1).mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
            total += float(loss.detach()) * len(rows)
        losses.append(total / len(view))
    return losses
