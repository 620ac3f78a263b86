"""Publishing of measured figures. Used by every notebook, at its end.

`publish` shows a table to the reader and puts the same figures into the same output as JSON. `babyagi run`, the README and
the book's results page read them there, so every figure has one source: the cell that computed it. They find a figure by
its label.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable
from itertools import groupby
from numbers import Integral
from typing import Any, SupportsFloat

MIME = "application/vnd.babyagi.measured+json"

Row = tuple[str, SupportsFloat] | tuple[str, SupportsFloat, str]


def publish(*lines: str | Row) -> None:
    """Show figures as a table and, in the same output, as JSON under `MIME`.

        publish(
            "MiniLM, newswire test, seed 0",
            ("entity F1", 0.7682),
            ("training speed", 6337.2, "pieces/s"),
        )

    Args:
        lines: text that says exactly which model and data produced the figures below it, then these figures, each as
            (label, value) or (label, value, unit); then the next text with its figures. Text without figures is left
            out, as where a corpus lacks what a group of figures needs. A label is the same in all profiles; what
            depends on parameters stands in the text above. Shares, scores and counts have no unit; `is_timing` knows
            times and speeds by theirs, "s" or ".../s".

    Raises:
        ValueError: no figure, a figure without text above it, two of one label, a line that is neither text nor a
            figure, or a value that is not a finite number.
    """
    from IPython.display import display

    display(bundle(lines), raw=True)


def bundle(lines: Iterable[str | Row]) -> dict:
    """The output that `publish` displays, by MIME type; raises as `publish` does."""
    figures, on = [], ""
    for line in lines:
        if isinstance(line, str):
            on = line
        else:
            figures.append(_figure(line, on))
    if not figures:
        raise ValueError("publish was given no figures")
    labels = [figure["label"] for figure in figures]
    if len(set(labels)) < len(labels):
        raise ValueError(f"two figures share a label: {', '.join(sorted({n for n in labels if labels.count(n) > 1}))}")
    groups = [(on, list(rows)) for on, rows in groupby(figures, key=lambda figure: figure["on"])]
    return {MIME: {"figures": figures}, "text/html": _as_html(groups), "text/plain": _as_text(groups)}


def is_timing(figure: dict[str, Any]) -> bool:
    """True for a published figure that is a time or a speed, which differs from run to run."""
    return figure["unit"] == "s" or figure["unit"].endswith("/s")


def differing(
    first: list[dict[str, Any]], second: list[dict[str, Any]]
) -> dict[str, tuple[float | None, float | None]]:
    """The figures that differ between two runs of one lesson, in any bit: both values by the figure's label.

    Times and speeds are left out. The value is None where a run does not have the figure.
    """
    runs = [{figure["label"]: figure["value"] for figure in run if not is_timing(figure)} for run in (first, second)]
    pairs = {label: (runs[0].get(label), runs[1].get(label)) for label in dict.fromkeys([*runs[0], *runs[1]])}
    return {label: (one, other) for label, (one, other) in pairs.items() if one != other}


def _figure(row: Row, on: str) -> dict[str, Any]:
    """A row of `publish` as it stands in the JSON: label, value (unrounded), unit, what it was measured on, and its text."""
    if not isinstance(row, tuple) or len(row) not in (2, 3):
        raise ValueError(f"{row!r} is neither text nor (label, value) nor (label, value, unit)")
    label, value, unit = row if len(row) == 3 else (*row, "")
    if not on:
        raise ValueError(f"before {label!r}, say what it was measured on")
    if not isinstance(value, SupportsFloat) or not math.isfinite(value):
        raise ValueError(f"{label}: {value!r} is not a finite number")
    number = int(value) if isinstance(value, Integral) else float(value)
    return {"label": label, "value": number, "unit": unit, "on": on, "text": f"{_digits(number)} {unit}".rstrip()}


def _digits(number: float) -> str:
    """A number as a reader sees it: three significant digits, and a count or what is over 100 as a whole number.

    `0.873`, `7.93`, `-13.0`, `2,712`; below 1 three decimals, such as `0.002`, or `4.4e-16` where these show nothing.
    """
    size = abs(number)
    if 0 < size < 0.0005:
        return f"{number:.1e}"
    decimals = 0 if isinstance(number, int) else sum(size < bound for bound in (1, 10, 100))
    return f"{number:,.{decimals}f}"


def _as_text(groups: list[tuple[str, list[dict]]]) -> str:
    return "\n".join(
        "\n".join([f"{on}:", *(f"  {figure['label']}: {figure['text']}" for figure in rows)]) for on, rows in groups
    )


def _as_html(groups: list[tuple[str, list[dict]]]) -> str:
    """A table with a row of its own above each group, which says what its figures were measured on."""
    left = 'style="text-align:left"'
    lines = []
    for on, rows in groups:
        lines.append(f'<tr><th colspan="2" scope="colgroup" {left}>{html.escape(on)}</th></tr>')
        for figure in rows:
            cells = (figure["label"], figure["text"])
            lines.append("<tr>" + "".join(f"<td {left}>{html.escape(cell)}</td>" for cell in cells) + "</tr>")
    return f"<table><tbody>{''.join(lines)}</tbody></table>"
