"""The backends of the online table: their protocols, the table that lists them, and the function that opens one.

Only this module of ``online/`` knows the backends' packages. It imports a package when it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, runtime_checkable

from asknown.addresses import Address, StoreAddress
from asknown.errors import AsknownError
from asknown.online.nodes import OnlineOnDemand, OnlineService, OnlineView, Owner, StoredView
from asknown.paths import absolute

if TYPE_CHECKING:
    from asknown.online.answer import Answer
    from asknown.online.pushes import PushedRow, PushTable
    from asknown.online.remote.store import RemoteStore
    from asknown.online.report import AheadReport, EventReport, Inspection, LoadReport
    from asknown.online.request import Query
    from asknown.online.snapshots import Followed, Manifest
    from asknown.types import SqlType


Library = Literal["sqlite3", "apsw"]
"""The library that reads an SQLite file: Python's own library, or apsw, which brings a current SQLite."""


class Backend(Protocol):
    """One online table, open for reading by any number of threads.

    The table is that of its owner, where one was given.
    """

    def views(self) -> Mapping[str, StoredView]:
        """The views in the table, by name."""

    def services(self) -> Mapping[str, OnlineService]:
        """The feature services in the table, by name."""

    def on_demand(self) -> Mapping[str, OnlineOnDemand]:
        """The on-demand views in the table, by name."""

    def keys(self, view: str) -> Iterator[tuple[Any, ...]]:
        """The keys of all rows of a view, in no order that means anything."""

    def read(self, query: Query, instant: datetime, *, latest: bool = False) -> Answer:
        """The answer to a query at an instant (naive, in UTC), read from one state of the table.

        ``latest``: the instant is the present; if a row was pushed after it, the read is as of this row's arrival.
        """

    def interrupt(self, thread: int) -> None:
        """Stops the query that the thread runs now, if any."""

    def close(self) -> None:
        """Closes the table."""


class LoadWriter(Protocol):
    """One load of the online table, as a context manager: committed at its end, undone by any exception."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

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
        """Makes a view's table hold exactly the rows of ``batches``, one for each key, as known at the watermark."""

    def load_events(
        self,
        view: OnlineView,
        batches: Iterable[Any],
        watermark: datetime,
        *,
        on_rows: Callable[[int], None] | None = None,
    ) -> EventReport:
        """Makes a view's events those of ``batches``; after :meth:`load`, with its watermark."""

    def load_ahead(self, view: OnlineView, batches: Iterable[Any], watermark: datetime, max_ahead: int) -> AheadReport:
        """Makes a view's rows ahead those of ``batches``, up to ``max_ahead`` microseconds after the watermark."""

    def load_pushed(
        self, view: OnlineView, source: str | None, batches: Iterable[Any] = (), *, at: int = 0, seq: int = 0
    ) -> None:
        """Puts the pushed rows that this load cannot have seen beside what it brought; after all else of the view."""

    def unlanded(self, source: str, kind: SqlType) -> Sequence[PushedRow]:
        """The rows that were pushed into ``source`` and have not landed."""

    def services(self, services: Iterable[OnlineService], on_demand: Iterable[OnlineOnDemand] = ()) -> None:
        """Writes the project's feature services and on-demand views, in place of those in the table."""

    def stored(self) -> Mapping[str, StoredView]:
        """The views in the table as this load sees them."""

    def forget(self, view: str) -> None:
        """Removes a view and its rows; a view that is not there is no error."""


@runtime_checkable
class AddingWriter(LoadWriter, Protocol):
    """A load of a table that can also add new rows to a view, and knows what its last load read of the sources."""

    def noted(self, view: str) -> str | None:
        """The note of a view's last load about its sources; None where it noted nothing."""

    def note(self, view: str, text: str | None) -> None:
        """Keeps what this load read of a view's sources. After all else of the view; a load without it keeps None."""

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
        """Adds new rows to what the table has of a view, and moves it on to the watermark; in place of ``load``.

        The batches are those of :meth:`load`, :meth:`load_events` and :meth:`load_ahead`, of new rows alone.
        """


def _postgres() -> type[RemoteStore]:
    from asknown.online.postgres.store import PostgresStore

    return PostgresStore


def _valkey() -> type[RemoteStore]:
    from asknown.online.valkey.store import ValkeyStore

    return ValkeyStore


STORES: dict[str, Callable[[], type[RemoteStore]]] = {"postgres": _postgres, "valkey": _valkey}
"""The stores on a server by their type in profiles.yml, each a function that imports its class.

The online table without one of these types is an SQLite file.
"""


def open_store(address: StoreAddress) -> RemoteStore:
    """The store at ``address``. Nothing is connected yet. Errors: ``missing-extra``."""
    return STORES[address.type]()(address)


