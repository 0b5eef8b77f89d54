"""Writes each aggregate of a trailing window in SQL, over the rows of a pass (rule 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from sqlglot import exp

from asknown.emit.asof.scope import AsOfScope
from asknown.emit.snippets import cast, instantiate
from asknown.emit.sql import col, not_null, order_terms
from asknown.emit.windows.exact_sums import Unrounded, read_sum
from asknown.emit.windows.reduce import Columns, Reduce, aggregate_template
from asknown.model.nodes import WindowCall


def read_aggregate(scope: AsOfScope, rows: Columns, call: WindowCall, reduce: Reduce) -> exp.Expr | Unrounded:
    """The value of a call; of a sum or average of floats, the exact sums to round it from."""
    conditions = [] if call.condition is None else [rows.column(call.condition)]
    if call.value is None:
        return reduce.take("count", conditions, x=exp.Star())
    value = scope.view.column(call.value)
    x = rows.column(value.name)
    name = call.aggregate.name
    match call.aggregate.state:
        case "count":
            return reduce.take("count", conditions, x=x)
        case "sum":
            return read_sum(scope, rows, value, conditions, reduce, average=name == "avg")
        case "flags" | "extreme":
            return reduce.take(aggregate_template(scope, name, value), conditions, x=x)
        case "counts" | "ordered" | "values":
            return _of_values(scope, rows, call, conditions, reduce)
    assert_never(call.aggregate.state)


def _of_values(
    scope: AsOfScope, rows: Columns, call: WindowCall, conditions: list[exp.Expr], reduce: Reduce
) -> exp.Expr:
    """An aggregate that keeps every value: ``LAST(v.x ORDER BY v.event_time, v.x) FILTER (WHERE NOT v.x IS NULL)``."""
    assert call.value is not None
    value = scope.view.column(call.value)
    x = rows.column(value.name)
    name = call.aggregate.name
    paired = call.aggregate.paired
    if name in ("arg_min", "arg_max") and name not in scope.dialect.aggregates.templates:
        template = aggregate_template(scope, "last", value)
    else:
        template = aggregate_template(scope, name, value)
    values: dict[str, exp.Expr | Sequence[exp.Expr]] = {"x": x}
    match call.second:
        case float():
            values["share"] = exp.Literal.number(str(call.second))
        case int():
            values["k"] = exp.Literal.number(call.second)
        case str():
            values["separator"] = exp.Literal.string(call.second)
    by_time = [*_by_time(scope), *order_terms(scope.dialect, value, x, descending=False)]
    where = [*conditions]
    if call.aggregate.empty is None:  # a count skips NULLs by itself
        where.append(not_null(x.copy()))
    if paired:
        # The value at the greatest (or least) of another column. Among rows that tie there, the last row wins.
        assert call.order is not None
        y = rows.column(call.order)
        downwards = name in ("arg_min", "arg_max_k")
        extreme = order_terms(scope.dialect, scope.view.column(call.order), y, descending=downwards)[:1]
        if name in ("arg_min_k", "arg_max_k"):  # the most extreme comes first, and of ties the last row
            order = [*extreme, *(exp.Ordered(this=term.this, desc=True, nulls_first=False) for term in by_time)]
        else:
            order = by_time if template == name else [*extreme, *by_time]
        values |= _ordered(order) | {"y": y}
        where.append(not_null(y.copy()))
    else:
        values |= _ordered(by_time if call.aggregate.ordered else [exp.Ordered(this=x.copy(), nulls_first=True)])
    aggregate = reduce.take(template, where, **values)
    finalizer = scope.dialect.aggregates.finalizers.get(template)
    if finalizer is None:
        return aggregate
    finished = instantiate(scope.dialect, finalizer, **{**values, "value": aggregate})
    return cast(scope.dialect, finished, value.type) if template in scope.dialect.aggregates.untyped else finished


def _ordered(terms: Sequence[exp.Expr]) -> dict[str, Sequence[exp.Expr]]:
    """The terms of an order as a template may use them: ``:order`` with directions, ``:key`` without."""
    return {"order": terms, "key": [term.this for term in terms]}


def _by_time(scope: AsOfScope) -> list[exp.Expr]:
    """The times of rule 3's order as sort terms, least first."""
    times = [col(scope.event_time, scope.v), *(col(name, scope.v) for name, _ in scope.later_times())]
    return [exp.Ordered(this=time, nulls_first=True) for time in times]
