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


def batch_path(hidden: int = 384, layers: int = 6, size: int = 16) -> None:
    """The path of a batch through a model, with the shape of each tensor.

    Args:
        hidden: numbers in a state.
        layers: layers of the encoder.
        size: width of a bottleneck adapter.
    """
    boxes = {
        "ids": Box(3.5, 5.0, "piece ids\n(batch, pieces)", 2.4),
        "embeddings": Box(3.5, 4.1, f"embeddings\n(batch, pieces, {hidden})", 2.4),
        "layers": Box(3.5, 3.2, f"{layers} layers\n(batch, pieces, {hidden})", 2.4),
        "adapters": Box(0.95, 3.2, f"adapters in every\nlayer: {hidden} → {size} → {hidden}", 1.9, BLUE, dashed=True),
        "states": Box(3.5, 2.3, f"states\n(batch, pieces, {hidden})", 2.4),
        "pool": Box(0.95, 1.4, f"mean over real pieces\n(batch, {hidden})", 1.9),
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
        f"Piece ids become embeddings, go through {layers} layers and come out as states, {hidden} numbers for each piece. A "
        "SentenceHead reads their mean over real pieces, a TokenHead each state, a SpanHead two scores of each state. "
        "Adapters, dashed, sit inside every layer.",
    )


def adapter_in_layer(hidden: int = 384, size: int = 16) -> None:
    """Where the two adapters of a layer sit, and what is inside one.

    Args:
        hidden: numbers in a state.
        size: width of the adapter.
    """
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
        "x": Box(0.9, 0.6, f"{hidden}", 0.6, BLUE),
        "down": Box(2.15, 0.6, f"down: {size}", 0.9, BLUE),
        "gelu": Box(3.35, 0.6, "GELU", 0.7, BLUE),
        "up": Box(4.55, 0.6, f"up: {hidden}", 0.9, BLUE),
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
        "connection leads from the state to the first addition, and another from there to the second. Inside an adapter, "
        f"{hidden} numbers go down to {size}, through a GELU, up to {hidden}, and are added to the input.",
    )


def five_ways() -> None:
    """From a support and a query to scores: three methods on a frozen encoder, two on a trained copy of it."""
    boxes = {
        "support": Box(0.85, 3.4, "support:\nK of each category", 1.65),
        "query": Box(0.85, 1.4, "query", 1.65),
        "copy": Box(2.65, 3.6, "a copy of the\nencoder, trained\non the support", 1.4, ORANGE),
        "frozen": Box(2.65, 1.6, "encoder, frozen", 1.4),
        "tune": Box(4.6, 4.0, "fine-tuning", 1.55, ORANGE),
        "contrast": Box(4.6, 3.2, "contrastive tuning", 1.55, ORANGE),
        "example": Box(4.6, 2.4, "nearest example", 1.55, GREEN),
        "centroid": Box(4.6, 1.6, "nearest centroid", 1.55, GREEN),
        "probe": Box(4.6, 0.8, "linear probe", 1.55, GREEN),
        "scores": Box(6.95, 2.4, "scores of\nthe query", 0.9),
    }
    arrows = [
        *(Arrow("support", encoder) for encoder in ("copy", "frozen")),
        *(Arrow("query", encoder, dashed=True) for encoder in ("copy", "frozen")),
        *(Arrow("copy", way) for way in ("tune", "contrast")),
        *(Arrow("frozen", way) for way in ("example", "centroid", "probe")),
        *(Arrow(way, "scores") for way in ("tune", "contrast", "example", "centroid", "probe")),
    ]
    figure, axes = canvas(7.5, 4.5)
    draw(axes, boxes, arrows)
    show(
        figure,
        "Support and query go through the frozen encoder; nearest example, nearest centroid and linear probe compute "
        "scores from the vectors. Fine-tuning and contrastive tuning train a copy of the encoder on the support, and "
        "the query goes through that copy. All five end in scores of the query. Arrows of the query are dashed.",
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
