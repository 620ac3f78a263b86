"""Right and wrong answers to the exercises of lesson 17."""

import math

import numpy as np
import torch

from babyagi_lib.learner.checks import recommendation as checks
from babyagi_lib.methods import clicks as library_clicks
from babyagi_lib.methods import ranking

# --- NDCG -----------------------------------------------------------------------------------------------------


def ndcg(scores, gains, k):
    def total(order):
        top = gains[order[:k]]
        return (top / np.log2(np.arange(2, len(top) + 2))).sum()

    best = total((-gains).argsort())
    return total((-scores).argsort(kind="stable")) / best if best > 0 else 0.0


def with_loops(scores, gains, k):
    ranked = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:k]
    dcg = sum(gains[item] / math.log2(at + 2) for at, item in enumerate(ranked))
    ideal = sum(gain / math.log2(at + 2) for at, gain in enumerate(sorted(gains, reverse=True)[:k]))
    return dcg / ideal if ideal else 0


def ndcg_in_torch(scores, gains, k):
    gains = torch.as_tensor(gains)
    order = torch.sort(torch.as_tensor(scores), descending=True, stable=True).indices[:k]
    down = 1 / torch.log2(torch.arange(2, len(order) + 2, dtype=torch.float64))
    best = (gains.sort(descending=True).values[:k] * down).sum()
    return (gains[order] * down).sum() / best if best > 0 else best


def ndcg_in_single(scores, gains, k):
    return np.float32(ndcg(scores, gains.astype(np.float32), k))


def by_natural_logarithms(scores, gains, k):
    """The base cancels."""
    order = np.lexsort((np.arange(len(scores)), -scores))[:k]
    down = 1 / np.log(np.arange(2, len(order) + 2))
    best = down @ np.sort(gains)[::-1][:k]
    return down @ gains[order] / best if best else 0.0


def by_the_library(scores, gains, k):
    return ranking.ndcg(scores, gains, k)


def by_ranks(scores, gains, k):
    """The position of each item in both orders."""

    def total(values):
        position = (-values).argsort(kind="stable").argsort()
        return np.where(position < k, gains / np.log2(position + 2), 0).sum()

    return [total(scores) / max(total(gains), 1e-300)]


def without_the_last(scores, gains, k):
    """Positions beyond k get the discount 0."""
    down = np.where(np.arange(len(scores)) < k, 1 / np.log2(np.arange(2, len(scores) + 2)), 0)
    best = np.sort(gains)[::-1] @ down
    return np.array(gains[np.argsort(-scores, kind="stable")] @ down / max(best, 1e-300))


def _dcg(gains, divisor=lambda p: np.log2(p + 1)):
    return (gains / divisor(np.arange(1, len(gains) + 1.0))).sum()


def _ratio(one, other, nothing=0.0):
    return one / other if other > 0 else nothing


def _listed(scores, gains):
    return gains[(-scores).argsort(kind="stable")]


def _sorted(gains):
    return np.sort(gains)[::-1]


def changes_the_gains(scores, gains, k):
    found = ndcg(scores, gains, k)
    gains.sort()
    return found


def position_from_zero(scores, gains, k):
    with np.errstate(all="ignore"):
        top, best = _listed(scores, gains)[:k], _sorted(gains)[:k]
        return (top / np.log2(np.arange(len(top)))).sum() / (best / np.log2(np.arange(len(best)))).sum()


