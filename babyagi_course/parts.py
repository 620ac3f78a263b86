"""The parts of the book's pages that are computed, from the lessons, from their runs and from what was measured.

A page asks for one with a mark, such as `<!-- bars scores.yml -->`: the part's name, and the file that its data are in, if
it needs one. So which lesson or which measurement a page shows is said beside the page, and not here.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import babyagi_lib
from babyagi_course import dependencies, measured, needs, printing
from babyagi_course.errors import CourseError
from babyagi_course.lessons import Course, Lesson
from babyagi_course.links import Links
from babyagi_course.notebooks import DIFFICULTY, figures, source
from babyagi_course.pages import effort
from babyagi_course.tables import gigabytes, in_table, minutes
from babyagi_lib.basics import strict_yaml

EXERCISE = re.compile(r"^### (Exercise \d.*)$((?:\n(?!#).*)*)", re.MULTILINE)
MARK = re.compile(r"<!-- (\w+)(?: (\S+))? -->")


def filled(text: str, computed: dict[str, Callable[[str], str]]) -> str:
    """The text with its marks replaced by their parts; those that it does not ask for are not computed.

    Raises:
        CourseError: a mark of an unknown name, or what a part raises.
    """

    def part(match: re.Match) -> str:
        if match[1] not in computed:
            raise CourseError(f"{match[0]}: a page can have {', '.join(computed)} there")
        return computed[match[1]](match[2] or "")

    return MARK.sub(part, text)


def of(course: Course, notebooks: dict[str, dict], pdf: bool = False) -> dict[str, Callable[[str], str]]:
    """What pages have computed for them, by the name in the mark; each gets the name of the file in the mark.

    Args:
        course: the checkout.
        notebooks: each lesson's, with outputs.
        pdf: whether the book is printed as well.
    """
    book, benchmarks = course.root / "book", course.root / "benchmarks"
    return {
        "results": lambda _: results(course.lessons, notebooks) + "\n\n" + published(benchmarks),
        "dependencies": lambda _: dependencies.tables(course.root),
        "bars": lambda file: bars(book / file, notebooks),
        "timetable": lambda _: timetable(course.lessons, notebooks),
        "pdf": lambda _: offered() if pdf else "",
        "needs": lambda _: needs.drawing(course.lessons),
        "exercises": lambda _: exercises(course.lessons),
        "citation": lambda _: citation(Links.read(course.root)),
        "classroom": lambda name: classroom(course.lessons, notebooks, benchmarks / f"{name}.json"),
    }


def results(lessons: list[Lesson], pages: dict[str, dict]) -> str:
    """Markdown of the results page: what each lesson took, and every figure it measured."""
    cost_rows, sections = [], []
    for lesson in lessons:
        notebook = pages[lesson.name]
        cost = notebook["metadata"]["babyagi"]
        cost_rows.append(_row(_link(lesson), minutes(cost["seconds"]), _memory(cost), cost["machine"], cost["date"]))
        rows = [
            "| " + " | ".join(in_table(f[key]) for key in ("label", "text", "on")) + " |" for f in figures(notebook)
        ]
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


def published(benchmarks: Path) -> str:
    """Markdown of the measurements that take longer than a lesson: what they were made for, then each in its own words."""
    found = measured.all_of(benchmarks)
    sections = [f"## Published run: {result['title']}\n\n" + "\n".join(result["markdown"]) for result in found]
    return "\n\n".join([promised(measured.aims(found)), *sections])


def promised(aims: list[measured.Aim]) -> str:
    """Markdown of what the course aims at beside what people would use instead, and what stands in the way of the rest."""
    table = [_row(*measured.HEADS), "|---" * len(measured.HEADS) + "|", *(_row(*aim.cells) for aim in aims)]
    notes = [f"*{aim.work}, beside {aim.peer}:* {aim.in_the_way}" for aim in aims if aim.in_the_way]
    return "\n\n".join(["## Beside what people would use instead", "\n".join(table), *notes])


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


def offered() -> str:
    """Markdown of the printed book's files."""
    paper, screen = (f'<a href="downloads/{name}" download>{name}</a>' for name in printing.FILES)
    return f"To keep the whole book, with solutions at its end: {paper} for paper (A4), {screen} for a tablet."


def exercises(lessons: list[Lesson]) -> str:
    """Markdown of all exercises, with a link to each, its difficulty and the minutes that it states."""
    rows = ["| lesson | exercise | difficulty | minutes |", "|---|---|---|---|"]
    for lesson in lessons:
        text = "\n".join(source(cell) for cell in lesson.notebook["cells"] if cell["cell_type"] == "markdown")
        for heading, section in EXERCISE.findall(text):
            difficulty, minutes_stated = DIFFICULTY.search(section).groups()
            anchor = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
            link = f"[{heading}](notebooks/{lesson.path.name}#{anchor})"
            rows.append(_row(_link(lesson), link, f"{difficulty} of 3", minutes_stated))
    return "\n".join(rows)


