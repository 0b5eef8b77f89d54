"""The standard macros: the SQL that each renders to, run on DuckDB."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from asknown import AsknownError
from render_project import LIBRARY, VIEW, refuse, render

LANDED = "partition by carrier order by landed_at range between"
START = datetime(2024, 3, 10)


def write(expression: str, config: str = VIEW) -> str:
    """What the expression renders to in a feature view."""
    return render(f"{config}{{{{ {expression} }}}}").sql


def run(sql: str) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    with duckdb.connect() as connection:
        return connection.sql(sql).fetchall()


# -- last ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "frame"),
    [
        ("'24 hours'", "interval '24 hours' preceding and current row"),
        ("'7d'", "interval '7 days' preceding and current row"),
        ("'1 hour'", "interval '1 hour' preceding and current row"),
        ("'1.5 hours'", "interval '90 minutes' preceding and current row"),
        ("'1 day 12 hours'", "interval '36 hours' preceding and current row"),
        ("'2 weeks', closed='both'", "interval '2 weeks' preceding and current row"),
        ("'24 hours', closed='left'", "interval '24 hours' preceding and interval '1 microsecond' preceding"),
        ("'24 hours', 'right'", "interval '86399999999 microseconds' preceding and current row"),
        ("'24 hours', delay='90 minutes'", "interval '1530 minutes' preceding and interval '90 minutes' preceding"),
        ("'24 hours', delay='24 hours'", "interval '2 days' preceding and interval '24 hours' preceding"),
        ("'24 hours', delay='0 hours'", "interval '24 hours' preceding and current row"),
        ("'1 hour', 'left', '1 hour'", "interval '2 hours' preceding and interval '3600000001 microseconds' preceding"),
        ("'1 hour', 'right', '1 hour'", "interval '7199999999 microseconds' preceding and interval '1 hour' preceding"),
        ("'ever'", "interval '36500 days' preceding and current row"),
        ("'1 microsecond', 'right'", "interval '0 days' preceding and current row"),
    ],
)
def test_last_renders_to_a_window(arguments: str, frame: str) -> None:
    assert write(f"last({arguments})") == f"({LANDED} {frame})"


def test_last_takes_the_keys_and_the_event_time_of_the_view() -> None:
    frame = "range between interval '1 day' preceding and current row)"
    for config, expected in [
        ("entity=[], event_time='t'", f"(order by t {frame}"),
        ("entity='route', event_time='At'", f'(partition by origin, dest order by "At" {frame}'),
        ("entity='shop', event_time='order'", f'(partition by "order", "Shop Id" order by "order" {frame}'),
    ]:
        assert write("last('1 day')", f"{{{{ config({config}) }}}}") == expected


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("'1 day', closed='neither'", "template", "closed takes 'both', 'left' or 'right', not 'neither'"),
        ("'1 day', closed=3", "template", "not '3'"),
        ("'0 days'", "template", "a window of '0 days' has no length"),
        ("'1 month'", "bad-duration", "no fixed length"),
        ("24", "wrong-type", "not 24"),
        ("'1 day', delay=5", "wrong-type", "not 5"),
    ],
)
def test_last_refuses(arguments: str, code: str, words: str) -> None:
    error = refuse(f"{VIEW}\n{{{{ last({arguments}) }}}}", code)
    assert words in error.message
    assert error.at is not None
    assert (error.at.path, error.at.line) == ("models/m.sql", 3)


@pytest.mark.parametrize("closed", ["both", "left", "right"])
@pytest.mark.parametrize("delay", [None, "2 hours"])
def test_last_counts_the_rows_that_it_says(closed: str, delay: str | None) -> None:
    window, shift = timedelta(hours=3), timedelta(hours=2 if delay else 0)
    microsecond = timedelta(microseconds=1)
    near = [timedelta(hours=h) + m for h in range(0, 9) for m in (-microsecond, timedelta(0), microsecond)]
    rows = [("UA", START + t) for t in near] + [("AA", START + 2 * t) for t in near]
    expected = {
        (carrier, t): sum(
            (t - shift - window < at or (closed != "right" and t - shift - window == at))
            and (at < t - shift or (closed != "left" and at == t - shift))
            for other, at in rows
            if other == carrier
        )
        for carrier, t in rows
    }
    over = write(f"last('3 hours', '{closed}', {delay!r})".replace("None", "none"))
    with duckdb.connect() as connection:
        connection.execute("create table landings (carrier varchar, landed_at timestamp)")
        connection.executemany("insert into landings values (?, ?)", rows)
        got = connection.sql(f"select carrier, landed_at, count(*) over {over} from landings").fetchall()
    assert {(carrier, t): count for carrier, t, count in got} == expected
    assert len(set(expected.values())) > 2


# -- trailing and short_duration -----------------------------------------------------------------------------------


def test_trailing_renders_a_family_of_columns() -> None:
    rendered = write("trailing('amount', ['sum', 'avg'], ['7 days', '24 hours'], where='amount > 0')")
    week, day = (f"({LANDED} interval '{w}' preceding and current row)" for w in ("7 days", "24 hours"))
    assert rendered.split(",\n    ") == [
        f"sum(amount) filter (where amount > 0) over {week} as sum_amount_7d",
        f"avg(amount) filter (where amount > 0) over {week} as avg_amount_7d",
        f"sum(amount) filter (where amount > 0) over {day} as sum_amount_24h",
        f"avg(amount) filter (where amount > 0) over {day} as avg_amount_24h",
    ]


def test_trailing_runs() -> None:
    family = write("trailing('amount', ['sum', 'max'], ['1 day', '90 min'], where='amount > 0', closed='left')")
    more = (
        write("trailing('Net $', 'sum', '2 hours', delay='1 hour')") + ", " + write("trailing('*', 'count', '1 day')")
    )
    with duckdb.connect() as connection:
        connection.execute('create table landings (carrier varchar, landed_at timestamp, amount int, "Net $" int)')
        rows = [("UA", START + timedelta(hours=hour), amount, 1) for hour, amount in [(0, 5), (1, -2), (2, 7), (26, 1)]]
        connection.executemany("insert into landings values (?, ?, ?, ?)", rows)
        relation = connection.sql(f"select {family}, {more} from landings order by landed_at")
        assert relation.columns == [
            *("sum_amount_1d", "max_amount_1d", "sum_amount_90min", "max_amount_90min"),
            *("sum_Net $_2h", "count_1d"),
        ]
        assert relation.fetchall() == [
            (None, None, None, None, None, 1),
            (5, 5, 5, 5, 1, 2),
            (5, 5, None, None, 2, 3),
            (7, 7, None, None, None, 2),
        ]


def test_trailing_quotes_what_it_must() -> None:
    rendered = write("trailing('order', 'max', '1 day')")
    assert rendered == f"max(\"order\") over ({LANDED} interval '1 day' preceding and current row) as max_order_1d"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("'a', [], '1 day'", "at least one aggregate"),
        ("'a', 'sum', []", "at least one aggregate"),
        ("'a', 'sum(', '1 day'", "an aggregate is a function's name, not 'sum('"),
    ],
)
def test_trailing_refuses(arguments: str, words: str) -> None:
    assert words in refuse(f"{VIEW}{{{{ trailing({arguments}) }}}}", "template").message


@pytest.mark.parametrize(
    ("duration", "short"),
    [
        ("7 days", "7d"),
        ("24 hours", "24h"),
        ("15 minutes", "15min"),
        ("15m", "15min"),
        ("1 week", "1w"),
        ("30 seconds", "30s"),
        ("5 ms", "5ms"),
        ("5 microseconds", "5us"),
        ("1 day 12 hours", "36h"),
        ("0.5 days", "12h"),
    ],
)
def test_short_duration(duration: str, short: str) -> None:
    assert write(f"short_duration('{duration}')") == short
    assert run(f"select 1 as sum_amount_{short}") == [(1,)]


# -- what is written by hand everywhere ----------------------------------------------------------------------------


def test_shares_ratios_counts_and_changes_run() -> None:
    expressions = [
        write("share('amount > 1', '2 hours')"),
        write("ratio('amount', 'tax', '2 hours')"),
        write("distinct_count('amount', '1 day')"),
        write("last_event('1 hour', closed='left')"),
        write("change('avg', 'amount', '1 hour', '1 day')"),
    ]
    with duckdb.connect() as connection:
        connection.execute("create table landings (carrier varchar, landed_at timestamp, amount int, tax int)")
        rows = [("UA", START + timedelta(hours=hour), amount, hour) for hour, amount in enumerate((1, 1, 4, 2))]
        connection.executemany("insert into landings values (?, ?, ?, ?)", rows)
        found = connection.execute(f"select {', '.join(expressions)} from landings order by landed_at").fetchall()
    assert [row[0] for row in found] == [0.0, 0.0, 1 / 3, 2 / 3]
    assert [row[1] for row in found] == [None, 2.0, 2.0, 7 / 6]
    assert [row[2] for row in found] == [1, 1, 2, 3]
    assert [row[3] for row in found] == [None, START, START + timedelta(hours=1), START + timedelta(hours=2)]
    assert [row[4] for row in found] == [0.0, 0.0, 0.5, 1.0]


def test_top_k_gives_the_most_frequent_values_the_lesser_first() -> None:
    top = write("top_k('amount', 2, '3 hours')")
    with duckdb.connect() as connection:
        connection.execute("create table landings (carrier varchar, landed_at timestamp, amount int)")
        rows = [("UA", START + timedelta(hours=hour), amount) for hour, amount in enumerate((4, 1, 4, 1, 2))]
        connection.executemany("insert into landings values (?, ?, ?)", rows)
        found = connection.execute(f"select {top} from landings order by landed_at").fetchall()
    assert found == [([4],), ([1, 4],), ([4, 1],), ([1, 4],), ([1, 2],)]
    with pytest.raises(AsknownError, match="whole number from 1 on"):
        write("top_k('amount', 0, '3 hours')")


def over_sequence(expression: str, amounts: tuple[Any, ...] = (4, 1, 4, None, 5, 6)) -> list[Any]:
    """The values of an expression over windows at each of a carrier's landings, one an hour."""
    with duckdb.connect() as connection:
        connection.execute("create table landings (carrier varchar, landed_at timestamp, amount int)")
        rows = [("UA", START + timedelta(hours=hour), amount) for hour, amount in enumerate(amounts)]
        connection.executemany("insert into landings values (?, ?, ?)", rows)
        sql = f"select {write(expression)} from landings order by landed_at"
        return [value for (value,) in connection.execute(sql).fetchall()]


