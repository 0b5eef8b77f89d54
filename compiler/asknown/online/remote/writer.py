"""Loads an online table in a remote store: any number of views and the services, in one transaction of the store.

After a load, each of its views holds exactly what the load brought (rule 10); the same load twice writes nothing.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any

from asknown.addresses import StoreAddress
from asknown.errors import AsknownError
from asknown.instants import from_microseconds, to_microseconds
from asknown.online.batches import read_ahead, read_events, read_rows
from asknown.online.loads import check_instant, check_not_before_push, check_not_older, check_shrink
from asknown.online.metadata import differs, shape
from asknown.online.nodes import Hashes, OnlineOnDemand, OnlineService, OnlineView, Owner, StoredView
from asknown.online.pushes import PushedRow
from asknown.online.remote import documents as docs
from asknown.online.remote.documents import Placed, State
from asknown.online.remote.events import merge_events
from asknown.online.remote.hashing import EMPTY, PartChange
from asknown.online.remote.outbox import unlanded
from asknown.online.remote.packing import ahead_shape
from asknown.online.remote.pushed import marked_ahead, replace_pushed
from asknown.online.remote.rows import Merged, RowMerge
from asknown.online.remote.scratch import SortedRows, in_pieces
from asknown.online.remote.store import Document, Key, RemoteStore, Transaction
from asknown.online.report import AheadReport, EventReport, LoadReport
from asknown.types import SqlType

_KEYS_AT_ONCE = 500


class RemoteWriter:
    """One load of the online table of ``owner`` in ``store``: committed at its end, undone by any exception.

    Waits ``timeout`` seconds for another writer to finish; ``on_wait`` is told, once, that it does. Watermarks may
    lie ``max_skew`` after this machine's clock, where it is given. Closes the store at its end. Errors:
    ``online-write``, ``online-server``, ``online-corrupt``, ``online-layout``, ``online-owner``.
    """

    def __init__(
        self,
        store: RemoteStore,
        address: StoreAddress,
        *,
        timeout: float = 5.0,
        max_skew: timedelta | None = None,
        on_wait: Callable[[str], None] | None = None,
        owner: Owner | None = None,
    ) -> None:
        self.load_id = uuid.uuid4().hex
        self._store = store
        self._address = address
        self._timeout = timeout
        self._max_skew = max_skew
        self._on_wait = on_wait
        self._owner = owner
        self._entered: AbstractContextManager[Transaction] | None = None
        self._open: Transaction | None = None
        self._broken = False
        self._state = State({}, {}, {}, {}, {})
        self._views: dict[str, Placed] = {}
        self._missing: dict[str, set[str]] = {}  # by view: the calls that must follow load()

    @property
    def _transaction(self) -> Transaction:
        if self._open is None:
            raise ValueError("the writer is not open")
        if self._broken:
            raise self._failed()
        return self._open

    def __enter__(self) -> RemoteWriter:
        try:
            self._store.check_reads()
            self._entered = self._store.transaction(wait=self._timeout, on_wait=self._on_wait)
            self._open = self._entered.__enter__()
        except BaseException:
            self._store.close()
            raise
        try:
            found = self._open.documents()
            self._state = docs.read_state(found, self._address, self._owner)
            self._views = dict(self._state.views)
            if docs.LAYOUT_NAME not in found:
                self._open.write(docs.LAYOUT_NAME, docs.layout_document())
            if self._owner is not None and docs.OWNER not in found:
                self._open.write(docs.OWNER, docs.owner_document(self._owner))
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._entered is not None
        refusal = self._refusal() if error is None else None
        try:
            if refusal is not None:
                kind, error, trace = type(refusal), refusal, refusal.__traceback__
            self._entered.__exit__(kind, error, trace)
        finally:
            self._open = None
            self._store.close()
        if refusal is not None:
            raise refusal

    def _refusal(self) -> Exception | None:
        """Why the load cannot be committed as it stands."""
        if self._broken:
            return self._failed()
        for view, calls in self._missing.items():
            if calls:
                return ValueError(f"load() was not followed by {', '.join(sorted(calls))}() for '{view}'")
        return None

    def _failed(self) -> AsknownError:
        return AsknownError(
            "online-write",
            f"nothing was written to the {self._address}, because a part of this load failed",
            hint="put the first error right and run it again",
        )

    # -- one view ----------------------------------------------------------------------------------------------

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
        """Makes a view's rows exactly those of ``batches``, one for each key, as known at the watermark (rule 10)."""
        started = time.perf_counter()
        with _Marking(self):
            watermark = self._checked(watermark)
            held = self._views.get(view.name)
            fresh = self._check(held, view, watermark, full_refresh=full_refresh)
            placed = self._prepare(held, view, watermark, fresh=fresh)
            before = held.table if held is not None and fresh and held.stored.view.keys == view.keys else None
            merge = RowMerge(self._transaction, view, placed.table, before, fresh=fresh)

            def check(merged: Merged) -> None:
                if fresh and held is not None and before is None:  # the keys cannot be compared
                    merged.before = held.stored.rows
                    merged.gone = max(0, merged.before - merged.total)
                if not allow_shrink:
                    check_shrink(view.name, merged.gone, merged.before)

            merged = merge.run(read_rows(view, batches, watermark), check, on_rows)
            if fresh:
                merged.changed = merged.before - merged.gone
                merged.new = merged.total - merged.changed
            stored = replace(
                placed.stored,
                view=view,
                watermark=watermark,
                rows=merged.total,
                events=None if view.windows is None else placed.stored.events or 0,
                hashes=replace(placed.stored.hashes, rows=merge.change.apply(placed.stored.hashes.rows or EMPTY)),
            )
            self._write(replace(placed, stored=stored))
            self._missing[view.name] = {
                *(("load_events",) if view.windows is not None else ()),
                *(("load_ahead",) if stored.ahead or stored.beyond else ()),
                *(("load_pushed",) if stored.pushes is not None else ()),
            }
        return LoadReport(
            view=view.name,
            rows_seen=merged.seen,
            new=merged.new,
            changed=merged.changed,
            removed=merged.gone,
            unchanged=merged.total - merged.new - merged.changed,
            skipped_null=merged.skipped,
            rows_future=merged.future,
            rows_total=merged.total,
            watermark=watermark,
            rebuilt=fresh,
            seconds=time.perf_counter() - started,
        )

    def _check(self, held: Placed | None, view: OnlineView, watermark: datetime, *, full_refresh: bool) -> bool:
        """Whether the view is made anew. Refuses a load that is older than what the store holds."""
        if view.name in self._state.broken and view.name not in self._views and not full_refresh:
            raise docs.broken_view(self._address, view.name, self._state.broken[view.name])
        if held is None:
            return True
        if not full_refresh:
            check_not_older(view.name, held.stored.watermark, watermark)
            same_expiry = self._store.strength.keeps_rows or held.stored.view.ttl == view.ttl
            if shape(held.stored.view) == shape(view) and same_expiry:
                return False
        if held.stored.pushes is not None:
            check_not_before_push(view.name, held.stored.pushes.at, watermark)
        return True

    def _prepare(self, held: Placed | None, view: OnlineView, watermark: datetime, *, fresh: bool) -> Placed:
        """The view with the generation that the load writes."""
        if held is not None and not fresh:
            return held
        table = docs.table_of(view, uuid.uuid4().hex[:12])
        self._transaction.create(table)
        if held is not None:
            self._transaction.retire(held.table)
        pushes = None if held is None else held.stored.pushes
        stored = StoredView(view, watermark, 0, "", watermark, pushes=pushes, hashes=Hashes(rows=EMPTY))
        return Placed(stored, table)

    def load_events(
        self,
        view: OnlineView,
        batches: Iterable[Any],
        watermark: datetime,
        *,
        on_rows: Callable[[int], None] | None = None,
    ) -> EventReport:
        """Makes a view's events those of ``batches``; after :meth:`load`, with its watermark."""
        started = time.perf_counter()
        with _Marking(self):
            watermark = self._checked(watermark)
            held = self._loaded(view, watermark, "load_events")
            if view.windows is None:
                raise ValueError(f"'{view.name}' has no windows")
            change = PartChange("events")
            given = read_events(view, view.windows.columns, batches, watermark)
            found = merge_events(self._transaction, view, held.table, given, change=change, on_rows=on_rows)
            total = (held.stored.events or 0) + found.added - found.removed
            hashes = replace(held.stored.hashes, events=change.apply(held.stored.hashes.events))
            self._write(replace(held, stored=replace(held.stored, events=total, hashes=hashes)))
            self._missing[view.name].discard("load_events")
        return EventReport(
            view=view.name,
            rows_seen=found.seen,
            added=found.added,
            removed=found.removed,
            skipped_null=found.skipped,
            rows_future=found.future,
            events_total=total,
            seconds=time.perf_counter() - started,
        )

    def load_ahead(self, view: OnlineView, batches: Iterable[Any], watermark: datetime, max_ahead: int) -> AheadReport:
        """Makes a view's rows ahead those of ``batches``, up to ``max_ahead`` microseconds after the watermark."""
        with _Marking(self):
            watermark = self._checked(watermark)
            held = self._loaded(view, watermark, "load_ahead")
            after = to_microseconds(watermark.replace(tzinfo=None))
            last = min(after + max_ahead, to_microseconds(datetime.max))
            columns, late, beyond, count = ahead_shape(view).columns, list[int](), 0, 0
            with SortedRows(len(view.keys) + 1 + len(view.times) + len(columns)) as rows:
                for chunk in read_ahead(view, columns, batches, after, last):
                    rows.add(chunk.values)
                    count += len(chunk.values)
                    beyond += chunk.beyond
                    late.extend(() if chunk.first_beyond is None else (chunk.first_beyond,))
                hashed = self._write_ahead(held, rows) if count or held.stored.ahead is not None else None
            beyond_at = from_microseconds(min(late)).replace(tzinfo=UTC) if late else None
            ahead = count or None
            hashes = replace(held.stored.hashes, ahead=hashed if count else None)
            now = replace(held.stored, ahead=ahead, hashes=hashes, beyond=beyond, beyond_at=beyond_at)
            self._write(replace(held, stored=now))
            self._missing[view.name].discard("load_ahead")
        return AheadReport(view=view.name, ahead=count, beyond=beyond, beyond_at=beyond_at)

    def _write_ahead(self, held: Placed, rows: SortedRows) -> str:
        """Makes the rows dated ahead these: keys, times with the visible instant first, columns. Returns their hash."""
        keys, seen, change = len(held.table.keys), set[Key](), PartChange("ahead")
        groups = ((key, [[row[keys], 0, *row[keys + 1 :]] for row in group]) for key, group in rows.groups(keys))
        for some in in_pieces(groups, _KEYS_AT_ONCE):
            items = marked_ahead(self._transaction, held, dict(some))
            seen.update(key for key, _ in items)
            change.add(items)
            before = self._transaction.held(held.table, "ahead", [key for key, _ in items])
            self._transaction.put(held.table, "ahead", [(key, data) for key, data in items if before.get(key) != data])
        gone = [key for page in self._transaction.keys(held.table, "ahead") for key in page if key not in seen]
        self._transaction.remove(held.table, "ahead", gone)
        return change.apply(None)

    def load_pushed(
        self, view: OnlineView, source: str | None, batches: Iterable[Any] = (), *, at: int = 0, seq: int = 0
    ) -> None:
        """Puts the pushed rows that this load cannot have seen beside what it brought; after all else of the view."""
        with _Marking(self):
            held = self._views.get(view.name)
            if held is None or differs(held.stored.view, view):
                raise ValueError(f"load_pushed() comes after load() of the same view, '{view.name}'")
            self._write(replace_pushed(self._transaction, held, source, batches, at=at, seq=seq))
            self._missing.setdefault(view.name, set()).discard("load_pushed")

    def unlanded(self, source: str, kind: SqlType) -> Sequence[PushedRow]:
        """The rows that were pushed into ``source`` and have not landed, so that no load has seen them."""
        with _Marking(self):
            return unlanded(self._transaction, source, kind)

    def _loaded(self, view: OnlineView, watermark: datetime, call: str) -> Placed:
        held = self._views.get(view.name)
        if held is None or differs(held.stored.view, view) or held.stored.watermark != watermark:
            raise ValueError(f"{call}() comes after load() of the same view and instant, '{view.name}'")
        self._missing.setdefault(view.name, set())
        return held

    def _write(self, now: Placed) -> None:
        """Writes the documents of a view, if the load changes them; so the same load twice writes nothing."""
        name = now.stored.view.name
        before = self._state.views.get(name)
        if before is not None and before.table == now.table and _same(before.stored, now.stored):
            now = before
        else:
            stored = replace(now.stored, load_id=self.load_id, loaded_at=datetime.now(UTC))
            now = replace(now, stored=stored)
        self._views[name] = now
        _put(self._transaction, docs.view_documents(now))

    # -- the rest of the table ---------------------------------------------------------------------------------

    def services(self, services: Iterable[OnlineService], on_demand: Iterable[OnlineOnDemand] = ()) -> None:
        """Writes the project's feature services and on-demand views, in place of those in the store."""
        with _Marking(self):
            wanted = {f"{docs.SERVICE}{service.name}": docs.service_document(service) for service in services}
            wanted |= {f"{docs.ON_DEMAND}{view.name}": docs.on_demand_document(view) for view in on_demand}
            found = self._transaction.documents()
            held = {name: one for name, one in found.items() if name.startswith((docs.SERVICE, docs.ON_DEMAND))}
            if wanted == held:
                return
            _put(self._transaction, {**dict.fromkeys(held), **wanted})
            for name in self._views.keys() & {name.partition(":")[2] for name in wanted}:
                # A reader that has resolved the name as the view's must resolve it anew.
                placed = self._views[name]
                placed = replace(placed, stored=replace(placed.stored, load_id=self.load_id))
                self._views[name] = placed
                _put(self._transaction, docs.view_documents(placed))

    def stored(self) -> dict[str, StoredView]:
        """The views in the store as this load sees them."""
        return {name: placed.stored for name, placed in self._views.items()}

    def forget(self, view: str) -> None:
        """Removes a view and its rows; a view that is not there is no error."""
        with _Marking(self):
            self._missing.pop(view, None)
            held = self._views.pop(view, None)
            if held is not None:
                self._transaction.retire(held.table)
            _put(self._transaction, {f"{docs.VIEW}{view}": None, f"{docs.PUSHES}{view}": None})

    def _checked(self, watermark: datetime) -> datetime:
        """The watermark in UTC (naive: UTC already), unless it lies further in the future than clocks may differ."""
        watermark = watermark.replace(tzinfo=UTC) if watermark.tzinfo is None else watermark.astimezone(UTC)
        if self._max_skew is not None:
            check_instant(watermark, self._max_skew)
        return watermark


class _Marking:
    """Marks the load as failed where the block fails: it can no longer be committed."""

    def __init__(self, writer: RemoteWriter) -> None:
        self._writer = writer

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._writer._broken = True


def _same(before: StoredView, now: StoredView) -> bool:
    """Whether two states of a view differ in nothing but the load that made them."""
    return before == replace(now, load_id=before.load_id, loaded_at=before.loaded_at)


def _put(transaction: Transaction, documents: dict[str, Document | None]) -> None:
    for name, document in documents.items():
        transaction.write(name, document)
