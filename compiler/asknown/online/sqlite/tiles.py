"""The tables of tiles: the events of busy keys as :mod:`asknown.online.tiles` packs them.

A key has tiles when it has :data:`FEWEST` events or more. The standard library only: the reader imports this.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from itertools import chain, groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from asknown.online.codec import full_column_decoder
from asknown.online.nodes import OnlineView, StoredFeature
from asknown.online.sqlite.events import scan_statement
from asknown.online.sqlite.layout import TileTable, event_table, pushed_table, tile_table
from asknown.online.sqlite.names import quote
from asknown.online.tiles import TileBuilder, code_of, unpack
from asknown.online.windows import Columns, Events, Tile, WindowFeatures
from asknown.values.states import packs

if TYPE_CHECKING:
    from asknown.online.content import Change, Row

FEWEST = 32
_AT_ONCE = 10_000
_MADE_AT_ONCE = 500


def tile_statement(table: TileTable, columns: Sequence[str], *, onwards: bool) -> str:
    """The query for the tile that a key has at an instant: key and instant are bound.

    It gives start, last, later and the states, then the packed ``columns``. ``onwards``: all tiles from the one of
    this start up to an instant, both bound behind the key.
    """
    match = "".join(f"{name} = ? AND " for name in table.keys)
    own = [quote(table.own[role]) for role in ("start", "last", "later", "after")]
    wanted = ", ".join([*own, *(quote(table.packed[name]) for name in columns)])
    start, number = table.place[-2:]
    head = f"SELECT {wanted} FROM {quote(table.name)} WHERE {match}"
    if onwards:
        return f"{head}{start} BETWEEN ? AND ? ORDER BY {start}, {number}"
    return f"{head}{start} < ? ORDER BY {start} DESC, {number} DESC LIMIT 1"


def lack_states(connection: sqlite3.Connection, view: OnlineView) -> bool:
    """Whether the view's tiles were made by a release that kept fewer states. A load then makes all of them anew."""
    table = tile_table(view)
    found = connection.execute(f"SELECT {quote(table.own['after'])} FROM {quote(table.name)} LIMIT 1").fetchone()
    return found is not None and len(json.loads(found[0])) < len(table.states)


def write_tiles(connection: sqlite3.Connection, view: OnlineView, change: Change, touched: str | None = None) -> None:
    """Makes the tiles those of the view's events as they are now, and tells ``change`` of it.

    ``touched`` is a table of the keys whose events are others than those that the tiles were made of; None: all.
    """
    table = tile_table(view)
    name, keys = quote(table.name), ", ".join(table.keys)
    some = "" if touched is None or not keys else f" WHERE ({keys}) IN (SELECT {keys} FROM {touched})"
    gone = connection.execute(f"DELETE FROM {name}{some} RETURNING {', '.join(table.columns)}")
    while rows := gone.fetchmany(_AT_ONCE):
        change.remove(rows)
    write, width = TileWriter(connection, view, change, remake=True), len(table.keys)
    cursor = connection.execute(_events_of(table, touched if keys else None))
    for key, events in groupby(cursor, key=itemgetter(slice(width))):
        write.make(key, list(zip(*events, strict=True))[width:])
    write.flush()


