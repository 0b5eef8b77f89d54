"""Rows dated ahead: kept apart until their instant, in as-of features and in windows, and no further (rule 10)."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from asknown.errors import AsknownError
from asknown.online import tiles
from asknown.online.nodes import OnlineView
from asknown.online.reader import OnlineReader
from asknown.online.sqlite import tiles as sqlite_tiles
from asknown.online.sqlite.doctor import inspect_file
from asknown.online.sqlite.writer import open_writer
from online_tables import NOON, TICK, arrow_type, make_batch, make_view, stored_rows
from test_online_windows import call, event_batch, windowed

HOUR = timedelta(hours=1)
DAY = 86_400_000_000
T = NOON.replace(tzinfo=None)
PLAIN = make_view({"id": "BIGINT", "ts": "TIMESTAMP", "x": "DOUBLE"})
LATER = make_view({"id": "BIGINT", "ts": "TIMESTAMP", "known": "TIMESTAMP", "x": "DOUBLE"}, known_at="known", ttl=DAY)
SUM = windowed({"total": call("sum"), "n": call("count", None), "all": call("list")})


def ahead_batch(view: OnlineView, rows: Sequence[dict[str, Any]]) -> Any:
    """The rows with the columns of the view's table and of its events; what a row leaves out is NULL."""
    hidden = () if view.windows is None else view.windows.columns
    columns = {column.name: arrow_type(column.type) for column in (*view.columns, *hidden)}
    arrays = [pa.array([row.get(name) for row in rows], kind) for name, kind in columns.items()]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(list(columns.items())))


def load(
    path: Path,
    view: OnlineView,
    now: Sequence[dict[str, Any]],
    ahead: Sequence[dict[str, Any]],
    *,
    events: Sequence[dict[str, Any]] = (),
    watermark: datetime = NOON,
    most: int = DAY,
    shrink: bool = False,
) -> Any:
    """One load of all that a view has."""
    with open_writer(path) as writer:
        writer.load(view, [make_batch(view, now)], watermark, allow_shrink=shrink)
        if view.windows is not None:
            writer.load_events(view, [event_batch(view, events)], watermark)
        return writer.load_ahead(view, [ahead_batch(view, ahead)], watermark, most)


def read(path: Path, view: OnlineView, at: datetime, ids: Sequence[Any] = (1,)) -> list[tuple[Any, str]]:
    """The first feature's value and status for each id."""
    with OnlineReader(path) as reader:
        feature = f"{view.name}:{view.features[0].name}"
        response = reader.get_online_features(feature, [{"id": i} for i in ids], at=at)
    name = view.features[0].name
    return list(zip(response.to_dict()[name], response.statuses()[name], strict=True))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "online.db"


def test_a_row_counts_from_its_instant_on(path: Path) -> None:
    rows = [{"id": 1, "ts": T + HOUR, "x": 2.0}, {"id": 1, "ts": T + 2 * HOUR, "x": None}, {"id": 2, "ts": T + HOUR}]
    report = load(path, PLAIN, [{"id": 1, "ts": T, "x": 1.0}], rows)
    assert (report.ahead, report.beyond) == (3, 0)
    assert read(path, PLAIN, NOON + HOUR - TICK, [1, 2]) == [(1.0, "PRESENT"), (None, "NOT_FOUND")]
    assert read(path, PLAIN, NOON + HOUR, [1, 2, None]) == [
        (2.0, "PRESENT"),
        (None, "NULL_VALUE"),
        (None, "NOT_FOUND"),
    ]
    assert read(path, PLAIN, NOON + 9 * HOUR) == [(None, "NULL_VALUE")]
    with OnlineReader(path) as reader:
        times = reader.get_online_features("orders", [{"id": 1}], at=NOON + HOUR).event_timestamps()
    assert times == {"x": [NOON + HOUR]}


def test_a_row_that_is_known_late_wins_only_over_older_ones(path: Path) -> None:
    old = {"id": 1, "ts": T - 3 * HOUR, "known": T, "x": 1.0}
    late = [
        {"id": 1, "ts": T - 2 * HOUR, "known": T + HOUR, "x": 2.0},
        {"id": 1, "ts": T - 4 * HOUR, "known": T + 2 * HOUR, "x": 4.0},  # known later, but older
        {"id": 1, "ts": T - 2 * HOUR, "known": T + 3 * HOUR, "x": 3.0},
        {"id": 1, "ts": T - 2 * HOUR, "known": T + 3 * HOUR, "x": 2.5},  # ties in all times: the lesser
    ]
    load(path, LATER, [old], late)
    for hours, value in ((0, 1.0), (1, 2.0), (2, 2.0), (3, 3.0), (22, 3.0)):
        assert read(path, LATER, NOON + hours * HOUR) == [(value, "PRESENT")]
    assert read(path, LATER, NOON + 22 * HOUR + TICK) == [(None, "OUTSIDE_MAX_AGE")]  # by the event time


