"""Builds the small pieces of SQL trees: columns, tables, conditions, sort terms and instants.

Inside a query an instant is a canonical value in UTC and microseconds, whatever the type of the column it came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlglot import exp

from asknown.dialects.dialect import Dialect
from asknown.durations import spell
from asknown.emit.identifiers import is_plain_name
from asknown.emit.snippets import instantiate, snippet
from asknown.model.nodes import Column
from asknown.types import SqlType


def ident(name: str) -> exp.Identifier:
    """The identifier ``name``, quoted where it is no plain lower-case word (the dialect quotes its own keywords)."""
    return exp.Identifier(this=name, quoted=not is_plain_name(name))


def col(name: str, table: str) -> exp.Column:
    return exp.Column(this=ident(name), table=ident(table))


def named(value: exp.Expr, name: str) -> exp.Expr:
    """``value as name``; a column that already has the name stays as it is."""
    if isinstance(value, exp.Column) and value.name == name:
        return value
    return exp.Alias(this=value, alias=ident(name))


def table(name: str, alias: str | None = None) -> exp.Table:
    node = exp.Table(this=ident(name))
    if alias is not None:
        node.set("alias", exp.TableAlias(this=ident(alias)))
    return node


def subquery(query: exp.Query, alias: str) -> exp.Subquery:
    return exp.Subquery(this=query, alias=exp.TableAlias(this=ident(alias)))


def all_of(conditions: Sequence[exp.Expr]) -> exp.Expr:
    return exp.and_(*conditions, copy=False) if conditions else exp.true()


def same_or_null(dialect: Dialect, left: exp.Expr, right: exp.Expr) -> exp.Expr:
    """Whether two values are one, or both NULL."""
    if "null_safe_equal" in dialect.snippets:
        return snippet(dialect, "null_safe_equal", x=left, y=right)
    return exp.NullSafeEQ(this=left, expression=right)


def not_null(value: exp.Expr) -> exp.Expr:
    """``value is not null``."""
    return exp.Not(this=exp.Is(this=value, expression=exp.null()))


def offsets(dialect: Dialect, count: int, name: str, alias: str) -> exp.Expr:
    """A table of the numbers from 0 below ``count``."""
    numbers = [exp.Literal.number(number) for number in range(count)]
    if dialect.relations.values_name_columns:
        rows = [exp.Tuple(expressions=[number]) for number in numbers]
        return exp.Values(expressions=rows, alias=exp.TableAlias(this=ident(alias), columns=[ident(name)]))
    return subquery(exp.union(*[exp.select(named(number, name)) for number in numbers], distinct=False), alias)


def order_terms(dialect: Dialect, column: Column, value: exp.Expr, *, descending: bool = True) -> list[exp.Expr]:
    """Sort terms, NULLs lowest, under which two values tie only if they are the same to the bit."""
    terms = dialect.aggregates.order.get(column.type.kind, (":x",))
    return [
        exp.Ordered(this=instantiate(dialect, term, x=value), desc=descending, nulls_first=not descending)
        for term in terms
    ]


def instant(dialect: Dialect, value: exp.Expr, kind: SqlType) -> exp.Expr:
    """``value`` as the canonical instant."""
    known = kind.kind in ("timestamptz", "date", "text") or kind.name == "TIMESTAMP"
    return snippet(dialect, f"instant.{kind.kind if known else 'other'}", x=value)


def at_instant(dialect: Dialect, moment: datetime) -> exp.Expr:
    """The literal of a naive UTC instant."""
    if dialect.clock == "microseconds":
        return exp.Literal.number(_microseconds(moment))
    return snippet(dialect, "literal", x=exp.Literal.string(moment.isoformat(sep=" ")))


def bound(dialect: Dialect, column: exp.Expr, kind: SqlType, moment: datetime) -> tuple[exp.Expr, exp.Expr]:
    """(``column``, the instant) to be compared: in the column's own type where that spares a cast of the column."""
    if f"bound.{kind.kind}" not in dialect.snippets:
        return instant(dialect, column, kind), at_instant(dialect, moment)
    text = moment.isoformat(sep=" ")
    places = {
        "x": exp.Literal.string(text),
        "aware": exp.Literal.string(text + "+00"),
        "micros": exp.Literal.number(_microseconds(moment)),
    }
    return column, snippet(dialect, f"bound.{kind.kind}", **places)


def earlier(dialect: Dialect, value: exp.Expr, length: int) -> exp.Expr:
    """The instant ``length`` microseconds before ``value``."""
    if dialect.clock == "microseconds":
        return exp.Sub(this=value, expression=exp.Literal.number(length))
    count, unit = spell(length).split(" ")
    interval = exp.Interval(this=exp.Literal.string(count), unit=exp.Var(this=unit.removesuffix("s").upper()))
    return exp.Sub(this=value, expression=interval)


def microseconds(dialect: Dialect, value: exp.Expr) -> exp.Expr:
    """A canonical instant in microseconds since 1970."""
    return value if dialect.clock == "microseconds" else snippet(dialect, "microseconds", x=value)


def whole_division(dialect: Dialect, value: exp.Expr, by: exp.Expr) -> exp.Expr:
    """``value / by`` over whole numbers; which way a rest is rounded is left to the engine."""
    return snippet(dialect, "whole_division", x=value, y=by)


def _microseconds(moment: datetime) -> int:
    since = moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
