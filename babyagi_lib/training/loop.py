"""The training loop, `fit`, and `History`, its record. Used by lessons 01, 02, 04 and 05.

`fit` is written out so that it can be read from top to bottom: a batch, forward, backward, clip, step, schedule, and after
each epoch a validation score that decides which weights to keep and when to stop. What it needs beside these steps (checks
of its arguments, the plan of all batches, the optimizer) is in functions below it, and what several processes need in
`processes`. Accelerate runs the loop, so the same call trains on one CPU, on one GPU, or in several processes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from babyagi_lib.basics.arguments import check_number, check_whole
from babyagi_lib.training import processes
from babyagi_lib.training.batches import (
    Collate,
    Example,
    check_batches,
    check_examples,
    count_items,
    grouped_batches,
    make_batch,
    output_of,
    pad_batch,
    sizes_to_group,
    tokens_in,
)

if TYPE_CHECKING:
    from accelerate import Accelerator
    from tqdm import tqdm

PRECISIONS = ("auto", "no", "bf16", "fp16")


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
        tokens: real (not padding) tokens trained on in that time, over all processes; 0 if the examples have none.
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
    batch_size: int | None = None,
    batches: Callable[[int], list[list[int]]] | None = None,
    learning_rate: float,
    head_learning_rate: float | None = None,
    collate: Collate = pad_batch,
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
        examples: what `collate` batches; for text, dicts of integers and integer lists, with at least one of `labels`,
            `starts`, `ends`. If they change between epochs: a function from the epoch (0, 1, ...) to such examples,
            always the same number of them.
        epochs: passes over the examples.
        batch_tokens: tokens a step, padding included, over all processes together (see `grouped_batches`).
        batch_size: instead of `batch_tokens`, examples a step, over all processes together; in random order.
        batches: instead of both, a function from the epoch to its batches, as indices of examples: for losses that
            depend on which examples share a batch.
        learning_rate: the peak.
        head_learning_rate: the peak for all parameters outside `model.encoder`; None for the same as the rest. New
            layers start from random weights and have further to go than pretrained ones.
        collate: from a list of examples to a dict of tensors, (batch, ...) each, which the model's forward gets by name.
            The usual one is for text; pictures, sounds and others need one of their own.
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
        ValueError: a parameter is out of its range, or not exactly one of `batch_tokens`, `batch_size` and `batches` is
            given; examples or batches cannot be used (none, an empty one, no labels, other keys or lengths); `collate` or
            the model returns something other than described above; a score is not a number.
        FloatingPointError: the loss is not finite.
    """
    _check_settings(epochs, learning_rate, head_learning_rate, warmup, weight_decay, clip, precision, seed)
    _check_choices(batch_tokens, batch_size, batches, score, patience)
    data = _examples(examples, 0, collate)

    accelerator = processes.start(precision)
    order, dropout = np.random.SeedSequence(seed).spawn(2)
    processes.seed_dropout(dropout, accelerator)
    plan = _plan(data, epochs, batch_tokens, batch_size, batches, order, accelerator.num_processes)
    steps = sum(len(planned) for planned in plan)
    groups = _parameter_groups(model, weight_decay, learning_rate, head_learning_rate or learning_rate)
    optimizer = torch.optim.AdamW(groups, fused=accelerator.device.type != "mps")
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _rise_and_fall(steps, warmup))
    trained, optimizer = accelerator.prepare(model, optimizer)
    history, best = History(precision=str(accelerator.mixed_precision)), _Best()
    bar = _progress_bar(steps, accelerator)

    try:
        for epoch, planned in enumerate(plan):
            trained.train()
            if epoch > 0 and callable(examples):
                data = _examples(examples, epoch, collate, len(data))
            for indices in planned:
                started = time.perf_counter()
                step = len(history.steps) + 1

                # A batch: from examples to tensors.
                chosen = [data[i] for i in processes.own_part(indices, accelerator)]
                batch = make_batch(collate, chosen)
                items = _items(batch, step)

                # Forward: from the batch to its loss.
                inputs = {name: tensor.to(accelerator.device) for name, tensor in batch.items()}
                loss = output_of(trained(**inputs), "loss")
                loss = processes.weighted(loss, items, accelerator)

                # Backward: from the loss to the gradient of every parameter.
                accelerator.backward(loss)

                # Clip: no batch may move the model further than others do.
                accelerator.clip_grad_norm_(trained.parameters(), clip)

                # Step: change the parameters, each against its gradient.
                rate = optimizer.param_groups[0]["lr"]
                optimizer.step()
                optimizer.zero_grad()

                # Schedule: the next step has another learning rate.
                schedule.step()

                # Record.
                value = _finite(processes.mean(loss, accelerator), step)
                history.seconds += time.perf_counter() - started
                history.tokens += processes.total(sum(tokens_in(chosen)), accelerator)
                history.steps.append({"step": step, "epoch": epoch + 1, "loss": value, "learning_rate": rate})
                _advance(bar, history)

            if score is not None:
                # Validate.
                found = _validate(model, score, epoch)
                history.scores.append({"step": step, "epoch": epoch + 1, "score": found})

                # Keep the best.
                if best.keep(model, found):
                    history.best_step = step
                if patience is not None and best.epochs_since >= patience:
                    history.stopped = "early"
                    break
    except KeyboardInterrupt:
        history.stopped = "interrupted"
    finally:
        bar.close()
        accelerator.unwrap_model(trained, keep_fp32_wrapper=False)
        model.eval()
    best.restore(model)
    return history


