"""Types between Spark, Arrow and the names that asknown knows them by."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa

from asknown.errors import AsknownError
from asknown.types import SqlType, parse_type

_NAMES = {
    "boolean": "BOOLEAN",
    "byte": "TINYINT",
    "short": "SMALLINT",
    "integer": "INTEGER",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "binary": "BLOB",
    "date": "DATE",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "timestamp_ntz": "TIMESTAMP",
    "void": "INTEGER",  # a NULL alone, as in DuckDB
}
_ARROW = {
    "BOOLEAN": pa.bool_(),
    "TINYINT": pa.int8(),
    "SMALLINT": pa.int16(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "VARCHAR": pa.string(),
    "BLOB": pa.binary(),
    "DATE": pa.date32(),
    "TIME": pa.time64("us"),
    "TIMESTAMP": pa.timestamp("us"),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", "UTC"),
}
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_MICROSECONDS = 6
_WIDEST = 38  # digits of a Spark decimal


def columns_of(schema: Any) -> list[tuple[str, SqlType]]:
    """The names and types of a query's columns. What has no exact counterpart gets the kind ``other``."""
    return [(field.name, parse_type(_name(field.dataType))) for field in schema.fields]


def result_schema(schema: Any) -> pa.Schema:
    """The Arrow schema of a result: what DuckDB gives for the same types. Raises ``unsupported-type``."""
    return pa.schema([pa.field(field.name, _arrow_of(field)) for field in schema.fields])


def to_spark(data: pa.Table, *, times: bool = True) -> pa.Table:
    """A table in the types that Spark keeps: microseconds, signed integers, plain text. Raises ``unsupported-type``.

    ``times`` says whether times of day can be kept; Spark Connect does not take them.
    """
    fields = [pa.field(field.name, _spark_arrow(field.type, field.name)) for field in data.schema]
    for field in fields:
        if pa.types.is_time(field.type) and not times:
            raise _not_kept(field.name, field.type)
    try:
        return data.cast(pa.schema(fields))
    except pa.ArrowInvalid as error:
        raise AsknownError(
            "unsupported-type",
            f"the spine's values do not fit Spark's types: {str(error).splitlines()[0]}",
            hint="cast the column first; Spark keeps microseconds, and integers of up to 64 bits",
        ) from None


def _name(kind: Any) -> str:
    from pyspark.sql.types import ArrayType, CharType, DecimalType, StringType, StructType, TimeType, VarcharType

    match kind:
        case DecimalType():
            return f"DECIMAL({kind.precision},{kind.scale})"
        case CharType() | VarcharType():
            return "VARCHAR"
        case StringType():
            return "VARCHAR" if kind.isUTF8BinaryCollation() else str(kind.simpleString())
        case TimeType():
            return "TIME" if kind.precision <= _MICROSECONDS else str(kind.simpleString())
        case ArrayType():
            return f"{_name(kind.elementType)}[]"
        case StructType():
            fields = (f"{_quoted(field.name)} {_name(field.dataType)}" for field in kind.fields)
            return f"STRUCT({', '.join(fields)})"
    return _NAMES.get(kind.typeName()) or str(kind.simpleString())


def _quoted(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '""') + '"'


def _arrow_of(field: Any) -> pa.DataType:
    name = _name(field.dataType)
    arrow = _arrow(parse_type(name))
    if arrow is None:
        raise AsknownError(
            "unsupported-type",
            f"column '{field.name}' of the result has the type {name}, which cannot be kept exactly",
            hint=f"cast it, as in: cast({field.name} as string) as {field.name}",
        )
    return arrow


def _arrow(kind: SqlType) -> pa.DataType | None:
    match kind.kind:
        case "decimal":
            return pa.decimal128(kind.precision, kind.scale)
        case "list" if kind.element is not None:
            element = _arrow(kind.element)
            return None if element is None else pa.list_(pa.field("l", element))
        case "struct":
            fields = [(name, _arrow(each)) for name, each in kind.fields]
            return None if any(each is None for _, each in fields) else pa.struct(fields)
    return _ARROW.get(kind.name)


def _spark_arrow(kind: pa.DataType, column: str) -> pa.DataType:
    """The Arrow type that a column goes to Spark in."""
    t = pa.types
    if t.is_dictionary(kind):
        return _spark_arrow(kind.value_type, column)
    if t.is_list(kind) or t.is_large_list(kind) or t.is_fixed_size_list(kind):
        return pa.list_(_spark_arrow(kind.value_type, column))
    if t.is_struct(kind):
        return pa.struct([(field.name, _spark_arrow(field.type, column)) for field in kind])
    if t.is_timestamp(kind):
        return pa.timestamp("us", "UTC" if kind.tz else None)
    if t.is_decimal(kind) and kind.precision <= _WIDEST and kind.scale >= 0:
        return pa.decimal128(kind.precision, kind.scale)
    for belongs, arrow in _SPARK:
        if belongs(kind):
            return arrow
    raise _not_kept(column, kind)


def _not_kept(column: str, kind: pa.DataType) -> AsknownError:
    return AsknownError(
        "unsupported-type",
        f"the spine's column '{column}' has the Arrow type {kind}, which Spark does not keep",
        hint="cast it first, to text for instance, or leave the column out",
    )


_SPARK = (
    (pa.types.is_boolean, pa.bool_()),
    (pa.types.is_int8, pa.int8()),
    (pa.types.is_int16, pa.int16()),
    (pa.types.is_uint8, pa.int16()),
    (pa.types.is_int32, pa.int32()),
    (pa.types.is_uint16, pa.int32()),
    (pa.types.is_int64, pa.int64()),
    (pa.types.is_uint32, pa.int64()),
    (pa.types.is_uint64, pa.decimal128(20, 0)),
    (pa.types.is_float16, pa.float32()),
    (pa.types.is_float32, pa.float32()),
    (pa.types.is_float64, pa.float64()),
    (pa.types.is_string, pa.string()),
    (pa.types.is_large_string, pa.string()),
    (pa.types.is_string_view, pa.string()),
    (pa.types.is_binary, pa.binary()),
    (pa.types.is_large_binary, pa.binary()),
    (pa.types.is_fixed_size_binary, pa.binary()),
    (pa.types.is_date, pa.date32()),
    (pa.types.is_time, pa.time64("us")),
    (pa.types.is_null, pa.int32()),
)
