"""Conversions between types in expressions, with the engine's result to the bit."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from asknown.types import SqlType
from asknown.values import texts, times
from asknown.values.arithmetic import WIDE, checked
from asknown.values.errors import EvaluationError

Function = Callable[..., Any]


def cast(kind: SqlType, types: list[SqlType]) -> Function:
    """The conversion to ``kind`` from the only type in ``types``."""
    return _CASTS[types[0].kind, kind.kind](types[0], kind)


def try_cast(kind: SqlType, types: list[SqlType]) -> Function:
    """As :func:`cast`, but NULL if a value cannot be converted."""
    convert = cast(kind, types)

    def attempt(value: Any) -> Any:
        try:
            return convert(value)
        except EvaluationError:
            return None

    return attempt


def _read(kind: SqlType, read: Callable[[str], Any]) -> Function:
    """The conversion of text by ``read``, which returns None for a text that is not a value of the type."""

    def convert(text: str) -> Any:
        value = read(text)
        if value is None:
            raise EvaluationError(f"{text[:40]!r} cannot be read as {kind}")
        return value

    return convert


def _text_to_integer(_: SqlType, kind: SqlType) -> Function:
    read, check = _read(kind, texts.read_integer), checked(kind)
    return lambda text: check(read(text))


def _decimal_to_text(given: SqlType, _: SqlType) -> Function:
    """All places; without the zero before the point where the type has no place for it."""
    if given.precision > given.scale:
        return lambda value: format(value, "f")
    return lambda value: format(value, "f").replace("0.", ".", 1)


def _to_integer(_: SqlType, kind: SqlType) -> Function:
    check = checked(kind)
    return lambda value: check(int(value))


def _float_to_integer(_: SqlType, kind: SqlType) -> Function:
    check = checked(kind)

    def convert(value: float) -> int:
        """The nearest value of the type; halves are rounded to even."""
        if not math.isfinite(value):
            raise EvaluationError(f"{value} is out of the range of {kind}")
        return int(check(round(value)))

    return convert


def _to_float(*_: SqlType) -> Function:
    return float


def _to_decimal(source: SqlType, kind: SqlType) -> Function:
    check = checked(kind)
    unit = Decimal((0, (1,), -kind.scale))
    if source.kind == "integer":
        return lambda value: check(Decimal(value).quantize(unit, context=WIDE))
    return lambda value: check(value.quantize(unit, rounding=ROUND_HALF_UP, context=WIDE))


def _decimal_to_integer(_: SqlType, kind: SqlType) -> Function:
    check = checked(kind)
    return lambda value: check(int(value.to_integral_value(rounding=ROUND_HALF_UP, context=WIDE)))


_CASTS: dict[tuple[str, str], Callable[[SqlType, SqlType], Function]] = {
    ("integer", "integer"): _to_integer,
    ("boolean", "integer"): _to_integer,
    ("float", "integer"): _float_to_integer,
    ("decimal", "integer"): _decimal_to_integer,
    ("integer", "float"): _to_float,
    ("boolean", "float"): _to_float,
    ("decimal", "float"): _to_float,
    ("float", "float"): _to_float,
    ("integer", "decimal"): _to_decimal,
    ("decimal", "decimal"): _to_decimal,
    ("integer", "boolean"): lambda *_: bool,
    ("integer", "text"): lambda *_: str,
    ("boolean", "text"): lambda *_: lambda value: "true" if value else "false",
    ("decimal", "text"): _decimal_to_text,
    ("date", "text"): lambda *_: date.isoformat,
    ("text", "integer"): _text_to_integer,
    ("text", "float"): lambda _, kind: _read(kind, texts.read_float),
    ("date", "timestamp"): lambda *_: times.midnight,
    ("timestamp", "date"): lambda *_: datetime.date,
}

LITERALS: dict[str, Function] = {
    "decimal": Decimal,
    "float": float,
    "date": date.fromisoformat,
    "timestamp": datetime.fromisoformat,
}
"""By a literal's kind: the function that reads its value from the tree; none where the tree has the value itself."""
