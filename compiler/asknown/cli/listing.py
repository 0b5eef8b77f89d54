"""Lists the things of a project, kind by kind, for `asknown ls`. No query runs; only features need the types."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asknown.durations import spell
from asknown.errors import AsknownError

if TYPE_CHECKING:
    from asknown.model.nodes import Model
    from asknown.project.nodes import ServiceFeatures, SourceTable
    from asknown.store import FeatureStore

Row = tuple[Any, ...]


@dataclass
class Listing:
    """Rows under their columns, and the errors of the things that could not be listed."""

    columns: tuple[str, ...]
    rows: list[Row]
    faults: list[AsknownError]


def list_kind(store: FeatureStore, kind: str) -> Listing:
    """All things of one of :data:`KINDS`. A broken thing adds its error to the faults and hides no other thing."""
    columns, read = KINDS[kind]
    listing = Listing(columns, [], [])
    listing.rows += read(store, listing.faults)
    return listing


def list_everything(store: FeatureStore) -> Listing:
    """The kind, name and description of all things, by kind."""
    listing = Listing(("kind", "name", "description"), [], [])
    for kind, heading in (("sources", "source"), ("entities", "entity"), ("models", ""), ("services", "service")):
        columns, read = KINDS[kind]
        name, description = columns.index("name"), columns.index("description")
        for row in read(store, listing.faults):
            listing.rows.append((heading or row[columns.index("kind")], row[name], row[description]))
    # The list of models gives the views, so they are moved after the entities.
    order = ["source", "model", "entity", "view", "on-demand", "service"]
    listing.rows.sort(key=lambda row: order.index(row[0]))
    return listing


def sound_models(store: FeatureStore, faults: list[AsknownError]) -> Iterator[Model]:
    """The models that render and parse, and the pinned views. The errors of the others are added to ``faults``."""
    for name in [*store.catalog.names, *(pin.name for pin in store.project.pins)]:
        try:
            yield store.catalog.model(name)
        except AsknownError as error:
            faults.append(error)


def describe_model(store: FeatureStore, model: Model) -> str:
    """A model's description, from YAML or from its config()."""
    doc = store.project.docs.get(model.name)
    return (doc.description if doc else "") or model.rendered.config.description


def kind_of(model: Model) -> str:
    """The kind of a model: ``view``, ``on-demand`` or ``model``."""
    return "view" if model.is_feature_view else "on-demand" if model.is_on_demand else "model"


def reads_of_model(model: Model) -> tuple[str, ...]:
    """The models that a model refers to; of an on-demand view, what it names in ``request()``."""
    request = model.rendered.request
    return model.rendered.refs if request is None else request.names


def spell_ttl(ttl: int | None) -> str | None:
    """A ttl as text, such as ``3 days``; None if there is no bound."""
    return None if ttl is None else spell(ttl)


def spell_line(line: ServiceFeatures) -> str:
    """One line of a service as a request has it: ``view`` or ``view:feature``, with its alias and keys."""
    text = line.view if line.features is None else ", ".join(f"{line.view}:{name}" for name in line.features)
    if line.alias:
        text += f" as {line.alias}"
    if line.keys:
        text += f" ({', '.join(f'{key} = {column}' for key, column in line.keys.items())})"
    return text


def reads_of(table: SourceTable) -> str:
    """The path or the identifier of a source's table."""
    return table.path or table.identifier or ""


def written_features(model: Model, keys: tuple[str, ...], dialect: str) -> tuple[str, ...] | None:
    """The names of a view's features from its select, or None if only the engine knows them."""
    from asknown.model.parse import written_columns

    config = model.rendered.config
    columns = written_columns(model, {}, dialect)
    if columns is None:
        return None
    other = {name.casefold() for name in (*keys, config.event_time, config.known_at, config.created_at) if name}
    return tuple(name for name in columns if name.casefold() not in other)


def keys_of(store: FeatureStore, model: Model) -> tuple[str, ...]:
    """The key columns of a view's entities."""
    entities = (store.project.entities[name] for name in model.rendered.config.entity or ())
    return tuple(key.name for entity in entities for key in entity.keys)


def _models(store: FeatureStore, faults: list[AsknownError]) -> Iterator[Row]:
    for model in sound_models(store, faults):
        rendered = model.rendered
        yield (
            model.name,
            kind_of(model),
            rendered.config.materialized,
            reads_of_model(model),
            rendered.shown,
            describe_model(store, model),
        )


def _views(store: FeatureStore, faults: list[AsknownError]) -> Iterator[Row]:
    for model in sound_models(store, faults):
        config = model.rendered.config
        if config.entity is None:
            continue
        keys = keys_of(store, model)
        features = written_features(model, keys, store.project.settings.dialect)
        count = None if features is None else len(features)
        ttl = spell_ttl(config.ttl)
        yield model.name, config.entity, keys, count, ttl, config.online, describe_model(store, model)


def _on_demand(store: FeatureStore, faults: list[AsknownError]) -> Iterator[Row]:
    for model in sound_models(store, faults):
        inputs = model.rendered.config.inputs
        if inputs is None:
            continue
        features = written_features(model, (), store.project.settings.dialect)
        count = None if features is None else len(features)
        spelled = tuple(f"{name} {kind}" for name, kind in inputs)
        yield model.name, spelled, count, reads_of_model(model), describe_model(store, model)


def _features(store: FeatureStore, faults: list[AsknownError]) -> Iterator[Row]:
    for model in sound_models(store, faults):
        if not (model.is_feature_view or model.is_on_demand):
            continue
        try:
            view = store.on_demand_view(model.name) if model.is_on_demand else store.feature_view(model.name)
        except AsknownError as error:
            faults.append(error)
            continue
        docs = column_docs(store, model.name)
        for feature in view.features:
            yield view.name, feature.name, feature.type.name, docs.get(feature.name.casefold(), "")


def column_docs(store: FeatureStore, model: str) -> dict[str, str]:
    """The descriptions of a model's columns from YAML, by name in lower case."""
    doc = store.project.docs.get(model)
    return {column.name.casefold(): column.description for column in doc.columns} if doc else {}


def _services(store: FeatureStore, _: list[AsknownError]) -> Iterator[Row]:
    for service in sorted(store.project.services.values(), key=lambda service: service.name):
        views = dict.fromkeys(line.view for line in service.features)
        yield service.name, tuple(views), service.description


def _entities(store: FeatureStore, _: list[AsknownError]) -> Iterator[Row]:
    for entity in sorted(store.project.entities.values(), key=lambda entity: entity.name):
        keys = tuple(f"{key.name} {key.data_type}" if key.data_type else key.name for key in entity.keys)
        yield entity.name, keys, entity.description


def _sources(store: FeatureStore, _: list[AsknownError]) -> Iterator[Row]:
    for (source, name), table in sorted(store.project.sources.items()):
        yield f"{source}.{name}", reads_of(table), table.timezone, table.description


Read = Callable[["FeatureStore", list[AsknownError]], Iterator[Row]]

KINDS: dict[str, tuple[tuple[str, ...], Read]] = {
    "models": (("name", "kind", "materialized", "reads", "file", "description"), _models),
    "views": (("name", "entity", "keys", "features", "ttl", "online", "description"), _views),
    "on-demand": (("name", "inputs", "features", "reads", "description"), _on_demand),
    "services": (("name", "views", "description"), _services),
    "entities": (("name", "keys", "description"), _entities),
    "sources": (("name", "reads", "timezone", "description"), _sources),
    "features": (("view", "name", "type", "description"), _features),
}
"""The columns of each kind that `asknown ls` lists, and the function that returns its rows."""
