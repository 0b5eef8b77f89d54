"""Instants in ClickHouse: whole microseconds since 1970, in which every value of a DateTime64(6) survives."""

from __future__ import annotations

from asknown.dialects.clickhouse.aggregates import let, lets
from asknown.durations import DAY

MICROS = "toUnixTimestamp64Micro(toDateTime64(:x, 6))"

# Text is parsed by hand: ClickHouse reads fewer spellings, and turns a text that it cannot read into 1970.
_TEXT = (
    r"^\s*(\d{4})-(\d{1,2})-(\d{1,2})(?:[ T](\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6})\d*)?)?)?"
    r"(Z|[+-]\d{2}(?::?\d{2})?)?\s*$"
)


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _number(place: int) -> str:
    return f"toInt64OrZero(l_g[{place}])"


_DAYS = (  # since 1970, of a year, month and day of the Gregorian calendar; after Howard Hinnant's days_from_civil
    "365 * l_cy + intDiv(l_cy, 4) - intDiv(l_cy, 100) + intDiv(l_cy, 400) "
    "+ intDiv(153 * (l_m + if(l_m > 2, -3, 9)) + 2, 5) + l_d - 719469"
)
_OFFSET = (
    "if(startsWith(l_g[8], '-'), -1, 1) * (toInt64OrZero(substring(l_g[8], 2, 2)) * 3600 "
    "+ toInt64OrZero(substring(replaceAll(l_g[8], ':', ''), 4, 2)) * 60)"
)
_CLOCK = f"{_number(4)} * 3600 + {_number(5)} * 60 + {_number(6)}"
_FRACTION = "toInt64OrZero(rightPad(l_g[7], 6, '0'))"
_VALID = (
    "notEmpty(l_g) AND l_y > 0 AND l_m BETWEEN 1 AND 12 AND l_d BETWEEN 1 AND "
    "if(l_m = 2, 28 + ((l_y % 4 = 0 AND l_y % 100 <> 0) OR l_y % 400 = 0), 30 + ((l_m + (l_m > 7)) % 2)) "
    f"AND {_number(4)} < 24 AND {_number(5)} < 60 AND {_number(6)} < 60"
)
_PARTS = {
    "l_g": f"extractGroups(ifNull(:x, ''), {_quoted(_TEXT)})",
    "l_y": _number(1),
    "l_m": _number(2),
    "l_d": _number(3),
    "l_cy": "l_y - (l_m < 3)",
}


def _read(clock: str) -> str:
    return lets(_PARTS, f"if({_VALID}, ({_DAYS}) * {DAY} + ({clock}) * 1000000 + {_FRACTION}, NULL)")


TRY_INSTANT = _read(f"{_CLOCK} - {_OFFSET}")
TRY_CLOCK = _read(_CLOCK)
"""A text as what its clock shows, whatever its offset from UTC: DuckDB's cast to a timestamp without a zone."""

SHOWN = "toUnixTimestamp64Micro(toDateTime64(toString(fromUnixTimestamp64Micro({at}), :zone), 6))"
"""SQL for the local time in a zone at an instant."""


def _zoned(offset: str) -> str:
    """SQL for the instant of a local time: the later of two; a skipped hour is read as if it had not been (rule 1)."""
    later, after, before = (offset.format(at=at) for at in ("l_w - l_o", f"l_w + {DAY}", f"l_w - {DAY}"))
    return let("l_w", MICROS, let("l_o", after, f"if({later} = l_o, l_w - l_o, l_w - ({before}))"))


ZONED = _zoned("toInt64(timezoneOffset(fromUnixTimestamp64Micro({at}, :zone))) * 1000000")
ZONED_BY_ROW = _zoned(f"{SHOWN} - ({{at}})")  # timezoneOffset takes a column of zones, and knows none of them

# Its own functions that cut dates give dates from 1970 on.
_DATE = "fromUnixTimestamp64Micro(:x, 'UTC')"
_MONTH = f"toMonth({_DATE})"
_BEGIN = (
    f"toUnixTimestamp64Micro(toDateTime64(addMonths(makeDate32(toYear({_DATE}), {{month}}, 1), :months), 6, 'UTC'))"
)
SNIPPETS = {
    "cast.integer": "accurateCast(:x, :type)",  # a plain one wraps around
    # An Int128 does not convert to a decimal by itself.
    "cast.decimal": "accurateCast(:x * toDecimal256('1', 0), concat('Nullable(', :type, ')'))",
    "cast.time": "toTime64(:x, 6)",  # sqlglot does not know its type's name
    "instant.timestamp": MICROS,
    "instant.timestamptz": MICROS,
    "instant.date": f"toInt64(toInt32(:x)) * {DAY}",
    "instant.text": f"{TRY_INSTANT} + throwIf(isNotNull(:x) AND isNull({TRY_INSTANT}), "
    "'asknown: a text does not read as a timestamp')",
    "instant.other": MICROS,
    # A column may have any zone, in which the functions of the calendar would compute.
    "stored.timestamptz": "toTimeZone(:x, 'UTC')",
    "try_instant": TRY_INSTANT,
    "from_zone": f"fromUnixTimestamp64Micro({ZONED})",
    "bound.timestamp": "fromUnixTimestamp64Micro(:micros)",  # the reader of literals takes no instant before 1900
    "bound.date": "toDate32(fromUnixTimestamp64Micro(:micros))",
    "bound.timestamptz": "fromUnixTimestamp64Micro(:micros)",
    "from_microseconds": "fromUnixTimestamp64Micro(:x)",
    **{
        f"begin.{unit}": _BEGIN.format(month=month)
        for unit, month in (("month", _MONTH), ("quarter", f"intDiv({_MONTH} - 1, 3) * 3 + 1"), ("year", "1"))
    },
    "whole_division": "intDiv(:x, :y)",
    "row_number": "toInt64(ROW_NUMBER() OVER ())",
    "matches": "match(:x, :pattern)",
    "raise": "throwIf(ifNull(:condition, false), :message) = 0",
    "is_odd_float": "NOT isFinite(:x)",
    # A number of more digits than a decimal of 38 has; one that does not fit the declared type is an error.
    "stored_as.number": "if(throwIf(ifNull(:x <> round(:x, :scale), false), :message) = 0, "
    "toDecimal256(round(:x, :scale), :scale), NULL)",
    "digits.before": "max(length(extract(toString(:x), '^-?([0-9]+)')))",
    "digits.after": r"max(length(extract(toString(:x), '\\.([0-9]+)$')))",
}
