"""Rules about what others rely on: public views, services in production, and exposures."""

from __future__ import annotations

from collections.abc import Iterator

from asknown.catalog.references import ServiceReference, parse_reference
from asknown.errors import Where
from asknown.lint.nodes import Found
from asknown.lint.whole import Whole, config_of
from asknown.model.nodes import View
from asknown.project.nodes import Project

_TRIAL = ("notebook", "analysis")
"""Types of exposures that may use what is in development."""


def is_undocumented(whole: Whole) -> Iterator[tuple[str | None, Found]]:
    """Public views and services in production without a description."""
    for name, view in _public(whole):
        doc = whole.project.docs.get(name)
        if not (view.model.rendered.config.description or (doc is not None and doc.description)):
            what = f"'{name}' is public and has no description"
            yield name, Found(what, _place(whole.project, view), "say in YAML what it is about: description: …")
    for service in whole.project.services.values():
        if service.promised and not service.description:
            what = f"feature service '{service.name}' is in production and has no description"
            yield None, Found(what, service.at, "say what it is for: description: …")


def is_unowned(whole: Whole) -> Iterator[tuple[str | None, Found]]:
    """Public views and services in production without an owner."""
    for name, view in _public(whole):
        doc = whole.project.docs.get(name)
        if not (view.model.rendered.config.owner or (doc is not None and doc.terms.group)):
            what = f"'{name}' is public and has no owner"
            yield name, Found(what, config_of(view), "name whom to ask: config(owner='…'), or group: … in YAML")
    for service in whole.project.services.values():
        if service.promised and not service.owner:
            what = f"feature service '{service.name}' is in production and has no owner"
            yield None, Found(what, service.at, "name whom to ask: owner: …")


def is_untested(whole: Whole) -> Iterator[tuple[str | None, Found]]:
    """Public views, and views of services in production, without a unit test or a data test."""
    promised = {name: f"'{name}' is public" for name, _ in _public(whole)}
    for service in whole.project.services.values():
        for line in service.features if service.promised else ():
            promised.setdefault(line.view, f"'{line.view}' is in feature service '{service.name}', in production,")
    tested = _tested(whole.project)
    for name, why in promised.items():
        view = whole.views.get(name)
        if view is not None and name not in tested:
            hint = "write a unit test: unit_tests: [{name: …, view: …, given: …, spine: …, expect: …}]"
            yield name, Found(f"{why} and has no test in YAML", config_of(view), hint)


def is_public_without_contract(whole: Whole) -> Iterator[tuple[str | None, Found]]:
    """Public views whose types may change under those who use them."""
    for name, view in _public(whole):
        doc = whole.project.docs[name]
        if not doc.terms.contract:
            hint = "contract: {enforced: true}, with a data_type for each column"
            yield name, Found(f"'{name}' is public and has no contract", _place(whole.project, view), hint)


def production_uses_development(whole: Whole) -> Iterator[tuple[str | None, Found]]:
    """Exposures that depend on a feature service in development, and are no notebook or analysis."""
    project = whole.project
    for exposure in project.exposures.values():
        for use in exposure.uses if exposure.type not in _TRIAL else ():
            found = parse_reference(use, project.services, whole.views.__contains__)
            if isinstance(found, ServiceReference) and not project.services[found.service].production:
                yield (
                    None,
                    Found(
                        f"exposure '{exposure.name}' ({exposure.type}) uses feature service '{found.service}', "
                        "which is in development",
                        exposure.at,
                        f"take 'status: development' from '{found.service}' when it is done, or use another",
                    ),
                )


def _public(whole: Whole) -> Iterator[tuple[str, View]]:
    for name, view in whole.views.items():
        doc = whole.project.docs.get(name)
        if doc is not None and doc.terms.access == "public":
            yield name, view


def _place(project: Project, view: View) -> Where:
    doc = project.docs.get(view.name)
    return config_of(view) if doc is None else doc.at


def _tested(project: Project) -> set[str]:
    """The models and views that a test of the project's YAML is about."""
    docs = project.docs.values()
    tested = {doc.name for doc in docs if doc.unique or doc.data_tests or any(c.data_tests for c in doc.columns)}
    for test in project.unit_tests.values():
        service = project.services.get(test.target)
        tested |= {test.target} if service is None else {line.view for line in service.features}
    return tested
