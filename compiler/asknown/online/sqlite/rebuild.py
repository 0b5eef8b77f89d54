"""Keeps a view's keys while its tables are made anew, so that a load can tell which of them it loses."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from dataclasses import dataclass

from asknown.online.nodes import OnlineView, StoredView
from asknown.online.sqlite.names import quote

_KEPT = 'temp."_asknown_before"'


@dataclass(frozen=True)
class KeysBefore:
    """The keys that a view had. ``kept`` says that they are in a temporary table; else only their number is known."""

    count: int
    kept: bool

    def count_lost(self, connection: sqlite3.Connection, view: OnlineView, now: int) -> int:
        """How many of the keys the view's new table, of ``now`` rows, does not have.

        Where the keys themselves are not known, or are of other columns, it is the difference in number.
        """
        if not self.kept:
            return max(0, self.count - now)
        same = " AND ".join(f"t.{quote(key.name)} = b.{quote(key.name)}" for key in view.keys)
        query = (
            f"SELECT count(*) FROM {_KEPT} AS b WHERE NOT EXISTS (SELECT 1 FROM {quote(view.name)} AS t WHERE {same})"
        )
        lost: int = connection.execute(query).fetchone()[0]
        connection.execute(f"DROP TABLE {_KEPT}")
        return lost


def keep_keys(connection: sqlite3.Connection, held: StoredView | None, view: OnlineView) -> KeysBefore:
    """Copies the keys of the view that is about to be made anew, if they can be compared with those of ``view``."""
    if held is None:
        return KeysBefore(0, kept=False)
    if not view.keys or held.view.keys != view.keys:
        return KeysBefore(held.rows, kept=False)
    names = ", ".join(quote(key.name) for key in view.keys)
    connection.execute(f"DROP TABLE IF EXISTS {_KEPT}")
    with suppress(sqlite3.DatabaseError):  # a damaged table is what a rebuild mends
        connection.execute(f"CREATE TEMP TABLE {_KEPT.removeprefix('temp.')} AS SELECT {names} FROM {quote(view.name)}")
        (count,) = connection.execute(f"SELECT count(*) FROM {_KEPT}").fetchone()
        return KeysBefore(count, kept=True)
    return KeysBefore(held.rows, kept=False)
