"""Finds the tables of a project's sources: where they are, how their files are read, and the columns that they have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from asknown.dialects.dialect import Dialect
from asknown.emit.models import source_name, source_query
from asknown.emit.statement import write
from asknown.emit.unknown_types import is_plain_number, is_unknown
from asknown.engines.engine import Engine
from asknown.engines.input_files import inspect_source
from asknown.errors import AsknownError, did_you_mean
from asknown.project.nodes import Project, SourceTable
from asknown.store.inspected import InspectedFiles
from asknown.types import Column, SqlType, parse_type


class SourceTables:
    """The tables of a project's sources, on one engine, which is asked about each table once.

    Without an ``engine``, a table has the columns that its properties list. Without ``built``, so has a table that the
    engine does not find.
    """

    def __init__(self, project: Project, engine: Engine | None, *, built: bool) -> None:
        self._project = project
        self._engine = engine
        self._takes_built = built
        self._columns: dict[tuple[str, str], tuple[Column, ...]] = {}
        self.files = InspectedFiles()
        self._stored: dict[tuple[str, str], dict[str, SqlType]] = {}
        self.tables: dict[tuple[str, str], SourceTable] = dict(project.sources)
        """The project's tables, and those of the target that a spine has named."""

    def columns(self, key: tuple[str, str]) -> tuple[Column, ...]:
        """The columns of a source's table."""
        if key not in self._columns:
            table = self.tables[key]
            try:
                table = self.located(key)
                columns = _listed(table) if self._engine is None else self._found(key, self._engine)
            except AsknownError as error:
                if error.code != "no-data" or self._takes_built or not _lists_all(table):
                    raise
                columns = _listed(table)
            _check_names(table, columns)
            self._columns[key] = columns
        return self._columns[key]

    def _found(self, key: tuple[str, str], engine: Engine) -> tuple[Column, ...]:
        """The columns that the engine finds; those of types that it alone knows have their declared types, if any."""
        columns = _described(self.located(key), engine)
        if self._project.settings.dialect == engine.dialect.name:
            return columns
        columns = tuple(replace(column, type=_own_type(column.type, engine.dialect)) for column in columns)
        declared = _declared(self.tables[key])
        cast = {c.name: c.type for c in columns if is_unknown(c.type) and c.name.casefold() in declared}
        self._stored[key] = cast
        return tuple(replace(c, type=declared[c.name.casefold()]) if c.name in cast else c for c in columns)

    def stored(self, key: tuple[str, str]) -> Mapping[str, SqlType]:
        """The engine's own types of the columns that are read in their declared types."""
        self.columns(key)
        return self._stored.get(key, {})

    def missing(self) -> dict[str, AsknownError]:
        """The error of each table that the engine does not find, by the source's name."""
        missing = {}
        for key, table in self._project.sources.items():
            try:
                self.located(key)
                self.columns(key)
            except AsknownError as error:
                missing[source_name(table)] = error
        return missing

    def located(self, key: tuple[str, str]) -> SourceTable:
        """The table with an absolute path. An engine would resolve a relative one against the user's own folder."""
        table = self.tables[key]
        if table.path is None or "://" in table.path:
            return table
        folder = "/" if table.path.endswith("/") else ""
        located = replace(table, path=str(self._project.settings.root / table.path) + folder)
        engine = self._file_engine
        if engine is None:
            return located
        path, read = self.files.read(str(located.path), ".".join(key), partial(inspect_source, engine, located))
        return replace(located, path=path, read=read)

    @property
    def _file_engine(self) -> Engine | None:
        """The engine that inspects files before they are read, if the target reads them as DuckDB does."""
        return self._engine if self._engine is not None and self._engine.dialect.sqlglot == "duckdb" else None


def _described(table: SourceTable, engine: Engine) -> tuple[Column, ...]:
    """The columns that the engine finds. An error names the source, and points at its properties."""
    try:
        found = engine.describe(write(source_query(table, engine.dialect), engine.dialect))
    except AsknownError as error:
        if error.code == "lost-connection":
            raise
        message, hint = f"source '{source_name(table)}': {error.message}", error.hint
        if error.code == "no-data" and table.path is not None and not engine.dialect.relations.readers:
            file = table.path.rpartition("/")[2]
            hint = f"{engine.dialect.name} reads no files here: load {file} into that table, "
            hint += "or name the table that has its rows: identifier: …"
        raise AsknownError(error.code, message, at=table.at, hint=hint) from None
    columns = tuple(Column(name, kind) for name, kind in found)
    if table.push is not None:
        _check_pushable(table, columns)
    return columns


def _check_pushable(table: SourceTable, found: tuple[Column, ...]) -> None:
    """Refuses files whose columns have other types than the rows that are pushed (rule 7)."""
    for column, declared in zip(found, _listed(table), strict=True):
        if column.type != declared.type:
            raise AsknownError(
                "push-source",
                f"column '{column.name}' of source '{source_name(table)}' is {column.type} in the files, "
                f"and {declared.type} in pushed rows",
                at=table.at,
                hint=f"declare its data_type as it is in the files: {column.type}",
            )


def _own_type(kind: SqlType, dialect: Dialect) -> SqlType:
    """The type of a stored column, such that DuckDB does not take it for one of its own. Enums are texts."""
    rules = dialect.relations
    if kind.is_enum:
        return SqlType("enum", "text")
    if kind.is_wide and rules.unscaled is not None:
        return SqlType(rules.unscaled, "other")
    is_own = kind.kind == "other" and any(kind.name.upper().startswith(name) for name in rules.own)
    return SqlType(f"{dialect.name} {kind.name}", "other") if is_own else kind


def _declared(table: SourceTable) -> dict[str, SqlType]:
    """The types that a source's properties declare, by the column's name in lower case, where they say all."""
    types = {column.name.casefold(): column.data_type for column in table.columns}
    return {name: parse_type(kind) for name, kind in types.items() if kind is not None and not is_plain_number(kind)}


def _check_names(table: SourceTable, columns: Sequence[Column]) -> None:
    """Raises ``no-data`` where the properties of a table name a column that it does not have.

    What is no plain name is SQL, which is left to the engine.
    """
    there = {column.name.casefold() for column in columns}
    told = [("loaded_at_field", table.loaded_at_field)]
    told += [("unique", name) for key in table.unique for name in key]
    told += [(f"known_at of '{column.name}'", column.known_at) for column in table.columns]
    for what, name in told:
        if name is not None and name.isidentifier() and name.casefold() not in there:
            raise AsknownError(
                "no-data",
                f"source '{source_name(table)}' has no column '{name}', which {what} names",
                at=table.at,
                hint=did_you_mean(name, [column.name for column in columns], what="its columns"),
            )


def _lists_all(table: SourceTable) -> bool:
    """Whether a source's properties list the columns with all their types."""
    return bool(table.columns) and all(column.data_type for column in table.columns)


def _listed(table: SourceTable) -> tuple[Column, ...]:
    """The columns that a source's properties list. Raises ``no-data`` if a column has no type there."""
    if not _lists_all(table):
        raise AsknownError(
            "no-data",
            f"the columns of source '{source_name(table)}' are not known without a connection",
            at=table.at,
            hint="list them: columns: [{name: …, data_type: …}, …], with DuckDB's names for types",
        )
    return tuple(Column(column.name, _type(str(column.data_type))) for column in table.columns)


def _type(text: str) -> SqlType:
    """The type that the properties of a source list. Engines differ in the digits of a number that names none."""
    return SqlType(text.strip(), "other") if is_plain_number(text) else parse_type(text)
