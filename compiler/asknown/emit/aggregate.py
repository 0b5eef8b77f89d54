"""How each aggregate of a trailing window is taken in SQL over the rows of a pass (DESIGN section 3, rules 4, 5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, assert_never

from sqlglot import exp

from asknown.dialects.dialect import ExactSums
from asknown.emit.rounding import Unrounded
from asknown.emit.sql import col, given, named, order_terms, table
from asknown.emit.step import Step
from asknown.emit.words import cast, fill, lacks, say
from asknown.model.nodes import Column, WindowCall
from asknown.types import parse_type

_DOUBLE = parse_type("DOUBLE")


class Reduce(Protocol):
    """Takes an aggregate of the dialect over the rows of one call's frame that meet some conditions."""

    def take(
        self, word: str, conditions: Sequence[exp.Expr] = (), /, **values: exp.Expr | Sequence[exp.Expr]
    ) -> exp.Expr: ...


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
        return reduce.take("count", conditions, x=exp.Star())
    value = step.view.column(call.value)
    x = rows.column(value.name)
    name = call.aggregate.name
    match call.aggregate.state:
        case "count":
            return reduce.take("count", conditions, x=x)
        case "sum":
            return _sum(step, rows, value, conditions, reduce, average=name == "avg")
        case "flags" | "extreme":
            return reduce.take(aggregate_word(step, name, value), conditions, x=x)
        case "values":
            return _of_values(step, rows, call, conditions, reduce)
    assert_never(call.aggregate.state)


def aggregate_word(step: Step, name: str, value: Column) -> str:
    """The dialect's word for an aggregate of a column. Raises ``not-in-dialect`` where there is none."""
    for word in (f"{name}.{value.type.kind}", name):
        if word in step.dialect.aggregates:
            return word
    nearest = step.dialect.nearest.get(f"{name}.{value.type.kind}") or step.dialect.nearest.get(name)
    hint = f"in '{step.view.name}': {nearest or 'keep it for another target'}"
    raise lacks(step.dialect, f"{name}() over {value.type}", hint=hint)


def _of_values(step: Step, rows: Columns, call: WindowCall, conditions: list[exp.Expr], reduce: Reduce) -> exp.Expr:
    """An aggregate that needs every value."""
    assert call.value is not None
    value = step.view.column(call.value)
    x = rows.column(value.name)
    name = call.aggregate.name
    if name in ("arg_min", "arg_max") and name not in step.dialect.aggregates:
        word = aggregate_word(step, "last", value)
    else:
        word = aggregate_word(step, name, value)
    values: dict[str, exp.Expr | Sequence[exp.Expr]] = {"x": x}
    where = [*conditions]
    match name:
        case "count_distinct":
            pass
        case "median":
            where.append(given(x.copy()))
        case "quantile_cont" | "quantile_disc":
            values["share"] = exp.Literal.number(str(call.number))
            where.append(given(x.copy()))
        case "first" | "last" | "list":
            values |= _ordered([*_by_time(step), *order_terms(step.dialect, value, x, descending=False)])
            where.append(given(x.copy()))
        case "arg_min" | "arg_max":
            # The value at the greatest (or least) of another column; of rows that tie there, the last one's.
            assert call.order is not None
            y = rows.column(call.order)
            extreme = order_terms(step.dialect, step.view.column(call.order), y, descending=name == "arg_min")[:1]
            others = [*_by_time(step), *order_terms(step.dialect, value, x, descending=False)]
            values |= _ordered(others if word == name else [*extreme, *others]) | {"y": y}
            where += [given(x.copy()), given(y.copy())]
        case "var_pop" | "var_samp" | "stddev_pop" | "stddev_samp":
            values |= _ordered([exp.Ordered(this=x.copy(), nulls_first=True)])
            where.append(given(x.copy()))
    taken = reduce.take(word, where, **values)
    finish = step.dialect.finishes.get(word)
    return taken if finish is None else fill(step.dialect, finish, **{**values, "value": taken})


