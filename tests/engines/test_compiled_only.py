"""Targets that asknown writes for and does not run say so, and names of dialects that are mistyped get a hint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from asknown import AsknownError, FeatureStore
from engines.test_golden import WRITTEN


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with a target of each type that is compiled alone."""
    (tmp_path / "models").mkdir()
    (tmp_path / "pyproject.toml").write_text('[tool.asknown]\nname = "p"\n', encoding="utf-8")
    outputs = {name: {"type": name} for name in WRITTEN}
    profile = {"p": {"target": WRITTEN[0], "outputs": outputs}}
    (tmp_path / "profiles.yml").write_text(json.dumps(profile), encoding="utf-8")
    columns = [{"name": "order", "data_type": "integer"}, {"name": "ts", "data_type": "timestamp"}]
    columns.append({"name": "current_date", "data_type": "varchar"})
    source = {"name": "raw", "tables": [{"name": "ev", "identifier": "raw.ev", "columns": columns}]}
    entity = {"name": "o", "keys": [{"name": "order", "data_type": "integer"}]}
    properties = {"sources": [source], "entities": [entity]}
    (tmp_path / "models" / "m.yml").write_text(json.dumps(properties), encoding="utf-8")
    view = "{{ config(entity='o', event_time='ts') }}\n"
    view += "select \"order\", ts, \"current_date\" from {{ source('raw', 'ev') }}\n"
    (tmp_path / "models" / "v.sql").write_text(view, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("dialect", WRITTEN)
def test_doctor_says_that_it_does_not_run(folder: Path, dialect: str) -> None:
    with FeatureStore(folder, target=dialect) as store:
        (check,) = store.check_target()
    assert check.state == "act"
    assert check.found == f"asknown writes SQL for {dialect} but does not run it"
    assert f"--dialect {dialect}" in (check.run or "")


@pytest.mark.parametrize("dialect", WRITTEN)
def test_train_says_that_it_does_not_run(folder: Path, dialect: str) -> None:
    with (
        FeatureStore(folder, target=dialect) as store,
        pytest.raises(AsknownError, match=f"writes SQL for {dialect} but does not run it") as raised,
    ):
        store.get_historical_features('select 1 as "order", now() as event_timestamp', ["v"]).to_arrow()
    assert raised.value.code == "not-yet"


def test_a_dialect_that_is_mistyped_gets_a_hint(folder: Path) -> None:
    with FeatureStore(folder) as store, pytest.raises(AsknownError) as raised:
        store.compile_service(["v"], dialect="snowflak")
    assert raised.value.hint == "did you mean 'snowflake'?"


def test_words_of_snowflake_are_quoted_in_capitals(folder: Path) -> None:
    """A plain name is its capitals there; unquoted, CURRENT_DATE would be today."""
    with FeatureStore(folder) as store:
        sql = store.compile_service(["v"], dialect="snowflake")
    assert '"CURRENT_DATE"' in sql
    assert 'SELECT "ORDER", event_timestamp FROM spine' in sql
    assert "current_date" not in sql.replace('"CURRENT_DATE"', "")


@pytest.mark.parametrize("kind", ["number", "numeric", "Decimal"])
def test_a_number_of_no_digits_wants_them(folder: Path, kind: str) -> None:
    """NUMBER is of whole numbers on Snowflake, NUMERIC of any on Postgres, DECIMAL of three places in DuckDB."""
    properties = (folder / "models" / "m.yml").read_text(encoding="utf-8")
    view = (folder / "models" / "v.sql").read_text(encoding="utf-8").replace("ts,", "ts, price * 2 as x,")
    (folder / "models" / "v.sql").write_text(view, encoding="utf-8")
    for declared in (kind, "decimal(18, 2)"):
        column = json.dumps({"name": "price", "data_type": declared})
        changed = properties.replace('"columns": [', f'"columns": [{column}, ')
        (folder / "models" / "m.yml").write_text(changed, encoding="utf-8")
        with FeatureStore(folder) as store:
            if declared != kind:
                assert "price * 2" in store.compile_service(["v"], dialect="snowflake").lower()
                continue
            with pytest.raises(AsknownError) as raised:
                store.compile_service(["v"], dialect="snowflake")
        assert raised.value.code == "unsupported-type"
        assert "data_type: decimal(18,2)" in (raised.value.hint or "")
