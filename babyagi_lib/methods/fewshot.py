"""Classifying from a few examples of each class: draws, episodes and five methods. Used by lessons 00, 01, 03 and 05.

Three methods work on vectors that a frozen encoder made once (`embed`): `nearest_example`, `nearest_centroid` and
`linear_probe`. Two train a copy of the encoder: `fine_tune` with a new head, and `contrastive_tune` on pairs. Every
method ends in scores of shape (queries, classes), higher is better, with the classes in the order of
`np.unique(labels)`.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from babyagi_lib.basics.arguments import check_whole
from babyagi_lib.basics.streams import stream_seed
from babyagi_lib.models.heads import SentenceHead, TaskModel, mean_pool
from babyagi_lib.text.wordpieces import longest_window
from babyagi_lib.training.loop import fit
from babyagi_lib.training.prediction import predict

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

PROBE_C = 30.0  # inverse strength of the linear probe's penalty: vectors of length one are small numbers
TEXTS = 64  # in a batch of contrastive tuning
TOGETHER = 16  # of them that go through the encoder at once


# --- draws and episodes -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Episode:
    """A small task made from a labelled corpus (Vinyals et al. 2016): indices into it.

    Attributes:
        classes: the names of the N classes of the task.
        support: (N * K,) what to learn from.
        query: (N * Q,) what is to be classified; disjoint from the support.
    """

    classes: list[str]
    support: np.ndarray
    query: np.ndarray


def draw_shots(labels: Sequence[str], shots: int, seed: int) -> np.ndarray:
    """Indices of `shots` examples of every class, without replacement: (classes * shots,).

    Raises:
        ValueError: a class has fewer examples, or a label is not a name.
    """
    return draw_episode(labels, len(np.unique(_names(labels))), shots, 0, seed).support


def draw_episode(labels: Sequence[str], ways: int, shots: int, queries: int, seed: int) -> Episode:
    """Draw an N-way K-shot episode: `ways` classes, and of each `shots` examples to learn from and `queries` to ask.

    Args:
        labels: the class of each example of the corpus.
        ways, shots, queries: N, K and Q.
        seed: for this draw alone. `np.random.default_rng` of the same seed is another, independent stream.

    Raises:
        ValueError: there are fewer classes, or a class drawn has fewer than `shots + queries` examples; a number is out
            of its range; or a label is not a name.
    """
    check_whole("ways", ways, 1)
    check_whole("shots", shots, 1)
    check_whole("queries", queries, 0)
    rng = np.random.default_rng(stream_seed("episode", seed))
    labels = _names(labels)
    names = np.unique(labels)
    if ways > len(names):
        raise ValueError(f"{ways} classes were asked for, and the corpus has {len(names)}")
    classes = np.sort(rng.choice(names, size=ways, replace=False))
    support, query = [], []
    for name in classes:
        members = np.flatnonzero(labels == name)
        if len(members) < shots + queries:
            raise ValueError(f"'{name}' has {len(members)} examples; {shots} + {queries} were asked for")
        drawn = rng.permutation(members)[: shots + queries]
        support.extend(drawn[:shots])
        query.extend(drawn[shots:])
    return Episode(classes.tolist(), np.array(support, dtype=int), np.array(query, dtype=int))


# --- methods on the vectors of a frozen encoder -----------------------------------------------------------


def embed(encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> np.ndarray:
    """A vector of length one for each text, the mean of its pieces' states: (texts, hidden) float32.

    Of a text longer than `wordpieces.longest_window` only the beginning is read, and a warning says how many there are.

    Raises:
        ValueError: there is no text, or an entry is not a text.
    """
    return np.stack(predict(PairModel(encoder), _examples(tokenizer, texts)))


def nearest_example(support: np.ndarray, labels: Sequence[str], queries: np.ndarray) -> np.ndarray:
    """The score of a class is the cosine of its most similar example.

    Args:
        support: (examples, hidden) vectors of length one.
        labels: the class of each.
        queries: (queries, hidden) vectors of length one.

    Returns:
        (queries, classes) cosines.
    """
    labels = np.asarray(labels)
    similarity = queries @ support.T
    return np.stack([similarity[:, labels == name].max(axis=1) for name in np.unique(labels)], axis=1)


def nearest_centroid(support: np.ndarray, labels: Sequence[str], queries: np.ndarray) -> np.ndarray:
    """The score of a class is the distance to the mean of its examples, negated.

    The classifier of prototypical networks (Snell et al. 2017, equations 1 and 2), without their training.

    Returns:
        (queries, classes) squared Euclidean distances, negated.
    """
    labels = np.asarray(labels)
    centroids = np.stack([support[labels == name].mean(axis=0) for name in np.unique(labels)])
    return -((queries[:, None, :] - centroids[None, :, :]) ** 2).sum(axis=2)


def linear_probe(support: np.ndarray, labels: Sequence[str], queries: np.ndarray, C: float = PROBE_C) -> np.ndarray:
    """The score of a class is its probability by logistic regression: (queries, classes).

    Args:
        support, labels, queries: as above.
        C: inverse strength of the penalty on the weights.

    Raises:
        ValueError: there is one class only.
    """
    return logistic_regression(support, _two_or_more(labels), C).predict_proba(queries)


def logistic_regression(vectors: np.ndarray, labels: np.ndarray, C: float) -> LogisticRegression:
    """The fitted classifier: labels of two classes or more, and the inverse strength of the penalty on the weights."""
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # so small a problem takes several threads longer, most of it in waiting for each other
        return LogisticRegression(C=C, max_iter=1000).fit(vectors, labels)


def accuracy(scores: np.ndarray, truth: Sequence[str], classes: Sequence[str]) -> float:
    """Share of the rows of `scores` (queries, classes) whose best column is the true class."""
    return float(np.mean(np.asarray(classes)[scores.argmax(axis=1)] == np.asarray(truth)))


# --- methods that train the encoder -----------------------------------------------------------------------


def fine_tune(
    encoder: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    labels: Sequence[str],
    seed: int,
    read: int = 1280,
) -> Callable[[Sequence[str]], np.ndarray]:
    """Train a copy of the encoder and a new linear head together, on cross-entropy.

    Args:
        encoder: is left as it is.
        tokenizer: its tokenizer.
        texts: what to learn from.
        labels: the class of each.
        seed: for the new head, the order of the texts and dropout.
        read: how many texts are read in all; each is read equally often, and at least four times.

    Returns:
        A function from texts to scores: (texts, classes) logits.

    Raises:
        ValueError: there is one class only, or not one label for each text.
    """
    names, examples = _labelled(tokenizer, texts, labels)
    torch.manual_seed(stream_seed("head", seed))
    model = TaskModel(copy.deepcopy(encoder), SentenceHead(encoder.config.hidden_size, len(names)))
    epochs = max(4, read // len(texts))
    fit(model, examples, epochs=epochs, batch_tokens=1024, learning_rate=2e-4, head_learning_rate=4e-3, seed=seed)
    return lambda queries: np.stack(predict(model, _examples(tokenizer, queries)))


def pair_loss(vectors: Tensor, labels: Tensor) -> Tensor:
    """How far the cosines of all pairs of a batch are from SetFit's targets: 1 within a class, 0 between two.

    The loss of Tunstall et al. (2022), with one difference: a batch of n texts, encoded once, gives all its
    n (n - 1) / 2 pairs, where SetFit encodes two texts for each pair. Pairs of like and of unlike class count the
    same in total, however many there are of each.

    Args:
        vectors: (texts, hidden), of any length.
        labels: (texts,) class indices.

    Returns:
        The mean over the two kinds of pairs of the mean squared error of the cosine; 0 without any pair.
    """
    unit = nn.functional.normalize(vectors, dim=1)
    first, second = torch.triu_indices(len(unit), len(unit), offset=1, device=unit.device)
    same = labels[first] == labels[second]
    error = ((unit @ unit.T)[first, second] - same.to(unit.dtype)) ** 2
    kinds = [error[kind].mean() for kind in (same, ~same) if kind.any()]
    return torch.stack(kinds).mean() if kinds else unit.sum() * 0


def contrastive_loss(vectors: Tensor, labels: Tensor, temperature: float = 0.1) -> Tensor:
    """Pick a text's partner, one of its own class, among all other texts of the batch by its cosine: cross-entropy.

    The supervised contrastive loss (Khosla et al. 2020, equation 2). Pairs of one class should be more alike than other
    pairs; `pair_loss` in contrast has a target for each pair.

    Args:
        vectors: (texts, hidden), of any length.
        labels: (texts,) class indices.
        temperature: cosines are divided by this; the smaller, the more the hardest pairs count.

    Returns:
        The mean over texts with a partner of the mean over their partners; 0 if there is none.
    """
    unit = nn.functional.normalize(vectors, dim=1)
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    partners = (labels[:, None] == labels[None, :]) & ~itself
    log_share = torch.log_softmax((unit @ unit.T / temperature).masked_fill(itself, -torch.inf), dim=1)
    log_share = log_share.masked_fill(itself, 0)  # minus infinity times zero is not a number
    has = partners.any(dim=1)
    return -((log_share * partners).sum(dim=1)[has] / partners.sum(dim=1)[has]).sum() / has.sum().clamp(min=1)


class PairModel(nn.Module):
    """An encoder that gives each text a vector of length one, and a loss over the pairs of a batch."""

    def __init__(self, encoder: nn.Module, loss: Callable[[Tensor, Tensor], Tensor] = contrastive_loss) -> None:
        super().__init__()
        self.encoder = encoder
        self.loss = loss

    def forward(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """(batch, pieces) to `logits` (batch, hidden), the vectors; with `labels` (batch,), the `loss` too."""
        lengths = attention_mask.sum(dim=1)
        order = lengths.argsort()
        parts = []
        for rows in order.split(TOGETHER):  # texts of similar length, for little padding
            longest = int(lengths[rows[-1]])
            ids, mask = input_ids[rows, :longest], attention_mask[rows, :longest]
            parts.append(mean_pool(self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state, mask))
        vectors = nn.functional.normalize(torch.cat(parts).float(), dim=1)[order.argsort()]
        return {"logits": vectors} if labels is None else {"logits": vectors, "loss": self.loss(vectors, labels)}


def contrastive_tune(
    encoder: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    labels: Sequence[str],
    seed: int,
    loss: Callable[[Tensor, Tensor], Tensor] = contrastive_loss,
) -> PreTrainedModel:
    """A copy of the encoder, trained so that texts of one class get similar vectors: the first step of SetFit.

    The second step is a linear head on the new vectors: `embed`, then `linear_probe`. With one text of each class
    there is no pair of one class, and `contrastive_loss` has no gradient.

    Raises:
        ValueError: as `fine_tune`.
    """
    _, examples = _labelled(tokenizer, texts, labels)
    model = PairModel(copy.deepcopy(encoder), loss)
    rng = np.random.default_rng(stream_seed("batches", seed))
    steps = max(15, 4 * len(texts) // TEXTS)  # with many more, accuracy falls again
    batches = [balanced_batch(labels, TEXTS, rng) for _ in range(steps)]
    fit(model, examples, epochs=1, batches=lambda epoch: batches, learning_rate=1e-4, seed=seed)
    return model.encoder


def balanced_batch(labels: Sequence[str], texts: int, rng: np.random.Generator) -> list[int]:
    """Indices of about `texts` examples, two or more of a class where it has them, so that a batch has pairs of both kinds."""
    labels = np.asarray(labels)
    names = np.unique(labels)
    batch: list[int] = []
    for name in rng.permutation(names)[: max(2, texts // 2)]:
        members = np.flatnonzero(labels == name)
        batch.extend(rng.permutation(members)[: max(2, texts // len(names))].tolist())
    return batch


def _labelled(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], labels: Sequence[str]
) -> tuple[list[str], list[dict]]:
    """The classes in order, and the texts as examples with the index of their class."""
    names, indices = np.unique(_two_or_more(labels), return_inverse=True)
    if len(texts) != len(indices):
        raise ValueError(f"{len(texts)} texts and {len(indices)} labels; expected one label for each text")
    examples = [e | {"labels": int(i)} for e, i in zip(_examples(tokenizer, texts), indices, strict=True)]
    return names.tolist(), examples


def _examples(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[dict]:
    """The pieces of each text, with special tokens; a warning says how many texts had to be cut."""
    if isinstance(texts, str) or len(texts) == 0:
        raise ValueError(f"expected a list of one text or more, got {texts!r:.60}")
    if wrong := [i for i, text in enumerate(texts) if not isinstance(text, str)]:
        raise ValueError(f"text {wrong[0]} is {texts[wrong[0]]!r:.60}; expected a str")
    limit = longest_window(tokenizer)
    whole = tokenizer(list(texts), truncation=False, verbose=False)["input_ids"]
    if cut := sum(len(ids) > limit for ids in whole):
        warnings.warn(
            f"{cut} of {len(texts)} texts are longer than the {limit} pieces that the encoder reads; the rest of each is cut off",
            stacklevel=3,
        )
    return [{"input_ids": ids} for ids in tokenizer(list(texts), truncation=True, max_length=limit)["input_ids"]]


def _names(labels: Sequence[str]) -> np.ndarray:
    """Labels as an array, if each is a name or a whole number: NumPy cannot sort others, or merges them (nan)."""
    for i, label in enumerate(labels):
        if not isinstance(label, str | int | np.integer):
            raise ValueError(f"label {i} is {label!r:.60}; expected the name of a class")
    return np.asarray(labels)


def _two_or_more(labels: Sequence[str]) -> np.ndarray:
    """Labels as an array, if they are of two classes or more."""
    labels = _names(labels)
    if len(names := np.unique(labels)) < 2:
        raise ValueError(f"every label is {names.tolist()}; expected two classes or more")
    return labels