def test_rows_beyond_are_counted_and_reads_there_refused(path: Path) -> None:
    beyond = [{"id": 1, "ts": datetime(2099, 1, 1)}, {"id": 2, "ts": T + timedelta(days=1) + TICK, "x": 9.0}]
    report = load(path, PLAIN, [{"id": 1, "ts": T, "x": 1.0}], [*beyond, {"id": 1, "ts": T + timedelta(days=1)}])
    first = NOON + timedelta(days=1) + TICK
    assert (report.ahead, report.beyond, report.beyond_at) == (1, 2, first)
    assert read(path, PLAIN, first - TICK) == [(None, "NULL_VALUE")]
    with pytest.raises(AsknownError, match="has 2 rows too far ahead for its load as of 2013-05-01 12:00:00") as caught:
        read(path, PLAIN, first)
    assert caught.value.code == "beyond-ahead"
    with OnlineReader(path) as reader:  # a plan that is there already does not go round it
        for at, fine in ((first - TICK, True), (first, False), (first - TICK, True)):
            if fine:
                reader.get_online_features("orders", [{"id": 2}], at=at)
            else:
                with pytest.raises(AsknownError):
                    reader.get_online_features("orders", [{"id": 2}], at=at)
    assert load(path, PLAIN, [], [], watermark=first).beyond_at is None
    assert read(path, PLAIN, NOON + timedelta(days=999)) == [(None, "NOT_FOUND")]


