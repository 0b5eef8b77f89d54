"""Instants in a query: canonical values in UTC and microseconds, whatever a column's own type is."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlglot import exp

from asknown.dialects.dialect import Dialect
from asknown.durations import spell
from asknown.emit.words import say
from asknown.types import SqlType


def instant(dialect: Dialect, value: exp.Expr, kind: SqlType) -> exp.Expr:
    """``value`` as the canonical instant."""
    known = kind.kind in ("timestamptz", "date", "text") or kind.name == "TIMESTAMP"
    return say(dialect, f"instant.{kind.kind if known else 'other'}", x=value)


def at_instant(dialect: Dialect, moment: datetime) -> exp.Expr:
    """The literal of a naive UTC instant."""
    if dialect.clock == "microseconds":
        return exp.Literal.number(_microseconds(moment))
    return say(dialect, "literal", x=exp.Literal.string(moment.isoformat(sep=" ")))


def bound(dialect: Dialect, column: exp.Expr, kind: SqlType, moment: datetime) -> tuple[exp.Expr, exp.Expr]:
    """(``column``, the instant) to be compared: in the column's own type where that spares a cast of the column."""
    if f"bound.{kind.kind}" not in dialect.words:
        return instant(dialect, column, kind), at_instant(dialect, moment)
    text = moment.isoformat(sep=" ")
    places = {
        "x": exp.Literal.string(text),
        "aware": exp.Literal.string(text + "+00"),
        "micros": exp.Literal.number(_microseconds(moment)),
    }
    return column, say(dialect, f"bound.{kind.kind}", **places)


def earlier(dialect: Dialect, value: exp.Expr, length: int) -> exp.Expr:
    """The instant ``length`` microseconds before ``value``."""
    if dialect.clock == "microseconds":
        return exp.Sub(this=value, expression=exp.Literal.number(length))
    count, unit = spell(length).split(" ")
    interval = exp.Interval(this=exp.Literal.string(count), unit=exp.Var(this=unit.removesuffix("s").upper()))
    return exp.Sub(this=value, expression=interval)


def microseconds(dialect: Dialect, value: exp.Expr) -> exp.Expr:
    """A canonical instant in microseconds since 1970."""
    return value if dialect.clock == "microseconds" else say(dialect, "microseconds", x=value)


def whole_division(dialect: Dialect, value: exp.Expr, by: exp.Expr) -> exp.Expr:
    """``value / by`` over whole numbers; which way a rest is rounded is left to the engine."""
    return say(dialect, "whole_division", x=value, y=by)


def _microseconds(moment: datetime) -> int:
    since = moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
