"""The online table is written right: exact values, what the newest load brought, all or nothing (rules 3, 7, 10)."""

from __future__ import annotations

import itertools
import math
import os
import random
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asknown.errors import AsknownError
from asknown.online import batches as batches_module
from asknown.online import codec
from asknown.online.nodes import OnlineService, OnlineView, ServicePart
from asknown.online.order import RowOrder
from asknown.online.reader import OnlineReader
from asknown.online.sqlite.migrations import LAYOUT
from asknown.online.sqlite.writer import open_writer
from asknown.types import parse_type
from asknown.values.order import comparison
from online_tables import NOON, TICK, dump, load, load_batches, make_batch, make_view, stored_rows

T = datetime(2013, 5, 1, 10, tzinfo=UTC).replace(tzinfo=None)
PLAIN = {"id": "BIGINT", "ts": "TIMESTAMP", "amount": "DOUBLE"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "online.db"


# ---------------------------------------------------------------- the file, as a person sees it


def test_table_is_readable_by_any_sqlite_program(path: Path) -> None:
    view = make_view(
        {"id": "BIGINT", "ts": "TIMESTAMP", "paid": "BOOLEAN", "price": "DECIMAL(10,2)", "ratio": "DOUBLE"}
    )
    load(path, view, [{"id": 7, "ts": T, "paid": True, "price": Decimal("1.50"), "ratio": math.nan}])
    assert dump(path) == [
        'CREATE TABLE "orders" (\n    "id" INTEGER PRIMARY KEY,\n    "ts" TEXT NOT NULL,\n    "paid" INTEGER,\n'
        '    "price" TEXT,\n    "ratio" ANY\n) STRICT;',
        "INSERT INTO \"orders\" VALUES(7,'2013-05-01 10:00:00.000000',1,'1.50','NaN');",
    ]


def test_file_names_itself_and_its_layout(path: Path) -> None:
    load(path, make_view(PLAIN), [])
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA application_id").fetchone()[0].to_bytes(4, "big") == b"asKn"
    assert connection.execute("PRAGMA user_version").fetchone() == (LAYOUT,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_metadata_tells_the_view_its_watermark_and_its_size(path: Path) -> None:
    view = make_view(PLAIN, ttl=5, known_at=None)
    with open_writer(path) as writer:
        writer.load(view, [make_batch(view, [{"id": 1, "ts": T}])], datetime(2013, 5, 1, 12))
        load_id = writer.load_id
    with OnlineReader(path) as reader:
        stored = reader.views()["orders"]
    assert stored.view == view
    assert (stored.watermark, stored.rows, stored.load_id) == (NOON, 1, load_id)
    assert stored.describe()["features"] == ["amount"]


def test_services_are_replaced_whole(path: Path) -> None:
    first = OnlineService("a", (ServicePart("orders", ("amount",), "o", {"id": "buyer"}),))
    second = OnlineService("b", (ServicePart("orders"),))
    with open_writer(path) as writer:
        writer.services([first, second])
    with OnlineReader(path) as reader:
        assert reader.services() == {"a": first, "b": second}
        with open_writer(path) as writer:
            writer.services([second])
        assert reader.services() == {"b": second}


# ---------------------------------------------------------------- values of every type come back to the bit

INSTANTS = st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31, 23, 59, 59, 999999)).map(
    lambda moment: moment.replace(fold=0)
)
WIDE = st.integers(-(10**38) + 1, 10**38 - 1)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "BOOLEAN": st.booleans(),
    "TINYINT": st.integers(-128, 127),
    "UINTEGER": st.integers(0, 2**32 - 1),
    "BIGINT": st.integers(-(2**63), 2**63 - 1),
    "UBIGINT": st.integers(0, 2**64 - 1),
    "HUGEINT": WIDE,
    "FLOAT": st.floats(width=32),
    "DOUBLE": st.floats(),
    "DECIMAL(10,2)": st.decimals(-(10**7), 10**7, places=2),
    "DECIMAL(38,20)": st.decimals(-(10**17), 10**17, places=20),
    "VARCHAR": st.text(),
    "BLOB": st.binary(),
    "UUID": st.uuids(),
    "DATE": st.dates(),
    "TIME": st.times().map(lambda time: time.replace(fold=0)),
    "TIMESTAMP": INSTANTS,
    "TIMESTAMP WITH TIME ZONE": INSTANTS.map(lambda moment: moment.replace(tzinfo=UTC)),
}
for _element in ("BIGINT", "HUGEINT", "DOUBLE", "VARCHAR", "DECIMAL(10,2)", "BLOB", "DATE", "TIMESTAMP", "BOOLEAN"):
    VALUES[f"{_element}[]"] = st.lists(st.none() | VALUES[_element], max_size=4)
VALUES["DOUBLE[][]"] = st.lists(st.none() | VALUES["DOUBLE[]"], max_size=3)
VALUES['STRUCT(a INTEGER, "b c" DECIMAL(10,2), t TIMESTAMP WITH TIME ZONE)'] = st.fixed_dictionaries(
    {
        "a": st.none() | st.integers(-9, 9),
        "b c": st.none() | VALUES["DECIMAL(10,2)"],
        "t": st.none() | VALUES["TIMESTAMP WITH TIME ZONE"],
    }
)
VALUES["STRUCT(x VARCHAR)[]"] = st.lists(st.fixed_dictionaries({"x": st.none() | st.text()}), max_size=3)


