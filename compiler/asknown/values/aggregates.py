"""Computes the aggregates of a trailing window, with exactly the results of the training query (rules 4 and 5).

Each aggregate is a function of the non-NULL values in the window, ordered by (event time, known-at, created-at,
value); arg_min, corr and others of two columns take pairs (value, second). Sums are exact and rounded once. NaN is the
greatest number, and comparisons ignore the sign of zero. The reader imports this module, so it needs the standard
library alone.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from asknown.types import Kind, SqlType
from asknown.values.counts import COUNTED, count_values, counts_finisher
from asknown.values.order import sort_key, sorter
from asknown.values.ordered import (
    FINISH_RUNS,
    Runs,
    drawdown,
    finish_session,
    last_distinct,
    place_of_extreme,
    places_of_extremes,
    runs_of,
    session_of,
)
from asknown.values.sums import (
    Values,
    mean_decimals,
    mean_floats,
    mean_integers,
    ratio,
    sum_decimals,
    sum_floats,
    sum_integers,
)

Finalizer = Callable[[Values], Any]
Second = float | str | None
"""An aggregate's second argument where it is a literal: a quantile's number, or the text between joined values."""
MakeFinalizer = Callable[[SqlType, SqlType | None, Second], Finalizer]

_NUMBERS: frozenset[Kind] = frozenset({"integer", "decimal", "float"})


def finalizer(name: str, kind: SqlType | None, order: SqlType | None = None, second: Second = None) -> Finalizer:
    """The finalizer of this name: a function that takes a window's values of this type and returns the aggregate."""
    if kind is None:
        return len
    return FINALIZERS[name](kind, order, second)


# ---------------------------------------------------------------- spread


def _variance(values: Values, less: int) -> float | None:
    """The sum of squared distances from the mean, divided by ``len(values) - less``. Two passes keep it stable."""
    count = len(values)
    if count <= less:
        return None
    if count == 1:
        return 0.0  # of a NaN or an infinity too, as the engine has it
    floats = [float(v) for v in values]
    mean = mean_floats(floats)
    if mean is None or not math.isfinite(mean):
        return math.nan
    apart = [v - mean for v in floats]
    try:
        rounding = math.fsum(apart)  # the mean was rounded, so this is not quite zero
        squares = math.fsum(d * d for d in apart) - rounding * rounding / count
    except OverflowError:
        return math.inf
    return max(squares, 0.0) / (count - less)


def _var_samp(values: Values) -> float | None:
    return _variance(values, 1)


def _var_pop(values: Values) -> float | None:
    return _variance(values, 0)


def _stddev_samp(values: Values) -> float | None:
    variance = _variance(values, 1)
    return None if variance is None else math.sqrt(variance)


def _stddev_pop(values: Values) -> float | None:
    variance = _variance(values, 0)
    return None if variance is None else math.sqrt(variance)


# ---------------------------------------------------------------- moments


def _fsum(numbers: Iterable[float]) -> float:
    """The sum of numbers, correctly rounded; NaN where it is beyond a double, or infinities are among them."""
    try:
        total = math.fsum(numbers)
    except (OverflowError, ValueError):  # a sum that is too large; infinities of both signs
        return math.nan
    return total if math.isfinite(total) else math.nan


def _apart(values: Values) -> tuple[float, list[float]]:
    """The mean of numbers, and how far each is from it. All are NaN where one of the numbers is not finite.

    The distances are taken from the first number, and then from their own mean, which is not rounded to the digits of
    numbers far from zero.
    """
    first = float(values[0])
    from_first = [float(v) - first for v in values]
    shift = _fsum(from_first) / len(from_first)
    return first + shift, [distance - shift for distance in from_first]


def _moment(apart: list[float], power: int) -> float:
    """The mean of a power of distances from the mean."""
    return _fsum(math.prod([d] * power) for d in apart) / len(apart)


def _of_one(compute: Callable[[list[float]], float | None], least: int) -> Finalizer:
    """The finalizer of a moment of at least so many numbers, from their distances from the mean."""

    def finish(values: Values) -> float | None:
        if len(values) < least:
            return None
        return compute(_apart(values)[1])

    return finish


def _skewness(apart: list[float]) -> float | None:
    count, spread = len(apart), _moment(apart, 2)
    if spread == 0:
        return None
    return math.sqrt(count * (count - 1)) / (count - 2) * (_moment(apart, 3) / math.pow(spread, 1.5))


def _kurtosis_pop(apart: list[float]) -> float | None:
    spread = _moment(apart, 2)
    return None if spread == 0 else _moment(apart, 4) / (spread * spread) - 3.0


