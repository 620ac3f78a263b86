"""The opinion monitor on sentences that the course did not write, and its chart beside river's detectors.

    python benchmarks/opinion_monitor.py PATH_OF_Sentences_50Agree.txt [--tiny]

Three measurements. First: three classifiers on the Financial PhraseBank, whose near-duplicates (cosine of their vectors above
0.92) are always on the same side of a split. Second: what the chart promised and what it kept on a stream of real sentences.
Third: the CUSUM, river's PageHinkley and river's ADWIN at one mean time to a false alarm, each with a threshold tuned for it,
and with river's defaults. Needs `pip install river`. The result goes to `opinion_monitor.json` beside this file; no text of
the PhraseBank does. A minute on one thread.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import results
import torch
from numpy.typing import NDArray

from babyagi_lib.apps import control_charts as charts
from babyagi_lib.basics.intervals import over_seeds
from babyagi_lib.basics.streams import stream_seed
from babyagi_lib.methods import sentiment
from babyagi_lib.methods.fewshot import embed
from babyagi_lib.sources.encoders import load_encoder
from babyagi_lib.sources.headlines import load_headlines

ALIKE = 0.92  # cosine from which two sentences are one story
LABELS = {"50 labels": (50, 20), "200 labels": (200, 20), "half of the sentences": (None, 4)}  # and how many draws
BEFORE, AFTER, AFFORD = 0.20, 0.35, 1000
RATES = 0.75, 0.97  # sensitivity and specificity of the third measurement
SHARES = (0.25, 0.30, 0.35, 0.50)


def rng(purpose: str, seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(stream_seed(purpose, seed))


def stories(vectors: NDArray) -> NDArray:
    """The number of each sentence's story: sentences that are alike, directly or through others, are one."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = [
        (i + start, j)
        for start in range(0, len(vectors), 500)
        for i, j in np.argwhere(vectors[start : start + 500] @ vectors.T > ALIKE)
    ]
    rows, columns = np.array(pairs).T
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(vectors),) * 2)
    return connected_components(graph, directed=False)[1]


def halves(story: NDArray, draw: np.random.Generator) -> tuple[NDArray, NDArray]:
    """Indices of two halves, no story in both."""
    first = draw.random(story.max() + 1) < 0.5
    return draw.permutation(np.flatnonzero(first[story])), draw.permutation(np.flatnonzero(~first[story]))


def quality(said: NDArray, truth: NDArray) -> tuple[float, float, float]:
    se, sp = sentiment.sensitivity_specificity(said == "negative", truth == "negative")
    return float((said == truth).mean()), se.share, sp.share


def classifiers(vectors: NDArray, texts: list[str], mood: NDArray, story: NDArray, tiny: bool) -> list[dict]:
    """Accuracy, sensitivity and specificity of each classifier, by labels."""
    both = sentiment.with_lexicon(vectors, texts)
    words = sentiment.by_lexicon(texts)
    found = {"lexicon, no labels": [quality(words, mood)]}
    for name, (labels, draws) in LABELS.items():
        for number in range(2 if tiny else draws):
            known, asked = halves(story, rng(f"split {name}", number))
            known = known[:labels]
            for kind, features in (("probe", vectors), ("both", both)):
                said = sentiment.by_probe(features[known], mood[known], features[asked])
                found.setdefault(f"{kind}, {name}", []).append(quality(said, mood[asked]))
    rows = []
    for name, runs in found.items():
        middles = [over_seeds(values) for values in zip(*runs, strict=True)]
        row = {"name": name, "draws": len(runs)}
        for key, middle in zip(("accuracy", "sensitivity", "specificity"), middles, strict=True):
            row[key] = round(float(middle.estimate), 3)
            row[f"{key}_interval"] = [round(float(middle.low), 3), round(float(middle.high), 3)]
        rows.append(row)
    return rows