def exactly(value: Any) -> Any:
    """A form of the value in which equality is identity: of type, of bits, of a decimal's scale."""
    match value:
        case float():
            return ("float", "nan" if math.isnan(value) else value.hex())
        case list():
            return [exactly(v) for v in value]
        case dict():
            return {k: exactly(v) for k, v in value.items()}
        case datetime():
            return (value.isoformat(), value.tzinfo is not None)
    return (type(value).__name__, repr(value))


@pytest.mark.parametrize("kind", VALUES)
@settings(max_examples=10)
@given(data=st.data())
def test_every_value_comes_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    values = data.draw(st.lists(st.none() | VALUES[kind], min_size=1, max_size=40))
    path = tmp_path_factory.mktemp("values") / "online.db"
    view = make_view({"id": "BIGINT", "ts": "TIMESTAMP", "value": kind})
    arrow = [str(v) if kind == "UUID" and v is not None else v for v in values]
    load(path, view, ({"id": i, "ts": T, "value": v} for i, v in enumerate(arrow)))
    with OnlineReader(path) as reader:
        read = reader.get_online_features("orders", {"id": list(range(len(values)))}, at=NOON)
    assert exactly(read.to_dict()["value"]) == exactly(values)
    assert read.statuses()["value"] == ["NULL_VALUE" if v is None else "PRESENT" for v in values]


@pytest.mark.parametrize(
    "text",
    ["", "a\0b", "😀👩‍👩‍👧", "\u202eשלום", "e\u0301", "\uffff", "'; drop table orders; --", "NaN", "x" * 100_000],
)
def test_every_text_comes_back_as_value_and_as_key(path: Path, text: str) -> None:
    view = make_view({"id": "VARCHAR", "ts": "TIMESTAMP", "value": "VARCHAR"})
    load(path, view, [{"id": text, "ts": T, "value": text}, {"id": text + "!", "ts": T, "value": "other"}])
    with OnlineReader(path) as reader:
        assert reader.get_online_features("orders", [{"id": text}], at=NOON).to_dict()["value"] == [text]


def test_the_engine_s_own_batches_are_stored_exactly(path: Path) -> None:
    """DuckDB's Arrow types (enum as dictionary, HUGEINT as decimal, UUID as text, zones) need no preparation."""
    select = """
        select * from (values
          (1, 'b'::enum('b', 'a'), 170141183460469231731687303715884105727::hugeint, 18446744073709551615::ubigint,
           uuid '0f8fad5b-d9cb-469f-a165-70867728950e', timestamptz '2013-05-01 08:00:00+02', date '0001-01-01',
           time '23:59:59.999999', 1e-7::decimal(20, 10), [1.5, null, -0.0::double, 'nan'::double], {'k': [1, 2]},
           'x'::blob, [1, 2]::int[2], timestamp '0044-03-15 01:02:03', timestamp_s '2013-01-01 00:00:00'),
          (2, null, null, null, null, timestamptz '2013-05-01 08:00:00+02', null, null, null, null, null, null, null,
           null, null)
        ) t(id, e, h, u, uid, ts, d, tm, dd, l, s, b, fixed, old, seconds)"""
    connection = duckdb.connect()
    described = connection.execute(f"describe {select}").fetchall()
    view = make_view({row[0]: row[1] for row in described})
    batches = connection.sql(select).to_arrow_reader(1)
    load_batches(path, view, batches, watermark=NOON)
    connection.close()
    with OnlineReader(path) as reader:
        read = reader.get_online_features("orders", {"id": [1, 2]}, at=NOON).to_dict()
    first = {name: column[0] for name, column in read.items()}
    assert first["e"] == "b"
    assert first["h"] == 2**127 - 1
    assert first["u"] == 2**64 - 1
    assert str(first["uid"]) == "0f8fad5b-d9cb-469f-a165-70867728950e"
    assert first["d"] == date(1, 1, 1)
    assert str(first["tm"]) == "23:59:59.999999"
    assert str(first["dd"]) == "1.000E-7"
    assert exactly(first["l"]) == exactly([1.5, None, -0.0, math.nan])
    assert first["s"] == {"k": [1, 2]}
    assert first["b"] == b"x"
    assert first["fixed"] == [1, 2]
    assert first["old"] == datetime(44, 3, 15, 1, 2, 3)
    assert first["seconds"] == datetime(2013, 1, 1)
    assert [name for name, column in read.items() if name != "id" and column[1] is not None] == []


def test_wide_integers_may_come_as_text(path: Path) -> None:
    view = make_view({"id": "BIGINT", "ts": "TIMESTAMP", "value": "UHUGEINT"})
    batch = pa.record_batch(
        {"id": [1, 2], "ts": pa.array([T, T], pa.timestamp("us")), "value": [str(2**128 - 1), None]}
    )
    load_batches(path, view, [batch], watermark=NOON)
    with OnlineReader(path) as reader:
        assert reader.get_online_features("orders", {"id": [1, 2]}, at=NOON).to_dict()["value"] == [2**128 - 1, None]


