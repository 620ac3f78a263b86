"""The figures of lesson 06: worlds on a grid, learning curves over many runs, step sizes, the cliff, replies."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

from babyagi_lib.figures.base import BLUE, GREEN, GREY, ORANGE, PURPLE, Picture, mean_and_interval, plain, show

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, GREY)
DASHES = ("-", "--", "-.", ":", (0, (5, 1)))


def grid_world(
    panels: dict[str, tuple[NDArray, NDArray]], letters: Sequence[str], arrows: str, agent: int | None = None
) -> Picture:
    """Worlds side by side: the value of each cell as colour and number, the greedy action as an arrow.

    Args:
        panels: by title, V (cells,) and the action of each cell (cells,); -1 draws no arrow.
        letters: the map, row by row, such as `["SFFF", "FHFH"]`; H is a hole, G the goal.
        arrows: the arrow of each action, such as "←↓→↑".
        agent: the cell of the agent, drawn as a ring in the panel before the last; None draws no ring.

    Returns:
        The figure and its description, for `explore.explore`.
    """
    rows, columns = len(letters), len(letters[0])
    figure, axes = plt.subplots(1, len(panels), figsize=(7, 7 / len(panels) * rows / columns + 0.4), squeeze=False)
    size = min(9, 20 * 7 / len(panels) / columns)  # in points, so that a number fits into its cell
    for number, (axis, (title, (V, policy))) in enumerate(zip(axes[0], panels.items(), strict=True)):
        axis.imshow(V.reshape(rows, columns), cmap="Blues", vmin=0, vmax=1.25)
        for cell in range(rows * columns):
            row, column = divmod(cell, columns)
            letter = letters[row][column]
            dark = {"color": "white" if V[cell] > 0.75 else "black", "ha": "center", "va": "center"}
            if letter in "HG":
                axis.add_patch(
                    plt.Rectangle((column - 0.5, row - 0.5), 1, 1, color="#444444" if letter == "H" else GREEN)
                )
                axis.text(
                    column, row, "hole" if letter == "H" else "goal", fontsize=size, **(dark | {"color": "white"})
                )
                continue
            axis.text(column, row + 0.24, f"{V[cell]:.2f}", fontsize=size, **dark)
            if policy[cell] >= 0:
                axis.text(column, row - 0.18, arrows[policy[cell]], fontsize=1.55 * size, **dark)
        if agent is not None and number == max(0, len(panels) - 2):
            row, column = divmod(agent, columns)
            axis.add_patch(plt.Circle((column, row), 0.46, fill=False, color=ORANGE, linewidth=3))
        axis.set_title(title, fontsize=10)
        axis.set(xticks=np.arange(columns + 1) - 0.5, yticks=np.arange(rows + 1) - 0.5)
        axis.tick_params(length=0, labelbottom=False, labelleft=False)
        axis.grid(color="white", linewidth=1)
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.02, top=0.9, wspace=0.05)

    def cell_text(cell: int, V: NDArray, policy: NDArray) -> str:
        letter = letters[cell // columns][cell % columns]
        if letter in "HG":
            return "hole" if letter == "H" else "goal"
        return f"{V[cell]:.2f}{arrows[policy[cell]] if policy[cell] >= 0 else ''}"

    described = []
    for title, (V, policy) in panels.items():
        texts = [cell_text(cell, V, policy) for cell in range(rows * columns)]
        lines = [" ".join(texts[first : first + columns]) for first in range(0, rows * columns, columns)]
        described.append(f"{title}: {'; '.join(lines)}")
    alt = "Values and greedy arrows, row by row. " + ". ".join(described) + "."
    if agent is not None:
        alt += f" A ring marks the agent, in row {agent // columns + 1}, column {agent % columns + 1}."
    return Picture(figure, alt)


def learning_figure(
    moments: NDArray, curves: dict[str, NDArray], measured: str, lines: dict[str, float] | None = None
) -> Picture:
    """Mean over runs with its 95% interval (Student's t) against the steps of each run.

    Args:
        moments: steps, (moments,).
        curves: by name, the measured values, (moments, runs).
        measured: the label of the measured values.
        lines: by name, values to compare with, drawn across.

    Returns:
        The figure and its description, for `explore.explore`; `learning_runs` shows it.
    """
    figure, axis = plt.subplots(figsize=(6.4, 3.4), constrained_layout=True)
    described = []
    for (name, runs), colour, dashes in zip(curves.items(), COLOURS, DASHES, strict=False):
        mean, half = mean_and_interval(runs, axis=-1)
        axis.plot(moments, mean, color=colour, linestyle=dashes, linewidth=2, label=name)
        axis.fill_between(moments, mean - half, mean + half, color=colour, alpha=0.2, linewidth=0)
        described.append(f"{name}: from {mean[0]:.3g} to {mean[-1]:.3g}, plus or minus {half[-1]:.2g}")
    for (name, value), dashes in zip((lines or {}).items(), (":", "--"), strict=False):
        ink = plt.rcParams["text.color"]
        axis.axhline(value, color=ink, linestyle=dashes, linewidth=1.2, label=f"{name}: {value:.3g}")
        described.append(f"{name} is at {value:.3g}")
    axis.set(xlabel="steps in each run", ylabel=measured)
    axis.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
    axis.legend(frameon=False, fontsize=9)
    plain(axis)
    count = next(iter(curves.values())).shape[-1]
    alt = (
        f"{measured[0].upper()}{measured[1:]}, mean of {count} runs with 95% intervals, over {moments[-1]:,} steps. "
        + "; ".join(described)
        + "."
    )
    return Picture(figure, alt)


def learning_runs(
    moments: NDArray,
    curves: dict[str, NDArray],
    measured: str,
    lines: dict[str, float] | None = None,
    low: float | None = None,
) -> None:
    """Show `learning_figure`; `low` cuts the axis off below."""
    figure, alt = learning_figure(moments, curves, measured, lines)
    if low is not None:
        figure.axes[0].set_ylim(bottom=low)
    show(figure, alt)


def step_size_runs(
    moments: NDArray, entries: dict[str, NDArray], errors: dict[str, NDArray], optimum: float, entry: str
) -> None:
    """One entry of Q in single runs, and the largest error of the table, for several step sizes.

    Args:
        moments: steps, (moments,).
        entries: by step size, that entry in a few runs, (moments, runs).
        errors: by step size, the largest |Q - Q*|, (moments, runs).
        optimum: Q* of the entry.
        entry: the name of the entry.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.3), constrained_layout=True)
    for (name, runs), colour in zip(entries.items(), (ORANGE, BLUE), strict=False):
        left.semilogx(moments, runs, color=colour, linewidth=0.9, alpha=0.7)
        left.plot([], [], color=colour, label=name)
    left.axhline(optimum, color="black", linewidth=1.2, linestyle=":", label=f"Q* = {optimum:.3f}")
    left.set(xlabel="steps", ylabel=entry)
    left.legend(frameon=True, framealpha=0.85, edgecolor="none", fontsize=9)
    described = []
    for (name, runs), colour, dashes in zip(errors.items(), (ORANGE, BLUE, GREEN, PURPLE), DASHES, strict=False):
        mean, half = mean_and_interval(runs, axis=-1)
        right.loglog(moments, mean, color=colour, linestyle=dashes, linewidth=2, label=name)
        right.fill_between(moments, mean - half, mean + half, color=colour, alpha=0.2, linewidth=0)
        described.append(f"{name}: {mean[-1]:.3f}")
    right.set(xlabel="steps", ylabel="largest |Q − Q*|")
    right.yaxis.set_major_formatter(lambda y, _: f"{y:g}")
    right.yaxis.set_minor_formatter(lambda y, _: f"{y:.1g}" if f"{y:e}"[0] in "235" else "")
    right.legend(frameon=False, fontsize=9)
    plain(left, right)
    show(
        figure,
        f"Left: {entry} in a few single runs, optimum {optimum:.3f}; at the end they are, on average, at "
        + ", ".join(f"{runs[-1].mean():.3f} with step size {name}" for name, runs in entries.items())
        + f". Right: the largest error after {moments[-1]:,} steps, mean over runs; "
        + "; ".join(described)
        + ".",
    )


