"""The training loop that every lesson uses: `fit`, and `predict` for the model it trained.

The loop is written out so that it can be read from top to bottom: batches of examples of similar length, forward,
backward, clip, step, schedule, and after each epoch a validation score that decides when to stop. Accelerate runs it, so
the same call trains on one CPU, on one GPU, or in several processes.
"""

from __future__ import annotations

import math
import numbers
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from babyagi_lib.arguments import check_number, check_whole
from babyagi_lib.tagging import IGNORE

ANSWERS = ("labels", "starts", "ends")  # the targets, by the names that a model's forward gives them
PRECISIONS = ("auto", "no", "bf16", "fp16")
Example = dict[str, list[int] | int]


@dataclass
class History:
    """Metrics recorded by `fit`.

    Attributes:
        steps: a dict for each optimiser step: `step` and `epoch` (from 1), `loss` (before the update) and
            `learning_rate`, the rate of this update. With two rates it is that of the first trained parameter, usually
            the encoder's.
        scores: a dict for each validation: `step`, `epoch`, `score`.
        best_step: the step whose weights the model has now; None without validation.
        seconds: time spent in training steps, without validation.
        tokens: real (not padding) tokens trained on in that time, over all processes.
        precision: `"no"` (float32), `"bf16"` or `"fp16"`.
        stopped: `"finished"`, `"early"` (the score stopped rising) or `"interrupted"` (by the user).
    """

    steps: list[dict] = field(default_factory=list)
    scores: list[dict] = field(default_factory=list)
    best_step: int | None = None
    seconds: float = 0.0
    tokens: int = 0
    precision: str = "no"
    stopped: str = "finished"

    @property
    def tokens_per_second(self) -> float:
        """Real tokens a second of training."""
        return self.tokens / self.seconds if self.seconds else 0.0


