"""Writes an expression of an on-demand feature, or over windows, as a tree that the reader evaluates to the same bits.

The tree consists of a small closed set of operations (``values.expressions`` lists them). The engine's rules for types
are applied here, where the types are known. SQL without an operation, or without one that is surely exact, is refused
with a reason: the feature then needs a simpler expression, or its view ``online=false``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from asknown.model.expressions import lists, texts, times
from asknown.model.expressions.arithmetic import (
    Write,
    Writer,
    absolute,
    negative,
    operation,
    product,
    quotient,
    remainder,
    whole_quotient,
)
from asknown.model.expressions.maths import logarithm, of_double, of_doubles, pi, rounding, sign
from asknown.model.expressions.texts import list_contains
from asknown.model.expressions.times import time_literal
from asknown.model.expressions.types import (
    BOOLEAN,
    DATE,
    DOUBLE,
    NULL,
    NotPortableError,
    Part,
    convert,
    convert_exactly,
    literal_integer,
    try_convert,
    unify,
)
from asknown.types import Kind, SqlType, parse_type

Tree = tuple[Any, ...]

_ORDERED: frozenset[Kind] = frozenset(
    {"boolean", "integer", "float", "decimal", "text", "date", "time", "timestamp", "timestamptz"}
)
_EQUAL: frozenset[Kind] = _ORDERED | {"uuid", "blob"}


def portable(
    expression: exp.Expr,
    call_types: Sequence[SqlType],
    column_types: Mapping[str, SqlType],
    result: SqlType | None = None,
) -> Tree:
    """The tree of ``expression``, in which ``@i`` is call ``i`` and columns are hidden as-of columns.

    ``result`` is the feature's type; without it the value keeps the type that the expression gives. Raises
    :class:`NotPortableError` with the reason if the expression cannot be computed exactly outside the engine.
    """
    part = TreeWriter(call_types, column_types).part(expression)
    return part.tree if result is None else convert_exactly(part, result).tree


def type_of(expression: exp.Expr, call_types: Sequence[SqlType], column_types: Mapping[str, SqlType]) -> SqlType:
    """The type of ``expression`` as :func:`portable` takes it, before any conversion to a feature's type."""
    return TreeWriter(call_types, column_types).part(expression).type


@dataclass(frozen=True)
class TreeWriter:
    """Writes nodes of an expression as trees, and remembers which node each tree was written from."""

    call_types: Sequence[SqlType]
    column_types: Mapping[str, SqlType]
    nodes: dict[int, tuple[Tree, exp.Expr]] = field(default_factory=dict)
    """By a tree's id: the tree, and its node."""
    parameters: dict[str, Part] = field(default_factory=dict)
    """The parameters of the lambdas around a node, by their names in lower case."""
    _count: list[None] = field(default_factory=list)

    def part(self, node: exp.Expr) -> Part:
        """The node's tree and type."""
        write = _NODES.get(type(node))
        if write is None:
            raise NotPortableError(f"{_spell(node)} is not supported{_instead(node)}")
        part = write(self, node)
        self.nodes.setdefault(id(part.tree), (part.tree, node))  # of x and (x), which have one tree, it is x
        return part

    def parts(self, *nodes: exp.Expr) -> list[Part]:
        return [self.part(node) for node in nodes]

    def with_parameters(self, types: Mapping[str, SqlType], body: exp.Expr) -> tuple[Part, list[int]]:
        """The body of a lambda whose parameters have these types, and the numbers of these parameters in the tree."""
        outer = dict(self.parameters)
        numbers = []
        for name, kind in types.items():
            numbers.append(len(self._count))
            self._count.append(None)
            self.parameters[name.casefold()] = Part(("parameter", kind.name, numbers[-1]), kind)
        try:
            return self.part(body), numbers
        finally:
            self.parameters.clear()
            self.parameters.update(outer)

    def condition(self, node: exp.Expr) -> Part:
        """A part that is true, false or NULL."""
        part = self.part(node)
        if part.type is NULL:
            return convert(part, BOOLEAN)
        if part.type != BOOLEAN:
            raise NotPortableError(f"{_spell(node)} is a {part.type}, not a condition")
        return part


