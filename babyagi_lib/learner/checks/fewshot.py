"""The exercises of lesson 05: drawing an episode, the centroid classifier, the contrastive pair loss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from babyagi_lib.learner.checks import modules
from babyagi_lib.learner.checks.answers import Wrong, array, describe, number, precision, side_by_side
from babyagi_lib.learner.checks.verdict import exercise

# --- drawing an episode -------------------------------------------------------------------------------------


@exercise
def episode(draw: Callable[[NDArray, int, int, int, np.random.Generator], tuple]) -> str:
    """Check `draw(labels, ways, shots, queries, rng)`: (support, query), indices of a fair N-way K-shot episode."""
    rng = np.random.default_rng(0)
    sizes = {"return": 30, "card": 5, "fee": 9, "pin": 12, "order": 60, "login": 5, "refund": 7, "limit": 20}
    labels = rng.permutation(np.repeat(list(sizes), list(sizes.values())))
    ways, shots, queries = 3, 2, 3
    episodes = [_episode(draw, labels, ways, shots, queries, np.random.default_rng(seed)) for seed in range(400)]
    _episode(draw, labels, len(sizes), 1, 4, np.random.default_rng(0))
    _episode(draw, labels, 1, 4, 1, np.random.default_rng(0))
    _drawn_from_the_generator(draw, labels, episodes)

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
    together = {frozenset(labels[i] for i in support) for support, _ in episodes}
    if len(together) < 45:  # of 56 sets of three; independent draws leave out one of them in 20 checks
        raise Wrong(
            f"in {len(episodes)} episodes only {len(together)} different sets of {ways} categories were drawn: draw each "
            "category by itself, not neighbours in a list."
        )
    for part, what in ((0, "support"), (1, "query")):
        for name in sizes:
            _messages_are_alike([one[part] for one in episodes], np.flatnonzero(labels == name), what)
    _places_are_independent(draw)
    return f"{len(episodes)} episodes: balanced, nothing in both parts, and every category and message equally likely."


Episode = tuple[tuple[int, ...], tuple[int, ...]]


def _drawn_from_the_generator(draw: Callable, labels: NDArray, episodes: Sequence[Episode]) -> None:
    """Raise `Wrong` unless all chance comes from the generator; `episodes` were drawn from seeds 0, 1, 2, ..."""
    if len(set(episodes)) == 1:
        raise Wrong("every generator gives the same episode: draw from the `rng` you are given, do not seed your own.")
    for seed in range(5):
        rng = np.random.default_rng(seed)
        first, second = (_episode(draw, labels, 3, 2, 3, rng) for _ in range(2))
        if first != episodes[seed]:
            raise Wrong(
                "the same generator gives another episode the second time: every draw must come from `rng`, none from "
                "np.random or random, and nothing may depend on the order of a set."
            )
        if first == second:
            raise Wrong(
                "two calls in a row with one generator give the same episode: draw from `rng` itself, not from a copy."
            )


def _messages_are_alike(parts: Sequence[Sequence[int]], members: NDArray, what: str) -> None:
    """Raise `Wrong` unless the messages of one category stand about equally often in the support, or the query, of many episodes.

    Chi-squared has the mean m - 1 for m messages and about the variance 2 (m - 1).
    """
    times = Counter(i for part in parts for i in part)
    counts = np.array([times[i] for i in members])
    if (counts == 0).mean() > 0.2:
        raise Wrong(
            f"over many episodes only {np.count_nonzero(counts)} of a category's {len(counts)} messages ever stand in the "
            f"{what}: shuffle all messages of the category before you cut."
        )
    freedom = len(counts) - 1
    if ((counts - counts.mean()) ** 2 / counts.mean()).sum() > freedom + 7 * np.sqrt(2 * freedom):
        raise Wrong(
            f"some messages of a category stand in the {what} far more often than others: each should be as likely as any "
            "other, so shuffle all messages of the category before you cut."
        )


def _places_are_independent(draw: Callable) -> None:
    """Raise `Wrong` if the same places are drawn in all categories of an episode, or only some sets of places in one."""
    size, shots = 12, 2
    labels = np.repeat(["card", "fee", "login", "order", "pin"], size)
    shared, pairs, together = 0, 0, set()
    for seed in range(100):
        support, _ = _episode(draw, labels, 3, shots, 3, np.random.default_rng(seed))
        places = [{i % size for i in support if labels[i] == name} for name in {labels[i] for i in support}]
        together |= set(map(frozenset, places))
        for a, b in combinations(places, 2):
            shared, pairs = shared + len(a & b), pairs + shots
    if shared > 0.4 * pairs:  # independent draws share a sixth
        raise Wrong(
            "the messages stand at the same places in every category of an episode: shuffle each category by itself, "
            "with one draw for each."
        )
    if len(together) < 55:  # of 66 sets of two; 300 independent draws leave out one of them in 2 checks of 3
        raise Wrong(
            f"in 300 draws of 2 messages from the same 12, only {len(together)} of 66 possible pairs came: draw each message "
            "by itself, not neighbours in a list. Shuffle all messages of the category before you cut."
        )


def _episode(draw: Callable, labels: NDArray, ways: int, shots: int, queries: int, rng: np.random.Generator) -> Episode:
    """One episode of the learner's, checked for everything that must hold of a single one."""
    given = labels.copy()
    answer = draw(given, ways, shots, queries, rng)
    form = "two sequences of indices into `labels`, support and query"
    if answer is None:
        raise Wrong(f"your function returns nothing; return {form}.")
    if isinstance(answer, str | dict) or not hasattr(answer, "__len__") or len(answer) != 2:
        raise Wrong(f"return {form}; you return {describe(answer)}.")
    if not np.array_equal(given, labels):
        raise Wrong("your function changes `labels`; the next episode would be drawn from something else.")
    request = f" You were asked for {ways} ways, {shots} shots and {queries} queries."
    parts = []
    for what, part in zip(("support", "query"), answer, strict=True):
        form = f"the {what} as a flat sequence of integers, indices into `labels`"
        if getattr(part, "ndim", 1) != 1 or getattr(part, "dtype", None) in (np.bool_, torch.bool):
            raise Wrong(f"return {form}; yours is {describe(part)}.")
        found = array(part, form)
        if found.ndim != 1 or not np.array_equal(found, np.round(found)):
            raise Wrong(
                f"return {form}; yours has the shape {found.shape} and begins with {found.ravel()[:3].tolist()}."
            )
        if found.size and not (found.min() >= 0 and found.max() < len(labels)):
            raise Wrong(f"the {what} has an index outside of `labels`, which has {len(labels)} entries.")
        parts.append([int(i) for i in found])
    support, query = parts
    both = set(support) & set(query)
    if both:
        raise Wrong(
            f"{len(both)} messages stand in both support and query: what was learned from would be asked again, and "
            "nearest example would score 100% on them." + request
        )
    repeated = [n for n in Counter(labels[support].tolist()).values() if n > shots and n % shots == 0]
    if repeated and len(support) == ways * shots:
        raise Wrong("a category was drawn twice: draw from np.unique(labels), without replacement." + request)
    for what, part in (("support", support), ("query", query)):
        if len(set(part)) < len(part):
            raise Wrong(f"a message stands twice in the {what}: draw without replacement." + request)
    classes = Counter(labels[support].tolist())
    if len(classes) != ways:
        raise Wrong(f"the support has messages of {len(classes)} categories." + request)
    if set(classes.values()) != {shots}:
        raise Wrong(
            f"the support has {_counts(classes)} messages of its categories; K-shot means the same number of each."
            + request
        )
    asked = Counter(labels[query].tolist())
    if not set(asked) <= set(classes):
        raise Wrong(
            "the query asks about categories that are not in the support, so there is no example to learn them from."
            + request
        )
    if len(asked) != ways or set(asked.values()) != {queries}:
        raise Wrong(f"the query has {_counts(asked)} messages of its categories." + request)
    return tuple(support), tuple(query)