NDCGS = [
    (
        lambda s, g, k: _ratio(_dcg(_listed(s, g)[:k]), _dcg(_sorted(_listed(s, g)[:k]))),
        "you only sort the ones that were",
    ),
    (lambda s, g, k: _ratio(_dcg(_listed(s, g)[:k]), _dcg(g[:k])), "in the order given"),
    (lambda s, g, k: _ratio(_dcg(_listed(s, g)[:k]), _dcg(np.ones(len(g))[:k])), "you count each item as 1"),
    (lambda s, g, k: _ratio(_dcg(_listed(s, g)[:k]), _dcg(np.ones(int((g > 0).sum()))[:k])), "each relevant item as 1"),
    (lambda s, g, k: _ratio(_dcg(_listed(s, g)[:k]), _dcg(np.ones(k))), "you take k ones"),
    (lambda s, g, k: _ratio(_dcg(_listed(s, g)[:k]), _dcg(_sorted(g))), "the ideal DCG counts k positions"),
    (lambda s, g, k: _ratio(_dcg(_listed(s, g)), _dcg(_sorted(g))), "only the first k positions count; you"),
    (lambda s, g, k: _ratio(_dcg(_listed(s, g)), _dcg(_sorted(g)[:k])), "your DCG adds up all"),
    (lambda s, g, k: _dcg(_listed(s, g)[:k]), "this is DCG"),
    (lambda s, g, k: _ratio(_dcg(_listed(s, g)[:k]), _dcg(_sorted(g)[:k]), 1.0), "you return 1"),
    (lambda s, g, k: _dcg(_listed(s, g)[:k]) / _dcg(_sorted(g)[:k]), "NaN"),
    (position_from_zero, "NaN"),
    (lambda s, g, k: ndcg(-s, g, k), "you rank the lowest score first"),
    (lambda s, g, k: _ratio(_dcg(g[s.argsort(kind="stable")[::-1]][:k]), _dcg(_sorted(g)[:k])), "of equal scores"),
    (lambda s, g, k: _ratio(_dcg(g[:k]), _dcg(_sorted(g)[:k])), "you do not rank by the scores"),
    (lambda s, g, k: ndcg(-(-s).argsort(kind="stable").astype(float), g, k), "sorted again"),
    (lambda s, g, k: ndcg(s, 2.0**g - 1, k), "2 ** gain - 1"),
    (lambda s, g, k: ndcg(s, (g > 0) * 1.0, k), "whether it is above 0"),
    (
        lambda s, g, k: _ratio(_dcg(_listed(s, g)[:k], lambda p: p), _dcg(_sorted(g)[:k], lambda p: p)),
        "you divide by the position",
    ),
    (
        lambda s, g, k: _ratio(*(_dcg(x[:k], lambda p: np.log2(p + 2)) for x in (_listed(s, g), _sorted(g)))),
        "positions are counted from 1",
    ),
    (
        lambda s, g, k: _ratio(
            *(_dcg(x[:k], lambda p: np.maximum(1, np.log2(p))) for x in (_listed(s, g), _sorted(g)))
        ),
        "the second position is discounted, too",
    ),
    (
        lambda s, g, k: _ratio(_dcg(_listed(s, g)[:k], lambda p: np.log(p + 1)), _dcg(_sorted(g)[:k])),
        "one base of the logarithm",
    ),
    (
        lambda s, g, k: _ratio(_dcg(_listed(s, g)[:k]), _dcg(_sorted(g)[:k], lambda p: np.log(p + 1))),
        "one base of the logarithm",
    ),
    (lambda s, g, k: _ratio(_listed(s, g)[:k].sum(), _sorted(g)[:k].sum()), "there is no discount"),
    (lambda s, g, k: _ratio(_dcg(_listed(s, g)[:k]), _dcg(np.sort(g)[:k])), "puts the smallest first"),
    (
        lambda s, g, k: _ratio(
            _dcg(np.array([gain for _, gain in sorted(zip(s, g, strict=True), reverse=True)])[:k]), _dcg(_sorted(g)[:k])
        ),
        "the one with the greater gain first",
    ),
    (
        lambda s, g, k: _ratio(_dcg(g[np.lexsort((g, -s))][:k]), _dcg(_sorted(g)[:k])),
        "the one with the smaller gain first",
    ),
    (lambda s, g, k: ndcg(s, g, k) if g.any() else None, "your function returns nothing"),
    (lambda s, g, k: round(ndcg(s, g, k), 2), "you round to 2 decimals"),
    (lambda s, g, k: ndcg(s, g, k + 1), "this is not what the formula says"),
    (lambda s, g, k: _listed(s, g)[:k], "one number, the NDCG"),
    (changes_the_gains, "changes the arrays"),
]

