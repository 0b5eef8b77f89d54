"""Gathers the pages of the catalogue: what the project says, what the engine types, and what the registry has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from asknown import __version__
from asknown.catalog.closure import freeze
from asknown.catalog.lineage import ROLES, Edge
from asknown.durations import spell
from asknown.errors import AsknownError, hidden
from asknown.model.nodes import FeatureView, Model, OnDemandView, View
from asknown.model.words import describe_features
from asknown.project.nodes import Exposure, SourceTable, Terms
from asknown.site.asking import ask_for_features, ask_for_rows
from asknown.site.nodes import (
    ColumnRow,
    Example,
    Fact,
    Feature,
    Link,
    Origin,
    Page,
    PageKind,
    Site,
    Sql,
    Text,
)
from asknown.site.write import write_html, write_json
from asknown.store.applied import read_applied
from asknown.types import Column

if TYPE_CHECKING:
    from asknown.store import FeatureStore

_REVISIONS = 20  # on the first page


def make_catalogue(store: FeatureStore, faults: list[AsknownError] | None = None) -> tuple[str, str]:
    """(the catalogue as one HTML document, the same facts as JSON). Errors of broken parts go to ``faults``."""
    site = gather_site(store, [] if faults is None else faults)
    return write_html(site), write_json(site)


def gather_site(store: FeatureStore, faults: list[AsknownError]) -> Site:
    """The catalogue of a project. A broken thing has a page with its error, which is added to ``faults`` too."""
    gathering = _Gathering(store, faults)
    pages = [*gathering.pages()]
    settings, profile = store.project.settings, store.project.profile
    return Site(
        settings.name,
        profile.target.name,
        f"asknown {__version__}",
        tuple(pages),
        tuple(dict.fromkeys(gathering.edges)),
        tuple(gathering.applied.revisions[:_REVISIONS]),
    )


_CONFIG_OR_NAME = re.compile(r"\{\{-?\s*(config|ref|source)\([^(){}]*\)\s*-?\}\}")


def _names_only(template: str) -> bool:
    """Whether rendering a model only takes its config out and names what it reads: its SQL stands there as it is.

    >>> _names_only("{{ config(owner='a') }} select 1 from {{ ref('orders') }}")
    True
    >>> _names_only("select sum(x) over {{ last('7 days') }} from {{ ref('orders') }}")
    False
    """
    return "{" not in _CONFIG_OR_NAME.sub("", template)


class _Gathering:
    """The pages of one project. ``edges`` fills up as they are made."""

    def __init__(self, store: FeatureStore, faults: list[AsknownError]) -> None:
        self.store = store
        self.project = store.project
        self.faults = faults
        self.edges: list[tuple[Link, Link]] = []
        self.applied = read_applied(store.project)
        self.current = self._current()
        self.models = dict(self._sound_models())
        self.readers = self._find_readers()

    def _current(self) -> Mapping[str, str]:
        """The hash of each view's model as the files have it; empty where a model is broken."""
        try:
            return freeze(self.store.catalog).views if self.applied.revisions else {}
        except AsknownError:
            return {}

    def _sound_models(self) -> Iterator[tuple[str, Model]]:
        for name in self.store.catalog.names:
            try:
                yield name, self.store.catalog.model(name)
            except AsknownError as error:
                self.faults.append(error)

    def link(self, model: str) -> Link:
        """The link to a model of any kind."""
        found = self.models.get(model)
        kind: PageKind = "model"
        if found is not None and (found.is_feature_view or found.is_on_demand):
            kind = "view" if found.is_feature_view else "on-demand"
        return Link(kind, model)

    def _find_readers(self) -> dict[Link, list[Link]]:
        """The readers of each thing, and the edges of the lineage."""
        for model in self.models.values():
            here = self.link(model.name)
            below = [self.link(ref) for ref in model.rendered.refs]
            below += [Link("source", f"{source}.{table}") for source, table in model.rendered.sources]
            if model.rendered.request is not None:
                below += [self._requested(name) for name in model.rendered.request.names]
            self.edges += [(one, here) for one in below]
        for service in self.project.services.values():
            self.edges += [(self.link(line.view), Link("service", service.name)) for line in service.features]
        for exposure in self.project.exposures.values():
            here = Link("exposure", exposure.name)
            self.edges += [(replace(self._requested(use), feature=""), here) for use in exposure.uses]
        readers: dict[Link, list[Link]] = {}
        for below_it, reader in dict.fromkeys(self.edges):
            readers.setdefault(below_it, []).append(reader)
        return readers

    def _requested(self, reference: str) -> Link:
        if reference in self.project.services:
            return Link("service", reference)
        return self.link(reference.partition(":")[0])

    # -- pages -------------------------------------------------------------------------------------------------------

    def pages(self) -> Iterator[Page]:
        """All pages."""
        found = [
            *map(self._model, self.store.catalog.names),
            *map(self._service, sorted(self.project.services)),
            *map(self._exposure, self.project.exposures.values()),
            *map(self._entity, sorted(self.project.entities)),
            *map(self._source, self.project.sources.values()),
        ]
        yield from found
        yield from _groups("owner", ((page.owner,) for page in found), found)
        yield from _groups("tag", (page.tags for page in found), found)

    def _model(self, name: str) -> Page:
        link = self.link(name)
        file = self.project.models[name]
        written = Sql("As written", hidden(file.text))
        model = self.models.get(name)
        if model is None:
            return Page(
                link, error=_message(self._fault_of(name)), sql=(written,), facts=(Fact("file", (file.shown,)),)
            )
        config, doc = model.rendered.config, self.project.docs.get(name)
        page = Page(
            link,
            description=(doc.description if doc is not None else "") or config.description,
            owner=config.owner,
            tags=config.tags,
            entities=config.entity or (),
            used_by=tuple(self.readers.get(link, ())),
            sql=(written, Sql("Compiled", hidden(model.rendered.sql.strip()), told=_names_only(file.text))),
            history=tuple(self.applied.versions.get(name, ())),
            status=self._status(name, model),
        )
        docs = {} if doc is None else {column.name.casefold(): column.description for column in doc.columns}
        try:
            if model.is_feature_view:
                view = self.store.feature_view(name)
                return self._with_features(page, view, docs, self._view_facts(model, view))
            if model.is_on_demand:
                on_demand = self.store.on_demand_view(name)
                return self._with_features(page, on_demand, docs, self._on_demand_facts(model, on_demand))
            columns = [ColumnRow(n, kind, docs.get(n.casefold(), "")) for n, kind in self.store.columns(name)]
        except AsknownError as error:
            known = tuple(self._model_facts(model))
            if error.code == "no-data":  # a table that nobody has built yet is no mistake of the project
                return replace(page, facts=(*known, Fact("columns", (f"known once it is built; {error.hint}",))))
            self.faults.append(error)
            return replace(page, error=_message(error), facts=known)
        asking = ask_for_rows(f"ref('{name}')", name, [c.name for c in columns])
        return replace(page, columns=tuple(columns), facts=tuple(self._model_facts(model)), asking=asking)

    def _fault_of(self, name: str) -> AsknownError:
        try:
            self.store.catalog.model(name)
        except AsknownError as error:
            return error
        raise AssertionError(f"{name} is not broken")

    def _status(self, name: str, model: Model) -> str:
        """How a view stands to the registry, in words; empty where there is none."""
        if not self.applied.revisions or not (model.is_feature_view or model.is_on_demand):
            return ""
        if name not in self.applied.objects:
            return "not applied yet"
        version, digest = self.applied.objects[name]
        if self.current and self.current.get(name) != digest:
            return f"changed since v{version} was applied"
        return f"v{version}"

    def _with_features(self, page: Page, view: View, docs: Mapping[str, str], facts: Iterable[Fact]) -> Page:
        words = describe_features(view)
        lineage = self.store.lineage(view.name)
        common = _common(list(lineage.values()))
        features = tuple(
            Feature(
                Link(page.link.kind, view.name, feature.name),
                feature.type.name,
                docs.get(feature.name.casefold(), ""),
                words[feature.name],
                self.applied.since.get(f"{view.name}:{feature.name}"),
                _origins(edge for edge in lineage[feature.name] if edge not in common),
                next((edge.reason for edge in lineage[feature.name] if edge.reason), ""),
            )
            for feature in view.features
        )
        inputs = view.inputs if isinstance(view, OnDemandView) else ()
        online = isinstance(view, OnDemandView) or view.model.rendered.config.online
        asking: tuple[Example, ...] = ()
        if features:
            asking = ask_for_features(view.name, view.keys, inputs, features[0].link.feature, online=online)
        return replace(page, features=features, shared=_origins(common), facts=tuple(facts), asking=asking)

    def _model_facts(self, model: Model) -> Iterator[Fact]:
        config = model.rendered.config
        yield Fact("file", (model.rendered.shown,))
        if config.materialized != "ephemeral":
            yield Fact("materialized", (config.materialized,))
        doc = self.project.docs.get(model.name)
        if doc is not None:
            yield from _terms(doc.terms)
        below: list[Text] = [self.link(ref) for ref in model.rendered.refs]
        below += [Link("source", f"{source}.{table}") for source, table in model.rendered.sources]
        if model.rendered.request is not None:
            below += [self._requested_fact(name) for name in model.rendered.request.names]
        yield Fact("reads", tuple(below))

    def _requested_fact(self, reference: str) -> Link:
        link = self._requested(reference)
        return link if link.kind == "service" else replace(link, feature=reference.partition(":")[2])

    def _view_facts(self, model: Model, view: FeatureView) -> Iterator[Fact]:
        config = model.rendered.config
        yield Fact("entity", tuple(Link("entity", name) for name in config.entity or ()))
        yield Fact("keys", _spelled(view.keys))
        yield Fact("event time", (view.event_time.name,))
        known = "" if view.known_at is None else view.known_at.name
        yield Fact("known at", (known,) if known else ())
        yield Fact("created at", (view.created_at.name,) if view.created_at is not None else ())
        yield Fact("valid for", () if view.ttl is None else (spell(view.ttl),))
        yield Fact("online", ("yes" if config.online else "no, for training only",))
        load = self.applied.loads.get(view.name)
        yield Fact(
            "last load", () if load is None else (f"{load.rows:,} keys as of {load.watermark}, as {load.views[0]}",)
        )
        yield from self.applied.facts_of_checks(view.name)
        yield from self._model_facts(model)

    def _on_demand_facts(self, model: Model, view: OnDemandView) -> Iterator[Fact]:
        yield Fact("keys", _spelled(view.keys))
        yield Fact("inputs", _spelled(view.inputs))
        yield from self._model_facts(model)

    def _service(self, name: str) -> Page:
        service = self.project.services[name]
        page = Page(
            Link("service", name),
            description=service.description,
            owner=service.owner,
            used_by=tuple(self.readers.get(Link("service", name), ())),
            contents=tuple(dict.fromkeys(self._contents(name))),
        )
        facts = [Fact("file", (service.at.path,))]
        if not service.production:
            facts.append(Fact("status", ("in development",)))
        try:
            needs = self.store.needs(name)
        except AsknownError as error:
            self.faults.append(error)
            return replace(page, error=_message(error), facts=tuple(facts))
        facts = [Fact("keys", _spelled(needs.keys)), Fact("inputs", _spelled(needs.inputs)), *facts]
        asking = ask_for_features(name, needs.keys, needs.inputs, None, online=True)
        return replace(page, facts=tuple(facts), asking=asking)

    def _exposure(self, exposure: Exposure) -> Page:
        return Page(
            Link("exposure", exposure.name),
            description=exposure.description,
            owner=exposure.owner,
            facts=(
                Fact("type", (exposure.type,) if exposure.type else ()),
                Fact("address", (exposure.url,) if exposure.url else ()),
                Fact("file", (exposure.at.path,)),
            ),
            contents=tuple(map(self._requested_fact, exposure.uses)),
        )

    def _contents(self, service: str) -> Iterator[Link]:
        for line in self.project.services[service].features:
            link = self.link(line.view)
            if line.features is None:
                yield link
            else:
                yield from (replace(link, feature=feature) for feature in line.features)

    def _entity(self, name: str) -> Page:
        entity = self.project.entities[name]
        views = [m.name for m in self.models.values() if name in (m.rendered.config.entity or ())]
        return Page(
            Link("entity", name),
            description=entity.description,
            facts=(Fact("file", (entity.at.path,)),),
            columns=tuple(ColumnRow(key.name, key.data_type or "", "") for key in entity.keys),
            contents=tuple(map(self.link, views)),
        )

    def _source(self, table: SourceTable) -> Page:
        name = f"{table.source}.{table.name}"
        facts = (
            Fact("file", (table.at.path,)),
            Fact("reads", (_place(table),) if _place(table) else ()),
            Fact("time zone", (table.timezone,) if table.timezone else ()),
            Fact("static", ("yes",) if table.static else ()),
        )
        return Page(
            Link("source", name),
            description=table.description,
            facts=facts,
            columns=tuple(ColumnRow(c.name, c.data_type or "", c.description) for c in table.columns),
            used_by=tuple(self.readers.get(Link("source", name), ())),
            asking=ask_for_rows(f"source('{table.source}', '{table.name}')", name, [c.name for c in table.columns]),
        )


