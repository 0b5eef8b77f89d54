"""The definitions that the online table stores: views, their windows, on-demand views and services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal

from asknown.periods import CalendarPeriod, Period, Starts
from asknown.types import Column, SqlType


@dataclass(frozen=True)
class Owner:
    """The project and the target whose online table a file is. A load stamps its file with them."""

    project: str
    target: str

    def __str__(self) -> str:
        return f"target '{self.target}' of project '{self.project}'"


@dataclass(frozen=True)
class StoredCall:
    """One aggregate over one frame: the rows from ``oldest`` to ``newest`` microseconds before the instant read at.

    With a ``period`` these are bounds: the frame is the period that the instant lies in, or the one before (``back``).
    ``aggregate`` is a key of ``aggregates.AGGREGATES``; ``value``, ``order`` and ``condition`` name hidden columns of
    the events; ``number`` is the second argument where it is a literal: a quantile's number, a separator.
    """

    aggregate: str
    value: str | None
    order: str | None
    condition: str | None
    number: float | str | None
    oldest: int
    newest: int
    period: Period | None = None
    back: bool = False


@dataclass(frozen=True)
class StoredFeature:
    """A feature computed at reading: ``expression`` is a tree of ``model.expressions`` over calls and hidden columns.

    ``columns`` are the hidden as-of columns that it reads, ``calls`` the places of its calls.
    """

    name: str
    type: SqlType
    expression: Any  # nested tuples of plain values
    calls: tuple[int, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True)
class OnlineWindows:
    """The trailing windows of a view: the hidden columns kept of each event, and what is computed from them.

    ``lifetime``: every window reaches from the beginning to the newest event, so that states of all events are kept in
    place of the events.
    ``starts`` are the beginnings of the calendar's periods that the calls are about, as far as the load computed them.
    """

    columns: tuple[Column, ...]
    calls: tuple[StoredCall, ...]
    derived: tuple[StoredFeature, ...]
    lifetime: bool = False
    starts: tuple[Starts, ...] = ()

    @property
    def longest(self) -> int:
        """The reach of the longest frame in microseconds. Older events are not needed."""
        return max((call.oldest for call in self.calls), default=0)

    @property
    def periods(self) -> tuple[CalendarPeriod, ...]:
        """The periods of the calendar that the calls are about."""
        return tuple(dict.fromkeys(c.period for c in self.calls if isinstance(c.period, CalendarPeriod)))

    def known_until(self, features: Sequence[StoredFeature]) -> int | None:
        """From when on (microseconds) the calendar of some features is not known; None if they stand on none."""
        periods = {self.calls[place].period for feature in features for place in feature.calls}
        return min((starts.last for starts in self.starts if starts.period in periods), default=None)


@dataclass(frozen=True)
class OnlineView:
    """A feature view as the online table keeps it.

    ``fingerprint`` names the view's definition: rows of another fingerprint are never mixed with these.
    ``event_time``, ``known_at`` and ``created_at`` name columns; several may name the same one. ``ttl`` is in
    microseconds, None for no bound. ``features`` is all that a user may ask for, in select order. ``columns`` is every
    column of the view's table, keys and times included: with windows, without the features computed from them and with
    the hidden as-of columns that those read. The columns stand in the order in which they break ties (rule 3).
    """

    name: str
    fingerprint: str
    keys: tuple[Column, ...]
    event_time: str
    known_at: str | None
    created_at: str | None
    features: tuple[Column, ...]
    ttl: int | None
    columns: tuple[Column, ...]
    windows: OnlineWindows | None = None

    @property
    def kept(self) -> tuple[Column, ...]:
        """The columns that decide between rows of equal times (rule 3): as-of features and hidden as-of columns."""
        others = {*(key.name for key in self.keys), *self.times}
        return tuple(column for column in self.columns if column.name not in others)

    @property
    def times(self) -> tuple[str, ...]:
        """The time columns by which rows of one key are ordered, each once (rule 3)."""
        named = (self.event_time, self.known_at, self.created_at)
        return tuple(dict.fromkeys(name for name in named if name is not None))

    @property
    def ahead_columns(self) -> tuple[Column, ...]:
        """The columns that rows dated ahead have beside keys and times: those of the table, and those of the events."""
        known = {column.name for column in self.columns}
        windowed = () if self.windows is None else self.windows.columns
        others = [column for column in self.columns if column not in self.keys]
        return (*others, *(column for column in windowed if column.name not in known))

    def type_of(self, column: str) -> SqlType:
        """The type of one of the view's columns."""
        return next(c.type for c in self.columns if c.name == column)


