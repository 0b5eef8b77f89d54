"""What others get wrong about trailing windows, each as a case worked by hand: offline by every plan, and online.

Each test says what went wrong elsewhere. The numbers are written out here; the oracle is only asked whether it agrees.
"""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from asknown import AsknownError, FeatureStore
from oracle import Window, WindowFeature
from small_windows import (
    DAY,
    HOUR,
    T0,
    WINDOW_FORMS,
    check,
    hours,
    item,
    items_of,
    opened,
    train,
    world_of,
)
from worlds import WindowItem, exact, expected, write_project

MICROSECOND = timedelta(microseconds=1)
NAN, INF = math.nan, math.inf


# --- the named ones ---------------------------------------------------------------------------------------------------


def test_max_is_not_a_running_sum(tmp_path: Path) -> None:
    """A tiled store returned the running sum as max: 6 for 1, 2, 3; and an empty window's stale maximum."""
    given = {1: (1, 2, 3), 2: (3, 2, 1), 3: (-1, -2, -3)}
    rows = [{"k": key, "ts": hours(i), "x": x} for key, values in given.items() for i, x in enumerate(values)]
    items = items_of("x", {"max": "INTEGER", "min": "INTEGER", "sum": "BIGINT"}, DAY)
    spine = [(key, at) for key in given for at in (hours(2), hours(25), hours(27))]
    wanted = {
        "max": [3, 3, None, 3, 2, None, -1, -2, None],
        "min": [1, 2, None, 1, 1, None, -3, -3, None],
        "sum": [6, 5, None, 6, 3, None, -6, -5, None],
    }
    check(world_of(rows, {"x": "INTEGER"}, items, spine), tmp_path, wanted, hours(2))


def test_the_variance_of_numbers_near_a_hundred_million(tmp_path: Path) -> None:
    """E[x²] − E[x]² in doubles gives 0 or 2 (or less than nothing) for 1e8 + {1, 2, 3}."""
    rows = [{"k": 1, "ts": hours(i), "x": 1e8 + i} for i in (1, 2, 3)]
    kinds = dict.fromkeys(("var_samp", "var_pop", "stddev_samp", "stddev_pop"), "DOUBLE")
    world = world_of(rows, {"x": "DOUBLE"}, items_of("x", kinds, DAY), [(1, hours(3)), (1, hours(26)), (1, hours(27))])
    wanted = {
        "var_samp": [1.0, 0.5, None],
        "var_pop": [2 / 3, 0.25, 0.0],
        "stddev_samp": [1.0, math.sqrt(0.5), None],
        "stddev_pop": [math.sqrt(2 / 3), 0.5, 0.0],
    }
    check(world, tmp_path, wanted, hours(3))


def test_equal_numbers_do_not_vary(tmp_path: Path) -> None:
    """The square root of a variance of -1e-17 is NaN."""
    rows = [{"k": 1, "ts": hours(i / 10), "x": 0.1} for i in range(100)]
    kinds = dict.fromkeys(("var_samp", "var_pop", "stddev_samp", "stddev_pop"), "DOUBLE")
    world = world_of(rows, {"x": "DOUBLE"}, items_of("x", kinds, DAY), [(1, hours(10)), (1, hours(30))])
    check(world, tmp_path, {name: [0.0, 0.0] for name in kinds}, hours(10))


def test_the_variance_holds_to_the_twelfth_digit(tmp_path: Path) -> None:
    """One pass with a running mean (Welford) is stable, and still loses digits where the mean is large."""
    given: list[list[float]] = [
        [1e8 + 1, 1e8 + 2, 1e8 + 3.3] * 50,
        [1e15, 1e15 + 1, 1e15 + 3],
        [1e17, 1e17 + 16],
        [0.1, 0.2, 1e17],
        [1e-9, 2e-9, 1.0],
    ]
    rows = [{"k": k, "ts": hours(i / 100), "x": x} for k, values in enumerate(given) for i, x in enumerate(values)]
    kinds = dict.fromkeys(("var_samp", "var_pop", "stddev_samp", "stddev_pop"), "DOUBLE")
    wanted: dict[str, list[Any]] = {name: [] for name in kinds}
    for values in given:
        exactly = [Fraction(x) for x in values]
        squares = sum(((x - sum(exactly) / len(values)) ** 2 for x in exactly), start=Fraction(0))
        sample, population = float(squares / (len(values) - 1)), float(squares / len(values))
        for name, value in zip(kinds, (sample, population, math.sqrt(sample), math.sqrt(population)), strict=True):
            wanted[name].append(value)
    spine = [(key, hours(2)) for key in range(len(given))]
    check(world_of(rows, {"x": "DOUBLE"}, items_of("x", kinds, DAY), spine), tmp_path, wanted, hours(2))


