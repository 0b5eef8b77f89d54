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
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from asknown.dialects.duckdb import DUCKDB
from asknown.emit.snippets import snippet
from asknown.emit.translate.define import define
from asknown.model.expressions.write import NotPortableError, portable
from asknown.types import SqlType, parse_type
from asknown.values.errors import EvaluationError
from asknown.values.expressions import compile_expression

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


def emitted(sql: str) -> str:
    """The expression as the training query spells it, over the columns of the table."""

    def replace(node: exp.Expr) -> exp.Expr:
        return exp.column(NAMES[int(node.name)]) if isinstance(node, exp.Parameter) else node

    return define(parsed(sql), DUCKDB, CALLS, COLUMNS).transform(replace).sql("duckdb")


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
    connection.execute("pragma disable_optimizer")  # it turns 0 = x - 1 into x = 1, and so spares an overflow
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
@example("cast(share as decimal(12,1))", [dict.fromkeys(TYPES) | {"share": Decimal("-0.000001")}])
@example("nullif(round(cast(0 as hugeint)), x)", [dict.fromkeys(TYPES)])
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
    emits = emitted(sql)
    for place, row in enumerate(rows):
        ours, theirs = evaluated(tree, row), in_engine(engine, emits, place)
        if "refused" in (ours, theirs) and (NULL in (ours, theirs) or re.search(r"coalesce|case|if\(", sql)):
            continue  # the engine may refuse a branch that is not taken, and spare an operand beside a NULL
        assert ours == theirs, (sql, row)


# ---------------------------------------------------------------- what people write, and what is refused

CALL_TYPES = [
    parse_type(kind) for kind in ("HUGEINT", "BIGINT", "DOUBLE", "DECIMAL(38,2)", "BOOLEAN", "FLOAT", "UHUGEINT")
]
KEPT = {"delay": parse_type("DOUBLE"), "tag": parse_type("VARCHAR"), "flags": parse_type("INTEGER[]")}


def lifted(sql: str) -> exp.Expr:
    """The expression, with call ``i`` written ``$i``."""
    tree = sqlglot.parse_one(f"select {sql.replace('$', 'call_')}", dialect="duckdb").selects[0]

    def replace(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column) and node.name.startswith("call_"):
            return exp.Parameter(this=exp.Literal.number(node.name.removeprefix("call_")))
        return node

    return tree.transform(replace)


def write(sql: str, kind: str) -> Any:
    return portable(lifted(sql), CALL_TYPES, KEPT, parse_type(kind))


def refusal(sql: str, kind: str = "DOUBLE") -> str | None:
    try:
        write(sql, kind)
    except NotPortableError as refused:
        return str(refused)
    return None


@pytest.mark.parametrize(
    ("sql", "kind", "value"),
    [
        ("$0", "HUGEINT", 7),
        ("$0 / nullif($1, 0)", "DOUBLE", 3.5),
        ("$0 / nullif($1 - 2, 0)", "DOUBLE", None),
        ("$0 / ($1 - 2)", "DOUBLE", math.inf),
        ("100.0 * $1 / $0", "DOUBLE", 28.571428571428573),
        ("delay / $2", "DOUBLE", 0.5),
        ("coalesce($0, 0)", "HUGEINT", 7),
        ("round($0 / $1, 1)", "DOUBLE", 3.5),
        ("case when $1 > 1 and delay is not null then $2 else 0 end", "DOUBLE", 2.5),
        ("case when $4 then 'late' else tag end", "VARCHAR", "late"),
        ("$3 * 2", "DECIMAL(38,2)", Decimal("3.00")),
        ("$1 > 1 or null", "BOOLEAN", True),
        ("$1 between 1 and 2.5", "BOOLEAN", True),
        ("$5", "FLOAT", 0.5),
        ("$5 + delay", "DOUBLE", 1.75),
        ("flags", "INTEGER[]", [1, None]),
    ],
)
def test_what_people_write(sql: str, kind: str, value: Any) -> None:
    evaluate = compile_expression(write(sql, kind), {i: i for i in range(7)})
    calls = [7, 2, 2.5, Decimal("1.50"), True, 0.5, 1]
    assert exactly(evaluate(calls, {"delay": 1.25, "tag": None, "flags": [1, None]})) == exactly(value)


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("md5(tag)", "in a model below"),
        ("regexp_matches(tag, 'x')", "write like"),
        ("$5 + 1", "single precision"),
        ("$2 // 2", "only whole numbers"),
        ("$3 % 2", "only whole numbers"),
        ("round($3)", "cast it to DOUBLE"),
        ("cast($2 as decimal(10,2))", "conversion from DOUBLE to DECIMAL(10,2)"),
        ("cast($2 as varchar)", "conversion from DOUBLE to VARCHAR"),
        ("try_cast(tag as boolean)", "conversion from VARCHAR to BOOLEAN"),
        ("$6 + 1", "UHUGEINT"),
        ("coalesce($4, $0)", "BOOLEAN and HUGEINT"),
        ("case when $0 then 1.0 end", "not a condition"),
        ("flags = flags", "comparison of INTEGER[]"),
        ("random() * $2", "RANDOM()"),
        ("$1", "a BIGINT here and a DOUBLE in the engine"),
    ],
)
def test_what_is_refused_says_why(sql: str, reason: str) -> None:
    found = refusal(sql)
    assert found is not None
    assert reason in found
    assert "$" not in found  # no windows by number: the author never wrote one


