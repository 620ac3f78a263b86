"""Lesson 17: the reading room, its rankers, metrics and clicks, each held against an answer by other means."""

import itertools
import math
import re
from collections import Counter

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from babyagi_lib.figures import recommendation as figures
from babyagi_lib.methods import clicks, implicit, ranking, recommendation
from babyagi_lib.sources.catalogue import load_catalogue
from babyagi_lib.sources.errors import CorpusError, SourceError
from babyagi_lib.sources.movielens import load_movielens
from babyagi_lib.worlds import reading_room, shelf


def rng(seed=0):
    return np.random.default_rng(seed)


# --- the catalogue ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def items():
    return load_catalogue()


def test_the_catalogue_is_what_its_card_says(items, root):
    assert len(items) == 200
    assert set(Counter(item.subject for item in items).values()) == {16, 17}
    for item in items:
        assert len(re.findall(r"[.?!](?= |$)", item.description)) == 2, item
    card = (root / "data" / "catalogue" / "README.md").read_text(encoding="utf-8")
    subjects = Counter(item.subject for item in items)
    assert all(f"{subject} ({count})" in card for subject, count in subjects.items())


def test_no_templates_in_the_catalogue(items):
    openings = Counter(tuple(item.description.lower().split()[:3]) for item in items)
    assert openings.most_common(1)[0][1] <= 2
    triples = []
    for item in items:
        words = re.findall(r"[a-z']+", item.description.lower())
        triples.append(set(zip(words, words[1:], words[2:], strict=False)))
    assert all(len(a & b) < 0.3 * min(len(a), len(b)) for a, b in itertools.combinations(triples, 2))


HEAD = "subject,title,description\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("title,description\nA,B\n", "the columns are"),
        (HEAD + "s,A,B\ns,A,C\n", "a title occurs twice"),
        (HEAD + "s,A,\n", "item 1: expected a subject"),
        (HEAD + "s,A\n", "item 1: expected a subject"),
        (HEAD + "s,A,B\n", "expected two or more"),
        ("", "the columns are"),
        (HEAD + 's,"A"x,B\n', "not CSV"),
    ],
)
def test_a_broken_catalogue_is_refused(tmp_path, content, said):
    (tmp_path / "items.csv").write_text(content, encoding="utf-8")
    with pytest.raises(CorpusError, match=re.escape(said)):
        load_catalogue(str(tmp_path))


def test_another_catalogue_can_be_loaded(tmp_path):
    with pytest.raises(SourceError, match=r"items\.csv"):
        load_catalogue(str(tmp_path))
    (tmp_path / "items.csv").write_text(HEAD + 's,A,"B, C."\nt,D,E.\n', encoding="utf-8")
    assert [item.text for item in load_catalogue(str(tmp_path))] == ["A. B, C.", "D. E."]


# --- the reading room ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def text():
    return reading_room.text_features(rng(1).normal(size=(200, 60)))


@pytest.fixture(scope="module")
def room(text):
    return reading_room.draw_room(text, rng(2))


def test_text_features_are_standardised_and_keep_the_strongest_directions():
    vectors = rng().normal(size=(50, 9)) * np.arange(9, 0, -1) + 3
    found = reading_room.text_features(vectors, 4)
    assert np.allclose(found.mean(axis=0), 0) and np.allclose(found.T @ found / 50, np.eye(4))
    centred = vectors - vectors.mean(axis=0)
    values, directions = np.linalg.eigh(centred.T @ centred)
    strongest = centred @ directions[:, np.argsort(-values)[:4]]
    for a, b in zip(found.T, strongest.T, strict=True):
        assert abs(np.corrcoef(a, b)[0, 1]) == pytest.approx(1)
    with pytest.raises(ValueError, match="size is 10"):
        reading_room.text_features(vectors, 10)


