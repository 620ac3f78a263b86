"""Q-learning many runs at a time against the plain loop over gymnasium: updates per second, and the same result.

    python benchmarks/q_learning.py

Both do the same work: independent runs of Q-learning, as many steps each, with one step size, one epsilon and the time
limit of the environment. The plain loop plays one run after the other, as every tutorial does, with an environment as
fast as gymnasium makes it (no checker wrapped around it). Its speed does not depend on how many runs it plays, so it
plays some of them only; side by side there are 256. They take turns, so that a busy moment of the machine hits both;
what is reported is the median of the turns. The result goes to `q_learning.json` beside this file. A minute and a half;
run it with nothing else running.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator

import gymnasium
import numpy as np
import results

from babyagi_course.measured import Aim
from babyagi_lib.rl import exact, tabular
from babyagi_lib.rl.mdp import MDP, from_gymnasium

RUNS, PLAIN_RUNS, REPEATS = 256, 16, 3
GAMMA, EPSILON = 0.99, 0.1
TIMES, RATE = 20, 1e6  # the aims: how much faster than the peer, and updates per second
WORK = {  # name: environment, its options, steps in each run, step size
    "FrozenLake 4x4, slippery": ("FrozenLake-v1", {}, 20_000, 0.1),
    "Taxi": ("Taxi-v4", {}, 50_000, 1.0),
}


def plain_loop(env: gymnasium.Env, steps: int, alpha: float, seed: int) -> np.ndarray:
    """One run as it is usually written; the table after `steps` updates."""
    draw = np.random.default_rng([seed, 1])  # not the stream that the environment makes of the same seed
    actions = env.action_space.n
    Q = np.zeros((env.observation_space.n, actions))
    s, _ = env.reset(seed=seed)
    for _ in range(steps):
        a = int(draw.integers(actions)) if draw.random() < EPSILON else best(Q[s], draw)
        s_next, r, terminated, truncated, _ = env.step(a)
        target = r + GAMMA * (0 if terminated else Q[s_next].max())
        Q[s, a] += alpha * (target - Q[s, a])
        s = env.reset()[0] if terminated or truncated else s_next
    return Q


def best(row: np.ndarray, draw: np.random.Generator) -> int:
    """The greedy action, ties broken at random by the same means as in `tabular.learn`."""
    return int((row + 1e-9 * draw.random(len(row))).argmax())


def scores(mdp: MDP, Q: np.ndarray, limit: int) -> tuple[float, float]:
    """Mean over runs of the exact return of the greedy policy, and half the width of its 95% interval."""
    returns = exact.expected_return(mdp, Q.argmax(axis=-1), limit)
    return float(returns.mean()), float(1.96 * returns.std(ddof=1) / math.sqrt(len(returns)))


def compare(name: str) -> dict:
    """Both ways through the same work, taking turns."""
    env_id, options, steps, alpha = WORK[name]
    env = gymnasium.make(env_id, disable_env_checker=True, **options)
    mdp, limit = from_gymnasium(env), env.spec.max_episode_steps
    rates: dict[str, list[float]] = {"plain": [], "together": []}
    for repeat in range(REPEATS):
        started = time.perf_counter()
        plain = np.array([plain_loop(env, steps, alpha, 1000 * repeat + run) for run in range(PLAIN_RUNS)])
        rates["plain"].append(PLAIN_RUNS * steps / (time.perf_counter() - started))
        started = time.perf_counter()
        together = tabular.learn(
            mdp, steps=steps, runs=RUNS, alpha=alpha, gamma=GAMMA, epsilon=EPSILON, time_limit=limit, seed=repeat
        )
        rates["together"].append(RUNS * steps / (time.perf_counter() - started))
        print(name, {way: f"{found[-1]:,.0f}/s" for way, found in rates.items()}, flush=True)
    row = {"name": name, "steps": steps, "alpha": alpha}
    for way, Q in (("plain", plain), ("together", together.Q[-1])):
        mean, half = scores(mdp, Q, limit)
        row |= {
            f"{way}_updates_per_second": round(statistics.median(rates[way])),
            f"{way}_return": round(mean, 3),
            f"{way}_return_half_interval": round(half, 3),
        }
    row["ratio"] = round(row["together_updates_per_second"] / row["plain_updates_per_second"], 1)
    return row


def aims(result: dict) -> Iterator[Aim]:
    """What a result says about the aims, one for each world."""
    for run in result["runs"]:
        plain, together = run["plain_updates_per_second"], run["together_updates_per_second"]
        yield Aim(
            f"Q-learning, {run['name']}, updates/s",
            "a loop over gymnasium",
            f"{plain:,}",
            f"{together:,}",
            results.times(run["ratio"]),
            f"{TIMES}×, and {RATE / 1e6:.0f} million",
            run["ratio"] >= TIMES and together >= RATE,
        )


conclusions = results.stating(aims)


def main() -> None:
    started = time.perf_counter()
    runs = []
    for name in WORK:
        runs.append(compare(name))
        print(runs[-1], flush=True)
    results.write(
        "q_learning",
        title="Q-learning, many runs at a time",
        data=f"{RUNS} runs side by side, {PLAIN_RUNS} of the plain loop, as many updates in each run; median of {REPEATS} turns",
        model="tabular Q-learning",
        packages=("gymnasium",),
        settings={"runs": RUNS, "plain_runs": PLAIN_RUNS, "repeats": REPEATS, "gamma": GAMMA, "epsilon": EPSILON},
        seconds=round(time.perf_counter() - started),
        runs=runs,
        conclusions=conclusions,
    )


if __name__ == "__main__":
    main()
