"""The leak corpus: a source whose rows are known late, and views that each leak in one way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

PYPROJECT = '[tool.asknown]\nname = "leaks"\n'
SOURCES = """
sources:
  - name: raw
    tables:
      - name: ev
        path: data/ev.parquet
        timezone: UTC
        loaded_at_field: loaded_at
        unique: [[k, ts]]
        columns: [{name: label, label: true}]
      - name: ev_late
        path: data/ev_late.parquet
        timezone: UTC
        loaded_at_field: loaded_at
        unique: [[k, ts]]
      - {name: dim, path: data/dim.parquet}
      - {name: zones, path: data/dim.parquet, static: true}
      - {name: days, path: data/days.parquet, timezone: America/New_York}
      - {name: utc_days, path: data/days.parquet, timezone: UTC}
entities:
  - {name: k, keys: [k]}
"""
EV = """
select i % 20 as k, timestamp '2024-01-01' + i * interval '7 minutes' as ts,
       ts + ((i * 37) % 200) * interval '1 minute' as loaded_at,
       ((i * 7919) % 1000) / 10.0::double as x, i % 3 = 0 as label, i as seq from range(3000) r(i)
"""
DIM = """
select k, timestamp '2024-01-01' as since, 's' || (k % 3) as seg, k * 10 as limit_now from range(20) r(k)
"""
EV_LATE = EV.replace("* interval '1 minute'", "* interval '20 minutes'")
DAYS = "select k, date '2024-01-01' + k::int as ts, timestamp '2024-01-01' as moment, 1.5 as x from range(20) r(k)"
E = "{{ source('raw', 'ev') }}"
K = "k, ts, loaded_at"
KNOWN = "entity='k', event_time='ts', known_at='loaded_at'"
PLAIN = "entity='k', event_time='ts'"


@dataclass(frozen=True)
class Leak:
    """A view of the corpus. ``refused`` is the code that every command gives; None where it is accepted.

    ``found`` are the codes of the findings of `asknown check` that are no refusals; information is left out.
    """

    name: str
    sql: str
    refused: str | None
    found: tuple[str, ...] = ()
    config: str = KNOWN


CORPUS = (
    Leak("clean", f"select {K}, x, avg(x) over {{{{ last('1 day') }}}} as a1 from {E}", None),
    Leak("no_known", f"select k, ts, x as x2 from {E}", None, ("known-at-missing",), PLAIN),
    Leak(
        "known_const",
        f"select k, ts, timestamp '2020-01-01' as ka, x as xk from {E}",
        None,
        ("known-at-constant",),
        "entity='k', event_time='ts', known_at='ka'",
    ),
    Leak("lead", f"select {K}, lead(x) over (partition by k order by ts) as nextx from {E}", "leak-frame-ahead"),
    Leak(
        "lead_up",
        f"select {K}, nextx from (select *, lead(x) over (partition by k order by ts) as nextx from {E})",
        "leak-frame-ahead",
    ),
    Leak(
        "unbounded",
        f"select {K}, avg(x) over (partition by k) as avgall from {E}",
        "leak-whole-partition",
        ("float-order",),
    ),
    Leak(
        "unbounded_up",
        f"select {K}, x / m as rel from (select *, max(x) over (partition by k) as m from {E})",
        "leak-whole-partition",
    ),
    Leak(
        "group_all",
        f"with g as (select k, avg(x) as mx from {E} group by k) "
        f"select e.k, e.ts, e.loaded_at, e.x - g.mx as dev from {E} e join g on g.k = e.k",
        None,
        ("leak-group-without-time", "float-order"),
    ),
    Leak(
        "scalar_sub",
        f"select {K}, x / (select max(x) from {E}) as scaled from {E}",
        None,
        ("leak-global-aggregate",),
    ),
    Leak(
        "selfjoin_future",
        f"select a.k, a.ts, a.loaded_at, max(b.x) as mx_next from {E} a left join {E} b "
        "on b.k = a.k and b.ts > a.ts and b.ts < a.ts + interval '1 day' group by 1, 2, 3",
        None,
        ("leak-join-ahead",),
    ),
    Leak(
        "daily_agg",
        f"select k, date_trunc('day', ts) as day, sum(x) as daysum from {E} group by 1, 2",
        None,
        ("leak-truncated-time", "known-at-missing", "float-order"),
        "entity='k', event_time='day'",
    ),
    Leak(
        "latest_row",
        f"select {K}, x as lastx from {E} qualify row_number() over (partition by k order by ts desc) = 1",
        None,
        ("leak-latest-only",),
    ),
    Leak("ntile_up", f"select {K}, ntile(4) over (order by x) as bucket from {E}", "leak-whole-partition"),
    Leak(
        "dim_current",
        f"select e.k, e.ts, e.loaded_at, d.limit_now from {E} e join {{{{ source('raw', 'dim') }}}} d on d.k = e.k",
        None,
        ("leak-join-undated", "fan-out"),
    ),
    Leak("now_fn", f"select {K}, date_diff('day', ts, now()::timestamp) as age_days from {E}", "clock"),
    Leak("label_in", f"select {K}, label from {E}", None, ("label-as-feature",)),
    Leak("rnd", f"select {K}, random() as r from {E}", "chance"),
    Leak("limit_nord", f"select {K}, x as xl from {E} limit 2000", None, ("unordered-pick",)),
    Leak(
        "first_nord",
        f"select k, ts, max(loaded_at) as loaded_at, first(x) as fx from {E} group by k, ts",
        None,
        ("unordered-pick",),
    ),
    Leak(
        "outer_time",
        f"select {K}, extract('hour' from loaded_at - ts) as lag_h, "
        f"sum(x) over (partition by k order by ts rows between 3 preceding and current row) as s3 from {E}",
        "bad-window",
        ("float-order",),
    ),
    Leak(
        "lag_up",
        f"select {K}, p from (select *, lag(x) over (partition by k order by ts) as p from {E})",
        "late-rows-in-window",
    ),
)

LAG_UP = (
    "select k, ts, loaded_at, lag(x) over (partition by k order by ts) as p from {{ source('raw', 'ev_late') }}",
    f"select {K}, p from {{{{ ref('lag_below') }}}}",
)
"""A model with lag(), and the view over it. In `ev` no key's rows arrive out of order; in `ev_late` they do."""


def write_project(folder: Path, models: dict[str, str]) -> Path:
    """A project over the corpus's sources, with these models: each name's text, config() included."""
    (folder / "models").mkdir(parents=True)
    (folder / "data").mkdir()
    (folder / "pyproject.toml").write_text(PYPROJECT)
    (folder / "models" / "sources.yml").write_text(SOURCES)
    for name, query in (("ev", EV), ("ev_late", EV_LATE), ("dim", DIM), ("days", DAYS)):
        duckdb.sql(query).write_parquet(str(folder / "data" / f"{name}.parquet"))
    for name, text in models.items():
        (folder / "models" / f"{name}.sql").write_text(text)
    return folder


def view(sql: str, config: str = KNOWN) -> str:
    """A view's file."""
    return f"{{{{ config({config}) }}}}\n\n{sql}\n"
