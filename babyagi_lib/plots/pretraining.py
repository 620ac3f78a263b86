"""The figures of lesson 01: losses beside their baselines, attention, sizes, patches, and what pretraining buys."""

from __future__ import annotations

import html
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np

from babyagi_lib.plots.base import BLUE, GREEN, GREY, ORANGE, PURPLE, mean_and_interval, show


def losses_and_baselines(runs: dict[str, tuple[Sequence[float], Sequence[float], dict[str, float]]]) -> None:
    """Held-out loss against pieces read, one panel per run, with baselines as dashed lines.

    Args:
        runs: for each panel's title: pieces read, held-out loss at those moments, and the baselines' losses by name.
    """
    figure, axes = plt.subplots(1, len(runs), figsize=(3.6 * len(runs), 3.5), constrained_layout=True, squeeze=False)
    told = []
    for panel, (title, (read, losses, baselines)) in zip(axes.flat, runs.items(), strict=True):
        millions = np.array(read) / 1e6
        panel.plot(millions, losses, "o-", color=BLUE, linewidth=2, markersize=4)
        for (name, value), colour in zip(baselines.items(), (GREY, GREEN, ORANGE, PURPLE), strict=False):
            panel.hlines(value, 0, millions[-1] * 1.03, color=colour, linestyle="--", linewidth=1.2)
            panel.text(millions[-1] * 1.06, value, f"{name}\n{value:.2f}", ha="left", va="center", color=colour)
        panel.set(
            title=title,
            xlabel="pieces read, millions",
            ylim=(min(*losses, *baselines.values()) - 0.3, max(baselines.values()) + 0.6),
        )
        panel.set_ylabel("loss on held-out text, nats")
        panel.spines[["top", "right"]].set_visible(False)
        lines = ", ".join(f"{name} {value:.2f}" for name, value in baselines.items())
        told.append(f"{title}: from {losses[0]:.2f} to {losses[-1]:.2f}; dashed lines at {lines}")
    show(figure, "Loss on held-out text against the number of pieces read. " + ". ".join(told) + ".")


def attention(pieces: Sequence[str], maps: dict[str, np.ndarray]) -> None:
    """Attention of one head or more over the same pieces: rows look at columns.

    Args:
        pieces: what stands at each position.
        maps: for each panel's title, a (pieces, pieces) array of shares.
    """
    figure, axes = plt.subplots(1, len(maps), figsize=(3.6 * len(maps), 3.8), constrained_layout=True, squeeze=False)
    names = [piece.replace("$", r"\$") for piece in pieces]
    for panel, (title, shares) in zip(axes.flat, maps.items(), strict=True):
        panel.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        panel.set(title=title, xticks=range(len(pieces)), yticks=range(len(pieces)))
        panel.set_xticklabels(names, rotation=90, fontsize=9)
        panel.set_yticklabels(names, fontsize=9)
        panel.spines[:].set_visible(False)
    told = []
    for title, shares in maps.items():
        offsets = np.array([int(row.argmax()) - i for i, row in enumerate(shares)])
        values, counts = np.unique(offsets, return_counts=True)
        common = int(values[counts.argmax()])
        where = {-1: "the piece before", 1: "the piece after", 0: "itself"}.get(common, f"the piece at {common:+d}")
        told.append(f"{title}: {counts.max()} of {len(pieces)} look most, within this window, at {where}")
    show(figure, f"Attention maps over {len(pieces)} pieces. " + "; ".join(told) + ".")


