"""Right and wrong answers to the exercises of lesson 08, with what each wrong one should be told."""

import numpy as np
import torch
from scipy.linalg import solve_discrete_are, solve_discrete_lyapunov

from babyagi_lib.learner.checks import deep_q_learning as checks

# --- the double-Q target ---------------------------------------------------------------------------------------


def target(network, judge, r, s_next, terminated, truncated, gamma):
    with torch.no_grad():
        best = network(s_next).argmax(dim=1)
        worth = judge(s_next).gather(1, best[:, None])[:, 0]
        return r + gamma * ~terminated * worth


def by_rows(network, judge, r, s_next, terminated, truncated, gamma):
    """A loop over transitions, with Python's numbers."""
    found = []
    for i in range(len(r)):
        says = network(s_next[i]).tolist()
        worth = judge(s_next[i]).tolist()[says.index(max(says))]
        found.append(float(r[i]) + (0.0 if terminated[i] else gamma * worth))
    return found


def in_numpy(network, judge, r, s_next, terminated, truncated, gamma):
    says, worth = network(s_next).detach().numpy(), judge(s_next).detach().numpy()
    then = worth[np.arange(len(worth)), says.argmax(axis=1)]
    return np.where(terminated, r, r + gamma * then)


def with_one_hot(network, judge, r, s_next, terminated, truncated, gamma):
    values = network(s_next)
    chosen = torch.nn.functional.one_hot(values.argmax(-1), values.shape[-1])
    return (r + gamma * (1 - terminated.float()) * (judge(s_next) * chosen).sum(-1)).detach()


def changed_afterwards(network, judge, r, s_next, terminated, truncated, gamma):
    double = [model(s_next).detach().double() for model in (network, judge)]
    out = r.double() + gamma * torch.take_along_dim(double[1], double[0].max(1, keepdim=True).indices, 1).squeeze(1)
    out[terminated] = r.double()[terminated]
    return out


def only_where_it_goes_on(network, judge, r, s_next, terminated, truncated, gamma):
    with torch.inference_mode():
        out, on = r.clone(), ~terminated
        best = network(s_next[on]).max(dim=-1)[1]
        out[on] += gamma * judge(s_next[on])[torch.arange(int(on.sum())), best]
        return out.clone()


def no_stop(network, judge, r, s_next, terminated, truncated, gamma):
    """The numbers are right, and a gradient flows into the judge."""
    best = network(s_next).argmax(dim=1)
    return r + gamma * ~terminated * judge(s_next).gather(1, best[:, None])[:, 0]


def made_of(formula):
    """A target from what the two networks say: formula(network's, judge's, r, terminated, truncated, gamma)."""

    def other(network, judge, r, s_next, terminated, truncated, gamma):
        with torch.no_grad():
            return formula(network(s_next), judge(s_next), r, terminated, truncated, gamma)

    return other


def pick(values, actions):
    return values.gather(1, actions[:, None])[:, 0]


def a_table(network, judge, r, s_next, terminated, truncated, gamma):
    with torch.no_grad():
        return r + gamma * ~terminated * judge(s_next).gather(1, network(s_next).argmax(1, keepdim=True))


def changes_the_network(network, judge, r, s_next, terminated, truncated, gamma):
    for weight in network.parameters():
        weight.data *= 1.1
    return target(network, judge, r, s_next, terminated, truncated, gamma)


def freezes_the_networks(network, judge, *rest):
    """Right numbers and no gradient, but the network can no longer learn."""
    network.requires_grad_(False)
    judge.requires_grad_(False)
    return target(network, judge, *rest)


def freezes_the_judge(network, judge, r, s_next, terminated, truncated, gamma):
    """The judge never learns, so this does no harm."""
    judge.requires_grad_(False)
    return r + gamma * ~terminated * pick(judge(s_next), network(s_next).argmax(1))


def where_the_largest_is(network, judge, r, s_next, terminated, truncated, gamma):
    values = network(s_next).detach()
    worth = judge(s_next).detach()[values == values.amax(1, keepdim=True)]
    return torch.where(terminated, r, torch.add(r, worth, alpha=gamma)).requires_grad_()


def changes_the_reward(network, judge, r, s_next, terminated, truncated, gamma):
    r += gamma * ~terminated * pick(judge(s_next).detach(), network(s_next).argmax(1))
    return r


# --- n-step targets --------------------------------------------------------------------------------------------