def cliff_paths(paths: dict[str, Sequence[int]], rows: int, columns: int) -> None:
    """The paths of greedy policies along the cliff, drawn on its grid.

    Args:
        paths: by name, the cells in the order in which they are entered.
        rows: rows of the grid; the last one has start, cliff and goal.
        columns: columns of the grid.
    """
    figure, axis = plt.subplots(figsize=(7, 2.9), constrained_layout=True)
    axis.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5), aspect="equal")
    axis.set(xticks=np.arange(columns + 1) - 0.5, yticks=np.arange(rows + 1) - 0.5)
    axis.tick_params(length=0, labelbottom=False, labelleft=False)
    axis.grid(color="#CCCCCC", linewidth=0.8)
    axis.add_patch(plt.Rectangle((0.5, rows - 1.5), columns - 2, 1, color="#444444"))
    axis.text(
        (columns - 1) / 2, rows - 1, "the cliff: -100, and back to the start", color="white", ha="center", va="center"
    )
    axis.text(0, rows - 1, "start", ha="center", va="center")
    axis.text(columns - 1, rows - 1, "goal", ha="center", va="center")
    for number, ((name, cells), colour, dashes) in enumerate(
        zip(paths.items(), (BLUE, ORANGE), ("-", "--"), strict=False)
    ):
        row, column = np.divmod(np.array(cells), columns)
        shift = 0.1 * (number - 0.5)
        axis.plot(
            column + shift,
            row + shift,
            color=colour,
            linestyle=dashes,
            linewidth=2.5,
            label=f"{name}: {len(cells) - 1} steps",
        )
    figure.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False)
    described = ", ".join(
        f"{name} takes {len(cells) - 1} steps and goes up to row {min(cells) // columns + 1} of {rows}"
        for name, cells in paths.items()
    )
    show(figure, f"The greedy paths beside the cliff, which is the bottom row: {described}.")


