"""The quiz at the end of a lesson: a few questions, each option with its explanation. Used by every notebook.

`ask` puts one output into the notebook that carries both: a widget for front ends with a kernel (JupyterLab, Colab),
which also notes right answers in the learner's journal, and HTML that opens an explanation on a click where nothing
is running (the book, GitHub, print). The questions lie in `quizzes/`, one YAML file for each lesson.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from babyagi_lib import journal

if TYPE_CHECKING:
    import ipywidgets

FOLDER = Path(__file__).parent / "quizzes"


class QuizError(ValueError):
    """A quiz does not exist or is not as it has to be; the message says where."""


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


def lessons() -> list[str]:
    """Names of the lessons that have a quiz, such as `04_ner_finetuning`."""
    return sorted(path.stem for path in FOLDER.glob("*.yml"))


def load(lesson: str) -> list[Question]:
    """Read a lesson's questions.

    Raises:
        QuizError: there is no such quiz, or a question lacks a text, three options, explanations, or one right option.
    """
    import yaml

    path = FOLDER / f"{lesson}.yml"
    if not path.is_file():
        raise QuizError(f"there is no quiz for {lesson!r}; there are: {', '.join(lessons())}")
    try:
        questions = [
            Question(q["question"], tuple(Option(o["text"], o["because"], o.get("right", False)) for o in q["options"]))
            for q in yaml.safe_load(path.read_text(encoding="utf-8"))
        ]
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise QuizError(f"{path.name}: expected a list of questions with options ({error})") from error
    for number, question in enumerate(questions, start=1):
        right = sum(option.right is True for option in question.options)
        if len(question.options) < 3 or right != 1:
            raise QuizError(f"{path.name}, question {number}: {len(question.options)} options, {right} of them right")
    return questions


def ask(lesson: str) -> None:
    """Show a lesson's quiz.

    Raises:
        QuizError: as `load`.
    """
    from IPython.display import display

    questions = load(lesson)
    box = _widget(lesson, questions)
    display(
        {
            "application/vnd.jupyter.widget-view+json": {
                "model_id": box.model_id,
                "version_major": 2,
                "version_minor": 0,
            },
            "text/html": as_html(questions),
            "text/plain": "\n".join(f"{n}. {question.text}" for n, question in enumerate(questions, start=1)),
        },
        raw=True,
    )


def as_html(questions: list[Question]) -> str:
    """The quiz without a kernel: every option opens its explanation."""
    parts = []
    for number, question in enumerate(questions, start=1):
        options = "".join(
            f'<details class="quiz-option"><summary>{_rich(option.text)}</summary><p>{_explained(option)}</p></details>'
            for option in question.options
        )
        parts.append(
            f'<div class="quiz"><p class="quiz-question"><strong>{number}.</strong> {_rich(question.text)}</p>{options}</div>'
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
                answer.value += f"<p>(Your progress was not noted: {html.escape(str(error))}.)</p>"

    buttons.observe(explain, names="value")
    return ipywidgets.VBox([text, buttons, answer])


def _explained(option: Option) -> str:
    return f"<strong>{'Right.' if option.right else 'No.'}</strong> {_rich(option.because)}"


def _rich(text: str) -> str:
    """Escaped text with `code` in backticks as HTML."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text.strip(), quote=False))
