"""Expressions as people write them, made up at random from DuckDB's manual; and rows of edges to compute them over.

By kinds: N doubles, I integers, D decimals, S text, B booleans, T timestamps, A dates, L lists of text, M lists of
integers.
"""

from __future__ import annotations

import math
import random
import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any

COLUMNS: dict[str, tuple[str, list[Any]]] = {
    "amount": ("DOUBLE", [0.0, -0.0, 1.0, -1.0, 0.5, 2.5, -2.5, 1e300, -1e300, 5e-324, math.inf, -math.inf,
    math.nan, None,
                          1e15 + 0.5, 9007199254740993.0, 0.1, 100.0, 1e22, 709.9]),
    "lat": ("DOUBLE", [40.7, -33.9, 90.0, -90.0, 0.0, None, math.nan, 51.5, 1e17, 2.675]),
    "n": ("BIGINT", [0, 1, -1, 7, -7, 2**31, -(2**31), 2**53 + 1, 2**63 - 1, -(2**63), None, 10, 100, 3]),
    "i": ("INTEGER", [0, 1, -1, 2, -2, 5, 2**31 - 1, -(2**31), None, 3, 12]),
    "price": ("DECIMAL(10,2)", [Decimal(x) for x in ("0.00", "0.05", "-0.05", "2.50", "-2.50", "99999999.99",
    "1.15", "3.00")]
              + [None]),
    "rate": ("DECIMAL(4,4)", [Decimal(x) for x in ("0.0000", "0.5000", "-0.1250", "0.9999")] + [None]),
    "name": ("VARCHAR", ["", "a", "abc", "ABC", " pad ", "a@b@c", "é", "e\u0301", "ΑΣ", "ß", "\U0001f600x", "a%b_c",
    "a\nb",
                         "12", " 2.5 ", "-7", "1e3", "0x1F", "1_000", "inf", "nan", ".5", "abcabc", "\u00a0x\u3000",
                         None, "x" * 50,
                         "a.b*c", "İı", "\\", "'quoted'", "99999999999", "true"]),
    "ip": ("VARCHAR", ["10.0.0.1", "", "a", None, "b", "@", "é"]),
    "ok": ("BOOLEAN", [True, False, None]),
    "ts": ("TIMESTAMP", [datetime(1970, 1, 1), datetime(1969, 12, 31, 23, 59, 59, 999999), datetime(2024, 2, 29, 12,
    30, 15, 500000),
                         datetime(1900, 1, 1), datetime(2100, 12, 31, 23, 59, 59), None, datetime(2024, 12, 30),
                         datetime(1, 1, 1),
                         datetime(9999, 12, 31, 23, 59, 59, 999999), datetime(2023, 3, 26, 2, 30)]),
    "last_ts": ("TIMESTAMP", [datetime(1970, 1, 1, 0, 0, 0, 1), datetime(2024, 2, 28, 23, 59, 59), None,
    datetime(2000, 1, 1),
                              datetime(1969, 7, 20, 20, 17, 40), datetime(2024, 2, 29)]),
    "d": ("DATE", [date(1970, 1, 1), date(2024, 2, 29), date(1969, 12, 31), None, date(1900, 3, 1), date(2100, 2, 28),
                   date(1, 1, 1), date(9999, 12, 31), date(2021, 1, 3)]),
    "tags": ("VARCHAR[]", [[], ["x"], ["a", None, "x"], None, ["", "é"]]),
    "codes": ("BIGINT[]", [[], [1, 2], [None, 7], None, [2**63 - 1]]),
}  # fmt: skip

