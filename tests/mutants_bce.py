"""Right and wrong answers to the exercises of lesson 03, with what each wrong one should be told."""

import numpy as np
import torch

from babyagi_lib import checks, losses

# --- a checker for gradients ---


def checker(step=1e-5, forward=False, halve=True, at_once=False, restore=True, in_place=False, only=None, scaled=True):
    """A checker with one thing wrong, or nothing."""

    def max_error(f, gradient, theta):
        g = gradient(theta)
        d = np.zeros_like(theta)
        point = theta if in_place else theta.copy()
        for k in range(len(theta)) if only is None else only:
            before = point.copy()
            index = slice(None) if at_once else k
            point[index] += step
            up = f(point)
            point[index] -= step if forward else 2 * step
            d[k] = (up - f(point)) / (step if forward or not halve else 2 * step)
            if restore:
                point[:] = before
        looked = slice(None) if only is None else list(only)
        difference = np.abs(g - d)[looked].max()
        scale = max(np.abs(g).max(), np.abs(d).max())
        return difference / scale if scaled and scale else difference

    return max_error


def differences(f, theta):
    steps = 1e-5 * np.eye(len(theta))
    return np.array([(f(theta + e) - f(theta - e)) / 2e-5 for e in steps])


def one_line(f, gradient, theta):
    g, d = gradient(theta), differences(f, theta)
    return np.abs(g - d).max() / max(np.abs(g).max(), np.abs(d).max())


def forward_with_a_good_step(f, gradient, theta):
    g = gradient(theta)
    d = np.array([(f(theta + e) - f(theta)) / 1e-8 for e in 1e-8 * np.eye(len(theta))])
    return np.abs(g - d).max() / max(np.abs(g).max(), np.abs(d).max())


def signed(f, gradient, theta):
    g, d = gradient(theta), differences(f, theta)
    return (g - d).max() / max(np.abs(g).max(), np.abs(d).max())


def averaged(f, gradient, theta):
    g, d = gradient(theta), differences(f, theta)
    return np.abs(g - d).mean() / max(np.abs(g).max(), np.abs(d).max())


def entry_by_entry(f, gradient, theta):
    g, d = gradient(theta), differences(f, theta)
    return (np.abs(g - d) / (np.maximum(np.abs(g), np.abs(d)) + 1e-300)).max()


def with_pythons_max(f, gradient, theta):
    g, d = gradient(theta), differences(f, theta)
    return max(abs(g - d)) / max(*abs(g), *abs(d))


def shifted_scale(f, gradient, theta):
    g, d = gradient(theta), differences(f, theta)
    return np.abs(g - d).max() / max(1, np.abs(g).max())


def wrong_way(f, gradient, theta):
    g, d = gradient(theta), -differences(f, theta)
    return np.abs(g - d).max() / max(np.abs(g).max(), np.abs(d).max())


# --- the gradient of logistic regression ---


def sigma(z):
    return 1 / (1 + np.exp(-z))


def gradient(w, X, y):
    return X.T @ (sigma(X @ w) - y) / len(y)


def by_loop(w, X, y):
    total = np.zeros_like(w)
    for x, label in zip(X, y, strict=True):
        total += (sigma(x @ w) - label) * x
    return total / len(X)


def squared(w, X, y):
    p = sigma(X @ w)
    return X.T @ ((p - y) * p * (1 - p)) / len(y)


def halfway(w, X, y):
    p = sigma(X @ w)
    return X.T @ ((p - y) / (p * (1 - p))) / len(y)


def updating(w, X, y):
    w -= gradient(w, X, y)
    return w


# --- the stable loss ---


def stable(z, y):
    return np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))


def naive(z, y, eps=0.0):
    p = np.clip(sigma(z), eps, 1 - eps)
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


def by_cases(z, y):
    """Right, although the branch that is not taken overflows."""
    return np.where(z > 0, z - z * y + np.log1p(np.exp(-z)), -z * y + np.log1p(np.exp(z)))


def in_torch(z, y):
    loss = torch.nn.functional.binary_cross_entropy_with_logits
    return loss(torch.as_tensor(z), torch.as_tensor(y), reduction="none").numpy()


