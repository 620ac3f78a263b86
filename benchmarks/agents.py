"""The agents of lessons 07 and 08 beside stable-baselines3 and a single-file loop: steps a second, seconds to a return.

    python -m pip install -c constraints.txt -e ".[bench]"
    python benchmarks/agents.py [--tiny]

The worlds are gymnasium's FrozenLake (4x4, slippery) and Pendulum, and lesson 08's conveyor. The other sides play them as
gymnasium environments.

In DQN and DDPG all sides have the same discount, networks of the same size, the same batches and noise. The other sides play
one environment and update after each step. Ours update after a step of every world of a run, which is one world for DQN and
32 for DDPG: hence updates a second beside steps a second. stable-baselines3 has one rate for actor and critic. In PPO the
discount, lambda and the clip are the same. Ours has a table, and stable-baselines3 its own networks, with which it got there
more often than with a table. Its rates, and PPO's number of environments and length of a rollout, are the best of a few that
were tried.

The return that a run must reach is computed by the same function on all sides, without exploration, while the clock stands
still: exactly for FrozenLake, as a share of V*, and in the same 100 episodes for everybody for the others. A run of the other
sides ends as soon as it is there, or gives up. Ours are measured twice: `RUNS` runs side by side, which is how the lessons use
them, and one run alone. They have a number of steps that is set beforehand. When one of them got there is read from the clock
at the beginning of each batch (PPO), or is the share of its steps that it needed (DQN and DDPG, in which all steps cost the
same). "Seconds for each that got there" are the seconds until all runs have got there or given up, divided by how many got
there.

The sides take turns, with other seeds in each turn, all on one thread. Then one run of each of ours is profiled. The result
goes to `agents.json` beside this file. Six minutes; run it with nothing else running.
"""

from __future__ import annotations

import argparse
import cProfile
import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import gymnasium
import numpy as np
import results
import single_file
import torch
from numpy.typing import NDArray
from profiling import hottest
from torch import Tensor, nn

from babyagi_course.measured import Aim
from babyagi_lib.basics.streams import stream_seed
from babyagi_lib.models.stacked import StackedMLP
from babyagi_lib.rl import ddpg, deep_q, exact, policy_learning
from babyagi_lib.rl.mdp import MDP, from_gymnasium
from babyagi_lib.worlds import conveyor, pendulum

RUNS, REPEATS = 10, 3
TIMES = 5  # the aim: so many times the steps a second, and as many times sooner at the return
SB3, LOOP, TOGETHER, ALONE = "stable-baselines3", "a single-file loop", "ours, side by side", "ours, one run"


@dataclass(frozen=True)
class Curve:
    """One run: after how many of its steps and how many seconds it was scored, and how many seconds all of it took."""

    steps: list[int]
    seconds: list[float]
    scores: list[float]
    whole: tuple[int, float]

    def reached(self, goal: float) -> tuple[int, float] | None:
        """Steps and seconds at the first score that is high enough."""
        for step, second, score in zip(self.steps, self.seconds, self.scores, strict=True):
            if score >= goal:
                return step, second
        return None


class Watch:
    """The clock of a run, which stands still while the policy is scored.

    Args:
        task: says when and how to score, what is high enough, and how many steps are too many.
    """

    def __init__(self, task: Task) -> None:
        self.task, self.due = task, task.every
        self.steps, self.seconds, self.scores = [], [], []
        self.stood, self.started = 0.0, time.perf_counter()

    def __call__(self, steps: int, policy: Any) -> bool:
        """Whether to go on after so many steps."""
        if steps < self.due:
            return True
        now = time.perf_counter()
        self.steps.append(steps)
        self.seconds.append(now - self.started - self.stood)
        self.scores.append(self.task.score(policy))
        self.due = steps + self.task.every
        self.stood += time.perf_counter() - now
        return self.scores[-1] < self.task.goal and steps < self.task.most

    def curve(self) -> Curve:
        return Curve(self.steps, self.seconds, self.scores, (self.steps[-1], self.seconds[-1]))