def _kurtosis(apart: list[float]) -> float | None:
    count, excess = len(apart), _kurtosis_pop(apart)
    if excess is None:
        return None
    return (count - 1) / ((count - 2) * (count - 3)) * ((count + 1) * excess + 6.0)


@dataclass(frozen=True)
class _Pairs:
    """Sums over pairs (y, x) of numbers: how far they are from their means, and from each other's."""

    count: int
    mean_y: float
    mean_x: float
    xx: float
    yy: float
    xy: float


def _of_pairs(compute: Callable[[_Pairs], float | None], least: int) -> Finalizer:
    """The finalizer of an aggregate of at least so many pairs of numbers."""

    def finish(values: Values) -> float | None:
        count = len(values)
        if count < least:
            return None
        (mean_y, y), (mean_x, x) = (_apart([pair[place] for pair in values]) for place in (0, 1))
        xx, yy = _fsum(d * d for d in x), _fsum(d * d for d in y)
        xy = _fsum(map(operator.mul, x, y))
        return compute(_Pairs(count, mean_y, mean_x, xx, yy, xy))

    return finish


def _slope(pairs: _Pairs) -> float | None:
    return None if pairs.xx == 0 else pairs.xy / pairs.xx


def _intercept(pairs: _Pairs) -> float | None:
    slope = _slope(pairs)
    return None if slope is None else pairs.mean_y - slope * pairs.mean_x


def _correlation(pairs: _Pairs) -> float | None:
    spread = math.sqrt(pairs.xx) * math.sqrt(pairs.yy)
    return None if spread == 0 else pairs.xy / spread


# ---------------------------------------------------------------- extremes, and values as they are


def _extreme(kind: SqlType, *, greatest: bool) -> Finalizer:
    if kind.kind == "float":
        return _max_floats if greatest else _min_floats
    pick: Any = max if greatest else min
    key = sort_key(kind)
    return lambda values: pick(values, key=key) if values else None


def _max_floats(values: Values) -> float | None:
    if not values:
        return None
    return math.nan if _has_nan(values) else float(max(values)) + 0.0


def _min_floats(values: Values) -> float | None:
    if not values:
        return None
    if _has_nan(values):
        values = [v for v in values if v == v] or [math.nan]  # noqa: PLR0124
    return float(min(values)) + 0.0


def _has_nan(values: Values) -> bool:
    """Whether the doubles contain a NaN. If so their sum is NaN, which is quick to test."""
    total = sum(values)
    return total != total and any(v != v for v in values)  # noqa: PLR0124


def _extreme_of_pairs(order: SqlType, *, greatest: bool) -> Finalizer:
    """The finalizer of the value paired with the extreme; the last one if several tie."""
    find = place_of_extreme(order, greatest=greatest)
    return lambda pairs: pairs[find(pairs)][0] if pairs else None


def _bool_and(values: Values) -> bool | None:
    return all(values) if values else None


def _bool_or(values: Values) -> bool | None:
    return any(values) if values else None


def _first(values: Values) -> Any:
    return values[0] if values else None


def _last(values: Values) -> Any:
    return values[-1] if values else None


def _list(values: Values) -> list[Any] | None:
    return list(values) if values else None


def _of_counts(name: str) -> MakeFinalizer:
    def make(kind: SqlType, _order: SqlType | None, second: Second) -> Finalizer:
        finish = counts_finisher(name, kind, int(second or 0))
        return lambda values: finish(count_values(kind, values))

    return make


def _cut(cut: Callable[[Values, int], Values]) -> MakeFinalizer:
    return lambda kind, order, second: lambda values: list(cut(values, int(second or 0))) or None


def _of_runs(finish: Callable[[Runs], int | None]) -> MakeFinalizer:
    return lambda kind, order, second: lambda values: finish(runs_of(values))


def _session(_kind: SqlType, _order: SqlType | None, second: Second) -> Finalizer:
    gap = timedelta(microseconds=int(second or 0))
    return lambda values: finish_session(session_of(values, gap))


def _string_agg(_kind: SqlType, _order: SqlType | None, second: Second) -> Finalizer:
    separator = str(second)
    return lambda values: separator.join(values) if values else None


# ---------------------------------------------------------------- quantiles


def _quantile(aggregate: str, kind: SqlType, number: float) -> Finalizer:
    ascending = sorter(kind)
    if aggregate == "quantile_disc" or kind.kind not in _NUMBERS:
        share = Fraction(Decimal(repr(number)))  # 0.9 is nine tenths

        def discrete(values: Values) -> Any:
            if not values:
                return None
            return _unsigned(ascending(values)[max(1, math.ceil(share * len(values))) - 1])

        return discrete

    def continuous(values: Values) -> Any:
        if not values:
            return None
        ordered = ascending(values)
        place = (len(ordered) - 1) * number
        below = math.floor(place)
        return _blend(float(ordered[below]), float(ordered[math.ceil(place)]), place - below)

    return continuous


