"""Compiles the queries of a load: each entity's newest row, and the events that its windows will need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlglot import exp

from asknown.dialects.dialect import Dialect
from asknown.emit.asof.fetch import fetch_rows
from asknown.emit.asof.match import match_entities
from asknown.emit.asof.scope import AsOfScope
from asknown.emit.compile import HEADER
from asknown.emit.identifiers import Names
from asknown.emit.models import ViewRows
from asknown.emit.snippets import cast
from asknown.emit.sql import at_instant, col, earlier, ident, named, not_null, subquery, table
from asknown.emit.statement import Cte, Statement
from asknown.emit.translate.rewrite import place_of_column
from asknown.model.nodes import FeatureView, WindowCall
from asknown.model.window_patterns import written_around
from asknown.plan.nodes import Bounds, LoadPlan
from asknown.types import Column


def kept_columns(view: FeatureView) -> tuple[Column, ...]:
    """The columns of the table of newest rows: keys, times and fetched columns, in the order that breaks ties."""
    times = [c for c in (view.event_time, view.known_at, view.created_at) if c is not None]
    return tuple(dict.fromkeys([*view.keys, *times, *view.fetched]))


def event_columns(view: FeatureView) -> tuple[Column, ...]:
    """The hidden columns of an event that the view's windows read."""
    if view.lifted is None:
        return ()
    read = {name for call in view.lifted.calls for name in (call.value, call.order, call.condition)}
    return tuple(column for column in view.columns if column.name in read)


def compile_load(plan: LoadPlan, models: Sequence[Cte], reserved_names: Sequence[str], dialect: Dialect) -> Statement:
    """The query of a load: the newest row of each entity, with all fetched columns, ordered by key."""
    view = plan.view
    names = Names([*reserved_names, *(cte.name for cte in models)])
    rows = ViewRows(names, dialect)
    ctes = rows.of(view)
    scope = AsOfScope(view, view.name, rows.name(view), names=names, bounds=Bounds(latest=plan.at), dialect=dialect)
    match = match_entities(scope, plan.at)
    outputs = [column for column in kept_columns(view) if column not in view.keys]
    fetched = fetch_rows(scope, match.name, outputs, once=True)
    query = exp.select(*_shown(scope, (*view.keys, *outputs))).from_(table(fetched[-1].name, scope.v))
    if view.keys:
        query = query.order_by(*[exp.Ordered(this=col(k.name, scope.v), nulls_first=False) for k in view.keys])
    return Statement((*models, *ctes, match, *fetched), query, comment=HEADER)


def compile_events(plan: LoadPlan, models: Sequence[Cte], reserved_names: Sequence[str], dialect: Dialect) -> Statement:
    """The query of the events that are visible at the watermark and that a window can reach then or later.

    In order of keys and event time. ``SELECT v.k, v.ts, v.amount FROM view AS v
    WHERE v.ts <= :at AND v.ts >= :at - longest AND NOT v.k IS NULL ORDER BY v.k, v.ts``
    """
    view = plan.view
    assert view.lifted is not None
    names = Names([*reserved_names, *(cte.name for cte in models)])
    rows = ViewRows(names, dialect)
    ctes = rows.of(view)
    scope = AsOfScope(view, view.name, rows.name(view), names=names, bounds=Bounds(latest=plan.at), dialect=dialect)
    at = at_instant(dialect, plan.at)
    oldest = earlier(dialect, at.copy(), view.lifted.longest)
    conditions = [scope.when() <= at, scope.when() >= oldest, *(not_null(key) for key in scope.keys_of(scope.v))]
    if view.known_at is not None:
        conditions.append(scope.known() <= at.copy())
    times = [c for c in (view.event_time, view.known_at, view.created_at) if c is not None]
    columns = [*view.keys, *times, *event_columns(view)]
    query = exp.select(*_shown(scope, columns)).from_(table(scope.source, scope.v)).where(*conditions)
    order = [*scope.keys_of(scope.v), scope.when()]
    query = query.order_by(*[exp.Ordered(this=part, nulls_first=False) for part in order])
    return Statement((*models, *ctes), query, comment=HEADER)


