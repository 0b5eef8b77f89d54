"""Resolves a request's references against what the online table holds: which views to read, which features to show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from asknown.catalog.references import ServiceReference, UnknownReference, ViewReference, parse_reference
from asknown.errors import AsknownError, did_you_mean
from asknown.online.keys import Encode, key_encoder
from asknown.online.nodes import (
    OnlineOnDemand,
    OnlineService,
    OnlineView,
    ServicePart,
    StoredFeature,
    StoredSource,
    StoredView,
)
from asknown.online.request import Output, Read, Request
from asknown.types import Column, SqlType

if TYPE_CHECKING:
    from asknown.online.on_demand import Computed


@dataclass(frozen=True)
class _KeyedBy:
    """One read of a view: its alias, the request's columns for its keys where they differ, and what is looked up.

    ``by`` pairs a key with the name of an input, or with the feature whose value it is. ``each`` is the key, and the
    type, of one that is a list, of which each element is looked up.
    """

    view: str
    alias: str | None
    keys: tuple[tuple[str, str], ...]
    by: tuple[tuple[str, str | _Value], ...] = ()
    each: tuple[str, SqlType] | None = None


@dataclass(frozen=True)
class _Value:
    """A feature's value, as one read of its view gives it."""

    read: _KeyedBy
    column: str


@dataclass(frozen=True)
class _Requested:
    """A feature that is asked for by one part of a request.

    ``computing`` is the on-demand view that computes it, else None; ``needs`` are then the features that it reads.
    """

    part: ServicePart
    feature: Column
    keyed_by: _KeyedBy
    computing: OnlineOnDemand | None = None
    needs: tuple[tuple[StoredSource, _KeyedBy], ...] = ()

    @property
    def label(self) -> str:
        return self.part.alias or self.part.view

    @property
    def reference(self) -> str:
        return f"{self.label}:{self.feature.name}"


def resolve(
    references: Sequence[str],
    views: Mapping[str, StoredView],
    services: Mapping[str, OnlineService],
    on_demand: Mapping[str, OnlineOnDemand],
    *,
    full_names: bool,
) -> Request:
    """The request that ``references`` (a view, ``view:feature``, or a service) make of these views and services."""
    requested = list(_requested(_parts(references, views, services, on_demand), views, on_demand))
    reads = _Reads(requested, views)
    fetched: list[Output] = []
    outputs: list[Output] = []
    for one in requested:
        name = f"{one.label}__{one.feature.name}" if full_names else one.feature.name
        if one.computing is not None:
            outputs.append(Output(name, one.reference, -1, -1, one.feature, computed=True))
        else:
            outputs.append(reads.output(name, one.reference, one.keyed_by, one.feature))
            fetched.append(outputs[-1])
    if len(fetched) == len(outputs):
        request = Request(reads.made, tuple(outputs), full_names, tuple(outputs))
    else:
        places = reads.add_hidden(requested, fetched)
        reads.place(places)
        computed = tuple(_compute(one, places) for one in requested if one.computing is not None)
        own, others = iter(range(len(fetched))), iter(range(len(fetched), len(fetched) + len(computed)))
        shown = tuple(next(others if output.computed else own) for output in outputs)
        request = Request(reads.made, tuple(outputs), full_names, tuple(fetched), computed, shown)
    request.check_names()
    return request


def _requested(
    parts: Iterable[ServicePart], views: Mapping[str, StoredView], on_demand: Mapping[str, OnlineOnDemand]
) -> Iterator[_Requested]:
    """Each feature of the parts. One that is asked for twice comes once, as in training."""
    seen: set[tuple[Any, ...]] = set()
    for part in parts:
        computing = on_demand.get(part.view)
        known = _columns(_find_view(part.view, views).view) if computing is None else _on_demand_columns(computing)
        keyed_by = _KeyedBy(part.view, part.alias, tuple(sorted(part.keys.items())))
        for feature in _find_features(part, known):
            same = (part.alias or part.view, keyed_by.view, keyed_by.keys, feature.name)
            if same not in seen:
                seen.add(same)
                needs = () if computing is None else tuple(_needed(computing, feature, part, views))
                yield _Requested(part, feature, keyed_by, computing, needs)


