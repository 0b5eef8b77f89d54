"""Writes UTC into the expressions whose value would follow the session's time zone.

DuckDB's SQL says ``extract(hour from t)`` of an instant in the session's zone, which asknown sets to UTC. Where the
translated SQL runs elsewhere, the session's zone may be another. So ``t`` becomes ``t AT TIME ZONE 'UTC'`` there,
which is the time that a clock in UTC shows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from sqlglot import exp

from asknown.emit.translate.operands import operand_kinds, operands_of
from asknown.types import SqlType, parse_type

_AWARE = "timestamptz"
_NAIVE = ("timestamp", "date")
_INSTANTS = frozenset((_AWARE, *_NAIVE))

# Expressions that give numbers, texts or dates of what the clock shows, and those that give an instant again.
_SHOWN = (
    *(exp.Extract, exp.DateDiff, exp.TimeToStr, exp.Dayname, exp.Monthname, exp.LastDay, exp.Date),
    *(exp.Year, exp.Quarter, exp.Month, exp.Week, exp.WeekOfYear, exp.Day, exp.DayOfMonth, exp.DayOfWeek),
    *(exp.DayOfWeekIso, exp.DayOfYear, exp.Hour, exp.Minute, exp.Second),
)
_SHOWN_BY_NAME = frozenset(
    (
        *("date_part", "datepart", "date_sub", "age", "dow", "isodow", "doy", "isoyear", "weekday", "yearweek"),
        *("century", "decade", "millennium", "era", "millisecond", "microsecond"),
    )
)
_BARE = re.compile(r"\d{4}-\d\d-\d\d(?P<clock>[ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?", re.ASCII)
_MOVED = (exp.TimestampTrunc, exp.DateTrunc, exp.DateBin, exp.DateAdd)
_MIXED = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Between, exp.In)
_CHOICES = (exp.Coalesce, exp.Case, exp.If, exp.Greatest, exp.Least)


def write_utc(tree: exp.Expr, types: Mapping[str, SqlType]) -> exp.Expr:
    """The tree in DuckDB's SQL, such that no value in it follows the session's zone.

    ``types`` are the types of its columns and parameters.

    >>> from sqlglot import parse_one
    >>> types = {"t": parse_type("TIMESTAMPTZ")}
    >>> write_utc(parse_one("extract(hour from t)", read="duckdb"), types).sql("duckdb")
    "EXTRACT(HOUR FROM (t AT TIME ZONE 'UTC'))"
    """
    kinds = operand_kinds(tree, types)
    for node in reversed(list(tree.walk())):
        below = kinds.get(id(node), ())
        if _AWARE not in below and not (isinstance(node, exp.Cast) and _kind_of(node) == _AWARE):
            continue
        written = _written(node, below)
        if written is node:
            continue
        if node is tree:
            tree = written
        else:
            node.replace(written)
    return tree


def _written(node: exp.Expr, below: Sequence[str]) -> exp.Expr:
    """The node, whose operands are of the kinds ``below``, without the session's zone."""
    by_name = isinstance(node, exp.Anonymous) and node.name.casefold() in _SHOWN_BY_NAME
    if isinstance(node, _SHOWN) or by_name:
        return _with(node, below, _AWARE, _shown)
    if isinstance(node, _MOVED) or (isinstance(node, exp.Add | exp.Sub) and "interval" in below):
        return _aware(_with(node, below, _AWARE, _shown))
    if isinstance(node, _MIXED) or (isinstance(node, _CHOICES) and set(below) <= _INSTANTS | {"null"}):
        node = _with(node, below, "text", _literal_aware)
        for kind in _NAIVE:
            node = _with(node, below, kind, _aware_of_naive)
        return node
    if isinstance(node, exp.Sub) and set(below) <= _INSTANTS:
        for kind in _NAIVE:
            node = _with(node, below, kind, _aware_of_naive)
        return node
    return _cast(node, below[0]) if isinstance(node, exp.Cast) and below else node


def _cast(node: exp.Cast, given: str) -> exp.Expr:
    wanted, value = _kind_of(node), node.this
    if given == _AWARE and wanted in ("date", "timestamp", "time"):
        return exp.Cast(this=_shown(value), to=node.to)
    if given == _AWARE and wanted == "text":
        text = exp.Cast(this=_shown(value), to=node.to)
        return exp.Paren(this=exp.DPipe(this=text, expression=exp.Literal.string("+00"), safe=True))
    if wanted == _AWARE and given in _NAIVE:
        return _aware_of_naive(value)
    if wanted == _AWARE and given == "text":
        return exp.Cast(this=_with_offset(value), to=node.to)
    return node


def _kind_of(node: exp.Cast) -> str:
    return parse_type(node.to.sql("duckdb")).kind


def _with(node: exp.Expr, below: Sequence[str], kind: str, write: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    """The node with ``write`` applied to each operand of this kind."""
    for operand, found in zip(operands_of(node), below, strict=True):
        if found == kind:
            operand.replace(write(operand.copy()))
    return node


def _shown(value: exp.Expr) -> exp.Expr:
    """``value AT TIME ZONE 'UTC'``: of an instant what the clock shows, and of that the instant."""
    simple = isinstance(value, exp.Column | exp.Cast | exp.Paren | exp.Func | exp.Literal)
    zoned = exp.AtTimeZone(this=value if simple else exp.Paren(this=value), zone=exp.Literal.string("UTC"))
    return exp.Paren(this=zoned)


def _aware(value: exp.Expr) -> exp.Expr:
    return _shown(value.copy())


def _aware_of_naive(value: exp.Expr) -> exp.Expr:
    return _shown(exp.Cast(this=value, to=exp.DataType.build("TIMESTAMP")))


def _literal_aware(value: exp.Expr) -> exp.Expr:
    """A text that is compared with an instant, as an instant, if it is a literal."""
    if not isinstance(value, exp.Literal):
        return value
    return exp.Cast(this=_with_offset(value), to=exp.DataType.build("TIMESTAMPTZ"))


def _with_offset(value: exp.Expr) -> exp.Expr:
    """A literal of a time without an offset from UTC, with one."""
    if not isinstance(value, exp.Literal) or not (found := _BARE.fullmatch(value.name)):
        return value
    return exp.Literal.string(f"{value.name}{'' if found['clock'] else ' 00:00'}+00")
