"""A world as a table: the Markov decision process of an environment. Used by lesson 06. Imports no torch.

In a Markov decision process the agent is in a state, takes an action, and receives a reward and a next state, drawn
with probabilities that depend on the state and the action alone. Gymnasium's toy-text environments carry that table
with them (`env.unwrapped.P`). `from_gymnasium` reads it, plays the environment to see that the table describes it, and
`exact` and `tabular` use nothing but the table.

An episode can end in two ways, and only one of them is part of the table. *Termination* belongs to the world: after it
nothing more can be earned, so the value of what follows is zero. *Truncation* is a time limit outside the world: the
state after it keeps its value, and the agent's estimate of that value is still used.
"""

from __future__ import annotations

import copy
import math
import numbers
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import gymnasium

SUM_TOLERANCE = 1e-6  # of probabilities; leaves room for a table that was float32
# Wrappers that leave observations, actions, rewards and transitions as they are.
HARMLESS = (
    "HumanRendering",
    "OrderEnforcing",
    "PassiveEnvChecker",
    "RecordEpisodeStatistics",
    "RecordVideo",
    "RenderCollection",
    "TimeLimit",
)
PLAYED = 20_000  # steps played to compare an environment with its table
PLANS = 25  # how often, in these, the way to the least tried actions is planned
EPISODE = 100  # steps after which an episode is cut
FALSE_ALARM = 1e-9  # probability that the frequencies of a right table are refused


@dataclass(frozen=True, eq=False)
class MDP:
    """The table of a world with numbered states and actions.

    Every pair of state and action has the same number of possible outcomes; where there are fewer, the rest have
    probability zero.

    Attributes:
        name: for messages and figures.
        probability: of each outcome, (states, actions, outcomes); sums to 1 over the last axis.
        next_state: of each outcome, integers of the same shape.
        reward: of each outcome, the same shape.
        terminated: whether the episode is over after it, booleans of the same shape.
        start: probability of each state to be the first of an episode, (states,).

    Raises:
        ValueError: shapes, probabilities or state numbers that are not those of a Markov decision process.
    """

    name: str
    probability: NDArray
    next_state: NDArray
    reward: NDArray
    terminated: NDArray
    start: NDArray

    def __post_init__(self) -> None:
        shape = self.probability.shape
        if len(shape) != 3 or {self.next_state.shape, self.reward.shape, self.terminated.shape} != {shape}:
            raise ValueError(f"{self.name}: all four tables must have one shape (states, actions, outcomes)")
        if self.start.shape != shape[:1]:
            raise ValueError(f"{self.name}: start has the shape {self.start.shape}, expected ({shape[0]},)")
        if 0 in shape:
            raise ValueError(f"{self.name}: the shape is {shape}; expected a state, an action and an outcome at least")
        if self.next_state.dtype.kind not in "iu" or self.terminated.dtype != bool:
            raise ValueError(f"{self.name}: next_state must be of integers and terminated of booleans")
        if not np.isfinite(self.reward).all():
            raise ValueError(f"{self.name}: every reward must be a finite number")
        if not _sum_to_one(self.start):
            raise ValueError(f"{self.name}: the probabilities of the first state must be at least 0 and sum to 1")
        wrong = np.argwhere(~_sum_to_one(self.probability))
        if len(wrong):
            state, action = wrong[0]
            raise ValueError(
                f"{self.name}: in state {state}, action {action}, the probabilities of the outcomes must be at least 0 and "
                f"sum to 1; they are {self.probability[state, action]}"
            )
        if (self.next_state < 0).any() or (self.next_state >= shape[0]).any():
            raise ValueError(f"{self.name}: next_state names a state that is not in 0..{shape[0] - 1}")

    @property
    def states(self) -> int:
        """How many states there are."""
        return self.probability.shape[0]

    @property
    def actions(self) -> int:
        """How many actions there are, the same in every state."""
        return self.probability.shape[1]

    @property
    def deterministic(self) -> bool:
        """True if every action has one outcome."""
        return bool(((self.probability > 0).sum(axis=-1) == 1).all())

    @cached_property
    def acting(self) -> NDArray:
        """Where the agent can ever have to act, booleans (states,): the states that can be reached from the start.

        A state that is only entered as an episode ends is not among them: no action is ever chosen there, so there is
        no action value to learn or to compare.
        """
        possible = (self.probability > 0) & ~self.terminated
        found, fresh = self.start > 0, self.start > 0
        while fresh.any():
            entered = np.zeros(self.states, dtype=bool)
            entered[self.next_state[fresh][possible[fresh]]] = True
            fresh = entered & ~found
            found = found | fresh
        return found


