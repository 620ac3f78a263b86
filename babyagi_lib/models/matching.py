"""Policies that read an instruction and look at cells, in the forms that lesson 10 compares. Used by lesson 10.

A cell comes as a code, an instruction as the number of a sentence whose vector was computed once. The question is how the
two meet: by multiplication, as a score of each cell under the sentence (`matching`), or side by side in one long input.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn


def standardise(vectors: ArrayLike, known: ArrayLike) -> np.ndarray:
    """Sentence vectors minus the mean of the known ones, over one standard deviation for all numbers, float32.

    Sentences that differ in one word have vectors that hardly differ. Without this a policy learns much more slowly.
    """
    vectors, known = np.asarray(vectors, np.float64), np.asarray(known, np.float64)
    return ((vectors - known.mean(axis=0)) / (known - known.mean(axis=0)).std()).astype(np.float32)


class ReadingPolicy(nn.Module):
    """Logits of actions and a value from cells in view and an instruction.

    With matching, each thing's vector e is multiplied with the projected sentence q: the score q · e / sqrt(width). The
    scores of all cells, and where walls and things are, go into a network with two hidden layers. This is a single
    query's attention without softmax (Vaswani and others 2017), whose scores stay with their cells. Without matching,
    the vectors of all cells and q are one long input.

    Args:
        sentences: a vector for each instruction, (sentences, numbers).
        properties: of each code from 0 on, its kind and colour as numbers from 0, or -1 where it is no thing, (codes, 2).
        seed: of the first weights.
        cells: in view.
        actions: how many.
        matching: whether cells and sentence are multiplied.
        factored: whether a thing's vector is the sum of one for its kind and one for its colour. Otherwise each of the
            combinations has a vector of its own.
        width: of e and q.
        units: of each hidden layer.
    """

    def __init__(
        self,
        sentences: ArrayLike,
        properties: Sequence[tuple[int, int]],
        seed: int,
        *,
        cells: int = 49,
        actions: int = 4,
        matching: bool = True,
        factored: bool = True,
        width: int = 32,
        units: int = 128,
    ) -> None:
        super().__init__()
        source = torch.Generator().manual_seed(seed)
        properties = torch.as_tensor(np.asarray(properties))
        things = properties[:, 0] >= 0
        self.matching, self.width = matching, width
        self.register_buffer("sentences", torch.as_tensor(np.asarray(sentences, np.float32)))
        self.register_buffer("walls", torch.tensor([float(code == 1) for code in range(len(properties))]))
        self.register_buffer("things", things.float())
        # Rows of 0 and 1: which learned vectors are added up to a code's. No thing, no vector.
        if factored:
            parts = [nn.functional.one_hot(p.clamp(min=0), int(p.max()) + 1) for p in properties.T]
            made_of = torch.cat(parts, dim=1) * things[:, None]
        else:
            made_of = torch.eye(len(properties))[:, things]
        self.register_buffer("made_of", made_of.float())
        self.vectors = nn.Parameter(torch.randn(made_of.shape[1], width, generator=source))
        self.read = _linear(self.sentences.shape[1], width, source)
        inputs = cells * 3 if matching else cells * (width + 1) + width
        self.hidden = nn.Sequential(_linear(inputs, units, source), nn.ReLU(), _linear(units, units, source), nn.ReLU())
        self.act, self.value = _linear(units, actions, source, 0.01), _linear(units, 1, source)

    def forward(self, view: Tensor, instruction: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (rooms, actions) and values (rooms,).

        Args:
            view: codes, (rooms, cells).
            instruction: numbers of sentences, (rooms,).
        """
        view = view.long()
        if self.matching:
            seen = torch.cat([self.scores()[instruction[:, None], view], self.walls[view], self.things[view]], dim=1)
        else:
            cell = torch.cat([self.made_of @ self.vectors, self.walls[:, None]], dim=1)
            seen = torch.cat([cell[view].flatten(1), self.read(self.sentences)[instruction]], dim=1)
        hidden = self.hidden(seen)
        return self.act(hidden), self.value(hidden)[:, 0]

    def scores(self) -> Tensor:
        """What every code scores under every sentence, q · e / sqrt(width): (sentences, codes)."""
        return self.read(self.sentences) @ (self.made_of @ self.vectors).T / math.sqrt(self.width)

    def told(self, sentences: ArrayLike) -> ReadingPolicy:
        """The same policy, weights shared, with other sentences: numbers now mean these.

        Raises:
            ValueError: their vectors do not have as many numbers as those it was trained with.
        """
        vectors = torch.as_tensor(np.asarray(sentences, np.float32))
        if vectors.ndim != 2 or vectors.shape[1] != self.sentences.shape[1]:
            raise ValueError(f"expected (sentences, {self.sentences.shape[1]}), found {tuple(vectors.shape)}")
        other = copy.copy(self)
        other._buffers = self._buffers | {"sentences": vectors}
        return other


def _linear(inputs: int, outputs: int, source: torch.Generator, gain: float = math.sqrt(2)) -> nn.Linear:
    """A layer with orthogonal weights, as is usual for PPO, and biases of 0, drawn from a generator of its own."""
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs)
    with torch.no_grad():
        nn.init.orthogonal_(layer.weight, gain, generator=source)
        layer.bias.zero_()
    return layer
