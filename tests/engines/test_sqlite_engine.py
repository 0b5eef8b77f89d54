"""The SQLite engine: spines, tables that it builds, files, errors, interrupts."""

from __future__ import annotations

import datetime as dt
import math
import os
import signal
import sqlite3
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlite_database import AT, database, engine, opened

from asknown.engines.sqlite import SQLite
from asknown.errors import AsknownError
from asknown.project.nodes import Target

__all__ = ["database", "engine"]

# ---------------------------------------------------------------- spines


def hostile() -> pa.Table:
    far = dt.datetime(9999, 12, 31, 23, 59, 59, 999_999)
    before = dt.datetime(1969, 12, 31, 23, 59, 59, 999_999)
    decimals = [Decimal("-99999999.99"), Decimal("0.10"), None, Decimal("0")]
    return pa.table(
        {
            "i8": pa.array([-128, 127, None, 0], pa.int8()),
            "u8": pa.array([0, 255, None, 1], pa.uint8()),
            "i32": pa.array([-(2**31), 2**31 - 1, None, 0], pa.int32()),
            "i64": pa.array([-(2**63), 2**63 - 1, None, 0], pa.int64()),
            "u64": pa.array([0, 2**63 - 1, None, 1], pa.uint64()),
            "f32": pa.array([0.1, -math.inf, None, -0.0], pa.float32()),
            "f64": pa.array([5e-324, math.inf, None, -0.0], pa.float64()),
            "nan": pa.array([math.nan, -0.0, None, 1.7976931348623157e308], pa.float64()),
            "flag": pa.array([True, False, None, True]),
            "price": pa.array(decimals, pa.decimal128(10, 2)),
            "text": pa.array(["", "a\x00b", None, "😀 ' \" é"]),
            "big": pa.array(["x", "y", None, ""], pa.large_string()),
            "word": pa.array(["a", "b", None, "a"]).dictionary_encode(),
            "raw": pa.array([b"", b"\x00\xff", None, b"a"], pa.binary()),
            "day": pa.array([dt.date(1, 1, 1), dt.date(9999, 12, 31), None, dt.date(1969, 12, 31)]),
            "hour": pa.array([dt.time(0), dt.time(23, 59, 59, 999_999), None, dt.time(1)], pa.time64("us")),
            "naive": pa.array([before, far, None, dt.datetime(1, 1, 1)], pa.timestamp("us")),
            "aware": pa.array([before, far, None, dt.datetime(1, 1, 1)], pa.timestamp("us", "UTC")),
            "second": pa.array([0, -1, None, 2], pa.timestamp("s")),
            "paris": pa.array([0, -1, None, 2], pa.timestamp("us", "Europe/Paris")),
            "list": pa.array([[1.5, math.nan, None], [], None, [-0.0]], pa.list_(pa.float64())),
            "struct": pa.array(
                [{"a b": 1, "t": before}, {"a b": None, "t": None}, None, {"a b": 2, "t": far}],
                pa.struct([("a b", pa.int32()), ("t", pa.timestamp("us"))]),
            ),
            "nothing": pa.nulls(4),
            'odd "name"': pa.array([1, 2, None, 4]),
        }
    )


def test_a_spine_comes_back_as_it_was_given(engine: SQLite) -> None:
    given = hostile()
    name = engine.load_spine(given).relation
    found = engine.stream(f"SELECT * FROM {name}").read_all()
    assert [str(field.type) for field in found.schema] == [
        *("int8", "uint8", "int32", "int64", "uint64", "float", "double", "double", "bool", "decimal128(10, 2)"),
        *("string", "string", "string", "binary", "date32[day]", "time64[us]", "timestamp[us]"),
        *("timestamp[us, tz=UTC]", "timestamp[us]", "timestamp[us, tz=UTC]", "list<l: double>"),
        *("struct<a b: int32, t: timestamp[us]>", "int32", "int64"),
    ]
    for name in given.column_names:
        expected = given.column(name).cast(found.column(name).type)
        assert bits(found.column(name)) == bits(expected), name


def bits(column: pa.ChunkedArray) -> list[str]:
    return [repr(value) for value in column.to_pylist()]


