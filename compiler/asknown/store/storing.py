"""A feature view as the online table keeps it."""

from __future__ import annotations

from collections.abc import Sequence

from asknown.emit.load import event_columns, kept_columns
from asknown.errors import AsknownError
from asknown.model.expressions.types import NotPortableError
from asknown.model.expressions.write import portable
from asknown.model.nodes import Column, FeatureView, Item, Lifted
from asknown.online.aggregate import refusal
from asknown.online.nodes import Column as OnlineColumn
from asknown.online.nodes import OnlineView, OnlineWindows, StoredCall, StoredFeature
from asknown.store.workbench import Workbench
from asknown.types import SqlType


def stored_view(view: FeatureView, bench: Workbench) -> OnlineView:
    """What the online table is told of ``view``. Raises ``not-online`` for an expression that it cannot compute."""
    return OnlineView(
        name=view.name,
        fingerprint=bench.fingerprint(view),
        keys=_columns(view.keys),
        event_time=view.event_time.name,
        known_at=view.known_at.name if view.known_at else None,
        created_at=view.created_at.name if view.created_at else None,
        features=_columns(view.features),
        ttl=view.ttl,
        columns=_columns(kept_columns(view)),
        windows=None if view.lifted is None else _windows(view, view.lifted, bench.call_types(view)),
    )


def _windows(view: FeatureView, lifted: Lifted, types: Sequence[SqlType]) -> OnlineWindows:
    for call in lifted.calls:
        if call.value is not None and (reason := refusal(call.aggregate.name, view.column(call.value).type)):
            raise _not_online(view, f"{call.aggregate.name}() over '{view.name}'", str(reason))
    calls = tuple(
        StoredCall(
            aggregate=call.aggregate.name,
            value=call.value,
            order=call.order,
            condition=call.condition,
            number=call.number,
            oldest=call.frame.oldest,
            newest=call.frame.newest,
        )
        for call in lifted.calls
    )
    derived = tuple(_derived(view, item, types) for item in lifted.items if item.expression is not None)
    return OnlineWindows(_columns(event_columns(view)), calls, derived)


def _derived(view: FeatureView, item: Item, types: Sequence[SqlType]) -> StoredFeature:
    feature = view.feature(item.name)
    assert feature is not None and item.expression is not None
    columns = {name: view.column(name).type for name in item.columns}
    try:
        tree = portable(item.expression, types, columns, feature.type)
    except NotPortableError as reason:
        raise _not_online(view, f"feature '{item.name}' of '{view.name}'", str(reason)) from None
    return StoredFeature(item.name, feature.type, tree, item.windows, item.columns)


def _not_online(view: FeatureView, what: str, reason: str) -> AsknownError:
    return AsknownError(
        "not-online",
        f"{what} cannot be computed online to the bit: {reason}",
        at=view.model.rendered.template_place(view.model.rendered.config_line or 1),
        hint="write it plainer, cast its input, or keep the view out of the online table: config(online=false)",
    )


def _columns(columns: Sequence[Column]) -> tuple[OnlineColumn, ...]:
    return tuple(OnlineColumn(column.name, column.type) for column in columns)