LEAVES = {
    "N": ["amount", "amount", "lat", "1e0", "0.5e0", "-2.5e0", "pi()"],
    "I": ["n", "i", "0", "1", "-3", "7", "100"],
    "D": ["price", "rate", "1.5", "0.25", "100.0"],
    "S": ["name", "name", "ip", "'a'", "'x-y'", "''", "'é'"],
    "B": ["ok", "true", "false"],
    "T": ["ts", "last_ts", "timestamp '2024-02-29 12:00:00'"],
    "A": ["d", "date '2024-02-29'"],
    "L": ["tags"],
    "M": ["codes"],
}
OPERANDS = {
    **{"N": ["amount", "lat"], "I": ["n", "i"], "D": ["price", "rate"], "S": ["name", "ip"], "B": ["ok"]},
    **{"T": ["ts", "last_ts"], "A": ["d"], "L": ["tags"], "M": ["codes"]},
}
"""The columns of each kind."""
_PARTS = ("year", "quarter", "month", "day", "week", "hour", "minute", "second", "dow", "isodow", "doy", "isoyear",
          "millisecond", "microsecond")  # fmt: skip
_UNITS = ("microsecond", "millisecond", "second", "minute", "hour", "day", "month", "quarter", "year")
FORMS = {
    "N": [
        *(f"(N {sign} N)" for sign in "+-*/%"), "(I / I)", "(D / I)", "(N * I)", "(D + N)", "(I - N)", "-N", "abs(N)",
        *(f"{f}(N)" for f in ("ln", "log10", "log", "log2", "exp", "sqrt", "sin", "cos", "tan", "asin", "acos",
        "atan", "radians",
                              "degrees", "cbrt", "floor", "ceil", "trunc", "round")),
        "ln(I)", "sqrt(I)", "exp(D)", "ln(D)", "floor(I)", "pow(N, N)", "pow(I, I)", "N ** 2", "pow(D, 2)",
        "power(N, 0.5)",
        "atan2(N, N)", "round(N, 1)", "round(N, 2)", "cast(I as double)", "cast(D as double)", "cast(S as double)",
        "try_cast(S as double)", "cast(B as double)", "epoch(T)", "epoch(A)", "epoch(T - T)", "extract(epoch from T)",
        "list_sum([N, N])", "list_sum([N, N, 1e16, N, -1e16])", "list_sum(list_transform(M, lambda x_: x_ * N))",
        "list_sum(list_filter([N, N, N], lambda x_: x_ > N))",
        "coalesce(N, N)", "nullif(N, N)", "nullif(N, 0)", "case when B then N else N end", "least(N, N)",
        "greatest(N, 0.0)",
        "greatest(N, I)", "case I when 1 then N when 7 then N end", "if(B, N, N)", "coalesce(N, I)",
    ],
    "I": [
        *(f"(I {sign} I)" for sign in ("+", "-", "*", "//", "%")), "-I", "abs(I)", "sign(N)", "sign(I)", "sign(D)",
        "cast(N as bigint)", "cast(N as integer)", "try_cast(N as integer)", "try_cast(N as bigint)",
        "cast(D as integer)",
        "cast(S as integer)", "try_cast(S as integer)", "try_cast(S as bigint)", "try_cast(S as hugeint)",
        "cast(B as integer)",
        "try_cast(I as smallint)", "length(S)", "len(S)", "len(L)", "array_length(L)", "len(M)",
        *(f"extract({part} from T)" for part in _PARTS), *(f"extract({part} from A)" for part in _PARTS),
        *(f"{f}(T)" for f in ("year", "month", "day", "hour", "minute", "second", "millisecond", "microsecond",
        "quarter", "week",
                              "dayofweek", "isodow", "dayofyear", "isoyear", "weekday", "dayofmonth", "weekofyear")),
        *(f"date_diff('{unit}', T, T)" for unit in _UNITS), *(f"date_diff('{unit}', A, T)" for unit in _UNITS),
        "date_diff('day', A, A)", "datediff('hour', T, T)", "date_part('hour', T)", "epoch_ms(T)", "epoch_us(T)",
        "epoch_ms(A)",
        "(A - A)", "coalesce(I, I)", "nullif(I, I)", "case when B then I else I end", "least(I, I)",
        "greatest(I, I)", "round(I)",
        "trunc(I)", "coalesce(I, 0)", "M[1]", "M[-2]", "M[I]", "list_sum(M)", "list_min(M)", "list_max(M)",
        "list_position(L, S)", "list_position(M, 7)", "list_position(L, null)", "len(M[2:])", "({'a': I, 'b': S}).a",
        "list_reduce(M, lambda a_, b_: a_ + b_)", "list_reduce(M, lambda a_, b_: greatest(a_, b_), 0)",
        "list_reduce(list_transform(M, lambda x_: {'n': 1, 'm': x_}), "
        "lambda a_, b_: {'n': a_.n + b_.n, 'm': least(a_.m, b_.m)}).n",
    ],
    "D": [
        "(D + D)", "(D - D)", "(D * D)", "D * 2", "-D", "abs(D)", "round(D, 1)", "round(D)", "floor(D)", "ceil(D)",
        "trunc(D)",
        "trunc(D, 1)", "cast(I as decimal(12,1))", "cast(D as decimal(12,1))", "try_cast(I as decimal(4,1))",
        "coalesce(D, D)",
        "coalesce(D, 0)", "case when B then D end", "least(D, D)", "nullif(D, 0)", "D + I",
    ],
    "S": [
        "lower(S)", "upper(S)", "trim(S)", "ltrim(S)", "rtrim(S)", "trim(S, 'xa')", "ltrim(S, ' a')", "substr(S, I)",
        "substr(S, I, I)",
        "substr(S, 1, 2)", "substr(S, -2)", "substring(S, 0, 2)", "left(S, 2)", "left(S, I)", "right(S, 3)",
        "right(S, I)", "left(S, -1)",
        "split_part(S, '@', 2)", "split_part(S, '.', -1)", "split_part(S, '@', I)", "replace(S, 'a', 'b')",
        "replace(S, '', 'z')",
        "replace(S, S, S)", "(S || S)", "(S || '_' || S)", "(S || I)", "(I || S)", "(S || B)", "(S || D)",
        "(A || S)", "concat(S, S)",
        "concat(S, I, B)", "concat(D, A)", "concat(S)", "cast(I as varchar)", "cast(B as varchar)",
        "cast(D as varchar)",
        "cast(A as varchar)", "coalesce(S, '?')", "coalesce(S, S)", "nullif(S, '')",
        "case when B then S else 'lo' end",
        "case S when 'a' then S else S end", "greatest(S, S)", "least(S, S)", "upper(left(S, 1))",
        "L[1]", "L[-1]", "L[I]", "list_max(L)", "list_min(L)", "({'a': I, 'b': S})['b']",
        "list_reduce(L, lambda a_, b_: concat(a_, b_), '')", "list_reduce(L, lambda a_, b_: a_ || '-' || b_)",
    ],
    "B": [
        *(f"({x} {sign} {x})" for x in "NIDSBTA" for sign in ("=", "<>", "<", "<=", ">", ">=")), "(N = I)",
        "(D < N)", "(I >= D)",
        "(A < T)", "(T = A)", "(A >= '2024-02-29')", "(T > '2000-01-01')",
        "(T between '1970-01-01' and '2100-01-01 00:00:00')",
        "(B and B)", "(B or B)", "not B", *(f"({x} is null)" for x in "NIDSBTAL"), "(S is not null)", "(B is true)",
        "(B is not false)",
        "(N between N and N)", "(I between 1 and 5)", "(S between 'a' and 'b')", "(S in ('a', 'b'))",
        "(S not in ('a', 'é'))",
        "(I in (1, 7, 100))", "(N in (0.5, 1.0))", "(N is distinct from N)", "(S is not distinct from S)",
        "isnan(N)", "isinf(N)",
        "isfinite(N)", "contains(S, S)", "contains(S, '')", "starts_with(S, 'a')", "prefix(S, S)", "ends_with(S, S)",
        "suffix(S, 'c')",
        "(S like 'a%')", "(S not like '%b_c')", "(S like '%a%b%')", "(S like '_')", "(S like '')", "(S like '%')",
        "(S like 'a\\%')",
        "(S like '%.%*%')", "list_contains(L, 'x')", "list_contains(L, S)", "list_contains(M, 7)",
        "list_contains(M, n)",
        "list_has(L, '')", "('x' in L)", "coalesce(B, false)", "case when B then B else B end", "cast(I as boolean)",
    ],
    "T": [
        *(f"date_trunc('{unit}', T)" for unit in (*_UNITS, "week")),
        *(f"date_trunc('{unit}', A)" for unit in ("week", "month", "day")),
        "(T + interval '7 days')", "(T - interval '90 minutes')", "(A + interval '1 week')", "(T + interval 1 hour)",
        "(T - interval '1 microsecond')", "cast(A as timestamp)", "coalesce(T, T)", "greatest(T, T)", "least(T, A)",
        "case when B then T else T end", "nullif(T, T)", "(T at time zone 'UTC') at time zone 'UTC'",
        "coalesce(A, T)",
    ],
    "A": [
        "cast(T as date)", "(A + 1)", "(A - 7)", "(A + i)", "(1 + A)", "coalesce(A, A)", "least(A, A)",
        "greatest(A, A)", "nullif(A, A)",
        "case when B then A else A end", "T::date",
    ],
    "L": [
        "coalesce(L, L)", "case when B then L else L end", "list_sort(L)", "list_reverse(L)", "L[1:2]", "L[-2:]",
        "L[:1]", "L[I:I]", "(L || L)", "[S, S]", "flatten([L, L])", "list_transform(L, lambda x_: upper(x_))",
        "list_transform(L, lambda x_, i_: concat(x_, i_))", "list_filter(L, lambda x_: x_ <> S)",
        "list_filter(L, lambda x_, i_: i_ <= 2 or x_ is null)",
        "list_transform(M, lambda x_: case when x_ > I then S else 'lo' end)",
        "flatten(list_transform(L, lambda x_: list_filter(L, lambda y_: y_ > x_)))",
    ],
    "M": [
        "coalesce(M, M)", "list_sort(M)", "list_reverse(M)", "M[2:]", "M[-9:-1]", "(M || M)", "[n, n]",
        "list_transform(M, lambda x_: x_ // 2)", "list_transform(M, lambda x_, i_: x_ % 7 + i_)",
        "list_transform(L, lambda x_: length(x_))", "list_filter(M, lambda x_: x_ > I)",
        "list_filter(M, lambda x_: x_ is not null)",
    ],
}  # fmt: skip

