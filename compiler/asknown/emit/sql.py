"""Small words for building SQL trees, and names that nothing a user names can collide with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlglot import exp

from asknown.durations import spell
from asknown.model.nodes import Column
from asknown.types import SqlType

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*\Z")


class Names:
    """Gives names that are not taken yet. Letter case does not tell names apart."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = {name.casefold() for name in taken}

    def fresh(self, wish: str) -> str:
        """``wish``, with as many underscores behind it as it takes; taken from now on."""
        while wish.casefold() in self._taken:
            wish += "_"
        self._taken.add(wish.casefold())
        return wish

    def take(self, names: Iterable[str]) -> None:
        self._taken.update(name.casefold() for name in names)


def ident(name: str) -> exp.Identifier:
    """The identifier ``name``, quoted where it is no plain lower-case word (the dialect quotes its own keywords)."""
    return exp.Identifier(this=name, quoted=_PLAIN.match(name) is None)


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


def given(value: exp.Expr) -> exp.Expr:
    """``value is not null``."""
    return exp.Not(this=exp.Is(this=value, expression=exp.null()))


def instant(value: exp.Expr, kind: SqlType) -> exp.Expr:
    """``value`` as the canonical instant: a naive timestamp in UTC, in microseconds."""
    match kind.kind:
        case "timestamptz":
            return exp.AtTimeZone(this=value, zone=exp.Literal.string("UTC"))
        case "date":
            return exp.cast(value, "TIMESTAMP")
        case "text":
            return exp.AtTimeZone(this=exp.cast(value, "TIMESTAMPTZ"), zone=exp.Literal.string("UTC"))
    if kind.name != "TIMESTAMP":  # nanoseconds, which the store has found to be whole microseconds
        return exp.cast(value, "TIMESTAMP")
    return value


def at_instant(moment: datetime) -> exp.Expr:
    """The literal of a naive UTC instant."""
    return exp.cast(exp.Literal.string(moment.isoformat(sep=" ")), "TIMESTAMP")


def at_instant_of(moment: datetime, kind: SqlType) -> exp.Expr:
    """The literal of a naive UTC instant in a column's own type, so that comparing needs no cast of the column."""
    if kind.kind == "timestamptz":
        return exp.cast(exp.Literal.string(moment.isoformat(sep=" ") + "+00"), "TIMESTAMPTZ")
    return at_instant(moment)


def interval(length: int) -> exp.Interval:
    """The interval of ``length`` microseconds."""
    count, unit = spell(length).split(" ")
    return exp.Interval(this=exp.Literal.string(count), unit=exp.Var(this=unit.removesuffix("s").upper()))


def order_terms(column: Column, value: exp.Expr) -> list[exp.Expr]:
    """Sort terms, greatest first and NULLs last, under which two values tie only if they are the same to the bit."""
    terms = [exp.Ordered(this=value, desc=True, nulls_first=False)]
    if column.type.kind == "float":  # -0.0 equals 0.0, and is not the same value
        terms.append(exp.Ordered(this=exp.func("signbit", value.copy()), nulls_first=False))
    elif column.type.kind in ("list", "struct"):
        terms.append(exp.Ordered(this=exp.cast(value.copy(), "VARCHAR"), desc=True, nulls_first=False))
    return list(terms)
