"""Views that are looked up by every element of a list: against loops, in training and serving; limits and refusals."""

from __future__ import annotations

from collections.abc import Callable
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
from features.loops import days, inside, ordered
from features.test_features import AFTER, WATERMARKS, instants
from features.test_lookups import SOURCE, card_row, merchant_row, write

HABITS = (
    "{{ config(entity='card', event_time='ts', ttl='30 days') }}\n"
    "select card, ts, list(merchant) over {{ last('7 days') }} as week, "
    "list_filter((list(merchant) over {{ last('ever') }})[-5:], lambda m_: m_ <> 'm1') as others "
    f"from {SOURCE}"
)
PAIRS = (
    "{{ config(entity=['card', 'merchant'], event_time='ts') }}\n"
    f"select card, merchant, ts, {{'c': cents}} as paid, count(*) over {{{{ last('ever') }}}} as times from {SOURCE}"
)
LOOKED_UP = (
    "{{ config(inputs={'shops': 'varchar[]', 'far': 'integer[]'}) }}\n"
    "select week, n as counts, spent, last_card as cards, list_sum(n) as total, their_cents as chained, o_n as others, "
    "s_n as given, paid as pairs, times, f_cents as far_cents, len(their_cents) as size, s_last_merchant as through\n"
    "from {{ request('habits', lookup('merchants', merchant='week'), "
    "lookup('cards:cents', card='last_card', prefix='their_'), "
    "lookup('merchants:n', merchant='others', prefix='o_'), "
    "lookup('cards:last_merchant', card='s_last_card', prefix='s_'), "
    "lookup('merchants:n', merchant='shops', prefix='s_'), "
    "lookup('merchants:last_card', merchant='shops', prefix='s_'), "
    "lookup('cards:cents', card='far', prefix='f_'), "
    "lookup('pairs', merchant='week')) }}"
)
NAMES = (
    "week", "counts", "spent", "cards", "total", "chained", "others", "given", "pairs", "times", "far_cents", "size",
    "through",
)  # fmt: skip
SHOPS = (["m1", None, "nowhere", "m1"], None, [])
FAR = [1, 2, None, 77]


def write_views(folder: Path, rows: list[Row]) -> None:
    write(folder, rows, LOOKED_UP, habits=HABITS, pairs=PAIRS)


def each(keys: list[Any] | None, of: Callable[[Any], Any]) -> list[Any] | None:
    return None if keys is None else [of(key) for key in keys]


def loop(rows: list[Row], card: Any, shops: list[Any] | None, t: datetime) -> dict[str, Any]:
    mine = [row for row in rows if card is not None and row["card"] == card and row["ts"] <= t]
    week = ordered(inside(mine, t, days(7)), "merchant") or None
    last = ordered(mine, "merchant")[-5:] or None
    others = None if last is None else [m for m in last if m != "m1"]

    def of_merchant(column: str) -> Callable[[Any], Any]:
        return lambda key: merchant_row(rows, key, t)[column]

    def of_card(column: str) -> Callable[[Any], Any]:
        return lambda key: card_row(rows, key, t).get(column)

    def of_pair(merchant: Any) -> list[Row]:
        return [row for row in mine if row["merchant"] == merchant and merchant is not None]

    def paid(merchant: Any) -> Any:
        there = of_pair(merchant)
        newest = [row["cents"] for row in there if row["ts"] == max(one["ts"] for one in there)]
        return {"c": max(newest, key=lambda c: (c is not None, c or 0))} if there else None

    cards = each(week, of_merchant("last_card"))
    counts = each(week, of_merchant("n"))
    chained = each(cards, of_card("cents"))
    return {
        "week": week, "counts": counts, "spent": each(week, of_merchant("spent")), "cards": cards,
        "total": None if counts is None else sum(counts), "chained": chained,
        "others": each(others, of_merchant("n")), "given": each(shops, of_merchant("n")),
        "pairs": each(week, paid), "times": each(week, lambda m: len(of_pair(m))),
        "far_cents": each(FAR, of_card("cents")), "size": None if chained is None else len(chained),
        "through": each(each(shops, of_merchant("last_card")), of_card("merchant")),
    }  # fmt: skip


def trained(store: FeatureStore, asked: list[tuple[Any, Any, datetime]]) -> list[dict[str, Any]]:
    spine = pa.table({
        "card": pa.array([card for card, _, _ in asked], pa.int64()),
        "shops": pa.array([shops for _, shops, _ in asked], pa.list_(pa.string())),
        "far": pa.array([FAR] * len(asked), pa.list_(pa.int32())),
        "event_timestamp": pa.array([t for _, _, t in asked], pa.timestamp("us")),
    })  # fmt: skip
    rows = store.get_historical_features(spine, ["looked"]).to_arrow().to_pylist()
    return [{name: row[name] for name in NAMES} for row in rows]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("list_lookups") / "shop"
    write_views(made, make_rows())
    return made


def test_training_gives_what_the_loops_give(folder: Path) -> None:
    rows = make_rows()
    asked = [(card, shops, t) for card in (*CARDS, UNSEEN, None) for shops in SHOPS for t in instants()]
    with FeatureStore(folder) as store:
        found = trained(store, asked)
    assert found == [loop(rows, *one) for one in asked]
    assert any(row["counts"] and None not in row["counts"] for row in found)


