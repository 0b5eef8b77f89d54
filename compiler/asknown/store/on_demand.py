"""Completes on-demand views: the columns of their requests, and the types of their features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from asknown.dialects.dialect import Dialect
from asknown.emit.models import request_cte
from asknown.emit.statement import Statement, write
from asknown.emit.translate.rewrite import translate
from asknown.errors import AsknownError
from asknown.lint.rules import search
from asknown.model.nodes import (
    AskedAt,
    FeatureColumn,
    InputColumn,
    KeyColumn,
    Model,
    OnDemandView,
    RequestColumn,
    View,
)
from asknown.model.on_demand import check_select, portable_item, read_items, request_place
from asknown.model.view import refuse_duplicate_columns
from asknown.plan.request import FeatureRequest, name_features, read_request
from asknown.render.nodes import ASKED_AT
from asknown.store.lookups import looked_up
from asknown.types import Column, SqlType, comparable, parse_type

if TYPE_CHECKING:
    from asknown.store.typed_catalog import TypedCatalog

_RULES = frozenset({"clock", "chance"})


def build_on_demand(model: Model, catalog: TypedCatalog, path: Sequence[str]) -> OnDemandView:
    """The on-demand view that ``model`` declares; ``path`` are those that are being built, each read by the one before.

    Raises the first error in it, in a view that it reads, or in how they fit: ``cycle``, ``name-clash``,
    ``unknown-view``, ``bad-model``, ``clock``, ``not-online``, …
    """
    check_select(model)
    for finding in search(model, [model], catalog.known, catalog.project, _RULES):
        raise finding.as_error()
    columns = request_columns(model, catalog, path)
    written = read_items(model, columns)
    refuse_duplicate_columns(model, [name for name, _ in written])
    plain = [column.column for column in columns]
    types = catalog.types.of_request(model, plain)
    items, features = [], []
    for (name, expression), described in zip(written, types, strict=True):
        feature = Column(name, described.type)
        items.append(portable_item(model, name, expression, feature, plain))
        features.append(feature)
    return OnDemandView(
        name=model.name,
        model=model,
        keys=tuple(column.column for column in columns if isinstance(column.origin, KeyColumn)),
        inputs=tuple(_inputs(model, columns)),
        columns=tuple(columns),
        items=tuple(items),
        features=tuple(features),
    )


def request_columns(model: Model, catalog: TypedCatalog, path: Sequence[str]) -> list[RequestColumn]:
    """The columns of the relation ``request``: keys, the instant, inputs, then the features that the view names."""
    call = model.rendered.request
    assert call is not None
    features = list(_features(model, catalog, path)) if call.references else []
    columns: dict[str, RequestColumn] = {}
    for feature in features:
        assert isinstance(feature.origin, FeatureColumn)
        _add_keys(model, feature.origin, columns)
    columns[ASKED_AT] = RequestColumn(ASKED_AT, parse_type("TIMESTAMP"), AskedAt())
    inputs = [RequestColumn(name, kind, InputColumn()) for name, kind in model.rendered.config.inputs or ()]
    for column in (*inputs, *features):
        _add(model, column, columns)
    for column in looked_up(model, catalog, columns):
        assert isinstance(column.origin, FeatureColumn)
        _add_keys(model, column.origin, columns)
        _add(model, column, columns)
    return list(columns.values())


def _add(model: Model, column: RequestColumn, columns: dict[str, RequestColumn]) -> None:
    """Adds a column to those of the request. Raises ``name-clash`` where another has its name."""
    other = columns.setdefault(column.name.casefold(), column)
    if other is column:
        return
    is_input = InputColumn() in (other.origin, column.origin)
    is_looked_up = any(isinstance(one.origin, FeatureColumn) and one.origin.by for one in (other, column))
    raise AsknownError(
        "name-clash",
        f"the request of on-demand view '{model.name}' would have two columns '{column.name}': "
        f"{_spell(other)} and {_spell(column)}",
        at=request_place(model),
        hint="rename the input"
        if is_input
        else "give what is looked up a prefix: lookup(…, prefix='device_')"
        if is_looked_up
        else "ask for full names, as in view__feature: request(…, full_names=true)",
    )


def _features(model: Model, catalog: TypedCatalog, path: Sequence[str]) -> Iterator[RequestColumn]:
    call = model.rendered.request
    assert call is not None
    models, services = catalog.models, catalog.project.services
    try:
        requests = read_request(call.references, services, models.is_asked, models.asked_names())
        views = {item.view: _view(item, catalog, path) for item in requests}
        requested = name_features(requests, views, full_names=True, reserved_names=())
    except AsknownError as error:
        raise AsknownError(error.code, error.message, at=error.at or request_place(model), hint=error.hint) from None
    for item in requested:
        name = item.output if call.full_names else item.column.name
        yield RequestColumn(name, item.column.type, FeatureColumn(item.view, item.label, item.keys, item.column))


def _view(item: FeatureRequest, catalog: TypedCatalog, path: Sequence[str]) -> View:
    if item.view in path:
        circle = " → ".join([*path[path.index(item.view) :], item.view])
        raise AsknownError(
            "cycle", f"on-demand views read each other in a circle: {circle}", hint="remove one of these references"
        )
    return catalog.asked(item.view, path)


def _add_keys(model: Model, origin: FeatureColumn, columns: dict[str, RequestColumn]) -> None:
    renamed = dict(origin.keys)
    by = dict(origin.by)
    for key in (key for key in origin.view.keys if key.name not in by):
        name = renamed.get(key.name, key.name)
        column = RequestColumn(name, key.type, KeyColumn())
        other = columns.setdefault(name.casefold(), column)
        if not comparable(other.type, key.type):
            raise AsknownError(
                "key-type",
                f"the views that on-demand view '{model.name}' reads have a key '{name}' of two types: "
                f"{other.type} and {key.type}",
                at=request_place(model),
                hint="cast it in one of them",
            )
        columns[name.casefold()] = replace(other, type=_wider(other.type, key.type))


def _wider(left: SqlType, right: SqlType) -> SqlType:
    return right if (right.bits, right.precision) > (left.bits, left.precision) else left


def _inputs(model: Model, columns: Sequence[RequestColumn]) -> Iterator[Column]:
    """The inputs of the view, then those of the on-demand views that it reads."""
    keys = {column.name.casefold() for column in columns if isinstance(column.origin, KeyColumn)}
    seen: dict[str, Column] = {}
    for column in columns:
        match column.origin:
            case InputColumn():
                given: Sequence[Column] = (column.column,)
            case FeatureColumn(OnDemandView() as other):
                given = other.inputs
            case _:
                continue
        for wanted in given:
            is_new = wanted.name.casefold() not in seen
            first = seen.setdefault(wanted.name.casefold(), wanted)
            if first.type != wanted.type or wanted.name.casefold() in keys:
                what = (
                    "that is a key"
                    if wanted.name.casefold() in keys
                    else f"of two types, {first.type} and {wanted.type}"
                )
                raise AsknownError(
                    "name-clash",
                    f"on-demand view '{model.name}' has, with those that it reads, an input '{wanted.name}' {what}",
                    at=request_place(model),
                    hint="rename one of them, or declare one type",
                )
            if is_new:
                yield wanted


def _spell(column: RequestColumn) -> str:
    match column.origin:
        case FeatureColumn(view, label, _, feature):
            return f"{label}:{feature.name}" if label == view.name else f"{label}:{feature.name} (of '{view.name}')"
        case KeyColumn():
            return f"the key '{column.name}'"
        case InputColumn():
            return f"the input '{column.name}'"
    return "the instant of asking"


def compile_alone(view: OnDemandView, dialect: Dialect) -> str:
    """The view's own SQL over one row of NULLs, which runs as it is and shows its columns."""
    model = view.model
    body = model.sql if model.dialect == dialect.sqlglot else translate(model, model.tree, dialect)
    return write(Statement((request_cte([column.column for column in view.columns], dialect),), body), dialect)
