"""Lineage: from which columns of sources a feature comes, and what each of them does for it.

An edge goes from a source's column to a feature and has a role. Nothing is dropped: where the SQL cannot be resolved,
every column of every source below the view is an uncertain edge with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Literal, Self, assert_never

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from asknown.catalog.resolve import RAISED, SourceColumns, resolve_view
from asknown.model.nodes import AskedAt, FeatureColumn, FeatureView, InputColumn, KeyColumn, Model, OnDemandView, View
from asknown.project.nodes import SourceTable

Role = Literal["value", "filter", "join", "group", "key", "time", "row"]
_SEVERAL_ROWS = (exp.Explode, exp.Unnest, exp.UDTF, exp.ExplodingGenerateSeries)
ROLES: tuple[Role, ...] = ("value", "filter", "join", "group", "key", "time", "row")


@dataclass(frozen=True)
class Edge:
    """A source's column, as ``source.table``, and its role. ``reason`` says why it is not certain, else is empty."""

    table: str
    column: str
    role: Role
    reason: str = ""


def feature_lineage(
    view: FeatureView, closure: Sequence[Model], sources: Mapping[tuple[str, str], SourceTable], columns: SourceColumns
) -> dict[str, tuple[Edge, ...]]:
    """The edges of each feature of ``view``, by name.

    ``value`` columns make the value; ``filter``, ``join``, ``group`` and ``row`` columns decide which rows there are;
    ``key`` and ``time`` columns say whose they are, and when.
    """
    below = [model for model in closure if model.name != view.name]
    qualified, reason = resolve_view(view, below, sources, columns)
    known = {f"{sources[key].source}.{sources[key].name}".casefold(): key for key in columns}
    found = {}
    shared = None
    if qualified is not None:
        try:
            shared = _Tracer(traverse_scope(qualified)[-1], known, columns).follow(_keys_and_times(view))
        except RAISED as error:
            reason = _said(error)
    for feature in view.features:
        edges = None
        if shared is not None:
            try:
                edges = shared.copy().follow({feature.name.casefold(): "value"}).edges()
            except RAISED as error:
                reason = _said(error)
        found[feature.name] = tuple(_all(columns, reason)) if edges is None else edges
    return found


def _keys_and_times(view: FeatureView) -> dict[str, Role]:
    roles: dict[str, Role] = {key.name.casefold(): "key" for key in view.keys}
    times = [column for column in (view.event_time, view.known_at, view.created_at) if column is not None]
    return roles | {column.name.casefold(): "time" for column in times}


