"""Connections for reading: one for each thread, none shared across a fork; each read sees one state of the file.

A connection uses Python's own sqlite3, or apsw, which has a current SQLite of its own, through the same few calls. Two
copies of SQLite in one process must not have the same file open: closing it in one drops the locks that the other holds
(https://www.sqlite.org/howtocorrupt.html, section 2.2.1). So :func:`claim` makes all readers of a file in one process
use the same library.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from asknown.errors import AsknownError
from asknown.online.backend import Library
from asknown.online.nodes import OnlineOnDemand, OnlineService, Owner, StoredView
from asknown.online.sqlite.errors import absent, check_sqlite, explain, why_not
from asknown.online.sqlite.metadata import read_on_demand, read_services, read_views
from asknown.online.sqlite.migrations import find_layout
from asknown.online.sqlite.owner import check_owner, check_parts

if TYPE_CHECKING:
    from asknown.online.sqlite.read_plan import ReadPlan

File = tuple[int, int]
"""The device and the number of a file."""

_CACHE = "PRAGMA cache_size = -65536"  # 64 MB
_WAIT = 5_000  # milliseconds that a reader waits, for example for recovery after a kill

_open: dict[File, list[Library]] = {}
_opening = threading.Lock()


def _free_after_fork() -> None:
    """Makes the lock free in a forked process, in which no other thread lives that could release it."""
    global _opening  # noqa: PLW0603
    _opening = threading.Lock()


if hasattr(os, "register_at_fork"):  # Windows has no forks
    os.register_at_fork(after_in_child=_free_after_fork)


def connect(path: str, library: Library, *, still: bool = False) -> sqlite3.Connection:
    """A connection that can only read; of apsw, what this package needs of one. ``still``: the file cannot change."""
    escaped = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    location = f"file:{escaped}?mode=ro{'&immutable=1' if still else ''}"
    if library == "apsw":
        return cast(sqlite3.Connection, ApswConnection(location))
    check_sqlite(sqlite3.sqlite_version_info)
    connection = sqlite3.connect(
        location, uri=True, isolation_level=None, check_same_thread=False, timeout=_WAIT / 1000, cached_statements=512
    )
    connection.execute("PRAGMA query_only = 1")
    connection.execute(_CACHE)
    return connection


def errors(library: Library) -> tuple[type[Exception], ...]:
    """The exceptions by which the library says that SQLite failed."""
    own = (sqlite3.Error, UnicodeDecodeError)  # the second where a text, or SQLite's message, is damaged
    return own if library == "sqlite3" else (*own, _load(library).Error)


def as_sqlite3(error: Exception) -> sqlite3.Error:
    """The error as Python's own library would raise it."""
    if isinstance(error, sqlite3.Error):
        return error
    if isinstance(error, UnicodeDecodeError):
        return sqlite3.OperationalError(f"Could not decode to UTF-8: {error}")
    same = sqlite3.OperationalError(str(error))
    same.sqlite_errorcode = getattr(error, "extendedresult", 0) or getattr(error, "result", 0)
    return same


def claim(file: File, library: Library, path: str) -> None:
    """Notes that the file is open in this process; another library may then not open it."""
    with _opening:
        held = _open.setdefault(file, [])
        if held and held[0] != library:
            raise AsknownError(
                "bad-value",
                f"{path} is open in this process by {held[0]}, and cannot be opened by {library} beside it: "
                "two copies of SQLite would drop each other's locks",
                hint=f"read with library='{held[0]}', or close the other reader first",
            )
        held.append(library)


@contextmanager
def claimed(path: Path, library: Library) -> Iterator[None]:
    """:func:`claim` of the file at ``path``, where there is one, for as long as the block lasts."""
    try:
        found = path.stat()
    except OSError:
        yield  # no file, so nothing to claim
        return
    file = (found.st_dev, found.st_ino)
    claim(file, library, str(path))
    try:
        yield
    finally:
        release(file)


def release(file: File) -> None:
    """Undoes one :func:`claim` of the file."""
    with _opening:
        held = _open.get(file, [])
        if held:
            held.pop()
        if not held:
            _open.pop(file, None)


class ApswConnection:
    """A connection of apsw with the calls of ``sqlite3.Connection`` that reading uses. Cursors are apsw's own."""

    def __init__(self, location: str) -> None:
        apsw = _load("apsw")
        self._connection = apsw.Connection(
            location, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI, statementcachesize=512
        )
        self._connection.set_busy_timeout(_WAIT)
        # Without this, an SQLite with STAT4 plans a statement again whenever its keys change.
        self._connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        self.execute("PRAGMA query_only = 1")
        self.execute(_CACHE)

    @property
    def in_transaction(self) -> bool:
        return not self._connection.get_autocommit()

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> _Rows:
        return _Rows(self._connection.cursor(), sql, parameters)

    def cursor(self) -> Any:
        return self._connection.cursor()

    def rollback(self) -> None:
        self.execute("ROLLBACK")

    def interrupt(self) -> None:
        self._connection.interrupt()

    def close(self) -> None:
        self._connection.close(True)


class _Rows:
    """The rows of a statement, with their description even if there are no rows, which apsw does not provide."""

    def __init__(self, cursor: Any, sql: str, parameters: Sequence[Any]) -> None:
        self.description: tuple[Any, ...] = ()
        cursor.exec_trace = self._describe
        self._rows = iter(cursor.execute(sql, parameters).fetchall())

    def _describe(self, cursor: Any, sql: str, parameters: Any) -> bool:
        self.description = cursor.get_description()
        return True

    def __iter__(self) -> _Rows:
        return self

    def __next__(self) -> Any:
        return next(self._rows)

    def fetchone(self) -> Any:
        return next(self._rows, None)

    def fetchall(self) -> list[Any]:
        return list(self._rows)


