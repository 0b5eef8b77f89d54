"""Files of every earlier layout, as the asknown that released it left them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from asknown.online.codec import spell_instant
from asknown.online.content import Change
from asknown.online.metadata import shape
from asknown.online.sqlite import layout, migrations, tiles
from asknown.online.sqlite.layout import create_events, event_table
from asknown.online.sqlite.names import quote
from faults.world import Load, State, World, views
from online_tables import NOON


def write_layout(path: Path, number: int, world: World, load: Load) -> None:
    """Makes a file as the asknown of layout ``number`` left it after a load: the released steps, and plain SQL."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for step in migrations.MIGRATIONS[:number]:
            step(connection)
        connection.execute(f"PRAGMA user_version = {number}")
        state = world.state(load)
        for name in world.names:
            _write_old_view(connection, world, load, name, state)
        parts: list[dict[str, object]] = [
            {"view": name, "alias": None, "features": None, "keys": {}} for name in world.names
        ]
        services = "INSERT INTO _asknown_services (service, parts) VALUES ('everything', ?)"
        connection.execute(services, (json.dumps(parts),))
        connection.commit()


def _write_old_view(connection: sqlite3.Connection, world: World, load: Load, name: str, state: State) -> None:
    view = views(load.shape)[name]
    for statement in layout.create_statements(view):
        connection.execute(statement)
    if view.windows is not None:
        connection.execute(create_events(event_table(view)))
        connection.execute(layout.create_tiles(layout.tile_table(view)))
    for table in (name, f"{name}.events") if view.windows is not None else (name,):
        rows = state.tables[table]
        places = ", ".join("?" * len(rows[0]))
        connection.executemany(f"INSERT INTO {quote(table)} VALUES ({places})", rows)
    if view.windows is not None:
        tiles.write_tiles(connection, view, Change())
    events = state.said[name][2]
    row = {
        "view": name,
        "fingerprint": view.fingerprint,
        **shape(view),
        "ttl_us": view.ttl or 0,
        "watermark": spell_instant(load.watermark),
        "rows": world.size,
        "events": events,
        "load_id": "0" * 32,
        "loaded_at": spell_instant(NOON),
    }
    columns = [r[1] for r in connection.execute("PRAGMA table_info(_asknown_views)") if r[1] in row]
    connection.execute(
        f"INSERT INTO _asknown_views ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
        [row[column] for column in columns],
    )
