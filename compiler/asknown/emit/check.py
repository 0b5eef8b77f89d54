"""Reads back what was written: the text must parse to one query in the dialect it was written for."""

from __future__ import annotations

from sqlglot import exp, parse
from sqlglot.errors import SqlglotError

from asknown.dialects.dialect import Dialect


def check_sql(sql: str, dialect: Dialect) -> str:
    """``sql`` itself. Raises AssertionError where it is not one query: that is a bug of ours, not the user's."""
    try:
        statements = parse(sql, read=dialect.sqlglot)
    except SqlglotError as error:
        raise AssertionError(f"asknown wrote SQL that does not parse: {error}\n{sql}") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise AssertionError(f"asknown wrote {len(statements)} statements where one query was meant:\n{sql}")
    return sql
