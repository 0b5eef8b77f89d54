"""Feast's POST /write-to-online-store: rows of a view that only selects and renames become rows of its source."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from shop import offline_ids, order, write_file, write_shop

from asknown import FeatureStore
from asknown.serve import Application, Token
from asknown.serve.auth import digest
from http_calls import Answer, call

VIEWS = {
    "flat": """
{{ config(entity='customer', event_time='bought_at', known_at='_arrived') }}
select o.customer_id, o.ordered_at as bought_at, o._arrived, o.order_id as number, amount as paid, o.note
from {{ ref('plain_orders') }} as o
""",
    "plain_orders": "select * from {{ source('shop', 'orders') }}",
    "listed": """
{{ config(entity='customer', event_time='bought_at', known_at='_arrived', created_at='booked_at') }}
select customer_id, ordered_at as bought_at, ordered_at as booked_at, _arrived, order_id as number, amount as paid, note
from {{ source('shop', 'orders') }}
""",
    "narrow": """
{{ config(entity='customer', event_time='ordered_at', known_at='_arrived') }}
select customer_id, ordered_at, _arrived, order_id, amount from {{ source('shop', 'orders') }}
""",
    "doubled": """
{{ config(entity='customer', event_time='ordered_at', known_at='_arrived') }}
select customer_id, ordered_at, _arrived, order_id, amount * 2 as amount, note from {{ source('shop', 'orders') }}
""",
    "some": """
{{ config(entity='customer', event_time='ordered_at', known_at='_arrived') }}
select customer_id, ordered_at, _arrived, order_id, amount, note from {{ source('shop', 'orders') }} where amount > 1
""",
    "counted": """
{{ config(entity='customer', event_time='ordered_at', known_at='_arrived') }}
select customer_id, ordered_at, _arrived, order_id, amount, note, count(*) over {{ last('7 days') }} as n
from {{ source('shop', 'orders') }}
""",
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_shop(tmp_path_factory.mktemp("write") / "shop", views=VIEWS)
    row = order("first", 1, ago=3600, amount=10.0)
    write_file(folder, "history.parquet", [row | {"_arrived": row["ordered_at"]}])
    with closing(FeatureStore(folder)) as store:
        store.materialize()
    return folder


@pytest.fixture
def store(shop: Path) -> Iterator[FeatureStore]:
    with FeatureStore(shop) as opened:
        yield opened


def write(app: Application, view: str, number: str, **changes: Any) -> Answer:
    made = order(number, 1, amount=2.5)
    df: dict[str, Any] = {
        "customer_id": [1],
        "number": [number],
        "paid": [2.5],
        "note": ["n"],
        "event_timestamp": [made["ordered_at"].isoformat()],
        "created": [None],
    }
    body = {"feature_view_name": view, "df": df | changes, "allow_registry_cache": False}
    return call(app, "POST", "/write-to-online-store", body)


def paid(app: Application) -> Any:
    asked = {"features": ["listed:paid"], "rows": [{"customer_id": 1}]}
    return call(app, "POST", "/v1/features", asked).json()["rows"][0]["paid"]


def test_a_written_row_is_a_row_of_the_source(store: FeatureStore, shop: Path) -> None:
    app = Application(shop / "online.db", pushes=store.push_writer())
    made = order("w1", 1)["ordered_at"].isoformat()
    answer = write(app, "listed", "w1", event_timestamp=[made], created=[made])
    assert answer.status == 200, answer.body
    assert answer.json()["new"] == 1
    assert {"listed", "doubled", "counted"} <= set(answer.json()["views"])
    assert paid(app) == 2.5
    store.close()
    assert offline_ids(shop) == ["ofirst", "w1"]


@pytest.mark.parametrize(
    ("view", "code", "message"),
    [
        ("narrow", "push-view", "says nothing of the column 'note'"),
        ("doubled", "push-view", "does more than select"),
        ("some", "push-view", "does more than select"),
        ("counted", "push-view", "does more than select"),
        ("flat", "push-view", "does more than select"),  # a star does not say which columns there are
        ("nothing", "unknown-view", "there is no view"),
    ],
)
def test_other_views_name_the_source_to_push_into(
    store: FeatureStore, shop: Path, view: str, code: str, message: str
) -> None:
    app = Application(shop / "online.db", pushes=store.push_writer())
    answer = write(app, view, "w2")
    assert answer.json()["code"] == code, answer.body
    assert message in answer.json()["title"]
    if code == "push-view":
        assert "shop.orders" in answer.json()["hint"]
    assert answer.status < 500


def test_mistakes_and_scopes(store: FeatureStore, shop: Path) -> None:
    app = Application(shop / "online.db", pushes=store.push_writer())
    assert write(app, "listed", "w3", paid=["much"]).json()["code"] == "push-row"
    assert write(app, "listed", "w3", other=[1]).json()["code"] == "push-row"
    assert write(app, "listed", "w3", paid=[1, 2]).json()["code"] == "bad-value"
    tokens = [Token("t", digest(b"t"), frozenset(["read"]))]
    guarded = Application(shop / "online.db", tokens, pushes=store.push_writer())
    body = {"feature_view_name": "listed", "df": {}}
    answer = call(guarded, "POST", "/write-to-online-store", body, {"authorization": "Bearer t"})
    assert answer.status == 403
