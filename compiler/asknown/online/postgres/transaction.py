"""Transactions of the online table: one writer at a time, by an advisory lock that ends with the transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from typing import Any

import psycopg

from asknown.addresses import StoreAddress
from asknown.durations import spell
from asknown.errors import AsknownError
from asknown.online.postgres.codec import Form, literal, quote, spell_array
from asknown.online.postgres.connect import Connection, Held
from asknown.online.postgres.fill import Filling
from asknown.online.postgres.layout import SHARED, Tables
from asknown.online.postgres.parts import PartReader, given_keys, same_key
from asknown.online.postgres.statements import Statements
from asknown.online.postgres.write import PartWriter
from asknown.online.remote.store import Cell, Document, Key, OnWait, Part, Table, Value

_AT_ONCE = 2_000
_QUEUED: tuple[Form, ...] = ("bigint", "bigint", "text")  # of the outbox: number, arrival, text
_RETIRED = "10 minutes"
_DURABLE = (  # whatever the session, the user or the database says
    "set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') IN "
    "('off', 'local', 'remote_write') THEN 'on' ELSE current_setting('synchronous_commit') END, true)"
)
_LOCK = "500ms"  # that the removal of old tables may wait for a reader


class PostgresTransaction:
    """The writes of one transaction, as :class:`asknown.online.remote.store.Transaction` says."""

    def __init__(self, statements: Statements, schema: str) -> None:
        self._statements = statements
        self._schema = schema
        self._shared = f"{quote(schema)}._asknown_"
        self._tables: dict[tuple[str, str], Tables] = {}
        self._filling = Filling(statements)
        self._retired: list[Table] = []

    def _of(self, table: Table) -> Tables:
        name = (table.view, table.generation)
        found = self._tables.get(name)
        if found is None:
            found = self._tables[name] = Tables(self._schema, table)
        return found

    def _later(self, query: str, *bound: bytes | None, once: bool = False) -> None:
        """Runs a statement before the next one that has rows, after what is being filled."""
        self._filling.settle()
        self._statements.later(query, *bound, once=once)

    def _rows(self, query: str, *bound: bytes | None) -> list[tuple[Any, ...]]:
        """The rows of a query, after what is being filled."""
        self._filling.settle()
        return self._statements.rows(query, *bound)

    # -- documents ---------------------------------------------------------------------------------------------

    def documents(self) -> Mapping[str, Document]:
        """All documents, by name."""
        rows = self._rows(f"SELECT name, version, body FROM {self._shared}documents")
        return {name: Document(version, body) for name, version, body in rows}

    def write(self, name: str, document: Document | None) -> None:
        """Puts a document in the place of the one of this name; None removes it."""
        if document is None:
            self._later(f"DELETE FROM {self._shared}documents WHERE name = $1::text", name.encode())
            return
        self._later(
            f"INSERT INTO {self._shared}documents VALUES ($1, $2, $3)\n"
            "ON CONFLICT (name) DO UPDATE SET version = excluded.version, body = excluded.body",
            *(text.encode() for text in (name, document.version, document.body)),
        )

    # -- generations -------------------------------------------------------------------------------------------

    def create(self, table: Table) -> None:
        """Makes an empty generation."""
        tables = self._of(table)
        for statement in tables.create():
            self._later(statement, once=True)
        self._filling.begin(tables)

    def retire(self, table: Table) -> None:
        """Notes that a generation is not needed once this transaction is committed."""
        self._retired.append(table)

    def held(self, table: Table, part: Part, keys: Sequence[Key]) -> Mapping[Key, Value]:
        """A part's content for these keys."""
        self._filling.end(self._of(table), part)
        return PartReader(self._statements.held.connection, self._of(table), self._statements).held(part, keys)

    def keys(self, table: Table, part: Part) -> Iterator[Sequence[Key]]:
        """All keys of a part, some at a time."""
        self._filling.end(self._of(table), part)
        self._statements.flush()
        return PartReader(self._statements.held.connection, self._of(table)).keys(part)

    def put(self, table: Table, part: Part, items: Iterable[tuple[Key, Value]]) -> None:
        """Writes whole values, over those that the keys have."""
        if self._filling.is_empty(self._of(table), part):
            self._filling.copy(self._of(table), part, items)
            return
        self._filling.end(self._of(table), part)
        self._writer(table).put(part, items)

    def fill(self, table: Table, keys: Sequence[Key], columns: Sequence[Sequence[Cell]]) -> None:
        """Writes the rows of new keys into a generation that this transaction has made."""
        if keys:
            self._filling.copy_columns(self._of(table), "rows", columns)

    def append(self, table: Table, items: Iterable[tuple[Key, bytes]]) -> None:
        """Writes bytes behind those that the keys have in the part ``pushed``."""
        self._filling.settle()
        self._writer(table).append(items)

    def _writer(self, table: Table) -> PartWriter:
        return PartWriter(self._statements, self._of(table))

    def remove(self, table: Table, part: Part, keys: Iterable[Key]) -> None:
        """Removes keys from a part."""
        tables = self._of(table)
        self._filling.end(tables, part)
        for some in _pieces(list(keys)):
            if not table.keys:
                self._later(f"DELETE FROM {tables.full[part]}")
                return
            query = (
                f"DELETE FROM {tables.full[part]} AS t USING {given_keys(tables)} WHERE {same_key(tables, 't', 'q')}"
            )
            self._later(query, *map(spell_array, zip(*some, strict=True), tables.key_forms))

    def clear(self, table: Table, part: Part) -> None:
        """Removes all keys from a part."""
        self._filling.end(self._of(table), part)
        self._later(f"DELETE FROM {self._of(table).full[part]}")

    # -- pushes ------------------------------------------------------------------------------------------------

    def seen(self, source: str, ids: Sequence[Cell]) -> set[Cell]:
        """Those of the ids that are remembered."""
        by_text = {_spell_id(one): one for one in ids}
        query = f"SELECT id FROM {self._shared}seen WHERE source = $1::text AND id = ANY ($2::text[])"
        if not by_text:
            return set()
        return {by_text[text] for (text,) in self._rows(query, source.encode(), spell_array(by_text, "text"))}

    def remember(self, source: str, ids: Sequence[tuple[Cell, int]], *, before: int) -> None:
        """Keeps ids with their arrivals, and forgets some of those that arrived before ``before``."""
        seen = f"{self._shared}seen"
        if ids:
            found = {_spell_id(one): at for one, at in ids}
            self._later(
                f"INSERT INTO {seen} SELECT $1::text, q.id, q.at FROM unnest($2::text[], $3::bigint[]) AS q(id, at)\n"
                "ON CONFLICT (source, id) DO UPDATE SET at = excluded.at",
                *(source.encode(), spell_array(found, "text"), spell_array(found.values(), "bigint")),
            )
        self._later(
            f"DELETE FROM {seen} WHERE ctid = ANY (ARRAY(\n"
            f"SELECT ctid FROM {seen} WHERE source = $1::text AND at < $2::bigint LIMIT {_AT_ONCE}))",
            *(source.encode(), b"%d" % before),
        )

    def queue(self, source: str, rows: Sequence[tuple[int, int, str]]) -> None:
        """Puts rows into the outbox: number, arrival, text."""
        for some in _pieces(rows):
            self._later(
                f"INSERT INTO {self._shared}outbox SELECT $1::text, q.seq, q.at, q.body\n"
                "FROM unnest($2::bigint[], $3::bigint[], $4::text[]) AS q(seq, at, body)",
                *(source.encode(), *map(spell_array, zip(*some, strict=True), _QUEUED)),
            )

    def queued(self, source: str, *, upto: int | None = None) -> list[tuple[int, int, str]]:
        """The rows of the outbox, in the order of their numbers, up to a number."""
        query = (
            f"SELECT seq, at, body FROM {self._shared}outbox WHERE source = $1::text AND seq <= $2::bigint ORDER BY seq"
        )
        last = 2**63 - 1 if upto is None else upto
        return [(seq, at, body) for seq, at, body in self._rows(query, source.encode(), b"%d" % last)]

    def unqueue(self, source: str, upto: int) -> None:
        """Removes the rows up to a number from the outbox."""
        query = f"DELETE FROM {self._shared}outbox WHERE source = $1::text AND seq <= $2::bigint"
        self._later(query, source.encode(), b"%d" % upto)

    # -- the end -----------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Does what is left to do before the commit."""
        self._filling.finish()
        for table in self._retired:
            self._later(self._of(table).note_retired(), once=True)

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
def transaction(statements: Statements, schema: str, *, durable: bool) -> Iterator[PostgresTransaction]:
    """The transaction that :func:`begin` has begun: committed at the end of the block, undone by any exception."""
    made = PostgresTransaction(statements, schema)
    try:
        yield made
        made.finish()
        statements.later("COMMIT")
        statements.flush()
        if statements.said != "COMMIT":  # a failed transaction is undone, and that is no error to the server
            raise psycopg.errors.InFailedSqlTransaction("the transaction has failed")
    except BaseException:
        made.abandon()
        statements.undo()
        raise
    if not durable:
        _drop_retired(statements, schema)


