"""Reads instants in every form that a caller may pass, and counts their microseconds since 1970 (rule 1)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

from asknown.errors import AsknownError

EPOCH = datetime(1970, 1, 1)
EPOCH_IN_UTC = EPOCH.replace(tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

HINT = "write it like 2013-05-01T12:00:00Z (without a zone it is UTC), or give a datetime"


def read_instant(value: Any, parameter: str, hint: str = HINT) -> datetime:
    """The instant that ``value`` names, naive, in UTC: ISO text, a date, a datetime, or pandas' or numpy's instant.

    Without a zone it is UTC; a date is its first moment. Raises ``bad-value``, which names the ``parameter``, for
    anything else: a number, a missing value, a year outside 1 to 9999, an instant that is not a whole microsecond.
    """
    try:
        return _read(value)
    except (ValueError, TypeError, OverflowError) as error:
        reason = f": {error}" if isinstance(error, _NotExactError) else ""
        raise AsknownError("bad-value", f"{parameter}: {_shown(value)} is not an instant{reason}", hint=hint) from None


FINER = r"[0-9][.,][0-9]{6}[0-9]*[1-9]"
"""A pattern of texts of instants that are finer than a microsecond, which Python and engines cut without a word."""


def is_finer(text: str) -> bool:
    """Whether the text of an instant says more than microseconds.

    >>> is_finer("2024-01-01 00:00:00.1234567"), is_finer("2024-01-01 00:00:00.123456000")
    (True, False)
    """
    return re.search(FINER, text) is not None


def parse_moment(text: str) -> datetime:
    """The instant that an ISO text writes, aware if it has a zone. Raises ValueError for one that would be rounded."""
    if is_finer(text):
        raise ValueError(text)
    return datetime.fromisoformat(text)


def to_microseconds(moment: datetime) -> int:
    """The microseconds from 1970 to a naive instant in UTC."""
    return (moment - EPOCH) // MICROSECOND


def from_microseconds(count: int) -> datetime:
    """The naive instant in UTC that is so many microseconds after 1970. OverflowError outside the years 1 to 9999."""
    return EPOCH + timedelta(microseconds=count)


def in_utc(moment: datetime) -> datetime:
    """The aware instant of a naive one in UTC. ``datetime.replace`` takes nine times as long."""
    return EPOCH_IN_UTC + (moment - EPOCH)


class _NotExactError(ValueError):
    """An instant that is finer than a microsecond."""


def _read(value: Any) -> datetime:
    if isinstance(value, str):
        if is_finer(value):
            raise _NotExactError("it is not a whole microsecond")
        value = datetime.fromisoformat(value.strip())
    elif type(value).__module__ == "numpy":
        value = _of_numpy(value)
    if not isinstance(value, date) or value != value:  # noqa: PLR0124  NaT is a datetime that differs from itself
        raise TypeError(value)
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)
    if getattr(value, "nanosecond", 0):
        raise _NotExactError("it is not a whole microsecond")
    if type(value) is not datetime:  # pandas' Timestamp counts in its own units
        value = datetime.combine(value.date(), value.timetz())
    moment: datetime = value
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def _of_numpy(value: Any) -> Any:
    exact = value.astype("datetime64[us]") if value.dtype.kind == "M" else None
    if exact is None or exact != value:
        raise _NotExactError("it is not a whole microsecond") if exact is not None else TypeError(value)
    return exact.item()


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
