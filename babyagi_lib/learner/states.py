"""The states of an explorer, drawn beforehand: what the book shows under the same controls, without a kernel.

Used by `explore`, in the runs whose outputs the book shows; the book's `explorer.js` reads what `drawn` returns.
"""

from __future__ import annotations

import base64
import json
import os
import zlib
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ipywidgets

    from babyagi_lib.figures.base import Picture

MIME = "application/vnd.babyagi.states+json"
ASKED = "BABYAGI_STATES"  # the environment variable with which the tool asks for states
MOST = 100  # states of one explorer; drawing one takes about a tenth of a second


def asked() -> bool:
    """True where the outputs of this run are for the book."""
    return ASKED in os.environ


def drawn(draw: Callable[..., Picture], controls: dict[str, ipywidgets.ValueWidget]) -> dict[str, Any]:
    """Every state of an explorer as JSON: its controls with their options, and for each combination a drawing.

    A long slider is thinned, evenly and with its starting value, until there are at most `MOST` states. Drawings of one
    explorer share most of their lines. So each different line is kept once, a drawing is a list of line numbers, and the
    whole is compressed (zlib, base64): some ten kilobytes for fifty drawings.

    Args:
        draw: makes the picture from the controls' values, by name.
        controls: by name, sliders and choices; the last one varies fastest in the list of drawings.

    Returns:
        `controls`, each with `label`, `slider` (else a menu), `options` (text) and `start`, an index; and `packed`, which
        holds `lines`, `drawings` (numbers of lines) and `alts`.

    Raises:
        ValueError: a control has no list or range of values, or there are more than `MOST` states in choices alone.
    """
    import matplotlib.pyplot as plt  # not at the top: the tool reads this module for its names alone

    from babyagi_lib.figures.base import FOR_THE_BOOK, svg

    options = {name: _options(control) for name, control in controls.items()}
    _thin(options, controls)
    lines: dict[str, int] = {}
    drawings, alts = [], []
    for values in product(*([value for _, value in pairs] for pairs in options.values())):
        with plt.rc_context(FOR_THE_BOOK):
            picture = draw(**dict(zip(options, values, strict=True)))
        drawings.append([lines.setdefault(line, len(lines)) for line in svg(picture.figure).splitlines()])
        alts.append(picture.alt)
    packed = json.dumps({"lines": list(lines), "drawings": drawings, "alts": alts}, separators=(",", ":"))
    described = [
        {
            "label": control.description,
            "slider": _is_slider(control),
            "options": [label for label, _ in options[name]],
            "start": _start(options[name], control),
        }
        for name, control in controls.items()
    ]
    return {"controls": described, "packed": base64.b64encode(zlib.compress(packed.encode(), 9)).decode()}


def _is_slider(control: ipywidgets.ValueWidget) -> bool:
    return hasattr(control, "min") or type(control).__name__ == "SelectionSlider"


def _options(control: ipywidgets.ValueWidget) -> list[tuple[str, Any]]:
    """The values that a control can take, with their labels."""
    if hasattr(control, "options"):
        named = control.options.items() if isinstance(control.options, dict) else control.options
        return [pair if isinstance(pair, tuple) else (str(pair), pair) for pair in named]
    if not hasattr(control, "min"):
        raise ValueError(f"{control.description}: the book needs a control with options, or with min and max")
    count = round((control.max - control.min) / control.step) + 1
    steps: Iterable = (control.min + number * control.step for number in range(count))
    return [(f"{value:g}", value) for value in steps]


def _start(pairs: Sequence, control: ipywidgets.ValueWidget) -> int:
    """The index of the control's value, or of the nearest: the steps of a slider are rounded."""
    values = [value for _, value in pairs]
    if hasattr(control, "min"):
        return min(range(len(values)), key=lambda index: abs(values[index] - control.value))
    return values.index(control.value)


def _thin(options: dict[str, list], controls: dict[str, ipywidgets.ValueWidget]) -> None:
    """Shorten the longest slider, again and again, until there are at most `MOST` states."""
    while prod(map(len, options.values())) > MOST:
        sliders = [name for name in options if _is_slider(controls[name]) and len(options[name]) > 3]
        if not sliders:
            raise ValueError(f"the controls have more than {MOST} combinations; use fewer options")
        name = max(sliders, key=lambda name: len(options[name]))
        others = prod(len(pairs) for other, pairs in options.items() if other != name)
        start, fewer = _start(options[name], controls[name]), min(MOST // others, len(options[name]) - 1)
        options[name] = _evenly(options[name], start, fewer)


def _evenly(pairs: Sequence, start: int, count: int) -> list:
    """At most `count` of them: `start`, the first, the last, and others at equal distances."""
    last, gaps = len(pairs) - 1, max(1, count - 2)
    return [pairs[index] for index in sorted({start, *(round(number * last / gaps) for number in range(gaps + 1))})]
