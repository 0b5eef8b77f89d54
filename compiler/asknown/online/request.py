"""A read's request, resolved against what the file holds: which tables, which keys, which output columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from asknown.catalog.references import (
    ServiceReference,
    UnknownReference,
    ViewReference,
    list_references,
    parse_reference,
)
from asknown.errors import AsknownError, did_you_mean
from asknown.instants import EPOCH, read_instant
from asknown.online.keys import Encode, key_encoder
from asknown.online.nodes import OnlineService, OnlineView, ServicePart, StoredFeature, StoredView
from asknown.types import Column

EntityRows = Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]]

_EPOCH_IN_UTC = EPOCH.replace(tzinfo=UTC)

MISSING: Final = object()
"""Stands where a row does not give a column that other rows give."""


@dataclass(frozen=True)
class Columns:
    """A request's columns, in the order first seen, and the number of rows. ``ragged``: some have :data:`MISSING`."""

    values: dict[str, list[Any]]
    count: int
    ragged: bool = False

    @property
    def names(self) -> tuple[str, ...] | None:
        """The columns' names; None for a request of no rows, which has none."""
        return tuple(self.values) if self.values or self.count else None

    def filled(self) -> dict[str, list[Any]]:
        """The columns with None where a value is missing."""
        if not self.ragged:
            return self.values
        return {name: [None if v is MISSING else v for v in column] for name, column in self.values.items()}


def as_columns(rows: EntityRows) -> Columns:
    """The rows by columns."""
    if isinstance(rows, Mapping):
        return _from_columns(rows)
    if isinstance(rows, (str, bytes)) or not isinstance(rows, Sequence):
        raise _bad_rows(f"it is a {type(rows).__name__}")
    names: dict[str, None] = {}
    for place, row in enumerate(rows, start=1):
        if not isinstance(row, Mapping):
            raise _bad_rows(f"row {place} is a {type(row).__name__}")
        names.update(dict.fromkeys(row))
    _check_names(names)
    ragged = any(len(row) < len(names) for row in rows)
    return Columns({name: [row.get(name, MISSING) for row in rows] for name in names}, len(rows), ragged)


def _from_columns(rows: Mapping[str, Any]) -> Columns:
    _check_names(rows)
    columns: dict[str, list[Any]] = {}
    for name, column in rows.items():
        if isinstance(column, (str, bytes, Mapping)) or not hasattr(column, "__iter__"):
            raise _bad_rows(f"the column '{name}' is a {type(column).__name__}, not a list of values")
        columns[name] = list(column)
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"'{name}' has {length}" for name, length in lengths.items())
        raise _bad_rows(f"its columns differ in length: {shown}")
    return Columns(columns, next(iter(lengths.values()), 0))


def _check_names(names: Mapping[Any, Any]) -> None:
    for name in names:
        if not isinstance(name, str):
            raise _bad_rows(f"the column name {name!r} is not a text")


def _bad_rows(why: str) -> AsknownError:
    return AsknownError(
        "bad-value",
        f"entity_rows cannot be read: {why}",
        hint='give a list of dicts, as in [{"carrier": "UA"}], or a dict of lists, as in {"carrier": ["UA", "AA"]}',
    )


Names = tuple[str, ...] | None
"""The names of a request's columns; None for a request of no rows, which has none."""

Shape = tuple[tuple[str, ...], bool, Names]
"""All that a plan depends on: the references, whether names are full, and the columns that the request gives."""


class Query:
    """The request of one read: references, whether names are full, and the rows, of which one alone is a dict.

    ``shape`` is what queries have in common that one plan can answer.
    """

    __slots__ = ("_columns", "row", "shape")

    def __init__(self, references: tuple[str, ...], full_names: bool, rows: dict[str, Any] | Columns) -> None:
        self.row: dict[str, Any] | None
        self._columns: Columns | None
        self.shape: Shape
        if isinstance(rows, dict):
            self.row, self._columns = rows, None
            self.shape = (references, full_names, tuple(rows))
        else:
            self.row, self._columns = None, rows
            self.shape = (references, full_names, rows.names)

    @property
    def columns(self) -> Columns:
        """The rows by columns."""
        if self._columns is None:
            assert self.row is not None
            self._columns = Columns({name: [value] for name, value in self.row.items()}, 1)
        return self._columns

    def given(self) -> tuple[dict[str, list[Any]], int]:
        """The columns as the caller gave them, with None where a row lacks one; and the number of rows."""
        if self.row is not None:
            return {name: [value] for name, value in self.row.items()}, 1
        return self.columns.filled(), self.columns.count

    def check(self) -> None:
        """Refuses a query that names no features, or columns by anything but text."""
        _check_references(self.shape[0])
        if self.row is not None:
            _check_names(self.row)


