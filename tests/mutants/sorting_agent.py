"""Right and wrong answers to the exercises of lesson 12."""

import functools
import itertools
from fractions import Fraction

import numpy as np
import torch

from babyagi_lib.learner.checks import sorting_agent as checks
from babyagi_lib.rl.belief_planning import Problem, Sense, plan

# --- the value of one more answer ------------------------------------------------------------------------------


def gain(belief, table, cost, payoff):
    now = (belief @ payoff).max()
    joint = belief[:, None] * table
    after = joint.T @ payoff
    return after.max(axis=1).sum() - cost - now


def symbol_by_symbol(belief, table, cost, payoff):
    total = 0.0
    for column in table.T:
        chance = float(belief @ column)
        if chance > 0:
            total += chance * max((belief * column / chance) @ payoff)
    return total - cost - max(belief @ payoff)


def by_einsum(belief, table, cost, payoff):
    after = np.einsum("k,ks,kd->sd", belief, table, payoff)
    return np.amax(after, 1).sum() - np.amax(np.einsum("k,kd->d", belief, payoff)) - cost


def gain_in_torch(belief, table, cost, payoff):
    belief, table, payoff = (torch.as_tensor(x) for x in (belief, table, payoff))
    after = (table * belief[:, None]).T @ payoff
    return after.max(dim=1).values.sum() - cost - (belief @ payoff).max()


def gain_in_single(belief, table, cost, payoff):
    return gain(*(x.astype(np.float32) for x in (belief, table)), np.float32(cost), payoff.astype(np.float32))


def by_all_rules(belief, table, cost, payoff):
    """Every rule that names a decision for each symbol."""
    joint = (belief[:, None] * table).T @ payoff
    rules = itertools.product(range(payoff.shape[1]), repeat=table.shape[1])
    return max(sum(joint[s, d] for s, d in enumerate(rule)) for rule in rules) - cost - (belief @ payoff).max()


def in_fractions(belief, table, cost, payoff):
    b, t, p = (np.vectorize(lambda x: Fraction(float(x)), otypes=[object])(x) for x in (belief, table, payoff))
    after = ((b[:, None] * t).T @ p).max(axis=1).sum()
    return float(after - Fraction(float(cost)) - (b @ p).max())


def with_axes_kept(belief, table, cost, payoff):
    """All as matrices; the answer is (1, 1)."""
    asked = ((belief[None] * table.T) @ payoff).max(axis=1, keepdims=True).sum(axis=0, keepdims=True)
    return asked - cost - (belief[None] @ payoff).max(axis=1, keepdims=True)


def changes_the_belief(belief, table, cost, payoff):
    found = gain(belief, table, cost, payoff)
    belief *= 0
    return found


