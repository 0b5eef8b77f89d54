"""The kinds of values that a model's expressions stand over, where its columns and sqlglot's rules tell them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types

from asknown.types import SqlType, parse_type

UNKNOWN = "unknown"
# Of the same kind as what they stand over; a float wins over a decimal, and that over an integer.
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
"""A type of each kind that an alias may have."""


def operand_kinds(tree: exp.Expr, types: Mapping[str, SqlType]) -> dict[int, tuple[str, ...]]:
    """For each node, by its id, the kinds of its operands in their order: ``unknown`` where they are not sure.

    ``types`` are those of the columns that the tree reads, by name in lower case, and of its parameters by ``@name``.
    A name that the tree itself gives to something is not looked up there.
    """
    kinds = _kinds(tree, types, {})
    aliases: dict[str, str] = {}  # what the tree itself names, and its kind where all of a name are of one
    for alias in tree.find_all(exp.Alias):
        kind = kinds.get(id(alias), UNKNOWN)
        aliases[alias.alias.casefold()] = kind if aliases.get(alias.alias.casefold(), kind) == kind else UNKNOWN
    kinds = _kinds(tree, types, aliases)
    return {
        id(node): tuple(kinds.get(id(operand), UNKNOWN) for operand in operands_of(node))
        for node in tree.walk()
        if not isinstance(node, exp.Column | exp.Identifier | exp.Literal)
    }


def operands_of(node: exp.Expr) -> list[exp.Expr]:
    """What a node stands over, in the order of its text; of CASE its values."""
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


def _kinds(tree: exp.Expr, types: Mapping[str, SqlType], aliases: Mapping[str, str]) -> dict[int, str]:
    twin = tree.copy()
    named = {alias.alias.casefold() for alias in tree.find_all(exp.Alias) if not _renames_nothing(alias)}
    listed = {column.name.casefold() for alias in tree.find_all(exp.TableAlias) for column in alias.columns}
    named |= listed
    sure = {
        name: _EXAMPLES[kind]
        for name, kind in aliases.items()
        if kind in _EXAMPLES and name not in listed and types.get(name, parse_type(_EXAMPLES[kind])).kind == kind
    }
    for node in twin.walk():
        if isinstance(node, exp.Column | exp.Parameter):
            name = node.name.casefold() if isinstance(node, exp.Column) else f"@{node.name}"
            if name in types and name not in named:
                node.type = exp.DataType.build(types[name].name, dialect="duckdb", udt=True)
            elif name in sure:
                node.type = exp.DataType.build(sure[name], dialect="duckdb")
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


def _kind(node: exp.Expr, annotated: exp.Expr, below: Sequence[str]) -> str:
    if isinstance(node, exp.Interval):
        return "interval"
    if isinstance(node, exp.Add | exp.Sub) and len(below) > 1 and below[1] == "interval":
        return "timestamp" if below[0] == "date" else below[0]
    if isinstance(node, exp.Sub) and below and below[0] in ("date", "timestamp", "timestamptz"):
        return {"date": "integer", "integer": "date"}.get(below[1], UNKNOWN) if below[0] == "date" else UNKNOWN
    if isinstance(node, exp.Nullif):
        below = below[:1]
    if isinstance(node, _LIKE_OPERANDS) and below:
        given = [kind for kind in below if kind != "null"]
        if set(given) <= set(_NUMBERS):
            return max(given, key=_NUMBERS.index, default="null")
        return given[0] if all(kind == given[0] for kind in given) else UNKNOWN
    if annotated.type is None or annotated.is_type(exp.DType.UNKNOWN):
        return UNKNOWN
    if annotated.is_type(exp.DType.NULL):
        return "null"
    return parse_type(annotated.type.sql("duckdb")).kind


def _renames_nothing(alias: exp.Alias) -> bool:
    return isinstance(alias.this, exp.Column) and alias.this.name.casefold() == alias.alias.casefold()
