"""Arithmetic that SQLite has otherwise: where the result would be NaN it has NULL, and here it is an error."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from asknown.engines.sqlite.aggregates import not_a_number
from asknown.errors import AsknownError

Number = int | float


def add_floats(left: Number | None, right: Number | None) -> float | None:
    return None if left is None or right is None else _sure(float(left) + float(right), "sum", left, right)


def sub_floats(left: Number | None, right: Number | None) -> float | None:
    return None if left is None or right is None else _sure(float(left) - float(right), "difference", left, right)


def mul_floats(left: Number | None, right: Number | None) -> float | None:
    return None if left is None or right is None else _sure(float(left) * float(right), "product", left, right)


def divide(left: Number | None, right: Number | None) -> float | None:
    """A quotient as floats have it."""
    if left is None or right is None:
        return None
    above, below = float(left), float(right)
    if below == 0:
        if above == 0:
            raise not_a_number("quotient of 0 and 0")
        return math.copysign(math.inf, above) * math.copysign(1.0, below)
    return _sure(above / below, "quotient", left, right)


def divide_whole(left: Number | None, right: Number | None) -> Number | None:
    """A quotient without its fraction; of integers exactly."""
    if left is None or right is None:
        return None
    if right == 0:
        raise AsknownError("engine", f"division by zero: {left} // {right}")
    if isinstance(left, int) and isinstance(right, int):
        whole = abs(left) // abs(right)
        return whole if (left < 0) == (right < 0) else -whole
    return float(math.trunc(left / right))


def remainder(left: Number | None, right: Number | None) -> Number | None:
    """What a whole division leaves, with the sign of ``left``."""
    if left is None or right is None:
        return None
    if right == 0:
        raise AsknownError("engine", f"division by zero: {left} % {right}")
    if isinstance(left, int) and isinstance(right, int):
        return int(math.copysign(1, left)) * (abs(left) % abs(right))
    return math.fmod(left, right)


def square_root(number: Number | None) -> float | None:
    if number is None:
        return None
    if number < 0:
        raise not_a_number(f"square root of {number}")
    return math.sqrt(number)


def logarithm(number: Number | None) -> float | None:
    return _logarithm(number, math.log)


def logarithm10(number: Number | None) -> float | None:
    return _logarithm(number, math.log10)


def logarithm_to(base: Number | None, number: Number | None) -> float | None:
    """The logarithm to the base 2 or 10."""
    if base is None:
        return None
    if base not in (2, 10):
        raise AsknownError("engine", f"no logarithm to the base {base} on SQLite", hint="write ln(x) / ln(base)")
    return _logarithm(number, math.log2 if base == 2 else math.log10)


def power_of(base: Number | None, exponent: Number | None) -> float | None:
    if base is None or exponent is None:
        return None
    try:
        return math.pow(base, exponent)
    except ValueError:
        if base == 0:
            return math.inf
        raise not_a_number(f"power {exponent} of {base}") from None
    except OverflowError:
        return math.copysign(math.inf, base) if exponent % 2 == 1 else math.inf


def _logarithm(number: Number | None, take: Callable[[float], float]) -> float | None:
    if number is None:
        return None
    if number < 0:
        raise not_a_number(f"logarithm of {number}")
    return -math.inf if number == 0 else take(number)


def _sure(result: float, what: str, left: Number, right: Number) -> float:
    if math.isnan(result):
        raise not_a_number(f"{what} of {left} and {right}")
    return result


NUMBERS: tuple[tuple[str, int, Callable[..., Any]], ...] = (
    ("add_floats", 2, add_floats),
    ("sub_floats", 2, sub_floats),
    ("mul_floats", 2, mul_floats),
    ("divide", 2, divide),
    ("divide_whole", 2, divide_whole),
    ("remainder", 2, remainder),
    ("square_root", 1, square_root),
    ("logarithm", 1, logarithm),
    ("logarithm10", 1, logarithm10),
    ("logarithm_to", 2, logarithm_to),
    ("power_of", 2, power_of),
)
