"""Few-shot learning: draws and episodes, what the methods compute, and that trainers leave the encoder alone."""

import warnings

import numpy as np
import pytest
import torch
from conftest import tiny_encoder
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython import display
from sklearn.metrics import roc_auc_score
from small_models import small

from babyagi_lib.basics.streams import stream_seed
from babyagi_lib.figures import fewshot as figures
from babyagi_lib.methods import fewshot
from babyagi_lib.models import adapters
from babyagi_lib.sources.encoders import load_encoder
from babyagi_lib.sources.messages import load_intents

TEXTS = ["where is my card", "i lost the card", "send it back", "how do i return this", "the fee is wrong", "what fee"]
LABELS = ["card", "card", "return", "return", "fee", "fee"]


@st.composite
def episodes(draw):
    """Labels of a shuffled, unbalanced corpus, and an episode that it can give."""
    shots, queries = draw(st.integers(1, 4)), draw(st.integers(0, 4))
    sizes = draw(st.lists(st.integers(shots + queries, shots + queries + 5), min_size=1, max_size=6))
    labels = np.repeat([f"c{i}" for i in range(len(sizes))], sizes)
    labels = np.array(draw(st.permutations(labels.tolist())))
    return labels, draw(st.integers(1, len(sizes))), shots, queries, draw(st.integers(0, 2**32 - 1))


@given(episodes())
def test_episodes_are_disjoint_balanced_and_reproducible(wanted):
    labels, ways, shots, queries, seed = wanted
    one = fewshot.draw_episode(labels, ways, shots, queries, seed)
    both = np.concatenate([one.support, one.query])
    assert len(set(both.tolist())) == len(both) == ways * (shots + queries)
    assert len(one.classes) == ways and one.classes == sorted(set(one.classes))
    for part, count in ((one.support, shots), (one.query, queries)):
        names, counts = np.unique(labels[part], return_counts=True)
        assert set(counts.tolist()) <= {count} and (names.tolist() == one.classes or not count)
    again = fewshot.draw_episode(labels.tolist(), ways, shots, queries, seed)
    assert again.support.tolist() == one.support.tolist() and again.query.tolist() == one.query.tolist()


def test_episodes_draw_every_class_and_every_example():
    labels = np.repeat(["a", "b", "c", "d"], [4, 4, 4, 40])
    drawn = [fewshot.draw_episode(labels, 2, 2, 1, seed) for seed in range(600)]
    counts = np.array([sum(name in one.classes for one in drawn) for name in "abcd"])
    assert np.all(np.abs(counts - 300) < 60)  # five standard deviations: no class is drawn for its size
    for part in ("support", "query"):
        assert {i for one in drawn for i in getattr(one, part).tolist()} >= set(range(12))
    assert len({tuple(one.support.tolist()) for one in drawn}) > 400
    with pytest.raises(AttributeError):
        drawn[0].classes = ["a"]


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="the corpus has 2"):
        fewshot.draw_episode(["a", "b"], 3, 1, 0, 0)
    with pytest.raises(ValueError, match=r"'b'\)? has 1 examples"):
        fewshot.draw_shots(["a", "a", "b"], 2, 0)


def test_shots_cover_every_class():
    labels = np.array(list("abcabcabc"))
    assert np.unique(labels[fewshot.draw_shots(labels, 2, 5)], return_counts=True)[1].tolist() == [2, 2, 2]


# --- methods on vectors -----------------------------------------------------------------------------------


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def some_vectors(seed, shots=3):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(["z", "m", "a"], shots))
    middle = dict(zip("zma", rng.normal(size=(3, 8)), strict=True))
    support = unit(np.stack([middle[name] + 0.3 * rng.normal(size=8) for name in labels]))
    return support, labels, unit(rng.normal(size=(20, 8)))


