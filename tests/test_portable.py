"""Expressions over windows give the engine's result to the bit outside the engine, or are refused with a reason."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

import duckdb
import pytest
import sqlglot
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from asknown.model.portable import NotPortableError, portable, why_not_portable
from asknown.online.expressions import EvaluationError, compile_expression, huge_to_float
from asknown.types import SqlType, parse_type

TYPES = {
    "tiny": "TINYINT",
    "small": "SMALLINT",
    "whole": "INTEGER",
    "big": "BIGINT",
    "big2": "BIGINT",
    "huge": "HUGEINT",
    "unsigned": "UBIGINT",
    "x": "DOUBLE",
    "y": "DOUBLE",
    "single": "FLOAT",
    "price": "DECIMAL(10,2)",
    "share": "DECIMAL(18,6)",
    "total": "DECIMAL(38,3)",
    "yes": "BOOLEAN",
    "no": "BOOLEAN",
    "word": "VARCHAR",
    "day": "DATE",
}
NAMES = list(TYPES)


def _integers(bits: int, signed: bool = True) -> st.SearchStrategy[int]:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return st.sampled_from([0, 1, low, high]) | st.integers(max(low, -9), 9) | st.integers(low, high)


def _decimals(digits: int, places: int) -> st.SearchStrategy[Decimal]:
    most = 10**digits - 1
    whole = st.sampled_from([0, 1, most, -most]) | st.integers(-2000, 2000) | st.integers(-most, most)
    return whole.map(lambda v: Decimal((v < 0, tuple(map(int, str(abs(v)))), -places)))


FLOATS = st.sampled_from([0.0, -0.0, 1.0, 0.5, 2.5, -2.5, 1e308, 5e-324, math.inf, -math.inf, math.nan]) | st.floats()
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "TINYINT": _integers(8),
    "SMALLINT": _integers(16),
    "INTEGER": _integers(32),
    "BIGINT": _integers(64),
    "HUGEINT": _integers(128),
    "UBIGINT": _integers(64, signed=False),
    "DOUBLE": FLOATS,
    "FLOAT": st.floats(width=32),
    "DECIMAL(10,2)": _decimals(10, 2),
    "DECIMAL(18,6)": _decimals(18, 6),
    "DECIMAL(38,3)": _decimals(38, 3),
    "BOOLEAN": st.booleans(),
    "VARCHAR": st.sampled_from(["", "a", "B", "é", "z", "\U0001f600", "\ufffd"]),
    "DATE": st.dates(),
}
ROWS = st.lists(
    st.fixed_dictionaries({name: st.none() | VALUES[kind] for name, kind in TYPES.items()}), min_size=1, max_size=5
)

LITERALS = ["0", "1", "2", "-1", "100", "1000", "3000000000", "0.5", "1.0", "100.0", "2.25", "1e3", "1.5e0", "null"]
NUMBERS = [n for n in NAMES if TYPES[n] not in ("BOOLEAN", "VARCHAR", "DATE")]
TRUTHS = ["yes", "no", "true", "false", "null"]
TEXTS = ["word", "'a'", "'é'"]


def _joined(*parts: Any) -> st.SearchStrategy[str]:
    return st.tuples(*(p if isinstance(p, st.SearchStrategy) else st.just(p) for p in parts)).map("".join)


def _number(inner: st.SearchStrategy[str], truth: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    sign = st.sampled_from([" + ", " - ", " * ", " / ", " // ", " % "])
    function = st.sampled_from(["abs", "round", "floor", "ceil", "sqrt", "-"])
    chooser = st.sampled_from(["coalesce", "least", "greatest", "nullif"])
    kinds = st.sampled_from(["double", "bigint", "integer", "hugeint", "decimal(12,1)", "decimal(38,6)", "smallint"])
    return (
        _joined("(", inner, sign, inner, ")")
        | _joined(function, "(", inner, ")")
        | _joined("round(", inner, st.sampled_from([", 0)", ", 1)", ", 2)", ", 6)"]))
        | _joined(chooser, "(", inner, ", ", inner, ")")
        | _joined("case when ", truth, " then ", inner, " else ", inner, " end")
        | _joined("case ", inner, " when ", inner, " then ", inner, " end")
        | _joined("if(", truth, ", ", inner, ", ", inner, ")")
        | _joined("cast(", inner, " as ", kinds, ")")
        | _joined("cast(", truth, " as ", st.sampled_from(["integer", "double"]), ")")
    )


def _truth(number: st.SearchStrategy[str], inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    sign = st.sampled_from([" = ", " <> ", " < ", " <= ", " > ", " >= ", " is distinct from ", " is not distinct from "])
    anything = number | inner | st.sampled_from([*TEXTS, "day"])
    return (
        _joined("(", number, sign, number, ")")
        | _joined("(", st.sampled_from(TEXTS), sign, st.sampled_from(TEXTS), ")")
        | _joined("(", inner, st.sampled_from([" and ", " or ", " = "]), inner, ")")
        | _joined("(not ", inner, ")")
        | _joined("(", anything, st.sampled_from([" is null)", " is not null)"]))
        | _joined("(", inner, st.sampled_from([" is true)", " is not false)"]))
        | _joined("(", number, " between ", number, " and ", number, ")")
        | _joined("(", number, st.sampled_from([" in (", " not in ("]), number, ", ", number, "))")
        | _joined("(word in ('a', 'z'))")
        | _joined(st.sampled_from(["isnan(", "isinf(", "isfinite("]), number, ")")
    )


def _expressions() -> st.SearchStrategy[str]:
    number: st.SearchStrategy[str] = st.sampled_from(NUMBERS) | st.sampled_from(NUMBERS) | st.sampled_from(LITERALS)
    truth: st.SearchStrategy[str] = st.sampled_from(TRUTHS)
    for _ in range(3):
        number, truth = number | _number(number, truth), truth | _truth(number, truth)
    text = _joined("coalesce(word, ", st.sampled_from(TEXTS), ")") | _joined("case when ", truth, " then word else 'b' end")
    return number | truth | text | st.just("coalesce(day, day)")


EXPRESSIONS = _expressions()


def parsed(sql: str) -> exp.Expr:
    """The expression with every second column as a call, the others as hidden columns."""
    tree = sqlglot.parse_one(f"select {sql}", dialect="duckdb").selects[0]

    def replace(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column) and NAMES.index(node.name) % 2:
            return exp.Parameter(this=exp.Literal.number(NAMES.index(node.name)))
        return node

    return tree.transform(replace)


CALLS = [parse_type(kind) for kind in TYPES.values()]
COLUMNS = {name: parse_type(kind) for name, kind in TYPES.items()}


def exactly(value: Any) -> Any:
    """A form of the value in which equality is identity: of type, of bits, of a decimal's scale."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else value.hex()
    return (type(value).__name__, str(value))


