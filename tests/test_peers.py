"""The comparisons of lessons 07 to 09 with stable-baselines3 and TRL: both sides do the same work, and the clock is fair."""

import ast
import copy
import importlib.util
import math
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from babyagi_lib.models import gpt
from babyagi_lib.worlds import conveyor, part_notes

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))  # the scripts, which are no package

import agents  # noqa: E402
import deadline  # noqa: E402
import gpu  # noqa: E402
import preferences  # noqa: E402
import profiling  # noqa: E402
import single_file  # noqa: E402


@pytest.fixture(autouse=True, scope="module")
def threads_as_before():
    """The benchmarks take one thread."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


# Agents


def task(**changed) -> agents.Task:
    made = {
        "name": "t",
        "goal": 1.0,
        "target": "1",
        "score": float,
        "every": 10,
        "most": 100,
        "peers": {},
        "ours": None,
    }
    return agents.Task(**made | changed)


def test_the_clock_stands_while_a_policy_is_scored():
    def score(policy):
        time.sleep(0.05)
        return policy

    watch = agents.Watch(task(score=score))
    assert all(watch(step, 0.0) for step in range(1, 30))
    curve = watch.curve()
    assert curve.steps == [10, 20] and curve.scores == [0, 0] and curve.seconds[-1] < 0.05


def test_a_run_ends_at_its_goal_or_when_it_gives_up():
    watch = agents.Watch(task())
    assert watch(10, 0.9) and watch(15, 2.0) and not watch(20, 1.0)
    assert watch.curve().reached(1.0)[0] == 20 and watch.curve().reached(1.1) is None
    late = agents.Watch(task())
    assert late(90, 0.0) and not late(100, 0.0)


def curve(steps, seconds, scores, whole):
    return agents.Curve(steps, seconds, scores, whole)


def test_seconds_are_those_until_all_runs_have_got_there_or_given_up():
    early = curve([10, 20], [1.0, 2.0], [1.0, 1.0], (20, 4.0))
    late = curve([10, 20], [1.0, 3.0], [0.0, 1.0], (20, 4.0))
    never = curve([10, 20], [1.0, 2.0], [0.0, 0.5], (20, 4.0))
    both = agents.row(task(), "a side", [[early, late]])
    assert both["seconds_for_each_that_got_there"] == 1.5 and both["got_there"] == "2 of 2"
    assert both["steps_per_second"] == 10 and both["steps_until_there"] == 15
    failing = agents.row(task(), "a side", [[early, never], [late, never]])
    assert failing["seconds_for_each_that_got_there"] == 4.0 and failing["got_there"] == "2 of 4"
    nobody = agents.row(task(), "a side", [[never]])
    assert nobody["got_there"] == "0 of 1" and nobody["best_score"] == 0.5
    assert "seconds_for_each_that_got_there" not in nobody and agents.measured_of(nobody).endswith("not reached")


def test_updates_are_counted_where_one_follows_the_steps_of_many_worlds():
    one = [[curve([64], [1.0], [0.0], (64, 1.0))]]
    with_worlds = task(worlds=32, peers={"a peer": None})
    assert agents.row(with_worlds, "ours", one)["updates_per_second"] == 2
    assert agents.row(with_worlds, "a peer", one)["updates_per_second"] == 64
    assert "updates_per_second" not in agents.row(task(), "ours", one)


ROW = {"steps_per_second": 100, "seconds_for_each_that_got_there": 10.0}
PROFILE = [{"function": "mm", "share": 0.5}]


@pytest.mark.parametrize(
    ("mine", "other", "met", "ratio"),
    [
        ({}, {}, True, "5.0×, 5.0×"),
        ({"steps_per_second": 499}, {}, False, "5.0×, 5.0×"),
        ({"seconds_for_each_that_got_there": 2.1}, {}, False, "5.0×, 4.8×"),
        ({"seconds_for_each_that_got_there": None}, {}, False, "5.0×, not both got there"),
        ({}, {"seconds_for_each_that_got_there": None}, True, "5.0×, not both got there"),
    ],
)
def test_an_aim_is_met_by_speed_and_by_arriving(mine, other, met, ratio):
    ours = {"steps_per_second": 500, "seconds_for_each_that_got_there": 2.0} | mine
    found = agents.aim("t", "a return", "a peer", ROW | other, ours, PROFILE)
    assert (found.met, found.ratio) == (met, ratio)
    assert found.hindrance.startswith("" if met else "A profile of our loop: mm 50%.") and bool(found.hindrance) != met
    assert ("slowest" in found.hindrance) == (not met and ours["steps_per_second"] >= 500)


def test_the_conveyor_that_the_others_play_is_the_conveyor():
    """Without noise, step by step; with noise, the same mean and spread."""
    env = agents.ConveyorEnv()
    draw = np.random.default_rng(0)
    world, generator = conveyor.Conveyor(), torch.Generator().manual_seed(0)
    steps = []
    for _ in range(2000):
        env.reset(seed=None if steps else 0)
        env.v = draw.normal()
        before = torch.tensor([[env.x, env.v]])
        action = draw.uniform(-3, 3, size=1).astype(np.float32)
        after, reward, terminated, truncated, _ = env.step(action)
        moved, earned, _ = world.step(before, torch.tensor(action)[None], generator)
        assert reward == pytest.approx(earned.item(), rel=1e-5) and not terminated and not truncated
        assert after[0] == pytest.approx(moved[0, 0].item(), abs=1e-6)
        steps.append((after[1] - before[0, 1] - conveyor.DT * action[0]).item())
    assert np.mean(steps) == pytest.approx(0, abs=4 * conveyor.NOISE / 2000**0.5)
    assert np.std(steps) == pytest.approx(conveyor.NOISE, rel=0.1)
    limited = agents.conveyor_env()
    limited.reset(seed=0)
    ends = [limited.step(np.zeros(1))[2:4] for _ in range(conveyor.Conveyor().limit)]
    assert ends == [(False, False)] * (conveyor.Conveyor().limit - 1) + [(False, True)]


def test_our_steps_are_those_that_were_played():
    """On FrozenLake, runs side by side: as many steps as the batches have, each run's own."""
    found = agents.our_ppo(2, 3, seed=0)
    assert len(found) == 3
    for run in found:
        episodes = agents.OUR_PPO["episodes"]
        assert 0 < run.steps[0] < run.steps[1] == run.whole[0] <= 2 * episodes * agents.LAKE_LIMIT
        assert run.steps[1] > 2 * episodes * 2, "the shortest way into a hole has two steps at least"
        assert 0 < run.seconds[0] < run.seconds[1] == run.whole[1]
    assert len({run.steps[1] for run in found}) > 1
    assert agents.policy_learning.play.__module__ == "babyagi_lib.rl.policy_gradients", "put back"


