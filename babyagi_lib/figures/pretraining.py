"""The figures of lesson 01: losses beside their baselines, attention, sizes, patches, and what pretraining buys."""

from __future__ import annotations

import html
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.font_manager import FontProperties, findfont, get_font

from babyagi_lib.figures.base import BLUE, GREEN, GREY, ORANGE, PURPLE, mean_and_interval, show

NUMBERED = 8  # the most pieces with which an attention table has room for its numbers


def losses_and_baselines(runs: dict[str, tuple[Sequence[float], Sequence[float], dict[str, float]]]) -> None:
    """Held-out loss against pieces read, one panel per run, with baselines as dashed lines.

    Args:
        runs: for each panel's title: pieces read, held-out loss at these points, and the loss of each baseline by name.
    """
    figure, axes = plt.subplots(1, len(runs), figsize=(3.6 * len(runs), 3.5), constrained_layout=True, squeeze=False)
    described = []
    for panel, (title, (read, losses, baselines)) in zip(axes.flat, runs.items(), strict=True):
        millions = np.array(read) / 1e6
        panel.plot(millions, losses, "o-", color=BLUE, linewidth=2, markersize=4)
        for (name, value), colour in zip(baselines.items(), (GREY, GREEN, ORANGE, PURPLE), strict=False):
            panel.hlines(value, 0, millions[-1] * 1.03, color=colour, linestyle="--", linewidth=1.2)
            panel.text(millions[-1] * 1.06, value, f"{name}\n{value:.2f}", ha="left", va="center", color=colour)
        panel.set(
            title=title,
            xlabel="pieces read, millions",
            ylim=(min(*losses, *baselines.values()) - 0.3, max(*losses, *baselines.values()) + 0.4),
        )
        panel.set_ylabel("loss on held-out text, nats")
        panel.spines[["top", "right"]].set_visible(False)
        lines = ", ".join(f"{name} {value:.2f}" for name, value in baselines.items())
        described.append(f"{title}: from {losses[0]:.2f} to {losses[-1]:.2f}; dashed lines at {lines}")
    show(figure, "Loss on held-out text against the number of pieces read. " + ". ".join(described) + ".")


def attention(tables: dict[str, tuple[Sequence[str], np.ndarray]]) -> None:
    """Attention tables side by side: each row shows how much its position takes from each column's.

    Every panel has its own colour scale, from 0 to its largest weight. Small tables show their numbers, too.

    Args:
        tables: for each panel's title, the pieces at the positions, and a (pieces, pieces) array of weights.
    """
    figure, axes = plt.subplots(
        1, len(tables), figsize=(3.6 * len(tables), 4.0), constrained_layout=True, squeeze=False
    )
    described = []
    for panel, (title, (pieces, weights)) in zip(axes.flat, tables.items(), strict=True):
        weights = np.asarray(weights)
        top, count = weights.max(), len(pieces)
        names = [_label(piece) for piece in pieces]
        panel.imshow(weights, cmap="Blues", vmin=0, vmax=top)
        panel.set(title=title, xticks=range(count), yticks=range(count), ylabel="looking")
        panel.set_xlabel(f"looked at (largest: {top:.2f})")
        panel.set_xticklabels(names, rotation=90, fontsize=9)
        panel.set_yticklabels(names, fontsize=9)
        panel.spines[:].set_visible(False)
        if count <= NUMBERED:
            for (i, j), weight in np.ndenumerate(weights):
                colour = "white" if weight > 0.6 * top else "black"
                panel.text(j, i, f"{weight:.2f}", ha="center", va="center", fontsize=8, color=colour)
        distance, share = _most_at(weights)
        where = {-1: "the piece before", 1: "the piece after", 0: "the piece itself"}.get(
            distance, f"the piece at distance {distance:+d}"
        )
        described.append(f"{title}, over {count} pieces: {where} gets most, {share:.2f} of a row on average")
    show(figure, "Attention tables. " + "; ".join(described) + ".")


def _label(piece: str) -> str:
    """A piece as a label: no formula, and a character that the figure's font lacks as its code, such as \\u4eca."""
    font = get_font(findfont(FontProperties()))
    return "".join(
        char if font.get_char_index(ord(char)) else char.encode("unicode_escape").decode() for char in piece
    ).replace("$", r"\$")


def _most_at(weights: np.ndarray) -> tuple[int, float]:
    """At which distance (column minus row) the weights are largest on average, and their mean there.

    Only distances that at least half of the rows have are compared.
    """
    farthest = len(weights) // 2
    means = {o: float(np.diagonal(weights, o).mean()) for o in range(-farthest, farthest + 1)}
    best = max(means, key=means.get)
    return best, means[best]


