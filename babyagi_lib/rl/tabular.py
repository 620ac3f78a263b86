"""Agents that learn a table Q by acting, many independent runs at once. Used by lesson 06. Imports no torch.

One run of Q-learning says little: another seed, another curve. `learn` therefore plays many runs side by side. The
tables of all runs are stacked into one, run after run, and each step of the loop makes one transition in every run.
The update is a function of the caller's choice, and is written exactly as for a single run: with integers for `s` and
`a` it changes one entry of Q, with arrays it changes one entry in each run's part of it. `q_learning` and `sarsa` are
such functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from babyagi_lib.basics.arguments import check_number, check_whole
from babyagi_lib.rl.mdp import MDP

Update = Callable[..., None]  # update(Q, s, a, r, s_next, a_next, terminated, alpha, gamma)


def q_learning(
    Q: NDArray,
    s: NDArray,
    a: NDArray,
    r: NDArray,
    s_next: NDArray,
    a_next: NDArray,
    terminated: NDArray,
    alpha: NDArray,
    gamma: float,
) -> None:
    """Q(s,a) <- Q(s,a) + alpha·[r + gamma·max over a' of Q(s',a') - Q(s,a)] (Watkins & Dayan 1992).

    The next action, `a_next`, does not matter: the target belongs to the greedy policy.
    """
    target = r + gamma * (1 - terminated) * Q[s_next].max(axis=-1)
    Q[s, a] += alpha * (target - Q[s, a])


def sarsa(
    Q: NDArray,
    s: NDArray,
    a: NDArray,
    r: NDArray,
    s_next: NDArray,
    a_next: NDArray,
    terminated: NDArray,
    alpha: NDArray,
    gamma: float,
) -> None:
    """Q(s,a) <- Q(s,a) + alpha·[r + gamma·Q(s',a') - Q(s,a)], with the a' that the agent takes (Rummery & Niranjan 1994).

    The target belongs to the policy that acts, exploration included.
    """
    target = r + gamma * (1 - terminated) * Q[s_next, a_next]
    Q[s, a] += alpha * (target - Q[s, a])


@dataclass(frozen=True, eq=False)
class Learning:
    """Tables and returns recorded by `learn`.

    Attributes:
        moments: the numbers of steps after which they were recorded, (moments,).
        Q: the tables at each of them, (moments, runs, states, actions).
        returns: mean return, exploration included, of the episodes that ended since the previous one,
            (moments, runs); nan where none did.
        visits: how often each action was taken in each state, at the end, (runs, states, actions).
    """

    moments: NDArray
    Q: NDArray
    returns: NDArray
    visits: NDArray

    @property
    def policies(self) -> NDArray:
        """The greedy action of every table, (moments, runs, states)."""
        return self.Q.argmax(axis=-1)

    def sup_error(self, Q_star: NDArray, where: NDArray) -> NDArray:
        """The largest |Q - Q*| over all actions in the states `where` (booleans); (moments, runs)."""
        return np.abs(self.Q - Q_star)[:, :, where].max(axis=(2, 3))


def learn(
    mdp: MDP,
    update: Update = q_learning,
    *,
    steps: int,
    runs: int = 1,
    alpha: float | Callable[[NDArray], NDArray] = 0.1,
    gamma: float = 0.99,
    epsilon: float | Callable[[int], float] = 0.1,
    exploring_starts: bool = False,
    time_limit: int | None = None,
    initial: ArrayLike = 0.0,
    record: Iterable[int] = (),
    seed: int = 0,
) -> Learning:
    """Learn Q by acting, in many independent runs at once.

    In each step every run takes one action, updates one entry of its table, and chooses its next action from the
    table as it was before that update (so that SARSA and Q-learning go through the same motions).

    Args:
        mdp: the world. The agents see only what happens to them, not the table.
        update: called as `update(Q, s, a, r, s_next, a_next, terminated, alpha, gamma)`; it changes `Q` in place. `Q`
            has the tables of all runs below each other, and `s`, `s_next` are rows of it. The other arguments, except
            gamma, are arrays with an entry for each run.
        steps: transitions in each run.
        runs: how many runs.
        alpha: the step size, 0 or more, or a function of how often the action has been taken in the state, this time
            included.
        gamma: the discount, from 0 to 1.
        epsilon: the share of actions drawn at random, from 0 to 1, or a function of the step, counted from 0. The others
            are greedy, with ties broken at random.
        exploring_starts: begin episodes in any state where the agent can have to act, and with any action, all equally
            likely, instead of where the world begins them.
        time_limit: truncate an episode after this many steps; the update does not see it, as it should be.
        initial: Q before the first step: a number, or an array of the shape (states, actions) or (runs, states, actions).
        record: after how many steps to record, from 1 on; the last step is always recorded, and nothing after it.
        seed: the same seed gives the same runs. All runs draw from one stream, so no run repeats in another seed.

    Raises:
        ValueError: a parameter is out of its range; also a value that the functions `alpha` and `epsilon` return.
    """
    check_whole("steps", steps, 1)
    check_whole("runs", runs, 1)
    check_whole("seed", seed, 0)
    check_number("gamma", gamma, 0, 1)
    if time_limit is not None:
        check_whole("time_limit", time_limit, 1)
    for n in (1, steps):
        step_size = np.asarray(alpha(np.full(runs, float(n))) if callable(alpha) else alpha)
        if not (np.isfinite(step_size) & (step_size >= 0)).all() or step_size.shape not in ((), (runs,)):
            raise ValueError(f"alpha is {step_size}; expected a finite number of at least 0, or one for each run")
    record = list(record)
    for moment in record:
        check_whole("a step to record", moment, 1)
    states, actions, outcomes = mdp.probability.shape
    initial = np.asarray(initial, dtype=float)
    if initial.shape not in ((), (states, actions), (runs, states, actions)) or not np.isfinite(initial).all():
        raise ValueError(
            f"initial has the shape {initial.shape}; expected a number, ({states}, {actions}) or ({runs}, {states}, "
            f"{actions}), and every value finite"
        )

    draw = np.random.Generator(np.random.SFC64(seed))
    moments = np.unique([*(m for m in record if m < steps), steps])
    run_begins = np.arange(runs) * states  # the row of each run's state 0
    Q = np.array(np.broadcast_to(initial, (runs, states, actions))).reshape(runs * states, actions)
    visits = np.zeros(Q.shape)

    flat_next, flat_reward = mdp.next_state.ravel(), mdp.reward.ravel()
    flat_terminated = mdp.terminated.ravel()
    reached = mdp.probability.cumsum(axis=-1).reshape(states * actions, outcomes)
    reached /= reached[:, -1:]  # ends at exactly 1, so that no outcome of probability zero can be drawn
    begins = np.flatnonzero(mdp.acting)
    first = mdp.start.cumsum()
    first /= first[-1]

    def share_at(step: int) -> float:
        share = epsilon(step) if callable(epsilon) else epsilon
        share = share.item() if hasattr(share, "item") else share  # an array or tensor of no dimension
        check_number("epsilon", share, 0, 1)
        return share

    def choose(rows: NDArray, chance: float) -> NDArray:
        if chance >= 1:
            return draw.integers(actions, size=len(rows))
        # The tiny noise breaks ties: argmax alone would always prefer action 0.
        greedy = (Q[rows] + 1e-9 * draw.random((len(rows), actions))).argmax(axis=1)
        if chance <= 0:
            return greedy
        u = draw.random(len(rows))  # below epsilon it is uniform there, and so can choose the action as well
        return np.where(u < chance, np.minimum(u * (actions / chance), actions - 1).astype(int), greedy)

    def begin(where: NDArray, chance: float) -> tuple[NDArray, NDArray]:
        if exploring_starts:
            rows = run_begins[where] + begins[draw.integers(len(begins), size=len(where))]
            return rows, draw.integers(actions, size=len(where))
        rows = run_begins[where] + np.searchsorted(first, draw.random(len(where)), side="right")
        return rows, choose(rows, chance)

    chance = share_at(0)
    s, a = begin(np.arange(runs), chance)
    age, earned = np.zeros(runs, dtype=int), np.zeros(runs)
    tables, returns = [], []
    total, count = np.zeros(runs), np.zeros(runs)
    following = iter([*moments, 0])
    moment = next(following)

    for step in range(1, steps + 1):
        if callable(epsilon):
            chance = share_at(step)
        # The world: draw an outcome of each run's state and action.
        outcome = (s - run_begins) * actions + a
        if outcomes > 1:
            happens = (draw.random(runs)[:, None] >= reached[outcome]).sum(axis=1)
            outcome = outcome * outcomes + happens
        s_next, r, terminated = run_begins + flat_next[outcome], flat_reward[outcome], flat_terminated[outcome]

        # The agent: choose the next action, then learn from the transition.
        a_next = choose(s_next, chance)
        n = visits[s, a] + 1
        visits[s, a] = n
        update(Q, s, a, r, s_next, a_next, terminated, alpha(n) if callable(alpha) else alpha, gamma)

        # Reset finished episodes.
        s, a = s_next, a_next
        age += 1
        earned += r
        ended = terminated if time_limit is None else terminated | (age >= time_limit)
        if ended.any():
            where = np.flatnonzero(ended)
            total[where] += earned[where]
            count[where] += 1
            age[where], earned[where] = 0, 0
            s[where], a[where] = begin(where, chance)

        if step == moment:
            tables.append(Q.reshape(runs, states, actions).copy())
            returns.append(np.divide(total, count, out=np.full(runs, np.nan), where=count > 0))
            total[:], count[:] = 0, 0
            moment = next(following)
    return Learning(moments, np.array(tables), np.array(returns), visits.reshape(runs, states, actions))
