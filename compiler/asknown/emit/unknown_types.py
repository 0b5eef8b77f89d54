"""Columns of a type that only their engine knows: DuckDB types the models that read them, with a stand-in.

Such a column may be passed on, counted, compared with NULL and cast to text. Everything else would mean what the engine
takes it for, which no other engine can say.
"""

from __future__ import annotations

import re
from collections.abc import Set

from sqlglot import exp

from asknown.emit.statement import Body
from asknown.types import SqlType

_DUCKDBS_OWN = frozenset(
    ("BIGNUM", "BIT", "INTERVAL", "JSON", "JSONB", "MAP", "TIMESTAMP_NS", "TIMESTAMPTZ_NS", "UNION")
)
_STAND_IN = re.compile(r'MAP\(VARCHAR, STRUCT\((?:"((?:[^"]|"")+)"|(\w+)) BOOLEAN\)\)')
_TEXTS = (exp.DataType.Type.TEXT, exp.DataType.Type.VARCHAR)


def is_unknown(kind: SqlType) -> bool:
    """Whether DuckDB has no such type."""
    head = re.split(r"[ (\[]", kind.name.upper(), maxsplit=1)[0]
    return kind.kind == "other" and (head not in _DUCKDBS_OWN or kind.name.endswith("]"))


def typed_as(kind: SqlType) -> str:
    """The name of the type that DuckDB has for a column in its place.

    >>> typed_as(SqlType("inet", "other")), typed_as(SqlType("character(n)", "text"))
    ('MAP(VARCHAR, STRUCT("inet" BOOLEAN))', 'VARCHAR')
    """
    if kind.kind == "text" and not kind.is_enum:
        return "VARCHAR"
    if not is_unknown(kind):
        return kind.name
    return f'MAP(VARCHAR, STRUCT("{kind.name.replace(chr(34), chr(34) * 2)}" BOOLEAN))'


def stands_for(kind: SqlType) -> SqlType:
    """The type that a stand-in stands for; any other type as it is.

    >>> from asknown.types import parse_type
    >>> stands_for(parse_type(typed_as(SqlType("inet", "other")))).name
    'inet'
    """
    found = _STAND_IN.fullmatch(kind.name)
    return kind if found is None else SqlType((found[1] or found[2]).replace('""', '"'), "other")


def misused(tree: Body, names: Set[str]) -> str | None:
    """The first of the columns ``names``, in lower case, that a query does more with than it may; None if none."""
    for column in () if isinstance(tree, str) else tree.find_all(exp.Column):
        if column.name.casefold() not in names:
            continue
        parent = column.parent
        match parent:
            case exp.Cast() if parent.to.this in _TEXTS:
                continue
            case exp.Alias() | exp.Select() | exp.Count() | exp.Subquery():
                continue
            case exp.Is(expression=exp.Null()):
                continue
        return str(column.name)
    return None
