"""Every rule, by views that it fires on and clean twins that it leaves alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import orders
import pytest
from leaks import KNOWN, PLAIN, E, view, write_project
from orders import inner, item

from asknown import AsknownError, FeatureStore
from asknown.lint.nodes import Finding
from asknown.lint.rules import REFUSALS, search
from asknown.model.parse import parse_model
from asknown.project import load_project
from asknown.project.nodes import Project
from asknown.render.nodes import Rendered, ViewConfig

OVER = "over (partition by k order by ts)"
DOWN = "over (partition by k order by ts desc)"
DIM = "{{ source('raw', 'dim') }}"
DAYS = "{{ source('raw', 'days') }}"
ZONES = "{{ source('raw', 'zones') }}"


# Everything stands in views without known_at, but for the rule that is about it.
FIRES: dict[str, Sequence[str]] = {
    "leak-frame-ahead": (
        item(f"lead(x) {OVER}"),
        item(f"lead(x, 2) {OVER}"),
        item(f"lead(x, 1 + 1) {OVER}"),
        item(f"lag(x, -1) {OVER}"),
        item(f"lag(x, -(2)) {OVER}"),
        item(f"lag(x, seq) {OVER}"),
        item(f"lead(x ignore nulls) {OVER}"),
        item(f"coalesce(lead(x) {OVER}, 0) - x"),
        item(f"lag(x) {DOWN}"),
        item("lag(x) over (partition by k order by -epoch(ts))"),
        item("lag(x) over (partition by k order by epoch_us(ts) * -1)"),
        item("lag(x) over (partition by k order by timestamp '2030-01-01' - ts)"),
        item("lag(x) over (partition by k order by date_diff('second', ts, timestamp '2030-01-01'))"),
        item("lag(x) over (partition by k order by date_trunc('day', ts) desc)"),
        item(f"first_value(x) {DOWN}"),
        item(f"last_value(x) {DOWN}"),
        item(f"sum(x) {DOWN}"),
        item(f"count(*) filter (where x > 1) {DOWN}"),
        item(f"row_number() {DOWN}"),
        item("sum(x) over (partition by k order by ts range between current row and unbounded following)"),
        item(
            "sum(x) over (partition by k order by ts "
            "range between interval 1 day preceding and interval 1 hour following)"
        ),
        inner("sum(x) over (partition by k order by ts rows between 1 preceding and 1 following)"),
        inner("sum(x) over (partition by k order by ts rows between 1 following and 2 following)"),
        inner("sum(x) over (partition by k order by ts groups between current row and 1 following exclude ties)"),
        inner("sum(x) over (partition by k order by seq rows between current row and 1 following)"),
        inner(f"lead(x) {OVER}"),
        f"select k, ts, lead(x) over w as f from {E} window w as (partition by k order by ts)",
        f"select k, ts, lag(x) over w as f from {E} window w as (partition by k order by ts desc)",
        f"with a as (with b as (select *, lead(x) {OVER} as f from {E}) select * from b) select k, ts, f from a",
        f"select k, ts, x as f from {E} union all select k, ts, lead(x) {OVER} from {E}",
        f"select k, ts, x as f from {E} qualify lead(x) {OVER} is null",
        f"select k, ts, x as f from {E} e "
        f"where exists (select 1 from (select lead(x) {OVER} as n from {E}) where n = e.x)",
        f"select e.k, e.ts, l.f from {E} e, lateral (select max(n) as f from (select lead(x) {OVER} as n from {E})) l",
        f"select k, ts, f from (select *, lag(x) over (partition by k order by moment desc) as f "
        f"from (select *, ts as moment from {E}))",
        f"with recursive r as (select k, ts, x, lead(x) {OVER} as f from {E} union all "
        "select k, ts, x, f from r where false) select k, ts, f from r",
        *orders.COARSE,
    ),
    "leak-whole-partition": (
        item("avg(x) over (partition by k)"),
        item("x / sum(x) over (partition by k)"),
        item("count(*) over ()"),
        item("max(x) filter (where x < 5) over (partition by k)"),
        item("first_value(x) over (partition by k)"),
        item("row_number() over (partition by k)"),
        item("lag(x) over (partition by k)"),
        item("avg(x) over (partition by k order by k)"),
        item("avg(x) over (partition by k order by 1)"),
        item("avg(x) over (partition by k, date_trunc('day', ts))"),
        f"select k, ts + interval 1 hour as ts, f from "
        f"(select *, avg(x) over (partition by k, ts::date) as f from {E})",
        item("rank() over (partition by k order by x)"),
        item("dense_rank() over (order by x desc)"),
        item("row_number() over (partition by k order by seq)"),
        item("ntile(4) over (order by x)"),
        item("ntile(4) over (partition by k order by ts)"),
        item("percent_rank() over (partition by k order by ts)"),
        item("cume_dist() over (partition by k order by ts)"),
        inner("max(x) over (partition by k)"),
        f"select k, ts, max(x) over w as f from {E} window w as (partition by k)",
        f"select k, ts, f from (select k, ts, avg(x) over (partition by k) as f from {E})",
        f"select k, ts, x as f from {E} qualify x > avg(x) over (partition by k)",
        f"select e.k, e.ts, d.f from {E} e join (select k, max(limit_now) over () as f from {DIM}) d using (k)",
        f"select k, ts, sum(x) / sum(sum(x)) over (partition by k) as f from {E} group by k, ts",
    ),
    "local-date": (
        f"select k, ts, x as f from {DAYS}",
        f"with d as (select k, ts, x from {DAYS}) select k, ts as ts, x as f from d",
        f"select e.k, d.ts, e.x as f from {E} e join {DAYS} d on d.k = e.k",
    ),
    "clock": (
        item("now()::timestamp"),
        item("current_date"),
        item("current_timestamp"),
        item("date_diff('day', ts, today())"),
        item("localtimestamp"),
        item("get_current_timestamp()"),
        item("transaction_timestamp()"),
        item("epoch(age(ts))"),
        item("'now'::timestamptz"),
        item("date 'today'"),
        item("cast('yesterday' as date)"),
        item("x").replace(" from", ", ts < now() as g from"),
        f"{item('x')} where ts <= current_timestamp",
        inner("now()"),
        f"select k, ts, (select now()) as f from {E}",
    ),
    "chance": (
        item("random()"),
        item("x + random()"),
        item("uuid()"),
        item("gen_random_uuid()"),
        item("uuidv7()"),
        f"select k, ts, x as f from {E} tablesample 10%",
        f"select k, ts, x as f from {E} using sample 100",
        f"select k, ts, x as f from {E} order by random()",
        f"with s as (select * from {E} using sample 10%) select k, ts, x as f from s",
    ),
    "late-rows-in-window": (
        item(f"lag(x) {OVER}"),
        item(f"sum(x) {OVER}"),
        item(f"count(*) {OVER}"),
        item(f"row_number() {OVER}"),
        item("avg(x) over (partition by k, ts)"),
        item("lead(x) over (partition by k order by ts desc)"),
        inner(f"lag(x) {OVER}"),
        inner("sum(x) over (partition by k order by ts rows between 3 preceding and current row)"),
        f"select k, ts, loaded_at, lag(x) over w as f from {E} window w as (partition by k order by ts)",
        f"with p as (select k, ts, lag(x) {OVER} as f from {E}) "
        f"select e.k, e.ts, e.loaded_at, p.f from {E} e join p using (k, ts)",
    ),
}

CLEAN: dict[str, Sequence[str]] = {
    "leak-frame-ahead": (
        item(f"lag(x) {OVER}"),
        item(f"lag(x, 2) {OVER}"),
        item(f"lag(x, 0) {OVER}"),
        item(f"lead(x, -1) {OVER}"),
        item(f"lead(x) {DOWN}"),
        item(f"sum(x) {OVER}"),
        item(f"last_value(x) {OVER}"),
        item(f"first_value(x) {OVER}"),
        item(f"row_number() {OVER}"),
        item("lag(x) over (partition by k order by epoch(ts), seq desc)"),
        item("lag(x) over (partition by k order by ts - timestamp '2020-01-01')"),
        item("lag(x) over (partition by k order by seq)"),
        inner("sum(x) over (partition by k order by ts rows between 3 preceding and 0 following)"),
        inner("sum(x) over (partition by k order by ts desc rows between current row and unbounded following)"),
        inner("lead(x) over (partition by k, ts order by seq)"),
        item("x") + " qualify row_number() over (partition by k order by ts desc) = 1",
        f"with n as (select *, row_number() {DOWN} as n from {E}) select k, ts, x as f from n where n = 1",
        f"select k, ts, z.f from {E} e join (select k, lead(seg) over (order by since) as f from {ZONES}) z using (k)",
        *orders.EXACT,
    ),
    "leak-whole-partition": (
        item("avg(x) over {{ last('30 days') }}"),
        item("avg(x) over (partition by k, ts)"),
        item("avg(x) over (partition by k, e.ts)").replace(E, f"{E} e"),
        item("rank() over (partition by k order by ts)"),
        item("dense_rank() over (partition by k order by epoch(ts))"),
        item("rank() over (partition by k, ts order by x)"),
        item("rank() over (partition by k order by columns('ts'))"),
        item("ntile(4) over (partition by k, ts order by x)"),
        inner("avg(x) over (partition by k, ts)"),
        item("x") + " qualify row_number() over (partition by seq order by x desc) = 1",
        f"select k, ts + interval 1 hour as ts, f from (select *, avg(x) over (partition by k, ts) as f from {E})",
        f"select k, ts, avg(x) over (partition by k, moment) as f from (select *, ts as moment from {E})",
        f"select k, ts, x, z.f from {E} e join (select k, max(limit_now) over () as f from {ZONES}) z using (k)",
        f"select k, ts, x, v.f from {E} e "
        "join (select a as k, sum(b) over () as f from (values (1, 2)) v(a, b)) v using (k)",
        f"with d as (select k, date_trunc('day', ts) as ts, sum(x) as s from {E} group by 1, 2) "
        "select k, ts, s / sum(s) over (partition by ts) as f from d",
    ),
    "local-date": (
        f"select k, {{{{ to_utc('ts', \"'America/New_York'\") }}}} as ts, x as f from {DAYS}",
        f"select k, cast(ts as timestamp) + interval 1 day as ts, x as f from {DAYS}",
        f"select k, moment as ts, ts as day, x as f from {DAYS}",
        "select k, ts, x as f from {{ source('raw', 'utc_days') }}",
    ),
    "clock": (
        item("x > 1 and 'now' = 'today'"),
        item("epoch(age(ts, timestamp '2020-01-01'))"),
        item("timestamp '2024-01-01'"),
        item("date_diff('day', timestamp '2024-01-01', ts)"),
        f"select k, ts, seq as now from {E}",
        f'select k, ts, x as "current_date" from {E}',
    ),
    "chance": (
        item("hash(k) % 100"),
        f"select k, ts, x as random from {E}",
        f"select k, ts, x as uuid from {E}",
        f"select k, ts, x as sample from {E}",
    ),
    "late-rows-in-window": (
        item("avg(x) over {{ last('1 day') }}"),
        item("avg(x) over (partition by k, ts, loaded_at)"),
        f"with s as (select k, ts, lag(x) {OVER} as f, max(loaded_at) {OVER} as loaded_at from {E}) select * from s",
        f"select k, ts, max(loaded_at) {OVER} as loaded_at, sum(x) {OVER} as f from {E}",
        "with s as (select k, ts, lag(x) over w as f, "
        "max(loaded_at) over (w rows between 1 preceding and current row) as loaded_at "
        f"from {E} window w as (partition by k order by ts)) select k, ts, loaded_at, f from s",
        f"select e.k, ts, loaded_at, f from {E} e "
        f"join (select k, lag(seg) over (order by since) as f from {ZONES}) using (k)",
        item("x") + " qualify row_number() over (partition by k, ts order by seq desc) = 1",
    ),
}


def named(queries: dict[str, Sequence[str]]) -> dict[str, tuple[str, str]]:
    """(code, query) by the name of the view that it becomes."""
    pairs = ((code, text) for code, texts in queries.items() for text in texts)
    return {f"v{number:03}": pair for number, pair in enumerate(pairs)}


@pytest.fixture(scope="module", params=["fires", "clean"])
def checked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, FeatureStore]]:
    views = named(FIRES if request.param == "fires" else CLEAN)
    models = {name: view(sql, KNOWN if code == "late-rows-in-window" else PLAIN) for name, (code, sql) in views.items()}
    folder = write_project(tmp_path_factory.mktemp(request.param) / "project", models)
    with FeatureStore(folder) as store:
        yield request.param, store


def test_every_rule_has_cases() -> None:
    assert list(FIRES) and set(FIRES) == set(CLEAN) == REFUSALS


def test_each_fires_where_it_should_and_nowhere_else(checked: tuple[str, FeatureStore]) -> None:
    kind, store = checked
    by_view: dict[str | None, list[Finding]] = {}
    for finding in store.check():
        if finding.severity != "refusal":
            continue
        by_view.setdefault(finding.model, []).append(finding)
    wrong = []
    for name, (code, sql) in named(FIRES if kind == "fires" else CLEAN).items():
        codes = {finding.code for finding in by_view.get(name, [])}
        if codes != ({code} if kind == "fires" else set()):
            wrong.append(f"{code}: {codes or 'nothing'} for {sql}")
    assert not wrong, "\n".join(wrong)


def test_every_finding_has_its_place_and_its_hint(checked: tuple[str, FeatureStore]) -> None:
    """The caret is on the construct, in the author's own line."""
    starts = re.compile(
        r"(lead|lag|list|\w+_value|sum|count|avg|max|rank|\w+_rank|row_number|ntile|cume_dist|range|rows|groups)\b|now|current_|"
        r"today|localt|get_current|transaction_|age|'|random|uuid|gen_random|nextval|tablesample|using sample|sample|"
        r"ts\b",
        re.IGNORECASE,
    )
    for finding in checked[1].check():
        if finding.severity != "refusal":
            continue
        assert finding.at is not None and finding.hint
        assert finding.at.column, finding
        assert starts.match(finding.at.text[finding.at.column - 1 :]), finding.at.picture()


