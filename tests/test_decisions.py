"""Lesson 15's calibrated probe and its acts: Bayes is cheapest in expectation, Chow is its case, tuning is exact."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from babyagi_lib.methods import decisions, probe, sensing
from babyagi_lib.methods.decisions import ANSWER, ASK, HAND_OVER, Costs, Thresholds

few = settings(max_examples=30, deadline=None)
seeds = st.integers(0, 10_000)
amounts = st.floats(0, 20)
any_costs = st.builds(Costs, amounts, amounts, amounts, st.integers(1, 7))


def beliefs(seed, n=40, classes=6):
    """Probabilities of all kinds, and labels drawn from them; a seed that 3 divides is neither sure nor lost."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(classes, (0.5, 0.1, 3.0)[seed % 3]), size=n)
    return p, (rng.random((n, 1)) > p.cumsum(axis=1)[:, :-1]).sum(axis=1)


# --- expected and true costs --------------------------------------------------------------------------------


@few
@given(seeds, any_costs, st.sampled_from([None, 0, 3, -1]))
def test_the_expected_cost_is_the_mean_of_the_true_cost_over_what_the_customer_may_want(seed, costs, outside):
    p, _ = beliefs(seed)
    want = [decisions.true_costs(p, np.full(len(p), c), costs, outside) for c in range(p.shape[1])]
    mean = np.einsum("nc,cna->na", p, np.array(want))
    assert np.allclose(decisions.expected_costs(p, costs, outside), mean, atol=1e-12)


@few
@given(seeds, any_costs, st.sampled_from([None, 2]))
def test_no_rule_is_expected_to_cost_less_than_bayes(seed, costs, outside):
    p, labels = beliefs(seed)
    expected = decisions.expected_costs(p, costs, outside)
    cheapest = decisions.cost_of(decisions.bayes(p, costs, outside), expected)
    assert (cheapest[:, None] <= expected).all()
    others = [decisions.chow(p, costs, outside), np.random.default_rng(seed).integers(3, size=len(p))]
    others.append(decisions.by_thresholds(p, decisions.tune(p, labels, costs, outside), costs, outside))
    assert all((cheapest <= decisions.cost_of(acts, expected)).all() for acts in others)


@few
@given(seeds, st.floats(0.5, 20), st.floats(0, 20))
def test_chow_is_bayes_where_asking_is_too_dear(seed, wrong, hand_over):
    p, _ = beliefs(seed)
    costs = Costs(wrong, 1000.0, hand_over)
    assert np.array_equal(decisions.bayes(p, costs), decisions.chow(p, costs))
    at, first = 1 - hand_over / wrong, p.max(axis=1)  # Chow's threshold
    clear = np.abs(first - at) > 1e-9
    assert np.array_equal((first >= at)[clear], (decisions.chow(p, costs) == ANSWER)[clear])


@few
@given(seeds, any_costs)
def test_the_order_of_the_classes_changes_nothing(seed, costs):
    p, labels = beliefs(seed)
    order = np.random.default_rng(seed).permutation(p.shape[1])
    new = np.argsort(order)
    one = decisions.expected_costs(p, costs, 4), decisions.true_costs(p, labels, costs, 4)
    two = (f(costs, int(new[4])) for f in (
        lambda *how: decisions.expected_costs(p[:, order], *how),
        lambda *how: decisions.true_costs(p[:, order], new[labels], *how),
    ))  # fmt: skip
    assert all(np.allclose(a, b) for a, b in zip(one, two, strict=True))


def test_what_is_outside_is_never_right():
    p = np.array([[0.1, 0.2, 0.7], [0.6, 0.3, 0.1]])
    costs = Costs(wrong=8, ask=2, hand_over=3, shown=1)
    assert decisions.ranked(p, outside=2).tolist() == [[1, 0], [0, 1]]
    assert np.allclose(decisions.expected_costs(p, costs, 2), [[8 * 0.8, 2 + 3 * 0.8, 3], [8 * 0.4, 2 + 3 * 0.4, 3]])
    assert decisions.bayes(p, costs, 2).tolist() == [HAND_OVER, HAND_OVER]
    assert decisions.bayes(p, Costs(8, 1, 3, 2), 2).tolist() == [HAND_OVER, ASK]
    assert decisions.true_costs(p, [2, 2], costs, 2).tolist() == [[8, 5, 3], [8, 5, 3]]
    assert decisions.true_costs(p, [1, 0], costs, 2).tolist() == [[0, 2, 3], [0, 2, 3]]


