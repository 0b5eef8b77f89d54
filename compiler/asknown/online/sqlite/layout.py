"""The SQL of a view's tables: how they are made, how rows are written over, how rows are found again.

Every name a user chose is quoted, and qualified where SQLite would read an unknown quoted name as a string.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from asknown.errors import AsknownError
from asknown.online.nodes import OnlineView
from asknown.online.sqlite.names import quote, storage
from asknown.online.windows import states_of
from asknown.types import Column
from asknown.values.states import State, packs

_STORED = "_asknown_stored"  # the table's alias while rows are written: a view may be called "excluded"

_OWN = ("start", "number", "last", "later", "after")  # what every tile has, before its packed columns


def check_name(view: str) -> None:
    """Refuses a view's name that SQLite, or the file's own tables, keep for themselves."""
    for prefix in ("sqlite_", "_asknown"):
        if view.lower().startswith(prefix):
            raise AsknownError(
                "bad-name",
                f"the view '{view}' cannot have an online table: names that start with '{prefix}' are reserved",
                hint="rename the model's file, or set online=false in its config()",
            )


def create_statements(view: OnlineView) -> list[str]:
    """The statements that make the view's table: STRICT, with the view's own columns, one row per key."""
    columns = []
    rowid = len(view.keys) == 1 and view.keys[0].type.kind == "integer" and not view.keys[0].type.is_wide
    for column in view.columns:
        words = [quote(column.name), storage(column.type)]
        if column in view.keys:
            words.append("PRIMARY KEY" if rowid else "NOT NULL")
        elif column.name == view.event_time:
            words.append("NOT NULL")
        columns.append(" ".join(words))
    if rowid or not view.keys:
        options = "STRICT"
    else:
        columns.append(f"PRIMARY KEY ({_list(view.keys)})")
        options = "STRICT, WITHOUT ROWID"
    body = ",\n    ".join(columns)
    statements = [f"CREATE TABLE {quote(view.name)} (\n    {body}\n) {options}"]
    if not view.keys:  # a view without keys has one row at most: its table is unique on a constant
        statements.append(f"CREATE UNIQUE INDEX {quote(f'_asknown_one_{view.name}')} ON {quote(view.name)} ((1))")
    return statements


def replace_statement(view: OnlineView, rows: int) -> str:
    """The statement that inserts rows, or puts each over its key's row."""
    places = ", ".join([f"({', '.join('?' * len(view.columns))})"] * rows)
    insert = f"INSERT INTO {quote(view.name)} AS {_STORED} ({_list(view.columns)})\nVALUES {places}"
    others = [quote(c.name) for c in view.columns if c not in view.keys]
    if not others:
        return f"{insert}\nON CONFLICT DO NOTHING"
    assignments = ",\n    ".join(f"{name} = excluded.{name}" for name in others)
    return f"{insert}\nON CONFLICT DO UPDATE SET\n    {assignments}"


def range_statement(view: OnlineView, *, after: bool) -> str:
    """The query for all columns of the rows up to a key, in order: the key is bound, and before it, where ``after``
    says so, the key that they lie behind.
    """
    query = f"SELECT {_list(view.columns)} FROM {quote(view.name)}"
    if not view.keys:
        return query
    keys, places = _list(view.keys), ", ".join("?" * len(view.keys))
    behind = f"({keys}) > ({places}) AND " if after else ""
    return f"{query} WHERE {behind}({keys}) <= ({places}) ORDER BY {keys}"


def rest_statement(view: OnlineView, *, after: bool) -> str:
    """The query for the keys behind a key, which is bound; for all keys, where ``after`` is False."""
    table = quote(view.name)
    if not view.keys:
        return f"SELECT 1 FROM {table} WHERE {'0' if after else '1'}"
    keys, places = _list(view.keys), ", ".join("?" * len(view.keys))
    return f"SELECT {keys} FROM {table}{f' WHERE ({keys}) > ({places})' if after else ''}"


def _list(columns: tuple[Column, ...]) -> str:
    return ", ".join(quote(c.name) for c in columns)


def make_tables(connection: sqlite3.Connection, path: Path, view: OnlineView) -> None:
    """Makes the view's tables, empty. The file at ``path`` must not have them yet."""
    check_room(connection, path, view, view.name, len(view.columns))
    for statement in create_statements(view):
        connection.execute(statement)
    if view.windows is not None:
        table, tiled = event_table(view), tile_table(view)
        check_room(connection, path, view, table.name, len(table.columns))
        check_room(connection, path, view, tiled.name, len(tiled.columns))
        connection.execute(create_events(table))
        connection.execute(create_tiles(tiled))


def drop_tables(connection: sqlite3.Connection, view: str) -> None:
    """Drops the tables of the view of this name, those that there are."""
    connection.execute(f"DROP TABLE IF EXISTS {quote(view)}")
    connection.execute(drop_events(view))
    connection.execute(drop_ahead(view))
    connection.execute(drop_tiles(view))
    connection.execute(drop_pushed(view))


def check_case(view: str, held: list[str], path: Path) -> None:
    """Refuses a view whose name differs from that of one in the file by letter case alone."""
    for name in held:
        if name != view and name.lower() == view.lower():
            raise AsknownError(
                "name-clash",
                f"the online file {path} holds the view '{name}', which differs from '{view}' only in case: "
                "SQLite ignores case",
                hint="rename one of them, or remove those that the project no longer has: asknown materialize --prune",
            )


