"""Finds the parts of a portable expression that an engine, or a version of it, may compute differently."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from asknown.model.expressions.types import NotPortableError
from asknown.model.expressions.write import Tree, TreeWriter
from asknown.types import SqlType, parse_type


@dataclass(frozen=True)
class Rounding:
    """``round(x, places)`` of a double ``x``, at ``node``."""

    node: exp.Expr
    places: int


@dataclass(frozen=True)
class Widening:
    """The conversion of the whole number at ``node``, which may need more than 64 bits, to a double."""

    node: exp.Expr


@dataclass(frozen=True)
class Logarithm:
    """log10 or log2 (``name``) at ``node``, which is written as a logarithm to a base."""

    node: exp.Expr
    name: str


@dataclass(frozen=True)
class Later:
    """A date or timestamp at ``node`` that is a sum, and so may lie outside the years 1 to 9999."""

    node: exp.Expr
    type: SqlType


@dataclass(frozen=True)
class Membership:
    """list_contains at ``node``, of which DuckDB 2.0.0 says NULL for NULL in an empty list, and 2.0.1 false."""

    node: exp.Expr


@dataclass(frozen=True)
class Signed:
    """The list of doubles at ``node``, from which a sorting function may take either of 0.0 and -0.0."""

    node: exp.Expr


@dataclass(frozen=True)
class Summed:
    """``list_sum`` of a list of doubles, at ``node``, which engines round after each addition."""

    node: exp.Expr


Loose = Rounding | Widening | Logarithm | Later | Membership | Signed | Summed


def loosely_defined(
    expression: exp.Expr, call_types: Sequence[SqlType], column_types: Mapping[str, SqlType]
) -> list[Loose]:
    """The parts of a portable expression that an engine may compute differently, the outermost first.

    The arguments are those of :func:`write.portable`. An expression that it refuses has none: only the engine computes
    it.
    """
    writer = TreeWriter(call_types, column_types)
    try:
        tree = writer.part(expression).tree
    except NotPortableError:
        return []
    found: dict[int, Loose] = {}
    for part in _subtrees(tree):
        match part:
            case ("list_contains", *_) if isinstance(node := writer.nodes[id(part)][1], exp.ArrayContains):
                found.setdefault(id(node), Membership(node))
            case ("list_sort" | "list_min" | "list_max", _, (_, "DOUBLE[]", *_) as values):
                node = writer.nodes[id(values)][1]
                found.setdefault(id(node), Signed(node))
            case ("exact list_sum", *_):
                node = writer.nodes[id(part)][1]
                found.setdefault(id(node), Summed(node))
            case ("round", _, _, (_, _, int(places))):
                node = writer.nodes[id(part)][1]
                found.setdefault(id(node), Rounding(node, places))
            case ("cast", "DOUBLE", inner) if _is_wide(parse_type(inner[1])) and id(inner) in writer.nodes:
                node = writer.nodes[id(inner)][1]
                found.setdefault(id(node), Widening(node))
            case ("log10" | "log2" as name, _, _):
                node = writer.nodes[id(part)][1]
                found.setdefault(id(node), Logarithm(node, name))
            case ("add days" | "add interval", kind, *_):
                node = writer.nodes[id(part)][1]
                found.setdefault(id(node), Later(node, parse_type(kind)))
    return list(found.values())


def _subtrees(tree: Tree) -> Iterator[Tree]:
    yield tree
    for part in tree[2:]:
        if isinstance(part, tuple):
            yield from _subtrees(part)


def _is_wide(kind: SqlType) -> bool:
    """Whether values of a type are whole numbers that may need more than 64 bits."""
    return (kind.kind == "integer" and kind.bits > 64) or (
        kind.kind == "decimal" and kind.scale == 0 and kind.precision > 18
    )