def test_streak_counts_back_to_the_last_break() -> None:
    assert over_sequence("streak('amount > 3', 'ever')") == [1, 0, 1, 0, 1, 2]
    assert over_sequence("streak('amount > 3', '2 hours', longest=true)") == [1, 1, 1, 1, 1, 2]
    assert over_sequence("streak('amount > 3', '1 hour', closed='left')") == [0, 1, 0, 1, 0, 1]


def test_since_counts_rows_after_the_last_that_meets_the_condition() -> None:
    assert over_sequence("since('amount = 1', 'ever')") == [None, 0, 1, 2, 3, 4]
    assert over_sequence("since('amount = 1', '2 hours')") == [None, 0, 1, 2, None, None]


def test_drawdown_is_the_greatest_fall_from_an_earlier_peak() -> None:
    assert over_sequence("drawdown('amount', '90 days')", (5, 9, 3, 8, 7, 1)) == [0.0, 0.0, 6.0, 6.0, 6.0, 8.0]
    assert over_sequence("drawdown('amount', '1 hour')", (5, 9, 3, 8, 7, 1)) == [0.0, 0.0, 6.0, 0.0, 1.0, 6.0]


def test_session_is_the_last_run_of_rows_within_the_gap() -> None:
    found = over_sequence("session('1 hour', '1 day')", (1, 1, 1))
    assert [(s["start"], s["newest"] - START, s["n"]) for s in found] == [
        (START, timedelta(hours=hour), hour + 1) for hour in range(3)
    ]
    assert [s["n"] for s in over_sequence("session('59 minutes', '1 day')", (1, 1, 1))] == [1, 1, 1]


