"""Writes rows as a query of DuckDB, each value cast from a text to its column's type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import exp

from asknown.dialects.duckdb import DUCKDB
from asknown.emit.models import typed_cte
from asknown.emit.sql import ident
from asknown.emit.unknown_types import typed_as
from asknown.types import Column


def rows_query(columns: Sequence[Column], rows: Sequence[Mapping[str, str | None]]) -> str:
    """The query of these rows, in their order. A column that a row does not have is NULL there.

    >>> from asknown.types import parse_type
    >>> rows_query([Column("n", parse_type("BIGINT"))], [{"n": "7"}])
    "SELECT CAST('7' AS BIGINT) AS n"
    """
    if not rows:
        body = typed_cte("rows", columns).body
        assert isinstance(body, exp.Query)
        return body.sql(DUCKDB.sqlglot)
    selects = []
    for row in rows:
        values = [exp.null() if (text := row.get(c.name)) is None else exp.Literal.string(text) for c in columns]
        casts = [exp.cast(v, typed_as(c.type), dialect="duckdb") for c, v in zip(columns, values, strict=True)]
        selects.append(exp.select(*[exp.alias_(v, ident(c.name)) for c, v in zip(columns, casts, strict=True)]))
    return "\nUNION ALL ".join(select.sql(DUCKDB.sqlglot) for select in selects)
