"""Comparisons, conditions and choices of portable expressions, in the engine's order and with its NULLs."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from asknown.model.expressions.arithmetic import Write, Writer, operation
from asknown.model.expressions.texts import list_contains
from asknown.model.expressions.times import time_literal
from asknown.model.expressions.types import BOOLEAN, NULL, NotPortableError, Part, convert, spell, unify
from asknown.types import Kind

_ORDERED: frozenset[Kind] = frozenset(
    {"boolean", "integer", "float", "decimal", "text", "date", "time", "timestamp", "timestamptz"}
)
_EQUAL: frozenset[Kind] = _ORDERED | {"uuid", "blob"}


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
    raise NotPortableError(f"{spell(node)} is not supported")


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


NODES: dict[type[exp.Expr], Write] = {
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
}
"""Comparisons, conditions and choices, by their nodes."""
