"""The exercises of lesson 01: the causal mask, masking, perplexity, one attention head."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from babyagi_lib.basics.labels import IGNORE
from babyagi_lib.learner.checks.answers import (
    SINGLE,
    Wrong,
    array,
    describe,
    number,
    precision,
    rounded_to,
    side_by_side,
)
from babyagi_lib.learner.checks.verdict import exercise


@exercise
def causal_mask(make: Callable[[int], Tensor]) -> str:
    """Check `make(length)`: (length, length) booleans, True where the row's position may look at the column's."""
    for length in (5, 1, 2, 6, 200):  # 200 is longer than the usual windows
        answer = make(length)
        found = array(answer, f"a mask of shape {(length, length)}")
        if found.shape != (length, length):
            raise Wrong(f"for {length} pieces the mask has the shape {found.shape}, expected {(length, length)}.")
        if np.isneginf(found).any():
            raise Wrong(
                "the mask holds 0 and minus infinity, to be added to scores; expected True and False (torch.bool)."
            )
        if not _holds_booleans(answer):
            raise Wrong(f"the mask should hold True and False (torch.bool); you return {describe(answer)}.")
        allowed = found.astype(bool)
        wanted = np.tri(length, dtype=bool)
        if np.array_equal(allowed, wanted):
            continue
        row, column = np.argwhere(allowed != wanted)[0].tolist()
        shown = (
            f" For {length} pieces, row {row} may look at {np.flatnonzero(allowed[row]).tolist()} in your mask; it should "
            f"be {np.flatnonzero(wanted[row]).tolist()}."
        )
        if length > 10:
            shown = f" For {length} pieces, your mask is {allowed[row, column]} in row {row}, column {column}."
        if np.array_equal(allowed, wanted.T):
            raise Wrong(
                "the mask is transposed: every piece looks at what comes after it. Rows look at columns." + shown
            )
        if np.array_equal(allowed, ~wanted):
            raise Wrong("the mask is inverted: True must mean that looking is allowed." + shown)
        if not allowed.diagonal().any():
            raise Wrong(
                "no piece may look at itself, but it should: its own piece is known, and the next one is guessed."
                + shown
            )
        if (allowed & ~wanted).any():
            raise Wrong("some piece looks into the future: it may look at later pieces, which hold the answer." + shown)
        raise Wrong("some piece may not look at all pieces before it." + shown)
    return "every piece sees itself and the pieces before it, and nothing after it."


def _holds_booleans(answer: Any) -> bool:
    if isinstance(answer, np.ndarray) and answer.dtype == object:
        answer = answer.tolist()
    if isinstance(answer, list | tuple):
        return all(map(_holds_booleans, answer))
    return isinstance(answer, bool) or str(getattr(answer, "dtype", "")).removeprefix("torch.") == "bool"


@exercise
def masking(mask: Callable[[Tensor, Collection[int], int, int, float, torch.Generator], tuple[Tensor, Tensor]]) -> str:
    """Check `mask(ids, special, mask_id, vocabulary, share, draw)`, by counting what it does to 40,000 pieces."""
    special, mask_id, vocabulary = {0, 7, 31}, 7, 50
    pick = torch.Generator().manual_seed(0)
    in_text = torch.tensor([i for i in range(vocabulary) if i not in special][:40])  # seven ordinary ids are unseen
    ids = in_text[torch.randint(len(in_text), (400, 100), generator=pick)]
    ids[:, 0] = torch.tensor([0, 7, 31, 0]).repeat(100)  # special pieces at the beginning, at the end, in between
    ids[torch.arange(400), torch.randint(1, 99, (400,), generator=pick)] = 31
    ids[::2, -5:] = 0
    praise = []
    for share, rows in ((0.4, 400), (0.2, 100)):
        some = ids[:rows]
        found = _masked(mask, some, special, mask_id, vocabulary, share, torch.Generator().manual_seed(1))
        praise.append(_masked_well(*found, some, special, mask_id, vocabulary, share))
    few = ids[:20]
    _drawn_well(lambda draw: _masked(mask, few, special, mask_id, vocabulary, 0.4, draw)[0])
    ordinary = int((~torch.isin(few, torch.tensor(sorted(special)))).sum())
    draws = [torch.Generator().manual_seed(seed) for seed in range(8)]
    batches = [_masked(mask, few, special, mask_id, vocabulary, 0.4, draw) for draw in draws]
    chosen = [(labels != IGNORE, inputs == mask_id) for inputs, labels in batches]
    _counts_vary([(int(c.sum()), int((c & hidden).sum())) for c, hidden in chosen], 0.4 * ordinary)
    return praise[0]


def _masked(
    mask: Callable[..., tuple[Tensor, Tensor]],
    ids: Tensor,
    special: Collection[int],
    mask_id: int,
    vocabulary: int,
    share: float,
    draw: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """The learner's inputs and labels as tensors of integers."""
    given, given_special = ids.clone(), set(special)
    answer = mask(given, given_special, mask_id, vocabulary, share, draw)
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        raise Wrong(f"return two tensors, what the model reads and the labels; you return {describe(answer)}.")
    found = []
    for name, part in zip(("what the model reads", "the labels"), answer, strict=True):
        values = array(part, f"two tensors, what the model reads and the labels ({name})")
        if values.shape != tuple(ids.shape):
            raise Wrong(f"{name} should have the shape {tuple(ids.shape)}, as the ids have; yours has {values.shape}.")
        if not np.array_equal(values, np.round(values)):
            raise Wrong(f"{name} should hold ids, which are whole numbers; yours is {describe(part)}.")
        found.append(torch.tensor(values).long())
    if not torch.equal(given, ids):
        raise Wrong("your function changes the ids that it was given; work on a copy.")
    if given_special != special:
        raise Wrong("your function changes `special`, the collection of special ids; work on a copy.")
    return found[0], found[1]


