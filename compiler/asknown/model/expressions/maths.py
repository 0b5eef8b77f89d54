"""Mathematical functions of portable expressions: of doubles, and rounding of decimals."""

from __future__ import annotations

import math

from sqlglot import exp

from asknown.model.expressions.arithmetic import Write, Writer, operation
from asknown.model.expressions.types import DOUBLE, NotPortableError, Part, as_double, literal_integer
from asknown.types import SqlType, parse_type

TINYINT = parse_type("TINYINT")
_MOST_PLACES = 15


def double_of(name: str, part: Part) -> Part:
    """The part as a double, where the engine makes one of it without a word."""
    if part.type.kind in ("integer", "decimal"):
        part = as_double(part)
    if part.type != DOUBLE:
        raise NotPortableError(f"{name}() of a {part.type} is not supported: cast it to DOUBLE first")
    return part


def of_double(name: str, kind: SqlType = DOUBLE) -> Write:
    """A function of one double, with a result of type ``kind``."""
    return lambda writer, node: operation(name, kind, double_of(name, writer.part(node.this)))


def of_doubles(name: str) -> Write:
    """A function of two doubles."""

    def write(writer: Writer, node: exp.Expr) -> Part:
        left, right = (double_of(name, part) for part in writer.parts(node.this, node.expression))
        return operation(name, DOUBLE, left, right)

    return write


def logarithm(writer: Writer, node: exp.Expr) -> Part:
    """log(x), log10(x) or log2(x)."""
    value, base = node.args.get("expression"), node.this
    if value is None:
        value, base = node.this, exp.Literal.number(10)
    name = {"10": "log10", "2": "log2"}.get(base.name if isinstance(base, exp.Literal) else "")
    if name is None:
        raise NotPortableError("log(b, x) is not supported: write ln(x) / ln(b)")
    return operation(name, DOUBLE, double_of(name, writer.part(value)))


def pi(_: Writer, __: exp.Expr) -> Part:
    """pi()."""
    return Part(("literal", DOUBLE.name, math.pi), DOUBLE)


def sign(writer: Writer, node: exp.Expr) -> Part:
    """sign(x), of any number."""
    part = writer.part(node.this).settled()
    if part.type.kind not in ("integer", "decimal") and part.type != DOUBLE:
        raise NotPortableError(f"sign() of a {part.type} is not supported")
    return operation("sign", TINYINT, part)


def rounding(name: str) -> Write:
    """round, floor, ceil or trunc of a number; round and trunc also to so many places."""

    def write(writer: Writer, node: exp.Expr) -> Part:
        part = writer.part(node.this)
        places = node.args.get("decimals")
        digits = None if places is None else _places(name, writer.part(places))
        match part.type.kind:
            case "decimal":
                return _of_decimal(name, part, digits or 0)
            case "integer" if name in ("round", "trunc") and part.type.signed:
                return part.settled()
            case "integer":
                part = as_double(part)
        if part.type != DOUBLE:
            raise NotPortableError(f"{name}() of a {part.type} is not supported: cast it to DOUBLE first")
        if digits is None:
            return operation(name, DOUBLE, part)
        if name != "round":
            raise NotPortableError(f"{name}() of a DOUBLE to places is not supported")
        return operation(name, DOUBLE, part, literal_integer(digits))

    return write


def _places(name: str, part: Part) -> int:
    if part.literal is None or not 0 <= part.literal <= _MOST_PLACES:
        raise NotPortableError(f"{name}() takes a number of places from 0 to {_MOST_PLACES}")
    return part.literal


def _of_decimal(name: str, part: Part, places: int) -> Part:
    """A decimal of as many digits, with fewer places."""
    if places >= part.type.scale:
        return part.settled()
    return operation(name, parse_type(f"DECIMAL({part.type.precision},{places})"), part)