# In the dialects of other engines, in which models may be written for these alone.
SPELLINGS = (
    ("sqlite", "clock", "datetime('now')"),
    ("sqlite", "clock", "julianday('now')"),
    ("sqlite", "clock", "strftime('%s', 'now')"),
    ("sqlite", "clock", "unixepoch()"),
    ("sqlite", "clock", "date('now')"),
    ("postgres", "clock", "now()"),
    ("postgres", "clock", "'now'::date"),
    ("postgres", "clock", "statement_timestamp()"),
    ("postgres", "clock", "timeofday()"),
    ("postgres", "clock", "localtime"),
    ("postgres", "clock", "current_timestamp(3)"),
    ("clickhouse", "clock", "now64()"),
    ("clickhouse", "clock", "yesterday()"),
    ("spark", "clock", "unix_timestamp()"),
    ("spark", "clock", "current_date()"),
    ("redshift", "clock", "getdate()"),
    ("snowflake", "clock", "sysdate()"),
    ("bigquery", "clock", "current_datetime()"),
    ("postgres", "chance", "nextval('ids')"),
    ("postgres", "chance", "uuid_generate_v4()"),
    ("duckdb", "chance", "setseed(0.5)"),
    ("clickhouse", "chance", "generateUUIDv4()"),
    ("clickhouse", "chance", "rand()"),
    ("spark", "chance", "monotonically_increasing_id()"),
    ("spark", "chance", "shuffle(a)"),
    ("snowflake", "chance", "uuid_string()"),
    ("clickhouse", "leak-frame-ahead", "leadInFrame(x) over (partition by k order by ts)"),
    ("clickhouse", "leak-frame-ahead", "lagInFrame(x, -1) over (partition by k order by ts)"),
    ("snowflake", "leak-frame-ahead", "lead(x) ignore nulls over (partition by k order by ts)"),
    ("postgres", "leak-frame-ahead", "sum(x) over (order by date_bin('15 min', ts, timestamp '2001-01-01'))"),
    ("postgres", "leak-frame-ahead", "sum(x) over (order by to_char(ts, 'YYYY-MM-DD'))"),
    ("postgres", "leak-frame-ahead", "sum(x) over (order by extract(epoch from ts)::bigint / 3600)"),
    ("postgres", "leak-frame-ahead", "sum(x) over (order by date_part('hour', ts))"),
    ("clickhouse", "leak-frame-ahead", "sum(x) over (order by toStartOfHour(ts))"),
    ("clickhouse", "leak-frame-ahead", "sum(x) over (order by toStartOfInterval(ts, interval 5 minute))"),
    ("clickhouse", "leak-frame-ahead", "sum(x) over (order by toYYYYMMDD(ts))"),
    ("clickhouse", "leak-frame-ahead", "sum(x) over (order by toDate(ts))"),
    ("clickhouse", "leak-frame-ahead", "sum(x) over (order by intDiv(toUnixTimestamp(ts), 60))"),
    ("spark", "leak-frame-ahead", "sum(x) over (order by unix_timestamp(ts))"),
    ("spark", "leak-frame-ahead", "sum(x) over (order by to_date(ts))"),
    ("spark", "leak-frame-ahead", "sum(x) over (order by date_format(ts, 'yyyy-MM-dd'))"),
    ("snowflake", "leak-frame-ahead", "sum(x) over (order by time_slice(ts, 1, 'DAY'))"),
    ("bigquery", "leak-frame-ahead", "sum(x) over (order by timestamp_trunc(ts, hour))"),
    ("duckdb", "leak-frame-ahead", "lead(x) ignore nulls over (partition by k order by ts)"),
)


