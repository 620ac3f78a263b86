"""DDPG, deep Q-learning for actions that are numbers, many runs at once: one loop, to be read whole. Used by lesson 08.

Where actions are numbers, nobody can try them all to find the largest Q(s, a). So a second network, the actor, learns to name
the best action, by the gradient of the critic Q with respect to the action (Silver and others 2014; Lillicrap and others
2016, https://arxiv.org/abs/1509.02971).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from babyagi_lib.basics.arguments import check_number, check_whole
from babyagi_lib.basics.streams import stream_seed
from babyagi_lib.models.stacked import move_towards
from babyagi_lib.rl.replay import Replay


class World(Protocol):
    """Many copies of a world side by side, such as `worlds.conveyor.Conveyor`."""

    observation: int
    action: int
    largest: float
    limit: int

    def start(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """First states, (*shape, numbers)."""

    def observe(self, state: Tensor) -> Tensor:
        """What the agent sees of states, (..., observation)."""

    def step(self, state: Tensor, action: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Next states, rewards (..., 1), terminated (..., 1)."""


@dataclass(frozen=True, eq=False)
class Learned:
    """Networks recorded by `learn`.

    Attributes:
        moments: the numbers of updates after which they were recorded.
        actors: the actor at each of them; observations (runs, batch, numbers) to actions (runs, batch, numbers).
        critics: the critic at each of them; observations with actions behind them to values (runs, batch, 1).
    """

    moments: list[int]
    actors: list[nn.Module]
    critics: list[nn.Module]


