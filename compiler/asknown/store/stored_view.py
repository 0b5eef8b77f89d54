"""Writes a feature view's definition for the online table, with its windows and the features computed from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from asknown.emit.load import event_columns, kept_columns
from asknown.errors import AsknownError
from asknown.model.expressions.types import NotPortableError
from asknown.model.expressions.write import portable, type_of
from asknown.model.list_patterns import AroundList, replace_around_lists
from asknown.model.nodes import FeatureView, Item, Lifted
from asknown.online.nodes import OnlineView, OnlineWindows, StoredCall, StoredFeature
from asknown.store.typed_catalog import TypedCatalog
from asknown.types import SqlType


def stored_view(view: FeatureView, catalog: TypedCatalog) -> OnlineView:
    """The definition of ``view`` for the online table. Raises ``not-online`` if a feature cannot be computed there."""
    return OnlineView(
        name=view.name,
        fingerprint=catalog.fingerprint(view),
        keys=view.keys,
        event_time=view.event_time.name,
        known_at=view.known_at.name if view.known_at else None,
        created_at=view.created_at.name if view.created_at else None,
        features=view.features,
        ttl=view.ttl,
        columns=kept_columns(view),
        windows=None if view.lifted is None else _windows(view, view.lifted, catalog.call_types(view)),
    )


def _windows(view: FeatureView, lifted: Lifted, types: Sequence[SqlType]) -> OnlineWindows:
    for call in lifted.calls:
        second = None if call.order is None else view.column(call.order).type
        if call.value is not None and (reason := call.aggregate.refuses(view.column(call.value).type, second)):
            raise _not_online(view, f"{call.aggregate.name}() over '{view.name}'", str(reason))
    calls = [
        StoredCall(
            aggregate=call.aggregate.name,
            value=call.value,
            order=call.order,
            condition=call.condition,
            number=call.second,
            oldest=call.frame.oldest,
            newest=call.frame.newest,
        )
        for call in lifted.calls
    ]
    kinds = [*types]
    derived = tuple(_derived(view, item, calls, kinds) for item in lifted.items if item.expression is not None)
    return OnlineWindows(event_columns(view), tuple(calls), derived)


def _derived(view: FeatureView, item: Item, calls: list[StoredCall], kinds: list[SqlType]) -> StoredFeature:
    """The feature of an item. Adds the calls that are recognized in it to ``calls``, which have the types ``kinds``."""
    feature = view.feature(item.name)
    assert feature is not None and item.expression is not None
    columns = {name: view.column(name).type for name in item.columns}

    def call_of(around: AroundList) -> int | None:
        listed = calls[around.call]
        assert listed.value is not None
        if listed.aggregate != "list" or around.aggregate.refuses(view.column(listed.value).type):
            return None
        call = replace(listed, aggregate=around.aggregate.name, number=around.number)
        if call not in calls:
            kinds.append(type_of(around.node, kinds, columns))
            calls.append(call)
        return calls.index(call)

    try:
        expression, used = replace_around_lists(item.expression, call_of)
        tree = portable(expression, kinds, columns, feature.type)
    except NotPortableError as reason:
        raise _not_online(view, f"feature '{item.name}' of '{view.name}'", str(reason)) from None
    return StoredFeature(item.name, feature.type, tree, used, item.columns)


def _not_online(view: FeatureView, what: str, reason: str) -> AsknownError:
    return AsknownError(
        "not-online",
        f"{what} cannot be computed online to the same bits: {reason}",
        at=view.model.rendered.template_place(view.model.rendered.config_line or 1),
        hint="simplify it, cast its input, or keep the view out of the online table: config(online=false)",
    )
