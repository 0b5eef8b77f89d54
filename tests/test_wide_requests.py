"""Requests of many columns: how wide a plan is, and how DuckDB is told so."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pytest

from asknown import FeatureStore
from asknown.engines.duckdb.session import DuckDB

VIEWS, FEATURES = 6, 20
PROJECT = """
[tool.asknown]
name = "wide"
"""
SETTINGS = """
wide:
  target: dev
  outputs:
    dev: {type: duckdb, settings: {disabled_optimizers: regex_range}}
"""


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    """A project of views that each have 20 features over one model of three rows."""
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "models").mkdir()
    (tmp_path / "models/entities.yml").write_text("entities: [{name: user, keys: [user_id]}]")
    rows = ", ".join(f"(1, timestamp '2024-01-0{day}', {day})" for day in (1, 2, 3))
    (tmp_path / "models/events.sql").write_text(f"select * from (values {rows}) as t(user_id, happened, x)")
    for view in range(VIEWS):
        features = ", ".join(f"x + {n} as f{view}_{n}" for n in range(FEATURES))
        head = "{{ config(entity='user', event_time='happened') }}"
        (tmp_path / f"models/v{view}.sql").write_text(
            f"{head}\nselect user_id, happened, {features} from {{{{ ref('events') }}}}"
        )
    return FeatureStore(tmp_path)


def spine() -> pa.Table:
    return pa.table({"user_id": [1, 2], "event_timestamp": [datetime(2024, 1, 2, 12), datetime(2024, 1, 2, 12)]})


def disabled(store: FeatureStore) -> str:
    return str(store._engine.rows("select current_setting('disabled_optimizers')")[0][0])


def test_width_counts_what_is_carried(store: FeatureStore) -> None:
    def width(*features: str) -> int:
        return store.get_historical_features(spine(), list(features)).plan.width

    assert width("v0") == FEATURES
    assert width("v0", "v1") == 2 * FEATURES
    assert width("v0:f0_0") == 5  # no step counts for less
    assert width("v0:f0_7") == 8
    assert width(f"v0:f0_{FEATURES - 1}") == FEATURES  # the others break ties


@pytest.mark.usefixtures("store")
def test_wide_request_leaves_the_session_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "profiles.yml").write_text(SETTINGS)
    with FeatureStore(tmp_path) as store:
        job = store.get_historical_features(spine(), [f"v{view}" for view in range(VIEWS)])
        assert job._is_wide
        assert disabled(store) == "regex_range"
        table = job.to_arrow()
        assert table.column(f"f{VIEWS - 1}_{FEATURES - 1}").to_pylist() == [2 + FEATURES - 1, None]
        assert job.to_parquet(tmp_path / "train.parquet") == 2
        assert disabled(store) == "regex_range"
        job._written = "select no_such_column"
        with pytest.raises(Exception, match="no_such_column"):
            job.to_arrow()
        assert disabled(store) == "regex_range"


def test_narrow_request_is_planned_as_ever(store: FeatureStore) -> None:
    with store:
        assert not store.get_historical_features(spine(), "v0")._is_wide


def test_wide_statement_is_planned_without_slow_optimizers(store: FeatureStore) -> None:
    with store:
        sql = "select current_setting('disabled_optimizers') as d, current_setting('asof_loop_join_threshold') as l"
        before = store._engine.rows(sql)
        ((without, loops),) = (row.values() for row in store._engine.stream(sql, wide=True).read_all().to_pylist())
        assert set(without.split(",")) >= {"projection_pullup", "projection_placement"}
        assert loops == 0
        assert store._engine.rows(sql) == before


def test_many_views_are_matched_without_nested_loops(store: FeatureStore) -> None:
    # DuckDB takes the CTEs behind the first sixty or so for empty, and a match of no moments for one to make by loops.
    with store:
        assert isinstance(store._engine, DuckDB)
        joins = {}
        for wide in (False, True):
            cursor = store._engine._cursor(wide=wide)
            ((_, plan),) = cursor.execute(f"explain (format json) {many_matches(40)}").fetchall()
            joins[wide] = plan.count('"ASOF_JOIN"')
        assert joins[True] == 40
        assert joins[False] < 40, "DuckDB no longer needs the setting: take it out"


def many_matches(count: int) -> str:
    """A query of as-of joins as a plan has them: each in a CTE of its own, and all joined to the spine."""
    ctes = ["s as materialized (select i as k, i as t from range(100000) r(i))"]
    for n in range(count):
        ctes.append(f"m{n} as materialized (select distinct k, t from s)")
        seen = f"m{n} as m asof join s as v on m.k = v.k and m.t >= v.t"
        ctes.append(f"a{n} as materialized (select m.k, m.t, v.t as seen from {seen})")
    joined = " ".join(f"left join a{n} on s.k = a{n}.k and s.t = a{n}.t" for n in range(count))
    return f"with {', '.join(ctes)} select {', '.join(f'a{n}.seen' for n in range(count))} from s {joined}"
