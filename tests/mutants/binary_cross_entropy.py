"""Right and wrong answers to the exercises of lesson 03, with what each wrong one should be told."""

import math

import numpy as np
import scipy.optimize
import scipy.special
import torch

from babyagi_lib.learner.checks import binary_cross_entropy as checks
from babyagi_lib.training import losses

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


def four_points(f, grad, x):
    """A stencil of four points, and a step that fits each entry."""
    x = np.asarray(x)
    slopes = []
    for k in range(x.size):
        h = 1e-4 * max(1.0, abs(x[k]))
        e = h * (np.arange(x.size) == k)
        slopes.append((8 * (f(x + e) - f(x - e)) - (f(x + 2 * e) - f(x - 2 * e))) / (12 * h))
    claimed = np.asarray(grad(x))
    return np.linalg.norm(claimed - slopes, np.inf) / max(
        np.linalg.norm(claimed, np.inf), np.linalg.norm(slopes, np.inf)
    )


def with_scipy(f, gradient, theta):
    g, d = gradient(theta), scipy.optimize.approx_fprime(theta, f)
    return max(abs(g - d).max() / abs(g).max(), 0) if abs(g).max() > abs(d).max() else abs(g - d).max() / abs(d).max()


def in_place_and_back(f, gradient, theta):
    """Each entry is put back as it was, not by subtraction."""
    d = []
    for k, value in enumerate(theta.tolist()):
        theta[k] = value + 1e-6
        up = f(theta)
        theta[k] = value - 1e-6
        d.append((up - f(theta)) / 2e-6)
        theta[k] = value
    g = gradient(theta)
    return np.max(np.abs(g - d)) / np.max(np.abs([g, d]))


def in_a_tensor(f, gradient, theta):
    g, d = torch.tensor(gradient(theta)), torch.tensor(differences(f, theta))
    return (g - d).abs().max() / torch.maximum(g.abs().max(), d.abs().max())


def looped_max(f, gradient, theta):
    """Python's max, with nan looked for."""
    pairs = list(zip(gradient(theta).tolist(), differences(f, theta).tolist(), strict=True))
    if any(math.isnan(a) for a, _ in pairs):
        return math.nan
    return max(abs(a - b) for a, b in pairs) / max(max(abs(a), abs(b)) for a, b in pairs)


def ratio(formula, skip=lambda g: np.zeros(len(g), bool)):
    """A checker with central differences and another ratio; entries to skip count as right."""

    def max_error(f, gradient, theta):
        g, d = gradient(theta), differences(f, theta)
        d = np.where(skip(g), g, d)
        return formula(g, d)

    return max_error


def size(vector):
    return np.abs(vector).max()


def in_float32(f, gradient, theta):
    theta = theta.astype(np.float32)
    return one_line(f, gradient, theta)


def complex_step(f, gradient, theta):
    d = np.array([np.imag(f(theta + 1e-20j * e)) / 1e-20 for e in np.eye(len(theta))])
    return size(gradient(theta) - d) / max(size(gradient(theta)), size(d))


def gradient_while_moved(f, gradient, theta):
    """Asks for the gradient at the last point at which f was evaluated."""
    x = theta.copy()
    d = []
    for k in range(len(x)):
        x = theta.copy()
        x[k] += 1e-5
        up = f(x)
        x[k] -= 2e-5
        d.append((up - f(x)) / 2e-5)
    g = gradient(x)
    return size(g - d) / max(size(g), size(np.array(d)))


# --- the gradient of logistic regression, more of them ---


def by_autograd(w, X, y):
    w, X, y = (torch.tensor(v, requires_grad=v is w) for v in (w, X, y))
    torch.nn.BCEWithLogitsLoss()(X @ w, y).backward()
    return w.grad


def by_autograd_in_float32(weights, inputs, labels):
    theta = torch.tensor(weights, dtype=torch.float32, requires_grad=True)
    p = torch.sigmoid(torch.tensor(inputs, dtype=torch.float32) @ theta)
    loss = torch.nn.functional.binary_cross_entropy(p, torch.tensor(labels, dtype=torch.float32))
    return torch.autograd.grad(loss, theta)[0].numpy()


