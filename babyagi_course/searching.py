"""The search of the book: its sections with their text, for `search.js`, which also works from a folder on the disk.

Sphinx's own search splits Chinese into single words at spaces, of which Chinese has none, and loads each page it found to
show a part of it, which a browser refuses for files on the disk.
"""

from __future__ import annotations

import json
import re
from itertools import takewhile
from pathlib import Path

from bs4 import BeautifulSoup, NavigableString, Tag

from babyagi_course.files import write_atomically
from babyagi_course.printing import in_order

# What a page shows beside its text.
LEFT_OUT = "script, style, noscript, button, .headerlink, .launch, .reading, .reader-progress, .cell_output > :not(:has(.quiz))"
# The scripts of Sphinx's search, which every page would load.
SPHINX = re.compile(r'[ \t]*<script src="[^"]*\b(?:searchtools|language_data|searchindex)\.js[^"]*"></script>\n')


def make_searchable(folder: Path) -> None:
    """Write the sections of a built book into `_static/sections.js`, and let its search page use them."""
    pages, sections = [], []
    for number, name in enumerate(in_order(folder)):
        soup = BeautifulSoup((folder / name).read_text(encoding="utf-8"), "html.parser")
        found = sections_of(soup)
        pages.append([name, found[0]["heading"]])
        sections += [[number, entry["id"], entry["heading"], entry["text"], entry["term"]] for entry in found]
    data = f"const PAGES = {_as_json(pages)};\nconst SECTIONS = {_as_json(sections)};\n"
    write_atomically(folder / "_static" / "sections.js", data)
    for page in [*folder.glob("*.html"), *folder.glob("notebooks/*.html")]:
        write_atomically(page, SPHINX.sub("", page.read_text(encoding="utf-8")))
    (folder / "searchindex.js").unlink()
    page = folder / "search.html"
    scripts = "".join(f'  <script src="_static/{name}.js"></script>\n' for name in ("sections", "search"))
    write_atomically(page, page.read_text(encoding="utf-8").replace("</head>", f"{scripts}</head>", 1))


def sections_of(page: BeautifulSoup) -> list[dict]:
    """The sections of a page in their order, the first with the page's title, and the terms that a table defines.

    Returns:
        For each its `id`, its `heading`, its own `text`, without that of the sections in it, and `term`, which is true for
        an entry of the glossary.
    """
    article = page.select_one("article")
    for unwanted in article.select(LEFT_OUT):
        unwanted.decompose()
    found = []
    for section in article.select("section[id]"):
        terms = [_term(row) for row in section.select(":scope > .pst-scrollable-table-container tr:has(.target)")]
        for inner in section.select("section, tr:has(.target)"):
            if inner.find_parent("section") is section:
                inner["hidden"] = ""
        heading = section.find(re.compile("^h[1-6]$"))
        entry = {"id": section["id"], "heading": _text(heading), "text": _text(section, heading), "term": False}
        found += [entry, *terms]
    return found


def _term(row: Tag) -> dict:
    """A row of the glossary: its anchor, the term with its Chinese name, and what it means."""
    cells = row.find_all("td")
    heading = ", ".join(_text(cell) for cell in cells[:2])
    return {"id": row.select_one(".target")["id"], "heading": heading, "text": _text(cells[2]), "term": True}


def _text(tag: Tag, without: Tag | None = None) -> str:
    """The text in a tag, without what is hidden, its spaces made one."""

    def shown(string: NavigableString) -> bool:
        inside = takewhile(lambda parent: parent is not tag, string.parents)
        return not any("hidden" in parent.attrs or parent is without for parent in inside)

    parts = filter(shown, tag.find_all(string=True))
    return re.sub(r"\s+", " ", "".join(parts)).strip()


def _as_json(value: list) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