@pytest.mark.parametrize(
    ("kind", "literal", "shown"),
    [
        ("TIMESTAMP", "'infinity'::timestamp", "infinity"),
        ("TIMESTAMP", "'-infinity'::timestamp", "-infinity"),
        ("TIMESTAMP", "timestamp '0044-03-15 (BC) 01:02:03'", "µs from 1970"),
        ("DATE", "date '12013-01-01'", "days from 1970"),
        ("TIME", "time '24:00:00'", "1 day, 0:00:00"),
        ("TIMESTAMP[]", "['infinity'::timestamp]", "infinity"),
        ("STRUCT(a TIME[])", "{'a': [time '24:00:00']}", "1 day, 0:00:00"),
    ],
)
def test_what_cannot_be_kept_is_an_error(path: Path, kind: str, literal: str, shown: str) -> None:
    view = make_view({"id": "BIGINT", "ts": "TIMESTAMP", "value": kind})
    select = f"select 1::bigint as id, timestamp '2013-01-01' as ts, {literal} as value"
    connection = duckdb.connect()
    batches = connection.sql(select).to_arrow_reader()
    with pytest.raises(AsknownError) as caught:
        load_batches(path, view, batches, watermark=NOON)
    connection.close()
    assert caught.value.code == "unsupported-type"
    assert "'value' of 'orders'" in caught.value.message
    assert shown in caught.value.message


# ---------------------------------------------------------------- names


HOSTILE = [
    "select",
    "with space",
    'quo"te',
    "ünïcode",
    "y",
    "order",
    "excluded",
    "t",
    "a.b",
    "x]",
    "?",
    ":n",
    "-- x",
    "'",
]


@pytest.mark.parametrize("keys", [("id",), ("k 1", 'k"2'), ("rowid",), ()])
@pytest.mark.parametrize("name", ["orders", "select", "excluded", "t"])
def test_any_name_works(path: Path, keys: tuple[str, ...], name: str) -> None:
    features = [n for n in (*HOSTILE, "oid", "_rowid_", "rowid") if n not in keys]
    kinds = dict.fromkeys(keys, "BIGINT") | {"event time": "TIMESTAMP"} | dict.fromkeys(features, "DECIMAL(5,1)")
    view = make_view(kinds, keys=keys, name=name, event_time="event time")
    row: dict[str, Any] = {key: i for i, key in enumerate(keys)}
    features_row = {feature: Decimal(f"{i}.5") for i, feature in enumerate(features)}
    load(path, view, [row | {"event time": T} | {f: Decimal("-1.0") for f in features}])
    report = load(path, view, [row | {"event time": T} | features_row])
    assert (report.changed, report.rows_total) == (1, 1)
    with OnlineReader(path) as reader:
        wanted = [f"{name}:{feature}" for feature in features]
        read = reader.get_online_features(wanted, [row], at=NOON)
    assert read.rows() == [row | features_row]


@pytest.mark.parametrize("name", ["sqlite_stat", "SQLite_x", "_asknown_views"])
def test_names_that_sqlite_keeps_are_refused(path: Path, name: str) -> None:
    with pytest.raises(AsknownError, match="bad-name"):
        load(path, make_view(PLAIN, name=name), [])


def test_views_that_differ_in_case_only_are_refused(path: Path) -> None:
    load(path, make_view(PLAIN, name="orders"), [])
    with pytest.raises(AsknownError, match="differs from 'Orders' only in case"):
        load(path, make_view(PLAIN, name="Orders"), [])


def test_a_table_somebody_else_made_is_not_touched(path: Path) -> None:
    load(path, make_view(PLAIN, name="other"), [])
    connection = sqlite3.connect(path)
    connection.execute("create table orders (mine)")
    connection.close()
    with pytest.raises(AsknownError, match="asknown did not make"):
        load(path, make_view(PLAIN), [])


def test_hundreds_of_features(path: Path) -> None:
    kinds = PLAIN | {f"f{i}": "DECIMAL(5,1)" for i in range(600)}
    row = {"id": 1, "ts": T} | {f"f{i}": Decimal(0) for i in range(600)}
    view = make_view(kinds)
    load(path, view, [row])
    assert load(path, view, [row | {"f599": Decimal("0.5")}]).changed == 1
    with pytest.raises(AsknownError, match="2005 columns"):
        load(path, make_view(kinds | {f"g{i}": "BIGINT" for i in range(1402)}), [])


# ---------------------------------------------------------------- what a load brings is what there is


def at(microseconds: int) -> datetime:
    return T + timedelta(microseconds=microseconds)


def test_a_load_writes_edits_whichever_way_they_went(path: Path) -> None:
    view = make_view(PLAIN)
    assert load(path, view, [{"id": i, "ts": at(5), "amount": 5.0} for i in range(4)]).new == 4
    edited = [
        {"id": 0, "ts": at(5), "amount": 4.0},
        {"id": 1, "ts": at(5), "amount": 6.0},
        {"id": 2, "ts": at(4), "amount": 5.0},
        {"id": 3, "ts": at(5), "amount": None},
    ]
    report = load(path, view, [*edited, {"id": 9, "ts": at(1), "amount": 9.0}])
    assert (report.rows_seen, report.new, report.changed, report.removed, report.unchanged) == (5, 1, 4, 0, 0)
    assert [row[1:] for row in stored_rows(path)] == [
        *((codec.spell_instant(row["ts"]), row["amount"]) for row in edited),
        (codec.spell_instant(at(1)), 9.0),
    ]
    report = load(path, view, edited[1:])
    assert (report.new, report.changed, report.removed, report.unchanged, report.rows_total) == (0, 0, 2, 3, 3)
    assert [row[0] for row in stored_rows(path)] == [1, 2, 3]


def test_a_key_that_comes_twice_is_a_mistake_of_the_caller(path: Path) -> None:
    view = make_view(PLAIN)
    for keys in ([1, 1], [1, 2, 1], [2, 1, 2]):
        with pytest.raises(ValueError, match="has a key twice"):
            load(path, view, [{"id": key, "ts": T} for key in keys])


