"""Values on their way between SQLite and Arrow, each checked against its column's type.

SQLite keeps any value in any column. Here a value that its column's type does not have is an error, so a type that
was found wrong never becomes a wrong number. A timestamp is a text in ISO form, or an INTEGER of microseconds since
1970 in UTC; a date and a time are texts; a decimal is a number of at most 15 digits; lists and structs are JSON. A NaN
of a spine travels as the text 'NaN', which nothing but a float column reads.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from datetime import UTC, date, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from asknown.engines.sqlite.instants import EPOCH, micros_of
from asknown.errors import AsknownError
from asknown.model.sqlite_types import DIGITS
from asknown.types import SqlType, parse_type

NAN = "NaN"
_ARROW: dict[str, pa.DataType] = {
    **{
        f"{sign}{name}": pa.type_for_alias(f"{'u' if sign else ''}int{bits}")
        for sign in ("", "U")
        for name, bits in (("TINYINT", 8), ("SMALLINT", 16), ("INTEGER", 32), ("BIGINT", 64))
    },
    **dict.fromkeys(("HUGEINT", "UHUGEINT"), pa.decimal128(38, 0)),
    "BOOLEAN": pa.bool_(),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "VARCHAR": pa.string(),
    "BLOB": pa.binary(),
    "UUID": pa.string(),
    "DATE": pa.date32(),
    "TIME": pa.time64("us"),
    "TIMESTAMP": pa.timestamp("us"),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", "UTC"),
}


def arrow_type(kind: SqlType) -> pa.DataType | None:
    """The Arrow type of a column of this type, as DuckDB gives it; None where there is none."""
    if kind.name in _ARROW:
        return _ARROW[kind.name]
    if kind.kind == "decimal":
        return pa.decimal128(kind.precision, kind.scale)
    if kind.kind == "list" and kind.element is not None:
        element = arrow_type(kind.element)
        return None if element is None else pa.list_(pa.field("l", element))
    if kind.kind == "struct":
        fields = [(name, arrow_type(part)) for name, part in kind.fields]
        return None if any(part is None for _, part in fields) else pa.struct(fields)
    return None


def sql_type(kind: pa.DataType, *, column: str) -> SqlType:
    """The type that an Arrow column has in SQL, as DuckDB reads it."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    for name, arrow in _ARROW.items():
        if kind == arrow and name not in ("UHUGEINT", "UUID", "HUGEINT"):
            return parse_type(name)
    for test, spell in _SPELLINGS:
        if test(kind):
            return parse_type(spell(kind, column))
    raise AsknownError(
        "unsupported-type",
        f"the spine's column '{column}' has the Arrow type {kind}, which SQLite cannot keep",
        hint="leave it out of the spine, or turn it into numbers, text or timestamps in microseconds",
    )


def _list_of(kind: pa.DataType, column: str) -> str:
    return f"{sql_type(kind.value_type, column=column)}[]"


def _struct_of(kind: pa.DataType, column: str) -> str:
    return f"STRUCT({', '.join(f'{_quoted(f.name)} {sql_type(f.type, column=column)}' for f in kind)})"


_SPELLINGS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.DataType, str], str]], ...] = (
    (pa.types.is_large_string, lambda kind, column: "VARCHAR"),
    (pa.types.is_string_view, lambda kind, column: "VARCHAR"),
    (pa.types.is_large_binary, lambda kind, column: "BLOB"),
    (pa.types.is_binary_view, lambda kind, column: "BLOB"),
    (pa.types.is_fixed_size_binary, lambda kind, column: "BLOB"),
    (pa.types.is_date, lambda kind, column: "DATE"),
    (pa.types.is_time, lambda kind, column: "TIME"),
    (pa.types.is_float16, lambda kind, column: "FLOAT"),
    (pa.types.is_null, lambda kind, column: "INTEGER"),
    (
        lambda kind: pa.types.is_timestamp(kind) and kind.unit != "ns",
        lambda kind, column: "TIMESTAMPTZ" if kind.tz else "TIMESTAMP",
    ),
    (pa.types.is_decimal128, lambda kind, column: f"DECIMAL({kind.precision},{kind.scale})"),
    (pa.types.is_list, _list_of),
    (pa.types.is_large_list, _list_of),
    (pa.types.is_struct, _struct_of),
)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


# ---------------------------------------------------------------- out of SQLite


