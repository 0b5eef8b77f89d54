"""Finds declarations that do not hold: types, deprecation dates, and what exposures depend on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime

from asknown.catalog.catalog import Catalog
from asknown.catalog.references import ViewReference, parse_reference
from asknown.errors import AsknownError, did_you_mean
from asknown.lint.nodes import Finding
from asknown.model.contract import other_types
from asknown.plan.request import read_request
from asknown.project.nodes import Project
from asknown.store.typed_catalog import TypedCatalog
from asknown.store.versions import has_version


def find_broken_terms(catalog: TypedCatalog, broken: Collection[str | None]) -> Iterator[Finding]:
    """The findings about declared types, deprecation dates and exposures. ``broken`` models are left out."""
    project = catalog.project
    for doc in project.docs.values():
        if doc.name in broken or doc.terms.contract:
            continue
        try:
            columns = [*catalog.columns(doc.name)]
            if catalog.models.is_asked(doc.name):
                columns = [*catalog.asked(doc.name).features]
        except AsknownError:
            continue  # another finding says why
        for column, said, is_ in other_types(doc, columns):
            yield Finding(
                "data-type",
                "warning",
                doc.name,
                f"'{column.name}' of '{doc.name}' is {is_}, and its data_type says {said}",
                column.at,
                f"write data_type: {is_.name.lower()}; with contract: {{enforced: true}} this is an error",
            )
    yield from _find_exposures(catalog, broken)
    for service in project.services.values():
        for name, when in deprecated(project, [line.view for line in service.features]):
            yield Finding(
                "deprecated",
                "warning" if when > today() or is_pinned(project, name) else "error",
                None,
                f"feature service '{service.name}' uses '{name}', which is deprecated from {when} on",
                service.at,
                "use its successor, or a version of it",
            )


def _find_exposures(catalog: TypedCatalog, broken: Collection[str | None]) -> Iterator[Finding]:
    """The findings about features of exposures that are not there."""
    project = catalog.project
    for exposure in project.exposures.values():
        for use in exposure.uses:
            found = parse_reference(use, project.services, catalog.models.is_asked)
            if not isinstance(found, ViewReference) or found.features is None or found.view in broken:
                continue
            view = catalog.asked(found.view)
            for name in found.features:
                if view.asked(name) is None:
                    yield Finding(
                        "unknown-feature",
                        "error",
                        None,
                        f"exposure '{exposure.name}' depends on '{use}', and '{view.name}' has no feature '{name}'",
                        exposure.at,
                        did_you_mean(name, [feature.name for feature in view.features], what="its features"),
                    )


def today() -> date:
    """The date in UTC."""
    return datetime.now(UTC).date()


def deprecated(project: Project, views: Iterable[str]) -> Iterator[tuple[str, date]]:
    """The views that have a deprecation date, each with it."""
    for view in dict.fromkeys(views):
        doc = project.docs.get(view)
        if doc is not None and doc.terms.deprecation_date is not None:
            yield view, doc.terms.deprecation_date


def is_pinned(project: Project, view: str) -> bool:
    """Whether a view is pinned in one version, which may be used after its deprecation date."""
    return any(pin.name == view for pin in project.pins)


def refuse_deprecated(project: Project, views: Iterable[str]) -> None:
    """Raises ``deprecated`` for a view whose date has come. Its versions may still be asked for by number."""
    for view, when in deprecated(project, views):
        if when <= today() and not is_pinned(project, view):
            raise AsknownError(
                "deprecated",
                f"'{view}' is deprecated since {when}",
                at=project.docs[view].at,
                hint=f"use its successor; or ask for a version of it, as in {view}@v1",
            )


def warnings_for(models: Catalog, features: Sequence[str]) -> list[str]:
    """A message for each requested view that will be deprecated."""
    project = models.project
    if not any(doc.terms.deprecation_date for doc in project.docs.values()) or any(map(has_version, features)):
        return []
    request = read_request(features, project.services, models.is_asked, models.asked_names())
    found = deprecated(project, [item.view for item in request])
    return [f"'{view}' is deprecated from {when} on" for view, when in found]  # one whose day has come: it is pinned