ORDERS = {
    "one integer": ({"id": "BIGINT"}, lambda n: {"id": n * 7 - 100}),
    "one text": ({"id": "VARCHAR"}, lambda n: {"id": f"{n}é"}),
    "a wide integer": ({"id": "HUGEINT"}, lambda n: {"id": 3 ** (n % 40) + n}),
    "two": ({"a": "VARCHAR", "b": "DECIMAL(9,1)"}, lambda n: {"a": "xyz"[n % 3], "b": Decimal(n // 3).scaleb(-1)}),
}


@pytest.mark.parametrize("keys", ORDERS)
@pytest.mark.parametrize("chunk", [1, 7, 2_000])
def test_a_load_in_any_order_leaves_its_rows_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: str, chunk: int
) -> None:
    """Sorted as the table, as numbers, backwards, shuffled, and shuffled from some place on."""
    monkeypatch.setattr(batches_module, "CHUNK", chunk)
    kinds, key = ORDERS[keys]
    view = make_view({**kinds, "ts": "TIMESTAMP", "amount": "DOUBLE"}, keys=tuple(kinds))
    path, chance = tmp_path / "online.db", random.Random(7)
    held: dict[Any, Any] = {}
    for number in range(12):
        rows = [
            {**key(n), "ts": T, "amount": chance.choice([0.0, -0.0, 1.5, None])}
            for n in range(60)
            if chance.random() < 0.7
        ]
        match number % 4:
            case 0:
                rows.sort(key=lambda row: [str(row[name]) for name in kinds])
            case 1:
                rows.reverse()
            case 2:
                place = chance.randrange(len(rows))
                rows[place:] = chance.sample(rows[place:], len(rows) - place)
        report = load(path, view, rows, shrink=True)
        now = {tuple(row[name] for name in kinds): repr(row["amount"]) for row in rows}
        assert (report.new, report.removed) == (len(now.keys() - held.keys()), len(held.keys() - now.keys()))
        assert report.changed == sum(held[one] != now[one] for one in held.keys() & now.keys())
        held = now
        expected = tmp_path / f"{number}.db"
        load(expected, view, rows)
        assert dump(path) == dump(expected)


def test_a_load_that_shrinks_a_view_stops_before_it_writes(path: Path) -> None:
    view = make_view(PLAIN)
    rows = [{"id": i, "ts": T, "amount": 1.0} for i in range(100)]
    load(path, view, rows)
    before = path.read_bytes()
    for options in ({}, {"full": True}, {"watermark": NOON + TICK}):
        with pytest.raises(
            AsknownError, match="would remove 11 of the 100 keys of 'orders', more than a tenth"
        ) as caught:
            load(path, view, [*rows[:89], {"id": 1000, "ts": T, "amount": 2.0}], **options)
        assert caught.value.code == "load-shrinks"
        assert caught.value.hint.endswith("asknown materialize orders --allow-shrink")
    wider = make_view(PLAIN | {"b": "BIGINT"}, fingerprint="two")
    with pytest.raises(AsknownError, match="would remove 11 of the 100 keys"):
        load(path, wider, rows[:89])
    renamed = make_view({"key": "BIGINT", "ts": "TIMESTAMP", "amount": "DOUBLE"}, keys=("key",), fingerprint="two")
    with pytest.raises(AsknownError, match="would remove 11 of the 100 keys"):  # by their number alone
        load(path, renamed, [{"key": i, "ts": T} for i in range(89)])
    assert path.read_bytes() == before
    assert load(path, view, rows[:90]).removed == 10  # a tenth, and no more
    assert load(path, view, rows[:81]).removed == 9  # more than a tenth, and fewer than ten
    assert load(path, wider, rows[:5], shrink=True).removed == 76
    assert load(path, renamed, [], shrink=True).removed == 5


def test_rows_without_a_key_or_a_time_are_skipped_and_counted(path: Path) -> None:
    kinds = {"a": "BIGINT", "b": "VARCHAR", "ts": "TIMESTAMP", "known": "TIMESTAMP", "x": "BIGINT"}
    view = make_view(kinds, keys=("a", "b"), known_at="known")
    whole = {"a": 1, "b": "x", "ts": T, "known": T, "x": 1}
    report = load(
        path, view, [whole, *(whole | {name: None} for name in ("a", "b", "ts", "known")), whole | {"a": 2, "x": None}]
    )
    assert (report.rows_seen, report.skipped_null, report.new, report.rows_total) == (6, 4, 2, 2)
    single = make_view(PLAIN, name="single")
    assert load(path, single, [{"id": None, "ts": T}, {"id": 1, "ts": None}, {"ts": None}]).skipped_null == 3
    assert stored_rows(path, "single") == []


def test_rows_after_the_watermark_are_left_out_and_counted(path: Path) -> None:
    """A row from 2099 must not block its key until then."""
    kinds = PLAIN | {"known": "TIMESTAMP"}
    view = make_view(kinds, known_at="known")
    noon = NOON.replace(tzinfo=None)
    late = [
        {"id": 1, "ts": datetime(2099, 1, 1), "known": T, "amount": 9.0},
        {"id": 1, "ts": T, "known": noon + TICK, "amount": 9.0},
        {"id": 2, "ts": noon, "known": noon, "amount": 2.0},
        {"id": None, "ts": datetime(2099, 1, 1), "known": T},
    ]
    report = load(path, view, late)
    assert (report.rows_seen, report.rows_future, report.skipped_null, report.new) == (4, 2, 1, 1)
    assert (report.changed, report.unchanged) == (0, 0)
    assert [row[2] for row in stored_rows(path)] == [2.0]


def test_a_watermark_in_the_future_is_refused(path: Path) -> None:
    ahead = datetime.now(UTC) + timedelta(minutes=2)
    with (
        pytest.raises(AsknownError, match="is in the future: what will be known then") as caught,
        open_writer(path, max_skew=timedelta(0)) as writer,
    ):
        writer.load(make_view(PLAIN), [], ahead)
    assert caught.value.code == "bad-value"
    with open_writer(path, max_skew=timedelta(minutes=5)) as writer:
        assert writer.load(make_view(PLAIN), [], ahead).watermark == ahead
    with (
        pytest.raises(AsknownError, match="by more than the 1 minute that 'max_skew' allows"),
        open_writer(path, max_skew=timedelta(minutes=1)) as writer,
    ):
        writer.load(make_view(PLAIN), [], ahead)


def test_a_view_without_keys_has_one_row(path: Path) -> None:
    view = make_view({"ts": "TIMESTAMP", "x": "BIGINT"}, keys=())
    load(path, view, [{"ts": at(3), "x": 3}])
    assert load(path, view, [{"ts": at(2), "x": 9}]).changed == 1
    assert stored_rows(path) == [("2013-05-01 10:00:00.000002", 9)]
    with OnlineReader(path) as reader:
        read = reader.get_online_features("orders", [{"any": 1}, {"any": None}], at=NOON)
    assert read.to_dict() == {"any": [1, None], "x": [9, 9]}
    with pytest.raises(ValueError, match="more than one row"):
        load(path, view, [{"ts": at(1), "x": 1}, {"ts": at(3), "x": 3}])
    assert load(path, view, []).removed == 1
    assert stored_rows(path) == []


def test_a_view_of_keys_and_times_only(path: Path) -> None:
    view = make_view({"id": "DATE"}, keys=("id",), event_time="id")
    day = {"id": date(2013, 5, 1)}
    assert load(path, view, [day]).new == 1
    assert load(path, view, [day]).unchanged == 1


TIES: dict[str, list[Any]] = {
    "DOUBLE": [None, -1.0, 0.0, math.inf, math.nan],
    "BOOLEAN": [None, False, True],
    "BIGINT": [None, -5, 9, 10],
    "HUGEINT": [None, -(2**70), 9, 10, 2**80],
    "UBIGINT": [None, 9, 10, 2**64 - 1],
    "DECIMAL(10,2)": [None, Decimal("-10.00"), Decimal("-9.00"), Decimal("9.00"), Decimal("10.00")],
    "VARCHAR": [None, "", "Z", "a", "é", "\uffff", "😀"],
    "ENUM('z', 'it''s', 'a')": [None, "z", "it's", "a"],
    "BLOB": [None, b"", b"\0", b"a", b"\xff"],
    "UUID": [None, "00000000-0000-0000-0000-000000000001", "80000000-0000-0000-0000-000000000000"],
    "DATE": [None, date(1, 1, 1), date(2013, 1, 31), date(2013, 2, 1)],
    "TIMESTAMP": [None, at(0), at(1)],
    "BIGINT[]": [None, [], [1], [1, 2], [1, None], [9], [10], [None]],
    "STRUCT(a INTEGER, b VARCHAR)": [None, {"a": 1, "b": "x"}, {"a": 1, "b": None}, {"a": None, "b": "x"}],
}


def stored_as(path: Path, view: OnlineView, rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """The rows as the table stores them, under keys 0, 1, ... in place of their own."""
    load(path, view, [{**row, "id": place} for place, row in enumerate(rows)], full=True, shrink=True)
    return stored_rows(path)


def check_rising(path: Path, view: OnlineView, rows: list[dict[str, Any]]) -> None:
    """Asserts that each row is newer than those before it, and no row is newer than itself."""
    order, stored = RowOrder(view), stored_as(path, view, rows)
    for (i, one), (j, other) in itertools.product(enumerate(stored), repeat=2):
        assert order.is_newer(one, other) == (i > j), (one, other)


@pytest.mark.parametrize("kind", TIES)
def test_rows_with_equal_times_are_ordered_by_their_features(path: Path, kind: str) -> None:
    view = make_view({"id": "BIGINT", "ts": "TIMESTAMP", "value": kind})
    check_rising(path, view, [{"ts": T, "value": value} for value in TIES[kind]])


def test_the_first_feature_that_differs_decides(path: Path) -> None:
    pairs = [(None, "zzz"), (1.0, "z"), (1.0, "zz"), (2.0, None), (2.0, "a")]
    check_rising(path, make_view(PLAIN | {"b": "VARCHAR"}), [{"ts": T, "amount": a, "b": b} for a, b in pairs])


@pytest.mark.parametrize(("kind", "below", "above"), [("DOUBLE", -0.0, 0.0), ("DOUBLE[]", [-0.0, 1.0], [0.0, 1.0])])
def test_a_zero_with_a_minus_is_below_one_without(path: Path, kind: str, below: Any, above: Any) -> None:
    view = make_view({"id": "BIGINT", "ts": "TIMESTAMP", "value": kind})
    check_rising(path, view, [{"ts": T, "value": value} for value in (below, above)])


def test_known_at_then_created_at_break_ties_and_null_is_lowest(path: Path) -> None:
    kinds = {"id": "BIGINT", "ts": "TIMESTAMP", "known": "TIMESTAMPTZ", "made": "DATE", "x": "BIGINT"}
    view = make_view(kinds, known_at="known", created_at="made")
    early, late = at(1).replace(tzinfo=UTC), at(2).replace(tzinfo=UTC)
    rows = [
        {"ts": at(1), "known": late, "made": date(2014, 1, 1), "x": 9},
        {"ts": at(2), "known": early, "made": date(2014, 1, 1), "x": 9},
        {"ts": at(2), "known": late, "made": None, "x": 9},
        {"ts": at(2), "known": late, "made": date(2013, 1, 1), "x": None},
        {"ts": at(2), "known": late, "made": date(2013, 1, 1), "x": -1},
    ]
    check_rising(path, view, rows)


FEATURES = {"a": "DOUBLE", "b": "DECIMAL(5,1)", "c": "BIGINT[]", "d": "VARCHAR"}
ROWS = st.fixed_dictionaries(
    {
        "ts": st.sampled_from([at(0), at(1), at(1), at(1)]),  # mostly ties
        "made": st.sampled_from([at(0), at(1), at(1), None]),
        "a": st.sampled_from([None, 0.0, 1.0, math.nan]),
        "b": st.sampled_from([None, Decimal("9.0"), Decimal("10.0")]),
        "c": st.sampled_from([None, [], [9], [10], [None]]),
        "d": st.sampled_from([None, "a", "b"]),
    }
)


@settings(max_examples=20)
@given(rows=st.lists(ROWS, min_size=2, max_size=8))
def test_rows_order_as_in_the_engine(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]) -> None:
    view = make_view({"id": "BIGINT", "ts": "TIMESTAMP", "made": "TIMESTAMP", **FEATURES}, created_at="made")
    stored = stored_as(tmp_path_factory.mktemp("orders") / "online.db", view, rows)
    order = RowOrder(view)
    connection = duckdb.connect()
    connection.register(
        "rows_", pa.Table.from_batches([make_batch(view, [{**r, "id": i} for i, r in enumerate(rows)])])
    )
    by = ", ".join(f"{name} desc nulls last" for name in ("ts", "made", *FEATURES))
    ranks = dict(connection.sql(f"select id, rank() over (order by {by}) from rows_").fetchall())
    connection.close()
    for i, j in itertools.product(range(len(rows)), repeat=2):
        assert order.is_newer(stored[i], stored[j]) == (ranks[i] < ranks[j])


@pytest.mark.parametrize(
    "kind", ["HUGEINT[]", "DOUBLE[]", "VARCHAR[]", "DECIMAL(10,2)[]", "DOUBLE[][]", "UUID", "FLOAT"]
)
@settings(max_examples=20)
@given(data=st.data())
def test_values_order_as_in_the_engine(kind: str, data: st.DataObject) -> None:
    values = data.draw(st.lists(VALUES[kind], min_size=2, max_size=8))
    texts = [str(v) if kind == "UUID" else v for v in values]
    connection = duckdb.connect()
    column = pa.array(texts, make_batch(make_view({"id": kind}, event_time="id"), []).schema.field("id").type)
    connection.register("column_", pa.table({"place": range(len(texts)), "v": column}))
    cast = f"v::{kind}"
    pairs = connection.execute(
        f"""select l.place, r.place, (l.{cast} > r.{cast})::int - (l.{cast} < r.{cast})::int
            from column_ l, column_ r"""
    ).fetchall()
    connection.close()
    compare = comparison(parse_type(kind))
    assert all(
        (compare(values[i], values[j]) > 0) - (compare(values[i], values[j]) < 0) == sign for i, j, sign in pairs
    )


def test_the_same_load_twice_writes_nothing(path: Path) -> None:
    view = make_view(PLAIN | {"tags": "VARCHAR[]"})
    rows = [{"id": i, "ts": at(i % 3), "amount": [math.nan, -0.0, None][i % 3], "tags": ["a", None]} for i in range(99)]
    service = OnlineService("all", (ServicePart("orders"),))
    reports, files = [], []
    for _ in range(2):
        with open_writer(path) as writer:
            reports.append(writer.load(view, [make_batch(view, rows)], NOON))
            writer.services([service])
        files.append(path.read_bytes())
    assert [(r.new, r.changed, r.removed, r.unchanged) for r in reports] == [(99, 0, 0, 0), (0, 0, 0, 99)]
    assert files[0] == files[1]


# ---------------------------------------------------------------- watermark, rebuild, several views


def test_an_older_load_changes_nothing_and_says_so(path: Path) -> None:
    view, early = make_view(PLAIN), NOON - timedelta(hours=1)
    load(path, view, [{"id": 1, "ts": at(1), "amount": 1.0}], watermark=NOON)
    before = path.read_bytes()
    for other in (view, make_view(PLAIN | {"b": "BIGINT"}, fingerprint="two")):
        with pytest.raises(AsknownError) as caught:
            load(path, other, [{"id": 2, "ts": at(0), "amount": 2.0}], watermark=early)
        assert caught.value.code == "load-older"
        assert "is loaded up to 2013-05-01 12:00:00 UTC, and this load is as of 2013-05-01 11:00:00 UTC" in str(
            caught.value
        )
        assert "asknown materialize orders --until '2013-05-01 11:00:00' --full-refresh" in str(caught.value)
    assert path.read_bytes() == before
    assert load(path, view, [{"id": 2, "ts": at(0)}], watermark=early, full=True).watermark == early
    assert load(path, view, [], watermark=NOON + TICK).watermark == NOON + TICK


@pytest.mark.parametrize("change", ["fingerprint", "columns", "full refresh"])
def test_a_changed_view_is_built_anew_from_its_load_alone(path: Path, change: str) -> None:
    view = make_view(PLAIN)
    load(path, view, [{"id": 1, "ts": at(5), "amount": 1.0}, {"id": 2, "ts": at(5), "amount": 1.0}])
    kinds = PLAIN | {"amount": "VARCHAR"} if change == "columns" else PLAIN
    changed = make_view(kinds, fingerprint="two" if change == "fingerprint" else "one")
    value = "old" if change == "columns" else -1.0
    rows = [{"id": id_, "ts": at(1), "amount": value} for id_ in (1, 3)]
    report = load(path, changed, rows, full=change == "full refresh")
    assert report.rebuilt == (change != "fingerprint")  # the same columns: only what differs is written
    assert (report.new, report.changed, report.removed, report.unchanged, report.rows_total) == (1, 1, 1, 0, 2)
    assert [row[2] for row in stored_rows(path)] == [value] * 2
    assert not load(path, changed, []).rebuilt


def test_a_changed_ttl_alone_keeps_the_rows(path: Path) -> None:
    load(path, make_view(PLAIN), [{"id": 1, "ts": T}])
    assert not load(path, make_view(PLAIN, ttl=7), []).rebuilt
    with OnlineReader(path) as reader:
        assert reader.views()["orders"].view.ttl == 7


def test_several_views_in_one_load_and_the_rest_left_alone(path: Path) -> None:
    load(path, make_view(PLAIN, name="kept"), [{"id": 1, "ts": T, "amount": 1.0}])
    seen: list[int] = []
    with open_writer(path) as writer:
        for name in ("a", "b"):
            view = make_view(PLAIN, name=name)
            batches = [make_batch(view, [{"id": i, "ts": T}]) for i in range(3)]
            assert writer.load(view, batches, NOON, on_rows=seen.append).rows_total == 3
        assert set(writer.stored()) == {"a", "b", "kept"}
    assert seen == [1, 2, 3] * 2
    assert len(stored_rows(path, "kept")) == 1
    with open_writer(path) as writer:
        writer.forget("kept")
        writer.forget("never there")
    with OnlineReader(path) as reader:
        assert set(reader.views()) == {"a", "b"}
    assert dump(path, "kept") == []


# ---------------------------------------------------------------- all or nothing


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, AsknownError("engine", "stopped")])
def test_nothing_is_written_when_a_load_ends_in_an_exception(path: Path, error: Any) -> None:
    view, other = make_view(PLAIN), make_view(PLAIN, name="other")
    load(path, view, [{"id": 1, "ts": T, "amount": 1.0}])
    before = dump(path)

    def failing() -> Any:
        yield make_batch(view, [{"id": 1, "ts": at(9), "amount": 9.0}, {"id": 2, "ts": T}])
        raise error

    with pytest.raises(BaseException) as caught, open_writer(path) as writer:
        writer.load(other, [make_batch(other, [{"id": 1, "ts": T}])], NOON)
        writer.load(view, failing(), NOON)
    assert caught.value is error or caught.type is error
    assert dump(path) == before
    assert dump(path, "other") == []
    assert load(path, view, [{"id": 1, "ts": T, "amount": 1.0}]).unchanged == 1


