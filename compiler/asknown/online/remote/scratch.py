"""A table on this machine's disk that lives as long as a step of a load: it puts rows in order, and groups them."""

from __future__ import annotations

import marshal
import sqlite3
from collections.abc import Iterable, Iterator
from itertools import groupby
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, TypeVar

Row = tuple[Any, ...]
_T = TypeVar("_T")


class SortedRows:
    """Rows of any cells, which come back in the order of their cells, NULLs lowest, grouped by the first of them."""

    def __init__(self, width: int) -> None:
        self._connection = sqlite3.connect("", isolation_level=None)  # SQLite's own temporary file
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._names = ", ".join(f"c{place}" for place in range(width))
        self._connection.execute(f"CREATE TABLE rows ({self._names})")
        self._connection.execute("BEGIN")
        self._insert = f"INSERT INTO rows VALUES ({', '.join('?' * width)})"

    def __enter__(self) -> SortedRows:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def add(self, rows: Iterable[Row]) -> None:
        """Adds rows."""
        self._connection.executemany(self._insert, rows)

    def groups(self, keys: int) -> Iterator[tuple[Row, list[Row]]]:
        """The rows by their first ``keys`` cells: these cells, and the rows."""
        cursor = self._connection.execute(f"SELECT {self._names} FROM rows ORDER BY {self._names}")
        for key, rows in groupby(cursor, key=lambda row: row[:keys]):
            yield key, list(rows)


class KeptChunks:
    """Lists of plain values in a temporary file, which come back as they were put in."""

    def __init__(self) -> None:
        self._file = TemporaryFile()  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> KeptChunks:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, chunk: list[Any]) -> None:
        """Adds a list."""
        marshal.dump(chunk, self._file)

    def chunks(self) -> Iterator[list[Any]]:
        """The lists, in their order."""
        end = self._file.tell()
        self._file.seek(0)
        while self._file.tell() < end:
            yield marshal.load(self._file)


def in_pieces(values: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """The values, in lists of ``size``."""
    piece: list[_T] = []
    for value in values:
        piece.append(value)
        if len(piece) == size:
            yield piece
            piece = []
    if piece:
        yield piece
