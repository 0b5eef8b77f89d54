"""Inspects an online table in a remote store: what it promises, what is damaged, stale, missing or old.

It changes nothing and disturbs neither readers nor loads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from asknown.addresses import StoreAddress
from asknown.errors import AsknownError, hidden
from asknown.online.codec import spell_instant
from asknown.online.inspection import Definitions, as_written, check_definitions, check_watermark, judge_expired
from asknown.online.nodes import Owner
from asknown.online.remote import documents as docs
from asknown.online.remote.documents import Placed, State
from asknown.online.remote.hashing import PartChange
from asknown.online.remote.store import PROMISES, Part, RemoteStore
from asknown.online.report import Check, Inspection


def inspect_store(
    address: StoreAddress,
    open_store: Callable[[StoreAddress], RemoteStore],
    definitions: Definitions | AsknownError | None = None,
    *,
    at: datetime | None = None,
    owner: Owner | None = None,
) -> Inspection:
    """Inspects the online table at ``address``. ``definitions``, if given, are the project's current views.

    Never raises for what is wrong with the store: that is a finding.
    """
    at = datetime.now(UTC) if at is None else at
    checks: list[Check] = []
    try:
        with closing(open_store(address)) as store:
            checks.extend(_check_strength(store))
            checks.extend(_check_store(store, address, definitions, at, owner))
    except AsknownError as error:
        checks.append(Check("server", str(address), "act", error.message, error.hint))
    return Inspection(address, at, tuple(checks))


def _check_strength(store: RemoteStore) -> Iterator[Check]:
    said = asdict(store.strength)
    for name, words in PROMISES.items():
        yield Check("strength", words.replace("`", ""), "ok", said[name].replace("`", ""))


def _check_store(
    store: RemoteStore,
    address: StoreAddress,
    definitions: Definitions | AsknownError | None,
    at: datetime,
    owner: Owner | None,
) -> Iterator[Check]:
    where = str(address)
    documents = store.documents()
    for name, value in store.describe():
        yield Check("server", name, "ok", hidden(value))
    yield from _check_settings(store, where)
    if not documents:
        error = docs.absent(address)
        yield Check("store", where, "act", error.message, "asknown materialize")
        return
    try:
        state = docs.read_state(documents, address, owner)
    except AsknownError as error:
        yield Check("owner" if error.code == "online-owner" else "store", where, "act", error.message, error.hint)
        return
    found = docs.read_owner(documents)
    if found is not None:
        yield Check("owner", where, "ok", str(found), facts={"project": found.project, "target": found.target})
    yield Check("store", where, "ok", f"layout {docs.LAYOUT}", facts={"layout": docs.LAYOUT})
    yield Check("content", "feature services", "ok", f"{len(state.services)}, as written")
    for name, why in state.broken.items():
        run = f"asknown materialize {name} --full-refresh"
        yield Check("content", name, "act", f"what the store says of the view {why}", run)
    for placed in state.views.values():
        yield from _check_view(store, placed, at)
    yield from _check_outbox(store, state, where)
    yield from check_definitions(state.stored(), state.broken, state.on_demand, definitions)


def _check_settings(store: RemoteStore, where: str) -> Iterator[Check]:
    """Whether the server's settings keep rows, and keep what was acknowledged."""
    for check, state in ((store.check_reads, "act"), (store.check_pushes, "note")):
        try:
            check()
        except AsknownError as error:
            yield Check("settings", where, "act" if state == "act" else "note", error.message, error.hint)
            return


def _check_view(store: RemoteStore, placed: Placed, at: datetime) -> Iterator[Check]:
    """Checks the content of a view's parts and its age."""
    stored = placed.stored
    name, ttl = stored.view.name, stored.view.ttl
    oldest = "" if ttl is None else _oldest(at, ttl)
    try:
        rows, expired, faults = _look(store, placed, oldest)
    except AsknownError as error:
        yield Check("content", name, "act", error.message, error.hint)
        return
    yield from faults or [as_written(stored)]
    yield check_watermark(stored, at)
    if ttl is not None:
        yield judge_expired(stored, ttl, at, rows, expired)


def _look(store: RemoteStore, placed: Placed, oldest: str) -> tuple[int, int, list[Check]]:
    """The number of a view's rows, of those with an event time before ``oldest``, and what is wrong with its parts."""
    stored, hashes = placed.stored, placed.stored.hashes
    expires = not store.strength.keeps_rows and stored.view.ttl is not None
    parts: list[tuple[Part, str | None]] = [("rows", None if expires else hashes.rows)]
    if stored.view.windows is not None:
        parts.append(("events", hashes.events))
        if stored.pushes is not None:
            parts.append(("pushed", hashes.pushed))
    if stored.ahead is not None:
        parts.append(("ahead", hashes.ahead))
    rows = expired = 0
    faults = []
    for part, written in parts:
        change = PartChange(part)
        for page in store.scan(placed.table, part):
            change.add(page)
            if part == "rows":
                rows += len(page)
                times = [_whole(str(row[placed.table.event_time])) for _, row in page if isinstance(row, tuple)]
                expired += sum(time < oldest for time in times)
        if written is not None and change.apply(None) != written:
            found = f"its {part} are not those that were written: they are damaged, or were changed by hand"
            run = f"asknown materialize {stored.view.name} --full-refresh"
            faults.append(Check("content", stored.view.name, "act", found, run))
    return rows, expired, faults


def _whole(time: str) -> str:
    """A stored time with its time of day, which a date lacks."""
    return time if len(time) > 10 else f"{time} 00:00:00.000000"


def _oldest(at: datetime, ttl: int) -> str:
    try:
        return spell_instant(at - timedelta(microseconds=ttl))
    except OverflowError:
        return ""  # before all time


def _check_outbox(store: RemoteStore, state: State, where: str) -> Iterator[Check]:
    """Checks the rows that were pushed and have not landed: they are in no other place than this store."""
    pushes = [placed.stored.pushes for placed in state.views.values()]
    sources = sorted({one.source for one in pushes if one is not None})
    if not sources:
        return
    if store.has_queued(sources):
        found = "pushed rows wait to land in their source's folder: the next load or training query lands them"
        yield Check("pushes", where, "note", found)
    else:
        yield Check("pushes", where, "ok", "no pushed row waits to land")