def test_a_failed_part_cannot_be_committed(path: Path) -> None:
    view = make_view(PLAIN)
    with pytest.raises(AsknownError, match="because a part of this load failed"), open_writer(path) as writer:
        writer.load(view, [make_batch(view, [{"id": 1, "ts": T}])], NOON)
        with pytest.raises(KeyError):
            writer.load(make_view(PLAIN, name="b"), [pa.record_batch({"nothing": [1]})], NOON)
    with pytest.raises(AsknownError, match="no-online"):
        OnlineReader(path)


def test_a_full_disk_leaves_the_old_rows(path: Path) -> None:
    view = make_view(PLAIN | {"text": "VARCHAR"})
    load(path, view, [{"id": 1, "ts": T, "text": "old"}])
    before = dump(path)
    for full in (False, True):
        with pytest.raises(AsknownError, match="the disk is full") as caught, open_writer(path) as writer:
            pages = writer.connection.execute("PRAGMA page_count").fetchone()[0]
            writer.connection.execute(f"PRAGMA max_page_count = {pages + 5}")
            batches = (make_batch(view, [{"id": i, "ts": at(1), "text": "x" * 4000}]) for i in range(100))
            writer.load(view, batches, NOON, full_refresh=full)
        assert caught.value.code == "online-write"
        assert str(path) in caught.value.message
        assert dump(path) == before
    assert load(path, view, [{"id": 1, "ts": T, "text": "old"}]).unchanged == 1


