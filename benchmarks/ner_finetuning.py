"""Fine-tuning MiniLM on CoNLL-2003: this course's loop beside the recipe of transformers' example script, in one run.

    python benchmarks/ner_finetuning.py ../conll2003

Both sides see the same sentences, start from the same weights, and are scored by the same scorer on the same test
set. First come short alternating stretches, whose ratio of speeds holds when the machine's speed drifts; then the
full trainings. The result goes to `ner_conll2003.json` beside this file, and lesson 4 shows it. Run it with nothing
else running.
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import torch
from datasets import DatasetDict

from babyagi_lib import heads, sources, tagging, training
from babyagi_lib.course.lessons import versions, write_atomically
from babyagi_lib.course.running import machine

# The recipe of transformers' examples/pytorch/token-classification/run_ner.py: the Trainer's own defaults.
PEER = {"per_device_train_batch_size": 8, "learning_rate": 5e-5}
OURS = {"batch_tokens": 768, "learning_rate": 1.5e-4, "head_learning_rate": 2e-3}
EPOCHS = 3


class Setting:
    """Corpus, encoder and tokenizer that both sides share."""

    def __init__(self, corpus: str) -> None:
        self.corpus: DatasetDict = sources.load_ner(corpus)
        self.encoder_folder = sources.embedded_folder()
        self.encoder, self.tokenizer = sources.load_encoder()
        self.tag_names = tagging.tag_set(self.corpus["train"]["tags"])
        self.encoded = {
            split: tagging.encode(list(rows["words"]), list(rows["tags"]), self.tag_names, self.tokenizer)
            for split, rows in self.corpus.items()
        }
        self.gold = {split: list(rows["tags"]) for split, rows in self.corpus.items()}

    def score(self, split: str, model: torch.nn.Module, valid: bool) -> tagging.Scores:
        logits = training.predict(model, self.encoded[split].windows)
        return tagging.score(self.gold[split], tagging.decode(self.encoded[split], logits, self.tag_names, valid=valid))

    def tokens(self, examples: list[dict]) -> int:
        return sum(len(example["input_ids"]) for example in examples)


def peer(setting: Setting, examples: list[dict], epochs: int, seed: int = 42) -> dict:
    """transformers' Trainer as run_ner.py calls it: float32, batches of 8 in random order, dynamic padding."""
    from transformers import (
        AutoModelForTokenClassification,
        DataCollatorForTokenClassification,
        Trainer,
        TrainingArguments,
        set_seed,
    )

    set_seed(seed)
    model = AutoModelForTokenClassification.from_pretrained(setting.encoder_folder, num_labels=len(setting.tag_names))
    rows = [
        {"input_ids": e["input_ids"], "attention_mask": [1] * len(e["input_ids"]), "labels": e["labels"]}
        for e in examples
    ]
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            num_train_epochs=epochs,
            seed=seed,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            logging_strategy="no",
            **PEER,
        )
        trainer = Trainer(
            model, arguments, train_dataset=rows, data_collator=DataCollatorForTokenClassification(setting.tokenizer)
        )
        seconds = trainer.train().metrics["train_runtime"]

    class Plain(torch.nn.Module):
        """The same model under the signature that `predict` calls."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask, case_ids):
            return self.model(input_ids=input_ids, attention_mask=attention_mask)

    return {"seconds": seconds, "tokens": epochs * setting.tokens(examples), "precision": "no", "model": Plain()}


def ours(setting: Setting, examples: list[dict], epochs: int, input_adapter: bool = False, seed: int = 0) -> dict:
    """The lesson's recipe: the course's `fit`, scored on the validation set after every epoch."""
    torch.manual_seed(seed)
    model = heads.TokenTagger(copy.deepcopy(setting.encoder), setting.tag_names, input_adapter=input_adapter)
    model.encoder.get_input_embeddings().requires_grad_(False)
    scored = None
    if epochs > 1:

        def scored(m):
            return setting.score("valid", m, valid=True).entity_f1

    run = training.fit(model, examples, epochs=epochs, score=scored, seed=seed, **OURS)
    return {"seconds": run.seconds, "tokens": run.tokens, "precision": run.precision, "model": model}


def full(setting: Setting, name: str, side, **options) -> dict:
    """Train on everything and score on test, with tags decoded in both ways."""
    done = side(setting, setting.encoded["train"].windows, EPOCHS, **options)
    alone = setting.score("test", done["model"], valid=False)
    path = setting.score("test", done["model"], valid=True)
    row = {
        "name": name,
        "entity_f1_each_word_alone": round(alone.entity_f1, 4),
        "entity_f1_best_valid_path": round(path.entity_f1, 4),
        "token_accuracy": round(alone.token_accuracy, 4),
        "training_seconds": round(done["seconds"], 1),
        "tokens_per_second": round(done["tokens"] / done["seconds"]),
        "epochs": EPOCHS,
        "precision": done["precision"],
    }
    print(row, flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus", help="folder with CoNLL-2003's train, valid and test files")
    parser.add_argument("--repeats", type=int, default=5, help="alternating stretches for the ratio of speeds")
    arguments = parser.parse_args()
    setting = Setting(arguments.corpus)

    stretch = setting.encoded["train"].windows[:1200]
    speeds: dict[str, list[float]] = {"peer": [], "ours": []}
    for _ in range(arguments.repeats):
        for name, side in (("peer", peer), ("ours", ours)):
            done = side(setting, stretch, 1)
            speeds[name].append(done["tokens"] / done["seconds"])
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    ratios = [o / p for o, p in zip(speeds["ours"], speeds["peer"], strict=True)]
    print(f"tokens/s: {medians}; ratio {statistics.median(ratios):.2f}", flush=True)

    runs = [
        full(setting, "this course's loop", ours),
        full(setting, "this course's loop, with the input adapter", ours, input_adapter=True),
        full(setting, "transformers' run_ner recipe", peer),
    ]
    result = {
        "title": "Fine-tuning MiniLM on CoNLL-2003",
        "data": f"CoNLL-2003, {len(setting.corpus['train']):,} training and {len(setting.corpus['test']):,} test sentences",
        "model": "all-MiniLM-L6-v2, embedded",
        "machine": machine(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "versions": versions(),
        "settings": {"ours": OURS, "peer": PEER, "epochs": EPOCHS},
        "tokens_per_second_in_alternation": {name: [round(v) for v in values] for name, values in speeds.items()},
        "speed_ratio_in_alternation": round(statistics.median(ratios), 2),
        "runs": runs,
    }
    write_atomically(Path(__file__).with_name("ner_conll2003.json"), json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
