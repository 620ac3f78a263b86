"""The exercises of lesson 09: the group advantage, the DPO loss, three estimates of KL."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from babyagi_lib.learner.checks.answers import DOUBLE, Wrong, array, number, precision, side_by_side
from babyagi_lib.learner.checks.verdict import exercise

Values = NDArray[np.float64]


def groups() -> list[Values]:
    """Rewards of groups, (prompts, answers): of several sizes, one of them square, one with a row of equal rewards."""
    draw = np.random.default_rng(0)
    drawn = [draw.normal(size=shape).round(2) for shape in ((3, 5), (4, 4), (2, 8))]
    drawn[0][1] = 0.81  # all equal; the mean of five times .81 differs from .81 by rounding
    return [*drawn, np.array([[1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0]])]


def leave_one_out(rewards: Values) -> Values:
    """Each reward minus the mean of the others in its row."""
    size = rewards.shape[1]
    return (rewards - rewards.mean(axis=1, keepdims=True)) * size / (size - 1)


def _scaled(rewards: Values, ddof: int) -> Values:
    return leave_one_out(rewards) / (rewards.std(axis=1, ddof=ddof, keepdims=True) + 1e-8)


def _quietly(formula: Callable[[Values, bool], Values], rewards: Values, scale: bool) -> Values:
    with np.errstate(all="ignore"):
        return formula(rewards, scale)


def _own_axis(rewards: Values) -> Values:
    """The mean of the others in the column, where a column has others."""
    rows = len(rewards)
    return (rewards - rewards.mean(axis=0)) * rows / (rows - 1)


def _deviation(rewards: Values) -> Values:
    return rewards.std(axis=1, keepdims=True) + 1e-8


ADVANTAGE_MISTAKES: list[tuple[str, Callable[[Values, bool], Values]]] = [
    (
        "each reward is still in its own baseline: you subtract the mean of the whole group. Leave the answer's own reward "
        "out of the mean that you subtract from it.",
        lambda r, scale: (r - r.mean(axis=1, keepdims=True)) / (_deviation(r) if scale else 1),
    ),
    (
        "you take the mean over the prompts: the others are the other answers to the same prompt, in the same row.",
        lambda r, scale: _own_axis(r) / (_deviation(r) if scale else 1),
    ),
    (
        "you take the mean over the prompts: the others are the other answers to the same prompt, in the same row.",
        lambda r, scale: (r - r.mean(axis=0)) / (_deviation(r) if scale else 1),
    ),
    (
        "you take the mean over all prompts together: each row has a mean of its own.",
        lambda r, scale: (r - r.mean()) / (_deviation(r) if scale else 1),
    ),
    (
        "you divide by the standard deviation always: do it only if `scale` is true.",
        lambda r, scale: _scaled(r, 0),
    ),
    (
        "you divide by the standard deviation always: do it only if `scale` is true.",
        lambda r, scale: _scaled(r, 1),
    ),
    (
        "`scale` changes nothing: if it is true, divide by the row's standard deviation.",
        lambda r, scale: leave_one_out(r),
    ),
    (
        "`scale` is the wrong way round.",
        lambda r, scale: leave_one_out(r) if scale else _scaled(r, 0),
    ),
    (
        "the sign is wrong: an answer that is better than the others has a positive advantage.",
        lambda r, scale: -leave_one_out(r) / (_deviation(r) if scale else 1),
    ),
    (
        "you subtract the sum of the others: divide it by how many they are, G - 1.",
        lambda r, scale: (r - (r.sum(axis=1, keepdims=True) - r)) / (_deviation(r) if scale else 1),
    ),
    (
        "the sum of the others is divided by G; the others are G - 1.",
        lambda r, scale: (r - (r.sum(axis=1, keepdims=True) - r) / r.shape[1]) / (_deviation(r) if scale else 1),
    ),
    (
        "the sum of the whole group is divided by G - 1; take the answer's own reward out of the sum first.",
        lambda r, scale: (r - r.sum(axis=1, keepdims=True) / (r.shape[1] - 1)) / (_deviation(r) if scale else 1),
    ),
    (
        "you divide by the variance: take its square root.",
        lambda r, scale: leave_one_out(r) / (r.var(axis=1, keepdims=True) + 1e-8 if scale else 1),
    ),
    (
        "you divide by the deviation of all rewards together: each row has its own.",
        lambda r, scale: leave_one_out(r) / (r.std() if scale else 1),
    ),
    (
        "that is the mean of the others: subtract it from each reward.",
        lambda r, scale: (r - leave_one_out(r)) / (_deviation(r) if scale else 1),
    ),
    (
        "with `scale` you subtract the mean of the whole group, or you divide by the deviation of the advantages (both give the "
        "same): subtract the mean of the others, then divide by the deviation of the rewards.",
        lambda r, scale: (r - r.mean(axis=1, keepdims=True)) / _deviation(r) if scale else leave_one_out(r),
    ),
    (
        "you divide only the baseline by the standard deviation: divide the whole difference, put it in parentheses.",
        lambda r, scale: r - (r - leave_one_out(r)) / (_deviation(r) if scale else 1),
    ),
    (
        "you take the deviation over the prompts: it is that of the answers to one prompt, of a row.",
        lambda r, scale: leave_one_out(r) / (r.std(axis=0) if scale else 1),
    ),
    (
        "you multiply by the standard deviation: divide by it.",
        lambda r, scale: leave_one_out(r) * (_deviation(r) if scale else 1),
    ),
    (
        "the number of answers is the number of columns, `rewards.shape[1]`; `len(rewards)` counts the prompts.",
        lambda r, scale: (r - (r.sum(axis=1, keepdims=True) - r) / (len(r) - 1)) / (_deviation(r) if scale else 1),
    ),
    ("there is no baseline: subtract the mean of the others.", lambda r, scale: r / (_deviation(r) if scale else 1)),
]


def _advantage_close(found: Values, rewards: Values, scale: bool, eps: float = DOUBLE) -> bool:
    wanted = [leave_one_out(rewards)] if not scale else [_scaled(rewards, 0), _scaled(rewards, 1)]
    equal = np.ptp(rewards, axis=1) == 0
    slack = max(2e-3 if scale else 2e-6, eps)  # some libraries add 1e-4 to the deviation
    if scale and not (np.abs(found[equal]) <= 1e-2).all():  # rounding, divided by that small number
        return False
    rows = ~equal if scale else np.ones(len(rewards), dtype=bool)
    return any(np.allclose(found[rows], one[rows], rtol=slack, atol=slack) for one in wanted)


@exercise
def group_advantage(attempt: Callable) -> str:
    """Check `group_advantage(rewards, scale)`: (prompts, answers) to the same shape."""
    cases = [(rewards, scale) for scale in (False, True) for rewards in groups()]
    answers, eps = [], DOUBLE
    for rewards, scale in cases:
        given = rewards.copy()
        with np.errstate(all="ignore"):
            answer = attempt(given, scale)
        found = array(answer, f"an array of the shape of the rewards, {rewards.shape}")
        eps = max(eps, *(precision(part) for part in _parts(answer)))
        if not np.array_equal(given, rewards):
            raise Wrong("your function changes the rewards that it was given: work on a copy.")
        if found.shape != rewards.shape:
            raise Wrong(f"the answer has the shape {found.shape}; it must be that of the rewards, {rewards.shape}.")
        answers.append(found)
    off = [not _advantage_close(found, *case, eps) for found, case in zip(answers, cases, strict=True)]
    if not any(off):
        return f"{len(cases)} groups of several sizes, with equal rewards and without: each answer against the others."
    first = off.index(True)
    (rewards, scale), found = cases[first], answers[first]
    equal = np.ptp(rewards, axis=1) == 0
    if scale and not (np.abs(found[equal]) <= 1e-2).all():
        before = not any(off[:4])
        row = found[equal][0]
        one, _ = side_by_side(row, np.zeros_like(row))
        if not np.isfinite(row).all():
            raise Wrong(
                "you divide by zero: where all rewards of a row are equal, the deviation is 0. Add a small number to it, so "
                f"that the answer is 0 there; you return {one}."
            )
        if before and _advantage_close(found[~equal], rewards[~equal], scale, eps):
            raise Wrong(
                f"where all rewards of a row are equal, return 0; you return {one}. If you add a small number to the "
                "deviation, let it be about 1e-4: the mean of equal numbers is rounded, and dividing makes that large."
            )
    wrong = [n for n in range(len(rewards)) if not _advantage_close(found[[n]], rewards[[n]], scale, eps)]
    row = min(wrong, key=lambda n: equal[n])  # a row of unequal rewards shows more
    right = (_scaled(rewards, 0) if scale else leave_one_out(rewards))[row] * ~equal[row]
    one, other = side_by_side(found[row], right)
    said = f" For the rewards {rewards[row].tolist()} and scale={scale} you return {one}; right is {other}."
    for message, mistake in ADVANTAGE_MISTAKES:
        if all(
            np.allclose(f[unequal], _quietly(mistake, *case)[unequal], rtol=2e-3, atol=2e-3)
            for f, case, unequal in zip(answers, cases, (np.ptp(r, axis=1) > 0 for r, _ in cases), strict=True)
        ):
            raise Wrong(message + said)
    if not any(off[:4]):
        raise Wrong(
            "without `scale` all is right, with it this is not the row divided by its standard deviation." + said
        )
    raise Wrong("this is not each reward minus the mean of the others in its row." + said)


Pairs = tuple[Values, Values, Values, Values, float]


def judged_pairs() -> list[Pairs]:
    """Log-probabilities of pairs and a beta; in the last cases the sigmoid of the margin is 0 in floating point."""
    draw = np.random.default_rng(1)
    drawn = []
    for size, beta in ((4, 0.1), (1, 0.5), (7, 0.8), (3, 0.3)):
        chosen, rejected, ref_chosen, ref_rejected = (-draw.gamma(2, 2, size=size).round(2) for _ in range(4))
        drawn.append((chosen, rejected, ref_chosen, ref_rejected, beta))
    far = np.array([-2000.0, -1.0])
    drawn.append((far, np.array([-1.0, -2.0]), np.array([-2.0, -3.0]), np.array([-3.0, -1.5]), 1.0))
    return drawn


def _margin(c: Values, r: Values, rc: Values, rr: Values) -> Values:
    return (c - rc) - (r - rr)


def _softplus(x: Values) -> Values:
    return np.logaddexp(0, x)


DPO_MISTAKES: list[tuple[str, Callable[..., Values]]] = [
    (
        "the sign is wrong: the loss must fall when the preferred answer becomes more likely. (Or chosen and rejected are "
        "swapped.)",
        lambda c, r, rc, rr, b: _softplus(b * _margin(c, r, rc, rr)).mean(),
    ),
    (
        "the loss is negative: take minus the logarithm of the sigmoid.",
        lambda c, r, rc, rr, b: -_softplus(-b * _margin(c, r, rc, rr)).mean(),
    ),
    (
        "the reference is missing: what counts is how far the policy has moved from it, log(policy / reference).",
        lambda c, r, rc, rr, b: _softplus(-b * (c - r)).mean(),
    ),
    (
        "the reference has the wrong sign: subtract its log-probability from the policy's, for each of the two answers. (Or "
        "ref_chosen and ref_rejected are swapped.)",
        lambda c, r, rc, rr, b: _softplus(-b * ((c + rc) - (r + rr))).mean(),
    ),
    (
        "the reference of the rejected answer has the wrong sign: take (rejected - ref_rejected) as a whole away.",
        lambda c, r, rc, rr, b: _softplus(-b * (c - rc - r - rr)).mean(),
    ),
    (
        "beta is in the wrong place: it multiplies the margin inside the sigmoid, not the loss.",
        lambda c, r, rc, rr, b: b * _softplus(-_margin(c, r, rc, rr)).mean(),
    ),
    (
        "beta divides the margin: it multiplies it.",
        lambda c, r, rc, rr, b: _softplus(-_margin(c, r, rc, rr) / b).mean(),
    ),
    (
        "beta multiplies only the policy's part: it multiplies the whole margin, the reference's part too.",
        lambda c, r, rc, rr, b: _softplus(-(b * (c - r) - (rc - rr))).mean(),
    ),
    (
        "beta multiplies only the chosen answer's part: it multiplies the whole margin, put the difference in parentheses.",
        lambda c, r, rc, rr, b: _softplus(-(b * (c - rc) - (r - rr))).mean(),
    ),
    (
        "beta is there twice: it multiplies the margin inside the sigmoid, and nothing else.",
        lambda c, r, rc, rr, b: b * _softplus(-b * _margin(c, r, rc, rr)).mean(),
    ),
    (
        "beta is there twice: it multiplies the margin inside the sigmoid, and nothing else.",
        lambda c, r, rc, rr, b: _softplus(-b * _margin(c, r, rc, rr)).mean() / b,
    ),
    (
        "beta is always 0.1 in your function: use the argument `beta`, not the notebook's BETA.",
        lambda c, r, rc, rr, b: _softplus(-0.1 * _margin(c, r, rc, rr)).mean(),
    ),
    (
        "you add the rejected answer's part: the margin is the difference of the two parts.",
        lambda c, r, rc, rr, b: _softplus(-b * ((c - rc) + (r - rr))).mean(),
    ),
    (
        "the rejected answer is missing: the margin is the chosen answer's part minus the rejected one's.",
        lambda c, r, rc, rr, b: _softplus(-b * (c - rc)).mean(),
    ),
    (
        "you divide logarithms: the logarithm of policy / reference is a difference, log policy - log reference.",
        lambda c, r, rc, rr, b: _softplus(-b * (c / rc - r / rr)).mean(),
    ),
    (
        "take the logarithm of each pair's sigmoid before the mean, not that of the mean.",
        lambda c, r, rc, rr, b: -np.log(np.exp(-_softplus(-b * _margin(c, r, rc, rr))).mean()),
    ),
    ("beta is missing: multiply the margin by it.", lambda c, r, rc, rr, b: _softplus(-_margin(c, r, rc, rr)).mean()),
    (
        "you add up the pairs: return their mean.",
        lambda c, r, rc, rr, b: _softplus(-b * _margin(c, r, rc, rr)).sum(),
    ),
    (
        "the mean comes too early: first the loss of each pair, then the mean.",
        lambda c, r, rc, rr, b: _softplus(-b * _margin(c, r, rc, rr).mean()),
    ),
    (
        "the logarithm is missing: the loss is minus log of the sigmoid.",
        lambda c, r, rc, rr, b: -np.exp(-_softplus(-b * _margin(c, r, rc, rr))).mean(),
    ),
    (
        "that is one minus the sigmoid: take minus its logarithm.",
        lambda c, r, rc, rr, b: np.exp(-_softplus(b * _margin(c, r, rc, rr))).mean(),
    ),
    (
        "the sigmoid is missing: the loss is minus log sigmoid of the margin, not minus the margin.",
        lambda c, r, rc, rr, b: -(b * _margin(c, r, rc, rr)).mean(),
    ),
    (
        "you judge each answer by itself: the sigmoid is taken of the difference between the two.",
        lambda c, r, rc, rr, b: (_softplus(-b * (c - rc)) + _softplus(b * (r - rr))).mean(),
    ),
    (
        "these are probabilities in place of log-probabilities: what you get are logarithms already, subtract them.",
        lambda c, r, rc, rr, b: _softplus(-b * (np.exp(c - rc) - np.exp(r - rr))).mean(),
    ),
]


@exercise
def dpo_loss(attempt: Callable) -> str:
    """Check `dpo_loss(chosen, rejected, ref_chosen, ref_rejected, beta)`, tensors (pairs,) to the mean loss."""
    cases = judged_pairs()
    answers, eps = [], 0.0
    for *values, beta in cases:
        given = [torch.tensor(one) for one in values]
        with np.errstate(all="ignore"):
            answer = attempt(*given, beta)
        if any(not np.array_equal(now.numpy(), before) for now, before in zip(given, values, strict=True)):
            raise Wrong("your function changes the tensors that it was given: work on copies.")
        size = len(values[0])
        many = array(answer, "the mean loss, one number")
        if size > 1 and many.size == size:
            raise Wrong(f"you return one loss for each of the {size} pairs: return their mean.")
        answers.append(number(answer, "the mean loss, one number"))
        eps = max(eps, precision(answer))
    found = np.array(answers)
    with np.errstate(all="ignore"):
        right = np.array([_softplus(-beta * _margin(*values)).mean() for *values, beta in cases])
    slack = max(1e-6, 8 * eps)
    off = ~np.isclose(found, right, rtol=slack, atol=slack)
    if not off.any():
        return f"{len(cases)} sets of pairs, also where the sigmoid is 0 in floating point."
    first = int(off.argmax())
    *values, beta = cases[first]
    one, other = side_by_side(found[first], right[first])
    names = ("chosen", "rejected", "ref_chosen", "ref_rejected")
    shown = ", ".join(f"{name} {value.tolist()}" for name, value in zip(names, values, strict=True))
    said = f" For {shown} and beta {beta} you return {one}; right is {other}."
    if not off[:-1].any():
        if not np.isfinite(found[-1]) or found[-1] < right[-1]:
            raise Wrong(
                "ordinary pairs are right. Where the margin is far below 0, the sigmoid is 0 in floating point and its "
                "logarithm is minus infinity: use logsigmoid, or log(1 + e^-m) = logaddexp(0, -m)." + said
            )
        raise Wrong("ordinary pairs are right, a margin far below 0 is not." + said)
    for message, mistake in DPO_MISTAKES:
        theirs = [mistake(*case) for case in cases[:-1]]
        if np.allclose(found[:-1], theirs, rtol=1e-4, atol=1e-5):
            raise Wrong(message + said)
    raise Wrong("this is not the mean of -log sigmoid(beta · margin)." + said)


def samples() -> list[tuple[Values, Values]]:
    """Log-probabilities under the policy and under the reference; some are equal, some far apart."""
    draw = np.random.default_rng(2)
    pairs = [(-draw.gamma(2, 1, size=n).round(2), -draw.gamma(2, 1, size=n).round(2)) for n in (5, 1, 8)]
    return [*pairs, (np.array([-1.0, -0.5, -6.0]), np.array([-1.0, -4.5, -0.5]))]


def _three(u: Values) -> Values:
    return np.stack([-u, u**2 / 2, np.expm1(u) - u])


def _with(row: int, formula: Callable[[Values], Values]) -> Callable[[Values, Values], Values]:
    """The right estimates, but for one row, made by a formula of log_ref - log_p."""

    def wrong(log_p: Values, log_ref: Values) -> Values:
        found = _three(log_ref - log_p)
        found[row] = formula(log_ref - log_p)
        return found

    return wrong


KL_MISTAKES: list[tuple[str, Callable[[Values, Values], Values]]] = [
    (
        "the ratio is inverted: u is log_ref - log_p, the reference over the policy that drew the samples. As it is, your "
        "estimates are those of the other KL, for samples drawn from the reference.",
        lambda p, q: _three(p - q),
    ),
    (
        "k1 has the wrong sign: it is log_p - log_ref.",
        _with(0, lambda u: u),
    ),
    (
        "k3 has the ratio inverted: its exponential is that of log_ref - log_p.",
        _with(2, lambda u: np.expm1(-u) + u),
    ),
    (
        "k3 has the wrong sign before u: it is e^u - 1 - u.",
        _with(2, lambda u: np.expm1(u) + u),
    ),
    ("k3 lacks the - 1: where both are equal, every estimate is 0.", _with(2, lambda u: np.exp(u) - u)),
    ("k3 lacks the - u: without it, its mean over the policy's samples is 0.", _with(2, np.expm1)),
    ("k3 lacks its exponential: it is e^u - 1 - u.", _with(2, lambda u: u - 1 - u)),
    ("k3 has the wrong sign: it is e^u - 1 - u, never negative.", _with(2, lambda u: u - np.expm1(u))),
    ("k2 is half of the square: the factor 1/2 is missing.", _with(1, lambda u: u**2)),
    ("k2 is half of the square of u: the square is missing.", _with(1, lambda u: u / 2)),
    ("k2 is half of the square of u: halve after squaring.", _with(1, lambda u: (u / 2) ** 2)),
    ("k1 is no absolute value: it can be negative.", _with(0, np.abs)),
    (
        "k1 is the difference of logarithms, not of probabilities.",
        _with(0, lambda u: 1 - np.exp(u)),
    ),
    (
        "each sample is weighted by its probability: the samples were drawn from the policy already, so each counts the same.",
        lambda p, q: np.exp(p) * _three(q - p),
    ),
    *(
        ("the rows are in another order: return k1, k2, k3.", lambda p, q, order=order: _three(q - p)[list(order)])
        for order in ((0, 2, 1), (2, 1, 0), (1, 0, 2), (1, 2, 0), (2, 0, 1))
    ),
    (
        "what you get are logarithms already: take no logarithm of them.",
        lambda p, q: _three(np.log(q / p)),
    ),
    (
        "what you get are logarithms already: u is their difference, without exponentials.",
        lambda p, q: _three(np.exp(q) - np.exp(p)),
    ),
    (
        "these are ratios of log-probabilities: a ratio of probabilities is a difference of logarithms.",
        lambda p, q: _three(q / p),
    ),
]


@exercise
def kl_estimates(attempt: Callable) -> str:
    """Check `kl_estimates(log_p, log_ref)`, arrays (samples,), to k1, k2 and k3 of each, (3, samples)."""
    cases = samples()
    answers, eps = [], 0.0
    for log_p, log_ref in cases:
        given = log_p.copy(), log_ref.copy()
        with np.errstate(all="ignore"):
            answer = attempt(*given)
        if not (np.array_equal(given[0], log_p) and np.array_equal(given[1], log_ref)):
            raise Wrong("your function changes the arrays that it was given: work on copies.")
        wanted = (3, len(log_p))
        found = array(answer, f"three rows with one number for each sample, {wanted}")
        eps = max(eps, *(precision(part) for part in _parts(answer)))
        if found.size == 3 and len(log_p) > 1:
            raise Wrong("you return one number for each estimate, a mean or a sum: return the estimate of each sample.")
        if found.shape == wanted[::-1] != wanted:
            raise Wrong(f"rows and columns are swapped: return {wanted}, one row for each estimate.")
        if found.shape != wanted:
            raise Wrong(
                f"the answer has the shape {found.shape}; three rows with one number for each sample are {wanted}."
            )
        answers.append(found)
    right = [_three(log_ref - log_p) for log_p, log_ref in cases]
    slack = max(1e-6, 8 * eps)
    off = [not np.allclose(f, r, rtol=slack, atol=slack) for f, r in zip(answers, right, strict=True)]
    if not any(off):
        return "k1 and k3 are right on average, k2 is not; k2 and k3 are never negative."
    first = off.index(True)
    wrong = ~np.isclose(answers[first], right[first], rtol=slack, atol=slack)
    row, column = (int(i) for i in np.argwhere(wrong)[0])
    log_p, log_ref = (float(one[column]) for one in cases[first])
    one, other = side_by_side(answers[first][row, column], right[first][row, column])
    said = f" For log_p {log_p:g} and log_ref {log_ref:g} your k{row + 1} is {one}; right is {other}."
    for message, mistake in KL_MISTAKES:
        with np.errstate(all="ignore"):
            theirs = [mistake(*case) for case in cases]
        if all(np.allclose(f, t, rtol=1e-4, atol=1e-5) for f, t in zip(answers, theirs, strict=True)):
            raise Wrong(message + said)
    meant = ("k1 is -u", "k2 is u²/2", "k3 is e^u - 1 - u")[row]
    raise Wrong(f"{meant}, with u = log_ref - log_p." + said)


def _parts(answer: object) -> Sequence[object]:
    return answer if isinstance(answer, list | tuple) else [answer]
