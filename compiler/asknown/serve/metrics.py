"""The metrics of a process that serves, in Prometheus' form. Labels are views, services and codes, never keys.

There is one set a process, however many applications are mounted in it. With several workers each writes its values
to files in the folder ``PROMETHEUS_MULTIPROC_DIR``, and any of them gives the sum.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

if TYPE_CHECKING:
    from asknown.online.nodes import StoredView

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
_EVERY = 0.5  # seconds between two moves of the counts to Prometheus' own

Counts = tuple[tuple[tuple[str, str], int], ...]
"""How many values of a read have each status, by view and status."""


class Metrics:
    """The counters of this process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=self.registry)

        self._requests = counter("asknown_requests", "Requests by endpoint and error code.", "endpoint", "code")
        self._seconds = Histogram(
            "asknown_request_seconds",
            "The time to answer, from the request's head to the answer's last byte.",
            ["endpoint"],
            registry=self.registry,
            buckets=_SECONDS,
        )
        self._rows = counter("asknown_rows", "Entity rows read, by service; '' is a list of features.", "service")
        self._values = counter("asknown_values", "Values read, by view and status.", "view", "status")
        self._push_rows = counter("asknown_push_rows", "Rows pushed, by source and outcome.", "source", "outcome")
        self._log_rows = counter("asknown_log_rows", "Rows of the log of served features.", "service", "outcome")
        self._observe: dict[str, Callable[[float], None]] = {}
        self._pending: dict[tuple[Counter, tuple[str, ...]], int] = {}
        self._reads: dict[tuple[str, int, Counts], int] = {}
        self._lock = Lock()
        self._next = 0.0

    def request(self, endpoint: str, code: str, began: float, ended: float) -> None:
        """Counts one answer; ``code`` is ``ok`` or the problem's code, and the times are seconds of one clock."""
        self._add(self._requests, (endpoint, code), 1)
        observe = self._observe.get(endpoint)
        if observe is None:
            observe = self._observe[endpoint] = self._seconds.labels(endpoint).observe
        observe(ended - began)
        if ended >= self._next:
            self._next = ended + _EVERY
            self.flush()

    def read(self, service: str, rows: int, counts: Counts) -> None:
        """Counts one read of so many entity rows, and its values. Equal reads are counted together."""
        read = (service, rows, counts)
        with self._lock:
            self._reads[read] = self._reads.get(read, 0) + 1

    def push_rows(self, source: str, outcome: str, count: int) -> None:
        """Counts pushed rows by what became of them."""
        self._add(self._push_rows, (source, outcome), count)

    def log_rows(self, service: str, outcome: str, count: int) -> None:
        """Counts rows of the log: ``written`` or ``dropped``."""
        self._add(self._log_rows, (service, outcome), count)

    def _add(self, counter: Counter, labels: tuple[str, ...], count: int) -> None:
        """Adds to a number that :meth:`flush` moves to the counter, which takes ten times as long."""
        with self._lock:
            key = (counter, labels)
            self._pending[key] = self._pending.get(key, 0) + count

    def flush(self) -> None:
        """Moves what was counted to where Prometheus reads it."""
        with self._lock:
            pending, self._pending = self._pending, {}
            reads, self._reads = self._reads, {}
        for (counter, labels), count in pending.items():
            counter.labels(*labels).inc(count)
        for (service, rows, counts), times in reads.items():
            self._rows.labels(service).inc(rows * times)
            for labels, count in counts:
                self._values.labels(*labels).inc(count * times)


@cache
def metrics() -> Metrics:
    """The metrics of this process."""
    return Metrics()


def expose(views: Iterable[StoredView]) -> bytes:
    """The text that Prometheus reads, with the ages of the views' watermarks as of now."""
    metrics().flush()
    registry = CollectorRegistry()
    registry.register(_Ages(views))
    text = generate_latest(registry)
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together) + text
    return generate_latest(metrics().registry) + text


class _Ages:
    """The gauges of the table, computed when they are asked for."""

    def __init__(self, views: Iterable[StoredView]) -> None:
        self._views = list(views)

    def collect(self) -> Iterator[Any]:
        """Gives the gauge of the watermarks."""
        gauge = GaugeMetricFamily(
            "asknown_watermark_age_seconds", "The time since the instant that a view was loaded for.", labels=["view"]
        )
        now = datetime.now(UTC)
        for stored in self._views:
            gauge.add_metric([stored.view.name], (now - stored.watermark).total_seconds())
        yield gauge
