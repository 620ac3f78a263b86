"""Explorers: a figure under controls, alive with a kernel and in the book. Used by lessons 02, 03 and 06 to 09.

`explore` puts one output into the notebook that carries three things: a widget for front ends with a kernel (JupyterLab,
Colab); a PNG of the starting position for everything else (GitHub, print); and, in the runs whose outputs the book
shows, all states of the figure, which the book shows under the same controls.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from babyagi_lib.figures.base import Picture, png
from babyagi_lib.learner import states, widgets

if TYPE_CHECKING:
    import ipywidgets


def explore(draw: Callable[..., Picture], **controls: ipywidgets.ValueWidget) -> ipywidgets.Widget:
    """Show `draw(**values)` under its controls, and draw it again whenever one of them changes.

    Args:
        draw: makes a new figure and its description from the controls' values, by name, in a fraction of a second. It
            depends on nothing else that changes.
        controls: widgets with a `value` and a `description`, such as `ipywidgets.IntSlider(...)`.

    Returns:
        The widget shown: the controls above an image.

    Raises:
        ValueError: the run is for the book, and `states.drawn` refuses the controls.
    """
    import ipywidgets

    def picture() -> Picture:
        return draw(**{name: control.value for name, control in controls.items()})

    figure, alt = picture()
    image = ipywidgets.Image(value=png(figure), format="png")

    def redraw(_: Any) -> None:
        image.value = png(picture().figure)

    for control in controls.values():
        control.observe(redraw, names="value")
    box = ipywidgets.VBox([*controls.values(), image])
    lasting = {"image/png": bytes(image.value), "text/plain": alt}
    if states.asked():
        lasting[states.MIME] = states.drawn(draw, controls)
    widgets.show(box, lasting, {"image/png": {"alt": alt}})
    return box
