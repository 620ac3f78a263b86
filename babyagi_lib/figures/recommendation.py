"""The figures of lesson 17: predictions, factors from text and ratings, rankers by history, clicks, rounds. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from babyagi_lib.basics.intervals import over_seeds
from babyagi_lib.figures.base import BLUE, GREEN, GREY, ORANGE, PURPLE, Picture, plain, show

COLOURS = (GREY, ORANGE, BLUE, PURPLE, GREEN)
MARKERS = ("o", "s", "^", "v", "D")


def predictions(panels: Mapping[str, tuple[NDArray, NDArray]]) -> None:
    """What one reader is expected to think of all books against what the reader thinks, a panel for each length of history.

    Args:
        panels: by title, expected and true enjoyment, (books,) each.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(6.4, 2.6), sharex=True, sharey=True, constrained_layout=True)
    described = []
    for axis, (title, (expected, true)) in zip(axes, panels.items(), strict=True):
        axis.plot(expected, true, "o", color=BLUE, markersize=3, alpha=0.6)
        low, high = min(true.min(), expected.min()), max(true.max(), expected.max())
        axis.plot([low, high], [low, high], color="black", linestyle=":", linewidth=1)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("expected")
        described.append(f"{title}: correlation {np.corrcoef(expected, true)[0, 1]:.2f}")
    axes[0].set_ylabel("enjoyment")
    plain(*axes)
    show(
        figure,
        f"True enjoyment of all books against the expected one. {'; '.join(described)}. A dotted line is equality.",
    )


def factor_error(counts: Sequence[int], errors: Mapping[str, NDArray]) -> None:
    """Error of the factors of new books by the number of their ratings.

    Args:
        counts: of ratings.
        errors: by method, mean squared errors as shares of the variance, (counts,).
    """
    figure, axis = plt.subplots(figsize=(5.6, 3.2), constrained_layout=True)
    described = []
    for (name, values), colour, marker in zip(errors.items(), (ORANGE, GREEN), MARKERS, strict=False):
        axis.plot(np.arange(len(counts)), values, marker + "-", color=colour, label=name)
        described.append(f"{name}: " + ", ".join(f"{n} ratings {v:.2f}" for n, v in zip(counts, values, strict=True)))
    axis.set_xticks(np.arange(len(counts)), [str(n) for n in counts])
    axis.set(xlabel="ratings of the book", ylabel="error, share of the variance", ylim=(0, None))
    axis.legend(frameon=False)
    plain(axis)
    show(figure, f"Error of the factors of new books. {'; '.join(described)}.")


