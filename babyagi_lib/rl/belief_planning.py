"""Ask once more, or decide? The exact answer for senses that are tables. Used by lesson 12. Imports no torch.

Something is hidden, such as the kind of a machine part. Senses can be asked about it, each answer costs something, and after
at most `horizon` answers a final action is taken, whose payoff depends on what is hidden. Such a problem is a partially
observable Markov decision process (Kaelbling, Littman and Cassandra 1998, https://doi.org/10.1016/S0004-3702(98)00023-X).

Given what is hidden, the answers are independent. So their order does not matter: how often each symbol was seen says as much
as the whole history. These counts are the states here, and there are few enough of them to solve the problem exactly.

A belief is kept unnormalised, as prior · likelihood: its sum is the probability of these answers in one certain order. Then
the expectation over the next symbol is a plain sum over the states that can follow.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from babyagi_lib.basics.arguments import check_number, check_whole


@dataclass(frozen=True, eq=False)
class Sense:
    """Something that can be asked.

    Attributes:
        name: for messages and figures.
        table: the probability of each symbol for each hidden value, (hidden, symbols); rows sum to 1.
        cost: of one answer, 0 or more.
        repeatable: whether it may be asked more than once; another answer is then drawn anew.
    """

    name: str
    table: NDArray
    cost: float
    repeatable: bool = True

    def __post_init__(self) -> None:
        check_number(f"the cost of {self.name}", self.cost, 0)
        if self.table.ndim != 2 or not np.isfinite(self.table).all() or (self.table < 0).any():
            raise ValueError(f"{self.name}: the table must be (hidden, symbols), finite and not negative")
        if np.abs(self.table.sum(axis=1) - 1).max() > 1e-9:
            raise ValueError(f"{self.name}: every row of the table must sum to 1")

    @property
    def symbols(self) -> int:
        """How many answers there can be."""
        return self.table.shape[1]


@dataclass(frozen=True, eq=False)
class Problem:
    """What is hidden, what can be asked, and what the final actions pay.

    An action is a number: first the senses in their order, then the final actions.

    Attributes:
        prior: the probability of each hidden value, (hidden,).
        senses: in the order of their actions.
        payoff: of each final action for each hidden value, (hidden, finals).
        horizon: how many answers there can be at most, 0 or more.

    Raises:
        ValueError: shapes that do not fit, a prior that is no distribution, a payoff that is not finite.
    """

    prior: NDArray
    senses: tuple[Sense, ...]
    payoff: NDArray
    horizon: int

    def __post_init__(self) -> None:
        check_whole("horizon", self.horizon, 0)
        if self.prior.ndim != 1 or (self.prior < 0).any() or abs(self.prior.sum() - 1) > 1e-9:
            raise ValueError("the prior must be probabilities that sum to 1")
        if self.payoff.ndim != 2 or len(self.payoff) != len(self.prior) or not self.payoff.shape[1]:
            raise ValueError(f"the payoff has the shape {self.payoff.shape}; expected ({len(self.prior)}, finals)")
        if not np.isfinite(self.payoff).all():
            raise ValueError("every payoff must be a finite number")
        for sense in self.senses:
            if len(sense.table) != len(self.prior):
                raise ValueError(
                    f"{sense.name}: {len(sense.table)} rows, but there are {len(self.prior)} hidden values"
                )

    @property
    def finals(self) -> int:
        """How many final actions there are."""
        return self.payoff.shape[1]

    @property
    def actions(self) -> int:
        """Senses and final actions together."""
        return len(self.senses) + self.finals

    @property
    def costs(self) -> NDArray:
        """Of one answer of each sense, (senses,)."""
        return np.array([sense.cost for sense in self.senses])

    @cached_property
    def states(self) -> States:
        """All counts that can occur, made at the first use."""
        return enumerate_states(self)


@dataclass(frozen=True, eq=False)
class States:
    """All counts of symbols that are possible, those with fewer answers first; state 0 is the beginning.

    Attributes:
        counts: how often each symbol was seen, (states, symbols); the symbols of all senses side by side.
        first: the number of the first state with 0, 1, ... answers, and at the end the number of states.
        following: the state after each symbol, (states, symbols), or -1 where the sense may not be asked.
        weights: unnormalised beliefs, prior · likelihood, (states, hidden).
        allowed: whether an action may be taken, (states, actions).
        columns: of each sense, the slice of its symbols.
    """

    counts: NDArray
    first: NDArray
    following: NDArray
    weights: NDArray
    allowed: NDArray
    columns: tuple[slice, ...]

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def answers(self) -> NDArray:
        """How many answers there have been, (states,)."""
        return self.counts.sum(axis=1)

    @property
    def beliefs(self) -> NDArray:
        """The probability of each hidden value, (states, hidden); 0 where the counts are impossible."""
        total = self.weights.sum(axis=1, keepdims=True)
        return np.divide(self.weights, total, out=np.zeros_like(self.weights), where=total > 0)

    def level(self, answers: int) -> slice:
        """The states with so many answers."""
        return slice(self.first[answers], self.first[answers + 1])


def enumerate_states(problem: Problem) -> States:
    """All counts of a problem, answer by answer.

    Raises:
        ValueError: there are too many symbols for the horizon.
    """
    sizes = [sense.symbols for sense in problem.senses]
    ends = np.cumsum([0, *sizes])
    columns = tuple(slice(a, b) for a, b in itertools.pairwise(ends))
    once = np.repeat([not sense.repeatable for sense in problem.senses], sizes).astype(bool)
    # Counts as the digits of one number: a symbol can be seen once, or as often as there are answers.
    digits = np.where(once, 2, problem.horizon + 1).tolist()
    if np.prod([float(d) for d in digits]) > 2.0**62:
        raise ValueError(f"{ends[-1]} symbols are too many for a horizon of {problem.horizon}")
    places = np.cumprod([1, *digits[:-1]])[: len(digits)].astype(np.int64)
    tables = np.hstack([sense.table for sense in problem.senses] or [np.zeros((len(problem.prior), 0))])

    counts, weights = [np.zeros((1, ends[-1]), dtype=np.int8)], [problem.prior[None].astype(float)]
    first, following = [0, 1], []
    for answers in range(problem.horizon + 1):
        now, far = counts[-1], np.full(counts[-1].shape, -1)
        if answers < problem.horizon and ends[-1]:
            free = np.ones(now.shape, dtype=bool)
            for sense, part in zip(problem.senses, columns, strict=True):
                if not sense.repeatable:
                    free[:, part] = ~now[:, part].any(axis=1, keepdims=True)
            at, symbol = np.nonzero(free)
            keys = now[at].astype(np.int64) @ places + places[symbol]
            _, one, which = np.unique(keys, return_index=True, return_inverse=True)
            far[at, symbol] = first[-1] + which
            new = now[at[one]].copy()
            new[np.arange(len(one)), symbol[one]] += 1
            counts.append(new)
            weights.append(weights[-1][at[one]] * tables[:, symbol[one]].T)
            first.append(first[-1] + len(one))
        following.append(far)
        if len(counts) == answers + 1:
            break
    first += [first[-1]] * (problem.horizon + 2 - len(first))
    following = np.concatenate(following)
    may = [following[:, part].max(axis=1, initial=-1) >= 0 for part in columns]
    allowed = np.column_stack([*may, np.ones((len(following), problem.finals), dtype=bool)])
    return States(np.concatenate(counts), np.array(first), following, np.concatenate(weights), allowed, columns)


@dataclass(frozen=True, eq=False)
class Plan:
    """A policy and its exact values.

    Attributes:
        Q: the value of each action in each state, if the policy follows, (states, actions); -inf where it may not be taken.
        V: the value of each state, (states,); 0 where the counts are impossible.
        policy: the action of each state, (states,).
    """

    Q: NDArray
    V: NDArray
    policy: NDArray

    @property
    def value(self) -> float:
        """At the beginning, before any answer."""
        return float(self.V[0])


def plan(problem: Problem, payoff: ArrayLike | None = None) -> Plan:
    """The best policy, by backward induction over the counts: the states with most answers first.

    Args:
        problem: what can be asked, and what it costs.
        payoff: in place of the problem's, (hidden, finals).

    Of equal actions the last is taken, so that an agent does not ask for nothing.
    """
    states = problem.states
    W = final_values(problem, payoff)  # unnormalised: value times the probability of the answers
    best = np.empty(len(states))
    for answers in range(problem.horizon, -1, -1):
        here = states.level(answers)
        asking_values(problem, W, best, here)
        best[here] = W[here].max(axis=1)
    policy = W.shape[1] - 1 - W[:, ::-1].argmax(axis=1)
    return _normalised(states, W, best, policy)


def follow(
    problem: Problem, policy: ArrayLike, payoff: ArrayLike | None = None, costs: ArrayLike | None = None
) -> Plan:
    """The exact values of a given policy.

    Args:
        problem: what can be asked.
        policy: an action for each state, (states,), or a probability for each action, (states, actions).
        payoff: in place of the problem's, such as 1 for what is to be counted and 0 for the rest, (hidden, finals).
        costs: in place of those of the senses, (senses,).

    Raises:
        ValueError: the policy has a wrong shape, holds no probabilities, or takes an action that is not allowed.
    """
    states = problem.states
    chances = probabilities(problem, policy)
    W = final_values(problem, payoff)
    best = np.empty(len(states))
    for answers in range(problem.horizon, -1, -1):
        here = states.level(answers)
        asking_values(problem, W, best, here, costs)
        best[here] = (chances[here] * np.where(states.allowed[here], W[here], 0)).sum(axis=1)
    return _normalised(states, W, best, chances.argmax(axis=1))


def probabilities(problem: Problem, policy: ArrayLike) -> NDArray:
    """A policy as the probability of each action in each state, (states, actions); raises as `follow` does."""
    states, policy = problem.states, np.asarray(policy)
    shape = (len(states), problem.actions)
    if policy.shape == shape[:1] and policy.dtype.kind in "iu":
        if (policy < 0).any() or (policy >= shape[1]).any():
            raise ValueError(f"an action is not one of 0..{shape[1] - 1}")
        policy = np.eye(shape[1])[policy]
    if policy.shape != shape or not np.isfinite(policy).all():
        raise ValueError(f"the policy has the shape {policy.shape}; expected {shape[:1]} of whole numbers, or {shape}")
    if (policy < 0).any() or np.abs(policy.sum(axis=1) - 1).max() > 1e-6:
        raise ValueError("the probabilities of a state must be at least 0 and sum to 1")
    if (wrong := (policy > 0) & ~states.allowed).any():
        state, action = np.argwhere(wrong)[0]
        raise ValueError(f"action {action} is not allowed in state {state}, which has {states.answers[state]} answers")
    return policy


def visits(problem: Problem, policy: ArrayLike) -> NDArray:
    """How often an episode takes each action in each state: the occupancy, (states, actions), exactly.

    Raises:
        ValueError: as `follow` does.
    """
    states, chances = problem.states, probabilities(problem, policy)
    orders = np.zeros(
        len(states)
    )  # the orders of answers that lead here, each with the probability to ask in that order
    orders[0] = 1
    for answers in range(problem.horizon):
        here = states.level(answers)
        for sense, part in enumerate(states.columns):
            moving = np.broadcast_to((orders[here] * chances[here, sense])[:, None], states.following[here, part].shape)
            goes = states.following[here, part] >= 0
            np.add.at(orders, states.following[here, part][goes], moving[goes])
    return (orders * states.weights.sum(axis=1))[:, None] * chances


def at_beliefs(problem: Problem, beliefs: ArrayLike) -> NDArray:
    """The exact value of each action at any beliefs, with the whole horizon left: (beliefs, hidden) to (beliefs, actions).

    The prior of the problem is not used. A belief that is no prior of ours is one of another problem with the same senses.

    Raises:
        ValueError: the beliefs are not distributions over what is hidden.
    """
    beliefs = np.asarray(beliefs, dtype=float)
    if beliefs.ndim != 2 or beliefs.shape[1] != len(problem.prior) or np.abs(beliefs.sum(axis=1) - 1).max() > 1e-9:
        raise ValueError(f"beliefs must be rows of {len(problem.prior)} probabilities that sum to 1")
    states = replace(problem, prior=np.ones(len(problem.prior)) / len(problem.prior)).states
    likelihood = states.weights * len(problem.prior)
    values = []
    for belief in np.array_split(beliefs, max(1, len(beliefs) * len(states) // 500_000)):
        total = likelihood @ belief.T  # (states, beliefs)
        best = np.max([likelihood @ (belief * pays).T for pays in problem.payoff.T], axis=0)
        for answers in range(problem.horizon - 1, -1, -1):
            here, asking = states.level(answers), []
            for sense, part in enumerate(states.columns):
                far = states.following[here, part]
                worth = sum(best[symbol] for symbol in far.T) - problem.costs[sense] * total[here]
                asking.append(np.where(states.allowed[here, sense, None], worth, -np.inf))
            if answers:
                best[here] = np.maximum(best[here], np.max(asking, axis=0))
        if not problem.horizon:
            asking = np.full((len(problem.senses), 1, len(belief)), -np.inf)
        values.append(np.hstack([np.array(asking)[:, 0].T, belief @ problem.payoff]))
    return np.concatenate(values)


def final_values(problem: Problem, payoff: ArrayLike | None = None) -> NDArray:
    """Unnormalised values, (states, actions): those of the final actions, and -inf for the senses."""
    payoff = problem.payoff if payoff is None else np.asarray(payoff, dtype=float)
    if payoff.shape != problem.payoff.shape or not np.isfinite(payoff).all():
        raise ValueError(f"the payoff must be finite, of the shape {problem.payoff.shape}")
    weights = problem.states.weights
    return np.hstack([np.full((len(weights), len(problem.senses)), -np.inf), weights @ payoff])


def asking_values(problem: Problem, W: NDArray, best: NDArray, here: slice, costs: ArrayLike | None = None) -> None:
    """Fill in the unnormalised values of the senses: minus the cost, plus the sum over the states that can follow."""
    states = problem.states
    costs = problem.costs if costs is None else np.asarray(costs, dtype=float)
    total = states.weights[here].sum(axis=1)
    for sense, part in enumerate(states.columns):
        free = states.allowed[here, sense]
        after = best[states.following[here, part]].sum(axis=1)
        W[here, sense] = np.where(free, after - costs[sense] * total, -np.inf)


def _normalised(states: States, W: NDArray, best: NDArray, policy: NDArray) -> Plan:
    total = states.weights.sum(axis=1)
    scale = np.divide(1.0, total, out=np.zeros(len(total)), where=total > 0)
    Q = np.where(states.allowed, np.where(states.allowed, W, 0) * scale[:, None], -np.inf)
    return Plan(Q, best * scale, policy)