# --- the prior from text --------------------------------------------------------------------------------------


def scores_from_text(text, mean, covariance, history, ratings, noise):
    read, precision = text[history], np.linalg.inv(covariance)
    both = precision + read.T @ read / noise**2
    return text @ np.linalg.solve(both, precision @ mean + read.T @ ratings / noise**2)


def as_a_process(text, mean, covariance, history, ratings, noise):
    """The same as a normal distribution of the scores of all books."""
    between = text @ covariance @ text.T
    seen = between[np.ix_(history, history)] + noise**2 * np.eye(len(history))
    prior = text @ mean
    return prior + between[:, history] @ np.linalg.solve(seen, ratings - prior[history])


def one_rating_at_a_time(text, mean, covariance, history, ratings, noise):
    mean, covariance = mean.copy(), covariance.copy()
    for book, rating in zip(history, ratings, strict=True):
        along = covariance @ text[book]
        gain = along / (text[book] @ along + noise**2)
        mean = mean + gain * (rating - text[book] @ mean)
        covariance = covariance - np.outer(gain, along)
    return [float(t @ mean) for t in text]


def around_the_mean(text, mean, covariance, history, ratings, noise):
    """Ridge regression of what the mean does not explain."""
    root = np.linalg.cholesky(covariance)
    read = text[history] @ root
    rest = ratings - text[history] @ mean
    z = np.linalg.solve(read.T @ read + noise**2 * np.eye(len(mean)), read.T @ rest)
    return text @ (mean + root @ z)


def by_least_squares(text, mean, covariance, history, ratings, noise):
    """The prior as rows of data."""
    root = np.linalg.inv(np.linalg.cholesky(covariance))
    rows, values = np.vstack([text[history] / noise, root]), np.concatenate([ratings / noise, root @ mean])
    return text @ np.linalg.lstsq(rows, values, rcond=None)[0]


def text_in_torch(text, mean, covariance, history, ratings, noise):
    text, mean, covariance, ratings = (torch.as_tensor(x) for x in (text, mean, covariance, ratings))
    read, precision = text[torch.as_tensor(history)], torch.linalg.inv(covariance)
    both = precision + read.T @ read / noise**2
    return text @ torch.linalg.solve(both, precision @ mean + read.T @ ratings / noise**2)


def text_in_single(text, mean, covariance, history, ratings, noise):
    text, mean, covariance, ratings = (x.astype(np.float32) for x in (text, mean, covariance, ratings))
    return around_the_mean(text, mean, covariance, history, ratings, np.float32(noise)).astype(np.float32)


def changes_the_mean(text, mean, *rest):
    found = scores_from_text(text, mean, *rest)
    mean *= 2
    return found


def profile(text, mean, covariance, history, ratings, noise):
    return text @ (text[history].T @ ratings / max(1, len(history)))


def with_ratings_put_in(text, mean, covariance, history, ratings, noise):
    found = scores_from_text(text, mean, covariance, history, ratings, noise)
    found[history] = ratings
    return found


def with_noises(text, mean, covariance, history, ratings, of_precision, of_ratings):
    read, precision = text[history], np.linalg.inv(covariance)
    both = precision + read.T @ read / of_precision**2
    return text @ np.linalg.solve(both, precision @ mean + read.T @ ratings / of_ratings**2)


def each_in_steps(text, mean, covariance, history, ratings, noise):
    """Gradient descent."""
    precision, read = np.linalg.inv(covariance), text[history]
    both, evidence = precision + read.T @ read / noise**2, precision @ mean + read.T @ ratings / noise**2
    weights = mean.copy()
    for _ in range(5000):
        weights -= (both @ weights - evidence) / np.linalg.norm(both, 2)
    return tuple(text @ weights)


def by_all_books(text, mean, covariance, history, ratings, noise):
    """Books that were not read have the weight 0."""
    there = np.bincount(history, minlength=len(text))
    given = np.bincount(history, ratings, len(text))
    precision = np.linalg.inv(covariance)
    both = precision + (text * there[:, None]).T @ text / noise**2
    found = text @ np.linalg.solve(both, precision @ mean + text.T @ given / noise**2)
    return found