# --- before the loop --------------------------------------------------------------------------------------


def _check_settings(
    epochs: int,
    learning_rate: float,
    head_learning_rate: float | None,
    warmup: float,
    weight_decay: float,
    clip: float,
    precision: str,
    seed: int,
) -> None:
    """Raise ValueError unless each of these arguments of `fit` is in its range."""
    check_whole("epochs", epochs, 1)
    check_number("learning_rate", learning_rate, 0, above=True)
    if head_learning_rate is not None:
        check_number("head_learning_rate", head_learning_rate, 0, above=True)
    check_number("warmup", warmup, 0, 1)
    check_number("weight_decay", weight_decay, 0)
    check_number("clip", clip, 0, above=True)
    check_whole("seed", seed, 0)
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; expected one of {', '.join(PRECISIONS)}")


def _check_choices(
    batch_tokens: int | None,
    batch_size: int | None,
    batches: Callable | None,
    score: Callable | None,
    patience: int | None,
) -> None:
    """Raise ValueError unless these arguments of `fit` go together."""
    if sum(way is not None for way in (batch_tokens, batch_size, batches)) != 1:
        raise ValueError("fit needs exactly one of batch_tokens, batch_size and batches")
    if patience is not None:
        check_whole("patience", patience, 1)
        if score is None:
            raise ValueError("patience needs a score: without one, fit cannot tell when to stop")


def _examples(
    examples: Sequence[Example] | Callable[[int], Sequence[Example]],
    epoch: int,
    collate: Collate,
    expected: int | None = None,
) -> Sequence[Example]:
    """The examples of an epoch; raises ValueError if there are not as many as expected or they cannot be used."""
    found = examples(epoch) if callable(examples) else examples
    check_examples(found, collate)
    if expected is not None and len(found) != expected:
        raise ValueError(f"there are {len(found)} examples in epoch {epoch}, {expected} in epoch 0")
    return found


def _plan(
    examples: Sequence[Example],
    epochs: int,
    batch_tokens: int | None,
    batch_size: int | None,
    batches: Callable[[int], list[list[int]]] | None,
    order: np.random.SeedSequence,
    at_least: int,
) -> list[list[list[int]]]:
    """The batches of every epoch, as indices of examples; raises ValueError if one cannot be made."""
    if batches is None:
        sizes, most = sizes_to_group(examples, batch_tokens, batch_size)
        plan = [grouped_batches(sizes, most, stream, at_least) for stream in order.spawn(epochs)]
    else:
        plan = [batches(epoch) for epoch in range(epochs)]
    for epoch, planned in enumerate(plan):
        check_batches(planned, len(examples), at_least, epoch)
    return plan


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


def _rise_and_fall(steps: int, warmup: float) -> Callable[[int], float]:
    """The learning rate of each step (0, 1, ...) as a share of its peak: up in a line, then down in a line."""
    ramp = max(1, round(warmup * steps))
    return lambda step: (step + 1) / ramp if step < ramp else (steps - step) / max(1, steps - ramp)


# --- in the loop ------------------------------------------------------------------------------------------


def _items(batch: dict[str, Tensor], step: int) -> int:
    """How many items the loss of a batch is the mean of; raises ValueError if there are none."""
    items = count_items(batch)
    if items == 0:
        raise ValueError(f"no example of step {step} has a label to learn from")
    return items


def _finite(loss: float, step: int) -> float:
    """The loss; raises FloatingPointError if it is infinite or not a number."""
    if not math.isfinite(loss):
        raise FloatingPointError(
            f'the loss became {loss} at step {step}; a lower learning rate or precision="no" may help'
        )
    return loss


def _validate(model: nn.Module, score: Callable[[nn.Module], float], epoch: int) -> float:
    """The model's score in evaluation mode; raises ValueError if it is not a number."""
    model.eval()
    found = score(model)
    if math.isnan(found):
        raise ValueError(f"the score after epoch {epoch + 1} is {found}; no weights can be the best by it")
    return found


@dataclass
class _Best:
    """The weights with the best score so far, and how many epochs ago they had it."""

    score: float = -math.inf
    weights: dict[str, Tensor] | None = None
    epochs_since: int = 0

    def keep(self, model: nn.Module, score: float) -> bool:
        """Copy the model's weights if no earlier ones had so high a score; returns whether that is so."""
        self.epochs_since += 1
        if score <= self.score:
            return False
        self.score, self.epochs_since = score, 0
        self.weights = {name: tensor.detach().to("cpu", copy=True) for name, tensor in model.state_dict().items()}
        return True

    def restore(self, model: nn.Module) -> None:
        """Give the model these weights, if there are any."""
        if self.weights is not None:
            model.load_state_dict(self.weights)


def _progress_bar(steps: int, accelerator: Accelerator) -> tqdm:
    """A bar of all steps, shown by one process."""
    from tqdm.auto import tqdm

    return tqdm(total=steps, desc="Training", unit="step", leave=False, disable=not accelerator.is_main_process)


def _advance(bar: tqdm, history: History) -> None:
    """One step further, with its loss, and with the speed if the examples have tokens."""
    speed = f", {history.tokens_per_second:,.0f} tokens/s" if history.tokens else ""
    bar.update()
    bar.set_postfix_str(f"loss {history.steps[-1]['loss']:.3f}{speed}", refresh=False)
