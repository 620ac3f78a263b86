"""`babyagi book --pdf`: the built book as one PDF, printed by Chromium in the style that the pages have for paper.

Solutions and the answers of the quizzes are at the end, so that a reader of paper can solve first. Links between pages
lead to sheets of the PDF. Each sheet says its number, the page's title and address, and the licence.
"""

from __future__ import annotations

import html
import io
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urldefrag, urljoin

import babyagi_lib
from babyagi_course.errors import CourseError
from babyagi_course.extras import must_have
from babyagi_course.pages import LICENCE

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route
    from pypdf import PdfReader, PdfWriter

    from babyagi_course.links import Links

NEXT = re.compile(r'<link rel="next" title="[^"]*" href="([^"]+)"')
SCALE = 0.8  # of the letters, so that a line of code fits
# Open what is folded on the screen, but leave to the end what a reader should not see before solving.
ON_PAPER = """() => {
  document.querySelectorAll(".quiz-option").forEach(option => {
    const text = document.createElement("p");
    text.innerHTML = option.querySelector("summary").innerHTML;
    option.replaceWith(text);
  });
  document.querySelectorAll("details").forEach(details => details.open = true);
  document.querySelectorAll(".cell.tag_solution").forEach(cell => cell.remove());
  document.querySelectorAll(".exercise").forEach(exercise => exercise.textContent =
    "Write your answer down, and compare it with the solution at the end of the book. In the notebook a check answers.");
}"""
# Fill a page with other HTML. On paper, the theme shows a title and a table of contents of its own.
FILL = """async content => {
  const article = document.querySelector("article"), head = document.querySelector("#jb-print-docs-body");
  article.innerHTML = content;
  if (head) head.replaceChildren(article.querySelector("h1").cloneNode(true));
  await MathJax.typesetPromise([article]);
}"""
# The solutions and answers in the files of some pages, as HTML.
GATHER = """async names => {
  const parts = [], own = heading => heading.firstChild.textContent;
  for (const name of names) {
    const page = new DOMParser().parseFromString(await (await fetch(name)).text(), "text/html");
    const answers = [...page.querySelectorAll(".cell.tag_solution, .quiz")];
    if (answers.length) parts.push(`<h2>${own(page.querySelector("article h1"))}</h2>`);
    for (const answer of answers) {
      answer.querySelectorAll("details").forEach(details => details.open = true);
      const right = answer.querySelector("[data-right]");
      parts.push(right
        ? `<p><strong>Question ${answer.dataset.question}.</strong> ${right.querySelector("summary").innerHTML}</p>`
          + [...right.querySelectorAll("p")].map(p => p.outerHTML).join("")
        : `<h3>${own(answer.closest("section").querySelector("h2, h3"))}</h3>${answer.outerHTML}`);
    }
  }
  return parts.join("");
}"""


# The title of a page and those of its sections, as they are written.
TITLES = """() => [...document.querySelectorAll("article h1, article h2")].map(heading => {
  const copy = heading.cloneNode(true);
  copy.querySelectorAll(".headerlink").forEach(link => link.remove());
  return copy.textContent;
})"""


@dataclass(frozen=True)
class Paper:
    """A size to print on, in millimetres: of the sheet, of its sides' margin, and of the margin above and below."""

    width: int
    height: int
    side: int
    edge: int


@dataclass(frozen=True)
class Part:
    """A page of the book, printed: its file (empty for what is only in the PDF), its titles, and its sheets."""

    name: str
    title: str
    sections: list[str]
    sheets: PdfReader


PRINT = Paper(210, 297, side=17, edge=18)  # A4
SCREEN = Paper(165, 220, side=7, edge=12)  # a tablet held upright: letters can be read without enlarging them
FILES = {"book.pdf": PRINT, "book_screen.pdf": SCREEN}


def print_book(folder: Path, links: Links, target: Path, paper: Paper, names: list[str] | None = None) -> Path:
    """Print the pages of a built book, in their order, into one PDF file.

    A page is opened under the address that it will have on the web, and its files are taken from the disk: nothing is
    asked of the network.

    Args:
        folder: the built book, with its index.html.
        links: where the book will be. No sheet names that place while it is a placeholder.
        target: the file to write.
        paper: the size of a sheet.
        names: which pages, with a lesson among them; all of them by default.

    Raises:
        CourseError: a package or the browser is missing.
    """
    must_have("pdf")
    from playwright.sync_api import Error, sync_playwright
    from pypdf import PdfReader, PdfWriter

    names = names or in_order(folder)
    shell = [name for name in names if name.startswith("notebooks/")][-1]  # a page that has all styles, and MathJax

    def from_disk(route: Route) -> None:
        path = folder / unquote(route.request.url.removeprefix(links.site).partition("?")[0])
        if route.request.url.startswith(links.site) and path.is_file():
            route.fulfill(path=path)
        else:
            route.abort()

    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=_installed(), args=["--no-sandbox", "--disable-gpu"])
        except Error as error:
            raise CourseError(
                "printing needs Chromium: install it with your system's packages, or run playwright install chromium "
                f"({error.message.splitlines()[0]})"
            ) from error
        page = browser.new_page(color_scheme="light")
        page.route("**/*", from_disk)

        def printed(name: str) -> Part:
            if name:
                page.evaluate(ON_PAPER)
            titles = page.evaluate(TITLES)
            return Part(name, titles[0], titles[1:], PdfReader(io.BytesIO(_sheets(page, paper))))

        parts = []
        for name in names:
            page.goto(links.site + name, wait_until="networkidle")
            parts.append(printed(name))
        page.goto(links.site + shell, wait_until="networkidle")
        answers = page.evaluate(GATHER, [links.site + name for name in names])
        page.evaluate(FILL, f"<h1>Solutions and answers</h1>{answers}")
        parts.append(printed(""))
        page.evaluate(FILL, _contents(parts, links, first=0))
        page.evaluate(FILL, _contents(parts, links, first=len(printed("").sheets.pages)))
        parts.insert(1, printed(""))
        page.set_content(_margins(parts, links, paper))
        margins = PdfReader(io.BytesIO(_sheets(page, Paper(paper.width, paper.height, 0, 0), scale=1)))
        browser.close()

    book = PdfWriter()
    for part in parts:
        _append(book, part)
    for sheet, margin in zip(book.pages, margins.pages, strict=True):
        sheet.merge_page(margin)
        sheet.compress_content_streams()
    _link_sheets(book, parts, links)
    book.compress_identical_objects()
    partial = target.with_name(target.name + ".partial")
    book.write(partial)
    partial.replace(target)
    return target