def test_a_day_is_not_18_hours_at_any_hour(tmp_path: Path) -> None:
    """Tiles of six hours against a boundary of whole hours made a window of 24 hours cover 18 in five hours of six."""
    rows = [{"k": 1, "ts": hours(i)} for i in range(-60, 61)]
    spine = [(1, hours(0) + timedelta(minutes=m)) for m in range(0, 30 * 60, 23)]
    spine += [(1, hours(i)) for i in range(31)]
    items = [
        item("both", "BIGINT", "count(*)", Window("count", None, DAY)),
        item("left", "BIGINT", "count(*)", Window("count", None, DAY, "left")),
        item("right", "BIGINT", "count(*)", Window("count", None, DAY, "right")),
        item("an_hour_ago", "BIGINT", "count(*)", Window("count", None, DAY, "right", HOUR)),
    ]
    on_the_hour = [at.minute == 0 for _, at in spine]
    wanted = {
        "both": [25 if whole else 24 for whole in on_the_hour],
        "left": [24 for _ in on_the_hour],
        "right": [24 for _ in on_the_hour],
        "an_hour_ago": [24 for _ in on_the_hour],
    }
    check(world_of(rows, {}, items, spine), tmp_path, wanted, hours(0))


def test_an_event_at_the_far_end_counts_on_every_path(tmp_path: Path) -> None:
    """One path evicted `ts <= t - W` and the other `ts < t - W`: whether it counted depended on which one ran.

    Asked alone, one after the other, for a key with one event and for one with many, and for windows of two lengths.
    """
    alone, many = [{"k": 1, "ts": T0, "x": 1}], [{"k": 2, "ts": hours(i / 10), "x": 1} for i in range(400)]
    for closed, counted in (("both", 1), ("left", 1), ("right", 0)):
        items = [
            item("n", "BIGINT", "count(x)", Window("count", "x", DAY, closed)),
            item("long", "BIGINT", "count(x)", Window("count", "x", 20 * DAY, closed)),
        ]
        spine = [(1, hours(24) + by * MICROSECOND) for by in (-1, 0, 1)]
        spine += [(2, hours(24) + by * MICROSECOND) for by in (-1, 0, 1)]
        long = 240 + (closed != "left")
        wanted = {
            "n": [1, counted, 0, 240, 240 + (closed == "both"), 240],
            "long": [1, 1, 1, 240, long, 241],
        }
        check(world_of(alone + many, {"x": "INTEGER"}, items, spine), tmp_path / closed, wanted)
    world = world_of(alone, {"x": "INTEGER"}, items_of("x", {"count": "BIGINT"}, DAY), [
        (1, hours(24) + by * MICROSECOND) for by in (-1, 0, 1)
    ])  # fmt: skip
    check(world, tmp_path / "online", {"count": [1, 1, 0]}, T0)


@pytest.mark.parametrize("length", [1, 3, 5, 7, 13])
def test_an_event_at_the_far_end_of_a_window_of_any_length(length: int, tmp_path: Path) -> None:
    """A plan that looks in pieces of time must reach the far end also where the pieces do not divide the window."""
    rows = [{"k": 1, "ts": T0 + i * MICROSECOND} for i in range(40)]
    items = [item("n", "BIGINT", "count(*)", Window("count", None, length))]
    spine = [(1, T0 + i * MICROSECOND) for i in range(length, 40)]
    check(world_of(rows, {}, items, spine), tmp_path, {"n": [length + 1] * len(spine)}, T0 + 39 * MICROSECOND)


