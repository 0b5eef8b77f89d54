"""Trailing windows: for each moment, aggregates over the rows in frames that end at it (DESIGN section 3, rule 4).

The moments are joined with the rows of their keys and of the one or two buckets of time that the longest frame can
reach, and all aggregates of a view are taken in that one pass, each over its own frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from asknown.emit.match import bucket_of, two_buckets
from asknown.emit.rounding import ExactSum, fill, float_parts, misfits, round_sums
from asknown.emit.sql import all_of, col, given, ident, interval, named, subquery, table
from asknown.emit.statement import Cte
from asknown.emit.step import Step
from asknown.model.nodes import Column, WindowCall
from asknown.plan.nodes import TrailingWindow

TOO_LARGE = "a number is too large or too small for an exact sum"


def window_ctes(step: Step, moments: str, join: TrailingWindow) -> list[Cte]:
    """The CTEs of a view's windows, the last of which has (keys, t, a column :func:`call_name` for each call)."""
    lifted = step.view.lifted
    assert lifted is not None
    calls = {place: lifted.calls[place] for place in join.calls}
    longest = max(call.frame.oldest for call in calls.values())
    width = max(longest, 1)
    events = _Events(step, width)
    sums = _Sums()
    columns = [named(_aggregate(step, events, sums, call, place), call_name(place)) for place, call in calls.items()]
    moment = [*step.moment()]
    on = [
        *step.same_keys(),
        col(step.bucket, step.m).eq(col(step.bucket, step.v)),
        col(step.event_time, step.v) <= col(step.t, step.m),
        col(step.event_time, step.v) >= exp.Sub(this=col(step.t, step.m), expression=interval(width)),
    ]
    if step.view.known_at is not None:
        on.append(col(step.known_at, step.v) <= col(step.t, step.m))
    query = (
        exp.select(*moment, *columns, *sums.columns())
        .from_(subquery(two_buckets(step, moments, width), step.m))
        .join(subquery(events.query(), step.v), on=all_of(on))
        .group_by(*moment)
    )
    if sums.entries:
        query = _rounded(step, query, sums, calls)
    return [Cte(step.name("windows"), query)]


def call_name(place: int) -> str:
    """The name of a call's column."""
    return f"w{place}"


class _Events:
    """The view's rows as the windows read them: keys, times, the bucket, and what is aggregated, each once."""

    def __init__(self, step: Step, width: int) -> None:
        self.step = step
        self.width = width
        self.extra: dict[str, exp.Expr] = {}

    def column(self, name: str, value: exp.Expr | None = None) -> exp.Expr:
        """A column of the rows: the view's own, or one that is computed from them."""
        self.extra.setdefault(name, col(name, self.step.v) if value is None else value)
        return col(name, self.step.v)

    def query(self) -> exp.Select:
        step = self.step
        columns = [*step.keys_of(step.v), named(step.when(), step.event_time)]
        columns += [named(value, name) for name, value in step.later_times()]
        columns.append(named(bucket_of(step.when(), self.width), step.bucket))
        columns += [named(value, name) for name, value in self.extra.items()]
        return exp.select(*columns).from_(table(step.source, step.v)).where(*step.between(step.bounds, self.width))


@dataclass
class _Sums:
    """The exact sums that wait to be rounded, and the columns that guard them."""

    entries: list[ExactSum] = field(default_factory=list)
    places: dict[int, int] = field(default_factory=dict)  # of a call, in the list of entries
    special: dict[int, exp.Expr] = field(default_factory=dict)  # of a call: the sum of its NaNs and infinities
    guards: list[exp.Expr] = field(default_factory=list)

    def columns(self) -> list[exp.Expr]:
        if not self.entries:
            return []
        guard = exp.or_(*self.guards, copy=False) if self.guards else exp.false()
        columns = [named(exp.Array(expressions=[e.struct() for e in self.entries]), SUMS), named(guard, MISFIT)]
        return columns + [named(value, f"s{place}") for place, value in self.special.items()]


SUMS, MISFIT = "sums", "misfit"


def _rounded(step: Step, query: exp.Select, sums: _Sums, calls: dict[int, WindowCall]) -> exp.Select:
    """The windows with their exact sums rounded to floats."""
    divide = any(entry.count is not None for entry in sums.entries)
    scaled = any(entry.scale for entry in sums.entries)
    rounded = round_sums(query, SUMS, divide=divide, scaled=scaled)
    columns: list[exp.Expr] = [ident(name) for name in (*step.keys, step.t)]
    for place in calls:
        if place not in sums.places:
            columns.append(ident(call_name(place)))
            continue
        number = exp.Literal.number(sums.places[place] + 1)
        value: exp.Expr = exp.Anonymous(this="list_extract", expressions=[exp.column(ident(SUMS)), number])
        if place in sums.special:
            value = exp.Coalesce(this=exp.column(ident(f"s{place}")), expressions=[value])
        problem = f"asknown: {TOO_LARGE} in feature view {step.view.name}"
        guarded = fill(f"CASE WHEN {MISFIT} THEN ERROR(:problem) ELSE :value END",
                       problem=exp.Literal.string(problem), value=value)  # fmt: skip
        columns.append(named(guarded, call_name(place)))
    return exp.select(*columns).from_(subquery(rounded, "sums"))


