"""Types between Spark, Arrow and the names that asknown knows them by."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa

from asknown.engines.arrow import arrow_type
from asknown.engines.spines import has_decimals, plain_type, refusal
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
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_MICROSECONDS = 6


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
            raise refusal(field.name, field.type, "Spark Connect")
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
    arrow = arrow_type(parse_type(name))
    if arrow is None:
        raise AsknownError(
            "unsupported-type",
            f"column '{field.name}' of the result has the type {name}, which cannot be kept exactly",
            hint=f"cast it, as in: cast({field.name} as string) as {field.name}",
        )
    return arrow


def _spark_arrow(kind: pa.DataType, column: str) -> pa.DataType:
    """The Arrow type that a column goes to Spark in."""
    plain = plain_type(kind)
    if pa.types.is_list(plain):
        return pa.list_(_spark_arrow(plain.value_type, column))
    if pa.types.is_struct(plain):
        return pa.struct([(field.name, _spark_arrow(field.type, column)) for field in plain])
    if pa.types.is_timestamp(plain):
        return pa.timestamp("us", plain.tz)
    if plain in _KEPT or has_decimals(plain):
        return plain
    if plain in _WIDER:
        return _WIDER[plain]
    raise refusal(column, kind, "Spark")


_KEPT = frozenset(
    (
        *(pa.bool_(), pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.float32(), pa.float64()),
        *(pa.string(), pa.binary(), pa.date32(), pa.time64("us")),
    )
)
_WIDER = {
    pa.uint8(): pa.int16(),
    pa.uint16(): pa.int32(),
    pa.uint32(): pa.int64(),
    pa.uint64(): pa.decimal128(20, 0),
}
