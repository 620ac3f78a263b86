"""The figures of lesson 05's appendix on in-context learning: the order of the examples, and the preferred labels."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from babyagi_lib.plots.base import BLUE, GREEN, GREY, ORANGE, PURPLE, show

KINDS = (("raw", ORANGE, "o", -0.16), ("calibrated", BLUE, "s", 0.16))


def order_spread(result: dict[str, Any]) -> None:
    """Accuracy of the same examples in several orders, beside methods that do not depend on the order.

    Args:
        result: the published measurement, `sources.published("in_context")`.
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
        result: the published measurement, `sources.published("in_context")`.
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
