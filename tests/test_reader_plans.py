"""A request made ready once gives what it gave at first, for as long as the file says the same, and no longer."""

from __future__ import annotations

import asyncio
import math
import multiprocessing
import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asknown.errors import AsknownError
from asknown.online.nodes import OnlineService, OnlineView, ServicePart
from asknown.online.reader import OnlineReader
from asknown.online.sqlite.connect import Library
from asknown.online.sqlite.read_plan import ReadPlan
from asknown.online.sqlite.writer import open_writer
from online_tables import NOON, TICK, load, make_batch, make_view, sessions_of
from test_online_windows import call, event_batch, windowed

T = datetime(2013, 5, 1, 10)
HOUR = timedelta(hours=1)
HOUR_LONG = 3_600_000_000
ORDERS = make_view(
    {
        "id": "BIGINT",
        "ts": "TIMESTAMP",
        "amount": "DOUBLE",
        "price": "DECIMAL(10,2)",
        "paid": "BOOLEAN",
        "tags": "VARCHAR[]",
        "seen": "TIMESTAMP WITH TIME ZONE",
        "wide": "HUGEINT",
    },
    ttl=2 * HOUR_LONG,
)
ROUTES = make_view(
    {"origin": "VARCHAR", "dest": "VARCHAR", "day": "DATE", "flights": "BIGINT"},
    name="routes",
    keys=("origin", "dest"),
    event_time="day",
    ttl=86_400_000_000,
)
MARKET = make_view({"at": "TIMESTAMP", "rate": "DOUBLE"}, name="market", keys=(), event_time="at")
EMPTY = make_view({"id": "BIGINT", "ts": "TIMESTAMP", "nothing": "BLOB"}, name="empty")
VISITS = windowed({"n": call("count", None), "total": call("sum")}, name="visits")
SERVICES = [
    OnlineService(
        "both",
        (
            ServicePart("orders", ("amount", "paid"), "first", {}),
            ServicePart("orders", ("amount",), "second", {"id": "other"}),
            ServicePart("routes", None),
        ),
    )
]
IDS = [1, 2, 3, None, 2**70]


def write(path: Path) -> None:
    """A file with views of every kind: NaN, NULLs, rows of several ages, a view without keys, an empty one."""
    rows: dict[Any, list[dict[str, Any]]] = {
        ORDERS: [
            {"id": 1, "ts": T, "amount": math.nan, "price": Decimal("1.50"), "paid": True, "tags": ["a", None]},
            {"id": 2, "ts": T + HOUR, "amount": -0.0, "seen": T.replace(tzinfo=UTC), "wide": 2**100},
        ],
        ROUTES: [{"origin": "EWR", "dest": "JFK", "day": T.date(), "flights": 3}],
        MARKET: [{"at": T, "rate": 1.5}],
        EMPTY: [],
    }
    with open_writer(path) as writer:
        for view, given_rows in rows.items():
            writer.load(view, [make_batch(view, given_rows)], NOON - HOUR)
        writer.load(VISITS, [make_batch(VISITS, [])], NOON - HOUR)
        writer.load_events(VISITS, [event_batch(VISITS, [{"id": 1, "ts": T, "_1": 0.5}] * 40)], NOON - HOUR)
        writer.services(SERVICES)


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[OnlineReader]]:
    """Readers of one and the same content, one by each library that is there."""
    found = []
    for library in ("sqlite3", "apsw"):
        path = tmp_path_factory.mktemp("plans") / f"{library}.db"
        write(path)
        try:
            found.append(OnlineReader(path, library=library))
        except AsknownError as error:
            assert error.code == "missing-extra", error
    yield found
    for reader in found:
        reader.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write(tmp_path / "online.db")
    return tmp_path / "online.db"


def outcome(read: Callable[[], Any]) -> Any:
    """All that a read gives of its first row, or the error with which it is refused."""
    try:
        response = read()
    except AsknownError as error:
        return (error.code, error.message, error.hint)
    found = (response.to_dict(), response.statuses(), response.event_timestamps())
    return [{name: repr(column[0]) for name, column in part.items()} for part in found]


