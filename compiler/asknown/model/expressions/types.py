"""The engine's rules for types: of arithmetic, of mixed operands, and of conversions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from sqlglot import exp

from asknown.types import Kind, SqlType, parse_type

BOOLEAN = parse_type("BOOLEAN")
INTEGER = parse_type("INTEGER")
BIGINT = parse_type("BIGINT")
HUGEINT = parse_type("HUGEINT")
DOUBLE = parse_type("DOUBLE")
VARCHAR = parse_type("VARCHAR")
DATE = parse_type("DATE")
TIMESTAMP = parse_type("TIMESTAMP")
TIMESTAMPTZ = parse_type("TIMESTAMPTZ")
NULL = SqlType("NULL", "other")

_MOST_DIGITS = 38
_FEW_DIGITS = 18  # decimals that fit in 64 bits
_DIGITS = {8: 3, 16: 5, 32: 10, 64: 19, 128: 38}


class NotPortableError(Exception):
    """The reason why an expression cannot be computed exactly outside the engine."""


@dataclass(frozen=True)
class Part:
    """A written part of an expression. ``literal`` is the value of an integer literal, whose type adapts to others."""

    tree: tuple[Any, ...]
    type: SqlType
    literal: int | None = None

    def settled(self) -> Part:
        """The part with its type fixed, even if it is a literal."""
        return Part(self.tree, self.type)


def literal_integer(value: int) -> Part:
    """An integer literal in the narrowest of INTEGER, BIGINT and HUGEINT that holds it."""
    for kind in (INTEGER, BIGINT, HUGEINT):
        if holds(kind, value):
            return Part(("literal", kind.name, value), kind, value)
    raise NotPortableError(f"the number {value} is not supported")


def holds(kind: SqlType, value: int) -> bool:
    """Whether a value is in the range of an integer type."""
    least, greatest = kind.bounds
    return least <= value <= greatest


def integer_type(left: Part, right: Part) -> SqlType:
    """The type in which the engine adds, subtracts or multiplies two integers."""
    for one, other in ((left, right), (right, left)):
        if one.literal is not None and other.literal is None and holds(other.type, one.literal):
            return other.type
    return _wider(left.type, right.type)


def add_type(left: SqlType, right: SqlType, *, bare: bool = False) -> SqlType:
    """The type of the sum or difference of two decimals, or of a decimal and an integer.

    ``bare`` is without the digit for the carry: the least decimal that can hold both.
    """
    (digits, scale), (more, places) = _decimal(left), _decimal(right)
    behind = max(scale, places)
    width = max(digits - scale, more - places) + behind + (not bare)
    if bare and width > _MOST_DIGITS:  # the engine would cut decimal places
        raise NotPortableError(f"{left} and {right} together need more than {_MOST_DIGITS} digits: cast one of them")
    return _decimal_type(width, behind)


def multiply_type(left: SqlType, right: SqlType) -> SqlType:
    """The type of the product of two decimals, or of a decimal and an integer."""
    (digits, scale), (more, places) = _decimal(left), _decimal(right)
    width, behind = digits + more, scale + places
    if behind > _MOST_DIGITS:
        raise NotPortableError(f"a product of {left} and {right} has too many places: cast one of them")
    if width > _FEW_DIGITS >= max(digits, more) and behind < _FEW_DIGITS:
        width = _FEW_DIGITS
    return _decimal_type(width, behind)


def unify(parts: Sequence[Part]) -> SqlType:
    """The type to which the engine converts these values to compare them or to choose among them."""
    typed = [part for part in parts if part.type is not NULL]
    if not typed:
        return NULL
    fixed = [part.type for part in typed if part.literal is None]
    literals = [part for part in typed if part.literal is not None]
    if not fixed:
        return reduce(_wider, (part.type for part in literals))
    kind = reduce(_unify_types, fixed)
    if kind.kind == "integer":
        if all(holds(kind, part.literal or 0) for part in literals):
            return kind
        return reduce(_unify_types, (part.type for part in literals), kind)
    if kind.kind == "float":
        return kind
    return reduce(_unify_types, (part.type for part in literals), kind)


def _unify_types(left: SqlType, right: SqlType) -> SqlType:
    if left == right:
        return left
    kinds = {left.kind, right.kind}
    if kinds == {"integer"}:
        return _wider(left, right)
    if DOUBLE in (left, right) and kinds <= {"float", "integer", "decimal"}:
        return DOUBLE
    if kinds <= {"integer", "decimal"}:
        return add_type(left, right, bare=True)
    if kinds == {"date", "timestamp"}:
        return TIMESTAMP
    raise NotPortableError(f"values of {left} and {right} together are not supported: cast one of them")


def _wider(left: SqlType, right: SqlType) -> SqlType:
    if left == right:
        return left
    if not (left.signed and right.signed):
        raise NotPortableError(f"values of {left} and {right} together are not supported: cast one of them")
    return left if left.bits >= right.bits else right


def convert(part: Part, kind: SqlType, *, explicit: bool = False) -> Part:
    """The part in another type, as the engine converts it; ``explicit`` if the author wrote the cast."""
    if part.type == kind:
        return part.settled()
    if part.type is NULL:
        return Part(("literal", kind.name, None), kind)
    if part.literal is not None and kind.kind == "integer" and holds(kind, part.literal):
        return Part(("literal", kind.name, part.literal), kind)
    if not _converts(part, kind, explicit=explicit):
        raise NotPortableError(f"a conversion from {part.type} to {kind} is not supported")
    return Part(("cast", kind.name, part.tree), kind)


def try_convert(part: Part, kind: SqlType) -> Part:
    """The part in another type, NULL where a value does not become one of it."""
    converted = convert(part, kind, explicit=True)
    if converted.tree[0] != "cast":
        return converted
    return Part(("try cast", *converted.tree[1:]), kind)


def convert_exactly(part: Part, kind: SqlType) -> Part:
    """The part in the feature's declared type, where no value can change by it."""
    source = part.type
    widens = (
        part.type in (kind, NULL)
        or alike(part.type, kind)
        or source.kind == kind.kind == "integer"
        or (source.kind == "integer" and kind.kind == "decimal")
        or (source.kind == kind.kind == "decimal" and source.scale <= kind.scale)
        or (source.name, kind) == ("FLOAT", DOUBLE)
    )
    if not widens:
        raise NotPortableError(f"it gives a {source} here and a {kind} in the engine: cast it to {kind}")
    return Part(part.tree, kind) if alike(part.type, kind) else convert(part, kind)


