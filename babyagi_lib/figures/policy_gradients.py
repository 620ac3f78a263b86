"""The figures of lesson 07: the gradient on the lake, estimates around it, noise and bias, learning, probes."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

from babyagi_lib.basics.intervals import over_seeds
from babyagi_lib.figures.base import BLUE, GREEN, GREY, ORANGE, PURPLE, Picture, plain, show

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, "black", GREY)
MARKERS = ("o", "s", "^", "D", "v", "P")
TOWARDS = ((-1, 0), (0, 1), (1, 0), (0, -1))  # left, down, right, up, in columns and rows


def gradient_map(visits: NDArray, gradient: NDArray, letters: Sequence[str]) -> None:
    """The lake with each cell's visits as colour and the gradient of each action as an arrow in its direction.

    Args:
        visits: discounted number of visits of each cell, (cells,).
        gradient: of J by the logits, (cells, 4), in the order left, down, right, up.
        letters: the map, row by row; H is a hole, G the goal.
    """
    rows, columns = len(letters), len(letters[0])
    figure, axis = plt.subplots(figsize=(5.4, 4.6 * rows / columns + 0.4), constrained_layout=True)
    picture = axis.imshow(visits.reshape(rows, columns), cmap="Greys", vmin=0, vmax=2 * visits.max())
    largest = np.abs(gradient).max() or 1.0
    for cell in range(rows * columns):
        row, column = divmod(cell, columns)
        if letters[row][column] in "HG":
            word, colour = ("hole", "#444444") if letters[row][column] == "H" else ("goal", GREEN)
            axis.add_patch(plt.Rectangle((column - 0.5, row - 0.5), 1, 1, color=colour))
            axis.text(column, row, word, ha="center", va="center", color="white", fontsize=9)
            continue
        for (x, y), slope in zip(TOWARDS, gradient[cell], strict=True):
            width = 9 * np.sqrt(abs(slope) / largest)
            if width > 0.3:
                end = (column + 0.42 * x, row + 0.42 * y)
                style = {"arrowstyle": "-|>", "linewidth": width / 2.5, "mutation_scale": 6 + width}
                style |= {"color": BLUE if slope > 0 else ORANGE, "linestyle": "-" if slope > 0 else ":"}
                axis.annotate("", end, (column + 0.08 * x, row + 0.08 * y), arrowprops=style)
    axis.set(xticks=[], yticks=[])
    figure.colorbar(picture, ax=axis, shrink=0.8, label="discounted visits in an episode")
    best = np.unravel_index(gradient.argmax(), gradient.shape)
    names = ("left", "down", "right", "up")
    show(
        figure,
        f"The lake under the uniform policy. Cell 0 has {visits[0]:.1f} discounted visits in an episode. An arrow for "
        "each action: blue and solid if the gradient raises its logit, orange and dotted if it lowers it. The largest "
        f"entry, {gradient.max():.4f}, is for moving {names[best[1]]} in cell {best[0]}.",
    )


def entries(panels: dict[str, tuple[NDArray, NDArray, NDArray]]) -> None:
    """Estimates with two standard errors against the exact gradient, entry by entry, a panel for each world.

    Args:
        panels: by world, the exact entries, the estimated ones, and their standard errors, (entries,) each.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(7, 2.7), constrained_layout=True, squeeze=False)
    described = []
    for axis, (name, (exact, mean, error)) in zip(axes[0], panels.items(), strict=True):
        ends = [min(exact.min(), mean.min()), max(exact.max(), mean.max())]
        axis.plot(ends, ends, color=GREY, linewidth=1)
        axis.errorbar(exact, mean, 2 * error, fmt="o", markersize=3, color=BLUE, ecolor=ORANGE, elinewidth=1.2)
        axis.set(title=name, xlabel="exact")
        axis.title.set_fontsize(10)
        axis.locator_params(nbins=4)
        within = (np.abs(mean - exact) <= 2 * error).mean()
        described.append(f"{name}: {within:.0%} of {len(exact)} entries")
    axes[0, 0].set_ylabel("estimate")
    plain(*axes[0])
    show(
        figure,
        "Estimated entries of the gradient with two standard errors, over the exact entries; the diagonal is exact "
        "agreement. Within two standard errors are, in " + "; ".join(described) + ".",
    )