def _blend(low: float, high: float, share: float) -> float:
    """The weighted mean of two numbers. Like the engine, it rounds the first product and the sum together (fused)."""
    if not share:
        return low + 0.0
    right = high * share
    if not (math.isfinite(low) and math.isfinite(right)):
        return low * (1.0 - share) + right
    exact = Fraction(low) * Fraction(1.0 - share) + Fraction(right)
    return ratio(exact.numerator, exact.denominator)


def _unsigned(value: Any) -> Any:
    return value + 0.0 if isinstance(value, float) else value


def _same(finalize: Finalizer, **by_kind: Finalizer) -> MakeFinalizer:
    """Always ``finalize``, except for values of the kinds that have a finalizer of their own."""
    return lambda kind, order, second: by_kind.get(kind.kind, finalize)


def _quantile_of(aggregate: str) -> MakeFinalizer:
    return lambda kind, order, second: _quantile(aggregate, kind, 0.5 if second is None else float(second))


def _extreme_by(*, greatest: bool) -> MakeFinalizer:
    def make(kind: SqlType, order: SqlType | None, second: Second) -> Finalizer:
        assert order is not None, "an aggregate of pairs has a type to order them by"
        return _extreme_of_pairs(order, greatest=greatest)

    return make


def _extremes(*, greatest: bool) -> MakeFinalizer:
    def make(kind: SqlType, order: SqlType | None, second: Second) -> Finalizer:
        find = places_of_extremes(kind, int(second or 0), greatest=greatest)
        return lambda values: [_unsigned(values[place]) for place in find(values)] or None

    return make


def _extremes_by(*, greatest: bool) -> MakeFinalizer:
    def make(kind: SqlType, order: SqlType | None, second: Second) -> Finalizer:
        assert order is not None, "an aggregate of pairs has a type to order them by"
        find = places_of_extremes(order, int(second or 0), greatest=greatest)
        return lambda pairs: [pairs[place][0] for place in find([y for _, y in pairs])] or None

    return make


FINALIZERS: dict[str, MakeFinalizer] = {
    "count": _same(len),
    "sum": _same(sum_integers, float=sum_floats, decimal=sum_decimals),
    "avg": _same(mean_integers, float=mean_floats, decimal=mean_decimals),
    "min": lambda kind, order, second: _extreme(kind, greatest=False),
    "max": lambda kind, order, second: _extreme(kind, greatest=True),
    "bool_and": _same(_bool_and),
    "bool_or": _same(_bool_or),
    "stddev_samp": _same(_stddev_samp),
    "stddev_pop": _same(_stddev_pop),
    "var_samp": _same(_var_samp),
    "var_pop": _same(_var_pop),
    "first": _same(_first),
    "last": _same(_last),
    "arg_min": _extreme_by(greatest=False),
    "arg_max": _extreme_by(greatest=True),
    "median": _quantile_of("median"),
    "quantile_cont": _quantile_of("quantile_cont"),
    "quantile_disc": _quantile_of("quantile_disc"),
    "list": _same(_list),
    "last_k": _cut(lambda values, k: values[-k:]),
    "first_k": _cut(lambda values, k: values[:k]),
    **{f"{name}_k": _extremes(greatest=name == "max") for name in ("min", "max")},
    **{f"arg_{name}_k": _extremes_by(greatest=name == "max") for name in ("min", "max")},
    **{name: _of_counts(name) for name in COUNTED},
    **{name: _of_runs(finish) for name, finish in FINISH_RUNS.items()},
    "drawdown": _same(drawdown),
    "session": _session,
    "last_distinct": lambda kind, order, second: lambda values: last_distinct(values, int(second or 0)),
    "string_agg": _string_agg,
    "regr_slope": _same(_of_pairs(_slope, 1)),
    "regr_intercept": _same(_of_pairs(_intercept, 1)),
    "corr": _same(_of_pairs(_correlation, 1)),
    "covar_pop": _same(_of_pairs(lambda pairs: pairs.xy / pairs.count, 1)),
    "covar_samp": _same(_of_pairs(lambda pairs: pairs.xy / (pairs.count - 1), 2)),
    "skewness": _same(_of_one(_skewness, 3)),
    "kurtosis": _same(_of_one(_kurtosis, 4)),
    "kurtosis_pop": _same(_of_one(_kurtosis_pop, 2)),
}
"""The finalizers by name: functions from the types of value and order, and a literal second argument, to the finalizer
for values of that type."""
