"""Loads report the same of every store, and answers over many events are those of the SQLite file."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from asknown.addresses import Address
from asknown.errors import AsknownError
from asknown.online.backend import open_writer
from asknown.online.nodes import OnlineView
from asknown.online.reader import OnlineReader
from backends import world
from backends.conftest import Backend
from backends.world import BEGIN, Row

AT = BEGIN + timedelta(days=1)
KEYS = 60


def rows_of(seed: int, count: int = 2_000) -> list[Row]:
    """Rows of the last day of some keys, of which the first has a third of all; some become visible later."""
    pick = random.Random(seed)
    rows = []
    for _ in range(count):
        at = AT - timedelta(microseconds=pick.randrange(-3_600_000_000, world.DAY))
        key = 1 if pick.random() < 0.3 else pick.randrange(2, KEYS)
        x = pick.choice((0.1, 0.7, -0.0, 1e16, float("nan") if pick.random() < 0.01 else 3.0, None))
        rows.append({"id": key, "ts": at, "k": at, "x": x, "note": pick.choice(("a", "b", None)), "price": None})
    return rows


def load(address: Address, view: OnlineView, rows: list[Row], at: datetime, **options: Any) -> list[Any]:
    """Loads a view, and returns the reports without how long it took."""
    with open_writer(address) as writer:
        first = writer.load(view, world.newest_batches(view, rows, at), at, allow_shrink=True, **options)
        events = writer.load_events(view, world.event_batches(view, rows, at), at)
        ahead = writer.load_ahead(view, world.ahead_batches(view, rows, at), at, 400 * world.DAY)
    return [replace(first, seconds=0.0), replace(events, seconds=0.0), ahead]


def answers(address: Address) -> list[Any]:
    """The values, statuses and event times of all keys at some instants."""
    found = []
    with OnlineReader(address) as reader:
        for later in (0, 1, 59_999_999, 3_600_000_000, 7_200_000_000, 90_000_000_000, 6 * world.DAY):
            at = AT + timedelta(hours=1, microseconds=later)
            response = reader.get_online_features(["orders"], {"id": [*range(KEYS + 2)]}, at=at)
            values = {name: [world.exactly(value) for value in column] for name, column in response.to_dict().items()}
            found.append((values, response.statuses(), response.event_timestamps()))
    return found


def test_reports_and_answers_are_those_of_the_file(backend: Backend, tmp_path: Path) -> None:
    first, address = tmp_path / "online.db", backend.address()
    rows = rows_of(1)
    edited = [row | {"x": 5.0} if place % 7 == 0 else row for place, row in enumerate(rows) if place % 11]
    less = [row for row in edited if row["id"] not in (3, 4)] + [row | {"id": 900} for row in edited[:50]]
    steps: list[tuple[OnlineView, list[Row], dict[str, Any]]] = [
        (world.orders(), rows, {}),
        (world.orders(), rows, {}),
        (world.orders(), edited, {}),
        (world.orders(), less, {}),
        (world.orders(("note", "x")), less, {}),
        (world.orders(("note", "x")), rows, {"full_refresh": True}),
    ]
    for hour, (view, some, options) in enumerate(steps):
        at = AT + timedelta(minutes=hour)
        assert load(address, view, some, at, **options) == load(first, view, some, at, **options)
        assert answers(address) == answers(first)


def test_keys_with_rows_ahead_alone_do_not_leave_unasked(backend: Backend) -> None:
    """A schedule whose source is half written: reads find none of its keys yet, and would find none later."""
    address, view = backend.address(), world.orders()

    def rows(keys: range, later: timedelta) -> list[Row]:
        at = AT + later
        return [{"id": key, "ts": at, "k": at, "x": 1.0, "note": None, "price": None} for key in keys]

    def take(some: list[Row], *, wanted: OnlineView = view, minutes: int = 0, shrink: bool = False) -> int:
        at = AT + timedelta(minutes=minutes)
        with open_writer(address) as writer:
            writer.load(wanted, world.newest_batches(wanted, some, at), at, allow_shrink=shrink)
            writer.load_events(wanted, world.event_batches(wanted, some, at), at)
            return writer.load_ahead(wanted, world.ahead_batches(wanted, some, at), at, 2 * world.DAY).ahead

    seen, schedule = rows(range(1000, 1001), timedelta(0)), rows(range(100), timedelta(hours=1))
    assert take([*seen, *schedule]) == 100
    for wanted in (view, world.orders(("note", "x"))):
        with pytest.raises(AsknownError, match="of the 100 keys of 'orders' whose rows are all dated ahead") as caught:
            take([*seen, *schedule[:89]], wanted=wanted)
        assert caught.value.code == "load-shrinks"
    with open_writer(address) as writer:
        assert writer.stored()["orders"].ahead == 100
    assert take([*seen, *rows(range(50), timedelta(days=3)), *schedule[50:]]) == 50  # put off, and not gone
    assert take([*seen, *schedule], minutes=1) == 100
    assert take([*seen, *schedule], minutes=60) == 0  # they are visible now
    assert take([*seen, *schedule, *rows(range(200, 300), timedelta(days=1))], minutes=61) == 100
    assert take([*seen, *schedule], minutes=62, shrink=True) == 0
