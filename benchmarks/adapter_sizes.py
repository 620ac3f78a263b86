"""Adapters from tiny to large: the score that each size of bottleneck and each rank of LoRA buys, on names in newswire.

    python benchmarks/adapter_sizes.py

First every way to train that lesson 2 compares gets its learning rate: three are tried, and the one with the best mean
on the validation set stays. Then bottlenecks and LoRA are trained in all sizes with that rate. Everything is scored on
the validation set; the test set is left to the lesson. The result goes to `adapter_sizes.json` beside this file, and
lesson 2 takes its learning rates and its explorer from there. About eight minutes; run it with nothing else running.
"""

from __future__ import annotations

import copy
import statistics
import time

import results
import torch

from babyagi_lib.models import adapters, heads
from babyagi_lib.sources.encoders import load_encoder
from babyagi_lib.sources.news import load_ner
from babyagi_lib.text import iob2, wordpieces
from babyagi_lib.training.loop import fit
from babyagi_lib.training.prediction import predict

SENTENCES, EPOCHS, BATCH_PIECES = 240, 3, 256
SEEDS = (0, 1)
SIZES = (1, 4, 16, 64)
HEAD_RATE = 4e-3  # of the head, where parts of the encoder are trained too
USUAL_SIZE = {"bottleneck": 16, "LoRA": 4, "LoRA, query and value": 8}  # with which the rates are chosen
GRID = {
    "head only": (1e-2, 2e-2, 4e-2),
    "last two layers": (5e-4, 1e-3, 2e-3),
    "bottleneck": (4e-3, 8e-3, 1.6e-2),
    "LoRA": (2e-3, 4e-3, 8e-3),
    "LoRA, query and value": (2e-3, 4e-3, 8e-3),
    "everything": (2e-4, 4e-4, 8e-4),
}


class Setting:
    """Encoder and sentences that all runs share."""

    def __init__(self) -> None:
        self.encoder, tokenizer = load_encoder()
        self.encoder.pooler = None
        corpus = load_ner()
        self.tag_names = iob2.tag_set(corpus["train"]["tags"])
        train = corpus["train"].shuffle(seed=0).select(range(SENTENCES))
        self.train = self.examples(
            wordpieces.encode(list(train["words"]), list(train["tags"]), self.tag_names, tokenizer)
        )
        self.gold = list(corpus["valid"]["tags"])
        self.encoded = wordpieces.encode(list(corpus["valid"]["words"]), self.gold, self.tag_names, tokenizer)
        self.valid = self.examples(self.encoded)

    @staticmethod
    def examples(encoded: wordpieces.Encoded) -> list[dict]:
        return [{"input_ids": w["input_ids"], "labels": w["labels"]} for w in encoded.windows]

    def run(self, method: str, size: int, rate: float, seed: int) -> dict:
        """Train once, score on the validation set."""
        torch.manual_seed(seed)
        head = heads.TokenHead(self.encoder.config.hidden_size, len(self.tag_names))
        model = adapters.task_model(copy.deepcopy(self.encoder), head, method, size)
        history = fit(
            model,
            self.train,
            epochs=EPOCHS,
            batch_tokens=BATCH_PIECES,
            seed=seed,
            **dict(zip(("learning_rate", "head_learning_rate"), rates(method, rate), strict=True)),
        )
        tags = wordpieces.decode(self.encoded, predict(model, self.valid), self.tag_names, valid=True)
        return {
            "f1": iob2.score(self.gold, tags).entity_f1,
            "seconds": history.seconds,
            "count": adapters.count_parameters(model),
        }


def rates(method: str, rate: float) -> tuple[float, float]:
    """Learning rates inside and outside the encoder. Bottlenecks stand outside, with the head."""
    return (rate, rate) if method in ("head only", "bottleneck") else (rate, HEAD_RATE)


def choose_rates(setting: Setting) -> tuple[dict[str, float], list[dict]]:
    """For each method the learning rate with the best mean on the validation set, and all that was tried."""
    chosen, tried = {}, []
    for method, grid in GRID.items():
        for rate in grid:
            scores = [setting.run(method, USUAL_SIZE.get(method, 0), rate, seed)["f1"] for seed in SEEDS]
            tried.append({"method": method, "rate": rate, "f1_mean": round(statistics.mean(scores), 4)})
            print(tried[-1], flush=True)
        best = max((row for row in tried if row["method"] == method), key=lambda row: row["f1_mean"])["rate"]
        if best in (min(grid), max(grid)):
            print(f"{method}: {best} is at the edge of what was tried; widen GRID", flush=True)
        chosen[method] = best
    return chosen, tried


def main() -> None:
    started = time.perf_counter()
    setting = Setting()
    chosen, tried = choose_rates(setting)
    runs = []
    for method in USUAL_SIZE:
        for size in SIZES:
            done = [setting.run(method, size, chosen[method], seed) for seed in SEEDS]
            count = done[0]["count"]
            runs.append(
                {
                    "name": f"{method}, size {size}",
                    "method": method,
                    "size": size,
                    "trainable": count.trainable,
                    "share": round(count.share, 5),
                    "f1_mean": round(statistics.mean(d["f1"] for d in done), 4),
                    "f1_by_seed": ", ".join(f"{d['f1']:.3f}" for d in done),
                    "training_seconds": round(statistics.mean(d["seconds"] for d in done), 1),
                }
            )
            print(runs[-1], flush=True)
    results.write(
        "adapter_sizes",
        title="Sizes of adapters",
        data=f"newswire, {SENTENCES} training sentences, {EPOCHS} epochs, entity F1 on the {len(setting.gold)} "
        f"sentences of validation, seeds {' and '.join(map(str, SEEDS))}",
        model=results.MINILM,
        settings={"sentences": SENTENCES, "epochs": EPOCHS, "batch_pieces": BATCH_PIECES},
        rates={method: rates(method, rate) for method, rate in chosen.items()},
        tried=tried,
        seconds=round(time.perf_counter() - started),
        runs=runs,
    )


if __name__ == "__main__":
    main()
