"""Versions of views by name, such as ``carrier_delays@v3``: compiled from the registry, without their files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from asknown.catalog.catalog import Catalog
from asknown.catalog.closure import Body, Frozen, freeze, reach, thaw
from asknown.errors import AsknownError, did_you_mean
from asknown.instants import read_instant
from asknown.project.nodes import Project
from asknown.store.since import read_since

if TYPE_CHECKING:
    from asknown.registry.nodes import Revision, ViewVersion
    from asknown.registry.read import RegistryReader

_VERSIONED = re.compile(r"(?P<view>[^@:.]+)@v?(?P<v>\d+)(?P<rest>:.*)?")


def has_version(name: Any) -> bool:
    """Whether a reference names a version: ``carrier_delays@v3`` or ``carrier_delays@v3:last_arr_delay``.

    A pinned view, ``flights.carrier_delays@v3``, has its version in its name, and is a view like others.
    """
    return isinstance(name, str) and _VERSIONED.fullmatch(name) is not None


def catalog_at_versions(catalog: Catalog, names: Any) -> tuple[Catalog | None, list[str]]:
    """(a catalog with the versions that ``names`` ask for, the names without versions); None if they ask for none."""
    listed = [names] if isinstance(names, str) else list(names)
    if not any(map(has_version, listed)):
        return None, listed
    from asknown.store.registry_copies import open_registry  # few requests ask for a version

    with open_registry(catalog.project.profile.registry) as reader:
        return frozen_catalog(catalog, listed, reader)


def frozen_catalog(catalog: Catalog, names: Sequence[str], reader: RegistryReader) -> tuple[Catalog, list[str]]:
    """(a catalog in which the views of ``names`` are the versions that they name, the names without versions).

    Names without a version mean the project as it is. The project's other models are there too, unless they stand on
    another version of a model than the views asked for. Raises ``unknown-version``, and ``not-yet`` for a mixture.
    """
    project = catalog.project
    roots: dict[str, str] = {}
    shown: dict[str, str] = {}
    plain: list[str] = []
    for name in names:
        match = _VERSIONED.fullmatch(name)
        if match is None:
            plain.append(name)
            continue
        view, v = match["view"], int(match["v"])
        body = reader.object(find_version(reader, project.settings.name, view, v).hash)
        _add(roots, view, body["model"])
        shown[view] = f"{view}@v{v}"
        plain.append(view + (match["rest"] or ""))
    now = freeze(catalog, plain=True)
    for name in names:
        for view in _views_of(name, project) if not has_version(name) else ():
            if view in now.views:
                _add(roots, view, now.views[view])
    return catalog_of(catalog, roots, shown, now, reader.object), plain


def catalog_of(
    catalog: Catalog, roots: Mapping[str, str], shown: Mapping[str, str], now: Frozen, read: Callable[[str], Body]
) -> Catalog:
    """A catalog in which the views ``roots`` are the objects with these hashes.

    ``now`` is the project as it is, plain models included, and ``read`` gives an object of the registry; ``shown``
    names the versions in messages. The project's other models are there too, unless they stand on another one.
    """
    project = catalog.project
    objects = reach(roots.values(), lambda digest: now.objects.get(digest) or read(digest))
    tag = ", ".join(shown.values())
    frozen = thaw(roots, objects, project, lambda model: shown.get(model, f"{model} in {tag}"))
    return _beside(frozen, catalog, now, objects)


def _add(roots: dict[str, str], view: str, digest: str) -> None:
    if roots.setdefault(view, digest) != digest:
        raise AsknownError("not-yet", f"one request names two versions of '{view}'", hint="request them one at a time")


def _views_of(name: str, project: Project) -> list[str]:
    if name in project.services:
        return [line.view for line in project.services[name].features]
    return [name.partition(":")[0]]


def _beside(frozen: Catalog, catalog: Catalog, now: Frozen, objects: Mapping[str, Body]) -> Catalog:
    """The frozen catalog with the project's other models, sources and services that agree with it."""
    fixed = {(body["kind"], *_key(body)): digest for digest, body in objects.items()}
    models = dict(frozen.project.models)
    sources, entities = dict(frozen.project.sources), dict(frozen.project.entities)
    for name, digest in now.views.items():
        closure = reach([digest], now.objects.__getitem__)
        if any(fixed.get((body["kind"], *_key(body)), found) != found for found, body in closure.items()):
            continue
        models.setdefault(name, catalog.project.models[name])
    for key, source in catalog.project.sources.items():
        sources.setdefault(key, source)
    for name, entity in catalog.project.entities.items():
        entities.setdefault(name, entity)
    project = replace(
        catalog.project,
        settings=frozen.project.settings,
        models=models,
        sources=sources,
        entities=entities,
        docs=catalog.project.docs | frozen.project.docs,
    )
    rendered = {name: frozen.model(name).rendered for name in frozen.project.models}
    return Catalog(project, rendered)


