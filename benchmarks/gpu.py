"""Training on one NVIDIA GPU: this course's `fit` beside transformers' Trainer, its GRPO beside TRL's, in eight minutes.

    python benchmarks/gpu.py ../conll2003

For MiniLM as lesson 4 trains it, and for a model of BERT-base's size with random weights, which needs no download, both in
16 bits: tokens a second in turns, the share of what the card's data sheet promises and of what one large matrix product
reaches there, and the peak of the card's memory; of MiniLM the F1 on CoNLL-2003 too, where its folder is given. Seconds are
those that both sides count themselves, from the first step to the last, without loading and scoring.

For lesson 9's GRPO and TRL's GRPOTrainer, on the model, notes and groups of `preferences.py` and in its float32: steps a
second in turns, the peak of the card's memory, and the reward and KL divergence that the same steps reach, computed
exactly. `preferences.py` says what differs between the two sides.

Each part runs in a process of its own and has a share of the time; what does not fit into it is left out, with the reason in
the table. The result goes to `gpu_NAME.json` beside this file, NAME being the card's, or into the folder that `--out` names.
Run it with nothing else running.

Nothing is fetched. The machine needs this checkout and the packages that pyproject.toml names. The part on BERT-base uses
only torch, transformers, accelerate and what these bring along; the part on MiniLM also datasets and MiniLM's weights; the
part on GRPO also datasets and trl, which lists in its metadata the versions that it accepts of the others. It makes its
model itself, in seconds. A borrowed machine often has a PyTorch that fits its card, but not all of the rest, and no network.
Then bring along what it lacks, from a machine with the network:

    python benchmarks/gpu.py --pack build/carried
    pip download --no-deps --only-binary=:all: --python-version 3.12 -c constraints.txt -d build/carried \
        datasets dill multiprocess xxhash trl

The first command writes MiniLM with weights of 16 bits, 46 MB instead of 91. In the second, give the borrowed machine's
version of Python, and the packages that `pip list` does not name there. Without trl the part on GRPO is left out, and the
table says so. On that machine, in the checkout:

    python -m pip install --no-index --no-deps --target build/site build/carried/*.whl
    PYTHONPATH=.:build/site python benchmarks/gpu.py ../conll2003 --encoder build/carried/minilm --out FOLDER

Bring the file in FOLDER back to `benchmarks/`, and the book shows it.

`--tiny` tries everything on small sizes, also without a GPU. Its result is no measurement, and goes to `build/`.
"""

from __future__ import annotations

import argparse
import copy
import gc
import importlib.util
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import results
import torch
from deadline import Outcome, OutOfTime, Part, alone, outcomes
from ner_finetuning import EPOCHS, OURS, PEER, Setting, full, operations, ours, peer, trainer_seconds
from profiling import finished
from safetensors import safe_open

from babyagi_lib.basics.machine import machine
from babyagi_lib.basics.streams import stream_seed
from babyagi_lib.models.heads import without_dropout
from babyagi_lib.models.saving import WEIGHTS_FILE
from babyagi_lib.sources.encoders import load_encoder
from babyagi_lib.training.loop import fit
from babyagi_lib.training.precision import best_precision

HERE = Path(__file__).resolve().parent
STARTING = 20.0  # of the minutes, seconds kept for the start of Python and for writing
GRPO, FULL = "GRPO, small GPT", "full training"  # in the table
TAGS = 9  # of BERT-base's head, as many as CoNLL-2003 has
SEEDS = 3  # of the full trainings of each side, if there is time for them
SLACK, SCORING = 1.3, 15.0  # a full training is begun if so many times its expected seconds and so many more are left

# What data sheets of NVIDIA promise for dense products of 16-bit matrices, in TFLOP/s, by the name of the card: the first
# that fits. Where a sheet gives the rate with sparsity, this is half of it.
PEAKS = {
    r"\bH200 NVL\b": 835,
    r"\bH200\b": 989,
    r"\bH100 NVL\b": 835,
    r"\bH100 PCIe\b": 756,
    r"\bH100\b": 989,
    r"\bA100\b": 312,
    r"\bL40S\b": 362,
    r"\bL4\b": 121,
    r"\bT4\b": 65,
}


