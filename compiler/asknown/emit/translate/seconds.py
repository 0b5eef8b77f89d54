"""Writes the seconds between two instants without an interval, which some engines lack and others round differently."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp, parse_one

from asknown.dialects.dialect import Dialect
from asknown.emit.translate.operands import operand_kinds
from asknown.types import SqlType

_TIMES = {"timestamp", "timestamptz", "date"}
_LENGTH = "{micros} // 86400000000 * 86400 + ({micros} % 86400000000) / 1e6"
"""Whole days and the seconds of the last one are added as DuckDB adds them: rounded once, at the end."""


def spell_seconds(tree: exp.Expr, dialect: Dialect, types: Mapping[str, SqlType]) -> exp.Expr:
    """Writes ``epoch(a - b)`` of two instants by ``epoch_us(a) - epoch_us(b)``, where the dialect has it."""
    lengths = list(tree.find_all(exp.TimeToUnix, exp.Extract))
    if "epoch_us" not in dialect.translation.rewrites or not lengths:
        return tree
    kinds = operand_kinds(tree, types)
    for node in reversed(lengths):
        if isinstance(node, exp.Extract) and node.name.casefold() != "epoch":
            continue
        length = (node.expression if isinstance(node, exp.Extract) else node.this).unnest()
        if not isinstance(length, exp.Sub) or not _TIMES >= set(kinds.get(id(length), ("",))) != {"date"}:
            continue
        ends = [exp.Anonymous(this="epoch_us", expressions=[end.copy()]) for end in (length.this, length.expression)]
        micros = exp.cast(exp.Sub(this=ends[0], expression=ends[1]), "BIGINT", dialect="duckdb")
        written = exp.paren(parse_one(_LENGTH.format(micros="micros"), read="duckdb"), copy=False)
        for place in list(written.find_all(exp.Column)):
            place.replace(micros.copy())
        if node is tree:
            return written
        node.replace(written)
    return tree
