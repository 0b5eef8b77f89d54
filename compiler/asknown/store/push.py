"""Pushes rows into sources: many callers hand rows in, and one thread writes them, many in one transaction (rule 14).

A row is durable, queued for the offline copy and readable before its caller gets an answer. The thread takes what is
waiting, and waits for no more; so one caller is answered after one commit, and many share one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from asknown.durations import spell
from asknown.emit.models import source_name
from asknown.errors import AsknownError
from asknown.project.nodes import Project, SourceTable
from asknown.store.landing import try_landing
from asknown.store.push_answers import PushAnswer, Refusal, Request
from asknown.store.push_paths import PushPath, find_pushable, pushable
from asknown.store.push_values import Row, RowCheck
from asknown.store.push_writes import PushWrites

if TYPE_CHECKING:
    from asknown.store.feature_store import FeatureStore
    from asknown.store.written_views import WrittenView
    from asknown.types import SqlType

MOST_WAITING = 10_000
"""Rows that may wait to be written; more are refused with ``push-full``."""

_MOST_AT_ONCE = 1_000  # rows in one transaction, unless a single request has more
_LAND_EVERY = 30.0  # seconds
_LAND_ROWS = 10_000


class PushWriter:
    """Writes pushed rows of a project. May be shared by threads. Close it, or use it in a ``with`` block.

    ``open_store`` gives a store of the project, which the writer's own thread reads the definitions from and closes.
    """

    def __init__(
        self, project: Project, open_store: Callable[[], FeatureStore], *, waiting: int = MOST_WAITING
    ) -> None:
        self._project = project
        self._checks: dict[str, RowCheck] = {}
        self._views: dict[str, WrittenView] = {}
        self._writes = PushWrites(open_store)
        self._waiting: list[Request] = []
        self._most_waiting = waiting
        self._rows_waiting = 0
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._due = threading.Condition(self._lock)
        self._closing = False
        self._unlanded = 0
        self._thread: threading.Thread | None = None
        self._lander: threading.Thread | None = None
        if not pushable(project):
            raise AsknownError(
                "push-source",
                "the project has no source that takes pushes"
                if project.profile.target.type == "duckdb"
                else f"rows are pushed into projects on DuckDB, and the target is {project.profile.target.type}",
                hint="declare one: push: {id: …, event_time: …, known_at: _arrived, land: …}",
            )

    # -- for callers ---------------------------------------------------------------------------------------------

    def push(self, source: str, rows: Any, *, partial: bool = False, ids: Sequence[str] | None = None) -> PushAnswer:
        """Writes rows of a source's table, and returns what became of them once they are durable and readable.

        ``rows`` is a list of dicts, a dict of lists, or Arrow, pandas or polars data, with every column of the table
        but the arrival. All are refused if one is, unless ``partial``: the answer then names those that were refused.
        ``ids`` tell repeats of rows apart where the table has no id of its own.

        Errors: ``unknown-source``, ``push-source``, ``push-row``, ``push-future``, ``push-no-id``, ``push-full``,
        ``online-stale``, ``online-write``.
        """
        return self.submit(source, rows, partial=partial, ids=ids).result()

    def submit(
        self, source: str, rows: Any, *, partial: bool = False, ids: Sequence[str] | None = None
    ) -> Future[PushAnswer]:
        """As :meth:`push`, without waiting: the answer, or the error, to come. Refused rows are an error at once."""
        return self.send(self.prepare(source, rows, partial=partial, ids=ids))

    def prepare(self, source: str, rows: Any, *, partial: bool = False, ids: Sequence[str] | None = None) -> Request:
        """The rows as a request that is checked and not yet sent; with ``partial``, it says which were refused."""
        return self._make_request(find_pushable(self._project, source), as_rows(rows), partial=partial, ids=ids)

    def send(self, request: Request) -> Future[PushAnswer]:
        """Hands a request to the thread that writes. Raises ``push-full`` where too many rows wait."""
        with self._lock:
            if self._closing:
                raise ValueError("the writer is closed")
            if self._rows_waiting and self._rows_waiting + len(request.rows) > self._most_waiting:
                raise AsknownError(
                    "push-full",
                    f"{self._rows_waiting:,} rows wait to be written, and the queue holds {self._most_waiting:,}",
                    hint="send the rows again in a moment",
                )
            self._rows_waiting += len(request.rows)
            self._waiting.append(request)
            self._start()
            self._arrived.notify()
        return request.answer

    def columns(self, source: str) -> dict[str, SqlType]:
        """The columns, with their types, that a row for a source's table has."""
        return self._check_of(find_pushable(self._project, source)).types

    def check(self, source: str, rows: Any) -> None:
        """Raises the error of the first row that :meth:`push` would refuse."""
        self._make_request(find_pushable(self._project, source), as_rows(rows), partial=False, ids=None)

    def offsets(self, topic: str) -> dict[int, int]:
        """The next offset of each partition of a topic that was pushed from."""
        return self._writes.read_offsets(topic)

    def paths(self) -> list[PushPath]:
        """Which views follow pushes into which source, and why the others do not."""
        return self._writes.read_paths()

    def view(self, name: str) -> WrittenView:
        """How rows of a view are pushed. Errors: ``unknown-view``, ``push-view``, ``push-source``."""
        found = self._views.get(name)
        return found or self._views.setdefault(name, self._writes.read_written(name))

    def close(self) -> None:
        """Writes what is waiting, lands it unless a load runs, and ends the threads."""
        with self._lock:
            self._closing = True
            self._arrived.notify()
            self._due.notify()
        for thread in (self._thread, self._lander):
            if thread is not None:
                thread.join()
        if self._thread is not None:
            with suppress(AsknownError):  # the rows stay in the outbox, and land with the next writer or load
                try_landing(self._project)

    def __enter__(self) -> PushWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- the rows of a request -----------------------------------------------------------------------------------

    def _check_of(self, table: SourceTable) -> RowCheck:
        name = source_name(table)
        return self._checks.get(name) or self._checks.setdefault(name, RowCheck(table))

    def _make_request(
        self, table: SourceTable, rows: Sequence[Any], *, partial: bool, ids: Sequence[str] | None
    ) -> Request:
        name = source_name(table)
        assert table.push is not None
        check = self._check_of(table)
        if ids is not None and len(ids) != len(rows):
            raise AsknownError("bad-value", f"ids: {len(rows)} rows have {len(ids)} ids")
        kept: list[Row] = []
        refused: list[Refusal] = []
        now = time.time_ns() // 1_000
        for number, given in enumerate(rows, start=1):
            try:
                row = check.check(given, number, None if ids is None else ids[number - 1])
                if row.event_time is not None and row.event_time > now + table.push.max_skew:
                    raise _of_the_future(name, number, table.push.max_skew)
            except AsknownError as error:
                if not partial:
                    raise
                refused.append(Refusal(number, error.code, error.message))
            else:
                kept.append(row)
        return Request(table, kept, refused, len(rows))

    # -- the threads ---------------------------------------------------------------------------------------------

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="asknown-push", daemon=True)
            self._lander = threading.Thread(target=self._land, name="asknown-land", daemon=True)
            self._thread.start()
            self._lander.start()

    def _run(self) -> None:
        """Writes what is waiting, until the writer is closed."""
        try:
            while requests := self._take():
                rows = self._writes.write(requests)
                with self._lock:
                    self._unlanded += rows
                    if self._unlanded >= _LAND_ROWS:
                        self._due.notify()
        finally:
            self._writes.close()

    def _take(self) -> list[Request]:
        """The requests to write next, all at their time; none once the writer is closed and nothing waits."""
        with self._lock:
            while True:
                now = time.time_ns() // 1_000
                ready: list[Request] = []
                rows = 0
                for request in self._waiting:
                    if request.not_before <= now and (not ready or rows + len(request.rows) <= _MOST_AT_ONCE):
                        ready.append(request)
                        rows += len(request.rows)
                if ready:
                    self._waiting = [request for request in self._waiting if request not in ready]
                    self._rows_waiting -= rows
                    return ready
                if self._closing and not self._waiting:
                    return []
                soonest = min((request.not_before for request in self._waiting), default=None)
                self._arrived.wait(None if soonest is None else max(0.0, (soonest - now) / 1_000_000) + 0.0005)

    def _land(self) -> None:
        """Lands rows every now and then, until the writer is closed."""
        while True:
            with self._lock:
                deadline = time.monotonic() + _LAND_EVERY
                while not self._closing and self._unlanded < _LAND_ROWS and time.monotonic() < deadline:
                    self._due.wait(deadline - time.monotonic())
                if self._closing:
                    return
                due, self._unlanded = self._unlanded, 0
            if due:
                with suppress(AsknownError):  # they stay in the outbox; the next landing, or load, tries again
                    try_landing(self._project)


