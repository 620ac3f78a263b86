"""What the pages of the book say: lessons made ready for a page, and what is put together from all of them.

The sources are the notebooks and the Markdown files of `book/`, as they are read in the repository.
"""

from __future__ import annotations

import base64
import copy
import html
import json
import math
import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from babyagi_course import aims, loglog
from babyagi_course.errors import CourseError
from babyagi_course.lessons import Course, Lesson
from babyagi_course.links import LAUNCH, Links
from babyagi_course.notebooks import figures, lasting_outputs, source, tags
from babyagi_course.tables import gigabytes, minutes, with_cost
from babyagi_lib.learner.publishing import MIME

LONG = 30  # lines of code that a page shows at once; more are folded
# Where a lesson says what it takes of a reader's time.
PLAN = re.compile(r"\babout (\d+) minutes to read, about (\d+) minutes for the exercises")
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
    text = re.sub(r"```.*?```|\$\$.*?\$\$|<[^>]*>|\]\([^)]*\)", " ", prose, flags=re.DOTALL)
    code = [source(cell) for cell in cells if cell["cell_type"] == "code" and "solution" not in tags(cell)]
    return Effort(
        words=len(re.findall(r"[^\W\d_][\w'’-]*", text)),
        lines=sum(bool(line.strip()) for cell in code for line in cell.splitlines()),
        reading=int(stated[1]),
        solving=int(stated[2]),
    )


def for_book(notebook: dict) -> dict:
    """A copy of a notebook as the book shows it.

    Figures have their alt text and the size they were drawn for, solutions and long code are closed, outputs are
    those that last, and there is no widget.
    """
    notebook = copy.deepcopy(notebook)
    notebook["metadata"].pop("widgets", None)  # their state: it would make the page fetch scripts from elsewhere
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            cell["source"] = with_cost(source(cell), notebook["metadata"]["babyagi"])
            continue
        cell["outputs"] = lasting_outputs(cell)
        _fold(cell)
        for output in cell["outputs"]:
            output.get("data", {}).pop(MIME, None)  # for programs; the table beside it is for readers
            if "image/png" in output.get("data", {}):
                _set_figure(cell, output)
    return notebook


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

    return LINK.sub(place, text)


def guide(text: str, course: Course, notebooks: dict[str, dict]) -> str:
    """The teaching guide with its two computed tables: what lessons take, and what a class on a hub needs."""
    parts = {
        "<!-- timetable -->": lambda: timetable(course.lessons, notebooks),
        "<!-- hub -->": lambda: classroom(course.lessons, notebooks, course.root / "benchmarks"),
    }
    return filled(text, parts)


def filled(text: str, parts: dict[str, Callable[[], str]]) -> str:
    """The text with each mark that stands in it replaced by its part; the others are not computed."""
    for mark, part in parts.items():
        if mark in text:
            text = text.replace(mark, part())
    return text


def timetable(lessons: list[Lesson], pages: dict[str, dict]) -> str:
    """Markdown of what each lesson takes: to read, to solve, to run."""
    rows = ["| lesson | to read | exercises | to run | peak memory |", "|---|---|---|---|---|"]
    read, solve, run = 0, 0, 0.0
    for lesson in lessons:
        notebook = pages[lesson.name]
        cost, takes = notebook["metadata"]["babyagi"], effort(lesson)
        times = (f"{takes.reading} min", f"{takes.solving} min", minutes(cost["seconds"]))
        rows.append(_row(_link(lesson), *times, _memory(cost)))
        read, solve, run = read + takes.reading, solve + takes.solving, run + cost["seconds"]
    rows.append(_row("all of them", f"{read / 60:.1f} h", f"{solve / 60:.1f} h", minutes(run), ""))
    note = (
        "The times to read and for the exercises are our estimates for one learner. Run time and memory were measured for "
        "a whole notebook, including the start of its kernel, on the machine that the page of [results](results.md) names."
    )
    return "\n".join(rows) + "\n\n" + note


def classroom(lessons: list[Lesson], pages: dict[str, dict], benchmarks: Path) -> str:
    """Markdown of the memory and cores that a hub needs for a class, computed from what `make hub-test` measured.

    Raises:
        CourseError: it has not been run with a CPU limit.
    """
    try:
        result = json.loads((benchmarks / "hub.json").read_text(encoding="utf-8"))
        [measured] = [run for run in result["runs"] if run["cpu_limit"] == "1"]
    except (OSError, ValueError, KeyError) as error:
        raise CourseError(f"{benchmarks / 'hub.json'}: expected one run with CPU limit 1; run make hub-test") from error
    costs = [pages[lesson.name]["metadata"]["babyagi"] for lesson in lessons]
    longest, largest = max(cost["seconds"] for cost in costs), max(cost["peak_memory_mb"] for cost in costs)
    heads = ("learners", "memory, lesson 0", "memory, any lesson", "cores, lesson 0", "cores, longest lesson")
    rows = [_row(*heads), "|---" * len(heads) + "|"]
    for learners in (20, 100, 500):
        rows.append(
            _row(
                str(learners),
                f"{learners * measured['memory_a_learner_gb']:.0f} GB",
                f"{learners * largest / 1024:.0f} GB",
                str(math.ceil(learners * measured["core_seconds_a_learner"] / 120)),
                str(math.ceil(learners * longest * 2 / 600)),
            )
        )
    note = (
        f"Measured: {result['data']}, with one thread each: {measured['seconds']:.0f} seconds on two cores, "
        f"{measured['memory_a_learner_gb']:.2f} GB for each learner. The rest is computed from this and from the table at the "
        "top of this page. Memory is for everybody at the same time. Cores are such that everybody who starts at the same "
        "moment gets through lesson 0 in two minutes, and through the longest lesson in ten. If you can wait twice as "
        "long, half the cores are enough."
    )
    return "\n".join(rows) + "\n\n" + note