@dataclass(frozen=True)
class Task:
    """What is learned, and by whom.

    Attributes:
        name: of algorithm and world.
        goal: the score to reach, in words `target`.
        score: of a policy of the other sides.
        every: steps from one score to the next.
        most: steps after which a run of the other sides gives up.
        peers: how each of the other sides plays a run with a seed until its watch is content.
        ours: curves of so many runs side by side, with a seed.
        worlds: steps of ours that an update follows; the others update after each step. None for PPO, which has epochs.
    """

    name: str
    goal: float
    target: str
    score: Callable[[Any], float]
    every: int
    most: int
    peers: dict[str, Callable[[int, Watch], None]]
    ours: Callable[[int, int], list[Curve]]
    worlds: int | None = None

    def curves(self, side: str, seed: int) -> list[Curve]:
        """The runs of a turn."""
        if side in self.peers:
            watch = Watch(self)
            self.peers[side](seed, watch)
            return [watch.curve()]
        return self.ours(RUNS if side == TOGETHER else 1, seed)


# --- FrozenLake ------------------------------------------------------------------------------------------------

LAKE_LIMIT = 100  # steps: gymnasium's own
PPO_GAMMA, DQN_GAMMA = 0.99, 0.95


def lake() -> gymnasium.Env:
    return gymnasium.make("FrozenLake-v1", disable_env_checker=True)


@cache
def lake_table(gamma: float) -> tuple[MDP, float]:
    """The table of FrozenLake, and V* at its start."""
    mdp = from_gymnasium(lake())
    return mdp, float(exact.value_iteration(mdp, gamma).V @ mdp.start)


def share_of_optimum(policy: NDArray, gamma: float) -> float:
    """The value of a policy at the start, actions (states,) or probabilities (states, actions), as a share of V*."""
    mdp, best = lake_table(gamma)
    return float(exact.policy_value(mdp, policy, gamma) @ mdp.start) / best


def greedy(network: nn.Module, states: Tensor) -> NDArray:
    """The best action of each state by a network, (states,)."""
    with torch.no_grad():
        return network(states).argmax(dim=-1).numpy()


# --- PPO on FrozenLake

PPO = {"lam": 0.95, "clip": 0.2}
OUR_PPO = {"step": 2.0, "episodes": 64, "epochs": 4}
SB3_PPO = {"n_steps": 128, "batch_size": 512, "n_epochs": 10, "learning_rate": 3e-3}
SB3_PPO_WORLDS = 16


def probabilities(model: Any) -> NDArray:
    with torch.no_grad():
        found = model.policy.get_distribution(torch.arange(16)).distribution.probs.double().numpy()
    return found / found.sum(axis=1, keepdims=True)


def sb3_ppo(seed: int, watch: Watch) -> None:
    from stable_baselines3 import PPO as Peer
    from stable_baselines3.common.vec_env import DummyVecEnv

    model = Peer(
        "MlpPolicy",
        DummyVecEnv([lake] * SB3_PPO_WORLDS),
        gamma=PPO_GAMMA,
        gae_lambda=PPO["lam"],
        clip_range=PPO["clip"],
        seed=seed,
        device="cpu",
        **SB3_PPO,
    )
    learn(model, watch)


def our_ppo(iterations: int, runs: int, seed: int) -> list[Curve]:
    """Our loop does not count steps: the function with which it plays a batch is replaced by one that does."""
    mdp, best = lake_table(PPO_GAMMA)
    play, times, steps = policy_learning.play, [], []

    def counted(*given: Any, **named: Any) -> Any:
        times.append(time.perf_counter())
        batch = play(*given, **named)
        steps.append(np.bincount(batch.run, batch.went.sum(axis=0), minlength=runs))
        return batch

    policy_learning.play = counted
    try:
        found = policy_learning.learn(
            mdp, gamma=PPO_GAMMA, iterations=iterations, runs=runs, limit=LAKE_LIMIT, seed=seed, **PPO, **OUR_PPO
        )
    finally:
        policy_learning.play = play
    after = (np.array([*times[1:], time.perf_counter()]) - times[0]).tolist()
    played, scores = np.cumsum(steps, axis=0).astype(int).T.tolist(), (found.J / best).T.tolist()
    return [Curve(played[run], after, scores[run], (played[run][-1], after[-1])) for run in range(runs)]


