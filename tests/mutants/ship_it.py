"""Right and wrong answers to the exercises of lesson 18."""

import math
import statistics

import numpy as np
import torch

from babyagi_lib.apps.onnx_export import paired_interval
from babyagi_lib.learner.checks import ship_it as checks
from babyagi_lib.models.heads import mean_pool

# --- a paired interval -------------------------------------------------------------------------------------------


def interval(one, other):
    gains = other.astype(float) - one
    half = 1.96 * gains.std() / len(gains) ** 0.5
    return gains.mean(), gains.mean() - half, gains.mean() + half


def by_counts(one, other):
    """Only the messages that one of the two answers right matter (McNemar's counts)."""
    won, lost, n = np.sum((other == 1) & (one == 0)), np.sum((other == 0) & (one == 1)), len(one)
    gain = (won - lost) / n
    half = 1.96 * math.sqrt((won + lost) / n - gain**2) / math.sqrt(n)
    return np.array([gain, gain - half, gain + half])


def by_covariance(one, other):
    matrix = np.cov(one, other, bias=True)
    variance = matrix[0, 0] + matrix[1, 1] - 2 * matrix[0, 1]
    gain = other.mean() - one.mean()
    return [gain + side * np.sqrt(variance / len(one)) for side in (0, -1.96, 1.96)]


def interval_in_torch(one, other):
    gains = torch.as_tensor(other).double() - torch.as_tensor(one).double()
    half = 1.96 * gains.std(correction=0) / len(gains) ** 0.5
    return torch.stack([gains.mean(), gains.mean() - half, gains.mean() + half])


def by_statistics(one, other):
    gains = [int(b) - int(a) for a, b in zip(one, other, strict=True)]
    middle, half = statistics.fmean(gains), 1.959964 * statistics.pstdev(gains) / math.sqrt(len(gains))
    return middle, middle - half, middle + half


def interval_in_single(one, other):
    gains = other.astype(np.float32) - one.astype(np.float32)
    half = np.float32(1.96) * gains.std() / np.sqrt(np.float32(len(gains)))
    return np.array([gains.mean(), gains.mean() - half, gains.mean() + half], dtype=np.float32)


def around(middle, half):
    return np.array([middle, middle - half, middle + half])


def changes_what_it_got(one, other):
    found = interval(one, other)
    other[0] = 1 - other[0]
    return found


def root(values):
    return len(values) ** 0.5


def gains_of(one, other):
    return other.astype(float) - one


def only_differing(one, other):
    gains = gains_of(one, other)
    gains = gains[gains != 0]
    return around(np.mean(other) - np.mean(one), 1.96 * gains.std() / root(gains))


def ends_around_zero(one, other):
    gain, low, high = interval(one, other)
    return gain, low - gain, high - gain


def ends_of_two_intervals(one, other):
    """What a reader does who has two accuracies with their error bars."""
    bars = [1.96 * right.std() / root(right) for right in (one, other)]
    gain = other.mean() - one.mean()
    return gain, gain - sum(bars), gain + sum(bars)


def resampled(one, other):
    draw = np.random.default_rng(0)
    return draw.choice(gains_of(one, other), (500, len(one))).mean(axis=1)