RETURNS = {
    checks.gradient_checker: "number",
    checks.logistic_gradient: "array",
    checks.stable_loss: "array",
}
CASES = [
    (checks.gradient_checker, checker()),
    (checks.gradient_checker, losses.gradient_error),
    (checks.gradient_checker, one_line),
    (checks.gradient_checker, forward_with_a_good_step),
    (checks.logistic_gradient, gradient),
    (checks.logistic_gradient, by_loop),
    (checks.stable_loss, stable),
    (checks.stable_loss, losses.stable_loss),
    (checks.stable_loss, by_cases),
    (checks.stable_loss, lambda z, y: y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z)),
]
MUTANTS = [
    (checks.gradient_checker, checker(step=1e-2, forward=True, halve=False), "one-sided difference"),
    (checks.gradient_checker, checker(step=0.1), "too large"),
    (checks.gradient_checker, checker(step=1e-13), "rounding is all that is left"),
    (checks.gradient_checker, checker(step=1e-20), "nothing was moved"),
    (checks.gradient_checker, checker(halve=False), "2h apart"),
    (checks.gradient_checker, checker(restore=False), "not exactly what it was"),
    (checks.gradient_checker, checker(at_once=True), "at once"),
    (checks.gradient_checker, checker(only=[0]), "only the first entry"),
    (checks.gradient_checker, checker(only=[0, 1, 2]), "never moved: [3, 4]"),
    (checks.gradient_checker, checker(scaled=False), "absolute"),
    (checks.gradient_checker, shifted_scale, "of either gradient"),
    (checks.gradient_checker, signed, "absolute value"),
    (checks.gradient_checker, averaged, "average"),
    (checks.gradient_checker, entry_by_entry, "largest entry"),
    (checks.gradient_checker, with_pythons_max, "nan"),
    (checks.gradient_checker, wrong_way, "right sign"),
    (checks.gradient_checker, lambda f, g, theta: one_line(f, g, theta) < 1e-6, "return the error itself"),
    (checks.gradient_checker, lambda f, g, theta: np.abs(g(theta) - differences(f, theta)), "one number"),
    (checks.gradient_checker, lambda f, g, theta: 0.0, "never evaluated"),
    (checks.gradient_checker, lambda f, g, theta: (theta.__iadd__(1), one_line(f, g, theta))[1], "all entries"),
    (checks.gradient_checker, lambda f, g, theta: (one_line(f, g, theta), theta.__iadd__(1))[0], "after the call"),
    (checks.gradient_checker, lambda f, g, theta: None, "returns nothing"),
    (checks.logistic_gradient, lambda w, X, y: -gradient(w, X, y), "right size and the wrong sign"),
    (checks.logistic_gradient, lambda w, X, y: gradient(w, X, y) * len(y), "1/N is missing"),
    (checks.logistic_gradient, lambda w, X, y: -gradient(w, X, y) * len(y), "the sign is wrong; also, 1/N"),
    (checks.logistic_gradient, squared, "a factor sigma'(z) too many"),
    (checks.logistic_gradient, lambda w, X, y: squared(w, X, y) * len(y), "1/N is missing: the loss is a mean over"),
    (checks.logistic_gradient, halfway, "halfway"),
    (checks.logistic_gradient, lambda w, X, y: gradient(w, X, y)[None], "transposed"),
    (checks.logistic_gradient, lambda w, X, y: gradient(w, X, y)[:, None], "transposed"),
    (checks.logistic_gradient, lambda w, X, y: sigma(X @ w) - y, "one number per example"),
    (checks.logistic_gradient, lambda w, X, y: gradient(w, X, y).mean(), "one entry for each weight"),
    (checks.logistic_gradient, lambda w, X, y: gradient(w, X, y) * len(y) / len(w), "number of weights"),
    (checks.logistic_gradient, lambda w, X, y: (X * (sigma(X @ w) - y)[:, None]).sum(0) / X.size, "twice over"),
    (checks.logistic_gradient, lambda w, X, y: X.T @ (X @ w - y) / len(y), "sigma is missing"),
    (checks.logistic_gradient, lambda w, X, y: X.T @ ((X @ w > 0) - y) / len(y), "rounded"),
    (checks.logistic_gradient, lambda w, X, y: X.T @ sigma(X @ w) / len(y), "labels are missing"),
    (checks.logistic_gradient, lambda w, X, y: X @ (sigma(X @ w) - y), "ValueError"),
    (checks.logistic_gradient, updating, "changes w"),
    (checks.logistic_gradient, lambda w, X, y: 0 * w, "autograd finds"),
    (checks.logistic_gradient, lambda w, X, y: None, "returns nothing"),
    (checks.stable_loss, naive, "log is infinite"),
    (checks.stable_loss, lambda z, y: naive(z, y, 1e-7), "-log(1e-07)"),
    (checks.stable_loss, lambda z, y: naive(z, y, 1e-15), "clipped"),
    (checks.stable_loss, lambda z, y: stable(np.clip(z, -30, 30), y), "the loss never exceeds 30"),
    (
        checks.stable_loss,
        lambda z, y: -(y * np.log(sigma(z) + 1e-9) + (1 - y) * np.log(1 - sigma(z) + 1e-9)),
        "epsilon",
    ),
    (checks.stable_loss, lambda z, y: np.log(1 + np.exp(z)) - z * y, "exp overflows"),
    (checks.stable_loss, lambda z, y: np.maximum(z, 0) - z * y + np.log(1 + np.exp(-np.abs(z))), "a tiny loss is lost"),
    (checks.stable_loss, lambda z, y: stable(z, y) + 1e-20, "few right digits"),
    (checks.stable_loss, lambda z, y: stable(z, 1 - y), "wrong way round"),
    (checks.stable_loss, lambda z, y: -stable(z, y), "never negative"),
    (checks.stable_loss, lambda z, y: stable(z, y).mean(), "leave the mean"),
    (checks.stable_loss, lambda z, y: stable(z, y).ravel(), "the shape must stay"),
    (checks.stable_loss, lambda z, y: max(z, 0) - z * y + np.log1p(np.exp(-abs(z))), "np.maximum"),
    (checks.stable_loss, lambda z, y: np.where(y == 1, np.logaddexp(0, -z), np.logaddexp(0, z)), "0 or 1"),
    (checks.stable_loss, lambda z, y: -z * y + np.log1p(np.exp(-np.abs(z))), "the term max(z, 0) is missing"),
    (checks.stable_loss, lambda z, y: None, "returns nothing"),
]
