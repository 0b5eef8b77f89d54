"""Names that compiled SQL uses may be a user's: of tables, models, CTEs, columns of views and of the spine."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from asknown import AsknownError, FeatureStore
from engines.harness import Warehouse, quote

WORDS = """
    given spine row s m v h k b t q raw count first last quarter bucket ties event_time known_at created_at listed asked
    match moments events rows windows parts tiles bands lengths sums rounded unrounded far best known winners
    spent_windows spent__moments spent__events spent__match spent__rows spent__windows spent__parts
"""
OURS = tuple(WORDS.split())
"""The names and aliases in the SQL that asknown writes for a view ``spent``."""
AT = [datetime(2024, 1, day) for day in (1, 2, 1)]
ORDERS = pa.table(
    {
        "customer": pa.array([1, 1, 2], pa.int64()),
        "seen": pa.array(AT, pa.timestamp("us")),
        **{name: pa.array([place, None, place + 0.5], pa.float64()) for place, name in enumerate(OURS)},
    }
)
SPINE = pa.table(
    {
        "id": pa.array([1, 2, 3], pa.int64()),
        "customer": pa.array([1, 2, 3], pa.int64()),
        "instant": pa.array([datetime(2024, 1, 3)] * 3, pa.timestamp("us")),
        **{name: pa.array([place] * 3, pa.int64()) for place, name in enumerate(OURS)},
    }
)
MODELS = ("given", "spine", "row", "m", "v", "moments", "windows", "spent__rows", "spent__events")
TABLES = ("given", "spine", "moments", "spent__moments", "s")
"""The tables that hold the orders: each has a name of ours."""
BARE = ("spent__moments", "s")
"""Those that the sources name without a schema."""


def write_project(folder: Path, target: dict[str, Any], schema: str) -> None:
    (folder / "models").mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "p"\n')
    (folder / "profiles.yml").write_text(json.dumps({"p": {"outputs": {"dev": target}}}))
    named = {name: f"{schema}.{quote(str(target['type']), name)}" for name in (*TABLES, "ask")}
    named |= {name: name for name in BARE}
    tables = [{"name": name, "identifier": identifier} for name, identifier in named.items()]
    properties = {"sources": [{"name": "given", "tables": tables}], "entities": [{"name": "customer"}]}
    (folder / "models" / "m.yml").write_text(json.dumps(properties))
    below = "{{ source('given', 'spine') }}"
    for name in MODELS:  # a chain of models, each with a CTE of its own name
        inner = "spine" if name != "spine" else "given"
        text = f'with "{inner}" as (select * from {below}) select "{inner}".* from "{inner}"'
        (folder / "models" / f"{name}.sql").write_text(text)
        below = f"{{{{ ref('{name}') }}}}"
    config = "{{ config(entity='customer', event_time='seen', known_at='known_at') }}\n"
    unions = "select * from {{ source('given', 's') }} union all "
    unions += "select * from {{ source('given', 'spent__moments') }} where customer is null"
    columns = ", ".join(f'given."{name}" as "{name}_"' for name in OURS if name != "known_at")
    windows = ", ".join(
        f"{function}(given.\"{name}\") over {{{{ last('9 days') }}}} as {function}_{name}"
        for name in OURS[:5]
        for function in ("sum", "avg", "max")
    )
    text = f"with moments as ({unions}) select customer, given.seen, given.seen as known_at, {columns}, {windows}"
    (folder / "models" / "spent.sql").write_text(
        f"{config}{text} from {below} as given join moments using (customer, seen)"
    )


def ask(folder: Path, spine: Any) -> list[dict[str, Any]]:
    with FeatureStore(folder) as store:
        job = store.get_historical_features(spine, ["spent"], timestamp="instant")
        return sorted(job.to_arrow().to_pylist(), key=lambda row: int(row["id"]))


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("duckdb")
    with duckdb.connect(str(folder / "w.duckdb")) as connection:
        for name, data in {**dict.fromkeys(TABLES, ORDERS), "ask": SPINE}.items():
            connection.register("incoming", data)
            connection.execute(f'create table "{name}" as select * from incoming')
    write_project(folder, {"type": "duckdb", "path": "w.duckdb"}, "main")
    return ask(folder, SPINE)


def test_a_user_may_have_every_name_of_ours(
    warehouse: Warehouse, tmp_path: Path, expected: list[dict[str, Any]]
) -> None:
    warehouse.load(tmp_path, {**dict.fromkeys(TABLES, ORDERS), "ask": SPINE})
    write_project(tmp_path, warehouse.target(tmp_path), warehouse.schema)
    assert expected[0]["sum_given"] == 0 and expected[1]["sum_spine"] == 1.5
    for spine in (
        SPINE,
        f"select * from {warehouse.schema}.ask",
        "select * from {{ source('given', 'ask') }} as given",
    ):
        assert ask(tmp_path, spine) == expected


def test_a_model_is_not_read_in_a_tables_place(warehouse: Warehouse, tmp_path: Path) -> None:
    """ClickHouse would take a table without a schema for the model of its name, which comes later."""
    warehouse.load(tmp_path, {"orders": ORDERS})
    write_project(tmp_path, warehouse.target(tmp_path), warehouse.schema)
    for path in (tmp_path / "models").glob("*.sql"):
        path.unlink()
    source = {"name": "given", "tables": [{"name": "o", "identifier": "orders"}]}
    (tmp_path / "models" / "m.yml").write_text(json.dumps({"sources": [source], "entities": [{"name": "customer"}]}))
    (tmp_path / "models" / "orders.sql").write_text("select 7 as customer")
    config = "{{ config(entity='customer', event_time='seen') }}\n"
    text = (
        "select customer, seen, given as g from {{ source('given', 'o') }} where customer not in (select customer from "
    )
    (tmp_path / "models" / "spent.sql").write_text(f"{config}{text}{{{{ ref('orders') }}}})")
    with FeatureStore(tmp_path) as store:
        if warehouse.name != "clickhouse":
            assert store.get_historical_features(SPINE, ["spent"], timestamp="instant").to_arrow()["g"].null_count == 2
            return
        with pytest.raises(
            AsknownError, match="reads the table 'orders', and clickhouse would read the model"
        ) as raised:
            store.get_historical_features(SPINE, ["spent"], timestamp="instant")
    assert "identifier: schema.orders" in (raised.value.hint or "")
