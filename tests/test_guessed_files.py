"""SQL that reads a text file in types guessed from its first lines is refused, in models and in spines."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from asknown import AsknownError, FeatureStore

SPINE = "select 1 as k, timestamp '2024-01-03' as event_timestamp"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "models").mkdir()
    (tmp_path / "pyproject.toml").write_text('[tool.asknown]\nname = "guessed"\n')
    (tmp_path / "models" / "s.yml").write_text(
        "sources: [{name: s, tables: [{name: csv, path: ev.csv}]}]\nentities: [{name: k, keys: [k]}]\n"
    )
    lines = ["k,ts,x", *["2,2024-01-01,5"] * 30_000, "1,2024-01-02 11:00:00,7.9"]
    (tmp_path / "ev.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "ev.json").write_text('{"k": 1, "ts": "2024-01-02 11:00:00", "x": 7.9}\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(folder: Path, relation: str) -> list[object]:
    (folder / "models" / "v.sql").write_text(
        "{{ config(entity='k', event_time='ts') }}\n" + f"select k, ts::timestamp as ts, x::double as x from {relation}"
    )
    with FeatureStore(folder) as store:
        return store.get_historical_features(SPINE, ["v:x"]).to_arrow().column("x").to_pylist()


@pytest.mark.parametrize(
    "relation",
    [
        "'ev.csv'",
        '"ev.csv" as e',
        "'*.csv'",
        "read_csv('ev.csv')",
        "read_csv(['ev.csv'], header=true)",
        "read_csv_auto('ev.csv', types={'k': 'int'})",
        "read_csv('ev.csv', sample_size=100)",
        "read_csv('ev.csv', all_varchar=false)",
        "(select * from read_json('ev.json'))",
        "read_json_auto('ev.json')",
        "read_ndjson('ev.json')",
        "'ev.json'",
    ],
)
def test_a_guess_is_refused_in_a_model(folder: Path, relation: str) -> None:
    with pytest.raises(AsknownError) as raised:
        read(folder, relation)
    assert raised.value.code == "guessed-file"
    assert raised.value.at is not None
    assert raised.value.at.line == 2


@pytest.mark.parametrize(
    "relation",
    [
        "read_csv('ev.csv', sample_size=-1)",
        "read_csv('ev.csv', all_varchar=true)",
        "read_csv('ev.csv', columns={'k': 'int', 'ts': 'timestamp', 'x': 'double'})",
        "read_json('ev.json', columns={k: 'int', ts: 'timestamp', x: 'double'})",
        "{{ source('s', 'csv') }}",
    ],
)
def test_what_says_its_types_is_read(folder: Path, relation: str) -> None:
    relation = relation if "varchar" not in relation else f"(select k::int as k, ts, x from {relation})"
    assert read(folder, relation) == [7.9]


def test_a_spine_in_sql_keeps_its_instants_too(folder: Path) -> None:
    (folder / "spine.csv").write_text("k,event_timestamp\n" + "2,2024-01-01\n" * 30_000 + "1,2024-01-02 12:00:00\n")
    (folder / "models" / "v.sql").write_text(
        "{{ config(entity='k', event_time='ts') }} select 1 as k, timestamp '2024-01-02 11:00:00' as ts, 7 as x"
    )
    with FeatureStore(folder) as store:
        with pytest.raises(AsknownError) as raised:
            store.get_historical_features("select * from 'spine.csv' where k = 1", ["v"])
        assert raised.value.code == "guessed-file"
        whole = "select * from read_csv('spine.csv', sample_size=-1) where k = 1"
        rows = store.get_historical_features(whole, ["v"]).to_arrow().to_pylist()
    assert rows == [{"k": 1, "event_timestamp": datetime(2024, 1, 2, 12), "x": 7}]
