"""Spells out, in an expression that the reader computes too, what engines or their versions compute in different ways.

The online table computes these expressions too, always in one way, and the training query must agree on every version
of the engine. So ``round(x, 2)`` and the conversion of a HUGEINT to a double are written in operations that all
versions compute alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import exp

from asknown.dialects.dialect import Dialect
from asknown.emit.snippets import snippet
from asknown.model.expressions.loose import (
    Later,
    Logarithm,
    Loose,
    Membership,
    Rounding,
    Signed,
    Summed,
    Widening,
    loosely_defined,
)
from asknown.types import SqlType


def define(
    expression: exp.Expr, dialect: Dialect, call_types: Sequence[SqlType], column_types: Mapping[str, SqlType]
) -> exp.Expr:
    """A copy of an item's ``expression`` with one meaning on every version of the engine.

    ``call_types`` are the types of the windows ``@i``, ``column_types`` those of the columns, by name. A dialect
    without the snippet ``as_double`` has rewrites that define these operations.
    """
    tree = expression.copy()
    if "as_double" not in dialect.snippets:
        return tree
    found = loosely_defined(tree, call_types, column_types)
    if any(_is_compared_and_given(part.node) for part in found):
        tree = _spell_conditions(tree)
        found = loosely_defined(tree, call_types, column_types)
    for part in reversed(found):  # innermost first: the rewritten node has copies of its operands
        tree = _put(tree, part.node, _defined(part, dialect))
    return tree


def _defined(part: Loose, dialect: Dialect) -> exp.Expr:
    match part:
        case Rounding(node, places):
            power = exp.Literal.number(f"1e{places}")
            return snippet(dialect, "round.places.double", x=node.this, power=power)
        case Widening(node):
            return snippet(dialect, "as_double", x=node)
        case Logarithm(node, name):
            value = node.args.get("expression") or node.this
            return exp.Anonymous(this=name, expressions=[value.copy()])
        case Later(node, kind):
            return snippet(dialect, f"in_years.{kind.kind}", x=node)
        case Signed(node):
            return snippet(dialect, "unsigned", x=node)
        case Summed(node):
            return snippet(dialect, "list_sum.double", x=node.expressions[0])
        case Membership(node):
            return snippet(dialect, "list_contains", x=node, list=node.this)


def _is_compared_and_given(node: exp.Expr) -> bool:
    """Whether a node is, or is a part of, what is compared in one type and, as the same text, used in another."""
    while node.parent is not None:
        if isinstance(node.parent, exp.Nullif | exp.Case) and node.parent.this is node:
            return True
        node = node.parent
    return False


def _spell_conditions(tree: exp.Expr) -> exp.Expr:
    """The tree with each NULLIF, and each CASE that compares one value with others, as a CASE of conditions."""
    for node in reversed(list(tree.find_all(exp.Nullif, exp.Case))):
        value = node.this
        if isinstance(node, exp.Nullif):
            equal = exp.EQ(this=_wrapped(value), expression=_wrapped(node.expression))
            case = exp.Case(ifs=[exp.If(this=equal, true=exp.null())], default=value.copy())
            tree = _put(tree, node, case)
        elif value is not None:
            for branch in node.args["ifs"]:
                branch.set("this", exp.EQ(this=_wrapped(value), expression=_wrapped(branch.this)))
            node.set("this", None)
    return tree


def _wrapped(node: exp.Expr) -> exp.Expr:
    return exp.paren(node) if isinstance(node, exp.Binary | exp.Unary | exp.Between | exp.In) else node.copy()


def _put(tree: exp.Expr, node: exp.Expr, written: exp.Expr) -> exp.Expr:
    """The tree with ``written`` in the place of ``node``."""
    if node is tree:
        return written
    node.replace(written)
    return tree
