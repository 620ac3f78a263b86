"""The source of a library function, shown in a lesson. Used by lessons 02 and 04 to 06."""

from __future__ import annotations


def show_source(thing: object) -> None:
    """Display the source of a library function or class, so that a lesson contains no copy of it."""
    import inspect

    from IPython.display import Markdown, display

    display(Markdown(f"```python\n{inspect.getsource(thing)}```"))