GAINS = [
    (lambda b, t, c, p: gain(b, t, 0, p), "the cost of the sense is missing"),
    (lambda b, t, c, p: gain(b, t, -c, p), "the cost is added"),
    (lambda b, t, c, p: gain(b, t, c, p) + (b @ p).max(), "subtract that"),
    (lambda b, t, c, p: -c, "maximum and sum are swapped"),
    (
        lambda b, t, c, p: np.mean([(b * s / (b @ s) @ p).max() for s in t.T]) - c - (b @ p).max(),
        "all symbols as equally likely",
    ),
    (
        lambda b, t, c, p: sum((b * s / (b @ s) @ p).max() for s in t.T) - c - (b @ p).max(),
        "without their probabilities",
    ),
    (
        lambda b, t, c, p: sum((b @ s) * (s / s.sum() @ p).max() for s in t.T) - c - (b @ p).max(),
        "the belief before the answer is lost",
    ),
    (lambda b, t, c, p: sum((b @ s) * (b * s @ p).max() for s in t.T) - c - (b @ p).max(), "the belief counts twice"),
    (
        lambda b, t, c, p: ((b[:, None] * t).T @ p).max(axis=0).sum() - c - (b @ p).max(),
        "goes over the decisions, once for each symbol",
    ),
    (
        lambda b, t, c, p: max((b * s / (b @ s) @ p).max() for s in t.T) - c - (b @ p).max(),
        "take the mean over the symbols, not the best of them",
    ),
    (lambda b, t, c, p: b @ p.max(axis=1) - c - (b @ p).max(), "the table is not used"),
    (
        lambda b, t, c, p: sum((b @ s) * p[(b * s).argmax()].max() for s in t.T) - c - (b @ p).max(),
        "not the best one for the likeliest kind",
    ),
    (lambda b, t, c, p: gain(b, t, c * t.shape[1], p), "the cost is paid once for an answer"),
    (lambda b, t, c, p: gain(b, t, c, p) + (b @ p).max() - abs((b @ p).max()), "subtract it with its sign"),
    (lambda b, t, c, p: gain(b, t, c, p) + (b @ p).max() - max(0, (b @ p).max()), "do not cut it off at 0"),
    (lambda b, t, c, p: min((b * s / (b @ s) @ p).max() for s in t.T) - c - (b @ p).max(), "not what the formula says"),
    (lambda b, t, c, p: gain(b, t / t.sum(axis=0), c, p), "not what the formula says"),
    (lambda *given: gain(*given) > 0, "one number, the gain"),
    (lambda *given: -gain(*given), "the sign is wrong"),
    (lambda *given: max(gain(*given), 0), "do not cut it off at 0"),
    (lambda *given: abs(gain(*given)), "do not take its size"),
    (lambda *given: round(gain(*given), 2), "you round to 2 decimals"),
    (lambda b, t, c, p: gain(b, t, c, p) * np.nan, "NaN"),
    (lambda b, t, c, p: gain(b, t, 2 * c, p), "this is not what the formula says"),
    (lambda b, t, c, p: (t * b[:, None]).T @ p, "one number, the gain"),
    (changes_the_belief, "changes what it was given"),
]

# --- backward induction ------------------------------------------------------------------------------------------


def value(belief, left, senses, payoff):
    best = (belief @ payoff).max()
    if left == 0:
        return best
    for number, (table, cost, once) in enumerate(senses):
        rest = senses[:number] + senses[number + 1 :] if once else senses
        total = -cost
        for likelihood in table.T:
            joint = belief * likelihood
            if joint.sum() > 0:
                total += joint.sum() * value(joint / joint.sum(), left - 1, rest, payoff)
        best = max(best, total)
    return best


def unnormalised(belief, left, senses, payoff):
    """With beliefs that sum to the probability of the answers, nothing has to be divided."""
    best = np.max(belief @ payoff)
    if left > 0:
        for i, (table, cost, once) in enumerate(senses):
            rest = [s for j, s in enumerate(senses) if j != i or not once]
            asked = sum(unnormalised(belief * column, left - 1, rest, payoff) for column in table.T)
            best = max(best, asked - cost * belief.sum())
    return best


def with_used(belief, left, senses, payoff, used=frozenset()):
    """The senses that were used, as a set."""
    options = [(belief @ payoff).max()]
    for i, (table, cost, once) in enumerate(senses if left else ()):
        if i in used:
            continue
        chances = belief @ table
        after = [belief * table[:, s] / p for s, p in enumerate(chances) if p > 0]
        now = used | {i} if once else used
        worth = [with_used(b, left - 1, senses, payoff, now) for b in after]
        options.append(chances[chances > 0] @ np.array(worth) - cost)
    return max(options)


def value_in_torch(belief, left, senses, payoff):
    belief, payoff = torch.as_tensor(belief), torch.as_tensor(payoff)
    best = (belief @ payoff).max()
    for i, (table, cost, once) in enumerate(senses):
        if left:
            rest = [s for j, s in enumerate(senses) if j != i or not once]
            joint = [belief * column for column in torch.as_tensor(table).T]
            worth = [j.sum() * value_in_torch(j / j.sum(), left - 1, rest, payoff) for j in joint if j.sum() > 0]
            best = torch.maximum(best, sum(worth) - cost)
    return best


def value_in_single(belief, left, senses, payoff):
    senses = [(table.astype(np.float32), np.float32(cost), once) for table, cost, once in senses]
    return value(belief.astype(np.float32), left, senses, payoff.astype(np.float32))


