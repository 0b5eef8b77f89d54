"""Durations: fixed lengths of time, in whole microseconds (rule 1)."""

from __future__ import annotations

import re
from fractions import Fraction

from asknown.errors import AsknownError, Where

DAY = 86_400_000_000  # microseconds

MICROSECONDS: dict[str, int] = {
    "microsecond": 1,
    "millisecond": 1_000,
    "second": 1_000_000,
    "minute": 60_000_000,
    "hour": 3_600_000_000,
    "day": DAY,
    "week": 7 * DAY,
}
_ALIASES: dict[str, str] = {
    "us": "microsecond",
    "ms": "millisecond",
    "s": "second",
    "sec": "second",
    "m": "minute",
    "min": "minute",
    "h": "hour",
    "hr": "hour",
    "d": "day",
    "w": "week",
}
_CALENDAR = {"month", "mon", "year", "quarter", "decade", "century", "y", "yr"}
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Zµ]+)\s*,?")
_LONGEST = 2**62


def microseconds(text: str, *, at: Where | None = None) -> int:
    """The length that ``text`` names, in microseconds: ``'3 days'``, ``'90 minutes'``, ``'1 day 12 hours'``.

    Months and years are refused, because their length depends on where they start.
    """
    total = Fraction(0)
    position = 0
    while position < len(text.rstrip()):
        part = _PART.match(text, position)
        if part is None:
            raise _bad(text, at)
        unit = part[2].lower()
        unit = _ALIASES.get(unit, unit.removesuffix("s") if len(unit) > 2 else unit)
        if unit in _CALENDAR:
            raise AsknownError(
                "bad-duration",
                f"'{text}' has no fixed length: the length of a {unit} depends on where it starts",
                at=at,
                hint="write days: '30 days' for a month, '365 days' for a year; "
                "a window over the calendar's own months is {{ this('month') }} or {{ previous('month') }}",
            )
        if unit not in MICROSECONDS:
            raise _bad(text, at)
        total += Fraction(part[1]) * MICROSECONDS[unit]
        position = part.end()
    if position == 0 or total.denominator != 1 or total > _LONGEST:
        raise _bad(text, at)
    return int(total)


def spell(length: int) -> str:
    """The duration of ``length`` microseconds in the largest units that divide it: ``'36 hours'``, ``'3 days'``."""
    for unit in ("day", "hour", "minute", "second", "millisecond", "microsecond"):
        size = MICROSECONDS[unit]
        if length % size == 0:
            count = length // size
            return f"{count} {unit}{'' if count == 1 else 's'}"
    raise AssertionError("a microsecond divides every length")


def _bad(text: str, at: Where | None) -> AsknownError:
    return AsknownError(
        "bad-duration",
        f"'{text}' is not a duration",
        at=at,
        hint="write a number and a unit, as in '15 minutes', '24 hours', '7 days' "
        "(microseconds, milliseconds, seconds, minutes, hours, days, weeks)",
    )
