"""The log of served features: what a service was asked and what it answered, as Parquet files that are a spine.

A request appends one entry to a bounded list and never waits; a thread makes rows of the entries and writes them. When
the list is full, entries are dropped and counted: the log may lack rows, and never slows a read. A folder has the
files of one service, a day each:
``logs/flight_delay_v1/2026-11-30/<fingerprint>-<start>-<process>.parquet``. The fingerprint names the columns.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec

from asknown.errors import AsknownError, did_you_mean
from asknown.online.served_log import LOADS, METADATA, REQUEST_ID, SEQ, SERVED_AT, TOKEN, hash_value, sampler
from asknown.serve.metrics import metrics

if TYPE_CHECKING:
    import pyarrow as pa

    from asknown.online.answer import Status
    from asknown.online.nodes import StoredView
    from asknown.project.nodes import ServiceLog
    from asknown.serve.read import Prepared
    from asknown.types import SqlType

log = logging.getLogger("asknown.serve")

_ROWS = 10_000  # in a file, at most about
_SECONDS = 30.0  # after which a file is written, however few its rows
_BOUND = 50_000  # rows that wait, at most


class Entry(msgspec.Struct, frozen=True):
    """One answered request: its columns, the answer's columns and statuses, in the reader's Python values."""

    request_id: str
    served_at: datetime
    seq: int
    token: str | None
    prepared: Prepared
    given: Mapping[str, Sequence[Any]]
    values: Sequence[Sequence[Any]]
    statuses: Sequence[Sequence[Status]]
    rows: int


class ServiceWriter:
    """The log of one service, whose thread begins with the first entry."""

    def __init__(
        self, service: str, how: ServiceLog, folder: Path, *, rows: int = _ROWS, seconds: float = _SECONDS
    ) -> None:
        self.service = service
        self.folder = folder / service
        self.how = how
        self._rows, self._seconds = rows, seconds
        self._entries: deque[Entry] = deque()
        self._waiting = 0
        self._wake = threading.Event()
        self._ending = False
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._day = ""

    def add(self, entry: Entry) -> None:
        """Keeps an entry for the thread, or drops it where too many wait."""
        with self._lock:
            if self._waiting + entry.rows > _BOUND or self._ending:
                metrics().log_rows(self.service, "dropped", entry.rows)
                return
            self._waiting += entry.rows
            self._entries.append(entry)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"asknown-log-{self.service}", daemon=True)
                self._thread.start()
        if self._waiting >= self._rows:
            self._wake.set()

    def close(self) -> None:
        """Writes what waits, and ends the thread."""
        with self._lock:
            self._ending = True
            thread = self._thread
        self._wake.set()
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        written = monotonic()
        while True:
            self._wake.wait(max(0.05, self._seconds - (monotonic() - written)))
            self._wake.clear()
            ending = self._ending
            while self._entries:
                self._write_some()
            written = monotonic()
            if ending and not self._entries:
                return

    def _write_some(self) -> None:
        """Writes a file of the oldest entries that have the same columns."""
        some: list[Entry] = []
        rows = 0
        while self._entries and rows < self._rows and (not some or _same(some[0], self._entries[0])):
            some.append(self._entries.popleft())
            rows += some[-1].rows
        with self._lock:
            self._waiting -= rows
        try:
            kept = self._write(some)
        except Exception:  # a full disk, or a bug of ours: the log goes on, and serving with it
            log.exception("the log of %s cannot be written", self.service)
            metrics().log_rows(self.service, "dropped", rows)
            return
        metrics().log_rows(self.service, "written", kept)

    def _write(self, entries: Sequence[Entry]) -> int:
        import pyarrow.parquet as pq

        table = make_table(self.service, self.how, entries)
        if not table.num_rows:
            return 0
        day = entries[-1].served_at.strftime("%Y-%m-%d")
        folder = self.folder / day
        folder.mkdir(parents=True, exist_ok=True)
        start = entries[0].served_at.strftime("%H%M%S%f")
        name = f"{fingerprint(entries[0].prepared)}-{start}-{os.getpid()}.parquet"
        part = folder / f".{name}.part"
        try:
            pq.write_table(table, part, compression="zstd")
            part.replace(folder / name)
        finally:
            part.unlink(missing_ok=True)
        if day != self._day:
            self._day = day
            self._remove_old()
        return int(table.num_rows)

    def _remove_old(self) -> None:
        if self.how.keep is None:
            return
        oldest = (datetime.now(UTC) - timedelta(microseconds=self.how.keep)).strftime("%Y-%m-%d")
        for folder in self.folder.iterdir():
            with suppress(ValueError):
                if datetime.strptime(folder.name, "%Y-%m-%d") and folder.name < oldest:
                    shutil.rmtree(folder, ignore_errors=True)


def _same(first: Entry, second: Entry) -> bool:
    return first.prepared is second.prepared or (
        fingerprint(first.prepared) == fingerprint(second.prepared)
        and first.served_at.date() == second.served_at.date()
    )


def check_columns(service: str, how: ServiceLog, columns: Sequence[str]) -> None:
    """Refuses columns of ``omit`` and ``hash`` that the service does not take."""
    for name in (*how.omit, *how.hash):
        if name not in columns:
            raise AsknownError(
                "bad-config",
                f"the log of '{service}' names the column '{name}', which is no key or input of the service",
                at=how.at,
                hint=did_you_mean(name, columns, what="its keys and inputs"),
            )


def fingerprint(prepared: Prepared) -> str:
    """A name for the columns of a log: equal where keys, inputs and features have the same names and types."""
    fields = [(name, str(kind)) for name, kind in (*prepared.fields.keys.items(), *prepared.fields.inputs.items())]
    features = [(output.name, str(output.column.type)) for output in prepared.outputs or ()]
    return hashlib.blake2b(msgspec.json.encode([fields, features]), digest_size=8).hexdigest()


def make_table(service: str, how: ServiceLog, entries: Sequence[Entry]) -> pa.Table:
    """The rows of entries that have the same columns."""
    import pyarrow as pa

    from asknown.serve.arrow import column_array

    prepared = entries[0].prepared
    kinds: dict[str, SqlType] = {**prepared.fields.keys, **prepared.fields.inputs}
    keys = sorted(prepared.fields.keys)
    is_kept = sampler(keys, how.sample)
    kept = [
        (entry, row)
        for entry in entries
        for row in range(entry.rows)
        if is_kept([entry.given[key][row] for key in keys])
    ]
    arrays: dict[str, Any] = {
        REQUEST_ID: pa.array([entry.request_id for entry, _ in kept], pa.string()),
        SERVED_AT: pa.array([entry.served_at for entry, _ in kept], pa.timestamp("us", "UTC")),
        SEQ: pa.array([entry.seq for entry, _ in kept], pa.int64()),
        TOKEN: pa.array([entry.token for entry, _ in kept], pa.string()),
        LOADS: _loads(kept),
    }
    for name, kind in kinds.items():
        if name in how.omit:
            continue
        given = [entry.given[name][row] for entry, row in kept]
        hashed = name in how.hash
        arrays[name] = pa.array(map(hash_value, given), pa.string()) if hashed else column_array(given, kind)
    for place, output in enumerate(prepared.outputs or ()):
        arrays[output.name] = column_array([entry.values[place][row] for entry, row in kept], output.column.type)
        arrays[f"{output.name}__status"] = pa.array([entry.statuses[place][row] for entry, row in kept], pa.string())
    readable = [name for name in kinds if name not in (*how.omit, *how.hash)]
    said = {
        "service": service,
        "fingerprint": fingerprint(prepared),
        "columns": readable,
        "hidden": [name for name in kinds if name not in readable],
        "full_names": prepared.request.full_names,
        "features": [output.name for output in prepared.outputs or ()],
    }
    return pa.table(arrays).replace_schema_metadata({METADATA: json.dumps(said)})


def _loads(kept: Sequence[tuple[Entry, int]]) -> pa.Array:
    """By view: the load that the read saw."""
    import pyarrow as pa

    kind = pa.map_(
        pa.string(),
        pa.struct(
            [
                ("load_id", pa.string()),
                ("watermark", pa.timestamp("us", "UTC")),
                ("loaded_at", pa.timestamp("us", "UTC")),
                ("fingerprint", pa.string()),
            ]
        ),
    )
    known: dict[int, list[tuple[str, dict[str, Any]]]] = {}
    rows = []
    for entry, _ in kept:
        found = known.get(id(entry.prepared))
        if found is None:
            found = known[id(entry.prepared)] = [
                (read.stored.view.name, _load(read.stored)) for read in entry.prepared.request.reads
            ]
        rows.append(list(dict(found).items()))
    return pa.array(rows, kind)


def _load(stored: StoredView) -> dict[str, Any]:
    return {
        "load_id": stored.load_id,
        "watermark": stored.watermark,
        "loaded_at": stored.loaded_at,
        "fingerprint": stored.view.fingerprint,
    }
