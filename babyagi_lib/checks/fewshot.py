"""The exercises of lesson 05: drawing an episode, the centroid classifier, the contrastive pair loss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.checks.verdict import Wrong, exercise

if TYPE_CHECKING:
    from torch import Tensor

# --- drawing an episode -------------------------------------------------------------------------------------


@exercise("05_fewshot")
def episode(draw: Callable[[Sequence[str], int, int, int, np.random.Generator], tuple]) -> str:
    """Check `draw(labels, ways, shots, queries, rng)`: (support, query), indices of a fair N-way K-shot episode."""
    rng = np.random.default_rng(0)
    sizes = {"return": 30, "card": 5, "fee": 9, "pin": 12, "order": 60, "login": 5, "refund": 7, "limit": 20}
    labels = rng.permutation(np.repeat(list(sizes), list(sizes.values())))
    ways, shots, queries = 3, 2, 3
    episodes = [_episode(draw, labels, ways, shots, queries, seed) for seed in range(400)]
    _episode(draw, labels, len(sizes), 1, 4, 0)
    _episode(draw, labels, 1, 4, 1, 0)

    if any(_episode(draw, labels, ways, shots, queries, seed) != episodes[seed] for seed in range(5)):
        raise Wrong(
            "the same generator gives another episode the second time: every draw must come from `rng`, none from "
            "np.random or random."
        )
    if len(set(episodes)) == 1:
        raise Wrong("every generator gives the same episode: draw from the `rng` you are given, do not seed your own.")
    drawn = Counter(name for support, _ in episodes for name in {labels[i] for i in support})
    if len(drawn) < len(sizes):
        missing = sorted(set(sizes) - set(drawn))
        raise Wrong(
            f"in {len(episodes)} episodes these categories were never drawn: {', '.join(missing)}. Draw the "
            "categories anew each time."
        )
    expected = len(episodes) * ways / len(sizes)
    if drawn["order"] > 1.3 * expected and drawn["card"] < 0.8 * expected:
        raise Wrong(
            "categories with many messages come more often: draw the names from np.unique(labels), where each stands "
            "once."
        )
    if max(drawn.values()) > 1.35 * expected or min(drawn.values()) < 0.65 * expected:
        raise Wrong("some categories are drawn more often than others; each should be as likely as any other.")
    for part, what in ((0, "support"), (1, "query")):
        seen = {i for one in episodes for i in one[part] if labels[i] == "card"}
        if len(seen) < sizes["card"]:
            raise Wrong(
                f"over many episodes only some messages of a category ever stand in the {what}: shuffle the messages "
                "of the category before you cut."
            )
    return f"{len(episodes)} episodes: balanced, nothing in both parts, and every category equally likely."


Episode = tuple[tuple[int, ...], tuple[int, ...]]


def _episode(draw: Callable, labels: NDArray, ways: int, shots: int, queries: int, seed: int) -> Episode:
    """One episode of the learner's, held against all that must be true of a single one."""
    given = labels.copy()
    answer = draw(given, ways, shots, queries, np.random.default_rng(seed))
    if answer is None:
        raise Wrong("your function returns nothing; return support and query, two sequences of indices.")
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        raise Wrong("return two things, support and query, each a sequence of indices into `labels`.")
    if not np.array_equal(given, labels):
        raise Wrong("your function changes `labels`; the next episode would be drawn from something else.")
    parts = []
    for what, part in zip(("support", "query"), answer, strict=True):
        found = np.asarray(part)
        if found.ndim != 1 or not np.issubdtype(found.dtype, np.integer):
            raise Wrong(
                f"the {what} should be a flat sequence of integers, indices into `labels`; yours has the shape "
                f"{found.shape} and holds {found.dtype}."
            )
        if found.size and not (found.min() >= 0 and found.max() < len(labels)):
            raise Wrong(f"the {what} has an index outside of `labels`.")
        parts.append([int(i) for i in found])
    support, query = parts
    told = f" You were asked for {ways} ways, {shots} shots and {queries} queries."
    both = set(support) & set(query)
    if both:
        raise Wrong(
            f"{len(both)} messages stand in both support and query: what was learned from would be asked again, and "
            "nearest example would score 100% on them." + told
        )
    for what, part in (("support", support), ("query", query)):
        if len(set(part)) < len(part):
            raise Wrong(f"a message stands twice in the {what}: draw without replacement." + told)
    classes = Counter(labels[support].tolist())
    if len(classes) != ways:
        raise Wrong(f"the support has messages of {len(classes)} categories." + told)
    if set(classes.values()) != {shots}:
        raise Wrong(
            f"the support has {_counts(classes)} messages of its categories; K-shot means the same number of each."
            + told
        )
    asked = Counter(labels[query].tolist())
    if not set(asked) <= set(classes):
        raise Wrong("the query asks about categories that are not in the support: nobody could know them." + told)
    if len(asked) != ways or set(asked.values()) != {queries}:
        raise Wrong(f"the query has {_counts(asked)} messages of its categories." + told)
    return tuple(support), tuple(query)


