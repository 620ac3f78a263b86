"""Right and wrong answers to the exercises of lesson 05, with what each wrong one should be told."""

import random

import numpy as np
import torch
from torch.nn import functional as F

from babyagi_lib import checks, fewshot

# --- drawing an episode ---


def episode(labels, ways, shots, queries, rng, name_of=np.unique, overlap=False, again=False, shuffled=True):
    """An episode with one thing wrong, or nothing."""
    labels = np.asarray(labels)
    names = name_of(labels)
    picked = []
    while len(picked) < ways:  # the same as a choice without replacement where every name stands once
        name = rng.choice(names)
        picked += [name] if name not in picked else []
    support, query = [], []
    for name in picked:
        members = np.flatnonzero(labels == name)
        members = rng.permutation(members) if shuffled else members
        support += list(rng.choice(members, shots)) if again else list(members[:shots])
        rest = members if overlap else np.setdiff1d(members, support)
        query += list(rng.permutation(rest)[:queries])
    return support, query


def by_choice(labels, ways, shots, queries, rng):
    support, query = [], []
    for name in rng.choice(sorted(set(labels)), ways, replace=False):
        found = rng.choice(np.flatnonzero(labels == name), shots + queries, replace=False)
        support, query = [*support, *found[:shots]], [*query, *found[shots:]]
    return np.array(support), np.array(query)


def from_the_library(labels, ways, shots, queries, rng):
    one = fewshot.draw_episode(labels, ways, shots, queries, int(rng.integers(2**32)))
    return one.support, one.query


def legacy(labels, ways, shots, queries, rng):
    return by_choice(labels, ways, shots, queries, np.random.default_rng(random.getrandbits(32)))


def own_seed(labels, ways, shots, queries, rng):
    return by_choice(labels, ways, shots, queries, np.random.default_rng(0))


def first_names(labels, ways, shots, queries, rng):
    return episode(labels, ways, shots, queries, rng, name_of=lambda found: np.unique(found)[:ways])


def unbalanced(labels, ways, shots, queries, rng):
    support, query = by_choice(labels, ways, shots, queries, rng)
    mixed = rng.permutation(np.concatenate([support, query]))
    return mixed[: len(support)], mixed[len(support) :]


def query_from_anywhere(labels, ways, shots, queries, rng):
    support, query = by_choice(labels, ways, shots, queries, rng)
    rest = np.flatnonzero(~np.isin(labels, np.asarray(labels)[support]))
    return support, (rng.permutation(rest) if len(rest) >= len(query) else query)[: len(query)]


def names_not_indices(labels, ways, shots, queries, rng):
    support, query = by_choice(labels, ways, shots, queries, rng)
    return np.asarray(labels)[support], np.asarray(labels)[query]


def one_row_a_class(labels, ways, shots, queries, rng):
    support, query = by_choice(labels, ways, shots, queries, rng)
    return support.reshape(ways, shots), query.reshape(ways, queries)


def sorting(labels, ways, shots, queries, rng):
    labels.sort()
    return by_choice(labels, ways, shots, queries, rng)


# --- the centroid classifier ---


def centroid(support, labels, queries, scale=(True, True), axis=0, reduce=np.mean, best=np.argmin, again=False):
    def unit(rows):
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    support, queries = unit(support) if scale[0] else support, unit(queries) if scale[1] else queries
    names = np.unique(labels)
    means = np.stack([reduce(support[labels == name], axis=axis) for name in names])
    means = unit(means) if again else means
    return names[best(np.linalg.norm(queries[:, None] - means[None], axis=2), axis=1)]


def by_loop(support, labels, queries):
    unit = [row / np.sqrt((row**2).sum()) for row in support]
    means = {}
    for name in sorted(set(labels)):
        rows = [row for row, label in zip(unit, labels, strict=True) if label == name]
        means[name] = sum(rows) / len(rows)
    queries = [row / np.sqrt((row**2).sum()) for row in queries]
    return [min(means, key=lambda name: ((query - means[name]) ** 2).sum()) for query in queries]


