"""A cheap look at a view's rows, from which the planner chooses."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from asknown.emit.sql import Names, col, instant, named, subquery, table
from asknown.emit.statement import Cte, Statement
from asknown.emit.view_rows import ViewRows
from asknown.model.nodes import FeatureView

ROWS = 100_000


def compile_sample(view: FeatureView, models: Sequence[Cte], taken: Sequence[str]) -> tuple[Statement, int]:
    """(the query, its most rows): it gives (rows, keys, keys and event times, first and last microsecond).

    It stops at so many rows. Whether they lie together in time or by key, the spacing of a key's rows comes out right.
    """
    rows = ViewRows(Names([*taken, *(cte.name for cte in models)]))
    ctes = rows.of(view)
    inside = Names([c.name for c in view.columns])
    v, when = inside.fresh("v"), inside.fresh("event_time")
    time = instant(col(view.event_time.name, v), view.event_time.type)
    some = (
        exp.select(*[col(key.name, v) for key in view.keys], named(time, when))
        .from_(table(rows.name(view), v))
        .limit(ROWS)
    )
    keys: list[exp.Expr] = [col(key.name, v) for key in view.keys] or [exp.Literal.number(1)]
    micros = [exp.Anonymous(this="epoch_us", expressions=[f(this=col(when, v))]) for f in (exp.Min, exp.Max)]
    counted = exp.ApproxDistinct(this=exp.Anonymous(this="hash", expressions=keys))
    together = [*(key.copy() for key in keys), col(when, v)]
    times = exp.ApproxDistinct(this=exp.Anonymous(this="hash", expressions=together))
    query = exp.select(exp.Count(this=exp.Star()), counted, times, *micros).from_(subquery(some, v))
    return Statement((*models, *ctes), query), ROWS
