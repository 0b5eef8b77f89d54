"""Connections to the server: one for each thread that reads, opened again after a fork and when one is broken."""

from __future__ import annotations

import math
import os
import select
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import psycopg
from psycopg.adapt import Transformer
from psycopg.conninfo import make_conninfo
from psycopg.pq import ConnStatus, ExecStatus, Format
from psycopg.pq.abc import PGresult
from psycopg.types.numeric import Int8BinaryDumper, Int8Dumper
from psycopg.types.string import StrBinaryDumper, StrDumper

from asknown.addresses import StoreAddress
from asknown.online.postgres.errors import read_dsn, unreachable
from asknown.online.remote.forks import ForkedLock

Connection = psycopg.Connection[tuple[Any, ...]]
Cursor = psycopg.Cursor[tuple[Any, ...]]
Result = TypeVar("Result")

_MOST_PREPARED = 500
_GRACE = 1.0  # seconds in which the server can say that it has stopped a statement
_SETTINGS = "SET TimeZone = 'UTC'; SET client_min_messages = 'warning'"
"""pgbouncer keeps the first for each of its clients, in transaction mode as well."""


@dataclass(frozen=True)
class Options:
    """How to connect: the seconds until the server must answer, and whether statements may be prepared.

    pgbouncer allows that in transaction mode since its version 1.21 alone, and never what a session sets.
    """

    timeout: float
    prepare: bool

    @classmethod
    def of(cls, address: StoreAddress) -> Options:
        """The options that profiles.yml gives."""
        return cls(float(address.option("timeout", 5.0)), bool(address.option("prepare", True)))


def connect(address: StoreAddress, options: Options, *, limited: bool = True) -> Connection:
    """A new connection, in autocommit mode. ``limited``: no statement may take longer than the timeout."""
    given = read_dsn(address)
    seconds = max(2, math.ceil(options.timeout))  # libpq takes one second for none
    defaults = {
        "application_name": "asknown",
        "connect_timeout": str(seconds),
        "keepalives_idle": "30",
        "keepalives_interval": "10",
        "keepalives_count": "3",
        "tcp_user_timeout": str(max(seconds, 10) * 1000),  # milliseconds that sent data may stay unanswered
    }
    settings = _SETTINGS
    if options.prepare and limited:
        settings += f"; SET statement_timeout = {int(options.timeout * 1000)}"
    try:
        connection: Connection = psycopg.connect(
            make_conninfo(address.url, **{name: value for name, value in defaults.items() if name not in given}),
            autocommit=True,
            cursor_factory=psycopg.RawCursor,  # statements have $1, $2, …, which need no rewriting
        )
        connection.prepare_threshold = 2 if options.prepare else None
        connection.prepared_max = _MOST_PREPARED
        # An integer or a text has the same type whatever its value, so that one statement fits all of them.
        for dumper in (Int8Dumper, Int8BinaryDumper):
            connection.adapters.register_dumper(int, dumper)
        for text in (StrBinaryDumper, StrDumper):
            connection.adapters.register_dumper(str, text)
        connection.execute(settings)
    except psycopg.Error as error:
        raise unreachable(error, address) from None
    return connection


