"""Expressions over windows give the engine's result to the bit outside the engine, or are refused with a reason."""

from __future__ import annotations

import json
import math
import re
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
NUMBER_FORMS = [
    *(f"(N {sign} N)" for sign in ("+", "-", "*", "/", "//", "%")),
    *(f"{name}(N)" for name in ("abs", "round", "floor", "ceil", "sqrt", "-")),
    *(f"round(N, {places})" for places in (0, 1, 2, 6)),
    *(f"{name}(N, N)" for name in ("coalesce", "least", "greatest", "nullif")),
    *(f"cast(N as {kind})" for kind in ("double", "bigint", "hugeint", "decimal(12,1)", "decimal(38,6)", "smallint")),
    *("case when T then N else N end", "case N when N then N end", "if(T, N, N)", "coalesce(N, N, N)"),
    *("cast(T as integer)", "cast(T as double)"),
]
TRUTH_FORMS = [
    *(f"({x} {sign} {x})" for x in "NNX" for sign in ("=", "<>", "<", "<=", ">", ">=")),
    *("(N is distinct from N)", "(X is not distinct from X)", "(T and T)", "(T or T)", "(T = T)", "(not T)"),
    *("(N is null)", "(X is not null)", "(T is null)", "(T is true)", "(T is not false)", "(day = day)"),
    *("(N between N and N)", "(N in (N, N))", "(N not in (N, N, N))", "(word in ('a', 'z'))"),
    *("isnan(N)", "isinf(N)", "isfinite(N)"),
]
TEXT_FORMS = ["coalesce(X, X)", "case when T then X else X end", "nullif(X, X)", "greatest(X, X)"]
LEAVES = {"N": [*NUMBERS, *NUMBERS, *LITERALS], "T": TRUTHS, "X": TEXTS}
FORMS = {"N": NUMBER_FORMS, "T": TRUTH_FORMS, "X": TEXT_FORMS}


@st.composite
def expressions(draw: st.DrawFn, kind: str = "", depth: int = 3) -> str:
    """SQL of an expression of numbers (N), truth values (T) or text (X)."""
    kind = kind or draw(st.sampled_from("NNNNTX"))
    if not depth or draw(st.integers(0, 4)) == 0:
        return draw(st.sampled_from(LEAVES[kind]))
    form = draw(st.sampled_from(FORMS[kind]))
    return re.sub(r"\b[NTX]\b", lambda match: draw(expressions(match[0], depth - 1)), form)


EXPRESSIONS = expressions()


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


NULL = exactly(None)


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
        ours, theirs = evaluated(tree, row), in_engine(engine, sql, place)
        if "refused" in (ours, theirs) and (NULL in (ours, theirs) or re.search(r"coalesce|case|if\(", sql)):
            continue  # the engine may refuse a branch that is not taken, and spare an operand beside a NULL
        assert ours == theirs, (sql, row)
