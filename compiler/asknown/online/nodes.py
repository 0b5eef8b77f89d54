"""What the online table is told and what it answers with: views, services, and the report of a load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from asknown.types import SqlType


@dataclass(frozen=True)
class Column:
    name: str
    type: SqlType


@dataclass(frozen=True)
class OnlineView:
    """A feature view as the online table keeps it.

    ``fingerprint`` names the view's definition: rows of another fingerprint are never mixed with these.
    ``event_time``, ``known_at`` and ``created_at`` name columns; several may name the same one. ``ttl`` is in
    microseconds, 0 for no bound. ``columns`` is every column of the select, keys and times included, in its order.
    """

    name: str
    fingerprint: str
    keys: tuple[Column, ...]
    event_time: str
    known_at: str | None
    created_at: str | None
    features: tuple[Column, ...]
    ttl: int
    columns: tuple[Column, ...]

    @property
    def times(self) -> tuple[str, ...]:
        """The time columns by which rows of one key are ordered, each once (DESIGN section 3, rule 3)."""
        named = (self.event_time, self.known_at, self.created_at)
        return tuple(dict.fromkeys(name for name in named if name is not None))

    def type_of(self, column: str) -> SqlType:
        """The type of one of the view's columns."""
        return next(c.type for c in self.columns if c.name == column)


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
class StoredView:
    """A view as it stands in the file. ``watermark`` and ``loaded_at`` are aware, in UTC."""

    view: OnlineView
    watermark: datetime
    rows: int
    load_id: str
    loaded_at: datetime

    def describe(self) -> dict[str, Any]:
        """The facts a person or a program asks for, as plain values by name."""
        return {
            "view": self.view.name,
            "watermark": self.watermark,
            "rows": self.rows,
            "ttl_us": self.view.ttl,
            "keys": [c.name for c in self.view.keys],
            "features": [c.name for c in self.view.features],
            "fingerprint": self.view.fingerprint,
            "load_id": self.load_id,
            "loaded_at": self.loaded_at,
        }


@dataclass(frozen=True)
class LoadReport:
    """What one load of one view did.

    ``rows_seen`` = ``inserted`` + ``updated`` + ``unchanged`` + ``skipped_null``; ``rows_total`` is the table's size
    after it. ``watermark`` is the one that holds now: the stored one, where the load's own was earlier.
    """

    view: str
    rows_seen: int
    inserted: int
    updated: int
    unchanged: int
    skipped_null: int
    rows_total: int
    watermark: datetime
    rebuilt: bool
    seconds: float