KILLED = """
import sys, time
from datetime import datetime
sys.path.insert(0, {tests!r})
from online_tables import make_batch, make_view
from asknown.online.sqlite.writer import open_writer
view = make_view({{"id": "BIGINT", "ts": "TIMESTAMP", "amount": "DOUBLE"}})
def batches():
    for start in range(0, 10**9, 20000):
        rows = ({{"id": i, "ts": datetime(2013, 5, 1, 11), "amount": 2.0}} for i in range(start, start + 20000))
        yield make_batch(view, rows)
        if start == 200000:
            print("loading", flush=True)
with open_writer({path!r}) as writer:
    writer.load(view, batches(), datetime(2013, 5, 1, 12), full_refresh={full})
"""


@pytest.mark.parametrize("full", [False, True])
def test_a_killed_load_leaves_the_old_rows_and_blocks_nobody(path: Path, full: bool) -> None:
    view = make_view(PLAIN)
    load(path, view, ({"id": i, "ts": T, "amount": 1.0} for i in range(1000)))
    before = dump(path)
    script = KILLED.format(tests=str(Path(__file__).parent), path=str(path), full=full)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as loader:
        assert loader.stdout is not None
        assert loader.stdout.readline() == b"loading\n"
        with OnlineReader(path) as reader:  # beside the running load
            assert reader.get_online_features("orders", [{"id": 5}], at=NOON).to_dict()["amount"] == [1.0]
        loader.send_signal(signal.SIGKILL)
    assert dump(path) == before
    assert load(path, view, [{"id": 5, "ts": at(1), "amount": 3.0}], shrink=True).changed == 1


