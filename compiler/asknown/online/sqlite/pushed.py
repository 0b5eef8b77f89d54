"""Applies pushed rows to a view's tables: the winner of each key, the events of its windows, and rows dated ahead.

The tables then hold what the training query says over all rows that have arrived. Nothing here decides about repeats:
each row that comes in counts once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from asknown.instants import from_microseconds, to_microseconds
from asknown.online.batches import read_ahead, read_events, read_rows
from asknown.online.content import Change, Row
from asknown.online.nodes import OnlineView, StoredPushes, StoredView
from asknown.online.order import RowOrder
from asknown.online.pushes import Outcome
from asknown.online.sqlite.ahead import ahead_table, mark_newest
from asknown.online.sqlite.content import hash_table
from asknown.online.sqlite.layout import create_events, drop_pushed, pushed_table, replace_statement
from asknown.online.sqlite.merge import KeyedTable
from asknown.online.sqlite.names import quote

_LAST = to_microseconds(datetime.max)


@dataclass
class Applied:
    """The outcome of pushed rows in one view. ``outcomes`` are by the view's ``known_at`` as text, where it has one.

    ``remade``: the view has a table that it did not have before, so that plans of reads no longer fit.
    """

    stored: StoredView
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    remade: bool = False


def replace_pushed(
    connection: sqlite3.Connection, held: StoredView, source: str | None, batches: Iterable[Any], *, at: int, seq: int
) -> StoredView:
    """Makes the rows of ``batches`` the only pushed ones of a view that has just been loaded: the view as it is then.

    ``source`` is the one whose pushes the view follows, None if it follows none.
    """
    if source is None:
        if held.pushes is None:
            return held
        connection.execute(drop_pushed(held.view.name))
        return replace(held, pushes=None, hashes=replace(held.hashes, pushed=None))
    before = held.pushes or StoredPushes(source)
    hashed = None if held.view.windows is None else _emptied(connection, held.view)
    now = replace(
        held,
        pushes=StoredPushes(source, before.seq, before.at),
        hashes=replace(held.hashes, pushed=hashed),
    )
    batches = list(batches)
    return apply_rows(connection, now, batches, at=at, seq=seq).stored if batches else now


def _emptied(connection: sqlite3.Connection, view: OnlineView) -> str:
    """Makes the table of a view's pushed events where it is not there, and empties it: the table's hash."""
    table = pushed_table(view)
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table.name,)).fetchone() is None:
        connection.execute(create_events(table))
    connection.execute(f"DELETE FROM {quote(table.name)}")
    return hash_table(connection, table.name)


def apply_rows(
    connection: sqlite3.Connection, stored: StoredView, batches: Iterable[Any], at: int, seq: int
) -> Applied:
    """Applies rows of the view that have arrived up to ``at`` (microseconds); ``seq`` numbers the last of them.

    ``batches`` bring the columns of the view's table and of its events.
    """
    batches = list(batches)
    count = sum(batch.num_rows for batch in batches)
    applied = Applied(stored)
    keys, later = _apply_winners(connection, applied, batches, at)
    if stored.view.windows is not None:
        _apply_events(connection, applied, batches, at, seq - count)
    _apply_ahead(connection, applied, batches if later else (), at, keys)
    pushes = applied.stored.pushes
    assert pushes is not None
    applied.stored = replace(applied.stored, pushes=replace(pushes, seq=seq, at=at))
    return applied


def _apply_winners(
    connection: sqlite3.Connection, applied: Applied, batches: Sequence[Any], at: int
) -> tuple[list[Any], bool]:
    """Puts each key's newest row into the view's table (rule 3).

    Gives the keys whose row is another one now, and whether some rows become visible later.
    """
    stored = applied.stored
    view = stored.view
    chunks = list(read_rows(view, batches, from_microseconds(at)))
    later = any(chunk.future for chunk in chunks)
    rows = [row for chunk in chunks for row in chunk.values]
    table, is_newer = KeyedTable(connection, view), RowOrder(view).is_newer
    before = {table.key(row): row for row in table.look_up(list(dict.fromkeys(map(table.key, rows))))}
    now: dict[Any, Row] = {}
    known_at = None if view.known_at is None else [c.name for c in view.columns].index(view.known_at)
    for row in rows:
        key = table.key(row)
        held = now.get(key) or before.get(key)
        wins = held is None or is_newer(row, held)
        if wins:
            now[key] = row
        if known_at is not None:
            applied.outcomes[row[known_at]] = "new" if wins else "older"
    if not now:
        return [], later
    connection.executemany(replace_statement(view, 1), now.values())
    change = Change()
    change.remove([before[key] for key in now if key in before])
    change.add(list(now.values()))
    new = sum(key not in before for key in now)
    assert stored.hashes.rows is not None
    hashes = replace(stored.hashes, rows=change.apply(stored.hashes.rows))
    applied.stored = replace(stored, rows=stored.rows + new, hashes=hashes)
    return [table.parameters(key) for key in now], later


def _apply_events(connection: sqlite3.Connection, applied: Applied, batches: Sequence[Any], at: int, seq: int) -> None:
    """Adds the rows to the view's pushed events. They are numbered behind ``seq``."""
    view, pushes = applied.stored.view, applied.stored.pushes
    assert view.windows is not None and pushes is not None
    table = pushed_table(view)
    oldest = at - view.windows.longest
    place, width = len(table.keys), len(table.keys) + len(table.times)
    known_at = None if table.known_at is None else place + table.times.index(table.known_at)
    rows = []
    given = read_events(view, table.hidden, batches, from_microseconds(at))
    for number, row in enumerate((row for chunk in given for row in chunk.values), start=seq + 1):
        if row[place] >= oldest:
            rows.append((*row[:width], number, *row[width:]))
        elif known_at is not None and applied.outcomes.get(arrival := _spelled(row[known_at])) == "older":
            applied.outcomes[arrival] = "late"
    if not rows:
        return
    places = ", ".join("?" * len(table.columns))
    connection.executemany(f"INSERT INTO {quote(table.name)} VALUES ({places})", rows)
    change = Change()
    change.add(rows)
    assert applied.stored.hashes.pushed is not None
    hashes = replace(applied.stored.hashes, pushed=change.apply(applied.stored.hashes.pushed))
    applied.stored = replace(applied.stored, hashes=hashes, pushes=replace(pushes, rows=pushes.rows + len(rows)))


