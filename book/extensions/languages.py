"""Mark Chinese in the text of a page as Chinese: a screen reader then reads it so, and a browser chooses its fonts."""

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

CHINESE = re.compile(r"([㐀-鿿豈-﫿][㐀-鿿豈-﫿、-〗（），：；！？]*)")


class Languages(SphinxPostTransform):
    """Put each run of Chinese into an element of its own."""

    default_priority = 900
    formats = ("html",)

    def run(self, **_kwargs: object) -> None:
        """Do so for one page."""
        for node in list(self.document.findall(nodes.Text)):
            within = node.parent
            if isinstance(within, nodes.literal | nodes.literal_block | nodes.raw | nodes.title) or not CHINESE.search(
                node
            ):
                continue
            parts = CHINESE.split(node.astext())  # every second part is Chinese
            within.replace(
                node,
                [
                    nodes.raw("", f'<span lang="zh">{part}</span>', format="html") if number % 2 else nodes.Text(part)
                    for number, part in enumerate(parts)
                    if part
                ],
            )


def setup(app: Sphinx) -> dict:
    """Add the transform."""
    app.add_post_transform(Languages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