# ---------------------------------------------------------------- a file that cannot be written


def test_a_lock_of_another_program_is_named(path: Path) -> None:
    load(path, make_view(PLAIN), [])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(AsknownError, match="another program holds a lock") as caught:
        open_writer(path, timeout=0.1).__enter__()
    other.close()
    assert caught.value.code == "online-write"
    load(path, make_view(PLAIN), [])


@pytest.mark.parametrize("place", ["/proc/online.db", "missing/online.db", "file/online.db", "folder"])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    target = Path(place) if place.startswith("/") else tmp_path / place
    with pytest.raises(AsknownError) as caught:
        load(target, make_view(PLAIN), [])
    assert caught.value.code == "online-write"
    assert str(target) in caught.value.message
    assert caught.value.hint


def _fork_as_nobody(action: Any) -> str:
    """What the action says, run by a user without rights, in a process of its own."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgid(65534)
            os.setuid(65534)
            said = str(action())
        except BaseException as error:
            said = str(error)
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read, "rb") as pipe:
        return pipe.read().decode()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become somebody else")
def test_a_read_only_folder_can_be_read_and_not_written(open_folder: Path) -> None:
    path = open_folder / "online.db"
    view = make_view(PLAIN)
    load(path, view, [{"id": 1, "ts": T, "amount": 1.0}])
    for name in ("online.db-wal", "online.db-shm"):
        (open_folder / name).unlink(missing_ok=True)

    def read() -> Any:
        with OnlineReader(path) as reader:
            return reader.get_online_features("orders", [{"id": 1}], at=NOON).to_dict()["amount"]

    assert _fork_as_nobody(read) == "[1.0]"
    assert not Path(f"{path}-shm").exists()
    said = _fork_as_nobody(lambda: load(path, view, []))
    assert said.startswith("online-write")
    assert "permission denied" in said
    path.chmod(0)
    assert _fork_as_nobody(read).startswith("no-online")


@pytest.fixture
def open_folder() -> Any:
    """A folder that everybody may enter and only its owner write, unlike pytest's own."""
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def _corrupt(path: Path) -> None:
    load(path, make_view(PLAIN), ({"id": i, "ts": T, "amount": 1.0} for i in range(5000)))
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)


