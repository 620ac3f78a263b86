"""The exercises of lesson 02: pooling with padding, the bottleneck adapter, counting parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from babyagi_lib.checks.verdict import Wrong, exercise

if TYPE_CHECKING:
    from torch import Tensor, nn


@exercise("02_adapter_heads")
def pooling(pool: Callable[[Tensor, Tensor], Tensor]) -> str:
    """Check `pool(states, attention_mask)`: the mean over real pieces, zeros for a row that has none."""
    import torch

    hidden = 6
    states = torch.randn(5, 7, hidden, generator=torch.Generator().manual_seed(0))
    lengths = [7, 3, 1, 5, 0]
    mask = torch.tensor([[1] * n + [0] * (7 - n) for n in lengths])
    wanted = torch.stack([states[i, :n].mean(0) if n else torch.zeros(hidden) for i, n in enumerate(lengths)])
    given = states.clone()
    found = pool(given, mask.clone())
    if not isinstance(found, torch.Tensor):
        raise Wrong(
            f"your function returns {'nothing' if found is None else type(found).__name__}; return a tensor with one "
            f"vector per text."
        )
    if found.shape != wanted.shape:
        raise Wrong(
            f"states of shape {tuple(states.shape)} should become {tuple(wanted.shape)}, one vector per text; yours "
            f"has the shape {tuple(found.shape)}."
        )
    if not torch.equal(given, states):
        raise Wrong("your function changes the states it was given; the next layer may still need them.")

    def same(tensor: Tensor, rows: list[int] | slice = slice(None)) -> bool:
        return torch.allclose(found[rows], tensor[rows], atol=1e-5)

    real = mask.unsqueeze(-1)
    some = [0, 1, 2, 3]  # the rows with a real piece
    if same(states.mean(1), some):
        raise Wrong("this averages over padding too: only positions where attention_mask is 1 are text.")
    if same((states * real).sum(1) / states.shape[1], some):
        raise Wrong(
            "padding is left out of the sum and still counted in the division: divide by the number of real pieces, "
            "not by the length of the batch."
        )
    if same((states * real).sum(1) / real.sum(), some):
        raise Wrong("you divide by the real pieces of the whole batch: each text has a number of its own.")
    if same((states * real).sum(1), some):
        raise Wrong("this is the sum of the real pieces, so long texts get long vectors: divide by their number.")
    if same(states[:, 0]):
        raise Wrong("this is the vector of [CLS] alone; the mean of all real pieces is asked for.")
    if same(states.masked_fill(real == 0, -torch.inf).max(1).values, some):
        raise Wrong("this is the maximum over the real pieces; the mean is asked for.")
    if same(wanted, some) and not bool(found[4].isfinite().all()):
        raise Wrong(
            "a text without any real piece comes out as NaN (0 divided by 0), and one NaN in a batch makes the whole "
            "loss NaN: divide by at least 1."
        )
    if not same(wanted):
        wrong = [i for i in range(5) if not same(wanted, [i])]
        raise Wrong(
            f"texts with {', '.join(str(lengths[i]) for i in wrong)} real pieces of 7 are not the mean of these pieces."
        )
    return "padding has no say, whatever the batch looks like."


def _jacobian(module: nn.Module, x: Tensor) -> Tensor:
    """How what a module adds to one state (hidden,) changes with that state: (hidden, hidden)."""
    import torch

    return torch.autograd.functional.jacobian(lambda v: module(v.clone().view(1, 1, -1)).flatten() - v, x)


@exercise("02_adapter_heads")
def bottleneck(make: Callable[[int, int], nn.Module]) -> str:
    """Check a bottleneck adapter class: `make(hidden, size)` gives a module `states -> states`."""
    import torch

    hidden, size = 12, 3

    def states_of(seed: int) -> Tensor:
        return torch.randn(2, 5, hidden, generator=torch.Generator().manual_seed(seed))

    torch.manual_seed(0)
    module = make(hidden, size)
    states = states_of(0).requires_grad_()
    out = module(states.clone())
    if not isinstance(out, torch.Tensor):
        raise Wrong("the forward returns no tensor; return the adapted states.")
    if out.shape != states.shape:
        raise Wrong(f"states of shape {tuple(states.shape)} come out as {tuple(out.shape)}; the shape must stay.")
    if not torch.equal(out, states):
        if not out.any():
            raise Wrong("a new adapter returns zeros: add what came in, or the encoder's states are lost.")
        raise Wrong(
            "a new adapter already changes the states: let the way up start at zero, weight and bias, so that the "
            "encoder goes on as before."
        )
    parameters = list(module.parameters())
    trainable = [p for p in parameters if p.requires_grad]
    if not trainable:
        raise Wrong("the adapter has no trainable parameter: use two nn.Linear layers.")
    if len(trainable) < len(parameters):
        raise Wrong("some of the adapter's own parameters are frozen; all of them are there to be trained.")
    wanted, count = 2 * hidden * size + hidden + size, sum(p.numel() for p in trainable)
    if count != wanted:
        raise Wrong(
            f"{count} trainable parameters for hidden size {hidden} and bottleneck {size}, expected {wanted}: "
            f"{hidden}·{size} + {size} on the way down, {size}·{hidden} + {hidden} on the way up."
        )
    out.square().sum().backward()
    if not any(p.grad is not None and p.grad.any() for p in trainable if p.ndim > 1):
        raise Wrong(
            "no gradient reaches either matrix of a new adapter, so it would stay as it is for ever: only the way up "
            "may start at zero, the way down needs random numbers, and neither may be detached."
        )
    if states.grad is None or not torch.allclose(states.grad, 2 * states.detach()):
        raise Wrong(
            "the gradient does not pass through the adapter to the layers below it as it should: add the states themselves."
        )

    with torch.no_grad():  # as if it had been trained
        for i, p in enumerate(trainable):
            p.copy_(torch.randn(p.shape, generator=torch.Generator().manual_seed(i + 1)))
    module.zero_grad()
    module(states_of(0)).square().sum().backward()
    if any(p.grad is None or not p.grad.any() for p in trainable):
        raise Wrong(
            "once the way up has moved, a gradient must reach the way down too: something between them is cut off."
        )
    # Between down and up there are `size` numbers, so all changes of the output lie in as few directions, and so do all
    # changes of the input that matter; a non-linearity before the way down or after the way up breaks one or the other.
    slopes = torch.stack([_jacobian(module, x) for x in states_of(3).flatten(0, 1)])  # (texts, out, in)
    for stacked in (slopes, slopes.transpose(1, 2)):
        if int(torch.linalg.matrix_rank(stacked.reshape(-1, hidden), rtol=1e-3)) > size:
            raise Wrong("the non-linearity stands in the wrong place: it belongs between the way down and the way up.")
    with torch.no_grad():

        def moved(x: Tensor) -> Tensor:
            return module(x.clone()) - x

        a, b, zero = states_of(1), states_of(2), torch.zeros(2, 5, hidden)
        if torch.allclose(moved(a + b) + moved(zero), moved(a) + moved(b), atol=1e-3):
            raise Wrong(
                "what the adapter adds is a linear function of the states: without a non-linearity between down and "
                "up, the two layers are one of low rank."
            )
        changed = a.clone()
        changed[:, 0] += 1
        if not torch.allclose(moved(a)[:, 1:], moved(changed)[:, 1:], atol=1e-4):
            raise Wrong("a change in the first piece changes what other pieces get: an adapter sees each piece alone.")
    return f"nothing changes at the start, {count} parameters, and a gradient reaches all of them once the way up has moved."


@exercise("02_adapter_heads")
def parameter_count(count: Callable[[nn.Module], tuple[int, int]]) -> str:
    """Check `count(model)`: (all, trainable) numbers in a model's parameters, each tensor once."""
    import torch
    from torch import nn

    def frozen(module: nn.Module) -> nn.Module:
        return module.requires_grad_(False)

    class Tied(nn.Module):
        """Pieces in and pieces out with one table, as in many language models."""

        def __init__(self) -> None:
            super().__init__()
            self.embeddings = nn.Embedding(50, 4)
            self.mix = nn.Linear(4, 4)
            self.out = nn.Linear(4, 50)
            self.out.weight = self.embeddings.weight

    torch.manual_seed(0)
    plain = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    adapted = nn.Sequential(frozen(nn.Linear(10, 10)), nn.Linear(10, 2))
    all_frozen = frozen(nn.Linear(3, 3))
    normed = nn.Sequential(nn.BatchNorm1d(5), nn.Linear(5, 1))
    cases = [
        ("two linear layers", plain, (23, 23)),
        ("a frozen layer under a head", adapted, (132, 22)),
        ("a model that is all frozen", all_frozen, (12, 0)),
        ("a model whose output layer shares its matrix with the embedding", Tied(), (270, 270)),
        ("a model with batch norm, which has buffers", normed, (16, 16)),
    ]
    for name, model, wanted in cases:
        before = [p.requires_grad for p in model.parameters()]
        found = count(model)
        if found is None:
            raise Wrong("your function returns nothing; return two numbers, all and trainable.")
        try:
            found = tuple(int(n) for n in found)
        except TypeError as error:
            raise Wrong(f"return two numbers, all and trainable, not {found!r}.") from error
        if len(found) != 2:
            raise Wrong(f"return two numbers, all and trainable, not {len(found)}.")
        if [p.requires_grad for p in model.parameters()] != before:
            raise Wrong("your function freezes or unfreezes parameters; counting must not change the model.")
        if found == wanted:
            continue
        said = f" For {name} you return {found}; it has {wanted[0]} numbers, of which {wanted[1]} are trained."
        tensors = list(model.parameters())
        if found[0] == len(tensors):
            raise Wrong("you count tensors; count the numbers in them (p.numel())." + said)
        if found == wanted[::-1]:
            raise Wrong("the two numbers are the wrong way round: all first, then trainable." + said)
        if found[0] == wanted[0] and found[1] == wanted[0]:
            raise Wrong("frozen parameters are not trained: look at p.requires_grad." + said)
        if found[1] == wanted[1] and found[0] == wanted[1]:
            raise Wrong("the first number leaves out what is frozen; it should count everything." + said)
        if isinstance(model, Tied) and found[0] > wanted[0]:
            raise Wrong("a matrix that two layers share is one matrix: count each tensor once." + said)
        if model is normed and found[0] > wanted[0]:
            raise Wrong("buffers (running averages) are no parameters: no gradient ever moves them." + said)
        raise Wrong("the count is off." + said)
    return "each number once, frozen or not, shared or not."


@exercise("02_adapter_heads")
def lora(make):
    import torch
    from torch import nn
    linear = nn.Linear(5, 7)
    layer = make(linear, 2, 3)
    x = torch.randn(2, 5)
    if not torch.equal(layer(x), linear(x)):
        raise Wrong("not the identity at first")
    return "stand-in."
