"""A spine's SQL names tables of the warehouse as they are called there, holds Jinja, and gives what DuckDB gives."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from asknown import AsknownError, FeatureStore
from engines.harness import Warehouse

ORDERS = pa.table(
    {
        "customer": pa.array([1, 1, 2], pa.int64()),
        "seen": pa.array([datetime(2024, 1, 1), datetime(2024, 1, 2), datetime(2024, 1, 1)], pa.timestamp("us")),
        "cents": pa.array([150, 250, 400], pa.int64()),
    }
)
DECISIONS = pa.table(
    {
        "id": pa.array([1, 2, 3], pa.int64()),
        "customer": pa.array([1, 2, 3], pa.int64()),
        "asked": pa.array([datetime(2024, 1, 1, 12), datetime(2024, 1, 3), datetime(2024, 1, 1)], pa.timestamp("us")),
    }
)
SPINES = (
    "select * from main.decisions order by id",
    "select main.decisions.id, customer, asked from main.decisions where main.decisions.id < 3 order by id",
    "with late as (select d.id, d.customer, d.asked from main.decisions as d)\nselect late.* from late where id > 1\n"
    "order by id",
    "select d.id, o.customer, o.seen as asked from main.decisions as d\njoin {{ source('raw', 'orders') }} as o "
    "on o.customer = d.customer\norder by id, asked",
    "{% set ids = [1, 2] %}\nselect id, customer, asked from main.decisions where id in ({{ ids | join(', ') }})\n"
    "order by id",
    "select a.id, a.customer, a.asked from main.decisions as a\nwhere exists (select 1 from main.orders as o where "
    "o.customer = a.customer)\norder by id",
    "select id, customer, asked + interval '{{ var('hours', 2) }} hours' as asked from main.decisions order by id",
)


def write_project(folder: Path, target: dict[str, Any], schema: str) -> None:
    (folder / "models").mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "p"\n')
    (folder / "profiles.yml").write_text(json.dumps({"p": {"outputs": {"dev": target}}}))
    table = {"name": "orders", "identifier": f"{schema}.orders"}
    properties = {"sources": [{"name": "raw", "tables": [table]}], "entities": [{"name": "customer"}]}
    (folder / "models" / "m.yml").write_text(json.dumps(properties))
    view = "{{ config(entity='customer', event_time='seen') }}\n"
    view += (
        "select customer, seen, cents, sum(cents) over {{ last('7 days') }} as total from {{ source('raw', 'orders') }}"
    )
    (folder / "models" / "spent.sql").write_text(view)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[list[dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("duckdb")
    with duckdb.connect(str(folder / "w.duckdb")) as connection:
        for name, data in {"orders": ORDERS, "decisions": DECISIONS}.items():
            connection.register("incoming", data)
            connection.execute(f"create table {name} as select * from incoming")
    write_project(folder, {"type": "duckdb", "path": "w.duckdb"}, "main")
    return [ask(folder, spine) for spine in SPINES]


def ask(folder: Path, spine: str) -> list[dict[str, Any]]:
    with FeatureStore(folder) as store:
        rows = store.get_historical_features(spine, ["spent"], timestamp="asked").to_arrow().to_pylist()
    return sorted(
        rows, key=lambda row: (row["id"], row["asked"])
    )  # no order of the spine's own on ClickHouse and Spark


@pytest.fixture(scope="module")
def folder(warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(warehouse.name)
    warehouse.load(folder, {"orders": ORDERS, "decisions": DECISIONS})
    write_project(folder, warehouse.target(folder), warehouse.schema)
    return folder


def test_a_spine_names_tables(warehouse: Warehouse, folder: Path, expected: list[list[dict[str, Any]]]) -> None:
    for spine, wanted in zip(SPINES, expected, strict=True):
        assert wanted
        assert ask(folder, spine.replace("main.", f"{warehouse.schema}.")) == wanted, spine


def test_a_table_that_is_not_there(warehouse: Warehouse, folder: Path) -> None:
    with pytest.raises(AsknownError) as raised:
        ask(folder, f"select * from {warehouse.schema}.decision")
    assert raised.value.code == "no-data"
    assert "decision" in raised.value.message and raised.value.message.startswith("the spine's SQL: ")
    with pytest.raises(AsknownError, match=r"column|COLUMN|Unknown") as raised:
        ask(folder, f"select nope, asked from {warehouse.schema}.decisions")
    assert raised.value.message.startswith("the spine's SQL: ")


def test_a_model_that_names_a_table_is_told_to_declare_it(folder: Path) -> None:
    model = folder / "models" / "wrong.sql"
    model.write_text("{{ config(entity='customer', event_time='seen') }}\nselect * from main.orders\n")
    try:
        with FeatureStore(folder) as store, pytest.raises(AsknownError) as raised:
            store.compile_service(["wrong"])
    finally:
        model.unlink()
    assert raised.value.code == "no-data"
    assert "{{ source('…', '…') }}" in (raised.value.hint or "")