@dataclass(frozen=True)
class Sizes:
    """How much is computed.

    Attributes:
        bert: what BERT-base's configuration is changed in.
        pieces, batches, examples: length of an example of the part on BERT-base, examples in a batch, examples in a turn.
        sentences: of a turn of the part on MiniLM.
        most: sentences of each split of the corpus; None for all.
        turns: at most, after one that does not count.
        epochs: of a full training.
        width: of the matrices whose product is timed.
        grpo: steps of GRPO in a turn, and of training its reference before.
    """

    bert: dict[str, int]
    pieces: int
    batches: tuple[int, ...]
    examples: int
    sentences: int
    most: int | None
    turns: int
    epochs: int
    width: int
    grpo: tuple[int, int]


USUAL = Sizes({}, 128, (64, 256), 6400, 4800, None, 3, EPOCHS, 8192, (60, 400))
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
TINY = Sizes(SMALL | {"vocab_size": 2000}, 16, (4, 8), 16, 12, 40, 1, 1, 256, (8, 5))


@dataclass(frozen=True)
class Chosen:
    """What the command line asked for.

    Attributes:
        corpus: a folder with CoNLL-2003; None for newswire, and no full training.
        encoder: MiniLM's folder, or `"embedded"`.
        sizes: how much is computed.
    """

    corpus: str | None
    encoder: str
    sizes: Sizes


@dataclass(frozen=True)
class Side:
    """One way to train, in turns with others.

    Attributes:
        run: trains once, and returns the tokens or steps a second.
        beside: the name of the side that it is compared with; empty for none.
    """

    run: Callable[[], float]
    beside: str = ""


@dataclass(frozen=True)
class Turns:
    """What sides measured in turns that count.

    Attributes:
        speeds: of each side, tokens or steps a second in every turn.
        memory: of each side, the peak of the card's memory in bytes; 0 without a GPU.
        rates: operations a second of a large matrix product in every turn.
        out_of_memory: sides that the card's memory was too small for.
    """

    speeds: dict[str, list[float]]
    memory: dict[str, int]
    rates: list[float]
    out_of_memory: list[str]


# The card


def card(chosen: Chosen, ends: float) -> Iterator[dict]:
    """What the GPU is, in one row."""
    about = torch.cuda.get_device_properties(0)
    tool = shutil.which("nvidia-smi")
    asked = [tool, "--query-gpu=driver_version", "--format=csv,noheader", "--id=0"]
    driver = subprocess.run(asked, capture_output=True, text=True).stdout.strip() if tool else ""
    yield {
        "name": about.name,
        "memory_gb": round(about.total_memory / 1e9, 1),
        "multiprocessors": about.multi_processor_count,
        "compute_capability": f"{about.major}.{about.minor}",
        "cuda": torch.version.cuda,
        "driver": driver or "unknown",
        "precision": best_precision(),
    }


def peak(name: str | None) -> float | None:
    """Operations a second that the data sheet of a card promises; None if it is not in `PEAKS`, or is a part of a card."""
    if name is None or "MIG" in name:
        return None
    return next((1e12 * rate for pattern, rate in PEAKS.items() if re.search(pattern, name)), None)


def this_peak() -> float | None:
    """`peak` of the card that this process computes on."""
    return peak(torch.cuda.get_device_name(0) if torch.cuda.is_available() else None)


def matrix_rate(width: int, repeats: int = 10) -> float:
    """Operations a second of the product of two random matrices, in the precision that both sides train in."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16, "no": torch.float32}[best_precision()]
    draw = torch.Generator(device).manual_seed(stream_seed("matrices", 0))
    a, b = (torch.randn(width, width, generator=draw, device=device, dtype=dtype) for _ in range(2))
    for _ in range(3):
        a @ b
    finished()
    started = time.perf_counter()
    for _ in range(repeats):
        a @ b
    finished()
    return 2 * width**3 * repeats / (time.perf_counter() - started)


# Turns


def once(run: Callable[[], float]) -> tuple[float, int]:
    """The speed of one training, and the peak of the card's memory meanwhile in bytes; 0 without a GPU."""
    gc.collect()  # the model of the training before
    if not torch.cuda.is_available():
        return run(), 0
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    return run(), torch.cuda.max_memory_allocated()


