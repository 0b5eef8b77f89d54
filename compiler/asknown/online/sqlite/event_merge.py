"""Makes a view's events, and the tiles of them, exactly what a load brings, in one pass, and writes only what differs.

A load brings its events in the order of the table: by keys and event time. Each chunk of them is compared with the
stretch of the table from the chunk before up to its own last place, and each key's tiles are made as soon as all its
events have come. Where the order is another one (an engine may sort texts by the rules of a language), the events are
staged and sorted first.
"""

from __future__ import annotations

import marshal
import math
import sqlite3
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from itertools import chain, groupby, islice, repeat
from operator import itemgetter, le, lt
from typing import Any

from asknown.online.batches import StoredRows
from asknown.online.content import Change, Row, sum_rows
from asknown.online.nodes import OnlineView
from asknown.online.sqlite.events import merge_events, remove_before, stage_events
from asknown.online.sqlite.layout import event_table
from asknown.online.sqlite.names import quote
from asknown.online.sqlite.tiles import TileWriter
from asknown.online.writer import EventCounts

_ROWS_AT_ONCE = 500  # rows in one statement: a long one leaves another thread time to hash them
_AT_ONCE = 10_000


class EventMerge:
    """One load's way through a view's events. ``change`` and ``tiled`` are told what it does to events and tiles.

    ``remake``: the tiles do not fit the events that the table holds, so all are made.
    """

    def __init__(
        self, connection: sqlite3.Connection, view: OnlineView, change: Change, tiled: Change, *, remake: bool
    ) -> None:
        self._connection = connection
        self._table = event_table(view)
        self._change = change
        self._tiles = TileWriter(connection, view, tiled, remake=remake)
        self._width, self._keyed = len(view.keys), quote(view.name)
        self._given = self._width + len(self._table.times)  # columns before the number
        self._place: Callable[[Row], Row] = itemgetter(slice(self._width + 1))
        self._floats = [self._given + n for n, c in enumerate(self._table.hidden) if c.type.kind == "float"]
        self._last: Row | None = None  # the place up to which the table has been compared
        names = ", ".join(self._table.columns)
        self._target, self._names = quote(self._table.name), names
        self._insert = f"INSERT INTO {self._target} ({names}) VALUES "
        self._row = f"({', '.join('?' * len(self._table.columns))})"
        (self._is_empty,) = connection.execute(f"SELECT NOT EXISTS (SELECT 1 FROM {self._target})").fetchone()
        self._counts = EventCounts()

    def merge(self, chunks: Iterable[StoredRows], on_rows: Callable[[int], None] | None) -> EventCounts:
        """Makes the tables those of the chunks, which have all events."""
        self._merge(chunks, on_rows)
        self._counts.added, self._counts.removed = self._change.added, self._change.removed
        return self._counts

    def _merge(self, chunks: Iterable[StoredRows], on_rows: Callable[[int], None] | None) -> None:
        given = self._count(chunks, on_rows)
        rows: list[Row] = []
        with ThreadPoolExecutor(1) as beside:
            for more in given:
                rows += more
                places = [*map(self._place, rows)]
                if not self._is_ordered(places):
                    self._sort(chain([rows], given))
                    return
                ready = bisect_left(places, places[-1]) if places else 0  # more events may come at the last place
                self._compare(self._numbered(rows[:ready], places[:ready]), beside)
                rows = rows[ready:]
            self._compare(self._numbered(rows, [*map(self._place, rows)]), beside)
        self._end()

    def _count(self, chunks: Iterable[StoredRows], on_rows: Callable[[int], None] | None) -> Iterator[list[Row]]:
        """The events of the chunks, each with the number 1."""
        at = self._given
        for chunk in chunks:
            yield list(zip(*chunk.columns[:at], repeat(1), *chunk.columns[at:]))
            self._counts.count(chunk)
            if on_rows is not None:
                on_rows(self._counts.seen)

    def expire(self, cut: int) -> None:
        """Removes the events before an instant (microseconds), which a load brings none of."""
        if self._is_empty:
            return

        def leave(rows: list[Row]) -> None:
            self._change.remove(rows)
            self._tiles.touch({row[: self._width] for row in rows})

        remove_before(self._connection, self._table, keyed=self._keyed, cut=cut, hear=leave)

    def _is_ordered(self, places: list[Row]) -> bool:
        """Whether the places are in order, behind the last one."""
        try:
            ascending = all(map(le, places, islice(places, 1, None)))
            return ascending and (self._last is None or not places or self._last < places[0])
        except TypeError:  # of a NaN, which is a text here
            return False

    def _numbered(self, rows: list[Row], places: list[Row]) -> list[Row]:
        """The events with their numbers. Those at one place are numbered in the order that SQLite has for them."""
        at = self._given
        if all(map(lt, places, islice(places, 1, None))):  # as most are
            return rows
        found: list[Row] = []
        for _, group in groupby(rows, self._place):
            some = list(group)
            if len(some) > 1:
                some.sort(key=self._order)
            found += [(*row[:at], number, *row[at + 1 :]) for number, row in enumerate(some, 1)]
        return found

    def _order(self, row: Row) -> list[tuple[Any, ...]]:
        """The key that sorts a row as SQLite would: NULLs, numbers with -0.0 before 0.0, texts."""
        return [*map(_rank, row[self._width + 1 :])]

    def _compare(self, rows: list[Row], beside: Executor) -> None:
        if not rows:
            return
        last = self._place(rows[-1])
        found = [] if self._is_empty else self._scan(last, len(rows))
        self._last = last
        if found == rows and not self._has_zeros(rows):  # the common case of a repeated load
            self._tiles.put(rows, ())
            return
        gone, come = found, rows
        if found:
            held, wanted = set(map(_bits, found)), set(map(_bits, rows))
            gone = [row for row in found if _bits(row) not in wanted]
            come = [row for row in rows if _bits(row) not in held]
        self._delete(gone)
        self._change.add(come, self._write(come, beside))
        key = itemgetter(slice(self._width))
        self._tiles.put(rows, {*map(key, gone), *map(key, come)})

    def _scan(self, last: Row, count: int) -> list[Row]:
        """The table's events behind the last place, up to this one."""
        names = ", ".join(self._table.place[:-1])
        places = ", ".join("?" * len(last))
        behind = "" if self._last is None else f"({names}) > ({places}) AND "
        statement = (
            f"SELECT {self._names} FROM {self._target} WHERE {behind}({names}) <= ({places}) "
            f"ORDER BY {', '.join(self._table.place)}"
        )
        return self._connection.execute(statement, [*(self._last or ()), *last]).fetchall()

    def _write(self, rows: list[Row], beside: Executor) -> int | None:
        """Inserts rows: the sum of their hashes, which another thread works out meanwhile."""
        if len(rows) < _ROWS_AT_ONCE:
            self._connection.executemany(self._insert + self._row, rows)
            return None
        hashed = beside.submit(sum_rows, rows)
        most = self._connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER) // len(self._table.columns)
        size = min(_ROWS_AT_ONCE, most)
        whole = len(rows) - len(rows) % size
        many = self._insert + ", ".join([self._row] * size)
        for start in range(0, whole, size):
            self._connection.execute(many, tuple(chain.from_iterable(rows[start : start + size])))
        self._connection.executemany(self._insert + self._row, rows[whole:])
        return hashed.result()

    def _delete(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        self._change.remove(rows)
        match = " AND ".join(f"{name} = ?" for name in self._table.place)
        at = self._given
        self._connection.executemany(
            f"DELETE FROM {self._target} WHERE {match}", ((*self._place(row), row[at]) for row in rows)
        )

    def _end(self) -> None:
        """Deletes the events behind the last place, and makes the last tiles."""
        if not self._is_empty:
            names = ", ".join(self._table.place[:-1])
            behind = "" if self._last is None else f" WHERE ({names}) > ({', '.join('?' * len(self._last))})"
            query = f"DELETE FROM {self._target}{behind} RETURNING {self._names}"
            cursor = self._connection.execute(query, self._last or ())
            while rows := cursor.fetchmany(_AT_ONCE):
                self._change.remove(rows)
                self._tiles.touch({row[: self._width] for row in rows})
        self._tiles.end()

    def _sort(self, chunks: Iterable[list[Row]]) -> None:
        """Goes on with chunks in any order. The table has what came before, and what it held behind that."""
        insert = stage_events(self._connection, self._table)
        if self._last is not None:
            given, names = ", ".join(self._table.given), ", ".join(self._table.place[:-1])
            places = ", ".join("?" * len(self._last))
            before = f"SELECT {given} FROM {self._target} WHERE ({names}) <= ({places})"
            self._connection.execute(f"{insert.partition(' VALUES')[0]} {before}", self._last)
        at = self._given
        for rows in chunks:
            self._connection.executemany(insert, ((*row[:at], *row[at + 1 :]) for row in rows))
        merge_events(self._connection, self._table, self._change)
        self._tiles.remake()

    def _has_zeros(self, rows: list[Row]) -> bool:
        """Whether a float of the rows is a zero, whose sign Python's equality does not tell."""
        return any(0 in map(itemgetter(place + 1), rows) for place in self._floats)


def _bits(row: Row) -> bytes:
    return marshal.dumps(row, 2)


def _rank(value: Any) -> tuple[Any, ...]:
    match value:
        case None:
            return (0,)
        case str():
            return (2, value)
        case float() if value == 0:
            return (1, value, math.copysign(1.0, value))
        case _:
            return (1, value)
