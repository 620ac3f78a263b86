"""Lesson 10's rooms beside MiniGrid's: steps a second; and what PPO learns in the same time, beside stable-baselines3.

    python -m pip install -c constraints.txt -e ".[bench]" minigrid==3.2.0
    python benchmarks/fetch.py [--tiny] [--without-learning]

Both sides play MiniGrid's Fetch-8x8-N3. `tests/test_fetch.py` shows that they are the same world, transition by transition.

Steps: random actions from the first four, new rooms where an episode ends, and the observation after each step. MiniGrid
plays one room, as its users do; ours plays `ROOMS` at once.

Learning: a run of ours makes `STEPS` steps with the lesson's settings, and the clock says how long that takes. Then PPO of
stable-baselines3 has as many seconds in MiniGrid itself, `WORLDS` rooms in a DummyVecEnv. Both have a network that matches the
sentence with every cell (on its side a feature extractor that computes the same numbers), two hidden layers of 64 units, and
the same discount, lambda, clip and entropy. Its rate, length of a rollout, batch and epochs are one choice of ours, not its
defaults, and not tuned; it may learn more with better ones. Both policies are then played by the same function in
the same fresh rooms. The sides take turns, with other seeds in each turn, all on one thread. The result goes to `fetch.json`
beside this file. Two minutes; run it with nothing else running. Without stable-baselines3, or with `--without-learning`,
only the steps are measured.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import results
import torch
from torch import Tensor, nn

from babyagi_course.measured import Aim
from babyagi_lib.basics.streams import stream_seed
from babyagi_lib.methods.fewshot import embed
from babyagi_lib.models.matching import ReadingPolicy, standardise
from babyagi_lib.rl import ppo
from babyagi_lib.sources.encoders import load_encoder
from babyagi_lib.worlds import fetch as world
from babyagi_lib.worlds import fetch_agents, fetch_paths, fetch_sentences

ENVIRONMENT, LAYOUT = "MiniGrid-Fetch-8x8-N3-v0", "8x8-N3"
ROOMS, PLAYED, PEER_PLAYED, REPEATS = 1024, 1_000_000, 10_000, 3
STEPS, TEST, WORLDS = 250_000, 1000, 16
SHARED = {"gamma": 0.97, "clip": 0.2, "entropy": 0.01, "lam": 0.95}
OURS = {"rate": 2e-3, "batch": 512}
PEERS = {"n_steps": 64, "batch_size": 256, "n_epochs": 4, "learning_rate": 1e-3}
TIMES = 100  # the aim for steps
MINIGRID, ARRAYS, SB3, LESSON = "MiniGrid's loop", "rooms as arrays", "stable-baselines3 on MiniGrid", "lesson 10's PPO"


def minigrid_rate(steps: int, seed: int) -> float:
    import gymnasium
    import minigrid  # noqa: F401

    env = gymnasium.make(ENVIRONMENT, disable_env_checker=True)
    env.reset(seed=seed)
    actions = np.random.default_rng(seed).integers(4, size=steps).tolist()
    started = time.perf_counter()
    for action in actions:
        _, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            env.reset()
    return steps / (time.perf_counter() - started)


def arrays_rate(steps: int, seed: int) -> float:
    draw = np.random.default_rng(seed)
    size, things = world.SIZES[LAYOUT]
    rooms = world.rooms(ROOMS, draw, size=size, objects=things)
    rounds = -(-steps // ROOMS)
    actions = draw.integers(4, size=(rounds, ROOMS))
    started = time.perf_counter()
    for action in actions:
        _, terminated, truncated = rooms.step(action)
        rooms.restart(terminated | truncated)
        rooms.see()
    return rounds * ROOMS / (time.perf_counter() - started)


# --- learning ---------------------------------------------------------------------------------------------------


def sentence_vectors() -> np.ndarray:
    known = fetch_sentences.write()
    found = embed(*load_encoder(), known)
    return standardise(found, found)


def our_run(told: np.ndarray, steps: int, seed: int) -> tuple[float, int, fetch_agents.Policy]:
    """Seconds, steps, and the policy."""
    net = ReadingPolicy(told, fetch_agents.PROPERTIES, stream_seed("bench: weights", seed), units=64)
    rooms = world.rooms(256, np.random.default_rng(stream_seed("bench: rooms", seed)))
    started = time.perf_counter()
    log = ppo.learn(net, rooms, steps=steps, seed=seed, **SHARED, **OURS)
    return time.perf_counter() - started, int(log.steps[-1]), net


def matcher(told: np.ndarray) -> type:
    """A feature extractor of stable-baselines3 that computes what `ReadingPolicy` gives to its hidden layers."""
    from stable_baselines3.common.torch_layers import BaseFeaturesExtractor

    class Matcher(BaseFeaturesExtractor):
        def __init__(self, space: Any) -> None:
            super().__init__(space, features_dim=3 * 49)
            self.net = ReadingPolicy(told, fetch_agents.PROPERTIES, 0, units=1)
            for part in (self.net.hidden, self.net.act, self.net.value):  # only its matching is used
                part.requires_grad_(False)

        def forward(self, seen: Tensor) -> Tensor:
            view, instruction = seen[:, :49].long(), seen[:, 49].long()
            net = self.net
            return torch.cat([net.scores()[instruction[:, None], view], net.walls[view], net.things[view]], dim=1)

    return Matcher


def as_numbers() -> Callable[[], Any]:
    """MiniGrid's environment with codes and the sentence's number as its observation, and its first four actions."""
    import gymnasium
    import minigrid  # noqa: F401

    code = np.zeros((11, 6), dtype=np.float32)
    for number, (kind, colour, _) in enumerate(world.IMAGE):
        code[kind, colour] = number
    number = {text: k for k, text in enumerate(fetch_sentences.write())}

    class Numbers(gymnasium.ObservationWrapper):
        def __init__(self) -> None:
            super().__init__(gymnasium.make(ENVIRONMENT, disable_env_checker=True))
            self.observation_space = gymnasium.spaces.Box(0, 60, (50,), np.float32)
            self.action_space = gymnasium.spaces.Discrete(4)

        def observation(self, seen: dict[str, Any]) -> np.ndarray:
            cells = code[seen["image"][..., 0], seen["image"][..., 1]].ravel()
            return np.append(cells, np.float32(number[seen["mission"]]))

    return Numbers


def peer_run(told: np.ndarray, seconds: float, seed: int) -> tuple[float, int, fetch_agents.Policy]:
    """Seconds, steps, and the policy of stable-baselines3."""
    from stable_baselines3 import PPO
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.vec_env import DummyVecEnv

    class Clock(BaseCallback):
        def _on_training_start(self) -> None:
            self.ends = time.perf_counter() + seconds

        def _on_step(self) -> bool:
            return time.perf_counter() < self.ends

    model = PPO(
        "MlpPolicy",
        DummyVecEnv([as_numbers()] * WORLDS),
        gamma=SHARED["gamma"],
        gae_lambda=SHARED["lam"],
        clip_range=SHARED["clip"],
        ent_coef=SHARED["entropy"],
        policy_kwargs={
            "features_extractor_class": matcher(told),
            "net_arch": [64, 64],
            "activation_fn": nn.ReLU,
            "normalize_images": False,
        },
        seed=seed,
        device="cpu",
        **PEERS,
    )
    started = time.perf_counter()
    model.learn(10**9, callback=Clock())
    spent = time.perf_counter() - started

    def policy(view: Tensor, instruction: Tensor) -> tuple[Tensor, Tensor]:
        seen = torch.cat([view.float(), instruction[:, None].float()], dim=1)
        return model.policy.get_distribution(seen).distribution.logits, model.policy.predict_values(seen)[:, 0]

    return spent, model.num_timesteps, policy


def score(policy: fetch_agents.Policy) -> dict[str, float]:
    rooms = world.draw_layouts(TEST, np.random.default_rng(stream_seed("bench: test", 0)))
    played = fetch_agents.play(policy, rooms, seed=0)
    shortest = fetch_paths.from_start(rooms, fetch_paths.distances(rooms))
    return {"right": played.right(rooms), "extra_steps": played.extra(rooms, shortest)}


def learning(steps: int, repeats: int) -> list[dict]:
    """A row for each side: medians over the turns."""
    told, turns = sentence_vectors(), {LESSON: [], SB3: []}
    our_run(told, 5000, 99)  # what torch prepares at its first call
    for seed in range(repeats):
        seconds, made, policy = our_run(told, steps, seed)
        turns[LESSON].append({"seconds": seconds, "steps": made} | score(policy))
        spent, made, policy = peer_run(told, seconds, seed)
        turns[SB3].append({"seconds": spent, "steps": made} | score(policy))
        print(turns[LESSON][-1], turns[SB3][-1], sep="\n", flush=True)
    digits = {"seconds": 1, "steps": None, "right": 3, "extra_steps": 2}
    return [
        {"name": name} | {key: round(statistics.median(turn[key] for turn in of), n) for key, n in digits.items()}
        for name, of in turns.items()
    ]


def aims(result: dict) -> Iterator[Aim]:
    runs = results.by_name(result)
    mine, other = runs[ARRAYS], runs[MINIGRID]
    ratio = mine["steps_per_second"] / other["steps_per_second"]
    yield Aim(
        "Fetch-8x8-N3, steps/s",
        MINIGRID,
        f"{other['steps_per_second']:,}",
        f"{mine['steps_per_second']:,}",
        results.times(ratio),
        f"{TIMES}×",
        ratio >= TIMES,
        "" if ratio >= TIMES else "Most of the time goes into gathering the cells in view.",
    )
    if SB3 in runs:
        mine, other = runs[LESSON], runs[SB3]
        yield Aim(
            f"Fetch-8x8-N3, right things after {mine['seconds']:.1f} s of PPO",
            SB3,
            f"{other['right']:.3f}",
            f"{mine['right']:.3f}",
            f"{mine['steps'] / other['steps']:.0f}× as many steps",
            "more right things",
            mine["right"] > other["right"],
            "" if mine["right"] > other["right"] else "The peer learned as much from fewer steps.",
        )


conclusions = results.stating(aims)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tiny", action="store_true", help="a few steps, to try it out; writes nothing")
    parser.add_argument("--without-learning", action="store_true", help="measure steps a second only")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    share = 50 if arguments.tiny else 1
    learns = not arguments.without_learning and importlib.util.find_spec("stable_baselines3") is not None
    rates: dict[str, list[float]] = {MINIGRID: [], ARRAYS: []}
    for seed in range(REPEATS):
        rates[MINIGRID].append(minigrid_rate(PEER_PLAYED // share, seed))
        rates[ARRAYS].append(arrays_rate(PLAYED // share, seed))
    rows = [{"name": name, "steps_per_second": round(statistics.median(of))} for name, of in rates.items()]
    rows += learning(STEPS // share, 1 if arguments.tiny else REPEATS) if learns else []
    print(*rows, sep="\n")
    if arguments.tiny:
        return
    results.write(
        "fetch",
        title="Rooms with instructions",
        data=f"{ENVIRONMENT}; steps: random actions, {ROOMS} rooms side by side against one; median of {REPEATS} turns on one "
        "thread"
        + (f"; learning: share of right things in {TEST} fresh rooms after the same seconds" if learns else ""),
        model="lesson 10's network that matches words with things",
        packages=("minigrid", *(("stable-baselines3",) if learns else ())),
        settings={"shared": SHARED, "ours": OURS, "stable_baselines3": PEERS | {"worlds": WORLDS}},
        runs=rows,
        conclusions=conclusions,
    )


if __name__ == "__main__":
    main()