def _aggregate(step: Step, events: _Events, sums: _Sums, call: WindowCall, place: int) -> exp.Expr:
    """The aggregate of a call over the joined rows, or NULL where it waits among the ``sums``."""
    within = _in_frame(step, events, call)
    value = None if call.value is None else step.view.column(call.value)
    if value is None:
        return _only(exp.Count(this=exp.Star()), within)
    x = events.column(value.name)
    kind = value.type.kind
    match call.aggregate.name:
        case "sum" | "avg" if kind == "float" or call.aggregate.name == "avg":
            _sum_exactly(events, sums, place, call, within)
            return exp.null()
        case "count":
            return _only(exp.Count(this=x), within)
        case "count_distinct":
            return _only(exp.Count(this=exp.Distinct(expressions=[x])), within)
        case "first" | "last" | "list":
            return _in_order(step, call, value, x, within)
        case "arg_min" | "arg_max":
            return _by_other(step, events, call, within)
        case "quantile_cont" | "quantile_disc":
            number = exp.Literal.number(call.number)
            return _only(exp.Anonymous(this=call.aggregate.name, expressions=[_unsigned(x, value), number]), within)
        case "min" | "max" | "median":
            return _only(exp.Anonymous(this=call.aggregate.name, expressions=[_unsigned(x, value)]), within)
    return _only(exp.Anonymous(this=call.aggregate.name, expressions=[x]), within)


def _sum_exactly(events: _Events, sums: _Sums, place: int, call: WindowCall, within: list[exp.Expr]) -> None:
    assert call.value is not None
    value = events.step.view.column(call.value)
    x = events.column(value.name)
    count = _only(exp.Count(this=x), within) if call.aggregate.name == "avg" else None
    zero = exp.Literal.number(0)
    if value.type.kind == "float":
        wide = exp.cast(col(value.name, events.step.v), "DOUBLE")
        parts = {
            part: _only(exp.Sum(this=events.column(f"{value.name}{part}", cut)), within)
            for part, cut in float_parts(wide).items()
        }
        special = [*within, exp.Not(this=exp.Anonymous(this="isfinite", expressions=[x.copy()]))]
        sums.special[place] = exp.cast(_only(exp.Sum(this=x.copy()), special), "DOUBLE")
        sums.guards.append(_only(exp.LogicalOr(this=events.column(f"{value.name}d", misfits(wide))), within))
        # NaN and infinities have no parts; where nothing else is there, the sums are NULL and the special one holds
        sums.entries.append(ExactSum(parts["a"], parts["b"], parts["c"], count, 0))
    else:
        scale = value.type.scale if value.type.kind == "decimal" else 0
        whole = exp.cast(fill(f":x * {10**scale}", x=x) if scale else x, "INT128")
        sums.entries.append(ExactSum(_only(exp.Sum(this=whole), within), zero, zero.copy(), count, scale))
    sums.places[place] = len(sums.entries) - 1


def _in_order(step: Step, call: WindowCall, value: Column, x: exp.Expr, within: list[exp.Expr]) -> exp.Expr:
    ordered = exp.Order(this=x, expressions=[*_time_order(step), *_value_order(value, x)])
    function = {"first": "first", "last": "last", "list": "list"}[call.aggregate.name]
    return _only(exp.Anonymous(this=function, expressions=[ordered]), [*within, given(x.copy())])


def _by_other(step: Step, events: _Events, call: WindowCall, within: list[exp.Expr]) -> exp.Expr:
    assert call.value is not None and call.order is not None
    value = step.view.column(call.value)
    x = events.column(value.name)
    y = events.column(call.order)
    first = exp.Ordered(this=y, desc=call.aggregate.name == "arg_min", nulls_first=False)
    ordered = exp.Order(this=x, expressions=[first, *_time_order(step), *_value_order(value, x)])
    return _only(exp.Anonymous(this="last", expressions=[ordered]), [*within, given(x.copy()), given(y.copy())])


def _time_order(step: Step) -> list[exp.Expr]:
    """Rows in the order of rule 3, least first."""
    times = [col(step.event_time, step.v), *(col(name, step.v) for name, _ in step.later_times())]
    return [exp.Ordered(this=time, nulls_first=True) for time in times]


def _value_order(value: Column, x: exp.Expr) -> list[exp.Expr]:
    terms: list[exp.Expr] = [exp.Ordered(this=x.copy(), nulls_first=True)]
    if value.type.kind == "float":
        terms.append(exp.Ordered(this=exp.func("signbit", x.copy()), desc=True, nulls_first=True))
    return terms


def _unsigned(x: exp.Expr, value: Column) -> exp.Expr:
    """A float whose zero has no sign, so that equal values are the same value."""
    return fill("CASE WHEN :x = 0 THEN 0 ELSE :x END", x=x) if value.type.kind == "float" else x


def _in_frame(step: Step, events: _Events, call: WindowCall) -> list[exp.Expr]:
    """The conditions under which a joined row lies in a call's frame and meets its own condition."""
    conditions: list[exp.Expr] = []
    when, t = col(step.event_time, step.v), col(step.t, step.m)
    if call.frame.oldest < events.width:
        conditions.append(when >= exp.Sub(this=t, expression=interval(call.frame.oldest)))
    if call.frame.newest:
        conditions.append(when.copy() <= exp.Sub(this=t.copy(), expression=interval(call.frame.newest)))
    if call.condition is not None:
        conditions.append(events.column(call.condition))
    return conditions


def _only(aggregate: exp.Expr, conditions: Sequence[exp.Expr]) -> exp.Expr:
    if not conditions:
        return aggregate
    where = exp.Where(this=all_of([condition.copy() for condition in conditions]))
    return exp.Filter(this=aggregate, expression=where)