def fit(
    model: nn.Module,
    examples: Sequence[Example] | Callable[[int], Sequence[Example]],
    *,
    epochs: int,
    batch_tokens: int | None = None,
    batches: Callable[[int], list[list[int]]] | None = None,
    learning_rate: float,
    head_learning_rate: float | None = None,
    score: Callable[[nn.Module], float] | None = None,
    patience: int | None = None,
    warmup: float = 0.1,
    weight_decay: float = 0.01,
    clip: float = 1.0,
    precision: str = "auto",
    seed: int = 0,
) -> History:
    """Train a model whose forward returns a dict with `loss`, the mean over its labelled items.

    AdamW (Loshchilov & Hutter 2019) without decay on biases and norms; the learning rate rises linearly over
    the first `warmup` share of the steps, then falls linearly to zero; gradients are clipped to norm `clip`.

    Args:
        model: trained in place; parameters with `requires_grad=False` stay as they are.
        examples: dicts of integers and integer lists, batched by `pad_batch` and passed to the model by name, with at
            least one of `labels`, `starts`, `ends`. If they change between epochs: a function from the epoch (0, 1, ...)
            to such dicts, always the same number of them.
        epochs: passes over the examples.
        batch_tokens: tokens a step, padding included, over all processes together (see `grouped_batches`).
        batches: instead of `batch_tokens`, a function from the epoch to its batches, as indices of examples: for losses
            that depend on which examples share a batch.
        learning_rate: the peak.
        head_learning_rate: the peak for all parameters outside `model.encoder`; None for the same as the rest. New
            layers start from random weights and have further to go than pretrained ones.
        score: called after every epoch on the model in evaluation mode; higher is better. The weights with
            the best score are the ones the model has at the end.
        patience: stop after this many epochs without a better score; None never stops early.
        warmup: from 0 to 1.
        weight_decay: of matrices.
        clip: the largest norm of all gradients together.
        precision: `"auto"` probes the device (see `best_precision`), or `"no"`, `"bf16"`, `"fp16"`.
        seed: for the order of the examples and for dropout. Every use has a random stream of its own, spawned from the
            seed: no epoch of one seed repeats an epoch of another.

    Returns:
        The history. Ctrl-C stops training cleanly and returns what there is.

    Raises:
        ValueError: a parameter is out of its range, or not exactly one of `batch_tokens` and `batches` is given; examples
            or batches cannot be used (none, an empty one, no labels, other keys or lengths); a score is not a number.
        FloatingPointError: the loss is not finite.
    """
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState
    from accelerate.utils import set_seed
    from tqdm.auto import tqdm

    check_whole("epochs", epochs, 1)
    check_number("learning_rate", learning_rate, 0, above=True)
    if head_learning_rate is not None:
        check_number("head_learning_rate", head_learning_rate, 0, above=True)
    check_number("warmup", warmup, 0, 1)
    check_number("weight_decay", weight_decay, 0)
    check_number("clip", clip, 0, above=True)
    check_whole("seed", seed, 0)
    if (batch_tokens is None) == (batches is None):
        raise ValueError("fit needs either batch_tokens or batches")
    if patience is not None:
        check_whole("patience", patience, 1)
        if score is None:
            raise ValueError("patience needs a score: without one, fit cannot tell when to stop")
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; expected one of {', '.join(PRECISIONS)}")
    examples_of = examples if callable(examples) else lambda epoch: examples
    current = _trainable_examples(examples_of(0))

    AcceleratorState._reset_state()  # the precision of an earlier fit in this process must not bind this one
    accelerator = Accelerator(mixed_precision=best_precision() if precision == "auto" else precision)
    rank, world = accelerator.process_index, accelerator.num_processes
    history = History(precision=str(accelerator.mixed_precision))
    order, dropout = np.random.SeedSequence(seed).spawn(2)
    set_seed(int(dropout.spawn(world)[rank].generate_state(1)[0]))

    optimizer = torch.optim.AdamW(
        _parameter_groups(model, weight_decay, learning_rate, head_learning_rate or learning_rate),
        fused=accelerator.device.type != "mps",
    )
    lengths = [len(e["input_ids"]) for e in current]
    plan = [
        batches(epoch) if batches else grouped_batches(lengths, batch_tokens, stream, world)
        for epoch, stream in enumerate(order.spawn(epochs))
    ]
    for epoch, planned in enumerate(plan):
        _check_batches(planned, len(current), world, epoch)
    total = sum(len(planned) for planned in plan)
    ramp = max(1, round(warmup * total))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: (step + 1) / ramp if step < ramp else (total - step) / max(1, total - ramp)
    )
    trained, optimizer = accelerator.prepare(model, optimizer)
    best_score, best_weights, epochs_since_best = float("-inf"), None, 0

    bar = tqdm(total=total, desc="Training", unit="step", leave=False, disable=not accelerator.is_main_process)
    try:
        for epoch, planned in enumerate(plan):
            trained.train()
            if epoch > 0 and callable(examples):
                current = _trainable_examples(examples_of(epoch))
                if len(current) != len(lengths):
                    raise ValueError(f"there are {len(current)} examples in epoch {epoch}, {len(lengths)} in epoch 0")
            for indices in planned:
                started = time.perf_counter()
                batch = pad_batch([current[i] for i in indices[rank::world]])
                items = (batch[next(name for name in ANSWERS if name in batch)] != IGNORE).sum()
                if items == 0:
                    raise ValueError(f"no example of step {len(history.steps) + 1} has a label to learn from")
                loss = trained(**{k: v.to(accelerator.device) for k, v in batch.items()})["loss"]
                if world > 1:
                    # Every process has its own mean; weigh it so that their average is the mean over the whole batch.
                    items = items.to(accelerator.device)
                    share = items / accelerator.reduce(items, "sum")
                    loss = loss * share * world
                accelerator.backward(loss)
                accelerator.clip_grad_norm_(trained.parameters(), clip)
                rate = optimizer.param_groups[0]["lr"]  # before the schedule moves on to the next step's
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
                value = accelerator.reduce(loss.detach(), "mean").item()
                if not math.isfinite(value):
                    raise FloatingPointError(
                        f'the loss became {value} at step {len(history.steps) + 1}; a lower learning rate or precision="no" may help'
                    )
                history.seconds += time.perf_counter() - started
                history.tokens += sum(len(current[i]["input_ids"]) for i in indices)
                history.steps.append(
                    {"step": len(history.steps) + 1, "epoch": epoch + 1, "loss": value, "learning_rate": rate}
                )
                bar.update()
                bar.set_postfix_str(f"loss {value:.3f}, {history.tokens_per_second:,.0f} tokens/s", refresh=False)
            if score is not None:
                model.eval()
                found = score(model)
                if math.isnan(found):
                    raise ValueError(f"the score after epoch {epoch + 1} is {found}; no weights can be the best by it")
                history.scores.append({"step": len(history.steps), "epoch": epoch + 1, "score": found})
                epochs_since_best += 1
                if found > best_score:
                    best_score, epochs_since_best = found, 0
                    history.best_step = len(history.steps)
                    best_weights = {k: v.detach().to("cpu", copy=True) for k, v in model.state_dict().items()}
                if patience is not None and epochs_since_best >= patience:
                    history.stopped = "early"
                    break
    except KeyboardInterrupt:
        history.stopped = "interrupted"
    finally:
        bar.close()
        accelerator.unwrap_model(trained, keep_fp32_wrapper=False)
        model.eval()
    if best_weights is not None:
        model.load_state_dict(best_weights)
    return history


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