def sizes(runs: dict[str, dict]) -> None:
    """Held-out loss of models of several sizes: against pieces read, and against computation.

    Args:
        runs: for each name, `read` (pieces read at each moment), `losses` (held-out) and `parameters`, from the smallest model to the largest.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.4), constrained_layout=True, sharey=True)
    told = []
    for (name, run), colour, marker in zip(runs.items(), (GREEN, ORANGE, BLUE), "s^o", strict=True):
        read = np.array(run["read"])
        left.plot(read / 1e6, run["losses"], f"{marker}-", color=colour, label=name, markersize=4)
        right.plot(6 * run["parameters"] * read, run["losses"], f"{marker}-", color=colour, label=name, markersize=4)
        told.append(f"{name} ends at {run['losses'][-1]:.2f}")
    left.set(xlabel="pieces read, millions", ylabel="loss on held-out text, nats", title="the same text")
    right.set(xlabel="computation, FLOP (6 x parameters x pieces)", xscale="log", title="the same computation")
    left.legend(frameon=False)
    for panel in (left, right):
        panel.spines[["top", "right"]].set_visible(False)
    show(
        figure,
        "Held-out loss of models of three sizes against pieces read and against computation: " + ", ".join(told) + ".",
    )


def patches(image: np.ndarray, size: int, label: int) -> None:
    """An image with its patches marked, and the patches in the row in which a vision transformer reads them.

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
    axes[1].set_title(f"the sentence: {len(row)} words of {size} x {size} pixels")
    for panel in axes:
        panel.axis("off")
    show(
        figure,
        f"A handwritten {label}, {image.shape[0]} by {image.shape[1]} pixels, cut into {len(row)} patches in a row.",
    )


def few_labels(counts: Sequence[int], scores: dict[str, np.ndarray], chance: float) -> None:
    """Accuracy against the number of labelled examples: single draws, their mean, and its 95% interval (Student's t).

    Args:
        counts: labelled examples.
        scores: for each way, (draws, counts) accuracies.
        chance: accuracy of always answering the largest class.
    """
    figure, axes = plt.subplots(figsize=(6.2, 3.7), constrained_layout=True)
    told = []
    for (name, found), colour, marker in zip(scores.items(), (BLUE, ORANGE, GREEN), "o^s", strict=False):
        mean, half = mean_and_interval(found, axis=0)
        axes.plot(np.tile(counts, len(found)), found.ravel(), ".", color=colour, alpha=0.5, markersize=4)
        axes.errorbar(counts, mean, half, fmt=f"{marker}-", color=colour, capsize=3, label=name)
        told.append(f"{name}: " + ", ".join(f"{m:.2f} at {c}" for c, m in zip(counts, mean, strict=True)))
    axes.axhline(chance, color=GREY, linestyle="--", linewidth=1.2, label=f"largest class {chance:.2f}")
    axes.set(xscale="log", xlabel="labelled messages", ylabel="accuracy on test messages", ylim=(0, 1))
    axes.set_xticks(counts)
    axes.set_xticklabels([str(c) for c in counts])
    axes.minorticks_off()
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    show(
        figure,
        "Accuracy against labelled messages. " + "; ".join(told) + f". The largest class is {chance:.2f} of all.",
    )


def pieces(texts: Sequence[str]) -> str:
    """HTML of a row of word pieces, each in a box of its own; a space at a piece's start is shown as ␣."""
    boxes = "".join(
        f'<code style="border:1px solid #999;border-radius:3px;padding:0 2px;margin:1px;display:inline-block">'
        f"{html.escape(text.replace(' ', '␣').replace(chr(10), '⏎'))}</code>"
        for text in texts
    )
    return f'<div style="line-height:1.9">{boxes}</div>'


def guesses(before: str, answer: str, after: str, found: Sequence[tuple[str, float]]) -> str:
    """HTML of one hidden piece: what stood around it, what it was, and the model's likeliest guesses."""

    def shown(text: str) -> str:
        return html.escape(text.replace("\n", "⏎"))

    told = ", ".join(
        f"<b>{shown(text)}</b> {share:.2f}" if text == answer else f"{shown(text)} {share:.2f}" for text, share in found
    )
    return (
        f'<div style="margin-bottom:0.6em"><code>{shown(before)}</code><code style="background:#FFE08A;color:#000">'
        f"[{shown(answer)}]</code><code>{shown(after)}</code><br>guesses: {told}</div>"
    )
