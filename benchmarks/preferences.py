"""GRPO and DPO of lesson 09 beside TRL's trainers: steps a second, memory, and what the same steps reach.

    python -m pip install -c constraints.txt -e ".[bench]"
    python benchmarks/preferences.py [--tiny]

Both sides train the same small model on the same notes about parts: lesson 09's GPT, whose weights go into transformers'
GPT-2, which computes the same function. A step of GRPO draws `GROUP` answers to each of `PROMPTS` notes. A step of DPO sees
all pairs of preferred and rejected answers. Both sides make as many steps, with the same beta and the same rate, which falls
to zero in a straight line, in float32 on one thread.

The difference in speed has a reason. TRL's trainers are made for answers of any length: each answer is a row of its own that
repeats its note, is generated, and is read again by the policy and by the reference. Lesson 09's answers are one piece out of
eight, so it reads each note once. TRL's settings favour it here: no gradient checkpointing, no mixed precision, no logging,
and for DPO the reference's part is computed beforehand. The two sides of DPO end at the same policy. Those of GRPO draw other
answers, and TRL has the KL divergence in its loss where lesson 09 has it in the reward.

Every run is a process of its own, and the sides take turns. Steps a second leave out a few steps at the start. `memory_mb` is
what training adds to the memory of a process that has the model and all imports, and `process_mb` the peak of the process.
After that, one run of each is profiled. The result goes to `preferences.json` beside this file. Four minutes; run it with
nothing else running. All of this is on the CPU; `gpu.py` has the two sides of GRPO on a GPU.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import growth
import numpy as np
import results
import torch
from profiling import finished, hottest
from torch import Tensor

from babyagi_course.measured import Aim
from babyagi_lib.basics.streams import stream_seed
from babyagi_lib.models import gpt
from babyagi_lib.rl import preferences
from babyagi_lib.worlds import part_notes

PROMPTS, GROUP, STEPS, REPEATS = 64, 8, 60, 3
WARM_UP = 5  # steps that are not timed
EXAMPLES, PRETRAINING = 4000, 400  # notes, steps
BETA, RATE = 0.1, 2e-3
TIMES = 5  # the aim
THREADS = 1  # more do not help so small a model on either side
ENVIRONMENT = {  # of every process: nothing is fetched, and no bars
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
    "PYTHONWARNINGS": "ignore::FutureWarning",
}


class Setting:
    """Notes, rewards and pairs, and the folder with the reference: the same in every process.

    Args:
        folder: of the model, as GPT-2 with its tokenizer and as lesson 09's GPT; see `make_reference`.
        device: where both sides compute, "cpu" or "cuda".
    """

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        torch.set_num_threads(THREADS)
        self.folder, self.device = folder, device
        notes = part_notes.write_notes(PROMPTS, np.random.default_rng(stream_seed("bench: prompts", 0)))
        self.texts = [" ".join((*text, part_notes.DECIDE)) for text in notes.texts]
        self.ids, self.places = (torch.tensor(part, device=device) for part in notes.inputs())
        self.rewards = torch.tensor(notes.rewards(), device=device).float()
        self.pieces = torch.tensor(part_notes.ANSWER_PIECES, device=device)

    def policy(self) -> preferences.OnePiece:
        """The reference as lesson 09 has it."""
        from safetensors.torch import load_file

        weights = load_file(self.folder / "gpt.safetensors")
        model = gpt.GPT(*sizes(weights), generator=torch.Generator())
        model.load_state_dict(weights)
        return preferences.OnePiece(model, self.ids, self.places, self.pieces).to(self.device)

    def score(self, log_p: Tensor) -> dict[str, float]:
        """Exact reward, KL and their objective of a policy over the eight answers."""
        with torch.no_grad():
            found = preferences.evaluate(log_p, self.policy()(), self.rewards, BETA)
        return {name: round(value, 4) for name, value in found._asdict().items()}

    def pairs(self) -> Tensor:
        """Of each note, half as many pairs as a group has answers: who won how often, (prompts, answers, answers)."""
        generator = torch.Generator(self.device).manual_seed(stream_seed("bench: pairs", 0))
        with torch.no_grad():
            return preferences.draw_pairs(self.policy()(), self.rewards, GROUP // 2, generator)


def sizes(weights: dict[str, Tensor]) -> tuple[int, int, int, int]:
    """Vocabulary, longest text, width and layers of a GPT, from its weights."""
    layers = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("blocks."))
    return (*weights["pieces.weight"].shape[:1], *weights["places.weight"].shape, layers)


def make_reference(folder: Path, steps: int) -> None:
    """Pretrain the reference on notes followed by a worker's decision, and save it for both sides."""
    from safetensors.torch import save_file

    torch.set_num_threads(THREADS)
    draw = np.random.default_rng(stream_seed("bench: notes", 0))
    generator = torch.Generator().manual_seed(stream_seed("bench: pretraining", 0))
    texts = torch.tensor(part_notes.worked_examples(part_notes.write_notes(EXAMPLES, draw), draw))
    model = gpt.GPT(len(part_notes.VOCABULARY), texts.shape[1], generator=generator)
    gpt.pretrain(model, texts, steps, 128, 3e-3, part_notes.PIECES[part_notes.PAD], generator)
    save_file(model.state_dict(), folder / "gpt.safetensors")
    as_gpt2(model).save_pretrained(folder)
    tokenizer().save_pretrained(folder)


