"""The SQL of a view's events: what its trailing windows are computed from, in a table beside the view's own.

One row per event inside the longest window, clustered by keys and event time, so that a window is one short range.
Times are INTEGER microseconds since 1970-01-01 UTC; everything else is stored as :mod:`codec` says. Events of one key
and event time are numbered in a fixed order of the whole row, so that one bag of events makes one table, always.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from asknown.online.sqlite.layout import EventTable, create_numbered, event_columns
from asknown.online.sqlite.names import quote

if TYPE_CHECKING:
    from asknown.online.content import Change

_GIVEN = 'temp."_asknown_given"'  # the events of a load as they came
_SIGN = "asknown_sign"  # the SQL function that tells 0.0 from -0.0, which to SQLite are one value
_SORTED = 'temp."_asknown_sorted"'  # the same, in order and numbered
_PLACES = 'temp."_asknown_places"'  # keys and event times of staged events
_AT_ONCE = 10_000


def stage_events(connection: sqlite3.Connection, table: EventTable) -> str:
    """Makes room for the events of a load, in a temporary table, and gives the statement that inserts one."""
    connection.execute(f"DROP TABLE IF EXISTS {_GIVEN}")
    connection.execute(
        f"CREATE TEMP TABLE {_GIVEN.removeprefix('temp.')} (\n    {event_columns(table, numbered=False)}\n) STRICT"
    )
    return f"INSERT INTO {_GIVEN} VALUES ({', '.join('?' * len(table.given))})"


def gather(connection: sqlite3.Connection, table: EventTable, change: Change) -> None:
    """Makes the table hold the staged events besides its own, and tells ``change`` of it.

    Events of one key and event time are numbered anew, so that the table is as if all had come at once.
    """
    columns = table.place[:-1]
    listed, target = ", ".join(columns), quote(table.name)
    connection.execute(f"DROP TABLE IF EXISTS {_PLACES}")
    connection.execute(
        f"CREATE TEMP TABLE {_PLACES.removeprefix('temp.')} ({listed}, PRIMARY KEY ({listed})) WITHOUT ROWID"
    )
    at_place = " AND ".join(f"e.{name} = g.{name}" for name in columns)
    connection.execute(
        f"INSERT OR IGNORE INTO {_PLACES} SELECT {listed} FROM {_GIVEN} AS g "
        f"WHERE EXISTS (SELECT 1 FROM {target} AS e WHERE {at_place})"
    )
    alone = f"({listed}) NOT IN (SELECT {listed} FROM {_PLACES})"
    if not connection.execute(f"SELECT EXISTS (SELECT 1 FROM {_PLACES})").fetchone()[0]:
        alone = ""
    _insert_numbered(connection, table, change, alone)
    if alone:
        connection.execute(f"DELETE FROM {_GIVEN} WHERE {alone}")
        same = " AND ".join(f"e.{name} = p.{name}" for name in columns)
        wanted = ", ".join(f"e.{name}" for name in table.given)
        connection.execute(
            f"INSERT INTO {_GIVEN} SELECT {wanted} FROM {_PLACES} AS p CROSS JOIN {target} AS e WHERE {same}"
        )
        merge_events(connection, table, change, within=(_PLACES, columns))
    else:
        connection.execute(f"DROP TABLE {_GIVEN}")
    connection.execute(f"DROP TABLE {_PLACES}")


def _insert_numbered(connection: sqlite3.Connection, table: EventTable, change: Change, where: str = "") -> None:
    """Inserts staged events, all or those ``where`` says, numbered, and tells ``change`` of it."""
    _tell_signs(connection)
    target, listed = quote(table.name), ", ".join(table.columns)
    _tell(connection, f"INSERT INTO {target} ({listed})\n{_numbered(table, where)}\nRETURNING {listed}", change.add)


def merge_events(
    connection: sqlite3.Connection,
    table: EventTable,
    change: Change,
    *,
    within: tuple[str, Sequence[str]] | None = None,
) -> None:
    """Makes the table hold exactly the staged events, writing only what differs, and tells ``change`` of it.

    ``within`` names a table and its quoted columns, by which the events are chosen that this is about. Others stay.
    """
    _tell_signs(connection)
    target = quote(table.name)
    listed = ", ".join(table.columns)
    if connection.execute(f"SELECT NOT EXISTS (SELECT 1 FROM {target})").fetchone()[0]:
        _insert_numbered(connection, table, change)
    else:
        connection.execute(f"DROP TABLE IF EXISTS {_SORTED}")
        connection.execute(create_numbered(_SORTED, table))
        connection.execute(f"INSERT INTO {_SORTED} ({listed})\n{_numbered(table)}")
        at_place = " AND ".join(f"s.{name} = e.{name}" for name in table.place)
        same = " AND ".join([at_place, *_same_values(table)])
        chosen = "" if within is None else f"{_chosen(table, *within)} AND "
        _tell(
            connection,
            f"DELETE FROM {target} AS e WHERE {chosen}NOT EXISTS (SELECT 1 FROM {_SORTED} AS s WHERE {same})\n"
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


def _chosen(table: EventTable, chosen: str, columns: Sequence[str]) -> str:
    """The condition that an event ``e`` is at one of the chosen places. It is looked up by the table's key."""
    place = ", ".join(table.place)
    if not columns:
        return "1"
    same = " AND ".join(f"t.{name} = c.{name}" for name in columns)
    wanted = ", ".join(f"t.{name}" for name in table.place)
    return f"({place}) IN (SELECT {wanted} FROM {chosen} AS c CROSS JOIN {quote(table.name)} AS t WHERE {same})"


