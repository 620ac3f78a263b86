"""The quiz at the end of a lesson: a few questions, each option with its explanation. Used by every notebook.

`ask` writes one output with two forms into the notebook. Front ends with a kernel (JupyterLab, Colab) show a widget,
which also saves right answers in the learner's journal. Without a kernel (the book, GitHub, print) it is HTML, in which
a click opens an explanation. The questions are in `quizzes/`, one YAML file for each lesson.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from babyagi_lib.basics import strict_yaml
from babyagi_lib.learner import journal, lessons, widgets

if TYPE_CHECKING:
    import ipywidgets


class QuizError(ValueError):
    """A quiz does not exist or is malformed; the message says where."""


@dataclass(frozen=True)
class Option:
    """One of a question's answers, with why it is right or wrong."""

    text: str
    because: str
    right: bool


@dataclass(frozen=True)
class Question:
    """A question with three or more options, one of them right."""

    text: str
    options: tuple[Option, ...]


def load(lesson: str) -> list[Question]:
    """Read a lesson's questions.

    Raises:
        QuizError: there is no such quiz, or a question lacks a text, three options, explanations, or one right option.
    """
    path = lessons.QUIZZES / f"{lesson}.yml"
    if not path.is_file():
        raise QuizError(f"there is no quiz for {lesson!r}; there are: {', '.join(lessons.names())}")
    try:
        entries = strict_yaml.read(path)
    except ValueError as error:
        raise QuizError(f"{path.name}: {error}") from error
    if not isinstance(entries, list) or not entries:
        raise QuizError(f"{path.name}: expected a list of questions with options")
    return [_read(entry, f"{path.name}, question {number}") for number, entry in enumerate(entries, start=1)]


def _read(entry: Any, where: str) -> Question:
    match entry:
        case {"question": str(text), "options": list(listed)} if len(entry) == 2:
            options = tuple(_option(option, f"{where}, option {n}") for n, option in enumerate(listed, start=1))
        case _:
            raise QuizError(f"{where}: expected question (text) and options (a list), and nothing else")
    right = sum(option.right for option in options)
    if len(options) < 3 or right != 1:
        raise QuizError(
            f"{where}: {len(options)} options, {right} of them right; expected at least 3 options, 1 of them right"
        )
    return Question(text, options)


def _option(entry: Any, where: str) -> Option:
    match entry:
        case {"text": str(text), "because": str(because), "right": bool(right)} if len(entry) == 3:
            return Option(text, because, right)
        case {"text": str(text), "because": str(because)} if len(entry) == 2:
            return Option(text, because, False)
    raise QuizError(f"{where}: expected text and because (both text), and right: true if it is right")


def ask(lesson: str) -> None:
    """Show a lesson's quiz.

    Raises:
        QuizError: as `load`.
    """
    questions = load(lesson)
    listed = "\n".join(f"{number}. {question.text}" for number, question in enumerate(questions, start=1))
    widgets.show(_widget(lesson, questions), {"text/html": as_html(questions), "text/plain": listed})


def as_html(questions: list[Question]) -> str:
    """The quiz without a kernel: every option opens its explanation. The book's `progress.js` counts what is opened."""
    parts = []
    for number, question in enumerate(questions, start=1):
        options = "".join(
            f'<details class="quiz-option"{" data-right" if option.right else ""}><summary>{_rich(option.text)}</summary>'
            f"<p>{_explained(option)}</p></details>"
            for option in question.options
        )
        parts.append(
            f'<div class="quiz" data-question="{number}"><p class="quiz-question"><strong>{number}.</strong> {_rich(question.text)}</p>{options}</div>'
        )
    return "".join(parts)


def _widget(lesson: str, questions: list[Question]) -> ipywidgets.Widget:
    import ipywidgets

    return ipywidgets.VBox([_question(lesson, number, question) for number, question in enumerate(questions, start=1)])


def _question(lesson: str, number: int, question: Question) -> ipywidgets.Widget:
    import ipywidgets

    letters = [chr(ord("A") + i) for i in range(len(question.options))]
    listed = "".join(f"<p>{letter}. {_rich(o.text)}</p>" for letter, o in zip(letters, question.options, strict=True))
    text = ipywidgets.HTML(f"<p><strong>{number}.</strong> {_rich(question.text)}</p>{listed}")
    buttons = ipywidgets.ToggleButtons(
        options=letters,
        value=None,
        tooltips=[option.text for option in question.options],
        style={"button_width": "3em"},
    )
    answer = ipywidgets.HTML()
    tried: list[str] = []

    def explain(change: dict[str, Any]) -> None:
        letter = change["new"]
        if letter is None:
            return
        option = question.options[letters.index(letter)]
        if letter not in tried:
            tried.append(letter)
        answer.value = f"<p>{letter}. {_explained(option)}</p>"
        if option.right:
            try:
                journal.record_answer(lesson, number, len(tried))
            except journal.JournalError as error:
                answer.value += f"<p>(Your progress was not saved: {html.escape(str(error))}.)</p>"

    buttons.observe(explain, names="value")
    return ipywidgets.VBox([text, buttons, answer])


def _explained(option: Option) -> str:
    return f"<strong>{'Right.' if option.right else 'No.'}</strong> {_rich(option.because)}"


def _rich(text: str) -> str:
    """Escaped text with `code` in backticks as HTML."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text.strip(), quote=False))
