"""Finds who reads a view: the feature services and the exposures of an applied state, and of the project's files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from asknown.catalog.closure import Body
from asknown.changes.nodes import Consumer


def find_consumers(view: str, services: Mapping[str, Body], exposures: Mapping[str, Body]) -> tuple[Consumer, ...]:
    """The services and exposures that read ``view``. An exposure that reads a service reads what the service reads."""
    found = [_of_service(view, name, body) for name, body in services.items()]
    found += [_of_exposure(view, name, body, services) for name, body in exposures.items()]
    return tuple(sorted(filter(None, found), key=lambda one: (one.kind != "service", one.name)))


def _of_service(view: str, name: str, body: Body) -> Consumer | None:
    found = list(_features_of(view, body))
    return None if not found else Consumer("service", name, str(body.get("owner", "")), _joined(found))


def _features_of(view: str, service: Body) -> Iterator[frozenset[str] | None]:
    """The features of a view that each line of a service reads; None for all of its features."""
    for line_view, features, *_ in service["features"]:
        if line_view == view:
            yield None if features is None else frozenset(features)


def _of_exposure(view: str, name: str, body: Body, services: Mapping[str, Body]) -> Consumer | None:
    found: list[frozenset[str] | None] = []
    for use in body["uses"]:
        if use in services:
            found += _features_of(view, services[use])
            continue
        used, _, feature = use.partition(":")
        if used == view:
            found.append(frozenset([feature]) if feature else None)
    return None if not found else Consumer(body["type"] or "exposure", name, str(body["owner"]), _joined(found))


def _joined(found: Iterable[frozenset[str] | None]) -> frozenset[str] | None:
    features: set[str] = set()
    for one in found:
        if one is None:
            return None
        features |= one
    return frozenset(features)