REFERENCES = st.lists(
    st.sampled_from(["orders", "orders:amount", "orders:paid", "routes", "market", "empty", "visits", "both"]),
    min_size=1,
    max_size=4,
)
ROWS = st.fixed_dictionaries(
    {
        "id": st.sampled_from([*IDS, "1"]),
        "other": st.sampled_from(IDS),
        "origin": st.sampled_from(["EWR", "JFK", "", None, "\ud800"]),
        "dest": st.sampled_from(["EWR", "JFK", "a\0b"]),
    }
)
INSTANTS = st.sampled_from(
    [NOON - HOUR - TICK, NOON - HOUR, NOON, NOON + TICK, NOON + HOUR, NOON + HOUR + TICK, NOON + 24 * HOUR]
)


@settings(max_examples=300)
@given(references=REFERENCES, row=ROWS, at=INSTANTS, full=st.booleans())
def test_one_row_is_read_as_many_are(
    readers: list[OnlineReader], references: list[str], row: dict[str, Any], at: datetime, full: bool
) -> None:
    twice = {name: [value, value] for name, value in row.items()}
    found = [
        outcome(
            lambda rows=rows, reader=reader: reader.get_online_features(
                references, rows, at=at, full_feature_names=full
            )
        )
        for reader in readers
        for rows in ([row], twice, [row], [row, row], {name: [value] for name, value in row.items()})
    ]
    # An error says the same; the values that the first row was given are those that it is given in company.
    assert all(each == found[0] for each in found), found


def test_the_fast_path_is_taken(readers: list[OnlineReader]) -> None:
    # Guards the test above, which would pass if every request were read in one way.
    for reader in readers:
        with sessions_of(reader).snapshot() as session:
            plans = list(session.plans.values())
        assert any(plan.by_row is not None and len(plan.request.reads) > 2 for plan in plans)
        assert any(plan.by_row is None for plan in plans)  # windows take more than one statement


# ---------------------------------------------------------------- what SQLite is asked


def traced(reader: OnlineReader, hear: Callable[[str], None]) -> Any:
    """The reader's connection of this thread, which from now on tells of every statement as it begins."""
    session = sessions_of(reader).current()
    session.connection.set_trace_callback(hear)
    return session


def test_one_row_of_several_views_is_one_statement(path: Path) -> None:
    with OnlineReader(path) as reader:
        request = (["orders", "routes", "market"], [{"id": 1, "origin": "EWR", "dest": "JFK"}])
        first = reader.get_online_features(*request, at=NOON).to_dict()
        heard: list[str] = []
        traced(reader, heard.append)
        assert repr(reader.get_online_features(*request, at=NOON).to_dict()) == repr(first)
    assert len(heard) == 1, heard
    assert heard[0].count("LEFT JOIN") == 3


def test_a_request_too_large_for_one_statement_is_read_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "online.db"
    names = [f"v{i}" for i in range(70)]  # SQLite joins 64 tables
    views = [make_view({"id": "BIGINT", "ts": "TIMESTAMP", name: "BIGINT"}, name=name) for name in names]
    wide = make_view({"id": "BIGINT", "ts": "TIMESTAMP"} | {f"w{i}": "BIGINT" for i in range(1200)}, name="wide")
    with open_writer(path) as writer:
        for view in (*views, wide):
            row = {"id": 1, "ts": T} | {feature.name: 7 for feature in view.features}
            writer.load(view, [make_batch(view, [row])], NOON)
    with OnlineReader(path) as reader:
        for features in (names, ["wide"]):
            for _ in range(2):
                found = reader.get_online_features(features, [{"id": 1}], at=NOON).to_dict()
                assert set(map(tuple, found.values())) == {(1,), (7,)}


# ---------------------------------------------------------------- a load between two steps of a read


