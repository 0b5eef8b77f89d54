"""The CTEs that a query reads: its sources, the models between them and the views, and the views' rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping, Sequence

from sqlglot import exp, parse_one

from asknown.dialects.dialect import Dialect
from asknown.dialects.duckdb import DUCKDB
from asknown.emit.identifiers import Names as FreshNames
from asknown.emit.identifiers import fold_names
from asknown.emit.snippets import cast, snippet
from asknown.emit.sql import ident, in_range, named
from asknown.emit.statement import Body, Cte, Statement
from asknown.emit.translate.prune import Names, prune, prune_models
from asknown.emit.translate.rewrite import translate
from asknown.emit.translate.roundings import spell_roundings, text_with_roundings
from asknown.emit.unknown_types import is_unsized, typed_as
from asknown.errors import AsknownError, Where
from asknown.model.nodes import FeatureView, Model
from asknown.model.parse import is_repeatable
from asknown.plan.nodes import Bounds
from asknown.project.nodes import FileRead, SourceTable
from asknown.render.nodes import REQUEST
from asknown.types import Column, SqlType, parse_type

_TEXT = parse_type("VARCHAR")


def source_name(table: SourceTable) -> str:
    """The name of a source's CTE, which ``source()`` renders to."""
    return f"{table.source}.{table.name}"


def bare_table(table: SourceTable) -> str | None:
    """The name of the target's table that a source reads, if nothing says in which schema it is."""
    if table.identifier is None or not re.fullmatch(r"[^.]+", table.identifier):
        return None
    return table.identifier.strip('`"')


def source_query(table: SourceTable, dialect: Dialect) -> Statement:
    """The query of a source's rows as they are stored, each column in its type."""
    columns = _stored_columns(_read_by(table, dialect)) if table.push is None else _declared_columns(table)
    return Statement((), exp.select(*columns).from_(_relation(table, dialect)))


def glob_query(path: str) -> str:
    """The query for the files that DuckDB reads at a path or glob, in the order of their names."""
    return f"SELECT file FROM GLOB({exp.Literal.string(path).sql(DUCKDB.sqlglot)}) ORDER BY file"


def with_files(query: Body, files: Sequence[str]) -> Body:
    """The query of a source's rows, read from these of its files alone.

    >>> str(with_files(parse_one("SELECT * FROM READ_PARQUET('t/*.parquet')"), ["t/a.parquet"]))
    "SELECT * FROM READ_PARQUET(ARRAY('t/a.parquet'))"
    """
    assert isinstance(query, exp.Select)
    narrowed = query.copy()
    reader = narrowed.args["from_"].this.this
    reader.set("expressions", [_argument(tuple(files)), *reader.expressions[1:]])
    return narrowed


def source_cte(
    table: SourceTable, columns: Sequence[Column], dialect: Dialect, stored: Mapping[str, SqlType] | None = None
) -> Cte:
    """The CTE of a source with these ``columns``.

    If the source declares a time zone, its naive timestamps are converted from it to UTC. A kind of column for which
    the dialect has a snippet ``stored.kind`` is read by that snippet. ``stored`` has the engine's own types of the
    columns that are cast to the types that the source declares for them.
    """
    casts = _casts(_read_by(table, dialect))
    own = {name: stored_as(table, Column(name, kind), columns, dialect) for name, kind in (stored or {}).items()}
    casts |= own
    shown: list[exp.Expr] = [_read(column, casts.get(column.name), table.timezone, dialect) for column in columns]
    if table.push is None and all(isinstance(column, exp.Column) for column in shown):
        shown = [exp.Star()]
    return Cte(source_name(table), exp.select(*shown).from_(_relation(table, dialect)), materialized=False)


def stored_as(table: SourceTable, stored: Column, columns: Sequence[Column], dialect: Dialect) -> exp.Expr:
    """A stored column in its declared type. A number that does not fit it raises an error when it is read."""
    value, kind = exp.column(ident(stored.name)), next(c.type for c in columns if c.name == stored.name)
    exact = kind.kind in ("integer", "decimal") and is_unsized(stored.type)
    if not exact or "stored_as.number" not in dialect.snippets:
        return cast(dialect, value, kind)
    checked = snippet(
        dialect,
        "stored_as.number",
        x=value,
        scale=exp.Literal.number(kind.scale),
        message=exp.Literal.string(
            f"asknown: column '{stored.name}' of source '{source_name(table)}' does not fit its data_type {kind}"
            ": it holds "
        ),
    )
    return cast(dialect, checked, kind)


