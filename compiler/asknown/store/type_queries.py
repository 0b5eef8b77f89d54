"""Asks an engine for the columns of queries over a project's models."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

from asknown.catalog.catalog import Catalog
from asknown.emit.models import file_query, model_cte, relation_query, request_cte, source_name, typed_cte
from asknown.emit.statement import Body, Cte, Statement, write
from asknown.emit.unknown_types import stands_for
from asknown.emit.warehouse_tables import warehouse_tables
from asknown.engines.engine import Engine
from asknown.engines.input_files import inspect_file
from asknown.errors import AsknownError, Where
from asknown.model.nodes import Model
from asknown.render.errors import ROWS_AND_REQUEST
from asknown.store.relations import sources_of
from asknown.store.sources import SourceTables
from asknown.types import Column

if TYPE_CHECKING:
    import pyarrow as pa

_OF_REQUEST = re.compile(r'(?:column "asked_at"|[Tt]able "request") not found')


class Ctes(Protocol):
    """Gives the CTEs of models and sources."""

    def __call__(self, names: Iterable[str], *, sources: Iterable[tuple[str, str]] = ()) -> list[Cte]: ...


class TypeQueries:
    """Asks an engine for the columns of queries over a project's models, in the dialect in which they are written.

    ``ctes`` gives the CTEs that bring models and sources with their rows. Without it, sources are CTEs of their
    columns' types alone, and no table need exist. ``translates`` says that another engine has the rows.
    """

    def __init__(
        self, models: Catalog, sources: SourceTables, engine: Engine | None, ctes: Ctes | None, *, translates: bool
    ) -> None:
        self._models = models
        self._sources = sources
        self._engine = engine
        self._ctes = ctes
        self._translates = translates

    @property
    def engine(self) -> Engine:
        """The engine that says which types a query has."""
        assert self._engine is not None, "no query runs without an engine"
        return self._engine

    def ctes(self, names: Iterable[str], sources: Iterable[tuple[str, str]] = ()) -> list[Cte]:
        """The CTEs that a query over the models ``names`` needs in the engine that gives types."""
        if self._ctes is not None:
            return self._ctes(names, sources=sources)
        closure = self._models.closure(names)
        tables = self._sources.tables
        typed = [
            typed_cte(source_name(tables[key]), self._sources.columns(key)) for key in sources_of(closure, sources)
        ]
        return typed + [model_cte(model, self.engine.dialect, built=False) for model in closure]

    def describe(self, model: Model, statement: Statement) -> tuple[Column, ...]:
        """The columns of a query. The place of an error in it is in the model."""
        try:
            described = self.engine.describe(write(statement, self.engine.dialect))
        except AsknownError as error:
            if error.at is not None or error.code == "lost-connection":
                raise
            message, hint = f"in model '{model.name}': {error.message}", error.hint
            if model.is_feature_view and _OF_REQUEST.search(error.message):
                hint = f"only an on-demand view reads the request; {ROWS_AND_REQUEST}"
            if error.code == "no-data" and self._translates and warehouse_tables(model):
                hint = "declare the table as a source, and write {{ source('…', '…') }}; a model is {{ ref('…') }}"
            raise AsknownError(error.code, message, at=find_word(model, error.message), hint=hint) from None
        return tuple(Column(name, stands_for(kind)) for name, kind in described)

    def of_part(self, model: Model, query: Body) -> tuple[Column, ...]:
        """The columns of a query that stands in a model."""
        ctes = self.ctes(model.rendered.refs, model.rendered.sources)
        whole = Statement((*ctes, Cte(model.name, query)), relation_query(model.name, self.engine.dialect))
        return self.describe(model, whole)

    def of_query(self, model: Model, tree: Body) -> tuple[Column, ...]:
        """The columns of a query in the models' dialect that reads the same models and sources as ``model``."""
        dialect = self.engine.dialect
        ctes = self.ctes(model.rendered.refs, model.rendered.sources)
        statement = Statement((*ctes, Cte(model.name, tree)), relation_query(model.name, dialect))
        return tuple(Column(n, stands_for(k)) for n, k in self.engine.describe(write(statement, dialect)))

    def of_request(self, model: Model, columns: Sequence[Column]) -> tuple[Column, ...]:
        """The columns of an on-demand view over a request with these ``columns``."""
        dialect = self.engine.dialect
        ctes = (request_cte(columns, dialect), Cte(model.name, model.sql))
        return self.describe(model, Statement(ctes, relation_query(model.name, dialect)))

    def file_query(self, path: str) -> str:
        """The query that reads a spine's file."""
        path, read = self._sources.files.read(
            path, f"spine {path}", partial(inspect_file, self.engine, path), again=True
        )
        return file_query(path, self.engine.dialect, read)

    def read_file(self, path: str) -> pa.Table:
        """The rows of a file, for an engine that reads none itself."""
        return self.engine.stream(self.file_query(path)).read_all()


def find_word(model: Model, message: str) -> Where:
    """The line of the model with the name that the engine's message quotes, else its first line."""
    for name in re.findall(r"\"([^\"]+)\"|'([^']+)'|name (\w+) does", message):
        word = next(filter(None, name))
        pattern = re.compile(rf"(?<![\w]){re.escape(word)}(?![\w])", re.IGNORECASE)
        for number, line in enumerate(model.sql.splitlines(), start=1):
            if found := pattern.search(line):
                return model.rendered.where(number, found.start() + 1)
    return model.rendered.where(1)