@few
@given(seeds, any_costs)
def test_the_oracle_is_never_dearer(seed, costs):
    p, labels = beliefs(seed)
    true = decisions.true_costs(p, labels, costs)
    best = decisions.cost_of(decisions.oracle(true), true)
    assert all((best <= decisions.cost_of(np.full(len(p), act), true)).all() for act in (ANSWER, ASK, HAND_OVER))


def test_with_calibrated_probabilities_the_rule_predicts_its_cost():
    """Labels drawn from the probabilities themselves: the two means differ by chance alone."""
    p, labels = beliefs(3, n=20_000)
    costs = Costs()
    acts, true = decisions.bayes(p, costs), decisions.true_costs(p, labels, costs)
    gap = decisions.cost_of(acts, decisions.expected_costs(p, costs)) - decisions.cost_of(acts, true)
    assert abs(gap.mean()) < 4 * gap.std() / np.sqrt(len(gap))
    sure = p**3 / (p**3).sum(axis=1, keepdims=True)  # the same order of classes, but too sure
    said, found = decisions.expected_costs(sure, costs), decisions.true_costs(sure, labels, costs)
    acts = decisions.bayes(sure, costs)
    assert decisions.cost_of(acts, said).mean() < decisions.cost_of(acts, found).mean() - 0.1


def test_the_rule_of_a_cost_that_is_nothing():
    p, _ = beliefs(1)
    assert (decisions.bayes(p, Costs(wrong=0)) == ANSWER).all() and (decisions.chow(p, Costs(wrong=0)) == ANSWER).all()
    assert (decisions.bayes(p, Costs(hand_over=0)) != ASK).all()


# --- thresholds ---------------------------------------------------------------------------------------------


@few
@given(seeds, st.integers(1, 9), any_costs)
def test_tuning_finds_the_cheapest_pair(seed, n, costs):
    """Against every pair of thresholds, tried one by one."""
    p, labels = beliefs(seed, n)
    p = np.random.default_rng(seed).multinomial(64, p) / 64  # exact in binary, with equal values among them
    true = decisions.true_costs(p, labels, costs)
    first, among = decisions.masses(p, costs)

    def cost(a, b):
        return decisions.cost_of(decisions.by_thresholds(p, Thresholds(a, b), costs), true).sum()

    every = itertools.product([*first, np.inf], [*among, np.inf])
    found = decisions.tune(p, labels, costs)
    assert cost(found.answer, found.among) == pytest.approx(min(cost(a, b) for a, b in every))


def test_thresholds_from_many_messages_come_close_to_the_rule():
    """By the expected cost, which is exact for labels that are drawn from the probabilities."""
    costs, (new, _) = Costs(), beliefs(6, n=5000)
    expected = decisions.expected_costs(new, costs)
    least = decisions.cost_of(decisions.bayes(new, costs), expected).mean()

    def more(n):
        runs = [decisions.tune(*beliefs(6 + 3 * run, n=n), costs) for run in range(10)]
        return np.mean(
            [decisions.cost_of(decisions.by_thresholds(new, t, costs), expected).mean() - least for t in runs]
        )

    assert 0 < more(800) < more(20) / 3


# --- out of scope -------------------------------------------------------------------------------------------


@few
@given(seeds)
def test_the_area_is_that_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    outside = rng.permutation(np.arange(30) < rng.integers(1, 30))
    scores = rng.integers(8, size=30) + outside
    assert decisions.outside_auc(scores, outside) == pytest.approx(roc_auc_score(outside, scores))


# --- the probe ----------------------------------------------------------------------------------------------


def drawn(n, classes, seed=0, hidden=5, spread=1.5):
    rng = np.random.default_rng(seed)
    labels = np.array([f"c{i}" for i in rng.integers(classes, size=n)])
    centres = rng.normal(size=(classes, hidden))
    vectors = np.array([centres[int(name[1:])] for name in labels]) + spread * rng.normal(size=(n, hidden))
    return vectors, labels


@pytest.mark.parametrize("classes", [2, 4])
def test_a_probe_is_the_regression_of_scikit_learn(classes):
    vectors, labels = drawn(80, classes)
    ours = probe.fit_probe(vectors, labels, folds=0, C=3.0)
    theirs = LogisticRegression(C=3.0, max_iter=1000).fit(vectors, labels)
    assert ours.classes == theirs.classes_.tolist() and ours.temperature == 1
    assert np.allclose(ours.probabilities(vectors), theirs.predict_proba(vectors), atol=1e-9)
    hot = ours.cooled(4.0).probabilities(vectors)
    assert np.array_equal(hot.argmax(axis=1), ours.probabilities(vectors).argmax(axis=1))
    assert hot.max() < ours.probabilities(vectors).max()


