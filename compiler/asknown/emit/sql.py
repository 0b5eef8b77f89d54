"""Builds the small pieces of SQL trees: columns, tables, conditions, sort terms and instants.

Inside a query an instant is a canonical value in UTC and microseconds, whatever the type of the column it came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlglot import exp

from asknown.dialects.dialect import Dialect
from asknown.durations import spell
from asknown.emit.identifiers import is_plain_name
from asknown.emit.snippets import instantiate, snippet
from asknown.instants import FINER, to_microseconds
from asknown.types import Column, SqlType


def ident(name: str) -> exp.Identifier:
    """The identifier ``name``, quoted unless it is a plain word in lower case. The dialect quotes its own keywords.

    >>> ident("price").sql(), ident("Unit Price").sql()
    ('price', '"Unit Price"')
    """
    return exp.Identifier(this=name, quoted=not is_plain_name(name))


def col(name: str, table: str) -> exp.Column:
    """The column ``table.name``."""
    return exp.Column(this=ident(name), table=ident(table))


def named(value: exp.Expr, name: str) -> exp.Expr:
    """``value AS name``. A column that has the name already stays as it is.

    >>> named(col("price", "v"), "last_price").sql(), named(col("price", "v"), "price").sql()
    ('v.price AS last_price', 'v.price')
    """
    if isinstance(value, exp.Column) and value.name == name:
        return value
    return exp.Alias(this=value, alias=ident(name))


def table(name: str, alias: str | None = None) -> exp.Table:
    """The table or CTE ``name``, as it stands in FROM."""
    node = exp.Table(this=ident(name))
    if alias is not None:
        node.set("alias", exp.TableAlias(this=ident(alias)))
    return node


def subquery(query: exp.Query, alias: str) -> exp.Subquery:
    """``(query) AS alias``."""
    return exp.Subquery(this=query, alias=exp.TableAlias(this=ident(alias)))


def all_of(conditions: Sequence[exp.Expr]) -> exp.Expr:
    """The conditions joined by AND; TRUE if there are none."""
    return exp.and_(*conditions, copy=False) if conditions else exp.true()


def same_or_null(dialect: Dialect, left: exp.Expr, right: exp.Expr) -> exp.Expr:
    """The condition that two values are equal, or both NULL."""
    if "null_safe_equal" in dialect.snippets:
        return snippet(dialect, "null_safe_equal", x=left, y=right)
    return exp.NullSafeEQ(this=left, expression=right)


def not_null(value: exp.Expr) -> exp.Expr:
    """``value IS NOT NULL``, which sqlglot writes as ``NOT value IS NULL``."""
    return exp.Not(this=exp.Is(this=value, expression=exp.null()))


def offsets(dialect: Dialect, count: int, name: str, alias: str) -> exp.Expr:
    """A table of the numbers from 0 to ``count - 1``.

    >>> from asknown.dialects.duckdb import DUCKDB
    >>> offsets(DUCKDB, 2, "back", "b").sql("duckdb")
    '(VALUES (0), (1)) AS b(back)'
    """
    numbers = [exp.Literal.number(number) for number in range(count)]
    if dialect.relations.values_name_columns:
        rows = [exp.Tuple(expressions=[number]) for number in numbers]
        return exp.Values(expressions=rows, alias=exp.TableAlias(this=ident(alias), columns=[ident(name)]))
    return subquery(exp.union(*[exp.select(named(number, name)) for number in numbers], distinct=False), alias)


def order_terms(dialect: Dialect, column: Column, value: exp.Expr, *, descending: bool = True) -> list[exp.Expr]:
    """Sort terms with NULLs lowest. Two values tie under them only if they are the same to the bit.

    >>> from asknown.dialects.duckdb import DUCKDB
    >>> from asknown.types import parse_type
    >>> terms = order_terms(DUCKDB, Column("x", parse_type("DOUBLE")), col("x", "v"))
    >>> [term.sql("duckdb") for term in terms]
    ['v.x DESC', 'NOT SIGNBIT(v.x) DESC']
    """
    terms = dialect.aggregates.order.get(column.type.kind, (":x",))
    return [
        exp.Ordered(this=instantiate(dialect, term, x=value), desc=descending, nulls_first=not descending)
        for term in terms
    ]


def instant(dialect: Dialect, value: exp.Expr, kind: SqlType) -> exp.Expr:
    """A value of type ``kind`` as the canonical instant.

    >>> from asknown.dialects.duckdb import DUCKDB
    >>> from asknown.types import parse_type
    >>> instant(DUCKDB, col("born", "v"), parse_type("DATE")).sql("duckdb")
    'CAST(v.born AS TIMESTAMP)'
    """
    known = kind.kind in ("timestamptz", "date", "text") or kind.name == "TIMESTAMP"
    return snippet(dialect, f"instant.{kind.kind if known else 'other'}", x=value)


def is_finer(dialect: Dialect, text: exp.Expr) -> exp.Expr:
    """The condition that an instant's text says more than microseconds, which a cast would cut."""
    return snippet(dialect, "matches", x=text, pattern=exp.Literal.string(FINER))


