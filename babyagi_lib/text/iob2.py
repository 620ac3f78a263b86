"""Tags in the IOB2 scheme: the mentions they mark, the best valid sequence, and scores. Used by lessons 02 and 04."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np


def tag_set(tags: Iterable[Sequence[str]]) -> list[str]:
    """All tags of a corpus, O first, then B- and I- of every type seen, in alphabetical order of the types."""
    types = sorted({tag[2:] for sentence in tags for tag in sentence if tag != "O"})
    return ["O", *(f"{prefix}-{kind}" for kind in types for prefix in "BI")]


def entities(tags: Sequence[str]) -> list[tuple[str, int, int]]:
    """Mentions in one sentence of IOB2 tags, as (type, first word, one past the last word).

    Read as conlleval and seqeval's default mode do: an I- that continues nothing opens a mention too, since a
    model is free to predict one.
    """
    found: list[tuple[str, int, int]] = []
    start, kind = 0, None
    for i, tag in enumerate([*tags, "O"]):
        if kind is not None and tag != f"I-{kind}":
            found.append((kind, start, i))
            kind = None
        if tag != "O" and kind is None:
            start, kind = i, tag[2:]
    return found


def best_valid_path(scores: np.ndarray, tag_names: Sequence[str]) -> list[int]:
    """The sequence of tags with the highest sum of log-probabilities among those that IOB2 allows (Viterbi 1967).

    In IOB2, I-X may only follow B-X or I-X.

    Args:
        scores: (words, tags) logits.
        tag_names: the tags in the order of the columns.

    Returns:
        A tag index for each word.
    """
    if len(scores) == 0:
        return []
    allowed = np.array([[to[0] != "I" or to[2:] == before[2:] for to in tag_names] for before in tag_names])
    forbidden = np.where(allowed, 0.0, -np.inf)
    log_probabilities = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
    best = log_probabilities[0] + forbidden[tag_names.index("O")]  # before the first word it is as after an O
    came_from = []
    for row in log_probabilities[1:]:
        through = best[:, None] + forbidden  # (tag before, tag now)
        came_from.append(through.argmax(axis=0))
        best = through.max(axis=0) + row
    path = [int(best.argmax())]
    for step in reversed(came_from):
        path.append(int(step[path[-1]]))
    return path[::-1]


@dataclass(frozen=True)
class Scores:
    """The same predictions, scored in four ways. All values are shares between 0 and 1.

    Attributes:
        entity_f1: micro-averaged over mentions; a mention counts if type and both ends are right.
        entity_precision, entity_recall: its two parts.
        token_accuracy: share of words with the right tag.
        token_f1_without_o: micro-averaged over tags other than O.
        always_o_accuracy: token accuracy of a model that answers O to everything.
    """

    entity_f1: float
    entity_precision: float
    entity_recall: float
    token_accuracy: float
    token_f1_without_o: float
    always_o_accuracy: float


def score(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> Scores:
    """Score predicted tags against gold tags, entity-level and token-level side by side.

    Raises:
        ValueError: the two differ in the number of sentences or of words in one.
    """
    _must_agree(gold, predicted)
    right = found = wanted = 0
    for g, p in zip(gold, predicted, strict=True):
        gold_mentions, predicted_mentions = set(entities(g)), set(entities(p))
        right += len(gold_mentions & predicted_mentions)
        found += len(predicted_mentions)
        wanted += len(gold_mentions)
    pairs = [pair for g, p in zip(gold, predicted, strict=True) for pair in zip(g, p, strict=True)]
    same = sum(g == p for g, p in pairs)
    same_not_o = sum(g == p != "O" for g, p in pairs)
    return Scores(
        entity_f1=_ratio(2 * right, found + wanted),
        entity_precision=_ratio(right, found),
        entity_recall=_ratio(right, wanted),
        token_accuracy=_ratio(same, len(pairs)),
        token_f1_without_o=_ratio(2 * same_not_o, sum(g != "O" for g, _ in pairs) + sum(p != "O" for _, p in pairs)),
        always_o_accuracy=_ratio(sum(g == "O" for g, _ in pairs), len(pairs)),
    )


def _must_agree(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> None:
    if len(gold) != len(predicted):
        raise ValueError(f"{len(gold)} sentences, and {len(predicted)} were predicted; expected the same number")
    for s, (g, p) in enumerate(zip(gold, predicted, strict=True)):
        if len(g) != len(p):
            raise ValueError(f"sentence {s} has {len(g)} tags, and {len(p)} were predicted; expected the same number")


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def confusion(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> tuple[list[str], np.ndarray]:
    """Words by gold type (rows) and predicted type (columns), O last; prefixes B- and I- are merged.

    Raises:
        ValueError: as `score`.
    """
    _must_agree(gold, predicted)
    types = [*sorted({tag[2:] for s in (*gold, *predicted) for tag in s if tag != "O"}), "O"]
    index = {kind: i for i, kind in enumerate(types)}
    table = np.zeros((len(types), len(types)), dtype=int)
    for g, p in zip(gold, predicted, strict=True):
        for a, b in zip(g, p, strict=True):
            table[index[a[2:] or "O"], index[b[2:] or "O"]] += 1
    return types, table
