"""A world of rows for the conformance suite: what a warehouse holds, what was pushed, and what must be read.

The loads that a project would make of it are made here by the oracle's plain loops, so that the suite needs no engine.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

import oracle
from asknown.instants import from_microseconds, to_microseconds
from asknown.online.nodes import OnlineView
from asknown.periods import CalendarPeriod, FixedPeriod, Starts
from asknown.types import SqlType, parse_type
from online_tables import arrow_type, make_batch
from oracle import Window, WindowFeature
from oracle_calendar import Period, first_shown
from test_online_windows import call, event_batch, windowed

Row = dict[str, Any]

DAY = 86_400_000_000
SOURCE = "shop.orders"
BEGIN = datetime.now(UTC).replace(tzinfo=None, microsecond=0) - timedelta(days=3)
"""The instant around which rows lie; all arrivals and loads are later."""

KINDS = {"id": "BIGINT", "ts": "TIMESTAMP", "k": "TIMESTAMP", "x": "DOUBLE", "note": "VARCHAR", "price": "DECIMAL(9,2)"}
STRUCT: SqlType = parse_type("STRUCT(id BIGINT, ts TIMESTAMP, x DOUBLE, note VARCHAR, price DECIMAL(9,2))")
"""The values of a pushed row, as the outbox keeps them."""

BERLIN = CalendarPeriod("day", "Europe/Berlin")
DAYS = [BEGIN.replace(hour=0, minute=0, second=0) + timedelta(days=n) for n in range(-40, 1200)]
STARTS = Starts.of(BERLIN, [first_shown(day, "Europe/Berlin") for day in DAYS])

CALLS = {
    "total": call("sum", "_1"),
    "hour": call("avg", "_1", 3_600_000_000),
    "n": call("count", None, DAY, 1),
    "late": call("max", "_1", 2 * DAY, 60_000_000),
    "notes": call("list", "_2", 2 * DAY),
    "middle": call("quantile_cont", "_1", DAY, number=0.5),
    "newest": call("last", "_2", 2 * DAY),
    "often": call("mode", "_1", 2 * DAY),
    "dearest": call("arg_max", "_2", DAY, order="_1"),
    "today": call("sum", "_1", BERLIN.longest, period=BERLIN),
    "yesterday": call("max", "_1", 2 * BERLIN.longest, 1, period=BERLIN, back=True),
    "half": call("count", None, DAY // 2, period=FixedPeriod(DAY // 2)),
}
WINDOWS = {
    "total": WindowFeature((Window("sum", "x", DAY),)),
    "hour": WindowFeature((Window("avg", "x", 3_600_000_000),)),
    "n": WindowFeature((Window("count", None, DAY, closed="left"),)),
    "late": WindowFeature((Window("max", "x", 2 * DAY - 60_000_000, delay=60_000_000),)),
    "notes": WindowFeature((Window("list", "note", 2 * DAY),)),
    "middle": WindowFeature((Window("quantile_cont", "x", DAY),)),
    "newest": WindowFeature((Window("last", "note", 2 * DAY),)),
    "often": WindowFeature((Window("mode", "x", 2 * DAY),)),
    "dearest": WindowFeature((Window("arg_max", "note", DAY, order="x"),)),
    "today": WindowFeature((Window("sum", "x", 0, period=Period("day", "Europe/Berlin")),)),
    "yesterday": WindowFeature((Window("max", "x", 0, period=Period("day", "Europe/Berlin", back=True)),)),
    "half": WindowFeature((Window("count", None, 0, period=Period(DAY // 2)),)),
}
HIDDEN = {"_1": "x", "_2": "note"}


def orders(columns: Sequence[str] = ("x", "note", "price"), *, ttl: int | None = 5 * DAY) -> OnlineView:
    """The view that follows pushes. Its definition is that of its columns and their order."""
    kinds = {name: KINDS[name] for name in ("id", "ts", "k", *columns)}
    view = windowed(
        CALLS, {"_1": "DOUBLE", "_2": "VARCHAR"}, columns=kinds, known_at="k", ttl=ttl, fingerprint="-".join(columns)
    )
    assert view.windows is not None
    return replace(view, windows=replace(view.windows, starts=(STARTS,)))


def expected_view(view: OnlineView) -> oracle.View:
    """The view as the oracle knows it."""
    derived = set() if view.windows is None else {feature.name for feature in view.windows.derived}
    return oracle.View(
        name=view.name,
        keys=tuple(key.name for key in view.keys),
        event_time=view.event_time,
        features=tuple(column.name for column in view.kept),
        known_at=view.known_at,
        created_at=view.created_at,
        ttl=view.ttl or 0,
        windows={name: WINDOWS[name] for name in WINDOWS if name in derived},
    )


def newest_batches(view: OnlineView, rows: Iterable[Row], watermark: datetime) -> list[Any]:
    """What a load brings at a watermark: the newest visible row of each key."""
    known = expected_view(view)
    by_key: dict[Any, list[Row]] = {}
    for row in rows:
        if oracle.visible(row, watermark, known) and all(row[key] is not None for key in known.keys):
            by_key.setdefault(tuple(row[key] for key in known.keys), []).append(row)
    best = [oracle.newest(some, known) for some in by_key.values()]
    return [make_batch(view, [dict(row) for row in best if row is not None])]


def event_batches(view: OnlineView, rows: Iterable[Row], watermark: datetime) -> list[Any]:
    """The events that a load brings: all that are visible, and not older than the longest window."""
    assert view.windows is not None
    known, oldest = expected_view(view), watermark - timedelta(microseconds=view.windows.longest)
    kept = [row for row in rows if oracle.visible(row, watermark, known) and row[view.event_time] >= oldest]
    return [event_batch(view, map(with_hidden, kept))]


def wide_batches(view: OnlineView, rows: Iterable[Row]) -> list[Any]:
    """Rows with all columns of the view's table and of its events, as pushed rows and rows ahead come."""
    columns = {column.name: column for column in view.columns}
    columns |= {} if view.windows is None else {column.name: column for column in view.windows.columns}
    given = [with_hidden(row) for row in rows]
    fields = [pa.field(name, arrow_type(column.type)) for name, column in columns.items()]
    arrays = [pa.array([row.get(field.name) for row in given], field.type) for field in fields]
    return [pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))]


