"""The figures of lesson 09: the frontier, estimates of a gradient, distances to the optimum, over-optimisation, other notes.

Imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

from babyagi_lib.basics.intervals import interquartile_mean, over_seeds
from babyagi_lib.figures.base import BLUE, GREEN, GREY, ORANGE, PURPLE, Picture, plain, show

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, GREY)
MARKERS = ("o", "s", "^", "D", "v")
DASHES = ("-", "--", "-.", ":")


def answer_bars(names: Sequence[str], panels: Mapping[str, NDArray], note: str) -> None:
    """The probability of each answer to one note, by who gives it.

    Args:
        names: of the answers.
        panels: by whose they are, probabilities, (answers,).
        note: the note itself.
    """
    figure, axis = plt.subplots(figsize=(6.4, 2.9), constrained_layout=True)
    height = 0.8 / len(panels)
    for number, ((who, shares), colour) in enumerate(zip(panels.items(), COLOURS, strict=False)):
        axis.barh(np.arange(len(names)) + (number - 0.5) * height, shares, height, color=colour, label=who)
    axis.set_yticks(np.arange(len(names)), names)
    axis.invert_yaxis()
    axis.set(xlabel="probability", title=f"“{note}”")
    axis.legend(frameon=False)
    plain(axis)
    described = "; ".join(
        f"{who}: " + ", ".join(f"{name} {share:.2f}" for name, share in zip(names, shares, strict=True))
        for who, shares in panels.items()
    )
    show(figure, f"Probabilities of the {len(names)} answers to the note “{note}”. {described}.")


def frontier_and_answers(
    curve: NDArray, here: tuple[float, float], names: Sequence[str], reference: NDArray, best: NDArray, beta: float
) -> Picture:
    """The frontier with the optimum of one beta on it, and what that optimum answers to one note.

    Args:
        curve: KL and reward of the optima, (points, 2).
        here: KL and reward of the optimum for `beta`.
        names: of the answers.
        reference: the reference's probabilities for one note, (answers,).
        best: those of the optimum.
        beta: the price of KL.

    Returns:
        The figure and its description, for `explore.explore`.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.2), constrained_layout=True)
    left.plot(*curve.T, color=BLUE, linewidth=2)
    left.fill_between(*curve.T, curve[:, 1].max() + 0.02, color=GREY, alpha=0.15, linewidth=0)
    left.text(0.03, 0.95, "no policy is here", transform=left.transAxes, va="top", fontsize=9)
    left.plot(*here, "o", color=ORANGE, markersize=9)
    left.plot(*curve[0], "s", color=plt.rcParams["text.color"], markersize=6)
    left.annotate("reference", curve[0], textcoords="offset points", xytext=(8, -3), fontsize=9)
    left.set(xlabel="KL to the reference, nats", ylabel="expected reward", title=f"beta {beta:g}")
    places = np.arange(len(names))
    right.barh(places - 0.2, reference, 0.4, color=GREY, label="reference")
    right.barh(places + 0.2, best, 0.4, color=ORANGE, label="optimum")
    right.set_yticks(places, names)
    right.invert_yaxis()
    right.set(xlabel="probability", xlim=(0, 1))
    right.legend(frameon=False, fontsize=9)
    plain(left, right)
    shares = [
        f"{name} {before:.2f} and {after:.2f}" for name, before, after in zip(names, reference, best, strict=True)
    ]
    alt = (
        f"Left: the frontier of reward against KL rises from {curve[0, 1]:.2f} at the reference to {curve[-1, 1]:.2f}; no "
        f"policy is above it. The optimum for beta {beta:g} is at KL {here[0]:.2f} and reward {here[1]:.2f}. Right: "
        f"probabilities of the answers to one note, of the reference and of that optimum: {', '.join(shares)}."
    )
    return Picture(figure, alt)


