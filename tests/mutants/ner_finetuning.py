"""Right and wrong answers to the exercises of lesson 04, with what each wrong one should be told."""

import re
from itertools import groupby

import numpy as np
import torch
from seqeval.metrics.sequence_labeling import get_entities
from torch import nn
from torch.nn import functional as F

from babyagi_lib.learner.checks import ner_finetuning as checks
from babyagi_lib.text import iob2


def align(word_ids, tags):
    return [tags[w] if w is not None and (i == 0 or word_ids[i - 1] != w) else -100 for i, w in enumerate(word_ids)]


def align_by_course(word_ids, tags):
    """As the Hugging Face course writes it, with the later pieces left out."""
    labels, current = [], None
    for word_id in word_ids:
        if word_id != current:
            current = word_id
            labels.append(-100 if word_id is None else tags[word_id])
        else:
            labels.append(-100)
    return labels


def align_by_groups(word_ids, tags):
    runs = [(word, len(list(run))) for word, run in groupby(word_ids)]
    return [y for w, n in runs for y in ([-100] * n if w is None else [tags[w]] + [-100] * (n - 1))]


def align_by_set(word_ids, tags):
    seen = {None}
    return [tags[w] if not (w in seen or seen.add(w)) else -100 for w in word_ids]


def align_backwards(word_ids, tags):
    labels = torch.full((len(word_ids),), -100)
    for i in range(len(word_ids) - 1, -1, -1):
        if word_ids[i] is not None:
            labels[i] = tags[word_ids[i]]
            if i + 1 < len(word_ids) and word_ids[i + 1] == word_ids[i]:
                labels[i + 1] = -100
    return labels


def align_by_numpy(word_ids, tags):
    words = np.array([-1 if w is None else w for w in word_ids])
    first = np.diff(words, prepend=-1) != 0
    return np.where(first & (words >= 0), np.array(tags)[np.maximum(words, 0)], -100)


def in_order(word_ids, tags):
    rest = iter(tags)
    return [next(rest) if w is not None and (i == 0 or word_ids[i - 1] != w) else -100 for i, w in enumerate(word_ids)]


def popping(word_ids, tags):
    found = []
    for i, w in enumerate(word_ids):
        first = w is not None and (i == 0 or word_ids[i - 1] != w)
        found.append(tags.pop(0) if first else -100)
    return found


def zero_is_false(word_ids, tags):
    return [tags[w] if w and (i == 0 or word_ids[i - 1] != w) else -100 for i, w in enumerate(word_ids)]


def last_piece(word_ids, tags):
    return align(word_ids[::-1], tags)[::-1]


def inside_for_later(word_ids, tags):
    """B- becomes I- in the later pieces, as in a notebook that is often copied."""
    found = align(word_ids, tags)
    for i, w in enumerate(word_ids):
        if w is not None and found[i] == -100:
            found[i] = tags[w] + tags[w] % 2
    return found


def between_special(word_ids, tags):
    """Takes for granted that the first and the last piece are special."""
    return [-100, *align(word_ids, tags)[1:-1], -100]


def from_first_word(word_ids, tags):
    """Takes for granted that a window begins with the first word."""
    start = min(w for w in word_ids if w is not None)
    return align([None if w is None else w - start for w in word_ids], tags)


def extract(tags):
    return iob2.entities(tags)


def extract_by_seqeval(tags):
    return [(kind, start, end + 1) for kind, start, end in (get_entities(list(tags)) if tags else [])]


def extract_by_walking(tags):
    i, found = 0, []
    while i < len(tags):
        if tags[i] == "O":
            i += 1
            continue
        kind, j = tags[i][2:], i + 1
        while j < len(tags) and tags[j] == f"I-{kind}":
            j += 1
        found.append((kind, i, j))
        i = j
    return found


def extract_by_sets(tags):
    """In no order."""
    opens = {i for i, t in enumerate(tags) if t != "O" and (t[0] == "B" or i == 0 or tags[i - 1][2:] != t[2:])}
    ends = {i: next((j for j in range(i + 1, len(tags)) if j in opens or tags[j] == "O"), len(tags)) for i in opens}
    return {(tags[i][2:], i, ends[i]) for i in opens}


def extract_by_pattern(tags):
    """One letter for each tag, and a regular expression for each type."""
    found = []
    for kind in sorted({t[2:] for t in tags if t != "O"}):
        letters = "".join(t[0] if t[2:] == kind else "O" for t in tags)
        found += [(kind, m.start(), m.end()) for m in re.finditer("[BI]I*", letters)]
    return found


