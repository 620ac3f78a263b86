"""Right answers that look different, and wrong ones with what they are told, for lesson 11."""

import math

import numpy as np
import torch
from scipy.special import logsumexp, softmax

from babyagi_lib.learner.checks import fusion as checks
from babyagi_lib.methods import fusion

# --- add log-odds ----------------------------------------------------------------------------------------------


def logs(values):
    with np.errstate(divide="ignore"):
        return np.log(values)


def normalised(total):
    odds = np.exp(total - total.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def add_up(p, prior):
    return normalised(np.log(prior) + (logs(p) - np.log(prior)).sum(axis=0))


def by_scipy(p, prior):
    total = logs(p).sum(axis=0) - (len(p) - 1) * np.log(prior)
    return softmax(total, axis=1)


def with_logsumexp(p, prior):
    total = logs(p).sum(axis=0) + (1 - len(p)) * np.log(prior)
    return np.exp(total - logsumexp(total, axis=1, keepdims=True))


def one_sense_at_a_time(p, prior):
    """Bayes' rule again and again, normalised each time: no product becomes too small."""
    belief = np.tile(prior, (p.shape[1], 1))
    for sense in p:
        belief = belief * sense / prior
        belief = belief / belief.sum(axis=1, keepdims=True)
    return belief


def as_ratios(p, prior):
    found = prior * np.prod(p / prior, axis=0)
    return found / found.sum(axis=1, keepdims=True)


def in_base_2(p, prior):
    with np.errstate(divide="ignore"):
        total = np.log2(prior) + (np.log2(p) - np.log2(prior)).sum(axis=0)
    found = np.exp2(total - total.max(axis=1, keepdims=True))
    return (found / found.sum(axis=1, keepdims=True)).astype(np.float32)


def one_over_sums_of_ratios(p, prior):
    total = np.log(prior) + (logs(p) - np.log(prior)).sum(axis=0)
    with np.errstate(over="ignore", invalid="ignore"):
        others = total[:, None, :] - total[:, :, None]
        return 1 / np.exp(np.where(np.isneginf(total)[:, :, None], np.inf, others)).sum(axis=2)


def in_torch(p, prior):
    p, prior = torch.tensor(p), torch.tensor(prior)
    return torch.softmax(prior.log() + (p.log() - prior.log()).sum(0), dim=1)


def against_the_last_class(p, prior):
    """Log-odds of each class against the first that nobody excludes, in plain Python."""
    rows = []
    for n in range(p.shape[1]):
        base = next(k for k in range(len(prior)) if (p[:, n, k] > 0).all())
        odds = []
        for k in range(len(prior)):
            total = math.log(prior[k] / prior[base])
            for sense in p[:, n]:
                ratio = sense[k] / sense[base] * prior[base] / prior[k]
                total += math.log(ratio) if ratio > 0 else -math.inf
            odds.append(total)
        highest = max(odds)
        odds = [math.exp(one - highest) for one in odds]
        rows.append([one / sum(odds) for one in odds])
    return rows


def by_the_library(p, prior):
    return np.exp(fusion.add_log_odds(logs(p), np.log(prior)))


def plain_product(p, prior):
    found = p.prod(axis=0) / prior ** (len(p) - 1.0)
    return found / found.sum(axis=1, keepdims=True)


def without_the_largest(p, prior):
    found = np.exp(np.log(prior) + (logs(p) - np.log(prior)).sum(axis=0))
    return found / found.sum(axis=1, keepdims=True)


def minus_the_largest_of_all(p, prior):
    total = np.log(prior) + (logs(p) - np.log(prior)).sum(axis=0)
    found = np.exp(total - total.max())
    return found / found.sum(axis=1, keepdims=True)


def clipped(p, prior):
    return add_up(np.clip(p, 0.01, 0.99), prior)


def zero_times_log(p, prior):
    with np.errstate(all="ignore"):
        total = np.log(prior) + (p * (np.log(p) - np.log(prior)) / p).sum(axis=0)
        return normalised(total)


def binary(p, prior):
    with np.errstate(all="ignore"):
        odds = np.log(p) - np.log(1 - p) - np.log(prior / (1 - prior))
        return 1 / (1 + np.exp(-odds.sum(axis=0) - np.log(prior / (1 - prior))))


def quiet(wrong):
    """A wrong answer whose warnings do not matter."""

    def other(p, prior):
        with np.errstate(all="ignore"):
            return wrong(p, prior)

    return other


def changes_p(p, prior):
    found = add_up(p, prior)
    p += 1
    return found


# --- drop senses -----------------------------------------------------------------------------------------------


def drop_senses(x, chance, rng):
    return x * (rng.random(x.shape[:2]) >= chance)[:, :, None]


def in_place(x, chance, rng):
    x[rng.random(x.shape[:2]) < chance] = 0
    return x


def by_where(x, chance, rng):
    return np.where(rng.uniform(size=(len(x), x.shape[1], 1)) < chance, 0.0, x)


def by_binomial(x, chance, rng):
    return np.einsum("nsk,ns->nsk", x, rng.binomial(1, 1 - chance, size=x.shape[:2]))


def in_loops(x, chance, rng):
    found = x.copy()
    for example in found:
        for sense in example:
            if rng.random() < chance:
                sense[:] = 0
    return found


def dropped_in_torch(x, chance, rng):
    draw = torch.Generator().manual_seed(int(rng.integers(2**31)))
    kept = torch.rand(x.shape[:2], generator=draw) >= chance
    return torch.from_numpy(x).float() * kept[..., None]


def sense_by_sense(x, chance, rng):
    columns = []
    for s in range(x.shape[1]):
        kept = rng.choice([True, False], size=(len(x), 1), p=[1 - chance, chance])
        columns.append(kept * x[:, s])
    return np.stack(columns, axis=1)


def senses_first(x, chance, rng):
    kept = rng.random((x.shape[1], len(x)), dtype=np.float32) >= chance
    return (x.transpose(2, 0, 1) * kept.T).transpose(1, 2, 0).tolist()


def masked(mask):
    """A wrong answer: another mask, (examples, senses) or of the shape of x."""

    def other(x, chance, rng):
        kept = np.asarray(mask(x, chance, rng), dtype=float)
        return x * (kept if kept.ndim == 3 else kept[:, :, None])

    return other


def at_most_one(x, chance, rng):
    kept = np.ones(x.shape[:2])
    rows = rng.random(len(x)) < min(1.0, 3 * chance)
    kept[rows, rng.integers(3, size=rows.sum())] = 0
    return kept


def one_stays(x, chance, rng):
    kept = rng.random(x.shape[:2]) >= chance
    kept[np.arange(len(x)), rng.integers(3, size=len(x))] |= ~kept.any(axis=1)
    return kept


def first_rows(x, chance, rng):
    """In each column a block of examples, at a random place."""
    places = (np.arange(len(x))[:, None] + rng.integers(len(x), size=x.shape[1])) % len(x)
    return places >= chance * len(x)


def exactly_this_share(x, chance, rng):
    """In each column as many as chance says, at random places."""
    return np.stack([rng.permutation(len(x)) >= round(chance * len(x)) for _ in range(3)], axis=1)


def forgets_to_return(x, chance, rng):
    drop_senses(x, chance, rng)
    return x


# --- leaks -----------------------------------------------------------------------------------------------------


def leaking(right, tested, ceiling):
    return right / tested - ceiling > 3 * np.sqrt(ceiling * (1 - ceiling) / tested)


def in_counts(right, tested, ceiling):
    return right - tested * ceiling > 3 * np.sqrt(tested * ceiling * (1 - ceiling))


def as_z(right, tested, ceiling):
    with np.errstate(divide="ignore", invalid="ignore"):
        return (right / tested - ceiling) / np.sqrt(ceiling * (1 - ceiling) / tested) > 3


def squared(right, tested, ceiling):
    above = right / tested - ceiling
    return (above > 0) & (above**2 * tested > 9 * ceiling * (1 - ceiling))


def plainly(right, tested, ceiling):
    found = []
    for r, n, c in zip(right, tested, ceiling, strict=True):
        found.append(bool(r / n > c + 3 * math.sqrt(c * (1 - c) / n)))
    return found


def leaking_in_torch(right, tested, ceiling):
    right, tested, ceiling = (torch.tensor(v) for v in (right, tested, ceiling))
    return right / tested > ceiling + 3 * (ceiling * (1 - ceiling) / tested).sqrt()


def by_the_tail(right, tested, ceiling):
    error = np.sqrt(ceiling * (1 - ceiling) / tested)
    z = np.divide(right / tested - ceiling, error, out=np.zeros(len(right)), where=error > 0)
    return np.array([0.5 * math.erfc(each / 2**0.5) < 0.5 * math.erfc(3 / 2**0.5) for each in z])


def as_numbers(right, tested, ceiling):
    return leaking(right, tested, ceiling).astype(int)


def above(enough):
    """A wrong answer from the share above the ceiling and its standard error."""

    def other(right, tested, ceiling):
        return enough(right / tested - ceiling, np.sqrt(ceiling * (1 - ceiling) / tested), right, tested, ceiling)

    return other


RETURNS = {checks.add_up: "array", checks.drop_senses: "array", checks.leaking: "booleans"}
CASES = [
    (checks.add_up, add_up),
    (checks.add_up, by_scipy),
    (checks.add_up, with_logsumexp),
    (checks.add_up, one_sense_at_a_time),
    (checks.add_up, in_base_2),
    (checks.add_up, one_over_sums_of_ratios),
    (checks.add_up, in_torch),
    (checks.add_up, against_the_last_class),
    (checks.add_up, by_the_library),
    (checks.drop_senses, drop_senses),
    (checks.drop_senses, in_place),
    (checks.drop_senses, by_where),
    (checks.drop_senses, by_binomial),
    (checks.drop_senses, in_loops),
    (checks.drop_senses, dropped_in_torch),
    (checks.drop_senses, sense_by_sense),
    (checks.drop_senses, senses_first),
    (checks.leaking, leaking),
    (checks.leaking, in_counts),
    (checks.leaking, as_z),
    (checks.leaking, squared),
    (checks.leaking, plainly),
    (checks.leaking, leaking_in_torch),
    (checks.leaking, as_numbers),
    (checks.leaking, by_the_tail),
]
SUMS = [
    (lambda p, q: normalised(logs(p).sum(0)), "the prior is counted once for each sense"),
    (lambda p, q: normalised(logs(p).sum(0) + np.log(q)), "counted once too often"),
    (lambda p, q: normalised((logs(p) - np.log(q)).sum(0)), "the prior is forgotten"),
    (lambda p, q: normalised((logs(p) - np.log(q)).sum(0) + 2 * np.log(q)), "the prior is put back twice"),
    (lambda p, q: normalised((logs(p) + np.log(q)).sum(0)), "put back once for each sense"),
    (lambda p, q: p.prod(0), "you multiply the probabilities and do not normalise"),
    (lambda p, q: q * (p / q).prod(0), "you do not normalise"),
    (lambda p, q: p.mean(0), "you average the probabilities"),
    (lambda p, q: normalised(logs(p).mean(0)), "you average the logarithms"),
    (lambda p, q: softmax(p.sum(0), axis=1), "softmax of the sum of probabilities"),
    (binary, "they may be added for two classes only"),
    (lambda p, q: binary(p, q) / binary(p, q).sum(1, keepdims=True), "they may be added for two classes only"),
    (lambda p, q: logs(add_up(p, q)), "you return logarithms"),
    (
        lambda p, q: (lambda z: np.exp(z) / np.exp(z).sum(0))(np.log(q) + (logs(p) - np.log(q)).sum(0)),
        "over the examples",
    ),
    (lambda p, q: p[-1], "the last sense only"),
    (lambda p, q: p[0], "the first sense only"),
    (lambda p, q: np.tile(q, (p.shape[1], 1)), "what the senses say is missing"),
    (plain_product, "rounded to 0"),
    (as_ratios, "becomes infinite"),
    (without_the_largest, "subtract the largest of each row"),
    (minus_the_largest_of_all, "subtract the largest of each row"),
    (lambda p, q: normalised(logs(p).sum(0) - np.log(q)), "taken out only once"),
    (lambda p, q: (lambda f: f / f.max(1, keepdims=True))(add_up(p, q)), "you do not normalise"),
    (
        lambda p, q: (lambda f: f / f.sum())((lambda f: f / f.max(1, keepdims=True))(add_up(p, q))),
        "all examples together",
    ),
    (lambda p, q: np.eye(len(q))[add_up(p, q).argmax(1)], "most probable class a 1"),
    (
        lambda p, q: normalised((logs(p / (1 - p)) - np.log(q / (1 - q))).sum(0) + np.log(q / (1 - q))),
        "they may be added for two classes only",
    ),
    (lambda p, q: normalised(np.log(q) + (logs(p) - np.log(q)).mean(0)), "you average the logarithms"),
    (zero_times_log, "where a sense is sure"),
    (clipped, "where a sense is sure"),
    (lambda p, q: add_up(p, q).round(2), "you round to 2 decimals"),
    (lambda p, q: normalised(np.log(q) + 2 * (logs(p) - np.log(q)).sum(0)), "not what the formula says"),
    (lambda p, q: add_up(p, q).argmax(1), "a probability for each example and class"),
    (changes_p, "changes the arrays"),
    (lambda p, q: None, "returns nothing"),
]
MASKS = [
    (lambda x, chance, rng: rng.random(x.shape) >= chance, "single numbers are dropped"),
    (
        lambda x, chance, rng: np.tile(rng.random((1, 3)) >= 0.5 - chance * 0, (len(x), 1)),
        "in all examples of the batch",
    ),
    (lambda x, chance, rng: np.tile(rng.random((len(x), 1)) >= chance, (1, 3)), "are dropped together"),
    (lambda x, chance, rng: rng.random(x.shape[:2]) < chance, "probability 1 - chance"),
    (lambda x, chance, rng: np.zeros(x.shape[:2]), "everything is dropped"),
    (at_most_one, "you never drop two senses"),
    (one_stays, "you never drop all senses"),
    (first_rows, "not independent"),
    (
        lambda x, chance, rng: (lambda m: np.stack([np.roll(m, i) for i in range(3)], 1))(rng.random(len(x)) >= chance),
        "not independent",
    ),
    (exactly_this_share, "exactly the same number"),
    (
        lambda x, chance, rng: rng.permutation(x.shape[0] * 3).reshape(-1, 3) >= round(chance * len(x) * 3),
        "exactly the same",
    ),
    (lambda x, chance, rng: np.random.default_rng().random(x.shape[:2]) >= chance, "from `rng`"),
    (lambda x, chance, rng: torch.rand(x.shape[:2]).numpy() >= chance, "from `rng`"),
    (lambda x, chance, rng: rng.normal(size=x.shape[:2]) >= chance, "each should be near 0.3"),
    (lambda x, chance, rng: rng.random((len(x), 1, x.shape[2])) >= chance, "single numbers are dropped"),
    (lambda x, chance, rng: rng.random(x.shape[:2]), "must stay as it is"),
    (lambda x, chance, rng: rng.random(x.shape[:2]) >= 0.3, "with chance 0, nothing is to be dropped"),
    (
        lambda x, chance, rng: np.random.default_rng(0).random(x.shape[:2]) >= chance,
        "the same senses are dropped in every",
    ),
    (lambda x, chance, rng: rng.random(x.shape[:2]) >= chance / 2, "each should be near 0.3"),
    (
        lambda x, chance, rng: (rng.random(x.shape[:2]) >= chance) / max(1 - chance, 0.1),
        "what is left is divided by 1 - chance",
    ),
    (lambda x, chance, rng: 2 * (rng.random(x.shape[:2]) >= chance), "must stay as it is"),
]
FLAGS = [
    (lambda over, error, r, n, c: over > 0, "you leave no room for chance"),
    (lambda over, error, r, n, c: np.abs(over) > 3 * error, "far below the ceiling"),
    (lambda over, error, r, n, c: -over > 3 * error, "the sides are swapped"),
    (lambda over, error, r, n, c: ~(over > 3 * error), "yes and no are swapped"),
    (lambda over, error, r, n, c: over > error, "one standard error is too little"),
    (lambda over, error, r, n, c: over > 1.96 * error, "you take fewer"),
    (lambda over, error, r, n, c: over > 2.5 * error, "you take fewer"),
    (lambda over, error, r, n, c: over > 4 * error, "you take more"),
    (lambda over, error, r, n, c: over > 3 * error**2, "your standard error is too small"),
    (lambda over, error, r, n, c: over > 3 * error / np.sqrt(n), "your standard error is too small"),
    (lambda over, error, r, n, c: over < 3 * error, "yes and no are swapped"),
    (lambda over, error, r, n, c: ~(over / np.maximum(error, 1e-99) < 3) | (c == 1), "ceiling 1 cannot exceed it"),
    (lambda over, error, r, n, c: (over > 3 * error) | (r == n), "always right is not a leak by that alone"),
    (lambda over, error, r, n, c: np.flatnonzero(over > 3 * error), "true or false for each of the"),
    (lambda over, error, r, n, c: over > 3 * error * np.sqrt(n), "not divided by the number tested"),
    (lambda over, error, r, n, c: over > 3 * np.sqrt(r / n * (1 - r / n) / n), "at the ceiling, not at the measured"),
    (lambda over, error, r, n, c: np.arange(len(r)) == (r / n).argmax(), "the highest accuracy"),
    (lambda over, error, r, n, c: np.arange(len(r)) == over.argmax(), "furthest above its ceiling"),
    (lambda over, error, r, n, c: r > c, "divide by the number tested"),
    (lambda over, error, r, n, c: np.zeros(len(r), bool), "no sense is ever reported"),
    (lambda over, error, r, n, c: np.ones(len(r), bool), "every sense is reported"),
    (lambda over, error, r, n, c: over / np.maximum(error, 1e-9), "true or false for each sense, not numbers"),
    (lambda over, error, r, n, c: over.argmax(), "true or false for each of the"),
    (lambda over, error, r, n, c: over > 0.05, "not what the formula says"),
]
MUTANTS = [
    *((checks.add_up, mutant if mutant is changes_p else quiet(mutant), said) for mutant, said in SUMS),
    *((checks.drop_senses, masked(mask), said) for mask, said in MASKS),
    (checks.drop_senses, forgets_to_return, "nothing is dropped"),
    (checks.drop_senses, lambda x, chance, rng: rng.random(x.shape[:2]) >= chance, "you return the mask"),
    (checks.drop_senses, lambda x, chance, rng: drop_senses(x, chance, rng).sum(1), "an array of the shape of x"),
    (
        checks.drop_senses,
        lambda x, chance, rng: np.where(rng.random((len(x), 3, 1)) < chance, np.nan, x),
        "a dropped sense is zeros",
    ),
    (checks.drop_senses, lambda x, chance, rng: None, "returns nothing"),
    *((checks.leaking, above(enough), said) for enough, said in FLAGS),
]
