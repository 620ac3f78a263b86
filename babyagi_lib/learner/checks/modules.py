"""What the checks of modules share: is it a module, what does it return, can it learn. Used by lessons 02, 04 and 05."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from babyagi_lib.learner.checks.answers import Wrong, describe

SEED = 60_221  # a number that no learner's class sets by itself


@contextmanager
def own_generator() -> Iterator[None]:
    """Torch's own generator starts at SEED here, and goes on afterwards where it was."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(SEED)
        yield


def made_by(make: Callable[..., Any], *arguments: Any) -> nn.Module:
    """The module that the learner's class makes, within `own_generator`.

    Raises:
        Wrong: it is no module, or making it sets a seed.
    """
    made = make(*arguments)
    if not isinstance(made, nn.Module):
        raise Wrong(f"the class makes {describe(made)}; expected an nn.Module.")
    if torch.initial_seed() != SEED:
        raise Wrong("your class sets torch's seed, so that all layers start alike: set no seed inside the class.")
    return made


def trainable(made: nn.Module) -> list[nn.Parameter]:
    """The parameters that training would change.

    Raises:
        Wrong: there are none.
    """
    found = [p for p in made.parameters() if p.requires_grad]
    if not found:
        raise Wrong(
            "the module has no trainable parameter. Layers and nn.Parameters are found if they are attributes of the "
            "module, or stand in an nn.ModuleList or nn.ParameterList; in a plain list they are not. A plain tensor is no "
            "parameter."
        )
    return found


def output(made: nn.Module, *inputs: Tensor, shape: tuple[int, ...], what: str) -> Tensor:
    """What the module makes of copies of the inputs, so that working in place does no harm.

    Args:
        made: the learner's module.
        inputs: the arguments of its forward.
        shape: the shape that the output must have.
        what: the name of the first input ("states"), for a message.

    Raises:
        Wrong: it returns no tensor, or one of another shape; or the call changes a parameter.
    """
    before = [p.detach().clone() for p in made.parameters()]
    out = made(*(x.clone() for x in inputs))
    if not isinstance(out, Tensor):
        raise Wrong(f"the forward returns {describe(out)}; return a tensor of shape {shape}.")
    if out.shape != shape:
        raise Wrong(
            f"{what} of shape {tuple(inputs[0].shape)} come out with the shape {tuple(out.shape)}; expected {shape}."
        )
    if any(not torch.equal(a, b) for a, b in zip(before, made.parameters(), strict=True)):
        raise Wrong("the forward changes a weight of the module; only training may do that.")
    return out


@contextmanager
def changes_in_place_named() -> Iterator[None]:
    """Gradients that are computed here and meet a tensor that was changed in place raise `Wrong`, which says so."""
    try:
        yield
    except RuntimeError as error:
        if "inplace operation" not in str(error):
            raise
        raise Wrong(
            "your code changes a tensor in place that the gradient needs as it was, so training would stop with an "
            "error: write `x = x + ...`, not `x += ...`."
        ) from None


def backward(loss: Tensor) -> None:
    """Send gradients back, if any parameter or input has a part in the loss.

    Raises:
        Wrong: a tensor was changed in place that the gradient needs.
    """
    if loss.requires_grad:
        with changes_in_place_named():
            loss.backward()


def train_at_random(parameters: list[nn.Parameter]) -> None:
    """Give every parameter random numbers, as if it had been trained."""
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in parameters:
            p.copy_(torch.randn(p.shape, generator=draw))


def close(a: Tensor, b: Tensor, tolerance: float = 1e-5) -> bool:
    """Whether two tensors of one shape agree, whatever their precision."""
    return torch.allclose(a.detach().double(), b.detach().double(), rtol=tolerance, atol=tolerance)
