"""Instructions for the rooms of `fetch`: MiniGrid's own, and others that no agent of lesson 10 trains on.

Used by lesson 10. The paraphrases were written for this course, in five groups by what they change. MiniGrid knows five
wordings, two nouns and six colour words. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.worlds.fetch import COLOURS, KINDS, PHRASES

# {} is the thing; {c} and {k} are its colour and its kind, where they do not stand side by side.
PARAPHRASES = {
    "other verbs": (
        "pick up the {}",
        "grab the {}",
        "collect a {}",
        "retrieve the {}",
        "take one {}",
        "seize a {} at once",
        "lift the {} off the floor",
        "secure a {}",
        "obtain the {}",
        "carry off a {}",
    ),
    "polite questions": (
        "could you hand me a {}?",
        "would you mind picking up the {}?",
        "may I ask you for a {}?",
        "will you find the {} for me?",
        "can you see a {}? please take it",
        "would it be possible to have the {}?",
        "could someone please collect that {}?",
        "do me a favour and grab a {}, will you?",
        "are you able to bring the {} here?",
        "please, may I have one {}?",
    ),
    "statements": (
        "I need a {}",
        "what I want is a {}",
        "the {} is yours to take",
        "we are looking for a {}",
        "your target is the {}",
        "this task is about a {}",
        "only the {} counts today",
        "my colleague is waiting for a {}",
        "the next item on the list is a {}",
        "someone has ordered a {}",
    ),
    "noun before colour": (
        "take the {k} that is {c}",
        "there is a {k} in this room, and it is {c}: pick it up",
        "the {k} you need is the {c} one",
        "of all the {k}s, choose a {c} one",
        "find a {k}; its colour must be {c}",
        "I am after a {k}, {c} if possible",
        "a {k} painted {c} is wanted",
        "look for a {k} with a {c} surface",
        "the {k} should be {c}, so pick that up",
        "bring a {k} whose colour is {c}",
    ),
    "more words": (
        "ignore everything else in here and pick up the {}",
        "walk around until you find a {}, then take it with you",
        "somewhere on the floor of this room lies a {}; collect it",
        "when you stand in front of the {}, pick it up, and not before",
        "you will be paid as soon as you hold the {} in your hands",
        "touch nothing on your way until you reach a {}, which you take",
        "there may be other things lying about, but all we want is a {}",
        "hurry up, because the {} has to be picked up as quickly as possible",
        "this morning somebody dropped a {} here, and she would like it back",
        "the shorter your way to the {} is, the more you earn for taking it",
    ),
}
NOUNS = {"key": ("latchkey", "passkey", "door key"), "ball": ("sphere", "orb", "marble")}
COLOUR_WORDS = {
    "red": ("crimson", "scarlet"),
    "green": ("emerald", "olive"),
    "blue": ("azure", "navy"),
    "purple": ("violet", "mauve"),
    "yellow": ("golden", "lemon"),
    "grey": ("silver", "slate"),
}


def write(
    phrases: Sequence[str] = PHRASES,
    colours: Sequence[str] = COLOURS,
    kinds: Sequence[str] = KINDS,
) -> list[str]:
    """Every phrase with every thing: sentence number phrase · 12 + thing, in the order of `fetch.THINGS`.

    Args:
        phrases: each with {}, or with {c} and {k}.
        colours: a word for each of `fetch.COLOURS`.
        kinds: a word for each of `fetch.KINDS`.
    """
    if len(colours) != len(COLOURS) or len(kinds) != len(KINDS) or not phrases:
        raise ValueError(f"expected a phrase, {len(COLOURS)} colours and {len(KINDS)} kinds")
    return [
        phrase.format(f"{colour} {kind}", c=colour, k=kind)
        for phrase in phrases
        for kind in kinds
        for colour in colours
    ]


def held_out() -> dict[str, list[str]]:
    """Instructions by what is new in them, each a list of `write`."""
    new = {name: write(phrases) for name, phrases in PARAPHRASES.items()}
    each = range(len(NOUNS["key"]))
    new["new nouns"] = [s for n in each for s in write(kinds=[NOUNS[kind][n] for kind in KINDS])]
    each = range(len(COLOUR_WORDS["red"]))
    new["new colour words"] = [s for n in each for s in write(colours=[COLOUR_WORDS[c][n] for c in COLOURS])]
    return new


def words(sentences: Sequence[str], known: Sequence[str]) -> NDArray[np.float32]:
    """Bags of words: how often each word of the sentences `known` stands in each sentence, (sentences, words).

    A word that is in no known sentence is not seen.
    """
    split = [_split(sentence) for sentence in sentences]
    places = {word: place for place, word in enumerate(sorted({word for s in known for word in _split(s)}))}
    counts = np.zeros((len(split), len(places)), dtype=np.float32)
    for row, found in zip(counts, split, strict=True):
        for word in found:
            if word in places:
                row[places[word]] += 1
    return counts


def one_hot(sentences: Sequence[str], known: Sequence[str]) -> NDArray[np.float32]:
    """One number for each known sentence, (sentences, known): 1 where it is that sentence. A new one is all zeros."""
    known = np.asarray(known)
    return (np.asarray(sentences)[:, None] == known[None]).astype(np.float32)


def _split(sentence: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in sentence.lower()).split()
