"""Writes requests to push rows: one transaction for many of them, on the thread that owns the online table."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from asknown.emit.models import source_name
from asknown.errors import AsknownError
from asknown.instants import from_microseconds
from asknown.online.backend import open_for_pushes
from asknown.online.nodes import OnlineView, Owner, StoredView
from asknown.online.pushes import PushedRow, PushTable, PushTransaction
from asknown.project.nodes import Project
from asknown.store.followers import Follower, find_followers
from asknown.store.landing import last_landed, make_folders
from asknown.store.push_answers import PushAnswer, Request
from asknown.store.push_paths import PushPath
from asknown.store.pushed_rows import RowEngine, row_type

if TYPE_CHECKING:
    from asknown.store.feature_store import FeatureStore
    from asknown.store.written_views import WrittenView

_READ_AGAIN = 5.0  # seconds between two readings of a project that does not fit the table


class Definitions:
    """The project's side of pushes: the views that follow them, with their SQL, and how the table must have them."""

    def __init__(self, store: FeatureStore) -> None:
        from asknown.store.materialize import stored_for_online

        self.project: Project = store.project
        make_folders(self.project)
        catalog = store.typed_catalog
        self.engine = RowEngine(self.project)
        try:
            names = [name for name in catalog.models.views() if catalog.models.model(name).rendered.config.online]
            self.followers, self.paths = find_followers(catalog, self.engine, names)
            views = [follower.view for follower in self.followers.values()]
            self.online: dict[str, OnlineView] = {view.name: view for view in stored_for_online(views, catalog)}
        except BaseException:
            self.engine.close()
            raise
        self.least = last_landed(self.project)

    def of(self, source: str) -> list[Follower]:
        """The views that follow pushes into a source."""
        return [follower for follower in self.followers.values() if follower.source == source]


class PushWrites:
    """Writes requests into the online table. All calls but those of ``read_`` come from one thread."""

    def __init__(self, open_store: Callable[[], FeatureStore]) -> None:
        self._open_store = open_store
        self._definitions: Definitions | None = None
        self._table: PushTable | None = None
        self._read_at = 0.0

    def write(self, requests: Sequence[Request]) -> int:
        """Writes the requests and answers them, in one transaction if all can be written: how many rows it wrote.

        If that fails for one of them, each is written for itself, so that it fails alone.
        """
        try:
            definitions, table = self._current()
        except BaseException as error:  # whatever it is, nobody may wait for ever
            return _fail(requests, error)
        try:
            return _write_all(definitions, table, requests)
        except AsknownError as error:
            if error.code == "online-stale" and time.monotonic() - self._read_at > _READ_AGAIN:
                self._forget_definitions()
                return self.write(requests)
            if len(requests) == 1:
                return _fail(requests, error)
            return sum(self.write([request]) for request in requests)
        except BaseException as error:
            return _fail(requests, error)

    def read_paths(self) -> list[PushPath]:
        """Which views follow pushes into which source, and why the others do not."""
        store = self._open_store()
        try:
            definitions = Definitions(store)
        finally:
            store.close()
        definitions.engine.close()
        return definitions.paths

    def read_written(self, view: str) -> WrittenView:
        """How rows of a view are pushed."""
        from asknown.store.written_views import written_view

        store = self._open_store()
        try:
            return written_view(store.typed_catalog, view)
        finally:
            store.close()

    def read_offsets(self, topic: str) -> dict[int, int]:
        """The next offset of each partition of a topic."""
        store = self._open_store()
        try:
            online = store.project.profile.online
        finally:
            store.close()
        table = open_for_pushes(online.address, Owner(online.project, online.target))
        try:
            with table.transaction() as transaction:
                return transaction.offsets(topic)
        finally:
            table.close()

    def close(self) -> None:
        """Closes the table and the engine."""
        if self._table is not None:
            self._table.close()
            self._table = None
        self._forget_definitions()

    def _forget_definitions(self) -> None:
        if self._definitions is not None:
            self._definitions.engine.close()
            self._definitions = None

    def _current(self) -> tuple[Definitions, PushTable]:
        if self._definitions is None:
            store = self._open_store()
            try:
                self._definitions, self._read_at = Definitions(store), time.monotonic()
            finally:
                store.close()
        if self._table is not None and not self._table.is_in_place():
            self._table.close()
            self._table = None
        if self._table is None:
            online = self._definitions.project.profile.online
            self._table = open_for_pushes(online.address, Owner(online.project, online.target))
        return self._definitions, self._table


def _fail(requests: Sequence[Request], error: BaseException) -> int:
    """Answers requests with an error."""
    for request in requests:
        request.answer.set_exception(error)
    return 0