def as_gpt2(model: gpt.GPT) -> Any:
    """The same function as transformers' GPT-2."""
    from transformers import GPT2Config, GPT2LMHeadModel

    weights = model.state_dict()
    vocabulary, longest, d, layers = sizes(weights)
    pad = part_notes.PIECES[part_notes.PAD]
    config = GPT2Config(
        vocab_size=vocabulary,
        n_positions=longest,
        n_embd=d,
        n_layer=layers,
        n_head=model.blocks[0].heads,
        activation_function="gelu",
        resid_pdrop=0,
        embd_pdrop=0,
        attn_pdrop=0,
        bos_token_id=pad,
        eos_token_id=pad,
        pad_token_id=pad,
    )
    names = {"pieces": "wte", "places": "wpe", "last_norm": "ln_f"}
    parts = {
        "before_attention": "ln_1",
        "before_feed": "ln_2",
        "attention": "attn.c_attn",
        "mix": "attn.c_proj",
        "up": "mlp.c_fc",
        "down": "mlp.c_proj",
    }
    names |= {f"blocks.{n}.{ours}": f"h.{n}.{theirs}" for n in range(layers) for ours, theirs in parts.items()}
    made = GPT2LMHeadModel(config)
    for name, weight in weights.items():
        part, _, kind = name.rpartition(".")
        there = made.transformer.get_parameter(f"{names[part]}.{kind}")
        there.data.copy_(weight.T if "c_" in names[part] and kind == "weight" else weight)
    return made.eval()


def tokenizer() -> Any:
    """Words to pieces, as lesson 09 numbers them."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel(part_notes.PIECES, unk_token=part_notes.PAD))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    pad = part_notes.PAD
    return PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token=pad, eos_token=pad, unk_token=pad, padding_side="left"
    )


# --- the sides: each prepares, and returns its training and how to score what came of it ------------------------

Prepared = tuple[Callable[[], float], Callable[[], dict[str, float]]]


def ours(method: str, setting: Setting, steps: int) -> Prepared:
    """Lesson 09's loops. Its training returns steps a second."""
    policy, wins, made = setting.policy(), setting.pairs(), []

    def learn(steps: int) -> Any:
        if method == "DPO":
            return preferences.learn_from_pairs(policy, wins, beta=BETA, steps=steps, rate=RATE)
        return preferences.learn(
            policy, setting.rewards, "grpo", beta=BETA, steps=steps, rate=RATE, group=GROUP, seed=0
        )

    def training() -> float:
        learn(WARM_UP)
        finished()
        started = time.perf_counter()
        made.append(learn(steps))
        finished()
        return steps / (time.perf_counter() - started)

    return training, lambda: setting.score(made[-1]())


def theirs(method: str, setting: Setting, steps: int) -> Prepared:
    """TRL's trainers. Their training returns steps a second, those after the first ones."""
    trainer = {"GRPO": grpo_trainer, "DPO": dpo_trainer}[method](setting, steps)
    ends = stopwatch(trainer)

    def training() -> float:
        trainer.train()
        return (steps - WARM_UP) / (ends[-1] - ends[WARM_UP - 1])

    def score() -> dict[str, float]:
        with torch.no_grad():
            logits = trainer.model.eval()(setting.ids).logits
        at_end = logits[torch.arange(PROMPTS, device=setting.device), setting.places][:, setting.pieces]
        return setting.score(at_end.log_softmax(dim=1))

    return training, score


