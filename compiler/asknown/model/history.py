"""Checks windows below a view's outermost select, whose frames end at each event and not at the instant asked for.

Such a window is right in what a trailing window takes: the most payments that an hour had seen, at each of the payments
of the last 7 days, is ``max(n) over {{ last('7 days') }}`` over ``n`` from a CTE. As a feature, ``n`` would be that of
the last event, and would not move with the instant asked for. So its columns may stand in arguments and filters of
trailing windows alone.

A RANGE frame holds all rows of its last instant, whatever their order, so no order has to be made total. Only
aggregates that do not depend on the order of the rows are allowed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from sqlglot import exp

from asknown.aggregates import AGGREGATES
from asknown.errors import AsknownError
from asknown.model.nodes import Model
from asknown.model.windows import calls_of, is_trailing, place_of

_Node = TypeVar("_Node", bound=exp.Expr)

_ALLOWED = (
    *("count", "count_if", "count_distinct", "sum", "avg", "min", "max", "bool_and", "bool_or"),
    *("median", "quantile_cont", "quantile_disc"),
)
"""Aggregates, by name, that give the same value in whatever order the rows of one instant come."""


def check_history(model: Model) -> None:
    """Checks the trailing windows inside the CTEs and subqueries of a view.

    Raises ``bad-window`` for an aggregate that depends on the order of rows, and for a column made of a window that
    stands anywhere but in the arguments and filters of the view's own trailing windows. A whole row of a relation, and
    a pattern of names (``columns('…')``), may hold such a column.
    """
    windows = list(_inner_windows(model))
    if not windows:
        return
    tree = model.tree
    if not isinstance(tree, exp.Select):
        raise _misplaced(model, windows[0])
    named: dict[str, exp.Window] = {}
    for window in windows:
        _check_aggregate(model, window)
        named[_name_of(model, window)] = window
    _follow(tree, named)
    for select in tree.find_all(exp.Select):
        _check_columns(model, select, named)
        _check_patterns(model, select, windows[0])
    for star in (item for item in tree.selects if item.is_star):
        inside = star.this if isinstance(star, exp.Column) else star
        left_out = {name.name.casefold() for name in inside.args.get("except_") or []}
        for name, window in named.items():
            if name not in left_out:
                raise _misplaced(model, window, exp.column(name))


def _check_columns(model: Model, select: exp.Select, named: Mapping[str, exp.Window]) -> None:
    for column in _own(select, exp.Column):
        found = named.get(column.name.casefold())
        if found is not None and not _may_stand(column, select, model.tree):
            raise _misplaced(model, found, column)


def _check_patterns(model: Model, select: exp.Select, window: exp.Window) -> None:
    for pattern in _own(select, exp.Columns):
        if select is not model.tree or not _may_stand(pattern, select, model.tree):
            raise _misplaced(model, window, pattern=pattern)


def _inner_windows(model: Model) -> Iterator[exp.Window]:
    outer = [window for item in model.tree.selects for window in item.find_all(exp.Window)]
    outer += model.tree.args.get("windows") or []
    for window in model.tree.find_all(exp.Window):
        is_inner = window.arg_key != "windows" and not any(window is one for one in outer)
        if is_inner and is_trailing(window, window.find_ancestor(exp.Select)):
            yield window


def _check_aggregate(model: Model, window: exp.Window) -> None:
    spelled, is_distinct = calls_of(window)
    found = [a for a in AGGREGATES.values() if spelled in a.sql and a.inside is None and a.distinct == is_distinct]
    if any(aggregate.name in _ALLOWED for aggregate in found):
        return
    raise AsknownError(
        "bad-window",
        f"'{model.name}' has {spelled}() over a window that ends at each event, and its value may depend on the order "
        "of rows that have one time",
        at=place_of(model, window),
        hint=f"there write one of {', '.join(_ALLOWED)}; or put the window into a model below this one",
    )


def _name_of(model: Model, window: exp.Window) -> str:
    """The column that a window makes, in lower case; it must be part of a select's item with a name."""
    node: exp.Expr = window
    while not isinstance(node.parent, exp.Select):
        if node.parent is None or isinstance(node.parent, exp.Query | exp.Qualify | exp.Where | exp.Order):
            raise _misplaced(model, window)
        node = node.parent
    if node.arg_key != "expressions" or not node.alias_or_name:
        raise _misplaced(model, window)
    return node.alias_or_name.casefold()


