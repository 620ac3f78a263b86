"""Right and wrong answers to the exercises of lesson 06, with what each wrong one should be told."""

import random

import numpy as np
import torch
from scipy.optimize import linprog

from babyagi_lib.learner.checks import q_learning as checks


def solve(
    probability, next_state, reward, terminated, gamma, best=lambda Q: Q.max(axis=1), sweeps=2000, past_the_end=False
):
    V = np.zeros(len(probability))
    for _ in range(sweeps):
        goes_on = 1.0 if past_the_end else ~terminated
        V = best((probability * (reward + gamma * goes_on * V[next_state])).sum(axis=2))
    return V


def update(Q, s, a, r, s_next, a_next, terminated, alpha, gamma):
    target = r if terminated else r + gamma * Q[s_next].max()
    Q[s, a] += alpha * (target - Q[s, a])


def skips_the_end(Q, s, a, r, s_next, a_next, terminated, alpha, gamma):
    if not terminated:
        update(Q, s, a, r, s_next, a_next, terminated, alpha, gamma)


def wrong_sign(Q, s, a, r, s_next, a_next, terminated, alpha, gamma):
    update(Q, s, a, r, s_next, a_next, terminated, -alpha, gamma)


def past_the_end(Q, s, a, r, s_next, a_next, terminated, alpha, gamma):
    update(Q, s, a, r, s_next, a_next, False, alpha, gamma)


def wrong_state(Q, s, a, r, s_next, a_next, terminated, alpha, gamma):
    update(Q, s, a, r, s, a_next, terminated, alpha, gamma)


def no_alpha(Q, s, a, r, s_next, a_next, terminated, alpha, gamma):
    update(Q, s, a, r, s_next, a_next, terminated, 1.0, gamma)


def no_gamma(Q, s, a, r, s_next, a_next, terminated, alpha, gamma):
    update(Q, s, a, r, s_next, a_next, terminated, alpha, 1.0)


def sarsa(Q, s, a, r, s_next, a_next, terminated, alpha, gamma):
    target = r if terminated else r + gamma * Q[s_next, a_next]
    Q[s, a] += alpha * (target - Q[s, a])


def adds_only(Q, s, a, r, s_next, a_next, terminated, alpha, gamma):
    Q[s, a] += alpha * (r if terminated else r + gamma * Q[s_next].max())


def changes_the_row(Q, s, a, r, s_next, a_next, terminated, alpha, gamma):
    Q[s] += alpha * (r - Q[s])


def returns_it(Q, s, a, r, s_next, a_next, terminated, alpha, gamma):
    return Q[s, a] + alpha * (r + gamma * Q[s_next].max() - Q[s, a])


def in_words(Q, s, a, r, s_next, a_next, terminated, alpha, gamma):
    """A loop for the largest value, and the form with 1 - alpha."""
    largest = Q[s_next][0]
    for value in Q[s_next]:
        if value > largest:
            largest = value
    if terminated:
        largest = 0
    Q[s][a] = (1 - alpha) * Q[s][a] + alpha * (r + gamma * largest)


def returns_the_table(q_table, state, action, reward, new_state, new_action, done, learning_rate, discount_rate):
    best_next = np.argmax(q_table[new_state, :])
    td_target = reward + discount_rate * q_table[new_state, best_next] * (not done)
    td_error = td_target - q_table[state, action]
    q_table[state, action] = q_table[state, action] + learning_rate * td_error
    return q_table


def with_a_view(Q, s, a, r, s_next, a_next, terminated, alpha, gamma):
    row, future = Q[s], np.max(Q[s_next]) * (1 - terminated)
    row[a] += alpha * (r + gamma * future - row[a])
    return row[a]


def in_torch(Q, s, a, r, s_next, a_next, terminated, alpha, gamma):
    """A tensor that shares its memory with Q."""
    table = torch.from_numpy(Q)
    table[s, a] += alpha * (r + gamma * (1 - int(terminated)) * table[s_next].max() - table[s, a])


def with_put(Q, s, a, r, s_next, a_next, terminated, alpha, gamma):
    new = np.copy(Q)
    new[s, a] += alpha * (r + (0 if terminated else gamma * max(Q[s_next])) - Q[s, a])
    Q[:] = new


