"""Finds features by meaning: those that give the same values as one, and those that read the same columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asknown.errors import AsknownError, did_you_mean
from asknown.registry.nodes import StoredFeature
from asknown.store.registry_copies import open_registry
from asknown.store.states import meaning_of, view_state

if TYPE_CHECKING:
    from asknown.store.feature_store import FeatureStore


@dataclass(frozen=True)
class Alike:
    """A feature like another one: ``why`` is ``same values`` or ``same columns``. ``stored`` is None if not applied."""

    project: str
    view: str
    feature: str
    why: str
    owner: str
    stored: StoredFeature | None


def find_alike(store: FeatureStore, reference: str, *, everywhere: bool) -> list[Alike]:
    """The features like ``view:feature``: applied ones with the same values, then the project's with the same columns.

    ``everywhere``: of all projects that share the registry.
    """
    view, _, feature = reference.partition(":")
    if not store.catalog.is_asked(view):
        hint = did_you_mean(view, store.catalog.asked_names(), what="views")
        raise AsknownError("unknown-view", f"there is no view '{view}'", hint=f"write view:feature; {hint}")
    state = view_state(store.typed_catalog, view, None)
    wanted = state.feature(feature)
    if wanted is None:
        names = [one.name for one in state.features]
        raise AsknownError(
            "unknown-feature",
            f"'{reference}' names no feature of '{view}'",
            hint=did_you_mean(feature, names, what="its features"),
        )
    own = store.project.settings.name
    with open_registry(store.project.profile.registry) as reader:
        same = [one for one in reader.alike(meaning_of(state, wanted)) if everywhere or one.project == own]
        same = [one for one in same if (one.project, one.view, one.feature) != (own, view, feature)]
        projects = dict.fromkeys([own, *(one.project for one in same)])
        stored = {(p, f.view, f.name): f for p in projects for f in reader.features(p)}
        owners = {(p, v.name): v.owner for p in projects for v in reader.views(p)}
    found = [(one.project, one.view, one.feature, "same values") for one in same]
    known = {place[:3] for place in found} | {(own, view, feature)}
    found += [
        (own, *place, "same columns") for place in _same_columns(store, view, feature) if (own, *place) not in known
    ]
    return [Alike(*place, owners.get(place[:2], ""), stored.get(place[:3])) for place in found]


def _same_columns(store: FeatureStore, view: str, feature: str) -> Iterator[tuple[str, str]]:
    """The features of the project whose values come from the same columns of sources."""

    def columns(of: str) -> dict[str, frozenset[tuple[str, str]]]:
        edges = store.lineage(of)
        return {
            name: frozenset((e.table, e.column) for e in found if e.role == "value") for name, found in edges.items()
        }

    wanted = columns(view).get(feature)
    for other in store.catalog.asked_names() if wanted else ():
        yield from ((other, name) for name, read in columns(other).items() if read == wanted)
