"""The SQL of a view's events: what its trailing windows are computed from, in a table beside the view's own.

One row per event inside the longest window, clustered by keys and event time, so that a window is one short range.
Times are INTEGER microseconds since 1970-01-01 UTC; everything else is stored as :mod:`codec` says. Events of one key
and event time are numbered in a fixed order of the whole row, so that one bag of events makes one table, always.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asknown.online.codec import storage
from asknown.online.layout import quote
from asknown.online.nodes import Column, OnlineView

if TYPE_CHECKING:
    from asknown.online.content import Change

_GIVEN = 'temp."_asknown_given"'  # the events of a load as they came
_SIGN = "asknown_sign"  # the SQL function that tells 0.0 from -0.0, which to SQLite are one value
_SORTED = 'temp."_asknown_sorted"'  # the same, in order and numbered
_AT_ONCE = 10_000


@dataclass(frozen=True)
class EventTable:
    """The events of one view. ``times`` are column names, event time first; ``sequence`` numbers events that tie."""

    name: str
    keys: tuple[Column, ...]
    times: tuple[str, ...]
    known_at: str | None
    sequence: str
    hidden: tuple[Column, ...]

    @property
    def event_time(self) -> str:
        return self.times[0]

    @property
    def given(self) -> list[str]:
        """The quoted columns of an event as a load brings it."""
        return [quote(name) for name in (*(c.name for c in self.keys), *self.times, *(c.name for c in self.hidden))]

    @property
    def place(self) -> list[str]:
        """The quoted columns of the primary key."""
        return [quote(name) for name in (*(c.name for c in self.keys), self.event_time, self.sequence)]

    @property
    def columns(self) -> list[str]:
        """All quoted columns, in the table's order."""
        names = (*(c.name for c in self.keys), *self.times, self.sequence, *(c.name for c in self.hidden))
        return [quote(name) for name in names]


def event_table(view: OnlineView) -> EventTable:
    """The table of a view's events. A time that is a key as well is there twice, the time under a free name."""
    assert view.windows is not None
    taken = {c.name.lower() for c in (*view.keys, *view.windows.columns)}
    names: dict[str, str] = {}
    for time in view.times:
        names[time] = free_name(time, taken)
        taken.add(names[time].lower())
    return EventTable(
        name=f"{view.name}.events",
        keys=view.keys,
        times=tuple(names.values()),
        known_at=None if view.known_at is None else names[view.known_at],
        sequence=free_name("_seq", taken),
        hidden=view.windows.columns,
    )


def create_events(table: EventTable) -> str:
    """The statement that makes the table."""
    return _create(quote(table.name), table)


def drop_events(view: str) -> str:
    """The statement that removes the events of the view of this name, where it has any."""
    return f"DROP TABLE IF EXISTS {quote(f'{view}.events')}"


def stage_events(connection: sqlite3.Connection, table: EventTable) -> str:
    """Makes room for the events of a load, in a temporary table, and gives the statement that inserts one."""
    connection.execute(f"DROP TABLE IF EXISTS {_GIVEN}")
    connection.execute(
        f"CREATE TEMP TABLE {_GIVEN.removeprefix('temp.')} (\n    {_body(table, numbered=False)}\n) STRICT"
    )
    return f"INSERT INTO {_GIVEN} VALUES ({', '.join('?' * len(table.given))})"


