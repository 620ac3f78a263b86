"""Right and wrong answers to the exercise of lesson 00."""

import math

import numpy as np
import scipy.spatial.distance
import torch
from sklearn.metrics.pairwise import cosine_similarity

from babyagi_lib.learner.checks import start_here as checks


def right(a, b):
    return a @ b / (np.linalg.norm(a) * np.linalg.norm(b))


def by_hand(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True)) / (sum(a**2) ** 0.5 * sum(b**2) ** 0.5)


def product_only(a, b):
    return a @ b


def squares(a, b):
    return a @ b / ((a @ a) * (b @ b))


def one_length(a, b):
    return a @ b / np.linalg.norm(a)


def distance(a, b):
    return 1 - right(a, b)


def no_sign(a, b):
    return abs(right(a, b))


def euclidean(a, b):
    return np.linalg.norm(a - b)


def elementwise(a, b):
    return a * b / (np.linalg.norm(a) * np.linalg.norm(b))


def in_place(a, b):
    a /= np.linalg.norm(a)
    b /= np.linalg.norm(b)
    return a @ b


def nothing(a, b):
    right(a, b)


def constant(a, b):
    return 1.0


def text(a, b):
    return "close"


def brackets_missing(a, b):
    return a @ b / np.linalg.norm(a) * np.linalg.norm(b)


def rounded(a, b):
    return round(float(right(a, b)), 2)


def rounded_to_six(a, b):
    return round(float(right(a, b)), 6)


def rounded_in_numpy(a, b):
    return np.round(right(a, b), 3)


def as_percent(a, b):
    return 100 * right(a, b)


def with_math(u, v):
    """Loops and `math`, in plain floats."""
    product = 0.0
    for x, y in zip(u.tolist(), v.tolist(), strict=True):
        product += x * y
    return product / math.sqrt(sum(x * x for x in u.tolist()) * sum(y * y for y in v.tolist()))


def in_torch(a, b):
    return torch.cosine_similarity(torch.tensor(a), torch.tensor(b), dim=0)


def in_float32(a, b):
    return torch.cosine_similarity(torch.tensor(a).float(), torch.tensor(b).float(), dim=0).item()


def with_scikit_learn(a, b):
    return cosine_similarity(a[None], b[None])


def with_scipy(x, y):
    return 1 - scipy.spatial.distance.cosine(x, y)


def units_first(a, b):
    return np.inner(a / np.linalg.norm(a), b / np.linalg.norm(b))


def with_a_tiny_epsilon(a, b):
    """Often seen, against a division by 0; the error is 1e-9."""
    return a @ b / (np.linalg.norm(a) * np.linalg.norm(b) + 1e-8)


def law_of_cosines(a, b):
    return (a @ a + b @ b - (a - b) @ (a - b)) / (2 * math.sqrt((a @ a) * (b @ b)))


def clipped_to_its_range(a, b):
    return np.clip(right(a, b), -1.0, 1.0)