def by_entries(w, X, y):
    errors = [1 / (1 + math.exp(-sum(a * b for a, b in zip(x, w, strict=True)))) - t for x, t in zip(X, y, strict=True)]
    return [sum(e * x[k] for e, x in zip(errors, X, strict=True)) / len(X) for k in range(len(w))]


def by_finite_differences(w, X, y):
    return differences(lambda v: np.logaddexp(0, X @ v).mean() - (y * (X @ v)).mean(), w)


# --- the stable loss, more of them ---


def masked(z, y):
    out = np.empty_like(z)
    up = z >= 0
    out[up] = (1 - y[up]) * z[up] + np.log1p(np.exp(-z[up]))
    out[~up] = -y[~up] * z[~up] + np.log1p(np.exp(z[~up]))
    return out


def softplus_with_a_threshold(z, y):
    return np.where(z > 20, z, np.log1p(np.exp(np.minimum(z, 20)))) - z * y


def early_threshold(z, y):
    return np.where(z > 10, z, np.logaddexp(0, z)) - z * y


def with_float32(z, y):
    loss = torch.nn.BCEWithLogitsLoss(reduction="none")
    return loss(torch.from_numpy(z).float(), torch.from_numpy(y).float())


def as_in_float32(z, y):
    return with_float32(z, y).numpy().astype(z.dtype)


def in_place_z(z, y):
    z *= 1 - 2 * y
    return np.logaddexp(0, z)


def by_symmetry(z, y):
    """log(2 cosh(z / 2)): stable, and every tiny loss is lost where two large numbers are subtracted."""
    return np.logaddexp(z / 2, -z / 2) + z / 2 - z * y


def one_row(z, y):
    """Right in one row only: the labels of the first row are used for all."""
    return stable(z, np.broadcast_to(np.atleast_2d(y)[0], z.shape))