def remove_before(
    connection: sqlite3.Connection,
    table: EventTable,
    *,
    keyed: str,
    cut: int,
    hear: Callable[[list[tuple[Any, ...]]], None],
) -> None:
    """Removes the events before an instant (microseconds), and hands them on, some at a time.

    ``keyed`` is a quoted table that has all keys of the events: each key's oldest events are looked up.
    """
    time, keys = quote(table.event_time), [quote(key.name) for key in table.keys]
    listed, target = ", ".join(table.columns), quote(table.name)
    wanted = ", ".join(f"e.{name}" for name in table.place)
    same = "".join(f"e.{name} = k.{name} AND " for name in keys)
    _tell(
        connection,
        f"DELETE FROM {target} WHERE ({', '.join(table.place)}) IN (\n"
        f"SELECT {wanted} FROM {keyed} AS k CROSS JOIN {target} AS e WHERE {same}e.{time} < {cut})\n"
        f"RETURNING {listed}",
        hear,
    )


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


def take_staged(connection: sqlite3.Connection, table: EventTable) -> Iterator[tuple[Any, ...]]:
    """The staged events in the table's order, without numbers. They are gone when the last one has been taken."""
    _tell_signs(connection)
    order = ", ".join([*(quote(key.name) for key in table.keys), quote(table.event_time), *_rest_of_order(table)])
    yield from connection.execute(f"SELECT {', '.join(table.given)} FROM {_GIVEN} ORDER BY {order}")
    connection.execute(f"DROP TABLE {_GIVEN}")


def _tell_signs(connection: sqlite3.Connection) -> None:
    connection.create_function(_SIGN, 1, lambda zero: math.copysign(1.0, zero), deterministic=True)


def _rest_of_order(table: EventTable) -> list[str]:
    """The terms that order events of one key and event time."""
    order = [quote(time) for time in table.times[1:]]
    for column in table.hidden:
        name = quote(column.name)
        order.append(name)
        if column.type.kind == "float":
            order.append(_sign_of_zero(name))
    return order


def _numbered(table: EventTable, where: str = "") -> str:
    """The query for the staged events, or those ``where`` says, with their numbers, in the table's order."""
    keys = [quote(c.name) for c in table.keys]
    times = [quote(time) for time in table.times]
    hidden = [quote(c.name) for c in table.hidden]
    order = _rest_of_order(table)
    by = ", ".join([*keys, times[0]])
    number = f"row_number() OVER (PARTITION BY {by}{' ORDER BY ' if order else ''}{', '.join(order)})"
    chosen = f" WHERE {where}" if where else ""
    return f"SELECT {', '.join([*keys, *times, number, *hidden])}\nFROM {_GIVEN}{chosen}"


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
