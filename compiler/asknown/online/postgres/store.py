"""The online table in a Postgres schema, as :class:`asknown.online.remote.store.RemoteStore` says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from typing import ClassVar, TypeVar

from asknown.addresses import StoreAddress
from asknown.errors import AsknownError
from asknown.online.remote.store import Document, Found, Get, Key, OnWait, Part, Strength, Table, Transaction, Value

try:
    import psycopg
except ImportError as error:
    raise AsknownError(
        "missing-extra",
        "an online table in Postgres needs psycopg",
        hint="type: pip install 'asknown[postgres-online]'",
    ) from error

from asknown.online.postgres.codec import quote
from asknown.online.postgres.connect import Connection, Connections, Held, Options, connect
from asknown.online.postgres.errors import explain
from asknown.online.postgres.layout import Tables
from asknown.online.postgres.parts import PartReader
from asknown.online.postgres.reads import ReadStatement, Shape, ask
from asknown.online.postgres.statements import Statements

Result = TypeVar("Result")

_MOST_STATEMENTS = 256
_SETTINGS = ("fsync", "full_page_writes", "synchronous_commit")
_GONE = (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName)


class PostgresStore:
    """The online table in the schema of ``address``."""

    strength: ClassVar[Strength] = Strength(
        one_state="yes, one statement",
        loads="whole or not at all",
        newest_wins="by rule 3, under the lock of writers",
        durable="synchronous_commit = on",
        rows_stay="yes",
        content="all rows",
        whole_loads=True,
        keeps_rows=True,
    )

    def __init__(self, address: StoreAddress) -> None:
        self.address = address
        self.schema = address.space
        self._options = Options.of(address)
        self._reads = Connections(address, self._options)
        self._writes = Connections(address, self._options, limited=False)
        self._statements: dict[Shape, ReadStatement] = {}

    # -- reading -----------------------------------------------------------------------------------------------

    def check_reads(self) -> None:
        """Refuses a server that asknown cannot use."""
        version = self._run(lambda held: held.connection.info.server_version)
        if version < 140000:
            raise AsknownError(
                "online-settings",
                f"the {self.address}: it is Postgres {version // 10000}, and asknown needs 14 or newer",
                hint="name a newer server in the dsn",
            )

    def check_pushes(self) -> None:
        """Refuses a server that may lose what it has acknowledged."""
        for name in ("fsync", "full_page_writes"):
            if dict(self.describe()).get(name) == "off":
                raise AsknownError(
                    "online-settings",
                    f"the {self.address}: its setting {name} is off, so that it may lose rows that it has acknowledged",
                    hint=f"set {name} = on in postgresql.conf; loads and reads work without it",
                )

    def documents(self) -> Mapping[str, Document]:
        """All documents, by name, in one state; none where nothing was ever written."""
        query = f"SELECT name, version, body FROM {quote(self.schema)}._asknown_documents"
        try:
            rows = self._run(lambda held: held.cursor.execute(query.encode()).fetchall())
        except _GONE:
            return {}
        return {name: Document(version, body) for name, version, body in rows}

    def fetch(self, facts: Mapping[str, str | None], tell: Sequence[str], gets: Sequence[Get]) -> Found | None:
        """Values and facts, by one statement; None where a fact does not hold, or a generation is gone."""
        asked = ask(facts, tell, gets)
        statement = self._statements.get(asked.shape)
        if statement is None:
            statement = ReadStatement(self.schema, list(facts), tell, gets, asked)
            if len(self._statements) >= _MOST_STATEMENTS:
                self._statements.clear()
            self._statements[asked.shape] = statement
        bound, text, prepare = statement.bind(facts, gets, asked), statement.text, self._options.prepare
        try:
            rows = self._run(lambda held: held.query(text, bound, prepare=prepare))
        except _GONE:
            return None
        return statement.unpack(rows, gets) if rows else None

    def keys(self, table: Table, part: Part) -> Iterator[Sequence[Key]]:
        """All keys of a part, some at a time."""
        with self._scanning() as connection:
            yield from PartReader(connection, Tables(self.schema, table)).keys(part)

    def scan(self, table: Table, part: Part) -> Iterator[Sequence[tuple[Key, Value]]]:
        """All that a part holds, some at a time."""
        with self._scanning() as connection:
            yield from PartReader(connection, Tables(self.schema, table)).scan(part)

    def has_queued(self, sources: Sequence[str]) -> bool:
        """Whether the outbox has rows of one of these sources."""
        query = f"SELECT EXISTS (SELECT 1 FROM {quote(self.schema)}._asknown_outbox WHERE source = ANY ($1::text[]))"
        try:
            ((found,),) = self._run(lambda held: held.cursor.execute(query.encode(), [list(sources)]).fetchall())
        except _GONE:
            return False
        return bool(found)

    # -- writing -----------------------------------------------------------------------------------------------

    @contextmanager
    def transaction(
        self, *, wait: float, on_wait: OnWait | None = None, durable: bool = False
    ) -> Iterator[Transaction]:
        """A transaction, under the lock of writers: committed at its end, undone by any exception."""
        from asknown.online.postgres.transaction import begin, transaction  # and with it Arrow, which no read needs

        with self._explained():

            def start(held: Held) -> Statements:
                statements = Statements(held, prepare=self._options.prepare and psycopg.Pipeline.is_supported())
                begin(statements, self.schema, self.address, wait=wait, on_wait=on_wait, durable=durable)
                return statements

            with transaction(self._writes.run(start), self.schema, durable=durable) as found:
                yield found

    def load_lock(self, *, wait: float, on_wait: OnWait | None = None) -> AbstractContextManager[None]:
        """The lock of one load, or of one landing of rows."""
        return self._load_lock(wait, on_wait)

    @contextmanager
    def _load_lock(self, wait: float, on_wait: OnWait | None) -> Iterator[None]:
        from asknown.online.postgres.transaction import load_lock

        with (
            self._explained(),
            closing(connect(self.address, self._options, limited=False)) as connection,
            load_lock(connection, self.schema, self.address, wait=wait, on_wait=on_wait),
        ):
            yield

    # -- the server --------------------------------------------------------------------------------------------

    def describe(self) -> Sequence[tuple[str, str]]:
        """The server's version, and its settings that matter."""
        wanted = ", ".join(f"current_setting('{name}')" for name in ("server_version", *_SETTINGS))
        ((*values,),) = self._run(lambda held: held.cursor.execute(f"SELECT {wanted}".encode()).fetchall())
        return list(zip(("version", *_SETTINGS), map(str, values), strict=True))

    def interrupt(self, thread: int) -> None:
        """Stops the call that the thread runs now, if any."""
        self._reads.interrupt(thread)
        self._writes.interrupt(thread)

    def close(self) -> None:
        """Closes the connections of all threads."""
        self._reads.close()
        self._writes.close()

    def _run(self, action: Callable[[Held], Result]) -> Result:
        """The result of ``action`` with this thread's connection."""
        try:
            return self._reads.run(action)
        except _GONE:
            raise
        except psycopg.Error as error:
            meaning = explain(error, self.address)
            if meaning is None:
                raise
            raise meaning from None

    @contextmanager
    def _scanning(self) -> Iterator[Connection]:
        """A connection of its own, in one state of the store, so that other reads may go on meanwhile."""
        with (
            self._explained(),
            closing(connect(self.address, self._options, limited=False)) as connection,
            connection.transaction(),
        ):
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield connection

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turns errors of Postgres into the user's."""
        try:
            yield
        except psycopg.Error as error:
            meaning = explain(error, self.address)
            if meaning is None:
                raise
            raise meaning from error
