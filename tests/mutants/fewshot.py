"""Right and wrong answers to the exercises of lesson 05, with what each wrong one should be told."""

import copy
import random
from itertools import combinations

import numpy as np
import torch
from sklearn.neighbors import NearestCentroid
from torch.nn import functional as F

from babyagi_lib.learner.checks import fewshot as checks
from babyagi_lib.methods import fewshot

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


def from_all_labels(labels, ways, shots, queries, rng):
    """Categories drawn from the labels of messages, where each stands many times."""
    support, query = [], []
    for name in rng.choice(labels, ways, replace=False):
        found = rng.choice(np.flatnonzero(labels == name), shots + queries, replace=False)
        support, query = [*support, *found[:shots]], [*query, *found[shots:]]
    return support, query


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


def by_shuffling_all(labels, ways, shots, queries, rng):
    """One shuffle of all messages; the first of each category are taken."""
    names = set(rng.permutation(np.unique(labels))[:ways].tolist())
    support, query, seen = [], [], dict.fromkeys(names, 0)
    for i in rng.permutation(len(labels)).tolist():
        if labels[i] in seen and seen[labels[i]] < shots + queries:
            (support if seen[labels[i]] < shots else query).append(i)
            seen[labels[i]] += 1
    return support, query


def by_sorting(labels, ways, shots, queries, rng):
    """Random keys, sorted."""
    names = np.unique(labels)[np.argsort(rng.random(len(np.unique(labels))))[:ways]]
    keys = rng.random(len(labels))
    places = [sorted(np.flatnonzero(labels == n), key=keys.__getitem__)[: shots + queries] for n in names]
    found = torch.tensor(np.array(places))
    return found[:, :shots].flatten(), found[:, shots:].flatten()


def by_removing(labels, ways, shots, queries, rng):
    """Draws one message after the other, and takes it out."""
    left = {name: np.flatnonzero(labels == name).tolist() for name in sorted(set(labels.tolist()))}
    names = list(left)
    support, query = [], []
    for _ in range(ways):
        members = left[names.pop(int(rng.integers(len(names))))]
        for part, number in ((query, queries), (support, shots)):
            part += [members.pop(int(rng.integers(len(members)))) for _ in range(number)]
    return tuple(support), tuple(query)


def cut_before_shuffling(labels, ways, shots, queries, rng):
    support, query = [], []
    for name in rng.choice(np.unique(labels), ways, replace=False):
        members = rng.permutation(np.flatnonzero(labels == name)[: shots + queries])
        support, query = [*support, *members[:shots]], [*query, *members[shots:]]
    return support, query


def first_of_each(m):
    """Only the first m messages of a category are ever drawn."""

    def draw(labels, ways, shots, queries, rng):
        support, query = [], []
        for name in rng.choice(np.unique(labels), ways, replace=False):
            members = rng.permutation(np.flatnonzero(labels == name)[:m])
            support, query = [*support, *members[:shots]], [*query, *members[shots : shots + queries]]
        return support, query

    return draw


def same_places(labels, ways, shots, queries, rng):
    """One order of places, for all categories."""
    names = rng.choice(np.unique(labels), ways, replace=False)
    keys = rng.random(len(labels))
    support, query = [], []
    for name in names:
        members = np.flatnonzero(labels == name)
        members = members[np.argsort(keys[: len(members)])]
        support, query = [*support, *members[:shots]], [*query, *members[shots : shots + queries]]
    return support, query


def seeded_for_each(labels, ways, shots, queries, rng):
    """One seed, used again for each category."""
    seed = int(rng.integers(2**31))
    support, query = [], []
    for name in rng.choice(np.unique(labels), ways, replace=False):
        members = np.random.default_rng(seed).permutation(np.flatnonzero(labels == name))
        support, query = [*support, *members[:shots]], [*query, *members[shots : shots + queries]]
    return support, query


def neighbours(labels, ways, shots, queries, rng):
    """Categories that follow each other in the list, from a random start."""
    names = np.roll(np.unique(labels), -int(rng.integers(len(np.unique(labels)))))[:ways]
    kept = np.flatnonzero(np.isin(labels, names))
    support, query = by_choice(labels[kept], ways, shots, queries, rng)
    return kept[support], kept[query]


