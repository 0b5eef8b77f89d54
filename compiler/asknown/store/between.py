"""Compares two revisions of a project, from the registry alone: what an apply, or several, changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from asknown.catalog.closure import Body, changed_parts, reach, thawed_service
from asknown.changes.compare import compare_services, compare_views
from asknown.changes.nodes import Place, ServiceChange, ViewChange
from asknown.errors import AsknownError
from asknown.project.nodes import Project
from asknown.registry.nodes import Revision, StoredPin
from asknown.registry.read import RegistryReader
from asknown.store.comparison import ProjectChanges
from asknown.store.consumers import find_consumers
from asknown.store.pinned_uses import changed_pins, pinned_by, stored_pins
from asknown.store.pinning import features_of_pins
from asknown.store.states import list_features, places_of, read_state


def changes_between(reader: RegistryReader, project: Project, old: Revision, new: Revision) -> ProjectChanges:
    """The changes from revision ``old`` to revision ``new``. No file of the project is read, and no row of a source.

    Tied rows are not counted. Raises ``bad-value`` if ``new`` came before ``old``.
    """
    if new.n < old.n:
        raise AsknownError(
            "bad-value",
            f"revision {new.n} came before revision {old.n}",
            hint=f"the older one comes first: --since {new.n} --until {old.n}",
        )
    return _Between(reader, project, old, new).changes()


class _Between:
    def __init__(self, reader: RegistryReader, project: Project, old: Revision, new: Revision) -> None:
        self._reader = reader
        self._project = project
        self._name = project.settings.name
        self._base, self._reached = old, new
        self._old, self._new = reader.object(old.manifest), reader.object(new.manifest)

    def changes(self) -> ProjectChanges:
        old, new = self._old["views"], self._new["views"]
        names = sorted({*old, *new})
        differ = [name for name in names if old.get(name, {}).get("model") != new.get(name, {}).get("model")]
        views = tuple(map(self._change, differ))
        before, after = self._old.get("exposures", {}), self._new.get("exposures", {})
        return ProjectChanges(
            self._name,
            self._project.profile.target.name,
            self._base,
            views,
            tuple(self._services()),
            {
                change.view: (
                    *find_consumers(change.view, self._bodies("services"), self._bodies("exposures")),
                    *pinned_by(change.view, self._own_pins(), self._name),
                )
                for change in views
            },
            len(names) - len(differ),
            tuple(name for name in sorted({*before, *after}) if before.get(name) != after.get(name)),
            changed_pins(self._old.get("pins", ()), self._new.get("pins", ())),
            reached=self._reached,
        )

    def _change(self, name: str) -> ViewChange:
        old, new = self._old["views"].get(name), self._new["views"].get(name)
        before, after = (
            None if entry is None else read_state(self._reader, self._project, name, entry)[0] for entry in (old, new)
        )
        change = compare_views(name, before, after, 0 if new is None else int(new["version"]))
        if old is None or new is None:
            return change
        objects = reach([old["model"], new["model"]], self._reader.object)
        parts = changed_parts(old["model"], new["model"], objects)
        made = [self._reader.object(entry["object"]).get("made_of", {}) for entry in (old, new)]
        places: list[Place] = list(places_of(parts, made[0], made[1].get))
        return replace(change, causes=tuple(dict.fromkeys(places)))

    def _services(self) -> Iterator[ServiceChange]:
        old, new = self._old["services"], self._new["services"]
        for name in sorted({*old, *new}):
            was, now = (self._reader.object(one[name]) if name in one else None for one in (old, new))
            found = compare_services(
                name,
                None if was is None else self._listed(was, self._old),
                None if now is None else self._listed(now, self._new),
                self._name,
            )
            if found is not None:
                judged = now if now is not None else was
                yield replace(found, production=judged is None or thawed_service(judged).production)
            elif old[name] != new[name]:
                yield ServiceChange(name, "metadata")

    def _listed(self, body: Body, manifest: Body) -> list[str]:
        views = {name: self._reader.object(entry["object"]) for name, entry in manifest["views"].items()}
        known = {name: [feature for feature, _ in view["features"]] for name, view in views.items()}
        return list_features(thawed_service(body), known | features_of_pins(self._reader, manifest))

    def _bodies(self, part: str) -> Mapping[str, Body]:
        """The services or exposures of both revisions, by name; the later one's where both have one."""
        named = {**self._old.get(part, {}), **self._new.get(part, {})}
        return {name: self._reader.object(digest) for name, digest in named.items()}

    def _own_pins(self) -> Iterator[StoredPin]:
        pins = [*stored_pins(self._name, self._new)]
        pins += [pin for pin in self._reader.pins(self._name) if pin.project != self._name]
        return (pin for pin in pins if pin.of_project == self._name)