def test_the_optimum_has_the_score_1():
    mdp, best = agents.lake_table(0.95)
    Q = agents.exact.value_iteration(mdp, 0.95).Q
    assert agents.share_of_optimum(Q.argmax(axis=1), 0.95) == pytest.approx(1)
    assert 0 < agents.share_of_optimum(np.full((16, 4), 0.25), 0.95) < 0.2 and best > 0


def test_the_single_file_loops_learn():
    """DDPG gets to 1.1 times the least cost of the conveyor in a second; DQN's values come from the network it is given."""
    by_name = {made.name: made for made in agents.tasks(tiny=False)}
    [run] = by_name["DDPG, conveyor"].curves(agents.LOOP, seed=1)
    assert run.reached(by_name["DDPG, conveyor"].goal)

    scores = []

    def watch(step, q):
        if step and step % 500 == 0:
            scores.append(agents.share_of_optimum(agents.greedy(q, torch.eye(16)), 0.95))
        return step < 2000

    single_file.dqn(agents.lake(), watch, gamma=0.95, buffer=2000, seed=1, **agents.DQN)
    assert max(scores) > 0.3, "a random policy has less than a tenth"


@pytest.mark.parametrize("side", [agents.TOGETHER, agents.ALONE])
def test_our_side_of_every_task_runs(side):
    for made in agents.tasks(tiny=True):
        found = made.curves(side, seed=0)
        assert len(found) == (agents.RUNS if side == agents.TOGETHER else 1)
        assert all(run.steps[-1] == run.whole[0] and math.isfinite(run.scores[-1]) for run in found)


