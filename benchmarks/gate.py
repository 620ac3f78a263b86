"""What may an agent conclude from its log? False promotions and delays of gates, estimates from logs, and bandits' exact regret.

    python benchmarks/gate.py

The line of lesson 12 in its smallest form. For each part two senses say one of six bins, and whether a crack was heard. The old
version scraps a part with a crack and calls a human for all others; the new one puts those into the bin that was said. The
accuracy of the first sense is chosen so that the new version earns exactly as much for a part as the old one, or .1 more or
less. The result goes to `gate.json` beside this file. About two minutes on one thread.
"""

from __future__ import annotations

import math
import time

import numpy as np
import results
from numpy.typing import NDArray

from babyagi_lib.agents import gate
from babyagi_lib.basics.streams import stream_seed
from babyagi_lib.rl import bandits, off_policy
from babyagi_lib.worlds.part_notes import HUMAN, RIGHT_BIN, SCRAP, SHIPPED_CRACKED
from babyagi_lib.worlds.part_sort import PAYOFF
from babyagi_lib.worlds.part_symbols import IS_CRACKED, KINDS, PRIOR

SEED = 0
DELTA = 0.05
GAIN = 0.1
LOW, HIGH = SHIPPED_CRACKED, RIGHT_BIN  # rewards
HEARD = 0.9  # how often a crack is heard, and a whole part sounds whole
BINS = KINDS // 2

REPETITIONS, RESAMPLES, CHUNK = 10_000, 200, 1000
SIZES = (50, 100, 300, 1000)
LOOKS, BETWEEN = 40, 50
EXPLORED = (0.1, 0.3, 0.5)
RACES, RACE_LOOKS, RACE_BETWEEN = 2000, 100, 250
LOGS, DECISIONS = 4000, 500
CLIP, ADDED = 10.0, 3.0
LENGTHS, EPISODES, EPISODE_LOGS = (1, 2, 4, 10, 20), 500, 1000
HORIZONS = (50, 100, 150)
MEANS, TAIL = (0.6, 0.4), 10.0
RULES = {
    "UCB, posterior mean, width .2": bandits.ucb,
    "greedy": bandits.greedy,
    "Thompson": bandits.thompson,
    "epsilon-greedy, .1": bandits.epsilon_greedy,
    "UCB1": bandits.ucb1,
}


def generator(purpose: str) -> np.random.Generator:
    return np.random.default_rng(stream_seed(purpose, SEED))


# --- the line ---------------------------------------------------------------------------------------------------


