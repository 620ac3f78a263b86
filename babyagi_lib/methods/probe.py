"""A linear classifier of vectors whose probabilities are calibrated. Used by lesson 15.

A probability is calibrated if, of all messages that get .8, 80% are right. Logistic regression on few examples is not: its
penalty makes it too unsure, and without one it is too sure. One number, the temperature, repairs most of it (Guo and others
2017). It is fitted on the logits of examples that the classifier did not learn from, here those left out in turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from babyagi_lib.basics.arguments import check_number, check_whole
from babyagi_lib.basics.streams import stream_seed
from babyagi_lib.methods.fewshot import PROBE_C, logistic_regression
from babyagi_lib.methods.sensing import best_temperature


@dataclass(frozen=True, eq=False)
class Probe:
    """A linear classifier and its temperature.

    Attributes:
        classes: their names, in the order of the columns.
        weights: (hidden, classes).
        bias: (classes,).
        temperature: what logits are divided by.
    """

    classes: list[str]
    weights: NDArray
    bias: NDArray
    temperature: float = 1.0

    def logits(self, vectors: ArrayLike) -> NDArray:
        """The logits before the temperature: (texts, hidden) to (texts, classes)."""
        vectors = np.asarray(vectors, dtype=float)
        if vectors.ndim != 2 or vectors.shape[1] != len(self.weights):
            raise ValueError(f"expected vectors of the shape (texts, {len(self.weights)}), found {vectors.shape}")
        return vectors @ self.weights + self.bias

    def probabilities(self, vectors: ArrayLike) -> NDArray:
        """The probability of each class: (texts, hidden) to (texts, classes)."""
        return softmax(self.logits(vectors), self.temperature)

    def cooled(self, temperature: float) -> Probe:
        """The same classifier at another temperature."""
        check_number("temperature", temperature, 0, above=True)
        return replace(self, temperature=float(temperature))


def softmax(logits: ArrayLike, temperature: float = 1.0) -> NDArray:
    """Probabilities of the logits divided by a temperature, over the last axis."""
    scaled = np.asarray(logits, dtype=float) / temperature
    odds = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return odds / odds.sum(axis=-1, keepdims=True)


def fit_probe(vectors: ArrayLike, labels: Sequence[str], *, folds: int = 5, seed: int = 0, C: float = PROBE_C) -> Probe:
    """Fit a linear classifier on all examples, and its temperature on each example while it is left out.

    Args:
        vectors: (texts, hidden), such as `fewshot.embed` makes.
        labels: the class of each.
        folds: in how many parts the examples are left out; 0 for a temperature of 1.
        seed: for which examples are left out together.
        C: inverse strength of the penalty on the weights.

    Raises:
        ValueError: as `out_of_fold_logits` does.
    """
    vectors, labels = _checked(vectors, labels)
    probe = _fit(vectors, labels, C)
    if folds == 0:
        return probe
    left_out = out_of_fold_logits(vectors, labels, folds=folds, seed=seed, C=C)
    return probe.cooled(best_temperature(left_out, np.searchsorted(probe.classes, labels)))


def out_of_fold_logits(
    vectors: ArrayLike, labels: Sequence[str], *, folds: int = 5, seed: int = 0, C: float = PROBE_C
) -> NDArray:
    """The logits of each example by a classifier that did not learn from it: (texts, classes).

    Every class is spread evenly over the folds.

    Raises:
        ValueError: there is one class only, not one label for each vector, or a class with fewer than two examples; fewer
            than two folds; C is not above 0.
    """
    check_whole("folds", folds, 2)
    vectors, labels = _checked(vectors, labels)
    names, counts = np.unique(labels, return_counts=True)
    if counts.min() < 2:
        raise ValueError(f"{str(names[counts.argmin()])!r} has one example; a class needs two or more to leave one out")
    rng = np.random.default_rng(stream_seed("folds of the probe", seed))
    fold = np.empty(len(labels), dtype=int)
    for name in names:
        members = rng.permutation(np.flatnonzero(labels == name))
        fold[members] = (np.arange(len(members)) + rng.integers(folds)) % folds
    logits = np.empty((len(labels), len(names)))
    for out in range(folds):
        if (fold == out).any():
            logits[fold == out] = _fit(vectors[fold != out], labels[fold != out], C).logits(vectors[fold == out])
    return logits


def halves(labels: ArrayLike, seed: int) -> tuple[NDArray, NDArray]:
    """Two halves drawn by chance, each with half of every class: (n,) labels to two arrays of positions.

    Of a class with an odd number of examples, the second half has one more.
    """
    labels, rng = np.asarray(labels), np.random.default_rng(stream_seed("halves", seed))
    mixed = [rng.permutation(np.flatnonzero(labels == name)) for name in np.unique(labels)]
    cut = [len(rows) // 2 for rows in mixed]
    first = np.concatenate([rows[:n] for rows, n in zip(mixed, cut, strict=True)])
    return first, np.concatenate([rows[n:] for rows, n in zip(mixed, cut, strict=True)])


def _fit(vectors: NDArray, labels: NDArray, C: float) -> Probe:
    check_number("C", C, 0, above=True)
    fitted = logistic_regression(vectors, labels, C)
    weights, bias = fitted.coef_.T, fitted.intercept_
    if len(fitted.classes_) == 2:  # one column there: the logit of the second class against the first
        weights, bias = np.hstack([0 * weights, weights]), np.array([0.0, bias[0]])
    return Probe(fitted.classes_.tolist(), weights.astype(float), bias.astype(float))


def _checked(vectors: ArrayLike, labels: Sequence[str]) -> tuple[NDArray, NDArray]:
    vectors, labels = np.asarray(vectors, dtype=float), np.asarray(labels)
    if vectors.ndim != 2 or labels.shape != vectors.shape[:1]:
        raise ValueError(f"expected (texts, hidden) and (texts,); found {vectors.shape} and {labels.shape}")
    if not np.isfinite(vectors).all():
        raise ValueError("a vector is NaN or infinite")
    if len(np.unique(labels)) < 2:
        raise ValueError("there is one class only; a classifier needs two or more")
    return vectors, labels
