"""One load of an online table: the order of its calls, its guards and its reports, the same for every store.

After a load, each of its views holds exactly what the load brought (rule 10); the same load twice writes nothing. Each
store brings a subclass that says how it writes. All of a load is one transaction of the store.
"""

from __future__ import annotations

import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from asknown.errors import AsknownError
from asknown.instants import from_microseconds, to_microseconds
from asknown.online.batches import StoredRows, read_ahead, read_rows
from asknown.online.loads import check_instant, check_not_before_push, check_not_older, check_shrink, check_shrink_ahead
from asknown.online.metadata import differs, shape
from asknown.online.nodes import OnlineView, StoredView
from asknown.online.report import AheadReport, EventReport, LoadReport

OnRows = Callable[[int], None]


@dataclass
class RowCounts:
    """The rows of a load by outcome.

    The view had ``before`` keys, of which ``gone`` did not come; now it has ``total``.
    ``new`` keys came in and ``changed`` ones have another row; a view that is made anew counts neither.
    """

    seen: int = 0
    skipped: int = 0
    future: int = 0
    new: int = 0
    changed: int = 0
    gone: int = 0
    before: int = 0
    total: int = 0

    def count(self, chunk: StoredRows) -> None:
        """Counts the rows that were read with a chunk."""
        self.seen += chunk.seen
        self.skipped += chunk.skipped
        self.future += chunk.future


@dataclass
class EventCounts:
    """The events of a load by outcome."""

    seen: int = 0
    skipped: int = 0
    future: int = 0
    added: int = 0
    removed: int = 0

    def count(self, chunk: StoredRows) -> None:
        """Counts the rows that were read with a chunk."""
        self.seen += chunk.seen
        self.skipped += chunk.skipped
        self.future += chunk.future


@dataclass(frozen=True)
class RowLoad:
    """The rows of one view to write. ``held`` is the view as the store has it; ``fresh``: its place is made anew.

    ``check`` is to be called with the counts before the store removes a key that readers find.
    """

    view: OnlineView
    watermark: datetime
    held: StoredView | None
    fresh: bool
    chunks: Iterable[StoredRows]
    check: Callable[[RowCounts], None]
    on_rows: OnRows | None

    @property
    def made(self) -> StoredView:
        """The view as it is when its place has been made anew."""
        pushes = None if self.held is None else self.held.pushes
        return StoredView(self.view, self.watermark, 0, "", self.watermark, pushes=pushes)


class KeysAlone(Protocol):
    """The keys of a view that had rows dated ahead alone, before a load."""

    @property
    def count(self) -> int:
        """How many there were."""

    def count_lost(self, now: StoredView) -> int:
        """How many of them have no row any more, as the view is ``now``."""


@dataclass
class _Later:
    """The rows dated ahead that a load keeps, as they are read; counts those that are beyond."""

    view: OnlineView
    batches: Iterable[Any]
    after: int
    last: int
    beyond: int = 0
    late: list[int] = field(default_factory=list)  # one instant for each chunk with rows beyond: the first

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """The rows: keys, times as microseconds with the visible instant first, columns."""
        for chunk in read_ahead(self.view, self.view.ahead_columns, self.batches, self.after, self.last):
            yield from chunk.values
            self.beyond += chunk.beyond
            self.late.extend(() if chunk.first_beyond is None else (chunk.first_beyond,))

    @property
    def first_beyond(self) -> datetime | None:
        """The instant at which the first row that is not kept becomes visible."""
        return from_microseconds(min(self.late)).replace(tzinfo=UTC) if self.late else None


