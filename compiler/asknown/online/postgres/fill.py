"""Fills the tables of a new generation by COPY, and makes their primary keys when all rows are there."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from typing import Any

import psycopg

from asknown.online.postgres.copying import copied_columns, to_csv
from asknown.online.postgres.layout import Tables
from asknown.online.postgres.statements import Statements
from asknown.online.remote.store import Key, Part

_Place = tuple[str, str, Part]
_AT_ONCE = 20_000  # rows that are spelled at one time


class Filling:
    """The tables that a transaction has made and not yet given a key, and the COPY that is under way."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self._unkeyed: dict[_Place, Tables] = {}
        self._open: tuple[_Place, Any, Any] | None = None  # the table, the context of its COPY, the COPY
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
        items, place = iter(items), _place(tables, part)
        while some := list(islice(items, _AT_ONCE)):
            rows: list[Any] = [row for _, row in some]
            if part == "events":
                rows = [(*key, number, *block) for key, blocks in some for number, block in enumerate(blocks)]
            if rows:
                data = to_csv(tables, part, rows, self._copied.get(place, 0) + 1)
                self._copy(tables, part).write(data)
            self._copied[place] = self._copied.get(place, 0) + len(rows)

    def _copy(self, tables: Tables, part: Part) -> Any:
        place = _place(tables, part)
        if self._open is not None and self._open[0] == place:
            return self._open[2]
        self.settle()
        self._statements.flush()
        statement = f"COPY {tables.full[part]} ({', '.join(copied_columns(tables, part))}) FROM STDIN WITH (FORMAT csv)"
        context = self._statements.held.connection.cursor().copy(statement.encode())
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
            _, context, _ = self._open
            self._open = None
            with suppress(psycopg.Error):
                context.__exit__(RuntimeError, RuntimeError("the load was ended"), None)


def _place(tables: Tables, part: Part) -> _Place:
    return (tables.table.view, tables.table.generation, part)
