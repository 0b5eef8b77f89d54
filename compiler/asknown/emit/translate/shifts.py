"""Writes an instant moved by a number of units as one call, for engines that do not multiply intervals."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from asknown.dialects.dialect import Dialect
from asknown.emit.translate.operands import SHIFTED, operand_kinds
from asknown.types import SqlType

_UNITS = ("second", "minute", "hour", "day")


def spell_shifts(tree: exp.Expr, dialect: Dialect, types: Mapping[str, SqlType]) -> exp.Expr:
    """Writes ``t + n * interval '15 minutes'`` as ``shifted_minute(t, n * 15)``, where the dialect has a word for it.

    ``n`` is an integer. So is ``t + interval (n) minute``, and ``t - …``, with the opposite number.
    """
    if not any(name.startswith(SHIFTED) for name in dialect.translation.rewrites) or tree.find(exp.Interval) is None:
        return tree
    kinds = operand_kinds(tree, types)
    for node in reversed(list(tree.find_all(exp.Add, exp.Sub))):
        left, right = node.this.unnest(), node.expression.unnest()
        if isinstance(node, exp.Add) and _length(left, kinds) is not None:
            left, right = right, left
        length = _length(right, kinds)
        if length is None:
            continue
        unit, number = length
        number = exp.Neg(this=exp.paren(number)) if isinstance(node, exp.Sub) else number
        written = exp.Anonymous(this=f"{SHIFTED}{unit}", expressions=[left.copy(), number])
        if node is tree:
            return written
        node.replace(written)
    return tree


def _length(node: exp.Expr, kinds: Mapping[int, tuple[str, ...]]) -> tuple[str, exp.Expr] | None:
    """The unit and number of a length that varies by row; None for any other."""
    if isinstance(node, exp.Interval):
        given = None if node.this is None else node.this.unnest()
        varies = given is not None and not isinstance(given, exp.Literal) and kinds.get(id(node), ("",))[0] == "integer"
        return None if not varies or given is None else _in_unit(node, given)
    if not isinstance(node, exp.Mul):
        return None
    for interval, number, place in ((node.expression, node.this, 0), (node.this, node.expression, 1)):
        fixed = interval.unnest()
        whole = kinds.get(id(node), ("", ""))[place] == "integer"
        if whole and isinstance(fixed, exp.Interval) and isinstance(fixed.this, exp.Literal):
            count = fixed.this.name
            if not count.isdigit():
                return None
            times = number.copy() if count == "1" else exp.Mul(this=exp.paren(number.copy()), expression=fixed.this)
            return _in_unit(fixed, times)
    return None


def _in_unit(interval: exp.Interval, number: exp.Expr) -> tuple[str, exp.Expr] | None:
    unit = interval.args.get("unit")
    name = "" if unit is None else unit.name.casefold().removesuffix("s")
    if name == "week":
        return "day", exp.Mul(this=exp.paren(number.copy()), expression=exp.Literal.number(7))
    return (name, number.copy()) if name in _UNITS else None
