"""What the planner makes of a look at a view's first rows, which is all that it sees of a large view."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from asknown import FeatureStore
from asknown.engines.duckdb import DuckDB
from asknown.errors import Where
from asknown.plan.nodes import AsOfJoin, Match, TrailingWindow
from asknown.project.nodes import Target
from asknown.project.options import DuckDBOptions

VIEW = """{{{{ config(entity='shop', event_time='ts'{ttl}) }}}}
select shop_id, ts, price from {{{{ source('raw', 'prices') }}}}
"""
HOUR, DAY = 3_600_000_000, 86_400_000_000
# 2,000 shops tell their price every hour for 300 hours; a look ends after 50 of them.
RISING = (
    "select r % 2000 as shop_id, to_timestamp((r // 2000) * 3600{late}) as ts, r * 1.0 as price from range(600000) t(r)"
)
BY_TIME = RISING.format(late="")
LATE = RISING.format(late=" - case when r % 20 = 7 then 36000000 else 0 end")
BY_SHOP = f"select * from ({BY_TIME}) order by shop_id, ts"
RARE = "select r % 50000 as shop_id, to_timestamp((r // 50000) * 86400) as ts, r * 1.0 as price from range(600000) t(r)"
FEW = f"select * from ({BY_TIME}) where ts < to_timestamp(3600 * 9)"

Choose = Callable[..., Match]
Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A project with a view over the rows of a query."""

    def make(rows: str, ttl: str = "") -> Path:
        (tmp_path / "models").mkdir()
        (tmp_path / "pyproject.toml").write_text('[tool.asknown]\nname = "shops"\n', encoding="utf-8")
        (tmp_path / "models/price.sql").write_text(VIEW.format(ttl=f", ttl='{ttl}'" if ttl else ""), encoding="utf-8")
        (tmp_path / "models/models.yml").write_text(
            "entities: [{name: shop, keys: [shop_id]}]\n"
            "sources: [{name: raw, tables: [{name: prices, path: data/prices.parquet}]}]\n",
            encoding="utf-8",
        )
        (tmp_path / "data").mkdir()
        with duckdb.connect(config={"threads": 1}) as connection:
            connection.execute("set TimeZone='UTC'")
            connection.execute(f"copy ({rows}) to '{tmp_path}/data/prices.parquet'")
        return tmp_path

    return make


@pytest.fixture
def choose(make: Make) -> Choose:
    """How a view over the rows of a query is matched."""

    def choose(rows: str, ttl: str = "") -> Match:
        spine = pa.table({"shop_id": pa.array([1], pa.int64()), "event_timestamp": pa.array([0], pa.timestamp("us"))})
        with closing(FeatureStore(make(rows, ttl))) as store:
            (step,) = store.get_historical_features(spine, ["price"]).plan.steps
        assert isinstance(step, AsOfJoin)
        return step.match

    return choose


@pytest.mark.parametrize("rows", [BY_TIME, LATE, BY_SHOP], ids=["by time", "some a year late", "by shop"])
def test_buckets_fit_the_spacing_of_a_key(choose: Choose, rows: str) -> None:
    match = choose(rows, ttl="30 days")
    first, *wider = match.widths
    assert match.form == "cascade" and 3 * HOUR <= first <= 8 * HOUR, match.reason
    assert wider and wider[-1] == 30 * DAY and all(a < b for a, b in zip(match.widths, wider, strict=False))


def test_more_rows_within_the_ttl_than_the_look_reaches_back(choose: Choose) -> None:
    # The look sees two days of two weeks: it must not take what it sees for all that a moment finds.
    match = choose(BY_TIME, ttl="10 days")
    assert match.widths[0] < 10 * DAY and "within the ttl" not in match.reason, match.reason


def test_without_a_ttl_the_last_resort_is_an_as_of_join(choose: Choose) -> None:
    match = choose(BY_TIME)
    assert match.form == "cascade" and 3 * HOUR <= match.widths[0] <= 8 * HOUR and len(match.widths) == 1


def test_few_rows_are_all_looked_at(choose: Choose) -> None:
    assert choose(FEW).form == "range"


@pytest.mark.parametrize("rows", [BY_TIME, RARE], ids=["a cascade", "few rows"])
def test_under_a_memory_limit_no_as_of_join_makes_others_spill(make: Make, rows: str) -> None:
    root = make(rows)
    spine = "select r % 2100 as shop_id, to_timestamp(r * 7.5) as event_timestamp from range(-9999, 150000, 3) t(r)"
    found, texts = {}, {}
    for name, options in (("dev", ""), ("limited", "memory_limit: 200MB")):
        profile = f"shops: {{target: dev, outputs: {{dev: {{type: duckdb, {options}}}}}}}\n"
        (root / "profiles.yml").write_text(profile, encoding="utf-8")
        with closing(FeatureStore(root)) as store:
            job = store.get_historical_features(spine, ["price"])
            found[name], texts[name] = job.to_arrow(), job.sql()
    assert "ASOF" in texts["dev"] and "ASOF" not in texts["limited"]
    assert found["dev"].equals(found["limited"]) and found["dev"]["price"].null_count < 10_000


def test_under_a_memory_limit_windows_that_keep_values_sort_their_rows(make: Make) -> None:
    root = make(BY_TIME)
    (root / "models/price.sql").write_text(
        "{{ config(entity='shop', event_time='ts') }}\n"
        "select shop_id, ts, median(price) over {{ last('9 hours') }} as middle,\n"
        "max(price::text) over {{ last('9 hours') }} as greatest, sum(price) over {{ last('9 hours') }} as total\n"
        "from {{ source('raw', 'prices') }}\n",
        encoding="utf-8",
    )
    spine = "select r % 2100 as shop_id, to_timestamp(r * 7.5) as event_timestamp from range(0, 150000, 3) t(r)"
    found, forms = {}, {}
    for name, options in (("dev", ""), ("limited", "memory_limit: 200MB")):
        profile = f"shops: {{target: dev, outputs: {{dev: {{type: duckdb, {options}}}}}}}\n"
        (root / "profiles.yml").write_text(profile, encoding="utf-8")
        with closing(FeatureStore(root)) as store:
            job = store.get_historical_features(spine, ["price"])
            found[name] = job.to_arrow()
            forms[name] = [step.form for step in job.plan.steps if isinstance(step, TrailingWindow)]
    assert "sorted" not in forms["dev"] and forms["limited"] == ["sorted", "pairs"]
    assert found["dev"].equals(found["limited"])


@pytest.mark.parametrize(
    ("options", "used"),
    [
        ({"threads": 8, "memory_limit": "200MB"}, "2"),
        ({"threads": 8, "memory_limit": "50MB"}, "1"),
        ({"threads": 1, "memory_limit": "200MB"}, "1"),
        ({"threads": 8, "memory_limit": "4GB"}, "8"),
        ({"threads": 8, "settings": {"memory_limit": "300MB"}}, "4"),
        ({"threads": 8}, "8"),
    ],
)
def test_under_a_memory_limit_no_more_threads_than_it_has_room_for(
    tmp_path: Path, options: dict[str, Any], used: str
) -> None:
    with closing(DuckDB(Target("dev", DuckDBOptions(**options), Where("profiles.yml")), tmp_path)) as engine:
        assert ("threads", used) in engine.check().facts
