"""DQN and DDPG as people write them: one file, one environment, one run. `agents.py` measures lesson 08's loops beside these.

Each function plays a gymnasium environment and learns after every step. Networks, batch, rates, target networks and noise
are arguments, so that they can be those of the other sides. After every step it calls `watch` with the number of steps so
far and its policy, and goes on as long as that returns True.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

Watch = Callable[[int, Any], bool]


class Buffer:
    """The transitions so far: state, action, reward, next state, terminated."""

    def __init__(self, size: int, state: int, action: int, rng: np.random.Generator) -> None:
        widths = (state, action, 1, state, 1)
        self.columns = [np.zeros((size, width), dtype=np.float32) for width in widths]
        self.size, self.added, self.rng = size, 0, rng

    def add(self, *values: Any) -> None:
        for column, value in zip(self.columns, values, strict=True):
            column[self.added % self.size] = value
        self.added += 1

    def sample(self, number: int) -> list[torch.Tensor]:
        rows = self.rng.integers(min(self.added, self.size), size=number)
        return [torch.from_numpy(column[rows]) for column in self.columns]


def network(inputs: int, units: int, outputs: int) -> nn.Sequential:
    layers = (nn.Linear(inputs, units), nn.SiLU(), nn.Linear(units, units), nn.SiLU(), nn.Linear(units, outputs))
    return nn.Sequential(*layers)


def dqn(
    env: gymnasium.Env,
    watch: Watch,
    *,
    gamma: float,
    units: int,
    batch: int,
    rate: float,
    period: int,
    epsilon: float,
    buffer: int,
    seed: int,
) -> None:
    """Deep Q-learning on an environment with numbered states and actions, which the network sees one-hot."""
    torch.manual_seed(seed)
    rng = np.random.default_rng([seed, 1])
    states, actions = int(env.observation_space.n), int(env.action_space.n)
    see = np.eye(states, dtype=np.float32)
    q = network(states, units, actions)
    target_q = copy.deepcopy(q)
    optimiser = torch.optim.Adam(q.parameters(), rate)
    memory = Buffer(buffer, states, 1, rng)

    s, _ = env.reset(seed=seed)
    steps = 0
    while watch(steps, q):
        if rng.random() < epsilon:
            a = int(rng.integers(actions))
        else:
            with torch.no_grad():
                a = int(q(torch.from_numpy(see[s])).argmax())
        s_next, r, terminated, truncated, _ = env.step(a)
        memory.add(see[s], a, r, see[s_next], terminated)
        s = env.reset()[0] if terminated or truncated else s_next
        steps += 1

        state, action, reward, next_state, over = memory.sample(batch)
        with torch.no_grad():
            target = reward + gamma * (1 - over) * target_q(next_state).amax(dim=1, keepdim=True)
        loss = F.smooth_l1_loss(q(state).gather(1, action.long()), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if steps % period == 0:
            target_q.load_state_dict(q.state_dict())


def ddpg(
    env: gymnasium.Env,
    watch: Watch,
    *,
    gamma: float,
    units: int,
    batch: int,
    actor_rate: float,
    critic_rate: float,
    tau: float,
    noise: float,
    reward_scale: float,
    buffer: int,
    seed: int,
) -> None:
    """DDPG on an environment whose actions are numbers from -b to b; the noise is a share of b."""
    torch.manual_seed(seed)
    rng = np.random.default_rng([seed, 1])
    seen, moved = env.observation_space.shape[0], env.action_space.shape[0]
    bound = float(env.action_space.high[0])

    class Actor(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = network(seen, units, moved)

        def forward(self, state: torch.Tensor) -> torch.Tensor:
            return bound * torch.tanh(self.layers(state))

    actor, critic = Actor(), network(seen + moved, units, 1)
    target_actor, target_critic = copy.deepcopy(actor), copy.deepcopy(critic)
    actor_step = torch.optim.Adam(actor.parameters(), actor_rate)
    critic_step = torch.optim.Adam(critic.parameters(), critic_rate)
    memory = Buffer(buffer, seen, moved, rng)

    s, _ = env.reset(seed=seed)
    steps = 0
    while watch(steps, actor):
        with torch.no_grad():
            a = actor(torch.from_numpy(np.asarray(s, dtype=np.float32))).numpy()
        a = np.clip(a + noise * bound * rng.standard_normal(moved), -bound, bound).astype(np.float32)
        s_next, r, terminated, truncated, _ = env.step(a)
        memory.add(s, a, reward_scale * r, s_next, terminated)
        s = env.reset()[0] if terminated or truncated else s_next
        steps += 1

        state, action, reward, next_state, over = memory.sample(batch)
        with torch.no_grad():
            worth = target_critic(torch.cat([next_state, target_actor(next_state)], dim=1))
            target = reward + gamma * (1 - over) * worth
        critic_loss = F.mse_loss(critic(torch.cat([state, action], dim=1)), target)
        critic_step.zero_grad()
        critic_loss.backward()
        critic_step.step()

        actor_loss = -critic(torch.cat([state, actor(state)], dim=1)).mean()
        actor_step.zero_grad()
        actor_loss.backward()
        actor_step.step()

        with torch.no_grad():
            for behind, ahead in ((target_actor, actor), (target_critic, critic)):
                for slow, fast in zip(behind.parameters(), ahead.parameters(), strict=True):
                    slow.lerp_(fast, tau)
