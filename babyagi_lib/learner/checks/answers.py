"""Reads what a learner's function returned, and shows numbers side by side. Used by the checks of every lesson.

A right answer may come as NumPy or torch, float32 or float64, a list, a 0-d array or a tensor with a gradient. Here all
of them become float64 arrays, so that a check compares numbers and nothing else. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

SINGLE = float(np.finfo(np.float32).eps)  # 1.2e-7: the rounding error of one operation in float32
DOUBLE = float(np.finfo(np.float64).eps)


class Wrong(Exception):
    """Raised inside a check with what is wrong, in the learner's terms."""


def describe(value: Any) -> str:
    """What kind of thing a value is, for a message: its type, and its shape and dtype, value or length."""
    if value is None:
        return "nothing"
    name = f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}"
    name = (
        name.removeprefix("builtins.").removeprefix("__main__.").replace("numpy.", "NumPy ").replace("ndarray", "array")
    )
    if isinstance(value, str | int | float | complex | np.generic):
        text = repr(value) if isinstance(value, str) else str(value)
        return f"the {name} {text if len(text) <= 40 else text[:40] + '…'}"
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"a {name} of shape {tuple(value.shape)} with {str(value.dtype).removeprefix('torch.')} entries"
    if isinstance(value, Sized) and not isinstance(value, type):
        return f"a {name} of length {len(value)}"
    return f"a {name}"


def array(found: Any, expected: str) -> NDArray[np.float64]:
    """The numbers in an answer, in its own shape.

    Raises:
        Wrong: there are none; the message says what was `expected` ("one number for each state") and what came.
    """
    if found is None:
        raise Wrong(f"your function returns nothing; return {expected}.")
    try:
        values = np.asarray(_plain(found))
        texts = values.dtype.kind == "O" and any(isinstance(entry, str | bytes) for entry in values.flat)
        if texts or values.dtype.kind not in "biufO":
            raise TypeError
        return values.astype(np.float64)
    except (TypeError, ValueError, RuntimeError):  # text, a ragged list, an object; torch raises RuntimeError
        raise Wrong(f"return {expected}; you return {describe(found)}.") from None


def number(found: Any, expected: str = "one number") -> float:
    """The one number in an answer: a float, a 0-d array or tensor, or an array that holds a single number.

    Raises:
        Wrong: it is not one number.
    """
    if isinstance(found, bool | np.bool_):
        raise Wrong(f"return {expected}; you return {found}, which only says yes or no.")
    values = array(found, expected)
    if values.size != 1:
        raise Wrong(f"return {expected}; you return {values.size} numbers: {describe(found)}.")
    return float(values.reshape(()))


def precision(found: Any) -> float:
    """The rounding error of one operation in an answer's type: 2.2e-16 for Python's numbers and for float64."""
    kind = getattr(found, "dtype", None)
    if hasattr(found, "detach"):
        import torch

        return torch.finfo(kind).eps if kind.is_floating_point else DOUBLE
    return float(np.finfo(kind).eps) if isinstance(kind, np.dtype) and kind.kind == "f" else DOUBLE


def _plain(found: Any) -> Any:
    """The answer with every torch tensor in it turned into an array, detached and on the processor."""
    if isinstance(found, list | tuple):
        return [_plain(part) for part in found]
    if not hasattr(found, "detach"):
        return found
    tensor = found.detach().cpu().resolve_conj().resolve_neg()
    return tensor.float().numpy() if str(tensor.dtype) == "torch.bfloat16" else tensor.numpy()


def side_by_side(found: ArrayLike, wanted: ArrayLike, digits: int = 4) -> tuple[str, str]:
    """Two numbers, or two arrays of one shape, as text, with as many digits as it takes to see where they differ.

    The two texts are the same only where all numbers are the same.
    """
    pair = [np.asarray(values, dtype=np.float64) for values in (found, wanted)]
    for more in range(digits, 18):  # 17 digits tell any two float64 numbers apart
        texts = [_text(values, more) for values in pair]
        if texts[0] != texts[1]:
            break
    return texts[0], texts[1]


def _text(values: NDArray[np.float64], digits: int) -> str:
    if values.ndim == 0:
        return "0" if values == 0 else f"{float(values):.{digits}g}"  # -0 and 0 are equal
    return "[" + ", ".join(_text(row, digits) for row in values) + "]"


def rounded_to(found: NDArray[np.float64], wanted: NDArray[np.float64], eps: float = DOUBLE) -> int | None:
    """The number of decimals, if answers of this precision are all the right ones rounded to one to seven decimals."""
    slack = 4 * eps * np.maximum(1, np.abs(wanted))
    if (np.abs(found - wanted) <= slack).all() or not np.any(found):
        return None
    for n in range(1, 8):
        if (np.abs(found - found.round(n)) <= slack).all() and (np.abs(found - wanted) <= 0.5 * 0.1**n + slack).all():
            return n
    return None
