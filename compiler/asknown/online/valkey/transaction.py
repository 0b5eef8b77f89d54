"""One writer's transaction: what it writes waits here, and one step on the server writes it all, or nothing.

A generation that the transaction made itself is written at once, because nobody reads it before the documents name it.
More than :data:`MOST_WAITING` values of other generations are written before the commit too, each whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from struct import error as struct_error
from typing import Any

from asknown.addresses import StoreAddress
from asknown.errors import AsknownError
from asknown.instants import to_microseconds
from asknown.online.remote.store import Cell, Document, Key, Part, Table, Value
from asknown.online.valkey.connect import AwayError, Server, pack
from asknown.online.valkey.errors import damaged
from asknown.online.valkey.keyspace import pack_get, read_documents, scan_names, write_document
from asknown.online.valkey.lease import Lease
from asknown.online.valkey.names import Names, read_key, spell_key
from asknown.online.valkey.parts import value_packer, value_reader
from asknown.online.valkey.pending import Pending, count_words, value_commands
from asknown.online.valkey.replies import ReplyError
from asknown.online.valkey.scripts import COMMIT
from asknown.online.valkey.settings import free_memory

MOST_WAITING = 100_000
"""Values that wait for the commit."""

_MOST_IN_SCRIPT = 5_000  # commands; more go as MULTI, whose queue is not one long message
_KEEP = 600  # seconds that a generation stays after the last load that named it
_AT_ONCE = 1_000
_LAST = 9 * 10**15  # milliseconds: beyond the year 9999, and small enough for the server
_BESIDE_A_VALUE = 64  # bytes that the server needs beside a key and its value, about


@dataclass(frozen=True)
class KnownDocuments:
    """All documents as the transaction of a token left them; the next one need not read them again."""

    token: bytes
    documents: Mapping[str, Document]


class ValkeyTransaction:
    """Writes by one writer at a time, as :class:`asknown.online.remote.store.Transaction` says."""

    def __init__(
        self,
        server: Server,
        names: Names,
        address: StoreAddress,
        lease: Lease,
        *,
        grace: int | None,
        known: KnownDocuments,
    ) -> None:
        self._server = server
        self._names = names
        self._address = address
        self._lease = lease
        self._grace = grace
        self._known = known.documents if known.token == lease.written and known.token else None
        self._commands: list[Sequence[bytes]] = []
        self._documents: dict[str, Document | None] = {}
        self._pending: dict[tuple[bytes, Part], Pending] = {}
        self._direct: dict[bytes, Table] = {}  # generations that are written at once
        self._made: dict[bytes, Table] = {}
        self._sizes: dict[str, int] = {}
        self._waiting = 0
        self._queued: dict[str, list[tuple[int, int, str]]] = {}
        self._unqueued: dict[str, int] = {}

    # -- documents -------------------------------------------------------------------------------------------------

    def documents(self) -> Mapping[str, Document]:
        """All documents, by name."""
        if self._known is None:
            self._known = read_documents(self._server, self._names)
        found: dict[str, Document | None] = {**self._known, **self._documents}
        return {name: document for name, document in found.items() if document is not None}

    def write(self, name: str, document: Document | None) -> None:
        """Puts a document in the place of the one of this name; None removes it."""
        self._documents[name] = document

    # -- generations -----------------------------------------------------------------------------------------------

    def create(self, table: Table) -> None:
        """Makes an empty generation, and notes it: if this process ends before its commit, another removes it."""
        generation = self._names.generation(table)
        free = free_memory(self._server)
        needed = int(self._server.call(b"HGET", self._names.sizes, table.view.encode()) or 0)
        if free is not None and needed > free:
            raise AsknownError(
                "online-server",
                f"the {self._address} has {free:,} bytes of memory left, and a new load of '{table.view}' needs about "
                f"{needed:,} beside the rows that are read meanwhile: nothing was changed",
                hint="raise maxmemory on the server, or remove what is not needed there",
            )
        self._server.call(b"SADD", self._names.making, generation)
        self._made[generation] = self._direct[generation] = table

    def retire(self, table: Table) -> None:
        """Notes that a generation is not needed once this transaction is committed."""
        generation = self._names.generation(table)
        due = b"%d" % (int(time.time()) + _KEEP)
        self._commands.append((b"ZADD", self._names.retired, due, generation))

    def sweep(self) -> None:
        """Removes generations whose time has come, and those of loads that did not end."""
        now = b"%d" % int(time.time())
        due = self._server.call(b"ZRANGEBYSCORE", self._names.retired, b"-inf", now)
        left = self._server.call(b"SMEMBERS", self._names.making)
        self._erase([*due, *left])
        if due:
            self._server.call(b"ZREM", self._names.retired, *due)
        if left:
            self._server.call(b"SREM", self._names.making, *left)

    def _erase(self, generations: Sequence[bytes]) -> None:
        if not generations:
            return
        root, starts = self._names.root, tuple(generations)
        for names in scan_names(self._server, self._address, root):
            gone = [root + name for name in names if (root + name).startswith(starts)]
            if gone:
                self._server.call(b"UNLINK", *gone)

    # -- reading ---------------------------------------------------------------------------------------------------

    def held(self, table: Table, part: Part, keys: Sequence[Key]) -> Mapping[Key, Value]:
        """A part's content for these keys; keys of which it holds nothing are left out."""
        spell, read = spell_key(table.keys), value_reader(table, part)
        prefix, pending = self._part(table, part)
        wanted = [key for key in dict.fromkeys(keys) if None not in key]
        found: dict[Key, Value] = {}
        for start in range(0, len(wanted), _AT_ONCE):
            some = wanted[start : start + _AT_ONCE]
            names = [prefix + spell(key) for key in some]
            packed = self._server.ask(pack_get(names))
            try:
                for key, name, given in zip(some, names, packed, strict=True):
                    value = pending.overlaid(name, given)
                    if value is not None:
                        found[key] = read(key, value)
            except (ValueError, struct_error, IndexError) as error:
                raise damaged(self._address, f"a value of '{table.view}' cannot be read: {error}") from error
        return found

    def keys(self, table: Table, part: Part) -> Iterator[Sequence[Key]]:
        """All keys of a part, some at a time, each once."""
        read = read_key(table.keys)
        prefix, pending = self._part(table, part)
        width = len(prefix)
        seen: set[bytes] = set()
        for names in scan_names(self._server, self._address, prefix):
            fresh = [name for name in dict.fromkeys(names) if name not in seen]
            seen.update(fresh)
            there = [name for name in fresh if pending.values.get(prefix + name, b"") is not None]
            if there:
                yield [read(name) for name in there]
        added = [name for name, value in pending.values.items() if value is not None] + list(pending.appended)
        others = [name[width:] for name in added if name[width:] not in seen]
        if others:
            yield [read(name) for name in others]

    def _part(self, table: Table, part: Part) -> tuple[bytes, Pending]:
        generation = self._names.generation(table)
        return self._names.part(table, part), self._pending.setdefault((generation, part), Pending())

    # -- writing ---------------------------------------------------------------------------------------------------

    def put(self, table: Table, part: Part, items: Iterable[tuple[Key, Value]]) -> None:
        """Writes whole values, over those that the keys have."""
        spell, packer = spell_key(table.keys), value_packer(table, part)
        expiry = self._expiry(table) if part == "rows" else None
        prefix, pending = self._part(table, part)
        if self._names.generation(table) in self._direct:
            for count, commands in value_commands(items, prefix, spell, packer, expiry):
                self._send(table, count, commands)
            return
        for key, value in items:
            pending.put(prefix + spell(key), packer(value), None if expiry is None else expiry(value))
            self._waiting += 1
        self._spill()

    def fill(self, table: Table, keys: Sequence[Key], columns: Sequence[Sequence[Cell]]) -> None:
        """Writes the rows of new keys into a generation that this transaction has made."""
        self.put(table, "rows", zip(keys, zip(*columns, strict=True), strict=True))

    def append(self, table: Table, items: Iterable[tuple[Key, bytes]]) -> None:
        """Writes bytes behind those that the keys have in the part ``pushed``."""
        spell = spell_key(table.keys)
        prefix, pending = self._part(table, "pushed")
        for key, more in items:
            pending.append(prefix + spell(key), more)
        if self._names.generation(table) in self._direct:
            self._flush(table, "pushed")

    def remove(self, table: Table, part: Part, keys: Iterable[Key]) -> None:
        """Removes keys from a part; a key that is not there is no error."""
        spell = spell_key(table.keys)
        prefix, pending = self._part(table, part)
        for key in keys:
            pending.put(prefix + spell(key), None)
            self._waiting += 1
        if self._names.generation(table) in self._direct:
            self._flush(table, part)
        self._spill()

    def clear(self, table: Table, part: Part) -> None:
        """Removes all keys from a part."""
        prefix, pending = self._part(table, part)
        for names in scan_names(self._server, self._address, prefix):
            for name in names:
                pending.put(prefix + name, None)
        for name in [*pending.values, *pending.appended]:
            pending.put(name, None)
        self._waiting += len(pending.values)
        if self._names.generation(table) in self._direct:
            self._flush(table, part)
        self._spill()

    def _expiry(self, table: Table) -> Callable[[Any], int] | None:
        """The function from a row to the instant (milliseconds since 1970) at which the server may drop it."""
        if not table.ttl:
            return None
        place, after = table.event_time, table.ttl + (table.ttl if self._grace is None else self._grace)

        def expiry(row: Any) -> int:
            moment = to_microseconds(datetime.fromisoformat(row[place])) + after
            return min(max(moment // 1_000 + 1, 1), _LAST)

        return expiry

    def _send(self, table: Table, count: int, commands: Sequence[bytes]) -> None:
        """Writes ``count`` values into a generation that nobody reads yet."""
        self._check_lease()
        self._server.pipe(commands)
        size = sum(map(len, commands)) + count * _BESIDE_A_VALUE
        self._sizes[table.view] = self._sizes.get(table.view, 0) + size

    def _check_lease(self) -> None:
        if self._lease.lost:
            raise self._overtaken()

    def _overtaken(self) -> AsknownError:
        return AsknownError(
            "online-write",
            f"another process has taken the lock of the {self._address}, because this one did not answer for too long: "
            "nothing was written",
            hint="run it again",
        )

    # -- pushes ----------------------------------------------------------------------------------------------------

    def seen(self, source: str, ids: Sequence[Cell]) -> set[Cell]:
        """Those of the ids that were remembered before and are not forgotten."""
        found: set[Cell] = set()
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            given = self._server.ask(pack_get([self._names.seen(source, one) for one in some]))
            found.update(one for one, there in zip(some, given, strict=True) if there is not None)
        return found

    def remember(self, source: str, ids: Sequence[tuple[Cell, int]], *, before: int) -> None:
        """Keeps ids with their arrivals (microseconds) for as long as the first arrived after ``before``."""
        if not ids:
            return
        kept = b"%d" % max(1, (ids[0][1] - before) // 1_000)
        for one, at in ids:
            self._commands.append((b"SET", self._names.seen(source, one), b"%d" % at, b"PX", kept))

    def queue(self, source: str, rows: Sequence[tuple[int, int, str]]) -> None:
        """Puts rows into the outbox: number, arrival, text."""
        name = self._names.outbox(source)
        self._queued.setdefault(source, []).extend(rows)
        for seq, at, text in rows:
            self._commands.append((b"XADD", name, b"%d-0" % seq, b"at", b"%d" % at, b"row", text.encode()))

    def queued(self, source: str, *, upto: int | None = None) -> list[tuple[int, int, str]]:
        """The rows of the outbox, in the order of their numbers, up to a number."""
        last = b"+" if upto is None else b"%d-0" % upto
        found = self._server.call(b"XRANGE", self._names.outbox(source), b"-", last)
        rows = [_read_queued(entry) for entry in found]
        rows += [row for row in self._queued.get(source, ()) if upto is None or row[0] <= upto]
        gone = self._unqueued.get(source, 0)
        return [row for row in rows if row[0] > gone]

    def unqueue(self, source: str, upto: int) -> None:
        """Removes the rows up to a number from the outbox."""
        self._unqueued[source] = max(upto, self._unqueued.get(source, 0))
        self._commands.append((b"XTRIM", self._names.outbox(source), b"MINID", b"=", b"%d-0" % (upto + 1)))

    # -- the end ---------------------------------------------------------------------------------------------------

    def commit(self) -> KnownDocuments:
        """Writes all that waits, if this process still has the lock, and gives the lock up.

        Returns the documents as they are then. Where nothing waits, nothing is written.
        """
        self._check_lease()
        commands = [*self._waiting_commands(), *self._last_commands()]
        if not commands:
            self._lease.release()
            return KnownDocuments(self._lease.written, self._known) if self._known else KnownDocuments(b"", {})
        lock, written, token = self._names.lock, self._names.written, self._lease.token
        self._lease.stop()
        try:
            if len(commands) <= _MOST_IN_SCRIPT:
                done = self._server.run(COMMIT, [lock, written], [token, *count_words(commands)])
            else:
                done = self._commit_many(commands)
        except AwayError as error:
            if not error.again or self._server.call(b"GET", written) != token:
                raise
            done = True
        if not done:
            raise self._overtaken()
        if self._known is None:  # nothing may fail from here on
            return KnownDocuments(b"", {})
        return KnownDocuments(token, self.documents())

    def _commit_many(self, commands: Sequence[Sequence[bytes]]) -> bool:
        lock, written, token = self._names.lock, self._names.written, self._lease.token
        packed = [pack(*command) for command in commands]
        end = [pack(b"SET", written, token), pack(b"DEL", lock), pack(b"EXEC")]
        _, holder = self._server.pipe([pack(b"WATCH", lock), pack(b"GET", lock)], once=True)
        if holder != token:
            self._server.call_once(b"UNWATCH")
            return False
        answers = self._server.pipe_whole([pack(b"MULTI"), *packed, *end])
        done = answers[-1]
        for answer in done or ():
            if isinstance(answer, ReplyError):
                raise answer
        return done is not None

    def _waiting_commands(self) -> list[Sequence[bytes]]:
        commands: list[Sequence[bytes]] = []
        for pending in self._pending.values():
            commands += pending.commands()
        return commands

    def _last_commands(self) -> list[Sequence[bytes]]:
        names, commands = self._names, [*self._commands]
        for view, size in self._sizes.items():
            commands.append((b"HSET", names.sizes, view.encode(), b"%d" % size))
        if self._made:
            commands.append((b"SREM", names.making, *self._made))
        for name, document in self._documents.items():
            if document is None:
                commands.append((b"HDEL", names.documents, name.encode()))
                commands.append((b"DEL", names.version(name)))
            else:
                commands.append((b"HSET", names.documents, name.encode(), write_document(document)))
                commands.append((b"SET", names.version(name), document.version.encode()))
        return commands

    def undo(self) -> None:
        """Removes what was written already, after the lock was given up. Where that fails, the next load does it.

        A commit whose answer was lost may have come through: then its generations are no longer among those in the
        making, and stay.
        """
        with suppress(AwayError, ReplyError, AsknownError):
            making = self._server.call(b"SMEMBERS", self._names.making) if self._made else []
            gone = [generation for generation in self._made if generation in making]
            self._erase(gone)
            if gone:
                self._server.call(b"SREM", self._names.making, *gone)

    def _spill(self) -> None:
        """Writes what waits for the generations before the commit, where it is too much to keep."""
        if self._waiting < MOST_WAITING:
            return
        self._check_lease()
        for pending in self._pending.values():
            self._server.pipe([pack(*command) for command in pending.commands()])
            pending.clear()
        self._waiting = 0

    def _flush(self, table: Table, part: Part) -> None:
        """Writes what waits for one part of a generation that nobody reads yet."""
        _, pending = self._part(table, part)
        packed = [pack(*command) for command in pending.commands()]
        self._send(table, len(packed), packed)
        pending.clear()


def _read_queued(entry: Sequence[Any]) -> tuple[int, int, str]:
    number, fields = entry
    values = dict(zip(fields[::2], fields[1::2], strict=True))
    return int(number.split(b"-")[0]), int(values[b"at"]), values[b"row"].decode()
