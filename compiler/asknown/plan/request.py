"""Reads a request for features: names of services, views and features, and the names of their columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from asknown.catalog.references import (
    ServiceReference,
    UnknownReference,
    ViewReference,
    list_references,
    parse_reference,
)
from asknown.errors import AsknownError, Where, did_you_mean
from asknown.model.nodes import OnDemandView, View
from asknown.project.nodes import Service, ServiceFeatures
from asknown.types import Column


@dataclass(frozen=True)
class FeatureRequest:
    """A request for features of one view by one set of key columns. ``features`` is None for all of them."""

    view: str
    label: str
    features: tuple[str, ...] | None
    keys: tuple[tuple[str, str], ...]  # (the view's key column, the spine's column) where they differ
    at: Where | None = None  # the line of the feature service that says so


@dataclass(frozen=True)
class InputKey:
    """An input of an on-demand view, whose value is a key that another view is looked up by."""

    view: str
    column: Column


@dataclass(frozen=True)
class RequestedFeature:
    """One requested feature: its view, the keys to join by, and the name of its column in the result.

    ``by`` pairs keys of the view that are looked up with the feature or input that their value is; ``each`` is the one
    of them that every element of a list is looked up as.
    """

    view: View
    label: str
    keys: tuple[tuple[str, str], ...]
    column: Column
    output: str
    by: tuple[tuple[str, RequestedFeature | InputKey], ...] = ()
    each: str | None = None


def read_request(
    features: str | Sequence[str], services: Mapping[str, Service], is_view: Callable[[str], bool], views: Iterable[str]
) -> tuple[FeatureRequest, ...]:
    """The requests that ``features`` names, in order. Each item is a service, a view, or ``view:feature``.

    Raises ``unknown-service`` (or ``unknown-view``) with the nearest names.
    """
    names = list_references(features)
    if not names:
        raise AsknownError("bad-value", "no features requested", hint="name a feature service or a feature view")
    requests: list[FeatureRequest] = []
    for name in names:
        if not isinstance(name, str):
            raise AsknownError(
                "bad-value",
                f"features: {name!r} is not a name",
                hint="give a list such as ['view:feature', 'view'], or the name of a feature service",
            )
        match parse_reference(name, services, is_view):
            case ServiceReference(service):
                requests += [_of_service(line, is_view, views) for line in services[service].features]
            case ViewReference(view, some):
                requests.append(FeatureRequest(view, view, some, ()))
            case UnknownReference(unknown, code):
                of_view = code == "unknown-view"
                kind = "feature view" if of_view else "feature service or feature view"
                known = sorted(views) if of_view else [*services, *views]
                hint = did_you_mean(unknown, known, what="feature services and views")
                raise AsknownError(code, f"there is no {kind} '{unknown}'", hint=hint)
    return tuple(requests)


def _of_service(line: ServiceFeatures, is_view: Callable[[str], bool], views: Iterable[str]) -> FeatureRequest:
    if not is_view(line.view):
        hint = did_you_mean(line.view, views, what="feature views")
        raise AsknownError("unknown-view", f"there is no feature view '{line.view}'", at=line.at, hint=hint)
    return FeatureRequest(line.view, line.alias or line.view, line.features, tuple(line.keys.items()), line.at)


def name_features(
    requests: Sequence[FeatureRequest],
    views: Mapping[str, View],
    *,
    full_names: bool,
    reserved_names: Iterable[str],
) -> tuple[RequestedFeature, ...]:
    """Each requested feature with the name of its column in the result: short, or ``view__feature``.

    ``reserved_names`` are the spine's columns. Names that differ only in letter case clash. Raises ``unknown-feature``
    and ``name-clash``.
    """
    requested: list[RequestedFeature] = []
    seen: set[tuple[object, ...]] = set()
    owners: dict[str, str] = {name.casefold(): f"the spine's column '{name}'" for name in reserved_names}
    for item in requests:
        view = views[item.view]
        for name in item.features if item.features is not None else [f.name for f in view.features]:
            column = view.asked(name)
            if column is None:
                raise AsknownError(
                    "unknown-feature",
                    f"{kind_of(view)} '{view.name}' has no feature '{name}'",
                    at=item.at,
                    hint=did_you_mean(name, [f.name for f in view.features], what="its features"),
                )
            if (item.label, item.view, item.keys, name) in seen:
                continue
            seen.add((item.label, item.view, item.keys, name))
            output = f"{item.label}__{name}" if full_names else name
            owner = f"'{item.label}:{name}'"
            if output.casefold() in owners:
                raise AsknownError(
                    "name-clash",
                    f"{owner} and {owners[output.casefold()]} would both be named '{output}'",
                    hint="rename the spine's column, or give a view another alias"
                    if full_names
                    else "ask for full names: full_feature_names=True, or --full-names on the command line",
                )
            owners[output.casefold()] = owner
            requested.append(RequestedFeature(view, item.label, item.keys, column, output))
    return tuple(requested)


def kind_of(view: View) -> str:
    """``feature view`` or ``on-demand view``."""
    return "on-demand view" if isinstance(view, OnDemandView) else "feature view"
