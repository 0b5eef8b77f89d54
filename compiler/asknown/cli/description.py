"""Describes the thing with a given name, for `asknown show`: its facts, and a table of its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asknown.cli.listing import (
    column_docs,
    describe_model,
    keys_of,
    reads_of,
    reads_of_model,
    sound_models,
    spell_line,
    spell_ttl,
    written_features,
)
from asknown.errors import AsknownError, did_you_mean

if TYPE_CHECKING:
    from asknown.model.nodes import Model
    from asknown.project.nodes import Entity, Service, SourceTable
    from asknown.store import FeatureStore
    from asknown.types import Column


FEATURE_COLUMNS = ("feature", "type", "description", "words")


@dataclass(frozen=True)
class Description:
    """A thing's facts by label, and its parts as rows under ``columns``. ``parts`` is the title of the rows."""

    kind: str
    name: str
    description: str
    facts: tuple[tuple[str, Any], ...]
    parts: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def as_record(self) -> dict[str, Any]:
        """The description as one JSON object."""
        rows = [dict(zip(self.columns, row, strict=True)) for row in self.rows]
        head = {"kind": self.kind, "name": self.name, "description": self.description}
        return {**head, **{label.replace(" ", "_"): value for label, value in self.facts}, self.parts: rows}


def find_descriptions(store: FeatureStore, name: str, faults: list[AsknownError]) -> list[Description]:
    """The descriptions of everything called ``name``: model or view, service, entity, source or table of a source.

    Errors that only hide a part, such as the types while the data cannot be reached, are added to ``faults``. Raises
    ``unknown-model`` with the nearest names.
    """
    project = store.project
    found: list[Description] = []
    if name in project.models:
        model = store.catalog.model(name)
        describe = _view if model.is_feature_view else _on_demand if model.is_on_demand else _model
        found.append(describe(store, model, faults))
    if name in project.services:
        found.append(_service(store, project.services[name], faults))
    if name in project.entities:
        found.append(_entity(store, project.entities[name], faults))
    for (source, table), item in project.sources.items():
        if name == f"{source}.{table}":
            found.append(_source_table(store, item, faults))
    if any(source == name for source, _ in project.sources):
        found.append(_source(store, name))
    if not found:
        tables = (f"{source}.{table}" for source, table in project.sources)
        known = [*project.models, *project.services, *project.entities, *tables]
        raise AsknownError(
            "unknown-model",
            f"there is no model, view, service, entity or source '{name}'",
            hint=did_you_mean(name, known, what="names"),
        )
    return found


def _view(store: FeatureStore, model: Model, faults: list[AsknownError]) -> Description:
    config = model.rendered.config
    keys = keys_of(store, model)
    docs = column_docs(store, model.name)
    types = _types(store, model, faults)
    names = _typed_features(store, model, faults) if types else written_features(model, keys, _dialect(store)) or ()
    spelled = tuple(f"{key} {types[key.casefold()]}" if key.casefold() in types else key for key in keys)
    facts = (
        ("file", model.rendered.shown),
        ("entity", config.entity),
        ("keys", spelled),
        ("event time", config.event_time),
        ("known at", config.known_at),
        ("created at", config.created_at),
        ("ttl", spell_ttl(config.ttl)),
        ("max ahead", None if config.max_ahead is None else spell_ttl(config.max_ahead)),
        ("online", config.online),
        *_common_facts(store, model, faults),
        ("services", tuple(s.name for s in store.project.services.values() if _asks_for(s, model.name))),
        *_results(store, model.name),
    )
    words = _in_words(store, model, faults) if types else {}
    rows = tuple(
        (name, types.get(name.casefold()), docs.get(name.casefold(), ""), words.get(name, "")) for name in names
    )
    return Description("view", model.name, describe_model(store, model), facts, "features", FEATURE_COLUMNS, rows)


def _results(store: FeatureStore, view: str) -> Iterator[tuple[str, Any]]:
    """The newest results of checks that the registry knows of a view, each with its day."""
    from asknown.store.runs import recorded_results

    with suppress(AsknownError):  # other commands say what is wrong with a registry
        for result in recorded_results(store.project).get(view, ()):
            attention = "" if result.outcome == "ok" else "needs attention: "
            yield f"last {result.kind}", f"{attention}{result.said}, at {result.at}"


def _in_words(store: FeatureStore, model: Model, faults: list[AsknownError]) -> dict[str, str]:
    """The features of a view in words, by name; empty if the view is broken, which ``faults`` has then already."""
    from asknown.model.words import describe_features

    return {} if faults else describe_features(store.feature_view(model.name))


