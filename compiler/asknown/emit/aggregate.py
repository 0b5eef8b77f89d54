"""How each aggregate of a trailing window is taken in SQL over the rows of a pass (DESIGN section 3, rules 4, 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, assert_never

from sqlglot import exp

from asknown.emit.rounding import ExactSum, fill, float_parts, misfits
from asknown.emit.sql import col, given, named, table
from asknown.emit.step import Step
from asknown.model.nodes import Column, WindowCall


class Reduce(Protocol):
    """Takes an aggregate over the rows of one call's frame that meet some conditions."""

    def take(self, aggregate: exp.Expr, conditions: Sequence[exp.Expr] = ()) -> exp.Expr: ...


@dataclass(frozen=True)
class Unrounded:
    """A sum or average that is exact and still has to be rounded.

    ``special`` is the sum of its NaNs and infinities, NULL where there are none; ``misfit`` says that a number was
    beyond what can be added exactly.
    """

    sum: ExactSum
    special: exp.Expr | None = None
    misfit: exp.Expr | None = None


class Columns:
    """The view's rows as a pass reads them: keys, times, and what is aggregated, each computed once."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self._columns: dict[str, exp.Expr] = {}

    def column(self, name: str) -> exp.Expr:
        """One of the view's columns."""
        self._columns.setdefault(name, col(name, self.step.v))
        return col(name, self.step.v)

    def computed(self, wish: str, value: exp.Expr) -> exp.Expr:
        """A column that is computed from the view's, under a name like ``wish``."""
        name = self.step.inner(wish)
        self._columns.setdefault(name, value)
        return col(name, self.step.v)

    def query(self, *more: exp.Expr) -> exp.Select:
        step = self.step
        columns = [*step.keys_of(step.v), named(step.when(), step.event_time)]
        columns += [named(value, name) for name, value in step.later_times()]
        columns += [named(value, name) for name, value in self._columns.items()]
        return exp.select(*columns, *more).from_(table(step.source, step.v))


def read_aggregate(step: Step, rows: Columns, call: WindowCall, reduce: Reduce) -> exp.Expr | Unrounded:
    """The value of a call, or what it has to be rounded from."""
    conditions = [] if call.condition is None else [rows.column(call.condition)]
    if call.value is None:
        return reduce.take(exp.Count(this=exp.Star()), conditions)
    value = step.view.column(call.value)
    x = rows.column(value.name)
    name = call.aggregate.name
    match call.aggregate.state:
        case "count":
            return reduce.take(exp.Count(this=x), conditions)
        case "sum" if name == "sum" and value.type.kind != "float":
            return reduce.take(exp.Sum(this=x), conditions)
        case "sum":
            return _exact(rows, value, conditions, reduce, average=name == "avg")
        case "flags":
            return reduce.take((exp.LogicalAnd if name == "bool_and" else exp.LogicalOr)(this=x), conditions)
        case "extreme":
            return reduce.take(exp.Anonymous(this=name, expressions=[_unsigned(value, x)]), conditions)
        case "values":
            return _of_values(step, rows, call, conditions, reduce)
    assert_never(call.aggregate.state)


def _of_values(step: Step, rows: Columns, call: WindowCall, conditions: list[exp.Expr], reduce: Reduce) -> exp.Expr:
    """An aggregate that needs every value."""
    assert call.value is not None
    value = step.view.column(call.value)
    x = rows.column(value.name)
    name = call.aggregate.name
    match name:
        case "count_distinct":
            return reduce.take(exp.Count(this=exp.Distinct(expressions=[x])), conditions)
        case "first" | "last" | "list":
            ordered = exp.Order(this=x, expressions=[*_by_time(step), *_by_value(value, x)])
            return reduce.take(exp.Anonymous(this=name, expressions=[ordered]), [*conditions, given(x.copy())])
        case "arg_min" | "arg_max":
            return _by_other(step, rows, call, conditions, reduce)
        case "median":
            return reduce.take(exp.Anonymous(this=name, expressions=[_unsigned(value, x)]), conditions)
        case "quantile_cont" | "quantile_disc":
            share = exp.Literal.number(str(call.number))
            return reduce.take(exp.Anonymous(this=name, expressions=[_unsigned(value, x), share]), conditions)
        case "var_pop" | "var_samp" | "stddev_pop" | "stddev_samp":
            return _variance(name, value, x, conditions, reduce)
    raise KeyError(f"the aggregate {name} is not written in SQL")


_MIDDLE = "l[(LEN(l) + 1) // 2]"
_SQUARES = f"LIST_AGGREGATE(LIST_TRANSFORM(l, LAMBDA x : (x - {_MIDDLE}) * (x - {_MIDDLE})), 'fsum')"
_DISTANCES = f"LIST_AGGREGATE(LIST_TRANSFORM(l, LAMBDA x : x - {_MIDDLE}), 'fsum')"
_DEVIATION = f"GREATEST(0, {_SQUARES} - {_DISTANCES} * {_DISTANCES} / LEN(l))"
_VARIANCES = {
    "pop": f"{_DEVIATION} / LEN(l)",
    "samp": f"CASE WHEN LEN(l) > 1 THEN {_DEVIATION} / (LEN(l) - 1) END",
}


