"""Reads the lookups of an on-demand view: views that are read by an input or a feature of the request (rule 12)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from asknown.errors import AsknownError, did_you_mean
from asknown.model.nodes import AskedAt, FeatureColumn, FeatureView, KeyColumn, Model, OnDemandView, RequestColumn
from asknown.model.on_demand import request_place
from asknown.plan.request import name_features, read_request
from asknown.render.nodes import LookupCall
from asknown.types import Column, comparable

if TYPE_CHECKING:
    from asknown.store.typed_catalog import TypedCatalog


def looked_up(model: Model, catalog: TypedCatalog, columns: Mapping[str, RequestColumn]) -> Iterator[RequestColumn]:
    """The columns that lookups add to a request, each after those that it is looked up by.

    ``columns`` are those of the request so far, by their names in lower case; the caller adds each that is given.
    Raises ``cycle`` where lookups wait for each other, ``key-type``, ``bad-model``, …
    """
    call = model.rendered.request
    assert call is not None
    waiting = [(lookup, _features_of(model, catalog, lookup, full_names=call.full_names)) for lookup in call.lookups]
    while waiting:
        ready = next((one for one in waiting if all(name.casefold() in columns for _, name in one[0].keys)), None)
        if ready is None:
            raise _missing(model, waiting, columns)
        waiting.remove(ready)
        lookup, (view, features) = ready
        keys, by = _keys(model, lookup, view, columns)
        each = _key_of_lists(model, lookup, by, columns)
        for name, label, column in features:
            kind = column.type if each is None else column.type.listed
            yield RequestColumn(lookup.prefix + name, kind, FeatureColumn(view, label, keys, column, by, each))


_Found = tuple[FeatureView, list[tuple[str, str, Column]]]


def _features_of(model: Model, catalog: TypedCatalog, lookup: LookupCall, *, full_names: bool) -> _Found:
    """The view that a lookup reads; names, labels and columns of its features."""
    models = catalog.models
    try:
        requests = read_request([lookup.reference], {}, models.is_asked, models.asked_names())
        view = catalog.asked(requests[0].view) if not models.model(requests[0].view).is_on_demand else None
        if view is None:
            raise AsknownError(
                "bad-model",
                f"'{model.name}' looks up on-demand view '{requests[0].view}', which has no rows",
                hint=f"name it in request('{lookup.reference}'), or look up the feature views that it reads",
            )
        assert isinstance(view, FeatureView)
        requested = name_features(requests, {view.name: view}, full_names=True, reserved_names=())
    except AsknownError as error:
        raise AsknownError(error.code, error.message, at=error.at or request_place(model), hint=error.hint) from None
    named = [(one.output if full_names and not lookup.prefix else one.column.name, one) for one in requested]
    return view, [(name, one.label, one.column) for name, one in named]


def _keys(
    model: Model, lookup: LookupCall, view: FeatureView, columns: Mapping[str, RequestColumn]
) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """The keys of the view that are keys of the request under other names, and those that are looked up."""
    of_request, by = [], []
    known = {key.name.casefold(): key for key in view.keys}
    for written, name in lookup.keys:
        key, column = known.get(written.casefold()), columns[name.casefold()]
        if key is None:
            raise AsknownError(
                "bad-model",
                f"'{model.name}' looks up '{lookup.reference}' by '{written}', which is no key of it",
                at=request_place(model),
                hint=did_you_mean(written, [one.name for one in view.keys], what="its keys"),
            )
        match column.origin:
            case KeyColumn():
                of_request.append((key.name, column.name))
                continue
            case AskedAt():
                raise _refused(model, lookup, column, "the instant of asking", "name a key, an input or a feature")
            case FeatureColumn(OnDemandView()):
                raise _refused(model, lookup, column, "an on-demand feature", "name an input, or a feature of a view")
            case _:
                by.append((key.name, column.name))
        given = column.type.element or column.type
        if not comparable(given, key.type):
            raise AsknownError(
                "key-type",
                f"'{model.name}' looks up '{lookup.reference}' by '{column.name}', which is {column.type}, and the key "
                f"'{key.name}' is {key.type}",
                at=request_place(model),
                hint=f"cast it to {key.type} in the view that it comes from",
            )
    return tuple(of_request), tuple(by)


def _key_of_lists(
    model: Model, lookup: LookupCall, by: tuple[tuple[str, str], ...], columns: Mapping[str, RequestColumn]
) -> str | None:
    """The key that is looked up by the elements of a list. Raises ``bad-model`` if there are several."""
    lists = [(key, name) for key, name in by if columns[name.casefold()].type.kind == "list"]
    if len(lists) > 1:
        shown = " and ".join(f"'{name}'" for _, name in lists)
        raise AsknownError(
            "bad-model",
            f"'{model.name}' looks up '{lookup.reference}' by two lists, {shown}, and which elements belong together "
            "is not said",
            at=request_place(model),
            hint="look it up by one list, and by one element of the other, as in (list(x) over …)[-1]",
        )
    return lists[0][0] if lists else None


def _refused(model: Model, lookup: LookupCall, column: RequestColumn, what: str, hint: str) -> AsknownError:
    message = f"'{model.name}' looks up '{lookup.reference}' by '{column.name}', which is {what}"
    return AsknownError("bad-model", message, at=request_place(model), hint=hint)


def _missing(
    model: Model, waiting: list[tuple[LookupCall, _Found]], columns: Mapping[str, RequestColumn]
) -> AsknownError:
    """The error for lookups by columns that are not there, or that they themselves would give."""
    to_come = {f"{lookup.prefix}{name}".casefold() for lookup, (_, found) in waiting for name, _, _ in found}
    for lookup, _ in waiting:
        for _, name in lookup.keys:
            if name.casefold() not in columns and name.casefold() not in to_come:
                nearest = did_you_mean(name, [column.name for column in columns.values()], what="columns")
                return AsknownError(
                    "bad-model",
                    f"'{model.name}' looks up '{lookup.reference}' by '{name}', which its request does not have",
                    at=request_place(model),
                    hint=f"{nearest}; or name it in request('view:{name}', lookup(…))",
                )
    circle = ", ".join(f"'{lookup.reference}'" for lookup, _ in waiting)
    return AsknownError(
        "cycle",
        f"lookups of '{model.name}' wait for each other: {circle}",
        at=request_place(model),
        hint="look one of them up by a key, an input or another view's feature",
    )
