"""ClickHouse inside this process, through chdb: in memory, or over a folder."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from asknown.engines.clickhouse.session import FORMAT, Batches, ServerError, missing
from asknown.engines.clickhouse.types import literal, quote
from asknown.engines.interrupt import Worker
from asknown.errors import AsknownError

_Result = TypeVar("_Result")


class Embedded:
    """A session of an engine in this process. All that are open in one process share one folder."""

    def __init__(self, path: Path | None, database: str | None = None) -> None:
        try:
            import chdb
        except ImportError:
            raise missing("chdb", "chdb") from None
        library: Any = chdb  # its functions have no types
        self._error = library.ChdbError
        self._open: Callable[[], Any] = lambda: library.connect(str(path) if path else ":memory:")
        try:
            self._connection = self._open()
        except RuntimeError as error:  # one folder for each process
            raise AsknownError("engine", f"ClickHouse does not open {path or 'in memory'}: {error}") from None
        self._worker = Worker("asknown-clickhouse")
        if database is not None:
            self.run(f"CREATE DATABASE IF NOT EXISTS {quote(database)}")
            self.run(f"USE {quote(database)}")

    def set(self, settings: Mapping[str, str]) -> None:
        for name, value in settings.items():
            self.run(f"SET {name} = {literal(value)}")

    def run(self, sql: str) -> pa.Table:
        found = self._wait(lambda tag: self._connection.query(tag + sql, FORMAT))
        data = found.bytes()
        return pa.ipc.open_stream(data).read_all() if data else pa.table({})

    def stream(self, sql: str) -> Batches:
        result = self._wait(lambda tag: self._connection.send_query(tag + sql, FORMAT))
        tag = self._tag
        try:
            while (piece := self._wait(lambda _: result.fetch(), tag)) is not None:
                yield from pa.ipc.open_stream(piece.bytes())
        finally:
            with contextlib.suppress(self._error, RuntimeError):
                result.close()

    def insert(self, relation: str, batches: Iterable[bytes]) -> None:
        inserter = self._wait(lambda _: self._connection.send_insert(f"INSERT INTO {relation}", FORMAT))
        try:
            for piece in batches:
                self._wait(partial(_append, inserter, piece))
            self._wait(lambda _: inserter.finish())
        finally:
            with contextlib.suppress(self._error, RuntimeError):
                inserter.close()

    def close(self) -> None:
        self._worker.close()
        with contextlib.suppress(self._error, RuntimeError):
            self._connection.close()

    def _wait(self, work: Callable[[str], _Result], tag: str | None = None) -> _Result:
        """Runs ``work`` with a comment that marks its query. An interrupt ends the query."""
        marked = self._tag = tag or f"/* {uuid.uuid4().hex} */ "
        try:
            return self._worker.run(lambda: work(marked), lambda: self._kill(marked))
        except (self._error, RuntimeError) as error:
            self._discard()
            raise ServerError(str(error)) from None
        except BaseException:
            self._discard()
            raise

    def _discard(self) -> None:
        # What a query had written when it failed would stand before the next one's result.
        # While an insert is open, nothing is written, and nothing else runs.
        with contextlib.suppress(self._error, RuntimeError):
            self._worker.run(lambda: self._connection.query("SELECT 1", "TSV"), lambda: None)

    def _kill(self, tag: str) -> None:
        half = len(tag) // 2  # the statement's own text, which holds the tag too, has it in two parts
        with contextlib.closing(self._open()) as other:
            other.query(f"KILL QUERY WHERE query LIKE '%{tag[:half]}' || '{tag[half:]}%' ASYNC FORMAT Null")


def _append(inserter: Any, piece: bytes, _: str) -> None:
    inserter.append(piece)
