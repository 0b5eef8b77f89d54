"""The state of a view, as the registry keeps it and as changes are told from it: from its SQL and its types."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from asknown.catalog.catalog import Catalog
from asknown.catalog.closure import Body, reach, thaw
from asknown.catalog.features import FeatureFingerprint, fingerprint_features, fingerprint_on_demand
from asknown.catalog.lineage import Edge, feature_lineage, on_demand_lineage
from asknown.changes.nodes import (
    SAME_VERSION,
    FeatureState,
    Place,
    ViewChange,
    ViewState,
)
from asknown.emit.probe import compile_ties
from asknown.emit.statement import write
from asknown.model.lineage import Lineage
from asknown.model.nodes import FeatureView, Model, OnDemandView, View
from asknown.model.total_order import with_total_order
from asknown.project.nodes import Project, Service, Terms
from asknown.registry.nodes import (
    Meaning,
    StoredFeature,
    StoredView,
)
from asknown.registry.read import RegistryReader
from asknown.store.type_engine import open_bare_engine
from asknown.store.typed_catalog import TypedCatalog


def view_state(typed: TypedCatalog, name: str, version: int | None) -> ViewState:
    """A view as the comparison sees it. What a request brings to an on-demand view counts among its keys."""
    view = typed.asked(name)
    found = fingerprints_of(typed, view)
    written = _written(view)
    config = view.model.rendered.config
    doc = typed.project.docs.get(name)
    docs = {} if doc is None else {column.name.casefold(): column.description for column in doc.columns}
    features = tuple(
        FeatureState(
            feature.name,
            feature.type.name,
            found[feature.name].values,
            found[feature.name].rows,
            found[feature.name].unnamed,
            found[feature.name].order,
            written.get(feature.name.casefold(), ""),
            docs.get(feature.name.casefold(), ""),
            found[feature.name].whole,
        )
        for feature in view.features
    )
    described = "" if doc is None else doc.description
    terms = Terms() if doc is None else doc.terms
    declared = (described, terms.access, terms.deprecation_date)
    metadata: list[Any] = [config.owner, config.description, config.tags, config.meta, *declared]
    times: tuple[str | None, ...] = ()
    keys = view.keys
    if isinstance(view, FeatureView):
        metadata.append(view.max_ahead)  # how much a load keeps; no value depends on it
        times = tuple(None if c is None else c.name for c in (view.event_time, view.known_at, view.created_at))
    else:
        keys += view.inputs
    listed = tuple((key.name, key.type.name) for key in keys)
    return ViewState(
        name, version, config.entity or (), listed, times, config.ttl, config.online, repr(metadata), features
    )


def fingerprints_of(typed: TypedCatalog, view: View) -> dict[str, FeatureFingerprint]:
    """The fingerprint of each feature of a view."""
    if isinstance(view, OnDemandView):
        return fingerprint_on_demand(view, lambda other: fingerprints_of(typed, other))
    closure = typed.models.closure([view.name])
    columns = {key: typed.sources.columns(key) for key in _sources(closure)}
    # As written: for some engines, and where there is none, a view's stacks are spelled out.
    below = {model.name: model for model in closure}
    identity = {column.name.casefold() for column in (*view.keys, *view.times)}
    written = with_total_order(below[view.name], Lineage(below, typed.known), identity=identity)
    return fingerprint_features(replace(view, model=written), closure, typed.project.sources, columns)


def lineage_of(typed: TypedCatalog, view: View) -> dict[str, tuple[Edge, ...]]:
    """The lineage of each feature of a view."""
    if isinstance(view, OnDemandView):
        return on_demand_lineage(view, lambda other: lineage_of(typed, other))
    closure = typed.models.closure([view.name])
    columns = {key: typed.sources.columns(key) for key in _sources(closure)}
    return feature_lineage(view, closure, typed.project.sources, columns)


def _sources(models: Iterable[Model]) -> list[tuple[str, str]]:
    return list(dict.fromkeys(key for model in models for key in model.rendered.sources))


def _written(view: View) -> dict[str, str]:
    """The text of each item of the select, by its name in lower case."""
    dialect = view.model.dialect
    return {
        item.alias_or_name.casefold(): item.unalias().sql(dialect, comments=False) for item in view.model.tree.selects
    }


def read_state(
    reader: RegistryReader, project: Project, name: str, entry: Mapping[str, Any]
) -> tuple[ViewState, Catalog]:
    """An applied version of a view, with the types that it had, as the code that runs now sees it; and its models."""
    body = reader.object(entry["object"])
    objects = reach([entry["model"]], reader.object)
    columns = {(source, table): listed for source, table, listed in body["sources"]}
    shown = f"{name}@v{entry['version']}"
    catalog = thaw({name: entry["model"]}, objects, project, lambda model: f"{model} in {shown}", columns)
    return view_state(TypedCatalog(catalog, None, open_bare_engine(project)), name, entry["version"]), catalog


def view_object(typed: TypedCatalog, name: str, model: str) -> Body:
    """The object of a view's version: its model, the types that its sources had, and what its models were made of."""
    view = typed.asked(name)
    views = [view.name] if isinstance(view, FeatureView) else [below.name for below in view.views()]
    keys = _sources(typed.models.closure(views))
    sources = [[*key, [[c.name, c.type.name] for c in typed.sources.columns(key)]] for key in keys]
    features = [[feature.name, feature.type.name] for feature in view.features]
    made = {one.name: _made_of(one) for one in typed.models.closure([*views, name])}
    return {"kind": "view", "name": name, "model": model, "sources": sources, "features": features, "made_of": made}


