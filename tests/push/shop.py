"""A project that takes pushes, for tests: orders of customers, views that follow them, and one that cannot."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from asknown import FeatureStore
from asknown.store import push
from worlds import exact_rows

PUSH = "{id: order_id, event_time: ordered_at, known_at: _arrived, land: data/orders/}"

SOURCE = """
sources:
  - name: shop
    tables:
      - name: orders
        path: 'data/orders/*.parquet'
        push: %s
        columns:
          - {name: order_id, data_type: varchar}
          - {name: customer_id, data_type: bigint}
          - {name: ordered_at, data_type: timestamp}
          - {name: amount, data_type: double}
          - {name: note, data_type: varchar}
entities:
  - name: customer
    keys: [{name: customer_id, data_type: bigint}]
"""

VIEWS = {
    "newest": """
{{ config(entity='customer', event_time='ordered_at', known_at='_arrived', ttl='20 days') }}
with kept as (select * from {{ source('shop', 'orders') }} where amount is null or amount <> 7)
select customer_id, ordered_at, _arrived, amount * 2 as twice, upper(note) as note from kept
""",
    "totals": """
{{ config(entity='customer', event_time='ordered_at', known_at='_arrived') }}
select customer_id, ordered_at, _arrived, note,
    sum(amount) over {{ last('7 days') }} as spent,
    avg(amount) over {{ last('1 hour') }} as mean,
    count(*) over {{ last('7 days', closed='left') }} as n,
    count(*) filter (where amount > 1) over {{ last('1 hour') }} as large,
    max(amount) over {{ last('7 days', delay='1 minute') }} as most,
    list(note) over {{ last('1 hour') }} as notes,
    quantile_cont(amount, 0.5) over {{ last('7 days') }} as middle
from {{ source('shop', 'orders') }}
""",
    "plain": """
{{ config(entity='customer', event_time='ordered_at') }}
select customer_id, ordered_at, amount, note from {{ ref('cleaned') }}
""",
    "cleaned": """
select customer_id, ordered_at, amount, coalesce(note, '-') as note from {{ source('shop', 'orders') }}
""",
    "announced": """
{{ config(entity='customer', event_time='due', known_at='_arrived', max_ahead='3 days') }}
select customer_id, ordered_at + interval '2 hours' as due, _arrived, amount,
    sum(amount) over {{ last('7 days') }} as spent
from {{ source('shop', 'orders') }}
""",
    "ranked": """
{{ config(entity='customer', event_time='ordered_at', known_at='_arrived') }}
select o.customer_id, o.ordered_at, o._arrived, o.amount + c.bonus as amount
from {{ source('shop', 'orders') }} as o join {{ ref('bonuses') }} as c on o.customer_id = c.customer_id
""",
    "bonuses": "select unnest([1, 2, 3]) as customer_id, 10 as bonus",
}
FOLLOWERS = ("newest", "totals", "plain", "announced")

PROJECT = """
[tool.asknown]
name = "shop"
profile = "shop"
"""
PROFILE = """
shop:
  target: dev
  outputs:
    dev: {type: duckdb}
  online: {path: online.db}
"""


def write_shop(folder: Path, *, views: Mapping[str, str] = VIEWS, source: str = SOURCE % PUSH) -> Path:
    """Writes the project's files. No orders are there yet."""
    (folder / "models").mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "profiles.yml").write_text(PROFILE)
    (folder / "models" / "shop.yml").write_text(source)
    for name, sql in views.items():
        (folder / "models" / f"{name}.sql").write_text(sql)
    return folder


def now() -> datetime:
    """This instant, naive, in UTC."""
    return datetime.now(UTC).replace(tzinfo=None)


def order(number: int | str, customer: int | None = 1, *, ago: float = 0, amount: Any = 1.0, note: Any = "n") -> dict:
    """An order that was made ``ago`` seconds before now."""
    at = now() - timedelta(seconds=ago)
    return {"order_id": f"o{number}", "customer_id": customer, "ordered_at": at, "amount": amount, "note": note}


def write_file(folder: Path, name: str, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Writes a file of orders that push did not write. Rows have their arrivals."""
    path = folder / "data" / "orders" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute(
            "create table t (order_id varchar, customer_id bigint, ordered_at timestamp, amount double, note varchar, "
            "_arrived timestamp)"
        )
        names = ("order_id", "customer_id", "ordered_at", "amount", "note", "_arrived")
        for row in rows:
            connection.execute("insert into t values (?, ?, ?, ?, ?, ?)", [row[column] for column in names])
        connection.execute(f"copy t to '{path}' (format parquet)")
    return path


def edit_files(folder: Path, statement: str) -> None:
    """Runs a statement over the rows ``t`` of each landed file, and writes the file again."""
    for path in sorted((folder / "data" / "orders").glob("push-*.parquet")):
        with duckdb.connect() as connection:
            connection.execute(f"create table t as from read_parquet('{path}')")
            connection.execute(statement)
            connection.execute(f"copy t to '{path}' (format parquet)")


def offline_ids(folder: Path) -> list[str]:
    """The ids of all orders in files, with repeats."""
    with duckdb.connect() as connection:
        query = f"select order_id from read_parquet('{folder}/data/orders/*.parquet', union_by_name=true)"
        return sorted(row[0] for row in connection.execute(query).fetchall())


def online(store: FeatureStore, keys: Iterable[Any], at: datetime, views: Sequence[str]) -> list[dict[str, Any]]:
    """The online answer for customers, exactly."""
    rows = [{"customer_id": key} for key in keys]
    response = store.get_online_features(list(views), rows, at=at, full_feature_names=True)
    return exact_rows(list(response.rows()))


def trained(
    folder: Path, keys: Sequence[Any], instants: Sequence[datetime], views: Sequence[str]
) -> list[dict[str, Any]]:
    """The training query's answer at all instants over all that has arrived, exactly."""
    import pyarrow as pa

    spine = pa.table(
        {
            "customer_id": pa.array([key for _ in instants for key in keys], pa.int64()),
            "event_timestamp": pa.array([at for at in instants for _ in keys], pa.timestamp("us")),
        }
    )
    with FeatureStore(folder) as store:
        found = store.get_historical_features(spine, list(views), full_feature_names=True).to_arrow()
    return exact_rows(found.drop_columns(["event_timestamp"]).to_pylist())


def copy_of(folder: Path, to: Path) -> Path:
    """A copy of the project and its data as they are, in which rows may land."""
    shutil.rmtree(to, ignore_errors=True)
    return Path(shutil.copytree(folder, to, ignore=shutil.ignore_patterns("*.lock", "*-shm", "*.part", "copy")))


def abandon(store: FeatureStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closes a store as a crash does: what was not landed stays so."""
    with monkeypatch.context() as patched, closing(store):
        patched.setattr(push, "try_landing", lambda _: None)
        store.close()
