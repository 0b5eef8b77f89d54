"""What on-demand views may say is computed by the reader as by DuckDB, to the bit, or refused when compiled.

``ASKNOWN_EXPRESSIONS=10000 pytest tests/on_demand/test_on_demand_expressions.py`` compares as many expressions.
"""

from __future__ import annotations

import json
import math
import os
import random
import sys
import unicodedata
from decimal import Decimal
from typing import Any

import duckdb
import pytest
import sqlglot

from asknown.dialects.duckdb import DUCKDB
from asknown.emit.translate.define import define
from asknown.model.expressions.types import NotPortableError
from asknown.model.expressions.write import portable
from asknown.types import SqlType, parse_type
from asknown.values import maths, texts
from asknown.values.errors import EvaluationError
from asknown.values.expressions import compile_expression
from asknown.values.functions import compile_row
from on_demand.grammar import COLUMNS, make_expression, make_rows

COUNT = int(os.environ.get("ASKNOWN_EXPRESSIONS", "300"))
SEED = int(os.environ.get("ASKNOWN_SEED", "15"))
TYPES = {name: parse_type(kind) for name, (kind, _) in COLUMNS.items()}
ROWS = make_rows(random.Random(1), 60)
REFUSED = "refused"
FAILURES = (
    duckdb.OutOfRangeException,
    duckdb.ConversionException,
    duckdb.InvalidInputException,
)


@pytest.fixture(scope="module")
def engine() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("set threads = 1")
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("pragma disable_optimizer")  # it turns 0 = x - 1 into x = 1, and so spares an overflow
    connection.execute(
        f"create table t (place integer, {', '.join(f'{n} {kind}' for n, (kind, _) in COLUMNS.items())})"
    )
    places = ", ".join(f"?::{kind}" for kind in ["integer", *(kind for kind, _ in COLUMNS.values())])
    for place, row in enumerate(ROWS):
        values = [format(v, "f") if isinstance(v, Decimal) else v for v in row.values()]
        connection.execute(f"insert into t values ({places})", [place, *values])
    return connection


def exactly(value: Any) -> Any:
    """A form of the value in which equality is identity: of type, of bits, of a decimal's scale."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else value.hex()
    return (type(value).__name__, str(value))


def kind_of(engine: duckdb.DuckDBPyConnection, sql: str) -> SqlType | None:
    """The engine's type of an expression; None if it does not bind."""
    try:
        return parse_type(engine.execute(f"describe select {sql} as v from t").fetchall()[0][1])
    except duckdb.Error:
        return None


def in_engine(engine: duckdb.DuckDBPyConnection, sql: str) -> list[Any]:
    """The expression over every row; row by row where one of them cannot be computed."""
    try:
        return [exactly(value) for (value,) in engine.execute(f"select {sql} from t order by place").fetchall()]
    except duckdb.Error as error:
        assert is_failure(error), error
        found = []
        for place in range(len(ROWS)):
            try:
                found.append(exactly(engine.execute(f"select {sql} from t where place = {place}").fetchall()[0][0]))
            except duckdb.Error as failed:
                assert is_failure(failed), failed
                found.append(REFUSED)
        return found


def is_failure(error: duckdb.Error) -> bool:
    """Whether a value could not be computed."""
    return isinstance(error, FAILURES) or "empty input list" in str(error)


def in_reader(tree: Any) -> list[Any]:
    """The expression over every row, by closures and by the function that reads use: they must agree."""
    tree = json.loads(json.dumps(tree))  # as it comes back from the file
    evaluate, compute = compile_expression(tree, {}), compile_row([at_places(tree)])
    found = []
    for row in ROWS:
        ways = []
        for way in (lambda row=row: evaluate((), row), lambda row=row: compute(list(row.values()))[0]):
            try:
                ways.append(exactly(way()))
            except EvaluationError:
                ways.append(REFUSED)
        assert ways[0] == ways[1], (tree, row)
        found.append(ways[0])
    return found