def _counts(found: Counter) -> str:
    return " and ".join(map(str, sorted(found.values()))) or "no"


# --- the centroid classifier --------------------------------------------------------------------------------

Vectors = NDArray[np.float64]


@exercise
def centroid(classify: Callable[[Vectors, NDArray, Vectors], Sequence[str]]) -> str:
    """Check `classify(support, labels, queries)`: for each query the name of the class with the nearest mean."""
    # As many examples of each class as there are dimensions, so that a mean over the wrong axis has the right shape.
    for counts in ({"refund": 5, "card": 5, "pin": 5, "order": 5}, {"refund": 2, "card": 9, "pin": 1, "order": 4}):
        support, labels, queries = _messages(counts, seed=len(set(counts.values())))
        given = support.copy(), labels.copy(), queries.copy()
        found = _names(classify(*given), len(queries))
        if any(not np.array_equal(a, b) for a, b in zip(given, (support, labels, queries), strict=True)):
            raise Wrong("your function changes the arrays that it was given; scale a copy, not in place.")
        wanted = _centroids(support, labels, queries)
        if np.array_equal(found, wanted):
            continue
        said = f" {np.sum(found == wanted)} of your {len(queries)} answers are right."
        for message, mistake in _MISTAKES.items():
            try:
                guess = _centroids(support, labels, queries, **mistake)
            except ValueError:
                continue  # a mistake that cannot be made with these shapes
            if np.array_equal(found, guess):
                raise Wrong(message + said)
        raise Wrong("some queries get another class than the one with the nearest mean." + said)
    for name in np.unique(wanted):
        alone = queries[wanted == name][:1]
        if _names(classify(support.copy(), labels.copy(), alone), 1)[0] != name:
            raise Wrong("a query that comes alone is answered differently from the same query among others.")
    return f"all {len(queries)} queries go to the nearest mean, however many examples each class has."