def _apply_ahead(
    connection: sqlite3.Connection, applied: Applied, batches: Sequence[Any], at: int, keys: list[Any]
) -> None:
    """Keeps the rows that become visible later, and tells anew which rows ahead are the newest of ``keys``."""
    stored = applied.stored
    view, ahead = stored.view, ahead_table(stored.view)
    given = read_ahead(view, ahead.columns, batches, at, _LAST)
    later = [row for chunk in given for row in chunk.values]
    if not later and stored.ahead is None:
        return
    hashed, change = stored.hashes.ahead, Change()
    if stored.ahead is None:
        connection.execute(create_events(ahead.table))
        hashed, applied.remade = hash_table(connection, ahead.name), True
    place = len(ahead.table.keys)
    width = place + len(ahead.table.times)
    known_at = None if view.known_at is None else place + ahead.table.times.index(ahead.times[view.known_at])
    match = "".join(f"{quote(key.name)} = ? AND " for key in view.keys)
    number = (
        f"SELECT ifnull(max({quote(ahead.table.sequence)}), 0) + 1 FROM {quote(ahead.name)} "
        f"WHERE {match}{quote(ahead.visible_at)} = ?"
    )
    insert = f"INSERT INTO {quote(ahead.name)} VALUES ({', '.join('?' * len(ahead.table.columns))})"
    for row in later:
        (free,) = connection.execute(number, row[: place + 1]).fetchone()
        kept = (*row[:width], free, 0, *row[width:])
        connection.execute(insert, kept)
        change.add([kept])
        if known_at is not None:
            applied.outcomes[_spelled(row[known_at])] = "new"
    for key in dict.fromkeys([*keys, *(row[:place] for row in later)]):
        mark_newest(connection, view, ahead, key, change)
    assert hashed is not None
    hashes = replace(stored.hashes, ahead=change.apply(hashed))
    applied.stored = replace(stored, hashes=hashes, ahead=(stored.ahead or 0) + len(later))


def _spelled(moment: int) -> str:
    return from_microseconds(moment).isoformat(" ", "microseconds")