def at_places(tree: Any) -> Any:
    """The tree over the places of a row."""
    operation, kind, *parts = tree
    if operation == "column":
        return ("call", kind, list(COLUMNS).index(parts[0]))
    if operation == "literal":
        return tree
    return (operation, kind, *(at_places(part) if isinstance(part, list) else part for part in parts))


def written(sql: str, kind: SqlType | None) -> tuple[Any, str]:
    """The expression's tree for the reader, and its SQL as the training query has it."""
    expression = sqlglot.parse_one(f"select {sql}", read="duckdb").selects[0]
    tree = portable(expression, (), TYPES, kind)
    return tree, define(expression, DUCKDB, (), TYPES).sql("duckdb")


def differences(engine: duckdb.DuckDBPyConnection, sql: str) -> tuple[str, list[Any]]:
    """``compared``, ``refused`` or ``unbound``; and the rows in which the two ends differ."""
    kind = kind_of(engine, sql)
    if kind is None or kind.name.strip('"') == "NULL":
        return "unbound", []
    try:
        tree, spelled = written(sql, kind)
    except NotPortableError as reason:
        return f"refused: {reason}", []
    # The training query asks whether a list is empty before it looks for a value in it.
    lazy = any(word in sql for word in ("coalesce", "case", "if(", " and ", " or ", "list_contains", "list_has"))
    wrong = []
    for row, ours, theirs in zip(ROWS, in_reader(tree), in_engine(engine, spelled), strict=True):
        untaken = REFUSED in (ours, theirs) and (
            lazy or exactly(None) in (ours, theirs) or " and " in sql or " or " in sql
        )
        if ours != theirs and not untaken:  # the engine may compute a branch that is not taken
            wrong.append((ours, theirs, {name: row[name] for name in COLUMNS if name in sql}))
    return "compared", wrong


def test_made_up_expressions_are_the_same_at_both_ends(engine: duckdb.DuckDBPyConnection) -> None:
    choose = random.Random(SEED)
    counts = {"compared": 0, "refused": 0, "unbound": 0}
    wrong = []
    for _ in range(COUNT):
        sql = make_expression(choose)
        verdict, found = differences(engine, sql)
        counts[verdict.partition(":")[0]] += 1
        wrong += [(sql, *found[0])] if found else []
    print(f"seed {SEED}: {counts}")
    assert not wrong, "\n".join(map(str, wrong[:40]))
    assert counts["compared"] > 3 * counts["refused"]


APPENDIX = """
amount/nullif(n,0)
2*6371*asin(sqrt(pow(sin(radians(lat-40.7)/2),2)+cos(radians(lat))*cos(radians(40.7))*pow(sin(radians(amount+74)/2),2)))
lower(name)
trim(name)
length(name)
name || '_' || ip
name like 'a%'
name in ('a','b')
split_part(name,'@',2)
date_diff('second',last_ts,ts)
epoch(ts-last_ts)
extract(hour from ts)
hour(ts)
dayofweek(ts)
isodow(ts)
date_trunc('day',ts)
ts::date
d + 1
ln(amount+1)
log10(amount)
exp(-amount)
pow(amount,2)
price*2
price/3
round(price,1)
amount::int
n::varchar
name::int
try_cast(name as int)
case when amount>100 then 'hi' else 'lo' end
coalesce(name,'?')
len(tags)
list_contains(tags,'x')
amount between 1 and 5
n % 7
n // 7
greatest(amount,n)
sign(amount)
concat(name,ip)
left(name,2)
substr(name,1,2)
starts_with(name,'x')
replace(name,'-','')
epoch(ts)
abs(n)
floor(amount)
amount is null
least(greatest(amount,0.0),1.0)
contains(lower(name),'x')
upper(left(name,1))
ts + interval '7 days'
date_diff('day',d,ts::date)
n > 10 and name = 'gold'
sqrt(amount)
""".strip().splitlines()


