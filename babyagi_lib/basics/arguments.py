"""Checks of numbers that a caller passes. Used by the folders from `models` to `worlds`."""

from __future__ import annotations

import math
import numbers


def check_whole(name: str, value: object, least: int) -> None:
    """Raise ValueError unless `value` is a whole number of at least `least`; `name` is the parameter's."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise ValueError(f"{name} is {value!r}; expected a whole number of at least {least}")


def check_number(name: str, value: object, low: float, high: float = math.inf, *, above: bool = False) -> None:
    """Raise ValueError unless `value` is a finite number from `low` to `high`; with `above`, `low` itself is refused."""
    right = isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
    if not right or not low <= value <= high or (above and value == low):
        wanted = f"above {low}" if above else f"of at least {low}"
        raise ValueError(
            f"{name} is {value!r}; expected a finite number {wanted}{'' if high == math.inf else f' and at most {high}'}"
        )
