"""Batches of text: examples padded to one length, and grouped by length. Used by `loop` and `prediction`."""

from __future__ import annotations

import numbers
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from babyagi_lib.basics.arguments import check_whole
from babyagi_lib.text.wordpieces import IGNORE

ANSWERS = ("labels", "starts", "ends")  # the targets, by the names that a model's forward gives them


Example = dict[str, list[int] | int]


def pad_batch(examples: Sequence[Example]) -> dict[str, Tensor]:
    """Stack examples of different lengths: (batch, longest) tensors, with an `attention_mask` that is 0 at padding.

    Labels are padded with `IGNORE`, everything else with 0. A key with one integer for each example becomes (batch,).

    Raises:
        ValueError: there are no examples, one is empty, their keys differ, or a list is not as long as its `input_ids`.
    """
    _check_examples(examples)
    longest = max(len(e["input_ids"]) for e in examples)
    batch = {}
    for name in examples[0]:
        if isinstance(examples[0][name], numbers.Integral):
            batch[name] = torch.tensor([e[name] for e in examples])
            continue
        fill = IGNORE if name == "labels" else 0
        batch[name] = torch.tensor([[*e[name], *[fill] * (longest - len(e[name]))] for e in examples])
    batch["attention_mask"] = torch.tensor(
        [[1] * len(e["input_ids"]) + [0] * (longest - len(e["input_ids"])) for e in examples]
    )
    return batch


def grouped_batches(
    lengths: Sequence[int], batch_tokens: int, seed: int | np.random.SeedSequence, at_least: int = 1
) -> list[list[int]]:
    """Indices in random batches of similar lengths and about equal numbers of tokens.

    Similar lengths need little padding. Equal numbers of tokens give every token the same weight in training (with a
    fixed number of examples, the tokens of a batch of short ones would weigh more), and leave no step too small to be
    computed efficiently. Shuffle, sort by length, cut, shuffle the batches: examples of equal length are batched at
    random, while every epoch has batches of the same sizes. So the code that a processor prepares for matrices of each
    new size (oneDNN does on CPUs) is used in all epochs.

    Args:
        lengths: tokens of each example.
        batch_tokens: a batch's size with its padding stays within this, unless `at_least` examples are longer, or a
            remainder of fewer than that had to be added.
        seed: for both shuffles.
        at_least: examples in a batch, if there are that many at all.

    Raises:
        ValueError: `batch_tokens` or `at_least` is not a positive whole number.
    """
    check_whole("batch_tokens", batch_tokens, 1)
    check_whole("at_least", at_least, 1)
    if not isinstance(seed, np.random.SeedSequence):
        check_whole("seed", seed, 0)
        seed = np.random.SeedSequence(seed)
    draw = torch.Generator().manual_seed(int(seed.generate_state(1, np.uint64)[0]))
    order = torch.randperm(len(lengths), generator=draw).tolist()
    batches: list[list[int]] = []
    for i in sorted(order, key=lambda i: lengths[i]):
        if not batches or (len(batches[-1]) >= at_least and lengths[i] * (len(batches[-1]) + 1) > batch_tokens):
            batches.append([])
        batches[-1].append(i)
    if len(batches) > 1 and len(batches[-1]) < at_least:
        batches[-2:] = [batches[-2] + batches[-1]]
    return [batches[i] for i in torch.randperm(len(batches), generator=draw).tolist()]


def _check_examples(examples: Sequence[Example]) -> None:
    """Raise ValueError unless `pad_batch` can stack these examples, in batches of any kind."""
    if not len(examples):
        raise ValueError("there are no examples")
    keys = examples[0].keys()
    for number, example in enumerate(examples):
        if example.keys() != keys:
            raise ValueError(f"example {number} has the keys {list(example)}, example 0 has {list(keys)}")
        pieces = len(example.get("input_ids", ()))
        if not pieces:
            raise ValueError(f"example {number} has no input_ids")
        for name, value in example.items():
            if not isinstance(value, numbers.Integral) and len(value) != pieces:
                raise ValueError(f"example {number} has {pieces} input_ids, but {len(value)} {name}")


def trainable_examples(examples: Sequence[Example]) -> Sequence[Example]:
    """The examples, if a model can be trained on them; raises ValueError if not."""
    _check_examples(examples)
    if not any(name in examples[0] for name in ANSWERS):
        raise ValueError(f"the examples have only {list(examples[0])}; training needs one of {', '.join(ANSWERS)}")
    return examples


def check_batches(planned: list[list[int]], examples: int, processes: int, epoch: int) -> None:
    """Raise ValueError unless an epoch has a batch, and each batch has existing examples, one for each process."""
    if not len(planned):
        raise ValueError(f"there are no batches in epoch {epoch}")
    for batch in planned:
        if len(batch) < processes:
            raise ValueError(f"a batch of epoch {epoch} has {len(batch)} examples; expected at least {processes}")
        if not 0 <= min(batch) <= max(batch) < examples:
            raise ValueError(f"a batch of epoch {epoch} names the examples {batch}; there are {examples}")
