"""Connections to the online table for reading: one a thread, none across a fork, each read one state of the file."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from asknown.errors import AsknownError
from asknown.online import sqlite
from asknown.online.faults import explain
from asknown.online.metadata import find_layout, read_services, read_views
from asknown.online.nodes import OnlineService, StoredView
from asknown.online.read_plan import ReadPlan

LOOK_AGAIN = 0.05
"""Seconds after which a reader looks whether another file lies in the place of the one it has open."""

Identity = tuple[int, ...]


class Session:
    """A thread's connection, with what it last read of the file's metadata.

    ``identity`` tells the open file from another in its place. ``plans`` keeps request shapes resolved, until the
    metadata changes.
    """

    def __init__(self, connection: sqlite3.Connection, identity: Identity) -> None:
        self.connection = connection
        self.cursor: Any = connection.cursor()
        self.identity = identity
        self.still = len(identity) > 2
        self.pid = os.getpid()
        self.look_again = 0.0
        self.views: dict[str, StoredView] = {}
        self.services: dict[str, OnlineService] = {}
        self.plans: dict[tuple[object, ...], ReadPlan] = {}
        self._version = -1

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """The cursor, all of whose statements are of one state of the file."""
        self.cursor.execute("BEGIN")
        try:
            yield self.cursor
        except BaseException:
            if self.connection.in_transaction:
                self.connection.rollback()
            raise
        self.cursor.execute("COMMIT")

    def refresh(self, path: Path) -> None:
        """Reads the metadata anew where another connection has changed the file."""
        version = self.cursor.execute("PRAGMA data_version").fetchall()[0][0]
        if version != self._version:
            self.views = read_views(self.connection, path)
            self.services = read_services(self.connection, path)
            self.plans.clear()
            self._version = version

    def close(self) -> None:
        """Closes the connection."""
        self.connection.close()
        sqlite.release((self.identity[0], self.identity[1]))


_inherited: list[Session] = []
"""Sessions that a fork carried into this process. SQLite forbids any use of them here, closing them included."""


class Sessions:
    """The sessions of one reader, by thread. A thread that ended leaves its session to the next of its number."""

    def __init__(self, path: Path, library: sqlite.Library) -> None:
        self.path = path
        self.errors = sqlite.errors(library)
        self._library = library
        self._by_thread: dict[int, Session] = {}
        self._closed = False

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """This thread's session, with the metadata of the state of the file that all is read of inside."""
        try:
            session = self.current()
            with session.transaction():
                session.refresh(self.path)
                yield session
        except self.errors as error:
            same = sqlite.as_sqlite3(error)
            meaning = explain(same, self.path)
            if meaning is None:
                raise
            raise meaning from error

    def current(self) -> Session:
        """This thread's session, in no transaction. Its metadata may be that of an earlier state of the file."""
        if self._closed:
            raise ValueError("the reader is closed")
        thread = threading.get_ident()
        session = self._by_thread.get(thread)
        if session is not None and session.pid != os.getpid():
            self._set_inherited_aside()
            session = None
        if session is None:
            session = self._by_thread[thread] = self._open()
        elif monotonic() >= session.look_again or session.still:
            session = self._look_again(thread, session)
        if session.connection.in_transaction:  # an interrupt hit the last read at a bad moment
            session.connection.rollback()
        return session

    def close(self) -> None:
        """Closes the connections of all threads."""
        self._closed = True
        self._set_inherited_aside()
        while self._by_thread:
            self._by_thread.popitem()[1].close()

    def _look_again(self, thread: int, session: Session) -> Session:
        """The session, or a new one where another file lies in its file's place now."""
        if session.identity != self._identity(still=session.still):
            del self._by_thread[thread]
            session.close()
            session = self._by_thread[thread] = self._open()
        session.look_again = monotonic() + LOOK_AGAIN
        return session

    def _set_inherited_aside(self) -> None:
        for thread, session in list(self._by_thread.items()):
            if session.pid != os.getpid():
                _inherited.append(session)
                self._by_thread.pop(thread, None)

    def _open(self) -> Session:
        if os.path.isdir(self.path):  # noqa: PTH112 - of a folder that may not be entered, Path raises before 3.13
            raise self._absent("is a folder")
        refusal: sqlite3.Error
        try:
            return self._open_as(still=False)
        except self.errors as error:
            refusal = sqlite.as_sqlite3(error)
        # Where nobody writes, SQLite needs none of the files by which it would share the table with a writer.
        if _cannot_open(refusal) and self._is_still():
            try:
                return self._open_as(still=True)
            except self.errors as error:
                refusal = sqlite.as_sqlite3(error)
        if _cannot_open(refusal):
            raise self._absent(f"cannot be opened: {refusal}") from refusal
        raise refusal

    def _open_as(self, *, still: bool) -> Session:
        identity = self._identity(still=still)
        file = (identity[0], identity[1])
        sqlite.claim(file, self._library, str(self.path))
        try:
            connection = sqlite.connect(str(self.path), self._library, still=still)
        except BaseException:
            sqlite.release(file)
            raise
        session = Session(connection, identity)
        try:
            if not find_layout(connection, self.path):
                raise self._absent("is empty: no load has finished")
        except BaseException:
            session.close()
            raise
        return session

    def _identity(self, *, still: bool = False) -> Identity:
        """What tells the file from another; of a file that must lie still, its time and size as well."""
        try:
            found = self.path.stat()
        except FileNotFoundError as error:
            raise self._absent("does not exist") from error
        except OSError as error:
            raise self._absent(f"cannot be opened: {error.strerror}") from error
        whole = (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)
        return whole if still else whole[:2]

    def _is_still(self) -> bool:
        """Whether the file lies where it cannot change: an unwritable folder, with no log of a writer in it."""
        log = Path(f"{self.path}-wal")
        return not os.access(self.path.parent, os.W_OK) and not (log.exists() and log.stat().st_size)

    def _absent(self, why: str) -> AsknownError:
        return AsknownError("no-online", f"the online table {self.path} {why}", hint="load it: asknown materialize")


def _cannot_open(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