def test_rows_of_the_future_enter_an_online_window_at_their_instant(tmp_path: Path) -> None:
    """A joined table's rows that are not there yet (known later, or dated later) were counted at once, or never."""
    folder = tmp_path / "p"
    write_project(world_of([], {}, [item("n", "BIGINT", "count(*)", Window("count", None, DAY))], []), folder)
    (folder / "models" / "world.yml").write_text(
        "sources: [{name: raw, tables: [{name: orders, identifier: main.orders},"
        " {name: paid, identifier: main.paid}]}]\n"
        "entities: [{name: e, keys: [k]}]\n"
    )
    (folder / "models" / "v.sql").write_text(
        """{{ config(entity='e', event_time='ts', known_at='known_at') }}

        select o.k, o.ts, greatest(o.ts, p.paid_at) as known_at, sum(p.amount) over {{ last('1 day') }} as paid
        from {{ source('raw', 'orders') }} as o left join {{ source('raw', 'paid') }} as p on p.id = o.id
        """
    )
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        connection.execute("create table orders (k bigint, id int, ts timestamp)")
        connection.execute("create table paid (id int, paid_at timestamp, amount int)")
        connection.executemany("insert into orders values (1, ?, ?)", [(i, hours(i)) for i in range(6)])
        payments = [(0, hours(0), 1), (1, hours(9), 2), (2, hours(3), 4), (3, None, 8), (5, hours(5), 32)]
        connection.executemany("insert into paid values (?, ?, ?)", payments)
    answers = {}
    with opened(folder) as store:
        store.materialize(until=hours(3))
        for at in (hours(3), hours(5), hours(24), hours(24) + MICROSECOND, hours(26), hours(26) + MICROSECOND):
            answers[at] = store.get_online_features(["v"], [{"k": 1}], at=at).to_dict()["paid"][0]
    # At 3 o'clock orders 0 and 2 are paid; 3 has no payment, and greatest() passes over NULL: its amount is 8. Order 5
    # (32) comes at 5, the payment of order 1 (2) at 9; they leave a day after their event time, 0 first.
    assert list(answers.values()) == [13, 45, 47, 46, 44, 40]
    with opened(folder) as store:
        rows = train(store, world_of([], {}, [], [(1, hours(3)), (1, hours(8)), (1, hours(9))])).to_pylist()
    assert [int(row["paid"]) for row in rows] == [13, 45, 47]


def test_null_is_not_an_empty_text(tmp_path: Path) -> None:
    """A store gave NULL online for what was '' in training (and the other way round)."""
    rows = [{"k": 1, "ts": hours(i), "s": s} for i, s in enumerate(("b", "", None, "a"))]
    kinds = {"min": "VARCHAR", "max": "VARCHAR", "first": "VARCHAR", "last": "VARCHAR", "list": "VARCHAR[]"}
    items = [*items_of("s", kinds, HOUR), item("n", "BIGINT", "count(s)", Window("count", "s", HOUR))]
    fallback = WindowItem(
        "fallback", "VARCHAR", "coalesce(last(s) over {{ last('1 hour') }}, 'none')",
        WindowFeature((Window("last", "s", HOUR),), lambda values, _: "none" if values[0] is None else values[0]),
    )  # fmt: skip
    spine = [(1, hours(1)), (1, hours(2)), (1, hours(2) + MICROSECOND), (1, hours(3)), (2, hours(3))]
    world = world_of(rows, {"s": "VARCHAR"}, [*items, fallback], spine)
    wanted = {
        "min": ["", "", None, "a", None],
        "max": ["b", "", None, "a", None],
        "first": ["b", "", None, "a", None],
        "last": ["", "", None, "a", None],
        "list": [["b", ""], [""], None, ["a"], None],
        "n": [2, 1, 0, 1, 0],
        "fallback": ["", "", "none", "a", "none"],
    }
    check(world, tmp_path, wanted, hours(1))