def in_turns(sides: dict[str, Side], sizes: Sizes, ends: float) -> Turns:
    """Let sides train in turns until all turns are done, or another one would not be over by `ends`.

    The first turn does not count: in it CUDA loads its programs and libraries choose theirs.

    Raises:
        OutOfTime: no turn that counts was possible.
    """
    found = Turns({name: [] for name in sides}, dict.fromkeys(sides, 0), [], [])
    longest = 0.0
    for turn in range(sizes.turns + 1):
        started = time.time()
        if turn and started + longest > ends:
            break
        for name in [*found.speeds]:
            try:
                speed, memory = once(sides[name].run)
            except torch.OutOfMemoryError:
                del found.speeds[name]
                found.out_of_memory.append(name)
                continue
            if turn:
                found.speeds[name].append(speed)
                found.memory[name] = max(found.memory[name], memory)
        rate = matrix_rate(sizes.width)
        if turn:
            found.rates.append(rate)
        longest = max(longest, time.time() - started)
        print(f"turn {turn}, which took {time.time() - started:.1f} s", flush=True)
    if not found.rates:
        raise OutOfTime(
            f"only the turn that does not count was done: it took {longest:.0f} s, too long for a second one"
        )
    return found


def rows(
    model: str, sides: dict[str, Side], found: Turns, per_token: float | None = None, promised: float | None = None
) -> Iterator[dict]:
    """A row for each side: medians over turns.

    Args:
        model: begins the names.
        sides: with what each is compared with.
        found: what they measured.
        per_token: floating-point operations of a token in training; without it speeds are steps a second, without shares.
        promised: see `peak`; without it there is no share of it.
    """
    for name, side in sides.items():
        row: dict[str, Any] = {"name": f"{model}, {name}"}
        if name in found.out_of_memory:
            yield row | {"note": "left out: the card's memory is too small"}
            continue
        speeds = found.speeds[name]
        if per_token is None:
            row["steps_per_second"] = round(statistics.median(speeds), 2)
        else:
            row["tokens_per_second"] = round(statistics.median(speeds))
        if side.beside in found.speeds:
            pairs = zip(speeds, found.speeds[side.beside], strict=True)
            row["times_the_trainer"] = round(statistics.median(mine / its for mine, its in pairs), 2)
        if per_token and promised:
            row["share_of_peak"] = round(statistics.median(speeds) * per_token / promised, 4)
        if per_token:
            shares = (speed * per_token / rate for speed, rate in zip(speeds, found.rates, strict=True))
            row["share_of_matrix_rate"] = round(statistics.median(shares), 4)
        if found.memory[name]:
            row["peak_memory_gb"] = round(found.memory[name] / 1e9, 3)
        yield row | {"turns": len(speeds)}


# BERT-base with random weights


def bert_base(chosen: Chosen, ends: float) -> Iterator[dict]:
    """Both sides on random pieces of one length: the same batches, the same model, so what differs is the loop."""
    from transformers import BertConfig, BertForTokenClassification

    sizes = chosen.sizes
    torch.manual_seed(stream_seed("weights", 0))
    model = BertForTokenClassification(BertConfig(**sizes.bert, num_labels=TAGS))
    draw = torch.Generator().manual_seed(stream_seed("examples", 0))
    shape = sizes.examples, sizes.pieces
    ids = torch.randint(model.config.vocab_size, shape, generator=draw).tolist()
    labels = torch.randint(TAGS, shape, generator=draw).tolist()
    examples = [{"input_ids": i, "labels": tags} for i, tags in zip(ids, labels, strict=True)]

    sides: dict[str, Side] = {}
    for size in sizes.batches:
        trainer = f"transformers' Trainer, batches of {size}"
        sides[trainer] = Side(partial(trainer_speed, model, examples, size))
        sides[f"this course's fit, batches of {size}"] = Side(partial(fit_speed, model, examples, size), trainer)
        without = partial(fit_speed, model, examples, size, dropout=False)
        sides[f"this course's fit without dropout, batches of {size}"] = Side(without, trainer)
    found = in_turns(sides, sizes, ends)
    promised = this_peak()
    per_token = operations(model.bert, [sizes.pieces]) / sizes.pieces
    yield from rows("BERT-base, random weights", sides, found, per_token, promised)
    rate = statistics.median(found.rates)
    row = {"name": f"product of two matrices, {sizes.width:,} wide", "tflops": round(rate / 1e12, 1)}
    yield row | ({"share_of_peak": round(rate / promised, 4)} if promised else {}) | {"turns": len(found.rates)}


