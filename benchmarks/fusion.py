"""Lesson 11 with five seeds: senses fused in several ways, senses missing, pairs needed, and a template learned in noise.

    python benchmarks/fusion.py [--tiny]

Every seed makes its own parts, trains and calibrates its own encoders, and trains the fusion networks, as the lesson does with
one seed. Numbers are interquartile means over the seeds with 95% bootstrap intervals. The result goes to `fusion.json` beside
this file. Three minutes on one thread.
"""

from __future__ import annotations

import argparse
import time
from itertools import combinations

import numpy as np
import results
import torch
from numpy.typing import NDArray

from babyagi_lib.basics.intervals import Interval, over_seeds
from babyagi_lib.basics.streams import stream_seed
from babyagi_lib.methods import fusion, sensing
from babyagi_lib.sources.encoders import load_encoder
from babyagi_lib.worlds import part_senses as world
from babyagi_lib.worlds.part_notes import CRACKED

SEEDS = 5
SIZES = {"train": 6000, "held": 2000, "paired": 3000, "test": 4000}
NOTES = 1500
SENSES = ("picture", "note", "sound")
SUBSETS = [chosen for size in range(4) for chosen in combinations(SENSES, size)]
PRIOR = {"shape": np.log([1 / 3] * 3), "material": np.log([0.5] * 2), "cracked": np.log([1 - CRACKED, CRACKED])}
VARIANTS = {  # network, the prior that is subtracted, share of senses dropped
    "concatenation": (fusion.Concatenation, None, 0.0),
    "prior subtracted": (fusion.Concatenation, PRIOR, 0.0),
    "senses dropped": (fusion.Concatenation, None, 0.3),
    "attention, dropped": (fusion.SenseAttention, None, 0.3),
}
PAIRS = (50, 200, 1000, 3000)
DISTANCE, EXAMPLES, FRESH = 2.0, (250, 1000, 4000), 20_000  # of the template


