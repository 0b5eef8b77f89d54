"""Each rule of `asknown check` that is no refusal fires where it should, and not on the clean twin."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb
import pytest
from leaks import DIM, EV, KNOWN, PLAIN, view
from test_promises import PROMISES

from asknown import FeatureStore
from asknown.errors import CODES
from asknown.lint.nodes import Finding
from asknown.lint.rules import REFUSALS, RULES, WHOLE_RULES

SOURCES = """
sources:
  - name: raw
    tables:
      - name: ev
        path: data/ev.parquet
        timezone: UTC
        loaded_at_field: loaded_at
        unique: [[k, ts]]
        columns: [{name: label, label: true}, {name: late_label, label: true, known_at: resolved_at},
                  {name: delay, known_at: resolved_at}]
      - {name: inherited, path: data/ev.parquet, timezone: UTC}
      - {name: ties, path: data/bare.parquet, timezone: UTC}
      - {name: bare, path: data/bare.parquet, timezone: UTC, unique: [[k, ts]], cadence: 7 minutes}
      - {name: clocks, path: data/bare.parquet, unique: [[k, ts]]}
      - {name: dim, path: data/dim.parquet, timezone: UTC}
      - {name: zones, path: data/dim.parquet, static: true, unique: [[k]]}
      - {name: snap, path: data/snap.parquet, timezone: UTC}
entities:
  - {name: k, keys: [k]}
feature_services:
  - {name: chosen, features: [in_service]}
