"""Lesson 16's library: run lengths against closed forms and simulation, detectors against plain loops, shares, headlines."""

import re
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, measured, smoke
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from babyagi_lib.apps import control_charts as charts
from babyagi_lib.apps.control_charts import Cusum
from babyagi_lib.apps.opinion_stream import Source, draw
from babyagi_lib.methods import sentiment
from babyagi_lib.sources.errors import CorpusError, SourceError
from babyagi_lib.sources.headlines import SENTIMENTS, load_headlines

PHRASEBANK = ROOT.parent / "shared" / "data" / "financial_phrasebank" / "Sentences_50Agree.txt"

few = settings(max_examples=40)
steps = st.integers(1, 6)
small_charts = st.builds(Cusum, steps, steps, st.integers(1, 25))
shares = st.floats(0.05, 0.95)


def flags(streams=20, length=300, share=0.3, seed=0):
    return np.random.default_rng(seed).random((streams, length)) < share


# --- exact run lengths -------------------------------------------------------------------------------------------


@few
@given(shares, st.integers(1, 8))
@example(0.05, 8)
def test_a_run_of_flags_has_its_closed_form(share, run):
    """Where one other message resets the sum, an alarm is a run of flags: (1 - p^h) / ((1 - p) p^h) messages."""
    exact = (1 - share**run) / ((1 - share) * share**run)
    rounding = 1e-15 * exact  # in the equations, in proportion to the time itself
    assert charts.mean_time(Cusum(1, run, run), share) == pytest.approx(exact, rel=1e-9 + rounding)


@few
@given(small_charts, shares)
def test_the_mean_is_the_sum_of_the_chances_of_silence(chart, share):
    mean = charts.mean_time(chart, share)
    if mean < 60:
        chance, _ = charts.walk(chart, share, 1500)
        assert 1 + (1 - chance).sum() == pytest.approx(mean, rel=1e-6)


@few
@given(small_charts, shares, st.integers(1, 30))
def test_a_walk_is_a_power_of_the_matrix(chart, share, number):
    start = np.random.default_rng(number).dirichlet(np.ones(chart.threshold))
    chance, state = charts.walk(chart, share, number, start)
    after = start @ np.linalg.matrix_power(charts.transitions(chart, share), number)
    assert 1 - chance[-1] == pytest.approx(after.sum(), abs=1e-12)
    if after.sum() > 1e-9:
        np.testing.assert_allclose(state, after / after.sum(), atol=1e-7)
    assert (np.diff(chance) > -1e-12).all()


@few
@given(small_charts, shares)
def test_rows_of_the_matrix_lack_just_the_alarms(chart, share):
    moves = charts.transitions(chart, share)
    alarms = np.arange(chart.threshold) + chart.up >= chart.threshold
    np.testing.assert_allclose(1 - moves.sum(axis=1), share * alarms, atol=1e-12)


def test_exact_times_are_those_of_simulated_streams():
    chart, share = Cusum(7, 3, 40), 0.25
    rows = np.random.default_rng(1).random((2000, 4000)) < share
    times = charts.first_alarm(charts.cusum_path(rows, chart), chart.threshold)
    assert (times > 0).all()
    assert times.mean() == pytest.approx(charts.mean_time(chart, share), abs=4.5 * times.std() / 2000**0.5)
    chance, state = charts.walk(chart, share, 100)
    assert (times <= 100).mean() == pytest.approx(chance[-1], abs=4.5 * 0.5 / 2000**0.5)
    later = times[times > 100] - 100
    assert later.mean() == pytest.approx(
        charts.mean_time(chart, share, state), abs=4.5 * later.std() / len(later) ** 0.5
    )


@few
@given(st.floats(0.03, 0.4), st.floats(1.3, 2.2), st.floats(20, 3000))
def test_the_chart_is_the_first_that_can_be_afforded(before, ratio, affordable):
    chart = charts.chart_for(before, before * ratio, affordable)
    assert charts.mean_time(chart, before) >= affordable
    if chart.threshold > 1:
        assert charts.mean_time(Cusum(chart.up, chart.down, chart.threshold - 1), before) < affordable


