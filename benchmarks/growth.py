"""How time and memory grow: of training with its sentences, of the tabular learner with its states and with its runs.

    python benchmarks/growth.py [../conll2003]

Training is one epoch as in `ner_finetuning.py`, on sentences drawn from CoNLL-2003's training set; without the folder on
newswire's, which has fewer. The tabular learner makes as many updates in each run in a world drawn at random. Each point
is measured in a process of its own, so that its peak memory is its own; what that process had before the work began
(Python, libraries, encoder, corpus) is subtracted. The points take turns, and the median counts. An exponent is the slope
of a straight line through the points on logarithmic axes, from the size on at which the work itself outweighs what any
size costs. The result goes to `growth.json` beside this file. A quarter of an hour; run it with nothing else running.
"""

from __future__ import annotations

import argparse
import random
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import loglog
import numpy as np
import psutil
import results

from babyagi_lib.rl import tabular
from babyagi_lib.rl.mdp import MDP

SENTENCES = (250, 500, 1000, 2000, 4000, 8000)  # and all there are
STATES = (10, 30, 100, 300, 1000, 3000, 10_000)
RUNS = (1, 4, 16, 64, 256, 512, 1024, 2048, 4096)
USUAL_STATES, USUAL_RUNS, STEPS = 100, 256, 5000
ACTIONS, OUTCOMES, ENDS = 4, 3, 0.01
# The sizes from which on a power is fitted: below, what every size costs outweighs the rest (the first steps of a training,
# the calls of NumPy in a step of few runs, the arrays beside small tables). Time hardly depends on states, from the first.
FROM = {
    ("sentences", "seconds"): 500,
    ("sentences", "memory_mb"): 500,
    ("states", "seconds"): 10,
    ("states", "memory_mb"): 300,
    ("runs", "seconds"): 512,
    ("runs", "memory_mb"): 512,
}


def drawn_world(states: int, seed: int = 0) -> MDP:
    """A world in which every action leads to one of a few states, drawn at random, and now and then to the end."""
    draw = np.random.default_rng(seed)
    shape = (states, ACTIONS, OUTCOMES)
    return MDP(
        f"{states} states, drawn at random",
        probability=draw.dirichlet(np.ones(OUTCOMES), size=shape[:2]),
        next_state=draw.integers(states, size=shape),
        reward=draw.normal(size=shape),
        terminated=draw.random(shape) < ENDS,
        start=np.full(states, 1 / states),
    )


def measured(work: Callable[[], Any]) -> dict[str, float]:
    """Seconds of some work, and by how much the peak of this process's memory is above what it has now."""
    before = psutil.Process().memory_info().rss
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return {"seconds": seconds, "memory_mb": max(peak - before, 0) / 2**20}


def with_sentences(size: int, corpus: str) -> dict[str, float]:
    """Training on so many sentences."""
    from ner_finetuning import Setting, ours

    setting = Setting(corpus)
    drawn = random.Random(0).sample(setting.encoded["train"].windows, size)
    ours(setting, drawn[:1], epochs=1)  # imports what it needs, and tries out the processor
    return measured(lambda: ours(setting, drawn, epochs=1))


def with_states(size: int, corpus: str) -> dict[str, float]:
    """The tabular learner in a world of so many states."""
    world = drawn_world(size)
    return measured(lambda: tabular.learn(world, steps=STEPS, runs=USUAL_RUNS))


def with_runs(size: int, corpus: str) -> dict[str, float]:
    """So many runs of the tabular learner side by side."""
    world = drawn_world(USUAL_STATES)
    return measured(lambda: tabular.learn(world, steps=STEPS, runs=size))


WORK = {
    "sentences": (with_sentences, "training"),
    "states": (with_states, "tabular learner"),
    "runs": (with_runs, "tabular learner"),
}


def count_sentences(corpus: str) -> int:
    """How many sentences a corpus has to train on."""
    from babyagi_lib.sources.news import load_ner

    return len(load_ner(corpus)["train"])


def alone(work: Callable[..., Any], *arguments: Any) -> Any:
    """What some work returns that is done in a new process.

    It is forked from a small server: Linux lets a process that is started in another way inherit the peak of its parent.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("forkserver")) as pool:
        return pool.submit(work, *arguments).result()


def exponent(sizes: Sequence[float], values: Sequence[float], start: float) -> tuple[float, float]:
    """The power of the size that values grow with from `start` on, and its standard error, by least squares on logarithms.

    Raises:
        ValueError: fewer than three sizes, so that there is no error to state.
    """
    from scipy.stats import linregress

    used = [(size, value) for size, value in zip(sizes, values, strict=True) if size >= start]
    if len(used) < 3:
        raise ValueError(f"an exponent needs three sizes from {start} on, and there are {len(used)}")
    fitted = linregress(*np.log(used).T)
    return float(fitted.slope), float(fitted.stderr)


def curves(runs: list[dict]) -> list[dict]:
    """The exponents of seconds and memory in each series of runs."""
    found = []
    for (against, of), start in FROM.items():
        series = [run for run in runs if run["against"] == against]
        slope, error = exponent([run["size"] for run in series], [run[of] for run in series], start)
        found.append(
            {
                "work": WORK[against][1],
                "against": against,
                "of": of,
                "from_size": start,
                "exponent": round(slope, 3),
                "standard_error": round(error, 3),
            }
        )
    return found


def conclusions(result: dict) -> dict:
    """What is written beside the measured values: the book shows a drawing of each curve under the table."""
    return {"markdown": [*results.markdown(result), "", *loglog.drawings(result)]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus", nargs="?", default="newswire", help="folder with CoNLL-2003's train, valid and test")
    parser.add_argument("--repeats", type=int, default=3, help="turns")
    arguments = parser.parse_args()
    there = alone(count_sentences, arguments.corpus)
    sizes = {"sentences": [*(size for size in SENTENCES if size < there), there], "states": STATES, "runs": RUNS}
    found: dict[tuple[str, int], list[dict]] = {(against, size): [] for against in WORK for size in sizes[against]}
    for _ in range(arguments.repeats):
        for (against, size), points in found.items():
            points.append(alone(WORK[against][0], size, arguments.corpus))
            print(against, size, {key: round(value, 3) for key, value in points[-1].items()}, flush=True)
    runs = [
        {"name": f"{WORK[against][1]}, {size:,} {against}", "against": against, "size": size}
        | {
            key: round(statistics.median(point[key] for point in points), digits)
            for key, digits in (("seconds", 3), ("memory_mb", 1))
        }
        for (against, size), points in found.items()
    ]
    results.write(
        "growth",
        title="How time and memory grow",
        data=f"one epoch on up to {there:,} sentences of {Path(arguments.corpus).name}; {STEPS:,} steps in each run of the "
        f"tabular learner, {USUAL_RUNS} runs or {USUAL_STATES} states where the other grows; median of {arguments.repeats} "
        "turns; memory beyond what the process had before",
        model=f"{results.MINILM}; tabular Q-learning",
        settings={"steps": STEPS, "states": USUAL_STATES, "runs": USUAL_RUNS, "repeats": arguments.repeats},
        curves=curves(runs),
        runs=runs,
        conclusions=conclusions,
    )


if __name__ == "__main__":
    main()
