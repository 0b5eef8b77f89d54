"""Tiles: the events of a busy key in packed runs, each with the states of all that came after it.

A window that reaches up to the key's newest event is read from one tile: the events of it that are young enough, and
its states for the rest. So a read costs the same whether a window holds a thousand events or a million. Where a window
ends before the newest event, or an aggregate has no state, the tiles inside the window are unpacked instead.

A key has tiles when it has :data:`FEWEST` events or more: one for every :data:`LENGTH` events. They take about 8 bytes
for each event's time and for each of its numbers, and some 50 for each tile and aggregate. They follow from the events
alone. The standard library only: the reader imports this.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from array import array
from collections.abc import Iterator, Sequence
from itertools import chain, groupby
from typing import Any

from asknown.online.nodes import OnlineView, StoredFeature
from asknown.online.sqlite.codec import full_column_decoder, quote
from asknown.online.sqlite.events import scan_statement
from asknown.online.sqlite.layout import TileTable, event_table, pushed_table, tile_table
from asknown.online.windows import Columns, Events, RowSet, Selection, Tile, WindowFeatures
from asknown.types import SqlType
from asknown.values.states import condense, packs, spell

FEWEST = 32
LENGTH = 128
BEGINNING = -(2**63)
"""Where a key's first tile starts, so that there is one for every instant."""

_CODES = {"float": "d", "integer": "q"}


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


def write_tiles(connection: sqlite3.Connection, view: OnlineView) -> None:
    """Makes the tiles those of the view's events as they are now."""
    table = tile_table(view)
    connection.execute(f"DELETE FROM {quote(table.name)}")
    places = ", ".join("?" * len(table.columns))
    insert = f"INSERT INTO {quote(table.name)} ({', '.join(table.columns)}) VALUES ({places})"
    build = _Builder(table, view)
    width = len(table.keys)
    cursor = connection.execute(_busy_events(table))
    for key, rows in groupby(cursor, key=lambda row: row[:width]):
        columns = list(zip(*rows, strict=True))[width:]
        connection.executemany(insert, [(*key, *tile) for tile in build.tiles(columns)])


def _busy_events(table: TileTable) -> str:
    """The query for the events of all keys that have tiles: keys, then the columns that are packed, in order."""
    events = table.events
    source, keys = quote(events.name), ", ".join(table.keys)
    wanted = ", ".join([*table.keys, *map(quote, table.packed)])
    order = ", ".join(events.place)
    if not keys:
        return f"SELECT {wanted} FROM {source} WHERE (SELECT count(*) FROM {source}) >= {FEWEST} ORDER BY {order}"
    busy = f"SELECT {keys} FROM {source} GROUP BY {keys} HAVING count(*) >= {FEWEST}"
    return f"SELECT {wanted} FROM {source} WHERE ({keys}) IN ({busy}) ORDER BY {order}"


class _Builder:
    """Builds the tiles of one key after another."""

    def __init__(self, table: TileTable, view: OnlineView) -> None:
        assert view.windows is not None
        types = {column.name: column.type for column in view.windows.columns}
        names = list(table.packed)
        self.codes = [code_of(types.get(name)) for name in names]
        self.states = [
            (
                state.family,
                None if state.value is None else types[state.value],
                Selection(
                    RowSet(state.value, None, state.condition, counts=state.family == "count", in_order=False),
                    names,
                    types,
                    len(table.events.times),
                    full_column_decoder,
                ),
            )
            for state in table.states
        ]

    def tiles(self, columns: Columns) -> Iterator[tuple[Any, ...]]:
        """The tiles of a key with these events, without the key; none where a sum is too large for a state."""
        times = columns[0]
        try:
            after = self._after(columns)
        except OverflowError:
            return
        for number, begin in enumerate(range(0, len(times), LENGTH)):
            inside = [column[begin : begin + LENGTH] for column in columns]
            start = times[begin] if number else BEGINNING
            later = max(0, len(times) - begin - LENGTH)
            packed = (pack(code, values) for code, values in zip(self.codes, inside, strict=True))
            yield (start, number, times[-1], later, after[number], *packed)

    def _after(self, columns: Columns) -> list[str]:
        """For each tile the states of the events behind it, as JSON: a number and stand-ins for each."""
        counts = [0] * len(self.states)
        kept: list[list[Any]] = [[] for _ in self.states]
        written = []
        for begin in reversed(range(0, len(columns[0]), LENGTH)):
            written.append(json.dumps([[n, *map(spell, values)] for n, values in zip(counts, kept, strict=True)]))
            inside = [column[begin : begin + LENGTH] for column in columns]
            for place, (family, kind, selection) in enumerate(self.states):
                values, _ = selection.select(inside)
                counts[place] += len(values)
                kept[place] = condense(family, kind, [*values, *kept[place]])
        return written[::-1]


