"""The figures of lesson 10: a room step by step, learning curves, what the agent matches, success with new words.

Used by lesson 10.
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

from babyagi_lib.basics.intervals import over_seeds
from babyagi_lib.figures.base import BLUE, GREEN, GREY, ORANGE, PURPLE, Picture, show
from babyagi_lib.worlds.fetch import ACTIONS, COLOURS, FIRST, HEADINGS, KINDS, THINGS, VIEW, WALL, Moment

PAINT = {
    "red": "#D62728",
    "green": "#009E73",
    "blue": "#0072B2",
    "purple": "#9467BD",
    "yellow": "#E0B000",
    "grey": "#777777",
}
SHORT = {"red": "R", "green": "Gn", "blue": "B", "purple": "P", "yellow": "Y", "grey": "Gy"}
COLOURS_OF_LINES = (BLUE, ORANGE, GREEN, PURPLE, GREY)
MARKS = ("o", "s", "^", "D", "v")


def room(moment: Moment, told: str, step: int, last: bool = False) -> Picture:
    """A room with its agent, the cells in view, and the probability of each action beside it.

    Args:
        moment: the step.
        told: the instruction.
        step: its number, from 0.
        last: whether the episode ends with it.

    Returns:
        The figure and its description, for `explore`.
    """
    size = len(moment.grid)
    x, y = moment.position
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.6, 3.7), width_ratios=(1.5, 1), gridspec_kw={"wspace": 0.45})
    _floor(left, moment, size)
    things = _things(left, moment.grid)
    angle = {"right": 0, "down": 90, "left": 180, "up": 270}[HEADINGS[moment.heading]]
    turn = np.deg2rad(angle)
    tip = np.array([[0.38, 0], [-0.3, -0.28], [-0.3, 0.28]]) @ [
        [np.cos(turn), np.sin(turn)],
        [-np.sin(turn), np.cos(turn)],
    ]
    left.add_patch(plt.Polygon(tip + np.array([x, y]), color=ORANGE, ec="black", zorder=5))
    left.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5), aspect="equal", xticks=[], yticks=[])
    end = " (the last)" if last else ""
    left.set_title(f"“{told}”, step {step}{end}", fontsize=10)
    names = ACTIONS[: len(moment.probability)]
    bars = right.barh(
        range(len(names)), moment.probability, color=[ORANGE if a == moment.action else BLUE for a in range(4)]
    )
    right.bar_label(bars, [f"{p:.2f}" for p in moment.probability], padding=2, fontsize=9)
    right.set(yticks=range(len(names)), yticklabels=names, xlim=(0, 1.25), xticks=[0, 0.5, 1], title="probability")
    right.title.set_fontsize(10)
    right.invert_yaxis()
    right.spines[["top", "right"]].set_visible(False)
    listed = ", ".join(f"{p:.2f} for {name}" for name, p in zip(names, moment.probability, strict=True))
    alt = (
        f"Told “{told}”, step {step}{end}: the agent is in column {x}, row {y}, facing {HEADINGS[moment.heading]}; {things}. "
        f"Probability {listed}. It does: {ACTIONS[moment.action]}."
    )
    return Picture(figure, alt)


def _floor(axis: plt.Axes, moment: Moment, size: int) -> None:
    """Walls, and a tint over the cells in view."""
    x, y = moment.position
    half = VIEW // 2
    low_x, low_y = {
        "right": (x, y - half),
        "down": (x - half, y),
        "left": (x - VIEW + 1, y - half),
        "up": (x - half, y - VIEW + 1),
    }[HEADINGS[moment.heading]]
    axis.add_patch(plt.Rectangle((-0.5, -0.5), size, size, color="#F4F4F4"))
    shape = [max(low_x, 0), max(low_y, 0), min(low_x + VIEW, size), min(low_y + VIEW, size)]
    axis.add_patch(
        plt.Rectangle((shape[0] - 0.5, shape[1] - 0.5), shape[2] - shape[0], shape[3] - shape[1], color="#CFE3F5")
    )
    for i, j in np.argwhere(moment.grid == WALL):
        axis.add_patch(plt.Rectangle((i - 0.5, j - 0.5), 1, 1, color="#444444", ec="#666666"))


def _things(axis: plt.Axes, grid: NDArray) -> str:
    """Draw what lies in the room, and describe it."""
    said = []
    for i, j in np.argwhere(grid >= FIRST):
        colour, kind = THINGS[grid[i, j] - FIRST].split()
        if kind == "ball":
            axis.add_patch(plt.Circle((i, j - 0.1), 0.3, color=PAINT[colour], zorder=4))
        else:
            axis.add_patch(plt.Circle((i - 0.18, j - 0.12), 0.17, fill=False, lw=3.5, ec=PAINT[colour], zorder=4))
            axis.plot(
                [i - 0.02, i + 0.38, i + 0.38], [j - 0.12, j - 0.12, j + 0.08], lw=3.5, color=PAINT[colour], zorder=4
            )
        axis.text(i, j + 0.36, SHORT[colour], fontsize=8, ha="center", va="center", color="black", zorder=6)
        said.append(f"{colour} {kind} in column {i}, row {j}")
    return "; ".join(said) or "no thing is left"


def learning(curves: dict[str, tuple[NDArray, NDArray]], lines: dict[str, float]) -> None:
    """The share of right things while agents learn, interquartile mean over seeds with its interval.

    Args:
        curves: by name, steps (rollouts,) and shares (seeds, rollouts).
        lines: by name, shares to compare with.
    """
    figure, axis = plt.subplots(figsize=(6.4, 3.4), constrained_layout=True)
    said = []
    for (name, (steps, shares)), colour in zip(curves.items(), COLOURS_OF_LINES, strict=False):
        middle, low, high = over_seeds(np.nan_to_num(shares).T, resamples=500)
        axis.plot(steps / 1000, middle, color=colour, lw=2, label=name)
        axis.fill_between(steps / 1000, low, high, color=colour, alpha=0.2, lw=0)
        said.append(f"{name}: {middle[0]:.2f} at the start, {middle[-1]:.3f} at the end")
    for (name, value), style in zip(lines.items(), ("--", ":", "-."), strict=False):
        axis.axhline(value, color=plt.rcParams["text.color"], lw=1, ls=style, label=f"{name}: {value:.3f}")
        said.append(f"a line at {value:.3f} is {name}")
    axis.set(xlabel="thousand steps, in all rooms together", ylabel="share of right things", ylim=(0, 1.03))
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=9, loc="lower right")
    show(figure, "Share of right things among the episodes that end, over steps. " + "; ".join(said) + ".")


def matches(tables: dict[str, NDArray], never: Sequence[int]) -> None:
    """Scores of every thing under every instruction, side by side for several agents.

    Args:
        tables: by the agent's name, scores (12 instructions, 12 things).
        never: instructions that were not used in training.
    """
    short = [f"{SHORT[c]} {k}" for k in KINDS for c in COLOURS]
    figure, axes = plt.subplots(1, len(tables), figsize=(6.6, 3.9), constrained_layout=True, sharey=True, squeeze=False)
    said = []
    for axis, (name, table) in zip(axes[0], tables.items(), strict=True):
        top = np.abs(table).max()
        axis.imshow(table, cmap="PuOr_r", vmin=-top, vmax=top)
        best = table.argmax(axis=1)
        axis.plot(best, range(12), "o", ms=4, color="black")
        axis.set(xticks=range(12), yticks=range(12), yticklabels=short, title=name, xlabel="thing in a cell")
        axis.title.set_fontsize(10)
        axis.set_xticklabels(short, rotation=90)
        axis.tick_params(labelsize=8, length=0)
        right = int((best == np.arange(12)).sum())
        of_them = [f"“{THINGS[n]}” matches {THINGS[best[n]]} best" for n in never]
        said.append(f"{name}: the highest score of {right} of 12 instructions is the right thing; {', '.join(of_them)}")
    axes[0, 0].set_ylabel("instruction")
    for number in never:
        axes[0, 0].get_yticklabels()[number].set(color=ORANGE, fontweight="bold")
    show(
        figure,
        "Scores of twelve things under twelve instructions; a dot marks the highest in each row, and the instructions that "
        "were not used in training are bold. " + ". ".join(said) + ".",
    )


def held_out(found: dict[str, dict[str, NDArray]], lines: dict[str, float]) -> None:
    """Share of right things by kind of instruction: interquartile mean over seeds with its interval.

    Args:
        found: by agent and by kind, the share of each seed, (seeds,).
        lines: by name, shares to compare with.
    """
    kinds = list(dict.fromkeys(kind for of in found.values() for kind in of))
    figure, axis = plt.subplots(figsize=(6.4, 0.42 * len(kinds) + 1.3), constrained_layout=True)
    said = []
    for number, (agent, of) in enumerate(found.items()):
        place = [kinds.index(kind) + 0.24 * (number - (len(found) - 1) / 2) for kind in of]
        middle, low, high = over_seeds(np.array(list(of.values())))
        colour, mark = COLOURS_OF_LINES[number], MARKS[number]
        axis.errorbar(
            middle, place, xerr=[middle - low, high - middle], fmt=mark, color=colour, capsize=3, ms=5, label=agent
        )
        said.append(f"{agent}: " + ", ".join(f"{kind} {m:.2f}" for kind, m in zip(of, middle, strict=True)))
    for (name, value), style in zip(lines.items(), ("--", "-.", ":"), strict=False):
        axis.axvline(value, color=plt.rcParams["text.color"], lw=1, ls=style, label=f"{name}: {value:.2f}")
        said.append(f"a line at {value:.2f} is {name}")
    axis.set(yticks=range(len(kinds)), yticklabels=kinds, xlim=(0, 1.03), xlabel="share of right things")
    axis.invert_yaxis()
    axis.grid(axis="x", color="#DDDDDD", lw=0.6)
    axis.spines[["top", "right"]].set_visible(False)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False, fontsize=9)
    show(figure, "Share of right things by what is new in the instruction. " + "; ".join(said) + ".")


def new_words(similar: NDArray, words: Sequence[str], known: Sequence[str], share: NDArray) -> None:
    """How similar new words are to known ones in the encoder's vectors, and how often the agent takes the right thing.

    Args:
        similar: cosines, (words, known); NaN where they are not compared.
        words: the new ones.
        known: the words of training.
        share: of right things with each new word, (words,).
    """
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(6.6, 0.27 * len(words) + 1.1), width_ratios=(2, 1), constrained_layout=True, sharey=True
    )
    left.imshow(similar, cmap="PuOr_r", vmin=-0.7, vmax=0.7, aspect="auto")
    for (row, column), value in np.ndenumerate(similar):
        if np.isfinite(value):
            ink = "white" if abs(value) > 0.45 else "black"
            left.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8, color=ink)
    left.set(yticks=range(len(words)), yticklabels=words, xticks=range(len(known)), title="cosine with known words")
    left.set_xticklabels(known, rotation=45)
    left.tick_params(labelsize=9, length=0)
    right.barh(range(len(words)), share, color=BLUE)
    right.set(xlim=(0, 1), xticks=[0, 0.5, 1], title="right things")
    right.grid(axis="x", color="#DDDDDD", lw=0.6)
    right.spines[["top", "right"]].set_visible(False)
    right.tick_params(axis="y", length=0)
    for axis in (left, right):
        axis.title.set_fontsize(10)
    said = []
    for word, row, value in zip(words, similar, share, strict=True):
        best = int(np.nanargmax(row))
        said.append(f"{word} is most similar to {known[best]} ({row[best]:.2f}), right {value:.2f}")
    show(figure, "New words: " + "; ".join(said) + ".")