def test_text_explains_the_share_that_was_asked_for(text):
    shares = []
    for seed in range(10):
        factors = reading_room.draw_room(text, rng(seed), explained=0.6).factors
        rest = factors - text @ np.linalg.lstsq(text, factors, rcond=None)[0]
        shares.append(1 - (rest**2).sum() / (factors**2).sum() * len(text) / (len(text) - text.shape[1]))
        assert (factors**2).sum(axis=1).mean() == pytest.approx(1, abs=0.25)
    assert np.mean(shares) == pytest.approx(0.6, abs=0.04)
    alone = reading_room.draw_room(text, rng(), explained=1).factors
    assert np.allclose(alone, text @ np.linalg.lstsq(text, alone, rcond=None)[0])


def test_tastes_of_months_follow_each_other(text):
    still = reading_room.draw_room(text, rng(3), stays=1).tastes
    assert np.allclose(still, still[0])
    steps = [reading_room.draw_room(text, rng(seed)).tastes for seed in range(60)]
    pairs = np.concatenate([np.stack([t[:-1].ravel(), t[1:].ravel()], 1) for t in steps])
    assert np.corrcoef(pairs.T)[0, 1] == pytest.approx(0.9, abs=0.02)


def test_readers_read_no_new_book_and_none_twice(room):
    readers = reading_room.draw_readers(room, 300, rng(4))
    assert room.new.sum() == reading_room.NEW and not room.new[readers.books].any()
    assert all(len(set(books)) == reading_room.READ for books in readers.books)
    noise = readers.ratings - np.take_along_axis(readers.taste @ room.factors.T, readers.books, axis=1)
    assert abs(noise.mean()) < 0.06 and noise.std() == pytest.approx(reading_room.NOISE, abs=0.03)
    around = readers.taste - room.tastes[readers.month]
    assert abs(around.mean()) < 0.08 and around.std() == pytest.approx(1, abs=0.05)


def test_books_are_picked_as_often_as_the_room_says(room):
    first = reading_room.draw_readers(room, 20_000, rng(5), read=1, month=3).books[:, 0]
    shares = np.bincount(first, minlength=200) / 20_000
    error = np.sqrt(room.chosen * (1 - room.chosen) / 20_000)
    assert (abs(shares - room.chosen) <= 4.5 * error + 1e-12).all()


