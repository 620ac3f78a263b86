"""Right and wrong answers to the exercises of lesson 07, with what each wrong one should be told."""

import math

import numpy as np
import torch

from babyagi_lib.learner.checks import policy_gradients as checks


def estimate(policy, states, actions, rewards, gamma):
    found, G = np.zeros(policy.shape), 0.0
    for t in reversed(range(len(rewards))):
        G = rewards[t] + gamma * G
        found[states[t]] -= gamma**t * G * policy[states[t]]
        found[states[t], actions[t]] += gamma**t * G
    return found


def with_matrices(policy, states, actions, rewards, gamma):
    t = np.arange(len(rewards))
    later = np.where(t[None] >= t[:, None], gamma ** np.abs(t[None] - t[:, None]), 0) @ rewards
    here = np.eye(len(policy))[states] * (gamma**t * later)[:, None]
    return here.T @ (np.eye(policy.shape[1])[actions] - policy[states])


def with_add_at(policy, states, actions, rewards, gamma):
    discounted = gamma ** np.arange(len(rewards)) * rewards
    weight = discounted[::-1].cumsum()[::-1]  # gamma^t · G_t
    found = np.zeros_like(policy)
    np.add.at(found, (states, actions), weight)
    return found - policy * np.bincount(states, weight, minlength=len(policy))[:, None]


def by_autograd(policy, states, actions, rewards, gamma):
    theta = torch.tensor(np.log(policy), requires_grad=True)
    weight = (gamma ** np.arange(len(rewards)) * rewards)[::-1].cumsum()[::-1].copy()
    chosen = torch.log_softmax(theta, -1)[torch.tensor(states), torch.tensor(actions)]
    (chosen * torch.tensor(weight)).sum().backward()
    return theta.grad


def by_autograd_in_float32(policy, states, actions, rewards, gamma):
    theta = torch.tensor(np.log(policy)).float().requires_grad_()
    surrogate = torch.tensor(0.0)
    for t in range(len(rewards)):
        G = sum(gamma ** (k - t) * rewards[k] for k in range(t, len(rewards)))
        surrogate = surrogate + gamma**t * float(G) * theta[states[t]].log_softmax(0)[actions[t]]
    return torch.autograd.grad(surrogate, theta)[0]


def in_lists(policy, states, actions, rewards, gamma):
    found = [[0.0] * policy.shape[1] for _ in policy]
    for t, (s, a) in enumerate(zip(states, actions, strict=True)):
        G = sum(gamma**k * r for k, r in enumerate(rewards[t:]))
        for b in range(policy.shape[1]):
            found[s][b] += gamma**t * G * ((b == a) - policy[s, b])
    return found


def by_differences(policy, states, actions, rewards, gamma):
    """Central differences of the sum of gamma^t · G_t · log pi."""
    weight = (gamma ** np.arange(len(rewards)) * rewards)[::-1].cumsum()[::-1]

    def surrogate(theta):
        return weight @ (theta[states, actions] - np.log(np.exp(theta[states]).sum(axis=1)))

    found, theta = np.zeros(policy.shape), np.log(policy)
    for entry in np.ndindex(policy.shape):
        step = np.zeros(policy.shape)
        step[entry] = 1e-5
        found[entry] = (surrogate(theta + step) - surrogate(theta - step)) / 2e-5
    return found


def estimated(weigh, score=None):
    """An estimate with another weight of each step, from (rewards, gamma), or another score."""

    def other(policy, states, actions, rewards, gamma):
        found = np.zeros(policy.shape)
        for t, weight in enumerate(weigh(rewards, gamma)):
            taken = np.eye(policy.shape[1])[actions[t]]
            row = policy[states[t]]
            found[states[t]] += weight * (taken - row if score is None else score(taken, row))
        return found

    return other


def to_go(rewards, gamma):
    return np.array([sum(gamma**k * r for k, r in enumerate(rewards[t:])) for t in range(len(rewards))])


def powers(rewards, gamma):
    return gamma ** np.arange(len(rewards))


def weights(rewards, gamma):
    return powers(rewards, gamma) * to_go(rewards, gamma)


def shifted(rewards, gamma):
    return powers(rewards, gamma) * np.append(to_go(rewards, gamma)[1:], 0)


