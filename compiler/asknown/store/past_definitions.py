"""The definitions that a project's views had, from its registry, to replay the reads of loads that were made with them.

A log says the fingerprint of each view that a read saw. Where that is not the fingerprint of today's files, the
applied versions of the view are looked through, the newest first, for the one that has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from asknown.catalog.catalog import Catalog
from asknown.catalog.closure import freeze
from asknown.errors import AsknownError
from asknown.model.nodes import FeatureView
from asknown.store.logged import SeenLoad
from asknown.store.materialize import stored_for_online
from asknown.store.registry_copies import open_registry
from asknown.store.typed_catalog import TypedCatalog
from asknown.store.versions import catalog_of

_MOST_VERSIONS = 50  # of one view that are looked through


@dataclass(frozen=True)
class PastDefinition:
    """A project in which one view, named ``shown`` with its version, is as it was applied."""

    shown: str
    catalog: TypedCatalog


class PastDefinitions:
    """The applied definitions of a project's views; none where there is no registry."""

    def __init__(self, catalog: TypedCatalog) -> None:
        self._catalog = catalog
        self._applied: dict[str, list[PastDefinition]] = {}
        self._fingerprints: dict[tuple[int, str], str | None] = {}

    def of(self, view: str, loads: Mapping[str, SeenLoad]) -> Iterator[PastDefinition]:
        """The applied definitions of a view, other than today's, that agree with what ``loads`` say of the feature
        views below it: the newest first.
        """
        if view not in self._applied:
            self._applied[view] = list(self._read(view))
        for past in self._applied[view]:
            asked = past.catalog.asked(view)
            read = [asked] if isinstance(asked, FeatureView) else list(asked.views())
            told = [(one, loads[one.name].fingerprint) for one in read if one.name in loads]
            if all(mark is None or mark == self._fingerprint(past, one) for one, mark in told):
                yield past

    def _fingerprint(self, past: PastDefinition, view: FeatureView) -> str | None:
        key = (id(past), view.name)
        if key not in self._fingerprints:
            self._fingerprints[key] = fingerprint_online(past.catalog, view)
        return self._fingerprints[key]

    def _read(self, view: str) -> Iterator[PastDefinition]:
        models = self._catalog.models
        place, name = models.project.profile.registry, models.project.settings.name
        try:
            with open_registry(place) as reader:
                if reader.absent:
                    return
                now = freeze(models, plain=True)
                seen: dict[str, str] = {}
                for revision in reader.revisions(name):
                    entry = reader.object(revision.manifest)["views"].get(view)
                    if entry is not None and entry["model"] != now.views.get(view):
                        seen.setdefault(entry["model"], f"{view}@v{entry['version']}")
                for digest, shown in list(seen.items())[:_MOST_VERSIONS]:
                    frozen = catalog_of(models, {view: digest}, {view: shown}, now, reader.object)
                    typed = self._catalog.beside(_without_missing_views(frozen))
                    try:
                        typed.asked(view)
                    except AsknownError:  # it needs what is no longer there
                        continue
                    yield PastDefinition(shown, typed)
        except AsknownError:  # no definition can be had from this registry, or there is none
            return


def fingerprint_online(catalog: TypedCatalog, view: FeatureView) -> str | None:
    """The fingerprint that a load of the view would store now; None if it cannot be loaded."""
    try:
        return stored_for_online([view], catalog)[0].fingerprint
    except AsknownError:
        return None


def _without_missing_views(catalog: Catalog) -> Catalog:
    """The catalog, with services that name only views which are there."""
    project = catalog.project
    services = {
        name: replace(service, features=tuple(line for line in service.features if line.view in project.models))
        for name, service in project.services.items()
    }
    rendered = {name: catalog.model(name).rendered for name in project.models}
    return Catalog(replace(project, services=services), rendered)
