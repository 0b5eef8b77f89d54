"""Expressions that test every operation of a portable expression on a table of extreme values.

An engine and the online table must compute each of them to the same bits (``store.parity`` compares them). An
expression stands for the operation at its root: where its values differ, features that use this operation differ too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from sqlglot import exp, parse_one

from asknown.model.expressions.write import Tree, portable
from asknown.types import SqlType, parse_type
from asknown.values.times import CUTS, DIFFERENCES, PARTS

EDGE_ROWS: Mapping[str, tuple[str, tuple[str | None, ...]]] = {
    "x": ("DOUBLE", ("2.5", "-2.5", "2.675", "-0.0", "1e300", "nan", "inf", "4503599627370497.5", "1e17", None)),
    "y": ("DOUBLE", ("0.5", "0.0", "-3.5", "0.0", "1e-300", "nan", "-inf", "0.49999999999999994", "1.115", "1.0")),
    "f": ("FLOAT", ("0.1", "-0.5", "16777216", "-0.0", "1e38", "nan", "inf", "1e-45", "3.4", None)),
    "i": ("INTEGER", ("7", "-7", "0", "3", "-1", "2", "5", "-3", "1", None)),
    "j": ("INTEGER", ("2", "2", "-2", "-3", "5", "3", "7", "2", "1", "4")),
    "k": (
        "BIGINT",
        ("9007199254740993", "-9007199254740993", "0", "12", "-1", "4611686018427387905", "2", "8", "5", None),
    ),
    "h": (
        "HUGEINT",
        (
            *("18446744073709553665", "-18446744073709553665", "-18446744073709551616", "13835058055282164225"),
            *("9007199254740993", "-9007199254740995", "166153499473114484112975882535043073", "0", "-1", None),
        ),
    ),
    "p": ("DECIMAL(10,2)", ("2.50", "-2.50", "0.10", "0.00", "99999999.99", "1.15", "-0.05", "1.50", "3.00", None)),
    "q": (
        "DECIMAL(18,6)",
        (
            *("0.000001", "-2.500000", "123456789.654321", "2.500000", "-1.000000", "7.000000", "0.300000"),
            *("0.000000", "0.100000", "1.000000"),
        ),
    ),
    "w": (
        "DECIMAL(38,0)",
        (
            *("18446744073709553665", "-18446744073709553665", "9007199254740993", "0", "-9007199254740995", "1"),
            *("99999999999999999999999999999999999", "-3", "10", None),
        ),
    ),
    "b": ("BOOLEAN", ("true", "false", None, "true", "false", None, "true", "false", None, "true")),
    "c": ("BOOLEAN", ("true", "true", "true", "false", "false", "false", None, None, None, "true")),
    "s": ("VARCHAR", ("", "a", "B", "é", "z", "\U0001f600", "\ufffd", "aa", "a ", None)),
    "r": ("VARCHAR", ("a", "A", "b", "e", "Z", "\ufffd", "\U0001f600", "aa", "a", "x")),
    "d": ("DATE", ("1969-12-31", "2024-02-29", *["2000-01-01"] * 7, None)),
    "e": ("DATE", ("1970-01-01", "2024-02-28", *["2000-01-01"] * 8)),
    "t": ("TIMESTAMP", ("1969-12-31 23:59:59.999999", *["2024-02-29 12:00:00.5"] * 8, None)),
    "u": ("TIMESTAMP", ("1970-01-01 00:00:00", "2024-02-29 12:00:00.5", *["2024-02-29 12:00:00.500001"] * 8)),
    "v": (
        "TIMESTAMP",
        (
            *(
                "1969-12-31 23:59:59.9985",
                "2024-12-30 00:00:00",
                "2023-01-01 12:34:56.789012",
                "1900-03-01 00:00:00.0005",
            ),
            *("9998-12-31 23:59:59.999999", "0001-01-01 00:00:00", "2100-02-28 06:00:00", "2021-01-03 01:02:03", None),
            "1970-01-01 00:00:00.0015",
        ),
    ),
    "n": ("VARCHAR", ("12", " 2.5 ", "-7", "1e3", "0x1F", "1_000", ".5", "-0.5", "0b11", None)),
    "a": ("VARCHAR", ("a@b@c", "@", "", "x-y-x", "  pad\u00a0", "ΑΣ", "ß@", "a%b_c", "a\nb", None)),
    "l": ("VARCHAR[]", ("[a, x]", "[]", "[x, NULL]", None, "[B]", "[x]", "[b, a]", "[aa]", "[A]", "[x, x]")),
    "m": ("DOUBLE[]", ("[1.0, 2.5]", "[]", "[nan]", None, "[-0.0]", "[inf]", "[NULL, 2.5]", "[3.0]", "[2.5]", "[]")),
    "g": (
        "STRUCT(a INTEGER, b VARCHAR)",
        ("{'a': 1, 'b': x}", "{'a': 2, 'b': NULL}", None, *["{'a': NULL, 'b': y}"] * 7),
    ),
}
"""The columns of the table: the type of each, and its values as text, row by row."""

LEAVES = ("call", "column", "literal", "parameter")
_PAIRS = ("x {} y", "i {} j", "k {} i", "h {} k", "p {} q", "s {} r", "d {} e", "t {} u", "b {} c", "h {} x", "w {} y")
_EXPRESSIONS = (
    *(pair.format(sign) for sign in ("=", "<>", "<", "<=", ">", ">=") for pair in _PAIRS),
    *(pair.format("is distinct from") for pair in _PAIRS),
    *(
        pair.format(sign)
        for sign in ("+", "-")
        for pair in ("x {} y", "i {} j", "k {} 1", "h {} k", "p {} q", "p {} i")
    ),
    *("x * y", "i * j", "h * j", "p * q", "p * 3", "x / y", "i / j", "h / k", "p / q", "w / x", "100.0 * i / j"),
    *("x % y", "i // j", "k // j", "h // j", "i % j", "k % j", "h % j", "-x", "-i", "-h", "-p"),
    *("abs(x)", "abs(i)", "abs(h)", "abs(p)"),
    *("round(x)", "round(y)", "round(x, 1)", "round(x, 2)", "round(y, 2)", "round(x, 15)", "round(y, 0)"),
    *("floor(x)", "floor(y)", "ceil(x)", "ceil(y)", "sqrt(abs(x))", "sqrt(abs(y))"),
    *("isnan(x)", "isinf(x)", "isfinite(x)", "b and c", "b or c", "not b", "x is null", "s is null"),
    *("least(x, y)", "greatest(x, y)", "least(i, j)", "greatest(h, k)", "least(p, q)", "greatest(s, r)", "least(s, r)"),
    *("greatest(d, e)", "least(t, u)", "greatest(b, c)"),
    *("coalesce(x, y)", "coalesce(i, j)", "nullif(x, y)", "nullif(i, 7)", "nullif(p, 2.5)"),
    *("case when b then x else y end", "case when i > j then i when b then j end", "case i when 7 then s else r end"),
    *("cast(i as bigint)", "cast(i as hugeint)", "cast(b as integer)", "cast(i as boolean)", "cast(b as double)"),
    *("cast(case when abs(x) < 1e15 then x end as bigint)", "cast(case when abs(y) < 9 then y end as integer)"),
    *("cast(p as integer)", "cast(q as bigint)", "cast(k as double)", "cast(h as double)", "cast(p as double)"),
    *("cast(w as double)", "cast(q as double)", "cast(f as double)", "cast(i as decimal(12,1))"),
    *("cast(q as decimal(12,1))", "cast(p as decimal(38,6))", "cast(h as decimal(38,0))"),
    *(
        f"{name}(x)"
        for name in ("ln", "log10", "log2", "exp", "sin", "cos", "tan", "atan", "cbrt", "degrees", "radians")
    ),
    *("asin(y)", "acos(y)", "pow(x, y)", "pow(y, x)", "atan2(x, y)", "sign(x)", "sign(i)", "sign(p)", "trunc(x)"),
    *("round(p)", "round(q, 3)", "floor(p)", "ceil(p)", "trunc(p)", "trunc(q, 2)"),
    *(
        "lower(a)",
        "upper(a)",
        "length(a)",
        "len(l)",
        "trim(a)",
        "ltrim(a)",
        "rtrim(a)",
        "trim(a, 'ax')",
        "ltrim(a, 'a')",
    ),
    *("rtrim(a, 'c')", "substr(a, 2)", "substr(a, i, j)", "substr(a, -2, 1)", "left(a, j)", "right(a, j)"),
    *("split_part(a, '@', 2)", "split_part(a, '@', -1)", "contains(a, '@')", "starts_with(a, s)", "ends_with(a, 'c')"),
    *("replace(a, 'a', 'bb')", "replace(a, '', 'z')", "a like 'a%b_c'", "a like '_'", "a like '%-%-%'", "a || n"),
    *("l[1]", "l[-1]", "l[i]", "l[1:1]", "l[-2:]", "l[j:k]", "l || l", "list_reverse(l)", "list_sort(l)"),
    *("list_sort(m)", "list_position(l, 'x')", "list_position(m, x)", "list_min(m)", "list_max(m)", "list_max(l)"),
    *("flatten([l, l])", "[x, y]", "[s, r]", "{'a': i, 'b': s}", "list_sum([i, j])", "list_sum([p, p])"),
    *("list_sum(m)", "list_sum([y, 1e16, y, -1e16, 1e-300])"),
    *("list_transform(l, lambda e_: length(e_))", "list_transform(m, lambda e_, i_: e_ * i_)"),
    *("list_filter(l, lambda e_: e_ <> 'x')", "list_filter(l, lambda e_, i_: i_ < 2)"),
    *("list_reduce([x, y], lambda a_, b_: a_ + b_)", "list_reduce(l, lambda a_, b_: a_ || b_, s)"),
    *("concat(a, n, i)", "list_contains(l, 'x')", "list_contains(m, x)", "g['a']", "g['b']"),
    *("cast(i as varchar)", "cast(b as varchar)", "cast(p as varchar)", "cast(d as varchar)", "cast(n as integer)"),
    *("cast(n as bigint)", "try_cast(concat(n, s) as integer)", "try_cast(n as hugeint)", "try_cast(x as integer)"),
    *("cast(case when n not like '0%' then n end as double)", "try_cast(n as double)"),
    *("cast(d as timestamp)", "cast(v as date)", "d + 1", "d - i", "d - e", "v + interval '90 minutes'"),
    *("d - interval '1 week'", "epoch(v - u)", "epoch(v)", "epoch(d)", "epoch_ms(v)", "epoch_us(v)"),
    *("v at time zone 'UTC'", "(v at time zone 'UTC') at time zone 'UTC'"),
    *(f"date_diff('{unit}', u, v)" for unit in DIFFERENCES),
    *(f"date_diff('{unit}', d, v)" for unit in DIFFERENCES),
    *(f"extract({part} from v)" for part in PARTS),
    *(
        f"extract({part} from d)"
        for part in ("year", "month", "day", "week", "dow", "isodow", "doy", "quarter", "isoyear")
    ),
    *(f"date_trunc('{unit}', v)" for unit in CUTS),
    *(f"date_trunc('{unit}', d)" for unit in ("day", "week", "month", "quarter", "year")),
)


@dataclass(frozen=True)
class Edge:
    """An expression over the columns of :data:`EDGE_ROWS`: as the author's SQL, parsed, and as a portable tree."""

    sql: str
    expression: exp.Expr
    tree: Tree

    @property
    def operation(self) -> str:
        """The operation that it stands for."""
        return operation_of(self.tree)


