"""PPO (Schulman and others 2017) with a network, and many rooms side by side: one whole loop. Used by lesson 10.

Read `learn` from top to bottom: play a little in every room, estimate advantages, make a few epochs of small steps. The
form is that of CleanRL's single files (Huang and others 2022).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from babyagi_lib.basics.arguments import check_number, check_whole

LONGEST = 0.5  # the norm to which a gradient is cut


class Rooms(Protocol):
    """A world with many episodes at once."""

    rooms: int

    def see(self) -> tuple[NDArray, ...]:
        """What the policy is given: arrays whose first axis is the room."""

    def step(self, action: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """Reward, terminated, truncated of each room."""

    def restart(self, which: NDArray) -> None:
        """Begin again in these rooms."""


@dataclass(frozen=True, eq=False)
class Learned:
    """What `learn` recorded after each rollout, (rollouts,).

    Attributes:
        steps: made so far, in all rooms together.
        earned: the share of the episodes ended in this rollout that earned a reward; NaN where none ended.
        length: their mean length, in steps.
        entropy: mean entropy of the actions, in nats.
    """

    steps: NDArray
    earned: NDArray
    length: NDArray
    entropy: NDArray


def advantages(reward: Tensor, value: Tensor, last: Tensor, ended: Tensor, gamma: float, lam: float) -> Tensor:
    """Generalised advantage estimates (Schulman and others 2016, equation 16), (steps, rooms).

    Args:
        reward: of each step, (steps, rooms). Where an episode was truncated, it already has gamma times the value of the
            state in which that happened.
        value: of the state before each step, (steps, rooms).
        last: of the state after the last step, (rooms,).
        ended: whether an episode ended with the step, (steps, rooms).
        gamma: the discount.
        lam: lambda.
    """
    A, later = torch.zeros_like(reward), torch.zeros_like(last)
    for t in reversed(range(len(reward))):
        goes_on = 1 - ended[t].to(reward)
        delta = reward[t] + gamma * goes_on * last - value[t]
        A[t] = later = delta + gamma * lam * goes_on * later
        last = value[t]
    return A


def learn(
    net: Callable[..., tuple[Tensor, Tensor]] | nn.Module,
    world: Rooms,
    *,
    steps: int,
    gamma: float = 0.97,
    lam: float = 0.95,
    clip: float = 0.2,
    entropy: float = 0.01,
    rate: float = 1e-3,
    rollout: int = 16,
    epochs: int = 3,
    batch: int = 1024,
    seed: int = 0,
) -> Learned:
    """Train a network in place by proximal policy optimisation.

    Args:
        net: gives logits (rooms, actions) and values (rooms,) of what a world shows.
        world: rooms, each in an episode.
        steps: to make in all rooms together; rounded up to whole rollouts.
        gamma: the discount.
        lam: the lambda of generalised advantage estimation.
        clip: the objective stops growing where an action's probability has changed by this share.
        entropy: the weight of the actions' entropy.
        rate: Adam's step size at the start; it falls to 0 along a line.
        rollout: steps in every room from one update to the next.
        epochs: how often the steps of a rollout are used.
        batch: steps in a batch; rounded so that all have the same size.
        seed: of actions and batches.

    Raises:
        ValueError: a parameter is out of its range, a reward is not finite, or the network's logits are no longer finite.
    """
    for name, value in (("steps", steps), ("rollout", rollout), ("epochs", epochs), ("batch", batch)):
        check_whole(name, value, 1)
    for name, value, most in (
        ("gamma", gamma, 1),
        ("lam", lam, 1),
        ("clip", clip, np.inf),
        ("entropy", entropy, np.inf),
    ):
        check_number(name, value, 0, most)
    check_number("rate", rate, 0, above=True)
    source = torch.Generator().manual_seed(seed)
    adam = torch.optim.Adam(net.parameters(), rate, eps=1e-5)
    many, rounds = rollout * world.rooms, -(-steps // (rollout * world.rooms))
    parts = max(1, round(many / batch))
    since, record = np.zeros(world.rooms, int), []
    seen = tuple(map(torch.as_tensor, world.see()))

    for done in range(rounds):
        adam.param_groups[0]["lr"] = rate * (1 - done / rounds)

        # Play.
        played, finished = [], []
        for _ in range(rollout):
            with torch.no_grad():
                logits, value = net(*seen)
            log_p = logits.log_softmax(dim=-1)
            if not torch.isfinite(log_p).all():
                raise ValueError("a logit of the policy is not finite; was the step size too large?")
            action = torch.multinomial(log_p.exp(), 1, generator=source)[:, 0]
            reward, terminated, truncated = world.step(action.numpy())
            if not np.isfinite(reward).all():
                raise ValueError("a reward is not finite")
            since += 1
            ended = terminated | truncated
            finished.append(np.stack([reward[ended] > 0, since[ended]]))
            reward, cut = torch.as_tensor(reward, dtype=value.dtype), torch.as_tensor(truncated & ~terminated)
            if cut.any():  # a time limit is no end: what would follow is worth the value of the state there
                with torch.no_grad():
                    reward += gamma * net(*map(torch.as_tensor, world.see()))[1] * cut
            played.append(
                (*seen, action, log_p.gather(1, action[:, None])[:, 0], value, reward, torch.as_tensor(ended))
            )
            world.restart(ended)
            since[ended] = 0
            seen = tuple(map(torch.as_tensor, world.see()))

        # How good was each action?
        *saw, action, old, value, reward, ended = map(torch.stack, zip(*played, strict=True))
        with torch.no_grad():
            A = advantages(reward, value, net(*seen)[1], ended, gamma, lam)
        data = [part.flatten(0, 1) for part in (*saw, action, old, A, A + value)]

        # Small steps along the clipped objective.
        for _ in range(epochs):
            for rows in torch.randperm(many, generator=source).chunk(parts):
                *now, a, before, good, target = (part[rows] for part in data)
                logits, value = net(*now)
                log_p = logits.log_softmax(dim=-1)
                ratio = (log_p.gather(1, a[:, None])[:, 0] - before).exp()
                good = (good - good.mean()) / (good.std() + 1e-8)
                gain = torch.minimum(ratio * good, ratio.clamp(1 - clip, 1 + clip) * good).mean()
                spread = -(log_p.exp() * log_p).sum(dim=-1).mean()
                loss = -gain - entropy * spread + 0.5 * (value - target).square().mean()
                adam.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(net.parameters(), LONGEST)
                adam.step()

        won, length = np.concatenate(finished, axis=1)
        means = (won.mean(), length.mean()) if len(won) else (np.nan, np.nan)
        record.append(((done + 1) * many, *means, float(spread.detach())))
    return Learned(*np.array(record).T)