def _write_all(definitions: Definitions, table: PushTable, requests: Sequence[Request]) -> int:
    """Writes requests in one transaction and answers them: how many rows it wrote."""
    written = 0
    answers: list[tuple[Request, PushAnswer]] = []
    with table.transaction() as transaction:
        for source in dict.fromkeys(source_name(request.table) for request in requests):
            _check_views(definitions, transaction, source)
            some = [request for request in requests if source_name(request.table) == source]
            written += _write_source(definitions, transaction, source, some)
            seq, names = transaction.last().seq, tuple(view.view.name for view in _following(transaction, source))
            answers += [(request, request.answered(seq, names)) for request in some]
        for request in requests:
            if request.offsets is not None:
                transaction.keep_offsets(*request.offsets)
    for request, answer in answers:  # the rows are durable now
        request.answer.set_result(answer)
    return written


def _check_views(definitions: Definitions, transaction: PushTransaction, source: str) -> None:
    """Raises ``online-stale`` where the table has a view that follows the source from another definition."""
    stale = _find_stale(definitions, transaction, source)
    if stale is not None:
        raise AsknownError(
            "online-stale",
            f"'{stale}' follows pushes into '{source}', and the online table has it from another definition than "
            "the project's",
            hint=f"load it, then push again: asknown materialize {stale}",
        )


def _following(transaction: PushTransaction, source: str) -> list[StoredView]:
    return [view for view in transaction.views().values() if view.pushes is not None and view.pushes.source == source]


def _find_stale(definitions: Definitions, transaction: PushTransaction, source: str) -> str | None:
    """A view in the table that follows the source, or should, and is not what the project says."""
    for view in _following(transaction, source):
        online = definitions.online.get(view.view.name)
        if online is None or online.fingerprint != view.view.fingerprint or online != view.view:
            return view.view.name
    stored = transaction.views()
    for follower in definitions.of(source):
        held = stored.get(follower.view.name)
        if held is not None and (held.pushes is None or held.pushes.source != source):
            return follower.view.name
    return None


def _write_source(
    definitions: Definitions,
    transaction: PushTransaction,
    source: str,
    requests: Sequence[Request],
) -> int:
    """Writes the rows of one source that are no repeats: how many there are."""
    table = requests[0].table
    push = table.push
    assert push is not None
    windowed = next((f.view.name for f in definitions.of(source) if f.view.lifted is not None), None)
    accepted = _without_repeats(transaction, source, requests, windowed=windowed)
    if not accepted:
        return 0
    stamp = transaction.stamp(len(accepted), least=definitions.least)
    pushed = [
        PushedRow(stamp.seq + place, stamp.at + place, request.rows[number].values)
        for place, (request, number) in enumerate(accepted)
    ]
    kind = row_type(table)
    transaction.queue(source, kind, pushed)
    ids = [
        (request.rows[number].id, row.at)
        for (request, number), row in zip(accepted, pushed, strict=True)
        if request.rows[number].id is not None
    ]
    transaction.remember(source, ids, before=stamp.at - push.dedupe)
    by_arrival = {_spell(row.at): place for place, row in enumerate(pushed)}
    for (request, number), _ in zip(accepted, pushed, strict=True):
        if request.rows[number].event_time is None:
            request.tell(number, "skipped")
    last = pushed[-1]
    for view in _following(transaction, source):
        follower = definitions.followers[view.view.name]
        batches = follower.rows(definitions.engine, pushed)
        outcomes = transaction.apply(view.view.name, batches, at=last.at, seq=last.seq)
        if not follower.path.passes_arrival or view.view.known_at is None:
            continue
        for arrived in _arrivals(batches, view.view.known_at):
            place = by_arrival.get(arrived)
            if place is not None:
                request, number = accepted[place]
                request.tell(number, outcomes.get(arrived, "skipped"), windows=view.view.windows is not None)
    return len(pushed)


def _without_repeats(
    transaction: PushTransaction, source: str, requests: Sequence[Request], *, windowed: str | None
) -> list[tuple[Request, int]]:
    """The rows, by request and place, whose ids were not pushed before, neither earlier in these requests."""
    for request in requests:
        request.begin()
        if windowed is not None and any(row.id is None for row in request.rows):
            raise AsknownError(
                "push-no-id",
                f"'{source}' has no id, and feeds the windows of '{windowed}', in which a repeat would count twice",
                hint="declare one: push: {id: …}, or send ids with the rows",
            )
    given = [row.id for request in requests for row in request.rows if row.id is not None]
    known = transaction.seen(source, list(dict.fromkeys(given)))
    accepted = []
    for request in requests:
        for number, row in enumerate(request.rows):
            if row.id is not None and row.id in known:
                request.fates[number] = "duplicates"
                continue
            if row.id is not None:
                known.add(row.id)
            accepted.append((request, number))
    return accepted


def _arrivals(batches: Sequence[Any], known_at: str) -> list[str]:
    """The arrivals of the rows that came out of a view's SQL, as text."""
    columns = (batch.column(known_at) for batch in batches)
    moments = (moment for column in columns for moment in (column if isinstance(column, list) else column.to_pylist()))
    return [m.replace(tzinfo=None).isoformat(" ", "microseconds") for m in moments if m is not None]


def _spell(at: int) -> str:
    return from_microseconds(at).isoformat(" ", "microseconds")