def by_history(lengths: Sequence[int], curves: Mapping[str, Mapping[str, NDArray]]) -> None:
    """Share of the best DCG by length of history, a panel for each size of the log, with intervals over worlds.

    Args:
        lengths: of the histories.
        curves: by panel and ranker, shares, (lengths, worlds).
    """
    figure, axes = plt.subplots(1, len(curves), figsize=(6.4, 3.4), sharey=True, constrained_layout=True)
    described = []
    for axis, (title, rankers) in zip(np.atleast_1d(axes), curves.items(), strict=True):
        for (name, values), colour, marker in zip(rankers.items(), COLOURS, MARKERS, strict=False):
            middle = over_seeds(values)
            at = np.arange(len(lengths))
            axis.plot(at, middle.estimate, marker + "-", color=colour, label=name, markersize=4)
            axis.fill_between(at, middle.low, middle.high, color=colour, alpha=0.15, linewidth=0)
            described.append(f"{title}, {name}: " + ", ".join(f"{v:.2f}" for v in middle.estimate))
        axis.axhline(1, color="black", linewidth=1, linestyle=":")
        axis.set_xticks(at, [str(n) for n in lengths])
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("ratings of the new reader")
        plain(axis)
    first = np.atleast_1d(axes)[0]
    first.set(ylabel="share of the best DCG", ylim=(0, 1.05))
    figure.legend(*first.get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    show(
        figure,
        f"Share of the best DCG after histories of {', '.join(map(str, lengths))} ratings. {'; '.join(described)}.",
    )


def rankers(shares: Mapping[str, tuple[NDArray, NDArray]], title: str) -> Picture:
    """Bars of the share of the best DCG, known and new books, for the explorer.

    Args:
        shares: by ranker, the shares of each world on known and on new books, (worlds,) each.
        title: above the bars.
    """
    figure, axis = plt.subplots(figsize=(5.8, 3.2), constrained_layout=True)
    places, described = np.arange(len(shares)), []
    for shift, (at, label, colour) in zip(
        (-0.2, 0.2), ((0, "known books", BLUE), (1, "new books", ORANGE)), strict=True
    ):
        found = [over_seeds(pair[at]) for pair in shares.values()]
        middle = np.array([max(one.estimate, 0) for one in found])
        axis.barh(places + shift, middle, 0.38, color=colour, label=label)
        for place, one, bar in zip(places + shift, found, middle, strict=True):
            axis.text(bar + 0.01, place, f"{one.estimate:.2f}", va="center", fontsize=8)
        described.append(
            f"{label}: " + ", ".join(f"{n} {one.estimate:.2f}" for n, one in zip(shares, found, strict=True))
        )
    axis.set_yticks(places, list(shares))
    axis.invert_yaxis()
    axis.axvline(1, color=plt.rcParams["text.color"], linewidth=1, linestyle=":")
    axis.set(xlabel="share of the best DCG", xlim=(0, 1.12))
    figure.suptitle(title, fontsize=10)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    plain(axis)
    return Picture(figure, f"{title}. Share of the best DCG. {'; '.join(described)}.")


def clicks(true: NDArray, estimates: Mapping[str, NDArray], place: NDArray) -> None:
    """Estimated against true attraction, coloured by the mean position at which the book was shown.

    Args:
        true: attraction, (books,).
        estimates: by method, (books,).
        place: mean position, (books,).
    """
    figure, axes = plt.subplots(1, len(estimates), figsize=(6.4, 2.8), sharex=True, constrained_layout=True)
    described = []
    for axis, (name, values) in zip(axes, estimates.items(), strict=True):
        dots = axis.scatter(true, values, c=place, cmap="cividis", s=22)
        top = max(true.max(), 1.02 * values.max())
        axis.plot([0, true.max()], [0, true.max()], color="black", linestyle=":", linewidth=1)
        axis.set(title=name, xlabel="attraction", ylim=(0, top * 1.05))
        axis.title.set_fontsize(10)
        described.append(f"{name}: correlation {np.corrcoef(true, values)[0, 1]:.2f}")
        plain(axis)
    axes[0].set_ylabel("estimate")
    figure.colorbar(dots, ax=axes, label="mean position", fraction=0.05)
    show(
        figure,
        f"Estimated against true attraction of {len(true)} books, coloured by the mean position, {place.min():.0f} to "
        f"{place.max():.0f}. {'; '.join(described)}.",
    )


def feedback(curves: Mapping[str, NDArray]) -> None:
    """What the ten best books by estimate are worth after each round, as a share of the best, with intervals over worlds.

    Args:
        curves: by policy, shares, (rounds, worlds).
    """
    figure, axis = plt.subplots(figsize=(6.2, 3.5), constrained_layout=True)
    described = []
    for (name, values), colour, dash in zip(curves.items(), (GREY, ORANGE, BLUE), ("-", "--", "-."), strict=False):
        middle = over_seeds(values)
        rounds = np.arange(1, len(values) + 1)
        axis.plot(rounds, middle.estimate, dash, color=colour, linewidth=2, label=name)
        axis.fill_between(rounds, middle.low, middle.high, color=colour, alpha=0.15, linewidth=0)
        described.append(
            f"{name}: {middle.estimate[0]:.2f} after the first and {middle.estimate[-1]:.2f} after the last"
        )
    axis.axhline(1, color="black", linewidth=1, linestyle=":")
    axis.set(xlabel="round", ylabel="ten best by estimate, share of the best", ylim=(0.4, 1.03))
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.legend(frameon=False, loc="lower right", fontsize=9)
    plain(axis)
    show(figure, f"Value of what is ranked first, over rounds. {'; '.join(described)}.")