def ahead_batches(view: OnlineView, rows: Iterable[Row], watermark: datetime) -> list[Any]:
    """The rows that become visible after the watermark."""
    known, limit = expected_view(view), to_microseconds(watermark)
    later = [row for row in rows if (at := oracle.visible_at(row, known)) is not None and at > limit]
    return wide_batches(view, later)


def with_hidden(row: Mapping[str, Any]) -> Row:
    """The row with the columns that windows keep."""
    return {**row, **{hidden: row.get(name) for hidden, name in HIDDEN.items()}}


def exactly(value: Any) -> Any:
    """The value, so that ``==`` tells a NaN from a number, and -0.0 from 0.0."""
    if isinstance(value, float):
        return ("nan",) if math.isnan(value) else (value, math.copysign(1.0, value))
    if isinstance(value, list):
        return [exactly(one) for one in value]
    return value


def expected(
    view: OnlineView, rows: Sequence[Row], key: Sequence[Any], at: datetime, watermark: datetime
) -> dict[str, tuple[Any, str, datetime | None]]:
    """For each feature its value, status and event time."""
    found = oracle.online(rows, key, at, watermark, expected_view(view))
    return {
        name: (exactly(value), status, None if moment is None else moment.replace(tzinfo=UTC))
        for name, (value, status, moment) in found.items()
    }


def arrival(microseconds: int) -> datetime:
    """The arrival of a pushed row."""
    return from_microseconds(microseconds)