def test_last_distinct_gives_each_value_at_its_last_occurrence() -> None:
    assert over_sequence("last_distinct('amount', 2, '7 days')", (4, 1, 4, 2)) == [[4], [4, 1], [1, 4], [4, 2]]
    with pytest.raises(AsknownError, match="whole number from 1 on"):
        write("last_distinct('amount', 0, '3 hours')")


def test_rows_of_keeps_columns_of_a_windows_rows() -> None:
    assert over_sequence("rows_of('amount', '1 hour')", (4, None, 2)) == [
        [{"amount": 4}],
        [{"amount": 4}, {"amount": None}],
        [{"amount": None}, {"amount": 2}],
    ]
    assert write("rows_of(['order', 'b'], '1 day', closed='left')").startswith(
        "list({'order': \"order\", 'b': b}) over ("
    )
    with pytest.raises(AsknownError, match="names of the columns"):
        write("rows_of([], '1 hour')")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("count_of('l')", 4),
        ("count_of('l', where='row_.x > least')", 2),
        ("count_of('l', where='row_.x > 9')", 0),
        ("sum_of('l', 'row_.x * 2', where='row_.x > least')", 14.0),
        ("sum_of('l', 'row_.x', where='row_.x > 9')", None),
        ("avg_of('l', 'row_.x')", 3.0),
        ("avg_of('l', 'row_.x', where='row_.x > 9')", None),
        ("min_of('l', 'row_.x')", 2.0),
        ("max_of('l', 'row_.x', where='row_.x < 4')", 3.0),
        ("filtered_rows('l', where='row_.x = least')", [{"x": 2.0}]),
        ("values_of('l', 'row_.x')", [2.0, 3.0, None, 4.0]),
    ],
)
def test_aggregates_over_rows_of_a_list(expression: str, value: Any) -> None:
    rows = "[{'x': 2e0}, {'x': 3e0}, {'x': null}, {'x': 4e0}] as l, 2 as least"
    assert run(f"select {write(expression)} from (select {rows})") == [(value,)]