class _Reads:
    """The reads of a request: each view once for each alias and set of keys, with all that is asked of it."""

    def __init__(self, requested: Iterable[_Requested], views: Mapping[str, StoredView]) -> None:
        columns: dict[_KeyedBy, dict[str, Column]] = {}
        for one in requested:
            if one.computing is None:
                columns.setdefault(one.keyed_by, {}).setdefault(one.feature.name, one.feature)
            for source, keyed_by in one.needs:
                kind = source.type if source.each is None else source.type.element
                assert kind is not None
                columns.setdefault(keyed_by, {}).setdefault(source.column, Column(source.column, kind))
        self._order = list(columns)
        self._split = {by: _split(list(some.values()), views[by.view].view) for by, some in columns.items()}
        self.made = tuple(_read(by, *self._split[by], views) for by in columns)

    def output(self, name: str, reference: str, keyed_by: _KeyedBy, feature: Column) -> Output:
        """The output of a feature that is read."""
        asof, derived = ([column.name for column in some] for some in self._split[keyed_by])
        windowed = feature.name not in asof
        place = (derived if windowed else asof).index(feature.name)
        return Output(name, reference, self._order.index(keyed_by), place, feature, windowed)

    def place(self, places: Mapping[_Value, int]) -> None:
        """Tells each read that is looked up where among the fetched features the values of its keys are."""
        placed = []
        for read, keyed_by in zip(self.made, self._order, strict=True):
            of = {_stand_in(key, source): places[source] for key, source in keyed_by.by if isinstance(source, _Value)}
            inputs = tuple(source for _, source in keyed_by.by if isinstance(source, str))
            placed.append(replace(read, by=tuple(of.items()), inputs=inputs) if keyed_by.by else read)
        self.made = tuple(placed)

    def add_hidden(self, requested: Iterable[_Requested], fetched: list[Output]) -> dict[_Value, int]:
        """Appends to ``fetched`` what only on-demand features need. Gives the place of each feature that is read."""
        places: dict[_Value, int] = {}
        for place, output in enumerate(fetched):
            places.setdefault(_Value(self._order[output.read], output.column.name), place)
        for source, by in (need for one in requested for need in one.needs):
            value = _Value(by, source.column)
            if value not in places:
                places[value] = len(fetched)
                reference = f"{source.view}:{source.column}"
                fetched.append(self.output(source.column, reference, by, Column(source.column, source.type)))
        return places


def _needed(
    computing: OnlineOnDemand, feature: Column, part: ServicePart, views: Mapping[str, StoredView]
) -> Iterator[tuple[StoredSource, _KeyedBy]]:
    """The features that one on-demand feature reads, and by which keys of the request."""
    one = next(f for f in computing.features if f.name == feature.name)
    keyed: dict[str, _Value | str] = {}
    for source in computing.read_by(one):
        if source.view is None:
            keyed[source.name] = source.column
            continue
        view = _find_view(source.view, views).view
        found = {column.name: column for column in _columns(view).values()}.get(source.column)
        kind = None if found is None else found.type if source.each is None else found.type.listed
        if found is None or kind != source.type:
            there = "is not there" if found is None else f"is {kind}"
            raise AsknownError(
                "online-stale",
                f"on-demand view '{computing.name}' reads '{source.view}:{source.column}' as {source.type}, "
                f"which in the online table {there}",
                hint=f"asknown materialize {source.view}",
            )
        by = tuple((key, keyed[name]) for key, name in source.by)
        each = None if source.each is None else (source.each, computing.source(dict(source.by)[source.each]).type)
        keyed_by = _KeyedBy(source.view, None, _keys_through(source, part.keys, view), by, each)
        keyed[source.name] = _Value(keyed_by, source.column)
        yield source, keyed_by


def _keys_through(source: StoredSource, outer: Mapping[str, str], view: OnlineView) -> tuple[tuple[str, str], ...]:
    own = dict(source.keys)
    looked_up = dict(source.by)
    pairs = ((key.name, own.get(key.name, key.name)) for key in view.keys if key.name not in looked_up)
    return tuple(sorted((key, outer.get(name, name)) for key, name in pairs if outer.get(name, name) != key))


def _compute(one: _Requested, places: Mapping[_Value, int]) -> Computed:
    from asknown.online.on_demand import Computed  # only requests that have on-demand features need it

    view, part = one.computing, one.part
    assert view is not None
    unknown = part.keys.keys() - {key.name for key in view.keys}
    if unknown:
        raise AsknownError(
            "spine-key",
            f"on-demand view '{view.name}' has no key '{min(unknown)}'",
            hint=did_you_mean(min(unknown), [key.name for key in view.keys], what="its keys"),
        )
    feature = next(f for f in view.features if f.name == one.feature.name)
    read = set(feature.columns)
    where = {source.name: places[_Value(by, source.column)] for source, by in one.needs if source.name in read}
    return Computed(one.reference, view, feature, dict(part.keys), where)


