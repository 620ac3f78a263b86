"""The interquartile mean and its bootstrap interval, held against scipy and against their own promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import stats

from babyagi_lib.basics.intervals import interquartile_mean, over_seeds


@given(arrays(float, array_shapes(max_dims=3, max_side=23), elements=some.floats(-1e6, 1e6)))
def test_the_interquartile_mean_is_scipys_trimmed_mean(runs):
    assert np.allclose(interquartile_mean(runs), stats.trim_mean(runs, 0.25, axis=-1), rtol=1e-12, atol=1e-9)


def test_the_interval_contains_the_truth_about_as_often_as_it_says():
    draw = np.random.default_rng(1)
    for seeds, least in ((10, 0.86), (20, 0.89)):
        interval = over_seeds(draw.normal(size=(1500, seeds)), resamples=400)
        covered = np.mean((interval.low <= 0) & (interval.high >= 0))
        assert least < covered < 0.96
    narrow = over_seeds(draw.normal(size=(300, 40)))
    wide = over_seeds(draw.normal(size=(300, 10)))
    assert np.mean(narrow.high - narrow.low) < 0.7 * np.mean(wide.high - wide.low)


def test_one_diverged_run_does_not_hide_the_others():
    interval = over_seeds([0.9] * 9 + [-np.inf])
    assert interval.estimate == 0.9 and interval.high == 0.9
    assert str(over_seeds([1.0, 1.0])) == "1.000 [1.000, 1.000]"


def test_the_same_seed_gives_the_same_interval():
    runs = np.random.default_rng(0).normal(size=(3, 12))
    assert all(np.array_equal(a, b) for a, b in zip(over_seeds(runs), over_seeds(runs), strict=True))
    assert over_seeds(runs).low.shape == (3,)


@pytest.mark.parametrize("runs", [[], 1.0, [0.5, np.nan], np.zeros((3, 0))])
def test_runs_that_are_none(runs):
    with pytest.raises(ValueError, match="runs"):
        over_seeds(runs)


def test_resamples():
    with pytest.raises(ValueError, match="resamples"):
        over_seeds([1.0, 2.0], resamples=0)
