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

from asknown.model.expressions import conditions, lists, texts, times
from asknown.model.expressions.arithmetic import (
    Write,
    Writer,
    absolute,
    negative,
    product,
    quotient,
    remainder,
    whole_quotient,
)
from asknown.model.expressions.maths import logarithm, of_double, of_doubles, pi, rounding, sign
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
    spell,
    try_convert,
)
from asknown.types import SqlType, parse_type

Tree = tuple[Any, ...]


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
            raise NotPortableError(f"{spell(node)} is not supported{_instead(node)}")
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
            raise NotPortableError(f"{spell(node)} is a {part.type}, not a condition")
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


# ---------------------------------------------------------------- conversions and other functions


def _cast(writer: Writer, node: exp.Expr) -> Part:
    part, kind = writer.part(node.this), parse_type(node.args["to"].sql("duckdb"))
    if node.args.get("format") is not None:
        raise NotPortableError(f"{spell(node)} is not supported")
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
        raise NotPortableError(f"{spell(node)} is not supported{_instead(node)}")
    return write(writer, node)


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
    ("list_avg", "list_mean"): "write list_sum(l) / len(l), and leave NULLs out by list_filter before",
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
    **conditions.NODES,
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
