"""Publishing of measured figures. Used by every notebook, at its end.

`publish` shows a table to the reader and puts the same figures into the same output as JSON. `babyagi run`, the README and
the book's results page read them there, so every figure has one source: the cell that computed it.
"""

from __future__ import annotations

import html
import math
from dataclasses import asdict, dataclass
from typing import Any

MIME = "application/vnd.babyagi.measured+json"


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Attributes:
        name: for programs, such as `entity_f1`.
        label: for readers, such as "Entity F1, test".
        value: the number, unrounded.
        on: exactly which model and data produced it.
        unit: "" for shares and scores, else "s", "sentences", "tokens/s", ...; `is_timing` depends on it.
        digits: decimals to show.
    """

    name: str
    label: str
    value: float
    on: str
    unit: str = ""
    digits: int = 3

    @property
    def text(self) -> str:
        """The value as a reader sees it, such as `0.873` or `2,712 tokens/s`."""
        return f"{self.value:,.{self.digits}f} {self.unit}".rstrip()


def publish(*figures: Figure) -> None:
    """Show figures as a table and, in the same output, as JSON under `MIME`.

    Raises:
        ValueError: no figure, two of one name, or a value that is not a finite number.
    """
    from IPython.display import display

    display(bundle(figures), raw=True)


def bundle(figures: tuple[Figure, ...]) -> dict:
    """The output that `publish` displays, by MIME type; raises as `publish` does."""
    if not figures:
        raise ValueError("publish was given no figures")
    names = [figure.name for figure in figures]
    if len(set(names)) < len(names):
        raise ValueError(f"two figures share a name: {', '.join(sorted(n for n in names if names.count(n) > 1))}")
    for figure in figures:
        if not math.isfinite(figure.value):
            raise ValueError(f"{figure.name} is {figure.value}, not a finite number")
    rows = [(figure.label, figure.text, figure.on) for figure in figures]
    head = ("measured", "value", "on")
    return {
        MIME: {"figures": [asdict(figure) | {"text": figure.text} for figure in figures]},
        "text/html": _html_table(head, rows),
        "text/plain": "\n".join(f"{label}: {text} ({on})" for label, text, on in rows),
    }


def is_timing(figure: dict[str, Any]) -> bool:
    """True for a published figure that is a time or a speed, which differs from run to run."""
    return figure["unit"] == "s" or figure["unit"].endswith("/s")


def differing(
    first: list[dict[str, Any]], second: list[dict[str, Any]]
) -> dict[str, tuple[float | None, float | None]]:
    """The figures that differ between two runs of one lesson, in any bit: both values by the figure's name.

    Times and speeds are left out. The value is None where a run does not have the figure.
    """
    runs = [{figure["name"]: figure["value"] for figure in run if not is_timing(figure)} for run in (first, second)]
    pairs = {name: (runs[0].get(name), runs[1].get(name)) for name in dict.fromkeys([*runs[0], *runs[1]])}
    return {name: (one, other) for name, (one, other) in pairs.items() if one != other}


def _html_table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    def line(cells: tuple[str, ...], tag: str) -> str:
        return "<tr>" + "".join(f'<{tag} style="text-align:left">{html.escape(c)}</{tag}>' for c in cells) + "</tr>"

    return f"<table><thead>{line(head, 'th')}</thead><tbody>{''.join(line(row, 'td') for row in rows)}</tbody></table>"