def test_no_logit_is_of_a_classifier_that_saw_its_example():
    """Two classes of vectors that say nothing, with a column for each example: seen, they are certain; left out, a guess."""
    vectors, labels = np.eye(40), np.array(["a", "b"] * 20)
    said = probe.out_of_fold_logits(vectors, labels, C=1e6)
    assert np.abs(said[:, 1] - said[:, 0]).max() < 1e-3
    seen = probe.fit_probe(vectors, labels, folds=0, C=1e6).logits(vectors)
    assert np.abs(seen[:, 1] - seen[:, 0]).min() > 5


@pytest.mark.parametrize("C", [1e-3, 1e4])
def test_the_temperature_calibrates_what_is_too_unsure_or_too_sure(C):
    vectors, labels = drawn(1200, 4, hidden=30, spread=3.0)
    learn, new = slice(0, 200), slice(200, None)
    fitted = probe.fit_probe(vectors[learn], labels[learn], C=C)
    truth = np.searchsorted(fitted.classes, labels[new])
    before, after = (
        sensing.quality(np.log(one.probabilities(vectors[new])), truth) for one in (fitted.cooled(1), fitted)
    )
    assert (fitted.temperature < 1) == (C < 1)
    assert after["ece"] < before["ece"] / 1.5 and after["nll"] < before["nll"]
    again = probe.fit_probe(vectors[learn], labels[learn], C=C)
    assert again.temperature == fitted.temperature and np.array_equal(again.weights, fitted.weights)


@few
@given(seeds, st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_halves_cut_every_class_in_two(seed, sizes):
    labels = np.random.default_rng(seed).permutation(np.repeat([f"c{i}" for i in range(len(sizes))], sizes))
    one, other = probe.halves(labels, seed)
    assert sorted([*one, *other]) == list(range(len(labels)))
    assert all((labels[one] == f"c{i}").sum() == size // 2 for i, size in enumerate(sizes))
    assert all(np.array_equal(a, b) for a, b in zip((one, other), probe.halves(labels, seed), strict=True))
    if max(sizes) > 6:
        assert any(
            not np.array_equal(np.sort(one), np.sort(probe.halves(labels, seed + more)[0])) for more in (1, 2, 3)
        )


# --- errors -------------------------------------------------------------------------------------------------

P, L = beliefs(0, n=4, classes=3)
V, NAMES = drawn(12, 2)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: Costs(wrong=-1), "wrong is -1"),
        (lambda: Costs(shown=0), "shown is 0"),
        (lambda: decisions.bayes(P[0], Costs()), "shape"),
        (lambda: decisions.bayes(2 * P, Costs()), "add up to 1"),
        (lambda: decisions.bayes(P * np.nan, Costs()), "NaN"),
        (lambda: decisions.bayes(P, Costs(), 3), "outside is 3; there are 3 columns"),
        (lambda: decisions.bayes(P[:, :1] / P[:, :1], Costs(), 0), "no intent"),
        (lambda: decisions.true_costs(P, [0, 1], Costs()), "4 whole numbers"),
        (lambda: decisions.true_costs(P, [0, 1, 2, 3], Costs()), "from 0 to 2"),
        (lambda: decisions.cost_of([0], decisions.expected_costs(P, Costs())), "one act for each"),
        (lambda: decisions.tune(P[:0], L[:0], Costs()), "without a message"),
        (lambda: decisions.outside_auc([1.0, 2.0], [True, True]), "one kind"),
        (lambda: probe.fit_probe(V, ["a"] * 12), "one class only"),
        (lambda: probe.fit_probe(V, NAMES[1:]), "found"),
        (lambda: probe.fit_probe(V * np.inf, NAMES), "infinite"),
        (lambda: probe.fit_probe(V, ["a", *["b"] * 11]), "'a' has one example"),
        (lambda: probe.out_of_fold_logits(V, NAMES, folds=1), "folds is 1"),
        (lambda: probe.fit_probe(V, NAMES, C=0), "C is 0"),
        (lambda: probe.fit_probe(V, NAMES).cooled(0), "temperature is 0"),
        (lambda: probe.fit_probe(V, NAMES).logits(V[:, 1:]), r"\(texts, 5\)"),
    ],
)
def test_bad_input_is_named(wrong, said):
    with pytest.raises(ValueError, match=said):
        wrong()
