"""Whatever is pushed over HTTP, the answer is JSON and below 500, and only accepted rows are kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from shop import write_shop

from asknown import FeatureStore
from asknown.serve import Application
from http_calls import call

SOURCE = """
sources:
  - name: shop
    tables:
      - name: orders
        path: 'data/orders/*.parquet'
        push: {id: order_id, event_time: ordered_at, known_at: _arrived, land: data/orders/}
        columns:
          - {name: order_id, data_type: varchar}
          - {name: customer_id, data_type: bigint}
          - {name: ordered_at, data_type: timestamp}
          - {name: amount, data_type: double}
          - {name: price, data_type: 'decimal(9,2)'}
          - {name: day, data_type: date}
          - {name: tags, data_type: 'varchar[]'}
          - {name: code, data_type: uuid}
entities:
  - name: customer
    keys: [{name: customer_id, data_type: bigint}]
"""
VIEW = """
{{ config(entity='customer', event_time='ordered_at', known_at='_arrived') }}
select customer_id, ordered_at, _arrived, amount * 2 as twice, price + 1 as price, day + 1 as tomorrow, tags,
    code::varchar as code, count(*) over {{ last('7 days') }} as n, sum(amount) over {{ last('7 days') }} as spent
from {{ source('shop', 'orders') }}
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    folder = write_shop(tmp_path_factory.mktemp("fuzz") / "shop", views={"seen": VIEW}, source=SOURCE)
    with FeatureStore(folder) as store:
        store.push("orders", [given_row("first", 1)])
        store.materialize()
        yield Application(Path(folder) / "online.db", pushes=store.push_writer())


def given_row(key: str, customer: int) -> dict[str, Any]:
    """A row that every check accepts."""
    at = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=1)
    plain = {"order_id": key, "customer_id": customer, "amount": 1.0, "price": "1.50", "day": "2024-01-01"}
    return {**plain, "ordered_at": at.isoformat(), "tags": ["a"], "code": "0f8fad5b-d9cb-469f-a165-70867728950e"}


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(
        ["NaN", "Infinity", "1e5", "1.50", "2013-05-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59"]
    ),
)
values = st.recursive(
    scalars, lambda i: st.lists(i, max_size=3) | st.dictionaries(st.text(max_size=3), i, max_size=2), max_leaves=4
)
names = st.sampled_from([*sorted(given_row("x", 1)), "_arrived", "_seq"]) | st.text(max_size=4)


@st.composite
def near(draw: st.DrawFn) -> dict[str, Any]:
    """A row that is right but for some of its values."""
    row = given_row(f"k{draw(st.integers(0, 10**9))}", draw(st.integers(2, 9)))
    for name in draw(st.lists(names, max_size=2)):
        row[name] = draw(values)
    return row


rows = st.lists(near() | st.dictionaries(names, values, max_size=5) | values, max_size=4)
bodies = st.one_of(
    st.fixed_dictionaries({"rows": rows}),
    st.fixed_dictionaries({"rows": rows, "ids": st.lists(values, max_size=4) | values}),
    st.fixed_dictionaries({"columns": st.dictionaries(names, st.lists(values, max_size=3) | values, max_size=9)}),
    rows,
    values,
)
feast = st.fixed_dictionaries(
    {},
    optional={
        "push_source_name": st.just("orders") | values,
        "feature_view_name": st.just("seen") | values,
        "df": st.dictionaries(names, st.lists(values, max_size=3) | values, max_size=9) | values,
        "to": st.sampled_from(["online", "offline", "online_and_offline"]) | values,
        "allow_registry_cache": values,
    },
)


def check(app: Application, path: str, body: bytes, query: bytes = b"") -> int:
    answer = call(app, "POST", path, body, query=query)
    assert answer.status < 500, (answer.status, answer.body, body)
    json.loads(answer.body, parse_constant=lambda name: pytest.fail(f"{name} in {answer.body!r}"))
    return answer.status


@hypothesis_settings(max_examples=200)
@given(
    body=bodies,
    query=st.sampled_from([b"", b"partial=true", b"partial=maybe"]),
    path=st.sampled_from(["orders", "shop.orders", "none"]),
)
def test_no_push_is_a_5xx(app: Application, body: Any, query: bytes, path: str) -> None:
    check(app, f"/v1/push/{path}", json.dumps(body).encode(), query)


@hypothesis_settings(max_examples=100)
@given(body=feast | values, path=st.sampled_from(["/push", "/write-to-online-store"]))
def test_no_push_of_feasts_is_a_5xx(app: Application, body: Any, path: str) -> None:
    check(app, path, json.dumps(body).encode())


@hypothesis_settings(max_examples=60)
@given(body=st.binary(max_size=60), path=st.sampled_from(["/v1/push/orders", "/push", "/write-to-online-store"]))
def test_no_bytes_are_a_5xx(app: Application, body: bytes, path: str) -> None:
    check(app, path, body)


@hypothesis_settings(max_examples=60)
@given(row=near())
def test_a_row_is_kept_or_refused_whole(app: Application, row: dict[str, Any]) -> None:
    """An accepted row counts once in its customer's windows; a refused one does not count."""

    def seen(customer: Any) -> Any:
        asked = {"features": ["seen:n"], "rows": [{"customer_id": customer}]}
        return call(app, "POST", "/v1/features", asked).json()["rows"][0]["n"]

    customers = range(2, 10)
    before = {customer: seen(customer) or 0 for customer in customers}
    answer = call(app, "POST", "/v1/push/orders", {"rows": [row]})
    said = answer.json()
    counts = answer.status == 200 and said["new"] + said["older"] == 1
    after = {customer: seen(customer) or 0 for customer in customers}
    changed = {
        customer: after[customer] - before[customer] for customer in customers if after[customer] != before[customer]
    }
    customer = row.get("customer_id")
    assert changed == ({customer: 1} if counts and customer in customers else {})
