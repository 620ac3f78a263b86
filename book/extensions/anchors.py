"""Make `<a id="name"></a>` in a page or notebook a target that links are checked against.

JupyterLab and GitHub follow such anchors as they are. To Sphinx they are raw HTML, and a link to one would be reported
as broken; with this, only a link that really is broken is.
"""

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

ANCHOR = re.compile(r'<a id="([\w-]+)">(</a>)?')


class Anchors(SphinxTransform):
    """Replace the raw HTML by targets, and tell MyST their names."""

    default_priority = 870  # MyST resolves links within a page at 879

    def apply(self, **_kwargs: object) -> None:
        """Do so for one page."""
        names = getattr(self.document, "myst_slugs", {})
        for node in list(self.document.findall(nodes.raw)):
            match = ANCHOR.fullmatch(node.astext().strip())
            if not match:
                continue
            closing = node.next_node(nodes.raw, descend=False, siblings=True)
            if not match[2] and closing is not None and closing.astext() == "</a>":
                closing.parent.remove(closing)
            node.replace_self(nodes.target("", "", ids=[match[1]]))
            names[match[1]] = (0, match[1], match[1])
        if names:
            self.env.metadata[self.env.docname]["myst_slugs"] = names


def setup(app: Sphinx) -> dict:
    """Add the transform."""
    app.add_transform(Anchors)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