def to_array(values: Sequence[Any], kind: SqlType, *, column: str) -> pa.Array:
    """A column of a result as Arrow. Raises ``unsupported-type`` for a value that its type does not have."""
    arrow = arrow_type(kind)
    if arrow is None:
        raise untyped(column, kind)
    types = set(map(type, values)) - {type(None)}
    fast = _FAST.get(kind.kind)
    if fast is not None and types <= fast[0]:
        try:
            return fast[1](values, arrow)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            pass  # one of them does not fit: find out which
    read = [None if value is None else _checked(value, kind, column) for value in values]
    try:
        return pa.array(read, arrow)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise AsknownError(
            "unsupported-type", f"column '{column}' does not fit {kind}: {str(error).splitlines()[0]}"
        ) from None


def _plain(values: Sequence[Any], arrow: pa.DataType) -> pa.Array:
    return pa.array(values, arrow)


def _of_flags(values: Sequence[Any], arrow: pa.DataType) -> pa.Array:
    numbers = pa.array(values, pa.int64())
    bounds = pc.min_max(numbers).as_py()
    if bounds["min"] is not None and not 0 <= bounds["min"] <= bounds["max"] <= 1:
        raise pa.ArrowInvalid("no truth value")
    return numbers.cast(arrow)


def _of_text(values: Sequence[Any], arrow: pa.DataType) -> pa.Array:
    return pa.array(values, pa.string()).cast(arrow)


def _of_micros(values: Sequence[Any], arrow: pa.DataType) -> pa.Array:
    return pa.array(values, pa.int64()).cast(arrow)


_FAST: dict[str, tuple[set[type], Callable[[Sequence[Any], pa.DataType], pa.Array]]] = {
    "integer": ({int}, _plain),
    "text": ({str}, _plain),
    "blob": ({bytes}, _plain),
    "boolean": ({int}, _of_flags),
    "date": ({str}, _of_text),
    "timestamp": ({int}, _of_micros),
    "timestamptz": ({int}, _of_micros),
}


def read_value(value: Any, kind: SqlType) -> Any:
    """A value that SQLite gave as Python has it. ValueError where the type has no such value."""
    read = _READ.get(kind.kind)
    if read is None or not isinstance(value, read[0]):
        raise ValueError("of another kind")
    return read[1](value, kind)


def _read_float(value: Any, kind: SqlType) -> float:
    if value == NAN:
        return math.nan
    if isinstance(value, int) and int(float(value)) == value:
        value = float(value)
    if not isinstance(value, float) or (kind.bits == 32 and pa.scalar(value, pa.float32()).as_py() != value):
        raise ValueError("no such number")
    return value


def _read_decimal(value: Any, kind: SqlType) -> Decimal:
    try:
        number = Decimal(repr(value) if isinstance(value, float) else value)
        exact = number.quantize(Decimal(1).scaleb(-kind.scale))
    except InvalidOperation:
        raise ValueError("no such number") from None
    if exact != number:
        raise ValueError("more digits")
    return exact


def _read_flag(value: int, kind: SqlType) -> bool:
    if value not in (0, 1):
        raise ValueError("no truth value")
    return bool(value)


def _read_nested(value: str, kind: SqlType) -> Any:
    return _from_json(json.loads(value), kind)


_READ: dict[str, tuple[tuple[type, ...], Callable[[Any, SqlType], Any]]] = {
    "integer": ((int,), lambda value, kind: Decimal(value) if kind.bits > 64 else value),
    "boolean": ((int,), _read_flag),
    "float": ((float, int, str), _read_float),
    "decimal": ((float, int, str), _read_decimal),
    "text": ((str,), lambda value, kind: value),
    "blob": ((bytes,), lambda value, kind: value),
    "uuid": ((str,), lambda value, kind: str(UUID(value))),
    "date": ((str,), lambda value, kind: date.fromisoformat(value)),
    "time": ((str,), lambda value, kind: time.fromisoformat(value)),
    "timestamp": ((int, str), lambda value, kind: micros_of(value)),
    "timestamptz": ((int, str), lambda value, kind: micros_of(value)),
    "list": ((str,), _read_nested),
    "struct": ((str,), _read_nested),
}


def _checked(value: Any, kind: SqlType, column: str) -> Any:
    try:
        return read_value(value, kind)
    except (ValueError, OverflowError, ArithmeticError):
        shown = f"a blob of {len(value)} bytes" if isinstance(value, bytes) else repr(value)
        raise AsknownError(
            "unsupported-type",
            f"column '{column}' is {kind}, and SQLite gives {shown} in it",
            hint=_HINTS.get(kind.kind, f"cast it in the select: cast({column} as {_nearest(kind)}) as {column}"),
        ) from None


