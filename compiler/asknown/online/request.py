"""The request of a read: its arguments, and what they mean for one state of the table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from asknown.catalog.references import list_references
from asknown.errors import AsknownError, did_you_mean
from asknown.instants import EPOCH, EPOCH_IN_UTC, from_microseconds, read_instant
from asknown.online.keys import Encode
from asknown.online.nodes import StoredFeature, StoredSource, StoredView
from asknown.types import Column, SqlType

if TYPE_CHECKING:
    from asknown.online.on_demand import Computed

EntityRows = Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]]

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
    """The arguments of one read: references, whether names are full, and the rows; a single row is a dict.

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
    references = tuple(features) if type(features) in (list, tuple) else list_references(features)
    if type(entity_rows) is list and len(entity_rows) == 1 and type(entity_rows[0]) is dict:
        return Query(references, full_names, entity_rows[0].copy())
    columns = as_columns(entity_rows)
    if columns.count == 1:
        return Query(references, full_names, {name: column[0] for name, column in columns.values.items()})
    return Query(references, full_names, columns)


def read_at(at: datetime | str | None) -> datetime:
    """The instant of a read, naive, in UTC; the current time for None."""
    if at is None:
        return EPOCH + (datetime.now(UTC) - EPOCH_IN_UTC)  # replace(tzinfo=None) takes three times as long
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
    """One read of one view. ``keys`` pairs the request's column with the encoder of the view's key.

    ``features`` are the as-of features asked for, of the view's own table; ``windowed`` those that are computed from
    its events; ``hidden`` names columns of the table that the expressions of these read as well.

    A view that is looked up has keys that are no columns of the request: ``by`` pairs the names that stand for them
    with the places, among what the request fetches, of the features whose values they are. ``inputs`` are the columns
    of those that are inputs. A key that is NULL gives NULL features, counts included. ``each`` is the name among these
    that stands for a list: its elements are looked up one by one, and the features are lists.
    """

    stored: StoredView
    keys: tuple[tuple[str, Encode], ...]
    features: tuple[Column, ...]
    hidden: tuple[str, ...] = ()
    windowed: tuple[StoredFeature, ...] = ()
    by: tuple[tuple[str, int], ...] = ()
    inputs: tuple[str, ...] = ()
    each: tuple[str, Encode] | None = None

    @property
    def is_looked_up(self) -> bool:
        """Whether the view is read by inputs, or by values of reads before this one."""
        return bool(self.by or self.inputs)

    @property
    def looks_up(self) -> bool:
        """Whether anything of the view's own table is needed."""
        return bool(self.features or self.hidden or not self.windowed)


@dataclass(frozen=True)
class Output:
    """One feature of the response: where its value comes from, and how it is named.

    ``place`` counts among the read's as-of features, or, where ``windowed``, among those of its windows. An on-demand
    feature is ``computed`` from others, and of no read.
    """

    name: str
    reference: str  # view:feature, as the user may write it
    read: int
    place: int
    column: Column
    windowed: bool = False
    computed: bool = False