def scales_first(Q, s, a, r, s_next, a_next, terminated, alpha, gamma):
    """Wrong where the next state is the same state, as FrozenLake's often is."""
    Q[s, a] *= 1 - alpha
    Q[s, a] += alpha * (r + gamma * Q[s_next].max() * (not terminated))


def reward_first(Q, s, a, r, s_next, a_next, terminated, alpha, gamma):
    """Wrong in the same place, more rarely."""
    Q[s, a] += alpha * (r - Q[s, a])
    if not terminated:
        Q[s, a] += alpha * gamma * Q[s_next].max()


def from_zero(Q, s, a, r, s_next, a_next, terminated, alpha, gamma):
    largest = 0
    for value in Q[s_next]:
        largest = value if value > largest else largest
    Q[s, a] += alpha * (r + gamma * largest * (not terminated) - Q[s, a])


def with_argmax(Q, s, a, r, s_next, a_next, terminated, alpha, gamma):
    Q[s, a] += alpha * (r + gamma * np.argmax(Q[s_next]) * (not terminated) - Q[s, a])


def with_tilde(Q, s, a, r, s_next, a_next, terminated, alpha, gamma):
    Q[s, a] += alpha * (r + gamma * Q[s_next].max() * ~terminated - Q[s, a])


def nothing_at_the_end(Q, s, a, r, s_next, a_next, terminated, alpha, gamma):
    Q[s, a] += alpha * ((0 if terminated else r + gamma * Q[s_next].max()) - Q[s, a])


def sets_the_reward(Q, s, a, r, s_next, a_next, terminated, alpha, gamma):
    if terminated:
        Q[s, a] = r
    else:
        update(Q, s, a, r, s_next, a_next, terminated, alpha, gamma)


def clears_the_end(Q, s, a, r, s_next, a_next, terminated, alpha, gamma):
    if terminated:
        Q[s_next] = 0
    Q[s, a] += alpha * (r + gamma * Q[s_next].max() - Q[s, a])


def on_a_copy(Q, s, a, r, s_next, a_next, terminated, alpha, gamma):
    Q = Q.copy()
    update(Q, s, a, r, s_next, a_next, terminated, alpha, gamma)


def no_brackets(Q, s, a, r, s_next, a_next, terminated, alpha, gamma):
    Q[s, a] = Q[s, a] + alpha * r + gamma * Q[s_next].max() * (not terminated) - Q[s, a]


def aimed(aim):
    """An update towards another value of the next state."""

    def other(Q, s, a, r, s_next, a_next, terminated, alpha, gamma):
        Q[s, a] += alpha * (r + (0 if terminated else gamma * aim(Q, s, a, s_next)) - Q[s, a])

    return other


def then(change):
    """The right update, and then a change of what it wrote."""

    def other(Q, s, a, *rest):
        before = Q[s, a]
        update(Q, s, a, *rest)
        Q[s, a] = change(before, Q[s, a])

    return other


def gamma_on_all(Q, s, a, r, s_next, a_next, terminated, alpha, gamma):
    update(Q, s, a, gamma * r, s_next, a_next, terminated, alpha, gamma)


def swapped_alpha(Q, s, a, r, s_next, a_next, terminated, alpha, gamma):
    update(Q, s, a, r, s_next, a_next, terminated, 1 - alpha, gamma)


def sweep_in_place(probability, next_state, reward, terminated, gamma):
    """Gauss and Seidel: each state uses what the sweep has already changed."""
    V = [0.0] * len(probability)
    for _ in range(500):
        for s in range(len(V)):
            V[s] = max(
                sum(
                    p * (r + (0 if end else gamma * V[after]))
                    for p, r, end, after in zip(
                        probability[s, a], reward[s, a], terminated[s, a], next_state[s, a], strict=True
                    )
                )
                for a in range(probability.shape[1])
            )
    return V


def by_policy_iteration(P, nxt, R, done, discount):
    states = len(P)
    policy = np.zeros(states, dtype=int)
    while True:
        rows = np.arange(states)
        A = np.eye(states)
        p, n, d = P[rows, policy], nxt[rows, policy], done[rows, policy]
        for s in range(states):
            np.add.at(A[s], n[s], -discount * p[s] * ~d[s])
        V = np.linalg.solve(A, (p * R[rows, policy]).sum(axis=1))
        better = (P * (R + discount * ~done * V[nxt])).sum(axis=2).argmax(axis=1)
        if (better == policy).all():
            return V
        policy = better


