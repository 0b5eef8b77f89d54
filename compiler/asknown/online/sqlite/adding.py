"""Adds new rows to a view's tables, and moves them on to a later watermark, without the rows that they were made of.

For a view whose sources have lost no row since its last load (:mod:`asknown.store.reading` finds out). The tables are
then, to the bit, what a load of all rows would have made them: rows dated ahead that have become visible join the
others, and events leave that no window reaches any more. Tiles alone may be those of earlier events
(:mod:`asknown.online.sqlite.tile_update`): they give the same answers.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any

from asknown.instants import from_microseconds, to_microseconds
from asknown.online.batches import CHUNK, read_ahead, read_events, read_rows
from asknown.online.content import Change, Row
from asknown.online.nodes import OnlineView, StoredView
from asknown.online.order import RowOrder
from asknown.online.sqlite import layout
from asknown.online.sqlite.ahead import ahead_table, write_ahead
from asknown.online.sqlite.content import hash_table
from asknown.online.sqlite.events import gather, remove_before, stage_events
from asknown.online.sqlite.layout import replace_statement
from asknown.online.sqlite.merge import KeyedTable
from asknown.online.sqlite.names import quote
from asknown.online.sqlite.tile_update import TileUpdate
from asknown.online.sqlite.tiles import lack_states, write_tiles

_TOUCHED = 'temp."_asknown_touched"'  # keys whose rows ahead have changed, or will be compared anew
_LAST = to_microseconds(datetime.max)


@dataclass
class Added:
    """The view as it is now, and what became of its keys and events."""

    stored: StoredView
    new: int = 0
    changed: int = 0
    skipped: int = 0
    events: tuple[int, int] = (0, 0)


class Adding:
    """One load that adds to what the file has of a view. ``now`` says what that is, with the watermark of this load."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        now: StoredView,
        max_ahead: int,
    ) -> None:
        self._connection = connection
        self._path = path
        self._view = now.view
        self._ahead = ahead_table(now.view)
        self._had_ahead = now.ahead is not None
        self._watermark = now.watermark
        self._at = to_microseconds(now.watermark.replace(tzinfo=None))
        self._until = min(self._at + max_ahead, _LAST)
        self._added = Added(now)

    def add(self, newest: Iterable[Any], events: Iterable[Any], later: Iterable[Any]) -> Added:
        """Adds the batches of the new rows: each key's newest row, the events, and the rows dated ahead."""
        dated = self._dated(later)
        touched = self._add_newest(newest)
        if self._view.windows is not None:
            self._add_events(events)
        if self._had_ahead or dated:
            self._add_ahead(dated, touched)
        return self._added

    def _dated(self, batches: Iterable[Any]) -> list[Row]:
        """The new rows that become visible later. Those that are too far ahead are counted."""
        rows: list[Row] = []
        stored = self._added.stored
        beyond, first = stored.beyond, stored.beyond_at
        for chunk in read_ahead(self._view, self._ahead.columns, batches, self._at, self._until):
            rows.extend(chunk.values)
            beyond += chunk.beyond
            if chunk.first_beyond is not None:
                found = from_microseconds(chunk.first_beyond).replace(tzinfo=self._watermark.tzinfo)
                first = found if first is None else min(first, found)
        self._added.stored = replace(stored, beyond=beyond, beyond_at=first)
        return rows

    def _ripe(self, names: Sequence[str]) -> Iterator[list[Row]]:
        """These columns of the rows ahead that are visible by now, some at a time."""
        if not self._had_ahead:
            return
        wanted = ", ".join(map(quote, names))
        query = f"SELECT {wanted} FROM {quote(self._ahead.name)} WHERE {quote(self._ahead.visible_at)} <= ?"
        cursor = self._connection.execute(query, (self._at,))
        while rows := cursor.fetchmany(CHUNK):
            yield rows

    def _add_newest(self, batches: Iterable[Any]) -> list[Row]:
        """Puts each key's newest row into the view's table (rule 3), and gives the keys whose row is another now."""
        change, stored = Change(), self._added.stored
        put = _Newest(self._connection, self._view, change)
        touched: list[Row] = []

        def given() -> Iterator[list[Row]]:
            for chunk in read_rows(self._view, batches, self._watermark):
                self._added.skipped += chunk.skipped
                yield list(chunk.values)

        for rows in chain(given(), self._ripe([column.name for column in self._view.columns])):
            written = put.rows(rows)
            if self._had_ahead:
                touched += written
        self._added.new, self._added.changed = put.new, put.changed
        assert stored.hashes.rows is not None
        hashes = replace(stored.hashes, rows=change.apply(stored.hashes.rows))
        self._added.stored = replace(stored, rows=stored.rows + put.new, hashes=hashes)
        return touched

    def _add_events(self, batches: Iterable[Any]) -> None:
        """Adds the events, removes those that no window reaches any more, and updates the tiles of their keys."""
        view, connection, stored = self._view, self._connection, self._added.stored
        assert view.windows is not None and stored.hashes.events is not None and stored.hashes.tiles is not None
        table, change = layout.event_table(view), Change()
        cut = self._at - view.windows.longest
        update = TileUpdate(connection, view) if view.keys and not lack_states(connection, view) else None

        def leave(rows: list[Row]) -> None:
            change.remove(rows)
            if update is not None:
                update.leave(rows)

        remove_before(connection, table, keyed=quote(view.name), cut=cut, hear=leave)
        insert = stage_events(connection, table)
        width, called = len(view.keys), dict(zip(table.times, self._times(), strict=True))
        names = [*(key.name for key in view.keys), *table.times, *(column.name for column in table.hidden)]
        ripe = self._ripe([called.get(name, name) for name in names])
        given = (list(chunk.values) for chunk in read_events(view, table.hidden, batches, self._watermark))
        for rows in chain(given, ripe):
            kept = [row for row in rows if row[width] >= cut]
            connection.executemany(insert, kept)
            if update is not None:
                update.come(kept)
        before = change.removed
        gather(connection, table, change)
        tiled = Change()
        stale = stored.stale_tiles
        if update is None:
            write_tiles(connection, view, tiled)
            stale = False
        elif update.write(tiled, cut):
            stale = True
        hashes = replace(
            stored.hashes, events=change.apply(stored.hashes.events), tiles=tiled.apply(stored.hashes.tiles)
        )
        self._added.events = (change.added - (change.removed - before), before)
        total = (stored.events or 0) + change.added - change.removed
        self._added.stored = replace(stored, events=total, hashes=hashes, stale_tiles=stale)

    def _times(self) -> list[str]:
        """The names that the view's times have in the table of rows ahead."""
        return [self._ahead.times[name] for name in self._view.times]

    def _add_ahead(self, dated: list[Row], changed: list[Row]) -> None:
        """Adds rows dated ahead, removes those that are visible by now, and marks anew which are the newest."""
        connection, view, stored, table = self._connection, self._view, self._added.stored, self._ahead.table
        change, width = Change(), len(view.keys)
        touched = _Keys(connection, view)
        touched.add(changed)
        for rows in self._ripe([*(key.name for key in view.keys), self._ahead.visible_at]):
            touched.add(rows)
        touched.add(dated)
        kept: list[Row] = []
        if self._had_ahead:
            names = [*(key.name for key in view.keys), *table.times, *(column.name for column in self._ahead.columns)]
            wanted = ", ".join(f"a.{quote(name)}" for name in names)
            same = "".join(f"a.{quote(key.name)} = t.{quote(key.name)} AND " for key in view.keys)
            source = f"{_TOUCHED} AS t CROSS JOIN " if width else ""
            kept = connection.execute(
                f"SELECT {wanted} FROM {source}{quote(table.name)} AS a "
                f"WHERE {same}a.{quote(self._ahead.visible_at)} > ?",
                (self._at,),
            ).fetchall()
        else:
            layout.check_room(connection, self._path, view, table.name, len(table.columns))
        write_ahead(connection, view, [*kept, *dated], change, made=self._had_ahead, touched=_TOUCHED)
        total = (stored.ahead or 0) + change.added - change.removed
        if total:
            before = stored.hashes.ahead
            hashed = hash_table(connection, table.name) if before is None else change.apply(before)
            self._added.stored = replace(stored, ahead=total, hashes=replace(stored.hashes, ahead=hashed))
        else:
            connection.execute(layout.drop_ahead(view.name))
            self._added.stored = replace(stored, ahead=None, hashes=replace(stored.hashes, ahead=None))