def citation(links: Links) -> str:
    """Markdown of the course as an entry of BibTeX."""
    entry = [
        "@misc{babyagi-course,",
        "  title  = {Adapting large models, and turning them into agents},",
        "  author = {{The authors of the course}},",
        "  year   = {2026},",
        f"  note   = {{Version {babyagi_lib.__version__}}},",
        *([] if links.placeholder else [f"  url    = {{{links.repository}}},"]),
        "}",
    ]
    return "\n".join(["```bibtex", *entry, "```"])


def classroom(lessons: list[Lesson], pages: dict[str, dict], path: Path) -> str:
    """Markdown of the memory and cores that a hub needs for a class, computed from what one learner needs.

    Args:
        lessons, pages: the lessons and their notebooks, whose cost is known.
        path: the result of a measurement that says what a learner needs.

    Raises:
        CourseError: it does not say that.
    """
    learner = measured.learner(path)
    costs = [pages[lesson.name]["metadata"]["babyagi"] for lesson in lessons]
    longest, largest = max(cost["seconds"] for cost in costs), max(cost["peak_memory_mb"] for cost in costs)
    heads = (
        "learners",
        f"memory, {learner.lesson}",
        "memory, any lesson",
        f"cores, {learner.lesson}",
        "cores, longest lesson",
    )
    rows = [_row(*heads), "|---" * len(heads) + "|"]
    for learners in (20, 100, 500):
        rows.append(
            _row(
                str(learners),
                f"{learners * learner.memory_gb:.0f} GB",
                f"{learners * largest / 1024:.0f} GB",
                str(math.ceil(learners * learner.core_seconds / 120)),
                str(math.ceil(learners * longest * 2 / 600)),
            )
        )
    note = (
        f"Measured: {learner.measured}. The rest is computed from this and from the table at the top of this page. "
        "Memory is for everybody at the same time. Cores are such that everybody who starts at the same moment gets "
        f"through {learner.lesson} in two minutes, and through the longest lesson in ten. If you can wait twice as long, half the "
        "cores are enough."
    )
    return "\n".join(rows) + "\n\n" + note


def bars(path: Path, notebooks: dict[str, dict]) -> str:
    """HTML of shares as bars with their values: what is printed elsewhere beside what a lesson measured.

    Args:
        path: a YAML file that says which; `book/scores.yml` describes its form.
        notebooks: each lesson's, with outputs.

    Raises:
        CourseError: the file is not of that form, or the lesson does not publish one of the figures.
    """
    data = _bars(path)
    if data["lesson"] not in notebooks:
        raise CourseError(f"{path}: there is no lesson {data['lesson']!r}; there are {', '.join(notebooks)}")

    def figure(label: str) -> dict[str, Any]:
        for found in figures(notebooks[data["lesson"]]):
            if found["label"] == label:
                return found
        raise CourseError(f"{path} shows {label!r}, which {data['lesson']} no longer publishes")

    rows = []
    for bar in data["bars"]:
        kind = "printed" if "printed" in bar else "measured"
        share = bar["printed"] if kind == "printed" else figure(bar["figure"])["value"]
        rows.append(
            f'<tr class="{kind}"><th scope="row">{html.escape(bar["label"])}</th>'
            f'<td style="--share: {share:.4f}"><span>{share:.1%}</span></td></tr>'
        )
    caption = f"Measured on {html.escape(figure(data['about'])['on'])}, by the run that this book shows"
    return "\n".join(
        ['<table class="bars">', f"<caption>{caption}</caption>", "<tbody>", *rows, "</tbody>", "</table>"]
    )


def _bars(path: Path) -> dict[str, Any]:
    """What a file of bars says.

    Raises:
        CourseError: it is not of the form that `book/scores.yml` describes.
    """
    try:
        data = strict_yaml.read(path)
    except ValueError as error:
        raise CourseError(f"{path}: {error}") from error
    if not isinstance(data, dict) or {key: type(value) for key, value in data.items()} != {
        "lesson": str,
        "about": str,
        "bars": list,
    }:
        raise CourseError(f"{path}: expected lesson and about (names) and bars (a list)")
    forms = ({"label": str, "figure": str}, {"label": str, "printed": float, "source": str})
    for number, bar in enumerate(data["bars"], 1):
        if not isinstance(bar, dict) or {key: type(value) for key, value in bar.items()} not in forms:
            raise CourseError(
                f"{path}, bar {number}: expected a label, and a figure or what is printed with its source"
            )
    return data


def _link(lesson: Lesson) -> str:
    """A link to a lesson by its short title."""
    return f"[{lesson.short_title}](notebooks/{lesson.path.name})"


def _memory(cost: dict) -> str:
    return gigabytes(cost["peak_memory_mb"])


def _row(first: str, *rest: str) -> str:
    """A row of a Markdown table whose short cells are not broken over lines."""
    kept = [text.replace(" ", "\u00a0") if len(text) < 12 else text for text in rest]
    return "| " + " | ".join((first, *kept)) + " |"
