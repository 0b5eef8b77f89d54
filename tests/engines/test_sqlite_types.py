"""Types on SQLite: found without running a query, and values checked against them."""

from __future__ import annotations

import datetime as dt
import sqlite3
import time
from decimal import Decimal
from pathlib import Path

import pytest
from sqlite_database import database, engine, opened

from asknown.engines.sqlite import SQLite
from asknown.errors import AsknownError

__all__ = ["database", "engine"]

# ---------------------------------------------------------------- types


def test_declared_columns_have_their_types(database: Path) -> None:
    engine = opened(database)
    found = {name: str(kind) for name, kind in engine.describe("SELECT * FROM orders")}
    assert found == {
        "id": "BIGINT",
        "customer": "VARCHAR",
        "small": "SMALLINT",
        "price": "DOUBLE",
        "cost": "DOUBLE",
        "paid": "BOOLEAN",
        "tax": "DECIMAL(10,2)",
        "wide": "DECIMAL(30, 2)",
        "ordered_at": "TIMESTAMP",
        "seen_at": "TIMESTAMP WITH TIME ZONE",
        "due": "DATE",
        "opens": "TIME",
        "code": "VARCHAR",
        "raw": "BLOB",
        "ref": "UUID",
        "name": "STRING",  # SQLite keeps numbers in it, so it is no text
        "loose": "ANY",
        "counted": "NUMERIC",
    }
    kinds = dict(engine.describe("SELECT * FROM orders"))
    assert [name for name, kind in kinds.items() if kind.kind == "other"] == ["wide", "name", "loose", "counted"]
    engine.close()


EXPRESSIONS = [
    ("o.price", "DOUBLE"),
    ("price > 1", "BOOLEAN"),
    ("price IS NULL AND paid", "BOOLEAN"),
    ("customer LIKE 'a%'", "BOOLEAN"),
    ("id IN (1, 2)", "BOOLEAN"),
    ("EXISTS (SELECT 1 FROM orders)", "BOOLEAN"),
    ("id + 1", "BIGINT"),
    ("id / 2", "BIGINT"),
    ("id / 2.0", "DOUBLE"),
    ("-price * id", "DOUBLE"),
    ("id & 3", "BIGINT"),
    ("tax * 2", "ANY"),  # SQLite multiplies floats
    ("sum(tax)", "ANY"),
    ("sum_decimal(tax)", "DECIMAL(38,2)"),
    ("ordered_at + 1", "ANY"),
    ("counted + 1", "ANY"),
    ("loose", "ANY"),
    ("cast(loose AS integer)", "BIGINT"),
    ("cast(loose AS real)", "DOUBLE"),
    ("cast(loose AS text)", "VARCHAR"),
    ("cast(loose AS timestamp)", "ANY"),  # SQLite would make the number 2013 of it
    ("cast(id AS timestamp)", "TIMESTAMP"),
    ("datetime(ordered_at)", "TIMESTAMP"),
    ("date(ordered_at)", "DATE"),
    ("customer || '!'", "VARCHAR"),
    ("upper(customer)", "VARCHAR"),
    ("length(customer)", "BIGINT"),
    ("round(price)", "DOUBLE"),
    ("abs(id)", "BIGINT"),
    ("coalesce(price, id)", "DOUBLE"),
    ("coalesce(customer, id)", "ANY"),
    ("nullif(price, 0)", "DOUBLE"),
    ("iif(paid, price, NULL)", "DOUBLE"),
    ("CASE WHEN paid THEN due END", "DATE"),
    ("CASE WHEN paid THEN 1 ELSE 'no' END", "ANY"),
    ("count(*)", "BIGINT"),
    ("count(DISTINCT id) FILTER (WHERE paid)", "BIGINT"),
    ("sum(id)", "BIGINT"),
    ("sum(price)", "DOUBLE"),
    ("avg(id)", "DOUBLE"),
    ("max(ordered_at)", "TIMESTAMP"),
    ("min(paid)", "BOOLEAN"),
    ("max(price) OVER (PARTITION BY customer)", "DOUBLE"),
    ("row_number() OVER (ORDER BY id)", "BIGINT"),
    ("lag(due) OVER (ORDER BY id)", "DATE"),
    ("lag(price, 1, 0) OVER (ORDER BY id)", "DOUBLE"),
    ("first_value(customer) OVER (ORDER BY id)", "VARCHAR"),
    ("(SELECT max(price) FROM orders i WHERE i.id = o.id)", "DOUBLE"),
    ("NULL", "ANY"),
    ("'a'", "VARCHAR"),
    ("9223372036854775807", "BIGINT"),
    ("9223372036854775808", "DOUBLE"),
    ("utc_micros(seen_at)", "BIGINT"),
    ("zone_micros(ordered_at, 'Europe/Paris')", "TIMESTAMP"),
    ("typed(id, 'HUGEINT')", "HUGEINT"),
    ("typed(paid, 'BOOLEAN')", "BOOLEAN"),
    ("typed(utc_micros(ordered_at), 'TIMESTAMP WITH TIME ZONE')", "TIMESTAMP WITH TIME ZONE"),
    ("typed(tax, 'DECIMAL(12,3)')", "DECIMAL(12,3)"),
    ("typed(list_by(id, id), 'SMALLINT[]')", "SMALLINT[]"),
    ("fsum(price)", "DOUBLE"),
    ("percentile_cont(id, 0.5)", "DOUBLE"),
    ("variance(price)", "DOUBLE"),
    ("list_by(price, utc_micros(ordered_at))", "DOUBLE[]"),
    ("last_by(due, ordered_at)", "DATE"),
    ("json_extract(customer, '$')", "ANY"),
]


