"""The course's aims in comparison with other tools, and whether the measurements reach them.

The aims are stated only here. Each reader below turns one result file of `benchmarks/` into rows of one table, which
`make bench` prints at its end and the book's results page shows.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from babyagi_course.tables import minutes

HEADS = ("work", "beside", "ours", "ratio", "aim", "met")

RUN_NER = "run_ner.py's recipe"

# Why an aim is not met, by the row's work and peer.
STANDS_IN_THE_WAY: dict[tuple[str, str], str] = {
    ("the same without the input adapter, mean F1 of two seeds", RUN_NER): (
        "Theirs is one seed. Our two seeds differ by about as much as the two sides do. With dropout, which takes a third "
        "of the time, our mean is closer. With the input adapter, which sees capital letters, it is far above."
    ),
    ("the same in turns of one short epoch, tokens/s", RUN_NER): (
        "Just below the aim, while the trainings in the first row are above it. Short turns give the machine's speed less "
        "time to drift; long trainings average over more."
    ),
    ("the same in turns of one short epoch, tokens/s", f"{RUN_NER}, batches of 16"): (
        "Larger batches help their side too, and would help ours ('What makes training fast' has the speeds), but with "
        "fewer steps a model learns less. The row on the share of the matrix rate says what else limits ours."
    ),
    ("the same, share of the matrix rate", "matrix products alone"): (
        "Half of the time is spent on matrix products ('What makes training fast' has the profile), and these are smaller "
        "than the one whose rate is the reference. The rest is casts between 32 and 16 bits, allocation, sums, "
        "activations and the optimiser. A compiler could fuse them, but torch.compile, which we tried, needs a C++ "
        "compiler on the learner's machine and time to compile before the first step."
    ),
}


@dataclass(frozen=True)
class Row:
    """One aim.

    Attributes:
        work: what is done.
        peer: what people would use instead.
        theirs, ours: what both measured, in words; empty where nothing was.
        ratio: how they compare, in words.
        aim: what it should be.
        met: whether it is; None if it was not measured.
    """

    work: str
    peer: str
    theirs: str
    ours: str
    ratio: str
    aim: str
    met: bool | None

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as text, in the order of `HEADS`."""
        verdict = {True: "yes", False: "no", None: "not measured"}[self.met]
        peer = ": ".join(text for text in (self.peer, self.theirs) if text)
        return self.work, peer, self.ours, self.ratio, self.aim, verdict

    @property
    def hindrance(self) -> str:
        """What stands in the way of an aim that is not met; empty if it is, or if nothing was written about it."""
        return "" if self.met else STANDS_IN_THE_WAY.get((self.work, self.peer), "")


def fine_tuning(result: dict) -> Iterator[Row]:
    """Rows from `ner_conll2003.json`."""
    times, share, f1 = 8, 0.30, "entity_f1_each_word_alone"
    runs = _by_name(result)
    ours, peer = runs["this course's loop, with the input adapter"], runs["transformers' run_ner recipe"]
    ratio = ours["tokens_per_second"] / peer["tokens_per_second"]
    yield Row(
        "fine-tuning on CoNLL-2003, three epochs, tokens/s and F1",
        RUN_NER,
        f"{peer['tokens_per_second']:,.0f}, {peer[f1]:.3f}",
        f"{ours['tokens_per_second']:,.0f}, {ours[f1]:.3f}",
        _times(ratio),
        f"{times}×, F1 no lower",
        ratio >= times and ours[f1] >= peer[f1],
    )
    blind = statistics.mean(runs[name][f1] for name in ("this course's loop", "this course's loop, another seed"))
    yield Row(
        "the same without the input adapter, mean F1 of two seeds",
        RUN_NER,
        f"{peer[f1]:.3f}",
        f"{blind:.3f}",
        f"{blind - peer[f1]:+.3f}",
        "F1 no lower",
        blind >= peer[f1],
    )
    speeds = {side: statistics.median(found) for side, found in result["tokens_per_second_in_alternation"].items()}
    for side, name, key in (
        ("peer", RUN_NER, "speed_ratio_in_alternation"),
        ("peer, batches of 16", f"{RUN_NER}, batches of 16", "speed_ratio_to_batches_of_16"),
    ):
        yield Row(
            "the same in turns of one short epoch, tokens/s",
            name,
            f"{speeds[side]:,.0f}",
            f"{speeds['ours']:,.0f}",
            _times(result[key]),
            f"{times}×",
            result[key] >= times,
        )
    reached = result["share_of_matrix_rate"]
    yield Row(
        "the same, share of the matrix rate",
        "matrix products alone",
        "100%",
        f"{reached:.0%}",
        "",
        f"{share:.0%}",
        reached >= share,
    )


