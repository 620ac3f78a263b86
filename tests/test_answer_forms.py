"""Every check takes a right answer in any form, and refuses a wrong one in single precision, too.

Each module of `mutants` says in `RETURNS`, one line per check, which kind of thing its function returns; FORMS below says how
else the same thing may be returned. Nothing here is about one check.
"""

import functools
from collections import deque
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch
from test_checks import ANSWERS, CASES, MUTANTS

RETURNS = {check: kind for lesson in ANSWERS for check, kind in getattr(lesson, "RETURNS", {}).items()}


def as_tensor(values):
    return values.detach() if isinstance(values, torch.Tensor) else torch.as_tensor(np.asarray(values))


def as_array(values):
    return as_tensor(values).numpy()


def not_contiguous(values):
    """The same numbers in every second place of a larger array."""
    values = as_array(values)
    spread = np.zeros([2 * size for size in values.shape], values.dtype)
    view = spread[tuple(slice(None, None, 2) for _ in values.shape)]
    view[...] = values
    return view


def read_only(values):
    values = as_array(values).copy()
    values.setflags(write=False)
    return values


def tensor_not_contiguous(values):
    values = as_tensor(values)
    return torch.stack([values, values], dim=-1)[..., 0]


FLOATS = {
    "float64": lambda x: as_array(x).astype(np.float64),
    "float32": lambda x: as_array(x).astype(np.float32),
    "longdouble": lambda x: as_array(x).astype(np.longdouble),
    "torch float64": lambda x: as_tensor(x).double(),
    "torch float32": lambda x: as_tensor(x).float(),
    "torch, with a gradient": lambda x: as_tensor(x).double().requires_grad_(),
}
ARRAYS = {
    "list": lambda x: as_array(x).tolist(),
    "tuple": lambda x: tuple(as_array(x).tolist()),
    "array of objects": lambda x: as_array(x).astype(object),
    "list of rows": lambda x: list(as_array(x)),
    "list of tensors": lambda x: list(as_tensor(x)),
    "Fortran order": lambda x: np.asfortranarray(as_array(x)),
    "not contiguous": not_contiguous,
    "read-only": read_only,
    "torch": as_tensor,
    "torch, not contiguous": tensor_not_contiguous,
}


def in_pairs(forms):
    """Each form, applied to both parts of an answer in two parts."""
    return {name: lambda pair, form=form: tuple(form(part) for part in pair) for name, form in forms.items()}


INTEGERS = {
    "int64": lambda x: np.array(x, dtype=np.int64),
    "int32": lambda x: np.array(x, dtype=np.int32),
    "torch int64": lambda x: torch.as_tensor(np.asarray(x)).long(),
    "torch int32": lambda x: torch.as_tensor(np.asarray(x)).int(),
    "list": lambda x: np.asarray(x).tolist(),
    "tuple": lambda x: tuple(np.asarray(x).tolist()),
    "list of NumPy integers": lambda x: list(np.asarray(x)),
}
FORMS = {
    # one number
    "number": FLOATS
    | {
        "float": lambda x: as_array(x).item(),
        "Decimal": lambda x: Decimal(as_array(x).item()),
        "Fraction": lambda x: Fraction(as_array(x).item()) if np.isfinite(as_array(x)).all() else as_array(x).item(),
        "NumPy float64": lambda x: np.float64(as_array(x).item()),
        "NumPy float32": lambda x: np.float32(as_array(x).item()),
        "float from float32": lambda x: float(np.float32(as_array(x).item())),
        "0-d array": lambda x: np.array(as_array(x).item()),
        "array of one": lambda x: as_array(x).reshape(1),
        "torch, one entry": lambda x: as_tensor(x).reshape(1),
    },
    # numbers of some shape, each in the precision that it was computed in, or in single precision
    "array": FLOATS | ARRAYS,
    # a loss: one number through which a gradient flows back, so a torch tensor that stays in the graph
    "differentiable number": {
        "float64": lambda x: x.double(),
        "float32": lambda x: x.float(),
        "one entry": lambda x: x.reshape(1),
        "one entry in two dimensions": lambda x: x.reshape(1, 1),
        "not contiguous": lambda x: torch.stack([x, x], dim=-1)[..., 0],
    },
    # yes and no
    "booleans": ARRAYS,
    # whole numbers in a row
    "integers": INTEGERS,
    # two rows of whole numbers, such as support and query
    "pair of integers": in_pairs(INTEGERS) | {"list of two": list},
    # words in a row
    "names": {
        "list": list,
        "tuple": tuple,
        "array": lambda x: np.array(list(x)),
        "array of objects": lambda x: np.array(list(x), dtype=object),
        "list of NumPy strings": lambda x: list(np.array(list(x))),
    },
    # things in a row, such as (type, start, end)
    "rows": {
        "list of lists": lambda x: [list(row) for row in x],
        "tuple": lambda x: tuple(tuple(row) for row in x),
        "iterator": lambda x: iter([tuple(row) for row in x]),
        "deque": lambda x: deque(tuple(row) for row in x),
        "with NumPy integers": lambda x: [tuple(np.int64(v) if isinstance(v, int) else v for v in row) for row in x],
    },
    # a module; the forms of the function itself, below, are what can vary
    "module": {"in training mode": lambda module: module.train()},
    # whatever: the answer is what the function does to its argument
    "in place": {
        "nothing": lambda _: None,
        "True": lambda _: True,
        "0-d array": lambda _: np.array(0.0),
        "tensor": lambda _: torch.zeros(3),
    },
}


