"""Right and wrong answers to the exercises of lesson 09."""

import numpy as np
import torch
from torch.nn import functional as F

from babyagi_lib.learner.checks import rlhf as checks

# --- the group advantage ---------------------------------------------------------------------------------------


def solution_1(rewards, scale):
    G = rewards.shape[1]
    others = (rewards.sum(axis=1, keepdims=True) - rewards) / (G - 1)
    advantage = rewards - others
    if scale:
        advantage = advantage / (rewards.std(axis=1, keepdims=True) + 1e-4)
    return advantage


def in_single_precision(rewards, scale):
    return solution_1(rewards.astype(np.float32), scale)


def from_the_mean(rewards, scale):
    G = rewards.shape[1]
    found = (rewards - rewards.mean(1, keepdims=True)) * (G / (G - 1))
    return found / (rewards.std(1, ddof=1, keepdims=True) + 1e-6) if scale else found


def row_by_row(rewards, scale):
    rows = []
    for row in rewards:
        found = [r - np.delete(row, i).mean() for i, r in enumerate(row)]
        if scale:
            s = np.std(row)
            found = [a / s if s > 1e-9 else 0.0 for a in found]
        rows.append(found)
    return rows


def by_a_matrix(rewards, scale):
    G = rewards.shape[1]
    found = rewards @ (np.eye(G) - (np.ones((G, G)) - np.eye(G)) / (G - 1))
    spread = rewards.std(axis=1, keepdims=True)
    return np.where(spread > 1e-8, found / np.maximum(spread, 1e-8), 0) if scale else found


def in_torch_1(rewards, scale):
    rewards = torch.as_tensor(rewards)
    total, G = rewards.sum(1, keepdim=True), rewards.shape[1]
    found = (rewards * G - total) / (G - 1)
    return found / (rewards.std(1, keepdim=True) + 1e-4) if scale else found


def where_equal(rewards, scale):
    found = from_the_mean(rewards, False)
    if not scale:
        return found
    deviation = rewards.std(axis=1, keepdims=True)
    deviation[np.ptp(rewards, axis=1) == 0] = 1
    return found / deviation


def by_the_range_of_equals(rewards, scale):
    """Rows of equal rewards are found first; columns in memory order."""
    found = np.asfortranarray(from_the_mean(rewards, scale))
    found[np.ptp(rewards, axis=1) == 0] = 0
    return found


def with_baseline(baseline):
    """Another baseline, scaled as asked."""

    def wrong(rewards, scale):
        found = rewards - baseline(rewards)
        return found / (rewards.std(axis=1, keepdims=True) + 1e-8) if scale else found

    return wrong


def divides_by_zero(rewards, scale):
    found = solution_1(rewards, False)
    with np.errstate(all="ignore"):
        return found / rewards.std(axis=1, keepdims=True) if scale else found


def divides_by_zero_exactly(rewards, scale):
    """The row of zeros gives 0/0."""
    found = solution_1(rewards, False)
    with np.errstate(all="ignore"):
        return (
            np.where(np.ptp(rewards, axis=1, keepdims=True) == 0, np.nan, found / rewards.std(1, keepdims=True))
            if scale
            else found
        )


def changes_the_rewards(rewards, scale):
    found = solution_1(rewards, scale)
    rewards -= rewards.mean()
    return found


def scaled(by):
    def wrong(rewards, scale):
        found = solution_1(rewards, False)
        return found / by(rewards) if scale else found

    return wrong


# --- the loss of DPO -------------------------------------------------------------------------------------------


def solution_2(chosen, rejected, ref_chosen, ref_rejected, beta):
    margin = (chosen - ref_chosen) - (rejected - ref_rejected)
    return -F.logsigmoid(beta * margin).mean()


def with_softplus(c, r, rc, rr, beta):
    return F.softplus(beta * (r - rr - c + rc)).mean()


def with_logaddexp(c, r, rc, rr, beta):
    m = beta * ((c - rc) - (r - rr)).numpy()
    return np.logaddexp(0, -m).mean()


def as_a_classifier(c, r, rc, rr, beta):
    """Cross-entropy with two classes."""
    scores = torch.stack([beta * (c - rc), beta * (r - rr)], dim=1)
    return F.cross_entropy(scores, torch.zeros(len(c), dtype=torch.long))