def _garble_definition(path: Path) -> None:
    """SQLite quotes such a definition in its message, which Python then cannot decode."""
    load(path, make_view(PLAIN), [])
    content = path.read_bytes()
    path.write_bytes(content.replace(b'TABLE "orders"', b'TABLE "ord\xceers', 1))


BAD_FILES = {
    "not a database": (lambda path: path.write_text("hello " * 1000), "online-corrupt"),
    "damaged": (_corrupt, "online-corrupt"),
    "cut short": (lambda path: (_corrupt(path), os.truncate(path, 5000)), "online-corrupt"),
    "somebody else's": (lambda path: _run_sql(path, "create table theirs (x)"), "online-corrupt"),
    "of a newer layout": (lambda path: _relabel(path, 99), "online-layout"),
    "of definitions that are no text": (_garble_definition, "online-corrupt"),
    "of no layout": (lambda path: _relabel(path, 0), "online-layout"),
}


def _relabel(path: Path, layout: int) -> None:
    load(path, make_view(PLAIN), [])
    _run_sql(path, f"PRAGMA user_version = {layout}")


def _run_sql(path: Path, sql: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(sql)
    connection.commit()
    connection.close()


@pytest.mark.parametrize("fault", BAD_FILES)
def test_a_file_that_is_no_online_table_is_refused_and_left_alone(path: Path, fault: str) -> None:
    make, code = BAD_FILES[fault]
    make(path)
    content = path.read_bytes()
    for action in (lambda: load(path, make_view(PLAIN), [{"id": 1, "ts": T}]), lambda: OnlineReader(path)):
        with pytest.raises(AsknownError) as caught:
            action()
        assert caught.value.code == code
        assert str(path) in caught.value.message
        assert caught.value.hint
    assert path.read_bytes() == content


def test_an_empty_file_is_filled(path: Path) -> None:
    path.touch()
    assert load(path, make_view(PLAIN), [{"id": 1, "ts": T}]).new == 1


def test_a_table_dropped_by_hand_can_be_loaded_anew(path: Path) -> None:
    view = make_view(PLAIN)
    load(path, view, [])
    _run_sql(path, "drop table orders")
    with pytest.raises(AsknownError, match="online-corrupt"):
        load(path, view, [{"id": 1, "ts": T}])
    assert load(path, view, [{"id": 1, "ts": T}], full=True).new == 1