TASTES = [
    (lambda t, m, c, h, r, n: scores_from_text(t, 0 * m, c, h, r, n), "the prior mean is missing"),
    (lambda t, m, c, h, r, n: scores_from_text(t, 0 * m, c, h, r - t[h] @ m, n), "add the prior mean again"),
    (
        lambda t, m, c, h, r, n: t @ np.linalg.solve(np.linalg.inv(c) + t[h].T @ t[h] / n**2, m + t[h].T @ r / n**2),
        "multiplied by the inverse",
    ),
    (lambda t, m, c, h, r, n: scores_from_text(t, m, np.linalg.inv(c), h, r, n), "has to be inverted"),
    (lambda t, m, c, h, r, n: scores_from_text(t, m, np.eye(len(m)), h, r, n), "you take the identity"),
    (lambda t, m, c, h, r, n: scores_from_text(t, m, c, h, r, n**0.5), "square it"),
    (lambda t, m, c, h, r, n: scores_from_text(t, m, c, h, r, 1), "the noise is not used"),
    (lambda t, m, c, h, r, n: scores_from_text(t, m, c, h, r, 1 / n), "do not multiply"),
    (lambda t, m, c, h, r, n: with_noises(t, m, c, h, r, n, 1), "the ratings are not divided"),
    (lambda t, m, c, h, r, n: with_noises(t, m, c, h, r, 1, n), "the precision of what was read is not divided"),
    (lambda t, m, c, h, r, n: scores_from_text(t, 0 * m, c, h, r, n) + t @ m, "you add it afterwards"),
    (lambda *given: scores_from_text(*given) if len(given[3]) else np.zeros(len(given[0])), "you return 0"),
    (lambda t, m, c, h, r, n: scores_from_text(t, m, c, np.arange(len(h)), r, n), "this is not what the formula says"),
    (lambda t, m, c, h, r, n: scores_from_text(t, m, np.diag(np.diag(c)), h, r, n), "only the variances"),
    (lambda t, m, c, h, r, n: t @ m, "the ratings change nothing"),
    (with_ratings_put_in, "do not put the noisy ratings in"),
    (profile, "weighted with the ratings"),
    (lambda *given: scores_from_text(*given).round(3), "you round to 3 decimals"),
    (lambda *given: scores_from_text(*given)[given[3]], "one score for each book"),
    (lambda *given: scores_from_text(*given) + 0.1, "this is not what the formula says"),
    (lambda *given: scores_from_text(*given) * np.nan, "NaN"),
    (changes_the_mean, "changes the arrays"),
]

# --- clicks weighted by position ------------------------------------------------------------------------------


def attraction(rankings, clicks, exponent, books):
    weights = np.arange(1, rankings.shape[1] + 1) ** exponent
    total, views = np.zeros(books), np.zeros(books)
    np.add.at(total, rankings, clicks * weights)
    np.add.at(views, rankings, 1)
    return total / np.maximum(views, 1)


def by_bincount(rankings, clicks, exponent, books):
    value = clicks / (1 / np.arange(1, rankings.shape[1] + 1) ** exponent)
    total = np.bincount(rankings.ravel(), weights=value.ravel(), minlength=books)
    views = np.bincount(rankings.ravel(), minlength=books)
    return np.divide(total, views, out=np.zeros(books), where=views > 0)


def click_by_click(rankings, clicks, exponent, books):
    seen = [[] for _ in range(books)]
    for shelf, clicked in zip(rankings, clicks, strict=True):
        for position, (book, click) in enumerate(zip(shelf, clicked, strict=True), start=1):
            seen[book].append(position**exponent if click else 0.0)
    return [sum(one) / len(one) if one else 0.0 for one in seen]


def one_hot(rankings, clicks, exponent, books):
    there = rankings[..., None] == np.arange(books)
    weights = np.arange(1, rankings.shape[1] + 1) ** exponent
    return np.einsum("spb,sp,p->b", there, clicks.astype(float), weights) / there.sum(axis=(0, 1)).clip(1)