def striking(notebook: dict) -> str:
    """HTML of the front page's figure: the article's score beside what lesson 4 measured, as bars with their values.

    Raises:
        CourseError: the lesson no longer publishes one of the figures.
    """
    found = {figure["name"]: figure for figure in figures(notebook)}
    bars = [("“F1”, as the article prints it", 0.973, "printed")]
    for name, label in (
        ("always_o", "words right, by a program that never finds a name"),
        ("token_accuracy", "words right, by a model trained as in lesson 4"),
        ("entity_f1", "F1 over whole names, by the same model"),
        ("entity_f1_misaligned", "F1 over whole names, trained on the labels that the article's code makes"),
    ):
        if name not in found:
            raise CourseError(f"the front page shows {name}, which lesson 4 no longer publishes")
        bars.append((label, found[name]["value"], "measured"))
    rows = [
        f'<tr class="{kind}"><th scope="row">{html.escape(label)}</th>'
        f'<td style="--share: {share:.4f}"><span>{share:.1%}</span></td></tr>'
        for label, share, kind in bars
    ]
    caption = f"Measured on {html.escape(found['entity_f1']['on'])}, by the run that this book shows"
    return "\n".join(
        ['<table class="bars">', f"<caption>{caption}</caption>", "<tbody>", *rows, "</tbody>", "</table>"]
    )


def drawn(text: str, folder: Path) -> str:
    """Markdown with each image of an SVG file replaced by the drawing itself, whose links and colours then work."""

    def drawing(match: re.Match) -> str:
        svg = (folder / match[2]).read_text(encoding="utf-8").strip()
        svg = svg.replace("<svg ", f'<svg aria-label="{html.escape(match[1])}" ', 1)
        svg = re.sub(r'href="(?:\.\./)+notebooks/(\w+)\.ipynb"', r'href="notebooks/\1.html"', svg)
        return f'<figure class="drawing">\n{svg}\n</figure>'

    return re.sub(r"!\[([^\]]*)\]\(([^()\s]+\.svg)\)", drawing, text)


def results(lessons: list[Lesson], pages: dict[str, dict]) -> str:
    """Markdown of the results page: what each lesson took, and every figure it measured."""
    cost_rows, sections = [], []
    for lesson in lessons:
        notebook = pages[lesson.name]
        cost = notebook["metadata"]["babyagi"]
        cost_rows.append(_row(_link(lesson), minutes(cost["seconds"]), _memory(cost), cost["machine"], cost["date"]))
        rows = [f"| {f['label']} | {f['text']} | {f['on']} |" for f in figures(notebook)]
        if not rows:
            continue
        packages = ", ".join(f"{name} {version}" for name, version in cost["versions"].items())
        sections.append(
            "\n".join(
                [
                    f"## {lesson.title}",
                    "",
                    "| measured | value | on |",
                    "|---|---|---|",
                    *rows,
                    "",
                    f"Versions: {packages}.",
                ]
            )
        )
    head = ["| lesson | time | peak memory | machine | date |", "|---|---|---|---|---|", *cost_rows]
    return "\n".join(head) + "\n\n" + "\n\n".join(sections)


def _link(lesson: Lesson) -> str:
    """A link to a lesson by the first half of its title, such as "Lesson 4. Finding names"."""
    return f"[{lesson.title.partition(':')[0]}](notebooks/{lesson.path.name})"


def _memory(cost: dict) -> str:
    return gigabytes(cost["peak_memory_mb"])


def _row(first: str, *rest: str) -> str:
    """A row of a Markdown table whose short cells are not broken over lines."""
    kept = [text.replace(" ", "\u00a0") if len(text) < 12 else text for text in rest]
    return "| " + " | ".join((first, *kept)) + " |"


def promised(benchmarks: Path) -> str:
    """Markdown of what the course aims at beside what people would use instead, and what stands in the way of the rest."""
    rows = aims.rows(benchmarks)
    table = [_row(*aims.HEADS), "|---" * len(aims.HEADS) + "|", *(_row(*row.cells) for row in rows)]
    notes = [f"*{row.work}, beside {row.peer}:* {row.hindrance}" for row in rows if row.hindrance]
    return "\n\n".join(["## Beside what people would use instead", "\n".join(table), *notes])


def published(benchmarks: Path) -> str:
    """Markdown of the measurements that take longer than a lesson: what they were made for, then each result file.

    A file is one table with a row per run, and drawings of its series where it has some.
    """
    sections = [promised(benchmarks)]
    for path in sorted(benchmarks.glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        columns = dict.fromkeys(key for run in result["runs"] for key in run if key != "name")
        rows = [
            "| run | " + " | ".join(column.replace("_", " ") for column in columns) + " |",
            "|---" * (len(columns) + 1) + "|",
            *("| " + " | ".join(str(run.get(key, "")) for key in ("name", *columns)) + " |" for run in result["runs"]),
        ]
        packages = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
        note = f"{result['model']}; {result['data']}. Measured on {result['machine']}, {result['date']}. Versions: {packages}."
        parts = ["\n".join(rows), note, *([loglog.drawings(result)] if "curves" in result else [])]
        sections.append("\n\n".join([f"## Published run: {result['title']}", *parts]))
    return "\n\n".join(sections)
