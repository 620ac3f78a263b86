"""What `loop` needs to run in several processes: each computes a part of every batch, and all keep the same weights.

Used by `loop`. In one process, `own_part`, `weighted` and `total` return what they are given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from babyagi_lib.training.precision import best_precision

if TYPE_CHECKING:
    from accelerate import Accelerator


def start(precision: str) -> Accelerator:
    """What moves models and batches to the devices; `precision` as for `fit`."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state()  # the precision of an earlier fit in this process must not bind this one
    return Accelerator(mixed_precision=best_precision() if precision == "auto" else precision)


def seed_dropout(stream: np.random.SeedSequence, accelerator: Accelerator) -> None:
    """Seed the generators that dropout draws from, differently in each process."""
    from accelerate.utils import set_seed

    own = stream.spawn(accelerator.num_processes)[accelerator.process_index]
    set_seed(int(own.generate_state(1)[0]))


def own_part(indices: list[int], accelerator: Accelerator) -> list[int]:
    """The examples of a batch that this process computes, while the others compute the rest."""
    return indices[accelerator.process_index :: accelerator.num_processes]


def weighted(loss: Tensor, items: int, accelerator: Accelerator) -> Tensor:
    """The mean loss over this process's items, weighted so that the mean over processes is that over the whole batch."""
    if accelerator.num_processes == 1:
        return loss
    own = torch.tensor(items, device=accelerator.device)
    share = own / accelerator.reduce(own, "sum")
    return loss * share * accelerator.num_processes


def mean(loss: Tensor, accelerator: Accelerator) -> float:
    """The mean of the losses of all processes."""
    return accelerator.reduce(loss.detach(), "mean").item()


def total(number: int, accelerator: Accelerator) -> int:
    """The sum of the numbers of all processes."""
    if accelerator.num_processes == 1:
        return number
    return int(accelerator.reduce(torch.tensor(number, device=accelerator.device), "sum"))
