"""The hashes of what the tables hold are right after every load, and tell every change (rule 10)."""

from __future__ import annotations

import itertools
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asknown.errors import AsknownError
from asknown.online import content
from asknown.online.batches import CHUNK
from asknown.online.nodes import OnlineService, OnlineView, ServicePart
from asknown.online.reader import OnlineReader
from asknown.online.sqlite.content import hash_table
from asknown.online.sqlite.metadata import hash_values, read_services, read_views, sort_views
from asknown.online.sqlite.writer import open_writer
from online_tables import NOON, dump, load, make_batch, make_view, stored_rows
from test_online import VALUES
from test_online_windows import SUM, event_batch

T = datetime(2013, 5, 1, 10)
PLAIN = {"id": "BIGINT", "ts": "TIMESTAMP", "amount": "DOUBLE"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "online.db"


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection, connection:
        yield connection


def check(path: Path) -> None:
    """Every hash in the file is that of what it holds, and no row count is wrong."""
    with opened(path) as connection:
        for name, stored in read_views(connection, path).items():
            tables = {name: stored.hashes.rows}
            if stored.view.windows is not None:
                tables |= {f"{name}.events": stored.hashes.events, f"{name}.tiles": stored.hashes.tiles}
            assert {table: hash_table(connection, table) for table in tables} == tables
            assert connection.execute(f'SELECT count(*) FROM "{name}"').fetchone() == (stored.rows,)
            assert connection.execute("SELECT hash FROM _asknown_views WHERE view = ?", (name,)).fetchone()[0]
        read_services(connection, path)


# ---------------------------------------------------------------- the hash


def test_the_hash_of_a_row_never_changes() -> None:
    """It is compared with what other versions of asknown and of Python wrote."""
    change = content.Change()
    change.add([(1, "x", None, -1.5, b"\0", 2**62), (2, "é", "NaN", 0.0, b"", -1)])
    assert change.apply("0" * 16) == "19baef7a354677ce"
    assert hash_values({"b": 1, "a": "x", "c": None}) == "ff2c7f75"
    assert hash_values({"a": "x", "b": 1}) == "ff2c7f75"


def test_equal_texts_hash_equally_however_python_holds_them() -> None:
    interned, made = "carrier", "".join(["car", "rier"])
    hashes = set()
    for text in (interned, made):
        change = content.Change()
        change.add([(text, text, 2.0)])
        hashes.add(change.apply("0" * 16))
    assert len(hashes) == 1


@given(
    rows=st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.text() | st.none(), st.floats(allow_nan=False))),
    data=st.data(),
)
def test_a_sum_of_rows_does_not_depend_on_their_order_and_is_undone(rows: list[Any], data: st.DataObject) -> None:
    one, other = content.Change(), content.Change()
    one.add(rows)
    for row in data.draw(st.permutations(rows)):
        other.add([row])
    assert one.apply("f" * 16) == other.apply("f" * 16)
    one.remove(rows)
    assert one.apply("f" * 16) == "f" * 16


# ---------------------------------------------------------------- after loads


@pytest.mark.parametrize("keys", [("id",), ("place", "id")])
def test_loads_of_more_rows_than_are_written_at_once(path: Path, keys: tuple[str, ...]) -> None:
    """Keys stay, come and leave within a chunk and across chunks."""
    view = make_view({"place": "VARCHAR", **PLAIN}, keys=keys)
    some = random.Random(5)
    held: dict[int, float] = {}
    for count, most in ((2 * CHUNK + 137, 5_000), (150, 100_000), (2 * CHUNK + 1, 5_000), (2 * CHUNK, 5_000)):
        now = {number: float(some.randrange(3) - 1) for number in some.sample(range(most), count)}
        if keys == ("id",):
            now = dict(sorted(now.items()))
        rows = ({"place": f"p{n % 7}", "id": n, "ts": T, "amount": amount} for n, amount in now.items())
        report = load(path, view, rows, shrink=True)
        assert report.rows_seen == report.rows_total == count
        assert (report.new, report.removed) == (len(now.keys() - held.keys()), len(held.keys() - now.keys()))
        assert report.changed == sum(held[key] != now[key] for key in held.keys() & now.keys())
        assert {stored[1]: stored[3] for stored in stored_rows(path)} == now
        held = now
        check(path)


def test_wide_rows_are_written_in_as_many_statements_as_they_need(path: Path) -> None:
    view = make_view({**PLAIN, **{f"x{n}": "BIGINT" for n in range(1_900)}})
    assert load(path, view, [{"id": i, "ts": T, "x7": i} for i in range(40)]).new == 40
    assert load(path, view, [{"id": i, "ts": T, "x7": max(i, 9)} for i in range(40)]).changed == 9
    check(path)