class _Newest:
    """Puts rows into a view's table where they are newer than what it has of their keys."""

    def __init__(self, connection: sqlite3.Connection, view: OnlineView, change: Change) -> None:
        self._connection = connection
        self._table = KeyedTable(connection, view)
        self._is_newer = RowOrder(view).is_newer
        self._time: Any = itemgetter([column.name for column in view.columns].index(view.event_time))
        self._write = replace_statement(view, 1)
        self._change = change
        self._outcomes: dict[Any, bool] = {}  # by key, whether it is new

    @property
    def new(self) -> int:
        """How many keys are new."""
        return sum(self._outcomes.values())

    @property
    def changed(self) -> int:
        """How many keys that were there have another row."""
        return len(self._outcomes) - self.new

    def rows(self, rows: Sequence[Row]) -> list[Row]:
        """Puts some rows, and gives the values of the keys whose row is another one now."""
        key, time = self._table.key, self._time
        before = {key(row): row for row in self._table.look_up(list(dict.fromkeys(map(key, rows))))}
        now: dict[Any, Row] = {}
        for row in rows:
            place = key(row)
            held = now.get(place) or before.get(place)
            if held is None or time(row) > time(held) or (time(row) == time(held) and self._is_newer(row, held)):
                now[place] = row
        self._connection.executemany(self._write, now.values())
        self._change.add(list(now.values()))
        old = [before[place] for place in now if place in before]
        self._change.remove(old)
        for place in now:
            self._outcomes.setdefault(place, place not in before)
        return [self._table.parameters(place) for place in now]


class _Keys:
    """A temporary table of keys, each once. Empty when it is made."""

    def __init__(self, connection: sqlite3.Connection, view: OnlineView) -> None:
        self._connection = connection
        self._width = len(view.keys)
        names = ", ".join(quote(key.name) for key in view.keys)
        connection.execute(f"DROP TABLE IF EXISTS {_TOUCHED}")
        if names:
            connection.execute(
                f"CREATE TEMP TABLE {_TOUCHED.removeprefix('temp.')} ({names}, PRIMARY KEY ({names})) WITHOUT ROWID"
            )
        self._insert = f"INSERT OR IGNORE INTO {_TOUCHED} VALUES ({', '.join('?' * self._width)})"

    def add(self, rows: Iterable[Row]) -> None:
        """Adds the keys of rows that begin with them."""
        if self._width:
            self._connection.executemany(self._insert, {row[: self._width] for row in rows})
