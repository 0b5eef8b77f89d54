"""Roundings of floats in a model's own SQL: the same on every version of DuckDB, whatever the query around them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from asknown import FeatureStore
from asknown.errors import AsknownError

PROJECT = '[tool.asknown]\nname = "rounds"\n'
PROFILES = {"rounds": {"target": "dev", "outputs": {"dev": {"type": "duckdb"}}}}
SOURCES = {"version": 2, "sources": [{"name": "raw", "tables": [{"name": "rows", "path": "rows.parquet"}]}]}
CONFIG = "{{ config(entity='item', event_time='ts') }}\n"
ENTITIES = {"entities": [{"name": "item", "keys": ["id"]}]}
ROWS = (
    "select 1 as id, timestamp '2024-01-01' as ts, 2.675e0 as x, 2.675::float as f, 1.005::decimal(9,3) as d, "
    "125 as i, 2 as n, [2.675e0, 0.125e0] as l, 'é; ''x' as s"
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    import duckdb

    (tmp_path / "models").mkdir()
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "profiles.yml").write_text(json.dumps(PROFILES))
    (tmp_path / "models" / "rounds.yml").write_text(json.dumps(SOURCES | ENTITIES))
    duckdb.sql(ROWS).write_parquet(str(tmp_path / "rows.parquet"))
    return tmp_path


def values(project: Path, sql: str, *, names: int = 1) -> list[Any]:
    (project / "models" / "items.sql").write_text(CONFIG + sql)
    spine = "select 1 as id, timestamp '2024-02-01' as ts"
    with FeatureStore(project) as store:
        table = store.get_historical_features(spine, ["items"]).to_arrow()
    return [column[0].as_py() for column in table.columns[-names:]]


def compiled(project: Path, sql: str) -> str:
    (project / "models" / "items.sql").write_text(CONFIG + sql)
    with FeatureStore(project) as store:
        return store.compile_model("items")


FROM = "from {{ source('raw', 'rows') }}"
HALF_EVEN = 2.68  # 2.675 * 100 is 267.5 in doubles, though 2.675 itself is less


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("round(x, 2)", 2.68),
        ("ROUND (x , 2)", 2.68),
        ('"round"(x, 2)', 2.68),
        ("round(-x, 2)", -2.68),
        ("round(x, n)", 2.68),
        ("round(x * 100, -n)", 300.0),
        ("round(x * 10, -1)", 30.0),
        ("round(x, 400)", 2.675),
        ("round(x * 1e306, 5)", 2.675e306),
        ("round(round(x, 2) / 2 + 0.005, 2)", 1.35),
        ("round_even(x, 2)", 2.68),
        ("roundbankers(x - 0.01, 2)", 2.66),
        ("round(f, 2)", 2.6700000762939453),
        ("typeof(round(f, 2))", "FLOAT"),
        ("round(d, 2)::varchar", "1.01"),
        ("typeof(round(d, 2))", "DECIMAL(9,2)"),
        ("round(i, -1)", 130),
        ("list_transform(l, lambda v: round(v, 2))", [2.68, 0.13]),
        ("[round(v, 2) for v in l]", [2.68, 0.13]),
        ("(select round(max(v), 2) from (select unnest(l) as v))", 2.68),
        ("'é; round(x, 2)' || round(x, 2) /* round(x, 2) */", "é; round(x, 2)2.68"),
        ("round(nullif(x, 2.675), 2)", None),
        ("case when round(x, 2) > 2.675 then 'up' else 'down' end", "up"),
    ],
)
def test_every_version_rounds_alike(project: Path, sql: str, value: object) -> None:
    assert values(project, f"select id, ts, {sql} as v {FROM}") == [value]


@pytest.mark.parametrize(
    "sql",
    [
        f"select id, ts, round(x, 2) as v {FROM} group by id, ts, round(x, 2)",
        f"select id, ts, v {FROM}, lateral (select round(x, 2) as v)",
        f"with a as (select id, ts, round(x, 2) as v {FROM}), unread as (select round(d, 1) from a) select * from a",
        f"select id, ts, x as x2, round(x2, 2) as v {FROM}",
        f"select id, ts, max(round(x, 2)) as v {FROM} group by all having round(max(x), 2) > 2.675",
        f"select id, ts, round(x, 2) as v {FROM} qualify row_number() over (partition by id order by round(x, 2)) = 1",
        f"select id, ts, round(x, 2) as v {FROM} union all select id, ts, round(i, 2) {FROM} where false",
        f"select id, ts, lag(x, 0) over (partition by id order by ts) as x2, round(x2, 2) as v {FROM}",
    ],
)
def test_wherever_a_query_rounds(project: Path, sql: str) -> None:
    assert values(project, sql)[-1] == 2.68


def test_columns_of_several_types_are_rounded_by_their_type(project: Path) -> None:
    found = values(project, f"select id, ts, round(columns('^[xfdi]$'), 2) {FROM}", names=4)
    assert [str(value) for value in found] == ["2.68", "2.6700000762939453", "1.01", "125"]


def test_in_the_rows_of_a_window(project: Path) -> None:
    window = "over (partition by id order by ts range interval 90 days preceding)"
    sql = f"select id, ts, sum(round(x, 2)) {window} as a, round(sum(x) {window}, 2) as b, round(x, 2) as c {FROM}"
    assert values(project, sql, names=3) == [2.68, 2.68, 2.68]


def test_in_a_model_below_and_in_a_spine(project: Path) -> None:
    (project / "models" / "below.sql").write_text(f"select id, ts, round(x, 2) as v {FROM}")
    assert values(project, "select id, ts, v from {{ ref('below') }}") == [2.68]
    with FeatureStore(project) as store:
        spine = "select id, timestamp '2024-02-01' as ts, round(x, 2) as w from {{ source('raw', 'rows') }}"
        table = store.get_historical_features(spine, ["items"]).to_arrow()
    assert table["w"].to_pylist() == [2.68]


def test_the_rest_of_the_text_stays_as_it_is(project: Path) -> None:
    sql = "select id,ts, -- round(x, 2)\n  round( x,2 )  as V\n"
    text = compiled(project, sql + FROM)
    assert "select id,ts, -- round(x, 2)\n" in text
    assert "CASE WHEN ISINF(x * 1e2) THEN x ELSE ROUND(x * 1e2) / 1e2 END  as V\n" in text


@pytest.mark.parametrize("sql", ["round(d, 2)", "round(i, 2)", "round(x)"])
def test_what_every_version_computes_alike_is_left(project: Path, sql: str) -> None:
    assert f" {sql} as v" in compiled(project, f"select id, ts, {sql} as v {FROM}")


def test_a_rounding_that_cannot_be_read_is_refused(project: Path) -> None:
    with pytest.raises(AsknownError) as refused:
        values(project, f"select id, ts,\n  x.round(2) as v {FROM}")
    assert refused.value.code == "not-in-dialect"
    assert "rounds a float to places in a way that asknown cannot read" in refused.value.message
    assert refused.value.hint == "write it as round(x, 2)"
    assert refused.value.at is not None
    assert refused.value.at.line == 3


def test_extremes_are_left_alone(project: Path) -> None:
    found = values(
        project, f"select id, ts, round('nan'::double, 2) as a, round('-inf'::double, 2) as b {FROM}", names=2
    )
    assert math.isnan(found[0])
    assert found[1] == -math.inf