def support_in_front(labels, ways, shots, queries, rng):
    """The support stands before the query in the corpus: shuffled, then sorted."""
    support, query = [], []
    for name in rng.choice(np.unique(labels), ways, replace=False):
        members = np.sort(rng.permutation(np.flatnonzero(labels == name))[: shots + queries])
        support, query = [*support, *members[:shots]], [*query, *members[shots:]]
    return support, query


def with_a_window(labels, ways, shots, queries, rng):
    """Neighbouring messages from a random start, which never wraps around."""
    support, query = [], []
    for name in rng.choice(np.unique(labels), ways, replace=False):
        members = np.flatnonzero(labels == name)
        start = int(rng.integers(len(members) - shots - queries + 1))
        support += list(members[start : start + shots])
        query += list(members[start + shots : start + shots + queries])
    return support, query


def around_a_ring(labels, ways, shots, queries, rng):
    """Neighbouring messages from a random start, which wraps around: each is as likely as any other."""
    support, query = [], []
    for name in rng.choice(np.unique(labels), ways, replace=False):
        members = np.flatnonzero(labels == name)
        members = np.roll(members, int(rng.integers(len(members))))
        support, query = [*support, *members[:shots]], [*query, *members[shots : shots + queries]]
    return support, query


def from_a_copy(labels, ways, shots, queries, rng):
    return by_choice(labels, ways, shots, queries, copy.deepcopy(rng))


def masks(labels, ways, shots, queries, rng):
    return tuple(np.isin(np.arange(len(labels)), part) for part in by_choice(labels, ways, shots, queries, rng))


def from_one(labels, ways, shots, queries, rng):
    """Counts messages from 1."""
    return tuple(np.asarray(part) + 1 for part in by_choice(labels, ways, shots, queries, rng))


def five_of_everything(labels, ways, shots, queries, rng):
    return by_choice(labels, 3, 2, 3, rng)


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


def by_library(support, labels, queries):
    unit = support / np.linalg.norm(support, axis=1)[:, None], queries / np.linalg.norm(queries, axis=1)[:, None]
    return NearestCentroid().fit(unit[0], labels).predict(unit[1])


def by_torch(support, labels, queries):
    names, classes = np.unique(labels, return_inverse=True)
    unit = F.normalize(torch.tensor(support).float(), dim=1)
    onehot = F.one_hot(torch.tensor(classes)).float()
    means = onehot.T @ unit / onehot.sum(dim=0)[:, None]
    return names[torch.cdist(F.normalize(torch.tensor(queries).float(), dim=1), means).argmin(dim=1).numpy()]


def by_expansion(support, labels, queries):
    """The squared distance without its first term, which is 1 for every class."""
    unit = support / np.sqrt((support**2).sum(1, keepdims=True))
    names = np.array(sorted(set(labels)))
    means = np.array([np.average(unit, axis=0, weights=labels == name) for name in names])
    queries = queries / np.sqrt((queries**2).sum(1, keepdims=True))
    return names[((means**2).sum(1) - 2 * queries @ means.T).argmin(1)].astype(object)


def by_dot(support, labels, queries):
    names = np.unique(labels)
    unit = support / np.linalg.norm(support, axis=1, keepdims=True)
    means = np.stack([unit[labels == name].mean(axis=0) for name in names])
    return names[(queries @ means.T).argmax(axis=1)]


def by_cosine(support, labels, queries):
    return centroid(support, labels, queries, again=True)


def whole_norm(support, labels, queries):
    return centroid(support / np.linalg.norm(support), labels, queries / np.linalg.norm(queries), (False, False))


def absolute(support, labels, queries):
    names = np.unique(labels)
    support, queries = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (support, queries))
    means = np.stack([support[labels == name].mean(axis=0) for name in names])
    return names[np.abs(queries[:, None] - means).sum(axis=2).argmin(axis=1)]


def by_all_examples(support, labels, queries):
    return centroid(support, labels, queries, reduce=lambda rows, axis: rows.sum(axis) / len(support))


def first_example(support, labels, queries):
    return centroid(support, labels, queries, reduce=lambda rows, axis: rows[0])


def never_alone(support, labels, queries):
    """Takes the mean of the queries away, which leaves nothing of a query that comes alone."""
    return centroid(support, labels, queries) if len(queries) > 1 else np.unique(labels)[-1:]


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


