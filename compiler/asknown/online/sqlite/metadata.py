"""The file's metadata: its views, its on-demand views and its services.

Each row has a checksum of its other columns. The standard library only: the reader imports this.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from zlib import crc32

from asknown.errors import AsknownError
from asknown.online.nodes import (
    Hashes,
    OnlineOnDemand,
    OnlineService,
    OnlineView,
    OnlineWindows,
    ServicePart,
    StoredCall,
    StoredFeature,
    StoredPushes,
    StoredSource,
    StoredView,
)
from asknown.online.sqlite.codec import read_instant, spell_instant
from asknown.online.sqlite.errors import damaged, unreadable_row
from asknown.types import Column, parse_type


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
                views[name] = _stored_view(row)
        except (ValueError, TypeError, KeyError) as error:
            broken[name] = unreadable_row(error)
    for row in _push_rows(connection):
        name = str(row.get("view"))
        if name not in views:
            continue
        if is_as_written(row):
            views[name] = _with_pushes(views[name], row)
        else:
            del views[name]
            broken[name] = "and its pushed rows is not what was written"
    return views, broken


def _push_rows(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """The rows that say what pushes made of a view; none in a file of a layout before there were any."""
    there = connection.execute("SELECT 1 FROM sqlite_master WHERE name = '_asknown_pushes'").fetchone()
    return metadata_rows(connection, "_asknown_pushes") if there else []


def _with_pushes(stored: StoredView, row: dict[str, Any]) -> StoredView:
    """The view with what pushes since its last load have made of it."""
    hashes = replace(stored.hashes, rows=row["rows_hash"], ahead=row["ahead_hash"], pushed=row["pushed_hash"])
    pushes = StoredPushes(row["source"], row["seq"], row["at"], row["pushed"])
    return replace(stored, rows=row["rows"], ahead=row["ahead"], hashes=hashes, pushes=pushes)


def write_pushes(connection: sqlite3.Connection, stored: StoredView) -> None:
    """Writes what pushes made of a view, apart from its other metadata, so that a push rewrites little."""
    assert stored.pushes is not None
    row = {
        "view": stored.view.name,
        "source": stored.pushes.source,
        "seq": stored.pushes.seq,
        "at": stored.pushes.at,
        "pushed": stored.pushes.rows,
        "pushed_hash": stored.hashes.pushed,
        "rows": stored.rows,
        "rows_hash": stored.hashes.rows,
        "ahead": stored.ahead,
        "ahead_hash": stored.hashes.ahead,
    }
    write_row(connection, "INSERT OR REPLACE INTO _asknown_pushes", row)


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
            name, parts = row["service"], tuple(_part(part) for part in json.loads(row["parts"]))
            services[name] = OnlineService(name, parts)
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
            views[row["view"]] = _on_demand(row)
        except (ValueError, TypeError, KeyError) as error:
            why = unreadable_row(error)
        if why is not None:
            hint = "write them anew: asknown materialize"
            raise damaged(path, f"what it says of the on-demand views {why}", hint)
    return views


def _on_demand(row: dict[str, Any]) -> OnlineOnDemand:
    return OnlineOnDemand(
        name=row["view"],
        keys=_columns(json.loads(row["keys"])),
        inputs=_columns(json.loads(row["inputs"])),
        sources=tuple(
            StoredSource(
                s["name"], parse_type(s["type"]), s["origin"], s["column"], s["view"], tuple(map(tuple, s["keys"]))
            )
            for s in json.loads(row["sources"])
        ),
        features=tuple(
            StoredFeature(f["name"], parse_type(f["type"]), _tree(f["expression"]), (), tuple(f["columns"]))
            for f in json.loads(row["features"])
        ),
    )


def write_on_demand(connection: sqlite3.Connection, views: Iterable[OnlineOnDemand]) -> bool:
    """Writes the on-demand views, in place of all that were there; returns False if the file has them already."""
    rows = (
        {
            "view": view.name,
            "keys": dump(_spell_columns(view.keys)),
            "inputs": dump(_spell_columns(view.inputs)),
            "sources": dump([{**asdict(source), "type": source.type.name} for source in view.sources]),
            "features": dump(
                [
                    {"name": f.name, "type": f.type.name, "expression": f.expression, "columns": f.columns}
                    for f in view.features
                ]
            ),
        }
        for view in views
    )
    return _replace_rows(connection, "_asknown_on_demand", rows)


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


def shape(view: OnlineView) -> dict[str, str | None]:
    """The part of a view's metadata that its table's columns follow from."""
    return {
        "columns": dump(_spell_columns(view.columns)),
        "keys": dump([c.name for c in view.keys]),
        "features": dump([c.name for c in view.features]),
        "event_time": view.event_time,
        "known_at": view.known_at,
        "created_at": view.created_at,
        "windows": None if view.windows is None else dump(_spell_windows(view.windows)),
    }


def differs(held: OnlineView, view: OnlineView) -> bool:
    """Whether rows of the view as the file has it cannot be mixed with rows of the view as it is now."""
    return held.fingerprint != view.fingerprint or shape(held) != shape(view)


def _stored_view(row: dict[str, Any]) -> StoredView:
    columns = {c.name: c for c in _columns(json.loads(row["columns"]))}
    written = row.get("windows")  # a file of layout 1 has no such column
    windows = None if written is None else _windows(json.loads(written))
    derived = {} if windows is None else {f.name: Column(f.name, f.type) for f in windows.derived}
    view = OnlineView(
        name=row["view"],
        fingerprint=row["fingerprint"],
        keys=tuple(columns[name] for name in json.loads(row["keys"])),
        event_time=row["event_time"],
        known_at=row["known_at"],
        created_at=row["created_at"],
        features=tuple(derived.get(name) or columns[name] for name in json.loads(row["features"])),
        ttl=row["ttl_us"] or None,
        columns=tuple(columns.values()),
        windows=windows,
    )
    watermark, loaded_at = read_instant(row["watermark"]), read_instant(row["loaded_at"])
    hashed = ("rows_hash", "events_hash", "tiles_hash", "ahead_hash")  # the last since layout 6, the others since 3
    beyond_at = row.get("beyond_at")
    return StoredView(
        view,
        watermark,
        row["rows"],
        row["load_id"],
        loaded_at,
        row.get("events"),
        Hashes(*map(row.get, hashed)),
        row.get("ahead"),
        row.get("beyond") or 0,
        None if beyond_at is None else read_instant(beyond_at),
    )


def _columns(written: list[dict[str, str]]) -> tuple[Column, ...]:
    return tuple(Column(c["name"], parse_type(c["type"])) for c in written)


def _spell_columns(columns: tuple[Column, ...]) -> list[dict[str, str]]:
    return [{"name": c.name, "type": c.type.name} for c in columns]


def _windows(written: dict[str, Any]) -> OnlineWindows:
    return OnlineWindows(
        columns=_columns(written["columns"]),
        calls=tuple(StoredCall(**call) for call in written["calls"]),
        derived=tuple(
            StoredFeature(
                f["name"], parse_type(f["type"]), _tree(f["expression"]), tuple(f["calls"]), tuple(f["columns"])
            )
            for f in written["derived"]
        ),
    )


def _spell_windows(windows: OnlineWindows) -> dict[str, Any]:
    return {
        "columns": _spell_columns(windows.columns),
        "calls": [asdict(call) for call in windows.calls],
        "derived": [
            {"name": f.name, "type": f.type.name, "expression": f.expression, "calls": f.calls, "columns": f.columns}
            for f in windows.derived
        ],
    }


def _tree(written: Any) -> Any:
    """An expression as nested tuples, which two views can be compared by."""
    return tuple(_tree(part) for part in written) if isinstance(written, list) else written


def _part(part: dict[str, Any]) -> ServicePart:
    features = part["features"]
    return ServicePart(part["view"], None if features is None else tuple(features), part["alias"], part["keys"])


def dump(value: object) -> str:
    """The value as the metadata spells it, in JSON."""
    return json.dumps(value, ensure_ascii=False)


def write_view(connection: sqlite3.Connection, stored: StoredView) -> None:
    """Writes a view's metadata, over what the file said of it before."""
    row = {
        "view": stored.view.name,
        "fingerprint": stored.view.fingerprint,
        **shape(stored.view),
        "ttl_us": stored.view.ttl or 0,
        "watermark": spell_instant(stored.watermark),
        "rows": stored.rows,
        "events": stored.events,
        "load_id": stored.load_id,
        "loaded_at": spell_instant(stored.loaded_at),
        "rows_hash": stored.hashes.rows,
        "events_hash": stored.hashes.events,
        "tiles_hash": stored.hashes.tiles,
        "ahead": stored.ahead,
        "ahead_hash": stored.hashes.ahead,
        "beyond": stored.beyond or None,
        "beyond_at": None if stored.beyond_at is None else spell_instant(stored.beyond_at),
    }
    write_row(connection, "INSERT OR REPLACE INTO _asknown_views", row)
    if stored.pushes is not None:
        write_pushes(connection, stored)
    else:
        connection.execute("DELETE FROM _asknown_pushes WHERE view = ?", (stored.view.name,))


def forget_view(connection: sqlite3.Connection, name: str) -> None:
    """Removes a view's metadata."""
    connection.execute("DELETE FROM _asknown_views WHERE view = ?", (name,))
    connection.execute("DELETE FROM _asknown_pushes WHERE view = ?", (name,))


def write_services(connection: sqlite3.Connection, services: Iterable[OnlineService]) -> bool:
    """Writes the services, in place of all that were there; returns False if the file has them already."""
    rows = (
        {
            "service": service.name,
            "parts": dump(
                [
                    {
                        "view": part.view,
                        "alias": part.alias,
                        "features": None if part.features is None else list(part.features),
                        "keys": dict(part.keys),
                    }
                    for part in service.parts
                ]
            ),
        }
        for service in services
    )
    return _replace_rows(connection, "_asknown_services", rows)


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
