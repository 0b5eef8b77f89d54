"""`lag()` and its like over rows that tie: one answer, whatever the order of rows in the file, at both ends."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from leaks import PLAIN, view

from asknown import FeatureStore

START = datetime(2024, 1, 1, tzinfo=UTC)
PROJECT = """
sources:
  - name: raw
    tables:
      - {name: ties, path: data/ties.parquet}
entities:
  - {name: k, keys: [k]}
"""
T = "{{ source('raw', 'ties') }}"
OVER = "over (partition by k order by ts)"

VIEWS = {
    "plain": f"select k, ts, a, b, lag(a) {OVER} as p from {T}",
    "named": f"select k, ts, a, b, lag(a) over w as p, sum(a) over w as s from {T} "
    "window w as (partition by k order by ts)",
    "two": f"select k, ts, lag(a) {OVER} as p, lag(b) {OVER} as q from {T}",
    "mixed": f"select k, ts, b, a - lag(a) {OVER} as p from {T}",
    "starred": f"with s as (select *, lag(a) {OVER} as p from {T}) select k, ts, a, b, p from s",
    "inner_star": f"with e as (select * exclude (b) from {T}), s as (select *, lag(a) {OVER} as p from e) "
    "select k, ts, p from s",
    "joined": f"with s as (select l.k, l.ts, l.a, lag(r.b) over (partition by l.k order by l.ts) as p from {T} l "
    f"join {T} r on r.k = l.k and r.ts = l.ts) select * from s",
    "numbered": f"select k, ts, a, b, row_number() {OVER} as p from {T}",
    "backwards": f"select k, ts, a, b, lead(a) over (partition by k order by ts desc) as p from {T}",
    "framed": "with s as (select *, list(a) over "
    "(partition by k order by ts rows between 2 preceding and current row) as p "
    f"from {T}) select k, ts, a, b, p from s",
    "grouped": f"select k, ts, a % 2 as half, lag(sum(b)) {OVER} as p from {T} group by k, ts, a % 2",
    "sideways": f"select k, ts, lag(a) {OVER} as p, p * 10 + b as q from {T}",
    "beside_distinct": "select k, ts, count(distinct b) over (partition by k order by ts range between interval 1 hour "
    f"preceding and current row) as c, lag(a) {OVER} as p from {T}",
    "filtered": f"select k, ts, b from {T} qualify lag(a) {OVER} is null",
}


def make_rows() -> list[dict[str, Any]]:
    """Rows of three keys at few instants, with NULLs and rows that are equal in everything."""
    chance = random.Random(11)
    rows = []
    for _ in range(90):
        moment = START + timedelta(hours=chance.randrange(6))
        a, b = chance.choice([None, 1, 2, 3]), chance.choice([None, 1, 2])
        rows.append({"k": chance.randrange(3), "ts": moment, "a": a, "b": b})
    return rows


def write_rows(folder: Path, rows: list[dict[str, Any]]) -> None:
    kinds = pa.schema([("k", pa.int64()), ("ts", pa.timestamp("us", "UTC")), ("a", pa.int64()), ("b", pa.int64())])
    pq.write_table(pa.Table.from_pylist(rows, schema=kinds), folder / "data" / "ties.parquet", row_group_size=7)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("ties")
    for name in ("data", "models"):
        (folder / name).mkdir()
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "ties"\n')
    (folder / "models" / "sources.yml").write_text(PROJECT)
    for name, sql in VIEWS.items():
        (folder / "models" / f"{name}.sql").write_text(view(sql, PLAIN))
    return folder


SPINE = pa.table(
    {
        "k": [k for k in range(3) for _ in range(7)],
        "event_timestamp": [START + timedelta(hours=h) for _ in range(3) for h in range(7)],
    }
)


def answers(project: Path, view: str) -> tuple[Any, Any]:
    """What training gives for the spine, and what the online table gives at its end."""
    with FeatureStore(project) as store:
        trained = store.get_historical_features(SPINE, [view]).to_arrow().to_pylist()
        store.materialize(until=START + timedelta(hours=6), views=[view], full_refresh=True)
        keys = [{"k": k} for k in range(3)]
        online = store.get_online_features([view], keys, at=START + timedelta(hours=6)).to_dict()
    last = [row for row in trained if row["event_timestamp"] == START + timedelta(hours=6)]
    for name in last[0].keys() - {"k", "event_timestamp"}:
        assert online[name] == [row[name] for row in last], name
    return trained, online


@pytest.mark.parametrize("name", VIEWS)
def test_six_shuffles_have_one_answer(name: str, project: Path) -> None:
    rows, seen = make_rows(), set()
    for seed in range(6):
        random.Random(seed).shuffle(rows)
        write_rows(project, rows)
        seen.add(repr(answers(project, name)))
    assert len(seen) == 1


def test_the_order_is_that_of_rule_3(project: Path) -> None:
    """Plain loops: a key's rows by event time, then by the select's columns, NULLs lowest; lag() is the one before."""
    rows = make_rows()
    write_rows(project, rows)

    def lowest_null(*values: Any) -> tuple[Any, ...]:
        return tuple((value is not None, value or 0) for value in values)

    known = []
    for k in range(3):
        mine = sorted((r for r in rows if r["k"] == k), key=lambda r: (r["ts"], lowest_null(r["a"], r["b"])))
        known += [
            {**row, "p": before["a"] if before else None} for before, row in zip([None, *mine], mine, strict=False)
        ]
    trained, _ = answers(project, "plain")
    for got in trained:
        seen = [row for row in known if row["k"] == got["k"] and row["ts"] <= got["event_timestamp"]]
        wanted = max(seen, key=lambda r: (r["ts"], lowest_null(r["a"], r["b"], r["p"])), default=dict.fromkeys("abp"))
        assert [got[name] for name in "abp"] == [wanted[name] for name in "abp"]


def test_a_model_below_keeps_its_own_order(project: Path) -> None:
    with FeatureStore(project) as store:
        assert "NULLS FIRST" in store.compile_model("plain")
    (project / "models" / "below.sql").write_text(f"select k, ts, a, lag(a) {OVER} as p from {T}\n")
    (project / "models" / "above.sql").write_text(view("select * from {{ ref('below') }}", PLAIN))
    with FeatureStore(project) as store:
        assert "NULLS FIRST" not in store.compile_model("above")
