"""Builds the plan of a training query: one step for each view, set of keys and kind of feature."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from asknown.dialects.dialect import Dialect
from asknown.errors import AsknownError, did_you_mean
from asknown.model.nodes import (
    AskedAt,
    FeatureColumn,
    FeatureView,
    InputColumn,
    Item,
    KeyColumn,
    OnDemandView,
    View,
)
from asknown.plan.inputs import spine_input
from asknown.plan.nodes import (
    AsOfJoin,
    Derived,
    DerivedValue,
    Fetched,
    Output,
    Plan,
    Spine,
    SpineInstant,
    SpineValue,
    Step,
    TrailingWindow,
    Value,
    WindowValue,
)
from asknown.plan.request import RequestedFeature, kind_of
from asknown.plan.rules import TILED_ROWS_FORCED, Memory, PlanOptions, Sample, choose_match, choose_windows, is_sparse
from asknown.types import Column, comparable, floats_for_integers


def build_plan(
    spine: Spine,
    requested: Sequence[RequestedFeature],
    look: Callable[[FeatureView], Sample | None],
    dialect: Dialect,
    options: PlanOptions | None = None,
) -> Plan:
    """The plan that computes ``requested`` on ``spine``. ``look`` gives statistics from a sample of a view's rows.

    Raises ``spine-key`` if the spine lacks a key column, and ``key-type`` if its type does not compare with the key's.
    """
    options = options or PlanOptions()
    asked = [*requested, *needed_features(requested)]
    groups: dict[tuple[str, tuple[Column, ...]], list[int]] = {}
    for place, item in enumerate(asked):
        if isinstance(item.view, FeatureView):
            groups.setdefault((item.label, _spine_keys(spine, item)), []).append(place)
    steps: list[Step] = []
    found: dict[int, Fetched | DerivedValue] = {}
    for (label, keys), places in groups.items():
        view = asked[places[0]].view
        assert isinstance(view, FeatureView)
        items = {place: view.item(asked[place].column.name) for place in places}
        names = {asked[place].column.name for place, item in items.items() if item is None}
        names |= {name for item in items.values() if item is not None for name in item.columns}
        calls = sorted({call for item in items.values() if item is not None for call in item.windows})
        listed = () if view.lifted is None else view.lifted.calls
        fetched: dict[str, Fetched] = {}
        if names:
            columns = tuple(column for column in (*view.fetched, *view.times) if column.name in names)
            forms = dialect.plans.forms if keys else dialect.plans.keyless_forms or dialect.plans.forms
            match = choose_match(view, look(view), forms=forms, forced=options.form_of(view))
            fetched = {column.name: Fetched(len(steps), column) for column in columns}
            steps.append(AsOfJoin(label, view, keys, columns, match))
        windows: dict[int, WindowValue] = {}
        sparse = is_sparse(spine, look(view))
        for form, reason, some in choose_windows(
            calls,
            listed,
            look(view),
            forms=dialect.plans.window_forms,
            forced=options.window_form,
            tiled_rows=dialect.plans.tiled_rows,
            view=view,
            memory=None if dialect.plans.memory is None else Memory(dialect.plans.memory, spine.bounds.rows),
        ):
            windows |= {call: WindowValue(len(steps), call, listed[call]) for call in some}
            many = dialect.plans.tiled_rows if options.window_form is None else TILED_ROWS_FORCED
            steps.append(TrailingWindow(label, view, keys, some, form, reason, many, sparse))
        for place, computed in items.items():
            column = asked[place].column
            if computed is None:
                found[place] = fetched[column.name]
            else:
                found[place] = DerivedValue(len(steps), column.type)
                steps.append(_derive(view, computed, fetched, windows))
    values = {_asked_by(item): found[place] for place, item in enumerate(asked) if place in found}
    results = [values.get(_asked_by(item)) or _on_demand(spine, item, steps, values) for item in requested]
    outputs = [Output(item.output, item.column, v.step) for item, v in zip(requested, results, strict=True)]
    return Plan(spine, tuple(steps), tuple(outputs))


_AskedBy = tuple[str, str, tuple[tuple[str, str], ...], str]


def _asked_by(item: RequestedFeature) -> _AskedBy:
    """The identity of a requested value: the view, its label, its keys and the feature."""
    return item.view.name, item.label, item.keys, item.column.name


def needed_features(requested: Sequence[RequestedFeature]) -> list[RequestedFeature]:
    """Unrequested features that the on-demand features among these read, directly or through others."""
    known = {_asked_by(item) for item in requested}
    waiting, found = list(requested), list[RequestedFeature]()
    while waiting:
        item = waiting.pop(0)
        if not isinstance(item.view, OnDemandView):
            continue
        for read in _reads(item.view, item.keys, item.column.name):
            if _asked_by(read) not in known:
                known.add(_asked_by(read))
                found.append(read)
                waiting.append(read)
    return found


def _reads(view: OnDemandView, keys: tuple[tuple[str, str], ...], feature: str) -> Iterator[RequestedFeature]:
    """The features that one on-demand feature reads, by the keys of the spine."""
    for name in view.item(feature).columns:
        origin = view.column(name).origin
        if isinstance(origin, FeatureColumn):
            yield _read(origin, keys)


def _read(origin: FeatureColumn, keys: tuple[tuple[str, str], ...]) -> RequestedFeature:
    """The request for a feature that an on-demand view reads, if that view is itself read by these ``keys``."""
    own, outer = dict(origin.keys), dict(keys)
    pairs = ((key.name, own.get(key.name, key.name)) for key in origin.view.keys)
    renamed = ((key, outer.get(name, name)) for key, name in pairs)
    differing = tuple((key, name) for key, name in renamed if key != name)
    return RequestedFeature(origin.view, origin.label, differing, origin.column, "")


def _on_demand(
    spine: Spine, item: RequestedFeature, steps: list[Step], values: dict[_AskedBy, Fetched | DerivedValue]
) -> DerivedValue:
    """The value of an on-demand feature, whose step is added; also those of the on-demand features that it reads."""
    view = item.view
    assert isinstance(view, OnDemandView)
    known = values.get(_asked_by(item))
    if isinstance(known, DerivedValue):
        return known
    _check_keys(item)
    renamed = dict(item.keys)
    computed = view.item(item.column.name)
    inputs: dict[str, Value] = {}
    for name in computed.columns:
        column = view.column(name)
        match column.origin:
            case KeyColumn():
                given = _spine_key(spine, view, column.column, renamed.get(name, name))
                inputs[name] = SpineValue(given, column.type)
            case AskedAt():
                inputs[name] = SpineInstant()
            case InputColumn():
                inputs[name] = spine_input(spine, view.name, column.column)
            case FeatureColumn() as origin:
                read = _read(origin, item.keys)
                inputs[name] = values.get(_asked_by(read)) or _on_demand(spine, read, steps, values)
    value = DerivedValue(len(steps), item.column.type)
    steps.append(Derived(view.model, computed.expression, inputs, feature=item.column, tree=computed.tree))
    values[_asked_by(item)] = value
    return value


def _derive(
    view: FeatureView, item: Item, fetched: Mapping[str, Fetched], windows: Mapping[int, WindowValue]
) -> Derived:
    """The step that computes an item of the view's select from the values that the item reads."""
    assert item.expression is not None and view.lifted is not None
    columns = {name: fetched[name] for name in item.columns}
    calls = {f"@{call}": windows[call] for call in item.windows}
    narrowed = view.feature(item.name) if item.narrowed else None
    return Derived(view.model, item.expression, {**columns, **calls}, view.lifted.call_types, narrowed=narrowed)