PAIRS = [
    (
        lambda a, b: around(b.mean() - a.mean(), 1.96 * np.sqrt((a.var() + b.var()) / len(a))),
        "as if they had answered different messages",
    ),
    (lambda a, b: interval(b, a), "the sign is wrong"),
    (lambda a, b: around(gains_of(a, b).mean(), 1.96 * gains_of(a, b).std()), "the square root of the number"),
    (lambda a, b: around(gains_of(a, b).mean(), 1.96 * gains_of(a, b).std() / len(a)), "not by the number"),
    (lambda a, b: around(gains_of(a, b).mean(), gains_of(a, b).std() / root(a)), "1.96 is missing"),
    (lambda a, b: around(gains_of(a, b).mean(), 1.645 * gains_of(a, b).std() / root(a)), "1.645 leaves 5%"),
    (lambda a, b: around(gains_of(a, b).mean(), 1.96 * gains_of(a, b).std(ddof=1) / root(a)), "yours divides by n - 1"),
    (lambda a, b: around(gains_of(a, b).mean(), 1.96 * gains_of(a, b).var() / root(a)), "take its root"),
    (only_differing, "use all messages"),
    (
        lambda a, b: around(abs(gains_of(a, b)).mean(), 1.96 * abs(gains_of(a, b)).std() / root(a)),
        "must cancel",
    ),
    (lambda a, b: around(b.mean(), 1.96 * b.std() / root(b)), "the other model's accuracy alone"),
    (lambda a, b: np.array(interval(a, b))[[1, 0, 2]], "yours is low, estimate, high"),
    (lambda a, b: np.array(interval(a, b))[[0, 2, 1]], "the two ends are swapped"),
    (lambda a, b: np.maximum(interval(a, b), 0), "do not cut the interval off at 0"),
    (ends_around_zero, "not around the gain"),
    (ends_of_two_intervals, "the ends of two separate intervals"),
    (lambda a, b: around(gains_of(a, b).mean(), 1.96 * np.sqrt(np.mean(a != b)) / root(a)), "minus the square of the"),
    (lambda a, b: around(gains_of(a, b).mean(), 2 * gains_of(a, b).std() / root(a)), "2 is a rounded 1.96"),
    (lambda a, b: around(gains_of(a, b).mean(), 2.576 * gains_of(a, b).std() / root(a)), "an interval of 99%"),
    (lambda a, b: around(gains_of(a, b).mean(), 1.96 * gains_of(a, b).std() / root(a[1:])), "yours divides by n - 1"),
    (lambda a, b: tuple(paired_interval(a, b)), "as the library does"),
    (lambda a, b: np.quantile(resampled(a, b), [0.5, 0.025, 0.975]), "this is not what the formula says"),
    (lambda a, b: np.round(interval(a, b), 2), "you round to 2 decimals"),
    (lambda a, b: interval(a, b)[0], "three numbers"),
    (lambda a, b: np.array(interval(a, b)) * 100, "this is not what the formula says"),
    (changes_what_it_got, "changes the arrays"),
]

# --- a mean that padding does not change -------------------------------------------------------------------------


def pooled(states, mask):
    return (states * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)


def text_by_text(states, mask):
    return [rows[keep.astype(bool)].mean(axis=0) for rows, keep in zip(states, mask, strict=True)]


def with_einsum(states, mask):
    return np.einsum("tpw,tp->tw", states, mask / mask.sum(axis=1, keepdims=True))


def with_average(states, mask):
    return np.stack([np.average(rows, axis=0, weights=keep) for rows, keep in zip(states, mask, strict=True)])


def with_a_masked_array(states, mask):
    hidden = np.broadcast_to(mask[:, :, None] == 0, states.shape)
    return np.ma.array(states, mask=hidden).mean(axis=1).filled(0.0)


def with_where(states, mask):
    return np.mean(states, axis=1, where=mask[:, :, None].astype(bool))


def of_the_library(states, mask):
    return mean_pool(torch.as_tensor(states), torch.as_tensor(mask))


def pooled_in_single(states, mask):
    return pooled(states.astype(np.float32), mask.astype(np.float32))


def from_the_left(states, mask):
    return np.stack([rows[: keep.sum()].mean(axis=0) for rows, keep in zip(states, mask, strict=True)])


def without_its_ends(states, mask):
    """Leaves out the special pieces at the beginning and at the end, where there are more than two."""
    texts = zip(states, mask, strict=True)
    return np.stack([s[k == 1][1:-1].mean(0) if k.sum() > 2 else s[k == 1].mean(0) for s, k in texts])


def only_so_many_places(states, mask):
    """Right, until there are more places than it thought."""
    return pooled(states, mask) + 0.1 * (states.shape[1] > 7)