def _said(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def on_demand_lineage(
    view: OnDemandView, found: Callable[[View], Mapping[str, tuple[Edge, ...]]]
) -> dict[str, tuple[Edge, ...]]:
    """The edges of each feature of an on-demand view: those of the features that its expression reads."""
    made: dict[str, tuple[Edge, ...]] = {}
    for item in view.items:
        edges: dict[Edge, None] = {}
        for name in view.read_by(item.name):
            match view.column(name).origin:
                case FeatureColumn(below, _, _, column):
                    of = found(below)
                    if column.name in of:
                        edges |= dict.fromkeys(of[column.name])
                    else:  # a time of the newest row: every feature's edges but their values decide which that is
                        edges |= {e: None for one in of.values() for e in one if e.role != "value"}
                case KeyColumn() | AskedAt() | InputColumn():
                    pass
                case other:
                    assert_never(other)
        made[item.name] = tuple(sorted(edges, key=_place))
    return made


def _place(edge: Edge) -> tuple[Any, ...]:
    return ROLES.index(edge.role), edge.table, edge.column, edge.reason


def _all(columns: SourceColumns, reason: str) -> Iterator[Edge]:
    for (source, table), listed in columns.items():
        for column in listed:
            yield Edge(f"{source}.{table}", column.name, "row", reason)


class _Tracer:
    """Follows columns of a view's resolved SQL, ``root``, down to the sources.

    Keys, times and all that decides which rows there are are the same for each feature of the view: a copy of the
    tracer that has followed them goes on with one feature.
    """

    def __init__(self, root: Scope, known: Mapping[str, tuple[str, str]], columns: SourceColumns) -> None:
        self._root = root
        self._known = known
        self._spelled = {key: {c.name.casefold(): c.name for c in listed} for key, listed in columns.items()}
        self._edges: dict[Edge, None] = {}
        self._outputs: set[tuple[int, str, Role]] = set()
        self._rows: set[int] = set()

    def copy(self) -> Self:
        """A tracer that goes on from what this one has followed."""
        other = copy(self)
        other._edges, other._outputs, other._rows = dict(self._edges), set(self._outputs), set(self._rows)
        return other

    def follow(self, roles: Mapping[str, Role]) -> Self:
        """Follows the columns of the select that ``roles`` has, by their names in lower case. Returns itself."""
        for item in self._root.expression.selects if isinstance(self._root.expression, exp.Query) else ():
            role = roles.get(item.alias_or_name.casefold())
            if role is not None:
                self._output(self._root, item.alias_or_name, role)
        return self

    def edges(self) -> tuple[Edge, ...]:
        """The edges found, in the order of their roles."""
        return tuple(sorted(self._edges, key=_place))

    def _output(self, scope: Scope, name: str, role: Role) -> None:
        """Follows a column that a query gives."""
        if (id(scope), name.casefold(), role) in self._outputs:
            return
        self._outputs.add((id(scope), name.casefold(), role))
        self._decide_rows(scope)
        query = scope.expression
        if isinstance(query, exp.SetOperation):
            sides = _sides(scope)
            place = _names(sides[0]).index(name.casefold()) if name.casefold() in _names(sides[0]) else None
            for side in sides:
                names = _names(side)
                by_name = bool(query.args.get("by_name")) or place is None
                at = name.casefold() if by_name else names[place] if place is not None and place < len(names) else None
                if at in names:
                    self._output(side, at, role)
        elif isinstance(query, exp.Select):
            for item in query.selects:
                if item.alias_or_name.casefold() == name.casefold():
                    self._expression(scope, item, role)
        else:
            for child in scope.expression.find_all(exp.Column):
                self._column(scope, child, role)

    def _decide_rows(self, scope: Scope) -> None:
        """Follows all that decides which rows a query gives, once."""
        if id(scope) in self._rows:
            return
        self._rows.add(id(scope))
        query = scope.expression
        if isinstance(query, exp.SetOperation):
            self._decide_united(scope, query)
        else:
            for _, source in scope.selected_sources.values():
                if isinstance(source, Scope):
                    self._decide_rows(source)
        if isinstance(query, exp.Select):
            self._decide_selected(scope, query)
        if isinstance(query, exp.Query):
            self._ordered(scope, query)

    def _decide_united(self, scope: Scope, query: exp.SetOperation) -> None:
        for side in _sides(scope):
            self._decide_rows(side)
            if not isinstance(query, exp.Union) or query.args.get("distinct"):
                for name in _names(side):
                    self._output(side, name, "row")

    def _decide_selected(self, scope: Scope, query: exp.Select) -> None:
        for clause, role in _CLAUSES:
            found = query.args.get(clause) or []
            for part in found if isinstance(found, list) else [found]:
                self._expression(scope, part, role, within=not isinstance(part.this, exp.Subquery))
        group = query.args.get("group")
        if group is not None and group.args.get("all"):
            for item in query.selects:
                if item.find(exp.AggFunc) is None:
                    self._expression(scope, item, "group")
        distinct = query.args.get("distinct")
        if distinct is not None:
            for item in [distinct] if distinct.args.get("on") else query.selects:
                self._expression(scope, item, "group")
        for item in query.selects:
            if item.find(*_SEVERAL_ROWS) is not None or any(
                call.name.casefold() == "generate_subscripts" for call in item.find_all(exp.Anonymous)
            ):
                self._expression(scope, item, "row")

    def _ordered(self, scope: Scope, query: exp.Query) -> None:
        """With a limit, the order decides which rows are kept. DISTINCT ON keeps the first in the order, too."""
        limited = any(query.args.get(part) is not None for part in ("limit", "offset"))
        first = isinstance(query, exp.Select) and query.args.get("distinct") is not None
        order = query.args.get("order")
        if order is not None and (limited or first):
            self._expression(scope, order, "row")

    def _expression(self, scope: Scope, node: exp.Expr, role: Role, *, within: bool = True) -> None:
        """Follows the columns of an expression. Not ``within``: a joined query, of which only what is read counts."""
        for found in node.walk(prune=lambda inner: isinstance(inner, exp.Query) and inner is not node):
            if isinstance(found, exp.Column):
                self._column(scope, found, _role_within(found, node, role))
            elif isinstance(found, exp.Query) and found is not node and (within or found is not node.this):
                self._subquery(scope, found, role)

    def _subquery(self, scope: Scope, query: exp.Query, role: Role) -> None:
        inner = query.unnest() if isinstance(query, exp.Subquery) else query
        children = [*scope.subquery_scopes, *scope.derived_table_scopes]
        found = [child for child in children if child.expression is inner or child.expression is query]
        for child in found:
            for name in _names(child):
                self._output(child, name, role)
        if not found:  # inside LATERAL, for one
            for column in query.find_all(exp.Column):
                self._column(scope, column, role)

    def _column(self, scope: Scope, column: exp.Column, role: Role) -> None:
        inside: Scope | None = scope
        while inside is not None and column.table and column.table not in inside.sources:
            inside = inside.parent
        if inside is None or not column.table:
            self._unresolved(scope, column, role)
            return
        source = inside.sources[column.table]
        if isinstance(source, Scope):
            self._output(source, column.name, role)
            return
        key = self._known.get(source.name.casefold()) if isinstance(source, exp.Table) else None
        if key is None:
            name = source.sql() if isinstance(source, exp.Expr) else column.table
            self._edges[Edge(name, column.name, role, "not a column of a declared source")] = None
        else:
            spelled = self._spelled[key].get(column.name.casefold(), column.name)
            self._edges[Edge(".".join(key), spelled, role)] = None

    def _unresolved(self, scope: Scope, column: exp.Column, role: Role) -> None:
        query = scope.expression
        items = query.selects if isinstance(query, exp.Select) else []
        for item in items:
            if item.alias_or_name.casefold() == column.name.casefold():
                self._expression(scope, item, role)
                return
        if isinstance(query, exp.SetOperation) and column.name.casefold() in _names(scope):
            self._output(scope, column.name, role)
            return
        self._edges[Edge(column.table or "?", column.name, role, "a name that cannot be resolved")] = None


_CLAUSES: tuple[tuple[str, Role], ...] = (
    ("where", "filter"),
    ("having", "filter"),
    ("qualify", "filter"),
    ("group", "group"),
    ("joins", "join"),
    ("laterals", "row"),
)


def _role_within(column: exp.Column, node: exp.Expr, role: Role) -> Role:
    """The role of a column in an expression: in a value, the conditions and the windows have roles of their own."""
    if role != "value":
        return role
    child: exp.Expr = column
    while child is not node and child.parent is not None:
        parent = child.parent
        if isinstance(parent, exp.Filter) and parent.expression is child:
            return "filter"
        if isinstance(parent, exp.Window):
            if child.arg_key == "partition_by":
                return "key"
            if child.arg_key in ("order", "spec"):
                return "time"
        child = parent
    return role


def _sides(scope: Scope) -> Sequence[Scope]:
    # sqlglot has called them both ways within the range of versions that asknown takes.
    sides: Sequence[Scope] = getattr(scope, "set_operation_scopes", getattr(scope, "union_scopes", ()))
    return sides


def _names(scope: Scope) -> list[str]:
    query = scope.expression
    return [name.casefold() for name in query.named_selects] if isinstance(query, exp.Query) else []