def test_a_sum_recovers_when_a_poison_has_left(tmp_path: Path) -> None:
    """A running sum keeps NaN for ever, and after 1e17 keeps a wrong 0.3: what left must leave no trace."""
    poisons = (NAN, INF, -INF, 1e17, 1e29, -1e17)
    rows = [
        {"k": key, "ts": hours(i), "x": x}
        for key, poison in enumerate(poisons)
        for i, x in enumerate((0.1, 0.2, poison, 0.1, 0.2))
    ]
    items = items_of("x", {"sum": "DOUBLE", "avg": "DOUBLE", "max": "DOUBLE"}, 2 * HOUR)
    instants = [*(hours(i) for i in (1, 2, 4, 5, 6)), hours(6) + MICROSECOND]
    after = math.fsum((0.1, 0.2))
    wanted: dict[str, list[Any]] = {"sum": [], "avg": [], "max": []}
    for poison in poisons:
        highest = 0.2 if poison < 0 else poison
        wanted["sum"] += [after, poison, poison, after, 0.2, None]  # 0.3 is lost in the rounding of 1e17
        wanted["avg"] += [after / 2, poison / 3, poison / 3, after / 2, 0.2, None]
        wanted["max"] += [0.2, highest, highest, 0.2, 0.2, None]
    spine = [(key, at) for key in range(len(poisons)) for at in instants]
    check(world_of(rows, {"x": "DOUBLE"}, items, spine), tmp_path, wanted, hours(4))


def test_inf_minus_inf_is_nan_and_then_gone(tmp_path: Path) -> None:
    values = (INF, -INF, 1.5)
    rows = [{"k": 1, "ts": hours(i), "x": x} for i, x in enumerate(values)]
    items = items_of("x", {"sum": "DOUBLE", "avg": "DOUBLE", "min": "DOUBLE", "max": "DOUBLE"}, 2 * HOUR)
    spine = [(1, hours(2)), (1, hours(3)), (1, hours(4))]
    wanted = {
        "sum": [NAN, -INF, 1.5],
        "avg": [NAN, -INF, 1.5],
        "min": [-INF, -INF, 1.5],
        "max": [INF, 1.5, 1.5],
    }
    check(world_of(rows, {"x": "DOUBLE"}, items, spine), tmp_path, wanted, hours(2))


# --- numbers ----------------------------------------------------------------------------------------------------------


ROUNDED_ONCE: list[tuple[list[float], float, float]] = [
    # values, their sum, their mean
    ([0.1] * 10, 1.0, 0.1),
    ([1e17, 0.1, -1e17], 0.1, 0.1 / 3),
    ([1e17, 16.0, 1e-20], 1e17 + 16, (10**17 + 16) / 3),
    ([1.0, 2.0**-53, 2.0**-80], 1.0 + 2.0**-52, math.nextafter(1.0 / 3, 1.0)),  # a tie, but for a little
    ([1.0, 2.0**-53], 1.0, 0.5),  # a tie: to even
    ([1.0, 2.0**-53, -(2.0**-80)], 1.0, math.nextafter(1.0 / 3, 1.0)),
    ([1e-20] * 4, 4e-20, 1e-20),
    ([-0.0, -0.0], 0.0, 0.0),
    ([-1.5, 1.5], 0.0, 0.0),
    ([2.0**60, 2.0**-60, -(2.0**60)], 2.0**-60, 2.0**-60 / 3),
    ([1e22, 1.0, -1e22], 1.0, 1.0 / 3),
]


def test_sums_are_rounded_once(tmp_path: Path) -> None:
    rows = [
        {"k": key, "ts": hours(i / 100), "x": x}
        for key, (values, *_) in enumerate(ROUNDED_ONCE)
        for i, x in enumerate(values)
    ]
    items = items_of("x", {"sum": "DOUBLE", "avg": "DOUBLE"}, DAY)
    wanted = {"sum": [total for _, total, _ in ROUNDED_ONCE], "avg": [mean for *_, mean in ROUNDED_ONCE]}
    spine = [(key, hours(1)) for key in range(len(ROUNDED_ONCE))]
    check(world_of(rows, {"x": "DOUBLE"}, items, spine), tmp_path, wanted, hours(1))


@pytest.mark.parametrize("values", [(5e-324, 5e-324), (1e308, 1e308, -1e308), (1e300, 1.0)])
def test_numbers_beyond_an_exact_sum_are_exact_or_an_error(values: tuple[float, ...], tmp_path: Path) -> None:
    """Never a silently wrong number."""
    rows = [{"k": 1, "ts": hours(i / 100), "x": x} for i, x in enumerate(values)]
    world = world_of(rows, {"x": "DOUBLE"}, items_of("x", {"sum": "DOUBLE"}, DAY), [(1, hours(1))])
    write_project(world, tmp_path)
    for form in WINDOW_FORMS:
        with opened(tmp_path, form) as store:
            try:
                (row,) = train(store, world).to_pylist()
            except AsknownError as error:
                assert "exact sum" in error.message
            else:
                assert exact(row["sum"]) == exact(expected(world)[0]["sum"])


