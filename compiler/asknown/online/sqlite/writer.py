"""Loads the online table: any number of views and the services, in one transaction.

After a load, each of its views holds exactly what the load brought (rule 10); the same load twice writes nothing.
Nothing is ever half-written: an error, an interrupt or a kill leaves the rows of the last finished load.
"""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import Any

from asknown.errors import AsknownError
from asknown.instants import from_microseconds, to_microseconds
from asknown.online.batches import read_ahead, read_events, read_rows
from asknown.online.content import Change
from asknown.online.loads import check_instant, check_not_before_push, check_not_older, check_shrink, check_shrink_ahead
from asknown.online.metadata import differs, shape
from asknown.online.nodes import OnlineOnDemand, OnlineService, OnlineView, Owner, StoredView
from asknown.online.pushes import PushedRow
from asknown.online.report import AheadReport, EventReport, LoadReport
from asknown.online.sqlite import connect, layout, lock, metadata
from asknown.online.sqlite.adding import Adding
from asknown.online.sqlite.ahead import ahead_table, write_ahead
from asknown.online.sqlite.content import hash_table
from asknown.online.sqlite.errors import check_sqlite, damaged, explain, refuse_folder
from asknown.online.sqlite.event_merge import EventMerge
from asknown.online.sqlite.layout import check_case, drop_tables, make_tables
from asknown.online.sqlite.merge import delete_rows, merge_rows
from asknown.online.sqlite.opening import open_for_writing
from asknown.online.sqlite.push import unlanded
from asknown.online.sqlite.pushed import replace_pushed
from asknown.online.sqlite.rebuild import KeysAlone, KeysBefore, keep_alone, keep_keys
from asknown.online.sqlite.tiles import lack_states
from asknown.paths import absolute
from asknown.types import SqlType

_CHECKPOINT_WAIT = 1_000  # milliseconds that readers may hold up the last, optional step


