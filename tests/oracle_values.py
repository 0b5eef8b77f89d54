"""How single values compare and add up: the part of the oracle that knows nothing of rows and views.

Like oracle.py it imports nothing of asknown and nothing but the standard library.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

# --- rule 1: time -----------------------------------------------------------------------------------------------


def microseconds(value: date | datetime) -> int:
    """An instant as whole microseconds in UTC (rule 1). Naive means UTC; a date is its midnight."""
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def instant(microseconds_since_1970: int) -> datetime:
    """The UTC instant that lies so many microseconds after 1970."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds_since_1970)


# --- rule 3: the order of values ----------------------------------------------------------------------------------


def ordered(value: Any) -> tuple[Any, ...]:
    """A value as something Python compares in the order of rule 3: NULL below every value, NaN above every number.

    Text compares by its UTF-8 bytes; lists element by element, where a NULL *inside* a list is above every value.
    """
    if value is None:
        return (0,)
    return (1, _comparable(value))


def _comparable(value: Any) -> Any:
    match value:
        case bool() | int() | Decimal():
            return value
        case float():
            return (1, 0.0) if math.isnan(value) else (0, value)
        case str():
            return value.encode()
        case date():  # datetime is a date too
            return microseconds(value)
        case list():
            return [(1, 0) if item is None else (0, _comparable(item)) for item in value]
    raise TypeError(f"the oracle does not order {type(value).__name__}")


def signs(value: Any) -> Any:
    """The signs of the zeros in a value: the engine's order calls -0.0 and 0.0 equal, but they are two values."""
    if isinstance(value, list):
        return [signs(item) for item in value]
    return math.copysign(1.0, value) if isinstance(value, float) and value == 0 else 0.0


def rank(value: Any) -> tuple[Any, Any]:
    """A value in an order in which no two different values are equal: of two zeros -0.0 is the lower."""
    return ordered(value), signs(value)


def without_sign(value: Any) -> Any:
    """The value, with a zero that has no sign: an extreme of zeros does not say which of them it is."""
    return 0.0 if isinstance(value, float) and value == 0 else value


# --- rule 5: numbers --------------------------------------------------------------------------------------------


def total(values: Sequence[Any]) -> Any:
    """The sum: exact for integers and decimals, the correctly rounded one for floats, as math.fsum."""
    if not isinstance(values[0], float):
        with localcontext(prec=100):
            return sum(values[1:], start=values[0]) if isinstance(values[0], Decimal) else sum(values)
    if not all(map(math.isfinite, values)):
        return sum(value for value in values if not math.isfinite(value))  # NaN, or one infinity, or inf - inf: NaN
    return rounded(sum(map(Fraction, values), start=Fraction(0)))


def average(values: Sequence[Any]) -> float:
    """The exact sum divided by the number of values, rounded once."""
    if not all(map(math.isfinite, values)):
        return float(total(values))
    return rounded(sum(map(Fraction, values), start=Fraction(0)) / len(values))


def variance(values: Sequence[Any], lost: int) -> float | None:
    """The variance without any rounding but the last; ``lost`` is 1 for a sample's, and a sample of one has none.

    One value does not vary, not even a NaN.
    """
    if len(values) == 1:
        return None if lost else 0.0
    if not all(map(math.isfinite, values)):
        return math.nan
    exact = [Fraction(float(value)) for value in values]
    mean = sum(exact, start=Fraction(0)) / len(exact)
    return rounded(sum(((value - mean) ** 2 for value in exact), start=Fraction(0)) / (len(exact) - lost))


def deviation(values: Sequence[Any], lost: int) -> float | None:
    """The standard deviation: the variance's root."""
    squared = variance(values, lost)
    return None if squared is None else math.sqrt(squared)


def interpolated(values: Sequence[Any], fraction: Fraction) -> Any:
    """The value at this share of the way from the least to the greatest, on the line between its two neighbours.

    Integers become floats; decimals keep their digits, what lies behind them is cut off.
    """
    in_order = sorted(values, key=ordered)
    position = (len(in_order) - 1) * float(fraction)
    below, above = math.floor(position), math.ceil(position)
    low, high, part = in_order[below], in_order[above], position - below
    if isinstance(low, Decimal):
        digit = Decimal(1).scaleb(int(low.as_tuple().exponent))
        return int(between(float(low / digit), float(high / digit), part)) * digit if part else low
    return without_sign(between(float(low), float(high), part) if part else float(low))


def between(low: float, high: float, part: float) -> float:
    """``low * (1 - part) + high * part``, rounded as the engine does: the first product not by itself."""
    left, right = 1.0 - part, high * part
    if not (math.isfinite(low) and math.isfinite(right)):
        return low * left + right
    return rounded(Fraction(low) * Fraction(left) + Fraction(right))


def rounded(number: Fraction) -> float:
    """The double next to a number; beyond all doubles, infinity."""
    try:
        return number.numerator / number.denominator  # Python divides integers with one rounding
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def discrete(values: Sequence[Any], fraction: Fraction) -> Any:
    """The first value, in order, up to which at least this share of the values lies."""
    number = max(1, math.ceil(fraction * len(values)))
    return without_sign(sorted(values, key=ordered)[number - 1])


OVER_VALUES: dict[str, Callable[[Sequence[Any]], Any]] = {
    "sum": total,
    "avg": average,
    "min": lambda values: without_sign(min(values, key=ordered)),
    "max": lambda values: without_sign(max(values, key=ordered)),
    "bool_and": all,
    "bool_or": any,
    "var_pop": lambda values: variance(values, 0),
    "var_samp": lambda values: variance(values, 1),
    "stddev_pop": lambda values: deviation(values, 0),
    "stddev_samp": lambda values: deviation(values, 1),
    "median": lambda values: interpolated(values, Fraction(1, 2)),
}
QUANTILES: dict[str, Callable[[Sequence[Any], Fraction], Any]] = {
    "quantile_cont": interpolated,
    "quantile_disc": discrete,
}
