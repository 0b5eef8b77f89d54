"""The file of an online table, open for pushes: ids, numbers and arrivals, the outbox, and what lands of it.

A push is one durable transaction: the ids of its rows, the rows in the outbox, and what they change in every view that
follows their source. Numbers and arrivals come from the file inside the transaction, so they increase together,
whichever process writes. One thread uses an object of this module.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from asknown.online.codec import decoder, json_encoder
from asknown.online.nodes import Owner, StoredView
from asknown.online.pushes import Outcome, PushedRow, Stamp
from asknown.online.sqlite import connect, lock, metadata
from asknown.online.sqlite.errors import check_sqlite, explain, refuse_folder
from asknown.online.sqlite.opening import open_for_writing
from asknown.online.sqlite.pushed import apply_rows
from asknown.paths import absolute
from asknown.types import SqlType

_FORGET_AT_ONCE = 2_000  # ids that one push removes, so that none takes long
_IDS_AT_ONCE = 500


class PushFile:
    """The online table of ``owner`` at ``path``, open for pushes. Waits ``timeout`` seconds for other writers."""

    def __init__(self, path: str | Path, owner: Owner | None, *, timeout: float = 60.0) -> None:
        self.path = absolute(path)
        check_sqlite(sqlite3.sqlite_version_info)
        refuse_folder(self.path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = lock.KeptLock(self.path, timeout)
        self._claim = ExitStack()
        self._views: dict[str, StoredView] = {}
        self._version: tuple[int, int] | None = None
        try:
            with self._lock:
                self._claim.enter_context(connect.claimed(self.path, "sqlite3"))
                self.connection = sqlite3.connect(
                    self.path, timeout=timeout, isolation_level=None, check_same_thread=False
                )
                with self.explained():
                    open_for_writing(self.connection, self.path, owner, synchronous="FULL")
                    self.connection.execute("COMMIT")
            found = self.path.stat()
            self._identity = (found.st_dev, found.st_ino)
        except BaseException:
            self.close()
            raise

    def is_in_place(self) -> bool:
        """Whether the file is still the one at its path."""
        try:
            found = self.path.stat()
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._identity

    @contextmanager
    def transaction(self) -> Iterator[PushTransaction]:
        """A transaction under the writers' lock: committed at its end and then durable, undone by any exception."""
        with self._lock, self.explained():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                transaction = PushTransaction(self.connection, self._current())
                yield transaction
                transaction.finish()
                self.connection.execute("COMMIT")
            except BaseException:
                self._version = None
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise
            self._views = transaction.views()

    def _current(self) -> dict[str, StoredView]:
        """The views in the file, which are read again if another connection has written."""
        row = self.connection.execute("PRAGMA data_version").fetchone()
        schema = self.connection.execute("PRAGMA schema_version").fetchone()
        version = (row[0], schema[0])
        if version != self._version:
            self._views = metadata.read_views(self.connection, self.path)
            self._version = version
        return dict(self._views)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turns SQLite's errors into the user's."""
        try:
            yield
        except sqlite3.Error as error:
            meaning = explain(error, self.path)
            if meaning is None:
                raise
            raise meaning from error

    def close(self) -> None:
        """Closes the file."""
        connection = self.__dict__.pop("connection", None)
        if connection is not None:
            connection.close()
        self._claim.close()
        self._lock.close()


class PushTransaction:
    """The writes of one transaction, as :class:`asknown.online.pushes.PushTransaction` says."""

    def __init__(self, connection: sqlite3.Connection, views: dict[str, StoredView]) -> None:
        self._connection = connection
        self._views = views
        self._changed: set[str] = set()

    def views(self) -> dict[str, StoredView]:
        """The views in the file, as this transaction leaves them."""
        return self._views

    def last(self) -> Stamp:
        """The number and arrival of the last row that was pushed; zeros where there is none."""
        row = self._connection.execute("SELECT seq, at FROM _asknown_commit").fetchone()
        return Stamp(0, 0) if row is None else Stamp(*row)

    def stamp(self, count: int, *, least: int = 0) -> Stamp:
        """The numbers and arrivals of ``count`` more rows. Numbers are greater than ``least``."""
        last = self.last()
        stamp = Stamp(max(last.seq, least) + 1, max(time.time_ns() // 1_000, last.at + 1))
        new = (stamp.seq + count - 1, stamp.at + count - 1)
        if last == Stamp(0, 0):
            self._connection.execute("DELETE FROM _asknown_commit")
            self._connection.execute("INSERT INTO _asknown_commit VALUES (?, ?)", new)
        else:
            self._connection.execute("UPDATE _asknown_commit SET seq = ?, at = ?", new)
        return stamp

    def seen(self, source: str, ids: Sequence[Any]) -> set[Any]:
        """Those of the ids that were pushed before."""
        found: set[Any] = set()
        for start in range(0, len(ids), _IDS_AT_ONCE):
            some = ids[start : start + _IDS_AT_ONCE]
            places = ", ".join("?" * len(some))
            query = f"SELECT id FROM _asknown_seen WHERE source = ? AND id IN ({places})"
            found.update(row[0] for row in self._connection.execute(query, (source, *some)))
        return found

    def remember(self, source: str, ids: Iterable[tuple[Any, int]], *, before: int) -> None:
        """Keeps ids with their arrivals, and forgets some of those that are from ``before``."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO _asknown_seen VALUES (?, ?, ?)", ((source, key, at) for key, at in ids)
        )
        self._connection.execute(
            "DELETE FROM _asknown_seen WHERE (source, id) IN\n"
            f"(SELECT source, id FROM _asknown_seen INDEXED BY _asknown_seen_of WHERE source = ? AND at < ? "
            f"LIMIT {_FORGET_AT_ONCE})",
            (source, before),
        )

    def queue(self, source: str, kind: SqlType, rows: Iterable[PushedRow]) -> None:
        """Puts rows, whose values are a struct of ``kind``, into the outbox."""
        encode = json_encoder(kind)
        self._connection.executemany(
            "INSERT INTO _asknown_outbox VALUES (?, ?, ?, ?)",
            ((row.seq, source, row.at, encode(row.values)) for row in rows),
        )

    def offsets(self, topic: str) -> dict[int, int]:
        """The next offset of each partition of a topic whose messages are pushed."""
        return dict(self._connection.execute("SELECT partition, next FROM _asknown_offsets WHERE topic = ?", (topic,)))

    def keep_offsets(self, topic: str, following: Mapping[int, int]) -> None:
        """Notes the next offsets of some partitions, together with the rows of this transaction."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO _asknown_offsets VALUES (?, ?, ?)",
            ((topic, partition, offset) for partition, offset in following.items()),
        )

    def apply(self, view: str, batches: Iterable[Any], *, at: int, seq: int) -> Mapping[str, Outcome]:
        """Applies rows of a view that have arrived up to ``at``, the last of them numbered ``seq``."""
        applied = apply_rows(self._connection, self._views[view], batches, at=at, seq=seq)
        if applied.remade:
            applied.stored = replace(applied.stored, load_id=uuid4().hex)
            metadata.write_view(self._connection, applied.stored)
        self._views[view] = applied.stored
        self._changed.add(view)
        return applied.outcomes

    def finish(self) -> None:
        """Writes what the file says of the views that have changed."""
        for name in self._changed:
            metadata.write_pushes(self._connection, self._views[name])

    # -- landing -------------------------------------------------------------------------------------------------

    def unlanded(self, source: str, kind: SqlType, *, upto: int | None = None) -> list[PushedRow]:
        """The rows of the outbox, in the order of their numbers."""
        return unlanded(self._connection, source, kind, upto=upto)

    def landing(self, source: str) -> tuple[int, int] | None:
        """The range that is being landed, or was when its process ended."""
        query = "SELECT first, until FROM _asknown_landed WHERE source = ? AND first IS NOT NULL"
        row = self._connection.execute(query, (source,)).fetchone()
        return None if row is None else (row[0], row[1])

    def begin_landing(self, source: str, first: int, until: int) -> None:
        """Notes the range that will be landed."""
        self._connection.execute(
            "INSERT INTO _asknown_landed VALUES (?, 0, ?, ?)\n"
            "ON CONFLICT DO UPDATE SET first = excluded.first, until = excluded.until",
            (source, first, until),
        )

    def end_landing(self, source: str, until: int) -> None:
        """Removes landed rows from the outbox."""
        self._connection.execute("DELETE FROM _asknown_outbox WHERE source = ? AND seq <= ?", (source, until))
        self._connection.execute(
            "UPDATE _asknown_landed SET last = ?, first = NULL, until = NULL WHERE source = ?", (until, source)
        )


def unlanded(connection: sqlite3.Connection, source: str, kind: SqlType, *, upto: int | None = None) -> list[PushedRow]:
    """The rows of a source in the outbox, in the order of their numbers. Their values are a struct of ``kind``."""
    decode = decoder(kind)
    assert decode is not None
    query = "SELECT seq, at, row FROM _asknown_outbox WHERE source = ? AND seq <= ? ORDER BY seq"
    found = connection.execute(query, (source, 2**63 - 1 if upto is None else upto))
    return [PushedRow(seq, at, decode(row)) for seq, at, row in found]


def has_unlanded(path: Path, sources: Iterable[str]) -> bool:
    """Whether the file, if there is one, has rows of one of these sources that have not landed, or are landing."""
    if not path.exists():
        return False
    try:
        with connect.claimed(path, "sqlite3"):
            connection = connect.connect(str(path), "sqlite3")
            try:
                there = connection.execute("SELECT 1 FROM sqlite_master WHERE name = '_asknown_outbox'").fetchone()
                if there is None:
                    return False
                names = list(sources)
                places = ", ".join("?" * len(names))
                query = (
                    f"SELECT EXISTS (SELECT 1 FROM _asknown_outbox WHERE source IN ({places}))\n"
                    f"OR EXISTS (SELECT 1 FROM _asknown_landed WHERE source IN ({places}) AND first IS NOT NULL)"
                )
                return bool(connection.execute(query, names + names).fetchone()[0])
            finally:
                connection.close()
    except sqlite3.Error as error:
        meaning = explain(error, path)
        if meaning is None:
            raise
        raise meaning from error
