"""The names of the lessons. A lesson has the name of its quiz, such as `06_q_learning`; so has its notebook.

A module for one lesson carries that name without the number, since a name in Python cannot begin with one. Used by
`checks`, `quiz` and `progress`.
"""

from __future__ import annotations

from pathlib import Path

QUIZZES = Path(__file__).parent / "quizzes"


def names() -> list[str]:
    """All lessons, in order."""
    return sorted(path.stem for path in QUIZZES.glob("*.yml"))


def module_of(lesson: str) -> str:
    """The name of the lesson's modules, such as `q_learning`."""
    return lesson.partition("_")[2]


def lesson_of(module: str) -> str:
    """The lesson that a module is for, by the module's full name."""
    name = module.rpartition(".")[2]
    return next((lesson for lesson in names() if module_of(lesson) == name), name)