def common(setting: Setting, steps: int, rows: int) -> dict[str, Any]:
    """What both of TRL's trainers are told."""
    return {
        "output_dir": str(setting.folder / "trl"),
        "per_device_train_batch_size": rows,
        "max_steps": steps,
        "learning_rate": RATE,
        "lr_scheduler_type": "linear",
        "weight_decay": 0.0,
        "max_grad_norm": 0.0,  # no clipping
        "beta": BETA,
        "bf16": False,
        "gradient_checkpointing": False,
        "use_cpu": setting.device == "cpu",
        "report_to": "none",
        "save_strategy": "no",
        "logging_strategy": "no",
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
        "seed": 0,
    }


def grpo_trainer(setting: Setting, steps: int) -> Any:
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import GRPOConfig, GRPOTrainer

    place = {int(piece): number for number, piece in enumerate(setting.pieces)}
    worst = float(setting.rewards.min())

    def earned(completion_ids: list[list[int]], rewards: list[list[float]], **_: Any) -> list[float]:
        """A piece that is no answer earns what the worst answer earns; the reference hardly ever says one."""
        answers = [place.get(ids[0]) if ids else None for ids in completion_ids]
        return [worst if a is None else row[a] for a, row in zip(answers, rewards, strict=True)]

    return GRPOTrainer(
        str(setting.folder),
        earned,
        GRPOConfig(
            num_generations=GROUP,
            max_completion_length=1,
            loss_type="grpo",
            **common(setting, steps, PROMPTS * GROUP),
        ),
        train_dataset=Dataset.from_dict({"prompt": setting.texts, "rewards": setting.rewards.tolist()}),
        processing_class=AutoTokenizer.from_pretrained(setting.folder),
    )


def dpo_trainer(setting: Setting, steps: int) -> Any:
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import DPOConfig, DPOTrainer

    class WithoutEnd(DPOTrainer):
        """Answers are one piece, as in lesson 09: without the end of text that the trainer adds."""

        def _prepare_dataset(self, *given: Any, **named: Any) -> Dataset:
            def cut(row: dict) -> dict:
                return {name: row[name][:1] for name in ("chosen_ids", "rejected_ids")}

            return super()._prepare_dataset(*given, **named).map(cut)

    pairs = setting.pairs()
    rows: dict[str, list[str]] = {"prompt": [], "chosen": [], "rejected": []}
    for note, better, worse in pairs.nonzero().tolist():
        for _ in range(int(pairs[note, better, worse])):
            rows["prompt"].append(setting.texts[note])
            rows["chosen"].append(" " + part_notes.ANSWERS[better])
            rows["rejected"].append(" " + part_notes.ANSWERS[worse])
    return WithoutEnd(
        str(setting.folder),
        args=DPOConfig(precompute_ref_log_probs=True, **common(setting, steps, len(rows["prompt"]))),
        train_dataset=Dataset.from_dict(rows),
        processing_class=AutoTokenizer.from_pretrained(setting.folder),
    )


def stopwatch(trainer: Any) -> list[float]:
    """The times at which the steps of a trainer end, filled as it trains."""
    from transformers import PrinterCallback, TrainerCallback

    ends: list[float] = []

    class Watch(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            finished()
            ends.append(time.perf_counter())

    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Watch())
    return ends


SIDES = {"ours": ours, "TRL": theirs}
METHODS = ("GRPO", "DPO")


# --- measuring ----------------------------------------------------------------------------------------------