def test_serving_gives_what_the_loops_give_after_late_rows_and_edits(folder: Path) -> None:
    rows = make_rows()
    keys = [{"card": card, "shops": shops, "far": FAR} for card in (*CARDS, UNSEEN, None) for shops in SHOPS]
    with FeatureStore(folder) as store:
        for now, watermark in ((rows, WATERMARKS[0]), (rows, WATERMARKS[1]), (edit(rows), WATERMARKS[1])):
            pq.write_table(as_table(now), folder / "payments.parquet")
            store.materialize(watermark, allow_shrink=True)
            for t in (watermark + after for after in AFTER):
                found = store.get_online_features(["looked"], keys, at=t).rows()
                wanted = [loop(now, key["card"], key["shops"], t) for key in keys]
                assert [{name: row[name] for name in NAMES} for row in found] == wanted
                one = store.get_online_features(["looked"], keys[:1], at=t).rows()
                assert {name: one[0][name] for name in NAMES} == wanted[0]
            assert store.get_online_features(["looked"], [], at=watermark).rows() == []
        assert not store.doctor().findings


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_random_histories_give_what_the_loops_give(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    base = make_rows()[0]
    payment = st.fixed_dictionaries({
        "card": st.integers(1, 3),
        "merchant": st.sampled_from(["m1", "m2", "m3", None]),
        "cents": st.sampled_from([None, 1, 5]),
        "ts": st.integers(0, 40).map(lambda days_: START + timedelta(days=days_)),
    })  # fmt: skip
    rows = [{**base, **row} for row in data.draw(st.lists(payment, min_size=1, max_size=25))]
    made = tmp_path_factory.mktemp("random") / "shop"
    write_views(made, rows)
    watermark = START + timedelta(days=data.draw(st.integers(5, 45)))
    shops = data.draw(st.none() | st.lists(st.sampled_from(["m1", "m2", "x", None]), max_size=4))
    asked = [(card, shops, watermark + timedelta(days=d)) for card in (1, 2, 9) for d in (0, 6, 12)]
    with FeatureStore(made) as store:
        assert trained(store, asked) == [loop(rows, *one) for one in asked]
        store.materialize(watermark)
        for card, given_shops, t in asked:
            key = {"card": card, "shops": given_shops, "far": FAR}
            (row,) = store.get_online_features(["looked"], [key], at=t).rows()
            assert {name: row[name] for name in NAMES} == loop(rows, card, shops, t)


def spine_of(shops: list[str]) -> pa.Table:
    return pa.table({"card": [1], "shops": [shops], "far": [[1]], "event_timestamp": [START]})


def test_at_most_256_keys_are_looked_up_at_once(folder: Path) -> None:
    pq.write_table(as_table(make_rows()), folder / "payments.parquet")
    with FeatureStore(folder) as store:
        job = store.get_historical_features(spine_of(["m1"] * 256), ["looked:given"])
        assert len(job.to_arrow()["given"][0].as_py()) == 256
        store.materialize(WATERMARKS[1], full_refresh=True)
        key = {"card": 1, "shops": ["m1"] * 256, "far": [1]}
        (row,) = store.get_online_features(["looked:given"], [key], at=WATERMARKS[1]).rows()
        assert len(row["given"]) == 256
        said = []
        with pytest.raises(AsknownError) as refused:
            store.get_historical_features(spine_of(["m1"] * 257), ["looked:given"]).to_arrow()
        said.append(refused.value)
        with pytest.raises(AsknownError) as refused:
            store.get_online_features(["looked:given"], [{**key, "shops": ["m1"] * 257}], at=WATERMARKS[1])
        said.append(refused.value)
    assert [error.code for error in said] == ["lookup-too-many"] * 2
    assert said[0].message == said[1].message and "257" in said[0].message
    assert all("[-256:]" in str(error.hint) for error in said)


def test_an_input_that_is_no_such_list_is_an_error(folder: Path) -> None:
    with FeatureStore(folder) as store:
        store.materialize(WATERMARKS[1], full_refresh=True)
        for shops in ("m1", [1]):
            with pytest.raises(AsknownError) as refused:
                key = {"card": 1, "shops": shops, "far": [1]}
                store.get_online_features(["looked:given"], [key], at=WATERMARKS[1])
            assert refused.value.code == "request-input" and "'shops'" in refused.value.message


def test_an_error_names_the_values_that_were_looked_up(tmp_path: Path) -> None:
    text = (
        "{{ config(inputs={'shops': 'varchar[]'}) }} "
        "select 1 // (list_sum(n) - list_sum(n)) as f from {{ request(lookup('merchants:n', merchant='shops')) }}"
    )
    write(tmp_path / "shop", make_rows(), text)
    spine = pa.table({"shops": [["m1", "m2"]], "event_timestamp": [WATERMARKS[1]]})
    with FeatureStore(tmp_path / "shop") as store, pytest.raises(AsknownError) as refused:
        store.get_historical_features(spine, ["looked"]).to_arrow()
    assert "n = [" in refused.value.message


def test_the_plan_and_the_sql_say_it(folder: Path) -> None:
    with FeatureStore(folder) as store:
        job = store.get_historical_features(spine_of(["m1"]), ["looked:given"])
        assert "for each element of merchants_merchant" in job.explain()
        assert "GROUP BY" in job.sql() and "elements" in job.sql()


@pytest.mark.parametrize("dialect", ["postgres", "spark"])
def test_other_engines_refuse_it_and_name_the_way(tmp_path: Path, dialect: str) -> None:
    text = (
        "{{ config(inputs={'shops': 'varchar[]'}) }} "
        "select n[1] as f from {{ request(lookup('merchants:n', merchant='shops')) }}"
    )
    write(tmp_path / "shop", make_rows(), text)
    (tmp_path / "shop" / "models" / "services.yml").write_text(
        "feature_services:\n  - name: asked\n    features: [looked]\n"
    )
    with FeatureStore(tmp_path / "shop") as store, pytest.raises(AsknownError) as refused:
        store.compile_service("asked", dialect=dialect)
    assert refused.value.code == "not-in-dialect"
    assert "list of keys" in refused.value.message and "[-1]" in str(refused.value.hint)
