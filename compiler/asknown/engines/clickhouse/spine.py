"""A spine's Arrow columns as ClickHouse takes them: which type each gets, and what cannot be kept."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from asknown.engines.clickhouse.types import quote
from asknown.errors import AsknownError

ROW = "_asknown_row"


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
    columns = [_column(field.name, column) for field, column in zip(table.schema, table.columns, strict=True)]
    row, taken = ROW, {name.casefold() for name in table.column_names}
    while row in taken:
        row += "_"
    numbers = pa.chunked_array([pa.array(range(1, table.num_rows + 1), pa.uint64())])
    return [*columns, SpineColumn(row, "UInt64", numbers)]


def _column(name: str, data: pa.ChunkedArray) -> SpineColumn:
    wanted = _plain(data.type)
    if wanted != data.type:
        try:
            data = data.cast(wanted)
        except pa.ArrowInvalid as error:
            first = str(error).splitlines()[0]
            raise AsknownError("unsupported-type", f"the spine's column '{name}' cannot be loaded: {first}") from None
    if pa.types.is_list(wanted) and data.null_count:
        raise _refused(name, f"{data.type} with missing lists")
    kind = _nullable(wanted)
    if kind is None:
        raise _refused(name, str(data.type))
    return SpineColumn(name, kind, data)


def _refused(name: str, kind: str) -> AsknownError:
    return AsknownError(
        "unsupported-type",
        f"the spine's column '{name}' has Arrow's type {kind}, which ClickHouse cannot keep exactly",
        hint="leave the column out, or turn it into text",
    )


def _plain(kind: pa.DataType) -> pa.DataType:
    """The type among those that hold the same values that ClickHouse reads as meant."""
    match kind:
        case _ if pa.types.is_dictionary(kind):
            return _plain(kind.value_type)
        case _ if pa.types.is_null(kind):
            return pa.int32()
        case _ if pa.types.is_float16(kind):
            return pa.float32()
        case _ if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
            return pa.string()
        case _ if pa.types.is_date64(kind):
            return pa.date32()
        case _ if pa.types.is_time(kind):
            return pa.time64("us")
        case _ if pa.types.is_timestamp(kind):
            unit = "ns" if kind.unit == "ns" else "us"
            return pa.timestamp(unit, "UTC" if kind.tz else None)
        case _ if pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind):
            return pa.list_(_plain(kind.value_type))
        case _ if pa.types.is_struct(kind):
            return pa.struct([pa.field(field.name, _plain(field.type)) for field in kind])
    return kind


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
    if pa.types.is_decimal(kind) and kind.precision <= 38 and 0 <= kind.scale <= kind.precision:
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
