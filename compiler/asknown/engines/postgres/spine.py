"""A spine's Arrow columns as Postgres takes them: the type of each, and the data in a shape that the driver loads."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from asknown.errors import AsknownError

ROW = "_asknown_row"

_KINDS: dict[pa.DataType, tuple[str, pa.DataType]] = {
    pa.null(): ("TEXT", pa.string()),
    pa.bool_(): ("BOOLEAN", pa.bool_()),
    pa.int8(): ("SMALLINT", pa.int16()),
    pa.uint8(): ("SMALLINT", pa.int16()),
    pa.int16(): ("SMALLINT", pa.int16()),
    pa.uint16(): ("INTEGER", pa.int32()),
    pa.int32(): ("INTEGER", pa.int32()),
    pa.uint32(): ("BIGINT", pa.int64()),
    pa.int64(): ("BIGINT", pa.int64()),
    pa.uint64(): ("NUMERIC(20, 0)", pa.decimal128(20, 0)),
    pa.float16(): ("REAL", pa.float32()),
    pa.float32(): ("REAL", pa.float32()),
    pa.float64(): ("DOUBLE PRECISION", pa.float64()),
    pa.date32(): ("DATE", pa.date32()),
    pa.date64(): ("DATE", pa.date32()),
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
    if kind in _KINDS:
        return _KINDS[kind]
    if pa.types.is_decimal(kind) and 0 <= kind.scale <= kind.precision <= 38:
        return f"NUMERIC({kind.precision}, {kind.scale})", pa.decimal128(kind.precision, kind.scale)
    if pa.types.is_timestamp(kind) and kind.unit != "ns":
        return ("TIMESTAMPTZ", pa.timestamp("us", "UTC")) if kind.tz else ("TIMESTAMP", pa.timestamp("us"))
    if pa.types.is_time(kind) and kind.unit != "ns":
        return "TIME", pa.time64("us")
    if isinstance(kind, pa.BaseExtensionType) and kind.extension_name == "arrow.uuid":
        return "UUID", pa.binary(16)
    for is_one, known in (
        ((pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view), ("TEXT", pa.string())),
        (
            (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary),
            ("BYTEA", pa.binary()),
        ),
    ):
        if any(test(kind) for test in is_one):
            return known
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        element, arrow = _kind_of(kind.value_type, column)
        if not pa.types.is_nested(kind.value_type) and not pa.types.is_decimal(arrow):
            return f"{element}[]", pa.list_(arrow)
    whole = pa.types.is_timestamp(kind)
    raise AsknownError(
        "unsupported-type",
        f"the spine's column '{column}' has the type {kind}, which Postgres cannot keep exactly",
        hint="round it to microseconds" if whole else "leave it out of the spine, or turn it into text",
    )