class Writer(ABC):
    """One load. ``place`` names the table in messages. Watermarks may lie ``max_skew`` after this machine's clock."""

    def __init__(self, place: str, max_skew: timedelta | None) -> None:
        self.load_id = uuid.uuid4().hex
        self._place = place
        self._max_skew = max_skew
        self._failed = False
        self._missing: dict[str, set[str]] = {}  # by view: the calls that must follow load()
        self._alone: dict[str, KeysAlone] = {}  # by view: the keys with rows ahead alone that it must not lose

    # -- what a store brings -----------------------------------------------------------------------------------

    @abstractmethod
    def stored(self) -> Mapping[str, StoredView]:
        """The views in the table as this load sees them."""

    @abstractmethod
    def _find(self, view: OnlineView, *, full_refresh: bool) -> StoredView | None:
        """The view of this name as the table has it. Refuses one that is broken, but for a ``full_refresh``."""

    @abstractmethod
    def _keep_alone(self, held: StoredView, view: OnlineView) -> KeysAlone | None:
        """The keys with rows ahead alone, before a load of ``view``; None if there are none."""

    @abstractmethod
    def _write_rows(self, load: RowLoad) -> tuple[RowCounts, StoredView]:
        """Makes the view's rows those of the load: the counts, and the view before the load with the hash after it."""

    @abstractmethod
    def _write_events(
        self, held: StoredView, view: OnlineView, batches: Iterable[Any], on_rows: OnRows | None
    ) -> tuple[EventCounts, StoredView]:
        """Makes the view's events those of the batches: the counts, and the view with the hashes after it."""

    @abstractmethod
    def _write_ahead(self, held: StoredView, rows: Iterator[tuple[Any, ...]]) -> StoredView:
        """Makes the view's rows ahead these: the view with their number and hash."""

    @abstractmethod
    def _replace_pushed(
        self, held: StoredView, source: str | None, batches: Iterable[Any], *, at: int, seq: int
    ) -> StoredView:
        """Makes the rows of the batches the only pushed ones of the view: the view as it is then."""

    @abstractmethod
    def _save(self, held: StoredView | None, now: StoredView) -> None:
        """Writes what the table says of a view, if it says anything else; ``held`` is None for one made anew."""

    def _fits(self, held: OnlineView, view: OnlineView) -> bool:
        """Whether rows of ``view`` can be written where those of ``held`` lie."""
        return shape(held) == shape(view)

    def _explained(self, error: BaseException) -> AsknownError | None:
        """The user's error for one of the store's library; None where it is to be raised as it is."""
        return None

    # -- one view ----------------------------------------------------------------------------------------------

    def load(
        self,
        view: OnlineView,
        batches: Iterable[Any],
        watermark: datetime,
        *,
        full_refresh: bool = False,
        allow_shrink: bool = False,
        on_rows: OnRows | None = None,
    ) -> LoadReport:
        """Makes a view's rows exactly those of ``batches``, and reports what changed (rule 10).

        ``batches`` are Arrow record batches with the columns of the view's table: one row for each key, as known at
        ``watermark`` (naive: UTC). ``full_refresh`` makes the table anew, which also mends a damaged one, and allows
        an earlier watermark than the view's; ``allow_shrink`` lets any number of keys leave. ``on_rows`` is called
        with the number of rows read so far. A view with windows needs :meth:`load_events` next. Errors:
        ``load-older``, ``load-shrinks``.
        """
        started = time.perf_counter()
        with self._step():
            watermark = self._checked(watermark)
            held = self._find(view, full_refresh=full_refresh)
            fresh = self._is_fresh(held, view, watermark, full_refresh=full_refresh)
            self._alone.pop(view.name, None)
            if held is not None and not allow_shrink and (alone := self._keep_alone(held, view)) is not None:
                self._alone[view.name] = alone

            def check(counts: RowCounts) -> None:
                if not allow_shrink:
                    check_shrink(view.name, counts.gone, counts.before)

            rows = read_rows(view, batches, watermark)
            counts, stored = self._write_rows(RowLoad(view, watermark, held, fresh, rows, check, on_rows))
            if fresh:
                counts.changed = counts.before - counts.gone
                counts.new = counts.total - counts.changed
            events = None if view.windows is None else stored.events or 0
            now = replace(stored, view=view, watermark=watermark, rows=counts.total, events=events)
            self._save(None if fresh else held, now)
            self._expect(now)
        return _load_report(now, counts, fresh=fresh, seconds=time.perf_counter() - started)

    def _is_fresh(self, held: StoredView | None, view: OnlineView, watermark: datetime, *, full_refresh: bool) -> bool:
        """Whether the view is made anew. Refuses a load that is older than what the table holds."""
        if held is None:
            return True
        if not full_refresh:
            check_not_older(view.name, held.watermark, watermark)
            if self._fits(held.view, view):
                return False
        if held.pushes is not None:
            check_not_before_push(view.name, held.pushes.at, watermark)
        return True

    def load_events(
        self, view: OnlineView, batches: Iterable[Any], watermark: datetime, *, on_rows: OnRows | None = None
    ) -> EventReport:
        """Makes a view's events those of ``batches``, and says what changed; after :meth:`load`, with its watermark.

        ``batches`` bring every event that is visible at ``watermark`` and not older than the longest window: columns
        of the keys, the times, and the windows' hidden columns.
        """
        started = time.perf_counter()
        with self._step():
            held = self._loaded(view, self._checked(watermark), "load_events")
            if view.windows is None:
                raise ValueError(f"'{view.name}' has no windows")
            counts, now = self._write_events(held, view, batches, on_rows)
            total = (held.events or 0) + counts.added - counts.removed
            self._save(held, replace(now, events=total))
            self._done(view, "load_events")
        return EventReport(
            view=view.name,
            rows_seen=counts.seen,
            added=counts.added,
            removed=counts.removed,
            skipped_null=counts.skipped,
            rows_future=counts.future,
            events_total=total,
            seconds=time.perf_counter() - started,
        )

    def load_ahead(self, view: OnlineView, batches: Iterable[Any], watermark: datetime, max_ahead: int) -> AheadReport:
        """Makes a view's rows ahead those of ``batches``; after :meth:`load`, with its watermark.

        ``batches`` bring every row that becomes visible after ``watermark``: columns of the view's table and of its
        events. Rows that become visible more than ``max_ahead`` microseconds after it are counted, and not kept.
        """
        with self._step():
            watermark = self._checked(watermark)
            held = self._loaded(view, watermark, "load_ahead")
            after = to_microseconds(watermark.replace(tzinfo=None))
            later = _Later(view, batches, after, min(after + max_ahead, to_microseconds(datetime.max)))
            now = self._write_ahead(held, later.rows())
            alone = self._alone.pop(view.name, None)
            if alone is not None:  # a row beyond may be of such a key, which is then not lost
                lost = alone.count_lost(now) - later.beyond
                check_shrink_ahead(view.name, max(0, lost), alone.count)
            now = replace(now, beyond=later.beyond, beyond_at=later.first_beyond)
            self._save(held, now)
            self._done(view, "load_ahead")
        return AheadReport(view=view.name, ahead=now.ahead or 0, beyond=now.beyond, beyond_at=now.beyond_at)

    def load_pushed(
        self, view: OnlineView, source: str | None, batches: Iterable[Any] = (), *, at: int = 0, seq: int = 0
    ) -> None:
        """Puts the pushed rows that this load cannot have seen beside what it brought; after all else of the view.

        ``source`` is the one whose pushes the view follows, None if it follows none. ``batches`` bring the view's rows
        of all that has not landed; ``at`` and ``seq`` are the arrival and the number of the last of these.
        """
        with self._step():
            held = self.stored().get(view.name)
            if held is None or differs(held.view, view):
                raise ValueError(f"load_pushed() comes after load() of the same view, '{view.name}'")
            self._save(held, self._replace_pushed(held, source, batches, at=at, seq=seq))
            self._done(view, "load_pushed")

    # -- the order of the calls --------------------------------------------------------------------------------

    def _expect(self, now: StoredView) -> None:
        """Notes the calls that must follow the load of a view."""
        self._missing[now.view.name] = {
            *(("load_events",) if now.view.windows is not None else ()),
            *(("load_ahead",) if now.ahead or now.beyond else ()),
            *(("load_pushed",) if now.pushes is not None else ()),
        }

    def _done(self, view: OnlineView, call: str) -> None:
        self._missing.get(view.name, set()).discard(call)

    def _loaded(self, view: OnlineView, watermark: datetime, call: str) -> StoredView:
        """The view as :meth:`load` left it."""
        held = self.stored().get(view.name)
        if held is None or differs(held.view, view) or held.watermark != watermark:
            raise ValueError(f"{call}() comes after load() of the same view and instant, '{view.name}'")
        return held

    def _refusal(self) -> Exception | None:
        """The reason for which the load cannot be committed as it stands."""
        if self._failed:
            return self._nothing_written()
        for view, calls in self._missing.items():
            if calls:
                return ValueError(f"load() was not followed by {', '.join(sorted(calls))}() for '{view}'")
        return None

    def _nothing_written(self) -> AsknownError:
        return AsknownError(
            "online-write",
            f"nothing was written to {self._place}, because a part of this load failed",
            hint="put the first error right and run it again",
        )

    @contextmanager
    def _step(self) -> Iterator[None]:
        """Marks the load as failed where the block fails, so that it is not committed; explains the store's errors."""
        try:
            yield
        except BaseException as error:
            self._failed = True
            meaning = self._explained(error)
            if meaning is None:
                raise
            raise meaning from error

    def _checked(self, watermark: datetime) -> datetime:
        """The watermark in UTC (naive: UTC already), unless it lies further in the future than clocks may differ."""
        watermark = watermark.replace(tzinfo=UTC) if watermark.tzinfo is None else watermark.astimezone(UTC)
        if self._max_skew is not None:
            check_instant(watermark, self._max_skew)
        return watermark


def _load_report(now: StoredView, counts: RowCounts, *, fresh: bool, seconds: float) -> LoadReport:
    return LoadReport(
        view=now.view.name,
        rows_seen=counts.seen,
        new=counts.new,
        changed=counts.changed,
        removed=counts.gone,
        unchanged=counts.total - counts.new - counts.changed,
        skipped_null=counts.skipped,
        rows_future=counts.future,
        rows_total=counts.total,
        watermark=now.watermark,
        rebuilt=fresh,
        seconds=seconds,
    )