def _counts(found: Counter) -> str:
    return " and ".join(map(str, sorted(found.values()))) or "no"


# --- the centroid classifier --------------------------------------------------------------------------------

Vectors = NDArray[np.float64]


@exercise("05_fewshot")
def centroid(classify: Callable[[Vectors, NDArray, Vectors], Sequence[str]]) -> str:
    """Check `classify(support, labels, queries)`: for each query the name of the class with the nearest mean."""
    # As many examples of each class as there are dimensions, so that a mean over the wrong axis has the right shape.
    for counts in ({"refund": 5, "card": 5, "pin": 5, "order": 5}, {"refund": 2, "card": 9, "pin": 1, "order": 4}):
        support, labels, queries = _messages(counts, seed=len(set(counts.values())))
        given = support.copy(), labels.copy(), queries.copy()
        found = classify(*given)
        if found is None:
            raise Wrong("your function returns nothing; return a name for each query.")
        if any(not np.array_equal(a, b) for a, b in zip(given, (support, labels, queries), strict=True)):
            raise Wrong("your function changes the arrays that it was given; scale a copy, not in place.")
        found = np.asarray(found)
        if found.shape != (len(queries),):
            raise Wrong(
                f"{len(queries)} queries should get {len(queries)} names; your answer has the shape {found.shape}."
            )
        if np.issubdtype(found.dtype, np.number):
            raise Wrong("your answer holds numbers; return the names, such as np.unique(labels)[column].")
        wanted = _centroids(support, labels, queries)
        if np.array_equal(found, wanted):
            continue
        said = f" {np.mean(found == wanted):.0%} of your {len(queries)} answers are right."
        for told, mistake in _MISTAKES.items():
            try:
                guess = _centroids(support, labels, queries, **mistake)
            except ValueError:
                continue  # a mistake that cannot be made with these shapes
            if np.array_equal(found, guess):
                raise Wrong(told + said)
        raise Wrong("some queries get another class than the one with the nearest mean." + said)
    (one,) = classify(support, labels, queries[:1])
    if one != wanted[0]:
        raise Wrong("a query that comes alone is answered differently from the same query among others.")
    return f"all {len(queries)} queries go to the nearest mean, however many examples each class has."


