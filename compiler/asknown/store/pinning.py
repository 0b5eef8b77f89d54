"""Pins views of other projects: finds the versions in the registry, and writes asknown.lock and their closures."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from asknown.catalog.closure import Body, canonical, reach
from asknown.catalog.pins import refuse_private
from asknown.errors import AsknownError, did_you_mean
from asknown.project.nodes import Pin, Project, ViewName
from asknown.project.pins import read_object, read_view_name, write_lock
from asknown.registry.nodes import ViewVersion
from asknown.registry.read import RegistryReader
from asknown.render.renderer import Renderer
from asknown.store.versions import find_version


@dataclass(frozen=True)
class Pinned:
    """A pin as `asknown pin` leaves it. ``state`` is ``kept``, ``new`` or ``dropped``; ``newest`` is the view's newest.

    ``used`` is False where nothing in the project's files names it.
    """

    pin: Pin
    state: str
    newest: int
    used: bool
    deprecated: date | None


def pin_views(
    project: Project, reader: RegistryReader, asked: Sequence[str] = (), *, update: bool = False, prune: bool = False
) -> list[Pinned]:
    """Writes into asknown.lock what the project's files name, and what ``asked`` does, and returns all pins.

    A name without a version keeps the version that is pinned; with ``update``, or where none is, it takes the newest.
    With ``prune``, pins that nothing names go. Raises ``unknown-project``, ``unknown-version`` and ``private-view``.
    """
    named = list(dict.fromkeys(_named_in_files(project)))
    given = [_read(reference, project.settings.name) for reference in asked]
    held = {pin.name: pin for pin in project.pins}
    views = dict.fromkeys([(pin.project, pin.view) for pin in project.pins])
    views |= dict.fromkeys((name.project, name.view) for name in (*named, *given))
    found: list[Pinned] = []
    for of, view in views:
        names, givens = ([n for n in some if (n.project, n.view) == (of, view)] for some in (named, given))
        before = [pin.v for pin in project.pins if (pin.project, pin.view) == (of, view)]
        if prune and not names and not givens:
            continue
        newest = _versions(reader, ViewName(of, view, None))[0].v
        chosen, in_files = _choose(names, givens, before, newest, update=update, prune=prune)
        for v in chosen:
            pin = _pin(reader, ViewName(of, view, v), held, refresh=update or bool(givens))
            state = "kept" if held.get(pin.name) == pin else "new"
            found.append(Pinned(pin, state, newest, v in in_files, _check(project, reader, pin)))
    pins = [one.pin for one in found]
    write_lock(project.settings, pins, dict(_objects(project, reader, pins)))
    gone = [pin for name, pin in held.items() if name not in {pin.name for pin in pins}]
    return sorted([*found, *(Pinned(pin, "dropped", pin.v, False, None) for pin in gone)], key=lambda one: one.pin.name)


def _named_in_files(project: Project) -> Iterator[ViewName]:
    """The pinned views that models, services and exposures name, with a version or without."""
    own = project.settings.name
    uses = [line.view for service in project.services.values() for line in service.features]
    uses += [use for exposure in project.exposures.values() for use in exposure.uses]
    for use in uses:
        found = read_view_name(use, own)
        if found is not None:
            yield found[0]
    renderer = Renderer(project, unpinned=True)
    for model in project.models.values():
        yield from renderer.render_model(model).foreign


def _read(reference: str, own: str) -> ViewName:
    found = read_view_name(reference, own)
    if found is None or found[1]:
        raise AsknownError(
            "bad-value",
            f"'{reference}' is no view of another project",
            hint="write project.view, or project.view@v3",
        )
    name = found[0]
    if name.project == own and name.v is None:
        raise AsknownError(
            "bad-value", f"'{reference}' is a view of this project", hint=f"pin an older version of it: {reference}@v1"
        )
    return name


def _choose(
    named: Sequence[ViewName],
    given: Sequence[ViewName],
    held: Sequence[int],
    newest: int,
    *,
    update: bool,
    prune: bool,
) -> tuple[list[int], set[int]]:
    """(the versions of one view to pin, those that the files use)."""
    exact = {name.v for name in named if name.v is not None}
    asked = {newest if name.v is None else name.v for name in given}
    other = [v for v in held if v not in exact]
    if all(name.v is not None for name in named):  # nothing follows the pin: asking for one adds it
        kept = set() if prune and named else set(held)
        if any(name.v is None for name in given):
            kept &= exact
        return sorted(exact | asked | kept), exact
    if asked:
        following = max(asked)
    elif update:
        following = newest
    else:
        following = next(iter(other or sorted(exact)), newest)
    return sorted(exact | asked | {following}), exact | {following}


def _versions(reader: RegistryReader, name: ViewName) -> list[ViewVersion]:
    """The versions of a view, newest first. Raises an error that says which projects or views there are."""
    if reader.absent:
        raise AsknownError(
            "unknown-project",
            f"there is no registry {reader.name} to pin '{name}' from",
            hint="let registry: in profiles.yml name the one that the projects share",
        )
    projects = reader.projects()
    if name.project not in projects:
        hint = did_you_mean(name.project, projects, what="its projects") if projects else "nothing was applied to it"
        raise AsknownError("unknown-project", f"the registry {reader.name} has no project '{name.project}'", hint=hint)
    versions = reader.versions(name.project, name.view)
    if not versions:
        find_version(reader, name.project, name.view, 0)  # raises, and says which views there are
    return versions


def _pin(reader: RegistryReader, name: ViewName, held: dict[str, Pin], *, refresh: bool) -> Pin:
    """The pin of a version. A held one keeps its object, unless ``refresh``, or the registry has no such object."""
    old = held.get(str(name))
    if old is not None and not refresh and reader.has_object(old.hash):
        return old
    assert name.v is not None
    return Pin(name.project, name.view, name.v, find_version(reader, name.project, name.view, name.v).hash)


def _check(project: Project, reader: RegistryReader, pin: Pin) -> date | None:
    """The date from which the view is deprecated. Raises ``private-view`` if the registry now says so."""
    version = find_version(reader, pin.project, pin.view, pin.v)
    model = reader.object(reader.object(version.hash)["model"])
    refuse_private(project.settings.name, pin.name, str(model["metadata"]["owner"]), model)
    return _deprecation_of(model)


def _deprecation_of(model: Body) -> date | None:
    day = model["metadata"].get("deprecation_date")
    return None if day is None else date.fromisoformat(day)


def _objects(project: Project, reader: RegistryReader, pins: Iterable[Pin]) -> Iterator[tuple[str, str]]:
    """(hash, canonical JSON) of all objects of the pins' closures."""
    for pin in pins:
        view = reader.object(pin.hash)
        closure = reach([view["model"]], reader.object)
        _refuse_relative(project, pin, closure.values())
        yield pin.hash, canonical(view)
        yield from ((digest, canonical(body)) for digest, body in closure.items())


