"""Averages of whole numbers and decimals in a plain model, and lengths of time in seconds: equal to the last bit.

The expressions that all engines are tested with agree to 1e-12 there, which hides an average of 16 digits.
"""

from __future__ import annotations

import json
import random
from contextlib import closing
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from asknown import FeatureStore
from engines.harness import Warehouse

GROUPS = 120
RANDOM = random.Random(5)
ROWS = [group for group in range(GROUPS) for _ in range(RANDOM.randrange(1, 12))]
START = datetime(2024, 1, 1)


def lengths() -> list[datetime]:
    return [START + timedelta(microseconds=RANDOM.randrange(-(10**13), 10**13)) for _ in ROWS]


DATA = pa.table(
    {
        "shop": pa.array(ROWS, pa.int64()),
        "seen": pa.array([START] * len(ROWS), pa.timestamp("us")),
        "small": pa.array([RANDOM.randrange(-32768, 32768) for _ in ROWS], pa.int16()),
        "whole": pa.array([RANDOM.choice([None, RANDOM.randrange(-(10**14), 10**14)]) for _ in ROWS], pa.int64()),
        "price": pa.array([Decimal(RANDOM.randrange(-(10**9), 10**9)).scaleb(-3) for _ in ROWS], pa.decimal128(14, 3)),
        "late": pa.array(lengths(), pa.timestamp("us")),
    }
)
AVERAGES = {
    "small_mean": "avg(small)",
    "whole_mean": "avg(whole)",
    "price_mean": "avg(price)",
    "some_mean": "avg(small) filter (where small > 0)",
    "other_mean": "avg(distinct small)",
    "scaled_mean": "avg(price * 1.07)",
    "longest": "max(epoch(late - seen))",
    "gap": "min(gap)",
    "first_mean": "min(mean_so_far)",
}
NOT_ON = {"clickhouse": ("other_mean", "price_mean", "scaled_mean")}
"""The averages that an engine refuses; and those of decimals on ClickHouse, which adds them as floats."""


def ask(folder: Path, target: dict[str, Any], identifier: str, names: list[str]) -> pa.Table:
    (folder / "models").mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "means"\n', encoding="utf-8")
    profile = {"means": {"target": "dev", "outputs": {"dev": target}}}
    (folder / "profiles.yml").write_text(json.dumps(profile), encoding="utf-8")
    tables = [{"name": "rows", "identifier": identifier}]
    properties = {"sources": [{"name": "raw", "tables": tables}], "entities": [{"name": "shop", "keys": ["shop"]}]}
    (folder / "models" / "models.yml").write_text(json.dumps(properties), encoding="utf-8")
    means = ", ".join(f"{AVERAGES[name]} as {name}" for name in names)
    over = "over (partition by shop order by late)"
    so_far = f"avg(small) {over} as mean_so_far, epoch(late - lag(late) {over}) as gap"
    below = f"select *, {so_far} from {{{{ source('raw', 'rows') }}}}"
    (folder / "models" / "means_below.sql").write_text(
        f"with so_far as ({below}) select shop, seen, {means} from so_far group by shop, seen\n", encoding="utf-8"
    )
    config = "{{ config(entity='shop', event_time='seen') }}\n"
    (folder / "models" / "means.sql").write_text(f"{config}select * from {{{{ ref('means_below') }}}}\n")
    spine = pa.table({"shop": list(range(GROUPS)), "event_timestamp": [START] * GROUPS})
    with closing(FeatureStore(folder)) as store:
        return store.get_historical_features(spine, ["means"]).to_arrow()


def test_averages_equal_to_the_last_bit(warehouse: Warehouse, tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        connection.register("incoming", DATA)
        connection.execute("create table average_rows as select * from incoming")
    names = [name for name in AVERAGES if name not in NOT_ON.get(warehouse.name, ())]
    wanted = ask(tmp_path / "here", {"type": "duckdb", "path": "../w.duckdb"}, "main.average_rows", names)
    warehouse.load(tmp_path, {"average_rows": DATA})
    found = ask(tmp_path / "there", warehouse.target(tmp_path), f"{warehouse.schema}.average_rows", names)
    wrong = {name: list(zip(*(t[name].to_pylist() for t in (found, wanted)), strict=True)) for name in names}
    wrong = {name: [pair for pair in pairs if pair[0] != pair[1]][:3] for name, pairs in wrong.items()}
    assert {name: pairs for name, pairs in wrong.items() if pairs} == {}
