"""Right and wrong answers to the exercise of lesson 00."""

import numpy as np

from babyagi_lib import checks


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


RETURNS = {checks.cosine: "number"}
CASES = [(checks.cosine, right), (checks.cosine, by_hand)]
MUTANTS = [
    (checks.cosine, product_only, "divide it by both lengths"),
    (checks.cosine, squares, "a length is a square root"),
    (checks.cosine, one_length, "one vector only"),
    (checks.cosine, distance, "that is a distance"),
    (checks.cosine, no_sign, "the sign is wrong"),
    (checks.cosine, euclidean, "divided by the product of their lengths"),
    (checks.cosine, elementwise, "of shape (2,)"),
    (checks.cosine, in_place, "changes the vectors"),
    (checks.cosine, nothing, "returns nothing"),
    (checks.cosine, constant, "divided by the product of their lengths"),
    (checks.cosine, text, "cannot use what your code returned"),
]