@pytest.mark.parametrize(("dialect", "code", "text"), SPELLINGS)
def test_other_dialects_spell_it_otherwise(dialect: str, code: str, text: str, flights: Project) -> None:
    sql = f"select k, ts, {text} as f from t"
    config = ViewConfig(entity=("k",), event_time="ts")
    model = parse_model(Rendered("v", "models/v.sql", sql, sql, config, (), (), (1,)), dialect)
    (found,) = search(model, [model], lambda name: None, flights, REFUSALS)
    assert found.code == code and found.at is not None
    assert re.match(r"'now'|" + re.split(r"\W", text)[0], sql[found.at.column - 1 :])


@pytest.fixture(scope="module")
def flights() -> Project:
    return load_project(Path(__file__).parents[2])


ASK = {
    "valid_until": "valid_until='ts'",
    "label": "label=true",
    "maturity": "maturity='1 day'",
}


@pytest.mark.parametrize("key", ASK)
def test_keys_of_views_to_come_are_not_yet(key: str, tmp_path: Path) -> None:
    folder = write_project(tmp_path / "p", {"v": view(item("x + 1"), f"{PLAIN}, {ASK[key]}")})
    with FeatureStore(folder) as store, pytest.raises(AsknownError, match=f"the key '{key}'") as caught:
        store.feature_view("v")
    assert caught.value.code == "not-yet" and caught.value.at is not None and caught.value.hint
