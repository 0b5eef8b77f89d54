"""Writes the result of a query to a Parquet or CSV file, whole or not at all; the same bytes from every engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from asknown.errors import AsknownError


def write_batches(reader: pa.RecordBatchReader, path: Path) -> int:
    """Writes all batches to ``path``, as CSV where it ends so and else as Parquet, and returns the number of rows."""
    write = _write_csv if path.suffix == ".csv" else _write_parquet
    try:
        with whole_file(path) as beside:
            return write(beside, reader.schema, reader)
    finally:
        reader.close()  # it holds the query


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to. The file takes its place when the block ends, and is gone when it fails."""
    beside = path.with_name(f".{path.name}.part")
    try:
        yield beside
        beside.replace(path)
    except OSError as error:
        raise AsknownError("output", f"cannot write {path}: {error.strerror or error}") from None
    finally:
        beside.unlink(missing_ok=True)


def _write_parquet(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    import pyarrow.parquet as pq

    rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def _write_csv(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    from asknown.engines.csv_output import write_csv  # it imports Arrow's functions, which Parquet files do without

    return write_csv(path, schema, batches)