# --- DQN on FrozenLake

DQN = {"units": 64, "batch": 32, "rate": 1e-3, "period": 200, "epsilon": 0.3}


def sb3_dqn(seed: int, watch: Watch) -> None:
    from stable_baselines3 import DQN as Peer

    model = Peer(
        "MlpPolicy",
        lake(),
        gamma=DQN_GAMMA,
        policy_kwargs={"net_arch": [DQN["units"]] * 2, "activation_fn": nn.SiLU},
        batch_size=DQN["batch"],
        learning_rate=DQN["rate"],
        target_update_interval=DQN["period"],
        exploration_initial_eps=DQN["epsilon"],
        exploration_final_eps=DQN["epsilon"],
        buffer_size=watch.task.most,
        learning_starts=DQN["batch"],
        train_freq=1,
        seed=seed,
        device="cpu",
    )
    learn(model, watch)


def loop_dqn(seed: int, watch: Watch) -> None:
    single_file.dqn(lake(), watch, gamma=DQN_GAMMA, buffer=watch.task.most, seed=seed, **DQN)


def our_dqn(steps: int, every: int, runs: int, seed: int) -> list[Curve]:
    mdp, _ = lake_table(DQN_GAMMA)
    started = time.perf_counter()
    found = deep_q.learn(
        mdp,
        np.eye(mdp.states),
        steps=steps,
        runs=runs,
        gamma=DQN_GAMMA,
        time_limit=LAKE_LIMIT,
        record=range(every, steps, every),
        seed=seed,
        **DQN,
    )
    seconds = time.perf_counter() - started
    scores = [[share_of_optimum(policy, DQN_GAMMA) for policy in policies] for policies in found.policies]
    return shared(list(found.moments), scores, seconds, runs, worlds=1)


# --- DDPG ------------------------------------------------------------------------------------------------------

DDPG = {"batch": 64, "tau": 0.02}
TEST_EPISODES = 100


@dataclass(frozen=True)
class Continuous:
    """A world whose actions are numbers, and how it is learned.

    Attributes:
        world: many copies as arrays.
        env: one of them as a gymnasium environment.
        units: of each of the two hidden layers.
        gamma: the discount; `score_gamma` that of the score.
        noise: of the exploration, as a share of the largest action.
        reward_scale: what rewards are multiplied by.
        worlds: that each of our runs plays.
        steps: of a test episode.
        bounded: whether our actor ends in a tanh, as the actors of the other sides do.
        rate: of the actor, and of stable-baselines3's critic; the critics of the others have three times as much.
    """

    world: Any
    env: Callable[[], gymnasium.Env]
    units: int
    gamma: float
    score_gamma: float
    noise: float
    reward_scale: float
    worlds: int
    steps: int
    bounded: bool
    rate: float

    def returns(self, policy: Callable[[Tensor], Tensor], runs: int) -> NDArray:
        """The mean return of each run in the test episodes."""
        found = ddpg.play(
            self.world, policy, runs=runs, episodes=TEST_EPISODES, steps=self.steps, gamma=self.score_gamma
        )
        return np.maximum(found.mean(axis=1), -1e9)