def fills_with_zeros(states, mask):
    states[mask == 0] = 0
    return states.sum(axis=1) / mask.sum(axis=1, keepdims=True)


POOLS = [
    (lambda s, m: s.mean(axis=1), "the padding is in your mean"),
    (lambda s, m: (s * m[:, :, None]).mean(axis=1), "you divide by the number of places"),
    (lambda s, m: s.sum(axis=1) / m.sum(axis=1, keepdims=True), "the padding is in your sum"),
    (lambda s, m: (s * m[:, :, None]).sum(axis=1), "this is the sum over the pieces"),
    (lambda s, m: s[:, 0], "the first place alone (CLS)"),
    (from_the_left, "the padding can be on the left"),
    (lambda s, m: np.stack([r[-k.sum() :].mean(0) for r, k in zip(s, m, strict=True)]), "padding can be on the right"),
    (lambda s, m: (s * m[:, :, None]).sum(axis=1) / m.sum(), "the number of the whole batch"),
    (lambda s, m: (s * m[:, :, None]).max(axis=1), "this is not what the formula says"),
    (lambda s, m: pooled(s, m) * np.sqrt(m.sum(axis=1, keepdims=True)), "not by its square root"),
    (lambda s, m: np.where(m[:, :, None] == 1, s, -np.inf).max(axis=1), "the largest state"),
    (lambda s, m: np.stack([r[k == 1][-1] for r, k in zip(s, m, strict=True)]), "the last piece"),
    (lambda s, m: np.stack([r[k == 1][0] for r, k in zip(s, m, strict=True)]), "the first piece"),
    (lambda s, m: (s * m[:, :, None]).sum(axis=1) / m.sum(axis=1).mean(), "the same number for all texts"),
    (lambda s, m: (s * m[:, :, None]).sum(axis=1) / m.sum(axis=1).max(), "not by the largest one of the batch"),
    (lambda s, m: pooled(s, m) / np.linalg.norm(pooled(s, m), axis=1, keepdims=True), "you scale it to length one"),
    (lambda s, m: (s * m[:, :, None]).sum(axis=1) / (m.sum(axis=1, keepdims=True) + 1), "you add 1"),
    (lambda s, m: np.stack([np.median(r[k == 1], 0) for r, k in zip(s, m, strict=True)]), "the median"),
    (without_its_ends, "this is not what the formula says"),
    (only_so_many_places, "three more places of padding"),
    (lambda s, m: pooled(s, m).mean(axis=0), "an array (texts, width)"),
    (lambda s, m: pooled(s, m).round(3), "you round to 3 decimals"),
    (fills_with_zeros, "changes the arrays"),
    (lambda s, m: np.full_like(pooled(s, m), np.nan), "NaN or infinity"),
]

# --- the mean waiting time ---------------------------------------------------------------------------------------


def wait(rate, services):
    load = rate * services.mean()
    if load >= 1:
        return math.inf
    return rate * (services**2).mean() / (2 * (1 - load))


def by_variation(rate, services):
    """Kingman's form: load, variation and mean service."""
    mean = np.mean(services)
    load = rate * mean
    return load / (1 - load) * (1 + np.var(services) / mean**2) / 2 * mean if load < 1 else np.inf


def by_residual(rate, services):
    """The mean rest of a service that is found under way, times the chance to find one, over the idle share."""
    rest = sum(s * s for s in services) / (2 * sum(services))
    load = rate * sum(services) / len(services)
    return load * rest / (1 - load) if load < 1 else float("inf")


def wait_in_torch(rate, services):
    services = torch.as_tensor(services)
    load = rate * services.mean()
    wait = rate * services.square().mean() / (2 * (1 - load))
    return torch.where(load < 1, wait, torch.tensor(math.inf, dtype=wait.dtype))


def by_norm(rate, services):
    n = len(services)
    idle = 1 - rate * services.sum() / n
    return math.inf if idle <= 0 else rate * np.linalg.norm(services) ** 2 / n / (2 * idle)


