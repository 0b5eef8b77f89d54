"""Converts the inputs of a request to Python values of their declared types; other values are errors (rule 8).

Text is never read as a number here; on the command line, where everything is text, :func:`parse_input` reads it.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from asknown.errors import AsknownError
from asknown.json_text import read_json, read_number
from asknown.online.keys import Encode, WrongTypeError, encode_boolean, encode_date, parse_key, uuid_encoder
from asknown.types import Kind, SqlType

_LONGEST = 60  # characters of a value in a message


def input_encoder(kind: SqlType, *, view: str, column: str) -> Encode:
    """A function from a request's value to a value of the input's type. None is NULL; other types are errors."""
    encode = value_encoder(kind)

    def checked(value: Any) -> Any:
        if value is None:
            return None
        try:
            return encode(value)
        except WrongTypeError:
            shown = repr(value)
            shown = shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
            raise AsknownError(
                "request-input",
                f"the input '{column}' of '{view}' is {kind}, and the {type(value).__name__} {shown} was given",
                hint=f"give {_EXPECTED.get(kind.kind, kind.name)}: no value is changed to fit",
            ) from None

    return checked


def parse_input(text: str, kind: SqlType, *, column: str) -> Any:
    """The Python value that ``text``, as typed on a command line, means for an input of this type."""
    try:
        match kind.kind:
            case "float":
                return _parse_float(text)
            case "list":
                return read_json(text)
            case _:
                return parse_key(text, kind, column=column)
    except (ValueError, AsknownError) as error:
        hint = error.hint if isinstance(error, AsknownError) else f"write it like {column}={_EXAMPLES[kind.kind]}"
        shown = repr(text) if len(text) <= _LONGEST else f"{text[:_LONGEST]!r}…"
        raise AsknownError(
            "request-input", f"{shown} cannot be read as the {kind} that '{column}' is", hint=hint
        ) from None


def _parse_float(text: str) -> float:
    if not re.fullmatch(r"[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|inf|infinity|nan)", text, re.I | re.A):
        raise ValueError(text)
    number = read_number(text) if re.search(r"\d", text) else float(text)
    if not isinstance(number, float):
        raise ValueError(text)
    return number


_EXAMPLES = {"float": "12.5", "list": '\'["a", "b"]\''}

_EXPECTED: dict[Kind, str] = {
    "boolean": "a bool",
    "integer": "an int",
    "float": "a float",
    "decimal": "a decimal.Decimal or an int",
    "text": "a str",
    "uuid": "a uuid.UUID or its text",
    "date": "a datetime.date",
    "timestamp": "a datetime.datetime",
    "list": "a list",
}


def value_encoder(kind: SqlType) -> Encode:
    """A function from a value, never None, to the same value of this type. Raises WrongTypeError for others."""
    match kind.kind:
        case "integer":
            return _integer(kind)
        case "decimal":
            return _decimal(kind)
        case "list":
            assert kind.element is not None
            return _list(value_encoder(kind.element))
        case "uuid":
            return uuid_encoder()
        case _:
            return _ENCODE[kind.kind]


def _integer(kind: SqlType) -> Encode:
    low, high = kind.bounds

    def encode(value: Any) -> Any:
        whole = value if type(value) is int else _whole(value)
        if not low <= whole <= high:
            raise WrongTypeError
        return whole

    return encode


def _whole(value: Any) -> int:
    """The int of any library's integer, or of a whole float or decimal. A bool is not one."""
    if isinstance(value, bool):
        raise WrongTypeError
    try:
        return operator.index(value)
    except TypeError:
        pass
    if not hasattr(value, "as_integer_ratio") or not math.isfinite(value) or value != int(value):
        raise WrongTypeError
    return int(value)


def _float(value: Any) -> float:
    if type(value) is float:
        return value
    if isinstance(value, bool) or not hasattr(value, "__float__") or isinstance(value, str):
        raise WrongTypeError
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise WrongTypeError from None
    if number == number and number != value and str(number) != str(value):  # noqa: PLR0124 - a NaN stays one
        raise WrongTypeError
    return number


def _decimal(kind: SqlType) -> Encode:
    from decimal import Context, Decimal, Inexact, InvalidOperation

    exactly = Context(prec=60, traps=[Inexact, InvalidOperation])
    unit = Decimal((0, (1,), -kind.scale))
    most = Decimal(10) ** (kind.precision - kind.scale)

    def encode(value: Any) -> Any:
        number = value if isinstance(value, Decimal) else Decimal(_whole(value))
        try:
            exact = number.quantize(unit, context=exactly)
        except (Inexact, InvalidOperation):
            raise WrongTypeError from None
        if not -most < exact < most:
            raise WrongTypeError
        return exact if exact else exact.copy_abs()

    return encode


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise WrongTypeError
    try:
        value.encode()
    except UnicodeEncodeError:
        raise WrongTypeError from None  # a lone surrogate: no table can hold it
    return str(value)


def _timestamp(value: Any) -> datetime | None:
    """A naive instant in UTC. pandas' NaT, which differs from itself, is NULL; its nanoseconds must be microseconds."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)
    if not isinstance(value, datetime):
        raise WrongTypeError
    if value != value:  # noqa: PLR0124
        return None
    if getattr(value, "nanosecond", 0):
        raise WrongTypeError
    if type(value) is not datetime:  # pandas' own type
        value = datetime(*value.timetuple()[:6], value.microsecond, tzinfo=value.tzinfo)
    moment: datetime = value
    try:
        return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        raise WrongTypeError from None


def _list(element: Encode) -> Encode:
    def encode(value: Any) -> Any:
        if isinstance(value, (str, bytes)) or not isinstance(value, (list, tuple)):
            raise WrongTypeError
        return [None if item is None else element(item) for item in value]

    return encode


_ENCODE: dict[Kind, Callable[[Any], Any]] = {
    "boolean": encode_boolean,
    "float": _float,
    "text": _text,
    "date": encode_date,
    "timestamp": _timestamp,
}