def open_backend(address: str | Address, library: Library = "sqlite3", owner: Owner | None = None) -> Backend:
    """The online table at ``address``, open for reading. Errors: those of :class:`asknown.OnlineReader`.

    ``library`` is what reads an SQLite file. Where ``owner`` is given, the table must be that of this project and
    target.
    """
    if isinstance(address, StoreAddress):
        from asknown.online.remote.backend import RemoteBackend

        return RemoteBackend(open_store(address), address, owner)
    from asknown.online.sqlite.reader import SQLiteBackend

    return SQLiteBackend(address, library, owner)


def open_writer(
    address: str | Address,
    *,
    timeout: float = 5.0,
    max_skew: timedelta | None = None,
    on_wait: Callable[[str], None] | None = None,
    owner: Owner | None = None,
) -> LoadWriter:
    """A load of the online table of ``owner`` at ``address``, to be used in a ``with`` statement."""
    if isinstance(address, StoreAddress):
        from asknown.online.remote.writer import RemoteWriter

        store = open_store(address)
        return RemoteWriter(store, address, timeout=timeout, max_skew=max_skew, on_wait=on_wait, owner=owner)
    from asknown.online.sqlite.writer import OnlineWriter

    return OnlineWriter(address, timeout=timeout, max_skew=max_skew, on_wait=on_wait, owner=owner)


def open_for_pushes(address: Address, owner: Owner, *, timeout: float = 60.0) -> PushTable:
    """The online table of ``owner`` at ``address``, open for pushes by one thread. It is made if it is not there."""
    if isinstance(address, StoreAddress):
        from asknown.online.remote.pushes import RemotePushTable

        return RemotePushTable(open_store(address), address, owner, timeout=timeout)
    from asknown.online.sqlite.push import PushFile

    return PushFile(address, owner, timeout=timeout)


def has_unlanded(address: Address, sources: Iterable[str]) -> bool:
    """Whether the online table, if there is one, has pushed rows of one of these sources that have not landed."""
    if isinstance(address, StoreAddress):
        from asknown.online.remote import pushes

        with closing(open_store(address)) as store:
            return pushes.has_unlanded(store, sources)
    from asknown.online.sqlite.push import has_unlanded

    return has_unlanded(address, sources)


@contextmanager
def load_lock(address: Address, wait: float, on_wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Lets in one load of a table that takes pushes, or one landing of rows. Waits up to ``wait`` seconds."""
    if isinstance(address, StoreAddress):
        with closing(open_store(address)) as store, store.load_lock(wait=wait, on_wait=on_wait):
            yield
        return
    from asknown.online.sqlite import lock

    held = lock.acquire(address, wait, on_wait, suffix="load.lock")
    try:
        yield
    finally:
        lock.release(held)


def inspect_table(
    address: str | Address,
    definitions: Mapping[str, OnlineView | OnlineOnDemand | AsknownError] | AsknownError | None = None,
    *,
    owner: Owner | None = None,
) -> Inspection:
    """Inspects the online table at ``address``, and compares it with ``definitions``, the views that the project loads.

    Where ``owner`` is given, the table must be that of this target. Problems of the table become
    findings; none is raised.
    """
    if isinstance(address, StoreAddress):
        from asknown.online.remote.doctor import inspect_store

        return inspect_store(address, open_store, definitions, owner=owner)
    from asknown.online.sqlite.doctor import inspect_file

    return inspect_file(address, definitions, owner=owner)


def publish_table(address: str | Address, place: str, *, owner: Owner | None = None) -> Manifest:
    """Publishes a snapshot of the online table at ``address`` to a folder or an address, and gives what it says.

    Errors: ``online-file`` for a table that is no file.
    """
    path = file_of(address, "publish")
    from asknown.online.sqlite.snapshots import publish

    return publish(path, place, owner)


def follow_table(place: str, replica: str | Path, *, known: str | None = None, allow_older: bool = False) -> Followed:
    """Makes the file ``replica`` what is published at ``place``. ``known`` is the replica's hash, if it is known."""
    from asknown.online.sqlite.snapshots import follow

    return follow(place, absolute(replica), known=known, allow_older=allow_older)


def file_of(address: str | Address, command: str) -> Path:
    """The file of an online table, for what only a file can do. Raises ``online-file`` for another table."""
    if isinstance(address, StoreAddress):
        raise AsknownError(
            "online-file",
            f"{command} works with an SQLite file, and this project's online table is the {address}",
            hint="all machines can read that store itself: asknown serve; "
            "for files, write under 'online' in profiles.yml: type: sqlite",
        )
    return absolute(address)
