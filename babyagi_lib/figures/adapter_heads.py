"""The figures of lesson 02: diagrams of heads and adapters, scores of three tasks, what each way to train costs and gains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from babyagi_lib.figures.base import BLUE, GREEN, GREY, ORANGE, PURPLE, Picture, show
from babyagi_lib.figures.diagrams import Arrow, Box, canvas, chain, draw

COLOURS = {
    "head only": GREY,
    "last two layers": GREEN,
    "bottleneck": BLUE,
    "LoRA": ORANGE,
    "LoRA, query and value": PURPLE,
    "everything": "#000000",
}
MARKERS = {
    "head only": "s",
    "last two layers": "D",
    "bottleneck": "o",
    "LoRA": "^",
    "LoRA, query and value": "v",
    "everything": "P",
}


def adapter_table(rows: Sequence[dict[str, Any]]) -> None:
    """Print what each way trains, what it costs, and its score: the mean, the lowest and the highest of its seeds.

    Args:
        rows: one for each way, with `name`, `trainable` (numbers), `share` (of all parameters), `stored` (bytes on
            disk), `memory` (an `adapters.Memory`), `step` (seconds of a step, one for each seed) and `scores` (one for
            each seed).
    """
    print(f"{'':17}{'trained':>10}{'share':>9}{'on disk':>10}{'memory':>8}{'step':>7}  entity F1, test")
    for row in rows:
        scores = row["scores"]
        print(
            f"{row['name']:17}{row['trainable']:10,}{row['share']:9.2%}{row['stored'] / 1e6:7.2f} MB"
            f"{row['memory'].total / 1e6:5.0f} MB{np.median(row['step']) * 1000:4.0f} ms  "
            f"{np.mean(scores):.3f} ({min(scores):.3f}-{max(scores):.3f})"
        )


def task_scores(tasks: dict[str, dict[str, float]]) -> None:
    """Grouped bars: a score for each task and each way to solve it.

    Args:
        tasks: by the name of the task with its measure, scores between 0 and 1 by the way to solve it.
    """
    ways = list(next(iter(tasks.values())))
    figure, axes = plt.subplots(figsize=(6.6, 3.3), constrained_layout=True)
    width = 0.8 / len(ways)
    for i, (way, colour) in enumerate(zip(ways, (GREY, ORANGE, BLUE, GREEN), strict=False)):
        values = [scores[way] for scores in tasks.values()]
        bars = axes.bar(np.arange(len(tasks)) + (i - (len(ways) - 1) / 2) * width, values, width * 0.92, color=colour)
        bars.set_label(way)
        axes.bar_label(bars, [f"{value:.2f}" for value in values], padding=2, fontsize=9)
    axes.set(xticks=range(len(tasks)), xticklabels=list(tasks), ylim=(0, 1.2), yticks=[0, 0.25, 0.5, 0.75, 1])
    axes.legend(frameon=False, ncols=len(ways), loc="upper center", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    numbers = "; ".join(
        f"{name.replace(chr(10), ', ')}: " + ", ".join(f"{way} {value:.2f}" for way, value in scores.items())
        for name, scores in tasks.items()
    )
    show(figure, f"Bars of test scores for three tasks. {numbers}.")


def adapter_tradeoff(rows: Sequence[dict[str, Any]]) -> None:
    """Test score against trained parameters: a mark for each way's mean, a small one for each seed.

    The dashed line joins the ways that no other beats with fewer parameters (the Pareto front).

    Args:
        rows: one for each way, with `name`, `trainable` (numbers) and `scores` (one for each seed).
    """
    figure, axes = plt.subplots(figsize=(6.2, 3.9), constrained_layout=True)
    means = {row["name"]: float(np.mean(row["scores"])) for row in rows}
    front, best = [], -1.0
    for row in sorted(rows, key=lambda row: row["trainable"]):
        if means[row["name"]] > best:
            best = means[row["name"]]
            front.append((row["trainable"], best))
    axes.plot(*zip(*front, strict=True), color=GREY, linestyle="--", linewidth=1, zorder=0)
    for row in rows:
        name, colour = row["name"], COLOURS[row["name"]]
        axes.plot([row["trainable"]] * len(row["scores"]), row["scores"], "_", color=colour, markersize=11)
        label = f"{name} {means[name]:.3f}"
        axes.plot(row["trainable"], means[name], MARKERS[name], color=colour, markersize=8, linestyle="", label=label)
    low, high = min(min(row["scores"]) for row in rows), max(max(row["scores"]) for row in rows)
    axes.set(xscale="log", xlabel="parameters trained", ylabel="entity F1, test", ylim=(low - 0.05, high + 0.05))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    axes.set_xlim(min(row["trainable"] for row in rows) / 2, max(row["trainable"] for row in rows) * 2)
    axes.spines[["top", "right"]].set_visible(False)
    numbers = "; ".join(
        f"{row['name']}, {row['trainable']:,} parameters, F1 {means[row['name']]:.3f} "
        f"({min(row['scores']):.3f} to {max(row['scores']):.3f})"
        for row in rows
    )
    show(figure, f"Score against trained parameters on a logarithmic axis, a mark for each seed. {numbers}.")


def adapter_memory(rows: Sequence[dict[str, Any]]) -> None:
    """Stacked bars of what a training step has to hold, in MB.

    Args:
        rows: one for each way, with `name` and `memory` (an `adapters.Memory`).
    """
    parts = [("weights", GREY), ("gradients", GREEN), ("optimizer", ORANGE), ("activations", BLUE)]
    figure, axes = plt.subplots(figsize=(6.6, 0.46 * len(rows) + 1.3), constrained_layout=True)
    names = [row["name"] for row in rows]
    left = np.zeros(len(rows))
    for (part, colour), hatch in zip(parts, ("", "//", "..", ""), strict=True):
        values = np.array([getattr(row["memory"], part) / 1e6 for row in rows])
        axes.barh(names, values, left=left, color=colour, height=0.62, label=part, hatch=hatch, edgecolor="white")
        left += values
    for i, total in enumerate(left):
        axes.text(total + left.max() * 0.01, i, f"{total:,.0f}", va="center", fontsize=9)
    axes.invert_yaxis()
    axes.set(xlabel="MB in one training step", xlim=(0, left.max() * 1.12))
    axes.legend(frameon=False, ncols=4, loc="lower center", bbox_to_anchor=(0.42, 1.0), fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    numbers = "; ".join(
        f"{row['name']} {row['memory'].total / 1e6:,.0f} MB, of which activations {row['memory'].activations / 1e6:,.0f}"
        for row in rows
    )
    show(figure, f"What a training step has to hold. {numbers}.")


def adapter_sizes(runs: Sequence[dict[str, Any]], method: str, size: int) -> Picture:
    """Score against trained parameters for every method and size, one of them picked out. Drawn for `explore`.

    Args:
        runs: of the published measurement, with `method`, `size`, `trainable` and `f1_by_seed` (text, comma-separated).
        method: the curve that is picked out.
        size: the point on it.
    """
    figure, axes = plt.subplots(figsize=(6.4, 4.0), constrained_layout=True)
    methods = list(dict.fromkeys(run["method"] for run in runs))
    for name in methods:
        curve = [run for run in runs if run["method"] == name]
        _curve(axes, name, curve, picked=name == method)
    chosen = next(run for run in runs if run["method"] == method and run["size"] == size)
    scores = _scores(chosen)
    axes.plot(
        chosen["trainable"],
        np.mean(scores),
        "o",
        markersize=17,
        markerfacecolor="none",
        markeredgecolor=plt.rcParams["text.color"],
    )
    axes.set(xscale="log", xlabel="parameters trained, head included", ylabel="entity F1, validation")
    curves = {name: [f"{run['f1_mean']:.3f}" for run in runs if run["method"] == name] for name in methods}
    cost = f"{chosen['trainable']:,} parameters, {chosen['trainable'] * 4 / 1e6:.2f} MB on disk"
    reached = f"F1 {np.mean(scores):.3f} (seeds: {', '.join(f'{score:.3f}' for score in scores)})"
    axes.set_title(f"{method}, size {size}: {cost},\n{reached}", fontsize=10, loc="left")
    axes.legend(frameon=False, fontsize=9, loc="upper left")
    axes.spines[["top", "right"]].set_visible(False)
    alt = (
        "Validation F1 against trained parameters, by size from small to large: "
        + "; ".join(f"{name} {', '.join(curve)}" for name, curve in curves.items())
        + f". Picked out: {method}, size {size}, {cost}, {reached}."
    )
    return Picture(figure, alt)


def _curve(axes: Axes, name: str, curve: Sequence[dict[str, Any]], picked: bool) -> None:
    x = [run["trainable"] for run in curve]
    means = [np.mean(_scores(run)) for run in curve]
    colour, marker = COLOURS.get(name, GREY), MARKERS.get(name, "o")
    axes.plot(
        x, means, f"{marker}-", color=colour, alpha=1 if picked else 0.45, linewidth=2 if picked else 1, label=name
    )
    low, high = [min(_scores(run)) for run in curve], [max(_scores(run)) for run in curve]
    axes.vlines(x, low, high, color=colour, alpha=0.7 if picked else 0.3, linewidth=1)


def _scores(run: dict[str, Any]) -> list[float]:
    return [float(score) for score in str(run["f1_by_seed"]).split(",")]


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
