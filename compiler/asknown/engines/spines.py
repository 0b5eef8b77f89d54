"""Prepares spines for engines that take other types than Arrow's, and that keep no order of rows."""

from __future__ import annotations

import pyarrow as pa

from asknown.errors import AsknownError

SPINE = "_asknown_spine"
"""How the names of the tables begin that spines are put into."""
_WIDEST = 38  # digits of a decimal in 128 bits
_ROW = "_asknown_row"


def number_rows(data: pa.Table) -> tuple[pa.Table, str]:
    """The table with one more column, the last, that counts its rows from 1; and the name of that column.

    >>> table, row = number_rows(pa.table({"_Asknown_Row": ["a", "b"]}))
    >>> row, table.column(row).to_pylist()
    ('_asknown_row_', [1, 2])
    """
    row, taken = _ROW, {name.casefold() for name in data.column_names}
    while row in taken:
        row += "_"
    return data.append_column(row, pa.array(range(1, data.num_rows + 1), pa.int64())), row


def plain_type(kind: pa.DataType) -> pa.DataType:
    """The Arrow type that stands for all that hold the same values: one text, one date, one width of decimals.

    An instant keeps its nanoseconds; a NULL alone is an integer, as in DuckDB.

    >>> print(plain_type(pa.dictionary(pa.int8(), pa.large_string())))
    string
    """
    t = pa.types
    if t.is_dictionary(kind):
        return plain_type(kind.value_type)
    if t.is_timestamp(kind):
        return pa.timestamp("ns" if kind.unit == "ns" else "us", "UTC" if kind.tz else None)
    if has_decimals(kind):
        return pa.decimal128(kind.precision, kind.scale)
    if t.is_list(kind) or t.is_large_list(kind) or t.is_fixed_size_list(kind):
        return pa.list_(plain_type(kind.value_type))
    if t.is_struct(kind):
        return pa.struct([pa.field(field.name, plain_type(field.type)) for field in kind])
    return next((plain for tests, plain in _PLAIN if any(test(kind) for test in tests)), kind)


_PLAIN = (
    ((pa.types.is_null,), pa.int32()),
    ((pa.types.is_float16,), pa.float32()),
    ((pa.types.is_large_string, pa.types.is_string_view), pa.string()),
    ((pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary), pa.binary()),
    ((pa.types.is_date64,), pa.date32()),
    ((pa.types.is_time,), pa.time64("us")),
)


def has_decimals(kind: pa.DataType) -> bool:
    """Whether this is a type of decimals that SQL has: up to 38 digits, some of them behind the point."""
    return bool(pa.types.is_decimal(kind)) and 0 <= kind.scale <= kind.precision <= _WIDEST


def refusal(column: str, kind: pa.DataType, engine: str) -> AsknownError:
    """The error for a column of a spine whose type the engine has no exact counterpart of."""
    instant = pa.types.is_timestamp(kind) or pa.types.is_time(kind)
    return AsknownError(
        "unsupported-type",
        f"the spine's column '{column}' has Arrow's type {kind}, which {engine} cannot keep exactly",
        hint="round it to microseconds" if instant else "leave the column out, or turn it into text",
    )