PAIR = [make_view({"id": "BIGINT", "ts": "TIMESTAMP", name: "BIGINT"}, name=name) for name in ("left", "right")]
WINDOW = windowed({"n": call("count", None)}, name="window")


def load_version(path: Path, version: int) -> None:
    """A load of two views and of a view with windows, all of which say the version."""
    with open_writer(path) as writer:
        for view in PAIR:
            rows = [{"id": i, "ts": T + version * TICK, view.name: version} for i in range(20)]
            writer.load(view, [make_batch(view, rows)], NOON + version * TICK)
        writer.load(WINDOW, [make_batch(WINDOW, [])], NOON + version * TICK)
        events = [{"id": i, "ts": T, "_1": 0.5} for i in range(20) for _ in range(version)]
        writer.load_events(WINDOW, [event_batch(WINDOW, events)], NOON + version * TICK)


@pytest.mark.parametrize("ids", [[1], [1, 2], list(range(20))])
@pytest.mark.parametrize("features", [["left", "right"], ["left", "right", "window"], ["window", "left"]])
def test_a_load_at_any_step_of_a_read_leaves_it_whole(tmp_path: Path, ids: list[int], features: list[str]) -> None:
    """Loads before each statement of a read in turn: all views are of one load, and none older than the last read's."""
    path = tmp_path / "online.db"
    version, tried = 1, 0
    load_version(path, version)
    with OnlineReader(path) as reader:

        def read() -> set[int]:
            found = reader.get_online_features(features, {"id": ids}, at=NOON + HOUR).to_dict()
            return {value for name, column in found.items() if name != "id" for value in column}

        read()
        for step in (1, 2, 3, 4, 5, 9, 1000):
            count = 0

            def hear(_: str, step: int = step) -> None:
                nonlocal count, version
                count += 1
                if count == step:
                    version += 1
                    load_version(path, version)

            before = version
            session = traced(reader, hear)
            found = read()
            session.connection.set_trace_callback(None)
            assert len(found) == 1, (step, found)
            assert found <= {before, version}
            assert read() == {version}
            tried += count >= step
    assert tried >= 1


def test_a_plan_of_an_earlier_state_gives_nothing(path: Path) -> None:
    with OnlineReader(path) as reader:
        reader.get_online_features(["orders:amount"], [{"id": 2}], at=NOON)
        session = sessions_of(reader).current()
        (plan,) = session.plans.values()
        assert isinstance(plan, ReadPlan)
        instant = NOON.replace(tzinfo=None)
        assert plan.read_row(session.cursor, {"id": 2}, instant) is not None
        assert plan.read_rows(session.cursor, {"id": [2, 1]}, 2, instant) is not None
        load(path, MARKET, [{"at": T + TICK, "rate": 2.5}], watermark=NOON)
        assert plan.read_row(session.cursor, {"id": 2}, instant) is not None  # another view's load is no matter
        load(path, ORDERS, [], watermark=NOON)
        assert plan.read_row(session.cursor, {"id": 2}, instant) is None
        assert plan.read_rows(session.cursor, {"id": [2, 1]}, 2, instant) is None


# ---------------------------------------------------------------- what a plan was made from, and what has become of it


def read_once(reader: OnlineReader, features: Any, **row: Any) -> Any:
    response = reader.get_online_features(features, [row], at=NOON + HOUR)
    return {name: column[0] for name, column in response.to_dict().items() if name not in row}


def test_a_key_that_changes_its_type_is_taken_by_its_new_one(tmp_path: Path) -> None:
    path = tmp_path / "online.db"
    plain = {"ts": "TIMESTAMP", "x": "BIGINT"}
    load(path, make_view({"id": "BIGINT", **plain}), [{"id": 1, "ts": T, "x": 1}])
    with OnlineReader(path) as reader:
        assert read_once(reader, "orders", id=1) == {"x": 1}
        load(path, make_view({"id": "VARCHAR", **plain}), [{"id": "1", "ts": T, "x": 2}])
        assert read_once(reader, "orders", id="1") == {"x": 2}
        with pytest.raises(AsknownError, match="key-type"):
            read_once(reader, "orders", id=1)
        load(path, make_view({"id": "BIGINT", **plain}), [{"id": 1, "ts": T, "x": 3}])
        assert read_once(reader, "orders", id=1) == {"x": 3}


