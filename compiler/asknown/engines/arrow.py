"""The Arrow types of results: one table for all engines."""

from __future__ import annotations

import pyarrow as pa

from asknown.types import SqlType

_WIDEST = 38  # digits of a decimal in 128 bits

_OF_SQL: dict[str, pa.DataType] = {
    "BOOLEAN": pa.bool_(),
    "TINYINT": pa.int8(),
    "SMALLINT": pa.int16(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "HUGEINT": pa.decimal128(_WIDEST, 0),
    "UTINYINT": pa.uint8(),
    "USMALLINT": pa.uint16(),
    "UINTEGER": pa.uint32(),
    "UBIGINT": pa.uint64(),
    "UHUGEINT": pa.decimal128(_WIDEST, 0),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "VARCHAR": pa.string(),
    "BLOB": pa.binary(),
    "UUID": pa.string(),
    "DATE": pa.date32(),
    "TIME": pa.time64("us"),
    "TIMESTAMP": pa.timestamp("us"),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", "UTC"),
    "TIMESTAMP_NS": pa.timestamp("ns"),
    "TIMESTAMPTZ_NS": pa.timestamp("ns", "UTC"),
}


def arrow_type(kind: SqlType) -> pa.DataType | None:
    """The Arrow type of a result's column, as DuckDB gives it for the same SQL type; None if nothing keeps its values.

    >>> from asknown.types import parse_type
    >>> print(arrow_type(parse_type("DECIMAL(9,2)[]")))
    list<l: decimal128(9, 2)>
    """
    match kind.kind:
        case "decimal":
            return pa.decimal128(kind.precision, kind.scale)
        case "list":
            element = None if kind.element is None else arrow_type(kind.element)
            return None if element is None else pa.list_(pa.field("l", element))
        case "struct":
            fields = [(name, arrow_type(field)) for name, field in kind.fields]
            return None if any(field is None for _, field in fields) else pa.struct(fields)
    return _OF_SQL.get(kind.name)