def adds_once(policy, states, actions, rewards, gamma):
    found, weight = np.zeros(policy.shape), weights(rewards, gamma)
    found[states, actions] += weight
    found[states] -= weight[:, None] * policy[states]
    return found


def adds_rows_once(policy, states, actions, rewards, gamma):
    found, weight = np.zeros(policy.shape), weights(rewards, gamma)
    found[states] += weight[:, None] * (np.eye(policy.shape[1])[actions] - policy[states])
    return found


def changes_the_rewards(policy, states, actions, rewards, gamma):
    for t in reversed(range(len(rewards) - 1)):
        rewards[t] += gamma * rewards[t + 1]
    return estimated(lambda G, g: powers(G, g) * G)(policy, states, actions, rewards, gamma)


def overwrites(policy, states, actions, rewards, gamma):
    found = np.zeros(policy.shape)
    for t, weight in enumerate(weights(rewards, gamma)):
        found[states[t]] = -weight * policy[states[t]]
        found[states[t], actions[t]] += weight
    return found


def subtracts_everywhere(policy, states, actions, rewards, gamma):
    found = np.zeros(policy.shape)
    for t, weight in enumerate(weights(rewards, gamma)):
        found -= weight * policy
        found[states[t], actions[t]] += weight
    return found


def first_visits_only(policy, states, actions, rewards, gamma):
    found, seen = np.zeros(policy.shape), set()
    for t, weight in enumerate(weights(rewards, gamma)):
        if states[t] not in seen:
            found[states[t]] -= weight * policy[states[t]]
            found[states[t], actions[t]] += weight
        seen.add(states[t])
    return found


def softmax_again(policy, *given):
    powers_of_e = np.exp(policy)
    return estimate(powers_of_e / powers_of_e.sum(axis=1, keepdims=True), *given)


def mean_of_visits(policy, states, *given):
    visits = np.bincount(states, minlength=len(policy))
    return estimate(policy, states, *given) / np.maximum(visits, 1)[:, None]


def centred(rewards, gamma):
    return to_go(rewards, gamma) - to_go(rewards, gamma).mean()


def normalised(rewards, gamma):
    return centred(rewards, gamma) / (to_go(rewards, gamma).std() + 1e-8)


def with_outer_products(policy, states, actions, rewards, gamma):
    weight = np.cumsum((powers(rewards, gamma) * rewards)[::-1])[::-1]
    rows, entries = np.eye(len(policy)), np.eye(policy.shape[1])
    return sum(w * np.outer(rows[s], entries[a] - policy[s]) for w, s, a in zip(weight, states, actions, strict=True))


def by_jacobian(policy, states, actions, rewards, gamma):
    weight = torch.tensor(weights(rewards, gamma))

    def surrogate(theta):
        return (weight * torch.log_softmax(theta, 1)[states, actions]).sum()

    return torch.autograd.functional.jacobian(surrogate, torch.tensor(policy).log())


def read_only(right):
    """The same answer, in an array that cannot be written to."""

    def other(*given):
        found = np.asarray(right(*given))
        found.setflags(write=False)
        return found

    return other


def gae(rewards, values, next_values, terminated, gamma, lam):
    found, later = np.zeros(len(rewards)), 0.0
    for t in reversed(range(len(rewards))):
        ends = terminated and t == len(rewards) - 1
        delta = rewards[t] + (0 if ends else gamma * next_values[t]) - values[t]
        found[t] = later = delta + gamma * lam * later
    return found


def gae_in_a_matrix(rewards, values, next_values, terminated, gamma, lam):
    then = np.append(next_values[:-1], next_values[-1] * (1 - terminated))
    t = np.arange(len(rewards))
    return np.triu((gamma * lam) ** np.abs(t[None] - t[:, None])) @ (rewards + gamma * then - values)


def gae_from_returns(rewards, values, next_values, terminated, gamma, lam):
    """The lambda-return minus V: target_t = r + gamma·((1 - lam)·V' + lam·target_(t+1))."""
    target = 0.0 if terminated else next_values[-1]
    found = []
    for t in range(len(rewards) - 1, -1, -1):
        V = next_values[t]
        if t == len(rewards) - 1 and terminated:
            V = 0.0
        target = rewards[t] + gamma * ((1 - lam) * V + lam * target)
        found.insert(0, target - values[t])
    return found