def _key(body: Body) -> tuple[str, ...]:
    return (body["source"], body["name"]) if body["kind"] == "source" else (str(body["name"]),)


def find_version(reader: RegistryReader, project: str, view: str, v: int) -> ViewVersion:
    """The version ``v`` of a view. Raises ``unknown-version`` with those that there are."""
    versions = reader.versions(project, view)
    found = next((version for version in versions if version.v == v), None)
    if found is not None:
        return found
    if versions:
        raise AsknownError(
            "unknown-version",
            f"'{view}' has no version {v}",
            hint=f"its versions: {', '.join(f'{view}@v{version.v}' for version in reversed(versions))}",
        )
    known = [stored.name for stored in reader.views(project)]
    raise AsknownError(
        "unknown-version",
        f"the registry {reader.name} has no version of '{view}'",
        hint=did_you_mean(view, known, what="applied views") if known else "asknown apply records the first",
    )


def revision_at(reader: RegistryReader, project: str, since: Any) -> Revision:
    """The revision of a project that ``since`` means: by its number, or the newest one at an instant.

    The instant may be a duration before now. Raises ``unknown-version`` with those that there are.
    """
    revisions = reader.revisions(project)
    if not revisions:
        raise AsknownError(
            "unknown-version",
            f"the registry has no revision of '{project}'",
            hint="asknown apply records the first",
        )
    newest, oldest = revisions[0], revisions[-1]
    text = str(since).strip()
    if re.fullmatch(r"\d+", text):
        found = next((revision for revision in revisions if revision.n == int(text)), None)
        missing = f"the registry has no revision {text} of '{project}'"
    else:
        try:
            moment = read_since(since)
        except AsknownError as error:
            hint = f"{error.hint}, or the number of a revision: asknown history"
            raise AsknownError(error.code, error.message, hint=hint) from None
        found = next((revision for revision in revisions if read_instant(revision.at, "at") <= moment), None)
        missing = f"'{project}' had no revision at {moment.isoformat(sep=' ', timespec='seconds')} UTC"
    if found is None:
        if newest is oldest:
            hint = f"its only revision is {oldest.n} of {oldest.at}"
        else:
            hint = f"its revisions: {oldest.n} of {oldest.at} to {newest.n} of {newest.at}; asknown history lists them"
        raise AsknownError("unknown-version", missing, hint=hint)
    return found


def history_of(reader: RegistryReader, project: str, view: str | None) -> list[Revision]:
    """The revisions of a project, newest first; with ``view`` those that gave it another version or object."""
    revisions = reader.revisions(project)
    if view is None:
        return revisions
    found: list[Revision] = []
    entries = [reader.object(revision.manifest)["views"].get(view) for revision in revisions]
    for place, revision in enumerate(revisions):
        before = entries[place + 1] if place + 1 < len(entries) else None
        if entries[place] != before:
            found.append(revision)
    if not found:
        find_version(reader, project, view, 0)  # raises, and says which there are
    return found
