"""Opens the online table for reading, with Python's own sqlite3 or with apsw, behind the same few calls.

apsw brings a current SQLite of its own. Two copies of SQLite in one process must not have the same file open: closing
it in one drops the locks that the other holds (https://www.sqlite.org/howtocorrupt.html, section 2.2.1). Readers of one
file in one process therefore use one library, and :func:`claim` sees to it.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, cast

from asknown.errors import AsknownError
from asknown.online.faults import check_sqlite

Library = Literal["sqlite3", "apsw"]
File = tuple[int, int]
"""The device and the number of a file."""

_CACHE = "PRAGMA cache_size = -65536"  # 64 MB
_WAIT = 5_000  # milliseconds for the moments at which even a reader must wait: recovery after a kill

_open: dict[File, list[Library]] = {}
_opening = threading.Lock()


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
        yield  # a file that is not there is nobody's
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
        # Without this a SQLite with STAT4 plans a statement anew whenever it is given other keys.
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

    def close(self) -> None:
        self._connection.close(True)


class _Rows:
    """The rows of a statement, and their description even where there are none, which apsw does not give."""

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
