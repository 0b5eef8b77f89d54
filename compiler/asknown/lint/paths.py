"""Follows a column of a view downwards, select by select: through which relation each select reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from asknown.lint.nodes import Context
from asknown.model.lineage import branches
from asknown.model.nodes import Model


@dataclass(frozen=True)
class Step:
    """A select that gives the column, the expression for it, and the relations that this reads, in lower case."""

    select: exp.Select
    model: Model
    expression: exp.Expr
    aliases: frozenset[str]


def path_of(context: Context, name: str | None) -> list[Step]:
    """The selects that an output column of the view passes through, from the view downwards."""
    if name is None:
        return []
    steps: list[Step] = []
    _follow(context, context.view.tree, name.casefold(), context.view, steps)
    return steps


def steps_below(context: Context, column: exp.Column, select: exp.Select, model: Model) -> list[Step]:
    """The selects that a column which ``select`` reads passes through, below that select."""
    steps: list[Step] = []
    for _, relation in context.lineage.relations_of(column, select, model):
        found = context.lineage.query_of(relation, select, model)
        if found is not None:
            _follow(context, found[0], column.name.casefold(), found[1], steps)
    return steps


def selects_of(tree: exp.Expr) -> Iterator[exp.Select]:
    """The selects of a query, in its CTEs and subqueries too."""
    yield from tree.find_all(exp.Select)


def _follow(context: Context, query: exp.Expr, name: str, model: Model, steps: list[Step]) -> None:
    if isinstance(query, exp.Subquery):
        _follow(context, query.this, name, model, steps)
    elif isinstance(query, exp.SetOperation):
        for branch, own in branches(query, name):
            _follow(context, branch, own, model, steps)
    elif isinstance(query, exp.Select) and not any(step.select is query for step in steps):
        expression = _given(query, name)
        aliases: set[str] = set()
        below: list[tuple[exp.Expr, str, Model]] = []
        waiting, seen = list(_columns(expression)), {name}
        while waiting:
            column = waiting.pop()
            read = context.lineage.relations_of(column, query, model)
            if not read and not column.table and column.name.casefold() not in seen:  # an item of the same select
                seen.add(column.name.casefold())
                waiting += list(_columns(_given(query, column.name.casefold())))
            for alias, relation in read:
                aliases.add(alias.casefold())
                found = context.lineage.query_of(relation, query, model)
                if found is not None:
                    below.append((found[0], column.name.casefold(), found[1]))
        steps.append(Step(query, model, expression, frozenset(aliases)))
        for inner, own, of in below:
            _follow(context, inner, own, of, steps)


def _columns(expression: exp.Expr) -> Iterator[exp.Column]:
    yield from expression.find_all(exp.Column)


def _given(select: exp.Select, name: str) -> exp.Expr:
    """The expression of a select's column; one that a star gives is a column of this name."""
    for item in select.expressions:
        if item.alias_or_name.casefold() == name and not item.is_star:
            found = item.unalias()
            assert isinstance(found, exp.Expr)
            return found
    table = next((item.table for item in select.expressions if item.is_star and isinstance(item, exp.Column)), "")
    return exp.column(name, table or None)
