"""One output with a widget for front ends that have a kernel, and with a picture or HTML for all others.

Used by `explore`, `quiz` and the tool.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ipywidgets

VIEW = "application/vnd.jupyter.widget-view+json"  # a view of something that lives in the front end and the kernel


def show(widget: ipywidgets.Widget, lasting: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
    """Display a widget (JupyterLab, Colab), and in the same output its replacement for other places.

    Args:
        widget: what is shown while a kernel runs.
        lasting: by MIME type, what GitHub, the book and print show.
        metadata: by MIME type, such as the alt text of a picture.
    """
    from IPython.display import display

    view = {"model_id": widget.model_id, "version_major": 2, "version_minor": 0}
    display({VIEW: view, **lasting}, metadata=metadata or {}, raw=True)