def extract_from_the_end(tags):
    found, end = [], None
    for i in range(len(tags) - 1, -1, -1):
        if tags[i] == "O":
            end = None
            continue
        end = i + 1 if end is None else end
        if tags[i][0] == "B" or i == 0 or tags[i - 1][2:] != tags[i][2:]:
            found.append((tags[i][2:], i, end))
            end = None
    return found


def appending(tags):
    tags.append("O")
    return extract(tags)


def by_split(tags):
    """Cuts a tag at every hyphen."""
    return [(kind.split("-")[0], start, end) for kind, start, end in extract(tags)]


def only_from_b(tags):
    """The usual loop, which waits for a B-."""
    found, current = [], None
    for i, tag in enumerate(tags):
        if tag.startswith("B-"):
            current = [tag[2:], i, i + 1]
            found.append(current)
        elif tag.startswith("I-") and current:
            current[2] = i + 1
        else:
            current = None
    return [tuple(m) for m in found]


def zero_start_is_false(tags):
    return [m for m in extract(tags) if m[1]]


kept = []


def remembers(tags):
    if not tags or tags == ["O", "O"]:
        kept.clear()
    kept.extend(extract(tags))
    return list(kept)


class Adapter(nn.Module):
    def __init__(self, hidden, rows=5, start=nn.init.zeros_):
        super().__init__()
        self.case = nn.Embedding(rows, hidden)
        start(self.case.weight)

    def forward(self, embeddings, case_ids):
        return embeddings + self.case(case_ids)


class InPlace(Adapter):
    def forward(self, embeddings, case_ids):
        embeddings += self.case(case_ids)
        return embeddings


class ByParameter(nn.Module):
    """No layer, and no parameter called weight."""

    def __init__(self, hidden):
        super().__init__()
        self.vectors = nn.Parameter(torch.zeros(5, hidden))

    def forward(self, embeddings, case_ids):
        return self.vectors[case_ids] + embeddings