def test_describe_and_the_stream_agree(engine: SQLite) -> None:
    name = engine.load_spine(hostile()).relation
    described = engine.describe(f"SELECT * FROM {name}")
    schema = engine.stream(f"SELECT * FROM {name}").schema
    assert [found for found, _ in described] == schema.names
    assert str(dict(described)["struct"]) == 'STRUCT("a b" INTEGER, "t" TIMESTAMP)'


REFUSED = [
    pa.array([2**63], pa.uint64()),
    pa.array([Decimal("1234567890123.4567")], pa.decimal128(20, 4)),
    pa.array([2**55], pa.int64()).cast(pa.timestamp("ns")),
    pa.array([4_000_000], pa.date32()),
    pa.array([1], pa.duration("us")),
]


@pytest.mark.parametrize("column", REFUSED, ids=lambda column: str(column.type))
def test_a_spine_that_sqlite_would_change_is_refused(engine: SQLite, column: pa.Array) -> None:
    with pytest.raises(AsknownError, match="column 'x'") as caught:
        engine.load_spine(pa.table({"x": column}))
    assert caught.value.code == "unsupported-type"
    assert engine.load_spine(pa.table({"x": [1]})).relation == "temp._asknown_spine_1"  # nothing is left of the other


def test_a_million_rows_keep_their_order(engine: SQLite) -> None:
    count = 1_000_000
    keys = pa.array([(i * 7919) % 1000 for i in range(count)])
    times = pa.array(range(count, 0, -1), pa.int64()).cast(pa.timestamp("us"))
    name = engine.load_spine(pa.table({"k": keys, "event_timestamp": times})).relation
    rows = engine.rows(f"SELECT count(*), count(DISTINCT k) FROM {name}")
    assert rows == [(count, 1000)]
    query = f"SELECT row_number() OVER () AS r, event_timestamp FROM {name} ORDER BY r"
    found = engine.stream(query).read_all()
    assert found.column("event_timestamp").equals(pa.chunked_array([times]))


def test_spines_are_apart_and_leave_nothing_behind(database: Path) -> None:
    engine = opened(database)
    one, two = (engine.load_spine(pa.table({"x": [n]})).relation for n in (1, 2))
    assert engine.rows(f"SELECT a.x, b.x FROM {one} AS a, {two} AS b") == [(1, 2)]
    engine.close()
    with sqlite3.connect(database) as con:
        assert con.execute("SELECT name FROM sqlite_schema").fetchall() == [("orders",), ("late",)]
    assert sorted(path.name for path in database.parent.iterdir()) == ["warehouse.db"]


# ---------------------------------------------------------------- building and writing


def test_a_built_table_has_the_types_of_its_query(database: Path) -> None:
    engine = opened(database, writable=True)
    name = engine.load_spine(hostile().drop_columns(["nan", "nothing"])).relation
    query = f"SELECT *, i8 > 0 AS positive FROM {name}"
    engine.build("made", query, kind="table")
    described, expected = engine.describe('SELECT * FROM main."made"'), engine.describe(query)
    assert described == expected
    again, first = (engine.stream(sql).read_all() for sql in ("SELECT * FROM made", query))
    for column in first.column_names:
        if column not in ("f32", "f64"):
            assert bits(again.column(column)) == bits(first.column(column)), column
    assert math.copysign(1, again.column("f64")[3].as_py()) == 1  # a table of SQLite forgets the sign of a zero
    engine.build("made", "SELECT id, price > 1 AS dear FROM orders", kind="view")
    assert [str(kind) for _, kind in engine.describe("SELECT * FROM made")] == ["BIGINT", "BOOLEAN"]
    assert list(engine.built()) == ["orders", "late", "made"]
    engine.close()


def test_a_build_that_fails_changes_nothing(database: Path) -> None:
    engine = opened(database, writable=True)
    with pytest.raises(AsknownError, match="out of order"):
        engine.build("orders", "SELECT fail('out of order') AS x", kind="table")
    assert engine.rows("SELECT count(*) FROM orders") == [(3,)]
    engine.close()


