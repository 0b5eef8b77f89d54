"""``train --statuses``: the status beside each feature is that of an online read at the same keys and instant."""

from __future__ import annotations

import tempfile
from contextlib import closing
from datetime import datetime
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle
import strategies
import window_worlds
from asknown import AsknownError, FeatureStore
from asknown.plan.nodes import FORMS, Form
from oracle_values import instant, microseconds
from stores import open_store
from worlds import World, asked_features, exact, spine_table, write_project

EXAMPLES = max(15, settings().max_examples // 5)


def expected_statuses(world: World) -> list[dict[str, str]]:
    """The statuses of an online read at each row of the spine. A NULL instant sees no row."""
    found = []
    for row in world.spine:
        statuses = {}
        for data, feature, name in asked_features(world):
            asked_at = row[world.timestamp]
            if asked_at is None:
                statuses[name] = "NULL_VALUE" if feature in data.view.windows else "NOT_FOUND"
                continue
            at = instant(microseconds(asked_at)).replace(tzinfo=None)
            key = [row[column] for column in data.view.keys]
            statuses[name] = oracle.online(data.rows, key, at, at, data.view)[feature][1]
        found.append(statuses)
    return found


@pytest.mark.parametrize("form", [None, *FORMS])
@given(world=st.one_of(strategies.worlds(), window_worlds.worlds(online=True)))
@settings(max_examples=EXAMPLES)
def test_equal_those_of_an_online_read(form: Form | None, world: World) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(open_store(write_project(world, Path(folder)), form)) as store,
    ):
        asked = {"entity_df": spine_table(world), "features": list(world.asked), "timestamp": world.timestamp}
        job = store.get_historical_features(**asked, full_feature_names=world.full_names, statuses=True)
        rows = job.to_arrow().to_pylist()
        plain = store.get_historical_features(**asked, full_feature_names=world.full_names).to_arrow().to_pylist()
    names = [name for _, _, name in asked_features(world)]
    columns = [column.name for column in world.spine_columns]
    for row in rows:
        assert list(row) == columns + [part for name in names for part in (name, f"{name}__status")]
    assert [{name: exact(row[name]) for name in names} for row in rows] == [
        {name: exact(row[name]) for name in names} for row in plain
    ]
    assert [{name: row[f"{name}__status"] for name in names} for row in rows] == expected_statuses(world)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text('[tool.asknown]\nname = "shop"\n')
    (tmp_path / "profiles.yml").write_text(
        "shop: {target: dev, outputs: {dev: {type: duckdb, path: w.duckdb}}, online: {type: sqlite, path: online.db}}"
    )
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "shop.yml").write_text(
        "sources: [{name: shop, tables: [{name: orders, identifier: main.orders}]}]\n"
        "entities: [{name: customer, keys: [id]}]\n"
    )
    (tmp_path / "models" / "orders.sql").write_text(
        "{{ config(entity='customer', event_time='ts', known_at='paid', ttl='2 hours') }}\n"
        "select id, ts, paid, x, count(*) over {{ last('1 hour') }} as n from {{ source('shop', 'orders') }}"
    )
    (tmp_path / "models" / "asked.sql").write_text(
        "{{ config(inputs={'y': 'double'}) }}\nselect x + y as total from {{ request('orders:x') }}"
    )
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        connection.execute(
            "create table orders as select * from (values "
            "(1, timestamp '2024-01-01 10:00', timestamp '2024-01-01 10:00', 1.5), "
            "(2, timestamp '2024-01-01 10:00', timestamp '2024-01-01 11:00', 2.5), "
            "(3, timestamp '2024-01-01 10:00', timestamp '2024-01-01 10:00', null)) as t(id, ts, paid, x)"
        )
    return tmp_path


SPINE = (
    "select * from (values (1, timestamp '2024-01-01 12:00'), (1, timestamp '2024-01-01 12:00:00.000001'), "
    "(2, timestamp '2024-01-01 10:30'), (3, timestamp '2024-01-01 10:30'), (null, timestamp '2024-01-01 10:30'), "
    "(1, null)) as t(id, event_timestamp), (select 1.0::double as y)"
)


def test_of_every_kind_of_feature(shop: Path) -> None:
    with closing(FeatureStore(shop)) as store:
        job = store.get_historical_features(SPINE, ["orders", "asked", "orders:paid"], statuses=True)
        table = job.to_arrow()
        assert job.hindsight() == {"orders": 1}
        assert job.head(2).to_arrow().column("x__status").to_pylist() == ["PRESENT", "OUTSIDE_MAX_AGE"]
    found = {name: table.column(f"{name}__status").to_pylist() for name in ("x", "n", "total", "paid")}
    assert found == {
        "x": ["PRESENT", "OUTSIDE_MAX_AGE", "NOT_FOUND", "NULL_VALUE", "NOT_FOUND", "NOT_FOUND"],
        "n": ["PRESENT", "PRESENT", "PRESENT", "PRESENT", "PRESENT", "NULL_VALUE"],
        "total": ["PRESENT", "NULL_VALUE", "NULL_VALUE", "NULL_VALUE", "NULL_VALUE", "NULL_VALUE"],
        "paid": ["PRESENT", "OUTSIDE_MAX_AGE", "NOT_FOUND", "PRESENT", "NOT_FOUND", "NOT_FOUND"],
    }


def test_are_those_of_get(shop: Path) -> None:
    at = datetime(2024, 1, 1, 12, 0, 0, 1)
    with closing(FeatureStore(shop)) as store:
        store.materialize(until=at)
        answer = store.get_online_features(["orders", "asked"], [{"id": k, "y": 1.0} for k in (1, 2, 3, 4)], at=at)
        spine = f"select k as id, timestamp '{at}' as event_timestamp, 1.0::double as y from range(1, 5) as r(k)"
        table = store.get_historical_features(spine, ["orders", "asked"], statuses=True).to_arrow()
    for name, statuses in answer.statuses().items():
        assert table.column(f"{name}__status").to_pylist() == statuses


def test_a_name_that_is_taken(shop: Path) -> None:
    spine = "select 1 as id, timestamp '2024-01-01' as event_timestamp, 'a' as X__Status"
    with closing(FeatureStore(shop)) as store, pytest.raises(AsknownError) as caught:
        store.get_historical_features(spine, ["orders:x"], statuses=True)
    assert caught.value.code == "name-clash"
    assert "X__Status" in str(caught.value)
