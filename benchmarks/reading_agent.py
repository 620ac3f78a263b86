"""What an agent that reads needs in order to compose: lesson 10's agent, whole and with one part replaced, over five seeds.

    python benchmarks/reading_agent.py [--tiny]

Every agent is trained by the lesson's PPO in MiniGrid's Fetch-8x8-N3 as arrays, with the lesson's settings. Three of the
twelve colour-kind pairs are never wanted in training, though they stand in the rooms ("never shown": not even that). Then it
is tested with instructions for other pairs, for these pairs, and with words that it never read. What the parts are:

- sentence vectors: of the embedded encoder, as bags of words, or one number for each sentence;
- a thing's vector: a sum of one for its kind and one for its colour, or a vector of its own for each of the twelve;
- how both meet: multiplied (matching), or side by side in one long input (concatenation), which needs more steps.

The result goes to `reading_agent.json` beside this file; lesson 10 reads it. Five minutes on one thread.
"Nouns decide": new nouns in rooms where another kind of thing has the wanted colour, so that the colour is not enough.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import results
import torch

from babyagi_lib.basics.intervals import over_seeds
from babyagi_lib.basics.streams import stream_seed
from babyagi_lib.methods.fewshot import embed
from babyagi_lib.models.matching import ReadingPolicy, standardise
from babyagi_lib.rl import ppo
from babyagi_lib.sources.encoders import load_encoder
from babyagi_lib.worlds import fetch, fetch_agents, fetch_paths, fetch_sentences

SEEDS, STEPS, ROOMS, TEST = 5, 250_000, 256, 1000
NEVER = [fetch.THINGS.index(thing) for thing in ("red key", "yellow key", "blue ball")]
OTHERS = [thing for thing in range(len(fetch.THINGS)) if thing not in NEVER]
SETTINGS = {"rate": 2e-3, "batch": 512}  # the lesson's
MORE = (*fetch.PHRASES, *fetch_sentences.PARAPHRASES["other verbs"], *fetch_sentences.PARAPHRASES["statements"])


@dataclass(frozen=True)
class Agent:
    """What is trained.

    Attributes:
        name: in the table.
        sentences: "MiniLM", "words" or "one-hot".
        net: options of `ReadingPolicy`.
        steps: of training, as a multiple of `STEPS`.
        phrases: the wordings of training.
        things: what stands in the rooms of training.
    """

    name: str
    sentences: str = "MiniLM"
    net: dict[str, Any] | None = None
    steps: int = 1
    phrases: Sequence[str] = fetch.PHRASES
    things: Sequence[int] = range(len(fetch.THINGS))


AGENTS = (
    Agent("MiniLM, factored cells, matching"),
    Agent("bag of words in place of MiniLM", "words"),
    Agent("one-hot sentences in place of MiniLM", "one-hot"),
    Agent("one-hot cells in place of factored ones", net={"factored": False}),
    Agent("concatenation in place of matching", net={"matching": False, "width": 8}, steps=2),
    Agent("the whole agent, pairs never shown", things=OTHERS),
    Agent("the whole agent, 25 wordings", phrases=MORE),
)


class Vectors:
    """Sentence vectors of each sort, standardised by the training sentences. MiniLM reads each sentence once."""

    def __init__(self) -> None:
        self.encoder, self.read = load_encoder(), {}

    def __call__(self, sort: str, sentences: Sequence[str], known: Sequence[str]) -> np.ndarray:
        if sort == "MiniLM":
            new = [s for s in dict.fromkeys([*sentences, *known]) if s not in self.read]
            if new:
                self.read |= dict(zip(new, embed(*self.encoder, new), strict=True))
            found, base = (np.stack([self.read[s] for s in many]) for many in (sentences, known))
        else:
            write = {"words": fetch_sentences.words, "one-hot": fetch_sentences.one_hot}[sort]
            found, base = write(sentences, known), write(known, known)
        return standardise(found, base)


def trained(agent: Agent, vectors: Vectors, seed: int, steps: int) -> ReadingPolicy:
    known = fetch_sentences.write(agent.phrases)
    first = stream_seed("bench: weights", seed)
    net = ReadingPolicy(
        vectors(agent.sentences, known, known), fetch_agents.PROPERTIES, first, units=64, **(agent.net or {})
    )
    draw = np.random.default_rng(stream_seed("bench: rooms", seed))
    options = {"things": agent.things, "targets": OTHERS, "phrases": len(agent.phrases)}
    actions = stream_seed("bench: actions", seed)
    ppo.learn(net, fetch.rooms(ROOMS, draw, **options), steps=agent.steps * steps, seed=actions, **SETTINGS)
    return net


def tested(agent: Agent, net: ReadingPolicy, vectors: Vectors) -> dict[str, float]:
    """Shares of right things, and steps above the shortest way."""
    known, found = fetch_sentences.write(agent.phrases), {}

    def score(name: str, sentences: Sequence[str], **options: Any) -> None:
        draw = np.random.default_rng(stream_seed(f"bench: {name}", 0))
        rooms = fetch.draw_layouts(
            TEST if name != "nouns decide" else 8 * TEST, draw, phrases=len(sentences) // 12, **options
        )
        if name == "nouns decide":
            rooms = rooms[fetch.kind_decides(rooms)]
        policy = net.told(vectors(agent.sentences, sentences, known))
        played = fetch_agents.play(policy, rooms, seed=stream_seed("bench: test", 0))
        found[name] = played.right(rooms)
        if name == "pairs of training":
            found["extra steps"] = played.extra(rooms, fetch_paths.from_start(rooms, fetch_paths.distances(rooms)))

    score("pairs of training", known, targets=OTHERS, things=agent.things)
    score("pairs never wanted", known, targets=NEVER)
    for name, sentences in fetch_sentences.held_out().items():
        if not set(sentences) & set(known):
            score(name, sentences, targets=OTHERS, things=agent.things)
    score("nouns decide", fetch_sentences.held_out()["new nouns"], targets=OTHERS, things=agent.things)
    return found


def row(name: str, values: dict[str, list[float]]) -> dict[str, str]:
    """Interquartile means with their intervals; all paraphrases in one column, the mean of their groups."""
    groups = [values[group] for group in fetch_sentences.PARAPHRASES if group in values]
    found = {measure: values[measure] for measure in ("pairs of training", "extra steps", "pairs never wanted")}
    found |= {"paraphrases": np.mean(groups, axis=0), "new nouns": values["new nouns"]}
    found |= {"nouns decide": values["nouns decide"], "new colour words": values["new colour words"]}
    return {"name": name} | {measure: str(over_seeds(of)) for measure, of in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tiny", action="store_true", help="a few steps, to try it out; writes nothing")
    arguments = parser.parse_args()
    steps, seeds = (5000, 1) if arguments.tiny else (STEPS, SEEDS)
    torch.set_num_threads(1)
    vectors, values, seconds = Vectors(), {}, {}
    for agent in AGENTS:
        runs, started = [], time.process_time()
        for seed in range(seeds):
            runs.append(tested(agent, trained(agent, vectors, seed, steps), vectors))
        seconds[agent.name] = round((time.process_time() - started) / seeds, 1)
        values[agent.name] = {name: [run[name] for run in runs] for name in runs[0]}
        print(row(agent.name, values[agent.name]), seconds[agent.name], flush=True)
    if arguments.tiny:
        return
    results.write(
        "reading_agent",
        title="An agent that reads: which parts are needed",
        data=f"share of right things in {TEST} fresh rooms of MiniGrid's Fetch-8x8-N3, interquartile mean over {seeds} seeds "
        f"with its 95% bootstrap interval; {STEPS:,} steps of PPO, and {2 * STEPS:,} with concatenation",
        model="lesson 10's agent",
        settings=SETTINGS | {"rooms": ROOMS, "steps": STEPS},
        cpu_seconds_for_each_seed=seconds,
        values={name: {m: np.round(v, 4).tolist() for m, v in of.items()} for name, of in values.items()},
        runs=[row(name, of) for name, of in values.items()],
    )


if __name__ == "__main__":
    main()
