"""The figures of lesson 05: learning curves, the spread of draws, ROC curves, vectors before and after tuning, in-context learning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from babyagi_lib.figures.base import BLUE, GREEN, GREY, ORANGE, PURPLE, mean_and_interval, show
from babyagi_lib.figures.diagrams import Arrow, Box, canvas, draw

COLOURS = {
    "nearest example": GREY,
    "nearest centroid": BLUE,
    "linear probe": GREEN,
    "fine-tuning": PURPLE,
    "contrastive, then probe": ORANGE,
}
MARKERS = dict(zip(COLOURS, "sDo^v", strict=True))
CATEGORIES = (BLUE, ORANGE, GREEN, PURPLE, "#E69F00", "#56B4E9")


def fewshot_curves(
    along: Sequence[int],
    curves: dict[str, NDArray],
    chance: Sequence[float],
    xlabel: str = "labelled examples of each category",
) -> None:
    """Accuracy of several methods: the mean over draws with its 95% interval (Student's t).

    Args:
        along: the values on the horizontal axis, such as numbers of examples.
        curves: for each method, accuracies (draws, len(along)); a single draw has no interval.
        chance: the accuracy of guessing, (len(along),).
        xlabel: the label of the horizontal axis.
    """
    figure, axes = plt.subplots(figsize=(6.4, 4.0), constrained_layout=True)
    described, x = [], np.arange(len(along))
    for i, (name, found) in enumerate(curves.items()):
        mean, half = mean_and_interval(found, axis=0)
        shift = 0.05 * (i - (len(curves) - 1) / 2)  # so that intervals do not hide each other
        colour, marker = COLOURS.get(name, CATEGORIES[i]), MARKERS.get(name, "os^Dvp"[i])
        axes.errorbar(x + shift, mean, half, fmt=f"{marker}-", color=colour, capsize=3, markersize=5, label=name)
        described.append(f"{name}: " + ", ".join(f"{m:.2f} at {a}" for m, a in zip(mean, along, strict=True)))
    axes.plot(x, chance, "--", color=GREY, linewidth=1.2, label="chance")
    axes.set(xlabel=xlabel, ylabel="accuracy", xticks=x, xticklabels=along, ylim=(0, None))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    guess = ", ".join(f"{c:.2f}" for c in dict.fromkeys(chance))
    show(figure, f"Mean accuracy against {xlabel}. " + "; ".join(described) + f"; chance: {guess}.")


def draws_spread(spread: dict[int, dict[str, NDArray]]) -> None:
    """Accuracies of single draws as dots, one panel for each number of examples; a line spans nine draws in ten.

    Args:
        spread: by the number of examples of each category, and by method, (draws,) accuracies.
    """
    figure, panels = plt.subplots(1, len(spread), figsize=(7, 2.9), constrained_layout=True, sharey=True, squeeze=False)
    rng, described = np.random.default_rng(0), []
    for axes, (shots, methods) in zip(panels.flat, spread.items(), strict=True):
        for row, (name, found) in enumerate(methods.items()):
            colour = COLOURS.get(name, GREY)
            height = row + rng.uniform(-0.22, 0.22, len(found))
            axes.plot(found, height, ".", color=colour, alpha=0.5, markersize=6, markeredgewidth=0)
            low, high = np.quantile(found, [0.05, 0.95])
            axes.plot([low, high], [row + 0.36] * 2, color=colour, linewidth=2.5)
            axes.plot(found.mean(), row + 0.36, "o", color="black", markersize=5)
            described.append(f"{name} at {shots}: mean {found.mean():.3f}, nine in ten from {low:.3f} to {high:.3f}")
        axes.set(title=f"{shots} of each category", xlabel="accuracy of one draw")
        axes.set(yticks=range(len(methods)), yticklabels=list(methods), ylim=(len(methods) - 0.4, -0.45))
        axes.spines[["top", "right"]].set_visible(False)
    show(figure, "Accuracies of single draws. " + "; ".join(described) + ".")


def roc_curves(curves: dict[str, tuple[NDArray, NDArray, float]], let_through: float) -> None:
    """ROC curves: the share of messages in scope that are answered, against the share out of scope let through.

    Args:
        curves: by the name of the score, the shares of out-of-scope and of in-scope messages above each threshold, and the
            area under the curve.
        let_through: the share of out-of-scope messages that is marked.
    """
    figure, axes = plt.subplots(figsize=(4.9, 4.3), constrained_layout=True)
    styles = zip((BLUE, GREY, ORANGE, GREEN), ("-", "-.", "--", ":"), curves.items(), strict=False)
    described = []
    for colour, style, (name, (outside, inside, area)) in styles:
        axes.plot(outside, inside, style, color=colour, linewidth=2, label=f"{name}, area {area:.2f}")
        answered = float(np.interp(let_through, outside, inside))
        axes.plot(let_through, answered, "o", color=colour)
        described.append(f"{name}: area {area:.2f}, {answered:.0%} answered where {let_through:.0%} are let through")
    axes.plot([0, 1], [0, 1], color="black", linewidth=0.8, linestyle=(0, (1, 3)), label="guessing, area 0.50")
    axes.axvline(let_through, color="black", linewidth=0.8)
    axes.set(xlabel="out-of-scope messages let through", ylabel="in-scope messages answered", aspect="equal")
    axes.legend(frameon=False, fontsize=9, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    show(
        figure,
        "ROC curves of scores that tell messages in scope from messages out of scope. " + "; ".join(described) + ".",
    )


def before_and_after(
    points: dict[str, NDArray], labels: Sequence[str], support: NDArray, right: dict[str, float]
) -> None:
    """The messages of a few categories in the plane, one panel for each encoder.

    Args:
        points: by the panel's title, (messages, 2) coordinates.
        labels: the category of each.
        support: (messages,) True for the messages that were learned from; they are drawn large, with a rim.
        right: by the panel's title, the accuracy on the other messages.
    """
    labels = np.asarray(labels)
    figure, panels = plt.subplots(1, len(points), figsize=(7, 3.9), constrained_layout=True)
    names = np.unique(labels)
    for axes, (title, xy) in zip(panels, points.items(), strict=True):
        for name, colour, marker in zip(names, CATEGORIES, "os^Dvp", strict=False):
            own = labels == name
            axes.plot(*xy[own & ~support].T, marker, color=colour, alpha=0.5, markersize=5, markeredgewidth=0)
            axes.plot(*xy[own & support].T, marker, color=colour, markersize=9, markeredgecolor="black")
        axes.set_title(f"{title}\n{right[title]:.0%} of the others right", fontsize=10)
        axes.set(xticks=[], yticks=[], xlabel="first component")
    panels[0].set_ylabel("second component")
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle="", label=name)
        for name, colour, marker in zip(names, CATEGORIES, "os^Dvp", strict=False)
    ]
    handles.append(
        Line2D([], [], color="white", marker="o", markeredgecolor="black", markersize=9, linestyle="", label="support")
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    shares = "; ".join(
        f"{title}: {share:.0%} of the messages not learned from are right" for title, share in right.items()
    )
    show(
        figure,
        f"Messages of {', '.join(names)} on their two principal components, {support.sum()} of them support. {shares}.",
    )


def labelling_curves(scores: dict[str, tuple[Sequence[int], dict[str, NDArray]]]) -> None:
    """Accuracy against the number of labels, for several ways to choose the next message: means with 95% intervals.

    Args:
        scores: by the panel's title, the numbers of labelled messages, and by the way to choose (starts, numbers)
            accuracies.
    """
    figure, panels = plt.subplots(1, len(scores), figsize=(7, 3.5), constrained_layout=True, sharey=True, squeeze=False)
    described = []
    for axes, (title, (counts, ways)) in zip(panels.flat, scores.items(), strict=True):
        styles = zip((GREY, ORANGE, BLUE), ("s-", "^--", "o:"), ways.items(), strict=False)
        for i, (colour, style, (name, found)) in enumerate(styles):
            mean, half = mean_and_interval(found, axis=0)
            x = np.array(counts) + 0.012 * counts[-1] * (i - 1)  # so that intervals do not hide each other
            axes.errorbar(x, mean, half, fmt=style, color=colour, capsize=2, markersize=4, label=name)
            described.append(f"{title}, {name}: {mean[0]:.2f} at {counts[0]}, {mean[-1]:.2f} at {counts[-1]}")
        axes.set(title=title, xlabel="labelled messages")
        axes.title.set_fontsize(10)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0, 0].set_ylabel("accuracy on test messages")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    show(figure, "Accuracy against labelled messages by the way they were chosen. " + "; ".join(described) + ".")


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


KINDS = (("raw", ORANGE, "o", -0.16), ("calibrated", BLUE, "s", 0.16))


def order_spread(result: dict[str, Any]) -> None:
    """Accuracy of the same examples in several orders, beside methods that do not depend on the order.

    Args:
        result: the published measurement, `load_result("in_context")`.
    """
    orders, shots = result["orders"], result["settings"]["order_shots"]
    largest = max(result["truth"], key=result["truth"].get)
    floor = result["truth"][largest]
    figure, axes = plt.subplots(figsize=(6.6, 4.2), constrained_layout=True)
    described = []
    for place, row in enumerate(orders):
        for kind, colour, marker, shift in KINDS:
            found = np.array(row[kind]["accuracy_by_order"])
            # Side by side in the order of accuracy, so that no point hides another.
            across = place + shift + np.linspace(-0.11, 0.11, len(found))
            label = f"prompt, {kind}: one point an order" if place == 0 else None
            axes.plot(across, np.sort(found), marker, color=colour, markersize=5, alpha=0.8, label=label)
            axes.hlines(np.median(found), across[0], across[-1], color=colour, linewidth=2)
        for method, colour, style in (("linear probe", GREEN, "-"), ("nearest centroid", PURPLE, "--")):
            label = f"{method} on MiniLM's vectors" if place == 0 else None
            axes.hlines(row[method], place - 0.36, place + 0.36, color=colour, linestyle=style, label=label)
        spread = ", ".join(
            f"{kind} {row[kind]['min']:.2f} to {row[kind]['max']:.2f} (median {row[kind]['median']:.2f})"
            for kind, *_ in KINDS
        )
        described.append(
            f"draw {row['draw'] + 1}: {spread}; linear probe {row['linear probe']:.2f}, "
            f"nearest centroid {row['nearest centroid']:.2f}"
        )
    axes.axhline(floor, color=GREY, linestyle=":", label=f'always "{largest}": {floor:.2f}')
    axes.set(ylabel="accuracy, four teams", ylim=(0, 1), xlim=(-0.5, len(orders) - 0.5))
    axes.set_xticks(range(len(orders)), [f"draw {row['draw'] + 1}" for row in orders])
    axes.set_title(f"The same {shots * len(result['labels'])} examples, in {result['settings']['orders']} orders")
    axes.legend(frameon=False, fontsize=9, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.08))
    axes.spines[["top", "right"]].set_visible(False)
    show(
        figure,
        f"Accuracy of a prompt with the same {shots} examples of each team in {result['settings']['orders']} orders. "
        + "; ".join(described)
        + f'. Always "{largest}" would have {floor:.2f}.',
    )


def answer_shares(result: dict[str, Any]) -> None:
    """The share of each answer beside the share of each right answer: one panel without examples, one with.

    Args:
        result: the published measurement, `load_result("in_context")`.
    """
    names, truth = result["labels"], result["truth"]
    with_examples = {
        kind: {name: np.mean([row[kind]["answers"][name] for row in result["orders"]]) for name in names}
        for kind, *_ in KINDS
    }
    panels = {
        "no example": {kind: result["zero_shot"][kind]["answers"] for kind, *_ in KINDS},
        f"{result['settings']['order_shots']} examples of each team": with_examples,
    }
    figure, axes = plt.subplots(1, 2, figsize=(7.0, 3.4), constrained_layout=True, sharey=True)
    places = np.arange(len(names))
    described = []
    for panel, (title, answers) in zip(axes, panels.items(), strict=True):
        panel.bar(places - 0.27, [truth[name] for name in names], 0.26, color=GREY, label="right answers")
        for offset, (kind, colour, *_) in zip((0, 0.27), KINDS, strict=True):
            panel.bar(places + offset, [answers[kind][name] for name in names], 0.26, color=colour, label=kind)
            described.append(f"{title}, {kind}: " + ", ".join(f"{name} {answers[kind][name]:.2f}" for name in names))
        panel.set_xticks(places, names)
        panel.set_title(title)
        panel.spines[["top", "right"]].set_visible(False)
    axes[0].set(ylabel="share of messages", ylim=(0, 1))
    axes[1].legend(frameon=False)
    right = ", ".join(f"{name} {truth[name]:.2f}" for name in names)
    show(figure, f"Share of each answer. The truth: {right}. " + "; ".join(described) + ".")