def cloud(points: NDArray, length: float, episodes: int, world: str) -> Picture:
    """Estimates of the gradient in a plane, with the exact gradient as an arrow.

    Args:
        points: each estimate along the exact gradient and along one direction at right angles, (estimates, 2).
        length: of the exact gradient.
        episodes: how many are behind each estimate.
        world: name of the world.

    A few estimates far away, about one in fifty, may be outside of the figure.

    Returns:
        The figure and its description, for `explore.explore`.
    """
    figure, axis = plt.subplots(figsize=(6.2, 3.8), constrained_layout=True)
    axis.scatter(*points.T, s=7, color=BLUE, alpha=0.35, linewidths=0, label="an estimate")
    axis.plot(
        *points.mean(axis=0), "x", color=plt.rcParams["text.color"], markersize=9, markeredgewidth=2, label="their mean"
    )
    arrow = {"arrowstyle": "-|>", "color": ORANGE, "linewidth": 2.5, "mutation_scale": 16, "shrinkA": 0, "shrinkB": 0}
    axis.annotate("", (length, 0), (0, 0), arrowprops=arrow)
    axis.plot([], [], color=ORANGE, linewidth=2.5, label="the exact gradient")
    uphill = (points[:, 0] > 0).mean()
    behind = f"{world}, {episodes} episode{'s' if episodes > 1 else ''} for each estimate"
    axis.set(
        title=f"{behind}: {uphill:.0%} point uphill",
        xlabel="along the exact gradient",
        ylabel="at right angles to it",
    )
    axis.title.set_fontsize(10)
    low, high = np.quantile(points, (0.01, 0.99), axis=0)
    axis.set(xlim=(min(low[0], -0.1 * length), max(high[0], 1.1 * length)), ylim=(low[1] - 1e-9, high[1] + 1e-9))
    axis.set_aspect("equal")
    legend = axis.legend(frameon=True, framealpha=0.85, edgecolor="none", fontsize=9)
    legend.legend_handles[0].set(alpha=1, sizes=[25])
    plain(axis)
    spread = points.std(axis=0) / length
    alt = (
        f"A cloud of {len(points):,} estimates of the gradient around the arrow of the exact gradient; {behind}. "
        f"{uphill:.0%} of them point uphill. As multiples of the arrow's length, they spread by {spread[0]:.1f} along the "
        f"arrow and by {spread[1]:.1f} across it."
    )
    return Picture(figure, alt)


def variances(shares: dict[str, dict[str, float]]) -> None:
    """The variance of each kind of estimate as a share of that of the whole return, a row for each kind.

    Args:
        shares: by situation, by kind of estimate.
    """
    kinds = list(next(iter(shares.values())))
    figure, axis = plt.subplots(figsize=(6.6, 3.6), constrained_layout=True)
    for number, (name, row) in enumerate(shares.items()):
        height = np.arange(len(kinds)) + 0.16 * (number - (len(shares) - 1) / 2)
        style = {"color": COLOURS[number], "marker": MARKERS[number], "markersize": 6}
        axis.plot([row[kind] for kind in kinds], height, linestyle="none", label=name, **style)
    axis.set_yticks(np.arange(len(kinds)), kinds)
    axis.invert_yaxis()
    axis.set(xscale="log", xlabel="variance, as a share of that of the whole return")
    axis.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    axis.grid(axis="x", color="#DDDDDD", linewidth=0.8)
    axis.legend(frameon=True, framealpha=0.9, edgecolor="none", fontsize=8.5, loc="upper left")
    plain(axis)
    described = [f"{name}: " + ", ".join(f"{kind} {row[kind]:.3g}" for kind in kinds) for name, row in shares.items()]
    show(figure, "Variance of each kind of estimate relative to the whole return. " + "; ".join(described) + ".")


def noise_and_bias(lams: Sequence[float], spread: NDArray, bias: NDArray, batches: Sequence[int]) -> None:
    """Noise, bias and total error of the estimate from a batch for each lambda, a panel for each size of the batch.

    Args:
        lams: the lambdas.
        spread: total variance of the estimate from one episode, (lambdas,).
        bias: length of the mean error, (lambdas,).
        batches: how many episodes are in a batch.
    """
    figure, axes = plt.subplots(1, len(batches), figsize=(7, 3.1), constrained_layout=True, squeeze=False)
    described = []
    for axis, episodes in zip(axes[0], batches, strict=True):
        noise = np.sqrt(spread / episodes)
        total = np.hypot(noise, bias)
        lines = (("noise", noise, BLUE, "o--"), ("bias", bias, ORANGE, "s-."), ("both", total, "black", "^-"))
        for name, values, colour, style in lines:
            axis.plot(lams, values, style, color=colour, label=name, markersize=4.5)
        axis.plot(lams[total.argmin()], total.min(), "o", markersize=13, markerfacecolor="none", color="black")
        axis.set(title=f"{episodes:,} episodes", xlabel="lambda", ylim=(0, None))
        axis.title.set_fontsize(10)
        described.append(
            f"{episodes:,} episodes, smallest error at lambda {lams[total.argmin()]:g}: "
            + ", ".join(f"{x:g} has noise {n:.2f}" for x, n in zip(lams, noise, strict=True))
        )
    axes[0, 0].set_ylabel("error of an estimate")
    axes[0, 0].legend(frameon=False, fontsize=9)
    plain(*axes[0])
    biases = ", ".join(f"{x:g}: {b:.2f}" for x, b in zip(lams, bias, strict=True))
    show(figure, "Error of an estimate by lambda. " + "; ".join(described) + f". Bias at lambda {biases}.")


