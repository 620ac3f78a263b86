"""Right and wrong answers to the exercises of lesson 02, with what each wrong one should be told."""

import copy
import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from babyagi_lib.learner.checks import adapter_heads as checks
from babyagi_lib.models import adapters, heads


def real(mask):
    return mask.unsqueeze(-1).float()


def by_loop(states, mask):
    rows = [x[m == 1].mean(dim=0) if m.any() else x[0] * 0 for x, m in zip(states, mask, strict=True)]
    return torch.stack(rows)


def by_einsum(states, mask):
    share = mask / mask.sum(dim=1, keepdim=True).clamp(min=1)
    return torch.einsum("bld,bl->bd", states, share)


def by_nanmean(states, mask):
    return states.masked_fill(mask[..., None] == 0, torch.nan).nanmean(dim=1).nan_to_num(0.0)


def by_numpy(states, mask):
    with np.errstate(invalid="ignore"):
        found = (states.numpy() * mask.numpy()[..., None]).sum(1) / mask.numpy().sum(1)[:, None]
    return np.nan_to_num(found)


def by_plain_python(states, mask):
    found = []
    for rows, keeps in zip(states.tolist(), mask.tolist(), strict=True):
        kept = [row for row, keep in zip(rows, keeps, strict=True) if keep]
        found.append([sum(column) / max(len(kept), 1) for column in zip(*kept, strict=True)] or [0.0] * len(rows[0]))
    return found


def in_half_precision(states, mask):
    return heads.mean_pool(states, mask).half()


def in_double(states, mask):
    return (states.double() * mask.double()[..., None]).sum(1) / mask.double().sum(1, keepdim=True).clamp(min=1e-9)


def first_n(states, mask):
    return torch.stack([x[:n].mean(0) if n else x[0] * 0 for x, n in zip(states, mask.sum(1).tolist(), strict=True)])


def no_vector_for_empty(states, mask):
    return heads.mean_pool(states, mask)[mask.any(dim=1)]


def first_for_empty(states, mask):
    return torch.where(mask.any(dim=1, keepdim=True), heads.mean_pool(states, mask), states[:, 0])


def clears_the_mask(states, mask):
    found = heads.mean_pool(states, mask)
    mask.zero_()
    return found


def without_cls(states, mask):
    mask = mask.clone()
    mask[torch.arange(len(mask)), mask.argmax(dim=1)] = 0
    return heads.mean_pool(states, mask)


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


class ByParameters(nn.Module):
    """No layer, and no parameter called weight or bias."""

    def __init__(self, hidden, size):
        super().__init__()
        self.D, self.b = nn.Parameter(torch.randn(hidden, size) / 8), nn.Parameter(torch.zeros(size))
        self.U, self.c = nn.Parameter(torch.zeros(size, hidden)), nn.Parameter(torch.zeros(hidden))

    def forward(self, states):
        return states + (torch.tanh(states @ self.D + self.b) @ self.U + self.c)


class InPlace(Right):
    def forward(self, states):
        states += self.detour(states)
        return states


class WithDropout(Right):
    def __init__(self, hidden, size):
        super().__init__(hidden, size)
        self.drop = nn.Dropout(0.1)

    def detour(self, states):
        return self.up(self.drop(nn.functional.silu(self.down(states))))


class RandomSlope(Right):
    """Draws as many random numbers as there are negative ones."""

    def detour(self, states):
        return self.up(F.rrelu(self.down(states), training=self.training))


class SoftmaxOverNumbers(Right):
    def detour(self, states):
        return self.up(self.down(states).softmax(dim=-1))


class Sequential(nn.Module):
    def __init__(self, hidden, size):
        super().__init__()
        self.path = nn.Sequential(nn.Linear(hidden, size), nn.ELU(), nn.Linear(size, hidden))
        for p in self.path[2].parameters():
            nn.init.constant_(p, 0)

    def forward(self, states):
        return torch.add(self.path(states), states)


class Squared(Right):
    def detour(self, states):
        return F.linear(F.linear(states, self.down.weight, self.down.bias) ** 2, self.up.weight, self.up.bias)


