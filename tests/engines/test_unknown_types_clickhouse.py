"""Columns of types that only ClickHouse knows: unread they do not matter, and the casts that errors advise run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from asknown import FeatureStore
from asknown.engines.clickhouse import ClickHouse
from asknown.errors import AsknownError
from engines.conftest import named_engines
from engines.harness import Warehouse, read_options

if "clickhouse" not in named_engines():
    pytest.skip("ASKNOWN_ENGINES does not name clickhouse", allow_module_level=True)

COLUMNS = {
    "mood": "CAST('ok' AS Enum8('sad' = 1, 'ok' = 2))",
    "kind": "CAST('a' AS LowCardinality(Nullable(String)))",
    "code": "toFixedString('ab', 4)",
    "ip": "toIPv4('10.0.0.1')",
    "ip6": "toIPv6('::1')",
    "big": "toInt256('123456789012345678901234567890')",
    "unsigned": "toUInt256('12')",
    "wide": "CAST('36.99' AS Decimal(50, 3))",
    "sums": "sumState(toInt64(1))",
    "tags": "map('a', 'b')",
    "pair": "tuple(1, 'x')",
    "listed": "[toIPv4('10.0.0.1')]",
    "place": "CAST((1., 2.) AS Point)",
    "doc": "CAST('{\"a\": 1}' AS JSON)",
    "fine": "toDateTime64('2024-01-01 00:00:00', 9, 'UTC')",
    "length": "toIntervalDay(3)",
}
SOURCES = """
sources: [{name: shop, tables: [{name: odd, identifier: main.odd, columns: [%s]}]}]
entities: [{name: customer, keys: [customer_id]}]
"""
SPINE = pa.table({"customer_id": [1], "event_timestamp": pa.array([10**15 * 2], pa.timestamp("us"))})


@pytest.fixture(scope="module")
def options(running: dict[str, Warehouse]) -> Iterator[dict[str, str]]:
    """How to reach a table with every odd column."""
    found = dict(running["clickhouse"].options)
    engine = ClickHouse(read_options("clickhouse", found, Path()), Path(), writable=True)  # type: ignore[arg-type]
    columns = ", ".join(f"{value} AS {name}" for name, value in COLUMNS.items())
    first = "toInt64(1) AS customer_id, toDateTime64('2024-01-01 00:00:00', 6) AS seen_at, 0.5 AS amount"
    engine._session.run(f"CREATE TABLE main.odd ENGINE = Memory AS SELECT {first}, {columns}")
    yield found
    engine._session.run("DROP TABLE main.odd")
    engine.close()


Features = Callable[..., dict[str, object]]


@pytest.fixture
def features(options: dict[str, str], tmp_path: Path) -> Features:
    """The features of a view with these items of its select, as of later."""
    (tmp_path / "models").mkdir()
    (tmp_path / "pyproject.toml").write_text('[tool.asknown]\nname = "shop"\n')
    profile = {"shop": {"outputs": {"dev": {"type": "clickhouse", **options}}}}
    (tmp_path / "profiles.yml").write_text(json.dumps(profile))

    def train(items: str, declared: str = "") -> dict[str, object]:
        (tmp_path / "models" / "shop.yml").write_text(SOURCES % declared)
        (tmp_path / "models" / "everything.sql").write_text("select * from {{ source('shop', 'odd') }}")
        head = "{{ config(entity='customer', event_time='seen_at') }}\n"
        (tmp_path / "models" / "v.sql").write_text(
            f"{head}select customer_id, seen_at, {items} from {{{{ ref('everything') }}}}"
        )
        with FeatureStore(tmp_path) as store:
            (row,) = store.get_historical_features(SPINE, ["v"]).to_arrow().drop(SPINE.column_names).to_pylist()
            return dict(row)

    return train


def test_unread_columns_do_not_matter(features: Features) -> None:
    assert features("amount, avg(amount) over {{ last('400 days') }} as a") == {"amount": 0.5, "a": None}


def test_enums_are_text(features: Features) -> None:
    found = features("mood, kind, mood = 'ok' as fine, upper(mood) as state")
    assert found == {"mood": "ok", "kind": "a", "fine": True, "state": "OK"}


TEXTS = {"code": "ab", "ip": "10.0.0.1", "ip6": "::1", "tags": "{'a':'b'}", "pair": "(1,'x')", "place": "(1,2)"}


def test_a_cast_to_text_is_what_the_engine_says(features: Features) -> None:
    for alias in ("{0}", "{0}_text"):
        items = ", ".join(f"cast({name} as varchar) as {alias.format(name)}" for name in TEXTS)
        assert features(items) == {alias.format(name): text for name, text in TEXTS.items()}


def test_casts_of_wide_numbers(features: Features) -> None:
    items = "cast(big as decimal(38,0)) as big, cast(unsigned as bigint) as unsigned, cast(wide as decimal(18,2)) as w"
    assert features(f"{items}, cast(wide as double) as d, cast(big as varchar) as t, cast(wide as varchar) as wt") == {
        **{"big": Decimal("123456789012345678901234567890"), "unsigned": 12, "w": Decimal("36.99"), "d": 36.99},
        **{"t": "123456789012345678901234567890", "wt": "36.990"},
    }


def test_declared_types_are_read(features: Features) -> None:
    declared = "{name: big, data_type: 'decimal(38,0)'}, {name: unsigned, data_type: bigint}, {name: ip, data_type: "
    declared += "varchar}, {name: wide, data_type: 'decimal(18,2)'}"
    assert features("big, unsigned * 2 as twice, ip, wide * 2 as w", declared) == {
        **{"big": Decimal("123456789012345678901234567890"), "twice": 24, "ip": "10.0.0.1", "w": Decimal("73.98")}
    }
    with pytest.raises(AsknownError, match="column 'wide' of source 'shop\\.odd' does not fit its data_type"):
        features("wide", "{name: wide, data_type: 'decimal(18,1)'}")


@pytest.mark.parametrize("name", ["code", "ip", "ip6", "big", "wide", "sums", "tags", "pair", "listed", "place", "doc"])
def test_anything_else_says_to_cast(features: Features, name: str) -> None:
    for items in (
        name,
        f"{name} = '1' as x",
        f"coalesce({name}, null) as x",
        f"max({name}) over {{{{ last('1 day') }}}} as x",
    ):
        with pytest.raises(AsknownError) as caught:
            features(items)
        assert caught.value.code == "unsupported-type", (items, caught.value)
        assert f"cast({name} as " in (caught.value.hint or "")
