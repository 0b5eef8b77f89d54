"""Fills the tables of a new generation by COPY, and makes their primary keys when all rows are there."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from typing import Any

import psycopg

from asknown.online.postgres.connect import Connection
from asknown.online.postgres.copying import BEGIN, END, copied_columns, to_binary
from asknown.online.postgres.layout import Tables
from asknown.online.postgres.statements import Statements
from asknown.online.remote.store import Key, Part

_Place = tuple[str, str, Part]
_AT_ONCE = 20_000  # rows that are spelled at one time
_MOST_UNSENT = 4  # pieces of bytes that wait for the server


class Filling:
    """The tables that a transaction has made and not yet given a key, and the COPY that is under way."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self._unkeyed: dict[_Place, Tables] = {}
        self._open: tuple[_Place, _Copying] | None = None
        self._copied: dict[_Place, int] = {}

    def begin(self, tables: Tables) -> None:
        """Notes a new generation."""
        for part in ("rows", "events"):
            self._unkeyed[_place(tables, part)] = tables

    def is_empty(self, tables: Tables, part: Part) -> bool:
        """Whether a table is new, so that its rows need not be looked for."""
        return _place(tables, part) in self._unkeyed

    def copy(self, tables: Tables, part: Part, items: Iterable[tuple[Key, Any]]) -> None:
        """Copies values into a new table."""
        items = iter(items)
        while some := list(islice(items, _AT_ONCE)):
            rows: list[Any] = [row for _, row in some]
            if part == "events":
                rows = [(*key, number, *block) for key, blocks in some for number, block in enumerate(blocks)]
            if rows:
                self.copy_columns(tables, part, list(zip(*rows, strict=True)))

    def copy_columns(self, tables: Tables, part: Part, columns: Sequence[Sequence[Any]]) -> None:
        """Copies the cells of each column that is copied into a new table: those of one row at least."""
        place = _place(tables, part)
        copied = self._copied.get(place, 0)
        self._copy(tables, part).write(to_binary(tables, part, columns, copied + 1))
        self._copied[place] = copied + len(columns[0])

    def _copy(self, tables: Tables, part: Part) -> _Copying:
        place = _place(tables, part)
        if self._open is not None and self._open[0] == place:
            return self._open[1]
        self.settle()
        self._statements.flush()
        listed = ", ".join(copied_columns(tables, part))
        copying = _Copying(
            self._statements.held.connection, f"COPY {tables.full[part]} ({listed}) FROM STDIN WITH (FORMAT binary)"
        )
        self._open = (place, copying)
        return copying

    def settle(self) -> None:
        """Ends the COPY that is under way."""
        if self._open is not None:
            _, copying = self._open
            self._open = None
            copying.end()

    def end(self, tables: Tables, part: Part) -> None:
        """Gives a new table its key. Raises ValueError where a key came twice."""
        self.settle()
        if self._unkeyed.pop(_place(tables, part), None) is None:
            return
        try:
            self._statements.later(tables.add_key(part), once=True)
            self._statements.flush()
        except psycopg.errors.UniqueViolation as error:
            raise ValueError(f"a load of '{tables.table.view}' has a key twice") from error

    def finish(self) -> None:
        """Gives all new tables their keys."""
        for (_, _, part), tables in list(self._unkeyed.items()):
            self.end(tables, part)
        self.settle()

    def abandon(self) -> None:
        """Ends the COPY that is under way by an error, so that the transaction can be undone."""
        if self._open is not None:
            _, copying = self._open
            self._open = None
            copying.abandon()


class _Copying:
    """A COPY under way. A thread beside sends what is written, so that the server reads while rows are spelled."""

    def __init__(self, connection: Connection, statement: str) -> None:
        self._context = connection.cursor().copy(statement.encode())
        self._copy = self._context.__enter__()
        self._beside = ThreadPoolExecutor(1)
        self._sent: deque[Future[None]] = deque()
        self.write(BEGIN)

    def write(self, data: bytes) -> None:
        """Sends bytes, and waits only where much has not been sent yet."""
        if len(self._sent) >= _MOST_UNSENT:
            self._sent.popleft().result()
        self._sent.append(self._beside.submit(self._copy.write, data))

    def end(self) -> None:
        """Sends what is left, and ends the COPY."""
        try:
            self.write(END)
            while self._sent:
                self._sent.popleft().result()
        except BaseException:
            self.abandon()
            raise
        self._beside.shutdown()
        self._context.__exit__(None, None, None)

    def abandon(self) -> None:
        """Ends the COPY by an error."""
        self._beside.shutdown(cancel_futures=True)
        with suppress(psycopg.Error):
            self._context.__exit__(RuntimeError, RuntimeError("the load was ended"), None)


def _place(tables: Tables, part: Part) -> _Place:
    return (tables.table.view, tables.table.generation, part)