def _split(features: list[Column], view: OnlineView) -> tuple[list[Column], list[StoredFeature]]:
    """The as-of features among these, and those computed from windows."""
    known = {} if view.windows is None else {feature.name: feature for feature in view.windows.derived}
    asof = [feature for feature in features if feature.name not in known]
    return asof, [known[feature.name] for feature in features if feature.name in known]


def _read(
    keyed_by: _KeyedBy, asof: list[Column], derived: list[StoredFeature], views: Mapping[str, StoredView]
) -> Read:
    name = keyed_by.view
    stored, mapping = views[name], dict(keyed_by.keys)
    mapping |= {key: source if isinstance(source, str) else _stand_in(key, source) for key, source in keyed_by.by}
    keys = ((mapping.get(k.name, k.name), key_encoder(k.type, view=name, column=k.name)) for k in stored.view.keys)
    hidden = dict.fromkeys(column for feature in derived for column in feature.columns)
    each = None if keyed_by.each is None else _each(*keyed_by.each, mapping, keyed_by)
    return Read(stored, tuple(keys), tuple(asof), tuple(hidden), tuple(derived), each=each)


def _each(key: str, kind: SqlType, mapping: Mapping[str, str], keyed_by: _KeyedBy) -> tuple[str, Encode]:
    """Under which name a read finds lists of keys, and how a list becomes one of its type."""
    if isinstance(dict(keyed_by.by)[key], str):
        from asknown.online.inputs import input_encoder  # few requests look views up by lists

        return mapping[key], input_encoder(kind, view=keyed_by.view, column=mapping[key])
    return mapping[key], lambda values: values


def _stand_in(key: str, source: _Value) -> str:
    """The name under which a read finds the values of a key that is another read's feature. No column has it."""
    return f"\0{key}={source!r}"


def _parts(
    references: Sequence[str],
    views: Mapping[str, StoredView],
    services: Mapping[str, OnlineService],
    on_demand: Mapping[str, OnlineOnDemand],
) -> list[ServicePart]:
    parts: list[ServicePart] = []
    for reference in references:
        match parse_reference(reference, services, lambda name: name in views or name in on_demand):
            case ServiceReference(service):
                parts.extend(services[service].parts)
            case ViewReference(view, features):
                parts.append(ServicePart(view, features))
            case UnknownReference(name, "unknown-view"):
                raise _unknown_view(name, [*views, *on_demand])
            case UnknownReference(name, code):
                raise _unknown(code, f"no view or service '{name}'", name, [*views, *on_demand, *services])
    return parts


def _find_view(name: str, views: Mapping[str, StoredView]) -> StoredView:
    if name not in views:
        raise _unknown_view(name, views)
    return views[name]


def _columns(view: OnlineView) -> dict[str, Column]:
    """The features of a view by name; then its times, which may be asked for by name alone."""
    columns = {feature.name: feature for feature in view.features}
    for name in view.times:
        columns.setdefault(name, Time(name, view.type_of(name)))
    return columns


class Time(Column):
    """A view's time, which is no feature of it."""


def _on_demand_columns(view: OnlineOnDemand) -> dict[str, Column]:
    return {feature.name: Column(feature.name, feature.type) for feature in view.features}


def _find_features(part: ServicePart, known: Mapping[str, Column]) -> list[Column]:
    features = [name for name, column in known.items() if not isinstance(column, Time)]
    if part.features is None:
        return [known[name] for name in features]
    for name in part.features:
        if name not in known:
            raise AsknownError(
                "unknown-feature",
                f"the online table of '{part.view}' has no feature '{name}'",
                hint=did_you_mean(name, features, what="features")
                + "; if the project has it, load it: asknown materialize "
                + part.view,
            )
    return [known[name] for name in part.features]


def _unknown_view(name: str, views: Iterable[str]) -> AsknownError:
    return _unknown("unknown-view", f"no view '{name}'", name, views)


def _unknown(code: str, what: str, name: str, known: Iterable[str]) -> AsknownError:
    near = did_you_mean(name, known, what="views and services")
    return AsknownError(
        code, f"the online table holds {what}", hint=f"{near}; if the project has it, load it: asknown materialize"
    )