def _variance(name: str, value: Column, x: exp.Expr, conditions: list[exp.Expr], reduce: Reduce) -> exp.Expr:
    """Variance or deviation by two passes over the values in order, around the middle one.

    The middle one is within a deviation of the mean, so nothing cancels, and equal numbers do not vary at all.
    """
    wide = exp.cast(x, "DOUBLE")
    ordered = exp.Order(this=wide, expressions=[exp.Ordered(this=x.copy(), nulls_first=True)])
    values = reduce.take(exp.Anonymous(this="list", expressions=[ordered]), [*conditions, given(x.copy())])
    root, _, kind = name.partition("_")
    result = _VARIANCES[kind] if root == "var" else f"SQRT({_VARIANCES[kind]})"
    function = exp.Lambda(this=fill(result), expressions=[exp.to_identifier("l")])
    alone = exp.Anonymous(this="list_transform", expressions=[exp.Array(expressions=[values]), function])
    return exp.Anonymous(this="list_extract", expressions=[alone, exp.Literal.number(1)])


def _exact(rows: Columns, value: Column, conditions: list[exp.Expr], reduce: Reduce, *, average: bool) -> Unrounded:
    """The exact sum of a column, and how many values it is of where an average is meant."""
    x = rows.column(value.name)
    count = reduce.take(exp.Count(this=x), conditions) if average else None
    if value.type.kind != "float":
        scale = value.type.scale if value.type.kind == "decimal" else 0
        # A product of more than 38 digits would overflow; the digits themselves do not.
        digits = ":x" if not scale else f":x * {10**scale}"
        if value.type.precision + scale > 38:
            digits = "REPLACE(CAST(:x AS VARCHAR), '.', '')"
        whole = exp.cast(fill(digits, x=col(value.name, rows.step.v)), "INT128")
        total = reduce.take(exp.Sum(this=rows.computed(f"{value.name}a", whole)), conditions)
        return Unrounded(ExactSum(total, exp.Literal.number(0), exp.Literal.number(0), count, scale))
    wide = exp.cast(col(value.name, rows.step.v), "DOUBLE")
    parts = {
        part: reduce.take(exp.Sum(this=rows.computed(f"{value.name}{part}", cut)), conditions)
        for part, cut in float_parts(wide).items()
    }
    # NaN and infinities have no parts: where they occur, their own sum is the result.
    odd = exp.Case(ifs=[exp.If(this=fill("NOT ISFINITE(:x)", x=wide), true=wide.copy())])
    special = reduce.take(exp.Sum(this=rows.computed(f"{value.name}x", odd)), conditions)
    misfit = reduce.take(exp.LogicalOr(this=rows.computed(f"{value.name}d", misfits(wide))), conditions)
    return Unrounded(ExactSum(parts["a"], parts["b"], parts["c"], count, 0), special, misfit)


def _by_other(step: Step, rows: Columns, call: WindowCall, conditions: list[exp.Expr], reduce: Reduce) -> exp.Expr:
    """The value at the greatest (or least) of another column; of rows that tie there, the last one's."""
    assert call.value is not None and call.order is not None
    value = step.view.column(call.value)
    x, y = rows.column(value.name), rows.column(call.order)
    extreme = exp.Ordered(this=y, desc=call.aggregate.name == "arg_min", nulls_first=False)
    ordered = exp.Order(this=x, expressions=[extreme, *_by_time(step), *_by_value(value, x)])
    return reduce.take(
        exp.Anonymous(this="last", expressions=[ordered]), [*conditions, given(x.copy()), given(y.copy())]
    )


def _by_time(step: Step) -> list[exp.Expr]:
    """Rows in the order of rule 3, least first."""
    times = [col(step.event_time, step.v), *(col(name, step.v) for name, _ in step.later_times())]
    return [exp.Ordered(this=time, nulls_first=True) for time in times]


def _by_value(value: Column, x: exp.Expr) -> list[exp.Expr]:
    terms: list[exp.Expr] = [exp.Ordered(this=x.copy(), nulls_first=True)]
    if value.type.kind == "float":
        terms.append(exp.Ordered(this=exp.func("signbit", x.copy()), desc=True, nulls_first=True))
    return terms


def _unsigned(value: Column, x: exp.Expr) -> exp.Expr:
    """A float whose zero has no sign, so that equal values are the same value."""
    return fill("CASE WHEN :x = 0 THEN 0 ELSE :x END", x=x) if value.type.kind == "float" else x