def typed_cte(name: str, columns: Sequence[Column]) -> Cte:
    """A CTE with these columns and no rows, from which DuckDB finds the types of a query over them.

    >>> from asknown.types import parse_type
    >>> typed_cte("orders", [Column("id", parse_type("BIGINT"))]).body.sql("duckdb")
    'SELECT CAST(NULL AS BIGINT) AS id WHERE FALSE'
    """
    kinds = [exp.DataType.build(typed_as(column.type), dialect="duckdb", udt=True) for column in columns]
    nulls = [exp.Cast(this=exp.null(), to=kind) for kind in kinds]
    typed = [exp.alias_(null, ident(column.name)) for null, column in zip(nulls, columns, strict=True)]
    return Cte(name, exp.select(*typed).where(exp.false()))


def request_cte(columns: Sequence[Column], dialect: Dialect) -> Cte:
    """The relation of an on-demand view: one row, of which nothing is known but the types.

    >>> from asknown.types import parse_type
    >>> request_cte([Column("amount", parse_type("DOUBLE"))], DUCKDB).body.sql("duckdb")
    'SELECT CAST(NULL AS DOUBLE) AS amount'
    """
    return Cte(REQUEST, exp.select(*[exp.alias_(cast(dialect, exp.null(), c.type), ident(c.name)) for c in columns]))


def model_cte(model: Model, dialect: Dialect, *, built: bool = True) -> Cte:
    """The CTE of a model.

    If the model is materialized and ``built``, the CTE reads its table in the warehouse. A model that could give other
    rows when read again is computed once. For a model with joins, the engine decides. Any other is read in place, so
    that a query touches only the columns and rows that it needs.
    """
    if built and model.rendered.config.materialized != "ephemeral":
        return Cte(model.name, exp.select("*").from_(built_table(model, dialect)), materialized=False)
    body = model_text(model, dialect)
    materialized = True if not model.repeatable else None if model.joins else False
    return Cte(model.name, body, materialized=materialized)


def translated(
    models: Sequence[Model],
    dialect: Dialect,
    read: Mapping[str, Names] | None,
    kept: MutableMapping[tuple[str, Dialect], Cte],
) -> list[Cte]:
    """The CTEs of models, each after those that it refers to.

    If one has no translation, they are those of what the columns ``read`` need, by a model's name. Whole models'
    CTEs are ``kept`` by name and dialect: a large model takes a tenth of a second, and each request asks again.
    """
    try:
        for model in models:
            if (model.name, dialect) not in kept:
                kept[model.name, dialect] = model_cte(model, dialect)
        return [kept[model.name, dialect] for model in models]
    except AsknownError as error:
        if error.code != "not-in-dialect" or read is None:
            raise
        return [model_cte(model, dialect) for model in prune_models(models, read)]


def model_text(model: Model, dialect: Dialect) -> str:
    """The query of a model: the author's own text if it is in the dialect, else its translation.

    In the author's text, what versions of the engine compute in different ways is spelled out.
    """
    if model.dialect != dialect.sqlglot:
        return translate(model, model.tree, dialect)
    return text_with_roundings(model, dialect) if _spells_roundings(dialect) else model.sql


def _spells_roundings(dialect: Dialect) -> bool:
    return "round.places.double" in dialect.snippets


def built_table(model: Model, dialect: Dialect) -> exp.Table:
    """The table or view that `asknown run` makes of a model."""
    schema = None if dialect.names.own_schema is None else ident(dialect.names.own_schema)
    return exp.Table(this=ident(model.name), db=schema)


