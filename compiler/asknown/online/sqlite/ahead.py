"""Rows dated ahead: those that become visible after the watermark, in a table beside the view's own (rule 10).

A row becomes visible at the later of its event time and its known-at time. The table has all columns of the view's
table and of its events, and is clustered by keys and that instant. It is a table of events whose event time is
``visible_at``, so it is written as events are. ``newest`` marks the rows that are the newest of their key when they
become visible: among those, the last one that is visible has the as-of features. The load works this out, so that a
read does not compare rows. The standard library only: the reader imports this.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from asknown.online.content import Change
from asknown.online.nodes import OnlineView
from asknown.online.sqlite.events import merge_events, stage_events
from asknown.online.sqlite.layout import EventTable, create_events, event_columns, event_table, free_name
from asknown.online.sqlite.names import quote
from asknown.types import Column, parse_type

_STAGED = 'temp."_asknown_ahead"'  # the rows of a load as they came, before it is known which are the newest


@dataclass(frozen=True)
class AheadTable:
    """The rows ahead of one view. ``times`` says what the view's times are called here, as microseconds."""

    table: EventTable
    newest: str
    times: dict[str, str]

    @property
    def name(self) -> str:
        return self.table.name

    @property
    def visible_at(self) -> str:
        return self.table.event_time

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that a load brings besides keys and times, as the view's table and its events keep them."""
        return self.table.hidden[1:]


def ahead_table(view: OnlineView) -> AheadTable:
    """The table of a view's rows ahead."""
    columns = view.ahead_columns
    taken = {column.name.lower() for column in (*view.keys, *columns)}
    names = []
    for name in ("visible_at", "newest", *view.times, "_seq"):
        names.append(free_name(name, taken))
        taken.add(names[-1].lower())
    visible_at, newest, *times, sequence = names
    table = EventTable(
        name=f"{view.name}.ahead",
        keys=view.keys,
        times=(visible_at, *times),
        known_at=None,
        sequence=sequence,
        hidden=(Column(newest, parse_type("BOOLEAN")), *columns),
    )
    return AheadTable(table, newest, dict(zip(view.times, times, strict=True)))


# -- writing -----------------------------------------------------------------------------------------------------------


def write_ahead(
    connection: sqlite3.Connection,
    view: OnlineView,
    rows: Iterable[Sequence[Any]],
    change: Change,
    *,
    made: bool,
    touched: str | None = None,
) -> None:
    """Makes the table hold exactly these rows: keys, times with ``visible_at`` first, columns. Tells ``change``.

    ``made`` says whether the table is there already. The view's own table must hold its rows of the same load.
    ``touched`` is a table of the keys that the rows are of; other keys keep their rows.
    """
    ahead = ahead_table(view)
    staged = EventTable(ahead.name, view.keys, ahead.table.times, None, ahead.table.sequence, ahead.columns)
    connection.execute(f"DROP TABLE IF EXISTS {_STAGED}")
    body = event_columns(staged, numbered=False)
    connection.execute(f"CREATE TEMP TABLE {_STAGED.removeprefix('temp.')} (\n    {body}\n) STRICT")
    connection.executemany(f"INSERT INTO {_STAGED} VALUES ({', '.join('?' * len(staged.given))})", rows)
    if not made:
        connection.execute(create_events(ahead.table))
    connection.executemany(stage_events(connection, ahead.table), _marked(connection, view, ahead, staged))
    connection.execute(f"DROP TABLE {_STAGED}")
    keys = [quote(key.name) for key in view.keys]
    merge_events(connection, ahead.table, change, within=None if touched is None or not keys else (touched, keys))


def _marked(
    connection: sqlite3.Connection, view: OnlineView, ahead: AheadTable, staged: EventTable
) -> Iterator[tuple[Any, ...]]:
    """The staged rows, each with whether it is the newest of its key when it becomes visible."""
    from asknown.online.order import RowOrder  # only loads compare rows

    names = [column.name for column in view.columns]
    wanted = [f"s.{name}" for name in staged.given] + [f"v.{quote(name)}" for name in names]
    same = " AND ".join(f"v.{quote(key.name)} = s.{quote(key.name)}" for key in view.keys) or "1"
    order = [f"s.{quote(name)}" for name in (*(key.name for key in view.keys), ahead.visible_at)]
    cursor = connection.cursor()
    cursor.execute(
        f"SELECT {', '.join(wanted)} FROM {_STAGED} AS s LEFT JOIN {quote(view.name)} AS v ON {same}\n"
        f"ORDER BY {', '.join(order)}"
    )
    width, keys, times = len(staged.given), len(view.keys), len(staged.times)
    brought = [*(key.name for key in view.keys), *staged.times, *(column.name for column in staged.hidden)]
    as_stored = itemgetter(*(brought.index(name) for name in names), keys)  # one more, so that it is a tuple always
    event_time = width + names.index(view.event_time)
    is_newer = RowOrder(view).is_newer
    for _, group in groupby(cursor, key=lambda row: row[:keys]):
        best: Any = None
        for _, at_once in groupby(group, key=itemgetter(keys)):
            rows = list(at_once)
            if best is None and rows[0][event_time] is not None:  # what the view's own table has of the key
                best = rows[0][width:]
            newest = None
            for place, row in enumerate(rows):
                given = as_stored(row)
                if best is None or is_newer(given, best):
                    best, newest = given, place
            for place, row in enumerate(rows):
                yield (*row[: keys + times], int(place == newest), *row[keys + times : width])


