"""Hashes of what the file's tables hold: SQLite has no page checksums, and a flipped bit would be served as a value.

A table's hash is a sum over its rows, so it does not depend on their order, and a load that changes a few rows changes
it by those rows alone. To the sum comes the table's definition. A row is hashed as SQLite gives it back.
"""

from __future__ import annotations

import marshal
import sqlite3
import struct
from collections.abc import Collection
from hashlib import blake2b
from typing import Any

Row = tuple[Any, ...]

_FORMAT = 2  # of marshal: the last in which equal rows are always equal bytes
_MODULUS = 2**64
_AT_ONCE = 10_000


class Change:
    """The changes of one load to a table: how many rows came and went, and the sum of their hashes."""

    def __init__(self) -> None:
        self.added = self.removed = self._sum = 0

    def add(self, rows: Collection[Row], hashed: int | None = None) -> None:
        """Rows that have come into the table; ``hashed`` is the sum of their hashes, where it is known."""
        self.added += len(rows)
        self._sum += sum_rows(rows) if hashed is None else hashed

    def remove(self, rows: Collection[Row]) -> None:
        """Rows that have left it."""
        self.removed += len(rows)
        self._sum -= sum_rows(rows)

    def apply(self, hashed: str) -> str:
        """The hash of the table, which was ``hashed`` before."""
        return _spell(int(hashed, 16) + self._sum)


def hash_table(connection: sqlite3.Connection, table: str) -> str:
    """The hash of a table as it stands in the file."""
    (definition,) = connection.execute(
        "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)
    ).fetchone() or ("",)
    total = sum_rows([(definition,)])
    quoted = table.replace('"', '""')
    cursor = connection.execute(f'SELECT * FROM "{quoted}"')
    while rows := cursor.fetchmany(_AT_ONCE):
        total += sum_rows(rows)
    return _spell(total)


def sum_rows(rows: Collection[Row]) -> int:
    """The sum of the rows' hashes."""
    new, digests = blake2b(digest_size=8).copy, []  # a copy is made in half the time of a new one
    for row in rows:
        hashed = new()
        hashed.update(marshal.dumps(row, _FORMAT))
        digests.append(hashed.digest())
    return sum(struct.unpack(f"<{len(digests)}Q", b"".join(digests)))


def _spell(total: int) -> str:
    return f"{total % _MODULUS:016x}"
