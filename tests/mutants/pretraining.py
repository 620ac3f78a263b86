"""Right and wrong answers to the exercises of lesson 01, with what each wrong one should be told."""

import math
from itertools import chain

import numpy as np
import torch
from torch.nn import functional as F

from babyagi_lib.learner.checks import pretraining as checks
from babyagi_lib.methods import pretraining

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


def as_hugging_face_does(ids, special, mask_id, vocabulary, share, draw):
    """Three Bernoulli draws, each on what the one before left."""
    labels, inputs = ids.clone(), ids.clone()
    chances = torch.full(labels.shape, share)
    chances[torch.isin(ids, torch.tensor(list(special)))] = 0.0
    chosen = torch.bernoulli(chances, generator=draw).bool()
    labels[~chosen] = -100
    hidden = torch.bernoulli(torch.full(labels.shape, 0.8), generator=draw).bool() & chosen
    inputs[hidden] = mask_id
    replaced = torch.bernoulli(torch.full(labels.shape, 0.5), generator=draw).bool() & chosen & ~hidden
    ordinary = torch.tensor(sorted(set(range(vocabulary)) - set(special)))
    inputs[replaced] = ordinary[torch.randint(len(ordinary), (int(replaced.sum()),), generator=draw)]
    return inputs, labels


def by_numpy(ids, special, mask_id, vocabulary, share, draw):
    rng = np.random.default_rng(int(torch.randint(2**31, (), generator=draw)))
    known = ids.numpy()
    ordinary = np.setdiff1d(np.arange(vocabulary), list(special))
    chosen = (rng.random(known.shape) < share) & np.isin(known, ordinary)
    fate = rng.choice(3, known.shape, p=[0.8, 0.1, 0.1])
    shown = np.select([chosen & (fate == 0), chosen & (fate == 1)], [mask_id, rng.choice(ordinary, known.shape)], known)
    return shown, np.where(chosen, known, -100)


def one_draw_rescaled(ids, special, mask_id, vocabulary, share, draw):
    """One draw for both decisions, stretched where a piece is chosen."""
    x = torch.rand(ids.shape, generator=draw)
    ordinary = torch.tensor([i for i in range(vocabulary) if i not in special])
    chosen = (x < share) & ~torch.isin(ids, torch.tensor(sorted(special)))
    fate = x / share
    pick = ordinary[(torch.rand(ids.shape, generator=draw) * len(ordinary)).long()]
    inputs = torch.where(chosen & (fate < 0.8), mask_id, torch.where(chosen & (fate < 0.9), pick, ids))
    return inputs, torch.where(chosen, ids, -100)


def masked_at(chosen, ids, special, mask_id, vocabulary, draw):
    """Labels and fates as they should be, at places chosen in another way."""
    inputs, _ = pretraining.mask_tokens(ids, special, mask_id, vocabulary, 1.0, draw)
    chosen &= ~torch.isin(ids, torch.tensor(sorted(special)))
    return torch.where(chosen, inputs, ids), torch.where(chosen, ids, -100)


def same_number_in_rows(ids, special, mask_id, vocabulary, share, draw):
    chances = torch.rand(ids.shape, generator=draw).masked_fill(torch.isin(ids, torch.tensor(sorted(special))), 2)
    order = chances.argsort(dim=1).argsort(dim=1)
    return masked_at(order < round(share * 97), ids, special, mask_id, vocabulary, draw)


def same_number_in_all(ids, special, mask_id, vocabulary, share, draw):
    """The right share of each row's own length."""
    is_special = torch.isin(ids, torch.tensor(sorted(special)))
    order = torch.rand(ids.shape, generator=draw).masked_fill(is_special, 2).argsort(dim=1).argsort(dim=1)
    number = (share * (~is_special).sum(dim=1, keepdim=True)).round()
    return masked_at(order < number, ids, special, mask_id, vocabulary, draw)


def whole_rows(ids, special, mask_id, vocabulary, share, draw):
    chosen = (torch.rand(len(ids), 1, generator=draw) < share).expand_as(ids).clone()
    return masked_at(chosen, ids, special, mask_id, vocabulary, draw)


def same_columns(ids, special, mask_id, vocabulary, share, draw):
    chosen = (torch.rand(ids.shape[1], generator=draw) < share).expand_as(ids).clone()
    return masked_at(chosen, ids, special, mask_id, vocabulary, draw)