def projections(groups: Sequence[int], means: Mapping[str, NDArray], halves: Mapping[str, NDArray]) -> None:
    """How long the mean of many estimates is along the exact gradient, for groups of several sizes.

    Args:
        groups: sizes of a group.
        means: by baseline, the projection as a share of the exact gradient, (groups,).
        halves: half the width of its 95% interval.
    """
    figure, axis = plt.subplots(figsize=(6.4, 3.3), constrained_layout=True)
    sizes = np.linspace(min(groups), max(groups), 200)
    axis.plot(sizes, 1 - 1 / sizes, color="black", linestyle=":", linewidth=1.2, label="1 − 1/G")
    axis.axhline(1, color="black", linewidth=0.8)
    described = []
    for (name, mean), colour, marker, aside in zip(means.items(), COLOURS, MARKERS, (0.95, 1, 1.05), strict=False):
        axis.errorbar(
            aside * np.array(groups), mean, yerr=halves[name], fmt=marker, color=colour, capsize=3, label=name
        )
        described.append(f"{name}: " + ", ".join(f"{m:.3f}" for m in mean))
    axis.set(xlabel="answers in a group, G", ylabel="projection / exact gradient", xscale="log")
    axis.set_xticks(list(groups), [str(g) for g in groups])
    axis.minorticks_off()
    axis.legend(frameon=False, fontsize=9)
    plain(axis)
    show(
        figure,
        f"Projection of the mean estimate on the exact gradient for groups of {', '.join(map(str, groups))}. "
        f"{'; '.join(described)}. A dotted curve is 1 - 1/G.",
    )


