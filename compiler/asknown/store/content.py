"""Hashes the content of a table: the same values give the same hash, whatever their batches, file or Arrow version.

Each column has three streams of bytes, which are hashed apart: which rows have a value, the values, and the lengths of
texts, blobs and lists. A NULL counts as zero; NaN has one form, and -0.0 is not 0.0.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


def hash_file(path: Path) -> str:
    """The hash of a Parquet file's content."""
    with pq.ParquetFile(path) as file:
        return hash_batches(file.schema_arrow, file.iter_batches())


def hash_batches(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> str:
    """The hash of a table: SHA-256 over the names, types and hashes of its columns, and the number of rows."""
    columns = [_Column(field.type) for field in schema]
    rows = 0
    for batch in batches:
        rows += batch.num_rows
        for column, array in zip(columns, batch.columns, strict=True):
            column.update(array)
    said = [[field.name, str(field.type), column.digest()] for field, column in zip(schema, columns, strict=True)]
    text = json.dumps({"columns": said, "rows": rows}, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class _Column:
    """The streams of one column, and of the columns inside of it."""

    def __init__(self, kind: pa.DataType) -> None:
        self._kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        self._valid, self._values, self._lengths = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
        inside: list[pa.DataType] = []
        if pa.types.is_struct(self._kind):
            inside = [self._kind.field(place).type for place in range(self._kind.num_fields)]
        elif _is_list(self._kind):
            inside = [self._kind.value_type]
        self._inside = [_Column(one) for one in inside]

    def update(self, array: pa.Array) -> None:
        """Adds the values of the next rows."""
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        self._valid.update(_bytes_of(pc.cast(pc.is_valid(array), pa.uint8())))
        if pa.types.is_struct(self._kind):
            for place, column in enumerate(self._inside):
                column.update(pc.struct_field(array, [place]))
        elif _is_list(self._kind):
            self._lengths.update(_bytes_of(pc.cast(pc.fill_null(pc.list_value_length(array), 0), pa.int64())))
            self._inside[0].update(pc.list_flatten(array))
        elif _is_bytes(self._kind):
            blobs = pc.fill_null(pc.cast(array, pa.large_binary()), b"")
            self._lengths.update(_bytes_of(pc.cast(pc.binary_length(blobs), pa.int64())))
            self._values.update(b"".join(blobs.to_pylist()))
        else:
            self._values.update(_bytes_of(_fixed(array)))

    def digest(self) -> str:
        """The hash of all rows so far."""
        parts = [stream.digest() for stream in (self._valid, self._values, self._lengths)]
        parts += [bytes.fromhex(column.digest()) for column in self._inside]
        return hashlib.sha256(b"".join(parts)).hexdigest()


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    checks = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(check(kind) for check in checks) or bool(pa.types.is_fixed_size_binary(kind))


def _fixed(array: pa.Array) -> pa.Array:
    """The values in a form of fixed width: 64 bits, or as many as a decimal has; zero for NULL."""
    kind = array.type
    if pa.types.is_floating(kind):
        doubles = pc.fill_null(pc.cast(array, pa.float64()), 0.0)
        return pc.if_else(pc.is_nan(doubles), float("nan"), doubles)
    if pa.types.is_decimal(kind):
        return pc.fill_null(array, pa.scalar(Decimal(0), kind))
    if pa.types.is_null(kind):
        return pa.nulls(len(array), pa.int64()).fill_null(0)
    if pa.types.is_timestamp(kind):
        array = pc.cast(array, pa.timestamp("us", tz=kind.tz))
    if pa.types.is_uint64(kind):
        return pc.fill_null(array, 0)
    if pa.types.is_date32(kind) or pa.types.is_time32(kind):
        array = pc.cast(array, pa.int32())
    return pc.fill_null(pc.cast(array, pa.int64()), 0)


def _bytes_of(array: pa.Array) -> bytes:
    """The values of an array of fixed width without NULL, as they lie in memory (little endian)."""
    width = array.type.bit_width // 8
    buffer = array.buffers()[1]
    if buffer is None:
        return b""
    return bytes(memoryview(buffer)[array.offset * width : (array.offset + len(array)) * width])
