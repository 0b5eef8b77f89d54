"""Compares two states of a view, or of a feature service."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from asknown.changes.nodes import SAME_VERSION, FeatureChange, FeatureState, Kind, ServiceChange, ViewChange, ViewState


def compare_views(name: str, old: ViewState | None, new: ViewState | None, following: int) -> ViewChange:
    """The change from ``old`` to ``new``, whose texts differ. One of them may be absent.

    ``following`` is the number that a new version of the view gets.
    """
    if new is None:
        assert old is not None
        gone = tuple(FeatureChange(f.name, "removed", f.written) for f in old.features)
        return ViewChange(name, old.version, None, ("removed",), gone, 0)
    if old is None:
        fresh = tuple(FeatureChange(f.name, "new", after=f.written) for f in new.features)
        return ViewChange(name, None, following, ("new",), fresh, 0)
    kinds: tuple[Kind, ...] = tuple(_of_view(old, new))
    features = tuple(_of_features(old, new))
    if not kinds and not features:
        kinds = ("text",)
    changed = {change.feature for change in features}
    change = ViewChange(
        name, old.version, old.version, kinds, features, sum(f.name not in changed for f in new.features)
    )
    if change.all_kinds <= SAME_VERSION:
        return change
    return replace(change, after=following)


def _of_view(old: ViewState, new: ViewState) -> Iterator[Kind]:
    if old.entity != new.entity:
        yield "entity"
    if old.keys != new.keys:
        yield "keys"
    if old.times != new.times:
        yield "times"
    if old.ttl != new.ttl:
        yield "ttl"
    if old.online != new.online:
        yield "online"
    if old.metadata != new.metadata:
        yield "metadata"


def _of_features(old: ViewState, new: ViewState) -> Iterator[FeatureChange]:
    gone = [feature for feature in old.features if new.feature(feature.name) is None]
    renamed: set[str] = set()
    for after in new.features:
        before = old.feature(after.name)
        if before is None:
            twin = next((f for f in gone if f.unnamed == after.unnamed and f.name not in renamed), None)
            if twin is None:
                yield FeatureChange(after.name, "new", after=after.written, whole=after.whole)
            else:
                renamed.add(twin.name)
                yield FeatureChange(after.name, "renamed", twin.name, after.name)
        elif (kind := _between(before, after, old, new)) is not None:
            yield FeatureChange(after.name, kind, before.written, after.written, whole=after.whole or before.whole)
    for feature in gone:
        if feature.name not in renamed:
            yield FeatureChange(feature.name, "removed", feature.written)


def _between(before: FeatureState, after: FeatureState, old: ViewState, new: ViewState) -> Kind | None:
    if before.type != after.type:
        return "type"
    if before.rows != after.rows:
        # New keys, times or entities change the hash of every feature, and are said once, of the view.
        return None if (old.keys, old.times) != (new.keys, new.times) and before.written == after.written else "values"
    if before.order != after.order:
        return "order"
    return "metadata" if before.description != after.description else None


def compare_services(name: str, old: Sequence[str] | None, new: Sequence[str] | None, own: str) -> ServiceChange | None:
    """The change of a service from the features ``old`` to ``new``, both in order; None stands for no service.

    A pinned view is the same view in any version; ``own`` is the project's name, which a view of its own lacks.
    """
    if new is None:
        return ServiceChange(name, "removed", tuple(old or ()))
    if old is None:
        return ServiceChange(name, "new", tuple(new))
    before, after = ({_unpinned(feature, own): feature for feature in some} for some in (old, new))
    lost = tuple(before[feature] for feature in before if feature not in after)
    if lost:
        return ServiceChange(name, "loses", lost)
    if [feature for feature in after if feature in before] != list(before):
        return ServiceChange(name, "reordered", tuple(new))
    moved = tuple(feature for plain, feature in after.items() if before.get(plain, feature) != feature)
    if moved:
        return ServiceChange(name, "version", moved)
    gained = tuple(feature for plain, feature in after.items() if plain not in before)
    return ServiceChange(name, "gains", gained) if gained else None


def _unpinned(feature: str, own: str) -> str:
    """A feature of a service without its view's version: ``flights.orders@v3:amount`` is ``flights.orders:amount``."""
    return re.sub(r"^([^@:]*)@v\d+(?=:)", r"\1", feature).removeprefix(f"{own}.")
