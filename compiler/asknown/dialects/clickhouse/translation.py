"""Models on ClickHouse: names of types, what is written instead of sqlglot's translation, and what is refused."""

from __future__ import annotations

TYPES = {
    "BOOLEAN": "Nullable(Bool)",
    "TINYINT": "Nullable(Int8)",
    "SMALLINT": "Nullable(Int16)",
    "INTEGER": "Nullable(Int32)",
    "BIGINT": "Nullable(Int64)",
    "HUGEINT": "Nullable(Int128)",
    "UTINYINT": "Nullable(UInt8)",
    "USMALLINT": "Nullable(UInt16)",
    "UINTEGER": "Nullable(UInt32)",
    "UBIGINT": "Nullable(UInt64)",
    "UHUGEINT": "Nullable(UInt128)",
    "FLOAT": "Nullable(Float32)",
    "DOUBLE": "Nullable(Float64)",
    "VARCHAR": "Nullable(String)",
    "UUID": "Nullable(UUID)",
    "DATE": "Nullable(Date32)",
    "TIMESTAMP": "Nullable(DateTime64(6))",
    "TIMESTAMP WITH TIME ZONE": "Nullable(DateTime64(6, 'UTC'))",
}
REWRITES: dict[str, str] = {
    "cast.to.timestamp": f"CAST(:this AS {TYPES['TIMESTAMP']})",
    "cast.to.timestamptz": f"CAST(:this AS {TYPES['TIMESTAMP WITH TIME ZONE']})",
    "cast.to.date": f"CAST(:this AS {TYPES['DATE']})",
    "cast.to.time": "toTime64(:this, 6)",
}
REFUSED: dict[str, str] = {}
