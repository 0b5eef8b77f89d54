"""Makes a view's table hold exactly the rows of a load (rule 10), and writes only what differs.

A load brings at most one row for each key. Most loads bring their rows in the order of the table. Each chunk of rows is
then compared with the stretch of the table from the chunk before up to its own last key, so that one pass finds the
rows that differ and those whose keys have left. Rows in another order (an engine may sort texts by the rules of a
language) are looked up, and their keys are kept in a temporary table until the end.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from itertools import chain, islice
from operator import itemgetter, lt
from typing import Any

from asknown.online.batches import StoredRows
from asknown.online.content import Change, Row, differing_rows, sum_rows
from asknown.online.nodes import OnlineView
from asknown.online.sqlite import layout
from asknown.online.sqlite.lookup import select_statement
from asknown.online.sqlite.names import quote
from asknown.online.writer import RowCounts

_ROWS_AT_ONCE = (2_000, 100, 1)  # rows in one statement: a long one leaves another thread time to hash them
_KEYS_AT_ONCE = 200  # keys in one statement
_SEEN = 'temp."_asknown_seen"'  # keys of a load that does not come in the table's order


def merge_rows(
    connection: sqlite3.Connection,
    view: OnlineView,
    chunks: Iterable[StoredRows],
    change: Change,
    on_rows: Callable[[int], None] | None,
) -> tuple[RowCounts, list[Any]]:
    """Writes the rows of a load into the view's table, and tells ``change`` which rows came and went.

    Gives the counts, and the keys that the table holds and the load did not bring. Their rows stay, for
    :func:`delete_rows`. Raises ValueError if a key comes twice.
    """
    counts = RowCounts()
    with ThreadPoolExecutor(1) as beside:
        merge = _Merge(connection, view, change, beside)
        for chunk in chunks:
            new, changed = merge.merge(list(chunk.values))
            counts.new += new
            counts.changed += changed
            counts.count(chunk)
            if on_rows is not None:
                on_rows(counts.seen)
        gone = merge.gone()
    counts.gone = len(gone)
    return counts, gone


def delete_rows(connection: sqlite3.Connection, view: OnlineView, keys: Sequence[Any], change: Change) -> None:
    """Deletes the rows of these keys from the view's table, and tells ``change`` of it."""
    table = KeyedTable(connection, view)
    match = " AND ".join(f"{quote(key.name)} = ?" for key in view.keys) or "1"
    for some in _pieces(keys):
        change.remove(table.look_up(some))
        connection.executemany(f"DELETE FROM {quote(view.name)} WHERE {match}", map(table.parameters, some))


class KeyedTable:
    """A view's table, by its keys. A key is a value, or a tuple where there are several columns or none."""

    def __init__(self, connection: sqlite3.Connection, view: OnlineView) -> None:
        self._connection = connection
        self._view = view
        self._names = tuple(column.name for column in view.columns)
        places = [self._names.index(key.name) for key in view.keys]
        self.key: Callable[[Row], Any] = itemgetter(*places) if places else _no_key
        self._single = len(places) == 1

    def scan(self, after: Any, last: Any) -> sqlite3.Cursor:
        """The rows whose keys lie behind ``after`` (None: from the first on), up to ``last`` with it, in order."""
        statement = layout.range_statement(self._view, after=after is not None)
        bounds = [last] if after is None else [after, last]
        parameters = [part for key in bounds for part in self.parameters(key)]
        return self._connection.execute(statement, parameters)

    def keys_after(self, last: Any) -> list[Any]:
        """The keys that lie behind ``last`` (None: all)."""
        parameters = () if last is None else self.parameters(last)
        statement = layout.rest_statement(self._view, after=last is not None)
        return self._keys(self._connection.execute(statement, parameters))

    def keys_but(self, others: str) -> list[Any]:
        """The keys that the table named ``others`` does not have."""
        same = " AND ".join(f"o.{quote(key.name)} = t.{quote(key.name)}" for key in self._view.keys)
        wanted = ", ".join(f"t.{quote(key.name)}" for key in self._view.keys)
        return self._keys(
            self._connection.execute(
                f"SELECT {wanted} FROM {quote(self._view.name)} AS t\n"
                f"WHERE NOT EXISTS (SELECT 1 FROM {others} AS o WHERE {same})"
            )
        )

    def look_up(self, keys: Sequence[Any]) -> list[Row]:
        """The rows of these keys, those that there are."""
        rows: list[Row] = []
        width = len(self._view.keys)
        for some in _pieces(keys):
            query = select_statement(self._view, self._names, len(some))
            found = self._connection.execute(query, [part for key in some for part in self.parameters(key)])
            rows.extend(row[width:] for row in found)
        return rows

    def parameters(self, key: Any) -> Row:
        """The values of a key's columns."""
        return (key,) if self._single else key

    def _keys(self, rows: Iterable[Row]) -> list[Any]:
        if not self._view.keys:
            return [() for _ in rows]
        return [row[0] for row in rows] if self._single else list(rows)