def gae_in_torch(rewards, values, next_values, terminated, gamma, lam):
    rewards, values, then = (torch.tensor(x).float() for x in (rewards, values, next_values))
    then[-1] *= not terminated
    delta, found = rewards + gamma * then - values, torch.zeros(len(rewards))
    for t in range(len(found)):
        found[t] = sum((gamma * lam) ** k * delta[t + k] for k in range(len(found) - t))
    return found


def gae_recursive(rewards, values, next_values, terminated, gamma, lam):
    if len(rewards) == 0:
        return []
    rest = gae_recursive(rewards[1:], values[1:], next_values[1:], terminated, gamma, lam)
    V = 0 if terminated and not rest else next_values[0]
    return [rewards[0] + gamma * V - values[0] + gamma * lam * (rest[0] if rest else 0), *rest]


def gae_with(*, ends=lambda terminated: terminated, delta_gamma=None, decay=None, change=lambda A, *_: A):
    """The right recursion with another rule for the end, gamma in delta, factor, or change afterwards."""

    def other(rewards, values, next_values, terminated, gamma, lam):
        then = next_values.copy()
        then[-1] *= not ends(terminated)
        g = gamma if delta_gamma is None else delta_gamma(gamma, lam)
        factor = gamma * lam if decay is None else decay(gamma, lam)
        A, later = np.zeros(len(rewards)), 0.0
        for t in reversed(range(len(rewards))):
            A[t] = later = rewards[t] + g * then[t] - values[t] + factor * later
        return change(A, values, gamma, lam)

    return other


def gae_forwards(rewards, values, next_values, terminated, gamma, lam):
    then = np.append(next_values[:-1], next_values[-1] * (1 - terminated))
    A, before = np.zeros(len(rewards)), 0.0
    for t in range(len(rewards)):
        A[t] = before = rewards[t] + gamma * then[t] - values[t] + gamma * lam * before
    return A


def gae_without_the_last(rewards, values, next_values, terminated, gamma, lam):
    A, later = np.zeros(len(rewards)), 0.0
    for t in reversed(range(len(rewards) - 1)):
        A[t] = later = rewards[t] + gamma * next_values[t] - values[t] + gamma * lam * later
    return A


def gae_of_v_twice(rewards, values, next_values, terminated, gamma, lam):
    return gae(rewards, values, values, terminated, gamma, lam)


def gae_ends_everywhere(rewards, values, next_values, terminated, gamma, lam):
    return gae(rewards, values, next_values * (1 - terminated), False, gamma, lam)


def gae_without_v(rewards, values, next_values, terminated, gamma, lam):
    return gae(rewards, 0 * values, next_values, terminated, gamma, lam)


def gae_changes_values(rewards, values, next_values, terminated, gamma, lam):
    next_values[-1] *= 1 - terminated
    next_values *= gamma
    return gae(rewards, values, next_values / gamma, False, gamma, lam)


def deltas(rewards, values, next_values, terminated, gamma):
    return rewards + gamma * np.append(next_values[:-1], 0 if terminated else next_values[-1]) - values


def gae_by_solving(rewards, values, next_values, terminated, gamma, lam):
    steps = len(rewards)
    system = np.eye(steps) - gamma * lam * np.eye(steps, k=1)
    return np.linalg.solve(system, deltas(rewards, values, next_values, terminated, gamma))


def gae_in_place(rewards, values, next_values, terminated, gamma, lam):
    found = deltas(rewards, values, next_values, terminated, gamma)
    for t in range(len(found) - 2, -1, -1):
        found[t] += gamma * lam * found[t + 1]
    return found


def gae_of_two_terms(rewards, values, next_values, terminated, gamma, lam):
    delta = deltas(rewards, values, next_values, terminated, gamma)
    return delta + gamma * lam * np.append(delta[1:], 0)


def gae_with_powers_from_0(rewards, values, next_values, terminated, gamma, lam):
    delta = deltas(rewards, values, next_values, terminated, gamma)
    return [sum((gamma * lam) ** k * delta[k] for k in range(t, len(delta))) for t in range(len(delta))]