class TileWriter:
    """Writes the tiles of one key after another, while a load brings the events in order; tells ``change`` of it.

    ``remake``: all tiles are made; else those of touched keys.
    """

    def __init__(self, connection: sqlite3.Connection, view: OnlineView, change: Change, *, remake: bool) -> None:
        self._connection = connection
        self._view = view
        self._change = change
        table = tile_table(view)
        self._name, self._width = quote(table.name), len(table.keys)
        self._columns = ", ".join(table.columns)
        self._insert = f"INSERT INTO {self._name} ({self._columns}) VALUES ({', '.join('?' * len(table.columns))})"
        self._match = " AND ".join(f"{name} = ?" for name in table.keys) or "1"
        self._build = TileBuilder(view, list(table.packed), len(table.events.times))
        events = [*(column.name for column in table.events.keys), *table.events.times, table.events.sequence]
        events += [column.name for column in table.events.hidden]
        self._packed = [events.index(name) for name in table.packed]
        (self._is_empty,) = connection.execute(f"SELECT NOT EXISTS (SELECT 1 FROM {self._name})").fetchone()
        self._all = remake
        self._made: list[Row] = []  # tiles that are not yet written
        self._key: Row | None = None
        self._rows: list[Row] = []  # of the key
        self._touched: set[Row] = set()  # keys whose tiles are not yet those of their events

    def put(self, rows: Sequence[Row], touched: Collection[Row]) -> None:
        """Takes the next events, in order; ``touched`` are the keys of those that came or left here."""
        self.touch(touched)
        for key, group in groupby(rows, itemgetter(slice(self._width))):
            if key != self._key:
                self._end_key()
                self._key = key
            self._rows.extend(group)

    def touch(self, keys: Iterable[Row]) -> None:
        """Notes keys of which events came or left."""
        self._touched.update(keys)

    def end(self) -> None:
        """Ends the last key. Touched keys of which no event came have none."""
        self._end_key()
        for key in self._touched:
            self._forget(key)
        self.flush()

    def remake(self) -> None:
        """Makes all tiles anew from the table of events."""
        self._made = []
        write_tiles(self._connection, self._view, self._change)

    def make(self, key: Row, columns: Columns) -> None:
        """Writes the tiles of a key that has none, from its events' packed columns."""
        if len(columns[0]) >= FEWEST:
            self._made += [(*key, *tile) for tile in self._build.tiles(columns)]
            if len(self._made) >= _MADE_AT_ONCE:
                self.flush()

    def flush(self) -> None:
        """Writes what :meth:`make` has not written yet."""
        self._connection.executemany(self._insert, self._made)
        self._change.add(self._made)
        self._made = []

    def _end_key(self) -> None:
        if self._key is not None and (self._all or self._key in self._touched):
            self._touched.discard(self._key)
            self._forget(self._key)
            if len(self._rows) >= FEWEST:
                columns = list(zip(*self._rows, strict=True))
                self.make(self._key, [columns[place] for place in self._packed])
        self._rows = []

    def _forget(self, key: Row) -> None:
        """Removes the tiles of a key."""
        if not self._is_empty:
            query = f"DELETE FROM {self._name} WHERE {self._match} RETURNING {self._columns}"
            self._change.remove(self._connection.execute(query, key).fetchall())


def _events_of(table: TileTable, touched: str | None) -> str:
    """The query for the events of all keys, or the touched ones: keys, then the columns that are packed, in order."""
    wanted = ", ".join(f"e.{name}" for name in [*table.keys, *map(quote, table.packed)])
    order = ", ".join(f"e.{name}" for name in table.events.place)
    source = f"{quote(table.events.name)} AS e"
    if touched is None:
        return f"SELECT {wanted} FROM {source} ORDER BY {order}"
    same = " AND ".join(f"t.{name} = e.{name}" for name in table.keys)
    rest = table.events.place[len(table.keys) :]
    order = ", ".join([*(f"t.{name}" for name in table.keys), *(f"e.{name}" for name in rest)])
    return f"SELECT {wanted} FROM {touched} AS t CROSS JOIN {source} WHERE {same} ORDER BY {order}"


