"""Types models by asking the engine, and gives the CTEs that a query over them stands on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from asknown.catalog.catalog import Catalog
from asknown.catalog.fingerprint import fingerprint
from asknown.dialects.dialect import Dialect
from asknown.emit.load import compile_call_types
from asknown.emit.models import model_cte, relation_query, source_cte, source_name, source_query
from asknown.emit.sample import compile_sample
from asknown.emit.statement import Body, Cte, Statement, with_ctes, write
from asknown.engines.engine import Engine
from asknown.errors import AsknownError, Where
from asknown.model.columns import written_columns
from asknown.model.nodes import Column, FeatureView, Model
from asknown.model.view import build_view, refuse_duplicate_columns
from asknown.plan.rules import Sample
from asknown.project.nodes import SourceTable
from asknown.types import SqlType


class Workbench:
    """A project's models with their types, on one engine. Everything is asked once and kept."""

    def __init__(self, catalog: Catalog, engine: Engine) -> None:
        self.catalog = catalog
        self.engine = engine
        self._columns: dict[str, tuple[Column, ...]] = {}
        self._sources: dict[tuple[str, str, str], Cte] = {}
        self._views: dict[str, FeatureView] = {}
        self._samples: dict[str, Sample | None] = {}
        self._built: frozenset[str] | None = None

    def view(self, name: str) -> FeatureView:
        """The feature view ``name``, complete. Raises what is wrong with it or with a model it stands on."""
        if name not in self._views:
            model = self.catalog.model(name)
            self._views[name] = build_view(
                model,
                self.columns(name),
                self.catalog.project.entities,
                repeatable=all(self.catalog.is_repeatable(ref) for ref in model.rendered.refs),
                describe=lambda tree: self._describe_rows(model, tree),
            )
        return self._views[name]

    def columns(self, name: str) -> tuple[Column, ...]:
        """The columns of a model, as the engine describes them."""
        if name not in self._columns:
            for model in self.catalog.closure([name]):
                if model.name not in self._columns:
                    self._columns[model.name] = self._describe(model)
        return self._columns[name]

    def ctes(
        self, names: Iterable[str], *, sources: Iterable[tuple[str, str]] = (), dialect: Dialect | None = None
    ) -> list[Cte]:
        """The CTEs of the models ``names`` and of all they stand on, the sources first.

        In the engine's dialect, or in ``dialect`` for another engine to read.
        """
        dialect = dialect or self.engine.dialect
        closure = self.catalog.closure(names)
        self._require_built(closure)
        wanted = dict.fromkeys([*sources, *(source for model in closure for source in model.rendered.sources)])
        return [self._source(source, dialect) for source in wanted] + [model_cte(model, dialect) for model in closure]

    def ctes_of_views(
        self,
        views: Iterable[FeatureView],
        *,
        refs: Iterable[str] = (),
        sources: Iterable[tuple[str, str]] = (),
        dialect: Dialect | None = None,
    ) -> list[Cte]:
        """The CTEs that some views' rows stand on. A view with windows brings its own select, without them."""
        names, tables = list(refs), list(sources)
        for view in views:
            if view.lifted is None:
                names.append(view.name)
            else:
                names += view.model.rendered.refs
                tables += view.model.rendered.sources
        return self.ctes(names, sources=tables, dialect=dialect)

    def call_types(self, view: FeatureView) -> list[SqlType]:
        """The types of the view's window calls, as the engine describes them."""
        statement = compile_call_types(view, self.ctes_of_views([view]), self.taken(), self.engine.dialect)
        return [kind for _, kind in self.engine.describe(write(statement, self.engine.dialect))]

    def taken(self) -> list[str]:
        """Every name that a model, a source or a spine's query can refer to."""
        project = self.catalog.project
        return [*project.models, *(source_name(table) for table in project.sources.values())]

    def fingerprint(self, view: FeatureView) -> str:
        return fingerprint(view, self.catalog.closure([view.name]), self.catalog.project)

    def sample(self, view: FeatureView) -> Sample | None:
        """What a look at some of the view's rows tells, or None where a look would cost as much as the work."""
        if view.name not in self._samples:
            self._samples[view.name] = self._look(view) if view.repeatable else None
        return self._samples[view.name]

    def _look(self, view: FeatureView) -> Sample:
        statement, most = compile_sample(view, self.ctes_of_views([view]), self.taken(), self.engine.dialect)
        (found,) = self.engine.rows(write(statement, self.engine.dialect))
        rows, keys, hottest, times, first, last = (int(value or 0) for value in found)
        return Sample(rows, keys, hottest, times, last - first, whole=rows < most)

    def _describe(self, model: Model) -> tuple[Column, ...]:
        statement = with_ctes(self.ctes([model.name]), model.name)
        try:
            described = self.engine.describe(write(statement, self.engine.dialect))
        except AsknownError as error:
            if error.at is not None:
                raise
            message = f"in model '{model.name}': {error.message}"
            raise AsknownError(error.code, message, at=_blame(model, error.message), hint=error.hint) from None
        columns = tuple(Column(name, kind) for name, kind in described)
        upstream = {ref: self._columns[ref] for ref in model.rendered.refs}
        sources = self.catalog.project.sources
        upstream |= {source_name(sources[key]): self._source_columns(key) for key in model.rendered.sources}
        written = written_columns(model, upstream, self.catalog.project.settings.dialect)
        refuse_duplicate_columns(model, written or [c.name for c in columns])
        return columns

    def _describe_rows(self, model: Model, tree: Body) -> tuple[Column, ...]:
        ctes = self.ctes(model.rendered.refs, sources=model.rendered.sources)
        statement = Statement((*ctes, Cte(model.name, tree)), relation_query(model.name, self.engine.dialect))
        return tuple(Column(n, k) for n, k in self.engine.describe(write(statement, self.engine.dialect)))

    def _source_columns(self, key: tuple[str, str]) -> tuple[Column, ...]:
        cte = self._source(key, self.engine.dialect)
        return self._ask(key, with_ctes([cte], cte.name))

    def _source(self, key: tuple[str, str], dialect: Dialect) -> Cte:
        made = (*key, dialect.name)
        if made not in self._sources:
            table = self._located(self.catalog.project.sources[key])
            # A file that is missing is the source's fault.
            columns = self._ask(key, source_query(table, self.engine.dialect))
            self._sources[made] = source_cte(table, columns, dialect)
        return self._sources[made]

    def _located(self, table: SourceTable) -> SourceTable:
        """The source with its path made absolute: an engine would look for it where the user is first."""
        if table.path is None or "://" in table.path:
            return table
        return replace(table, path=str(self.catalog.project.settings.root / table.path))

    def _ask(self, key: tuple[str, str], statement: Statement) -> tuple[Column, ...]:
        try:
            found = self.engine.describe(write(statement, self.engine.dialect))
        except AsknownError as error:
            table = self.catalog.project.sources[key]
            message = f"source '{source_name(table)}': {error.message}"
            raise AsknownError(error.code, message, at=table.at, hint=error.hint) from None
        return tuple(Column(name, kind) for name, kind in found)

    def _require_built(self, closure: Sequence[Model]) -> None:
        wanted = [m for m in closure if m.rendered.config.materialized != "ephemeral"]
        if not wanted:
            return
        if self._built is None:
            self._built = frozenset(self.engine.built())
        for model in wanted:
            if model.name not in self._built:
                raise AsknownError(
                    "no-data",
                    f"model '{model.name}' is materialized as a {model.rendered.config.materialized}, "
                    "and has not been built in this target",
                    at=model.rendered.where(model.rendered.config_line or 1),
                    hint=f"run: asknown run {model.name}",
                )


def _blame(model: Model, message: str) -> Where:
    """The line of the model that holds the name the engine complains of; else its first line."""
    for name in re.findall(r"\"([^\"]+)\"|'([^']+)'|name (\w+) does", message):
        word = next(filter(None, name))
        pattern = re.compile(rf"(?<![\w]){re.escape(word)}(?![\w])", re.IGNORECASE)
        for number, line in enumerate(model.sql.splitlines(), start=1):
            if found := pattern.search(line):
                return model.rendered.where(number, found.start() + 1)
    return model.rendered.where(1)
