"""Compares the project with its registry: what an apply would change, and the revision that it would write."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from asknown.catalog.catalog import Catalog
from asknown.catalog.closure import Body, Frozen, changed_parts, freeze, name_object, reach, thawed_service
from asknown.changes.compare import compare_services, compare_views
from asknown.changes.nodes import BREAKING, Consumer, FeatureChange, ServiceChange, ViewChange, ViewState
from asknown.errors import AsknownError
from asknown.registry.nodes import NextRevision, Revision, StoredService, ViewVersion
from asknown.registry.read import RegistryReader
from asknown.store.consumers import find_consumers
from asknown.store.pinned_uses import changed_pins, pinned_by, pins_of, stored_pins
from asknown.store.pinning import features_of_pins, pinned_features, warn_of_pins
from asknown.store.revisions import Telling, make_revision
from asknown.store.states import (
    causes_of,
    count_ties,
    list_features,
    meaning_of,
    meanings_of,
    old_features,
    read_state,
    stored_features,
    stored_view,
    view_object,
    view_state,
)
from asknown.store.typed_catalog import TypedCatalog


@dataclass(frozen=True)
class ProjectChanges:
    """The changes that an apply would record, against the revision ``base`` (None: nothing was applied yet).

    With ``reached``, they are those that were recorded after ``base`` up to that revision.

    ``consumers`` maps each changed view to the feature services and exposures that read it; ``unchanged`` counts the
    other views. ``exposures`` names those that were declared, changed or taken out, ``pins`` likewise the pinned views
    of other projects; ``warnings`` say which of these are deprecated.
    """

    project: str
    target: str
    base: Revision | None
    views: tuple[ViewChange, ...]
    services: tuple[ServiceChange, ...]
    consumers: Mapping[str, tuple[Consumer, ...]]
    unchanged: int
    exposures: tuple[str, ...] = ()
    pins: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    reached: Revision | None = None

    @property
    def nothing(self) -> bool:
        """Whether an apply would write nothing."""
        return not (self.views or self.services or self.exposures or self.pins)

    @property
    def breaking(self) -> tuple[str, ...]:
        """The references of what breaks: ``view`` for keys or a removed view, ``view:feature``, or a service."""
        found = []
        for view in self.views:
            if BREAKING & set(view.kinds):
                found.append(view.view)
            else:
                found += [
                    f"{view.view}:{change.before if change.kind == 'renamed' else change.feature}"
                    for change in view.features
                    if change.kind in BREAKING
                ]
        return (*found, *(change.service for change in self.services if change.breaking))


class Comparison:
    """The project beside its registry's head, or beside the revision ``since``.

    Only views whose text differs are typed, so the rest asks no engine.
    """

    def __init__(
        self,
        catalog: Catalog,
        typed: Callable[[], TypedCatalog],
        reader: RegistryReader,
        since: Revision | None = None,
    ) -> None:
        self._catalog = catalog
        self._typed = typed
        self._reader = reader
        self.name = catalog.project.settings.name
        self.frozen: Frozen = freeze(catalog)
        self.head = reader.head(self.name)
        self._since = since
        self.manifest = _manifest(reader, since or self.head)
        self.states: dict[str, ViewState] = {}
        self._pins = pins_of(catalog)
        others = [pin for pin in reader.pins(self.name) if pin.project != self.name]
        self._pinned = [*stored_pins(self.name, {"pins": self._pins}), *others]
        self.changes = self._compare()

    def _compare(self) -> ProjectChanges:
        names = sorted({*self.manifest["views"], *self.frozen.views})
        differ = [name for name in names if self._stored(name) != self.frozen.views.get(name)]
        views = tuple(self._change(name) for name in differ)
        services = tuple(self._services())
        return ProjectChanges(
            self.name,
            self._catalog.project.profile.target.name,
            self._since or self.head,
            views,
            services,
            {change.view: self._consumers(change.view) for change in views},
            len(names) - len(differ),
            tuple(self._changed_exposures()),
            changed_pins(self.manifest.get("pins", ()), self._pins),
            tuple(warn_of_pins(self._catalog.project, self._reader)),
        )

    def _stored(self, name: str) -> str | None:
        entry = self.manifest["views"].get(name)
        return None if entry is None else str(entry["model"])

    def _change(self, name: str) -> ViewChange:
        entry = self.manifest["views"].get(name)
        old = None if entry is None else read_state(self._reader, self._catalog.project, name, entry)[0]
        new = None
        if name in self.frozen.views:
            new = self.states[name] = view_state(self._typed(), name, None)
        change = compare_views(name, old, new, self._following(name))
        if old is not None and new is not None:
            objects = reach([str(self._stored(name))], self._reader.object) | self.frozen.objects
            parts = changed_parts(str(self._stored(name)), self.frozen.views[name], objects)
            made_of = self._reader.object(entry["object"]).get("made_of", {}) if entry is not None else {}
            change = replace(change, causes=tuple(dict.fromkeys(causes_of(parts, made_of, self._catalog))))
        return self._with_alike(self._with_ties(change), new)

    def _following(self, name: str) -> int:
        """The number of the version that the files have: the newest one's, where they are what was applied last."""
        if self._since is not None:
            entry = _manifest(self._reader, self.head)["views"].get(name)
            if entry is not None and entry["model"] == self.frozen.views.get(name):
                return int(entry["version"])
        return next_version(self._reader, self.name, name)

    def _with_alike(self, change: ViewChange, state: ViewState | None) -> ViewChange:
        """Names for each new feature one that was there before and gives the same values."""

        def named(feature: FeatureChange) -> FeatureChange:
            found = None if state is None or feature.kind != "new" else state.feature(feature.feature)
            if found is None or state is None:
                return feature
            for one in self._reader.alike(meaning_of(state, found)):
                if (one.project, one.view) != (self.name, change.view):
                    prefix = "" if one.project == self.name else f"{one.project}."
                    return replace(feature, alike=f"{prefix}{one.view}:{one.feature}")
            return feature

        return replace(change, features=tuple(map(named, change.features)))

    def _with_ties(self, change: ViewChange) -> ViewChange:
        """Counts the tied rows of a view of which a feature's order changed."""
        if not any(feature.kind == "order" for feature in change.features):
            return change
        tied = count_ties(self._typed(), change.view)
        features = tuple(
            replace(feature, tied_rows=tied) if feature.kind == "order" else feature for feature in change.features
        )
        return replace(change, features=features)

    def _services(self) -> Iterable[ServiceChange]:
        old, new = self.manifest["services"], self.frozen.services
        for name in sorted({*old, *new}):
            was = None if name not in old else self._reader.object(old[name])
            now = None if name not in new else self.frozen.objects[new[name]]
            found = compare_services(
                name,
                None if was is None else self._listed(was, self._old_features()),
                None if now is None else self._listed(now, self._new_features()),
                self.name,
            )
            if found is not None:
                judged = now if now is not None else was
                yield replace(found, production=judged is None or thawed_service(judged).production)
            elif old[name] != new[name]:
                yield ServiceChange(name, "metadata")

    def _old_features(self) -> dict[str, list[str]]:
        return self._applied_features() | features_of_pins(self._reader, self.manifest)

    def _applied_features(self) -> dict[str, list[str]]:
        """The features of each view of the revision that is compared with, in order."""
        if self._since is None:
            return old_features(self._reader, self.name)
        bodies = {name: self._reader.object(entry["object"]) for name, entry in self.manifest["views"].items()}
        return {name: [feature for feature, _ in body["features"]] for name, body in bodies.items()}

    def _listed(self, body: Body, features: Mapping[str, Sequence[str]]) -> list[str]:
        return list_features(thawed_service(body), features)

    def _new_features(self) -> dict[str, list[str]]:
        """The features of each view of the project; those of unchanged and pinned views are the registry's."""
        known = self._applied_features() | pinned_features(self._catalog.project)
        return {**known, **{name: [f.name for f in state.features] for name, state in self.states.items()}}

    def _consumers(self, view: str) -> tuple[Consumer, ...]:
        found = find_consumers(
            view,
            self._bodies(self.manifest["services"], self.frozen.services),
            self._bodies(self.manifest.get("exposures", {}), self.frozen.exposures),
        )
        own = [pin for pin in self._pinned if pin.of_project == self.name]
        return (*found, *pinned_by(view, own, self.name))

    def _bodies(self, old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, Body]:
        """The objects of the registry's newest state and of the files, by name; those of the files where both are."""
        stored = {name: self._reader.object(digest) for name, digest in old.items()}
        return stored | {name: self.frozen.objects[digest] for name, digest in new.items()}

    def _changed_exposures(self) -> Iterable[str]:
        old, new = self.manifest.get("exposures", {}), self.frozen.exposures
        return (name for name in sorted({*old, *new}) if old.get(name) != new.get(name))

    # -- applying ----------------------------------------------------------------------------------------------------

    def following(self, message: str) -> NextRevision:
        """The revision that writes the project as it is."""
        typed = self._typed
        entries = dict(self.manifest["views"])
        objects = dict(self.frozen.objects)
        versions: list[ViewVersion] = []
        n = (self.head.n if self.head else 0) + 1
        changed = {change.view: change for change in self.changes.views}
        for name, change in changed.items():
            if change.after is None:
                del entries[name]
                continue
            body = view_object(typed(), name, self.frozen.views[name])
            digest = name_object(body)
            objects[digest] = body
            entries[name] = {"version": change.after, "object": digest, "model": self.frozen.views[name]}
            versions.append(ViewVersion(name, change.after, digest, n))
        manifest: Body = {"kind": "manifest", "views": entries, "services": dict(self.frozen.services)}
        if self.frozen.exposures:
            manifest["exposures"] = dict(self.frozen.exposures)
        if self._pins:
            manifest["pins"] = self._pins
        objects[name_object(manifest)] = manifest
        stored = {view.name: view for view in self._reader.views(self.name) if view.name in entries}
        features = {f"{f.view}:{f.name}": f for f in self._reader.features(self.name)}
        kept = [f for f in features.values() if f.view in entries and f.view not in changed]
        for name, state in self.states.items():
            stored[name] = stored_view(typed().models, state, entries[name])
            kept += stored_features(state, entries[name]["version"], features, changed[name])
        listed = self._new_features()
        services = tuple(
            StoredService(name, body["description"], tuple(self._listed(body, listed)))
            for name, body in ((name, objects[digest]) for name, digest in self.frozen.services.items())
        )
        told = Telling("apply", message, summary(self.changes))
        revision = make_revision(self._catalog.project, n, told, name_object(manifest))
        pins = stored_pins(self.name, manifest)
        known = [m for m in self._reader.meanings(self.name) if m.view in entries and m.view not in changed]
        known += [meaning for state in self.states.values() for meaning in meanings_of(self.name, state)]
        return NextRevision(
            n - 1, revision, objects, tuple(versions), tuple(stored.values()), tuple(kept), services, pins, tuple(known)
        )


