"""When the units of the calendar begin, as the clocks of a zone show them: for the oracle, by the standard library."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from oracle_values import instant, microseconds

CYCLE = 146_097 * 86_400_000_000
"""The microseconds of 400 years, after which the calendar repeats itself, days of the week included."""


@dataclass(frozen=True)
class Period:
    """A unit of the calendar in a zone, up to the present; ``back``: the whole unit before. Or a length since 1970."""

    unit: str | int
    zone: str = "UTC"
    back: bool = False


def bounds(period: Period, t: datetime) -> tuple[int, int]:
    """The first and the last microsecond of the frame at ``t``."""
    at = microseconds(t)
    if isinstance(period.unit, int):
        begin = at // period.unit * period.unit
        return (begin - period.unit, begin - 1) if period.back else (begin, at)
    if not 2 < t.year < 9998:  # a clock shows what datetime cannot hold
        moved = CYCLE if t.year < 9998 else -CYCLE
        begin, end = bounds(period, instant(at + moved))
        return begin - moved, end - moved
    shown = instant(at).replace(tzinfo=UTC).astimezone(ZoneInfo(period.zone)).replace(tzinfo=None)
    wall = begin_of(shown, period.unit)
    begin = first_shown(wall, period.zone)
    if not period.back:
        return begin, at
    earlier = begin_of(wall - timedelta(microseconds=1), period.unit)
    return first_shown(earlier, period.zone), begin - 1


def begin_of(shown: datetime, unit: str) -> datetime:
    """What a clock shows when the unit begins."""
    hour = shown.replace(minute=0, second=0, microsecond=0, fold=0)
    day = hour.replace(hour=0)
    return {
        "hour": hour, "day": day, "week": day - timedelta(days=day.weekday()), "month": day.replace(day=1),
        "quarter": day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1), "year": day.replace(month=1, day=1),
    }[unit]  # fmt: skip


def first_shown(wall: datetime, zone: str) -> int:
    """The first instant at which the clocks show this, or at which they leave it out."""
    found = []
    for fold in (0, 1):
        at = wall.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)
        if at.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0) == wall:
            found.append(at)
    # Where no instant shows it, the clocks are moved on: by the time before, that is when.
    first = min(found, default=wall.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC))
    return microseconds(first.replace(tzinfo=None))
