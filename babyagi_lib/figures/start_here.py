"""The figures of lesson 00: a map of the course, and the cosine between a message and each example."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

from babyagi_lib.figures.base import BLUE, GREEN, GREY, ORANGE, PURPLE, show
from babyagi_lib.figures.diagrams import Arrow, Box, canvas, chain, draw


def course_map() -> None:
    """The parts of the course and the lessons that build them, as a loop."""
    boxes = {
        "data": Box(0.95, 4.3, "text", 1.2),
        "pretraining": Box(0.95, 3.4, "pretraining\nLesson 1", 1.5, BLUE),
        "encoder": Box(0.95, 2.4, "encoder", 1.5, BLUE),
        "heads": Box(3.5, 2.4, "heads, adapters\nLesson 2", 1.6, GREEN),
        "tuning": Box(3.5, 3.4, "loss, fine-tuning\nLessons 3 and 4", 1.6, GREEN),
        "few": Box(3.5, 4.3, "few examples\nLesson 5", 1.6, ORANGE),
        "reward": Box(6.0, 4.3, "reward, tables\nLesson 6", 1.7, PURPLE),
        "policies": Box(6.0, 3.4, "policies, networks\nLessons 7 and 8", 1.7, PURPLE),
        "language": Box(6.0, 2.4, "language model\nLesson 9", 1.7, PURPLE),
        "agent": Box(6.0, 1.3, "agent\nLessons 10 to 12", 1.7, PURPLE),
        "update": Box(3.5, 1.3, "model update\nLesson 13", 1.6, GREEN),
        "loop": Box(6.0, 0.4, "task loop\nLesson 14", 1.7, PURPLE),
        "use": Box(3.5, 0.4, "agents in use\nLessons 15 to 18", 1.6, ORANGE),
    }
    arrows = [
        *chain("data", "pretraining", "encoder", "heads", "tuning", "few", "reward", "policies", "language", "agent"),
        Arrow("agent", "update"),
        Arrow("update", "encoder", bend=-0.2),
        Arrow("agent", "loop"),
        Arrow("loop", "use"),
    ]
    figure, axes = canvas(7.0, 4.9)
    draw(axes, boxes, arrows)
    show(
        figure,
        "The course as a loop. Pretraining on text (Lesson 1) gives an encoder. Heads and adapters (Lesson 2) fit it to a "
        "task. A loss and fine-tuning (Lessons 3 and 4) train it. Then come few examples (Lesson 5) and reward: in tables "
        "(Lesson 6), for policies and networks (Lessons 7 and 8) and for a language model (Lesson 9). An agent reads, senses "
        "and acts (Lessons 10 to 12). Its experience updates the model (Lesson 13), which is the encoder again. The agent also "
        "leads to a loop of tasks with tools and memory (Lesson 14), and to agents in use (Lessons 15 to 18).",
    )


def nearest_examples(cosines: np.ndarray, categories: np.ndarray, answer: str) -> None:
    """The cosine between a message and each labelled example, with one row for each category.

    Args:
        cosines: (examples,) cosine between the message and each example.
        categories: (examples,) their categories.
        answer: the category of the nearest example.
    """
    best = {name: cosines[categories == name].max() for name in np.unique(categories)}
    rows = sorted(best, key=best.get)
    figure, axes = plt.subplots(figsize=(6.6, 5.6), constrained_layout=True)
    for row, name in enumerate(rows):
        values = cosines[categories == name]
        axes.plot(values, [row] * len(values), "o", color=ORANGE if name == answer else GREY, markersize=5, alpha=0.8)
    axes.plot(best[answer], rows.index(answer), "o", markersize=12, markerfacecolor="none", markeredgecolor=BLUE)
    axes.set(xlabel="cosine with the message", yticks=range(len(rows)))
    axes.set_yticklabels(rows, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    second = rows[-2]
    show(
        figure,
        f"The cosine between the message and each of {len(cosines)} examples, a row for each of {len(rows)} categories. "
        f"The nearest is in {answer} ({best[answer]:.2f}), the next category is {second} ({best[second]:.2f}).",
    )