def sizes(runs: dict[str, dict]) -> None:
    """Held-out loss of models of several sizes: against pieces read, and against computation.

    Args:
        runs: for each name, `read` (pieces read at each moment), `losses` (held-out) and `parameters`, from the smallest model to the largest.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.4), constrained_layout=True, sharey=True)
    described = []
    for (name, run), colour, marker in zip(runs.items(), (GREEN, ORANGE, BLUE), "s^o", strict=True):
        read = np.array(run["read"])
        left.plot(read / 1e6, run["losses"], f"{marker}-", color=colour, label=name, markersize=4)
        right.plot(6 * run["parameters"] * read, run["losses"], f"{marker}-", color=colour, label=name, markersize=4)
        described.append(f"{name} ends at {run['losses'][-1]:.2f}")
    left.set(xlabel="pieces read, millions", ylabel="loss on held-out text, nats", title="the same text")
    right.set(xlabel="computation, FLOP (6 x parameters x pieces)", xscale="log", title="the same computation")
    left.legend(frameon=False)
    for panel in (left, right):
        panel.spines[["top", "right"]].set_visible(False)
    show(
        figure,
        "Held-out loss of models of three sizes against pieces read and against computation: "
        + ", ".join(described)
        + ".",
    )


def patches(image: np.ndarray, size: int, label: int) -> None:
    """An image with its patches marked, and the row of patches that a vision transformer reads.

    Args:
        image: (height, width) grey values.
        size: height and width of a patch.
        label: what the image shows.
    """
    count = image.shape[0] // size
    figure, axes = plt.subplots(
        1, 2, figsize=(7.2, 2.2), constrained_layout=True, gridspec_kw={"width_ratios": [1, 3.4]}
    )
    top = image.max()
    axes[0].imshow(image, cmap="gray_r", vmin=0, vmax=top)
    for edge in range(size, image.shape[0], size):
        axes[0].axhline(edge - 0.5, color=ORANGE, linewidth=1)
        axes[0].axvline(edge - 0.5, color=ORANGE, linewidth=1)
    axes[0].add_patch(plt.Rectangle((-0.5, -0.5), *image.shape[::-1], fill=False, edgecolor=ORANGE))
    axes[0].set_title("the image")
    gap = np.zeros((size, 1))
    row = [
        image[r : r + size, c : c + size] for r in range(0, count * size, size) for c in range(0, count * size, size)
    ]
    axes[1].imshow(np.hstack([part for patch in row for part in (patch, gap)][:-1]), cmap="gray_r", vmin=0, vmax=top)
    for k in range(len(row)):
        axes[1].add_patch(plt.Rectangle((k * (size + 1) - 0.5, -0.5), size, size, fill=False, edgecolor=ORANGE))
    axes[1].set_title(f"the row: {len(row)} patches of {size} x {size} pixels")
    for panel in axes:
        panel.axis("off")
    show(
        figure,
        f"A handwritten {label}, {image.shape[0]} by {image.shape[1]} pixels, cut into {len(row)} patches in a row.",
    )


def few_labels(counts: Sequence[int], scores: dict[str, np.ndarray], chance: float) -> None:
    """Accuracy against the number of labelled examples: single draws (small dots), their mean, and its 95% interval.

    The interval is Student's t.

    Args:
        counts: labelled examples.
        scores: for each method, (draws, counts) accuracies.
        chance: accuracy of always answering the largest class.
    """
    figure, axes = plt.subplots(figsize=(6.2, 3.9), constrained_layout=True)
    described = []
    for side, ((name, runs), colour, marker) in enumerate(
        zip(scores.items(), (BLUE, ORANGE, GREEN), "o^s", strict=False)
    ):
        mean, half = mean_and_interval(runs, axis=0)
        at = np.array(counts) * 1.06 ** (side - 1)  # side by side, so that no curve hides another's dots
        axes.errorbar(at, mean, half, fmt=f"{marker}-", color=colour, capsize=3, markersize=5, label=name)
        axes.plot(
            np.tile(at * 1.03, len(runs)),
            runs.ravel(),
            "o",
            color=colour,
            markersize=4,
            markerfacecolor="white",
            zorder=3,
        )
        described.append(f"{name}: " + ", ".join(f"{m:.2f} at {c}" for c, m in zip(counts, mean, strict=True)))
    axes.axhline(chance, color=GREY, linestyle="--", linewidth=1.2, label=f"largest class {chance:.2f}")
    axes.set(xscale="log", xlabel="labelled messages", ylabel="accuracy on test messages", ylim=(0, 1))
    axes.set_xticks(counts)
    axes.set_xticklabels([str(c) for c in counts])
    axes.minorticks_off()
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    show(
        figure,
        "Accuracy against labelled messages. " + "; ".join(described) + f". The largest class is {chance:.2f} of all.",
    )


def pieces(texts: Sequence[str]) -> str:
    """HTML of a row of pieces, each in its own box; a space is shown as ␣, a line end as ⏎."""
    boxes = "".join(
        f'<code style="border:1px solid #999;border-radius:3px;padding:0 2px;margin:1px;display:inline-block">'
        f"{html.escape(text.replace(' ', '␣').replace(chr(10), '⏎'))}</code>"
        for text in texts
    )
    return f'<div style="line-height:1.9">{boxes}</div>'


def guesses(before: str, answer: str, after: str, guessed: Sequence[tuple[str, float]]) -> str:
    """HTML of one hidden piece: the text around it, the piece, and the model's most probable guesses."""

    def shown(text: str) -> str:
        return html.escape(text.replace("\n", "⏎"))

    described = ", ".join(
        f"<b>{shown(text)}</b> {share:.2f}" if text == answer else f"{shown(text)} {share:.2f}"
        for text, share in guessed
    )
    return (
        f'<div style="margin-bottom:0.6em"><code>{shown(before)}</code><code style="background:#FFE08A;color:#000">'
        f"[{shown(answer)}]</code><code>{shown(after)}</code><br>guesses: {described}</div>"
    )