def _append(book: PdfWriter, part: Part) -> None:
    """Add the sheets of a part, with a bookmark for it and one for each section."""
    first = len(book.pages)
    # Chromium drops the space where a heading is broken, and says a heading twice that was moved to the next sheet.
    written = {"".join(title.split()) * times: title for title in part.sections for times in (1, 2)}
    book.append(part.sheets, import_outline=False)
    mark = book.add_outline_item(part.title, first)
    marks = part.sheets.outline[1] if len(part.sheets.outline) > 1 else []
    for section in [found for found in marks if not isinstance(found, list)]:
        if title := written.get("".join(section.title.split())):
            book.add_outline_item(title, first + part.sheets.get_destination_page_number(section), parent=mark)


def _sheets(page: Page, paper: Paper, scale: float = SCALE) -> bytes:
    """What a browser shows, printed."""
    margin = {"top": paper.edge, "bottom": paper.edge, "left": paper.side, "right": paper.side}
    return page.pdf(
        width=f"{paper.width}mm",
        height=f"{paper.height}mm",
        scale=scale,
        margin={side: f"{size}mm" for side, size in margin.items()},
        print_background=True,
        tagged=True,
        outline=True,
    )


def _contents(parts: list[Part], links: Links, first: int) -> str:
    """HTML of the sheet after the first page of the book: what is where.

    Args:
        parts: all parts but this one.
        links: where the book will be.
        first: how many sheets this part takes.
    """
    rows, number = [], 1
    for part in parts:
        title = html.escape(part.title)
        title = f'<a href="{links.site}{part.name}">{title}</a>' if part.name else title
        rows.append(f"<tr><td>{title}</td><td>{number}</td></tr>")
        number += len(part.sheets.pages) + (first if len(rows) == 1 else 0)
    about = [f"Version {babyagi_lib.__version__}", LICENCE, *([] if links.placeholder else [links.site])]
    return f"<h1>Contents</h1><table>{''.join(rows)}</table><p>{' · '.join(about)}</p>"


def _margins(parts: list[Part], links: Links, paper: Paper) -> str:
    """HTML with one sheet for each of the book's, empty but for the line at its foot."""
    feet = []
    for part in parts:
        address = links.site + part.name if part.name and not links.placeholder else ""
        for _ in part.sheets.pages:
            said = [part.title, address, LICENCE, str(len(feet) + 1)]
            feet.append(f"<section><p>{''.join(f'<span>{html.escape(text)}</span>' for text in said)}</p></section>")
    style = (
        f"body {{ margin: 0 }} section {{ height: {paper.height}mm; position: relative; break-after: page }}"
        f"p {{ position: absolute; bottom: 5mm; left: {paper.side}mm; right: {paper.side}mm; margin: 0; display: flex;"
        "gap: 4mm; font: 8px sans-serif; font-variant-ligatures: none; color: #444; white-space: nowrap }"
        "span:first-child { flex: 1; overflow: hidden; text-overflow: ellipsis }"
    )
    return f"<style>{style}</style>{''.join(feet)}"


def _link_sheets(book: PdfWriter, parts: list[Part], links: Links) -> None:
    """Turn links to pages of the book into links to their sheets; take away those that would lead nowhere."""
    from pypdf.generic import ArrayObject, DictionaryObject, NameObject, NullObject

    first, at = {}, 0
    for part in parts:
        first[part.name], at = book.pages[at], at + len(part.sheets.pages)
    for sheet in book.pages:
        for note in [note.get_object() for note in sheet.get("/Annots", [])]:
            address = urldefrag(note.get("/A", {}).get("/URI", "")).url
            if not address.startswith(links.site):
                continue
            if there := first.get(address.removeprefix(links.site)):
                place = [there.indirect_reference, NameObject("/XYZ"), NullObject(), NullObject(), NullObject()]
                note[NameObject("/A")] = DictionaryObject(
                    {NameObject("/S"): NameObject("/GoTo"), NameObject("/D"): ArrayObject(place)}
                )
            elif links.placeholder:
                del note["/A"]


def in_order(folder: Path) -> list[str]:
    """The pages of a built book in the order of their links to the next."""
    names = ["index.html"]
    while following := NEXT.search((folder / names[-1]).read_text(encoding="utf-8")):
        names.append(urljoin(names[-1], following[1]))
    return names


def _installed() -> str | None:
    """A Chromium that the system has installed; None leaves the search to playwright."""
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    return next((path for path in found if path), None)
