"""Lesson 15's retrieval: BM25 against a plain double loop and bm25s, fusion by hand, typos that are as many as asked for."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babyagi_lib.methods import retrieval
from babyagi_lib.methods.fewshot import nearest_example
from babyagi_lib.sources.messages import load_intents, load_meanings, load_teams
from babyagi_lib.text.typos import with_typos

few = settings(max_examples=40, deadline=None)
texts = st.lists(st.text(alphabet="ab c,É'_9", max_size=12), min_size=1, max_size=6)


def plain(documents, question, k1, b):
    """BM25 word for word."""
    cut = [retrieval.words(document) for document in documents]
    mean = sum(len(document) for document in cut) / len(cut)
    scores = []
    for document in cut:
        score = 0.0
        for word in retrieval.words(question):
            tf, df = document.count(word), sum(word in other for other in cut)
            if tf:
                idf = math.log(1 + (len(cut) - df + 0.5) / (df + 0.5))
                score += idf * tf / (tf + k1 * (1 - b + b * len(document) / mean))
        scores.append(score)
    return scores


@few
@given(texts, texts, st.sampled_from([0, 0.9, 1.5]), st.sampled_from([0, 0.75, 1]))
def test_bm25_is_the_plain_double_loop(documents, questions, k1, b):
    if not any(map(retrieval.words, documents)):
        with pytest.raises(ValueError, match="no document has a word"):
            retrieval.BM25(documents)
        return
    scores = retrieval.BM25(documents, k1, b).scores(questions)
    assert scores.shape == (len(questions), len(documents))
    assert np.allclose(scores, [plain(documents, question, k1, b) for question in questions], atol=1e-12)


def test_bm25_is_that_of_bm25s():
    bm25s = pytest.importorskip("bm25s", reason="bm25s, the peer of the benchmark, is not installed")
    corpus = load_intents()
    documents, questions = corpus["train"]["text"], corpus["test"]["text"][:100]
    theirs = bm25s.BM25(method="lucene", k1=1.5, b=0.75, dtype="float64")
    theirs.index([retrieval.words(text) for text in documents], show_progress=False)
    expected = np.stack([theirs.get_scores(retrieval.words(question)) for question in questions])
    assert np.allclose(retrieval.BM25(documents).scores(questions), expected, atol=1e-12)


def test_what_bm25_rewards():
    index = retrieval.BM25(["card lost", "card card", "card found in the long grass behind the house", "card", "tea"])
    [lost, card, none] = index.scores(["lost", "card", "nothing of it"])
    assert lost.argmax() == 0 and (lost[1:] == 0).all() and not none.any()
    assert card[1] > card[0] > card[2] and card[3] > card[0], "more often, in a shorter text"
    assert lost[0] > card[0], "a rare word counts more"
    twice, once = index.scores(["card card", "card"])
    assert np.allclose(twice, 2 * once)


@few
@given(st.integers(0, 1000), st.integers(1, 3))
def test_fusion_by_hand_and_of_any_scale(seed, lists):
    rng = np.random.default_rng(seed)
    scores = [rng.permuted(np.tile(np.arange(5.0), (3, 1)), axis=1) for _ in range(lists)]
    fused = retrieval.fuse(*scores, k=2)
    for q in range(3):
        for d in range(5):
            rank = [1 + sum(other > one[q, d] for other in one[q]) for one in scores]
            assert fused[q, d] == pytest.approx(sum(1 / (2 + r) for r in rank))
    assert np.allclose(retrieval.fuse(*(np.exp(one) - 7 for one in scores), k=2), fused)


def test_the_best_document_of_each_answer_is_the_nearest_example():
    rng = np.random.default_rng(0)
    documents, questions = rng.normal(size=(12, 4)), rng.normal(size=(5, 4))
    answers = np.array(["b", "a", "c"] * 4)
    best = retrieval.best_of_each(questions @ documents.T, answers, ["a", "b", "c"])
    assert np.array_equal(best, nearest_example(documents, answers, questions))


def test_found():
    scores = np.array([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0], [1.0, 1.0, 1.0]])
    assert retrieval.ranks(scores).tolist() == [[1, 2, 3], [3, 2, 1], [1, 2, 3]]
    assert retrieval.found(scores, [0, 1, 2]) == pytest.approx(1 / 3)
    assert retrieval.found(scores, [0, 1, 2], 2) == pytest.approx(2 / 3)
    assert retrieval.found(scores, [0, 1, 2], 3) == 1


def test_every_category_has_a_meaning():
    meanings = load_meanings()
    assert meanings.keys() == load_teams().keys() == set(load_intents()["train"]["category"])
    assert all(len(retrieval.words(meaning)) >= 3 for meaning in meanings.values())


def test_typos():
    long = ["Where is my card? It was to be here on 3 May."] * 400
    assert with_typos(long, 0.0, 1) == long
    assert with_typos(long, 0.1, 1) == with_typos(long, 0.1, 1) != with_typos(long, 0.1, 2)
    assert with_typos(["3 + 4 = 7, ÄÖ!"], 1.0, 0) == ["3 + 4 = 7, ÄÖ!"]
    letters = sum(c.isalpha() for c in long[0])
    one_word = ["e"] * 20_000
    changed = np.array([a != b for a, b in zip(one_word, with_typos(one_word, 0.06, 3), strict=True)])
    assert changed.mean() == pytest.approx(0.06 * 3 / 4, abs=0.006)  # a single letter has nothing to be swapped with
    kept = np.mean([a == b for a, b in zip(long, with_typos(long, 0.02, 4), strict=True)])
    assert kept == pytest.approx(0.98**letters, abs=0.08)
    assert with_typos(["Q"] * 200, 1.0, 0).count("W") == pytest.approx(50, abs=25), "capitals stay capitals"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: retrieval.BM25("a text"), "list of texts"),
        (lambda: retrieval.BM25(["a", None]), "text 1 is None"),
        (lambda: retrieval.BM25([]), "no document"),
        (lambda: retrieval.BM25(["a"], b=2), "b is 2"),
        (lambda: retrieval.BM25(["a"]).scores("b"), "list of texts"),
        (lambda: retrieval.fuse(np.ones((1, 2)), np.ones((1, 3))), "one shape"),
        (lambda: retrieval.fuse(), "one shape"),
        (lambda: retrieval.best_of_each(np.ones((1, 2)), ["a", "a"], ["a", "b"]), "no document has the answer 'b'"),
        (lambda: retrieval.best_of_each(np.ones((1, 2)), ["a"], ["a"]), "found"),
        (lambda: retrieval.found(np.ones((2, 2)), [0]), "found"),
        (lambda: with_typos(["a"], 2, 0), "share is 2"),
    ],
)
def test_bad_input_is_named(wrong, said):
    with pytest.raises(ValueError, match=said):
        wrong()
