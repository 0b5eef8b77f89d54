"""The functions that asknown brings to an SQLite connection: what SQLite lacks, with exact results.

SQL that uses them runs on asknown's connections only, not in the sqlite3 shell. This module has those of one row, and
puts them and the aggregates on a connection.
"""

from __future__ import annotations

import math
import re
import sqlite3
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from asknown.engines.sqlite.aggregates import AGGREGATES
from asknown.engines.sqlite.calendar import CALENDAR
from asknown.engines.sqlite.casts import CASTS
from asknown.engines.sqlite.instants import micros_of, text_of
from asknown.engines.sqlite.nested import nested_key
from asknown.engines.sqlite.numbers import NUMBERS
from asknown.errors import AsknownError


def register(connection: sqlite3.Connection, raised: list[BaseException]) -> None:
    """Puts the functions on a connection. What one of them raises is added to ``raised``: SQLite would swallow it."""

    def keep(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            try:
                return function(*arguments)
            except (ValueError, TypeError, ArithmeticError) as error:  # of a value that has another type than is said
                raised.append(AsknownError("engine", f"SQLite cannot compute this of {_shown(arguments)}: {error}"))
                raise
            except BaseException as error:
                raised.append(error)
                raise

        return call

    for name, places, function in _SCALARS:
        connection.create_function(name, places, keep(function), deterministic=True)
    for name, places, build in AGGREGATES:
        connection.create_aggregate(name, places, build(keep))


def _shown(arguments: tuple[Any, ...]) -> str:
    return ", ".join(repr(argument)[:60] for argument in arguments)


def _micros(value: Any) -> int | None:
    """Any instant, date or text as the canonical instant: microseconds since 1970 in UTC."""
    try:
        return None if value is None else micros_of(value)
    except (ValueError, OverflowError):
        raise AsknownError(
            "unsupported-type",
            f"SQLite gives {value!r} where a timestamp is meant",
            hint="a timestamp is text as in 2013-01-31 23:59:59.5, or an integer of microseconds since 1970 in UTC",
        ) from None


def _try_micros(value: Any) -> int | None:
    try:
        return None if value is None else micros_of(value)
    except (ValueError, OverflowError):
        return None


def _zone_micros(value: Any, zone: str) -> int | None:
    """An instant whose text, or microseconds, are local time of a zone."""
    return None if value is None else micros_of(value, _zone(zone))


@lru_cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _text(micros: int | None) -> str | None:
    return None if micros is None else text_of(micros)


def _typed(value: Any, kind: str) -> Any:
    """The value itself: the function says to whoever reads the query which type it has, and SQLite has no such word."""
    return value


def _signbit(value: float | None) -> bool | None:
    return None if value is None else isinstance(value, float) and math.copysign(1.0, value) < 0


def _matches(text: str | None, pattern: str) -> bool | None:
    return None if text is None else re.search(pattern, text) is not None


def _upper(text: str | None) -> str | None:
    """Capitals of every alphabet, letter by letter: SQLite's own are A to Z."""
    return None if text is None else "".join(map(_capital, text))


def _lower(text: str | None) -> str | None:
    return None if text is None else "".join(map(_small, text))


_ALONE = {"ß": "ẞ", "İ": "i"}  # where Unicode's own answer is two letters


def _capital(letter: str) -> str:
    return next(
        (capital for capital in (letter.upper(), letter.title()) if len(capital) == 1), _ALONE.get(letter, letter)
    )


def _small(letter: str) -> str:
    small = letter.lower()
    return small if len(small) == 1 else _ALONE.get(letter, letter)


def _fail(message: str) -> None:
    raise AsknownError("engine", message)


_SCALARS: tuple[tuple[str, int, Callable[..., Any]], ...] = (
    ("utc_micros", 1, _micros),
    ("try_utc_micros", 1, _try_micros),
    ("zone_micros", 2, _zone_micros),
    ("utc_text", 1, _text),
    ("typed", 2, _typed),
    ("signbit", 1, _signbit),
    ("regexp_matches", 2, _matches),
    ("upper_text", 1, _upper),
    ("lower_text", 1, _lower),
    ("fail", 1, _fail),
    ("nested_key", 1, nested_key),
    *CALENDAR,
    *CASTS,
    *NUMBERS,
)
