"""A registry in a schema of Postgres, for many writers: the tables of the SQLite file, with psycopg.

An apply locks the row of its project, so two applies of one project come one after the other, and those of two
projects side by side.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from asknown.addresses import StoreAddress
from asknown.errors import AsknownError, keep_secret
from asknown.registry.backend import Row
from asknown.registry.schema import LAYOUT, SEARCH, STEPS
from asknown.registry.sqlite import make_index

_Connection = psycopg.Connection[tuple[Any, ...]]
_LOCK = 0x61736B52  # of the layout: its tables are made and changed by one session at a time
_KEPT = """
create function kept() returns trigger language plpgsql as $$ begin raise exception 'this never changes'; end $$;
create trigger kept before update or delete on object for each row execute function kept();
create trigger kept before update or delete on revision for each row execute function kept();
"""


class PostgresReading:
    """A registry in Postgres, open for reading: one snapshot of it, in a transaction that writes nothing."""

    def __init__(self, at: StoreAddress) -> None:
        self._at = at
        self.name = str(at)
        self._connection = _connect(at)
        try:
            self._connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            self._connection.read_only = True
            self.layout = _layout(self._connection, at)
        except psycopg.Error as error:
            raise _explained(at, error) from None

    def rows(self, query: str, values: Sequence[Any]) -> list[Any]:
        """The rows of a query."""
        if not self.layout:
            return []
        try:
            return self._connection.execute(query.replace("?", "%s").encode(), values).fetchall()
        except psycopg.Error as error:
            raise _explained(self._at, error) from None

    def index(self) -> sqlite3.Connection:
        """An SQLite database in memory with what can be searched."""
        index = make_index()
        for table in ("view", "feature"):
            found = self._connection.execute(sql.SQL("select * from {}").format(sql.Identifier(table)))
            names = ", ".join(column.name for column in found.description or ())
            places = ", ".join("?" * len(found.description or ()))
            index.executemany(f"insert into {table} ({names}) values ({places})", found.fetchall())
        index.execute(SEARCH)
        return index

    def close(self) -> None:
        self._connection.close()


@contextmanager
def open_transaction(at: StoreAddress) -> Iterator[PostgresTransaction]:
    """A transaction on the registry, whose schema and tables are made if there are none."""
    connection = _connect(at)
    try:
        if _layout(connection, at) < LAYOUT:
            _make(connection, at)
        connection.commit()
        yield PostgresTransaction(connection)
        connection.commit()
    except psycopg.Error as error:
        raise _explained(at, error) from None
    finally:
        connection.close()  # rolls back what was not committed


class PostgresTransaction:
    """A transaction at read committed, where :meth:`head` locks the project's row."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    def head(self, project: str) -> int:
        """The number of the project's newest revision, 0 for none. Waits for another apply of the project."""
        execute = self._connection.execute
        execute("insert into project (name, head) values (%s, 0) on conflict do nothing", (project,))
        execute("select head from project where name = %s for update", (project,))
        row = execute("select coalesce(max(n), 0) from revision where project = %s", (project,)).fetchone()
        assert row is not None
        return int(row[0])

    def insert(self, table: str, rows: Iterable[Row], *, unless: str = "") -> None:
        """Inserts rows. Those that others may insert too come in one order, so that nobody waits in a circle."""
        listed = sorted(rows, key=lambda row: str(row[unless])) if unless else list(rows)
        self._many(table, listed, sql.SQL(" on conflict do nothing" if unless else ""))

    def replace(self, table: str, rows: Iterable[Row], key: Sequence[str]) -> None:
        """Inserts rows, or updates those that are there."""
        listed = list(rows)
        others = [name for row in listed[:1] for name in row if name not in key]
        changed = sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in others)
        keys = sql.SQL(", ").join(map(sql.Identifier, key))
        self._many(table, listed, sql.SQL(" on conflict ({}) do update set {}").format(keys, changed))

    def clear(self, table: str, project: str) -> None:
        """Deletes the rows of a project."""
        if table != "search":  # which a reader makes
            statement = sql.SQL("delete from {} where project = %s").format(sql.Identifier(table))
            self._connection.execute(statement, (project,))

    def _many(self, table: str, rows: Sequence[Row], rest: sql.Composable) -> None:
        if not rows or table == "search":
            return
        names = list(rows[0])
        statement = sql.SQL("insert into {} ({}) values ({}){}").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, names)),
            sql.SQL(", ").join(sql.Placeholder() * len(names)),
            rest,
        )
        with self._connection.cursor() as cursor:
            cursor.executemany(statement, [[row[name] for name in names] for row in rows])


