"""Right and wrong answers to the exercises of lesson 06, with what each wrong one should be told."""

import numpy as np

from babyagi_lib import checks


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


RETURNS = {
    checks.value_iteration: "array",
    checks.q_update: "in place",
    checks.epsilon_schedule: "number",
}
CASES = [
    (checks.value_iteration, solve),
    (checks.q_update, update),
    (checks.epsilon_schedule, lambda t: min(1, 10 / (t + 1))),
    (checks.epsilon_schedule, lambda t: 0.99**t),
    (checks.epsilon_schedule, lambda t: max(0, 1 - t / 200)),
    (checks.epsilon_schedule, lambda t: 1 / (t + 1) ** 0.5),
]
MUTANTS = [
    (checks.value_iteration, lambda *table: solve(*table, best=lambda Q: Q.mean(axis=1)), "average over the actions"),
    (checks.value_iteration, lambda *table: solve(*table, sweeps=1), "one sweep"),
    (checks.value_iteration, lambda *table: solve(*table, sweeps=12), "stopped too early"),
    (checks.value_iteration, lambda p, *rest: solve(np.full_like(p, 1 / p.shape[2]), *rest), "probabilities"),
    (checks.value_iteration, lambda *table: solve(*table, past_the_end=True), "after the end"),
    (checks.value_iteration, lambda *table: solve(*table[:-1], 1.0), "gamma is missing"),
    (checks.value_iteration, lambda *table: solve(*table, best=lambda Q: Q.min(axis=1)), "not V*"),
    (checks.value_iteration, lambda *table: solve(*table)[:, None], "shape"),
    (checks.value_iteration, lambda *table: None, "returns nothing"),
    (checks.q_update, skips_the_end, "last step of an episode is skipped"),
    (checks.q_update, wrong_sign, "sign is wrong"),
    (checks.q_update, past_the_end, "the episode is over"),
    (checks.q_update, wrong_state, "not of the state you were in"),
    (checks.q_update, no_alpha, "alpha is missing"),
    (checks.q_update, no_gamma, "gamma is missing"),
    (checks.q_update, sarsa, "SARSA"),
    (checks.q_update, adds_only, "not subtracted"),
    (checks.q_update, changes_the_row, "other than Q[s, a]"),
    (checks.q_update, returns_it, "rather than returning"),
    (checks.q_update, lambda *step: None, "not what the formula says"),
    (checks.epsilon_schedule, lambda t: 0.1, "constant"),
    (checks.epsilon_schedule, lambda t: 0.03, "constant"),
    (checks.epsilon_schedule, lambda t: 0, "only 0 of 2000"),
    (checks.epsilon_schedule, lambda t: float(t == 0), "before they have seen"),
    (checks.epsilon_schedule, lambda t: 1 - t / 20000, "last quarter"),
    (checks.epsilon_schedule, lambda t: max(0, 1 - t / 1000), "need fewer"),
    (checks.epsilon_schedule, lambda t: 10 / (t + 1), "between 0 and 1"),
    (checks.epsilon_schedule, lambda t: None, "returns nothing"),
]