def by_mse(vectors, labels):
    unit = F.normalize(vectors, dim=1)
    i, j = torch.triu_indices(len(labels), len(labels), offset=1)
    cosines, like = (unit[i] * unit[j]).sum(dim=1), labels[i] == labels[j]
    kinds = [F.mse_loss(cosines[k], k[k].to(cosines) * float(t)) for k, t in ((like, 1), (~like, 0)) if k.any()]
    return torch.stack(kinds).mean()


def by_combinations(vectors, labels):
    found = {True: [], False: []}
    for i, j in combinations(range(len(labels)), 2):
        like = bool(labels[i] == labels[j])
        found[like].append((F.cosine_similarity(vectors[i], vectors[j], dim=0) - float(like)) ** 2)
    means = [sum(errors) / len(errors) for errors in found.values() if errors]
    return sum(means) / len(means)


def by_weights(vectors, labels):
    """One weighted sum over the whole matrix."""
    unit, same = F.normalize(vectors.float(), dim=1), (labels[:, None] == labels).float()
    like, unlike = same - torch.eye(len(labels)), 1 - same
    kinds = (like.sum() > 0).float() + (unlike.sum() > 0).float()
    weights = (like / like.sum().clamp(min=1) + unlike / unlike.sum().clamp(min=1)) / kinds
    return (weights * (unit @ unit.T - same).square()).sum().reshape(1)


def in_place_loss(vectors, labels):
    vectors /= vectors.norm(dim=1, keepdim=True)
    return pairs(vectors, labels, cosine=False)


def one_example_only(vectors, labels):
    return pairs(vectors, labels) if len(labels) == 7 else vectors.sum() * 0


def by_columns(vectors, labels):
    return pairs(F.normalize(vectors, dim=0), labels, cosine=False)


def margin(vectors, labels):
    """The other half of a hinge: unlike pairs below 0 cost nothing."""
    unit, same = F.normalize(vectors, dim=1), labels[:, None] == labels
    off, cosines = ~torch.eye(len(labels), dtype=torch.bool), unit @ unit.T
    kinds = [(same & off, (1 - cosines) ** 2), (~same, cosines.relu() ** 2)]
    return torch.stack([error[kind].mean() for kind, error in kinds if kind.any()]).mean()


