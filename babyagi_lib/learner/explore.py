"""Explorers: a figure with sliders, and a still picture where no kernel is running. Used by lessons 02, 03 and 06.

`explore` puts one output into the notebook that carries both: a widget for front ends with a kernel (JupyterLab,
Colab), and a PNG of the starting position for everything else (GitHub, the book, print).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from babyagi_lib.figures.base import png
from babyagi_lib.learner import widgets

if TYPE_CHECKING:
    import ipywidgets


def explore(draw: Callable[..., Figure], alt: str, **controls: ipywidgets.ValueWidget) -> ipywidgets.Widget:
    """Show `draw(**values)` under its controls, and draw it again whenever one of them changes.

    Args:
        draw: makes a new figure from the controls' values, by name, in a fraction of a second.
        alt: a description of the first figure, for readers who cannot see it.
        controls: widgets with a `value` and a `description`, such as `ipywidgets.IntSlider(...)`.

    Returns:
        The widget shown: the controls above an image.
    """
    import ipywidgets

    def picture() -> bytes:
        return png(draw(**{name: control.value for name, control in controls.items()}))

    image = ipywidgets.Image(value=picture(), format="png")

    def redraw(_: Any) -> None:
        image.value = picture()

    for control in controls.values():
        control.observe(redraw, names="value")
    box = ipywidgets.VBox([*controls.values(), image])
    widgets.show(box, {"image/png": bytes(image.value), "text/plain": alt}, {"image/png": {"alt": alt}})
    return box
