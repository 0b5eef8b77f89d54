"""One query of all edge expressions (``model.expressions.edges``), spelled as in training queries."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from sqlglot import exp

from asknown.dialects.dialect import Dialect
from asknown.emit.sql import ident, named
from asknown.emit.statement import Statement
from asknown.emit.translate.define import define
from asknown.model.expressions.edges import EDGE_ROWS, Edge, columns_of, edge_types


def compile_edges(edges: Sequence[Edge], dialect: Dialect) -> Statement:
    """The query whose rows are those of the table of edges, with a column for each expression, in order."""
    types = edge_types()
    columns = [named(define(edge.expression, dialect, (), types), f"edge_{place}") for place, edge in enumerate(edges)]
    read = [name for name in EDGE_ROWS if any(name in columns_of(edge.tree) for edge in edges)]
    listed = [[typed_value(kind, text) for text in texts] for kind, texts in map(EDGE_ROWS.__getitem__, read)]
    rows = [exp.Tuple(expressions=list(row)) for row in zip(*listed, strict=True)]
    numbered = [exp.Tuple(expressions=[exp.Literal.number(n), *row.expressions]) for n, row in enumerate(rows)]
    alias = exp.TableAlias(this=ident("edges"), columns=[ident("place"), *map(ident, read)])
    values = exp.Values(expressions=numbered, alias=alias)
    return Statement((), exp.select(*columns).from_(values).order_by(exp.column("place")))


def typed_value(kind: str, text: str | None) -> exp.Expr:
    """A value of this type, from its text; None is NULL."""
    value = exp.null() if text is None else exp.Literal.string(text)
    return exp.Cast(this=value, to=_read_type(kind).copy())


@cache
def _read_type(kind: str) -> exp.DataType:
    return exp.DataType.build(kind, dialect="duckdb")
