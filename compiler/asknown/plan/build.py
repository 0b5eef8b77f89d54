"""Builds the plan of a training query: one step for each view, set of keys and kind of feature."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from asknown.dialects.dialect import Dialect
from asknown.errors import AsknownError, did_you_mean
from asknown.model.nodes import FeatureView, Item
from asknown.plan.nodes import AsOfJoin, Derived, Fetched, Output, Plan, Spine, Step, TrailingWindow, WindowValue
from asknown.plan.request import RequestedFeature
from asknown.plan.rules import TILED_ROWS_FORCED, Memory, PlanOptions, Sample, choose_match, choose_windows, is_sparse
from asknown.types import Column, comparable


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
    groups: dict[tuple[str, tuple[Column, ...]], list[int]] = {}
    for place, item in enumerate(requested):
        groups.setdefault((item.label, _spine_keys(spine, item)), []).append(place)
    steps: list[Step] = []
    outputs: dict[int, Output] = {}
    for (label, keys), places in groups.items():
        view = requested[places[0]].view
        items = {place: view.item(requested[place].column.name) for place in places}
        names = {requested[place].column.name for place, item in items.items() if item is None}
        names |= {name for item in items.values() if item is not None for name in item.columns}
        calls = sorted({call for item in items.values() if item is not None for call in item.windows})
        listed = () if view.lifted is None else view.lifted.calls
        fetched: dict[str, Fetched] = {}
        if names:
            columns = tuple(column for column in view.fetched if column.name in names)
            match = choose_match(
                view,
                look(view),
                forms=dialect.plans.forms if keys else dialect.plans.keyless_forms or dialect.plans.forms,
                forced=options.form_of(view),
            )
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
            column = requested[place].column
            if computed is None:
                step = fetched[column.name].step
            else:
                step = len(steps)
                steps.append(_derive(view, computed, fetched, windows))
            outputs[place] = Output(requested[place].output, column, step)
    return Plan(spine, tuple(steps), tuple(outputs[place] for place in range(len(requested))))


def _derive(
    view: FeatureView, item: Item, fetched: Mapping[str, Fetched], windows: Mapping[int, WindowValue]
) -> Derived:
    """The step that computes an item of the view's select from the values that the item reads."""
    assert item.expression is not None and view.lifted is not None
    columns = {name: fetched[name] for name in item.columns}
    calls = {f"@{call}": windows[call] for call in item.windows}
    return Derived(view.model, item.expression, {**columns, **calls}, view.lifted.call_types)


def _spine_keys(spine: Spine, item: RequestedFeature) -> tuple[Column, ...]:
    renamed = dict(item.keys)
    unknown = renamed.keys() - {key.name for key in item.view.keys}
    if unknown:
        name = min(unknown)
        raise AsknownError(
            "spine-key",
            f"feature view '{item.view.name}' has no key '{name}'",
            hint=did_you_mean(name, [key.name for key in item.view.keys], what="its keys"),
        )
    return tuple(_spine_key(spine, item.view, key, renamed.get(key.name, key.name)) for key in item.view.keys)


def _spine_key(spine: Spine, view: FeatureView, key: Column, name: str) -> Column:
    exact = {column.name: column for column in spine.columns}
    folded = {column.name.casefold(): column for column in spine.columns}
    column = exact.get(name) or folded.get(name.casefold())
    if column is None:
        raise AsknownError(
            "spine-key",
            f"the spine has no column '{name}', the key of feature view '{view.name}'",
            hint=f"add it to the spine; {did_you_mean(name, exact, what='its columns')}",
        )
    if spine.bounds.rows != 0 and not comparable(column.type, key.type):  # an empty CSV has no types
        raise AsknownError(
            "key-type",
            f"the spine's '{column.name}' is {column.type}, the key of feature view '{view.name}' is {key.type}",
            hint=f"cast the spine's column to {key.type}"
            + (" (whole numbers with missing ones become floats in pandas: use its Int64)"
               if (column.type.kind, key.type.kind) == ("float", "integer") else ""),
        )  # fmt: skip
    return column