def one_by_one(c, r, rc, rr, beta):
    total = 0.0
    for a, b, ra, rb in zip(c.tolist(), r.tolist(), rc.tolist(), rr.tolist(), strict=True):
        m = beta * ((a - b) - (ra - rb))
        total += max(-m, 0) + np.log1p(np.exp(-abs(m)))
    return total / len(c)


def with_logits(c, r, rc, rr, beta):
    margin = beta * ((c - r) - (rc - rr))
    return F.binary_cross_entropy_with_logits(margin, torch.ones_like(margin))


def with_log_softmax(c, r, rc, rr, beta):
    return -torch.stack([beta * (c - rc), beta * (r - rr)]).log_softmax(dim=0)[0].mean()


def in_single_precision_2(*tensors_and_beta):
    *tensors, beta = tensors_and_beta
    return solution_2(*(one.float() for one in tensors), beta).reshape(1, 1)


def on(margin, after=None):
    """The loss with another margin."""

    def wrong(c, r, rc, rr, beta):
        return (after or (lambda m: -F.logsigmoid(m).mean()))(margin(c, r, rc, rr, beta))

    return wrong


def right_margin(c, r, rc, rr, beta):
    return beta * ((c - rc) - (r - rr))


def unstable(c, r, rc, rr, beta):
    return -torch.log(torch.sigmoid(right_margin(c, r, rc, rr, beta))).mean()


def floored(c, r, rc, rr, beta):
    return -torch.log(torch.sigmoid(right_margin(c, r, rc, rr, beta)) + 1e-9).mean()


def beta_outside(c, r, rc, rr, beta):
    return -beta * F.logsigmoid(right_margin(c, r, rc, rr, 1)).mean()


def changes_the_tensors(c, r, rc, rr, beta):
    c -= rc
    return -F.logsigmoid(beta * (c - (r - rr))).mean()


# --- estimates of KL -------------------------------------------------------------------------------------------


def solution_3(log_p, log_ref):
    u = log_ref - log_p
    return np.stack([-u, u**2 / 2, np.expm1(u) - u])


def with_ratios(log_p, log_ref):
    ratio = np.exp(log_ref) / np.exp(log_p)
    return -np.log(ratio), np.log(ratio) ** 2 / 2, ratio - 1 - np.log(ratio)


def in_torch_3(log_p, log_ref):
    d = torch.as_tensor(log_p) - torch.as_tensor(log_ref)
    return torch.stack([d, 0.5 * d.square(), torch.exp(-d) - 1 + d])


def as_lists(log_p, log_ref):
    rows = [[], [], []]
    for p, q in zip(log_p, log_ref, strict=True):
        u = float(q - p)
        for row, value in zip(rows, (-u, u * u / 2, np.exp(u) - 1 - u), strict=True):
            row.append(value)
    return rows


def filled(log_p, log_ref):
    found = np.empty((3, len(log_p)))
    found[0] = log_p - log_ref
    found[1] = found[0] ** 2 / 2
    found[2] = np.exp(-found[0]) - 1 + found[0]
    return found


def in_columns(log_p, log_ref):
    return np.array(
        [(p - q, (p - q) ** 2 / 2, np.exp(q - p) - 1 - (q - p)) for p, q in zip(log_p, log_ref, strict=True)]
    ).T


def mixed(log_p, log_ref):
    u = (log_ref - log_p).astype(np.float32)
    return list(-u), torch.tensor(u).square() / 2, np.exp(u) - 1 - u


def but(**rows):
    """The right estimates, but for some rows."""

    def wrong(log_p, log_ref):
        found, u = solution_3(log_p, log_ref), log_ref - log_p
        for name, formula in rows.items():
            found[int(name[1]) - 1] = formula(u)
        return found

    return wrong


def changes_the_arrays(log_p, log_ref):
    log_ref -= log_p
    return np.stack([-log_ref, log_ref**2 / 2, np.expm1(log_ref) - log_ref])


