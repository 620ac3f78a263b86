"""Submissions that nbgrader cannot grade as they are, and which of a class need a look. Used by the instructor's edition.

nbgrader recognises the answers and checks of a notebook by marks in the metadata of their cells. Editors copy, split and
drop these marks. nbgrader 0.9 then stops for the whole class, or grades without the check that is missing. `Repair` puts
the marks right first. In the folder with `nbgrader_config.py`, after `nbgrader autograde`:

    python -m babyagi_course.grading 04_ner_finetuning
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.preprocessors import NbGraderPreprocessor

TOO_LONG = ("CellTimeoutError", "KeyboardInterrupt")  # what nbgrader leaves in a cell that it interrupted


@dataclass(frozen=True)
class Released:
    """A cell of an assignment as nbgrader handed it out: its marks, its source, and whether it is graded."""

    marks: dict
    source: str
    graded: bool


def released(gradebook: Gradebook, assignment: str, notebook: str) -> dict[str, Released]:
    """The marked cells of a notebook by their names, in order.

    Raises:
        MissingEntry: the gradebook has no such notebook.
    """
    entry = gradebook.find_notebook(notebook, assignment)
    points = {cell.name: cell.max_score for cell in entry.grade_cells}
    solutions = {cell.name for cell in entry.solution_cells}
    cells = {}
    for cell in entry.source_cells:
        graded = cell.name in points
        marks = {
            "grade_id": cell.name,
            "grade": graded,
            "solution": cell.name in solutions,
            "locked": cell.locked,
            "task": False,
            "cell_type": cell.cell_type,
            "checksum": cell.checksum,
            "schema_version": 3,
        }
        cells[cell.name] = Released(marks | ({"points": points[cell.name]} if graded else {}), cell.source, graded)
    return cells


def repair(notebook: NotebookNode, assignment: dict[str, Released]) -> list[str]:
    """Give a submission the marks of its assignment, in place; what was wrong, for the instructor.

    Of several cells with one name the last keeps it. All of them still run. A missing check comes back after its answer,
    or at the end if that cannot be found. Marks that the assignment does not have are removed.
    """
    notes, places = [], {}
    for cell in reversed(notebook.cells):
        if "nbgrader" not in cell.metadata:
            continue
        marks = cell.metadata.pop("nbgrader")
        name = str(marks.get("grade_id")) if isinstance(marks, dict) else ""
        if name in places:
            notes.append(f"{name} is there more than once (copied or split): the last one counts")
        elif name in assignment:
            cell.metadata["nbgrader"] = NotebookNode(assignment[name].marks)
            places[name] = cell
            if assignment[name].graded and cell.source.strip() != assignment[name].source.strip():
                notes.append(f"{name} was changed: the released one is used")
    before = None
    for name, cell in assignment.items():
        if name not in places:
            notes.append(f"{name} is missing" + (" and was put back" if cell.graded else ""))
            if cell.graded:
                places[name] = _cell(cell, notebook.nbformat_minor)
                at = notebook.cells.index(places[before]) + 1 if before in places else len(notebook.cells)
                notebook.cells.insert(at, places[name])
        before = name
    return notes


def _cell(cell: Released, minor: int) -> NotebookNode:
    new = nbformat.v4.new_code_cell(cell.source, metadata={"nbgrader": dict(cell.marks)})
    if minor < 5:  # cells have ids since version 4.5
        del new["id"]
    return new


class Repair(NbGraderPreprocessor):
    """Repairs each submission before nbgrader grades it, in place of nbgrader's own `DeduplicateIds`."""

    def preprocess(self, notebook: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Repair a submission, and log what was wrong with it."""
        about = resources["nbgrader"]
        with Gradebook(about["db_url"]) as gradebook:
            assignment = released(gradebook, about["assignment"], about["notebook"])
        for note in repair(notebook, assignment):
            self.log.warning("%s: %s", about["student"], note)
        return notebook, resources


def look(folder: Path, assignment: str, student: str, cells: dict[str, Released]) -> list[str]:
    """What an instructor should know about one submission, in a class folder after `nbgrader autograde`; perhaps nothing."""
    handed_in = folder / "submitted" / student / assignment
    path, graded = (
        handed_in / f"{assignment}.ipynb",
        folder / "autograded" / student / assignment / f"{assignment}.ipynb",
    )
    others = sorted(each.name for each in handed_in.glob("*.ipynb") if each != path)
    if not path.is_file():
        return [f"not graded: there is no {assignment}/{path.name}, but " + (", ".join(others) or "no notebook")]
    notes = [f"other notebooks, which are not graded: {', '.join(others)}"] if others else []
    try:
        notes += repair(nbformat.read(path, as_version=4), cells)
    except Exception as error:  # nbformat raises many kinds for what is no notebook
        return [*notes, f"not graded: the file is no notebook ({type(error).__name__})"]
    if not graded.is_file():
        return [*notes, "not graded: the kernel died or did not react; the messages of autograde say which"]
    for number, cell in enumerate(nbformat.read(graded, as_version=4).cells, start=1):
        name = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        check = name in cells and cells[name].graded
        for output in cell.get("outputs", []):
            if output.output_type == "error" and output.ename in TOO_LONG:
                notes.append(f"cell {number} was stopped because it took too long")
            elif output.output_type == "error" and check and output.ename != "AssertionError":
                notes.append(f"{name} could not run: {output.ename}: {output.evalue}")
    return list(dict.fromkeys(notes))  # an interruption leaves two errors in a cell


def report(folder: Path, assignment: str) -> list[tuple[str, str, list[str]]]:
    """Every submission of a class folder: the student, the points, and what needs a look.

    Raises:
        MissingEntry: the gradebook does not know the assignment.
    """
    rows = []
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        cells = released(gradebook, assignment, assignment)
        for path in sorted(each for each in (folder / "submitted").iterdir() if each.is_dir()):
            try:
                entry = gradebook.find_submission(assignment, path.name)
                points = f"{entry.score:g} of {entry.max_score:g}"
            except MissingEntry:
                points = "none"
            rows.append((path.name, points, look(folder, assignment, path.name, cells)))
    return rows


def main() -> None:
    """Print the report of one assignment of the class in this folder."""
    parser = argparse.ArgumentParser(description="Which submissions of a class need a look.")
    parser.add_argument("assignment", help="its name, such as 04_ner_finetuning")
    assignment = parser.parse_args().assignment
    try:
        rows = report(Path(), assignment)
    except MissingEntry:
        raise SystemExit(f"error: there is no assignment {assignment} in gradebook.db of this folder") from None
    for student, points, notes in rows:
        print(f"{student}: {points}")
        for note in notes:
            print(f"    {note}")
    print(f"{sum(bool(notes) for _, _, notes in rows)} of {len(rows)} submissions need a look")


if __name__ == "__main__":
    main()
