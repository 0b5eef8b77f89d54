"""Finds what uses the pinned views of a project, for the registry, and who has pinned the project's own views."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from asknown.catalog.catalog import Catalog
from asknown.catalog.closure import Body
from asknown.changes.nodes import Consumer
from asknown.project.nodes import Pin
from asknown.registry.nodes import StoredPin


def pins_of(catalog: Catalog) -> list[Body]:
    """The uses of the project's pinned views as its manifest keeps them, in a fixed order."""
    return [body for pin in catalog.project.pins for body in _uses_of(pin, catalog)]


def _uses_of(pin: Pin, catalog: Catalog) -> Iterator[Body]:
    common = {"of_project": pin.project, "view": pin.view, "v": pin.v, "hash": pin.hash}
    used = list(_users(pin.name, catalog)) or [("project", catalog.project.settings.name, "", None)]
    for kind, name, owner, features in used:
        yield common | {"by": kind, "name": name, "owner": owner, "features": features}


def _users(view: str, catalog: Catalog) -> Iterator[tuple[str, str, str, list[str] | None]]:
    """(kind, name, owner, features or None for all) of what names the pinned view."""
    project = catalog.project
    for service in sorted(project.services.values(), key=lambda one: one.name):
        read = [line.features for line in service.features if line.view == view]
        if read:
            yield "service", service.name, service.owner, _joined(read)
    for exposure in sorted(project.exposures.values(), key=lambda one: one.name):
        used = [use.partition(":") for use in exposure.uses]
        read = [(feature,) if feature else None for name, _, feature in used if name == view]
        if read:
            yield exposure.type or "exposure", exposure.name, exposure.owner, _joined(read)
    for name in catalog.names:
        rendered = catalog.model(name).rendered
        named = () if rendered.request is None else rendered.request.names
        asked = [(feature,) if feature else None for v, _, feature in (r.partition(":") for r in named) if v == view]
        if asked or view in rendered.refs:
            yield "model", name, rendered.config.owner, None if view in rendered.refs else _joined(asked)


def _joined(read: Iterable[Sequence[str] | None]) -> list[str] | None:
    found: dict[str, None] = {}
    for features in read:
        if features is None:
            return None
        found |= dict.fromkeys(features)
    return list(found)


def stored_pins(project: str, manifest: Body) -> tuple[StoredPin, ...]:
    """The rows of a manifest's pins."""
    return tuple(
        StoredPin(
            project,
            pin["by"],
            pin["name"],
            pin["owner"],
            pin["of_project"],
            pin["view"],
            pin["v"],
            None if pin["features"] is None else tuple(pin["features"]),
        )
        for pin in manifest.get("pins", ())
    )


def changed_pins(old: Sequence[Body], new: Sequence[Body]) -> tuple[str, ...]:
    """The pinned views whose uses were declared, changed or taken out, by name."""
    changed = [pin for pin in (*old, *new) if (pin in old) != (pin in new)]
    return tuple(sorted({f"{pin['of_project']}.{pin['view']}@v{pin['v']}" for pin in changed}))


def pinned_by(view: str, pins: Iterable[StoredPin], project: str) -> list[Consumer]:
    """The consumers of a view of ``project`` that have pinned a version of it."""
    found = []
    for pin in pins:
        if pin.view == view:
            name = pin.name if pin.project == project or pin.kind == "project" else f"{pin.project}.{pin.name}"
            features = None if pin.features is None else frozenset(pin.features)
            found.append(Consumer(pin.kind, name, pin.owner, features, pin.v))
    return found
