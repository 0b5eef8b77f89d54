"""Processes for the tests: forked from one that has imported everything, so that each starts in a few milliseconds.

A worker runs one job: a function ``job(parent, **arguments)`` of a module of this package. It may :meth:`Parent.say`
things on its way and hear what it is told; its answer, or its error, comes last. Its pipe ends when it does, however
that is.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from asknown.errors import AsknownError
from faults.world import Load, World

PATIENCE = 60.0  # seconds until a silent worker is a failed test
PRELOADED = ("asknown.online.sqlite.writer", "asknown.store.materialize", "asknown.cli.group", "asknown.engines.duckdb")


class Parent:
    """The test, as the worker sees it."""

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire

    def say(self, word: str) -> None:
        """Tells the test how far the job is."""
        self._send({"said": word})

    def told(self, seconds: float = 0) -> str | None:
        """What the test has said since, or None; waits ``seconds`` for it."""
        if not select.select([self._wire], [], [], seconds)[0]:
            return None
        return self._wire.recv(4096).decode() or "stop"

    def _send(self, message: dict[str, Any]) -> None:
        self._wire.sendall(json.dumps(message).encode() + b"\n")


class Worker:
    """A running job, as the test sees it."""

    def __init__(self, wire: socket.socket, arguments: dict[str, Any]) -> None:
        self._wire = wire
        self._lines = wire.makefile("rb")
        self._wire.settimeout(PATIENCE)
        self._wire.sendall(json.dumps(arguments).encode() + b"\n")
        self.pid = int(self._next()["pid"])

    def tell(self, word: str) -> None:
        """Says something to the job."""
        self._wire.sendall(word.encode())

    def wait_for(self, word: str) -> None:
        """Waits until the job says ``word``."""
        while (message := self._next()) != {"said": word}:
            assert "said" in message, f"the job ended before it said {word!r}: {message}"

    def kill(self) -> list[str]:
        """Ends the process as kill -9 does; gives what it had still said."""
        with suppress(ProcessLookupError):  # it was done
            os.kill(self.pid, signal.SIGKILL)
        said = []
        while message := self._next(default={}):
            if "said" in message:
                said.append(message["said"])
        self.close()
        return said

    def outcome(self) -> dict[str, Any]:
        """How the job ended: ``{"answer": …}``, ``{"error": code, …}`` or ``{"traceback": …}``."""
        while "said" in (message := self._next(default={"traceback": "the process ended without a word"})):
            pass
        self.close()
        return message

    def answer(self) -> Any:
        """The job's answer; any other end is a failed test."""
        outcome = self.outcome()
        assert "answer" in outcome, outcome.get("traceback") or outcome
        return outcome["answer"]

    def close(self) -> None:
        """Lets go of the pipe."""
        self._lines.close()
        self._wire.close()

    def _next(self, default: dict[str, Any] | None = None) -> dict[str, Any]:
        line = self._lines.readline()
        if not line:
            assert default is not None, "the job's process is gone"
            return default
        message: dict[str, Any] = json.loads(line)
        return message


class Crew:
    """The process that all workers are forked from. It is single-threaded, and has no file of ours open."""

    def __init__(self) -> None:
        tests = str(Path(__file__).parents[1])
        known = [tests, *filter(None, [os.environ.get("PYTHONPATH")])]
        self._wire, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "faults.workers", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(known), "OPENBLAS_NUM_THREADS": "1"},
            )

    def start(self, job: Callable[..., Any], **arguments: Any) -> Worker:
        """Starts a job in a process of its own. Arguments are what JSON can say."""
        here, there = socket.socketpair()
        with there:
            order = {"module": job.__module__, "job": job.__name__}
            socket.send_fds(self._wire, [json.dumps(order).encode()], [there.fileno()])
        return Worker(here, arguments)

    def run(self, job: Callable[..., Any], **arguments: Any) -> Any:
        """The answer of a job, waited for."""
        return self.start(job, **arguments).answer()

    def close(self) -> None:
        """Ends the process that forks; running workers go on."""
        self._wire.close()
        self._process.wait(PATIENCE)


def as_nobody() -> None:
    """Gives up root's rights, in a worker that tests what others may do."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)


def _serve(wire: socket.socket) -> None:
    for module in PRELOADED:
        importlib.import_module(module)
    World(1).batches(Load(0))  # the first Arrow arrays cost a fifth of a second, once
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the workers but their pipes
    while True:
        order, given, _, _ = socket.recv_fds(wire, 4096, 1)
        if not order:
            return
        task = json.loads(order)
        importlib.import_module(task["module"])  # here, so that the next worker has it
        if os.fork() == 0:
            wire.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _work(socket.socket(fileno=given[0]), task)
            os._exit(0)
        os.close(given[0])


def _work(wire: socket.socket, order: dict[str, Any]) -> None:
    parent = Parent(wire)
    try:
        with wire.makefile("rb") as lines:
            arguments = json.loads(lines.readline())
        parent._send({"pid": os.getpid()})  # only now does the test say more
        job = getattr(importlib.import_module(order["module"]), order["job"])
        end = {"answer": job(parent, **arguments)}
    except AsknownError as error:
        end = {"error": error.code, "message": error.message, "hint": error.hint}
    except BaseException:
        end = {"traceback": traceback.format_exc()}
    parent._send(end)


def sleep_until(moment: float) -> None:
    """Sleeps until ``time.perf_counter()`` is ``moment``."""
    time.sleep(max(0.0, moment - time.perf_counter()))


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
