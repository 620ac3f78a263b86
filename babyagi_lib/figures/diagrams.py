"""Diagrams of boxes and arrows, drawn as pictures because some notebook viewers cannot draw them from text.

Used by lessons 00, 02 and 05.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from babyagi_lib.figures.base import GREY


@dataclass(frozen=True)
class Box:
    """A box of a diagram. `x` and `y` are its centre, in inches."""

    x: float
    y: float
    text: str
    width: float = 1.5
    colour: str = GREY
    dashed: bool = False


@dataclass(frozen=True)
class Arrow:
    """An arrow between two boxes, by name; `bend` is how much it curves away from the straight line."""

    start: str
    end: str
    bend: float = 0.0
    dashed: bool = False


def chain(*names: str) -> list[Arrow]:
    """Straight arrows from each box to the next."""
    return [Arrow(start, end) for start, end in pairwise(names)]


def canvas(width: float, height: float) -> tuple[plt.Figure, Axes]:
    """A figure without axes, of this width and height in inches; a point is given in inches, too."""
    figure, axes = plt.subplots(figsize=(width, height))
    axes.set(xlim=(-0.05, width + 0.05), ylim=(0, height), aspect="equal")
    axes.axis("off")
    return figure, axes


def draw(axes: Axes, boxes: dict[str, Box], arrows: Sequence[Arrow]) -> None:
    """Draw boxes and the arrows between them."""
    patches = {}
    for name, box in boxes.items():
        height = 0.36 + 0.16 * box.text.count("\n")
        patches[name] = axes.add_patch(
            FancyBboxPatch(
                (box.x - box.width / 2, box.y - height / 2),
                box.width,
                height,
                boxstyle="round,pad=0.02,rounding_size=0.06",
                edgecolor=box.colour,
                facecolor="white",
                linewidth=1.4,
                linestyle="--" if box.dashed else "-",
                zorder=2,
            )
        )
        axes.text(box.x, box.y, box.text, ha="center", va="center", fontsize=9, zorder=3)
    for arrow in arrows:
        a, b = boxes[arrow.start], boxes[arrow.end]
        axes.annotate(
            "",
            (b.x, b.y),
            (a.x, a.y),
            arrowprops={
                "arrowstyle": "-|>",
                "color": GREY,
                "linestyle": "--" if arrow.dashed else "-",
                "patchA": patches[arrow.start],
                "patchB": patches[arrow.end],
                "shrinkA": 2,
                "shrinkB": 2,
                "connectionstyle": f"arc3,rad={arrow.bend}",
            },
            zorder=1,
        )