_HINTS = {
    "timestamp": "a timestamp is text as in 2013-01-31 23:59:59.5, or an integer of microseconds since 1970 in UTC",
    "timestamptz": "a timestamp is text as in 2013-01-31 23:59:59.5+00:00, or an integer of microseconds since 1970",
    "date": "a date is text as in 2013-01-31",
    "time": "a time is text as in 23:59:59.5",
    "boolean": "a boolean is 0 or 1",
    "uuid": "a UUID is text of 36 characters",
    "decimal": f"SQLite keeps decimals as floats of {DIGITS} digits: round it, or keep whole numbers of cents",
    "integer": "an integer of 64 bits that overflows becomes a float in SQLite; cast(… as real) makes it one for all",
}


def _nearest(kind: SqlType) -> str:
    return {"text": "text", "float": "real", "blob": "blob"}.get(kind.kind, "text")


def untyped(column: str, kind: SqlType) -> AsknownError:
    """The error for a column that SQLite does not say the type of."""
    said = "SQLite does not say which type" if kind.name == "ANY" else f"{kind} is no type that asknown reads from"
    what = f"{said} column '{column}' has" if kind.name == "ANY" else f"{said} SQLite, and column '{column}' has it"
    return AsknownError(
        "unsupported-type",
        what,
        hint=f"write it in the select: cast({column} as integer), real or text, datetime({column}) or date({column})",
    )


# ---------------------------------------------------------------- into SQLite


def to_values(array: pa.ChunkedArray, kind: SqlType, *, column: str) -> list[Any]:
    """A column of a spine as SQLite keeps it. Raises ``unsupported-type`` for a value that it would change."""
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    match kind.kind:
        case "boolean":
            return list(array.cast(pa.int8()).to_pylist())
        case "integer":
            return (
                [_stored_integer(value, column) for value in array.to_pylist()]
                if not kind.signed
                else list(array.to_pylist())
            )
        case "float":
            return [NAN if value != value else value for value in array.cast(pa.float64()).to_pylist()]  # noqa: PLR0124
        case "decimal":
            return [_stored_decimal(value, column) for value in array.to_pylist()]
        case "date":
            return _texts(array.cast(pa.date32()), kind, column)
        case "time":
            return list(array.cast(pa.time64("us")).cast(pa.string()).to_pylist())
        case "timestamp" | "timestamptz":
            return list(array.cast(pa.timestamp("us", array.type.tz)).cast(pa.int64()).to_pylist())
        case "list" | "struct":
            return [None if v is None else json.dumps(_to_json(v, kind)) for v in array.to_pylist()]
    return list(array.to_pylist())


def _texts(array: pa.ChunkedArray, kind: SqlType, column: str) -> list[Any]:
    bounds = pc.min_max(array.cast(pa.int32())).as_py()
    if bounds["min"] is not None and not -719_162 <= bounds["min"] <= bounds["max"] <= 2_932_896:
        raise _would_change(column, f"a {kind} outside the years 1 to 9999")
    return list(array.cast(pa.string()).to_pylist())


def _stored_integer(value: int | None, column: str) -> int | None:
    if value is not None and value >= 2**63:
        raise _would_change(column, f"{value}, which is beyond 64 bits with a sign")
    return value


def _stored_decimal(value: Decimal | None, column: str) -> float | int | None:
    if value is None:
        return None
    if len(value.normalize().as_tuple().digits) > DIGITS:
        raise _would_change(column, f"{value}, a decimal of more than {DIGITS} digits")
    return int(value) if value == value.to_integral_value() and abs(value) < 2**63 else float(value)


def _would_change(column: str, what: str) -> AsknownError:
    return AsknownError(
        "unsupported-type",
        f"the spine's column '{column}' holds {what}: SQLite cannot keep it exactly",
        hint=f"give '{column}' as text",
    )


def _to_json(value: Any, kind: SqlType) -> Any:
    if value is None:
        return None
    match kind.kind:
        case "list" if kind.element is not None:
            return [_to_json(part, kind.element) for part in value]
        case "struct":
            return {name: _to_json(value[name], part) for name, part in kind.fields}
        case "decimal":
            return float(value)
        case "blob":
            return value.hex()
        case "timestamp" | "timestamptz":
            since = value.replace(tzinfo=value.tzinfo or UTC) - EPOCH
            return since // timedelta(microseconds=1)
        case "integer" | "boolean" | "text" | "float":
            return value
    return str(value)


def _from_json(value: Any, kind: SqlType) -> Any:
    if value is None:
        return None
    match kind.kind:
        case "list" if kind.element is not None and isinstance(value, list):
            return [_from_json(part, kind.element) for part in value]
        case "struct" if isinstance(value, dict):
            return {name: _from_json(value[name], part) for name, part in kind.fields}
        case "blob" if isinstance(value, str):
            return bytes.fromhex(value)
    return read_value(value, kind)
