"""The rules about what others rely on: each fires on its YAML, and not on the clean twin."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest
from leaks import view

from asknown import FeatureStore

PROJECT = """
sources: [{name: raw, tables: [{name: ev, path: ev.parquet, timezone: UTC, unique: [[k, ts]]}]}]
entities: [{name: k, keys: [k]}]
groups: [{name: risk, owner: {name: risk@example.com}}]
"""
TEST = """
unit_tests:
  - {name: t, %s, given: [{input: "source('raw', 'ev')", rows: [{k: 1, ts: 2024-01-01, x: 2}]}],
     spine: {rows: [{k: 1, event_timestamp: 2024-01-02}]}, expect: {rows: [{x: 2}]}}
"""
PUBLIC = "models: [{name: scores, access: public%s}]"
SERVICE = "feature_services: [{name: s, features: [scores]%s}]"
EXPOSURE = SERVICE + "\nexposures: [{name: e, type: %s, owner: {name: o}, depends_on: [s]}]"

# For each rule: the YAML that it fires on, and clean twins.
PROMISES: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "undocumented": (
        (PUBLIC % "", SERVICE % ", status: production"),
        (
            PUBLIC % ", description: what it is",
            SERVICE % ", status: production, description: what for",
            SERVICE % "",
            "models: [{name: scores}]",
        ),
    ),
    "unowned": (
        (PUBLIC % "", SERVICE % ", status: production"),
        (PUBLIC % ", group: risk", SERVICE % ", status: production, owner: me", SERVICE % ", status: development"),
    ),
    "untested": (
        (PUBLIC % "", SERVICE % ", status: production"),
        (
            PUBLIC % "" + TEST % "view: scores",
            SERVICE % ", status: production" + TEST % "service: s",
            PUBLIC % ", columns: [{name: x, data_tests: [not_null]}]",
            PUBLIC % ", data_tests: [{row_count: {min: 1}}]",
            SERVICE % "",
        ),
    ),
    "public-without-contract": (
        (PUBLIC % "",),
        (
            PUBLIC % ", contract: {enforced: true}, columns: [{name: k, data_type: bigint}, "
            "{name: ts, data_type: timestamp}, {name: x, data_type: double}]",
            "models: [{name: scores, access: protected}]",
        ),
    ),
    "production-uses-development": (
        (EXPOSURE % (", status: development", "application"), EXPOSURE % (", status: development", "ml")),
        (EXPOSURE % (", status: development", "notebook"), EXPOSURE % ("", "application")),
    ),
}


@pytest.mark.parametrize(
    ("code", "yaml", "fires"),
    [(code, one, place == 0) for code, both in PROMISES.items() for place in (0, 1) for one in both[place]],
)
def test_a_rule_fires_where_it_should(tmp_path: Path, code: str, yaml: str, fires: bool) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "pyproject.toml").write_text('[tool.asknown]\nname = "promises"\n')
    duckdb.sql("select i as k, timestamp '2024-01-01' as ts, i * 1.5::double as x from range(3) r(i)").write_parquet(
        str(tmp_path / "ev.parquet")
    )
    (tmp_path / "models" / "scores.sql").write_text(
        view("select k, ts, x from {{ source('raw', 'ev') }}", "entity='k', event_time='ts', ttl='1 day'")
    )
    (tmp_path / "models" / "m.yml").write_text(f"{PROJECT}{yaml}\n")
    with FeatureStore(tmp_path) as store:
        found = store.check()
    assert not [finding for finding in found if finding.severity == "refusal"], found
    assert ([finding.code for finding in found if finding.code in PROMISES].count(code) > 0) == fires, found
    for finding in found:
        assert finding.at is not None and finding.hint