def by_the_library(rate, services):
    from babyagi_lib.apps.queueing import mean_wait

    return mean_wait(rate, services.mean(), services.var())


def wait_in_single(rate, services):
    return np.float32(wait(np.float32(rate), services.astype(np.float32)))


def times(change):
    """The right answer, changed where it is finite."""
    return lambda rate, services: change(wait(rate, services), rate, services)


def changes_the_times(rate, services):
    found = wait(rate, services)
    services *= 1000
    return found


def never_infinite(rate, services):
    load = rate * services.mean()
    return rate * (services**2).mean() / (2 * (1 - load)) if load != 1 else 0.0


WAITS = [
    (lambda r, s: r * s.mean() ** 2 / (1 - r * s.mean()), "exponential (M/M/1)"),
    (lambda r, s: r * s.mean() ** 2 / (2 * (1 - r * s.mean())), "where all service times are equal"),
    (times(lambda w, r, s: 2 * w), "the factor 2"),
    (times(lambda w, r, s: w + s.mean()), "it contains the service"),
    (lambda r, s: r * s.var() / (2 * (1 - r * s.mean())), "you use the variance"),
    (times(lambda w, r, s: r * (s**2).mean() / 2 * (1 - r * s.mean())), "multiplies by b"),
    (times(lambda w, r, s: w / (1 - r * s.mean())), "once, not twice"),
    (times(lambda w, r, s: r * (s.var(ddof=1) + s.mean() ** 2) / (2 * (1 - r * s.mean()))), "divides by n - 1"),
    (times(lambda w, r, s: 1 / (1 / s.mean() - r)), "time until the answer where"),
    (lambda r, s: -math.inf if r * s.mean() >= 1 else wait(r, s), "grows without end"),
    (times(lambda w, r, s: r * w), "Little's law"),
    (times(lambda w, r, s: w / r), "the rate is missing"),
    (lambda r, s: (s**2).mean() / (2 * s.mean()), "not by the load"),
    (lambda r, s: r * (s**2).mean() / 2, "does not grow when the server gets busy"),
    (times(lambda w, r, s: w * len(s)), "not their sum"),
    (lambda r, s: r * (s**2).mean() / (2 * (1 - r)), "you use the rate alone"),
    (lambda r, s: r * np.sqrt((s**2).mean()) / (2 * (1 - r * s.mean())), "take no root"),
    (lambda r, s: r * s.mean(), "this is the load"),
    (times(lambda w, r, s: w / (r * s.mean())), "those requests that wait at all"),
    (never_infinite, "grows without end"),
    (lambda r, s: max(wait(r, s), 0) if r * s.mean() < 1 else 1e9, "grows without end"),
    (times(lambda w, r, s: 1000 * w), "yours are milliseconds"),
    (times(lambda w, r, s: round(w, 2)), "you round to 2 decimals"),
    (lambda r, s: s, "one number, the mean wait"),
    (changes_the_times, "changes the service times"),
]

RETURNS = {checks.paired_interval: "array", checks.masked_mean: "array", checks.mean_wait: "number"}
CASES = [
    *(
        (checks.paired_interval, right)
        for right in (interval, by_counts, by_covariance, interval_in_torch, by_statistics, interval_in_single)
    ),
    *(
        (checks.masked_mean, right)
        for right in (
            pooled,
            text_by_text,
            with_einsum,
            with_average,
            with_a_masked_array,
            with_where,
            of_the_library,
            pooled_in_single,
        )
    ),
    *(
        (checks.mean_wait, right)
        for right in (wait, by_variation, by_residual, wait_in_torch, by_norm, by_the_library, wait_in_single)
    ),
]
MUTANTS = [
    *((checks.paired_interval, mutant, said) for mutant, said in PAIRS),
    *((checks.masked_mean, mutant, said) for mutant, said in POOLS),
    *((checks.mean_wait, mutant, said) for mutant, said in WAITS),
]
