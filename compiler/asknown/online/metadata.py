"""What the file says about itself: whose it is, its views and its services.

The standard library only: the reader imports this.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from asknown.online.codec import read_instant, spell_instant
from asknown.online.faults import damaged, not_ours, other_layout
from asknown.online.migrations import APPLICATION_ID, LAYOUT
from asknown.online.nodes import (
    Column,
    OnlineService,
    OnlineView,
    OnlineWindows,
    ServicePart,
    StoredCall,
    StoredFeature,
    StoredView,
)
from asknown.types import parse_type


def find_layout(connection: sqlite3.Connection, path: Path) -> int:
    """The layout of the open file, 0 for an empty one. Somebody else's file, or a newer layout, is an error."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    layout = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if application != APPLICATION_ID:
        if application or connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            raise not_ours(path)
        return 0
    if not 1 <= layout <= LAYOUT:  # an older one is read as it is, and brought up to date by the next load
        raise other_layout(path, layout, LAYOUT)
    return layout


def read_views(connection: sqlite3.Connection, path: Path) -> dict[str, StoredView]:
    """The views in the file, by name."""
    rows = _rows(connection, "_asknown_views", "view")
    try:
        return {row["view"]: _stored_view(row) for row in rows}
    except (ValueError, TypeError, KeyError) as error:
        raise damaged(path, f"what it says of its views cannot be read: {error!r}") from error


def read_services(connection: sqlite3.Connection, path: Path) -> dict[str, OnlineService]:
    """The feature services in the file, by name."""
    rows = _rows(connection, "_asknown_services", "service")
    try:
        return {
            row["service"]: OnlineService(row["service"], tuple(_part(part) for part in json.loads(row["parts"])))
            for row in rows
        }
    except (ValueError, TypeError, KeyError) as error:
        raise damaged(path, f"what it says of its services cannot be read: {error!r}") from error


def shape(view: OnlineView) -> dict[str, str | None]:
    """The part of a view's metadata that its table's columns follow from."""
    return {
        "columns": _dump(_spell_columns(view.columns)),
        "keys": _dump([c.name for c in view.keys]),
        "features": _dump([c.name for c in view.features]),
        "event_time": view.event_time,
        "known_at": view.known_at,
        "created_at": view.created_at,
        "windows": None if view.windows is None else _dump(_spell_windows(view.windows)),
    }


def write_view(connection: sqlite3.Connection, stored: StoredView) -> None:
    """Writes a view's metadata, over what the file said of it before."""
    row = {
        "view": stored.view.name,
        "fingerprint": stored.view.fingerprint,
        **shape(stored.view),
        "ttl_us": stored.view.ttl,
        "watermark": spell_instant(stored.watermark),
        "rows": stored.rows,
        "events": stored.events,
        "load_id": stored.load_id,
        "loaded_at": spell_instant(stored.loaded_at),
    }
    columns, places = ", ".join(row), ", ".join(f":{name}" for name in row)
    connection.execute(f"INSERT OR REPLACE INTO _asknown_views ({columns}) VALUES ({places})", row)


def forget_view(connection: sqlite3.Connection, name: str) -> None:
    """Removes a view's metadata."""
    connection.execute("DELETE FROM _asknown_views WHERE view = ?", (name,))


def write_services(connection: sqlite3.Connection, services: Iterable[OnlineService]) -> None:
    """Writes the services, in place of all that were there."""
    connection.execute("DELETE FROM _asknown_services")
    for service in services:
        parts = [
            {
                "view": part.view,
                "alias": part.alias,
                "features": None if part.features is None else list(part.features),
                "keys": dict(part.keys),
            }
            for part in service.parts
        ]
        connection.execute("INSERT INTO _asknown_services VALUES (?, ?)", (service.name, _dump(parts)))


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
        ttl=row["ttl_us"],
        columns=tuple(columns.values()),
        windows=windows,
    )
    watermark, loaded_at = read_instant(row["watermark"]), read_instant(row["loaded_at"])
    return StoredView(view, watermark, row["rows"], row["load_id"], loaded_at, row.get("events"))


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


def _rows(connection: sqlite3.Connection, table: str, order: str) -> list[dict[str, Any]]:
    cursor = connection.execute(f"SELECT * FROM {table} ORDER BY {order}")
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
