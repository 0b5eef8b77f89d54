"""Reads what ``stack()`` renders to: relations one under the other, whose columns meet by name.

The shape is ``(select *, 'payments' as source from payments union all by name select *, 'disputes' as source from …)``.
DuckDB gives a column of two types a third one without a word, so such a column is refused. Other engines have no
``union all by name``; for them the columns are spelled out, and a missing one is a NULL of the column's type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from asknown.errors import AsknownError
from asknown.model.nodes import Model
from asknown.model.windows import place_of
from asknown.types import Column, SqlType

SOURCE = "source"
"""The column that has the name of the relation which a row comes from."""


@dataclass(frozen=True)
class Part:
    """One of the relations of a stack: its name in the column ``source``, and the select that reads it."""

    name: str
    select: exp.Select


@dataclass(frozen=True)
class Stack:
    """A union that ``stack()`` renders to, and its relations in their order."""

    union: exp.Union
    parts: tuple[Part, ...]


def stacks_of(tree: exp.Expr) -> list[Stack]:
    """The stacks of a query, in its CTEs and subqueries too."""
    outermost = (union for union in tree.find_all(exp.Union) if not isinstance(union.parent, exp.Union))
    return [stack for union in outermost if (stack := as_stack(union)) is not None]


def as_stack(query: exp.Expr) -> Stack | None:
    """The stack that a query is; None for any other query."""
    parts = list(_parts(query))
    whole = [part for part in parts if part is not None]
    return Stack(query, tuple(whole)) if isinstance(query, exp.Union) and len(whole) == len(parts) else None


def _parts(query: exp.Expr) -> Iterator[Part | None]:
    if isinstance(query, exp.Union) and query.args.get("by_name") and not query.args.get("distinct"):
        yield from _parts(query.left)
        yield from _parts(query.right)
    else:
        yield _part(query)


def _part(query: exp.Expr) -> Part | None:
    if not isinstance(query, exp.Select) or len(query.selects) != 2:
        return None
    star, name = query.selects
    is_named = isinstance(name, exp.Alias) and name.alias == SOURCE and name.this.is_string
    return Part(name.this.name, query) if isinstance(star, exp.Star) and is_named else None


def refuse_two_types(
    model: Model, stack: Stack, describe: Callable[[exp.Query], Sequence[Column]]
) -> list[Sequence[Column]]:
    """The columns of each part of a stack. Raises ``stack-type`` for a column with two types in them."""
    listed = [describe(_alone(part.select)) for part in stack.parts]
    found: dict[str, list[tuple[Part, Column]]] = {}
    for part, columns in zip(stack.parts, listed, strict=True):
        names = [column.name.casefold() for column in columns]
        if names.count(SOURCE) > 1 or SOURCE in names[:-1]:
            raise AsknownError(
                "duplicate-column",
                f"'{part.name}' in the stack of '{model.name}' has a column '{SOURCE}' of its own",
                at=place_of(model, part.select),
                hint=f"rename it: {SOURCE} has the name of the relation that a row comes from",
            )
        for column in columns:
            found.setdefault(column.name.casefold(), []).append((part, column))
    for of in found.values():
        typed = [(part, column) for part, column in of if not _is_untyped(column)]
        if len({column.type for _, column in typed}) > 1:
            raise _two_types(model, typed)
    return listed


def _is_untyped(column: Column) -> bool:
    """Whether a column is a NULL that has no type yet."""
    return column.type.name.strip('"').upper() == "NULL"


def _two_types(model: Model, of: Sequence[tuple[Part, Column]]) -> AsknownError:
    name, wanted = of[0][1].name, _common([column.type for _, column in of])
    where = " and ".join(f"{column.type} in '{part.name}'" for part, column in of)
    others = [f"'{part.name}'" for part, column in of if column.type != wanted]
    return AsknownError(
        "stack-type",
        f"the stack of '{model.name}' has a column '{name}' of two types: {where}",
        at=place_of(model, of[0][0].select),
        hint=f"in {' and '.join(others)} write: cast({name} as {wanted}) as {name}"
        "; a relation that has no such column may leave it out, and it is NULL there",
    )


def _common(types: Sequence[SqlType]) -> SqlType:
    """The type of several that the others can be cast to: a text, else a float, else the widest."""
    for kind in ("text", "float"):
        if chosen := [one for one in types if one.kind == kind]:
            return chosen[0]
    return max(types, key=lambda one: (one.kind == types[0].kind, one.bits, one.precision))


def _alone(select: exp.Select) -> exp.Query:
    """The select as a query of its own, with the CTEs that it may read."""
    ctes: list[exp.Expr] = []
    inside: exp.Expr = select
    above = select.parent
    while above is not None:
        with_ = above.args.get("with_")
        if with_ is not None and with_ is not inside:
            ctes = [*with_.expressions, *ctes]
        elif isinstance(above, exp.With):
            ctes = [*above.expressions[: above.expressions.index(inside)], *ctes]
        inside, above = above, above.parent
    query = select.copy()
    if ctes:
        query.set("with_", exp.With(expressions=[cte.copy() for cte in ctes]))
    return query


def spell_out(model: Model, describe: Callable[[exp.Query], Sequence[Column]]) -> Model:
    """The model with the columns of its stacks named in one order, for an engine that has no ``union all by name``."""
    if not stacks_of(model.tree):
        return model
    columns = [refuse_two_types(model, stack, describe) for stack in stacks_of(model.tree)]
    tree = model.tree.copy()
    for stack, listed in zip(stacks_of(tree), columns, strict=True):
        every = [column for columns in listed for column in columns]
        typed = sorted(every, key=_is_untyped)
        all_columns = {column.name.casefold(): column for column in reversed(typed)}
        order = list(dict.fromkeys(column.name.casefold() for column in every))
        for part, columns_there in zip(stack.parts, listed, strict=True):
            there = {column.name.casefold() for column in columns_there if not _is_untyped(column)}
            shown = [_shown(all_columns[name], name in there) for name in order if name != SOURCE]
            part.select.set("expressions", [*shown, part.select.selects[-1]])
        for union in stack.union.find_all(exp.Union):
            union.set("by_name", False)
    return replace(model, tree=tree, sql=tree.sql(model.dialect, pretty=True, comments=False))


def _shown(column: Column, is_there: bool) -> exp.Expr:
    name = exp.to_identifier(column.name, quoted=True)
    if is_there:
        return exp.column(name)
    return exp.alias_(exp.cast(exp.null(), column.type.name, dialect="duckdb"), name)
