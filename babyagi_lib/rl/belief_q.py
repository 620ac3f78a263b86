"""Q-learning on beliefs, where answers are tables or come from trained encoders: one loop. Used by lesson 12.

A belief is the probability of each hidden value, given all answers so far. It is updated by Bayes' rule with the likelihood of
each answer. The agent does not need to know where the likelihoods come from: a table of symbols, or a calibrated network.
What the final actions pay is known, so their value is the expected payoff under the belief. What has to be learned is
the value of asking: a network turns a belief into a number for each sense. The loop is that of `deep_q` (double estimation,
replay, a target network), with many episodes side by side in each run.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from babyagi_lib.basics.arguments import check_number, check_whole
from babyagi_lib.basics.streams import stream_seed
from babyagi_lib.models.stacked import StackedMLP, move_towards
from babyagi_lib.rl.belief_planning import Problem
from babyagi_lib.rl.belief_policies import best_finals
from babyagi_lib.rl.replay import Replay


@dataclass(frozen=True, eq=False)
class Answers:
    """What the senses would answer about some things, one after the other, drawn beforehand.

    Attributes:
        hidden: what is hidden in each thing, (things,).
        likelihood: for each sense, the log-likelihood of every hidden value given the first, second, ... answer,
            (things, times, hidden). A constant in the last axis does not matter.

    Raises:
        ValueError: shapes that do not fit, or a likelihood that is not finite.
    """

    hidden: NDArray
    likelihood: tuple[NDArray, ...]

    def __post_init__(self) -> None:
        for part in self.likelihood:
            if part.ndim != 3 or len(part) != len(self.hidden) or not part.shape[1]:
                raise ValueError(
                    f"a likelihood has the shape {part.shape}; expected ({len(self.hidden)}, times, hidden)"
                )
            if not np.isfinite(part).all():
                raise ValueError("a log-likelihood is not finite: clip probabilities away from 0")

    def __len__(self) -> int:
        return len(self.hidden)


def draw_symbols(problem: Problem, things: int, rng: np.random.Generator) -> tuple[NDArray, tuple[NDArray, ...]]:
    """Hidden values from the prior, (things,), and for each sense as many symbols as may be asked, (things, times)."""
    check_whole("things", things, 1)
    hidden = rng.choice(len(problem.prior), size=things, p=problem.prior)
    symbols = []
    for sense in problem.senses:
        edges = sense.table.cumsum(axis=1)[hidden][:, None]
        times = max(1, problem.horizon) if sense.repeatable else 1
        symbols.append((rng.random((things, times, 1)) * edges[..., -1:] >= edges[..., :-1]).sum(axis=-1))
    return hidden, tuple(symbols)


def from_symbols(
    hidden: NDArray, symbols: Sequence[NDArray], tables: Sequence[NDArray], least: float = 1e-6
) -> Answers:
    """Symbols with the likelihoods of these tables; probabilities below `least` count as `least`."""
    logs = [np.log(np.maximum(table, least)).T for table in tables]
    return Answers(np.asarray(hidden), tuple(log[symbol] for log, symbol in zip(logs, symbols, strict=True)))


def features(log_belief: Tensor, asked: Tensor, problem: Problem) -> Tensor:
    """What the network sees: (..., hidden) and (..., senses) to (..., hidden + 1 + senses).

    The belief, times 3 so that it is about as large as the rest; the share of the horizon that is left; and which senses may
    not be asked any more.
    """
    left = (1 - asked.sum(-1, keepdim=True) / max(1, problem.horizon)).to(log_belief.dtype)
    return torch.cat([3 * log_belief.softmax(-1), left, (~allowed(asked, problem)).to(log_belief.dtype)], dim=-1)


def allowed(asked: Tensor, problem: Problem) -> Tensor:
    """Whether each sense may be asked, from how often each was: (..., senses)."""
    once = torch.tensor([not sense.repeatable for sense in problem.senses])
    return (asked.sum(-1, keepdim=True) < problem.horizon) & ~(once & (asked > 0))


def learn(
    problem: Problem,
    answers: Answers,
    *,
    updates: int,
    runs: int = 3,
    worlds: int = 32,
    batch: int = 128,
    units: int = 64,
    rate: float = 2e-3,
    period: int = 100,
    epsilon: float = 0.3,
    capacity: int = 20_000,
    seed: int = 0,
) -> StackedMLP:
    """Learn the value of asking, in many independent runs at once: the networks of all runs, side by side.

    Args:
        problem: prior, costs, payoffs and horizon. The tables of its senses are not used.
        answers: to learn from; an episode is about one of these things, drawn at random.
        updates: of each network, one after each step of all its worlds.
        runs: how many runs.
        worlds: episodes side by side in each run.
        batch: transitions in an update.
        units: of each of the two hidden layers.
        rate: Adam's step size at the start; it falls to a tenth.
        period: updates from one copy of the target network to the next.
        epsilon: the share of steps in which a sense is asked at random.
        capacity: transitions that each run keeps.
        seed: the same seed gives the same runs.

    Raises:
        ValueError: a parameter is out of its range, or the answers do not fit the problem.
    """
    counts = {"updates": updates, "runs": runs, "worlds": worlds, "batch": batch, "units": units, "period": period}
    for name, value in counts.items():
        check_whole(name, value, 1)
    check_number("epsilon", epsilon, 0, 1)
    likelihood, prior, payoff, costs = _tensors(problem, answers)

    draw = torch.Generator().manual_seed(stream_seed("beliefs: the world", seed))
    batches = torch.Generator().manual_seed(stream_seed("beliefs: batches", seed))
    hidden, senses = payoff.shape[0], len(problem.senses)
    sizes = (hidden + 1 + senses, units, units, senses)
    network = StackedMLP([stream_seed(f"beliefs: network {run}", seed) for run in range(runs)], sizes)
    judge = copy.deepcopy(network)
    optimiser = torch.optim.Adam(network.parameters(), rate, fused=True)
    memory = Replay(runs, max(capacity, worlds), sizes[0], 1)

    def values(net: StackedMLP, seen: Tensor) -> Tensor:
        """Of every sense, -inf where it may not be asked, and of the best final action: (..., senses + 1)."""
        found = net(seen).masked_fill(seen[..., -senses:] > 0.5, -torch.inf)
        return torch.cat([found, _deciding(seen, payoff)], dim=-1)

    belief, asked = prior.expand(runs, worlds, -1).clone(), torch.zeros(runs, worlds, senses, dtype=torch.long)
    thing = torch.randint(len(answers), (runs, worlds), generator=draw)
    for update in range(updates):
        # Act: mostly greedily; at random among the senses that may be asked. The last action is to decide.
        seen, free = features(belief, asked, problem), allowed(asked, problem)
        with torch.no_grad():
            action = values(network, seen).argmax(-1)
        chance = torch.rand(runs, worlds, senses, generator=draw).masked_fill(~free, -1)
        explore = (torch.rand(runs, worlds, generator=draw) < epsilon) & free.any(-1)
        action = torch.where(explore, chance.argmax(-1), action)

        # Those who decide begin anew, and ask a first question.
        done = action == senses
        belief[done], asked[done] = prior, 0
        thing[done] = torch.randint(len(answers), (int(done.sum()),), generator=draw)
        action[done] = torch.randint(senses, (int(done.sum()),), generator=draw)
        seen = features(belief, asked, problem)

        # The world answers, and the belief moves.
        for sense in range(senses):
            who = action == sense
            belief[who] += likelihood[sense][thing[who], asked[..., sense][who]]
        asked.scatter_add_(-1, action[..., None], torch.ones_like(action)[..., None])
        after = features(belief, asked, problem)
        nothing = torch.zeros(runs, worlds, 1)
        memory.add(seen, action[..., None].float(), -costs[action][..., None], after, nothing)

        # Learn: asking is worth its cost, and then the best of deciding and asking again.
        now = memory.sample(batch, batches)
        with torch.no_grad():
            best = values(network, now.next_state).argmax(-1, keepdim=True)
            target = now.reward + values(judge, now.next_state).gather(-1, best)
        found = network(now.state).gather(-1, now.action.long())
        loss = F.smooth_l1_loss(found, target, reduction="none").mean(dim=(1, 2)).sum()  # a sum: runs do not mix
        optimiser.param_groups[0]["lr"] = rate * (1 - 0.9 * update / updates)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if (update + 1) % period == 0:
            move_towards(judge, network, 1.0)
    return network


@dataclass(frozen=True, eq=False)
class Played:
    """Episodes of greedy agents, one about each thing, in every run.

    Attributes:
        total: payoff minus costs, (runs, things).
        final: the final action, (runs, things).
        asked: how often each sense was asked, (runs, things, senses).
        belief: at the end, (runs, things, hidden).
    """

    total: NDArray
    final: NDArray
    asked: NDArray
    belief: NDArray


def play(problem: Problem, answers: Answers, network: StackedMLP) -> Played:
    """What the greedy agents of all runs do with each of these things."""
    likelihood, prior, payoff, costs = _tensors(problem, answers)
    runs, senses, things = len(network.weights[0]), len(problem.senses), len(answers)
    belief, asked = prior.expand(runs, things, -1).clone(), torch.zeros(runs, things, senses, dtype=torch.long)
    going = torch.ones(runs, things, dtype=torch.bool)
    for _ in range(problem.horizon):
        action = choose(problem, network, belief, asked)
        going &= action < senses
        for sense in range(senses):
            who = going & (action == sense)
            belief[who] += likelihood[sense][who.nonzero()[:, 1], asked[..., sense][who]]
            asked[..., sense] += who
    final = (belief.softmax(-1) @ payoff).argmax(-1)
    hidden = torch.as_tensor(answers.hidden)
    total = payoff[hidden, final] - asked.to(costs.dtype) @ costs
    return Played(*(part.numpy() for part in (total, final, asked, belief.softmax(-1))))


def choose(problem: Problem, network: StackedMLP, log_belief: Tensor, asked: Tensor) -> Tensor:
    """The greedy action: a sense, or the number of senses for deciding. (runs, things, ...) to (runs, things)."""
    seen = features(log_belief, asked, problem)
    with torch.no_grad():
        asking = network(seen).masked_fill(~allowed(asked, problem), -torch.inf)
    best, sense = asking.max(-1)
    payoff = torch.as_tensor(problem.payoff, dtype=torch.float32)
    return torch.where(best > _deciding(seen, payoff)[..., 0], sense, len(problem.senses))


def on_counts(problem: Problem, network: StackedMLP) -> NDArray:
    """The greedy policies on the counts of a problem of tables, for `belief_planning.follow`: (runs, states)."""
    states = problem.states
    beliefs = np.log(np.maximum(states.beliefs, 1e-30))
    asked = np.stack([states.counts[:, part].sum(axis=1) for part in states.columns], axis=-1)
    runs = len(network.weights[0])
    belief = torch.as_tensor(beliefs, dtype=torch.float32).expand(runs, -1, -1)
    action = choose(problem, network, belief, torch.as_tensor(asked, dtype=torch.long).expand(runs, -1, -1)).numpy()
    return np.where(action < len(problem.senses), action, best_finals(problem))


def _deciding(seen: Tensor, payoff: Tensor) -> Tensor:
    """The expected payoff of the best final action, from what the network sees: (..., 1)."""
    return (seen[..., : len(payoff)] / 3 @ payoff).amax(-1, keepdim=True)


def _tensors(problem: Problem, answers: Answers) -> tuple[list[Tensor], Tensor, Tensor, Tensor]:
    """Likelihoods, log prior, payoffs and costs; ValueError where the answers do not fit the problem."""
    hidden = len(problem.prior)
    if len(answers.likelihood) != len(problem.senses) or any(part.shape[2] != hidden for part in answers.likelihood):
        raise ValueError(f"the answers do not fit a problem of {len(problem.senses)} senses and {hidden} hidden values")
    for sense, part in zip(problem.senses, answers.likelihood, strict=True):
        if part.shape[1] < (problem.horizon if sense.repeatable else min(1, problem.horizon)):
            raise ValueError(f"{sense.name}: {part.shape[1]} answers are too few for a horizon of {problem.horizon}")
    numbers = [torch.as_tensor(part, dtype=torch.float32) for part in answers.likelihood]
    prior = torch.as_tensor(np.log(np.maximum(problem.prior, 1e-30)), dtype=torch.float32)
    payoff, costs = (torch.as_tensor(part, dtype=torch.float32) for part in (problem.payoff, problem.costs))
    return numbers, prior, payoff, costs
