"""Recognizes frames over periods, which the macros ``this`` and ``previous`` write (rule 4).

Their bounds are expressions of the row's event time, so that the model runs as it stands ::

    range between ts - date_trunc('month', ts) preceding and current row
"""

from __future__ import annotations

from functools import cache

from sqlglot import exp, parse_one

from asknown.model.nodes import PeriodFrame
from asknown.periods import UNITS, UTC, CalendarPeriod, FixedPeriod, Period

_X = "x_"  # stands for the event time
# How the macros write the time since a period began; with ``less``, since that much before its beginning.
_IN_UTC = "x_ - date_trunc('{unit}', x_)"
_IN_UTC_LESS = "x_ - (date_trunc('{unit}', x_) - interval '{less}')"
_WALL = "date_trunc('{unit}', make_timestamptz(epoch_us(x_)) at time zone '{zone}')"
_IN_ZONE = (
    "to_microseconds(epoch_us(x_) - least(epoch_us({wall} at time zone '{zone}'), "
    "epoch_us(({wall} - interval '1 microsecond') at time zone '{zone}') + 1){more})"
)
_FIXED = "to_microseconds(((epoch_us(x_) % {length}) + {length}) % {length}{more})"


def read_period_frame(start: object, end: object, event_time: exp.Expr) -> PeriodFrame | None:
    """The frame over periods that has these bounds, if it is one."""
    if not isinstance(start, exp.Expr):
        return None
    spelled = _spelled(start, event_time)
    for period in _candidates(start):
        this, before, last = _bounds(period)
        if spelled == this and (end is None or (isinstance(end, str) and end.upper() == "CURRENT ROW")):
            return PeriodFrame(period, back=False)
        if spelled == before and isinstance(end, exp.Expr) and _spelled(end, event_time) == last:
            return PeriodFrame(period, back=True)
    return None


def _candidates(bound: exp.Expr) -> list[Period]:
    """The periods that a bound may be of, by the literals in it."""
    lengths = [node.expression for node in bound.find_all(exp.Mod)]
    if lengths:
        fixed = {int(length.name) for length in lengths if isinstance(length, exp.Literal) and length.is_int}
        return [FixedPeriod(length) for length in fixed if length > 0]
    zones = [node.args.get("zone") for node in bound.find_all(exp.AtTimeZone)]
    names = {zone.name for zone in zones if isinstance(zone, exp.Literal) and zone.is_string} or {UTC}
    names = {name for name in names if "'" not in name}  # no zone has such a name, and no macro writes it
    # Some zones move their clocks by a part of an hour, and show some hours twice: hours are those of UTC.
    return [CalendarPeriod(unit, zone) for zone in names for unit in UNITS if zone == UTC or unit != "hour"]


@cache
def _bounds(period: Period) -> tuple[str, str, str]:
    """The bounds: since the period began, since the one before began, and since just before the period began."""
    match period:
        case FixedPeriod(length):
            texts = [_FIXED.format(length=length, more=more) for more in ("", f" + {length}", " + 1")]
        case CalendarPeriod(unit, zone) if zone == UTC:
            texts = [
                _IN_UTC.format(unit=unit),
                *(_IN_UTC_LESS.format(unit=unit, less=less) for less in (f"1 {unit}", "1 microsecond")),
            ]
        case CalendarPeriod(unit, zone):
            wall = _WALL.format(unit=unit, zone=zone)
            before = f"({wall} - interval '1 {unit}')"
            texts = [
                _IN_ZONE.format(wall=of, zone=zone, more=more)
                for of, more in ((wall, ""), (before, ""), (wall, " + 1"))
            ]
    this, last, just_before = (parse_one(text, read="duckdb").sql("duckdb").casefold() for text in texts)
    return this, last, just_before


def _spelled(bound: exp.Expr, event_time: exp.Expr) -> str:
    """The SQL of a bound with a name of ours for the event time, in lower case."""
    own = event_time.sql("duckdb").casefold()

    def rename(node: exp.Expr) -> exp.Expr:
        return exp.column(_X) if node.sql("duckdb").casefold() == own else node

    return bound.copy().transform(rename).sql("duckdb").casefold()
