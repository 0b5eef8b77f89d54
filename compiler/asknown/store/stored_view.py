"""Writes a feature view's definition for the online table, with its windows and the features computed from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from asknown.emit.load import event_columns, kept_columns
from asknown.errors import AsknownError
from asknown.model.expressions.types import NotPortableError
from asknown.model.expressions.write import portable, type_of
from asknown.model.list_patterns import AroundList, replace_around_lists
from asknown.model.nodes import FeatureView, Item, Lifted, PeriodFrame
from asknown.online.nodes import OnlineView, OnlineWindows, StoredCall, StoredFeature
from asknown.online.windows import state_of
from asknown.store.push_paths import paths_from
from asknown.store.typed_catalog import TypedCatalog
from asknown.types import SqlType
from asknown.values.states import packs

EVER = 36_500 * 86_400_000_000
"""The length of ``last('ever')`` in microseconds."""


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
        windows=None if view.lifted is None else _windows(view, view.lifted, catalog),
    )


def why_events_are_kept(view: FeatureView, catalog: TypedCatalog) -> tuple[str, str] | None:
    """Why the online table keeps the events of a view with a lifetime window, and what to write; None if it does not.

    Raises ``not-online`` if a feature cannot be computed there.
    """
    windows = stored_view(view, catalog).windows
    if windows is None or not any(windows.calls[place].oldest >= EVER for place in _used(windows)):
        return None
    return _why_kept(view, windows, catalog)


def _used(windows: OnlineWindows) -> Iterator[int]:
    """The places of the calls that features read."""
    for feature in windows.derived:
        yield from feature.calls


def _why_kept(view: FeatureView, windows: OnlineWindows, catalog: TypedCatalog) -> tuple[str, str] | None:
    """Why states of all events are not enough, and what to write. They are if every window has all events.

    A row that becomes visible later must then come after all of them where their order matters.
    """
    types = {column.name: column.type for column in windows.columns}
    in_order = False
    for feature in windows.derived:
        for place in feature.calls:
            call = windows.calls[place]
            state = state_of(call, types)
            if call.newest or call.oldest < EVER:
                return (
                    f"a window of '{feature.name}' does not reach from the beginning to the newest row",
                    "put the features over last('ever') into a view of their own",
                )
            if state is None:
                return (
                    f"{call.aggregate}() of '{feature.name}' needs every value",
                    "cut a list, as in (list(x) over …)[-5:], write another aggregate, or give the window a length",
                )
            in_order = in_order or state.in_order
    if not all(map(packs, types.values())):
        return "a window reads a BLOB", "read a hash of it, made in a model below the view"
    if in_order and view.known_at is not None and view.known_at.name != view.event_time.name:
        return (
            "an aggregate depends on the order of rows, and a row that becomes known later may belong between others",
            "give the window a length, or put what depends on no order into a view of its own",
        )
    if any(paths_from(catalog, view)):
        return "a source below it takes pushes", "give the window a length, if few events matter"
    return None


def _windows(view: FeatureView, lifted: Lifted, catalog: TypedCatalog) -> OnlineWindows:
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
            period=call.frame.period if isinstance(call.frame, PeriodFrame) else None,
            back=isinstance(call.frame, PeriodFrame) and call.frame.back,
        )
        for call in lifted.calls
    ]
    kinds = [*catalog.call_types(view)]
    derived = tuple(_derived(view, item, calls, kinds) for item in lifted.items if item.expression is not None)
    windows = OnlineWindows(event_columns(view), tuple(calls), derived)
    return replace(windows, lifetime=_why_kept(view, windows, catalog) is None)


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
