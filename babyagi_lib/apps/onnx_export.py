"""A classifier as an ONNX graph, its weights in 8 bits, and whether two ways to compute it agree. Used by lesson 18.

ONNX is a file format for a computation: whoever serves the file needs neither torch nor transformers, only `onnxruntime`.
The graph goes from ids and mask to scores; mean and head are in it, so that no second program can get them wrong.

Torch has two exporters. The default here is the older one: it takes a seventh of the time and no further package, and both
gave the same answers (benchmarks/serving.json). Torch calls it deprecated; `dynamo=True` uses the newer one.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

INPUTS, OUTPUT, OPSET = ("input_ids", "attention_mask"), "logits", 17
EXAMPLE = ["a short message", "one with a few more words than that"]  # for the exporter, which follows one batch


def export(classifier: TextClassifier, path: str | Path, *, dynamo: bool = False) -> Path:
    """Write a classifier as one ONNX file: (batch, pieces) ids and mask to (batch, classes) scores, of any size.

    Args:
        classifier: its tokenizer, names and temperature are not in the file.
        path: of the file, written whole or not at all.
        dynamo: use torch's newer exporter, which needs `onnxscript`.

    Raises:
        MissingPackage: `onnx` or `onnxscript` is not installed.
    """
    needed("onnx", *(["onnxscript"] if dynamo else []))
    path = Path(path).expanduser().resolve()
    batch, pieces = ("batch", "pieces")
    names = {"input_names": list(INPUTS), "output_names": [OUTPUT]}
    if dynamo:
        sizes = {0: torch.export.Dim(batch), 1: torch.export.Dim(pieces)}
        how = {"dynamo": True, "external_data": False, "dynamic_shapes": dict.fromkeys(INPUTS, sizes), "verbose": False}
    else:
        axes = dict.fromkeys(INPUTS, {0: batch, 1: pieces}) | {OUTPUT: {0: batch}}
        how = {"dynamo": False, "opset_version": OPSET, "dynamic_axes": axes}
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as partial, _quiet():
        torch.onnx.export(classifier.scorer, classifier.pieces(EXAMPLE), str(partial), **names, **how)
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
        MissingPackage: `onnx` or `onnxruntime` is not installed.
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
        MissingPackage: `onnxruntime` is not installed.
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
        if takes != sorted(INPUTS) or shape[-1] not in (len(self.names), None) and not isinstance(shape[-1], str):
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
    """Switch off what the exporters and the quantizer say: deprecations, and hints that do not apply here."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "root", "onnxscript", "torch.export")]
    before: list[Any] = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, before, strict=True):
                logger.setLevel(level)
