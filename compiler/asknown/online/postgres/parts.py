"""Reads the parts of a generation outside requests: what they hold of some keys, all keys, all values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby
from typing import Any
from uuid import uuid4

from asknown.online.postgres.codec import reader, spell_array
from asknown.online.postgres.connect import Connection
from asknown.online.postgres.layout import Tables
from asknown.online.postgres.statements import Statements
from asknown.online.remote.store import Key, Part, Value

_AT_ONCE = 5_000


class PartReader:
    """Reads one generation through a connection, whose transaction is open where it iterates."""

    def __init__(self, connection: Connection, tables: Tables, statements: Statements | None = None) -> None:
        self._connection = connection
        self._statements = statements
        self._tables = tables
        self._width = len(tables.table.keys)
        self._row = reader(tables.forms)

    def held(self, part: Part, keys: Sequence[Key]) -> dict[Key, Value]:
        """The part's content for these keys."""
        assert self._statements is not None
        tables, width = self._tables, self._width
        wanted = ", ".join(f"t.{name}" for name in self._columns(part))
        found: dict[Key, Value] = {}
        for start in range(0, len(keys), _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            if width:
                query = (
                    f"SELECT {wanted} FROM {given_keys(tables)} "
                    f"JOIN {tables.full[part]} AS t ON {same_key(tables, 't', 'q')}{self._order(part)}"
                )
                columns = zip(*dict.fromkeys(some), strict=True)
                bound = list(map(spell_array, columns, tables.key_forms))
            else:
                query, bound = f"SELECT {wanted} FROM {tables.full[part]} AS t{self._order(part)}", []
            found.update(self._values(part, self._statements.rows(query, *bound)))
        return found

    def keys(self, part: Part) -> Iterator[Sequence[Key]]:
        """All keys, some at a time."""
        names = ", ".join(self._tables.keys)
        query = f"SELECT {'DISTINCT ' if part == 'events' else ''}{names} FROM {self._tables.full[part]}"
        for rows in self._stream(query):
            yield [row[: self._width] for row in rows]

    def scan(self, part: Part) -> Iterator[Sequence[tuple[Key, Value]]]:
        """All that the part holds, some at a time; the blocks of a key stay together."""
        wanted = ", ".join(f"t.{name}" for name in self._columns(part))
        pages = self._stream(f"SELECT {wanted} FROM {self._tables.full[part]} AS t{self._order(part)}")
        if part != "events":
            for rows in pages:
                yield list(self._values(part, rows))
            return
        some: list[tuple[Key, Value]] = []
        for item in self._values(part, chain.from_iterable(pages)):
            some.append(item)
            if len(some) >= _AT_ONCE:
                yield some
                some = []
        if some:
            yield some

    def _columns(self, part: Part) -> Sequence[str]:
        match part:
            case "rows":
                return self._tables.columns
            case "events":
                return (*self._tables.keys[: self._width], '"_start"', '"_body"')
            case _:
                return (*self._tables.keys[: self._width], '"_body"')

    def _order(self, part: Part) -> str:
        if part != "events":
            return ""
        return " ORDER BY " + ", ".join(f"t.{name}" for name in (*self._tables.keys, '"_start"', '"_number"'))

    def _values(self, part: Part, rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Key, Value]]:
        """Keys and values from rows of the part's table."""
        width = self._width
        match part:
            case "rows":
                places = self._tables.key_places
                for row in map(self._row, rows):
                    yield tuple(row[place] for place in places), row
            case "events":
                for key, blocks in groupby(rows, key=lambda row: row[:width]):
                    yield key, tuple((start, body) for *_, start, body in blocks)
            case _:
                for row in rows:
                    yield row[:width], row[width]

    def _stream(self, query: str) -> Iterator[list[tuple[Any, ...]]]:
        """The rows of a query, some at a time, through a cursor of the server."""
        name = f"asknown_{uuid4().hex}"
        with self._connection.cursor(binary=True) as cursor:
            cursor.execute(f"DECLARE {name} CURSOR FOR {query}".encode())
            try:
                while rows := cursor.execute(f"FETCH {_AT_ONCE} FROM {name}".encode()).fetchall():
                    yield rows
            finally:
                if not self._connection.closed and self._connection.info.transaction_status.name == "INTRANS":
                    cursor.execute(f"CLOSE {name}".encode())


def given_keys(tables: Tables) -> str:
    """The table ``q`` of keys, which are bound as an array for each column; its columns are k0, k1, …"""
    arrays = ", ".join(f"${place}::{form}[]" for place, form in enumerate(tables.key_forms, start=1))
    names = ", ".join(f"k{place}" for place in range(len(tables.key_forms)))
    return f"unnest({arrays}) AS q({names})"


def same_key(tables: Tables, table: str, given: str) -> str:
    """The condition that a row of the table is of the given key."""
    return " AND ".join(f"{table}.{name} = {given}.k{place}" for place, name in enumerate(tables.keys))
