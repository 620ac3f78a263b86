"""Machine parts, the notes that workers write about them, and what each decision is worth. Used by lesson 09.

A part has a shape, a material, and is cracked or not. A worker writes a note about it and then decides: one of six bins,
scrap, or call a human. Everything is invented, and everything is known: the words, how often a note leaves something out,
how often the worker decides wrongly, and the reward of each decision. So the expected reward of every decision after every
note is computed and not estimated. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.basics.arguments import check_number, check_whole

SHAPES = ("gear", "shaft", "plate")
MATERIALS = ("steel", "brass")
STATES = ("whole", "cracked")
CRACKED = 0.2  # the share of parts that are cracked; shapes and materials are equally frequent
BINS = tuple(f"{shape}+{material}" for shape in SHAPES for material in MATERIALS)
ANSWERS = (*BINS, "scrap", "human")
SCRAP, HUMAN = 6, 7

# Rewards of a decision.
RIGHT_BIN, WRONG_BIN, SHIPPED_CRACKED = 1.0, -1.0, -1.5
SCRAPPED_CRACKED, SCRAPPED_WHOLE, CALLED_HUMAN = 1.0, -0.5, -0.2

# Words for what a note can say, by property and value. The last word of each list is never in the training text.
WORDS = {
    "shape": (("gear", "cog", "wheel", "sprocket"), ("shaft", "rod", "axle", "spindle"), ("plate", "sheet", "panel", "slab")),
    "material": (("steel", "grey", "magnetic", "ferrous"), ("brass", "yellow", "golden", "coppery")),
    "state": (("whole", "intact", "flawless", "unbroken"), ("cracked", "split", "rattling", "fractured")),
}
LEFT_OUT = {"shape": ("part", "piece"), "material": ("dirty", "painted"), "state": ("unchecked", "untested")}
TEMPLATES = (
    ("{material}", "{shape}", "{state}"),
    ("{shape}", ",", "{material}", ",", "{state}"),
    ("a", "{state}", "{material}", "{shape}"),
    ("found", "{state}", ":", "{shape}", ",", "{material}"),
    ("this", "{shape}", "is", "{state}", "and", "{material}"),
    ("{material}", "and", "{state}", ",", "a", "{shape}"),
)
USUAL, PARAPHRASED = (0, 1, 2), (3, 4, 5)  # templates
PAD, DECIDE, REPORT = "<pad>", "=>", "report"
VOCABULARY = tuple(
    dict.fromkeys(
        (
            *(PAD, DECIDE, REPORT, *ANSWERS),
            *(word for lists in WORDS.values() for words in lists for word in words),
            *(word for words in LEFT_OUT.values() for word in words),
            *(word for template in TEMPLATES for word in template if "{" not in word),
        )
    )
)
PIECES = {word: number for number, word in enumerate(VOCABULARY)}
ANSWER_PIECES = np.array([PIECES[answer] for answer in ANSWERS])
REPORT_PIECES = tuple(np.array([PIECES[name] for name in names]) for names in (SHAPES, MATERIALS, STATES))


def reward_table() -> NDArray[np.float64]:
    """The reward of each decision for each part: (3 shapes, 2 materials, 2 states, 8 answers)."""
    table = np.full((3, 2, 2, len(ANSWERS)), WRONG_BIN)
    for shape in range(3):
        for material in range(2):
            table[shape, material, 0, 2 * shape + material] = RIGHT_BIN
    table[:, :, 1, :SCRAP] = SHIPPED_CRACKED
    table[:, :, 0, SCRAP], table[:, :, 1, SCRAP] = SCRAPPED_WHOLE, SCRAPPED_CRACKED
    table[..., HUMAN] = CALLED_HUMAN
    return table


@dataclass(frozen=True, eq=False)
class Notes:
    """Notes and what they say: `texts` are words, `said` is (notes, 3), the value of shape, material and state, -1 if left out."""

    texts: tuple[tuple[str, ...], ...]
    said: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, chosen: slice | Sequence[int] | NDArray) -> Notes:
        rows = np.arange(len(self))[chosen]
        return Notes(tuple(self.texts[row] for row in rows), self.said[rows])

    def beliefs(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """The probability of each shape, material and state, given the note: (notes, 3), (notes, 2), (notes, 2).

        What a note says is true; what it leaves out is as frequent as among all parts.
        """
        priors = (np.full(3, 1 / 3), np.full(2, 1 / 2), np.array([1 - CRACKED, CRACKED]))
        return tuple(
            np.where(said[:, None] < 0, prior, np.eye(len(prior))[said])
            for said, prior in zip(self.said.T, priors, strict=True)
        )

    def rewards(self) -> NDArray[np.float64]:
        """The expected reward of each decision after each note, (notes, 8)."""
        return np.einsum("ns,nm,nc,smca->na", *self.beliefs(), reward_table(), optimize=True)

    def worker(self) -> NDArray[np.float64]:
        """The probability of each decision of the worker who wrote the note, (notes, 8).

        In half of the cases the worker decides for the highest expected reward, in three of ten as if the part were whole,
        and in two of ten at random.
        """
        whole = Notes(self.texts, np.where(np.arange(3) == 2, 0, self.said))
        return 0.5 * _best(self.rewards()) + 0.3 * _best(whole.rewards()) + 0.2 / len(ANSWERS)

    def report(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """The probabilities of the three pieces of the worker's report: six of ten are read off the note, the rest guessed."""
        return tuple(0.6 * belief + 0.4 / belief.shape[1] for belief in self.beliefs())

    def inputs(self, end: str = DECIDE) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The ids of the pieces, with `end` after the note and padding after it, (notes, longest), and the place of `end`."""
        longest = max(map(len, self.texts)) + 1
        ids = np.full((len(self), longest), PIECES[PAD])
        for row, text in enumerate(self.texts):
            try:
                ids[row, : len(text) + 1] = [PIECES[word] for word in (*text, end)]
            except KeyError as word:
                raise ValueError(f"note {row} has the word {word}, which is not in the vocabulary") from None
        return ids, np.array([len(text) for text in self.texts])


def write_notes(
    number: int,
    rng: np.random.Generator,
    templates: Sequence[int] = USUAL + PARAPHRASED,
    words: Sequence[int] = (0, 1, 2),
    left_out: float = 0.15,
) -> Notes:
    """Notes about random parts.

    Args:
        number: how many.
        rng: where chance comes from.
        templates: which of `TEMPLATES` are used, each as often as any other.
        words: which of the four words for each value are used.
        left_out: the probability that a note leaves out the shape, the material or the state, each by itself.

    Raises:
        ValueError: a parameter is out of its range.
    """
    check_whole("number", number, 1)
    check_number("left_out", left_out, 0, 1)
    if not set(templates) <= set(range(len(TEMPLATES))) or not templates:
        raise ValueError(f"templates must be numbers from 0 to {len(TEMPLATES) - 1}, not {templates}")
    if not set(words) <= {0, 1, 2, 3} or not words:
        raise ValueError(f"words must be numbers from 0 to 3, not {words}")
    truth = np.column_stack([rng.integers(3, size=number), rng.integers(2, size=number), rng.random(number) < CRACKED])
    said = np.where(rng.random((number, 3)) < left_out, -1, truth).astype(np.int64)
    texts = []
    for row in said:
        chosen = {}
        for (name, lists), value in zip(WORDS.items(), row, strict=True):
            choice = [lists[value][word] for word in words] if value >= 0 else LEFT_OUT[name]
            chosen[name] = choice[rng.integers(len(choice))]
        template = TEMPLATES[templates[rng.integers(len(templates))]]
        texts.append(tuple(word.format(**chosen) for word in template))
    return Notes(tuple(texts), said)


def draw(probabilities: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """One choice for each row of probabilities, (rows, choices) to (rows,)."""
    edges = probabilities.cumsum(axis=1)
    return (rng.random((len(edges), 1)) * edges[:, -1:] >= edges[:, :-1]).sum(axis=1)


def worked_examples(notes: Notes, rng: np.random.Generator) -> NDArray[np.int64]:
    """The training text: each note twice, once with the worker's decision and once with the worker's report.

    Returns:
        Ids of pieces, padded at the end: (2 · notes, longest).
    """
    (decide, at), (report, _) = notes.inputs(DECIDE), notes.inputs(REPORT)
    rows, room = np.arange(len(notes)), np.full((len(notes), 3), PIECES[PAD])
    decide, report = np.hstack([decide, room]), np.hstack([report, room])
    decide[rows, at + 1] = ANSWER_PIECES[draw(notes.worker(), rng)]
    for place, (pieces, probabilities) in enumerate(zip(REPORT_PIECES, notes.report(), strict=True)):
        report[rows, at + 1 + place] = pieces[draw(probabilities, rng)]
    return np.concatenate([decide, report])


def _best(rewards: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability 1 for the highest reward of each row; equal ones share it."""
    best = np.isclose(rewards, rewards.max(axis=1, keepdims=True))
    return best / best.sum(axis=1, keepdims=True)
