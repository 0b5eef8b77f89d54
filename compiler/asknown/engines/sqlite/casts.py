"""Casts and texts that SQLite has not, or has otherwise: with DuckDB's values, and an error where it has one."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any

from asknown.errors import AsknownError
from asknown.types import SqlType, parse_type

_WHOLE = re.compile(r"\s*[+-]?\d+\s*\Z", re.ASCII)
_FLOAT = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*\Z", re.ASCII | re.IGNORECASE)
_DIGITS = 15


def whole_of_text(text: Any) -> int | None:
    """The integer that a text is."""
    if text is None or isinstance(text, int):
        return text
    if not isinstance(text, str) or not _WHOLE.match(text):
        raise _unreadable(text, "integer")
    return _bounded(int(text))


def float_of_text(text: Any) -> float | None:
    """The number that a text is."""
    if text is None:
        return None
    if isinstance(text, str) and text.strip().lstrip("+-").casefold() in ("inf", "infinity"):
        return -math.inf if text.strip().startswith("-") else math.inf
    if not isinstance(text, str) or not _FLOAT.match(text):
        raise _unreadable(text, "double")
    return float(text)


def whole_of(number: Any) -> int | None:
    """A float rounded to an integer, halves to the even one."""
    if number is None:
        return None
    if not math.isfinite(number):
        raise _unreadable(number, "integer")
    return _bounded(round(number))


def whole_of_decimal(number: Any) -> int | None:
    """A decimal rounded to an integer, halves away from zero."""
    return None if number is None else int(Decimal(repr(number)).quantize(Decimal(1), ROUND_HALF_UP))


def decimal_of(value: Any, kind: str) -> float | int | None:
    """An integer, a decimal or a text as a decimal of a type, halves away from zero; kept as SQLite keeps decimals."""
    if value is None:
        return None
    if isinstance(value, str):
        float_of_text(value)  # says whether it is one
        return _stored(Decimal(value.strip()), kind)
    return _stored(Decimal(repr(value)), kind)


def decimal_of_float(value: float | None, kind: str) -> float | int | None:
    """A float as a decimal of a type, rounded as DuckDB does it: in floats."""
    if value is None:
        return None
    scaled = value * 10.0 ** _decimal_type(kind).scale
    if not math.isfinite(scaled):
        raise _unreadable(value, kind)
    return _stored(Decimal(_half_away(scaled)).scaleb(-_decimal_type(kind).scale), kind)


def _stored(number: Decimal, kind: str) -> float | int:
    type_ = _decimal_type(kind)
    if number.adjusted() < type_.precision:
        number = number.quantize(Decimal(1).scaleb(-type_.scale), ROUND_HALF_UP)
    digits = len(number.normalize().as_tuple().digits)
    if number.adjusted() >= type_.precision - type_.scale or digits > _DIGITS:
        raise AsknownError("engine", f"{number} does not fit {kind} on SQLite, which keeps {_DIGITS} digits")
    return int(number) if number == number.to_integral_value() else float(number)


@lru_cache
def _decimal_type(kind: str) -> SqlType:
    return parse_type(kind)


def float_text(number: Any) -> str | None:
    """A float as DuckDB spells it: the shortest digits that read back."""
    return None if number is None else repr(float(number))


def plain_text(value: Any) -> str | None:
    """The value itself, which must be a text."""
    if value is None or isinstance(value, str):
        return value
    raise AsknownError(
        "engine",
        f"{value!r} stands beside a text",
        hint="SQLite keeps no types: cast it in the model, as in cast(… as …)",
    )


def joined_text(left: Any, right: Any) -> str | None:
    """Two texts, one behind the other."""
    first, second = plain_text(left), plain_text(right)
    return None if first is None or second is None else first + second


def left_text(text: str | None, count: int | None) -> str | None:
    """The first letters; of a negative count all but so many of the last."""
    return None if text is None or count is None else text[:count]


def right_text(text: str | None, count: int | None) -> str | None:
    """The last letters; of a negative count all but so many of the first."""
    if text is None or count is None:
        return None
    return text[max(len(text) - count, 0) if count >= 0 else -count :]


def repeat_text(text: str | None, count: int | None) -> str | None:
    return None if text is None or count is None else text * count


def split_part(text: str | None, delimiter: str | None, place: int | None) -> str | None:
    """A part of a text between delimiters, counted from 1, or from the last by -1; '' where there is none."""
    if text is None or delimiter is None or place is None:
        return None
    parts = text.split(delimiter) if delimiter else [text]
    if place == 0 or abs(place) > len(parts):
        return ""
    return parts[place - 1 if place > 0 else place]


def round_half_away(number: float | None, digits: int | None) -> float | None:
    """A float rounded, halves away from zero, as DuckDB does it: in floats."""
    if number is None or digits is None:
        return None
    number = float(number)
    if digits == 0 or not math.isfinite(number):
        return float(_half_away(number)) if math.isfinite(number) else number
    factor = 10.0 ** abs(digits)
    scaled = number * factor if digits > 0 else number / factor
    if not math.isfinite(scaled):
        return number
    rounded = math.copysign(_half_away(scaled), number)
    return rounded / factor if digits > 0 else rounded * factor


def _half_away(number: float) -> int:
    below = math.floor(abs(number))
    return int(math.copysign(below + (abs(number) - below >= 0.5), number))


def _bounded(number: int) -> int:
    if -(2**63) <= number < 2**63:
        return number
    raise _unreadable(number, "integer of 64 bits")


def _unreadable(value: Any, what: str) -> AsknownError:
    return AsknownError("engine", f"{value!r} cannot be cast: it is no {what}")


CASTS: tuple[tuple[str, int, Callable[..., Any]], ...] = (
    ("whole_of_text", 1, whole_of_text),
    ("float_of_text", 1, float_of_text),
    ("whole_of", 1, whole_of),
    ("whole_of_decimal", 1, whole_of_decimal),
    ("decimal_of", 2, decimal_of),
    ("decimal_of_float", 2, decimal_of_float),
    ("float_text", 1, float_text),
    ("plain_text", 1, plain_text),
    ("joined_text", 2, joined_text),
    ("left_text", 2, left_text),
    ("right_text", 2, right_text),
    ("repeat_text", 2, repeat_text),
    ("split_part", 3, split_part),
    ("round_half_away", 2, round_half_away),
)