def _sum(
    step: Step, rows: Columns, value: Column, conditions: list[exp.Expr], reduce: Reduce, *, average: bool
) -> exp.Expr | Unrounded:
    x = rows.column(value.name)
    exact = step.dialect.exact_sums
    whole = value.type.kind != "float"
    if whole and not average:
        return reduce.take(aggregate_word(step, "sum", value), conditions, x=x)
    count = reduce.take("count", conditions, x=x) if average else None
    if exact is None and average and f"avg.{value.type.kind}" in step.dialect.aggregates:
        return reduce.take(f"avg.{value.type.kind}", conditions, x=x)
    if exact is None:
        total = reduce.take(aggregate_word(step, "sum", value), conditions, x=x)
        return total if count is None else _ratio(step, value, total, count)
    if whole:
        digits, scale = _digits(step, value, exact)
        total = reduce.take(_part_sum(step), conditions, x=rows.computed(f"{value.name}{exact.wholes}", digits))
        return Unrounded({exact.wholes: total}, count, scale)
    wide = cast(step.dialect, col(value.name, step.v), _DOUBLE)
    parts = {}
    for part, text in exact.parts.items():
        within = fill(step.dialect, exact.ranges.get(part, exact.fits), x=wide)
        cut = exp.Case(ifs=[exp.If(this=within, true=fill(step.dialect, text, x=wide))])
        parts[part] = reduce.take(_part_sum(step), conditions, x=rows.computed(f"{value.name}{part}", cut))
    # NaN and infinities have no parts: where they occur, their own sum is the result.
    odd = say(step.dialect, "is_odd_float", x=wide)
    own = exp.Case(ifs=[exp.If(this=odd, true=wide.copy())])
    special = reduce.take(aggregate_word(step, "sum", value), conditions, x=rows.computed(f"{value.name}x", own))
    fits = fill(step.dialect, exact.fits, x=wide)
    beyond = exp.and_(exp.not_(odd.copy()), exp.not_(exp.paren(fits)), copy=False)
    guard = exp.Case(ifs=[exp.If(this=beyond, true=exp.true())])  # NULL where all is well, which costs nothing
    misfit = reduce.take("bool_or", conditions, x=rows.computed(f"{value.name}d", guard))
    return Unrounded(parts, count, 0, special, misfit)


def _ratio(step: Step, value: Column, total: exp.Expr, count: exp.Expr) -> exp.Expr:
    """An average of whole numbers, or of a decimal's digits: exact while they are below 2^53."""
    if value.type.kind == "decimal" and value.type.scale:
        tens = exp.Literal.number(10**value.type.scale)
        total, count = exp.Mul(this=total, expression=tens), exp.Mul(this=count, expression=tens.copy())
    return say(step.dialect, "ratio", x=total, y=count)


def _digits(step: Step, value: Column, exact: ExactSums) -> tuple[exp.Expr, int]:
    """A whole number, or a decimal as one: (its digits, how many of them lie behind the point)."""
    x = col(value.name, step.v)
    scale = value.type.scale if value.type.kind == "decimal" else 0
    if not scale:
        digits = fill(step.dialect, exact.whole, x=x)
    elif value.type.precision + scale <= 38:
        digits = fill(step.dialect, exact.digits, x=x, power=exp.Literal.number(10**scale))
    else:  # a product of more than 38 digits would overflow; the digits themselves do not
        digits = fill(step.dialect, exact.long_digits, x=x)
    return digits, scale


def _part_sum(step: Step) -> str:
    return "sum.part" if "sum.part" in step.dialect.aggregates else "sum"


def _ordered(terms: Sequence[exp.Expr]) -> dict[str, Sequence[exp.Expr]]:
    """The terms of an order as a word may ask for them: ``:order`` with their directions, ``:key`` without."""
    return {"order": terms, "key": [term.this for term in terms]}


def _by_time(step: Step) -> list[exp.Expr]:
    """Rows in the order of rule 3, least first."""
    times = [col(step.event_time, step.v), *(col(name, step.v) for name, _ in step.later_times())]
    return [exp.Ordered(this=time, nulls_first=True) for time in times]
