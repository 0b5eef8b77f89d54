"""Transactions of the online table: one writer at a time, by an advisory lock that ends with the transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from hashlib import blake2b
from typing import Any

import psycopg

from asknown.addresses import StoreAddress
from asknown.durations import spell
from asknown.errors import AsknownError
from asknown.online.postgres.codec import literal, quote
from asknown.online.postgres.connect import Connection, Cursor
from asknown.online.postgres.fill import Filling
from asknown.online.postgres.layout import SHARED, Tables
from asknown.online.postgres.parts import PartReader, given_keys, same_key
from asknown.online.postgres.write import PartWriter
from asknown.online.remote.store import Cell, Document, Key, OnWait, Part, Table, Value

_AT_ONCE = 2_000
_RETIRED = "10 minutes"
_DURABLE = (  # whatever the session, the user or the database says
    "SELECT set_config('synchronous_commit', 'on', true) "
    "WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write'); "
)
_LOCK = "500ms"  # that the removal of old tables may wait for a reader


class PostgresTransaction:
    """The writes of one transaction, as :class:`asknown.online.remote.store.Transaction` says."""

    def __init__(self, connection: Connection, schema: str, pipeline: ExitStack) -> None:
        """``pipeline``: in it, statements are sent on without waiting for those whose rows nobody needs."""
        self._connection = connection
        self._pipeline = pipeline
        self._schema = schema
        self._shared = f"{quote(schema)}._asknown_"
        self._tables: dict[tuple[str, str], Tables] = {}
        self._filling = Filling(connection, pipeline)
        self._retired: list[Table] = []

    def _of(self, table: Table) -> Tables:
        name = (table.view, table.generation)
        found = self._tables.get(name)
        if found is None:
            found = self._tables[name] = Tables(self._schema, table)
        return found

    def _run(self, query: str, *bound: Any) -> Cursor:
        """Runs a statement, after what was being filled has been ended."""
        self._filling.settle()
        return self._connection.cursor(binary=True).execute(query.encode(), bound)

    # -- documents ---------------------------------------------------------------------------------------------

    def documents(self) -> Mapping[str, Document]:
        """All documents, by name."""
        rows = self._run(f"SELECT name, version, body FROM {self._shared}documents").fetchall()
        return {name: Document(version, body) for name, version, body in rows}

    def write(self, name: str, document: Document | None) -> None:
        """Puts a document in the place of the one of this name; None removes it."""
        if document is None:
            self._run(f"DELETE FROM {self._shared}documents WHERE name = $1", name)
            return
        self._run(
            f"INSERT INTO {self._shared}documents VALUES ($1, $2, $3)\n"
            "ON CONFLICT (name) DO UPDATE SET version = excluded.version, body = excluded.body",
            *(name, document.version, document.body),
        )

    # -- generations -------------------------------------------------------------------------------------------

    def create(self, table: Table) -> None:
        """Makes an empty generation."""
        tables = self._of(table)
        for statement in tables.create():
            self._run(statement)
        self._filling.begin(tables)

    def retire(self, table: Table) -> None:
        """Notes that a generation is not needed once this transaction is committed."""
        self._retired.append(table)

    def held(self, table: Table, part: Part, keys: Sequence[Key]) -> Mapping[Key, Value]:
        """What a part holds of these keys."""
        self._filling.end(self._of(table), part)
        return PartReader(self._connection, self._of(table)).held(part, keys)

    def keys(self, table: Table, part: Part) -> Iterator[Sequence[Key]]:
        """All keys of a part, some at a time."""
        self._filling.end(self._of(table), part)
        return PartReader(self._connection, self._of(table)).keys(part)

    def put(self, table: Table, part: Part, items: Iterable[tuple[Key, Value]]) -> None:
        """Writes whole values, over those that the keys have."""
        if self._filling.is_empty(self._of(table), part):
            self._filling.copy(self._of(table), part, items)
            return
        self._filling.end(self._of(table), part)
        self._writer(table).put(part, items)

    def append(self, table: Table, items: Iterable[tuple[Key, bytes]]) -> None:
        """Writes bytes behind those that the keys have in the part ``pushed``."""
        self._filling.settle()
        self._writer(table).append(items)

    def _writer(self, table: Table) -> PartWriter:
        return PartWriter(self._connection, self._of(table), self._pipeline)

    def remove(self, table: Table, part: Part, keys: Iterable[Key]) -> None:
        """Removes keys from a part."""
        tables = self._of(table)
        self._filling.end(tables, part)
        for some in _pieces(list(keys)):
            if not table.keys:
                self._run(f"DELETE FROM {tables.full[part]}")
                return
            query = (
                f"DELETE FROM {tables.full[part]} AS t USING {given_keys(tables)} WHERE {same_key(tables, 't', 'q')}"
            )
            self._run(query, *map(list, zip(*some, strict=True)))

    def clear(self, table: Table, part: Part) -> None:
        """Removes all keys from a part."""
        self._filling.end(self._of(table), part)
        self._run(f"DELETE FROM {self._of(table).full[part]}")

    # -- pushes ------------------------------------------------------------------------------------------------

    def seen(self, source: str, ids: Sequence[Cell]) -> set[Cell]:
        """Those of the ids that are remembered."""
        by_text = {_spell_id(one): one for one in ids}
        query = f"SELECT id FROM {self._shared}seen WHERE source = $1 AND id = ANY ($2::text[])"
        return {by_text[row[0]] for row in self._run(query, source, list(by_text))} if by_text else set()

    def remember(self, source: str, ids: Sequence[tuple[Cell, int]], *, before: int) -> None:
        """Keeps ids with their arrivals, and forgets some of those that arrived before ``before``."""
        seen = f"{self._shared}seen"
        if ids:
            found = {_spell_id(one): at for one, at in ids}
            self._run(
                f"INSERT INTO {seen} SELECT $1, q.id, q.at FROM unnest($2::text[], $3::bigint[]) AS q(id, at)\n"
                "ON CONFLICT (source, id) DO UPDATE SET at = excluded.at",
                *(source, list(found), list(found.values())),
            )
        self._run(
            f"DELETE FROM {seen} WHERE ctid = ANY (ARRAY(\n"
            f"SELECT ctid FROM {seen} WHERE source = $1 AND at < $2 LIMIT {_AT_ONCE}))",
            *(source, before),
        )

    def queue(self, source: str, rows: Sequence[tuple[int, int, str]]) -> None:
        """Puts rows into the outbox: number, arrival, text."""
        for some in _pieces(rows):
            self._run(
                f"INSERT INTO {self._shared}outbox SELECT $1, q.seq, q.at, q.body\n"
                "FROM unnest($2::bigint[], $3::bigint[], $4::text[]) AS q(seq, at, body)",
                *(source, *map(list, zip(*some, strict=True))),
            )

    def queued(self, source: str, *, upto: int | None = None) -> list[tuple[int, int, str]]:
        """The rows of the outbox, in the order of their numbers, up to a number."""
        query = f"SELECT seq, at, body FROM {self._shared}outbox WHERE source = $1 AND seq <= $2 ORDER BY seq"
        return [(seq, at, body) for seq, at, body in self._run(query, source, 2**63 - 1 if upto is None else upto)]

    def unqueue(self, source: str, upto: int) -> None:
        """Removes the rows up to a number from the outbox."""
        self._run(f"DELETE FROM {self._shared}outbox WHERE source = $1 AND seq <= $2", source, upto)

    # -- the end -----------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Does what is left to do before the commit."""
        self._filling.finish()
        for table in self._retired:
            self._run(self._of(table).note_retired())

    def abandon(self) -> None:
        """Ends what is under way, so that the transaction can be undone."""
        self._filling.abandon()


