"""The file's metadata: its views, its on-demand views and its services.

Each row has a checksum of its other columns. The standard library only: the reader imports this.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

from asknown.errors import AsknownError
from asknown.online import metadata
from asknown.online.metadata import (
    dump,
    on_demand_row,
    push_row,
    read_service,
    read_view,
    service_row,
    view_row,
    with_pushes,
)
from asknown.online.nodes import OnlineOnDemand, OnlineService, StoredView
from asknown.online.sqlite.errors import damaged, unreadable_row


def read_views(connection: sqlite3.Connection, path: Path) -> dict[str, StoredView]:
    """The views in the file, by name. A row of the metadata that is not what was written is an error."""
    views, broken = sort_views(connection)
    for name, why in broken.items():
        raise broken_view(path, name, why)
    return views


def sort_views(connection: sqlite3.Connection) -> tuple[dict[str, StoredView], dict[str, str]]:
    """The views in the file that can be used, by name; and those that cannot, with what is wrong with their row."""
    views: dict[str, StoredView] = {}
    broken: dict[str, str] = {}
    for row in metadata_rows(connection, "_asknown_views"):
        name = str(row.get("view"))
        try:
            if not is_as_written(row):
                broken[name] = "is not what was written"
            else:
                views[name] = read_view(row)
        except (ValueError, TypeError, KeyError) as error:
            broken[name] = unreadable_row(error)
    for row in _push_rows(connection):
        name = str(row.get("view"))
        if name not in views:
            continue
        if is_as_written(row):
            views[name] = with_pushes(views[name], row)
        else:
            del views[name]
            broken[name] = "and its pushed rows is not what was written"
    return views, broken


def _push_rows(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """The rows that say what pushes made of a view; none in a file of a layout before there were any."""
    there = connection.execute("SELECT 1 FROM sqlite_master WHERE name = '_asknown_pushes'").fetchone()
    return metadata_rows(connection, "_asknown_pushes") if there else []


def write_pushes(connection: sqlite3.Connection, stored: StoredView) -> None:
    """Writes what pushes made of a view, apart from its other metadata, so that a push rewrites little."""
    write_row(connection, "INSERT OR REPLACE INTO _asknown_pushes", push_row(stored))


def broken_view(path: Path, name: str, why: str) -> AsknownError:
    """The error for a view whose row of the metadata cannot be used."""
    hint = f"load the view anew: asknown materialize {name} --full-refresh"
    return damaged(path, f"what it says of the view '{name}' {why}", hint)


def read_services(connection: sqlite3.Connection, path: Path) -> dict[str, OnlineService]:
    """The feature services in the file, by name."""
    services: dict[str, OnlineService] = {}
    for row in metadata_rows(connection, "_asknown_services"):
        try:
            why = None if is_as_written(row) else "is not what was written"
            services[row["service"]] = read_service(row)
        except (ValueError, TypeError, KeyError) as error:
            why = unreadable_row(error)
        if why is not None:
            hint = "write them anew: asknown materialize"
            raise damaged(path, f"what it says of the feature services {why}", hint)
    return services


def read_on_demand(connection: sqlite3.Connection, path: Path) -> dict[str, OnlineOnDemand]:
    """The on-demand views in the file, by name."""
    there = connection.execute("SELECT 1 FROM sqlite_master WHERE name = '_asknown_on_demand'").fetchone()
    views: dict[str, OnlineOnDemand] = {}
    for row in metadata_rows(connection, "_asknown_on_demand") if there else ():  # a file of an older layout has none
        try:
            why = None if is_as_written(row) else "is not what was written"
            views[row["view"]] = metadata.read_on_demand(row)
        except (ValueError, TypeError, KeyError) as error:
            why = unreadable_row(error)
        if why is not None:
            hint = "write them anew: asknown materialize"
            raise damaged(path, f"what it says of the on-demand views {why}", hint)
    return views


def write_on_demand(connection: sqlite3.Connection, views: Iterable[OnlineOnDemand]) -> bool:
    """Writes the on-demand views, in place of all that were there; returns False if the file has them already."""
    return _replace_rows(connection, "_asknown_on_demand", map(on_demand_row, views))


def hash_values(values: Mapping[str, Any]) -> str:
    """The checksum of a row of the metadata, by the names of its columns. NULLs count as not there."""
    there = sorted((name, value) for name, value in values.items() if value is not None)
    return f"{crc32(dump(there).encode()):08x}"


def is_as_written(row: Mapping[str, Any]) -> bool:
    """Whether the row has its checksum, or none: such a file was of a layout before there were any."""
    others = {name: value for name, value in row.items() if name != "hash"}
    return row.get("hash") in (None, hash_values(others))


def metadata_rows(connection: sqlite3.Connection, table: str) -> list[dict[str, Any]]:
    """The rows of a metadata table, by the names of its columns; in the order of the first, which names them."""
    cursor = connection.execute(f"SELECT * FROM {table}")  # unordered: an index might give what the row no longer has
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in sorted(cursor, key=lambda row: str(row[0]))]


def write_view(connection: sqlite3.Connection, stored: StoredView) -> None:
    """Writes a view's metadata, over what the file said of it before."""
    write_row(connection, "INSERT OR REPLACE INTO _asknown_views", view_row(stored))
    if stored.pushes is not None:
        write_pushes(connection, stored)
    else:
        connection.execute("DELETE FROM _asknown_pushes WHERE view = ?", (stored.view.name,))


