"""The oracle's trailing windows: worked by hand, and against the plainest query that DuckDB can run."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle
import oracle_values
import window_worlds
from oracle import Window, WindowFeature
from worlds import ViewData, World, arrow_table, exact, quote, spine_table

DAY, HOUR = 86_400_000_000, 3_600_000_000
MICROSECOND = timedelta(microseconds=1)
NOON = datetime(2024, 1, 1, 12)
VIEW = oracle.View("v", keys=("k",), event_time="e", known_at="n", created_at="c", features=("x",))
NAN, INF = math.nan, math.inf


def row(e: Any, x: Any = 1, *, n: Any = datetime(2000, 1, 1), c: Any = None, y: Any = None, k: Any = 1) -> Any:
    """A row of VIEW, known since long."""
    return {"k": k, "e": e, "n": n, "c": c, "x": x, "y": y}


def over(rows: list[Any], aggregate: str, at: datetime | None = NOON, key: Any = 1, **window: Any) -> Any:
    """The aggregate of x over the rows in the hour before ``at``."""
    asked = Window(aggregate, **{"value": "x", "length": HOUR, **window})
    return oracle.window_feature(WindowFeature((asked,)), rows, [key], at, VIEW)


def of(aggregate: str, *values: Any, **window: Any) -> Any:
    """The aggregate of these values, a second apart."""
    rows = [row(NOON - timedelta(seconds=len(values) - i), x) for i, x in enumerate(values)]
    return over(rows, aggregate, **window)


# --- which rows -------------------------------------------------------------------------------------------------------


def test_transactions_of_the_turn_of_the_year() -> None:
    """The average of 7 days at 5 January: the 29th (7 days before, to the instant) and the 5th itself."""
    rows = [
        row(datetime(2022, 12, 28), 10.0),
        row(datetime(2022, 12, 29), 20.0),
        row(datetime(2023, 1, 5), 40.0),
        row(datetime(2023, 1, 6), 80.0),
    ]
    at = datetime(2023, 1, 5)
    assert over(rows, "list", at, length=7 * DAY) == [20.0, 40.0]
    assert over(rows, "avg", at, length=7 * DAY) == 30.0
    assert over(rows, "avg", at + timedelta(days=1), length=7 * DAY) == 60.0


@pytest.mark.parametrize(
    ("closed", "delay", "seen"),
    [
        ("both", 0, "BCDE"),
        ("left", 0, "BCD"),
        ("right", 0, "CDE"),
        ("both", 1, "ABCD"),
        ("left", 1, "ABC"),
        ("right", 1, "BCD"),
    ],
)
def test_ends_of_the_frame(closed: str, delay: int, seen: str) -> None:
    """A and B: an hour before noon less and to the microsecond, C just after; D a microsecond before noon, E noon."""
    hour = timedelta(hours=1)
    rows = [row(NOON - hour - MICROSECOND, "A"), row(NOON - hour, "B"), row(NOON - hour + MICROSECOND, "C")]
    rows += [row(NOON - MICROSECOND, "D"), row(NOON, "E"), row(NOON + MICROSECOND, "F")]
    assert "".join(over(rows, "list", closed=closed, delay=delay)) == seen


def test_what_was_not_known_is_not_in_the_window() -> None:
    before = NOON - timedelta(minutes=1)
    rows = [row(before, 1, n=NOON), row(before, 2, n=NOON + MICROSECOND), row(before, 4, n=None), row(None, 8)]
    assert over(rows, "sum") == 1
    assert over(rows, "sum", NOON + MICROSECOND) == 3


def test_the_filter_must_be_true() -> None:
    rows = [row(NOON, 1, y=True), row(NOON, 2, y=False), row(NOON, 4, y=None)]
    assert over(rows, "sum", where=lambda r: r["y"]) == 1
    assert over(rows, "count", where=lambda r: r["y"], value=None) == 1


def test_a_window_is_empty_for_nobody_and_null_at_no_instant() -> None:
    for key in (2, None):
        assert over([row(NOON), row(NOON, k=None)], "count", key=key, value=None) == 0
        assert over([row(NOON), row(NOON, k=None)], "sum", key=key) is None
    assert over([row(NOON)], "count", at=None) is None


def test_the_ttl_does_not_touch_windows_but_the_as_of_part_of_a_mixed_item() -> None:
    view = oracle.View("v", keys=("k",), event_time="e", features=("x",), ttl=60_000_000)
    share = WindowFeature((Window("sum", "x", HOUR),), lambda values, row: (row.get("x"), values[0]))
    rows = [row(NOON - timedelta(minutes=2), 3), row(NOON - timedelta(minutes=1), 5)]
    assert oracle.window_feature(share, rows, [1], NOON, view) == (5, 8)
    assert oracle.window_feature(share, rows, [1], NOON + MICROSECOND, view) == (None, 8)


# --- what of them -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("aggregate", "values", "result"),
    [
        ("sum", [0.1] * 10, 1.0),
        ("sum", [1e17, 0.1, -1e17], 0.1),
        ("sum", [1e-20, 1.0, -1.0], 1e-20),
        ("sum", [1e16, 1.0, -1e16], 1.0),
        ("sum", [1e308, 1e308, -1e308], 1e308),
        ("sum", [1e308, 1e308], INF),
        ("sum", [5e-324, 5e-324], 1e-323),
        ("sum", [-0.0], 0.0),
        ("sum", [-1.5, 1.5], 0.0),
        ("sum", [NAN, INF], NAN),
        ("sum", [INF, -INF], NAN),
        ("sum", [INF, INF, -1.0], INF),
        ("sum", [-INF, 1e308], -INF),
        ("sum", [2**63 - 1, 2**63 - 1], 2**64 - 2),
        ("sum", [Decimal("1.10"), Decimal("-0.01")], Decimal("1.09")),
        ("avg", [0.1, 0.2, 0.3], 0.2),
        ("avg", [1e308, 1e308], 1e308),
        ("avg", [1, 2], 1.5),
        ("avg", [2**53 + 1, 2**53 + 3], float(2**53 + 2)),
        ("avg", [Decimal("0.10"), Decimal("0.20")], 0.15),
        ("avg", [INF, 1.0], INF),
        ("avg", [NAN], NAN),
        ("min", [2.0, NAN, -INF], -INF),
        ("min", [NAN], NAN),
        ("min", [-0.0], 0.0),
        ("max", [2.0, NAN, INF], NAN),
        ("max", [-0.0, -1.0], 0.0),
        ("max", ["a", "é", "z"], "é"),
        ("min", ["a", "", "B"], ""),
        ("max", [False, True], True),
        ("bool_and", [True, False], False),
        ("bool_or", [True, False], True),
        ("var_samp", [1e8 + 1, 1e8 + 2, 1e8 + 3], 1.0),
        ("var_pop", [1e8 + 1, 1e8 + 2, 1e8 + 3], 2 / 3),
        ("stddev_samp", [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0], math.sqrt(32 / 7)),
        ("stddev_pop", [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0], 2.0),
        ("var_samp", [3], None),
        ("var_pop", [3], 0.0),
        ("var_samp", [1.0, NAN], NAN),
        ("var_pop", [0.1, 0.1, 0.1], 0.0),
        ("median", [3, 1, 2, 10], 2.5),
        ("median", [-0.0], 0.0),
        ("median", [1, 2**53 + 1, 2**62], float(2**53)),
        ("count_distinct", [NAN, NAN, 0.0, -0.0, 1.0], 3),
        ("list", [2, 1], [2, 1]),
        ("first", [2, 1], 2),
        ("last", [2, 1], 1),
        ("last", [-0.0], -0.0),
        *[(name, [], None) for name in ("sum", "avg", "min", "bool_or", "var_pop", "median", "first", "list")],
        *[(name, [None, None], None) for name in ("sum", "avg", "max", "bool_and", "stddev_pop", "last", "list")],
        *[(name, [None, None], 0) for name in ("count", "count_distinct")],
        ("count", [], 0),
        ("sum", [None, 5], 5),
        ("list", [None, 5], [5]),
    ],
)
def test_aggregates(aggregate: str, values: list[Any], result: Any) -> None:
    assert exact(of(aggregate, *values)) == exact(result)


@pytest.mark.parametrize(
    ("share", "count", "continuous", "discrete"),
    [
        ("0.5", 5, 3.0, 3),
        ("0.5", 4, 2.5, 2),
        ("0.9", 10, 9.1, 9),
        ("0.07", 100, 7.93, 7),  # in doubles, 0.07 * 100 is a little more than 7
        ("0", 3, 1.0, 1),
        ("1", 3, 3.0, 3),
    ],
)
def test_quantiles_of_1_to_n(share: str, count: int, continuous: float, discrete: int) -> None:
    values = list(range(1, count + 1))
    assert of("quantile_cont", *values, fraction=Fraction(share)) == pytest.approx(continuous, rel=1e-15)
    assert of("quantile_disc", *values, fraction=Fraction(share)) == discrete


def test_rows_that_tie_have_an_order() -> None:
    """By event time, known_at, created_at (NULL lowest), then the value; -0.0 below 0.0."""
    earlier, later = NOON - MICROSECOND, NOON
    rising = [
        row(earlier, 9.0, n=NOON, c=NOON),
        row(later, 8.0, n=earlier, c=NOON),
        row(later, 7.0, n=later, c=None),
        row(later, 6.0, n=later, c=earlier),
        row(later, -0.0, n=later, c=later),
        row(later, 0.0, n=later, c=later),
        row(later, 5.0, n=later, c=later),
    ]
    for rows in (rising, rising[::-1]):
        assert exact(over(rows, "list")) == exact([9.0, 8.0, 7.0, 6.0, -0.0, 0.0, 5.0])
        assert (over(rows, "first"), over(rows, "last")) == (9, 5)
        for extreme in ("arg_min", "arg_max"):  # y ties everywhere: the last of them
            assert over([r | {"y": 0.0} for r in rows], extreme, order="y") == 5


def test_arg_max_passes_over_nulls_on_either_side() -> None:
    rows = [row(NOON, "a", y=1), row(NOON, None, y=9), row(NOON, "b", y=None), row(NOON, "c", y=0)]
    assert over(rows, "arg_max", order="y") == "a"
    assert over(rows, "arg_min", order="y") == "c"
    assert over(rows[1:3], "arg_min", order="y") is None


finite = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e290, max_value=1e290)


@given(st.lists(finite, min_size=1, max_size=20))
def test_a_sum_is_that_of_fsum(values: list[float]) -> None:
    assert oracle_values.total(values) == math.fsum(values)


@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=9),
    st.sampled_from(("0.5", "0.07", "0.25", "0.9", "0", "1")),
)
@settings(max_examples=60)
def test_quantiles_are_duckdbs(values: list[float], share: str) -> None:
    with duckdb.connect() as connection:
        found = connection.execute(
            f"select quantile_cont(x, {share}) + 0.0, quantile_disc(x, {share}) + 0.0 from unnest(?::double[]) t(x)",
            [values],
        ).fetchall()[0]
    fraction = Fraction(share)
    mine = (oracle_values.interpolated(values, fraction), oracle_values.discrete(values, fraction))
    assert exact([value + 0.0 for value in mine]) == exact(list(found))


# --- online -----------------------------------------------------------------------------------------------------------


def test_a_window_online_is_there_for_every_key() -> None:
    view = oracle.View(
        "v", keys=("k",), event_time="e", features=("x",),
        windows={"n": WindowFeature((Window("count", None, HOUR),)), "s": WindowFeature((Window("sum", "x", HOUR),))},
    )  # fmt: skip
    rows = [row(NOON, 5), row(NOON + MICROSECOND, 7)]
    when = NOON.replace(tzinfo=UTC)
    later = NOON + timedelta(hours=1)
    assert oracle.online(rows, [1], NOON, NOON, view)["s"] == (5, "PRESENT", when)  # 7 is not visible yet
    assert oracle.online(rows, [1], later, NOON, view)["s"] == (12, "PRESENT", when + MICROSECOND)
    assert oracle.online(rows, [1], later + 2 * MICROSECOND, NOON, view)["s"] == (None, "NULL_VALUE", None)
    assert oracle.online(rows, [2], later, NOON, view) == {
        "x": (None, "NOT_FOUND", None), "n": (0, "PRESENT", None), "s": (None, "NULL_VALUE", None)
    }  # fmt: skip


# --- against the plainest query ---------------------------------------------------------------------------------------

EXACT_IN_DUCKDB = ("count", "count_distinct", "min", "max", "bool_and", "bool_or", "quantile_disc", "list", "arg_max")


@given(world=window_worlds.worlds(max_views=1))
@settings(max_examples=settings().max_examples)
def test_the_plainest_query_agrees(world: World) -> None:
    """Each window by a join of the spine with the rows, where DuckDB's own aggregate is exact and has one answer."""
    (data,) = world.views
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        numbers = pa.array(range(len(world.spine)), pa.int64())
        connection.register("spine", spine_table(world).append_column("#", numbers))
        connection.register("history", arrow_table(data.columns, data.rows))
        for item in data.windows:
            for window in item.feature.windows:
                if window.where is None and (plain := plain_aggregate(window, data)):
                    answer = plain_window(connection, world, window, plain)
                    assert [exact(one_value(v)) for v in answer] == [
                        exact(one_value(v)) for v in oracle_answers(window, world)
                    ]


