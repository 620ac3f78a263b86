"""The help desk's decisions, sets and retrieval on the course's messages and on banking77, over draws.

    python benchmarks/help_desk.py FOLDER            # to help_desk.json, about four minutes on one thread
    python benchmarks/help_desk.py FOLDER --speed    # to help_desk_speed.json, half a minute: BM25 beside bm25s

FOLDER is banking77's: train.csv and test.csv with the columns text and category. As in lesson 15, half of support_intents is
learned from and half is held out, drawn anew each time. In banking77, 7 of its 77 intents have no answer, others in each draw;
20 messages of each intent are learned from, and its test messages are held out. Thresholds are tuned, and sets calibrated, on
one half of what is held out of each class; all is judged on the other. Draws share their messages, so an interval says what another split
would give, not what other customers would.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import results
from numpy.typing import NDArray

from babyagi_lib.basics.intervals import over_seeds
from babyagi_lib.basics.streams import stream_seed
from babyagi_lib.methods import conformal, decisions, retrieval
from babyagi_lib.methods.decisions import Costs
from babyagi_lib.methods.fewshot import PROBE_C, embed
from babyagi_lib.methods.probe import Probe, fit_probe, halves
from babyagi_lib.methods.sensing import quality
from babyagi_lib.sources.encoders import load_encoder
from babyagi_lib.sources.messages import load_intents, load_meanings
from babyagi_lib.text.typos import with_typos

OUTSIDE = "out_of_scope"
COSTS = {"costs 8, 2, 3": Costs(8, 2, 3), "costs 10, 1, 3": Costs(10, 1, 3)}
WEAK_C = 1.0  # a stronger penalty, scikit-learn's default: its probabilities are far too unsure
DRAWS = {"support_intents": 20, "banking77": 10}
LEARNED, WITHOUT_ANSWER = 20, 7  # messages of each intent, and intents, in banking77
TUNED = (50, 200)
ALPHA, TYPOS, HALVES, HARD = 0.1, (0.03, 0.06, 0.1), 2000, 0.25
REPEATS, BEST = 5, 10
CUT = {"stopwords": None, "token_pattern": r"\b\w+\b", "return_ids": False, "show_progress": False}  # keeps every word


@dataclass(frozen=True, eq=False)
class Messages:
    """All messages of a corpus; the last `test` ones are not for learning, unless `test` is 0."""

    texts: list[str]
    labels: NDArray
    vectors: NDArray
    mistyped: dict[float, NDArray]  # vectors of all, or of the last `test`, with a share of letters mistyped
    test: int


@dataclass(frozen=True, eq=False)
class Draw:
    """What one draw learned from and holds out, and the probe that learned."""

    probe: Probe
    learned: NDArray
    calibration: NDArray
    judged: NDArray
    labels: NDArray

    @property
    def outside(self) -> int:
        return self.probe.classes.index(OUTSIDE)

    def numbers(self, rows: NDArray) -> NDArray:
        """The true columns of some messages."""
        return np.searchsorted(self.probe.classes, self.labels[rows])


def read(name: str, folder: str, embedded: Callable) -> Messages:
    corpus = load_intents(folder)
    splits = [split for split in ("train", "test", OUTSIDE) if split in corpus]
    texts = [text for split in splits for text in corpus[split]["text"]]
    labels = [OUTSIDE if split == OUTSIDE else label for split in splits for label in corpus[split]["category"]]
    test = len(corpus["test"]) if name == "banking77" else 0
    mistyped = {share: embedded(with_typos(texts[-test:], share, 0)) for share in TYPOS}
    return Messages(texts, np.array(labels), embedded(texts), mistyped, test)


def draw(messages: Messages, seed: int) -> Draw:
    rng = np.random.default_rng(stream_seed("benchmark of the help desk", seed))
    labels, pool = messages.labels, np.arange(len(messages.labels) - messages.test)
    learned = []
    for name in np.unique(labels):
        members = rng.permutation(pool[labels[pool] == name])
        learned.append(members[: LEARNED if messages.test else len(members) // 2])
    learned = np.concatenate(learned)
    held_out = np.arange(len(pool), len(labels)) if messages.test else np.setdiff1d(pool, learned)
    if messages.test:
        without = rng.choice(np.unique(labels), WITHOUT_ANSWER, replace=False)
        labels = np.where(np.isin(labels, without), OUTSIDE, labels)
    calibration, judged = (rng.permutation(held_out[half]) for half in halves(labels[held_out], seed))
    probe = fit_probe(messages.vectors[learned], labels[learned], seed=seed)
    return Draw(probe, learned, calibration, judged, labels)


# --- the three parts of the lesson --------------------------------------------------------------------------


def costs_of(messages: Messages, one: Draw, seed: int) -> Iterator[tuple[str, float]]:
    """Mean costs of a message by all rules, and how good the probabilities are."""
    x, learned, new, outside = messages.vectors, one.learned, one.judged, one.outside
    more = np.append(learned, one.calibration[: TUNED[-1]])
    weak = fit_probe(x[learned], one.labels[learned], seed=seed, C=WEAK_C)
    wiser = fit_probe(x[more], one.labels[more], seed=seed)
    probes = (one.probe, one.probe.cooled(1), weak, weak.cooled(1), wiser)
    p, bare, weak_p, weak_bare, wiser_p = (probe.probabilities(x[new]) for probe in probes)
    truth = one.numbers(new)
    yield "accuracy, C = 30", quality(np.log(p), truth)["accuracy"]
    yield "accuracy, C = 1", quality(np.log(weak_p), truth)["accuracy"]
    yield "calibration error, C = 30", quality(np.log(p), truth)["ece"]
    yield "calibration error, C = 30, no temperature", quality(np.log(bare), truth)["ece"]
    yield "calibration error, C = 1", quality(np.log(weak_p), truth)["ece"]
    yield "calibration error, C = 1, no temperature", quality(np.log(weak_bare), truth)["ece"]
    for setting, costs in COSTS.items():
        true = decisions.true_costs(p, truth, costs, outside)

        def really(acts: NDArray, table: NDArray = true) -> float:
            return float(decisions.cost_of(acts, table).mean())

        def bayes(found: NDArray, costs: Costs = costs) -> float:
            own = decisions.true_costs(found, truth, costs, outside)
            return really(decisions.bayes(found, costs, outside), own)

        for act, name in enumerate(decisions.ACTS):
            yield f"{setting}: always {name}", float(true[:, act].mean())
        yield f"{setting}: Chow's rule, two acts", really(decisions.chow(p, costs, outside))
        yield f"{setting}: Bayes, three acts", bayes(p)
        expected = decisions.expected_costs(p, costs, outside)
        yield f"{setting}: what Bayes predicted", really(decisions.bayes(p, costs, outside), expected)
        yield f"{setting}: Bayes, no temperature", bayes(bare)
        yield f"{setting}: Bayes, C = 1", bayes(weak_p)
        yield f"{setting}: Bayes, C = 1, no temperature", bayes(weak_bare)
        yield f"{setting}: Bayes, learned from {TUNED[-1]} messages more", bayes(wiser_p)
        for n in (*TUNED, len(one.calibration)):
            rows = one.calibration[:n]
            found = decisions.tune(one.probe.probabilities(x[rows]), one.numbers(rows), costs, outside)
            tuned = really(decisions.by_thresholds(p, found, costs, outside))
            on = f"{n}" if n in TUNED else "all held-out messages"
            yield f"{setting}: thresholds tuned on {on}", tuned
            yield f"{setting}: tuned on {on}, minus Bayes", tuned - bayes(p)
        yield f"{setting}: oracle", really(decisions.oracle(true))
    is_outside = truth == outside
    inside = learned[one.labels[learned] != OUTSIDE]
    yield "AUC out of scope, a class of its own", decisions.outside_auc(p[:, outside], is_outside)
    unsure = -np.delete(p, outside, axis=1).max(axis=1)
    yield "AUC out of scope, largest probability", decisions.outside_auc(unsure, is_outside)
    far = -(x[new] @ x[inside].T).max(axis=1)
    yield "AUC out of scope, largest cosine", decisions.outside_auc(far, is_outside)


def coverage_of(messages: Messages, one: Draw) -> Iterator[tuple[str, float]]:
    """Coverage and size of conformal sets, and what breaks the promise."""
    x, calibration, new = messages.vectors, one.calibration, one.judged
    p, truth = one.probe.probabilities(x[new]), one.numbers(new)
    p_old, truth_old = one.probe.probabilities(x[calibration]), one.numbers(calibration)
    scores = conformal.scores(p_old, truth_old)
    threshold = conformal.quantile(scores, ALPHA)
    sets = conformal.sets(p, threshold)
    yield "coverage, promised .90", float(conformal.covered(sets, truth).mean())
    yield "classes in a set", float(sets.sum(axis=1).mean())
    for share, vectors in messages.mistyped.items():
        at = new - (len(messages.labels) - len(vectors))
        found = conformal.sets(one.probe.probabilities(vectors[at]), threshold)
        yield f"coverage, {share:.0%} of letters mistyped", float(conformal.covered(found, truth).mean())
    classes = len(one.probe.classes)
    hard = np.argsort([-scores[truth_old == c].mean() for c in range(classes)])[: round(HARD * classes)]
    yield (
        "coverage, a quarter of the classes, the hardest",
        float(conformal.covered(sets, truth)[np.isin(truth, hard)].mean()),
    )
    seen = conformal.scores(one.probe.probabilities(x[one.learned]), one.numbers(one.learned))
    found = conformal.sets(p, conformal.quantile(seen, ALPHA))
    yield "coverage, calibrated on what was learned", float(conformal.covered(found, truth).mean())
    each = conformal.sets(p, conformal.quantile_per_class(scores, truth_old, classes, ALPHA))
    yield "coverage, a threshold for each class", float(conformal.covered(each, truth).mean())
    yield "classes in a set, a threshold for each class", float(each.sum(axis=1).mean())
    for name, made in (("one threshold", sets), ("a threshold for each class", each)):
        right = conformal.covered(made, truth)
        for c, label in enumerate(one.probe.classes):
            yield f"{name}: {label}", float(right[truth == c].mean())


def spread_of(messages: Messages, one: Draw) -> dict[str, float]:
    """The standard deviation of the coverage over random halves of what one draw holds out, and its two laws."""
    rows = np.concatenate([one.calibration, one.judged])
    scores = conformal.scores(one.probe.probabilities(messages.vectors[rows]), one.numbers(rows))
    rng, half, shares = np.random.default_rng(stream_seed("halves", 0)), len(rows) // 2, []
    for _ in range(HALVES):
        mixed = rng.permutation(scores)
        shares.append((mixed[half:] <= conformal.quantile(mixed[:half], ALPHA)).mean())
    a, b = conformal.law(half, ALPHA)
    return {
        f"sd of the coverage over {HALVES:,} halves": float(np.std(shares)),
        "sd by the Beta-binomial law": conformal.share_sd(conformal.count_law(len(rows) - half, a, b)),
        "sd by the Beta law, for endless new messages": conformal.beta_sd(a, b),
    }


def found_by(name: str, folder: str, messages: Messages, embedded: Callable) -> Iterator[tuple[str, str]]:
    """How often the first answer found is right, and one of the first three different ones."""
    corpus = load_intents(folder)
    n, asked = len(corpus["train"]), len(corpus["test"])
    labels, names = messages.labels[:n], sorted(set(corpus["train"]["category"]))
    questions, right = messages.texts[n : n + asked], np.searchsorted(names, messages.labels[n : n + asked])
    texts = messages.texts[:n]
    if name == "support_intents":
        meaning = {category: f"{category.replace('_', ' ')}: {said}" for category, said in load_meanings().items()}
    else:
        meaning = {category: category.replace("_", " ") for category in names}
    defined = [meaning[category] for category in names]
    for what, documents, answers, vectors in (
        ("tickets", texts, labels, messages.vectors[:n]),
        ("definitions", defined, names, embedded(defined)),
    ):
        by_words = retrieval.BM25(documents).scores(questions)
        by_meaning = messages.vectors[n : n + asked] @ vectors.T
        ways = {"BM25": by_words, "vectors": by_meaning, "both, by rank": retrieval.fuse(by_words, by_meaning)}
        for way, scores in ways.items():
            best = retrieval.best_of_each(scores, answers, names)
            shares = [retrieval.found(best, right, among) for among in (1, 3)]
            wide = [1.96 * np.sqrt(share * (1 - share) / asked) for share in shares]
            told = " / ".join(f"{share:.3f} ± {half:.3f}" for share, half in zip(shares, wide, strict=True))
            yield f"right answer first / among three, {what}, {way}", told
        if what == "tickets":
            yield "BM25, largest difference from bm25s", f"{np.abs(by_words - peer(texts, questions)).max():.0e}"


def peer(documents: list[str], questions: list[str]) -> NDArray:
    """The scores of bm25s in double precision, with every word kept: (questions, documents)."""
    import bm25s

    index = bm25s.BM25(method="lucene", dtype="float64")
    index.index(bm25s.tokenize(documents, **CUT), show_progress=False)
    return np.stack([index.get_scores(words) for words in bm25s.tokenize(questions, **CUT)])


# --- all of it ----------------------------------------------------------------------------------------------


def measured(name: str, folder: str, embedded: Callable) -> tuple[dict[str, list[float]], dict[str, str]]:
    """What each draw gave, and the cells of the table."""
    messages = read(name, folder, embedded)
    values: dict[str, list[float]] = {}
    for seed in range(DRAWS[name]):
        one = draw(messages, seed)
        for what, value in (*costs_of(messages, one, seed), *coverage_of(messages, one)):
            values.setdefault(what, []).append(value)
        if seed == 0:
            spread = spread_of(messages, one)
        print(name, seed, round(values["costs 8, 2, 3: Bayes, three acts"][-1], 3), flush=True)
    least = {}
    for way in ("one threshold", "a threshold for each class"):
        each = {what: np.mean(values.pop(what)) for what in list(values) if what.startswith(f"{way}: ")}
        least[f"least coverage of a class, mean over draws, {way}"] = min(each.values())
    cells = {what: str(over_seeds(found)) for what, found in values.items()}
    cells |= {what: f"{value:.4f}" for what, value in spread.items()} | {w: f"{v:.3f}" for w, v in least.items()}
    cells |= dict(found_by(name, folder, messages, embedded))
    return {what: [round(value, 5) for value in found] for what, found in values.items()}, cells


def all_of_it(folder: str) -> None:
    started, processor = time.perf_counter(), time.process_time()
    embedded = partial(embed, *load_encoder())
    values, cells = {}, {}
    for name, where in (("support_intents", "support_intents"), ("banking77", folder)):
        values[name], cells[name] = measured(name, where, embedded)
    runs = [
        {"name": what} | {name: found[what] for name, found in cells.items() if what in found}
        for what in dict.fromkeys(what for found in cells.values() for what in found)
    ]
    results.write(
        "help_desk",
        title="A help desk that knows when to ask",
        data="support_intents (24 intents, 104 messages out of scope, 532 learned from, 266 to tune or calibrate on, 266 "
        f"judged, {DRAWS['support_intents']} draws) and banking77 (70 intents and 7 without an answer, 1,540 learned from, "
        f"1,540 to tune or calibrate on, 1,540 judged, {DRAWS['banking77']} draws); cost of a message for a wrong answer, "
        "asking back and handing over as named; interquartile mean and 95% interval over draws, which share their messages; "
        "retrieval on each corpus's own test messages, ± 1.96 standard errors",
        model=f"logistic regression on vectors of {results.MINILM}, C = {PROBE_C:g} and a temperature from five folds unless named",
        packages=("bm25s",),
        settings={"alpha": ALPHA, "typos": TYPOS, "halves": HALVES, "weak_C": WEAK_C, "tuned": TUNED},
        values=values,
        seconds=round(time.perf_counter() - started),
        processor_seconds=round(time.process_time() - processor),
        runs=runs,
    )


def speed(folder: str) -> None:
    """BM25 beside bm25s on banking77: from texts to an index, and from questions to the best documents."""
    import bm25s

    corpus = load_intents(folder)
    documents, questions = list(corpus["train"]["text"]), list(corpus["test"]["text"])

    def ours() -> tuple[float, float]:
        started = time.perf_counter()
        index = retrieval.BM25(documents)
        ready = time.perf_counter()
        for first in range(0, len(questions), 256):
            scores = index.scores(questions[first : first + 256])
            best = np.argpartition(scores, -BEST, axis=1)[:, -BEST:]
            np.take_along_axis(best, np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1), axis=1)
        return ready - started, time.perf_counter() - ready

    def theirs() -> tuple[float, float]:
        started = time.perf_counter()
        index = bm25s.BM25(backend="numpy")
        index.index(bm25s.tokenize(documents, **CUT), show_progress=False)
        ready = time.perf_counter()
        index.retrieve(bm25s.tokenize(questions, **CUT), k=BEST, show_progress=False)
        return ready - started, time.perf_counter() - ready

    sides = {"this course": ours, "bm25s": theirs}
    times: dict[str, list[tuple[float, float]]] = {side: [] for side in sides}
    for _ in range(REPEATS):  # in turn, so that both have the machine's good and bad moments
        for side, work in sides.items():
            times[side].append(work())
    runs = []
    for side, found in times.items():
        index, search = np.median(found, axis=0)
        runs.append(
            {
                "name": side,
                "index_seconds": round(float(index), 3),
                "search_seconds": round(float(search), 3),
                "questions_per_second": round(len(questions) / float(search)),
            }
        )
    results.write(
        "help_desk_speed",
        title="BM25 in NumPy and SciPy, beside bm25s",
        data=f"banking77, index of {len(documents):,} messages from their texts, the {BEST} best for each of {len(questions):,} "
        f"questions; median of {REPEATS} runs in turn",
        model="no model",
        packages=("bm25s",),
        times={side: np.round(found, 4).tolist() for side, found in times.items()},
        runs=runs,
    )


def main() -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus", help="folder of banking77: train.csv and test.csv with the columns text and category")
    parser.add_argument("--speed", action="store_true", help="measure the speed of BM25 alone")
    arguments = parser.parse_args()
    (speed if arguments.speed else all_of_it)(arguments.corpus)


if __name__ == "__main__":
    main()
