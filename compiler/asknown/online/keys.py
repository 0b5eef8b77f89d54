"""Converts the keys of a request to canonical Python values of their types, and refuses all others (rule 8).

A value of the wrong type is an error. A value of the right type that no row can have (too large, too fine, not UTF-8)
becomes None, like None itself, because no row has such a key.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from asknown.errors import AsknownError
from asknown.instants import parse_moment
from asknown.types import Kind, SqlType

if TYPE_CHECKING:
    from decimal import Decimal
    from uuid import UUID

Encode = Callable[[Any], Any]
EncodeColumn = Callable[[Sequence[Any]], Sequence[Any]]


_EXACT_BITS = {"float": 53, "float64": 53, "float32": 24, "float16": 11}
"""By the name of a float's type, in Python or numpy: it tells all whole numbers below 2 to this power apart."""


class WrongTypeError(Exception):
    """The value is not of the type of the key, or of the input."""


_EXPECTED: dict[Kind, str] = {
    "boolean": "a bool",
    "integer": "an int, or a float that is a whole number",
    "decimal": "a decimal.Decimal or an int",
    "text": "a str",
    "blob": "bytes",
    "uuid": "a uuid.UUID or its text",
    "date": "a datetime.date",
    "timestamp": "a datetime.datetime",
    "timestamptz": "a datetime.datetime",
}


def key_encoder(kind: SqlType, *, view: str, column: str) -> Encode:
    """A function from a request's value to the key's canonical value, or to None. A wrong type raises an error."""
    encode = _encoder(kind)

    def checked(value: Any) -> Any:
        if value is None:
            return None
        try:
            return encode(value)
        except WrongTypeError:
            if is_missing(value):
                return None
            raise AsknownError(
                "key-type",
                f"key '{column}' of '{view}' is {kind}, and {_show(value)} was given",
                hint=f"give {_EXPECTED.get(kind.kind, kind.name)}; only a conversion that loses nothing is made",
            ) from None

    return checked


def is_missing(value: Any) -> bool:
    """Whether this is what pandas has for NULL where a type has no value for it: NaN, NaT or NA."""
    return type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value)  # noqa: PLR0124


def column_encoder(kind: SqlType, encode: Encode) -> EncodeColumn:
    """As :func:`key_encoder`, for many values; ``encode`` is the key's own. Returns a column as it is if it can."""
    if kind.kind == "integer" and not kind.is_wide:
        low, high = kind.bounds

        def whole(column: Sequence[Any]) -> Sequence[Any]:
            same = set(map(type, column)) == {int} and low <= min(column) and max(column) <= high
            return column if same else list(map(encode, column))

        return whole
    if kind.kind == "text":

        def text(column: Sequence[Any]) -> Sequence[Any]:
            same = set(map(type, column)) == {str} and "".join(column).isascii()
            return column if same else list(map(encode, column))

        return text
    return lambda column: list(map(encode, column))


def parse_key(text: str, kind: SqlType, *, column: str = "key") -> Any:
    """The Python value that ``text``, as typed on a command line, means for a key of this type."""
    try:
        return _PARSE[kind.kind](text)
    except (ValueError, ArithmeticError, KeyError):
        raise AsknownError(
            "key-type",
            f"{_shorten(repr(text))} cannot be read as the {kind} that '{column}' is",
            hint=f"write it like {column}={_EXAMPLES.get(kind.kind, '…')}",
        ) from None


def _encoder(kind: SqlType) -> Encode:
    match kind.kind:
        case "integer":
            return _integer_encoder(kind)
        case "decimal":
            return _decimal_encoder(kind)
        case "uuid":
            return uuid_encoder()
        case _:
            return _ENCODE.get(kind.kind, _refuse)


def _integer_encoder(kind: SqlType) -> Encode:
    low, high = kind.bounds

    def encode(value: Any) -> Any:
        whole = value if type(value) is int else _whole_float(value)
        return whole if whole is not None and low <= whole <= high else None

    return encode


def _whole(value: Any) -> int:
    """An int of any library's integer type; a bool is not one."""
    if isinstance(value, bool):
        raise WrongTypeError
    try:
        return operator.index(value)
    except TypeError:
        raise WrongTypeError from None


