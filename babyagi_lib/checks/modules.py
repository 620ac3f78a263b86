"""What the checks of modules share: is it a module, what does it return, can it learn. Used by lessons 02 and 04."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from babyagi_lib.checks.answers import Wrong, describe


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch's own generator starts at a seed here, and goes on afterwards where it was."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        yield


def module(made: Any) -> nn.Module:
    """The module that the learner's class made.

    Raises:
        Wrong: it is none.
    """
    if not isinstance(made, nn.Module):
        raise Wrong(f"the class makes {describe(made)}; expected an nn.Module.")
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
            "module, or stand in an nn.ModuleList or nn.ParameterList; in a plain list they are not."
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