def returning(answer, form):
    return lambda *given: form(answer(*given))


class Called:
    def __init__(self, answer):
        self.answer = answer

    def __call__(self, *given):
        return self.answer(*given)

    def method(self, *given):
        return self.answer(*given)


FUNCTIONS = {
    "a lambda": lambda answer: lambda *given: answer(*given),
    "a partial function": functools.partial,
    "an object with __call__": Called,
    "a method": lambda answer: Called(answer).method,
    "decorated": lambda answer: functools.wraps(answer)(lambda *given: answer(*given)),
    "a partial function with an option": lambda answer: functools.partial(
        lambda *given, answer: answer(*given), answer=answer
    ),
}


def label(value):
    return getattr(value, "__name__", str(value)).strip("<>")


def test_every_check_says_what_its_function_returns():
    assert set(RETURNS) == {check for check, _ in CASES}
    assert set(RETURNS.values()) <= set(FORMS)


@pytest.mark.parametrize(
    ("check", "form"), [(check, form) for check in RETURNS for form in FORMS[RETURNS[check]]], ids=label
)
def test_a_right_answer_in_any_form_is_correct(check, form):
    for case, solution in CASES:
        if case is check:
            verdict = check(returning(solution, FORMS[RETURNS[check]][form]))
            assert verdict.status == "correct", f"{label(solution)}: {verdict.message}"


@pytest.mark.parametrize("check", RETURNS, ids=label)
@pytest.mark.parametrize("form", FUNCTIONS)
def test_a_right_answer_from_any_kind_of_function_is_correct(check, form):
    solution = next(solution for case, solution in CASES if case is check)
    verdict = check(FUNCTIONS[form](solution))
    assert verdict.status == "correct", verdict.message


TOO_SMALL = [mutant for lesson in ANSWERS for mutant in getattr(lesson, "TOO_SMALL_FOR_FLOAT32", ())]
SINGLE = [
    (check, mutant, said)
    for check, mutant, said in MUTANTS
    if RETURNS.get(check) in ("number", "array") and mutant not in TOO_SMALL
]


@pytest.mark.parametrize(("check", "mutant", "said"), SINGLE, ids=label)
def test_a_wrong_answer_in_single_precision_is_told_what_is_wrong(check, mutant, said):
    """A tolerance that fits float32 lets no mistake through, and hides none behind rounding."""

    def single(*given):
        found = mutant(*given)
        if isinstance(found, torch.Tensor):
            return found.float()
        numbers = isinstance(found, float | np.floating | np.ndarray) and np.asarray(found).dtype.kind == "f"
        return np.asarray(found, np.float32) if numbers else found

    verdict = check(single)
    assert verdict.status == "not yet"
    assert said in verdict.message