def edge_types() -> dict[str, SqlType]:
    """The types of the table's columns."""
    return {name: parse_type(kind) for name, (kind, _) in EDGE_ROWS.items()}


@cache
def read_edges(expressions: tuple[str, ...] = _EXPRESSIONS) -> tuple[Edge, ...]:
    """The expressions, in the order of the table."""
    types = edge_types()
    edges = []
    for sql in expressions:
        expression = parse_one(sql, read="duckdb")
        edges.append(Edge(sql, expression, portable(expression, (), types)))
    return tuple(edges)


def operation_of(tree: Tree) -> str:
    """The operation at a tree's root, with the kind of what it stands over where it depends on it."""
    name, kind, *parts = tree
    if name == "cast":
        return f"cast of {operand_kind(parts[0][1])} to {operand_kind(kind)}"
    if name in _OF_ANY_KIND:
        return str(name)
    return f"{name}{' to places' if name == 'round' and len(parts) > 1 else ''} of {operand_kind(parts[0][1])}"


def operations_of(tree: Tree) -> frozenset[str]:
    """All operations in a tree."""
    return frozenset(map(operation_of, _operations(tree)))


def columns_of(tree: Tree) -> list[str]:
    """The columns in a tree, in their order."""
    if tree[0] == "column":
        return [tree[2]]
    found = [name for part in tree[2:] if isinstance(part, tuple) for name in columns_of(part)]
    return list(dict.fromkeys(found))


def _operations(tree: Tree) -> Iterator[Tree]:
    if tree[0] in LEAVES:
        return
    if tree[0] != "lambda":
        yield tree
    for part in tree[2:]:
        if isinstance(part, tuple):
            yield from _operations(part)


def operand_kind(name: str) -> str:
    """The kind of a type by its name; integers and whole decimals that may need more than 64 bits are wide."""
    kind = parse_type(name)
    whole = kind.kind == "integer" or (kind.kind == "decimal" and kind.scale == 0)
    return f"wide {kind.kind}" if whole and (kind.bits > 64 or kind.precision > 18) else kind.kind


_OF_ANY_KIND = ("struct", "case", "coalesce", "nullif", "is null", "and", "or", "not")
