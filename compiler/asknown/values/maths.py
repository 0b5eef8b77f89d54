"""Functions of doubles and decimals, with the engine's results to the bit. The standard library only.

The engine calls the machine's C library, as Python does. Where Python raises an error, the engine gives what IEEE 754
says: infinity or NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal

_WIDE = Context(prec=200)


def logarithm(function: Callable[[float], float]) -> Callable[[float], float]:
    """A logarithm: -inf of both zeros, NaN of negative numbers."""

    def compute(x: float) -> float:
        if x > 0:
            return function(x)
        return -math.inf if x == 0 else math.nan

    return compute


def nan_outside(function: Callable[[float], float]) -> Callable[[float], float]:
    """A function that is NaN outside its domain."""

    def compute(x: float) -> float:
        try:
            return function(x)
        except ValueError:
            return math.nan

    return compute


def exponential(x: float) -> float:
    """e to the power of x; inf beyond the largest double."""
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def power(x: float, y: float) -> float:
    """x to the power of y, as C's pow()."""
    try:
        return math.pow(x, y)
    except ValueError:  # a negative number to a fraction, or zero to a negative number
        if x:
            return math.nan
        return math.copysign(math.inf, x) if _is_odd(y) else math.inf
    except OverflowError:
        return -math.inf if x < 0 and _is_odd(y) else math.inf


def _is_odd(y: float) -> bool:
    return math.isfinite(y) and y % 2 == 1


def sign(x: float | Decimal) -> int:
    """-1, 0 or 1; 0 of NaN."""
    return (x > 0) - (x < 0)


def truncate(x: float) -> float:
    """x without its fraction, towards zero; a zero keeps the sign."""
    return math.copysign(float(math.trunc(x)), x) if math.isfinite(x) else x


_ROUNDINGS = {"round": ROUND_HALF_UP, "floor": ROUND_FLOOR, "ceil": ROUND_CEILING, "trunc": ROUND_DOWN}


def decimal_rounding(name: str, scale: int) -> Callable[[Decimal], Decimal]:
    """The function that rounds a decimal to ``scale`` places; halves go away from zero."""
    unit, rounding = Decimal((0, (1,), -scale)), _ROUNDINGS[name]

    def compute(x: Decimal) -> Decimal:
        rounded = x.quantize(unit, rounding=rounding, context=_WIDE)
        return rounded if rounded else rounded.copy_abs()

    return compute


DOUBLES: dict[str, Callable[..., float]] = {
    "ln": logarithm(math.log),
    "log10": logarithm(math.log10),
    "log2": logarithm(math.log2),
    "exp": exponential,
    "pow": power,
    "cbrt": math.cbrt,
    "degrees": math.degrees,
    "radians": math.radians,
    "atan": math.atan,
    "atan2": math.atan2,
    **{name: nan_outside(getattr(math, name)) for name in ("sin", "cos", "tan", "asin", "acos")},
}
"""Functions of one or two doubles, by their names."""