def test_a_watermark_that_goes_back_is_gone_by(tmp_path: Path) -> None:
    path = tmp_path / "online.db"
    view = make_view({"id": "BIGINT", "ts": "TIMESTAMP", "x": "BIGINT"})
    load(path, view, [{"id": 1, "ts": T, "x": 1}], watermark=NOON + 2 * HOUR)
    with OnlineReader(path) as reader:
        for _ in range(2):
            with pytest.raises(AsknownError, match="before-watermark"):
                read_once(reader, "orders", id=1)
        load(path, view, [{"id": 1, "ts": T, "x": 1}], watermark=NOON, full=True)
        assert read_once(reader, "orders", id=1) == {"x": 1}


def test_columns_that_come_and_go(tmp_path: Path) -> None:
    path = tmp_path / "online.db"
    keys = {"id": "BIGINT", "ts": "TIMESTAMP"}
    load(path, make_view(keys | {"x": "BIGINT", "y": "BIGINT"}), [{"id": 1, "ts": T, "x": 1, "y": 2}])
    with OnlineReader(path) as reader:
        assert read_once(reader, ["orders:y"], id=1) == {"y": 2}
        load(path, make_view(keys | {"x": "VARCHAR"}), [{"id": 1, "ts": T, "x": "one"}])
        with pytest.raises(AsknownError, match="has no feature 'y'"):
            read_once(reader, ["orders:y"], id=1)
        assert read_once(reader, ["orders:x"], id=1) == {"x": "one"}
        load(path, make_view(keys | {"y": "DOUBLE"}), [{"id": 1, "ts": T, "y": math.nan}])
        assert math.isnan(read_once(reader, ["orders:y"], id=1)["y"])
        with open_writer(path) as writer:
            writer.forget("orders")
        with pytest.raises(AsknownError, match="no view 'orders'"):
            read_once(reader, ["orders:y"], id=1)


def test_services_that_change_while_their_views_do_not(path: Path) -> None:
    with OnlineReader(path) as reader:

        def write_service(*features: str) -> None:
            with open_writer(path) as writer:
                writer.services([OnlineService("some", (ServicePart("orders", features),))])

        write_service("paid")
        assert read_once(reader, "some", id=1) == {"paid": None}  # out of age
        write_service("price", "wide")
        assert read_once(reader, "some", id=1) == {"price": None, "wide": None}
        named = make_view({"id": "BIGINT", "ts": "TIMESTAMP", "x": "BIGINT"}, name="some")
        load(path, named, [{"id": 1, "ts": T, "x": 1}])  # the service comes before a view of its name, as in training
        assert read_once(reader, "some", id=1) == {"price": None, "wide": None}
        with open_writer(path) as writer:
            writer.services([])
        assert read_once(reader, "some", id=1) == {"x": 1}
        write_service("paid")
        assert read_once(reader, "some", id=1) == {"paid": None}
        with open_writer(path) as writer:
            writer.forget("some")
            writer.services([])
        with pytest.raises(AsknownError, match="no view or service 'some'"):
            read_once(reader, "some", id=1)


# ---------------------------------------------------------------- apsw beside loads, which other processes make


def elsewhere(function: Any, *arguments: Any) -> None:
    """Calls the function in a process of its own."""
    process = multiprocessing.get_context("spawn").Process(target=function, args=arguments)
    process.start()
    process.join()
    assert process.exitcode == 0


def load_changed(path: Path, view: OnlineView) -> None:
    load(path, view, [{"id": i, "ts": T, "now": "text"} for i in range(20)], watermark=NOON + 2 * TICK)


