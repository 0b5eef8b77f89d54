"""One query of all calls over windows of awkward values (``model.window_edges``), as training queries have them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from asknown.dialects.dialect import Dialect
from asknown.emit.asof.scope import AsOfScope
from asknown.emit.edges import typed_value
from asknown.emit.identifiers import Names
from asknown.emit.sql import all_of, col, ident, named, table
from asknown.emit.statement import Cte, Statement
from asknown.emit.windows.windows import window_ctes
from asknown.model.nodes import FeatureView, Lifted, Model
from asknown.model.window_edges import COUNT, WINDOW_EDGES, WindowEdge
from asknown.plan.nodes import Bounds, TrailingWindow
from asknown.render.nodes import Rendered, ViewConfig
from asknown.types import Column, parse_type

_INSTANT = "2024-01-01 00:00:00"
_WINDOW, _TIME = Column("place", parse_type("INTEGER")), Column("at", parse_type("TIMESTAMP"))


def compile_window_edges(edges: Sequence[WindowEdge], dialect: Dialect) -> Statement:
    """The query of a row for each window, in order, with a column for each call::

    WITH edge_rows(place, at, d, …) AS (VALUES …), edge_moments AS (…), edges__windows AS (…)
    SELECT w.w0, … FROM edge_moments AS m LEFT JOIN edges__windows AS w ON … ORDER BY m.place
    """
    used = {name for edge in edges for name in (edge.call.value, edge.call.order, edge.call.condition)}
    columns = tuple(Column(name, parse_type(kind)) for name, (kind, _) in WINDOW_EDGES.items() if name in used)
    view = _view(columns, edges)
    names = Names(["edge_rows", "edge_moments"])
    scope = AsOfScope(view, "edges", "edge_rows", names=names, bounds=Bounds(), dialect=dialect)
    places = [[exp.Literal.number(place), typed_value("TIMESTAMP", _INSTANT)] for place in range(COUNT)]
    moments = Cte("edge_moments", _values([_WINDOW.name, scope.t], places), materialized=True)
    rows = Cte("edge_rows", _values([column.name for column in view.columns], _rows(columns)), materialized=True)
    join = TrailingWindow("edges", view, view.keys, tuple(range(len(edges))), "pairs", "every call over its pairs")
    ctes = window_ctes(scope, moments.name, join)
    m, w = scope.inner("moment"), scope.inner("window")
    values = [col(scope.call(place), w) for place in range(len(edges))]
    query = exp.select(*[named(value, f"edge_{place}") for place, value in enumerate(values)])
    query = query.from_(table(moments.name, m))
    same = all_of([col(_WINDOW.name, m).eq(col(_WINDOW.name, w))])
    query = query.join(table(ctes[-1].name, w), on=same, join_type="left").order_by(col(_WINDOW.name, m))
    return Statement((rows, moments, *ctes), query)


def _view(columns: tuple[Column, ...], edges: Sequence[WindowEdge]) -> FeatureView:
    """A view of the rows, with the calls as its windows."""
    tree = exp.select("1")
    rendered = Rendered("edges", "edges", "", "", ViewConfig(), (), (), ())
    return FeatureView(
        name="edges",
        model=Model("edges", rendered, "", tree, repeatable=True, joins=False, dialect="duckdb"),
        keys=(_WINDOW,),
        event_time=_TIME,
        known_at=None,
        created_at=None,
        features=(),
        fetched=(),
        columns=(_WINDOW, _TIME, *columns),
        ttl=None,
        repeatable=True,
        lifted=Lifted(tree, tuple(c.name for c in columns), (), tuple(edge.call for edge in edges)),
    )


def _rows(columns: Sequence[Column]) -> list[list[exp.Expr]]:
    rows = []
    for place in range(COUNT - 1):
        windows = {name: texts[place] if place < len(texts) else () for name, (_, texts) in WINDOW_EDGES.items()}
        for number in range(max(map(len, windows.values()))):
            at = typed_value("TIMESTAMP", f"2023-12-31 23:59:{30 + number // 2}")
            texts = [windows[c.name][number] if number < len(windows[c.name]) else None for c in columns]
            values = [typed_value(c.type.name, text) for c, text in zip(columns, texts, strict=True)]
            rows.append([exp.Literal.number(place), at, *values])
    return rows


def _values(names: Sequence[str], rows: Sequence[Sequence[exp.Expr]]) -> exp.Select:
    alias = exp.TableAlias(this=ident("listed"), columns=[ident(name) for name in names])
    tuples = [exp.Tuple(expressions=list(row)) for row in rows]
    return exp.select(*[exp.column(ident(name)) for name in names]).from_(exp.Values(expressions=tuples, alias=alias))
