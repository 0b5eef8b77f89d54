"""Sources and models with other rows: without what was not known yet at an instant, or with other values for it.

`asknown audit` trains on such relations and compares. `asknown verify` uses them to say what a load has seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from asknown.dialects.dialect import Dialect
from asknown.emit.identifiers import Names
from asknown.emit.models import ViewRows
from asknown.emit.snippets import cast, snippet
from asknown.emit.sql import at_instant, col, ident, instant, named, not_null, table
from asknown.emit.statement import Cte, Statement
from asknown.errors import AsknownError
from asknown.model.nodes import FeatureView
from asknown.types import Column, SqlType, parse_type


@dataclass(frozen=True)
class Times:
    """When the rows of a relation, and some of their columns, became known.

    ``loaded_at`` is the column that says when a row reached the warehouse. ``columns`` maps columns that are known
    later than their row to SQL over the relation's columns. ``kept`` are columns that identify rows.
    """

    loaded_at: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    kept: frozenset[str] = frozenset()

    @property
    def tells(self) -> bool:
        """Whether this says of any row or column when it became known."""
        return self.loaded_at is not None or bool(self.columns)


@dataclass(frozen=True)
class Timed:
    """A relation by name, with its columns and what is said of its times."""

    name: str
    columns: tuple[Column, ...]
    times: Times


@dataclass(frozen=True)
class KnownBy:
    """The rows and values that were known by an instant (naive, in UTC)."""

    at: datetime


@dataclass(frozen=True)
class SeenBy:
    """The rows of a source that one read of the online table could see.

    Rows of files count if they were ``loaded`` by an instant (naive, in UTC). Pushed rows, which have numbers, count up
    to ``pushed``; all of them where it is None.
    """

    loaded: datetime
    pushed: int | None = None


@dataclass(frozen=True)
class Poisoned:
    """All rows. Values that were not known by an instant are extremes: all high, or all low."""

    at: datetime
    high: bool


@dataclass(frozen=True)
class Shuffled:
    """All rows, in an order that depends on ``seed``."""

    seed: int


Alteration = KnownBy | Poisoned | Shuffled


def altered_ctes(cte: Cte, relation: Timed, alteration: Alteration, names: Names, dialect: Dialect) -> list[Cte]:
    """The CTEs in place of ``cte``, which gives ``relation``. The last has its name."""
    times = relation.times
    given = names.fresh(f"{cte.name}__given")
    match alteration:
        case Shuffled(seed):
            order = snippet(dialect, "shuffled", x=exp.column(ident(given)), seed=exp.Literal.number(seed))
            query = exp.select("*").from_(table(given)).order_by(order)
            return [Cte(given, cte.body, cte.materialized), Cte(cte.name, query, materialized=True)]
        case KnownBy() | Poisoned():
            if not times.tells:
                return [cte]
            reader = _Reader(given, relation.columns, dialect)
            shown = [_column(column, times, alteration, reader) for column in relation.columns]
            query = exp.select(*shown).from_(table(given))
            if isinstance(alteration, KnownBy) and times.loaded_at is not None:
                query = query.where(reader.instant(times.loaded_at) <= at_instant(dialect, alteration.at))
            return [Cte(given, cte.body, cte.materialized), Cte(cte.name, query, materialized=False)]
    assert_never(alteration)


def seen_cte(cte: Cte, arrival: Column, seen: SeenBy, *, numbered: str | None, dialect: Dialect) -> Cte:
    """The CTE of a source that takes pushes, with the rows that a read could see.

    ``arrival`` is the column that says when a row came, and ``numbered`` the stored one that numbers pushed rows; None
    where no pushed row has landed.
    """
    body = cte.body
    assert isinstance(body, exp.Select)
    came = instant(dialect, exp.column(ident(arrival.name)), arrival.type)
    seen_rows: exp.Expr = came <= at_instant(dialect, seen.loaded)
    if numbered is not None:
        number = exp.column(ident(numbered))
        pushed = not_null(number) if seen.pushed is None else number <= exp.Literal.number(seen.pushed)
        seen_rows = exp.or_(exp.and_(number.is_(exp.null()), seen_rows), pushed)
    return Cte(cte.name, body.copy().where(seen_rows), cte.materialized)


def compile_moments(models: Sequence[Cte], relation: Timed, after: datetime, dialect: Dialect) -> Statement:
    """A query of the distinct instants after ``after`` at which something in a relation became known."""
    reader = _Reader(relation.name, relation.columns, dialect)
    parts = []
    for when in _whens(relation.times):
        moment = reader.instant(when)
        later = exp.GT(this=moment.copy(), expression=at_instant(dialect, after))
        parts.append(exp.select(named(moment, "moment")).from_(table(relation.name)).where(later))
    query = exp.union(*parts) if len(parts) > 1 else parts[0].distinct()
    return Statement(tuple(models), query)


def compile_known_at(models: Sequence[Cte], relation: Timed, moment: datetime, dialect: Dialect) -> Statement:
    """A query of up to three rows of a relation that became known, in whole or in part, at one instant."""
    reader = _Reader(relation.name, relation.columns, dialect)
    at = at_instant(dialect, moment)
    known = exp.or_(*[reader.instant(when).eq(at.copy()) for when in _whens(relation.times)])
    return Statement(tuple(models), exp.select("*").from_(table(relation.name)).where(known).limit(3))


def _whens(times: Times) -> list[str]:
    own = list(dict.fromkeys(times.columns.values()))
    return own if times.loaded_at is None else [times.loaded_at, *own]


def compile_keys(
    view: FeatureView, models: Sequence[Cte], reserved_names: Sequence[str], dialect: Dialect
) -> Statement:
    """A query of the distinct keys of a view's rows, without those that have a NULL."""
    rows = ViewRows(Names([*reserved_names, *(cte.name for cte in models)]), dialect)
    ctes = rows.of(view)
    keys = [exp.column(ident(key.name)) for key in view.keys]
    whole = [not_null(key.copy()) for key in keys]
    query = exp.select(*keys).from_(table(rows.name(view))).where(*whole).distinct()
    return Statement((*models, *ctes), query)


