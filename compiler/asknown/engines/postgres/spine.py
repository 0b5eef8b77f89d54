"""A spine's Arrow columns as Postgres takes them: the type of each, and the data in a shape that the driver loads."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from asknown.engines.spines import has_decimals, plain_type, refusal

_KINDS: dict[pa.DataType, tuple[str, pa.DataType]] = {
    pa.bool_(): ("BOOLEAN", pa.bool_()),
    pa.int8(): ("SMALLINT", pa.int16()),
    pa.uint8(): ("SMALLINT", pa.int16()),
    pa.int16(): ("SMALLINT", pa.int16()),
    pa.uint16(): ("INTEGER", pa.int32()),
    pa.int32(): ("INTEGER", pa.int32()),
    pa.uint32(): ("BIGINT", pa.int64()),
    pa.int64(): ("BIGINT", pa.int64()),
    pa.uint64(): ("NUMERIC(20, 0)", pa.decimal128(20, 0)),
    pa.float32(): ("REAL", pa.float32()),
    pa.float64(): ("DOUBLE PRECISION", pa.float64()),
    pa.string(): ("TEXT", pa.string()),
    pa.binary(): ("BYTEA", pa.binary()),
    pa.date32(): ("DATE", pa.date32()),
    pa.time64("us"): ("TIME", pa.time64("us")),
    pa.timestamp("us"): ("TIMESTAMP", pa.timestamp("us")),
    pa.timestamp("us", "UTC"): ("TIMESTAMPTZ", pa.timestamp("us", "UTC")),
}


@dataclass(frozen=True)
class Loaded:
    """A column of a spine: its name, its type in Postgres, and its values."""

    name: str
    kind: str
    data: pa.ChunkedArray


def to_columns(data: pa.Table) -> list[Loaded]:
    """The columns of a spine. Raises ``unsupported-type`` for one that Postgres has no exact type for."""
    columns = []
    for field, column in zip(data.schema, data.columns, strict=True):
        if isinstance(field.type, pa.DictionaryType):
            column = column.cast(field.type.value_type)  # noqa: PLW2901
        kind, arrow = _kind_of(column.type, field.name)
        if isinstance(column.type, pa.BaseExtensionType):
            column = pa.chunked_array([chunk.storage for chunk in column.chunks], arrow)  # noqa: PLW2901
        columns.append(Loaded(field.name, kind, column if column.type == arrow else column.cast(arrow)))
    return columns


def _kind_of(kind: pa.DataType, column: str) -> tuple[str, pa.DataType]:
    """A column's type in Postgres, and the Arrow type that is loaded into it."""
    plain = plain_type(kind)
    if pa.types.is_null(kind):
        return "TEXT", pa.string()
    if pa.types.is_time(kind) and kind.unit == "ns":
        raise refusal(column, kind, "Postgres")
    if plain in _KINDS:
        return _KINDS[plain]
    if has_decimals(plain):
        return f"NUMERIC({plain.precision}, {plain.scale})", plain
    if isinstance(kind, pa.BaseExtensionType) and kind.extension_name == "arrow.uuid":
        return "UUID", pa.binary(16)
    if pa.types.is_list(plain) and not pa.types.is_nested(plain.value_type):
        element, arrow = _kind_of(plain.value_type, column)
        if not pa.types.is_decimal(arrow):
            return f"{element}[]", pa.list_(arrow)
    raise refusal(column, kind, "Postgres")
