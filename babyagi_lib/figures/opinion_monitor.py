"""The figures of lesson 16: learning curves, a chart at work, run lengths, delays, broken promises, intervals, a dashboard.

Imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import LogLocator, NullFormatter
from numpy.typing import NDArray

from babyagi_lib.basics.intervals import over_seeds
from babyagi_lib.figures.base import BLUE, GREEN, GREY, ORANGE, PURPLE, Picture, plain, show

SKY = "#56B4E9"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, GREY, SKY)
MARKERS = ("o", "s", "^", "D", "v", "P")


def learning_curves(sizes: Sequence[int], scores: Mapping[str, NDArray]) -> None:
    """Accuracy by the number of labels, with intervals over the draws.

    Args:
        sizes: numbers of labels.
        scores: by method, (sizes, draws).
    """
    figure, axis = plt.subplots(figsize=(6.2, 3.6), constrained_layout=True)
    described = []
    for (name, runs), colour, marker in zip(scores.items(), COLOURS, MARKERS, strict=False):
        found = over_seeds(runs)
        errors = np.clip([found.estimate - found.low, found.high - found.estimate], 0, None)
        axis.errorbar(sizes, found.estimate, errors, color=colour, marker=marker, capsize=3, label=name)
        described.append(f"{name}: {', '.join(f'{value:.2f}' for value in found.estimate)}")
    axis.set(xlabel="labelled headlines", ylabel="accuracy on the others", ylim=(0, 1))
    axis.set_xticks(sizes)
    axis.legend(frameon=False, fontsize=8, loc="lower right")
    plain(axis)
    given = ", ".join(map(str, sizes))
    show(figure, f"Accuracy with {given} labelled headlines. {'; '.join(described)}.")


def chart_at_work(flags: NDArray, path: NDArray, threshold: float, shift_at: int, width: int = 100) -> None:
    """One stream: the share of flagged messages in a window, and the CUSUM below it with its threshold.

    Args:
        flags: 0 and 1, (steps,).
        path: the sum after each message, (steps,), which begins again after an alarm.
        threshold: of the sum.
        shift_at: where the share shifts.
        width: of the window.
    """
    figure, (above, below) = plt.subplots(2, 1, figsize=(6.4, 4.2), sharex=True, constrained_layout=True)
    steps = np.arange(1, len(flags) + 1)
    window = np.convolve(flags, np.ones(width) / width)[: len(flags)]
    above.plot(steps[width - 1 :], window[width - 1 :], color=GREY, linewidth=1.2)
    above.set(ylabel=f"flagged among\nthe last {width}", ylim=(0, None))
    below.plot(steps, path, color=BLUE, linewidth=1.2)
    below.axhline(threshold, color=ORANGE, linestyle="--", label=f"threshold {threshold:.2f}")
    for axis in (above, below):
        axis.axvline(shift_at, color="black", linestyle=":", linewidth=1.2)
        plain(axis)
    alarms = np.flatnonzero(path >= threshold) + 1
    if len(alarms):
        below.plot(alarms, path[alarms - 1], "v", color=ORANGE, markersize=9, linestyle="none", label="alarm")
    said = f"alarms at {', '.join(f'{alarm:,}' for alarm in alarms)}" if len(alarms) else "no alarm"
    below.set(xlabel="message", ylabel="CUSUM")
    below.legend(frameon=False, fontsize=9, loc="upper right", ncols=2)
    below.set(ylim=(0, 1.5 * max(threshold, path.max())))
    show(
        figure,
        f"One stream of {len(flags):,} messages whose share shifts at message {shift_at:,} (dotted). Above, the flagged "
        f"share of the last {width} wanders between {window[width - 1 :].min():.2f} and {window[width - 1 :].max():.2f}. "
        f"Below, the CUSUM with a threshold of {threshold:.2f}: {said}.",
    )


def run_lengths(
    thresholds: NDArray, quiet: NDArray, delays: NDArray, simulated: Mapping[float, tuple[float, float]], chosen: float
) -> None:
    """Exact mean time to a false alarm and exact delay by threshold, simulated times as dots, and the chosen threshold.

    Args:
        thresholds: (thresholds,), in lattice steps.
        quiet, delays: (thresholds,), in messages.
        simulated: by threshold, mean time to a false alarm and half the width of its interval.
        chosen: the threshold in use.
    """
    figure, axis = plt.subplots(figsize=(6.2, 3.6), constrained_layout=True)
    axis.plot(thresholds, quiet, color=BLUE, linewidth=2, label="mean time to a false alarm, exact")
    axis.plot(thresholds, delays, color=ORANGE, linewidth=2, linestyle="--", label="mean delay after the shift, exact")
    for threshold, (mean, half) in simulated.items():
        axis.errorbar(threshold, mean, half, color="black", marker="o", capsize=3, linestyle="none")
    axis.plot([], [], "o", color="black", label="simulated")
    axis.axvline(chosen, color=GREY, linestyle=":", label=f"chosen threshold: {chosen:g}")
    axis.set(xlabel="threshold, in lattice steps", ylabel="messages", yscale="log")
    axis.legend(frameon=False, fontsize=8)
    plain(axis)
    dots = "; ".join(f"{t:g}: {mean:,.0f} +- {half:,.0f}" for t, (mean, half) in simulated.items())
    show(
        figure,
        f"On a logarithmic scale over thresholds from {thresholds[0]:g} to {thresholds[-1]:g}: the mean time to a false "
        f"alarm grows from {quiet[0]:,.0f} to {quiet[-1]:,.0f} messages, the delay from {delays[0]:,.0f} to "
        f"{delays[-1]:,.0f}. Simulated mean times by threshold: {dots}. Chosen: {chosen:g}.",
    )


def delays(shares: Sequence[float], found: Mapping[str, NDArray], affordable: float) -> None:
    """Mean delay of each method by the share after the shift, all at one mean time to a false alarm.

    Args:
        shares: true shares after the shift.
        found: by method, (shares,) mean delays.
        affordable: the mean time to a false alarm.
    """
    figure, axis = plt.subplots(figsize=(6.2, 3.8), constrained_layout=True)
    described = []
    for (name, values), colour, marker in zip(found.items(), COLOURS, MARKERS, strict=False):
        axis.plot(shares, values, color=colour, marker=marker, linewidth=2 if name == "CUSUM" else 1.2, label=name)
        described.append(f"{name}: {', '.join(f'{value:,.0f}' for value in values)}")
    axis.set(xlabel="true share of negative messages after the shift", ylabel="mean delay, messages", yscale="log")
    axis.set_xticks(shares)
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter("{x:,.0f}")
    axis.yaxis.set_minor_formatter(NullFormatter())
    axis.legend(frameon=False, fontsize=8)
    plain(axis)
    show(
        figure,
        f"Mean delays at {affordable:,.0f} messages to a false alarm, for shares of {', '.join(f'{s:g}' for s in shares)} "
        f"after the shift. {'; '.join(described)}.",
    )


def promises(promised: float, found: Mapping[str, tuple[float, float, float]]) -> None:
    """Mean times to a false alarm in worlds that are not what the chart believes, beside the promise.

    Args:
        promised: the mean time that was computed.
        found: by world, what it is there, and the lower and upper end of an interval or a range.
    """
    figure, axis = plt.subplots(figsize=(6.4, 0.8 + 0.42 * len(found)), constrained_layout=True)
    for place, (middle, low, high) in enumerate(found.values()):
        axis.plot([low, high], [place, place], color=BLUE, linewidth=3, solid_capstyle="butt")
        axis.plot(middle, place, "o", color=BLUE)
        beside = promised if high < promised < 2.2 * high else high  # so that the dashed line crosses no number
        axis.text(1.15 * max(high, beside), place, f"{middle:,.0f}", va="center", fontsize=9)
    axis.axvline(promised, color=ORANGE, linestyle="--", label=f"promised: {promised:,.0f}")
    axis.set_yticks(range(len(found)), list(found))
    axis.invert_yaxis()
    axis.set(xlabel="messages to a false alarm, mean", xscale="log")
    axis.set_xlim(right=axis.get_xlim()[1] * 2)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside upper right", frameon=False, fontsize=9)
    plain(axis)
    described = "; ".join(f"{name}: {m:,.0f} [{low:,.0f}, {high:,.0f}]" for name, (m, low, high) in found.items())
    show(figure, f"Mean time to a false alarm, promised {promised:,.0f} messages. {described}.")


def intervals(truth: float, found: Mapping[str, tuple[NDArray, NDArray]], coverage: Mapping[str, float]) -> None:
    """Intervals of several methods in the first repetitions, those that miss the truth in orange.

    Args:
        truth: the true share.
        found: by method, lower and upper ends, (repetitions,).
        coverage: by method, over all repetitions.
    """
    figure, axes = plt.subplots(1, len(found), figsize=(6.6, 3.2), sharey=True, sharex=True, constrained_layout=True)
    for axis, (name, (low, high)) in zip(axes, found.items(), strict=True):
        for place, (a, b) in enumerate(zip(low, high, strict=True)):
            inside = a <= truth <= b
            axis.plot([a, b], [place, place], color=BLUE if inside else ORANGE, linewidth=2)
        axis.axvline(truth, color="black", linewidth=1)
        axis.set_title(f"{name}\ncovers {coverage[name]:.1%}", fontsize=9)
        axis.set(xlabel="share", yticks=[])
        plain(axis)
    described = "; ".join(f"{name} {value:.1%}" for name, value in coverage.items())
    show(
        figure,
        f"95% intervals of {len(low)} repetitions around the true share of {truth:g}. Over all repetitions they cover it in: "
        f"{described}.",
    )


def dashboard(
    hours: NDArray, paths: Mapping[str, NDArray], threshold: float, now: int, news: Sequence[str], shift_hour: float
) -> Picture:
    """The monitor at one moment: a small chart for each topic, and the latest flagged headlines.

    Args:
        hours: when each message came, (messages,).
        paths: by topic, the sum of its chart after each message of the whole stream, (messages,).
        threshold: of all charts.
        now: how many messages have come.
        news: the latest flagged headlines.
        shift_hour: when the true share of one topic shifts.

    Returns:
        The figure and its description, for `explore.explore`.
    """
    figure, (axis, below) = plt.subplots(2, 1, figsize=(6.4, 5.6), height_ratios=(3.4, 1))
    figure.subplots_adjust(left=0.14, right=0.97, top=0.99, bottom=0.02, hspace=0.2)
    states, gap = [], 1.7  # between the rows, in thresholds
    for row, (name, path) in enumerate(paths.items()):
        base = -gap * row
        reached = np.flatnonzero(path[:now] >= threshold)
        colour, state = BLUE, f"{path[now - 1] / threshold:.0%}"
        axis.axhline(base + 1, color=GREY, linestyle="--", linewidth=0.8)
        axis.axhline(base, color=GREY, linewidth=0.5)
        if len(reached):
            colour, state = ORANGE, f"alarm, hour {hours[reached[0]]:.0f}"
            axis.plot(hours[reached[0]], base + 1, "v", color=ORANGE, markersize=8)
        axis.plot(hours[:now:4], base + np.minimum(path[:now:4] / threshold, 1.5), color=colour, linewidth=1.2)
        axis.text(hours[-1], base + 1.1, state, ha="right", fontsize=8)
        states.append(f"{name}: {state}")
    axis.set_yticks([0.5 - gap * row for row in range(len(paths))], list(paths))
    axis.tick_params(axis="y", length=0)
    axis.set(xlim=(0, hours[-1]), ylim=(-gap * (len(paths) - 1) - 0.15, 1.6), xlabel="hour")
    plain(axis)
    below.axis("off")
    below.text(0, 1, "latest flagged headlines", fontsize=9, weight="bold", va="top", transform=below.transAxes)
    for place, text in enumerate(news):
        shown = text if len(text) <= 75 else text[:74] + "…"
        below.text(0, 0.76 - 0.2 * place, shown, fontsize=8, va="top", transform=below.transAxes)
    told = "" if hours[now - 1] < shift_hour else f" The share of one topic rose at hour {shift_hour:.0f}."
    return Picture(
        figure,
        f"Hour {hours[now - 1]:.0f}, {now:,} messages. Each topic's sum as a part of its threshold: {'; '.join(states)}.{told}",
    )