def _sum_to_one(p: NDArray) -> NDArray:
    return (p >= 0).all(axis=-1) & (np.abs(p.sum(axis=-1) - 1) <= SUM_TOLERANCE)


def from_gymnasium(env: gymnasium.Env) -> MDP:
    """Read the table that a toy-text environment carries, `env.unwrapped.P[state][action]`, and compare it with play.

    A copy of the environment is played for `PLAYED` steps; `env` itself is left as it is. Every transition must be in the
    table, with its reward and its termination, and must be as frequent as the table says. The probability that chance
    alone makes a right table fail is at most `FALSE_ALARM`. A difference that does not occur in these steps is not found.

    A time limit is not in the table; `env.spec.max_episode_steps` has it.

    Raises:
        ValueError: the environment has no such table, or no distribution of its first state, or they are not those of a
            Markov decision process; a wrapper can change rewards, observations, actions or transitions; or play differs
            from the table, because of a hidden state, for example.
    """
    world = env.unwrapped
    name = env.spec.id if env.spec else type(world).__name__
    table, start = getattr(world, "P", None), getattr(world, "initial_state_distrib", None)
    if table is None or start is None:
        raise ValueError(
            f"{name} carries no table of its transitions (`P` and `initial_state_distrib`). FrozenLake-v1, "
            "CliffWalking-v1 and Taxi-v4 do; for other environments the optimal answer is not known this way."
        )
    _check_wrappers(env, name)
    if getattr(world, "fickle_passenger", False):
        raise ValueError(
            f"{name}: a fickle passenger may choose another destination on the way, and whether this has happened is "
            "hidden from the agent and missing in the table. Make the environment with fickle_passenger=False."
        )
    try:
        rows = [[[(p, s, r, t) for p, s, r, t in table[n][a]] for a in range(len(table[n]))] for n in range(len(table))]
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(
            f"{name}: expected P[state][action], both numbered from 0, to be a list of (probability, next state, reward, "
            f"terminated); found {error!r}"
        ) from error
    if len({len(row) for row in rows}) != 1:
        raise ValueError(f"{name}: expected the same number of actions in every state")
    width = max(len(outcomes) for row in rows for outcomes in row)
    unused = (0.0, 0, 0.0, False)
    padded = [[[*outcomes, *[unused] * (width - len(outcomes))] for outcomes in row] for row in rows]

    def column(which: int, kind: type) -> NDArray:
        return np.array([[[outcome[which] for outcome in o] for o in row] for row in padded], dtype=kind)

    mdp = MDP(name, column(0, float), column(1, int), column(2, float), column(3, bool), np.array(start, dtype=float))
    _compare_with_play(mdp, world, seed=0)
    return mdp


def _check_wrappers(env: gymnasium.Env, name: str) -> None:
    """Raise ValueError if a wrapper around the world is not known to leave it as it is."""
    import gymnasium

    layer = env
    while layer is not env.unwrapped:
        kind = type(layer)
        harmless = kind.__module__.startswith("gymnasium.wrappers") and kind.__name__ in HARMLESS
        changes = kind.step is not gymnasium.Wrapper.step or kind.reset is not gymnasium.Wrapper.reset
        if changes and not harmless:
            raise ValueError(
                f"{name} is wrapped in {kind.__name__}, which can change rewards, observations, actions or transitions; "
                "the table is that of the world inside. Read it without this wrapper, or pass env.unwrapped."
            )
        layer = layer.env


