"""Many small networks of one shape, computed side by side: one for each run of an experiment. Used by lesson 08.

A network of a few thousand weights is so small that most of its time goes into calling PyTorch. Ten such networks, one for
each seed, take hardly longer than one if their weights are stacked: layer by layer, one batched matrix product serves all of
them. The networks share no number. What one of them computes, and its gradient, does not depend on the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from babyagi_lib.basics.arguments import check_whole


class StackedMLP(nn.Module):
    """Networks with the same layers and different weights: (runs, batch, inputs) to (runs, batch, outputs).

    Weights and biases start uniform in plus or minus 1/sqrt(inputs of the layer), as those of `torch.nn.Linear` do. Each
    network draws them from a generator of its own: with another number of runs, those that stay are the same.

    Args:
        seeds: one seed for each run.
        sizes: inputs, units of each hidden layer, outputs. Two sizes make a linear function.
        activation: what follows each hidden layer.
        output: what follows the last layer; nothing where it is None.

    Raises:
        ValueError: there is no seed, fewer than two sizes, or a size below 1.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        sizes: Sequence[int],
        activation: Callable[[Tensor], Tensor] = nn.functional.silu,
        output: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        if len(seeds) == 0 or len(sizes) < 2:
            raise ValueError(f"expected a seed at least and two sizes at least; got {len(seeds)} and {len(sizes)}")
        for size in sizes:
            check_whole("a size", size, 1)
        self.activation, self.output = activation, output
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for inputs, outputs in zip(sizes, sizes[1:], strict=False):
            drawn = [torch.rand(inputs + 1, outputs, generator=generator) for generator in generators]
            layer = (2 * torch.stack(drawn) - 1) / math.sqrt(inputs)
            self.weights.append(nn.Parameter(layer[:, :inputs].clone()))
            self.biases.append(nn.Parameter(layer[:, inputs:].clone()))

    def forward(self, x: Tensor) -> Tensor:
        """Outputs of each network for its own batch.

        Raises:
            ValueError: x does not have the shape (runs, batch, inputs).
        """
        runs, inputs, _ = self.weights[0].shape
        if x.ndim != 3 or x.shape[0] != runs or x.shape[2] != inputs:
            raise ValueError(f"expected the shape ({runs}, batch, {inputs}), found {tuple(x.shape)}")
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.baddbmm(bias, x, weight)
            if number < len(self.weights) - 1:
                x = self.activation(x)
        return x if self.output is None else self.output(x)


def move_towards(follower: nn.Module, leader: nn.Module, share: float) -> None:
    """Move all parameters of a network by a share of the distance to another's; with 1 they become equal.

    Both must have the same parameters in the same order. This is how a target network follows (Lillicrap and others 2016,
    https://arxiv.org/abs/1509.02971, algorithm 1, where the share is called tau).
    """
    with torch.no_grad():
        behind, ahead = list(follower.parameters()), list(leader.parameters())
        if share == 1:  # so that a NaN in the follower does not stay
            torch._foreach_copy_(behind, ahead)
        else:
            torch._foreach_lerp_(behind, ahead, share)