def line(accuracy: float) -> NDArray:
    """Probability of each reading together with each kind of part, (12 readings, 12 kinds)."""
    kinds = np.arange(KINDS)
    said = np.full((KINDS, BINS), (1 - accuracy) / (BINS - 1))
    said[kinds, kinds // 2] = accuracy
    heard = np.where(IS_CRACKED == 1, HEARD, 1 - HEARD)
    crack = np.stack([1 - heard, heard], axis=1)
    return (PRIOR[:, None, None] * said[:, :, None] * crack[:, None, :]).reshape(KINDS, 2 * BINS).T


def versions() -> tuple[NDArray, NDArray]:
    """The old and the new version, (12 readings, 8 actions)."""
    reading = np.arange(2 * BINS)
    actions = np.eye(PAYOFF.shape[1])
    crack = reading % 2 == 1
    return actions[np.where(crack, SCRAP, HUMAN)], actions[np.where(crack, SCRAP, reading // 2)]


OLD, NEW = versions()


def accuracy(gain: float) -> float:
    """With which the new version earns this much more than the old one for a part."""
    none, all_right = (off_policy.value(line(a), PAYOFF, NEW) - off_policy.value(line(a), PAYOFF, OLD) for a in (0, 1))
    return (gain - none) / (all_right - none)


def exploring(share: float) -> NDArray:
    """The old version, but for a share of decisions that are drawn from all actions alike."""
    return (1 - share) * OLD + share / PAYOFF.shape[1]


def explored(share: float, gain: float, centre: float = 0.0) -> tuple[NDArray, NDArray, float, float]:
    """D from logged decisions with exploration: its values, their probabilities, its least and its largest possible value."""
    joint, behaviour = line(accuracy(gain)), exploring(share)
    atoms, p = off_policy.differences(joint, PAYOFF, behaviour, OLD, NEW, centre)
    least = off_policy.least_difference(behaviour, OLD, NEW, LOW, HIGH, centre)
    return atoms, p, least, -off_policy.least_difference(behaviour, NEW, OLD, LOW, HIGH, centre)


def split(share: float, gain: float) -> tuple[NDArray, NDArray, float, float]:
    """D where a share of the parts goes to the new version: the same four."""
    joint = line(accuracy(gain))
    atoms, p = [], []
    for version, sent, chance in ((NEW, True, share), (OLD, False, 1 - share)):
        both = joint[:, :, None] * version[:, None, :]
        reward = np.broadcast_to(PAYOFF, both.shape)[both > 0]
        atoms.append(gate.split_difference(reward, np.full(reward.shape, sent), share))
        p.append(chance * both[both > 0])
    limits = gate.split_least(LOW, HIGH, share), -gate.split_least(LOW, HIGH, 1 - share)
    found, place = np.unique(np.round(np.concatenate(atoms), 12), return_inverse=True)
    return found, np.bincount(place, weights=np.concatenate(p)), *limits


# --- gates ------------------------------------------------------------------------------------------------------


def wilson(share: float, n: int) -> list[float]:
    """The 95% interval of a share of n (Wilson 1927)."""
    z2 = off_policy.Z**2
    middle, half = share + z2 / (2 * n), off_policy.Z * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return [round(max(0.0, (middle + side * half) / (1 + z2 / n)), 5) for side in (-1, 1)]


def sampled_least(counts: NDArray, atoms: NDArray) -> NDArray:
    """Whether a bet with the least value of the sample in place of the least possible one promotes, (...)."""
    least = np.where(counts > 0, atoms, np.inf).min(axis=-1)
    promoted = (least >= 0) & ((counts > 0) & (atoms > 0)).any(axis=-1)  # it never lost, so it bets without any limit
    for value in np.unique(least[least < 0]):
        here, possible = least == value, atoms >= value
        promoted[here] = gate.capital(counts[here][:, possible], atoms[possible], value) >= 1 / DELTA
    return promoted


def resampled(counts: NDArray, atoms: NDArray, rng: np.random.Generator) -> NDArray:
    """Whether the bootstrap promotes, for (repetitions, atoms) or (repetitions, looks, atoms), in pieces."""
    pieces = [
        gate.bootstrap_bound(counts[begin : begin + CHUNK], atoms, DELTA, RESAMPLES, rng) > 0
        for begin in range(0, len(counts), CHUNK)
    ]
    return np.concatenate(pieces)


def false_promotions(name: str, atoms: NDArray, p: NDArray, least: float, most: float, n: int, looks: int = 1) -> dict:
    """How often each gate promotes, looking `looks` times, every n decisions, in `REPETITIONS` repetitions."""
    rng = generator(f"false promotions, {name}")
    counts = rng.multinomial(n, p, size=(REPETITIONS, looks)).cumsum(axis=1)
    moments = gate.moments(counts, atoms)
    promoted = {
        "normal": gate.normal_bound(*moments, DELTA) > 0,
        "bootstrap": resampled(counts, atoms, rng),
        "normal, delta/looks": gate.normal_bound(*moments, DELTA / looks) > 0,
        "Maurer-Pontil, delta/looks": gate.empirical_bernstein_bound(*moments, DELTA / looks, most - least) > 0,
        "bet": gate.capital(counts, atoms, least) >= 1 / DELTA,
        "bet, least of the sample": np.stack([sampled_least(counts[:, k], atoms) for k in range(looks)], axis=1),
    }
    return {"name": name} | {gate_: round(float(at.any(axis=1).mean()), 4) for gate_, at in promoted.items()}


def all_false_promotions() -> list[dict]:
    equal, worse, half = explored(0.1, 0.0), explored(0.1, -GAIN), split(0.5, 0.0)
    centred = explored(0.1, 0.0, centre=float(PAYOFF[0, HUMAN]))
    return [
        *(false_promotions(f"equal, {n:,} decisions", *equal, n) for n in SIZES),
        false_promotions(f"equal, {LOOKS} looks, every {BETWEEN}", *equal, BETWEEN, LOOKS),
        false_promotions(f"worse by {GAIN}, {SIZES[0]} decisions", *worse, SIZES[0]),
        false_promotions(f"worse by {GAIN}, {LOOKS} looks, every {BETWEEN}", *worse, BETWEEN, LOOKS),
        false_promotions(f"equal, reward less -.2, {SIZES[1]} decisions", *centred, SIZES[1]),
        false_promotions(f"equal, reward less -.2, {LOOKS} looks, every {BETWEEN}", *centred, BETWEEN, LOOKS),
        false_promotions(f"equal, half of the parts to it, {SIZES[0]} parts", *half, SIZES[0]),
        false_promotions(f"equal, half of the parts to it, {LOOKS} looks, every {BETWEEN}", *half, BETWEEN, LOOKS),
    ]


def race(atoms: NDArray, p: NDArray, least: float, most: float, rng: np.random.Generator) -> dict[str, NDArray]:
    """After how many decisions each gate promotes, (RACES,); inf where it has not after the last look.

    The largest value of D plays no part.
    """
    counts = rng.multinomial(RACE_BETWEEN, p, size=(RACES, RACE_LOOKS)).cumsum(axis=1)
    moments = gate.moments(counts, atoms)
    promoted = {
        "normal": gate.normal_bound(*moments, DELTA) > 0,
        "normal, delta/looks": gate.normal_bound(*moments, DELTA / RACE_LOOKS) > 0,
        "bet": gate.capital(counts, atoms, least) >= 1 / DELTA,
    }
    return {
        name: np.where(at.any(axis=1), (at.argmax(axis=1) + 1) * RACE_BETWEEN, np.inf) for name, at in promoted.items()
    }


def delay(name: str, share: float) -> dict:
    """How long the gates take if the new version is better, and what they do and what it costs if it is not."""
    kinds = {"split": split, "exploring": explored}
    better, equal = (race(*kinds[name](share, gain), generator(f"race, {name} {share} {gain}")) for gain in (GAIN, 0.0))
    value = {gain: off_policy.value(line(accuracy(gain)), PAYOFF, OLD) for gain in (0.0, -GAIN)}
    cost = {
        gain: share * GAIN * (gain < 0)
        if name == "split"
        else value[gain] - off_policy.value(line(accuracy(gain)), PAYOFF, exploring(share))
        for gain in value
    }
    row: dict = {"name": f"{name}, {share}", "least D": round(kinds[name](share, 0.0)[2], 2)}
    for gate_, delays in better.items():
        median = float(np.median(delays))
        row |= {
            f"{gate_}: median delay": f"above {RACE_LOOKS * RACE_BETWEEN:,}" if math.isinf(median) else int(median),
            f"{gate_}: promoted": round(float(np.isfinite(delays).mean()), 3),
            f"{gate_}: if equal": round(float(np.isfinite(equal[gate_]).mean()), 4),
        }
    return row | {
        "cost for 1,000 parts if equal": round(1000 * cost[0.0], 1),
        f"if worse by {GAIN}": round(1000 * cost[-GAIN], 1),
    }


# --- logs -------------------------------------------------------------------------------------------------------


def scored(name: str, found: off_policy.Interval, exact: float) -> dict:
    """Bias with its 95% interval, spread and coverage over many logs."""
    error = found.estimate - exact
    return {
        "name": name,
        "bias": round(float(error.mean()), 4),
        "± of the bias": round(float(off_policy.Z * error.std() / math.sqrt(len(error))), 4),
        "sd": round(float(error.std()), 4),
        "coverage": round(float(((found.low <= exact) & (exact <= found.high)).mean()), 4),
    }


def matching(log: off_policy.Log, policy: NDArray) -> off_policy.Interval:
    """What is left without propensities: the mean reward of the decisions that the policy would have taken, too."""
    would = policy[log.context, log.action] > 0
    n = would.sum(axis=-1)
    mean = (would * log.reward).sum(axis=-1) / n
    spread = np.sqrt((would * (log.reward - mean[:, None]) ** 2).sum(axis=-1) / (n - 1))
    half = off_policy.Z * spread / np.sqrt(n)
    return off_policy.Interval(mean, mean - half, mean + half)


def estimates() -> list[dict]:
    """Estimates of what the new version earns, from logs of the old one with exploration."""
    joint, behaviour = line(accuracy(GAIN)), exploring(0.1)
    exact = off_policy.value(joint, PAYOFF, NEW)
    logs = off_policy.draw_log(joint, PAYOFF, behaviour, (LOGS, DECISIONS), generator("logs"))
    moved = off_policy.Log(logs.context, logs.action, logs.propensity, logs.reward + ADDED)
    true = joint @ PAYOFF / joint.sum(axis=1, keepdims=True)
    earlier = off_policy.draw_log(joint, PAYOFF, behaviour, 4 * DECISIONS, generator("earlier log"))
    seen = np.zeros((2, *true.shape))
    np.add.at(seen, (slice(None), earlier.context, earlier.action), np.stack([earlier.reward, np.ones(4 * DECISIONS)]))
    model = seen[0] / np.maximum(seen[1], 1)  # 0 where the earlier log has nothing
    return [
        scored("IPS", off_policy.ips(logs, NEW), exact),
        scored("SNIPS", off_policy.snips(logs, NEW), exact),
        scored("DR, model from an earlier log", off_policy.doubly_robust(logs, NEW, model), exact),
        scored("DR, true expectations as the model", off_policy.doubly_robust(logs, NEW, true), exact),
        scored(f"IPS, weights cut at {CLIP:.0f}", off_policy.ips(logs, NEW, CLIP), exact),
        scored("without propensities: mean of what agrees", matching(logs, NEW), exact),
        scored(f"IPS, {ADDED:.0f} added to every reward", off_policy.ips(moved, NEW), exact + ADDED),
        scored(f"SNIPS, {ADDED:.0f} added to every reward", off_policy.snips(moved, NEW), exact + ADDED),
    ]


def episodes() -> list[dict]:
    """Estimates for episodes of several decisions, explored with a share of .3: products of weights."""
    joint, behaviour = line(accuracy(GAIN)), exploring(0.3)
    one = off_policy.value(joint, PAYOFF, NEW)
    rows = []
    for length in LENGTHS:
        rng, found = generator(f"episodes of {length}"), {"whole": [], "per decision": []}
        effective = []
        for _ in range(EPISODE_LOGS):
            log = off_policy.draw_log(joint, PAYOFF, behaviour, (EPISODES, length), rng)
            ratio = off_policy.weights(log, NEW)
            found["whole"].append(off_policy.whole_episode(ratio, log.reward))
            found["per decision"].append(off_policy.per_decision(ratio, log.reward))
            effective.append(off_policy.effective_size(ratio.prod(axis=1)))
        row = {
            "name": f"{length} decision{'s' * (length > 1)}",
            "effective episodes, median": round(float(np.median(effective)), 1),
        }
        for name, intervals in found.items():
            every = off_policy.Interval(*np.array(intervals).T)
            told = scored(name, every, length * one)
            row |= {f"{name}, sd": told["sd"], f"{name}, coverage": told["coverage"]}
        rows.append(row)
    return rows


# --- bandits ----------------------------------------------------------------------------------------------------


def regrets() -> list[dict]:
    """Exact Bayes regrets, and at H 100 the probability of a regret above `TAIL` if the means are `MEANS`."""
    rules = {"optimum": None} | RULES
    rows = []
    for name, rule in rules.items():
        followed = {h: bandits.follow(rule or bandits.plan(h).rule, h) for h in HORIZONS}
        row = {"name": name} | {f"H {h}": round(float(found.bayes_regret[-1]), 3) for h, found in followed.items()}
        row["H 100, means .6 and .4"] = round(followed[100].regret(MEANS), 3)
        row["regret above 10 there"] = round(followed[100].tail(MEANS, TAIL), 4)
        rows.append(row)
    return rows


def conclusions(result: dict) -> dict:
    """The tables that the book shows: one for each question."""

    def table(rows: list[dict], head: str) -> list[str]:
        columns = dict.fromkeys(key for row in rows for key in row if key != "name")
        return [
            f"| {head} | " + " | ".join(columns) + " |",
            "|---" * (len(columns) + 1) + "|",
            *("| " + " | ".join(str(row.get(key, "")) for key in ("name", *columns)) + " |" for row in rows),
            "",
        ]

    settings = result["settings"]
    return {
        "markdown": [
            f"How often a gate promotes a version that is not better, delta {settings['delta']}, "
            f"{settings['repetitions']:,} repetitions:",
            "",
            *table(result["runs"], "new version"),
            f"How long a gate takes if the new version is better by {settings['gain']} for a part, looking every "
            f"{settings['every']} parts until {settings['last']:,}, {settings['races']:,} repetitions:",
            "",
            *table(result["delays"], "evidence from"),
            f"What the new version earns, estimated from {settings['logs']:,} logs of {settings['decisions']} decisions:",
            "",
            *table(result["estimates"], "estimate"),
            "The same for episodes of several decisions:",
            "",
            *table(result["episodes"], "episode"),
            "Bayes regret of two arms, exactly:",
            "",
            *table(result["bandits"], "rule"),
            results.markdown(result)[-1],
        ]
    }


def main() -> None:
    started = time.process_time()
    found = {}
    for name, measure in (
        ("runs", all_false_promotions),
        ("delays", lambda: [delay(kind, share) for kind in ("split", "exploring") for share in EXPLORED]),
        ("estimates", estimates),
        ("episodes", episodes),
        ("bandits", regrets),
    ):
        found[name] = measure()
        print(name, f"{time.process_time() - started:.0f} s", *found[name], sep="\n", flush=True)
    results.write(
        "gate",
        title="What an agent may conclude from its log",
        data=f"12 readings and 8 decisions of invented parts; new version equal to the old one, or {GAIN} better or worse for "
        f"a part; logged by the old version with a share of .1 of its decisions at random, where nothing else is said",
        model="tables, no model",
        settings={
            "delta": DELTA,
            "gain": GAIN,
            "repetitions": REPETITIONS,
            "resamples": RESAMPLES,
            "races": RACES,
            "every": RACE_BETWEEN,
            "last": RACE_BETWEEN * RACE_LOOKS,
            "logs": LOGS,
            "decisions": DECISIONS,
        },
        intervals={
            row["name"]: {key: wilson(value, REPETITIONS) for key, value in row.items() if key != "name"}
            for row in found["runs"]
        },
        seconds=round(time.process_time() - started),
        conclusions=conclusions,
        **found,
    )


if __name__ == "__main__":
    main()
