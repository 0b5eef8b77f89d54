"""Windows in a view's CTEs, which end at each event: what is refused, and why, and what the error says to write."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from asknown import AsknownError, FeatureStore
from features.catalogue import FEATURES, Feature
from features.data import CARDS, as_table, make_rows
from features.test_features import expected, instants, write_project

ROWS = make_rows()
CONFIG = "{{ config(entity='card', event_time='ts') }}\n"
SOURCE = "{{ source('shop', 'payments') }}"
HOURLY = f"select *, count(*) over {{{{ last('1 hour') }}}} as n from {SOURCE}"
MOST = "max(n) over {{ last('7 days') }} as f"
HOUR = "range between interval '1 hour' preceding and current row"

REFUSED = {
    "as-of": (f"with p as ({HOURLY}) select card, ts, n as f, {MOST}2 from p", "bad-window", "is made of it"),
    "beside a window": (f"with p as ({HOURLY}) select card, ts, n / {MOST} from p", "bad-window", "max(n) over"),
    "star": (f"with p as ({HOURLY}) select *, {MOST} from p", "bad-window", "is made of it"),
    "where": (f"with p as ({HOURLY}) select card, ts, {MOST} from p where n > 2", "bad-window", "filters of"),
    "no window above": (f"with p as ({HOURLY}) select card, ts, n > 2 as f from p", "bad-window", "ends at each event"),
    "through a CTE": (f"with p as ({HOURLY}), q as (select *, n + 1 as m from p) select card, ts, m as f, {MOST}2 "
                      "from q", "bad-window", "'m' is made of it"),
    "renamed": (f"with p as ({HOURLY}), q as (select * rename (n as m) from p) select card, ts, m as f, "
                "max(m) over {{ last('1 day') }} as g from q", "bad-window", "'m' is made of it"),
    "by its place in a union": (f"with p as ({HOURLY}), q as (select card, ts, 0 as m from p union all "
                                "select card, ts, n from p) select card, ts, m as f, "
                                "max(m) over {{ last('1 day') }} as g from q", "bad-window", "'m' is made of it"),
    "by the name of the CTE": (f"with p(card, ts, m) as (select card, ts, count(*) over {{{{ last('1 hour') }}}} as n "
                               f"from {SOURCE}) select card, ts, m as f, max(m) over {{{{ last('1 day') }}}} as g "
                               "from p", "bad-window", "'m' is made of it"),
    "the whole row": (f"with p as ({HOURLY}) select card, ts, to_json(p) as f, {MOST}2 from p",
                      "bad-window", "'p' is made of it"),
    "the whole row, through a CTE": (f"with p as ({HOURLY}), q as (select card, ts, n, x as r from p as x) "
                                     f"select card, ts, to_json(r) as f, {MOST}2 from q",
                                     "bad-window", "'r' is made of it"),
    "a pattern": (f"with p as ({HOURLY}) select card, ts, columns('^n$') + 1 as f, {MOST}2 from p",
                  "bad-window", "may be one of COLUMNS('^n$')"),
    "a pattern in a CTE": (f"with p as ({HOURLY}), q as (select card, ts, n, columns('^n$') as 'm' from p) "
                           f"select card, ts, m as f, {MOST}2 from q", "bad-window", "may be one of COLUMNS('^n$')"),
    "in the order": (f"with p as ({HOURLY}) select card, ts, max(cents) over (partition by card, n order by ts {HOUR}) "
                     "as f from p", "bad-window", "is made of it"),
    "ordered aggregate": (f"with p as (select *, first(cents) over {{{{ last('1 hour') }}}} as n from {SOURCE}) "
                          f"select card, ts, {MOST} from p", "bad-window", "the order of rows"),
    "backwards": (f"with p as (select *, count(*) over (partition by card order by ts desc {HOUR}) as n from {SOURCE}) "
                  f"select card, ts, {MOST} from p", "leak-frame-ahead", "ascending"),
    "by the day": (f"with p as (select *, count(*) over (partition by card order by date_trunc('day', ts) {HOUR}) "
                   f"as n from {SOURCE}) select card, ts, {MOST} from p", "leak-frame-ahead", "ts"),
    "named, forward": (f"with p as (select *, count(*) over w as n from {SOURCE} window w as (partition by card "
                       "order by ts range between current row and interval '1 hour' following)) "
                       f"select card, ts, {MOST} from p", "leak-frame-ahead", "current row"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_windows_of_history_that_are_refused(name: str, tmp_path: Path) -> None:
    sql, code, word = REFUSED[name]
    error = refusal(tmp_path / "shop", CONFIG + sql)
    assert error.code == code, str(error)
    assert word in f"{error.message} {error.hint}", str(error)


def refusal(folder: Path, text: str) -> AsknownError:
    """The error of a view."""
    write_view(folder, text)
    with FeatureStore(folder) as store, pytest.raises(AsknownError) as refused:
        store.get_historical_features(spine(), ["v"]).to_arrow()
    return refused.value


def write_view(folder: Path, text: str) -> None:
    write_project(folder, [])
    (folder / "models" / "v.sql").write_text(text, encoding="utf-8")
    pq.write_table(as_table(ROWS), folder / "payments.parquet")


def spine() -> pa.Table:
    asked = [(card, t) for card in CARDS for t in instants()]
    return pa.table({
        "card": [card for card, _ in asked],
        "event_timestamp": pa.array([t for _, t in asked], pa.timestamp("us")),
    })  # fmt: skip


NESTED = {
    "alone": f"select card, ts, max(count(*) over {{{{ last('1 hour') }}}}) over {{{{ last('7 days') }}}} as f "
    f"from {SOURCE}",
    "by an alias, beside others": "select p.card, p.ts, cents as last_cents, max(count(*) over (partition by p.card "
    f"order by p.ts {HOUR})) over {{{{ last('7 days') }}}} as f from {SOURCE} as p where p.ts is not null",
    "over a CTE, twice": f"with p as (select * from {SOURCE}) select card, ts, "
    "greatest(max(count(*) over {{ last('1 hour') }}) over {{ last('7 days') }}, "
    "max(count(*) over {{ last('1 hour') }} - 1) over {{ last('7 days') }}) as f from p",
}


@pytest.mark.parametrize("name", NESTED)
def test_a_nested_window_is_refused_with_a_select_that_works(name: str, tmp_path: Path) -> None:
    error = refusal(tmp_path / "nested", CONFIG + NESTED[name])
    assert error.code == "nested-window"
    assert error.hint is not None
    text = error.hint.partition("in a CTE: ")[2]
    assert re.search(r"OVER \{\{ last\('7 days'\) \}\}", text)
    write_view(tmp_path / "pasted", CONFIG + text)
    with FeatureStore(tmp_path / "pasted") as store:
        found = store.get_historical_features(spine(), ["v:f"]).to_arrow()
    feature = next(feature for feature in FEATURES if feature.number == 15)
    wanted = [expected(feature, ROWS, card, t) for card in CARDS for t in instants()]
    assert found["f"].to_pylist() == wanted


def test_a_window_of_history_is_read_as_it_was_at_each_event(tmp_path: Path) -> None:
    """Two rows of one instant see each other; the row of a later instant is in neither."""
    write_view(
        tmp_path, CONFIG + f"with p as ({HOURLY}) select card, ts, list(n) over {{{{ last('ever') }}}} as f from p"
    )
    with FeatureStore(tmp_path) as store:
        found = store.get_historical_features(spine(), ["v:f"]).to_arrow()
    for card, t, value in zip(*(found[name].to_pylist() for name in ("card", "event_timestamp", "f")), strict=True):
        times = sorted(row["ts"] for row in ROWS if row["card"] == card and row["ts"] <= t)
        hour = timedelta(hours=1)
        assert value == ([sum(at - hour <= other <= at for other in times) for at in times] or None)


def test_such_a_view_does_not_follow_pushes() -> None:
    from sqlglot import exp, parse_one

    from asknown.model.row_path import break_of, words_for

    tree = parse_one(HOURLY.replace("{{ last('1 hour') }}", f"(partition by card order by ts {HOUR})").replace(
        SOURCE, "t"), dialect="duckdb")  # fmt: skip
    assert isinstance(tree, exp.Query)
    found = break_of(tree)
    assert found is not None and words_for(found) == "a window"


def test_the_features_of_history_are_in_the_catalogue() -> None:
    listed: list[Feature] = [feature for feature in FEATURES if feature.below and "range" in feature.below]
    assert {feature.number for feature in listed} == {15, 55, 105}
