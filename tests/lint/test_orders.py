"""Windows in orders that merge instants: what they really read, and frames of intervals in models below a view."""

from __future__ import annotations

from pathlib import Path

import duckdb
import orders
import pytest
from leaks import EV, PLAIN, E, view, write_project

from asknown import FeatureStore

CUT = "timestamp '2024-01-05 13:30:00'"


@pytest.mark.parametrize("sql", orders.EXACT)
def test_an_order_that_is_accepted_gives_no_row_a_later_value(sql: str) -> None:
    """What later rows hold changes no row before them, on rows of which many share a day and none an instant."""
    with duckdb.connect() as db:
        db.execute(f"create table whole as select * replace (round(x * 10)::bigint as x) from ({EV})")
        db.execute(f"create table early as select * from whole where ts < {CUT}")
        full, cut = (
            db.sql(f"select * from ({sql.replace(E, table)}) where ts < {CUT} - interval 1 day order by all").fetchall()
            for table in ("whole", "early")
        )
    assert full == cut


@pytest.mark.parametrize(
    ("frame", "leaks"),
    [
        ("range between interval 7 days preceding and current row", True),
        ("range between interval 7 days preceding and interval 0 days preceding", True),
        ("range between interval 7 days preceding and '0 days' preceding", True),
        ("range between unbounded preceding and interval 1 day preceding", False),
        ("range between interval 7 days preceding and interval 1 day preceding", False),
    ],
)
def test_a_frame_of_days_in_a_model_below_ends_before_the_peers(frame: str, leaks: bool, tmp_path: Path) -> None:
    below = f"select *, sum(x) over (partition by k order by date_trunc('day', ts) {frame}) as f from {E}\n"
    models = {"below": below, "v": view("select k, ts, f from {{ ref('below') }}", PLAIN)}
    with FeatureStore(write_project(tmp_path / "p", models)) as store:
        found = [finding for finding in store.check() if finding.code == "leak-frame-ahead"]
    assert [finding.model for finding in found] == (["below"] if leaks else [])
    if leaks:
        assert "sum() reads them" in found[0].message and "order by the time itself, ts" in str(found[0].hint)
