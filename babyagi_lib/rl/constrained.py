"""A limit on risk as a constraint: the exact optimum, its price, and a learner. Used by lesson 12. Imports no torch.

For the problems of `belief_planning`. A second payoff, the risk, counts what must stay rare, such as cracked parts shipped.
The best policy whose expected risk is within a limit solves a linear programme over occupancies: how often an episode takes
each action in each state (Altman 1999, https://doi.org/10.1201/9781315140223). Its dual is the price of the limit: what one
unit of risk more would earn. At that price the constraint can be replaced by a cost, reward - price · risk (Lagrange).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from babyagi_lib.basics.arguments import check_number, check_whole
from babyagi_lib.basics.streams import stream_seed
from babyagi_lib.rl.belief_planning import Plan, Problem, follow, plan


@dataclass(frozen=True, eq=False)
class Constrained:
    """The best policy within a limit of risk.

    Attributes:
        value: expected reward.
        risk: expected risk.
        price: what one unit more of risk would earn; 0 where the limit does not bind.
        policy: the probability of each action in each state, (states, actions).
        occupancy: how often an episode takes each action in each state, (states, actions).
    """

    value: float
    risk: float
    price: float
    policy: NDArray
    occupancy: NDArray

    def mixed(self, least: float = 1e-9) -> NDArray:
        """The states, reached with a probability above `least`, in which more than one action is taken."""
        reached = self.occupancy.sum(axis=1) > least
        return np.flatnonzero(reached & ((self.policy > 1e-6).sum(axis=1) > 1))


def linear_programme(problem: Problem, risk: ArrayLike, limit: float) -> Constrained:
    """Maximise the reward over all policies whose expected risk is at most `limit`.

    The unknowns are occupancies x(s, a) >= 0. What enters a state leaves it: the sum of x(s, a) over its actions equals the
    sum, over the states before it, of x(s', sense) times the probability of the symbol. Both reward and risk are linear in x.
    Of final actions with equal risk in all cases, only the best one of each state is kept.

    Args:
        problem: what can be asked and decided.
        risk: of each final action for each hidden value, (hidden, finals).
        limit: of the expected risk.

    Raises:
        ValueError: the risk has a wrong shape, or no policy has so little risk.
    """
    from scipy import sparse  # a second, which not every lesson needs
    from scipy.optimize import linprog

    states, senses = problem.states, len(problem.senses)
    risk = np.asarray(risk, dtype=float)
    if risk.shape != problem.payoff.shape or not np.isfinite(risk).all():
        raise ValueError(f"the risk must be finite, of the shape {problem.payoff.shape}")
    check_number("limit", limit, -np.inf)
    beliefs = states.beliefs
    reward = np.hstack([np.broadcast_to(-problem.costs, (len(states), senses)), beliefs @ problem.payoff])
    risks = np.hstack([np.zeros((len(states), senses)), beliefs @ risk])
    kept = states.allowed & (beliefs.sum(axis=1) > 0)[:, None]
    for same in np.unique(risk, axis=1).T:
        columns = senses + np.flatnonzero((risk == same[:, None]).all(axis=0))
        best = columns[reward[:, columns].argmax(axis=1)]
        kept[:, columns] &= best[:, None] == columns
    s, a = np.nonzero(kept)
    rows, entries, values = [s], [np.arange(len(s))], [np.ones(len(s))]
    for number, (sense, part) in enumerate(zip(problem.senses, states.columns, strict=True)):
        asks = np.flatnonzero(a == number)
        rows.append(states.following[s[asks], part].ravel())
        entries.append(np.repeat(asks, sense.symbols))
        values.append(-(beliefs[s[asks]] @ sense.table).ravel())
    flow = sparse.coo_matrix(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(entries))), shape=(len(states), len(s))
    )
    begins = np.zeros(len(states))
    begins[0] = 1
    found = linprog(
        -reward[s, a],
        A_ub=risks[s, a][None],
        b_ub=[limit],
        A_eq=flow.tocsr(),
        b_eq=begins,
        bounds=(0, None),
        method="highs",
    )
    if found.status == 2:
        raise ValueError(f"no policy has an expected risk of {limit} or less")
    if not found.success:
        raise RuntimeError(f"the linear programme was not solved: {found.message}")
    x = np.zeros(kept.shape)
    x[s, a] = np.maximum(found.x, 0)
    total = x.sum(axis=1, keepdims=True)
    anything = kept / np.maximum(kept.sum(axis=1, keepdims=True), 1)
    anything[kept.sum(axis=1) == 0, -1] = 1  # counts that cannot occur
    policy = np.where(total > 1e-12, x / np.maximum(total, 1e-300), anything)
    price = max(0.0, -float(found.ineqlin.marginals[0]))
    return Constrained(-float(found.fun), float(risks[s, a] @ found.x), price, policy, x)


def at_price(problem: Problem, risk: ArrayLike, price: float) -> tuple[Plan, float, float]:
    """The best policy for reward minus price · risk: the plan, the expected reward that it earns, and its risk."""
    risk = np.asarray(risk, dtype=float)
    best = plan(problem, problem.payoff - price * risk)
    exact = follow(problem, best.policy, risk, np.zeros(len(problem.senses))).value
    return best, best.value + price * exact, exact


def price_of(problem: Problem, risk: ArrayLike, limit: float, most: float = 1000.0) -> tuple[float, float]:
    """The price at which the risk of the best policy falls to the limit, by bisection, and the value at the limit.

    The value is the lowest, over all prices, of the value at that price plus price · limit: the Lagrangian's dual.

    Raises:
        ValueError: at the price `most` the risk is still above the limit.
    """
    low, high = 0.0, most
    if at_price(problem, risk, low)[2] <= limit:
        return 0.0, at_price(problem, risk, low)[1]
    if at_price(problem, risk, high)[2] > limit:
        raise ValueError(f"at a price of {most} the risk is still above {limit}")
    while high - low > 1e-12 * max(1.0, high):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if at_price(problem, risk, middle)[2] > limit else (low, middle)
    return high, at_price(problem, risk, high)[0].value + high * limit


@dataclass(frozen=True, eq=False)
class Learned:
    """What `learn` recorded.

    Attributes:
        moments: steps of each run at which it was recorded, (moments,).
        policies: the greedy action in each state, (moments, runs, states).
        prices: of a unit of risk, (moments, runs).
    """

    moments: NDArray
    policies: NDArray
    prices: NDArray


def learn(
    problem: Problem,
    *,
    steps: int,
    runs: int = 5,
    worlds: int = 200,
    revealed: bool = False,
    risk: ArrayLike | None = None,
    limit: float = 0.0,
    tables: int = 2,
    epsilon: float = 0.3,
    power: float = 0.8,
    pace: float = 20.0,
    warm: float = 0.2,
    records: int = 10,
    seed: int = 0,
) -> Learned:
    """Q-learning on the counts, many worlds side by side for each table; with `risk`, at a price that is learned, too.

    One table holds the expected reward, one the expected risk. The agent acts greedily on reward - price · risk, with a share
    of random actions, and both tables follow this one policy. One world in four has no random actions: it measures the
    risk, and the price rises while that is above the limit and falls while it is below.

    Args:
        problem: agents see only what happens, not its tables.
        steps: transitions of each run, in all its worlds together.
        runs: how many runs, each with tables of its own.
        worlds: that each run plays.
        revealed: the truth is told at the end of an episode, so that all final actions can be judged, not only the one taken.
        risk: of each final action for each hidden value, (hidden, finals); without it there is no constraint.
        limit: of the expected risk.
        tables: 2, or 1: then a single table learns reward - price · risk, with the price of the moment.
        epsilon: the share of random actions.
        power: of the step size, visits^-power.
        pace: how fast the price moves: by this times the risk above the limit, and more slowly towards the end.
        warm: the share of the steps before it moves: the tables have to know something first.
        records: how often to record.
        seed: the same seed gives the same runs.

    Raises:
        ValueError: a parameter is out of its range.
    """
    for name, value in {"steps": steps, "runs": runs, "worlds": worlds, "records": records}.items():
        check_whole(name, value, 1)
    check_number("epsilon", epsilon, 0, 1)
    check_number("power", power, 0, 1)
    if tables not in (1, 2):
        raise ValueError(f"tables is {tables!r}; expected 1 or 2")
    states, senses, finals = problem.states, len(problem.senses), problem.finals
    n, actions = len(states), problem.actions
    payoff = problem.payoff
    risks = np.zeros_like(payoff) if risk is None else np.asarray(risk, dtype=float)
    following, free = states.following, states.allowed
    answers = [sense.table.cumsum(axis=1) / sense.table.sum(axis=1, keepdims=True) for sense in problem.senses]
    chance, prior = np.random.default_rng(stream_seed("learning on counts", seed)), problem.prior.cumsum()

    def begin(many: int) -> NDArray:
        return np.searchsorted(prior / prior[-1], chance.random(many), side="right")

    many = runs * worlds
    run = np.repeat(np.arange(runs), worlds)
    measures = np.arange(many) % worlds < worlds // 4  # worlds without random actions
    hidden, state = begin(many), np.zeros(many, dtype=int)
    reward, cost, seen = (np.zeros((runs * n, actions)) for _ in range(3))
    closed = np.where(free, 0.0, -np.inf)
    price, moments, policies, prices = np.zeros(runs), [], [], []
    rounds = max(1, steps // worlds)
    record = {max(1, rounds * (k + 1) // records) for k in range(records)}

    def worth(rows: NDArray, price: NDArray) -> NDArray:
        """Reward - price · risk of all actions in some states of some runs."""
        found = reward[rows] + closed[rows % n]
        return found - price[:, None] * cost[rows] if tables == 2 else found

    for step in range(1, rounds + 1):
        # Act: greedily, some at random among what is allowed.
        rows = run * n + state
        action = worth(rows, price[run]).argmax(axis=1)
        explore = ~measures & (chance.random(many) < epsilon)
        action[explore] = np.where(free[state[explore]], chance.random((explore.sum(), actions)), -1).argmax(axis=1)

        # The world answers.
        ends, after = action >= senses, state.copy()
        for sense in range(senses):
            who = np.flatnonzero(action == sense)
            symbol = (chance.random((len(who), 1)) >= answers[sense][hidden[who], :-1]).sum(axis=1)
            after[who] = following[state[who], states.columns[sense].start + symbol]
        final = np.where(ends, action - senses, 0)
        r = np.where(ends, payoff[hidden, final], -problem.costs[np.minimum(action, senses - 1)])
        c = np.where(ends, risks[hidden, final], 0.0)

        # Learn: both tables move towards what the same next action promises.
        then = run * n + after
        best = worth(then, price[run]).argmax(axis=1)
        targets = [(rows, action, r + ~ends * reward[then, best], c + ~ends * cost[then, best])]
        if revealed and ends.any():
            at, every = np.repeat(np.flatnonzero(ends), finals), np.tile(np.arange(finals), ends.sum())
            targets = [tuple(part[~ends] for part in targets[0])]
            targets += [(rows[at], senses + every, payoff[hidden[at], every], risks[hidden[at], every])]
        s, a, r, c = (np.concatenate(parts) for parts in zip(*targets, strict=True))
        if tables == 1:
            r = r - price[s // n] * np.where(a >= senses, c, 0)
        entry, which, times = np.unique(s * actions + a, return_inverse=True, return_counts=True)
        seen.ravel()[entry] += times
        share = 1 - (1 - np.minimum(1, seen.ravel()[entry] ** -power)) ** times
        for table, target in ((reward, r), (cost, c)):
            mean = np.bincount(which, target) / times
            table.ravel()[entry] += share * (mean - table.ravel()[entry])

        # The price: up while the measured risk is above the limit.
        if risk is not None and step > warm * rounds and (told := ends & measures).any():
            over = np.bincount(run[told], risks[hidden[told], final[told]] - limit, minlength=runs)
            price = np.maximum(0, price + pace * over / np.maximum(worlds // 4, 1) * (1 + 50 * step / rounds) ** -0.5)

        # Reset finished episodes.
        state = np.where(ends, 0, after)
        hidden[ends] = begin(ends.sum())
        if step in record:
            everything = np.arange(runs * n)
            greedy = worth(everything, np.repeat(price, n)).argmax(axis=1)
            moments.append(step * worlds)
            policies.append(greedy.reshape(runs, n))
            prices.append(price.copy())
    return Learned(np.array(moments), np.array(policies), np.array(prices))