def _compare_with_play(mdp: MDP, world: gymnasium.Env, seed: int) -> None:
    """Raise ValueError if transitions of a copy of the world are not those of the table, or not as frequent."""
    try:
        firsts, seen = _play(mdp, world, seed)
    except Exception as error:
        raise ValueError(f"{mdp.name} cannot be played to compare it with its table: {error!r}") from error
    expected = {pair: _outcomes(mdp, *pair) for pair in seen}
    for (state, action), counts in seen.items():
        for outcome in counts:
            if outcome not in expected[state, action]:
                raise ValueError(
                    f"{mdp.name}: the table is not that of this world. In state {state}, action {action} led to "
                    f"(next state, reward, terminated) = {outcome}; the table has {list(expected[state, action])}. "
                    "A hidden state or a `step` of its own can be the cause; an optimum of the table would not be "
                    "that of the world."
                )
    begins = {state: p for state, p in enumerate(mdp.start.tolist()) if p > 0}
    if set(firsts) - set(begins):
        raise ValueError(
            f"{mdp.name}: an episode began in state {min(set(firsts) - set(begins))}, which the table excludes"
        )
    tests = sum(map(len, expected.values())) + len(begins)
    # Chernoff: after n draws, a share differs this much with probability 2 exp(-n KL) at most; n itself is random.
    surprise = math.log(2 * tests * PLAYED / FALSE_ALARM)
    for where, counts, chances in [("the first state", firsts, begins)] + [
        (f"state {state}, action {action}", seen[state, action], chances)
        for (state, action), chances in expected.items()
    ]:
        n = counts.total()
        for outcome, p in chances.items():
            if n * _divergence(counts[outcome] / n, min(p, 1.0)) > surprise:
                raise ValueError(
                    f"{mdp.name}: the table is not that of this world. In {n} trials of {where}, {outcome} happened "
                    f"{counts[outcome]} times; the table gives it the probability {p:.3g}."
                )


def _play(mdp: MDP, world: gymnasium.Env, seed: int) -> tuple[Counter, dict[tuple[int, int], Counter]]:
    """First states, and outcomes of states and actions, counted over `PLAYED` steps that try what was tried least."""
    twin = _copy(world)
    tried = np.zeros((mdp.states, mdp.actions))
    V = np.zeros(mdp.states)
    firsts, seen = Counter(), defaultdict(Counter)
    state, _ = twin.reset(seed=seed)
    firsts[_number(mdp, state)] += 1
    for step in range(PLAYED):
        if step % (PLAYED // PLANS) == 0:
            # Value iteration, with a reward that falls as an action is tried more often. After an end comes a start.
            for _ in range(40):
                after = np.where(mdp.terminated, mdp.start @ V, V[mdp.next_state])
                later = 0.95 * (mdp.probability * after).sum(axis=-1)
                V = (1 / (1 + tried) + later).max(axis=1)
        action = int((1 / (1 + tried[state]) + later[state]).argmax())
        after, reward, terminated, truncated, _ = twin.step(action)
        seen[int(state), action][_number(mdp, after), float(reward), bool(terminated)] += 1
        tried[state, action] += 1
        state = after
        if terminated or truncated or (step + 1) % EPISODE == 0:
            state, _ = twin.reset()
            firsts[_number(mdp, state)] += 1
    return firsts, dict(seen)


def _number(mdp: MDP, state: object) -> int:
    if not isinstance(state, numbers.Integral) or not 0 <= state < mdp.states:
        raise TypeError(f"an observation is {state!r}, not the number of a state")
    return int(state)


def _copy(world: gymnasium.Env) -> gymnasium.Env:
    """A copy to play on that draws no pictures. What cannot be copied, such as an open window, it shares unused."""
    shared = {}
    for value in vars(world).values():
        try:
            copy.deepcopy(value)
        except Exception:
            shared[id(value)] = value
    twin = copy.deepcopy(world, shared)
    twin.render_mode = None
    return twin


def _outcomes(mdp: MDP, state: int, action: int) -> dict[tuple[int, float, bool], float]:
    """The probability of each (next state, reward, terminated) that can follow an action."""
    found: dict[tuple[int, float, bool], float] = defaultdict(float)
    columns = (mdp.probability, mdp.next_state, mdp.reward, mdp.terminated)
    for p, *outcome in zip(*(column[state, action].tolist() for column in columns), strict=True):
        if p > 0:
            found[tuple(outcome)] += p
    return dict(found)


def _divergence(share: float, p: float) -> float:
    """Kullback-Leibler divergence of two coins with these probabilities of heads, in nats."""
    return sum(a * math.log(a / b) if b > 0 else math.inf for a, b in ((share, p), (1 - share, 1 - p)) if a > 0)
