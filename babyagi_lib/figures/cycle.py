"""The figures of lesson 13: the cycle, regret, estimates from logs, false promotions, a capital, forgetting, versions over time.

Imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

from babyagi_lib.basics.intervals import over_seeds
from babyagi_lib.figures.base import BLUE, GREEN, GREY, ORANGE, PURPLE, Picture, plain, show

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, "#E69F00", GREY)
MARKERS = ("o", "s", "^", "D", "v", "P")
STEPS = (
    "act and\nexplore",
    "log, with\npropensities",
    "compare:\nthe gate",
    "promote or\nroll back",
    "refit a new\nversion",
)


def loop() -> None:
    """The five steps of the cycle as a ring, with the name that the article gives to each."""
    figure, axis = plt.subplots(figsize=(5.2, 3.9), constrained_layout=True)
    named = ("explore", "learn from reward", "", "update the model", "optimise")
    turn = np.pi / 2 - 2 * np.pi * np.arange(5) / 5
    for number, (text, angle, name) in enumerate(zip(STEPS, turn, named, strict=True)):
        x, y = 1.3 * np.cos(angle), np.sin(angle)
        gate = number == 2
        box = {"boxstyle": "round,pad=0.5", "facecolor": ORANGE if gate else BLUE, "edgecolor": "none"}
        axis.text(x, y, text, ha="center", va="center", color="white", fontsize=10, bbox=box)
        axis.text(x, y - 0.33, name, ha="center", va="center", fontsize=8, style="italic")
        # the arrow from this box to the next
        a, b = angle - 0.42, angle - 2 * np.pi / 5 + 0.42
        arrow = {"arrowstyle": "-|>", "color": GREY, "linewidth": 2, "connectionstyle": "arc3,rad=-0.15"}
        ends = [(1.3 * np.cos(t), np.sin(t)) for t in (a, b)]
        axis.annotate("", xy=ends[1], xytext=ends[0], arrowprops=arrow)
    axis.set(xlim=(-2.1, 2.1), ylim=(-1.25, 1.25))
    axis.axis("off")
    show(
        figure,
        "A ring of five steps: act and explore; log, with propensities; compare, which is the gate; promote or roll back; refit a "
        "new version; and again. The article's words stand under four of them; the gate is not in the article.",
    )


def regret(curves: Mapping[str, NDArray], optimum: Mapping[int, float]) -> None:
    """Bayes regret of rules over the number of pulls, and the smallest that is possible at some horizons.

    Args:
        curves: by rule, the regret after 0, 1, ... pulls.
        optimum: by horizon, the smallest regret.
    """
    figure, axis = plt.subplots(figsize=(6.2, 3.7), constrained_layout=True)
    for number, (name, values) in enumerate(curves.items()):
        every = max(1, len(values) // 6)
        style = {"color": COLOURS[number], "marker": MARKERS[number], "markevery": every}
        axis.plot(values, label=name, linewidth=1.8, **style)
    axis.plot(list(optimum), list(optimum.values()), "k*", markersize=11, label="optimum for this horizon")
    axis.set(xlabel="pulls", ylabel="Bayes regret", xlim=(0, None), ylim=(0, None))
    axis.legend(frameon=False, fontsize=9)
    plain(axis)
    last = ", ".join(f"{name} {values[-1]:.2f}" for name, values in curves.items())
    stars = ", ".join(f"{value:.2f} at {horizon}" for horizon, value in optimum.items())
    show(figure, f"Bayes regret over pulls. At the end: {last}. The smallest possible: {stars}.")


def estimates(found: Mapping[str, NDArray], exact: float) -> None:
    """Histograms of estimates from many logs, one below the other, with the exact value as a line.

    Args:
        found: by method, one estimate for each log, (logs,).
        exact: what all of them estimate.
    """
    figure, axes = plt.subplots(
        len(found), 1, figsize=(6.0, 0.6 + 0.95 * len(found)), sharex=True, constrained_layout=True, squeeze=False
    )
    low = min(np.quantile(values, 0.005) for values in found.values())
    high = max(np.quantile(values, 0.995) for values in found.values())
    edges, described = np.linspace(min(low, exact), max(high, exact), 60), []
    for axis, (name, values), colour in zip(axes[:, 0], found.items(), COLOURS, strict=False):
        axis.hist(values, edges, color=colour)
        axis.axvline(exact, color=plt.rcParams["text.color"], linestyle="--", linewidth=1.5)
        axis.set_title(f"{name}: mean {values.mean():.2f}, sd {values.std():.2f}", fontsize=9, loc="left", pad=2)
        axis.set_yticks([])
        axis.spines[["top", "right", "left"]].set_visible(False)
        described.append(f"{name}: mean {values.mean():.3f}, standard deviation {values.std():.3f}")
    axes[-1, 0].set(xlabel="estimate from one log")
    show(figure, f"Estimates from many logs. The exact value, {exact:.3f}, is a dashed line. {'; '.join(described)}.")


def false_promotions(sizes: Sequence[int], shares: Mapping[str, Sequence[float]], delta: float) -> None:
    """How often an equal version is promoted, over the number of logged decisions.

    Args:
        sizes: of the logs.
        shares: by gate, one share for each size.
        delta: what is promised, as a dashed line.
    """
    figure, axis = plt.subplots(figsize=(6.0, 3.5), constrained_layout=True)
    for number, (name, values) in enumerate(shares.items()):
        axis.plot(sizes, values, color=COLOURS[number], marker=MARKERS[number], label=name, linewidth=1.8)
    axis.axhline(delta, color=plt.rcParams["text.color"], linestyle="--", linewidth=1.2, label=f"promised: {delta:g}")
    axis.set(xlabel="logged decisions", ylabel="false promotions", xscale="log", ylim=(-0.02, 1))
    axis.set_xticks(sizes, [str(size) for size in sizes])
    axis.minorticks_off()
    axis.legend(frameon=False, fontsize=9)
    plain(axis)
    rows = "; ".join(f"{name}: {', '.join(f'{value:.3f}' for value in values)}" for name, values in shares.items())
    show(
        figure,
        f"Share of repetitions in which an equal version is promoted, with {', '.join(map(str, sizes))} decisions. {rows}. "
        f"Promised is {delta:g}.",
    )


def capitals(looks: NDArray, paths: NDArray, delta: float, title: str) -> Picture:
    """Capitals of several streams of evidence over the decisions, and the level at which a version is promoted.

    Args:
        looks: numbers of decisions, (looks,).
        paths: capitals, (streams, looks).
        delta: a capital of 1/delta promotes.
        title: above the figure.

    Returns:
        The figure and its description, for `explore.explore`.
    """
    figure, axis = plt.subplots(figsize=(5.8, 3.4), constrained_layout=True)
    passed = (paths >= 1 / delta).any(axis=1)
    for path, ok in zip(paths, passed, strict=True):
        axis.plot(looks, np.clip(path, 1e-2, 1e4), color=BLUE if ok else GREY, linewidth=1, alpha=0.8)
    axis.axhline(1 / delta, color=ORANGE, linestyle="--", linewidth=1.8, label=f"promote at {1 / delta:g}")
    axis.set(xlabel="logged decisions", ylabel="capital", yscale="log", ylim=(1e-2, 1e4))
    axis.set_title(f"{title}: {passed.sum()} of {len(paths)} promoted", fontsize=10)
    axis.legend(frameon=False, fontsize=9, loc="lower right")
    plain(axis)
    first = [int(looks[(path >= 1 / delta).argmax()]) for path in paths[passed]]
    when = f"; in the middle after {np.median(first):,.0f} decisions" if first else ""
    return Picture(
        figure,
        f"{title}: capital of {len(paths)} streams over {looks[-1]:,} decisions, promotion at {1 / delta:g}. "
        f"{passed.sum()} of {len(paths)} are promoted{when}.",
    )


def forgetting(
    shares: Sequence[float], old: NDArray, new: NDArray, apart: tuple[NDArray, NDArray], before: NDArray
) -> None:
    """Accuracy on old and new notes over the share of old notes in the training, and with an adapter kept apart.

    Args:
        shares: of old notes in a batch.
        old: accuracy on old notes, (shares, seeds).
        new: the same on new notes.
        apart: both for an adapter apart, (seeds,) each.
        before: on new notes, before any refitting, (seeds,).
    """
    figure, axis = plt.subplots(figsize=(6.0, 3.6), constrained_layout=True)
    places, described = np.arange(len(shares)), []
    for name, values, kept, colour, marker in (
        ("old notes", old, apart[0], BLUE, "o"),
        ("new notes", new, apart[1], ORANGE, "s"),
    ):
        middle = over_seeds(values)
        error = [middle.estimate - middle.low, middle.high - middle.estimate]
        axis.errorbar(places, middle.estimate, yerr=error, color=colour, marker=marker, capsize=3, label=name)
        end = over_seeds(kept)
        axis.plot(len(shares), end.estimate, marker, color=colour, markersize=10, markerfacecolor="none")
        row = ", ".join(f"{share:g}: {value:.2f}" for share, value in zip(shares, middle.estimate, strict=True))
        described.append(f"{name}: {row}; adapter apart {end.estimate:.2f}")
    untouched = float(over_seeds(before).estimate)
    axis.axhline(untouched, color=GREY, linestyle=":", linewidth=1.5, label="new notes, before refitting")
    axis.set_xticks([*places, len(shares)], [*(f"{share:g}" for share in shares), "apart"])
    axis.set(xlabel="share of old notes in a batch", ylabel="accuracy on the material", ylim=(0.15, 1))
    axis.legend(frameon=False, fontsize=9, loc="center right")
    plain(axis)
    show(
        figure,
        f"Accuracy over the share of old notes. {'. '.join(described)}. Before refitting, new notes: {untouched:.2f}.",
    )


def spiral(
    values: Mapping[str, NDArray], best: NDArray, phases: Sequence[str], spoiled: Sequence[int] = (), parts: int = 1000
) -> None:
    """The exact value of the live version over the rounds, while the line changes.

    Args:
        values: by way of promoting, (seeds, rounds).
        best: the optimum in each round, (rounds,).
        phases: their names; all last equally long.
        spoiled: rounds whose training data are spoiled, marked by triangles.
        parts: in a round.
    """
    figure, axis = plt.subplots(figsize=(7.0, 4.0), constrained_layout=True)
    rounds = np.arange(len(best))
    axis.step(rounds, best, where="post", color=plt.rcParams["text.color"], linewidth=1.4, label="optimum")
    described = []
    for number, (name, runs) in enumerate(values.items()):
        colour = COLOURS[number]
        for run in runs:
            axis.step(rounds, run, where="post", color=colour, linewidth=0.5, alpha=0.3)
        axis.step(rounds, runs.mean(axis=0), where="post", color=colour, linewidth=2.2, label=name)
        each = runs.reshape(len(runs), len(phases), -1).mean(axis=(0, 2))
        described.append(f"{name}: {', '.join(f'{value:.2f}' for value in each)}")
    length = len(best) // len(phases)
    for number, name in enumerate(phases):
        if number:
            axis.axvline(number * length, color=GREY, linestyle=":", linewidth=1)
        axis.text(
            (number + 0.5) * length, 0.62, name.replace(" ", "\n", 1), ha="center", va="top", fontsize=9, clip_on=False
        )
    axis.plot(spoiled, np.full(len(spoiled), -0.64), "^", color=GREY, markersize=9, label="spoiled data")
    axis.set(xlabel=f"round of {parts:,} parts", ylabel="exact value of the live version", ylim=(-0.7, 0.65))
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    plain(axis)
    show(
        figure,
        f"Exact value of the live version over {len(best)} rounds in five phases ({', '.join(phases)}). Means by phase: "
        f"optimum: {', '.join(f'{v:.2f}' for v in best[::length])}; {'; '.join(described)}.",
    )