def test_averages_of_integers_do_not_overflow(tmp_path: Path) -> None:
    """Their sum would: it is beyond 64 bits on the way. (A sum that stays beyond is an error, rule 7.)"""
    rows = [{"k": 1, "ts": hours(i / 100), "x": 2**63 - 1} for i in range(5)]
    items = items_of("x", {"avg": "DOUBLE"}, DAY)
    check(world_of(rows, {"x": "BIGINT"}, items, [(1, hours(1))]), tmp_path, {"avg": [float(2**63 - 1)]}, hours(1))


def test_sums_of_integers_may_pass_64_bits_on_the_way(tmp_path: Path) -> None:
    values = [2**63 - 1, 2**63 - 1, -(2**63), -(2**63)]
    rows = [{"k": 1, "ts": hours(i / 100), "x": value} for i, value in enumerate(values)]
    items = items_of("x", {"sum": "BIGINT"}, DAY)
    check(world_of(rows, {"x": "BIGINT"}, items, [(1, hours(1))]), tmp_path, {"sum": [-2]}, hours(1))


# --- rows -------------------------------------------------------------------------------------------------------------


def test_twins_count_twice(tmp_path: Path) -> None:
    """Exact duplicates are two rows: a load that removes them would change every sum."""
    rows = [{"k": 1, "ts": T0, "x": 5}] * 3 + [{"k": 1, "ts": hours(1), "x": None}] * 2
    items = [
        item("n", "BIGINT", "count(*)", Window("count", None, DAY)),
        *items_of("x", {"sum": "BIGINT", "count": "BIGINT", "list": "INTEGER[]"}, DAY),
    ]
    wanted = {"n": [5], "sum": [15], "count": [3], "list": [[5, 5, 5]]}
    check(world_of(rows, {"x": "INTEGER"}, items, [(1, hours(1))]), tmp_path, wanted, hours(1))


def test_a_row_known_late_enters_the_window_late_and_leaves_on_time(tmp_path: Path) -> None:
    rows = [
        {"k": 1, "ts": hours(0), "known_at": hours(3), "x": 1},
        {"k": 1, "ts": hours(2), "known_at": hours(1), "x": 2},  # announced before it happened
        {"k": 1, "ts": hours(1), "known_at": hours(30), "x": 4},  # known when it has left the window already
        {"k": 1, "ts": hours(1), "known_at": None, "x": 8},
    ]
    items = items_of("x", {"sum": "BIGINT", "last": "INTEGER", "max": "INTEGER"}, DAY)
    spine = [(1, hours(h)) for h in (1, 2, 3, 24)] + [(1, hours(24) + MICROSECOND), (1, hours(26)), (1, hours(30))]
    wanted = {
        "sum": [None, 2, 3, 3, 2, 2, None],
        "last": [None, 2, 2, 2, 2, 2, None],
        "max": [None, 2, 2, 2, 2, 2, None],
    }
    world = world_of(rows, {"known_at": "TIMESTAMP", "x": "INTEGER"}, items, spine)
    check(world, tmp_path, wanted, hours(24))


def test_long_before_1970(tmp_path: Path) -> None:
    """Integer division truncates towards zero: buckets of negative times came out one too high."""
    start = datetime(1969, 12, 31, 23)
    rows = [{"k": 1, "ts": start + timedelta(minutes=10 * i), "x": i} for i in range(-30, 30)]
    items = items_of("x", {"sum": "BIGINT", "min": "INTEGER", "count": "BIGINT"}, HOUR)
    spine = [(1, start + timedelta(minutes=10 * i)) for i in range(-30, 36)]
    wanted: dict[str, list[Any]] = {"sum": [], "min": [], "count": []}
    for i in range(-30, 36):
        seen = [n for n in range(-30, 30) if i - 6 <= n <= i]
        wanted["sum"].append(sum(seen))
        wanted["min"].append(min(seen))
        wanted["count"].append(len(seen))
    check(world_of(rows, {"x": "INTEGER"}, items, spine), tmp_path, wanted, start - timedelta(hours=1))


