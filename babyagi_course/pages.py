"""Lessons and Markdown files made ready for a page of the book.

The sources are the notebooks and the Markdown files of `book/`, as they are read in the repository.
"""

from __future__ import annotations

import base64
import copy
import html
import json
import posixpath
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import babyagi_lib
from babyagi_course import printed_tables
from babyagi_course.errors import CourseError
from babyagi_course.lessons import Lesson
from babyagi_course.links import LAUNCH, Links
from babyagi_course.notebooks import lasting_outputs, source, tags
from babyagi_course.tables import with_cost
from babyagi_lib.learner import states
from babyagi_lib.learner.publishing import MIME

LICENCE = "text CC BY 4.0, code MIT"
LONG = 30  # lines of code that a page shows at once; more are folded
# Where a lesson says what it takes of a reader's time.
PLAN = re.compile(r"\babout (\d+) minutes to read, about (\d+) minutes for the exercises")
# What a page says where a notebook shows the answer of a check; `progress.js` adds a box to tick.
UNSOLVED = (
    '<p class="exercise" data-check="{check}">This page cannot run your function. Run the lesson in Jupyter (the buttons at '
    "its top lead there): then the check answers. Or write your answer down, and compare it with the solution below.</p>"
)
LINK = re.compile(r"(\]\()([^()\s#:]+)((?:#[^()\s]*)?\))")


@dataclass(frozen=True)
class Effort:
    """What a lesson takes of a reader's time.

    Attributes:
        words: of prose.
        lines: of code, without the solutions.
        reading, solving: minutes to read and to do the exercises, as the lesson states them.
    """

    words: int
    lines: int
    reading: int
    solving: int


def effort(lesson: Lesson) -> Effort:
    """Count the words and lines of a lesson, and find the minutes that it states.

    Raises:
        CourseError: it states none.
    """
    cells = lesson.notebook["cells"]
    prose = "\n".join(source(cell) for cell in cells if cell["cell_type"] == "markdown")
    stated = PLAN.search(prose)
    if stated is None:
        raise CourseError(
            f"{lesson.path}: expected a sentence with 'about N minutes to read, about N minutes for the exercises'"
        )
    text = re.sub(r"```.*?```|\$\$.*?\$\$|<!--.*?-->|</?[a-z][^<>]*>|\]\([^)]*\)", " ", prose, flags=re.DOTALL)
    code = [source(cell) for cell in cells if cell["cell_type"] == "code" and "solution" not in tags(cell)]
    return Effort(
        words=len(re.findall(r"[^\W\d_][\w'’-]*", text)),
        lines=sum(bool(line.strip()) for cell in code for line in cell.splitlines()),
        reading=int(stated[1]),
        solving=int(stated[2]),
    )


def for_book(notebook: dict) -> dict:
    """A copy of a notebook as the book shows it.

    Figures have their alt text and the size they were drawn for, explorers have their states, exercises say what to do on
    a page, solutions and long code are closed, printed tables are tables, outputs are those that last, and there is no
    widget.
    """
    notebook = copy.deepcopy(notebook)
    notebook["metadata"].pop("widgets", None)  # their state: it would make the page fetch scripts from elsewhere
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            cell["source"] = with_cost(source(cell), notebook["metadata"]["babyagi"])
            continue
        cell["outputs"] = [part for output in lasting_outputs(cell) for part in _with_tables(output)]
        if check := checked(cell):
            cell["outputs"] = [_html(UNSOLVED.format(check=check))]
        _fold(cell)
        for output in list(cell["outputs"]):
            data = output.get("data", {})
            data.pop(MIME, None)  # for programs; the table beside it is for readers
            if "image/png" in data:
                _set_figure(cell, output)
            if states.MIME in data:
                cell["outputs"].append(_explorer(data.pop(states.MIME)))
    return notebook