# ---------------------------------------------------------------- leaves


def _paren(writer: Writer, node: exp.Expr) -> Part:
    return writer.part(node.this)


def _call(writer: Writer, node: exp.Expr) -> Part:
    place = int(node.name)
    kind = writer.call_types[place]
    return Part(("call", kind.name, place), kind)


def _column(writer: Writer, node: exp.Expr) -> Part:
    kind = writer.column_types[node.name]
    return Part(("column", kind.name, node.name), kind)


def _literal(_writer: Writer, node: exp.Expr) -> Part:
    text = node.name
    if node.args["is_string"]:
        return Part(("literal", "VARCHAR", text), parse_type("VARCHAR"))
    if text.isdecimal():
        return literal_integer(int(text))
    if "e" in text.lower():
        return Part(("literal", "DOUBLE", float(text)), DOUBLE)
    whole, _, places = text.partition(".")
    if not (whole + places).isdecimal() or len(whole + places) > 38:
        raise NotPortableError(f"the number {text} is not supported")
    kind = parse_type(f"DECIMAL({max(len(whole + places), 1)},{len(places)})")
    return Part(("literal", kind.name, f"{whole}.{places}" if places else whole), kind)


def _boolean(_: Writer, node: exp.Expr) -> Part:
    return Part(("literal", "BOOLEAN", bool(node.this)), BOOLEAN)


def _null(_: Writer, __: exp.Expr) -> Part:
    return Part(("literal", NULL.name, None), NULL)


# ---------------------------------------------------------------- conditions


def _comparison(sign: str) -> Write:
    return lambda writer, node: _compare(sign, *writer.parts(node.this, node.expression))


def _compare(sign: str, *parts: Part, instead: str | None = None) -> Part:
    left, right = _unified(parts, _EQUAL if sign in ("=", "<>") else _ORDERED)
    return operation(instead or sign, BOOLEAN, left, right)


def _unified(parts: Sequence[Part], kinds: frozenset[Kind]) -> list[Part]:
    """The parts converted to one type, whose values Python compares as the engine does."""
    parts = _read_literals(parts)
    kind = unify(parts)
    if kind is not NULL and (kind.kind not in kinds or kind.name.upper().startswith("ENUM")):
        raise NotPortableError(f"a comparison of {kind} values is not supported")
    return [convert(part, kind) for part in parts]


def _read_literals(parts: Sequence[Part]) -> Sequence[Part]:
    """The parts, in which a text that is compared with times is the time that it says."""
    times = [part.type for part in parts if part.type.kind in ("date", "timestamp")]
    if not times:
        return parts
    return [time_literal(part, times[0]) or part if part.tree[0] == "literal" else part for part in parts]


def _and_or(name: str) -> Write:
    def write(writer: Writer, node: exp.Expr) -> Part:
        return operation(name, BOOLEAN, writer.condition(node.this), writer.condition(node.expression))

    return write


def _not(writer: Writer, node: exp.Expr) -> Part:
    return operation("not", BOOLEAN, writer.condition(node.this))


def _is(writer: Writer, node: exp.Expr) -> Part:
    other = node.args["expression"]
    if isinstance(other, exp.Null):
        return Part(("is null", "BOOLEAN", writer.part(node.this).tree), BOOLEAN)
    if isinstance(other, exp.Boolean):
        same = operation("is distinct", BOOLEAN, writer.condition(node.this), writer.part(other))
        return operation("not", BOOLEAN, same)
    raise NotPortableError(f"{_spell(node)} is not supported")


def _distinct(*, same: bool) -> Write:
    def write(writer: Writer, node: exp.Expr) -> Part:
        differ = _compare("=", *writer.parts(node.this, node.expression), instead="is distinct")
        return operation("not", BOOLEAN, differ) if same else differ

    return write


def _between(writer: Writer, node: exp.Expr) -> Part:
    value, low, high = _unified(writer.parts(node.this, node.args["low"], node.args["high"]), _ORDERED)
    above, below = operation(">=", BOOLEAN, value, low), operation("<=", BOOLEAN, value, high)
    return operation("and", BOOLEAN, above, below)


