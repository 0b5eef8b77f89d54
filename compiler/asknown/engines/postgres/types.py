"""Maps Postgres's types to asknown's, and casts its Arrow columns to exactly those types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from asknown.dialects.postgres.translation import WHOLE_NUMBERS
from asknown.durations import DAY
from asknown.engines import arrow
from asknown.errors import AsknownError
from asknown.types import SqlType, parse_type

_NAMES = {
    "bool": "BOOLEAN",
    "int2": "SMALLINT",
    "int4": "INTEGER",
    "int8": "BIGINT",
    "float4": "FLOAT",
    "float8": "DOUBLE",
    "text": "VARCHAR",
    "varchar": "VARCHAR",
    "name": "VARCHAR",
    "bytea": "BLOB",
    "uuid": "UUID",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMP WITH TIME ZONE",
}
_TAGGED = {precision: name for name, precision in WHOLE_NUMBERS.items()}
# What stands first on Postgres's calendar, 4713 BC: what lies before it is an infinity that did not fit.
_FIRST_DAY = -2_440_588
_FIRST_MICROSECOND = _FIRST_DAY * DAY


@dataclass(frozen=True)
class OwnType:
    """A type that is none of the usual ones: the server's name for it, and whether it is an enum."""

    name: str
    is_enum: bool


def unknown_name(field: pa.Field) -> str | None:
    """The driver's name of a type that is none of the usual ones; where the driver has no name, the type's oid."""
    name = (field.metadata or {}).get(b"POSTGRESQL:type", b"").decode()
    known = name in _NAMES or name in ("numeric", "bpchar") or name.startswith("_")
    return None if known else name.removeprefix("unnamed<oid:").removesuffix(">")


def read_type(field: pa.Field, own: Mapping[str, OwnType]) -> SqlType:
    """The type of a result's column, from what the driver says of it, and of ``own`` types by :func:`unknown_name`.

    NUMERIC without a precision is what whole numbers beyond 64 bits are here, such as the sum of a BIGINT; that its
    values are whole is checked as they are read. What cannot be kept has the kind ``other`` and Postgres's own name.
    """
    facts = field.metadata or {}
    name = facts.get(b"POSTGRESQL:type", b"").decode()
    if (unknown := unknown_name(field)) is not None:
        found = own.get(unknown, OwnType(unknown, is_enum=False))
        return SqlType(found.name, "text" if found.is_enum else "other")
    if name.startswith("_") and pa.types.is_list(field.type):
        element = _NAMES.get(name[1:])
        return SqlType(f"{name[1:]}[]", "other") if element is None else parse_type(f"{element}[]")
    if name == "numeric":
        return _read_numeric(int(facts.get(b"POSTGRESQL:typmod", b"-1")))
    if name == "bpchar":
        return SqlType("character(n)", "text")
    return parse_type(_NAMES[name]) if name in _NAMES else SqlType(f"{name[1:]}[]", "other")


def _read_numeric(modifier: int) -> SqlType:
    if modifier < 0:
        return parse_type("HUGEINT")
    precision = (modifier - 4) >> 16 & 0xFFFF
    if precision in _TAGGED:
        return parse_type(_TAGGED[precision])
    scale = ((modifier - 4 & 0x7FF) ^ 1024) - 1024  # eleven bits with a sign
    if precision > 38 or not 0 <= scale <= precision:
        return SqlType(f"numeric({precision},{scale})", "other")
    return parse_type(f"DECIMAL({precision},{scale})")


def arrow_type(kind: SqlType, *, column: str) -> pa.DataType:
    """The Arrow type of a column. Raises ``unsupported-type``, with a cast to write, for what cannot be kept."""
    if (found := arrow.arrow_type(kind)) is None:
        nearest = "double precision[]" if kind.name.endswith("[]") else "varchar"
        nearest = "numeric(38, 10)" if kind.name.startswith("numeric(") else nearest
        raise AsknownError(
            "unsupported-type",
            f"column '{column}' is of the Postgres type {kind.name}, which cannot be kept exactly",
            hint=f"cast it, as in: cast({column} as {nearest}) as {column}",
        )
    return found


def convert(column: pa.Array, kind: SqlType, wanted: pa.DataType, *, name: str) -> pa.Array:
    """A column as the driver gives it, in the type that :func:`arrow_type` says. Raises where a value does not fit."""
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if kind.kind in ("date", "timestamp", "timestamptz"):
        _refuse_infinite(column, name)
    if kind.kind == "uuid":
        return _spell_uuids(column)
    if kind.kind == "list" and kind.element is not None:
        values = convert(column.values, kind.element, wanted.value_type, name=name)
        return pa.ListArray.from_arrays(column.offsets, values, mask=column.is_null() if column.null_count else None)
    if column.type == wanted:
        return column
    try:
        return column.cast(wanted)
    except pa.ArrowInvalid:
        raise _misfit(column, kind, wanted, name) from None


def _refuse_infinite(column: pa.Array, name: str) -> None:
    days = pa.types.is_date(column.type)
    least = pc.min(column.cast(pa.int32() if days else pa.int64())).as_py()
    if least is not None and least < (_FIRST_DAY if days else _FIRST_MICROSECOND):
        raise AsknownError(
            "engine",
            f"column '{name}' holds an infinite time, or one after the year 294246, which cannot be kept",
            hint=f"write: case when isfinite({name}) then {name} end as {name}",
        )


def _spell_uuids(column: pa.Array) -> pa.Array:
    from uuid import UUID

    return pa.array([None if v is None else str(UUID(bytes=v)) for v in column.to_pylist()], pa.string())


def _misfit(column: pa.Array, kind: SqlType, wanted: pa.DataType, name: str) -> AsknownError:
    example = next((v for v in column.to_pylist() if v is not None and not _fits(v, wanted)), "")
    said = "NUMERIC without a precision, which is kept as a whole number of up to 38 digits"
    said = said if kind.name == "HUGEINT" else str(kind)
    scale = len(re.sub(r"^[^.]*\.?", "", example)) if re.fullmatch(r"-?[0-9.]+", example) else 10
    return AsknownError(
        "unsupported-type",
        f"column '{name}' holds {example}, and its type is {said}",
        hint=f"cast it, as in: cast({name} as numeric(38, {min(max(scale, 1), 38)})) as {name}",
    )


def _fits(value: str, wanted: pa.DataType) -> bool:
    try:
        pa.array([value]).cast(wanted)
    except pa.ArrowInvalid:
        return False
    return True
