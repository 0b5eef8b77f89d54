"""Writes what the file says about itself, each row with a checksum of its other columns."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

from asknown.online.codec import spell_instant
from asknown.online.metadata import dump, hash_values, shape
from asknown.online.nodes import OnlineService, StoredView


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
        "rows_hash": stored.hashes.rows,
        "events_hash": stored.hashes.events,
        "tiles_hash": stored.hashes.tiles,
    }
    _write(connection, "INSERT OR REPLACE INTO _asknown_views", row)


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
        _write(connection, "INSERT INTO _asknown_services", {"service": service.name, "parts": dump(parts)})


def _write(connection: sqlite3.Connection, insert: str, row: dict[str, Any]) -> None:
    """Writes a row of the metadata, with its hash."""
    row = {**row, "hash": hash_values(row)}
    columns, places = ", ".join(row), ", ".join(f":{name}" for name in row)
    connection.execute(f"{insert} ({columns}) VALUES ({places})", row)