def one_seed(seed: int, sizes: dict[str, int], encoder, tokenizer) -> dict:
    """What one seed measures: the share of parts named right, by method and subset, and by the number of pairs."""
    data = {}
    for name, number in sizes.items():
        draw = np.random.default_rng(stream_seed(name, seed))
        parts = world.draw_parts(number, draw)
        notes = world.write_notes(parts, draw)
        inputs = {"picture": world.pictures(parts, draw)}
        inputs["note"] = sensing.note_vectors(encoder, tokenizer, notes.texts)
        inputs["sound"] = world.spectrogram(world.taps(parts, draw))
        present = np.ones((number, 3), dtype=bool)
        present[:, 1] = notes.present
        data[name] = parts, inputs, present
    readers = {}
    for place, sense in enumerate(SENSES):
        rows = {name: np.flatnonzero(data[name][2][:, place]) for name in ("train", "held")}
        if sense == "note":
            rows["train"] = rows["train"][rows["train"] < NOTES]
        pair = [(data[name][1][sense][rows[name]], vars(data[name][0][rows[name]])) for name in rows]
        readers[sense] = sensing.train(sense, *pair[0], seed=seed)
        sensing.calibrate(readers[sense], *pair[1])
    said = {
        name: [sensing.beliefs(readers[sense], data[name][1][sense]) for sense in SENSES] for name in ("paired", "test")
    }
    paired, _, there = data["paired"]
    parts, _, present = data["test"]
    widths = [each.shape[1] for each in fusion.side_by_side(said["test"])]

    def trained(name: str, pairs: int) -> torch.nn.Module:
        kind, minus, drop = VARIANTS[name]
        network = kind(widths, stream_seed("fusion network", seed))
        inputs = [each[:pairs] for each in fusion.side_by_side(said["paired"], minus)]
        epochs = min(200, 20 * max(sizes["paired"] // pairs, 1))  # few pairs are seen more often
        settings = {"seed": seed, "drop": drop, "epochs": epochs}
        return fusion.train(network, inputs, there[:pairs], vars(paired[:pairs]), **settings)

    networks = {name: trained(name, sizes["paired"]) for name in VARIANTS}
    hard = []
    for place, (known, new) in enumerate(zip(said["paired"], said["test"], strict=True)):
        rows = there[:, place]
        known = {name: each[rows] for name, each in known.items()}
        hard.append(fusion.as_symbols(new, known, vars(paired[rows])))
    found = {name: {} for name in ("log-odds", "symbols of the encoders", *VARIANTS)}
    for subset in SUBSETS:
        here, key = present & np.isin(SENSES, subset), " + ".join(subset) or "nothing"
        found["log-odds"][key] = fusion.whole_part_right(fusion.add_senses(said["test"], PRIOR, here), vars(parts))
        symbols = fusion.add_senses(hard, PRIOR, here)
        found["symbols of the encoders"][key] = fusion.whole_part_right(symbols, vars(parts))
        for name, network in networks.items():
            inputs = fusion.side_by_side(said["test"], VARIANTS[name][1])
            found[name][key] = fusion.whole_part_right(fusion.predict(network, inputs, here), vars(parts))
    inputs = fusion.side_by_side(said["test"])
    pairs = {
        n: fusion.whole_part_right(fusion.predict(trained("senses dropped", n), inputs, present), vars(parts))
        for n in PAIRS
        if n <= sizes["paired"]
    }
    return {"by subset": found, "by pairs": pairs}


def template_error(seed: int, examples: int) -> float:
    """The error of the convolutions on a gear and a shaft in a known view, in noise in which a template errs in 15.9%."""
    draw = np.random.default_rng(stream_seed(f"template {examples}", seed))
    pair = world.Parts(np.array([0, 1]), np.zeros(2, int), np.zeros(2, int))
    clean = world.pictures(pair, draw, world.View(*np.zeros((3, 2)), *np.ones((2, 2))), noise=0)
    sigma = np.linalg.norm(clean[0] - clean[1]) / DISTANCE

    def noisy(number: int) -> tuple[NDArray, NDArray]:
        label = draw.integers(2, size=number)
        return clean[label] + sigma * draw.standard_normal((number, *clean.shape[1:]), dtype=np.float32), label

    pictures, label = noisy(examples)
    reader = sensing.train("picture", pictures, {"shape": label, "material": label}, seed=seed)
    pictures, label = noisy(FRESH)
    return 1 - sensing.quality(sensing.beliefs(reader, pictures)["material"], label)["accuracy"]


def interval(values: list[float]) -> Interval:
    return over_seeds(np.array(values))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tiny", action="store_true", help="two seeds and few parts, to try it out; writes nothing")
    tiny = parser.parse_args().tiny
    torch.set_num_threads(1)
    started = time.process_time()
    seeds, sizes = range(2 if tiny else SEEDS), {k: v // 10 if tiny else v for k, v in SIZES.items()}
    encoder, tokenizer = load_encoder()
    each = [one_seed(seed, sizes, encoder, tokenizer) for seed in seeds]
    subsets = {
        name: {key: interval([one["by subset"][name][key] for one in each]) for key in line}
        for name, line in each[0]["by subset"].items()
    }
    columns = {"all senses": "picture + note + sound", "picture alone": "picture", "note and sound": "note + sound"}
    rows = [
        {"name": name} | {title: str(line[key]) for title, key in columns.items()} for name, line in subsets.items()
    ]
    full = columns["all senses"]
    lost = [one["by subset"]["log-odds"][full] - one["by subset"]["symbols of the encoders"][full] for one in each]
    pairs = {str(n): str(interval([one["by pairs"][n] for one in each])) for n in each[0]["by pairs"]}
    errors = {n: interval([template_error(seed, n) for seed in seeds]) for n in EXAMPLES[: 1 if tiny else None]}
    print(*rows, pairs, str(interval(lost)), {n: str(error) for n, error in errors.items()}, sep="\n")
    if tiny:
        return
    results.write(
        "fusion",
        title="Three senses of a part, fused",
        data=f"parts made by code, {SIZES['train']:,} for training, {SIZES['held']:,} for calibration, {SIZES['paired']:,} with all senses, {SIZES['test']:,} for testing; {NOTES:,} notes; share of test parts whose shape, material and crack are all "
        f"named right; {SEEDS} seeds, interquartile mean and 95% interval",
        model="three small encoders (convolutions; MiniLM with a linear layer), fusion networks of one hidden layer",
        settings={"seeds": SEEDS, "sizes": SIZES, "notes": NOTES, "distance": DISTANCE},
        cpu_seconds=round(time.process_time() - started),
        by_subset={n: {k: [float(v) for v in i] for k, i in line.items()} for n, line in subsets.items()},
        paired=pairs,
        lost_by_symbols=str(interval(lost)),
        template={str(n): [float(v) for v in error] for n, error in errors.items()},
        runs=rows,
    )


if __name__ == "__main__":
    main()
