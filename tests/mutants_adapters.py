"""Right and wrong answers to the exercises of lesson 02, with what each wrong one should be told."""

import torch
from torch import nn

from babyagi_lib import adapters, checks, heads


def real(mask):
    return mask.unsqueeze(-1).float()


def nan_for_empty(states, mask):
    return (states * real(mask)).sum(1) / real(mask).sum(1)


class Right(nn.Module):
    def __init__(self, hidden, size):
        super().__init__()
        self.down, self.up = nn.Linear(hidden, size), nn.Linear(size, hidden)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def detour(self, states):
        return self.up(torch.relu(self.down(states)))

    def forward(self, states):
        return states + self.detour(states)


class NoResidual(Right):
    def forward(self, states):
        return self.detour(states)


class Linear(Right):
    def detour(self, states):
        return self.up(self.down(states))


class AfterUp(Right):
    def detour(self, states):
        return nn.functional.gelu(self.up(self.down(states)))


class BeforeDown(Right):
    def detour(self, states):
        return self.up(self.down(nn.functional.gelu(states)))


class BothZero(Right):
    def __init__(self, hidden, size):
        super().__init__(hidden, size)
        nn.init.zeros_(self.down.weight)
        nn.init.zeros_(self.down.bias)


class Random(Right):
    def __init__(self, hidden, size):
        super().__init__(hidden, size)
        nn.init.normal_(self.up.weight, std=0.01)


class OnlyWeightZero(Right):
    def __init__(self, hidden, size):
        super().__init__(hidden, size)
        nn.init.ones_(self.up.bias)


class Cut(Right):
    def detour(self, states):
        return self.up(torch.relu(self.down(states)).detach())


class ResidualCut(Right):
    def forward(self, states):
        return states.detach() + self.detour(states)


class FrozenDown(Right):
    def __init__(self, hidden, size):
        super().__init__(hidden, size)
        self.down.requires_grad_(False)


class Frozen(Right):
    def __init__(self, hidden, size):
        super().__init__(hidden, size)
        self.requires_grad_(False)


class Wide(Right):
    def __init__(self, hidden, size):
        super().__init__(hidden, hidden)


class AcrossPieces(Right):
    def detour(self, states):
        return super().detour(states.mean(1, keepdim=True))


class Narrow(Right):
    def forward(self, states):
        return self.down(states)


class Silent(Right):
    def forward(self, states):
        self.detour(states)


def right_count(model):
    return adapters.count_parameters(model).total, adapters.count_parameters(model).trainable


def with_state_dict(model):
    return sum(t.numel() for t in model.state_dict().values()), right_count(model)[1]


def shared_twice(model):
    tensors = [p for _, p in model.named_parameters(remove_duplicate=False)]
    return sum(p.numel() for p in tensors), sum(p.numel() for p in tensors if p.requires_grad)


def with_buffers(model):
    return right_count(model)[0] + sum(b.numel() for b in model.buffers()), right_count(model)[1]


def tensors_only(model):
    parameters = list(model.parameters())
    return len(parameters), sum(p.requires_grad for p in parameters)


def unfreezing(model):
    model.requires_grad_(True)
    return right_count(model)


CASES = [
    (checks.pooling, heads.mean_pool),
    (checks.bottleneck, Right),
    (checks.bottleneck, adapters.Bottleneck),
    (checks.parameter_count, right_count),
]
MUTANTS = [
    (checks.pooling, lambda states, mask: states.mean(1), "averages over padding"),
    (checks.pooling, lambda states, mask: (states * real(mask)).mean(1), "not by the length of the batch"),
    (checks.pooling, lambda states, mask: (states * real(mask)).sum(1) / mask.sum(), "a number of its own"),
    (checks.pooling, lambda states, mask: (states * real(mask)).sum(1), "divide by their number"),
    (checks.pooling, lambda states, mask: states[:, 0], "[CLS]"),
    (
        checks.pooling,
        lambda states, mask: states.masked_fill(mask.unsqueeze(-1) == 0, -torch.inf).max(1).values,
        "maximum",
    ),
    (checks.pooling, nan_for_empty, "NaN"),
    (checks.pooling, lambda states, mask: heads.mean_pool(states, mask).unsqueeze(1), "has the shape"),
    (checks.pooling, lambda states, mask: heads.mean_pool(states, 1 - mask), "are not the mean"),
    (checks.pooling, lambda states, mask: heads.mean_pool(states.mul_(real(mask)), mask), "changes the states"),
    (checks.pooling, lambda states, mask: None, "returns nothing"),
    (checks.pooling, lambda states, mask: states[mask].mean(1), "should become"),
    (checks.bottleneck, NoResidual, "add what came in"),
    (checks.bottleneck, AfterUp, "wrong place"),
    (checks.bottleneck, BeforeDown, "wrong place"),
    (checks.bottleneck, Linear, "non-linearity"),
    (checks.bottleneck, BothZero, "only the way up may start at zero"),
    (checks.bottleneck, Random, "already changes the states"),
    (checks.bottleneck, OnlyWeightZero, "weight and bias"),
    (checks.bottleneck, Cut, "must reach the way down"),
    (checks.bottleneck, ResidualCut, "does not pass through"),
    (checks.bottleneck, FrozenDown, "are frozen"),
    (checks.bottleneck, Frozen, "no trainable parameter"),
    (checks.bottleneck, Wide, "expected 87"),
    (checks.bottleneck, AcrossPieces, "sees each piece alone"),
    (checks.bottleneck, Narrow, "the shape must stay"),
    (checks.bottleneck, Silent, "returns no tensor"),
    (checks.parameter_count, lambda model: (right_count(model)[0],) * 2, "requires_grad"),
    (checks.parameter_count, shared_twice, "count each tensor once"),
    (checks.parameter_count, tensors_only, "count tensors"),
    (checks.parameter_count, with_buffers, "buffers"),
    (checks.parameter_count, with_state_dict, "count each tensor once"),
    (checks.parameter_count, lambda model: right_count(model)[::-1], "wrong way round"),
    (checks.parameter_count, lambda model: (right_count(model)[1],) * 2, "should count everything"),
    (checks.parameter_count, unfreezing, "must not change the model"),
    (checks.parameter_count, lambda model: None, "returns nothing"),
    (checks.parameter_count, lambda model: right_count(model)[0], "two numbers"),
    (checks.parameter_count, lambda model: (*right_count(model), 0), "two numbers"),
]