def one_value(value: Any) -> Any:
    """A value without what DuckDB leaves open: the order inside a list of ties, and a zero's sign."""
    if isinstance(value, list):
        return sorted(map(oracle_values.without_sign, value), key=oracle.ordered)
    return int(value) if isinstance(value, Decimal) and value.as_tuple().exponent == 0 else value


def plain_aggregate(window: Window, data: ViewData) -> str | None:
    """The aggregate in SQL over the column r.x, or None where DuckDB's is inexact, or may give one of several."""
    value = "*" if window.value is None else f"r.{quote(window.value)}"
    kind = None if window.value is None else data.types()[window.value]
    float_zero = " + 0.0" if kind == "DOUBLE" else ""
    match window.aggregate:
        case "count":
            return f"count({value})"
        case "count_distinct":
            return f"count(distinct {value})"
        case "quantile_disc":
            return f"quantile_disc({value}, {float(window.fraction)}){float_zero}"
        case "sum" if kind != "DOUBLE":
            return f"sum({value})"
        case "list":
            return f"list({value}) filter ({value} is not null)"
        case "min" | "max" | "bool_and" | "bool_or":
            return f"{window.aggregate}({value}){float_zero}"
    return None


def plain_window(connection: duckdb.DuckDBPyConnection, world: World, window: Window, plain: str) -> list[Any]:
    """The window's value for each spine row, by a join on everything that makes a row count."""
    (data,) = world.views
    view = data.view
    t = f"epoch_us(cast(s.{quote(world.timestamp)} as timestamptz))"
    event, *rest = [f"epoch_us(cast(r.{quote(c)} as timestamptz))" for c in (view.event_time, view.known_at) if c]
    conditions = [f"{at} <= {t}" for at in (event, *rest)]
    conditions += [f"s.{quote(key)} = r.{quote(key)}" for key in view.keys]
    first, last = window.length + window.delay, window.delay
    if (period := window.period) is None:
        conditions.append(f"{event} {'>' if window.closed == 'right' else '>='} {t} - {first}")
        conditions.append(f"{event} {'<' if window.closed == 'left' else '<='} {t} - {last}")
    else:
        local = f"timezone('{period.zone}', cast(s.{quote(world.timestamp)} as timestamptz))"
        start = f"date_trunc('{period.unit}', {local})"
        before = f"{start} - interval '1 {period.unit}'"
        begin, end = (f"epoch_us(timezone('{period.zone}', {moment}))" for moment in (before, start))
        conditions += [f"{event} >= {begin}", f"{event} < {end}"] if period.back else [f"{event} >= {end}"]
    plain = plain.replace("count(*)", "count(r.here)")
    rows = connection.execute(
        f'select s."#", {plain}, bool_or(s.{quote(world.timestamp)} is null) from spine s '
        f"left join (select *, true as here from history) r on {' and '.join(conditions)} group by 1 order by 1"
    ).fetchall()
    return [None if nowhere else value for _, value, nowhere in rows]


def oracle_answers(window: Window, world: World) -> list[Any]:
    """The window's value for each spine row, by the oracle."""
    (data,) = world.views
    feature = WindowFeature((window,))
    return [
        oracle.window_feature(feature, data.rows, [row[k] for k in data.view.keys], row[world.timestamp], data.view)
        for row in world.spine
    ]
