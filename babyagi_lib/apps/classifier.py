"""A text classifier as it is put to use: a frozen encoder, a fitted head and a temperature, in plain float32. Used by lesson 18.

`methods.fewshot` computes in the precision that is fastest on the machine. What is exported, compared and served needs one
reference that is the same everywhere, so here nothing is rounded to 16 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from babyagi_lib.basics.arguments import check_number, check_whole
from babyagi_lib.methods.fewshot import PROBE_C
from babyagi_lib.methods.sensing import best_temperature
from babyagi_lib.models.heads import mean_pool
from babyagi_lib.text.wordpieces import longest_window
from babyagi_lib.training.batches import pad_batch

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

FOLDS = 5  # of the cross-validation that finds the temperature


class Scorer(nn.Module):
    """Ids and mask to scores, (batch, pieces) to (batch, classes): encoder, mean over real pieces, length one, head."""

    def __init__(self, encoder: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(batch, pieces) integers to what the head makes of one vector for each text."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return self.head(nn.functional.normalize(mean_pool(states, attention_mask), dim=1))


class Served:
    """What all ways to compute a classifier share: texts in, scores or probabilities out, in the order given.

    Attributes:
        tokenizer: of the encoder.
        names: of the classes, in the order of the scores.
        temperature: what the scores are divided by before the softmax.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, names: Sequence[str], temperature: float = 1.0) -> None:
        check_number("temperature", temperature, 0, above=True)
        self.tokenizer, self.names, self.temperature = tokenizer, list(names), float(temperature)

    def pieces(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Ids and mask of the texts, (texts, longest) int64 each: padded to the longest, cut at what the encoder reads.

        Raises:
            ValueError: there is no text, or an entry is not a text.
        """
        return pieces(self.tokenizer, texts)

    def from_pieces(self, input_ids: Tensor, attention_mask: Tensor) -> NDArray[np.float32]:
        """The scores of one batch, (texts, pieces) ids and mask to (texts, classes)."""
        raise NotImplementedError

    def logits(self, texts: Sequence[str], batch: int = 32) -> NDArray[np.float32]:
        """The scores of each text before the temperature, (texts, classes). Texts of similar length share a batch.

        Args:
            texts: one or more.
            batch: how many are computed together.
        """
        return in_batches(lambda chosen: self.from_pieces(*self.pieces(chosen)), texts, batch)

    def probabilities(self, texts: Sequence[str], batch: int = 32) -> NDArray[np.float64]:
        """The probability of each class, (texts, classes): the softmax of the scores over the temperature."""
        return softmax(self.logits(texts, batch) / self.temperature)


class TextClassifier(Served):
    """The classifier in torch, the reference for all others.

    Args:
        encoder: as `load_encoder` returns it; it is not changed.
        tokenizer: its tokenizer.
        weight, bias: of the head, (classes, hidden) and (classes,).
        names: of the classes.
        temperature: see `Served`.

    Raises:
        ValueError: the sizes do not fit each other.
    """

    def __init__(
        self,
        encoder: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        weight: ArrayLike,
        bias: ArrayLike,
        names: Sequence[str],
        temperature: float = 1.0,
    ) -> None:
        super().__init__(tokenizer, names, temperature)
        given = {"weight": weight, "bias": bias}
        wanted = (len(self.names), encoder.config.hidden_size)
        if np.shape(weight) != wanted or np.shape(bias) != wanted[:1]:
            raise ValueError(f"weight is {np.shape(weight)} and bias {np.shape(bias)}; expected {wanted} and {wanted[:1]}")
        head = nn.Linear(encoder.config.hidden_size, len(self.names))
        head.load_state_dict({name: torch.as_tensor(np.array(value, np.float32)) for name, value in given.items()})
        self.scorer = Scorer(encoder, head).eval()

    @property
    def encoder(self) -> PreTrainedModel:
        """The encoder."""
        return self.scorer.encoder

    def from_pieces(self, input_ids: Tensor, attention_mask: Tensor) -> NDArray[np.float32]:
        """As in `Served`. Inside `torch.autocast` it computes in the precision asked for there."""
        with torch.no_grad():
            return self.scorer(input_ids, attention_mask).float().numpy()


def pieces(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """See `Served.pieces`."""
    if isinstance(texts, str) or len(texts) == 0 or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"expected a list of one text or more, got {texts!r:.60}")
    ids = tokenizer(list(texts), truncation=True, max_length=longest_window(tokenizer))["input_ids"]
    batch = pad_batch([{"input_ids": found} for found in ids])
    return batch["input_ids"], batch["attention_mask"]


def in_batches(
    compute: Callable[[list[str]], NDArray[np.float32]], texts: Sequence[str], batch: int
) -> NDArray[np.float32]:
    """What `compute` makes of the texts, (texts, ...), in the order given; texts of similar length share a batch."""
    check_whole("batch", batch, 1)
    if isinstance(texts, str) or len(texts) == 0:
        raise ValueError(f"expected a list of one text or more, got {texts!r:.60}")
    order = np.argsort([len(text) for text in texts], kind="stable")
    found = [compute([texts[row] for row in order[start : start + batch]]) for start in range(0, len(order), batch)]
    return np.concatenate(found)[np.argsort(order)]


def softmax(scores: ArrayLike) -> NDArray[np.float64]:
    """Probabilities along the last axis."""
    scores = np.asarray(scores, np.float64)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def encode(
    encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], batch: int = 32
) -> NDArray[np.float32]:
    """As `fewshot.embed`, but in float32 on every machine: a vector of length one for each text, (texts, hidden)."""
    scorer = Scorer(encoder, nn.Identity()).eval()

    def vectors(chosen: list[str]) -> NDArray[np.float32]:
        with torch.no_grad():
            return scorer(*pieces(tokenizer, chosen)).numpy()

    return in_batches(vectors, texts, batch)


def fit_classifier(
    encoder: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    labels: Sequence[str],
    *,
    C: float = PROBE_C,
    seed: int = 0,
) -> TextClassifier:
    """Logistic regression on frozen vectors, with a temperature from cross-validation (Guo and others 2017).

    Args:
        encoder, tokenizer: as `load_encoder` returns them.
        texts, labels: what to learn from; every class needs at least as many texts as there are folds.
        C: inverse strength of the penalty on the weights.
        seed: of the folds.

    Raises:
        ValueError: texts and labels do not fit each other, or a class has too few texts.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold
    from threadpoolctl import threadpool_limits

    check_number("C", C, 0, above=True)
    names, truth = np.unique(np.asarray(labels), return_inverse=True)
    if len(texts) != len(truth):
        raise ValueError(f"{len(texts)} texts and {len(truth)} labels; expected one label for each text")
    if len(names) < 2 or np.bincount(truth).min() < FOLDS:
        raise ValueError(f"expected two classes or more, and {FOLDS} texts or more of each")
    vectors = encode(encoder, tokenizer, texts)
    held_out = np.empty((len(texts), len(names)))

    def fitted(rows: NDArray) -> LogisticRegression:
        return LogisticRegression(C=C, max_iter=1000).fit(vectors[rows], truth[rows])

    with threadpool_limits(1):
        for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(vectors, truth):
            held_out[test] = _scores(fitted(train), vectors[test], len(names))
        whole = fitted(np.arange(len(texts)))
    weight, bias = _two_rows(whole.coef_, whole.intercept_, len(names))
    return TextClassifier(encoder, tokenizer, weight, bias, names.tolist(), best_temperature(held_out, truth))


def _scores(model: object, vectors: NDArray, classes: int) -> NDArray[np.float64]:
    """The scores of a fitted logistic regression, (texts, classes), for two classes too."""
    weight, bias = _two_rows(model.coef_, model.intercept_, classes)
    return vectors @ weight.T + bias


def _two_rows(weight: NDArray, bias: NDArray, classes: int) -> tuple[NDArray, NDArray]:
    """A row for each class: for two classes scikit-learn keeps only their difference."""
    if classes > 2:
        return weight, bias
    return np.concatenate([0 * weight, weight]), np.concatenate([0 * bias, bias])