def _pieces(some: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (some[start : start + _AT_ONCE] for start in range(0, len(some), _AT_ONCE))


def _spell_id(cell: Cell) -> str:
    """The text of an id, in which those of different types differ. It has no NUL, which Postgres could not keep."""
    return f"{type(cell).__name__}:{json.dumps(cell.hex() if isinstance(cell, bytes) else cell)}"


# -- the lock of writers -----------------------------------------------------------------------------------------------


@contextmanager
def transaction(
    connection: Connection, schema: str, *, durable: bool, pipelined: bool
) -> Iterator[PostgresTransaction]:
    """The transaction that :func:`begin` has begun: committed at the end of the block, undone by any exception."""
    cursor, pipeline = connection.cursor(), ExitStack()
    made = PostgresTransaction(connection, schema, pipeline)
    try:
        with pipeline:
            if pipelined:
                pipeline.enter_context(connection.pipeline())
            yield made
            made.finish()
            cursor.execute(b"COMMIT")
        if cursor.statusmessage != "COMMIT":  # a failed transaction is undone, and that is no error to the server
            raise psycopg.errors.InFailedSqlTransaction("the transaction has failed")
    except BaseException:
        made.abandon()
        with suppress(psycopg.Error):
            cursor.execute(b"ROLLBACK")
        raise
    if not durable:
        _drop_retired(cursor, schema)


@contextmanager
def load_lock(
    connection: Connection, schema: str, address: StoreAddress, *, wait: float, on_wait: OnWait | None
) -> Iterator[None]:
    """The lock of one load. It is that of a transaction, so that it holds through pgbouncer as well."""
    cursor = connection.cursor()
    _lock(cursor, schema, "load", address, wait=wait, on_wait=on_wait)
    try:
        yield
    finally:
        with suppress(psycopg.Error):
            cursor.execute(b"ROLLBACK")


def begin(
    cursor: Cursor, schema: str, address: StoreAddress, *, wait: float, on_wait: OnWait | None, durable: bool
) -> None:
    """Begins a transaction under the lock of writers, in a schema with the tables that every online table has."""
    if not _lock(cursor, schema, "write", address, wait=wait, on_wait=on_wait, durable=durable):
        try:
            _make_shared(cursor, schema)
        except BaseException:
            with suppress(psycopg.Error):
                cursor.execute(b"ROLLBACK")
            raise


def _lock(
    cursor: Cursor,
    schema: str,
    purpose: str,
    address: StoreAddress,
    *,
    wait: float,
    on_wait: OnWait | None,
    durable: bool = False,
) -> bool:
    """Begins a transaction and takes a lock in it. Returns whether the schema has its tables."""
    digest = blake2b(f"asknown {purpose} {schema}".encode(), digest_size=8).digest()
    key = int.from_bytes(digest, "big", signed=True)
    last = literal(f"{quote(schema)}._asknown_retired")
    cursor.execute(
        "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; "
        f"{_DURABLE if durable else ''}"
        f"SELECT pg_try_advisory_xact_lock({key}), to_regclass({last}) IS NOT NULL".encode()
    )
    while cursor.nextset():
        pass
    locked, there = cursor.fetchall()[0]
    if locked:
        return bool(there)
    if wait > 0:
        if on_wait is not None:
            on_wait(f"another process is writing to the {address}; waiting up to {spell(int(wait * 1_000_000))}")
        try:
            cursor.execute(f"SET LOCAL lock_timeout = {int(wait * 1000)}".encode())
            cursor.execute(f"SELECT pg_advisory_xact_lock({key})".encode())
            cursor.execute(f"SET LOCAL lock_timeout = 0; SELECT to_regclass({last}) IS NOT NULL".encode())
            cursor.nextset()
            return bool(cursor.fetchall()[0][0])
        except psycopg.errors.LockNotAvailable:
            pass
    cursor.execute(b"ROLLBACK")
    raise AsknownError(
        "online-write",
        f"another process is writing to the {address}",
        hint="wait until it is done, or end it, and run it again",
    )


def _make_shared(cursor: Cursor, schema: str) -> None:
    """Makes the schema, where it is not there, and the tables that every online table has."""
    cursor.execute(f"SELECT to_regnamespace({literal(quote(schema))}) IS NULL".encode())
    if cursor.fetchall()[0][0]:  # one that is there may be used by users that may make none
        cursor.execute(f"CREATE SCHEMA {quote(schema)}".encode())
    for statement in SHARED:
        cursor.execute(statement.format(s=quote(schema)).encode())


def _drop_retired(cursor: Cursor, schema: str) -> None:
    """Drops the tables of old generations. One that is still read is left for the next load."""
    retired = f"{quote(schema)}._asknown_retired"
    with suppress(psycopg.Error):
        cursor.execute(f"SELECT name FROM {retired} WHERE at < now() - interval '{_RETIRED}'".encode())
        for (name,) in cursor.fetchall():
            try:
                cursor.execute(
                    f"BEGIN; SET LOCAL lock_timeout = '{_LOCK}'; DROP TABLE IF EXISTS {quote(schema)}.{name}; "
                    f"DELETE FROM {retired} WHERE name = {literal(name)}; COMMIT".encode()
                )
            except psycopg.errors.LockNotAvailable:
                cursor.execute(b"ROLLBACK")
