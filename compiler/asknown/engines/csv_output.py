"""Writes batches as CSV: fields in the text of DuckDB's casts, the same bytes from every engine."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from asknown.engines.json_values import as_json

_TEXT = pa.large_string()
_NEEDS_QUOTES = r'[,"\r\n]|^#|^\s|\s$|^$'


def write_csv(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    """Writes a line with the columns' names and one for each row to ``path``. Returns the number of rows.

    Fields have the text that DuckDB's cast gives: ``1.0``, ``1e+20``, ``2013-01-31 23:59:59.5``, ``true``; instants
    with a zone end in ``+00``; bytes other than plain characters are ``\\xAB``. Lists and structs are JSON. NULL is an
    empty field, and empty text is ``""``.
    """
    rows = 0
    with path.open("wb") as out:
        names = pa.array(schema.names, _TEXT)
        out.write(",".join(_quoted(names).to_pylist()).encode() + b"\n")
        for batch in batches:
            if batch.num_rows:
                out.write(_lines(batch))
                rows += batch.num_rows
    return rows


def _lines(batch: pa.RecordBatch) -> memoryview:
    """The rows of a batch as lines of CSV, as bytes."""
    fields = [_field_of(column) for column in batch.columns]
    if len(fields) == 1:
        fields = [pc.fill_null(fields[0], '""')]  # readers skip an empty line
    texts = [pc.fill_null(field, "") for field in fields]
    comma, end, nothing = (pa.scalar(text, _TEXT) for text in (",", "\n", ""))
    lines = pc.binary_join_element_wise(pc.binary_join_element_wise(*texts, comma), nothing, end)
    size = pc.sum(pc.binary_length(lines)).as_py()
    return memoryview(lines.buffers()[2])[:size]


def _field_of(column: pa.Array) -> pa.Array:
    texts = text_of(column)
    plain = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_temporal)
    return texts if any(is_one(column.type) for is_one in plain) else _quoted(texts)


def _quoted(texts: pa.Array) -> pa.Array:
    """The texts as fields, in quotes where a reader could misunderstand them."""
    need = pc.match_substring_regex(texts, _NEEDS_QUOTES)
    if not pc.any(need).as_py():
        return texts
    mark, nothing = pa.scalar('"', _TEXT), pa.scalar("", _TEXT)
    doubled = pc.replace_substring(texts, '"', '""')
    return pc.if_else(need, pc.binary_join_element_wise(mark, doubled, mark, nothing), texts)


def text_of(column: pa.Array) -> pa.Array:
    """The values as text; NULL stays NULL."""
    kind = column.type
    if isinstance(column, pa.ExtensionArray):
        return text_of(_uuids(column) if kind.extension_name == "arrow.uuid" else column.storage)
    if pa.types.is_dictionary(kind):
        return text_of(column.cast(kind.value_type))
    if pa.types.is_floating(kind):
        return _floats(column)
    if pa.types.is_decimal(kind):
        return _without_exponents(column.cast(_TEXT))
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind):
        return _times(column)
    if pa.types.is_nested(kind):
        return _each(column, lambda value: json.dumps(as_json(value), ensure_ascii=False))
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return _each(column, lambda value: "".join(map(_byte, value)))
    return column.cast(_TEXT)


def _each(column: pa.Array, spell: Any) -> pa.Array:
    return pa.array([None if value is None else spell(value) for value in column.to_pylist()], _TEXT)


def _byte(value: int) -> str:
    plain = 32 <= value < 127 and chr(value) not in "\\'\""
    return chr(value) if plain else f"\\x{value:02X}"


def _uuids(column: pa.ExtensionArray) -> pa.Array:
    return _each(column, str)


def _floats(column: pa.Array) -> pa.Array:
    """Floats with the fewest digits that read back as the same float, as Python and DuckDB spell them.

    Arrow has the same digits. It writes 1.0 as 1, and takes exponents for other sizes.
    """
    texts = column.cast(_TEXT)
    whole = pc.match_substring_regex(texts, r"^-?\d+$")
    dot, end = pa.scalar("", _TEXT), pa.scalar(".0", _TEXT)
    texts = pc.if_else(whole, pc.binary_join_element_wise(texts, end, dot), texts)
    return _respelled(texts, r"e|^-?0\.0000", lambda text: repr(float(text)))


def _without_exponents(texts: pa.Array) -> pa.Array:
    return _respelled(texts, "E", lambda text: format(Decimal(text), "f"))


def _respelled(texts: pa.Array, pattern: str, spell: Any) -> pa.Array:
    """The texts, those that match the pattern spelled anew."""
    odd = pc.fill_null(pc.match_substring_regex(texts, pattern), False)
    if not pc.any(odd).as_py():
        return texts
    again = pa.array([spell(text) for text in texts.filter(odd).to_pylist()], _TEXT)
    return pc.replace_with_mask(texts, odd, again)


def _times(column: pa.Array) -> pa.Array:
    """Instants and times of day, without zeros at the end of their fraction."""
    kind = column.type
    zone = pa.types.is_timestamp(kind) and kind.tz
    if pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp(kind.unit))
    texts = column.cast(_TEXT)
    if kind.unit != "s":
        texts = pc.utf8_rtrim(pc.utf8_rtrim(texts, "0"), ".")
    return pc.binary_join_element_wise(texts, pa.scalar("+00", _TEXT), pa.scalar("", _TEXT)) if zone else texts
