"""Views that are looked up, on every store: as training has it, after loads and pushes, in one state of the store."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from asknown import FeatureStore
from asknown.instants import from_microseconds
from backends.conftest import Backend
from backends.servers import fresh_name
from push.shop import PUSH, SOURCE, order, write_file, write_shop

KINDS = ("memory", "postgres", "valkey")  # tests/features has a file
VIEWS = {
    "customers": """
{{ config(entity='customer', event_time='ordered_at', known_at='_arrived', ttl='20 days') }}
select customer_id, ordered_at, _arrived, note as last_note, amount from {{ source('shop', 'orders') }}
""",
    "notes": """
{{ config(entity='note', event_time='ordered_at', known_at='_arrived') }}
select note, ordered_at, _arrived, customer_id as last_customer, count(*) over {{ last('7 days') }} as n
from {{ source('shop', 'orders') }}
""",
    "habits": """
{{ config(entity='customer', event_time='ordered_at', known_at='_arrived') }}
select customer_id, ordered_at, _arrived, list(note) over {{ last('3 days') }} as notes
from {{ source('shop', 'orders') }}
""",
    "listed": """
{{ config(inputs={'many': 'varchar[]'}) }}
select n as counts, last_customer as others, m_n as given, amount as amounts
from {{ request('habits', lookup('notes', note='notes'), lookup('notes:n', note='many', prefix='m_'),
    lookup('customers:amount', customer_id='last_customer')) }}
""",
    "looked": """
{{ config(inputs={'given': 'varchar'}) }}
select n as orders, given_n as given_orders, coalesce(given_n, -1) as counted, their_amount, amount
from {{ request('customers:last_note', 'customers:amount', lookup('notes', note='last_note'),
    lookup('notes:n', note='given', prefix='given_'),
    lookup('customers:amount', customer_id='last_customer', prefix='their_')) }}
""",
}
FEATURES = ("orders", "given_orders", "counted", "their_amount", "amount")
LISTED = ("counts", "others", "given", "amounts")
MANY = (["a", "nobody", None, "b"], [], None)
ROWS = [{"customer_id": key, "given": given} for key in (1, 2, 3, 9, None) for given in ("a", "nobody", None)]


@pytest.fixture
def shop(backend: Backend, tmp_path: Path) -> Path:
    source = (SOURCE % PUSH) + "  - name: note\n    keys: [{name: note, data_type: varchar}]\n"
    folder = write_shop(tmp_path / "shop", views=VIEWS, source=source)
    online = json.dumps(backend.server.online(fresh_name()))
    (folder / "profiles.yml").write_text(
        f"shop: {{target: dev, outputs: {{dev: {{type: duckdb}}}}, online: {online}}}\n"
    )
    rows = [
        order(place, key, ago=3600 * place, amount=amount, note=note)
        for place, (key, amount, note) in enumerate([(1, 0.1, "a"), (2, 0.2, "b"), (1, 7.0, "b"), (3, None, None)], 1)
    ]
    write_file(folder, "history.parquet", [row | {"_arrived": row["ordered_at"]} for row in rows])
    return folder


def served(store: FeatureStore, at: datetime) -> list[dict[str, Any]]:
    """The answers for all rows together; those for each row alone are the same."""
    found = store.get_online_features(["looked"], ROWS, at=at).rows()
    assert [store.get_online_features(["looked"], [row], at=at).rows()[0] for row in ROWS] == found
    return [{name: row[name] for name in FEATURES} for row in found]


def listed(store: FeatureStore, at: datetime) -> list[dict[str, Any]]:
    """The answers for lists of keys, for all rows together; those for each row alone are the same."""
    rows = [{"customer_id": row["customer_id"], "many": many} for row in ROWS for many in MANY]
    found = store.get_online_features(["listed"], rows, at=at).rows()
    assert [store.get_online_features(["listed"], [row], at=at).rows()[0] for row in rows] == found
    return [{name: row[name] for name in LISTED} for row in found]


def trained_lists(folder: Path, at: datetime) -> list[dict[str, Any]]:
    rows = [(row["customer_id"], many) for row in ROWS for many in MANY]
    spine = pa.table({
        "customer_id": pa.array([key for key, _ in rows], pa.int64()),
        "many": pa.array([many for _, many in rows], pa.list_(pa.string())),
        "event_timestamp": pa.array([at] * len(rows), pa.timestamp("us")),
    })  # fmt: skip
    with FeatureStore(folder) as store:
        found = store.get_historical_features(spine, ["listed"]).to_arrow().to_pylist()
    return [{name: row[name] for name in LISTED} for row in found]


def trained(folder: Path, at: datetime) -> list[dict[str, Any]]:
    spine = pa.table({
        "customer_id": pa.array([row["customer_id"] for row in ROWS], pa.int64()),
        "given": [row["given"] for row in ROWS],
        "event_timestamp": pa.array([at] * len(ROWS), pa.timestamp("us")),
    })  # fmt: skip
    with FeatureStore(folder) as store:
        found = store.get_historical_features(spine, ["looked"]).to_arrow().to_pylist()
    return [{name: row[name] for name in FEATURES} for row in found]


def test_lookups_answer_as_training_does_beside_loads_and_pushes(shop: Path) -> None:
    with FeatureStore(shop) as store:
        store.materialize()
        store.push("orders", [order("x", 2, amount=5.0, note="a"), order("y", 3, amount=6.0, note="c")])
        check(store, shop)
        assert store.get_online_features(["looked:orders"], [{"customer_id": 3}]).rows()[0]["orders"] == 1
        store.push("orders", [order("z", 9, amount=0.5, note="b")])
        store.get_online_features(["looked"], ROWS[:1])
        check(store, shop)
        store.materialize()
        check(store, shop)


def check(store: FeatureStore, folder: Path) -> None:
    store.get_online_features(["looked"], ROWS)
    assert store._reader is not None
    stored = store._reader.views().values()
    last = max(from_microseconds(view.pushes.at) for view in stored if view.pushes is not None)
    first = max(last, *(view.watermark.replace(tzinfo=None) for view in stored))
    for at in (first, first + timedelta(hours=3), first + timedelta(days=25)):
        assert served(store, at) == trained(folder, at)
        assert listed(store, at) == trained_lists(folder, at)


def test_a_push_between_two_rounds_is_seen_by_both_or_by_none(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FeatureStore(shop) as store, FeatureStore(shop) as writer:
        store.materialize()
        store.push("orders", [order("x", 2, amount=5.0, note="a")])
        store.get_online_features(["looked"], ROWS)
        assert store._reader is not None
        remote = store._reader._backend._store  # type: ignore[attr-defined]
        fetch, calls = remote.fetch, []

        def interrupted(*arguments: Any) -> Any:
            calls.append(arguments)
            if len(calls) == 2:
                writer.push("orders", [order("late", 2, amount=1.0, note="new")])
            return fetch(*arguments)

        monkeypatch.setattr(remote, "fetch", interrupted)
        (row,) = store.get_online_features(["looked"], [{"customer_id": 2, "given": None}]).rows()
        # Customer 2 was last at "a" with two orders, and is now at "new" with one: never at one with the other's.
        assert row["orders"] == 1 and row["amount"] == 1.0
        assert len(calls) > 3
