"""The exercises of lesson 06: value iteration, the Q-learning update, a schedule for exploration. Imports no torch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import astuple, dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.learner.checks.answers import Wrong, array, describe, number, rounded_to, side_by_side
from babyagi_lib.learner.checks.verdict import exercise
from babyagi_lib.rl import exact, tabular
from babyagi_lib.rl.mdp import MDP

ARMS = (0.2, 0.4, 0.6, 0.8)  # the probabilities of a reward in the bandit of the third exercise
PULLS = 2000
MOST_REGRET = 50.0


def small_mdp(seed: int, states: int = 5, actions: int = 3, outcomes: int = 3) -> MDP:
    """A random world with chance, rewards of both signs, and episodes that may end anywhere."""
    draw = np.random.default_rng(seed)
    shape = (states, actions, outcomes)
    return MDP(
        f"random world {seed}",
        draw.dirichlet(np.ones(outcomes), size=(states, actions)),
        draw.integers(states, size=shape),
        draw.normal(size=shape).round(1),
        draw.random(shape) < 0.2,
        np.full(states, 1 / states),
    )


def worlds() -> list[tuple[MDP, float]]:
    """Small worlds and their gammas. Values without discount exist there too, so that a missing gamma can be named.

    Where all rewards are negative, a mistake shows that never lets V fall below 0. Sizes differ, so that none can be
    written into an answer.
    """
    costly, wide = small_mdp(12), small_mdp(21, states=7, actions=2, outcomes=4)
    costly = replace(costly, reward=costly.reward - 4)
    return [(small_mdp(2), 0.9), (small_mdp(10), 0.5), (costly, 0.95), (wide, 0.8)]


@exercise
def value_iteration(solve: Callable) -> str:
    """Check `solve(probability, next_state, reward, terminated, gamma)`, which returns V* of a world, (states,)."""
    drawn, answers = worlds(), []
    for mdp, gamma in drawn:
        table = (mdp.probability, mdp.next_state, mdp.reward, mdp.terminated)
        given = [column.copy() for column in table]
        answer = solve(*given, gamma)
        if any(not np.array_equal(now, before) for now, before in zip(given, table, strict=True)):
            raise Wrong("your function changes the tables that it was given; work on copies.")
        found = array(answer, f"V, one number for each of the {mdp.states} states")
        if found.shape == (mdp.states, mdp.actions):
            raise Wrong("that is Q, one number for each state and action: V is the largest over the actions.")
        if found.shape != (mdp.states,):
            raise Wrong(f"V has the shape {found.shape}; one number for each state is needed, ({mdp.states},).")
        answers.append(found)
    wanted = [exact.value_iteration(mdp, gamma, 1e-12).V for mdp, gamma in drawn]
    off = [not np.allclose(found, V, rtol=0, atol=1e-4) for found, V in zip(answers, wanted, strict=True)]
    if not any(off):
        return f"in {len(drawn)} random worlds your V is that of the library, which agrees with a linear system."
    first = off.index(True)
    (mdp, gamma), found = drawn[first], answers[first]
    one, other = side_by_side(found, wanted[first])
    said = f" In a random world, gamma {gamma}, you return {one}; V* is {other}."
    for message, mistake in VALUE_MISTAKES:
        theirs = [mistake(*world) for world in drawn]
        if all(np.allclose(f, t, rtol=1e-3, atol=1e-3) for f, t in zip(answers, theirs, strict=True)):
            raise Wrong(message + said)
    V = np.zeros(mdp.states)
    for sweep in range(300):
        if np.allclose(found, V, atol=1e-9):
            raise Wrong(f"stopped too early, after {sweep} sweeps: go on until V hardly changes." + said)
        V = exact.backup(mdp, V, gamma).max(axis=1)
    if not np.isfinite(found).all():
        raise Wrong(
            "the numbers grow without end: is gamma in the right place, and does the end of an episode count?" + said
        )
    if np.allclose(found, wanted[first], rtol=0, atol=0.05):
        raise Wrong("nearly V*: stopped too early, or rounded? An error below 1e-4 is asked for." + said)
    raise Wrong("this is not V*." + said)


Values = NDArray[np.float64]


def _swept(backup: Callable[[MDP, Values, float], Values], sweeps: int = 300) -> Callable[[MDP, float], Values]:
    """What value iteration with this backup, (states,) to (states,), ends in."""

    def solve(mdp: MDP, gamma: float) -> Values:
        V = np.zeros(mdp.states)
        with np.errstate(all="ignore"):
            for _ in range(sweeps):
                V = backup(mdp, V, gamma)
        return V

    return solve


def _outcomes(mdp: MDP, V: Values, gamma: float) -> NDArray[np.float64]:
    """What each outcome is worth: (states, actions, outcomes)."""
    return mdp.reward + gamma * np.where(mdp.terminated, 0, V[mdp.next_state])


def _without_ends(mdp: MDP, V: Values) -> Values:
    """The same values, but 0 in every state that some terminated outcome leads to."""
    return np.where(np.isin(np.arange(mdp.states), mdp.next_state[mdp.terminated]), 0, V)


def _evenly(mdp: MDP, gamma: float) -> Values:
    return exact.policy_value(mdp, np.full((mdp.states, mdp.actions), 1 / mdp.actions), gamma)


def _best(mdp: MDP, values: NDArray[np.float64]) -> Values:
    """The largest over the actions of what the outcomes are worth on average."""
    return (mdp.probability * values).sum(axis=2).max(axis=1)


VALUE_MISTAKES: list[tuple[str, Callable[[MDP, float], Values]]] = [
    (
        "one sweep is not enough: it only knows the next reward. Sweep until V hardly changes.",
        _swept(lambda mdp, V, gamma: exact.backup(mdp, V, gamma).max(axis=1), 1),
    ),
    ("you average over the actions; the agent may choose, so take the largest.", _evenly),
    (
        "you take the smallest over the actions; the agent chooses the largest.",
        _swept(lambda mdp, V, gamma: exact.backup(mdp, V, gamma).min(axis=1)),
    ),
    (
        "you count what comes after the end of an episode: where terminated is true, nothing follows.",
        _swept(lambda mdp, V, gamma: _best(mdp, mdp.reward + gamma * V[mdp.next_state])),
    ),
    (
        "the reward of the last step is lost: where terminated is true, only what follows is 0.",
        _swept(lambda mdp, V, gamma: _best(mdp, _outcomes(mdp, V, gamma) * ~mdp.terminated)),
    ),
    (
        "terminated is the wrong way round: where it is true, nothing follows.",
        _swept(lambda mdp, V, gamma: _best(mdp, mdp.reward + gamma * mdp.terminated * V[mdp.next_state])),
    ),
    (
        "weight the outcomes by their probabilities.",
        _swept(lambda mdp, V, gamma: _outcomes(mdp, V, gamma).mean(axis=2).max(axis=1)),
    ),
    (
        "take the largest over the actions, not over the outcomes: chance decides those.",
        _swept(lambda mdp, V, gamma: _outcomes(mdp, V, gamma).max(axis=(1, 2))),
    ),
    (
        "you use only the first outcome of each action: sum over the outcomes, weighted by their probabilities.",
        _swept(lambda mdp, V, gamma: _outcomes(mdp, V, gamma)[..., 0].max(axis=1)),
    ),
    (
        "you use only the most probable outcome of each action: sum over all of them.",
        _swept(
            lambda mdp, V, gamma: np.take_along_axis(
                _outcomes(mdp, V, gamma), mdp.probability.argmax(axis=2)[..., None], axis=2
            )[..., 0].max(axis=1)
        ),
    ),
    (
        "gamma is missing: what comes a step later counts gamma times as much.",
        _swept(lambda mdp, V, gamma: exact.backup(mdp, V, 1.0).max(axis=1)),
    ),
    (
        "gamma multiplies the reward too: only what comes a step later counts gamma times as much.",
        _swept(lambda mdp, V, gamma: gamma * _best(mdp, mdp.reward + np.where(mdp.terminated, 0, V[mdp.next_state]))),
    ),
    (
        "the reward is missing: each outcome pays its reward, and then leads to a state.",
        _swept(lambda mdp, V, gamma: _best(mdp, _outcomes(mdp, V, gamma) - mdp.reward)),
    ),
    (
        "what follows is the value of the next state, V[next_state], not of the state that the agent leaves.",
        _swept(lambda mdp, V, gamma: _best(mdp, mdp.reward + gamma * np.where(mdp.terminated, 0, V[:, None, None]))),
    ),
    (
        "your V never falls below 0: where all rewards are negative, the best is negative too. Start the search for the "
        "largest at the first action, not at 0.",
        _swept(lambda mdp, V, gamma: np.maximum(0, exact.backup(mdp, V, gamma).max(axis=1))),
    ),
    (
        "a state is not an end, an outcome is: the state that a terminated outcome leads to can be worth something when "
        "another outcome leads there. Use terminated, outcome by outcome.",
        _swept(lambda mdp, V, gamma: _best(mdp, mdp.reward + gamma * _without_ends(mdp, V)[mdp.next_state])),
    ),
    (
        "the reward needs its probability too: weight reward and future of each outcome together.",
        _swept(
            lambda mdp, V, gamma: (
                (mdp.reward + mdp.probability * (_outcomes(mdp, V, gamma) - mdp.reward)).sum(axis=2).max(axis=1)
            )
        ),
    ),
    (
        "reward and future are maximised apart: one action gives both, so add first and take the largest of the sums.",
        _swept(lambda mdp, V, gamma: _best(mdp, mdp.reward) + _best(mdp, _outcomes(mdp, V, gamma) - mdp.reward)),
    ),
    (
        "the sign is wrong: add the rewards, do not subtract them.",
        lambda mdp, gamma: -exact.value_iteration(mdp, gamma, 1e-12).V,
    ),
    (
        "these are the numbers of the best actions; V is what they are worth (max, not argmax).",
        lambda mdp, gamma: (
            exact.backup(mdp, exact.value_iteration(mdp, gamma, 1e-12).V, gamma).argmax(axis=1).astype(float)
        ),
    ),
]


@dataclass(frozen=True)
class Step:
    """What the agent saw in one step, and the table that it had: (states, actions)."""

    Q: NDArray[np.float64]
    s: int
    a: int
    r: float
    s_next: int
    a_next: int
    terminated: bool
    alpha: float
    gamma: float

    @property
    def now(self) -> float:
        """Q(s, a) before the update."""
        return float(self.Q[self.s, self.a])

    @property
    def then(self) -> float:
        """The largest value of the next state, also at the end of an episode."""
        return float(self.Q[self.s_next].max())

    @property
    def target(self) -> float:
        """What Q(s, a) moves towards."""
        return self.worth(self.then)

    @property
    def right(self) -> float:
        """Q(s, a) after the update."""
        return self.towards(self.target)

    def worth(self, then: float) -> float:
        """The target, if the next state were worth `then`."""
        return self.r if self.terminated else self.r + self.gamma * then

    def towards(self, target: float) -> float:
        """Q(s, a) after a step towards a target."""
        return self.now + self.alpha * (target - self.now)


def transitions() -> list[Step]:
    """Transitions on which the usual mistakes show.

    A third ends an episode, with large numbers left in Q[s_next]. In half the agent stays where it is, and took the best
    action there, so that changing Q[s, a] too early changes the target. In half all of Q is negative, in half the best
    action is tied. `a_next` is never the best action.
    """
    draw, steps = np.random.default_rng(0), []
    kinds = product((False, False, True), (False, True), (False, True), (False, True), (2.0, -1.5, 0.0))
    for terminated, stays, negative, tied, r in kinds:
        Q = draw.normal(size=(4, 3)).round(2)
        if negative:
            Q = -np.abs(Q) - 0.5
        s, s_next = (int(x) for x in draw.permutation(4)[:2])
        if stays:
            s_next = s
        worst, middle, best = (int(x) for x in Q[s_next].argsort())
        if tied:
            Q[s_next, middle] = Q[s_next, best]
        if terminated:
            Q[s_next] += 40
        a = best if stays else int(draw.integers(3))
        a_next = worst if tied or draw.random() < 0.5 else middle
        alpha, gamma = float(draw.choice([0.25, 0.5, 0.1])), float(draw.choice([0.9, 0.6]))
        steps.append(Step(Q, s, a, r, s_next, a_next, terminated, alpha, gamma))
    return steps


@exercise
def q_update(update: Callable) -> str:
    """Check `update(Q, s, a, r, s_next, a_next, terminated, alpha, gamma)`, which changes one entry of Q in place."""
    steps = transitions()
    found, unchanged, answer = np.zeros(len(steps)), True, None
    for i, step in enumerate(steps):
        Q = step.Q.copy()
        answer = update(Q, *astuple(step)[1:])
        others = step.Q != Q
        others[step.s, step.a] = False
        if others.any():
            raise Wrong("you changed entries other than Q[s, a]: an update learns about the action that was taken.")
        found[i], unchanged = Q[step.s, step.a], unchanged and bool((step.Q == Q).all())
    right = np.array([step.right for step in steps])
    off = ~np.isclose(found, right, rtol=1e-6, atol=1e-9)
    if not off.any():
        return f"{len(steps)} transitions, in the middle and at the end of episodes, all as the formula says."
    if unchanged:
        raise Wrong(
            "Q was not changed: write the new number into Q[s, a]."
            if answer is None
            else f"Q was not changed: write the new number into Q[s, a] rather than returning it (you return {describe(answer)})."
        )
    first = int(np.argmax(off))
    step = steps[first]
    where = "At the end of an episode" if step.terminated else "In the middle of an episode"
    stays = " and s' = s" if step.s == step.s_next else ""
    one, other = side_by_side(found[first], right[first])
    said = (
        f" {where}, with Q(s,a) = {step.now:g}, r = {step.r:g}, largest Q(s',·) = {step.Q[step.s_next].max():g}, "
        f"alpha = {step.alpha} and gamma = {step.gamma}{stays}, Q(s,a) became {one}; it should be {other}."
    )
    if (decimals := rounded_to(found, right)) is not None:
        raise Wrong(f"you round to {decimals} decimals: write the number as it is." + said)
    for message, mistake in UPDATE_MISTAKES:
        if np.allclose(found, [mistake(step) for step in steps], rtol=1e-6, atol=1e-9):
            raise Wrong(message + said)
    if not off[[not step.terminated for step in steps]].any():
        raise Wrong(
            "in the middle of an episode all is right, at its end it is not: there the target is r alone." + said
        )
    if not off[[step.s != step.s_next for step in steps]].any():
        raise Wrong("all is right except where the next state is the same state: read Q before you change it." + said)
    raise Wrong("Q(s,a) is not what the formula says." + said)


def _scaled_first(step: Step) -> float:
    Q = step.Q.copy()
    Q[step.s, step.a] *= 1 - step.alpha
    return float(Q[step.s, step.a] + step.alpha * replace(step, Q=Q).target)


def _twice(step: Step) -> float:
    Q = step.Q.copy()
    Q[step.s, step.a] = step.right
    return replace(step, Q=Q).right


UPDATE_MISTAKES: list[tuple[str, Callable[[Step], float]]] = [
    (
        "Q[s, a] is changed before the largest value of the next state is read: where the next state is the same state, "
        "that is another number. First the target, then the change.",
        _scaled_first,
    ),
    (
        "the last step of an episode is skipped, and with it the last reward.",
        lambda step: step.now if step.terminated else step.right,
    ),
    (
        "at the end of an episode the reward is lost: the target there is r, not 0.",
        lambda step: step.towards(0.0) if step.terminated else step.right,
    ),
    (
        "at the end of an episode you go the whole way to the reward: alpha counts there, too.",
        lambda step: step.r if step.terminated else step.right,
    ),
    (
        "the episode is over, but you still count what the next state is worth.",
        lambda step: step.towards(step.r + step.gamma * step.then),
    ),
    (
        "terminated is the wrong way round: what the next state is worth counts while the episode goes on.",
        lambda step: step.towards(step.r + step.gamma * step.then * step.terminated),
    ),
    (
        "`~terminated` is -1 or -2 for a Python bool: write `not terminated`, or (1 - terminated).",
        lambda step: step.towards(step.r + step.gamma * step.then * (-1 - step.terminated)),
    ),
    (
        "the sign is wrong: Q moves away from the target. Add alpha·(target - Q[s, a]).",
        lambda step: 2 * step.now - step.right,
    ),
    (
        "the largest value must be that of the next state, Q[s_next], not of the state you were in.",
        lambda step: step.towards(step.worth(float(step.Q[step.s].max()))),
    ),
    (
        "you used the action that is taken next: that is SARSA. Q-learning takes the largest value.",
        lambda step: step.towards(step.worth(float(step.Q[step.s_next, step.a_next]))),
    ),
    (
        "you used the action that was taken, in the next state: Q-learning takes the largest value there.",
        lambda step: step.towards(step.worth(float(step.Q[step.s_next, step.a]))),
    ),
    (
        "you average over the next actions; Q-learning takes the largest value.",
        lambda step: step.towards(step.worth(float(step.Q[step.s_next].mean()))),
    ),
    (
        "that is the number of the best action; its value is needed (max, not argmax).",
        lambda step: step.towards(step.worth(float(step.Q[step.s_next].argmax()))),
    ),
    (
        "you take the smallest value of the next state; Q-learning takes the largest.",
        lambda step: step.towards(step.worth(float(step.Q[step.s_next].min()))),
    ),
    (
        "you take the largest value of the whole table: only those of the next state count, Q[s_next].",
        lambda step: step.towards(step.worth(float(step.Q.max()))),
    ),
    (
        "you never take a largest value below 0: where all of Q[s_next] is negative, it is negative too. Start the search at the "
        "first action, not at 0.",
        lambda step: step.towards(step.worth(max(0.0, step.then))),
    ),
    (
        "you take the largest absolute value: a large negative value is a bad action.",
        lambda step: step.towards(step.worth(float(np.abs(step.Q[step.s_next]).max()))),
    ),
    (
        "alpha is missing: you go the whole way to the target.",
        lambda step: step.r if step.terminated else step.r + step.gamma * step.then,
    ),
    (
        "alpha and 1 - alpha are the wrong way round: alpha is the share of the target.",
        lambda step: replace(step, alpha=1 - step.alpha).right,
    ),
    (
        "gamma is missing: what comes a step later is discounted.",
        lambda step: replace(step, gamma=1.0).right,
    ),
    (
        "gamma multiplies the reward too: only what the next state is worth is discounted.",
        lambda step: step.towards(step.gamma * (step.r + (0 if step.terminated else step.then))),
    ),
    (
        "the reward is missing: the target is r plus what the next state is worth.",
        lambda step: replace(step, r=0.0).right,
    ),
    (
        "the old value is not subtracted: the step is alpha times the difference to the target.",
        lambda step: step.right + step.alpha * step.now,
    ),
    (
        "alpha multiplies only part of the difference: put target - Q[s, a] in brackets.",
        lambda step: step.alpha * step.target,
    ),
    (
        "alpha multiplies only part of the difference: put target - Q[s, a] in brackets.",
        lambda step: step.alpha * step.r + (step.target - step.r),
    ),
    (
        "alpha multiplies only part of the target: put r and what follows in brackets.",
        lambda step: step.now + step.alpha * (step.r - step.now) + (step.target - step.r),
    ),
    (
        "you change Q only where it grows: an update may lower it, too.",
        lambda step: max(step.now, step.right),
    ),
    ("the update is made twice.", _twice),
]


def bandit() -> MDP:
    """One state, four actions; each pays 1 with its own probability, and the episode is over."""
    p = np.array(ARMS)
    shape = (1, len(p), 2)
    reward = np.broadcast_to([1.0, 0.0], shape)
    return MDP(
        "bandit", np.stack([p, 1 - p], axis=1)[None], np.zeros(shape, int), reward, np.ones(shape, bool), np.ones(1)
    )


def mean_regret(epsilon: Callable[[int], float], runs: int = 400, seed: int = 0) -> float:
    """How much less the bandit paid in `PULLS` steps, on average, than its best arm does."""
    run = tabular.learn(bandit(), steps=PULLS, runs=runs, alpha=lambda n: 1 / n, gamma=0.0, epsilon=epsilon, seed=seed)
    return float((run.visits[:, 0] * (max(ARMS) - np.array(ARMS))).sum(axis=-1).mean())


def _share(value: object) -> float:
    """One epsilon; yes and no are 1 and 0."""
    return float(value) if isinstance(value, bool | np.bool_) else number(value, "a number between 0 and 1")


@functools.cache
def _regret(epsilon: tuple[float, ...]) -> float:
    # After the last step `learn` chooses one more action, which is never taken.
    return mean_regret(lambda t: epsilon[min(t, PULLS - 1)])


@exercise
def epsilon_schedule(schedule: Callable[[int], float]) -> str:
    """Check `schedule(t)`, the share of random actions in step t: mean regret of at most 50 on a bandit, 400 runs."""
    epsilon = np.array([_share(schedule(t)) for t in range(PULLS)])
    again = next(
        (t for t in (0, 1, 7, 100, PULLS - 1) if not np.array_equal(_share(schedule(t)), epsilon[t], equal_nan=True)),
        None,
    )
    if again is not None:
        raise Wrong(
            f"schedule({again}) is not the same number the second time: compute it from t alone, without chance and "
            "without a variable that remembers the last one."
        )
    if not ((epsilon >= 0) & (epsilon <= 1)).all():
        t = int(np.flatnonzero(~((epsilon >= 0) & (epsilon <= 1)))[0])
        raise Wrong(f"epsilon is a share, between 0 and 1; in step {t} yours is {epsilon[t]:g}.")
    regret = _regret(tuple(epsilon))
    said = f" Mean regret over 400 runs: {regret:.0f}, and at most {MOST_REGRET:.0f} is wanted."
    if np.ptp(epsilon) == 0 and epsilon[0] > 0:
        raise Wrong(
            "a constant epsilon keeps exploring, at a cost, when the best arm has long been found: let it fall." + said
        )
    if regret <= MOST_REGRET:
        return f"mean regret {regret:.0f} over 400 runs; {MOST_REGRET:.0f} was asked for."
    if epsilon.sum() < 20:
        raise Wrong(
            f"only {epsilon.sum():.0f} of {PULLS} steps explore on average: many runs settle on an arm before they have "
            "seen the best one." + said
        )
    if epsilon[-PULLS // 4 :].mean() > 0.02:
        raise Wrong(
            f"in the last quarter you still explore in {epsilon[-PULLS // 4 :].mean():.0%} of the steps: by then the best "
            "arm is known." + said
        )
    raise Wrong(f"you explore in {epsilon.sum():.0f} steps on average: four arms need fewer." + said)