@pytest.mark.parametrize("kind", VALUES)
@settings(max_examples=5)
@given(data=st.data())
def test_values_of_every_type_hash_as_sqlite_gives_them_back(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    values = data.draw(st.lists(st.none() | VALUES[kind], min_size=1, max_size=20))
    path = tmp_path_factory.mktemp("values") / "online.db"
    view = make_view({"id": "BIGINT", "ts": "TIMESTAMP", "value": kind})
    for shift in (0, 1):
        rows = [str(v) if kind == "UUID" and v is not None else v for v in values[shift:] + values[:shift]]
        load(path, view, ({"id": i, "ts": T, "value": v} for i, v in enumerate(rows)))
        check(path)


KEYS = {
    "one integer": ({"id": "BIGINT"}, lambda n: {"id": n * 7 - 100}),
    "one text": ({"id": "VARCHAR"}, lambda n: {"id": f"{n}é"}),
    "a wide integer": ({"id": "HUGEINT"}, lambda n: {"id": 3 ** (n + 20)}),
    "two": ({"a": "VARCHAR", "b": "DECIMAL(9,1)"}, lambda n: {"a": "xyz"[n % 3], "b": Decimal(n // 3).scaleb(-1)}),
    "none": ({}, lambda n: {}),
}


@pytest.mark.parametrize("keys", KEYS)
def test_a_table_and_its_hash_are_those_of_the_last_load_alone(tmp_path: Path, keys: str) -> None:
    """Sorted and shuffled, sparse and dense, zeros of both signs, after any other loads."""
    kinds, key = KEYS[keys]
    view = make_view({**kinds, "ts": "TIMESTAMP", "x": "DOUBLE", "y": "BIGINT"}, keys=tuple(kinds))
    chance = random.Random(5)

    def rows(numbers: range, share: float) -> list[dict[str, Any]]:
        found = [
            {**key(n), "ts": T + timedelta(hours=chance.choice([0, 0, 1])), "x": chance.choice([0.0, -0.0, 1.5, None])}
            | {"y": chance.choice([0, 1])}
            for n in numbers
            if chance.random() < share
        ]
        return found if kinds else found[:1]

    loads = [rows(range(36), 1.0), rows(range(0, 36, 17), 1.0), rows(range(-9, 38), 0.5)]
    ends: list[set[Any]] = [set(), set(), set()]
    for number, order in enumerate(itertools.permutations(range(3))):
        path = tmp_path / f"{number}.db"
        for which in (*order, order[0]):
            shuffled = chance.sample(loads[which], len(loads[which]))
            report = load(path, view, shuffled if number % 2 else loads[which], shrink=True)
            assert report.rows_seen == report.new + report.changed + report.unchanged
            check(path)
            with opened(path) as connection:
                ends[which].add((tuple(dump(path)), read_views(connection, path)["orders"].hashes))
    assert [len(end) for end in ends] == [1, 1, 1]


def test_a_load_tells_what_is_new_changed_and_the_same_to_the_bit(path: Path) -> None:
    view = make_view(PLAIN)
    load(path, view, [{"id": i, "ts": T, "amount": -0.0} for i in range(5)])
    given_rows = [{"id": i, "ts": T, "amount": 0.0 if i == 2 else -0.0} for i in range(4)]
    report = load(path, view, [*given_rows, {"id": 9, "ts": T}])
    assert (report.new, report.changed, report.removed, report.unchanged, report.rows_total) == (1, 1, 1, 3, 5)
    assert [str(row[2]) for row in stored_rows(path)] == ["-0.0", "-0.0", "0.0", "-0.0", "None"]


def test_events_and_tiles_are_hashed(path: Path) -> None:
    rows = [{"id": n % 3, "ts": T + timedelta(seconds=n), "_1": n / 7} for n in range(200)]
    for given_rows in (rows[:150], rows[40:], rows[40:], []):
        with open_writer(path) as writer:
            writer.load(SUM, [make_batch(SUM, [])], NOON)
            writer.load_events(SUM, [event_batch(SUM, given_rows)], NOON)
        check(path)
    with opened(path) as connection:
        assert connection.execute('SELECT count(*) FROM "orders.tiles"').fetchone() == (0,)


def test_a_rebuilt_and_a_forgotten_view_leave_no_hash_behind(path: Path) -> None:
    load(path, make_view(PLAIN), [{"id": 1, "ts": T}])
    load(path, make_view(PLAIN, fingerprint="two"), [{"id": 2, "ts": T}])
    check(path)
    load(path, make_view(PLAIN, fingerprint="two"), [], full=True)
    check(path)
    with open_writer(path) as writer:
        writer.forget("orders")
        writer.services([OnlineService("s", (ServicePart("orders"),))])
    check(path)


def test_a_table_changed_by_hand_is_told_until_it_is_loaded_anew(path: Path) -> None:
    view = make_view(PLAIN)
    load(path, view, [{"id": i, "ts": T, "amount": 1.0} for i in range(9)])
    with opened(path) as connection:
        connection.execute("UPDATE orders SET amount = 1.0000000000000002 WHERE id = 4")
    for rows in ([], [{"id": 4, "ts": T, "amount": 5.0}]):
        load(path, view, rows, shrink=True)
        with pytest.raises(AssertionError):
            check(path)
    load(path, view, [], full=True)
    check(path)


def test_a_hash_that_is_none_is_an_error_of_the_file(path: Path) -> None:
    view = make_view(PLAIN)
    load(path, view, [])
    with opened(path) as connection:
        connection.execute("UPDATE _asknown_views SET rows_hash = 'x', hash = NULL")
    with pytest.raises(AsknownError, match="'x' is no hash of a table") as caught:
        load(path, view, [])
    assert caught.value.code == "online-corrupt"
    load(path, view, [], full=True)
    check(path)


@pytest.mark.parametrize("column", ["watermark", "ttl_us", "rows", "rows_hash", "fingerprint", "keys", "events"])
def test_every_column_of_the_metadata_is_hashed(path: Path, column: str) -> None:
    view: OnlineView = replace(make_view(PLAIN), ttl=5)
    load(path, view, [])
    check(path)
    with opened(path) as connection:
        connection.execute(f"UPDATE _asknown_views SET {column} = iif({column} IS NULL, 0, {column} || '1')")
        assert sort_views(connection) == ({}, {"orders": "is not what was written"})
    with pytest.raises(AsknownError, match="of the view 'orders' is not what was written") as caught:
        load(path, view, [])
    assert caught.value.hint == "load the view anew: asknown materialize orders --full-refresh"
    with pytest.raises(AsknownError, match="is not what was written"):
        OnlineReader(path)
    load(path, make_view(PLAIN, name="other"), [])
    load(path, view, [], full=True)
    check(path)
