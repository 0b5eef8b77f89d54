"""A statement as a list of CTEs and a query. Writes it as text, and reads a text back to check that it is one query."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import ErrorLevel, exp, parse, tokenize
from sqlglot.errors import SqlglotError

from asknown.dialects.dialect import Dialect
from asknown.emit.identifiers import fold_names, join_names, settle_names
from asknown.emit.sql import ident

Body = exp.Query | str
"""A query: a tree that the emitter built, or the author's own text, which is kept as it is."""


@dataclass(frozen=True)
class Cte:
    """One named query, which the engine computes once (``materialized``: True) or reads in place (False).

    None leaves the choice to the engine.
    """

    name: str
    body: Body
    materialized: bool | None = None
    comment: str = ""


@dataclass(frozen=True)
class Statement:
    """A query with the CTEs that it reads, in the order of their use. ``comment`` is written above it."""

    ctes: tuple[Cte, ...]
    body: Body
    comment: str = ""


def write(statement: Statement, dialect: Dialect) -> str:
    """The statement as formatted text.

    >>> from asknown.dialects.duckdb import DUCKDB
    >>> ctes = (Cte("a", "select 1 as x", materialized=True, comment="one row"),)
    >>> print(write(Statement(ctes, "select * from a"), DUCKDB))
    WITH
    -- one row
    a AS MATERIALIZED (
      select 1 as x
    )
    select * from a
    """
    parts = []
    for cte in statement.ctes:
        pin = ""
        if dialect.ctes.pins_ctes and (cte.materialized or (cte.materialized is False and dialect.ctes.reads_in_place)):
            pin = "MATERIALIZED " if cte.materialized else "NOT MATERIALIZED "
        name = _spelled(ident(cte.name), dialect).sql(dialect.sqlglot, identify=dialect.names.quotes_all)
        comment = "".join(f"-- {line}\n" for line in cte.comment.splitlines())
        parts.append(f"{comment}{name} AS {pin}(\n{_indent(_text(cte.body, dialect), cte.body, dialect)}\n)")
    header = "".join(f"-- {line}\n" for line in statement.comment.splitlines())
    with_clause = "WITH\n" + ",\n".join(parts) + "\n" if parts else ""
    return f"{header}{with_clause}{_text(statement.body, dialect)}"


def _text(body: Body, dialect: Dialect) -> str:
    if isinstance(body, str):
        return body
    names = dialect.names
    return _spelled(body if names.plain_names else settle_names(body), dialect).sql(
        dialect.sqlglot, pretty=True, comments=False, identify=names.quotes_all, unsupported_level=ErrorLevel.RAISE
    )


def _spelled(tree: exp.Expr, dialect: Dialect) -> exp.Expr:
    if dialect.names.folds_up:
        tree = fold_names(tree.copy(), dialect.names.reserved)
    if dialect.names.splits_names:
        tree = join_names(tree.copy())
    if dialect.aggregates.nulls_lowest:  # terms that the emitter orders with NULLs last have no NULLs
        tree = tree.copy()
        for term in tree.find_all(exp.Ordered):
            term.set("nulls_first", not term.args.get("desc"))
    return tree


def _indent(text: str, body: Body, dialect: Dialect) -> str:
    """Indents a text by two spaces, except lines that begin inside a literal. Runs of blank lines become one line."""
    inside = _lines_in_literals(text, body, dialect)
    lines: list[str] = []
    for number, line in enumerate(text.splitlines()):
        if number in inside or (line.strip() == "" and lines and lines[-1] == ""):
            if number in inside:
                lines.append(line)
            continue
        lines.append(f"  {line}" if line.strip() else "")
    return "\n".join(lines)


# Matches text in which every quote is closed on its own line, and which has nothing else that could hide a quote:
# comments, dollar quotes, backslashes, backticks, triple quotes. Nearly all text is so, and tokenizing is slow.
_SURELY_UNBROKEN = re.compile(
    r"""(?:[^'"`$\\/\[-]++"""
    r"""|'(?!'')[^'\\\n]*+'|"(?!"")[^"\\\n]*+"|\[[^]'"`\\\n]*+]"""
    r"""|/(?!\*)|-(?!-))*+"""
)


def _lines_in_literals(text: str, body: Body, dialect: Dialect) -> set[int]:
    """The numbers, from 0, of the lines that begin inside a literal or a quoted name."""
    return set() if is_surely_unbroken(text) or _has_no_line_break(body) else lines_in_tokens(text, dialect)


def _has_no_line_break(body: Body) -> bool:
    """Whether the body is a tree in which no literal and no name has a line break."""
    if isinstance(body, str):
        return False
    return not any(isinstance(part, str) and "\n" in part for node in body.walk() for part in node.args.values())


def is_surely_unbroken(text: str) -> bool:
    """Whether no literal or quoted name spans lines, in any dialect. False if only tokenizing can tell."""
    return _SURELY_UNBROKEN.fullmatch(text) is not None


def lines_in_tokens(text: str, dialect: Dialect) -> set[int]:
    """The numbers, from 0, of the lines that begin inside a token."""
    found: set[int] = set()
    for token in tokenize(text, read=dialect.sqlglot):
        broken = text.count("\n", token.start, token.end + 1)
        if broken:
            first = text.count("\n", 0, token.start)
            found.update(range(first + 1, first + broken + 1))
    return found


def standalone(sql: str, dialect: Dialect) -> str:
    """The query with the settings that its values depend on, if the dialect can say them within a query."""
    settings = [
        f"{name} = {exp.Literal.string(value).sql(dialect.sqlglot)}" for name, value in dialect.settings.items()
    ]
    return f"{sql}\nSETTINGS " + ", ".join(settings) if settings else sql


def head(dialect: Dialect) -> tuple[str, ...]:
    """The statements that a session needs before it runs a compiled query."""
    return (*dialect.planning, *dialect.session) if dialect.head else ()


def with_ctes(ctes: Sequence[Cte], name: str) -> Statement:
    """The statement ``SELECT * FROM name`` over ``ctes``."""
    return Statement(tuple(ctes), exp.select("*").from_(exp.Table(this=ident(name))))


def check_sql(sql: str, dialect: Dialect) -> str:
    """Returns ``sql`` if it parses to one query. Raises AssertionError if not: that is our bug, not the user's."""
    try:
        statements = parse(sql, read=dialect.sqlglot)
    except SqlglotError as error:
        raise AssertionError(f"asknown wrote SQL that does not parse: {error}\n{sql}") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise AssertionError(f"asknown wrote {len(statements)} statements where one query was meant:\n{sql}")
    return sql
