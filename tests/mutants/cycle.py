"""Right and wrong answers to the exercises of lesson 13."""

from collections import Counter

import numpy as np
import torch

from babyagi_lib.learner.checks import cycle as checks
from babyagi_lib.methods import refitting
from babyagi_lib.rl import off_policy

# --- inverse propensity scoring --------------------------------------------------------------------------------


def ips(context, action, propensity, reward, policy):
    return (policy[context, action] / propensity * reward).mean()


def one_by_one(context, action, propensity, reward, policy):
    total = 0.0
    for x, a, mu, r in zip(context, action, propensity, reward, strict=True):
        total += policy[x][a] * r / mu
    return total / len(reward)


def ips_in_torch(context, action, propensity, reward, policy):
    policy = torch.as_tensor(policy)[torch.as_tensor(context), torch.as_tensor(action)]
    return (policy * torch.as_tensor(reward) / torch.as_tensor(propensity)).mean()


def ips_in_single(context, action, propensity, reward, policy):
    return ips(context, action, propensity.astype(np.float32), reward.astype(np.float32), policy.astype(np.float32))


def by_a_product(context, action, propensity, reward, policy):
    return np.dot(np.take_along_axis(policy[context], action[:, None], axis=1)[:, 0], reward / propensity) / len(reward)


def ips_by_the_library(context, action, propensity, reward, policy):
    return off_policy.ips(off_policy.Log(context, action, propensity, reward), policy).estimate


def by_contexts(context, action, propensity, reward, policy):
    total = 0.0
    for x, count in Counter(context.tolist()).items():
        here = context == x
        total += count / len(context) * (policy[x, action[here]] * reward[here] / propensity[here]).mean()
    return [total]


def changes_the_rewards(context, action, propensity, reward, policy):
    reward *= policy[context, action]
    return (reward / propensity).mean()


def clipped(most):
    return lambda x, a, mu, r, pi: (np.minimum(pi[x, a] / mu, most) * r).mean()


def matching(x, a, mu, r, pi):
    return r[pi[x, a] > 0].mean()


def divides_by_the_new(x, a, mu, r, pi):
    weight = np.where(pi[x, a] > 0, pi[x, a] / np.maximum(pi[x, a], 1e-9), 0)
    return (weight * r).mean()


def snips(x, a, mu, r, pi):
    weight = pi[x, a] / mu
    return weight @ r / weight.sum()


ESTIMATES = [
    (divides_by_the_new, "divide by the propensity of the policy that acted"),
    (lambda x, a, mu, r, pi: (pi[x, a] * r).mean(), "nothing is divided by the propensity"),
    (lambda x, a, mu, r, pi: (r / mu).mean(), "the new policy does not appear"),
    (clipped(10), "weights above 10 are cut off"),
    (clipped(5), "weights above 5 are cut off"),
    (clipped(1), "weights above 1 are cut off"),
    (matching, "without weights: it judges another mix of contexts"),
    (lambda x, a, mu, r, pi: (pi[x, a] / mu * r)[pi[x, a] > 0].mean(), "also those with a weight of 0"),
    (snips, "that is the self-normalised estimate"),
    (lambda x, a, mu, r, pi: (pi[x, a] / mu * r).sum(), "this is the sum"),
    (lambda x, a, mu, r, pi: r.mean(), "the mean reward of the policy that acted"),
    (lambda x, a, mu, r, pi: (pi[x, a] * mu * r).mean(), "you multiply by both"),
    (
        lambda x, a, mu, r, pi: (np.where(pi[x, a] > 0, mu / np.maximum(pi[x, a], 1e-300), 0) * r).mean(),
        "the weight is upside down",
    ),
    (lambda x, a, mu, r, pi: ((pi[x].argmax(axis=1) == a) * r / mu).mean(), "not only its likeliest action"),
    (lambda x, a, mu, r, pi: (pi[x, a] / mu).mean(), "the mean weight, without the rewards"),
    (lambda *given: -ips(*given), "the sign is wrong"),
    (lambda *given: round(float(ips(*given)), 2), "you round to 2 decimals"),
    (lambda *given: 2 * ips(*given), "this is not what the formula says"),
    (
        lambda x, a, mu, r, pi: np.mean([(pi[x, a] / mu * r)[x == s].mean() for s in np.unique(x)]),
        "contexts are not equally frequent",
    ),
    (lambda x, a, mu, r, pi: pi[x, a] / mu * r, "one number, the estimate"),
    (changes_the_rewards, "changes the arrays"),
]

# --- the capital of a betting gate -----------------------------------------------------------------------------


def capital(D, least, fractions):
    return (1 + D[:, None] * fractions / -least).cumprod(axis=0).mean(axis=1)


def capital_one_by_one(D, least, fractions):
    parts, found = [1.0] * len(fractions), []
    for d in D:
        parts = [part * (1 + f * d / abs(least)) for part, f in zip(parts, fractions, strict=True)]
        found.append(sum(parts) / len(parts))
    return found


