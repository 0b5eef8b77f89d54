"""Brings the tiles of keys up to date that have lost old events or got new ones.

A key whose events have changed little keeps its tiles. Up to :data:`MOST_NEWER` events may be newer than all events of
its tiles: a read takes them from the table of events. And an eighth of the events of its first tile may have left:
they are older than every window. So a load that brings each key an event now and then rewrites few tiles. A load of all
events makes all tiles anew where a load before it has kept some like this.

The other keys' tiles are made anew: to the bit those that a load of all events makes. A key's events before its first
new one are unpacked from its tiles, so that the table of events is read from there on only.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from asknown.online.content import Change, Row
from asknown.online.nodes import OnlineView
from asknown.online.sqlite import tiles as sqlite_tiles
from asknown.online.sqlite.layout import free_name, tile_table
from asknown.online.sqlite.names import quote
from asknown.online.tiles import BEGINNING, TileBuilder, unpack

MOST_NEWER = 32
"""The events of a key that may be newer than those of its tiles. A read of a key without tiles takes as many."""

_LEFT = 8  # where one in so many events of a key's first tile has left, its tiles are made anew
_TABLE = 'temp."_asknown_tiled"'
_NEVER = 2**63 - 1
_KEYS_AT_ONCE = 1_000


class TileUpdate:
    """The keys of a view with keys whose events have changed, each with the time of its first new event."""

    def __init__(self, connection: sqlite3.Connection, view: OnlineView) -> None:
        self._connection = connection
        self._view = view
        self._width = len(view.keys)
        self._table = tile_table(view)
        since = quote(free_name("since", {key.name.lower() for key in view.keys}))
        names = ", ".join(self._table.keys)
        connection.execute(f"DROP TABLE IF EXISTS {_TABLE}")
        connection.execute(
            f"CREATE TEMP TABLE {_TABLE.removeprefix('temp.')} ({names}, {since}, PRIMARY KEY ({names})) WITHOUT ROWID"
        )
        self._since = since
        self._insert = (
            f"INSERT INTO {_TABLE} VALUES ({', '.join('?' * (self._width + 1))})\n"
            f"ON CONFLICT DO UPDATE SET {since} = min({since}, excluded.{since})"
        )

    def leave(self, rows: Iterable[Row]) -> None:
        """Takes rows of events that have left. They begin with their keys, and are their keys' oldest."""
        self._connection.executemany(self._insert, ((*key, _NEVER) for key in {row[: self._width] for row in rows}))

    def come(self, rows: Iterable[Row]) -> None:
        """Takes rows of events that have come: keys, event time, others."""
        first: dict[Row, int] = {}
        for row in rows:
            key, time = row[: self._width], row[self._width]
            if time < first.get(key, _NEVER):
                first[key] = time
        self._connection.executemany(self._insert, ((*key, time) for key, time in first.items()))

    def write(self, change: Change, cut: int) -> bool:
        """Brings the tiles of these keys up to date, and tells ``change`` of it: whether some keep those they have.

        Events before ``cut`` (microseconds) have left.
        """
        connection, table, name = self._connection, self._table, quote(self._table.name)
        any_stay = self._leave_out(cut)
        build = TileBuilder(self._view, list(table.packed), len(table.events.times))
        places = slice(self._width + 2)
        match = " AND ".join(f"{column} = ?" for column in table.place)
        insert = f"INSERT OR REPLACE INTO {name} VALUES ({', '.join('?' * len(table.columns))})"
        for bounds in self._pages():
            held = self._held(bounds)
            new = self._new(bounds)
            before, after = list[Row](), list[Row]()
            for key, (since, tiles) in held.items():
                columns = _kept(build.codes, [tile[self._width + 5 :] for tile in tiles], cut, since)
                if key in new:
                    columns = [[*old, *more] for old, more in zip(columns, new[key], strict=True)]
                before += tiles
                if len(columns[0]) >= sqlite_tiles.FEWEST:
                    after += [(*key, *tile) for tile in build.tiles(columns)]
            stay = {row[places] for row in after}
            gone = [row[places] for row in before if row[places] not in stay]
            connection.executemany(f"DELETE FROM {name} WHERE {match}", gone)
            connection.executemany(insert, after)
            change.remove(before)
            change.add(after)
        connection.execute(f"DROP TABLE {_TABLE}")
        return any_stay

    def _leave_out(self, cut: int) -> bool:
        """Takes out the keys that keep their tiles: whether there were any.

        Of the others, all events that are newer than their tiles count as new; all events, where they have no tiles.
        """
        table, events = self._table, self._table.events
        listed = ", ".join(f"t.{key}" for key in table.keys)
        times = f"x.{quote(table.packed[events.event_time])}"  # of 8 bytes each
        left = f"substr({times}, 1 + length({times}) / {8 * _LEFT} * 8, 8)"
        start, number = table.place[-2:]
        last = f"x.{quote(table.own['last'])}"
        newer = (
            f"SELECT count(*) FROM {quote(events.name)} AS e "
            f"WHERE {self._same('e', 't')} AND e.{quote(events.event_time)} > {last}"
        )
        query = (
            f"SELECT {listed}, t.{self._since}, {last}, {left}, ({newer})\n"
            f"FROM {_TABLE} AS t LEFT JOIN {quote(table.name)} AS x\n"
            f"ON {self._same('x', 't')} AND x.{start} = {BEGINNING} AND x.{number} = 0 WHERE "
        )
        match = " AND ".join(f"{key} = ?" for key in table.keys)
        width, any_stay = self._width, False
        for bounds in list(self._pages()):
            stay, begin = list[Row](), list[Row]()
            for row in self._connection.execute(query + self._within(bounds), bounds):
                key, (since, newest, oldest, count) = row[:width], row[width:]
                if newest is None:
                    begin.append((BEGINNING, *key))
                elif since > newest:
                    few_left = int.from_bytes(oldest, "little", signed=True) >= cut
                    if few_left and count <= MOST_NEWER:
                        stay.append(key)
                    else:
                        begin.append((newest + 1, *key))
            self._connection.executemany(f"DELETE FROM {_TABLE} WHERE {match}", stay)
            self._connection.executemany(f"UPDATE {_TABLE} SET {self._since} = ? WHERE {match}", begin)
            any_stay = any_stay or bool(stay)
        return any_stay

    def _pages(self) -> Iterator[list[Any]]:
        """Bounds of the keys, in order: the key behind which a page begins (none for the first), and its last key."""
        listed = ", ".join(self._table.keys)
        cursor = self._connection.execute(f"SELECT {listed} FROM {_TABLE} ORDER BY {listed}")
        last: Row = ()
        while some := cursor.fetchmany(_KEYS_AT_ONCE):
            yield [*last, *some[-1]]
            last = some[-1]

    def _held(self, bounds: Sequence[Any]) -> dict[Row, tuple[int, list[Row]]]:
        """The keys of a page: the time of the first new event, and the tiles as they are."""
        table, listed = self._table, ", ".join(f"t.{key}" for key in self._table.keys)
        wanted = ", ".join(f"x.{column}" for column in table.columns)
        order = ", ".join([*(f"t.{key}" for key in table.keys), *(f"x.{column}" for column in table.place[-2:])])
        rows = self._connection.execute(
            f"SELECT {listed}, t.{self._since}, {wanted} FROM {_TABLE} AS t\n"
            f"LEFT JOIN {quote(table.name)} AS x ON {self._same('x', 't')}\n"
            f"WHERE {self._within(bounds)} ORDER BY {order}",
            bounds,
        )
        width, found = self._width, dict[Row, tuple[int, list[Row]]]()
        for row in rows:
            _, tiles = found.setdefault(row[:width], (row[width], []))
            if row[width + 1] is not None:
                tiles.append(row[width + 1 :])
        return found

    def _new(self, bounds: Sequence[Any]) -> dict[Row, list[Row]]:
        """The events of a page's keys from their first new one on, as the columns that are packed."""
        table, events = self._table, self._table.events
        wanted = ", ".join([*(f"t.{key}" for key in table.keys), *(f"e.{quote(name)}" for name in table.packed)])
        rest = events.place[len(table.keys) :]
        order = ", ".join([*(f"t.{key}" for key in table.keys), *(f"e.{name}" for name in rest)])
        rows = self._connection.execute(
            f"SELECT {wanted} FROM {_TABLE} AS t CROSS JOIN {quote(events.name)} AS e\n"
            f"WHERE {self._same('e', 't')} AND e.{quote(events.event_time)} >= t.{self._since}\n"
            f"AND {self._within(bounds)} ORDER BY {order}",
            bounds,
        )
        by_key = groupby(rows, itemgetter(slice(self._width)))
        return {key: list(zip(*some, strict=True))[self._width :] for key, some in by_key}

    def _same(self, one: str, other: str) -> str:
        return " AND ".join(f"{one}.{key} = {other}.{key}" for key in self._table.keys)

    def _within(self, bounds: Sequence[Any]) -> str:
        """The condition that a key is within the bounds of a page."""
        listed, places = ", ".join(f"t.{key}" for key in self._table.keys), ", ".join("?" * self._width)
        behind = f"({listed}) > ({places}) AND " if len(bounds) > self._width else ""
        return f"{behind}({listed}) <= ({places})"


def _kept(codes: Sequence[str], tiles: Sequence[Row], cut: int, since: int) -> list[Sequence[Any]]:
    """The columns of the events in a key's tiles that lie from ``cut`` on, before ``since``."""
    if not tiles:
        return [[] for _ in codes]
    columns = list(map(_stored, codes, tiles[0]))
    for tile in tiles[1:]:
        columns = [[*column, *_stored(code, some)] for code, some, column in zip(codes, tile, columns, strict=True)]
    begin, end = bisect_left(columns[0], cut), bisect_left(columns[0], since)
    return [column[begin:end] for column in columns]


def _stored(code: str, packed: bytes | str) -> Sequence[Any]:
    """The packed values in the stored form, in which a NaN is a text."""
    values = unpack(code, packed)
    if code == "d" and isinstance(packed, bytes) and sum(values) != sum(values):  # a NaN, or infinities of both signs
        return ["NaN" if value != value else value for value in values]  # noqa: PLR0124
    return values