def trainer_speed(model: torch.nn.Module, examples: list[dict], size: int) -> float:
    """Tokens a second of transformers' Trainer on a copy of the model."""
    from transformers import default_data_collator

    copied = copy.deepcopy(model)
    seconds = trainer_seconds(copied, examples, default_data_collator, 1, size, seed=0, precision=best_precision())
    return sum(len(example["input_ids"]) for example in examples) / seconds


def fit_speed(model: torch.nn.Module, examples: list[dict], size: int, dropout: bool = True) -> float:
    """Tokens a second of the course's `fit` on a copy of the model."""
    copied = copy.deepcopy(model)
    if not dropout:
        without_dropout(copied)
    return fit(copied, examples, epochs=1, batch_size=size, learning_rate=PEER["learning_rate"]).tokens_per_second


# MiniLM as lesson 4 trains it


def minilm(chosen: Chosen, ends: float) -> Iterator[dict]:
    """Both recipes on sentences: their speeds in turns, then, on a folder with CoNLL-2003, full trainings and their F1."""
    sizes = chosen.sizes
    setting = Setting(chosen.corpus or "newswire", chosen.encoder, sizes.most)
    windows = setting.encoded["train"].windows
    stretch = windows[: sizes.sentences]
    precision = best_precision()

    def speed(side: Callable[..., dict], **options: Any) -> float:
        done = side(setting, stretch, 1, **options)
        return done["tokens"] / done["seconds"]

    recipe, mine = "run_ner's recipe in 16 bits, batches of 8", "this course's recipe, batches of 1,536 pieces"
    sides = {recipe: Side(partial(speed, peer, precision=precision))}
    for size, pieces in ((64, OURS["batch_tokens"]), (512, 8 * OURS["batch_tokens"])):  # about as many pieces
        trainer = f"transformers' Trainer, batches of {size}"
        sides[trainer] = Side(partial(speed, peer, precision=precision, batch_size=size))
        sides[f"this course's recipe, batches of {pieces:,} pieces"] = Side(
            partial(speed, ours, batch_tokens=pieces), trainer
        )
    found = in_turns(sides, sizes, ends)
    per_token = setting.operations(stretch) / setting.tokens(stretch)
    yield from rows("MiniLM", sides, found, per_token, this_peak())

    if chosen.corpus is None:
        return
    tokens = sizes.epochs * setting.tokens(windows)
    for seed in range(SEEDS):
        for side, name, options in (
            (ours, mine, {"seed": seed}),
            (peer, recipe, {"seed": 42 + seed, "precision": precision}),
        ):
            if name not in found.speeds:
                continue
            title = f"MiniLM, {FULL}, {name}, seed {options['seed']}"
            needed = SLACK * tokens / statistics.median(found.speeds[name]) + SCORING
            if time.time() + needed > ends:
                left = max(0.0, ends - time.time())
                yield {"name": title, "note": f"not begun: about {needed:.0f} s needed, {left:.0f} s left"}
                continue
            row = full(setting, title, side, sizes.epochs, **options)
            yield {
                "name": title,
                "tokens_per_second": row["tokens_per_second"],
                "seconds": row["training_seconds"],
                "entity_f1": row["entity_f1_each_word_alone"],
                "entity_f1_best_valid_path": row["entity_f1_best_valid_path"],
            }


# GRPO as lesson 9 has it


