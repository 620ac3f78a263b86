"""A calculator for agents: decimal arithmetic by a parser of its own, with limits, and nothing else. Used by lesson 14.

The text is parsed by Python's `ast`, and each node is computed here. What is not in the list of allowed nodes is refused:
names, calls, attributes and text never run. Numbers and powers have limits, so that no short text asks for a long computation.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from decimal import Context, Decimal, InvalidOperation, Overflow

LONGEST = 200  # characters of an expression
DEEPEST = 30  # operations inside each other
LARGEST = Decimal(10) ** 15  # of any result, without its sign
LARGEST_POWER = 50
MOST_DECIMALS = 100  # of any result: to write 1e-999999999 out takes a gigabyte

_EXACT = Context(prec=40, traps=[InvalidOperation, Overflow])
_TWO: dict[type, Callable[[Decimal, Decimal], Decimal]] = {
    ast.Add: _EXACT.add,
    ast.Sub: _EXACT.subtract,
    ast.Mult: _EXACT.multiply,
    ast.Div: _EXACT.divide,
    ast.Pow: _EXACT.power,
}
_ONE: dict[type, Callable[[Decimal], Decimal]] = {ast.UAdd: _EXACT.plus, ast.USub: _EXACT.minus}


def calculate(expression: str) -> Decimal:
    """The value of an expression of numbers, + - * / **, and brackets.

    Sums of amounts are exact: 0.10 + 0.20 is 0.30.

    Raises:
        ValueError: the expression has anything else in it, divides by zero, or is larger than the limits.
    """
    if not isinstance(expression, str) or len(expression) > LONGEST:
        raise ValueError(f"an expression is a text of at most {LONGEST} characters")
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise ValueError(f"{expression!r} is no expression") from error
    return _value(tree.body, expression, DEEPEST)


def _value(node: ast.expr, expression: str, left: int) -> Decimal:
    """The value of one node; `left` more may be inside each other."""
    if left == 0:
        raise ValueError(f"more than {DEEPEST} operations inside each other")
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        written = ast.get_source_segment(expression.strip(), node) or ""
        try:
            found = Decimal(written.replace("_", ""))  # as it is written: 12.50 keeps its last digit
        except InvalidOperation as error:
            raise ValueError(f"{written!r} is no decimal number") from error
    elif isinstance(node, ast.UnaryOp) and type(node.op) in _ONE:
        found = _ONE[type(node.op)](_value(node.operand, expression, left - 1))
    elif isinstance(node, ast.BinOp) and type(node.op) in _TWO:
        first, second = (_value(part, expression, left - 1) for part in (node.left, node.right))
        if isinstance(node.op, ast.Div) and second == 0:
            raise ValueError("division by zero")
        if isinstance(node.op, ast.Pow):
            if abs(second) > LARGEST_POWER or second != int(second):
                raise ValueError(f"a power must be a whole number of at most {LARGEST_POWER}")
            if first == 0 and second <= 0:
                raise ValueError("0 to a power that is not above 0")
        try:
            found = _TWO[type(node.op)](first, second)
        except (InvalidOperation, Overflow) as error:
            raise ValueError(f"{expression!r} has no value") from error
    else:
        raise ValueError(f"only numbers, + - * / ** and brackets are allowed; found {type(node).__name__}")
    if not found.is_finite() or abs(found) > LARGEST:
        raise ValueError(f"a number larger than {LARGEST:.0e}")
    if int(found.as_tuple().exponent) < -MOST_DECIMALS:
        raise ValueError(f"a number with more than {MOST_DECIMALS} decimals")
    return found
