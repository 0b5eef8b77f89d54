"""A file that changes while a store is open is read as it is then, or refused; never in the types that it had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from asknown import AsknownError, FeatureStore

VIEW = "{{ config(entity='k', event_time='ts') }}\nselect k, ts, x from {{ source('raw', 't') }}\n"
SPINE = "select 1 as k, timestamp '2024-02-01' as event_timestamp"


def project(folder: Path, path: str) -> Path:
    (folder / "models").mkdir()
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "changed"\n')
    source = f"sources: [{{name: raw, tables: [{{name: t, path: {path}}}]}}]\nentities: [{{name: k, keys: [k]}}]\n"
    (folder / "models" / "s.yml").write_text(source)
    (folder / "models" / "v.sql").write_text(VIEW)
    return folder


def write(path: Path, x: str) -> None:
    path.write_text(f"k,ts,x\n1,2024-01-01 00:00:00,{x}\n")


def value(store: FeatureStore) -> Any:
    return store.get_historical_features(SPINE, "v").to_arrow()["x"].to_pylist()


def test_a_csv_file_is_read_as_it_is_now(tmp_path: Path) -> None:
    """Also where it changes twice within the grain of the file system's clock."""
    file = project(tmp_path, "t.csv") / "t.csv"
    write(file, "7")
    with FeatureStore(tmp_path) as store:
        assert value(store) == [7]
        for text, expected in (("7.9", 7.9), ("7.5", 7.5), ("007", "007"), ("8", 8), ("8.25", 8.25)):
            write(file, text)
            assert value(store) == [expected]
        file.write_text("x,ts,k\n0.5,2024-01-01 00:00:00,1\n")
        assert value(store) == [0.5]


def test_a_job_of_a_file_that_changed_is_refused(tmp_path: Path) -> None:
    file = project(tmp_path, "t.csv") / "t.csv"
    write(file, "7")
    with FeatureStore(tmp_path) as store:
        job = store.get_historical_features(SPINE, "v")
        write(file, "8")
        assert job.to_arrow()["x"].to_pylist() == [8]  # read in the same way
        write(file, "7.9")
        for run in (job.to_arrow, lambda: job.to_parquet(tmp_path / "out.parquet"), job.head(1).to_arrow):
            with pytest.raises(AsknownError, match=r"t\.csv has changed since") as caught:
                run()
            assert caught.value.code == "file-value" and "again" in str(caught.value.hint)
        assert value(store) == [7.9]


def test_a_spines_file_is_read_as_it_is_now(tmp_path: Path) -> None:
    project(tmp_path, "t.csv")
    write(tmp_path / "t.csv", "7")
    spine = tmp_path / "spine.csv"
    with FeatureStore(tmp_path) as store:
        spine.write_text("k,event_timestamp,n\n1,2024-02-01,5\n")
        job = store.get_historical_features(str(spine), "v")
        assert job.to_arrow()["n"].to_pylist() == [5]
        spine.write_text("k,event_timestamp,n\n1,2024-02-01,5.5\n")
        assert store.get_historical_features(str(spine), "v").to_arrow()["n"].to_pylist() == [5.5]
        with pytest.raises(AsknownError, match="has changed since"):
            job.to_arrow()


def test_a_new_file_of_another_type_is_noticed(tmp_path: Path) -> None:
    folder = project(tmp_path, "data") / "data"
    folder.mkdir()
    rows = "select 1 as k, timestamp '2024-01-0{0}' as ts, {1} as x"
    with FeatureStore(tmp_path) as store, duckdb.connect() as db:
        db.execute(f"copy ({rows.format(1, 7)}) to '{folder / 'a.parquet'}'")
        assert value(store) == [7]
        db.execute(f"copy ({rows.format(2, '7.5::double')}) to '{folder / 'b.parquet'}'")
        assert value(store) == [7.5]