def test_late_events_and_old_ones_online(tmp_path: Path) -> None:
    """Between loads a late event arrives inside the window; what the window has passed is no longer stored."""
    first = [{"k": 1, "ts": hours(i), "x": 1} for i in range(3)]
    world = world_of(first, {"x": "INTEGER"}, items_of("x", {"sum": "BIGINT", "count": "BIGINT"}, DAY), [])
    folder = write_project(world, tmp_path)

    def read(at: datetime) -> Any:
        with closing(FeatureStore(folder)) as store:
            found = store.get_online_features(["v"], [{"k": 1}], at=at).to_dict()
        return found["sum"][0], found["count"][0]

    with opened(folder) as store:
        store.materialize(until=hours(2))
    assert read(hours(2)) == (3, 3)
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        connection.execute("insert into raw_v values (1, ?, 10), (1, ?, 100)", [hours(1), hours(2)])
    for _ in range(2):  # the same load twice changes nothing
        with opened(folder) as store:
            store.materialize(until=hours(4))
        assert read(hours(4)) == (113, 5)
        assert read(hours(25)) == (112, 4)
    with opened(folder) as store, pytest.raises(AsknownError, match="is loaded up to"):
        store.materialize(until=hours(3))  # an earlier watermark changes nothing, and says so
    assert read(hours(4)) == (113, 5)
    with opened(folder) as store:
        store.materialize(until=hours(60))
    assert read(hours(60)) == (None, 0)
    with closing(sqlite3.connect(folder / "online.db")) as file:
        assert file.execute('select count(*) from "v.events"').fetchone() == (0,)


@pytest.mark.parametrize("scale", [2, 8, 9, 18, 30])
def test_the_mean_of_decimals_of_any_scale_is_rounded_once(scale: int, tmp_path: Path) -> None:
    """Dividing by a large power of ten at once would leave 128 bits."""
    kind = f"DECIMAL(38,{scale})"
    values = [Decimal(7).scaleb(-scale), Decimal("1.5"), Decimal(2)]
    folder = write_project(world_of([], {}, [], []), tmp_path)
    listed = ", ".join(f"(1, timestamp '2024-03-09 12:00:0{i}', {v}::{kind})" for i, v in enumerate(values))
    (folder / "models" / "v.sql").write_text(
        "{{ config(entity='e', event_time='ts') }}\n"
        f"select k, ts, avg(x) over {{{{ last('1 day') }}}} as f from (values {listed}) as t (k, ts, x)\n"
    )
    spine = pa.table({"k": [1], "event_timestamp": [datetime(2024, 3, 9, 13)]})
    with opened(folder) as store:
        (mean,) = store.get_historical_features(entity_df=spine, features=["v"]).to_arrow()["f"].to_pylist()
    assert mean == float(sum(map(Fraction, values), start=Fraction(0)) / len(values))


@pytest.mark.parametrize("form", [*WINDOW_FORMS])
@pytest.mark.parametrize("value", ["f::float", "[f]", "{'a': f}", "f"])
def test_a_zero_keeps_its_sign_in_first_and_last(value: str, form: Any, tmp_path: Path) -> None:
    """FIRST and LAST of DuckDB lose it with an order, but for doubles."""
    rows = [{"k": 1, "ts": datetime(2024, 1, 1), "f": -0.0, "x": 1}]
    window = Window("last", "f", DAY)
    items = [item(name, "DOUBLE", f"{name}({value})", window) for name in ("first", "last")]
    items += [item(name, "DOUBLE", f"{name}({value}, x)", window) for name in ("arg_min", "arg_max")]
    world = world_of(rows, {"f": "DOUBLE", "x": "INTEGER"}, items, [(1, datetime(2024, 1, 1))])
    with opened(write_project(world, tmp_path), form) as store:
        (trained,) = train(store, world).to_pylist()
        store.materialize(datetime(2024, 1, 1))
        (read,) = store.get_online_features(["v"], [{"k": 1}], at=datetime(2024, 1, 1)).rows()
    for each in items:
        assert "-0.0" in repr(trained[each.name]) == repr(read[each.name])
