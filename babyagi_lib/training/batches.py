"""Batches: which examples share one, and how they become tensors. Used by `loop` and `prediction`.

A `collate` function makes one batch of tensors from a list of examples of any kind. `pad_batch` is the one for text.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from babyagi_lib.basics.arguments import check_whole
from babyagi_lib.basics.labels import IGNORE

ANSWERS = ("labels", "starts", "ends")  # the targets, by the names that a model's forward gives them

Example = Any  # of the kind that the collate function batches
TextExample = dict[str, list[int] | int]
Collate = Callable[[list[Example]], dict[str, Tensor]]


def pad_batch(examples: Sequence[TextExample]) -> dict[str, Tensor]:
    """Stack examples of text of different lengths: (batch, longest) tensors, with an `attention_mask` that is 0 at padding.

    Labels are padded with `IGNORE`, everything else with 0. A key with one integer for each example becomes (batch,).

    Raises:
        ValueError: there are no examples, one is empty, their keys differ, or a list is not as long as its `input_ids`.
    """
    _check_text(examples)
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


def tokens_in(examples: Sequence[Example]) -> list[int]:
    """The number of `input_ids` of each example; 0 for one without any, such as a picture."""
    return [len(e.get("input_ids", ())) if isinstance(e, Mapping) else 0 for e in examples]


def sizes_to_group(
    examples: Sequence[Example], batch_tokens: int | None, batch_size: int | None
) -> tuple[list[int], int]:
    """The first two arguments of `grouped_batches`: for batches of `batch_size` examples, or if that is None, of tokens.

    Raises:
        ValueError: `batch_size` is not a positive whole number; or it is None, and an example has no tokens.
    """
    if batch_size is not None:
        check_whole("batch_size", batch_size, 1)
        return [1] * len(examples), batch_size
    lengths = tokens_in(examples)
    if 0 in lengths:
        raise ValueError(
            f"example {lengths.index(0)} has no input_ids, which batch_tokens counts; batch_size counts other examples"
        )
    return lengths, batch_tokens


def make_batch(collate: Collate, examples: list[Example]) -> dict[str, Tensor]:
    """The tensors that `collate` makes of these examples; raises ValueError if it returns anything else."""
    batch = collate(examples)
    if isinstance(batch, Mapping) and batch and all(torch.is_tensor(value) for value in batch.values()):
        return batch
    found = type(batch).__name__
    if isinstance(batch, Mapping):
        found += f" of {', '.join(f'{name}: {type(value).__name__}' for name, value in batch.items()) or 'nothing'}"
    raise ValueError(f"collate returned {found}; expected a dict of tensors, by the names of the model's arguments")


def count_items(batch: dict[str, Tensor]) -> int:
    """How many items the loss of a batch is the mean of: its answers that are not `IGNORE`, or its examples if it has none."""
    for name in ANSWERS:
        if name in batch:
            return int((batch[name] != IGNORE).sum())
    return len(next(iter(batch.values())))


def output_of(outputs: Mapping[str, Tensor], name: str) -> Tensor:
    """What a model's forward returned by that name; raises ValueError if it returned none."""
    if isinstance(outputs, Mapping) and name in outputs:
        return outputs[name]
    found = f"a dict with {list(outputs)}" if isinstance(outputs, Mapping) else f"a {type(outputs).__name__}"
    raise ValueError(f"the model returned {found}; expected a dict with {name!r}")


def check_examples(examples: Sequence[Example], collate: Collate) -> None:
    """Raise ValueError if there are no examples, or if they are for `pad_batch` and no text to learn from."""
    _check_any(examples)
    if collate is pad_batch:  # the checks of other kinds of examples are their collate function's
        _check_text(examples)
        if not any(name in examples[0] for name in ANSWERS):
            raise ValueError(f"the examples have only {list(examples[0])}; training needs one of {', '.join(ANSWERS)}")


def _check_any(examples: Sequence[Example]) -> None:
    """Raise ValueError if there are no examples."""
    if not len(examples):
        raise ValueError("there are no examples")


def _check_text(examples: Sequence[TextExample]) -> None:
    """Raise ValueError unless `pad_batch` can stack these examples, in batches of any kind."""
    _check_any(examples)
    for number, example in enumerate(examples):
        if not isinstance(example, Mapping):
            kind = type(example).__name__
            raise ValueError(
                f"example {number} is a {kind}; pad_batch batches text, other kinds need a collate function"
            )
        if example.keys() != examples[0].keys():
            raise ValueError(f"example {number} has the keys {list(example)}, example 0 has {list(examples[0])}")
        pieces = len(example.get("input_ids", ()))
        if not pieces:
            raise ValueError(f"example {number} has no input_ids")
        for name, value in example.items():
            if not isinstance(value, numbers.Integral) and len(value) != pieces:
                raise ValueError(f"example {number} has {pieces} input_ids, but {len(value)} {name}")


def check_batches(planned: list[list[int]], examples: int, processes: int, epoch: int) -> None:
    """Raise ValueError unless an epoch has a batch, and each batch has existing examples, one for each process."""
    if not len(planned):
        raise ValueError(f"there are no batches in epoch {epoch}")
    for batch in planned:
        if len(batch) < processes:
            raise ValueError(f"a batch of epoch {epoch} has {len(batch)} examples; expected at least {processes}")
        if not 0 <= min(batch) <= max(batch) < examples:
            raise ValueError(f"a batch of epoch {epoch} names the examples {batch}; there are {examples}")