def mark_newest(
    connection: sqlite3.Connection, view: OnlineView, ahead: AheadTable, key: Sequence[Any], change: Change
) -> None:
    """Tells anew which rows ahead of one key are the newest when they become visible, and tells ``change`` of it.

    For when the key's row in the view's own table has changed, or the key has got another row ahead.
    """
    from asknown.online.order import RowOrder

    table = ahead.table
    match = " AND ".join(f"{quote(column.name)} = ?" for column in view.keys) or "1"
    stored = ", ".join(quote(column.name) for column in view.columns)
    best = connection.execute(f"SELECT {stored} FROM {quote(view.name)} WHERE {match}", key).fetchone()
    order = f"{quote(ahead.visible_at)}, {quote(table.sequence)}"
    rows = connection.execute(
        f"SELECT {', '.join(table.columns)} FROM {quote(table.name)} WHERE {match} ORDER BY {order}", key
    ).fetchall()
    names = [*(c.name for c in table.keys), *table.times, table.sequence, *(c.name for c in table.hidden)]
    as_stored = [names.index(column.name) for column in view.columns]
    instant, mark = names.index(ahead.visible_at), names.index(ahead.newest)
    is_newer = RowOrder(view).is_newer
    place = " AND ".join(f"{name} = ?" for name in table.place)
    update = f"UPDATE {quote(table.name)} SET {quote(ahead.newest)} = ? WHERE {place}"
    at_place = [names.index(c.name) for c in table.keys] + [instant, names.index(table.sequence)]
    for _, group in groupby(rows, key=itemgetter(instant)):
        at_once, newest = list(group), None
        for number, row in enumerate(at_once):
            given = [row[i] for i in as_stored]
            if best is None or is_newer(given, best):
                best, newest = given, number
        for number, row in enumerate(at_once):
            marked = int(number == newest)
            if row[mark] != marked:
                connection.execute(update, (marked, *(row[i] for i in at_place)))
                change.remove([row])
                change.add([(*row[:mark], marked, *row[mark + 1 :])])


# -- reading -----------------------------------------------------------------------------------------------------------


class AheadRead:
    """Finds the rows ahead of a key that are visible by now. A key is the values of its columns."""

    def __init__(self, view: OnlineView, columns: Sequence[str]) -> None:
        """``columns`` are those of the view's table that are to be read."""
        ahead = ahead_table(view)
        match = "".join(f"{quote(key.name)} = ? AND " for key in view.keys)
        self._newest = (
            f"SELECT {', '.join(map(quote, columns))} FROM {quote(ahead.name)}\n"
            f"WHERE {match}{quote(ahead.visible_at)} <= ? AND {quote(ahead.newest)}\n"
            f"ORDER BY {quote(ahead.visible_at)} DESC LIMIT 1"
        )

    def newest(self, cursor: Any, key: Sequence[Any], instant: int) -> tuple[Any, ...] | None:
        """The columns of the row that counts at ``instant`` (microseconds), if it is a row ahead."""
        rows = cursor.execute(self._newest, (*key, instant)).fetchall()
        return rows[0] if rows else None


def loose_statement(view: OnlineView, columns: Sequence[str]) -> str:
    """The query for a key's rows ahead as events, in order of event time: key, the last visible instant are bound.

    ``columns`` are those of the view's events, times first, by the names that they have there.
    """
    ahead, events = ahead_table(view), event_table(view)
    called = dict(zip(events.times, (ahead.times[name] for name in view.times), strict=True))
    wanted = ", ".join(quote(called.get(name, name)) for name in columns)
    match = "".join(f"{quote(key.name)} = ? AND " for key in view.keys)
    order = ", ".join(quote(name) for name in (*ahead.times.values(), ahead.table.sequence))
    return f"SELECT {wanted} FROM {quote(ahead.name)}\nWHERE {match}{quote(ahead.visible_at)} <= ? ORDER BY {order}"