def race(curve: NDArray, dots: Mapping[str, NDArray], others: NDArray) -> None:
    """Reward against KL: the frontier and the policies that methods have learned; beside it the part around the dots.

    Args:
        curve: KL and reward of the optima, (points, 2); the first is the reference.
        dots: by method, KL and reward of each seed, (seeds, 2).
        others: KL and reward of REINFORCE with a higher beta, (runs, 2).
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.4), constrained_layout=True)
    every = np.concatenate(list(dots.values()))
    for axis in (left, right):
        axis.plot(*curve.T, color="black", linewidth=1.4, label="frontier")
        for (name, points), colour, marker in zip(dots.items(), COLOURS, MARKERS, strict=False):
            axis.plot(*points.T, marker, color=colour, markersize=5, alpha=0.8, label=name)
        axis.set(xlabel="KL to the reference, nats")
    left.plot(*curve[0], "*", color="black", markersize=10)
    left.annotate("reference", curve[0], textcoords="offset points", xytext=(8, -3), fontsize=9)
    left.plot(*others.T, "s", color=ORANGE, markersize=5, markerfacecolor="none", label="REINFORCE, beta 1, 0.3")
    left.set(ylabel="expected reward")
    left.legend(frameon=False, fontsize=9, loc="lower right")
    (x0, y0), x1, y1 = np.percentile(every, 5, axis=0), np.percentile(every[:, 0], 92), every[:, 1].max()
    near = curve[np.abs(curve[:, 0] - (x0 + x1) / 2) <= 0.6 * (x1 - x0) + 0.02, 1]
    top = max(y1, near.max() if len(near) else y1)
    pad = 0.15 * (top - y0) + 1e-4
    right.set(
        xlim=(x0 - 0.1 * (x1 - x0) - 1e-3, x1 + 0.1 * (x1 - x0) + 1e-3), ylim=(y0 - pad, top + pad), title="enlarged"
    )
    plain(left, right)
    described = "; ".join(
        f"{name}: reward {interquartile_mean(points[:, 1]):.4f} at KL {interquartile_mean(points[:, 0]):.3f}"
        for name, points in dots.items()
    )
    show(
        figure,
        f"The frontier rises from the reference's reward of {curve[0, 1]:.2f} at KL 0 to {curve[-1, 1]:.2f} at KL "
        f"{curve[-1, 0]:.2f}. Dots, all below it, interquartile means over seeds: {described}. With beta 1 and 0.3 REINFORCE is "
        f"at KL {others[0, 0]:.2f} and {others[1, 0]:.2f}, on the frontier to the eye.",
    )


def distances(by_method: Mapping[str, NDArray]) -> None:
    """The share of notes whose KL to the optimum is below a value, for several methods.

    Args:
        by_method: KL to the optimum of each note and seed, (seeds, notes).
    """
    figure, axis = plt.subplots(figsize=(6.4, 3.3), constrained_layout=True)
    described = []
    for (name, values), colour, dashes in zip(by_method.items(), COLOURS, (*DASHES, (0, (5, 1))), strict=False):
        flat = np.sort(np.maximum(values.ravel(), 1e-6))
        shares = np.arange(1, len(flat) + 1) / len(flat)
        axis.step(flat, shares, where="post", color=colour, linestyle=dashes, linewidth=1.8, label=name)
        described.append(f"{name}: median {np.median(values):.1g}, largest {values.max():.2g}")
    axis.set(
        xscale="log",
        xlabel="KL(policy, optimum) of one note, nats (at least $10^{-6}$)",
        ylabel="share of notes and seeds",
        ylim=(0, 1.02),
    )
    axis.legend(frameon=False, fontsize=9)
    plain(axis)
    show(figure, f"Distribution over notes and seeds of the KL to the optimum. {'; '.join(described)}.")


def over_optimisation(curves: Mapping[str, NDArray]) -> None:
    """Proxy and true reward against KL while a proxy is maximised.

    Args:
        curves: by name, KL, proxy and true reward of each seed and beta, (seeds, 3, betas).
    """
    figure, axis = plt.subplots(figsize=(6.4, 3.7), constrained_layout=True)
    described = []
    for (name, rows), colour, dashes in zip(curves.items(), COLOURS, DASHES, strict=False):
        away, proxy, found = rows[:, 0].mean(axis=0), rows[:, 1].mean(axis=0), over_seeds(rows[:, 2].T)
        axis.plot(away, found.estimate, color=colour, linestyle=dashes, linewidth=2, label=f"truth, {name}")
        axis.fill_between(away, found.low, found.high, color=colour, alpha=0.18, linewidth=0)
        if not described:
            axis.plot(away, proxy, color=colour, linewidth=0.9, label=f"proxy, {name}")
        best = found.estimate.argmax()
        described.append(
            f"{name}: truth rises to {found.estimate[best]:.2f} at KL {away[best]:.2f} and ends at "
            f"{found.estimate[-1]:.2f} at KL {away[-1]:.2f}, where the proxy says {proxy[-1]:.1f}"
        )
    axis.set(xlabel="KL to the reference, nats", ylabel="expected reward")
    axis.legend(frameon=False, fontsize=8, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.2))
    plain(axis)
    show(figure, f"Expected reward against KL while a reward model is maximised. {'; '.join(described)}.")


def implicit_rewards(true: NDArray, implicit: NDArray, seen: NDArray) -> None:
    """DPO's implicit reward against the true one, both minus their mean over the answers to a note.

    Args:
        true: (notes, answers).
        implicit: (notes, answers).
        seen: how often each answer was in a pair, (notes, answers).
    """
    figure, axis = plt.subplots(figsize=(4.6, 4), constrained_layout=True)
    few = seen < 30
    axis.plot(true[~few], implicit[~few], ".", color=BLUE, markersize=4, alpha=0.6, label="in 30 pairs or more")
    axis.plot(true[few], implicit[few], "x", color=ORANGE, markersize=5, label="in fewer")
    ends = np.array([true.min(), true.max()])
    axis.plot(ends, ends, color="black", linewidth=1, linestyle=":")
    axis.set(xlabel="true reward, minus the note's mean", ylabel="implicit reward, minus the note's mean")
    axis.legend(frameon=False, fontsize=9)
    plain(axis)
    off = np.sqrt(((true - implicit) ** 2).mean())
    often = (
        f"{np.sqrt(((true - implicit)[~few] ** 2).mean()):.2f} for answers in 30 pairs or more, "
        if (~few).any()
        else ""
    )
    show(
        figure,
        f"DPO's implicit reward against the true reward of {true.size} answers. Root mean square difference "
        f"{often}over all {off:.2f}.",
    )


def other_notes(values: Mapping[str, tuple[float, NDArray, float]]) -> None:
    """Expected reward on several kinds of notes: the reference, trained policies, the best possible.

    Args:
        values: by kind of note, the reference's reward, those of the trained policies (seeds,), the highest possible.
    """
    figure, axis = plt.subplots(figsize=(6.4, 3.2), constrained_layout=True)
    described = []
    for number, (kind, (reference, trained, best)) in enumerate(values.items()):
        first = number == 0
        axis.plot(reference, number, "s", color=GREY, markersize=8, label="reference" if first else None)
        axis.plot(
            trained,
            np.full(len(trained), number),
            "o",
            color=BLUE,
            alpha=0.6,
            label="trained, each seed" if first else None,
        )
        axis.plot(
            [best, best],
            [number - 0.3, number + 0.3],
            color=GREEN,
            linewidth=3,
            label="best possible" if first else None,
        )
        described.append(f"{kind}: {reference:.2f}, {interquartile_mean(trained):.2f}, {best:.2f}")
    axis.set_yticks(range(len(values)), list(values))
    axis.invert_yaxis()
    axis.axvline(0, color="black", linewidth=0.6)
    axis.set(xlabel="expected reward")
    axis.legend(frameon=False, fontsize=9, ncols=3, loc="lower center", bbox_to_anchor=(0.4, 1))
    plain(axis)
    show(
        figure, f"Expected reward of the reference, of trained policies, and the best possible. {'; '.join(described)}."
    )
