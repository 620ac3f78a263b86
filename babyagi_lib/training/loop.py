"""The training loop, `fit`, and `predict` for the model it trained. Used by lessons 01, 02, 04 and 05.

The loop is written out so that it can be read from top to bottom: batches of examples of similar length, forward,
backward, clip, step, schedule, and after each epoch a validation score that decides when to stop. Accelerate runs it, so
the same call trains on one CPU, on one GPU, or in several processes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from babyagi_lib.basics.arguments import check_number, check_whole
from babyagi_lib.text.wordpieces import IGNORE
from babyagi_lib.training.batches import ANSWERS, Example, check_batches, grouped_batches, pad_batch, trainable_examples
from babyagi_lib.training.precision import best_precision

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
    current = trainable_examples(examples_of(0))

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
        check_batches(planned, len(current), world, epoch)
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
                current = trainable_examples(examples_of(epoch))
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