def _relation(table: SourceTable, dialect: Dialect) -> exp.Expr:
    readers = dialect.relations.readers
    path = table.path if readers and (table.identifier is None or _reader(table.path, dialect)) else None
    if path is not None:
        return _reading(path, dialect, at=table.at, read=_read_by(table, dialect))
    if table.identifier is not None:
        parsed = parse_one(table.identifier, into=exp.Table, dialect=dialect.sqlglot)
        assert isinstance(parsed, exp.Table)
        return parsed
    return exp.Table(this=ident(table.name), db=ident(table.source))  # dbt's rule: a source's name is a schema's


def _read_by(table: SourceTable, dialect: Dialect) -> FileRead | None:
    """How the files of a table are read. It was found out for DuckDB; other engines have readers of their own."""
    return table.read if dialect.name == DUCKDB.name else None


def file_query(path: str, dialect: Dialect, read: FileRead | None = None) -> str:
    """The query that reads a file (or glob), as ``read`` says, else by its ending alone."""
    return exp.select(*_stored_columns(read)).from_(_reading(path, dialect, read=read)).sql(dialect.sqlglot)


def relation_query(name: str, dialect: Dialect) -> str:
    """The query that reads all of a relation, such as a model's CTE."""
    return exp.select("*").from_(exp.Table(this=ident(name))).sql(dialect.sqlglot)


def cast_query(columns: Sequence[Column], query: str, dialect: Dialect) -> str:
    """The query that casts the columns of ``query`` to these types."""
    shown = [named(cast(dialect, exp.column(ident(column.name)), column.type), column.name) for column in columns]
    select = exp.select(*shown).sql(dialect.sqlglot, pretty=True, identify=dialect.names.quotes_all)
    return f"{select}\nFROM (\n{query}\n) AS spine"


def columns_query(columns: Sequence[Column], relation: str, dialect: Dialect, instant: Column, within: Bounds) -> str:
    """The query that reads these columns of a relation, of the rows whose ``instant`` lies within the bounds."""
    query = exp.select(*[ident(column.name) for column in columns]).from_(exp.Table(this=ident(relation)))
    when = exp.column(ident(instant.name))
    query = query.where(*in_range(dialect, when, instant.type, within.earliest, within.latest))
    if dialect.names.folds_up:
        fold_names(query, dialect.names.reserved)
    return query.sql(dialect.sqlglot)


def _stored_columns(read: FileRead | None) -> list[exp.Expr]:
    """All columns of files, those that are text in the file cast to their types."""
    casts = _casts(read)
    if not casts:
        return [exp.Star()]
    replaced = [exp.alias_(cast, ident(name)) for name, cast in casts.items()]
    return [exp.Star(replace=replaced)]


def _declared_columns(table: SourceTable) -> list[exp.Expr]:
    """The columns that a source takes pushes with. Its landed files have one more, which numbers the rows."""
    casts = _casts(table.read)
    names = [column.name for column in table.columns]
    return [exp.alias_(casts[n], ident(n)) if n in casts else exp.column(ident(n)) for n in names]


def _casts(read: FileRead | None) -> dict[str, exp.Expr]:
    casts: dict[str, exp.Expr] = {}
    for name, kind, written in read.casts if read is not None else ():
        value: exp.Expr = exp.column(ident(name))
        if written == "nanoseconds":
            casts[name] = snippet(DUCKDB, "instant.other", x=value)
            continue
        if written is not None and written.startswith("duration."):
            casts[name] = snippet(DUCKDB, written, x=value)
            continue
        if written == "comma":
            value = exp.func("replace", value, exp.Literal.string(","), exp.Literal.string("."), dialect="duckdb")
        elif written is not None:
            value = exp.func("strptime", value, exp.Literal.string(written), dialect="duckdb")
        casts[name] = exp.cast(value, kind, dialect="duckdb")
    return casts


def _argument(value: object) -> exp.Expr:
    if isinstance(value, bool):
        return exp.Boolean(this=value)
    if isinstance(value, int):
        return exp.Literal.number(value)
    if isinstance(value, str):
        return exp.Literal.string(value)
    if isinstance(value, dict):
        pairs = [exp.PropertyEQ(this=exp.Literal.string(k), expression=_argument(v)) for k, v in value.items()]
        return exp.Struct(expressions=pairs)
    assert isinstance(value, tuple)
    return exp.Array(expressions=[_argument(item) for item in value])


