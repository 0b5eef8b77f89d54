"""Small online tables for tests: views from column lists, rows as dicts, loads, and a dump of what is stored."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from asknown.instants import to_microseconds
from asknown.online.nodes import OnlineView, StoredView
from asknown.online.reader import OnlineReader
from asknown.online.report import LoadReport
from asknown.online.sqlite import tile_update
from asknown.online.sqlite import tiles as sqlite_tiles
from asknown.online.sqlite.connect import Sessions
from asknown.online.sqlite.layout import tile_table
from asknown.online.sqlite.metadata import read_views
from asknown.online.sqlite.names import quote
from asknown.online.sqlite.reader import SQLiteBackend
from asknown.online.sqlite.tile_update import _kept
from asknown.online.sqlite.writer import open_writer
from asknown.online.tiles import BEGINNING, TileBuilder
from asknown.types import Column, SqlType, parse_type

NOON = datetime(2013, 5, 1, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)

_ARROW = {
    "boolean": pa.bool_(),
    "text": pa.string(),
    "uuid": pa.string(),
    "blob": pa.binary(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", tz="UTC"),
}


def arrow_type(kind: SqlType) -> Any:
    """The Arrow type as which the engine hands over values of this type."""
    match kind.kind:
        case "integer" if kind.bits > 64:
            return pa.decimal128(38, 0)
        case "integer":
            return getattr(pa, f"{'' if kind.signed else 'u'}int{kind.bits}")()
        case "float":
            return pa.float32() if kind.bits == 32 else pa.float64()
        case "decimal":
            return pa.decimal128(kind.precision, kind.scale)
        case "list":
            return pa.list_(arrow_type(kind.element))
        case "struct":
            return pa.struct([(name, arrow_type(t)) for name, t in kind.fields])
    return _ARROW[kind.kind]


def make_view(
    columns: dict[str, str],
    *,
    keys: Sequence[str] = ("id",),
    name: str = "orders",
    event_time: str = "ts",
    known_at: str | None = None,
    created_at: str | None = None,
    ttl: int | None = None,
    fingerprint: str = "one",
) -> OnlineView:
    """A view with these columns; those that are no keys and no times are its features."""
    made = tuple(Column(column, parse_type(kind)) for column, kind in columns.items())
    plain = {*keys, event_time, known_at, created_at}
    by_name = {column.name: column for column in made}
    return OnlineView(
        name=name,
        fingerprint=fingerprint,
        keys=tuple(by_name[key] for key in keys),
        event_time=event_time,
        known_at=known_at,
        created_at=created_at,
        features=tuple(column for column in made if column.name not in plain),
        ttl=ttl,
        columns=made,
    )


def make_batch(view: OnlineView, rows: Iterable[dict[str, Any]]) -> Any:
    """The rows as a record batch; what a row leaves out is NULL."""
    rows = list(rows)
    schema = pa.schema([(column.name, arrow_type(column.type)) for column in view.columns])
    arrays = [pa.array([row.get(field.name) for row in rows], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def load_batches(path: Path, view: OnlineView, batches: Iterable[Any], *, watermark: datetime) -> LoadReport:
    """Loads one view in a transaction of its own."""
    with open_writer(path) as writer:
        return writer.load(view, batches, watermark)


def load(
    path: Path,
    view: OnlineView,
    rows: Iterable[dict[str, Any]],
    *,
    watermark: datetime = NOON,
    full: bool = False,
    shrink: bool = False,
) -> LoadReport:
    """Loads the rows in a transaction of their own."""
    with open_writer(path) as writer:
        batches = [make_batch(view, rows)]
        return writer.load(view, batches, watermark, full_refresh=full, allow_shrink=shrink)


def dump(path: Path, view: str = "orders") -> list[str]:
    """The view's table as SQLite spells it: its definition and its rows, in the order they are stored."""
    with sqlite3.connect(path) as connection:
        lines = list(connection.iterdump())
    connection.close()
    quoted = '"' + view.replace('"', '""') + '"'
    return [line for line in lines if line.startswith((f"CREATE TABLE {quoted}", f"INSERT INTO {quoted}"))]


def stored_rows(path: Path, view: str = "orders") -> list[tuple[Any, ...]]:
    """The rows of the view's table, as any SQLite program reads them."""
    connection = sqlite3.connect(path)
    rows = connection.execute(f'SELECT * FROM "{view}"').fetchall()
    connection.close()
    return rows


def check_tiles(path: Path) -> None:
    """Asserts that the tiles of each key are those of its events, without the newest and with some that have left."""
    with closing(sqlite3.connect(path)) as connection:
        for stored in read_views(connection, path).values():
            if stored.view.windows is not None and not stored.view.windows.lifetime:
                _check_tiles_of(connection, stored)


def _check_tiles_of(connection: sqlite3.Connection, stored: StoredView) -> None:
    view = stored.view
    assert view.windows is not None
    table, width = tile_table(view), len(view.keys)
    build = TileBuilder(view, list(table.packed), len(table.events.times))
    packed = ", ".join([*table.keys, *map(quote, table.packed)])
    cut = to_microseconds(stored.watermark.replace(tzinfo=None)) - view.windows.longest
    held: dict[Any, list[Any]] = {}
    for row in connection.execute(f"SELECT * FROM {quote(table.name)} ORDER BY {', '.join(table.place)}"):
        held.setdefault(row[:width], []).append(row[width:])
    events: dict[Any, list[Any]] = {}
    query = f"SELECT {packed} FROM {quote(table.events.name)} ORDER BY {', '.join(table.events.place)}"
    for row in connection.execute(query):
        events.setdefault(row[:width], []).append(row[width:])
    for key, rows in events.items():
        if key not in held:
            is_busy = len(rows) >= sqlite_tiles.FEWEST
            assert not is_busy or not [*build.tiles(list(zip(*rows, strict=True)))], "only a sum that is too large"
    for key, some in held.items():
        columns = _kept(build.codes, [tile[5:] for tile in some], BEGINNING, 2**63 - 1)
        assert repr([*build.tiles(columns)]) == repr(some)
        inside = [row for row in zip(*columns, strict=True) if row[0] >= cut]
        assert repr(events[key][: len(inside)]) == repr(inside)
        newer = events[key][len(inside) :]
        assert stored.stale_tiles or (not newer and len(inside) == len(columns[0]))
        assert len(newer) <= tile_update.MOST_NEWER
        assert all(row[0] > columns[0][-1] for row in newer)


def sessions_of(reader: OnlineReader) -> Sessions:
    """The connections that a reader holds open."""
    assert isinstance(reader._backend, SQLiteBackend)
    return reader._backend.sessions
