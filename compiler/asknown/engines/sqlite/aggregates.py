"""The aggregates that asknown brings to an SQLite connection.

NULLs are skipped. Sums and averages of floats are exact and rounded once. Those that depend on an order take it as
further arguments, the keys to order by, NULLs lowest.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from decimal import Context, Decimal
from fractions import Fraction
from itertools import chain
from typing import Any

from asknown.errors import AsknownError

Values = Sequence[Any]
Keep = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Wraps a function so that what it raises is kept."""

_WIDE = Context(prec=100)


def _collecting(finish: Callable[..., Any]) -> Callable[[Keep], type]:
    """The aggregate over the values of its first argument; the others are the same in every row."""

    def build(keep: Keep) -> type:
        finished = keep(finish)

        class Collecting:
            def __init__(self) -> None:
                self.values: list[Any] = []
                self.settings: tuple[Any, ...] = ()

            def step(self, value: Any, *settings: Any) -> None:
                if value is not None:
                    self.values.append(value)
                    self.settings = settings

            def finalize(self) -> Any:
                return finished(self.values, *self.settings) if self.values else None

        return Collecting

    return build


def _sum(values: Values) -> float:
    try:
        return math.fsum(values) + 0.0  # no sign on a zero
    except ValueError:
        raise not_a_number("sum of inf and -inf") from None
    except OverflowError:  # on the way only, or for good
        return _ratio(_exact(values))


def _average(values: Values) -> float:
    if all(type(value) is int for value in values):
        return _ratio(Fraction(sum(values), len(values)))
    try:
        parts = [math.fsum(values)]
        if math.isinf(parts[0]):
            return parts[0]
        # What the rounded sum left out, until nothing is left.
        while left := math.fsum(chain(values, [-part for part in parts])):
            parts.append(left)
    except ValueError:
        raise not_a_number("average of inf and -inf") from None
    except OverflowError:
        return _ratio(_exact(values) / len(values))
    return _ratio(_exact(parts) / len(values))


def not_a_number(what: str) -> AsknownError:
    return AsknownError("engine", f"the {what} is NaN, which SQLite does not have")


def _exact(values: Values) -> Fraction:
    return sum(map(Fraction, values), Fraction(0))


def _ratio(number: Fraction) -> float:
    try:
        return number.numerator / number.denominator
    except OverflowError:
        return math.copysign(math.inf, number)


def _decimals(values: Values) -> Decimal:
    total = Decimal(0)
    for value in values:
        total = _WIDE.add(total, Decimal(repr(value)))
    return total


def _sum_decimals(values: Values) -> float | int:
    total = _decimals(values)
    if len(total.normalize(_WIDE).as_tuple().digits) > 15:
        raise AsknownError("engine", f"the sum {total} has more digits than SQLite keeps of a decimal")
    return int(total) if total == total.to_integral_value() else float(total)


def _average_decimals(values: Values) -> float:
    above, below = _decimals(values).as_integer_ratio()
    return above / (below * len(values))


def _variance(values: Values, less: int) -> float | None:
    """The sum of squared distances from the mean, over ``len(values) - less``; in two passes, so that it is stable."""
    count = len(values)
    if count <= less:
        return None
    if count == 1:
        return 0.0
    floats = [float(value) for value in values]
    if any(map(math.isinf, floats)):
        raise not_a_number("variance of inf")
    mean = _average(floats)
    apart = [value - mean for value in floats]
    try:
        rounding = math.fsum(apart)  # the mean was rounded, so this is not quite zero
        squares = math.fsum(distance * distance for distance in apart) - rounding * rounding / count
    except OverflowError:
        return math.inf
    return max(squares, 0.0) / (count - less)


def _deviation(values: Values, less: int) -> float | None:
    variance = _variance(values, less)
    return None if variance is None else math.sqrt(variance)


def _continuous(values: Values, share: float = 0.5) -> Any:
    """The point ``share`` of the way through the sorted values, between two of them where it lies there."""
    if not isinstance(values[0], int | float):  # of texts, one of them
        return _discrete(values, share)
    ordered = sorted(values)
    place = (len(ordered) - 1) * share
    below = math.floor(place)
    return _blend(float(ordered[below]), float(ordered[math.ceil(place)]), place - below)


