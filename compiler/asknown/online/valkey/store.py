"""The online table on a Valkey or Redis server: one string for each key and part, all of a request in one MGET."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from struct import error as struct_error
from typing import Any, ClassVar

from asknown.addresses import StoreAddress
from asknown.online.remote.store import (
    Document,
    Found,
    Get,
    Got,
    Key,
    OnWait,
    Part,
    Strength,
    Table,
    Transaction,
    Value,
)
from asknown.online.valkey.codec import unpack_blocks
from asknown.online.valkey.connect import TIMEOUT, AwayError, Server, pack
from asknown.online.valkey.errors import damaged, explain, explained
from asknown.online.valkey.keyspace import pack_get, read_documents, scan_names
from asknown.online.valkey.lease import Lease
from asknown.online.valkey.names import Names, read_key, spell_key
from asknown.online.valkey.parts import column_reader, value_reader
from asknown.online.valkey.replies import ReplyError
from asknown.online.valkey.settings import describe, refuse_for_pushes, refuse_for_reads
from asknown.online.valkey.transaction import KnownDocuments, ValkeyTransaction

_MOST_SHAPES = 1_000  # readers kept

_UNREADABLE = (ValueError, struct_error, IndexError)


class ValkeyStore:
    """The online table at an address."""

    strength: ClassVar[Strength] = Strength(
        one_state="yes on one node: one MGET",
        loads="a rebuild yes; an incremental load of up to 100,000 changed values too, beyond that each row is whole",
        newest_wins="compared under the lock of writers, written by one script that checks the lock",
        durable="appendfsync always, without which pushes are refused; a failover to a replica may lose it",
        rows_stay="with maxmemory-policy noeviction, but for rows past ttl and grace",
        content="all rows",
        whole_loads=False,
        keeps_rows=False,
    )

    def __init__(self, address: StoreAddress) -> None:
        self._address = address
        timeout = float(address.option("timeout", TIMEOUT))
        grace = address.option("grace", -1.0)
        self._grace = None if float(grace) < 0 else round(float(grace) * 1_000_000)
        self._server = Server(address.url, timeout=timeout)
        self._names = Names.of(address.space)
        self._left: dict[bytes, list[bytes]] = {}
        self._known = KnownDocuments(b"", {})
        self._versions: dict[str, bytes] = {}
        self._shapes: dict[tuple[str, tuple[int, ...]], _Shape] = {}

    # -- settings --------------------------------------------------------------------------------------------------

    def check_reads(self) -> None:
        """Refuses a server that evicts rows, and a cluster."""
        with explained(self._address):
            refuse_for_reads(self._server, self._address)

    def check_pushes(self) -> None:
        """Refuses a server that answers before a write is on disk."""
        with explained(self._address):
            refuse_for_pushes(self._server, self._address)

    def describe(self) -> Sequence[tuple[str, str]]:
        """Facts about the server, as (name, value)."""
        with explained(self._address):
            return describe(self._server)

    # -- reading ---------------------------------------------------------------------------------------------------

    def documents(self) -> Mapping[str, Document]:
        """All documents, by name."""
        with explained(self._address):
            return read_documents(self._server, self._names)

    def fetch(self, facts: Mapping[str, str | None], tell: Sequence[str], gets: Sequence[Get]) -> Found | None:
        """Values and facts in one MGET; None if a fact does not hold."""
        versions = self._versions
        names = [versions.get(name) or self._version(name) for name in (*facts, *tell)]
        shapes = []
        for get in gets:
            shape = self._shape(get)
            shapes.append(shape)
            shape.add_names(names, get)
        if not names:
            return Found((), ())
        try:
            found = self._server.ask(pack_get(names))
        except (AwayError, ReplyError) as error:
            raise explain(error, self._address) from error
        place = 0
        for wanted in facts.values():
            given = found[place]
            place += 1
            if (given.decode() if given is not None else None) != wanted:
                return None
        told = [None if one is None else one.decode() for one in found[place : place + len(tell)]]
        place += len(tell)
        got = []
        try:
            for get, shape in zip(gets, shapes, strict=True):
                one, place = shape.read(found, place, get)
                got.append(one)
        except _UNREADABLE as error:
            raise damaged(self._address, f"a value cannot be read: {error}") from error
        return Found(told, got)

    def keys(self, table: Table, part: Part) -> Iterator[Sequence[Key]]:
        """All keys of a part, some at a time, each once."""
        read = read_key(table.keys)
        for names in self._scan(table, part):
            yield [read(name) for name in names]

    def scan(self, table: Table, part: Part) -> Iterator[Sequence[tuple[Key, Value]]]:
        """All that a part holds, some at a time, each key once."""
        read, prefix = read_key(table.keys), self._names.part(table, part)
        values = value_reader(table, part)
        for names in self._scan(table, part):
            with explained(self._address):
                found = self._server.ask(pack_get([prefix + name for name in names]))
            try:
                there = [(read(name), packed) for name, packed in zip(names, found, strict=True) if packed is not None]
                pairs = [(key, values(key, packed)) for key, packed in there]
            except _UNREADABLE as error:
                raise damaged(self._address, f"a value of '{table.view}' cannot be read: {error}") from error
            yield pairs

    def has_queued(self, sources: Sequence[str]) -> bool:
        """Whether the outbox has rows of one of these sources."""
        with explained(self._address):
            return any(self._server.pipe([pack(b"XLEN", self._names.outbox(source)) for source in sources]))

    def _scan(self, table: Table, part: Part) -> Iterator[list[bytes]]:
        """The keys of a part, as they are spelt in names."""
        prefix = self._names.part(table, part)
        seen: set[bytes] = set()
        for names in scan_names(self._server, self._address, prefix):
            fresh = [name for name in names if name not in seen]
            seen.update(fresh)
            if fresh:
                yield fresh

    def _version(self, document: str) -> bytes:
        if len(self._versions) >= _MOST_SHAPES:
            self._versions.clear()
        name = self._versions[document] = self._names.version(document)
        return name

    def _shape(self, get: Get) -> _Shape:
        index = (get.table.generation, get.columns)
        shape = self._shapes.get(index)
        if shape is None:
            if len(self._shapes) >= _MOST_SHAPES:
                self._shapes.clear()
            shape = self._shapes[index] = _Shape(get, self._names)
        return shape

    # -- writing ---------------------------------------------------------------------------------------------------

    @contextmanager
    def transaction(
        self, *, wait: float, on_wait: OnWait | None = None, durable: bool = False
    ) -> Iterator[Transaction]:
        """A transaction, under the lock of writers: committed at its end, undone by any exception."""
        with explained(self._address):
            lease = self._lease(self._names.lock)
            lease.acquire(wait, on_wait)
            transaction = ValkeyTransaction(
                self._server, self._names, self._address, lease, grace=self._grace, known=self._known
            )
            try:
                if not durable:  # a push is over sooner than the lock goes, and is no part of a load
                    lease.keep()
                    transaction.sweep()
                yield transaction
                self._known = transaction.commit()
            except BaseException:
                if lease.release():
                    transaction.undo()
                raise
            finally:
                lease.stop()

    @contextmanager
    def load_lock(self, *, wait: float, on_wait: OnWait | None = None) -> Iterator[None]:
        """The lock of one load, or of one landing of rows."""
        with explained(self._address):
            lease = self._lease(self._names.load_lock)
            lease.acquire(wait, on_wait)
            lease.keep()
        try:
            yield
        finally:
            lease.release()

    def _lease(self, lock: bytes) -> Lease:
        left = self._left.setdefault(lock, [])
        return Lease(self._server, lock, self._names.written, self._address, left=left)

    def interrupt(self, thread: int) -> None:
        """Stops the call that the thread runs now, if any."""
        self._server.interrupt(thread)

    def close(self) -> None:
        """Closes the connections of all threads."""
        self._server.close()


class _Shape:
    """How the reads of some columns of one generation spell their keys, and decode what they find."""

    def __init__(self, get: Get, names: Names) -> None:
        table = get.table
        self._rows = names.part(table, "rows")
        self._events = names.part(table, "events")
        self._ahead = names.part(table, "ahead")
        self._pushed = names.part(table, "pushed")
        self._spell = spell_key(table.keys)
        self._width = len(get.columns)
        self._nothing = (None,) * self._width
        self._read = column_reader(table, get.columns)
        self._whole = None if self._read is not None else value_reader(table, "rows")
        self._columns = get.columns
        self._no_columns: list[Sequence[Any]] = [()] * self._width

    def add_names(self, names: list[bytes], get: Get) -> None:
        """Adds the names of all that a get asks for: part by part, in the order of its keys."""
        keys, spell = get.keys, self._spell
        spelt = [None if None in key else spell(key) for key in keys]
        for prefix in self._prefixes(get):
            names += [prefix if key is None else prefix + key for key in spelt]

    def _prefixes(self, get: Get) -> list[bytes]:
        prefixes = [self._rows] if self._width else []
        if get.events is not None:
            prefixes.append(self._events)
        if get.ahead:
            prefixes.append(self._ahead)
        if get.pushed:
            prefixes.append(self._pushed)
        return prefixes

    def read(self, found: Sequence[bytes | None], place: int, get: Get) -> tuple[Got, int]:
        """The findings of a get from a place on, and the place behind them."""
        keys = get.keys
        count = len(keys)
        columns: Sequence[Sequence[Any]] = ()
        events: Sequence[Any] = ()
        ahead: Sequence[Any] = ()
        pushed: Sequence[Any] = ()
        if self._width:
            columns = list(zip(*self._rows_of(keys, found[place : place + count]), strict=True)) or self._no_columns
            place += count
        if get.events is not None:
            some = _without_nulls(keys, found[place : place + count])
            events = [None if cell is None else unpack_blocks(cell, get.events) for cell in some]
            place += count
        if get.ahead:
            ahead = _without_nulls(keys, found[place : place + count])
            place += count
        if get.pushed:
            pushed = _without_nulls(keys, found[place : place + count])
            place += count
        return Got(columns, events, ahead, pushed), place

    def _rows_of(self, keys: Sequence[Key], found: Sequence[bytes | None]) -> list[Sequence[Any]]:
        read, nothing = self._read, self._nothing
        if read is not None:
            return [
                nothing if cell is None or None in key else read(cell) for key, cell in zip(keys, found, strict=True)
            ]
        whole = self._whole
        assert whole is not None
        return [
            nothing if cell is None or None in key else [whole(key, cell)[place] for place in self._columns]
            for key, cell in zip(keys, found, strict=True)
        ]


def _without_nulls(keys: Sequence[Key], found: Sequence[bytes | None]) -> list[bytes | None]:
    return [None if None in key else cell for key, cell in zip(keys, found, strict=True)]
