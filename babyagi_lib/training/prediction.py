"""The outputs of a trained model for many examples. Used by lessons 01, 02, 04 and 05."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from babyagi_lib.training.batches import (
    ANSWERS,
    Collate,
    Example,
    grouped_batches,
    make_batch,
    output_of,
    pad_batch,
    sizes_to_group,
    tokens_in,
)
from babyagi_lib.training.precision import best_precision


def predict(
    model: nn.Module,
    examples: Sequence[Example],
    batch_tokens: int = 4096,
    *,
    batch_size: int | None = None,
    collate: Collate = pad_batch,
) -> list[np.ndarray]:
    """The model's logits for every example, in the order given, in float32.

    Arrays (outputs,) from a model with one answer for each example, (pieces, outputs) from one with an answer for each
    piece. The model is in evaluation mode afterwards.

    Args:
        model: its forward returns a dict with `logits`, one row for each example.
        examples: as for `fit`. Answers among them, such as `labels`, are kept from the model.
        batch_tokens: texts of similar length are computed together, so many tokens at a time (see `grouped_batches`).
        batch_size: instead of `batch_tokens`, how many examples are computed together.
        collate: makes a batch from a list of examples; the usual one is for text.

    Raises:
        ValueError: `batch_tokens` or `batch_size` is not a positive whole number; the examples do not fit together (see
            `pad_batch`), or have no tokens to count; `collate` or the
            model returns something other than described above.
    """
    device = next(model.parameters()).device
    precision = best_precision()
    dtype = torch.float16 if precision == "fp16" else torch.bfloat16
    answers: list[np.ndarray] = [np.empty(0)] * len(examples)
    model.eval()
    # Not inference_mode, in which autocast would cast the weights to 16 bits again for every batch.
    with torch.no_grad(), torch.autocast(device.type, dtype=dtype, enabled=precision != "no"):
        for indices in grouped_batches(*sizes_to_group(examples, batch_tokens, batch_size), seed=0):
            chosen = [examples[i] for i in indices]
            batch = make_batch(collate, chosen)
            inputs = {name: tensor.to(device) for name, tensor in batch.items() if name not in ANSWERS}
            logits = output_of(model(**inputs), "logits").float().cpu().numpy()
            for i, rows, pieces in zip(indices, logits, tokens_in(chosen), strict=True):
                answers[i] = rows[:pieces] if pieces and rows.ndim > 1 else rows
    return answers