@few
@given(st.floats(0.03, 0.4), st.floats(1.3, 2.2))
@example(0.3984375, 1.5)
def test_the_lattice_has_nearly_the_ratio_of_the_weights(before, ratio):
    rise, fall = charts.weights(before, before * ratio)
    up, down = charts.lattice(before, before * ratio)
    # farthest from the nearest is 1/2, between 19/39 and 20/39
    assert down / (up + down) == pytest.approx(-fall / (rise - fall), abs=0.0129)
    assert 20 < up + down <= 40


def test_weights_are_those_of_the_likelihood_ratio():
    """Log-odds add up, as in Bayes' rule."""
    rise, fall = charts.weights(0.2, 0.3)
    assert np.exp(rise) == pytest.approx(1.5)
    assert np.exp(fall) == pytest.approx(0.7 / 0.8)
    assert 0.2 * np.exp(rise) + 0.8 * np.exp(fall) == pytest.approx(1)


def test_the_textbooks_chart_for_normal_numbers():
    """k 0.5, h 5, two-sided: 465 in quiet times, 10.4 at a shift of one (Montgomery, Introduction to Statistical Quality Control)."""
    quiet = charts.gaussian_mean_time(0.5, 5)
    assert quiet / 2 == pytest.approx(465, abs=1)
    assert charts.gaussian_mean_time(0.5, 5, shift=1.0) == pytest.approx(10.4, abs=0.05)
    rows = charts.gaussian_transitions(0.5, 5, cells=50)
    assert (rows >= 0).all() and (rows.sum(axis=1) < 1).all()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Cusum(0, 1, 5), "up is 0"),
        (lambda: Cusum(1, 1, 2.5), "threshold is 2.5"),
        (lambda: charts.weights(0.3, 0.2), "expected 0 < before < after < 1"),
        (lambda: charts.weights(0.0, 0.2), "before is 0.0"),
        (lambda: charts.mean_time(Cusum(1, 1, 5000), 0.5), "chains of up to 4,000"),
        (lambda: charts.mean_time(Cusum(1, 1, 5), 0.0), "share is 0.0"),
        (lambda: charts.chart_for(0.1, 0.2, 0.5), "affordable is 0.5"),
        (lambda: charts.gaussian_mean_time(0.5, 0), "threshold is 0"),
        (lambda: charts.window_path(flags(), 0), "width is 0"),
        (lambda: charts.tuned_threshold(charts.window_path(flags(), 10), 10_000), "too short to wait 10,000"),
    ],
)
def test_bad_input_is_named(call, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        call()


# --- detectors against plain loops -------------------------------------------------------------------------------


def plain_cusum(row, chart):
    total, path = 0, []
    for flag in row:
        total = max(0, total + (chart.up if flag else -chart.down))
        path.append(total)
    return path


def plain_window(row, width):
    return [int(sum(row[max(0, i - width + 1) : i + 1])) for i in range(len(row))]


def plain_page_hinkley(row, delta):
    """As the library river updates its own, without forgetting."""
    mean, total, lowest, path = 0.0, 0.0, 0.0, []
    for number, x in enumerate(row, start=1):
        mean += (x - mean) / number
        total += x - mean - delta
        lowest = min(lowest, total)
        path.append(total - lowest)
    return path


def plain_split(row, widths):
    path = []
    for now in range(1, len(row) + 1):
        best = 0.0
        for width in widths:
            n = now - width
            if n > 30:
                new, old = row[n:now].mean(), row[:n].mean()
                mean = (row[:now].sum() + 1) / (now + 2)
                best = max(best, (new - old) / np.sqrt(mean * (1 - mean) * (1 / width + 1 / n)))
        path.append(best)
    return path


@pytest.mark.parametrize(
    ("fast", "plain"),
    [
        (lambda rows: charts.cusum_path(rows, Cusum(5, 2, 20)), lambda row: plain_cusum(row, Cusum(5, 2, 20))),
        (lambda rows: charts.window_path(rows, 25), lambda row: plain_window(row, 25)),
        (charts.page_hinkley_path, lambda row: plain_page_hinkley(row.astype(float), 0.005)),
        (lambda rows: charts.split_path(rows, (16, 64)), lambda row: plain_split(row, (16, 64))),
    ],
)
def test_a_detector_is_what_a_plain_loop_computes(fast, plain):
    rows = flags(streams=4, length=200)
    np.testing.assert_allclose(fast(rows), [plain(row) for row in rows], atol=2e-3)


def test_the_first_alarm_is_counted_from_one():
    path = np.array([[0, 3, 5, 1], [0, 1, 1, 1], [7, 0, 0, 0]])
    assert charts.first_alarm(path, 3).tolist() == [2, 0, 1]


def test_a_tuned_detector_lasts_as_long_as_asked():
    rows = flags(streams=400, length=6000, share=0.2, seed=3)
    for path in (
        charts.window_path(rows, 30),
        charts.cusum_path(rows, Cusum(31, 9, 1)),
        charts.page_hinkley_path(rows),
    ):
        low, high, coin = charts.tuned_threshold(path, 500)
        first, second = (np.where(t == 0, 6001, t) for t in (charts.first_alarm(path, h) for h in (low, high)))
        assert low <= high and 0 <= coin <= 1
        assert coin * first.mean() + (1 - coin) * second.mean() == pytest.approx(500, rel=1e-6)


# --- the stream --------------------------------------------------------------------------------------------------


def test_flags_are_right_as_often_as_asked():
    negative, flagged = draw(Source(0.3, 0.8, 0.9), 200, 1000, np.random.default_rng(0))
    assert negative.mean() == pytest.approx(0.3, abs=0.01)
    assert flagged[negative].mean() == pytest.approx(0.8, abs=0.01)
    assert flagged[~negative].mean() == pytest.approx(0.1, abs=0.01)


def test_share_and_specificity_shift_when_they_should():
    source = Source(0.1, shifted=0.6, shift_at=300, drifted=0.5, drift_at=700, specificity=1.0)
    negative, flagged = draw(source, 2000, 1000, np.random.default_rng(1))
    assert negative[:, :300].mean() == pytest.approx(0.1, abs=0.01)
    assert negative[:, 300:].mean() == pytest.approx(0.6, abs=0.01)
    assert (flagged[:, :700] == negative[:, :700]).all()
    late = ~negative[:, 700:]
    assert flagged[:, 700:][late].mean() == pytest.approx(0.5, abs=0.01)
    assert abs(negative[:, 300].mean() - 0.6) < 0.06 and abs(negative[:, 299].mean() - 0.1) < 0.06


def test_a_rhythm_leaves_the_mean_and_swings_once_a_day():
    negative, _ = draw(Source(0.2, rhythm=0.5, per_day=100), 3000, 400, np.random.default_rng(2))
    by_hour = negative.reshape(3000, 4, 100).mean(axis=(0, 1))
    assert by_hour.mean() == pytest.approx(0.2, abs=0.005)
    assert by_hour[15:35].mean() > 0.27 and by_hour[65:85].mean() < 0.13


def test_copies_repeat_a_story_with_its_flag():
    negative, flagged = draw(Source(0.5, 0.7, 0.7, repeated=0.5), 500, 400, np.random.default_rng(3))
    same = (negative[:, 1:] == negative[:, :-1]) & (flagged[:, 1:] == flagged[:, :-1])
    alone = 0.5 * (0.5**2 + 2 * 0.5 * 0 + 0.5**2) * 2  # two stories agree in the truth with probability 1/2
    agree = alone * (0.7**2 + 0.3**2)
    assert same.mean() == pytest.approx(0.5 + 0.5 * agree, abs=0.01)
    assert negative.mean() == pytest.approx(0.5, abs=0.02)


def test_a_seed_gives_the_same_stream():
    source = Source(0.2, 0.8, 0.9, repeated=0.3, rhythm=0.2)
    one, other = (draw(source, 3, 50, np.random.default_rng(5)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"share": 1.2}, "share is 1.2"),
        ({"share": 0.2, "shifted": -1}, "shifted is -1"),
        ({"share": 0.8, "rhythm": 0.5}, "lifts the share above 1"),
        ({"share": 0.2, "shift_at": 0.5}, "shift_at is 0.5"),
    ],
)
def test_an_impossible_source_is_refused(given, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        Source(**given)


# --- rates and shares --------------------------------------------------------------------------------------------


@few
@given(st.integers(1, 200), st.data())
def test_the_interval_of_a_rate_is_wilsons(n, data):
    hits = data.draw(st.integers(0, n))
    found = sentiment.rate(np.arange(n) < hits)
    wilson = binomtest(hits, n).proportion_ci(method="wilson")
    np.testing.assert_allclose(found[:3], (hits / n, wilson.low, wilson.high), atol=1e-6)


def test_sensitivity_and_specificity_by_hand():
    se, sp = sentiment.sensitivity_specificity([1, 1, 0, 0, 1], [1, 1, 1, 0, 0])
    assert (se.share, se.of, sp.share, sp.of) == (pytest.approx(2 / 3), 3, 0.5, 2)
    with pytest.raises(ValueError, match="there is no entry"):
        sentiment.rate([])


@few
@given(st.floats(0, 1), st.floats(0.55, 1), st.floats(0.55, 1))
def test_the_correction_undoes_what_the_classifier_does(share, se, sp):
    seen = sentiment.seen_share(share, se, sp)
    estimate, low, high = sentiment.corrected_share(seen, 1000, se, 100, sp, 100)
    assert estimate == pytest.approx(share, abs=1e-9)
    assert 0 <= low <= estimate + 1e-12 and estimate - 1e-12 <= high <= 1


def test_the_interval_covers_what_it_promises_and_one_without_the_rates_does_not():
    dice, share, se, sp, tries = np.random.default_rng(0), 0.2, 0.75, 0.9, 4000
    seen = dice.binomial(1000, float(sentiment.seen_share(share, se, sp)), tries) / 1000
    rates = dice.binomial(100, se, tries) / 100, dice.binomial(200, sp, tries) / 200
    for sizes, covers in (((100, 200), 0.95), ((np.inf, np.inf), None)):
        _, low, high = sentiment.corrected_share(seen, 1000, rates[0], sizes[0], rates[1], sizes[1])
        found = ((low <= share) & (share <= high)).mean()
        assert abs(found - 0.95) < 0.02 if covers else found < 0.85


def test_a_classifier_that_knows_nothing_is_refused():
    with pytest.raises(ValueError, match="no better than a coin"):
        sentiment.corrected_share(0.3, 100, 0.5, 10, 0.5, 10)


# --- classifiers -------------------------------------------------------------------------------------------------


def test_the_lexicon_counts_beginnings_of_words():
    texts = [
        "Profit falls, shares plunge",
        "Record growth lifts Halden",
        "The board meets on Friday",
        "Unfallen windfall",
    ]
    counts = sentiment.lexicon_counts(texts)
    assert counts[0].tolist()[0] == 2 and counts[1].tolist()[1] >= 3 and counts[3].tolist()[0] == 0
    assert sentiment.by_lexicon(texts[:2]).tolist() == ["negative", "positive"]


def test_no_headline_is_classified_by_what_learned_from_it():
    """Labels that only each row itself would know: out of its fold, a probe cannot be right."""
    rng = np.random.default_rng(0)
    features, labels = np.eye(60), rng.choice(SENTIMENTS, 60)
    inside = sentiment.by_probe(features, labels, features)
    outside = sentiment.out_of_fold(features, labels, 6, np.random.default_rng(1))
    assert (inside == labels).mean() == 1.0
    assert (outside == labels).mean() < 0.6


def test_the_lexicons_counts_stand_beside_the_vectors():
    both = sentiment.with_lexicon(np.ones((2, 5), np.float32), ["a loss", "a record"])
    assert both.shape == (2, 7) and both[0, 5] > both[1, 5] and both[1, 6] > both[0, 6]


# --- headlines ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def headlines():
    return load_headlines()


def words(text):
    return re.findall(r"[a-z0-9']+", text.lower())


def test_forty_of_each_topic_and_sentiment(headlines):
    assert set(Counter((h.topic, h.sentiment) for h in headlines).values()) == {40}
    assert len(headlines) == 600 and len({h.text.lower() for h in headlines}) == 600


def test_no_templates(headlines):
    triples = []
    for h in headlines:
        w = words(h.text)
        triples.append((set(zip(w, w[1:], w[2:], strict=False)), h.text))
    alike = [
        (a, b)
        for (x, a), (y, b) in combinations(triples, 2)
        if min(len(x), len(y)) > 2 and len(x & y) > 0.4 * min(len(x), len(y))
    ]
    assert alike == []


def test_the_card_tells_how_hard_it_is(headlines):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    texts, mood = [h.text for h in headlines], np.array([h.sentiment for h in headlines])
    counts = TfidfVectorizer(sublinear_tf=True).fit_transform(texts)
    first = np.arange(600) % 2 == 0
    score = LogisticRegression(C=10, max_iter=1000).fit(counts[first], mood[first]).score(counts[~first], mood[~first])
    card = (ROOT / "data" / "headlines" / "README.md").read_text(encoding="utf-8")
    assert f"{score:.0%} of the other half" in card
    assert f"{(sentiment.by_lexicon(texts) == mood).mean():.0%} of all" in card


def test_a_corpus_of_ones_own(tmp_path):
    file = tmp_path / "mine.csv"
    rows = [f"soup,{mood},{mood} soup {number}" for mood in SENTIMENTS for number in range(10)]
    file.write_text("\n".join(["topic,sentiment,text", *rows]) + "\n", encoding="utf-8")
    assert len(load_headlines(str(file))) == 30


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("topic,text\na,b\n", CorpusError, "expected topic, sentiment, text"),
        ("topic,sentiment,text\na,angry,b\n", CorpusError, "csv:2: sentiment 'angry'"),
        ("topic,sentiment,text\na,neutral\n", CorpusError, "csv:2: 2 cell(s)"),
        ("topic,sentiment,text\na,neutral,\n", CorpusError, "an empty cell"),
        ("topic,sentiment,text\na,neutral,b\n", CorpusError, "0 headline(s) are negative"),
        (None, SourceError, "there is no such file"),
    ],
)
def test_a_bad_corpus_is_named(tmp_path, text, error, said):
    file = tmp_path / "bad.csv"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(error, match=re.escape(said)):
        load_headlines(str(file))


def test_the_phrasebank_is_read():
    if not Path(PHRASEBANK).is_file():
        pytest.skip("the Financial PhraseBank is not here: it may not be redistributed with the course")
    found = load_headlines(str(PHRASEBANK))
    assert Counter(h.sentiment for h in found) == {"neutral": 2879, "positive": 1363, "negative": 604}


def test_the_lesson_runs_on_sentences_of_others_and_prints_none(tmp_path):
    """Eighty of each sentiment, under one topic."""
    if not Path(PHRASEBANK).is_file():
        pytest.skip("the Financial PhraseBank is not here: it may not be redistributed with the course")
    lines = PHRASEBANK.read_text(encoding="latin-1").splitlines()
    some = [line for mood in SENTIMENTS for line in [line for line in lines if line.endswith(f"@{mood}")][:80]]
    file = tmp_path / "some.txt"
    file.write_text("\n".join(some) + "\n", encoding="latin-1")
    done, entry, shown = smoke("16", tmp_path / "out", f"CORPUS={file}")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "sentiment, both, accuracy" in measured(entry) and "topic, probe, accuracy" not in measured(entry)
    assert not [line for line in some if line.rpartition("@")[0].strip() in shown]
