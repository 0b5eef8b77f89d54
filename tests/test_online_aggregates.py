"""The online aggregates are exact, and equal to the engine's to the bit (rules 4 and 5)."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from statistics import StatisticsError
from typing import Any
from uuid import UUID

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle
from asknown.aggregates import AGGREGATES
from asknown.dialects.registry import NAMES, find_dialect
from asknown.online.nodes import StoredCall
from asknown.online.windows import finalizer_of
from asknown.types import parse_type
from asknown.values.aggregates import FINALIZERS, finalizer
from asknown.values.states import FOLDED
from oracle import View, Window

DOUBLE = parse_type("DOUBLE")
FINITE = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([1e17, 0.1, -1e17, 1e-20, 5e-324, 1e308])
FLOATS = st.floats() | st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, 2.0])


def exactly(value: Any) -> Any:
    """A form of the value in which equality is identity: of type, of bits, of a decimal's scale."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else value.hex()
    return (type(value).__name__, str(value))


def rounded(exact: Fraction) -> float:
    """The exact number rounded once, infinite where it is too large."""
    try:
        return exact.numerator / exact.denominator
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


@given(st.lists(FINITE, min_size=1))
def test_a_sum_and_an_average_of_doubles_are_rounded_once(values: list[float]) -> None:
    exact = sum(map(Fraction, values))
    assert exactly(finalizer("sum", DOUBLE)(values)) == exactly(rounded(exact))
    assert exactly(finalizer("avg", DOUBLE)(values)) == exactly(rounded(exact / len(values)))


@given(st.lists(st.integers(-(2**127), 2**127 - 1), min_size=1))
def test_a_sum_and_an_average_of_integers_are_exact(values: list[int]) -> None:
    assert finalizer("sum", parse_type("HUGEINT"))(values) == sum(values)
    assert finalizer("avg", parse_type("HUGEINT"))(values) == rounded(Fraction(sum(values), len(values)))


@given(st.lists(st.integers(-(10**38) + 1, 10**38 - 1), min_size=1))
def test_a_sum_and_an_average_of_decimals_are_exact(values: list[int]) -> None:
    kind = parse_type("DECIMAL(38,3)")
    decimals = [Decimal((v < 0, tuple(map(int, str(abs(v)))), -3)) for v in values]
    assert exactly(finalizer("sum", kind)(decimals)) == exactly(
        Decimal((sum(values) < 0, tuple(map(int, str(abs(sum(values))))), -3))
    )
    assert finalizer("avg", kind)(decimals) == rounded(Fraction(sum(values), 1000 * len(values)))


@pytest.mark.parametrize(
    ("values", "total", "mean"),
    [
        ([1e17, 0.1, -1e17], 0.1, 0.1 / 3),
        ([0.1] * 10, 1.0, 0.1),
        ([-0.0], 0.0, 0.0),
        ([-0.0, -0.0], 0.0, 0.0),
        ([1e308, 1e308, -1e308], 1e308, 1e308 / 3),
        ([1e308, 1e308], math.inf, 1e308),
        ([-1e308, -1e308], -math.inf, -1e308),
        ([1e308, 1e308, -math.inf], -math.inf, -math.inf),
        ([1e308, 1e308, math.nan], math.nan, math.nan),
        ([math.inf, 1.0], math.inf, math.inf),
        ([math.inf, -math.inf], math.nan, math.nan),
        ([-math.inf, 5.0, -math.inf], -math.inf, -math.inf),
        ([math.inf, math.nan], math.nan, math.nan),
    ],
)
def test_sums_that_go_wrong_elsewhere(values: list[float], total: float, mean: float) -> None:
    assert exactly(finalizer("sum", DOUBLE)(values)) == exactly(total)
    assert exactly(finalizer("avg", DOUBLE)(values)) == exactly(mean)


def test_the_variance_of_near_values_far_from_zero_keeps_its_digits() -> None:
    values = [1e8 + 1, 1e8 + 2, 1e8 + 3]
    assert finalizer("var_samp", DOUBLE)(values) == 1.0
    assert finalizer("var_pop", DOUBLE)(values) == 2 / 3
    assert finalizer("stddev_samp", parse_type("BIGINT"))([int(v) for v in values]) == 1.0