def test_every_task_runs_against_stable_baselines3():
    pytest.importorskip("stable_baselines3")
    for made in agents.tasks(tiny=True):
        [run] = made.curves(agents.SB3, seed=0)
        assert made.most <= run.whole[0] <= made.most + made.every and run.whole[1] > 0


# Preferences


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("reference")
    preferences.make_reference(made, steps=30)
    return made


def test_both_sides_have_the_same_model(folder):
    from transformers import AutoModelForCausalLM

    setting = preferences.Setting(folder)
    ours = setting.policy().gpt
    theirs = AutoModelForCausalLM.from_pretrained(folder, use_safetensors=True).eval()
    with torch.no_grad():
        torch.testing.assert_close(theirs(setting.ids).logits, ours(setting.ids), rtol=0, atol=1e-5)
    assert sum(p.numel() for p in theirs.parameters()) == sum(p.numel() for p in ours.parameters())


def test_a_model_of_another_size_is_translated_too():
    model = gpt.GPT(11, 7, 24, 3, 2, generator=torch.Generator().manual_seed(0))
    for parameter in model.parameters():  # biases and norms, too, which begin at 0 and 1
        parameter.data.normal_(generator=torch.Generator().manual_seed(parameter.numel()))
    ids = torch.arange(14).reshape(2, 7) % 11
    with torch.no_grad():
        theirs = preferences.as_gpt2(model)(ids, attention_mask=torch.ones_like(ids)).logits
        torch.testing.assert_close(theirs, model(ids), rtol=1e-4, atol=1e-4)


def test_both_sides_read_the_same_notes(folder):
    from transformers import AutoTokenizer

    setting = preferences.Setting(folder)
    found = AutoTokenizer.from_pretrained(folder)(setting.texts)["input_ids"]
    for row, ids in enumerate(found):
        assert ids == setting.ids[row, : setting.places[row] + 1].tolist()
    assert len(found) == preferences.PROMPTS and found[0][-1] == part_notes.PIECES[part_notes.DECIDE]


@pytest.mark.parametrize("method", preferences.METHODS)
def test_our_side_learns(folder, method):
    """The exact objective is better than that of the reference, which is its reward."""
    setting = preferences.Setting(folder)
    before = setting.score(setting.policy()())
    assert before["kl"] == 0
    found = preferences.one_run("ours", method, folder, steps=20)
    assert found["steps_per_second"] > 0 and found["memory_mb"] >= 0
    assert found["reward"] > before["reward"] and found["kl"] > 0


@pytest.mark.parametrize("method", preferences.METHODS)
def test_trls_side_learns_the_same(folder, method, monkeypatch):
    """DPO has no chance in it: both sides end at the same policy. GRPO's draws differ."""
    pytest.importorskip("trl")
    for name, value in preferences.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    steps = preferences.WARM_UP + 3
    ours, theirs = (preferences.one_run(side, method, folder, steps) for side in ("ours", "TRL"))
    assert theirs["steps_per_second"] > 0
    assert theirs["objective"] == pytest.approx(ours["objective"], abs=0.001 if method == "DPO" else 0.05)


def turn(speed, memory=5.0):
    return {
        "steps_per_second": speed,
        "memory_mb": memory,
        "process_mb": 300.0,
        "reward": 0.5,
        "kl": 0.1,
        "objective": 0.4,
    }