def promise(vectors: NDArray, texts: list[str], mood: NDArray, story: NDArray, streams: int) -> dict:
    """Rates measured on a quarter, a chart from them, and streams of sentences of another half that nothing has seen."""
    both, negative = sentiment.with_lexicon(vectors, texts), mood == "negative"
    known, asked = halves(story, rng("promise"))
    learned, measured = known[: len(known) // 2], known[len(known) // 2 :]
    flagged = sentiment.by_probe(both[learned], mood[learned], both) == "negative"
    se, sp = sentiment.sensitivity_specificity(flagged[measured], negative[measured])
    true_se, true_sp = sentiment.sensitivity_specificity(flagged[asked], negative[asked])
    q0, q1 = sentiment.seen_share([BEFORE, AFTER], se.share, sp.share)
    chart = charts.chart_for(q0, q1, AFFORD)
    draw = rng("real stream")
    bad = draw.random((streams, 8 * AFFORD)) < BEFORE
    pools = [asked[negative[asked] == kind] for kind in (False, True)]
    drawn = [pool[draw.integers(len(pool), size=bad.shape)] for pool in pools]
    flags = flagged[np.where(bad, drawn[1], drawn[0])]
    times = charts.first_alarm(charts.cusum_path(flags, chart), chart.threshold)
    times = np.where(times == 0, flags.shape[1], times)
    return {
        "measured": [str(se), str(sp)],
        "on the stream": [str(true_se), str(true_sp)],
        "promised": charts.mean_time(chart, q0),
        "recomputed": charts.mean_time(chart, float(sentiment.seen_share(BEFORE, true_se.share, true_sp.share))),
        "kept": float(times.mean()),
        "half": float(1.96 * times.std() / len(times) ** 0.5),
    }


def alarms(make: Callable, rows: NDArray) -> NDArray:
    """First alarm of a new detector on each stream, its length + 1 if there is none."""
    found = []
    for row in rows.astype(float).tolist():
        detector, first = make(), len(row) + 1
        for number, value in enumerate(row, start=1):
            detector.update(value)
            if detector.drift_detected:
                first = number
                break
        found.append(first)
    return np.array(found)


def tuned(make: Callable, low: float, high: float, rows: NDArray, rises: bool) -> float:
    """The setting whose mean time to a false alarm is AFFORD, by bisection on a logarithmic scale."""
    for _ in range(7):
        middle = (low * high) ** 0.5
        longer = alarms(lambda value=middle: make(value), rows).mean() >= AFFORD
        low, high = (low, middle) if longer == rises else (middle, high)
    return (low * high) ** 0.5


def beside_river(streams: int) -> tuple[list[dict], dict]:
    from river.drift import ADWIN, PageHinkley

    q0, q1 = sentiment.seen_share([BEFORE, AFTER], *RATES)
    quiet = rng("quiet").random((2 * streams, 8 * AFFORD)) < q0
    half, other = quiet[:streams], quiet[streams:]
    chart = charts.chart_for(q0, q1, AFFORD)
    level = tuned(lambda h: PageHinkley(threshold=h, mode="up"), 2, 50, half, True)
    delta = tuned(lambda d: ADWIN(delta=d), 1e-3, 0.99, half, False)
    ways = {
        "CUSUM, threshold computed": None,
        f"river PageHinkley, threshold {level:.1f} (tuned)": lambda: PageHinkley(threshold=level, mode="up"),
        f"river ADWIN, delta {delta:.2f} (the nearest to the target)": lambda: ADWIN(delta=delta),
        "river PageHinkley, defaults": PageHinkley,
        "river ADWIN, defaults": ADWIN,
    }

    def first(make: Callable | None, rows: NDArray) -> NDArray:
        if make is None:
            times = charts.first_alarm(charts.cusum_path(rows, chart), chart.threshold)
            return np.where(times == 0, rows.shape[1] + 1, times)
        return alarms(make, rows)

    begin, rows = 500, []
    shifted = {}
    for share in SHARES:
        values = rng(f"share {share}").random((streams, begin + 2000))
        shifted[share] = values < np.where(np.arange(values.shape[1]) < begin, q0, sentiment.seen_share(share, *RATES))
    for name, make in ways.items():
        quiet_times = first(make, other)
        row = {"name": name, "to_a_false_alarm": f"{quiet_times.mean():,.0f}"}
        if (quiet_times > other.shape[1]).mean() > 0.02:
            row["to_a_false_alarm"] = f"over {quiet_times.mean():,.0f}"
        for share, values in shifted.items():
            times = first(make, values)
            times = times[times > begin] - begin
            missed = float((times > values.shape[1] - begin).mean())
            told = f"{times.mean():.0f}" if missed < 0.02 else f"missed {missed:.0%}"
            row[f"delay_to_{share:.2f}"] = told
        rows.append(row)
    return rows, {"page_hinkley": level, "adwin": delta, "chart": [chart.up, chart.down, chart.threshold]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus", help="Sentences_50Agree.txt of the Financial PhraseBank")
    parser.add_argument("--tiny", action="store_true", help="few draws and streams, to try it out; writes nothing")
    given = parser.parse_args()
    torch.set_num_threads(1)
    started = time.process_time()
    headlines = load_headlines(given.corpus)
    texts, mood = [line.text for line in headlines], np.array([line.sentiment for line in headlines])
    vectors = embed(*load_encoder(), texts)
    story = stories(vectors)
    print(f"{len(texts):,} sentences, {story.max() + 1:,} stories; {time.process_time() - started:.0f} s")
    rows = classifiers(vectors, texts, mood, story, given.tiny)
    kept = promise(vectors, texts, mood, story, 50 if given.tiny else 1000)
    print(*rows, kept, f"{time.process_time() - started:.0f} s", sep="\n")
    runs, settings = beside_river(20 if given.tiny else 600)
    print(*runs, settings, f"{time.process_time() - started:.0f} s", sep="\n")
    if given.tiny:
        return
    results.write(
        "opinion_monitor",
        title="An opinion monitor's chart beside river's detectors",
        data=f"simulated flags, share {BEFORE:g} before and as said after message 500, sensitivity {RATES[0]:g}, specificity "
        f'{RATES[1]:g}; mean messages to a false alarm and mean delay; 600 streams to tune on and as many to test on; "missed": no alarm '
        "within 2,000 messages",
        model="Bernoulli CUSUM on a lattice; PageHinkley and ADWIN of river",
        packages=("river",),
        settings=settings,
        cpu_seconds=round(time.process_time() - started),
        phrasebank={"sentences": len(texts), "stories": int(story.max() + 1), "rows": rows, "promise": kept},
        runs=runs,
    )


if __name__ == "__main__":
    main()
