"""A shop as a project: what customers ordered, who they are, and on-demand views over both."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import duckdb
import pytest

from asknown import FeatureStore

ORDERS = """
    select * from (values
        (1, timestamp '2024-03-01 10:00:00', timestamp '2024-03-02 10:00:00', 20.0::double, 3::bigint, 'Oslo'),
        (1, timestamp '2024-03-05 12:30:00', timestamp '2024-03-06 12:30:00', 40.0, 1, 'Bergen'),
        (2, timestamp '2024-03-04 08:00:00', timestamp '2024-03-04 09:00:00', 7.5, 2, null),
        (3, timestamp '2024-01-01 08:00:00', timestamp '2024-01-01 09:00:00', 7.5, 0, 'Oslo')
    ) as t(customer_id, ordered_at, paid_at, amount, items, city)
"""
CUSTOMER_ORDERS = """
{{ config(entity='customer', event_time='ordered_at', known_at='paid_at', ttl='30 days') }}
select customer_id, ordered_at, paid_at, amount as last_amount, items as last_items, city as last_city,
    count(*) over {{ last('7 days') }} as orders_7d,
    avg(amount) over {{ last('30 days') }} as avg_amount_30d
from {{ source('shop', 'orders') }}
"""
PROFILE = """
{{ config(entity='customer', event_time='since') }}
select customer_id, timestamp '2024-01-01 00:00:00' as since, city, cast(amount as decimal(10, 2)) as credit
from {{ source('shop', 'orders') }}
where city is not null
"""
BASKET = """
{{ config(inputs={'amount': 'double', 'to_city': 'varchar'}) }}
select
    amount / nullif(avg_amount_30d, 0) as amount_against_usual,
    amount > 3 * avg_amount_30d and orders_7d >= 2 as unusual,
    coalesce(to_city <> city, false) as elsewhere,
    ordered_at < asked_at as has_ordered
from {{ request('customer_orders', 'customer_orders:ordered_at', 'customer_profile:city') }}
"""
SERVICES = [
    {"name": "order_check", "features": ["basket", "customer_orders:last_amount"]},
    {
        "name": "gift_check",
        "features": [
            {"view": "basket", "features": ["unusual"], "keys": {"customer_id": "giver_id"}, "alias": "giver"},
            {"view": "basket", "features": ["unusual"], "keys": {"customer_id": "taker_id"}, "alias": "taker"},
        ],
    },
]

Make = Callable[..., FeatureStore]


def write_shop(folder: Path, models: Mapping[str, str], services: list[dict[str, object]] | None = None) -> Path:
    """The project in a folder, with ``models`` beside its own, which they may replace."""
    (folder / "models").mkdir(parents=True, exist_ok=True)
    duckdb.sql(f"copy ({ORDERS}) to '{folder / 'orders.parquet'}'")
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "shop"\n', encoding="utf-8")
    profile = {"shop": {"target": "dev", "outputs": {"dev": {"type": "duckdb"}}}}
    (folder / "profiles.yml").write_text(json.dumps(profile), encoding="utf-8")
    properties = {
        "sources": [{"name": "shop", "tables": [{"name": "orders", "path": "orders.parquet", "timezone": "UTC"}]}],
        "entities": [{"name": "customer", "keys": [{"name": "customer_id"}]}],
        "feature_services": SERVICES if services is None else services,
    }
    (folder / "models" / "models.yml").write_text(json.dumps(properties), encoding="utf-8")
    own = {"customer_orders": CUSTOMER_ORDERS, "customer_profile": PROFILE, "basket": BASKET}
    for name, text in {**own, **models}.items():
        (folder / "models" / f"{name}.sql").write_text(text.strip() + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """A function that opens the shop with more models, given by name, and other services."""
    with ExitStack() as stack:

        def opened(services: list[dict[str, object]] | None = None, **models: str) -> FeatureStore:
            return stack.enter_context(FeatureStore(write_shop(tmp_path, models, services)))

        yield opened
