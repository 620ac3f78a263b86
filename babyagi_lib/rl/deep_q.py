"""Deep Q-learning on a world whose table is known, many runs at once: one loop, to be read as a whole. Used by lesson 08.

The network replaces the table of `tabular`: it turns the features of a state into a value for each action. The loop is that
of Mnih and others (2015, https://doi.org/10.1038/nature14236), with a switch for each of its two remedies, replay and target
network, and one for the double estimation of van Hasselt and others (2016, https://arxiv.org/abs/1509.06461).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from babyagi_lib.basics.arguments import check_number, check_whole
from babyagi_lib.basics.streams import stream_seed
from babyagi_lib.models.stacked import StackedMLP, move_towards
from babyagi_lib.rl.mdp import MDP
from babyagi_lib.rl.replay import Replay


@dataclass(frozen=True, eq=False)
class DeepQ:
    """Values recorded by `learn`.

    Attributes:
        moments: the numbers of steps after which they were recorded, (moments,).
        Q: what the network says for every state and action, (moments, runs, states, actions); not finite in a run that
            diverged.
    """

    moments: NDArray
    Q: NDArray

    @property
    def policies(self) -> NDArray:
        """The greedy action of every state, (moments, runs, states)."""
        return np.nan_to_num(self.Q, nan=0.0).argmax(axis=-1)

    def rms_error(self, Q_star: NDArray, where: NDArray) -> NDArray:
        """Root of the mean squared Q - Q* over all actions in the states `where` (booleans), (moments, runs).

        Infinite for a run that diverged.
        """
        error = np.sqrt(np.square(self.Q - Q_star)[:, :, where].mean(axis=(2, 3)))
        return np.where(np.isfinite(error), error, np.inf)


def learn(
    mdp: MDP,
    features: NDArray,
    *,
    steps: int,
    runs: int = 10,
    gamma: float = 0.95,
    replay: bool = True,
    target_network: bool = True,
    double: bool = False,
    units: int = 64,
    batch: int = 32,
    rate: float = 1e-3,
    period: int = 200,
    epsilon: float = 0.3,
    time_limit: int = 50,
    record: Iterable[int] = (),
    seed: int = 0,
) -> DeepQ:
    """Learn a network Q by acting, in many independent runs at once, with one update after each step.

    Args:
        mdp: the world. The agents see only the features of states and what happens to them, not the table.
        features: what the network sees of each state, (states, numbers).
        steps: transitions, and updates, in each run.
        runs: how many runs.
        gamma: the discount, from 0 to 1.
        replay: learn from a random batch of all transitions so far; otherwise from the latest `batch` ones.
        target_network: bootstrap from a copy of the network that is renewed every `period` steps; otherwise from the
            network itself.
        double: the network chooses the next action, and the network for bootstrapping says what it is worth.
        units: of each of the two hidden layers.
        batch: transitions in an update.
        rate: Adam's step size.
        period: steps from one copy to the next.
        epsilon: the share of actions drawn at random.
        time_limit: truncate an episode after this many steps. The state that was reached keeps its value.
        record: after how many steps to record, from 1 on; the last step is always recorded.
        seed: the same seed gives the same runs.

    Raises:
        ValueError: a parameter is out of its range, or the features are not one finite row for each state.
    """
    counts = {"steps": steps, "runs": runs, "units": units, "batch": batch, "period": period, "time_limit": time_limit}
    for name, value in counts.items():
        check_whole(name, value, 1)
    for name, value in {"gamma": gamma, "epsilon": epsilon}.items():
        check_number(name, value, 0, 1)
    check_number("rate", rate, 0, above=True)
    seen = torch.as_tensor(np.asarray(features, dtype=np.float32))
    if seen.ndim != 2 or len(seen) != mdp.states or not torch.isfinite(seen).all():
        raise ValueError(f"features have the shape {tuple(seen.shape)}; expected a finite row for each of {mdp.states}")

    draw = np.random.default_rng(stream_seed("deep Q: the world", seed))
    batches = torch.Generator().manual_seed(stream_seed("deep Q: batches", seed))
    sizes = (seen.shape[1], units, units, mdp.actions)
    network = StackedMLP([stream_seed(f"deep Q: network {run}", seed) for run in range(runs)], sizes)
    judge = copy.deepcopy(network) if target_network else network
    optimiser = torch.optim.Adam(network.parameters(), rate, fused=True)
    memory = Replay(runs, steps if replay else batch, seen.shape[1], 1)

    reached = mdp.probability.cumsum(axis=-1)
    reached /= reached[..., -1:]  # ends at exactly 1, so that no outcome of probability zero can be drawn
    first = mdp.start.cumsum()
    first /= first[-1]
    s, age = np.searchsorted(first, draw.random(runs), side="right"), np.zeros(runs, dtype=int)
    moments = sorted({*(moment for moment in record if moment < steps), steps})
    everything = seen.expand(runs, -1, -1)
    recorded = []

    for step in range(1, steps + 1):
        # Act: mostly greedily.
        with torch.no_grad():
            values = network(seen[s][:, None])[:, 0].numpy()
        a = np.where(draw.random(runs) < epsilon, draw.integers(mdp.actions, size=runs), values.argmax(axis=1))

        # The world answers.
        outcome = (draw.random(runs)[:, None] >= reached[s, a]).sum(axis=1)
        s_next, r, terminated = (table[s, a, outcome] for table in (mdp.next_state, mdp.reward, mdp.terminated))
        columns = (seen[s], a[:, None], r[:, None], seen[s_next], terminated[:, None])
        memory.add(*(torch.as_tensor(column)[:, None] for column in columns))

        # Learn: move Q(s, a) towards r + gamma · Q(s', a'), where a' is the best next action.
        now = memory.sample(batch, batches) if replay else memory.latest(batch)
        with torch.no_grad():
            worth = judge(now.next_state)
            chosen = (network(now.next_state) if double else worth).argmax(dim=-1, keepdim=True)
            target = now.reward + gamma * (1 - now.terminated) * worth.gather(-1, chosen)
        found = network(now.state).gather(-1, now.action.long())
        loss = F.smooth_l1_loss(found, target, reduction="none").mean(dim=(1, 2)).sum()  # a sum: runs do not mix
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if target_network and step % period == 0:
            move_towards(judge, network, 1.0)

        # Reset finished episodes.
        s, age = s_next.copy(), age + 1
        ended = np.flatnonzero(terminated | (age >= time_limit))
        s[ended] = np.searchsorted(first, draw.random(len(ended)), side="right")
        age[ended] = 0

        if step in moments:
            with torch.no_grad():
                recorded.append(network(everything).numpy().astype(float))
    return DeepQ(np.array(moments), np.array(recorded))