def _masked_well(
    inputs: Tensor, labels: Tensor, ids: Tensor, special: Collection[int], mask_id: int, vocabulary: int, share: float
) -> str:
    """The praise for one answer, or `Wrong` with its mistake."""
    is_special = torch.isin(ids, torch.tensor(sorted(special)))
    chosen, changed = labels != IGNORE, inputs != ids
    if (inputs == IGNORE).any() and not chosen.all():
        raise Wrong(f"what the model reads holds {IGNORE}, which is no piece; only labels do.")
    if (inputs == IGNORE).any():
        raise Wrong("the two are in the wrong order: first what the model reads, then the labels.")
    if not chosen.any():
        raise Wrong(f"no piece was chosen: the labels are all {IGNORE}.")
    if chosen.all():
        raise Wrong(f"every position has a label: where no piece was chosen, the label is {IGNORE}.")
    if changed.any() and not (changed & chosen).any():
        raise Wrong(
            f"the labels are inverted: where you changed a piece the label is {IGNORE}, and where you left it the label "
            "is the piece. It should be the other way round."
        )
    if (chosen & is_special).any():
        if torch.equal(chosen | is_special, torch.ones_like(chosen)):
            raise Wrong(f"every ordinary piece has a label: where no piece was chosen, the label is {IGNORE}.")
        raise Wrong("a special token was chosen to be guessed. They are never masked, wherever they stand.")
    if (labels[chosen] == mask_id).all():
        raise Wrong("the labels say [MASK]: they must say the piece that was there before.")
    if not torch.equal(labels[chosen], ids[chosen]):
        raise Wrong("a label is not the original piece.")
    if (changed & ~chosen).any():
        raise Wrong(
            "a piece was changed that has no label: where a piece is hidden or replaced, the label is the original piece."
        )

    ordinary = int((~is_special).sum())
    n = int(chosen.sum())
    _independent(chosen, ~is_special, ids, "chosen")
    if abs(n / ordinary - share) > _margin(share, ordinary):
        raise Wrong(f"{n / ordinary:.1%} of the ordinary pieces were chosen, expected about {share:.0%}.")
    masked = inputs == mask_id
    hidden, same, other = (int((chosen & x).sum()) / n for x in (masked, ~changed, changed & ~masked))
    said = (
        f" Of the chosen pieces you turn {hidden:.1%} into [MASK] and {other:.1%} into another piece, and leave "
        f"{same:.1%}."
    )
    if hidden > 0.99:
        raise Wrong("all chosen pieces become [MASK]; 80% should, 10% a random piece, 10% stay." + said)
    # A random piece is the old one once in 47 times, which counts as left.
    if abs(hidden - 0.8) > _margin(0.8, n) or abs(same - 0.102) > _margin(0.102, n):
        raise Wrong(
            "the shares should be near 80%, 10% and 10%; draw once per piece and compare with 0.8 and 0.9." + said
        )
    _independent(masked & chosen, chosen, ids, "turned into [MASK]")
    _random_pieces(inputs, chosen & changed & ~masked, ids, special, vocabulary)
    return (
        f"{n / ordinary:.1%} chosen; of these {hidden:.1%} hidden, {other:.1%} replaced, {same:.1%} left; special tokens "
        "never."
    )


