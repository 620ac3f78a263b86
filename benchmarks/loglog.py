"""Measured series on two logarithmic axes, for the book. Used by `growth.py`."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HOW_TO_READ = "Both axes are logarithmic and have one scale, so what grows in proportion runs along a diagonal."
STYLE = (
    ".loglogs { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: 1rem; }"
    " .loglogs figure { margin: 0; } .loglogs figure figcaption { color: inherit; font-weight: normal; }"
)


def drawings(result: dict) -> list[str]:
    """Lines of HTML with a drawing for each of the `curves` of a result, of the `runs` that it was fitted to."""
    from babyagi_lib.figures.base import png

    figures = []
    for curve in result["curves"]:
        points = [(run["size"], run[curve["of"]]) for run in result["runs"] if run["against"] == curve["against"]]
        y = {"seconds": "seconds", "memory_mb": "memory, MB"}[curve["of"]]
        picture = base64.b64encode(png(drawing(points, curve, y))).decode()
        (first, low), (last, high) = points[0], points[-1]
        alt = f"{y} against {curve['against']}, from {low:,g} at {first:,} to {high:,g} at {last:,}; {growth(curve)}"
        caption = f"{html.escape(curve['work'])}: {growth(curve)}"
        image = f'<img src="data:image/png;base64,{picture}" alt="{html.escape(alt)}">'
        figures += ["<figure>", image, f"<figcaption>{caption}</figcaption>", "</figure>"]
    return [f"<style>{STYLE}</style>", f"<p>{HOW_TO_READ}</p>", '<div class="loglogs">', *figures, "</div>"]


def drawing(points: Sequence[tuple[float, float]], curve: dict, y: str) -> Figure:
    """A series with the straight line that its exponent is the slope of.

    Args:
        points: sizes, and what was measured at them.
        curve: `against`, `exponent`, and `from_size`, the first size that it was fitted to.
        y: what was measured.
    """
    import matplotlib.pyplot as plt
    import numpy as np
    from matplotlib.ticker import LogLocator, NullFormatter

    from babyagi_lib.figures.base import BLUE, GREY

    figure, axes = plt.subplots(figsize=(3.2, 2.6), constrained_layout=True)
    axes.loglog(*zip(*points, strict=True), "o", color=BLUE)
    fitted = np.array([point for point in points if point[0] >= curve["from_size"]])
    middle, ends = np.exp(np.log(fitted).mean(axis=0)), fitted[[0, -1], 0]  # a line of least squares goes through it
    axes.plot(ends, middle[1] * (ends / middle[0]) ** curve["exponent"], "--", color=GREY)
    axes.set(xlabel=curve["against"], ylabel=y)
    axes.set_aspect("equal", adjustable="datalim")
    few_decades = points[-1][0] < 100 * points[0][0]
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:,g}")
        axis.set_minor_locator(LogLocator(subs=(3,)))
        axis.set_minor_formatter("{x:,g}" if few_decades else NullFormatter())
    return figure


def growth(curve: dict) -> str:
    """The exponent in words, with its standard error and where it was fitted."""
    return f"exponent {curve['exponent']:.2f} ± {curve['standard_error']:.2f}, from {curve['from_size']:,} on"
