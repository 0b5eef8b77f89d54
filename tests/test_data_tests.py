"""All data tests of one model run in one scan, and their counts are those of a plain query."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from asknown import FeatureStore
from asknown.project.tests import DataTest
from asknown.store.data_tests import DataTests

ROOT = Path(__file__).parents[1]
FLIGHTS = ROOT / "data" / "nycflights13"


def test_the_data_tests_of_the_flights_hold_in_one_scan_each(monkeypatch: pytest.MonkeyPatch) -> None:
    scans: Counter[str] = Counter()
    real = DataTests._stream

    def counted(self: DataTests, rendered: Any) -> Any:
        scans[rendered.shown] += 1
        return real(self, rendered)

    monkeypatch.setattr(DataTests, "_stream", counted)
    with FeatureStore(ROOT) as flights:
        results = flights.checks.data_tests()
        models = {result.tests for result in results}
    assert {result.name: result.details for result in results if result.is_failure} == {}
    assert sum(scans.values()) == len(models) < len(results)


def test_counts_are_those_of_a_plain_query() -> None:
    with FeatureStore(ROOT) as flights:
        found = {result.name: result for result in flights.checks.data_tests()}
    rows = duckdb.sql(
        f"select count(*), count(*) filter (where dep_delay is not null) from '{FLIGHTS / 'flights.parquet'}'"
    ).fetchall()[0]
    wind = duckdb.sql(f"select count(*) from '{FLIGHTS / 'weather.parquet'}' where wind_speed > 200").fetchall()[0]
    assert found["not_null_nyc_flights_origin"].checked == rows[0]
    assert found["not_null_nyc_flights_tailnum"].checked == rows[1]
    assert (found["range_nyc_weather_wind_speed"].outcome, found["range_nyc_weather_wind_speed"].failing) == (
        "warn",
        wind[0],
    )


def test_each_kind_counts_what_a_plain_query_counts(tmp_path: Path) -> None:
    """On made-up rows with NULLs, repeated keys and values at the bounds, and with `where`."""
    rows = "select (i * 7) % 5 as a, nullif((i * 11) % 7, 3) as b, nullif(i % 4, 2) as c from range(1000) r(i)"
    duckdb.sql(rows).write_parquet(str(tmp_path / "rows.parquet"))
    (tmp_path / "models").mkdir()
    (tmp_path / "pyproject.toml").write_text('[tool.asknown]\nname = "made"\n')
    kinds = {
        "n": ("not_null: {name: n}", "b is null"),
        "n_where": ("not_null: {name: n_where, where: a > 2}", "a > 2 and b is null"),
        "v": ("accepted_values: {name: v, values: [1, 2]}", "b not in (1, 2)"),
        "r": ("range: {name: r, min: 1, max: 4, where: c is not null}", "c is not null and (b < 1 or b > 4)"),
        "s": ("relationships: {name: s, to: \"source('raw', 'rows')\", field: c}", "b not in (0, 1, 3)"),
        "e": ("expression: {name: e, expression: a + b < 8 or c = 1}", "not (a + b < 8 or c = 1)"),
    }
    tests = ", ".join(f"{{{test}}}" for test, _ in kinds.values())
    table = "name: rows, path: rows.parquet, data_tests: [unique: {name: u, columns: [a, b, c]}]"
    source = f"sources: [{{name: raw, tables: [{{{table}, columns: [{{name: b, data_tests: [{tests}]}}]}}]}}]"
    (tmp_path / "models" / "sources.yml").write_text(source)
    with FeatureStore(tmp_path) as store:
        found = {result.name: result.failing for result in store.checks.data_tests()}
    plain = {}
    for name, (_, condition) in kinds.items():
        plain[name] = duckdb.sql(f"select count(*) from ({rows}) where {condition}").fetchall()[0][0]
    known = f"select a, b, c from ({rows}) where b is not null and c is not null"
    (surplus,) = duckdb.sql(
        f"select (select count(*) from ({known})) - (select count(*) from (select distinct * from ({known})))"
    ).fetchall()[0]
    assert found == {**plain, "u": surplus}
    assert all(found.values())


def test_a_test_is_no_key_of_a_set() -> None:
    """Nodes of a project are hashed here and there, and a test's arguments are a mapping."""
    test = DataTest("range", "x", {"min": 0}, None)  # type: ignore[arg-type]
    assert hash(test) == hash(test)


def test_freshness_tells_the_age_of_a_views_rows_and_of_its_load(tmp_path: Path) -> None:
    duckdb.sql("select 1 as k, timestamp '2024-01-01 12:00' as ts, 2 as x").write_parquet(str(tmp_path / "ev.parquet"))
    (tmp_path / "models").mkdir()
    (tmp_path / "pyproject.toml").write_text('[tool.asknown]\nname = "made"\n')
    (tmp_path / "models" / "sources.yml").write_text(
        "sources: [{name: raw, tables: [{name: ev, path: ev.parquet}]}]\n"
        "entities: [{name: k}]\n"
        "models: [{name: v, freshness: {warn_after: 1 hour, error_after: {count: 2, period: day}}}]\n"
    )
    view = "{{ config(entity='k', event_time='ts') }} select k, ts, x from {{ source('raw', 'ev') }}"
    (tmp_path / "models" / "v.sql").write_text(view)
    with FeatureStore(tmp_path) as store:
        store.materialize("2024-01-01 15:30")
        ages = {}
        for now in ("2024-01-01 11:00", "2024-01-01 13:00", "2024-01-01 16:00", "2024-01-04 00:00"):
            results = store.checks.freshness(datetime.fromisoformat(now).replace(tzinfo=UTC))
            ages[now] = [(result.name, result.outcome, *result.details) for result in results]
    old = ", and may be"
    assert ages == {
        "2024-01-01 11:00": [("v", "fail", "there is no row"), ("v_online", "pass", "the newest is 0 seconds old")],
        "2024-01-01 13:00": [
            ("v", "pass", "the newest is 1 hour old"),
            ("v_online", "pass", "the newest is 0 seconds old"),
        ],
        "2024-01-01 16:00": [
            ("v", "warn", f"the newest is 4 hours old{old} 1 hour old"),
            ("v_online", "pass", "the newest is 30 minutes old"),
        ],
        "2024-01-04 00:00": [
            ("v", "fail", f"the newest is 2 days old{old} 2 days old"),
            ("v_online", "fail", f"the newest is 2 days old{old} 2 days old"),
        ],
    }