def pack(code: str, values: Sequence[Any]) -> bytes | str:
    """The stored values of a column in one: numbers without NULLs as 8 bytes each, little-endian, others as JSON."""
    if not code or None in values:
        return json.dumps(values, ensure_ascii=False)
    numbers = array(code, map(float, values) if code == "d" else values)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def unpack(code: str, packed: bytes | str) -> Sequence[Any]:
    """The values that :func:`pack` was given; a NaN may come back as a float where its text was given."""
    if isinstance(packed, str):
        values: Sequence[Any] = json.loads(packed)
        return values
    numbers = array(code)
    numbers.frombytes(packed)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()


def code_of(kind: SqlType | None) -> str:
    """How the numbers of a column are packed; without a type, of times. Empty: as JSON."""
    if kind is None:
        return "q"
    return "" if kind.is_wide else _CODES.get(kind.kind, "")


class WindowRead:
    """Fetches what the features of one request need of one view's events: the events, or tiles of them."""

    def __init__(
        self, view: OnlineView, features: Sequence[StoredFeature], *, ahead: bool, pushed: bool = False
    ) -> None:
        """``ahead`` says whether the view has rows dated ahead, and ``pushed`` whether it follows pushes."""
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

    def fetch(self, cursor: sqlite3.Cursor, key: Sequence[Any] | None, instant: int) -> Events:
        """Return the data for a key's features at ``instant`` (microseconds). No row can have the key None."""
        if key is None:
            return self._nothing
        oldest, newest = instant - self.features.oldest, instant - self.features.newest
        if self._tile_query is not None:
            row = cursor.execute(self._tile_query, (*key, oldest)).fetchone()
            if row is not None:
                reaches_newest = row[1] <= instant - self.features.latest  # every frame does
                if self.features.merges and reaches_newest:
                    return self._fetch_tiles(cursor, key, instant, row)
                rows = cursor.execute(self._tiles_query, (*key, row[0], newest)).fetchall()
                packed = list(zip(*rows, strict=True))[4:] or self._nothing
                return [
                    list(chain.from_iterable([unpack(code, some) for some in column]))
                    for code, column in zip(self._codes, packed, strict=True)
                ]
        rows = cursor.execute(self._events_query, (*key, oldest, newest)).fetchall()
        return list(zip(*rows, strict=True)) or self._nothing

    def fetch_loose(self, cursor: sqlite3.Cursor, key: Sequence[Any] | None, instant: int) -> Columns:
        """The key's events that are in no tile: rows dated ahead that are visible at ``instant``, and pushed ones."""
        if key is None:
            return ()
        rows: list[Any] = []
        if self._loose_query is not None:
            rows = cursor.execute(self._loose_query, (*key, instant)).fetchall()
        if self._pushed_query is not None:
            oldest, newest = instant - self.features.oldest, instant - self.features.newest
            pushed = cursor.execute(self._pushed_query, (*key, oldest, newest)).fetchall()
            rows = self.features.in_time_order([*rows, *pushed]) if len(pushed) > 1 or rows else pushed
        return list(zip(*rows, strict=True))

    def _fetch_tiles(
        self, cursor: sqlite3.Cursor, key: Sequence[Any], instant: int, row: Sequence[Any]
    ) -> tuple[Tile, ...]:
        """The tile of each frame, of which the longest has the one of ``row``."""
        assert self._tile_query is not None
        tile = self._tile(row)
        tiles = []
        for oldest, _ in self.features.frames:
            if tile.later and oldest < self.features.oldest:
                row = cursor.execute(self._tile_query, (*key, instant - oldest)).fetchone()
                if row[2] != tile.later:
                    tile = self._tile(row)
            tiles.append(tile)
        return tuple(tiles)

    def _tile(self, row: Sequence[Any]) -> Tile:
        _, last, later, after, *packed = row
        columns = [unpack(code, some) for code, some in zip(self._codes, packed, strict=True)]
        return Tile(columns, last, later, json.loads(after))
