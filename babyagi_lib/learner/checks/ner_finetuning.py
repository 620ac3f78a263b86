"""The exercises of lesson 04: tags to entities, tags to pieces, the input adapter."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence

import torch
from torch import nn

from babyagi_lib.basics.labels import IGNORE
from babyagi_lib.learner.checks import modules
from babyagi_lib.learner.checks.answers import Wrong, array, describe
from babyagi_lib.learner.checks.verdict import exercise
from babyagi_lib.text.wordpieces import CASES


@exercise
def alignment(align: Callable[[Sequence[int | None], Sequence[int]], list[int]]) -> str:
    """Check `align(word_ids, tags)`: the tag of each word at its first piece, IGNORE elsewhere."""
    cases: list[tuple[str, list[int | None], list[int]]] = [
        ("one piece per word", [None, 0, 1, 2, None], [3, 0, 5]),
        ("a word of three pieces", [None, 0, 0, 0, 1, None], [1, 2]),
        ("neighbouring words with one tag", [None, 0, 0, 1, 1, None], [4, 4]),
        ("a sentence cut off after its first word", [None, 0, None], [2, 6, 1]),
        ("padding after the end", [None, 0, 1, None, None, None], [0, 3]),
        ("padding before the beginning", [None, None, None, 0, 0, 1, None], [5, 2]),
        ("a second word of which the tokenizer makes no piece", [None, 0, 2, 2, 3, None], [5, 6, 7, 1]),
        ("a first word of which the tokenizer makes no piece", [None, 1, 2, None], [3, 4, 6]),
        ("a window that begins with the fourth word", [None, 3, 4, 4, None], [1, 2, 3, 7, 5]),
        ("no special tokens", [0, 1, 1, 2], [2, 4, 6]),
    ]
    for name, word_ids, tags in cases:
        first = [w is not None and (i == 0 or word_ids[i - 1] != w) for i, w in enumerate(word_ids)]
        wanted = [tags[w] if here else IGNORE for here, w in zip(first, word_ids, strict=True)]
        given = list(word_ids), list(tags)
        answer = array(align(*given), "a list with one label, a whole number, for each piece")
        if given != (word_ids, tags):
            raise Wrong("your function changes the lists that it was given; leave word_ids and tags as they are.")
        if answer.ndim != 1:
            raise Wrong(f"return a flat list with one label for each piece; yours has the shape {answer.shape}.")
        if answer.tolist() == wanted:
            continue
        found = [int(label) if label.is_integer() else label for label in answer.tolist()]
        said = f" For {name}, word_ids={word_ids} and tags={tags}, you return {found}; the labels are {wanted}."
        if len(found) != len(word_ids):
            raise Wrong(f"one label per piece is needed: {len(word_ids)} pieces, {len(found)} labels." + said)
        if any(f != IGNORE for f, w in zip(found, word_ids, strict=True) if w is None):
            raise Wrong(f"special tokens and padding (word id None) belong to no word: their label is {IGNORE}." + said)
        if any(f != IGNORE for f, here in zip(found, first, strict=True) if not here):
            raise Wrong(f"only the first piece of a word carries its tag; the later pieces are {IGNORE}." + said)
        missing = {w for f, here, w in zip(found, first, word_ids, strict=True) if here and f == IGNORE}
        if missing == {0}:
            raise Wrong("word 0 gets no tag: 0 counts as false, so compare the word id with None." + said)
        if missing:
            raise Wrong(f"the first piece of word {min(missing)} gets no tag." + said)
        in_order = iter(tags)
        if found == [next(in_order) if here else IGNORE for here in first]:
            raise Wrong(
                "you take the tags one after the other, so a word without pieces shifts all tags after it: look each "
                "tag up by its word id." + said
            )
        raise Wrong("a first piece has the tag of another word: look the tag up by word id, not by position." + said)
    return "every word's tag sits at its first piece, and at nothing else."


Mention = tuple[str, int, int]


@exercise
def extraction(extract: Callable[[Sequence[str]], list[Mention]]) -> str:
    """Check `extract(tags)`: entities as (type, start, end), end exclusive, against seqeval on random tags."""
    from seqeval.metrics.sequence_labeling import get_entities

    named = [
        ("no entity at all", ["O", "O"]),
        ("an entity in the middle", ["O", "O", "B-PER", "I-PER", "O"]),
        ("an entity at the beginning", ["B-PER", "I-PER", "O", "O"]),
        ("an entity that ends with the sentence", ["O", "B-LOC", "I-LOC"]),
        ("a sentence of one word", ["B-ORG"]),
        ("two entities of one type side by side", ["B-LOC", "B-LOC", "I-LOC"]),
        ("two types side by side", ["B-PER", "I-PER", "B-ORG"]),
        ("one type at two places", ["B-PER", "O", "B-PER"]),
        ("an I- of another type than its left neighbour", ["B-PER", "I-ORG", "O"]),
        ("an I- with nothing before it", ["O", "I-MISC", "I-MISC"]),
        ("a type that begins with B", ["B-BIRD", "I-BIRD", "O"]),
        ("a type with a hyphen in its name", ["B-creative-work", "I-creative-work", "O"]),
        ("a type that has B- in its name", ["O", "B-WEB-SITE", "I-WEB-SITE"]),
        ("an empty sentence", []),
    ]
    draw = random.Random(0)
    tags = ["O", "O", "B-PER", "I-PER", "B-ORG", "I-ORG"]
    named += [("a random sentence", [draw.choice(tags) for _ in range(draw.randrange(1, 12))]) for _ in range(300)]
    before: Counter[Mention] = Counter()
    for name, sentence in named:
        wanted = [(kind, start, end + 1) for kind, start, end in get_entities(sentence)] if sentence else []
        given = list(sentence)
        found = _mentions(extract(given))
        if given != sentence:
            raise Wrong(f"your function changes the tags that it was given: {sentence} became {given}. Use a copy.")
        if found == wanted:
            before = Counter(wanted)
            continue
        said = f" For {name}, {sentence}, you return {found}; seqeval finds {wanted}."
        if before and Counter(found) == before + Counter(wanted):
            raise Wrong(
                "the entities of the sentence before are still there: make the list inside the function, not as a "
                "default argument or outside." + said
            )
        _diagnose(name, found, wanted, sentence, said)
    return "on 300 random sentences your entities are seqeval's."


def _mentions(answer: object) -> list[Mention]:
    """The learner's entities as tuples, in the order of the sentence.

    Raises:
        Wrong: they are not triples of a type and two whole numbers.
    """
    form = "a list of (type, start, end)"
    if answer is None:
        raise Wrong(f"your function returns nothing; return {form}.")
    try:
        rows = [tuple(row) if not isinstance(row, str) else row for row in answer]  # type: ignore[attr-defined]
    except TypeError:
        raise Wrong(f"return {form}; you return {describe(answer)}.") from None
    found = []
    for row in rows:
        if len(row) != 3 or not isinstance(row[0], str):
            raise Wrong(f"every entity is (type, start, end), such as ('PER', 0, 2); yours has {row!r}.")
        try:
            found.append((str(row[0]), int(row[1]), int(row[2])))
        except (TypeError, ValueError):
            raise Wrong(
                f"start and end of an entity are whole numbers, as in ('PER', 0, 2); yours has {row!r}."
            ) from None
    return sorted(found, key=lambda m: (m[1], m[2]))


def _diagnose(name: str, found: list[Mention], wanted: list[Mention], sentence: Sequence[str], said: str) -> None:
    """Raise `Wrong` with the mistake behind wrong entities of one sentence."""
    if found == [(kind, start, end - 1) for kind, start, end in wanted]:
        raise Wrong("your ends point at the last word; this course's ends are one past it, as in Python slices." + said)
    if found == [(kind, start, end - start) for kind, start, end in wanted]:
        raise Wrong("your third number is the length; return the end, one past the last word." + said)
    if found == [(kind, start + 1, end + 1) for kind, start, end in wanted]:
        raise Wrong("your words are counted from 1; the first word is 0." + said)
    if found == [(sentence[start], start, end) for _, start, end in wanted]:
        raise Wrong("the type is what follows B- or I-: PER, not B-PER." + said)
    if [m[1:] for m in found] == [m[1:] for m in wanted]:
        types = [(mine[0], right[0]) for mine, right in zip(found, wanted, strict=True)]
        if all(mine.lower() == right.lower() for mine, right in types):
            raise Wrong("the type keeps its letters: change none to upper or lower case." + said)
        if all(mine in (right.lstrip("BI-"), right.strip("BI-")) for mine, right in types):
            raise Wrong(
                "strip and lstrip remove every B, I and hyphen that they meet, those of the type too: cut after the "
                "first hyphen, as tag[2:] does." + said
            )
        if any("-" in right for _, right in types):
            raise Wrong("a type may have a hyphen in its name: cut after the first one only, as tag[2:] does." + said)
    if set(found) == set(wanted):
        raise Wrong("an entity stands in your list twice." + said)
    if not found and name == "an entity that ends with the sentence":
        raise Wrong("the entity that runs to the end of the sentence is missing: end it after the last tag." + said)
    if not found and name == "an entity at the beginning":
        raise Wrong("the entity at word 0 is missing: 0 counts as false, so compare the start with None." + said)
    if len(found) < len(wanted):
        raise Wrong(
            "some entities are missing or were merged: a B- always opens a new one, and so does a change of type."
            + said
        )
    raise Wrong("type or boundaries differ." + said)


@exercise
def input_adapter(make: Callable[[int], nn.Module]) -> str:
    """Check an input adapter class: `make(hidden)` gives a module `(embeddings, case_ids) -> embeddings`."""
    hidden = 8
    draw = torch.Generator().manual_seed(0)
    with modules.own_generator():
        adapter = modules.made_by(make, hidden)
    embeddings = torch.randn(4, 9, hidden, generator=draw).requires_grad_()
    case_ids = torch.arange(36).view(4, 9) * 7 % 5  # every case, at several places and beside several others
    out = modules.output(adapter, embeddings, case_ids, shape=(4, 9, hidden), what="embeddings")
    if not modules.close(out, embeddings, 0):
        if modules.close(adapter.eval()(embeddings.clone(), case_ids), embeddings, 0):
            raise Wrong(
                "in training, dropout acts on the embeddings that came in: it may act on the case vectors only."
            )
        raise Wrong(
            "a new adapter already changes the embeddings: start its weights at zero and add them to the embeddings as "
            "they are, or the encoder is disturbed before it has learned."
        )
    trainable = modules.trainable(adapter)
    expected, count = len(CASES) * hidden, sum(p.numel() for p in trainable)
    if count != expected:
        raise Wrong(
            f"{count} trainable parameters, expected {expected}: one vector of {hidden} for each of the "
            f"{len(CASES)} cases."
        )
    weight = torch.randn(out.shape, generator=draw)
    modules.backward((out * weight).sum())
    if any(p.grad is None or not p.grad.to_dense().any() for p in trainable):
        raise Wrong("no gradient reaches the case vectors: are they really added to the embeddings?")
    if embeddings.grad is None or not modules.close(embeddings.grad, weight):
        raise Wrong("the gradient does not pass through to the embeddings: add them as they are, not detached.")
    asleep = [name for case, name in enumerate(CASES) if not _learns(adapter, case, hidden)]
    if asleep:
        raise Wrong(
            f"no gradient reaches the vector of {', '.join(map(repr, asleep))}, so it stays zero. Does your "
            "nn.Embedding have a padding_idx? Every case needs a vector that learns."
        )

    modules.train_at_random(trainable)
    adapter.eval()
    with torch.no_grad():
        out = modules.output(adapter, embeddings, case_ids, shape=(4, 9, hidden), what="embeddings")
        moved = out - embeddings
        modules.output(
            adapter, embeddings[:1, :1], case_ids[:1, :1], shape=(1, 1, hidden), what="a text of one piece: embeddings"
        )
    groups = [moved[case_ids == case] for case in range(len(CASES))]
    if any(not modules.close(rows, rows[:1].expand_as(rows), 1e-4) for rows in groups):
        factors = [(moved / embeddings)[case_ids == case] for case in range(len(CASES))]
        if all(modules.close(rows, rows[:1].expand_as(rows), 1e-3) for rows in factors):
            raise Wrong("the case vectors are multiplied by the embeddings; add them.")
        raise Wrong("two words of the same case are moved differently: look the vector up by case id.")
    for a in range(len(CASES)):
        for b in range(a):
            if modules.close(groups[a][0], groups[b][0]):
                raise Wrong(
                    f"words of different case are moved alike ({CASES[b]} and {CASES[a]}): look the vector up by case id."
                )
    return f"identity at the start, {count} parameters, and each case has a vector of its own."


def _learns(adapter: nn.Module, case: int, hidden: int) -> bool:
    """Whether a gradient reaches the parameters of an adapter from words of one case."""
    adapter.zero_grad()
    modules.backward(adapter(torch.ones(1, 3, hidden), torch.full((1, 3), case)).sum())
    grads = [p.grad for p in adapter.parameters() if p.grad is not None]
    return any(bool(g.to_dense().any()) for g in grads)