RETURNS = {checks.group_advantage: "array", checks.dpo_loss: "number", checks.kl_estimates: "array"}
CASES = [
    *(
        (checks.group_advantage, right)
        for right in (
            *(solution_1, from_the_mean, row_by_row, by_a_matrix, in_torch_1, where_equal, in_single_precision),
            by_the_range_of_equals,
        )
    ),
    *(
        (checks.dpo_loss, right)
        for right in (
            *(solution_2, with_softplus, with_logaddexp, as_a_classifier, one_by_one, with_logits),
            *(with_log_softmax, in_single_precision_2),
        )
    ),
    *(
        (checks.kl_estimates, right)
        for right in (solution_3, with_ratios, in_torch_3, as_lists, filled, in_columns, mixed)
    ),
]
MUTANTS = [
    (checks.group_advantage, with_baseline(lambda r: r.mean(axis=1, keepdims=True)), "still in its own baseline"),
    (checks.group_advantage, with_baseline(lambda r: r.mean(axis=0)), "in the same row"),
    (checks.group_advantage, with_baseline(lambda r: (r.sum(0) - r) / (len(r) - 1)), "in the same row"),
    (checks.group_advantage, with_baseline(lambda r: r.mean()), "all prompts together"),
    (checks.group_advantage, with_baseline(lambda r: r.sum(1, keepdims=True) - r), "subtract the sum of the others"),
    (
        checks.group_advantage,
        with_baseline(lambda r: (r.sum(1, keepdims=True) - r) / r.shape[1]),
        "the others are G - 1",
    ),
    (
        checks.group_advantage,
        with_baseline(lambda r: r.sum(1, keepdims=True) / (r.shape[1] - 1)),
        "out of the sum first",
    ),
    (checks.group_advantage, with_baseline(lambda r: 0), "there is no baseline"),
    (checks.group_advantage, with_baseline(lambda r: r.max(axis=1, keepdims=True)), "not each reward minus the mean"),
    (checks.group_advantage, divides_by_zero, "row are equal"),
    (
        checks.group_advantage,
        lambda r, scale: solution_1(r, False) / (r.std(1, keepdims=True) + 1e-17) if scale else solution_1(r, False),
        "let it be about 1e-4",
    ),
    (checks.group_advantage, divides_by_zero_exactly, "you divide by zero"),
    (checks.group_advantage, lambda r, scale: solution_1(r, True), "divide by the standard deviation always"),
    (checks.group_advantage, lambda r, scale: from_the_mean(r, True), "divide by the standard deviation always"),
    (checks.group_advantage, lambda r, scale: solution_1(r, False), "`scale` changes nothing"),
    (checks.group_advantage, lambda r, scale: solution_1(r, not scale), "wrong way round"),
    (checks.group_advantage, lambda r, scale: -solution_1(r, scale), "the sign is wrong"),
    (checks.group_advantage, scaled(lambda r: r.var(axis=1, keepdims=True) + 1e-8), "divide by the variance"),
    (checks.group_advantage, scaled(lambda r: r.std()), "deviation of all rewards together"),
    (checks.group_advantage, scaled(lambda r: r.std(axis=1, keepdims=True) + 1), "without `scale` all is right"),
    (
        checks.group_advantage,
        lambda r, scale: (
            (r - r.mean(1, keepdims=True)) / (r.std(1, keepdims=True) + 1e-4) if scale else solution_1(r, False)
        ),
        "with `scale` you subtract the mean of the whole group",
    ),
    (
        checks.group_advantage,
        lambda r, scale: r - (r - solution_1(r, False)) / (r.std(1, keepdims=True) + 1e-4 if scale else 1),
        "divide only the baseline",
    ),
    (checks.group_advantage, scaled(lambda r: r.std(axis=0) + 1e-4), "deviation over the prompts"),
    (
        checks.group_advantage,
        scaled(lambda r: solution_1(r, False).std(axis=1, keepdims=True) + 1e-4),
        "the deviation of the advantages",
    ),
    (checks.group_advantage, scaled(lambda r: 1 / (r.std(axis=1, keepdims=True) + 1e-4)), "you multiply by"),
    (
        checks.group_advantage,
        with_baseline(lambda r: (r.sum(1, keepdims=True) - r) / (len(r) - 1)),
        "counts the prompts",
    ),
    (checks.group_advantage, scaled(lambda r: np.ptp(r, axis=1, keepdims=True) + 1e-4), "without `scale` all is right"),
    (checks.group_advantage, scaled(lambda r: r.std(axis=1, keepdims=True) + 0.01), "without `scale` all is right"),
    (checks.group_advantage, with_baseline(lambda r: np.roll(r, 1, axis=1)), "not each reward minus the mean"),
    (
        checks.group_advantage,
        lambda r, scale: np.where(np.ptp(r, axis=1, keepdims=True) == 0, r, solution_1(r, scale)),
        "right is [0, 0, 0, 0, 0]",
    ),
    (checks.group_advantage, lambda r, scale: solution_1(r, scale).round(4), "not each reward minus the mean"),
    (checks.group_advantage, lambda r, scale: solution_1(r, scale).sum(axis=1), "has the shape (3,)"),
    (checks.group_advantage, lambda r, scale: solution_1(r, scale)[0], "has the shape"),
    (checks.group_advantage, changes_the_rewards, "changes the rewards"),
    (checks.group_advantage, lambda r, scale: None, "returns nothing"),
    (checks.dpo_loss, on(lambda *pair: -right_margin(*pair)), "the sign is wrong"),
    (checks.dpo_loss, on(right_margin, lambda m: F.logsigmoid(m).mean()), "the loss is negative"),
    (checks.dpo_loss, on(lambda c, r, rc, rr, b: b * (c - r)), "the reference is missing"),
    (checks.dpo_loss, on(lambda c, r, rc, rr, b: b * (c + rc - r - rr)), "the reference has the wrong sign"),
    (checks.dpo_loss, on(lambda c, r, rc, rr, b: b * (c - rc - r - rr)), "the rejected answer has the wrong sign"),
    (checks.dpo_loss, beta_outside, "beta is in the wrong place"),
    (checks.dpo_loss, on(lambda c, r, rc, rr, b: right_margin(c, r, rc, rr, 1 / b)), "beta divides the margin"),
    (checks.dpo_loss, on(lambda c, r, rc, rr, b: b * (c - r) - (rc - rr)), "only the policy's part"),
    (checks.dpo_loss, on(lambda c, r, rc, rr, b: right_margin(c, r, rc, rr, 1)), "beta is missing"),
    (checks.dpo_loss, unstable, "use logsigmoid"),
    (checks.dpo_loss, floored, "use logsigmoid"),
    (checks.dpo_loss, on(right_margin, lambda m: -F.logsigmoid(m).sum()), "add up the pairs"),
    (checks.dpo_loss, on(right_margin, lambda m: -F.logsigmoid(m)), "one loss for each of the 4 pairs"),
    (checks.dpo_loss, on(right_margin, lambda m: -F.logsigmoid(m.mean())), "the mean comes too early"),
    (checks.dpo_loss, on(right_margin, lambda m: -m.sigmoid().mean()), "the logarithm is missing"),
    (checks.dpo_loss, on(right_margin, lambda m: (1 - m.sigmoid()).mean()), "one minus the sigmoid"),
    (checks.dpo_loss, on(right_margin, lambda m: -m.mean()), "the sigmoid is missing"),
    (
        checks.dpo_loss,
        lambda c, r, rc, rr, b: -(F.logsigmoid(b * (c - rc)) + F.logsigmoid(-b * (r - rr))).mean(),
        "each answer by itself",
    ),
    (checks.dpo_loss, on(lambda c, r, rc, rr, b: b * ((c - rc).exp() - (r - rr).exp())), "probabilities in place of"),
    (checks.dpo_loss, on(right_margin, lambda m: ((m - 1) ** 2).mean()), "this is not the mean"),
    (checks.dpo_loss, on(lambda c, r, rc, rr, b: b * ((c - rr) - (r - rc))), "are swapped"),
    (checks.dpo_loss, on(lambda c, r, rc, rr, b: b * (c - rc) - (r - rr)), "only the chosen answer's part"),
    (checks.dpo_loss, lambda *pair: pair[-1] * solution_2(*pair), "beta is there twice"),
    (checks.dpo_loss, lambda *pair: solution_2(*pair) / pair[-1], "beta is there twice"),
    (checks.dpo_loss, lambda c, r, rc, rr, b: solution_2(c, r, rc, rr, 0.1), "use the argument `beta`"),
    (checks.dpo_loss, on(lambda c, r, rc, rr, b: b * (c - rc + r - rr)), "you add the rejected answer's part"),
    (checks.dpo_loss, on(lambda c, r, rc, rr, b: b * (c - rc)), "the rejected answer is missing"),
    (checks.dpo_loss, on(lambda c, r, rc, rr, b: b * (c / rc - r / rr)), "you divide logarithms"),
    (checks.dpo_loss, on(right_margin, lambda m: -m.sigmoid().mean().log()), "not that of the mean"),
    (checks.dpo_loss, on(lambda *pair: right_margin(*pair).clamp(-10, 10)), "use logsigmoid"),
    (checks.dpo_loss, on(right_margin, lambda m: torch.log(1 + torch.exp(-m)).mean()), "use logsigmoid"),
    (checks.dpo_loss, lambda *pair: (solution_2(*pair), 0), "you return 2 numbers"),
    (checks.dpo_loss, changes_the_tensors, "changes the tensors"),
    (checks.dpo_loss, lambda *pair: None, "returns nothing"),
    (checks.kl_estimates, lambda p, q: solution_3(q, p), "the ratio is inverted"),
    (checks.kl_estimates, but(k1=lambda u: u), "k1 has the wrong sign"),
    (checks.kl_estimates, but(k3=lambda u: np.exp(-u) - 1 + u), "k3 has the ratio inverted"),
    (checks.kl_estimates, but(k3=lambda u: np.exp(u) - 1 + u), "k3 has the wrong sign before u"),
    (checks.kl_estimates, but(k3=lambda u: np.exp(u) - u), "lacks the - 1"),
    (checks.kl_estimates, but(k3=lambda u: np.exp(u) - 1), "lacks the - u"),
    (checks.kl_estimates, but(k3=lambda u: 1 + u - np.exp(u)), "never negative"),
    (checks.kl_estimates, but(k2=lambda u: u**2), "factor 1/2 is missing"),
    (checks.kl_estimates, but(k2=lambda u: u / 2), "the square is missing"),
    (checks.kl_estimates, but(k2=lambda u: (u / 2) ** 2), "halve after squaring"),
    (checks.kl_estimates, but(k1=np.abs), "no absolute value"),
    (checks.kl_estimates, but(k1=lambda u: 1 - np.exp(u)), "not of probabilities"),
    (checks.kl_estimates, lambda p, q: np.exp(p) * solution_3(p, q), "weighted by its probability"),
    (checks.kl_estimates, lambda p, q: np.exp(q) * solution_3(p, q), "k1 is -u"),
    (checks.kl_estimates, lambda p, q: solution_3(p, q)[[0, 2, 1]], "another order"),
    (checks.kl_estimates, lambda p, q: solution_3(p, q)[[1, 2, 0]], "another order"),
    (checks.kl_estimates, lambda p, q: solution_3(np.log(-p), np.log(-q)), "take no logarithm"),
    (checks.kl_estimates, lambda p, q: solution_3(np.exp(p), np.exp(q)), "without exponentials"),
    (checks.kl_estimates, but(k2=lambda u: u**2, k3=lambda u: np.exp(u) - u), "k2 is u²/2"),
    (checks.kl_estimates, but(k3=lambda u: np.exp(u - 1) - u), "k3 is e^u - 1 - u"),
    (checks.kl_estimates, but(k3=lambda u: np.expm1(u) ** 2 / 2), "k3 is e^u - 1 - u"),
    (checks.kl_estimates, but(k3=lambda u: np.exp(np.minimum(u, 3)) - 1 - u), "k3 is e^u - 1 - u"),
    (checks.kl_estimates, but(k1=lambda u: np.maximum(-u, 0)), "k1 is -u"),
    (checks.kl_estimates, lambda p, q: p - q, "has the shape (5,)"),
    (checks.kl_estimates, lambda p, q: np.hstack(list(solution_3(p, q))), "has the shape (15,)"),
    (checks.kl_estimates, lambda p, q: solution_3(p, q).mean(axis=1), "one number for each estimate"),
    (checks.kl_estimates, lambda p, q: solution_3(p, q).T, "rows and columns are swapped"),
    (checks.kl_estimates, lambda p, q: solution_3(p, q)[:2], "has the shape (2, 5)"),
    (checks.kl_estimates, lambda p, q: solution_3(0 * p, q / p), "ratios of log-probabilities"),
    (checks.kl_estimates, changes_the_arrays, "changes the arrays"),
    (checks.kl_estimates, lambda p, q: None, "returns nothing"),
]
