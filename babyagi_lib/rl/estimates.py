"""Estimates of a policy's gradient, held against the exact one over all weights. Used by lesson 09.

An estimate is a weighted sum of gradients of log-probabilities. So its projection on a direction needs no gradient of its
own: it is the same sum of the slopes of the log-probabilities in that direction.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

Gradient = Sequence[Tensor]


def squared_length(gradient: Gradient) -> float:
    """The sum of the squares of all entries."""
    return float(sum((part.double() ** 2).sum() for part in gradient))


def cosine(one: Gradient, other: Gradient) -> float:
    """The cosine of the angle between two gradients over the same weights, or nan if one of them is 0."""
    dot = float(sum((a.double() * b.double()).sum() for a, b in zip(one, other, strict=True)))
    size = (squared_length(one) * squared_length(other)) ** 0.5
    return dot / size if size else float("nan")


def slopes(policy: nn.Module, along: Gradient, tables: Callable[[nn.Module], Sequence[Tensor]]) -> list[Tensor]:
    """How tables of log-probabilities change if all weights move along a gradient, by central differences in float64.

    Args:
        policy: a policy.
        along: the gradient, one tensor for each of `policy.parameters()`.
        tables: gives the tables of a policy.

    Returns:
        For each table, its slope per unit of the gradient, of the same shape.

    Raises:
        ValueError: the gradient is 0 everywhere, or not finite.
    """
    size = squared_length(along)
    if not 0 < size < float("inf"):
        raise ValueError(f"the squared length of the gradient is {size}; there is no direction to move along")

    def after(step: float) -> Sequence[Tensor]:
        moved = copy.deepcopy(policy).double()
        with torch.no_grad():
            for weight, part in zip(moved.parameters(), along, strict=True):
                weight += step * part.double()
            return tables(moved)

    step = 1e-4 / size**0.5
    return [(up - down) / (2 * step) for up, down in zip(after(step), after(-step), strict=True)]


def mean_gradient(policy: nn.Module, advantage: Tensor, drawn: Tensor) -> Gradient:
    """The mean over many estimates of the gradient of the expected reward, for all weights, with one backward pass.

    Args:
        policy: a policy; its call returns log-probabilities, (prompts, answers).
        advantage: of each drawn answer, (prompts, estimates, group).
        drawn: the answers, (prompts, estimates, group).
    """
    log_p = policy()
    total = torch.zeros_like(log_p).scatter_add(1, drawn.flatten(1), advantage.flatten(1))
    value = (total / advantage[0].numel() * log_p).sum(dim=1).mean()
    return torch.autograd.grad(value, list(policy.parameters()))