class ConveyorEnv(gymnasium.Env):
    """Lesson 08's conveyor for those who play gymnasium environments, as plain numbers."""

    largest = conveyor.Conveyor.largest
    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float32)
    action_space = gymnasium.spaces.Box(-largest, largest, (1,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[NDArray, dict]:
        super().reset(seed=seed)
        self.x, self.v = float(self.np_random.uniform(-1, 1)), 0.0
        return np.array([self.x, self.v], dtype=np.float32), {}

    def step(self, action: NDArray) -> tuple[NDArray, float, bool, bool, dict]:
        u, x, v = float(action[0]), self.x, self.v
        (qx, _), (_, qv) = conveyor.COST_STATE.tolist()
        cost = qx * x * x + qv * v * v + conveyor.COST_ACTION.item() * u * u
        self.x = x + conveyor.DT * v
        self.v = v + conveyor.DT * u + conveyor.NOISE * float(self.np_random.standard_normal())
        return np.array([self.x, self.v], dtype=np.float32), -cost, False, False, {}


def conveyor_env() -> gymnasium.Env:
    return gymnasium.wrappers.TimeLimit(ConveyorEnv(), conveyor.Conveyor().limit)


def pendulum_env() -> gymnasium.Env:
    return gymnasium.make("Pendulum-v1", disable_env_checker=True)


CONVEYOR = Continuous(
    conveyor.Conveyor(),
    conveyor_env,
    units=32,
    gamma=0.95,
    score_gamma=0.95,
    noise=0.3,
    reward_scale=1.0,
    worlds=32,
    steps=100,
    bounded=False,
    rate=1e-3,
)
PENDULUM = Continuous(
    pendulum.Pendulum(),
    pendulum_env,
    units=64,
    gamma=0.98,
    score_gamma=1.0,
    noise=0.3,
    reward_scale=0.1,
    worlds=32,
    steps=200,
    bounded=True,
    rate=1e-3,
)


def sb3_ddpg(setting: Continuous, seed: int, watch: Watch) -> None:
    from stable_baselines3 import DDPG as Peer
    from stable_baselines3.common.noise import NormalActionNoise

    env = setting.env()
    if setting.reward_scale != 1:
        env = gymnasium.wrappers.TransformReward(env, lambda reward: setting.reward_scale * float(reward))
    model = Peer(
        "MlpPolicy",
        env,
        gamma=setting.gamma,
        policy_kwargs={"net_arch": [setting.units] * 2, "activation_fn": nn.SiLU},
        batch_size=DDPG["batch"],
        tau=DDPG["tau"],
        learning_rate=setting.rate,
        action_noise=NormalActionNoise(np.zeros(1), np.full(1, setting.noise)),  # of actions from -1 to 1
        buffer_size=watch.task.most,
        learning_starts=DDPG["batch"],
        train_freq=1,
        seed=seed,
        device="cpu",
    )
    learn(model, watch)


def loop_ddpg(setting: Continuous, seed: int, watch: Watch) -> None:
    single_file.ddpg(
        setting.env(),
        watch,
        gamma=setting.gamma,
        units=setting.units,
        actor_rate=setting.rate,
        critic_rate=3 * setting.rate,
        noise=setting.noise,
        reward_scale=setting.reward_scale,
        buffer=watch.task.most,
        seed=seed,
        **DDPG,
    )


def our_ddpg(setting: Continuous, updates: int, every: int, runs: int, seed: int) -> list[Curve]:
    world = setting.world
    output = {"output": lambda x: world.largest * x.tanh()} if setting.bounded else {}
    sizes = (world.observation, setting.units, setting.units, world.action)
    actor = StackedMLP([stream_seed(f"bench: actor {run}", seed) for run in range(runs)], sizes, **output)
    sizes = (world.observation + world.action, setting.units, setting.units, 1)
    critic = StackedMLP([stream_seed(f"bench: critic {run}", seed) for run in range(runs)], sizes)
    started = time.perf_counter()
    found = ddpg.learn(
        world,
        actor,
        critic,
        runs=runs,
        updates=updates,
        gamma=setting.gamma,
        worlds=setting.worlds,
        actor_rate=setting.rate,
        critic_rate=3 * setting.rate,
        noise=(setting.noise * world.largest,) * 2,
        reward_scale=setting.reward_scale,
        record=range(every, updates, every),
        seed=seed,
        **DDPG,
    )
    seconds = time.perf_counter() - started
    scores = [setting.returns(actor, runs) for actor in found.actors]
    return shared(found.moments, scores, seconds, runs, setting.worlds)


# --- what the sides share ------------------------------------------------------------------------------------


def learn(model: Any, watch: Watch) -> None:
    """Let a model of stable-baselines3 learn until its watch is content."""
    from stable_baselines3.common.callbacks import BaseCallback

    class Asked(BaseCallback):
        def _on_training_start(self) -> None:
            watch.started = time.perf_counter()

        def _on_step(self) -> bool:
            return watch(self.num_timesteps, self.model)

    model.learn(2 * watch.task.most, callback=Asked())


def shared(moments: list[int], scores: Any, seconds: float, runs: int, worlds: int) -> list[Curve]:
    """The curves of runs side by side that were scored at the same moments, in a loop whose passes take equally long."""
    last = moments[-1]
    return [
        Curve(
            [worlds * int(moment) for moment in moments],
            [seconds * float(moment / last) for moment in moments],
            [float(row[run]) for row in scores],
            (worlds * int(last), seconds),
        )
        for run in range(runs)
    ]


def tasks(tiny: bool) -> list[Task]:
    """All of them; tiny ones end after a few steps."""

    def size(usual: int, small: int) -> int:
        return small if tiny else usual

    gain = torch.tensor(conveyor.best_controller(CONVEYOR.gamma).K).float()
    least = float(CONVEYOR.returns(lambda seen: -seen @ gain.T, 1)[0])  # minus the least cost in the test episodes

    def ddpg_task(
        name: str, setting: Continuous, goal: float, target: str, every: int, updates: int, most: int
    ) -> Task:
        return Task(
            name,
            goal,
            target,
            lambda policy: score_of_actor(setting, policy),
            every=every,
            most=most,
            peers={SB3: partial(sb3_ddpg, setting), LOOP: partial(loop_ddpg, setting)},
            ours=partial(our_ddpg, setting, updates, every),
            worlds=setting.worlds,
        )

    return [
        Task(
            "PPO, FrozenLake",
            0.9,
            "90% of the optimum",
            lambda model: share_of_optimum(probabilities(model), PPO_GAMMA),
            every=size(2048, 1024),
            most=size(200_000, 1024),
            peers={SB3: sb3_ppo},
            ours=partial(our_ppo, size(250, 3)),
        ),
        Task(
            "DQN, FrozenLake",
            0.9,
            "90% of the optimum",
            lambda policy: share_of_optimum(greedy(*q_network(policy)), DQN_GAMMA),
            every=size(500, 100),
            most=size(12_000, 200),
            peers={SB3: sb3_dqn, LOOP: loop_dqn},
            ours=partial(our_dqn, size(8_000, 200), size(500, 100)),
            worlds=1,
        ),
        ddpg_task("DDPG, Pendulum", PENDULUM, -200.0, "a return of -200", 250, size(3_000, 250), size(12_000, 250)),
        ddpg_task(
            "DDPG, conveyor", CONVEYOR, 1.1 * least, "1.1 times the least cost", 100, size(1_500, 100), size(8_000, 200)
        ),
    ]


def q_network(policy: Any) -> tuple[nn.Module, Tensor]:
    """The network of one of the other sides, and the states as it wants them."""
    return (policy, torch.eye(16)) if isinstance(policy, nn.Module) else (policy.q_net, torch.arange(16))


def score_of_actor(setting: Continuous, policy: Any) -> float:
    """The return of an actor of one of the other sides."""

    def act(seen: Tensor) -> Tensor:
        flat = seen.reshape(-1, seen.shape[-1])
        if isinstance(policy, nn.Module):
            return policy(flat).reshape(*seen.shape[:-1], -1)
        return torch.from_numpy(policy.predict(flat.numpy(), deterministic=True)[0]).reshape(*seen.shape[:-1], -1)

    return float(setting.returns(act, 1)[0])


# --- the result ----------------------------------------------------------------------------------------------


def row(task: Task, side: str, turns: list[list[Curve]]) -> dict[str, Any]:
    """A side's row: medians over turns of its steps a second; over all runs, what it took to get there."""
    rates = [sum(curve.whole[0] for curve in curves) / max(curve.whole[1] for curve in curves) for curves in turns]
    arrived, spent = [], 0.0
    for curves in turns:
        found = [curve.reached(task.goal) for curve in curves]
        arrived += [there for there in found if there]
        spent += max(there[1] if there else curve.whole[1] for there, curve in zip(found, curves, strict=True))
    times = {}
    if arrived:
        times["steps_until_there"] = round(statistics.median(there[0] for there in arrived))
        times["seconds_for_each_that_got_there"] = round(spent / len(arrived), 3)
    rate = statistics.median(rates)
    updates = (
        {} if task.worlds is None else {"updates_per_second": round(rate if side in task.peers else rate / task.worlds)}
    )
    return {
        "name": f"{task.name}, {side}",
        "steps_per_second": round(rate),
        **updates,
        "got_there": f"{len(arrived)} of {sum(map(len, turns))}",
        **times,
        "best_score": round(float(statistics.median(max(curve.scores) for curves in turns for curve in curves)), 3),
    }


def aims(result: dict) -> Iterator[Aim]:
    """What a result says about the aims: each of the other sides in each task."""
    runs = results.by_name(result)
    for task, target in result["targets"].items():
        mine = runs[f"{task}, {TOGETHER}"]
        for peer in (SB3, LOOP):
            if other := runs.get(f"{task}, {peer}"):
                yield aim(task, target, peer, other, mine, result["profiles"][task])


def aim(task: str, target: str, peer: str, other: dict, mine: dict, profile: list[dict]) -> Aim:
    faster = mine["steps_per_second"] / other["steps_per_second"]
    here, there = (found.get("seconds_for_each_that_got_there") for found in (mine, other))
    sooner = math.inf if there is None else 0.0 if here is None else there / here
    met = faster >= TIMES and here is not None and sooner >= TIMES
    spent = ", ".join(f"{entry['function']} {entry['share']:.0%}" for entry in profile[:4])
    together = " Runs side by side end together, so the slowest of them sets the time." if faster >= TIMES else ""
    return Aim(
        f"{task}, steps/s and seconds to {target}",
        peer,
        measured_of(other),
        measured_of(mine),
        f"{results.times(faster)}, {results.times(sooner) if 0 < sooner < math.inf else 'not both got there'}",
        f"{TIMES}× both",
        met,
        "" if met else f"A profile of our loop: {spent}.{together}",
    )


def measured_of(found: dict) -> str:
    """Steps a second and seconds of a row, in words."""
    seconds = found.get("seconds_for_each_that_got_there")
    return f"{found['steps_per_second']:,}, " + ("not reached" if seconds is None else f"{seconds:.3g} s")


conclusions = results.stating(aims)


def measure(tiny: bool, repeats: int) -> tuple[list[dict], dict[str, list[dict]]]:
    """The rows of the table, and a profile of our loop in each task."""
    rows, profiles = [], {}
    for task in tasks(tiny):
        turns: dict[str, list[list[Curve]]] = {side: [] for side in (*task.peers, TOGETHER, ALONE)}
        task.ours(1, repeats)  # imports, and what torch prepares at its first call
        for turn in range(repeats):
            for side, found in turns.items():
                found.append(task.curves(side, turn))
                print(row(task, side, found[-1:]), flush=True)
        rows += [row(task, side, found) for side, found in turns.items()]
        watch = cProfile.Profile()
        watch.runcall(task.ours, RUNS, repeats)
        profiles[task.name] = hottest(watch)
    return rows, profiles


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tiny", action="store_true", help="a few steps, to try it out; writes nothing")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    started = time.perf_counter()
    repeats = 1 if arguments.tiny else REPEATS
    rows, profiles = measure(arguments.tiny, repeats)
    print(*rows, sep="\n")
    if arguments.tiny:
        return
    results.write(
        "agents",
        title="Agents that learn by gradient",
        data=f"{RUNS} runs side by side and one alone; {repeats} turns, each with another seed, on one thread; seconds are "
        "those until the score was reached",
        model="tables for PPO, networks of two hidden layers for DQN (64 units) and DDPG (64 or 32)",
        packages=("stable-baselines3",),
        settings={"runs": RUNS, "repeats": repeats, "sb3_ppo": SB3_PPO, "ppo": PPO | OUR_PPO, "dqn": DQN, "ddpg": DDPG},
        targets={task.name: task.target for task in tasks(False)},
        seconds=round(time.perf_counter() - started),
        profiles=profiles,
        runs=rows,
        conclusions=conclusions,
    )


if __name__ == "__main__":
    main()