METHODS = [fewshot.nearest_example, fewshot.nearest_centroid, fewshot.linear_probe]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(3))
def test_scores_have_a_column_for_each_class_in_sorted_order(method, seed):
    support, labels, queries = some_vectors(seed)
    scores = method(support, labels, queries)
    assert scores.shape == (20, 3)
    own = method(support, labels, support)  # what was learned from is its own nearest example; the others come close
    assert fewshot.accuracy(own, labels, np.unique(labels)) > 0.85
    order = np.random.default_rng(seed).permutation(len(labels))
    np.testing.assert_allclose(method(support[order], labels[order], queries), scores, atol=2e-3)
    np.testing.assert_allclose(method(support, labels, queries[:1]), scores[:1], atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_what_each_method_computes(seed):
    support, labels, queries = some_vectors(seed)
    example, centroid, probe = (method(support, labels, queries) for method in METHODS)
    for column, name in enumerate(np.unique(labels)):
        own = support[labels == name]
        np.testing.assert_allclose(example[:, column], [max(q @ v for v in own) for q in queries])
        np.testing.assert_allclose(centroid[:, column], [-np.sum((q - own.mean(axis=0)) ** 2) for q in queries])
    np.testing.assert_allclose(probe.sum(axis=1), 1)
    one = [np.flatnonzero(labels == name)[0] for name in np.unique(labels)]
    alike = [method(support[one], labels[one], queries).argmax(axis=1).tolist() for method in METHODS[:2]]
    assert alike[0] == alike[1]  # with one example, the mean is the example


def test_accuracy_is_the_share_of_right_answers():
    scores = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
    assert fewshot.accuracy(scores, ["b", "a", "a", "b"], ["a", "b"]) == 0.5
    assert fewshot.accuracy(scores, ["b", "a", "new", "a"], ["a", "b"]) == 0.75  # an unknown class cannot be right


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 30))
def test_auroc_of_the_lesson_is_scikit_learns(seed, inside, outside):
    """The lesson's pair counting, with ties, against the library's area."""
    rng = np.random.default_rng(seed)
    high, low = rng.integers(0, 6, inside), rng.integers(0, 6, outside)
    above, ties = high[:, None] > low[None, :], high[:, None] == low[None, :]
    truth = np.repeat([1, 0], [inside, outside])
    assert (above + ties / 2).mean() == pytest.approx(roc_auc_score(truth, np.concatenate([high, low])))


# --- methods that train ------------------------------------------------------------------------------------


def test_vectors_have_length_one_and_do_not_depend_on_their_company(tokenizer):
    encoder = tiny_encoder()
    vectors = fewshot.embed(encoder, tokenizer, TEXTS)
    assert vectors.shape == (6, 32) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    alone = np.concatenate([fewshot.embed(encoder, tokenizer, [text]) for text in TEXTS])
    np.testing.assert_allclose(alone, vectors, atol=1e-5)


def contrastive_by_loops(vectors, labels, temperature):
    """The loss of Khosla et al. (2020), equation 2, one text and one partner after the other."""
    unit = torch.nn.functional.normalize(vectors, dim=1)
    losses = []
    for i in range(len(unit)):
        others = [j for j in range(len(unit)) if j != i]
        total = torch.stack([(unit[i] @ unit[j] / temperature).exp() for j in others]).sum().log()
        partners = [total - unit[i] @ unit[j] / temperature for j in others if labels[j] == labels[i]]
        losses += [torch.stack(partners).mean()] if partners else []
    return torch.stack(losses).mean() if losses else torch.zeros((), dtype=vectors.dtype)


@given(
    st.integers(0, 2**32 - 1), st.lists(st.integers(0, 2), min_size=2, max_size=7), st.sampled_from([0.05, 0.1, 1, 3])
)
@settings(deadline=None, max_examples=50)
def test_contrastive_loss_by_hand(seed, classes, temperature):
    draw = torch.Generator().manual_seed(seed)
    vectors = torch.randn(len(classes), 5, generator=draw, dtype=torch.float64)
    found = fewshot.contrastive_loss(vectors, torch.tensor(classes), temperature)
    torch.testing.assert_close(found, contrastive_by_loops(vectors, classes, temperature))
    standard = fewshot.contrastive_loss(vectors, torch.tensor(classes))
    torch.testing.assert_close(standard, contrastive_by_loops(vectors, classes, 0.1))