def _made_of(model: Model) -> Body:
    """The hashes of a model's template and of the macros that it used."""
    rendered = model.rendered
    template = hashlib.sha256(rendered.template.encode()).hexdigest()
    return {"template": template, "macros": [[use.name, use.file, use.digest] for use in rendered.macros]}


def causes_of(parts: Iterable[tuple[str, str, str]], before: Body, models: Catalog) -> Iterator[Place]:
    """The changes among ``parts`` (kind, name, file) to the models of a project; see :func:`places_of`."""

    def made_of(name: str) -> Body | None:
        return _made_of(models.model(name)) if name in models.project.models else None

    return places_of(parts, before, made_of)


def places_of(
    parts: Iterable[tuple[str, str, str]], before: Body, after: Callable[[str], Body | None]
) -> Iterator[Place]:
    """The changes among ``parts`` (kind, name, file): macros stand for models whose templates are as they were.

    ``before`` says what the models of the older version were made of, by name, which the oldest ones do not; ``after``
    says it of a model of the newer one.
    """
    for kind, name, file in parts:
        old = before.get(name) if kind == "model" else None
        new = after(name) if old is not None else None
        if old is None or new is None:
            yield Place(kind, name, file)
            continue
        macros = [use for use in new["macros"] if use not in old["macros"]]
        if old["template"] != new["template"] or not macros:
            yield Place(kind, name, file)
        yield from (Place("macro", macro, place) for macro, place, _ in macros)


def stored_view(catalog: Catalog, state: ViewState, entry: Mapping[str, Any]) -> StoredView:
    """The row of a view in the registry's newest state."""
    config = catalog.model(state.name).rendered.config
    doc = catalog.project.docs.get(state.name)
    event_time, known_at, _ = state.times or ("", None, None)
    return StoredView(
        state.name,
        entry["version"],
        ", ".join(state.entity),
        ", ".join(name for name, _ in state.keys),
        str(event_time),
        known_at,
        state.ttl,
        state.online,
        config.owner,
        ", ".join(config.tags),
        (doc.description if doc is not None else "") or config.description,
        entry["object"],
    )


def stored_features(
    state: ViewState, version: int, before: Mapping[str, StoredFeature], change: ViewChange | None
) -> list[StoredFeature]:
    """The rows of a view's features. One whose values are the same keeps the version since which they are.

    Without a ``change`` no version is known before this one.
    """
    features = () if change is None else change.features
    changed = {feature.feature for feature in features if feature.kind not in ("metadata", "text")}
    anew = change is None or not set(change.kinds) <= SAME_VERSION
    found = []
    for place, feature in enumerate(state.features):
        old = before.get(f"{state.name}:{feature.name}")
        since = version if old is None or anew or feature.name in changed else old.since
        found.append(
            StoredFeature(
                state.name,
                feature.name,
                version,
                place,
                feature.type,
                feature.description,
                feature.written,
                feature.values,
                feature.rows,
                feature.order,
                since,
            )
        )
    return found


def meaning_of(state: ViewState, feature: FeatureState) -> str:
    """The mark that two features have in common that give the same values under any names."""
    return feature.unnamed if feature.order is None else f"{feature.unnamed}:{state.ttl}"


def meanings_of(project: str, state: ViewState) -> list[Meaning]:
    """The meanings of a view's features, for the registry."""
    return [Meaning(project, state.name, feature.name, meaning_of(state, feature)) for feature in state.features]


def count_ties(typed: TypedCatalog, name: str) -> int | None:
    """The rows of a view that share keys and times with another row and differ from it in an as-of feature.

    None for an on-demand view, which has no rows.
    """
    view = typed.asked(name)
    if isinstance(view, OnDemandView):
        return None
    dialect = typed.engine.dialect
    statement = compile_ties(view, typed.ctes_of_views([view]), typed.reserved_names(), dialect)
    ((found,),) = typed.engine.rows(write(statement, dialect))
    return int(found or 0)


def old_features(reader: RegistryReader, project: str) -> dict[str, list[str]]:
    """The features of each view of the head, in order."""
    found: dict[str, list[str]] = {}
    for feature in reader.features(project):
        found.setdefault(feature.view, []).append(feature.name)
    return found


def list_features(service: Service, features: Mapping[str, Sequence[str]]) -> list[str]:
    """The features of a service as references, in order; an alias stands behind, as in ``weather:temp as there``."""
    found = []
    for line in service.features:
        names = features.get(line.view, ()) if line.features is None else line.features
        keys = "".join(f" {key}={spine}" for key, spine in sorted(line.keys.items()))
        found += [f"{line.view}:{name}{f' as {line.alias}' if line.alias else ''}{keys}" for name in names]
    return found
