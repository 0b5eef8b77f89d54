"""Reads random features online and offline, and counts the differences: the parity law on trailing windows.

`python bench/parity.py` makes a project in a temporary folder, loads its online table at a watermark, and then compares
--reads random reads (view, key, instant) with the training query at the same keys and instants. Rows after the
watermark come in at their instants, at both ends. Values must be the same to the bit (standard deviations to 1e-12).
Exits with 1 if one is not.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from asknown import FeatureStore

START, DAYS = datetime(2024, 2, 20), 30  # the clocks of New York go forward on 10 March
WATERMARK = datetime(2024, 3, 15, 12)
MICROSECOND = timedelta(microseconds=1)
USERS, ITEMS = 60, 8
INEXACT = {"spread_7d"}

VIEWS = {
    # known late, of one user; values of all sizes
    "purchases": """{{ config(entity='user', event_time='bought_at', known_at='paid_at', created_at='written_at',
          ttl='2 days') }}

select
    user_id, bought_at, paid_at, written_at,
    amount,
    {{ trailing('amount', ['sum', 'avg', 'min', 'max', 'count'], ['1 hour', '1 day', '7 days']) }},
    {{ trailing('units', ['sum', 'avg', 'median'], ['1 day', '7 days'], where='amount > 0') }},
    sum(price) over {{ last('1 day', closed='left') }} as paid_before_1d,
    sum(price) over {{ last('1 day', closed='right', delay='1 hour') }} as paid_1d_an_hour_ago,
    count(*) over {{ last('1 day') }} as n_1d,
    count(distinct shop) over {{ last('7 days') }} as shops_7d,
    last(shop) over {{ last('7 days') }} as last_shop_7d,
    arg_max(shop, units) over {{ last('7 days') }} as best_shop_7d,
    bool_or(refunded) filter (where units > 2) over {{ last('1 day') }} as refunded_1d,
    list(units) over {{ last('1 hour') }} as units_1h,
    quantile_cont(units, 0.9) over {{ last('7 days') }} as units_p90_7d,
    stddev_samp(units) over {{ last('7 days') }} as spread_7d,
    count(*) filter (where refunded) over {{ last('7 days') }}
        / nullif(count(*) over {{ last('7 days') }}, 0) as refunded_share_7d,
    amount - avg(amount) over {{ last('7 days') }} as above_average_7d
from {{ source('raw', 'purchases') }}
""",
    # two keys, known at once
    "visits": """{{ config(entity=['user', 'item'], event_time='visited_at') }}

select
    user_id, item_id, visited_at,
    {{ trailing('*', 'count', ['1 minute', '1 hour', '1 day', '7 days']) }},
    sum(seconds) over w as seconds_1d,
    coalesce(max(seconds) over w, 0) as longest_1d,
    min(page) over {{ last('7 days', closed='left') }} as first_page_7d
from {{ source('raw', 'visits') }}
window w as (partition by item_id, user_id order by visited_at range between interval '1 day' preceding and current row)
""",
    # no key: one value for everybody, one hot key
    "market": """{{ config(entity=[], event_time='visited_at') }}

select
    visited_at,
    count(*) over {{ last('1 hour') }} as visits_1h,
    avg(seconds) over {{ last('1 day') }} as mean_seconds_1d
from {{ source('raw', 'visits') }}
""",
}
KEYS = {"purchases": ("user_id",), "visits": ("user_id", "item_id"), "market": ()}


@dataclass(frozen=True)
class Read:
    """One read: a view, its keys and the instant."""

    view: str
    keys: dict[str, Any]
    at: datetime


def instants(random: np.random.Generator, count: int) -> pa.Array:
    """Event times over the whole month, on whole minutes so that some tie and some lie on the ends of frames."""
    minutes = random.integers(0, DAYS * 24 * 60, count)
    start = (START - datetime(1970, 1, 1)) // MICROSECOND
    return pa.array(start + minutes * 60_000_000, pa.timestamp("us"), mask=random.random(count) < 0.01)


def later(random: np.random.Generator, times: pa.Array, hours: float) -> pa.Array:
    """The times, each some hours later."""
    wait = (random.exponential(hours, len(times)) * 3_600_000_000).astype(np.int64)
    wait[random.random(len(times)) < 0.5] = 0
    moved = times.cast(pa.int64()).to_numpy(zero_copy_only=False)
    none = times.is_null().to_numpy(zero_copy_only=False) | (random.random(len(times)) < 0.01)
    return pa.array(np.where(none, 0, np.nan_to_num(moved)).astype(np.int64) + wait, pa.timestamp("us"), mask=none)


def some_null(random: np.random.Generator, values: Any, kind: pa.DataType) -> pa.Array:
    """The values, a twentieth of them NULL."""
    return pa.array(values, kind, mask=random.random(len(values)) < 0.05)


def make_tables(random: np.random.Generator, rows: int) -> dict[str, pa.Table]:
    """The rows of the two sources: a hot user, late payments, floats that do not add up nicely."""
    users = np.where(random.random(rows) < 0.1, 0, random.integers(0, USERS, rows))
    sizes = np.array([0.1, 0.2, 0.3, -0.1, 1e17, -1e17, 1e-20, 19.99, -0.0, 1e8 + 1, math.nan, math.inf])
    likely = np.array([10, 10, 10, 10, 1, 1, 5, 30, 5, 5, 0.02, 0.02])
    bought = instants(random, rows)
    paid = later(random, bought, 8)
    purchases = pa.table(
        {
            "user_id": some_null(random, users, pa.int64()),
            "bought_at": bought,
            "paid_at": paid,
            "written_at": later(random, paid, 1),
            "amount": some_null(random, random.choice(sizes, rows, p=likely / likely.sum()), pa.float64()),
            "price": some_null(random, random.integers(-500, 100_000, rows), pa.int64()),
            "units": some_null(random, random.integers(-3, 9, rows), pa.int32()),
            "shop": some_null(random, random.choice(np.array(["", "a", "b", "é"]), rows), pa.string()),
            "refunded": some_null(random, random.random(rows) < 0.2, pa.bool_()),
        }
    )
    visits = pa.table(
        {
            "user_id": some_null(random, users[::-1], pa.int32()),
            "item_id": some_null(random, random.integers(0, ITEMS, rows).astype(str), pa.string()),
            "visited_at": instants(random, rows).cast(pa.timestamp("us", "UTC")),
            "seconds": some_null(random, np.round(random.exponential(40, rows), 3), pa.float64()),
            "page": some_null(random, random.choice(np.array(["", "home", "cart"]), rows), pa.string()),
        }
    )
    return {"purchases": purchases, "visits": visits}


def write_project(folder: Path, tables: dict[str, pa.Table]) -> None:
    """The project's files and its warehouse."""
    (folder / "models").mkdir()
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "parity"\n', encoding="utf-8")
    dev = {"type": "duckdb", "path": "warehouse.duckdb", "threads": 2}
    profile = {"target": "dev", "outputs": {"dev": dev}, "online": {"type": "sqlite", "path": "online.db"}}
    (folder / "profiles.yml").write_text(json.dumps({"parity": profile}), encoding="utf-8")
    raw = [{"name": name, "identifier": f"main.{name}"} for name in tables]
    entities = [{"name": "user", "keys": ["user_id"]}, {"name": "item", "keys": ["item_id"]}]
    properties = {"sources": [{"name": "raw", "tables": raw}], "entities": entities}
    (folder / "models" / "models.yml").write_text(json.dumps(properties), encoding="utf-8")
    for name, text in VIEWS.items():
        (folder / "models" / f"{name}.sql").write_text(text, encoding="utf-8")
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        for name, table in tables.items():
            connection.register("incoming", table)
            connection.execute(f"create table {name} as select * from incoming")


