"""Tells whether a query computes each of its rows from one row of the relation that it reads, and nothing else."""

from __future__ import annotations

from sqlglot import exp

from asknown.model.parse import is_repeatable

_BREAKS: tuple[tuple[type[exp.Expr], str], ...] = (
    (exp.Join, "a join"),
    (exp.SetOperation, "a set operation"),
    (exp.Distinct, "DISTINCT"),
    (exp.Limit, "LIMIT"),
    (exp.Fetch, "LIMIT"),
    (exp.Offset, "OFFSET"),
    (exp.TableSample, "a sample"),
    (exp.Group, "GROUP BY"),
    (exp.Window, "a window"),
    (exp.Qualify, "QUALIFY"),
    (exp.AggFunc, "an aggregate"),
    (exp.Unnest, "UNNEST"),
    (exp.Explode, "UNNEST"),
    (exp.Lateral, "LATERAL"),
    (exp.Pivot, "PIVOT"),
    (exp.Exists, "a subquery"),
)


_PLACES = (type(None), exp.CTE, exp.From, exp.Subquery)
"""Where a query may stand whose rows the one around it reads. Anywhere else it is a subquery that has a value."""


def break_of(tree: exp.Query) -> exp.Expr | str | None:
    """The part of a query that keeps it from computing row by row, or words for it; None where nothing does."""
    for node in tree.walk():
        for kind, _ in _BREAKS:
            if isinstance(node, kind):
                return node
        if isinstance(node, exp.Select):
            source = node.args.get("from_") or node.args.get("from")
            if source is None:
                return "a SELECT without FROM"
            if not _is_plain(source.this):
                return node
        if isinstance(node, exp.Query) and not isinstance(node.parent, _PLACES):
            return node
    return None if is_repeatable(tree) else "a function that may see other rows, or chance"


def reads_names_alone(tree: exp.Query) -> bool:
    """Whether all that a query reads are relations with names, none of them a file or a table function."""
    return all(isinstance(table.this, exp.Identifier) for table in tree.find_all(exp.Table))


def words_for(found: exp.Expr | str) -> str:
    """The words for what :func:`break_of` found."""
    if isinstance(found, str):
        return found
    named = next((words for kind, words in _BREAKS if isinstance(found, kind)), None)
    if named is not None:
        return named
    return "a table function" if isinstance(found, exp.Select) else "a subquery"


def _is_plain(source: exp.Expr) -> bool:
    """Whether FROM reads a named relation, or a query in parentheses."""
    return isinstance(source, exp.Subquery) or (
        isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier)
    )


def plain_columns(tree: exp.Query) -> dict[str, str] | None:
    """By the output's name: the column of the one relation that it is. None if the query does more than select them."""
    if not isinstance(tree, exp.Select):
        return None
    parts = {name for name, value in tree.args.items() if value} - {"expressions", "from_", "from", "kind"}
    source = tree.args.get("from_") or tree.args.get("from")
    if parts or source is None or not isinstance(source.this, exp.Table):
        return None
    found: dict[str, str] = {}
    for item in tree.expressions:
        column = item.this if isinstance(item, exp.Alias) else item
        if not isinstance(column, exp.Column) or isinstance(column.this, exp.Star):
            return None
        found[item.alias_or_name] = column.name
    return found
