"""The safe loss against 50 digits, the gradient checker, and what calibration counts."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from babyagi_lib.training import losses

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


def test_ten_bins_unless_asked_otherwise():
    """One prediction in the middle of each tenth: a bin each."""
    p = np.arange(10) / 10 + 0.05
    assert [b.count for b in losses.reliability(p, np.ones(10))] == [1] * 10
    assert [b.count for b in losses.reliability(p, np.ones(10), bins=5)] == [2] * 5


@pytest.mark.parametrize(
    ("p", "y", "said"),
    [
        ([], [], "one label for each"),
        ([0.5], [0, 1], "one label for each"),
        ([[0.5]], [[1]], "one label for each"),
        ([1.5], [1], "between 0 and 1"),
        ([-0.1], [1], "between 0 and 1"),
        ([math.nan], [1], "between 0 and 1"),
        ([0.5], [0.5], "labels are 0 or 1; found 0.5"),
        ([0.5, 0.5], [1, 2], "labels are 0 or 1; found 2"),
        ([0.5], [math.nan], "labels are 0 or 1; found nan"),
    ],
)
def test_what_is_no_prediction_is_refused(p, y, said):
    with pytest.raises(ValueError, match=said):
        losses.reliability(p, y)


@pytest.mark.parametrize(
    ("z", "y", "said"),
    [
        ([0.0], [1.5], "labels lie between 0 and 1; found 1.5"),
        ([0.0], [-1], "labels lie between 0 and 1; found -1"),
        ([0.0], [math.nan], "labels lie between 0 and 1; found nan"),
        ([math.nan], [1], "logits must be finite; found nan"),
        ([1.0, -math.inf], [1, 0], "logits must be finite; found -inf"),
        ([1.0, 2.0], [[1], [0]], "do not fit"),  # would be 2 x 2 losses
        ([[1.0], [2.0]], [1, 0], "do not fit"),
        ([1.0, 2.0], [1, 0, 1], "do not fit"),
        (1.0, [1, 0], "do not fit"),
    ],
)
def test_logits_and_labels_without_a_loss_are_refused(z, y, said):
    with pytest.raises(ValueError, match=said):
        losses.stable_loss(z, y)


@pytest.mark.parametrize(
    ("z", "y"), [((), ()), ((3,), ()), ((3,), (3,)), ((3,), (1,)), ((2, 3), (3,)), ((2, 3), (2, 1))]
)
def test_labels_that_broadcast_give_a_loss_for_each_logit(z, y):
    assert losses.stable_loss(np.zeros(z), np.ones(y)) == pytest.approx(np.full(z, math.log(2)))


def test_what_else_is_refused():
    p = [0.5, 0.25]
    for bins in (0, -1, 2.5):
        with pytest.raises(ValueError, match="bins is"):
            losses.reliability(p, [0, 1], bins)
    with pytest.raises(ValueError, match="no bins"):
        losses.calibration_error([])
    for successes, trials, said in ((0, 0, "trials is 0"), (3, 2, "successes is 3"), (-1, 2, "successes is -1")):
        with pytest.raises(ValueError, match=said):
            losses.wilson(successes, trials)
    with pytest.raises(ValueError, match="z is 0"):
        losses.wilson(1, 2, z=0)
    for theta in (1.0, [], [[1.0, 2.0]]):
        with pytest.raises(ValueError, match="theta has shape"):
            losses.gradient_error(np.sum, np.ones_like, theta)
    for step in (0, -1e-5, math.nan):
        with pytest.raises(ValueError, match="step is"):
            losses.gradient_error(np.sum, np.ones_like, [1.0], step)


def test_wilson_against_a_published_example():
    """Newcombe (1998), table I: 81 of 263 gives 0.2553 to 0.3662; 0 of 20 gives 0 to 0.1611."""
    assert losses.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert losses.wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