def make_reads(random: np.random.Generator, count: int) -> list[Read]:
    """Random reads: known, unknown and NULL keys; instants from the watermark to nine days after it, on minutes."""
    reads = []
    for _ in range(count):
        view = str(random.choice(list(VIEWS), p=[0.6, 0.35, 0.05]))
        user = None if random.random() < 0.01 else int(random.integers(0, USERS + 5))
        keys = {"user_id": user, "item_id": str(random.integers(0, ITEMS))}
        after = timedelta(minutes=int(random.exponential(2 * 24 * 60)) % (9 * 24 * 60))
        by = int(random.integers(-1, 2)) if after else 0
        reads.append(Read(view, {key: keys[key] for key in KEYS[view]}, WATERMARK + after + by * MICROSECOND))
    return reads


def read_online(store: FeatureStore, reads: Sequence[Read]) -> list[dict[str, Any]]:
    """The features of each read, one call each."""
    found = []
    for read in reads:
        response = store.get_online_features(features=[read.view], entity_rows=[read.keys], at=read.at)
        found.append({name: values[0] for name, values in response.to_dict().items() if name not in read.keys})
    return found


def read_offline(store: FeatureStore, reads: Sequence[Read]) -> list[dict[str, Any]]:
    """The features of each read by the training query, one query for each view."""
    found: list[dict[str, Any]] = [{} for _ in reads]
    kinds = {"user_id": pa.int64(), "item_id": pa.string()}
    for view, keys in KEYS.items():
        places = [place for place, read in enumerate(reads) if read.view == view]
        columns = {key: pa.array([reads[place].keys[key] for place in places], kinds[key]) for key in keys}
        columns["event_timestamp"] = pa.array([reads[place].at for place in places], pa.timestamp("us"))
        table = store.get_historical_features(entity_df=pa.table(columns), features=[view]).to_arrow()
        for place, row in zip(places, table.drop_columns(list(columns)).to_pylist(), strict=True):
            found[place] = row
    return found


def same(name: str, left: Any, right: Any) -> bool:
    """Whether two values are one: to the bit, or to 1e-12 where that is all that is promised."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(name, a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, float) and isinstance(right, float):
        close = name in INEXACT and math.isclose(left, right, rel_tol=1e-12, abs_tol=0)
        return close or left.hex() == right.hex() or (math.isnan(left) and math.isnan(right))
    return bool(left == right) and (left is None) == (right is None) and (type(left) is bool) == (type(right) is bool)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the comparison, prints what was found, and gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reads", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=100_000, help="rows of each source")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    random = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_project(folder, make_tables(random, options.rows))
        reads = make_reads(random, options.reads)
        with closing(FeatureStore(folder)) as store:
            store.materialize(until=WATERMARK)
            began = time.perf_counter()
            online = read_online(store, reads)
            between = time.perf_counter()
            offline = read_offline(store, reads)
            ended = time.perf_counter()
    different = [
        (read, feature, here[feature], there[feature])
        for read, here, there in zip(reads, online, offline, strict=True)
        for feature in there
        if not same(feature, here[feature], there[feature])
    ]
    values = sum(map(len, offline))
    print(f"reads: {len(reads)} ({values} values)  differences: {len(different)}")
    print(f"online {between - began:.1f} s, {(between - began) / max(len(reads), 1) * 1e6:.0f} µs a read; "
          f"offline {ended - between:.1f} s")  # fmt: skip
    for read, feature, here, there in different[:10]:
        print(f"  {read.view}:{feature} of {read.keys} at {read.at}: online {here!r}, offline {there!r}")
    return 1 if different or not values else 0


if __name__ == "__main__":
    raise SystemExit(main())
