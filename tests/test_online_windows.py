"""Trailing windows online: the events are stored right, and read right (rules 2, 4, 5, 9, 10)."""

from __future__ import annotations

import itertools
import json
import math
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asknown.errors import AsknownError
from asknown.online import tiles
from asknown.online.nodes import OnlineService, OnlineView, OnlineWindows, ServicePart, StoredCall, StoredFeature
from asknown.online.reader import OnlineReader
from asknown.online.report import EventReport
from asknown.online.sqlite import tiles as sqlite_tiles
from asknown.online.sqlite.writer import open_writer
from asknown.types import Column, parse_type
from online_tables import NOON, TICK, arrow_type, dump, make_batch, make_view, stored_rows

T = datetime(2013, 5, 1, 10)
HOUR = 3_600_000_000
DAY = 24 * HOUR
AGGREGATE_TYPES = {"count": "BIGINT", "count_distinct": "BIGINT", "avg": "DOUBLE"}


def call(aggregate: str, value: str | None = "_1", oldest: int = DAY, newest: int = 0, **more: Any) -> StoredCall:
    """An aggregate over the last day, unless it says otherwise."""
    given = {"order": None, "condition": None, "number": None, **more}
    return StoredCall(aggregate=aggregate, value=value, oldest=oldest, newest=newest, **given)


def windowed(
    calls: dict[str, StoredCall],
    hidden: dict[str, str] | None = None,
    *,
    columns: dict[str, str] | None = None,
    expressions: dict[str, tuple[str, Any, Sequence[str], Sequence[str]]] | None = None,
    fingerprint: str = "one",
    **options: Any,
) -> OnlineView:
    """A view with a feature for each call, of that name.

    ``columns`` are those of the view's own table, where they are more than a key and a time; ``expressions`` are
    further features: type, tree (with a call's name for its place), the calls' names, the hidden columns.
    """
    hidden = {"_1": "DOUBLE"} if hidden is None else hidden
    base = make_view(columns or {"id": "BIGINT", "ts": "TIMESTAMP"}, fingerprint=fingerprint, **options)
    places = {name: place for place, name in enumerate(calls)}
    derived = []
    for name, made in calls.items():
        plain = "BIGINT" if made.value is None else hidden[made.value]
        kind = parse_type(plain + "[]" if made.aggregate == "list" else AGGREGATE_TYPES.get(made.aggregate, plain))
        derived.append(StoredFeature(name, kind, ("call", kind.name, places[name]), (places[name],), ()))
    for name, (kind, tree, used, kept) in (expressions or {}).items():
        derived.append(StoredFeature(name, parse_type(kind), tree, tuple(places[c] for c in used), tuple(kept)))
    needed = {column for _, _, _, kept in (expressions or {}).values() for column in kept}
    return replace(
        base,
        features=(
            *(f for f in base.features if f.name not in needed),
            *(Column(f.name, f.type) for f in derived),
        ),
        windows=OnlineWindows(
            tuple(Column(name, parse_type(kind)) for name, kind in hidden.items()),
            tuple(calls.values()),
            tuple(derived),
        ),
    )


def event_batch(view: OnlineView, rows: Iterable[dict[str, Any]]) -> Any:
    """The events as a record batch; what a row leaves out is NULL."""
    assert view.windows is not None
    rows = list(rows)
    times = [Column(time, view.type_of(time)) for time in view.times]
    fields = [(c.name, arrow_type(c.type)) for c in (*view.keys, *times, *view.windows.columns)]
    arrays = [pa.array([row.get(name) for row in rows], kind) for name, kind in fields]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def load(
    path: Path,
    view: OnlineView,
    events: Sequence[dict[str, Any]],
    rows: Sequence[dict[str, Any]] = (),
    *,
    watermark: datetime = NOON,
    full: bool = False,
) -> EventReport:
    """Loads a view's rows and events in a transaction of their own."""
    with open_writer(path) as writer:
        writer.load(view, [make_batch(view, rows)], watermark, full_refresh=full)
        return writer.load_events(view, [event_batch(view, events)], watermark)