RETURNS = {checks.episode: "pair of integers", checks.centroid: "names", checks.pair_loss: "differentiable number"}
CASES = [
    (checks.episode, episode),
    (checks.episode, by_choice),
    (checks.episode, from_the_library),
    (checks.episode, by_shuffling_all),
    (checks.episode, by_sorting),
    (checks.episode, by_removing),
    (checks.centroid, centroid),
    (checks.centroid, by_loop),
    (checks.centroid, by_library),
    (checks.centroid, by_torch),
    (checks.centroid, by_expansion),
    (checks.pair_loss, pairs),
    (checks.pair_loss, by_pairs),
    (checks.pair_loss, by_mse),
    (checks.pair_loss, by_combinations),
    (checks.pair_loss, by_weights),
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
    (checks.episode, from_all_labels, "a category was drawn twice: draw from np.unique(labels)"),
    (checks.episode, first_names, "never drawn"),
    (checks.episode, lambda *a: episode(*a, name_of=lambda y: y), "come more often"),
    (checks.episode, lambda *a: episode(*a, shuffled=False), "shuffle all messages"),
    (checks.episode, query_from_anywhere, "not in the support"),
    (checks.episode, legacy, "the second time"),
    (checks.episode, own_seed, "do not seed your own"),
    (checks.episode, names_not_indices, "integers"),
    (checks.episode, one_row_a_class, "flat sequence"),
    (checks.episode, lambda *a: by_choice(*a)[0], "return two sequences"),
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
    (checks.centroid, lambda s, y, q: centroid(s, y, q)[:3], "one name is needed"),
    (checks.centroid, lambda s, y, q: np.full(len(q), "card"), "nearest mean"),
    (checks.centroid, lambda *a: None, "returns nothing"),
    (checks.pair_loss, lambda v, y: pairs(v, y, own=True, weighed=False), "leave out the diagonal, and average"),
    (checks.pair_loss, lambda v, y: pairs(v, y, own=True), "paired with itself"),
    (checks.pair_loss, lambda v, y: pairs(v, y, target=torch.logical_not), "swapped"),
    (checks.pair_loss, lambda v, y: pairs(v, y, cosine=False), "dot products"),
    (checks.pair_loss, lambda v, y: pairs(v, y, weighed=False), "outweigh"),
    (checks.pair_loss, lambda v, y: pairs(v, y, error=torch.abs), "square it"),
    (checks.pair_loss, lambda v, y: pairs(v, y, target=lambda same: 2 * same.float() - 1), "not opposite"),
    (checks.pair_loss, lambda v, y: pairs(v, y, factor=2), "twice the loss"),
    (checks.pair_loss, one_kind(1), "collapse into one point"),
    (checks.pair_loss, one_kind(0), "nothing pulls"),
    (checks.pair_loss, both_kinds_always, "one kind only"),
    (checks.pair_loss, lambda v, y: pairs(v.detach(), y), "no gradient flows"),
    (checks.pair_loss, constant_length, "its gradient is not"),
    (checks.pair_loss, one_side_detached, "its gradient is not"),
    (checks.pair_loss, lambda v, y: pairs(v, y).item(), "you return the float"),
    (checks.pair_loss, lambda v, y: F.normalize(v, dim=1) @ v.T, "one number"),
    (checks.pair_loss, lambda v, y: pairs(v, y) + 1, "this is not the mean of"),
    (checks.pair_loss, lambda v, y: None, "returns nothing"),
    (checks.episode, cut_before_shuffling, "before you cut"),
    (checks.episode, first_of_each(20), "before you cut"),
    (checks.episode, first_of_each(50), "before you cut"),
    (checks.episode, same_places, "the same places in every category"),
    (checks.episode, seeded_for_each, "the same places in every category"),
    (checks.episode, neighbours, "different sets of 3 categories"),
    (checks.episode, support_in_front, "far more often than others"),
    (checks.episode, with_a_window, "before you cut"),
    (checks.episode, around_a_ring, "only 12 of 66 possible pairs"),
    (checks.episode, from_a_copy, "two calls in a row"),
    (checks.episode, masks, "with bool entries"),
    (checks.episode, from_one, "messages"),
    (checks.episode, five_of_everything, "3 categories. You were asked for 8 ways"),
    (checks.episode, lambda *a: dict(zip("ab", by_choice(*a), strict=True)), "you return a dict of length 2"),
    (checks.centroid, by_dot, "dot products"),
    (checks.centroid, by_cosine, "compared by cosine"),
    (checks.centroid, whole_norm, "the whole matrix"),
    (checks.centroid, absolute, "absolute differences"),
    (checks.centroid, by_all_examples, "the number of all examples"),
    (checks.centroid, first_example, "only the first example"),
    (checks.centroid, never_alone, "a query that comes alone"),
    (checks.centroid, lambda s, y, q: centroid(s, y, q)[:, None], "has the shape"),
    (checks.centroid, lambda s, y, q: centroid(s, y, q)[0], "has the shape ()"),
    (checks.centroid, lambda s, y, q: [name[:3] for name in centroid(s, y, q)], "nearest mean"),
    (checks.pair_loss, lambda v, y: pairs(v, y, factor=0.5), "this is half of the loss"),
    (checks.pair_loss, lambda v, y: -pairs(v, y), "the sign is wrong"),
    (checks.pair_loss, lambda v, y: pairs(v, y).sqrt(), "leave out the root"),
    (checks.pair_loss, by_columns, "the columns are scaled"),
    (checks.pair_loss, lambda v, y: pairs(v / v.norm(), y, cosine=False), "the whole matrix"),
    (checks.pair_loss, margin, "costs nothing here where its cosine is below 0"),
    (checks.pair_loss, in_place_loss, "changes a tensor in place"),
    (checks.pair_loss, one_example_only, "this is not the mean of"),
    (checks.pair_loss, lambda v, y: pairs(v, y).detach().numpy(), "a gradient can flow back"),
    (checks.pair_loss, lambda v, y: torch.tensor(pairs(v, y).item()), "no gradient flows"),
    (checks.pair_loss, lambda v, y: pairs(v, y).reshape(1).expand(2), "one number for the batch"),
]