TOO_SMALL_FOR_FLOAT32 = [as_in_float32, early_threshold]
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
    (checks.gradient_checker, four_points),
    (checks.gradient_checker, with_scipy),
    (checks.gradient_checker, in_place_and_back),
    (checks.gradient_checker, in_a_tensor),
    (checks.gradient_checker, looped_max),
    (checks.logistic_gradient, gradient),
    (checks.logistic_gradient, by_loop),
    (checks.logistic_gradient, by_autograd),
    (checks.logistic_gradient, by_autograd_in_float32),
    (checks.logistic_gradient, by_entries),
    (checks.logistic_gradient, by_finite_differences),
    (checks.logistic_gradient, lambda w, X, y: np.einsum("nf,n->f", X, scipy.special.expit(X @ w) - y) / X.shape[0]),
    (checks.logistic_gradient, lambda w, X, y: ((0.5 + 0.5 * np.tanh(X @ w / 2) - y)[:, None] * X).mean(axis=0)),
    (checks.stable_loss, stable),
    (checks.stable_loss, losses.stable_loss),
    (checks.stable_loss, by_cases),
    (checks.stable_loss, lambda z, y: y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z)),
    (checks.stable_loss, lambda z, y: np.logaddexp(0, z) - z * y),
    (checks.stable_loss, lambda z, y: np.logaddexp(0, -z) + (1 - y) * z),
    (checks.stable_loss, in_torch),
    (checks.stable_loss, lambda z, y: torch.nn.functional.softplus(torch.tensor(z)) - torch.tensor(z * y)),
    (checks.stable_loss, lambda z, y: -(y * scipy.special.log_expit(z) + (1 - y) * scipy.special.log_expit(-z))),
    (checks.stable_loss, lambda z, y: scipy.special.logsumexp([0 * z, z], axis=0) - z * y),
    (checks.stable_loss, masked),
    (checks.stable_loss, softplus_with_a_threshold),
    (checks.stable_loss, np.vectorize(lambda z, y: max(z, 0) - z * y + math.log1p(math.exp(-abs(z))))),
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
    (checks.gradient_checker, in_float32, "float32"),
    (checks.gradient_checker, gradient_while_moved, "below 1e-6"),
    (checks.gradient_checker, checker(only=[0, 1, 2, 3]), "never moved: [4]"),
    (
        checks.gradient_checker,
        ratio(lambda g, d: np.linalg.norm(g - d) / (np.linalg.norm(g) + np.linalg.norm(d))),
        "lengths",
    ),
    (checks.gradient_checker, ratio(lambda g, d: np.linalg.norm(g - d) / np.linalg.norm(d)), "the lengths of vectors"),
    (checks.gradient_checker, ratio(lambda g, d: size(g - d) / (size(g) + size(d))), "the sum of both sizes"),
    (checks.gradient_checker, ratio(lambda g, d: size(g - d) / size(d)), "the size of one gradient alone"),
    (checks.gradient_checker, ratio(lambda g, d: size(g - d) / size(g)), "the size of one gradient alone"),
    (checks.gradient_checker, ratio(lambda g, d: size((g - d) / (abs(g) + abs(d)))), "entry by entry"),
    (
        checks.gradient_checker,
        ratio(lambda g, d: np.abs(g - d).sum() / max(size(g), size(d))),
        "you sum over the entries",
    ),
    (checks.gradient_checker, ratio(lambda g, d: np.abs(g - d).mean() / np.abs(d).mean()), "the largest entry"),
    (checks.gradient_checker, ratio(lambda g, d: (d - g).max() / max(size(g), size(d))), "too large goes unseen"),
    (
        checks.gradient_checker,
        ratio(lambda g, d: (size(g - d) / max(size(g), size(d))) ** 2),
        "the square of the error",
    ),
    (
        checks.gradient_checker,
        ratio(lambda g, d: size(g - d) / max(size(g), size(d)), skip=lambda g: g == 0),
        "those that claim to be 0",
    ),
    (checks.gradient_checker, ratio(lambda g, d: size(g - d) / max(g.max(), d.max())), "a size is an absolute value"),
    (
        checks.gradient_checker,
        ratio(lambda g, d: size(np.sort(g) - np.sort(d)) / max(size(g), size(d))),
        "in the wrong order",
    ),
    (checks.gradient_checker, ratio(lambda g, d: size(abs(g) - abs(d)) / max(size(g), size(d))), "the wrong sign"),
    (checks.gradient_checker, ratio(lambda g, d: size(g[:5] - d[:5]) / max(size(g), size(d))), "seven entries"),
    (checks.gradient_checker, complex_step, "f takes real numbers"),
    (checks.gradient_checker, lambda f, g, theta: one_line(f, g, theta.round(1)), "all entries of theta at once"),
    (checks.gradient_checker, ratio(lambda g, d: round(size(g - d) / max(size(g), size(d)), 2)), "either gradient"),
    (checks.gradient_checker, ratio(lambda g, d: (size(g - d), size(g))), "one number, the largest error"),
    (checks.gradient_checker, ratio(lambda g, d: np.allclose(g, d)), "return the error itself"),
    (checks.gradient_checker, ratio(lambda g, d: print("ok")), "returns nothing"),
    (checks.logistic_gradient, lambda w, X, y: w - gradient(w, X, y), "after a step against the gradient"),
    (checks.logistic_gradient, lambda w, X, y: w - 0.1 * gradient(w, X, y), "after a step against the gradient"),
    (checks.logistic_gradient, lambda w, X, y: 2 * gradient(w, X, y), "a factor of 2 too many"),
    (checks.logistic_gradient, lambda w, X, y: gradient(w, X, y) / 2, "a factor of 1/2 too many"),
    (checks.logistic_gradient, lambda w, X, y: gradient(w, X, 1 - y), "the labels are inverted"),
    (checks.logistic_gradient, lambda w, X, y: gradient(w, X, 2 * y - 1), "-1 and 1"),
    (checks.logistic_gradient, lambda w, X, y: gradient(-w, X, y), "sigma(-z)"),
    (checks.logistic_gradient, lambda w, X, y: X.T @ (scipy.special.softmax(X @ w) - y) / len(y), "softmax"),
    (checks.logistic_gradient, lambda w, X, y: X.T @ (np.tanh(X @ w) - y) / len(y), "tanh"),
    (checks.logistic_gradient, lambda w, X, y: X.T @ abs(sigma(X @ w) - y) / len(y), "absolute value"),
    (checks.logistic_gradient, lambda w, X, y: X.T @ y / len(y), "the predictions are missing"),
    (checks.logistic_gradient, lambda w, X, y: gradient(w, X, y).round(3), "you round to 3 decimals"),
    (checks.logistic_gradient, lambda w, X, y: gradient(w, X, y) + 0.01 * w, "autograd finds"),
    (checks.logistic_gradient, lambda w, X, y: gradient(w, X, y) * len(y) / 7, "autograd finds"),
    (checks.logistic_gradient, lambda w, X, y: np.clip(gradient(w, X, y), -0.1, 0.1), "autograd finds"),
    (checks.logistic_gradient, lambda w, X, y: gradient(w, X, y) * np.nan, "no numbers"),
    (checks.logistic_gradient, lambda w, X, y: (gradient(w, X, y), 0.5), "return the gradient, 3 numbers like w"),
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
    (checks.stable_loss, lambda z, y: stable(z, y) / np.log(2), "base 2"),
    (checks.stable_loss, lambda z, y: stable(z, y) / np.log(10), "base 10"),
    (checks.stable_loss, lambda z, y: np.logaddexp(0, z), "the term z·y is missing"),
    (checks.stable_loss, lambda z, y: np.logaddexp(0, z) + z * y, "the sign of z·y"),
    (checks.stable_loss, lambda z, y: np.logaddexp(0, -y * z), "labels of -1 and 1"),
    (checks.stable_loss, lambda z, y: y * np.logaddexp(0, -z), "the term with 1 - y is missing"),
    (checks.stable_loss, lambda z, y: (1 - y) * np.logaddexp(0, z), "the term with y is missing"),
    (checks.stable_loss, lambda z, y: np.abs(z) - z * y + np.log1p(np.exp(-np.abs(z))), "|z| stands where"),
    (checks.stable_loss, lambda z, y: np.minimum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z))), "min(z, 0) stands"),
    (checks.stable_loss, lambda z, y: np.maximum(z, 0) - z * y, "log(1 + exp(-|z|)) is missing"),
    (checks.stable_loss, lambda z, y: np.maximum(z, 0) - z * y + np.log1p(np.exp(np.abs(z))), "needs the minus sign"),
    (checks.stable_loss, lambda z, y: z - z * y + np.log1p(np.exp(-np.abs(z))), "should be max(z, 0)"),
    (checks.stable_loss, lambda z, y: (sigma(z) - y) ** 2, "squared error"),
    (checks.stable_loss, lambda z, y: sigma(z) - y, "that is the slope"),
    (checks.stable_loss, lambda z, y: np.maximum(0, 1 - (2 * y - 1) * z), "hinge"),
    (checks.stable_loss, lambda z, y: stable(z, y) / z.size, "divided by their number"),
    (checks.stable_loss, lambda z, y: np.full_like(z, stable(z, y).mean()), "that is the mean"),
    (checks.stable_loss, lambda z, y: -y * np.log(z) - (1 - y) * np.log(1 - z), "it is a logit"),
    (checks.stable_loss, lambda z, y: np.logaddexp(0, (1 - 2 * y) * z), "0 or 1"),
    (checks.stable_loss, by_symmetry, "two numbers that are nearly equal are subtracted"),
    (checks.stable_loss, early_threshold, "nearly right"),
    (checks.stable_loss, lambda z, y: stable(np.clip(z, -500, 500), y), "the loss never exceeds 500"),
    (checks.stable_loss, lambda z, y: np.nan_to_num(naive(z, y)), "log is infinite"),
    (checks.stable_loss, as_in_float32, "you compute in float32"),
    (checks.stable_loss, in_place_z, "changes z or y"),
    (checks.stable_loss, one_row, "in two rows of three they are not"),
    (checks.stable_loss, lambda z, y: np.round(stable(z, y), 4), "nearly right"),
    (checks.stable_loss, lambda z, y: ["low"] * len(z), "you return a list of length 2"),
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
    (
        checks.stable_loss,
        lambda z, y: np.maximum(z, 0) - z * y + np.log(1 + np.exp(-np.abs(z))),
        "a tiny loss comes out as 0",
    ),
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