def gae_of_returns(rewards, values, next_values, terminated, gamma, lam):
    return to_go(rewards, gamma) - values


def gae_begun_with_the_value(rewards, values, next_values, terminated, gamma, lam):
    found, later = np.zeros(len(rewards)), 0.0 if terminated else next_values[-1]
    delta = deltas(rewards, values, next_values, terminated, gamma)
    for t in reversed(range(len(rewards))):
        found[t] = later = delta[t] + gamma * lam * later
    return found


def gae_with_last_delta(value):
    """The last delta of an episode that the world ended has another value, from the last reward."""

    def other(rewards, values, next_values, terminated, gamma, lam):
        delta = deltas(rewards, values, next_values, False, gamma)
        if terminated:
            delta[-1] = value(rewards[-1])
        return to_go(delta, gamma * lam)

    return other


def gae_swapped(rewards, values, next_values, terminated, gamma, lam):
    then = np.append(next_values[:-1], 0 if terminated else next_values[-1])
    return to_go(rewards + gamma * values - then, gamma * lam)


def gae_with_discounted_reward(rewards, *given):
    return gae(given[3] * rewards, *given)


def clipped(log_new, log_old, advantages, epsilon):
    ratio = np.exp(log_new - log_old)
    return np.minimum(ratio * advantages, np.clip(ratio, 1 - epsilon, 1 + epsilon) * advantages)


def clipped_by_sign(log_new, log_old, advantages, epsilon):
    ratio = np.exp(log_new) / np.exp(log_old)
    bounded = np.where(advantages > 0, np.minimum(ratio, 1 + epsilon), np.maximum(ratio, 1 - epsilon))
    return bounded * advantages


def clipped_in_torch(log_new, log_old, advantages, epsilon):
    ratio = (torch.tensor(log_new) - torch.tensor(log_old)).exp()
    A = torch.tensor(advantages)
    return torch.min(ratio * A, ratio.clamp(1 - epsilon, 1 + epsilon) * A)


def clipped_in_a_loop(log_new, log_old, advantages, epsilon):
    found = []
    for new, old, A in zip(log_new, log_old, advantages, strict=True):
        ratio = math.exp(new - old)
        found.append(min(ratio * A, max(min(ratio, 1 + epsilon), 1 - epsilon) * A))
    return found


def clipped_simplified(log_new, log_old, advantages, epsilon):
    """The form of OpenAI's Spinning Up: min(ratio · A, g(epsilon, A))."""
    limit = np.where(advantages >= 0, (1 + epsilon) * advantages, (1 - epsilon) * advantages)
    return np.minimum(np.exp(log_new - log_old) * advantages, limit)


def clipped_in_float32(log_new, log_old, advantages, epsilon):
    new, old, A = (np.asarray(x, np.float32) for x in (log_new, log_old, advantages))
    return clipped(new, old, A, np.float32(epsilon))


def clipped_by_log(log_new, log_old, advantages, epsilon):
    change = log_new - log_old
    bounded = np.clip(change, math.log(1 - epsilon), math.log(1 + epsilon))
    return np.minimum(np.exp(change) * advantages, np.exp(bounded) * advantages)


def clipped_by_a_hinge(log_new, log_old, advantages, epsilon):
    ratio = np.exp(log_new - log_old)
    return ratio * advantages - np.maximum((ratio - np.clip(ratio, 1 - epsilon, 1 + epsilon)) * advantages, 0)


def clipped_around_1(log_new, log_old, advantages, epsilon):
    change = np.expm1(log_new - log_old)
    return advantages + np.minimum(change * advantages, np.clip(change, -epsilon, epsilon) * advantages)


def clipped_by_difference(log_new, log_old, advantages, epsilon):
    ratio = np.exp(log_new) - np.exp(log_old)
    return np.minimum(ratio * advantages, np.clip(ratio, 1 - epsilon, 1 + epsilon) * advantages)


def clipped_with(combine):
    """Another combination of ratio, advantages and epsilon."""
    return lambda new, old, A, epsilon: combine(np.exp(new - old), A, epsilon)