def step_sizes(steps: Sequence[float], shares: dict[str, NDArray]) -> None:
    """The share of the gap closed with each method and step size: interquartile mean, interval, and every run.

    Args:
        steps: the step sizes.
        shares: by method, (steps, runs).
    """
    figure, axes = plt.subplots(1, len(steps), figsize=(7, 3.3), constrained_layout=True, sharey=True, squeeze=False)
    described, runs_low = [], min(runs.min() for runs in shares.values())
    for column, (axis, step) in enumerate(zip(axes[0], steps, strict=True)):
        for row, (_, runs) in enumerate(shares.items()):
            found, colour = over_seeds(runs[column]), COLOURS[row]
            axis.plot(runs[column], np.full(runs.shape[1], row + 0.22), "|", color=colour, alpha=0.5, markersize=6)
            axis.plot([found.low, found.high], [row, row], color=colour, linewidth=2.5)
            axis.plot(found.estimate, row, MARKERS[row], color=colour, markersize=6)
        axis.set(title=f"step {step:g}", xlim=(min(-0.03, runs_low - 0.03), 1.03))
        axis.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        axis.title.set_fontsize(10)
        axis.grid(axis="x", color="#DDDDDD", linewidth=0.8)
        described.append(
            f"step {step:g}: " + ", ".join(f"{name} {over_seeds(runs[column])}" for name, runs in shares.items())
        )
    axes[0, 0].set_yticks(range(len(shares)), list(shares))
    axes[0, 0].invert_yaxis()
    figure.supxlabel("share of the gap closed: 0 is the uniform policy, 1 the optimum", fontsize=10)
    plain(*axes[0])
    show(
        figure,
        "Share of the gap between the uniform policy and the optimum after learning, interquartile mean over seeds with its 95% interval; small lines are "
        "single runs. " + "; ".join(described) + ".",
    )


def three_records(records: dict[str, tuple[NDArray, NDArray, NDArray]]) -> None:
    """Share of the gap, entropy and KL of each step against iterations: middle half of the runs, a line in it.

    Args:
        records: by method, the three, (iterations, runs) each.
    """
    figure, axes = plt.subplots(3, 1, figsize=(6, 6.2), constrained_layout=True, sharex=True)
    labels = ("share of the gap", "entropy (nats)", "KL of a step (nats)")
    described = []
    for (name, values), colour, style in zip(records.items(), COLOURS, ("-", "--", "-.", ":"), strict=False):
        ends = []
        for axis, runs in zip(axes, values, strict=True):
            low, middle, high = np.quantile(np.maximum(runs, 1e-8), (0.25, 0.5, 0.75), axis=1)
            across = np.arange(1, len(runs) + 1)
            axis.plot(across, middle, style, color=colour, linewidth=1.6, label=name)
            axis.fill_between(across, low, high, color=colour, alpha=0.18, linewidth=0)
            ends.append(middle[-1])
        described.append(
            f"{name}: share {ends[0]:.2f} and entropy {ends[1]:.3f} at the end, largest KL of a step "
            f"{values[2].max():.3g}"
        )
    for axis, label in zip(axes, labels, strict=True):
        axis.set_ylabel(label)
    axes[2].set(yscale="log", xlabel="iterations", ylim=(1e-7, None))
    axes[0].legend(frameon=False, fontsize=9, loc="center right")
    plain(*axes)
    show(figure, "Median over runs and the middle half of them. " + "; ".join(described) + ".")


def probe_table(bugs: Sequence[str], probes: Sequence[str], z: NDArray, most: float) -> None:
    """The largest |z| of each planted bug in each probe world; a cell above `most` is a failed test.

    Args:
        bugs: names of the rows.
        probes: names of the columns.
        z: the largest |z|, (bugs, probes); inf where an answer without any spread is wrong.
        most: the threshold.
    """
    figure, axis = plt.subplots(figsize=(6.4, 0.36 * len(bugs) + 0.7), constrained_layout=True)
    axis.set(xlim=(-0.5, len(probes) - 0.5), ylim=(len(bugs) - 0.5, -0.5))
    for (row, column), value in np.ndenumerate(z):
        fails = value > most
        axis.add_patch(plt.Rectangle((column - 0.5, row - 0.5), 1, 1, color=ORANGE if fails else "#EEEEEE"))
        text = "∞" if np.isinf(value) else f"{value:.1f}" if value < 10 else f"{value:.0f}"
        text = f"fails: {text}" if fails else text
        axis.text(column, row, text, ha="center", va="center", fontsize=9, color="white" if fails else "black")
    axis.set_xticks(range(len(probes)), probes)
    axis.set_yticks(range(len(bugs)), bugs)
    axis.xaxis.tick_top()
    axis.tick_params(length=0)
    axis.set_xticks(np.arange(len(probes) + 1) - 0.5, minor=True)
    axis.set_yticks(np.arange(len(bugs) + 1) - 0.5, minor=True)
    axis.grid(which="minor", color="white", linewidth=1.5)
    axis.tick_params(which="minor", length=0)
    for side in axis.spines.values():
        side.set_visible(False)
    described = [
        f"{bug}: " + (", ".join(p for p, v in zip(probes, row, strict=True) if v > most) or "none")
        for bug, row in zip(bugs, z, strict=True)
    ]
    show(
        figure,
        f"Probe worlds that each bug fails, where the largest |z| is above {most:g}. " + "; ".join(described) + ".",
    )
