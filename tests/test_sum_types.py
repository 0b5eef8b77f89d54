"""Rule 7: a sum of integers over a window is a BIGINT at both ends, and integers of 128 bits stay exact in files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest

from asknown import AsknownError, FeatureStore

NOON = datetime(2024, 1, 1, 12)
SPINE = pd.DataFrame({"k": [1], "event_timestamp": [NOON]})
SUM = "sum(x) over {{ last('1 day') }}"


def project(folder: Path, items: Mapping[str, str], rows: str) -> Path:
    """A project with one view ``v`` of these items over rows ``(x, b, h)``, the columns of DuckDB's VALUES."""
    (folder / "models").mkdir()
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "sums"\n', encoding="utf-8")
    profile = {"target": "dev", "outputs": {"dev": {"type": "duckdb", "path": "warehouse.duckdb"}}}
    (folder / "profiles.yml").write_text(json.dumps({"sums": profile}), encoding="utf-8")
    tables = {"name": "raw", "tables": [{"name": "rows", "identifier": "main.rows"}]}
    properties = {"sources": [tables], "entities": [{"name": "e", "keys": ["k"]}]}
    (folder / "models" / "v.yml").write_text(json.dumps(properties), encoding="utf-8")
    listed = ", ".join(f"{sql} as {name}" for name, sql in items.items())
    config = "{{ config(entity='e', event_time='ts') }}"
    text = f"{config} select k, ts, {listed} from {{{{ source('raw', 'rows') }}}}"
    (folder / "models" / "v.sql").write_text(text, encoding="utf-8")
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        values = f"(values {rows}) as t(x, b, h)"
        connection.execute(
            f"create table rows as select 1 as k, timestamp '{NOON}' as ts, x::bigint as x, b::boolean as b, "
            f"h::hugeint as h from {values}"
        )
    return folder


@pytest.mark.parametrize(
    "item",
    [
        SUM,
        "sum(b) over {{ last('1 day') }}",
        f"coalesce({SUM}, 0)",
        f"{SUM} - sum(h) over {{{{ last('1 hour') }}}}",
        f"case when count(*) over {{{{ last('1 day') }}}} > 1 then {SUM} end",
        f"-{SUM}",
    ],
)
def test_a_sum_of_integers_is_int64_at_both_ends(item: str, tmp_path: Path) -> None:
    folder = project(tmp_path, {"total": item}, f"({2**53}, true, 5), (1, true, 6)")
    with closing(FeatureStore(folder)) as store:
        trained = store.get_historical_features(SPINE, ["v"]).to_df()
        store.materialize(until=NOON)
        online = store.get_online_features(["v"], [{"k": 1}], at=NOON).to_df()
    assert str(trained["total"].dtype) == str(online["total"].dtype) == "Int64"
    assert trained["total"].tolist() == online["total"].tolist()


@pytest.mark.parametrize(
    ("item", "wanted"),
    [
        ("cast({} as hugeint)", 2**64 - 2),
        ("cast({} as decimal(38, 0))", 2**64 - 2),
        ("cast({} as double)", float(2**64 - 2)),
        ("{} / count(*) over w", float(2**63 - 1)),
    ],
)
def test_what_is_made_of_a_sum_keeps_the_type_of_its_sql(item: str, wanted: Any, tmp_path: Path) -> None:
    sql = item.format(SUM).replace("over w", "over {{ last('1 day') }}")
    folder = project(tmp_path, {"total": sql}, f"({2**63 - 1}, true, 5), ({2**63 - 1}, true, 6)")
    with closing(FeatureStore(folder)) as store:
        (trained,) = store.get_historical_features(SPINE, ["v"]).to_arrow()["total"].to_pylist()
        store.materialize(until=NOON)
        (online,) = store.get_online_features(["v"], [{"k": 1}], at=NOON).to_dict()["total"]
    assert trained == online == wanted


@pytest.mark.parametrize(("least", "fits"), [(-(2**63) + 1, True), (-(2**63), False)])
def test_beyond_64_bits_both_ends_name_the_feature(least: int, *, fits: bool, tmp_path: Path) -> None:
    folder = project(tmp_path, {"total": SUM}, f"({least}, true, 5), (-1, true, 6)")
    with closing(FeatureStore(folder)) as store:
        store.materialize(until=NOON)
        job = store.get_historical_features(SPINE, ["v"])
        if fits:
            online = store.get_online_features(["v"], [{"k": 1}], at=NOON)
            assert job.to_arrow()["total"].to_pylist() == online.to_dict()["total"] == [-(2**63)]
            return
        with pytest.raises(AsknownError, match="feature 'total' of 'v'"):
            job.to_arrow()
        with pytest.raises(AsknownError, match="feature 'total' of 'v'"):
            store.get_online_features(["v"], [{"k": 1}], at=NOON)


def test_integers_of_128_bits_are_exact_in_parquet_and_csv(tmp_path: Path) -> None:
    items = {
        "plain": "h",
        "inside": "{a: h, 'b \"c': [h, null], d: 'x'}",
        "listed": "list(h) over {{ last('1 day') }}",
        "none": "null::hugeint",
    }
    folder = project(tmp_path, items, f"(1, true, {10**37 + 1})")
    huge = 10**37 + 1
    with closing(FeatureStore(folder)) as store:
        job = store.get_historical_features(SPINE, ["v"])
        job.to_parquet(folder / "out.parquet")
        job.to_parquet(folder / "out.csv")
        written, read = pq.read_table(folder / "out.parquet"), job.to_arrow()
    assert written.select(list(items)).to_pylist() == read.select(list(items)).to_pylist()
    (row,) = written.to_pylist()
    assert row["plain"] == huge and row["inside"]['b "c'] == [huge, None] and row["listed"] == [huge]
    assert (folder / "out.csv").read_text(encoding="utf-8").count(str(huge)) == 4


def test_integers_that_parquet_cannot_keep_are_an_error(tmp_path: Path) -> None:
    folder = project(tmp_path, {"x": "x", "h": "h"}, f"(1, true, {10**38})")
    spine = "select 1 as k, timestamp '2024-01-01 12:00' as event_timestamp, map([1], [2::hugeint]) as odd"
    with closing(FeatureStore(folder)) as store:
        with pytest.raises(AsknownError, match=r"DECIMAL\(38,0\)"):
            store.get_historical_features(SPINE, ["v:h"]).to_parquet(folder / "out.parquet")
        with pytest.raises(AsknownError, match="column 'odd' holds integers of 128 bits"):
            store.get_historical_features(spine, ["v:x"]).to_parquet(folder / "out.parquet")
    assert not (folder / "out.parquet").exists()
