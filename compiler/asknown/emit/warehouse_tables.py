"""Finds the target's own tables in a spine's SQL and turns each into a source, so that every engine can read them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlglot import exp

from asknown.dialects.dialect import Dialect
from asknown.errors import Where
from asknown.model.nodes import Model
from asknown.project.nodes import SourceTable
from asknown.render.nodes import Rendered

OWNER = "the target's"
"""The source that the tables of a spine belong to. No declared source can have this name."""


def warehouse_tables(model: Model) -> list[exp.Table]:
    """The tables of the target that a query names itself: all but its CTEs, and what ref() and source() stand for."""
    given = {ref.casefold() for ref in model.rendered.refs}
    given |= {f"{source}.{table}".casefold() for source, table in model.rendered.sources}
    given |= {cte.alias_or_name.casefold() for cte in model.tree.find_all(exp.CTE)}
    return [
        table
        for table in model.tree.find_all(exp.Table)
        if isinstance(table.this, exp.Identifier) and (table.db or table.name.casefold() not in given)
    ]


def with_sources(model: Model, dialect: Dialect) -> tuple[Rendered, list[SourceTable]]:
    """The query with a source in the place of each table of the target that it names, and these sources.

    ``from shop.orders where shop.orders.id > 1`` becomes ``from "the target's.shop.orders" as orders where orders.id >
    1``. The lines stay as they are. ``dialect`` is the engine's, which the sources' identifiers are written in.
    """
    found: dict[str, SourceTable] = {}
    edits: list[tuple[int, int, str]] = []
    for table in warehouse_tables(model):
        named = exp.Table(**{part: table.args.get(part) for part in ("this", "db", "catalog")}).copy()
        identifier = named.sql(dialect.sqlglot)
        at = Where("the spine's SQL")
        found.setdefault(identifier, SourceTable(OWNER, identifier, None, identifier, None, "", (), at))
        relation = exp.to_identifier(f"{OWNER}.{identifier}", quoted=True).sql(model.dialect)
        alias = "" if table.alias else f" as {table.this.sql(model.dialect)}"
        edits.append((*_span(table.parts), relation + alias))
    edits += _qualifiers(model.tree)
    sql = model.sql
    for start, end, text in sorted(edits, reverse=True):
        sql = sql[:start] + text + sql[end:]
    sources = tuple((OWNER, identifier) for identifier in found)
    return replace(model.rendered, sql=sql, sources=(*model.rendered.sources, *sources)), list(found.values())


def _qualifiers(tree: exp.Query) -> Iterator[tuple[int, int, str]]:
    """The edits that take the schema out of columns such as ``shop.orders.id``."""
    for column in tree.find_all(exp.Column):
        before = [part for part in (column.args.get("catalog"), column.args.get("db")) if part is not None]
        if before:
            yield _span(before)[0], _span([column.args["table"]])[0], ""


def _span(parts: list[exp.Expr]) -> tuple[int, int]:
    """Where the first of some identifiers begins in the text, and the last ends."""
    return parts[0].meta["start"], parts[-1].meta["end"] + 1
