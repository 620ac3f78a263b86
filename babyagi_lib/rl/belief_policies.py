"""Policies to compare with the best one, and episodes played by a policy. Used by lesson 12. Imports no torch.

For the problems of `belief_planning`: what can be planned beforehand, what one step of looking ahead finds, and chance.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from babyagi_lib.basics.arguments import check_whole
from babyagi_lib.rl.belief_planning import Problem, asking_values, final_values, follow, probabilities


def best_finals(problem: Problem, payoff: ArrayLike | None = None) -> NDArray:
    """In every state the final action with the highest expected payoff, (states,): nothing is asked."""
    return len(problem.senses) + final_values(problem, payoff)[:, len(problem.senses) :].argmax(axis=1)


def fixed_sequence(problem: Problem, sequence: Sequence[int]) -> NDArray:
    """The policy that asks these senses in this order whatever they answer, then takes the best final action, (states,)."""
    states, policy = problem.states, best_finals(problem)
    for answers, sense in enumerate(sequence):
        here = states.level(answers)
        policy[here] = np.where(states.allowed[here, sense], sense, policy[here])  # impossible counts: no matter
    return policy


def sequences(problem: Problem) -> Iterator[tuple[int, ...]]:
    """All that can be asked without listening: senses with repetition, in one order, from none to the horizon."""
    once = {number for number, sense in enumerate(problem.senses) if not sense.repeatable}
    for length in range(problem.horizon + 1):
        for chosen in itertools.combinations_with_replacement(range(len(problem.senses)), length):
            if all(chosen.count(sense) <= 1 for sense in once):
                yield chosen


def best_sequence(problem: Problem) -> tuple[float, tuple[int, ...]]:
    """The best plan that is made beforehand, open loop: its value, and the senses that it asks."""
    return max((follow(problem, fixed_sequence(problem, chosen)).value, chosen) for chosen in sequences(problem))


def one_step_ahead(problem: Problem) -> NDArray:
    """The policy that compares deciding now with deciding after one more answer, (states,)."""
    states, now = problem.states, final_values(problem)
    best = now[:, len(problem.senses) :].max(axis=1)
    asking_values(problem, now, best, slice(0, len(states)))
    return now.shape[1] - 1 - now[:, ::-1].argmax(axis=1)


def at_random(problem: Problem) -> NDArray:
    """The policy that takes all allowed actions equally often, (states, actions)."""
    return problem.states.allowed / problem.states.allowed.sum(axis=1, keepdims=True)


def play(
    problem: Problem, policy: ArrayLike, episodes: int, rng: np.random.Generator
) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Play episodes side by side.

    Args:
        problem: whose tables draw the answers.
        policy: as in `follow`.
        episodes: how many.
        rng: where chance comes from.

    Returns:
        Return of each episode, (episodes,); what was hidden; the final action, counted from 0; the number of answers.

    Raises:
        ValueError: as `follow` does, or there is no episode.
    """
    check_whole("episodes", episodes, 1)
    states, edges = problem.states, probabilities(problem, policy).cumsum(axis=1)
    tables = [sense.table.cumsum(axis=1) for sense in problem.senses]
    hidden = rng.choice(len(problem.prior), size=episodes, p=problem.prior)
    state, total, asked = np.zeros(episodes, dtype=int), np.zeros(episodes), np.zeros(episodes, dtype=int)
    final, going = np.full(episodes, -1), np.arange(episodes)
    while len(going):
        now = edges[state[going]]
        action = (rng.random((len(going), 1)) * now[:, -1:] >= now[:, :-1]).sum(axis=1)
        ends = action >= len(problem.senses)
        final[going[ends]] = action[ends] - len(problem.senses)
        for number, sense in enumerate(problem.senses):
            who = going[action == number]
            edge = tables[number][hidden[who]]
            symbol = (rng.random((len(who), 1)) * edge[:, -1:] >= edge[:, :-1]).sum(axis=1)
            state[who] = states.following[state[who], states.columns[number].start + symbol]
            total[who] -= sense.cost
            asked[who] += 1
        going = going[~ends]
    return total + problem.payoff[hidden, final], hidden, final, asked
