"""The SQL of a read: queries for its rows, and for the facts that must still hold during the read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from asknown.online.codec import stored_key
from asknown.online.keys import column_encoder
from asknown.online.nodes import OnlineService, OnlineView
from asknown.online.request import Read, Request
from asknown.online.sqlite.names import quote

_LOAD = "(SELECT load_id FROM _asknown_views WHERE view = ?)"
_LAST_SEQ = "SELECT seq FROM _asknown_commit"
_ON_DEMAND = "(SELECT hash FROM _asknown_on_demand WHERE view = ?)"
_SERVICE = "(SELECT parts FROM _asknown_services WHERE service = ?)"

_MOST_VIEWS = 40  # in one statement: SQLite joins 64 tables
_MOST_COLUMNS = 1_000  # in one statement: SQLite gives 2,000
_MOST_KEYS = 200  # in one statement
_STEP = 10  # the number of keys is rounded up to a multiple of this, so that few statements stay prepared


@dataclass(frozen=True)
class PlanFacts:
    """The facts that a request was resolved against: loads of its views, services that it names, on-demand views.

    ``condition`` is SQL that is true while the file is unchanged in these; ``parameters`` are its values. Every load
    has its own id, so facts that once failed never hold again. ``pushed`` are the views that follow pushes: for these
    it is also true only if no row was pushed after the instant of the read, which is bound behind the parameters.
    """

    condition: str
    parameters: list[Any]
    pushed: tuple[str, ...] = ()

    def last_push(self, cursor: Any) -> tuple[int, str]:
        """The arrival of the last row that was pushed into one of the views, in microseconds, and the view."""
        query = f"SELECT at, view FROM _asknown_pushes WHERE view IN ({_places(self.pushed)}) ORDER BY at DESC LIMIT 1"
        rows = cursor.execute(query, self.pushed).fetchall()
        return rows[0] if rows else (0, "")

    def last_seq(self, cursor: Any) -> int:
        """The number of the last row that was pushed into the file; 0 where none was."""
        rows = cursor.execute(_LAST_SEQ).fetchall()
        return int(rows[0][0]) if rows else 0

    @property
    def statement(self) -> str:
        """The query that gives a row where the facts hold, and none where they do not."""
        return f"SELECT 1 WHERE {self.condition}"


def find_facts(
    cursor: Any, request: Request, references: Sequence[str], services: Mapping[str, OnlineService]
) -> PlanFacts:
    """The facts that ``request`` stands on, as the open transaction of ``cursor`` sees them."""
    views = dict.fromkeys(read.stored.view.name for read in request.reads)
    # A service of a view's name would be meant in its place: the load that writes one gives the view a new load's id.
    named = dict.fromkeys(reference for reference in references if reference in services)
    asked = [*((_LOAD, view) for view in views), *((_SERVICE, name) for name in named)]
    asked += [(_ON_DEMAND, name) for name in request.on_demand]
    found = cursor.execute(f"SELECT {', '.join(part for part, _ in asked)}", [name for _, name in asked]).fetchall()[0]
    parameters = [value for (_, name), fact in zip(asked, found, strict=True) for value in (name, fact)]
    conditions = [f"{part} IS ?" for part, _ in asked]
    pushed = tuple(dict.fromkeys(read.stored.view.name for read in request.reads if read.stored.pushes is not None))
    if pushed:
        later = f"SELECT 1 FROM _asknown_pushes WHERE view IN ({_places(pushed)}) AND at > ?"
        conditions.append(f"NOT EXISTS ({later})")
        parameters += pushed
    return PlanFacts(" AND ".join(conditions), parameters, pushed)


def _places(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))


def row_statement(request: Request, facts: PlanFacts) -> str | None:
    """The query for one row of a request: its outputs in order, then the event time of each read.

    Where a view follows pushes, the number of the last pushed row is the last column.

    Its parameters are the keys of each read, then the facts. If the facts do not hold, there is no row. If a view does
    not have the key, its columns are NULL. One statement sees one state of the file. None if one statement is not
    enough.
    """
    reads = request.reads
    too_large = len(reads) > _MOST_VIEWS or len(request.fetched) + len(reads) > _MOST_COLUMNS
    if too_large or any(read.windowed or read.stored.ahead or read.is_looked_up for read in reads):
        return None
    wanted = [f"r{output.read}.{quote(output.column.name)}" for output in request.fetched]
    wanted += [f"r{i}.{quote(read.stored.view.event_time)}" for i, read in enumerate(reads)]
    joins = []
    for i, read in enumerate(reads):
        view = read.stored.view
        match = " AND ".join(f"r{i}.{quote(key.name)} = ?" for key in view.keys)
        joins.append(f"LEFT JOIN {quote(view.name)} AS r{i} ON {match or '1'}")
    if facts.pushed:
        wanted.append(f"({_LAST_SEQ})")
    columns = ", ".join(wanted) or "NULL"  # on-demand features of inputs alone read no view
    return "\n".join([f"SELECT {columns}", "FROM (SELECT 1) AS one", *joins, f"WHERE {facts.condition}"])


class Lookup:
    """Looks up many keys in the table of one read's view. A key is a tuple, or a value if it is one column.

    A key that is None, or contains None, matches no row.
    """

    def __init__(self, read: Read) -> None:
        view = read.stored.view
        self._view = view
        self._columns = lookup_columns(read)
        self._nothing = (None,) * (len(view.keys) + len(self._columns))
        self._encoders = [
            (name, column_encoder(key.type, stored_key(key.type, encode)))
            for (name, encode), key in zip(read.keys, view.keys, strict=True)
        ]
        self._queries: dict[int, str] = {}

    def encode(self, columns: Mapping[str, Sequence[Any]], count: int) -> Sequence[Any]:
        """Each row's key as it is stored."""
        if not self._encoders or not count:  # a request of no rows may have no columns
            return [()] * count
        encoded = [encode(columns[name]) for name, encode in self._encoders]
        return encoded[0] if len(encoded) == 1 else list(zip(*encoded, strict=True))

    def parts(self, key: Any) -> tuple[Any, ...]:
        """The values of a key's columns."""
        return (key,) if len(self._encoders) == 1 else key

    def fetch(self, cursor: Any, keys: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """The columns, each with a value per key: event time, the read's features, its hidden columns; else NULL."""
        width = len(self._encoders)
        found: dict[Any, Any] = {}
        distinct = list(dict.fromkeys(keys))
        for start in range(0, len(distinct), _MOST_KEYS):
            some = distinct[start : start + _MOST_KEYS]
            more = -len(some) % _STEP if len(some) > _STEP else 0
            bound = some if width == 1 else list(chain.from_iterable(some))
            rows = cursor.execute(self.query(len(some) + more), [*bound, *[None] * (more * width)]).fetchall()
            found.update({row[0]: row for row in rows} if width == 1 else {row[:width]: row for row in rows})
        ordered = [found.get(key, self._nothing) for key in keys]
        return list(zip(*ordered, strict=True))[width:] or [()] * len(self._columns)

    def query(self, keys: int) -> str:
        """The query for this number of keys."""
        query = self._queries.get(keys)
        if query is None:
            query = self._queries[keys] = select_statement(self._view, self._columns, keys)
        return query


def lookup_columns(read: Read) -> tuple[str, ...]:
    """The columns of a view's table that a read looks up: the event time, its features, its hidden columns."""
    return (read.stored.view.event_time, *(feature.name for feature in read.features), *read.hidden)


def select_statement(view: OnlineView, columns: tuple[str, ...], rows: int) -> str:
    """The query for ``rows`` keys: the key columns, then ``columns``, of each row that is there."""
    wanted = ", ".join(f"t.{quote(name)}" for name in (*(c.name for c in view.keys), *columns))
    table = f"{quote(view.name)} AS t"
    if not view.keys:
        return f"SELECT {wanted} FROM {table}"
    if rows == 1:
        match = " AND ".join(f"t.{quote(c.name)} = ?" for c in view.keys)
        return f"SELECT {wanted} FROM {table} WHERE {match}"
    names = ", ".join(f"k{i}" for i in range(len(view.keys)))
    values = ", ".join([f"({', '.join('?' * len(view.keys))})"] * rows)
    match = " AND ".join(f"t.{quote(c.name)} = k.k{i}" for i, c in enumerate(view.keys))
    # CROSS JOIN keeps the keys first. SQLite would scan the table for (a, b) IN (VALUES …).
    return (
        f"WITH _asknown_keys({names}) AS (VALUES {values})\n"
        f"SELECT {wanted} FROM _asknown_keys AS k CROSS JOIN {table} ON {match}"
    )
