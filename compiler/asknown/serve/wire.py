"""The bodies of requests, and the JSON form of every value in both directions.

| value                     | /v1                               | Feast's endpoint           |
|---------------------------|-----------------------------------|----------------------------|
| NaN                       | "NaN"                             | null, with status PRESENT  |
| infinity                  | "Infinity", "-Infinity"           | an error                   |
| integer up to 64 bits     | number                            | number                     |
| wider integer             | text of digits                    | text of digits             |
| decimal                   | text with all digits of its scale | number with all its digits |
| timestamp                 | RFC 3339 in UTC, with Z           | the same                   |
| date, time, UUID, blob    | ISO text, ISO text, text, base64  | the same                   |

msgspec writes NaN and infinity as null without an error, so columns that hold such a value are converted first.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from math import isfinite
from typing import Any, Literal, Protocol, TypeVar

import msgspec

from asknown.errors import AsknownError
from asknown.instants import parse_moment
from asknown.json_text import check_keys, float_of
from asknown.serve.problems import ProblemError
from asknown.types import Kind, SqlType

Convert = Callable[[Any], Any]
ConvertColumn = Callable[[Sequence[Any]], Sequence[Any]]
Layout = Literal["v1", "feast"]

encode = msgspec.json.Encoder(decimal_format="number").encode
"""The JSON of what :func:`column_writer` gives. A Decimal becomes a number with all its digits."""


class FeastRequest(msgspec.Struct, gc=False):
    """The body of Feast's ``POST /get-online-features``; fields that are not named here are ignored, as Feast does."""

    entities: dict[str, list[Any]]
    features: list[str] | None = None
    feature_service: str | None = None
    full_feature_names: bool = False

    @property
    def members(self) -> int:
        """The members of all its objects, but for fields that say what is so without them."""
        given = (self.features is not None, self.feature_service is not None, self.full_feature_names)
        return 1 + sum(given) + len(self.entities)