def _blend(low: float, high: float, share: float) -> float:
    if not share:
        return low + 0.0
    right = high * share
    if not (math.isfinite(low) and math.isfinite(right)):
        between = low * (1.0 - share) + right
        if math.isnan(between):
            raise AsknownError("engine", "a quantile between inf and -inf is NaN, which SQLite does not have")
        return between
    return _ratio(Fraction(low) * Fraction(1.0 - share) + Fraction(right))


def _discrete(values: Values, share: float = 0.5) -> Any:
    exact = Fraction(Decimal(repr(share)))  # 0.9 is nine tenths
    chosen = sorted(values)[max(1, math.ceil(exact * len(values))) - 1]
    return chosen + 0.0 if isinstance(chosen, float) else chosen


# ---------------------------------------------------------------- of rows in an order


Row = tuple[Any, tuple[Any, ...]]
"""A value and its place: the keys to order by, ready to compare."""


def _place(keys: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(part for key in keys for part in _part(key))


def _part(key: Any) -> tuple[Any, ...]:
    """A key ready to compare with any other: NULL, numbers, text, blobs, as SQLite orders them."""
    match key:
        case None:
            return (0, 0, 0.0)
        case str():
            return (2, key, 1.0)
        case bytes():
            return (3, key, 1.0)
    return (1, key, math.copysign(1.0, key) if key == 0 else 1.0)


def _choosing(choose: Callable[[Any, Sequence[Any], Any], Any]) -> Callable[[Keep], type]:
    """The aggregate that keeps of its rows what ``choose`` makes of each and what was kept so far."""

    def build(keep: Keep) -> type:
        chosen = keep(choose)

        class Choosing:
            def __init__(self) -> None:
                self.kept: Any = None

            def step(self, value: Any, *keys: Any) -> None:
                if value is not None:
                    self.kept = chosen(value, keys, self.kept)

            def finalize(self) -> Any:
                if self.kept is None or isinstance(self.kept, tuple):
                    return None if self.kept is None else self.kept[0]
                return json.dumps([value for value, _ in sorted(self.kept, key=lambda row: row[1])])

        return Choosing

    return build


def _first(value: Any, keys: Sequence[Any], kept: Row | None) -> Row:
    place = _place((*keys, value))
    return (value, place) if kept is None or place < kept[1] else kept


def _last(value: Any, keys: Sequence[Any], kept: Row | None) -> Row:
    place = _place((*keys, value))
    return (value, place) if kept is None or place > kept[1] else kept


def _greatest(value: Any, keys: Sequence[Any], kept: Row | None) -> Row | None:
    """The value at the greatest first key; of those that tie, the last by the other keys."""
    if keys[0] is None:
        return kept
    return _last(value, (keys[0] + 0.0 if isinstance(keys[0], float) else keys[0], *keys[1:]), kept)


def _least(value: Any, keys: Sequence[Any], kept: Row | None) -> Row | None:
    by = keys[0]
    if by is None:
        return kept
    least, others = _part(by)[:2], _place((*keys[1:], value))
    if kept is None or least < kept[1][0] or (least == kept[1][0] and others > kept[1][1]):
        return value, (least, others)
    return kept


def _all(value: Any, keys: Sequence[Any], kept: Any) -> Any:
    rows = kept or []
    rows.append((value, _place((*keys, value))))
    return rows


# Names that sqlglot writes for SQLite: its VAR_SAMP is VARIANCE, its MEDIAN PERCENTILE_CONT.
AGGREGATES: tuple[tuple[str, int, Callable[[Keep], type]], ...] = (
    ("fsum", 1, _collecting(_sum)),
    ("favg", 1, _collecting(_average)),
    ("sum_decimal", 1, _collecting(_sum_decimals)),
    ("favg_decimal", 1, _collecting(_average_decimals)),
    ("variance_pop", 1, _collecting(lambda values: _variance(values, 0))),
    ("variance", 1, _collecting(lambda values: _variance(values, 1))),
    ("stddev_pop", 1, _collecting(lambda values: _deviation(values, 0))),
    ("stddev_samp", 1, _collecting(lambda values: _deviation(values, 1))),
    ("percentile_cont", 2, _collecting(_continuous)),
    ("percentile_disc", 2, _collecting(_discrete)),
    ("first_by", -1, _choosing(_first)),
    ("last_by", -1, _choosing(_last)),
    ("value_at_max", -1, _choosing(_greatest)),
    ("value_at_min", -1, _choosing(_least)),
    ("list_by", -1, _choosing(_all)),
)
"""Each aggregate: its name, how many arguments it takes (-1: any number), and what makes its class."""