def by_linear_programme(P, nxt, R, done, discount):
    states, actions, _ = P.shape
    rows, bounds = [], []
    for s in range(states):
        for a in range(actions):
            row = np.zeros(states)
            row[s] -= 1
            np.add.at(row, nxt[s, a], discount * P[s, a] * ~done[s, a])
            rows.append(row)
            bounds.append(-(P[s, a] * R[s, a]).sum())
    return linprog(np.ones(states), rows, bounds, bounds=(None, None)).x


def in_single_precision(P, nxt, R, done, discount):
    V = torch.zeros(len(P))
    P, R, goes_on, nxt = torch.tensor(P).float(), torch.tensor(R).float(), torch.tensor(~done), torch.tensor(nxt)
    for _ in range(300):
        V = (P * (R + discount * goes_on * V[nxt])).sum(2).amax(1)
    return V


def until_it_stops(P, nxt, R, done, discount):
    V = np.zeros(len(P))
    expected = np.einsum("sao,sao->sa", P, R)
    while True:
        Q = expected + discount * np.einsum("sao,sao->sa", P * (1 - done), V[nxt])
        if np.allclose(Q.max(-1), V, rtol=0, atol=1e-9):
            return Q.max(-1)
        V = Q.max(-1)


def swept(backup):
    """Value iteration with another backup: (table, V, gamma) to V."""

    def other(P, nxt, R, done, discount):
        V = np.zeros(len(P))
        for _ in range(300):
            V = backup(P, nxt, R, done, discount, V)
        return V

    return other


def best_actions(P, nxt, R, done, discount):
    V = solve(P, nxt, R, done, discount)
    return (P * (R + discount * ~done * V[nxt])).sum(axis=2).argmax(axis=1)


def all_of_q(P, nxt, R, done, discount):
    V = solve(P, nxt, R, done, discount)
    return (P * (R + discount * ~done * V[nxt])).sum(axis=2)


def changes_the_reward(P, nxt, R, done, discount):
    R *= P
    V = np.zeros(len(P))
    for _ in range(500):
        V = (R + P * discount * ~done * V[nxt]).sum(axis=2).max(axis=1)
    return V


def ends_are_states(P, nxt, R, done, discount):
    """Sets the value of every state to 0 that an episode can end in."""
    V, ends = np.zeros(len(P)), np.unique(nxt[done])
    for _ in range(500):
        future = V.copy()
        future[ends] = 0
        V = (P * (R + discount * future[nxt])).sum(axis=2).max(axis=1)
    return V


remembered = [1.0]


def stateful(t):
    remembered[0] = 1.0 if t == 0 else remembered[0] * 0.99
    return remembered[0]


in_a_list = [1.0] * 100 + [0.0] * 1900  # an epsilon for each of the 2,000 steps


class Schedule:
    def __init__(self, first, last, steps):
        self.first, self.last, self.steps = first, last, steps

    def __call__(self, step):
        return self.last + (self.first - self.last) * max(0.0, 1 - step / self.steps)