def _on_demand(store: FeatureStore, model: Model, faults: list[AsknownError]) -> Description:
    from asknown.model.words import describe_features

    docs = column_docs(store, model.name)
    keys: tuple[str, ...] = ()
    inputs = tuple(f"{name} {kind}" for name, kind in model.rendered.config.inputs or ())
    rows: tuple[tuple[Any, ...], ...]
    try:
        view = store.on_demand_view(model.name)
    except AsknownError as error:
        faults.append(error)
        names = written_features(model, (), _dialect(store)) or ()
        rows = tuple((name, None, docs.get(name.casefold(), ""), "") for name in names)
    else:
        keys, inputs = _spell(view.keys), _spell(view.inputs)
        words = describe_features(view)
        rows = tuple((f.name, f.type.name, docs.get(f.name.casefold(), ""), words[f.name]) for f in view.features)
    config = model.rendered.config
    facts = (
        ("file", model.rendered.shown),
        ("keys", keys),
        ("inputs", inputs),
        ("owner", config.owner),
        ("tags", config.tags),
        ("reads", reads_of_model(model)),
        ("services", tuple(s.name for s in store.project.services.values() if _asks_for(s, model.name))),
    )
    described = describe_model(store, model)
    return Description("on-demand", model.name, described, facts, "features", FEATURE_COLUMNS, rows)


def _spell(columns: Sequence[Column]) -> tuple[str, ...]:
    return tuple(f"{column.name} {column.type}" for column in columns)


def _model(store: FeatureStore, model: Model, faults: list[AsknownError]) -> Description:
    docs = column_docs(store, model.name)
    try:
        columns = store.columns(model.name)
    except AsknownError as error:
        faults.append(error)
        columns = []
    rows = tuple((name, kind, docs.get(name.casefold(), "")) for name, kind in columns)
    facts = (("file", model.rendered.shown), *_common_facts(store, model, faults))
    return Description(
        "model", model.name, describe_model(store, model), facts, "columns", ("column", "type", "description"), rows
    )


def _common_facts(store: FeatureStore, model: Model, faults: list[AsknownError]) -> tuple[tuple[str, Any], ...]:
    config = model.rendered.config
    sources = tuple(f"{source}.{table}" for source, table in model.rendered.sources)
    return (
        ("materialized", config.materialized),
        ("owner", config.owner),
        ("tags", config.tags),
        ("reads", model.rendered.refs + sources),
        ("read by", _readers(store, lambda other: model.name in other.rendered.refs)),
    )


def _service(store: FeatureStore, service: Service, faults: list[AsknownError]) -> Description:
    keys: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    try:
        needs = store.needs(service.name)
        keys, inputs = _spell(needs.keys), _spell(needs.inputs)
    except AsknownError as error:
        faults.append(error)
    rows = tuple((spell_line(line),) for line in service.features)
    facts = (("file", service.at.path), ("keys", keys), ("inputs", inputs))
    return Description("service", service.name, service.description, facts, "features", ("features",), rows)


def _entity(store: FeatureStore, entity: Entity, faults: list[AsknownError]) -> Description:
    views = tuple(m.name for m in sound_models(store, faults) if entity.name in (m.rendered.config.entity or ()))
    rows = tuple((key.name, key.data_type) for key in entity.keys)
    facts = (("file", entity.at.path), ("views", views))
    return Description("entity", entity.name, entity.description, facts, "keys", ("key", "type"), rows)


def _source(store: FeatureStore, name: str) -> Description:
    tables = [table for (source, _), table in store.project.sources.items() if source == name]
    rows = tuple((table.name, reads_of(table), table.timezone, table.description) for table in tables)
    facts = (("file", tables[0].at.path),)
    return Description("source", name, "", facts, "tables", ("table", "reads", "timezone", "description"), rows)


def _source_table(store: FeatureStore, table: SourceTable, faults: list[AsknownError]) -> Description:
    key = (table.source, table.name)
    facts = (
        ("file", table.at.path),
        ("reads", reads_of(table)),
        ("timezone", table.timezone),
        *((("static", True),) if table.static else ()),
        ("read by", _readers(store, lambda model: key in model.rendered.sources)),
    )
    rows = tuple((column.name, column.data_type, column.description) for column in table.columns)
    columns = ("column", "type", "description")
    return Description("source", f"{table.source}.{table.name}", table.description, facts, "columns", columns, rows)


def _types(store: FeatureStore, model: Model, faults: list[AsknownError]) -> dict[str, str]:
    """The types of a model's columns, by name in lower case; empty if the engine cannot give them."""
    try:
        return {name.casefold(): kind for name, kind in store.columns(model.name)}
    except AsknownError as error:
        faults.append(error)
        return {}


def _typed_features(store: FeatureStore, model: Model, faults: list[AsknownError]) -> Sequence[str]:
    try:
        return [feature.name for feature in store.feature_view(model.name).features]
    except AsknownError as error:
        faults.append(error)
        return []


def _readers(store: FeatureStore, reads: Callable[[Model], bool]) -> tuple[str, ...]:
    """The names of the models for which ``reads`` is true. Broken models are silently left out."""
    return tuple(model.name for model in _sound(store) if reads(model))


def _sound(store: FeatureStore) -> Iterator[Model]:
    return sound_models(store, [])


def _asks_for(service: Service, view: str) -> bool:
    return any(line.view == view for line in service.features)


def _dialect(store: FeatureStore) -> str:
    return store.project.settings.dialect
