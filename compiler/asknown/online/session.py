"""Connections to the online table for reading: one a thread, none across a fork, each read one state of the file."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from asknown.errors import AsknownError
from asknown.online.faults import check_sqlite, explain
from asknown.online.metadata import find_layout, read_services, read_views
from asknown.online.nodes import OnlineService, StoredView
from asknown.online.request import Request


class Session:
    """A thread's connection, with what it last read of the file's metadata.

    ``identity`` tells the open file from another in its place. ``requests`` keeps request shapes resolved, until
    the metadata changes.
    """

    def __init__(self, connection: sqlite3.Connection, identity: tuple[int, ...]) -> None:
        self.connection = connection
        self.cursor = connection.cursor()
        self.identity = identity
        self.pid = os.getpid()
        self.views: dict[str, StoredView] = {}
        self.services: dict[str, OnlineService] = {}
        self.requests: dict[tuple[object, ...], Request] = {}
        self._version = -1

    def refresh(self, path: Path) -> None:
        """Reads the metadata anew where another connection has changed the file."""
        version = self.cursor.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:
            self.views = read_views(self.connection, path)
            self.services = read_services(self.connection, path)
            self.requests.clear()
            self._version = version


_inherited: list[Session] = []
"""Sessions that a fork carried into this process. SQLite forbids any use of them here, closing them included."""


class Sessions:
    """The sessions of one reader, by thread. A thread that ended leaves its session to the next of its number."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._by_thread: dict[int, Session] = {}
        self._closed = False

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """This thread's session inside a read transaction: all that is read in it is of one state of the file."""
        try:
            session = self._current()
            session.cursor.execute("BEGIN")
            try:
                session.refresh(self.path)
                yield session
            finally:
                session.cursor.execute("COMMIT")
        except sqlite3.Error as error:
            meaning = explain(error, self.path)
            if meaning is None:
                raise
            raise meaning from error

    def close(self) -> None:
        """Closes the connections of all threads."""
        self._closed = True
        self._set_inherited_aside()
        while self._by_thread:
            self._by_thread.popitem()[1].connection.close()

    def _current(self) -> Session:
        if self._closed:
            raise ValueError("the reader is closed")
        thread = threading.get_ident()
        held = self._by_thread.get(thread)
        if held is not None and held.pid != os.getpid():
            self._set_inherited_aside()
            held = None
        if held is not None:
            if held.identity == self._identity(still=len(held.identity) > 2):
                if held.connection.in_transaction:  # an interrupt hit the last read at a bad moment
                    held.connection.rollback()
                return held
            del self._by_thread[thread]  # another file lies there now
            held.connection.close()
        self._by_thread[thread] = session = self._open()
        return session

    def _set_inherited_aside(self) -> None:
        for thread, session in list(self._by_thread.items()):
            if session.pid != os.getpid():
                _inherited.append(session)
                self._by_thread.pop(thread, None)

    def _open(self) -> Session:
        check_sqlite(sqlite3.sqlite_version_info)
        if self.path.is_dir():
            raise self._absent("is a folder")
        try:
            return self._open_as("mode=ro", still=False)
        except sqlite3.OperationalError as error:
            refusal = error
        # Where nobody writes, SQLite needs none of the files by which it would share the table with a writer.
        if _cannot_open(refusal) and self._is_still():
            try:
                return self._open_as("mode=ro&immutable=1", still=True)
            except sqlite3.OperationalError as error:
                refusal = error
        if _cannot_open(refusal):
            raise self._absent(f"cannot be opened: {refusal}") from refusal
        raise refusal

    def _open_as(self, options: str, *, still: bool) -> Session:
        identity = self._identity(still=still)
        return Session(self._connect(options), identity)

    def _connect(self, options: str) -> sqlite3.Connection:
        location = f"{self.path.as_uri()}?{options}"
        connection = sqlite3.connect(location, uri=True, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA query_only = 1")
            connection.execute("PRAGMA cache_size = -65536")
            if not find_layout(connection, self.path):
                raise self._absent("is empty: no load has finished")
        except BaseException:
            connection.close()
            raise
        return connection

    def _identity(self, *, still: bool = False) -> tuple[int, ...]:
        """What tells the file from another; of a file that must lie still, its time and size as well."""
        try:
            found = self.path.stat()
        except FileNotFoundError as error:
            raise self._absent("does not exist") from error
        except OSError as error:
            raise self._absent(f"cannot be opened: {error.strerror}") from error
        whole = (found.st_ino, found.st_dev, found.st_mtime_ns, found.st_size)
        return whole if still else whole[:2]

    def _is_still(self) -> bool:
        """Whether the file lies where it cannot change: an unwritable folder, with no log of a writer in it."""
        log = Path(f"{self.path}-wal")
        return not os.access(self.path.parent, os.W_OK) and not (log.exists() and log.stat().st_size)

    def _absent(self, why: str) -> AsknownError:
        return AsknownError("no-online", f"the online table {self.path} {why}", hint="load it: asknown materialize")


def _cannot_open(error: sqlite3.Error) -> bool:
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
