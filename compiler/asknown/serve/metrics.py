"""The metrics of a process that serves, in Prometheus' form. Labels are views, services and codes, never keys.

There is one set a process, however many applications are mounted in it. With several workers each writes its values
to files in the folder ``PROMETHEUS_MULTIPROC_DIR``, and any of them gives the sum.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

if TYPE_CHECKING:
    from asknown.online.nodes import StoredView

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


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
        self._log_rows = counter("asknown_log_rows", "Rows of the log of served features.", "service", "outcome")
        self._children: dict[tuple[str, ...], Any] = {}

    def request(self, endpoint: str, code: str, seconds: float) -> None:
        """Counts one answer; ``code`` is ``ok`` or the problem's code."""
        self._child(self._requests, endpoint, code).inc()
        self._child(self._seconds, endpoint).observe(seconds)

    def rows(self, service: str, count: int) -> None:
        """Counts entity rows."""
        self._child(self._rows, service).inc(count)

    def values(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Counts values, given by view and status."""
        for (view, status), count in counts.items():
            self._child(self._values, view, status).inc(count)

    def log_rows(self, service: str, outcome: str, count: int) -> None:
        """Counts rows of the log: ``written`` or ``dropped``."""
        self._child(self._log_rows, service, outcome).inc(count)

    def _child(self, metric: Any, *labels: str) -> Any:
        key = (metric._name, *labels)  # to look it up here takes half the time of labels()
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = metric.labels(*labels)
        return child


@cache
def metrics() -> Metrics:
    """The metrics of this process."""
    return Metrics()


def expose(views: Iterable[StoredView]) -> bytes:
    """The text that Prometheus reads, with the ages of the views' watermarks as of now."""
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