@pytest.mark.parametrize("sql", APPENDIX)
def test_what_people_write_compiles_and_is_the_same(engine: duckdb.DuckDBPyConnection, sql: str) -> None:
    assert differences(engine, sql) == ("compared", [])


@pytest.mark.parametrize(
    ("sql", "instead"),
    [
        ("regexp_matches(name,'^a')", "write like, starts_with"),
        ("hash(name)", "in a model below"),
        ("md5(name)", "in a model below"),
        ("levenshtein(name,ip)", "in a model below"),
        ("strftime(ts,'%H')", "write extract"),
        ("date_diff('week', ts, last_ts)", "write date_diff('day', a, b) // 7"),
        ("name ilike 'a%'", "write lower(x) like"),
        ("log(3, amount)", "write ln(x) / ln(b)"),
        ("ts - last_ts", "write date_diff"),
        ("epoch(ts - (last_ts at time zone 'UTC'))", "write … at time zone 'UTC' behind the one with a zone"),
        ("ts + interval '1 month'", "of a fixed unit"),
        ("hour(ts at time zone 'UTC')", "write … at time zone 'UTC' first"),
        ("ts at time zone 'Europe/Oslo'", "in a model below"),
        ("amount::varchar", "conversion from DOUBLE to VARCHAR"),
        ("name || amount", "writes such values in its own way"),
        ("d + n", "cast it to INTEGER"),
        ("list_contains(codes, amount)", "cast"),
        ("d = '2024-02-30'", "is not read as a DATE"),
        ("tags['a']", "a place in a list is a whole number"),
        ("list_avg([amount])", "list_sum(l) / len(l)"),
        ("list_reduce(codes, lambda a_, b_: a_ + b_ + 0.5)", "cast it"),
        ("list_sort(tags, 'desc')", "list_reverse(list_sort(l))"),
        ("list_distinct(tags)", "is not supported"),
    ],
)
def test_what_is_refused_says_what_to_write(sql: str, instead: str) -> None:
    with pytest.raises(NotPortableError) as refused:
        written(sql, None)
    assert instead in str(refused.value)


def test_letters_change_case_as_in_the_engine(engine: duckdb.DuckDBPyConnection) -> None:
    """Every code point that Python's version of Unicode and the engine's both know."""
    points = [chr(n) for n in range(1, sys.maxunicode + 1) if not 0xD800 <= n < 0xE000]
    points = [point for point in points if unicodedata.category(point) != "Cn"]
    found = engine.execute("select lower(p), upper(p) from (select unnest(?) as p)", [points]).fetchall()
    assert [p for p, (small, _) in zip(points, found, strict=True) if texts.lower(p) != small] == []
    assert [p for p, (_, capital) in zip(points, found, strict=True) if texts.upper(p) != capital] == []


@pytest.mark.parametrize("name", [*maths.DOUBLES, "sqrt"])
def test_functions_of_doubles_have_the_engine_s_bits(engine: duckdb.DuckDBPyConnection, name: str) -> None:
    choose = random.Random(name)
    spread = [choose.uniform(-1, 1) * 10 ** choose.randint(-12, 12) for _ in range(20_000)]
    others = [choose.uniform(-5, 5) for _ in spread]
    two = name in ("pow", "atan2")
    sql = f"select {name}(x{', y' if two else ''}) from (select unnest(?) as x, unnest(?) as y)"
    theirs = [value for (value,) in engine.execute(sql, [spread, others]).fetchall()]
    tree = (name, "DOUBLE", ("column", "DOUBLE", "x"), *([("column", "DOUBLE", "y")] if two else []))
    evaluate = compile_expression(tree, {})
    ours = [evaluate((), {"x": x, "y": y}) for x, y in zip(spread, others, strict=True)]
    assert [x for x, a, b in zip(spread, ours, theirs, strict=True) if exactly(a) != exactly(b)] == []