def compile_ahead(plan: LoadPlan, models: Sequence[Cte], reserved_names: Sequence[str], dialect: Dialect) -> Statement:
    """The query of the rows that become visible after the watermark, with all columns that the online table keeps.

    ``SELECT v.k, v.ts, v.amount FROM view AS v WHERE v.ts > :at AND NOT v.k IS NULL``
    """
    view = plan.view
    names = Names([*reserved_names, *(cte.name for cte in models)])
    rows = ViewRows(names, dialect)
    ctes = rows.of(view)
    scope = AsOfScope(view, view.name, rows.name(view), names=names, bounds=Bounds(earliest=plan.at), dialect=dialect)
    times = [scope.when(), *(() if view.known_at is None else (scope.known(),))]
    later = [time > at_instant(dialect, plan.at) for time in times]
    conditions = [exp.or_(*later), *(not_null(part) for part in (*scope.keys_of(scope.v), *(t.copy() for t in times)))]
    columns = dict.fromkeys([*kept_columns(view), *event_columns(view)])
    query = exp.select(*_shown(scope, columns)).from_(table(scope.source, scope.v)).where(*conditions)
    return Statement((*models, *ctes), query, comment=HEADER)


def compile_pushed(
    view: FeatureView, models: Sequence[Cte], reserved_names: Sequence[str], dialect: Dialect
) -> Statement:
    """The query of all rows of the view, with all columns that the online table keeps.

    ``models`` read the pushed rows in place of the source. ``SELECT v.k, v.ts, v.amount FROM view AS v``
    """
    names = Names([*reserved_names, *(cte.name for cte in models)])
    rows = ViewRows(names, dialect)
    ctes = rows.of(view)
    scope = AsOfScope(view, view.name, rows.name(view), names=names, bounds=Bounds(), dialect=dialect)
    columns = dict.fromkeys([*kept_columns(view), *event_columns(view)])
    return Statement((*models, *ctes), exp.select(*_shown(scope, columns)).from_(table(scope.source, scope.v)))


def _shown(scope: AsOfScope, columns: Iterable[Column]) -> list[exp.Expr]:
    """The columns in the types of the model's SQL. A translated model may have changed them, so they are cast."""
    model = scope.view.model
    if model.dialect == scope.dialect.sqlglot:
        return [col(column.name, scope.v) for column in columns]
    return [
        named(cast(scope.dialect, col(c.name, scope.v), c.type, at=place_of_column(model, c.name)), c.name)
        for c in columns
    ]


def compile_call_types(
    view: FeatureView, models: Sequence[Cte], reserved_names: Sequence[str], dialect: Dialect
) -> Statement:
    """A query whose columns have the types of the view's window calls. It is described, and never run."""
    assert view.lifted is not None
    rows = ViewRows(Names([*reserved_names, *(cte.name for cte in models)]), dialect)
    ctes = rows.of(view)
    calls = [named(_plain(call), f"w{place}") for place, call in enumerate(view.lifted.calls)]
    source = exp.select("*").from_(table(rows.name(view)))
    return Statement((*models, *ctes), exp.select(*calls).from_(subquery(source, "v")))


def _plain(call: WindowCall) -> exp.Expr:
    """The aggregate of a call, over all rows instead of its frame."""
    if call.value is None:
        return exp.Count(this=exp.Star())
    arguments: list[exp.Expr] = [exp.column(ident(call.value))]
    if call.order is not None:
        arguments.append(exp.column(ident(call.order)))
    match call.second:
        case float():
            arguments.append(exp.Literal.number(str(call.second)))
        case int() if call.aggregate.inside is None:
            arguments.append(exp.Literal.number(call.second))
        case str():
            arguments.append(exp.Literal.string(call.second))
    written = exp.Anonymous(this=call.aggregate.sql[0], expressions=arguments)
    return written if call.aggregate.inside is None else written_around(call.aggregate, written, call.second)