RETURNS = {
    checks.score_estimate: "array",
    checks.advantages: "array",
    checks.clipped_objective: "array",
}
CASES = [
    (checks.score_estimate, estimate),
    (checks.score_estimate, with_matrices),
    (checks.score_estimate, with_add_at),
    (checks.score_estimate, by_autograd),
    (checks.score_estimate, by_autograd_in_float32),
    (checks.score_estimate, in_lists),
    (checks.score_estimate, by_differences),
    (checks.score_estimate, with_outer_products),
    (checks.score_estimate, by_jacobian),
    (checks.score_estimate, read_only(estimate)),
    (checks.advantages, gae),
    (checks.advantages, gae_by_solving),
    (checks.advantages, gae_in_place),
    (checks.advantages, read_only(gae)),
    (checks.advantages, gae_in_a_matrix),
    (checks.advantages, gae_from_returns),
    (checks.advantages, gae_in_torch),
    (checks.advantages, gae_recursive),
    (checks.clipped_objective, clipped),
    (checks.clipped_objective, clipped_by_sign),
    (checks.clipped_objective, clipped_in_torch),
    (checks.clipped_objective, clipped_in_a_loop),
    (checks.clipped_objective, clipped_simplified),
    (checks.clipped_objective, clipped_in_float32),
    (checks.clipped_objective, clipped_by_log),
    (checks.clipped_objective, clipped_by_a_hinge),
    (checks.clipped_objective, clipped_around_1),
]
MUTANTS = [
    (
        checks.score_estimate,
        estimated(weights, lambda taken, row: np.eye(len(row))[row.argmax()] - row),
        "no argmax",
    ),
    (checks.score_estimate, estimated(shifted), "the action's own reward is missing"),
    (
        checks.score_estimate,
        estimated(lambda r, g: powers(r, g) * (to_go(r, g) - r)),
        "the action's own reward is missing",
    ),
    (checks.score_estimate, lambda *given: -estimate(*given), "the sign is wrong"),
    (checks.score_estimate, estimated(lambda r, g: powers(r, g) * weights(r, g)), "discounted twice"),
    (checks.score_estimate, estimated(to_go), "gamma^t is missing"),
    (checks.score_estimate, estimated(lambda r, g: to_go(r, 1.0)), "nothing is discounted"),
    (checks.score_estimate, estimated(lambda r, g: powers(r, g) * to_go(r, 1.0)), "that follow are not discounted"),
    (checks.score_estimate, estimated(lambda r, g: to_go(r, g)[0] + 0 * r), "the whole return. That is unbiased"),
    (checks.score_estimate, estimated(lambda r, g: powers(r, g) * to_go(r, g)[0]), "gamma^t on top"),
    (checks.score_estimate, estimated(lambda r, g: powers(r, g) * r), "only the next reward"),
    (checks.score_estimate, estimated(lambda r, g: powers(r, g) * r.cumsum()), "up to the step"),
    (checks.score_estimate, estimated(lambda r, g: (powers(r, g) * r).cumsum()), "up to the step"),
    (checks.score_estimate, estimated(weights, lambda taken, row: taken), "the policy is not subtracted"),
    (
        checks.score_estimate,
        estimated(weights, lambda taken, row: (taken @ row) * (taken - row)),
        "the derivative of pi(a|s)",
    ),
    (checks.score_estimate, estimated(weights, lambda taken, row: taken / row), "1/pi"),
    (checks.score_estimate, lambda *given: estimate(*given) / len(given[3]), "the mean over the steps"),
    (checks.score_estimate, adds_once, "comes again counts only once"),
    (checks.score_estimate, adds_rows_once, "comes again counts only once"),
    (checks.score_estimate, overwrites, "= overwrites"),
    (checks.score_estimate, subtracts_everywhere, "the row of its own state"),
    (checks.score_estimate, first_visits_only, "only the first visit"),
    (checks.score_estimate, softmax_again, "holds probabilities already"),
    (checks.score_estimate, mean_of_visits, "the mean over the visits"),
    (checks.score_estimate, lambda *given: -estimate(*given) / len(given[3]), "that is a loss, and a mean"),
    (
        checks.score_estimate,
        estimated(weights, lambda taken, row: taken * (1 - row)),
        "only the action taken is changed",
    ),
    (
        checks.score_estimate,
        estimated(weights, lambda taken, row: taken * np.log(row)),
        "the logarithm of the probability",
    ),
    (checks.score_estimate, estimated(lambda r, g: g * weights(r, g)), "the powers of gamma begin at 1"),
    (checks.score_estimate, estimated(lambda r, g: powers(r, g)[::-1] * to_go(r, g)), "run backwards"),
    (checks.score_estimate, estimated(lambda r, g: r.sum() + 0 * r), "and every step gets the whole return"),
    (checks.score_estimate, estimated(lambda r, g: r), "its own reward alone"),
    (checks.score_estimate, estimated(lambda r, g: powers(r, g) * centred(r, g)), "without a baseline"),
    (checks.score_estimate, estimated(lambda r, g: powers(r, g) * normalised(r, g)), "without a baseline"),
    (checks.score_estimate, estimated(normalised), "and gamma^t is missing"),
    (checks.score_estimate, changes_the_rewards, "changes the arrays"),
    (checks.score_estimate, lambda *given: estimate(*given).sum(), "the shape is ()"),
    (checks.score_estimate, lambda *given: estimate(*given).T, "the shape is"),
    (checks.score_estimate, lambda *given: None, "returns nothing"),
    (checks.score_estimate, lambda *given: estimate(*given) * np.nan, "NaN or infinity"),
    (checks.score_estimate, lambda *given: estimate(*given).round(2), "you round to 2 decimals"),
    (checks.score_estimate, lambda *given: 0 * estimate(*given), "not what the formula says"),
    (checks.advantages, gae_with(ends=lambda terminated: True), "take the time limit for an end"),
    (checks.advantages, gae_with(ends=lambda terminated: False), "the world ended the episode, but you still"),
    (checks.advantages, gae_with(ends=lambda terminated: not terminated), "wrong way round"),
    (checks.advantages, gae_ends_everywhere, "only the value after the last step is 0"),
    (checks.advantages, gae_with(decay=lambda gamma, lam: gamma), "lambda is missing"),
    (checks.advantages, gae_with(decay=lambda gamma, lam: lam), "gamma is missing in the sum"),
    (checks.advantages, gae_with(decay=lambda gamma, lam: 0), "the first term alone"),
    (checks.advantages, gae_with(delta_gamma=lambda gamma, lam: 1), "the value of the next state is discounted"),
    (
        checks.advantages,
        gae_with(delta_gamma=lambda gamma, lam: 1, decay=lambda gamma, lam: lam),
        "gamma is missing everywhere",
    ),
    (checks.advantages, gae_with(delta_gamma=lambda gamma, lam: lam), "mixed up"),
    (checks.advantages, gae_without_v, "is not subtracted"),
    (checks.advantages, gae_with(change=lambda A, V, *_: A + V), "the target for the critic"),
    (checks.advantages, gae_forwards, "you go forwards"),
    (checks.advantages, gae_without_the_last, "the last step is left out"),
    (checks.advantages, gae_of_v_twice, "you use the value of the state twice"),
    (checks.advantages, gae_with(change=lambda A, *_: -A), "the sign is wrong"),
    (checks.advantages, gae_with(change=lambda A, V, gamma, lam: (1 - lam) * A), "1 - lambda"),
    (
        checks.advantages,
        gae_with(change=lambda A, V, gamma, lam: gamma ** np.arange(len(A)) * A),
        "gamma^t is not part",
    ),
    (checks.advantages, gae_with(change=lambda A, *_: (A - A.mean()) / (A.std() + 1e-8)), "normalised"),
    (checks.advantages, gae_with(decay=lambda gamma, lam: 1), "do not shrink"),
    (checks.advantages, gae_with(decay=lambda gamma, lam: gamma * (1 - lam)), "you use 1 - lambda"),
    (checks.advantages, gae_of_two_terms, "stops after two terms"),
    (checks.advantages, gae_with_powers_from_0, "count from step 0"),
    (checks.advantages, gae_of_returns, "that is G_t - V(s_t)"),
    (checks.advantages, gae_begun_with_the_value, "you also begin the sum with it"),
    (checks.advantages, gae_with_last_delta(lambda reward: reward), "missing in the last delta"),
    (checks.advantages, gae_with_last_delta(lambda reward: 0), "the last delta is not 0"),
    (checks.advantages, gae_swapped, "have changed places"),
    (checks.advantages, gae_with_discounted_reward, "not the reward of the step itself"),
    (checks.advantages, gae_with(change=lambda A, *_: A[::-1]), "the order is reversed"),
    (checks.advantages, gae_changes_values, "changes the arrays"),
    (checks.advantages, gae_with(change=lambda A, *_: A.sum()), "the shape is ()"),
    (
        checks.advantages,
        lambda *given: (gae(*given), given[1]),
        "advantage for each of the 5 steps: the shape is (2, 5)",
    ),
    (checks.clipped_objective, clipped_with(lambda r, A, e: np.maximum(r * A, np.clip(r, 1 - e, 1 + e) * A)), "larger"),
    (checks.clipped_objective, clipped_with(lambda r, A, e: r * A), "nothing is clipped"),
    (checks.clipped_objective, clipped_with(lambda r, A, e: np.clip(r, 1 - e, 1 + e) * A), "always use the clipped"),
    (
        checks.clipped_objective,
        clipped_with(lambda r, A, e: np.minimum(r * A, np.minimum(r, 1 + e) * A)),
        "no bound below",
    ),
    (
        checks.clipped_objective,
        clipped_with(lambda r, A, e: np.minimum(r * A, np.maximum(r, 1 - e) * A)),
        "no bound above",
    ),
    (checks.clipped_objective, lambda new, old, A, e: clipped(old, new, A, e), "upside down"),
    (
        checks.clipped_objective,
        clipped_with(lambda r, A, e: np.minimum(np.log(r) * A, np.clip(np.log(r), 1 - e, 1 + e) * A)),
        "the logarithm of the ratio",
    ),
    (
        checks.clipped_objective,
        lambda new, old, A, e: np.minimum(new / old * A, np.clip(new / old, 1 - e, 1 + e) * A),
        "not their logarithms",
    ),
    (checks.clipped_objective, lambda new, old, A, e: clipped(new, 0 * old, A, e), "the old policy is missing"),
    (
        checks.clipped_objective,
        clipped_with(lambda r, A, e: np.minimum(r, np.clip(r, 1 - e, 1 + e)) * np.abs(A)),
        "the sign of the advantage is lost",
    ),
    (checks.clipped_objective, clipped_with(lambda r, A, e: np.minimum(r, 1 + e) * A), "Multiply first"),
    (
        checks.clipped_objective,
        clipped_with(lambda r, A, e: np.minimum(r * A, np.clip(r, -e, e) * A)),
        "clipped around 0",
    ),
    (
        checks.clipped_objective,
        clipped_with(lambda r, A, e: np.minimum(r * A, np.clip(r * A, 1 - e, 1 + e))),
        "you clip the product",
    ),
    (checks.clipped_objective, lambda *given: -clipped(*given), "that is the loss"),
    (checks.clipped_objective, clipped_by_difference, "not their difference"),
    (
        checks.clipped_objective,
        lambda new, old, A, e: np.minimum(np.exp(new - old) * A, np.exp(np.clip(new - old, -e, e)) * A),
        "clip the logarithm of the ratio",
    ),
    (checks.clipped_objective, lambda new, old, A, e: clipped(new, old, A, 0.2), "epsilon is an argument"),
    (
        checks.clipped_objective,
        clipped_with(lambda r, A, e: (r * A + np.clip(r, 1 - e, 1 + e) * A) / 2),
        "the mean of the two products",
    ),
    (checks.clipped_objective, clipped_with(lambda r, A, e: np.where(abs(r - 1) > e, 0, r * A)), "the objective to 0"),
    (
        checks.clipped_objective,
        lambda *given: np.where(given[2] < 0, np.maximum(clipped(*given), 3 * given[2]), clipped(*given)),
        "dual clip",
    ),
    (checks.clipped_objective, clipped_with(lambda r, A, e: np.clip(r, 1 - e, 1 + e)), "the advantages are missing"),
    (checks.clipped_objective, lambda *given: clipped(*given).mean(), "the shape is ()"),
]
