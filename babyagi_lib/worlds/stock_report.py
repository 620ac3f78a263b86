"""A small office job for a task loop, and a talkative worker who does it. Used by lesson 14. Imports no torch.

The objective is a report on what the stock of a workshop is worth. For each of six things the loop has to find the price and
the number in stock, and then to multiply: 18 questions, so 18 tasks are the shortest run. The worker stands for the language
model of a task loop. It is no model at all but a few random rules, so that what a model is blamed for has a known size: how many
new tasks it proposes on average (m), how many of them nobody asked for, and how often it drops a task from a list that it
is told to sort.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.basics.arguments import check_number

OBJECTIVE = "Write a report on what the stock of the workshop is worth."
PRICES = {"brass gear": 12, "steel shaft": 31, "copper pipe": 8, "rubber seal": 2, "oak crate": 17, "iron hook": 5}
STOCK = {"brass gear": 40, "steel shaft": 14, "copper pipe": 75, "rubber seal": 260, "oak crate": 9, "iron hook": 120}
THINGS = tuple(PRICES)

# What a task can ask about a thing, each in four wordings. Nobody needs the last six.
WORDINGS = {
    "price": (
        "Find the price of the {}.",
        "Look up what one {} costs.",
        "Check the price list for the {}.",
        "How much does a {} cost?",
    ),
    "number": (
        "Count how many pieces of the {} are in stock.",
        "Find the number of {}s in the store room.",
        "How many {}s do we have?",
        "Check the stock level of the {}.",
    ),
    "worth": (
        "Work out what all {}s in stock are worth.",
        "Multiply price and number of the {}.",
        "Compute the total value of the {}s.",
        "What is our whole stock of the {} worth?",
    ),
    "history": (
        "Write about the history of the {}.",
        "Research where the {} was invented.",
        "Find out who made the first {}.",
        "Summarise the origins of the {}.",
    ),
    "colour": (
        "Describe the colour of the {}.",
        "Find out what colour the {} has.",
        "Note which colours the {} comes in.",
        "Which colour is the {}?",
    ),
    "slogan": (
        "Invent a slogan for the {}.",
        "Write an advertising line for the {}.",
        "Think of a catchy phrase to sell the {}.",
        "Draft a slogan that praises the {}.",
    ),
    "rivals": (
        "List shops that also sell the {}.",
        "Find competitors who offer the {}.",
        "Who else sells a {}?",
        "Research the market for the {}.",
    ),
    "photo": (
        "Take a photo of the {}.",
        "Find a good picture of the {}.",
        "Arrange for the {} to be photographed.",
        "Choose a photograph that shows the {}.",
    ),
    "packing": (
        "Design a box for the {}.",
        "Decide how the {} should be wrapped.",
        "Choose packing material for the {}.",
        "Plan the packaging of the {}.",
    ),
}
NEEDED = ("price", "number", "worth")
IDLE = tuple(name for name in WORDINGS if name not in NEEDED)
RESULTS = {
    "price": "The price of one {} is {} euros.",
    "number": "The number of {}s in stock is {}.",
    "worth": "All {}s in stock are worth {} euros.",
}


class Question(NamedTuple):
    """What a task asks: one of `WORDINGS` about one of `THINGS`."""

    about: str
    thing: str


class Result(NamedTuple):
    """What came of a task: a text, and whether it answers the task's question."""

    text: str
    answered: bool


ASKED = {
    wording.format(thing): Question(about, thing)
    for about, wordings in WORDINGS.items()
    for wording in wordings
    for thing in THINGS
}
QUESTIONS = tuple(Question(about, thing) for about in NEEDED for thing in THINGS)


def question(text: str) -> Question:
    """The question that a task's text asks.

    Raises:
        ValueError: it is no text of this world.
    """
    if text not in ASKED:
        raise ValueError(f"no task of this world says {text!r}")
    return ASKED[text]


def answer(task: str, recalled: Sequence[str]) -> Result:
    """Do a task. To multiply, price and number must be among the texts that are recalled."""
    about, thing = question(task)
    found = {"price": PRICES[thing], "number": STOCK[thing], "worth": PRICES[thing] * STOCK[thing]}
    if about not in NEEDED:
        return Result(f"Here is a note on the {about} of the {thing}.", True)
    wanted = [RESULTS[part].format(thing, found[part]) for part in ("price", "number")]
    if about == "worth" and not set(wanted) <= set(recalled):
        return Result(f"What the {thing}s are worth cannot be said without price and number.", False)
    return Result(RESULTS[about].format(thing, found[about]), True)


def still_open(answered: Sequence[Question]) -> list[Question]:
    """The questions of the objective that no result has answered yet, in the order in which they can be answered."""
    return [asked for asked in QUESTIONS if asked not in set(answered)]


class Worker:
    """Executes, proposes and sorts tasks, with known faults.

    Args:
        m: new tasks for each finished task, on average; their number has a Poisson distribution.
        astray: the share of new tasks that nobody needs.
        drops: the probability that a task is left out when the worker writes the list anew.
        rng: where chance comes from.

    Raises:
        ValueError: a parameter is out of its range.
    """

    def __init__(self, m: float, *, astray: float = 0.4, drops: float = 0.05, rng: np.random.Generator) -> None:
        check_number("m", m, 0)
        check_number("astray", astray, 0, 1)
        check_number("drops", drops, 0, 1)
        self.m, self.astray, self.drops, self.rng = m, astray, drops, rng

    def execute(self, objective: str, task: str, recalled: Sequence[str]) -> Result:
        """Do one task, given what memory recalled; see `answer`."""
        return answer(task, recalled)

    def create(self, objective: str, task: str, result: Result, waiting: Sequence[str]) -> list[str]:
        """New tasks. The worker looks neither at what is known nor at what is waiting."""
        return [self.propose() for _ in range(self.rng.poisson(self.m))]

    def propose(self, asked: Question | None = None) -> str:
        """A task in one of its wordings: one that asks this question, or any."""
        about, thing = asked or Question("", THINGS[self.rng.integers(len(THINGS))])
        if asked is None:
            kind = IDLE if self.rng.random() < self.astray else NEEDED
            about = kind[self.rng.integers(len(kind))]
        return WORDINGS[about][self.rng.integers(4)].format(thing)

    def priority(self, objective: str, task: str) -> int:
        """What comes first has the lower number: facts, then sums, then what nobody needs."""
        about = question(task).about
        return {"price": 0, "number": 0, "worth": 1}.get(about, 2)

    def rewrite(self, objective: str, waiting: Sequence[str]) -> list[str]:
        """The waiting tasks in order of priority, written anew: each one is forgotten with probability `drops`."""
        kept = [task for task in waiting if self.rng.random() >= self.drops]
        return sorted(kept, key=lambda task: self.priority(objective, task))


def wordings_compared(cosines: Callable[[Sequence[str], Sequence[str]], NDArray]) -> tuple[NDArray, NDArray]:
    """How alike two different task texts are, by a function of texts and texts: those of one question, and all other pairs.

    Returns:
        Two arrays of cosines.
    """
    texts = list(ASKED)
    similar = np.asarray(cosines(texts, texts))
    same = np.array([[ASKED[one] == ASKED[other] for other in texts] for one in texts])
    upper = np.triu(np.ones_like(same), 1).astype(bool)
    return similar[upper & same], similar[upper & ~same]
