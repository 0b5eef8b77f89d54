"""A source names its table by the target: in another schema for development than for production, in one version."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from asknown import AsknownError
from asknown.cli.group import main
from asknown.project.loader import load_project

TARGETS = {
    "dev": {"type": "duckdb", "path": "warehouse.duckdb"},
    "prod": {"type": "duckdb", "path": "warehouse.duckdb"},
    "pg": {"type": "postgres", "host": "x", "schema": "Raw Data", "dbname": "lake"},
    "bare": {"type": "postgres", "host": "x"},
    "ch": {"type": "clickhouse", "host": "x", "database": "events"},
    "sp": {"type": "spark", "catalog": "hive", "schema": "raw"},
    "snow": {"type": "snowflake", "schema": "RAW", "database": "LAKE"},
}


def write(folder: Path, schema: str, identifier: str | None = None, database: str | None = None) -> None:
    (folder / "models").mkdir(exist_ok=True)
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "shop"\n')
    (folder / "profiles.yml").write_text(json.dumps({"shop": {"target": "dev", "outputs": TARGETS}}))
    table = {"name": "orders"} | ({} if identifier is None else {"identifier": identifier})
    source = {"name": "shop", "schema": schema, "tables": [table]} | (
        {} if database is None else {"database": database}
    )
    properties = {"sources": [source], "entities": [{"name": "customer"}]}
    (folder / "models" / "m.yml").write_text(json.dumps(properties))
    view = "{{ config(entity='customer', event_time='seen', owner='us') }}\n"
    (folder / "models" / "spent.sql").write_text(
        f"{view}select customer, seen, cents from {{{{ source('shop', 'orders') }}}}"
    )


@pytest.mark.parametrize(
    ("schema", "target", "identifier"),
    [
        ("{{ target.name }}", "dev", "dev.orders"),
        ("raw_{{ target.name }}", "prod", "raw_prod.orders"),
        ("{{target.schema}}", "dev", "main.orders"),
        ("{{ target.schema }}", "pg", '"Raw Data".orders'),
        ("{{ target.schema }}", "bare", "public.orders"),
        ("{{ target.database }}", "ch", "events.orders"),
        ("{{ target.schema }}", "ch", "events.orders"),
        ("{{ target.schema }}", "snow", "RAW.orders"),
        ("plain", "snow", "plain.orders"),
    ],
)
def test_a_schema_by_target(tmp_path: Path, schema: str, target: str, identifier: str) -> None:
    write(tmp_path, schema)
    assert load_project(tmp_path, target=target).sources["shop", "orders"].identifier == identifier


def test_a_database_and_an_identifier_by_target(tmp_path: Path) -> None:
    write(tmp_path, "{{ target.schema }}", "{{ target.name }}_orders", "{{ target.database }}")
    found = {name: load_project(tmp_path, target=name).sources["shop", "orders"].identifier for name in ("pg", "sp")}
    assert found == {"pg": 'lake."Raw Data".pg_orders', "sp": "hive.raw.sp_orders"}


@pytest.mark.parametrize(
    ("schema", "target", "said", "hint"),
    [
        ("{{ target.database }}", "bare", "target 'bare' has no 'database'", "a 'dbname'"),
        ("{{ target.schema }}", "sp", None, None),
        ("{{ env_var('X') }}", "dev", "braces that mean nothing", "{{ target.name }}"),
        ("{% if x %}a{% endif %}", "dev", "braces that mean nothing", "{{ target.schema }}"),
    ],
)
def test_what_a_target_does_not_have(
    tmp_path: Path, schema: str, target: str, said: str | None, hint: str | None
) -> None:
    write(tmp_path, schema)
    if said is None:
        load_project(tmp_path, target=target)
        return
    with pytest.raises(AsknownError, match=said) as raised:
        load_project(tmp_path, target=target)
    assert raised.value.at is not None and raised.value.at.line
    assert (hint or "") in (raised.value.hint or "")


def test_one_version_for_all_targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was applied on one target is unchanged on another, and an old version reads the target's own table."""
    write(tmp_path, "{{ target.name }}")
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        for cents, schema in enumerate(("dev", "prod"), start=1):
            connection.execute(f"create schema {schema}")
            connection.execute(
                f"create table {schema}.orders as "
                f"select 1 as customer, timestamp '2024-01-01' as seen, {cents} as cents"
            )
    monkeypatch.chdir(tmp_path)
    run("--target", "dev", "apply", "--yes")
    changes = json.loads(run("--target", "prod", "plan", "--format", "json"))
    assert not changes, changes
    spine = "select 1 as customer, timestamp '2024-01-02' as event_timestamp"
    for cents, target in enumerate(("dev", "prod"), start=1):
        for name in ("spent", "spent@v1"):
            assert run("--target", target, "train", name, "--spine", spine, "--format", "csv").endswith(f",{cents}\n")


def run(*words: str) -> str:
    ran = CliRunner().invoke(main, words)
    assert ran.exit_code == 0, ran.output
    return ran.stdout