RETURNS = {
    checks.value_iteration: "array",
    checks.q_update: "in place",
    checks.epsilon_schedule: "number",
}
CASES = [
    (checks.value_iteration, solve),
    (checks.value_iteration, sweep_in_place),
    (checks.value_iteration, by_policy_iteration),
    (checks.value_iteration, by_linear_programme),
    (checks.value_iteration, in_single_precision),
    (checks.value_iteration, until_it_stops),
    (checks.value_iteration, lambda *table: solve(*table).round(5)),
    (checks.q_update, update),
    (checks.q_update, in_words),
    (checks.q_update, returns_the_table),
    (checks.q_update, with_a_view),
    (checks.q_update, in_torch),
    (checks.q_update, with_put),
    (checks.epsilon_schedule, lambda t: min(1, 10 / (t + 1))),
    (checks.epsilon_schedule, lambda t: 0.99**t),
    (checks.epsilon_schedule, lambda t: max(0, 1 - t / 200)),
    (checks.epsilon_schedule, lambda t: 1 / (t + 1) ** 0.5),
    (checks.epsilon_schedule, lambda t: t < 100),
    (checks.epsilon_schedule, lambda step: np.exp(-step / 100)),
    (checks.epsilon_schedule, Schedule(0.9, 0.005, 150)),
    (checks.epsilon_schedule, lambda t: 1 if t < 60 else 3 / t),
    (checks.epsilon_schedule, lambda t: in_a_list[t]),
]
MUTANTS = [
    (checks.value_iteration, lambda *table: solve(*table, best=lambda Q: Q.mean(axis=1)), "average over the actions"),
    (checks.value_iteration, lambda *table: solve(*table, sweeps=1), "one sweep"),
    (checks.value_iteration, lambda *table: solve(*table, sweeps=12), "stopped too early"),
    (checks.value_iteration, lambda *table: solve(*table).round(1), "or rounded?"),
    (checks.value_iteration, lambda p, *rest: solve(np.full_like(p, 1 / p.shape[2]), *rest), "probabilities"),
    (checks.value_iteration, lambda *table: solve(*table, past_the_end=True), "after the end"),
    (checks.value_iteration, lambda *table: solve(*table[:-1], 1.0), "gamma is missing"),
    (
        checks.value_iteration,
        lambda *table: solve(*table, best=lambda Q: Q.min(axis=1)),
        "the smallest over the actions",
    ),
    (
        checks.value_iteration,
        swept(lambda P, n, R, d, g, V: (P * ~d * (R + g * V[n])).sum(2).max(1)),
        "the reward of the last step is lost",
    ),
    (checks.value_iteration, swept(lambda P, n, R, d, g, V: (P * (R + g * d * V[n])).sum(2).max(1)), "wrong way round"),
    (checks.value_iteration, swept(lambda P, n, R, d, g, V: (R + g * ~d * V[n]).max((1, 2))), "not over the outcomes"),
    (
        checks.value_iteration,
        swept(lambda P, n, R, d, g, V: (R + g * ~d * V[n])[..., 0].max(1)),
        "only the first outcome",
    ),
    (
        checks.value_iteration,
        swept(lambda P, n, R, d, g, V: (g * P * (R + ~d * V[n])).sum(2).max(1)),
        "gamma multiplies the reward too",
    ),
    (
        checks.value_iteration,
        swept(lambda P, n, R, d, g, V: (P * g * ~d * V[n]).sum(2).max(1)),
        "the reward is missing",
    ),
    (
        checks.value_iteration,
        swept(lambda P, n, R, d, g, V: (P * (R + g * ~d * V[:, None, None])).sum(2).max(1)),
        "not of the state that the agent leaves",
    ),
    (
        checks.value_iteration,
        swept(lambda P, n, R, d, g, V: (P * (R + g * ~d * V[n])).sum(2).max(1, initial=0)),
        "never falls below 0",
    ),
    (
        checks.value_iteration,
        swept(lambda P, n, R, d, g, V: np.maximum(V, (P * (R + g * ~d * V[n])).sum(2).max(1))),
        "never falls below 0",
    ),
    (checks.value_iteration, ends_are_states, "a state is not an end, an outcome is"),
    (checks.value_iteration, best_actions, "max, not argmax"),
    (checks.value_iteration, all_of_q, "that is Q"),
    (checks.value_iteration, lambda *table: (solve(*table), best_actions(*table)), "V has the shape (2, 5)"),
    (checks.value_iteration, lambda *table: solve(*table)[:5], "V has the shape (5,)"),
    (checks.value_iteration, lambda *table: {"V": solve(*table)}, "you return a dict of length 1"),
    (checks.value_iteration, lambda *table: solve(*table).max(), "V has the shape ()"),
    (checks.value_iteration, changes_the_reward, "changes the tables"),
    (checks.value_iteration, lambda *table: -solve(*table), "the sign is wrong"),
    (
        checks.value_iteration,
        swept(lambda P, n, R, d, g, V: (R + g * P * ~d * V[n]).sum(2).max(1)),
        "the reward needs its probability",
    ),
    (
        checks.value_iteration,
        swept(lambda P, n, R, d, g, V: (P * R).sum(2).max(1) + g * (P * ~d * V[n]).sum(2).max(1)),
        "maximised apart",
    ),
    (checks.value_iteration, lambda *table: solve(*table[:-1], table[-1] ** 2), "not V*"),
    (checks.value_iteration, lambda *table: solve(*table)[:, None], "shape"),
    (checks.value_iteration, lambda *table: None, "returns nothing"),
    (checks.q_update, scales_first, "First the target, then the change"),
    (checks.q_update, reward_first, "read Q before you change it"),
    (checks.q_update, from_zero, "never take a largest value below 0"),
    (checks.q_update, with_argmax, "max, not argmax"),
    (checks.q_update, with_tilde, "`~terminated`"),
    (checks.q_update, nothing_at_the_end, "at the end of an episode the reward is lost"),
    (checks.q_update, sets_the_reward, "alpha counts there, too"),
    (checks.q_update, clears_the_end, "other than Q[s, a]"),
    (checks.q_update, on_a_copy, "Q was not changed"),
    (checks.q_update, no_brackets, "in brackets"),
    (checks.q_update, aimed(lambda Q, s, a, s_next: Q[s_next, a]), "the action that was taken, in the next state"),
    (checks.q_update, aimed(lambda Q, s, a, s_next: Q[s_next].mean()), "average over the next actions"),
    (checks.q_update, aimed(lambda Q, s, a, s_next: Q[s_next].min()), "smallest value"),
    (checks.q_update, aimed(lambda Q, s, a, s_next: Q.max()), "the whole table"),
    (checks.q_update, aimed(lambda Q, s, a, s_next: np.abs(Q[s_next]).max()), "absolute value"),
    (checks.q_update, aimed(lambda Q, s, a, s_next: Q[s_next, :2].max()), "not what the formula says"),
    (checks.q_update, then(lambda before, after: max(before, after)), "only where it grows"),
    (checks.q_update, then(lambda before, after: round(after, 2)), "you round"),
    (checks.q_update, then(lambda before, after: float(int(after))), "not what the formula says"),
    (checks.q_update, lambda *step: (update(*step), update(*step)), "made twice"),
    (checks.q_update, gamma_on_all, "gamma multiplies the reward too"),
    (checks.q_update, swapped_alpha, "wrong way round"),
    (checks.q_update, skips_the_end, "last step of an episode is skipped"),
    (checks.q_update, wrong_sign, "sign is wrong"),
    (checks.q_update, past_the_end, "the episode is over"),
    (checks.q_update, wrong_state, "not of the state you were in"),
    (checks.q_update, no_alpha, "alpha is missing"),
    (checks.q_update, no_gamma, "gamma is missing"),
    (checks.q_update, sarsa, "SARSA"),
    (checks.q_update, adds_only, "not subtracted"),
    (checks.q_update, changes_the_row, "other than Q[s, a]"),
    (checks.q_update, returns_it, "rather than returning it (you return the"),
    (checks.q_update, lambda *step: None, "Q was not changed"),
    (checks.epsilon_schedule, lambda t: 0.1, "constant"),
    (checks.epsilon_schedule, lambda t: 0.03, "constant"),
    (checks.epsilon_schedule, lambda t: 0, "only 0 of 2000"),
    (checks.epsilon_schedule, lambda t: float(t == 0), "before they have seen"),
    (checks.epsilon_schedule, lambda t: 1 / (t + 1), "before they have seen"),
    (checks.epsilon_schedule, lambda t: min(1, 10 // (t + 1)), "before they have seen"),
    (checks.epsilon_schedule, lambda t: 1 - t / 20000, "last quarter"),
    (checks.epsilon_schedule, lambda t: min(1, t / 2000), "last quarter"),
    (checks.epsilon_schedule, lambda t: max(0.05, 0.99**t), "last quarter"),
    (checks.epsilon_schedule, lambda t: max(0, 1 - t / 1000), "need fewer"),
    (checks.epsilon_schedule, lambda t: 10 / (t + 1), "between 0 and 1"),
    (checks.epsilon_schedule, lambda t: 1 - t / 200, "between 0 and 1"),
    (checks.epsilon_schedule, lambda t: 100 * 0.99**t, "between 0 and 1"),
    (checks.epsilon_schedule, lambda t: np.nan, "between 0 and 1"),
    (checks.epsilon_schedule, lambda t: 10 / t, "ZeroDivisionError"),
    (checks.epsilon_schedule, lambda t: float(t % 20 == 0), "last quarter"),
    (checks.epsilon_schedule, stateful, "not the same number the second time"),
    (checks.epsilon_schedule, lambda t: random.random() / (t + 1), "not the same number the second time"),
    (checks.epsilon_schedule, lambda t: [1.0, 0.5], "you return 2 numbers"),
    (checks.epsilon_schedule, lambda t: "high" if t < 100 else "low", "the str 'high'"),
    (checks.epsilon_schedule, lambda t: None, "returns nothing"),
]