class FeaturesRequest(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """The body of ``POST /v1/features``: a service or features; rows or columns with the keys and the inputs."""

    service: str | None = None
    features: list[str] | None = None
    rows: list[dict[str, Any]] | None = None
    columns: dict[str, list[Any]] | None = None
    at: str | None = None
    full_names: bool = False

    @property
    def members(self) -> int:
        """The members of all its objects, but for fields that say what is so without them."""
        given = (self.service, self.features, self.rows, self.columns, self.at)
        own = sum(field is not None for field in given) + self.full_names
        return own + len(self.columns or ()) + sum(map(len, self.rows or ()))


class FeastPush(msgspec.Struct, gc=False):
    """The body of Feast's ``POST /push``. ``push_source_name`` is a table of a source; other fields are ignored."""

    push_source_name: str
    df: dict[str, list[Any]]
    to: str = "online"

    @property
    def members(self) -> int:
        """The members of all its objects, but for fields that say what is so without them."""
        return 2 + (self.to != "online") + len(self.df)


class FeastWrite(msgspec.Struct, gc=False):
    """The body of Feast's ``POST /write-to-online-store``. Its times are called ``event_timestamp`` and ``created``."""

    feature_view_name: str
    df: dict[str, list[Any]]

    @property
    def members(self) -> int:
        """The members of all its objects, without fields that are ignored."""
        return 2 + len(self.df)


class Body(Protocol):
    """A body as it was read: the number of its members shows whether an object had one key twice."""

    @property
    def members(self) -> int: ...


B = TypeVar("B", bound=Body)

# A form is what curl -d says of JSON; nothing here trusts a browser's cookies, so it opens no door.
JSON_TYPES = (b"application/json", b"application/x-www-form-urlencoded", b"text/json")


def check_json(headers: Mapping[bytes, bytes]) -> None:
    """Refuses a body that is said to be other than JSON."""
    kind = headers.get(b"content-type", b"application/json")
    if kind not in JSON_TYPES and (kind := kind.partition(b";")[0].strip().lower()) not in JSON_TYPES:
        raise ProblemError(
            "wrong-content", f"The body is {kind.decode('latin-1') or 'of no type'}.", hint="send application/json"
        )
    check_encoding(headers)


def check_encoding(headers: Mapping[bytes, bytes]) -> None:
    """Refuses a compressed body."""
    encoding = headers.get(b"content-encoding", b"identity")
    if encoding != b"identity" and encoding.lower() != b"identity":
        raise ProblemError("wrong-content", f"The body is {encoding.decode('latin-1')}.", hint="send it uncompressed")


def read_body_as(decoder: msgspec.json.Decoder[B], body: bytes) -> B:
    """The value that a body of JSON spells. Raises ``bad-request``, also where an object has one key twice."""
    try:
        found = decoder.decode(body)
        check_keys(body, found.members)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ProblemError("bad-request", f"The body cannot be read: {error}.", hint="see /openapi.json") from None
    return found


# -- values that come in -------------------------------------------------------------------------------------------


def reader_of(kind: SqlType, column: str, *, is_input: bool) -> Convert | None:
    """A function from a JSON value to the value that the reader takes for this type; None if they are the same.

    It raises ``key-type`` or ``request-input`` for a text that is no value of the type.
    """
    parse = parser_of(kind, is_input=is_input)
    if parse is None:
        return None

    def read(value: Any) -> Any:
        try:
            return value if value is None else parse(value)
        except (ValueError, ArithmeticError, KeyError, binascii.Error):
            shown = repr(value)
            raise AsknownError(
                "request-input" if is_input else "key-type",
                f"{shown if len(shown) <= 60 else shown[:59] + '…'} cannot be read as the {kind} that '{column}' is",
                hint=f"write it like {EXAMPLES.get(kind.kind, 'the documentation of this endpoint says')}",
            ) from None

    return read


def needs_decimals(kind: SqlType) -> bool:
    """Whether fractions in JSON must be read as decimals for this type, because a double would round them."""
    return kind.kind == "decimal" or (kind.element is not None and needs_decimals(kind.element))


EXAMPLES: dict[Kind, str] = {
    "boolean": "true",
    "integer": "7",
    "float": '12.5, "NaN", "Infinity" or "-Infinity"',
    "decimal": '"1.50"',
    "text": '"UA"',
    "blob": '"AP8=" (base64)',
    "uuid": '"0f8fad5b-d9cb-469f-a165-70867728950e"',
    "date": '"2013-01-31"',
    "timestamp": '"2013-01-31T12:00:00Z"',
    "timestamptz": '"2013-01-31T12:00:00Z"',
    "list": "[1, 2]",
}
"""How a value of each kind is written in a request."""

_STRANGE = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


def parser_of(kind: SqlType, *, is_input: bool) -> Convert | None:
    """A function from a JSON value, never null, to a value of the type; None if they are the same.

    It raises ValueError, ArithmeticError or KeyError for a text that is no value of the type.
    """
    match kind.kind:
        case "float" if is_input:
            return _parse_float
        case "integer" if kind.is_wide:
            return _parse_wide
        case "list" if kind.element is not None:
            inner = parser_of(kind.element, is_input=is_input)
            if inner is None:
                return None
            return lambda v: [None if x is None else inner(x) for x in v] if isinstance(v, list) else v
    return _PARSE.get(kind.kind)


def _parse_float(value: Any) -> Any:
    if type(value) is str:
        return _STRANGE[value]
    return float_of(value) if type(value) is Decimal else value


def _parse_wide(value: Any) -> Any:
    if type(value) is not str:
        return value
    if not re.fullmatch(r"[+-]?[0-9]{1,80}", value):
        raise ValueError(value)
    return int(value)


def _parse_decimal(value: Any) -> Any:
    if type(value) is not str:
        return value
    if not re.fullmatch(r"[+-]?[0-9]{1,80}(\.[0-9]{0,80})?", value):
        raise ValueError(value)
    return Decimal(value)


def _parse_moment(value: Any) -> Any:
    return parse_moment(value) if type(value) is str else value


def _parse_date(value: Any) -> Any:
    return date.fromisoformat(value) if type(value) is str else value


def _parse_blob(value: Any) -> Any:
    return base64.b64decode(value, validate=True) if type(value) is str else value


_PARSE: dict[Kind, Convert] = {
    "decimal": _parse_decimal,
    "blob": _parse_blob,
    "date": _parse_date,
    "timestamp": _parse_moment,
    "timestamptz": _parse_moment,
}


# -- values that go out --------------------------------------------------------------------------------------------


def column_writer(kind: SqlType, layout: Layout) -> ConvertColumn | None:
    """A function from a column of values to what :data:`encode` writes rightly; None if the two are the same."""
    if kind.kind == "float":
        return _floats_v1 if layout == "v1" else _floats_feast
    write = value_writer(kind, layout)
    if write is None:
        return None
    return lambda column: [None if value is None else write(value) for value in column]


def value_writer(kind: SqlType, layout: Layout) -> Convert | None:
    """A function from one value, not None, to what :data:`encode` writes rightly; None if the two are the same."""
    match kind.kind:
        case "integer":
            return str if kind.is_wide and kind.bits > 64 else None
        case "float":
            return _float_v1 if layout == "v1" else _float_feast
        case "decimal":
            return _digits if layout == "v1" else _number
        case "list" if kind.element is not None:
            inner = value_writer(kind.element, layout)
            return None if inner is None else lambda values: [None if v is None else inner(v) for v in values]
        case "struct":
            fields = {name: value_writer(field, layout) for name, field in kind.fields}
            return lambda value: {
                name: item if item is None or (write := fields.get(name)) is None else write(item)
                for name, item in value.items()
            }
    return _WRITE.get(kind.kind)


def _floats_v1(column: Sequence[Any]) -> Sequence[Any]:
    return column if _all_finite(column) else [None if v is None else _float_v1(v) for v in column]


def _floats_feast(column: Sequence[Any]) -> Sequence[Any]:
    return column if _all_finite(column) else [None if v is None else _float_feast(v) for v in column]


def _all_finite(column: Sequence[Any]) -> bool:
    """Whether no value is NaN or infinite. It may say False of huge values that add up to infinity."""
    if len(column) == 1:
        return column[0] is None or isfinite(column[0])
    return isfinite(sum(filter(None, column)))


def _float_v1(value: float) -> Any:
    if isfinite(value):
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"  # noqa: PLR0124 - a NaN


def _float_feast(value: float) -> Any:
    if isfinite(value):
        return value
    if value != value:  # noqa: PLR0124 - a NaN
        return None
    raise AsknownError(
        "bad-value",
        "a value is infinite, which the JSON of /get-online-features cannot say",
        hint="read it from /v1/features, which writes it as the text Infinity",
    )


def _digits(value: Decimal) -> str:
    return format(value, "f")


def _number(value: Decimal) -> Any:
    return msgspec.Raw(format(value, "f").encode())


def _moment(value: datetime) -> str:
    return spell_moment(value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None))


def spell_moment(moment: datetime) -> str:
    """RFC 3339 of a naive instant in UTC; the fraction has six digits, or is left out where it is zero."""
    return f"{moment.isoformat()}Z"


_WRITE: dict[Kind, Convert] = {
    "blob": lambda value: base64.b64encode(value).decode(),
    "uuid": str,
    "date": date.isoformat,
    "time": lambda value: value.isoformat(),
    "timestamp": _moment,
    "timestamptz": _moment,
}
