"""Hashes of what the file's tables hold: SQLite has no page checksums, and a flipped bit would be served as a value.

To the sum over a table's rows comes its definition. A row is hashed as SQLite gives it back.
"""

from __future__ import annotations

import sqlite3

from asknown.online.content import spell_hash, sum_rows

_AT_ONCE = 10_000


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
    return spell_hash(total)