def _margin(share: float, n: int) -> float:
    """How far a share of n independent draws may be from what is expected: five standard errors."""
    return 5 * math.sqrt(share * (1 - share) / n)


def _independent(found: Tensor, among: Tensor, ids: Tensor, what: str) -> None:
    """Raise `Wrong` unless the places found among others look as if each had been drawn by itself.

    The numbers found in rows, in columns, among equal pieces and next to each other are compared with what independent
    draws give; a deviation of more than six standard errors counts.
    """
    rate = float(found.sum() / among.sum())
    both, pairs = float((found[:, 1:] & found[:, :-1]).sum()), float((among[:, 1:] & among[:, :-1]).sum())
    scores, margins = {}, {}
    rows, columns = torch.meshgrid(*map(torch.arange, ids.shape), indexing="ij")
    for one, group in {"row": rows, "column": columns, "kind of piece": ids}.items():
        expected = torch.bincount(group[among]) * rate
        number = torch.bincount(group[found], minlength=len(expected))[expected > 0]
        expected = expected[expected > 0]
        # The mean squared deviation in units of its variance: 1, with a standard error of about sqrt(2 / groups).
        scores[one] = float(((number - expected) ** 2 / (expected * (1 - rate))).mean())
        margins[one] = 6 * math.sqrt(2 / len(expected))
    plurals = {"row": "rows", "column": "columns", "kind of piece": "kinds of pieces"}
    for one, score in scores.items():
        plural = plurals[one]
        if score > 5 + margins[one]:
            raise Wrong(
                f"in some {plural} far more pieces are {what} than in others: draw for each piece by itself, not for a "
                f"whole {one}."
            )
    for one, score in scores.items():
        plural = plurals[one]
        if score < 1 - margins[one]:
            raise Wrong(
                f"in all {plural} almost the same number of pieces is {what}: draw for each piece by itself, not a fixed "
                f"number in each {one}."
            )
        if score > 1 + margins[one]:
            raise Wrong(
                f"in some {plural} more pieces are {what} than by chance: draw for each piece by itself, not for runs of "
                "pieces."
            )
    if abs(both - pairs * rate**2) > 6 * math.sqrt(pairs * rate**2 * (1 - rate**2)):
        more = "more" if both > pairs * rate**2 else "less"
        raise Wrong(
            f"neighbours are {what} together {more} often than by chance: draw for each piece by itself, not for runs of "
            "pieces or every n-th one."
        )