def test_an_aggregate_over_a_null_list() -> None:
    expressions = ("count_of('l')", "sum_of('l', 'row_.x')", "avg_of('l', 'row_.x')", "max_of('l', 'row_.x')")
    sql = ", ".join(map(write, expressions))
    assert run(f"select {sql} from (select null::struct(x double)[] as l)") == [(0, None, None, None)]


def test_a_decayed_sum_loses_half_in_each_half_life() -> None:
    """At each landing, an hour apart: of 8, 0, NULL and 8, with a half life of an hour; and of rows of two periods."""
    sums, decayed = write("decaying_sum('amount', '1 hour')"), write("decayed('s')")
    with duckdb.connect() as connection:
        connection.execute("create table landings (carrier varchar, landed_at timestamp, amount int)")
        rows = [(START + timedelta(hours=hour), amount) for hour, amount in enumerate((8, 0, None, 8))]
        begin = datetime(1970, 1, 1) + (START - datetime(1970, 1, 1)) // timedelta(hours=32) * timedelta(hours=32)
        later = begin + timedelta(days=320)
        rows += [(later + timedelta(hours=hour), 4) for hour in (-33, -1, 0)]
        connection.executemany("insert into landings values ('UA', ?, ?)", rows)
        inner = f"select *, landed_at as asked_at, {sums} as s from landings"
        found = connection.execute(f"select {decayed} from ({inner}) order by asked_at").fetchall()
    # The fifth row lies in the period before the one before the last row's.
    assert [value for (value,) in found] == [8.0, 4.0, 2.0, 9.0, 4.0, 4.0 + 4.0 * 2.0**-32, 4.0 + 2.0]


