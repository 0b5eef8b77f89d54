"""Applies pushed rows to a view's parts: the winner of each key, the events of its windows, and rows dated ahead.

The parts then hold what the training query says over all rows that have arrived. Nothing here decides about repeats:
each row that comes in counts once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from asknown.instants import from_microseconds, to_microseconds
from asknown.online.batches import read_ahead, read_events, read_rows
from asknown.online.nodes import StoredPushes, StoredView
from asknown.online.order import RowOrder
from asknown.online.pushes import Outcome
from asknown.online.remote.documents import Placed
from asknown.online.remote.hashing import EMPTY, PartChange
from asknown.online.remote.packing import ahead_shape, pushed_lines
from asknown.online.remote.rows import key_of
from asknown.online.remote.store import Key, Row, Transaction

_LAST = to_microseconds(datetime.max)


@dataclass
class Applied:
    """The outcome of pushed rows in one view. ``outcomes`` are by the view's ``known_at`` as text, where it has one.

    ``remade``: the view has rows dated ahead, and had none before, so that plans of reads no longer fit.
    """

    placed: Placed
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    remade: bool = False

    @property
    def stored(self) -> StoredView:
        return self.placed.stored

    def put(self, **changes: Any) -> None:
        """Changes what the store says of the view."""
        self.placed = replace(self.placed, stored=replace(self.placed.stored, **changes))


def replace_pushed(
    transaction: Transaction, placed: Placed, source: str | None, batches: Iterable[Any], *, at: int, seq: int
) -> Placed:
    """Makes the rows of ``batches`` the only pushed ones of a view that has just been loaded: the view as it is then.

    ``source`` is the one whose pushes the view follows, None if it follows none.
    """
    held = placed.stored
    if held.pushes is not None:
        transaction.clear(placed.table, "pushed")
    if source is None:
        return replace(placed, stored=replace(held, pushes=None, hashes=replace(held.hashes, pushed=None)))
    before = held.pushes or StoredPushes(source)
    now = replace(
        held,
        pushes=StoredPushes(source, before.seq, before.at),
        hashes=replace(held.hashes, pushed=None if held.view.windows is None else EMPTY),
    )
    placed, batches = replace(placed, stored=now), list(batches)
    return apply_rows(transaction, placed, batches, at=at, seq=seq).placed if batches else placed


def apply_rows(transaction: Transaction, placed: Placed, batches: Iterable[Any], *, at: int, seq: int) -> Applied:
    """Applies rows of the view that have arrived up to ``at`` (microseconds); ``seq`` numbers the last of them.

    ``batches`` bring the columns of the view's table and of its events.
    """
    batches = list(batches)
    count = sum(batch.num_rows for batch in batches)
    applied = Applied(placed)
    won, later = _apply_winners(transaction, applied, batches, at)
    if placed.stored.view.windows is not None:
        _apply_events(transaction, applied, batches, at, seq - count)
    _apply_ahead(transaction, applied, batches if later else (), at, won)
    pushes = applied.stored.pushes
    assert pushes is not None
    applied.put(pushes=replace(pushes, seq=seq, at=at))
    return applied


def _apply_winners(
    transaction: Transaction, applied: Applied, batches: Sequence[Any], at: int
) -> tuple[dict[Key, Row], bool]:
    """Puts each key's newest row in its place (rule 3).

    Gives the rows that are new in their place, and whether some rows become visible later.
    """
    stored, table = applied.stored, applied.placed.table
    view = stored.view
    chunks = list(read_rows(view, batches, from_microseconds(at)))
    later = any(chunk.future for chunk in chunks)
    rows = [row for chunk in chunks for row in chunk.values]
    key, is_newer = key_of(view), RowOrder(view).is_newer
    before: dict[Key, Any] = dict(transaction.held(table, "rows", list(dict.fromkeys(map(key, rows)))))
    now: dict[Key, Row] = {}
    known_at = None if view.known_at is None else [c.name for c in view.columns].index(view.known_at)
    for row in rows:
        held = now.get(key(row)) or before.get(key(row))
        wins = held is None or is_newer(row, held)
        if wins:
            now[key(row)] = row
        if known_at is not None:
            applied.outcomes[str(row[known_at])] = "new" if wins else "older"
    if now:
        transaction.put(table, "rows", now.items())
        change = PartChange("rows")
        change.remove([(one, before[one]) for one in now if one in before])
        change.add(now.items())
        new = sum(one not in before for one in now)
        applied.put(rows=stored.rows + new, hashes=replace(stored.hashes, rows=change.apply(stored.hashes.rows)))
    return now, later


def _apply_events(transaction: Transaction, applied: Applied, batches: Sequence[Any], at: int, seq: int) -> None:
    """Adds the rows to the view's pushed events. They are numbered behind ``seq``."""
    view, pushes = applied.stored.view, applied.stored.pushes
    assert view.windows is not None and pushes is not None
    oldest = at - view.windows.longest
    keys, lines = len(view.keys), pushed_lines(view)
    known_at = None if view.known_at is None else keys + view.times.index(view.known_at)
    appended: dict[Key, list[bytes]] = {}
    count = 0
    given = read_events(view, view.windows.columns, batches, from_microseconds(at))
    for number, row in enumerate((row for chunk in given for row in chunk.values), start=seq + 1):
        if row[keys] >= oldest:
            appended.setdefault(row[:keys], []).append(lines.line((number, *row[keys:])))
            count += 1
        elif known_at is not None and applied.outcomes.get(arrival := _spelled(row[known_at])) == "older":
            applied.outcomes[arrival] = "late"
    if not count:
        return
    items = [(key, b"".join(some)) for key, some in appended.items()]
    transaction.append(applied.placed.table, items)
    change = PartChange("pushed")
    change.add(items)
    hashes = replace(applied.stored.hashes, pushed=change.apply(applied.stored.hashes.pushed))
    applied.put(hashes=hashes, pushes=replace(pushes, rows=pushes.rows + count))


