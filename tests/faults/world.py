"""A small world whose every state is known: what each view holds after load number n, to the byte.

Keys are 0 to ``size`` - 1. Load n brings every row; key k's row changes at every (k mod 5 + 1)th load, so key 0 tells
which load a state is of. A load's ``shape`` is the number of columns more that "accounts" has: another shape is
another definition of "accounts" and of "clicks", which are built anew.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from asknown.online.codec import spell_instant
from asknown.online.nodes import OnlineService, OnlineView, OnlineWindows, ServicePart, StoredCall, StoredFeature
from asknown.online.sqlite.names import quote
from asknown.online.sqlite.writer import OnlineWriter
from asknown.types import Column, parse_type
from online_tables import NOON, TICK, arrow_type, make_batch, make_view

T = datetime(2013, 5, 1, 10)
READ_AT = NOON + timedelta(hours=1)
DAY = 86_400_000_000
BUSY, QUIET = 40, 2  # events of every 50th key, which so has tiles, and of the others
PLAIN = ("accounts", "shops")
ALL = (*PLAIN, "clicks")
EVERYTHING = OnlineService(
    "everything", (ServicePart("accounts"), ServicePart("shops", alias="shop"), ServicePart("clicks"))
)
_CALLS = ("count", "sum", "min", "max")

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Load:
    """One load, which names the state that it leaves. Watermarks and event times rise with ``number``."""

    number: int
    shape: int = 0

    @property
    def watermark(self) -> datetime:
        return NOON + self.number * TICK


@dataclass(frozen=True)
class State:
    """What a file holds: rows by table, in order, and for each view what the file says of it."""

    tables: Mapping[str, Sequence[Row]]
    said: Mapping[str, Row]


def version_of(key: int, number: int) -> int:
    """The load that brought the row which ``key`` has after load ``number``."""
    return number - number % (key % 5 + 1)


def events_of(key: int) -> int:
    """How many events a key has."""
    return BUSY if key % 50 == 0 else QUIET


def account(key: int, version: int, shape: int) -> dict[str, Any]:
    """The row of "accounts" that a key has at this version."""
    moment = T + version * TICK
    row = {
        "id": key,
        "at": moment,
        "known": moment + TICK,
        "version": version,
        "amount": version + key / 7,
        "label": f"{key}:{version}:" + "é" * (version % 9),
        "tags": [str(version), None, str(key)],
    }
    return row | {f"more{i}": version * 10 + i for i in range(shape)}


def shop(key: int, version: int) -> dict[str, Any]:
    """The row of "shops" that a key has at this version."""
    price = Decimal(version).scaleb(-2)
    return {"town": f"town {key % 7}", "id": key, "at": T + version * TICK, "version": version, "price": price}


def keys_of(key: int) -> dict[str, Any]:
    """The request's row for a key."""
    return {"id": key, "town": f"town {key % 7}"}


def features_of(key: int, number: int, shape: int = 0) -> dict[str, Any]:
    """What the service "everything" answers for a key after load ``number``, with full names."""
    version, events = version_of(key, number), events_of(key)
    accounts, shops = account(key, version, shape), shop(key, version)
    clicks = {"count": events, "sum": events * version, "min": version, "max": version}
    return {
        **{f"accounts__{name}": value for name, value in accounts.items() if name not in ("id", "at", "known")},
        **{f"shop__{name}": value for name, value in shops.items() if name not in ("id", "town", "at")},
        **{f"clicks__{name}": value for name, value in clicks.items()},
    }


def views(shape: int) -> dict[str, OnlineView]:
    """The views, by name. "accounts" has columns of the shape, and "clicks" another fingerprint with each."""
    columns = {"id": "BIGINT", "at": "TIMESTAMP", "known": "TIMESTAMP", "version": "BIGINT", "amount": "DOUBLE"}
    columns |= {"label": "VARCHAR", "tags": "VARCHAR[]"} | {f"more{i}": "BIGINT" for i in range(shape)}
    accounts = make_view(
        columns, name="accounts", event_time="at", known_at="known", fingerprint=f"with {shape} columns more"
    )
    shops = make_view(
        {"town": "VARCHAR", "id": "BIGINT", "at": "TIMESTAMP", "version": "BIGINT", "price": "DECIMAL(18,2)"},
        name="shops",
        keys=("town", "id"),
        event_time="at",
    )
    clicks = make_view(
        {"id": "BIGINT", "at": "TIMESTAMP"}, name="clicks", event_time="at", fingerprint=f"beside {shape} columns more"
    )
    whole = parse_type("BIGINT")
    calls = tuple(
        StoredCall(
            aggregate=name,
            value=None if name == "count" else "_1",
            order=None,
            condition=None,
            number=None,
            oldest=DAY,
            newest=0,
        )
        for name in _CALLS
    )
    derived = tuple(
        StoredFeature(name, whole, ("call", whole.name, place), (place,), ()) for place, name in enumerate(_CALLS)
    )
    windows = OnlineWindows((Column("_1", whole),), calls, derived)
    clicks = replace(clicks, features=tuple(Column(f.name, f.type) for f in derived), windows=windows)
    return {"accounts": accounts, "shops": shops, "clicks": clicks}


