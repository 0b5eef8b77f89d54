"""The file's layout, as numbered steps: step n takes a file from layout n - 1 to layout n.

A step is a plain function over an open transaction. Never change a released step; add the next one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

Step = Callable[[sqlite3.Connection], None]

APPLICATION_ID = 0x61734B6E  # "asKn": how a file says that it is an online table of ours


def create_metadata(connection: sqlite3.Connection) -> None:
    """Step 1: the two tables that say what the file holds."""
    connection.execute(
        """
        CREATE TABLE _asknown_views (
            view         TEXT PRIMARY KEY COLLATE NOCASE,
            fingerprint  TEXT NOT NULL,     -- of the view's definition
            columns      TEXT NOT NULL,     -- JSON: [{"name": …, "type": …}, …], the select's order
            keys         TEXT NOT NULL,     -- JSON: names
            features     TEXT NOT NULL,     -- JSON: names
            event_time   TEXT NOT NULL,     -- a column's name, as the next two
            known_at     TEXT,
            created_at   TEXT,
            ttl_us       INTEGER NOT NULL,  -- 0: no bound
            watermark    TEXT NOT NULL,     -- UTC: the table answers for this instant and later ones
            rows         INTEGER NOT NULL,
            load_id      TEXT NOT NULL,
            loaded_at    TEXT NOT NULL      -- UTC
        ) STRICT
        """
    )
    connection.execute(
        """
        CREATE TABLE _asknown_services (
            service  TEXT PRIMARY KEY,
            parts    TEXT NOT NULL  -- JSON: [{"view": …, "alias": …, "features": [name, …], "keys": {key: column}}, …]
        ) STRICT
        """
    )
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def add_windows(connection: sqlite3.Connection) -> None:
    """Step 2: trailing windows. The events of a view lie beside its table, in one named "<view>.events"."""
    # JSON: {"columns": […], "calls": […], "derived": […]}, as nodes.OnlineWindows; NULL: none
    connection.execute("ALTER TABLE _asknown_views ADD COLUMN windows TEXT")
    connection.execute("ALTER TABLE _asknown_views ADD COLUMN events INTEGER")  # how many; NULL: no windows


def add_hashes(connection: sqlite3.Connection) -> None:
    """Step 3: hashes of what the tables hold, and of each row of the metadata. They come with a view's next load."""
    for column in ("rows_hash", "events_hash", "tiles_hash", "hash"):  # the last: of the other columns of the row
        connection.execute(f"ALTER TABLE _asknown_views ADD COLUMN {column} TEXT")
    connection.execute("ALTER TABLE _asknown_services ADD COLUMN hash TEXT")


MIGRATIONS: tuple[Step, ...] = (create_metadata, add_windows, add_hashes)
LAYOUT = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection, layout: int, steps: Sequence[Step] = MIGRATIONS) -> None:
    """Takes an empty file (layout 0) or one of an older layout to the present one, inside the open transaction."""
    for number, step in enumerate(steps[layout:], start=layout + 1):
        step(connection)
        connection.execute(f"PRAGMA user_version = {number}")
