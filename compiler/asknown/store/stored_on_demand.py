"""On-demand views as the online table keeps them: with the features of other on-demand views written into theirs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from asknown.model.expressions.edges import operations_of
from asknown.model.nodes import AskedAt, FeatureColumn, FeatureView, InputColumn, KeyColumn, OnDemandView
from asknown.online.nodes import OnlineOnDemand, StoredFeature, StoredSource
from asknown.store.parity import Comparison, Difference


def stored_on_demand(view: OnDemandView) -> OnlineOnDemand:
    """The definition of ``view`` for the online table."""
    sources = _Sources()
    features = []
    for item, column in zip(view.items, view.features, strict=True):
        tree = sources.tree(view, item.tree, {})
        features.append(StoredFeature(item.name, column.type, tree, (), tuple(dict.fromkeys(_columns(tree)))))
    return OnlineOnDemand(view.name, view.keys, view.inputs, tuple(sources.named.values()), tuple(features))


def without_affected_items(
    views: Iterable[OnlineOnDemand], comparison: Comparison
) -> tuple[list[OnlineOnDemand], dict[str, Difference]]:
    """The views without the features that the engine computes in another way, and these by ``view:feature``."""
    kept, refused = [], dict[str, Difference]()
    for view in views:
        affected = {feature.name: comparison.affected(operations_of(feature.expression)) for feature in view.features}
        refused |= {f"{view.name}:{name}": found for name, found in affected.items() if found is not None}
        left = tuple(feature for feature in view.features if affected[feature.name] is None)
        kept.append(view if left == view.features else replace(view, features=left))
    return kept, refused


class _Sources:
    """The values that the features of one view read, each under a name of its own."""

    def __init__(self) -> None:
        self.named: dict[str, StoredSource] = {}

    def tree(self, view: OnDemandView, tree: Any, keys: Mapping[str, str]) -> Any:
        """A tree over columns of the view's request as one over sources. ``keys`` are the names of the view's keys."""
        operation, kind, *parts = tree
        if operation == "literal":
            return tree
        if operation != "column":
            return (operation, kind, *(self.tree(view, p, keys) if isinstance(p, tuple) else p for p in parts))
        column = view.column(parts[0])
        match column.origin:
            case KeyColumn():
                source = StoredSource(column.name, column.type, "key", keys.get(column.name, column.name))
            case AskedAt():
                source = StoredSource(column.name, column.type, "asked_at")
            case InputColumn():
                source = StoredSource(column.name, column.type, "input", column.name)
            case FeatureColumn(FeatureView() as read) as origin:
                by = tuple((key, self._looked_up(view, name, keys)) for key, name in origin.by)
                looked_up = dict(by)
                pairs = ((key, name) for key, name in _renamed(origin, keys).items() if key not in looked_up)
                renamed = tuple((key, name) for key, name in pairs if key != name)
                source = StoredSource(column.name, column.type, "feature", origin.column.name, read.name, renamed, by)
                source = replace(source, origin="lookup", each=origin.each) if by else source
            case FeatureColumn(OnDemandView() as other) as origin:
                return self.tree(other, other.item(origin.column.name).tree, _renamed(origin, keys))
        return ("column", kind, self._name(source))

    def _looked_up(self, view: OnDemandView, name: str, keys: Mapping[str, str]) -> str:
        """The name of the source that a key is looked up by."""
        tree = self.tree(view, ("column", view.column(name).type.name, name), keys)
        return str(tree[2])

    def _name(self, source: StoredSource) -> str:
        """The name of a source: its own, or one like it that is free."""
        name, number = source.name, 1
        while self.named.setdefault(name, replace(source, name=name)) != replace(source, name=name):
            number += 1
            name = f"{source.name}_{number}"
        return name


def _renamed(origin: FeatureColumn, outer: Mapping[str, str]) -> dict[str, str]:
    """By the origin's key: the column of the outermost request."""
    own = dict(origin.keys)
    pairs = ((key.name, own.get(key.name, key.name)) for key in origin.view.keys)
    return {key: outer.get(name, name) for key, name in pairs}


def _columns(tree: Any) -> list[str]:
    if tree[0] == "column":
        return [tree[2]]
    return [name for part in tree[2:] if isinstance(part, tuple) for name in _columns(part)]
