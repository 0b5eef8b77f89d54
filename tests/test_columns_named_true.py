"""SQLite takes TRUE for a column of that name, where there is one: a view without keys must be read all the same."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from asknown import FeatureStore

VIEW = """{{ config(entity=[], event_time='ts') }}
select ts, flag as "true", other as "false", count(*) over {{ last('3 days') }} as n from {{ source('s', 't') }}
"""
AT = datetime(2024, 1, 10)


def write(folder: Path, rows: str) -> None:
    duckdb.sql(f"copy (select * from (values {rows}) t(ts, flag, other)) to '{folder / 't.parquet'}'")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    (tmp_path / "pyproject.toml").write_text('[tool.asknown]\nname = "t"\n')
    (tmp_path / "models" / "s.yml").write_text("sources: [{name: s, tables: [{name: t, path: t.parquet}]}]\n")
    (tmp_path / "models" / "v.sql").write_text(VIEW)
    return tmp_path


def test_a_view_without_keys_has_a_column_named_true(project: Path) -> None:
    loads = (
        "(timestamp '2024-01-09', false, 1), (timestamp '2024-01-08', true, 0), (timestamp '2024-01-12', null, 7)",
        "(timestamp '2024-01-09 01:00', null, 2), (timestamp '2024-01-11', false, 3)",
        "(timestamp '2024-01-02', false, 4)",
    )
    for rows in loads:
        write(project, rows)
        with FeatureStore(project) as store:
            store.materialize(until=AT, allow_shrink=True)
            for at in (AT, AT + timedelta(days=1, hours=1), AT + timedelta(days=3)):
                found = store.get_online_features("v", [{}], at=at).rows()
                trained = store.get_historical_features({"event_timestamp": [at]}, "v").to_arrow().to_pylist()
                assert [{"event_timestamp": at} | row for row in found] == trained, (rows, at)
            assert store.doctor().healthy
