"""Loads the online table: any number of views and the services, in one transaction.

The newest row of a key wins (DESIGN section 3, rules 3 and 10), so loads may overlap, repeat and come in any order.
Nothing is ever half-written: an error, an interrupt or a kill leaves the rows of the last finished load.
"""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from asknown.errors import AsknownError
from asknown.online import events, layout, lock, metadata, tiles
from asknown.online.batches import Rows, read_events, read_rows
from asknown.online.faults import check_sqlite, explain
from asknown.online.migrations import migrate
from asknown.online.nodes import EventReport, LoadReport, OnlineService, OnlineView, StoredView
from asknown.online.order import orders_in_sqlite, stored_comparison

_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = NORMAL",
    "cache_size = -65536",  # 64 MB
    "journal_size_limit = 67108864",
    "trusted_schema = OFF",
)
_CHECKPOINT_WAIT = 1_000  # milliseconds that readers may hold up the last, optional step


class OnlineWriter:
    """One load of the file at ``path``, as a context manager: committed at its end, undone by any exception.

    Waits ``timeout`` seconds for another writer to finish. Errors: ``online-write``, ``online-corrupt``,
    ``online-layout``.
    """

    def __init__(self, path: str | Path, *, timeout: float = 5.0) -> None:
        self.path = Path(path).absolute()
        self.load_id = uuid.uuid4().hex
        self._timeout = timeout
        self._lock: int | None = None
        self._connection: sqlite3.Connection | None = None
        self._broken = False
        self._without_events: set[str] = set()  # views with windows whose events this load has yet to bring

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection whose transaction this load is."""
        if self._connection is None:
            raise ValueError("the writer is not open")
        if self._broken:
            raise AsknownError(
                "online-write",
                f"nothing was written to {self.path}, because a part of this load failed",
                hint="put the first error right and run it again",
            )
        return self._connection

    def __enter__(self) -> OnlineWriter:
        check_sqlite(sqlite3.sqlite_version_info)
        self._lock = lock.acquire(self.path, self._timeout)
        try:
            with self._explained():
                self._open()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                if self._without_events:
                    raise ValueError(f"load() was not followed by load_events() for {sorted(self._without_events)}")
                with self._explained():
                    self.connection.execute("COMMIT")
                    self._checkpoint()
        finally:
            self._close()

    def load(
        self,
        view: OnlineView,
        batches: Iterable[Any],
        watermark: datetime,
        *,
        full_refresh: bool = False,
        on_rows: Callable[[int], None] | None = None,
    ) -> LoadReport:
        """Merges a view's rows, newest at ``watermark`` (naive: UTC), into its table, and says what changed.

        The table is built anew from this load alone where ``full_refresh`` asks for it or the view's definition has
        changed; such a load must be whole. ``batches`` are Arrow record batches with the columns of the view's table;
        ``on_rows`` hears how many rows have been read so far. A view with windows needs :meth:`load_events` next.
        """
        started = time.perf_counter()
        watermark = _in_utc(watermark)
        with self._explained():
            layout.check_name(view.name)
            held = self._held(view)
            rebuilt = held is None or full_refresh or _differs(held.view, view)
            if held is None or rebuilt:
                self._rebuild(view, held)
                before, reached = 0, watermark
            else:
                before, reached = held.rows, max(watermark, held.watermark)
            seen, skipped, changed = self._merge(view, batches, watermark, on_rows)
            total = self.connection.execute(f"SELECT count(*) FROM {layout.quote(view.name)}").fetchone()[0]
            kept = 0 if held is None or rebuilt else held.events
            stored = StoredView(
                view, reached, total, self.load_id, datetime.now(UTC), None if view.windows is None else kept
            )
            metadata.write_view(self.connection, stored)
            if view.windows is not None:
                self._without_events.add(view.name)
        inserted = total - before
        return LoadReport(
            view=view.name,
            rows_seen=seen,
            inserted=inserted,
            updated=changed - inserted,
            unchanged=seen - skipped - changed,
            skipped_null=skipped,
            rows_total=total,
            watermark=reached,
            rebuilt=rebuilt,
            seconds=time.perf_counter() - started,
        )

    def load_events(
        self,
        view: OnlineView,
        batches: Iterable[Any],
        watermark: datetime,
        *,
        on_rows: Callable[[int], None] | None = None,
    ) -> EventReport:
        """Makes a view's events those of ``batches``, and says what changed; after :meth:`load`, with its watermark.

        ``batches`` bring every event that is visible at ``watermark`` and not older than the longest window: columns
        of the keys, the times, and the windows' hidden columns. A watermark before the file's leaves the events alone.
        """
        started = time.perf_counter()
        watermark = _in_utc(watermark)
        with self._explained():
            held = metadata.read_views(self.connection, self.path).get(view.name)
            if held is None or view.windows is None or _differs(held.view, view):
                raise ValueError(f"load_events() comes after load() of the same view, '{view.name}'")
            table = events.event_table(view)
            newest = watermark >= held.watermark
            seen = skipped = added = removed = 0
            if newest:
                given = read_events(view, table.hidden, batches, watermark)
                seen, skipped = self._insert(events.stage_events(self.connection, table), given, on_rows)
                added, removed = events.merge_events(self.connection, table)
                if added or removed:
                    tiles.write_tiles(self.connection, view)
            total = (held.events or 0) + added - removed
            metadata.write_view(self.connection, replace(held, events=total))
            self._without_events.discard(view.name)
        return EventReport(
            view=view.name,
            rows_seen=seen,
            added=added,
            removed=removed,
            skipped_null=skipped,
            events_total=total,
            replaced=newest,
            seconds=time.perf_counter() - started,
        )

    def services(self, services: Iterable[OnlineService]) -> None:
        """Writes the project's feature services, in place of those in the file."""
        with self._explained():
            metadata.write_services(self.connection, services)

    def stored(self) -> dict[str, StoredView]:
        """The views in the file as this load sees them."""
        with self._explained():
            return metadata.read_views(self.connection, self.path)

    def forget(self, view: str) -> None:
        """Removes a view and its rows from the file; a view that is not there is no error."""
        with self._explained():
            if view in metadata.read_views(self.connection, self.path):
                self._drop(view)
                metadata.forget_view(self.connection, view)

    def _open(self) -> None:
        connection = sqlite3.connect(self.path, timeout=self._timeout, isolation_level=None)
        self._connection = connection
        metadata.find_layout(connection, self.path)  # before anything is changed in a file that may not be ours
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN IMMEDIATE")
        migrate(connection, metadata.find_layout(connection, self.path))

    def _held(self, view: OnlineView) -> StoredView | None:
        stored = metadata.read_views(self.connection, self.path)
        for name in stored:
            if name != view.name and name.lower() == view.name.lower():
                raise AsknownError(
                    "name-clash",
                    f"the online file holds the view '{name}', and SQLite does not tell '{view.name}' from it",
                    hint="rename one of them, or move the file away and run: asknown materialize",
                )
        return stored.get(view.name)

    def _rebuild(self, view: OnlineView, held: StoredView | None) -> None:
        if held is not None:
            self._drop(view.name)
        self._check_room(view, view.name, len(view.columns))
        for statement in layout.create_statements(view):
            self.connection.execute(statement)
        if view.windows is not None:
            table, tiled = events.event_table(view), tiles.tile_table(view)
            self._check_room(view, table.name, len(table.columns))
            self._check_room(view, tiled.name, len(tiled.columns))
            self.connection.execute(events.create_events(table))
            self.connection.execute(tiles.create_tiles(tiled))

    def _drop(self, view: str) -> None:
        self.connection.execute(f"DROP TABLE IF EXISTS {layout.quote(view)}")
        self.connection.execute(events.drop_events(view))
        self.connection.execute(tiles.drop_tiles(view))

    def _check_room(self, view: OnlineView, table: str, columns: int) -> None:
        """Refuses a table that SQLite cannot make, for its size or because somebody made another of its name."""
        most = self.connection.getlimit(sqlite3.SQLITE_LIMIT_COLUMN)
        if columns > most:
            raise AsknownError(
                "online-write",
                f"the view '{view.name}' has {columns} columns, and an SQLite table at most {most}",
                hint="split the view in two, or set online=false in its config()",
            )
        query = "SELECT type FROM sqlite_master WHERE name = ? COLLATE NOCASE"
        taken = self.connection.execute(query, (table,)).fetchone()
        if taken:
            raise AsknownError(
                "online-write",
                f"{self.path} already has a {taken[0]} named '{table}' that asknown did not make",
                hint="rename or drop it, or name another path under 'online' in profiles.yml",
            )

    def _merge(
        self,
        view: OnlineView,
        batches: Iterable[Any],
        watermark: datetime,
        on_rows: Callable[[int], None] | None,
    ) -> tuple[int, int, int]:
        """Rows seen, skipped, and changed (inserted or updated)."""
        connection = self.connection
        connection.create_function(layout.COMPARE, 3, _comparison(view), deterministic=True)
        before = connection.total_changes
        rows = read_rows(view, batches, watermark)
        seen, skipped = self._insert(layout.upsert_statement(view), rows, on_rows)
        return seen, skipped, connection.total_changes - before

    def _insert(self, statement: str, chunks: Iterable[Rows], on_rows: Callable[[int], None] | None) -> tuple[int, int]:
        """Runs ``statement`` for every row, and counts the rows seen and skipped."""
        seen = skipped = 0
        for rows in chunks:
            self.connection.executemany(statement, rows.values)
            seen += rows.seen
            skipped += rows.skipped
            if on_rows is not None:
                on_rows(seen)
        return seen, skipped

    def _checkpoint(self) -> None:
        """Moves the log into the file, as far as readers let it; the rows are safe without it."""
        with suppress(sqlite3.Error):
            self.connection.execute(f"PRAGMA busy_timeout = {_CHECKPOINT_WAIT}")
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _close(self) -> None:
        try:
            if self._connection is not None:
                if self._connection.in_transaction:
                    self._connection.rollback()
                self._connection.close()
        except sqlite3.Error:
            pass  # a file that fails here keeps its last finished load all the same
        finally:
            self._connection = None
            if self._lock is not None:
                lock.release(self._lock)
                self._lock = None

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turns SQLite's errors into the user's, and marks the load as failed: it can no longer be committed."""
        try:
            yield
        except sqlite3.Error as error:
            self._broken = True
            meaning = explain(error, self.path)
            if meaning is None:
                raise
            raise meaning from error
        except BaseException:
            self._broken = True
            raise


def open_writer(path: str | Path, *, timeout: float = 5.0) -> OnlineWriter:
    """A load of the file at ``path``, to be used in a ``with`` statement."""
    return OnlineWriter(path, timeout=timeout)


def write_view(
    path: str | Path,
    view: OnlineView,
    batches: Iterable[Any],
    *,
    watermark: datetime,
    full_refresh: bool = False,
    on_rows: Callable[[int], None] | None = None,
) -> LoadReport:
    """Loads one view in a transaction of its own."""
    with open_writer(path) as writer:
        return writer.load(view, batches, watermark, full_refresh=full_refresh, on_rows=on_rows)


def _in_utc(moment: datetime) -> datetime:
    """The instant, aware; a naive one is UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _differs(held: OnlineView, view: OnlineView) -> bool:
    return held.fingerprint != view.fingerprint or metadata.shape(held) != metadata.shape(view)


def _comparison(view: OnlineView) -> Callable[[int, Any, Any], int | None]:
    """The body of :data:`layout.COMPARE` for a view's features."""
    compare = {
        place: stored_comparison(feature.type)
        for place, feature in enumerate(view.kept)
        if not orders_in_sqlite(feature.type)
    }

    def ordered(place: int, left: Any, right: Any) -> int | None:
        return None if left is None or right is None else compare[place](left, right)

    return ordered
