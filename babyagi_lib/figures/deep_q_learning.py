"""The figures of lesson 08: divergence, the overestimate of a maximum, remedies, gains, the critic's error, returns."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import ArrayLike, NDArray

from babyagi_lib.basics.intervals import over_seeds
from babyagi_lib.figures.base import BLUE, GREEN, GREY, ORANGE, PURPLE, Picture, plain, show

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, GREY)
DASHES = ("-", "--", "-.", ":", (0, (5, 1)))
MARKS = "osD^v"


def divergence(sampled: NDArray, expected: NDArray, table: NDArray, periods: NDArray, rates: NDArray) -> None:
    """The error of the values over updates, and the growth per update for target networks of several periods.

    Args:
        sampled: in single runs, (updates, runs).
        expected: of the expected update, (updates,).
        table: of the expected update of a table, (updates,).
        periods: updates from one copy of the target network to the next, (periods,).
        rates: the factor by which the error grows in each update, (periods,).
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.2), constrained_layout=True)
    left.semilogy(sampled, color=GREY, linewidth=0.6, alpha=0.5)
    left.plot([], [], color=GREY, linewidth=0.6, label="single runs")
    left.semilogy(expected, color=ORANGE, linewidth=2.2, label="expected update")
    left.semilogy(table, color=BLUE, linewidth=2.2, linestyle="--", label="a table")
    left.set(xlabel="updates", ylabel="largest error of a value")
    left.legend(frameon=False, fontsize=9)
    right.semilogx(periods, rates, color=ORANGE, linewidth=2.2)
    right.axhline(1, color="black", linestyle=":", linewidth=1.2)
    right.set(xlabel="updates between two copies", ylabel="growth per update")
    right.ticklabel_format(axis="y", useOffset=False)
    plain(left, right)
    safe = periods[rates < 1].min()
    show(
        figure,
        f"Left: over {len(expected) - 1} updates the error grows from {expected[0]:.0f} to {expected[-1]:,.0f} with the "
        f"expected update, and to between {sampled[-1].min():,.0f} and {sampled[-1].max():,.0f} in single runs; with a table "
        f"it falls from {table[0]:.3g} to {table[-1]:.3g}. Right: the growth per update is {rates[0]:.4f} without a target "
        f"network and falls below 1 for copies that stay for {safe} updates or more.",
    )


def overestimate(
    counts: NDArray,
    by_count: dict[str, tuple[NDArray, NDArray]],
    gaps: NDArray,
    by_gap: dict[str, tuple[NDArray, NDArray]],
) -> None:
    """Error of two estimates of the largest value: formulas as lines, simulations as dots.

    Args:
        counts: numbers of actions, all worth the same, (counts,).
        by_count: by estimate, formula and simulation, both (counts,).
        gaps: by how much the better of two actions is better, (gaps,).
        by_gap: by estimate, formula and simulation, both (gaps,).
    """
    figure, axes = plt.subplots(1, 2, figsize=(7, 3.2), constrained_layout=True, sharey=False)
    for axis, across, curves in zip(axes, (counts, gaps), (by_count, by_gap), strict=True):
        for (name, (line, dots)), colour, dashes, mark in zip(curves.items(), COLOURS, DASHES, MARKS, strict=False):
            axis.plot(across, line, color=colour, linestyle=dashes, linewidth=1.8)
            axis.plot(across, dots, mark, color=colour, markersize=5, label=name)
        axis.axhline(0, color="black", linewidth=0.8)
    axes[0].set(xlabel="actions, all worth the same", ylabel="error of the estimate (σ)", xscale="log")
    axes[0].set_xticks(counts, [str(n) for n in counts])
    axes[0].minorticks_off()
    axes[1].set(xlabel="lead of the better of two actions (σ)")
    axes[0].legend(frameon=False, fontsize=9)
    plain(*axes)
    left = "; ".join(f"{name}: from {line[0]:.2f} to {line[-1]:.2f}" for name, (line, _) in by_count.items())
    right = "; ".join(
        f"{name}: from {line[0]:.2f} over {line[np.abs(line).argmax()]:.2f} to {line[-1]:.2f}"
        for name, (line, _) in by_gap.items()
    )
    show(
        figure,
        f"Left, for {counts[0]} to {counts[-1]} equal actions, error of the estimate in units of the noise. {left}. Right, "
        f"for two actions of which one is better by {gaps[0]:.0f} to {gaps[-1]:.0f}. {right}. Dots are simulations, and lie "
        "on the lines.",
    )


