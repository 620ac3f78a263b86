"""Learning curves of five few-shot methods on support_intents: ten draws at 1, 2, 4, 8 and 16 examples a category.

    python benchmarks/fewshot_curves.py SCRATCH [--minutes 5]

Every method learns from the same draws and is scored on the same 480 test messages, so that differences can be taken
draw by draw. Every run is appended to the file SCRATCH (keep it outside the repository); after so many minutes the
script stops, and the same command goes on where it stopped. The draws that every method has worked through go to
`fewshot_curves.json` beside this file, with their number, and lesson 5 shows them. Run it with nothing else running.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import itertools
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import results

from babyagi_lib.methods import fewshot
from babyagi_lib.sources.encoders import load_encoder
from babyagi_lib.sources.messages import load_intents

SHOTS, DRAWS = (1, 2, 4, 8, 16), 10
METHODS = ("nearest example", "nearest centroid", "linear probe", "fine-tuning", "contrastive, then probe")


class Setting:
    """Encoder, messages and vectors that all runs share."""

    def __init__(self) -> None:
        self.encoder, self.tokenizer = load_encoder()
        corpus = load_intents()
        self.texts, self.labels = np.array(corpus["train"]["text"]), np.array(corpus["train"]["category"])
        self.asked, self.truth = list(corpus["test"]["text"]), np.array(corpus["test"]["category"])
        self.train = fewshot.embed(self.encoder, self.tokenizer, list(self.texts))
        self.test = fewshot.embed(self.encoder, self.tokenizer, self.asked)

    def scores(self, method: str, drawn: np.ndarray, seed: int) -> np.ndarray:
        """(test messages, categories) of one method that has seen the messages of one draw."""
        texts, labels = self.texts[drawn].tolist(), self.labels[drawn]
        frozen: dict[str, Callable[..., np.ndarray]] = {
            "nearest example": fewshot.nearest_example,
            "nearest centroid": fewshot.nearest_centroid,
            "linear probe": fewshot.linear_probe,
        }
        if method in frozen:
            return frozen[method](self.train[drawn], labels, self.test)
        if method == "fine-tuning":
            return fewshot.fine_tune(self.encoder, self.tokenizer, texts, labels, seed)(self.asked)
        tuned = fewshot.contrastive_tune(self.encoder, self.tokenizer, texts, labels, seed)
        support, queries = (fewshot.embed(tuned, self.tokenizer, some) for some in (texts, self.asked))
        return fewshot.linear_probe(support, labels, queries)

    def run(self, method: str, shots: int, draw: int) -> dict:
        """Accuracy and seconds of a method on one draw, whose number is the seed of the training too."""
        drawn = fewshot.draw_shots(self.labels, shots, draw)
        started = time.perf_counter()
        found = fewshot.accuracy(self.scores(method, drawn, draw), self.truth, np.unique(self.labels))
        seconds = time.perf_counter() - started
        return {"method": method, "shots": shots, "draw": draw, "accuracy": found, "seconds": seconds}


def code_of(method: str) -> str:
    """Fingerprint of what a method is made of: runs of another version must not be mixed with these."""
    parts: dict[str, str] = {
        "nearest example": inspect.getsource(fewshot.nearest_example),
        "nearest centroid": inspect.getsource(fewshot.nearest_centroid),
        "linear probe": inspect.getsource(fewshot.linear_probe) + repr(fewshot.PROBE_C),
        "fine-tuning": inspect.getsource(fewshot.fine_tune),
        "contrastive, then probe": inspect.getsource(fewshot),
    }
    return hashlib.sha256((inspect.getsource(fewshot.draw_episode) + parts[method]).encode()).hexdigest()[:12]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("scratch", type=Path, help="file of the runs done so far, outside the repository")
    parser.add_argument("--minutes", type=float, default=5, help="stop after the run that passes this many")
    arguments = parser.parse_args()
    started = time.perf_counter()
    code = {method: code_of(method) for method in METHODS}
    lines = arguments.scratch.read_text(encoding="utf-8").splitlines() if arguments.scratch.is_file() else []
    rows = [row for row in map(json.loads, lines) if row["code"] == code[row["method"]]]
    done = {(row["method"], row["shots"], row["draw"]) for row in rows}
    setting = Setting()
    todo = [(m, k, draw) for draw, k, m in itertools.product(range(DRAWS), SHOTS, METHODS) if (m, k, draw) not in done]
    for method, shots, draw in todo:
        if time.perf_counter() - started > 60 * arguments.minutes:
            break
        rows.append(setting.run(method, shots, draw) | {"code": code[method]})
        with arguments.scratch.open("a", encoding="utf-8") as file:
            file.write(json.dumps(rows[-1]) + "\n")
        print(rows[-1], flush=True)
    present = {(row["method"], row["shots"], row["draw"]) for row in rows}
    each = list(itertools.product(METHODS, SHOTS))
    whole = next((draw for draw in range(DRAWS) if any((*one, draw) not in present for one in each)), DRAWS)
    print(f"{whole} of {DRAWS} draws are done" + ("" if whole == DRAWS else "; run the same command again"))
    if whole > 1:
        write_result([row for row in rows if row["draw"] < whole], whole, len(setting.truth))


def write_result(rows: list[dict], draws: int, asked: int) -> None:
    """Write the JSON file: one run for each method and number of examples, with the accuracy of every draw."""
    runs = []
    for method in METHODS:
        for shots in SHOTS:
            found = [row for row in rows if (row["method"], row["shots"]) == (method, shots)]
            found.sort(key=lambda row: row["draw"])
            runs.append(
                {
                    "name": f"{method}, {shots} a category",
                    "method": method,
                    "shots": shots,
                    "accuracy_mean": round(statistics.mean(one["accuracy"] for one in found), 4),
                    "accuracy_by_draw": ", ".join(f"{one['accuracy']:.4f}" for one in found),
                    "seconds": round(statistics.mean(one["seconds"] for one in found), 2),
                }
            )
    results.write(
        "fewshot_curves",
        title="Few-shot learning curves",
        data=f"support_intents, 24 categories, accuracy on {asked} test messages, {draws} draws (seeds 0 to {draws - 1})",
        model=results.MINILM,
        settings={"draws": draws, "texts_a_batch": fewshot.TEXTS, "probe_C": fewshot.PROBE_C},
        seconds=round(sum(row["seconds"] for row in rows)),
        runs=runs,
    )


if __name__ == "__main__":
    main()
