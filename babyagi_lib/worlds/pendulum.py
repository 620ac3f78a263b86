"""Gymnasium's Pendulum-v1 as arrays, many side by side: swing a rod up and hold it there. Used by lesson 08.

The numbers and the order of operations are those of `gymnasium/envs/classic_control/pendulum.py`, and a test compares the two
step by step. The motor is too weak to lift the rod directly. Nobody knows the best controller in closed form. No episode
terminates. A time limit truncates it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

DT, GRAVITY, MASS, LENGTH = 0.05, 10.0, 1.0, 1.0
FASTEST = 8.0  # radians per second


class Pendulum:
    """Many pendulums side by side; the state is (angle from upright in radians, angular velocity in radians per second).

    Attributes:
        observation: numbers that the agent sees.
        action: numbers in an action, which is a torque.
        largest: a larger torque, of either sign, counts as this one.
        limit: steps after which an episode is truncated.
    """

    observation, action, largest, limit = 3, 1, 2.0, 200

    def start(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Any angle, and a velocity from -1 to 1, both uniform: (*shape, 2)."""
        drawn = 2 * torch.rand(*shape, 2, generator=generator) - 1
        return drawn * torch.tensor([math.pi, 1.0])

    def observe(self, state: Tensor) -> Tensor:
        """Cosine and sine of the angle, and the velocity: (..., 2) to (..., 3)."""
        angle, velocity = state.unbind(-1)
        return torch.stack([angle.cos(), angle.sin(), velocity], dim=-1)

    def step(
        self, state: Tensor, action: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Next state (..., 2), reward (..., 1), which is minus the cost, and terminated (..., 1), which is never true.

        Args:
            state: (..., 2).
            action: torque, (..., 1).
            generator: not used, since nothing here is random.
        """
        angle, velocity = state.unbind(-1)
        torque = action[..., 0].clamp(-self.largest, self.largest)
        from_upright = (angle + math.pi) % (2 * math.pi) - math.pi
        cost = from_upright**2 + 0.1 * velocity**2 + 0.001 * torque**2
        faster = 3 * GRAVITY / (2 * LENGTH) * angle.sin() + 3.0 / (MASS * LENGTH**2) * torque
        velocity = (velocity + faster * DT).clamp(-FASTEST, FASTEST)
        after = torch.stack([angle + velocity * DT, velocity], dim=-1)
        return after, -cost[..., None], torch.zeros_like(cost[..., None], dtype=torch.bool)


def swing_up(state: Tensor) -> Tensor:
    """A controller written by hand: pump energy while the rod is low, balance it with two gains near the top.

    Args:
        state: (..., 2).

    Returns:
        Torque, (..., 1), from -2 to 2.
    """
    angle, velocity = state.unbind(-1)
    angle = (angle + math.pi) % (2 * math.pi) - math.pi
    # Energy of a rod, 0 when it stands upright at rest; its moment of inertia is m·l²/3.
    energy = MASS * LENGTH**2 / 6 * velocity**2 + MASS * GRAVITY * LENGTH / 2 * (angle.cos() - 1)
    pump = torch.where(energy < 0, 2.0, -2.0) * torch.where(velocity < 0, -1.0, 1.0)
    balance = -(10 * angle + 2 * velocity)
    near = (angle.abs() < 0.4) & (velocity.abs() < 2.5)
    return torch.where(near, balance, pump).clamp(-2, 2)[..., None]
