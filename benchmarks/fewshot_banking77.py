"""Few-shot learning on banking77: this course's contrastive tuning beside the setfit package, same draws, same encoder.

    python -m pip install -c constraints.txt -e ".[bench]"
    python benchmarks/fewshot_banking77.py ../banking77 SCRATCH [--minutes 60]

77 categories, 1, 4 and 8 examples of each, accuracy on all 3,080 test messages. setfit runs with its defaults where its
plan ends within `LONGEST_PLAN` steps. Its plan grows with the square of the examples, so for the others a stretch of it is
timed and the seconds of the whole are computed from that, and named an estimate; beside the defaults stands the shorter
plan of the paper (Tunstall et al. 2022: R = 20 pairs of each kind for each example), which is run to its end everywhere,
and the package's head on the encoder as it was loaded, which tells what its training brings. Seconds are those of
learning: tuning, the vectors of the examples, the head; answering is not in them. Every run is appended to SCRATCH (keep
it outside the repository), so that the command can be repeated until all is done. The result goes to
`fewshot_banking77.json` beside this file. Run it with nothing else running.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import results
from sklearn.linear_model import LogisticRegression

from babyagi_course.measured import Aim
from babyagi_lib.methods import fewshot
from babyagi_lib.sources.encoders import embedded_folder, load_encoder
from babyagi_lib.sources.messages import load_intents

if TYPE_CHECKING:
    from setfit import SetFitModel

SHOTS = (1, 4, 8)
HEAD_ALONE = "setfit, head alone"
PROBE_C_1 = "ours, frozen encoder, probe with C = 1"
DRAWS = {"ours": 3, HEAD_ALONE: 1, "setfit, defaults": 1, "setfit, 20 pairs of each kind": 1}
LONGEST_PLAN, STRETCH = 600, 60  # steps
PAIRS = {"setfit, defaults": None, "setfit, 20 pairs of each kind": 20}
SHARE = 1 / 3  # the aim: of the seconds that the package needs


class Setting:
    """Messages that both sides share, and the encoder."""

    def __init__(self, corpus: str) -> None:
        corpus = load_intents(corpus)
        self.encoder, self.tokenizer = load_encoder()
        self.texts, self.labels = np.array(corpus["train"]["text"]), np.array(corpus["train"]["category"])
        self.asked, self.truth = list(corpus["test"]["text"]), list(corpus["test"]["category"])
        self.names = np.unique(self.labels)

    def ours(self, texts: list[str], labels: np.ndarray, seed: int) -> list[dict]:
        """Linear probes: on the old vectors with two strengths of the penalty, on the tuned ones, and on both together."""
        tuned, tuning = timed(lambda: fewshot.contrastive_tune(self.encoder, self.tokenizer, texts, labels, seed))
        old, of_old = timed(lambda: fewshot.embed(self.encoder, self.tokenizer, texts))
        new, of_new = timed(lambda: fewshot.embed(tuned, self.tokenizer, texts))
        old_asked, new_asked = (fewshot.embed(e, self.tokenizer, self.asked) for e in (self.encoder, tuned))
        both, both_asked = (np.concatenate(pair, axis=1) / 2**0.5 for pair in ((old, new), (old_asked, new_asked)))
        rows = []
        for name, support, queries, before in (
            ("ours, frozen encoder, linear probe", old, old_asked, of_old),
            ("ours, contrastive tuning, linear probe", new, new_asked, tuning + of_new),
            ("ours, the probe on old and new vectors", both, both_asked, tuning + of_old + of_new),
        ):
            scores, probing = timed(partial(fewshot.linear_probe, support, labels, queries))
            found = fewshot.accuracy(scores, self.truth, self.names)
            rows.append({"method": name, "accuracy": found, "seconds": before + probing})
        weak = LogisticRegression(C=1.0, max_iter=1000).fit(old, labels)  # scikit-learn's default, and the package's
        rows.insert(1, {"method": PROBE_C_1, "accuracy": weak.score(old_asked, self.truth)})
        return rows

    def setfit_head(self, texts: list[str], labels: np.ndarray) -> dict:
        """The package's own head on the encoder as it was loaded."""
        from setfit import SetFitModel

        model = SetFitModel.from_pretrained(str(embedded_folder()))
        _, seconds = timed(lambda: model.fit(texts, self.numbers(labels), num_epochs=1))
        return {"seconds": seconds, "accuracy": self.right(model)}

    def setfit(self, texts: list[str], labels: np.ndarray, seed: int, pairs: int | None) -> dict:
        """The package's own trainer with its defaults, but for the seed and, if `pairs` is given, for that."""
        from datasets import Dataset
        from setfit import SetFitModel, Trainer, TrainingArguments
        from setfit.sampler import ContrastiveDataset

        numbers = self.numbers(labels)
        plan = -(-len(ContrastiveDataset(texts, numbers, False, pairs)) // 16)
        whole = plan <= LONGEST_PLAN or pairs is not None
        arguments = TrainingArguments(
            num_iterations=pairs, max_steps=-1 if whole else STRETCH, seed=seed, report_to="none", save_strategy="no"
        )
        model = SetFitModel.from_pretrained(str(embedded_folder()))
        data = Dataset.from_dict({"text": texts, "label": numbers})
        trainer = Trainer(model=model, args=arguments, train_dataset=data)
        _, seconds = timed(trainer.train)
        if not whole:
            return {"planned_steps": plan, "seconds_estimated": seconds * plan / STRETCH}
        return {"planned_steps": plan, "seconds": seconds, "accuracy": self.right(model)}

    def numbers(self, labels: np.ndarray) -> list[int]:
        """Categories as the package wants them."""
        return [self.names.tolist().index(label) for label in labels]

    def right(self, model: SetFitModel) -> float:
        """The share of test messages that a model of the package answers rightly."""
        said = self.names[np.asarray(model.predict(self.asked, as_numpy=True)).astype(int)]
        return float(np.mean(said == np.array(self.truth)))


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What some work returns, and its seconds."""
    started = time.perf_counter()
    return work(), time.perf_counter() - started


def aims(result: dict) -> Iterator[Aim]:
    """What a result says about the aim.

    setfit's default plan was too long at eight examples of each; where only its seconds are estimated, its shorter plan,
    which was run to the end, is the peer.
    """
    runs = {(run["method"], run["shots"]): run for run in result["runs"]}
    peer = runs["setfit, defaults", 8]
    if "accuracy" not in peer:
        peer = runs["setfit, 20 pairs of each kind", 8]
    ours = runs["ours, contrastive tuning, linear probe", 8]
    part = ours["seconds"] / peer["seconds"]
    yield Aim(
        "77 intents, 8 examples of each, seconds and accuracy",
        peer["method"],
        f"{peer['seconds']:,.0f} s, {peer['accuracy']:.3f}",
        f"{ours['seconds']:,.0f} s, {ours['accuracy']:.3f}",
        f"1/{1 / part:.0f}",
        f"1/{1 / SHARE:.0f}, accuracy no lower",
        part <= SHARE and ours["accuracy"] >= peer["accuracy"],
    )


conclusions = results.stating(aims)


def main() -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus", help="folder of banking77: train.csv and test.csv with the columns text and category")
    parser.add_argument("scratch", type=Path, help="file of the runs done so far, outside the repository")
    parser.add_argument("--minutes", type=float, default=60, help="stop after the run that passes this many")
    arguments = parser.parse_args()
    started = time.perf_counter()
    lines = arguments.scratch.read_text(encoding="utf-8").splitlines() if arguments.scratch.is_file() else []
    rows = [json.loads(line) for line in lines]
    setting = Setting(arguments.corpus)
    todo = [(draw, shots, side) for draw in range(3) for shots in SHOTS for side in DRAWS if draw < DRAWS[side]]
    for draw, shots, side in todo:
        if any((row["draw"], row["shots"], row["side"]) == (draw, shots, side) for row in rows):
            continue
        if time.perf_counter() - started > 60 * arguments.minutes:
            print("not all is done: run the same command again")
            return
        drawn = fewshot.draw_shots(setting.labels, shots, draw)
        texts, labels = setting.texts[drawn].tolist(), setting.labels[drawn]
        if side == "ours":
            found = setting.ours(texts, labels, draw)
        elif side == HEAD_ALONE:
            found = [{"method": side, **setting.setfit_head(texts, labels)}]
        else:
            found = [{"method": side, **setting.setfit(texts, labels, draw, PAIRS[side])}]
        with arguments.scratch.open("a", encoding="utf-8") as file:
            for row in found:
                rows.append({"side": side, "draw": draw, "shots": shots, **row})
                file.write(json.dumps(rows[-1]) + "\n")
                print(rows[-1], flush=True)
    write_result(rows)


def write_result(rows: list[dict]) -> None:
    """Write the JSON file: a run for each method and number of examples."""
    runs = []
    rows.sort(key=lambda row: list(DRAWS).index(row["side"]))
    for method in dict.fromkeys(row["method"] for row in rows):
        for shots in SHOTS:
            found = [row for row in rows if (row["method"], row["shots"]) == (method, shots)]
            run = {"name": f"{method}, {shots} of each", "method": method, "shots": shots, "draws": len(found)}
            for key, digits in (("accuracy", 4), ("seconds", 1), ("planned_steps", 0), ("seconds_estimated", 0)):
                if key in found[0]:
                    run[key] = round(statistics.mean(row[key] for row in found), digits)
            if len(found) > 1:
                run["accuracy_by_draw"] = ", ".join(f"{row['accuracy']:.4f}" for row in found)
            runs.append(run)
    results.write(
        "fewshot_banking77",
        title="Few-shot learning on banking77, beside setfit",
        data="banking77, 77 categories, accuracy on its 3,080 test messages; draw 0 for every method, draws 0 to 2 for ours",
        model=results.MINILM,
        packages=("setfit", "sentence-transformers"),
        seconds=round(sum(row.get("seconds", 0) for row in rows)),
        runs=runs,
        conclusions=conclusions,
    )


if __name__ == "__main__":
    main()
