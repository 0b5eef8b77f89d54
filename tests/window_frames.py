"""Hypothesis strategies for the frames of trailing windows, and for the ways to write one.

Lengths are whole steps of the grid that times come from, or a microsecond more or less.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from hypothesis import strategies as st

from oracle_calendar import Period
from strategies import MICROSECOND


@dataclass(frozen=True)
class Frame:
    """A frame: what the oracle calls it, and its SQL behind OVER."""

    length: int
    closed: str
    delay: int
    sql: str
    period: Period | None = None


@dataclass(frozen=True)
class Names:
    """How a view's SQL calls its columns: by themselves, or as another column that it renames."""

    keys: tuple[str, ...]
    event_time: str
    columns: Mapping[str, str]


CALENDAR = ("hour", "day", "day", "week", "month", "quarter", "year")
ZONES = ("UTC", "UTC", "UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kathmandu")
UNITS = {"day": 86_400_000_000, "hour": 3_600_000_000, "minute": 60_000_000, "microsecond": 1}


@st.composite
def durations(draw: st.DrawFn, length: int) -> str:
    """A duration as text, in any unit that divides it."""
    unit = draw(st.sampled_from([unit for unit, size in UNITS.items() if length % size == 0]))
    count = length // UNITS[unit]
    return f"{count} {unit}{'' if count == 1 else 's'}"


@st.composite
def intervals(draw: st.DrawFn, length: int) -> str:
    """An interval in SQL."""
    text = draw(durations(length))
    number, unit = text.split()
    return draw(st.sampled_from((f"interval '{text}'", f"INTERVAL '{number}' {unit}", f"interval {number} {unit}")))


@st.composite
def frame_clauses(draw: st.DrawFn, oldest: int, newest: int) -> str:
    """The RANGE clause of the rows from ``oldest`` to ``newest`` microseconds before the current one."""
    start = f"{draw(intervals(oldest))} preceding"
    if newest:
        return f"range between {start} and {draw(intervals(newest))} preceding"
    return draw(st.sampled_from((f"range between {start} and current row", f"range {start}")))


@st.composite
def periods(draw: st.DrawFn, number: int, named: list[str]) -> Frame:
    """A frame over a unit of the calendar, in line or as a named window."""
    unit = draw(st.sampled_from(CALENDAR))
    period = Period(unit, "UTC" if unit == "hour" else draw(st.sampled_from(ZONES)), draw(st.booleans()))
    zone = "" if period.zone == "UTC" else f", '{period.zone}'"
    text = f"{{{{ {'previous' if period.back else 'this'}('{period.unit}'{zone}) }}}}"
    if draw(st.booleans()):
        named.append(f"w{number} as {text}")
        text = f"w{number}"
    return Frame(0, "both", 0, text, period)


@st.composite
def frames(draw: st.DrawFn, names: Names, step: timedelta, number: int, named: list[str]) -> Frame:
    """A frame, written with the macro, in line, or as a named window (which is added to ``named``)."""
    if draw(st.integers(0, 9)) == 0:
        return draw(periods(number, named))
    unit = step // MICROSECOND
    length = draw(st.sampled_from((unit, unit, 2 * unit, 3 * unit, 3 * unit + 1, 3 * unit - 1, 1, 13 * unit)))
    closed = draw(st.sampled_from(("both", "both", "left", "right")))
    delay = draw(st.sampled_from((0, 0, 0, unit, 1)))
    if draw(st.booleans()):
        options = "" if closed == "both" and draw(st.booleans()) else f", closed='{closed}'"
        options += f", delay='{draw(durations(delay))}'" if delay else ""
        return Frame(length, closed, delay, f"{{{{ last('{draw(durations(length))}'{options}) }}}}")
    clause = draw(frame_clauses(length + delay - (closed == "right"), delay + (closed == "left")))
    partition = f"partition by {', '.join(draw(st.permutations(names.keys)))} " if names.keys else ""
    text = f"({partition}order by {names.event_time}{draw(st.sampled_from(('', ' asc')))} {clause})"
    if draw(st.booleans()):
        named.append(f"w{number} as {text}")
        text = f"w{number}"
    return Frame(length, closed, delay, text)
