"""Loads an online table in a remote store: any number of views and the services, in one transaction of the store."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any

from asknown.addresses import StoreAddress
from asknown.online.batches import read_events
from asknown.online.nodes import OnlineOnDemand, OnlineService, OnlineView, Owner, StoredView
from asknown.online.pushes import PushedRow
from asknown.online.remote import documents as docs
from asknown.online.remote.documents import Placed, State
from asknown.online.remote.events import merge_events
from asknown.online.remote.hashing import EMPTY, PartChange
from asknown.online.remote.outbox import unlanded
from asknown.online.remote.pushed import marked_ahead, replace_pushed
from asknown.online.remote.rows import RowMerge, SeenKeys
from asknown.online.remote.scratch import SortedRows, in_pieces
from asknown.online.remote.store import Document, Key, RemoteStore, Transaction
from asknown.online.writer import EventCounts, OnRows, RowCounts, RowLoad, Writer
from asknown.types import SqlType

_KEYS_AT_ONCE = 500
_ROWS_AT_ONCE = 2_000


class RemoteWriter(Writer):
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
        super().__init__(f"the {address}", max_skew)
        self._store = store
        self._address = address
        self._timeout = timeout
        self._on_wait = on_wait
        self._owner = owner
        self._entered: AbstractContextManager[Transaction] | None = None
        self._open: Transaction | None = None
        self._state = State({}, {}, {}, {}, {})
        self._views: dict[str, Placed] = {}
        self._kept: dict[str, SeenKeys] = {}  # by view: the keys with rows ahead alone, before the load

    @property
    def _transaction(self) -> Transaction:
        if self._open is None:
            raise ValueError("the writer is not open")
        if self._failed:
            raise self._nothing_written()
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

    # -- one view ----------------------------------------------------------------------------------------------

    def _find(self, view: OnlineView, *, full_refresh: bool) -> StoredView | None:
        if view.name in self._state.broken and view.name not in self._views and not full_refresh:
            raise docs.broken_view(self._address, view.name, self._state.broken[view.name])
        placed = self._views.get(view.name)
        return None if placed is None else placed.stored

    def _fits(self, held: OnlineView, view: OnlineView) -> bool:
        return super()._fits(held, view) and (self._store.strength.keeps_rows or held.ttl == view.ttl)

    def _keep_alone(self, held: StoredView, view: OnlineView) -> SeenKeys | None:
        self._kept.pop(view.name, None)
        if not held.ahead or not held.view.keys:
            return None
        table = self._views[view.name].table
        alone = {key for page in self._transaction.keys(table, "ahead") for key in page}
        for page in self._transaction.keys(table, "rows"):
            alone.difference_update(page)
        if not alone:
            return None
        self._kept[view.name] = SeenKeys(alone, comparable=held.view.keys == view.keys)
        return self._kept[view.name]

    def _write_rows(self, load: RowLoad) -> tuple[RowCounts, StoredView]:
        view, placed = load.view, self._views.get(load.view.name)
        before = placed.table if placed is not None and load.fresh and placed.stored.view.keys == view.keys else None
        rows_before = 0 if placed is None else placed.stored.rows
        comparable = not load.fresh or placed is None or before is not None
        if placed is None or load.fresh:
            placed = self._make(load, placed)
        merge = RowMerge(self._transaction, view, placed.table, before, fresh=load.fresh)

        def check(counts: RowCounts) -> None:
            if not comparable:
                counts.before, counts.gone = rows_before, max(0, rows_before - counts.total)
            load.check(counts)

        counts = merge.run(load.chunks, check, load.on_rows)
        if view.name in self._kept:
            self._kept[view.name].see(merge.keys)
        hashes = placed.stored.hashes
        return counts, replace(placed.stored, hashes=replace(hashes, rows=merge.change.apply(hashes.rows or EMPTY)))

    def _make(self, load: RowLoad, before: Placed | None) -> Placed:
        """Makes a new generation for the rows that the load writes."""
        table = docs.table_of(load.view, uuid.uuid4().hex[:12])
        self._transaction.create(table)
        if before is not None:
            self._transaction.retire(before.table)
        made = Placed(load.made, table)
        self._views[load.view.name] = made
        return made

    def _write_events(
        self, held: StoredView, view: OnlineView, batches: Iterable[Any], on_rows: OnRows | None
    ) -> tuple[EventCounts, StoredView]:
        assert view.windows is not None
        change, table = PartChange("events"), self._views[view.name].table
        given = read_events(view, view.windows.columns, batches, held.watermark)
        counts = merge_events(self._transaction, view, table, given, change=change, on_rows=on_rows)
        hashes = replace(held.hashes, events=change.apply(held.hashes.events))
        return counts, replace(held, hashes=hashes)

    def _write_ahead(self, held: StoredView, rows: Iterator[tuple[Any, ...]]) -> StoredView:
        view, count, hashed = held.view, 0, None
        with SortedRows(len(view.keys) + 1 + len(view.times) + len(view.ahead_columns)) as kept:
            for some in in_pieces(rows, _ROWS_AT_ONCE):
                kept.add(some)
                count += len(some)
            if count or held.ahead is not None:
                hashed = self._replace_ahead(self._views[view.name], kept)
        return replace(held, ahead=count or None, hashes=replace(held.hashes, ahead=hashed if count else None))

    def _replace_ahead(self, held: Placed, rows: SortedRows) -> str:
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
        if held.stored.view.name in self._kept:
            self._kept[held.stored.view.name].see(seen)
        return change.apply(None)

    def _replace_pushed(
        self, held: StoredView, source: str | None, batches: Iterable[Any], *, at: int, seq: int
    ) -> StoredView:
        placed = replace(self._views[held.view.name], stored=held)
        return replace_pushed(self._transaction, placed, source, batches, at=at, seq=seq).stored

    def _save(self, held: StoredView | None, now: StoredView) -> None:
        """Writes the documents of a view, if the load changes them; so the same load twice writes nothing."""
        name = now.view.name
        before, placed = self._state.views.get(name), replace(self._views[name], stored=now)
        if before is not None and before.table == placed.table and _same(before.stored, now):
            placed = before
        else:
            placed = replace(placed, stored=replace(now, load_id=self.load_id, loaded_at=datetime.now(UTC)))
        self._views[name] = placed
        _put(self._transaction, docs.view_documents(placed))

    def unlanded(self, source: str, kind: SqlType) -> Sequence[PushedRow]:
        """The rows that were pushed into ``source`` and have not landed, so that no load has seen them."""
        with self._step():
            return unlanded(self._transaction, source, kind)

    # -- the rest of the table ---------------------------------------------------------------------------------

    def services(self, services: Iterable[OnlineService], on_demand: Iterable[OnlineOnDemand] = ()) -> None:
        """Writes the project's feature services and on-demand views, in place of those in the store."""
        with self._step():
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
        with self._step():
            self._missing.pop(view, None)
            held = self._views.pop(view, None)
            if held is not None:
                self._transaction.retire(held.table)
            _put(self._transaction, {f"{docs.VIEW}{view}": None, f"{docs.PUSHES}{view}": None})


def _same(before: StoredView, now: StoredView) -> bool:
    """Whether two states of a view differ in nothing but the load that made them."""
    return before == replace(now, load_id=before.load_id, loaded_at=before.loaded_at)


def _put(transaction: Transaction, documents: dict[str, Document | None]) -> None:
    for name, document in documents.items():
        transaction.write(name, document)
