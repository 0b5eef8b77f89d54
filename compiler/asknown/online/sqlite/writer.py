"""Loads the online table in an SQLite file: any number of views and the services, in one transaction."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import Any

from asknown.errors import AsknownError
from asknown.instants import to_microseconds
from asknown.online.batches import read_events
from asknown.online.content import Change
from asknown.online.loads import check_not_older
from asknown.online.metadata import differs
from asknown.online.nodes import OnlineOnDemand, OnlineService, OnlineView, Owner, StoredView
from asknown.online.pushes import PushedRow
from asknown.online.report import LoadReport
from asknown.online.sqlite import connect, layout, lock, metadata
from asknown.online.sqlite.adding import Adding
from asknown.online.sqlite.ahead import ahead_table, write_ahead
from asknown.online.sqlite.content import hash_table
from asknown.online.sqlite.errors import check_sqlite, damaged, explain, refuse_folder
from asknown.online.sqlite.event_merge import EventMerge
from asknown.online.sqlite.layout import check_case, drop_tables, make_tables
from asknown.online.sqlite.lifetime import LifetimeMerge
from asknown.online.sqlite.merge import delete_rows, merge_rows
from asknown.online.sqlite.opening import open_for_writing
from asknown.online.sqlite.push import unlanded
from asknown.online.sqlite.pushed import replace_pushed
from asknown.online.sqlite.rebuild import TableKeysAlone, keep_alone, keep_keys
from asknown.online.sqlite.tiles import lack_states
from asknown.online.writer import EventCounts, OnRows, RowCounts, RowLoad, Writer
from asknown.paths import absolute
from asknown.types import SqlType

_CHECKPOINT_WAIT = 1_000  # milliseconds that readers may hold up the last, optional step


class OnlineWriter(Writer):
    """One load of the file at ``path``, as a context manager: committed at its end, undone by any exception.

    Nothing is ever half-written: an error, an interrupt or a kill leaves the rows of the last finished load. Waits
    ``timeout`` seconds for another writer to finish; ``on_wait`` is told, once, that it does. Watermarks may lie
    ``max_skew`` after this machine's clock, where it is given. The file must be that of ``owner``, where one is given;
    a file without a stamp gets its. Errors: ``online-write``, ``online-corrupt``, ``online-layout``, ``online-owner``.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        timeout: float = 5.0,
        max_skew: timedelta | None = None,
        on_wait: Callable[[str], None] | None = None,
        owner: Owner | None = None,
    ) -> None:
        self.path = absolute(path)
        super().__init__(str(self.path), max_skew)
        self._timeout = timeout
        self._on_wait = on_wait
        self._owner = owner
        self._lock: int | None = None
        self._claim = ExitStack()
        self._connection: sqlite3.Connection | None = None
        self._without_note: set[str] = set()  # views whose note is of an earlier load

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection whose transaction this load is."""
        if self._connection is None:
            raise ValueError("the writer is not open")
        if self._failed:
            raise self._nothing_written()
        return self._connection

    def __enter__(self) -> OnlineWriter:
        check_sqlite(sqlite3.sqlite_version_info)
        refuse_folder(self.path)
        self._lock = lock.acquire(self.path, self._timeout, self._on_wait)
        try:
            with self._step():
                self._claim.enter_context(connect.claimed(self.path, "sqlite3"))
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
                refusal = self._refusal()
                if refusal is not None:
                    raise refusal
                with self._step():
                    for view in self._without_note:
                        metadata.write_note(self.connection, view, None)
                    self.connection.execute("COMMIT")
                    self._checkpoint()
        finally:
            self._close()

    # -- one view ----------------------------------------------------------------------------------------------

    def _find(self, view: OnlineView, *, full_refresh: bool) -> StoredView | None:
        layout.check_name(view.name)
        stored, broken = metadata.sort_views(self.connection)
        check_case(view.name, [*stored, *broken], self.path)
        if view.name in broken and not full_refresh:
            raise metadata.broken_view(self.path, view.name, broken[view.name])
        return stored.get(view.name)

    def _keep_alone(self, held: StoredView, view: OnlineView) -> TableKeysAlone | None:
        return keep_alone(self.connection, held, view)

    def _write_rows(self, load: RowLoad) -> tuple[RowCounts, StoredView]:
        view, held = load.view, load.held
        before = keep_keys(self.connection, held, view) if load.fresh else None
        if held is None or load.fresh:
            self._make(view)
            held = load.made
        change, hashed = Change(), held.hashes.rows or hash_table(self.connection, view.name)
        counts, gone = merge_rows(self.connection, view, load.chunks, change, load.on_rows)
        counts.before, counts.total = held.rows, held.rows + counts.new - counts.gone
        if before is not None:
            counts.before, counts.gone = before.count, before.count_lost(self.connection, view, counts.total)
        load.check(counts)
        delete_rows(self.connection, view, gone, change)
        self._without_note.add(view.name)
        return counts, replace(held, hashes=replace(held.hashes, rows=self._changed(hashed, change)))

    def _make(self, view: OnlineView) -> None:
        """Makes the view's tables anew."""
        if any(view.name in some for some in metadata.sort_views(self.connection)):
            drop_tables(self.connection, view.name)  # else a table of this name is somebody else's
        make_tables(self.connection, self.path, view)

    def _save(self, held: StoredView | None, now: StoredView) -> None:
        if now != held:
            metadata.write_view(self.connection, replace(now, load_id=self.load_id, loaded_at=datetime.now(UTC)))

    def _write_events(
        self, held: StoredView, view: OnlineView, batches: Iterable[Any], on_rows: OnRows | None
    ) -> tuple[EventCounts, StoredView]:
        assert view.windows is not None
        change, tiled = Change(), Change()
        table = layout.event_table(view)
        hashed = held.hashes.events or hash_table(self.connection, table.name)
        tiles_hash = held.hashes.tiles or hash_table(self.connection, layout.tile_table(view).name)
        given = read_events(view, table.hidden, batches, held.watermark)
        if view.windows.lifetime:
            counts = LifetimeMerge(self.connection, view, tiled).merge(given, on_rows)
        else:
            remake = held.hashes.tiles is None or held.stale_tiles or lack_states(self.connection, view)
            merge = EventMerge(self.connection, view, change, tiled, remake=remake)
            merge.expire(to_microseconds(held.watermark.replace(tzinfo=None)) - view.windows.longest)
            counts = merge.merge(given, on_rows)
        hashes = replace(held.hashes, events=self._changed(hashed, change), tiles=self._changed(tiles_hash, tiled))
        return counts, replace(held, hashes=hashes, stale_tiles=False)

    def _write_ahead(self, held: StoredView, rows: Iterator[tuple[Any, ...]]) -> StoredView:
        some = [*islice(rows, 1)]
        if not some:
            self.connection.execute(layout.drop_ahead(held.view.name))
            return replace(held, ahead=None, hashes=replace(held.hashes, ahead=None))
        view, change = held.view, Change()
        table = ahead_table(view).table
        made = held.ahead is not None
        if not made:
            layout.check_room(self.connection, self.path, view, table.name, len(table.columns))
        write_ahead(self.connection, view, chain(some, rows), change, made=made)
        before = held.hashes.ahead
        hashed = hash_table(self.connection, table.name) if before is None else self._changed(before, change)
        ahead = (held.ahead or 0) + change.added - change.removed
        return replace(held, ahead=ahead, hashes=replace(held.hashes, ahead=hashed))

    def _replace_pushed(
        self, held: StoredView, source: str | None, batches: Iterable[Any], *, at: int, seq: int
    ) -> StoredView:
        return replace_pushed(self.connection, held, source, batches, at=at, seq=seq)

    def unlanded(self, source: str, kind: SqlType) -> list[PushedRow]:
        """The rows that were pushed into ``source`` and have not landed, so that no load has seen them."""
        with self._step():
            return unlanded(self.connection, source, kind)

    def noted(self, view: str) -> str | None:
        """The note of a view's last load about its sources; see :meth:`note`."""
        with self._step():
            return metadata.read_note(self.connection, view)

    def note(self, view: str, text: str | None) -> None:
        """Keeps what this load read of a view's sources, until the next load of the view. None keeps nothing."""
        with self._step():
            metadata.write_note(self.connection, view, text)
            self._without_note.discard(view)

    def add(
        self,
        view: OnlineView,
        newest: Iterable[Any],
        events: Iterable[Any],
        later: Iterable[Any],
        *,
        watermark: datetime,
        max_ahead: int,
    ) -> LoadReport:
        """Adds new rows to what the file has of a view, and moves it on to ``watermark`` (naive: UTC).

        In place of :meth:`load`, :meth:`load_events` and :meth:`load_ahead`, whose batches these are, but of new rows
        alone. The view must be in the file as it is now, follow no pushes, and keep no row ahead that is ``max_ahead``
        microseconds after the watermark.
        """
        started = time.perf_counter()
        with self._step():
            watermark = self._checked(watermark)
            held = metadata.sort_views(self.connection)[0].get(view.name)
            if held is None or differs(held.view, view) or held.pushes is not None:
                raise ValueError(f"add() comes after a load of the same view, '{view.name}'")
            check_not_older(view.name, held.watermark, watermark)
            adding = Adding(self.connection, self.path, replace(held, view=view, watermark=watermark), max_ahead)
            added = adding.add(newest, events, later)
            now = added.stored
            self._save(held, now)
        return LoadReport(
            view=view.name,
            rows_seen=now.rows + added.skipped,
            new=added.new,
            changed=added.changed,
            removed=0,
            unchanged=now.rows - added.new - added.changed,
            skipped_null=added.skipped,
            rows_future=0,
            rows_total=now.rows,
            watermark=watermark,
            rebuilt=False,
            seconds=time.perf_counter() - started,
            rows_ahead=now.ahead or 0,
            rows_beyond=now.beyond,
            beyond_at=now.beyond_at,
            events_added=added.events[0],
            events_removed=added.events[1],
            events_total=now.events or 0,
        )

    def services(self, services: Iterable[OnlineService], on_demand: Iterable[OnlineOnDemand] = ()) -> None:
        """Writes the project's feature services and on-demand views, in place of those in the file."""
        services, on_demand = tuple(services), tuple(on_demand)
        with self._step():
            written = metadata.write_services(self.connection, services)
            if not metadata.write_on_demand(self.connection, on_demand) and not written:
                return
            views = metadata.sort_views(self.connection)[0]
            for name in views.keys() & {*(service.name for service in services), *(view.name for view in on_demand)}:
                # A reader that has resolved the name as the view's must resolve it anew.
                metadata.write_view(self.connection, replace(views[name], load_id=self.load_id))

    def stored(self) -> dict[str, StoredView]:
        """The views in the file as this load sees them."""
        with self._step():
            return metadata.sort_views(self.connection)[0]

    def forget(self, view: str) -> None:
        """Removes a view and its rows from the file; a view that is not there is no error."""
        with self._step():
            self._missing.pop(view, None)
            self._without_note.discard(view)
            if any(view in some for some in metadata.sort_views(self.connection)):
                drop_tables(self.connection, view)
                metadata.forget_view(self.connection, view)

    def _open(self) -> None:
        connection = sqlite3.connect(self.path, timeout=self._timeout, isolation_level=None)
        self._connection = connection
        open_for_writing(connection, self.path, self._owner, synchronous="NORMAL")

    def _changed(self, hashed: str, change: Change) -> str:
        try:
            return change.apply(hashed)
        except ValueError as error:
            raise damaged(self.path, f"'{hashed}' is no hash of a table") from error

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
            self._claim.close()
            if self._lock is not None:
                lock.release(self._lock)
                self._lock = None

    def _explained(self, error: BaseException) -> AsknownError | None:
        return explain(error, self.path) if isinstance(error, sqlite3.Error) else None


def open_writer(
    path: str | Path,
    *,
    timeout: float = 5.0,
    max_skew: timedelta | None = None,
    on_wait: Callable[[str], None] | None = None,
    owner: Owner | None = None,
) -> OnlineWriter:
    """A load of the file at ``path``, to be used in a ``with`` statement."""
    return OnlineWriter(path, timeout=timeout, max_skew=max_skew, on_wait=on_wait, owner=owner)
