"""What makes training fast: the recipe of `ner_finetuning.py` with one thing changed at a time, and where its time goes.

    python benchmarks/training_speed.py ../conll2003

Every way trains for one epoch on the same sentences from the same weights. They take turns, and each is compared with the
recipe just before it, so that a machine whose speed drifts does little harm. The first turn does not count: in it oneDNN
prepares for the sizes of the matrices, which it does once. Then one more epoch of the recipe runs under torch's profiler,
and the time of its operations is added up by kind. The result goes to `training_speed.json` beside this file. Nine minutes;
run it with nothing else running.
"""

from __future__ import annotations

import argparse
import copy
import random
import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import results
import torch
from ner_finetuning import OURS, STRETCH, Setting
from torch.profiler import ProfilerActivity, profile

from babyagi_lib.models import heads
from babyagi_lib.training.batches import grouped_batches
from babyagi_lib.training.loop import History, fit

RECIPE = "the recipe"
KINDS = {  # of operations, by what their names begin with; the first that fits
    "matrix products": ("aten::addmm", "aten::mm", "aten::bmm", "aten::linear", "aten::mkldnn"),
    "casts and copies": ("aten::copy_", "aten::_to_copy", "aten::clone", "aten::contiguous"),
    "GELU": ("aten::gelu",),
    "norms of layers": ("aten::native_layer_norm",),
    "softmax and its mask": ("aten::_softmax", "aten::_log_softmax", "aten::masked_fill", "aten::where"),
    "sums": ("aten::add", "aten::sum", "aten::mul", "aten::div"),
    "optimiser and clipping": ("aten::_fused_adamw", "Optimizer.", "aten::_foreach", "aten::linalg"),
    "new memory": ("aten::empty", "aten::fill_", "aten::zero"),
}


@dataclass(frozen=True)
class Way:
    """One way to train; the defaults are the recipe's."""

    precision: str = "auto"
    batch_tokens: int = OURS["batch_tokens"]
    attention: str = "eager"
    dropout: bool = False
    like_lengths: bool = True
    train_embeddings: bool = False


WAYS = {
    RECIPE: Way(),
    "float32": Way(precision="no"),
    "with dropout": Way(dropout=True),
    "torch's fused attention": Way(attention="sdpa"),
    "batches of 768 pieces": Way(batch_tokens=768),
    "batches of 3,072 pieces": Way(batch_tokens=3072),
    "32 sentences in random order": Way(like_lengths=False),
    "word vectors trained too": Way(train_embeddings=True),
}


def train(setting: Setting, examples: list[dict], way: Way) -> History:
    """One epoch."""
    torch.manual_seed(0)
    model = heads.TokenTagger(copy.deepcopy(setting.encoder), setting.tag_names, input_adapter=True)
    model.encoder.set_attn_implementation(way.attention)
    if not way.dropout:
        heads.without_dropout(model)
    model.encoder.get_input_embeddings().requires_grad_(way.train_embeddings)
    order = random.Random(0).sample(range(len(examples)), len(examples))
    return fit(
        model,
        examples,
        epochs=1,
        precision=way.precision,
        **OURS | {"batch_tokens": way.batch_tokens if way.like_lengths else None},
        batches=None
        if way.like_lengths
        else lambda epoch: [order[start : start + 32] for start in range(0, len(order), 32)],
    )


def padding(lengths: list[int], batches: Iterable[list[int]]) -> float:
    """The share of what is computed that is padding."""
    computed = sum(max(lengths[i] for i in batch) * len(batch) for batch in batches)
    return 1 - sum(lengths) / computed


def kind(operation: str) -> str:
    """The kind that an operation is of."""
    return next((name for name, starts in KINDS.items() if operation.startswith(starts)), "everything else")


def shares(setting: Setting, examples: list[dict]) -> dict[str, float]:
    """Of the time of all operations in an epoch of the recipe, the share of each kind, largest first."""
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        train(setting, examples, WAYS[RECIPE])
    spent: Counter[str] = Counter()
    for operation in seen.key_averages():
        spent[kind(operation.key)] += operation.self_cpu_time_total
    return {name: time / spent.total() for name, time in spent.most_common()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus", nargs="?", default="newswire", help="folder with CoNLL-2003's train, valid and test")
    parser.add_argument("--repeats", type=int, default=3, help="turns, after one that does not count")
    arguments = parser.parse_args()
    setting = Setting(arguments.corpus)
    examples = setting.encoded["train"].windows[:STRETCH]
    pairs: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS if name != RECIPE}
    for turn in range(arguments.repeats + 1):
        for name, found in pairs.items():
            recipe, speed = (train(setting, examples, WAYS[way]).tokens_per_second for way in (RECIPE, name))
            print(f"turn {turn}, {name}: {speed:,.0f} tokens/s, {RECIPE}: {recipe:,.0f}", flush=True)
            if turn:
                found.append((recipe, speed))
    recipes = [recipe for found in pairs.values() for recipe, _ in found]
    runs = [{"name": RECIPE, "tokens_per_second": round(statistics.median(recipes)), "times_the_recipe": 1.0}]
    runs += [
        {
            "name": name,
            "tokens_per_second": round(statistics.median(speed for _, speed in found)),
            "times_the_recipe": round(statistics.median(speed / recipe for recipe, speed in found), 2),
        }
        for name, found in pairs.items()
    ]
    spent = shares(setting, examples)
    runs += [{"name": f"of the recipe's time: {name}", "share": round(share, 3)} for name, share in spent.items()]
    lengths = [len(example["input_ids"]) for example in examples]
    unused = padding(lengths, grouped_batches(lengths, OURS["batch_tokens"], seed=0))
    results.write(
        "training_speed",
        title="What makes training fast",
        data=f"one epoch on {len(examples):,} sentences of {Path(arguments.corpus).name}, of which the recipe's batches make "
        f"{unused:.1%} padding; median of {arguments.repeats} turns; shares are of the time of torch's operations",
        model=results.MINILM,
        settings={"recipe": OURS, "repeats": arguments.repeats},
        runs=runs,
    )
    print(*runs, sep="\n")


if __name__ == "__main__":
    main()
