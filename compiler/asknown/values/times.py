"""Functions of dates and timestamps, with the engine's results. Timestamps are naive, in UTC.

All differences and cuts are made in whole microseconds since 1970, rounded down also before it. A result outside the
years 1 to 9999 is an error. The standard library only.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from asknown.values.errors import EvaluationError

_EPOCH = datetime(1970, 1, 1)
_FIRST_DAY = date(1970, 1, 1).toordinal()
_TICK = timedelta(microseconds=1)
_DAY = 86_400_000_000

UNITS = {
    "microsecond": 1,
    "millisecond": 1_000,
    "second": 1_000_000,
    "minute": 60_000_000,
    "hour": 3_600_000_000,
    "day": _DAY,
}
"""The units of fixed length, in microseconds."""


def to_micros(x: date) -> int:
    """Microseconds since 1970; of a date, of its midnight."""
    if isinstance(x, datetime):
        since = x - _EPOCH
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return (x.toordinal() - _FIRST_DAY) * _DAY


def from_micros(micros: int) -> datetime:
    """The timestamp so many microseconds after 1970."""
    try:
        return _EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        raise EvaluationError("a timestamp outside the years 1 to 9999") from None


# ---------------------------------------------------------------- differences


def difference(unit: str) -> Callable[[date, date], int]:
    """The function from two times to the number of bounds of the unit between them."""
    length = UNITS.get(unit)
    if length is not None:
        return lambda a, b: to_micros(b) // length - to_micros(a) // length
    months = {"month": 1, "quarter": 3, "year": 12}[unit]
    return lambda a, b: _months(b) // months - _months(a) // months


def _months(x: date) -> int:
    return x.year * 12 + x.month - 1


def seconds_between(a: datetime, b: datetime) -> float:
    """epoch(a - b): the seconds from b to a.

    DuckDB adds whole days to the seconds of the last one, which can be another double than the microseconds by 1e6.
    """
    micros = to_micros(a) - to_micros(b)
    days, rest = divmod(abs(micros), _DAY)
    seconds = days * 86_400 + rest / 1e6
    return -seconds if micros < 0 else seconds


def days_between(a: date, b: date) -> int:
    """The days from b to a."""
    return a.toordinal() - b.toordinal()


def add_days(x: date, days: int) -> date:
    """The date so many days later."""
    try:
        return date.fromordinal(x.toordinal() + days)
    except (ValueError, OverflowError):
        raise EvaluationError("a date outside the years 1 to 9999") from None


def add_interval(x: date, micros: int) -> datetime:
    """The timestamp so many microseconds later."""
    return from_micros(to_micros(x) + micros)


# ---------------------------------------------------------------- parts


def _second(x: date) -> int:
    return x.second if isinstance(x, datetime) else 0


def _microsecond(x: date) -> int:
    return to_micros(x) % 60_000_000


PARTS: dict[str, Callable[[Any], int]] = {
    "year": lambda x: x.year,
    "quarter": lambda x: (x.month + 2) // 3,
    "month": lambda x: x.month,
    "week": lambda x: x.isocalendar()[1],
    "isoyear": lambda x: x.isocalendar()[0],
    "day": lambda x: x.day,
    "doy": lambda x: x.timetuple().tm_yday,
    "dow": lambda x: x.isoweekday() % 7,
    "isodow": lambda x: x.isoweekday(),
    "hour": lambda x: x.hour if isinstance(x, datetime) else 0,
    "minute": lambda x: x.minute if isinstance(x, datetime) else 0,
    "second": _second,
    "millisecond": lambda x: _microsecond(x) // 1000,
    "microsecond": _microsecond,
}
"""Parts of a time as whole numbers. A millisecond or microsecond has the seconds of its minute."""


def cut(unit: str) -> Callable[[date], datetime]:
    """The function from a time to the beginning of its unit."""
    length = UNITS.get(unit)
    if length is not None:
        return lambda x: from_micros(to_micros(x) // length * length)
    return _CUTS[unit]


def _week(x: date) -> datetime:
    """Monday, midnight."""
    days = to_micros(x) // _DAY
    return from_micros((days - (days + 3) % 7) * _DAY)


_CUTS: dict[str, Callable[[date], datetime]] = {
    "week": _week,
    "month": lambda x: datetime(x.year, x.month, 1),
    "quarter": lambda x: datetime(x.year, (x.month - 1) // 3 * 3 + 1, 1),
    "year": lambda x: datetime(x.year, 1, 1),
}

CUTS = (*UNITS, *_CUTS)
"""The units that a time can be cut to."""

DIFFERENCES = (*UNITS, "month", "quarter", "year")
"""The units in which times are subtracted."""


# ---------------------------------------------------------------- conversions


def epoch(x: date) -> float:
    """Seconds since 1970."""
    return to_micros(x) / 1e6


def epoch_ms(x: date) -> int:
    """Milliseconds since 1970, rounded with halves away from zero."""
    micros = to_micros(x)
    return (micros + 500) // 1000 if micros >= 0 else -((500 - micros) // 1000)


def midnight(x: date) -> datetime:
    """The timestamp of a date."""
    return datetime(x.year, x.month, x.day)


def in_utc(x: datetime) -> datetime:
    """The same instant, without its zone if it has one, else with UTC's."""
    return x.replace(tzinfo=UTC) if x.tzinfo is None else x.astimezone(UTC).replace(tzinfo=None)