def rows(reward, terminated, truncated, n, gamma):
    found = np.zeros((3, len(reward)))
    for t in range(len(reward)):
        for i in range(t, min(t + n, len(reward))):
            found[0, t] += gamma ** (i - t) * reward[i]
            if terminated[i] or truncated[i]:
                break
        found[1, t] = 0 if terminated[i] else gamma ** (i - t + 1)
        found[2, t] = i
    return found


def backwards(reward, terminated, truncated, n, gamma):
    """From where each episode ends, then sums of slices."""
    steps = len(reward)
    end = np.empty(steps, dtype=int)
    last = steps - 1
    for t in reversed(range(steps)):
        if terminated[t] or truncated[t]:
            last = t
        end[t] = min(last, t + n - 1)
    sums = [sum(gamma**k * r for k, r in enumerate(reward[t : end[t] + 1])) for t in range(steps)]
    return np.array([sums, np.where(terminated[end], 0, gamma ** (end - np.arange(steps) + 1.0)), end])


def one_step_at_a_time(reward, terminated, truncated, n, gamma):
    """All steps at once: n passes, each adds a reward where the episode goes on."""
    steps, at = len(reward), np.arange(len(reward))
    total, weight, last, on = np.zeros(steps), np.ones(steps), at.copy(), np.ones(steps, bool)
    for k in range(n):
        i = np.minimum(at + k, steps - 1)
        on &= at + k < steps
        total = np.where(on, total + gamma**k * reward[i], total)
        weight = np.where(on, gamma ** (k + 1), weight)
        last = np.where(on, i, last)
        on &= ~(terminated | truncated)[i]
    return [total, weight * (1 - terminated[last]), last]


def in_lists(reward, terminated, truncated, n, gamma):
    sums, weights, lasts = [], [], []
    for t in range(len(reward)):
        total, power, i = 0.0, 1.0, t
        while True:
            total += power * float(reward[i])
            power *= gamma
            if terminated[i] or truncated[i] or i - t + 1 == n or i + 1 == len(reward):
                break
            i += 1
        sums.append(total)
        weights.append(power * (not terminated[i]))
        lasts.append(i)
    return sums, weights, lasts


def in_torch(reward, terminated, truncated, n, gamma):
    return torch.tensor(rows(reward, terminated, truncated, n, gamma)).float()


def recursive(reward, terminated, truncated, n, gamma):
    def of(t, left):
        if terminated[t] or truncated[t] or left == 1 or t == len(reward) - 1:
            return reward[t], 0.0 if terminated[t] else gamma, t
        total, weight, last = of(t + 1, left - 1)
        return reward[t] + gamma * total, gamma * weight, last

    return np.array([of(t, n) for t in range(len(reward))]).T


def from_sums_so_far(reward, terminated, truncated, n, gamma):
    """Differences of one discounted running sum, and a search for the next end."""
    steps, at = len(reward), np.arange(len(reward))
    ends = np.flatnonzero(terminated | truncated)
    last = np.minimum(np.append(ends, steps - 1)[np.searchsorted(ends, at)], at + n - 1)
    so_far = np.append(0.0, np.cumsum(gamma**at * reward))
    return np.stack([(so_far[last + 1] - so_far[at]) / gamma**at, ~terminated[last] * gamma ** (last - at + 1.0), last])


def by_a_matrix(reward, terminated, truncated, n, gamma):
    at, episode = np.arange(len(reward)), np.append(0, np.cumsum(terminated | truncated)[:-1])
    ahead = at - at[:, None]
    adds = (ahead >= 0) & (ahead < n) & (episode == episode[:, None])
    last = at + adds.sum(axis=1) - 1
    sums = np.where(adds, gamma ** np.maximum(ahead, 0.0), 0) @ reward
    return sums, np.where(terminated[last], 0, gamma ** adds.sum(axis=1)), last


def set_after_the_break(reward, terminated, truncated, n, gamma):
    found = np.zeros((3, len(reward)))
    for t in range(len(reward)):
        for i in range(t, min(t + n, len(reward))):
            found[0, t] += gamma ** (i - t) * reward[i]
            if terminated[i] or truncated[i]:
                break
            found[1:, t] = gamma ** (i - t + 1), i
    return found