def read_note(connection: sqlite3.Connection, view: str) -> str | None:
    """The note of a view's last load about its sources; None where it noted nothing, or the note is damaged."""
    for row in connection.execute("SELECT view, read, hash FROM _asknown_loads WHERE view = ?", (view,)):
        noted = dict(zip(("view", "read", "hash"), row, strict=True))
        if noted["view"] == view and is_as_written(noted):
            return str(noted["read"])
    return None


def write_note(connection: sqlite3.Connection, view: str, note: str | None) -> None:
    """Notes what a load read of a view's sources, where the file does not say so already. None removes the note."""
    if note is None:
        if connection.execute("SELECT 1 FROM _asknown_loads WHERE view = ?", (view,)).fetchone():
            connection.execute("DELETE FROM _asknown_loads WHERE view = ?", (view,))
    elif note != read_note(connection, view):
        write_row(connection, "INSERT OR REPLACE INTO _asknown_loads", {"view": view, "read": note})


def forget_view(connection: sqlite3.Connection, name: str) -> None:
    """Removes a view's metadata."""
    for table in ("_asknown_views", "_asknown_pushes", "_asknown_loads"):
        connection.execute(f"DELETE FROM {table} WHERE view = ?", (name,))


def write_services(connection: sqlite3.Connection, services: Iterable[OnlineService]) -> bool:
    """Writes the services, in place of all that were there; returns False if the file has them already."""
    return _replace_rows(connection, "_asknown_services", map(service_row, services))


def _replace_rows(connection: sqlite3.Connection, table: str, rows: Iterable[dict[str, Any]]) -> bool:
    """Makes a metadata table hold exactly these rows; returns False, and writes nothing, if it does already."""
    rows = list(rows)
    hashed = [{**row, "hash": hash_values(row)} for row in rows]
    if metadata_rows(connection, table) == sorted(hashed, key=lambda row: str(next(iter(row.values())))):
        return False
    connection.execute(f"DELETE FROM {table}")
    for row in rows:
        write_row(connection, f"INSERT INTO {table}", row)
    return True


def write_row(connection: sqlite3.Connection, insert: str, row: dict[str, Any]) -> None:
    """Writes a row of the metadata, with its hash."""
    row = {**row, "hash": hash_values(row)}
    columns, places = ", ".join(row), ", ".join(f":{name}" for name in row)
    connection.execute(f"{insert} ({columns}) VALUES ({places})", row)
