"""Makes and drops the tables of a view: its newest rows, and with windows its events and the tiles of them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from asknown.errors import AsknownError
from asknown.online import events, layout, tiles
from asknown.online.nodes import OnlineView


def make_tables(connection: sqlite3.Connection, path: Path, view: OnlineView) -> None:
    """Makes the view's tables, empty. The file at ``path`` must not have them yet."""
    _check_room(connection, path, view, view.name, len(view.columns))
    for statement in layout.create_statements(view):
        connection.execute(statement)
    if view.windows is not None:
        table, tiled = events.event_table(view), tiles.tile_table(view)
        _check_room(connection, path, view, table.name, len(table.columns))
        _check_room(connection, path, view, tiled.name, len(tiled.columns))
        connection.execute(events.create_events(table))
        connection.execute(tiles.create_tiles(tiled))


def drop_tables(connection: sqlite3.Connection, view: str) -> None:
    """Drops the tables of the view of this name, those that there are."""
    connection.execute(f"DROP TABLE IF EXISTS {layout.quote(view)}")
    connection.execute(events.drop_events(view))
    connection.execute(tiles.drop_tiles(view))


def check_case(view: str, held: list[str], path: Path) -> None:
    """Refuses a view whose name differs from that of one in the file by letter case alone."""
    for name in held:
        if name != view and name.lower() == view.lower():
            raise AsknownError(
                "name-clash",
                f"the online file {path} holds the view '{name}', and SQLite does not tell '{view}' from it",
                hint="rename one of them, or remove those that the project no longer has: asknown materialize --prune",
            )


def _check_room(connection: sqlite3.Connection, path: Path, view: OnlineView, table: str, columns: int) -> None:
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