def sums_of(stops, weighs=None, counts=None, more=0):
    """A wrong answer: other rules for where to stop, for the weight, or for what a reward counts."""
    weighs = weighs or (lambda i, t, d, c, n, g: 0 if d[i] else g ** (i - t + 1))
    counts = counts or (lambda i, t, d, c, r, g: g ** (i - t) * r[i])

    def other(reward, terminated, truncated, n, gamma):
        found = np.zeros((3, len(reward)))
        for t in range(len(reward)):
            for i in range(t, min(t + max(1, n + more), len(reward))):
                found[0, t] += counts(i, t, terminated, truncated, reward, gamma)
                if stops(terminated[i], truncated[i]):
                    break
            found[1:, t] = weighs(i, t, terminated, truncated, n, gamma), i
        return found

    return other


def either(terminated, truncated):
    return terminated or truncated


def changes_the_stream(reward, terminated, truncated, n, gamma):
    terminated |= truncated
    return rows(reward, terminated, truncated, n, gamma)


# --- the Riccati recursion -------------------------------------------------------------------------------------


def riccati(A, B, Q, R, gamma, passes=1000):
    P = Q
    for _ in range(passes):
        K = gamma * np.linalg.inv(R + gamma * B.T @ P @ B) @ B.T @ P @ A
        P = Q + gamma * A.T @ P @ (A - B @ K)
    return gamma * np.linalg.inv(R + gamma * B.T @ P @ B) @ B.T @ P @ A


def by_scipy(A, B, Q, R, gamma):
    a, b = gamma**0.5 * A, gamma**0.5 * B
    P = solve_discrete_are(a, b, Q, R)
    return np.linalg.solve(R + b.T @ P @ b, b.T @ P @ a)


def closed_loop_form(A, B, Q, R, gamma):
    """The form with A - BK on both sides, until P stops changing."""
    P, change = Q, 1.0
    while change > 1e-12:
        K = gamma * np.linalg.solve(R + gamma * B.T @ P @ B, B.T @ P @ A)
        after = Q + K.T @ R @ K + gamma * (A - B @ K).T @ P @ (A - B @ K)
        change, P = np.abs(after - P).max() / np.abs(after).max(), after
    return gamma * np.linalg.solve(R + gamma * B.T @ P @ B, B.T @ P @ A)


def by_policy_iteration(A, B, Q, R, gamma):
    """Each gain is judged by a Lyapunov equation, and then improved."""
    K = riccati(A, B, Q, R, gamma, passes=60)
    for _ in range(20):
        closed = gamma**0.5 * (A - B @ K)
        P = solve_discrete_lyapunov(closed.T, Q + K.T @ R @ K)
        K = gamma * np.linalg.solve(R + gamma * B.T @ P @ B, B.T @ P @ A)
    return K


def single_precision(A, B, Q, R, gamma):
    A, B, Q, R = (torch.tensor(matrix).float() for matrix in (A, B, Q, R))
    P = Q.clone()
    for _ in range(300):
        K = gamma * torch.linalg.solve(R + gamma * B.T @ P @ B, B.T @ P @ A)
        P = Q + gamma * A.T @ P @ (A - B @ K)
        P = (P + P.T) / 2
    return K


def without_names(a, b, q, r, discount):
    """The textbook's longer form of P."""
    p = q.copy()
    for _ in range(500):
        bpb, bpa = discount * b.T.dot(p).dot(b), discount * b.T.dot(p).dot(a)
        p = q + discount * a.T.dot(p).dot(a) - bpa.T.dot(np.linalg.pinv(r + bpb)).dot(bpa)
    return np.linalg.pinv(r + discount * b.T.dot(p).dot(b)).dot(discount * b.T.dot(p).dot(a))


def by_doubling(A, B, Q, R, gamma):
    """Each pass doubles the horizon."""
    a, g, h = gamma**0.5 * A, gamma * B @ np.linalg.inv(R) @ B.T, Q.copy()
    for _ in range(20):
        w = np.linalg.inv(np.eye(len(A)) + g @ h)
        a, g, h = a @ w @ a, g + a @ w @ g @ a.T, h + a.T @ h @ w @ a
    return (gamma * np.linalg.solve(R + gamma * B.T @ h @ B, B.T @ h @ A)).tolist()


def until_it_hardly_changes(A, B, Q, R, gamma):
    """From P = 0, in place, until the change is small."""
    P, change = np.zeros_like(Q), 1.0
    while change > 1e-4:
        K = gamma * np.linalg.lstsq(R + gamma * B.T @ P @ B, B.T @ P @ A, rcond=None)[0]
        after = Q + gamma * A.T @ P @ (A - B @ K)
        change = np.abs(after - P).max()
        P[...] = after
    return K