_SLOT = re.compile(r"\b[NIDSBTALM]\b")


def make_expression(choose: random.Random, kind: str | None = None, depth: int = 3) -> str:
    """The SQL of an expression of a kind; of any kind where none is given."""
    kind = kind or choose.choice("NNNIIIDSSSBBBTTALM")
    if depth == 0 or choose.random() < 0.15:
        return choose.choice(LEAVES[kind])
    form = choose.choice(FORMS[kind])
    return _SLOT.sub(lambda slot: make_expression(choose, slot[0], depth - 1), form)


def of_columns(form: str) -> str:
    """The SQL of a form over columns: slots of one kind have the kind's columns in turn."""
    seen: dict[str, int] = {}

    def fill(slot: re.Match[str]) -> str:
        seen[slot[0]] = seen.get(slot[0], -1) + 1
        columns = OPERANDS[slot[0]]
        return columns[seen[slot[0]] % len(columns)]

    return _SLOT.sub(fill, form)


def make_rows(choose: random.Random, count: int) -> list[dict[str, Any]]:
    """Rows of edges: each column's values in an order of its own, repeated."""
    columns = {}
    for name, (_, values) in COLUMNS.items():
        column = [value for _ in range(count // len(values) + 1) for value in choose.sample(values, len(values))]
        columns[name] = column[:count]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
