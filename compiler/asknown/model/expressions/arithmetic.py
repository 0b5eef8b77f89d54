"""Arithmetic of portable expressions, in the types in which the engine computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from sqlglot import exp

from asknown.model.expressions.types import (
    DOUBLE,
    NotPortableError,
    Part,
    add_type,
    as_double,
    convert,
    integer_type,
    literal_integer,
    multiply_type,
)
from asknown.types import SqlType, parse_type


class Writer(Protocol):
    """Writes the parts of an expression. It knows the types of the leaves."""

    @property
    def call_types(self) -> Sequence[SqlType]: ...

    @property
    def column_types(self) -> Mapping[str, SqlType]: ...

    @property
    def parameters(self) -> Mapping[str, Part]: ...

    def part(self, node: exp.Expr) -> Part: ...

    def parts(self, *nodes: exp.Expr) -> list[Part]: ...

    def condition(self, node: exp.Expr) -> Part: ...

    def with_parameters(self, types: Mapping[str, SqlType], body: exp.Expr) -> tuple[Part, list[int]]: ...


Write = Callable[[Writer, exp.Expr], Part]
"""How one kind of node is written."""


def operation(name: str, kind: SqlType, *parts: Part) -> Part:
    """A part that applies an operation to other parts."""
    return Part((name, kind.name, *(part.tree for part in parts)), kind)


def negative(writer: Writer, node: exp.Expr) -> Part:
    """``-x``. The negative of a literal is a literal."""
    part = writer.part(node.this)
    if part.literal is not None and isinstance(node.this, exp.Literal):
        return literal_integer(-part.literal)
    return _signed("negative", part)


def absolute(writer: Writer, node: exp.Expr) -> Part:
    """abs(x), in the type of x."""
    return _signed("abs", writer.part(node.this))


def _signed(name: str, part: Part) -> Part:
    part = part.settled()
    _require_number(part)
    if part.type.kind == "integer" and not part.type.signed and name == "negative":
        raise NotPortableError(f"the negative of an unsigned {part.type}: cast it first")
    return operation(name, part.type, part)


def sum_or_difference(sign: str, left: Part, right: Part) -> Part:
    """x + y or x - y of numbers."""
    for part in (left, right):
        _require_number(part)
    kind = _common(left, right, add_type)
    return operation(sign, kind, convert(left, kind), convert(right, kind))


def product(writer: Writer, node: exp.Expr) -> Part:
    """x * y. Decimals keep their own scales, whose sum is the scale of the result."""
    left, right = _operands(writer, node)
    kind = _common(left, right, multiply_type)
    if kind.kind != "decimal":
        return operation("*", kind, convert(left, kind), convert(right, kind))
    factors = (convert(p, _wide(p.type)) if p.type.kind == "integer" else p for p in (left, right))
    return operation("*", kind, *factors)


def _wide(kind: SqlType) -> SqlType:
    """The decimal that an integer becomes in a product."""
    return add_type(kind, parse_type("DECIMAL(1,0)"), bare=True)


def quotient(writer: Writer, node: exp.Expr) -> Part:
    """x / y, always in doubles."""
    left, right = _operands(writer, node)
    if "FLOAT" in (left.type.name, right.type.name) and DOUBLE not in (left.type, right.type):
        raise NotPortableError("a division in single precision (FLOAT): cast to DOUBLE first")
    return operation("/", DOUBLE, as_double(left), as_double(right))


def whole_quotient(writer: Writer, node: exp.Expr) -> Part:
    """x // y of integers."""
    return _of_integers("//", writer, node)


def remainder(writer: Writer, node: exp.Expr) -> Part:
    """x % y of integers or doubles."""
    left, right = _operands(writer, node)
    if "decimal" not in (left.type.kind, right.type.kind) and DOUBLE in (left.type, right.type):
        return operation("%", DOUBLE, as_double(left), as_double(right))
    return _of_integers("%", writer, node)


def _of_integers(sign: str, writer: Writer, node: exp.Expr) -> Part:
    left, right = _operands(writer, node)
    if {left.type.kind, right.type.kind} != {"integer"}:
        raise NotPortableError(f"{sign} of a {left.type} and a {right.type}: only whole numbers are supported")
    kind = integer_type(left, right)
    return operation(sign, kind, convert(left, kind), convert(right, kind))


def _operands(writer: Writer, node: exp.Expr) -> tuple[Part, Part]:
    left, right = writer.parts(node.this, node.expression)
    for part in (left, right):
        _require_number(part)
    return left, right


def _common(left: Part, right: Part, of_decimals: Callable[[SqlType, SqlType], SqlType]) -> SqlType:
    kinds = {left.type.kind, right.type.kind}
    if "float" in kinds:
        if DOUBLE not in (left.type, right.type):
            raise NotPortableError("arithmetic in single precision (FLOAT): cast to DOUBLE first")
        return DOUBLE
    if kinds == {"integer"}:
        return integer_type(left, right)
    return of_decimals(left.type, right.type)


def _require_number(part: Part) -> None:
    if part.type.kind not in ("integer", "float", "decimal") or part.type.name == "UHUGEINT":
        raise NotPortableError(f"arithmetic with a {part.type} is not supported")