def as_rows(rows: Any) -> Sequence[Any]:
    """The rows as dicts, from a list of dicts, a dict of lists, or Arrow, pandas or polars data."""
    if isinstance(rows, Mapping):
        columns = {name: list(values) if _is_list(values) else None for name, values in rows.items()}
        lengths = {None if values is None else len(values) for values in columns.values()}
        if None in lengths or len(lengths) != 1:
            raise _no_rows("its values are not lists of one length")
        (length,) = lengths
        return [{name: values[i] for name, values in columns.items() if values} for i in range(length or 0)]
    if hasattr(rows, "__arrow_c_stream__"):
        import pyarrow as pa

        found: list[dict[str, Any]] = pa.table(rows).to_pylist()
        return found
    if isinstance(rows, (str, bytes)) or not isinstance(rows, Iterable):
        raise _no_rows(f"it is a {type(rows).__name__}")
    return list(rows)


def parquet_rows(path: str) -> list[dict[str, Any]]:
    """The rows of a Parquet file as dicts."""
    import pyarrow.parquet as pq

    found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return found


def _is_list(values: Any) -> bool:
    return isinstance(values, Iterable) and not isinstance(values, (str, bytes, Mapping))


def _no_rows(why: str) -> AsknownError:
    return AsknownError(
        "bad-value",
        f"rows cannot be read: {why}",
        hint='give a list of dicts, as in [{"order_id": "o1", …}], or a data frame',
    )


def _of_the_future(source: str, number: int, skew: int) -> AsknownError:
    return AsknownError(
        "push-future",
        f"row {number} for '{source}' is of the future, by more than the {spell(skew)} that 'max_skew' allows",
        hint="check the clock of whoever made it; rows that are known ahead come with a load",
    )
