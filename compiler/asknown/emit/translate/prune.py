"""Takes out of models the columns that a request does not read, so that only what it reads must have a translation.

What is taken out changes no row and no other column. Where that is not sure, a query stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlglot import exp

from asknown.model.nodes import Model

Names = frozenset[str] | None
"""Columns that are read, by their names in lower case; None for all."""


def prune_models(models: Sequence[Model], read: Mapping[str, Names]) -> list[Model]:
    """The models, each after those that it refers to, without the columns that nothing reads.

    ``read`` says by a model's name what the query over the models reads of it.
    """
    wanted = {name.casefold(): names for name, names in read.items()}
    pruned: list[Model] = []
    for model in reversed(models):
        tree = prune(model.tree, wanted.get(model.name.casefold(), frozenset()))
        below = columns_read(tree, wanted.get(model.name.casefold(), frozenset()))
        for ref in model.rendered.refs:
            wanted[ref.casefold()] = both(wanted.get(ref.casefold(), frozenset()), below)
        pruned.append(replace(model, tree=tree))
    return pruned[::-1]


def both(left: Names, right: Names) -> Names:
    """The columns that either of two reads."""
    return None if left is None or right is None else left | right


def prune(tree: exp.Query, names: Names) -> exp.Query:
    """The query without the items of its select that are not among ``names``, and the same for its CTEs.

    >>> from sqlglot import parse_one
    >>> query = parse_one("WITH a AS (SELECT k, x, f(x) AS y FROM t) SELECT k, x, y FROM a")
    >>> prune(query, frozenset(("k", "x"))).sql()
    'WITH a AS (SELECT k, x FROM t) SELECT k, x FROM a'
    """
    tree = tree.copy()
    _prune_items(tree, names)
    ctes = tree.ctes
    read: dict[str, Names] = {}
    own = tree.copy()
    own.set("with_", None)
    _add(read, own, names)
    for cte in reversed(ctes):
        wanted = read.get(cte.alias.casefold(), frozenset())
        if isinstance(cte.this, exp.Query) and not tree.args["with_"].recursive:
            _prune_items(cte.this, wanted)
            _add(read, cte.this, wanted)
        else:
            _add(read, cte.this, None)
    return tree


def _add(read: dict[str, Names], query: exp.Expr, names: Names) -> None:
    """Adds to ``read`` what a query reads of each relation that it names."""
    found = columns_read(query, names)
    for table in query.find_all(exp.Table):
        read[table.name.casefold()] = both(read.get(table.name.casefold(), frozenset()), found)


def columns_read(query: exp.Expr, names: Names) -> Names:
    """The columns that a query may read of the relations that it names, if ``names`` are read of its result."""
    unsure = (exp.Pivot, exp.Distinct, exp.Except, exp.Intersect, exp.Columns)
    stars = [s for s in query.find_all(exp.Star) if isinstance(s.parent, exp.Select | exp.Column)]
    if stars and (any(query.find(kind) for kind in unsure) or any(_changes(star) for star in stars)):
        return None
    if stars and any(union.args.get("distinct") for union in query.find_all(exp.Union)):
        return None
    if query.find(exp.Columns) or any(str(join.args.get("method", "")).upper() for join in query.find_all(exp.Join)):
        return None
    columns = {column.name.casefold() for column in query.find_all(exp.Column) if not column.is_star}
    columns |= {name.name.casefold() for join in query.find_all(exp.Join) for name in join.args.get("using") or ()}
    if columns & {table.alias_or_name.casefold() for table in query.find_all(exp.Table)}:
        return None  # a whole row, perhaps
    return frozenset(columns) if not stars else both(frozenset(columns), names)


def _changes(star: exp.Star) -> bool:
    return any(star.args.get(part) for part in ("except_", "except", "replace", "rename"))


def _prune_items(query: exp.Query, names: Names) -> None:
    """Takes items that are not among ``names`` out of a select, or out of all sides of a UNION ALL, by their places."""
    sides = _sides(query)
    if names is None or sides is None:
        return
    first = sides[0].selects
    dropped = {place for place, item in enumerate(first) if item.alias_or_name.casefold() not in names}
    for side in sides:
        if len(side.selects) != len(first) or any(item.is_star for item in side.selects):
            dropped = {p for p in dropped if len(sides) == 1 and not side.selects[p].is_star}
        dropped = {place for place in dropped if _may_go(side, side.selects[place])}
    if len(dropped) == len(first):
        dropped.discard(min(dropped))
    for side in sides:
        side.set("expressions", [item for place, item in enumerate(side.selects) if place not in dropped])


def _sides(query: exp.Expr) -> list[exp.Select] | None:
    """The selects whose rows a query has one after the other; None where it does more with them."""
    if isinstance(query, exp.Select):
        return None if query.args.get("distinct") else [query]
    if not isinstance(query, exp.Union) or query.args.get("distinct") or query.args.get("by_name"):
        return None
    if query.args.get("order"):
        return None
    left, right = _sides(query.left), _sides(query.right)
    return None if left is None or right is None else left + right


def _may_go(select: exp.Select, item: exp.Expr) -> bool:
    """Whether an item of a select can be taken out, and no row or other item changes."""
    if item.find(exp.Unnest, exp.Explode, exp.UDTF, exp.GenerateSeries) or not item.alias_or_name:
        return False
    if not select.args.get("group") and any(a.find_ancestor(exp.Window) is None for a in item.find_all(exp.AggFunc)):
        return False
    for part in ("group", "order"):
        terms = select.args.get(part)
        if terms is not None and (terms.args.get("all") or any(_is_place(term) for term in terms.expressions)):
            return False
    name, inside = item.alias_or_name.casefold(), {id(node) for node in item.walk()}
    others = [column for column in select.find_all(exp.Column) if id(column) not in inside]
    return not any(column.name.casefold() == name for column in others)


def _is_place(term: exp.Expr) -> bool:
    value = term.this if isinstance(term, exp.Ordered) else term
    return isinstance(value, exp.Literal | exp.Neg)