def learn(
    world: World,
    actor: nn.Module,
    critic: nn.Module,
    *,
    runs: int,
    updates: int,
    gamma: float,
    worlds: int = 32,
    target_networks: bool = True,
    batch: int = 64,
    tau: float = 0.02,
    actor_rate: float = 1e-3,
    critic_rate: float = 3e-3,
    noise: tuple[float, float] = (1.0, 0.5),
    reward_scale: float = 1.0,
    record: Iterable[int] = (),
    seed: int = 0,
) -> Learned:
    """Learn an actor and a critic in many independent runs at once. Each update follows one step of every world.

    Args:
        world: where to act.
        actor: stacked networks, one for each run, which are trained in place.
        critic: likewise.
        runs: how many runs.
        updates: of both networks.
        gamma: the discount, from 0 to 1.
        worlds: worlds of each run; all fill the one buffer of that run.
        target_networks: bootstrap from copies that follow slowly; otherwise from actor and critic themselves.
        batch: transitions in an update.
        tau: the share of the distance that the copies move in each update.
        actor_rate: Adam's step size for the actor at first. It falls to 5% of this over the run.
        critic_rate: likewise, for the critic.
        noise: standard deviation of what is added to actions while exploring, at first and at the end.
        reward_scale: what rewards are multiplied by before the critic sees them.
        record: after how many updates to record, from 1 on; the last is always recorded.
        seed: the same seed gives the same runs.

    Raises:
        ValueError: a parameter is out of its range, the networks are not for this many runs, or a reward is not finite.
    """
    for name, value in {"runs": runs, "updates": updates, "worlds": worlds, "batch": batch}.items():
        check_whole(name, value, 1)
    check_number("gamma", gamma, 0, 1)
    check_number("tau", tau, 0, 1, above=True)
    for name, value in {"actor_rate": actor_rate, "critic_rate": critic_rate, "reward_scale": reward_scale}.items():
        check_number(name, value, 0, above=True)
    draw = torch.Generator().manual_seed(stream_seed("DDPG: worlds and noise", seed))
    batches = torch.Generator().manual_seed(stream_seed("DDPG: batches", seed))
    memory = Replay(runs, updates * worlds, world.observation, world.action)
    if target_networks:
        target_actor, target_critic = copy.deepcopy(actor), copy.deepcopy(critic)
    else:
        target_actor, target_critic = actor, critic
    actor_step = torch.optim.Adam(actor.parameters(), actor_rate, fused=True)
    critic_step = torch.optim.Adam(critic.parameters(), critic_rate, fused=True)
    moments = sorted({*(moment for moment in record if moment < updates), updates})
    found = Learned(moments, [], [])

    state = world.start((runs, worlds), draw)
    age = torch.randint(world.limit, (worlds,), generator=draw)  # so that not all episodes end at once
    for update in range(1, updates + 1):
        done = (update - 1) / updates
        for optimiser, rate in ((actor_step, actor_rate), (critic_step, critic_rate)):
            optimiser.param_groups[0]["lr"] = rate * (1 - 0.95 * done)

        # Act, with noise, in every world.
        seen = world.observe(state)
        with torch.no_grad():
            spread = noise[0] + (noise[1] - noise[0]) * done
            action = actor(seen) + spread * torch.randn(runs, worlds, world.action, generator=draw)
        action = action.nan_to_num().clamp(-world.largest, world.largest)  # NaN: a run that has diverged
        state, reward, terminated = world.step(state, action, draw)
        memory.add(seen, action, reward_scale * reward, world.observe(state), terminated)

        # Begin finished episodes anew. What was kept above is the state before that.
        age += 1
        ended = terminated[..., 0] | (age >= world.limit)
        if ended.any():
            state = torch.where(ended[..., None], world.start((runs, worlds), draw), state)
            age[age >= world.limit] = 0

        # The critic moves towards r + gamma · Q'(s', actor'(s')). After a truncation, too: only terminated counts.
        now = memory.sample(batch, batches)
        with torch.no_grad():
            worth = target_critic(torch.cat([now.next_state, target_actor(now.next_state)], dim=-1))
            target = now.reward + gamma * (1 - now.terminated) * worth
        error = critic(torch.cat([now.state, now.action], dim=-1)) - target
        critic_step.zero_grad()
        error.square().mean(dim=(1, 2)).sum().backward()  # a sum over runs, so that they do not mix
        critic_step.step()

        # The actor moves its action uphill on the critic, which stays as it is.
        value = critic(torch.cat([now.state, actor(now.state)], dim=-1))
        actor_step.zero_grad()
        (-value.mean(dim=(1, 2)).sum()).backward(inputs=list(actor.parameters()))
        actor_step.step()

        if target_networks:
            move_towards(target_actor, actor, tau)
            move_towards(target_critic, critic, tau)
        if update in moments:
            found.actors.append(copy.deepcopy(actor))
            found.critics.append(copy.deepcopy(critic))
    return found


def play(
    world: World, policy: Callable[[Tensor], Tensor], *, runs: int, episodes: int, steps: int, gamma: float = 1.0, seed: int = 0
) -> NDArray:
    """Discounted return of a policy in episodes up to the time limit, without exploration: (runs, episodes).

    Every policy meets the same first states and the same noise, and so does every run. The return of a run that diverged is
    minus infinity.

    Args:
        world: where to act; none of its episodes may terminate.
        policy: observations (runs, episodes, numbers) to actions.
        runs: how many runs.
        episodes: of each run.
        gamma: the discount, from 0 to 1; 1 counts every reward in full.
        seed: of first states and noise.

    Raises:
        ValueError: an episode terminates.
    """
    check_number("gamma", gamma, 0, 1)
    draw = torch.Generator().manual_seed(stream_seed("DDPG: test episodes", seed))
    state = world.start((1, episodes), draw).expand(runs, -1, -1)
    total, weight = torch.zeros(runs, episodes), 1.0
    for _ in range(steps):
        with torch.no_grad():
            action = policy(world.observe(state))
        state, reward, terminated = world.step(state, action, draw)
        if terminated.any():
            raise ValueError("an episode has terminated; this function is for worlds in which none does")
        total += weight * reward[..., 0]
        weight *= gamma
    return np.where(np.isfinite(total), total, -np.inf)