def remedies(moments: NDArray, errors: dict[str, NDArray], shares: dict[str, NDArray]) -> None:
    """Error of Q over the steps, and what the greedy policy costs at the end, for several variants.

    Args:
        moments: steps, (moments,).
        errors: by variant, the error of Q, (moments, runs).
        shares: by variant, cost of the greedy policy over the lowest possible cost, (runs,).
    """
    figure, (left, right) = plt.subplots(2, 1, figsize=(6.2, 6.0), constrained_layout=True, height_ratios=(1.5, 1))
    described = []
    for number, (name, runs) in enumerate(errors.items()):
        colour, found = COLOURS[number], over_seeds(runs)
        left.plot(moments, found.estimate, color=colour, linestyle=DASHES[number], linewidth=2, label=name)
        left.fill_between(moments, found.low, found.high, color=colour, alpha=0.15, linewidth=0)
        final, ratio = over_seeds(runs[-1]), over_seeds(shares[name])
        right.plot(
            shares[name], np.full(len(shares[name]), number), MARKS[number], color=colour, alpha=0.45, markersize=5
        )
        right.plot([ratio.low, ratio.high], [number, number], color=colour, linewidth=2.5)
        right.plot(ratio.estimate, number, "|", color="black", markersize=16, markeredgewidth=2)
        described.append(f"{name}: error {final}, cost {ratio}")
    left.set(xlabel="steps in each run", ylabel="error of Q (root mean square)", yscale="log")
    left.yaxis.set_major_formatter(lambda y, _: f"{y:g}")
    left.yaxis.set_minor_formatter(lambda y, _: f"{y:g}" if f"{y:e}"[0] in "25" else "")
    left.legend(frameon=False, fontsize=9)
    right.set(xlabel="cost of the greedy policy / lowest possible cost", xscale="log", ylim=(len(errors) - 0.5, -0.5))
    right.set_yticks(range(len(errors)), list(errors))
    right.axvline(1, color="black", linestyle=":", linewidth=1.2)
    right.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    right.xaxis.set_minor_formatter(lambda x, _: f"{x:g}" if f"{x:e}"[0] in "235" else "")
    plain(left, right)
    show(
        figure,
        f"Above, error of Q over {moments[-1]:,} steps; below, what the greedy policy costs at the end compared with the "
        f"optimum, a dot for each run. Interquartile mean with its 95% interval: {'; '.join(described)}.",
    )


def gains(learned: dict[str, NDArray], best: ArrayLike, grid: tuple[NDArray, NDArray, NDArray]) -> None:
    """The gains of learned controllers, on a map of what each pair of gains costs.

    Args:
        learned: by variant, the gains, (runs, 2).
        best: the gains of the best controller, (2,).
        grid: gains for x (n,), gains for v (m,), and cost over the lowest cost (m, n), infinite where unstable.
    """
    for_x, for_v, cost = grid
    figure, axis = plt.subplots(figsize=(5.6, 4.2), constrained_layout=True)
    lines = axis.contour(for_x, for_v, np.minimum(cost, 9), levels=[1.01, 1.05, 1.2, 2], colors=GREY, linewidths=1)
    axis.clabel(lines, fmt=lambda level: f"{level:g}", fontsize=8)
    described = []
    for (name, pairs), colour, mark in zip(learned.items(), COLOURS, MARKS, strict=False):
        inside = (pairs >= [for_x[0], for_v[0]]).all(1) & (pairs <= [for_x[-1], for_v[-1]]).all(1)
        outside = f" ({(~inside).sum()} outside)" if not inside.all() else ""
        axis.plot(*pairs[inside].T, mark, color=colour, markersize=6, alpha=0.8, label=name + outside)
        middle = np.median(pairs, axis=0)
        described.append(f"{name}: median ({middle[0]:.2f}, {middle[1]:.2f}){outside}")
    axis.plot(*np.ravel(best), "*", color="none", markeredgecolor="black", markersize=17, label="Riccati")
    axis.set(xlabel="gain for the position x", ylabel="gain for the velocity v")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False, fontsize=9)
    plain(axis)
    best = np.ravel(best)
    show(
        figure,
        f"Gains of the learned controllers at the centre, a dot for each run, around the best gains ({best[0]:.2f}, "
        f"{best[1]:.2f}); lines of equal cost at 1.01, 1.05, 1.2 and 2 times the lowest. {'; '.join(described)}.",
    )


