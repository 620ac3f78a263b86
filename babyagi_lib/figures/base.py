"""What all figures of the course share: colours, alt text and how they are shown; and the curve of a training run.

Used by all other modules here that draw, by `learner.explore`, and by lesson 04.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

if TYPE_CHECKING:
    from babyagi_lib.training.loop import History

# Okabe & Ito (2008), safe for the common forms of colour blindness.
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#666666"

# Ink of axes and text in a drawing for the book, which gives it the colour of the page's text. No figure uses it.
INK = "#0a0b0c"
DECIMALS = re.compile(r"(\d\.\d{2})\d+")  # hundredths of a point are finer than a screen
FOR_THE_BOOK = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "figure",  # the same names for the same shapes, in every run
    **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor", "legend.facecolor"), "none"),
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "axes.titlecolor", "xtick.color", "ytick.color"), INK
    ),
}


class Picture(NamedTuple):
    """A figure for `learner.explore`, and its description for readers who cannot see it."""

    figure: Figure
    alt: str


def mean_and_interval(runs: NDArray, axis: int) -> tuple[NDArray, NDArray]:
    """Mean over an axis and half the width of its 95% interval (Student's t), both without that axis.

    A single run has no interval: the half is NaN, which matplotlib does not draw.
    """
    from scipy.stats import t  # most of a second, which not every lesson needs

    n, mean = runs.shape[axis], runs.mean(axis=axis)
    if n < 2:
        return mean, np.full(mean.shape, np.nan)
    return mean, t.ppf(0.975, n - 1) * runs.std(axis=axis, ddof=1) / np.sqrt(n)


def png(figure: Figure) -> bytes:
    """The figure as the bytes of a PNG file; the figure is closed."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=130, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)
    return file.getvalue()


def svg(figure: Figure) -> str:
    """The figure as SVG, one element a line, whose axes and text take the colour of the text around it.

    Draw the figure under `plt.rc_context(FOR_THE_BOOK)`. The figure is closed.
    """
    file = io.StringIO()
    with plt.rc_context(FOR_THE_BOOK):
        figure.savefig(file, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    text = file.getvalue()
    text = DECIMALS.sub(r"\1", text[text.index("<svg") :])
    return text.replace(INK, "currentColor")


def show(figure: Figure, alt: str) -> None:
    """Display a figure as PNG with its alt text, and close it."""
    from IPython.display import display

    display({"image/png": png(figure), "text/plain": alt}, metadata={"image/png": {"alt": alt}}, raw=True)


def plain(*panels: plt.Axes) -> None:
    """Leave out the lines above and on the right of axes, which carry no numbers."""
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)


def training_curves(
    run: History, score_name: str = "validation score", baseline: tuple[str, float] | None = None
) -> None:
    """Loss per step with its running mean and, if there was validation, the score after each epoch.

    Args:
        run: what `fit` returned.
        score_name: the name of the validation score.
        baseline: name and value of a loss to compare with, drawn as a dashed line.
    """
    steps = [s["step"] for s in run.steps]
    losses = np.array([s["loss"] for s in run.steps])
    width = max(1, len(losses) // 20)
    smooth = np.convolve(losses, np.ones(width) / width, mode="valid")

    panels = 2 if run.scores else 1
    figure, axes = plt.subplots(1, panels, figsize=(4.25 * panels, 3.1), constrained_layout=True, squeeze=False)
    left = axes[0, 0]
    left.plot(steps, losses, color=GREY, alpha=0.35, linewidth=0.8, label="each step")
    left.plot(steps[width - 1 :], smooth, color=BLUE, linewidth=2, label=f"mean of {width} steps")
    left.set(xlabel="step", ylabel="training loss", ylim=(0, None))
    if baseline:
        left.axhline(baseline[1], color=GREEN, linestyle="--", linewidth=1.2, label=f"{baseline[0]}: {baseline[1]:.2f}")
    left.legend(frameon=False)
    alt = f"Training loss over {len(steps)} steps falls from {losses[0]:.2f} to {smooth[-1]:.2f}."
    if baseline:
        alt += f" A dashed line at {baseline[1]:.2f} is the loss of {baseline[0]}."
    if run.scores:
        right = axes[0, 1]
        scores = [s["score"] for s in run.scores]
        right.plot([s["step"] for s in run.scores], scores, "o-", color=ORANGE)
        right.plot(run.best_step, max(scores), "o", markersize=12, markerfacecolor="none", markeredgecolor=BLUE)
        right.annotate("kept", (run.best_step, max(scores)), textcoords="offset points", xytext=(0, -20), ha="center")
        right.set(xlabel="step", ylabel=score_name, xlim=(0, None))
        alt += (
            f" Beside it, {score_name} after each epoch: {', '.join(f'{s:.3f}' for s in scores)}; the best is circled."
        )
    plain(*axes.flat)
    show(figure, alt)