def _check_keys(item: RequestedFeature) -> None:
    unknown = dict(item.keys).keys() - {key.name for key in item.view.keys}
    if unknown:
        name = min(unknown)
        raise AsknownError(
            "spine-key",
            f"{kind_of(item.view)} '{item.view.name}' has no key '{name}'",
            hint=did_you_mean(name, [key.name for key in item.view.keys], what="its keys"),
        )


def _spine_keys(spine: Spine, item: RequestedFeature) -> tuple[Column, ...]:
    _check_keys(item)
    renamed = dict(item.keys)
    return tuple(_spine_key(spine, item.view, key, renamed.get(key.name, key.name)) for key in item.view.keys)


def _spine_key(spine: Spine, view: View, key: Column, name: str) -> Column:
    exact = {column.name: column for column in spine.columns}
    folded = {column.name.casefold(): column for column in spine.columns}
    column = exact.get(name) or folded.get(name.casefold())
    if column is None:
        raise AsknownError(
            "spine-key",
            f"the spine has no column '{name}', the key of {kind_of(view)} '{view.name}'",
            hint=f"add it to the spine; {did_you_mean(name, exact, what='its columns')}",
        )
    compared = comparable(column.type, key.type) or floats_for_integers(column.type, key.type)
    if spine.bounds.rows != 0 and not compared:  # an empty CSV has no types
        raise AsknownError(
            "key-type",
            f"the spine's '{column.name}' is {column.type}, the key of {kind_of(view)} '{view.name}' is {key.type}",
            hint=f"cast the spine's column to {key.type}",
        )
    return column
