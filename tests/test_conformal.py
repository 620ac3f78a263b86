"""Lesson 15's conformal sets: the quantile, and the law of the coverage by counting every order."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from babyagi_lib.methods import conformal

few = settings(max_examples=40, deadline=None)


def exact_rank(n, per_mille):
    return math.ceil((n + 1) * (1 - Fraction(per_mille, 1000)))


@few
@given(st.integers(1, 3000), st.integers(1, 999))
def test_the_rank_is_not_moved_by_rounding(n, per_mille):
    assert conformal.rank(n, per_mille / 1000) == exact_rank(n, per_mille)


@few
@given(st.integers(1, 60), st.sampled_from([50, 100, 250, 300, 500]), st.integers(0, 999))
def test_the_quantile_is_the_lowest_score_that_keeps_the_promise(n, per_mille, seed):
    scores = np.random.default_rng(seed).permutation(np.arange(n) / 10)
    alpha = per_mille / 1000
    found = conformal.quantile(scores, alpha)
    if exact_rank(n, per_mille) > n:
        assert found == math.inf
    else:
        assert found == np.sort(scores)[exact_rank(n, per_mille) - 1]
        assert (scores <= found).sum() / (n + 1) >= 1 - alpha - 1e-12 > (scores < found).sum() / (n + 1) - 1e-9
        # between two ranks, where rounding does not move it
        assert found == pytest.approx(np.quantile(scores, (exact_rank(n, per_mille) - 0.5) / n, method="inverted_cdf"))


def orders(n, test, alpha):
    """How many of all orders of n old and `test` new scores cover j of the new: (test + 1,) fractions."""
    k, counts, every = conformal.rank(n, alpha), [0] * (test + 1), 0
    for old in itertools.combinations(range(n + test), n):
        new = set(range(n + test)) - set(old)
        counts[sum(place < old[k - 1] for place in new)] += 1
        every += 1
    return [Fraction(count, every) for count in counts]


@pytest.mark.parametrize(("n", "test", "alpha"), [(1, 4, 0.5), (4, 5, 0.3), (6, 6, 0.25), (9, 3, 0.1), (7, 1, 0.2)])
def test_the_law_of_the_count_by_counting_every_order(n, test, alpha):
    counted = [float(share) for share in orders(n, test, alpha)]
    law = conformal.count_law(test, *conformal.law(n, alpha))
    assert np.allclose(law, counted, rtol=1e-14, atol=0)
    assert conformal.share_sd(law) == pytest.approx(np.sqrt(np.average((np.arange(test + 1) / test - law @ np.arange(test + 1) / test) ** 2, weights=law)))  # fmt: skip


@few
@given(st.integers(1, 400), st.integers(1, 300), st.integers(1, 300))
def test_the_laws_are_those_of_scipy(test, a, b):
    law = conformal.count_law(test, a, b)
    theirs = stats.betabinom(test, a, b)
    assert law.sum() == pytest.approx(1, abs=1e-12)
    assert np.allclose(law, theirs.pmf(np.arange(test + 1)), rtol=1e-7, atol=1e-15)
    assert conformal.share_sd(law) == pytest.approx(theirs.std() / test)
    assert conformal.beta_sd(a, b) == pytest.approx(stats.beta(a, b).std())
    x = np.linspace(0, 1, 21)
    assert np.allclose(conformal.beta_density(x, a, b), stats.beta(a, b).pdf(x), rtol=1e-8)


def test_a_finite_test_adds_spread_and_an_endless_one_does_not():
    a, b = conformal.law(240, 0.1)
    assert (a, b) == (217, 24)
    finite, endless = conformal.share_sd(conformal.count_law(240, a, b)), conformal.beta_sd(a, b)
    assert finite > 1.4 * endless
    assert conformal.share_sd(conformal.count_law(100_000, a, b)) == pytest.approx(endless, rel=2e-3)


def classifier(n, seed, classes=5):
    """Probabilities, right or not, and labels that have little to do with them: the promise does not need a good one."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(classes), size=n)
    return p, np.where(rng.random(n) < 0.4, p.argmax(axis=1), rng.integers(classes, size=n))


