"""Reads requests from a remote store: by the plan of an earlier request of the same shape, else by its documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from asknown.addresses import StoreAddress
from asknown.errors import AsknownError
from asknown.instants import from_microseconds
from asknown.online.answer import Answer, UnreadableError, before_push
from asknown.online.codec import decoder
from asknown.online.nodes import OnlineOnDemand, OnlineService, Owner, StoredView
from asknown.online.remote.documents import State, absent, broken_view, damaged, read_state
from asknown.online.remote.plan import Moved, RemotePlan
from asknown.online.remote.store import RemoteStore
from asknown.online.request import MISSING, Query, Shape
from asknown.online.resolve import resolve

_MOST_PLANS = 256  # request shapes kept resolved
_MOST_TRIES = 20  # a read that loads overtake so often is an error
_FINAL = ("online-server", "online-settings", "missing-extra")  # errors that the documents have no part in


class _Known:
    """The documents as they were last read, with the plans of requests that fit them."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.plans: dict[Shape, RemotePlan] = {}


class RemoteBackend:
    """The online table of ``owner`` in ``store``, open for reading by any number of threads."""

    def __init__(self, store: RemoteStore, address: StoreAddress, owner: Owner | None = None) -> None:
        self._store = store
        self._address = address
        self._owner = owner
        try:
            store.check_reads()
            self._known = _Known(self._read_state())
        except BaseException:
            store.close()
            raise

    def views(self) -> Mapping[str, StoredView]:
        """The views in the store, by name."""
        state = self._refreshed().state
        for name, why in state.broken.items():
            raise broken_view(self._address, name, why)
        return state.stored()

    def services(self) -> Mapping[str, OnlineService]:
        """The feature services in the store, by name."""
        return self._refreshed().state.services

    def on_demand(self) -> Mapping[str, OnlineOnDemand]:
        """The on-demand views in the store, by name."""
        return self._refreshed().state.on_demand

    def keys(self, view: str) -> Iterator[tuple[Any, ...]]:
        """The keys of all rows of a view, in no order that means anything."""
        table = self._refreshed().state.views[view].table
        decoders = [decoder(column.type) or _same for column in table.keys]
        for page in self._store.keys(table, "rows"):
            for key in page:
                yield tuple(decode(value) for decode, value in zip(decoders, key, strict=True))

    def interrupt(self, thread: int) -> None:
        """Stops the call that the thread runs now, if any."""
        self._store.interrupt(thread)

    def close(self) -> None:
        """Closes the connections of all threads."""
        self._store.close()

    def read(self, query: Query, instant: datetime, *, latest: bool = False) -> Answer:
        """The answer to ``query`` at ``instant`` (naive, in UTC); ``latest`` says that this is the present."""
        known = self._known
        plan = known.plans.get(query.shape)
        if plan is not None and plan.earliest <= instant < plan.beyond:
            try:
                answer = self._attempt(plan, query, instant)
                if isinstance(answer, Answer):
                    return answer
            except AsknownError as error:
                if error.code in _FINAL:
                    raise
            except (UnreadableError, TypeError):
                pass  # it may be the plan that is out of date: the store as it is now has the last word
        return self._read_anew(query, instant, latest=latest)

    def _read_anew(self, query: Query, instant: datetime, *, latest: bool) -> Answer:
        """The answer, by what the documents say now. All errors of a read come from here."""
        query.check()
        for _ in range(_MOST_TRIES):
            known = self._refreshed()
            plan = known.plans.get(query.shape)
            if plan is None:
                plan = self._make_plan(known, query)
            moved = self._attempt_or_refuse(plan, query, instant)
            if isinstance(moved, Moved):
                pushed = from_microseconds(moved.at)
                if not latest:
                    raise before_push(moved.view, pushed, instant)
                instant = pushed
                moved = self._attempt_or_refuse(plan, query, instant)
            if isinstance(moved, Answer):
                return moved
        raise AsknownError(
            "online-server",
            f"the {self._address} changed during each of {_MOST_TRIES} attempts to read it",
            hint="run fewer loads at one time, and push several rows in one call",
        )

    def _attempt_or_refuse(self, plan: RemotePlan, query: Query, instant: datetime) -> Answer | Moved | None:
        plan.check_instant(instant)
        try:
            return self._attempt(plan, query, instant)
        except UnreadableError as error:
            raise damaged(self._address, f"a value is not of its column's type: {error}") from error

    def _attempt(self, plan: RemotePlan, query: Query, instant: datetime) -> Answer | Moved | None:
        columns = query.columns
        if columns.ragged:
            plan.request.check_rows(columns.values, MISSING)
        return plan.read(self._store, columns.values, columns.count, instant)

    def _make_plan(self, known: _Known, query: Query) -> RemotePlan:
        """The plan of a query, checked against the columns given; a query of no rows has none to check."""
        references, full_names, names = query.shape
        state = known.state
        for name, why in state.broken.items():
            raise broken_view(self._address, name, why)
        request = resolve(references, state.stored(), state.services, state.on_demand, full_names=full_names)
        if names is not None:
            request.check_columns(names)
        if len(known.plans) >= _MOST_PLANS:
            known.plans.clear()
        plan = known.plans[query.shape] = RemotePlan(request, references, state)
        return plan

    def _refreshed(self) -> _Known:
        """The documents as they are now. Plans stay where only pushes have come."""
        state = self._read_state()
        known = _Known(state)
        before = self._known
        if before.state.versions == state.versions:
            known.plans = before.plans
        self._known = known
        return known

    def _read_state(self) -> State:
        documents = self._store.documents()
        if not documents:
            raise absent(self._address)
        return read_state(documents, self._address, self._owner)


def _same(value: Any) -> Any:
    return value