def _names(answer: Any, queries: int) -> NDArray:
    """The learner's names, one for each query.

    Raises:
        Wrong: they are no names, or not as many.
    """
    if answer is None:
        raise Wrong("your function returns nothing; return a name for each query.")
    found = np.asarray(answer.cpu() if isinstance(answer, Tensor) else answer)
    if found.dtype.kind in "biufc":
        raise Wrong(
            f"your answer is {describe(answer)} and holds numbers; return the names, such as np.unique(labels)[column]."
        )
    if found.shape != (queries,):
        raise Wrong(
            f"one name is needed for each query: {queries} queries, and your answer has the shape {found.shape}."
        )
    return found


def _messages(counts: dict[str, int], seed: int) -> tuple[Vectors, NDArray, Vectors]:
    """Vectors in five dimensions, of unlike lengths, and of some classes closer together than of others."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(list(counts), list(counts.values())))
    middle = {name: rng.normal(size=5) for name in counts}
    spread = dict(zip(counts, (0.3, 1.5, 0.8, 0.5), strict=True))
    support = np.stack([middle[name] + spread[name] * rng.normal(size=5) for name in labels])
    support *= rng.uniform(0.2, 5, size=(len(support), 1))
    queries = rng.normal(size=(400, 5)) * rng.uniform(0.2, 5, size=(400, 1))
    nearest, second = np.sort(_distances(support, labels, queries), axis=1).T[:2]
    return support, labels, queries[second - nearest > 1e-4]  # none is so close that float32 decides otherwise


def _distances(
    support: Vectors,
    labels: NDArray,
    queries: Vectors,
    *,
    scale: tuple[str, str] = ("rows", "rows"),
    axis: int = 0,
    how: str = "mean",
    distance: str = "euclidean",
) -> Vectors:
    """How far each query is from each class, (queries, classes); with another setting what a typical mistake computes."""

    def scaled(rows: Vectors, how: str) -> Vectors:
        return {
            "rows": lambda: rows / np.linalg.norm(rows, axis=1, keepdims=True),
            "columns": lambda: rows / np.linalg.norm(rows, axis=0),
            "all": lambda: rows / np.linalg.norm(rows),
            "sum": lambda: rows / np.abs(rows).sum(axis=1, keepdims=True),
            "none": lambda: rows,
        }[how]()

    support, queries = scaled(support, scale[0]), scaled(queries, scale[1])
    groups = [support[labels == name] for name in np.unique(labels)]
    if how == "example":
        return np.stack([np.linalg.norm(queries[:, None] - group, axis=2).min(axis=1) for group in groups], axis=1)
    reduce: Callable[..., Any] = {"sum": np.sum, "median": np.median, "first": lambda g, axis: g[0]}.get(how, np.mean)
    points = np.stack([reduce(group, axis=axis) for group in groups])
    points = scaled(points, "rows") if how == "unit" else points
    if how == "all examples":
        points = np.stack([group.sum(axis=0) / len(support) for group in groups])
    if distance == "dot":
        return -(queries @ points.T)
    return np.linalg.norm(queries[:, None] - points[None], axis=2, ord=1 if distance == "absolute" else 2)


def _centroids(
    support: Vectors, labels: NDArray, queries: Vectors, *, nearest: bool = True, order: str = "sorted", **other: Any
) -> NDArray:
    """The right answer, or with another setting what a typical mistake would answer."""
    distance = _distances(support, labels, queries, **other)
    column = distance.argmin(axis=1) if nearest else distance.argmax(axis=1)
    names = np.unique(labels)
    if order == "appearance":
        names = labels[np.sort(np.unique(labels, return_index=True)[1])]
    return names[column]


_MISTAKES: dict[str, dict[str, Any]] = {
    "these are the farthest means: the smallest distance wins (argmin, or argmax of minus the distance).": {
        "nearest": False
    },
    "the mean runs over the wrong axis: a class's mean has one number for each dimension (axis=0).": {"axis": 1},
    "this is the sum of a class's vectors; divide by their number.": {"how": "sum"},
    "each class's sum is divided by the number of all examples; divide by the class's own number.": {
        "how": "all examples"
    },
    "you use only the first example of each class; average all of them.": {"how": "first"},
    "the vectors are not scaled: give support and queries length one first.": {"scale": ("none", "none")},
    "the queries are scaled and the support is not; the means come from vectors of length one.": {
        "scale": ("none", "rows")
    },
    "the support is scaled and the queries are not; a long query lies far from everything.": {
        "scale": ("rows", "none")
    },
    "you scale columns: each row, one message, should have length one (axis=1, keepdims=True).": {
        "scale": ("columns", "columns")
    },
    "you divide by the norm of the whole matrix; each row should have length one (axis=1, keepdims=True).": {
        "scale": ("all", "all")
    },
    "you divide by the sum of absolute values; divide by the length, the root of the sum of squares.": {
        "scale": ("sum", "sum")
    },
    "the means were scaled to length one again, or compared by cosine, which does the same; here they stay as they are.": {
        "how": "unit"
    },
    "these are the largest dot products, which prefer long means; take the smallest Euclidean distance.": {
        "distance": "dot"
    },
    "these are sums of absolute differences; take the Euclidean distance.": {"distance": "absolute"},
    "this is the class of the nearest single example; average each class first.": {"how": "example"},
    "this is the median of each class; the mean is asked for.": {"how": "median"},
    "names and columns do not belong together: the means are in the order of np.unique(labels), the names in the order in which they first appear.": {
        "order": "appearance"
    },
}

# --- the contrastive pair loss ------------------------------------------------------------------------------


@exercise
def pair_loss(loss: Callable[[Tensor, Tensor], Tensor]) -> str:
    """Check `loss(vectors, labels)` and its gradient against finite differences, in float64."""
    draw = torch.Generator().manual_seed(0)
    batches = [
        ("three categories, two or three texts of each", [0, 1, 0, 2, 2, 1, 2]),
        ("one like pair among many unlike ones", [4, 1, 3, 0, 4, 2]),
        ("two texts of one category", [1, 1]),
        ("three texts of three categories", [2, 0, 1]),
    ]
    inputs, found = [], []
    for _, classes in batches:
        labels = torch.tensor(classes)
        vectors = torch.randn(len(labels), 4, generator=draw, dtype=torch.float64)
        vectors *= torch.linspace(0.3, 4, len(labels), dtype=torch.float64)[:, None]
        given = vectors.clone().requires_grad_()
        inputs.append((given, vectors, labels))
        found.append(_one_loss(loss(given.clone(), labels.clone())))
    wanted = [float(_pair_loss(vectors, labels)) for _, vectors, labels in inputs]
    values = [number(value) for value in found]
    if not _close(values, wanted):
        at = next(i for i in range(len(batches)) if not _close(values[i : i + 1], wanted[i : i + 1]))
        texts = side_by_side(values[at], wanted[at])
        said = f" For {batches[at][0]} you return {texts[0]}; it is {texts[1]}."
        raise Wrong(_mistaken_for([pair[1:] for pair in inputs], values) + said)
    for value, (given, vectors, labels) in zip(found, inputs, strict=True):
        if not value.requires_grad:
            raise Wrong("the value is right, but no gradient flows: something on the way is detached.")
        with modules.changes_in_place_named():
            (gradient,) = torch.autograd.grad(value.sum(), given, allow_unused=True)
        slopes, single = _slopes(vectors, labels), precision(value) > 1e-8
        if gradient is None or not torch.allclose(gradient, slopes, rtol=1e-4, atol=1e-5 if single else 1e-6):
            gap = float((slopes - (0 if gradient is None else gradient)).abs().max())
            raise Wrong(
                "the value is right and its gradient is not: finite differences disagree by up to "
                f"{gap:.2g}. Is a part of it detached, or computed under no_grad?"
            )
    return "value and gradient agree with finite differences, also where like pairs are rare or one kind is missing."


def _one_loss(found: Any) -> Tensor:
    """The learner's loss of one batch, a tensor of one number."""
    if found is None:
        raise Wrong("your function returns nothing; return the loss.")
    if not isinstance(found, Tensor):
        raise Wrong(
            f"return a torch tensor of one number, through which a gradient can flow back; you return {describe(found)}."
        )
    if found.numel() != 1:
        raise Wrong(f"return one number for the batch; you return {describe(found)}.")
    return found


