"""Numbers of Postgres without a scale, or with more digits than a decimal keeps: nobody guesses their digits."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from asknown import FeatureStore
from asknown.engines.postgres import Postgres
from asknown.errors import AsknownError
from engines.conftest import named_engines
from engines.harness import Warehouse, read_options

if "postgres" not in named_engines():
    pytest.skip("ASKNOWN_ENGINES does not name postgres", allow_module_level=True)

COLUMNS = {
    "price": ("numeric", "36.99"),
    "whole": ("numeric", "12"),
    "fine": ("numeric", "123456789012345678901.5678"),
    "huge": ("numeric", "1e45"),
    "sized": ("numeric(9,2)", "36.99"),
    "wide": ("numeric(50,3)", "1.5"),
    "odd": ("numeric", "'NaN'"),
    "money": ("money", "1.5"),
    "ip": ("inet", "'10.0.0.1'"),
}
SOURCES = """
sources: [{name: shop, tables: [{name: orders, identifier: sizes.orders, columns: [%s]}]}]
entities: [{name: customer, keys: [customer_id]}]
"""
SPINE = pa.table({"customer_id": [1], "event_timestamp": pa.array([10**15 * 2], pa.timestamp("us"))})


@pytest.fixture(scope="module")
def options(running: dict[str, Warehouse]) -> Iterator[dict[str, str]]:
    """How to reach a table with every such column."""
    found = dict(running["postgres"].options) | {"schema": "sizes"}
    engine = Postgres(read_options("postgres", found, Path()), Path(), writable=True)  # type: ignore[arg-type]
    columns = ", ".join(f"{value}::{kind} AS {name}" for name, (kind, value) in COLUMNS.items())
    engine._do(f"CREATE TABLE orders AS SELECT 1::bigint AS customer_id, timestamp '2024-01-01' AS seen_at, {columns}")
    yield found
    engine._do("DROP SCHEMA sizes CASCADE")
    engine.close()


Features = Callable[..., dict[str, object]]


@pytest.fixture
def features(options: dict[str, str], tmp_path: Path) -> Features:
    """The features of a view with these items, as of later. ``declared`` lists the source's columns in YAML."""
    (tmp_path / "models").mkdir()
    (tmp_path / "pyproject.toml").write_text('[tool.asknown]\nname = "shop"\n')
    (tmp_path / "profiles.yml").write_text(json.dumps({"shop": {"outputs": {"dev": {"type": "postgres", **options}}}}))

    def train(items: str, declared: str = "", below: str = "*", table: str = "ref('below')") -> dict[str, object]:
        (tmp_path / "models" / "shop.yml").write_text(SOURCES % declared)
        (tmp_path / "models" / "below.sql").write_text(f"select {below} from {{{{ source('shop', 'orders') }}}}")
        head = "{{ config(entity='customer', event_time='seen_at') }}\n"
        (tmp_path / "models" / "v.sql").write_text(f"{head}select customer_id, seen_at, {items} from {{{{ {table} }}}}")
        with FeatureStore(tmp_path) as store:
            (row,) = store.get_historical_features(SPINE, ["v"]).to_arrow().drop(SPINE.column_names).to_pylist()
            return dict(row)

    return train


@pytest.mark.parametrize(
    "items",
    [
        "price",
        "price as p",
        "coalesce(price, 0.0) as x",
        "price * 1.19 as x",
        "price + 0.5 as x",
        "price = round(price) as x",
        "sum(price) over {{ last('400 days') }} as x",
        "max(price) over {{ last('400 days') }} as x",
        "case when price > 1 then 1 else 0 end as x",
    ],
)
def test_a_number_without_a_scale_wants_a_type(features: Features, items: str) -> None:
    for table in ("ref('below')", "source('shop', 'orders')"):
        with pytest.raises(AsknownError) as caught:
            features(items, table=table)
        error = caught.value
        assert error.code == "unsupported-type", error
        assert "'price'" in error.message or "'p'" in error.message
        assert "up to 2 digits before the point and 2 after it" in (error.hint or "")
        assert "data_type: decimal(18,2)" in (error.hint or "")
        assert "as decimal(18,2))" in (error.hint or "")


