"""The online table is read right: values, statuses, ages and errors (rules 2, 3, 6, 8, 9)."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from asknown.errors import AsknownError
from asknown.online.keys import parse_key
from asknown.online.nodes import OnlineService, ServicePart
from asknown.online.reader import OnlineReader
from asknown.online.sqlite.connect import LOOK_AGAIN, Library
from asknown.online.sqlite.errors import check_sqlite
from asknown.online.sqlite.writer import open_writer
from asknown.types import parse_type
from online_tables import NOON, TICK, load, make_batch, make_view, sessions_of

T = datetime(2013, 5, 1, 10)
HOUR = timedelta(hours=1)
CARRIERS = make_view(
    {"carrier": "VARCHAR", "landed_at": "TIMESTAMP", "delay": "DOUBLE", "late": "BOOLEAN"},
    name="carriers",
    keys=("carrier",),
    event_time="landed_at",
    ttl=3 * 3_600_000_000,
)
WEATHER = make_view(
    {"origin": "VARCHAR", "at": "TIMESTAMP WITH TIME ZONE", "temp": "DECIMAL(4,1)", "delay": "BIGINT"},
    name="weather",
    keys=("origin",),
    event_time="at",
)
ROUTES = make_view(
    {"origin": "VARCHAR", "dest": "VARCHAR", "day": "DATE", "flights": "BIGINT"},
    name="routes",
    keys=("origin", "dest"),
    event_time="day",
    ttl=86_400_000_000,
)
SERVICES = [
    OnlineService(
        "delays",
        (
            ServicePart("carriers", ("late", "delay")),
            ServicePart("weather", ("temp",), "dest_weather", {"origin": "dest"}),
        ),
    ),
    OnlineService("both_ends", (ServicePart("weather"), ServicePart("weather", None, "dest", {"origin": "dest"}))),
    OnlineService("broken", (ServicePart("vanished"),)),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "online #1?.db"  # characters that mean something in a URI
    rows = {
        CARRIERS: [
            {"carrier": "UA", "landed_at": T, "delay": 5.5, "late": False},
            {"carrier": "AA", "landed_at": T + HOUR, "delay": None, "late": True},
        ],
        WEATHER: [
            {"origin": "EWR", "at": T.replace(tzinfo=UTC), "temp": Decimal("21.50"), "delay": 1},
            {"origin": "JFK", "at": T.replace(tzinfo=UTC), "temp": None, "delay": 2},
        ],
        ROUTES: [
            {"origin": "EWR", "dest": "JFK", "day": date(2013, 5, 1), "flights": 3},
            {"origin": "JFK", "dest": "EWR", "day": date(2013, 4, 30), "flights": 4},
        ],
    }
    with open_writer(path) as writer:
        for view, given in rows.items():
            writer.load(view, [make_batch(view, given)], NOON)
        writer.services(SERVICES)
    return path


@pytest.fixture(params=["sqlite3", "apsw"])
def library(request: pytest.FixtureRequest) -> Library:
    """What the reader reads with: every test that takes it runs with both."""
    pytest.importorskip(request.param)
    return request.param  # type: ignore[no-any-return]


# A process that writes by one copy of SQLite must not read by another: these tests do both.
also_writing = pytest.mark.parametrize("library", ["sqlite3"], indirect=True)


@pytest.fixture
def reader(path: Path, library: Library) -> Iterator[OnlineReader]:
    with OnlineReader(path, library=library) as reader:
        yield reader


def refusal(reader: OnlineReader, features: Any, rows: Any, **options: Any) -> AsknownError:
    """The error with which the read is refused."""
    with pytest.raises(AsknownError) as caught:
        reader.get_online_features(features, rows, **{"at": NOON, **options})
    assert caught.value.hint or caught.value.code == "spine-key"
    return caught.value


# ---------------------------------------------------------------- values, statuses, times


def test_rows_come_back_in_the_request_s_order_with_duplicates_and_its_own_columns(reader: OnlineReader) -> None:
    carriers = ["AA", "nobody", "UA", None, "AA"]
    response = reader.get_online_features("carriers", {"n": [1, 2, 3, 4, 5], "carrier": carriers}, at=NOON)
    assert len(response) == 5
    assert response.to_dict() == {
        "n": [1, 2, 3, 4, 5],
        "carrier": carriers,
        "delay": [None, None, 5.5, None, None],
        "late": [True, None, False, None, True],
    }
    assert list(response.to_dict()) == ["n", "carrier", "delay", "late"]
    assert response.statuses() == {
        "delay": ["NULL_VALUE", "NOT_FOUND", "PRESENT", "NOT_FOUND", "NULL_VALUE"],
        "late": ["PRESENT", "NOT_FOUND", "PRESENT", "NOT_FOUND", "PRESENT"],
    }
    first, second = (T + HOUR).replace(tzinfo=UTC), T.replace(tzinfo=UTC)
    assert response.event_timestamps()["late"] == [first, None, second, None, first]
    assert response.rows()[2] == {"n": 3, "carrier": "UA", "delay": 5.5, "late": False}


def test_a_list_of_dicts_is_the_same_request(reader: OnlineReader) -> None:
    by_rows = reader.get_online_features("carriers", [{"carrier": "UA", "n": 1}, {"carrier": "AA"}], at=NOON)
    assert by_rows.to_dict() == {"carrier": ["UA", "AA"], "n": [1, None], "delay": [5.5, None], "late": [False, True]}


@pytest.mark.parametrize("rows", [[], {"carrier": []}, ()])
def test_no_rows_are_no_rows(reader: OnlineReader, rows: Any) -> None:
    response = reader.get_online_features(["carriers:delay"], rows, at=NOON)
    assert len(response) == 0
    assert response.rows() == []
    assert response.statuses() == {"delay": []}


def test_several_views_and_keys_in_one_read(reader: OnlineReader) -> None:
    rows = [{"carrier": "UA", "origin": "EWR", "dest": "JFK"}, {"carrier": "AA", "origin": "JFK", "dest": "LGA"}]
    response = reader.get_online_features(["routes", "weather:temp", "carriers:late"], rows, at=NOON)
    assert {name: response.to_dict()[name] for name in ("flights", "temp", "late")} == {
        "flights": [3, None],
        "temp": [Decimal("21.5"), None],
        "late": [False, True],
    }
    assert response.statuses() == {
        "flights": ["PRESENT", "NOT_FOUND"],
        "temp": ["PRESENT", "NULL_VALUE"],
        "late": ["PRESENT", "PRESENT"],
    }


@pytest.mark.parametrize("count", [1, 2, 100, 199, 200, 201, 1200])
@pytest.mark.parametrize("keys", [("a",), ("a", "b"), ("a", "b", "c")])
def test_many_keys_at_once(tmp_path: Path, keys: tuple[str, ...], count: int) -> None:
    view = make_view(dict.fromkeys(keys, "BIGINT") | {"ts": "TIMESTAMP", "x": "BIGINT"}, keys=keys)
    load(tmp_path / "o.db", view, [dict.fromkeys(keys, i) | {"ts": T, "x": i * 10} for i in range(0, 1200, 2)])
    with OnlineReader(tmp_path / "o.db") as reader:
        asked = [(i * 7) % 1200 for i in range(count)]
        values = reader.get_online_features("orders", dict.fromkeys(keys, asked), at=NOON).to_dict()["x"]
    assert values == [i * 10 if i % 2 == 0 else None for i in asked]


def test_composite_keys_are_found_by_the_index(path: Path, reader: OnlineReader) -> None:
    reader.get_online_features("routes", {"origin": ["EWR", "JFK"], "dest": ["JFK", "EWR"]}, at=NOON)
    with sessions_of(reader).snapshot() as session:
        (plan,) = session.plans.values()
        one, two = plan.by_row, plan._tables[0]._lookup.query(2)
        for query, keys in ((one, ["x"] * 2 + plan._facts), (two, ["x"] * 4)):
            steps = session.connection.execute(f"EXPLAIN QUERY PLAN {query}", keys).fetchall()
            assert any("USING PRIMARY KEY (origin=? AND dest=?)" in step[3] for step in steps), steps


# ---------------------------------------------------------------- age and watermark


@pytest.mark.parametrize(
    ("late_by", "status"), [(-TICK, "PRESENT"), (timedelta(0), "PRESENT"), (TICK, "OUTSIDE_MAX_AGE")]
)
def test_the_last_microsecond_of_the_ttl_counts(reader: OnlineReader, late_by: timedelta, status: str) -> None:
    response = reader.get_online_features("carriers", [{"carrier": "UA"}], at=T + 3 * HOUR + late_by)
    assert response.statuses() == {"delay": [status], "late": [status]}
    assert response.to_dict()["delay"] == [5.5 if status == "PRESENT" else None]
    assert response.event_timestamps()["delay"] == [T.replace(tzinfo=UTC)]


def test_a_null_value_out_of_age_is_out_of_age(reader: OnlineReader) -> None:
    response = reader.get_online_features("carriers", [{"carrier": "AA"}], at=T + 5 * HOUR)
    assert response.statuses()["delay"] == ["OUTSIDE_MAX_AGE"]


@pytest.mark.parametrize(("late_by", "status"), [(timedelta(0), "PRESENT"), (TICK, "OUTSIDE_MAX_AGE")])
def test_a_date_s_age_counts_from_its_midnight_in_utc(reader: OnlineReader, late_by: timedelta, status: str) -> None:
    response = reader.get_online_features(
        "routes", {"origin": ["EWR"], "dest": ["JFK"]}, at=datetime(2013, 5, 2) + late_by
    )
    assert response.statuses()["flights"] == [status]
    assert response.event_timestamps()["flights"] == [datetime(2013, 5, 1, tzinfo=UTC)]


def test_no_ttl_is_no_bound_and_a_vast_one_neither(path: Path) -> None:
    load(
        path,
        make_view({"id": "BIGINT", "ts": "TIMESTAMP", "x": "BIGINT"}, ttl=2**62),
        [{"id": 1, "ts": datetime(1, 1, 1), "x": 1}],
    )
    with OnlineReader(path) as reader:
        far = datetime(9999, 12, 31, 23, 59, 59)
        response = reader.get_online_features(["orders", "weather:temp"], [{"id": 1, "origin": "EWR"}], at=far)
    assert response.statuses() == {"x": ["PRESENT"], "temp": ["PRESENT"]}


@pytest.mark.parametrize(
    "at",
    [
        "2013-05-01T12:00:00Z",
        "2013-05-01 12:00",
        "2013-05-01T14:00:00+02:00",
        datetime(2013, 5, 1, 12),
        datetime(2013, 5, 1, 8, tzinfo=timezone(timedelta(hours=-4))),
    ],
)
def test_the_instant_may_be_text_or_datetime_naive_or_aware(reader: OnlineReader, at: Any) -> None:
    row = [{"carrier": "UA"}]
    assert reader.get_online_features("carriers", row, at=at).statuses()["delay"] == ["PRESENT"]
    earlier = "2013-05-01T11:59:59.999999" if isinstance(at, str) else at - TICK
    error = refusal(reader, ["carriers:delay"], row, at=earlier)
    assert error.code == "before-watermark"
    assert "'carriers' is loaded up to 2013-05-01 12:00:00 UTC" in error.message
    assert "2013-05-01 11:59:59.999999 UTC" in error.message
    assert "asknown train carriers --spine" in str(error.hint)


def test_now_is_the_default(path: Path) -> None:
    now = datetime.now(UTC)
    view = make_view({"id": "BIGINT", "ts": "TIMESTAMP", "x": "BIGINT"}, ttl=3_600_000_000)
    load(path, view, [{"id": 1, "ts": now.replace(tzinfo=None), "x": 1}, {"id": 2, "ts": T, "x": 2}], watermark=now)
    with OnlineReader(path) as reader:
        response = reader.get_online_features("orders", {"id": [1, 2]})
        assert response.statuses()["x"] == ["PRESENT", "OUTSIDE_MAX_AGE"]
    load(path, view, [], watermark=now + HOUR)
    with OnlineReader(path) as reader, pytest.raises(AsknownError, match="before-watermark"):
        reader.get_online_features("orders", {"id": [1]})


@pytest.mark.parametrize("at", ["yesterday", "", 5, "9999-12-31T23:59:59-05:00"])
def test_what_is_no_instant_is_refused(reader: OnlineReader, at: Any) -> None:
    assert refusal(reader, "carriers", [{"carrier": "UA"}], at=at).code == "bad-value"


# ---------------------------------------------------------------- names


def test_a_service_is_read_by_its_name_without_the_project(reader: OnlineReader) -> None:
    rows = [{"carrier": "UA", "dest": "EWR"}]
    for features in ("delays", ["delays"]):
        response = reader.get_online_features(features, rows, at=NOON)
        assert response.rows() == [{**rows[0], "late": False, "delay": 5.5, "temp": Decimal("21.5")}]
    response = reader.get_online_features("delays", rows, at=NOON, full_feature_names=True)
    assert list(response.to_dict()) == ["carrier", "dest", "carriers__late", "carriers__delay", "dest_weather__temp"]


def test_one_view_under_two_keys(reader: OnlineReader) -> None:
    rows = [{"origin": "JFK", "dest": "EWR"}]
    response = reader.get_online_features("both_ends", rows, at=NOON, full_feature_names=True)
    assert response.rows() == [
        {
            "origin": "JFK",
            "dest": "EWR",
            "weather__temp": None,
            "weather__delay": 2,
            "dest__temp": Decimal("21.5"),
            "dest__delay": 1,
        }
    ]
    error = refusal(reader, "both_ends", rows)
    assert error.code == "name-clash"
    assert "weather:temp and dest:temp would both be named 'temp'" in error.message


def test_equal_short_names_are_refused_and_full_names_are_the_way_out(reader: OnlineReader) -> None:
    rows = [{"carrier": "UA", "origin": "EWR"}]
    error = refusal(reader, ["carriers:delay", "weather:delay"], rows)
    assert error.code == "name-clash"
    assert "carriers:delay and weather:delay would both be named 'delay'" in error.message
    assert "full_feature_names=True" in str(error.hint)
    assert "--full-names" in str(error.hint)
    full = reader.get_online_features(["carriers:delay", "weather:delay"], rows, at=NOON, full_feature_names=True)
    assert full.rows() == [{**rows[0], "carriers__delay": 5.5, "weather__delay": 1}]


def test_a_request_s_column_may_not_hide_a_feature(reader: OnlineReader) -> None:
    error = refusal(reader, "carriers", [{"carrier": "UA", "Delay": 1}])
    assert error.code == "name-clash"
    assert "carriers:delay" in error.message
    assert "'Delay'" in error.message
    assert refusal(reader, ["carriers:delay", "carriers"], [{"carrier": "UA", "LATE": 1}]).code == "name-clash"


def test_a_feature_asked_for_twice_comes_once(reader: OnlineReader) -> None:
    response = reader.get_online_features(["carriers:late", "carriers"], [{"carrier": "UA"}], at=NOON)
    assert list(response.to_dict()) == ["carrier", "late", "delay"]


@pytest.mark.parametrize(
    ("features", "code", "shown"),
    [
        ("carrier", "unknown-service", "did you mean 'carriers'?"),
        (["delay"], "unknown-service", "did you mean 'delays'?"),
        (["wether:temp"], "unknown-view", "did you mean 'weather'?"),
        (["weather:tmp"], "unknown-feature", "did you mean 'temp'?"),
        (["weather:origin"], "unknown-feature", "asknown materialize"),
        (["weather:"], "unknown-feature", "asknown materialize"),
        (["weather:a:b"], "unknown-feature", "asknown materialize"),
        ("broken", "unknown-view", "asknown materialize"),
        ([], "bad-value", "view:feature"),
        ([7], "bad-value", "view:feature"),
    ],
)
def test_unknown_names_say_what_exists(reader: OnlineReader, features: Any, code: str, shown: str) -> None:
    error = refusal(reader, features, [{"carrier": "UA"}])
    assert error.code == code
    assert shown in str(error.hint)


# ---------------------------------------------------------------- keys


@pytest.mark.parametrize("rows", [[{}], [{"carrier": "UA"}, {"n": 1}], {"n": [1]}, [{"Carrier": "UA"}]])
def test_a_missing_key_is_named(reader: OnlineReader, rows: Any) -> None:
    error = refusal(reader, "carriers", rows)
    assert error.code == "spine-key"
    assert "'carrier'" in error.message
    assert "'carriers'" in error.message


def test_the_row_without_its_key_is_counted(reader: OnlineReader) -> None:
    assert "row 2 of the request" in refusal(reader, "carriers", [{"carrier": "UA"}, {"n": 1}]).message
    assert "'dest'" in refusal(reader, "delays", [{"carrier": "UA", "origin": "EWR"}]).message


@pytest.mark.parametrize("rows", ["UA", 5, None, ["UA"], {"carrier": "UA"}, {"carrier": [1], "n": []}, [{1: "UA"}]])
def test_rows_of_no_known_shape_are_refused(reader: OnlineReader, rows: Any) -> None:
    assert refusal(reader, "carriers", rows).code == "bad-value"


class Index:
    def __index__(self) -> int:
        return 7


SEVEN_UUID = uuid.UUID(int=7)
# By key type: a value stored, Python values that are that key, and values of the type that no row has.
KEYS: dict[str, tuple[Any, list[Any], list[Any]]] = {
    "INTEGER": (7, [7, Index()], [8, 2**31, -(2**200)]),
    "UTINYINT": (7, [7], [-1, 256, 7 + 256]),
    "BIGINT": (-(2**63), [-(2**63)], [2**63, 2**64 - 2**63]),
    "UBIGINT": (2**64 - 1, [2**64 - 1], [-1, 2**64]),
    "HUGEINT": (10**30, [10**30], [10**30 + 1, 2**127]),
    "VARCHAR": ("7", ["7"], ["07", "7 ", "７", "\ud800", "7\0"]),
    "BOOLEAN": (True, [True], [False]),
    "DECIMAL(5,2)": (
        Decimal("7.00"),
        [Decimal("7.00"), Decimal(7), 7, Decimal("7.0000"), Decimal("70E-1")],
        [Decimal("7.001"), Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("1E+999999"), 10**400],
    ),
    "BLOB": (b"7", [b"7", bytearray(b"7"), memoryview(b"7")], [b"", b"7\0"]),
    "UUID": (str(SEVEN_UUID), [SEVEN_UUID, str(SEVEN_UUID).upper()], [uuid.UUID(int=8)]),
    "DATE": (date(2013, 5, 1), [date(2013, 5, 1)], [date(2013, 5, 2)]),
    "TIMESTAMP": (
        T,
        [T, T.replace(tzinfo=UTC), (T + HOUR).replace(tzinfo=timezone(HOUR))],
        [T + TICK, datetime.max.replace(tzinfo=timezone(-HOUR))],
    ),
}
KEYS["TIMESTAMP WITH TIME ZONE"] = (T.replace(tzinfo=UTC), *KEYS["TIMESTAMP"][1:])
WRONG: dict[str, list[Any]] = {
    "INTEGER": ["7", 7.5, True, Decimal(7), b"7", [7]],
    "HUGEINT": ["7", 7.5, True],
    "VARCHAR": [7, True, b"7", 7.0],
    "BOOLEAN": [1, 0, "true"],
    "DECIMAL(5,2)": [7.0, "7.00", True],
    "BLOB": ["7", 7],
    "UUID": [7, "seven", b"7"],
    "DATE": ["2013-05-01", T, 15826],
    "TIMESTAMP": ["2013-05-01 10:00:00", date(2013, 5, 1), 1367402400],
}


def key_reader(path: Path, kind: str) -> OnlineReader:
    view = make_view({"id": kind, "ts": "TIMESTAMP", "x": "BIGINT"})
    load(path, view, [{"id": KEYS[kind][0], "ts": T, "x": 1}])
    return OnlineReader(path)


@pytest.mark.parametrize("kind", KEYS)
def test_keys_of_every_type(tmp_path: Path, kind: str) -> None:
    _, same, other = KEYS[kind]
    with key_reader(tmp_path / "keys.db", kind) as reader:
        for value in same:
            assert reader.get_online_features("orders", [{"id": value}], at=NOON).statuses() == {"x": ["PRESENT"]}, (
                value
            )
        for value in [*other, None]:
            assert reader.get_online_features("orders", [{"id": value}], at=NOON).statuses() == {"x": ["NOT_FOUND"]}, (
                value
            )
        together = reader.get_online_features("orders", {"id": [*same, *other]}, at=NOON)
        assert together.to_dict()["x"] == [1] * len(same) + [None] * len(other)


@pytest.mark.parametrize("kind", WRONG)
def test_a_key_of_another_type_is_an_error_that_says_so(tmp_path: Path, kind: str) -> None:
    with key_reader(tmp_path / "keys.db", kind) as reader:
        for value in WRONG[kind]:
            error = refusal(reader, "orders", [{"id": value}])
            assert error.code == "key-type"
            assert f"key 'id' of 'orders' is {kind}" in error.message
            assert type(value).__name__ in error.message


def test_keys_of_numpy_and_pandas(tmp_path: Path) -> None:
    np, pd = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    with key_reader(tmp_path / "i.db", "INTEGER") as reader:
        read = reader.get_online_features("orders", {"id": np.array([7, 8])}, at=NOON)
        assert read.to_dict()["x"] == [1, None]
        assert refusal(reader, "orders", {"id": np.array([7.5])}).code == "key-type"
        assert refusal(reader, "orders", {"id": np.array([True])}).code == "key-type"
    with key_reader(tmp_path / "s.db", "VARCHAR") as reader:
        assert reader.get_online_features("orders", {"id": np.array(["7"])}, at=NOON).to_dict()["x"] == [1]
    with key_reader(tmp_path / "b.db", "BOOLEAN") as reader:
        assert reader.get_online_features("orders", {"id": np.array([True])}, at=NOON).to_dict()["x"] == [1]
    with key_reader(tmp_path / "t.db", "TIMESTAMP") as reader:
        finer = pd.Timestamp("2013-05-01 10:00:00.000000001")
        read = reader.get_online_features("orders", {"id": [pd.Timestamp(T), finer, pd.NaT]}, at=NOON)
        assert read.statuses()["x"] == ["PRESENT", "NOT_FOUND", "NOT_FOUND"]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("-7", "BIGINT", -7),
        ("7", "VARCHAR", "7"),
        ("", "VARCHAR", ""),
        ("TRUE", "BOOLEAN", True),
        ("1.50", "DECIMAL(5,2)", Decimal("1.50")),
        ("00ff", "BLOB", b"\0\xff"),
        (str(SEVEN_UUID), "UUID", SEVEN_UUID),
        ("2013-05-01", "DATE", date(2013, 5, 1)),
        ("2013-05-01T10:00:00", "TIMESTAMP", T.replace(tzinfo=UTC)),
        ("2013-05-01T12:00:00+02:00", "TIMESTAMP WITH TIME ZONE", T.replace(tzinfo=UTC)),
    ],
)
def test_typed_keys_are_read_by_their_column_s_type(text: str, kind: str, value: Any) -> None:
    assert parse_key(text, parse_type(kind)) == value


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        *[(text, "BIGINT") for text in ("", "seven", "7.5", "1_000", "٧", "9" * 5000)],
        *[(text, "BOOLEAN") for text in ("yes", "1", "")],
        *[(text, "DECIMAL(5,2)") for text in ("", "NaN", "1e5", "x")],
        *[(text, "DATE") for text in ("2013-02-30", "2013-05-01T10:00")],
        *[("noon", kind) for kind in ("TIMESTAMP", "UUID", "BLOB")],
    ],
)
def test_typed_keys_of_another_type_are_refused(text: str, kind: str) -> None:
    with pytest.raises(AsknownError, match="user_id") as caught:
        parse_key(text, parse_type(kind), column="user_id")
    assert caught.value.code == "key-type"
    assert len(caught.value.message) < 200


# ---------------------------------------------------------------- the file under the reader


def test_an_absent_or_empty_table_says_to_load_it(tmp_path: Path) -> None:
    empty = tmp_path / "empty.db"
    empty.touch()
    folder = tmp_path / "folder.db"
    folder.mkdir()
    for place in (tmp_path / "absent.db", tmp_path / "no folder" / "absent.db", empty, folder):
        with pytest.raises(AsknownError) as caught:
            OnlineReader(place)
        assert caught.value.code == "no-online"
        assert str(place) in caught.value.message
        advice = "name another path" if place is folder else "asknown materialize"  # a load cannot write a folder
        assert advice in str(caught.value.hint)
    assert not (tmp_path / "absent.db").exists()


def test_the_reader_never_writes(path: Path, reader: OnlineReader) -> None:
    with sessions_of(reader).snapshot() as session, pytest.raises(sessions_of(reader).errors, match="readonly"):
        session.connection.execute("create table x (y)")


@also_writing
def test_a_new_load_is_seen_at_once(path: Path, reader: OnlineReader) -> None:
    read = ["carriers:delay"], [{"carrier": "UA"}]
    assert reader.get_online_features(*read, at=NOON).to_dict()["delay"] == [5.5]
    load(path, CARRIERS, [{"carrier": "UA", "landed_at": T + TICK, "delay": 6.5}], watermark=NOON + HOUR)
    assert reader.get_online_features(*read, at=NOON + HOUR).to_dict()["delay"] == [6.5]
    assert refusal(reader, *read, at=NOON).code == "before-watermark"
    assert reader.views()["carriers"].watermark == NOON + HOUR


@also_writing
def test_a_changed_definition_is_seen_at_once(path: Path, reader: OnlineReader) -> None:
    read = ["weather"], [{"origin": "EWR"}]
    assert reader.get_online_features(*read, at=NOON).to_dict()["temp"] == [Decimal("21.5")]
    changed = make_view(
        {"origin": "VARCHAR", "at": "TIMESTAMP", "warm": "BOOLEAN"}, name="weather", keys=("origin",), event_time="at"
    )
    load(path, changed, [{"origin": "EWR", "at": T, "warm": True}])
    assert reader.get_online_features(*read, at=NOON).rows() == [{"origin": "EWR", "warm": True}]


@also_writing
def test_another_file_in_its_place_is_seen_soon(tmp_path: Path, path: Path, reader: OnlineReader) -> None:
    other = tmp_path / "other.db"
    load(other, CARRIERS, [{"carrier": "UA", "landed_at": T, "delay": -1.0}])
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    row = [{"carrier": "UA"}]
    assert reader.get_online_features("carriers:delay", row, at=NOON).to_dict()["delay"] == [5.5]
    other.replace(path)
    time.sleep(LOOK_AGAIN)
    assert reader.get_online_features("carriers:delay", row, at=NOON).to_dict()["delay"] == [-1.0]
    path.rename(other)
    time.sleep(LOOK_AGAIN)
    assert refusal(reader, "carriers:delay", row).code == "no-online"
    other.rename(path)
    assert reader.get_online_features("carriers:delay", row, at=NOON).to_dict()["delay"] == [-1.0]


def test_an_interrupted_read_does_not_spoil_the_next(reader: OnlineReader) -> None:
    with sessions_of(reader).snapshot() as session:
        connection = session.connection
    connection.execute("BEGIN")  # where a signal between two statements leaves it
    assert reader.get_online_features("carriers:delay", [{"carrier": "UA"}], at=NOON).to_dict()["delay"] == [5.5]


def test_an_sqlite_without_strict_tables_is_named() -> None:
    check_sqlite((3, 37, 0))
    with pytest.raises(AsknownError, match=r"SQLite 3\.34\.1"):
        check_sqlite((3, 34, 1))


@also_writing
def test_a_value_of_another_type_is_damage_and_not_a_traceback(path: Path, reader: OnlineReader) -> None:
    for sql in ("update carriers set delay = 'much'", "update carriers set landed_at = 'noon'"):
        connection = sqlite3.connect(path)
        connection.execute(sql)
        connection.commit()
        connection.close()
        assert refusal(reader, "carriers:delay", [{"carrier": "UA"}]).code == "online-corrupt"
    connection = sqlite3.connect(path)
    connection.execute("update _asknown_views set columns = '['")
    connection.commit()
    connection.close()
    assert refusal(reader, "carriers:delay", [{"carrier": "UA"}]).code == "online-corrupt"


def test_a_closed_reader_says_so(path: Path) -> None:
    reader = OnlineReader(path)
    reader.close()
    reader.close()
    with pytest.raises(ValueError, match="closed"):
        reader.views()


def test_threads_read_one_state_of_all_views_beside_a_load(path: Path) -> None:
    """Two views are loaded together, again and again; no read sees one of them newer, or older than before."""
    views = [make_view({"id": "BIGINT", "ts": "TIMESTAMP", name: "BIGINT"}, name=name) for name in ("a", "b")]

    def write(version: int) -> None:
        with open_writer(path) as writer:
            for view in views:
                rows = [{"id": i, "ts": T + version * TICK, view.name: version} for i in range(200)]
                writer.load(view, [make_batch(view, rows)], NOON, full_refresh=version % 5 == 0)

    write(0)
    done, wrong, counts = threading.Event(), [], [0] * 3
    with OnlineReader(path) as reader:

        def read(thread: int) -> None:
            last = 0
            while not done.is_set():
                got = reader.get_online_features(["a", "b"], {"id": [1, 199]}, at=NOON).to_dict()
                seen = {*got["a"], *got["b"]}
                if len(seen) != 1 or min(seen) < last:
                    wrong.append((last, got))
                last = max(seen)
                counts[thread] += 1

        threads = [threading.Thread(target=read, args=(i,)) for i in range(3)]
        for thread in threads:
            thread.start()
        try:
            for version in range(1, 16):
                write(version)
        finally:
            done.set()
            for thread in threads:
                thread.join()
    assert wrong == []
    assert min(counts) > 10


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_reader_survives_a_fork(reader: OnlineReader) -> None:
    def read() -> Any:
        return reader.get_online_features("carriers:delay", [{"carrier": "UA"}], at=NOON).to_dict()["delay"]

    assert read() == [5.5]
    with sessions_of(reader).snapshot() as session:
        parents = session.connection
    child = os.fork()
    if child == 0:
        try:
            right = read() == [5.5] and all(
                s.connection is not parents for s in sessions_of(reader)._by_thread.values()
            )
            reader.close()
        except BaseException:
            right = False
        os._exit(0 if right else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert read() == [5.5]


# ---------------------------------------------------------------- pandas


def test_data_frames_keep_integers_and_booleans_with_nulls(reader: OnlineReader) -> None:
    pd = pytest.importorskip("pandas")
    rows = {"carrier": ["UA", "AA", "x"], "origin": ["EWR", "JFK", "x"]}
    frame = reader.get_online_features(["carriers", "weather:temp"], rows, at=NOON).to_df()
    assert list(frame.columns) == ["carrier", "origin", "delay", "late", "temp"]
    assert [str(dtype) for dtype in frame.dtypes[2:]] == ["float64", "boolean", "object"]
    assert frame["late"].tolist()[:2] == [False, True]
    assert frame["late"].isna().tolist() == [False, False, True]
    whole = reader.get_online_features("weather:delay", {"origin": ["EWR", "x"]}, at=NOON).to_df()
    assert str(whole["delay"].dtype) == "Int64"
    assert whole["delay"][0] == 1
    assert len(reader.get_online_features("weather:delay", [], at=NOON).to_df()) == 0
    assert isinstance(frame, pd.DataFrame)


def test_a_load_and_a_reader_of_another_sqlite_do_not_share_a_process(tmp_path: Path) -> None:
    path = tmp_path / "online.db"
    load(path, CARRIERS, [])
    with OnlineReader(path, library="apsw"), pytest.raises(AsknownError, match="two copies of SQLite"):
        load(path, CARRIERS, [])
    load(path, CARRIERS, [])