"""
COLUMNS = f"select *, label as late_label, x as delay, ts + interval 2 days as resolved_at from ({EV})"
BARE = f"select k, ts, x, seq, x::decimal(9, 1) as exact, k + 0.5::double as kf from ({EV})"
SNAP = f"select k, ts as dbt_valid_from, ts + interval 1 day as dbt_valid_to, x from ({EV})"


def table(name: str) -> str:
    return f"{{{{ source('raw', '{name}') }}}}"


E, B, TIES, D, Z = table("ev"), table("bare"), table("ties"), table("dim"), table("zones")


@dataclass(frozen=True)
class Case:
    """A view and, where it reads one, the model below it, of which it is the rest of the select."""

    sql: str
    config: str = PLAIN
    below: str = ""


def on(below: str, config: str = PLAIN) -> Case:
    """A view over a model below it."""
    return Case("select k, ts, f from {below}", config, below)


KA = "entity='k', event_time='ts', known_at='ka'"
FIRES: dict[str, Sequence[Case]] = {
    "unordered-pick": (
        Case(f"select k, ts, x from {B} limit 100"),
        Case(f"select k, ts, x from (select * from {B} offset 5)"),
        Case(f"select k, ts, first(x) as f from {B} group by k, ts"),
        Case(f"select k, ts, any_value(x) as f from {B} group by k, ts"),
        Case(f"select k, ts, list(x) as f from {B} group by k, ts"),
        Case(f"select k, ts, string_agg(x::text, ',') as f from {B} group by k, ts"),
        Case(f"select distinct on (k, ts) k, ts, x from {B}"),
        on(f"select k, ts, last(x) filter (where x > 1) as f from {B} group by k, ts"),
        Case(f"select e.k, e.ts, z.seg from {B} e positional join {Z} z"),
    ),
    "leak-global-aggregate": (
        Case(f"select k, ts, x / (select max(x) from {B}) as f from {B}"),
        Case(f"with m as (select avg(exact) as a from {B}) select k, ts, x - m.a as f from {B}, m"),
        Case(f"select k, ts, (select count(*) from {B} b where b.k = e.k) as f from {B} e"),
        on(f"select k, ts, x / (select max(x) from {B}) as f from {B}"),
    ),
    "leak-group-without-time": (
        Case(f"select e.k, ts, x - g.m as f from {B} e join (select k, max(x) as m from {B} group by k) g using (k)"),
        Case(
            f"with g as (select k, count(*) as n from {B} group by 1) select e.k, e.ts, g.n as f from {B} e, g "
            "where g.k = e.k"
        ),
        Case(
            f"with g as (select k, count(*) as n from {B} group by all), h as (select * from g) "
            f"select e.k, e.ts, h.n as f from {B} e join h on h.k = e.k"
        ),
        Case(
            f"select e.k, e.ts, g.f from {B} e join {{below}} g using (k)",
            below=f"select k, max(x) as f from {B} group by k",
        ),
    ),
    "leak-latest-only": (
        Case(f"select k, ts, x from {B} qualify row_number() over (partition by k order by ts desc) = 1"),
        Case(
            f"with n as (select *, rank() over (partition by k order by ts desc) as n from {B}) "
            "select k, ts, x from n where n = 1"
        ),
        Case(f"select distinct on (k) k, ts, x from {B} order by k, ts desc"),
        Case(f"select k, max(ts) as ts, max_by(x, ts) as f from {B} group by k"),
        Case(f"select k, max(ts) as ts, last(x order by ts) as f from {B} group by k"),
        on(f"select k, ts, x as f from {B} qualify row_number() over (partition by k order by ts desc) = 1"),
        Case(f"select k, ts, x from {B} order by ts desc limit 10"),
        Case(f"select k, ts, (select b.x from {B} b where b.k = e.k order by ts desc limit 1) as f from {B} e"),
    ),
    "leak-first-time": (
        Case(f"select k, min(ts) as ts, sum(exact) as f from {B} group by k"),
        Case(f"select k, min(ts) as ts, max_by(x, seq) as f from {B} group by k"),
        on(f"select k, min(ts) as ts, count(*) as f from {B} group by k, seq // 10"),
    ),
    "leak-order-untimed": (
        Case(f"select k, ts, sum(exact) over (partition by k order by x) as f from {B}"),
        Case(f"select k, ts, lag(x) over (partition by k order by seq) as f from {B}"),
        Case(f"select k, ts, x from {B} order by x desc limit 10"),
        on(f"select k, ts, max(x) over (partition by k order by seq) as f from {B}"),
    ),
    "leak-join-ahead": (
        Case(f"select a.k, a.ts, max(b.x) as f from {B} a left join {B} b on b.k = a.k and b.ts > a.ts group by 1, 2"),
        Case(f"select a.k, a.ts, max(b.x) as f from {B} a, {B} b where b.k = a.k and a.ts <= b.ts group by 1, 2"),
        Case(
            f"select a.k, a.ts, max(b.x) as f from {B} a join {B} b on a.k = b.k "
            "and b.ts between a.ts and a.ts + interval 1 day group by 1, 2"
        ),
        Case(f"select a.k, a.ts, (select min(b.x) from {B} b where b.k = a.k and b.ts > a.ts) as f from {B} a"),
        Case(f"select a.k, a.ts, b.x as f from {B} a asof join {B} b on a.k = b.k and a.ts <= b.ts"),
    ),
    "leak-truncated-time": (
        Case(f"select k, date_trunc('day', ts) as ts, count(*) as f from {B} group by 1, 2"),
        Case(f"select k, ts::date as ts, count(*) as f from {B} group by 1, 2"),
        Case(f"select k, time_bucket(interval 1 hour, ts) as ts, count(*) as f from {B} group by all"),
        Case(
            f"with d as (select k, x, date_trunc('hour', ts) as ts from {B}) "
            "select k, ts, max(x) as f from d group by k, ts"
        ),
        on(f"select k, date_trunc('day', ts) as ts, count(*) as f from {B} group by 1, 2"),
    ),
    "known-at-constant": (
        Case(f"select k, ts, timestamp '2020-01-01' as ka, x from {B}", KA),
        Case(f"select k, ts, ts - interval 1 hour as ka, x from {B}", KA),
        Case(f"select k, ts, ts + interval '-1 hour' as ka, x from {B}", KA),
        Case("select k, ts, ka, x from {below}", KA, f"select *, ts - interval 1 hour as ka from {B}"),
    ),
    "known-at-too-early": (
        Case(f"select k, ts, loaded_at, delay as f from {E}", KNOWN),
        Case(f"select k, ts, loaded_at, coalesce(delay, 0) + 1 as f from {E}", KNOWN),
        Case(f"select k, ts, loaded_at, avg(delay) over {{{{ last('1 day') }}}} as f from {E}", KNOWN),
        Case(f"select k, ts, loaded_at, late_label as f from {E}", KNOWN),
        Case(
            "select k, ts, f from {below}",
            PLAIN,
            f"select k, ts, seq as landed, exact * 2 as f from {B} -- declared: f",
        ),
    ),
    "known-at-missing": (
        Case(f"select k, ts, x from {E}"),
        Case(f"select e.k, e.ts, b.x from {B} b join {E} e on b.k = e.k and b.ts = e.ts"),
        Case(f"select k, ts, x from {table('inherited')}"),
        on(f"select k, ts, x as f from {E}"),
    ),
    "label-as-feature": (
        Case(f"select k, ts, loaded_at, label from {E}", KNOWN),
        Case(f"select k, ts, loaded_at, case when label then 1 else 0 end as f from {E}", KNOWN),
        Case(
            f"select k, ts, loaded_at, count(*) filter (where label) over {{{{ last('1 day') }}}} as f from {E}", KNOWN
        ),
        on(f"select k, ts, loaded_at, label::int as f from {E}"),
    ),
    "leak-join-undated": (
        Case(f"select e.k, e.ts, x from {B} e semi join {D} d using (k)"),
        Case(f"select e.k, e.ts, x from {B} e anti join {D} d using (k)"),
        Case(f"select e.k, e.ts, x from {B} e where k not in (select k from {D})"),
        Case(f"select e.k, e.ts, exists (select 1 from {D} d where d.k = e.k) as f from {B} e"),
        Case(f"select e.k, e.ts, x >= all (select limit_now from {D}) as f from {B} e"),
        Case(f"select e.k, e.ts, d.seg from {B} e join {D} d on d.k = e.k"),
        Case(f"select e.k, e.ts, d.seg from {D} d join {B} e using (k)"),
        Case("select e.k, e.ts, d.seg from {below} e left join " + D + " d on d.k = e.k", below=f"select * from {B}"),
    ),
    "late-rows-in-window": (
        Case(
            "select k, ts, loaded_at, f from {below}",
            KNOWN,
            f"select k, ts, loaded_at, lag(x) over (partition by k order by ts) as f from {E}",
        ),
        Case(
            "select k, ts, loaded_at, f from {below}",
            KNOWN,
            "select k, ts, loaded_at, "
            f"sum(x) over (partition by k order by ts rows between 2 preceding and current row) as f from {E}",
        ),
    ),
    "order-not-total": (
        on(f"select k, ts, row_number() over (partition by k order by ts) as f from {TIES}"),
        on(f"select k, ts, lag(x) over (partition by k order by ts) as f from {TIES}"),
        on(f"select k, ts, sum(exact) over (order by ts rows 2 preceding) as f from {B}"),
    ),
    "float-order": (
        Case(f"select k, ts, avg(x) as f from {B} group by k, ts"),
        Case(f"with d as (select k, ts, sum(x + 1) as f from {B} group by 1, 2) select k, ts, f from d"),
        Case(f"select k, ts, sum(seq / 2) as f from {B} group by k, ts"),
        on(f"select k, ts, sum(f) as f from (select k, ts, coalesce(x, 0) as f from {B}) group by 1, 2"),
    ),
    "engine-version": (
        Case(f"select k, ts, levenshtein(note, 'a') as f from (select *, k::text as note from {B})"),
        Case(f"select k, ts, jaccard(k::text, 'a') as f from {B}"),
        Case(f"select k, ts, cast(cast(seq as hugeint) * 2 as hugeint)::double as f from {B}"),
        Case(f"select k, ts, bit_count(seq::hugeint) as f from {B}"),
        Case(f"select k, ts, string_split(k::text, '') as f from {B}"),
        Case(f"select k, ts, string_split_regex(note, note) as f from (select *, k::text as note from {B})"),
        Case(f"select k, ts, make_time(1, 2, x - 0.5) as f from {B}"),
        Case(f"select k, ts, sum(seq::bigint)::double as f from {B} group by k, ts"),
        Case(
            f"select k, ts, (sum(b) filter (where b > 0))::double as f "
            f"from (select *, seq::bigint as b from {B}) group by 1, 2"
        ),
        on(f"select k, ts, h::double as f from (select *, seq::hugeint as h from {B})"),
    ),
    "float-equal": (
        Case(f"select k, ts, x = 5 as f from {B}"),
        Case(f"select k, ts, x from {B} where x <> 0.5"),
        Case(f"select e.k, e.ts, z.seg from {B} e join {Z} z on z.k = e.kf and z.k = e.k"),
        Case(f"select a.k, a.ts, b.x as f from {B} a join {B} b using (k, ts, kf)"),
    ),
    "naive-time": (
        Case(f"select k, ts, x from {table('clocks')}"),
        Case(f"select k, ts::timestamptz at time zone 'Europe/Paris' as ts, x from {B}"),
        Case(f"select k, timezone('Europe/Paris', timezone('UTC', ts)) as ts, x from {B}"),
    ),
    "ttl-against-cadence": (
        Case(f"select k, ts, x from {B}", f"{PLAIN}, ttl='5 minutes'"),
        Case(f"select k, ts, x from {B}", PLAIN),
        on(f"select k, ts, exact as f from {B}", f"{PLAIN}, ttl='1 minute'"),
    ),
    "fan-out": (
        Case(f"select e.k, e.ts, d.seg from {B} e join {D} d on d.k = e.k"),
        Case(f"select e.k, e.ts, d.seg from {B} e left join {D} d using (k)"),
        Case(f"select e.k, e.ts, z.seg from {B} e join {Z} z on z.seg = e.seq::text"),
        Case(f"select e.k, e.ts, z.seg from {B} e cross join {Z} z"),
        Case("select e.k, e.ts, z.seg from " + B + " e join {below} z on z.k = e.k", below=f"select k, seg from {D}"),
    ),
    "key-not-null": (
        Case(f"select z.k, e.ts, e.x from {B} e left join {Z} z on z.k = e.k"),
        Case(f"select e.k, e.ts, e.x from {B} e full join {Z} z on z.k = e.k"),
        Case(f"select e.k, e.ts, e.x from {B} e right join {Z} z on z.k = e.k"),
        on(f"select z.k, e.ts, e.x as f from {B} e left join {Z} z on z.k = e.k"),
    ),
    "future-column": (
        Case(f"select k, dbt_valid_from as ts, x, dbt_valid_to from {table('snap')}"),
        Case(f"select k, dbt_valid_from as ts, dbt_valid_to is null as f from {table('snap')}"),
        Case(f"select *, dbt_valid_from as ts from {table('snap')}"),
    ),
    "stack-as-of": (
        Case(
            f"with a as (select k, ts, x from {B}), b as (select k, ts, seq from {B}) "
            "select k, ts, seq as f from {{ stack('a', 'b') }}"
        ),
        Case(
            f"with a as (select k, ts, x from {B}), b as (select k, ts, null as x from {B}), "
            "stacked as (select * from {{ stack('a', 'b') }}) select k, ts, x / 2 as f from stacked"
        ),
        Case(
            f"with a as (select k, ts, x, seq from {B}), b as (select k, ts, seq from {B}) select k, ts, "
            "x / nullif(max(seq) over {{ last('1 day') }}, 0) as f from {{ stack('a', 'b') }}"
        ),
    ),
    "star-in-view": (
        Case(f"select * from {B}"),
        Case(f"select e.*, z.seg from {B} e join {Z} z using (k)"),
        Case(f"select * exclude (seq) from {B}"),
    ),
    "unresolved-column": (Case(f"select k, ts, columns('^x$') from {B}"),),
    "duplicate-feature": (Case(f"select k, ts, x as f, x as g from {B}"),),
    "unbounded-scan": (Case(f"select k, ts, x from {B}"),),
    "unused": (Case(f"select k, ts, x from {B}"),),
    "online-not-computable": (
        Case(f"select k, ts, md5(cast(count(*) over {{{{ last('1 day') }}}} as varchar)) as f from {B}"),
    ),
    "lifetime-keeps-events": (
        Case(f"select k, ts, median(x) over {{{{ last('ever') }}}} as f from {B}"),
        Case(f"select k, ts, sum(x) over {{{{ last('ever', delay='1 day') }}}} as f from {B}"),
        Case(
            f"select k, ts, sum(x) over {{{{ last('ever') }}}} as f, sum(x) over {{{{ last('1 day') }}}} as g from {B}"
        ),
    ),
}

CLEAN: dict[str, Sequence[Case]] = {
    "unordered-pick": (
        Case(f"select k, ts, x from {B} order by seq limit 100"),
        Case(f"select k, ts, first(x order by seq) as f from {B} group by k, ts"),
        Case(f"select k, ts, min(x) as f from {B} group by k, ts"),
        Case(f"select k, ts, list(x order by seq) as f from {B} group by k, ts"),
        Case(f"select k, ts, list_sort(list(x)) as f from {B} group by k, ts"),
        Case(f"select k, ts, list(x) over {{{{ last('1 day') }}}} as f from {B}"),
        Case(f"select distinct on (k, ts) k, ts, x from {B} order by seq"),
    ),
    "leak-global-aggregate": (
        Case(f"select k, ts, x / (select max(x) from {B} where ts < timestamp '2023-01-01') as f from {B}"),
        Case(f"select k, ts, x / (select max(limit_now) from {Z}) as f from {B}"),
        Case(f"select k, ts, (select max(b.x) from {B} b where b.k = e.k and b.ts <= e.ts) as f from {B} e"),
        Case(f"select k, ts, max(x) over {{{{ last('1 day') }}}} as f from {B}"),
        Case(f"select k, ts, max(x) as f from {B} group by k, ts"),
        Case(f"select k, ts, x / (select max(v) from (values (1), (2)) t(v)) as f from {B}"),
    ),
    "leak-group-without-time": (
        Case(
            f"select e.k, e.ts, g.m as f from {B} e join (select k, date_trunc('day', ts) as day, max(x) as m from {B} "
            "group by 1, 2) g on g.k = e.k and g.day < date_trunc('day', e.ts)"
        ),
        Case(
            f"select e.k, ts, g.m as f from {B} e join (select k, max(limit_now) as m from {Z} group by k) g using (k)"
        ),
        Case(
            f"select e.k, ts, g.m as f from {B} e "
            f"join (select k, max(x) as m from {B} where ts < timestamp '2023-01-01' group by k) g using (k)"
        ),
        Case(f"select k, max(ts) as ts, count(*) as f from {B} group by k, seq"),
    ),
    "leak-latest-only": (
        Case(f"select k, ts, x from {B}"),
        Case(f"select k, ts, x from {B} qualify row_number() over (partition by k, ts order by ts desc, seq desc) = 1"),
        Case(f"select k, ts, x from {B} qualify row_number() over (partition by k order by ts) = 1"),
        Case(f"select distinct on (k, ts) k, ts, x from {B} order by k, ts desc, seq desc"),
        Case(f"select k, ts, max_by(x, ts) over {{{{ last('1 day') }}}} as f from {B}"),
        Case(f"select k, ts, x from {B} order by ts limit 10"),
        Case(
            f"select e.k, e.ts, (select b.x from {B} b where b.k = e.k and b.ts <= e.ts order by b.ts desc limit 1) "
            f"as f from {B} e"
        ),
        Case(
            f"select z.k, e.ts, e.x from {B} e "
            f"join (select distinct on (k) k from {Z} order by k, since desc) z using (k)"
        ),
    ),
    "leak-first-time": (
        Case(f"select k, min(ts) as ts, min_by(x, ts) as f, first(seq order by ts) as g from {B} group by k"),
        Case(f"select k, max(ts) as ts, sum(exact) as f from {B} group by k"),
        Case(f"select k, min(ts) as ts, min(x) over (partition by k, min(ts)) as f from {B} group by k, x"),
        Case(f"select z.k, min(z.since) as ts, count(*) as f from {Z} z group by z.k"),
    ),
    "leak-order-untimed": (
        Case(f"select k, ts, sum(exact) over (partition by k order by ts, x) as f from {B}"),
        Case(f"select k, ts, max(x) over (partition by k, ts order by seq) as f from {B}"),
        Case(f"select k, ts, x from {B} qualify row_number() over (partition by k, ts order by x) = 1"),
        Case(f"select k, ts, (select z.seg from {Z} z order by z.seg limit 1) as f from {B}"),
        Case(f"select e.k, e.ts, (select b.x from {B} b where b.ts < e.ts order by b.x limit 1) as f from {B} e"),
    ),
    "leak-join-ahead": (
        Case(f"select a.k, a.ts, max(b.x) as f from {B} a left join {B} b on b.k = a.k and b.ts < a.ts group by 1, 2"),
        Case(f"select b.k, b.ts, max(a.x) as f from {B} a join {B} b on b.k = a.k and b.ts > a.ts group by 1, 2"),
        Case(
            f"select a.k, a.ts, max(b.x) as f from {B} a join {B} b on a.k = b.k "
            "and b.ts > a.ts - interval 1 day and b.ts <= a.ts group by 1, 2"
        ),
        Case(f"select a.k, a.ts, b.x as f from {B} a asof join {B} b on a.k = b.k and a.ts >= b.ts"),
        Case(f"select a.k, a.ts, (select max(b.x) from {B} b where b.k = a.k and b.ts < a.ts) as f from {B} a"),
    ),
    "leak-truncated-time": (
        Case(
            "select k, date_trunc('day', ts) as ts, date_trunc('day', ts) + interval 1 day as ka, "
            f"count(*) as f from {B} group by all",
            KA,
        ),
        Case(f"select k, date_trunc('day', ts) as ts, x from {B}"),
        Case(f"select k, max(ts) as ts, count(*) as f from {B} group by k, date_trunc('day', ts)"),
        Case(
            f"with d as (select k, date_trunc('day', ts) as day, max(x) as f from {B} group by 1, 2) "
            "select k, day + interval 1 day as ts, f from d"
        ),
    ),
    "known-at-constant": (
        Case(f"select k, ts, loaded_at, x from {E}", KNOWN),
        Case(f"select k, ts, ts + interval 1 hour as ka, x from {B}", KA),
        Case(f"select k, since as ts, timestamp '2020-01-01' as ka, seg from {Z}", KA),
    ),
    "known-at-too-early": (
        Case(f"select k, ts, resolved_at, delay from {E}", "entity='k', event_time='ts', known_at='resolved_at'"),
        Case(f"select k, resolved_at as ts, delay from {E}"),
        Case(f"select k, ts, greatest(resolved_at, loaded_at) as ka, delay from {E}", KA),
        Case(f"select k, ts, loaded_at, x from {E}", KNOWN),
        Case(f"select k, ts, loaded_at, x from {E} where delay is not null", KNOWN),
    ),
    "known-at-missing": (
        Case(f"select k, ts, loaded_at, x from {E}", KNOWN),
        Case(f"select k, loaded_at as ts, x from {E}"),
        Case(f"select k, ts, greatest(loaded_at, resolved_at) as ka, x from {E}", KA),
        Case(f"select k, ts, x from {B}"),
        Case(
            "select k, ts, known, f from {below}",
            "entity='k', event_time='ts', known_at='known'",
            f"select k, ts, max(loaded_at) as known, max(x) as f from {E} group by 1, 2",
        ),
    ),
    "label-as-feature": (
        Case(f"select k, ts, loaded_at, x from {E}", KNOWN),
        Case(f"select k, ts, resolved_at, late_label from {E}", "entity='k', event_time='ts', known_at='resolved_at'"),
    ),
    "leak-join-undated": (
        Case(f"select e.k, e.ts, z.seg from {B} e join {Z} z on z.k = e.k"),
        Case(f"select e.k, e.ts, d.seg from {B} e join {D} d on d.k = e.k and d.since <= e.ts"),
        Case(f"select e.k, e.ts, d.seg from {B} e asof join {D} d on d.k = e.k and d.since <= e.ts"),
        Case(f"select a.k, a.ts, b.x from {B} a join {B} b using (k, ts)"),
        Case(f"select e.k, e.ts, x from {B} e semi join {Z} z using (k)"),
        Case(f"select e.k, e.ts, x from {B} e where k in (select k from {Z})"),
        Case(f"select e.k, e.ts, x from {B} e where exists (select 1 from {D} d where d.k = e.k and d.since <= e.ts)"),
    ),
    "late-rows-in-window": (
        Case(
            "select k, ts, known, f from {below}",
            "entity='k', event_time='ts', known_at='known'",
            "select k, ts, lag(x) over (partition by k order by ts) as f, "
            f"max(loaded_at) over (partition by k order by ts) as known from {E}",
        ),
        Case("select k, ts, loaded_at, f from {below}", KNOWN, f"select k, ts, loaded_at, x + 1 as f from {E}"),
    ),
    "order-not-total": (
        on(f"select k, ts, row_number() over (partition by k order by ts) as f from {B}"),
        on(f"select k, ts, rank() over (partition by k order by ts) as f from {TIES}"),
        on(f"select k, ts, sum(exact) over (partition by k order by ts) as f from {TIES}"),
        Case(f"select k, ts, lag(x) over (partition by k order by ts) as f from {TIES}"),
    ),
    "float-order": (
        Case(f"select k, ts, avg(x) over {{{{ last('1 day') }}}} as f from {B}"),
        Case(f"select k, ts, sum(exact) as f from {B} group by k, ts"),
        Case(f"select k, ts, sum(x::decimal(18, 6)) as f from {B} group by k, ts"),
        Case(f"select k, ts, max(x) as f from {B} group by k, ts"),
        Case(f"select k, ts, sum(seq) as f from {B} group by k, ts"),
    ),
    "engine-version": (
        Case(f"select k, ts, cast(cast(seq::hugeint as text) as double) as f from {B}"),
        Case(f"select k, ts, seq::double as f, bit_count(seq) as g, exact::double as h from {B}"),
        Case(f"select k, ts, round(x, 2) as f from {B}"),
        Case(f"select k, ts, string_split(k::text, ',') as f, make_time(1, 2, x) as g from {B}"),
        Case(f"select k, ts, sum(seq::integer)::double as f from {B} group by k, ts"),
        Case(f"select k, ts, (sum(seq) over {{{{ last('1 day') }}}})::double as f from {B}"),
    ),
    "float-equal": (
        Case(f"select k, ts, seq = 5 as f from {B}"),
        Case(f"select k, ts, x > 0.5 as f from {B}"),
        Case(f"select e.k, e.ts, z.seg from {B} e join {Z} z on z.k = e.k"),
    ),
    "naive-time": (
        Case(f"select k, ts, x from {B}"),
        Case(f"select k, timezone('UTC', timezone('Europe/Paris', ts)) as ts, x from {B}"),
    ),
    "ttl-against-cadence": (
        Case(f"select k, ts, x from {B}", f"{PLAIN}, ttl='1 hour'"),
        Case(f"select k, ts, max(x) over {{{{ last('1 hour') }}}} as f from {B}"),
        Case(f"select k, ts, x from {TIES}"),
    ),
    "fan-out": (
        Case(f"select e.k, e.ts, z.seg from {B} e join {Z} z on z.k = e.k"),
        Case(f"select e.k, e.ts, z.seg from {B} e left join {Z} z using (k)"),
        Case(f"select e.k, e.ts, z.f from {B} e join (select k, max(seg) as f from {D} group by k) z on z.k = e.k"),
        Case(f"with z as (select distinct k from {D}) select e.k, e.ts, e.x from {B} e join z using (k)"),
        Case(f"select e.k, e.ts, z.seg from {B} e join (select k as i, seg from {Z}) z on z.i = e.k"),
        Case(f"select e.k, e.ts, m.f from {B} e, (select max(limit_now) as f from {Z}) m"),
        Case(f"select a.k, a.ts, max(b.x) as f from {B} a join {B} b on b.k = a.k and b.ts < a.ts group by 1, 2"),
        Case(f"select e.k, e.ts, x from {B} e semi join {D} d using (k)"),
        Case(f"select a.k, a.ts, b.x from {B} a asof join {B} b on a.k = b.k and a.ts >= b.ts"),
        Case("select e.k, e.ts, z.seg from " + B + " e join {below} z on z.k = e.k", below=f"select k, seg from {Z}"),
    ),
    "key-not-null": (
        Case(f"select e.k, e.ts, z.seg from {B} e left join {Z} z on z.k = e.k"),
        Case(f"select z.k, e.ts, e.x from {B} e join {Z} z on z.k = e.k"),
        Case(f"select coalesce(z.k, e.k) as k, e.ts, e.x from {B} e left join {Z} z on z.k = e.k"),
    ),
    "future-column": (
        Case(f"select k, dbt_valid_from as ts, x from {table('snap')}"),
        Case(f"select * exclude (dbt_valid_to), dbt_valid_from as ts from {table('snap')}"),
    ),
    "stack-as-of": (
        Case(
            f"with a as (select k, ts, x from {B}), b as (select k, ts, x + 1 as x, seq from {B}) "
            "select k, ts, x as f, source as of, max(seq) over {{ last('1 day') }} as g from {{ stack('a', 'b') }}"
        ),
        Case(
            f"with a as (select k, ts, x from {B}), b as (select k, ts, seq from {B}) "
            "select k, ts, last(seq) over {{ last('ever') }} as f from {{ stack('a', 'b') }}"
        ),
    ),
    "star-in-view": (
        Case(f"select k, ts, x from {B}"),
        Case(f"with s as (select * from {B}) select k, ts, x from s"),
        Case(f"select k, ts, count(*) as n from {B} group by 1, 2"),
    ),
    "unresolved-column": (Case(f"select k, ts, x from {B}"),),
    "duplicate-feature": (Case(f"select k, ts, x as f, x + 1 as g from {B}"),),
    "unbounded-scan": (
        Case(f"select k, ts, x from {B}", f"{PLAIN}, ttl='1 hour'"),
        Case(f"select k, ts, max(x) over {{{{ last('1 hour') }}}} as f from {B}"),
        Case(f"select k, since as ts, seg from {Z}"),
    ),
    "unused": (),
    "online-not-computable": (Case(f"select k, ts, x from {B}"),),
    "lifetime-keeps-events": (
        Case(f"select k, ts, sum(x) over {{{{ last('ever') }}}} as f from {B}"),
        Case(f"select k, ts, (list(x) over {{{{ last('ever') }}}})[-5:] as f from {B}"),
        Case(f"select k, ts, median(x) over {{{{ last('1 day') }}}} as f from {B}"),
    ),
}


def named(cases: dict[str, Sequence[Case]]) -> dict[str, tuple[str, Case]]:
    """(code, case) by the name of the view that it becomes."""
    pairs = ((code, case) for code, listed in cases.items() for case in listed)
    return {f"v{number:03}": pair for number, pair in enumerate(pairs)}


@pytest.fixture(scope="module", params=["fires", "clean"])
def checked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, list[Finding]]]:
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "models").mkdir()
    (folder / "data").mkdir()
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "findings"\n')
    for name, query in (("ev", COLUMNS), ("dim", DIM), ("bare", BARE), ("snap", SNAP)):
        duckdb.sql(query).write_parquet(str(folder / "data" / f"{name}.parquet"))
    models, declared = {"in_service": view(f"select k, ts, seq as in_service from {B}", f"{PLAIN}, ttl='1 hour'")}, []
    for name, (_, case) in named(FIRES if request.param == "fires" else CLEAN).items():
        sql = case.sql
        if case.below:
            models[f"{name}_below"] = case.below.partition(" --")[0]
            sql = sql.replace("{below}", f"{{{{ ref('{name}_below') }}}}")
        if "-- declared: f" in case.below:
            declared.append(f"  - {{name: {name}_below, columns: [{{name: f, known_at: landed}}]}}\n")
        models[name] = view(sql, case.config)
    for name, text in models.items():
        (folder / "models" / f"{name}.sql").write_text(text)
    (folder / "models" / "sources.yml").write_text(f"{SOURCES}models:\n{''.join(declared)}")
    with FeatureStore(folder) as store:
        yield request.param, store.check()


def test_every_rule_has_cases() -> None:
    codes = {rule.code for rule in (*RULES, *WHOLE_RULES)}
    warns_below = {"late-rows-in-window"}
    assert set(FIRES) == set(CLEAN) == codes - (REFUSALS - warns_below) - set(PROMISES)
    assert codes <= set(CODES)


def test_each_fires_where_it_should(checked: tuple[str, list[Finding]]) -> None:
    kind, found = checked
    severities = {rule.code: rule.severity for rule in (*RULES, *WHOLE_RULES)}
    wrong = []
    for name, (code, case) in named(FIRES if kind == "fires" else CLEAN).items():
        mine = [f for f in found if f.model in (name, f"{name}_below")]
        if (code in {f.code for f in mine}) != (kind == "fires"):
            wrong.append(f"{code}: {sorted({f.code for f in mine})} for {case}")
        wrong += [f"{f.message} for {case}" for f in mine if f.code not in severities]  # it must at least be sound
    assert not wrong, "\n".join(wrong)


def test_each_has_its_severity_place_and_hint(checked: tuple[str, list[Finding]]) -> None:
    severities = {rule.code: rule.severity for rule in (*RULES, *WHOLE_RULES)}
    for finding in checked[1]:
        assert finding.at is not None and finding.at.line and finding.at.column, finding
        assert finding.hint and not re.search(r"\s$", finding.hint)
        said = {severities[finding.code]}
        if finding.code in ("late-rows-in-window", "known-at-missing"):
            said.add("warning")
        assert finding.severity in said


def test_one_model_below_two_views_has_one_finding(checked: tuple[str, list[Finding]]) -> None:
    places = [(finding.code, str(finding.at)) for finding in checked[1]]
    assert len(places) == len(set(places))