def _close(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether losses agree, up to the rounding of float32."""
    return np.allclose(a, b, rtol=1e-5, atol=1e-6, equal_nan=True)


def _pair_loss(
    vectors: Tensor,
    labels: Tensor,
    *,
    own: bool = False,
    cosine: str = "rows",
    swapped: bool = False,
    weighed: bool = True,
    power: float = 2,
    root: bool = False,
    unlike: float = 0,
    hinge: bool = False,
    kinds: tuple[bool, ...] = (True, False),
    kinds_together: str = "mean",
    total: bool = False,
    factor: float = 1,
) -> Tensor:
    """The right loss, or with another setting what a typical mistake computes; nan where that counts no pair."""
    length = {
        "rows": vectors.norm(dim=1, keepdim=True),
        "columns": vectors.norm(dim=0),
        "all": vectors.norm(),
        "none": 1,
    }
    unit = vectors / length[cosine]
    similarity, same = unit @ unit.T, labels[:, None] == labels[None, :]
    counted = torch.ones_like(same).tril(0 if own else -1)  # the lower half: each pair once
    if own:
        counted = torch.ones_like(same)
    target = torch.where(same ^ swapped, 1.0, float(unlike)).to(vectors)
    error = (similarity - target).abs() ** power
    if hinge:
        error = torch.where(same | (similarity > 0), error, 0.0)
    if total or not weighed:
        return error[counted].sum() if total else error[counted].mean()
    means = [error[counted & (same == kind)].mean() for kind in kinds if (counted & (same == kind)).any()]
    if not means:
        return similarity.sum() * torch.nan
    together = torch.stack(means).sum() / {"mean": len(means), "sum": 1, "half": 2}[kinds_together]
    return factor * (together.sqrt() if root else together)


def _mistaken_for(batches: Sequence[tuple[Tensor, Tensor]], values: Sequence[float]) -> str:
    """What wrong values say about the mistake behind them; one is named only if it explains the values of all batches."""
    one_kind = "a batch may have pairs of one kind only; average over the kinds that are there."
    mistakes: dict[str, dict[str, Any]] = {
        "every vector is paired with itself too, with a cosine of 1: leave out the diagonal.": {"own": True},
        "every vector is paired with itself too, and all pairs weigh the same: leave out the diagonal, and average each kind by itself.": {
            "own": True,
            "weighed": False,
        },
        "like and unlike are swapped: pairs of one category should have cosine 1, others 0.": {"swapped": True},
        "this is made of dot products; divide by the lengths of the vectors to get cosines.": {"cosine": "none"},
        "the columns are scaled to length one; scale the rows, one for each text (dim=1).": {"cosine": "columns"},
        "the vectors are divided by the norm of the whole matrix; each row should have length one (dim=1).": {
            "cosine": "all"
        },
        "all pairs weigh the same, so the many unlike pairs outweigh the few like ones: average each kind by itself, then the two means.": {
            "weighed": False
        },
        "this is the absolute error; square it.": {"power": 1},
        "this is the root of the mean squared error; leave out the root.": {"root": True},
        "unlike pairs are pushed to cosine -1; 0 is asked for: unlike is not opposite.": {"unlike": -1},
        "an unlike pair costs nothing here where its cosine is below 0; its square counts on both sides of 0.": {
            "hinge": True
        },
        "you use only pairs of one category: then all vectors may collapse into one point.": {"kinds": (True,)},
        "you use only pairs of two categories: nothing pulls a category together.": {"kinds": (False,)},
        "this is the sum over the pairs; take means.": {"total": True},
        "this is the sum of the two kinds' means; take their mean.": {"kinds_together": "sum"},
        "the two means are always halved, but " + one_kind: {"kinds_together": "half"},
        "this is half of the loss; take the mean of the two kinds' means, and nothing else.": {"factor": 0.5},
        "this is twice the loss; take the mean of the two kinds' means, and nothing else.": {"factor": 2},
        "the sign is wrong: the loss should fall as like pairs come together.": {"factor": -1},
    }
    for message, mistake in mistakes.items():
        guesses = [float(_pair_loss(vectors, labels, **mistake)) for vectors, labels in batches]
        # Where a mistake has no pair to count, learners return nan or 0 or leave the kind out: that says nothing.
        some = [i for i, guess in enumerate(guesses) if np.isfinite(guess)]
        if _close([values[i] for i in some], [guesses[i] for i in some]):
            return message
    if not np.isfinite(values).all():
        return (
            "the loss is not a finite number for some batch. The mean of no pair at all is 0 divided by 0: " + one_kind
        )
    return "this is not the mean of the two kinds' mean squared errors."


def _slopes(vectors: Tensor, labels: Tensor, step: float = 1e-5) -> Tensor:
    """Central finite differences of the right loss: (texts, hidden)."""
    found = torch.zeros_like(vectors)
    for i in range(vectors.numel()):
        moved = torch.zeros(vectors.numel(), dtype=vectors.dtype)
        moved[i] = step
        moved = moved.view_as(vectors)
        found.view(-1)[i] = (_pair_loss(vectors + moved, labels) - _pair_loss(vectors - moved, labels)) / (2 * step)
    return found
