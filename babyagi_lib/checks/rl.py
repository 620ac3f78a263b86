"""The exercises of lesson 06: value iteration, the Q-learning update, a schedule for exploration."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from babyagi_lib.checks.verdict import Wrong, exercise
from babyagi_lib.rl import exact, tabular
from babyagi_lib.rl.mdp import MDP

WORLDS = ((2, 0.9), (10, 0.5), (12, 0.95), (21, 0.8))  # seeds and gammas; there, values without discount exist too
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


@exercise("06_q_learning")
def value_iteration(solve: Callable) -> str:
    """Check `solve(probability, next_state, reward, terminated, gamma)`, which returns V* of a world, (states,)."""
    for seed, gamma in WORLDS:
        mdp = small_mdp(seed)
        table = (mdp.probability, mdp.next_state, mdp.reward, mdp.terminated)
        wanted = exact.value_iteration(mdp, gamma, 1e-12).V
        found = solve(*(column.copy() for column in table), gamma)
        if found is None:
            raise Wrong("your function returns nothing; return V, one number for each state.")
        found = np.asarray(found, dtype=float)
        if found.shape != (mdp.states,):
            raise Wrong(f"V has the shape {found.shape}; one number for each state is needed, ({mdp.states},).")
        if np.allclose(found, wanted, atol=1e-4):
            continue
        said = f" In a random world, gamma {gamma}, you return {found.round(3)}; V* is {wanted.round(3)}."
        everywhere = MDP(mdp.name, *table[:3], np.zeros_like(mdp.terminated), mdp.start)
        alike = MDP(mdp.name, np.full_like(mdp.probability, 1 / 3), *table[1:], mdp.start)
        evenly = np.full((mdp.states, mdp.actions), 1 / mdp.actions)
        sweeps = [np.zeros(mdp.states)]
        for _ in range(300):
            sweeps.append(exact.backup(mdp, sweeps[-1], gamma).max(axis=1))
        undiscounted = np.zeros(mdp.states)
        for _ in range(1000):
            undiscounted = exact.backup(mdp, undiscounted, 1.0).max(axis=1)
        faults = [
            (sweeps[1], "one sweep is not enough: it only knows the next reward. Sweep until V hardly changes."),
            (
                exact.policy_value(mdp, evenly, gamma),
                "you average over the actions; the agent may choose, so take the largest.",
            ),
            (
                exact.value_iteration(everywhere, gamma, 1e-12).V,
                "you count what comes after the end of an episode: where terminated is true, nothing follows.",
            ),
            (exact.value_iteration(alike, gamma, 1e-12).V, "weight the outcomes by their probabilities."),
            (undiscounted, "gamma is missing: what comes a step later counts gamma times as much."),
        ]
        for fault, message in faults:
            if np.allclose(found, fault, atol=1e-3):
                raise Wrong(message + said)
        for number, V in enumerate(sweeps):
            if np.allclose(found, V, atol=1e-9):
                raise Wrong(f"stopped too early, after {number} sweeps: go on until V hardly changes." + said)
        raise Wrong("this is not V*." + said)
    return "in four random worlds your V is that of the library, which agrees with a linear system."


@exercise("06_q_learning")
def q_update(update: Callable) -> str:
    """Check `update(Q, s, a, r, s_next, a_next, terminated, alpha, gamma)`, which changes one entry of Q in place."""
    draw = np.random.default_rng(0)
    for case in range(40):
        before = draw.normal(size=(4, 3)).round(2)
        s, s_next = (int(x) for x in draw.permutation(4)[:2])
        best = int(before[s_next].argmax())
        a, a_next = int(draw.integers(3)), (best + 1 + case % 2) % 3  # never the greedy one
        r, alpha, gamma = 2.0, (0.25, 0.5)[case % 2], (0.9, 0.6)[case // 2 % 2]
        terminated = case % 4 == 3
        now, then = before[s, a], before[s_next].max()
        target = r + (0 if terminated else gamma * then)
        Q = before.copy()
        answer = update(Q, s, a, r, s_next, a_next, terminated, alpha, gamma)
        others = before != Q
        others[s, a] = False
        end = "at the end of an episode" if terminated else "in the middle of an episode"
        said = (
            f" {end.capitalize()}, with Q(s,a) = {now}, r = {r}, largest Q(s',·) = {then}, alpha = {alpha} and "
            f"gamma = {gamma}, Q(s,a) became {Q[s, a]:.4f}; it should be {now + alpha * (target - now):.4f}."
        )
        if others.any():
            raise Wrong("you changed entries other than Q[s, a]: an update learns about the action that was taken.")
        if np.isclose(Q[s, a], now + alpha * (target - now)):
            continue
        if answer is not None and (before == Q).all():
            raise Wrong("Q was not changed: write the new number into Q[s, a] rather than returning it.")
        if Q[s, a] == now and terminated:
            raise Wrong(
                "the last step of an episode is skipped, and with it the reward that everything is about." + said
            )
        wrong = {
            "the sign is wrong: Q moves away from the target. Add alpha·(target - Q[s, a]).": now
            - alpha * (target - now),
            "the episode is over, but you still count what the next state is worth.": now
            + alpha * (r + gamma * then - now),
            "the largest value must be that of the next state, Q[s_next], not of the state you were in.": now
            + alpha * (r + (0 if terminated else gamma * before[s].max()) - now),
            "you used the action that is taken next: that is SARSA. Q-learning takes the largest value.": now
            + alpha * (r + (0 if terminated else gamma * before[s_next, a_next]) - now),
            "alpha is missing: you go the whole way to the target.": target,
            "gamma is missing: what comes a step later is discounted.": now
            + alpha * (r + (0 if terminated else then) - now),
            "the old value is not subtracted: the step is alpha times the difference to the target.": now
            + alpha * target,
        }
        for message, value in wrong.items():
            if np.isclose(Q[s, a], value):
                raise Wrong(message + said)
        raise Wrong("Q(s,a) is not what the formula says." + said)
    return "40 transitions, in the middle and at the end of episodes, all as the formula says."


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


@exercise("06_q_learning")
def epsilon_schedule(schedule: Callable[[int], float]) -> str:
    """Check `schedule(t)`, the share of random actions in step t: mean regret of at most 50 on a bandit, 400 runs."""
    values = [schedule(t) for t in range(PULLS + 1)]
    if any(value is None for value in values):
        raise Wrong("your function returns nothing; return a number between 0 and 1.")
    epsilon = np.array(values, dtype=float)
    if not ((epsilon >= 0) & (epsilon <= 1)).all():
        t = int(np.flatnonzero(~((epsilon >= 0) & (epsilon <= 1)))[0])
        raise Wrong(f"epsilon is a share, between 0 and 1; in step {t} yours is {epsilon[t]:g}.")
    regret = mean_regret(lambda t: epsilon[t])
    said = f" Mean regret over 400 runs: {regret:.0f}, and at most {MOST_REGRET:.0f} is wanted."
    if np.ptp(epsilon) == 0 and epsilon[0] > 0:
        raise Wrong(
            "a constant epsilon goes on paying for exploration when there is nothing left to find out: let it fall."
            + said
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