def _connect(at: StoreAddress) -> _Connection:
    try:
        parts = conninfo_to_dict(at.url)
    except psycopg.ProgrammingError:
        raise AsknownError(
            "registry-write",
            "the dsn of the registry cannot be read",
            hint="write it as postgresql://user:password@host:5432/database, special characters as %20 or %40",
        ) from None
    if parts.get("password"):
        keep_secret(str(parts["password"]))
    defaults = {"application_name": "asknown", "connect_timeout": "10"}
    try:
        connection: _Connection = psycopg.connect(
            make_conninfo(at.url, **{name: value for name, value in defaults.items() if name not in parts})
        )
        connection.execute(sql.SQL("set search_path = {}").format(sql.Identifier(at.space)))
        connection.execute("set client_min_messages = 'warning'")
        connection.execute("set lock_timeout = '30s'")
        connection.commit()
    except psycopg.Error as error:
        raise _explained(at, error) from None
    return connection


def _layout(connection: _Connection, at: StoreAddress) -> int:
    """The layout of the schema, 0 if it is not there. Raises ``registry-corrupt`` if it is no registry's."""
    names = {"schema": at.space}
    query = "select tablename from pg_tables where schemaname = %(schema)s"
    tables = {name for (name,) in connection.execute(query, names).fetchall()}
    if not tables:
        return 0
    if "layout" not in tables:
        raise AsknownError(
            "registry-corrupt",
            f"the schema {at.space} of the {at} is no registry: it has other tables",
            hint="name another schema in profiles.yml: registry: {type: postgres, dsn: …, schema: asknown_registry}",
        )
    row = connection.execute("select max(number) from layout").fetchone()
    layout = 0 if row is None or row[0] is None else int(row[0])
    if layout > LAYOUT:
        raise AsknownError(
            "registry-corrupt",
            f"the {at} has layout {layout}, and this version of asknown reads layouts up to {LAYOUT}",
            hint="use the version of asknown that wrote it",
        )
    return layout


def _make(connection: _Connection, at: StoreAddress) -> None:
    """Makes the schema and the tables that it lacks. One session does; another one finds them made."""
    connection.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
    connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(at.space)))
    layout = _layout(connection, at)
    if not layout:
        connection.execute("create table if not exists layout (number integer primary key)")
    for step in range(layout + 1, LAYOUT + 1):
        connection.execute(_spoken(STEPS[step]).encode())
        if step == 1:
            connection.execute(_KEPT.encode())
        connection.execute("insert into layout values (%s)", (step,))
    connection.commit()


def _spoken(script: str) -> str:
    """The tables of an SQLite script in Postgres' words. Text is ordered by its bytes, as in SQLite."""
    script = re.sub(r"create virtual table .*?;|create trigger .*?end;", "", script, flags=re.DOTALL)
    script = script.replace("id integer primary key", "id bigint generated always as identity primary key")
    script = re.sub(r"\binteger\b", "bigint", script).replace(") strict", ")")
    return re.sub(r"\btext\b", 'text collate "C"', script)


_MEANINGS = (
    ("28", "the server does not let this user in", "check the user and the password of the dsn"),
    ("3D000", "the server has no such database", "check the database of the dsn"),
    ("42501", "this user lacks a right", "grant it (docs/registry.md lists the rights), or name another user"),
    ("25006", "the server, or this user's session, only reads", "name the primary server, or another user, in the dsn"),
    ("55P03", "another apply holds the project for longer than 30 seconds", "try again"),
    ("40", "another session was faster", "try again"),
    ("53", "the server lacks resources", "see its log, and try again"),
    ("57", "the server ended the connection", "see whether it runs, and try again"),
    ("08", "the connection was lost", "see whether the server runs, and try again"),
)


def _explained(at: StoreAddress, error: psycopg.Error) -> AsknownError:
    """The user's error for an error of Postgres. The server's own words follow, without secrets."""
    state = error.sqlstate or ""
    said = str(error).strip().partition("\n")[0]
    for start, meaning, hint in _MEANINGS:
        if state.startswith(start):
            return AsknownError("registry-write", f"the {at}: {meaning} ({said})", hint=hint)
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        hint = "see whether it runs, and whether the dsn in profiles.yml is right"
        return AsknownError("registry-write", f"the {at} cannot be reached: {said}", hint=hint)
    return AsknownError("registry-write", f"the {at} cannot be used: {said}")
