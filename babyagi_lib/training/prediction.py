"""The outputs of a trained model for many examples. Used by lessons 01, 02, 04 and 05."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from babyagi_lib.training.batches import ANSWERS, Example, grouped_batches, pad_batch
from babyagi_lib.training.precision import best_precision


def predict(model: nn.Module, examples: Sequence[Example], batch_tokens: int = 4096) -> list[np.ndarray]:
    """The model's logits for every example, in the order given, in float32.

    Arrays (outputs,) from a model with one answer for each example, (pieces, outputs) from one with an answer for each
    piece. Examples of similar length are computed together, `batch_tokens` tokens at a time (see `grouped_batches`). The
    model is in evaluation mode afterwards.

    Raises:
        ValueError: `batch_tokens` is not a positive whole number, or the examples do not fit together (see `pad_batch`).
    """
    device = next(model.parameters()).device
    precision = best_precision()
    dtype = torch.float16 if precision == "fp16" else torch.bfloat16
    answers: list[np.ndarray] = [np.empty(0)] * len(examples)
    model.eval()
    # Not inference_mode, in which autocast would cast the weights to 16 bits again for every batch.
    with torch.no_grad(), torch.autocast(device.type, dtype=dtype, enabled=precision != "no"):
        for indices in grouped_batches([len(e["input_ids"]) for e in examples], batch_tokens, seed=0):
            batch = pad_batch([{k: v for k, v in examples[i].items() if k not in ANSWERS} for i in indices])
            logits = model(**{k: v.to(device) for k, v in batch.items()})["logits"].float().cpu().numpy()
            for i, rows in zip(indices, logits, strict=True):
                answers[i] = rows if rows.ndim == 1 else rows[: len(examples[i]["input_ids"])]
    return answers
