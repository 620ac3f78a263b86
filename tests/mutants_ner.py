"""Right and wrong answers to the exercises of lesson 04, with what each wrong one should be told."""

import torch
from torch import nn

from babyagi_lib import checks, tagging


def align(word_ids, tags):
    return [tags[w] if w is not None and (i == 0 or word_ids[i - 1] != w) else -100 for i, w in enumerate(word_ids)]


def extract(tags):
    return tagging.entities(tags)


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
        return embeddings + self.case(torch.arange(case_ids.shape[1]).expand_as(case_ids))


class OneVectorForAll(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(5, hidden))

    def forward(self, embeddings, case_ids):
        return embeddings + self.weight.sum(0)


def split_by_change_only(tags):
    """Merges neighbours of one type: ignores B-."""
    return tagging.entities(
        [t if not (i and t[0] == "B" and tags[i - 1][2:] == t[2:]) else f"I-{t[2:]}" for i, t in enumerate(tags)]
    )


CASES = [
    (checks.alignment, align),
    (checks.extraction, extract),
    (checks.input_adapter, Adapter),
    (checks.input_adapter, InPlace),
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
    (checks.input_adapter, Concatenated, "the shape must stay"),
    (checks.input_adapter, ByPosition, "same case are moved differently"),
    (checks.input_adapter, OneVectorForAll, "moved alike"),
]
