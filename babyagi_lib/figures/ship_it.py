"""The figures of lesson 18: which answers change, waiting against load, the winner's curse, a chart that finds a fault.

Imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from babyagi_lib.figures.base import BLUE, GREEN, GREY, ORANGE, PURPLE, Picture, plain, show

COLOURS = (BLUE, ORANGE, GREEN, PURPLE)
DASHES = ("-", "--", ":", "-.")


def flips(margin: NDArray, differences: Mapping[str, NDArray], changed: Mapping[str, NDArray]) -> None:
    """The largest difference of each message's scores against the margin of its answer, with the line that no flip is below.

    Args:
        margin: how far the best score of the reference is above the second, (messages,).
        differences: by name of a copy, the largest difference of a score, (messages,).
        changed: by the same names, whether the answer is another, (messages,).
    """
    figure, axes = plt.subplots(2, 2, figsize=(6.6, 5.2), sharex=True, sharey=True, constrained_layout=True)
    ends = np.array([max(margin.min(), 1e-3) / 1.5, margin.max() * 1.5])
    described = []
    for (name, size), axis in zip(differences.items(), axes.flat, strict=False):
        other = changed[name]
        axis.plot(margin[~other], size[~other], "o", color=BLUE, markersize=3, alpha=0.5, label="same answer")
        axis.plot(margin[other], size[other], "^", color=ORANGE, markersize=6, label="another answer")
        axis.plot(ends, ends / 2, color=plt.rcParams["text.color"], linewidth=1, label="half the margin")
        axis.set(xscale="log", yscale="log", xlim=ends)
        axis.set_title(f"{name}: {other.sum()} of {len(other)} change", fontsize=10)
        described.append(f"{name}: differences from {size.min():.1e} to {size.max():.1e}, {other.sum()} answers change")
    figure.supxlabel("margin of the answer in the reference", fontsize=10)
    figure.supylabel("largest difference of a score", fontsize=10)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    plain(*axes.flat)
    show(
        figure,
        f"Four panels, one for each copy of the model: the largest difference of a score against the margin of the answer, "
        f"for {len(margin)} messages. {'; '.join(described)}. All changed answers are above the line of half the margin.",
    )


def waiting(
    loads: NDArray, curves: Mapping[float, NDArray], load: float, spread: float, path: NDArray, served: float
) -> Picture:
    """One queue: the wait of each of the next requests, and the mean wait against the load.

    Args:
        loads: of the curves, (points,).
        curves: by the squared coefficient of variation of the service time, the mean wait in service times, (points,).
        load: of the queue shown.
        spread: its squared coefficient of variation.
        path: the wait of each request, in service times, (requests,).
        served: the mean wait of the queue shown, in service times, exact.

    Returns:
        The figure and its description, for `explore.explore`.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.8, 3.3), constrained_layout=True)
    left.bar(np.arange(len(path)), path, 1.0, color=BLUE)
    left.axhline(served, color=ORANGE, linewidth=1.5)
    left.set(
        xlabel="request",
        ylabel="wait, in mean service times",
        ylim=(0, max(40, 1.05 * path.max())),
        xlim=(-0.5, len(path) - 0.5),
    )
    left.set_title(f"waits (mean, exact: {served:.2f})", fontsize=10)
    for (one, curve), colour, dash in zip(curves.items(), COLOURS, DASHES, strict=False):
        right.plot(loads, curve, dash, color=colour, linewidth=2.4 if one == spread else 1, label=f"variation {one:g}")
    right.plot(load, served, "o", color=ORANGE, markersize=9)
    right.set(xlabel="load", ylabel="mean wait", ylim=(0, 25), xlim=(0, 1))
    right.xaxis.set_major_formatter(PercentFormatter(1))
    right.legend(frameon=False, fontsize=8)
    plain(left, right)
    waited = float((path > 0).mean())
    return Picture(
        figure,
        f"A queue at load {load:.0%} with variation {spread:g}. Left: of {len(path)} requests {waited:.0%} wait, the longest "
        f"{path.max():.1f} mean service times. Right: the mean wait against the load for variations "
        f"{', '.join(f'{one:g}' for one in curves)}; the queue shown has an exact mean wait of {served:.2f}.",
    )


def winners(scores: NDArray, test: NDArray, predicted: float) -> None:
    """Equal candidates on several splits: their validation scores, the winner's, and what the winner has on the test messages.

    Args:
        scores: validation accuracy, (splits, candidates).
        test: accuracy of each split's winner on other messages, (splits,).
        predicted: how much the best exceeds the mean, by the formula.
    """
    figure, axis = plt.subplots(figsize=(6.4, 3.6), constrained_layout=True)
    order = np.argsort(scores.mean(axis=1))
    scores, test = scores[order], test[order]
    at = np.arange(len(scores))
    axis.plot(np.repeat(at, scores.shape[1]), scores.ravel(), "o", color=GREY, markersize=3, alpha=0.5)
    axis.plot([], [], "o", color=GREY, markersize=3, label="candidates")
    axis.plot(at, scores.mean(axis=1), color=GREY, linewidth=1.2, label="their mean")
    axis.plot(at, scores.max(axis=1), "^", color=ORANGE, markersize=7, label="the winner, validation")
    axis.plot(at, scores.mean(axis=1) + predicted, "--", color=ORANGE, linewidth=1.2, label="mean + predicted excess")
    axis.plot(at, test, "s", color=BLUE, markersize=5, label="the winner, test")
    axis.set(xlabel="split, by its mean score", ylabel="accuracy", xticks=[])
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    plain(axis)
    best = scores.max(axis=1)
    show(
        figure,
        f"{scores.shape[1]} equal candidates on each of {len(scores)} splits. Mean validation accuracy {scores.mean():.3f}, of "
        f"the winner {best.mean():.3f}; predicted excess {predicted:.3f}. The winners have {test.mean():.3f} on test messages.",
    )


def alarms(paths: Mapping[str, NDArray], threshold: float, fault_at: int) -> None:
    """The sum of a control chart over messages, for several servers of which some become faulty.

    Args:
        paths: by server, the sum after each message, (messages,).
        threshold: of the alarm.
        fault_at: the message from which on they are faulty.
    """
    figure, axis = plt.subplots(figsize=(6.4, 3.5), constrained_layout=True)
    described = []
    for (name, path), colour, dash in zip(paths.items(), COLOURS, DASHES, strict=False):
        over = np.flatnonzero(path >= threshold)
        end = int(over[0]) + 1 if len(over) else len(path)
        axis.plot(np.arange(1, end + 1), path[:end], dash, color=colour, linewidth=1.6, label=name)
        if len(over):
            axis.plot(end, path[end - 1], "o", color=colour, markersize=8)
        described.append(f"{name}: " + (f"alarm at message {end}" if len(over) else "no alarm"))
    axis.axhline(threshold, color=plt.rcParams["text.color"], linestyle="--", linewidth=1)
    axis.axvline(fault_at, color=GREY, linewidth=1)
    axis.annotate("fault", (fault_at, threshold), textcoords="offset points", xytext=(-4, 5), fontsize=9, ha="right")
    axis.set(xlabel="message", ylabel="sum of the chart", ylim=(0, threshold * 1.25))
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=9)
    plain(axis)
    show(
        figure,
        f"The sum of a control chart on messages handed over, with its threshold {threshold:g}; faults begin at message "
        f"{fault_at}. {'; '.join(described)}.",
    )