@given(st.lists(st.floats(-1e100, 1e100), min_size=2) | st.lists(st.floats(1e8, 1e8 + 1e-4), min_size=2))
def test_the_variance_is_near_the_exact_one(values: list[float]) -> None:
    mean = sum(map(Fraction, values)) / len(values)
    exact = float(sum((Fraction(v) - mean) ** 2 for v in values) / (len(values) - 1))
    assert finalizer("var_samp", DOUBLE)(values) == pytest.approx(exact, rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("values", [[math.nan], [math.inf], [math.inf, 1.0], [math.nan, 1.0], [math.inf, -math.inf]])
@pytest.mark.parametrize("name", ["var_samp", "var_pop", "stddev_samp", "stddev_pop"])
def test_the_spread_of_what_is_not_finite_is_the_engine_s(name: str, values: list[float]) -> None:
    assert exactly(finalizer(name, DOUBLE)(values)) == exactly(in_engine(f"{name}(v)", "DOUBLE", values))


VALUE_TYPES = {"bool_and": "BOOLEAN", "bool_or": "BOOLEAN", "count_if": "BOOLEAN", "string_agg": "VARCHAR"}
"""The types that aggregates take which take no doubles."""


def test_every_aggregate_has_its_value_over_no_rows() -> None:
    for name, aggregate in AGGREGATES.items():
        kind = parse_type(VALUE_TYPES.get(name, "DOUBLE"))
        order = DOUBLE if aggregate.paired else None
        assert finalizer(aggregate.finalizer, kind, order, 0.5)([]) == aggregate.empty
    assert finalizer("count", None)([]) == 0


# ---------------------------------------------------------------- against the engine

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "TINYINT": st.integers(-128, 127),
    "BIGINT": st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3),
    "UBIGINT": st.integers(0, 2**64 - 1),
    "HUGEINT": st.integers(-(2**127), 2**127 - 1),
    "DOUBLE": FLOATS,
    "DECIMAL(10,2)": st.decimals(-(10**7), 10**7, places=2),
    "DECIMAL(38,3)": st.decimals(-(10**34), 10**34, places=3),
    "BOOLEAN": st.booleans(),
    "VARCHAR": st.text(st.sampled_from("aéz\U0001f600\ufffdB"), max_size=2),
    "DATE": st.dates(),
    "TIMESTAMP": st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)).map(lambda t: t.replace(fold=0)),
    "UUID": st.uuids(),
    "BLOB": st.binary(max_size=2),
    "ENUM('b', 'a', 'é')": st.sampled_from(["b", "a", "é"]),
}
CONNECTION = duckdb.connect()
CALLS = [
    *("min", "max", "count_distinct", "bool_and", "bool_or", "median", "mode", "histogram", "list_distinct"),
    *(f"quantile_cont {q}" for q in (0.0, 0.1, 0.25, 0.3, 0.333, 0.9, 0.99, 1.0)),
    *(f"quantile_disc {q}" for q in (0.0, 0.1, 0.29, 0.3, 0.5, 0.7, 0.9, 1.0)),
]


def in_engine(call: str, kind: str, values: list[Any]) -> Any:
    """The aggregate as the engine computes it over a column ``v`` of these values."""
    spelled = [format(v, "f") if isinstance(v, Decimal) else str(v) if isinstance(v, int | UUID) else v for v in values]
    rows = ", ".join(f"(?::{kind})" for _ in values)
    return CONNECTION.execute(f"select {call} from (values {rows}) t(v)", spelled).fetchall()[0][0]


def spelled(name: str, number: str, kind: str) -> str:
    value = "case when v = 0 then 0 else v end" if kind == "DOUBLE" else "v"
    match name:
        case "count_distinct":
            return f"count(distinct {value})"
        case "list_distinct":
            return f"list(distinct {value} order by {value})"
        case "mode":
            return f"mode({value} order by {value})"
        case "histogram":
            return f"map_entries(histogram({value}))"
    return f"{name}({value}, {number})" if number else f"{name}({value})"


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("call", CALLS)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_an_aggregate_is_the_engine_s(kind: str, call: str, data: st.DataObject) -> None:
    name, _, number = call.partition(" ")
    if AGGREGATES[name].refuses(parse_type(kind)) is not None:
        return
    values = data.draw(st.lists(VALUES[kind], min_size=1, max_size=8))
    found = finalizer(name, parse_type(kind), None, float(number) if number else None)(values)
    assert exactly(found) == exactly(in_engine(spelled(name, number, kind), kind, values))