def summary(changes: ProjectChanges) -> str:
    """The changes in one line: ``carrier_delays v3 → v4: values; origin_weather: metadata``."""
    parts = [f"{change.view}{_versions(change)}: {', '.join(sorted(change.all_kinds))}" for change in changes.views]
    parts += [f"service {change.service}: {change.kind}" for change in changes.services]
    parts += [f"exposure {name}" for name in changes.exposures]
    parts += [f"pin {name}" for name in changes.pins]
    return "; ".join(parts)


def _versions(change: ViewChange) -> str:
    if change.before == change.after:
        return ""
    before = "" if change.before is None else f" v{change.before}"
    return f"{before} → v{change.after}" if change.before and change.after else f"{before or f' v{change.after}'}"


def _manifest(reader: RegistryReader, revision: Revision | None) -> Body:
    if revision is None:
        return {"kind": "manifest", "views": {}, "services": {}}
    return reader.object(revision.manifest)


def next_version(reader: RegistryReader, project: str, view: str) -> int:
    """The number of a new version of a view. No number is used twice."""
    return max((version.v for version in reader.versions(project, view)), default=0) + 1


def refuse_breaking(changes: ProjectChanges, accept: Collection[str]) -> None:
    """Raises ``breaking`` for such changes that ``accept`` does not name. A view's name accepts all its features."""
    left = [ref for ref in changes.breaking if ref not in accept and ref.partition(":")[0] not in accept]
    if left:
        named = " ".join(f"--accept {ref}" for ref in left)
        pinned = [
            f"{one.name} (owner {one.owner or 'unknown'}) pins {view.view}@v{one.pinned}"
            for view in changes.views
            for one in changes.consumers[view.view]
            if one.pinned is not None and view.effect_on(one) == "breaks"
        ]
        raise AsknownError(
            "breaking",
            f"this breaks what uses the applied versions: {', '.join([*left, *pinned])}",
            hint=f"undo the change, or accept it: asknown apply {named}",
        )
