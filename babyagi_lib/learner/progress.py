"""How many exercises and quiz questions a learner has solved in each lesson. Used by lesson 00."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from babyagi_lib.learner import checks, journal, lessons, quiz
from babyagi_lib.learner.checks.verdict import EXERCISES


def show() -> None:
    """Print what has been solved and answered, a line for each lesson.

    Raises:
        JournalError: the learner's file cannot be read.
    """
    done = journal.read()
    print(f"{'lesson':26}{'exercises':>14}{'quiz':>10}")
    for lesson in lessons.names():
        exercises = exercises_of(lesson)
        questions = {str(number) for number in range(1, len(quiz.load(lesson)) + 1)}
        solved, answered = (set(done.get(lesson, {}).get(kind, ())) for kind in ("exercises", "quiz"))
        cells = [f"{len(own & there)} of {len(there)}" for own, there in ((solved, exercises), (answered, questions))]
        print(f"{lesson:26}{cells[0]:>14}{cells[1]:>10}")
    print(f"(saved in {journal.FILE}, in the folder of this notebook; delete the file to start again)")


def exercises_of(lesson: str) -> set[str]:
    """The names of a lesson's checks; none if it has no module of checks."""
    module = f"{checks.__name__}.{lessons.module_of(lesson)}"
    if find_spec(module):
        import_module(module)  # which fills EXERCISES
    return set(EXERCISES.get(module, ()))
