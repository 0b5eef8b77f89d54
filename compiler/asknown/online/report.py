"""The reports of a load of the online table and of an inspection of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from asknown.addresses import Address

State = Literal["ok", "note", "act"]
"""As it should be; worth knowing; needs something done."""

Read = Literal["all", "new files", "nothing"]
"""The part of a view's sources that a load read."""


@dataclass(frozen=True)
class LoadReport:
    """The report of one load of one view.

    ``rows_seen`` = ``new`` + ``changed`` + ``unchanged`` + ``skipped_null`` + ``rows_future``. ``removed`` keys were
    there before, and have left; ``rows_total`` is the table's size after the load. ``skipped_null`` had no key or no
    time, ``rows_future`` a time after the load's watermark; neither are stored. If the table is ``rebuilt``, every key
    that stays counts as changed. ``rows_ahead`` rows are stored and become visible later; ``rows_beyond`` rows become
    visible too late for that, the first at ``beyond_at``. ``events_…`` count the events that windows are computed from.

    ``read`` says what was read of the view's sources. Where that is not all, the counts are those that a load of all
    rows would report. ``why`` is the reason for which all was read, None for a first load; ``files`` and ``files_read``
    count the files of the sources, where they are known. ``digest`` is a hash of all that the table has of the view
    after the load: the same content gives the same digest. None where the table keeps no hashes.
    """

    view: str
    rows_seen: int
    new: int
    changed: int
    removed: int
    unchanged: int
    skipped_null: int
    rows_future: int
    rows_total: int
    watermark: datetime
    rebuilt: bool
    seconds: float
    rows_ahead: int = 0
    rows_beyond: int = 0
    beyond_at: datetime | None = None
    events_added: int = 0
    events_removed: int = 0
    events_total: int = 0
    read: Read = "all"
    why: str | None = None
    files: int | None = None
    files_read: int | None = None
    digest: str | None = None

    @property
    def words(self) -> str | None:
        """The part of the sources that was read, in words; None for a first load, which reads all."""
        match self.read:
            case "nothing":
                return "nothing new in the sources"
            case "new files":
                return f"{self.files_read:,} new of {self.files:,} files"
            case "all":
                return None if self.why is None else f"full, because {self.why}"


@dataclass(frozen=True)
class EventReport:
    """The report of one load of a view's events. ``events_total`` is the table's size after it."""

    view: str
    rows_seen: int
    added: int
    removed: int
    skipped_null: int
    rows_future: int
    events_total: int
    seconds: float


@dataclass(frozen=True)
class AheadReport:
    """The report of one load of a view's rows ahead: how many are stored, and how many are beyond, from when on."""

    view: str
    ahead: int
    beyond: int
    beyond_at: datetime | None


@dataclass(frozen=True)
class Check:
    """The result of one check. ``run`` is what to type or do next; ``facts`` are the figures in ``found``."""

    check: str
    of: str
    state: State
    found: str
    run: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Inspection:
    """The checks of the online table at ``path``, at the instant ``at`` (UTC)."""

    path: Address
    at: datetime
    checks: tuple[Check, ...]

    @property
    def findings(self) -> tuple[Check, ...]:
        """The checks that ask the user to act."""
        return tuple(check for check in self.checks if check.state == "act")

    @property
    def healthy(self) -> bool:
        """Whether nothing needs to be done."""
        return not self.findings