TOO_SMALL_FOR_FLOAT32 = [rounded_to_six]
RETURNS = {checks.cosine: "number"}
CASES = [
    (checks.cosine, right),
    (checks.cosine, by_hand),
    (checks.cosine, with_math),
    (checks.cosine, in_torch),
    (checks.cosine, in_float32),
    (checks.cosine, with_scikit_learn),
    (checks.cosine, with_scipy),
    (checks.cosine, units_first),
    (checks.cosine, with_a_tiny_epsilon),
    (checks.cosine, law_of_cosines),
    (checks.cosine, clipped_to_its_range),
    (checks.cosine, lambda a, b: np.cos(np.arccos(np.clip(right(a, b), -1, 1)))),
    (checks.cosine, lambda a, b: np.einsum("i,i", a, b) / np.sqrt(np.einsum("i,i", a, a) * np.einsum("i,i", b, b))),
]
MUTANTS = [
    (checks.cosine, product_only, "divide it by both lengths"),
    (checks.cosine, brackets_missing, "in brackets"),
    (checks.cosine, rounded, "you round to 2 decimals"),
    (checks.cosine, rounded_to_six, "you round to 6 decimals"),
    (checks.cosine, rounded_in_numpy, "you round to 3 decimals"),
    (checks.cosine, squares, "a length is a square root"),
    (checks.cosine, one_length, "one vector only"),
    (checks.cosine, lambda a, b: a @ b / np.linalg.norm(b), "one vector only"),
    (checks.cosine, lambda a, b: a @ b / (a @ a), "the square of one length"),
    (checks.cosine, lambda a, b: a @ b / np.linalg.norm(b) ** 2, "the square of one length"),
    (checks.cosine, lambda a, b: a @ b / (np.linalg.norm(a) + np.linalg.norm(b)), "add the two lengths"),
    (checks.cosine, lambda a, b: a @ b / np.sqrt(sum(a**2) + sum(b**2)), "the sum of the two squared lengths"),
    (checks.cosine, lambda a, b: a @ b / (sum(abs(a)) * sum(abs(b))), "absolute entries"),
    (checks.cosine, lambda a, b: a @ b / (len(a) * len(b)), "counts the entries"),
    (checks.cosine, lambda a, b: np.mean(a * b), "mean of the products"),
    (checks.cosine, lambda a, b: np.corrcoef(a, b)[0, 1], "a correlation"),
    (checks.cosine, distance, "that is a distance"),
    (checks.cosine, euclidean, "that is a distance"),
    (checks.cosine, lambda a, b: (1 + right(a, b)) / 2, "range from 0 to 1"),
    (checks.cosine, lambda a, b: np.arccos(np.clip(right(a, b), -1, 1)), "that is the angle"),
    (checks.cosine, lambda a, b: np.degrees(np.arccos(np.clip(right(a, b), -1, 1))), "that is the angle"),
    (checks.cosine, no_sign, "the sign is wrong"),
    (checks.cosine, lambda a, b: -right(a, b), "the sign is wrong"),
    (checks.cosine, lambda a, b: max(0.0, right(a, b)), "cut negative cosines off"),
    (checks.cosine, lambda a, b: right(a, b) ** 2, "square of the cosine"),
    (checks.cosine, lambda a, b: right(a[:2], b[:2]), "only the first two entries"),
    (checks.cosine, lambda a, b: (a[:2] @ b[:2]) / np.linalg.norm(a) / np.linalg.norm(b), "only the first two entries"),
    (checks.cosine, lambda a, b: np.linalg.norm(a) * np.linalg.norm(b), "product of the lengths"),
    (checks.cosine, as_percent, "divided by the product of their lengths"),
    (checks.cosine, lambda a, b: 0.8, "divided by the product of their lengths"),
    (checks.cosine, lambda a, b: a @ b // (np.linalg.norm(a) * np.linalg.norm(b)), "product of their lengths"),
    (checks.cosine, lambda a, b: np.nan, "divided by 0"),
    (checks.cosine, elementwise, "return one number; you return 2 numbers"),
    (checks.cosine, lambda a, b: np.outer(a, b) / (np.linalg.norm(a) * np.linalg.norm(b)), "you return 4 numbers"),
    (checks.cosine, in_place, "changes the vectors"),
    (checks.cosine, nothing, "returns nothing"),
    (checks.cosine, constant, "divided by the product of their lengths"),
    (checks.cosine, text, "return one number; you return the str 'close'"),
    (checks.cosine, lambda a, b: right(a, b) > 0.5, "only says yes or no"),
    (checks.cosine, lambda a, b: f"{right(a, b):.2f}", "you return the str '0.80'"),
    (checks.cosine, lambda a, b: {"cosine": right(a, b)}, "a dict of length 1"),
    (checks.cosine, lambda a, b: complex(right(a, b)), "the complex"),
]
