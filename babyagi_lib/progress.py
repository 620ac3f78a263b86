"""How far a learner is, over all lessons. Used by lesson 00."""

from __future__ import annotations

from babyagi_lib import checks, journal, quiz


def show() -> None:
    """Print what has been solved and answered, a line for each lesson.

    Raises:
        JournalError: the learner's file cannot be read.
    """
    done = journal.read()
    print(f"{'lesson':26}{'exercises':>14}{'quiz':>10}")
    for lesson in quiz.lessons():
        solved, answered = (done.get(lesson, {}).get(kind, ()) for kind in ("exercises", "quiz"))
        exercises, questions = len(checks.EXERCISES[lesson]), len(quiz.load(lesson))
        print(f"{lesson:26}{f'{len(solved)} of {exercises}':>14}{f'{len(answered)} of {questions}':>10}")
    print(f"(kept in {journal.FILE} beside this notebook; delete the file to start anew)")
