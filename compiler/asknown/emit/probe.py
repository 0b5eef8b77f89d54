"""Compiles queries that measure: a sample of rows, the bounds of a spine, hindsight, ties, and inputs that change.

The planner chooses forms from the sample (``compile_sample``) and from the spine's bounds (``compile_facts``).
``compile_hindsight`` counts the answers that ``known_at`` prevents, ``compile_ties`` the rows that only their values
order, ``compile_nulls`` what a contract rules out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from asknown.dialects.dialect import Dialect
from asknown.emit.asof.match import match_moments
from asknown.emit.asof.scope import AsOfScope
from asknown.emit.compile import moments_cte, spine_ctes
from asknown.emit.identifiers import Names
from asknown.emit.keys import changes
from asknown.emit.models import ViewRows
from asknown.emit.snippets import snippet
from asknown.emit.sql import (
    all_of,
    col,
    ident,
    instant,
    is_finer,
    microseconds,
    named,
    not_null,
    same_or_null,
    subquery,
    table,
)
from asknown.emit.statement import Cte, Statement
from asknown.model.nodes import FeatureView
from asknown.plan.nodes import AsOfJoin, Plan, Relation, Spine, SpineValue
from asknown.types import Column

ROWS = 100_000


def compile_first(source: Cte) -> Statement:
    """The query that reads one row of a source, and none of its columns."""
    query = exp.select(named(exp.Literal.number(1), "one")).from_(table(source.name)).limit(1)
    return Statement((source,), query)


def compile_sample(
    view: FeatureView, models: Sequence[Cte], reserved_names: Sequence[str], dialect: Dialect
) -> tuple[Statement, int]:
    """(a query of statistics over a sample of the view's rows, the number of rows at which the sample stops).

    The query gives one row, as :class:`asknown.plan.rules.Sample` does: rows, keys, rows of the largest key, the sum of
    the squares of each key's rows, distinct keys and times, and the microseconds at which the middle half of the rows
    begins and ends. The spacing of a key's rows comes out right whether the sample has a range of time or of keys.
    """
    rows = ViewRows(Names([*reserved_names, *(cte.name for cte in models)]), dialect)
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


# An offset behind a time: Z, +05, -0330, +05:30.
_OFFSET = r"\d{1,2}:\d{2}.*(Z|[+-]\d{2}(:?\d{2})?)\s*$"


def compile_facts(
    relation: Relation, column: Column, models: Sequence[Cte], reserved_names: Sequence[str], dialect: Dialect
) -> Statement:
    """A query of one row about a spine's instants.

    It gives the number of rows, the first and last instant, the number of unreadable instants and an example, the
    number of texts with an offset and of all texts, and a text that is finer than a microsecond.
    """
    names = Names([*reserved_names, *(cte.name for cte in models)])
    spine, s, t, raw = names.fresh("given"), names.fresh("s"), names.fresh("t"), names.fresh("raw")
    value = col(column.name, spine)
    text = column.type.kind == "text"
    when = snippet(dialect, "try_instant", x=value) if text else instant(dialect, value, column.type)
    rows = exp.select(named(when, t), named(value.copy(), raw)).from_(table(spine))
    lost = exp.and_(col(raw, s).is_(exp.null()).not_(), col(t, s).is_(exp.null()))
    zero: exp.Expr = exp.Literal.number(0)
    columns: list[exp.Expr] = [
        exp.Count(this=exp.Star()),
        exp.Min(this=col(t, s)),
        exp.Max(this=col(t, s)),
        _count_if(lost) if text else zero,
        exp.Min(this=_where(lost.copy(), col(raw, s))) if text else exp.null(),
        _count_if(snippet(dialect, "matches", x=col(raw, s), pattern=exp.Literal.string(_OFFSET)))
        if text
        else zero.copy(),
        exp.Count(this=col(raw, s)) if text else zero.copy(),
        exp.Min(this=_where(is_finer(dialect, col(raw, s)), col(raw, s))) if text else exp.null(),
    ]
    ctes = [*models, Cte(spine, relation.sql)]
    return Statement(tuple(ctes), exp.select(*columns).from_(subquery(rows, s)))


def _count_if(condition: exp.Expr) -> exp.Expr:
    return exp.Count(this=_where(condition, exp.Literal.number(1)))


def _where(condition: exp.Expr, value: exp.Expr) -> exp.Expr:
    """``CASE WHEN condition THEN value END``."""
    return exp.Case(ifs=[exp.If(this=condition, true=value)])


def compile_hindsight(plan: Plan, models: Sequence[Cte], reserved_names: Sequence[str], dialect: Dialect) -> Statement:
    """A query of one number, for a plan of one as-of join.

    It counts the spine rows at which the newest row by event time is not known yet.
    """
    (join,) = plan.steps
    assert isinstance(join, AsOfJoin)
    names = Names([*reserved_names, *(cte.name for cte in models)])
    inside = Names([*(c.name for c in plan.spine.columns), *(c.name for c in join.view.columns)])
    spines, spine, t = spine_ctes(plan.spine, names, inside, dialect)
    bounds = plan.spine.bounds
    rows = ViewRows(names, dialect)
    events = rows.of(join.view)
    source = rows.name(join.view)
    seen = AsOfScope(join.view, join.label, source, names=names, bounds=bounds, dialect=dialect)
    blind = AsOfScope(
        replace(join.view, known_at=None),
        f"{join.label}__hindsight",
        source,
        names=names,
        bounds=bounds,
        dialect=dialect,
    )
    moments = moments_cte(join, seen, spine, t)
    known = match_moments(seen, moments.name, join.match)
    every = match_moments(blind, moments.name, join.match)

    s, h, k = inside.fresh("s"), inside.fresh("h"), inside.fresh("k")
    on = [col(key.name, s).eq(col(name, h)) for key, name in zip(join.keys, seen.keys, strict=True)]
    same = [col(name, k).eq(col(name, h)) for name in seen.keys]
    differs = exp.not_(same_or_null(dialect, col(blind.event_time, h), col(seen.event_time, k)))
    query = (
        exp.select(exp.Count(this=exp.Star()))
        .from_(table(spine, s))
        .join(table(every[-1].name, h), on=all_of([*on, col(t, s).eq(col(blind.t, h))]))
        .join(table(known[-1].name, k), on=all_of([*same, col(seen.t, k).eq(col(blind.t, h))]), join_type="left")
        .where(differs)
    )
    return Statement((*models, *events, *spines, moments, *known, *every), query)


def compile_ties(
    view: FeatureView, models: Sequence[Cte], reserved_names: Sequence[str], dialect: Dialect
) -> Statement:
    """A query of one number: the rows that share keys and times with another and differ from it in an as-of feature.

    Their order, and so the answer, follows from the order of the features in the select (rule 3). Rows without an
    event time are never visible and do not count.
    """
    rows = ViewRows(Names([*reserved_names, *(cte.name for cte in models)]), dialect)
    ctes = rows.of(view)
    inside = Names([column.name for column in view.columns])
    v, count, alike = inside.fresh("v"), inside.fresh("count"), inside.fresh("alike")
    times = [column for column in (view.event_time, view.known_at, view.created_at) if column is not None]
    shared = [column.name for column in dict.fromkeys([*view.keys, *times])]
    all_columns = list(dict.fromkeys([*shared, *(column.name for column in view.fetched)]))
    same = (
        exp.select(*[col(name, v) for name in all_columns], named(exp.Count(this=exp.Star()), count))
        .from_(table(rows.name(view), v))
        .where(not_null(col(view.event_time.name, v)))
        .group_by(*[col(name, v) for name in all_columns])
    )
    groups = (
        exp.select(named(exp.Sum(this=col(count, v)), count), named(exp.Count(this=exp.Star()), alike))
        .from_(subquery(same, v))
        .group_by(*[col(name, v) for name in shared])
    )
    total = (
        exp.select(exp.Sum(this=col(count, v)))
        .from_(subquery(groups, v))
        .where(exp.GT(this=col(alike, v), expression=exp.Literal.number(1)))
    )
    return Statement((*models, *ctes), total)


def compile_nulls(
    view: FeatureView,
    columns: Sequence[str],
    models: Sequence[Cte],
    reserved_names: Sequence[str],
    dialect: Dialect,
) -> Statement:
    """A query of one row: for each of the ``columns`` of the view's rows, in how many rows it is NULL."""
    rows = ViewRows(Names([*reserved_names, *(cte.name for cte in models)]), dialect)
    ctes = rows.of(view)
    v = Names([column.name for column in view.columns]).fresh("v")
    counts = [exp.Sub(this=exp.Count(this=exp.Star()), expression=exp.Count(this=col(name, v))) for name in columns]
    names = Names([]).fresh
    return Statement(
        (*models, *ctes), exp.select(*[named(one, names("n")) for one in counts]).from_(table(rows.name(view), v))
    )


def compile_lossy(
    spine: Spine, value: SpineValue, models: Sequence[Cte], reserved_names: Sequence[str], dialect: Dialect
) -> Statement:
    """The query for one value, as text, that does not come back the same from the input's type; no row if all do.

    ``SELECT CAST(n AS VARCHAR) FROM given WHERE NOT n IS NULL AND TRY_CAST(TRY_CAST(n AS BIGINT) AS DOUBLE)
    IS DISTINCT FROM n LIMIT 1``
    """
    given = Names([*reserved_names, *(cte.name for cte in models)]).fresh("given")
    column = exp.column(ident(value.column.name))
    there = snippet(dialect, "try_cast", x=column, type=_type(value.type.name))
    back = snippet(dialect, "try_cast", x=there, type=_type(value.column.type.name))
    text = exp.cast(column.copy(), "VARCHAR", dialect="duckdb")
    query = exp.select(named(text, "example")).from_(table(given))
    query = query.where(not_null(column.copy()), exp.NullSafeNEQ(this=back, expression=column.copy())).limit(1)
    return Statement((*models, Cte(given, spine.relation.sql)), query)


def compile_float_key(spine: Spine, column: Column, models: Sequence[Cte], reserved_names: Sequence[str]) -> Statement:
    """The query for one float of the spine's ``column``, as text, that is no integer key; no row if all are."""
    given = Names([*reserved_names, *(cte.name for cte in models)]).fresh("given")
    value = exp.column(ident(column.name))
    text = exp.cast(value.copy(), "VARCHAR", dialect="duckdb")
    query = exp.select(named(text, "example")).from_(table(given)).where(changes(column, value)).limit(1)
    return Statement((*models, Cte(given, spine.relation.sql)), query)


def _type(name: str) -> exp.DataType:
    return exp.DataType.build(name, dialect="duckdb")


def compile_digits(relation: str, column: str, ctes: Sequence[Cte], dialect: Dialect) -> Statement:
    """A query of one row: the most digits of a number's values before the point, and after it, in a sample.

    ``SELECT MAX(LENGTH(TRUNC(ABS(price)))), MAX(SCALE(price)) FROM (SELECT price FROM orders LIMIT 100000)``
    """
    value = exp.column(ident(column))
    some = exp.select(value).from_(table(relation)).limit(ROWS)
    digits = [snippet(dialect, f"digits.{place}", x=value) for place in ("before", "after")]
    return Statement(tuple(ctes), exp.select(*digits).from_(subquery(some, "sample")))
