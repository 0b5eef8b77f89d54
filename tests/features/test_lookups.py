"""Views that are looked up by inputs and features: against loops, in training and serving; and what is refused."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asknown import AsknownError, FeatureStore
from features.data import CARDS, START, UNSEEN, Row, as_table, edit, make_rows
from features.loops import days, inside, over
from features.test_features import AFTER, WATERMARKS, instants, write_project

SOURCE = "{{ source('shop', 'payments') }}"
CARDS_VIEW = (
    "{{ config(entity='card', event_time='ts', ttl='30 days') }}\n"
    f"select card, ts, merchant as last_merchant, cents from {SOURCE}"
)
MERCHANTS_VIEW = (
    "{{ config(entity='merchant', event_time='ts', ttl='10 days') }}\n"
    "select merchant, ts, card as last_card, count(*) over {{ last('7 days') }} as n, "
    f"sum(cents) over {{{{ last('7 days') }}}} as spent from {SOURCE}"
)
LOOKED_UP = (
    "{{ config(inputs={'shop': 'varchar'}) }}\n"
    "select n, coalesce(n, -1) as counted, spent / nullif(their_cents, 0) as share, shop_n, "
    "their_cents as chained, farther_last_card as farther, last_merchant\n"
    "from {{ request('cards', lookup('merchants', merchant='last_merchant'), "
    # The order in which they are written does not matter.
    "lookup('merchants:last_card', merchant='second_last_merchant', prefix='farther_'), "
    "lookup('cards:cents', card='last_card', prefix='their_'), "
    "lookup('cards:last_merchant', card='last_card', prefix='second_'), "
    "lookup('merchants:n', merchant='shop', prefix='shop_')) }}"
)
THROUGH = "{{ config(inputs={}) }}\nselect counted + 1 as more from {{ request('looked') }}"
NAMES = ("n", "counted", "share", "shop_n", "chained", "farther", "last_merchant", "more")
SHOPS = ("m1", None, "nowhere")


def write(folder: Path, rows: list[Row], looked: str = LOOKED_UP, **more: str) -> None:
    write_project(folder, [])
    views = {"cards": CARDS_VIEW, "merchants": MERCHANTS_VIEW, "looked": looked, **more}
    for name, text in views.items():
        (folder / "models" / f"{name}.sql").write_text(text + "\n", encoding="utf-8")
    pq.write_table(as_table(rows), folder / "payments.parquet")


def latest(rows: list[Row], t: datetime, ttl: float, columns: tuple[str, ...]) -> Row:
    """The newest row that is not too old: of ties the greatest by these columns, NULL the least."""
    young = [row for row in rows if t - days(ttl) <= row["ts"] <= t]
    last = max((row["ts"] for row in young), default=None)
    tied = [row for row in young if row["ts"] == last]
    return max(tied, key=lambda row: [(row[c] is not None, row[c] or 0) for c in columns], default={})


def card_row(rows: list[Row], key: Any, t: datetime) -> Row:
    """What view cards says of a card."""
    mine = [row for row in rows if key is not None and row["card"] == key]
    return latest(mine, t, 30, ("merchant", "cents"))


def merchant_row(rows: list[Row], key: Any, t: datetime) -> Row:
    """What view merchants says of a merchant, that is looked up."""
    seen = [row for row in rows if row["ts"] <= t]
    there = [row for row in inside(seen, t, days(7)) if row["merchant"] == key]
    cents = [row["cents"] for row in there if row["cents"] is not None]
    if key is None:
        return {"n": None, "spent": None, "last_card": None}
    return {
        "n": len(there), "spent": sum(cents) if cents else None,
        "last_card": latest([row for row in rows if row["merchant"] == key], t, 10, ("card",)).get("card"),
    }  # fmt: skip


def loop(rows: list[Row], card: Any, shop: Any, t: datetime) -> dict[str, Any]:
    """What each feature must be, by plain loops."""

    def of_card(key: Any) -> Row:
        return card_row(rows, key, t)

    def of_merchant(key: Any) -> Row:
        return merchant_row(rows, key, t)

    own = of_card(card)
    place = of_merchant(own.get("merchant"))
    other = of_card(place["last_card"]) if place["last_card"] is not None else {}
    their = other.get("cents")
    counted = -1 if place["n"] is None else place["n"]
    return {
        "n": place["n"],
        "counted": counted,
        "share": over(place["spent"], their),
        "shop_n": of_merchant(shop)["n"],
        "chained": their,
        "farther": of_merchant(other.get("merchant"))["last_card"],
        "last_merchant": own.get("merchant"),
        "more": counted + 1,
    }


def trained(store: FeatureStore, asked: list[tuple[Any, Any, datetime]]) -> list[dict[str, Any]]:
    spine = pa.table({
        "card": pa.array([card for card, _, _ in asked], pa.int64()),
        "shop": pa.array([shop for _, shop, _ in asked], pa.string()),
        "event_timestamp": pa.array([t for _, _, t in asked], pa.timestamp("us")),
    })  # fmt: skip
    rows = store.get_historical_features(spine, ["looked", "through"]).to_arrow().to_pylist()
    return [{name: row[name] for name in NAMES} for row in rows]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("lookups") / "shop"
    write(made, make_rows(), through=THROUGH)
    return made


def test_training_gives_what_the_loops_give(folder: Path) -> None:
    rows = make_rows()
    asked = [(card, shop, t) for card in (*CARDS, UNSEEN, None) for shop in SHOPS for t in instants()]
    with FeatureStore(folder) as store:
        assert trained(store, asked) == [loop(rows, *one) for one in asked]


def test_serving_gives_what_the_loops_give_after_late_rows_and_edits(folder: Path) -> None:
    rows = make_rows()
    keys = [{"card": card, "shop": shop} for card in (*CARDS, UNSEEN, None) for shop in SHOPS]
    with FeatureStore(folder) as store:
        for now, watermark in ((rows, WATERMARKS[0]), (rows, WATERMARKS[1]), (edit(rows), WATERMARKS[1])):
            pq.write_table(as_table(now), folder / "payments.parquet")
            store.materialize(watermark, allow_shrink=True)
            for t in (watermark + after for after in AFTER):
                found = store.get_online_features(["looked", "through"], keys, at=t).rows()
                wanted = [loop(now, key["card"], key["shop"], t) for key in keys]
                assert [{name: row[name] for name in NAMES} for row in found] == wanted
                one = store.get_online_features(["looked", "through"], keys[:1], at=t).rows()
                assert {name: one[0][name] for name in NAMES} == wanted[0]
            assert store.get_online_features(["looked", "through"], [], at=watermark).rows() == []
        assert not store.doctor().findings


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_random_histories_give_what_the_loops_give(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    base = make_rows()[0]
    payment = st.fixed_dictionaries({
        "card": st.integers(1, 3),
        "merchant": st.sampled_from(["m1", "m2", None]),
        "cents": st.sampled_from([None, 1, 5]),
        "ts": st.integers(0, 40).map(lambda days_: START + timedelta(days=days_)),
    })  # fmt: skip
    rows = [{**base, **row} for row in data.draw(st.lists(payment, min_size=1, max_size=25))]
    made = tmp_path_factory.mktemp("random") / "shop"
    write(made, rows, through=THROUGH)
    watermark = START + timedelta(days=data.draw(st.integers(5, 45)))
    asked = [(card, "m1", watermark + timedelta(days=d)) for card in (1, 2, 3, 9) for d in (0, 6, 12)]
    with FeatureStore(made) as store:
        assert trained(store, asked) == [loop(rows, *one) for one in asked]
        store.materialize(watermark)
        for card, shop, t in asked:
            (row,) = store.get_online_features(["looked", "through"], [{"card": card, "shop": shop}], at=t).rows()
            assert {name: row[name] for name in NAMES} == loop(rows, card, shop, t)


def test_a_service_may_read_it_by_other_keys(folder: Path) -> None:
    """The card of the request is called buyer: what is looked up by its features follows."""
    (folder / "models" / "services.yml").write_text(
        "feature_services:\n  - name: buyers\n    features:\n      - {view: looked, keys: {card: buyer}}\n"
    )
    rows = make_rows()
    pq.write_table(as_table(rows), folder / "payments.parquet")
    t = WATERMARKS[1]
    spine = pa.table({"buyer": [1, 2], "shop": ["m1", "m2"], "event_timestamp": pa.array([t, t], pa.timestamp("us"))})
    with FeatureStore(folder) as store:
        store.materialize(t, full_refresh=True)
        offline = store.get_historical_features(spine, "buyers").to_arrow().to_pylist()
        online = store.get_online_features(
            "buyers", [{"buyer": 1, "shop": "m1"}, {"buyer": 2, "shop": "m2"}], at=t
        ).rows()
    wanted = [loop(rows, card, shop, t) for card, shop in ((1, "m1"), (2, "m2"))]
    for found in (offline, online):
        assert [{name: row[name] for name in NAMES[:-1]} for row in found] == [
            {name: row[name] for name in NAMES[:-1]} for row in wanted
        ]


def asks(call: str, select: str = "n") -> str:
    return f"{{{{ config(inputs={{'shop': 'varchar'}}) }}}}\nselect {select} as f from {{{{ {call} }}}}"


LISTS = (
    "{{ config(entity='card', event_time='ts') }} select card, ts, list(merchant) over {{ last('7 days') }} as l, "
    "list(card) over {{ last('7 days') }} as cs "
)
PAIRS = "{{ config(entity=['card', 'merchant'], event_time='ts') }} select card, merchant, ts, cents as n "
REFUSED = {
    "a list of another type": (asks("request('lists', lookup('cards', card='l'))", "cents"), "key-type", "BIGINT"),
    "two lists": (asks("request('lists', lookup('pairs', merchant='l', card='cs'))"), "bad-model", "two lists"),
    "an on-demand feature": (asks("request('looked:n', lookup('cards', card='n'))", "cents"), "bad-model", "on-demand"),
    "an on-demand view": (asks("request('cards', lookup('looked', card='cents'))"), "bad-model", "which has no rows"),
    "the instant": (asks("request('cards', lookup('merchants', merchant='asked_at'))"), "bad-model", "the instant"),
    "a circle": (
        asks("request(lookup('merchants', merchant='last_merchant'), lookup('cards', card='last_card'))"),
        "cycle", "wait for each other",
    ),
    "no such key": (asks("request('cards', lookup('merchants', merchnt='last_merchant'))"), "bad-model", "merchant"),
    "no such column": (asks("request('cards', lookup('merchants', merchant='last_marchant'))"), "bad-model",
                       "last_merchant"),
    "another type": (asks("request('cards', lookup('merchants', merchant='cents'))"), "key-type", "VARCHAR"),
    "two columns of one name": (
        asks("request('cards', lookup('merchants', merchant='shop'), lookup('merchants', merchant='last_merchant'))"),
        "name-clash", "prefix=",
    ),
    "outside request": (
        "{{ config(inputs={}) }}{% set x = lookup('merchants', merchant='shop') %} select 1 as f from {{ request() }}",
        "bad-model", "outside request()",
    ),
    "without keys": (asks("request('cards', lookup('merchants'))"), "wrong-type", "device='last_device'"),
    "no such view": (asks("request('cards', lookup('merchant', merchant='shop'))"), "unknown-view", "merchants"),
    "a service": (asks("request('cards', lookup('buyers', merchant='shop'))"), "unknown-view", "buyers"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_lookups_that_are_refused(name: str, tmp_path: Path) -> None:
    text, code, word = REFUSED[name]
    write(tmp_path / "shop", make_rows(), wrong=text, lists=f"{LISTS} from {SOURCE}", pairs=f"{PAIRS} from {SOURCE}")
    spine = pa.table({"card": [1], "shop": ["m1"], "event_timestamp": pa.array([START], pa.timestamp("us"))})
    with FeatureStore(tmp_path / "shop") as store, pytest.raises(AsknownError) as refused:
        store.get_historical_features(spine, ["wrong"])
    assert refused.value.code in (code, "unknown-service") and refused.value.at is not None, str(refused.value)
    assert word in f"{refused.value.message} {refused.value.hint}", str(refused.value)


def test_an_error_names_the_values_that_were_looked_up(tmp_path: Path) -> None:
    text = asks("request('cards', lookup('merchants:n', merchant='last_merchant'))", "1 // (n - n)")
    write(tmp_path / "shop", make_rows(), wrong=text)
    row = next(row for row in make_rows() if row["card"] == 1 and row["merchant"] is not None)
    spine = pa.table({"card": [1], "event_timestamp": pa.array([row["ts"]], pa.timestamp("us"))})
    with FeatureStore(tmp_path / "shop") as store:
        with pytest.raises(AsknownError) as refused:
            store.get_historical_features(spine, ["wrong"]).to_arrow()
        assert "n = " in refused.value.message


def test_hindsight_is_counted_for_views_that_are_read_by_keys_of_the_spine(tmp_path: Path) -> None:
    """A lookup reads views at keys that only the query knows."""
    cards = CARDS_VIEW.replace("event_time='ts'", "event_time='ts', known_at='known'").replace("ts,", "ts, known,")
    merchants = MERCHANTS_VIEW.replace("event_time='ts'", "event_time='ts', known_at='known'")
    text = (
        "{{ config(inputs={}) }} select last_card as f "
        "from {{ request('cards', lookup('merchants:last_card', merchant='last_merchant')) }}"
    )
    write(tmp_path / "shop", make_rows(), text, cards=cards, merchants=merchants.replace("ts,", "ts, known,"))
    spine = pa.table({"card": [1], "event_timestamp": [WATERMARKS[1]]})
    with FeatureStore(tmp_path / "shop") as store:
        assert list(store.get_historical_features(spine, ["looked"]).hindsight()) == ["cards"]
