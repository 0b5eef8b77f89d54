"""The log of an ``OnlineReader``: what was read and answered, as JSON lines, written by a thread of its own.

A read appends one entry to a bounded queue and never waits. Where the queue is full, or the file cannot be written,
rows are dropped and counted: the log may lack rows, and no read fails or is slower. The standard library only.
"""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from asknown.errors import AsknownError
from asknown.online.log_values import as_json
from asknown.online.served_log import LOADS, REQUEST_ID, SEQ, SERVED_AT, hash_value, sampler
from asknown.paths import absolute, check_path

if TYPE_CHECKING:
    from asknown.online.answer import Answer
    from asknown.online.request import Query, Request

_BOUND = 10_000  # rows that wait, at most
_SECONDS = 0.5  # between two writes
_SLICE, _PAUSE = 8, 0.0005  # entries that are spelled at once, and the pause after them, in which reads go on

_Entry = tuple["Query", "Answer", Mapping[str, Sequence[Any]], int]


class ReadLog:
    """The log at ``path`` of the reads of one reader, from any thread.

    ``dropped`` counts rows that are not in the log, and ``error`` is the last reason why the file could not be written.
    """

    def __init__(self, path: str | Path, sample: float, omit: Sequence[str], hashed: Sequence[str]) -> None:
        check_path(path, "log")
        self.path = absolute(path)
        if isinstance(sample, bool) or not isinstance(sample, int | float) or not 0 < sample <= 1:
            raise AsknownError(
                "bad-value", f"sample={sample!r} is no share", hint="give a number above 0 and at most 1: sample=0.01"
            )
        self._sample = float(sample)
        self._omit, self._hash = _names(omit, "omit"), _names(hashed, "hash")
        self.dropped = 0
        self.error: OSError | None = None
        self._samplers: dict[int, tuple[Request, Callable[[Mapping[str, Any], int], bool]]] = {}
        self._begin()

    def _begin(self) -> None:
        """Begins anew, in a process that has no thread yet."""
        self._process = os.getpid()
        self._entries: deque[_Entry] = deque()
        self._waiting = 0
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._ending = self._torn = False

    def add(self, query: Query, answer: Answer, given: Mapping[str, Sequence[Any]], count: int) -> None:
        """Keeps an answer for the thread, or drops it where too many wait."""
        request = answer.request
        if request is None or not count:
            return
        known = self._samplers.get(id(request))
        is_kept = self._sampler(request) if known is None else known[1]
        try:
            if count == 1 and not is_kept(given, 0):
                return
        except Exception:  # a value whose text cannot be made: the read was right, and the log does without it
            self.dropped += 1
            return
        if self._process != os.getpid():  # a fork carried the reader here, and not its thread
            self._begin()
        with self._lock:
            if self._waiting + count > _BOUND or self._ending:
                self.dropped += count
                return
            self._waiting += count
            self._entries.append((query, answer, given, count))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="asknown-read-log", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Writes what waits, and ends the thread."""
        if self._process != os.getpid():
            return
        with self._lock:
            self._ending = True
            thread = self._thread
        self._wake.set()
        if thread is not None:
            thread.join()

    def _sampler(self, request: Request) -> Callable[[Mapping[str, Any], int], bool]:
        """Whether a row of a request is kept; made once for each request that the reader resolves."""
        keys = sorted(request.keys())
        is_key_kept = sampler(keys, self._sample)

        def is_kept(given: Mapping[str, Any], row: int) -> bool:
            return is_key_kept([given[key][row] for key in keys])

        if len(self._samplers) >= 256:
            self._samplers.clear()
        self._samplers[id(request)] = (request, is_kept)
        return is_kept

    def _run(self) -> None:
        while True:
            self._wake.wait(_SECONDS)
            ending = self._ending
            while self._entries:
                self._write_some(hurry=ending)
            if ending:
                return

    def _write_some(self, *, hurry: bool) -> None:
        """Writes the lines of the entries that wait, without keeping reads from going on."""
        entries = [self._entries.popleft() for _ in range(min(len(self._entries), 1_000))]
        rows = sum(count for *_, count in entries)
        lines: list[bytes] = []
        for place, entry in enumerate(entries):
            try:
                lines.extend(self._lines(*entry))
            except Exception:  # a value that JSON cannot hold, or a bug of ours: the log goes on, and reading with it
                self.dropped += entry[3]
            if not hurry and place % _SLICE == _SLICE - 1:
                sleep(_PAUSE)
        with self._lock:
            self._waiting -= rows
        try:
            self._append(b"".join(lines))
        except OSError as error:
            self.error = error
            self.dropped += len(lines)

    def _append(self, data: bytes) -> None:
        """Adds to the file, which its owner alone may read, as keys are personal data. Half a line is left as it is."""
        if not data:
            return
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            data = b"\n" + data if self._torn else data
            while data:
                written = os.write(file, data)
                self._torn = data[written - 1 : written] != b"\n"
                data = data[written:]
        finally:
            with suppress(OSError):
                os.close(file)

    def _lines(self, query: Query, answer: Answer, given: Mapping[str, Sequence[Any]], count: int) -> Iterator[bytes]:
        """The lines of one answer, one for each of its rows that the sample has."""
        request = answer.request
        assert request is not None
        is_kept = self._samplers[id(request)][1] if id(request) in self._samplers else self._sampler(request)
        rows = [row for row in range(count) if is_kept(given, row)]
        if not rows:
            return
        columns = list(dict.fromkeys([*request.keys(), *request.inputs()]))
        references, full_names, _ = query.shape
        statuses = answer.statuses()
        said = {
            REQUEST_ID: uuid4().hex,
            SERVED_AT: answer.instant.isoformat(),
            SEQ: answer.seq,
            LOADS: _loads(request),
            "features": list(references),
            "full_names": full_names,
            "hidden": [name for name in columns if name in self._omit or name in self._hash],
        }
        for row in rows:
            line = {
                **said,
                "given": {
                    name: hash_value(given[name][row]) if name in self._hash else as_json(given[name][row])
                    for name in columns
                    if name not in self._omit
                },
                "values": {
                    output.name: as_json(values[row])
                    for output, values in zip(answer.outputs, answer.values, strict=True)
                },
                "statuses": {output.name: statuses[output.name][row] for output in answer.outputs},
            }
            yield json.dumps(line, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def _loads(request: Request) -> dict[str, dict[str, str]]:
    """By view: the load that the read saw."""
    return {
        read.stored.view.name: {
            "load_id": read.stored.load_id,
            "watermark": read.stored.watermark.isoformat(),
            "loaded_at": read.stored.loaded_at.isoformat(),
            "fingerprint": read.stored.view.fingerprint,
        }
        for read in request.reads
    }


def _names(names: Sequence[str], parameter: str) -> frozenset[str]:
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise AsknownError("bad-value", f"{parameter}={names!r} is no list of columns", hint=f'{parameter}=["carrier"]')
    return frozenset(names)