def test_files_are_written_whole_or_not_at_all(engine: SQLite, tmp_path: Path) -> None:
    name = engine.load_spine(hostile().drop_columns(["list", "struct"])).relation
    path = tmp_path / "out.parquet"
    assert engine.write_file(f"SELECT * FROM {name}", path) == 4
    assert bits(pq.read_table(path).column("nan")) == ["nan", "-0.0", "None", "1.7976931348623157e+308"]
    assert engine.write_file(f"SELECT i8, text FROM {name}", tmp_path / "out.csv") == 4
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").startswith('"i8","text"')
    with pytest.raises(AsknownError):
        engine.write_file("SELECT CASE WHEN i = 2 THEN fail('no') ELSE i END AS x FROM (SELECT 2 AS i)", path)
    assert pq.read_table(path).num_rows == 4
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.csv", "out.parquet"]
    with pytest.raises(AsknownError, match="cannot write"):
        engine.write_file("SELECT 1 AS x", tmp_path / "none" / "out.parquet")


# ---------------------------------------------------------------- errors


ERRORS = [
    ("SELECT x FROM", "engine", "syntax error|incomplete"),
    ("SELECT nope FROM orders", "engine", "no such column: 'nope'"),
    ('SELECT id FROM orders WHERE "nope" > 1', "engine", "no such column: 'nope'"),  # to SQLite, the text 'nope'
    ("SELECT * FROM nope", "no-data", "no such table: 'nope'"),
    ("SELECT nope(1)", "engine", "no such function: 'nope'"),
    ("SELECT utc_micros('yesterday') AS x", "unsupported-type", "'yesterday'"),
    ("SELECT fail('too large') AS x", "engine", "too large"),
    ("SELECT fsum(x) AS x FROM (SELECT 9e999 AS x UNION ALL SELECT -9e999)", "engine", "NaN"),
]


@pytest.mark.parametrize(("sql", "code", "message"), ERRORS)
def test_errors_are_ours(database: Path, sql: str, code: str, message: str) -> None:
    engine = opened(database)
    with pytest.raises(AsknownError, match=message) as caught:
        engine.rows(sql)
    assert caught.value.code == code
    assert engine.rows("SELECT count(*) FROM orders") == [(3,)]
    engine.close()


def test_names_in_double_quotes_are_names(engine: SQLite) -> None:
    name = engine.load_spine(pa.table({'a "b" `c`': [1]})).relation
    sql = f"""SELECT "a ""b"" `c`" AS "x""y", '"z"''"' AS [q"r], -- "not this"
              /* "nor this" */ `a "b" ``c``` AS "last" FROM {name}"""
    assert engine.stream(sql).read_all().to_pylist() == [{'x"y': 1, 'q"r': '"z"\'"', "last": 1}]


def test_a_database_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(AsknownError, match="does not exist") as caught:
        opened(tmp_path / "none.db")
    assert (caught.value.code, caught.value.at) == ("no-data", AT)
    assert not (tmp_path / "none.db").exists()
    (tmp_path / "text.db").write_text("this is no database, and it is longer than a header" * 10)
    with pytest.raises(AsknownError, match="no SQLite database"):
        opened(tmp_path / "text.db")


@pytest.mark.parametrize(("options", "code"), [({"pth": "x.db"}, "unknown-key"), ({"path": 3}, "wrong-type")])
def test_options_are_checked(tmp_path: Path, options: dict[str, Any], code: str) -> None:
    with pytest.raises(AsknownError) as caught:
        SQLite(Target("here", "sqlite", options, AT), tmp_path)
    assert (caught.value.code, caught.value.at) == (code, AT)


def test_a_file_is_read_only_unless_it_is_to_be_written(database: Path) -> None:
    engine = opened(database)
    with pytest.raises(AsknownError, match="readonly"):
        engine.build("made", "SELECT 1 AS x", kind="table")
    assert engine.rows("SELECT count(*) FROM orders") == [(3,)]
    engine.close()


def test_check_says_what_there_is(database: Path) -> None:
    engine = opened(database)
    facts = engine.check()
    assert facts["engine"] == f"SQLite {sqlite3.sqlite_version}"
    assert facts["database"] == "warehouse.db"
    engine.close()


ENDLESS = [
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS x FROM n",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(utc_micros(i)) AS x FROM n",
]


@pytest.mark.parametrize("sql", ENDLESS, ids=["steps", "functions"])
def test_ctrl_c_ends_a_query(database: Path, sql: str) -> None:
    engine = opened(database)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        engine.stream(sql).read_all()
    timer.join()
    assert engine.rows("SELECT count(*) FROM orders") == [(3,)]
    engine.close()
