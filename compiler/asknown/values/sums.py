"""Computes sums and averages exactly and rounds them once, so the order of the values does not matter (rule 5).

The reader imports this module, so it needs the standard library alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Context, Decimal
from functools import reduce
from typing import Any

Values = Sequence[Any]

_WIDE = Context(prec=100)
_SCALED = 2**1074  # every finite double is a whole number of 1 / 2**1074


def sum_floats(values: Values) -> float | None:
    """The exact sum of doubles, rounded once. NaN and infinities follow IEEE addition."""
    if not values:
        return None
    try:
        return math.fsum(values) + 0.0  # no sign on a zero
    except ValueError:  # inf and -inf
        return math.nan
    except OverflowError:  # in a partial sum only, or in the result
        return _special(values) or ratio(_whole(values), _SCALED)


def mean_floats(values: Values, count: int | None = None) -> float | None:
    """The exact sum of doubles divided by their number, or by ``count``, rounded once."""
    if not values:
        return None
    count = count or len(values)
    try:
        parts = float_parts(values)
    except ValueError:
        return math.nan
    except OverflowError:
        return _special(values) or ratio(_whole(values), _SCALED * count)
    if len(parts) == 1:
        return parts[0] / count + 0.0
    ratios = [part.as_integer_ratio() for part in parts]
    scale = max(below for _, below in ratios)  # all are powers of two
    return ratio(sum(above * (scale // below) for above, below in ratios), scale * count)


def float_parts(values: Values) -> list[float]:
    """Doubles with the same exact sum: the rounded sum, then its error, and so on until no error is left.

    If the sum is not finite, it is the only one. Raises ValueError if both infinities occur, and OverflowError if the
    sum is too large for a double.
    """
    parts = [math.fsum(values)]
    if math.isfinite(parts[0]):
        rest = [*values, -parts[0]]
        while left := math.fsum(rest):  # few values are
            parts.append(left)
            rest.append(-left)
    return parts


def _special(values: Values) -> float | None:
    """The sum if the values have a NaN or an infinity."""
    special = [v for v in values if not math.isfinite(v)]
    return float(sum(special)) if special else None


def _whole(values: Values) -> int:
    """The exact sum of finite doubles, as a multiple of 1 / _SCALED."""
    total = 0
    for value in values:
        above, below = value.as_integer_ratio()
        total += above * (_SCALED // below)
    return total


def ratio(above: int, below: int) -> float:
    """The quotient, rounded once; infinite if it is too large for a double."""
    try:
        return above / below
    except OverflowError:
        return math.inf if above > 0 else -math.inf


def sum_integers(values: Values) -> int | None:
    """The sum of integers, or of booleans as 0 and 1."""
    return sum(values) if values else None


def mean_integers(values: Values, count: int | None = None) -> float | None:
    """The exact sum of integers divided by their number, or by ``count``, rounded once."""
    return sum(values) / (count or len(values)) if values else None


def sum_decimals(values: Values) -> Decimal | None:
    """The exact sum of decimals, in their scale."""
    return reduce(_WIDE.add, values) if values else None


def mean_decimals(values: Values, count: int | None = None) -> float | None:
    """The exact sum of decimals divided by their number, or by ``count``, rounded once."""
    if not values:
        return None
    above, below = reduce(_WIDE.add, values).as_integer_ratio()
    return ratio(above, below * (count or len(values)))
