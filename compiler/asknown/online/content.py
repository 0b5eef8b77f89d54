"""Hashes of rows, and of changes to them: a store may lose or flip a bit, and would serve it as a value.

The hash of a table is a sum over its rows, so it does not depend on their order, and a load that changes a few rows
changes it by those rows alone. A row is hashed in its stored form.
"""

from __future__ import annotations

import marshal
import struct
from collections.abc import Collection, Iterable, Sequence
from hashlib import blake2b
from typing import Any

Row = tuple[Any, ...]

_FORMAT = 2  # of marshal: the last in which equal rows are always equal bytes
_MODULUS = 2**64


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
        return spell_hash(int(hashed, 16) + self._sum)


def sum_rows(rows: Collection[Row]) -> int:
    """The sum of the rows' hashes."""
    new, digests = blake2b(digest_size=8).copy, []  # a copy is made in half the time of a new one
    for row in rows:
        hashed = new()
        hashed.update(marshal.dumps(row, _FORMAT))
        digests.append(hashed.digest())
    return sum(struct.unpack(f"<{len(digests)}Q", b"".join(digests)))


def spell_hash(total: int) -> str:
    """The hash that a sum of hashes makes."""
    return f"{total % _MODULUS:016x}"


def differing_rows(rows: Sequence[Row], held: Iterable[Row | None], *, zeros: bool) -> list[Row]:
    """The rows that are not, to the bit, what is held. To Python 0.0 and -0.0 are equal; here they are not."""
    pairs = zip(rows, held, strict=True)
    if not zeros:
        return [row for row, old in pairs if old != row]
    return [
        row
        for row, old in pairs
        if old != row or (0 in row and marshal.dumps(old, _FORMAT) != marshal.dumps(row, _FORMAT))
    ]