def in_appearance(support, labels, queries):
    names = list(dict.fromkeys(labels))
    right = centroid(support, labels, queries)
    return np.array([names[list(np.unique(labels)).index(name)] for name in right])


def by_column(support, labels, queries):
    return centroid(
        support / np.linalg.norm(support, axis=0), labels, queries / np.linalg.norm(queries, axis=0), (False, False)
    )


def by_example(support, labels, queries):
    support = support / np.linalg.norm(support, axis=1, keepdims=True)
    return labels[(queries @ support.T).argmax(axis=1)]


def in_place(support, labels, queries):
    support /= np.linalg.norm(support, axis=1, keepdims=True)
    return centroid(support, labels, queries)


# --- the pair loss ---


def pairs(vectors, labels, own=False, cosine=True, weighed=True, factor=1.0, error=torch.square, target=None):
    unit = F.normalize(vectors, dim=1) if cosine else vectors
    same = labels[:, None] == labels
    wanted = same.to(vectors.dtype) if target is None else target(same).to(vectors.dtype)
    found = error(unit @ unit.T - wanted)
    counted = torch.ones_like(same) if own else ~torch.eye(len(labels), dtype=torch.bool)
    if not weighed:
        return found[counted].mean()
    means = [found[counted & kind].mean() for kind in (same, ~same) if (counted & kind).any()]
    return factor * sum(means) / len(means)


def by_pairs(vectors, labels):
    like, unlike = [], []
    for i in range(len(labels)):
        for j in range(i):
            cosine = vectors[i] @ vectors[j] / (vectors[i].norm() * vectors[j].norm())
            (like if labels[i] == labels[j] else unlike).append((cosine - float(labels[i] == labels[j])) ** 2)
    means = [torch.stack(kind).mean() for kind in (like, unlike) if kind]
    return torch.stack(means).mean()


def both_kinds_always(vectors, labels):
    unit, same = F.normalize(vectors, dim=1), labels[:, None] == labels
    like = same & ~torch.eye(len(labels), dtype=torch.bool)
    cosines = unit @ unit.T
    return ((cosines[like] - 1) ** 2).mean() / 2 + (cosines[~same] ** 2).mean() / 2


def constant_length(vectors, labels):
    unit = vectors / vectors.norm(dim=1, keepdim=True).detach()
    return pairs(unit, labels, cosine=False)


def one_side_detached(vectors, labels):
    unit, same = F.normalize(vectors, dim=1), (labels[:, None] == labels)
    off = ~torch.eye(len(labels), dtype=torch.bool)
    error = (unit @ unit.detach().T - same.to(unit.dtype)) ** 2
    means = [error[off & kind].mean() for kind in (same, ~same) if (off & kind).any()]
    return torch.stack(means).mean()


def one_kind(which):
    def loss(vectors, labels):
        unit, same = F.normalize(vectors, dim=1), labels[:, None] == labels
        off = ~torch.eye(len(labels), dtype=torch.bool)
        counted = off & (same if which else ~same)
        return ((unit @ unit.T)[counted] - which).square().mean()

    return loss


