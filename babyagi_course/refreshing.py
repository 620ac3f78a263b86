"""`babyagi refresh`: write executed outputs back into `notebooks/`, and the results in the README with them.

The committed notebooks are the one source of every published result: README and book read it from their outputs.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

from babyagi_course.errors import CourseError
from babyagi_course.files import write_atomically
from babyagi_course.lessons import Course, Lesson
from babyagi_course.links import Links, with_map
from babyagi_course.notebooks import lasting_outputs, source
from babyagi_course.runs import Runs, alone
from babyagi_course.tables import with_cost
from babyagi_lib.basics.whole import whole_file


def refresh(course: Course, lessons: list[Lesson], out: Path) -> list[str]:
    """Write the outputs of a default `cpu` run back into the notebooks, and rewrite the README's course map.

    Raises:
        CourseError: a lesson has not been run with its present source and its own parameters, or not alone, or a run is
            going on; nothing is written.
    """
    with alone(out):
        runs = Runs(course, out)
        texts = {}
        for lesson in lessons:
            run = runs.good(lesson, course.key(lesson, {}))
            if run is None:
                raise CourseError(
                    f"{lesson.name} has no run of its present source with its own parameters in {out}: babyagi run {lesson.name[:2]}"
                )
            if not runs.ran_alone(lesson):
                raise CourseError(
                    f"{lesson.name} ran beside other lessons into {out}, so its time is not its own; run it alone first: babyagi run {lesson.name[:2]}"
                )
            texts[lesson.path] = json.dumps(merge(lesson.notebook, run), indent=1, ensure_ascii=False) + "\n"
        with ExitStack() as all_or_none:
            for path, text in texts.items():
                all_or_none.enter_context(whole_file(path)).write_text(text, encoding="utf-8")
        readme = course.root / "README.md"
        write_atomically(
            readme, with_map(readme.read_text(encoding="utf-8"), Course(course.root).lessons, Links.read(course.root))
        )
    return [lesson.name for lesson in lessons]


def merge(notebook: dict, executed: dict) -> dict:
    """The committed notebook with the outputs of its executed copy, without parts that differ from run to run."""
    ran = iter(
        cell
        for cell in executed["cells"]
        if cell["cell_type"] == "code" and "injected-parameters" not in cell["metadata"].get("tags", [])
    )
    cost = executed["metadata"]["babyagi"]
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            done = next(ran)
            cell["execution_count"] = done["execution_count"]
            cell["outputs"] = lasting_outputs(done)
        else:
            cell["source"] = with_cost(source(cell), cost).splitlines(keepends=True)
    notebook["metadata"]["babyagi"] = cost
    return notebook
