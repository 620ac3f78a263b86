"""The safe loss against 50 digits, the gradient checker, and what calibration counts."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from babyagi_lib import losses

logits = st.floats(-1e6, 1e6)
labels = st.sampled_from([0.0, 1.0])
probabilities = st.lists(st.tuples(st.floats(0, 1), labels), min_size=1, max_size=60)


@given(st.floats(-2000, 2000), labels)
def test_the_loss_has_all_its_digits(z, y):
    with mpmath.workdps(900):  # 1 + exp(-2000) needs that many to be more than 1
        exact = mpmath.log(1 + mpmath.exp(-z if y else z))
    assert losses.stable_loss(z, y) == pytest.approx(float(exact), rel=1e-15, abs=1e-307)


@given(logits)
def test_the_loss_of_one_label_mirrors_that_of_the_other(z):
    assert losses.stable_loss(z, 1) == losses.stable_loss(-z, 0)


@given(logits, labels)
def test_loss_is_finite_and_not_negative(z, y):
    loss = losses.stable_loss(z, y)
    assert math.isfinite(loss) and loss >= 0


@given(st.floats(-30, 30), st.floats(0, 1))
def test_the_gradient_is_sigma_minus_y(z, y):
    h = 1e-5
    slope = (losses.stable_loss(z + h, y) - losses.stable_loss(z - h, y)) / (2 * h)
    assert slope == pytest.approx(losses.sigmoid(z) - y, abs=1e-8)


@given(logits)
def test_sigmoid_is_a_probability_and_symmetric(z):
    p, q = losses.sigmoid(z), losses.sigmoid(-z)
    assert 0 <= p <= 1
    assert p + q == pytest.approx(1, abs=1e-15)


def test_no_warning_at_the_ends():
    with np.errstate(all="raise", under="ignore"):
        assert losses.sigmoid([-1e4, 1e4]).tolist() == [0, 1]
        assert losses.stable_loss([-1e4, 1e4], [1, 0]).tolist() == [1e4, 1e4]


@given(st.lists(st.floats(-2, 2), min_size=1, max_size=6), st.integers(-6, 6))
def test_a_right_gradient_passes_at_any_scale(theta, power):
    scale = 10.0**power
    theta = np.array(theta)
    assert losses.gradient_error(lambda t: scale * np.sin(t).sum(), lambda t: scale * np.cos(t), theta) < 1e-8


@given(st.lists(st.floats(0.5, 2), min_size=1, max_size=6), st.integers(-6, 6), st.data())
def test_one_wrong_entry_is_caught(theta, power, data):
    scale, k = 10.0**power, data.draw(st.integers(0, len(theta) - 1))

    def wrong(t):
        gradient = 2 * scale * t
        gradient[k] *= 1.05
        return gradient

    theta = np.array(theta)
    before = theta.copy()
    assert losses.gradient_error(lambda t: scale * (t**2).sum(), wrong, theta) > 0.01
    assert (theta == before).all()


def test_a_flat_function_has_no_error_and_nan_is_one():
    assert losses.gradient_error(lambda t: 3.0, np.zeros_like, np.ones(2)) == 0
    assert not losses.gradient_error(lambda t: t.sum(), lambda t: t * np.nan, np.ones(2)) < 1e9
    with pytest.raises(ValueError, match="shape"):
        losses.gradient_error(lambda t: t.sum(), lambda t: t[None], np.ones(2))


@given(probabilities, st.integers(1, 20))
def test_bins_keep_every_prediction(pairs, bins):
    p, y = np.array(pairs).T
    found = losses.reliability(p, y, bins)
    assert sum(b.count for b in found) == len(p)
    assert sum(b.count * b.said for b in found) == pytest.approx(p.sum())
    assert sum(b.count * b.happened for b in found) == pytest.approx(y.sum())
    assert all(0 <= b.low <= b.happened <= b.high <= 1 for b in found)
    assert abs(p.mean() - y.mean()) - 1e-9 <= losses.calibration_error(found) <= 1


def test_calibration_error_by_hand():
    bins = losses.reliability([0.05, 0.05, 0.95, 0.95], [0, 1, 1, 1])
    assert [b.count for b in bins] == [2, 2]
    assert losses.calibration_error(bins) == pytest.approx(0.5 * 0.45 + 0.5 * 0.05)
    assert losses.calibration_error(losses.reliability([1.0, 0.0], [1, 0])) == 0


@pytest.mark.parametrize(("p", "y"), [([], []), ([0.5], [0, 1]), ([1.5], [1]), ([float("nan")], [1])])
def test_what_is_no_prediction_is_refused(p, y):
    with pytest.raises(ValueError):
        losses.reliability(p, y)


def test_wilson_against_a_published_example():
    """Newcombe (1998), table I: 81 of 263 gives 0.2553 to 0.3662; 0 of 20 gives 0 to 0.1611."""
    assert losses.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert losses.wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