def by_logarithms(D, least, fractions):
    return np.exp(np.log1p(np.multiply.outer(D, fractions / -least)).cumsum(axis=0)).mean(axis=1)


def capital_in_torch(D, least, fractions):
    factors = 1 + torch.outer(torch.as_tensor(D), torch.as_tensor(fractions)) / -least
    return factors.cumprod(dim=0).mean(dim=1)


def capital_in_single(D, least, fractions):
    return capital(D.astype(np.float32), np.float32(least), fractions.astype(np.float32))


def from_the_beginning(D, least, fractions):
    return [np.prod(1 + D[: n + 1, None] * fractions / -least, axis=0).mean() for n in range(len(D))]


def stacked(D, least, fractions):
    return np.mean([np.cumprod(1 - D * f / least) for f in fractions], axis=0)


def in_place(D, least, fractions):
    parts, found = np.ones(len(fractions)), np.empty((len(D), 1))[:, 0]
    for n, d in enumerate(D):
        parts *= 1 + d * fractions / -least
        found[n] = parts.mean()
    return found


def best_at_the_end(D, least, fractions):
    paths = (1 + D[:, None] * fractions / -least).cumprod(axis=0)
    return paths[:, paths[-1].argmax()]


def stops_betting(D, least, fractions):
    found = []
    for now in capital(D, least, fractions):
        found.append(found[-1] if found and found[-1] >= 20 else now)
    return found


CAPITALS = [
    (lambda D, least, f: capital(D, D.min(), f), "the least value of the sample"),
    (lambda D, least, f: capital(D, -np.abs(D).max(), f), "not by that of the largest D"),
    (lambda D, least, f: (1 + D[:, None] * f).cumprod(axis=0).mean(axis=1), "can become negative"),
    (lambda D, least, f: capital(D, -least, f), "the sign is wrong"),
    (lambda D, least, f: np.full(len(D), capital(D, least, f)[-1]), "this is the capital at the end"),
    (lambda D, least, f: capital(D, least, f)[-1], "the capital after each of the"),
    (lambda D, least, f: capital(D, least, f[-1:]), "the last fraction alone"),
    (lambda D, least, f: capital(D, least, f[:1]), "the first fraction alone"),
    (lambda D, least, f: (1 + D[:, None] * f / -least).cumprod(axis=0).max(axis=1), "which nobody knows beforehand"),
    (best_at_the_end, "the fraction that is best at the end"),
    (lambda D, least, f: np.minimum(capital(D, least, f), 20), "does not stop at 20"),
    (stops_betting, "does not stop at 20"),
    (lambda D, least, f: len(f) * capital(D, least, f), "not the sum"),
    (lambda D, least, f: capital(D, least, f.mean(keepdims=True)), "You bet with the mean fraction"),
    (lambda D, least, f: 1 + (D[:, None] * f / -least).cumsum(axis=0).mean(axis=1), "take products, not sums"),
    (lambda D, least, f: np.log(capital(D, least, f)), "not its logarithm"),
    (
        lambda D, least, f: np.exp(np.log1p(D[:, None] * f / -least).cumsum(axis=0).mean(axis=1)),
        "not of their logarithms",
    ),
    (lambda D, least, f: (1 + D[:, None] * f / -least).mean(axis=1), "their product up to now"),
    (lambda D, least, f: np.append(1.0, capital(D, least, f)[:-1]), "one decision late"),
    (lambda D, least, f: np.append(1.0, capital(D, least, f)), "the capital after each of the"),
    (lambda D, least, f: np.maximum.accumulate(capital(D, least, f)), "the highest capital so far"),
    (lambda D, least, f: np.exp((D[:, None] * f / -least).cumsum(axis=0)).mean(axis=1), "not by exp"),
    (lambda D, least, f: capital(np.sign(D), least, f), "not on its sign"),
    (lambda D, least, f: (1 - D[:, None] * f * least).cumprod(axis=0).mean(axis=1), "you multiply by it"),
    (lambda D, least, f: capital(D, least, f).round(3), "you round to 3 decimals"),
    (lambda D, least, f: capital(D, least / 2, f), "this is not what the formula says"),
    (lambda D, least, f: np.multiply(D, 0.5, out=D) + capital(D, least, f), "changes the arrays"),
]

# --- what is replayed --------------------------------------------------------------------------------------------


def replay(supplier, newest, share):
    counts = Counter(supplier.tolist())
    older = len(counts) - 1
    return np.array(
        [((1 - share if older else 1) if s == newest else share / older) / counts[s] for s in supplier.tolist()]
    )


def replay_as_a_list(supplier, newest, share):
    return replay(supplier, newest, share).tolist()


