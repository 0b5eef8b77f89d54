"""`asknown compile` and `asknown run`."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typed import fail, succeed, write

from asknown.cli.values import as_text

# --- compile ----------------------------------------------------------------------------------------------------------


def rows_of(sql: str) -> list[tuple[Any, ...]]:
    """What the printed SQL gives, run by plain DuckDB."""
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.execute(sql).fetchall()


def test_compiled_sql_runs_as_it_stands(project: Path) -> None:
    assert len(rows_of(succeed("compile", "stg_orders").stdout)) == 60
    trained = succeed("train", "return_risk_v1", "--spine", "orders_spine", "--format", "csv").records()
    found = rows_of(succeed("compile", "return_risk_v1", "--spine", "orders_spine").stdout)
    assert [[as_text(v) if v is not None else "" for v in row] for row in found] == [[*r.values()] for r in trained]


def test_compile_without_a_spine_reads_a_table_spine(project: Path) -> None:
    sql = succeed("compile", "return_risk_v1").stdout
    with duckdb.connect() as connection:
        connection.execute("create table spine as select 1::bigint customer_id, timestamp '2024-07-01' event_timestamp")
        ((*_, amount, items, returned, plan, city),) = connection.execute(sql).fetchall()
    assert (amount, items, returned, plan, city) == (Decimal("49.97"), 2, False, "plus", "Porto")


def test_compile_a_view_as_a_model(project: Path) -> None:
    sql = succeed("compile", "customer_orders", "--model").stdout
    assert len(rows_of(sql)) == 60
    assert sql != succeed("compile", "customer_orders").stdout


def test_compile_to_a_file(project: Path) -> None:
    output = succeed("compile", "stg_orders", "--output", "query.sql")
    assert output.stdout == ""
    assert output.stderr.startswith("query.sql: ")
    assert (project / "query.sql").read_text() == succeed("compile", "stg_orders").stdout
    assert "error[output]: cannot write no/query.sql" in fail("compile", "stg_orders", "-o", "no/query.sql")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["stg_orders", "customer_orders"], 1, "'stg_orders' is a plain model"),
        (["customer_orders", "--timestamp", "x"], 2, "add --spine"),
        (["customer_orders", "--model", "--spine", "orders_spine"], 2, "leave out --spine"),
        (["customer_orders", "customer_profile", "--model"], 2, "one model at a time"),
        (["custmer_orders"], 1, "did you mean 'customer_orders'"),
        ([], 2, "Missing argument"),
    ],
)
def test_compile_refuses(project: Path, words: list[str], code: int, says: str) -> None:
    assert says in fail("compile", *words, code=code)


# --- run --------------------------------------------------------------------------------------------------------------


def test_run_builds_what_is_kept(project: Path) -> None:
    write(project / "profiles.yml", "my_features: {outputs: {dev: {type: duckdb, path: w.duckdb}}}")
    model = project / "models" / "staging" / "stg_orders.sql"
    model.write_text("{{ config(materialized='table') }}\n" + model.read_text())
    output = succeed("run", "--format", "json")
    assert [(row["model"], row["built_as"]) for row in output.objects()] == [("stg_orders", "table")]
    with duckdb.connect(str(project / "w.duckdb")) as connection:
        assert connection.execute("select count(*) from stg_orders").fetchone() == (60,)
    assert len(succeed("train", "customer_orders", "--spine", "orders_spine", "--format", "json").objects()) == 58
    assert re.search(r"^stg_orders +table +\d", succeed("run", "stg_orders").stdout, re.MULTILINE)


def test_run_without_anything_to_keep(project: Path) -> None:
    assert "there is nothing to build" in fail("run")
    assert "error[unknown-model]" in fail("run", "stg_order")
