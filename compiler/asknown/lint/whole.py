"""Rules that look at all views together, or at a view as the engine has completed it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from asknown.catalog.features import FeatureFingerprint
from asknown.catalog.lineage import Edge
from asknown.errors import AsknownError, Where
from asknown.lint.nodes import Found, Severity
from asknown.model.nodes import FeatureView, OnDemandView, View
from asknown.project.nodes import Project


@dataclass(frozen=True)
class Whole:
    """A project with the views that could be completed, by name, and what is known of them.

    ``refuses`` gives the reason why `materialize` would not load a view, or None; ``keeps_events`` why the online table
    keeps the events of a lifetime window, and what to write.
    """

    project: Project
    views: Mapping[str, View]
    sources: Callable[[View], set[tuple[str, str]]]
    fingerprints: Callable[[View], Mapping[str, FeatureFingerprint]]
    lineage: Callable[[View], Mapping[str, tuple[Edge, ...]]]
    refuses: Callable[[FeatureView], AsknownError | None]
    keeps_events: Callable[[FeatureView], tuple[str, str] | None]


@dataclass(frozen=True)
class WholeRule:
    """One rule over a whole project; ``find`` gives each finding with the name of its view, or None."""

    code: str
    severity: Severity
    about: str
    find: Callable[[Whole], Iterator[tuple[str | None, Found]]]


def lineage_is_lost(whole: Whole) -> Iterator[tuple[str | None, Found]]:
    """Views with a feature whose columns the lineage cannot place."""
    for name, view in whole.views.items():
        if not isinstance(view, FeatureView):
            continue
        lost = {f: edge for f, edges in whole.lineage(view).items() for edge in edges if edge.reason}
        for feature, edge in list(lost.items())[:1]:
            more = f", and {len(lost) - 1} more" if len(lost) > 1 else ""
            yield (
                name,
                Found(
                    f"it cannot be told what '{feature}' of '{name}'{more} is made of: {edge.reason}",
                    config_of(view),
                    "name each column by its table, as in e.amount, and leave out patterns such as columns(*)",
                ),
            )


def features_are_the_same(whole: Whole) -> Iterator[tuple[str | None, Found]]:
    """Features that give the same values as another one."""
    seen: dict[tuple[str, int | None], str] = {}
    for name, view in whole.views.items():
        if isinstance(view, OnDemandView):
            continue
        for feature, found in whole.fingerprints(view).items():
            ttl = view.ttl if found.values != found.rows else None
            first = seen.setdefault((found.unnamed, ttl), f"{name}:{feature}")
            if first != f"{name}:{feature}":
                yield (
                    name,
                    Found(
                        f"'{name}:{feature}' gives the same values as '{first}'",
                        config_of(view),
                        f"leave one of them out, and ask for {first} in its place",
                    ),
                )


def history_is_read_whole(whole: Whole) -> Iterator[tuple[str | None, Found]]:
    """Views whose newest row may be of any age, so that all of history is read."""
    static = {key for key, table in whole.project.sources.items() if table.static}
    for name, view in whole.views.items():
        if not isinstance(view, FeatureView) or view.ttl is not None or not whole.sources(view) - static:
            continue
        items = [view.item(feature.name) for feature in view.features]
        if any(item is None or item.columns for item in items):
            yield (
                name,
                Found(
                    f"'{name}' has no ttl: a training set reads all of its history",
                    config_of(view),
                    "say how long a value holds, as in ttl='30 days', if it does not hold for ever",
                ),
            )


def nobody_uses_it(whole: Whole) -> Iterator[tuple[str | None, Found]]:
    """Views that are in no feature service."""
    used = {line.view for service in whole.project.services.values() for line in service.features}
    waiting = [whole.views[name] for name in used if name in whole.views]
    while waiting:
        view = waiting.pop()
        if isinstance(view, OnDemandView):
            for below in view.views():
                used.add(below.name)
    for name, view in whole.views.items():
        if name not in used:
            yield (
                name,
                Found(f"no feature service has '{name}'", config_of(view), "add it to a service, or remove it"),
            )


def cannot_be_loaded(whole: Whole) -> Iterator[tuple[str | None, Found]]:
    """Views that `materialize` will refuse."""
    for name, view in whole.views.items():
        if isinstance(view, FeatureView) and view.model.rendered.config.online:
            refused = whole.refuses(view)
            if refused is not None:
                yield name, Found(refused.message, config_of(view), refused.hint or "")


def lifetime_keeps_events(whole: Whole) -> Iterator[tuple[str | None, Found]]:
    """Views with a window of all time whose events the online table keeps."""
    for name, view in whole.views.items():
        if isinstance(view, FeatureView) and view.model.rendered.config.online:
            kept = whole.keeps_events(view)
            if kept is not None:
                why, hint = kept
                found = f"the online table keeps all events of '{name}', back to the first: {why}"
                yield name, Found(found, config_of(view), hint)


def config_of(view: View) -> Where:
    """Where the ``config()`` of a view stands."""
    return view.model.rendered.config_place
