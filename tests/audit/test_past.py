"""``asknown audit --only past`` computes recorded training sets again, and names a value that is another one today."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from asknown.cli.group import main
from lint.leaks import view


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with an applied view, and a training set that the registry knows."""
    (tmp_path / "models").mkdir()
    (tmp_path / "pyproject.toml").write_text('[tool.asknown]\nname = "shop"\n')
    (tmp_path / "models" / "shop.yml").write_text(
        "sources: [{name: raw, tables: [{name: o, path: o.parquet, timezone: UTC, loaded_at_field: loaded_at}]}]\n"
        "entities: [{name: k, keys: [k]}]\n"
    )
    (tmp_path / "models" / "orders.sql").write_text(
        view("select k, ts, loaded_at, x, sum(x) over {{ last('30 days') }} as spent from {{ source('raw', 'o') }}")
    )
    rows = (
        "select i % 9 as k, timestamp '2024-01-01' + i * interval 1 hour as ts, ts as loaded_at, i * 1.5::double as x"
    )
    duckdb.sql(f"{rows} from range(300) r(i)").write_parquet(str(tmp_path / "o.parquet"))
    monkeypatch.chdir(tmp_path)
    duckdb.sql(
        "select i % 9 as k, timestamp '2024-01-10' + i * interval 1 minute as event_timestamp from range(90) r(i)"
    ).write_parquet(str(tmp_path / "spine.parquet"))
    typed("apply", "--yes")
    typed("train", "orders", "--spine", "spine.parquet", "-o", "train.parquet")
    return tmp_path


def typed(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(main, list(arguments))
    assert done.exit_code == code, done.output
    return " ".join(done.output.split())


def test_a_recorded_training_set_that_is_the_same_today(shop: Path) -> None:
    found = json.loads(CliRunner().invoke(main, ["audit", "orders", "--only", "past", "--format", "json"]).stdout)
    assert {row["feature"]: (row["verdict"], row["probes"]) for row in found} == {
        "orders:x": ("clean", 90),
        "orders:spent": ("clean", 90),
    }


def test_one_old_value_that_was_changed_in_a_source_is_found(shop: Path) -> None:
    duckdb.sql(
        "select * replace (case when k = 4 and x = 6.0 then 7.0 else x end as x) from 'o.parquet'"
    ).write_parquet(str(shop / "new.parquet"))
    (shop / "new.parquet").replace(shop / "o.parquet")
    said = typed("audit", "orders", "--only", "past", code=1)
    assert "orders:spent rewritten 90" in said and "orders:x clean 90" in said
    assert "orders:spent, for k = 4" in said and "as it was recorded" in said
    both = typed("audit", "orders", "--spine", "spine.parquet", "--cuts", "1", code=1)
    assert "orders:spent rewritten" in both and "orders:x clean" in both


def test_a_file_that_is_gone_or_changed_tests_nothing(shop: Path) -> None:
    duckdb.sql("select * from 'train.parquet' limit 5").write_parquet(str(shop / "less.parquet"))
    (shop / "less.parquet").replace(shop / "train.parquet")
    said = typed("audit", "orders", "--only", "past")
    assert "is no longer what was recorded" in said and "2 untested" in said
    (shop / "train.parquet").unlink()
    assert "is gone" in typed("audit", "orders", "--only", "past")
    typed("audit", "orders", "--only", "past", "--require-tested", code=1)
    assert "give --spine SPINE" in typed("audit", "orders", code=2)
