"""Arithmetic and rounding of the operations of expressions, with the engine's result to the bit."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Context, Decimal
from typing import Any

from asknown.types import SqlType
from asknown.values import maths
from asknown.values.errors import EvaluationError

Function = Callable[..., Any]

WIDE = Context(prec=200)


def arithmetic(operation: str) -> Callable[[SqlType, list[SqlType]], Function]:
    """The operation on numbers of a type. An integer or decimal out of its type's range is an error."""

    def choose(kind: SqlType, _: list[SqlType]) -> Function:
        if kind.kind == "float":
            return _FLOATS[operation]
        plain = (_DECIMALS if kind.kind == "decimal" else _INTEGERS)[operation]
        check = checked(kind)
        return lambda *operands: check(plain(*operands))

    return choose


def checked(kind: SqlType) -> Function:
    """A function that returns an integer or decimal unchanged, and raises an error if this type cannot hold it."""
    if kind.kind == "decimal":
        low, high = -(Decimal(10) ** (kind.precision - kind.scale)), Decimal(10) ** (kind.precision - kind.scale)

        def check_decimal(value: Decimal) -> Decimal:
            if low < value < high:
                return value if value else value.copy_abs()  # a decimal zero has no sign
            raise EvaluationError(f"{value} is out of the range of {kind}")

        return check_decimal
    least = -(2 ** (kind.bits - 1)) if kind.signed else 0
    most = 2 ** (kind.bits - kind.signed) - 1

    def check(value: int) -> int:
        if least <= value <= most:
            return value
        raise EvaluationError(f"{value} is out of the range of {kind}")

    return check


def _divide(a: float, b: float) -> float:
    if b:
        return a / b
    if not a or a != a:  # noqa: PLR0124
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)


def _divide_whole(a: int, b: int) -> int:
    """The quotient of whole numbers, rounded towards zero."""
    if not b:
        raise EvaluationError(f"{a} // 0")
    whole = abs(a) // abs(b)
    return whole if (a < 0) == (b < 0) else -whole


def _remainder(a: int, b: int) -> int:
    """The remainder, with the sign of the dividend."""
    if not b:
        raise EvaluationError(f"{a} % 0")
    left = abs(a) % abs(b)
    return -left if a < 0 else left


def _remainder_floats(a: float, b: float) -> float:
    return math.nan if math.isinf(a) or not b else math.fmod(a, b)


_INTEGERS: dict[str, Function] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "//": _divide_whole,
    "%": _remainder,
    "negative": lambda a: -a,
    "abs": abs,
}
_FLOATS: dict[str, Function] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": _divide,
    "%": _remainder_floats,
    "negative": lambda a: -a,
    "abs": abs,
}
_DECIMALS: dict[str, Function] = {
    "+": WIDE.add,
    "-": WIDE.subtract,
    "*": WIDE.multiply,
    "negative": lambda a: WIDE.subtract(0, a),  # no zero with a sign
    "abs": WIDE.abs,
}


# ---------------------------------------------------------------- rounding


def _round(value: float) -> float:
    """The nearest whole number; halves are rounded away from zero."""
    if not math.isfinite(value) or abs(value) >= 2**52:
        return value
    whole = math.floor(abs(value))
    return math.copysign(float(whole + (abs(value) - whole >= 0.5)), value)


def _round_places(value: float, places: int) -> float:
    """``round(value * power) / power`` for a power of ten, each step in doubles, as in the SQL that we emit."""
    power = 10.0**places
    rounded = _round(value * power) / power
    return rounded if math.isfinite(rounded) else value


def _floor(value: float) -> float:
    return math.copysign(float(math.floor(value)), value) if math.isfinite(value) else value


def _ceil(value: float) -> float:
    return math.copysign(float(math.ceil(value)), value) if math.isfinite(value) else value


def sqrt(value: float) -> float:
    """The square root; NaN below zero."""
    return math.nan if value < 0 else math.sqrt(value)


def rounding(name: str) -> Callable[[SqlType, list[SqlType]], Function]:
    """``round``, ``floor``, ``ceil`` or ``trunc`` of floats and decimals."""

    def choose(kind: SqlType, types: list[SqlType]) -> Function:
        if types[0].kind == "decimal":
            return maths.decimal_rounding(name, kind.scale)
        if name == "round" and len(types) > 1:
            return _round_places
        return {"round": _round, "floor": _floor, "ceil": _ceil, "trunc": maths.truncate}[name]

    return choose
