"""A view that keeps no events answers as one that keeps them, after late rows, edits and deletions, on each backend."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from asknown.addresses import Address
from asknown.errors import AsknownError
from asknown.online import tiles
from asknown.online.backend import inspect_table, open_writer
from asknown.online.nodes import OnlineView, Owner
from asknown.online.reader import OnlineReader
from backends import world
from backends.conftest import Backend
from online_tables import NOON, make_batch, stored_rows
from test_online_ahead import ahead_batch
from test_online_windows import call, event_batch, windowed

EVER = 36_500 * world.DAY
OWNER = Owner("shop", "dev")
CALLS: dict[str, Any] = {
    "n": call("count", None, EVER),
    "total": call("sum", "_1", EVER),
    "mean": call("avg", "_1", EVER, condition="_3"),
    "most": call("max", "_2", EVER),
    "often": call("mode", "_1", EVER),
    "kinds": call("count_distinct", "_2", EVER),
    "first": call("first", "_1", EVER),
    "last": call("last", "_2", EVER, condition="_3"),
    "at most": call("arg_max", "_2", EVER, order="_1"),
    "row": call("streak", "_3", EVER),
    "since": call("since", "_3", EVER),
    "fall": call("drawdown", "_1", EVER),
}
HIDDEN = {"_1": "DOUBLE", "_2": "VARCHAR", "_3": "BOOLEAN"}
TYPES = {"kinds": "BIGINT", "row": "BIGINT", "since": "BIGINT"}


def view_of(*, lifetime: bool) -> OnlineView:
    """The view of all calls, which keeps events or not."""
    view = windowed(CALLS, HIDDEN)
    assert view.windows is not None
    return replace(view, windows=replace(view.windows, lifetime=lifetime))


def rows_of(choose: random.Random, count: int) -> list[dict[str, Any]]:
    """Rows of a few keys, one with an event before 1970, one with sums that no state can hold."""
    rows = []
    for _ in range(count):
        key = choose.choice((1, 1, 1, 2, 3, 4, 5))
        at = NOON.replace(tzinfo=None) - timedelta(seconds=choose.randrange(200))
        x = choose.choice((0.0, -0.0, 1.0, 0.1, 1e17, -1e17, None))
        if key == 3:
            x = choose.choice((1e308, 1e308, math.nan, None))
        if key == 4 and not choose.randrange(9):
            at = datetime(1960, 5, 1)
        rows.append({
            "id": key, "ts": at, "_1": x, "_2": choose.choice(("a", "b", "é", None)),
            "_3": choose.choice((True, True, False, None)),
        })  # fmt: skip
    return rows


def load(address: Address, view: OnlineView, rows: Sequence[dict[str, Any]], watermark: datetime = NOON) -> Any:
    """Loads what is visible at the watermark, and the rest as rows dated ahead."""
    at = watermark.replace(tzinfo=None)
    events = [row for row in rows if row["ts"] <= at]
    newest = {row["id"]: row for row in sorted(events, key=lambda row: row["ts"])}
    with open_writer(address, owner=OWNER) as writer:
        writer.load(view, [make_batch(view, list(newest.values()))], watermark, allow_shrink=True)
        report = writer.load_events(view, [event_batch(view, events)], watermark)
        later = [row for row in rows if row["ts"] > at]
        writer.load_ahead(view, [ahead_batch(view, later)], watermark, 400 * world.DAY)
    return report


def answers(address: Address, view: OnlineView) -> list[Any]:
    """What each feature is of each key, alone and together, now and later."""
    found = []
    names = [feature.name for feature in view.features if feature.name in CALLS]
    with OnlineReader(address, owner=OWNER) as reader:
        for later in (0, 5, 100, 90_000):
            for asked in (names, *([name] for name in names)):
                response = reader.get_online_features(
                    [f"orders:{name}" for name in asked],
                    {"id": [1, 2, 3, 4, 5, 6, 99]},
                    at=NOON + timedelta(seconds=later),
                )
                values = {n: [world.exactly(v) for v in column] for n, column in response.to_dict().items()}
                found.append((values, response.statuses(), response.event_timestamps()))
    return found


@pytest.mark.parametrize("count", [40, 900])
def test_a_view_without_events_answers_as_one_with_them(backend: Backend, tmp_path: Path, count: int) -> None:
    choose = random.Random(count)
    kept, left_out = tmp_path / "events.db", backend.address()
    rows = rows_of(choose, count)
    ahead = [{**row, "ts": NOON.replace(tzinfo=None) + timedelta(seconds=50)} for row in rows_of(choose, 5)]
    late = rows_of(choose, count // 3)
    edited = [{**row, "_1": 0.5, "_3": False} if place % 5 == 0 else row for place, row in enumerate(rows)]
    for some in (rows, [*rows, *ahead], [*rows, *late], edited[::2], [row for row in edited if row["id"] != 2], []):
        load(kept, view_of(lifetime=False), some)
        mixed = choose.sample(some, len(some))
        report = load(left_out, view_of(lifetime=True), mixed)
        assert report.rows_seen == len([row for row in some if row["ts"] <= NOON.replace(tzinfo=None)])
        assert answers(left_out, view_of(lifetime=True)) == answers(kept, view_of(lifetime=False))
        with OnlineReader(left_out, owner=OWNER) as reader:
            loaded = reader.views()["orders"].load_id
        load(left_out, view_of(lifetime=True), mixed)
        with OnlineReader(left_out, owner=OWNER) as reader:
            assert reader.views()["orders"].load_id == loaded  # the same load writes nothing
    assert not [check for check in inspect_table(left_out).checks if check.state == "act"]


def test_the_table_does_not_grow_with_the_events(tmp_path: Path) -> None:
    sizes = []
    for count in (300, 3_000):
        path = tmp_path / f"{count}.db"
        choose = random.Random(7)
        noon = NOON.replace(tzinfo=None)
        rows = [
            {
                "id": n % 10, "ts": noon - timedelta(seconds=n), "_1": choose.choice((0.5, 1.5)),
                "_2": choose.choice("ab"), "_3": choose.random() < 0.5,
            }
            for n in range(count)
        ]  # fmt: skip
        assert load(path, view_of(lifetime=True), rows).events_total == 0
        assert not stored_rows(path, "orders.events")
        assert len(stored_rows(path, "orders.tiles")) == 10
        sizes.append(path.stat().st_size)
    assert sizes[1] <= sizes[0] * 1.1


def test_states_that_are_too_large_keep_their_keys_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "LARGEST_ALONE", 500)
    path = tmp_path / "online.db"
    noon = NOON.replace(tzinfo=None)
    rows = [{"id": key, "ts": noon - timedelta(seconds=n), "_1": float(n % most)} for key, most in ((1, 400), (2, 3))
            for n in range(400)]  # fmt: skip
    load(path, view_of(lifetime=True), rows)
    assert [row[0] for row in stored_rows(path, "orders.tiles")] == [1, 1, 1, 1, 2]
    other = tmp_path / "other.db"
    load(other, view_of(lifetime=False), rows)
    assert answers(path, view_of(lifetime=True)) == answers(other, view_of(lifetime=False))


def test_a_view_changes_between_keeping_events_and_not(backend: Backend, tmp_path: Path) -> None:
    rows, address, other = rows_of(random.Random(3), 200), backend.address(), tmp_path / "other.db"
    load(other, view_of(lifetime=False), rows)
    for lifetime in (False, True, False):
        load(address, view_of(lifetime=lifetime), rows)
        assert answers(address, view_of(lifetime=lifetime)) == answers(other, view_of(lifetime=False))


def test_an_earlier_release_refuses_a_view_without_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from asknown.online import metadata

    path = tmp_path / "online.db"
    load(path, view_of(lifetime=True), rows_of(random.Random(3), 50))
    monkeypatch.setattr(metadata, "_LIFETIME", "calls")  # so that the word means nothing
    with pytest.raises(AsknownError) as caught, OnlineReader(path) as reader:
        reader.get_online_features("orders", [{"id": 1}], at=NOON)
    assert caught.value.code == "online-corrupt"
