"""The figures of lesson 12: the ladder, regions of decision, learning, where value goes, the frontier, a film of one part.

Imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import BoundaryNorm, ListedColormap
from numpy.typing import NDArray

from babyagi_lib.basics.intervals import over_seeds
from babyagi_lib.figures.base import BLUE, GREEN, GREY, ORANGE, PURPLE, Picture, plain, show

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, GREY)
MARKERS = ("o", "s", "^", "D", "v")
# Actions in the maps: look, read, tap, a bin, scrap, human.
SKY, YELLOW = "#56B4E9", "#F0E442"
REGIONS = {"look": BLUE, "read": SKY, "tap": YELLOW, "the bin": GREEN, "scrap": ORANGE, "human": PURPLE}


def ladder(values: Mapping[str, Sequence[float]], names: Sequence[str]) -> None:
    """Bars of the exact values of policies, one group of bars for each policy.

    Args:
        values: by policy, one value for each of `names`.
        names: of the bars in a group.
    """
    figure, axis = plt.subplots(figsize=(6.4, 3.4), constrained_layout=True)
    height, places = 0.8 / len(names), np.arange(len(values))
    for number, (name, colour) in enumerate(zip(names, (GREY, BLUE), strict=False)):
        found = np.array([row[number] for row in values.values()])
        at = places + (number - (len(names) - 1) / 2) * height
        axis.barh(at, found, height, color=colour, label=name)
        for y, value in zip(at, found, strict=True):
            axis.text(
                value + (0.01 if value >= 0 else -0.01),
                y,
                f"{value:.3f}",
                va="center",
                ha="left" if value >= 0 else "right",
                fontsize=8,
            )
    axis.axvline(0, color="black", linewidth=0.8)
    axis.set_yticks(places, list(values))
    axis.invert_yaxis()
    axis.set(xlabel="expected reward for a part", xlim=(-0.85, 0.65))
    axis.legend(frameon=False, fontsize=9)
    plain(axis)
    described = "; ".join(f"{who}: {', '.join(f'{value:.3f}' for value in row)}" for who, row in values.items())
    show(figure, f"Expected reward of policies, {' and '.join(names)}. {described}.")


def regions(best: NDArray, cracked: NDArray, sure: NDArray, title: str) -> Picture:
    """A map of the best action over two numbers of a belief.

    Args:
        best: numbers of the actions in `REGIONS`, (sure, cracked).
        cracked: probabilities that the part is cracked, evenly spaced.
        sure: probabilities of the likeliest of the six bins, evenly spaced.
        title: above the map.

    Returns:
        The figure and its description, for `explore.explore`.
    """
    figure, axis = plt.subplots(figsize=(5.6, 3.9), constrained_layout=True)
    colours = ListedColormap(list(REGIONS.values()))
    edges = [(values[1] - values[0]) / 2 for values in (cracked, sure)]
    extent = (cracked[0] - edges[0], cracked[-1] + edges[0], sure[0] - edges[1], sure[-1] + edges[1])
    axis.imshow(
        best,
        cmap=colours,
        norm=BoundaryNorm(np.arange(len(REGIONS) + 1) - 0.5, len(REGIONS)),
        extent=extent,
        origin="lower",
        aspect="auto",
        interpolation="none",
    )
    shares = {name: float((best == number).mean()) for number, name in enumerate(REGIONS)}
    shown = [(name, colour) for name, colour in REGIONS.items() if shares[name] > 0]
    handles = [plt.Rectangle((0, 0), 1, 1, color=colour) for _, colour in shown]
    figure.legend(handles, [name for name, _ in shown], loc="outside upper center", ncols=6, frameon=False, fontsize=9)
    axis.set(xlabel="probability that the part is cracked", ylabel="probability of the likeliest bin")
    axis.set_title(title, fontsize=10)
    parts = ", ".join(f"{name} {share:.0%}" for name, share in shares.items() if share > 0)
    return Picture(
        figure,
        f"{title}: map of the best action over the probability of a crack (across, 0 to 1) and of the likeliest bin (up, "
        f"{sure[0]:.2f} to 1). Shares of the map: {parts}.",
    )


def learning(
    curves: Mapping[str, tuple[NDArray, NDArray]], lines: Mapping[str, float], title: str = "greedy policy, exact value"
) -> None:
    """Exact values of learned policies over the transitions, a thin line or dot for each run, and yardsticks.

    Args:
        curves: by method, transitions (moments,) and values (moments, runs).
        lines: by name, values to compare with.
        title: of the vertical axis.
    """
    figure, axis = plt.subplots(figsize=(6.4, 3.7), constrained_layout=True)
    described = []
    for (name, (steps, values)), colour, marker in zip(curves.items(), COLOURS, MARKERS, strict=False):
        middle = over_seeds(values)
        axis.plot(steps, values, color=colour, linewidth=0.6, alpha=0.4)
        axis.plot(steps, middle.estimate, marker + "-", color=colour, linewidth=2, markersize=4, label=name)
        last = over_seeds(values[-1])
        described.append(
            f"{name} after {steps[-1]:,} transitions: {last.estimate:.3f} [{last.low:.3f}, {last.high:.3f}]"
        )
    for (name, value), dash in zip(lines.items(), ("-", "--", ":"), strict=False):
        axis.axhline(value, color="black", linestyle=dash, linewidth=1.2, label=f"{name}: {value:.3f}")
    axis.set(xlabel="transitions of each run", ylabel=title, xscale="log")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False, fontsize=9)
    plain(axis)
    yardsticks = ", ".join(f"{name} {value:.3f}" for name, value in lines.items())
    show(figure, f"{title} over the transitions. {'; '.join(described)}. Yardsticks: {yardsticks}.")


def cascade(values: Mapping[str, float], errors: Mapping[str, float] | None = None) -> None:
    """Where value goes: a bar for each step down, with the loss from the bar above it.

    Args:
        values: by name, from the highest down.
        errors: of some of the values, standard errors.
    """
    figure, axis = plt.subplots(figsize=(6.4, 0.5 + 0.5 * len(values)), constrained_layout=True)
    names, found = list(values), list(values.values())
    places = np.arange(len(found))
    axis.barh(places, found, 0.6, color=[GREY] + [BLUE] * (len(found) - 1))
    described = []
    for place, (name, value) in enumerate(values.items()):
        error = (errors or {}).get(name)
        if error:
            axis.errorbar(value, place, xerr=1.96 * error, color="black", capsize=3, linewidth=1.2)
        lost = "" if place == 0 else f"  ({value - found[place - 1]:+.3f})"
        axis.text(max(value, 0) + 0.04, place, f"{value:.3f}{lost}", va="center", fontsize=9)
        described.append(f"{name} {value:.3f}" + (f" (standard error {error:.3f})" if error else ""))
    axis.set_yticks(places, names)
    axis.invert_yaxis()
    axis.set(xlabel="expected reward for a part", xlim=(min(0, *found), max(found) * 1.3))
    plain(axis)
    show(figure, f"Expected reward for a part, from perfect senses down: {'; '.join(described)}.")


def frontier(
    curve: NDArray,
    limit: float,
    best: tuple[float, float],
    price: float,
    dots: Mapping[str, NDArray],
) -> None:
    """Reward against risk: what is possible, the optimum within a limit with the price as its slope, and learned policies.

    Args:
        curve: risk and reward of the best policies, (points, 2), by rising risk.
        limit: of the risk.
        best: risk and reward of the optimum within the limit.
        price: of a unit of risk there.
        dots: by learner, risk and reward of each run, (runs, 2).
    """
    figure, axis = plt.subplots(figsize=(6.4, 3.8), constrained_layout=True)
    axis.plot(*curve.T, color=BLUE, linewidth=2, label="frontier")
    axis.fill_between(*curve.T, curve[:, 1].max() + 0.03, color=GREY, alpha=0.15, linewidth=0)
    axis.axvline(limit, color="black", linestyle="--", linewidth=1.2, label=f"limit {limit:g}")
    axis.plot(*best, "*", color="black", markersize=14, label="optimum within the limit")
    around = np.array([max(0, limit - 0.006), limit + 0.006])
    axis.plot(
        around, best[1] + price * (around - best[0]), color="black", linestyle=":", label=f"slope: price {price:.2f}"
    )
    axis.plot(*curve[-1], "o", color=BLUE, markersize=9, label="no constraint")
    described = []
    for (name, runs), colour, marker in zip(dots.items(), (ORANGE, PURPLE, GREEN), ("s", "v", "^"), strict=False):
        axis.plot(*runs.T, marker, color=colour, markersize=7, linestyle="none", label=name)
        described.append(f"{name}: " + ", ".join(f"({risk:.4f}, {value:.3f})" for risk, value in runs))
    axis.set(
        xlabel="share of all parts that are cracked and shipped",
        ylabel="expected reward for a part",
        ylim=(
            min(max(curve[0, 1], 0.2), *(runs[:, 1].min() - 0.01 for runs in dots.values())),
            curve[:, 1].max() + 0.02,
        ),
        xlim=(0, max(0.023, *(runs[:, 0].max() + 0.001 for runs in dots.values()))),
    )
    axis.legend(frameon=False, fontsize=8, loc="lower right")
    plain(axis)
    show(
        figure,
        f"Expected reward against the share of parts that are cracked and shipped. The frontier ends at ({curve[-1, 0]:.4f}, "
        f"{curve[-1, 1]:.3f}) without a constraint. The optimum within {limit:g} is at ({best[0]:.4f}, {best[1]:.3f}), where "
        f"the slope is {price:.2f}. Learned policies as (risk, reward): {'; '.join(described)}.",
    )


def film(
    seen: Mapping[str, NDArray | str | None],
    belief: NDArray,
    bins: Sequence[str],
    values: Mapping[str, float],
    title: str,
) -> Picture:
    """One moment of a part in the agent's hands: what the senses found, the belief, and what each action is worth.

    Args:
        seen: "look" (32, 32), "read" a text, "tap" a spectrogram (bands, frames); None for what was not asked.
        belief: probability of each kind of part, (12,), whole and cracked by turns.
        bins: names of the six bins.
        values: of each action, by name; the highest is taken.
        title: what happens.

    Returns:
        The figure and its description, for `explore.explore`.
    """
    figure = plt.figure(figsize=(6.6, 4.3), constrained_layout=True)
    grid = figure.add_gridspec(2, 3, height_ratios=(1, 1.35))
    look, read, tap = (figure.add_subplot(grid[0, column]) for column in range(3))
    for axis, name in ((look, "look"), (read, "read"), (tap, "tap")):
        axis.set(xticks=[], yticks=[], title=name)
        if seen.get(name) is None:
            axis.text(0.5, 0.5, "not asked", ha="center", va="center", transform=axis.transAxes, fontsize=9)
    if seen.get("look") is not None:
        look.imshow(seen["look"], cmap="gray", vmin=-0.6, vmax=1.1, interpolation="none")
    if seen.get("read") is not None:
        words = str(seen["read"]) or "(no note)"
        read.text(0.5, 0.5, _wrapped(words), ha="center", va="center", transform=read.transAxes, fontsize=9)
    if seen.get("tap") is not None:
        tap.imshow(seen["tap"][:64], cmap="magma", origin="lower", aspect="auto", interpolation="none", vmin=-1, vmax=1)
    left, right = figure.add_subplot(grid[1, :2]), figure.add_subplot(grid[1, 2])
    belief, places = np.asarray(belief), np.arange(len(bins))
    left.bar(places, belief[::2], 0.7, color=GREEN, label="whole")
    left.bar(places, belief[1::2], 0.7, bottom=belief[::2], color=ORANGE, hatch="//", label="cracked")
    left.set_xticks(places, [name.replace("+", "\n") for name in bins], fontsize=8)
    left.set(ylabel="belief", ylim=(0, 1))
    left.legend(frameon=False, fontsize=8)
    names, found = list(values), np.array(list(values.values()))
    best = int(found.argmax())
    right.barh(np.arange(len(names)), found, color=[BLUE if i == best else GREY for i in range(len(names))])
    right.set_yticks(np.arange(len(names)), names, fontsize=8)
    right.invert_yaxis()
    right.axvline(0, color=plt.rcParams["text.color"], linewidth=0.8)
    right.set(xlabel="value", xlim=(-1.6, 1.1))
    plain(left, right)
    figure.suptitle(title, fontsize=10)
    top = int(belief.argmax())
    said = {
        "look": "a picture" if seen.get("look") is not None else "no picture",
        "read": f"the note “{seen['read']}”" if seen.get("read") else "no note",
        "tap": "a sound" if seen.get("tap") is not None else "no sound",
    }
    alt = (
        f"{title}. So far: {', '.join(said.values())}. Belief: {belief[1::2].sum():.2f} cracked; likeliest is "
        f"{bins[top // 2]}, {('whole', 'cracked')[top % 2]}, with {belief[top]:.2f}. Values: "
        f"{', '.join(f'{name} {value:.2f}' for name, value in values.items())}."
    )
    return Picture(figure, alt)


def _wrapped(text: str, width: int = 22) -> str:
    """The text in lines of about this many letters."""
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) > width and lines[-1]:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)
