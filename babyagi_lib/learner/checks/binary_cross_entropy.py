"""The exercises of lesson 03: a checker for gradients, the gradient of logistic regression, the stable loss."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from itertools import product

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.learner.checks.answers import DOUBLE, SINGLE, Wrong, array, number, precision, rounded_to, side_by_side
from babyagi_lib.learner.checks.verdict import exercise

Vector = NDArray[np.float64]

# --- a checker for gradients --------------------------------------------------------------------------------


def wave(theta: Vector) -> float:
    """The function whose gradient is checked."""
    theta = np.asarray(theta, dtype=float)  # a list or a tensor will do
    return float(np.exp(0.5 * theta).sum() + theta[0] * theta[-1])


def wave_gradient(theta: Vector) -> Vector:
    """Its gradient, (parameters,)."""
    theta = np.asarray(theta, dtype=float)
    gradient = 0.5 * np.exp(0.5 * theta)
    gradient[0] += theta[-1]
    gradient[-1] += theta[0]
    return gradient


def planted(gradient: Vector, entries: tuple[int, ...], share: float) -> Vector:
    """The same gradient with some entries wrong by a share of themselves."""
    return np.where(np.isin(np.arange(len(gradient)), entries), (1 + share) * gradient, gradient)


def _named(entries: tuple[int, ...]) -> str:
    return f"entry {entries[0]}" if len(entries) == 1 else f"entries {', '.join(map(str, entries))}"


# Both signs; one entry and several; an entry in the middle, and the largest, which is the last one: there it matters by
# what one divides.
PLANTED = (((0,), 0.03), ((2,), -0.03), ((4,), 0.03), ((4,), -0.03), ((0, 1, 3), 0.02))
THETA = np.array([0.71, -1.13, 0.42, 1.34, -0.26])
Ratio = Callable[[Vector, Vector], float]  # of the claimed gradient and the measured one


def _largest(vector: Vector) -> float:
    return float(np.abs(vector).max())


def _length(vector: Vector) -> float:
    return float(np.linalg.norm(vector))


def error(g: Vector, d: Vector) -> float:
    """What the exercise asks for."""
    return _largest(g - d) / max(_largest(g), _largest(d))


LONG = np.array([0.3, -0.8, 0.5, 0.1, -0.4, 0.9, 1.2])
WRONG_CLAIMS = [
    (
        "A gradient whose entries are in the wrong order gets the wrong error: compare entry by entry.",
        lambda t: wave_gradient(t)[::-1].copy(),
        THETA,
    ),
    (
        "A gradient with a 0 passes where the slope is not 0: compare every entry, also those that claim to be 0.",
        lambda t: planted(wave_gradient(t), (2,), -1),
        THETA,
    ),
    ("A gradient with the wrong sign gets the wrong error.", lambda t: -wave_gradient(t), THETA),
    (
        "In a vector of seven entries an error in the last one gets the wrong error.",
        lambda t: planted(wave_gradient(t), (6,), 0.5),
        LONG,
    ),
]


def _squares(theta: Vector) -> float:
    return float((np.asarray(theta, dtype=float) ** 2).sum())


def _relative(fault: str) -> str:
    return f"{fault}: divide by the size of the gradient, or the error depends on the unit of the loss."


_LENGTHS = "you compare the lengths of vectors (np.linalg.norm), where one wrong entry among many is diluted: take the largest."
_ENTRIES = "you divide entry by entry, which makes rounding look large wherever an entry is near 0: divide by the largest entry."
_ONE_SIZE = "you divide by the size of one gradient alone: divide by the largest entry of either gradient."
RATIOS: list[tuple[str, Ratio]] = [
    (_relative("the error is absolute"), lambda g, d: _largest(g - d)),
    (
        "an entry that is too small goes unseen: take the absolute value of the difference.",
        lambda g, d: (g - d).max() / max(_largest(g), _largest(d)),
    ),
    (
        "an entry that is too large goes unseen: take the absolute value of the difference.",
        lambda g, d: (d - g).max() / max(_largest(g), _largest(d)),
    ),
    (
        "you average over the entries: one wrong among many is diluted. Take the largest.",
        lambda g, d: np.abs(g - d).mean() / max(_largest(g), _largest(d)),
    ),
    (
        "you divide a mean (or a sum) by a mean, where one wrong entry among many is diluted: take the largest of both.",
        lambda g, d: np.abs(g - d).mean() / max(np.abs(g).mean(), np.abs(d).mean()),
    ),
    (
        "you sum over the entries: take the largest.",
        lambda g, d: np.abs(g - d).sum() / max(_largest(g), _largest(d)),
    ),
    (_LENGTHS, lambda g, d: _length(g - d) / (_length(g) + _length(d))),
    (_LENGTHS, lambda g, d: _length(g - d) / max(_length(g), _length(d))),
    (_LENGTHS, lambda g, d: _length(g - d) / _length(g)),
    (_LENGTHS, lambda g, d: _length(g - d) / _length(d)),
    (
        "you divide by the sum of both sizes: divide by the larger one.",
        lambda g, d: _largest(g - d) / (_largest(g) + _largest(d)),
    ),
    (_ONE_SIZE, lambda g, d: _largest(g - d) / _largest(g)),
    (_ONE_SIZE, lambda g, d: _largest(g - d) / _largest(d)),
    (
        "you divide by the smaller size: divide by the larger one.",
        lambda g, d: _largest(g - d) / min(_largest(g), _largest(d)),
    ),
    (_ENTRIES, lambda g, d: _largest((g - d) / np.maximum(np.abs(g), np.abs(d)))),
    (_ENTRIES, lambda g, d: _largest((g - d) / (np.abs(g) + np.abs(d)))),
    (_ENTRIES, lambda g, d: _largest((g - d) / g)),
    (_ENTRIES, lambda g, d: _largest((g - d) / d)),
    (
        "that is the square of the error: do not square the difference.",
        lambda g, d: (_largest(g - d) / max(_largest(g), _largest(d))) ** 2,
    ),
]


@exercise
def gradient_checker(max_error: Callable[[Callable, Callable, Vector], float]) -> str:
    """Check `max_error(f, gradient, theta)`: small for right gradients, and as large as planted errors are."""
    theta, true = THETA.copy(), wave_gradient(THETA)

    _moves(max_error, theta)

    found = _number(max_error, wave, wave_gradient, theta)
    if not abs(found) < 1e-6:
        if math.isclose(found, 0.5, rel_tol=1e-3):
            raise Wrong(
                "your differences are twice the slope: f(theta + h) and f(theta - h) lie 2h apart, not h. "
                f"A right gradient gets the error {found:.3f}."
            )
        if math.isclose(found, 1.0, rel_tol=1e-3) or math.isclose(found, 2.0, rel_tol=1e-3):
            raise Wrong(
                f"a right gradient gets the error {found:.3f}: do your differences have the right sign, and do f(up) and "
                "f(down) really see theta moved?"
            )
        raise Wrong(f"a right gradient gets the error {found:.2g}; with a good step it is below 1e-6." + _step(found))

    claims = [planted(true, *fault) for fault in PLANTED]
    found = [
        _number(max_error, wave, lambda t, fault=fault: planted(wave_gradient(t), *fault), theta) for fault in PLANTED
    ]
    wanted = [error(claim, true) for claim in claims]
    if not np.allclose(found, wanted, rtol=0.005):
        i = int(np.argmax(~np.isclose(found, wanted, rtol=0.005)))
        entries, share = PLANTED[i]
        one, other = side_by_side(found[i], wanted[i], 2)
        said = f" With an error of {share:+.0%} planted in {_named(entries)} of the gradient you return {one}; {other} is right."
        for message, formula in RATIOS:
            if np.allclose(found, [formula(claim, true) for claim in claims], rtol=0.005, atol=1e-6):
                raise Wrong(message + said)
        if found[i] < wanted[i] / 100:
            raise Wrong("a wrong gradient passes: does every entry of it count?" + said)
        raise Wrong("divide the largest difference by the largest entry of either gradient." + said)

    falling = _number(max_error, lambda t: -wave(t), lambda t: -planted(wave_gradient(t), (4,), 0.03), theta)
    if not math.isclose(falling, error(planted(true, (4,), 0.03), true), rel_tol=0.01):
        raise Wrong(
            "where all entries of the gradient are negative, the error differs from the right one: a size is an absolute value, so divide by "
            "the largest absolute entry."
        )
    for scale in (1e-6, 1e6):
        found = _number(
            max_error, lambda t, s=scale: s * wave(t), lambda t, s=scale: 1.03 * s * wave_gradient(t), theta
        )
        if not 0.02 < found < 0.04:
            raise Wrong(
                _relative("the error depends on the unit of f")
                + f" With everything times {scale:g}, a gradient that is 3% too large gets {found:.2g}."
            )

    for message, claim, start in WRONG_CLAIMS:
        found, wanted = _number(max_error, wave, claim, start), error(claim(start), wave_gradient(start))
        if not math.isclose(found, wanted, rel_tol=0.01):
            one, other = side_by_side(found, wanted, 2)
            raise Wrong(f"{message} You return {one}; {other} is right.")

    found = _number(max_error, _squares, lambda t: 2 * np.asarray(t), np.array([0.0, 1.5, 0.0]))
    if not abs(found) < 1e-6:
        raise Wrong(
            f"where an entry of the gradient is 0, a right gradient gets {found:.2g}: do not divide entry by entry, "
            "divide by the largest entry."
        )
    broken = _number(max_error, wave, lambda t: np.array([1.0, np.nan, 1, 1, 1]) * wave_gradient(t), theta)
    if broken < 1e-3:
        raise Wrong(
            "a gradient with a nan in it passes: Python's max overlooks nan, np.max (or np.abs(...).max()) does not."
        )
    return "right gradients pass at every scale, and planted errors get their true size, in whichever entry they are."


def _number(max_error: Callable, f: Callable, gradient: Callable, theta: Vector) -> float:
    return _error(max_error(f, gradient, theta.copy()))


def _error(found: object) -> float:
    if isinstance(found, bool | np.bool_):
        raise Wrong("return the error itself, not whether it is small: the reader decides what small means.")
    return number(found, "one number, the largest error")


def _step(found: float) -> str:
    if found > 1e-4:
        return " The step may be too large (the curve bends within it) or so small that rounding is all that is left."
    return (
        " A one-sided difference needs h near 1e-8, a central one h near 1e-5: look at the figure of section 2 again."
    )


def _moves(max_error: Callable, start: Vector) -> None:
    """Watch at which points a checker evaluates f, since that says what is wrong better than the error does."""
    points: list[Vector] = []

    def watched(theta: Vector) -> float:
        if np.iscomplexobj(theta):
            raise Wrong("f takes real numbers, and is given complex ones: step by a real number to both sides.")
        points.append(np.array(theta, dtype=np.float64))
        return wave(theta)

    theta = start.copy()
    found = _error(max_error(watched, wave_gradient, theta))
    if not points:
        raise Wrong("f is never evaluated: compare the gradient with differences of f, not with itself.")
    if any(p.shape != start.shape for p in points):
        raise Wrong(f"f takes a vector of shape {start.shape}, and is given one of shape {points[-1].shape}.")
    if all((p != start.astype(np.float32)).sum() <= 1 for p in points):
        raise Wrong(
            "theta is rounded to float32, which has 7 digits: a difference of two values that agree in most of them has "
            "none left. Keep theta in float64."
        )
    moved = [np.flatnonzero(p != start) for p in points]
    if not any(len(m) for m in moved):
        raise Wrong(
            "f is only evaluated at theta itself: nothing was moved, or the step is too small to change theta at all."
        )
    first = next(m for m in moved if len(m))
    if len(first) > 1:
        raise Wrong("you move all entries of theta at once: move one, and leave the others where they are.")
    if any(len(m) > 1 for m in moved):
        raise Wrong(
            "theta is not exactly what it was when the next entry is moved (adding h and subtracting it again leaves a "
            "rounding error, too): take a fresh copy for every point at which f is evaluated."
        )
    touched = {int(m[0]) for m in moved if len(m)}
    if touched == {0}:
        raise Wrong("only the first entry of theta is tried: an error in any other would pass.")
    if len(touched) < len(start):
        missing = sorted(set(range(len(start))) - touched)
        raise Wrong(f"some entries of theta are never moved: {missing}.")
    if not np.array_equal(theta, start):
        raise Wrong("after the call theta is not what it was: work on a copy, or put it back.")
    steps = np.array([float((p - start)[m[0]]) for p, m in zip(points, moved, strict=True) if len(m)])
    size = float(np.median(np.abs(steps)))
    one_sided = bool((steps > 0).all() or (steps < 0).all())
    off = abs(found)
    if 1e-6 < off < 0.3:
        if one_sided and size > 1e-7:
            raise Wrong(
                f"you take a one-sided difference with the step {size:.0e}: its error shrinks only with the step, here "
                f"to {off:.0e}. Step to both sides, or make it about 1e-8."
            )
        if not one_sided and size > 1e-3:
            raise Wrong(f"the step, {size:.0e}, is too large: the function bends within it. Try 1e-5.")
        if size < 1e-9:
            raise Wrong(f"the step, {size:.0e}, is so small that rounding is all that is left of the difference.")


# --- the gradient of logistic regression --------------------------------------------------------------------


@exercise
def logistic_gradient(gradient: Callable[[Vector, Vector, Vector], Vector]) -> str:
    """Check `gradient(w, X, y)`: X^T (sigma(X w) - y) / N, against autograd on random data."""
    import torch

    for examples, features in ((7, 3), (40, 5), (3, 6), (1, 2)):
        draw = np.random.default_rng(examples)
        X, w = draw.normal(size=(examples, features)), draw.normal(size=features)
        y = draw.integers(0, 2, size=examples).astype(float)
        theta = torch.tensor(w, requires_grad=True)
        logits = torch.tensor(X) @ theta
        torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.tensor(y)).backward()
        right = theta.grad.numpy()
        inputs = (w.copy(), X.copy(), y.copy())
        answer = gradient(*inputs)
        found = array(answer, f"the gradient, {features} numbers like w")
        if any(not np.array_equal(a, b) for a, b in zip(inputs, (w, X, y), strict=True)):
            raise Wrong("your function changes w, X or y: compute the gradient and leave them alone.")
        tolerance = 32 * max(SINGLE, precision(answer))  # a float64, too, may have been computed in float32
        shapes = f"X has shape {X.shape}, w {w.shape}, y {y.shape}; your gradient has {found.shape}"
        if found.shape in ((1, features), (features, 1)) and features > 1:
            raise Wrong(f"transposed shape: the gradient is a plain vector like w. {shapes}.")
        if found.shape == (examples,) != (features,):
            raise Wrong(f"one number per example instead of one per weight: X has to come in, by X.T @ .... {shapes}.")
        if found.shape != w.shape:
            raise Wrong(f"the gradient has one entry for each weight. {shapes}.")
        if (decimals := rounded_to(found, right, precision(answer))) is not None:
            raise Wrong(f"you round to {decimals} decimals: return the numbers as they are.")
        if not np.allclose(found, right, rtol=tolerance, atol=tolerance):
            _name_the_fault(found, right, w, X, y, tolerance)
    return "X.T @ (sigma(X w) - y) / N, as autograd has it, on four data sets."


def _name_the_fault(found: Vector, right: Vector, w: Vector, X: Vector, y: Vector, tolerance: float) -> None:
    """Compare a wrong gradient with those that typical mistakes give, with either sign and with and without 1/N.

    Raises:
        Wrong: always.
    """
    if not np.isfinite(found).all():
        raise Wrong(f"your gradient has entries that are no numbers: {found}. Is something divided by 0?")
    examples, features = X.shape
    p = 1 / (1 + np.exp(-X @ w))
    slope = p * (1 - p)
    residual = p - y
    faults = {
        "": residual,
        "a factor sigma'(z) too many: it cancels against the 1 / (M (1 - M)) of the loss, so that only sigma(z) - y is "
        "left (with it, you have the gradient of the squared error)": residual * slope,
        "sigma is missing: the residual is sigma(X w) - y, not X w - y": X @ w - y,
        "the predictions were rounded to 0 and 1 (that is the perceptron's rule): the residual is sigma(z) - y": (
            (p > 0.5).astype(float) - y
        ),
        "the labels are missing: the residual is sigma(z) - y": p,
        "the predictions are missing: the residual is sigma(z) - y": y,
        "the labels are inverted: y = 1 should pull the prediction up": p - (1 - y),
        "the labels count as -1 and 1; here they are 0 and 1": p - (2 * y - 1),
        "sigma(-z) in place of sigma(z): the sign in the exponential is wrong": 1 - p - y,
        "the softmax over the examples makes them compete; sigma looks at each example alone": (
            np.exp(X @ w) / np.exp(X @ w).sum() - y
        ),
        "tanh is not sigma: it runs from -1 to 1": np.tanh(X @ w) - y,
        "the absolute value loses the direction: the residual is sigma(z) - y": np.abs(residual),
        "the chain rule stops halfway: dM/dz = M (1 - M) is missing, which cancels against the same product below the "
        "line": residual / slope,
    }
    sizes = (
        (examples, ""),
        (1, "1/N is missing: the loss is a mean over the examples"),
        (examples / 2, "a factor of 2 too many, which belongs to the squared error"),
        (examples * 2, "a factor of 1/2 too many, which belongs to the squared error"),
        (features, "you divide by the number of weights; N is the number of examples"),
        (examples * features, "you divide by N twice over: by all entries of X, not by the examples"),
    )
    for sign, (fault, residual), (divisor, size) in product((1, -1), faults.items(), sizes):
        if np.allclose(found, sign * (X.T @ residual) / divisor, rtol=tolerance, atol=tolerance):
            turned = "right size and the wrong sign" if not (fault or size) else "the sign is wrong"
            said = [part for part in (turned if sign < 0 else "", size, fault) if part]
            raise Wrong("; also, ".join(said) + ".")
    step = (w - found) / np.where(right == 0, 1, right)
    if features > 1 and np.ptp(step) < 1e-3 * abs(step.mean()):
        raise Wrong("that is w after a step against the gradient: return the gradient itself.")
    one, other = side_by_side(found, right)
    raise Wrong(f"for {examples} examples and {features} weights you return {one}; autograd finds {other}.")


# --- the stable loss ----------------------------------------------------------------------------------------


MIDDLE = (-3.0, -0.4, 0.0, 0.9, 2.5)
ORDINARY_CASES = [(z, y) for z in MIDDLE for y in (0.0, 1.0)]
LOSSES = "one loss for each logit, in the shape of the logits"


@exercise
def stable_loss(loss: Callable[[Vector, Vector], Vector]) -> str:
    """Check `loss(z, y)`: binary cross-entropy from logits, elementwise, against 50 digits by mpmath.

    Every loss must be right to twelve digits, or as float32 has them if that is what is returned. One exception: a tiny
    loss, as of z = 40 and y = 1, may be off by a rounding error of z itself, as in logaddexp(0, z) - z y and in torch's
    own loss. Both keep all digits for the other sign of z, and their gradient is right. log(1 + exp(-|z|)) without
    log1p loses them for both signs, and is refused.
    """
    z, y = np.array([[0.5, -2.0, 3.0], [1.0, 0.0, -1.0]]), np.array([[1.0, 0, 0], [1, 0, 1]])
    try:
        with np.errstate(all="ignore"):
            answer = loss(z.copy(), y.copy())
    except ValueError as error:
        if "ambiguous" in str(error):
            raise Wrong(
                "z and y are arrays, and Python's max, min and if want one number: use np.maximum, np.abs, np.where."
            ) from error
        raise
    found = array(answer, LOSSES)
    if found.shape == ():
        raise Wrong("you return one number: return the loss of each logit, and leave the mean to the caller.")
    if found.shape != z.shape:
        raise Wrong(f"logits of shape (2, 3) come out as losses of shape {found.shape}; the shape must stay.")

    # First what any form gets right, then where forms break, from common to rare.
    _compare(loss, ORDINARY_CASES, ORDINARY)
    large = [17.0, -17.0, 40.0, -40.0, 89.0, -89.0, 720.0, -720.0, 1000.0, -1000.0, 1e4, -1e4]
    _compare(loss, [(z, 1.0 if z < 0 else 0.0) for z in large], WRONG)
    _compare(loss, [(z, 0.0 if z < 0 else 1.0) for z in large if abs(z) < 700], RIGHT)
    _compare(loss, [(z, 0.0 if z < 0 else 1.0) for z in large if abs(z) > 700], "a logit beyond the range of exp")
    _compare(loss, [(z, y) for z in (*MIDDLE, 40.0, -1000.0) for y in (0.05, 0.3, 0.95)], SOFT)
    rows = np.array([[_exact(*case) for case in zip(*row, strict=True)] for row in zip(z, y, strict=True)])
    if not np.allclose(found, rows, rtol=max(1e-12, 16 * precision(answer))):
        raise Wrong(f"logits in one row are right, and in two rows of three they are not: you return {found.tolist()}.")
    with np.errstate(all="ignore"):
        short = array(loss(np.array([100.0, -100.0], np.float32), np.array([0.0, 1.0], np.float32)), LOSSES)
    if not np.allclose(short, 100.0):
        raise Wrong(f"in float32, the logits 100 and -100 with the wrong labels cost {short}; expected 100.")
    digits = "twelve digits" if precision(answer) <= DOUBLE else "the digits that float32 has"
    return f"from logits of -10,000 to 10,000, right to {digits}; nothing clipped."


ORDINARY, SOFT = "an ordinary logit", "a label between 0 and 1"
RIGHT, WRONG = "a confident and right prediction", "a confident and wrong prediction"


def _softplus(z: Vector) -> Vector:
    return np.logaddexp(0, z)


_SLOPE = "that is the slope, sigma(z) - y; the loss itself is asked for."
LOSS_MISTAKES: list[tuple[str, Callable[[Vector, Vector], Vector]]] = [
    ("the labels are the wrong way round: y = 1 wants a large logit.", lambda z, y: _softplus(z) - z * (1 - y)),
    ("the sign is wrong: a loss is never negative.", lambda z, y: z * y - _softplus(z)),
    ("the term z·y is missing, and with it the label.", lambda z, y: _softplus(z)),
    ("the sign of z·y is wrong: subtract it.", lambda z, y: _softplus(z) + z * y),
    ("the term max(z, 0) is missing.", lambda z, y: _softplus(-np.abs(z)) - z * y),
    ("the terms max(z, 0) and z·y are missing: this is log(1 + exp(-|z|)) alone.", lambda z, y: _softplus(-np.abs(z))),
    ("|z| stands where max(z, 0) belongs.", lambda z, y: np.abs(z) - z * y + _softplus(-np.abs(z))),
    ("min(z, 0) stands where max(z, 0) belongs.", lambda z, y: np.minimum(z, 0) - z * y + _softplus(-np.abs(z))),
    ("the term log(1 + exp(-|z|)) is missing.", lambda z, y: np.maximum(z, 0) - z * y),
    (
        "the exponential needs the minus sign: log(1 + exp(-|z|)).",
        lambda z, y: np.maximum(z, 0) - z * y + _softplus(np.abs(z)),
    ),
    (
        "the first term is z and should be max(z, 0): for a negative z it is 0.",
        lambda z, y: z - z * y + _softplus(-np.abs(z)),
    ),
    ("only examples with the label 1 cost something: the term with 1 - y is missing.", lambda z, y: y * _softplus(-z)),
    ("only examples with the label 0 cost something: the term with y is missing.", lambda z, y: (1 - y) * _softplus(z)),
    (
        "that is the logarithm to base 2: take the natural one, np.log or np.log1p.",
        lambda z, y: (_softplus(z) - z * y) / np.log(2),
    ),
    (
        "that is the logarithm to base 10: take the natural one, np.log or np.log1p.",
        lambda z, y: (_softplus(z) - z * y) / np.log(10),
    ),
    ("your loss takes labels of -1 and 1; here they are 0 and 1.", lambda z, y: _softplus(-y * z)),
    (
        "that is the squared error of the probability; the cross-entropy is asked for.",
        lambda z, y: (np.exp(-_softplus(-z)) - y) ** 2,
    ),
    (_SLOPE, lambda z, y: np.exp(-_softplus(-z)) - y),
    ("z counts as a probability: it is a logit.", lambda z, y: -y * np.log(z) - (1 - y) * np.log(1 - z)),
    ("that is the hinge loss; the cross-entropy is asked for.", lambda z, y: np.maximum(0, 1 - (2 * y - 1) * z)),
    (
        "that is the mean: return the loss of each logit, and leave the mean to the caller.",
        lambda z, y: np.full_like(z, (_softplus(z) - z * y).mean()),
    ),
    (
        "the losses are divided by their number: return each as it is, and leave the mean to the caller.",
        lambda z, y: (_softplus(z) - z * y) / z.size,
    ),
]


def _as_log(loss: float) -> str:
    return f", which is -log({math.exp(-loss):.0e})" if loss < 700 else ""


def _compare(loss: Callable, cases: list[tuple[float, float]], name: str) -> None:
    z, y = (np.array(column) for column in zip(*cases, strict=True))
    given = z.copy(), y.copy()
    with np.errstate(all="ignore"):
        answer = loss(*given)
    if not (np.array_equal(given[0], z) and np.array_equal(given[1], y)):
        raise Wrong("your function changes z or y: work on copies.")
    found, eps = array(answer, LOSSES), max(DOUBLE, precision(answer))
    if found.shape != z.shape:
        raise Wrong(f"logits of shape {z.shape} come out as losses of shape {found.shape}; the shape must stay.")
    exact = np.array([_exact(*case) for case in cases])
    tiny = float(np.finfo(np.float32).tiny) if eps >= SINGLE else 1e-307  # what is smaller has fewer digits
    close = np.isclose(found, exact, rtol=max(1e-12, 16 * eps), atol=tiny)
    nearly = np.abs(found - exact) <= 4 * eps * np.maximum(1, np.abs(z))  # but for the rounding of numbers like z
    if name in (ORDINARY, SOFT) or (name == RIGHT and (close[z > 0].all() or close[z < 0].all())):
        close |= nearly
    if close.all():
        return
    for message, mistake in LOSS_MISTAKES if name == ORDINARY else []:
        with np.errstate(all="ignore"):
            theirs = mistake(z, y)
        if np.allclose(found, theirs, rtol=1e-6, atol=1e-9, equal_nan=True):
            raise Wrong(message)
    endless = ~(np.abs(found) < 1e300)  # nan, infinite, or what np.nan_to_num makes of it
    i = int(np.argmax(endless if endless.any() else ~close))
    if name == RIGHT and (found[~close] == 0).any():
        i = int(np.argmax(~close & (found == 0)))
    one, other = side_by_side(found[i], exact[i], 6)
    said = f" For z = {z[i]:g} and y = {y[i]:g} you return {one}; with 50 digits it is {other}."
    if endless[i]:
        if abs(z[i]) > 700:
            cause = "exp overflows"
        elif name == ORDINARY:
            cause = "a logarithm of 0 or less, or a division by 0"
        else:
            cause = "sigma(z) was rounded to 0 or 1, and its log is infinite"
        raise Wrong(f"{name} gives {found[i]}: {cause}. Never take exp of a positive number, nor log of sigma." + said)
    if name == RIGHT and found[i] == 0:
        if np.allclose(found, np.log(1 + np.exp(-np.abs(z))), rtol=1e-12, atol=0):
            cause = "1 + 1e-18 is 1, and its log 0; np.log1p(x) is log(1 + x) without that."
        else:
            cause = (
                "Somewhere two numbers that are nearly equal are subtracted, or a small number is added to a large one, "
                "which leaves the last digits of the large one and none of the small one."
            )
        raise Wrong("a tiny loss comes out as 0." + said + " " + cause)
    plateau = found[np.abs(z) >= 720]
    if name == WRONG and np.ptp(plateau) < 0.01 * abs(plateau[0]) and plateau[0] > 0:
        raise Wrong(
            f"clipped, or an epsilon added: the loss never exceeds {plateau[0]:.4g}{_as_log(plateau[0])}. From "
            "there on every mistake costs the same and has the gradient 0: the worst errors teach nothing." + said
        )
    if (
        eps <= DOUBLE
        and np.allclose(found, exact, rtol=1e-5, atol=0)
        and np.array_equal(found, found.astype(np.float32))
    ):
        raise Wrong("you compute in float32, which has 7 digits; twelve are asked for: keep z and y in float64." + said)
    if name == RIGHT and abs(found[i] - exact[i]) < 1e-6:
        raise Wrong(
            "the loss is small, and has few right digits: was something clipped, or an epsilon added, or log used "
            "in place of np.log1p?" + said
        )
    if name == SOFT:
        raise Wrong("your loss treats every label as 0 or 1; section 7 needs those between, too." + said)
    if abs(found[i] - exact[i]) < 1e-4 * max(1.0, exact[i]):
        raise Wrong("nearly right, but clipped probabilities or an added epsilon cost digits." + said)
    raise Wrong(f"{name} has the wrong loss." + said)


@functools.cache
def _exact(z: float, y: float) -> float:
    """-y log sigma(z) - (1 - y) log(1 - sigma(z)), with 50 digits more than the logit needs."""
    import mpmath

    # exp(-|z|) has to be seen beside 1, which takes |z| / log(10) digits; past 2000 its size in float64 is zero.
    with mpmath.workdps(50 + int(min(abs(z), 2000) / 2.3)):
        z_, y_ = mpmath.mpf(z), mpmath.mpf(y)
        return float(y_ * mpmath.log(1 + mpmath.exp(-z_)) + (1 - y_) * mpmath.log(1 + mpmath.exp(z_)))