def grpo(chosen: Chosen, ends: float) -> Iterator[dict]:
    """Both sides of `preferences.py`, on the GPU if there is one."""
    if missing := [name for name in ("trl", "datasets") if importlib.util.find_spec(name) is None]:
        yield {"name": GRPO, "note": f"left out: not installed: {', '.join(missing)}"}
        return
    import preferences

    os.environ.update(preferences.ENVIRONMENT)
    steps, pretraining = chosen.sizes.grpo
    reached: dict[str, dict[str, float]] = {}

    def speed(side: str) -> float:
        training, score = preferences.SIDES[side]("GRPO", setting, steps)
        found = training()
        if side not in reached:  # in the turn that does not count, so that no other one's memory has it
            reached[side] = score()
        return found

    trainer = "TRL's GRPOTrainer"
    sides = {
        trainer: Side(partial(speed, "TRL")),
        "this course's learn": Side(partial(speed, "ours"), trainer),
    }
    with tempfile.TemporaryDirectory() as folder:
        preferences.make_reference(Path(folder), pretraining)
        setting = preferences.Setting(Path(folder), "cuda" if torch.cuda.is_available() else "cpu")
        found = in_turns(sides, chosen.sizes, ends)
    for side, row in zip(("TRL", "ours"), rows(GRPO, sides, found), strict=True):
        yield row | reached.get(side, {})


# In this order. The weights share out the time that is left, so a part that is added takes from all others.
PARTS = [
    Part("BERT-base, random weights", weight=2, least=45, rows=bert_base),
    Part("MiniLM", weight=5, least=60, rows=minilm),
    Part(GRPO, weight=2, least=60, rows=grpo),
]


# The page


def conclusions(result: dict) -> dict:
    """A table for each kind of measurement instead of one for all: they share hardly any column."""
    kinds: dict[str, list[dict]] = {}
    for row in result["runs"]:
        trained = FULL in row["name"]
        model = next((part.name for part in PARTS if row["name"].startswith(part.name)), "Matrices")
        title = f"{model}, {FULL}" if trained else model
        kinds.setdefault(title, []).append(row)
    lines = []
    for title, rows_of_it in kinds.items():
        lines += [f"{title}:", "", *results.table(rows_of_it), ""]
    return {"markdown": [*lines, results.how(result)]}


# The command


def pack(folder: Path) -> None:
    """Write MiniLM and its tokenizer with weights of 16 bits, and say what that changes."""
    encoder, tokenizer = load_encoder()
    inputs = tokenizer("Rounded weights give almost the same states.", return_tensors="pt")
    with torch.no_grad():
        before = encoder(**inputs).last_hidden_state
        target = folder / "minilm"
        copy.deepcopy(encoder).half().save_pretrained(target)
        tokenizer.save_pretrained(target)
        after = load_encoder(str(target.resolve()))[0](**inputs).last_hidden_state
    size = sum(path.stat().st_size for path in target.iterdir()) / 1e6
    change = (after - before).abs().max() / before.abs().max()
    print(f"{target}: {size:.0f} MB; of the largest state, rounding changes {change:.1e}")