@pytest.mark.parametrize("half_life", ["600 days", "0 hours"])
def test_a_half_life_is_not_too_long(half_life: str) -> None:
    with pytest.raises(AsknownError, match="up to 570 days"):
        write(f"decaying_sum('amount', '{half_life}')")


# -- time ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("local", "zone", "utc"),
    [
        ("2013-01-01 05:15:00", "America/New_York", "2013-01-01 10:15:00"),
        ("2013-07-01 05:15:00", "America/New_York", "2013-07-01 09:15:00"),
        ("2013-03-10 03:00:00", "America/New_York", "2013-03-10 07:00:00"),
        ("2013-07-01 05:15:00", "America/Puerto_Rico", "2013-07-01 09:15:00"),
        ("2013-12-31 23:30:00", "Pacific/Honolulu", "2014-01-01 09:30:00"),
        ("2013-07-01 05:15:00", "UTC", "2013-07-01 05:15:00"),
    ],
)
def test_to_utc(local: str, zone: str, utc: str) -> None:
    literal, column = write(f"to_utc('clock', \"'{zone}'\")"), write("to_utc('clock', 'zone')")
    assert column == "timezone('UTC', timezone(zone, clock))"
    rows = run(f"select {literal}, {column} from (select timestamp '{local}' as clock, '{zone}' as zone)")
    expected = datetime.fromisoformat(utc)
    assert rows == [(expected, expected)]


def test_to_utc_does_not_follow_the_sessions_zone() -> None:
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'Asia/Kolkata'")
        sql = write("to_utc(\"timestamp '2013-01-01 05:00:00'\", \"'America/New_York'\")")
        assert connection.sql(f"select {sql}, typeof({sql})").fetchall() == [(datetime(2013, 1, 1, 10), "TIMESTAMP")]


def test_hhmm_minutes() -> None:
    assert write("hhmm_minutes('dep_time')") == "((dep_time // 100) * 60 + dep_time % 100)"
    sql = write("hhmm_minutes('dep_time')")
    times = {0: 0, 5: 5, 517: 317, 1200: 720, 2359: 1439, 2400: 1440}
    assert run(f"select dep_time, 2 * {sql} from (values {', '.join(f'({t})' for t in times)}) as t (dep_time)") == [
        (clock, 2 * minutes) for clock, minutes in times.items()
    ]
    sum_of_clocks = write("hhmm_minutes('a + 100')")
    assert run(f"select {sum_of_clocks} from (select 517 as a)") == [(377,)]
    assert run(f"select {sql} from (select null::int as dep_time)") == [(None,)]


# -- expressions ---------------------------------------------------------------------------------------------------


def test_safe_divide() -> None:
    assert write("safe_divide('late', 'flights')") == "(late / nullif(flights, 0))"
    sql = write("safe_divide('a + 1', 'b - 2')")
    assert run(f"select 12 / {sql}, {sql} from (values (5, 6), (5, 2), (null, 6)) as t (a, b)") == [
        (8.0, 1.5),
        (None, None),
        (None, None),
    ]


@pytest.mark.parametrize(
    ("expression", "written"),
    [("'a'", "a"), ("'t.arr_delay'", "t.arr_delay"), ("2.5", "2.5"), ("' a '", "a"), ("'a - b'", "(a - b)"),
     ("'-a'", "(-a)"), ("'\"A b\"'", '("A b")'), ("'f(x)'", "(f(x))")],
)  # fmt: skip
def test_operand(expression: str, written: str) -> None:
    assert write(f"operand({expression})") == written