def critic_error(error: NDArray, side: NDArray, title: str, line: tuple[float, float]) -> Picture:
    """Map of the critic's value minus the exact one.

    Args:
        error: (velocities, positions).
        side: positions, and velocities too, (n,).
        title: above the map.
        line: the actor's gains for x and v; the line on which it does nothing is drawn.

    Returns:
        The figure and its description, for `explore.explore`.
    """
    figure, axis = plt.subplots(figsize=(5.4, 4.2), constrained_layout=True)
    edge = (side[1] - side[0]) / 2
    ends = 2 * [side[0] - edge, side[-1] + edge]
    picture = axis.imshow(error, cmap="RdBu", vmin=-2, vmax=2, extent=ends, origin="lower", interpolation="none")
    figure.colorbar(picture, ax=axis, label="critic − exact value", extend="both")
    axis.add_patch(plt.Rectangle((-1, -1), 2, 2, fill=False, color="black", linewidth=1.2, linestyle="--"))
    if line[1] != 0:
        axis.plot(side, -line[0] / line[1] * side, color=PURPLE, linewidth=2, label="actor: u = 0")
        axis.legend(loc="upper right", fontsize=9, framealpha=0.9, facecolor="white", labelcolor="black")
    axis.set(
        xlabel="position x", ylabel="velocity v", xlim=side[[0, -1]], ylim=side[[0, -1]], title=title, aspect="auto"
    )
    inside = np.abs(side) <= 1
    near = np.ix_(inside, inside)
    far = np.ones(error.shape, bool)
    far[near] = False
    rms = [np.sqrt(np.mean(np.square(part))) for part in (error[near], error[far])]
    alt = (
        f"{title}: map of the critic minus the exact value, over positions and velocities from {side[0]:g} to {side[-1]:g}. "
        f"The root mean square is {rms[0]:.2f} inside the dashed square from -1 to 1, and {rms[1]:.2f} outside. The actor's "
        f"gains are {line[0]:.2f} for x and {line[1]:.2f} for v."
    )
    return Picture(figure, alt)


def returns(moments: list[int], runs: dict[str, NDArray], lines: dict[str, float]) -> None:
    """Return of test episodes over the updates, a thin line for each run, and yardsticks.

    Args:
        moments: updates, (moments,).
        runs: by variant, the mean return of each run's test episodes, (moments, runs).
        lines: by name, the mean return of a controller that learns nothing.
    """
    figure, axis = plt.subplots(figsize=(6.2, 3.6), constrained_layout=True)
    described = []
    for number, (name, found) in enumerate(runs.items()):
        colour, middle = COLOURS[number], over_seeds(found)
        axis.plot(moments, found, color=colour, linewidth=0.6, alpha=0.5)
        axis.plot(moments, middle.estimate, color=colour, linestyle=DASHES[number], linewidth=2.4, label=name)
        final = over_seeds(found[-1])
        described.append(f"{name}: {final.estimate:.0f} [{final.low:.0f}, {final.high:.0f}] at the end")
    for (name, value), dashes in zip(lines.items(), (":", "--", "-."), strict=False):
        axis.axhline(value, color="black", linestyle=dashes, linewidth=1.2, label=f"{name}: {value:.0f}")
    axis.set(xlabel="updates", ylabel="return of a test episode")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False, fontsize=9)
    plain(axis)
    yardsticks = ", ".join(f"{name} {value:.0f}" for name, value in lines.items())
    show(
        figure,
        f"Return of Pendulum over {moments[-1]:,} updates, interquartile mean over runs with its 95% interval. "
        f"{'; '.join(described)}. Yardsticks: {yardsticks}.",
    )