def every_nth(ids, special, mask_id, vocabulary, share, draw):
    start = torch.randint(10, (len(ids), 1), generator=draw)
    chosen = (torch.arange(ids.shape[1]) * round(10 * share) + start) % 10 < round(10 * share)
    return masked_at(chosen, ids, special, mask_id, vocabulary, draw)


def spans(ids, special, mask_id, vocabulary, share, draw):
    chosen = (torch.rand(len(ids), ids.shape[1] // 2, generator=draw) < share).repeat_interleave(2, dim=1)
    return masked_at(chosen, ids, special, mask_id, vocabulary, draw)


def one_fate_for_a_row(ids, special, mask_id, vocabulary, share, draw):
    inputs, labels = pretraining.mask_tokens(ids, special, mask_id, vocabulary, share, draw)
    kept = inputs.masked_fill(inputs == mask_id, -1).where(inputs != mask_id, ids)
    hides = torch.rand(len(ids), 1, generator=draw) < 0.8
    chosen = labels != -100
    other = torch.where(torch.rand(ids.shape, generator=draw) < 0.5, ids, kept.roll(1, 0))
    return torch.where(chosen & hides, mask_id, torch.where(chosen, other, ids)), labels


def same_kinds(ids, special, mask_id, vocabulary, share, draw):
    """Draws pieces of the vocabulary, and hides them wherever they stand."""
    kinds = torch.rand(vocabulary, generator=draw) < share
    return masked_at(kinds[ids], ids, special, mask_id, vocabulary, draw)


def first_fates(ids, special, mask_id, vocabulary, share, draw):
    """Which pieces are hidden and which replaced goes by their order in the batch."""
    _, labels = pretraining.mask_tokens(ids, special, mask_id, vocabulary, share, draw)
    at = (labels != -100).flatten().nonzero()[:, 0]
    return fates_in_order(at, ids, special, mask_id, vocabulary, draw), labels


def fates_in_order(at, ids, special, mask_id, vocabulary, draw):
    """The first 80% of the chosen places are hidden, the next 10% replaced."""
    ordinary = torch.tensor([i for i in range(vocabulary) if i not in special])
    inputs, a, b = ids.flatten().clone(), int(0.8 * len(at)), int(0.9 * len(at))
    inputs[at[:a]] = mask_id
    inputs[at[a:b]] = ordinary[torch.randint(len(ordinary), (b - a,), generator=draw)]
    return inputs.view_as(ids)


def next_piece(ids, special, mask_id, vocabulary, share, draw):
    """A piece becomes the next one of the vocabulary."""
    inputs, labels = pretraining.mask_tokens(ids, special, mask_id, vocabulary, share, draw)
    ordinary = torch.tensor([i for i in range(vocabulary) if i not in special])
    after = torch.arange(vocabulary)
    after[ordinary] = ordinary.roll(-1)
    return torch.where((inputs != ids) & (inputs != mask_id), after[ids], inputs), labels


def exact_share_of_batch(ids, special, mask_id, vocabulary, share, draw):
    """As many pieces as the share of all ordinary ones, anywhere in the batch."""
    ordinary = (~torch.isin(ids, torch.tensor(sorted(special)))).flatten().nonzero()[:, 0]
    picked = ordinary[torch.randperm(len(ordinary), generator=draw)[: round(share * len(ordinary))]]
    chosen = torch.zeros(ids.numel(), dtype=torch.bool)
    chosen[picked] = True
    return masked_at(chosen.view_as(ids), ids, special, mask_id, vocabulary, draw)


def exact_fates_of_batch(ids, special, mask_id, vocabulary, share, draw):
    """Of the chosen pieces exactly 80% are hidden and 10% replaced, in random order."""
    _, labels = pretraining.mask_tokens(ids, special, mask_id, vocabulary, share, draw)
    at = (labels != -100).flatten().nonzero()[:, 0]
    at = at[torch.randperm(len(at), generator=draw)]
    return fates_in_order(at, ids, special, mask_id, vocabulary, draw), labels


def never_replaced(ids, special, mask_id, vocabulary, share, draw):
    _, labels = pretraining.mask_tokens(ids, special, mask_id, vocabulary, share, draw)
    hidden = (labels != -100) & (torch.rand(ids.shape, generator=draw) < 0.9)
    return torch.where(hidden, mask_id, ids), labels


def by_multinomial(ids, special, mask_id, vocabulary, share, draw):
    """The fate of each piece as a draw from three."""
    chosen = torch.bernoulli(torch.full(ids.shape, share), generator=draw).bool()
    chosen &= ~torch.isin(ids, torch.tensor(list(special)))
    fate = torch.multinomial(torch.tensor([0.8, 0.1, 0.1]), ids.numel(), True, generator=draw).view(1, *ids.shape)
    ordinary = torch.tensor([i for i in range(vocabulary) if i not in special])
    other = ordinary[torch.randint(len(ordinary), ids.shape, generator=draw)]
    shown = torch.stack([torch.full_like(ids, mask_id), other, ids]).gather(0, fate)[0]
    return torch.where(chosen, shown, ids), torch.where(chosen, ids, -100)


def inverted_labels(ids, *rest):
    inputs, labels = pretraining.mask_tokens(ids, *rest)
    return inputs, torch.where(labels == -100, ids, -100)


def one_random_piece(ids, special, mask_id, vocabulary, share, draw):
    inputs, labels = pretraining.mask_tokens(ids, special, mask_id, vocabulary, share, draw)
    return torch.where((inputs != ids) & (inputs != mask_id), 13, inputs), labels


def one_random_piece_a_row(ids, special, mask_id, vocabulary, share, draw):
    inputs, labels = pretraining.mask_tokens(ids, special, mask_id, vocabulary, share, draw)
    ordinary = torch.tensor([i for i in range(vocabulary) if i not in special])
    pick = ordinary[torch.randint(len(ordinary), (len(ids), 1), generator=draw)]
    return torch.where((inputs != ids) & (inputs != mask_id), pick, inputs), labels


def random_from_the_text(ids, special, mask_id, vocabulary, share, draw):
    """A piece from elsewhere in the batch, so that rare ones are never drawn."""
    inputs, labels = pretraining.mask_tokens(ids, special, mask_id, vocabulary, share, draw)
    text = ids[~torch.isin(ids, torch.tensor(sorted(special)))]
    pick = text[torch.randint(len(text), ids.shape, generator=draw)]
    return torch.where((inputs != ids) & (inputs != mask_id), pick, inputs), labels


def replaced_over_hidden(ids, special, mask_id, vocabulary, share, draw):
    """Half of all chosen pieces are replaced, also those that were hidden."""
    inputs, labels = pretraining.mask_tokens(ids, special, mask_id, vocabulary, share, draw)
    half = (torch.rand(ids.shape, generator=draw) < 0.5) & (labels != -100)
    ordinary = torch.tensor([i for i in range(vocabulary) if i not in special])
    return torch.where(half, ordinary[torch.randint(len(ordinary), ids.shape, generator=draw)], inputs), labels


def only_first_column_is_special(ids, special, mask_id, vocabulary, share, draw):
    inputs, labels = pretraining.mask_tokens(ids, set(), mask_id, vocabulary, share, draw)
    inputs[:, 0], labels[:, 0] = ids[:, 0], -100
    return inputs, labels


def labels_only_where_hidden(ids, special, mask_id, vocabulary, share, draw):
    inputs, labels = pretraining.mask_tokens(ids, special, mask_id, vocabulary, share, draw)
    return inputs, torch.where(inputs == mask_id, labels, -100)


def by_its_seed(ids, special, mask_id, vocabulary, share, draw):
    again = torch.Generator().manual_seed(draw.initial_seed())
    return pretraining.mask_tokens(ids, special, mask_id, vocabulary, share, again)


def global_draws(ids, special, mask_id, vocabulary, share, draw):
    return pretraining.mask_tokens(ids, special, mask_id, vocabulary, share, torch.default_generator)


def emptying_special(ids, special, mask_id, vocabulary, share, draw):
    found = pretraining.mask_tokens(ids, special, mask_id, vocabulary, share, draw)
    special.clear()
    return found


def perplexity_by_weights(losses):
    means, lengths = zip(*((sum(d) / len(d), len(d)) for d in losses), strict=True)
    return np.exp(np.average(means, weights=lengths))


def perplexity_by_torch(losses):
    return torch.cat([torch.tensor(d) for d in losses]).mean().exp()


def perplexity_by_roots(losses):
    n = sum(len(d) for d in losses)
    return math.prod(math.exp(loss / n) for d in losses for loss in d)


def perplexity_in_base_two(losses):
    bits = [loss / math.log(2) for d in losses for loss in d]
    return 2 ** (sum(bits) / len(bits))


# --- one attention head ---


def attend(states, W_q, W_k, W_v, allowed):
    queries, keys, values = states @ W_q, states @ W_k, states @ W_v
    scores = queries @ keys.T / math.sqrt(keys.shape[1])
    return scores.masked_fill(~allowed, -torch.inf).softmax(dim=1) @ values


def attend_by_torch(states, W_q, W_k, W_v, allowed):
    return F.scaled_dot_product_attention(states @ W_q, states @ W_k, states @ W_v, attn_mask=allowed)


def attend_by_numpy(states, W_q, W_k, W_v, allowed):
    x, q, k, v = (np.asarray(t, dtype=np.float64) for t in (states, W_q, W_k, W_v))
    scores = np.where(allowed.numpy(), (x @ q) @ (x @ k).T * q.shape[1] ** -0.5, -np.inf)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True) @ (x @ v)


def attend_by_loop(states, W_q, W_k, W_v, allowed):
    rows = []
    for i in range(len(states)):
        places = [j for j in range(len(states)) if allowed[i, j]]
        scores = torch.stack([(states[i] @ W_q) @ (states[j] @ W_k) for j in places]) / W_q.shape[1] ** 0.5
        rows.append(sum(w * (states[j] @ W_v) for w, j in zip(scores.softmax(0), places, strict=True)))
    return torch.stack(rows)


def attend_by_einsum(states, W_q, W_k, W_v, allowed):
    scaled = torch.einsum("id,dh,eh,je->ij", states, W_q / math.sqrt(W_q.shape[1]), W_k, states)
    weights = F.softmax(torch.where(allowed, scaled, torch.tensor(-1e9)), dim=-1)
    return torch.einsum("ij,jd,dh->ih", weights, states, W_v)


def attend_with_a_batch(states, W_q, W_k, W_v, allowed):
    q, k, v = ((states @ W)[None] for W in (W_q, W_k, W_v))
    scores = (q @ k.transpose(-2, -1) / k.shape[-1] ** 0.5).masked_fill(allowed.logical_not(), float("-inf"))
    return (torch.softmax(scores, -1) @ v)[0]


def attend_and_renormalise(states, W_q, W_k, W_v, allowed):
    """The mask after the exponential, and the sum after the mask."""
    scores = ((states @ W_q) @ (states @ W_k).T / W_q.shape[1] ** 0.5).double()
    weights = (scores - scores.masked_fill(~allowed, -torch.inf).amax(1, keepdim=True)).exp().where(allowed, 0.0)
    return weights.float() / weights.float().sum(dim=1, keepdim=True) @ (states @ W_v)


def attend_one_key_at_a_time(states, W_q, W_k, W_v, allowed):
    """Keeps the largest score so far, and rescales the sums when it grows."""
    rows = []
    for i, query in enumerate(states @ W_q):
        largest, total, result = -math.inf, 0.0, torch.zeros(W_v.shape[1])
        for j in allowed[i].nonzero()[:, 0]:
            score = float(query @ (states[j] @ W_k)) / math.sqrt(len(query))
            grown = max(largest, score)
            keep, weight = math.exp(largest - grown), math.exp(score - grown)
            total, result, largest = total * keep + weight, result * keep + weight * (states[j] @ W_v), grown
        rows.append(result / total)
    return torch.stack(rows)


def attend_with_log_of_the_mask(states, W_q, W_k, W_v, allowed):
    scores = (states @ W_q / W_q.shape[1] ** 0.25) @ (states @ W_k / W_q.shape[1] ** 0.25).T + allowed.float().log()
    return (scores - scores.logsumexp(1, keepdim=True)).exp() @ states @ W_v


def largest_before_the_mask(scores, allowed):
    """Where a hidden score is far above the others, nothing is left of these."""
    weights = (scores - scores.amax(dim=1, keepdim=True)).exp() * allowed
    return weights / weights.sum(dim=1, keepdim=True)


def head(scale=None, mask=None, weigh=None, dim=1, output=None):
    """The solution with one step replaced."""

    def attend(states, W_q, W_k, W_v, allowed):
        queries, keys, values = states @ W_q, states @ W_k, states @ W_v
        scores = queries @ keys.T
        scores = scores / (scale(states, keys) if scale else math.sqrt(keys.shape[1]))
        scores = mask(scores, allowed) if mask else scores.masked_fill(~allowed, -torch.inf)
        weights = weigh(scores, allowed) if weigh else scores.softmax(dim=dim)
        return output(weights, scores, values, states) if output else weights @ values

    return attend


def by_hand_overflowing(scores, allowed):
    weights = scores.exp()
    return weights / weights.sum(dim=1, keepdim=True)


def changes_allowed(states, W_q, W_k, W_v, allowed):
    found = attend(states, W_q, W_k, W_v, allowed)
    allowed.logical_not_()
    return found


def always_causal(states, W_q, W_k, W_v, allowed):
    return attend(states, W_q, W_k, W_v, torch.ones_like(allowed).tril())


def expects_a_batch(states, W_q, W_k, W_v, allowed):
    batch, length, d = states.shape
    return attend(states, W_q, W_k, W_v, allowed).view(batch, length, d)


RETURNS = {
    checks.causal_mask: "booleans",
    checks.perplexity: "number",
    checks.masking: "pair of integers",
    checks.attention_head: "array",
}
CASES = [
    (checks.causal_mask, lambda n: tril(ones(n))),
    (checks.causal_mask, lambda n: [[j <= i for j in range(n)] for i in range(n)]),
    (checks.causal_mask, lambda n: np.tri(n, dtype=bool)),
    (checks.causal_mask, lambda n: torch.arange(n)[:, None] >= torch.arange(n)),
    (checks.causal_mask, lambda n: ~torch.triu(ones(n), diagonal=1)),
    (checks.causal_mask, lambda n: ones(n).cumsum(0) >= ones(n).cumsum(1)),
    (checks.perplexity, lambda losses: np.exp(np.mean(np.concatenate(losses)))),
    (checks.perplexity, lambda losses: math.exp(sum(map(sum, losses)) / sum(map(len, losses)))),
    (checks.perplexity, lambda losses: math.e ** np.mean(list(chain(*losses)))),
    (checks.perplexity, perplexity_by_weights),
    (checks.perplexity, perplexity_by_torch),
    (checks.perplexity, perplexity_by_roots),
    (checks.perplexity, perplexity_in_base_two),
    (checks.masking, pretraining.mask_tokens),
    (checks.masking, by_hand),
    (checks.masking, as_hugging_face_does),
    (checks.masking, by_numpy),
    (checks.masking, one_draw_rescaled),
    (checks.masking, by_multinomial),
    (checks.attention_head, attend),
    (checks.attention_head, attend_by_torch),
    (checks.attention_head, attend_by_numpy),
    (checks.attention_head, attend_by_loop),
    (checks.attention_head, attend_by_einsum),
    (checks.attention_head, attend_with_a_batch),
    (checks.attention_head, attend_and_renormalise),
    (checks.attention_head, attend_one_key_at_a_time),
    (checks.attention_head, attend_with_log_of_the_mask),
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
    (checks.perplexity, lambda losses: np.exp(min(np.sum(flat(losses)), 700)), "exp of the summed loss"),
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
        "expected about 40%",
    ),
    (checks.masking, lambda ids, *rest: pretraining.mask_tokens(ids, *rest)[0], "return two tensors"),
    (checks.causal_mask, lambda n: tril(ones(n)) & ~tril(ones(n), -5), "row 5 may look at [1, 2, 3, 4, 5]"),
    (checks.causal_mask, lambda n: tril(ones(5))[:n, :n], "expected (6, 6)"),
    (checks.causal_mask, lambda n: tril(ones(n)) & ~tril(ones(n), -64), "your mask is False in row 64, column 0"),
    (checks.causal_mask, lambda n: torch.zeros(n, n).masked_fill(~tril(ones(n)), -torch.inf), "minus infinity"),
    (checks.causal_mask, lambda n: tril(ones(n)).long(), "int64 entries"),
    (checks.causal_mask, lambda n: tril(ones(n))[None], "expected (5, 5)"),
    (checks.causal_mask, lambda n: [[j <= i for j in range(i + 1)] for i in range(n)], "a mask of shape (5, 5)"),
    (checks.causal_mask, lambda n: ones(n).flip(1).tril().flip(1), "into the future"),
    (checks.perplexity, lambda losses: 10 ** np.mean(flat(losses)), "not 10"),
    (checks.perplexity, lambda losses: sum(flat(losses)), "sum of the losses"),
    (checks.perplexity, lambda losses: np.mean([np.exp(np.mean(d)) for d in losses]), "average the perplexities"),
    (checks.perplexity, lambda losses: np.exp(np.mean(losses[0])), "only the first document"),
    (checks.perplexity, lambda losses: np.exp(np.mean(losses[-1])), "only the last document"),
    (checks.perplexity, lambda losses: math.exp(sum(flat(losses)) / (len(flat(losses)) - 1)), "one less"),
    (checks.perplexity, lambda losses: math.exp(sum(flat(losses)) / (len(flat(losses)) + 1)), "one more"),
    (checks.perplexity, lambda losses: np.exp(np.median(flat(losses))), "median"),
    (checks.perplexity, lambda losses: round(np.exp(np.mean(flat(losses))), 2), "rounded"),
    (checks.perplexity, lambda losses: np.exp(sum(flat(losses)) // len(flat(losses))), "is not exp of the mean"),
    (checks.perplexity, lambda losses: 8.0, "the perplexity is 4"),
    (checks.perplexity, lambda losses: [np.exp(np.mean(d)) for d in losses], "one number"),
    (checks.perplexity, lambda losses: np.exp(np.mean([losses[0].pop() for _ in range(3)])), "changes the losses"),
    (checks.perplexity, lambda losses: np.exp(np.mean([x for x in flat(losses) if x])), "losses of 0 are left out"),
    (checks.perplexity, lambda losses: np.exp(np.mean(flat(d[1:] for d in losses))), "first piece of each document"),
    (checks.perplexity, lambda losses: np.exp(np.mean(max(losses, key=len))), "is not exp of the mean"),
    (checks.masking, exact_share_of_batch, "every batch has the same number"),
    (checks.masking, exact_fates_of_batch, "in every batch exactly 80%"),
    (checks.masking, never_replaced, "and 0.0% into another"),
    (checks.masking, same_number_in_rows, "in all rows almost the same number"),
    (checks.masking, same_number_in_all, "in all rows almost the same number"),
    (checks.masking, whole_rows, "in some rows far more"),
    (checks.masking, same_columns, "in some columns far more"),
    (checks.masking, every_nth, "almost the same number"),
    (checks.masking, spans, "not for runs of pieces"),
    (checks.masking, same_kinds, "kinds of pieces far more"),
    (checks.masking, first_fates, "far more pieces are turned into [MASK]"),
    (checks.masking, next_piece, "ordinary ones only"),
    (checks.masking, one_fate_for_a_row, "in some rows far more pieces are turned into [MASK]"),
    (checks.masking, inverted_labels, "the labels are inverted"),
    (checks.masking, one_random_piece, "become the same piece"),
    (checks.masking, one_random_piece_a_row, "pieces of one row become the same"),
    (checks.masking, random_from_the_text, "from 40 of the 47 ordinary ones"),
    (checks.masking, replaced_over_hidden, "near 80%, 10% and 10%"),
    (checks.masking, only_first_column_is_special, "wherever they stand"),
    (checks.masking, labels_only_where_hidden, "changed that has no label"),
    (checks.masking, by_its_seed, "two calls in a row"),
    (checks.masking, global_draws, "the same generator"),
    (checks.masking, emptying_special, "changes `special`"),
    (checks.masking, lambda *given: pretraining.mask_tokens(*given)[::-1], "in the wrong order"),
    (checks.masking, lambda *given: None, "you return nothing"),
    (checks.masking, lambda ids, *rest: [x[0] for x in pretraining.mask_tokens(ids, *rest)], "should have the shape"),
    (checks.attention_head, head(scale=lambda x, k: 1), "not scaled"),
    (checks.attention_head, head(scale=lambda x, k: k.shape[1]), "divide by its square root"),
    (checks.attention_head, head(scale=lambda x, k: x.shape[1] ** 0.5), "the width of the states"),
    (checks.attention_head, head(scale=lambda x, k: len(k) ** 0.5), "number of positions"),
    (checks.attention_head, head(scale=lambda x, k: k.shape[1] ** -0.5), "are multiplied by"),
    (checks.attention_head, head(scale=lambda x, k: math.sqrt(5)), "padding on the left"),
    (checks.attention_head, head(weigh=lambda s, a: s.softmax(1).softmax(1)), "softmax is taken twice"),
    (checks.attention_head, head(mask=lambda s, a: s, weigh=largest_before_the_mask), "maximum of its allowed scores"),
    (checks.attention_head, head(dim=0), "wrong axis"),
    (checks.attention_head, head(weigh=lambda s, a: s.flatten().softmax(0).view_as(s)), "all scores together"),
    (checks.attention_head, head(mask=lambda s, a: s, weigh=lambda s, a: s.softmax(1) * a), "acts after the softmax"),
    (checks.attention_head, head(mask=lambda s, a: s.masked_fill(a, -torch.inf)), "the mask is inverted"),
    (checks.attention_head, head(mask=lambda s, a: s.masked_fill(a, -1e9)), "the mask is inverted"),
    (checks.attention_head, head(mask=lambda s, a: s.masked_fill(~a.T, -torch.inf)), "the mask is transposed"),
    (checks.attention_head, head(mask=lambda s, a: s), "the mask is not used"),
    (checks.attention_head, head(mask=lambda s, a: s * a), "makes a score 0"),
    (checks.attention_head, head(mask=lambda s, a: s - (~a).float()), "added to the scores as 0 and 1"),
    (checks.attention_head, head(mask=lambda s, a: s + a), "added to the scores as 0 and 1"),
    (checks.attention_head, head(mask=lambda s, a: s.masked_fill(~a, -1)), "sets a score to -1"),
    (checks.attention_head, head(mask=lambda s, a: s.masked_fill(~a, -100)), "not low enough"),
    (checks.attention_head, head(mask=lambda s, a: s.masked_fill(~a, -1000)), "not low enough"),
    (checks.attention_head, head(mask=lambda s, a: s - 100 * (~a)), "a causal mask and large scores"),
    (checks.attention_head, head(scale=lambda x, k: int(k.shape[1] ** 0.5)), "are not the means"),
    (checks.attention_head, head(weigh=lambda s, a: F.dropout(s.softmax(1), 0.1)), "are not the means"),
    (checks.attention_head, lambda x, q, k, v, a: attend(x, k, q, v, a), "queries and keys are swapped"),
    (checks.attention_head, lambda x, q, k, v, a: attend(x, q, v, k, a), "keys and values are swapped"),
    (checks.attention_head, lambda x, q, k, v, a: attend(x, v, k, q, a), "queries and values are swapped"),
    (checks.attention_head, lambda x, q, k, v, a: attend(x, q, k, k, a), "the keys are used as the values"),
    (checks.attention_head, head(mask=lambda s, a: s + (1 - a.float()) * -torch.inf), "0 times infinity"),
    (checks.attention_head, head(output=lambda w, s, v, x: w), "these are the weights"),
    (checks.attention_head, head(output=lambda w, s, v, x: w @ x), "applied to the states"),
    (checks.attention_head, head(output=lambda w, s, v, x: w.T @ v), "before they meet the values"),
    (checks.attention_head, head(output=lambda w, s, v, x: (w @ v).T), "the result is transposed"),
    (checks.attention_head, head(output=lambda w, s, v, x: (w @ v)[None]), "has the shape (1, 6, 5)"),
    (checks.attention_head, head(output=lambda w, s, v, x: (w @ v).mean(0)), "has the shape (5,)"),
    (checks.attention_head, head(output=lambda w, s, v, x: (w @ v).sum()), "you return one number"),
    (checks.attention_head, head(mask=lambda s, a: s * 0 + a.where(a, 0), weigh=lambda s, a: s), "are not the means"),
    (checks.attention_head, head(weigh=by_hand_overflowing), "exp of a large number overflows"),
    (checks.attention_head, changes_allowed, "changes a tensor that it was given"),
    (checks.attention_head, always_causal, "padding on the left"),
    (checks.attention_head, expects_a_batch, "ValueError"),
    (checks.attention_head, lambda *given: None, "returns nothing"),
    (checks.attention_head, lambda x, q, k, v, a: attend(x.T, q, k, v, a), "RuntimeError"),
]