@pytest.mark.parametrize(("expression", "kind"), EXPRESSIONS)
def test_expressions_have_the_one_type_they_can_have(database: Path, expression: str, kind: str) -> None:
    engine = opened(database)
    ((name, found),) = engine.describe(f"SELECT {expression} AS x FROM orders AS o")
    assert (name, str(found)) == ("x", kind)
    if kind != "ANY":  # and the values that SQLite gives fit it
        engine.stream(f"SELECT {expression} AS x FROM orders AS o").read_all()
    engine.close()


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ("WITH a AS MATERIALIZED (SELECT id, due FROM orders) SELECT a.*, 1 > 0 AS x FROM a", "BIGINT DATE BOOLEAN"),
        ("WITH a(x, y) AS (SELECT id, due FROM orders) SELECT y, x FROM a", "DATE BIGINT"),
        (
            "SELECT * FROM (SELECT price AS p FROM orders) LEFT JOIN late ON p = twice",
            "DOUBLE BIGINT TIMESTAMP BOOLEAN DOUBLE",
        ),
        ("SELECT * FROM orders AS a JOIN late AS b USING (id, ordered_at)", None),
        ("SELECT NULL AS x UNION ALL SELECT price FROM orders", "DOUBLE"),
        ("SELECT id AS x FROM orders UNION ALL SELECT price FROM orders", "DOUBLE"),
        ("SELECT id AS x FROM orders UNION SELECT customer FROM orders", "ANY"),
        ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT i FROM n", "BIGINT"),
        ("SELECT column1 AS a, column2 AS b FROM (VALUES (1, 'a'), (2.5, NULL))", "DOUBLE VARCHAR"),
        ("SELECT * FROM main.orders WHERE 0", None),
        ("SELECT id, ID FROM orders", "BIGINT BIGINT"),
    ],
)
def test_types_go_through_queries(database: Path, query: str, kinds: str | None) -> None:
    engine = opened(database)
    found = engine.describe(query)
    if kinds is None:
        expected = engine.describe("SELECT * FROM orders")
        assert found[: len(expected)] == expected
    else:
        assert [str(kind) for _, kind in found] == kinds.split()
    engine.close()


def test_describing_runs_nothing(engine: SQLite) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS c FROM n"
    started = time.monotonic()
    assert [(name, str(kind)) for name, kind in engine.describe(endless)] == [("c", "BIGINT")]
    assert time.monotonic() - started < 1


def test_a_column_without_a_type_says_what_to_write(database: Path) -> None:
    engine = opened(database)
    with pytest.raises(AsknownError, match="does not say which type column 'loose' has") as caught:
        engine.stream("SELECT id, loose FROM orders")
    assert caught.value.code == "unsupported-type"
    assert "cast(loose as integer)" in str(caught.value.hint)
    with pytest.raises(AsknownError, match=r"DECIMAL\(30, 2\)"):
        engine.stream("SELECT wide FROM orders")
    engine.close()