@pytest.mark.parametrize("wrong", [{"explained": 1.1}, {"stays": -0.1}, {"new": 190}, {"new": 1.5}])
def test_a_room_that_cannot_be_is_refused(text, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        reading_room.draw_room(text, rng(), **wrong)


def test_readers_who_read_more_than_there_is_are_refused(room):
    with pytest.raises(ValueError, match="read is 181; the room has 180"):
        reading_room.draw_readers(room, 2, rng(), read=181)


# --- rankers ------------------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(0, 7), st.floats(0.2, 3))
def test_the_posterior_is_that_of_the_joint_normal_distribution(seed, count, noise):
    draw = rng(seed)
    factors, taste = draw.normal(size=(9, 3)), draw.normal(size=3)
    books = np.array([draw.permutation(9)[:count] for _ in range(2)]).reshape(2, count)
    ratings = draw.normal(size=(2, count))
    mean, covariance = recommendation.posterior(factors, taste, books, ratings, noise)
    for reader in range(2):
        read = factors[books[reader]]
        gain = read.T @ np.linalg.inv(read @ read.T + noise**2 * np.eye(count)) if count else np.zeros((3, 0))
        assert np.allclose(mean[reader], taste + gain @ (ratings[reader] - read @ taste))
        assert np.allclose(covariance[reader], np.eye(3) - gain @ read)


def test_no_ranking_promises_more_than_the_posterior_mean():
    """All 720 orders of six books."""
    draw = rng(6)
    expected = draw.normal(size=6)
    orders = np.array(list(itertools.permutations(range(6))))
    worth = (expected[orders] * ranking.discounts(6)).sum(axis=1)
    assert ranking.dcg(expected, expected) == pytest.approx(worth.max())


def test_posterior_refuses_what_does_not_fit():
    for books, ratings, noise in ((np.zeros((2, 3)), np.zeros((2, 2)), 1.0), (np.zeros((2, 1)), np.zeros((2, 1)), 0.0)):
        with pytest.raises(ValueError, match=r"must have one shape|noise is 0\.0"):
            recommendation.posterior(np.zeros((4, 2)), np.zeros(2), books, ratings, noise)


def share(model, room, test):
    """Of the best DCG, on known books, after ten ratings."""
    known = test.books[:, :10], test.ratings[:, :10], reading_room.NOISE
    best = recommendation.posterior(room.factors, room.tastes[-1], *known)[0] @ room.factors.T
    found = recommendation.posterior(model.factors, model.taste, *known)[0] @ model.factors.T
    best[:, room.new], found[:, room.new] = -np.inf, -np.inf
    gains = np.where(np.isfinite(best), best, 0)
    return ranking.dcg(found, gains).sum() / ranking.dcg(best, gains).sum()


def learned(room, text, users, uses, seed=7, **settings):
    log = reading_room.draw_readers(room, users, rng(seed))
    return recommendation.learn(log.books, log.ratings, log.month, text, uses, **settings)


def test_text_pays_with_few_readers_and_hardly_with_many(room, text):
    test = reading_room.draw_readers(room, 150, rng(8), read=10, month=reading_room.MONTHS - 1)
    few, many = (
        {uses: share(learned(room, text, users, uses), room, test) for uses in recommendation.USES}
        for users in (100, 3000)
    )
    assert few["both"] > few["behaviour"] + 0.05
    assert many["both"] > 0.93 and abs(many["both"] - many["behaviour"]) < 0.02
    assert many["text"] < many["both"] - 0.1


def test_if_text_explains_all_the_text_ranker_is_nearly_the_best(text):
    room = reading_room.draw_room(text, rng(9), explained=1)
    test = reading_room.draw_readers(room, 150, rng(8), read=10, month=reading_room.MONTHS - 1)
    assert share(learned(room, text, 3000, "text"), room, test) > 0.95


def test_what_a_ranker_uses_is_all_that_it_uses(room, text):
    behaviour = learned(room, text, 200, "behaviour")
    assert np.array_equal(behaviour.factors, learned(room, rng(1).normal(size=text.shape), 200, "behaviour").factors)
    assert np.allclose(behaviour.factors[room.new], 0)
    from_text = learned(room, text, 200, "text").factors
    assert np.allclose(from_text, text @ np.linalg.lstsq(text, from_text, rcond=None)[0])
    assert np.array_equal(from_text, learned(room, text, 200, "text").factors)


def test_the_weights_of_text_solve_the_least_squares_problem():
    draw = rng(10)
    text, evidence = draw.normal(size=(30, 3)), draw.normal(size=(30, 2))
    roots = draw.normal(size=(30, 2, 2))
    precision = roots @ roots.transpose(0, 2, 1) + np.eye(2)

    def loss(weights):
        told = text @ weights
        fit = 0.5 * np.einsum("if,ifg,ig->", told, precision, told) - (told * evidence).sum()
        return fit + 0.5 * 6 * (weights**2).sum()

    best = recommendation._weights(text, precision, evidence)
    for _ in range(40):
        assert loss(best) < loss(best + 0.01 * draw.normal(size=best.shape))


def test_learn_refuses_what_it_does_not_know(room, text):
    with pytest.raises(ValueError, match="uses is 'all'; expected one of text, behaviour, both"):
        learned(room, text, 20, "all")
    with pytest.raises(ValueError, match="half_life"):
        learned(room, text, 20, "both", half_life=0)
    with pytest.raises(ValueError, match="steps"):
        learned(room, text, 20, "both", steps=0)


def test_popularity_by_hand():
    books, ratings, month = np.array([[0, 1], [0, 2]]), np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([2, 3])
    assert np.allclose(recommendation.popularity(books, ratings, month, 4), [4 / 4, 2 / 3, 4 / 3, 0])
    recent = recommendation.popularity(books, ratings, month, 4, half_life=1, doubt=1)
    assert np.allclose(recent, [3.5 / 2.5, 1 / 1.5, 4 / 2, 0])
    with pytest.raises(ValueError, match="half_life"):
        recommendation.popularity(books, ratings, month, 4, half_life=0)


# --- metrics ------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=5), st.integers(1, 7), st.integers(0, 10**6))
def test_ndcg_is_a_share_of_the_best_of_all_orders(gains, k, seed):
    gains, scores = np.array(gains, float), rng(seed).integers(0, 4, size=len(gains)).astype(float)
    first = sorted(range(len(gains)), key=lambda i: (-scores[i], i))[:k]
    worth = [
        sum(gains[i] / math.log2(at + 2) for at, i in enumerate(order[:k]))
        for order in itertools.permutations(range(len(gains)))
    ]
    found = sum(gains[i] / math.log2(at + 2) for at, i in enumerate(first))
    assert ranking.dcg(scores, gains, k) == pytest.approx(found)
    assert ranking.ndcg(scores, gains, k) == pytest.approx(found / max(worth) if max(worth) else 0)


def test_metrics_go_over_the_last_axis_and_leave_out_what_is_no_candidate():
    scores = np.array([[3.0, -np.inf, 1.0], [-np.inf, -np.inf, 0.0]])
    gains = np.array([[1.0, 100.0, 2.0], [5.0, 5.0, 4.0]])
    assert np.allclose(ranking.dcg(scores, gains, 3), [1 + 2 / math.log2(3), 4])
    assert ranking.ndcg(np.zeros((2, 3, 4)), np.zeros((2, 3, 4))).shape == (2, 3)
    assert ranking.place(np.array([[0.1, 0.3, 0.3]] * 2), np.array([2, 0])).tolist() == [2, 3]


@pytest.mark.parametrize(
    "wrong", [lambda: ranking.dcg([1], [1, 2]), lambda: ranking.ndcg([1], [-1]), lambda: ranking.dcg([1], [1], 0)]
)
def test_metrics_refuse_what_has_no_meaning(wrong):
    with pytest.raises(ValueError, match=r"one shape|negative|k is 0"):
        wrong()


@pytest.mark.parametrize(("items", "negatives", "k"), [(7, 3, 2), (6, 5, 3), (8, 1, 10)])
def test_the_sampled_metric_is_the_mean_over_all_samples(items, negatives, k):
    for position in range(1, items + 1):
        others = [other for other in range(1, items + 1) if other != position]
        places = [1 + sum(o < position for o in some) for some in itertools.combinations(others, negatives)]
        expected = np.mean([1 / math.log2(p + 1) if p <= k else 0 for p in places])
        assert ranking.sampled(position, items, negatives, k) == pytest.approx(expected)


def test_with_all_others_sampled_it_is_the_metric_itself():
    positions = np.arange(1, 31)
    whole = np.where(positions <= 10, 1 / np.log2(positions + 1), 0)
    assert np.allclose(ranking.sampled(positions, 30, 29), whole)
    with pytest.raises(ValueError, match="there are 29 other items"):
        ranking.sampled(3, 30, 30)
    with pytest.raises(ValueError, match="positions must be from 1 to 30"):
        ranking.sampled(0, 30, 5)


# --- clicks -------------------------------------------------------------------------------------------------


def test_weighted_clicks_are_unbiased_over_all_patterns_of_clicks():
    """Every pattern of clicks on three lists of two books, with its probability."""
    rankings, attraction, examined = np.array([[0, 1], [1, 0], [2, 0]]), np.array([0.3, 0.8, 0.5]), np.array([1, 0.4])
    means = {"ips": np.zeros(3), "looks": np.zeros(3), "wrong": np.zeros(3)}
    for pattern in itertools.product((0, 1), repeat=6):
        clicked = np.array(pattern).reshape(3, 2)
        chance = np.where(clicked, examined * attraction[rankings], 1 - examined * attraction[rankings]).prod()
        counts = clicks.counts(rankings, clicked, 3)
        means["ips"] += chance * clicks.inverse_propensity(*counts, examined)
        means["looks"] += chance * clicks.per_look(*counts, examined)
        means["wrong"] += chance * clicks.inverse_propensity(*counts, examined**2)
    assert np.allclose(means["ips"], attraction) and np.allclose(means["looks"], attraction)
    assert np.allclose(means["wrong"], attraction * [(1 + 2 / 0.4) / 3, (1 + 1 / 0.4) / 2, 1])


def test_counts_and_the_simple_estimates():
    rankings, clicked = np.array([[0, 2], [2, 0], [0, 2]]), np.array([[1, 0], [True, 1], [0, 0]])
    shown, hits = clicks.counts(rankings, clicked, 4)
    assert shown.tolist() == [[2, 0, 1, 0], [1, 0, 2, 0]] and hits.tolist() == [[1, 0, 1, 0], [1, 0, 0, 0]]
    assert np.allclose(clicks.click_rate(shown, hits), [2 / 3, 0, 1 / 3, 0])
    assert np.allclose(clicks.inverse_propensity(shown, hits, [1, 0.1], clip=3), [4 / 3, 0, 1 / 3, 0])
    once = clicks.counts(np.array([[1, 0]]), np.array([[1, 1]]), 2)
    assert clicks.click_rate(*once).tolist() == [1, 1], "of a single view"
    with pytest.raises(ValueError, match="one shape"):
        clicks.counts(rankings, clicked[:2], 4)
    with pytest.raises(ValueError, match="not from 0 to 1"):
        clicks.counts(rankings, clicked, 2)
    with pytest.raises(ValueError, match="clip"):
        clicks.inverse_propensity(shown, hits, [1, 0.1], clip=0)


def shelf_log(spread, sessions=6000, seed=3):
    draw = rng(seed)
    attraction = draw.uniform(0.1, 0.6, size=8)
    rankings = shelf.shuffled(draw.normal(size=8), sessions, spread, draw)
    clicked = shelf.draw_clicks(rankings, attraction, shelf.examination(8), draw)
    return attraction, clicks.counts(rankings, clicked, 8)


def test_em_climbs_and_finds_the_truth_where_lists_vary():
    attraction, counts = shelf_log(1e6)
    fits = [clicks.fit(*counts, np.full(8, 0.5), steps=steps) for steps in (1, 5, 50, 500)]
    assert all(b.likelihood > a.likelihood for a, b in itertools.pairwise(fits))
    assert np.allclose(fits[-1].examined / fits[-1].examined[0], shelf.examination(8), atol=0.06)
    ratio = fits[-1].attraction / attraction
    assert ratio.std() / ratio.mean() < 0.06


def test_a_fixed_list_tells_only_products():
    _, counts = shelf_log(0)
    one, other = (clicks.fit(*counts, start) for start in (np.full(8, 0.5), 0.9 / np.arange(1, 9)))
    assert one.likelihood == pytest.approx(other.likelihood, abs=1e-6)
    list_of = counts[0].argmax(axis=1)
    assert np.allclose(one.examined * one.attraction[list_of], other.examined * other.attraction[list_of])
    assert abs(one.attraction - other.attraction).max() > 0.05
    for start in (np.zeros(8), np.ones(8)):
        with pytest.raises(ValueError, match="above 0 and below 1"):
            clicks.fit(*counts, start)


def test_the_shelf_is_a_plackett_luce_model():
    scores, spread = np.array([1.0, 0.0, -0.5]), 0.7
    rankings = shelf.shuffled(scores, 30_000, spread, rng(4))
    chance = np.exp(scores / spread) / np.exp(scores / spread).sum()
    assert np.allclose(np.bincount(rankings[:, 0]) / 30_000, chance, atol=0.012)
    assert (shelf.shuffled(scores, 5, 0, rng()) == [0, 1, 2]).all()
    clicked = shelf.draw_clicks(rankings, np.array([0.2, 0.5, 0.9]), np.array([1, 0.5, 0.25]), rng(5))
    for position, looked in enumerate((1, 0.5, 0.25)):
        for book, liked in enumerate((0.2, 0.5, 0.9)):
            here = rankings[:, position] == book
            error = math.sqrt(looked * liked / here.sum())
            assert abs(clicked[here, position].mean() - looked * liked) < 4.5 * error
    with pytest.raises(ValueError, match="expected"):
        shelf.draw_clicks(rankings, np.ones(3), np.ones(2), rng())


def test_only_the_greedy_shelf_stays_with_what_it_knows():
    attraction = 0.5 / (1 + np.exp(0.5 - rng(6).normal(size=100)))
    best = np.sort(attraction)[::-1][:10].sum()
    ends = {}
    for policy in shelf.POLICIES:
        found, views = shelf.feedback(attraction, policy, rng(7), rounds=12)
        assert found.shape == (12, 10) and set(found.ravel()) <= set(attraction) and views.sum() == 12 * 300 * 10
        ends[policy] = found[-1].sum() / best, (views > 0).sum()
    assert ends["greedy"][1] < 60 < 100 == ends["Thompson sampling"][1]
    assert ends["Thompson sampling"][0] > max(0.9, ends["greedy"][0] + 0.03)
    with pytest.raises(ValueError, match="policy is 'none'"):
        shelf.feedback(attraction, "none", rng())
    with pytest.raises(ValueError, match="there are 100 books"):
        shelf.feedback(attraction, "greedy", rng(), positions=101)


# --- films --------------------------------------------------------------------------------------------------


def test_ease_is_a_ridge_regression_of_each_item_on_all_others():
    seen = (rng(8).random((60, 7)) < 0.4).astype(float)
    weights = implicit.ease(seen, 3.0)
    assert np.allclose(np.diag(weights), 0)
    for item in range(7):
        others = np.delete(seen, item, axis=1)
        ridge = np.linalg.solve(others.T @ others + 3 * np.eye(6), others.T @ seen[:, item])
        assert np.allclose(np.delete(weights[:, item], item), ridge)
    with pytest.raises(ValueError, match="penalty"):
        implicit.ease(seen, 0)


DAY = 1_041_379_200  # 1 January 2003, UTC


def small_log():
    """Five old users who have all rated films 0 to 3, one of them lately film 4; a new user; one who came too late."""
    rows = [(user, film, DAY - 4 * implicit.YEAR + user) for user in range(5) for film in range(4)]
    rows += [(0, 4, DAY - 10), (5, 1, DAY), (5, 6, DAY + 5), (5, 4, DAY + 9), (6, 0, DAY + 4 * implicit.YEAR)]
    rows.sort(key=lambda row: row[2])
    return tuple(np.array(column).astype(int) for column in zip(*rows, strict=True))


def test_a_split_learns_from_before_and_tests_on_who_came_after():
    found = implicit.split(*small_log(), 7, 2003, least=3)
    assert found.popular.tolist() == [5, 5, 5, 5, 1, 0, 0] and found.recent.tolist() == [0, 0, 0, 0, 1, 0, 0]
    assert found.kept.tolist() == [0, 1, 2, 3] and [h.tolist() for h in found.histories] == [[1, 6, 4]]
    with pytest.raises(ValueError, match="has rated 4 films"):
        implicit.split(*small_log(), 7, 2003, least=4)
    with pytest.raises(ValueError, match="no rating before 1980"):
        implicit.split(*small_log(), 7, 1980)


def test_scores_of_new_users():
    found = implicit.split(*small_log(), 7, 2003, least=3)
    vectors = np.eye(7)
    assert set(implicit.scores_of(found, 0, vectors)) == set(implicit.NAMES.values())
    scores = implicit.scores_of(found, 1, vectors)
    assert set(scores) == {*implicit.NAMES.values(), "EASE", "text"}
    assert all(np.isneginf(values[0, 1]) and np.isfinite(np.delete(values[0], 1)).all() for values in scores.values())
    assert scores["EASE"][0, [0, 2, 3]].min() > 0 == scores["EASE"][0, [4, 5, 6]].max()
    assert found.popular[1] == 5, "the counts are not changed"
    alone = implicit.mixed(scores, {"EASE": 0.0})
    recent = scores["popularity, last two years"]
    assert (ranking.order(alone) == ranking.order(recent)).all()
    strong = implicit.mixed(scores, {"EASE": 1000.0})
    assert set(ranking.order(strong)[0, :3]) == {0, 2, 3}
    twice = implicit.mixed(
        scores | {"EASE": np.where(np.isfinite(scores["EASE"]), 7 * scores["EASE"] + 2, -np.inf)}, {"EASE": 1.0}
    )
    assert np.allclose(twice, implicit.mixed(scores, {"EASE": 1.0}))


def test_each_user_is_mixed_alone():
    draw = rng(9)
    scores = {name: draw.normal(size=(3, 8)) for name in (implicit.NAMES["recent"], "EASE")}
    for values in scores.values():
        values[[0, 1, 2], [3, 0, 7]] = -np.inf
    whole = implicit.mixed(scores, {"EASE": 0.7})
    for user in range(3):
        alone = implicit.mixed({name: values[[user]] for name, values in scores.items()}, {"EASE": 0.7})
        assert np.allclose(whole[user], alone[0]) and np.isneginf(alone).sum() == 1
    there = np.isfinite(whole[0])
    by_hand = [np.log1p(np.maximum(scores[implicit.NAMES["recent"]][0, there], 0)), scores["EASE"][0, there]]
    by_hand = [(values - values.mean()) / values.std() for values in by_hand]
    assert np.allclose(whole[0, there], by_hand[0] + 0.7 * by_hand[1])


def write_movielens(folder, ratings):
    (folder / "movies.csv").write_text(
        'movieId,title,genres\n7,"A, B (1999)",Drama|War\n3,C (2001),Comedy\n', encoding="utf-8"
    )
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n" + ratings, encoding="utf-8")


def test_movielens_is_read_oldest_first(tmp_path):
    write_movielens(tmp_path, "9,3,4,20\n5,7,1,10\n5,3,1,10\n")
    films = load_movielens(str(tmp_path))
    assert films.texts == ["A, B (1999). Drama, War", "C (2001). Comedy"]
    assert films.user.tolist() == [0, 0, 1] and films.film.tolist() == [0, 1, 1] and films.time.tolist() == [10, 10, 20]


@pytest.mark.parametrize(
    ("ratings", "said"), [("9,4,4,20\n", "names film '4'"), ("x,3,4,20\n", "invalid literal"), ("", "no rating")]
)
def test_broken_ratings_are_refused(tmp_path, ratings, said):
    write_movielens(tmp_path, ratings)
    with pytest.raises(CorpusError, match=said):
        load_movielens(str(tmp_path))


def test_a_folder_without_movielens_is_refused(tmp_path):
    with pytest.raises(SourceError, match=r"movies\.csv is missing"):
        load_movielens(str(tmp_path))
    (tmp_path / "movies.csv").write_text("id,title\n1,A\n", encoding="utf-8")
    with pytest.raises(CorpusError, match="the columns are"):
        load_movielens(str(tmp_path))


REAL = ROOT.parent / "shared" / "data" / "movielens_small"


@pytest.mark.skipif(not (REAL / "ratings.csv").is_file(), reason=f"MovieLens is not in {REAL}")
def test_recent_popularity_beats_popularity_on_movielens():
    films = load_movielens(str(REAL))
    assert len(films.texts) == 9125 and len(films.user) == 100_004
    found = implicit.split(films.user, films.film, films.time, len(films.texts), 2009, penalty=100.0)
    wanted = np.zeros((len(found.histories), len(films.texts)))
    for row, history in zip(wanted, found.histories, strict=True):
        row[history[30:]] = 1
    reached = {name: ranking.ndcg(v, wanted).mean() for name, v in implicit.scores_of(found, 30).items()}
    assert reached["popularity, last two years"] > reached["popularity"] + 0.03


# --- figures ------------------------------------------------------------------------------------------------


def test_the_explorers_picture_says_what_it_shows():
    import matplotlib.pyplot as plt

    shares = {
        "popularity": (np.array([0.5, 0.6, 0.7]), np.zeros(3)),
        "both": (np.array([0.8, 0.9, 1.0]), np.full(3, 0.7)),
    }
    picture = figures.rankers(shares, "3 readers")
    plt.close(picture.figure)
    assert picture.alt == (
        "3 readers. Share of the best DCG. known books: popularity 0.60, both 0.90; new books: popularity 0.00, both 0.70."
    )
