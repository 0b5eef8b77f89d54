"""Checks a whole project: finds every error that its text and the columns of its sources show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress

from asknown.catalog.catalog import Catalog
from asknown.engines.engine import Engine
from asknown.errors import AsknownError, Where
from asknown.lint.nodes import Finding
from asknown.lint.rules import ERRORS, once, search, search_whole
from asknown.lint.switches import apply_settings, read_switches
from asknown.lint.whole import Whole
from asknown.model.nodes import FeatureView, Model, View
from asknown.plan.request import name_features, read_request
from asknown.project.nodes import Project
from asknown.store.terms import find_broken_terms
from asknown.store.type_engine import open_bare_engine, open_type_engine
from asknown.store.typed_catalog import TypedCatalog


def check_project(models: Catalog, project: Project, engine: Callable[[], Engine]) -> list[Finding]:
    """Every finding in the project, in the order of its files. A finding that several views share occurs once.

    ``engine`` opens the target's engine. Where it cannot, that is a finding, and sources have the columns that their
    properties list.
    """
    found: list[Finding] = []
    catalog = unbuilt_catalog(models, project, engine, found)
    sound = _sound_models(models, found)
    views = [model for model in sound if model.is_feature_view]
    for model in views:  # before the types: a leak explains more than the errors that it causes
        found += search(model, _standing_on(model, models), catalog.known, project)
    for model in _upstream_first(sound):
        try:
            _complete(catalog, model)
        except AsknownError as error:
            found.append(_as_finding(error, model.name, at=model.rendered.where(1)))
    found += _of_services(catalog, found)
    found += find_broken_terms(catalog, _broken(found))
    if catalog.is_offline:  # errors that follow from an earlier one
        found = [finding for finding in found if finding.code != "no-data" or finding.model is None]
    found += search_whole(_whole(catalog, found))
    switches, wrong = read_switches(model.rendered for model in sound)
    found = apply_settings(once(found), project.settings.lint, switches)
    return sorted([*found, *wrong], key=_place)


def errors_of_views(catalog: TypedCatalog, names: Iterable[str]) -> list[Finding]:
    """The findings of severity error in these views and below them, without those that are turned off.

    They are the findings that no command but `asknown check` stops at.
    """
    found: list[Finding] = []
    models: dict[str, Model] = {}
    settings = catalog.project.settings.lint
    rules = ERRORS | {one.code for one in settings if one.severity == "error"}
    settings = tuple(one for one in settings if one.code in rules)
    for name in dict.fromkeys(names):
        closure = catalog.models.closure([name])
        models |= {model.name: model for model in closure}
        found += search(catalog.models.model(name), closure, catalog.known, catalog.project, rules)
    switches, _ = read_switches(model.rendered for model in models.values())
    found = apply_settings(once(found), settings, switches)
    return [one for one in found if one.severity == "error" and one.off is None and one.code in rules]


def _broken(found: Iterable[Finding]) -> set[str | None]:
    """The models that have an error of every command, so that they cannot be completed."""
    return {finding.model for finding in found if finding.is_error and finding.code not in ERRORS}


def _whole(catalog: TypedCatalog, found: Sequence[Finding]) -> Whole:
    """The views that have no error, for the rules over the whole project."""
    from asknown.store.states import fingerprints_of, lineage_of  # only here: training looks for errors of views alone
    from asknown.store.stored_view import stored_view, why_events_are_kept

    broken = _broken(found)
    views: dict[str, View] = {}
    for name in catalog.models.asked_names():
        if name not in broken:
            with suppress(AsknownError):
                views[name] = catalog.asked(name)

    def refuses(view: FeatureView) -> AsknownError | None:
        try:
            stored_view(view, catalog)
        except AsknownError as error:
            return error if error.code == "not-online" else None
        return None

    def keeps_events(view: FeatureView) -> tuple[str, str] | None:
        with suppress(AsknownError):
            return why_events_are_kept(view, catalog)
        return None

    return Whole(
        catalog.project,
        views,
        lambda view: {key for model in catalog.models.closure([view.name]) for key in model.rendered.sources},
        lambda view: fingerprints_of(catalog, view),
        lambda view: lineage_of(catalog, view),
        refuses,
        keeps_events,
    )


def unbuilt_catalog(
    models: Catalog, project: Project, engine: Callable[[], Engine], found: list[Finding]
) -> TypedCatalog:
    """The catalog with types from the SQL and the sources' columns, whatever is built in the target.

    Where the engine cannot be opened, that is a finding, and sources have the columns that their properties list.
    """
    try:
        opened: Engine | None = engine()
        assert opened is not None
        types = open_type_engine(project, opened.dialect)
    except AsknownError as error:
        found.append(_as_finding(error, None))
        opened, types = None, open_bare_engine(project)
    return TypedCatalog(models, opened, types, refusals=frozenset(), built=False)


def _sound_models(models: Catalog, found: list[Finding]) -> list[Model]:
    """The models that render and parse. The errors of the others become findings."""
    sound = []
    for name in models.names:
        try:
            sound.append(models.model(name))
        except AsknownError as error:
            found.append(_as_finding(error, name))
    return sound


def _upstream_first(sound: list[Model]) -> list[Model]:
    """The models, each after those that it refers to, so that an error is found where it is."""
    by_name = {model.name: model for model in sound}
    ordered: dict[str, Model] = {}
    visited: set[str] = set()

    def visit(model: Model) -> None:
        if model.name in visited:
            return
        visited.add(model.name)
        for ref in model.rendered.refs:
            if ref in by_name:
                visit(by_name[ref])
        ordered[model.name] = model

    for model in sound:
        visit(model)
    return list(ordered.values())


def _standing_on(view: Model, models: Catalog) -> list[Model]:
    """The view and the models below it, without broken ones."""
    kept: dict[str, Model] = {}
    waiting = [view.name]
    while waiting:
        name = waiting.pop()
        try:
            kept[name] = models.model(name)
        except AsknownError:
            continue
        waiting += [ref for ref in kept[name].rendered.refs if ref not in kept]
    return list(kept.values())


def _complete(catalog: TypedCatalog, model: Model) -> None:
    """Types a model, and completes it if it is a view."""
    if model.is_feature_view or model.is_on_demand:
        catalog.asked(model.name)
    catalog.columns(model.name)


def _of_services(catalog: TypedCatalog, found: list[Finding]) -> Iterator[Finding]:
    """Findings about feature services, where their views have none."""
    project = catalog.project
    broken = _broken(found)
    for service in project.services.values():
        if any(line.view in broken for line in service.features):
            continue

        try:
            models = catalog.models
            request = read_request(service.name, project.services, models.is_asked, models.asked_names())
            views = {item.view: catalog.asked(item.view) for item in request}
            name_features(request, views, full_names=True, reserved_names=())
        except AsknownError as error:
            yield _as_finding(error, None, at=service.at)


def _as_finding(error: AsknownError, model: str | None, *, at: Where | None = None) -> Finding:
    """The error as a finding, at the place ``at`` if it has none of its own."""
    return Finding(error.code, "error", model, error.message, error.at or at, error.hint)


def _place(finding: Finding) -> tuple[str, int, int, str]:
    at = finding.at
    return (at.path, at.line, at.column, finding.code) if at is not None else ("", 0, 0, finding.code)
