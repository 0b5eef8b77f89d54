"""The query of the instants at which periods of the calendar begin, for the online table."""

from __future__ import annotations

from datetime import datetime

from sqlglot import exp

from asknown.dialects.dialect import Dialect
from asknown.emit.snippets import instantiate, snippet
from asknown.emit.sql import at_instant, microseconds
from asknown.emit.windows.periods import begin_of, shown_at
from asknown.periods import UTC, CalendarPeriod

_EVERY = "SELECT UNNEST(GENERATE_SERIES(:begin, :end, :step)) AS shown"


def starts_query(dialect: Dialect, period: CalendarPeriod, earliest: datetime, latest: datetime) -> str:
    """SQL for the instants, in microseconds and in order: from two units before ``earliest`` to one after ``latest``.

    Each unit has one, also a unit that the clocks of the zone leave out.
    """

    def begin(at: datetime, back: int) -> exp.Expr:
        instant = at_instant(dialect, at)
        shown = (
            instant if period.zone == UTC else snippet(dialect, "wall", t=instant, zone=exp.Literal.string(period.zone))
        )
        return begin_of(dialect, shown, period, back=back)

    step = exp.Interval(
        this=exp.Literal.string("3" if period.unit == "quarter" else "1"),
        unit=exp.Var(this="MONTH" if period.unit == "quarter" else period.unit.upper()),
    )
    every = instantiate(dialect, _EVERY, begin=begin(earliest, 2), end=begin(latest, -1), step=step)
    start = microseconds(dialect, shown_at(dialect, exp.column("shown"), period.zone))
    query = exp.select(start).from_(exp.Subquery(this=every, alias=exp.TableAlias(this=exp.to_identifier("units"))))
    return query.order_by(exp.Literal.number(1)).sql(dialect.sqlglot)
