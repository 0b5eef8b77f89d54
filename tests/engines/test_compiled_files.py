"""SQL that is compiled for an engine reads files with that engine's own readers, or says that it has none."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

from asknown import AsknownError, FeatureStore

FILES = {
    "one": (
        "data/t.parquet",
        {"spark": r"FROM `parquet`\.`.*/data/t\.parquet`", "clickhouse": r"file\(\s*'.*t\.parquet'"},
    ),
    "folder": (
        "data/days/",
        {"spark": r"FROM `parquet`\.`.*/data/days/`", "clickhouse": r"file\(\s*'.*\*\.parquet'"},
    ),
    "text": ("data/t.csv", {"clickhouse": r"file\(\s*'.*t\.csv'"}),
}


def write(folder: Path, path: str) -> FeatureStore:
    (folder / "models").mkdir()
    (folder / "data" / "days").mkdir(parents=True)
    for file in ("t.parquet", "t.csv", "days/1.parquet", "days/2.parquet"):
        duckdb.sql(f"copy (select 1 as k, timestamp '2024-01-01' as ts, 2 as x) to '{folder / 'data' / file}'")
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "f"\n')
    source = f"sources: [{{name: s, tables: [{{name: t, path: {path}}}]}}]\nentities: [{{name: k, keys: [k]}}]\n"
    (folder / "models" / "s.yml").write_text(source)
    view = "{{ config(entity='k', event_time='ts') }}\nselect k, ts, x from {{ source('s', 't') }}\n"
    (folder / "models" / "v.sql").write_text(view)
    return FeatureStore(folder)


@pytest.mark.parametrize("what", FILES)
@pytest.mark.parametrize("dialect", ["spark", "clickhouse"])
def test_files_are_read_by_the_engines_own_reader(tmp_path: Path, what: str, dialect: str) -> None:
    path, readers = FILES[what]
    with write(tmp_path, path) as store:
        if dialect in readers:
            sql = store.compile_service("v", dialect=dialect)
            assert re.search(readers[dialect], sql), sql
            assert not re.search(r"read_(parquet|csv)", sql.casefold())
        else:
            with pytest.raises(AsknownError, match=f"{dialect} has no reader for") as caught:
                store.compile_service("v", dialect=dialect)
            assert caught.value.code == "no-data" and caught.value.hint