def clicks_in_torch(rankings, clicks, exponent, books):
    rankings, clicks = torch.as_tensor(rankings), torch.as_tensor(clicks)
    weights = torch.arange(1, rankings.shape[1] + 1, dtype=torch.float64) ** exponent
    total = torch.zeros(books, dtype=torch.float64).index_add(0, rankings.flatten(), (clicks * weights).flatten())
    return total / torch.bincount(rankings.flatten(), minlength=books).clamp(min=1)


def clicks_in_single(rankings, clicks, exponent, books):
    return attraction(rankings, clicks.astype(np.float32), exponent, books).astype(np.float32)


def book_by_book(rankings, clicks, exponent, books):
    weighted = clicks * np.arange(1, rankings.shape[1] + 1) ** exponent
    return np.array([weighted[rankings == b].mean() if (rankings == b).any() else 0 for b in range(books)])


def clicks_by_the_library(rankings, clicks, exponent, books):
    examined = 1 / np.arange(1, rankings.shape[1] + 1) ** exponent
    return library_clicks.inverse_propensity(*library_clicks.counts(rankings, clicks, books), examined)


def weighted(weight, over=None):
    """Clicks weighted by a function of position and exponent, over the views or something else."""

    def found(rankings, clicks, exponent, books):
        values = clicks * weight(np.arange(1.0, rankings.shape[1] + 1), exponent)
        total = np.bincount(rankings.ravel(), values.ravel(), books)
        by = np.bincount(rankings.ravel(), minlength=books) if over is None else over(rankings, clicks, exponent, books)
        return total / np.where(by == 0, 1, by)

    return found


def right_weight(position, exponent):
    return position**exponent


def sums(values):
    """Sums over the views of each book of a function of clicks, positions and exponent."""

    def found(rankings, clicks, exponent, books):
        each = np.broadcast_to(values(clicks, np.arange(1.0, rankings.shape[1] + 1), exponent), rankings.shape)
        return np.bincount(rankings.ravel(), each.ravel().astype(float), books)

    return found


def keeps_the_last(rankings, clicks, exponent, books):
    total = np.zeros(books)
    total[rankings] += clicks * np.arange(1, rankings.shape[1] + 1) ** exponent
    return total / np.bincount(rankings.ravel(), minlength=books).clip(1)


def keeps_the_last_twice(rankings, clicks, exponent, books):
    total, views = np.zeros(books), np.zeros(books)
    total[rankings] += clicks * np.arange(1, rankings.shape[1] + 1) ** exponent
    views[rankings] += 1
    return total / views.clip(1)


def keeps_one_view(rankings, clicks, exponent, books):
    total, views = np.zeros(books), np.zeros(books)
    for shelf, clicked in zip(rankings, clicks, strict=True):
        total[shelf] += clicked * np.arange(1, len(shelf) + 1) ** exponent
    views[rankings] += 1
    return total / np.maximum(views, 1)


def session_by_session(rankings, clicks, exponent, books):
    """Within one session no book is there twice."""
    total, views = np.zeros(books), np.zeros(books)
    for shelf, clicked in zip(rankings, clicks, strict=True):
        total[shelf] += clicked * np.arange(1, len(shelf) + 1) ** exponent
        views[shelf] += 1
    return total / np.maximum(views, 1)


def only_the_clicks(rankings, clicks, exponent, books):
    total, views = np.zeros(books), np.zeros(books)
    session, position = clicks.nonzero()
    np.add.at(total, rankings[session, position], (position + 1.0) ** exponent)
    for column in rankings.T:
        views += np.bincount(column, minlength=books)
    views[views == 0] = 1
    total /= views
    return total


def mean_position(rankings, clicks, exponent, books):
    views = np.bincount(rankings.ravel(), minlength=books).clip(1)
    at = np.bincount(rankings.ravel(), np.tile(np.arange(1.0, rankings.shape[1] + 1), len(rankings)), books) / views
    return np.bincount(rankings.ravel(), clicks.ravel().astype(float), books) / views * at**exponent