class WindowRead:
    """Fetches what the features of one request need of one view's events: the events, or tiles of them."""

    def __init__(
        self,
        view: OnlineView,
        features: Sequence[StoredFeature],
        *,
        ahead: bool,
        pushed: bool = False,
        stale: bool = False,
    ) -> None:
        """``ahead`` says whether the view has rows dated ahead, and ``pushed`` whether it follows pushes.

        ``stale``: some keys have events that are newer than all events of their tiles.
        """
        assert view.windows is not None
        events, tiles = event_table(view), tile_table(view)
        self.features = WindowFeatures(view, features, events.times, full_column_decoder)
        types = {column.name: column.type for column in view.windows.columns}
        columns = self.features.columns
        packed = all(packs(column.type) for column in view.windows.columns if column.name in columns)
        self._events_query = scan_statement(events, columns)
        self._tile_query = tile_statement(tiles, columns, onwards=False) if packed else None
        self._tiles_query = tile_statement(tiles, columns, onwards=True) if packed else ""
        self._codes = [code_of(types.get(column)) for column in columns]
        self._nothing: Columns = [()] * len(columns)
        self._loose_query = None
        if ahead:
            from asknown.online.sqlite.ahead import loose_statement  # few views have rows ahead

            self._loose_query = loose_statement(view, columns)
        self._pushed_query = scan_statement(pushed_table(view), columns) if pushed else None
        self._stale = stale

    def fetch(self, cursor: sqlite3.Cursor, key: Sequence[Any] | None, instant: int) -> tuple[Events, Columns]:
        """The data for a key's features at ``instant`` (microseconds), and events beside it: no tile has those.

        No row can have the key None.
        """
        if key is None:
            return self._nothing, ()
        loose = self._fetch_loose(cursor, key, instant)
        features = self.features.at(instant)
        oldest, newest = instant - features.oldest, instant - features.newest
        if self._tile_query is not None:
            row = cursor.execute(self._tile_query, (*key, oldest)).fetchone()
            if row is not None:
                last = row[1]
                newer = cursor.execute(self._events_query, (*key, last + 1, newest)).fetchall() if self._stale else []
                if features.merges and last <= instant - features.latest:  # every frame reaches the newest
                    tiles = self._fetch_tiles(cursor, key, instant, row)
                    beside = self._beside(newer, loose) if newer else loose
                    if features.merges_with(tiles, instant, beside):
                        return tiles, beside
                rows = cursor.execute(self._tiles_query, (*key, row[0], newest)).fetchall()
                packed = list(zip(*rows, strict=True))[4:] or self._nothing
                columns = [
                    list(chain.from_iterable([unpack(code, some) for some in column]))
                    for code, column in zip(self._codes, packed, strict=True)
                ]
                if newer:
                    columns = [[*old, *more] for old, more in zip(columns, zip(*newer, strict=True), strict=True)]
                return columns, loose
        rows = cursor.execute(self._events_query, (*key, oldest, newest)).fetchall()
        return list(zip(*rows, strict=True)) or self._nothing, loose

    def _fetch_loose(self, cursor: sqlite3.Cursor, key: Sequence[Any], instant: int) -> Columns:
        """The key's events that are in no tile: rows dated ahead that are visible at ``instant``, and pushed ones."""
        rows: list[Any] = []
        if self._loose_query is not None:
            rows = cursor.execute(self._loose_query, (*key, instant)).fetchall()
        if self._pushed_query is not None:
            features = self.features.at(instant)
            oldest, newest = instant - features.oldest, instant - features.newest
            pushed = cursor.execute(self._pushed_query, (*key, oldest, newest)).fetchall()
            rows = self.features.in_time_order([*rows, *pushed]) if len(pushed) > 1 or rows else pushed
        return list(zip(*rows, strict=True))

    def _beside(self, newer: list[Any], loose: Columns) -> Columns:
        """The events that are newer than those of the key's tiles, together with the loose ones, by their times."""
        rows = self.features.in_time_order([*newer, *zip(*loose, strict=True)]) if loose else newer
        return list(zip(*rows, strict=True))

    def _fetch_tiles(
        self, cursor: sqlite3.Cursor, key: Sequence[Any], instant: int, row: Sequence[Any]
    ) -> tuple[Tile, ...]:
        """The tile of each frame, of which the longest has the one of ``row``."""
        assert self._tile_query is not None
        features = self.features.at(instant)
        tile = self._tile(row)
        tiles = {}
        # The longest first, because a tile that serves one frame may serve the shorter ones.
        for frame in sorted(features.frames, reverse=True):
            if tile.later and frame[0] < features.oldest:
                row = cursor.execute(self._tile_query, (*key, instant - frame[0])).fetchone()
                if row[2] != tile.later:
                    tile = self._tile(row)
            tiles[frame] = tile
        return tuple([tiles[frame] for frame in features.frames])

    def _tile(self, row: Sequence[Any]) -> Tile:
        _, last, later, after, *packed = row
        columns = [unpack(code, some) for code, some in zip(self._codes, packed, strict=True)]
        return Tile(columns, last, later, json.loads(after))
