"""The figures of lesson 04: tags beside word pieces, and how well names are found."""

from __future__ import annotations

import html
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np

from babyagi_lib.figures.base import BLUE, ORANGE, show


def confusion(types: Sequence[str], table: np.ndarray) -> None:
    """Share of each gold type's words (rows) that were given each type (columns); counts in the cells.

    Args:
        types: names of rows and columns, one at least.
        table: (types, types) counts of words.
    """
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    side = max(3.9, 0.6 * len(types) + 1.2)
    figure, axes = plt.subplots(figsize=(side + 0.7, side), constrained_layout=True)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (i, j), count in np.ndenumerate(table):
        axes.text(
            j, i, f"{count:,}", ha="center", va="center", fontsize=9, color="white" if shares[i, j] > 0.5 else "black"
        )
    axes.set(xticks=range(len(types)), xticklabels=types, yticks=range(len(types)), yticklabels=types)
    if max(map(len, types)) > 5:  # long names would run into one another
        axes.tick_params(axis="x", labelrotation=45)
    axes.set(xlabel="predicted", ylabel="gold")
    axes.spines[:].set_visible(False)
    off = table - np.diag(np.diag(table))
    i, j = np.unravel_index(off.argmax(), off.shape)
    largest = (
        f" The largest confusion is gold {types[i]} predicted as {types[j]}, {off[i, j]} words." if off.any() else ""
    )
    show(
        figure,
        f"Confusion between types, in words. {np.trace(table):,} of {table.sum():,} words lie on the diagonal.{largest}",
    )


def f1_by_frequency(scores: dict[str, float], counts: dict[str, int], what: str) -> None:
    """Bars of entity F1 for mentions grouped by how often their text occurs as an entity in training.

    Args:
        scores: F1 of each group, by a name such as "2 to 4 times"; the bar of "never" is orange.
        counts: gold mentions in each group.
        what: what the mentions are, such as "of type LOC".
    """
    figure, axes = plt.subplots(figsize=(5.6, 3.1), constrained_layout=True)
    colours = [ORANGE if name == "never" else BLUE for name in scores]
    bars = axes.bar(list(scores), list(scores.values()), color=colours, width=0.65)
    axes.bar_label(bars, [f"{f1:.2f}\n({counts[name]:,})" for name, f1 in scores.items()], padding=2, fontsize=9)
    axes.set(ylabel=f"entity F1, {what}", ylim=(0, 1.2), xlabel="how often the same text is an entity in training")
    axes.set_title("in brackets: entities in the test set", fontsize=9, loc="left")
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    axes.spines[["top", "right"]].set_visible(False)
    values = ", ".join(f"{name}: {f1:.2f}" for name, f1 in scores.items())
    show(figure, f"Bar chart of entity F1, {what}, by how often the same text is an entity in training. {values}.")


def pieces_per_word(names: Sequence[int], others: Sequence[int], most: int = 6) -> None:
    """Share of words by the number of pieces they are cut into, for words of names and for all others.

    Args:
        names, others: pieces of each word; one of the two may be empty.
        most: words of more pieces are counted with those of this number.
    """
    counts = np.arange(1, most + 1)
    figure, axes = plt.subplots(figsize=(5.6, 3.0), constrained_layout=True)
    alt = "Bar chart of pieces per word."
    for offset, colour, label, data in ((-0.2, ORANGE, "words in names", names), (0.2, BLUE, "other words", others)):
        if not len(data):
            continue
        clipped = np.minimum(data, most)
        alt += f" {np.mean(clipped == 1):.0%} of the {label} are one piece."
        axes.bar(counts + offset, [(clipped == c).mean() for c in counts], width=0.38, color=colour, label=label)
    axes.set(xlabel="pieces in the word", ylabel="share of words", xticks=counts)
    axes.set_xticklabels([*map(str, counts[:-1]), f"{most}+"])
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    show(figure, alt)


def score_bars(scores: dict[str, float], title: str) -> None:
    """Horizontal bars, one per way of scoring the same predictions."""
    figure, axes = plt.subplots(figsize=(6.6, 0.45 * len(scores) + 0.8), constrained_layout=True)
    colours = [ORANGE if "entity" in name.lower() else BLUE for name in scores]
    bars = axes.barh(list(scores), list(scores.values()), color=colours, height=0.62)
    axes.bar_label(bars, [f"{value:.3f}" for value in scores.values()], padding=3)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1.12), title=title)
    axes.set_xticks([])
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    show(figure, f"{title}: " + ", ".join(f"{name} {value:.3f}" for name, value in scores.items()) + ".")


def alignment(pieces: Sequence[str], rows: dict[str, Sequence[str]], right: Sequence[str]) -> str:
    """HTML table of pieces with rows of labels under them; a label that differs from `right` is marked.

    A label that differs is red, bold and has a cross, so that colour is not all that tells it apart.
    """
    cell = 'style="text-align:center;padding:2px 6px;white-space:nowrap"'
    lines = ["<tr><th>piece</th>" + "".join(f"<td {cell}><code>{html.escape(p)}</code></td>" for p in pieces) + "</tr>"]
    for name, labels in rows.items():
        cells = ""
        for label, wanted in zip(labels, right, strict=True):
            wrong = label != wanted and name != "word"
            mark = ";color:#B00020;font-weight:bold;background:#FFE9E9" if wrong else ""
            cells += f'<td style="text-align:center;padding:2px 6px;white-space:nowrap{mark}">{html.escape(label)}{" ✗" if wrong else ""}</td>'
        lines.append(f"<tr><th>{html.escape(name)}</th>{cells}</tr>")
    return f'<div style="overflow-x:auto"><table>{"".join(lines)}</table></div>'
