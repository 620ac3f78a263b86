"""The figures of lesson 15: calibration, regions of three acts, costs of rules, the law of a coverage, promises that break.

Imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from numpy.typing import NDArray

from babyagi_lib.basics.intervals import over_seeds
from babyagi_lib.figures.base import BLUE, GREEN, GREY, ORANGE, PURPLE, Picture, plain, show
from babyagi_lib.methods.decisions import ACTS, Costs, act_costs

COLOURS = (BLUE, GREEN, ORANGE)  # answer, ask, hand over


def calibration(found: Mapping[str, Mapping[str, Sequence[tuple[float, float, int]]]]) -> None:
    """How often the likeliest class is right, by its probability, a panel for each classifier.

    Args:
        found: by classifier and by kind of its probabilities, the bins: mean probability, share that is right, messages.
    """
    figure, axes = plt.subplots(1, len(found), figsize=(6.4, 3.3), sharey=True, constrained_layout=True, squeeze=False)
    described = []
    for panel, (name, kinds) in zip(axes[0], found.items(), strict=True):
        panel.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1)
        for (kind, bins), colour, marker in zip(kinds.items(), (ORANGE, BLUE), "so", strict=True):
            said, happened, size = np.array(bins).T
            panel.plot(said, happened, color=colour, linewidth=1)
            panel.scatter(said, happened, s=8 + 150 * size / size.sum(), color=colour, marker=marker, label=kind)
            points = ", ".join(f"{a:.2f}: {b:.2f}" for a, b in zip(said, happened, strict=True))
            described.append(f"{name}, {kind}: {points}")
        panel.set(xlim=(0, 1.04), ylim=(0, 1.04), xlabel="probability of the likeliest class", aspect="equal")
        panel.set_title(name, fontsize=10)
    axes[0, 0].set_ylabel("share that is right")
    axes[0, -1].legend(frameon=False, fontsize=8, loc="lower right", markerscale=0.7)
    plain(*axes.flat)
    show(figure, f"Probability of the likeliest class, and the share that is right. {'; '.join(described)}.")


def regions(costs: Costs, first: NDArray, among: NDArray, right: NDArray, said: str) -> Picture:
    """Which act is cheapest, by the probability of the likeliest intent and of the three likeliest together.

    Args:
        costs: of the acts.
        first, among: of some messages, (messages,) each.
        right: whether the likeliest intent is the right one, (messages,) booleans.
        said: the line above the figure.

    Returns:
        The figure and its description, for `explore.explore`.
    """
    figure, axis = plt.subplots(figsize=(4.6, 4.3), constrained_layout=True)
    p, q = np.meshgrid(np.linspace(0, 1, 201), np.linspace(0, 1, 201))
    best = act_costs(p, q, costs).argmin(axis=-1).astype(float)
    best[(q < p) | (q > np.minimum(1, costs.shown * p))] = np.nan  # no message can be there
    axis.pcolormesh(p, q, best, cmap=ListedColormap(COLOURS), vmin=0, vmax=2, alpha=0.3, rasterized=True)
    ink = plt.rcParams["text.color"]
    axis.scatter(first[right], among[right], s=9, color=ink, linewidths=0, label="likeliest intent right")
    axis.scatter(first[~right], among[~right], s=11, marker="x", color=GREY, linewidths=0.8, label="wrong")
    for act, colour in zip(ACTS, COLOURS, strict=True):
        axis.scatter([], [], s=60, marker="s", color=colour, alpha=0.4, label=act.replace("_", " "))
    axis.set(xlabel="probability of the likeliest intent", ylabel="of the three likeliest together")
    axis.set(xlim=(0, 1), ylim=(0, 1.01), aspect="equal")
    axis.set_title(said, fontsize=9)
    axis.legend(frameon=False, fontsize=8, loc="lower right")
    plain(axis)
    given = f"A wrong answer costs {costs.wrong:g}, a question {costs.ask:g}, handing over {costs.hand_over:g}."
    return Picture(figure, f"{given} Regions of the cheapest act, with messages as dots. {said.replace(chr(10), ' ')}.")


def rules(found: Mapping[str, NDArray]) -> None:
    """The mean cost of each rule with its interval over the draws.

    Args:
        found: by rule, the cost of a message in each draw, (draws,).
    """
    figure, axis = plt.subplots(figsize=(6.4, 0.7 + 0.31 * len(found)), constrained_layout=True)
    described = []
    for place, (name, costs) in enumerate(found.items()):
        mean = over_seeds(costs)
        colour = BLUE if "Bayes" in name else GREEN if "oracle" in name else GREY
        axis.plot([mean.low, mean.high], [place, place], color=colour, linewidth=4, solid_capstyle="butt")
        axis.plot(mean.estimate, place, "o", color=colour)
        axis.text(mean.high + 0.1, place, f"{mean.estimate:.2f}", va="center", fontsize=9)
        described.append(f"{name} {mean.estimate:.2f} [{mean.low:.2f}, {mean.high:.2f}]")
    axis.set_yticks(range(len(found)), list(found))
    axis.invert_yaxis()
    axis.set(xlabel="cost of a message, minutes", xlim=(0, None))
    axis.margins(x=0.08)
    plain(axis)
    show(figure, f"Mean cost of a message in minutes, with 95% intervals. {'; '.join(described)}.")


def coverage(shares: NDArray, support: NDArray, law: NDArray, narrow: NDArray, promised: float) -> None:
    """The measured coverages of many random halves against their exact law, and against the law of endless test messages.

    Args:
        shares: the coverage in each half, (halves,).
        support: the shares that are possible with this test half, (n + 1,).
        law: their exact probabilities, (n + 1,).
        narrow: density of the Beta law at `support`, times the distance of two shares, (n + 1,).
        promised: 1 - alpha.
    """
    figure, axis = plt.subplots(figsize=(6.2, 3.4), constrained_layout=True)
    step = support[1] - support[0]
    edges = np.concatenate([support - step / 2, support[-1:] + step / 2])
    axis.hist(
        shares, bins=edges, weights=np.full(len(shares), 1 / len(shares)), color=GREY, alpha=0.5, label="measured"
    )
    axis.plot(support, law, color=BLUE, linewidth=2, label="Beta-binomial: exact")
    axis.plot(support, narrow, color=ORANGE, linestyle="--", linewidth=1.5, label="Beta: endless test messages")
    axis.axvline(promised, color=plt.rcParams["text.color"], linestyle=":", label=f"promised: {promised:.2f}")
    inside = support[law > 1e-4]
    axis.set(xlim=(inside.min(), 1), xlabel="share of test messages covered", ylabel="probability", ylim=(0, None))
    axis.legend(frameon=False, fontsize=8, loc="upper left")
    plain(axis)
    middle = (law * support).sum()
    exact = np.sqrt((law * (support - middle) ** 2).sum())
    show(
        figure,
        f"Coverage in {len(shares):,} random halves: mean {shares.mean():.3f}, standard deviation {shares.std():.4f}. The exact "
        f"Beta-binomial law has mean {middle:.3f} and standard deviation {exact:.4f} and follows the histogram; the Beta law is "
        "narrower.",
    )


def promises(promised: float, found: Mapping[str, tuple[float, float]]) -> None:
    """The coverage and the mean size of the sets where the promise holds and where it does not.

    Args:
        promised: 1 - alpha.
        found: by case, coverage and mean size of a set.
    """
    figure, axis = plt.subplots(figsize=(6.4, 0.8 + 0.36 * len(found)), constrained_layout=True)
    for place, (share, size) in enumerate(found.values()):
        kept = abs(share - promised) < 0.02
        axis.plot(share, place, "o" if kept else "X", color=BLUE if kept else ORANGE, markersize=8)
        axis.text(1.02, place, f"{share:.2f}, {size:.1f} classes", va="center", fontsize=9)
    axis.axvline(promised, color=GREY, linestyle="--", linewidth=1)
    axis.set_yticks(range(len(found)), list(found))
    axis.invert_yaxis()
    axis.set(xlabel="share of messages whose right class is in the set", xlim=(0, 1.36), xticks=np.linspace(0, 1, 6))
    plain(axis)
    described = "; ".join(f"{name}: {share:.2f}, {size:.1f} classes" for name, (share, size) in found.items())
    show(figure, f"Coverage, promised {promised:.2f}, and mean size of a set. {described}.")


def of_each(promised: float, together: NDArray, apart: NDArray) -> None:
    """The coverage of each class with one threshold for all, in rising order, and with a threshold of its own.

    Args:
        promised: 1 - alpha.
        together, apart: (classes,).
    """
    figure, axis = plt.subplots(figsize=(6.2, 3.0), constrained_layout=True)
    order, places = np.argsort(together), np.arange(len(together))
    axis.plot(places, together[order], "o", color=ORANGE, label="one threshold for all")
    axis.plot(places, apart[order], "D", color=PURPLE, markersize=4, label="a threshold for each class")
    axis.axhline(promised, color=GREY, linestyle="--", linewidth=1, label=f"promised: {promised:.2f}")
    axis.set(xlabel="classes, from the least covered", ylabel="share covered", xticks=[])
    axis.set(ylim=(min(0.6, together.min() - 0.05), 1.03))
    axis.legend(frameon=False, fontsize=8, loc="lower right")
    plain(axis)
    show(
        figure,
        f"Coverage of {len(together)} classes. One threshold for all: from {together.min():.2f} to {together.max():.2f}. A "
        f"threshold for each: from {apart.min():.2f} to {apart.max():.2f}. Promised: {promised:.2f}.",
    )
