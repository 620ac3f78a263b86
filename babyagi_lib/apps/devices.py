"""Fine-tuning in several processes, and whether it comes to the same as in one. Used by benchmarks/serving.py.

    ACCELERATE_USE_CPU=true torchrun --standalone --nproc_per_node 2 -m babyagi_lib.apps.devices --out two.safetensors
    python -m babyagi_lib.apps.devices --out one.safetensors

On a machine with two GPUs, `accelerate launch --multi_gpu --num_processes 2 -m babyagi_lib.apps.devices --out two.safetensors`
does the same. (`accelerate launch --cpu --num_processes 2` starts one process and says nothing of it, as of accelerate 1.15.)

Each process computes a part of every batch, and all average their gradients: the gradient is that of the whole batch, whatever
the number of processes. `fit` does so in every lesson. This program only calls it, and writes down the gradient of the first
batch, the losses, and the weights at the end.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from babyagi_lib.basics.streams import stream_seed
from babyagi_lib.basics.whole import whole_file
from babyagi_lib.models.heads import SentenceHead, TaskModel, without_dropout
from babyagi_lib.sources.encoders import load_encoder
from babyagi_lib.sources.messages import load_intents
from babyagi_lib.training import processes
from babyagi_lib.training.batches import count_items, pad_batch
from babyagi_lib.training.loop import fit

if TYPE_CHECKING:
    from accelerate import Accelerator

    from babyagi_lib.training.batches import TextExample


def first_gradient(model: TaskModel, examples: Sequence[TextExample], accelerator: Accelerator) -> dict[str, Tensor]:
    """The gradient of the mean loss over all these examples, by parameter, as the processes compute it together."""
    shared = accelerator.prepare(model)
    batch = pad_batch(processes.own_part(list(examples), accelerator))
    inputs = {name: tensor.to(accelerator.device) for name, tensor in batch.items()}
    loss = processes.weighted(shared(**inputs)["loss"], count_items(batch), accelerator)
    accelerator.backward(loss)
    found = {name: p.grad.detach().cpu().clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    accelerator.unwrap_model(shared, keep_fp32_wrapper=False)
    return found


def compare(one: str | Path, two: str | Path) -> dict[str, float]:
    """How far two files of this program are from each other.

    Returns:
        `gradient`: the length of the difference of the gradients, as a share of the gradient's own length; `losses` and
        `weights`: the largest differences; `processes` of the second file.
    """
    from safetensors.torch import load_file

    first, second = load_file(one), load_file(two)
    parts = {part: [name for name in first if name.startswith(f"{part}/")] for part in ("gradient", "weights")}
    off = sum(((first[name] - second[name]).double() ** 2).sum() for name in parts["gradient"])
    length = sum((first[name].double() ** 2).sum() for name in parts["gradient"])
    return {
        "gradient": float((off / length).sqrt()),
        "losses": float((first["losses"] - second["losses"]).abs().max()),
        "weights": max(float((first[name] - second[name]).abs().max()) for name in parts["weights"]),
        "processes": int(second["processes"]),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, and write what came of it; see the top of this file."""
    parser = argparse.ArgumentParser(
        prog="python -m babyagi_lib.apps.devices", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--out", required=True, help="the file to write")
    parser.add_argument("--encoder", default="embedded", help="as for load_encoder")
    parser.add_argument("--texts", type=int, default=96, help="to learn from")
    parser.add_argument("--batch", type=int, default=16, help="texts in a batch, over all processes together")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    from safetensors.torch import save_file

    encoder, tokenizer = load_encoder(given.encoder)
    encoder.pooler = None  # which no sentence head uses: it would get no gradient
    rows = load_intents()["train"].shuffle(seed=given.seed).select(range(given.texts))
    names = sorted(set(rows["category"]))
    ids = tokenizer(list(rows["text"]), truncation=True)["input_ids"]
    examples = [{"input_ids": i, "labels": names.index(c)} for i, c in zip(ids, rows["category"], strict=True)]
    # Heads get their first weights from torch's global generator, which has to stand at the same place in each process.
    torch.manual_seed(stream_seed("head", given.seed))
    model = without_dropout(TaskModel(encoder, SentenceHead(encoder.config.hidden_size, len(names))))
    accelerator = processes.start("no")
    gradient = first_gradient(model, examples[: given.batch], accelerator)
    run = fit(model, examples, epochs=2, batch_size=given.batch, learning_rate=1e-4, precision="no", seed=given.seed)
    if accelerator.is_main_process:
        found = {f"gradient/{name}": value for name, value in gradient.items()}
        found |= {f"weights/{name}": p.detach().cpu().clone() for name, p in model.named_parameters()}
        found["losses"] = torch.tensor([step["loss"] for step in run.steps])
        found["processes"] = torch.tensor(accelerator.num_processes)
        with whole_file(Path(given.out)) as partial:
            save_file(found, str(partial))
        print(f"{accelerator.num_processes} process(es), {len(run.steps)} steps, last loss {run.steps[-1]['loss']:.4f}")


if __name__ == "__main__":
    main()
