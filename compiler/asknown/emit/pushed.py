"""Writes the queries over pushed rows: a view's own SQL with the rows in place of the source, and the landed files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sqlglot import exp

from asknown.dialects.dialect import Dialect
from asknown.dialects.duckdb import DUCKDB
from asknown.emit.load import compile_pushed
from asknown.emit.models import source_name
from asknown.emit.sql import ident
from asknown.emit.statement import Cte, check_sql, write
from asknown.model.nodes import FeatureView
from asknown.project.nodes import SourceTable
from asknown.project.push import SEQUENCE

ROWS = "asknown_pushed_rows"
"""The name of the relation that has the pushed rows, with the columns of their source."""


_FILE = "_asknown_file"


def pushed_query(
    view: FeatureView, table: SourceTable, models: Sequence[Cte], reserved_names: Sequence[str], dialect: Dialect
) -> str:
    """The view's own SQL over pushed rows of ``table``, with all columns that the online table keeps."""
    replaced = [
        Cte(cte.name, _rows(table), materialized=False) if cte.name == source_name(table) else cte for cte in models
    ]
    statement = compile_pushed(view, replaced, reserved_names, dialect)
    return check_sql(write(statement, dialect), dialect)


def landing_copy(table: SourceTable, path: Path) -> str:
    """The statement that writes pushed rows of ``table``, with their numbers, to a Parquet file."""
    query = _rows(table).select(exp.column(SEQUENCE)).sql(DUCKDB.sqlglot)
    quoted = exp.Literal.string(str(path)).sql(DUCKDB.sqlglot)
    return f"COPY ({query}) TO {quoted} (FORMAT PARQUET, COMPRESSION zstd)"


def twice_query(table: SourceTable, since: datetime) -> str:
    """The query for an id that a file has which push did not write, of a row that was pushed after ``since``.

    It gives the id and the file's name.
    """
    assert table.push is not None and table.push.id is not None and table.path is not None
    key, known_at, file = (exp.column(ident(name)) for name in (table.push.id, table.push.known_at, _FILE))
    number = exp.column(ident(SEQUENCE))
    path = exp.Literal.string(table.path)
    options = [
        exp.Kwarg(this=exp.Var(this="union_by_name"), expression=exp.true()),
        exp.Kwarg(this=exp.Var(this="filename"), expression=exp.Literal.string(_FILE)),
    ]
    files = exp.Table(this=exp.Anonymous(this="read_parquet", expressions=[path, *options]))
    instant = exp.cast(exp.Literal.string(since.isoformat(" ")), "TIMESTAMP")
    landed = exp.select(key).from_(files).where(exp.not_(number.is_(exp.null())), known_at >= instant)
    query = exp.select(key, file).from_(files).where(number.is_(exp.null()), key.isin(query=landed))
    return query.order_by(file).limit(1).sql(DUCKDB.sqlglot)


def arrivals_query(table: SourceTable, numbers: Sequence[int]) -> str:
    """The query of the numbers and arrivals of the landed rows that have these ``numbers``."""
    number, known_at, files = _landed(table)
    query = exp.select(number, known_at).from_(files).where(number.isin(*map(exp.Literal.number, numbers)))
    return query.order_by(number).sql(DUCKDB.sqlglot)


def arrived_query(table: SourceTable, until: datetime) -> str:
    """The query of the number of the last landed row that had arrived by an instant."""
    number, known_at, files = _landed(table)
    instant = exp.cast(exp.Literal.string(until.isoformat(" ")), "TIMESTAMP")
    return exp.select(exp.Max(this=number)).from_(files).where(known_at <= instant).sql(DUCKDB.sqlglot)


def _landed(table: SourceTable) -> tuple[exp.Column, exp.Column, exp.Table]:
    """The number and the arrival of landed rows, and the files that have them."""
    assert table.push is not None and table.path is not None
    options = [exp.Kwarg(this=exp.Var(this="union_by_name"), expression=exp.true())]
    files = exp.Table(this=exp.Anonymous(this="read_parquet", expressions=[exp.Literal.string(table.path), *options]))
    return exp.column(ident(SEQUENCE)), exp.column(ident(table.push.known_at)), files


def _rows(table: SourceTable) -> exp.Select:
    """The query of pushed rows, each column in its declared type."""
    columns: list[exp.Expr] = []
    for column in table.columns:
        value = exp.column(ident(column.name))
        columns.append(exp.alias_(exp.cast(value, str(column.data_type), dialect="duckdb"), ident(column.name)))
    return exp.select(*columns).from_(exp.Table(this=ident(ROWS)))