def read(path: Path, view: OnlineView, keys: Sequence[Any] = (1,), *, at: datetime = NOON) -> list[dict[str, Any]]:
    """The features of the view for each key, without the keys."""
    with OnlineReader(path) as reader:
        response = reader.get_online_features(view.name, [{"id": key} for key in keys], at=at)
    return [{name: value for name, value in row.items() if name != "id"} for row in response.rows()]


@pytest.fixture(
    params=[(sqlite_tiles.FEWEST, tiles.LENGTH), (1, 1), (2, 3)], ids=["as it is", "tiles of 1", "tiles of 3"]
)
def path(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a test, which runs with and without tiles."""
    fewest, length = request.param
    monkeypatch.setattr(sqlite_tiles, "FEWEST", fewest)
    monkeypatch.setattr(tiles, "LENGTH", length)
    return tmp_path / "online.db"


SUM = windowed({"total": call("sum"), "n": call("count", None)})


# ---------------------------------------------------------------- the events, as they are stored


def test_events_are_readable_by_any_sqlite_program(path: Path) -> None:
    view = windowed({"total": call("sum")}, {"_1": "DOUBLE", "_2": "BOOLEAN"}, known_at="seen", columns={
        "id": "BIGINT", "ts": "TIMESTAMP", "seen": "TIMESTAMP WITH TIME ZONE"
    })  # fmt: skip
    load(path, view, [{"id": 7, "ts": T, "seen": T.replace(tzinfo=UTC) + TICK, "_1": 1.5, "_2": True}])
    assert dump(path, "orders.events") == [
        'CREATE TABLE "orders.events" (\n    "id" INTEGER NOT NULL,\n    "ts" INTEGER NOT NULL,\n'
        '    "seen" INTEGER NOT NULL,\n    "_seq" INTEGER NOT NULL,\n    "_1" ANY,\n    "_2" INTEGER,\n'
        '    PRIMARY KEY ("id", "ts", "_seq")\n) STRICT, WITHOUT ROWID;',
        'INSERT INTO "orders.events" VALUES(7,1367402400000000,1367402400000001,1,1.5,1);',
    ]


EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.integers(1, 2),
            "ts": st.integers(0, 2).map(lambda hours: T + timedelta(hours=hours)),
            "made": st.none() | st.integers(0, 1).map(lambda hours: T + timedelta(hours=hours)),
            "_1": st.none() | st.sampled_from([0.0, -0.0, 1.0, math.nan, math.inf, 0.1 + 0.2, 0.3]),
            "_2": st.none() | st.sampled_from(["", "a", "é"]),
            "_3": st.none() | st.sampled_from([Decimal("1.50"), Decimal("-1.50")]),
        }
    ),
    max_size=8,
)
MANY = windowed(
    {"total": call("sum")},
    {"_1": "DOUBLE", "_2": "VARCHAR", "_3": "DECIMAL(10,2)"},
    columns={"id": "BIGINT", "ts": "TIMESTAMP", "made": "TIMESTAMP"},
    created_at="made",
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(EVENTS, EVENTS, st.randoms())
def test_the_same_events_leave_the_same_bytes_in_whatever_order_they_come(
    path: Path, before: list[dict[str, Any]], events: list[dict[str, Any]], random: Any
) -> None:
    shuffled = random.sample(events, len(events))
    paths = [path.with_name(f"{place}.db") for place in range(2)]
    for each in paths:
        each.unlink(missing_ok=True)
    load(paths[0], MANY, events)
    load(paths[1], MANY, before)
    load(paths[1], MANY, shuffled, watermark=NOON + TICK)
    stored = [repr(row) for row in stored_rows(paths[0], "orders.events")]
    for table in ("orders.events", "orders.tiles"):
        assert dump(paths[0], table) == dump(paths[1], table)
    assert [repr(row) for row in stored_rows(paths[1], "orders.events")] == stored  # the sign of a zero as well
    assert len(stored) == len(events)  # duplicates stay
    again = load(paths[1], MANY, events, watermark=NOON + TICK)
    assert (again.added, again.removed, again.events_total) == (0, 0, len(events))
    assert [repr(row) for row in stored_rows(paths[1], "orders.events")] == stored


def test_a_zero_that_changes_its_sign_is_written(path: Path) -> None:
    load(path, SUM, [{"id": 1, "ts": T, "_1": 0.0}])
    report = load(path, SUM, [{"id": 1, "ts": T, "_1": -0.0}])
    assert (report.added, report.removed) == (1, 1)
    assert [str(row[-1]) for row in stored_rows(path, "orders.events")] == ["-0.0"]


def test_events_are_those_of_the_newest_load(path: Path) -> None:
    load(path, SUM, [{"id": 1, "ts": T, "_1": 1.0}, {"id": 1, "ts": T + timedelta(hours=1), "_1": 2.0}])
    with pytest.raises(AsknownError) as caught:
        load(path, SUM, [{"id": 1, "ts": T, "_1": 5.0}], watermark=NOON - TICK)
    assert caught.value.code == "load-older"
    assert read(path, SUM) == [{"total": 3.0, "n": 2}]
    newer = load(path, SUM, [{"id": 1, "ts": T + timedelta(hours=1), "_1": 1.5}], watermark=NOON + TICK)
    assert (newer.added, newer.removed, newer.events_total) == (1, 2, 1)
    assert read(path, SUM, at=NOON + TICK) == [{"total": 1.5, "n": 1}]


def test_a_full_refresh_takes_an_earlier_watermark(path: Path) -> None:
    load(path, SUM, [{"id": 1, "ts": T, "_1": 1.0}])
    load(path, SUM, [{"id": 1, "ts": T, "_1": 5.0}], watermark=NOON - TICK, full=True)
    assert read(path, SUM, at=NOON - TICK) == [{"total": 5.0, "n": 1}]


def test_rows_that_can_never_be_seen_are_left_out(path: Path) -> None:
    view = windowed({"n": call("count", None)}, {}, columns={
        "id": "BIGINT", "ts": "TIMESTAMP", "seen": "TIMESTAMP"
    }, known_at="seen")  # fmt: skip
    events = [{"id": 1, "ts": T, "seen": T}, {"id": None, "ts": T, "seen": T}, {"id": 1, "seen": T}, {"id": 1, "ts": T}]
    report = load(path, view, events)
    assert (report.rows_seen, report.skipped_null, report.events_total) == (4, 3, 1)
    assert read(path, view) == [{"n": 1}]


def test_events_after_the_watermark_are_left_out_and_counted(path: Path) -> None:
    after = {"id": 1, "ts": (NOON + TICK).replace(tzinfo=None)}
    report = load(path, SUM, [after, {"id": 1, "ts": T, "_1": 1.0}])
    assert (report.rows_seen, report.rows_future, report.events_total) == (2, 1, 1)
    assert read(path, SUM) == [{"total": 1.0, "n": 1}]


def test_a_load_of_rows_without_their_events_is_not_committed(path: Path) -> None:
    load(path, SUM, [{"id": 1, "ts": T, "_1": 1.0}])
    with pytest.raises(ValueError, match="load_events"), open_writer(path) as writer:
        writer.load(SUM, [], NOON + TICK)
    assert read(path, SUM) == [{"total": 1.0, "n": 1}]
    with pytest.raises(ValueError, match="comes after load"), open_writer(path) as writer:
        writer.load_events(windowed({"other": call("max")}), [], NOON)


def test_another_definition_makes_the_events_anew(path: Path) -> None:
    load(path, SUM, [{"id": 1, "ts": T, "_1": 1.0}])
    other = windowed({"most": call("max")}, {"_1": "BIGINT"})
    assert load(path, other, [{"id": 1, "ts": T, "_1": 3}]).events_total == 1
    assert read(path, other) == [{"most": 3}]
    plain = make_view({"id": "BIGINT", "ts": "TIMESTAMP", "amount": "DOUBLE"})
    with open_writer(path) as writer:
        writer.load(plain, [make_batch(plain, [{"id": 1, "ts": T, "amount": 2.0}])], NOON)
    assert dump(path, "orders.events") == dump(path, "orders.tiles") == []
    assert read(path, plain) == [{"amount": 2.0}]


def test_a_forgotten_view_leaves_no_events(path: Path) -> None:
    load(path, SUM, [{"id": 1, "ts": T, "_1": 1.0}])
    with open_writer(path) as writer:
        writer.forget("orders")
    assert dump(path, "orders.events") == dump(path, "orders.tiles") == []


def test_somebody_else_s_table_is_not_taken_for_the_events(path: Path) -> None:
    with open_writer(path) as writer:
        writer.services([])
    connection = sqlite3.connect(path)
    connection.execute('CREATE TABLE "Orders.Events" (a)')
    connection.commit()
    connection.close()
    with pytest.raises(AsknownError) as caught:
        load(path, SUM, [])
    assert caught.value.code == "online-write"
    assert "orders.events" in caught.value.message


def test_metadata_tells_of_windows_in_short(path: Path) -> None:
    load(path, SUM, [{"id": 1, "ts": T, "_1": 1.0}])
    with OnlineReader(path) as reader:
        stored = reader.views()["orders"]
    assert stored.view == SUM
    assert stored.describe()["features"] == ["total", "n"]
    assert stored.describe()["windows"] == {
        "features": ["total", "n"],
        "aggregates": ["count", "sum"],
        "longest_us": DAY,
        "events": 1,
    }


def test_hostile_names(path: Path) -> None:
    view = windowed(
        {'a "b"': call("sum", 'x "y"')},
        {'x "y"': "DOUBLE", "_SEQ": "BIGINT"},
        columns={"id": "BIGINT", "_seq": "TIMESTAMP"},
        event_time="_seq",
        name="excluded",
    )
    load(path, view, [{"id": 1, "_seq": T, 'x "y"': 2.0}])
    assert read(path, view) == [{'a "b"': 2.0}]


# ---------------------------------------------------------------- the frames


def test_both_ends_of_a_frame_are_in(path: Path) -> None:
    noon = NOON.replace(tzinfo=None)
    view = windowed(
        {
            "both": call("list", oldest=HOUR),
            "left": call("list", oldest=HOUR, newest=1),
            "right": call("list", oldest=HOUR - 1),
            "delayed": call("list", oldest=2 * HOUR, newest=HOUR),
            "now": call("list", oldest=0),
        },
        {"_1": "VARCHAR"},
    )
    hour = timedelta(hours=1)
    moments = {"early": noon - hour - TICK, "start": noon - hour, "after": noon - hour + TICK, "end": noon}
    load(path, view, [{"id": 1, "ts": moment, "_1": name} for name, moment in moments.items()])
    assert read(path, view) == [
        {
            "both": ["start", "after", "end"],
            "left": ["start", "after"],
            "right": ["after", "end"],
            "delayed": ["early", "start"],
            "now": ["end"],
        }
    ]


def test_a_window_that_was_left_by_a_nan_and_a_large_number_recovers(path: Path) -> None:
    view = windowed({"total": call("sum", oldest=HOUR), "mean": call("avg", oldest=HOUR), "day": call("sum")})
    values = [math.nan, 1e17, 0.1, 0.2]
    load(path, view, [{"id": 1, "ts": T + timedelta(minutes=30 * i), "_1": v} for i, v in enumerate(values)])
    (row,) = read(path, view, at=NOON)
    assert (row["total"], row["mean"]) == (0.2 + 0.1, (0.1 + 0.2) / 2) or math.isnan(row["day"])
    assert math.isnan(row["day"])
    assert read(path, view, at=NOON + timedelta(minutes=30))[0]["total"] == 0.2


def test_a_key_never_seen_has_empty_windows(path: Path) -> None:
    load(path, SUM, [{"id": 1, "ts": T, "_1": 1.0}])
    with OnlineReader(path) as reader:
        response = reader.get_online_features("orders", {"id": [1, 2, None, 2**70]}, at=NOON)
        assert response.to_dict() == {
            "id": [1, 2, None, 2**70],
            "total": [1.0, None, None, None],
            "n": [1, 0, 0, 0],
        }
        assert response.statuses() == {"total": ["PRESENT"] + ["NULL_VALUE"] * 3, "n": ["PRESENT"] * 4}
        assert response.event_timestamps() == {
            name: [T.replace(tzinfo=UTC), None, None, None] for name in ("total", "n")
        }
        assert reader.get_online_features("orders", [], at=NOON).to_dict() == {"total": [], "n": []}


def test_the_event_time_of_a_feature_is_the_newest_in_any_of_its_frames(path: Path) -> None:
    tree = ("+", "DOUBLE", ("call", "DOUBLE", 0), ("call", "DOUBLE", 1))
    view = windowed(
        {"hour": call("sum", oldest=HOUR), "before": call("sum", newest=HOUR + 1)},
        expressions={"either": ("DOUBLE", tree, ("hour", "before"), ())},
    )
    load(path, view, [{"id": 1, "ts": T, "_1": None}, {"id": 1, "ts": T + timedelta(minutes=90), "_1": 1.0}])
    with OnlineReader(path) as reader:
        response = reader.get_online_features("orders", [{"id": 1}], at=NOON)
    old, new = T.replace(tzinfo=UTC), (T + timedelta(minutes=90)).replace(tzinfo=UTC)
    assert response.event_timestamps() == {"hour": [new], "before": [old], "either": [new]}
    assert response.statuses() == {"hour": ["PRESENT"], "before": ["NULL_VALUE"], "either": ["NULL_VALUE"]}


def test_conditions_and_nulls_leave_rows_out(path: Path) -> None:
    view = windowed(
        {
            "n": call("count", None, condition="_2"),
            "values": call("count", condition="_2"),
            "total": call("sum", condition="_2"),
            "all": call("count", None),
        },
        {"_1": "DOUBLE", "_2": "BOOLEAN"},
    )
    rows = itertools.product([1.0, None], [True, False, None])
    load(path, view, [{"id": 1, "ts": T, "_1": value, "_2": met} for value, met in rows])
    assert read(path, view) == [{"n": 2, "values": 1, "total": 1.0, "all": 6}]


def test_ties_are_broken_by_the_later_times_and_the_value(path: Path) -> None:
    view = windowed(
        {
            "first": call("first"),
            "last": call("last"),
            "all": call("list"),
            "at_most": call("arg_max", order="_2"),
            "at_least": call("arg_min", order="_2"),
        },
        {"_2": "BIGINT", "_1": "VARCHAR"},
        columns={"id": "BIGINT", "ts": "TIMESTAMP", "seen": "TIMESTAMP", "made": "TIMESTAMP"},
        known_at="seen",
        created_at="made",
    )
    rows = [
        {"ts": T, "seen": T + TICK, "made": None, "_1": "c", "_2": 1},
        {"ts": T, "seen": T, "made": T, "_1": "z", "_2": 0},
        {"ts": T, "seen": T, "made": T, "_1": "y", "_2": 9},
        {"ts": T, "seen": T, "made": None, "_1": "é", "_2": 9},
        {"ts": T - TICK, "seen": T, "made": T, "_1": "last of all", "_2": 0},
        {"ts": T, "seen": T + TICK, "made": T, "_1": None, "_2": 99},
        {"ts": T, "seen": T + TICK, "made": T, "_1": "d", "_2": None},
    ]
    for order in (rows, rows[::-1]):
        load(path, view, [{"id": 1, **row} for row in order])
        assert read(path, view) == [
            {
                "first": "last of all",
                "last": "d",
                "all": ["last of all", "é", "y", "z", "c", "d"],
                "at_most": "y",
                "at_least": "z",
            }
        ]


# ---------------------------------------------------------------- expressions, and features of both kinds

MIXED = windowed(
    {"total": call("sum"), "n": call("count", None)},
    {"_1": "DOUBLE"},
    columns={"id": "BIGINT", "ts": "TIMESTAMP", "delay": "DOUBLE", "_2": "DOUBLE"},
    expressions={
        "share": ("DOUBLE", ("/", "DOUBLE", ("column", "DOUBLE", "_2"), ("call", "DOUBLE", 0)), ("total",), ("_2",)),
        "known": ("BOOLEAN", ("is null", "BOOLEAN", ("column", "DOUBLE", "_2")), ("n",), ("_2",)),
    },
    ttl=3 * HOUR,
)


def test_as_of_columns_in_an_expression_follow_their_own_rule(path: Path) -> None:
    events = [{"id": key, "ts": T, "_1": 4.0} for key in (1, 2)]
    load(path, MIXED, events, [{"id": 1, "ts": T, "delay": 1.0, "_2": 2.0}])
    with OnlineReader(path) as reader:
        response = reader.get_online_features("orders", {"id": [1, 2, 3]}, at=NOON)
        assert response.to_dict() == {
            "id": [1, 2, 3],
            "delay": [1.0, None, None],
            "total": [4.0, 4.0, None],
            "n": [1, 1, 0],
            "share": [0.5, None, None],
            "known": [False, True, True],
        }
        assert response.statuses() == {
            "delay": ["PRESENT", "NOT_FOUND", "NOT_FOUND"],
            "total": ["PRESENT", "PRESENT", "NULL_VALUE"],
            "n": ["PRESENT"] * 3,
            "share": ["PRESENT", "NULL_VALUE", "NULL_VALUE"],
            "known": ["PRESENT"] * 3,
        }
        late = reader.get_online_features("orders", {"id": [1]}, at=NOON + timedelta(hours=1, microseconds=1))
        assert late.to_dict() == {
            "id": [1],
            "delay": [None],
            "total": [4.0],
            "n": [1],
            "share": [None],
            "known": [True],
        }
        assert late.statuses()["delay"] == ["OUTSIDE_MAX_AGE"]


def test_only_what_is_asked_for_is_read(path: Path) -> None:
    load(path, MIXED, [{"id": 1, "ts": T, "_1": 4.0}], [{"id": 1, "ts": T, "delay": 1.0, "_2": 2.0}])
    with OnlineReader(path) as reader:
        for names in itertools.permutations(["delay", "total", "share"], 2):
            response = reader.get_online_features([f"orders:{name}" for name in names], [{"id": 1}], at=NOON)
            whole = {"delay": 1.0, "total": 4.0, "share": 0.5}
            assert response.rows() == [{"id": 1, **{name: whole[name] for name in names}}]


def test_what_the_engine_would_refuse_is_an_error_that_names_the_feature(path: Path) -> None:
    tree = ("+", "TINYINT", ("call", "TINYINT", 0), ("call", "TINYINT", 0))
    view = windowed({"most": call("max")}, {"_1": "TINYINT"}, expressions={"twice": ("TINYINT", tree, ("most",), ())})
    load(path, view, [{"id": 1, "ts": T, "_1": 100}])
    with pytest.raises(AsknownError) as caught:
        read(path, view)
    assert caught.value.code == "engine"
    assert "'twice' of 'orders'" in caught.value.message
    assert "200" in caught.value.message


def test_one_request_reads_services_views_and_renamed_keys_together(path: Path) -> None:
    plain = make_view({"id": "BIGINT", "ts": "TIMESTAMP", "amount": "DOUBLE"}, name="plain")
    service = OnlineService("both", (ServicePart("orders", ("n",), "o", {"id": "buyer"}), ServicePart("plain")))
    with open_writer(path) as writer:
        writer.load(plain, [make_batch(plain, [{"id": 1, "ts": T, "amount": 9.0}])], NOON)
        writer.load(MIXED, [make_batch(MIXED, [])], NOON)
        writer.load_events(MIXED, [event_batch(MIXED, [{"id": 2, "ts": T, "_1": 4.0}])], NOON)
        writer.services([service])
    with OnlineReader(path) as reader:
        response = reader.get_online_features("both", [{"id": 1, "buyer": 2}], at=NOON, full_feature_names=True)
        assert response.rows() == [{"id": 1, "buyer": 2, "o__n": 1, "plain__amount": 9.0}]
        with pytest.raises(AsknownError) as caught:
            reader.get_online_features("both", [{"id": 1, "buyer": 2}], at=NOON - TICK)
        assert caught.value.code == "before-watermark"


def test_views_of_no_key_and_of_several(path: Path) -> None:
    nobody = windowed({"total": call("sum")}, columns={"ts": "TIMESTAMP"}, keys=(), name="nobody")
    several = windowed(
        {"total": call("sum")},
        columns={"who": "VARCHAR", "day": "DATE", "price": "DECIMAL(10,2)", "at": "DATE"},
        keys=("who", "day", "price"),
        event_time="at",
        name="several",
    )
    load(path, nobody, [{"ts": T, "_1": 1.0}, {"ts": T, "_1": 2.0}])
    key = {"who": "é", "day": date(1969, 12, 31), "price": Decimal("1.50")}
    today = NOON.date()
    load(path, several, [{**key, "at": today, "_1": 4.0}, {**key, "at": today - timedelta(days=1), "_1": 8.0}])
    with OnlineReader(path) as reader:
        assert reader.get_online_features("nobody", [{}, {}], at=NOON).to_dict() == {"total": [3.0, 3.0]}
        rows = [key, {**key, "who": "e"}]
        assert reader.get_online_features("several", rows, at=NOON).to_dict()["total"] == [4.0, None]


def test_times_before_1970_and_values_of_every_kind(path: Path) -> None:
    values: dict[str, Any] = {
        "HUGEINT": 2**100,
        "UBIGINT": 2**64 - 1,
        "DECIMAL(38,20)": Decimal("0.00000000000000000001"),
        "DATE": date(1, 1, 1),
        "TIMESTAMP WITH TIME ZONE": datetime(1, 1, 1, tzinfo=UTC),
        "INTEGER[]": [1, None],
        "BOOLEAN": False,
        "BLOB": b"\0",
        "DOUBLE": math.inf,
    }
    names = {kind: f"_{place}" for place, kind in enumerate(values)}
    view = windowed(
        {f"{what}{name}": call(what, name) for name in names.values() for what in ("last", "list")},
        {name: kind for kind, name in names.items()},
    )
    old = datetime(1900, 1, 1)
    event = {"id": 1, "ts": old, **{names[kind]: value for kind, value in values.items()}}
    load(path, view, [event], watermark=old)
    (row,) = read(path, view, at=old.replace(tzinfo=UTC) + timedelta(days=1))
    for kind, value in values.items():
        assert row[f"last{names[kind]}"] == value
        assert row[f"list{names[kind]}"] == [value]
        assert type(row[f"last{names[kind]}"]) is type(value)


# ---------------------------------------------------------------- against plain loops

SECONDS = st.integers(-6, 0)
FRAMES = st.tuples(st.integers(0, 6), st.integers(0, 2)).map(lambda f: (max(f) * 1_000_000, min(f) * 1_000_000))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    events=st.lists(st.tuples(st.integers(1, 2), SECONDS, st.none() | st.integers(-3, 3), st.none() | st.booleans())),
    frames=st.lists(
        st.tuples(st.sampled_from(["sum", "count", "min", "list", "avg"]), FRAMES, st.booleans()), max_size=5
    ),
    later=st.integers(0, 5),
)
def test_windows_are_what_plain_loops_give(path: Path, events: list[Any], frames: list[Any], later: int) -> None:
    calls = {
        f"f{place}": call(name, oldest=oldest, newest=newest, condition="_2" if conditional else None)
        for place, (name, (oldest, newest), conditional) in enumerate(frames)
    } or {"f0": call("sum")}
    view = windowed(calls, {"_1": "BIGINT", "_2": "BOOLEAN"})
    noon, t = NOON.replace(tzinfo=None), NOON + timedelta(seconds=later)
    rows = [{"id": k, "ts": noon + timedelta(seconds=s), "_1": v, "_2": c} for k, s, v, c in events]
    path.unlink(missing_ok=True)
    load(path, view, rows)
    for key, row in zip((1, 2, 3), read(path, view, (1, 2, 3), at=t), strict=True):
        for name, made in calls.items():
            inside = []
            for event in rows:
                age = (t.replace(tzinfo=None) - event["ts"]) // TICK
                met = made.condition is None or event["_2"] is True
                if event["id"] == key and made.newest <= age <= made.oldest and met and event["_1"] is not None:
                    inside.append((-age, event["_1"]))
            values = [value for _, value in sorted(inside)]
            whole = {
                "count": len(values),
                "sum": sum(values) if values else None,
                "min": min(values, default=None),
                "list": values or None,
                "avg": sum(values) / len(values) if values else None,
            }
            assert row[name] == whole[made.aggregate]


def test_the_stored_form_of_windows_is_plain_json(path: Path) -> None:
    load(path, MIXED, [])
    connection = sqlite3.connect(path)
    (written,) = connection.execute("SELECT windows FROM _asknown_views").fetchone()
    connection.close()
    assert json.loads(written)["calls"][0] == {
        "aggregate": "sum",
        "value": "_1",
        "order": None,
        "condition": None,
        "number": None,
        "oldest": DAY,
        "newest": 0,
    }