def evaluated(tree: Any, row: dict[str, Any]) -> Any:
    tree = json.loads(json.dumps(tree))  # as it comes back from the file
    try:
        value = compile_expression(tree, {i: i for i in range(len(NAMES))})([row[n] for n in NAMES], row)
    except EvaluationError:
        return "refused"
    return exactly(value)


@pytest.fixture(scope="module")
def engine() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("set threads = 1")
    connection.execute(f"create table t (i integer, {', '.join(f'{n} {k}' for n, k in TYPES.items())})")
    return connection


def in_engine(engine: duckdb.DuckDBPyConnection, sql: str, row: int) -> Any:
    try:
        return exactly(engine.execute(f"select {sql} from t where i = {row}").fetchall()[0][0])
    except (duckdb.OutOfRangeException, duckdb.ConversionException, duckdb.InvalidInputException):
        return "refused"


def fill(engine: duckdb.DuckDBPyConnection, rows: list[dict[str, Any]]) -> None:
    engine.execute("delete from t")
    places = ", ".join(f"?::{kind}" for kind in ["integer", *TYPES.values()])
    for i, row in enumerate(rows):
        values = [format(v, "f") if isinstance(v, Decimal) else v for v in (row[name] for name in NAMES)]
        engine.execute(f"insert into t values ({places})", [i, *values])


def declared_type(engine: duckdb.DuckDBPyConnection, sql: str) -> SqlType | None:
    """The type that the engine gives the expression; None where it does not bind."""
    try:
        return parse_type(engine.execute(f"describe select {sql} as v from t").fetchall()[0][1])
    except (duckdb.BinderException, duckdb.NotImplementedException, duckdb.OutOfRangeException):
        return None
    except (duckdb.ConversionException, duckdb.InvalidInputException):
        return None


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(EXPRESSIONS, ROWS)
def test_a_portable_expression_gives_the_engine_s_result(
    engine: duckdb.DuckDBPyConnection, sql: str, rows: list[dict[str, Any]]
) -> None:
    fill(engine, rows)
    kind = declared_type(engine, sql)
    assume(kind is not None and kind.name not in ('"NULL"', "NULL"))
    try:
        tree = portable(parsed(sql), CALLS, COLUMNS, kind)
    except NotPortableError:
        assume(False)
    assert tree[1] == kind.name or tree[1] == "NULL"
    for place, row in enumerate(rows):
        assert evaluated(tree, row) == in_engine(engine, sql, place), (sql, row)