def prediction(result: dict) -> Iterator[Row]:
    """Rows from `ner_prediction.json`."""
    times, close = 5, 0.005
    runs = _by_name(result)
    for work, peer in (
        ("prediction", "the pipeline"),
        ("prediction", "the pipeline, batch_size=64"),
        ("evaluation", "the Trainer and seqeval"),
    ):
        ours, theirs = runs[f"{work}, this course"], runs[f"{work}, {peer}"]
        yield Row(
            f"{work} of names, sentences/s and F1",
            peer,
            f"{theirs['sentences_per_second']:,.0f}, {theirs['entity_f1']:.3f}",
            f"{ours['sentences_per_second']:,.0f}, {ours['entity_f1']:.3f}",
            _times(theirs["ratio"]),
            f"{times}×, the same F1",
            theirs["ratio"] >= times and abs(ours["entity_f1"] - theirs["entity_f1"]) < close,
        )


def few_shot(result: dict) -> Iterator[Row]:
    """A row from `fewshot_banking77.json`.

    setfit's default plan was too long at eight examples of each; where only its seconds are estimated, its shorter plan,
    which was run to the end, is the peer.
    """
    share = 1 / 3
    runs = {(run["method"], run["shots"]): run for run in result["runs"]}
    peer = runs["setfit, defaults", 8]
    if "accuracy" not in peer:
        peer = runs["setfit, 20 pairs of each kind", 8]
    ours = runs["ours, contrastive tuning, linear probe", 8]
    part = ours["seconds"] / peer["seconds"]
    yield Row(
        "77 intents, 8 examples of each, seconds and accuracy",
        peer["method"],
        f"{peer['seconds']:,.0f} s, {peer['accuracy']:.3f}",
        f"{ours['seconds']:,.0f} s, {ours['accuracy']:.3f}",
        f"1/{1 / part:.0f}",
        f"1/{1 / share:.0f}, accuracy no lower",
        part <= share and ours["accuracy"] >= peer["accuracy"],
    )


def q_learning(result: dict) -> Iterator[Row]:
    """Rows from `q_learning.json`, one for each world."""
    times, rate = 20, 1e6
    for run in result["runs"]:
        plain, together = run["plain_updates_per_second"], run["together_updates_per_second"]
        yield Row(
            f"Q-learning, {run['name']}, updates/s",
            "a loop over gymnasium",
            f"{plain:,}",
            f"{together:,}",
            _times(run["ratio"]),
            f"{times}×, and {rate / 1e6:.0f} million",
            run["ratio"] >= times and together >= rate,
        )


def startup(result: dict) -> Iterator[Row]:
    """Rows from `startup.json`."""
    more, limit = 0.1, 0.3
    runs = _by_name(result)
    for module in ("babyagi_lib", "babyagi_lib.training.loop"):
        run = runs[f"import {module}"]
        yield Row(
            f"import {module}",
            "import torch",
            f"{runs['import torch']['seconds']:.2f} s",
            f"{run['seconds']:.2f} s",
            f"{run['more_than_torch']:+.2f} s",
            f"{more:+} s at most",
            run["more_than_torch"] <= more,
        )
    run, nothing = runs["help of the tool"], runs["python, doing nothing"]
    yield Row(
        "help of the tool",
        nothing["name"],
        f"{nothing['seconds']:.2f} s",
        f"{run['seconds']:.2f} s",
        f"{run['more_than_python']:+.2f} s",
        f"under {limit} s",
        run["seconds"] < limit,
    )


def whole_course(result: dict) -> Iterator[Row]:
    """Rows from `whole_course.json`."""
    runs = _by_name(result)
    for name, work, limit in (
        ("from nothing", "every lesson and the book", 20 * 60),
        ("again, nothing changed", "again, nothing changed", 60),
        ("the book alone", "the book alone", 30),
    ):
        seconds = runs[name]["seconds"]
        aim = "under " + (f"{limit // 60} min" if limit > 60 else f"{limit} s")
        yield Row(work, "", "", minutes(seconds), "", aim, seconds < limit)


READERS: dict[str, Callable[[dict], Iterator[Row]]] = {
    "ner_conll2003": fine_tuning,
    "ner_prediction": prediction,
    "fewshot_banking77": few_shot,
    "q_learning": q_learning,
    "startup": startup,
    "whole_course": whole_course,
}


def rows(benchmarks: Path) -> list[Row]:
    """Every aim with what the result files of a folder say about it."""
    found: list[Row] = []
    for name, reader in READERS.items():
        path = benchmarks / f"{name}.json"
        if path.is_file():
            found += reader(json.loads(path.read_text(encoding="utf-8")))
        else:
            found.append(Row(name, "", "", "", "", "", None))
    return found


def _by_name(result: dict) -> dict[str, dict]:
    return {run["name"]: run for run in result["runs"]}


def _times(ratio: float) -> str:
    return f"{ratio:.1f}×"