def _in(writer: Writer, node: exp.Expr) -> Part:
    if node.args.get("field") is not None:
        value, values = writer.parts(node.this, node.args["field"])
        return list_contains(values, value)
    if not node.expressions:
        raise NotPortableError("IN with a subquery is not supported")
    value, *listed = _unified(writer.parts(node.this, *node.expressions), _EQUAL)
    return operation("or", BOOLEAN, *(operation("=", BOOLEAN, value, item) for item in listed))


# ---------------------------------------------------------------- choices


def _coalesce(writer: Writer, node: exp.Expr) -> Part:
    parts = writer.parts(node.this, *node.expressions)
    kind = unify(parts)
    return operation("coalesce", kind, *(convert(part, kind) for part in parts))


def _nullif(writer: Writer, node: exp.Expr) -> Part:
    value, other = writer.parts(node.this, node.expression)
    equal = _compare("=", value, other)
    return operation("nullif", value.settled().type, value.settled(), equal)


def _case(writer: Writer, node: exp.Expr) -> Part:
    conditions: list[Part] = []
    for branch in node.args["ifs"]:
        if node.this is None:
            conditions.append(writer.condition(branch.this))
        else:
            conditions.append(_compare("=", *writer.parts(node.this, branch.this)))
    otherwise = node.args.get("default")
    return _choice(writer, conditions, [branch.args["true"] for branch in node.args["ifs"]], otherwise)


def _if(writer: Writer, node: exp.Expr) -> Part:
    return _choice(writer, [writer.condition(node.this)], [node.args["true"]], node.args.get("false"))


def _choice(writer: Writer, conditions: list[Part], values: list[exp.Expr], otherwise: exp.Expr | None) -> Part:
    parts = writer.parts(*values, otherwise if otherwise is not None else exp.null())
    # The engine looks at the last branch first: an integer literal there is an INTEGER, elsewhere the narrowest type.
    kind = unify([parts[-1], *parts[:-1]])
    converted = [convert(part, kind) for part in parts]
    branches = [part for pair in zip(conditions, converted[:-1], strict=True) for part in pair]
    return operation("case", kind, *branches, converted[-1])


def _extreme(name: str) -> Write:
    def write(writer: Writer, node: exp.Expr) -> Part:
        parts = _unified(writer.parts(node.this, *node.expressions), _ORDERED)
        return operation(name, parts[0].type, *parts)

    return write


# ---------------------------------------------------------------- conversions and other functions


def _cast(writer: Writer, node: exp.Expr) -> Part:
    part, kind = writer.part(node.this), parse_type(node.args["to"].sql("duckdb"))
    if node.args.get("format") is not None:
        raise NotPortableError(f"{_spell(node)} is not supported")
    if isinstance(node.this, exp.Literal) and (literal := time_literal(part, kind)) is not None:
        return literal
    return try_convert(part, kind) if isinstance(node, exp.TryCast) else convert(part, kind, explicit=True)


def _date(writer: Writer, node: exp.Expr) -> Part:
    """date(x)."""
    return convert(writer.part(node.this), DATE, explicit=True)


def _anonymous(writer: Writer, node: exp.Expr) -> Part:
    name, count = node.name.lower(), len(node.expressions)
    if count == 1 and name in _OF_ONE:
        return _OF_ONE[name](writer, exp.Abs(this=node.expressions[0]))
    write = _FUNCTIONS.get(name)
    if write is None or not 1 <= count <= 3:
        raise NotPortableError(f"{_spell(node)} is not supported{_instead(node)}")
    return write(writer, node)


def _spell(node: exp.Expr) -> str:
    """The text of a node for a message, without the parameters that have replaced the author's windows."""
    text = node.sql("duckdb")
    if node.find(exp.Parameter) is None and len(text) <= 60:
        return text
    name = node.name if isinstance(node, exp.Anonymous) else node.key.replace("_", " ")
    return f"{name}()" if isinstance(node, exp.Func) else name


