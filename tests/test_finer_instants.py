"""An instant finer than a microsecond is an error that names it, in whatever text it comes (rule 1)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from click.testing import CliRunner

from asknown import AsknownError, FeatureStore
from asknown.cli.group import main
from asknown.serve.wire import reader_of
from asknown.types import parse_type

FINE = "2024-01-02 00:00:00.1234567"
EXACT = "2024-01-02 00:00:00.123456000"
VIEW = (
    "{{ config(entity='k', event_time='ts') }}\n"
    "select k, ts, x, sum(x) over {{ last('1 day') }} as s from {{ source('raw', 'ev') }}\n"
)
ON_DEMAND = (
    "{{ config(inputs={'opened': 'timestamp'}) }}\n"
    "select epoch_us(asked_at) - epoch_us(opened) as gap, x from {{ request('v', 'v:x') }}\n"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("finer")
    (root / "pyproject.toml").write_text('[tool.asknown]\nname = "finer"\n')
    (root / "models").mkdir()
    (root / "models" / "s.yml").write_text(
        "sources: [{name: raw, tables: [{name: ev, path: ev.parquet, timezone: UTC}, {name: js, path: js.jsonl}, "
        "{name: jt, path: js.jsonl, columns: [{name: ts, data_type: varchar}]}]}]\n"
        "entities: [{name: k, keys: [k]}]\n"
    )
    (root / "models" / "v.sql").write_text(VIEW)
    (root / "models" / "od.sql").write_text(ON_DEMAND)
    (root / "models" / "j.sql").write_text("select * from {{ source('raw', 'js') }}")
    (root / "models" / "jt.sql").write_text("select left(ts, 26)::timestamp as ts from {{ source('raw', 'jt') }}")
    (root / "js.jsonl").write_text(f'{{"k": 1, "ts": "{FINE}Z"}}\n')
    with duckdb.connect() as db:
        db.execute(f"copy (select 1 as k, timestamp '2024-01-01' as ts, 7 as x) to '{root}/ev.parquet'")
        db.execute(f"copy (select 1 as k, '{FINE}' as event_timestamp) to '{root}/spine.parquet'")
    (root / "spine.csv").write_text(f"k,event_timestamp\n1,{FINE}\n")
    (root / "spine.json").write_text(f'[{{"k": 1, "event_timestamp": "{FINE}Z"}}]')
    (root / "spine.jsonl").write_text(f'{{"k": 1, "event_timestamp": "{FINE}"}}')
    with FeatureStore(root) as store:
        store.materialize(until="2024-01-02")
    return root


@pytest.fixture
def store(folder: Path) -> Iterator[FeatureStore]:
    with FeatureStore(folder) as store:
        yield store


@pytest.mark.parametrize(
    "spine",
    [
        f"select 1 as k, '{FINE}' as event_timestamp",
        f"select 1 as k, '{FINE}+02:00' as event_timestamp",
        f"select 1 as k, '{FINE.replace(' ', 'T')}Z' as event_timestamp",
        f"select 1 as k, '{FINE}'::timestamp_ns as event_timestamp",
        f"select 1 as k, '{FINE}' as event_timestamp from range(3) where random() < 2",
        f"select 1 as k, timestamp '{FINE}' as event_timestamp",
        f"select 1 as k, '{FINE}'::timestamptz as event_timestamp",
        pa.table({"k": [1], "event_timestamp": [FINE]}),
        "spine.parquet",
        "spine.csv",
        "spine.json",
        "spine.jsonl",
    ],
)
def test_a_spine_is_exact_or_refused(store: FeatureStore, spine: Any) -> None:
    with pytest.raises(AsknownError, match="whole microsecond") as caught:
        store.get_historical_features(entity_df=spine, features="v").to_arrow()
    assert "columns:" not in str(caught.value.hint)
    if "random" not in str(spine):
        assert ".1234567" in caught.value.message


def test_digits_that_say_nothing_more_are_read(store: FeatureStore) -> None:
    spine = f"select 1 as k, '{EXACT}' as event_timestamp"
    assert store.get_historical_features(entity_df=spine, features="v").to_arrow()["x"].to_pylist() == [7]


def test_the_hint_for_a_spine_runs(store: FeatureStore) -> None:
    with pytest.raises(AsknownError) as caught:
        store.get_historical_features(entity_df="spine.csv", features="v").to_arrow()
    query = str(caught.value.hint).split('"')[1]
    query = query.replace("…", "k::int as k, left(event_timestamp, 26) as event_timestamp")
    assert store.get_historical_features(entity_df=query, features="v").to_arrow()["x"].to_pylist() == [7]


def test_a_source_is_exact_or_refused(store: FeatureStore) -> None:
    with pytest.raises(AsknownError, match=r"js\.jsonl: column 'ts' has a time .* whole microsecond: .*\.1234567Z"):
        store.preview("j")


def test_a_declared_type_reads_the_text(store: FeatureStore) -> None:
    assert store.preview("jt").to_pylist()[0]["ts"].microsecond == 123_456


@pytest.mark.parametrize(
    "words",
    [
        ["materialize", "--until", FINE],
        ["get", "v", "k=1", "--at", FINE],
        ["get", "od", "k=1", f"opened={FINE}", "--at", "2024-01-03"],
        ["train", "v", "--spine", f"select 1 as k, '{FINE}' as event_timestamp"],
    ],
)
def test_the_command_line_takes_no_finer_instant(folder: Path, words: list[str]) -> None:
    result = CliRunner().invoke(main, ["--project", str(folder), *words])
    assert result.exit_code == 1 and ".1234567" in result.output and "error[" in result.output


def test_the_library_takes_no_finer_instant(store: FeatureStore) -> None:
    with pytest.raises(AsknownError, match="whole microsecond"):
        store.get_online_features(features="v", entity_rows=[{"k": 1}], at=FINE)
    with pytest.raises(AsknownError, match="whole microsecond"):
        store.materialize(until=FINE)


def test_a_view_with_windows_is_no_spine(store: FeatureStore) -> None:
    """Its windows would end at each event, as where a model refers to it."""
    with pytest.raises(AsknownError) as caught:
        store.get_historical_features(entity_df="v", features="v").to_arrow()
    assert caught.value.code == "windows-below" and "'v'" in caught.value.message


@pytest.mark.parametrize("is_input", [False, True])
def test_a_request_over_http_names_it(is_input: bool) -> None:
    read = reader_of(parse_type("timestamp"), "opened", is_input=is_input)
    assert read is not None and read(EXACT) == datetime(2024, 1, 2, 0, 0, 0, 123456)
    with pytest.raises(AsknownError, match="opened") as caught:
        read(FINE)
    assert FINE in caught.value.message