@dataclass(frozen=True)
class World:
    """So many keys in these views."""

    size: int
    names: tuple[str, ...] = ALL

    def batches(self, load: Load) -> dict[str, list[Any]]:
        """The rows of a load as record batches: by view, and its events as "<view>.events"."""
        made = views(load.shape)
        found = {name: [make_batch(made[name], self.rows(name, load))] for name in self.names}
        if "clicks" in found:
            fields = [("id", "BIGINT"), ("at", "TIMESTAMP"), ("_1", "BIGINT")]
            schema = pa.schema([(name, arrow_type(parse_type(kind))) for name, kind in fields])
            columns = zip(*self.events(load), strict=True)
            arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
            found["clicks.events"] = [pa.RecordBatch.from_arrays(arrays, schema=schema)]
        return found

    def rows(self, view: str, load: Load) -> Iterator[dict[str, Any]]:
        """The rows that a view has after a load."""
        for key in range(self.size):
            version = version_of(key, load.number)
            match view:
                case "accounts":
                    yield account(key, version, load.shape)
                case "shops":
                    yield shop(key, version)
                case _:
                    yield {"id": key, "at": T}

    def events(self, load: Load) -> Iterator[tuple[int, datetime, int]]:
        """The events that "clicks" has after a load: key, time, value."""
        for key in range(self.size):
            version = version_of(key, load.number)
            for place in range(events_of(key)):
                yield key, T + place * TICK, version

    def write(self, writer: OnlineWriter, load: Load, batches: dict[str, list[Any]], *, full: bool = False) -> None:
        """Loads all the views in the open transaction."""
        for name in self.names:
            view = views(load.shape)[name]
            writer.load(view, batches[name], load.watermark, full_refresh=full)
            if view.windows is not None:
                writer.load_events(view, batches[f"{name}.events"], load.watermark)
        writer.services([EVERYTHING])

    def state(self, load: Load) -> State:
        """What the file holds after a load, as SQLite keeps it."""
        tables = {name: sorted(map(self._stored, self.rows(name, load))) for name in self.names}
        if "clicks" in tables:
            tables["clicks.events"] = [
                (key, _microseconds(at), 1, value) for key, at, value in sorted(self.events(load))
            ]
        said = {
            name: (
                spell_instant(load.watermark),
                self.size,
                len(tables["clicks.events"]) if name == "clicks" else None,
                views(load.shape)[name].fingerprint,
            )
            for name in self.names
        }
        return State(tables, said)

    def _stored(self, row: dict[str, Any]) -> Row:
        return tuple(map(_stored, row.values()))


def _stored(value: Any) -> Any:
    match value:
        case datetime():
            return spell_instant(value)
        case Decimal():
            return f"{value:.2f}"
        case list():
            return json.dumps(value, ensure_ascii=False)
    return value


def _microseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1)) // TICK


def observe(path: Path) -> State:
    """What the file at ``path`` holds, read with nothing but SQLite; it must be sound, and of one load."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        columns = "view, watermark, rows, events, fingerprint"
        if "events" not in {row[1] for row in connection.execute("PRAGMA table_info(_asknown_views)")}:
            columns = columns.replace("events", "NULL")  # a file of layout 1
        said = {row[0]: row[1:] for row in connection.execute(f"SELECT {columns} FROM _asknown_views")}
        names = [*said, *(f"{name}.events" for name, row in said.items() if row[2] is not None)]
        tables = {name: sorted(connection.execute(f"SELECT * FROM {quote(name)}").fetchall()) for name in names}
    return State(tables, said)


def find_load(found: State, candidates: Sequence[tuple[World, Load]]) -> Load | None:
    """Which load's state this is, to the last row: one of the ``candidates``, or None where it is torn."""
    return next((load for world, load in candidates if world.state(load) == found), None)