# -- the library itself --------------------------------------------------------------------------------------------


def test_times_since_and_ratios() -> None:
    at = "timestamp '2024-03-02 06:00:00' as asked_at, timestamp '2024-03-01 00:00:00' as t"
    sql = ", ".join(write(f"{name}('t')") for name in ("minutes_since", "hours_since", "days_since"))
    assert write("minutes_since('t')") == "(epoch(asked_at - t) / 60)"
    assert write("hours_since('t')") == "(epoch(asked_at - t) / 3600)"
    assert write("days_since('t')") == "(epoch(asked_at - t) / 86400)"
    assert run(f"select {sql} from (select {at})") == [(1800.0, 30.0, 1.25)]
    sql = write("ratio_to('a + 1', 'b')")
    assert run(f"select {sql} from (values (5, 2), (5, 0), (5, null)) as t (a, b)") == [(3.0,), (None,), (None,)]


def test_kilometres_between_two_places() -> None:
    sql = write("kilometres_between('a', 'b', 'c', 'd')")
    assert run(f"select round({sql}) from (select 40.64e0 as a, -73.78e0 as b, 51.47e0 as c, -0.45e0 as d)") == [
        (5541.0,)
    ]
    assert run(f"select {sql} from (select 90e0 as a, 0e0 as b, 90e0 as c, 0e0 as d)") == [(0.0,)]


def test_periods_of_the_calendar() -> None:
    assert write("this('month')") == write("current_period('month')")
    assert write("this('month')") == (
        "(partition by carrier order by landed_at range between "
        "landed_at - date_trunc('month', landed_at) preceding and current row)"
    )
    begin = "date_trunc('day', landed_at)"
    assert write("previous('day')") == (
        f"(partition by carrier order by landed_at range between landed_at - ({begin} - interval '1 day') preceding "
        f"and landed_at - ({begin} - interval '1 microsecond') preceding)"
    )
    assert write("since_period('week')") == "landed_at - date_trunc('week', landed_at)"


def test_every_macro_is_documented_and_tested() -> None:
    tested = Path(__file__).read_text()
    for path in LIBRARY.glob("*.sql"):
        text = path.read_text()
        macros = re.findall(r"\{%-? macro (\w+)\((.*?)\)", text)
        assert macros
        for name, arguments in macros:
            signature = re.escape(f"{name}({arguments})")
            comment = re.search(rf"\{{#\n    {signature}\n(.*?)#\}}\n\{{%-? macro {name}", text, re.DOTALL)
            assert comment, f"{path.name}: {name} has no comment, or another signature in it"
            assert re.search(rf"\{{\{{.*{name}\(", comment[1]), f"{path.name}: {name} shows no example"
            assert f"{name}(" in tested


# -- stack ---------------------------------------------------------------------------------------------------------


def test_stack_puts_relations_one_under_the_other() -> None:
    sql = write("stack('paid', 'Two \"words\"')")
    assert sql == (
        "(select *, 'paid' as source from paid "
        'union all by name select *, \'Two "words"\' as source from "Two ""words""")'
    )
    rows = run(f'with paid as (select 1 as a), "Two ""words""" as (select 2 as b) select * from {sql}')
    assert rows == [(1, "paid", None), (None, 'Two "words"', 2)]


def test_stack_takes_models_and_sources() -> None:
    sql = write("stack(ref('landings'), source('nyc', 'flights'))")
    assert "'nyc.flights' as source from \"nyc.flights\"" in sql
    assert "select *, 'landings' as source from landings union all by name" in sql


@pytest.mark.parametrize("arguments", ["", "'paid'", "'paid', other='disputes'"])
def test_stack_needs_two_relations(arguments: str) -> None:
    assert "stack('payments', 'disputes')" in refuse(f"{VIEW}{{{{ stack({arguments}) }}}}", "template").message
