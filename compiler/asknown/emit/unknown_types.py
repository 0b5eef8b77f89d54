"""Columns of a type that only their engine knows: DuckDB types the models that read them, with a stand-in.

Such a column may be passed on, counted, compared with NULL and cast to text. Everything else would mean what the engine
takes it for, which no other engine can say. A number without a fixed size, such as Postgres's NUMERIC without a scale,
may be cast to any number too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from asknown.emit.statement import Body
from asknown.types import Column, SqlType, parse_type

_DUCKDBS_OWN = frozenset(
    ("BIGNUM", "BIT", "INTERVAL", "JSON", "JSONB", "MAP", "TIMESTAMP_NS", "TIMESTAMPTZ_NS", "UNION")
)
_UNSIZED = frozenset(("NUMERIC", "DECIMAL", "NUMBER", "DEC", "INT256", "UINT256"))
_UNSIZED_STAND_IN = "asknown: a number without a size"  # an enum, for DuckDB casts one to any number
_UNSIZED_ENUM = re.compile(rf"ENUM\('{_UNSIZED_STAND_IN}', '([^']*)'\)")
_STAND_IN = re.compile(r'MAP\(VARCHAR, STRUCT\((?:"((?:[^"]|"")+)"|(\w+)) BOOLEAN\)\)')
_TEXTS = (exp.DataType.Type.TEXT, exp.DataType.Type.VARCHAR)
_NUMBERS = ("integer", "float", "decimal")


def is_unknown(kind: SqlType) -> bool:
    """Whether DuckDB has no such type."""
    return kind.kind == "other" and (_head(kind) not in _DUCKDBS_OWN or kind.name.endswith("]"))


def is_unsized(kind: SqlType) -> bool:
    """Whether this is a number whose digits, before or after the point, no type of DuckDB's is sure to hold.

    >>> is_unsized(SqlType("numeric", "other")), is_unsized(SqlType("numeric(50,3)", "other"))
    (True, True)
    """
    return kind.kind == "other" and _head(kind) in _UNSIZED and not kind.name.endswith("]")


def is_plain_number(name: str) -> bool:
    """Whether a type's name says that it is a number, and not how many digits it has.

    >>> is_plain_number("Number"), is_plain_number("decimal(9, 2)")
    (True, False)
    """
    return name.strip().upper() in _UNSIZED


def _head(kind: SqlType) -> str:
    return re.split(r"[ (\[]", kind.name.upper(), maxsplit=1)[0]


def typed_as(kind: SqlType) -> str:
    """The name of the type that DuckDB has for a column in its place.

    >>> typed_as(SqlType("inet", "other")), typed_as(SqlType("character(n)", "text"))
    ('MAP(VARCHAR, STRUCT("inet" BOOLEAN))', 'VARCHAR')
    """
    if kind.kind == "text" and not kind.is_enum:
        return "VARCHAR"
    if is_unsized(kind):
        return f"ENUM('{_UNSIZED_STAND_IN}', '{kind.name}')"
    if not is_unknown(kind):
        return kind.name
    return f'MAP(VARCHAR, STRUCT("{kind.name.replace(chr(34), chr(34) * 2)}" BOOLEAN))'


def stands_for(kind: SqlType) -> SqlType:
    """The type that a stand-in stands for; any other type as it is.

    >>> from asknown.types import parse_type
    >>> stands_for(parse_type(typed_as(SqlType("inet", "other")))).name
    'inet'
    """
    if (unsized := _UNSIZED_ENUM.fullmatch(kind.name)) is not None:
        return SqlType(unsized[1], "other")
    found = _STAND_IN.fullmatch(kind.name)
    return kind if found is None else SqlType((found[1] or found[2]).replace('""', '"'), "other")


@dataclass(frozen=True)
class Misuse:
    """A column of an unknown type that a query computes with, and the relation that has it: a source, or a model."""

    column: str
    type: SqlType
    relation: str


Unknown = Mapping[str, Misuse]
"""By a column's name in lower case: what to say where it is misused."""


def unknown_columns(relation: str, columns: Iterable[Column]) -> dict[str, Misuse]:
    """The columns of a relation that have an unknown type."""
    return {c.name.casefold(): Misuse(c.name, c.type, relation) for c in columns if is_unknown(c.type)}


def find_misuse(tree: Body, relations: Mapping[str, Unknown]) -> Misuse | None:
    """The first column of an unknown type that a query does more with than it may; None if none.

    ``relations`` has the :func:`unknown_columns` of the relations that the query reads, by name in lower case.
    """
    if isinstance(tree, str) or not any(relations.values()):
        return None
    below: dict[int, Unknown] = {}  # what each scope gives on, by its id
    for scope in traverse_scope(tree):
        sources = {name: _of_source(source, relations, below) for name, source in scope.sources.items()}
        sides = [below.get(id(side), {}) for side in getattr(scope, "union_scopes", None) or ()]
        below[id(scope)] = {**sides[1], **sides[0]} if len(sides) == 2 else _given_on(scope, sources)
        for column in scope.columns:
            found = _lookup(column, sources)
            if found is not None and not _is_allowed(column, found.type) and not _is_alias(column, scope):
                return found
    return None


def _of_source(source: object, relations: Mapping[str, Unknown], below: Mapping[int, Unknown]) -> Unknown:
    if isinstance(source, exp.Table):
        return relations.get(source.name.casefold(), {})
    return below.get(id(source), {})


def _lookup(column: exp.Column, sources: Mapping[str, Unknown]) -> Misuse | None:
    name = column.name.casefold()
    if column.table:
        return sources.get(column.table, {}).get(name)
    return next((columns[name] for columns in sources.values() if name in columns), None)


def _given_on(scope: Scope, sources: Mapping[str, Unknown]) -> Unknown:
    """The columns of an unknown type that a query gives on, by the names that it gives them."""
    given: dict[str, Misuse] = {}
    for item in _selects(scope):
        value = item.unalias()
        if item.is_star:
            table = item.table if isinstance(item, exp.Column) else ""
            some = [sources.get(table, {})] if table else list(sources.values())
            given |= {name: misuse for columns in some for name, misuse in columns.items()}
        elif isinstance(value, exp.Column) and (found := _lookup(value, sources)) is not None:
            given[item.alias_or_name.casefold()] = found
    return given


def _is_alias(column: exp.Column, scope: Scope) -> bool:
    """Whether a column in ORDER BY is an item of the select, which comes before a column of that name."""
    if column.find_ancestor(exp.Order, exp.Window, exp.Select) is not scope.expression.args.get("order"):
        return False
    return any(isinstance(item, exp.Alias) and item.alias == column.name for item in _selects(scope))


def _selects(scope: Scope) -> list[exp.Expr]:
    return scope.expression.selects if isinstance(scope.expression, exp.Query) else []


def _is_allowed(column: exp.Column, kind: SqlType) -> bool:
    parent = column.parent
    match parent:
        case exp.Cast():
            return parent.to.this in _TEXTS or (is_unsized(kind) and _is_number(parent.to))
        case exp.Alias() | exp.Select() | exp.Count() | exp.Subquery():
            return True
        case exp.Is(expression=exp.Null()):
            return True
    return False


def _is_number(kind: exp.DataType) -> bool:
    name = kind.sql("duckdb")
    return not is_plain_number(name) and parse_type(name).kind in _NUMBERS
