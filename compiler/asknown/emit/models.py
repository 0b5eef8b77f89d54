"""The CTEs that a query stands on: its sources, the models between them and the views, and the views' rows."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp, parse_one

from asknown.dialects.dialect import Dialect
from asknown.emit.identifiers import Names, fold_names
from asknown.emit.snippets import cast, snippet
from asknown.emit.sql import ident, named
from asknown.emit.statement import Cte, Statement
from asknown.emit.translate.rewrite import translate
from asknown.errors import AsknownError, Where
from asknown.model.nodes import Column, FeatureView, Model
from asknown.model.parse import is_repeatable
from asknown.project.nodes import SourceTable


def source_name(table: SourceTable) -> str:
    """The name that ``source()`` renders to, and that the source's CTE has."""
    return f"{table.source}.{table.name}"


def source_query(table: SourceTable, dialect: Dialect) -> Statement:
    """The rows of a source as they are stored."""
    return Statement((), exp.select("*").from_(_relation(table, dialect)))


def source_cte(table: SourceTable, columns: Sequence[Column], dialect: Dialect) -> Cte:
    """The CTE of a source with these ``columns``: naive timestamps become UTC where it declares a time zone.

    Where a dialect has words for how a kind of column is read, it is read so.
    """
    shown: list[exp.Expr] = [_read(column, table.timezone, dialect) for column in columns]
    if all(isinstance(column, exp.Column) for column in shown):
        shown = [exp.Star()]
    return Cte(source_name(table), exp.select(*shown).from_(_relation(table, dialect)), materialized=False)


def typed_cte(name: str, columns: Sequence[Column]) -> Cte:
    """A CTE without rows, for DuckDB to say which types a query over these columns has."""
    typed = [exp.alias_(exp.cast(exp.null(), c.type.name, dialect="duckdb"), ident(c.name)) for c in columns]
    return Cte(name, exp.select(*typed).where(exp.false()))


def model_cte(model: Model, dialect: Dialect, *, built: bool = True) -> Cte:
    """The CTE of a model: the author's own text where the dialect is the author's, else the same, translated.

    Of a model that is ``built`` it is the table that stands in the warehouse. A model that might read otherwise the
    second time is computed once. One that joins is the engine's to decide on. Any other is read in place, so that only
    the columns and rows that a query needs are touched.
    """
    if built and model.rendered.config.materialized != "ephemeral":
        return Cte(model.name, exp.select("*").from_(built_table(model, dialect)), materialized=False)
    body = model.sql if model.dialect == dialect.sqlglot else translate(model, model.tree, dialect)
    materialized = True if not model.repeatable else None if model.joins else False
    return Cte(model.name, body, materialized=materialized)


def built_table(model: Model, dialect: Dialect) -> exp.Table:
    """The table or view that `asknown run` makes of a model."""
    schema = None if dialect.names.own_schema is None else ident(dialect.names.own_schema)
    return exp.Table(this=ident(model.name), db=schema)


def _relation(table: SourceTable, dialect: Dialect) -> exp.Expr:
    readers = dialect.relations.readers
    path = table.path if readers and (table.identifier is None or _reader(table.path, dialect)) else None
    if path is not None:
        return _reading(path, dialect, at=table.at)
    if table.identifier is not None:
        parsed = parse_one(table.identifier, into=exp.Table, dialect=dialect.sqlglot)
        assert isinstance(parsed, exp.Table)
        return parsed
    return exp.Table(this=ident(table.name), db=ident(table.source))  # dbt's rule: a source's name is a schema's


def file_query(path: str, dialect: Dialect) -> str:
    """The query that reads a file (or glob), by its ending."""
    return exp.select("*").from_(_reading(path, dialect)).sql(dialect.sqlglot)


def relation_query(name: str, dialect: Dialect) -> str:
    """The query that reads all of a relation, a model's CTE say."""
    return exp.select("*").from_(exp.Table(this=ident(name))).sql(dialect.sqlglot)


def cast_query(columns: Sequence[Column], query: str, dialect: Dialect) -> str:
    """The query that casts the columns of another, a text, to these types."""
    shown = [named(cast(dialect, exp.column(ident(column.name)), column.type), column.name) for column in columns]
    select = exp.select(*shown).sql(dialect.sqlglot, pretty=True, identify=dialect.names.quotes_all)
    return f"{select}\nFROM (\n{query}\n) AS spine"


def columns_query(columns: Sequence[Column], relation: str, dialect: Dialect) -> str:
    """The query that reads these columns of a relation."""
    query = exp.select(*[ident(column.name) for column in columns]).from_(exp.Table(this=ident(relation)))
    if dialect.names.folds_up:
        fold_names(query, dialect.names.reserved)
    return query.sql(dialect.sqlglot)


def _reading(path: str, dialect: Dialect, *, at: Where | None = None) -> exp.Expr:
    reader = _reader(path, dialect)
    if reader is None:
        raise AsknownError(
            "no-data",
            f"'{path}' has no ending that says how to read it",
            at=at,
            hint=f"read are {', '.join(sorted(dialect.relations.readers))}; a table is named by its 'identifier'",
        )
    if reader.endswith("."):
        return exp.Table(this=ident(path), db=ident(reader.removesuffix(".")))
    return exp.Table(this=exp.Anonymous(this=reader, expressions=[exp.Literal.string(path)]))


def _reader(path: str | None, dialect: Dialect) -> str | None:
    """What reads a file, by its ending."""
    readers = dialect.relations.readers
    fitting = [ending for ending in readers if path is not None and path.casefold().endswith(ending)]
    return readers[max(fitting, key=len)] if fitting else None


def _read(column: Column, zone: str | None, dialect: Dialect) -> exp.Expr:
    """A stored column as models read it."""
    stored = exp.column(ident(column.name))
    if zone and column.type.kind == "timestamp":
        return exp.alias_(snippet(dialect, "from_zone", x=stored, zone=exp.Literal.string(zone)), ident(column.name))
    name = f"stored.{column.type.kind}"
    return exp.alias_(snippet(dialect, name, x=stored), ident(column.name)) if name in dialect.snippets else stored


class ViewRows:
    """The CTEs that views' rows are read from: the model's own, or for a view with windows its lifted select."""

    def __init__(self, names: Names, dialect: Dialect) -> None:
        self._names = names
        self._dialect = dialect
        self._made: dict[str, str] = {}

    def of(self, view: FeatureView) -> list[Cte]:
        """The CTE of the view's rows, where it is not there yet."""
        if view.lifted is None or view.name in self._made:
            return []
        self._made[view.name] = self._names.fresh(f"{view.name}__events")
        tree = view.lifted.tree
        body = tree if view.model.dialect == self._dialect.sqlglot else translate(view.model, tree, self._dialect)
        materialized = None if is_repeatable(view.lifted.tree) else True
        return [Cte(self._made[view.name], body, materialized=materialized, comment=f"{view.name} without its windows")]

    def name(self, view: FeatureView) -> str:
        """The name of the CTE of the view's rows."""
        return self._made.get(view.name, view.name)
