"""Keeps a view's keys while its tables are written, so that a load can tell which of them it loses."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from dataclasses import dataclass

from asknown.online.nodes import OnlineView, StoredView
from asknown.online.sqlite.ahead import ahead_table
from asknown.online.sqlite.names import quote

_KEPT = 'temp."_asknown_before"'
_ALONE = 'temp."_asknown_alone"'


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
        query = (
            f"SELECT count(*) FROM {_KEPT} AS b "
            f"WHERE NOT EXISTS (SELECT 1 FROM {quote(view.name)} AS t WHERE {_same(view)})"
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


@dataclass(frozen=True)
class TableKeysAlone:
    """The keys that had rows dated ahead alone: none in the view's own table. ``kept`` is as in ``KeysBefore``."""

    connection: sqlite3.Connection
    count: int
    kept: bool

    def count_lost(self, now: StoredView) -> int:
        """How many of them have no row any more, as the view is ``now``."""
        view, connection = now.view, self.connection
        held = [view.name, *(() if now.ahead is None else (ahead_table(view).name,))]
        if not self.kept:
            names = ", ".join(quote(key.name) for key in view.keys) or "1"
            keys = " UNION ".join(f"SELECT {names} FROM {quote(name)}" for name in held)
            return max(0, self.count - int(connection.execute(f"SELECT count(*) FROM ({keys})").fetchone()[0]))
        gone = " AND ".join(f"NOT EXISTS (SELECT 1 FROM {quote(name)} AS t WHERE {_same(view)})" for name in held)
        lost: int = connection.execute(f"SELECT count(*) FROM {_ALONE} AS b WHERE {gone}").fetchone()[0]
        connection.execute(f"DROP TABLE {_ALONE}")
        return lost


def keep_alone(connection: sqlite3.Connection, held: StoredView, view: OnlineView) -> TableKeysAlone | None:
    """Copies the keys that have rows ahead alone, before a load of ``view``; None if there are none."""
    if not held.ahead or not held.view.keys:
        return None
    names = ", ".join(f"b.{quote(key.name)}" for key in held.view.keys)
    table = quote(ahead_table(held.view).name)
    connection.execute(f"DROP TABLE IF EXISTS {_ALONE}")
    with suppress(sqlite3.DatabaseError):  # a damaged table is what a rebuild mends
        connection.execute(
            f"CREATE TEMP TABLE {_ALONE.removeprefix('temp.')} AS SELECT DISTINCT {names} FROM {table} AS b "
            f"WHERE NOT EXISTS (SELECT 1 FROM {quote(view.name)} AS t WHERE {_same(held.view)})"
        )
        (count,) = connection.execute(f"SELECT count(*) FROM {_ALONE}").fetchone()
        return TableKeysAlone(connection, count, kept=held.view.keys == view.keys) if count else None
    return None


def _same(view: OnlineView) -> str:
    """The condition that a row ``t`` has the keys of ``b``."""
    return " AND ".join(f"t.{quote(key.name)} = b.{quote(key.name)}" for key in view.keys)