@dataclass(frozen=True)
class Request:
    """A request against the views of one state of the table.

    ``fetched`` are the features that the reads give, ``computed`` those that are computed from them; ``shown`` are the
    places of ``outputs`` among both, in that order. Where nothing is computed, ``outputs`` are ``fetched``.
    """

    reads: tuple[Read, ...]
    outputs: tuple[Output, ...]
    full_names: bool
    fetched: tuple[Output, ...]
    computed: tuple[Computed, ...] = ()
    shown: tuple[int, ...] = ()

    @property
    def on_demand(self) -> tuple[str, ...]:
        """The names of the on-demand views, each once."""
        return tuple(dict.fromkeys(one.view.name for one in self.computed))

    def inputs(self) -> dict[str, tuple[SqlType, str]]:
        """By the request's column: the type of each input, and a view that needs it.

        Raises ``name-clash`` if one has two types.
        """
        found: dict[str, tuple[SqlType, str]] = {}
        for one, source in self._sources("input"):
            kind, view = found.setdefault(source.column, (source.type, one.view.name))
            if kind != source.type:
                raise AsknownError(
                    "name-clash",
                    f"the input '{source.column}' is {kind} for '{view}', and {source.type} for '{one.view.name}'",
                    hint="ask for them in two requests, or declare one type in both views",
                )
        return found

    def unread_inputs(self) -> dict[str, tuple[SqlType, str]]:
        """By name: the inputs of the on-demand views that none of the requested features reads."""
        read = self.inputs()
        declared = ((column, one.view.name) for one in self.computed for column in one.view.inputs)
        return {column.name: (column.type, view) for column, view in declared if column.name not in read}

    def unread_keys(self) -> dict[str, tuple[SqlType, str]]:
        """By the request's column: the keys of the on-demand views that none of the requested features reads."""
        read = self.keys()
        declared = (
            (one.keys.get(key.name, key.name), key.type, one.view.name)
            for one in self.computed
            for key in one.view.keys
        )
        return {column: (kind, view) for column, kind, view in declared if column not in read}

    def keys(self) -> dict[str, tuple[SqlType, str]]:
        """By the request's column: the type of each key, and a view that is read by it."""
        found: dict[str, tuple[SqlType, str]] = {}
        for read in self.reads:
            looked_up = {name for name, _ in read.by} | set(read.inputs)
            for (column, _), key in zip(read.keys, read.stored.view.keys, strict=True):
                if column not in looked_up:
                    found.setdefault(column, (key.type, read.stored.view.name))
        for one, source in self._sources("key"):
            found.setdefault(one.column_of(source), (source.type, one.view.name))
        return found

    def _sources(self, origin: str) -> Iterator[tuple[Computed, StoredSource]]:
        for one in self.computed:
            for source in one.sources_below():
                if source.origin == origin:
                    yield one, source

    def check_columns(self, columns: Sequence[str]) -> None:
        """Refuses a request that lacks a key's or an input's column, or whose own columns hide a feature.

        A request of on-demand features may give keys and inputs alone: another column could be a misspelt input.
        """
        keys, inputs = self.keys(), self.inputs()
        for column, (_, view) in keys.items():
            if column not in columns:
                raise missing_key(column, view, columns)
        for column, (kind, view) in inputs.items():
            if column not in columns:
                raise missing_input(column, kind, view)
        known = keys | inputs | self.unread_keys() | self.unread_inputs()
        for column in columns if self.computed else ():
            if column not in known:
                raise unknown_input(column, list(known))
        folded = {column.casefold(): column for column in columns}
        for output in self.outputs:
            if output.name.casefold() in folded:
                raise AsknownError(
                    "name-clash",
                    f"the feature {output.reference} and the column '{folded[output.name.casefold()]}' "
                    "of the request would have the same name",
                    hint=self._clash_hint("rename the request's column"),
                )

    def check_rows(self, columns: Mapping[str, Sequence[Any]], missing: object) -> None:
        """Refuses a row that lacks a key or an input, where the value ``missing`` stands."""
        for column, (_, view) in self.keys().items():
            for row, value in enumerate(columns[column], start=1):
                if value is missing:
                    raise missing_key(column, view, (), row)
        for column, (kind, view) in self.inputs().items():
            for row, value in enumerate(columns[column], start=1):
                if value is missing:
                    raise missing_input(column, kind, view, row)

    def check_names(self) -> None:
        """Refuses two features that would have the same name; names that differ only in case are the same."""
        seen: dict[str, Output] = {}
        for output in self.outputs:
            other = seen.setdefault(output.name.casefold(), output)
            if other is output:
                continue
            raise AsknownError(
                "name-clash",
                f"the features {other.reference} and {output.reference} would both be named '{output.name}'",
                hint=self._clash_hint("give one of them another alias in a feature service"),
            )
        for column in self.keys().keys() & self.inputs().keys():
            raise AsknownError(
                "name-clash",
                f"'{column}' would be a key and an input of one request",
                hint="name the key otherwise in the feature service: keys: {…}",
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
        f"{whose} has no key '{column}', which '{view}' is read by",
        hint=did_you_mean(column, columns, what="its columns") if columns else f"give '{column}' in every row",
    )


def unknown_input(column: str, known: Sequence[str]) -> AsknownError:
    """The error for a column of a request of on-demand features that none of the features reads."""
    return AsknownError(
        "request-input",
        f"none of the requested features has a key or an input '{column}'",
        hint=did_you_mean(column, known, what="keys and inputs")
        or "leave it out: these features need no key and no input",
    )


def missing_input(column: str, kind: SqlType, view: str, row: int | None = None) -> AsknownError:
    """The error for a request, or a row of it, without an input of an on-demand view."""
    whose = "the request" if row is None else f"row {row} of the request"
    return AsknownError(
        "request-input",
        f"{whose} has no input '{column}' ({kind}), which '{view}' needs",
        hint=f"give '{column}' beside the keys, in every row",
    )


def answered_until(request: Request) -> list[tuple[Read, datetime]]:
    """The reads that have an end, and the instant (naive, in UTC) from which on they have no answer.

    At it, the first row counts that is too far ahead to be kept, or a calendar ends that the load computed.
    """
    found = []
    for read in request.reads:
        ends = [] if read.stored.beyond_at is None else [read.stored.beyond_at.replace(tzinfo=None)]
        windows = read.stored.view.windows
        if windows is not None and windows.starts and (last := windows.known_until(read.windowed)) is not None:
            ends.append(from_microseconds(last))
        found += [(read, min(ends))] if ends else []
    return found