CASES = [
    (checks.episode, episode),
    (checks.episode, by_choice),
    (checks.episode, from_the_library),
    (checks.centroid, centroid),
    (checks.centroid, by_loop),
    (checks.pair_loss, pairs),
    (checks.pair_loss, by_pairs),
    (checks.pair_loss, fewshot.pair_loss),
]
MUTANTS = [
    (checks.episode, lambda *a: episode(*a, overlap=True), "both support and query"),
    (checks.episode, lambda *a: 2 * (by_choice(*a)[0],), "both support and query"),
    (checks.episode, lambda *a: episode(*a, again=True), "without replacement"),
    (checks.episode, lambda y, n, k, q, rng: by_choice(y, n, q, k, rng), "K-shot means"),
    (checks.episode, lambda y, n, k, q, rng: by_choice(y, n, k, q + 1, rng), "the query has"),
    (checks.episode, lambda y, n, k, q, rng: by_choice(y, n, k, q - 1, rng), "the query has"),
    (checks.episode, lambda y, n, k, q, rng: by_choice(y, max(n - 1, 1), k, q, rng), "2 categories"),
    (checks.episode, unbalanced, "K-shot means"),
    (checks.episode, first_names, "never drawn"),
    (checks.episode, lambda *a: episode(*a, name_of=lambda y: y), "come more often"),
    (checks.episode, lambda *a: episode(*a, shuffled=False), "shuffle the messages"),
    (checks.episode, query_from_anywhere, "not in the support"),
    (checks.episode, legacy, "the second time"),
    (checks.episode, own_seed, "do not seed your own"),
    (checks.episode, names_not_indices, "integers"),
    (checks.episode, one_row_a_class, "flat sequence"),
    (checks.episode, lambda *a: by_choice(*a)[0], "return two things"),
    (checks.episode, sorting, "changes `labels`"),
    (checks.episode, lambda *a: None, "returns nothing"),
    (checks.centroid, lambda *a: centroid(*a, axis=1), "wrong axis"),
    (checks.centroid, lambda *a: centroid(*a, scale=(False, False)), "not scaled"),
    (checks.centroid, lambda *a: centroid(*a, scale=(True, False)), "the queries are not"),
    (checks.centroid, lambda *a: centroid(*a, scale=(False, True)), "the support is not"),
    (checks.centroid, by_column, "you scale columns"),
    (checks.centroid, lambda *a: centroid(*a, best=np.argmax), "farthest"),
    (checks.centroid, lambda *a: centroid(*a, reduce=np.sum), "sum of a class's vectors"),
    (checks.centroid, lambda *a: centroid(*a, reduce=np.median), "median"),
    (checks.centroid, lambda *a: centroid(*a, again=True), "stay as they are"),
    (checks.centroid, by_example, "nearest single example"),
    (checks.centroid, in_appearance, "do not belong together"),
    (checks.centroid, in_place, "changes the arrays"),
    (checks.centroid, lambda s, y, q: np.searchsorted(np.unique(y), centroid(s, y, q)), "holds numbers"),
    (checks.centroid, lambda s, y, q: centroid(s, y, q)[:3], "should get"),
    (checks.centroid, lambda s, y, q: np.full(len(q), "card"), "nearest mean"),
    (checks.centroid, lambda *a: None, "returns nothing"),
    (checks.pair_loss, lambda v, y: pairs(v, y, own=True, weighed=False), "two things to mend"),
    (checks.pair_loss, lambda v, y: pairs(v, y, own=True), "paired with itself"),
    (checks.pair_loss, lambda v, y: pairs(v, y, target=torch.logical_not), "swapped"),
    (checks.pair_loss, lambda v, y: pairs(v, y, cosine=False), "dot products"),
    (checks.pair_loss, lambda v, y: pairs(v, y, weighed=False), "drown"),
    (checks.pair_loss, lambda v, y: pairs(v, y, error=torch.abs), "square it"),
    (checks.pair_loss, lambda v, y: pairs(v, y, target=lambda same: 2 * same.float() - 1), "not opposite"),
    (checks.pair_loss, lambda v, y: pairs(v, y, factor=2), "take their mean"),
    (checks.pair_loss, one_kind(1), "collapse into one point"),
    (checks.pair_loss, one_kind(0), "nothing pulls"),
    (checks.pair_loss, both_kinds_always, "one kind only"),
    (checks.pair_loss, lambda v, y: pairs(v.detach(), y), "no gradient flows"),
    (checks.pair_loss, constant_length, "its gradient is not"),
    (checks.pair_loss, one_side_detached, "its gradient is not"),
    (checks.pair_loss, lambda v, y: pairs(v, y).item(), "not a plain number"),
    (checks.pair_loss, lambda v, y: F.normalize(v, dim=1) @ v.T, "one number"),
    (checks.pair_loss, lambda v, y: pairs(v, y) + 1, "the value is another"),
    (checks.pair_loss, lambda v, y: None, "returns nothing"),
]
