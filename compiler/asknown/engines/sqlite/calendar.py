"""Functions over dates and instants that SQLite has not, or has otherwise: with DuckDB's values.

An instant is an INTEGER of microseconds since 1970 in UTC, a date the text YYYY-MM-DD.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from asknown.engines.sqlite.instants import EPOCH, micros_of
from asknown.errors import AsknownError

_START = EPOCH.replace(tzinfo=None)
_MICROSECOND = timedelta(microseconds=1)
_DAY = 86_400_000_000
_BUCKETS_FROM = 946_857_600_000_000  # Monday, 3 January 2000


def moment_of(value: Any) -> datetime:
    """An instant or a date as a naive datetime in UTC."""
    return _START + (value if isinstance(value, int) else micros_of(value)) * _MICROSECOND


def _micros(moment: datetime) -> int:
    return (moment - _START) // _MICROSECOND


_PARTS: dict[str, Callable[[datetime], Any]] = {
    "year": lambda at: at.year,
    "quarter": lambda at: (at.month + 2) // 3,
    "month": lambda at: at.month,
    "week": lambda at: at.isocalendar()[1],
    "isoyear": lambda at: at.isocalendar()[0],
    "day": lambda at: at.day,
    "dow": lambda at: at.isoweekday() % 7,
    "isodow": lambda at: at.isoweekday(),
    "doy": lambda at: at.timetuple().tm_yday,
    "hour": lambda at: at.hour,
    "minute": lambda at: at.minute,
    "second": lambda at: at.second,
    "millisecond": lambda at: at.second * 1000 + at.microsecond // 1000,
    "microsecond": lambda at: at.second * 1_000_000 + at.microsecond,
    "epoch": lambda at: _micros(at) / 1_000_000,
}


def date_part(part: str, value: Any) -> Any:
    """A part of an instant or a date: a whole number, or for ``epoch`` the seconds since 1970."""
    if part not in _PARTS:
        raise AsknownError("engine", f"SQLite takes no '{part}' out of an instant", hint=f"parts: {', '.join(_PARTS)}")
    return None if value is None else _PARTS[part](moment_of(value))


def start_of(unit: str, value: Any) -> int | None:
    """The instant at which the unit began."""
    if value is None:
        return None
    at = moment_of(value)
    match unit:
        case "second":
            return _micros(at.replace(microsecond=0))
        case "minute":
            return _micros(at.replace(second=0, microsecond=0))
        case "hour":
            return _micros(at.replace(minute=0, second=0, microsecond=0))
    at = at.replace(hour=0, minute=0, second=0, microsecond=0)
    match unit:
        case "week":
            return _micros(at) - (at.isoweekday() - 1) * _DAY
        case "month":
            return _micros(at.replace(day=1))
        case "quarter":
            return _micros(at.replace(month=(at.month - 1) // 3 * 3 + 1, day=1))
        case "year":
            return _micros(at.replace(month=1, day=1))
    return _micros(at)


_LENGTHS = {"second": 1_000_000, "minute": 60_000_000, "hour": 3_600_000_000, "day": _DAY}


def units_between(unit: str, later: Any, earlier: Any) -> int | None:
    """How many bounds of a unit lie between two instants; of weeks how many times seven days."""
    if later is None or earlier is None:
        return None
    end, start = moment_of(later), moment_of(earlier)
    match unit:
        case "year":
            return end.year - start.year
        case "quarter":
            return (end.year - start.year) * 4 + (end.month + 2) // 3 - (start.month + 2) // 3
        case "month":
            return (end.year - start.year) * 12 + end.month - start.month
        case "week":
            days = (end.date() - start.date()).days
            return days // 7 if days >= 0 else -(-days // 7)
        case "millisecond" | "microsecond":
            length = 1000 if unit == "millisecond" else 1
            return _micros(end) // length - _micros(start) // length
    if unit not in _LENGTHS:
        raise AsknownError("engine", f"SQLite counts no '{unit}' between instants")
    return _micros(end) // _LENGTHS[unit] - _micros(start) // _LENGTHS[unit]


def time_bucket(width: int | None, value: Any) -> int | None:
    """The instant at which the bucket of ``width`` microseconds began; they are counted from Monday 2000-01-03."""
    if width is None or value is None:
        return None
    since = _micros(moment_of(value)) - _BUCKETS_FROM
    return since // width * width + _BUCKETS_FROM


def date_text(value: Any) -> str | None:
    """The date of an instant, or a text that is a date or an instant."""
    return None if value is None else moment_of(value).date().isoformat()


def time_text(value: Any) -> str | None:
    """The time of day of an instant."""
    return None if value is None else moment_of(value).time().isoformat()


def instant_text(value: int | None) -> str | None:
    """An instant as DuckDB spells it: no zeros behind the last digit of its fraction."""
    if value is None:
        return None
    text = moment_of(value).isoformat(" ")
    return text.rstrip("0") if "." in text else text


def days_later(day: str | None, days: int | None) -> str | None:
    return None if day is None or days is None else (date.fromisoformat(day) + timedelta(days=days)).isoformat()


def days_between(later: str | None, earlier: str | None) -> int | None:
    if later is None or earlier is None:
        return None
    return (date.fromisoformat(later) - date.fromisoformat(earlier)).days


def make_date(year: int | None, month: int | None, day: int | None) -> str | None:
    return None if year is None or month is None or day is None else date(year, month, day).isoformat()


def last_day(value: Any) -> str | None:
    """The last day of a month."""
    if value is None:
        return None
    at = moment_of(value).date()
    return at.replace(day=monthrange(at.year, at.month)[1]).isoformat()


def micros_in_zone(value: int | None, zone: str) -> int | None:
    """An instant as the local time of a zone, counted in microseconds as if it were UTC."""
    if value is None:
        return None
    local = (EPOCH + value * _MICROSECOND).astimezone(ZoneInfo(zone))
    return _micros(local.replace(tzinfo=None))


_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_CODES: dict[str, Callable[[datetime], str]] = {
    "Y": lambda at: f"{at.year:04}",
    "m": lambda at: f"{at.month:02}",
    "d": lambda at: f"{at.day:02}",
    "H": lambda at: f"{at.hour:02}",
    "M": lambda at: f"{at.minute:02}",
    "S": lambda at: f"{at.second:02}",
    "f": lambda at: f"{at.microsecond:06}",
    "j": lambda at: f"{at.timetuple().tm_yday:03}",
    "A": lambda at: _DAYS[at.weekday()],
    "a": lambda at: _DAYS[at.weekday()][:3],
    "B": lambda at: _MONTHS[at.month - 1],
    "b": lambda at: _MONTHS[at.month - 1][:3],
    "%": lambda at: "%",
}


def format_time(value: Any, form: str) -> str | None:
    """An instant or a date in a strftime format, in English."""
    if value is None:
        return None
    at = moment_of(value)

    def put(code: re.Match[str]) -> str:
        if code[1] not in _CODES:
            raise AsknownError("engine", f"SQLite formats no '%{code[1]}'", hint=f"codes: %{' %'.join(_CODES)}")
        return _CODES[code[1]](at)

    return re.sub(r"%(.)", put, form)


def parse_time(text: str | None, form: str) -> int | None:
    """The instant that a text is in a strptime format of numbers."""
    if not set(re.findall(r"%(.)", form)) <= set("YmdHMSf%"):
        raise AsknownError("engine", f"SQLite reads no instant by '{form}'", hint="codes: %Y %m %d %H %M %S %f")
    try:
        return None if text is None else _micros(datetime.strptime(text, form))
    except ValueError as error:
        raise AsknownError("engine", f"no instant: {error}") from None


CALENDAR: tuple[tuple[str, int, Callable[..., Any]], ...] = (
    ("date_part", 2, date_part),
    ("start_of", 2, start_of),
    ("units_between", 3, units_between),
    ("time_bucket", 2, time_bucket),
    ("date_text", 1, date_text),
    ("time_text", 1, time_text),
    ("instant_text", 1, instant_text),
    ("days_later", 2, days_later),
    ("days_between", 2, days_between),
    ("make_date", 3, make_date),
    ("last_day", 1, last_day),
    ("micros_in_zone", 2, micros_in_zone),
    ("format_time", 2, format_time),
    ("parse_time", 2, parse_time),
)
