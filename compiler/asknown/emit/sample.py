"""A cheap look at a view's rows, from which the planner chooses."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from asknown.dialects.dialect import Dialect
from asknown.emit.identifiers import Names
from asknown.emit.sql import col, instant, microseconds, named, subquery, table
from asknown.emit.statement import Cte, Statement
from asknown.emit.view_rows import ViewRows
from asknown.model.nodes import FeatureView

ROWS = 100_000


def compile_sample(
    view: FeatureView, models: Sequence[Cte], taken: Sequence[str], dialect: Dialect
) -> tuple[Statement, int]:
    """(the query, its most rows). It gives, as plan.rules.Sample does: rows, keys, most rows of a key, the squares
    of the rows of each key, keys and times, first and last microsecond.

    It stops at so many rows. Whether they lie together in time or by key, the spacing of a key's rows comes out right.
    """
    rows = ViewRows(Names([*taken, *(cte.name for cte in models)]), dialect)
    ctes = rows.of(view)
    inside = Names([c.name for c in view.columns])
    v, when = inside.fresh("v"), inside.fresh("event_time")
    count, times, first, last = (inside.fresh(name) for name in ("count", "times", "first", "last"))
    quarter = inside.fresh("quarter")
    time = instant(dialect, col(view.event_time.name, v), view.event_time.type)
    keys = [col(key.name, v) for key in view.keys]
    some = exp.select(*keys, named(time, when)).from_(table(rows.name(view), v)).limit(ROWS)
    in_order = exp.Order(expressions=[exp.Ordered(this=col(when, v), nulls_first=False)])
    quarters = exp.Window(this=exp.Ntile(this=exp.Literal.number(4)), order=in_order)
    placed = exp.select(*[key.copy() for key in keys], col(when, v), named(quarters, quarter)).from_(subquery(some, v))
    in_the_middle = col(quarter, v).isin(exp.Literal.number(2), exp.Literal.number(3))
    middle = exp.case().when(in_the_middle, col(when, v))
    of_a_key = exp.select(
        named(exp.Count(this=exp.Star()), count),
        named(exp.Count(this=exp.Distinct(expressions=[col(when, v)])), times),
        named(exp.Min(this=middle), first),
        named(exp.Max(this=middle.copy()), last),
    ).from_(subquery(placed, v))
    if keys:
        of_a_key = of_a_key.group_by(*[key.copy() for key in keys])
    query = exp.select(
        exp.Sum(this=col(count, v)),
        exp.Count(this=exp.Star()),
        exp.Max(this=col(count, v)),
        exp.Sum(this=exp.Mul(this=col(count, v), expression=col(count, v))),
        exp.Sum(this=col(times, v)),
        microseconds(dialect, exp.Min(this=col(first, v))),
        microseconds(dialect, exp.Max(this=col(last, v))),
    ).from_(subquery(of_a_key, v))
    return Statement((*models, *ctes), query), ROWS
