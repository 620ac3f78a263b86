"""The agent that sorts parts: trained senses, a calibrated belief, a policy, all in one folder. Used by lesson 12.

`train_senses` trains the encoders of `models.senses` and calibrates them. `Senses.likelihood` turns an answer of a sense into the
log-likelihood of every kind of part, which is all that a belief needs. `SortingAgent` adds the learned value of asking, is
saved as one folder, and sorts a stream of parts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from babyagi_lib.agents.decisions import Decision
from babyagi_lib.agents.memory import Reader
from babyagi_lib.basics.arguments import check_number, check_whole
from babyagi_lib.basics.streams import stream_seed
from babyagi_lib.methods import sensing
from babyagi_lib.models.saving import WEIGHTS_FILE, ModelError, full_path, load_weights, save_folder
from babyagi_lib.models.senses import SHAPES, SenseEncoder
from babyagi_lib.models.stacked import StackedMLP
from babyagi_lib.rl import belief_q
from babyagi_lib.rl.belief_planning import Problem
from babyagi_lib.worlds import part_senses as world
from babyagi_lib.worlds.part_notes import CRACKED
from babyagi_lib.worlds.part_sort import ACTIONS, part_sort
from babyagi_lib.worlds.part_symbols import IS_CRACKED, KINDS, MATERIAL, SENSES, SHAPE

ABOUT_FILE = "agent.json"
ENCODERS = {"look": "picture", "read": "note", "tap": "sound"}
KIND = {"shape": SHAPE, "material": MATERIAL, "cracked": IS_CRACKED}
LOG_PRIOR = {
    "shape": np.log(np.full(3, 1 / 3)),
    "material": np.log(np.full(2, 1 / 2)),
    "cracked": np.log(np.array([1 - CRACKED, CRACKED])),
}


class Line:
    """A line of parts: what the senses would find, rendered when it is asked for.

    Args:
        parts: one after the other.
        seed: of views, strikes, notes and noise.
        keep: nuisances that stay the same for a part, such as the lamp; see `part_senses.drawn_again`.
    """

    def __init__(self, parts: world.Parts, seed: int, keep: Sequence[str] = ()) -> None:
        self.parts, self.keep = parts, keep
        self.rng = np.random.default_rng(stream_seed("a line of parts", seed))
        self.notes = world.write_notes(parts, self.rng).texts
        self.view = world.draw_views(len(parts), self.rng)
        self.strike = world.draw_strikes(len(parts), self.rng)

    def __len__(self) -> int:
        return len(self.parts)

    def answer(self, sense: str, chosen: Any = slice(None)) -> NDArray:
        """A picture, a note or a sound of each chosen part: (parts, 32, 32), texts (parts,), (parts, samples).

        Pictures and sounds are fresh each time, a note stays what it is.
        """
        parts = self.parts[chosen]
        if sense == "read":
            return self.notes[chosen]
        earlier = (self.view if sense == "look" else self.strike)[chosen]
        names = [name for name in self.keep if hasattr(earlier, name)]
        nuisance = world.drawn_again(earlier, names, self.rng)
        render = world.pictures if sense == "look" else world.taps
        return render(parts, self.rng, nuisance)


@dataclass(eq=False)
class Senses:
    """Trained encoders, and the pretrained text encoder through which notes are read.

    Attributes:
        encoders: by the name of the sense, "look", "read" and "tap"; calibrated.
        read: texts to vectors, (texts, 384).
    """

    encoders: dict[str, SenseEncoder]
    read: Any = field(default_factory=Reader)

    def inputs(self, sense: str, found: NDArray) -> NDArray:
        """What the encoder of a sense is given, from what was found: pictures as they are, spectrograms, vectors of notes."""
        if sense == "look":
            return found
        return world.spectrogram(found) if sense == "tap" else self.read(found)

    def likelihood(self, sense: str, found: NDArray) -> NDArray[np.float64]:
        """The log-likelihood of every kind of part, up to a constant: (answers, 12). Without a note it is 0 for all.

        The encoder says p(property | answer). Dividing by the prior of the property leaves the likelihood (Bayes' rule).

        Args:
            sense: "look", "read" or "tap".
            found: pictures (answers, 32, 32), texts (answers,), or sounds (answers, samples).

        Raises:
            ValueError: there is no such sense.
        """
        if sense not in ENCODERS:
            raise ValueError(f"there is no sense {sense!r}; there are {', '.join(ENCODERS)}")
        total = np.zeros((len(found), KINDS))
        here = np.asarray(found) != "" if sense == "read" else np.ones(len(found), dtype=bool)
        if here.any():
            said = sensing.beliefs(self.encoders[sense], self.inputs(sense, found[here]))
            total[here] = sum((logs - LOG_PRIOR[name])[:, KIND[name]] for name, logs in said.items())
        return total


def train_senses(number: int, seed: int, share: float = 0.8) -> Senses:
    """Encoders of pictures, notes and sounds, trained on labelled parts and calibrated on others.

    Args:
        number: of labelled parts. Each has a picture and a sound, and most have a note.
        seed: the same seed gives the same encoders.
        share: of the parts that are for training; the others are for calibration.

    Raises:
        ValueError: there are fewer than 50 parts, or the share is not between 0 and 1.
    """
    check_whole("number", number, 50)
    check_number("share", share, 0.1, 0.9)
    rng = np.random.default_rng(stream_seed("parts for the encoders", seed))
    line = Line(world.draw_parts(number, rng), stream_seed("senses for the encoders", seed))
    senses = Senses({})
    for sense, name in ENCODERS.items():
        found, parts = line.answer(sense), line.parts
        if sense == "read":
            found, parts = found[found != ""], parts[found != ""]
        inputs, cut = senses.inputs(sense, found), int(share * len(found))
        encoder = sensing.train(name, inputs[:cut], vars(parts[:cut]), seed=stream_seed(f"{sense} encoder", seed))
        encoder = encoder.cpu()  # an agent decides about one part at a time, for which a GPU is no help
        sensing.calibrate(encoder, inputs[cut:], vars(parts[cut:]))
        senses.encoders[sense] = encoder
    return senses


def ask_everything(senses: Senses, line: Line, times: int) -> belief_q.Answers:
    """As many pictures and sounds of each part as an agent may ask for, and the note, as log-likelihoods."""
    check_whole("times", times, 1)
    found = []
    for sense in SENSES:
        again = 1 if sense == "read" else times
        found.append(np.stack([senses.likelihood(sense, line.answer(sense)) for _ in range(again)], axis=1))
    return belief_q.Answers(line.parts.kind, tuple(found))


def weaker_repeats(answers: belief_q.Answers, weight: float) -> belief_q.Answers:
    """The same answers, but every one after the first of a sense counts only with this weight, from 0 to 1."""
    check_number("weight", weight, 0, 1)
    counted = [np.concatenate([part[:, :1], weight * part[:, 1:]], axis=1) for part in answers.likelihood]
    return belief_q.Answers(answers.hidden, tuple(counted))


def as_symbols(answers: belief_q.Answers, cuts: Sequence[float] = (0.0,)) -> tuple[NDArray, NDArray, NDArray]:
    """Answers as symbols, in the order of `part_symbols`: only the likeliest shape, material and so on is kept.

    Args:
        answers: of look, read and tap.
        cuts: where the log-odds of a crack are cut into levels: with one cut, whole or cracked.

    Returns:
        Symbols from 0 to 5 (look), 0 to 6 (read, the last for a missing note) and 0 to 2 · levels - 1 (tap), (parts, times) each.
    """
    look, read, tap = answers.likelihood
    named = []
    for part in (look, read):
        # The kinds of one shape and material are equally likely here, so every second one suffices.
        named.append(part[..., ::2].argmax(axis=-1))
    missing = np.ptp(read, axis=-1) == 0
    levels = np.digitize(tap[..., 1] - tap[..., 0], np.asarray(cuts))
    brass = (tap[..., 2] > tap[..., 0]).astype(int)
    return named[0], np.where(missing, 6, named[1]), brass * (len(cuts) + 1) + levels


def count_tables(
    hidden: NDArray, symbols: Sequence[NDArray], sizes: Sequence[int], extra: float = 0.5
) -> dict[str, NDArray]:
    """Tables of symbols estimated by counting, (12, symbols) by sense; `extra` is added to every count, so that none is 0."""
    tables = {}
    for sense, found, size in zip(SENSES, symbols, sizes, strict=True):
        counts = np.full((KINDS, size), extra)
        np.add.at(counts, (np.repeat(hidden, found.shape[1]), found.ravel()), 1)
        tables[sense] = counts / counts.sum(axis=1, keepdims=True)
    return tables


@dataclass(eq=False)
class SortingAgent:
    """Senses, a belief, and the value of asking once more.

    Attributes:
        senses: trained and calibrated.
        policy: the network of one run of `belief_q.learn`.
        horizon: how many answers there may be for one part.
    """

    senses: Senses
    policy: StackedMLP
    horizon: int

    def __post_init__(self) -> None:
        self.problem: Problem = part_sort(self.horizon)

    def values(self, belief: NDArray, asked: Sequence[int]) -> NDArray[np.float64]:
        """What each action is worth to the agent, in the order of `part_sort.ACTIONS`: (actions,), -inf where not allowed.

        Args:
            belief: probability of each kind of part, (12,).
            asked: how often each sense was asked, (senses,).
        """
        counts = torch.as_tensor(asked, dtype=torch.long)[None, None]
        logs = torch.as_tensor(np.log(np.maximum(belief, 1e-30)), dtype=torch.float32)[None, None]
        with torch.no_grad():
            asking = self.policy(belief_q.features(logs, counts, self.problem))[0, 0].double().numpy()
        free = belief_q.allowed(counts, self.problem)[0, 0].numpy()
        return np.concatenate([np.where(free, asking, -np.inf), np.asarray(belief) @ self.problem.payoff])

    def sort(self, line: Line, *, explore: float = 0.0, seed: int = 0) -> Iterator[tuple[Decision, NDArray | None]]:
        """Sort the parts of a line one after the other, decision by decision.

        Args:
            line: the parts.
            explore: the share of decisions between asking and deciding that are drawn at random; what to do with the part
                itself is never drawn.
            seed: for these.

        Yields:
            Each decision, and what the sense then found, None for a final action.
        """
        check_number("explore", explore, 0, 1)
        rng, costs = np.random.default_rng(stream_seed("exploring", seed)), self.problem.costs
        prior = torch.as_tensor(np.log(self.problem.prior), dtype=torch.float32)
        for part in range(len(line)):
            belief, asked = prior.clone()[None, None], torch.zeros(1, 1, len(SENSES), dtype=torch.long)
            for step in range(self.horizon + 1):
                greedy = int(belief_q.choose(self.problem, self.policy, belief, asked))
                free = [*np.flatnonzero(belief_q.allowed(asked, self.problem)[0, 0].numpy()), len(SENSES)]
                choice = int(rng.choice(free)) if explore and rng.random() < explore else greedy
                propensity = explore / len(free) + (1 - explore) * (choice == greedy)
                now = belief[0, 0].double().softmax(-1).numpy()
                told = tuple(float(p) for p in now)
                if choice == len(SENSES):
                    final = len(SENSES) + int((now @ self.problem.payoff).argmax())
                    yield Decision(part, step, ACTIONS[final], propensity, told, None), None
                    break
                found = line.answer(SENSES[choice], slice(part, part + 1))
                yield Decision(part, step, ACTIONS[choice], propensity, told, -float(costs[choice])), found[0]
                said = self.senses.likelihood(SENSES[choice], found)
                belief = belief + torch.as_tensor(said, dtype=torch.float32)
                asked[0, 0, choice] += 1

    def save(self, folder: str | Path) -> Path:
        """Write the agent to a folder, whole or not at all: weights and temperatures as safetensors, the rest as JSON.

        Raises:
            ModelError: as `models.saving.save_folder` does.
        """
        shapes = [*(weight.shape[1] for weight in self.policy.weights), self.policy.weights[-1].shape[2]]
        about = {"horizon": self.horizon, "policy": shapes, "notes": "embedded"}
        return save_folder(folder, _together(self.senses.encoders, self.policy), ABOUT_FILE, about, ())

    @classmethod
    def load(cls, folder: str | Path) -> SortingAgent:
        """The agent that `save` wrote.

        Raises:
            ModelError: there is no such agent, or a file of it is damaged.
        """
        folder = full_path(folder)
        try:
            about = json.loads((folder / ABOUT_FILE).read_text(encoding="utf-8"))
            horizon, shapes = about["horizon"], about["policy"]
            policy = StackedMLP([0], shapes)
            check_whole("horizon", horizon, 0)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{folder} holds no sorting agent ({error}); SortingAgent.save writes one") from error
        encoders = {sense: SenseEncoder(name, 0, SHAPES[name]) for sense, name in ENCODERS.items()}
        try:
            load_weights(folder / WEIGHTS_FILE, _together(encoders, policy))
        except ModelError as error:
            raise ModelError(f"{folder}: {error}") from error
        for encoder in encoders.values():
            encoder.eval()
        return cls(Senses(encoders), policy, horizon)


def one_run(network: StackedMLP, run: int) -> StackedMLP:
    """One of the networks that were trained side by side, by itself."""
    shapes = [*(weight.shape[1] for weight in network.weights), network.weights[-1].shape[2]]
    alone = StackedMLP([0], shapes, network.activation, network.output)
    with torch.no_grad():
        for mine, theirs in zip(alone.parameters(), network.parameters(), strict=True):
            mine.copy_(theirs[run : run + 1])
    return alone


def _together(encoders: dict[str, SenseEncoder], policy: StackedMLP) -> nn.Module:
    """All that has weights, under one name each."""
    return nn.ModuleDict({**encoders, "policy": policy})
