"""Sums and averages that are exact and rounded once, whatever the order of the values (rule 5).

The standard library only: the reader imports this.
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
    """The exact sum of doubles, rounded once; NaN and infinities as IEEE addition has them."""
    if not values:
        return None
    try:
        return math.fsum(values) + 0.0  # no sign on a zero
    except ValueError:  # inf and -inf
        return math.nan
    except OverflowError:  # on the way only, or for good
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
    """Doubles whose exact sum is that of the values: the rounded sum, and what it left out, until nothing is left.

    The sum alone where it is not finite. ValueError for both infinities, OverflowError for sums beyond a double.
    """
    parts = [math.fsum(values)]
    if math.isfinite(parts[0]):
        rest = [*values, -parts[0]]
        while left := math.fsum(rest):  # mostly little is
            parts.append(left)
            rest.append(-left)
    return parts


def _special(values: Values) -> float | None:
    """The sum where a NaN or an infinity decides it."""
    special = [v for v in values if not math.isfinite(v)]
    return float(sum(special)) if special else None


def _whole(values: Values) -> int:
    """The exact sum of finite doubles as a number of 1 / _SCALED."""
    total = 0
    for value in values:
        above, below = value.as_integer_ratio()
        total += above * (_SCALED // below)
    return total


def ratio(above: int, below: int) -> float:
    """The quotient rounded once, infinite where it is too large for a double."""
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
