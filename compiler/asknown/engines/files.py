"""Writes results of engines that cannot write a file here themselves: Parquet or CSV, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from asknown.errors import AsknownError


def write_batches(reader: pa.RecordBatchReader, path: Path) -> int:
    """Writes all batches to ``path``, as CSV where it ends so and else as Parquet, and gives the number of rows."""
    beside = path.with_name(f".{path.name}.part")
    rows = 0
    try:
        with _opened(beside, reader.schema, csv=path.suffix == ".csv") as writer:
            for batch in reader:
                writer.write_batch(_as_text(batch) if path.suffix == ".csv" else batch)
                rows += batch.num_rows
        beside.replace(path)
    except OSError as error:
        raise AsknownError("output", f"cannot write {path}: {error.strerror or error}") from None
    finally:
        reader.close()  # first, for it holds the query
        beside.unlink(missing_ok=True)
    return rows


def _opened(path: Path, schema: pa.Schema, *, csv: bool) -> Any:
    if not csv:
        import pyarrow.parquet as pq

        return pq.ParquetWriter(path, schema, compression="zstd")
    from pyarrow.csv import CSVWriter

    return CSVWriter(path, pa.schema([pa.field(field.name, _written(field)) for field in schema]))


def _written(field: pa.Field) -> pa.DataType:
    """The type that a column is written as: text, where Arrow would write it otherwise than DuckDB does."""
    if pa.types.is_nested(field.type):
        raise AsknownError(
            "output", f"column '{field.name}' is a list or struct, which CSV has no place for", hint="write .parquet"
        )
    as_text = (pa.types.is_timestamp, pa.types.is_time, pa.types.is_dictionary)
    return pa.string() if any(is_one(field.type) for is_one in as_text) else field.type


def _as_text(batch: pa.RecordBatch) -> pa.RecordBatch:
    fields = [pa.field(field.name, _written(field)) for field in batch.schema]
    pairs = zip(fields, batch.columns, strict=True)
    columns = [_texts(column) if field.type != column.type else column for field, column in pairs]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def _texts(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        return column.cast(pa.string())
    zone = pa.types.is_timestamp(column.type) and column.type.tz
    plain = column.cast(pa.timestamp(column.type.unit)) if zone else column
    texts = pc.utf8_rtrim(pc.utf8_rtrim(plain.cast(pa.string()), "0"), ".")
    return pc.binary_join_element_wise(texts, "+00", "") if zone else texts