def make_query(features: str | Sequence[str], entity_rows: EntityRows, full_names: bool) -> Query:
    """The query that the arguments of :meth:`OnlineReader.get_online_features` make."""
    references = tuple(features) if type(features) is list else list_references(features)
    if type(entity_rows) is list and len(entity_rows) == 1 and type(entity_rows[0]) is dict:
        return Query(references, full_names, entity_rows[0].copy())
    columns = as_columns(entity_rows)
    if columns.count == 1:
        return Query(references, full_names, {name: column[0] for name, column in columns.values.items()})
    return Query(references, full_names, columns)


def read_at(at: datetime | str | None) -> datetime:
    """The instant that a read is of, naive, in UTC; now for None."""
    if at is None:
        return EPOCH + (datetime.now(UTC) - _EPOCH_IN_UTC)  # replace(tzinfo=None) takes three times as long
    return read_instant(at, "at")


def _check_references(references: tuple[str, ...]) -> None:
    if not references or not all(isinstance(reference, str) for reference in references):
        raise AsknownError(
            "bad-value",
            f"{list(references)!r} names no features",
            hint="give a list such as ['view:feature', 'view'], or the name of a feature service",
        )


@dataclass(frozen=True)
class Read:
    """One look at one view. ``keys`` pairs the request's column with the encoder of the view's key.

    ``features`` are the as-of features asked for, of the view's own table; ``windowed`` those that are computed from
    its events; ``hidden`` names columns of the table that the expressions of these read as well.
    """

    stored: StoredView
    keys: tuple[tuple[str, Encode], ...]
    features: tuple[Column, ...]
    hidden: tuple[str, ...] = ()
    windowed: tuple[StoredFeature, ...] = ()

    @property
    def looks_up(self) -> bool:
        """Whether anything of the view's own table is needed."""
        return bool(self.features or self.hidden or not self.windowed)


@dataclass(frozen=True)
class Output:
    """One feature of the response: where its value comes from, and how it is named.

    ``place`` counts among the read's as-of features, or, where ``windowed``, among those of its windows.
    """

    name: str
    reference: str  # view:feature, as the user may write it
    read: int
    place: int
    column: Column
    windowed: bool = False


@dataclass(frozen=True)
class Request:
    reads: tuple[Read, ...]
    outputs: tuple[Output, ...]
    full_names: bool

    def check_columns(self, columns: Sequence[str]) -> None:
        """Refuses a request that lacks a key's column, or whose own columns hide a feature."""
        given = set(columns)
        for read in self.reads:
            for column, _ in read.keys:
                if column not in given:
                    raise missing_key(column, read.stored.view.name, columns)
        folded = {column.casefold(): column for column in columns}
        for output in self.outputs:
            if output.name.casefold() in folded:
                raise AsknownError(
                    "name-clash",
                    f"the feature {output.reference} and the column '{folded[output.name.casefold()]}' "
                    "of the request would have one name",
                    hint=self._clash_hint("rename the request's column"),
                )

    def check_rows(self, columns: Mapping[str, Sequence[Any]], missing: object) -> None:
        """Refuses a row that lacks a key, where the value ``missing`` stands."""
        for read in self.reads:
            for column, _ in read.keys:
                for row, value in enumerate(columns[column], start=1):
                    if value is missing:
                        raise missing_key(column, read.stored.view.name, (), row)

    def check_names(self) -> None:
        """Refuses two features that would have one name; letter case does not tell names apart."""
        seen: dict[str, Output] = {}
        for output in self.outputs:
            other = seen.setdefault(output.name.casefold(), output)
            if other is output:
                continue
            raise AsknownError(
                "name-clash",
                f"the features {other.reference} and {output.reference} would both be called '{output.name}'",
                hint=self._clash_hint("give one of them another alias in a feature service"),
            )

    def _clash_hint(self, otherwise: str) -> str:
        if self.full_names:
            return otherwise
        return "ask for full names, as in view__feature: full_feature_names=True in Python, --full-names for a command"


def missing_key(column: str, view: str, columns: Sequence[str], row: int | None = None) -> AsknownError:
    """The error for a request, or a row of it, without one of the key columns."""
    whose = "the request" if row is None else f"row {row} of the request"
    return AsknownError(
        "spine-key",
        f"{whose} has no key '{column}', by which '{view}' is read",
        hint=did_you_mean(column, columns, what="its columns") or f"give '{column}' in every row",
    )