def test_what_is_not_exact_is_refused_with_a_reason() -> None:
    for name, kind in [
        ("median", "FLOAT"),
        ("quantile_cont", "DATE"),
        ("avg", "TIMESTAMP"),
        ("sum", "UHUGEINT"),
        ("max", "INTEGER[]"),
        ("count_distinct", "STRUCT(a INTEGER)"),
        ("var_pop", "BOOLEAN"),
        ("bool_or", "INTEGER"),
    ]:
        reason = AGGREGATES[name].refuses(parse_type(kind))
        assert reason is not None and kind in reason
        with pytest.raises(ValueError, match=name):
            finalizer_of(StoredCall(name, "v", None, None, None, 0, 0), {"v": parse_type(kind)})
    assert AGGREGATES["list"].refuses(parse_type("INTEGER[]")) is None


@pytest.mark.parametrize(
    ("name", "pairs", "value"),
    [
        ("arg_max", [("a", 1), ("b", 2), ("c", 2), ("d", 0)], "c"),
        ("arg_min", [("a", 1), ("b", 0), ("c", 0), ("d", 2)], "c"),
    ],
)
def test_of_equal_extremes_the_last_row_gives_the_value(name: str, pairs: list[tuple[str, int]], value: str) -> None:
    assert finalizer(name, parse_type("VARCHAR"), parse_type("BIGINT"))(pairs) == value


def test_a_nan_is_the_greatest_and_zeros_are_equal_where_values_are_ordered() -> None:
    kind = parse_type("VARCHAR")
    assert finalizer("arg_max", kind, DOUBLE)([("a", math.inf), ("b", math.nan), ("c", 1.0)]) == "b"
    assert finalizer("arg_min", kind, DOUBLE)([("a", 0.0), ("b", -0.0), ("c", 1.0)]) == "b"
    assert finalizer("arg_min", kind, DOUBLE)([("a", -0.0), ("b", 0.0), ("c", math.nan)]) == "b"
    assert finalizer("arg_max", kind, parse_type("DATE"))([("a", date(2013, 1, 2)), ("b", date(2013, 1, 1))]) == "a"


# ---------------------------------------------------------------- the table of aggregates


@pytest.mark.parametrize("name", sorted(AGGREGATES))
def test_an_aggregate_is_whole(name: str) -> None:
    aggregate = AGGREGATES[name]
    assert aggregate.finalizer in FINALIZERS
    assert (aggregate.family is None) == (aggregate.state == "values")
    assert (aggregate.family in FOLDED) == aggregate.merges
    documented = (Path(__file__).parents[1] / "docs" / "semantics.md").read_text(encoding="utf-8")
    assert any(re.search(rf"^\|.*`{re.escape(sql)}\b", documented, re.MULTILINE) for sql in aggregate.sql)
    window = Window(name, "x", 1, order="x" if aggregate.paired else None, fraction=Fraction(1, 2))
    value = {"BOOLEAN": True, "VARCHAR": "a"}.get(VALUE_TYPES.get(name, "DOUBLE"), 1.0)
    row = {"x": value, "ts": datetime(2013, 5, 1)}
    with suppress(StatisticsError):  # the spread of one value
        oracle.aggregate(window, [row], View("orders", ("id",), "ts", ()))


# A dialect that has no snippet of its own for these writes them by means of the other.
_WRITTEN_BY = {"count_if": "count", "avg": "sum", "arg_min": "last", "arg_max": "last"}


@pytest.mark.parametrize("name", sorted(AGGREGATES))
@pytest.mark.parametrize("dialect", NAMES)
def test_a_dialect_writes_an_aggregate_or_says_what_to_write(dialect: str, name: str) -> None:
    rules, unkept = find_dialect(dialect).aggregates, find_dialect(dialect).relations.unkept
    written = {key.partition(".")[0] for key in (*rules.templates, *rules.nearest, *unkept)}
    assert written & {name, _WRITTEN_BY.get(name, name)}
