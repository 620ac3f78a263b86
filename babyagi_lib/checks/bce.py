"""The exercises of lesson 03: a checker for gradients, the gradient of logistic regression, the stable loss."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.checks.verdict import Wrong, exercise

Vector = NDArray[np.float64]

# --- a checker for gradients --------------------------------------------------------------------------------


def _wave(theta: Vector) -> float:
    return float(np.exp(0.5 * theta).sum() + theta[0] * theta[-1])


def _wave_gradient(theta: Vector) -> Vector:
    gradient = 0.5 * np.exp(0.5 * theta)
    gradient[0] += theta[-1]
    gradient[-1] += theta[0]
    return gradient


@exercise("03_binary_cross_entropy")
def gradient_checker(max_error: Callable[[Callable, Callable, Vector], float]) -> str:
    """Check `max_error(f, gradient, theta)`: small for right gradients, and as large as planted errors are."""
    theta = np.array([0.7, -1.1, 0.4, 1.3, -0.2])
    true = _wave_gradient(theta.copy())

    _moves(max_error, theta)

    found = _number(max_error, _wave, _wave_gradient, theta)
    if not abs(found) < 1e-6:
        if math.isclose(found, 0.5, rel_tol=1e-3):
            raise Wrong(
                "your differences are twice the slope: f(theta + h) and f(theta - h) lie 2h apart, not h. "
                f"A right gradient gets the error {found:.3f}."
            )
        if math.isclose(found, 1.0, rel_tol=1e-3) or math.isclose(found, 2.0, rel_tol=1e-3):
            raise Wrong(
                f"a right gradient gets the error {found:.3f}: have your differences the right sign, and do f(up) and "
                "f(down) really see theta moved?"
            )
        raise Wrong(f"a right gradient gets the error {found:.2g}; with a good step it is below 1e-6." + _step(found))

    for k, share in ((0, 0.03), (2, -0.03), (4, 0.03), (4, -0.03)):
        wanted = abs(share * true[k]) / max(np.abs(true).max(), abs((1 + share) * true[k]))

        def planted(t: Vector, k: int = k, share: float = share) -> Vector:
            gradient = _wave_gradient(t)
            gradient[k] *= 1 + share
            return gradient

        found = _number(max_error, _wave, planted, theta)
        said = f" An error of 3% planted in entry {k} of the gradient gets {found:.2g}; expected {wanted:.2g}."
        if found < 0 or (found < wanted / 100 and share * true[k] < 0):
            raise Wrong("an entry that is too small goes unseen: take the absolute value of the difference." + said)
        if math.isclose(found, wanted / len(theta), rel_tol=0.02):
            raise Wrong("you average over the entries: one wrong among many is diluted. Take the largest." + said)
        if found < wanted / 100:
            raise Wrong("a wrong gradient passes: does every entry of it count?" + said)
        if math.isclose(found, wanted * np.abs(true).max(), rel_tol=0.02):
            raise Wrong(_relative("the error is absolute") + said)
        if not math.isclose(found, wanted, rel_tol=0.02):
            raise Wrong("divide the largest difference by the largest entry of either gradient." + said)

    for scale in (1e-6, 1e6):
        found = _number(
            max_error, lambda t, s=scale: s * _wave(t), lambda t, s=scale: 1.03 * s * _wave_gradient(t), theta
        )
        if not 0.02 < found < 0.04:
            raise Wrong(
                _relative("the error depends on the unit of f")
                + f" With everything times {scale:g}, a gradient that is 3% too large gets {found:.2g}."
            )

    found = _number(max_error, lambda t: float((t**2).sum()), lambda t: 2 * t, np.array([0.0, 1.5, 0.0]))
    if not abs(found) < 1e-6:
        raise Wrong(
            f"where an entry of the gradient is 0, a right gradient gets {found:.2g}: do not divide entry by entry, "
            "divide by the largest entry."
        )
    broken = _number(max_error, _wave, lambda t: np.array([1.0, np.nan, 1, 1, 1]) * _wave_gradient(t), theta)
    if broken < 1e-3:
        raise Wrong(
            "a gradient with a nan in it passes: Python's max overlooks nan, np.max (or np.abs(...).max()) does not."
        )
    return "right gradients pass at every scale, and 3% planted in any single entry is seen as what it is."


def _number(max_error: Callable, f: Callable, gradient: Callable, theta: Vector) -> float:
    found = max_error(f, gradient, theta.copy())
    if found is None:
        raise Wrong("your function returns nothing; return the error, one number.")
    if isinstance(found, (bool, np.bool_)):
        raise Wrong("return the error itself, not whether it is small: the reader decides what small means.")
    if np.size(found) != 1:
        raise Wrong(f"return one number, the largest error; you return {np.size(found)} numbers.")
    return float(np.asarray(found).reshape(()))


def _relative(fault: str) -> str:
    return f"{fault}: divide by the size of the gradient, or a small loss hides everything and a large one nothing."


def _step(found: float) -> str:
    if found > 1e-4:
        return " The step may be too large (the curve bends within it) or so small that rounding is all that is left."
    return " A one-sided difference needs h near 1e-8, a central one h near 1e-5: look at the V again."


def _moves(max_error: Callable, start: Vector) -> None:
    """Watch at which points a checker evaluates f, since that says what is wrong better than the error does."""
    points: list[Vector] = []

    def watched(theta: Vector) -> float:
        points.append(np.array(theta, dtype=np.float64))
        return _wave(theta)

    theta = start.copy()
    found = max_error(watched, _wave_gradient, theta)
    if found is None:
        raise Wrong("your function returns nothing; return the error, one number.")
    if not points:
        raise Wrong("f is never evaluated: compare the gradient with differences of f, not with itself.")
    if any(p.shape != start.shape for p in points):
        raise Wrong(f"f takes a vector of shape {start.shape}, and is given one of shape {points[-1].shape}.")
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
            "theta is not exactly what it was when the next entry is moved (adding h and taking it away again leaves a "
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
    error = abs(float(np.max(found)))
    if 1e-6 < error < 0.3:
        if one_sided and size > 1e-7:
            raise Wrong(
                f"you take a one-sided difference with the step {size:.0e}: its error shrinks only with the step, here "
                f"to {error:.0e}. Step to both sides, or make it about 1e-8."
            )
        if not one_sided and size > 1e-3:
            raise Wrong(f"the step, {size:.0e}, is too large: the function bends within it. Try 1e-5.")
        if size < 1e-9:
            raise Wrong(f"the step, {size:.0e}, is so small that rounding is all that is left of the difference.")


# --- the gradient of logistic regression --------------------------------------------------------------------


@exercise("03_binary_cross_entropy")
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
        found = gradient(*inputs)
        if found is None:
            raise Wrong("your function returns nothing; return the gradient, a vector like w.")
        if any(not np.array_equal(a, b) for a, b in zip(inputs, (w, X, y), strict=True)):
            raise Wrong("your function changes w, X or y: compute the gradient and leave them alone.")
        found = np.asarray(found, dtype=float)
        shapes = f"X has shape {X.shape}, w {w.shape}, y {y.shape}; your gradient has {found.shape}"
        if found.shape in ((1, features), (features, 1)) and features > 1:
            raise Wrong(f"transposed shape: the gradient is a plain vector like w. {shapes}.")
        if found.shape == (examples,) != (features,):
            raise Wrong(f"one number per example instead of one per weight: X has to come in, by X.T @ .... {shapes}.")
        if found.shape != w.shape:
            raise Wrong(f"the gradient has one entry for each weight. {shapes}.")
        if np.allclose(found, right, rtol=1e-8, atol=1e-10):
            continue
        _name_the_fault(found, right, w, X, y)
    return "X.T @ (sigma(X w) - y) / N, as autograd has it, on four data sets."


def _name_the_fault(found: Vector, right: Vector, w: Vector, X: Vector, y: Vector) -> None:
    """Compare a wrong gradient with those that typical mistakes give, with either sign and with and without 1/N."""
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
        "the chain rule stops halfway: dM/dz = M (1 - M) is missing, which cancels against the same product below the "
        "line": residual / slope,
    }
    for fault, signal in faults.items():
        total = X.T @ signal
        for sign in (1, -1):
            for divisor, size in (
                (examples, ""),
                (1, "1/N is missing: the loss is a mean over the examples"),
                (features, "you divide by the number of weights; N is the number of examples"),
                (examples * features, "you divide by N twice over: by all entries of X, not by the examples"),
            ):
                if not np.allclose(found, sign * total / divisor, rtol=1e-6, atol=1e-9):
                    continue
                turned = "right size and the wrong sign" if not (fault or size) else "the sign is wrong"
                said = [part for part in (turned if sign < 0 else "", size, fault) if part]
                if said:
                    raise Wrong("; also, ".join(said) + ".")
    raise Wrong(
        f"for {examples} examples and {features} weights you return {np.round(found, 4)}; autograd finds "
        f"{np.round(right, 4)}."
    )


# --- the stable loss ----------------------------------------------------------------------------------------


@exercise("03_binary_cross_entropy")
def stable_loss(loss: Callable[[Vector, Vector], Vector]) -> str:
    """Check `loss(z, y)`: binary cross-entropy from logits, elementwise, against 50 digits by mpmath."""
    try:
        with np.errstate(all="ignore"):
            found = loss(np.array([[0.5, -2.0, 3.0], [1.0, 0.0, -1.0]]), np.array([[1.0, 0, 0], [1, 0, 1]]))
    except ValueError as error:
        if "ambiguous" in str(error):
            raise Wrong(
                "z and y are arrays, and Python's max, min and if want one number: use np.maximum, np.abs, np.where."
            ) from error
        raise
    if found is None:
        raise Wrong("your function returns nothing; return one loss for each logit.")
    if np.shape(found) == ():
        raise Wrong("you return one number: return the loss of each logit, and leave the mean to the caller.")
    if np.shape(found) != (2, 3):
        raise Wrong(f"logits of shape (2, 3) come out as losses of shape {np.shape(found)}; the shape must stay.")

    # First what any form gets right, then where forms break, from common to rare.
    middle = [-3.0, -0.4, 0.0, 0.9, 2.5]
    _compare(loss, [(z, y) for z in middle for y in (0.0, 1.0)], "an ordinary logit")
    large = [17.0, -17.0, 40.0, -40.0, 89.0, -89.0, 720.0, -720.0, 1000.0, -1000.0, 1e4, -1e4]
    _compare(loss, [(z, 1.0 if z < 0 else 0.0) for z in large], "a confident and wrong prediction")
    _compare(loss, [(z, 0.0 if z < 0 else 1.0) for z in large if abs(z) < 700], "a confident and right prediction")
    _compare(loss, [(z, 0.0 if z < 0 else 1.0) for z in large if abs(z) > 700], "a logit beyond the range of exp")
    _compare(loss, [(z, y) for z in (*middle, 40.0, -1000.0) for y in (0.05, 0.3, 0.95)], "a label between 0 and 1")
    with np.errstate(all="ignore"):
        short = np.asarray(loss(np.array([100.0, -100.0], np.float32), np.array([0.0, 1.0], np.float32)))
    if not np.allclose(short, 100.0):
        raise Wrong(f"in float32, the logits 100 and -100 with the wrong labels cost {short}; expected 100.")
    return "from logits of -10,000 to 10,000, right to twelve digits; nothing clipped."


def _compare(loss: Callable, cases: list[tuple[float, float]], name: str) -> None:
    z, y = (np.array(column) for column in zip(*cases, strict=True))
    with np.errstate(all="ignore"):
        found = np.asarray(loss(z.copy(), y.copy()), dtype=float)
    exact = np.array([_exact(*case) for case in cases])
    for i in range(len(cases)):
        said = f" For z = {z[i]:g} and y = {y[i]:g} you return {found[i]:.6g}; with 50 digits it is {exact[i]:.6g}."
        if not math.isfinite(found[i]):
            cause = "exp overflows" if abs(z[i]) > 700 else "sigma(z) was rounded to 0 or 1, and its log is infinite"
            raise Wrong(
                f"{name} gives {found[i]}: {cause}. Never take exp of a positive number, nor log of sigma." + said
            )
    if np.allclose(found, [_exact(*case) for case in zip(z, 1 - y, strict=True)], rtol=1e-9):
        raise Wrong("the labels are the wrong way round: y = 1 wants a large logit.")
    for i in range(len(cases)):
        if name == "a confident and right prediction" and found[i] == 0:
            raise Wrong(
                f"a tiny loss is lost. For z = {z[i]:g} and y = {y[i]:g} you return 0; with 50 digits it is "
                f"{exact[i]:.6g}. 1 + 1e-18 is 1, and its log 0; np.log1p(x) is log(1 + x) without that."
            )
    for i in range(len(cases)):
        if math.isclose(found[i], exact[i], rel_tol=1e-12, abs_tol=1e-307):
            continue
        digits = ".6g" if f"{found[i]:.6g}" != f"{exact[i]:.6g}" else ".17g"
        said = f" For z = {z[i]:g} and y = {y[i]:g} you return {found[i]:{digits}}; with 50 digits it is {exact[i]:{digits}}."
        plateau = found[np.abs(z) >= 720]
        if name == "a confident and wrong prediction" and np.ptp(plateau) < 1e-9 and plateau[0] > 0:
            raise Wrong(
                f"clipped: the loss never exceeds {plateau[0]:.4g}, which is -log({math.exp(-plateau[0]):.0e}). From "
                "there on every mistake costs the same and has the gradient 0: the worst errors teach nothing." + said
            )
        if name == "a confident and right prediction" and abs(found[i] - exact[i]) < 1e-6:
            raise Wrong(
                "the loss is small, and has few right digits: was something clipped, or an epsilon added, or log used "
                "in place of np.log1p?" + said
            )
        if name == "a label between 0 and 1":
            raise Wrong("your loss treats every label as 0 or 1; section 7 needs those between, too." + said)
        if math.isclose(found[i], -exact[i], rel_tol=1e-9):
            raise Wrong("the sign is wrong: a loss is never negative." + said)
        if abs(found[i] - exact[i]) < 1e-4 * max(1.0, exact[i]):
            raise Wrong("nearly right, but clipped probabilities or an added epsilon cost digits." + said)
        raise Wrong(f"{name} has the wrong loss." + said)


def _exact(z: float, y: float) -> float:
    """-y log sigma(z) - (1 - y) log(1 - sigma(z)), with 50 digits more than the logit needs."""
    import mpmath

    # exp(-|z|) has to be seen beside 1, which takes |z| / log(10) digits; past 2000 its size in float64 is zero.
    with mpmath.workdps(50 + int(min(abs(z), 2000) / 2.3)):
        z_, y_ = mpmath.mpf(z), mpmath.mpf(y)
        return float(y_ * mpmath.log(1 + mpmath.exp(-z_)) + (1 - y_) * mpmath.log(1 + mpmath.exp(z_)))
