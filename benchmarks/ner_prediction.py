"""Names found in sentences, a second: this course's `predict` beside transformers' pipeline and its Trainer, same weights.

    python benchmarks/ner_prediction.py [../conll2003] [--repeats 5]

A tagger is trained for one epoch, on newswire if no folder is given, and saved as a model of transformers too. Prediction
goes from words to a tag for each word; the pipeline gets the words joined by spaces and is called as its users call it,
with a list of texts and its defaults (one text at a time), and with `batch_size=64`. Evaluation begins with sentences that
are encoded already and ends with scores; its peer is what run_ner.py does, `Trainer.predict` and seqeval's report. Both
sides predict with each word's likeliest tag, and their answers are compared. They take turns; what is reported is the
median of the turns, and of the ratios in each turn. The result goes to `ner_prediction.json` beside this file. Six minutes
on CoNLL-2003; run it with nothing else running.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import results
import torch
from ner_finetuning import OURS, Setting, ours

from babyagi_course.measured import Aim
from babyagi_lib.sources.encoders import embedded_folder
from babyagi_lib.text import iob2, wordpieces
from babyagi_lib.training.prediction import predict

Tags = list[list[str]]

TIMES, CLOSE = 5, 0.005  # the aims: how much faster than the peer, and how close the F1


class Trained:
    """One trained tagger in both forms, and the sentences of the test set."""

    def __init__(self, corpus: str, folder: str) -> None:
        setting = Setting(corpus)
        self.tokenizer, self.tag_names = setting.tokenizer, setting.tag_names
        self.words, self.gold = list(setting.corpus["test"]["words"]), setting.gold["test"]
        self.texts = [" ".join(words) for words in self.words]
        self.encoded = setting.encoded["test"]
        self.model = ours(setting, setting.encoded["train"].windows, epochs=1, input_adapter=False)["model"]
        self.folder = folder
        self.of_transformers().save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    def of_transformers(self) -> torch.nn.Module:
        """The same weights in transformers' own class."""
        from transformers import AutoModelForTokenClassification

        model = AutoModelForTokenClassification.from_pretrained(
            embedded_folder(),
            id2label=dict(enumerate(self.tag_names)),
            label2id={tag: i for i, tag in enumerate(self.tag_names)},
        )
        model.base_model.load_state_dict(self.model.encoder.state_dict())
        model.classifier.load_state_dict(self.model.head.linear.state_dict())
        return model

    # Prediction: from words to a tag for each word.

    def tags(self, valid: bool = False) -> Tags:
        """This course's way, as lesson 4 goes it."""
        encoded = wordpieces.encode(self.words, None, self.tag_names, self.tokenizer)
        return wordpieces.decode(encoded, predict(self.model, encoded.windows), self.tag_names, valid=valid)

    def piped(self, **options: Any) -> Callable[[], list[list[dict]]]:
        """transformers' pipeline, loaded and ready to be called."""
        from transformers import pipeline

        find = pipeline("ner", model=self.folder)
        return lambda: find(self.texts, **options)

    # Evaluation: from encoded sentences to scores.

    def our_scores(self) -> float:
        """This course's way; the F1 over whole names."""
        tags = wordpieces.decode(self.encoded, predict(self.model, self.encoded.windows), self.tag_names)
        return iob2.score(self.gold, tags).entity_f1

    def trainer(self) -> Callable[[], float]:
        """transformers' Trainer as run_ner.py sets it up for prediction; called, it returns the F1 over whole names."""
        from transformers import (
            AutoModelForTokenClassification,
            DataCollatorForTokenClassification,
            Trainer,
            TrainingArguments,
        )

        rows = [
            {"input_ids": w["input_ids"], "attention_mask": [1] * len(w["input_ids"]), "labels": w["labels"]}
            for w in self.encoded.windows
        ]
        trainer = Trainer(
            AutoModelForTokenClassification.from_pretrained(self.folder),
            TrainingArguments(self.folder, report_to=[], disable_tqdm=True),
            data_collator=DataCollatorForTokenClassification(self.tokenizer),
            compute_metrics=self.scores_of_seqeval,
        )
        return lambda: trainer.predict(rows).metrics["test_f1"]

    def scores_of_seqeval(self, answer: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
        """Scores of logits (sentences, pieces, tags) beside labels (sentences, pieces)."""
        from seqeval.metrics import accuracy_score, classification_report

        logits, labels = answer
        best = logits.argmax(axis=2)
        names, read = self.tag_names, labels != wordpieces.IGNORE
        found = [[names[i] for i in row[kept]] for row, kept in zip(best, read, strict=True)]
        gold = [[names[i] for i in row[kept]] for row, kept in zip(labels, read, strict=True)]
        report = classification_report(gold, found, output_dict=True, zero_division=0)
        return {"f1": report["micro avg"]["f1-score"], "accuracy": accuracy_score(gold, found)}


def tags_of_words(words: list[str], found: list[dict]) -> list[str]:
    """A tag for each word from what the pipeline found in the words joined by spaces.

    The first piece of a word speaks for it, and the pipeline leaves out what is O.
    """
    starts = itertools.accumulate((len(word) + 1 for word in words[:-1]), initial=0)
    at = {piece["start"]: piece["entity"] for piece in found}
    return [at.get(start, "O") for start, _ in zip(starts, words, strict=True)]


def agreement(one: Tags, other: Tags) -> float:
    """The share of words that get the same tag twice."""
    same = [a == b for x, y in zip(one, other, strict=True) for a, b in zip(x, y, strict=True)]
    return sum(same) / len(same)


def aims(result: dict) -> Iterator[Aim]:
    """What a result says about the aims."""
    runs = results.by_name(result)
    for work, peer in (
        ("prediction", "the pipeline"),
        ("prediction", "the pipeline, batch_size=64"),
        ("evaluation", "the Trainer and seqeval"),
    ):
        ours, theirs = runs[f"{work}, this course"], runs[f"{work}, {peer}"]
        yield Aim(
            f"{work} of names, sentences/s and F1",
            peer,
            f"{theirs['sentences_per_second']:,.0f}, {theirs['entity_f1']:.3f}",
            f"{ours['sentences_per_second']:,.0f}, {ours['entity_f1']:.3f}",
            results.times(theirs["ratio"]),
            f"{TIMES}×, the same F1",
            theirs["ratio"] >= TIMES and abs(ours["entity_f1"] - theirs["entity_f1"]) < CLOSE,
        )


conclusions = results.stating(aims)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus", nargs="?", default="newswire", help="folder with CoNLL-2003's train, valid and test")
    parser.add_argument("--repeats", type=int, default=5, help="turns")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        trained = Trained(arguments.corpus, folder)
        runs = compare(trained, arguments.repeats)
    pieces = zip(trained.tokenizer(trained.texts)["input_ids"], trained.encoded.windows, strict=True)
    results.write(
        "ner_prediction",
        title="Finding names with a trained model",
        data=f"{Path(arguments.corpus).name}, {len(trained.words):,} test sentences; median of {arguments.repeats} turns",
        model=f"{results.MINILM}, trained for one epoch",
        settings={"ours": OURS, "repeats": arguments.repeats},
        sentences_with_the_same_pieces=sum(of_text == window["input_ids"] for of_text, window in pieces),
        runs=runs,
        conclusions=conclusions,
    )


def compare(trained: Trained, repeats: int) -> list[dict]:
    """All ways through the same sentences, taking turns: what was measured of each."""
    prediction = {
        "prediction, this course": trained.tags,
        "prediction, this course, best valid path": lambda: trained.tags(valid=True),
        "prediction, the pipeline": trained.piped(),
        "prediction, the pipeline, batch_size=64": trained.piped(batch_size=64),
    }
    evaluation = {
        "evaluation, this course": trained.our_scores,
        "evaluation, the Trainer and seqeval": trained.trainer(),
    }
    took: dict[str, list[float]] = {name: [] for name in (*prediction, *evaluation)}
    said: dict[str, Any] = {}
    for _ in range(repeats):
        for name, way in (prediction | evaluation).items():
            started = time.perf_counter()
            said[name] = way()
            took[name].append(time.perf_counter() - started)
            print(f"{name}: {len(trained.texts) / took[name][-1]:,.0f} sentences/s", flush=True)

    for name in prediction:
        if "pipeline" in name:
            said[name] = [tags_of_words(*pair) for pair in zip(trained.words, said[name], strict=True)]
    runs = []
    for name, answer in said.items():
        this = f"{name.partition(',')[0]}, this course"
        f1 = answer if name in evaluation else iob2.score(trained.gold, answer).entity_f1
        run = {"name": name, "sentences_per_second": round(len(trained.texts) / statistics.median(took[name]), 1)}
        run["entity_f1"] = round(f1, 4)
        if name in prediction and name != this:
            run["same_tags_as_ours"] = round(agreement(answer, said[this]), 5)
        if "this course" not in name:
            ratios = [its / mine for its, mine in zip(took[name], took[this], strict=True)]
            run["ratio"] = round(statistics.median(ratios), 2)
        runs.append(run)
        print(run, flush=True)
    return runs


if __name__ == "__main__":
    main()