class _Merge:
    """One load's way through a view's table. ``beside`` hashes rows while SQLite writes them."""

    def __init__(self, connection: sqlite3.Connection, view: OnlineView, change: Change, beside: Executor) -> None:
        self._connection = connection
        self._view = view
        self._change = change
        self._beside = beside
        self._table = KeyedTable(connection, view)
        self._floats = [place for place, column in enumerate(view.columns) if column.type.kind == "float"]
        most = connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER) // len(view.columns)
        sizes = sorted({max(1, min(size, most)) for size in _ROWS_AT_ONCE}, reverse=True)
        self._writes = [(size, layout.replace_statement(view, size)) for size in sizes]
        self._last: Any = None  # the key up to which the table has been compared; None: nothing yet
        self._gone: list[Any] = []
        self._ordered = True

    def merge(self, rows: list[Row]) -> tuple[int, int]:
        """Writes a chunk of the load: how many keys are new, and how many rows were written over."""
        if not rows:
            return 0, 0
        keys = [*map(self._table.key, rows)]
        ascending = all(map(lt, keys, islice(keys, 1, None))) and (self._last is None or self._last < keys[0])
        if self._ordered and not ascending:
            self._leave_order()
        if not self._ordered:
            self._keep(keys)
            return self._writediffering_rows(rows, keys, self._table.look_up(keys))
        found, self._last = self._compare(keys, rows), keys[-1]
        return (0, 0) if found is None else self._writediffering_rows(rows, keys, found)

    def gone(self) -> list[Any]:
        """The keys in the table that no chunk brought."""
        if not self._ordered:
            keys = self._table.keys_but(_SEEN)
            self._connection.execute(f"DROP TABLE {_SEEN}")
            return keys
        return [*self._gone, *self._table.keys_after(self._last)]

    def _compare(self, keys: list[Any], rows: list[Row]) -> list[Row] | None:
        """The rows that the table holds of these keys; None where they are to the bit the rows of the load.

        Notes the keys between these, up to the greatest of them, as gone.
        """
        cursor = self._table.scan(self._last, keys[-1])
        found = cursor.fetchmany(len(rows) + 1)
        if found == rows and not self._has_zeros(rows):  # the common case, and the cheapest to tell
            return None
        wanted, kept = set(keys), []
        for row in chain(found, cursor):
            key = self._table.key(row)
            if key in wanted:
                kept.append(row)
            else:
                self._gone.append(key)
        return kept

    def _writediffering_rows(self, rows: list[Row], keys: list[Any], found: list[Row]) -> tuple[int, int]:
        held = dict(zip(map(self._table.key, found), found, strict=True))
        differing = differing_rows(rows, map(held.get, keys), zeros=self._has_zeros(rows)) if held else rows
        if not differing:
            return 0, 0
        before = [held[key] for key in map(self._table.key, differing) if key in held]
        self._change.remove(before)
        self._change.add(differing, self._write(differing))
        return len(differing) - len(before), len(before)

    def _write(self, rows: list[Row]) -> int | None:
        """Writes the rows over those of their keys: the sum of their hashes, where there was time for it meanwhile."""
        many = len(rows) >= self._writes[0][0]  # SQLite runs a long statement without Python's lock
        hashing = self._beside.submit(sum_rows, rows) if many else None
        begin = 0
        for size, statement in self._writes:
            if starts := range(begin, len(rows) - size + 1, size):
                parameters = (tuple(chain.from_iterable(rows[start : start + size])) for start in starts)
                self._connection.executemany(statement, parameters)
                begin = starts[-1] + size
        return None if hashing is None else hashing.result()

    def _leave_order(self) -> None:
        """From now on keeps each key that comes; up to here, all keys of the table have come but those noted."""
        self._ordered = False
        names = ", ".join(quote(key.name) for key in self._view.keys)
        if not names:
            raise ValueError(f"a load of '{self._view.name}', which has no keys, has more than one row")
        self._connection.execute(f"DROP TABLE IF EXISTS {_SEEN}")
        self._connection.execute(
            f"CREATE TEMP TABLE {_SEEN.removeprefix('temp.')} ({names}, PRIMARY KEY ({names})) WITHOUT ROWID"
        )
        if self._last is None:
            return
        held = f"SELECT {names} FROM {quote(self._view.name)} WHERE ({names}) <= ({_places(self._view)})"
        self._connection.execute(f"INSERT INTO {_SEEN} {held}", self._table.parameters(self._last))
        match = " AND ".join(f"{quote(key.name)} = ?" for key in self._view.keys)
        self._connection.executemany(f"DELETE FROM {_SEEN} WHERE {match}", map(self._table.parameters, self._gone))

    def _keep(self, keys: list[Any]) -> None:
        insert = f"INSERT INTO {_SEEN} VALUES ({_places(self._view)})"
        try:
            self._connection.executemany(insert, map(self._table.parameters, keys))
        except sqlite3.IntegrityError as error:
            raise ValueError(f"a load of '{self._view.name}' has a key twice") from error

    def _has_zeros(self, rows: list[Row]) -> bool:
        """Whether a float of the rows is a zero, whose sign Python's equality does not tell."""
        return any(0 in map(itemgetter(place), rows) for place in self._floats)


def _places(view: OnlineView) -> str:
    return ", ".join("?" * len(view.keys))


def _pieces(keys: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (keys[start : start + _KEYS_AT_ONCE] for start in range(0, len(keys), _KEYS_AT_ONCE))


def _no_key(_: Row) -> Any:
    return ()