def _terms(terms: Terms) -> Iterator[Fact]:
    """The declared terms on which others may read a model."""
    yield Fact("group", (terms.group,) if terms.group is not None else ())
    yield Fact("access", (terms.access,) if terms.access != "protected" else ())
    yield Fact("contract", ("enforced",) if terms.contract else ())
    yield Fact("deprecated", (f"from {terms.deprecation_date} on",) if terms.deprecation_date is not None else ())


def _message(error: AsknownError) -> str:
    place = "" if error.at is None else f" ({error.at})"
    return hidden(f"{error.code}: {error.message}{place}")


def _place(table: SourceTable) -> str:
    """The path or identifier of a source's table, without the folders of this machine."""
    if table.path is not None and PurePath(table.path).is_absolute():
        return PurePath(table.path).name
    return hidden(table.path or table.identifier or "")


def _spelled(columns: Sequence[Column]) -> tuple[str, ...]:
    return tuple(f"{column.name} {column.type.name}" for column in columns)


def _common(found: Sequence[Sequence[Edge]]) -> dict[Edge, None]:
    """The edges that every feature of a view has, if it has several."""
    if len(found) < 2:
        return {}
    shared = set(found[0]).intersection(*found[1:])
    return dict.fromkeys(edge for edge in found[0] if edge in shared)


def _origins(edges: Iterable[Edge]) -> tuple[Origin, ...]:
    by_role: dict[str, list[str]] = {}
    for edge in edges:
        by_role.setdefault(edge.role, []).append(f"{edge.table}.{edge.column}")
    return tuple(Origin(role, tuple(dict.fromkeys(by_role[role]))) for role in ROLES if role in by_role)


def _groups(kind: PageKind, names: Iterable[Sequence[str]], pages: Sequence[Page]) -> Iterator[Page]:
    """A page for each owner or tag, with the things that have it."""
    found: dict[str, list[Link]] = {}
    for named, page in zip(names, pages, strict=True):
        for name in filter(None, named):
            found.setdefault(name, []).append(page.link)
    for name in sorted(found):
        yield Page(Link(kind, name), contents=tuple(found[name]))