class SoftmaxOverBatch(Right):
    def detour(self, states):
        return self.up(self.down(states).softmax(dim=0))


class SoftmaxOverPieces(Right):
    def detour(self, states):
        return self.up(self.down(states).softmax(dim=-2) if states.ndim > 1 else self.down(states))


class NormOverBatch(Right):
    def detour(self, states):
        down = self.down(states)
        return self.up(torch.relu(down - down.mean()))


class DropoutForEver(Right):
    def detour(self, states):
        return self.up(F.dropout(torch.relu(self.down(states)), 0.5))


class DropoutOnSum(Right):
    def __init__(self, hidden, size):
        super().__init__(hidden, size)
        self.drop = nn.Dropout(0.5)

    def forward(self, states):
        return self.drop(super().forward(states))


class OnlyThreeDimensions(Right):
    def forward(self, states):
        _batch, _pieces, _hidden = states.shape
        return super().forward(states)


class InAList(nn.Module):
    def __init__(self, hidden, size):
        super().__init__()
        self.layers = [nn.Linear(hidden, size), nn.Linear(size, hidden)]
        nn.init.zeros_(self.layers[1].weight)
        nn.init.zeros_(self.layers[1].bias)

    def forward(self, states):
        return states + self.layers[1](torch.relu(self.layers[0](states)))


class AddedTwice(Right):
    def forward(self, states):
        return states + states + self.detour(states)


class WithNorm(Right):
    def __init__(self, hidden, size):
        super().__init__(hidden, size)
        self.norm = nn.LayerNorm(hidden)

    def detour(self, states):
        return super().detour(self.norm(states))


class NoBias(Right):
    def __init__(self, hidden, size):
        super().__init__(hidden, size)
        self.down, self.up = nn.Linear(hidden, size, bias=False), nn.Linear(size, hidden, bias=False)
        nn.init.zeros_(self.up.weight)