def _explorer(drawn: dict) -> dict:
    """An output after the picture of an explorer, with its states, from which `explorer.js` makes controls and drawing."""
    text = json.dumps(drawn, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return _html(f'<script type="application/json" class="explorer-states">{text}</script>')


def _with_tables(output: dict) -> list[dict]:
    """An output as several, if some of what it printed is a table."""
    if output["output_type"] != "stream":
        return [output]
    return [
        {**output, "text": f"{part}\n"} if isinstance(part, str) else _html(printed_tables.as_html(part))
        for part in printed_tables.parts("".join(output["text"]))
    ]


def checked(cell: dict) -> str | None:
    """The name of the check that an exercise calls; None for another cell."""
    if "exercise" not in tags(cell):
        return None
    return re.search(r"^checks\.(\w+)\(", source(cell), re.MULTILINE)[1]


def _html(text: str) -> dict:
    return {"output_type": "display_data", "data": {"text/html": text}, "metadata": {}}


def _fold(cell: dict) -> None:
    """Close a solution, code that is long or only draws, and the source of a long library function."""
    folded, prompt = [], ""
    lines = source(cell).count("\n") + 1
    shown = max(
        (
            "".join(o["data"]["text/markdown"]).count("\n")
            for o in cell["outputs"]
            if "text/markdown" in o.get("data", {})
        ),
        default=0,
    )
    if "solution" in tags(cell):
        folded, prompt = ["hide-cell"], "a solution"
    elif "hide-input" in tags(cell) or lines > LONG:
        folded, prompt = ["hide-input"], f"{lines} lines of code"
    elif "hide-output" in tags(cell) or shown > LONG:
        folded, prompt = ["hide-output"], f"{shown} lines of code" if shown else "the output"
    if folded:
        cell["metadata"]["tags"] = list(dict.fromkeys([*tags(cell), *folded]))
        cell["metadata"].setdefault("mystnb", {}).update(
            code_prompt_show=f"Show {prompt}", code_prompt_hide=prompt.capitalize()
        )


def _set_figure(cell: dict, output: dict) -> None:
    """Give a figure its alt text, and the width in inches that it was drawn with: so its letters have a known size."""
    about = output.get("metadata", {}).get("image/png", {})
    options = cell["metadata"].setdefault("mystnb", {}).setdefault("image", {})
    if options.get("alt", about.get("alt")) != about.get("alt"):
        raise CourseError("a cell shows two figures, and a page has room for the alt text of one: use two cells")
    if "alt" in about:
        options["alt"] = about["alt"]
    png = base64.b64decode("".join(output["data"]["image/png"]))
    density = png.find(b"pHYs")  # the chunk with the number of dots in a metre
    if density > 0:
        dots, dots_a_metre = int.from_bytes(png[16:20]), int.from_bytes(png[density + 4 : density + 8])
        about["width"] = f"{dots / dots_a_metre / 0.0254 * 96:.0f}px"  # 96 pixels of a style sheet are an inch


def with_head(notebook: dict, lesson: Lesson, links: Links) -> dict:
    """A copy of a notebook with its launch links as buttons under the title, a download, and how long it takes to read."""
    notebook = copy.deepcopy(notebook)
    first = notebook["cells"][0]
    title, _, rest = LAUNCH.sub("", source(first)).partition("\n")
    places = links.places(lesson.name)
    buttons = [f'<a href="{html.escape(address)}">{text}</a>' for text, address in places.items()]
    buttons.append(f'<a href="../downloads/{lesson.path.name}" download>Download</a>')
    takes = effort(lesson)
    note = (
        f"{takes.words:,} words and {takes.lines:,} lines of code: about {takes.reading} minutes to read, about "
        f"{takes.solving} minutes for the exercises."
    )
    head = f'<p class="launch">{" ".join(buttons)}</p>\n<p class="reading">{note}</p>'
    first["source"] = f"{title}\n\n{head}\n\n{rest.lstrip()}"
    return notebook


def foot(page: str, root: Path, links: Links) -> str:
    """The last line of a page: the version, when its source was last changed, its licence, and how to tell us of a mistake.

    Args:
        page: which file of the repository it is, such as `book/teaching.md`.
        root: the checkout. Without git's history there is no date.
        links: where the repository is.
    """
    asked = ["git", "log", "-1", "--format=%cs", "--", page]
    found = (
        subprocess.run(asked, cwd=root, capture_output=True, text=True, check=False) if shutil.which("git") else None
    )
    changed = found.stdout.strip() if found and found.returncode == 0 else ""
    up = "../" * page.removeprefix("book/").count("/")
    said = [f"Version {babyagi_lib.__version__}", changed and f"last changed on {changed}", LICENCE]
    cite = f'<a href="{up}cite.html">how to cite this course</a>'
    back = [f'<a href="{html.escape(address)}">{text}</a>' for text, address in links.ways_back(page).items()]
    return f'<p class="foot">{" · ".join([*filter(None, said), cite, *back])}</p>'


def relinked(text: str, page: str, root: Path, links: Links) -> str:
    """Markdown with its links to files of the repository turned to where those are for a reader of the book.

    Args:
        text: Markdown.
        page: which file of the repository it is, such as `book/teaching.md`.
        root: the checkout.
        links: where the repository is.
    """
    here = PurePosixPath(page)

    def place(match: re.Match) -> str:
        target = posixpath.normpath((here.parent / match[2]).as_posix())
        if not (root / target).exists():
            return match[0]  # Sphinx will say that it is broken
        if target.startswith("book/") or re.fullmatch(r"notebooks/\d\d_\w+\.ipynb", target):
            inside = target.removeprefix("book/")
            return match[1] + posixpath.relpath(inside, page.removeprefix("book/").rpartition("/")[0] or ".") + match[3]
        kind = "tree" if (root / target).is_dir() else "blob"
        return f"{match[1]}{links.repository}/{kind}/{links.ref}/{target}{match[3]}"

    return links.live(LINK.sub(place, text))


def drawn(text: str, folder: Path) -> str:
    """Markdown with each image of an SVG file replaced by the drawing itself, whose links and colours then work."""

    def drawing(match: re.Match) -> str:
        svg = (folder / match[2]).read_text(encoding="utf-8").strip()
        svg = svg.replace("<svg ", f'<svg aria-label="{html.escape(match[1])}" ', 1)
        svg = re.sub(r'href="(?:\.\./)+notebooks/(\w+)\.ipynb"', r'href="notebooks/\1.html"', svg)
        return f'<figure class="drawing">\n{svg}\n</figure>'

    return re.sub(r"!\[([^\]]*)\]\(([^()\s]+\.svg)\)", drawing, text)
