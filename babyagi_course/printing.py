"""`babyagi book --pdf`: the built book as one PDF with bookmarks, printed by Chromium in the style that the pages have for paper."""

from __future__ import annotations

import io
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin

from babyagi_course.errors import CourseError
from babyagi_course.extras import must_have

if TYPE_CHECKING:
    from playwright.sync_api import Route

NEXT = re.compile(r'<link rel="next" title="[^"]*" href="([^"]+)"')
# In the margin: the title of the page of the book, and the sheet's number within it.
FOOTER = (
    '<div style="font-size: 8px; width: 100%; margin: 0 17mm; display: flex; justify-content: space-between">'
    '<span class="title"></span><span class="pageNumber"></span></div>'
)


def print_book(folder: Path, site: str, target: Path, names: list[str] | None = None) -> Path:
    """Print the pages of a built book, in their order, into one PDF file.

    A page is opened under the address that it will have on the web, and its files are taken from the disk: so links
    in the PDF lead to the book, and nothing is asked of the network.

    Args:
        folder: the built book, with its index.html.
        site: where the book will be.
        target: the file to write.
        names: which pages; all of them by default.

    Raises:
        CourseError: a package or the browser is missing.
    """
    must_have("pdf")
    from playwright.sync_api import Error, sync_playwright
    from pypdf import PdfReader, PdfWriter

    def from_disk(route: Route) -> None:
        path = folder / unquote(route.request.url.removeprefix(site).partition("?")[0])
        if route.request.url.startswith(site) and path.is_file():
            route.fulfill(path=path)
        else:
            route.abort()

    book = PdfWriter()
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
        for name in names or in_order(folder):
            page.goto(site + name, wait_until="networkidle")
            page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
            sheets = page.pdf(
                format="A4",
                scale=0.8,  # so that a line of code fits
                margin={"top": "18mm", "bottom": "18mm", "left": "17mm", "right": "17mm"},
                print_background=True,
                display_header_footer=True,
                header_template="<span></span>",
                footer_template=FOOTER,
                tagged=True,
            )
            heading = page.locator("article h1").first.evaluate("heading => heading.firstChild.textContent")
            book.append(PdfReader(io.BytesIO(sheets)), outline_item=heading)
        browser.close()
    book.compress_identical_objects()
    partial = target.with_name(target.name + ".partial")
    book.write(partial)
    partial.replace(target)
    return target


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