@cache
def best_precision() -> str:
    """The precision that trains fastest here without losing accuracy: `"bf16"`, `"fp16"` or `"no"`.

    GPUs with native bfloat16 use it, older ones float16. CPUs are timed once on a matrix product, since only some
    have bfloat16 units and the others would get slower.
    """
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if torch.backends.mps.is_available():
        return "no"
    times: dict[torch.dtype, list[float]] = {torch.float32: [], torch.bfloat16: []}
    for _ in range(12):  # in turns, keeping each one's best time, so that a short load on the machine changes nothing
        for dtype, taken in times.items():
            a = torch.ones(512, 512, dtype=dtype)
            started = time.perf_counter()
            for _ in range(4):
                a @ a
            taken.append(time.perf_counter() - started)
    return "bf16" if min(times[torch.bfloat16]) * 1.5 < min(times[torch.float32]) else "no"


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


def _trainable_examples(examples: Sequence[Example]) -> Sequence[Example]:
    _check_examples(examples)
    if not any(name in examples[0] for name in ANSWERS):
        raise ValueError(f"the examples have only {list(examples[0])}; training needs one of {', '.join(ANSWERS)}")
    return examples


def _check_batches(planned: list[list[int]], examples: int, processes: int, epoch: int) -> None:
    """Raise ValueError unless an epoch has a batch, and each batch has existing examples, one for each process."""
    if not len(planned):
        raise ValueError(f"there are no batches in epoch {epoch}")
    for batch in planned:
        if len(batch) < processes:
            raise ValueError(f"a batch of epoch {epoch} has {len(batch)} examples; expected at least {processes}")
        if not 0 <= min(batch) <= max(batch) < examples:
            raise ValueError(f"a batch of epoch {epoch} names the examples {batch}; there are {examples}")


def _parameter_groups(model: nn.Module, weight_decay: float, rate: float, head_rate: float) -> list[dict]:
    """Matrices decay towards zero, biases and norms (vectors) do not; parameters outside the encoder have their rate."""
    groups = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            lr = rate if name.startswith("encoder.") else head_rate
            decay = weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((lr, decay), []).append(parameter)
    if not groups:
        raise ValueError("no parameter of the model can be trained; all have requires_grad=False")
    return [{"params": found, "lr": lr, "weight_decay": decay} for (lr, decay), found in groups.items()]
