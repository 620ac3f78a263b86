"""Load MathJax, 1.2 MB, only on pages that have formulas.

Sphinx also gives it to every page whose table of contents leads to one with formulas, the front page among them.
"""

from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict:
    """Look at each page after Sphinx has chosen its scripts."""
    app.connect("html-page-context", _drop, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _drop(app: Sphinx, page: str, _template: str, context: dict, _doctree: object) -> None:
    if not app.env.get_domain("math").data["has_equations"].get(page, False):
        scripts = context["script_files"]
        scripts[:] = [script for script in scripts if "mathjax" not in str(script.filename)]