class ByOneHot(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.mix = nn.Linear(5, hidden, bias=False)
        nn.init.zeros_(self.mix.weight)

    def forward(self, embeddings, case_ids):
        return embeddings + self.mix(F.one_hot(case_ids, 5).to(embeddings.dtype))


class FiveParameters(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.rows = nn.ParameterList([torch.zeros(hidden) for _ in range(5)])

    def forward(self, embeddings, case_ids):
        return embeddings + torch.stack(list(self.rows)).index_select(0, case_ids.flatten()).view_as(embeddings)


class Sparse(Adapter):
    def __init__(self, hidden):
        super().__init__(hidden)
        self.case = nn.Embedding.from_pretrained(torch.zeros(5, hidden), freeze=False, sparse=True)


class WithDropout(Adapter):
    def forward(self, embeddings, case_ids):
        return embeddings + F.dropout(self.case(case_ids), 0.1, self.training)


class Padded(Adapter):
    def __init__(self, hidden, padding_idx=0):
        super().__init__(hidden)
        self.case = nn.Embedding(5, hidden, padding_idx=padding_idx)
        nn.init.zeros_(self.case.weight)


class OnlyWhereNotLower(Adapter):
    """Leaves a text as it is whose words are all in lower case."""

    def forward(self, embeddings, case_ids):
        return embeddings + self.case(case_ids) if case_ids.any() else embeddings


class DropoutOnSum(Adapter):
    def forward(self, embeddings, case_ids):
        return F.dropout(embeddings + self.case(case_ids), 0.1, self.training)


class Normed(Adapter):
    def forward(self, embeddings, case_ids):
        return F.layer_norm(embeddings + self.case(case_ids), embeddings.shape[-1:])


class Squeezed(Adapter):
    def forward(self, embeddings, case_ids):
        return super().forward(embeddings, case_ids).squeeze()


class Multiplied(Adapter):
    def forward(self, embeddings, case_ids):
        return embeddings * (1 + self.case(case_ids))


class Detached(Adapter):
    def forward(self, embeddings, case_ids):
        return embeddings.detach() + self.case(case_ids)


class Alone(Adapter):
    def forward(self, embeddings, case_ids):
        return self.case(case_ids)


class LowerOrNot(Adapter):
    """Uses all vectors, and tells two cases apart."""

    def forward(self, embeddings, case_ids):
        rest = self.case.weight[1:].sum(dim=0)
        return embeddings + torch.where((case_ids == 0)[..., None], self.case.weight[0], rest)


class FromNeighbour(Adapter):
    def forward(self, embeddings, case_ids):
        return embeddings + self.case(case_ids.roll(1, dims=1))


class ByData(Adapter):
    def forward(self, embeddings, case_ids):
        return embeddings + self.case.weight.data[case_ids]


class Renormed(Adapter):
    def __init__(self, hidden):
        super().__init__(hidden)
        self.case = nn.Embedding(5, hidden, max_norm=1.0)
        nn.init.zeros_(self.case.weight)


class Frozen(Adapter):
    def __init__(self, hidden):
        super().__init__(hidden)
        self.case.requires_grad_(False)


class Unused(Adapter):
    def forward(self, embeddings, case_ids):
        return embeddings + 0 * self.case(case_ids)


class Concatenated(Adapter):
    def forward(self, embeddings, case_ids):
        return torch.cat([embeddings, self.case(case_ids)], dim=-1)


class ByPosition(Adapter):
    def forward(self, embeddings, case_ids):
        return embeddings + self.case((torch.arange(case_ids.shape[1]) % 5).expand_as(case_ids))


class OneVectorForAll(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(5, hidden))

    def forward(self, embeddings, case_ids):
        return embeddings + self.weight.sum(0)


def split_by_change_only(tags):
    """Merges neighbours of one type: ignores B-."""
    return iob2.entities(
        [t if not (i and t[0] == "B" and tags[i - 1][2:] == t[2:]) else f"I-{t[2:]}" for i, t in enumerate(tags)]
    )


def typed(cut):
    """The right entities, with types cut out of their first tags in another way."""
    return lambda tags: [(cut(tags[start]), start, end) for _, start, end in extract(tags)]


RETURNS = {checks.alignment: "integers", checks.extraction: "rows", checks.input_adapter: "module"}
CASES = [
    (checks.alignment, align),
    (checks.alignment, align_by_course),
    (checks.alignment, align_by_groups),
    (checks.alignment, align_by_set),
    (checks.alignment, align_backwards),
    (checks.alignment, align_by_numpy),
    (checks.extraction, extract),
    (checks.extraction, extract_by_seqeval),
    (checks.extraction, extract_by_walking),
    (checks.extraction, extract_by_sets),
    (checks.extraction, extract_by_pattern),
    (checks.extraction, extract_from_the_end),
    (checks.input_adapter, Adapter),
    (checks.input_adapter, InPlace),
    (checks.input_adapter, ByParameter),
    (checks.input_adapter, ByOneHot),
    (checks.input_adapter, FiveParameters),
    (checks.input_adapter, Sparse),
    (checks.input_adapter, WithDropout),
]
MUTANTS = [
    (checks.alignment, lambda ids, tags: (list(tags) + [0] * len(ids))[: len(ids)], "None"),  # the article's bug
    (checks.alignment, lambda ids, tags: [-100 if w is None else tags[w] for w in ids], "later pieces"),
    (
        checks.alignment,
        lambda ids, tags: [0 if y == -100 and w is None else y for y, w in zip(align(ids, tags), ids, strict=True)],
        "belong to no word",
    ),
    (checks.alignment, lambda ids, tags: align(ids, [*tags[1:], tags[0]]), "another word"),
    (checks.alignment, lambda ids, tags: align(ids, tags)[1:-1], "one label per piece"),
    (checks.alignment, lambda ids, tags: None, "returns nothing"),
    (checks.alignment, lambda ids, tags: [tags[i] for i in ids], "TypeError"),
    (checks.extraction, lambda tags: [(k, a, b - 1) for k, a, b in extract(tags)], "one past"),
    (checks.extraction, lambda tags: [m for m in extract(tags) if m[2] < len(tags)], "end of the sentence"),
    (checks.extraction, split_by_change_only, "merged"),
    (checks.extraction, lambda tags: [m for m in extract(tags) if tags[m[1]][0] == "B"], "missing"),
    (checks.extraction, lambda tags: [("PER", a, b) for _, a, b in extract(tags)], "type or boundaries"),
    (checks.extraction, lambda tags: None, "returns nothing"),
    (checks.input_adapter, lambda hidden: Adapter(hidden, start=nn.init.normal_), "start its weights at zero"),
    (checks.input_adapter, lambda hidden: Adapter(hidden, rows=6), "expected 40"),
    (checks.input_adapter, Frozen, "no trainable parameter"),
    (checks.input_adapter, Unused, "no gradient"),
    (checks.input_adapter, Concatenated, "expected (4, 9, 8)"),
    (checks.input_adapter, ByPosition, "same case are moved differently"),
    (checks.input_adapter, OneVectorForAll, "moved alike"),
    (checks.alignment, in_order, "one after the other"),
    (checks.alignment, popping, "changes the lists"),
    (checks.alignment, zero_is_false, "0 counts as false"),
    (checks.alignment, last_piece, "only the first piece"),
    (checks.alignment, inside_for_later, "the later pieces are -100"),
    (checks.alignment, between_special, "word 0 gets no tag"),
    (checks.alignment, from_first_word, "look each tag up by its word id"),
    (checks.alignment, lambda ids, tags: [[y] for y in align(ids, tags)], "a flat list"),
    (checks.alignment, lambda ids, tags: [0 if y == -100 else y for y in align(ids, tags)], "belong to no word"),
    (
        checks.alignment,
        lambda ids, tags: [None if y == -100 else y for y in align(ids, tags)],
        "belong to no word",
    ),
    (checks.alignment, lambda ids, tags: [-100, 3, 0, 5, -100], "one label per piece"),
    (checks.extraction, appending, "changes the tags"),
    (checks.extraction, by_split, "a type may have a hyphen"),
    (checks.extraction, typed(lambda tag: tag.lstrip("BI-")), "strip and lstrip"),
    (checks.extraction, typed(lambda tag: tag.strip("BI-")), "strip and lstrip"),
    (checks.extraction, typed(lambda tag: tag.replace("B-", "").replace("I-", "")), "cut after the first one only"),
    (checks.extraction, typed(lambda tag: tag[2:].lower()), "upper or lower case"),
    (checks.extraction, typed(lambda tag: tag[2:].upper()), "upper or lower case"),
    (checks.extraction, only_from_b, "missing or were merged"),
    (checks.extraction, zero_start_is_false, "0 counts as false"),
    (checks.extraction, remembers, "the sentence before are still there"),
    (checks.extraction, lambda tags: [(tags[a], a, b) for k, a, b in extract(tags)], "not B-PER"),
    (checks.extraction, lambda tags: [(k, a + 1, b + 1) for k, a, b in extract(tags)], "counted from 1"),
    (checks.extraction, lambda tags: [(a, b, k) for k, a, b in extract(tags)], "every entity is (type, start, end)"),
    (checks.extraction, lambda tags: [(k, a) for k, a, b in extract(tags)], "every entity is (type, start, end)"),
    (checks.extraction, lambda tags: [(k, str(a), "end") for k, a, b in extract(tags)], "whole numbers"),
    (checks.extraction, lambda tags: [(k, a, b - a) for k, a, b in extract(tags)], "the length"),
    (checks.extraction, lambda tags: list({k: (k, a, b) for k, a, b in extract(tags)}.values()), "missing"),
    (checks.extraction, lambda tags: 2 * extract(tags), "twice"),
    (checks.extraction, lambda tags: len(extract(tags)), "you return the int 0"),
    (checks.input_adapter, Padded, "'lower'"),
    (checks.input_adapter, lambda hidden: Padded(hidden, padding_idx=4), "'no letters'"),
    (checks.input_adapter, OnlyWhereNotLower, "no gradient reaches the vector of 'lower'"),
    (checks.input_adapter, DropoutOnSum, "in training, dropout acts on the embeddings"),
    (checks.input_adapter, Normed, "add them to the embeddings as they are"),
    (checks.input_adapter, Squeezed, "a text of one piece"),
    (checks.input_adapter, Multiplied, "add them"),
    (checks.input_adapter, Detached, "does not pass through"),
    (checks.input_adapter, Alone, "already changes the embeddings"),
    (checks.input_adapter, LowerOrNot, "moved alike"),
    (checks.input_adapter, FromNeighbour, "same case are moved differently"),
    (checks.input_adapter, ByData, "no gradient reaches"),
    (checks.input_adapter, Renormed, "changes a weight"),
    (checks.input_adapter, lambda hidden: Adapter(hidden, rows=4), "IndexError"),
    (checks.input_adapter, lambda hidden: Adapter(384), "RuntimeError"),
    (checks.input_adapter, lambda hidden: torch.zeros(5, hidden), "expected an nn.Module"),
]
