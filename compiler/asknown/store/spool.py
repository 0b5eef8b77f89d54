"""Keeps the results of queries in files of a temporary folder, so that all queries can run before a table is locked."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import pyarrow as pa

Batches = Callable[[], "Iterator[pa.RecordBatch] | pa.RecordBatchReader"]
"""Gives the batches of a query's result, once."""


class Spool:
    """A temporary folder for results, which is gone after the ``with`` block."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="asknown-")
        self._kept = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def keep(self, reader: pa.RecordBatchReader) -> Batches:
        """Runs a query to its end."""
        import pyarrow as pa

        self._kept += 1
        path = Path(self._folder.name) / f"{self._kept}.arrow"
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch)

        def batches() -> Iterator[pa.RecordBatch]:
            with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as stream:
                yield from stream

        return batches