def by_book(rankings, clicks, exponent, books):
    return weighted(lambda p, e: 1.0)(rankings, clicks, exponent, books) * np.arange(1, books + 1) ** exponent


def changes_the_rankings(rankings, clicks, exponent, books):
    found = attraction(rankings, clicks, exponent, books)
    rankings += 1
    return found


def divides_by_nothing(rankings, clicks, exponent, books):
    views = np.bincount(rankings.ravel(), minlength=books)
    with np.errstate(all="ignore"):
        return attraction(rankings, clicks, exponent, books) * views / views


CLICKS = [
    (weighted(lambda p, e: 1.0), "this is the click rate"),
    (weighted(lambda p, e: p**-e), "counts more, not less"),
    (weighted(lambda p, e: (p + 1) ** e), "positions are counted from 1"),
    (weighted(lambda p, e: (p - 1) ** e), "the weight 0"),
    (weighted(lambda p, e: p), "the exponent is not used"),
    (weighted(lambda p, e: p ** (2 * e)), "the exponent is used twice"),
    (weighted(lambda p, e: p * e), "not exponent * position"),
    (weighted(lambda p, e: np.log2(p + 1)), "not log2(position + 1)"),
    (weighted(right_weight, sums(lambda c, p, e: c)), "not by its clicks"),
    (weighted(right_weight, sums(lambda c, p, e: c * p**e)), "not by its weighted clicks"),
    (weighted(right_weight, lambda r, *_: np.array(float(len(r)))), "not every book is in every session"),
    (weighted(right_weight, lambda r, *_: np.array(float(r.size))), "not by those of all"),
    (weighted(right_weight, lambda *_: np.array(1.0)), "this is the sum"),
    (weighted(lambda p, e: 1.0, sums(lambda c, p, e: p**-e)), "clicks over expected looks"),
    (weighted(right_weight, sums(lambda c, p, e: p**e)), "self-normalised"),
    (weighted(lambda p, e: np.minimum(p**e, 10)), "not to be clipped"),
    (mean_position, "the mean position of the book"),
    (keeps_the_last, "adds once for equal indices"),
    (keeps_the_last_twice, "adds once for equal indices"),
    (keeps_one_view, "counts every book once"),
    (by_book, "not to the number of the book"),
    (divides_by_nothing, "you divide by its 0 views"),
    (lambda *given: attraction(*given) + (attraction(*given) == 0) * 0.1, "this is not what the formula says"),
    (lambda *given: attraction(*given).round(1), "you round to 1 decimals"),
    (lambda *given: attraction(*given)[:-1], "one number for each book"),
    (lambda *given: np.minimum(attraction(*given), 1), "this is not what the formula says"),
    (changes_the_rankings, "changes the arrays"),
]

RETURNS = {checks.ndcg: "number", checks.scores_from_text: "array", checks.weighted_clicks: "array"}
CASES = [
    *(
        (checks.ndcg, answer)
        for answer in (
            ndcg,
            with_loops,
            ndcg_in_torch,
            ndcg_in_single,
            by_natural_logarithms,
            by_the_library,
            without_the_last,
            by_ranks,
        )
    ),
    *(
        (checks.scores_from_text, answer)
        for answer in (
            scores_from_text,
            as_a_process,
            one_rating_at_a_time,
            around_the_mean,
            by_least_squares,
            text_in_torch,
            text_in_single,
            each_in_steps,
            by_all_books,
        )
    ),
    *(
        (checks.weighted_clicks, answer)
        for answer in (
            attraction,
            by_bincount,
            click_by_click,
            one_hot,
            clicks_in_torch,
            clicks_in_single,
            book_by_book,
            clicks_by_the_library,
            session_by_session,
            only_the_clicks,
        )
    ),
]
MUTANTS = [
    *((checks.ndcg, mutant, said) for mutant, said in NDCGS),
    *((checks.scores_from_text, mutant, said) for mutant, said in TASTES),
    *((checks.weighted_clicks, mutant, said) for mutant, said in CLICKS),
]
