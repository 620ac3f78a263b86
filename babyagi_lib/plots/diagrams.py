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

from babyagi_lib.plots.base import BLUE, GREEN, GREY, ORANGE, show


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


def batch_path() -> None:
    """The path of a batch through the model, with the shape of the tensor at each step."""
    boxes = {
        "ids": Box(3.5, 5.0, "piece ids\n(batch, pieces)", 2.4),
        "embeddings": Box(3.5, 4.1, "embeddings\n(batch, pieces, 384)", 2.4),
        "layers": Box(3.5, 3.2, "6 layers\n(batch, pieces, 384)", 2.4),
        "adapters": Box(0.95, 3.2, "adapters in every\nlayer: 384 → 16 → 384", 1.9, BLUE, dashed=True),
        "states": Box(3.5, 2.3, "states\n(batch, pieces, 384)", 2.4),
        "pool": Box(0.95, 1.4, "mean over real pieces\n(batch, 384)", 1.9),
        "sentence": Box(0.95, 0.4, "SentenceHead\n(batch, classes)", 1.9, ORANGE),
        "token": Box(3.5, 0.4, "TokenHead\n(batch, pieces, classes)", 2.4, ORANGE),
        "span": Box(6.0, 0.4, "SpanHead\n(batch, pieces, 2)", 1.9, ORANGE),
    }
    arrows = [
        *chain("ids", "embeddings", "layers", "states", "token"),
        *chain("states", "pool", "sentence"),
        Arrow("states", "span"),
        Arrow("adapters", "layers", dashed=True),
    ]
    figure, axes = canvas(7.0, 5.4)
    draw(axes, boxes, arrows)
    show(
        figure,
        "Piece ids become embeddings, go through 6 layers and come out as states, 384 numbers for each piece. A "
        "SentenceHead reads their mean over real pieces, a TokenHead each state, a SpanHead two scores of each state. "
        "Adapters, dashed, sit inside every layer.",
    )


def adapter_in_layer() -> None:
    """Where the two adapters of a layer are, and what is inside one."""
    layer = {
        "h": Box(0.35, 2.6, "state", 0.6),
        "attention": Box(1.25, 2.6, "attention", 0.85),
        "first": Box(2.25, 2.6, "adapter", 0.75, BLUE),
        "add": Box(3.25, 2.6, "add,\nnormalise", 0.9),
        "feed": Box(4.3, 2.6, "feed-\nforward", 0.8),
        "second": Box(5.3, 2.6, "adapter", 0.75, BLUE),
        "again": Box(6.3, 2.6, "add,\nnormalise", 0.9),
    }
    inside = {
        "x": Box(0.9, 0.6, "384", 0.6, BLUE),
        "down": Box(2.15, 0.6, "down: 16", 0.9, BLUE),
        "gelu": Box(3.35, 0.6, "GELU", 0.7, BLUE),
        "up": Box(4.55, 0.6, "up: 384", 0.9, BLUE),
        "plus": Box(5.75, 0.6, "+", 0.4, BLUE),
    }
    arrows = [
        *chain(*layer),
        *chain(*inside),
        Arrow("h", "add", bend=-0.35),
        Arrow("add", "again", bend=-0.35),
        Arrow("x", "plus", bend=-0.25),
    ]
    figure, axes = canvas(7.0, 3.6)
    axes.text(0.05, 1.45, "inside an adapter", fontsize=9, color=BLUE)
    draw(axes, layer | inside, arrows)
    show(
        figure,
        "A layer: state, attention, adapter, add and normalise, feed-forward, adapter, add and normalise; a residual "
        "connection leads from the state to the first addition, and another from there to the second. Inside an adapter: 384 "
        "numbers go down to 16, through a GELU, up to 384, and are added to what came in.",
    )


def five_ways() -> None:
    """Five ways from a support set and a query to an answer."""
    boxes = {
        "support": Box(0.85, 4.15, "support:\nK of each category", 1.65),
        "query": Box(0.85, 0.7, "query", 1.65),
        "frozen": Box(2.65, 1.8, "encoder,\nfrozen", 0.95),
        "example": Box(4.55, 2.45, "nearest example", 1.6, GREEN),
        "centroid": Box(4.55, 1.8, "nearest centroid", 1.6, GREEN),
        "probe": Box(4.55, 1.15, "linear probe", 1.6, GREEN),
        "tune": Box(3.75, 4.55, "fine-tuning: a copy of the encoder\nand a new head", 2.95, ORANGE),
        "contrast": Box(3.75, 3.75, "contrastive tuning of a copy\non pairs, then a linear probe", 2.95, ORANGE),
        "scores": Box(6.45, 1.8, "scores", 0.8),
    }
    arrows = [
        Arrow("support", "frozen"),
        Arrow("query", "frozen"),
        *(Arrow("frozen", way) for way in ("example", "centroid", "probe")),
        Arrow("support", "tune"),
        Arrow("support", "contrast"),
        *(Arrow(way, "scores") for way in ("example", "centroid", "probe")),
        *(Arrow(way, "scores", bend=-0.3) for way in ("tune", "contrast")),
    ]
    figure, axes = canvas(7.0, 5.0)
    draw(axes, boxes, arrows)
    show(
        figure,
        "Support and query go through the frozen encoder; nearest example, nearest centroid and linear probe make "
        "scores of the vectors. Fine-tuning and contrastive tuning train a copy of the encoder on the support before "
        "they score.",
    )


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
        height = 0.52 if "\n" in box.text else 0.36
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
