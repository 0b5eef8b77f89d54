"""Instants on SQLite, and the functions that asknown brings to it."""

from __future__ import annotations

import datetime as dt
import math
import random
import statistics
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pytest
from sqlite_database import database, engine

from asknown.engines.sqlite import SQLite
from asknown.engines.sqlite.instants import micros_of, text_of
from asknown.errors import AsknownError

__all__ = ["database", "engine"]

# ---------------------------------------------------------------- instants and functions


@pytest.mark.parametrize(
    ("value", "micros"),
    [
        ("1970-01-01", 0),
        ("1969-12-31 23:59:59.999999", -1),
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01 00:00:00 UTC", 0),
        ("1970-01-01 01:00:00+01", 0),
        ("1970-01-01 00:00:00.5-03:30", 12_600_500_000),
        ("1970-01-01 00:00:00.123456000", 123_456),
        ("0001-01-01 00:00", -62_135_596_800_000_000),
        ("9999-12-31 23:59:59.999999", 253_402_300_799_999_999),
        (-5, -5),
    ],
)
def test_instants_keep_their_microseconds(value: Any, micros: int) -> None:
    assert micros_of(value) == micros
    assert micros_of(text_of(micros)) == micros


@pytest.mark.parametrize("value", ["", "now", "2013-02-30", "2013-01-01 25:00:00", "12:00", 1.5, b"", "0000-01-01"])
def test_what_is_no_instant_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        micros_of(value)


def test_local_times_become_utc(engine: SQLite) -> None:
    sql = "SELECT zone_micros('2024-07-01 12:00:00', 'America/New_York'), zone_micros(0, 'Europe/Paris')"
    ((summer, winter),) = engine.rows(f"SELECT * FROM ({sql})")
    assert summer == dt.datetime(2024, 7, 1, 16)
    assert winter == dt.datetime(1969, 12, 31, 23)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("divide(7, 2)", 3.5),
        ("divide(-1, 0)", -math.inf),
        ("divide(NULL, 0)", None),
        ("divide_whole(9007199254740993, -3)", -3002399751580331),
        ("divide_whole(-7.5, 2)", -3.0),
        ("remainder(-7, 3)", -1),
        ("remainder(7.5, 2)", 1.5),
        ("upper_text('éàß ÄÖ')", "ÉÀẞ ÄÖ"),
        ("lower_text('ÉÀẞ ΣΣ')", "éàß σσ"),
        ("regexp_matches('Hello', '^[A-Z]')", True),
        ("signbit(-0.0)", True),
    ],
)
def test_functions_of_one_row(engine: SQLite, expression: str, value: Any) -> None:
    assert engine.stream(f"SELECT {expression} AS x").read_all().column("x").to_pylist() == [value]


@pytest.mark.parametrize(
    "expression", ["divide(0, 0)", "divide_whole(1, 0)", "remainder(1, 0)", "divide(9e999, 9e999)"]
)
def test_what_has_no_value_is_an_error(engine: SQLite, expression: str) -> None:
    with pytest.raises(AsknownError, match=r"NaN|division by zero"):
        engine.rows(f"SELECT {expression} AS x")


def numbers(random_: random.Random) -> list[float]:
    kind = random_.randrange(6)
    count = random_.choice((1, 2, 3, 7, 40))
    if kind == 0:
        return [random_.choice((1e17, -1e17, 0.1, -0.1, 3.0, -0.0)) for _ in range(count)]
    if kind == 1:
        return [math.ldexp(random_.uniform(-1, 1), random_.randint(-140, 95)) for _ in range(count)]
    if kind == 2:
        return [1.0, 2.0**-53, *([2.0**-106] * random_.randrange(2)), *([-(2.0**-120)] * random_.randrange(2))]
    if kind == 3:
        some = [random_.uniform(-1e9, 1e9) for _ in range(count)]
        return [*some, *(-x for x in some), random_.uniform(-1e-9, 1e-9)]
    if kind == 4:
        return [float(random_.randint(-(2**53), 2**53)) for _ in range(count)]
    return [random_.uniform(-100, 100) for _ in range(count)]


def test_sums_and_averages_are_rounded_once(engine: SQLite) -> None:
    random_ = random.Random(7)
    worlds = [numbers(random_) for _ in range(5_000)]
    data = pa.table(
        {
            "k": [k for k, values in enumerate(worlds) for _ in values],
            "x": [x for values in worlds for x in values],
        }
    )
    name = engine.load_spine(data).relation
    aggregates = "fsum(x), favg(x), variance_pop(x), stddev_samp(x), percentile_cont(x, 0.5), percentile_cont(x, 0.9)"
    rows = engine.rows(f"SELECT k, {aggregates} FROM {name} GROUP BY k ORDER BY k")
    for values, (_, total, average, spread, deviation, middle, _nine) in zip(worlds, rows, strict=True):
        exact = sum(map(Fraction, values))
        assert total == math.fsum(values)
        assert average == exact.numerator / (exact.denominator * len(values))
        mean = exact / len(values)
        squares = sum((Fraction(x) - mean) ** 2 for x in values)
        assert math.isclose(spread, squares / len(values), rel_tol=1e-12, abs_tol=1e-300)
        assert (deviation is None) == (len(values) == 1)
        assert middle == statistics.median(map(Fraction, values)) or math.isclose(middle, statistics.median(values))


def test_ordered_aggregates_follow_their_keys(engine: SQLite) -> None:
    data = pa.table({"x": [1, 2, 3, None, 5], "t": [30, 10, 20, 99, None], "y": [1.0, 2.0, 2.0, 9.0, None]})
    name = engine.load_spine(data).relation
    sql = (
        "SELECT first_by(x, t) AS f, last_by(x, t) AS l, list_by(x, t) AS a, value_at_max(x, y, t) AS g, "
        f"value_at_min(x, y, t) AS s, last_by(x, t) FILTER (WHERE t < 25) AS e FROM {name}"
    )
    assert engine.stream(sql).read_all().to_pylist() == [{"f": 5, "l": 1, "a": [5, 2, 3, 1], "g": 3, "s": 1, "e": 3}]
    empty = engine.stream(f"SELECT first_by(x, t) AS f, list_by(x, t) AS a, fsum(y) AS s FROM {name} WHERE 0")
    assert empty.read_all().to_pylist() == [{"f": None, "a": None, "s": None}]


def test_decimals_add_up_exactly(engine: SQLite) -> None:
    values = [Decimal(n) / 100 for n in range(-50, 1000, 7)]
    name = engine.load_spine(pa.table({"x": pa.array(values, pa.decimal128(10, 2))})).relation
    found = engine.stream(f"SELECT sum_decimal(x) AS s, favg_decimal(x) AS a, avg(x) AS n FROM {name}").read_all()
    total = sum(values)
    above, below = total.as_integer_ratio()
    assert found.column("s").to_pylist() == [total]
    assert found.column("a").to_pylist() == [above / (below * len(values))]
