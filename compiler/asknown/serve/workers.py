"""Several processes that serve from one socket: the parent starts them, replaces one that dies, and ends them all.

Each has a reader of its own. They write their metrics to files in one folder, and any of them gives the sum.
"""

from __future__ import annotations

import os
import signal
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import wait
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from asknown.serve.app import Application
from asknown.serve.lifecycle import run
from asknown.serve.log import ServiceWriter

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

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
    """The processes that serve. A signal is only noted when it comes; the loop passes it on to all that then live.

    A handler that passed it on itself would miss a process that is being started.
    """

    def __init__(self, serving: Serving, listener: socket.socket, say: Callable[[str], None]) -> None:
        self._context = get_context("spawn")  # a fork would carry threads and connections along
        self._serving, self._listener, self._say = serving, listener, say
        self._ready = self._context.Semaphore(0)
        self._processes: list[SpawnProcess] = []
        self._signals: list[int] = []

    def run(self, number: int, on_ready: Callable[[], None]) -> None:
        """Starts the processes, and keeps so many alive until a signal comes."""
        before = {one: signal.signal(one, self._note) for one in (signal.SIGTERM, signal.SIGINT)}
        try:
            self._run(number, on_ready)
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    def _run(self, number: int, on_ready: Callable[[], None]) -> None:
        for _ in range(number):
            self._start()
        waiting = number
        while not self._signals and waiting:
            waiting -= self._ready.acquire(timeout=0.2)
            self._replace_dead()
        if not self._signals:
            on_ready()
        while not self._signals:
            self._wait()
            self._replace_dead()
        while self._alive():
            self._pass_signals_on()  # a second one ends the drain
            self._wait()

    def _start(self) -> None:
        process = self._context.Process(target=_work, args=(self._serving, self._listener, self._ready))
        process.start()
        self._processes.append(process)

    def _alive(self) -> list[SpawnProcess]:
        return [process for process in self._processes if process.is_alive()]

    def _wait(self) -> None:
        """Waits until a process ends, for 0.2 seconds at most: a signal is noticed after that."""
        wait([process.sentinel for process in self._alive()], timeout=0.2)

    def _replace_dead(self) -> None:
        for process in [one for one in self._processes if not one.is_alive()]:
            if self._signals:
                return
            self._processes.remove(process)
            self._say(f"process {process.pid} has ended with {process.exitcode}; another takes its place")
            self._start()

    def _note(self, sig: int, _: FrameType | None) -> None:
        self._signals.append(sig)

    def _pass_signals_on(self) -> None:
        signals, self._signals = self._signals, []
        for process in self._alive():
            for sig in signals:
                if process.pid is not None:
                    os.kill(process.pid, sig)