def test_casts_and_types_that_the_hint_advises_run(features: Features) -> None:
    cent = Decimal("36.99")
    items = "cast(price as decimal(18,2)) as price, cast(price as double) as d, cast(whole as bigint) as w"
    found = features(f"{items}, cast(price as decimal) as three")
    assert found == {"price": cent, "d": 36.99, "w": 12, "three": Decimal("36.990")}
    declared = "{name: price, data_type: 'decimal(18,2)'}, {name: whole, data_type: bigint}, {name: fine, data_type: "
    declared += "'decimal(38,4)'}, {name: huge, data_type: double}, {name: wide, data_type: 'decimal(38,3)'}"
    items = "price, price * 1.19 as gross, coalesce(price, 0.0) as c, price = round(price) as r"
    items += ", fine, whole, huge, wide"
    assert features(items, declared) == {
        **{"price": cent, "gross": Decimal("44.0181"), "c": cent, "r": False},
        **{"fine": Decimal("123456789012345678901.5678"), "whole": 12, "huge": 1e45, "wide": Decimal("1.500")},
    }


@pytest.mark.parametrize(
    ("name", "fitting"),
    [("price", "decimal(18,2)"), ("whole", "bigint"), ("fine", "decimal(38,4)"), ("huge", "varchar"), ("wide", "dec")],
)
def test_the_scale_comes_from_the_data(features: Features, name: str, fitting: str) -> None:
    with pytest.raises(AsknownError) as caught:
        features(f"{name} * 2 as x")
    assert f"data_type: {fitting}" in (caught.value.hint or "")


@pytest.mark.parametrize(("name", "kind"), [("price", "decimal(18,1)"), ("price", "bigint"), ("odd", "decimal(18,2)")])
def test_a_value_that_does_not_fit_its_declared_type_is_an_error(features: Features, name: str, kind: str) -> None:
    with pytest.raises(AsknownError) as caught:
        features(f"{name}", f"{{name: {name}, data_type: '{kind}'}}")
    assert f"column '{name}' of source 'shop.orders' does not fit its data_type" in caught.value.message
    assert COLUMNS[name][1].strip("'") in caught.value.message


def test_unread_numbers_do_not_matter_and_sized_ones_are_as_ever(features: Features) -> None:
    assert features("sized * 1.19 as x, price is null as missing") == {"x": Decimal("44.0181"), "missing": False}


def test_a_cast_below_counts_above(features: Features) -> None:
    below = "customer_id, seen_at, cast(price as decimal(18,2)) as price, cast(ip as varchar) as ip"
    assert features("price * 2 as x, ip = '10.0.0.1/32' as local", below=below) == {
        "x": Decimal("73.98"),
        "local": True,
    }
    inner = "(select customer_id, seen_at, cast(price as decimal(18,2)) as price from {{ ref('below') }}) as b"
    with_inner = features("price * 2 as x from " + inner + " --")
    assert with_inner == {"x": Decimal("73.98")}


def test_other_types_are_read_as_declared(features: Features) -> None:
    declared = "{name: money, data_type: 'decimal(18,2)'}, {name: ip, data_type: varchar}"
    assert features("money * 2 as twice, ip", declared) == {"twice": Decimal("3.00"), "ip": "10.0.0.1/32"}


def test_a_spine_wants_a_type_too(features: Features, tmp_path: Path) -> None:
    features("sized")
    with FeatureStore(tmp_path) as store:
        spine = "select customer_id, seen_at as event_timestamp, price + 0.5 as p from {{ source('shop', 'orders') }}"
        with pytest.raises(AsknownError, match="price"):
            store.get_historical_features(spine, ["v"])
        cast = spine.replace("price + 0.5", "cast(price as decimal(18,2)) + 0.5")
        assert store.get_historical_features(cast, ["v"]).to_arrow()["p"].to_pylist() == [Decimal("37.49")]
