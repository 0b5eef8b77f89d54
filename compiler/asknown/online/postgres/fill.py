"""Fills the tables of a new generation by COPY, and makes their primary keys when all rows are there."""

from __future__ import annotations

import io
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import psycopg

from asknown.errors import AsknownError
from asknown.online.postgres.connect import Connection
from asknown.online.postgres.layout import Tables
from asknown.online.remote.store import Key, Part

_Place = tuple[str, str, Part]


class Filling:
    """The tables that a transaction has made and not yet given a key, and the COPY that is under way."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._unkeyed: dict[_Place, Tables] = {}
        self._open: tuple[_Place, Any, Any] | None = None  # the table, the context of its COPY, the COPY

    def begin(self, tables: Tables) -> None:
        """Notes a new generation."""
        for part in ("rows", "events"):
            self._unkeyed[_place(tables, part)] = tables

    def is_empty(self, tables: Tables, part: Part) -> bool:
        """Whether a table is new, so that its rows need not be looked for."""
        return _place(tables, part) in self._unkeyed

    def copy(self, tables: Tables, part: Part, items: Iterable[tuple[Key, Any]]) -> None:
        """Copies values into a new table."""
        copy = self._copy(tables, part, "")
        if part == "events":
            for key, blocks in items:
                for number, (start, body) in enumerate(blocks):
                    copy.write_row((*key, number, start, body))
            return
        texts = [place for place, column in enumerate(tables.table.columns) if column.type.kind == "text"]
        for number, (_, row) in enumerate(items, start=1):
            for place in texts:
                if (cell := row[place]) is not None and "\0" in cell:
                    raise nul(tables.table.view, tables.table.columns[place].name, str(cell), number)
            copy.write_row(row)

    def copy_batches(self, tables: Tables, batches: Iterable[Any]) -> None:
        """Copies Arrow batches of rows into a new table."""
        import pyarrow.compute as pc
        from pyarrow import csv

        options = csv.WriteOptions(include_header=False)
        copy = self._copy(tables, "rows", " WITH (FORMAT csv)")
        texts = [place for place, column in enumerate(tables.table.columns) if column.type.kind == "text"]
        seen = 0
        for batch in batches:
            for place in texts:
                found = pc.match_substring(batch.column(place), "\0")
                if pc.any(found).as_py():
                    row = found.to_pylist().index(True)
                    name, cell = tables.table.columns[place].name, batch.column(place)[row].as_py()
                    raise nul(tables.table.view, name, cell, seen + row + 1)
            out = io.BytesIO()
            csv.write_csv(_spelled(batch), out, options)
            copy.write(out.getbuffer())
            seen += batch.num_rows

    def _copy(self, tables: Tables, part: Part, options: str) -> Any:
        place = _place(tables, part)
        if self._open is not None and self._open[0] == place:
            return self._open[2]
        self.settle()
        names = {
            "rows": tables.columns,
            "events": (*tables.keys[: len(tables.table.keys)], '"_number"', '"_start"', '"_body"'),
        }[part]
        statement = f"COPY {tables.full[part]} ({', '.join(names)}) FROM STDIN{options}"
        context = self._connection.cursor().copy(statement.encode())
        self._open = (place, context, context.__enter__())
        return self._open[2]

    def settle(self) -> None:
        """Ends the COPY that is under way."""
        if self._open is not None:
            _, context, _ = self._open
            self._open = None
            context.__exit__(None, None, None)

    def end(self, tables: Tables, part: Part) -> None:
        """Gives a new table its key. Raises ValueError where a key came twice."""
        self.settle()
        if self._unkeyed.pop(_place(tables, part), None) is None:
            return
        try:
            self._connection.execute(tables.add_key(part).encode())
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
            _, context, _ = self._open
            self._open = None
            with suppress(psycopg.Error):
                context.__exit__(RuntimeError, RuntimeError("the load was ended"), None)


def nul(view: str, column: str, cell: str, row: int) -> AsknownError:
    """The error for a text with NUL in it."""
    shown = repr(cell)
    return AsknownError(
        "unsupported-type",
        f"column '{column}' of '{view}' holds a text with the character NUL, which Postgres cannot keep: "
        f"{shown if len(shown) <= 60 else shown[:57] + '…'}, in row {row:,} of the load",
        hint=f"take it out in the model: replace({column}, chr(0), '')",
    )


def _place(tables: Tables, part: Part) -> _Place:
    return (tables.table.view, tables.table.generation, part)


def _spelled(batch: Any) -> Any:
    """The batch with bytes as the text that Postgres reads them from."""
    import pyarrow as pa

    if not any(pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type) for column in batch.columns):
        return batch
    columns = [
        pa.array([None if cell is None else f"\\x{cell.hex()}" for cell in column.to_pylist()], pa.string())
        if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)
        else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=[f"c{place}" for place in range(len(columns))])