@contextmanager
def load_lock(
    connection: Connection, schema: str, address: StoreAddress, *, wait: float, on_wait: OnWait | None
) -> Iterator[None]:
    """The lock of one load. It is that of a transaction, so that it holds through pgbouncer as well."""
    statements = Statements(Held(connection), prepare=False)
    _lock(statements, schema, "load", address, wait=wait, on_wait=on_wait)
    try:
        yield
    finally:
        statements.undo()


def begin(
    statements: Statements, schema: str, address: StoreAddress, *, wait: float, on_wait: OnWait | None, durable: bool
) -> None:
    """Begins a transaction under the lock of writers, in a schema with the tables that every online table has."""
    if not _lock(statements, schema, "write", address, wait=wait, on_wait=on_wait, durable=durable):
        try:
            _make_shared(statements, schema)
        except BaseException:
            statements.undo()
            raise


def _lock(
    statements: Statements,
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
    there = f"to_regclass({literal(f'{quote(schema)}._asknown_retired')}) IS NOT NULL"
    settings = [_setting("statement_timeout", "'0'"), _setting("idle_in_transaction_session_timeout", "'0'")]
    settings += [_DURABLE] if durable else []
    statements.later("BEGIN")
    query = f"SELECT pg_try_advisory_xact_lock({key}), {there}, {', '.join(settings)}"
    ((locked, made, *_),) = statements.rows(query)
    if locked:
        return bool(made)
    if wait > 0:
        if on_wait is not None:
            on_wait(f"another process is writing to the {address}; waiting up to {spell(int(wait * 1_000_000))}")
        try:
            statements.rows(f"SELECT {_setting('lock_timeout', literal(str(int(wait * 1000))))}")
            statements.rows(f"SELECT pg_advisory_xact_lock({key})::text")
            ((made, _),) = statements.rows(f"SELECT {there}, {_setting('lock_timeout', literal('0'))}")
            return bool(made)
        except psycopg.errors.LockNotAvailable:
            pass
        except BaseException:
            statements.undo()
            raise
    statements.undo()
    raise AsknownError(
        "online-write",
        f"another process is writing to the {address}",
        hint="wait until it is done, or end it, and run it again",
    )


def _setting(name: str, value: str) -> str:
    """The expression that sets a parameter of the server for this transaction."""
    return f"set_config('{name}', {value}, true)"


def _make_shared(statements: Statements, schema: str) -> None:
    """Makes the schema, where it is not there, and the tables that every online table has."""
    ((absent,),) = statements.rows(f"SELECT to_regnamespace({literal(quote(schema))}) IS NULL")
    if absent:  # one that is there may be used by users that may make none
        statements.later(f"CREATE SCHEMA {quote(schema)}", once=True)
    for statement in SHARED:
        statements.later(statement.format(s=quote(schema)), once=True)
    statements.flush()


def _drop_retired(statements: Statements, schema: str) -> None:
    """Drops the tables of old generations. One that is still read is left for the next load."""
    retired = f"{quote(schema)}._asknown_retired"
    with suppress(psycopg.Error):
        for (name,) in statements.rows(f"SELECT name FROM {retired} WHERE at < now() - interval '{_RETIRED}'"):
            try:
                statements.later("BEGIN")
                statements.rows(f"SELECT {_setting('lock_timeout', literal(_LOCK))}")
                statements.later(f"DROP TABLE IF EXISTS {quote(schema)}.{name}", once=True)
                statements.later(f"DELETE FROM {retired} WHERE name = {literal(name)}", once=True)
                statements.later("COMMIT")
                statements.flush()
            except psycopg.errors.LockNotAvailable:
                statements.undo()
