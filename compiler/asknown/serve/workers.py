"""Several processes that serve from one socket: the parent starts them, replaces one that dies, and ends them all.

Each has a reader of its own. They write their metrics to files in one folder, and any of them gives the sum.
"""

from __future__ import annotations

import os
import signal
import socket
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from asknown.serve.app import Application
from asknown.serve.lifecycle import run
from asknown.serve.log import ServiceWriter

if TYPE_CHECKING:
    from asknown.addresses import Address
    from asknown.online.nodes import Owner
    from asknown.project.nodes import ServiceLog
    from asknown.serve.auth import Token
    from asknown.serve.limits import Limits
    from asknown.store.push import PushWriter

METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


@dataclass(frozen=True)
class Serving:
    """The needs of a serving process, in a form that another process can be given. ``drain`` is in seconds.

    ``pushing`` is the project, by its folder and target, whose sources take pushes; None where none does.
    """

    path: Address
    tokens: tuple[Token, ...]
    limits: Limits
    owner: Owner | None
    logs: tuple[tuple[str, ServiceLog, Path], ...]
    drain: float
    pushing: tuple[Path, str | None] | None = None

    def open_writer(self) -> PushWriter | None:
        """The writer of pushes of this process. Several may write: the table numbers rows in its transactions."""
        if self.pushing is None:
            return None
        from asknown.store import FeatureStore

        return FeatureStore(*self.pushing).push_writer()

    def application(self, pushes: PushWriter | None = None) -> Application:
        """The application, which takes pushes where a writer of them is given."""
        logs = {service: ServiceWriter(service, how, folder) for service, how, folder in self.logs}
        return Application(self.path, self.tokens, self.limits, owner=self.owner, logs=logs, pushes=pushes)


def _work(serving: Serving, listener: socket.socket, ready: Any) -> None:
    """The life of one process."""
    run(serving.application(serving.open_writer()), listener, drain=serving.drain, on_ready=ready.release)


def run_workers(
    serving: Serving, listener: socket.socket, number: int, *, on_ready: Callable[[], None], say: Callable[[str], None]
) -> None:
    """Serves with so many processes until SIGTERM or SIGINT, and returns when all have ended."""
    with tempfile.TemporaryDirectory(prefix="asknown-metrics-") as folder:
        os.environ[METRICS_FOLDER] = folder
        _Workers(serving, listener, say).run(number, on_ready)


class _Workers:
    def __init__(self, serving: Serving, listener: socket.socket, say: Callable[[str], None]) -> None:
        self._context = get_context("spawn")  # a fork would carry threads and connections along
        self._serving, self._listener, self._say = serving, listener, say
        self._ready = self._context.Semaphore(0)
        self._processes: list[Any] = []
        self._ending = False

    def run(self, number: int, on_ready: Callable[[], None]) -> None:
        """Starts the processes, and keeps so many alive until a signal comes."""
        before = {one: signal.signal(one, self._end) for one in (signal.SIGTERM, signal.SIGINT)}
        try:
            self._run(number, on_ready)
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    def _run(self, number: int, on_ready: Callable[[], None]) -> None:
        for _ in range(number):
            self._start()
        waiting = number
        while not self._ending and waiting:
            waiting -= self._ready.acquire(timeout=0.2)
            self._replace_dead()
        if not self._ending:
            on_ready()
        while not self._ending:
            for process in list(self._processes):
                process.join(0.2)
            self._replace_dead()
        for process in self._processes:
            process.join()

    def _start(self) -> None:
        process = self._context.Process(target=_work, args=(self._serving, self._listener, self._ready))
        process.start()
        self._processes.append(process)

    def _replace_dead(self) -> None:
        for process in [one for one in self._processes if not one.is_alive()]:
            if self._ending:
                return
            self._processes.remove(process)
            self._say(f"process {process.pid} has ended with {process.exitcode}; another takes its place")
            self._start()

    def _end(self, sig: int, _: FrameType | None) -> None:
        self._ending = True
        for process in self._processes:
            with suppress(ProcessLookupError, AttributeError):
                os.kill(process.pid, sig)