def _instead(node: exp.Expr) -> str:
    """The advice for a node that is refused, behind a colon; empty where there is none."""
    name = node.name.casefold() if isinstance(node, exp.Anonymous) else node.key
    found = next((text for names, text in _INSTEAD.items() if name in names), None)
    return "" if found is None else f": {found}"


_BELOW = "compute it in a model below the feature view that brings the value"
_INSTEAD = {
    (
        "regexplike",
        "regexpfullmatch",
        "regexpilike",
        "similarto",
    ): "write like, starts_with(), ends_with() or contains()",
    ("regexpreplace", "regexpextract", "regexpextractall"): "write replace(), substr() or split_part()",
    ("ilike",): "write lower(x) like 'a%'",
    ("md5", "md5digest", "sha", "sha2", "hash", "sha256", "levenshtein", "jaccard"): _BELOW,
    ("timetostr", "strptime", "strtotime", "format", "printf", "dayname", "monthname"): "write extract(… from x)",
    ("age", "monthsbetween"): "write date_diff('day', a, b)",
}
"""By the keys or names of functions: what to write instead."""

_FUNCTIONS: dict[str, Write] = {**texts.FUNCTIONS, **times.FUNCTIONS, **lists.FUNCTIONS}
"""Functions that sqlglot does not know, by name."""

_OF_ONE: dict[str, Write] = {
    "isfinite": of_double("is finite", BOOLEAN),
    "isinf": of_double("is infinite", BOOLEAN),
    "isnan": of_double("is nan", BOOLEAN),
}

_NODES: dict[type[exp.Expr], Write] = {
    exp.Paren: _paren,
    exp.Parameter: _call,
    exp.Column: _column,
    exp.Literal: _literal,
    exp.Boolean: _boolean,
    exp.Null: _null,
    exp.Neg: negative,
    exp.Abs: absolute,
    exp.Add: times.sum_or_difference("+"),
    exp.Sub: times.sum_or_difference("-"),
    exp.Mul: product,
    exp.Div: quotient,
    exp.IntDiv: whole_quotient,
    exp.Mod: remainder,
    exp.EQ: _comparison("="),
    exp.NEQ: _comparison("<>"),
    exp.LT: _comparison("<"),
    exp.LTE: _comparison("<="),
    exp.GT: _comparison(">"),
    exp.GTE: _comparison(">="),
    exp.And: _and_or("and"),
    exp.Or: _and_or("or"),
    exp.Not: _not,
    exp.Is: _is,
    exp.NullSafeEQ: _distinct(same=True),
    exp.NullSafeNEQ: _distinct(same=False),
    exp.Between: _between,
    exp.In: _in,
    exp.Coalesce: _coalesce,
    exp.Nullif: _nullif,
    exp.Case: _case,
    exp.If: _if,
    exp.Least: _extreme("least"),
    exp.Greatest: _extreme("greatest"),
    exp.Round: rounding("round"),
    exp.Floor: rounding("floor"),
    exp.Ceil: rounding("ceil"),
    exp.Trunc: rounding("trunc"),
    **{
        node: of_double(name)
        for name, node in (
            *(("sqrt", exp.Sqrt), ("ln", exp.Ln), ("exp", exp.Exp), ("cbrt", exp.Cbrt), ("degrees", exp.Degrees)),
            *(("radians", exp.Radians), ("sin", exp.Sin), ("cos", exp.Cos), ("tan", exp.Tan)),
            *(("asin", exp.Asin), ("acos", exp.Acos), ("atan", exp.Atan)),
        )
    },
    exp.Atan2: of_doubles("atan2"),
    exp.Pow: of_doubles("pow"),
    exp.Log: logarithm,
    exp.Pi: pi,
    exp.Sign: sign,
    exp.IsNan: of_double("is nan", BOOLEAN),
    exp.IsInf: of_double("is infinite", BOOLEAN),
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.Date: _date,
    **texts.NODES,
    **times.NODES,
    **lists.NODES,
    exp.Identifier: lists.parameter,
    exp.Anonymous: _anonymous,
}