class HalfAsWide(Right):
    """Takes no notice of the width it was asked for."""

    def __init__(self, hidden, size):
        super().__init__(hidden, hidden // 2)


class Seeded(Right):
    def __init__(self, hidden, size):
        torch.manual_seed(0)
        super().__init__(hidden, size)


class OnlyInTraining(Right):
    def detour(self, states):
        return super().detour(states) if self.training else 0 * states


class Tied(Right):
    """The way up is the way down, turned round."""

    def __init__(self, hidden, size):
        super().__init__(hidden, size)
        del self.up
        self.gate = nn.Parameter(torch.zeros(hidden))

    def detour(self, states):
        return torch.relu(self.down(states)) @ self.down.weight * self.gate


class DetourDetached(Right):
    def forward(self, states):
        return states + self.detour(states.detach())


class FirstTextOnly(Right):
    def forward(self, states):
        if states.ndim == 1 or len(states) == 1:
            return super().forward(states)
        return torch.cat([super().forward(states[:1]), states[1:]])


class Squeezed(Right):
    def forward(self, states):
        return super().forward(states).squeeze()


class Drifting(Right):
    def forward(self, states):
        with torch.no_grad():
            self.down.weight *= 0.9
        return super().forward(states)


# --- LoRA ---


class LoRA(nn.Module):
    """The solution, with switches for one mistake at a time."""

    def __init__(self, linear, rank, alpha, freeze=True, scale=None, a=None, b=nn.init.zeros_):
        super().__init__()
        self.linear = linear.requires_grad_(False) if freeze else linear
        self.A = nn.Linear(linear.in_features, rank, bias=False)
        self.B = nn.Linear(rank, linear.out_features, bias=False)
        if a:
            a(self.A.weight)
        b(self.B.weight)
        self.scale = alpha / rank if scale is None else scale(alpha, rank)

    def added(self, x):
        return self.scale * self.B(self.A(x))

    def forward(self, x):
        return self.linear(x) + self.added(x)


class LoRAByParameters(nn.Module):
    """Matrices of the other orientation, with other names, put into the weight before it is used."""

    def __init__(self, linear, rank, alpha):
        super().__init__()
        self.base = linear
        for p in linear.parameters():
            p.requires_grad = False
        self.low = nn.Parameter(torch.randn(linear.in_features, rank) * 0.02)
        self.high = nn.Parameter(torch.zeros(rank, linear.out_features))
        self.factor = alpha / rank

    def forward(self, x):
        weight = self.base.weight + self.factor * (self.low @ self.high).T
        return F.linear(x, weight, self.base.bias)


class LoRAKeepsWeight(nn.Module):
    """Keeps the weight and the bias of the layer, and not the layer."""

    def __init__(self, linear, rank, alpha):
        super().__init__()
        linear.requires_grad_(False)
        self.weight, self.bias = linear.weight, linear.bias
        self.down = nn.Parameter(torch.empty(rank, linear.in_features))
        self.up = nn.Parameter(torch.zeros(linear.out_features, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))
        self.rank, self.alpha = rank, alpha

    def forward(self, x):
        out = x @ self.weight.T + (x @ self.down.T) @ self.up.T * self.alpha / self.rank
        return out if self.bias is None else out + self.bias


class LoRAIsLinear(nn.Linear):
    """A linear layer itself."""

    def __init__(self, linear, rank, alpha):
        super().__init__(linear.in_features, linear.out_features, bias=linear.bias is not None)
        self.weight, self.bias = linear.weight, linear.bias
        self.requires_grad_(False)
        self.pair = nn.ParameterDict(
            {
                "A": nn.Parameter(torch.rand(rank, self.in_features) - 0.5),
                "B": nn.Parameter(torch.zeros(self.out_features, rank)),
            }
        )
        self.scaling = alpha / rank

    def forward(self, x):
        low = torch.einsum("...i,ri->...r", x, self.pair["A"])
        return super().forward(x) + torch.einsum("...r,or->...o", low, self.pair["B"]) * self.scaling


class LoRAWithDropout(LoRA):
    def added(self, x):
        return super().added(F.dropout(x, 0.1, self.training))


class LoRACopies(LoRA):
    def __init__(self, linear, rank, alpha):
        super().__init__(copy.deepcopy(linear), rank, alpha)


class LoRABuffer(LoRA):
    def __init__(self, linear, rank, alpha):
        super().__init__(linear, rank, alpha)
        del self.linear
        self.register_buffer("W", linear.weight.detach().clone())
        self.register_buffer("b", None if linear.bias is None else linear.bias.detach().clone())

    def forward(self, x):
        return F.linear(x, self.W, self.b) + self.added(x)


class LoRATensors(nn.Module):
    """A and B are no parameters."""

    def __init__(self, linear, rank, alpha):
        super().__init__()
        self.linear, self.scale = linear.requires_grad_(False), alpha / rank
        self.A = torch.randn(rank, linear.in_features, requires_grad=True)
        self.B = torch.zeros(linear.out_features, rank, requires_grad=True)

    def forward(self, x):
        return self.linear(x) + self.scale * x @ self.A.T @ self.B.T


class LoRAHidden(LoRA):
    """The wrapped layer in a plain list, where no module looks."""

    def __init__(self, linear, rank, alpha):
        super().__init__(linear, rank, alpha)
        del self.linear
        self.hidden = [linear]

    def forward(self, x):
        return self.hidden[0](x) + self.added(x)


class LoRABiasTwice(LoRA):
    def forward(self, x):
        return super().forward(x) + (0 if self.linear.bias is None else self.linear.bias)


class LoRANoBias(LoRA):
    def forward(self, x):
        return x @ self.linear.weight.T + self.added(x)


class LoRAAlone(LoRA):
    def forward(self, x):
        return self.added(x)


class LoRAMerges(LoRA):
    """Puts B A into the weight, again in each call."""

    def forward(self, x):
        self.linear.weight.data += self.scale * self.B.weight.data @ self.A.weight.data
        return self.linear(x)


class LoRACutBase(LoRA):
    def forward(self, x):
        with torch.no_grad():
            base = self.linear(x)
        return base + self.added(x)


class LoRACutPair(LoRA):
    def added(self, x):
        return self.scale * self.B(self.A(x).detach())


class LoRAWithBiases(LoRA):
    def __init__(self, linear, rank, alpha):
        super().__init__(linear, rank, alpha)
        self.A = nn.Linear(linear.in_features, rank)


class LoRAOneMatrix(LoRA):
    def __init__(self, linear, rank, alpha):
        super().__init__(linear, rank, alpha)
        self.A = nn.Identity()
        self.B = nn.Linear(linear.in_features, linear.out_features, bias=False)
        nn.init.zeros_(self.B.weight)


class LoRASeeded(LoRA):
    def __init__(self, linear, rank, alpha):
        torch.manual_seed(0)
        super().__init__(linear, rank, alpha)


class LoRASameEach(LoRA):
    """Random numbers, and the same for each layer."""

    def __init__(self, linear, rank, alpha):
        super().__init__(linear, rank, alpha)
        draw = torch.Generator().manual_seed(0)
        nn.init.normal_(self.A.weight, generator=draw)


class LoRAOnlyInEval(LoRA):
    def added(self, x):
        return 0 if self.training else super().added(x)


class LoRASharesStorage(LoRA):
    """New parameters over the numbers of the layer, which itself is not frozen."""

    def __init__(self, linear, rank, alpha):
        super().__init__(linear, rank, alpha, freeze=False)
        del self.linear
        self.weight = nn.Parameter(linear.weight.data, requires_grad=False)
        self.bias = None if linear.bias is None else nn.Parameter(linear.bias.data, requires_grad=False)

    def forward(self, x):
        return F.linear(x, self.weight, self.bias) + self.added(x)


class LoRAClearsBias(LoRA):
    def __init__(self, linear, rank, alpha):
        super().__init__(linear, rank, alpha)
        if linear.bias is not None:
            nn.init.zeros_(linear.bias)


class LoRADropsBias(LoRA):
    def __init__(self, linear, rank, alpha):
        super().__init__(linear, rank, alpha)
        linear.bias = None


class LoRANotForOneVector(LoRA):
    def added(self, x):
        return super().added(x) * (x.ndim > 1)


class LoRAInOrthogonalList(nn.Module):
    """In place on the layer's own output, with a list of parameters."""

    def __init__(self, linear, rank, alpha):
        super().__init__()
        self.inner = nn.ModuleList([linear.requires_grad_(False)])
        down = nn.init.orthogonal_(torch.empty(rank, linear.in_features))
        self.pair = nn.ParameterList([down, torch.zeros(linear.out_features, rank)])
        self.register_buffer("factor", torch.tensor(alpha / rank))

    def forward(self, x):
        out = self.inner[0](x)
        out += self.factor * (x @ self.pair[0].mT @ self.pair[1].mT)
        return out


class LoRAMergesForUse(LoRA):
    """Puts B A into the weight in eval mode."""

    def train(self, mode=True):
        if self.training and not mode:
            self.linear.weight.data += self.scale * self.B.weight.data @ self.A.weight.data
        return super().train(mode)


class LoRAWithNonlinearity(LoRA):
    def added(self, x):
        return self.scale * self.B(torch.relu(self.A(x)))


class LoRATwoDimensions(LoRA):
    def added(self, x):
        return self.scale * torch.mm(torch.mm(x, self.A.weight.T), self.B.weight.T)


class LoRASwapped(nn.Module):
    """A of shape (out, rank) meets what came in."""

    def __init__(self, linear, rank, alpha):
        super().__init__()
        self.linear, self.scale = linear.requires_grad_(False), alpha / rank
        self.A = nn.Parameter(torch.randn(linear.out_features, rank))
        self.B = nn.Parameter(torch.zeros(rank, linear.in_features))

    def forward(self, x):
        return self.linear(x) + self.scale * (x @ self.A @ self.B)


class LoRATrainsBias(LoRA):
    def __init__(self, linear, rank, alpha):
        super().__init__(linear, rank, alpha)
        if linear.bias is not None:
            linear.bias.requires_grad_(True)


class LoRAStartsWeightAnew(LoRA):
    def __init__(self, linear, rank, alpha):
        super().__init__(linear, rank, alpha)
        nn.init.normal_(linear.weight)


class LoRASilent(LoRA):
    def forward(self, x):
        super().forward(x)


def with_switch(**switch):
    return lambda linear, rank, alpha: LoRA(linear, rank, alpha, **switch)


# --- counting parameters ---


def counted(parameters):
    found = list(parameters)
    return sum(p.numel() for p in found), sum(p.numel() for p in found if p.requires_grad)


def count_by_identity(model):
    seen = {id(p): p for m in model.modules() for p in m._parameters.values() if p is not None}
    return counted(seen.values())


def count_by_address(model):
    found = {p.data_ptr(): p for _, p in model.named_parameters(remove_duplicate=False)}
    return torch.tensor(counted(found.values()))


def count_by_shape(model):
    sizes = [(np.prod(p.shape), p.requires_grad) for p in model.parameters()]
    return np.array([sum(n for n, _ in sizes), sum(n for n, on in sizes if on)])


def count_by_flattening(model):
    flat = nn.utils.parameters_to_vector(model.parameters())
    moved = [p.flatten() for p in model.parameters() if p.requires_grad]
    return [len(flat), len(torch.cat(moved)) if moved else 0]


def count_different_values(model):
    return counted({tuple(p.flatten().tolist()): p for p in model.parameters()}.values())


def by_names(*names):
    return lambda model: counted(p for n, p in model.named_parameters() if n.rpartition(".")[2] in names)


def linear_layers_only(model):
    return counted(p for m in model.modules() if isinstance(m, nn.Linear) for p in m.parameters())


def children_only(model):
    return counted(p for m in model.children() for p in m.parameters())


def layers_as_wholes(model):
    total = trained = 0
    for m in model.modules():
        own = list(m.parameters(recurse=False))
        total += sum(p.numel() for p in own)
        trained += sum(p.numel() for p in own) if own and own[0].requires_grad else 0
    return total, trained


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


def frozen_and_trained(model):
    total, trained = right_count(model)
    return total - trained, trained


def by_gradient(model):
    return right_count(model)[0], sum(p.numel() for p in model.parameters() if p.grad is not None)


def unfreezing(model):
    model.requires_grad_(True)
    return right_count(model)


RETURNS = {
    checks.pooling: "array",
    checks.bottleneck: "module",
    checks.lora: "module",
    checks.parameter_count: "integers",
}
CASES = [
    (checks.pooling, heads.mean_pool),
    (checks.pooling, by_loop),
    (checks.pooling, by_einsum),
    (checks.pooling, by_nanmean),
    (checks.pooling, by_numpy),
    (checks.pooling, by_plain_python),
    (checks.pooling, in_double),
    (checks.pooling, in_half_precision),
    (checks.bottleneck, Right),
    (checks.bottleneck, adapters.Bottleneck),
    (checks.bottleneck, ByParameters),
    (checks.bottleneck, WithDropout),
    (checks.bottleneck, RandomSlope),
    (checks.bottleneck, SoftmaxOverNumbers),
    (checks.bottleneck, Sequential),
    (checks.bottleneck, Squared),
    (checks.lora, LoRA),
    (checks.lora, LoRAByParameters),
    (checks.lora, LoRAKeepsWeight),
    (checks.lora, LoRAIsLinear),
    (checks.lora, LoRAWithDropout),
    (checks.lora, LoRAInOrthogonalList),
    (checks.parameter_count, right_count),
    (checks.parameter_count, count_by_identity),
    (checks.parameter_count, count_by_address),
    (checks.parameter_count, count_by_shape),
    (checks.parameter_count, count_by_flattening),
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
    (checks.pooling, lambda states, mask: heads.mean_pool(states, 1 - mask), "mask is inverted"),
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
    (checks.bottleneck, Wide, "expected 80"),
    (checks.bottleneck, AcrossPieces, "sees each state alone"),
    (checks.bottleneck, Narrow, "expected (2, 5, 11)"),
    (checks.bottleneck, Silent, "the forward returns nothing"),
    (checks.parameter_count, lambda model: (right_count(model)[0],) * 2, "requires_grad"),
    (checks.parameter_count, shared_twice, "count each tensor once"),
    (checks.parameter_count, frozen_and_trained, "counts only what is frozen"),
    (checks.parameter_count, by_gradient, "nothing counts as trained"),
    (checks.parameter_count, tensors_only, "count tensors"),
    (checks.parameter_count, with_buffers, "buffers"),
    (checks.parameter_count, with_state_dict, "count each tensor once"),
    (checks.parameter_count, lambda model: right_count(model)[::-1], "wrong way round"),
    (checks.parameter_count, lambda model: (right_count(model)[1],) * 2, "should count everything"),
    (checks.parameter_count, unfreezing, "must not change the model"),
    (checks.parameter_count, lambda model: None, "returns nothing"),
    (checks.parameter_count, lambda model: right_count(model)[0], "two numbers"),
    (checks.parameter_count, lambda model: (*right_count(model), 0), "two numbers"),
    (checks.pooling, first_n, "padding on the left"),
    (checks.pooling, lambda states, mask: heads.mean_pool(states, mask).squeeze(), "has the shape"),
    (checks.pooling, lambda states, mask: F.normalize(heads.mean_pool(states, mask), dim=1), "scaled to length one"),
    (checks.pooling, lambda states, mask: (states * real(mask)).sum(1) / (real(mask).sum(1) + 1), "one more than"),
    (
        checks.pooling,
        lambda states, mask: (states * real(mask)).sum(1) / real(mask).sum(1).clamp(1).sqrt(),
        "square root",
    ),
    (checks.pooling, lambda states, mask: (states * real(mask)).max(1).values, "padding takes part"),
    (checks.pooling, lambda states, mask: states.max(1).values, "over all positions"),
    (checks.pooling, lambda states, mask: states[:, -1], "at the last position"),
    (checks.pooling, without_cls, "leave out the first real piece"),
    (checks.pooling, no_vector_for_empty, "has the shape"),
    (checks.pooling, first_for_empty, "should come out as zeros"),
    (checks.pooling, clears_the_mask, "changes the attention mask"),
    (
        checks.pooling,
        lambda states, mask: (states * real(mask)).sum(1) // real(mask).sum(1).clamp(1),
        "is not the mean",
    ),
    (checks.pooling, lambda states, mask: states.sum() / mask.sum(), "has the shape ()"),
    (checks.pooling, lambda states, mask: "mean", "you return the str 'mean'"),
    (checks.bottleneck, InPlace, "changes a tensor in place"),
    (checks.bottleneck, SoftmaxOverBatch, "the other texts of the batch"),
    (checks.bottleneck, SoftmaxOverPieces, "the other states of the text"),
    (checks.bottleneck, NormOverBatch, "sees each state alone"),
    (checks.bottleneck, DropoutForEver, "a dropout is still active"),
    (checks.bottleneck, DropoutOnSum, "dropout acts on the states that came in"),
    (checks.bottleneck, OnlyThreeDimensions, "ValueError"),
    (checks.bottleneck, InAList, "in a plain list they are not"),
    (checks.bottleneck, AddedTwice, "already changes the states"),
    (checks.bottleneck, WithNorm, "expected 80"),
    (checks.bottleneck, NoBias, "expected 80"),
    (checks.bottleneck, HalfAsWide, "expected 80"),
    (checks.bottleneck, Seeded, "set no seed"),
    (checks.bottleneck, OnlyInTraining, "must reach the way down"),
    (checks.bottleneck, Tied, "expected 80"),
    (checks.bottleneck, Squeezed, "with the shape (11,)"),
    (checks.bottleneck, Drifting, "changes a weight"),
    (checks.bottleneck, lambda hidden, size: lambda states: states, "expected an nn.Module"),
    (checks.bottleneck, lambda hidden, size: None, "makes nothing; expected an nn.Module"),
    (checks.bottleneck, DetourDetached, "do not detach the states"),
    (checks.bottleneck, FirstTextOnly, "treats all states alike"),
    (checks.lora, LoRAOnlyInEval, "in training mode no gradient"),
    (checks.lora, LoRASharesStorage, "not frozen"),
    (checks.lora, LoRAClearsBias, "or the bias of `linear`"),
    (checks.lora, LoRADropsBias, "or the bias of `linear`"),
    (checks.lora, LoRANotForOneVector, "for inputs of shape (7,)"),
    (checks.lora, with_switch(b=nn.init.normal_), "B must start at zero"),
    (checks.lora, with_switch(a=nn.init.zeros_), "both zero"),
    (checks.lora, with_switch(a=nn.init.zeros_, b=nn.init.normal_), "the other way round"),
    (checks.lora, with_switch(a=nn.init.ones_), "rows of A are equal"),
    (checks.lora, with_switch(freeze=False), "not frozen"),
    (checks.lora, with_switch(scale=lambda alpha, rank: alpha), "by alpha alone"),
    (checks.lora, with_switch(scale=lambda alpha, rank: 1 / rank), "by the rank alone"),
    (checks.lora, with_switch(scale=lambda alpha, rank: 1), "without its factor"),
    (checks.lora, with_switch(scale=lambda alpha, rank: alpha // rank), "a whole number"),
    (checks.lora, with_switch(scale=lambda alpha, rank: rank / alpha), "rank / alpha"),
    (checks.lora, with_switch(scale=lambda alpha, rank: alpha / rank**0.5), "square root of the rank"),
    (checks.lora, with_switch(scale=lambda alpha, rank: 0), "not added at all"),
    (checks.lora, with_switch(scale=lambda alpha, rank: -alpha / rank), "subtracted"),
    (checks.lora, LoRACopies, "not a copy"),
    (checks.lora, LoRABuffer, "not a copy"),
    (checks.lora, LoRATensors, "A plain tensor is no parameter"),
    (checks.lora, with_switch(scale=lambda alpha, rank: 16 / rank), "is not linear(x) + alpha / rank"),
    (checks.lora, lambda linear, rank, alpha: LoRA(linear, alpha, rank), "or transposed. Yours would change"),
    (checks.lora, LoRAHidden, "not in a plain list"),
    (checks.lora, LoRABiasTwice, "added twice"),
    (checks.lora, LoRANoBias, "is missing"),
    (checks.lora, LoRAAlone, "returns zeros"),
    (checks.lora, LoRAMerges, "changes a weight"),
    (checks.lora, LoRACutBase, "does not pass through"),
    (checks.lora, LoRACutPair, "no gradient reaches A or B"),
    (checks.lora, LoRAWithBiases, "or transposed. Yours would change"),
    (checks.lora, LoRAOneMatrix, "or transposed. Yours would change"),
    (checks.lora, LoRATrainsBias, "not frozen"),
    (checks.lora, LoRASeeded, "set no seed"),
    (checks.lora, LoRASameEach, "start with the same A"),
    (checks.lora, LoRAMergesForUse, "in eval mode the weight"),
    (checks.lora, LoRAWithNonlinearity, "is not linear(x)"),
    (checks.lora, LoRATwoDimensions, "RuntimeError"),
    (checks.lora, LoRASwapped, "the other way round"),
    (checks.lora, LoRAStartsWeightAnew, "making the layer changes the weight"),
    (checks.lora, LoRASilent, "the forward returns nothing"),
    (checks.lora, lambda linear, rank, alpha: linear.requires_grad_(False), "no trainable parameter"),
    (checks.parameter_count, by_names("weight"), "called `weight` are counted"),
    (checks.parameter_count, by_names("weight", "bias"), "called `weight` or `bias`"),
    (checks.parameter_count, count_different_values, "two norms"),
    (checks.parameter_count, linear_layers_only, "only nn.Linear layers"),
    (checks.parameter_count, children_only, "belongs to no layer"),
    (checks.parameter_count, layers_as_wholes, "only the bias is trained"),
    (checks.parameter_count, lambda model: counted(p for p in model.parameters() if p.ndim == 2), "only matrices"),
    (checks.parameter_count, lambda model: [sum(p.nbytes for p in model.parameters()) for _ in range(2)], "is wrong"),
    (checks.parameter_count, lambda model: (right_count(model)[0], right_count(model)[0] / 2), "whole numbers"),
    (checks.parameter_count, lambda model: tuple(n / 1e6 for n in right_count(model)), "whole numbers"),
    (checks.parameter_count, lambda model: (23, 23), "is wrong"),
    (checks.parameter_count, lambda model: f"{right_count(model)}", "two numbers"),
]
