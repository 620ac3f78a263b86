"""Names in text, marked in colour as HTML. Used by lessons 02 and 04."""

from __future__ import annotations

import html
import zlib
from collections.abc import Sequence

from babyagi_lib.text.iob2 import entities

TYPE_COLOURS = {"PER": "#56B4E9", "ORG": "#E69F00", "LOC": "#3FBF9B", "MISC": "#D79BBE"}
OTHER_COLOURS = ("#F0E442", "#BBBBBB", "#9FD356", "#FFB3A7", "#B8A9E8", "#8FD8E8")


def colour_of(kind: str) -> str:
    """The background for names of a type: the same in every sentence and in every run."""
    return TYPE_COLOURS.get(kind) or OTHER_COLOURS[zlib.crc32(kind.encode()) % len(OTHER_COLOURS)]


def tagged(words: Sequence[str], gold: Sequence[str] | None, predicted: Sequence[str]) -> str:
    """HTML of one sentence with its mentions coloured: predicted above the line, gold below where it differs.

    Args:
        words, predicted: words and their predicted tags.
        gold: the right tags, or None for new text, where only the prediction is known.
    """

    def line(tags: Sequence[str], name: str) -> str:
        spans = {start: (kind, end) for kind, start, end in entities(tags)}
        parts, i = [], 0
        while i < len(words):
            if i in spans:
                kind, end = spans[i]
                text = html.escape(" ".join(words[i:end]))
                colour = colour_of(kind)
                parts.append(
                    f'<span style="background:{colour};color:#000;border-radius:3px;padding:0 3px">{text} '
                    f"<small><b>{html.escape(kind)}</b></small></span>"
                )
                i = end
            else:
                parts.append(html.escape(words[i]))
                i += 1
        label = f'<span style="display:inline-block;min-width:5.5em"><i>{name}</i></span>' if name else ""
        return f'<div style="line-height:1.9">{label}{" ".join(parts)}</div>'

    if gold is None:
        return line(predicted, "")
    return f'<div style="margin-bottom:0.8em">{line(predicted, "predicted")}{line(gold, "gold")}</div>'
