"""Refitting a reader of notes when a second supplier writes differently: forgetting, replay, an adapter apart. Used by lesson 13.

The vectors of the pretrained encoder stay as they are. A `Reader` is an adapter on them and a linear head that
names the material. Refitted on the newest notes alone, it forgets how the old ones were written. With replay, a share of each
batch is old notes. Kept apart, the second supplier gets an adapter of its own in front of the old reader, which is frozen.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from babyagi_lib.basics.arguments import check_number, check_whole
from babyagi_lib.basics.streams import stream_seed
from babyagi_lib.models.adapters import Bottleneck, freeze

SIZE, CLASSES = 16, 2  # numbers in the middle of an adapter; materials
BATCH, STEPS, RATE = 64, 300, 1e-2


class Reader(nn.Module):
    """An adapter and a head on vectors of notes: (notes, hidden) to logits (notes, 2).

    Args:
        hidden: numbers in a vector.
        seed: for the weights at the start.
    """

    def __init__(self, hidden: int, seed: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream_seed("reader of notes", seed))
            self.adapter = Bottleneck(hidden, SIZE)
            self.head = nn.Linear(hidden, CLASSES)

    def forward(self, vectors: Tensor) -> Tensor:
        """(notes, hidden) to (notes, 2)."""
        return self.head(self.adapter(vectors))


class Apart(nn.Module):
    """A second adapter in front of a reader whose weights are frozen and shared: (notes, hidden) to logits (notes, 2).

    The new adapter begins as the identity, so at first it reads exactly as the old reader does.
    """

    def __init__(self, reader: Reader, seed: int) -> None:
        super().__init__()
        self.adapter = Reader(reader.head.in_features, stream_seed("adapter apart", seed)).adapter
        self.reader = copy.deepcopy(reader)
        freeze(self.reader)

    def forward(self, vectors: Tensor) -> Tensor:
        """(notes, hidden) to (notes, 2)."""
        return self.reader(self.adapter(vectors))


def fit(
    model: nn.Module,
    vectors: ArrayLike,
    labels: ArrayLike,
    *,
    seed: int,
    weights: ArrayLike | None = None,
    steps: int = STEPS,
) -> nn.Module:
    """Train the weights of a model that are not frozen, in place, by cross-entropy; returns the model.

    Args:
        model: (notes, hidden) to logits.
        vectors: of the notes, (notes, hidden).
        labels: whole numbers, (notes,).
        seed: of the batches.
        weights: the probability that each note is drawn for a place in a batch, (notes,); None: all equally likely.
        steps: batches; the rate of Adam falls to 0 over them.

    Raises:
        ValueError: there is no note, the shapes do not fit, or the weights are not probabilities that sum to 1.
    """
    vectors, labels = np.asarray(vectors, dtype=np.float32), np.asarray(labels)
    check_whole("steps", steps, 1)
    if vectors.ndim != 2 or not len(vectors) or labels.shape != vectors.shape[:1]:
        raise ValueError(f"expected vectors (notes, hidden) and labels (notes,); found {vectors.shape}, {labels.shape}")
    chances = np.full(len(labels), 1 / len(labels)) if weights is None else np.asarray(weights, dtype=float)
    if chances.shape != labels.shape or (chances < 0).any() or abs(chances.sum() - 1) > 1e-6:
        raise ValueError("weights must be probabilities, one for each note, that sum to 1")
    rng = np.random.default_rng(stream_seed("batches of notes", seed))
    rows = rng.choice(len(labels), size=(steps, BATCH), p=chances / chances.sum())
    inputs, targets = torch.from_numpy(vectors), torch.from_numpy(labels.astype(np.int64))
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimiser = torch.optim.Adam(trained, RATE)
    for step, batch in enumerate(torch.from_numpy(rows)):
        optimiser.param_groups[0]["lr"] = RATE * (1 - step / steps)
        loss = nn.functional.cross_entropy(model(inputs[batch]), targets[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model


def replay_weights(supplier: ArrayLike, newest: int, share: float) -> NDArray[np.float64]:
    """With which probability each note is drawn, so that notes of older suppliers make up a share of a batch: (notes,).

    The newest supplier's notes get 1 - share together, each as much as any other. The share is split equally over the older
    suppliers, however many notes they have, and then over their notes. Without an older supplier the newest gets all.

    Args:
        supplier: the number of the supplier of each note, (notes,).
        newest: the number of the newest one.
        share: from 0 to 1.

    Raises:
        ValueError: the newest supplier has no note, or the share is out of its range.
    """
    supplier = np.asarray(supplier)
    check_number("share", share, 0, 1)
    if not (supplier == newest).any():
        raise ValueError(f"there is no note of supplier {newest}")
    older = [number for number in np.unique(supplier) if number != newest]
    weights = np.zeros(len(supplier))
    weights[supplier == newest] = (1 - share if older else 1.0) / (supplier == newest).sum()
    for number in older:
        weights[supplier == number] = share / len(older) / (supplier == number).sum()
    return weights


def refitted(
    reader: Reader,
    old: tuple[ArrayLike, ArrayLike],
    new: tuple[ArrayLike, ArrayLike],
    share: float,
    seed: int,
    steps: int = STEPS,
) -> Reader:
    """A copy of the reader, trained further with this share of old notes in its batches.

    Args:
        reader: trained on old notes; it is not changed.
        old: vectors (notes, hidden) and labels (notes,).
        new: the same.
        share: of the batches; 0 for new notes alone.
        seed: of the batches.
        steps: batches.
    """
    supplier = np.repeat([0, 1], [len(old[1]), len(new[1])])
    vectors, labels = (np.concatenate([np.asarray(a), np.asarray(b)]) for a, b in zip(old, new, strict=True))
    weights = replay_weights(supplier, 1, share)
    return fit(copy.deepcopy(reader), vectors, labels, seed=seed, weights=weights, steps=steps)


def probabilities(model: nn.Module, vectors: ArrayLike) -> NDArray[np.float64]:
    """The probability of each material, (notes, 2)."""
    with torch.no_grad():
        return model(torch.as_tensor(np.asarray(vectors, dtype=np.float32))).double().softmax(dim=1).numpy()


def accuracy(model: nn.Module, vectors: ArrayLike, labels: ArrayLike) -> float:
    """The share of the notes whose material is named rightly."""
    return float((probabilities(model, vectors).argmax(axis=1) == np.asarray(labels)).mean())


def least_sure(said: ArrayLike, number: int) -> NDArray[np.int64]:
    """The notes whose likeliest material has the lowest probability, (number,); said is (notes, 2)."""
    return np.asarray(said).max(axis=1).argsort(kind="stable")[:number]
