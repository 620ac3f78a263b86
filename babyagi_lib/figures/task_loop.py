"""The figures of lesson 14: trees of tasks, their sizes, wordings, mechanisms, backends, attacks. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from babyagi_lib.basics.intervals import Interval
from babyagi_lib.figures.base import BLUE, GREEN, GREY, ORANGE, PURPLE, Picture, plain, show

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, GREY)
MARKERS = ("o", "s", "^", "D", "v")


def _layers(parents: NDArray) -> tuple[NDArray, NDArray]:
    """Where each task of a tree is drawn: across, so that a parent is above the middle of its children, and down."""
    number = len(parents)
    depth, across = np.zeros(number), np.full(number, np.nan)
    children: list[list[int]] = [[] for _ in range(number)]
    for child, parent in enumerate(parents):
        if parent >= 0:
            depth[child] = depth[parent] + 1
            children[parent].append(child)
    leaves, waiting = 0, [0]
    order = []
    while waiting:
        at = waiting.pop()
        order.append(at)
        waiting += reversed(children[at])
    for at in order:
        if not children[at]:
            across[at], leaves = leaves, leaves + 1
    for at in reversed(order):
        if children[at]:
            across[at] = np.mean(across[children[at]])
    return across - across[0], depth


def _tree(axis: Axes, parents: NDArray, title: str, colour: str) -> None:
    across, depth = _layers(np.asarray(parents))
    for child, parent in enumerate(parents):
        if parent >= 0:
            axis.plot(across[[parent, child]], depth[[parent, child]], color=GREY, linewidth=0.8, zorder=1)
    axis.scatter(across, depth, s=14, color=colour, zorder=2)
    axis.set_title(title, fontsize=9)
    axis.invert_yaxis()
    axis.set_axis_off()


def trees(grown: Mapping[str, Sequence[NDArray]], limit: int) -> None:
    """Trees of tasks, a row for each m, three to a row.

    Args:
        grown: by name of the row, the parents of each task of each tree.
        limit: trees of this size were cut.
    """
    columns = max(map(len, grown.values()))
    figure, axes = plt.subplots(
        len(grown), columns, figsize=(6.4, 1.9 * len(grown)), constrained_layout=True, squeeze=False
    )
    described = []
    for row, (name, several), colour in zip(axes, grown.items(), COLOURS, strict=False):
        sizes = [f"{len(tree)}{' or more' if len(tree) >= limit else ''}" for tree in several]
        for axis, tree, size in zip(row, several, sizes, strict=True):
            _tree(axis, tree, f"{name}: {size} task{'' if size == '1' else 's'}", colour)
        described.append(f"{name}: {', '.join(sizes)}")
    show(figure, f"Trees of tasks, the first task above, new tasks below it; number of tasks. {'; '.join(described)}.")


def totals(measured: Mapping[str, NDArray], theory: Mapping[str, NDArray], limit: int) -> None:
    """The probability that a loop finishes at least n tasks, measured and by theory, for some m.

    Args:
        measured: by m, how many tasks each loop finished; more than `limit` means that it was still going.
        theory: by m, the probability of n tasks in all, for n from 0 to `limit`.
        limit: the greatest number that is drawn.
    """
    figure, axis = plt.subplots(figsize=(6.4, 3.7), constrained_layout=True)
    shown = np.unique(np.geomspace(1, limit, 22).astype(int))
    described = []
    for (name, found), colour, marker in zip(measured.items(), COLOURS, MARKERS, strict=False):
        exact = 1 - np.concatenate([[0], np.cumsum(theory[name])[:-1]])  # P(at least n)
        axis.plot(np.arange(1, limit + 1), exact[1:], color=colour, linewidth=1.5, label=f"{name}, theory")
        share = np.array([(found >= n).mean() for n in shown])
        kept = share > 0
        axis.plot(shown[kept], share[kept], marker, color=colour, markersize=4, label=f"{name}, measured")
        described.append(f"{name}: {share[-1]:.3f} measured and {exact[limit]:.3f} by theory")
    axis.set(xscale="log", yscale="log", xlabel="tasks, n", ylabel="share of loops that finish n or more")
    axis.set_ylim(bottom=5e-5)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False, fontsize=8)
    plain(axis)
    show(figure, f"Share of loops that finish at least n tasks, up to n {limit}. At {limit}: {'; '.join(described)}.")


def process(m: float, parents: NDArray, limit: int, chances: NDArray, root: float, expected: float) -> Picture:
    """One tree, and where f(s) meets s.

    Args:
        m: new tasks for each finished task.
        parents: of the tasks in the tree; at most `limit`.
        limit: trees of this size were cut.
        chances: the probability of 0, 1, 2, ... new tasks.
        root: the smallest s with f(s) = s.
        expected: tasks in all, on average.
    """
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(6.4, 3.2), constrained_layout=True, gridspec_kw={"width_ratios": (3, 2)}
    )
    size = f"{len(parents)}{' or more' if len(parents) >= limit else ''} task{'' if len(parents) == 1 else 's'}"
    _tree(left, parents, size, BLUE)
    s = np.linspace(0, 1, 60)
    right.plot(s, s, color=GREY, linewidth=1)
    right.plot(s, np.polynomial.polynomial.polyval(s, chances), color=ORANGE, linewidth=2)
    right.plot(root, root, "o", color=BLUE, markersize=8)
    right.set(xlabel="s", ylabel="f(s)", xlim=(0, 1.03), ylim=(0, 1.03), aspect="equal")
    mean = "infinite" if np.isinf(expected) else f"{expected:.1f}"
    right.set_title(f"m {m:.1f}: ends with probability {root:.2f}", fontsize=9)
    figure.suptitle(f"mean number of tasks in all: {mean}", fontsize=9)
    plain(right)
    return Picture(
        figure,
        f"m {m:.1f}: a tree with {size}. Beside it, f(s) meets the diagonal first at {root:.3f}, the probability that "
        f"a loop ends. The mean number of tasks in all is {mean}.",
    )


def wordings(same: NDArray, other: NDArray, threshold: float) -> None:
    """How alike wordings of one question are, and texts of different questions, with a threshold.

    Args:
        same: cosines of pairs that ask the same.
        other: of pairs that ask different things.
        threshold: from which on two texts count as the same.
    """
    figure, axis = plt.subplots(figsize=(6.4, 3.2), constrained_layout=True)
    edges = np.linspace(-0.1, 1, 56)
    for values, colour, name in ((other, GREY, "different questions"), (same, BLUE, "one question, two wordings")):
        counts, _ = np.histogram(values, edges)
        axis.stairs(counts / len(values), edges, color=colour, fill=True, alpha=0.6, label=name)
    axis.axvline(threshold, color=ORANGE, linestyle="--", label=f"threshold {threshold:g}")
    axis.set(xlabel="cosine of two task texts", ylabel="share of pairs")
    axis.legend(frameon=False, fontsize=9)
    plain(axis)
    show(
        figure,
        f"Cosines of {len(same):,} pairs of wordings of one question (mean {same.mean():.2f}) and of {len(other):,} pairs of "
        f"different questions (mean {other.mean():.2f}). At {threshold:g} or above: {(same >= threshold).mean():.0%} and "
        f"{(other >= threshold).mean():.2%}.",
    )


def mechanisms(executed: Mapping[str, Interval], success: Mapping[str, float], shortest: int) -> None:
    """Bars: how many tasks a loop executes with each set of mechanisms; beside each, in how many runs the objective was met.

    Args:
        executed: by name, the mean number of tasks with its interval.
        success: by name, the share of runs that met the objective.
        shortest: tasks of the shortest run.
    """
    figure, axis = plt.subplots(figsize=(6.4, 0.9 + 0.36 * len(executed)), constrained_layout=True)
    places, described = np.arange(len(executed)), []
    for place, (name, found) in zip(places, executed.items(), strict=True):
        low, high = found.estimate - found.low, found.high - found.estimate
        axis.barh(place, found.estimate, 0.62, color=GREEN if success[name] == 1 else BLUE if success[name] else GREY)
        axis.errorbar(
            found.estimate, place, xerr=[[low], [high]], color=plt.rcParams["text.color"], capsize=3, linewidth=1
        )
        axis.text(found.high + 2, place, f"met: {success[name]:.0%}", va="center", fontsize=8)
        described.append(f"{name}: {found.estimate:.0f} tasks, met in {success[name]:.0%}")
    for colour, said in ((GREEN, "met in all runs"), (BLUE, "in some"), (GREY, "in none")):
        axis.barh(0, 0, color=colour, label=said)  # only for the legend
    axis.axvline(shortest, color=ORANGE, linestyle="--", linewidth=1.2, zorder=0.5, label=f"shortest run: {shortest}")
    axis.set_yticks(places, list(executed), fontsize=9)
    axis.invert_yaxis()
    axis.set(xlabel="tasks executed", xlim=(0, max(found.high for found in executed.values()) * 1.22))
    figure.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False, fontsize=9)
    plain(axis)
    show(
        figure,
        f"Tasks executed, and share of runs that met the objective; the shortest run has {shortest}. {'; '.join(described)}.",
    )


def pairs(values: Mapping[str, tuple[float, float]], names: tuple[str, str], label: str) -> None:
    """Two bars for each thing that is compared, from 0 to 1.

    Args:
        values: by name, the lengths of the two bars.
        names: of the first and of the second bar.
        label: of the axis.
    """
    figure, axis = plt.subplots(figsize=(6.4, 0.9 + 0.5 * len(values)), constrained_layout=True)
    places = np.arange(len(values))
    for number, (name, colour) in enumerate(zip(names, (BLUE, ORANGE), strict=True)):
        lengths = np.array([pair[number] for pair in values.values()])
        at = places + 0.38 * (number - 0.5)
        axis.barh(at, lengths, 0.36, color=colour, label=name)
        for y, length in zip(at, lengths, strict=True):
            axis.text(length + 0.01, y, f"{length:.2f}", va="center", fontsize=8)
    axis.set_yticks(places, list(values), fontsize=9)
    axis.invert_yaxis()
    axis.set(xlabel=label, xlim=(0, 1.12))
    figure.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False, fontsize=9)
    plain(axis)
    described = "; ".join(f"{name}: {one:.2f} and {other:.2f}" for name, (one, other) in values.items())
    show(figure, f"{label}, {names[0]} and {names[1]}. {described}.")
