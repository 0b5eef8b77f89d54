"""Completes a project's models and views with their types, and builds the CTEs of queries over them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import TypeVar

from asknown.catalog.catalog import Catalog
from asknown.catalog.fingerprint import fingerprint
from asknown.dialects.dialect import Dialect
from asknown.emit.feature_types import with_sums
from asknown.emit.load import compile_call_types
from asknown.emit.models import bare_table, source_cte, source_name, translated
from asknown.emit.probe import compile_sample
from asknown.emit.statement import Cte, with_ctes, write
from asknown.emit.translate.prune import Names, both, columns_read, prune
from asknown.emit.unknown_types import Misuse, is_unsized
from asknown.engines.engine import Engine
from asknown.errors import AsknownError
from asknown.lint.rules import REFUSALS, search
from asknown.model.contract import check_model, check_view
from asknown.model.lineage import Lineage
from asknown.model.nodes import Call, FeatureView, Model, OnDemandView, View
from asknown.model.parse import written_columns
from asknown.model.stacks import refuse_two_types, spell_out, stacks_of
from asknown.model.total_order import with_total_order
from asknown.model.view import build_view, refuse_duplicate_columns
from asknown.plan.rules import Sample
from asknown.store.on_demand import build_on_demand
from asknown.store.relations import refuse_hidden, refuse_unbuilt, relations_of, sources_of
from asknown.store.rounding_calls import may_round, rounding_calls
from asknown.store.sources import SourceTables
from asknown.store.type_queries import TypeQueries, find_word
from asknown.store.unknown_columns import count_digits, refuse_misuse, unknown_error, unknown_features
from asknown.types import Column, SqlType

_Fact = TypeVar("_Fact")


class TypedCatalog:
    """A project's models with their types, on one engine, which is asked for each type once.

    The types are those that the models' SQL has in the dialect in which it is written. The engine gives them if that
    is its own dialect; otherwise ``type_engine`` does, an engine that needs no rows. ``refusals`` are the codes of the
    rules that every view must pass; `audit` asks for none. Without ``built``, types come from the SQL and from the
    columns that sources list, and the tables need not exist.
    """

    def __init__(
        self,
        models: Catalog,
        engine: Engine | None,
        type_engine: Engine | None = None,
        *,
        refusals: frozenset[str] = REFUSALS,
        built: bool = True,
    ) -> None:
        self.models = models
        self.project = models.project
        self.sources = SourceTables(models.project, engine, built=built)
        self._engine = engine
        self._type_engine = type_engine
        self._refusals = refusals
        self.types = TypeQueries(
            models,
            self.sources,
            engine if type_engine is None else type_engine,
            self.ctes if type_engine is None and built else None,
            translates=type_engine is not None,
        )
        self._columns: dict[str, tuple[Column, ...]] = {}
        self._views: dict[str, FeatureView] = {}
        self._on_demand: dict[str, OnDemandView] = {}
        self._ordereds: dict[str, Model] = {}
        self._stacked: dict[str, Model] = {}
        self._samples: dict[str, Sample | None] = {}
        self._built: frozenset[str] | None = None
        self._calls: dict[str, tuple[Call, ...] | None] = {}
        self._model_ctes: dict[tuple[str, Dialect], Cte] = {}

    def beside(self, models: Catalog) -> TypedCatalog:
        """The catalog of other models on the same engines."""
        return TypedCatalog(models, self._engine, self._type_engine, refusals=self._refusals)

    @property
    def engine(self) -> Engine:
        """The engine that has the rows."""
        assert self._engine is not None, "no query runs without an engine"
        return self._engine

    def view(self, name: str) -> FeatureView:
        """The feature view ``name``, complete. Raises the first error in it or in a model upstream."""
        if name not in self._views:
            model = self.models.model(name)
            columns = self.columns(name)
            self._refuse_unknown(model, columns)
            self._refuse(model)
            view = build_view(
                self.informed(model),
                columns,
                self.project.entities,
                repeatable=all(self.models.is_repeatable(ref) for ref in model.rendered.refs),
                describe=lambda tree: self.types.of_query(model, tree),
            )
            if view.lifted is not None and any(item.computes for item in view.lifted.items):
                view = replace(view, lifted=replace(view.lifted, call_types=tuple(self.call_types(view))))
            dialect, doc = self.types.engine.dialect, self.project.docs.get(name)
            view = with_sums(view, doc, lambda query: self.types.engine.describe(write(query, dialect)), dialect)
            if doc is not None:
                check_view(view, doc)
            self._views[name] = view
        return self._views[name]

    def asked(self, name: str, path: Sequence[str] = ()) -> View:
        """The feature view or on-demand view ``name``. ``path`` are the on-demand views that are being completed."""
        return self.on_demand(name, path) if self.models.model(name).is_on_demand else self.view(name)

    def on_demand(self, name: str, path: Sequence[str] = ()) -> OnDemandView:
        """The on-demand view ``name``, complete. Raises the first error in it or in a view that it reads."""
        if name not in self._on_demand:
            view = build_on_demand(self.models.model(name), self, (*path, name))
            if name in self.project.docs:
                check_view(view, self.project.docs[name])
            self._on_demand[name] = view
        return self._on_demand[name]

    def _refuse(self, view: Model) -> None:
        """Raises the first refusal of a view by rule 11."""
        closure = self.models.closure([view.name])
        for finding in search(view, closure, self.known, self.project, self._refusals):
            if finding.severity == "refusal":
                raise finding.as_error()

    def known(self, name: str) -> dict[str, SqlType] | None:
        """The columns of a model or source by the name that SQL has for it; None where they cannot be told."""
        found = self._relations.get(name.casefold())
        try:
            columns = (
                () if found is None else self.columns(found) if isinstance(found, str) else self.sources.columns(found)
            )
        except AsknownError:
            return None
        return {column.name: column.type for column in columns} if found is not None else None

    @cached_property
    def _relations(self) -> dict[str, str | tuple[str, str]]:
        """Each model's name and each source's key, by the name that SQL has for it, in lower case."""
        sources = {source_name(table).casefold(): key for key, table in self.project.sources.items()}
        return {**sources, **{model.casefold(): model for model in self.project.models}}

    def columns(self, name: str) -> tuple[Column, ...]:
        """The columns of a model, as the engine describes them."""
        if name not in self._columns:
            for model in self.models.closure([name]):
                if model.name not in self._columns:
                    self._columns[model.name] = self._describe(model)
        return self._columns[name]

    def ctes(
        self,
        names: Iterable[str],
        *,
        sources: Iterable[tuple[str, str]] = (),
        dialect: Dialect | None = None,
        read: Mapping[str, Names] | None = None,
    ) -> list[Cte]:
        """The CTEs of the models ``names`` and of everything upstream, sources first.

        They are in the engine's dialect, or in ``dialect`` if another engine is to read them. ``read`` says which
        columns of the models are read: where a model has no translation, only what these need is translated.
        """
        closure = self.models.closure(names)
        if dialect is None:
            refuse_unbuilt(closure, self._built_models)
        dialect = dialect or self.engine.dialect
        keys = sources_of(closure, sources)
        tables = [(self.sources.located(key), self.sources.columns(key), self.sources.stored(key)) for key in keys]
        if dialect.ctes.sees_later:
            refuse_hidden([table for table, _, _ in tables], closure, dialect)
        informed = [self.informed(model) for model in closure]
        return [source_cte(table, columns, dialect, stored) for table, columns, stored in tables] + translated(
            informed, dialect, read, self._model_ctes
        )

    def _built_models(self) -> frozenset[str]:
        """The models that the engine has built."""
        if self._built is None:
            self._built = frozenset(self.engine.built())
        return self._built

    @property
    def is_offline(self) -> bool:
        """Whether there is no engine that has the rows."""
        return self._engine is None

    @property
    def translates(self) -> bool:
        """Whether the models are written in another dialect than the engine's."""
        return self._type_engine is not None

    def informed(self, model: Model) -> Model:
        """The model with the types that its SQL in the engine's dialect depends on: of columns, and of some calls.

        If it is a view, its windows over rows are in a total order.
        """
        model = replace(self._ordered(self._spelled_out(model)), calls=self._calls_in(model))
        if self._type_engine is None:
            return model
        columns = [(column.name.casefold(), column) for listed in self._tables(model).values() for column in listed]
        return replace(
            model,
            reads=_where_alike((name, column.type) for name, column in columns),
            spelled=_where_alike((name, column.name) for name, column in columns),
        )

    def _spelled_out(self, model: Model) -> Model:
        """The model as another engine than the models' own reads it: with the columns of its stacks in one order."""
        if self._type_engine is None or not stacks_of(model.tree):
            return model
        if model.name not in self._stacked:
            self._stacked[model.name] = spell_out(model, partial(self.types.of_part, model))
        return self._stacked[model.name]

    def _calls_in(self, model: Model) -> tuple[Call, ...] | None:
        """The model's calls of functions that round; None where nobody tells."""
        if model.sql not in self._calls:
            self._calls[model.sql] = None if not may_round(model) else self._find_calls(model)
        return self._calls[model.sql]

    def _find_calls(self, model: Model) -> tuple[Call, ...] | None:
        return rounding_calls(model, self._tables(model), self.types.engine)

    def _ordered(self, model: Model) -> Model:
        if not model.is_feature_view:
            return model
        if model.name not in self._ordereds:
            below = {name: self.models.model(name) for name in model.rendered.refs}
            self._ordereds[model.name] = with_total_order(model, Lineage(below, self.known))
        return self._ordereds[model.name]

    def ctes_of_views(
        self,
        views: Iterable[FeatureView],
        *,
        refs: Iterable[str] = (),
        sources: Iterable[tuple[str, str]] = (),
        dialect: Dialect | None = None,
        columns: Mapping[str, Names] | None = None,
    ) -> list[Cte]:
        """The CTEs that the rows of some views are read from.

        ``columns`` says by a view's name which of its columns are read.
        """
        views, refs = list(views), list(refs)
        names, tables = relations_of(views, refs, sources)
        read: dict[str, Names] = dict.fromkeys(refs)
        for view in views:
            wanted = None if columns is None else columns.get(view.name)
            if view.lifted is None:
                read[view.name] = both(read.get(view.name, frozenset()), wanted)
                continue
            below = columns_read(prune(view.lifted.tree, wanted), wanted)
            read |= {ref: both(read.get(ref, frozenset()), below) for ref in view.model.rendered.refs}
        return self.ctes(names, sources=tables, dialect=dialect, read=read)

    def call_types(self, view: FeatureView) -> Sequence[SqlType]:
        """The types of the view's window calls."""
        if view.lifted is not None and view.lifted.call_types:
            return view.lifted.call_types
        rendered = view.model.rendered
        ctes = self.types.ctes(rendered.refs, rendered.sources)
        statement = compile_call_types(view, ctes, self.reserved_names(), self.types.engine.dialect)
        return [kind for _, kind in self.types.engine.describe(write(statement, self.types.engine.dialect))]

    def reserved_names(self) -> list[str]:
        """The names of the models, the sources and their tables, which no generated CTE may have."""
        tables = self.sources.tables.values()
        return [*self.project.models, *map(source_name, tables), *filter(None, map(bare_table, tables))]

    def fingerprint(self, view: FeatureView) -> str:
        return fingerprint(view, self.models.closure([view.name]), self.project)

    def sample(self, view: FeatureView) -> Sample | None:
        """Statistics from a sample of the view's rows; None if the view is volatile or has no engine."""
        if view.name not in self._samples:
            self._samples[view.name] = self._look(view) if view.repeatable and self._engine is not None else None
        return self._samples[view.name]

    def _look(self, view: FeatureView) -> Sample:
        statement, most = compile_sample(view, self._sampled_ctes(view), self.reserved_names(), self.engine.dialect)
        (found,) = self.engine.rows(write(statement, self.engine.dialect))
        rows, keys, hottest, squares, times, first, last = (int(value or 0) for value in found)
        return Sample(rows, keys, hottest, squares, times, 2 * (last - first), whole=rows < most)

    def _sampled_ctes(self, view: FeatureView) -> list[Cte]:
        names = frozenset(column.name.casefold() for column in (*view.keys, view.event_time))
        return self.ctes_of_views([view], columns={view.name: names})

    def _describe(self, model: Model) -> tuple[Column, ...]:
        if model.is_on_demand:
            return self.on_demand(model.name).features
        self.check_unknown(model)
        for stack in stacks_of(model.tree):
            refuse_two_types(model, stack, partial(self.types.of_part, model))
        columns = self.types.describe(model, with_ctes(self.types.ctes([model.name]), model.name))
        upstream = {ref: self._columns[ref] for ref in model.rendered.refs}
        sources = self.project.sources
        upstream |= {source_name(sources[key]): self.sources.columns(key) for key in model.rendered.sources}
        written = written_columns(model, upstream, self.project.settings.dialect)
        refuse_duplicate_columns(model, written or [c.name for c in columns])
        if not model.is_feature_view and model.name in self.project.docs:
            check_model(columns, self.project.docs[model.name])
        return columns

    def check_unknown(self, model: Model) -> None:
        """Raises ``unsupported-type`` where a model computes with a column whose type only the engine knows."""
        if self._type_engine is None:
            return
        refuse_misuse(model.tree, self._tables(model), lambda found: self._unknown_error(found, model))

    def _refuse_unknown(self, model: Model, columns: Sequence[Column]) -> None:
        """Raises ``unsupported-type`` for a view's first number without a size. It needs one to be kept."""
        for found in unknown_features(model.name, columns) if self._type_engine is not None else ():
            if is_unsized(found.type):
                raise self._unknown_error(found, model)

    def _tables(self, model: Model) -> dict[str, tuple[Column, ...]]:
        """The columns of the relations that a model reads, by their names."""
        sources = self.sources.tables
        tables = {ref: self.columns(ref) for ref in model.rendered.refs}
        return tables | {source_name(sources[key]): self.sources.columns(key) for key in model.rendered.sources}

    def _unknown_error(self, found: Misuse, model: Model) -> AsknownError:
        digits = None
        if is_unsized(found.type) and self._engine is not None:
            sources = [key for key, table in self.sources.tables.items() if source_name(table) == found.relation]
            ctes = self.ctes([] if sources else [found.relation], sources=sources)
            digits = count_digits(found, ctes, self._engine)
        engine = "its engine" if self._engine is None else self._engine.dialect.name
        at = find_word(model, f"'{found.column}'")
        return unknown_error(found, f"in model '{model.name}': ", at, digits, engine)


def _where_alike(pairs: Iterable[tuple[str, _Fact]]) -> dict[str, _Fact]:
    """Maps each name to its value; drops names with more than one value."""
    found: dict[str, set[_Fact]] = {}
    for name, fact in pairs:
        found.setdefault(name, set()).add(fact)
    return {name: next(iter(facts)) for name, facts in found.items() if len(facts) == 1}