def alike(left: SqlType, right: SqlType) -> bool:
    """Whether two types of lists or structs are the same: engines quote the names of fields that are words of SQL."""
    if left.element is not None and right.element is not None:
        return left.element == right.element or alike(left.element, right.element)
    pairs = zip(left.fields, right.fields, strict=False)
    same = all(n.casefold() == m.casefold() and (a == b or alike(a, b)) for (n, a), (m, b) in pairs)
    return left.kind == right.kind == "struct" and len(left.fields) == len(right.fields) and same


def as_double(part: Part) -> Part:
    """The part as a double."""
    return convert(part, DOUBLE)


def _converts(part: Part, kind: SqlType, *, explicit: bool) -> bool:
    source = part.type
    if "UHUGEINT" in (source.name, kind.name) or source.is_enum or kind.is_enum:
        return False
    if (source.kind, kind.kind) == ("date", "timestamp"):
        return True
    if kind.kind == "float":
        # Only what single precision holds exactly becomes a FLOAT.
        small = part.literal is not None and abs(part.literal) <= 2**24
        numeric = source.kind in ("integer", "decimal", "float") or (explicit and source.kind in ("boolean", "text"))
        return small or (kind == DOUBLE and numeric)
    if kind.kind in ("integer", "decimal") and source.kind in ("integer", "decimal"):
        return explicit or source.kind == "integer" or kind.kind == "decimal"
    return explicit and (source.kind, kind.kind) in _EXPLICIT


_EXPLICIT: frozenset[tuple[Kind, Kind]] = frozenset(
    {
        ("boolean", "integer"),
        ("float", "integer"),
        ("integer", "boolean"),
        ("integer", "text"),
        ("boolean", "text"),
        ("decimal", "text"),
        ("date", "text"),
        ("text", "integer"),
        ("timestamp", "date"),
    }
)
"""Conversions that the author must write."""


def _decimal(kind: SqlType) -> tuple[int, int]:
    if kind.kind == "decimal":
        return kind.precision, kind.scale
    return _DIGITS[kind.bits] + (kind.bits == 64 and not kind.signed), 0


def _decimal_type(width: int, scale: int) -> SqlType:
    return parse_type(f"DECIMAL({min(width, _MOST_DIGITS)},{scale})")


def spell(node: exp.Expr) -> str:
    """The text of a node for a message, without the parameters that have replaced the author's windows."""
    text = node.sql("duckdb")
    if node.find(exp.Parameter) is None and len(text) <= 60:
        return text
    name = node.name if isinstance(node, exp.Anonymous) else node.key.replace("_", " ")
    return f"{name}()" if isinstance(node, exp.Func) else name