def test_a_setting_says_where_both_sides_compute(folder):
    """On the CPU if nothing is said. For another device there is only one that computes no numbers."""
    usual = preferences.Setting(folder)
    assert usual.device == "cpu" and preferences.common(usual, 1, 1)["use_cpu"]
    setting = preferences.Setting(folder, "meta")
    assert not preferences.common(setting, 1, 1)["use_cpu"]
    kept = [setting.ids, setting.places, setting.rewards, setting.pieces, setting.policy()(), setting.policy().ids]
    assert {tensor.device.type for tensor in kept} == {"meta"}


def test_grpo_on_a_gpu_is_left_out_without_trl(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "trl" else find(name))
    chosen = gpu.Chosen(None, "embedded", gpu.TINY)
    assert [*gpu.grpo(chosen, time.time() + 60)] == [{"name": gpu.GRPO, "note": "left out: not installed: trl"}]


def test_grpo_on_a_gpu_takes_turns_and_says_what_was_reached(monkeypatch):
    """Here on the CPU, in a process of its own as there."""
    pytest.importorskip("trl")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    done = deadline.alone(gpu.grpo, gpu.Chosen(None, "embedded", gpu.TINY), 300)
    assert done.reason is None
    theirs, ours = done.rows
    assert theirs["name"] == f"{gpu.GRPO}, TRL's GRPOTrainer" and ours["name"] == f"{gpu.GRPO}, this course's learn"
    assert theirs["steps_per_second"] > 0 and theirs["turns"] == ours["turns"] == gpu.TINY.turns
    ratio = ours["steps_per_second"] / theirs["steps_per_second"]
    assert ours["times_the_trainer"] == pytest.approx(ratio, rel=0.01) and "times_the_trainer" not in theirs
    for row in done.rows:
        assert row["kl"] > 0
        assert row["objective"] == pytest.approx(row["reward"] - preferences.BETA * row["kl"], abs=2e-4)


def test_a_ratio_compares_runs_of_the_same_turn():
    found = {("ours", "GRPO"): [turn(50), turn(20), turn(60)], ("TRL", "GRPO"): [turn(5), turn(4), turn(10)]}
    ours, theirs = preferences.summary(found)
    assert ours["ratio"] == 6.0 and ours["steps_per_second"] == 50 and "ratio" not in theirs


def test_a_missed_aim_names_what_takes_the_time():
    runs = [
        {"name": f"{method}, {side}", "ratio": 5.0} | turn(*((5.0, 1.0) if side == "ours" else (1.0, 5.0)))
        for method in preferences.METHODS
        for side in preferences.SIDES
    ]
    result = {"runs": runs, "profiles": {f"{method}, ours": PROFILE for method in preferences.METHODS}}
    assert [aim.met for aim in preferences.aims(result)] == [True] * 4
    slower = copy.deepcopy(result)
    slower["runs"][0] |= {"ratio": 4.9, "memory_mb": 1.1}
    speed, memory, *others = preferences.aims(slower)
    assert not speed.met and "mm 50%" in speed.hindrance and not memory.met and memory.hindrance
    assert all(aim.met and not aim.hindrance for aim in others)


def test_a_profile_names_the_function_that_takes_the_time():
    """In a process of its own: the threads that other tests leave do not get along with a profile."""
    program = (
        "import cProfile, time, profiling; watch = cProfile.Profile(); "
        "watch.runcall(lambda: [time.sleep(0.05), sorted(range(10))]); print(profiling.hottest(watch)[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=BENCHMARKS, capture_output=True, text=True, timeout=120, check=True
    )
    first = ast.literal_eval(done.stdout)
    assert first["function"] == "time.sleep" and first["share"] > 0.8
    assert profiling.named(("~", 0, "<method 'add' of 'torch._C.TensorBase' objects>")) == "torch._C.TensorBase.add"
    assert profiling.named(("/a/b/adam.py", 7, "step")) == "adam.py: step"
