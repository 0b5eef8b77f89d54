"""Computes when the periods of the calendar begin that a view's windows are about, for the online table to keep.

The engine that computes them is DuckDB, as in training. So the reader needs no data of time zones of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime

from asknown.emit.periods import starts_query
from asknown.engines.engine import Engine
from asknown.instants import from_microseconds, to_microseconds
from asknown.online.nodes import OnlineView
from asknown.periods import CalendarPeriod, Starts
from asknown.store.type_engine import open_bare_engine
from asknown.store.typed_catalog import TypedCatalog

_LAST = to_microseconds(datetime(9998, 1, 1))


def with_starts(online: OnlineView, catalog: TypedCatalog, watermark: datetime, max_ahead: int) -> OnlineView:
    """The view with the starts of its periods, from the one before ``watermark`` to the first after ``max_ahead``."""
    windows = online.windows
    if windows is None or not windows.periods:
        return online
    until = from_microseconds(min(to_microseconds(watermark) + max_ahead, _LAST))
    engine = catalog.engine
    if engine.dialect.name == "duckdb":
        starts = _starts(engine, windows.periods, watermark, until)
    else:
        with closing(open_bare_engine(catalog.project)) as bare:
            starts = _starts(bare, windows.periods, watermark, until)
    return replace(online, windows=replace(windows, starts=starts))


def _starts(
    engine: Engine, periods: Sequence[CalendarPeriod], earliest: datetime, latest: datetime
) -> tuple[Starts, ...]:
    found = []
    for period in periods:
        sql = starts_query(engine.dialect, period, earliest, latest)
        found.append(Starts.of(period, [micros for (micros,) in engine.rows(sql)]))
    return tuple(found)