def by_counts(belief, left, senses, payoff):
    """Level by level over histories, the last answers first."""

    @functools.cache
    def worth(history):
        now, free = belief.copy(), list(range(len(senses)))
        for sense, symbol in history:
            now = now * senses[sense][0][:, symbol]
            if senses[sense][2] and sense in free:
                free.remove(sense)
        best = (now @ payoff).max()
        if len(history) < left:
            for sense in free:
                table, cost, _ = senses[sense]
                following = (worth((*history, (sense, symbol))) for symbol in range(table.shape[1]))
                best = max(best, sum(following) - cost * now.sum())
        return best

    return worth(())


def by_the_library(belief, left, senses, payoff):
    asked = tuple(Sense(str(i), table, cost, not once) for i, (table, cost, once) in enumerate(senses))
    return plan(Problem(belief, asked, payoff, left)).value


def guarded(belief, left, senses, payoff):
    """All beliefs at once; a probability of 0 is guarded, not skipped."""
    options = [np.max(belief @ payoff)]
    for sense in senses if left > 0 else ():
        rest = [other for other in senses if other is not sense or not sense[2]]
        joint = belief[:, None] * sense[0]
        chances = joint.sum(axis=0)
        after = (joint / np.maximum(chances, 1e-300)).T
        options.append(chances @ [guarded(b, left - 1, rest, payoff) for b in after] - sense[1])
    return np.max(options)


def switched(**switches):
    return lambda belief, left, senses, payoff: checks.solve(belief, left, senses, payoff, **switches)


def changes_the_senses(belief, left, senses, payoff):
    found = value(belief, left, senses, payoff)
    senses.clear()
    return found


def starts_at_zero(belief, left, senses, payoff):
    if left == 0:
        return (belief @ payoff).max()
    best = max(0, (belief @ payoff).max())
    for i, (table, cost, once) in enumerate(senses):
        rest = senses[:i] + senses[i + 1 :] if once else senses
        joint = [belief * column for column in table.T if belief @ column > 0]
        best = max(best, sum(j.sum() * starts_at_zero(j / j.sum(), left - 1, rest, payoff) for j in joint) - cost)
    return best


def divides_by_zero(belief, left, senses, payoff):
    """NaN, which Python's maximum never takes where it comes second."""
    best = (belief @ payoff).max()
    for i, (table, cost, once) in enumerate(senses if left else ()):
        rest = senses[:i] + senses[i + 1 :] if once else senses
        with np.errstate(all="ignore"):
            joint = [belief * column for column in table.T]
            asked = sum(j.sum() * divides_by_zero(j / j.sum(), left - 1, rest, payoff) for j in joint) - cost
        best = max(best, asked)
    return best


def loses_the_note(belief, left, senses, payoff):
    best = (belief @ payoff).max()
    for i, (table, cost, once) in enumerate(senses if left else ()):
        if once:
            senses = senses[:i] + senses[i + 1 :]
        joint = [belief * column for column in table.T if belief @ column > 0]
        best = max(best, sum(j.sum() * loses_the_note(j / j.sum(), left - 1, senses, payoff) for j in joint) - cost)
    return best


def while_it_pays(belief, left, senses, payoff):
    """Asks as long as one answer pays: a good rule, but not the best."""
    now = (belief @ payoff).max()
    gains = [gain(belief, table, cost, payoff) for table, cost, _ in senses]
    if not left or not gains or max(gains) <= 0:
        return now
    best = int(np.argmax(gains))
    table, cost, once = senses[best]
    rest = senses[:best] + senses[best + 1 :] if once else senses
    joint = [belief * column for column in table.T if belief @ column > 0]
    return sum(j.sum() * while_it_pays(j / j.sum(), left - 1, rest, payoff) for j in joint) - cost


