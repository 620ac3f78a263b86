"""A conveyor that centres parts: a linear-quadratic regulator, whose best controller is known. Used by lesson 08.

A part lies x to the right of the centre and moves at the velocity v. The action u, a number, is the acceleration that the
conveyor gives it. Everything is linear in x, v and u, with noise on the velocity, and the cost is quadratic. For such a world
the best controller is u = -K (x, v), and the Riccati equation gives K (Bertsekas 2017, section 3.1). No episode terminates. A
time limit truncates it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from babyagi_lib.basics.arguments import check_number

DT = 0.2  # seconds between two actions
A = np.array([[1.0, DT], [0.0, 1.0]])  # the next (x, v) without an action
B = np.array([[0.0], [DT]])  # what an action of 1 adds to them
COST_STATE = np.diag([1.0, 0.1])  # of x² and v²
COST_ACTION = np.array([[0.1]])  # of u²
NOISE = 0.05  # standard deviation that each step adds to the velocity


class Conveyor:
    """Many conveyors side by side; the state is (x, v), and the agent sees all of it.

    Attributes:
        observation: numbers that the agent sees.
        action: numbers in an action.
        largest: no action beyond plus or minus this is taken while exploring.
        limit: steps after which an episode is truncated.
    """

    observation, action, largest, limit = 2, 1, 3.0, 10

    def start(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Parts at rest, x uniform from -1 to 1: (*shape, 2)."""
        x = 2 * torch.rand(*shape, 1, generator=generator) - 1
        return torch.cat([x, torch.zeros_like(x)], dim=-1)

    def observe(self, state: Tensor) -> Tensor:
        """What the agent sees of a state: all of it."""
        return state

    def step(self, state: Tensor, action: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Next state (..., 2), reward (..., 1), which is minus the cost, and terminated (..., 1), which is never true.

        Args:
            state: (..., 2).
            action: (..., 1).
            generator: for the noise.
        """
        after, by, state_cost, action_cost = (
            torch.as_tensor(matrix, dtype=state.dtype) for matrix in (A, B, COST_STATE, COST_ACTION)
        )
        cost = (state @ state_cost * state).sum(-1, keepdim=True) + (action @ action_cost * action).sum(-1, keepdim=True)
        noise = NOISE * torch.randn(*state.shape[:-1], 1, generator=generator, dtype=state.dtype)
        moved = state @ after.T + action @ by.T + torch.cat([torch.zeros_like(noise), noise], dim=-1)
        return moved, -cost, torch.zeros_like(cost, dtype=torch.bool)


@dataclass(frozen=True, eq=False)
class Controller:
    """The best controller of the conveyor and what it costs.

    Attributes:
        K: its gain, (1, 2): the best action is u = -K (x, v).
        P: the cost-to-go without noise is (x, v) P (x, v), (2, 2).
        constant: what the noise of all later steps adds to it.
        gamma: the discount.
    """

    K: NDArray
    P: NDArray
    constant: float
    gamma: float

    def value(self, state: ArrayLike) -> NDArray:
        """V*(x, v), minus the expected discounted cost from a state on: (..., 2) to (...)."""
        state = np.asarray(state, dtype=float)
        return -(np.einsum("...i,ij,...j->...", state, self.P, state) + self.constant)

    def action_value(self, state: ArrayLike, action: ArrayLike) -> NDArray:
        """Q*(x, v, u): (..., 2) and (..., 1) to (...)."""
        state, action = np.asarray(state, dtype=float), np.asarray(action, dtype=float)
        cost = np.einsum("...i,ij,...j->...", state, COST_STATE, state)
        cost = cost + np.einsum("...i,ij,...j->...", action, COST_ACTION, action)
        moved = state @ A.T + action @ B.T
        noise = NOISE**2 * self.P[1, 1]
        return -cost + self.gamma * (self.value(moved) - noise)


def riccati(
    A: NDArray, B: NDArray, cost_state: NDArray, cost_action: NDArray, gamma: float, tolerance: float = 1e-12
) -> tuple[NDArray, NDArray]:
    """Gain K and cost matrix P of the best controller u = -K x for x' = A x + B u, by backward recursion.

    With one step left, P is the cost of the state. Each pass of the recursion adds a step:
    K = gamma (R + gamma B'PB)^-1 B'PA and P <- Q + gamma A'P(A - BK). It stops when P has stopped changing, which is value
    iteration for a world with infinitely many states.

    Args:
        A: (states, states).
        B: (states, actions).
        cost_state: Q, (states, states), symmetric.
        cost_action: R, (actions, actions), symmetric and positive definite.
        gamma: the discount, above 0 and at most 1.
        tolerance: the largest relative change of an entry of P in the last pass.

    Raises:
        ValueError: the shapes do not fit, gamma is out of its range, or P goes on growing: no controller keeps the cost
            finite.
    """
    check_number("gamma", gamma, 0, 1, above=True)
    states, actions = np.shape(B)
    if np.shape(A) != (states, states) or np.shape(cost_state) != (states, states):
        raise ValueError(f"A {np.shape(A)}, B {np.shape(B)} and the cost {np.shape(cost_state)} do not fit together")
    if np.shape(cost_action) != (actions, actions):
        raise ValueError(f"the cost of actions has the shape {np.shape(cost_action)}; expected {(actions, actions)}")
    P = np.array(cost_state, dtype=float)
    for _ in range(100_000):
        K = gamma * np.linalg.solve(cost_action + gamma * B.T @ P @ B, B.T @ P @ A)
        after = cost_state + gamma * A.T @ P @ (A - B @ K)
        after = (after + after.T) / 2
        change = np.abs(after - P).max()
        P = after
        if not np.isfinite(P).all():
            break
        if change <= tolerance * np.abs(P).max():
            return gamma * np.linalg.solve(cost_action + gamma * B.T @ P @ B, B.T @ P @ A), P
    raise ValueError("P does not settle: no controller keeps the discounted cost finite")


def best_controller(gamma: float) -> Controller:
    """The controller with the lowest expected discounted cost, with no time limit.

    Raises:
        ValueError: gamma is not above 0 and below 1.
    """
    if not 0 < gamma < 1:
        raise ValueError(f"gamma must be above 0 and below 1, not {gamma}")
    K, P = riccati(A, B, COST_STATE, COST_ACTION, gamma)
    return Controller(K, P, gamma / (1 - gamma) * NOISE**2 * P[1, 1], gamma)


def start_cost(K: ArrayLike, gamma: float) -> float:
    """Expected discounted cost of u = -K (x, v) from the world's random start, exactly, with no time limit.

    Raises:
        ValueError: K is not (1, 2), or the cost is infinite.
    """
    K = np.asarray(K, dtype=float)
    if K.shape != (1, 2):
        raise ValueError(f"K has the shape {K.shape}; expected (1, 2)")
    closed = A - B @ K
    if gamma * np.abs(np.linalg.eigvals(closed)).max() ** 2 >= 1:
        raise ValueError(f"with K = {K.tolist()} the discounted cost is infinite")
    # P = Q + K'RK + gamma closed'·P·closed is linear in P.
    step = np.eye(4) - gamma * np.kron(closed.T, closed.T)
    P = np.linalg.solve(step, (COST_STATE + K.T @ COST_ACTION @ K).ravel()).reshape(2, 2)
    return float(P[0, 0] / 3 + gamma / (1 - gamma) * NOISE**2 * P[1, 1])  # the mean of x² at the start is 1/3
