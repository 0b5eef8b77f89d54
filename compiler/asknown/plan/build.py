"""Builds the plan of a training query: one step for each view, set of keys and kind of feature."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

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
    Extended,
    Fetched,
    Gathered,
    Listed,
    LookedUp,
    Output,
    Plan,
    Spine,
    SpineInstant,
    SpineValue,
    Step,
    TrailingWindow,
    Unnested,
    Value,
    WindowValue,
)
from asknown.plan.request import InputKey, RequestedFeature, kind_of
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
    builder = _Builder(spine, look, dialect, options or PlanOptions())
    asked = [*requested, *needed_features(requested)]
    groups: dict[tuple[str, tuple[Column, ...]], list[RequestedFeature]] = {}
    looked_up: dict[_ReadBy, list[RequestedFeature]] = {}
    for item in asked:
        if isinstance(item.view, FeatureView):
            if item.by:
                looked_up.setdefault(_asked_by(item).read, []).append(item)
            else:
                groups.setdefault((item.label, _spine_keys(spine, item)), []).append(item)
    for (_, keys), items in groups.items():
        builder.read(items, keys)
    for items in looked_up.values():
        builder.look_up(items)
    results = [builder.values.get(_asked_by(item)) or builder.on_demand(item) for item in requested]
    outputs = []
    for item, value in zip(requested, results, strict=True):
        assert not isinstance(value, LookedUp | Listed), "nobody requests what is looked up"
        outputs.append(Output(item.output, item.column, value.step))
    return Plan(spine, tuple(builder.steps), tuple(outputs))


class _Builder:
    """The steps of a plan so far, and the values that they give."""

    def __init__(
        self, spine: Spine, look: Callable[[FeatureView], Sample | None], dialect: Dialect, options: PlanOptions
    ) -> None:
        self._spine = spine
        self._look = look
        self._dialect = dialect
        self._options = options
        self._names = {column.name.casefold() for column in spine.columns}
        self.steps: list[Step] = []
        self.values: dict[_AskedBy, Fetched | DerivedValue | LookedUp | Listed] = {}

    def read(self, items: Sequence[RequestedFeature], keys: tuple[Column, ...]) -> None:
        """Adds the steps that read features of one view by these keys."""
        for item, value in zip(items, self._read(items, keys), strict=True):
            self.values[_asked_by(item)] = value

    def look_up(self, items: Sequence[RequestedFeature]) -> None:
        """Adds the steps that read features of one view by values of steps before."""
        first = items[0]
        columns: dict[str, tuple[Column, Value]] = {}
        for key, source in first.by:
            value = self._source(source)
            kind = value.column.type if isinstance(value, Listed) else source.column.type
            columns[key] = Column(self._fresh(f"{first.label}_{key}"), kind), value
        self.steps.append(Extended(tuple(columns.values())))
        lists = None if first.each is None else columns[first.each]
        if first.each is not None and lists is not None:
            assert lists[0].type.element is not None
            element = Column(self._fresh(f"{lists[0].name}_element"), lists[0].type.element)
            columns[first.each] = element, lists[1]
        renamed = dict(first.keys)
        keys = tuple(
            columns[key.name][0]
            if key.name in columns
            else _spine_key(self._spine, first.view, key, renamed.get(key.name, key.name))
            for key in first.view.keys
        )
        new, sources = tuple(column for column, _ in columns.values()), tuple(value for _, value in columns.values())
        unnested = None
        if lists is not None:
            kept = dict.fromkeys(column for column in (*keys, *new) if column != element)
            unnested = Unnested(first.label, lists[0], element, tuple(kept))
            self.steps.append(unnested)
        found = [LookedUp(value, new, sources) for value in self._read(items, keys)]
        if unnested is None:
            self.values |= {_asked_by(item): value for item, value in zip(items, found, strict=True)}
            return
        names = [Column(item.column.name, item.column.type.listed) for item in items]
        place = len(self.steps)
        self.steps.append(Gathered(unnested, tuple(zip(names, found, strict=True))))
        for item, column in zip(items, names, strict=True):
            self.values[_asked_by(item)] = Listed(place, column, unnested.key)

    def _source(self, source: RequestedFeature | InputKey) -> Value:
        if isinstance(source, InputKey):
            return spine_input(self._spine, source.view, source.column)
        return self.values[_asked_by(source)]

    def _fresh(self, wish: str) -> str:
        """A name that no column of the spine has."""
        while wish.casefold() in self._names:
            wish += "_"
        self._names.add(wish.casefold())
        return wish

    def _read(self, items: Sequence[RequestedFeature], keys: tuple[Column, ...]) -> list[Fetched | DerivedValue]:
        view, label, steps = items[0].view, items[0].label, self.steps
        look, dialect, options = self._look, self._dialect, self._options
        assert isinstance(view, FeatureView)
        computed = [view.item(item.column.name) for item in items]
        names = {item.column.name for item, derived in zip(items, computed, strict=True) if derived is None}
        names |= {name for derived in computed if derived is not None for name in derived.columns}
        calls = sorted({call for derived in computed if derived is not None for call in derived.windows})
        listed = () if view.lifted is None else view.lifted.calls
        fetched: dict[str, Fetched] = {}
        if names:
            columns = tuple(column for column in (*view.fetched, *view.times) if column.name in names)
            forms = dialect.plans.forms if keys else dialect.plans.keyless_forms or dialect.plans.forms
            match = choose_match(view, look(view), forms=forms, forced=options.form_of(view))
            fetched = {column.name: Fetched(len(steps), column) for column in columns}
            steps.append(AsOfJoin(label, view, keys, columns, match))
        windows: dict[int, WindowValue] = {}
        sparse = is_sparse(self._spine, look(view))
        for form, reason, some in choose_windows(
            calls,
            listed,
            look(view),
            forms=dialect.plans.window_forms,
            forced=options.window_form,
            tiled_rows=dialect.plans.tiled_rows,
            view=view,
            memory=None if dialect.plans.memory is None else Memory(dialect.plans.memory, self._spine.bounds.rows),
        ):
            windows |= {call: WindowValue(len(steps), call, listed[call]) for call in some}
            many = dialect.plans.tiled_rows if options.window_form is None else TILED_ROWS_FORCED
            steps.append(TrailingWindow(label, view, keys, some, form, reason, many, sparse))
        found: list[Fetched | DerivedValue] = []
        for item, derived in zip(items, computed, strict=True):
            if derived is None:
                found.append(fetched[item.column.name])
            else:
                found.append(DerivedValue(len(steps), item.column.type))
                steps.append(_derive(view, derived, fetched, windows))
        return found

    def on_demand(self, item: RequestedFeature) -> DerivedValue:
        """The value of an on-demand feature, whose step is added; so are those of on-demand features that it reads."""
        view = item.view
        assert isinstance(view, OnDemandView)
        known = self.values.get(_asked_by(item))
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
                    given = _spine_key(self._spine, view, column.column, renamed.get(name, name))
                    inputs[name] = SpineValue(given, column.type)
                case AskedAt():
                    inputs[name] = SpineInstant()
                case InputColumn():
                    inputs[name] = spine_input(self._spine, view.name, column.column)
                case FeatureColumn() as origin:
                    read = _read(view, origin, item.keys)
                    inputs[name] = self.values.get(_asked_by(read)) or self.on_demand(read)
        value = DerivedValue(len(self.steps), item.column.type)
        self.steps.append(Derived(view.model, computed.expression, inputs, feature=item.column, tree=computed.tree))
        self.values[_asked_by(item)] = value
        return value


@dataclass(frozen=True)
class _ReadBy:
    """One read of a view: its name, its label, the spine's columns for its keys, and what it is looked up by.

    ``by`` pairs a key with the name of an input, or with the feature whose value it is.
    """

    view: str
    label: str
    keys: tuple[tuple[str, str], ...]
    by: tuple[tuple[str, str | _AskedBy], ...]


@dataclass(frozen=True)
class _AskedBy:
    """The identity of a requested value."""

    read: _ReadBy
    feature: str


def _asked_by(item: RequestedFeature) -> _AskedBy:
    by = tuple(
        (key, _asked_by(source) if isinstance(source, RequestedFeature) else source.column.name.casefold())
        for key, source in item.by
    )
    return _AskedBy(_ReadBy(item.view.name, item.label, item.keys, by), item.column.name)


def needed_features(requested: Sequence[RequestedFeature]) -> list[RequestedFeature]:
    """Unrequested features that the on-demand features among these read, directly or through others.

    One that is looked up comes after those that it is looked up by.
    """
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
    for name in view.read_by(feature):
        origin = view.column(name).origin
        if isinstance(origin, FeatureColumn):
            yield _read(view, origin, keys)


def _read(view: OnDemandView, origin: FeatureColumn, keys: tuple[tuple[str, str], ...]) -> RequestedFeature:
    """The request for a feature that an on-demand view reads, if that view is itself read by these ``keys``."""
    own, outer = dict(origin.keys), dict(keys)
    by = tuple((key, _source_of(view, name, keys)) for key, name in origin.by)
    pairs = ((key.name, own.get(key.name, key.name)) for key in origin.view.keys if key.name not in dict(by))
    renamed = ((key, outer.get(name, name)) for key, name in pairs)
    differing = tuple((key, name) for key, name in renamed if key != name)
    return RequestedFeature(origin.view, origin.label, differing, origin.column, "", by, origin.each)


def _source_of(view: OnDemandView, name: str, keys: tuple[tuple[str, str], ...]) -> RequestedFeature | InputKey:
    """The feature or input that a key is looked up by."""
    column = view.column(name)
    if isinstance(column.origin, FeatureColumn):
        return _read(view, column.origin, keys)
    return InputKey(view.name, column.column)


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
