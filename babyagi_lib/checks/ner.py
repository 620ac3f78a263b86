"""The exercises of lesson 04: tags to entities, tags to pieces, the input adapter."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from babyagi_lib.checks.verdict import Wrong, exercise
from babyagi_lib.tagging import CASES, IGNORE


@exercise("04_ner_finetuning")
def alignment(align: Callable[[Sequence[int | None], Sequence[int]], list[int]]) -> str:
    """Check `align(word_ids, tags)`: the tag of each word at its first piece, IGNORE elsewhere."""
    cases = [
        ("one piece per word", [None, 0, 1, 2, None], [3, 0, 5]),
        ("a word of three pieces", [None, 0, 0, 0, 1, None], [1, 2]),
        ("neighbouring words with one tag", [None, 0, 0, 1, 1, None], [4, 4]),
        ("a sentence cut off after its first word", [None, 0, None], [2, 6, 1]),
        ("padding after the end", [None, 0, 1, None, None, None], [0, 3]),
    ]
    for name, word_ids, tags in cases:
        wanted = [
            tags[w] if w is not None and (i == 0 or word_ids[i - 1] != w) else IGNORE for i, w in enumerate(word_ids)
        ]
        found = align(word_ids, tags)
        if found is None:
            raise Wrong("your function returns nothing; return the list of labels.")
        found = list(found)
        said = f" For {name}, word_ids={word_ids} and tags={tags}, you return {found}."
        if len(found) != len(word_ids):
            raise Wrong(f"one label per piece is needed: {len(word_ids)} pieces, {len(found)} labels." + said)
        if any(f != IGNORE for f, w in zip(found, word_ids, strict=True) if w is None):
            raise Wrong(f"special tokens and padding (word id None) belong to no word: their label is {IGNORE}." + said)
        later = [i for i in range(1, len(word_ids)) if word_ids[i] is not None and word_ids[i] == word_ids[i - 1]]
        if any(found[i] != IGNORE for i in later):
            raise Wrong(f"only the first piece of a word carries its tag; the later pieces are {IGNORE}." + said)
        if found != wanted:
            raise Wrong(
                "a first piece has the tag of another word: look the tag up by word id, not by position." + said
            )
    return "every word's tag sits at its first piece, and at nothing else."


@exercise("04_ner_finetuning")
def extraction(extract: Callable[[Sequence[str]], list[tuple[str, int, int]]]) -> str:
    """Check `extract(tags)`: entities as (type, start, end), end exclusive, against seqeval on random tags."""
    from seqeval.metrics.sequence_labeling import get_entities

    named = [
        ("no entity at all", ["O", "O"]),
        ("an entity in the middle", ["O", "B-PER", "I-PER", "O"]),
        ("an entity that ends with the sentence", ["O", "B-LOC", "I-LOC"]),
        ("two entities of one type side by side", ["B-LOC", "B-LOC", "I-LOC"]),
        ("two types side by side", ["B-PER", "I-PER", "B-ORG"]),
        ("an I- of another type than its left neighbour", ["B-PER", "I-ORG", "O"]),
        ("an I- with nothing before it", ["O", "I-MISC", "I-MISC"]),
        ("an empty sentence", []),
    ]
    draw = random.Random(0)
    tags = ["O", "O", "B-PER", "I-PER", "B-ORG", "I-ORG"]
    named += [("a random sentence", [draw.choice(tags) for _ in range(draw.randrange(1, 12))]) for _ in range(300)]
    for name, sentence in named:
        wanted = [(kind, start, end + 1) for kind, start, end in get_entities(sentence)] if sentence else []
        found = extract(sentence)
        if found is None:
            raise Wrong("your function returns nothing; return a list of (type, start, end).")
        found = sorted((tuple(mention) for mention in found), key=lambda m: (m[1], m[2]))
        if found == wanted:
            continue
        said = f" For {name}, {sentence}, you return {found}; seqeval finds {wanted}."
        if found == [(kind, start, end - 1) for kind, start, end in wanted]:
            raise Wrong(
                "your ends point at the last word; this course's ends are one past it, as in Python slices." + said
            )
        if wanted and wanted[-1][2] == len(sentence) and found == wanted[:-1]:
            raise Wrong("the entity that runs to the end of the sentence is lost: nothing closes it." + said)
        if len(found) < len(wanted):
            raise Wrong(
                "some entities are missing or were merged: a B- always opens a new one, and so does a change of type."
                + said
            )
        raise Wrong("type or boundaries differ." + said)
    return "on 300 random sentences your entities are seqeval's."


@exercise("04_ner_finetuning")
def input_adapter(make: Callable[[int], object]) -> str:
    """Check an input adapter class: `make(hidden)` gives a module `(embeddings, case_ids) -> embeddings`."""
    import torch

    hidden = 8
    module = make(hidden)
    embeddings = torch.randn(2, 5, hidden, generator=torch.Generator().manual_seed(0))
    case_ids = torch.tensor([[4, 0, 1, 2, 4], [4, 3, 3, 0, 4]])
    out = module(embeddings.clone(), case_ids)  # a copy, since adding in place is a right answer too
    if not isinstance(out, torch.Tensor):
        raise Wrong("the forward returns no tensor; return the adapted embeddings.")
    if out.shape != embeddings.shape:
        raise Wrong(
            f"embeddings of shape {tuple(embeddings.shape)} come out as {tuple(out.shape)}; the shape must stay."
        )
    if not torch.equal(out, embeddings):
        raise Wrong(
            "a new adapter already changes the embeddings: start its weights at zero, or the encoder is disturbed before it has learned."
        )
    trainable = [p for p in module.parameters() if p.requires_grad]
    if not trainable:
        raise Wrong("the adapter has no trainable parameter: use an nn.Embedding.")
    expected = len(CASES) * hidden
    count = sum(p.numel() for p in trainable)
    if count != expected:
        raise Wrong(
            f"{count} trainable parameters, expected {expected}: one vector of {hidden} for each of the {len(CASES)} cases."
        )
    out.sum().backward()
    if any(p.grad is None or not p.grad.any() for p in trainable):
        raise Wrong("no gradient reaches the case vectors: are they really added to the embeddings?")
    with torch.no_grad():
        for i, p in enumerate(trainable):
            p.copy_(torch.randn(p.shape, generator=torch.Generator().manual_seed(i + 1)))
        moved = module(embeddings.clone(), case_ids) - embeddings
    same, different = moved[0, 1] - moved[1, 3], moved[0, 1] - moved[0, 2]
    if not torch.allclose(same, torch.zeros(hidden), atol=1e-5):
        raise Wrong("two words of the same case are moved differently: look the vector up by case id.")
    if torch.allclose(different, torch.zeros(hidden), atol=1e-5):
        raise Wrong("words of different case are moved alike: look the vector up by case id.")
    return f"identity at the start, {count} parameters, and each case has a vector of its own."