PLANS = [
    (switched(pays=False), "the cost of an answer is missing"),
    (lambda b, left, s, p: value(b, left + 1, s, p), "the horizon is off by one"),
    (lambda b, left, s, p: value(b, max(0, left - 1), s, p), "with `left` 1 one more answer may be asked"),
    (switched(update=False), "the belief is not updated"),
    (lambda b, left, s, p: (b @ p).max(), "nothing is asked"),
    (starts_at_zero, "begin with the best decision, not with 0"),
    (divides_by_zero, "a symbol of probability 0"),
    (loses_the_note, "make a new list of what is left"),
    (lambda b, left, s, p: value(b, left, [(t, c * t.shape[1], o) for t, c, o in s], p), "the cost is paid once"),
    (switched(lucky=True), "take the mean over the symbols, not the best of them"),
    (while_it_pays, "this is not what the formula says"),
    (lambda b, left, s, p: value(b, left, s[:1], p), "this is not what the formula says"),
    (lambda b, left, s, p: b @ p.max(axis=1), "this is not what the formula says"),
    (switched(swapped=True), "maximum and mean are swapped"),
    (switched(once=False), "a sense that may be asked once is asked again"),
    (switched(once=True), "only a sense whose third entry is true"),
    (switched(stops=False), "may decide at any time"),
    (switched(weighted=False), "weight each symbol by its probability"),
    (switched(twice=True), "the probability of a symbol counts twice"),
    (lambda b, left, s, p: value(b, min(left, 1), s, p), "you look one answer ahead only"),
    (lambda b, left, s, p: round(value(b, left, s, p), 3), "you round to 3 decimals"),
    (lambda b, left, s, p: 2 * value(b, left, s, p), "this is not what the formula says"),
    (lambda b, left, s, p: b @ p, "one number, the value"),
    (changes_the_senses, "changes what it was given"),
]

# --- a limit that a coin keeps -----------------------------------------------------------------------------------


def coin(safe, risky, cracked, shipped, limit):
    bad = np.outer(cracked, shipped)
    low, high = (safe * bad).sum(), (risky * bad).sum()
    share = 1.0 if high <= limit else (limit - low) / (high - low)
    mixed = share * risky + (1 - share) * safe
    return share, (mixed * bad).sum() / mixed[cracked].sum()


def by_a_linear_programme(safe, risky, cracked, shipped, limit):
    from scipy.optimize import linprog

    risks = [joint[cracked][:, shipped].sum() for joint in (safe, risky)]
    found = linprog([0, -1], A_ub=[risks], b_ub=[limit], A_eq=[[1, 1]], b_eq=[1], bounds=(0, 1)).x
    return [found[1], found @ risks / safe[cracked].sum()]


def with_loops(safe, risky, cracked, shipped, limit):
    def risk(joint):
        kinds, decisions = joint.shape
        return sum(joint[k, d] for k in range(kinds) for d in range(decisions) if cracked[k] and shipped[d])

    share = min(1, (limit - risk(safe)) / (risk(risky) - risk(safe)))
    parts = sum(sum(row) for row, c in zip(safe, cracked, strict=True) if c)
    return np.array([share, (share * risk(risky) + (1 - share) * risk(safe)) / parts])


def coin_in_torch(safe, risky, cracked, shipped, limit):
    safe, risky, cracked, shipped = (torch.as_tensor(x) for x in (safe, risky, cracked, shipped))
    low, high = (joint[cracked][:, shipped].sum() for joint in (safe, risky))
    share = ((limit - low) / (high - low)).clamp(max=1)
    return torch.stack([share, torch.lerp(low, high, share) / safe[cracked].sum()])


def coin_in_single(safe, risky, *rest):
    return coin(safe.astype(np.float32), risky.astype(np.float32), *rest)


def by_bisection(safe, risky, cracked, shipped, limit):
    low, high = 0.0, 1.0
    bad = lambda q: (q * risky + (1 - q) * safe)[cracked][:, shipped].sum()  # noqa: E731
    if bad(1.0) <= limit:
        low = 1.0
    else:
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if bad(middle) <= limit else (low, middle)
    return low, bad(low) / safe[cracked].sum()


def by_einsum_and_clip(safe, risky, cracked, shipped, limit):
    bad = [np.einsum("kd,k,d->", joint, cracked.astype(float), shipped.astype(float)) for joint in (safe, risky)]
    share = np.clip((limit - bad[0]) / (bad[1] - bad[0]), 0, 1)
    return [np.array(share), np.interp(share, [0, 1], bad) / risky[cracked].sum()]


def after(change):
    """The right answer, changed."""
    return lambda *given: change(np.array(coin(*given)), *given)


def not_cut(safe, risky, cracked, shipped, limit):
    low, high = (joint[cracked][:, shipped].sum() for joint in (safe, risky))
    share = (limit - low) / (high - low)
    return share, (low + share * (high - low)) / safe[cracked].sum()