def recursed(better=None, after=None):
    """A wrong answer: another K, or another P."""
    better = better or (lambda A, B, Q, R, g, P: g * np.linalg.solve(R + g * B.T @ P @ B, B.T @ P @ A))
    after = after or (lambda A, B, Q, R, g, P, K: Q + g * A.T @ P @ (A - B @ K))

    def other(A, B, Q, R, gamma):
        P = Q
        with np.errstate(all="ignore"):
            for _ in range(400):
                P = after(A, B, Q, R, gamma, P, better(A, B, Q, R, gamma, P))
            return better(A, B, Q, R, gamma, P)

    return other


def returns_both(A, B, Q, R, gamma):
    K = riccati(A, B, Q, R, gamma)
    return K, Q + gamma * A.T @ Q @ A


def returns_p(A, B, Q, R, gamma):
    return solve_discrete_are(gamma**0.5 * A, gamma**0.5 * B, Q, R)


def changes_q(A, B, Q, R, gamma):
    K = riccati(A, B, Q, R, gamma)
    Q += 1
    return K


RETURNS = {checks.double_target: "array", checks.n_step: "array", checks.riccati: "array"}
CASES = [
    (checks.double_target, target),
    (checks.double_target, by_rows),
    (checks.double_target, in_numpy),
    (checks.double_target, with_one_hot),
    (checks.double_target, changed_afterwards),
    (checks.double_target, only_where_it_goes_on),
    (checks.double_target, where_the_largest_is),
    (checks.double_target, freezes_the_judge),
    (checks.n_step, rows),
    (checks.n_step, backwards),
    (checks.n_step, one_step_at_a_time),
    (checks.n_step, in_lists),
    (checks.n_step, in_torch),
    (checks.n_step, recursive),
    (checks.n_step, from_sums_so_far),
    (checks.n_step, by_a_matrix),
    (checks.riccati, riccati),
    (checks.riccati, by_scipy),
    (checks.riccati, closed_loop_form),
    (checks.riccati, by_policy_iteration),
    (checks.riccati, single_precision),
    (checks.riccati, without_names),
    (checks.riccati, by_doubling),
    (checks.riccati, until_it_hardly_changes),
]
TARGETS = [
    (lambda q, j, r, d, c, g: r + g * ~d * j.amax(1), "the judge both chooses and judges"),
    (lambda q, j, r, d, c, g: r + g * ~d * q.amax(1), "`network` both chooses and judges"),
    (lambda q, j, r, d, c, g: r + g * ~d * pick(q, j.argmax(1)), "roles are swapped"),
    (lambda q, j, r, d, c, g: r + g * pick(j, q.argmax(1)), "past the end"),
    (lambda q, j, r, d, c, g: r + g * ~(d | c) * pick(j, q.argmax(1)), "a truncated state keeps its value"),
    (lambda q, j, r, d, c, g: r + g * ~c * pick(j, q.argmax(1)), "where truncated is true; do so where terminated"),
    (lambda q, j, r, d, c, g: r + g * d * pick(j, q.argmax(1)), "wrong way round"),
    (lambda q, j, r, d, c, g: r + ~d * pick(j, q.argmax(1)), "gamma is missing"),
    (lambda q, j, r, d, c, g: g * (r + ~d * pick(j, q.argmax(1))), "gamma multiplies the reward too"),
    (lambda q, j, r, d, c, g: g * ~d * pick(j, q.argmax(1)), "the reward is missing"),
    (lambda q, j, r, d, c, g: ~d * (r + g * pick(j, q.argmax(1))), "the reward of the last step is lost"),
    (lambda q, j, r, d, c, g: r + g * ~d * q.argmax(1), "the number of the action"),
    (lambda q, j, r, d, c, g: r + g * ~d * torch.minimum(pick(q, q.argmax(1)), pick(j, q.argmax(1))), "smaller"),
    (lambda q, j, r, d, c, g: r + g * ~d * pick((q + j) / 2, q.argmax(1)), "average the two networks"),
    (lambda q, j, r, d, c, g: r + g * ~d * pick(j, q.argmin(1)), "the worst"),
    (lambda q, j, r, d, c, g: r + g * ~d * j.mean(1), "average over the actions"),
    (lambda q, j, r, d, c, g: r + g * ~d * j.max(), "the whole batch"),
    (lambda q, j, r, d, c, g: 1 * r, "what follows is missing"),
    (lambda q, j, r, d, c, g: r - g * ~d * pick(j, q.argmax(1)), "what follows is subtracted"),
    (lambda q, j, r, d, c, g: r + g * ~d.int() * pick(j, q.argmax(1)), "not what the formula says"),
    (lambda q, j, r, d, c, g: r + g * ~(d & c) * pick(j, q.argmax(1)), "not what the formula says"),
    (lambda q, j, r, d, c, g: r + g * ~d * (q.softmax(1) * j).sum(1), "not what the formula says"),
    (lambda q, j, r, d, c, g: r[:, None] + g * ~d[:, None] * j, "one for each transition"),
    (lambda q, j, r, d, c, g: (r + g * ~d * pick(j, q.argmax(1))).round(decimals=1), "you round to 1 decimals"),
    (lambda q, j, r, d, c, g: r + g**2 * ~d * pick(j, q.argmax(1)), "not what the formula says"),
    (lambda q, j, r, d, c, g: (r + g * ~d * pick(j, q.argmax(1)))[:, None], "one for each transition"),
    (lambda q, j, r, d, c, g: None, "returns nothing"),
]
STREAMS = [
    (sums_of(lambda d, c: False), "across the end of an episode"),
    (sums_of(lambda d, c: d), "you go on after a truncation"),
    (sums_of(lambda d, c: c), "you go on after a termination"),
    (
        sums_of(either, lambda i, t, d, c, n, g: 0 if d[i] or c[i] else g ** (i - t + 1)),
        "a truncated state keeps its value",
    ),
    (sums_of(either, lambda i, t, d, c, n, g: g ** (i - t + 1)), "past the end"),
    (sums_of(either, lambda i, t, d, c, n, g: 0 if d[i] else g**n), "which can be fewer than n"),
    (sums_of(either, lambda i, t, d, c, n, g: 0 if d[i] else g ** (i - t)), "one factor gamma too few"),
    (sums_of(either, lambda i, t, d, c, n, g: 0 if d[i] else g), "take the power"),
    (sums_of(either, counts=lambda i, t, d, c, r, g: r[i]), "the rewards are not discounted"),
    (sums_of(either, counts=lambda i, t, d, c, r, g: g ** (i - t + 1) * r[i]), "the first reward is discounted too"),
    (sums_of(either, more=1), "n + 1 rewards"),
    (sums_of(either, more=-1), "n - 1 rewards"),
    (
        sums_of(either, counts=lambda i, t, d, c, r, g: 0 if d[i] or c[i] else g ** (i - t) * r[i]),
        "the step that ends an episode is lost",
    ),
    (
        sums_of(either, lambda i, t, d, c, n, g: 0 if d[i] or i == len(d) - 1 else g ** (i - t + 1)),
        "nothing has ended",
    ),
    (lambda *given: rows(*given) + np.array([[0], [0], [1]]), "the step after the last one"),
    (lambda r, *rest: rows(r, *rest) - [[0] * len(r), [0] * len(r), range(-1, len(r) - 1)], "how many rewards"),
    (lambda r, *rest: [*rows(r, *rest)[:2], range(len(r))], "only the last steps are wrong"),
    (
        lambda r, d, c, n, g: [*rows(r, d, c, n, g)[:2], [min(t + n, len(r)) - 1 for t in range(len(r))]],
        "only the last steps are wrong",
    ),
    (lambda r, d, c, n, g: rows(r, d, c, len(r), g), "n is ignored"),
    (sums_of(lambda d, c: d and c), "these are not the targets"),
    (sums_of(either, counts=lambda i, t, d, c, r, g: g**i * r[i]), "only the sums of rewards are wrong"),
    (sums_of(either, lambda i, t, d, c, n, g: 0 if d[i] else g ** (i + 1)), "only the weights are wrong"),
    (sums_of(either, lambda i, t, d, c, n, g: 0 if d[t] else g ** (i - t + 1)), "not on step t"),
    (
        sums_of(either, lambda i, t, d, c, n, g: 0 if d[t : t + n].any() else g ** (i - t + 1)),
        "only the weights are wrong",
    ),
    (set_after_the_break, "set them after the loop"),
    (lambda *given: rows(*given).round(2), "these are not the targets"),
    (lambda *given: rows(*given)[:, ::-1], "these are not the targets"),
    (lambda *given: rows(*given) * [[1], [2], [1]], "only the weights are wrong"),
    (lambda *given: rows(*given) * [[1], [2], [3]], "these are not the targets"),
    (lambda *given: rows(*given).T, "transpose it"),
    (lambda *given: rows(*given)[:2], "three rows"),
    (changes_the_stream, "changes the arrays"),
]
GAINS = [
    (lambda *given: -riccati(*given), "the sign is wrong"),
    (returns_p, "that is P"),
    (lambda *given: riccati(*given).T, "K is transposed"),
    (lambda *given: riccati(*given, passes=0), "one step is not enough"),
    (lambda *given: riccati(*given, passes=3), "stopped too early, after 3 passes"),
    (lambda *given: riccati(*given[:-1], 1.0), "gamma is missing."),
    (recursed(lambda A, B, Q, R, g, P: np.linalg.solve(R + B.T @ P @ B, B.T @ P @ A)), "gamma is missing in K"),
    (recursed(after=lambda A, B, Q, R, g, P, K: Q + A.T @ P @ (A - B @ K)), "gamma is missing in the new P"),
    (
        recursed(lambda A, B, Q, R, g, P: g * np.linalg.solve(R + B.T @ P @ B, B.T @ P @ A)),
        "gamma is missing in front of B'PB",
    ),
    (
        recursed(lambda A, B, Q, R, g, P: np.linalg.solve(R + g * B.T @ P @ B, B.T @ P @ A)),
        "gamma is missing in front of B'PA",
    ),
    (lambda A, *rest: riccati(A.T, *rest), "A is transposed"),
    (recursed(after=lambda A, B, Q, R, g, P, K: Q + g * A @ P @ (A - B @ K)), "the first A of the new P"),
    (lambda A, B, *rest: riccati(B, A, *rest), "A and B are swapped"),
    (lambda A, B, *rest: riccati(A, B.T, *rest), "B is transposed"),
    (lambda A, B, Q, R, g: riccati(A, B, R, Q, g), "Q and R are swapped"),
    (recursed(lambda A, B, Q, R, g, P: np.linalg.solve(B.T @ P @ B, B.T @ P @ A)), "R, does not count in K"),
    (recursed(after=lambda A, B, Q, R, g, P, K: Q + g * A.T @ P @ A), "must use the closed loop"),
    (recursed(after=lambda A, B, Q, R, g, P, K: Q + g * (A - B @ K).T @ P @ (A - B @ K)), "add K'RK"),
    (recursed(after=lambda A, B, Q, R, g, P, K: Q + g * A.T @ P @ (A + B @ K)), "u = -K x gives A - BK"),
    (recursed(after=lambda A, B, Q, R, g, P, K: Q + K.T @ R @ K + g * A.T @ P @ (A - B @ K)), "already counted"),
    (recursed(lambda A, B, Q, R, g, P: g * (1 / (R + g * B.T @ P @ B)) @ B.T @ P @ A), "entry by entry"),
    (recursed(lambda A, B, Q, R, g, P: g * np.linalg.solve(R + g * B.T @ P @ B, B.T @ P)), "this is not the best gain"),
    (recursed(after=lambda A, B, Q, R, g, P, K: g * (Q + A.T @ P @ (A - B @ K))), "this is not the best gain"),
    (recursed(after=lambda A, B, Q, R, g, P, K: Q + g * A.T @ Q @ (A - B @ K)), "this is not the best gain"),
    (lambda *given: riccati(*given).round(2), "this is not the best gain"),
    (lambda A, B, *rest: A - B @ riccati(A, B, *rest), "this is not the best gain"),
    (lambda *given: 2 * riccati(*given), "this is not the best gain"),
    (lambda *given: riccati(*given)[:, :1], "a row for each action is needed"),
    (returns_both, "return K alone"),
    (changes_q, "changes the matrices"),
]
MUTANTS = [
    *((checks.double_target, made_of(formula), said) for formula, said in TARGETS),
    (checks.double_target, no_stop, "a gradient flows through the target"),
    (checks.double_target, a_table, "their sum is a table"),
    (checks.double_target, changes_the_reward, "changes the batch"),
    (checks.double_target, changes_the_network, "changes the networks"),
    (checks.double_target, freezes_the_networks, "changes the networks"),
    *((checks.n_step, mutant, said) for mutant, said in STREAMS),
    *((checks.riccati, mutant, said) for mutant, said in GAINS),
]
