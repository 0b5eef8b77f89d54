"""ClickHouse inside this process, through chdb: in memory, or over a folder."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from asknown.engines.clickhouse.session import FORMAT, Batches, ServerError, missing
from asknown.engines.clickhouse.types import literal, quote
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
        # Ctrl-C reaches this thread only while it is not inside ClickHouse.
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="asknown-clickhouse")
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
        self._worker.shutdown()
        with contextlib.suppress(self._error, RuntimeError):
            self._connection.close()

    def _wait(self, work: Callable[[str], _Result], tag: str | None = None) -> _Result:
        """Runs ``work`` beside this thread, which waits; interrupted, it ends the query and then goes on."""
        self._tag = tag or f"/* {uuid.uuid4().hex} */ "
        running: Future[_Result] = self._worker.submit(work, self._tag)
        try:
            return running.result()
        except (self._error, RuntimeError) as error:
            self._discard()
            raise ServerError(str(error)) from None
        except BaseException:
            self._kill(running)
            self._discard()
            raise

    def _discard(self) -> None:
        # What a query had written when it failed would stand before the next one's result.
        # While an insert is open, nothing is written, and nothing else runs.
        with contextlib.suppress(self._error, RuntimeError):
            self._worker.submit(self._connection.query, "SELECT 1", "TSV").result()

    def _kill(self, running: Future[Any]) -> None:
        other = self._open()
        try:
            while not running.done():
                # Its own text, which holds the tag too, is cut in two.
                half = len(self._tag) // 2
                other.query(
                    f"KILL QUERY WHERE query LIKE '%{self._tag[:half]}' || '{self._tag[half:]}%' ASYNC FORMAT Null"
                )
                with contextlib.suppress(BaseException):
                    running.result(timeout=0.1)
        finally:
            other.close()


def _append(inserter: Any, piece: bytes, _: str) -> None:
    inserter.append(piece)