class Held:
    """A connection of a thread, closed when the thread ends. In a forked child it is the parent's."""

    def __init__(self, connection: Connection, patience: float | None = None) -> None:
        """``patience`` is how many seconds the server may be silent; None: for ever, as in a transaction."""
        self.connection = connection
        self._patience = None if patience is None else patience * 1_000
        self._poll = select.poll()
        self._poll.register(connection.pgconn.socket, select.POLLIN)
        self.cursor = connection.cursor()
        self.process = os.getpid()
        self._transformer = Transformer.from_context(connection)
        self._prepared: dict[bytes, bytes] = {}
        self._numbers = 0

    def query(self, text: bytes, bound: Sequence[bytes | None], *, prepare: bool) -> list[tuple[Any, ...]]:
        """The rows of a query whose parameters are texts, as Postgres spells values.

        It calls libpq itself: a cursor takes longer than the server does for one row.
        """
        pgconn = self.connection.pgconn
        if prepare:
            pgconn.send_query_prepared(self.prepared(text), bound, None, Format.BINARY)
        else:
            pgconn.send_query_params(text, bound, None, None, Format.BINARY)
        result = self._only_result()
        if result is None or result.status != ExecStatus.TUPLES_OK:
            raise self.failure(result)
        return self.load(result)

    def _only_result(self) -> PGresult | None:
        result = self.next_result()
        while self.next_result() is not None:
            pass
        return result

    def next_result(self) -> PGresult | None:
        """The next result of what was sent, waited for without Python's lock; None behind the last of a statement.

        A server that is silent for longer than the timeout, and should have stopped the statement by itself, is away.
        """
        pgconn = self.connection.pgconn
        while (unsent := pgconn.flush()) or pgconn.is_busy():
            if unsent:
                poll = select.poll()
                poll.register(pgconn.socket, select.POLLIN | select.POLLOUT)
            else:
                poll = self._poll
            if not poll.poll(self._patience):
                self.close()
                raise psycopg.OperationalError("the server is silent")
            pgconn.consume_input()
        return pgconn.get_result()

    def load(self, result: PGresult) -> list[tuple[Any, ...]]:
        """The rows of a result."""
        self._transformer.set_pgresult(result, format=Format.BINARY)
        return self._transformer.load_rows(0, result.ntuples, tuple)

    def prepared(self, text: bytes) -> bytes:
        """The name of a statement, which is prepared if it was not before."""
        name = self.known(text)
        if name is None:
            self.make_room()
            name = self.name_for(text)
            self.connection.pgconn.send_prepare(name, text)
            result = self._only_result()
            if result is None or result.status != ExecStatus.COMMAND_OK:
                self.forget(text)
                raise self.failure(result)
        return name

    def known(self, text: bytes) -> bytes | None:
        """The name of a statement that is prepared."""
        return self._prepared.get(text)

    def make_room(self) -> None:
        """Forgets all prepared statements where there are many."""
        if len(self._prepared) >= _MOST_PREPARED:
            for name in self._prepared.values():
                self.connection.pgconn.exec_(b"DEALLOCATE " + name)
            self._prepared.clear()

    def name_for(self, text: bytes) -> bytes:
        """The name under which a statement is now to be prepared; no other was ever called so."""
        self._numbers += 1
        name = self._prepared[text] = b"asknown_%d" % self._numbers
        return name

    def forget(self, text: bytes) -> None:
        """Notes that a statement is not prepared after all."""
        self._prepared.pop(text, None)

    def failure(self, result: PGresult | None) -> psycopg.Error:
        """The error of a result; None: there was none."""
        if result is None or self.connection.pgconn.status != ConnStatus.OK:
            self.close()
            said = "" if result is None else result.error_message.decode(errors="replace").strip()
            return psycopg.OperationalError(said or "the connection was lost")
        return psycopg.errors.error_from_result(result)

    def close(self) -> None:
        if self.process == os.getpid():
            with suppress(psycopg.Error):
                self.connection.close()

    def __del__(self) -> None:
        self.close()


_OF_PARENTS: list[Held] = []  # kept for ever: to end them in a child would end the parent's session


class Connections:
    """The connections of all threads to one address."""

    def __init__(self, address: StoreAddress, options: Options, *, limited: bool = True) -> None:
        self._address = address
        self._options = options
        self._limited = limited
        self._local = threading.local()
        self._of_thread: WeakValueDictionary[int, Held] = WeakValueDictionary()
        self._lock = ForkedLock()
        self._closed = False

    def current(self) -> Held:
        """The connection of this thread, opened if there is none that can be used."""
        held: Held | None = getattr(self._local, "held", None)
        if held is not None and held.process == os.getpid() and not held.connection.closed:
            return held
        if self._closed:
            raise ValueError("the online table was closed")
        if held is not None and held.process != os.getpid():
            _OF_PARENTS.append(held)
        held = self._local.held = self._open()
        with self._lock:
            self._of_thread[threading.get_ident()] = held
        return held

    def _open(self) -> Held:
        connection = connect(self._address, self._options, limited=self._limited)
        return Held(connection, self._options.timeout + _GRACE if self._limited else None)

    def run(self, action: Callable[[Held], Result]) -> Result:
        """The result of ``action`` with this thread's connection; where that breaks, once more with a new one."""
        held = self.current()
        try:
            return action(held)
        except psycopg.OperationalError:
            if not held.connection.closed:
                raise
        return action(self.current())

    def interrupt(self, thread: int) -> None:
        """Cancels the statement that a thread runs now, if any."""
        with self._lock:
            held = self._of_thread.get(thread)
        if held is not None and not held.connection.closed:
            with suppress(psycopg.Error):
                held.connection.cancel_safe(timeout=5.0)

    def close(self) -> None:
        """Closes the connections of all threads."""
        self._closed = True
        with self._lock:
            every = list(self._of_thread.values())
        for held in every:
            held.close()