@dataclass(frozen=True)
class StoredSource:
    """A column that on-demand features read under ``name``: a key, the instant, an input, or a feature of a view.

    ``column`` is the name of the key or input in a request, or of the feature in ``view``. ``keys`` pairs the view's
    keys with those of the request, where they differ. Where the view is looked up, ``by`` pairs keys of it with the
    sources, by name, whose values they are: inputs, and features of views. ``each`` is the key that is looked up by
    every element of a list: ``type`` is then that of a list of the feature's values.
    """

    name: str
    type: SqlType
    origin: Literal["key", "asked_at", "input", "feature", "lookup"]
    column: str = ""
    view: str | None = None
    keys: tuple[tuple[str, str], ...] = ()
    by: tuple[tuple[str, str], ...] = ()
    each: str | None = None


@dataclass(frozen=True)
class OnlineOnDemand:
    """An on-demand view as the online table keeps it: what its features read, and their expressions (rule 12).

    The features of other on-demand views are written into the expressions, so that all features among ``sources`` are
    of views that have rows. ``keys`` and ``inputs`` are those of all features together.
    """

    name: str
    keys: tuple[Column, ...]
    inputs: tuple[Column, ...]
    sources: tuple[StoredSource, ...]
    features: tuple[StoredFeature, ...]

    def source(self, name: str) -> StoredSource:
        """A source by the name that expressions have for it."""
        return next(source for source in self.sources if source.name == name)

    def read_by(self, feature: StoredFeature) -> list[StoredSource]:
        """The sources that a feature reads, each after those that it is looked up by."""
        found: dict[str, StoredSource] = {}

        def add(name: str) -> None:
            source = self.source(name)
            for _, other in source.by:
                add(other)
            found.setdefault(name, source)

        for name in feature.columns:
            add(name)
        return list(found.values())


@dataclass(frozen=True)
class ServicePart:
    """One line of a feature service: a view, its features (None: all), read under other keys where ``keys`` says so.

    ``keys`` maps the view's key column to the request's column; ``alias`` stands for the view in full names.
    """

    view: str
    features: tuple[str, ...] | None = None
    alias: str | None = None
    keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class OnlineService:
    name: str
    parts: tuple[ServicePart, ...]


@dataclass(frozen=True)
class Hashes:
    """The hashes of a view's tables when they were last written, as :mod:`content` hashes it.

    None where there is no such table, or where no load has come since the file was of a layout without hashes.
    """

    rows: str | None = None
    events: str | None = None
    tiles: str | None = None
    ahead: str | None = None
    pushed: str | None = None

    def digest(self, features: Sequence[str]) -> str | None:
        """One hash of all these, for a view with these features, and without tiles, which are made of events.

        None where the table keeps none. A table that is not there counts as an empty one.
        """
        if self.rows is None:
            return None
        nothing = "0" * 16
        parts = [self.rows, self.events or nothing, self.ahead or nothing, self.pushed or nothing, *features]
        return sha256("\n".join(parts).encode()).hexdigest()


@dataclass(frozen=True)
class StoredPushes:
    """The pushes into ``source`` that a view has seen.

    ``seq`` numbers the last pushed row, and ``at`` is its arrival in microseconds; both are 0 where there is none yet.
    ``rows`` is the number of pushed events that no load has seen.
    """

    source: str
    seq: int = 0
    at: int = 0
    rows: int = 0


@dataclass(frozen=True)
class StoredView:
    """A view as it stands in the file. ``watermark`` and ``loaded_at`` are aware, in UTC.

    ``events`` is the number of rows that its windows are computed from; None where it has no windows. ``ahead`` is the
    number of rows that become visible after the watermark; None where there are none. ``beyond`` rows become
    visible after all of these, the first at ``beyond_at``: they are not stored. ``pushes`` is None for a view that only
    loads update. ``stale_tiles``: since the tiles of some keys were made, a few events of these keys have come or left.
    """

    view: OnlineView
    watermark: datetime
    rows: int
    load_id: str
    loaded_at: datetime
    events: int | None = None
    hashes: Hashes = Hashes()
    ahead: int | None = None
    beyond: int = 0
    beyond_at: datetime | None = None
    pushes: StoredPushes | None = None
    stale_tiles: bool = False

    def describe(self) -> dict[str, Any]:
        """The facts a person or a program asks for, as plain values by name."""
        windows = self.view.windows
        return {
            "view": self.view.name,
            "watermark": self.watermark,
            "rows": self.rows,
            "ttl_us": self.view.ttl or 0,
            "keys": [c.name for c in self.view.keys],
            "features": [c.name for c in self.view.features],
            "windows": None if windows is None else _describe_windows(windows, self.events),
            "ahead": self.ahead or 0,
            "beyond": self.beyond,
            "beyond_at": self.beyond_at,
            "fingerprint": self.view.fingerprint,
            "load_id": self.load_id,
            "loaded_at": self.loaded_at,
        }


def _describe_windows(windows: OnlineWindows, events: int | None) -> dict[str, Any]:
    return {
        "features": [feature.name for feature in windows.derived],
        "aggregates": sorted({call.aggregate for call in windows.calls}),
        "longest_us": windows.longest,
        "events": events,
    }
