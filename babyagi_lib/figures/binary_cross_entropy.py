"""The figures of lesson 03: the loss, errors of finite differences, paths of descent, smoothing, reliability."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

from babyagi_lib.figures.base import BLUE, GREEN, GREY, ORANGE, PURPLE, Picture, plain, show
from babyagi_lib.training.losses import Bin


def likelihood(shares: NDArray, losses: NDArray, share: float) -> None:
    """The loss of one prediction for either label, and the mean loss of predicting the same for every example.

    Args:
        shares: predictions, strictly between 0 and 1.
        losses: the mean loss of each.
        share: share of the labels that are 1, strictly between 0 and 1.
    """
    entropy = -(share * np.log(share) + (1 - share) * np.log(1 - share))
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3), constrained_layout=True)
    left.plot(shares, -np.log(shares), color=BLUE, linewidth=2, label="$y=1$")
    left.plot(shares, -np.log(1 - shares), color=ORANGE, linewidth=2, linestyle="--", label="$y=0$")
    left.set(xlabel=r"prediction $\hat y$", ylabel="loss of one example", ylim=(0, 5))
    left.legend(frameon=False)
    lowest = losses.argmin()
    right.plot(shares, losses, color=GREEN, linewidth=2)
    right.plot(shares[lowest], losses[lowest], "o", color=ORANGE)
    right.annotate(
        f"{losses[lowest]:.3f} at {shares[lowest]:.3f}",
        (shares[lowest], losses[lowest]),
        textcoords="offset points",
        xytext=(0, 14),
        ha="center",
    )
    right.axhline(entropy, color=GREY, linewidth=1, linestyle=":", label=f"entropy of the labels: {entropy:.3f}")
    right.legend(frameon=False, loc="upper center")
    right.set(xlabel=r"the same $\hat y$ for every message", ylabel="mean loss", ylim=(0, 3))
    plain(left, right)
    show(
        figure,
        "Two panels. Left: the loss of one prediction, which grows without bound towards 0 for label 1, and towards 1 "
        f"for label 0. Right: the mean loss when every prediction is the same; it is lowest, {losses[lowest]:.3f}, at "
        f"{shares[lowest]:.3f}. The share of label 1 is {share:.3f}, and the entropy of the labels is {entropy:.3f}.",
    )


def step_sizes(steps: NDArray, errors: dict[str, NDArray], theory: dict[str, NDArray]) -> None:
    """Error of finite differences against the step, both on logarithmic scales.

    Args:
        steps: the steps h.
        errors: by the name of the difference, such as "forward", the error at each step.
        theory: by the same names, what truncation and rounding together should give.
    """
    figure, axes = plt.subplots(figsize=(6.2, 3.7), constrained_layout=True)
    described = []
    styles = zip(errors.items(), (ORANGE, BLUE), ("s", "o"), ((6, 20), (0, -26)), strict=False)
    for (name, error), colour, marker, place in styles:
        axes.loglog(steps, error, marker, color=colour, markersize=3.5, label=f"{name}, measured")
        axes.loglog(steps, theory[name], color=colour, linewidth=1, alpha=0.7, label=f"{name}, truncation + rounding")
        best = error.argmin()
        axes.annotate(
            f"{error[best]:.0e}\nat {steps[best]:.0e}",
            (steps[best], error[best]),
            textcoords="offset points",
            xytext=place,
            ha="center",
            color=colour,
        )
        described.append(
            f"{name} differences are best at a step of {steps[best]:.0e}, with an error of {error[best]:.0e}"
        )
    axes.set(xlabel="step $h$", ylabel="error of the derivative", ylim=(1e-13, 1e3))
    axes.legend(frameon=False, fontsize=9, loc="upper center", ncols=2)
    plain(axes)
    show(figure, "The error of finite differences against the step, two V-shaped curves: " + "; ".join(described) + ".")


def loss_at_logit(logit: float, label: int, implementations: dict[str, Callable]) -> Picture:
    """Loss and gradient against the logit in float32, with one logit marked, and the gradient enlarged near 0.

    Where a value is infinite or not a number, its curve has a gap.

    Args:
        logit: the logit that is marked, and whose values stand in the title.
        label: 0 or 1.
        implementations: by name, functions from tensors (logits, labels) to losses, differentiated by autograd.

    Returns:
        The figure and its description, for `explore.explore`.
    """
    import torch

    def both(function: Callable, at: NDArray) -> tuple[NDArray, NDArray]:
        z = torch.tensor(at, dtype=torch.float32, requires_grad=True)
        loss = function(z, torch.full_like(z, float(label)))
        loss.sum().backward()
        return loss.detach().numpy(), z.grad.numpy()

    figure, panels = plt.subplots(1, 3, figsize=(7, 3.2), constrained_layout=True)
    whole, near = np.linspace(-120, 120, 961), np.linspace(-4, 4, 161)  # both have a point at 0
    shown = (("loss", 0, whole), ("gradient", 1, whole), ("gradient near 0", 1, near))
    said, lasts = [], []
    # The first is drawn wide and pale, so that both can be seen where they agree.
    for (name, function), colour, width in zip(implementations.items(), (ORANGE, BLUE), (6, 1.6), strict=False):
        here = both(function, np.array([float(logit)]))
        for panel, (_, which, line) in zip(panels, shown, strict=True):
            curve = both(function, line)[which]
            curve = np.where(np.isfinite(curve), curve, np.nan)
            if panel is panels[1]:
                there = line[np.isfinite(curve)]
                lasts.append(f"the gradient of the {name} form exists from {there[0]:g} to {there[-1]:g}")
            panel.plot(line, curve, color=colour, linewidth=width, alpha=0.45 if width > 2 else 1, label=name)
            if np.isfinite(here[which][0]) and line[0] <= logit <= line[-1]:
                panel.plot(logit, here[which][0], "o", color=colour, markersize=9 if width > 2 else 5)
        said.append(f"{name}: loss {here[0][0]:.4g}, gradient {here[1][0]:.4g}")
    for panel, (name, which, line) in zip(panels, shown, strict=True):
        if line[0] <= logit <= line[-1]:
            panel.axvline(logit, color=GREY, linewidth=0.8, linestyle=":")
        panel.set(xlabel="logit $z$", title=name)
        panel.title.set_fontsize(10)
        if which == 1:
            panel.set_ylim(-1.15, 1.15)
    panels[0].legend(frameon=False)
    figure.suptitle(f"$z$ = {logit:g}, $y$ = {label}, float32.  " + ".  ".join(said), fontsize=10)
    plain(*panels)
    alt = (
        f"Loss and gradient against the logit for label {label}, in float32; {'; '.join(lasts)}. Marked is the logit "
        f"{logit:g}: {'; '.join(said)}. A third panel enlarges the gradient near 0."
    )
    return Picture(figure, alt)


def descent(surfaces: dict[str, tuple[Callable, dict[str, NDArray], NDArray]]) -> None:
    """Contours of a loss of two parameters, and the paths of optimisers towards its minimum, one panel each.

    Args:
        surfaces: by the title of the panel: the loss as a function of parameters (..., 2), the paths by the name of
            the optimiser, each (steps, 2), and the minimum (2,).
    """
    figure, panels = plt.subplots(1, len(surfaces), figsize=(3.5 * len(surfaces), 3.7), constrained_layout=True)
    described = []
    for panel, (title, (loss, paths, minimum)) in zip(np.atleast_1d(panels), surfaces.items(), strict=True):
        points = np.concatenate([*paths.values(), minimum[None]])
        low, high = points.min(axis=0), points.max(axis=0)
        margin = 0.25 * (high - low) + 0.2
        axes = [np.linspace(a, b, 121) for a, b in zip(low - margin, high + margin, strict=True)]
        grid = np.stack(np.meshgrid(*axes), axis=-1)
        height = loss(grid)
        levels = loss(minimum) + np.geomspace(1e-3, height.max() - loss(minimum), 14)
        panel.contour(*axes, height, levels=levels, colors="#BBBBBB", linewidths=0.8)
        panel.plot(*minimum, "*", color=GREEN, markersize=17, label="minimum")
        # Later paths are drawn below earlier ones, wide and pale, so that none hides another. End points are hollow.
        styles = zip(paths.items(), (ORANGE, BLUE), ((1.4, 1.0), (4.0, 0.4)), ("o", "s"), (4, 3), strict=False)
        for (name, path), colour, (width, alpha), marker, height in styles:
            panel.plot(*path.T, color=colour, linewidth=width, alpha=alpha, label=name, zorder=height)
            panel.plot(*path[-1], marker, color=colour, markersize=8, markerfacecolor="none", zorder=5)
            described.append(
                f"{title}, {name}: {len(path) - 1} steps end {loss(path[-1]) - loss(minimum):.1e} above it"
            )
        panel.set(xlabel="weight", ylabel="bias", title=title)
        panel.title.set_fontsize(10)
    np.atleast_1d(panels)[0].legend(frameon=True, fontsize=9, framealpha=0.9, edgecolor="none")
    show(figure, "Contours of the loss with optimisers' paths to its minimum. " + "; ".join(described) + ".")


def smoothing(logits: NDArray, curves: dict[float, NDArray], optima: dict[float, float]) -> None:
    """Loss of an example with label 1 against its logit, for several strengths of label smoothing.

    Args:
        logits: where the curves are drawn.
        curves: the loss at each logit, by the strength epsilon.
        optima: the logit at which each smoothed curve is lowest; none for epsilon 0.
    """
    figure, axes = plt.subplots(figsize=(5.6, 3.2), constrained_layout=True)
    styles = zip(curves.items(), (GREY, BLUE, ORANGE, PURPLE), ("-", "--", "-.", ":"), strict=False)
    for (epsilon, curve), colour, dashes in styles:
        axes.plot(logits, curve, color=colour, linestyle=dashes, linewidth=2, label=rf"$\varepsilon$ = {epsilon:g}")
        if epsilon in optima:
            at = optima[epsilon]
            axes.plot(at, np.interp(at, logits, curve), "o", color=colour)
            axes.annotate(
                f"{at:.2f}",
                (at, np.interp(at, logits, curve)),
                textcoords="offset points",
                xytext=(0, 7),
                ha="center",
                color=colour,
            )
    axes.set(xlabel="logit $z$ of an example with $y=1$", ylabel="loss", ylim=(0, None))
    axes.legend(frameon=False)
    plain(axes)
    described = ", ".join(f"at {at:.2f} for epsilon {epsilon:g}" for epsilon, at in optima.items())
    show(
        figure,
        f"The loss of label 1 against the logit. Without smoothing it falls forever; with it, it is lowest {described}.",
    )


def reliability(models: dict[str, Sequence[Bin]]) -> None:
    """Share of yes against mean prediction in each bin, with 95% intervals and counts; one panel for each model."""
    figure, panels = plt.subplots(
        2,
        len(models),
        figsize=(3.5 * len(models), 4.4),
        constrained_layout=True,
        squeeze=False,
        sharex=True,
        sharey="row",
        height_ratios=[3, 1],
    )
    described = []
    for (name, bins), (top, bottom) in zip(models.items(), panels.T, strict=True):
        said, happened = [b.said for b in bins], [b.happened for b in bins]
        ends = np.array([[b.happened - b.low, b.high - b.happened] for b in bins]).T
        top.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--")
        top.errorbar(
            said, happened, yerr=ends, fmt="o", color=BLUE, ecolor=BLUE, elinewidth=1.2, capsize=2, markersize=5
        )
        top.set(title=name, xlim=(-0.06, 1.06), ylim=(-0.03, 1.03))
        top.title.set_fontsize(10)
        drawn = bottom.bar(said, [b.count for b in bins], width=0.06, color=ORANGE)
        bottom.bar_label(drawn, fontsize=9, padding=1)
        bottom.margins(y=0.35)
        bottom.set(xlabel="mean prediction", xticks=[0, 0.25, 0.5, 0.75, 1])
        last = bins[-1]
        described.append(
            f"{name}: in the highest bin, {last.count} messages, the mean prediction is {last.said:.2f} and the share of "
            f"yes {last.happened:.2f}, interval {last.low:.2f} to {last.high:.2f}"
        )
    panels[0, 0].set_ylabel("share of yes")
    panels[1, 0].set_ylabel("messages")
    plain(*panels.flat)
    show(figure, "Reliability diagrams, perfect calibration being the diagonal. " + "; ".join(described) + ".")
