"""Measured series on two logarithmic axes, as small SVGs for a page of the book.

A decade is as long upwards as to the right, so a slope is the exponent: what grows in proportion is a diagonal.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

WIDTH, HEIGHT = 300, 230
LEFT, BELOW, EDGE, RIGHT = 52, 40, 14, 28  # what is around its points
HOW_TO_READ = "Both axes are logarithmic and have one scale, so what grows in proportion runs along a diagonal."
STYLE = (
    ".loglogs { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: 1rem; }"
    " .loglogs figure { margin: 0; } .loglogs figure figcaption { color: inherit; font-weight: normal; }"
    " .loglog text { font-family: system-ui, sans-serif; font-size: 14px; fill: currentColor; }"
    " .loglog path { fill: none; stroke: currentColor; }"
    " .loglog .fitted { stroke-width: 2; stroke-dasharray: 6 4; }"
    " .loglog circle { fill: var(--bar, #0072b2); }"
)


def drawings(result: dict) -> str:
    """HTML with a drawing for each of the `curves` of a result, of the `runs` that it was fitted to."""
    figures = []
    for curve in result["curves"]:
        runs = [run for run in result["runs"] if run["against"] == curve["against"]]
        y = {"seconds": "seconds", "memory_mb": "memory, MB"}[curve["of"]]
        picture = drawing([(run["size"], run[curve["of"]]) for run in runs], curve, curve["against"], y)
        caption = f"{html.escape(curve['work'])}: {growth(curve)}"
        figures.append(f"<figure>\n{picture}\n<figcaption>{caption}</figcaption>\n</figure>")
    return "\n".join([f"<style>{STYLE}</style>", f"<p>{HOW_TO_READ}</p>", '<div class="loglogs">', *figures, "</div>"])


def drawing(points: Sequence[tuple[float, float]], curve: dict, x: str, y: str) -> str:
    """SVG of a series with the straight line that its exponent is the slope of.

    Args:
        points: sizes, and what was measured at them.
        curve: `exponent`, `standard_error`, and `from_size`, the first size that it was fitted to.
        x, y: what the axes show.
    """
    logs = [(math.log10(size), math.log10(value)) for size, value in points]
    room = (WIDTH - LEFT - EDGE - RIGHT, HEIGHT - BELOW - 2 * EDGE)
    lows, highs = [min(axis) for axis in zip(*logs, strict=True)], [max(axis) for axis in zip(*logs, strict=True)]
    decade = min(space / max(high - low, 0.5) for space, low, high in zip(room, lows, highs, strict=True))
    begins = [(low + high - space / decade) / 2 for space, low, high in zip(room, lows, highs, strict=True)]

    def at(across: float, up: float) -> tuple[float, float]:
        """The place of two logarithms on the drawing."""
        right, above = decade * (across - begins[0]), decade * (up - begins[1])
        return round(LEFT + EDGE + right, 1), round(HEIGHT - BELOW - EDGE - above, 1)

    parts = [f'<path d="M{LEFT} {EDGE} V{HEIGHT - BELOW} H{WIDTH - EDGE}"/>']
    for tick in _ticks(begins[0], begins[0] + room[0] / decade):
        place = at(math.log10(tick), begins[1])[0]
        parts.append(f'<path d="M{place} {HEIGHT - BELOW} v4"/>')
        parts.append(f'<text x="{place}" y="{HEIGHT - BELOW + 18}" text-anchor="middle">{tick:,g}</text>')
    for tick in _ticks(begins[1], begins[1] + room[1] / decade):
        place = at(begins[0], math.log10(tick))[1]
        parts.append(f'<path d="M{LEFT} {place} h-4"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{place + 5}" text-anchor="end">{tick:,g}</text>')
    parts.append(f'<text x="{WIDTH - EDGE}" y="{HEIGHT - 5}" text-anchor="end">{html.escape(x)}</text>')
    parts.append(f'<text x="{LEFT + 8}" y="{EDGE + 6}">{html.escape(y)}</text>')

    fitted = [(a, b) for (size, _), (a, b) in zip(points, logs, strict=True) if size >= curve["from_size"]]
    middle = [sum(axis) / len(fitted) for axis in zip(*fitted, strict=True)]  # a line of least squares goes through it
    ends = [at(a, middle[1] + curve["exponent"] * (a - middle[0])) for a in (fitted[0][0], fitted[-1][0])]
    parts.append(f'<path class="fitted" d="M{ends[0][0]} {ends[0][1]} L{ends[1][0]} {ends[1][1]}"/>')
    parts += ['<circle cx="{}" cy="{}" r="4"/>'.format(*at(*point)) for point in logs]

    told = f"{y} against {x}, both on logarithmic axes, from {points[0][1]:,g} at {points[0][0]:,} "
    told += f"to {points[-1][1]:,g} at {points[-1][0]:,}; {growth(curve)}."
    head = f'<svg class="loglog" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(told)}">'
    return "\n".join([head, *parts, "</svg>"])


def growth(curve: dict) -> str:
    """The exponent in words, with its standard error and where it was fitted."""
    return f"exponent {curve['exponent']:.2f} ± {curve['standard_error']:.2f}, from {curve['from_size']:,} on"


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers between two powers of ten: whole decades, and their halves and fifths where there is room."""
    for steps in ((1, 2, 5), (1,)):
        found = [step * 10.0**power for power in range(math.floor(low), math.ceil(high) + 1) for step in steps]
        found = [tick for tick in found if low <= math.log10(tick) <= high]
        if len(found) <= 5:
            break
    return found