def at_instant(dialect: Dialect, moment: datetime) -> exp.Expr:
    """A naive UTC instant as a literal."""
    if dialect.clock == "microseconds":
        return exp.Literal.number(to_microseconds(moment))
    return snippet(dialect, "literal", x=exp.Literal.string(moment.isoformat(sep=" ")))


def bound(dialect: Dialect, column: exp.Expr, kind: SqlType, moment: datetime) -> tuple[exp.Expr, exp.Expr]:
    """The two sides of a comparison of ``column`` with an instant.

    They are of the column's own type where the dialect has a snippet for it. An engine can then skip rows without a
    cast of each.
    """
    if f"bound.{kind.kind}" not in dialect.snippets:
        return instant(dialect, column, kind), at_instant(dialect, moment)
    text = moment.isoformat(sep=" ")
    places = {
        "x": exp.Literal.string(text),
        "aware": exp.Literal.string(text + "+00"),
        "micros": exp.Literal.number(to_microseconds(moment)),
    }
    return column, snippet(dialect, f"bound.{kind.kind}", **places)


def in_range(
    dialect: Dialect, column: exp.Expr, kind: SqlType, earliest: datetime | None, latest: datetime | None
) -> list[exp.Expr]:
    """The conditions that a time column lies between two instants, both included, as far as they are given."""
    conditions: list[exp.Expr] = []
    if earliest is not None:
        when, limit = bound(dialect, column.copy(), kind, earliest)
        conditions.append(when >= limit)
    if latest is not None:
        when, limit = bound(dialect, column.copy(), kind, latest)
        conditions.append(when <= limit)
    return conditions


def earlier(dialect: Dialect, value: exp.Expr, length: int) -> exp.Expr:
    """The instant ``length`` microseconds before ``value``.

    >>> from asknown.dialects.duckdb import DUCKDB
    >>> earlier(DUCKDB, col("t", "m"), 3_600_000_000).sql("duckdb")
    "m.t - INTERVAL '1' HOUR"
    """
    if dialect.clock == "microseconds":
        return exp.Sub(this=value, expression=exp.Literal.number(length))
    count, unit = spell(length).split(" ")
    interval = exp.Interval(this=exp.Literal.string(count), unit=exp.Var(this=unit.removesuffix("s").upper()))
    return exp.Sub(this=value, expression=interval)


def microseconds(dialect: Dialect, value: exp.Expr) -> exp.Expr:
    """A canonical instant as a number of microseconds since 1970."""
    return value if dialect.clock == "microseconds" else snippet(dialect, "microseconds", x=value)


def whole_division(dialect: Dialect, value: exp.Expr, by: exp.Expr) -> exp.Expr:
    """The quotient of two integers as an integer. Engines differ in the direction of rounding."""
    return snippet(dialect, "whole_division", x=value, y=by)
