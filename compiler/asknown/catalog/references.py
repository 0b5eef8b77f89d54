"""Reads the names in a request for features, in training and online: a feature service, a view, or ``view:feature``.

If a service and a view have the same name, the name means the service. A project refuses such a pair; an online table
written by two projects may hold one. The online reader imports this module, so it needs the standard library alone.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class ServiceReference:
    """All features of a feature service."""

    service: str


@dataclass(frozen=True)
class ViewReference:
    """One feature of a view, or all of them where ``features`` is None."""

    view: str
    features: tuple[str, ...] | None


@dataclass(frozen=True)
class UnknownReference:
    """A name of neither a service nor a view. ``code`` is the code of the error."""

    name: str
    code: Literal["unknown-view", "unknown-service"]


Reference = ServiceReference | ViewReference | UnknownReference


def parse_reference(text: str, services: Container[str], is_view: Callable[[str], bool]) -> Reference:
    """Resolves one name among these services and views.

    >>> parse_reference("orders:amount", {"everything"}, {"orders"}.__contains__)
    ViewReference(view='orders', features=('amount',))
    >>> parse_reference("order", {"everything"}, {"orders"}.__contains__)
    UnknownReference(name='order', code='unknown-service')
    """
    if text in services:
        return ServiceReference(text)
    view, colon, feature = text.partition(":")
    if not is_view(view):
        return UnknownReference(view, "unknown-view" if colon else "unknown-service")
    return ViewReference(view, (feature,) if colon else None)


def list_references(features: Any) -> tuple[Any, ...]:
    """The names in an argument that is one name or several. They may not be texts yet.

    A mapping, whose values would be lost, and a set, which has no order, count as one name, which is none.
    """
    if isinstance(features, str | Mapping | Set) or not isinstance(features, Iterable):
        return (features,)
    return tuple(features)