def merge_events(connection: sqlite3.Connection, table: EventTable, change: Change) -> None:
    """Makes the table hold exactly the staged events, writing only what differs, and tells ``change`` of it."""
    connection.create_function(_SIGN, 1, lambda zero: math.copysign(1.0, zero), deterministic=True)
    target = quote(table.name)
    listed = ", ".join(table.columns)
    if connection.execute(f"SELECT NOT EXISTS (SELECT 1 FROM {target})").fetchone()[0]:
        _tell(connection, f"INSERT INTO {target} ({listed})\n{_numbered(table)}\nRETURNING {listed}", change.add)
    else:
        connection.execute(f"DROP TABLE IF EXISTS {_SORTED}")
        connection.execute(_create(_SORTED, table))
        connection.execute(f"INSERT INTO {_SORTED} ({listed})\n{_numbered(table)}")
        at_place = " AND ".join(f"s.{name} = e.{name}" for name in table.place)
        same = " AND ".join([at_place, *_same_values(table)])
        _tell(
            connection,
            f"DELETE FROM {target} AS e WHERE NOT EXISTS (SELECT 1 FROM {_SORTED} AS s WHERE {same})\n"
            f"RETURNING {listed}",
            change.remove,
        )
        _tell(
            connection,
            f"INSERT INTO {target} ({listed}) SELECT {listed} FROM {_SORTED} AS s\n"
            f"WHERE NOT EXISTS (SELECT 1 FROM {target} AS e WHERE {at_place})\nRETURNING {listed}",
            change.add,
        )
        connection.execute(f"DROP TABLE {_SORTED}")
    connection.execute(f"DROP TABLE {_GIVEN}")


def _tell(connection: sqlite3.Connection, statement: str, hear: Callable[[list[tuple[Any, ...]]], None]) -> None:
    """Runs a statement that returns rows, and hands them on, some at a time."""
    cursor = connection.execute(statement)
    while rows := cursor.fetchmany(_AT_ONCE):
        hear(rows)


def scan_statement(table: EventTable, columns: tuple[str, ...]) -> str:
    """The query for one key's ``columns``, from one event time to another: both are bound behind the key."""
    match = "".join(f"{quote(c.name)} = ? AND " for c in table.keys)
    time, wanted = quote(table.event_time), ", ".join(quote(name) for name in columns)
    order = f"{time}, {quote(table.sequence)}"
    return f"SELECT {wanted} FROM {quote(table.name)} WHERE {match}{time} BETWEEN ? AND ? ORDER BY {order}"


def _create(name: str, table: EventTable) -> str:
    body = _body(table, numbered=True)
    return f"CREATE TABLE {name} (\n    {body},\n    PRIMARY KEY ({', '.join(table.place)})\n) STRICT, WITHOUT ROWID"


def _body(table: EventTable, *, numbered: bool) -> str:
    columns = [f"{quote(c.name)} {storage(c.type)} NOT NULL" for c in table.keys]
    always = (table.event_time, table.known_at)
    columns.extend(f"{quote(time)} INTEGER{' NOT NULL' if time in always else ''}" for time in table.times)
    if numbered:
        columns.append(f"{quote(table.sequence)} INTEGER NOT NULL")
    columns.extend(f"{quote(c.name)} {storage(c.type)}" for c in table.hidden)
    return ",\n    ".join(columns)


def _numbered(table: EventTable) -> str:
    """The query for the staged events with their numbers, in the table's order."""
    keys = [quote(c.name) for c in table.keys]
    times = [quote(time) for time in table.times]
    hidden = [quote(c.name) for c in table.hidden]
    order = times[1:]
    for column, name in zip(table.hidden, hidden, strict=True):
        order.append(name)
        if column.type.kind == "float":
            order.append(_sign_of_zero(name))
    by = ", ".join([*keys, times[0]])
    number = f"row_number() OVER (PARTITION BY {by}{' ORDER BY ' if order else ''}{', '.join(order)})"
    return f"SELECT {', '.join([*keys, *times, number, *hidden])}\nFROM {_GIVEN}"


def _same_values(table: EventTable) -> list[str]:
    conditions = [f"s.{quote(time)} IS e.{quote(time)}" for time in table.times[1:]]
    for column in table.hidden:
        left, right = (f"{row}.{quote(column.name)}" for row in "se")
        conditions.append(f"{left} IS {right}")
        if column.type.kind == "float":
            conditions.append(f"{_sign_of_zero(left)} IS {_sign_of_zero(right)}")
    return conditions


def _sign_of_zero(value: str) -> str:
    return f"CASE WHEN {value} = 0 THEN {_SIGN}({value}) END"


def free_name(name: str, taken: set[str]) -> str:
    """The name, with underscores before it until it is not among those taken (in lower case)."""
    while name.lower() in taken:
        name = f"_{name}"
    return name
