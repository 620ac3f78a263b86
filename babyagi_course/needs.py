"""Which lesson needs which: read from what the lessons say before they start, and drawn.

A lesson links there to each lesson that it builds on, and to no other.
"""

from __future__ import annotations

import html
import re

from babyagi_course.errors import CourseError
from babyagi_course.lessons import Lesson
from babyagi_course.notebooks import source

BEFORE = re.compile(r"^## Before you start$(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
LINKED = re.compile(r"\]\((\d\d_\w+)\.ipynb")
WIDTH, ROW, LINE, DOT = 424, 34, 96, 6  # of the drawing: its width, a row, where the dots stand, and their size


def needed(lessons: list[Lesson]) -> dict[str, list[str]]:
    """The lessons that each lesson builds on, by their names.

    Raises:
        CourseError: a lesson has no section "Before you start", or links there to itself, to a later lesson or to none.
    """
    found: dict[str, list[str]] = {}
    for lesson in lessons:
        prose = "\n\n".join(source(cell) for cell in lesson.notebook["cells"] if cell["cell_type"] == "markdown")
        section = BEFORE.search(prose)
        if section is None:
            raise CourseError(f"{lesson.path}: expected a section '## Before you start'")
        names = sorted(set(LINKED.findall(section[1])))
        if strange := [name for name in names if name not in found]:
            raise CourseError(
                f"{lesson.path}: 'Before you start' links to {', '.join(strange)}; a lesson can build on earlier ones only"
            )
        found[lesson.name] = names
    return found


def drawing(lessons: list[Lesson]) -> str:
    """HTML of the lessons, one below the other, with an arc from each to those that build on it.

    Arcs that others make superfluous are left out: from 1 to 3 where there are arcs from 1 to 2 and from 2 to 3.
    """
    needs = needed(lessons)
    all_before: dict[str, set[str]] = {}
    for name, before in needs.items():
        all_before[name] = set(before).union(*(all_before[other] for other in before))
    y = {lesson.name: ROW * (i + 0.5) for i, lesson in enumerate(lessons)}

    arcs, rows = [], []
    for lesson in lessons:
        end = y[lesson.name]
        for other in needs[lesson.name]:
            if not any(other in all_before[between] for between in needs[lesson.name]):
                left = LINE - min(0.62 * (end - y[other]), LINE + 20)
                path = f"M{LINE - DOT} {y[other]} C{left:.0f} {y[other]} {left:.0f} {end} {LINE - DOT - 1} {end}"
                arcs.append(f'<path class="arrow" marker-end="url(#needed)" d="{path}"/>')
        title = lesson.short_title.removeprefix("Lesson ")
        rows.append(
            f'<circle class="thing" cx="{LINE}" cy="{end}" r="{DOT}"/><a href="notebooks/{lesson.name}.html">'
            f'<text class="lesson" x="{LINE + 14}" y="{end + 5}">{html.escape(title)}</text></a>'
        )
    height = ROW * len(lessons)
    head = (
        '<defs><marker id="needed" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="5" markerHeight="5" orient="auto">'
        '<path class="head" d="M0 0 L10 5 L0 10 z"/></marker></defs>'
    )
    return (
        f'<figure class="drawing"><svg class="course-map needs" viewBox="0 0 {WIDTH} {height}" role="group" '
        f'aria-label="{html.escape(in_words(needs))}">{head}<rect class="paper" width="{WIDTH}" height="{height}" rx="8"/>'
        f"{''.join(arcs)}{''.join(rows)}</svg></figure>"
    )


def in_words(needs: dict[str, list[str]]) -> str:
    """The graph as sentences: "Lesson 3 builds on lesson 1." """
    said = []
    for name, before in needs.items():
        numbers = [str(int(other[:2])) for other in before]
        listed = " and ".join(filter(None, (", ".join(numbers[:-1]), numbers[-1] if numbers else "")))
        what = f"lesson{'s' * (len(numbers) > 1)} {listed}" if numbers else "no other"
        said.append(f"Lesson {int(name[:2])} builds on {what}.")
    return " ".join(said)
