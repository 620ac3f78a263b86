"""The exercises of lesson 01: the causal mask, perplexity, masking."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence

import numpy as np
import torch
from torch import Tensor

from babyagi_lib.checks.verdict import Wrong, exercise
from babyagi_lib.tagging import IGNORE


@exercise("01_pretraining")
def causal_mask(make: Callable[[int], Tensor]) -> str:
    """Check `make(length)`: (length, length) booleans, True where the row's position may look at the column's."""
    for length in (5, 1, 2):
        found = make(length)
        if found is None:
            raise Wrong("your function returns nothing; return the mask.")
        found = torch.as_tensor(found)
        if found.shape != (length, length):
            raise Wrong(
                f"for {length} pieces the mask has the shape {tuple(found.shape)}, expected {(length, length)}."
            )
        if found.dtype != torch.bool:
            raise Wrong(f"the mask holds {found.dtype}; expected True and False (torch.bool).")
        wanted = torch.tril(torch.ones(length, length, dtype=torch.bool))
        if torch.equal(found, wanted):
            continue
        shown = f" For {length} pieces you return {found.int().tolist()}."
        if torch.equal(found, wanted.T):
            raise Wrong(
                "the mask is transposed: every piece looks at what comes after it. Rows look at columns." + shown
            )
        if torch.equal(found, ~wanted):
            raise Wrong("the mask is inverted: True must mean that looking is allowed." + shown)
        if not found.diagonal().any():
            raise Wrong(
                "no piece may look at itself. It may: its own piece is known, the next one is to be guessed." + shown
            )
        if (found & ~wanted).any():
            raise Wrong("some piece looks into the future, and would be shown the answer." + shown)
        raise Wrong("some piece may not look at all pieces before it." + shown)
    return "every piece sees itself and what came before, and nothing that comes after."


@exercise("01_pretraining")
def perplexity(compute: Callable[[Sequence[Sequence[float]]], float]) -> str:
    """Check `compute(losses)`: the perplexity over all pieces of documents of unlike lengths, from losses in nats."""
    cases = [
        ("one document whose pieces each had 8 equally likely candidates", [[math.log(8)] * 5]),
        ("one piece that was certain and one with 16 candidates", [[0.0, math.log(16)]]),
        ("a document of one easy piece and one of three hard ones", [[0.1], [3.0, 4.0, 5.0]]),
        ("a document of 2,000 pieces", [[2.0] * 2000]),
    ]
    for name, losses in cases:
        flat = [loss for document in losses for loss in document]
        wanted = math.exp(sum(flat) / len(flat))
        found = compute(losses)
        if found is None:
            raise Wrong("your function returns nothing; return a number.")
        found = float(found)
        if math.isclose(found, wanted, rel_tol=1e-6):
            continue
        said = f" For {name} you return {found:.4g}; it is {wanted:.4g}."
        guesses = {
            "the exponential is missing: this is the mean loss.": sum(flat) / len(flat),
            "the losses are in nats, so the base is e, not 2.": 2 ** (sum(flat) / len(flat)),
            "average over pieces, not over documents: a short document weighs as much as a long one here.": math.exp(
                np.mean([np.mean(document) for document in losses])
            ),
            "take the mean of the losses first and the exponential of that, not the mean of exponentials.": float(
                np.mean(np.exp(flat))
            ),
            "the sign is wrong: a loss is already the negative logarithm of a probability.": 1 / wanted,
        }
        for told, value in guesses.items():
            if math.isclose(found, value, rel_tol=1e-6):
                raise Wrong(told + said)
        if not math.isfinite(found) or found > 1e50:
            raise Wrong("the number explodes: divide the summed loss by the number of pieces before exp." + said)
        raise Wrong("the number is another." + said)
    return "exp of the mean loss over all pieces: 8 equally likely candidates give 8."


@exercise("01_pretraining")
def masking(mask: Callable[[Tensor, Collection[int], int, int, float, torch.Generator], tuple[Tensor, Tensor]]) -> str:
    """Check `mask(ids, special, mask_id, vocabulary, share, draw)`, by counting what it does to 40,000 pieces."""
    special, mask_id, vocabulary = {0, 7, 31}, 7, 50
    ordinary_ids = torch.tensor([i for i in range(vocabulary) if i not in special])
    pick = torch.randint(len(ordinary_ids), (400, 100), generator=torch.Generator().manual_seed(0))
    ids = ordinary_ids[pick]
    ids[:, 0] = torch.tensor([0, 7, 31, 0]).repeat(100)  # every block begins with a special token
    for share in (0.2, 0.4):
        praise = _masked_well(mask, ids, special, mask_id, vocabulary, share)
    return praise


def _masked_well(
    mask: Callable[..., tuple[Tensor, Tensor]],
    ids: Tensor,
    special: Collection[int],
    mask_id: int,
    vocabulary: int,
    share: float,
) -> str:
    """One round of the check, with one share."""
    before = ids.clone()
    answer = mask(ids, special, mask_id, vocabulary, share, torch.Generator().manual_seed(1))
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        raise Wrong("return two tensors: what the model reads, and the labels.")
    inputs, labels = answer
    if inputs.shape != ids.shape or labels.shape != ids.shape:
        raise Wrong(f"inputs {tuple(inputs.shape)} and labels {tuple(labels.shape)} must both be {tuple(ids.shape)}.")
    if not torch.equal(ids, before):
        raise Wrong("your function changes the ids that it was given; work on a copy.")
    chosen = labels != IGNORE
    if not chosen.any():
        raise Wrong(f"no piece was chosen: the labels are all {IGNORE}.")
    if chosen.all():
        raise Wrong(f"every position has a label: where no piece was chosen, the label is {IGNORE}.")
    if chosen[:, 0].any():
        raise Wrong("a special token was chosen to be guessed. They are never masked.")
    if (labels[chosen] == mask_id).all():
        raise Wrong("the labels say [MASK]: they must say the piece that was there before.")
    if not torch.equal(labels[chosen], ids[chosen]):
        raise Wrong("a label is not the original piece.")
    if not torch.equal(inputs[~chosen], ids[~chosen]):
        raise Wrong("a piece that was not chosen was changed, so the model would have to guess what it is not told to.")

    ordinary = ids[:, 1:].numel()
    found = chosen.sum().item() / ordinary
    if abs(found - share) > 0.01:
        raise Wrong(f"{found:.1%} of the ordinary pieces were chosen, expected about {share:.0%}.")
    n = chosen.sum().item()
    masked = (inputs[chosen] == mask_id).sum().item() / n
    same = (inputs[chosen] == ids[chosen]).sum().item() / n
    other = 1 - masked - same
    said = f" Of the chosen pieces you turn {masked:.1%} into [MASK] and {other:.1%} into another piece, and leave {same:.1%}."
    if masked > 0.99:
        raise Wrong("all chosen pieces become [MASK]; 80% should, 10% a random piece, 10% stay." + said)
    # A random piece is the old one once in 47 times, which counts as left.
    if abs(masked - 0.8) > 0.015 or abs(same - 0.102) > 0.012:
        raise Wrong(
            "the shares should be near 80%, 10% and 10%; draw once per piece and compare with 0.8 and 0.9." + said
        )
    replaced = inputs[chosen & (inputs != mask_id) & (inputs != ids)]
    if torch.isin(replaced, torch.tensor(sorted(special))).any():
        raise Wrong("a random piece was drawn that is special; draw ordinary ones.")
    if len(replaced.unique()) < vocabulary - len(special):
        raise Wrong(
            f"random pieces are drawn from {len(replaced.unique())} of the {vocabulary - len(special)} ordinary ones only."
        )
    again, _ = mask(ids, special, mask_id, vocabulary, share, torch.Generator().manual_seed(1))
    if not torch.equal(again, inputs):
        raise Wrong("the same generator gives another result the second time: pass `generator=draw` to every draw.")
    other_draw, _ = mask(ids, special, mask_id, vocabulary, share, torch.Generator().manual_seed(2))
    if torch.equal(other_draw, inputs):
        raise Wrong("another generator hides the same pieces: draw from the one you are given, do not seed your own.")
    return f"{found:.1%} chosen; of these {masked:.1%} hidden, {other:.1%} replaced, {same:.1%} left; special tokens never."