def _random_pieces(inputs: Tensor, replaced: Tensor, ids: Tensor, special: Collection[int], vocabulary: int) -> None:
    """Raise `Wrong` unless the pieces that stand for others are ordinary ones, each drawn by itself."""
    pieces, ordinary = inputs[replaced], vocabulary - len(special)
    if torch.isin(pieces, torch.tensor(sorted(special))).any():
        raise Wrong("a random piece was drawn that is special; draw ordinary ones.")
    if pieces.min() < 0 or pieces.max() >= vocabulary:
        raise Wrong(f"a random piece is {int(pieces.max())}; the ids go from 0 to {vocabulary - 1}.")
    if len(pieces.unique()) == 1:
        raise Wrong("all replaced pieces become the same piece: draw one for each.")
    missing, by_chance = ordinary - len(pieces.unique()), ordinary * (1 - 1 / ordinary) ** len(pieces)
    if missing > by_chance + 6 * math.sqrt(by_chance) + 0.5:
        raise Wrong(f"random pieces are drawn from {len(pieces.unique())} of the {ordinary} ordinary ones only.")
    rows, columns = replaced.nonzero().T
    for each, place in {"of one row": rows, "of one column": columns, "that were alike": ids[replaced]}.items():
        together = place[:, None] == place[None, :]
        pairs = float(together.sum() - len(pieces)) / 2
        alike = float((together & (pieces[:, None] == pieces[None, :])).sum() - len(pieces)) / 2
        by_chance = pairs / ordinary
        if alike > by_chance + 6 * math.sqrt(by_chance) + 3:
            raise Wrong(f"the replaced pieces {each} become the same piece: draw one for each piece.")


def _drawn_well(inputs_of: Callable[[torch.Generator], Tensor]) -> None:
    """Raise `Wrong` unless all chance comes from the generator."""
    draw = torch.Generator().manual_seed(1)
    first, second = inputs_of(draw), inputs_of(draw)
    if not torch.equal(inputs_of(torch.Generator().manual_seed(1)), first):
        raise Wrong("the same generator gives another result the second time: pass `generator=draw` to every draw.")
    if torch.equal(inputs_of(torch.Generator().manual_seed(2)), first):
        raise Wrong("another generator hides the same pieces: draw from the one you are given, do not seed your own.")
    if torch.equal(first, second):
        raise Wrong(
            "two calls in a row with one generator hide the same pieces: draw from the generator itself, not from a new "
            "one with its seed."
        )


def _counts_vary(counts: list[tuple[int, int]], expected: float) -> None:
    """Raise `Wrong` if every batch has exactly the expected number chosen, or 80% of its chosen ones hidden."""
    if all(abs(chosen - expected) < 1 for chosen, _ in counts):
        raise Wrong(
            "every batch has the same number of chosen pieces: draw for each piece by itself, not a fixed number in each "
            "batch."
        )
    if all(abs(hidden - 0.8 * chosen) < 1 for chosen, hidden in counts):
        raise Wrong(
            "in every batch exactly 80% of the chosen pieces become [MASK]: draw for each piece by itself, not a fixed "
            "number in each batch."
        )


@exercise
def perplexity(compute: Callable[[Sequence[Sequence[float]]], float]) -> str:
    """Check `compute(losses)`: the perplexity over all pieces of documents of unlike lengths, from losses in nats."""
    cases = [
        ("one document whose pieces each had 8 equally likely candidates", [[math.log(8)] * 5]),
        (
            "a piece with 64 candidates, one that was certain, one with 4 and another that was certain",
            [[math.log(64), 0.0, math.log(4), 0.0]],
        ),
        ("three documents, the last one short", [[2.0, 0.5, 1.0], [0.3, 2.5, 4.0, 1.0], [6.0]]),
        ("a document of one easy piece and one of three hard ones", [[0.1], [3.0, 4.0, 5.0]]),
        ("a document of 2,000 pieces", [[2.0] * 2000]),
    ]
    for name, losses in cases:
        given = copy.deepcopy(losses)
        answer = compute(given)
        found = number(answer)
        if given != losses:
            raise Wrong("your function changes the losses that it was given; leave them as they are.")
        flat = [loss for document in losses for loss in document]
        wanted = math.exp(sum(flat) / len(flat))
        tolerance = max(1e-5, 20 * precision(answer))
        if math.isclose(found, wanted, rel_tol=tolerance):
            continue
        texts = side_by_side(found, wanted)
        said = f" For {name} you return {texts[0]}; the perplexity is {texts[1]}."
        for message, guess in _perplexed(losses).items():
            if math.isclose(found, guess, rel_tol=tolerance):
                raise Wrong(message + said)
        if not math.isfinite(found) or found > 1e50:
            raise Wrong(
                "the number is far too large: divide the summed loss by the number of pieces before exp." + said
            )
        decimals = rounded_to(np.array([found]), np.array([wanted]), max(SINGLE, precision(answer)))
        if decimals is not None:
            raise Wrong(f"the number is rounded to {decimals} decimals; return it as it is." + said)
        raise Wrong("this is not exp of the mean loss over all pieces of all documents." + said)
    return "exp of the mean loss over all pieces: 8 equally likely candidates give 8."