def check_room(connection: sqlite3.Connection, path: Path, view: OnlineView, table: str, columns: int) -> None:
    """Refuses a table that SQLite cannot make, for its size or because somebody made another of its name."""
    most = connection.getlimit(sqlite3.SQLITE_LIMIT_COLUMN)
    if columns > most:
        raise AsknownError(
            "online-write",
            f"the view '{view.name}' has {columns} columns, and an SQLite table at most {most}",
            hint="split the view in two, or set online=false in its config()",
        )
    query = "SELECT type FROM sqlite_master WHERE name = ? COLLATE NOCASE"
    taken = connection.execute(query, (table,)).fetchone()
    if taken:
        raise AsknownError(
            "online-write",
            f"{path} already has a {taken[0]} named '{table}' that asknown did not make",
            hint="rename or drop it, or name another path under 'online' in profiles.yml",
        )


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


def pushed_table(view: OnlineView) -> EventTable:
    """The table of a view's pushed events that no load has seen, numbered as they were pushed."""
    return replace(event_table(view), name=f"{view.name}.pushed")


def drop_pushed(view: str) -> str:
    """The statement that removes the pushed events of the view of this name, where it has any."""
    return f"DROP TABLE IF EXISTS {quote(f'{view}.pushed')}"


def create_events(table: EventTable) -> str:
    """The statement that makes the table."""
    return create_numbered(quote(table.name), table)


def drop_events(view: str) -> str:
    """The statement that removes the events of the view of this name, where it has any."""
    return f"DROP TABLE IF EXISTS {quote(f'{view}.events')}"


def drop_ahead(view: str) -> str:
    """The statement that removes the rows ahead of the view of this name, where it has any."""
    return f"DROP TABLE IF EXISTS {quote(f'{view}.ahead')}"


def create_numbered(name: str, table: EventTable) -> str:
    body = event_columns(table, numbered=True)
    return f"CREATE TABLE {name} (\n    {body},\n    PRIMARY KEY ({', '.join(table.place)})\n) STRICT, WITHOUT ROWID"


def event_columns(table: EventTable, *, numbered: bool) -> str:
    columns = [f"{quote(c.name)} {storage(c.type)} NOT NULL" for c in table.keys]
    always = (table.event_time, table.known_at)
    columns.extend(f"{quote(time)} INTEGER{' NOT NULL' if time in always else ''}" for time in table.times)
    if numbered:
        columns.append(f"{quote(table.sequence)} INTEGER NOT NULL")
    columns.extend(f"{quote(c.name)} {storage(c.type)}" for c in table.hidden)
    return ",\n    ".join(columns)


def free_name(name: str, taken: set[str]) -> str:
    """The name, with underscores before it until it is not among those taken (in lower case)."""
    while name.lower() in taken:
        name = f"_{name}"
    return name


@dataclass(frozen=True)
class TileTable:
    """The tiles of one view. ``own`` and ``packed`` say what the columns are called here.

    ``start`` is the event time from which on a tile holds the key's events, up to the next tile, and ``number`` counts
    them; ``last`` is the newest event time of the key; ``later`` says how many events the tiles behind this one hold,
    and ``after`` has their states. Packed are the events' columns, times first.
    """

    name: str
    events: EventTable
    states: tuple[State, ...]
    own: Mapping[str, str]
    packed: Mapping[str, str]

    @property
    def keys(self) -> list[str]:
        return [quote(column.name) for column in self.events.keys]

    @property
    def columns(self) -> list[str]:
        """All quoted columns, in the table's order."""
        return [*self.keys, *map(quote, (*self.own.values(), *self.packed.values()))]

    @property
    def place(self) -> list[str]:
        """The quoted columns of the primary key."""
        return [*self.keys, quote(self.own["start"]), quote(self.own["number"])]


def tile_table(view: OnlineView) -> TileTable:
    """The table of a view's tiles."""
    assert view.windows is not None
    events = event_table(view)
    taken = {column.name.lower() for column in view.keys}
    hidden = (column.name for column in view.windows.columns if packs(column.type))
    own: dict[str, str] = {}
    packed: dict[str, str] = {}
    for names, found in ((_OWN, own), ((*events.times, *hidden), packed)):
        for name in names:
            found[name] = free_name(f"_{name}" if names is _OWN else name, taken)
            taken.add(found[name].lower())
    return TileTable(f"{view.name}.tiles", events, states_of(view.windows), own, packed)


def create_tiles(table: TileTable) -> str:
    """The statement that makes the table."""
    columns = [f"{quote(column.name)} {storage(column.type)} NOT NULL" for column in table.events.keys]
    for role, name in table.own.items():
        columns.append(f"{quote(name)} {'TEXT' if role == 'after' else 'INTEGER'} NOT NULL")
    columns.extend(f"{quote(name)} ANY NOT NULL" for name in table.packed.values())
    columns.append(f"PRIMARY KEY ({', '.join(table.place)})")
    body = ",\n    ".join(columns)
    return f"CREATE TABLE {quote(table.name)} (\n    {body}\n) STRICT, WITHOUT ROWID"


def drop_tiles(view: str) -> str:
    """The statement that removes the tiles of the view of this name, where it has any."""
    return f"DROP TABLE IF EXISTS {quote(f'{view}.tiles')}"
