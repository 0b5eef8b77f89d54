"""Writes the seconds between two instants without an interval, for engines that have none."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from asknown.dialects.dialect import Dialect
from asknown.emit.translate.operands import operand_kinds
from asknown.types import SqlType

_TIMES = {"timestamp", "timestamptz", "date"}
_DIFFERENCE = "sub.timestamp.timestamp"
"""The kind of expression that is refused in dialects without intervals."""


def spell_seconds(tree: exp.Expr, dialect: Dialect, types: Mapping[str, SqlType]) -> exp.Expr:
    """Writes ``epoch(a - b)`` of two instants as ``(epoch_us(a) - epoch_us(b)) / 1e6`` where there are no intervals."""
    lengths = list(tree.find_all(exp.TimeToUnix, exp.Extract))
    if _DIFFERENCE not in dialect.translation.refused or not lengths:
        return tree
    kinds = operand_kinds(tree, types)
    for node in reversed(lengths):
        if isinstance(node, exp.Extract) and node.name.casefold() != "epoch":
            continue
        length = (node.expression if isinstance(node, exp.Extract) else node.this).unnest()
        if not isinstance(length, exp.Sub) or not _TIMES >= set(kinds.get(id(length), ("",))) != {"date"}:
            continue
        ends = [exp.Anonymous(this="epoch_us", expressions=[end.copy()]) for end in (length.this, length.expression)]
        micros = exp.cast(exp.paren(exp.Sub(this=ends[0], expression=ends[1])), "DOUBLE", dialect="duckdb")
        written = exp.paren(exp.Div(this=micros, expression=exp.Literal.number("1e6")))
        if node is tree:
            return written
        node.replace(written)
    return tree
