"""The bounds of frames over periods: columns of each moment, computed once, that rows are compared with (rule 4)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from sqlglot import exp

from asknown.dialects.dialect import Dialect
from asknown.durations import DAY
from asknown.emit.asof.scope import AsOfScope
from asknown.emit.snippets import instantiate, snippet, unsupported
from asknown.emit.sql import col, earlier, microseconds, named
from asknown.model.nodes import PeriodFrame
from asknown.periods import UNITS, UTC, CalendarPeriod, FixedPeriod, Period


class PeriodBounds:
    """The bounds of some frames: the columns that a moment has of them, and the conditions on a row."""

    def __init__(self, scope: AsOfScope, frames: Iterable[PeriodFrame]) -> None:
        self._scope = scope
        # Each period's beginning, and with True that of the period before.
        wanted = {(frame.period, back) for frame in frames for back in (False, *((True,) if frame.back else ()))}
        ordered = sorted(wanted, key=lambda pair: (str(pair[0]), pair[1]))
        self._names = {pair: scope.inner(f"begin{place}") for place, pair in enumerate(ordered)}

    def columns(self) -> list[exp.Expr]:
        """The columns of a moment: when each period began."""
        scope = self._scope
        return [
            named(period_start(scope.dialect, col(scope.t, scope.m), period, before=before), name)
            for (period, before), name in self._names.items()
        ]

    def inside(self, frame: PeriodFrame) -> list[exp.Expr]:
        """The conditions that a row lies in a frame, beside that it is not after the moment."""
        scope = self._scope
        when = col(scope.event_time, scope.v)
        begin = col(self._names[frame.period, frame.back], scope.m)
        if not frame.back:
            return [when >= begin]
        return [when >= begin, when.copy() < col(self._names[frame.period, False], scope.m)]


def period_start(dialect: Dialect, t: exp.Expr, period: Period, *, before: bool) -> exp.Expr:
    """When the period that ``t`` lies in began, or the one before it. Both are canonical instants."""
    match period:
        case FixedPeriod(length):
            micros = microseconds(dialect, t)
            text = ":z - (:z % :p + :p) % :p" + (" - :p" if before else "")
            start = instantiate(dialect, text, z=micros, p=exp.Literal.number(length))
            return start if dialect.clock == "microseconds" else snippet(dialect, "from_microseconds", x=start)
        case CalendarPeriod(zone=zone):
            if not _has_calendar(dialect) or (zone != UTC and "wall" not in dialect.snippets):
                raise _unsupported(dialect, period)
            of = t if zone == UTC else snippet(dialect, "wall", t=t, zone=exp.Literal.string(zone))
            return shown_at(dialect, begin_of(dialect, of, period, back=1 if before else 0), zone)
    assert_never(period)


def begin_of(dialect: Dialect, shown: exp.Expr, period: CalendarPeriod, *, back: int) -> exp.Expr:
    """The clock time at which the unit of ``shown`` begins, or the unit that lies ``back`` units before it."""
    if dialect.clock == "microseconds":
        return _begin_in_microseconds(dialect, shown, period, back)
    text = dialect.snippets["date_trunc"].replace(":unit", f"'{period.unit}'")  # a word to the parser, no value
    begin = instantiate(dialect, text, x=shown)
    if not back:
        return begin
    months = period.unit == "quarter"
    count, unit = (3 * back, "month") if months else (back, period.unit)
    return exp.Sub(
        this=begin, expression=exp.Interval(this=exp.Literal.string(str(count)), unit=exp.Var(this=unit.upper()))
    )


def _begin_in_microseconds(dialect: Dialect, t: exp.Expr, period: CalendarPeriod, back: int) -> exp.Expr:
    """As :func:`begin_of`, in UTC, where instants are numbers."""
    months = {"month": 1, "quarter": 3, "year": 12}.get(period.unit)
    if months is not None:
        text = dialect.snippets[f"begin.{period.unit}"].replace(":months", str(-months * back))
        return instantiate(dialect, text, x=t)
    monday = 3 * DAY if period.unit == "week" else 0  # 1970 began on a Thursday
    text = f":z - ((:z + {monday}) % :p + :p) % :p - {back} * :p"
    return instantiate(dialect, text, z=t, p=exp.Literal.number(UNITS[period.unit]))


def _has_calendar(dialect: Dialect) -> bool:
    return "date_trunc" in dialect.snippets or "begin.month" in dialect.snippets


def shown_at(dialect: Dialect, shown: exp.Expr, zone: str) -> exp.Expr:
    """The first instant at which the clocks of a zone show ``shown``, or at which they leave it out."""
    if zone == UTC:
        return shown
    name = exp.Literal.string(zone)
    just_before = snippet(dialect, "from_zone", x=exp.paren(earlier(dialect, shown.copy(), 1)), zone=name.copy())
    tick = exp.Interval(this=exp.Literal.string("1"), unit=exp.Var(this="MICROSECOND"))
    return exp.Least(
        this=snippet(dialect, "from_zone", x=exp.paren(shown), zone=name),
        expressions=[exp.Add(this=exp.paren(just_before), expression=tick)],
    )


def _unsupported(dialect: Dialect, period: CalendarPeriod) -> Exception:
    other = "write it in UTC, or " if _has_calendar(dialect) else ""
    return unsupported(
        dialect,
        f"frame over a {period}",
        hint=f"{other}use a target of DuckDB or Postgres for this view; a window of a fixed length is on every engine: "
        "over {{ last('30 days') }}",
    )