def _reading(path: str, dialect: Dialect, *, at: Where | None = None, read: FileRead | None = None) -> exp.Expr:
    if read is not None:
        named = [exp.Kwarg(this=exp.Var(this=name), expression=_argument(value)) for name, value in read.arguments]
        return exp.Table(this=exp.Anonymous(this=read.function, expressions=[exp.Literal.string(path), *named]))
    reader = _reader(path, dialect)
    if reader is None:
        raise AsknownError(
            "no-data",
            f"{dialect.name} has no reader for '{path}'",
            at=at,
            hint=f"files may end in {', '.join(sorted(dialect.relations.readers))}; name a table with 'identifier'",
        )
    if reader.endswith("."):
        path = path.removesuffix("**/*.parquet")  # a folder, in which this reader finds the files itself
        return exp.Table(this=ident(path), db=ident(reader.removesuffix(".")))
    return exp.Table(this=exp.Anonymous(this=reader, expressions=[exp.Literal.string(path)]))


def _reader(path: str | None, dialect: Dialect) -> str | None:
    """The reader of a file, by the longest ending that fits; None if the dialect has none."""
    readers = dialect.relations.readers
    fitting = [ending for ending in readers if path is not None and path.casefold().endswith(ending)]
    return readers[max(fitting, key=len)] if fitting else None


def _read(column: Column, cast_to: exp.Expr | None, zone: str | None, dialect: Dialect) -> exp.Expr:
    """A stored column, converted to what models read."""
    stored = exp.column(ident(column.name)) if cast_to is None else cast_to
    if column.type.kind == "text" and column.type != _TEXT and not column.type.is_enum:
        cast_to = stored = cast(dialect, stored, _TEXT)  # an engine's own kind of text, such as CHAR(3)
    if zone and column.type.kind == "timestamp":
        return exp.alias_(snippet(dialect, "from_zone", x=stored, zone=exp.Literal.string(zone)), ident(column.name))
    is_json = column.type.kind == "other" and column.type.name.upper() in ("JSON", "JSONB")
    name = f"stored.{'json' if is_json else column.type.kind}"
    if name in dialect.snippets:
        return exp.alias_(snippet(dialect, name, x=stored), ident(column.name))
    return stored if cast_to is None else exp.alias_(stored, ident(column.name))


class ViewRows:
    """The CTEs of views' rows: the CTE of the model, or for a view with windows its select without them."""

    def __init__(self, names: FreshNames, dialect: Dialect, read: Mapping[str, Names] | None = None) -> None:
        self._names = names
        self._dialect = dialect
        self._read = read or {}  # by a view's name, the columns that are read
        self._event_ctes: dict[str, str] = {}

    def of(self, view: FeatureView) -> list[Cte]:
        """The new CTE of the view's rows; none if it is the model's, or has been made already."""
        if view.lifted is None or view.name in self._event_ctes:
            return []
        self._event_ctes[view.name] = self._names.fresh(f"{view.name}__events")
        body: Body = view.lifted.tree
        if view.model.dialect != self._dialect.sqlglot:
            body = self._translated(view, view.lifted.tree)
        elif _spells_roundings(self._dialect):
            body = spell_roundings(view.model, view.lifted.tree, self._dialect)
        materialized = None if is_repeatable(view.lifted.tree) else True
        name, comment = self._event_ctes[view.name], f"rows of {view.name}, without its trailing windows"
        return [Cte(name, body, materialized=materialized, comment=comment)]

    def _translated(self, view: FeatureView, tree: exp.Query) -> str:
        """The rows' query; if it has no translation, that of the columns that are read."""
        try:
            return translate(view.model, tree, self._dialect)
        except AsknownError as error:
            names = self._read.get(view.name)
            if error.code != "not-in-dialect" or names is None:
                raise
            return translate(view.model, prune(tree, names), self._dialect)

    def name(self, view: FeatureView) -> str:
        """The name of the CTE of the view's rows."""
        return self._event_ctes.get(view.name, view.name)
