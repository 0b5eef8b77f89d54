"""A training query that is compiled for a range of instants takes the rows in it, and says so in plain conditions."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlglot import exp, parse_one

from asknown import AsknownError, FeatureStore
from engines.harness import Warehouse
from engines.test_golden import DIALECTS, assert_reads_back
from engines.test_tables_in_spines import ORDERS, write_project

FROM, UNTIL = "2024-01-02", "2024-01-03T12:00:00"
AT = [datetime(2024, 1, 1), datetime(2024, 1, 2), datetime(2024, 1, 3, 12), datetime(2024, 1, 3, 12, 0, 0, 1)]
SPINE = pa.table(
    {"customer": pa.array([1, 1, 2, 1], pa.int64()), "event_timestamp": pa.array([*AT], pa.timestamp("us"))}
)
RANGES: tuple[tuple[str | None, str | None, list[int]], ...] = (
    (FROM, UNTIL, [1, 2]),
    (FROM, None, [1, 2, 3]),
    (None, UNTIL, [0, 1, 2]),
    (None, None, [0, 1, 2, 3]),
)


def test_a_range_gives_its_rows(warehouse: Warehouse, tmp_path: Path) -> None:
    warehouse.load(tmp_path, {"orders": ORDERS, "spine": SPINE})
    write_project(tmp_path, warehouse.target(tmp_path), warehouse.schema)
    with FeatureStore(tmp_path) as store:
        for first, last, places in RANGES:
            sql = store.compile_service(["spent"], from_=first, until=last)
            found = sorted(store.typed_catalog.engine.rows(sql), key=lambda row: row[1])
            wanted = store.get_historical_features(SPINE.take(places), ["spent"]).to_arrow().to_pylist()
            assert [list(row) for row in found] == [list(row.values()) for row in wanted], (first, last)


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    """A project of which no table exists."""
    write_project(tmp_path, {"type": "bigquery"}, "shop")
    columns = [("customer", "bigint"), ("seen", "timestamp"), ("cents", "bigint"), ("zoned", "timestamptz")]
    listed: list[dict[str, Any]] = [{"name": n, "data_type": t} for n, t in [*columns, ("day", "date")]]
    table = {"name": "orders", "identifier": "shop.orders", "columns": listed}
    properties = {"sources": [{"name": "raw", "tables": [table]}], "entities": [{"name": "customer"}]}
    (tmp_path / "models" / "m.yml").write_text(json.dumps(properties))
    for time in ("zoned", "day"):
        view = f"{{{{ config(entity='customer', event_time='{time}', ttl='2 days') }}}}\n"
        view += f"select customer, {time}, cents as {time}_cents from {{{{ source('raw', 'orders') }}}}"
        (tmp_path / "models" / f"by_{time}.sql").write_text(view)
    return FeatureStore(tmp_path)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_conditions_are_on_the_columns_themselves(store: FeatureStore, dialect: str) -> None:
    sql = store.compile_service(["spent", "by_zoned", "by_day"], dialect=dialect, from_=FROM, until=UNTIL)
    assert_reads_back(sql, dialect)
    tree = parse_one(sql, read=DIALECTS[dialect].sqlglot)
    limits = [
        (type(limit).__name__, limit.this.name.casefold(), limit.expression.sql())
        for limit in tree.find_all(exp.GTE, exp.LTE)
        if isinstance(limit.this, exp.Column) and not limit.expression.find(exp.Column)
    ]
    for kind, column, day in (
        ("GTE", "event_timestamp", "2024-01-02"),
        ("LTE", "event_timestamp", "2024-01-03"),
        ("LTE", "seen", "2024-01-03"),
        ("GTE", "seen", "2023-12-25"),  # seven days before the first, and a microsecond
        ("GTE", "zoned", "2023-12-31"),  # a ttl of two days
        ("LTE", "zoned", "2024-01-03"),
        ("LTE", "day", "2024-01-03"),
    ):
        found = [text for k, c, text in limits if (k, c) == (kind, column)]
        assert found, (kind, column, limits)
        assert dialect == "clickhouse" or any(day in text for text in found), found
    assert "row_number() over ()" not in sql.casefold() or dialect == "duckdb"


def test_a_range_that_is_none(store: FeatureStore) -> None:
    with pytest.raises(AsknownError, match="lies before from"):
        store.compile_service(["spent"], dialect="bigquery", from_=UNTIL, until=FROM)
    with pytest.raises(AsknownError, match="from: 'soon' is not an instant"):
        store.compile_service(["spent"], dialect="bigquery", from_="soon")