def test_apsw_sees_the_loads_of_other_processes_at_once(tmp_path: Path) -> None:
    pytest.importorskip("apsw")
    path = tmp_path / "online.db"
    elsewhere(load_version, path, 1)
    with OnlineReader(path, library="apsw") as reader:
        for version in (1, 2):
            elsewhere(load_version, path, version)
            for _ in range(2):
                assert read_once(reader, ["left", "right", "window"], id=1) == {
                    "left": version,
                    "right": version,
                    "n": version,
                }
        changed = make_view({"id": "BIGINT", "ts": "TIMESTAMP", "now": "VARCHAR"}, name="left")
        elsewhere(load_changed, path, changed)
        assert read_once(reader, ["left", "right"], id=1) == {"now": "text", "right": 2}


def test_one_process_reads_a_file_by_one_library(path: Path) -> None:
    pytest.importorskip("apsw")
    with OnlineReader(path), pytest.raises(AsknownError, match="is open in this process by sqlite3") as caught:
        OnlineReader(path, library="apsw")
    assert caught.value.code == "bad-value"
    first, second = OnlineReader(path, library="apsw"), OnlineReader(path, library="apsw")
    first.close()
    with second, pytest.raises(AsknownError, match="is open in this process by apsw"):
        OnlineReader(path)
    OnlineReader(path).close()


@pytest.mark.parametrize("library", ["sqlite3", "apsw"])
@pytest.mark.parametrize("fault", ["garbage", "cut short", "absent", "empty"])
def test_faults_are_named_alike(path: Path, library: Library, fault: str) -> None:
    pytest.importorskip(library)
    match fault:
        case "garbage":
            path.write_bytes(b"hello " * 1000)
        case "cut short":
            path.write_bytes(path.read_bytes()[:5000])
        case "absent":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
    with pytest.raises(AsknownError) as caught:
        OnlineReader(path, library=library)
    assert caught.value.code == ("no-online" if fault in ("absent", "empty") else "online-corrupt")
    assert str(path) in caught.value.message


# ---------------------------------------------------------------- many at a time


@pytest.mark.parametrize("library", ["sqlite3", "apsw"])
def test_tasks_and_threads_share_a_reader(path: Path, library: Library) -> None:
    pytest.importorskip(library)

    async def ask(reader: OnlineReader, key: int) -> Any:
        response = await asyncio.to_thread(
            reader.get_online_features, ["market", "orders:wide"], [{"id": key}], at=NOON
        )
        return response.rows()[0], threading.get_ident()

    async def ask_many(reader: OnlineReader) -> list[Any]:
        return await asyncio.gather(*(ask(reader, 1 + i % 3) for i in range(60)))

    with OnlineReader(path, library=library) as reader:
        found = asyncio.run(ask_many(reader))
    wide = {1: None, 2: 2**100, 3: None}
    assert [row for row, _ in found] == [{"id": k, "rate": 1.5, "wide": wide[k]} for k in [1, 2, 3] * 20]


def test_the_examples_of_the_docs_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("apsw")
    page = (Path(__file__).parents[1] / "docs" / "serving.md").read_text(encoding="utf-8")
    plain, tasks, apsw = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    view = make_view({"carrier": "VARCHAR", "at": "TIMESTAMP", "delay": "DOUBLE"}, name="carrier_delays",
                     keys=("carrier",), event_time="at")  # fmt: skip
    load(tmp_path / "online.db", view, [{"carrier": "UA", "at": T, "delay": 5.5}])
    monkeypatch.chdir(tmp_path)
    scope: dict[str, Any] = {}
    exec(plain, scope)
    assert scope["features_of"]("UA") == {"carrier": "UA", "delay": 5.5}
    scope["reader"].close()
    exec(tasks, scope)
    assert asyncio.run(scope["features_of_many"](["UA", "AA"])) == {"carrier": ["UA", "AA"], "delay": [5.5, None]}
    scope["reader"].close()
    exec(apsw, scope)
    assert asyncio.run(scope["features_of_many"](["UA"])) == {"carrier": ["UA"], "delay": [5.5]}
    scope["reader"].close()