class OnlineWriter:
    """One load of the file at ``path``, as a context manager: committed at its end, undone by any exception.

    Waits ``timeout`` seconds for another writer to finish; ``on_wait`` is told, once, that it does. Watermarks may
    lie ``max_skew`` after this machine's clock, where it is given. The file must be that of ``owner``, where one is
    given; a file without a stamp gets its. Errors: ``online-write``, ``online-corrupt``, ``online-layout``,
    ``online-owner``.
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
        self.load_id = uuid.uuid4().hex
        self._timeout = timeout
        self._max_skew = max_skew
        self._on_wait = on_wait
        self._owner = owner
        self._lock: int | None = None
        self._claim = ExitStack()
        self._connection: sqlite3.Connection | None = None
        self._broken = False
        self._without_events: set[str] = set()  # views with windows whose events this load has yet to bring
        self._without_ahead: set[str] = set()  # views with rows ahead of an earlier load
        self._alone: dict[str, KeysAlone | None] = {}  # by view, the keys with rows ahead alone that it must not lose
        self._without_pushes: set[str] = set()  # views that have followed pushes
        self._without_note: set[str] = set()  # views whose note is of an earlier load

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
        refuse_folder(self.path)
        self._lock = lock.acquire(self.path, self._timeout, self._on_wait)
        try:
            with self._explained():
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
                if self._without_events:
                    raise ValueError(f"load() was not followed by load_events() for {sorted(self._without_events)}")
                if self._without_ahead:
                    raise ValueError(f"load() was not followed by load_ahead() for {sorted(self._without_ahead)}")
                if self._without_pushes:
                    raise ValueError(f"load() was not followed by load_pushed() for {sorted(self._without_pushes)}")
                with self._explained():
                    for view in self._without_note:
                        metadata.write_note(self.connection, view, None)
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
        allow_shrink: bool = False,
        on_rows: Callable[[int], None] | None = None,
    ) -> LoadReport:
        """Makes a view's table hold exactly the rows of ``batches``, and reports what changed (rule 10).

        ``batches`` are Arrow record batches with the columns of the view's table: one row for each key, as known at
        ``watermark`` (naive: UTC). ``full_refresh`` makes the table anew, which also mends a damaged one, and allows
        an earlier watermark than the view's; ``allow_shrink`` lets any number of keys leave. ``on_rows`` is called
        with the number of rows read so far. A view with windows needs :meth:`load_events` next. Errors:
        ``load-older``, ``load-shrinks``.
        """
        started = time.perf_counter()
        with self._explained():
            watermark = self._checked(watermark)
            held, before = self._prepare(view, watermark, full_refresh=full_refresh)
            if allow_shrink:
                self._alone.pop(view.name, None)
            change, hashed = Change(), held.hashes.rows or hash_table(self.connection, view.name)
            merged = merge_rows(self.connection, view, read_rows(view, batches, watermark), change, on_rows)
            rows = held.rows + merged.new - len(merged.gone)
            removed = len(merged.gone) if before is None else before.count_lost(self.connection, view, rows)
            if not allow_shrink:
                check_shrink(view.name, removed, held.rows if before is None else before.count)
            delete_rows(self.connection, view, merged.gone, change)
            now = replace(
                held,
                view=view,
                watermark=watermark,
                rows=rows,
                events=None if view.windows is None else held.events or 0,
                hashes=replace(held.hashes, rows=self._changed(hashed, change)),
            )
            self._write(held, now)
            self._without_note.add(view.name)
            if view.windows is not None:
                self._without_events.add(view.name)
            if held.ahead or held.beyond:
                self._without_ahead.add(view.name)
            if held.pushes is not None:
                self._without_pushes.add(view.name)
        changed = merged.changed if before is None else before.count - removed
        new = merged.new if before is None else rows - changed
        return LoadReport(
            view=view.name,
            rows_seen=merged.seen,
            new=new,
            changed=changed,
            removed=removed,
            unchanged=merged.seen - merged.skipped - merged.future - new - changed,
            skipped_null=merged.skipped,
            rows_future=merged.future,
            rows_total=rows,
            watermark=watermark,
            rebuilt=before is not None,
            seconds=time.perf_counter() - started,
        )

    def _prepare(
        self, view: OnlineView, watermark: datetime, *, full_refresh: bool
    ) -> tuple[StoredView, KeysBefore | None]:
        """The view as the file has it; and, where its tables have been made anew for this load, its keys before."""
        layout.check_name(view.name)
        stored, broken = metadata.sort_views(self.connection)
        check_case(view.name, [*stored, *broken], self.path)
        if view.name in broken and not full_refresh:
            raise metadata.broken_view(self.path, view.name, broken[view.name])
        held = stored.get(view.name)
        if held is not None and not full_refresh:
            check_not_older(view.name, held.watermark, watermark)
        self._alone[view.name] = keep_alone(self.connection, held, view)
        if held is not None and not full_refresh and shape(held.view) == shape(view):
            return held, None
        if held is not None and held.pushes is not None:
            check_not_before_push(view.name, held.pushes.at, watermark)
        before = keep_keys(self.connection, held, view)
        if held is not None or view.name in broken:  # else a table of this name is somebody else's
            drop_tables(self.connection, view.name)
        make_tables(self.connection, self.path, view)
        pushes = None if held is None else held.pushes
        return StoredView(view, watermark, 0, "", watermark, pushes=pushes), before

    def _write(self, held: StoredView, now: StoredView) -> None:
        """Writes what the file says of a view, if it says anything else; so the same load twice writes nothing."""
        if now != held:
            metadata.write_view(self.connection, replace(now, load_id=self.load_id, loaded_at=datetime.now(UTC)))

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
        of the keys, the times, and the windows' hidden columns.
        """
        started = time.perf_counter()
        with self._explained():
            watermark = self._checked(watermark)
            held = metadata.sort_views(self.connection)[0].get(view.name)
            if held is None or view.windows is None or differs(held.view, view) or held.watermark != watermark:
                raise ValueError(f"load_events() comes after load() of the same view and instant, '{view.name}'")
            change, tiled = Change(), Change()
            table = layout.event_table(view)
            hashed = held.hashes.events or hash_table(self.connection, table.name)
            tiles_hash = held.hashes.tiles or hash_table(self.connection, layout.tile_table(view).name)
            remake = held.hashes.tiles is None or lack_states(self.connection, view)
            merge = EventMerge(self.connection, view, change, tiled, remake=remake)
            merge.expire(to_microseconds(watermark.replace(tzinfo=None)) - view.windows.longest)
            merge.merge(read_events(view, table.hidden, batches, watermark), on_rows)
            hashes = replace(held.hashes, events=self._changed(hashed, change), tiles=self._changed(tiles_hash, tiled))
            total = (held.events or 0) + change.added - change.removed
            self._write(held, replace(held, events=total, hashes=hashes))
            self._without_events.discard(view.name)
        return EventReport(
            view=view.name,
            rows_seen=merge.seen,
            added=change.added,
            removed=change.removed,
            skipped_null=merge.skipped,
            rows_future=merge.future,
            events_total=total,
            seconds=time.perf_counter() - started,
        )

    def load_ahead(self, view: OnlineView, batches: Iterable[Any], watermark: datetime, max_ahead: int) -> AheadReport:
        """Makes a view's rows ahead those of ``batches``; after :meth:`load`, with its watermark.

        ``batches`` bring every row that becomes visible after ``watermark``: columns of the view's table and of its
        events. Rows that become visible more than ``max_ahead`` microseconds after it are counted, and not kept.
        """
        with self._explained():
            watermark = self._checked(watermark)
            held = metadata.sort_views(self.connection)[0].get(view.name)
            if held is None or differs(held.view, view) or held.watermark != watermark:
                raise ValueError(f"load_ahead() comes after load() of the same view and instant, '{view.name}'")
            after = to_microseconds(watermark.replace(tzinfo=None))
            last = min(after + max_ahead, to_microseconds(datetime.max))
            late: list[int] = []  # one instant for each chunk with rows beyond: the first
            beyond = 0

            def kept() -> Iterator[tuple[Any, ...]]:
                nonlocal beyond
                for chunk in read_ahead(view, ahead_table(view).columns, batches, after, last):
                    yield from chunk.values
                    beyond += chunk.beyond
                    late.extend(() if chunk.first_beyond is None else (chunk.first_beyond,))

            rows = kept()
            some = [*islice(rows, 1)]
            if some:
                now = self._write_ahead(held, chain(some, rows))
            else:
                self.connection.execute(layout.drop_ahead(view.name))
                now = replace(held, ahead=None, hashes=replace(held.hashes, ahead=None))
            alone = self._alone.pop(view.name, None)
            if alone is not None:  # a row beyond may be of such a key, which is then not lost
                lost = alone.count_lost(self.connection, view, ahead=now.ahead is not None)
                check_shrink_ahead(view.name, max(0, lost - beyond), alone.count)
            beyond_at = from_microseconds(min(late)).replace(tzinfo=UTC) if late else None
            self._write(held, replace(now, beyond=beyond, beyond_at=beyond_at))
            self._without_ahead.discard(view.name)
        return AheadReport(view=view.name, ahead=now.ahead or 0, beyond=beyond, beyond_at=beyond_at)

    def _write_ahead(self, held: StoredView, rows: Iterable[tuple[Any, ...]]) -> StoredView:
        """Makes the view's table of rows ahead hold these rows, and gives what the file is to say of it."""
        view, change = held.view, Change()
        table = ahead_table(view).table
        made = held.ahead is not None
        if not made:
            layout.check_room(self.connection, self.path, view, table.name, len(table.columns))
        write_ahead(self.connection, view, rows, change, made=made)
        before = held.hashes.ahead
        hashed = hash_table(self.connection, table.name) if before is None else self._changed(before, change)
        ahead = (held.ahead or 0) + change.added - change.removed
        return replace(held, ahead=ahead, hashes=replace(held.hashes, ahead=hashed))

    def load_pushed(
        self, view: OnlineView, source: str | None, batches: Iterable[Any] = (), *, at: int = 0, seq: int = 0
    ) -> None:
        """Puts the pushed rows that this load cannot have seen beside what it brought; after all else of the view.

        ``source`` is the one whose pushes the view follows, None if it follows none. ``batches`` bring the view's rows
        of all that has not landed; ``at`` and ``seq`` are the arrival and the number of the last of these.
        """
        with self._explained():
            held = metadata.sort_views(self.connection)[0].get(view.name)
            if held is None or differs(held.view, view):
                raise ValueError(f"load_pushed() comes after load() of the same view, '{view.name}'")
            self._write(held, replace_pushed(self.connection, held, source, batches, at=at, seq=seq))
            self._without_pushes.discard(view.name)

    def unlanded(self, source: str, kind: SqlType) -> list[PushedRow]:
        """The rows that were pushed into ``source`` and have not landed, so that no load has seen them."""
        with self._explained():
            return unlanded(self.connection, source, kind)

    def noted(self, view: str) -> str | None:
        """The note of a view's last load about its sources; see :meth:`note`."""
        with self._explained():
            return metadata.read_note(self.connection, view)

    def note(self, view: str, text: str | None) -> None:
        """Keeps what this load read of a view's sources, until the next load of the view. None keeps nothing."""
        with self._explained():
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
        with self._explained():
            watermark = self._checked(watermark)
            held = metadata.sort_views(self.connection)[0].get(view.name)
            if held is None or differs(held.view, view) or held.pushes is not None:
                raise ValueError(f"add() comes after a load of the same view, '{view.name}'")
            check_not_older(view.name, held.watermark, watermark)
            adding = Adding(self.connection, self.path, replace(held, view=view, watermark=watermark), max_ahead)
            added = adding.add(newest, events, later)
            now = added.stored
            self._write(held, now)
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
        with self._explained():
            written = metadata.write_services(self.connection, services)
            if not metadata.write_on_demand(self.connection, on_demand) and not written:
                return
            views = metadata.sort_views(self.connection)[0]
            for name in views.keys() & {*(service.name for service in services), *(view.name for view in on_demand)}:
                # A reader that has resolved the name as the view's must resolve it anew.
                metadata.write_view(self.connection, replace(views[name], load_id=self.load_id))

    def stored(self) -> dict[str, StoredView]:
        """The views in the file as this load sees them."""
        with self._explained():
            return metadata.sort_views(self.connection)[0]

    def forget(self, view: str) -> None:
        """Removes a view and its rows from the file; a view that is not there is no error."""
        with self._explained():
            self._without_ahead.discard(view)
            self._without_pushes.discard(view)
            self._without_note.discard(view)
            if any(view in some for some in metadata.sort_views(self.connection)):
                drop_tables(self.connection, view)
                metadata.forget_view(self.connection, view)

    def _open(self) -> None:
        connection = sqlite3.connect(self.path, timeout=self._timeout, isolation_level=None)
        self._connection = connection
        open_for_writing(connection, self.path, self._owner, synchronous="NORMAL")

    def _checked(self, watermark: datetime) -> datetime:
        """The watermark in UTC (naive: UTC already), unless it lies further in the future than clocks may differ."""
        watermark = watermark.replace(tzinfo=UTC) if watermark.tzinfo is None else watermark.astimezone(UTC)
        if self._max_skew is not None:
            check_instant(watermark, self._max_skew)
        return watermark

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
