"""Merges rows into a view's table: the newest of each key stays, in whatever order the rows come.

Each chunk of rows is compared with what the table holds of their keys, and only what differs is written. So the table
tells which rows change, which its hash must know, and a load that changes little costs little more than reading.
"""

from __future__ import annotations

import marshal
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any

from asknown.online.nodes import OnlineView
from asknown.online.sqlite import layout
from asknown.online.sqlite.batches import StoredRows
from asknown.online.sqlite.codec import orders_in_sqlite, stored_comparison
from asknown.online.sqlite.content import Change, Row, sum_rows
from asknown.online.sqlite.lookup import select_statement

_ROWS_AT_ONCE = (2_000, 100, 1)  # rows in one statement: a long one leaves another thread time to hash them
_KEYS_AT_ONCE = 200  # keys in one statement
_MOST_BESIDE = 3  # how many rows a chunk's range may hold for each of its keys, before they are looked up one by one


class LostRowError(Exception):
    """The table does not give back what it was given: its pages are damaged."""


@dataclass
class Merged:
    """A load's row counts by outcome. ``inserted`` keys are new; ``changed`` counts every row that was written."""

    seen: int = 0
    skipped: int = 0
    future: int = 0
    changed: int = 0
    inserted: int = 0


def merge_rows(
    connection: sqlite3.Connection,
    view: OnlineView,
    chunks: Iterable[StoredRows],
    change: Change,
    on_rows: Callable[[int], None] | None,
) -> Merged:
    """Merges the chunks into the view's table, tells ``change`` which rows came and went, and counts them."""
    connection.create_function(layout.COMPARE, 3, _comparison(view), deterministic=True)
    merged = Merged()
    with ThreadPoolExecutor(1) as beside:
        merge = _Merge(connection, view, change, beside)
        for chunk in chunks:
            changed, inserted = merge.merge(list(chunk.values))
            merged.changed += changed
            merged.inserted += inserted
            merged.seen += chunk.seen
            merged.skipped += chunk.skipped
            merged.future += chunk.future
            if on_rows is not None:
                on_rows(merged.seen)
    return merged


class _Merge:
    """One view's table while rows are merged into it. A key is a value, or a tuple where there are several columns.

    ``beside`` hashes rows while SQLite writes them.
    """

    def __init__(self, connection: sqlite3.Connection, view: OnlineView, change: Change, beside: Executor) -> None:
        self._connection = connection
        self._view = view
        self._change = change
        self._beside = beside
        self._names = tuple(column.name for column in view.columns)
        places = [self._names.index(key.name) for key in view.keys]
        self._key: Callable[[Row], Any] = itemgetter(*places) if places else _no_key
        self._single = len(places) == 1
        self._floats = [place for place, column in enumerate(view.columns) if column.type.kind == "float"]
        most = connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER) // len(view.columns)
        sizes = sorted({max(1, min(size, most)) for size in _ROWS_AT_ONCE}, reverse=True)
        self._upserts = [(size, layout.upsert_statement(view, size)) for size in sizes]
        self._range = layout.range_statement(view)

    def merge(self, rows: list[Row]) -> tuple[int, int]:
        """Merges a chunk: how many rows were written, and how many keys are new."""
        if not rows:
            return 0, 0
        keys = [*map(self._key, rows)]
        found = self._held(keys)
        zeros = self._has_zeros(rows)
        if found == rows and not zeros:  # the common case, and the cheapest to tell
            return 0, 0
        held = self._by_key(found)
        differing = _differing(rows, map(held.get, keys), zeros=zeros) if held else rows
        if not differing:
            return 0, 0
        wanted = dict.fromkeys(keys if differing is rows else map(self._key, differing))
        before = [held[key] for key in wanted if key in held]
        changes = self._connection.total_changes
        hashed = self._write(differing)
        changed = self._connection.total_changes - changes
        if changed == len(differing) == len(wanted):
            after = differing
        else:  # some were older than what is held, or came twice: the table knows
            now = self._by_key(self._held(list(wanted)))
            if not wanted.keys() <= now.keys():
                raise LostRowError("a row that was just written is not found again")
            after, hashed = [now[key] for key in wanted], None
        self._change.remove(before)
        self._change.add(after, hashed)
        return changed, len(after) - len(before)

    def _write(self, rows: list[Row]) -> int | None:
        """Upserts the rows, in order: the sum of their hashes, where there was time for it meanwhile."""
        many = len(rows) >= self._upserts[0][0]  # SQLite runs a long statement without Python's lock
        hashing = self._beside.submit(sum_rows, rows) if many else None
        begin = 0
        for size, statement in self._upserts:
            if starts := range(begin, len(rows) - size + 1, size):
                parameters = (tuple(chain.from_iterable(rows[start : start + size])) for start in starts)
                self._connection.executemany(statement, parameters)
                begin = starts[-1] + size
        return None if hashing is None else hashing.result()

    def _held(self, keys: list[Any]) -> list[Row]:
        """The rows of these keys that the table holds; of others too, where they lie between."""
        bounds = [self._parameters(min(keys)), self._parameters(max(keys))] if self._view.keys else []
        most = _MOST_BESIDE * len(keys)
        cursor = self._connection.execute(self._range, [part for bound in bounds for part in bound])
        rows = cursor.fetchmany(most + 1)
        if len(rows) > most:
            cursor.close()
            rows = self._looked_up(list(dict.fromkeys(keys)))
        return rows

    def _by_key(self, rows: list[Row]) -> dict[Any, Row]:
        return dict(zip(map(self._key, rows), rows, strict=True))

    def _has_zeros(self, rows: list[Row]) -> bool:
        """Whether a float of the rows is a zero, whose sign Python's equality does not tell."""
        return any(0 in map(itemgetter(place), rows) for place in self._floats)

    def _looked_up(self, keys: Sequence[Any]) -> list[Row]:
        rows: list[Row] = []
        width = len(self._view.keys)
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            some = keys[start : start + _KEYS_AT_ONCE]
            query = select_statement(self._view, self._names, len(some))
            found = self._connection.execute(query, [part for key in some for part in self._parameters(key)])
            rows.extend(row[width:] for row in found)
        return rows

    def _parameters(self, key: Any) -> Row:
        return (key,) if self._single else key


def _no_key(_: Row) -> Any:
    return ()


def _differing(rows: Sequence[Row], held: Iterable[Row | None], *, zeros: bool) -> list[Row]:
    """The rows that are not, to the bit, what is held. To Python 0.0 and -0.0 are equal; here they are not."""
    pairs = zip(rows, held, strict=True)
    if not zeros:
        return [row for row, old in pairs if old != row]
    return [row for row, old in pairs if old != row or (0 in row and marshal.dumps(old, 2) != marshal.dumps(row, 2))]


def _comparison(view: OnlineView) -> Callable[[int, Any, Any], int | None]:
    """The body of :data:`layout.COMPARE` for a view's features."""
    compare = {
        place: stored_comparison(feature.type)
        for place, feature in enumerate(view.kept)
        if not orders_in_sqlite(feature.type)
    }

    def ordered(place: int, left: Any, right: Any) -> int | None:
        return None if left is None or right is None else compare[place](left, right)

    return ordered