def weights(encoder: str) -> str:
    """Which weights MiniLM has, in words."""
    if encoder == "embedded":
        return encoder
    with safe_open(Path(encoder) / WEIGHTS_FILE, "pt") as file:
        kinds = {file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118 - it is no dict
    return f"read from a folder, {' and '.join(sorted(kinds))}"


def described(chosen: Chosen, device: dict | None) -> dict[str, Any]:
    """What is written beside the rows."""
    sizes, name = chosen.sizes, device["name"] if device else None
    corpus = Path(chosen.corpus).resolve().name if chosen.corpus else "newswire"
    told = "no share of a peak: " + ("there was no GPU" if not device else f"{name} is not among the known cards")
    if promised := peak(name):
        told = (
            f"shares of peak are of {promised / 1e12:.0f} TFLOP/s, NVIDIA's data sheet for dense products in 16 bits "
            f"on the card of that name"
        )
    precision = device["precision"] if device else best_precision()
    title = f"Fine-tuning on a GPU, {name}" if device else "Fine-tuning on a GPU, tried without one"
    return {
        "title": title + (", on sizes too small to measure" if sizes == TINY else ""),
        "data": f"in each turn {sizes.examples:,} random examples of {sizes.pieces} pieces, and up to {sizes.sentences:,} "
        f"sentences of {corpus}; {sizes.grpo[0]} steps of GRPO; medians of the turns, and of each turn's ratios; {told}; shares of the matrix rate are of a product of two large "
        f"matrices, timed in the same turns",
        "model": f"BERT-base's configuration with random weights; all-MiniLM-L6-v2, {weights(chosen.encoder)}; "
        f"precision {precision}; of GRPO, lesson 9's GPT of 108,000 parameters in float32",
        "machine": ", ".join(filter(None, (name, machine()))),
        "device": device,
        "peak_operations_per_second": promised,
    }


def file_name(device: dict | None) -> str:
    """The card's name as a part of a file's."""
    return re.sub(r"[^a-z0-9]+", "_", device["name"].lower()).strip("_") if device else "tried_without_gpu"


def measure(chosen: Chosen, minutes: float, folder: Path) -> bool:
    """Run all parts, writing the result after each; returns whether none failed."""
    ends = time.time() + 60 * minutes - STARTING
    device = None
    if torch.cuda.is_available():
        looked = alone(card, chosen, 120)
        if not looked.rows:
            raise SystemExit(f"The GPU cannot be used: {looked.reason}")
        device = looked.rows[0]
    folder.mkdir(parents=True, exist_ok=True)
    told, name, table, spent = described(chosen, device), file_name(device), [], []
    peers = [name for name in ("trl",) if importlib.util.find_spec(name)]
    failed = False
    for part, outcome in outcomes(PARTS, chosen, ends):
        table += outcome.rows
        if outcome.reason:
            table.append({"name": part.name, "note": outcome.reason})
            print(f"{part.name}: {outcome.reason}", flush=True)
        spent.append(time_of(part, outcome))
        failed |= outcome.failed
        more = {"settings": {"minutes": minutes}, "parts": spent, "packages": peers}
        results.write(f"gpu_{name}", **told, folder=folder, runs=table, conclusions=conclusions, **more)
    print(*table, sep="\n")
    print(f"Written: {folder / f'gpu_{name}.json'}")
    return not failed


def time_of(part: Part, outcome: Outcome) -> dict:
    """What a part took, beside what it was given."""
    return {"part": part.name, "seconds": round(outcome.seconds, 1), "allowed": round(outcome.allowed, 1)}


def folder_of_files(text: str) -> str:
    """The full path of a folder that is there, as text; an error of the command line for any other, before time is spent."""
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {text}")
    return str(Path(text).resolve())


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "corpus",
        nargs="?",
        type=folder_of_files,
        help="folder with CoNLL-2003's train, valid and test; without it no F1",
    )
    parser.add_argument(
        "--encoder",
        type=folder_of_files,
        help="folder with MiniLM, where its package is not installed",
        metavar="FOLDER",
    )
    parser.add_argument("--minutes", type=float, default=8, help="by then all is done")
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="folder of the result; this program's own if not given"
    )
    parser.add_argument("--tiny", action="store_true", help="try everything on small sizes, also without a GPU")
    parser.add_argument("--pack", type=Path, metavar="FOLDER", help="only write MiniLM there, in 16 bits, to be sent")
    chosen = parser.parse_args(arguments)
    os.environ["HF_HUB_OFFLINE"] = "1"
    # The Trainer would spread its batches over all cards, and `fit` would not.
    os.environ["CUDA_VISIBLE_DEVICES"] = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    if chosen.pack:
        pack(chosen.pack)
        return 0
    if not torch.cuda.is_available() and not chosen.tiny:
        print(
            "There is no GPU that PyTorch can use here, so nothing was measured. --tiny tries the program without one."
        )
        return 1
    if not torch.cuda.is_available():
        print("There is no GPU that PyTorch can use here: this only tries the program, and measures nothing.")
    folder = chosen.out or (HERE.parent / "build" if chosen.tiny else HERE)
    sizes = TINY if chosen.tiny else USUAL
    return 0 if measure(Chosen(chosen.corpus, chosen.encoder or "embedded", sizes), chosen.minutes, folder) else 1


if __name__ == "__main__":
    sys.exit(main())
