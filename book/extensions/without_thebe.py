"""Switch sphinx-thebe off, which Jupyter Book always loads.

Live code in the page would need a server on the internet, and its script, declared twice on every page, is an error in
the browser's console.
"""

from sphinx.application import Sphinx
from sphinx_thebe import init_thebe_core


def setup(app: Sphinx) -> dict:
    """Disconnect the extension once everything has been set up."""
    app.connect("config-inited", _disconnect)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _disconnect(app: Sphinx, _config: object) -> None:
    listeners = app.events.listeners["env-before-read-docs"]
    listeners[:] = [listener for listener in listeners if listener.handler is not init_thebe_core]