def test_a_portable_expression_has_no_reason() -> None:
    assert refusal("$0 / $1") is None


def test_a_number_out_of_range_is_refused_as_in_the_engine() -> None:
    evaluate = compile_expression(write("$1 * $1", "BIGINT"), {1: 0})
    assert evaluate([2**31], {}) == 2**62
    with pytest.raises(EvaluationError, match="out of the range of BIGINT"):
        evaluate([2**32], {})


HUGE = (2**127 - 1, -(2**127), 2**64 + 2**11 + 1, -(2**64) - 2**11 - 1, -1, -(2**64), 3 * 2**62 + 513, 2**53 + 1)


@pytest.mark.parametrize("value", HUGE)
@pytest.mark.parametrize("sql", ["huge / 1", "coalesce(huge, x)", "cast(huge as double)", "least(huge, 1.5e300)"])
def test_a_huge_integer_becomes_the_nearest_double(engine: duckdb.DuckDBPyConnection, sql: str, value: int) -> None:
    row = dict.fromkeys(NAMES) | {"huge": value}
    fill(engine, [row])
    tree = portable(parsed(sql), CALLS, COLUMNS, parse_type("DOUBLE"))
    assert evaluated(tree, row) == in_engine(engine, emitted(sql), 0) == exactly(float(value))


@pytest.mark.parametrize(
    ("value", "places", "result"),
    [(2.675, 2, 2.68), (1.005, 2, 1.0), (-1.115, 2, -1.12), (1e300, 15, 1e300), (-math.inf, 3, -math.inf)],
)
def test_a_double_is_rounded_in_doubles(
    engine: duckdb.DuckDBPyConnection, value: float, places: int, result: float
) -> None:
    """Halves are those of the product with the power of ten: 2.675 * 100 is 267.5, though 2.675 itself is less."""
    row = dict.fromkeys(NAMES) | {"x": value}
    fill(engine, [row])
    sql = f"round((x), {places})"
    tree = portable(parsed(sql), CALLS, COLUMNS, parse_type("DOUBLE"))
    assert evaluated(tree, row) == in_engine(engine, emitted(sql), 0) == exactly(result)


@pytest.mark.parametrize(
    ("sql", "emits"),
    [
        ("nullif(huge, x)", "CASE WHEN AS_DOUBLE(huge) = x THEN NULL ELSE huge END"),
        ("nullif(huge, big)", "NULLIF(huge, big)"),
        ("case huge when x then 1 when 2 then 3 end",
         "CASE WHEN AS_DOUBLE(huge) = x THEN 1 WHEN huge = 2 THEN 3 END"),
        ("huge + big", "huge + big"),
        ("round(big, 2)", "ROUND(big, 2)"),
        ("round(price, 1)", "ROUND(price, 1)"),
        ("gamma(huge) + round(x, 1)", "GAMMA(huge) + ROUND(x, 1)"),
        ("huge * 1e0 > round(y, 1)", "AS_DOUBLE(huge) * 1e0 > ROUNDED(y, 1e1)"),
    ],
)  # fmt: skip
def test_what_is_spelled_out(sql: str, emits: str) -> None:
    """A value that is compared as a double and given as an integer has both types."""
    x, y = exp.column("huge"), exp.column("y")
    spelled = emits.replace("AS_DOUBLE(huge)", snippet(DUCKDB, "as_double", x=x).sql("duckdb"))
    rounded = snippet(DUCKDB, "round.places.double", x=y, power=exp.Literal.number("1e1")).sql("duckdb")
    assert emitted(sql) == spelled.replace("ROUNDED(y, 1e1)", rounded)


def test_decimals_that_need_more_than_38_digits_together_are_refused() -> None:
    """The engine would choose DECIMAL(38,3) and drop places of the other: 0.000001 would become 0."""
    kinds = {"yes": "BOOLEAN", "total": "DECIMAL(38,3)", "share": "DECIMAL(18,6)"}
    columns = {name: parse_type(kind) for name, kind in kinds.items()}
    tree = sqlglot.parse_one("case when yes then total else share end", read="duckdb")
    with pytest.raises(NotPortableError, match="38 digits"):
        portable(tree, [], columns, parse_type("DECIMAL(38,3)"))
