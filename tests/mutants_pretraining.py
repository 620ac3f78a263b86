"""Right and wrong answers to the exercises of lesson 01, with what each wrong one should be told."""

import numpy as np
import torch

from babyagi_lib import checks, pretraining

tril = torch.tril


def ones(n):
    return torch.ones(n, n, dtype=torch.bool)


def flat(losses):
    return [loss for document in losses for loss in document]


def only_mask(ids, special, mask_id, vocabulary, share, draw):
    labels = pretraining.mask_tokens(ids, special, mask_id, vocabulary, share, draw)[1]
    return torch.where(labels != -100, mask_id, ids), labels


def special_too(ids, special, mask_id, vocabulary, share, draw):
    return pretraining.mask_tokens(ids, set(), mask_id, vocabulary, share, draw)


def labels_everywhere(ids, *rest):
    return pretraining.mask_tokens(ids, *rest)[0], ids


def labels_after_masking(ids, *rest):
    labels = pretraining.mask_tokens(ids, *rest)[1]
    return only_mask(ids, *rest)[0], torch.where(labels != -100, rest[1], -100)


def in_place(ids, *rest):
    inputs, labels = pretraining.mask_tokens(ids, *rest)
    ids.copy_(inputs)
    return ids, labels


def one_draw_for_all(ids, special, mask_id, vocabulary, share, draw):
    """The draw that chose a piece also decides its fate."""
    x = torch.rand(ids.shape, generator=draw)
    chosen = (x < share) & ~torch.isin(ids, torch.tensor(sorted(special)))
    inputs = torch.where(chosen & (x < 0.8), mask_id, ids)
    return inputs, torch.where(chosen, ids, -100)


def thirds(ids, special, mask_id, vocabulary, share, draw):
    """80% hidden, but the fate of the rest is drawn anew: 2% replaced."""
    inputs, labels = pretraining.mask_tokens(ids, special, mask_id, vocabulary, share, draw)
    return torch.where(inputs == mask_id, inputs, ids), labels


def random_special(ids, special, mask_id, vocabulary, share, draw):
    inputs, labels = pretraining.mask_tokens(ids, special, mask_id, vocabulary, share, draw)
    wrong = torch.randint(0, vocabulary, ids.shape, generator=draw)
    return torch.where((inputs != ids) & (inputs != mask_id), wrong, inputs), labels


def unseeded(ids, special, mask_id, vocabulary, share, draw):
    return pretraining.mask_tokens(ids, special, mask_id, vocabulary, share, torch.Generator().manual_seed(draw.seed()))


def own_seed(ids, special, mask_id, vocabulary, share, draw):
    return pretraining.mask_tokens(ids, special, mask_id, vocabulary, share, torch.Generator().manual_seed(0))


def lowest_are_special(ids, special, mask_id, vocabulary, share, draw):
    return pretraining.mask_tokens(ids, {0, 1, 2}, mask_id, vocabulary, share, draw)


def by_hand(ids, special, mask_id, vocabulary, share, draw):
    ordinary = [i for i in range(vocabulary) if i not in special]
    inputs, labels = ids.clone(), torch.full_like(ids, -100)
    for row in range(ids.shape[0]):
        for column in range(ids.shape[1]):
            piece = ids[row, column].item()
            if piece in special or torch.rand((), generator=draw) >= share:
                continue
            labels[row, column] = piece
            fate = torch.rand((), generator=draw)
            if fate < 0.8:
                inputs[row, column] = mask_id
            elif fate < 0.9:
                inputs[row, column] = ordinary[torch.randint(len(ordinary), (), generator=draw)]
    return inputs, labels


CASES = [
    (checks.causal_mask, lambda n: tril(ones(n))),
    (checks.causal_mask, lambda n: [[j <= i for j in range(n)] for i in range(n)]),
    (checks.perplexity, lambda losses: np.exp(np.mean(np.concatenate(losses)))),
    (checks.masking, pretraining.mask_tokens),
    (checks.masking, by_hand),
    (checks.masking, lambda *given: list(pretraining.mask_tokens(*given))),
]
MUTANTS = [
    (checks.causal_mask, lambda n: tril(ones(n)).T, "transposed"),
    (checks.causal_mask, lambda n: ~tril(ones(n)), "inverted"),
    (checks.causal_mask, lambda n: tril(ones(n), -1), "look at itself"),
    (checks.causal_mask, lambda n: tril(ones(n), 1), "into the future"),
    (checks.causal_mask, ones, "into the future"),
    (checks.causal_mask, lambda n: tril(ones(n)) & ~tril(ones(n), -3), "all pieces before"),
    (checks.causal_mask, lambda n: tril(torch.ones(n, n)), "True and False"),
    (checks.causal_mask, lambda n: tril(ones(n + 1)), "expected (5, 5)"),
    (checks.causal_mask, lambda n: None, "returns nothing"),
    (checks.perplexity, lambda losses: np.mean(flat(losses)), "exponential is missing"),
    (checks.perplexity, lambda losses: 2 ** np.mean(flat(losses)), "not 2"),
    (checks.perplexity, lambda losses: np.exp(np.mean([np.mean(d) for d in losses])), "short document"),
    (checks.perplexity, lambda losses: np.mean(np.exp(flat(losses))), "mean of exponentials"),
    (checks.perplexity, lambda losses: np.exp(-np.mean(flat(losses))), "sign"),
    (checks.perplexity, lambda losses: np.exp(min(np.sum(flat(losses)), 700)), "is another"),
    (checks.perplexity, lambda losses: None, "returns nothing"),
    (checks.masking, only_mask, "all chosen pieces become"),
    (checks.masking, special_too, "special token was chosen"),
    (checks.masking, labels_everywhere, "every position has a label"),
    (checks.masking, labels_after_masking, "labels say [MASK]"),
    (checks.masking, in_place, "work on a copy"),
    (checks.masking, one_draw_for_all, "all chosen pieces become"),
    (checks.masking, thirds, "near 80%, 10% and 10%"),
    (checks.masking, own_seed, "another generator hides the same"),
    (checks.masking, lowest_are_special, "special token was chosen"),
    (checks.masking, lambda ids, s, m, v, share, d: pretraining.mask_tokens(ids, s, m, v, 0.2, d), "about 40%"),
    (checks.masking, random_special, "a random piece was drawn that is special"),
    (checks.masking, unseeded, "the same generator"),
    (
        checks.masking,
        lambda ids, s, m, v, share, d: pretraining.mask_tokens(ids, s, m, v, 0.15, d),
        "expected about 20%",
    ),
    (checks.masking, lambda ids, *rest: pretraining.mask_tokens(ids, *rest)[0], "return two tensors"),
]