def _apply_ahead(
    transaction: Transaction, applied: Applied, batches: Sequence[Any], at: int, won: Mapping[Key, Row]
) -> None:
    """Keeps the rows that become visible later, and marks anew which rows ahead are the newest of their keys."""
    stored, table = applied.stored, applied.placed.table
    view = stored.view
    shape, keys = ahead_shape(view), len(view.keys)
    known_at = None if view.known_at is None else keys + 1 + view.times.index(view.known_at)
    later: dict[Key, list[list[Any]]] = {}
    count = 0
    for chunk in read_ahead(view, shape.columns, batches, at, _LAST):
        for row in chunk.values:
            later.setdefault(row[:keys], []).append([row[keys], 0, *row[keys + 1 :]])
            count += 1
            if known_at is not None:
                applied.outcomes[_spelled(row[known_at])] = "new"
    if not later and stored.ahead is None:
        return
    applied.remade = stored.ahead is None
    touched = list(dict.fromkeys([*won, *later]))
    before: dict[Key, Any] = dict(transaction.held(table, "ahead", touched))
    rows_of = {key: [*shape.lines.rows(before.get(key)), *later.get(key, ())] for key in touched}
    now = marked_ahead(transaction, applied.placed, {key: rows for key, rows in rows_of.items() if rows})
    now = [(key, data) for key, data in now if before.get(key) != data]
    transaction.put(table, "ahead", now)
    change = PartChange("ahead")
    change.remove([(key, before[key]) for key, _ in now if key in before])
    change.add(now)
    hashes = replace(stored.hashes, ahead=change.apply(stored.hashes.ahead))
    applied.put(hashes=hashes, ahead=(stored.ahead or 0) + count)


def marked_ahead(
    transaction: Transaction, placed: Placed, rows: Mapping[Key, Sequence[list[Any]]]
) -> list[tuple[Key, bytes]]:
    """The rows dated ahead of some keys as they are kept: each marked if it is its key's newest once it is visible."""
    view = placed.stored.view
    shape = ahead_shape(view)
    order, lines = RowOrder(view), shape.lines
    keys = {column.name: place for place, column in enumerate(view.keys)}
    of_key = [column.name in keys for column in view.columns]
    cells = [keys[one.name] if one.name in keys else shape.place(one.name) for one in view.columns]
    held: dict[Key, Any] = dict(transaction.held(placed.table, "rows", list(rows)))
    kept = []
    for key, some in rows.items():
        best = held.get(key)
        ordered = sorted(some, key=itemgetter(0))
        for _, group in groupby(ordered, key=itemgetter(0)):
            at_once, newest = list(group), None
            for row in at_once:
                given = [(key if is_key else row)[cell] for is_key, cell in zip(of_key, cells, strict=True)]
                row[1] = 0
                if best is None or order.is_newer(given, best):
                    best, newest = given, row
            if newest is not None:
                newest[1] = 1
        kept.append((key, b"".join(map(lines.line, ordered))))
    return kept


def _spelled(moment: int) -> str:
    return from_microseconds(moment).isoformat(" ", "microseconds")