def _refuse_relative(project: Project, pin: Pin, closure: Collection[Body]) -> None:
    """Raises ``not-portable`` where a source's path is relative to the other project's folder."""
    if pin.project == project.settings.name:
        return
    for body in closure:
        path = body.get("path") if body["kind"] == "source" else None
        if path is not None and "://" not in path and not path.startswith("/"):
            raise AsknownError(
                "no-data",
                f"'{pin.name}' reads the source {body['source']}.{body['name']} at {path}, a path in the folder of "
                f"project {pin.project}",
                hint=f"in {pin.project}, give the source an identifier, an address or a whole path, and apply",
            )


# -- for plan --------------------------------------------------------------------------------------------------------


def pinned_features(project: Project) -> dict[str, list[str]]:
    """The features of each pinned view, in order, by its name in the project."""
    return {pin.name: [name for name, _ in read_object(project, pin.hash)["features"]] for pin in project.pins}


def features_of_pins(reader: RegistryReader, manifest: Body) -> dict[str, list[str]]:
    """The features of the views that an applied state has pinned, by their names in it."""
    return {
        f"{pin['of_project']}.{pin['view']}@v{pin['v']}": [name for name, _ in reader.object(pin["hash"])["features"]]
        for pin in manifest.get("pins", ())
    }


def warn_of_pins(project: Project, reader: RegistryReader) -> Iterator[str]:
    """A message for each pinned view that the registry now has as deprecated, or does not have."""
    for pin in () if reader.absent else project.pins:
        versions = {version.v: version for version in reader.versions(pin.project, pin.view)}
        if pin.v not in versions:
            yield f"the registry has no {pin.name}, which asknown.lock pins"
            continue
        when = _deprecation_of(reader.object(reader.object(versions[max(versions)].hash)["model"]))
        if when is not None:
            newer = f"; the newest version is v{max(versions)}" if max(versions) > pin.v else ""
            yield f"{pin.name} is deprecated from {when} on{newer}"
