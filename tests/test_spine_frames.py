"""Spines from data frames: each column arrives exactly as it was given, or an error names it."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from asknown import AsknownError, FeatureStore

WHEN = dt.datetime(2024, 5, 1)
FILES = {
    "pyproject.toml": '[tool.asknown]\nname = "club"\n',
    "models/club.yml": "sources:\n  - name: shop\n    tables:\n      - {name: visits, path: visits.csv}\n"
    "entities:\n  - {name: member, keys: [member_id]}\n",
    "models/visits.sql": "{{ config(entity='member', event_time='seen_at') }}\n"
    "select member_id, seen_at, points, points > 15 as many, 'gold' as plan, points / 4 as share,\n"
    "    sum(points) over {{ last('90 days') }} as total from {{ source('shop', 'visits') }}\n",
    "visits.csv": "member_id,seen_at,points\n1,2024-01-01 12:00:00,10\n2,2024-03-01 12:00:00,20\n",
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    root = tmp_path_factory.mktemp("club")
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return FeatureStore(root)


def trained(store: FeatureStore, spine: Any) -> pa.Table:
    return store.get_historical_features(spine, ["visits:points"]).to_arrow()


def pandas(**more: Any) -> pd.DataFrame:
    return pd.DataFrame({"member_id": [1, 2], "event_timestamp": pd.to_datetime([WHEN] * 2), **more})


def objects(*values: Any) -> pd.DataFrame:
    return pandas(extra=pd.Series(list(values), dtype=object))


KEPT: dict[str, tuple[Callable[[], Any], list[Any]]] = {
    "sparse": (lambda: pandas(extra=pd.arrays.SparseArray([0, 7])), [0, 7]),
    "float16": (lambda: pandas(extra=np.array([1.5, 2.25], dtype="float16")), [1.5, 2.25]),
    "a category": (lambda: pandas(extra=pd.Categorical(["b", "a"])), ["b", "a"]),
    "objects of text with NaN": (lambda: objects("a", float("nan")), ["a", None]),
    "objects of text with NA": (lambda: objects("a", pd.NA), ["a", None]),
    "objects of datetimes with NaT": (lambda: objects(WHEN, pd.NaT), [WHEN, None]),
    "objects of numpy integers": (lambda: objects(np.int8(3), 2**40), [3, 2**40]),
    "integers and floats": (lambda: objects(2, 1.5), [2.0, 1.5]),
    "integers and decimals": (lambda: objects(2, Decimal("1.5")), [Decimal("2.0"), Decimal("1.5")]),
    "numpy's booleans": (lambda: objects(np.True_, False), [True, False]),
    "UUIDs": (lambda: objects(uuid.UUID(int=5), uuid.UUID(int=6)), [str(uuid.UUID(int=n)) for n in (5, 6)]),
    "lists": (lambda: objects([1, 2], None), [[1, 2], None]),
    "arrays": (lambda: objects(np.array([1.5]), np.array([])), [[1.5], []]),
    "structs": (lambda: objects({"a": 1}, {"a": None}), [{"a": 1}, {"a": None}]),
    "decimal256": (
        lambda: pa.table(
            {
                "member_id": [1, 2],
                "event_timestamp": [WHEN] * 2,
                "extra": pa.array([Decimal("1.50"), None], pa.decimal256(50, 2)),
            }
        ),
        [Decimal("1.50"), None],
    ),
    "date64": (
        lambda: pa.table(
            {
                "member_id": [1, 2],
                "event_timestamp": [WHEN] * 2,
                "extra": pa.array([dt.date(1969, 12, 30), None], pa.date64()),
            }
        ),
        [dt.date(1969, 12, 30), None],
    ),
    "rows, one without a value": (
        lambda: [
            {"member_id": 1, "event_timestamp": WHEN, "extra": 1.5},
            {"member_id": 2, "event_timestamp": WHEN},
        ],
        [1.5, None],
    ),
    "polars, lazily": (
        lambda: pl.LazyFrame({"member_id": [1, 2], "event_timestamp": [WHEN] * 2, "extra": ["a", None]}),
        ["a", None],
    ),
}


@pytest.mark.parametrize("what", KEPT)
def test_a_column_arrives_as_it_was_given(store: FeatureStore, what: str) -> None:
    make, expected = KEPT[what]
    found = trained(store, make())
    assert found["extra"].to_pylist() == expected
    assert found["points"].to_pylist() == [10, 20]


def test_an_instant_in_nanoseconds_is_kept_where_it_is_whole_microseconds(store: FeatureStore) -> None:
    spine = pd.DataFrame({"member_id": [1], "event_timestamp": np.array(["2024-05-01T00:00:00.000001000"], "M8[ns]")})
    assert trained(store, spine)["event_timestamp"].to_pylist() == [WHEN + dt.timedelta(microseconds=1)]


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "an integer of 71 bits": (lambda: objects(2**70, 1), "column 'extra' does not convert"),
    "a lone surrogate": (lambda: objects("\ud800", "b"), "column 'extra' does not convert"),
    "numpy datetimes": (lambda: objects(*[np.datetime64("2024-05-01")] * 2), "column 'extra' holds a datetime64"),
    "numpy timedeltas": (lambda: objects(*[np.timedelta64(5, "s")] * 2), "column 'extra' holds a timedelta64"),
    "dates and datetimes": (lambda: objects(dt.date(2024, 5, 1), WHEN), "column 'extra' mixes values of several types"),
    "dates and datetimes in lists": (lambda: objects([dt.date(2024, 5, 1), WHEN], []), "column 'extra' mixes"),
    "floats and booleans": (lambda: objects(2.5, True), "column 'extra' mixes"),
    "text and bytes": (lambda: objects("a", b"b"), "column 'extra' mixes"),
    "text and numbers": (lambda: objects("a", 5), "column 'extra' mixes"),
    "sets": (lambda: objects({1}, {2}), "column 'extra' holds a set"),
    "objects": (lambda: objects(object(), None), "column 'extra' holds an object"),
    "nanoseconds in objects": (lambda: objects(pd.Timestamp(1), WHEN), "column 'extra' holds an instant"),
    "complex numbers": (lambda: pandas(extra=[1j, 2j]), "column 'extra' does not convert"),
    "periods": (lambda: pandas(extra=pd.period_range("2024-01", periods=2, freq="M")), "column 'extra' is of the type"),
    "intervals": (lambda: pandas(extra=pd.interval_range(0, 2)), "column 'extra' is of the type interval"),
    "a category of intervals": (lambda: pandas(extra=pd.cut(pd.Series([1, 2]), 2)), "column 'extra' is of the type"),
    "lengths of time": (lambda: pandas(extra=pd.to_timedelta([1, 2])), "column 'extra' is a duration"),
    "an index with a name": (lambda: pandas().set_index("member_id"), "index 'member_id' would be lost"),
    "the instants in the index": (
        lambda: pandas().set_index("event_timestamp").rename_axis(None),
        "index of instants would be lost",
    ),
    "names of several levels": (
        lambda: pandas().set_axis(pd.MultiIndex.from_tuples([("a", "b"), ("c", "d")]), axis=1),
        "have a MultiIndex",
    ),
    "a number as a name": (lambda: pandas().set_axis(["member_id", 5], axis=1), "column 2 is 5, and not text"),
    "an empty name": (lambda: pandas(**{"": [1, 2]}), "column 3 is empty"),
    "a NUL in a name": (lambda: pandas(**{"a\0b": [1, 2]}), "column 3 cannot be used"),
    "two columns of one name": (
        lambda: pandas(a=[1, 2], b=[3, 4]).set_axis(["member_id", "event_timestamp", "a", "a"], axis=1),
        "two columns with the same name",
    ),
    "columns of two lengths": (
        lambda: {"member_id": [1], "event_timestamp": [WHEN, WHEN]},
        "differ in length: 'member_id' 1, 'event_timestamp' 2",
    ),
    "polars objects": (
        lambda: pl.DataFrame(
            {"member_id": [1], "event_timestamp": [WHEN], "extra": pl.Series(["gold"], dtype=pl.Object)}
        ),
        "column 'extra' is a polars Object",
    ),
    "polars integers of 128 bits": (
        lambda: pl.DataFrame(
            {"member_id": [1], "event_timestamp": [WHEN], "extra": pl.Series([2**70], dtype=pl.Int128)}
        ),
        "column 'extra'",
    ),
    "decimal256 that does not fit": (
        lambda: pa.table(
            {"member_id": [1], "event_timestamp": [WHEN], "extra": pa.array([Decimal(10) ** 45], pa.decimal256(50, 2))}
        ),
        "column 'extra' is decimal256",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_column_that_cannot_be_kept_is_named(store: FeatureStore, what: str) -> None:
    make, words = REFUSED[what]
    with pytest.raises(AsknownError, match=re.escape(words)) as raised:
        trained(store, make())
    assert "0x" not in str(raised.value)


def test_training_and_serving_give_the_same_dtypes(store: FeatureStore, tmp_path: Path) -> None:
    store.materialize(until=WHEN)
    rows = [{"member_id": 1}, {"member_id": 2}]
    served = store.get_online_features(["visits"], rows, at=WHEN).to_df()
    learned = store.get_historical_features(pandas(), ["visits"]).to_df()
    some = store.get_historical_features(pandas().assign(member_id=[1, 9]), ["visits"]).to_df()
    features = ["points", "many", "plan", "share"]
    expected = ["Int64", "boolean", str(pd.Series(["a"]).dtype), "float64"]
    assert [str(dtype) for dtype in served[features].dtypes] == expected
    assert [str(dtype) for dtype in learned[features].dtypes] == expected
    assert [str(dtype) for dtype in some[features].dtypes] == expected
    pd.testing.assert_frame_equal(learned[features], served[features])