def _perplexed(losses: Sequence[Sequence[float]]) -> dict[str, float]:
    """What typical mistakes make of the losses, by the message that names them."""
    flat = [loss for document in losses for loss in document]
    mean, of_documents = float(np.mean(flat)), [float(np.mean(document)) for document in losses]
    with np.errstate(over="ignore"):
        return {
            "the exponential is missing: this is the mean loss.": mean,
            "this is the sum of the losses; the perplexity is exp of their mean.": sum(flat),
            "the losses are in nats, so the base is e, not 2.": 2**mean,
            "the losses are in nats, so the base is e, not 10.": 10.0**mean,
            "average over pieces, not over documents: a short document weighs as much as a long one here.": math.exp(
                np.mean(of_documents)
            ),
            "you average the perplexities of the documents; take exp of the mean over all pieces.": float(
                np.mean(np.exp(of_documents))
            ),
            "take the mean of the losses first and the exponential of that, not the mean of exponentials.": float(
                np.mean(np.exp(flat))
            ),
            "the sign is wrong: a loss is already the negative logarithm of a probability.": math.exp(-mean),
            "you use only the first document; use all.": math.exp(of_documents[0]),
            "you use only the last document; use all.": math.exp(of_documents[-1]),
            "losses of 0 are left out; a piece that was certain counts, too.": math.exp(
                np.mean([x for x in flat if x])
            ),
            "the first piece of each document is left out; take all.": math.exp(
                np.mean([x for document in losses for x in document[1:]])
            ),
            "you divide by one less than the number of pieces.": float(np.exp(sum(flat) / max(len(flat) - 1, 1))),
            "you divide by one more than the number of pieces.": math.exp(sum(flat) / (len(flat) + 1)),
            "this is exp of the summed loss; divide the sum by the number of pieces first.": float(np.exp(sum(flat))),
            "you divide by the number of documents; divide by the number of pieces.": float(
                np.exp(sum(flat) / len(losses))
            ),
            "this is exp of the median loss; take the mean.": math.exp(np.median(flat)),
            "the mean loss is raised to a power of e; the perplexity is e raised to the mean loss.": mean**math.e,
        }


@exercise
def attention_head(attend: Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]) -> str:
    """Check `attend(states, W_q, W_k, W_v, allowed)`: one head of scaled dot-product attention, (length, width)."""
    for name, allowed, size in _who_looks():
        _attend_once(attend, name, allowed, size)
    return "each position gets a weighted mean of the values that it may look at, and of nothing else."


