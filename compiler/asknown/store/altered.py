"""The CTEs of views over sources and models with other rows: with what was known by an instant alone, say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from asknown.emit.altered import Alteration, KnownBy, SeenBy, Shuffled, Timed, Times, altered_ctes, seen_cte
from asknown.emit.identifiers import Names
from asknown.emit.models import model_cte, source_cte, source_name
from asknown.emit.statement import Cte
from asknown.model.nodes import FeatureView, Model
from asknown.project.nodes import ModelDoc, Project, SourceTable
from asknown.project.push import SEQUENCE
from asknown.store.landing import has_landed
from asknown.store.relations import relations_of
from asknown.store.typed_catalog import TypedCatalog

SourceKey = tuple[str, str]


def ctes_of_altered_views(
    catalog: TypedCatalog,
    views: Iterable[FeatureView],
    alteration: Alteration | None,
    *,
    refs: Iterable[str] = (),
    sources: Iterable[SourceKey] = (),
    loaded_at: Mapping[SourceKey, str] | None = None,
) -> list[Cte]:
    """The CTEs that the rows of some views are read from, where sources and models are altered.

    No model is read from its table in the warehouse, also without an ``alteration``. With ``loaded_at``, the rows of
    each source that it names were loaded at that column, and nothing else says when something became known.
    """
    names, tables = relations_of(views, refs, sources)
    closure = catalog.models.closure(names)
    dialect, fresh = catalog.engine.dialect, Names(catalog.reserved_names())
    ctes: list[Cte] = []
    for key in sources_of(closure, tables):
        table, columns = catalog.sources.located(key), catalog.sources.columns(key)
        cte = source_cte(table, columns, dialect)
        if alteration is None or table.static:
            ctes.append(cte)
        else:
            times = times_of_source(table, catalog.project) if loaded_at is None else Times(loaded_at.get(key))
            timed = Timed(cte.name, columns, times)
            ctes += altered_ctes(cte, timed, alteration, fresh, dialect)
    for model in closure:
        cte = model_cte(catalog.informed(model), dialect, built=False)
        times = Times() if loaded_at is not None else times_of_model(catalog.project.docs.get(model.name))
        if alteration is None or isinstance(alteration, Shuffled) or not times.tells:
            ctes.append(cte)
        else:
            timed = Timed(cte.name, catalog.columns(model.name), times)
            ctes += altered_ctes(cte, timed, alteration, fresh, dialect)
    return ctes


def ctes_as_seen(
    catalog: TypedCatalog,
    views: Iterable[FeatureView],
    seen: Mapping[SourceKey, SeenBy],
    loaded_at: Mapping[SourceKey, str],
) -> list[Cte]:
    """The CTEs that the rows of some views are read from, with the rows of sources that one online read could see.

    ``loaded_at`` has the column of each source that says when its rows were loaded. No model is read from its table in
    the warehouse.
    """
    names, tables = relations_of(views)
    closure = catalog.models.closure(names)
    dialect, fresh = catalog.engine.dialect, Names(catalog.reserved_names())
    ctes: list[Cte] = []
    for key in sources_of(closure, tables):
        table, columns = catalog.sources.located(key), catalog.sources.columns(key)
        cte, rows = source_cte(table, columns, dialect), seen.get(key)
        if rows is None or key not in loaded_at:
            ctes.append(cte)
        elif table.push is not None:
            (arrival,) = (column for column in columns if column.name == loaded_at[key])
            numbered = SEQUENCE if has_landed(catalog.project, table) else None
            ctes.append(seen_cte(cte, arrival, rows, numbered=numbered, dialect=dialect))
        else:
            timed = Timed(cte.name, columns, Times(loaded_at[key]))
            ctes += altered_ctes(cte, timed, KnownBy(rows.loaded), fresh, dialect)
    return ctes + [model_cte(catalog.informed(model), dialect, built=False) for model in closure]


def sources_of(closure: Sequence[Model], more: Iterable[SourceKey] = ()) -> list[SourceKey]:
    """The sources that some models read, each once."""
    return list(dict.fromkeys([*more, *(key for model in closure for key in model.rendered.sources)]))


def times_of_source(table: SourceTable, project: Project) -> Times:
    """When the rows and columns of a source became known, as its properties say. Keys and unique columns are kept."""
    kept = {key.name for entity in project.entities.values() for key in entity.keys}
    kept |= {name for key in table.unique for name in key}
    late = {column.name: column.known_at for column in table.columns if column.known_at is not None}
    return Times(table.loaded_at_field, late, frozenset(name.casefold() for name in kept))


def times_of_model(doc: ModelDoc | None) -> Times:
    """The columns of a model that are known later than their row, as its properties say."""
    columns = () if doc is None else doc.columns
    return Times(columns={column.name: column.known_at for column in columns if column.known_at is not None})


def timed_relations(catalog: TypedCatalog, view: str) -> Iterator[Timed]:
    """The sources and models below a view whose properties say when something became known."""
    closure = catalog.models.closure([view])
    for key in sources_of(closure):
        table = catalog.project.sources[key]
        times = times_of_source(table, catalog.project)
        if times.tells and not table.static:
            yield Timed(source_name(table), catalog.sources.columns(key), times)
    for model in closure:
        times = times_of_model(catalog.project.docs.get(model.name))
        if times.tells:
            yield Timed(model.name, catalog.columns(model.name), times)


def load_times(catalog: TypedCatalog, view: FeatureView) -> dict[SourceKey, str] | None:
    """The column of each source below a view that says when its rows were loaded; None if one of them has none.

    It is the arrival of a source that takes pushes, else the source's ``loaded_at_field``, else its column with the
    name of the view's ``known_at``. Static sources need none.
    """
    found: dict[SourceKey, str] = {}
    for key in sources_of(catalog.models.closure([view.name])):
        table = catalog.project.sources[key]
        if table.static:
            continue
        named = [column.name for column in catalog.sources.columns(key)]
        known = None if view.known_at is None else view.known_at.name.casefold()
        declared = table.loaded_at_field if table.push is None else table.push.known_at
        column = declared or next((name for name in named if name.casefold() == known), None)
        if column is None:
            return None
        found[key] = column
    return found