def puzzle(
    number: int,
    moments: NDArray,
    runs: NDArray,
    measured: str,
    optimum: tuple[str, float] | None = None,
    logarithmic: bool = False,
    across: str = "steps in each run",
) -> None:
    """The curve of a learner with a bug: up to twenty single runs, the mean of all runs, and a value to compare with.

    Args:
        number: number of the puzzle.
        moments: steps, (moments,).
        runs: the measured values, (moments, runs).
        measured: the label of the measured values.
        optimum: name and value of a line to compare with.
        logarithmic: draw the measured values on a logarithmic scale.
        across: what `moments` counts.
    """
    figure, axis = plt.subplots(figsize=(5.6, 2.9), constrained_layout=True)
    axis.plot(moments, runs[:, :20], color=GREY, linewidth=0.6, alpha=0.45)
    mean, half = mean_and_interval(runs, axis=-1)
    axis.plot(moments, mean, color=ORANGE, linewidth=2.2, label=f"mean of {runs.shape[-1]} runs")
    alt = f"Puzzle {number}: {measured}, mean of {runs.shape[-1]} runs, from {mean[0]:.3g} to {mean[-1]:.3g}, plus or minus {half[-1]:.2g}"
    if optimum:
        axis.axhline(optimum[1], color="black", linestyle=":", linewidth=1.4, label=f"{optimum[0]}: {optimum[1]:.3g}")
        alt += f"; {optimum[0]} is at {optimum[1]:.3g}"
    if logarithmic:
        axis.set_yscale("log")
    axis.set(xlabel=across, ylabel=measured, title=f"Puzzle {number}")
    axis.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
    axis.legend(framealpha=0.9, edgecolor="none", fontsize=9)
    plain(axis)
    show(figure, alt + ".")


def reply_values(rates: NDArray, values: dict[str, NDArray], learned: dict[float, NDArray]) -> None:
    """The return of a help desk against the share of messages that it misreads, and what Q-learning reached.

    Args:
        rates: shares of misread messages, (rates,).
        values: by the name of a policy, its exact value at each rate, (rates,); the first is the optimum.
        learned: by rate, the exact values of the policies that were learned there, (runs,).
    """
    figure, axis = plt.subplots(figsize=(6.4, 3.6), constrained_layout=True)
    for (name, curve), colour, dashes in zip(values.items(), (GREEN, PURPLE, GREY, BLUE), DASHES, strict=False):
        axis.plot(rates, curve, color=colour, linestyle=dashes, linewidth=3 if dashes == "-" else 1.6, label=name)
    described = []
    for number, (rate, runs) in enumerate(learned.items()):
        mean, half = mean_and_interval(runs, axis=-1)
        label = "Q-learning, 95% interval" if number == 0 else None
        axis.errorbar(rate, mean, yerr=half, fmt="o", color=ORANGE, capsize=3, markersize=5, label=label, zorder=5)
        described.append(f"{mean:.2f} at {rate:.0%}")
    best = next(iter(values.values()))
    axis.set(xlabel="share of first messages that the classifier misreads", ylabel="mean return of a conversation")
    axis.xaxis.set_major_formatter(lambda x, _: f"{x:.0%}")
    axis.legend(frameon=False, fontsize=9)
    plain(axis)
    show(
        figure,
        f"The best possible return falls from {best[0]:.2f} without misreadings to {best[-1]:.2f} at {rates[-1]:.0%}. "
        f"Q-learning reaches {', '.join(described)}.",
    )