def _whole_float(value: Any) -> int | None:
    """The int that a float of any library is; None for NaN, which is how pandas spells a missing integer.

    A float with a fraction is of the wrong type, and so is one so large that floats leave whole numbers out.
    """
    exact = _EXACT_BITS.get(type(value).__name__)
    if exact is None:
        return _whole(value)
    if value != value:  # noqa: PLR0124 - NaN
        return None
    if not (abs(value) < 2**exact and value == int(value)):
        raise WrongTypeError
    return int(value)


def _decimal_encoder(kind: SqlType) -> Encode:
    from decimal import Context, Decimal, Inexact, InvalidOperation

    exactly = Context(prec=60, traps=[Inexact, InvalidOperation])
    unit = Decimal((0, (1,), -kind.scale))

    def encode(value: Any) -> Any:
        number = value if isinstance(value, Decimal) else Decimal(_whole(value))
        if not number.is_finite():
            return None
        try:
            exact = number.quantize(unit, context=exactly)
        except (Inexact, InvalidOperation):
            return None  # more places or more digits than the type has
        return exact if exact else exact.copy_abs()

    return encode


def uuid_encoder() -> Encode:
    """A function from a UUID or its text to the UUID."""
    from uuid import UUID

    def encode(value: Any) -> Any:
        if isinstance(value, UUID):
            return value
        if not isinstance(value, str):
            raise WrongTypeError
        try:
            return UUID(value)
        except ValueError:
            raise WrongTypeError from None

    return encode


def _encode_text(value: Any) -> Any:
    if not isinstance(value, str):
        raise WrongTypeError
    try:
        value.encode()
    except UnicodeEncodeError:
        return None  # a lone surrogate, which no table can hold
    return str(value)


def encode_boolean(value: Any) -> Any:
    """The bool, also of numpy's type."""
    if isinstance(value, bool):
        return value
    if type(value).__module__ == "numpy" and isinstance(value.item(), bool):
        return bool(value)
    raise WrongTypeError


def _encode_blob(value: Any) -> Any:
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise WrongTypeError
    return bytes(value)


def encode_date(value: Any) -> Any:
    """The date; an instant is not one."""
    if not isinstance(value, date) or isinstance(value, datetime):
        raise WrongTypeError
    return value


def _encode_timestamp(value: Any) -> Any:
    if not isinstance(value, datetime):
        raise WrongTypeError
    # pandas: NaT is a datetime that differs from itself, and a Timestamp may be finer than a microsecond.
    if value != value or getattr(value, "nanosecond", False):  # noqa: PLR0124
        return None
    if value.tzinfo is None:
        return value
    try:
        return value.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        return None  # outside the years 1 to 9999 once in UTC


def _refuse(_: Any) -> Any:
    raise WrongTypeError


_ENCODE: dict[Kind, Encode] = {
    "boolean": encode_boolean,
    "text": _encode_text,
    "blob": _encode_blob,
    "date": encode_date,
    "timestamp": _encode_timestamp,
    "timestamptz": _encode_timestamp,
}


def _parse_integer(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,80}(\.0*)?", text):  # pandas writes integers with gaps as 1.0
        raise ValueError(text)
    return int(text.partition(".")[0])


def _parse_boolean(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


def _parse_decimal(text: str) -> Decimal:
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)", text):
        raise ValueError(text)
    from decimal import Decimal

    return Decimal(text)


def _parse_uuid(text: str) -> UUID:
    from uuid import UUID

    return UUID(text)


def _parse_instant(text: str) -> datetime:
    moment = parse_moment(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


_PARSE: dict[Kind, Callable[[str], Any]] = {
    "boolean": _parse_boolean,
    "integer": _parse_integer,
    "decimal": _parse_decimal,
    "text": str,
    "blob": bytes.fromhex,
    "uuid": _parse_uuid,
    "date": date.fromisoformat,
    "timestamp": _parse_instant,
    "timestamptz": _parse_instant,
}
_EXAMPLES: dict[Kind, str] = {
    "boolean": "true",
    "integer": "7",
    "decimal": "1.50",
    "blob": "00ff (hexadecimal)",
    "uuid": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "date": "2013-01-31",
    "timestamp": "2013-01-31T12:00:00",
    "timestamptz": "2013-01-31T12:00:00Z",
}


def _show(value: Any) -> str:
    return f"the {type(value).__name__} {_shorten(repr(value))}"


def _shorten(shown: str) -> str:
    return shown if len(shown) <= 60 else shown[:57] + "…"