def _load(library: Library) -> Any:
    try:
        return import_module(library)
    except ImportError as error:
        raise AsknownError(
            "missing-extra", f"reading with {library} needs {library}", hint=f"type: pip install 'asknown[{library}]'"
        ) from error


_LOADED = """
SELECT name FROM sqlite_master WHERE type = 'table'
AND name IN ('_asknown_views', '_asknown_services', '_asknown_on_demand', '_asknown_owner') ORDER BY name
"""

LOOK_AGAIN = 0.05
"""Seconds after which a reader looks whether another file lies in the place of the one it has open."""

Identity = tuple[int, ...]


class Session:
    """A thread's connection, with what it last read of the file's metadata.

    ``identity`` distinguishes the open file from one that replaces it. ``plans`` caches the plans of requests until the
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
        self.on_demand: dict[str, OnlineOnDemand] = {}
        self.plans: dict[tuple[object, ...], ReadPlan] = {}
        self._version = -1
        self._loaded: tuple[Any, ...] | None = None

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

    def refresh(self, path: Path, owner: Owner | None) -> None:
        """Reads the metadata again if another connection has changed the file, which must be that of ``owner``."""
        version = self.cursor.execute("PRAGMA data_version").fetchall()[0][0]
        if version == self._version:
            return
        loaded = self._loaded_metadata()
        if loaded != self._loaded:  # else only pushes have come, and plans still fit
            check_parts(self.connection, path)
            if owner is not None:
                check_owner(self.connection, path, owner)
            self.services = read_services(self.connection, path)
            self.on_demand = read_on_demand(self.connection, path)
            self.plans.clear()
        self.views = read_views(self.connection, path)
        self._version, self._loaded = version, loaded

    def _loaded_metadata(self) -> tuple[Any, ...]:
        """The metadata that loads write, as it lies in the file, and SQLite's own version of the tables."""
        schema = self.cursor.execute("PRAGMA schema_version").fetchall()
        names = [name for (name,) in self.cursor.execute(_LOADED).fetchall()]
        return (schema, *(self.cursor.execute(f"SELECT * FROM {name}").fetchall() for name in names))

    def close(self) -> None:
        """Closes the connection."""
        self.connection.close()
        release((self.identity[0], self.identity[1]))


_inherited: list[Session] = []
"""Sessions that a fork carried into this process. SQLite forbids any use of them here, closing them included."""


class Sessions:
    """The sessions of one reader, by thread. When a thread has ended, a new thread takes over its session."""

    def __init__(self, path: Path, library: Library, owner: Owner | None = None) -> None:
        self.path = path
        self.owner = owner
        self.errors = errors(library)
        self._library = library
        self._by_thread: dict[int, Session] = {}
        self._closed = False

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """This thread's session in a transaction, with the metadata of the state that the transaction reads."""
        try:
            session = self.current()
            with session.transaction():
                session.refresh(self.path, self.owner)
                yield session
        except self.errors as error:
            same = as_sqlite3(error)
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

    def interrupt(self, thread: int) -> None:
        """Stops the query that the thread runs now, if any."""
        session = self._by_thread.get(thread)
        if session is not None and session.pid == os.getpid():
            session.connection.interrupt()

    def close(self) -> None:
        """Closes the connections of all threads."""
        self._closed = True
        self._set_inherited_aside()
        while self._by_thread:
            self._by_thread.popitem()[1].close()

    def _look_again(self, thread: int, session: Session) -> Session:
        """The session, or a new one if another file has replaced its file."""
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
        if why := why_not(self.path):
            raise absent(self.path, why)
        refusal: sqlite3.Error
        try:
            return self._open_as(still=False)
        except self.errors as error:
            refusal = as_sqlite3(error)
        # Where no process can write, SQLite needs no files for sharing the table with a writer.
        if _cannot_open(refusal) and self._is_still():
            try:
                return self._open_as(still=True)
            except self.errors as error:
                refusal = as_sqlite3(error)
        if _cannot_open(refusal):
            raise absent(self.path, f"cannot be opened: {refusal}") from refusal
        raise refusal

    def _open_as(self, *, still: bool) -> Session:
        identity = self._identity(still=still)
        file = (identity[0], identity[1])
        claim(file, self._library, str(self.path))
        try:
            connection = connect(str(self.path), self._library, still=still)
        except BaseException:
            release(file)
            raise
        session = Session(connection, identity)
        try:
            if not find_layout(connection, self.path):
                raise absent(self.path, "is empty: no load has finished")
        except BaseException:
            session.close()
            raise
        return session

    def _identity(self, *, still: bool = False) -> Identity:
        """Return the file's identity; for a file that must not change, its time and size as well."""
        try:
            found = self.path.stat()
        except OSError as error:
            raise absent(self.path, why_not(self.path) or f"cannot be opened: {error.strerror}") from error
        whole = (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)
        return whole if still else whole[:2]

    def _is_still(self) -> bool:
        """Whether the file cannot change: its folder is not writable, and has no log of a writer."""
        log = Path(f"{self.path}-wal")
        return not os.access(self.path.parent, os.W_OK) and not (log.exists() and log.stat().st_size)


def _cannot_open(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
