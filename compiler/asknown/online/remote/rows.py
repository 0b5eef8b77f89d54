"""Makes a view's rows exactly those of a load (rule 10), and writes only what differs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from operator import itemgetter
from typing import Any

from asknown.online.batches import StoredRows
from asknown.online.content import Change, differing_rows
from asknown.online.nodes import OnlineView, StoredView
from asknown.online.remote.scratch import KeptChunks, in_pieces
from asknown.online.remote.store import Key, Row, Table, Transaction
from asknown.online.writer import OnRows, RowCounts

_AT_ONCE = 2_000


class RowMerge:
    """One load of a view's rows into ``table``. ``before`` is the generation that it replaces, if it is another."""

    def __init__(
        self, transaction: Transaction, view: OnlineView, table: Table, before: Table | None, *, fresh: bool
    ) -> None:
        self._transaction = transaction
        self._view = view
        self._table = table
        self._before = before
        self._fresh = fresh
        self._key = key_of(view)
        self._keys = _keys_of(view)
        self.change = Change()
        self.keys: set[Key] = set()
        """The keys that came."""

    def run(
        self,
        chunks: Iterable[StoredRows],
        check: Callable[[RowCounts], None],
        on_rows: OnRows | None,
    ) -> RowCounts:
        """Writes the load. ``check`` is given the outcome before anything that readers could see is written."""
        counts, keys = RowCounts(), self.keys
        with ExitStack() as stack:
            kept = None if self._fresh else stack.enter_context(KeptChunks())
            for chunk in chunks:
                rows = list(chunk.values)
                came = self._keys(rows)
                keys.update(came)
                counts.total += len(rows)
                if len(keys) != counts.total:
                    raise ValueError(f"a load of '{self._view.name}' has a key twice")
                if kept is None:
                    self.change.add(rows)
                    self._transaction.fill(self._table, came, chunk.columns)
                else:
                    self._compare(rows, came, counts, kept)
                counts.count(chunk)
                if on_rows is not None:
                    on_rows(counts.seen)
            gone = self._find_gone(keys, counts)
            check(counts)
            if kept is not None:
                for rows in kept.chunks():
                    self._put(rows, self._keys(rows))
                for some in in_pieces(gone, _AT_ONCE):
                    self.change.remove(self._held(some).values())
                    self._transaction.remove(self._table, "rows", some)
        return counts

    def _compare(self, rows: list[Row], keys: list[Key], counts: RowCounts, kept: KeptChunks) -> None:
        """Keeps the rows that differ from what the table holds."""
        if not rows:
            return
        held = self._held(keys)
        differing = differing_rows(rows, map(held.get, keys), zeros=True) if held else rows
        if not differing:
            return
        there = [held[key] for key in map(self._key, differing) if key in held]
        self.change.remove(there)
        counts.changed += len(there)
        counts.new += len(differing) - len(there)
        kept.add(differing)

    def _held(self, keys: list[Key]) -> dict[Key, Row]:
        """The rows that the table holds of these keys."""
        held: dict[Key, Any] = dict(self._transaction.held(self._table, "rows", keys))
        return held

    def _put(self, rows: list[Row], keys: list[Key]) -> None:
        self.change.add(rows)
        self._transaction.put(self._table, "rows", zip(keys, rows, strict=True))

    def _find_gone(self, keys: set[Key], counts: RowCounts) -> list[Key]:
        """The keys of the table before, or of the same table, that did not come."""
        table = self._before if self._fresh else self._table
        gone: list[Key] = []
        if table is not None:
            for page in self._transaction.keys(table, "rows"):
                counts.before += len(page)
                gone.extend(key for key in page if key not in keys)
        counts.gone = len(gone)
        return gone


class SeenKeys:
    """The keys of a view that had rows dated ahead alone, while a load tells which keys it brings.

    ``comparable``: the keys of the load have the same columns; else only numbers can be compared.
    """

    def __init__(self, alone: set[Key], *, comparable: bool) -> None:
        self.count = len(alone)
        self._left, self._came = alone, None if comparable else set[Key]()

    def see(self, keys: Iterable[Key]) -> None:
        """Takes keys that the load brings."""
        if self._came is None:
            self._left.difference_update(keys)
        else:
            self._came.update(keys)

    def count_lost(self, now: StoredView) -> int:
        """How many of them have no row any more."""
        return len(self._left) if self._came is None else max(0, self.count - len(self._came))


def key_of(view: OnlineView) -> Callable[[Row], Key]:
    """The function from a row of the view to its key."""
    names = [column.name for column in view.columns]
    places = [names.index(key.name) for key in view.keys]
    if not places:
        return lambda _: ()
    if len(places) == 1:
        (place,) = places
        return lambda row: (row[place],)
    return itemgetter(*places)


def _keys_of(view: OnlineView) -> Callable[[Sequence[Row]], list[Key]]:
    """The function from many rows of the view to their keys, without a call for each where there is one key column."""
    if len(view.keys) != 1:
        key = key_of(view)
        return lambda rows: list(map(key, rows))
    cell = itemgetter([column.name for column in view.columns].index(view.keys[0].name))
    return lambda rows: list(zip(map(cell, rows), strict=True))