def _messages(counts: dict[str, int], seed: int) -> tuple[Vectors, NDArray, Vectors]:
    """Vectors in five dimensions, of unlike lengths, and of some classes closer together than of others."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(list(counts), list(counts.values())))
    middle = {name: rng.normal(size=5) for name in counts}
    spread = dict(zip(counts, (0.3, 1.5, 0.8, 0.5), strict=True))
    support = np.stack([middle[name] + spread[name] * rng.normal(size=5) for name in labels])
    support *= rng.uniform(0.2, 5, size=(len(support), 1))
    return support, labels, rng.normal(size=(400, 5)) * rng.uniform(0.2, 5, size=(400, 1))


def _centroids(
    support: Vectors,
    labels: NDArray,
    queries: Vectors,
    *,
    scale: tuple[bool, bool] = (True, True),
    by_column: bool = False,
    axis: int = 0,
    how: str = "mean",
    nearest: bool = True,
    order: str = "sorted",
) -> NDArray:
    """The right answer, or with another setting what a typical mistake would answer."""

    def unit(rows: Vectors) -> Vectors:
        return rows / np.linalg.norm(rows, axis=0 if by_column else 1, keepdims=True)

    support = unit(support) if scale[0] else support
    queries = unit(queries) if scale[1] else queries
    names = np.unique(labels)
    groups = [support[labels == name] for name in names]
    if how == "example":
        distance = np.stack(
            [np.linalg.norm(queries[:, None] - group[None], axis=2).min(axis=1) for group in groups], axis=1
        )
    else:
        reduce: Callable[..., Any] = {"mean": np.mean, "sum": np.sum, "median": np.median, "unit": np.mean}[how]
        points = np.stack([reduce(group, axis=axis) for group in groups])
        points = unit(points) if how == "unit" else points
        distance = np.linalg.norm(queries[:, None] - points[None], axis=2)
    column = distance.argmin(axis=1) if nearest else distance.argmax(axis=1)
    if order == "appearance":
        names = labels[np.sort(np.unique(labels, return_index=True)[1])]
    return names[column]


_MISTAKES: dict[str, dict[str, Any]] = {
    "these are the farthest means: the smallest distance wins (argmin, or argmax of minus the distance).": {
        "nearest": False
    },
    "the mean runs over the wrong axis: a class's mean has one number for each dimension (axis=0).": {"axis": 1},
    "this is the sum of a class's vectors; divide by their number.": {"how": "sum"},
    "the vectors are not scaled: give support and queries length one first.": {"scale": (False, False)},
    "the queries are scaled and the support is not; the means come from vectors of length one.": {
        "scale": (False, True)
    },
    "the support is scaled and the queries are not; a long query lies far from everything.": {"scale": (True, False)},
    "you scale columns: each row, one message, should have length one (axis=1, keepdims=True).": {"by_column": True},
    "the means were scaled to length one again; here they stay as they are.": {"how": "unit"},
    "this is the class of the nearest single example; average each class first.": {"how": "example"},
    "this is the median of each class; the mean is asked for.": {"how": "median"},
    "names and columns do not belong together: the means are in the order of np.unique(labels), the names in the order in which they first appear.": {
        "order": "appearance"
    },
}

# --- the contrastive pair loss ------------------------------------------------------------------------------


@exercise("05_fewshot")
def pair_loss(loss: Callable[[Tensor, Tensor], Tensor]) -> str:
    """Check `loss(vectors, labels)` and its gradient against finite differences, in float64."""
    import torch

    draw = torch.Generator().manual_seed(0)
    batches = [
        ("three categories, two or three texts of each", [0, 1, 0, 2, 2, 1, 2]),
        ("one like pair among many unlike ones", [4, 1, 3, 0, 4, 2]),
        ("two texts of one category", [1, 1]),
        ("three texts of three categories", [2, 0, 1]),
    ]
    for name, classes in batches:
        labels = torch.tensor(classes)
        vectors = torch.randn(len(labels), 4, generator=draw, dtype=torch.float64)
        vectors *= torch.linspace(0.3, 4, len(labels), dtype=torch.float64)[:, None]
        given = vectors.clone().requires_grad_()
        found = loss(given.clone(), labels.clone())
        if found is None:
            raise Wrong("your function returns nothing; return the loss.")
        if not isinstance(found, torch.Tensor):
            raise Wrong("return a tensor, not a plain number: the gradient has to flow back through it.")
        if found.numel() != 1:
            raise Wrong(f"return one number for the batch; yours has the shape {tuple(found.shape)}.")
        value, wanted = float(found.detach()), float(_pair_loss(vectors, labels))
        said = f" For {name} you return {value:.4f}; it is {wanted:.4f}."
        if not np.isclose(value, wanted, rtol=1e-5, atol=1e-7):
            raise Wrong(_mistaken_for(vectors, labels, value) + said)
        if not found.requires_grad:
            raise Wrong("the value is right, but no gradient flows: something on the way is detached.")
        (gradient,) = torch.autograd.grad(found.sum(), given, allow_unused=True)
        slopes = _slopes(vectors, labels)
        if gradient is None or not torch.allclose(gradient, slopes, rtol=1e-4, atol=1e-6):
            gap = float((slopes - (0 if gradient is None else gradient)).abs().max())
            raise Wrong(
                "the value is right and its gradient is not: finite differences disagree by up to "
                f"{gap:.2g}. Is a part of it detached, or computed under no_grad?"
            )
    return "value and gradient agree with finite differences, also where like pairs are rare or one kind is missing."


def _pair_loss(
    vectors: Tensor,
    labels: Tensor,
    *,
    own: bool = False,
    cosine: bool = True,
    swapped: bool = False,
    weighed: bool = True,
    power: float = 2,
    unlike: float = 0,
    kinds: tuple[bool, ...] = (True, False),
    total: bool = False,
) -> Tensor:
    """The right loss, or with another setting what a typical mistake computes."""
    import torch

    unit = vectors / vectors.norm(dim=1, keepdim=True) if cosine else vectors
    similarity, same = unit @ unit.T, labels[:, None] == labels[None, :]
    counted = torch.ones_like(same).tril(0 if own else -1)  # the lower half: each pair once
    if own:
        counted = torch.ones_like(same)
    target = torch.where(same ^ swapped, 1.0, float(unlike)).to(vectors)
    error = (similarity - target).abs() ** power
    if total or not weighed:
        return error[counted].sum() if total else error[counted].mean()
    means = [error[counted & (same == kind)].mean() for kind in kinds if (counted & (same == kind)).any()]
    return torch.stack(means).mean() if means else similarity.sum() * 0


def _mistaken_for(vectors: Tensor, labels: Tensor, value: float) -> str:
    """What a wrong value says about the mistake behind it."""
    if not np.isfinite(value):
        return (
            f"the loss is {value}: the mean of no pair at all is 0 divided by 0. A batch may have pairs of one kind only; "
            "average over the kinds that are there."
        )
    mistakes: dict[str, dict[str, Any]] = {
        "every vector is paired with itself too, with a cosine of 1 for free: leave out the diagonal.": {"own": True},
        "like and unlike are swapped: pairs of one category should have cosine 1, others 0.": {"swapped": True},
        "this is made of dot products; divide by the lengths of the vectors to get cosines.": {"cosine": False},
        "all pairs weigh the same, so the few like pairs drown among the unlike ones: average each kind by itself, then the two means.": {
            "weighed": False
        },
        "this is the absolute error; square it.": {"power": 1},
        "unlike pairs are pushed to cosine -1; 0 is asked for: unlike is not opposite.": {"unlike": -1},
        "only pairs of one category count in this: then all vectors may collapse into one point.": {"kinds": (True,)},
        "only pairs of two categories count in this: nothing pulls a category together.": {"kinds": (False,)},
        "this is the sum over the pairs; take means.": {"total": True},
    }
    for told, mistake in mistakes.items():
        if np.isclose(value, float(_pair_loss(vectors, labels, **mistake)), rtol=1e-5):
            return told
    both = float(_pair_loss(vectors, labels, own=True, weighed=False))
    if np.isclose(value, both, rtol=1e-5):
        return "own pairs are counted, and the like pairs drown among the unlike ones: two things to mend."
    if np.isclose(value, 2 * float(_pair_loss(vectors, labels)), rtol=1e-5):
        return "this is the sum of the two kinds' means; take their mean."
    return "the value is another."


def _slopes(vectors: Tensor, labels: Tensor, step: float = 1e-5) -> Tensor:
    """Central finite differences of the right loss: (texts, hidden)."""
    import torch

    found = torch.zeros_like(vectors)
    for i in range(vectors.numel()):
        moved = torch.zeros(vectors.numel(), dtype=vectors.dtype)
        moved[i] = step
        moved = moved.view_as(vectors)
        found.view(-1)[i] = (_pair_loss(vectors + moved, labels) - _pair_loss(vectors - moved, labels)) / (2 * step)
    return found
