"""Loads a view that keeps no events: one tile of each key has the states of all of its events.

The events that a load brings are sorted in a temporary table. A key whose events are needed all the same has them in
its tiles, as :mod:`asknown.online.tiles` says when; the table of events stays empty.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice
from operator import itemgetter

from asknown.online.batches import StoredRows
from asknown.online.content import Change, Row
from asknown.online.nodes import OnlineView
from asknown.online.sqlite.events import stage_events, take_staged
from asknown.online.sqlite.layout import event_table, tile_table
from asknown.online.sqlite.names import quote
from asknown.online.tiles import TileBuilder
from asknown.online.writer import EventCounts

_KEYS_AT_ONCE = 500


class LifetimeMerge:
    """Writes the tiles of one load that differ from a view's tiles, and reports them to ``change``."""

    def __init__(self, connection: sqlite3.Connection, view: OnlineView, change: Change) -> None:
        self._connection, self._change = connection, change
        self._events, self._table = event_table(view), tile_table(view)
        self._build = TileBuilder(view, list(self._table.packed), len(self._events.times))
        self._width = len(view.keys)
        given = [*(key.name for key in view.keys), *self._events.times, *(c.name for c in self._events.hidden)]
        self._packed = [given.index(name) for name in self._table.packed]

    def merge(self, chunks: Iterable[StoredRows], on_rows: Callable[[int], None] | None) -> EventCounts:
        """Replaces the tiles by those of the chunks, which bring all events of the view."""
        counts = EventCounts()
        insert = stage_events(self._connection, self._events)
        for chunk in chunks:
            self._connection.executemany(insert, chunk.values)
            counts.count(chunk)
            if on_rows is not None:
                on_rows(counts.seen)
        made = self._made()
        last: Row | None = None
        while some := dict(islice(made, _KEYS_AT_ONCE)):
            first, last = last, next(reversed(some))
            self._write(some, self._held(first, last))
        self._write({}, self._held(last, None))
        return counts

    def _made(self) -> Iterator[tuple[Row, list[Row]]]:
        """Each key with its tiles, in order."""
        for key, group in groupby(take_staged(self._connection, self._events), itemgetter(slice(self._width))):
            columns = list(zip(*group, strict=True))
            packed = [columns[place] for place in self._packed]
            tile = self._build.summarized(packed)
            yield key, [(*key, *one) for one in (self._build.tiles(packed) if tile is None else (tile,))]

    def _held(self, after: Row | None, upto: Row | None) -> dict[Row, list[Row]]:
        """The table's tiles of the keys behind ``after``, up to ``upto``; None: from the first, or to the last."""
        keys, places = ", ".join(self._table.keys), ", ".join("?" * self._width)
        conditions, bound = [], list[object]()
        for sign, key in ((">", after), ("<=", upto)):
            if key is not None:
                conditions.append(f"({keys}) {sign} ({places})" if key else str(sign != ">").upper())
                bound += key
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        query = f"SELECT {', '.join(self._table.columns)} FROM {quote(self._table.name)}{where}"
        rows = self._connection.execute(f"{query} ORDER BY {', '.join(self._table.place)}", bound)
        return {key: list(group) for key, group in groupby(rows, itemgetter(slice(self._width)))}

    def _write(self, wanted: dict[Row, list[Row]], held: dict[Row, list[Row]]) -> None:
        """Replaces the tiles of keys whose tiles differ."""
        gone = [key for key in held if wanted.get(key) != held[key]]
        come = [key for key in wanted if held.get(key) != wanted[key]]
        name, columns = quote(self._table.name), self._table.columns
        match = " AND ".join(f"{key} = ?" for key in self._table.keys) or "1"
        self._connection.executemany(f"DELETE FROM {name} WHERE {match}", gone)
        rows: Sequence[Row] = [row for key in come for row in wanted[key]]
        self._connection.executemany(
            f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})", rows
        )
        self._change.remove([row for key in gone for row in held[key]])
        self._change.add(rows)