WRONG = [
    ("i INTEGER", "'a'", "'a'"),
    ("i INTEGER", "1.5", "1.5"),
    ("i SMALLINT", "40000", "40000"),
    ("b BOOLEAN", "2", "2"),
    ("b BOOLEAN", "'true'", "'true'"),
    ("d DATE", "'2013-02-30'", "2013-02-30"),
    ("d DATE", "'2013-02-01 10:00:00'", "2013-02-01 10:00:00"),
    ("d DATE", "15000", "15000"),
    ("t TIMESTAMP", "2456324.5", "2456324.5"),
    ("t TIMESTAMP", "'31/01/2013'", "31/01/2013"),
    ("t TIMESTAMP", "'2013-01-31 23:59:59.1234567'", "1234567"),
    ("r REAL", "'NaNs'", "NaNs"),
    ("r REAL", "x'00'", "1 bytes"),
    ("n DECIMAL(6, 2)", "1.005", "1.005"),
    ("n DECIMAL(6, 2)", "'a'", "'a'"),
    ("s TEXT", "x'00'", "1 bytes"),
    ("u UUID", "'nobody'", "nobody"),
    ("f FLOAT4", "0.1", "0.1"),
]


@pytest.mark.parametrize(("column", "value", "shown"), WRONG)
def test_a_value_that_its_type_does_not_have_is_an_error(database: Path, column: str, value: str, shown: str) -> None:
    with sqlite3.connect(database) as con:
        con.execute(f"CREATE TABLE w (k INTEGER, {column})")
        con.executescript(f"INSERT INTO w VALUES (1, NULL); INSERT INTO w VALUES (2, {value})")
    con.close()
    engine = opened(database)
    name, _, _ = column.partition(" ")
    with pytest.raises(AsknownError, match=f"column '{name}'") as caught:
        engine.stream("SELECT * FROM w").read_all()
    assert shown in caught.value.message
    engine.close()


def test_a_sum_that_overflows_is_an_error(engine: SQLite) -> None:
    with pytest.raises(AsknownError, match="integer overflow"):
        engine.rows("SELECT sum(x) FROM (SELECT 9223372036854775807 AS x UNION ALL SELECT 1)")
    with pytest.raises(AsknownError, match="column 'x' is BIGINT"):  # SQLite goes on in floats
        engine.stream("SELECT 9223372036854775807 + i AS x FROM (SELECT 1 AS i)").read_all()


def test_stored_values_come_out_in_their_types(database: Path) -> None:
    engine = opened(database)
    kept = "id, small, price, cost, paid, tax, ordered_at, seen_at, due, opens, code, raw, ref"
    table = engine.stream(f"SELECT {kept} FROM orders ORDER BY id").read_all()
    assert table.to_pylist()[0] == {
        "id": 1,
        "small": 2,
        "price": 1.5,
        "cost": 2.0,
        "paid": True,
        "tax": Decimal("1.10"),
        "ordered_at": dt.datetime(2013, 1, 31, 23, 59, 59, 500_000),
        "seen_at": dt.datetime(2013, 1, 31, 22, 59, 59, tzinfo=dt.UTC),
        "due": dt.date(2013, 2, 28),
        "opens": dt.time(10),
        "code": "007",
        "raw": b"\x00\xff",
        "ref": "6f2c1e2a-0000-4000-8000-000000000001",
    }
    assert table.to_pylist()[1] == dict.fromkeys(table.column_names) | {"id": 2}
    last = table.to_pylist()[2]
    assert last["ordered_at"] == dt.datetime(1969, 12, 31, 23, 59, 59, 999_999)
    assert last["seen_at"] == dt.datetime(1970, 1, 2, 0, 0, 0, 1, tzinfo=dt.UTC)
    assert last["tax"] == Decimal("12.00")
    assert last["ref"] == "6f2c1e2a-0000-4000-8000-000000000002"
    assert str(table.schema.field("small").type) == "int16"
    assert engine.rows("SELECT tax, ordered_at FROM orders WHERE id = 1") == [
        (Decimal("1.10"), dt.datetime(2013, 1, 31, 23, 59, 59, 500_000))
    ]
    engine.close()