@given(st.lists(st.sampled_from("abcdef"), min_size=2, max_size=60), st.integers(2, 40), st.integers(0, 99))
def test_a_balanced_batch_has_so_many_of_each_class(labels, texts, seed):
    names, counts = np.unique(labels, return_counts=True)
    batch = fewshot.balanced_batch(labels, texts, np.random.default_rng(seed))
    assert len(set(batch)) == len(batch)
    found, drawn = np.unique(np.array(labels)[batch], return_counts=True)
    assert len(found) == min(len(names), max(2, texts // 2))
    each = max(2, texts // len(names))
    assert drawn.tolist() == [min(each, counts[names.tolist().index(name)]) for name in found]


@pytest.mark.parametrize(
    ("texts", "given_epochs", "given_batches"), [(6, 213, 15), (100, 12, 15), (400, 4, 25), (3000, 4, 187)]
)
def test_how_long_the_trainers_train(monkeypatch, tokenizer, texts, given_epochs, given_batches):
    """1,280 texts read in all, but each four times at least; four times 64 texts a batch, but 15 batches at least."""
    seen = []
    monkeypatch.setattr(fewshot, "fit", lambda model, examples, **options: seen.append(options))
    data = tokenizer, ["a card", "a fee"] * (texts // 2), ["card", "fee"] * (texts // 2)
    fewshot.fine_tune(tiny_encoder(), *data, seed=0)
    fewshot.contrastive_tune(tiny_encoder(), *data, seed=0)
    assert seen[0]["epochs"] == given_epochs and seen[0]["batch_tokens"] == 1024
    assert len(seen[1]["batches"](0)) == given_batches


# --- long texts, odd labels --------------------------------------------------------------------------------


def test_only_what_follows_the_encoders_last_position_is_cut_and_said(tokenizer, tmp_path):
    encoder = tiny_encoder()
    start = "good morning " * 100
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        a, b = fewshot.embed(encoder, tokenizer, [start + "please block my card", start + "where is the parcel"])
    assert a @ b < 1 - 1e-6, "200 pieces and more are read"
    start = "good morning " * 300
    texts = [start + "please block my card", start + "where is the parcel", "hello"]
    with pytest.warns(UserWarning, match="2 of 3 texts are longer than the 512 pieces .* the rest of each is cut off"):
        a, b, _ = fewshot.embed(encoder, tokenizer, texts)
    assert a @ b == pytest.approx(1, abs=1e-6)
    (small_encoder, its) = load_encoder(str(small("Bert", tmp_path, max_position_embeddings=20)))
    for call, options in ((fewshot.fine_tune, {"read": 8}), (fewshot.contrastive_tune, {})):
        with pytest.warns(UserWarning, match="1 of 2 texts are longer than the 20 pieces"):
            call(small_encoder, its, ["Anna " * 50, "Basel"], ["a", "b"], seed=0, **options)


@pytest.mark.parametrize("label", [None, float("nan"), 1.5, ["a"], ("a",), {"a"}, np.float64(2)])
def test_labels_that_are_no_names_are_refused(tokenizer, label):
    labels = ["a", "a", "b", label]
    vectors = np.eye(4)
    for call in (
        lambda: fewshot.draw_shots(labels, 1, 0),
        lambda: fewshot.draw_episode(labels, 2, 1, 0, 0),
        lambda: fewshot.linear_probe(vectors, labels, vectors),
        lambda: fewshot.fine_tune(tiny_encoder(), tokenizer, TEXTS[:4], labels, 0),
        lambda: fewshot.contrastive_tune(tiny_encoder(), tokenizer, TEXTS[:4], labels, 0),
    ):
        with pytest.raises(ValueError, match=r"label 3 is .*; expected the name of a class"):
            call()


def test_one_class_and_other_numbers_of_labels_are_refused(tokenizer):
    with pytest.raises(ValueError, match=r"every label is \['a'\]; expected two classes or more"):
        fewshot.linear_probe(np.eye(2), ["a", "a"], np.eye(2))
    for call in (fewshot.fine_tune, fewshot.contrastive_tune):
        with pytest.raises(ValueError, match=r"every label is \['a'\]"):
            call(tiny_encoder(), tokenizer, ["x", "y"], ["a", "a"], 0)
        with pytest.raises(ValueError, match="3 texts and 2 labels"):
            call(tiny_encoder(), tokenizer, ["x", "y", "z"], ["a", "b"], 0)
    with pytest.raises(ValueError, match="text 1 is None; expected a str"):
        fewshot.embed(tiny_encoder(), tokenizer, ["x", None])


@pytest.mark.parametrize("classes", [2, 4])
def test_every_method_works_with_few_classes_of_unlike_sizes(tokenizer, classes):
    """More examples of a class than a batch draws, and one of another."""
    labels = [f"class {i}" for i in range(classes) for _ in range([40, 1, 7, 3][i])]
    texts = [f"message {n} about {label}" for n, label in enumerate(labels)]
    encoder = tiny_encoder()
    vectors, names = fewshot.embed(encoder, tokenizer, texts), np.unique(labels)
    for method in METHODS:
        assert method(vectors, labels, vectors[:5]).shape == (5, classes)
    assert fewshot.fine_tune(encoder, tokenizer, texts, labels, 0)(texts[:5]).shape == (5, classes)
    tuned = fewshot.contrastive_tune(encoder, tokenizer, texts, labels, 0)
    assert fewshot.accuracy(fewshot.linear_probe(vectors, labels, vectors), labels, names) > 0.5
    assert fewshot.embed(tuned, tokenizer, texts[:2]).shape == (2, 32)


# --- streams -----------------------------------------------------------------------------------------------


def test_a_draw_shares_no_stream_with_a_plain_generator_of_its_seed():
    """What `default_rng(seed)` chooses in a class says nothing about what is drawn from it: a quarter stays a quarter."""
    labels = np.repeat([f"c{i}" for i in range(8)], 20)
    firsts, spoiled = [], []
    for seed in range(400):
        query = fewshot.draw_episode(labels, 5, 5, 10, seed).query
        rng = np.random.default_rng(seed)
        firsts.append(query[0] % 20 == rng.permutation(20)[0])
        spoiled.append(rng.permutation(20)[query % 20] < 5)
    assert np.mean(spoiled) == pytest.approx(0.25, abs=0.02)
    assert np.mean(firsts) < 0.12  # one in twenty by chance


@given(st.integers(0, 2**64), st.text(max_size=8), st.text(max_size=8))
def test_every_purpose_and_seed_has_a_stream_of_its_own(seed, one, other):
    assert 0 <= stream_seed(one, seed) < 2**63
    assert stream_seed(one, seed) == stream_seed(one, seed) != stream_seed(one, seed + 1)
    assert (stream_seed(one, seed) == stream_seed(other, seed)) == (one == other)
    assert stream_seed(one, seed) != seed


def test_streams_are_the_same_on_every_machine():
    assert [stream_seed("episode", 0), stream_seed("head", 7)] == [3487216300544605029, 4402067921508531429]


def test_the_head_shares_no_stream_with_a_plain_generator_of_its_seed(monkeypatch, tokenizer):
    models = []
    monkeypatch.setattr(fewshot, "fit", lambda model, examples, **options: models.append(model))
    fewshot.fine_tune(tiny_encoder(), tokenizer, TEXTS, LABELS, seed=3)
    torch.manual_seed(3)
    assert not torch.equal(models[0].head.linear.weight, torch.nn.Linear(32, 3).weight)


def test_fine_tuning_learns_and_leaves_the_encoder_as_it_was(tokenizer):
    encoder = tiny_encoder()
    before = adapters.fingerprint(encoder)
    answer = fewshot.fine_tune(encoder, tokenizer, TEXTS, LABELS, seed=0)
    assert adapters.fingerprint(encoder) == before
    scores = answer(TEXTS)
    assert scores.shape == (6, 3)
    assert fewshot.accuracy(scores, LABELS, np.unique(LABELS)) > 0.8
    again = fewshot.fine_tune(encoder, tokenizer, TEXTS, LABELS, seed=0)(TEXTS)
    np.testing.assert_allclose(again, scores, atol=1e-4)


def test_contrastive_tuning_moves_a_copy_and_brings_a_class_together(tokenizer):
    encoder = tiny_encoder()
    before = adapters.fingerprint(encoder)
    tuned = fewshot.contrastive_tune(encoder, tokenizer, TEXTS, LABELS, seed=0)
    assert adapters.fingerprint(encoder) == before != adapters.fingerprint(tuned)
    same = np.equal.outer(LABELS, LABELS) & ~np.eye(6, dtype=bool)
    gaps = []
    for state in (encoder, tuned):
        vectors = fewshot.embed(state, tokenizer, TEXTS)
        cosines = vectors @ vectors.T
        gaps.append(cosines[same].mean() - cosines[np.not_equal.outer(LABELS, LABELS)].mean())
    assert gaps[1] > gaps[0] + 0.01  # random weights and few steps: the direction is what counts


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 3), min_size=2, max_size=8))
def test_pair_loss_depends_on_neither_order_nor_length_nor_names(seed, classes):
    draw = torch.Generator().manual_seed(seed)
    vectors = torch.randn(len(classes), 5, generator=draw, dtype=torch.float64)
    labels = torch.tensor(classes)
    loss = fewshot.pair_loss(vectors, labels)
    assert 0 <= loss <= 4
    order = torch.randperm(len(classes), generator=draw)
    lengths = torch.rand(len(classes), 1, generator=draw, dtype=torch.float64) + 0.1
    torch.testing.assert_close(fewshot.pair_loss(vectors[order], labels[order]), loss)
    torch.testing.assert_close(fewshot.pair_loss(vectors * lengths, labels), loss)
    torch.testing.assert_close(fewshot.pair_loss(vectors, 7 - labels), loss)


def test_pair_loss_is_zero_where_all_pairs_are_as_wanted():
    vectors = torch.eye(3).repeat_interleave(2, dim=0)
    assert fewshot.pair_loss(vectors, torch.tensor([0, 0, 1, 1, 2, 2])) == 0
    assert fewshot.pair_loss(vectors[:1], torch.tensor([0])) == 0  # no pair at all


def test_like_pairs_count_as_much_as_the_many_unlike_ones():
    """One like pair that is wrong weighs as much as all unlike pairs that are right."""
    vectors = torch.eye(8)
    labels = torch.tensor([0, 0, 1, 2, 3, 4, 5, 6])
    assert fewshot.pair_loss(vectors, labels) == pytest.approx(0.5)


def test_five_messages_of_every_intent_can_be_drawn():
    labels = load_intents()["train"]["category"]
    assert len(fewshot.draw_shots(labels, 5, 0)) == 5 * 24


# --- the figures of lesson 05 ------------------------------------------------------------------------------


@pytest.fixture
def alts(monkeypatch):
    """Alt texts of what is displayed."""
    found = []
    monkeypatch.setattr(display, "display", lambda data, metadata=None, raw=False: found.append(data["text/plain"]))
    return found


def test_figures_tell_their_numbers(alts):
    rng = np.random.default_rng(0)
    draws = np.array([[0.2, 0.4], [0.3, 0.5]])
    figures.fewshot_curves([1, 4], {"linear probe": draws, "something else": draws + 0.1}, [0.1, 0.1])
    figures.fewshot_curves([2, 10], {"one draw": draws[:1]}, [0.5, 0.1], "ways")
    figures.draws_spread({1: {"linear probe": rng.uniform(0.2, 0.3, 50)}, 4: {"linear probe": np.full(50, 0.5)}})
    figures.roc_curves({"distance": (np.array([0, 0.1, 1]), np.array([0, 0.6, 1]), 0.75)}, 0.1)
    points = {"before": rng.normal(size=(12, 2)), "after": rng.normal(size=(12, 2))}
    figures.before_and_after(points, ["a", "b", "c"] * 4, np.arange(12) < 3, {"before": 0.5, "after": 0.75})
    figures.labelling_curves({"even": ([24, 72], {"random": draws, "margin": draws + 0.1})})
    assert "linear probe: 0.25 at 1, 0.45 at 4" in alts[0] and "chance: 0.10." in alts[0]
    assert "against ways" in alts[1] and "chance: 0.50, 0.10" in alts[1]
    assert "linear probe at 4: mean 0.500, nine in ten from 0.500 to 0.500" in alts[2]
    assert "area 0.75, 60% answered where 10% are let through" in alts[3]
    assert "3 of them support" in alts[4] and "after: 75%" in alts[4]
    assert "even, margin: 0.35 at 24, 0.55 at 72" in alts[5]
