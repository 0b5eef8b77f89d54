"""The registry keeps the newest result of each check of each view; `show` and the catalogue tell it."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from asknown import FeatureStore
from asknown.cli.group import main
from asknown.store.catalogue import make_catalogue

YML = """
sources: [{name: raw, tables: [{name: o, path: o.parquet, timezone: UTC, loaded_at_field: at_, unique: [[k, ts]]}]}]
entities: [{name: k, keys: [k]}]
models: [{name: orders, columns: [{name: x, data_tests: [not_null]}]}]
"""
MODEL = (
    "{{ config(entity='k', event_time='ts', known_at='at_', ttl='30 days') }}\n"
    "select k, ts, at_, x from {{ source('raw', 'o') }}"
)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "models").mkdir()
    (tmp_path / "pyproject.toml").write_text('[tool.asknown]\nname = "shop"\n')
    (tmp_path / "models" / "shop.yml").write_text(YML)
    (tmp_path / "models" / "orders.sql").write_text(MODEL)
    rows = "i % 9 as k, timestamp '2024-01-01' + i * interval 1 hour as ts, ts as at_, i * 1.5::double as x"
    duckdb.sql(f"select {rows} from range(300) r(i)").write_parquet(str(tmp_path / "o.parquet"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def typed(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(main, list(arguments))
    assert done.exit_code == code, done.output
    return done.stdout


def facts() -> dict[str, str]:
    (shown,) = json.loads(typed("show", "orders", "--format", "json"))
    return {name.removeprefix("last_"): value for name, value in shown.items() if name.startswith("last_")}


def test_results_are_kept_once_there_is_a_registry(shop: Path) -> None:
    typed("check")
    assert facts() == {} and not (shop / "registry.db").exists()
    typed("apply", "--yes")
    assert facts() == {}
    typed("materialize", "--until", "2024-01-12")
    typed("check")
    typed("test")
    spine = "select 1 as k, timestamp '2024-01-10' as event_timestamp union all select 2, timestamp '2024-01-11'"
    typed("audit", "orders", "--spine", spine, "--cuts", "1")
    typed("verify", "--at", "2024-01-12")
    typed("profile", "orders", "--online")
    kept = facts()
    assert set(kept) == {"check", "test", "audit", "verify", "profile"}
    assert kept["check"].startswith("nothing, at 20")
    assert kept["test"].startswith("1 pass, at ")
    assert kept["audit"].startswith("1 clean, at ")
    assert kept["verify"].startswith("9 equal, at ")
    assert kept["profile"].startswith("1 features over 9 rows")
    with FeatureStore(shop) as store:
        html, text = make_catalogue(store)
    assert "9 equal" in html and "last verify" in text


def test_a_result_stands_in_place_of_the_last_one(shop: Path) -> None:
    typed("apply", "--yes")
    typed("test")
    (shop / "models" / "shop.yml").write_text(YML.replace("not_null]", "range: {max: 3}]"))
    typed("test", code=1)
    assert facts()["test"].startswith("needs attention: 1 fail, at ")
    with FeatureStore(shop) as store:
        assert "needs attention: 1 fail" in make_catalogue(store)[0]
