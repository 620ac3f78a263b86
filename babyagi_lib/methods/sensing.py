"""Training the encoders of the senses, and what they say: calibrated probabilities of each property. Used by lesson 11."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from babyagi_lib.basics.streams import stream_seed
from babyagi_lib.methods.fewshot import embed
from babyagi_lib.models.senses import CLASSES, PROPERTIES, SenseEncoder
from babyagi_lib.training import losses
from babyagi_lib.training.loop import fit

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

EPOCHS = {"picture": 8, "note": 30, "sound": 6}
RATES = {"picture": 2e-3, "note": 2e-2, "sound": 2e-3}
COARSE, FINE = np.geomspace(0.05, 20, 61), np.geomspace(0.9, 1.1, 41)  # temperatures that are tried


def note_vectors(
    encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]
) -> NDArray[np.float32]:
    """A vector of length one for each note, (notes, hidden), by the pretrained encoder; zeros where there is no text.

    Notes repeat themselves: each text is encoded once.
    """
    texts = [str(text) for text in texts]
    found = sorted({text for text in texts if text})
    vectors = dict(zip(found, embed(encoder, tokenizer, found), strict=True)) if found else {}
    nothing = np.zeros(encoder.config.hidden_size, dtype=np.float32)
    return np.stack([vectors.get(text, nothing) for text in texts])


def train(
    sense: str,
    inputs: ArrayLike,
    labels: Mapping[str, ArrayLike],
    *,
    seed: int,
    epochs: int | None = None,
    learning_rate: float | None = None,
) -> SenseEncoder:
    """An encoder of one sense, trained by cross-entropy on labelled parts.

    Args:
        sense: "picture", "note" or "sound".
        inputs: pictures, vectors of notes or spectrograms, (examples, ...). Leave missing notes out.
        labels: whole numbers from 0 for each property that the sense tells, (examples,); others are ignored, so the fields
            of `part_senses.Parts` fit (`vars(parts)`).
        seed: for the weights and the order of the examples.
        epochs: passes over the examples; None for the usual number.
        learning_rate: at its peak; None for the usual one.

    Raises:
        ValueError: there is no such sense; there are no examples, not as many labels, a label out of range, or an input that
            is not finite.
    """
    if sense not in PROPERTIES:
        raise ValueError(f"there is no sense {sense!r}; there are {', '.join(PROPERTIES)}")
    inputs = _finite(inputs)
    targets = np.stack([_labels(name, labels, len(inputs)) for name in PROPERTIES[sense]], axis=1)
    encoder = SenseEncoder(sense, stream_seed(f"weights of {sense}", seed), inputs.shape[1:])
    fit(
        encoder,
        [{"inputs": x, "labels": y} for x, y in zip(inputs, targets, strict=True)],
        epochs=EPOCHS[sense] if epochs is None else epochs,
        batch_size=64,
        learning_rate=RATES[sense] if learning_rate is None else learning_rate,
        collate=_batch,
        precision="no",
        seed=stream_seed(f"order of {sense}", seed) % 2**32,
    )
    return encoder


def beliefs(encoder: SenseEncoder, inputs: ArrayLike) -> dict[str, NDArray[np.float64]]:
    """The log-probability of each class of each property given the input, at the encoder's temperatures: (examples, classes).

    They include the frequencies of the classes in training. To add up several senses, use `methods.fusion.add_log_odds`. All
    is computed in float32, whatever the processor prefers, so that probabilities are the same everywhere.
    """
    encoder.eval()
    device, parts = encoder.temperature.device, torch.from_numpy(_finite(inputs)).split(500)
    with torch.no_grad():
        logits = torch.cat([encoder(part.to(device))["logits"].cpu() for part in parts])
        return {name: found.numpy() for name, found in encoder.split(logits).items()}


def calibrate(encoder: SenseEncoder, inputs: ArrayLike, labels: Mapping[str, ArrayLike]) -> dict[str, float]:
    """Set the encoder's temperatures to those with the lowest cross-entropy on held-out examples, and return them.

    One temperature for each property (Guo and others 2017). It changes no decision of the encoder alone.

    Raises:
        ValueError: as `train` does.
    """
    encoder.temperature.fill_(1.0)
    said, found = beliefs(encoder, inputs), {}
    for number, name in enumerate(encoder.properties):
        found[name] = best_temperature(said[name], _labels(name, labels, len(said[name])))
        encoder.temperature[number] = found[name]
    return found


def best_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """The number to divide logits by for the lowest cross-entropy: (examples, classes) logits, (examples,) classes."""
    logits, labels = np.asarray(logits, dtype=float), np.asarray(labels)

    def cost(temperature: float) -> float:
        scaled = logits / temperature
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        return float((np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(scaled)), labels]).mean())

    about = min(COARSE, key=cost)
    return float(min(about * FINE, key=cost))


def quality(log_probabilities: ArrayLike, labels: ArrayLike, bins: int = 10) -> dict[str, float]:
    """Accuracy, mean negative log-likelihood (`nll`, in nats) and expected calibration error (`ece`) of predictions.

    The calibration error compares the probability of the predicted class with how often the prediction is right, in bins of
    equal width (Naeini and others 2015).

    Args:
        log_probabilities: (examples, classes).
        labels: (examples,).
        bins: of the calibration error.

    Raises:
        ValueError: there is no example, the shapes do not fit, or a log-probability is NaN.
    """
    said, labels = np.asarray(log_probabilities, dtype=float), np.asarray(labels)
    if said.ndim != 2 or labels.shape != said.shape[:1] or len(said) == 0:
        raise ValueError(f"expected (examples, classes) and (examples,); found {said.shape} and {labels.shape}")
    if np.isnan(said).any():
        raise ValueError("a log-probability is NaN")
    return {
        "accuracy": float((said.argmax(axis=1) == labels).mean()),
        "nll": float(-said[np.arange(len(said)), labels].mean()),
        "ece": losses.calibration_error(confidence(said, labels, bins)),
    }


def confidence(log_probabilities: ArrayLike, labels: ArrayLike, bins: int = 10) -> list[losses.Bin]:
    """How sure predictions are, and how often they are right: (examples, classes) and (examples,) to bins of equal width."""
    said = np.asarray(log_probabilities, dtype=float)
    sure = np.minimum(np.exp(said.max(axis=1)), 1.0)  # rounding can put it above 1
    return losses.reliability(sure, said.argmax(axis=1) == np.asarray(labels), bins)


def _batch(examples: list[dict]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(np.stack([e[name] for e in examples])) for name in examples[0]}


def _finite(inputs: ArrayLike) -> NDArray[np.float32]:
    inputs = np.ascontiguousarray(inputs, dtype=np.float32)
    if inputs.ndim < 2 or len(inputs) == 0:
        raise ValueError(f"expected examples of the shape (examples, ...), found {inputs.shape}")
    if not np.isfinite(inputs).all():
        raise ValueError("an input is NaN or infinite")
    return inputs


def _labels(name: str, labels: Mapping[str, ArrayLike], number: int) -> NDArray[np.int64]:
    found = np.asarray(labels[name])
    if found.shape != (number,):
        raise ValueError(f"there are {number} inputs, and labels of {name} of the shape {found.shape}")
    if found.dtype.kind not in "iub" or found.min() < 0 or found.max() >= CLASSES[name]:
        raise ValueError(f"labels of {name} must be whole numbers from 0 to {CLASSES[name] - 1}")
    return found.astype(np.int64)