def compile_counts(
    view: FeatureView, models: Sequence[Cte], reserved_names: Sequence[str], dialect: Dialect
) -> Statement:
    """A query of each key's number of rows in a view, and of its values in each other column."""
    rows = ViewRows(Names([*reserved_names, *(cte.name for cte in models)]), dialect)
    ctes = rows.of(view)
    keys = [exp.column(ident(key.name)) for key in view.keys]
    counted = [exp.Count(this=exp.column(ident(c.name))) for c in view.columns if c not in view.keys]
    query = exp.select(*keys, exp.Count(this=exp.Star()), *counted).from_(table(rows.name(view)))
    if keys:
        query = query.group_by(*[key.copy() for key in keys])
    return Statement((*models, *ctes), query)


@dataclass(frozen=True)
class _Reader:
    """Reads SQL over the ``columns`` of the relation called ``given``."""

    given: str
    columns: tuple[Column, ...]
    dialect: Dialect

    def instant(self, sql: str) -> exp.Expr:
        """The instant that an expression gives."""
        name = sql.strip().strip('"').casefold()
        column = next((column for column in self.columns if column.name.casefold() == name), None)
        if column is not None:
            return instant(self.dialect, col(column.name, self.given), column.type)
        try:
            tree = parse_one(sql, dialect="duckdb")
        except SqlglotError:
            raise AsknownError(
                "bad-value", f"known_at '{sql}' of a column is not an expression", hint="name a column"
            ) from None
        return instant(self.dialect, exp.paren(tree), parse_type("TIMESTAMP"))


def _column(column: Column, times: Times, alteration: KnownBy | Poisoned, reader: _Reader) -> exp.Expr:
    """A column of the relation as the alteration has it."""
    value = col(column.name, reader.given)
    own = {name.casefold(): sql for name, sql in times.columns.items()}.get(column.name.casefold())
    when = own or (times.loaded_at if isinstance(alteration, Poisoned) else None)
    if when is None:
        return value
    known = reader.instant(when) <= at_instant(reader.dialect, alteration.at)
    if isinstance(alteration, KnownBy):
        return named(exp.Case(ifs=[exp.If(this=known, true=value)]), column.name)
    other = None if column.name.casefold() in times.kept else _extreme(column.type, value, alteration.high)
    if other is None:
        return value
    changed = cast(reader.dialect, other, column.type)
    return named(exp.Case(ifs=[exp.If(this=known, true=value)], default=changed), column.name)


def _extreme(kind: SqlType, value: exp.Expr, high: bool) -> exp.Expr | None:
    """A value at one end of a type, far enough from its bounds for sums; None for a type that stays as it is."""
    match kind.kind:
        case "boolean":
            return exp.not_(value.copy())
        case "float":
            return _number(10**12 if high else -(10**12))
        case "integer":
            least, most = kind.bounds
            far = min(most // 2, 10**12)
            return _number(far if high else max(least // 2, -far))
        case "decimal":
            far = 10 ** min(max(kind.precision - kind.scale - 1, 0), 12)
            return _number(far if high else -far)
        case "text":
            return None if kind.is_enum else exp.Literal.string("zzzz" if high else "")
        case _:
            return None


def _number(value: int) -> exp.Expr:
    return exp.Literal.number(value) if value >= 0 else exp.Neg(this=exp.Literal.number(-value))
