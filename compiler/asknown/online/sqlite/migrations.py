"""The layout of the file, which comes about by numbered steps.

Step n takes a file from layout n - 1 to layout n, and is a plain function over an open transaction. Never change a
released step; add the next one. The standard library only: the reader imports this.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from asknown.online.sqlite.errors import damaged, not_ours, other_layout

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


def add_on_demand(connection: sqlite3.Connection) -> None:
    """Step 4: on-demand views, which have no rows of their own."""
    connection.execute(
        """
        CREATE TABLE _asknown_on_demand (
            view      TEXT PRIMARY KEY COLLATE NOCASE,
            keys      TEXT NOT NULL,  -- JSON: [{"name": …, "type": …}, …], as the next
            inputs    TEXT NOT NULL,
            sources   TEXT NOT NULL,  -- JSON: [{"name": …, …}, …], as nodes.StoredSource
            features  TEXT NOT NULL,  -- JSON: [{"name": …, "type": …, "expression": …, "columns": […]}, …]
            hash      TEXT NOT NULL   -- of the other columns
        ) STRICT
        """
    )


def add_owner(connection: sqlite3.Connection) -> None:
    """Step 5: whose table the file is. It comes with the next load; until then the table has no row."""
    connection.execute("CREATE TABLE _asknown_owner (project TEXT NOT NULL, target TEXT NOT NULL, hash TEXT) STRICT")


def add_ahead(connection: sqlite3.Connection) -> None:
    """Step 6: rows dated ahead. Those of a view lie beside its table, in one named "<view>.ahead"."""
    connection.execute("ALTER TABLE _asknown_views ADD COLUMN ahead INTEGER")  # how many; NULL: no such table
    connection.execute("ALTER TABLE _asknown_views ADD COLUMN ahead_hash TEXT")
    connection.execute("ALTER TABLE _asknown_views ADD COLUMN beyond INTEGER")  # rows that are not stored; NULL: none
    connection.execute("ALTER TABLE _asknown_views ADD COLUMN beyond_at TEXT")  # UTC: when the first becomes visible


def add_pushes(connection: sqlite3.Connection) -> None:
    """Step 7: pushed rows. Those that a view's windows read lie in a table named "<view>.pushed"."""
    for statement in (
        # One row: the number of the last pushed row and its arrival, which the next one must be greater than.
        "CREATE TABLE _asknown_commit (seq INTEGER NOT NULL, at INTEGER NOT NULL) STRICT",
        """
        CREATE TABLE _asknown_seen (
            source  TEXT NOT NULL,
            id      ANY NOT NULL,
            at      INTEGER NOT NULL,  -- microseconds, as all times in these tables
            PRIMARY KEY (source, id)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX _asknown_seen_at ON _asknown_seen (at)",
        """
        CREATE TABLE _asknown_outbox (
            seq     INTEGER PRIMARY KEY,
            source  TEXT NOT NULL,
            at      INTEGER NOT NULL,  -- the arrival
            row     TEXT NOT NULL      -- JSON, by columns
        ) STRICT
        """,
        """
        CREATE TABLE _asknown_landed (
            source  TEXT PRIMARY KEY,
            last    INTEGER NOT NULL,  -- the number of the last row in a landed file
            first   INTEGER,           -- the range that is being landed, from here
            until   INTEGER            -- to here; NULL: none
        ) STRICT
        """,
        """
        CREATE TABLE _asknown_pushes (
            view         TEXT PRIMARY KEY COLLATE NOCASE,
            source       TEXT NOT NULL,     -- whose pushes the view follows
            seq          INTEGER NOT NULL,  -- the last pushed row
            at           INTEGER NOT NULL,  -- its arrival: the table answers for this instant and later ones
            pushed       INTEGER NOT NULL,  -- rows in "<view>.pushed"
            pushed_hash  TEXT,
            rows         INTEGER NOT NULL,  -- these take the place of what _asknown_views says
            rows_hash    TEXT,
            ahead        INTEGER,
            ahead_hash   TEXT,
            hash         TEXT NOT NULL      -- of the other columns
        ) STRICT
        """,
    ):
        connection.execute(statement)


def index_ids_by_source(connection: sqlite3.Connection) -> None:
    """Step 8: each push forgets the old ids of its own source, and must find them without reading all others."""
    connection.execute("DROP INDEX _asknown_seen_at")
    connection.execute("CREATE INDEX _asknown_seen_of ON _asknown_seen (source, at)")


def add_loads(connection: sqlite3.Connection) -> None:
    """Step 9: what the last load of a view read of its sources, where the next one can tell from it what is new."""
    connection.execute(
        """
        CREATE TABLE _asknown_loads (
            view  TEXT PRIMARY KEY COLLATE NOCASE,
            read  TEXT NOT NULL,  -- JSON, of the loader's own making
            hash  TEXT NOT NULL   -- of the other columns
        ) STRICT
        """
    )


def add_offsets(connection: sqlite3.Connection) -> None:
    """Step 10: how far topics have been read. The offsets are written with the rows of the messages before them."""
    connection.execute(
        """
        CREATE TABLE _asknown_offsets (
            topic      TEXT NOT NULL,     -- with its cluster
            partition  INTEGER NOT NULL,
            next       INTEGER NOT NULL,  -- the offset of the first message that was not read
            PRIMARY KEY (topic, partition)
        ) STRICT, WITHOUT ROWID
        """
    )


def add_stale_tiles(connection: sqlite3.Connection) -> None:
    """Step 11: tiles that a few events came or left behind. A release that does not know of them must not read them."""
    connection.execute("ALTER TABLE _asknown_views ADD COLUMN stale_tiles INTEGER")  # 1: some are; NULL: none


MIGRATIONS: tuple[Step, ...] = (
    create_metadata,
    add_windows,
    add_hashes,
    add_on_demand,
    add_owner,
    add_ahead,
    add_pushes,
    index_ids_by_source,
    add_loads,
    add_offsets,
    add_stale_tiles,
)
LAYOUT = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection, layout: int, steps: Sequence[Step] = MIGRATIONS) -> None:
    """Takes an empty file (layout 0) or one of an older layout to the present one, inside the open transaction."""
    for number, step in enumerate(steps[layout:], start=layout + 1):
        step(connection)
        connection.execute(f"PRAGMA user_version = {number}")


def altered_tables(connection: sqlite3.Connection, layout: int) -> list[str]:
    """The names of the metadata's tables and indexes whose definitions are not what the steps to ``layout`` make."""
    query = (
        "SELECT name, sql FROM sqlite_master WHERE substr(name, 1, 8) = '_asknown'"
        " AND substr(name, 1, 13) != '_asknown_one_'"
    )
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as made:
        migrate(made, 0, MIGRATIONS[:layout])
        expected = dict(made.execute(query))
    found = dict(connection.execute(query))
    return sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))


def find_layout(connection: sqlite3.Connection, path: Path) -> int:
    """The layout of the open file, 0 for an empty one. Somebody else's file, or a newer layout, is an error."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    layout = int(connection.execute("PRAGMA user_version").fetchone()[0])
    _check_length(connection, path)
    try:
        filled = connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    except UnicodeDecodeError as error:  # SQLite's own message quotes the damaged text
        raise damaged(path, f"its tables' definitions cannot be read: {error}") from error
    if application != APPLICATION_ID:
        if application or filled:
            raise not_ours(path)
        return 0
    if not 1 <= layout <= LAYOUT:  # an older one is read as it is, and brought up to date by the next load
        raise other_layout(path, layout, LAYOUT)
    return layout


def _check_length(connection: sqlite3.Connection, path: Path) -> None:
    """Refuses a file that has lost its end. SQLite reads zeros there, and finds no row where one was."""
    pages, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    log = Path(f"{path}-wal")
    if not (log.exists() and log.stat().st_size) and path.stat().st_size < pages * size:
        raise damaged(path, f"it has {path.stat().st_size:,} bytes of {pages * size:,}")
