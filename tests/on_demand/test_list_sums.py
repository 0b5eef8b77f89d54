"""list_sum of doubles is exact and rounded once, in the training query's SQL and in the reader, whatever the list."""

from __future__ import annotations

import math
from fractions import Fraction

import duckdb
import pyarrow as pa
import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from asknown.dialects.duckdb import DUCKDB
from asknown.emit.translate.define import define
from asknown.types import parse_type
from asknown.values.errors import EvaluationError
from asknown.values.expressions import compile_expression

LARGEST = 2.0**960
TREE = ("exact list_sum", "DOUBLE", ("column", "DOUBLE[]", "l"))
SPELLED = define(sqlglot.parse_one("list_sum(l)", read="duckdb"), DUCKDB, (), {"l": parse_type("DOUBLE[]")}).sql(
    "duckdb"
)

plain = st.floats(-1000, 1000)
# Numbers whose sums lie in the middle between two doubles, and are decided by something very small.
halves = st.sampled_from(
    [1.0, 2.0**-53, -(2.0**-53), 2.0**-105, 2.0**-106, -(2.0**-106), 2.0**-300, 3.0, -1.0, 2.0**53]
)
wide = st.floats(-LARGEST, LARGEST, exclude_min=True, exclude_max=True)
small = st.floats(-1e-300, 1e-300)
odd = st.sampled_from([math.inf, -math.inf, math.nan, 0.0, -0.0, None])
lists = st.one_of(
    st.none(),
    *(st.lists(st.one_of(*kinds), max_size=size) for kinds, size in (
        ((plain,), 200), ((halves,), 12), ((halves, small), 30), ((wide, plain), 60), ((wide, small, halves), 20),
        ((plain, odd), 5), ((odd,), 4),
    )),
    st.lists(wide, max_size=20).map(lambda xs: [*xs, *(-x for x in reversed(xs)), 1e-310]),
)  # fmt: skip


def by_fractions(values: list[float | None] | None) -> float | None:
    """The sum in fractions, which become a float once."""
    there = [value for value in values or () if value is not None]
    if not there:
        return None
    if any(not math.isfinite(value) for value in there):
        return (
            math.fsum(v for v in there if not math.isfinite(v))
            if len({v for v in there if math.isinf(v)}) < 2
            else math.nan
        )
    return float(sum(map(Fraction, there)))


@given(st.lists(lists, min_size=1, max_size=30))
def test_both_ends_give_the_rounded_sum_of_fractions(rows: list[list[float | None] | None]) -> None:
    table = pa.table({"place": range(len(rows)), "l": pa.array(rows, pa.list_(pa.float64()))})
    with duckdb.connect() as connection:
        connection.register("t", table)
        theirs = [value for (value,) in connection.execute(f"select {SPELLED} from t order by place").fetchall()]
    evaluate = compile_expression(TREE, {})
    ours = [evaluate((), {"l": row}) for row in rows]
    wanted = [by_fractions(row) for row in rows]
    assert [repr(value) for value in theirs] == [repr(value) for value in wanted]
    assert [repr(value) for value in ours] == [repr(value) for value in wanted]


def test_a_number_whose_sum_could_be_beyond_a_double_is_an_error_at_both_ends() -> None:
    for row in ([LARGEST], [1.0, -LARGEST, math.nan]):
        with duckdb.connect() as connection, pytest.raises(duckdb.InvalidInputException, match="2\\^960"):
            connection.execute(f"select {SPELLED} from (select ?::double[] as l)", [row]).fetchall()
        with pytest.raises(EvaluationError, match="2\\^960"):
            compile_expression(TREE, {})((), {"l": row})