def one_run(side: str, method: str, folder: Path, steps: int) -> dict[str, float]:
    """A run in this process: steps a second, memory that training added, and what it reached."""
    training, score = SIDES[side](method, Setting(folder), steps)
    first_step()
    rate: list[float] = []
    found = growth.measured(lambda: rate.append(training()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return {"steps_per_second": rate[0], "memory_mb": found["memory_mb"], "process_mb": peak} | score()


def first_step() -> None:
    """A step of a model of one weight, with which torch imports what it has not imported yet."""
    weight = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.AdamW([weight])
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1.0)
    weight.sum().backward()
    optimiser.step()
    schedule.step()


def profiled(side: str, method: str, folder: Path, steps: int) -> list[dict]:
    """Where the time of a run goes."""
    training, _ = SIDES[side](method, Setting(folder), steps)
    first_step()
    watch = cProfile.Profile()
    watch.runcall(training)
    return hottest(watch)


def summary(found: dict[tuple[str, str], list[dict[str, float]]]) -> list[dict]:
    """A row for each side and method: medians of the turns, and how many times faster ours is."""
    rows = []
    for (side, method), turns in found.items():
        row: dict[str, Any] = {"name": f"{method}, {side}"}
        for key, digits in (
            ("steps_per_second", 2),
            ("memory_mb", 1),
            ("process_mb", 0),
            ("reward", 4),
            ("kl", 4),
            ("objective", 4),
        ):
            row[key] = round(statistics.median(turn[key] for turn in turns), digits)
        if side == "ours":
            pairs = zip(turns, found["TRL", method], strict=True)
            row["ratio"] = round(
                statistics.median(one["steps_per_second"] / other["steps_per_second"] for one, other in pairs), 1
            )
        rows.append(row)
    return rows


def aims(result: dict) -> Iterator[Aim]:
    """What a result says about the aims: speed and memory of both methods."""
    runs = results.by_name(result)
    for method in METHODS:
        mine, other = runs[f"{method}, ours"], runs[f"{method}, TRL"]
        spent = ", ".join(f"{f['function']} {f['share']:.0%}" for f in result["profiles"][f"{method}, ours"][:4])
        fast = mine["ratio"] >= TIMES
        yield Aim(
            f"{method} on a small GPT, steps/s",
            f"TRL's {method}Trainer",
            f"{other['steps_per_second']:.1f}",
            f"{mine['steps_per_second']:.1f}",
            results.times(mine["ratio"]),
            f"{TIMES}×",
            fast,
            "" if fast else f"A profile of our loop: {spent}.",
        )
        small = TIMES * mine["memory_mb"] <= other["memory_mb"]
        yield Aim(
            f"{method} on a small GPT, memory that training adds",
            f"TRL's {method}Trainer",
            f"{other['memory_mb']:.0f} MB",
            f"{mine['memory_mb']:.0f} MB",
            f"1/{other['memory_mb'] / max(mine['memory_mb'], 0.1):.1f}",
            f"1/{TIMES}",
            small,
            "" if small else "The model is so small that torch's own working memory is most of what our loop adds.",
        )


conclusions = results.stating(aims)


def measure(folder: Path, steps: int, repeats: int) -> tuple[list[dict], dict[str, list[dict]]]:
    """The rows of the table, and the profiles."""
    found: dict[tuple[str, str], list[dict[str, float]]] = {(s, m): [] for m in METHODS for s in SIDES}
    for _ in range(repeats):
        for (side, method), turns in found.items():
            turns.append(growth.alone(one_run, side, method, folder, steps))
            print(method, side, {key: round(value, 3) for key, value in turns[-1].items()}, flush=True)
    profiles = {f"{m}, {s}": growth.alone(profiled, s, m, folder, steps) for s, m in found}
    return summary(found), profiles


def main() -> None:
    os.environ.update(ENVIRONMENT)
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tiny", action="store_true", help="a few steps, to try it out; writes nothing")
    arguments = parser.parse_args()
    steps, repeats, pretraining = (WARM_UP + 3, 1, 5) if arguments.tiny else (STEPS, REPEATS, PRETRAINING)
    with tempfile.TemporaryDirectory() as folder:
        make_reference(Path(folder), pretraining)
        runs, profiles = measure(Path(folder), steps, repeats)
    print(*runs, sep="\n")
    if arguments.tiny:
        return
    results.write(
        "preferences",
        title="Learning from reward and from preferences",
        data=f"{PROMPTS} notes, {GROUP} answers or {GROUP // 2} pairs to each in every step, {steps} steps; median of "
        f"{repeats} turns, each in a process of its own, on {THREADS} thread",
        model="lesson 09's GPT of 108,000 parameters, on TRL's side as transformers' GPT-2 with the same weights",
        packages=("trl",),
        settings={"prompts": PROMPTS, "group": GROUP, "steps": steps, "beta": BETA, "rate": RATE},
        profiles=profiles,
        runs=runs,
        conclusions=conclusions,
    )


if __name__ == "__main__":
    main()
