"""A classifier as an ONNX graph, its weights in 8 bits, and whether two ways to compute it agree. Used by lesson 18.

ONNX is a file format for a computation: whoever serves the file needs neither torch nor transformers, only `onnxruntime`.
The graph goes from ids and mask to scores; mean and head are in it, so that no second program can get them wrong.

Torch has two exporters. The older one takes a seventh of the time and no further package, and its graph gave the same answers at
the same speed (benchmarks/serving.json). But torch is about to drop it, so the newer one is used here.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from babyagi_lib.apps.classifier import Served, TextClassifier
from babyagi_lib.apps.packages import needed
from babyagi_lib.basics.arguments import check_whole
from babyagi_lib.basics.intervals import Interval
from babyagi_lib.basics.whole import whole_file

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

INPUTS, OUTPUT = ("input_ids", "attention_mask"), "logits"
# What exporter and quantizer say that is known and does no harm here, by the logger or warning that says it.
KNOWN_LOGS = {
    "torch.onnx._internal.exporter._registration": "torchvision is not installed",
    "root": "Please consider to run pre-processing before quantization",
}
KNOWN_WARNINGS = (
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    r"# The axis name: \w+ will not be used, since it shares the same shape constraints",
)
EXAMPLE = ["a short message", "one with a few more words than that"]  # for the exporter, which follows one batch


def export(classifier: TextClassifier, path: str | Path) -> Path:
    """Write a classifier as one ONNX file: (batch, pieces) ids and mask to (batch, classes) scores, of any size.

    Args:
        classifier: its tokenizer, names and temperature are not in the file.
        path: of the file, written whole or not at all.

    Raises:
        MissingPackages: `onnx` or `onnxscript` is not installed.
    """
    needed("onnx", "onnxscript")
    path = Path(path).expanduser().resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    sizes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("pieces")}
    with whole_file(path) as partial, _quiet():
        torch.onnx.export(
            classifier.scorer,
            classifier.pieces(EXAMPLE),
            str(partial),
            input_names=INPUTS,
            output_names=[OUTPUT],
            dynamo=True,
            external_data=False,
            dynamic_shapes=({**sizes}, {**sizes}),
            verbose=False,
        )
    return path


def quantize(source: str | Path, target: str | Path, *, per_channel: bool = True) -> Path:
    """Write an ONNX file again with its matrices in 8 bits: a quarter of the size.

    Dynamic quantization: the weights are rounded here, once; the numbers that run through the network are rounded in every
    batch, by the largest of them in that batch. So an answer can depend on the texts that share its batch.

    Args:
        source: of `export`.
        target: the new file.
        per_channel: one scale for each column of a matrix; otherwise one for the whole matrix.

    Raises:
        MissingPackages: `onnx` or `onnxruntime` is not installed.
    """
    needed("onnx", "onnxruntime")
    from onnxruntime.quantization import QuantType, quantize_dynamic

    target = Path(target).expanduser().resolve()
    with whole_file(target) as partial, _quiet():
        quantize_dynamic(str(source), str(partial), per_channel=per_channel, weight_type=QuantType.QInt8)
    return target


class OnnxClassifier(Served):
    """A classifier computed by `onnxruntime`.

    Args:
        path: of `export` or `quantize`.
        tokenizer, names, temperature: of the classifier that was exported.
        threads: for one call.

    Raises:
        MissingPackages: `onnxruntime` is not installed.
        ValueError: the file is missing, or is no such graph.
    """

    def __init__(
        self,
        path: str | Path,
        tokenizer: PreTrainedTokenizerBase,
        names: Sequence[str],
        temperature: float = 1.0,
        *,
        threads: int = 1,
    ) -> None:
        super().__init__(tokenizer, names, temperature)
        check_whole("threads", threads, 1)
        needed("onnxruntime")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = threads
        options.log_severity_level = 3  # errors only
        try:
            self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the library has an error for each way in which a file can be wrong
            raise ValueError(f"{path} cannot be loaded as an ONNX graph ({error!s:.200})") from error
        takes = sorted(given.name for given in self.session.get_inputs())
        shape = self.session.get_outputs()[0].shape
        if takes != sorted(INPUTS) or (isinstance(shape[-1], int) and shape[-1] != len(self.names)):
            raise ValueError(
                f"{path} takes {takes} and gives {shape}; expected {sorted(INPUTS)} and {len(self.names)} scores"
            )

    def from_pieces(self, input_ids: Tensor | NDArray, attention_mask: Tensor | NDArray) -> NDArray[np.float32]:
        """As in `Served`; tensors or arrays."""
        given = zip(INPUTS, (input_ids, attention_mask), strict=True)
        return self.session.run([OUTPUT], {name: np.asarray(value, np.int64) for name, value in given})[0]


@dataclass(frozen=True)
class Comparison:
    """How far the scores of one way to compute a classifier are from another's.

    Attributes:
        largest: the largest difference of two scores.
        flips: how many texts get another answer.
        number: how many texts there are.
        accuracies: of the reference and of the other.
        gain: the other's accuracy minus the reference's, with its paired interval.
    """

    largest: float
    flips: int
    number: int
    accuracies: tuple[float, float]
    gain: Interval


def compare(reference: ArrayLike, other: ArrayLike, truth: ArrayLike) -> Comparison:
    """Compare two sets of scores of the same texts.

    Args:
        reference, other: (texts, classes).
        truth: the index of the true class of each text, (texts,).

    Raises:
        ValueError: the shapes do not fit each other.
    """
    reference, other, truth = np.asarray(reference), np.asarray(other), np.asarray(truth)
    if reference.ndim != 2 or reference.shape != other.shape or truth.shape != reference.shape[:1] or not len(truth):
        raise ValueError(
            f"scores of shape {reference.shape} and {other.shape}, and {truth.shape} true classes; expected (texts, classes) "
            "twice, and (texts,)"
        )
    answers = reference.argmax(axis=1), other.argmax(axis=1)
    right = [answer == truth for answer in answers]
    return Comparison(
        largest=float(np.abs(reference.astype(float) - other).max()),
        flips=int((answers[0] != answers[1]).sum()),
        number=len(truth),
        accuracies=(float(right[0].mean()), float(right[1].mean())),
        gain=paired_interval(*right),
    )


def paired_interval(first: ArrayLike, second: ArrayLike) -> Interval:
    """The mean of `second - first` over the same texts, with its 95% interval.

    Agresti and Min (2005, https://doi.org/10.1002/sim.1781): the interval for paired shares of Wald, after half a pair is
    added to each of the four kinds. Without the addition it would have length zero where no answer differs. It is narrower
    than an interval for two separate samples, since texts on which both are right or both wrong add nothing to it.

    Args:
        first, second: whether each text was answered rightly, (texts,) of True and False.

    Raises:
        ValueError: the shapes differ, or there is no text.
    """
    first, second = np.asarray(first, float), np.asarray(second, float)
    if first.shape != second.shape or first.ndim != 1 or not len(first):
        raise ValueError(f"got shapes {first.shape} and {second.shape}; expected (texts,) twice")
    won, lost = ((second > first).sum() + 0.5), ((second < first).sum() + 0.5)
    number = len(first) + 2
    middle = (won - lost) / number
    spread = 1.959964 * np.sqrt((won + lost) / number - middle**2) / np.sqrt(number)
    return Interval(np.float64((second - first).mean()), np.float64(middle - spread), np.float64(middle + spread))


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what is in `KNOWN_LOGS` and `KNOWN_WARNINGS`, and nothing else."""

    def unknown(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(tuple(KNOWN_LOGS.values()))

    loggers = [logging.getLogger(name) for name in KNOWN_LOGS]
    with warnings.catch_warnings():
        for text in KNOWN_WARNINGS:
            warnings.filterwarnings("ignore", message=text)
        for logger in loggers:
            logger.addFilter(unknown)
        try:
            yield
        finally:
            for logger in loggers:
                logger.removeFilter(unknown)
