"""The kinds of the operands of a model's expressions, from the types of its columns and the rules of sqlglot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from functools import lru_cache

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types

from asknown.emit.unknown_types import is_unsized, typed_as
from asknown.types import SqlType, parse_type

UNKNOWN = "unknown"
_ROUNDS = 10  # rounds of finding the kinds of aliases: each round finds at least one
# Expressions of the same kind as their operands; a float wins over a decimal, and a decimal over an integer.
_LIKE_OPERANDS = (
    exp.Add,
    exp.Sub,
    exp.Mul,
    exp.Mod,
    exp.Neg,
    exp.Abs,
    exp.Round,
    exp.Floor,
    exp.Ceil,
    exp.Trunc,
    exp.Paren,
    exp.Case,
    exp.If,
    exp.Coalesce,
    exp.Nullif,
    exp.Greatest,
    exp.Least,
    exp.Min,
    exp.Max,
    exp.Sum,
    exp.Filter,
    exp.Window,
    exp.Alias,
)
SHIFTED = "shifted_"
"""How the names of calls begin that move an instant by a number of units, such as ``shifted_minute(t, n)``."""
_LENGTHS = tuple(f"to_{unit}s" for unit in ("microsecond", "millisecond", "second", "minute", "hour", "day", "week"))
_TEXTS = (exp.TimeToStr, exp.Left, exp.Right, exp.SplitPart, exp.Pad, exp.Replace, exp.RegexpReplace, exp.RegexpExtract)
_ALWAYS: tuple[tuple[tuple[type[exp.Expr], ...], str], ...] = (
    (_TEXTS, "text"),
    ((exp.Predicate, exp.Connector, exp.Not), "boolean"),
    ((exp.Array, exp.Split), "list"),
    ((exp.Interval,), "interval"),
    ((exp.TimeToUnix,), "float"),
    ((exp.Null,), "null"),
)
_NUMBERS = ("integer", "decimal", "float")
_EXAMPLES = {
    "integer": "BIGINT",
    "decimal": "DECIMAL(18,3)",
    "float": "DOUBLE",
    "text": "VARCHAR",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMPTZ",
}
"""A type of each kind that an alias can have."""


def operand_kinds(tree: exp.Expr, types: Mapping[str, SqlType]) -> dict[int, tuple[str, ...]]:
    """Maps the id of each node to the kinds of its operands, in order; ``unknown`` for those that are not sure.

    ``types`` has the types of the columns that the tree reads, by name in lower case, and of its parameters, by
    ``@name``. It does not hold for an alias of the tree that hides a column.
    """
    named = _named(tree)
    sure = {name: kind for name, kind in types.items() if named.get(name) != []}
    unsure: set[str] = set()
    stored = _renamed_in_place(tree)
    kinds = _kinds(tree, sure, types, stored)
    for _ in range(_ROUNDS):
        found = {name: {kinds.get(id(node), UNKNOWN) for node in nodes} for name, nodes in named.items() if nodes}
        # An alias is read as the column of its name, until its kind turns out to differ.
        wrong = {name for name, seen in found.items() if name in sure and seen != {sure[name].kind}}
        unsure |= wrong
        new = {
            name: parse_type(_EXAMPLES[next(iter(seen))])
            for name, seen in found.items()
            if name not in sure and name not in unsure and len(seen) == 1 and seen <= _EXAMPLES.keys()
        }
        if not wrong and not new:
            break
        sure = {name: kind for name, kind in (sure | new).items() if name not in wrong}
        kinds = _kinds(tree, sure, types, stored)
    else:
        kinds = {}
    return {
        id(node): tuple(kinds.get(id(operand), UNKNOWN) for operand in operands_of(node))
        for node in tree.walk()
        if not isinstance(node, exp.Column | exp.Identifier | exp.Literal)
    }


def operands_of(node: exp.Expr) -> list[exp.Expr]:
    """The operands of an expression, left to right; for CASE, its result branches.

    >>> from sqlglot import parse_one
    >>> [operand.sql() for operand in operands_of(parse_one("CASE WHEN a THEN b ELSE c END"))]
    ['b', 'c']
    """
    if isinstance(node, exp.Case):
        values = [branch.args["true"] for branch in node.args["ifs"]]
        return [*values, *([node.args["default"]] if node.args.get("default") else [])]
    if isinstance(node, exp.If):
        return [node.args["true"], *([node.args["false"]] if node.args.get("false") else [])]
    if isinstance(node, exp.Cast | exp.Round | exp.Window | exp.Alias):
        return [node.this]
    found: list[exp.Expr] = []
    for value in node.args.values():
        found += [part for part in (value if isinstance(value, list) else [value]) if isinstance(part, exp.Expr)]
    return found


def _named(tree: exp.Expr) -> dict[str, list[exp.Expr]]:
    """Maps each alias of the tree to the expressions that it names; to none if it names columns of a relation."""
    named: dict[str, list[exp.Expr]] = {}
    for alias in tree.find_all(exp.Alias):
        named.setdefault(alias.alias.casefold(), []).append(alias)
    for both in tree.find_all(exp.SetOperation):
        for left, right in zip(both.left.selects, both.right.selects, strict=False):
            named.setdefault(left.alias_or_name.casefold(), []).extend((left, right))
    for relation in tree.find_all(exp.TableAlias):
        named |= {column.name.casefold(): [] for column in relation.columns}
    return named


def _renamed_in_place(tree: exp.Expr) -> set[int]:
    """The ids of the columns that are surely of the relations that a model reads, whatever has their names too.

    In ``SELECT CAST(x AS VARCHAR) AS x FROM t``, the inner x is a column of t, for an alias does not read itself. So is
    any other x of the select, for columns come before aliases.
    """
    ctes = {cte.alias.casefold() for cte in tree.find_all(exp.CTE)}
    found = set()
    for select in tree.find_all(exp.Select):
        source = select.args.get("from_") or select.args.get("from")
        relations = [source, *select.args.get("joins", ())]
        tables = [relation.this if relation is not None else None for relation in relations]
        if not all(isinstance(table, exp.Table) and table.name.casefold() not in ctes for table in tables):
            continue
        items = [(item, [c for c in item.find_all(exp.Column) if c.parent_select is select]) for item in select.selects]
        names = {item.alias.casefold() for item, columns in items if item.alias and _has(columns, item.alias)}
        found |= {id(column) for _, columns in items for column in columns if column.name.casefold() in names}
    return found


def _has(columns: Sequence[exp.Column], name: str) -> bool:
    return any(column.name.casefold() == name.casefold() for column in columns)


def _kinds(
    tree: exp.Expr, types: Mapping[str, SqlType], columns: Mapping[str, SqlType], stored: Set[int]
) -> dict[int, str]:
    """Maps the id of each node to its kind, if every column of these names has these ``types``.

    The columns with the ids ``stored`` have the types of ``columns``.
    """
    twin = tree.copy()
    for given, node in zip(tree.walk(), twin.walk(), strict=True):
        if isinstance(node, exp.Column | exp.Parameter):
            name = node.name.casefold() if isinstance(node, exp.Column) else f"@{node.name}"
            known = columns if id(given) in stored else types
            if name in known:
                node.type = _data_type(_known(known[name]))
        elif isinstance(node, exp.Literal) and not node.is_string and set(node.this) <= set("0123456789."):
            node.type = exp.DataType.build("DECIMAL" if "." in node.this else "BIGINT")
    try:
        annotate_types(twin, overwrite_types=False, dialect="duckdb")
    except SqlglotError:
        return {}
    kinds: dict[int, str] = {}
    pairs = list(zip(tree.walk(), twin.walk(), strict=True))
    for node, annotated in reversed(pairs):
        below = [kinds.get(id(operand), UNKNOWN) for operand in operands_of(node)]
        kinds[id(node)] = _kind(node, annotated, below)
    return kinds


@lru_cache(maxsize=1024)
def _data_type(kind: str) -> exp.DataType:
    return exp.DataType.build(kind, dialect="duckdb", udt=True)


def _known(kind: SqlType) -> str:
    """The name of a type by which sqlglot and the rewrites know values of this type."""
    if is_unsized(kind):
        return "HUGEINT" if "INT" in kind.name.upper() else "DECIMAL"
    return typed_as(kind)


def _kind(node: exp.Expr, annotated: exp.Expr, below: Sequence[str]) -> str:
    for classes, kind in _ALWAYS:
        if isinstance(node, classes):
            return kind
    match node:
        case exp.Literal():
            return _literal(node)
        case exp.Add() | exp.Sub() | exp.Mul() | exp.Div() if found := _sum_or_product(node, *below):
            return found
        case exp.Anonymous() if node.name.casefold() in _LENGTHS:
            return "interval"
        case exp.Nullif() | exp.Lag() | exp.Lead() | exp.FirstValue() | exp.LastValue() if below:
            return below[0]
        case exp.Anonymous() if node.name.startswith(SHIFTED) and below:
            return below[0]
        case exp.TimestampTrunc() | exp.DateTrunc() | exp.DateBin() | exp.DateAdd() if "timestamptz" in below:
            return "timestamptz"
        case exp.AtTimeZone():
            return {"timestamp": "timestamptz", "timestamptz": "timestamp"}.get(below[0], UNKNOWN)
    return _common(below) if isinstance(node, _LIKE_OPERANDS) and below else _annotated(annotated)


def _literal(node: exp.Literal) -> str:
    if node.is_string:
        return "text"
    return "float" if "e" in node.this.casefold() else "decimal" if "." in node.this else "integer"


def _sum_or_product(node: exp.Expr, left: str, right: str) -> str | None:
    """The kind of a sum, difference, product or quotient, if it differs from that of the operands."""
    match node, left:
        case exp.Div(), _:
            return "interval" if left == "interval" else "float"
        case exp.Mul(), _:
            return "interval" if "interval" in (left, right) else None
        case _ if right == "interval":
            return "timestamp" if left == "date" else left
        case exp.Sub(), "date":
            return {"date": "integer", "integer": "date"}.get(right, UNKNOWN)
        case exp.Sub(), "timestamp" | "timestamptz":
            return UNKNOWN
    return None


def _common(kinds: Sequence[str]) -> str:
    """The common kind of several values, one of which is the result."""
    known = {kind for kind in kinds if kind != "null"}
    if known <= set(_NUMBERS):
        return max(known, key=_NUMBERS.index, default="null")
    return known.pop() if len(known) == 1 else UNKNOWN


def _annotated(node: exp.Expr) -> str:
    if node.type is None or node.type.this == exp.DType.UNKNOWN:
        return UNKNOWN
    return "null" if node.type.this == exp.DType.NULL else parse_type(node.type.sql("duckdb")).kind
