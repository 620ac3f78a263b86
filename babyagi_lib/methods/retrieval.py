"""Finding the right past answer: by words (BM25), by vectors, and by both ranks together. Used by lesson 15.

Everything ends in scores of shape (questions, documents), higher is better. The vectors of `fewshot.embed` have length one,
so their scores are the cosines `questions @ documents.T`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from babyagi_lib.basics.arguments import check_number, check_whole

WORD = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """The words of a text in small letters: runs of letters, digits and underscores."""
    return WORD.findall(text.lower())


class BM25:
    """The BM25 score of each document for a question (Robertson and Zaragoza 2009), in the variant of Lucene.

    The score is a sum over the words of the question; one that stands twice counts twice. A word that is in `df` of N
    documents, and `tf` times in a document of `length` words, adds

        log(1 + (N - df + .5) / (df + .5)) * tf / (tf + k1 * (1 - b + b * length / mean length))

    The first factor counts rare words more. The second rises with each repetition, ever less, and more slowly in a long
    document. (Other variants have a factor k1 + 1 more, which changes no order.)

    Args:
        texts: the documents.
        k1: how late repetitions stop to count, 0 or more; with 0 a word counts once.
        b: how much the length counts, from 0 (nothing) to 1.

    Raises:
        ValueError: there is no document with a word, a document is no text, or a parameter is out of its range.
    """

    def __init__(self, texts: Sequence[str], k1: float = 1.5, b: float = 0.75) -> None:
        from scipy import sparse

        check_number("k1", k1, 0)
        check_number("b", b, 0, 1)
        counted = [Counter(found) for found in _words_of(texts)]
        self.column = {word: i for i, word in enumerate(dict.fromkeys(word for found in counted for word in found))}
        if not self.column:
            raise ValueError("no document has a word")
        document = np.repeat(np.arange(len(counted)), [len(found) for found in counted])
        column = np.array([self.column[word] for found in counted for word in found])
        tf = np.array([n for found in counted for n in found.values()], dtype=float)
        length = np.bincount(document, weights=tf, minlength=len(counted))
        df = np.bincount(column, minlength=len(self.column))
        rare = np.log(1 + (len(counted) - df + 0.5) / (df + 0.5))
        weight = rare[column] * tf / (tf + k1 * (1 - b + b * length[document] / length.mean()))
        self.weights = sparse.csr_array((weight, (column, document)), shape=(len(self.column), len(counted)))

    def scores(self, questions: Sequence[str]) -> NDArray:
        """The score of every document for each question: (questions, documents). 0 where they share no word."""
        from scipy import sparse

        known = [[self.column[word] for word in found if word in self.column] for found in _words_of(questions)]
        question = np.repeat(np.arange(len(known)), [len(columns) for columns in known])
        column = np.array([i for columns in known for i in columns], dtype=int)
        counts = sparse.csr_array((np.ones(len(column)), (question, column)), shape=(len(known), len(self.column)))
        return (counts @ self.weights).toarray()


def best_of_each(scores: ArrayLike, answers: Sequence[str], names: Sequence[str]) -> NDArray:
    """The score of an answer is that of its best document: (questions, documents) to (questions, names).

    Args:
        scores: of the documents.
        answers: which answer each document was given.
        names: the answers, in the order of the columns.

    Raises:
        ValueError: there is not one answer for each document, or none for a name.
    """
    scores, answers = np.asarray(scores), np.asarray(answers)
    if scores.ndim != 2 or answers.shape != scores.shape[1:]:
        raise ValueError(f"expected (questions, documents) and (documents,); found {scores.shape} and {answers.shape}")
    if missing := [name for name in names if not (answers == name).any()]:
        raise ValueError(f"no document has the answer {missing[0]!r}")
    return np.stack([scores[:, answers == name].max(axis=1) for name in names], axis=1)


def ranks(scores: ArrayLike) -> NDArray[np.int64]:
    """The rank of each document for each question, 1 for the best: (questions, documents), of equal ones the first first."""
    order = np.argsort(-np.asarray(scores), axis=-1, kind="stable")
    return np.argsort(order, axis=-1, kind="stable") + 1


def fuse(*scores: ArrayLike, k: float = 60.0) -> NDArray:
    """Reciprocal rank fusion: the sum of 1 / (k + rank) over several lists of scores, (questions, documents).

    Only ranks count, so the scores need not be on one scale (Cormack, Clarke and Büttcher 2009, who set k to 60).

    Raises:
        ValueError: there is no list, the lists have different shapes, or k is negative.
    """
    check_number("k", k, 0)
    shapes = {np.shape(one) for one in scores}
    if len(shapes) != 1:
        raise ValueError(f"expected scores of one shape, found {sorted(shapes)}")
    return np.sum([1 / (k + ranks(one)) for one in scores], axis=0)


def found(scores: ArrayLike, right: ArrayLike, among: int = 1) -> float:
    """The share of questions whose right column is among the best: (questions, columns) and (questions,) column numbers.

    Raises:
        ValueError: the shapes do not fit, there is no question, or `among` is not a whole number of at least 1.
    """
    check_whole("among", among, 1)
    scores, right = np.asarray(scores), np.asarray(right)
    if scores.ndim != 2 or right.shape != scores.shape[:1] or len(right) == 0:
        raise ValueError(f"expected (questions, columns) and (questions,); found {scores.shape} and {right.shape}")
    return float((ranks(scores)[np.arange(len(right)), right] <= among).mean())


def _words_of(texts: Sequence[str]) -> list[list[str]]:
    if isinstance(texts, str):
        raise ValueError(f"expected a list of texts, found one text: {texts[:40]!r}")
    if wrong := [i for i, text in enumerate(texts) if not isinstance(text, str)]:
        raise ValueError(f"text {wrong[0]} is {texts[wrong[0]]!r:.60}; expected a str")
    return [words(text) for text in texts]