def test_sets_keep_their_promise_and_the_law():
    """4,000 random halves of one pool of messages: chi-square against the law of the count."""
    p, labels = classifier(60, 1)
    rng, counts = np.random.default_rng(2), np.zeros(31)
    scores = conformal.scores(p, labels)
    for _ in range(4000):
        half = rng.permutation(60)
        old, new = half[:30], half[30:]
        found = conformal.sets(p[new], conformal.quantile(scores[old], 0.2))
        counts[conformal.covered(found, labels[new]).sum()] += 1
    law = conformal.count_law(30, *conformal.law(30, 0.2))
    many = law * 4000 > 5
    expected = np.append(law[many], law[~many].sum()) * 4000
    seen = np.append(counts[many], counts[~many].sum())
    assert stats.chisquare(seen, expected).pvalue > 1e-3
    wrong = stats.binom(30, 0.8).pmf(np.arange(31))
    assert stats.chisquare(np.append(counts[many], counts[~many].sum()) + 1e-9, np.append(wrong[many], wrong[~many].sum()) * (4000 + 1e-9 * (many.sum() + 1)) / wrong.sum()).pvalue < 1e-6  # fmt: skip


def test_a_threshold_for_each_class_holds_for_each_class():
    p, labels = classifier(4000, 3)
    p[labels == 2] = p[labels == 2][:, ::-1] * 0.2 + 0.8 * np.eye(5)[0]  # one class that is nearly always missed
    old, new = slice(0, 2000), slice(2000, None)
    scores = conformal.scores(p[old], labels[old])
    one = conformal.covered(conformal.sets(p[new], conformal.quantile(scores, 0.1)), labels[new])
    each = conformal.covered(
        conformal.sets(p[new], conformal.quantile_per_class(scores, labels[old], 5, 0.1)), labels[new]
    )
    assert one.mean() == pytest.approx(0.9, abs=0.03) and one[labels[new] == 2].mean() < 0.8
    assert all(each[labels[new] == c].mean() > 0.85 for c in range(5))


def test_sets_by_hand():
    p = np.array([[0.7, 0.2, 0.1], [0.4, 0.35, 0.25]], dtype=np.float32)
    assert conformal.sets(p, 0.66).tolist() == [[True, False, False], [True, True, False]]
    assert conformal.sets(p, [0.5, 0.9, math.inf]).tolist() == [[True, True, True], [False, True, True]]
    assert conformal.covered(conformal.sets(p, 0.66), [0, 2]).tolist() == [True, False]
    scores = conformal.scores(p, [0, 1])
    assert np.allclose(scores, [0.3, 0.65])
    for score, row, label in zip(
        scores, p, [0, 1], strict=True
    ):  # its own threshold covers a message, in any precision
        assert conformal.covered(conformal.sets(row[None], score), [label]).all()


def test_too_few_messages_promise_nothing_less_than_everything():
    assert conformal.quantile([0.1] * 8, 0.1) == math.inf and conformal.quantile([0.1] * 9, 0.1) == 0.1
    assert conformal.sets([[0.5, 0.5]], math.inf).all()
    assert conformal.quantile_per_class([0.1, 0.2], np.array([0, 0]), 2, 0.5).tolist() == [0.2, math.inf]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: conformal.quantile([], 0.1), "n is 0"),
        (lambda: conformal.quantile([0.1, math.nan], 0.1), "NaN"),
        (lambda: conformal.quantile([0.1], 0), "alpha is 0"),
        (lambda: conformal.quantile([0.1], 1), "alpha is 1"),
        (lambda: conformal.scores([[0.5, 0.5]], [2]), "from 0 to 1"),
        (lambda: conformal.scores([[0.5, 0.5]], [0, 1]), "found"),
        (lambda: conformal.covered([[True, False]], [0.5]), "whole numbers"),
        (lambda: conformal.law(8, 0.1), "too few"),
        (lambda: conformal.count_law(0, 1, 1), "test is 0"),
        (lambda: conformal.quantile_per_class([0.1], [0, 1], 2, 0.1), "each message"),
    ],
)
def test_bad_input_is_named(wrong, said):
    with pytest.raises(ValueError, match=said):
        wrong()