def limit_on_cracked(safe, risky, cracked, shipped, limit):
    return coin(safe, risky, cracked, shipped, limit * safe[cracked].sum())


def without_the_safe(safe, risky, cracked, shipped, limit):
    low, high = (joint[cracked][:, shipped].sum() for joint in (safe, risky))
    share = min(1, limit / high)
    return share, (low + share * (high - low)) / safe[cracked].sum()


def changes_the_policy(safe, risky, *rest):
    found = coin(safe, risky, *rest)
    safe += 1
    return found


COINS = [
    (not_cut, "a share cannot be above 1"),
    (after(lambda found, *given: [1 - found[0], found[1]]), "this is the share of the safe policy"),
    (limit_on_cracked, "the limit is on all parts"),
    (without_the_safe, "the safe policy ships cracked parts, too"),
    (
        after(lambda found, s, r, c, *_: [found[0], found[1] * s[c].sum()]),
        "divide it by the share of parts that are cracked",
    ),
    (
        after(lambda f, s, r, c, d, _: [f[0], f[1] * s[c].sum() / (f[0] * r + (1 - f[0]) * s)[:, d].sum()]),
        "asked is the share of cracked parts that are shipped",
    ),
    (after(lambda f, s, r, c, d, _: [f[0], r[c][:, d].sum() / r[c].sum()]), "the risky policy alone"),
    (after(lambda f, s, r, c, d, _: [f[0], s[c][:, d].sum() / s[c].sum()]), "the safe policy alone"),
    (
        after(lambda f, s, r, c, d, limit: [f[0], limit / s[c].sum()]),
        "compute its risk from both policies",
    ),
    (
        after(
            lambda f, s, r, c, d, _: [
                f[0],
                ((1 - f[0]) * r[c][:, d].sum() + f[0] * s[c][:, d].sum()) / s[c].sum(),
            ]
        ),
        "the share belongs to the wrong policy",
    ),
    (
        after(
            lambda f, s, r, c, d, _: [
                f[0],
                np.mean((f[0] * r + (1 - f[0]) * s)[c][:, d].sum(axis=1) / (f[0] * r + (1 - f[0]) * s)[c].sum(axis=1)),
            ]
        ),
        "the kinds are not equally frequent",
    ),
    (lambda s, r, *rest: coin(r, s, *rest), "this is not what the formula says"),
    (
        after(lambda f, s, r, c, d, limit: [f[0] * (r[c][:, d].sum() > limit), f[1]]),
        "this is not what the formula says",
    ),
    (after(lambda found, *given: found[::-1]), "in the wrong order"),
    (after(lambda found, *given: found.round(2)), "you round to 2 decimals"),
    (after(lambda found, *given: found * 1.1), "this is not what the formula says"),
    (after(lambda found, *given: found[0]), "two numbers"),
    (changes_the_policy, "changes the arrays"),
]

RETURNS = {checks.gain_of_asking: "number", checks.best_value: "number", checks.coin: "array"}
CASES = [
    (checks.gain_of_asking, gain),
    (checks.gain_of_asking, symbol_by_symbol),
    (checks.gain_of_asking, by_einsum),
    (checks.gain_of_asking, gain_in_torch),
    (checks.gain_of_asking, gain_in_single),
    (checks.gain_of_asking, by_all_rules),
    (checks.gain_of_asking, in_fractions),
    (checks.gain_of_asking, with_axes_kept),
    (checks.best_value, value),
    (checks.best_value, unnormalised),
    (checks.best_value, with_used),
    (checks.best_value, value_in_torch),
    (checks.best_value, value_in_single),
    (checks.best_value, by_counts),
    (checks.best_value, by_the_library),
    (checks.best_value, guarded),
    (checks.coin, coin),
    (checks.coin, by_a_linear_programme),
    (checks.coin, with_loops),
    (checks.coin, coin_in_torch),
    (checks.coin, coin_in_single),
    (checks.coin, by_bisection),
    (checks.coin, by_einsum_and_clip),
]
MUTANTS = [
    *((checks.gain_of_asking, mutant, said) for mutant, said in GAINS),
    *((checks.best_value, mutant, said) for mutant, said in PLANS),
    *((checks.coin, mutant, said) for mutant, said in COINS),
]
