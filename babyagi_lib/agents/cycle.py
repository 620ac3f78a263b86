"""The cycle: act, log, explore, compare, promote or roll back, refit, and again. Used by lesson 13.

`run` is the whole loop for the sorting problem in symbols. In every round the line brings so many parts. Some are explored:
the agent asks at random, so that senses it no longer trusts are still measured. The others go to the live version or to a
challenger, by a coin. The log keeps, for every part, the probability of the decisions that were made about it. The gate compares
the two versions on it. Then a new challenger is planned from tables that are counted from the newest log.

The program can be killed at any moment and started again. A round is a function of the seed and of what was known before it,
and it ends with the replacement of one file (`versions`). If that has not happened, the round is done again, with the same
random numbers, and writes the same files. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.agents.gate import BettingGate, split_least
from babyagi_lib.agents.versions import Now, Version, Versions, data_hash
from babyagi_lib.basics.arguments import check_number, check_whole
from babyagi_lib.basics.streams import stream_seed
from babyagi_lib.basics.whole import whole_file
from babyagi_lib.rl.belief_planning import Problem, follow, plan
from babyagi_lib.worlds.part_sort import part_sort
from babyagi_lib.worlds.part_symbols import SENSES

CENTRE = 0.4  # near the usual reward of a part; chosen before any reward was seen
FIRST = "version-0000"


@dataclass(frozen=True, eq=False)
class Log:
    """What happened to parts, one row each. A part has up to horizon + 1 decisions; -1 stands where there was none.

    Attributes:
        kind: what the part was, found out afterwards, (parts,).
        state: before each decision, as in `belief_planning.States`, (parts, horizon + 1).
        action: of each decision, (parts, horizon + 1).
        symbol: the answer to it, (parts, horizon + 1).
        reward: payoff minus costs, (parts,).
        propensity: the probability of exactly these decisions, given the answers, (parts,).
    """

    kind: NDArray
    state: NDArray
    action: NDArray
    symbol: NDArray
    reward: NDArray
    propensity: NDArray

    def __len__(self) -> int:
        return len(self.kind)

    def agrees(self, policy: NDArray) -> NDArray[np.bool_]:
        """Whether a policy (states,) would have made all the decisions about each part, (parts,)."""
        return ((policy[self.state] == self.action) | (self.action < 0)).all(axis=1)


def play(
    line: Problem,
    live: NDArray,
    challenger: NDArray | None,
    parts: int,
    rng: np.random.Generator,
    *,
    share: float = 0.5,
    explore: float = 0.05,
) -> Log:
    """Sort parts: explore some, and send the others to one of two policies.

    An explored part is asked about at random, as often as the horizon allows; then the live policy decides.

    Args:
        line: the problem whose tables draw kinds and answers.
        live: an action for each state, (states,).
        challenger: the same; None to send all parts to `live`.
        parts: how many.
        rng: where chance comes from.
        share: of the parts that are not explored, how many go to the challenger.
        explore: the share of all parts that are explored.

    Raises:
        ValueError: a number is out of its range.
    """
    check_whole("parts", parts, 1)
    check_number("share", share, 0.01, 0.99)
    check_number("explore", explore, 0, 0.9)
    share = 0.0 if challenger is None else share
    challenger = live if challenger is None else challenger
    states, senses, horizon = line.states, len(line.senses), line.horizon
    edges = [sense.table.cumsum(axis=1) for sense in line.senses]
    kind = rng.choice(len(line.prior), size=parts, p=line.prior)
    explored, sent = rng.random(parts) < explore, rng.random(parts) < share
    at, going, reward = np.zeros(parts, dtype=np.int64), np.ones(parts, dtype=bool), np.zeros(parts)
    state = np.zeros((parts, horizon + 1), dtype=np.int32)
    action, symbol = (np.full((parts, horizon + 1), -1, dtype=np.int8) for _ in range(2))
    by_chance = np.ones(parts)  # of these decisions, if the part were explored
    for step in range(horizon + 1):
        free = states.allowed[at, :senses]
        chance = np.where(free, rng.random((parts, senses)), -1)
        asks = explored & free.any(axis=1)
        chosen = np.where(asks, chance.argmax(axis=1), np.where(sent & ~explored, challenger[at], live[at]))
        number = free.sum(axis=1)
        likely = np.where(number > 0, (chosen < senses) / np.maximum(number, 1), chosen == live[at])
        by_chance = np.where(going, by_chance * likely, by_chance)
        state[going, step], action[going, step] = at[going], chosen[going]
        draws = rng.random(parts)
        for sense in range(senses):
            who = np.flatnonzero(going & (chosen == sense))
            edge = edges[sense][kind[who]]
            answer = (draws[who, None] * edge[:, -1:] >= edge[:, :-1]).sum(axis=1)
            symbol[who, step] = answer
            reward[who] -= line.senses[sense].cost
            at[who] = states.following[at[who], states.columns[sense].start + answer]
        ends = going & (chosen >= senses)
        reward[ends] += line.payoff[kind[ends], chosen[ends] - senses]
        going &= ~ends
    log = Log(kind, state, action, symbol, reward, by_chance)
    mixed = share * log.agrees(challenger) + (1 - share) * log.agrees(live)
    return Log(kind, state, action, symbol, reward, explore * by_chance + (1 - explore) * mixed)


def differences(log: Log, live: NDArray, challenger: NDArray, centre: float = CENTRE) -> NDArray[np.float64]:
    """For each part an unbiased estimate of what the challenger earns more, (parts,).

    (reward - centre) · (challenger agrees - live agrees) / propensity. Where both would have done the same, it is 0.
    """
    apart = log.agrees(challenger).astype(float) - log.agrees(live)
    return (log.reward - centre) * apart / log.propensity


def least_difference(line: Problem, share: float, explore: float, centre: float = CENTRE) -> float:
    """The least value that `differences` can have: it follows from what parts can pay and from the shares alone."""
    low = line.payoff.min() - line.horizon * max(line.costs)
    return split_least(low, line.payoff.max(), share, centre) / (1 - explore)


def counted(line: Problem, log: Log, kinds: NDArray | None = None, extra: float = 0.5) -> Problem:
    """The problem as a log shows it: frequencies of the kinds, and of each symbol for each kind.

    The tables may be counted like this, although the agent chose what to ask: given the kind, an answer does not depend on
    what was asked before.

    Args:
        line: for the costs, the payoffs and the number of symbols. Its tables and its prior are not used.
        log: of any policy.
        kinds: in place of those in the log, (parts,).
        extra: added to every count, so that no probability is 0.
    """
    kinds = log.kind if kinds is None else kinds
    tables = {}
    for number, (name, sense) in enumerate(zip(SENSES, line.senses, strict=True)):
        counts = np.full(sense.table.shape, extra)
        part, step = np.nonzero(log.action == number)
        np.add.at(counts, (kinds[part], log.symbol[part, step]), 1)
        tables[name] = counts / counts.sum(axis=1, keepdims=True)
    prior = np.bincount(kinds, minlength=len(line.prior)) + extra
    return part_sort(line.horizon, tables, prior=prior / prior.sum())


def arrays_of(problem: Problem) -> dict[str, NDArray]:
    """What a version is: the tables that it believes, the frequencies of the kinds, and the policy planned with them."""
    tables = {sense.name: sense.table for sense in problem.senses}
    return tables | {"prior": problem.prior, "policy": plan(problem).policy.astype(np.int8)}


def run(
    folder: str | Path,
    lines: Sequence[Problem],
    *,
    parts: int = 1000,
    seed: int = 0,
    gated: bool = True,
    share: float = 0.5,
    explore: float = 0.05,
    delta: float = 0.05,
    patience: int = 2,
    spoiled: Sequence[int] = (),
) -> Now:
    """Run the cycle to its end, from where it stands: from the beginning if the folder is empty.

    Args:
        folder: of the versions and the logs.
        lines: the problem of each round. The first version is planned with the tables of the first.
        parts: in a round.
        seed: the same seed gives the same files.
        gated: whether a new version has to pass the gate; else it is promoted as soon as it is made.
        share: of the parts that are not explored, how many go to the challenger.
        explore: the share of the parts about which is asked at random.
        delta: the largest acceptable probability that a challenger is promoted that is not better.
        patience: how many rounds a challenger is compared before it is given up.
        spoiled: rounds in whose training data the truths are attached to the wrong parts, as after a fault in an export.

    Raises:
        ValueError: a parameter is out of its range, or there is no round.
    """
    check_whole("patience", patience, 1)
    if not lines:
        raise ValueError("lines: expected the problem of each round, got none")
    store = Versions(folder)
    now = store.now() or begin(store, lines[0], seed)
    while now.state["round"] < len(lines):
        number = now.state["round"]
        line, state = lines[number], dict(now.state, round=number + 1)
        rng = np.random.default_rng(stream_seed(f"cycle, round {number}", seed))
        live, challenger = (policy(store, name) for name in (now.live, state["challenger"]))

        # Act, explore, and log with propensities.
        log = play(line, live, challenger, parts, rng, share=share, explore=explore)
        write_log(log_path(store, number), log)

        # Compare: bet on the challenger.
        promoted, why = None, ""
        if challenger is not None:
            least = least_difference(line, share, explore)
            gate = BettingGate.from_state(state["gate"]) if state["gate"] else BettingGate(least, delta)
            if gate.observe(differences(log, live, challenger)):
                promoted = state["challenger"]
                why = f"capital above {1 / gate.delta:g} after {gate.crossed} parts"
            state |= {"gate": gate.state(), "age": state["age"] + 1}
            if promoted or state["age"] >= patience:
                state |= {"challenger": None, "gate": None, "age": 0}

        # Refit, if there is nothing to compare: plan with what the newest log shows.
        acting = promoted or now.live
        if state["challenger"] is None:
            kinds = rng.permutation(log.kind) if number in spoiled else log.kind
            fitted = {"kind": kinds, "action": log.action, "symbol": log.symbol}
            arrays = arrays_of(counted(line, log, kinds))
            if (arrays["policy"] != policy(store, acting)).any():
                about = Version(f"version-{number + 1:04}", acting, data_hash(fitted), seed, {"parts": float(parts)})
                state["challenger"] = store.save(about, arrays).name

        # Promote, roll back, or go on: this one write ends the round.
        if not gated and state["challenger"] is not None:
            new = state["challenger"]
            now = store.promote(new, "refitted", state | {"challenger": None})
        elif promoted is None:
            now = store.keep(state)
        elif promoted == store.load(now.live)[0].parent:
            now = store.roll_back(why, state)
        else:
            now = store.promote(promoted, why, state)
    return now


def begin(store: Versions, line: Problem, seed: int) -> Now:
    """The first version: planned with the tables of this line."""
    arrays = arrays_of(line)
    store.save(Version(FIRST, None, data_hash(arrays), seed, {}), arrays)
    state = {"round": 0, "challenger": None, "gate": None, "age": 0}
    return store.promote(FIRST, "the first", state)


def force(folder: str | Path, problem: Problem, why: str, seed: int = 0) -> Now:
    """Promote the plan for this problem without asking the gate; the version before it becomes the challenger.

    So the gate watches the new version, and rolls back if the old one turns out to be better.

    Raises:
        ValueError: the cycle has not begun.
    """
    store = Versions(folder)
    now = store.now()
    if now is None:
        raise ValueError("the cycle has not begun: call run first")
    arrays = arrays_of(problem)
    name = f"forced-{now.state['round']:04}"
    store.save(Version(name, now.live, data_hash(arrays), seed, {}), arrays)
    return store.promote(name, why, now.state | {"challenger": now.live, "gate": None, "age": 0})


def policy(store: Versions, name: str | None) -> NDArray | None:
    """The policy of a version, (states,); None for no version."""
    return None if name is None else store.load(name)[1]["policy"].astype(np.int64)


def live_in(store: Versions, rounds: int) -> list[str]:
    """The name of the version that was live in each round."""
    now = store.now()
    moves = [] if now is None else [(move["round"], move["to"]) for move in now.history]
    return [[name for first, name in moves if first <= number][-1] for number in range(rounds)]


def exact_values(folder: str | Path, lines: Sequence[Problem]) -> NDArray[np.float64]:
    """The exact value of the live version in each round, (rounds,): what it earns for a part that only it decides about."""
    store, known = Versions(folder), {}
    found = []
    for name, line in zip(live_in(store, len(lines)), lines, strict=True):
        if (key := (name, id(line))) not in known:
            known[key] = follow(line, policy(store, name)).value
        found.append(known[key])
    return np.array(found)


def steps(folder: str | Path, lines: Sequence[Problem]) -> NDArray[np.float64]:
    """By how much the exact value changed with each move to another version, in the line of the round before it, (moves,)."""
    store = Versions(folder)
    names, found = live_in(store, len(lines)), []
    for old, new, line in zip(names, names[1:], lines, strict=False):
        if new != old:
            was, now = (follow(line, policy(store, name)).value for name in (old, new))
            found.append(now - was)
    return np.array(found)


def earned(folder: str | Path, rounds: int) -> NDArray[np.float64]:
    """The mean reward for a part in each round, with all that exploring and comparing cost, (rounds,)."""
    store = Versions(folder)
    return np.array([read_log(log_path(store, number)).reward.mean() for number in range(rounds)])


def log_path(store: Versions, number: int) -> Path:
    """Where the log of a round is."""
    return store.folder / "logs" / f"round-{number:04}.npz"


def write_log(path: Path, log: Log) -> None:
    """Write a log, whole or not at all."""
    path.parent.mkdir(exist_ok=True)
    with whole_file(path) as partial, partial.open("wb") as file:
        np.savez(file, **vars(log))


def read_log(path: Path) -> Log:
    """A log that `write_log` wrote.

    Raises:
        ValueError: it is no such file.
    """
    with np.load(path, allow_pickle=False) as file:
        if set(file.files) != {field.name for field in fields(Log)}:
            raise ValueError(f"{path} is no log of the cycle")
        return Log(**{name: file[name] for name in file.files})