def resolve(
    references: Sequence[str],
    views: Mapping[str, StoredView],
    services: Mapping[str, OnlineService],
    *,
    full_names: bool,
) -> Request:
    """The request that ``references`` (a view, ``view:feature``, or a service) make of these views and services."""
    reads: dict[tuple[Any, ...], list[Column]] = {}
    requested: list[tuple[tuple[Any, ...], ServicePart, Column]] = []
    seen: set[tuple[Any, ...]] = set()
    for part in _parts(references, views, services):
        stored = _find_view(part.view, views)
        keyed_by = (part.view, part.alias, tuple(sorted(part.keys.items())))
        features = reads.setdefault(keyed_by, [])
        for feature in _find_features(part, stored.view):
            if feature not in features:
                features.append(feature)
            same = (part.alias or part.view, keyed_by[0], keyed_by[2], feature.name)
            if same not in seen:  # one that is asked for twice comes once, as in training
                seen.add(same)
                requested.append((keyed_by, part, feature))
    order = list(reads)
    split = {keyed_by: _split(features, views[keyed_by[0]].view) for keyed_by, features in reads.items()}
    outputs = []
    for keyed_by, part, feature in requested:
        asof, derived = split[keyed_by]
        windowed = feature not in asof
        outputs.append(
            Output(
                name=f"{part.alias or part.view}__{feature.name}" if full_names else feature.name,
                reference=f"{part.alias or part.view}:{feature.name}",
                read=order.index(keyed_by),
                place=[f.name for f in (derived if windowed else asof)].index(feature.name),
                column=feature,
                windowed=windowed,
            )
        )
    request = Request(tuple(_read(k, *split[k], views) for k in reads), tuple(outputs), full_names)
    request.check_names()
    return request


def _split(features: list[Column], view: OnlineView) -> tuple[list[Column], list[StoredFeature]]:
    """The as-of features among these, and those computed from windows."""
    known = {} if view.windows is None else {feature.name: feature for feature in view.windows.derived}
    asof = [feature for feature in features if feature.name not in known]
    return asof, [known[feature.name] for feature in features if feature.name in known]


def _read(
    keyed_by: tuple[Any, ...], asof: list[Column], derived: list[StoredFeature], views: Mapping[str, StoredView]
) -> Read:
    name, _, renamed = keyed_by
    stored, mapping = views[name], dict(renamed)
    keys = ((mapping.get(k.name, k.name), key_encoder(k.type, view=name, column=k.name)) for k in stored.view.keys)
    hidden = dict.fromkeys(column for feature in derived for column in feature.columns)
    return Read(stored, tuple(keys), tuple(asof), tuple(hidden), tuple(derived))


def _parts(
    references: Sequence[str], views: Mapping[str, StoredView], services: Mapping[str, OnlineService]
) -> list[ServicePart]:
    parts: list[ServicePart] = []
    for reference in references:
        match parse_reference(reference, services, views.__contains__):
            case ServiceReference(service):
                parts.extend(services[service].parts)
            case ViewReference(view, features):
                parts.append(ServicePart(view, features))
            case UnknownReference(name, "unknown-view"):
                raise _unknown_view(name, views)
            case UnknownReference(name, code):
                raise _unknown(code, f"no view or service '{name}'", name, [*views, *services])
    return parts


def _find_view(name: str, views: Mapping[str, StoredView]) -> StoredView:
    if name not in views:
        raise _unknown_view(name, views)
    return views[name]


def _find_features(part: ServicePart, view: OnlineView) -> list[Column]:
    known = {f.name: f for f in view.features}
    if part.features is None:
        return list(known.values())
    for name in part.features:
        if name not in known:
            raise AsknownError(
                "unknown-feature",
                f"the online table of '{view.name}' has no feature '{name}'",
                hint=did_you_mean(name, known, what="features")
                + "; if the project has it, load it: asknown materialize "
                + view.name,
            )
    return [known[name] for name in part.features]


def _unknown_view(name: str, views: Mapping[str, StoredView]) -> AsknownError:
    return _unknown("unknown-view", f"no view '{name}'", name, views)


def _unknown(code: str, what: str, name: str, known: Mapping[str, Any] | Sequence[str]) -> AsknownError:
    near = did_you_mean(name, known, what="views and services")
    return AsknownError(
        code, f"the online table holds {what}", hint=f"{near}; if the project has it, load it: asknown materialize"
    )