def _follow(tree: exp.Select, named: dict[str, exp.Window]) -> None:
    """Adds to ``named`` the columns of queries below the outermost select that are made of those columns."""
    made = list(_made_of(tree))
    grows = True
    while grows:
        grows = False
        for name, read in made:
            of = next((named[one] for one in read if one in named), None)
            if of is not None and name not in named:
                named[name] = of
                grows = True


def _made_of(tree: exp.Select) -> Iterator[tuple[str, list[str]]]:
    """Names of columns of queries below the outermost select, and the names that each is made of, in lower case."""
    for select in (one for one in tree.find_all(exp.Select) if one is not tree):
        for item in select.selects:
            inside = item.this if isinstance(item, exp.Column) else item
            changed = [*(inside.args.get("rename") or []), *(inside.args.get("replace") or [])] if item.is_star else []
            for one in changed if item.is_star else [item]:
                yield one.alias_or_name.casefold(), [node.name.casefold() for node in one.find_all(exp.Column)]
                yield one.alias_or_name.casefold(), [one.this.name.casefold()]
    yield from _made_by_place(tree)
    for relation in tree.find_all(exp.CTE, exp.Subquery, exp.Table):
        if relation.alias_or_name:
            yield relation.alias_or_name.casefold(), list(_in_whole_row(relation))


def _made_by_place(tree: exp.Select) -> Iterator[tuple[str, list[str]]]:
    """As :func:`_made_of`, where the place decides: in unions, and in lists of columns behind an alias."""
    for union in tree.find_all(exp.SetOperation):
        if not union.args.get("by_name"):
            for name, other in zip(union.left.named_selects, union.right.named_selects, strict=False):
                yield name.casefold(), [other.casefold()]
    for alias in tree.find_all(exp.TableAlias):
        query = alias.parent.this if alias.parent is not None else None
        if alias.columns and isinstance(query, exp.Query):
            for name, other in zip(alias.columns, query.named_selects, strict=False):
                yield name.name.casefold(), [other.casefold()]


def _in_whole_row(relation: exp.Expr) -> Iterator[str]:
    """The names that a whole row of a relation is made of, in lower case: SQL may name the relation as a column."""
    if isinstance(relation, exp.Table):
        yield relation.name.casefold()
        return
    for select in relation.this.find_all(exp.Select):
        yield from (name.casefold() for name in select.named_selects)
        if select.is_star:
            yield from (one.alias_or_name.casefold() for one in select.find_all(exp.Table, exp.Subquery))


def _own(select: exp.Select, kind: type[_Node]) -> list[_Node]:
    """The nodes of a kind that stand in a select and in none inside it."""
    return [node for node in select.find_all(kind) if node.find_ancestor(exp.Select) is select]


def _may_stand(column: exp.Expr, select: exp.Select, outermost: exp.Query) -> bool:
    """Whether a column made of a window that ends at each event may stand where it does."""
    node: exp.Expr = column
    window: exp.Window | None = None
    while node.parent is not select:
        assert node.parent is not None
        if isinstance(node.parent, exp.Window):
            if node.arg_key != "this":
                return False
            window = node.parent
        node = node.parent
    if node.arg_key != "expressions":
        return False
    return select is not outermost or (window is not None and is_trailing(window, select))


def _misplaced(
    model: Model, window: exp.Window, column: exp.Column | None = None, *, pattern: exp.Columns | None = None
) -> AsknownError:
    used = "" if column is None else f", and '{column.name}' is made of it"
    if pattern is not None:
        used = f", and its column may be one of {pattern.sql(model.dialect)}"
    name = "n" if column is None else column.name
    return AsknownError(
        "bad-window",
        f"'{model.name}' has a trailing window inside a CTE or a subquery, where it ends at each event, not at the "
        f"instant asked for{used}",
        at=place_of(model, window if column is None or "start" not in column.this.meta else column),
        hint=f"use its column in the arguments and filters of trailing windows alone, as in max({name}) over "
        "{{ last('7 days') }}; or move the window to the outermost select, where it ends at the instant asked for; "
        "if its column should be a feature of the last event, put it into a model below this one",
    )