def _attend_once(attend: Callable[..., Tensor], name: str, allowed: Tensor, size: float) -> None:
    """Raise `Wrong` if the learner's head is wrong in one case; `size` is that of its weights."""
    length = len(allowed)
    d, width = length + 4, length // 2 + 2
    draw = torch.Generator().manual_seed(length)
    states = torch.randn(length, d, generator=draw)
    W_q, W_k, W_v = (torch.randn(d, width, generator=draw) * scale for scale in (size, size, 1))
    if size > 1:
        W_k = -W_q  # so that all scores of a position with itself are far below 0
    inputs = states, W_q, W_k, W_v, allowed
    given = tuple(tensor.clone() for tensor in inputs)
    answer = attend(*given)
    found = array(answer, f"a tensor of shape {(length, width)}: one vector for each position")
    if found.ndim == 0:
        raise Wrong(f"return a tensor of shape {(length, width)}, one vector for each position; you return one number.")
    if any(not torch.equal(a, b) for a, b in zip(given, inputs, strict=True)):
        raise Wrong("your function changes a tensor that it was given; work on a copy.")
    exact = [tensor.double().numpy() for tensor in inputs[:4]]
    wanted = _attended(*exact, allowed.numpy())
    tolerance = max(1e-3, 20 * precision(answer))

    def same(guess: NDArray, rows: NDArray | slice) -> bool:
        return found.shape == guess.shape and np.allclose(found[rows], guess[rows], rtol=tolerance, atol=tolerance)

    if same(wanted, slice(None)):
        return
    # A row that may look at nothing, as some do under an inverted mask, is NaN; so is one whose scores overflow.
    finite = np.isfinite(found).reshape(len(found), -1).all(axis=1)
    said = f" (For {name}: {length} positions of {d} numbers, a head {width} wide.)"
    for message, mistake in _MISTAKEN_HEADS.items():
        if size > 1 and mistake != {"hide": "-100"}:
            continue  # the cases before have found all others, and large scores make many of them look alike
        if (finite.all() if size > 1 else finite.any()) and same(_attended(*exact, allowed.numpy(), **mistake), finite):
            raise Wrong(message + said)
    if found.shape != wanted.shape:
        raise Wrong(f"the result has the shape {found.shape}, expected {wanted.shape}." + said)
    if not np.isfinite(found).all() and size < 1:
        raise Wrong(
            "the result holds NaN or infinity, though the scores are small. 0 times infinity is NaN, and so is a softmax "
            "over nothing: hide scores by masked_fill or torch.where." + said
        )
    if not np.isfinite(found).all():
        raise Wrong(
            "the result holds NaN or infinity. Scores can be large, and exp of a large number overflows: from each row "
            "subtract the maximum of its allowed scores first, or use torch.softmax." + said
        )
    wrong = np.flatnonzero(~np.isclose(found, wanted, rtol=tolerance, atol=tolerance).all(axis=1)).tolist()
    raise Wrong(
        f"the vectors of the positions {wrong} are not the means of the allowed values, weighted by the softmax of "
        "the scaled scores." + said
    )


def _who_looks() -> list[tuple[str, Tensor, float]]:
    """Cases for a head: a name, who may look at whom, and the size of the weights."""
    causal = torch.ones(6, 6, dtype=torch.bool).tril()
    left = torch.ones(5, 5, dtype=torch.bool)
    left[:, :2] = False
    mixed = torch.rand(7, 7, generator=torch.Generator().manual_seed(3)) < 0.4
    mixed.fill_diagonal_(True)
    return [
        ("a causal mask", causal, 0.5),
        ("padding on the left", left, 0.5),
        ("a mask without any order", mixed, 0.5),
        ("no mask at all", torch.ones(8, 8, dtype=torch.bool), 0.5),
        ("a causal mask and large scores", causal, 10.0),
        ("a text of one piece", torch.ones(1, 1, dtype=torch.bool), 0.5),
    ]