@pytest.mark.parametrize("length", [1, 3, 128])
def test_windows_take_rows_ahead_in_at_their_event_time(
    path: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    monkeypatch.setattr(sqlite_tiles, "FEWEST", 2)
    monkeypatch.setattr(tiles, "LENGTH", length)
    view = windowed(
        {
            "all": call("list", oldest=DAY // 24 * 4),
            "total": call("sum"),
            "n": call("count", None),
            "most": call("max"),
            "last": call("last"),
            "mode": call("mode"),
        },
        columns={"id": "BIGINT", "ts": "TIMESTAMP", "known": "TIMESTAMP"},
        known_at="known",
    )
    events = [{"id": 1, "ts": T - n * HOUR, "known": T - n * HOUR, "_1": float(n)} for n in range(5)]
    ahead = [
        {"id": 1, "ts": T - 90 * HOUR / 60, "known": T + HOUR, "_1": 100.0},  # in the middle
        {"id": 1, "ts": T + 2 * HOUR, "known": T, "_1": 200.0},
        {"id": 2, "ts": T + HOUR, "known": T, "_1": 7.0},
    ]
    load(path, view, [], ahead, events=events)
    for features in (["all"], ["total", "n", "most"], ["last", "n"], ["mode"], ["all", "total", "n", "most"]):
        for hours in (0, 1, 2, 3, 20, 23, 25):
            at = T + hours * HOUR
            with OnlineReader(path) as reader:
                asked = [f"orders:{name}" for name in features]
                response = reader.get_online_features(asked, [{"id": 1}, {"id": 2}, {"id": 3}], at=at)
            for place, key in enumerate((1, 2, 3)):
                seen = sorted(
                    (row["ts"], row["_1"])
                    for row in (*events, *ahead)
                    if row["id"] == key and max(row["ts"], row["known"]) <= at
                )
                day = [value for ts, value in seen if ts >= at - timedelta(days=1)]
                wanted = {
                    "all": [value for ts, value in seen if ts >= at - 4 * HOUR] or None,
                    "total": sum(day) if day else None,
                    "n": len(day),
                    "most": max(day, default=None),
                    "last": day[-1] if day else None,
                    "mode": min(day, default=None),
                }
                assert {name: response.to_dict()[name][place] for name in features} == {n: wanted[n] for n in features}
                for name in features:
                    reach = 4 * HOUR if name == "all" else timedelta(days=1)
                    newest = max((ts for ts, _ in seen if ts >= at - reach), default=None)
                    found = response.event_timestamps()[name][place]
                    assert found == (None if newest is None else newest.replace(tzinfo=UTC))


def test_only_what_differs_is_written_and_the_table_goes_with_its_last_row(path: Path) -> None:
    rows = [{"id": n, "ts": T + HOUR, "x": -0.0} for n in range(5)]
    load(path, PLAIN, [], rows)
    content = path.read_bytes()
    load(path, PLAIN, [], rows[::-1])
    assert path.read_bytes() == content
    assert load(path, PLAIN, [], [*rows[:4], {"id": 4, "ts": T + HOUR, "x": 0.0}]).ahead == 5
    assert [str(row[-1]) for row in stored_rows(path, "orders.ahead")] == ["-0.0"] * 4 + ["0.0"]
    assert inspect_file(path, at=NOON).healthy
    load(path, PLAIN, [], [])
    with pytest.raises(Exception, match="no such table"):
        stored_rows(path, "orders.ahead")
    with pytest.raises(ValueError, match="not followed by load_ahead"), open_writer(path) as writer:
        writer.load(PLAIN, [], NOON)
        writer.load_ahead(PLAIN, [ahead_batch(PLAIN, rows)], NOON, DAY)
        writer.load(PLAIN, [], NOON + TICK)


def test_a_changed_row_ahead_is_found_by_the_doctor(path: Path) -> None:
    load(path, PLAIN, [], [{"id": 1, "ts": T + HOUR, "x": 1.0}])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute('UPDATE "orders.ahead" SET x = 2.0')
    assert [check.of for check in inspect_file(path, at=NOON).findings] == ["orders.ahead"]


def test_hostile_names(path: Path) -> None:
    names = ("visible_at", "_visible_at", "newest", "_seq", "_ts", "ts")
    view = make_view({"id": "BIGINT", "event": "TIMESTAMP"} | dict.fromkeys(names, "BIGINT"), event_time="event")
    load(path, view, [], [{"id": 1, "event": T + HOUR} | {name: n for n, name in enumerate(names)}])
    with OnlineReader(path) as reader:
        found = reader.get_online_features("orders", [{"id": 1}], at=NOON + HOUR).to_dict()
    assert [found[name] for name in names] == [[n] for n in range(len(names))]


def test_views_without_keys_and_with_times_as_keys(path: Path) -> None:
    nobody = make_view({"ts": "TIMESTAMP", "x": "BIGINT"}, keys=())
    load(path, nobody, [{"ts": T, "x": 1}], [{"ts": T + HOUR, "x": 2}])
    days = replace(make_view({"day": "DATE", "x": "BIGINT"}, keys=("day",), event_time="day"), name="days")
    load(path, days, [], [{"day": T.date() + timedelta(days=1), "x": 3}])
    with OnlineReader(path) as reader:
        assert reader.get_online_features("orders", [{}], at=NOON).to_dict() == {"x": [1]}
        assert reader.get_online_features("orders", [{}], at=NOON + HOUR).to_dict() == {"x": [2]}
        key = {"day": T.date() + timedelta(days=1)}
        assert reader.get_online_features("days", [key], at=NOON).statuses() == {"x": ["NOT_FOUND"]}
        assert reader.get_online_features("days", [key], at=NOON + timedelta(hours=12)).to_dict()["x"] == [3]


def test_keys_with_rows_ahead_alone_do_not_leave_unasked(path: Path) -> None:
    """A schedule whose source is half written: reads find none of its keys yet, and would find none later."""
    schedule = [{"id": i, "ts": T + HOUR * (1 + i % 3), "x": 1.0} for i in range(100)]
    seen = [{"id": 1000, "ts": T, "x": 1.0}]
    load(path, PLAIN, seen, schedule)
    before = path.read_bytes()
    wider = make_view({"id": "BIGINT", "ts": "TIMESTAMP", "x": "DOUBLE", "y": "DOUBLE"}, fingerprint="two")
    renamed = make_view({"key": "BIGINT", "ts": "TIMESTAMP", "x": "DOUBLE"}, keys=("key",), fingerprint="two")
    others = [{"key": row["id"], **row} for row in schedule[:88]]
    for view, now, ahead in ((PLAIN, seen, schedule[:89]), (wider, seen, []), (renamed, [{"key": 5, "ts": T}], others)):
        with pytest.raises(AsknownError, match="of the 100 keys of 'orders' whose rows are all dated ahead") as caught:
            load(path, view, now, ahead)
        assert caught.value.code == "load-shrinks"
        assert path.read_bytes() == before
    beyond = [row | {"ts": T + timedelta(days=2)} for row in schedule[:50]]
    assert load(path, PLAIN, seen, [*beyond, *schedule[50:]]).beyond == 50  # put off, and not gone
    assert load(path, PLAIN, seen, schedule).ahead == 100
    begun = [row for row in schedule if row["ts"] == T + HOUR]
    later = [row for row in schedule if row["ts"] > T + HOUR]
    assert load(path, PLAIN, [*seen, *begun], later, watermark=NOON + HOUR).ahead == len(later)
    load(path, PLAIN, [*seen, *begun], [], watermark=NOON + HOUR, shrink=True)
