"""Durations and periods in Parquet files, which the format itself keeps as plain integers, are never taken for them."""

from __future__ import annotations

import base64
import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from asknown import AsknownError, FeatureStore
from asknown.engines.arrow_schema import find_durations

HOUR = timedelta(hours=1)
SPINE = pa.table({"k": [1], "event_timestamp": [datetime(2024, 1, 3)]})


def project(folder: Path, select: str, declared: str = "", path: str = "ev.parquet") -> FeatureStore:
    (folder / "models").mkdir()
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "durations"\n')
    (folder / "models" / "s.yml").write_text(
        f"sources: [{{name: raw, tables: [{{name: ev, path: '{path}'{declared}}}]}}]\n"
        "entities: [{name: k, keys: [k]}]\n"
    )
    (folder / "models" / "v.sql").write_text(
        "{{ config(entity='k', event_time='ts') }}\n" + f"select k, ts, {select} from {{{{ source('raw', 'ev') }}}}\n"
    )
    return FeatureStore(folder)


def table(d: Any) -> pa.Table:
    return pa.table({"k": [1], "ts": [datetime(2024, 1, 2)], "x": [5], "d": d})


def feature(store: FeatureStore, name: str = "s") -> Any:
    return store.get_historical_features(SPINE, ["v"]).to_arrow().column(name).to_pylist()[0]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_duration_of_any_unit_is_an_interval(tmp_path: Path, unit: str) -> None:
    pq.write_table(table(pa.array([HOUR], pa.duration(unit))), tmp_path / "ev.parquet")
    store = project(tmp_path, "epoch(d) as s, ts + d > timestamp '2024-01-02 00:59:59' as later")
    assert feature(store) == 3600.0
    assert feature(store, "later") is True
    store.materialize(until="2024-01-03")
    assert store.get_online_features(["v:s"], [{"k": 1}], at="2024-01-03").to_dict()["s"] == [3600.0]


def test_pandas_and_polars_write_such_files(tmp_path: Path) -> None:
    frame = {"k": [1], "ts": [datetime(2024, 1, 2)], "x": [5], "d": [HOUR]}
    pd.DataFrame(frame).to_parquet(tmp_path / "ev.parquet")
    store = project(tmp_path, "epoch(d) as s")
    assert feature(store) == 3600.0
    pl.DataFrame(frame).write_parquet(tmp_path / "ev.parquet")
    assert feature(store) == 3600.0


def test_a_duration_is_no_feature_and_the_hint_runs(tmp_path: Path) -> None:
    pq.write_table(table(pa.array([HOUR], pa.duration("ns"))), tmp_path / "ev.parquet")
    with pytest.raises(AsknownError) as raised:
        feature(project(tmp_path, "d as s"))
    assert raised.value.code == "unsupported-type"
    assert "epoch(s) as s" in str(raised.value)


def test_a_duration_that_nothing_reads_stands_in_nobodys_way(tmp_path: Path) -> None:
    pq.write_table(table(pa.array([1], pa.duration("ns"))), tmp_path / "ev.parquet")
    assert feature(project(tmp_path, "x as s")) == 5


def test_a_duration_is_not_rounded(tmp_path: Path) -> None:
    pq.write_table(table(pa.array([1_001], pa.duration("ns"))), tmp_path / "ev.parquet")
    with pytest.raises(AsknownError, match="whole microsecond: 1001 ns"):
        feature(project(tmp_path, "epoch(d) as s"))


def test_a_declared_integer_is_the_number_in_the_file(tmp_path: Path) -> None:
    pq.write_table(table(pa.array([HOUR], pa.duration("ms"))), tmp_path / "ev.parquet")
    assert feature(project(tmp_path, "d as s", ", columns: [{name: d, data_type: bigint}]")) == 3_600_000


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pa.array([{"q": HOUR}]), "column 'd.q' has durations inside of a list or struct"),
        (pa.array([[HOUR]]), "durations inside of a list or struct"),
        (pa.array(pd.Series(pd.period_range("2024-01", periods=1, freq="M"))), "column 'd' has periods"),
    ],
)
def test_what_has_no_type_is_refused(tmp_path: Path, column: Any, said: str) -> None:
    pq.write_table(table(column), tmp_path / "ev.parquet")
    with pytest.raises(AsknownError, match=said) as raised:
        feature(project(tmp_path, "x as s"))
    assert raised.value.code == "file-value"


@pytest.mark.parametrize("other", [pa.array([HOUR], pa.duration("s")), pa.array([3_600_000])])
def test_files_must_agree_on_the_unit(tmp_path: Path, other: Any) -> None:
    pq.write_table(table(pa.array([HOUR], pa.duration("ms"))), tmp_path / "ev1.parquet")
    pq.write_table(table(other), tmp_path / "ev2.parquet")
    with pytest.raises(AsknownError, match=r"column 'd' has durations in the unit ms in .*ev1\.parquet"):
        feature(project(tmp_path, "epoch(d) as s", path="ev*.parquet"))


def test_files_may_lack_the_column(tmp_path: Path) -> None:
    pq.write_table(table(pa.array([HOUR], pa.duration("ms"))), tmp_path / "ev1.parquet")
    pq.write_table(table(pa.array([1])).drop_columns(["d"]), tmp_path / "ev2.parquet")
    assert feature(project(tmp_path, "max(epoch(d)) over {{ last('9 days') }} as s", path="ev*.parquet")) == 3600.0


@pytest.mark.parametrize("form", ["file", "sql", "model", "arrow"])
def test_a_spine_takes_no_durations_in_any_form(tmp_path: Path, form: str) -> None:
    pq.write_table(table(pa.array([1])), tmp_path / "ev.parquet")
    project(tmp_path, "x as s").close()
    spine = SPINE.append_column("took", pa.array([HOUR], pa.duration("ns")))
    pq.write_table(spine, tmp_path / "spine.parquet")
    sql = "select 1 as k, timestamp '2024-01-03' as event_timestamp, interval '1 hour' as took"
    (tmp_path / "models" / "sp.sql").write_text(sql)
    forms = {"file": tmp_path / "spine.parquet", "sql": sql, "model": "sp", "arrow": spine}
    with FeatureStore(tmp_path) as store, pytest.raises(AsknownError, match="the spine's column 'took' is a duration"):
        store.get_historical_features(forms[form], ["v"]).to_arrow()


def test_metadata_that_is_damaged_says_nothing() -> None:
    schema = pa.schema([("d", pa.duration("s")), ("e", pa.struct([("f", pa.duration("us"))]))])
    whole = schema.serialize().to_pybytes()
    assert find_durations(base64.b64encode(whole)) == {("d",): "s", ("e", "f"): "us"}
    chance = random.Random(7)
    for _ in range(2_000):
        bent = bytearray(whole[: chance.randrange(len(whole) + 1)])
        for _ in range(chance.randrange(4)):
            if bent:
                bent[chance.randrange(len(bent))] = chance.randrange(256)
        find_durations(base64.b64encode(bytes(bent)))
    assert find_durations(b"not base64!") == {}
