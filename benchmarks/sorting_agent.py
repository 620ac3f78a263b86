"""Where the value of the sorting agent goes, over five seeds: encoders, calibration, planning and learning from new each time.

    python benchmarks/sorting_agent.py

For each seed, section 5 of lesson 12: encoders are trained and calibrated, then held-out parts are asked everything, and test
parts, once with fresh nuisances for each answer and once with those that stay with a part. Values are exact on the tables of
the test parts where the agent uses symbols, and means over the test parts where it uses beliefs. The result goes to
`sorting_agent.json` beside this file. About five minutes on one thread.
"""

from __future__ import annotations

import time

import numpy as np
import results
from numpy.typing import NDArray

from babyagi_lib.agents import part_sorter
from babyagi_lib.basics.intervals import over_seeds
from babyagi_lib.basics.streams import stream_seed
from babyagi_lib.rl import belief_planning as planning
from babyagi_lib.rl import belief_q
from babyagi_lib.rl.belief_planning import Problem
from babyagi_lib.worlds import part_senses, part_sort, part_symbols

SEEDS = range(5)
HORIZON, PARTS, TEST, UPDATES, RUNS = 6, 5000, 2500, 2000, 3  # as in the lesson
KEEP = ("zoom", "lamp", "pitch", "damping", "timbre")
FINE = (-3.0, -1.0, 1.0, 3.0)
WEIGHT = 0.35


def line_of(purpose: str, seed: int, keep: tuple[str, ...] = ()) -> part_sorter.Line:
    parts = part_senses.draw_parts(TEST, np.random.default_rng(stream_seed(purpose, seed)))
    return part_sorter.Line(parts, stream_seed(f"{purpose}: rest", seed), keep)


def tables_of(answers: belief_q.Answers, cuts: tuple[float, ...] = (0.0,)) -> Problem:
    found = part_sorter.as_symbols(answers, cuts)
    return part_sort.part_sort(HORIZON, part_sorter.count_tables(answers.hidden, found, (6, 7, 2 * (len(cuts) + 1))))


def one_seed(seed: int) -> dict[str, float]:
    """The values of all agents with the encoders of one seed."""
    senses = part_sorter.train_senses(PARTS, seed)
    held_out, test, held_out_stays, test_stays = (
        part_sorter.ask_everything(senses, line_of(purpose, seed, keep), HORIZON)
        for keep in ((), KEEP)
        for purpose in ("held-out parts", "test parts")
    )
    problem, true, known = part_sort.part_sort(HORIZON), tables_of(test), tables_of(held_out)

    def learned(answers: belief_q.Answers) -> belief_q.StackedMLP:
        return belief_q.learn(problem, answers, updates=UPDATES, runs=RUNS, seed=seed)

    def worth(network: belief_q.StackedMLP, answers: belief_q.Answers) -> float:
        return float(belief_q.play(problem, answers, network).total.mean())

    fresh = learned(held_out)
    symbols = part_sorter.as_symbols(held_out)
    by_symbols = learned(belief_q.from_symbols(held_out.hidden, symbols, [s.table for s in known.senses]))
    policies: NDArray = belief_q.on_counts(known, by_symbols)
    weak = [part_sorter.weaker_repeats(answers, WEIGHT) for answers in (held_out_stays, test_stays)]
    return {
        "trained senses, beliefs": worth(fresh, test),
        "five levels of tap as symbols, V*": planning.plan(tables_of(test, FINE)).value,
        "one symbol for each answer, V*": planning.plan(true).value,
        "planned on other parts": planning.follow(true, planning.plan(known).policy).value,
        "deep Q on these symbols": float(np.mean([planning.follow(true, policy).value for policy in policies])),
        "plan for the designed tables": planning.follow(true, planning.plan(problem).policy).value,
        "beliefs, lamp stays": worth(fresh, test_stays),
        "beliefs, lamp stays, learned there": worth(learned(held_out_stays), test_stays),
        "beliefs, lamp stays, repeats count 0.35": worth(learned(weak[0]), weak[1]),
    }


def main() -> None:
    started = time.perf_counter()
    rows = []
    for seed in SEEDS:
        rows.append(one_seed(seed))
        print(seed, {name: round(value, 3) for name, value in rows[-1].items()}, flush=True)
    values = {name: [round(row[name], 5) for row in rows] for name in rows[0]}
    perfect = {sense: part_symbols.perfected(sense) for sense in part_symbols.SENSES}
    best = planning.plan(part_sort.part_sort(HORIZON, perfect)).value
    runs = [{"name": "perfect senses, V*", "value": round(best, 3), "interval": "exact"}]
    for name, found in values.items():
        middle = over_seeds(found)
        runs.append(
            {
                "name": name,
                "value": round(float(middle.estimate), 3),
                "interval": f"{middle.low:.3f} to {middle.high:.3f}",
            }
        )
    results.write(
        "sorting_agent",
        title="Where the value of the sorting agent goes",
        data=f"sorting of invented parts with pictures, notes and sounds, at most {HORIZON} answers, {TEST} test parts, "
        f"expected reward for a part, interquartile mean and 95% interval over {len(SEEDS)} seeds",
        model=f"encoders of lesson 11 trained on {PARTS} parts, notes through {results.MINILM}",
        settings={"parts": PARTS, "test": TEST, "updates": UPDATES, "runs": RUNS, "keep": KEEP, "weight": WEIGHT},
        values=values,
        seconds=round(time.perf_counter() - started),
        runs=runs,
    )


if __name__ == "__main__":
    main()
