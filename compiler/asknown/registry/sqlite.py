"""A registry in an SQLite file: sqlite3 reads it, sqlite-utils writes it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asknown.errors import AsknownError
from asknown.registry.backend import Row
from asknown.registry.schema import APPLICATION_ID, LAYOUT, STEPS

if TYPE_CHECKING:
    import sqlite_utils


class SqliteReading:
    """A registry file, open for reading.

    The connection may write all the same: whoever comes after an apply that was killed in its commit has to undo what
    that one wrote, and SQLite does so at the first read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = path.name
        self.layout = 0
        self._connection: sqlite3.Connection | None = None
        if path.exists():
            try:
                self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=5)
                self._connection.execute("pragma query_only = on")
            except sqlite3.Error as error:
                raise broken(path, error) from None
            # The first apply makes the file before its tables. If it is killed in between, an empty file is left.
            if not is_empty(self._connection, path):
                self.layout = check_layout(self._connection, path)

    def rows(self, query: str, values: Sequence[Any]) -> list[Any]:
        """The rows of a query."""
        if self._connection is None or not self.layout:
            return []
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise broken(self._path, error) from None

    def index(self) -> sqlite3.Connection:
        """The file itself, which has the table ``search``."""
        assert self._connection is not None
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


def is_empty(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether a file has no table."""
    try:
        (empty,) = connection.execute("select count(*) = 0 from sqlite_schema").fetchone()
    except sqlite3.DatabaseError as error:
        raise broken(path, error) from None
    return bool(empty)


def check_layout(connection: sqlite3.Connection, path: Path) -> int:
    """The layout of a registry. Raises ``registry-corrupt`` unless the file is one, of a layout that is known."""
    try:
        with closing(connection.execute("pragma application_id")) as found:
            (application,) = found.fetchone()
        (layout,) = connection.execute("pragma user_version").fetchone()
    except sqlite3.DatabaseError as error:
        raise broken(path, error) from None
    if application != APPLICATION_ID:
        raise AsknownError(
            "registry-corrupt",
            f"{path} is not a registry",
            hint="name another file in profiles.yml: registry: {type: sqlite, path: registry.db}",
        )
    if not 1 <= layout <= LAYOUT:
        raise AsknownError(
            "registry-corrupt",
            f"{path} has layout {layout}, and this version of asknown reads layouts up to {LAYOUT}",
            hint="use the version of asknown that wrote it",
        )
    return int(layout)


def broken(path: Path, error: sqlite3.Error) -> AsknownError:
    """The error of a registry that SQLite cannot read or write."""
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        return AsknownError("registry-write", f"the registry {path} is in use by another process", hint="try again")
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY_ROLLBACK:
        return AsknownError(
            "registry-write",
            f"a write to the registry {path} was interrupted and has to be undone, which takes the right to write it",
            hint="run the command, or asknown history, as a user who may write the file and its folder",
        )
    if isinstance(error, sqlite3.OperationalError):
        return AsknownError("registry-write", f"the registry {path} cannot be used: {error}")
    return AsknownError("registry-corrupt", f"the registry {path} is damaged: {error}", hint="restore a copy")


@contextmanager
def open_transaction(path: Path) -> Iterator[SqliteTransaction]:
    """A transaction on the registry, which is made if there is none, and gets the tables that it lacks."""
    import sqlite_utils  # slow to import, and readers do without

    try:
        connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    except sqlite3.Error as error:
        raise broken(path, error) from None
    try:
        connection.execute("pragma synchronous = full")
        connection.execute("begin immediate")
        make_tables(connection, path)
        yield SqliteTransaction(sqlite_utils.Database(connection), connection)
        connection.execute("commit")
    except sqlite3.Error as error:
        raise broken(path, error) from None
    finally:
        connection.close()  # rolls back what was not committed


class SqliteTransaction:
    """A transaction that holds the file's write lock from its start."""

    def __init__(self, database: sqlite_utils.Database, connection: sqlite3.Connection) -> None:
        self._database = database
        self._connection = connection

    def head(self, project: str) -> int:
        """The number of the project's newest revision, 0 for none."""
        query = "select coalesce(max(n), 0) from revision where project = ?"
        return int(self._connection.execute(query, (project,)).fetchone()[0])

    def insert(self, table: str, rows: Iterable[Row], *, unless: str = "") -> None:
        """Inserts rows."""
        if unless:
            self._database.table(table).insert_all(rows, pk=unless, ignore=True)
        else:
            self._database.table(table).insert_all(rows)

    def replace(self, table: str, rows: Iterable[Row], key: Sequence[str]) -> None:
        """Inserts rows, or updates those that are there."""
        self._database.table(table).upsert_all(rows, pk=tuple(key) if len(key) > 1 else key[0])

    def clear(self, table: str, project: str) -> None:
        """Deletes the rows of a project."""
        self._connection.execute(f"delete from {table} where project = ?", (project,))


def make_tables(connection: sqlite3.Connection, path: Path) -> None:
    """Makes the tables that the file lacks, all of them in an empty one, within the transaction."""
    layout = 0 if is_empty(connection, path) else check_layout(connection, path)
    for step in range(layout + 1, LAYOUT + 1):
        for statement in _statements(STEPS[step]):
            connection.execute(statement)
    if layout < LAYOUT:
        connection.execute(f"pragma application_id = {APPLICATION_ID}")
        connection.execute(f"pragma user_version = {LAYOUT}")


def make_index() -> sqlite3.Connection:
    """A registry without rows, in memory."""
    connection = sqlite3.connect(":memory:")
    make_tables(connection, Path(":memory:"))
    return connection


def _statements(script: str) -> list[str]:
    """The statements of a script. (``executescript`` would commit.)"""
    found, text = [], ""
    for line in script.splitlines():
        text += line + "\n"
        if sqlite3.complete_statement(text):
            found.append(text.strip())
            text = ""
    return [statement for statement in found if statement]