def replay_in_torch(supplier, newest, share):
    names, place, count = torch.unique(torch.as_tensor(supplier), return_inverse=True, return_counts=True)
    older = len(names) - 1
    new = 1 - share if older else 1.0
    parts = torch.where(names == newest, new, share / max(older, 1))
    return (parts / count)[place]


def replay_in_single(supplier, newest, share):
    return replay(supplier, newest, share).astype(np.float32)


def by_bincount(supplier, newest, share):
    counts = np.bincount(supplier)
    others = (counts > 0).sum() - 1
    part = np.full(len(counts), share / others if others else 0.0)
    part[newest] = 1 - share if others else 1
    return part[supplier] / counts[supplier]


def normalised(supplier, newest, share):
    """The new notes first, then what is left is split: divided by the sum at the end."""
    weights = np.zeros(len(supplier))
    older = sorted({int(s) for s in supplier} - {newest})
    for s in older:
        weights[supplier == s] = share / len(older) / np.count_nonzero(supplier == s)
    weights[supplier == newest] = (1 - share) / np.count_nonzero(supplier == newest)
    return weights / weights.sum()


def equal_notes(supplier, newest, share):
    new = supplier == newest
    if new.all():
        return np.full(len(new), 1 / len(new))
    return np.where(new, (1 - share) / new.sum(), share / (~new).sum())


def each_the_share(supplier, newest, share):
    counts = Counter(supplier.tolist())
    alone = len(counts) == 1
    return np.array([((1.0 if alone else 1 - share) if s == newest else share) / counts[s] for s in supplier.tolist()])


def newest_counted_too(supplier, newest, share):
    suppliers = len(set(supplier.tolist()))
    return np.where(supplier == newest, 1, (suppliers - 1) / suppliers) * replay(supplier, newest, share)


def never_alone(supplier, newest, share):
    found = replay(supplier, newest, share)
    return found * (1 - share) if (supplier == newest).all() else found


def a_ratio(supplier, newest, share):
    return replay(supplier, newest, share / (1 + share))


def of_suppliers(supplier, newest, share):
    counts = Counter(supplier.tolist())
    return replay(supplier, newest, share) * np.array([counts[s] for s in supplier.tolist()])


REPLAYS = [
    (equal_notes, "one with many notes gets too much"),
    (lambda s, n, share: replay(s, n, 1 - share), "the shares are swapped"),
    (never_alone, "without an older supplier the newest gets everything"),
    (each_the_share, "split it among them"),
    (newest_counted_too, "not one of the older ones"),
    (of_suppliers, "divide each by the number of its notes"),
    (lambda s, n, share: np.full(len(s), 1 / len(s)), "all notes are equally likely"),
    (
        lambda s, n, share: replay(s, n, 1 - 1 / len(np.unique(s))),
        "all suppliers are equally likely",
    ),
    (a_ratio, "not the ratio of old to new notes"),
    (lambda s, n, share: replay(s, s.max(), share), "not the largest number"),
    (lambda s, n, share: replay(s, s[-1], share), "not that of the last note"),
    (lambda s, n, share: replay(s, n, share) * len(s), "they sum to the number of notes"),
    (lambda s, n, share: replay(s, n, 0.0), "training on the newest alone"),
    (lambda s, n, share: replay(s, n, share).round(2), "you round to 2 decimals"),
    (lambda s, n, share: replay(s, n, share) ** 2, "this is not what the formula says"),
    (lambda s, n, share: replay(s, n, share)[:-1], "one probability for each of the"),
    (lambda s, n, share: replay(np.put(s, 0, 0) or s, n, share), "changes the arrays"),
]

RETURNS = {checks.ips: "number", checks.capital: "array", checks.replay_weights: "array"}
CASES = [
    (checks.ips, ips),
    (checks.ips, one_by_one),
    (checks.ips, ips_in_torch),
    (checks.ips, ips_in_single),
    (checks.ips, by_a_product),
    (checks.ips, ips_by_the_library),
    (checks.ips, by_contexts),
    (checks.capital, capital),
    (checks.capital, capital_one_by_one),
    (checks.capital, by_logarithms),
    (checks.capital, capital_in_torch),
    (checks.capital, capital_in_single),
    (checks.capital, from_the_beginning),
    (checks.capital, stacked),
    (checks.capital, in_place),
    (checks.replay_weights, replay),
    (checks.replay_weights, refitting.replay_weights),
    (checks.replay_weights, replay_as_a_list),
    (checks.replay_weights, replay_in_torch),
    (checks.replay_weights, replay_in_single),
    (checks.replay_weights, by_bincount),
    (checks.replay_weights, normalised),
]
MUTANTS = [
    *((checks.ips, mutant, said) for mutant, said in ESTIMATES),
    *((checks.capital, mutant, said) for mutant, said in CAPITALS),
    *((checks.replay_weights, mutant, said) for mutant, said in REPLAYS),
]
