"""Instants as SQLite keeps them: a text in ISO form, or an INTEGER of microseconds since 1970 in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ISO = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[ T](\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6})0*)?)?)?"
    r"(?: ?(?:(Z|UTC)|([+-])(\d{1,2})(?::?(\d{2}))?))?"
)


def micros_of(value: Any, zone: ZoneInfo | None = None) -> int:
    """The microseconds since 1970 of an instant; a text without an offset is local time of ``zone`` (None: UTC).

    ValueError for what is no instant, one finer than microseconds, or outside the years 1 to 9999.
    """
    if isinstance(value, int):
        return value if zone is None else _from_local(EPOCH.replace(tzinfo=None) + value * _MICROSECOND, zone)
    found = _ISO.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{value!r} is no timestamp")
    year, month, day, hour, minute, second, fraction, utc, sign, hours, minutes = found.groups()
    moment = datetime(
        int(year),
        int(month),
        int(day),
        int(hour or 0),
        int(minute or 0),
        int(second or 0),
        int((fraction or "0").ljust(6, "0")),
    )
    if zone is not None and not utc and not sign:
        return _from_local(moment, zone)
    ahead = (int(hours or 0) * 60 + int(minutes or 0)) * 60_000_000
    return _since(moment) + (ahead if sign == "-" else -ahead)


def text_of(micros: int) -> str:
    """The ISO text of an instant, always with six digits of a second, so that texts sort as instants do."""
    return (EPOCH.replace(tzinfo=None) + micros * _MICROSECOND).isoformat(" ", "microseconds")


def _since(moment: datetime) -> int:
    since = moment - EPOCH.replace(tzinfo=None)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _from_local(moment: datetime, zone: ZoneInfo) -> int:
    offset = moment.replace(tzinfo=zone).utcoffset() or timedelta(0)
    return _since(moment - offset)