def _attended(
    states: NDArray,
    W_q: NDArray,
    W_k: NDArray,
    W_v: NDArray,
    allowed: NDArray,
    *,
    scale: str = "width",
    axis: int | None = 1,
    hide: str = "before",
    order: str = "qkv",
    output: str = "mean",
) -> NDArray:
    """The right answer in float64, or with another setting what a typical mistake computes."""
    queries, keys, values = states @ W_q, states @ W_k, states @ W_v
    parts = {"q": queries, "k": keys, "v": values}
    queries, keys, values = (parts[letter] for letter in order)
    d, width = W_q.shape
    by = {
        "width": math.sqrt(width),
        "none": 1,
        "d": math.sqrt(d),
        "no root": width,
        "length": math.sqrt(len(states)),
        "times": 1 / math.sqrt(width),
    }
    scores = queries @ keys.T / by[scale]
    if hide == "inverted":
        allowed = ~allowed
    if hide == "transposed":
        allowed = allowed.T
    if hide in ("before", "inverted", "transposed"):
        scores = np.where(allowed, scores, -1e300)
    elif hide == "zero before":
        scores = np.where(allowed, scores, 0)
    elif hide == "minus one":
        scores = scores - ~allowed
    elif hide in ("-1", "-100"):
        scores = np.where(allowed, scores, float(hide))
    weights = np.exp(scores - scores.max(axis=axis, keepdims=True))
    weights /= weights.sum(axis=axis, keepdims=True)
    if hide == "after":
        weights = weights * allowed
    if output == "softmax twice":
        weights = np.exp(weights) / np.exp(weights).sum(axis=axis, keepdims=True)
    if output == "scores":
        weights = scores
    if output == "weights":
        return weights
    if output == "states":
        return weights @ states
    if output == "transposed":
        return (weights @ values).T
    return weights.T @ values if output == "columns" else weights @ values


_MISTAKEN_HEADS: dict[str, dict[str, Any]] = {
    "the scores are not scaled: divide them by the square root of the head's width.": {"scale": "none"},
    "the scores are divided by the width; divide by its square root.": {"scale": "no root"},
    "the scores are divided by the square root of the width of the states; take the width of the head, which is the "
    "length of a query.": {"scale": "d"},
    "the scores are divided by the square root of the number of positions; take the width of the head.": {
        "scale": "length"
    },
    "the softmax is taken twice: the weights of a row sum to 1 already.": {"output": "softmax twice"},
    "the scores are multiplied by the square root of the width; divide by it.": {"scale": "times"},
    "the softmax runs over the wrong axis: each row, one position that looks, must have weights that sum to 1 (dim=1).": {
        "axis": 0
    },
    "the softmax runs over all scores together: each row, one position that looks, must have weights that sum to 1.": {
        "axis": None
    },
    "the mask acts after the softmax, so the weights of a row no longer sum to 1: set the scores to minus infinity "
    "before the softmax.": {"hide": "after"},
    "the mask is inverted: True in `allowed` means that looking is allowed.": {"hide": "inverted"},
    "the mask is transposed: rows look at columns.": {"hide": "transposed"},
    "the mask is not used: every position looks at all others.": {"hide": "never"},
    "the mask makes a score 0, and exp(0) is 1, so hidden positions still get weight: minus infinity makes it 0.": {
        "hide": "zero before"
    },
    "the mask is added to the scores as 0 and 1 (or as -1 and 0), so hidden positions still get weight: set their scores "
    "to minus infinity.": {"hide": "minus one"},
    "the mask sets a score to -1, and exp(-1) is not 0, so hidden positions still get weight: use minus infinity.": {
        "hide": "-1"
    },
    "the mask sets a score to a number such as -100 or -1000, which is not low enough where scores are large: use minus "
    "infinity.": {"hide": "-100"},
    "queries and keys are swapped: row i holds the scores of query i against all keys.": {"order": "kqv"},
    "keys and values are swapped: scores come from queries and keys, the result from values.": {"order": "qvk"},
    "queries and values are swapped: scores come from queries and keys, the result from values.": {"order": "vkq"},
    "the keys are used as the values, too: multiply the weights by states @ W_v.": {"order": "qkk"},
    "these are the weights; multiply them by the values.": {"output": "weights"},
    "the softmax is missing: the weights of a row must be positive and sum to 1.": {"output": "scores"},
    "the weights are applied to the states; apply them to the values, states @ W_v.": {"output": "states"},
    "the result is transposed.": {"output": "transposed"},
    "the weights are transposed before they meet the values: row i belongs to the position that looks.": {
        "output": "columns"
    },
}
