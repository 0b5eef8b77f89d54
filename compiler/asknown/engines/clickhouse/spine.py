"""A spine's Arrow columns as ClickHouse takes them: which type each gets, and what cannot be kept."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from asknown.engines.clickhouse.types import quote
from asknown.engines.spines import has_decimals, number_rows, plain_type, refusal
from asknown.errors import AsknownError


@dataclass(frozen=True)
class SpineColumn:
    """``data`` as Arrow, cast where ClickHouse would read it otherwise, and the type it is stored as."""

    name: str
    kind: str
    data: pa.ChunkedArray


def to_columns(table: pa.Table) -> list[SpineColumn]:
    """The columns of a spine, and a last one that counts its rows from 1.

    Raises ``unsupported-type`` for a column that would not come back as it is.
    """
    numbered, row = number_rows(table)
    columns = [_column(name, numbered.column(name)) for name in table.column_names]
    return [*columns, SpineColumn(row, "Int64", numbered.column(row))]


def _column(name: str, data: pa.ChunkedArray) -> SpineColumn:
    wanted = plain_type(data.type)
    if wanted != data.type:
        try:
            data = data.cast(wanted)
        except pa.ArrowInvalid as error:
            first = str(error).splitlines()[0]
            raise AsknownError("unsupported-type", f"the spine's column '{name}' cannot be loaded: {first}") from None
    if pa.types.is_list(wanted) and data.null_count:
        raise AsknownError(
            "unsupported-type",
            f"the spine's column '{name}' has missing lists, which ClickHouse cannot keep",
            hint="leave the column out, or turn it into text",
        )
    kind = _nullable(wanted)
    if kind is None:
        raise refusal(name, data.type, "ClickHouse")
    return SpineColumn(name, kind, data)


_KINDS: dict[pa.DataType, str] = {
    pa.bool_(): "Bool",
    pa.int8(): "Int8",
    pa.int16(): "Int16",
    pa.int32(): "Int32",
    pa.int64(): "Int64",
    pa.uint8(): "UInt8",
    pa.uint16(): "UInt16",
    pa.uint32(): "UInt32",
    pa.uint64(): "UInt64",
    pa.float32(): "Float32",
    pa.float64(): "Float64",
    pa.string(): "String",
    pa.date32(): "Date32",
    pa.time64("us"): "Time64(6)",
    pa.timestamp("us"): "DateTime64(6)",
    pa.timestamp("us", "UTC"): "DateTime64(6, 'UTC')",
    pa.timestamp("ns"): "DateTime64(9)",
    pa.timestamp("ns", "UTC"): "DateTime64(9, 'UTC')",
}


def _kind(kind: pa.DataType) -> str | None:
    if kind in _KINDS:
        return _KINDS[kind]
    if isinstance(kind, pa.BaseExtensionType) and kind.extension_name == "arrow.uuid":
        return "UUID"
    if has_decimals(kind):
        return f"Decimal({kind.precision}, {kind.scale})"
    if pa.types.is_list(kind):
        element = _nullable(kind.value_type)
        return element and f"Array({element})"
    if pa.types.is_struct(kind):
        fields = [(field.name, _nullable(field.type)) for field in kind]
        if fields and all(found for _, found in fields):
            return f"Tuple({', '.join(f'{quote(name)} {found}' for name, found in fields)})"
    return None


def _nullable(kind: pa.DataType) -> str | None:
    """The type with room for NULL, which an Array has not."""
    found = _kind(kind)
    return found if found is None or found.startswith("Array") else f"Nullable({found})"
