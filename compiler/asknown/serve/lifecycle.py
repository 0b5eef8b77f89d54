"""Runs the application: uvicorn with a deadline for receiving a request, and a drain on SIGTERM.

uvicorn alone waits for ever for the rest of a request: each byte begins its keep-alive time again.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from asknown.errors import AsknownError
from asknown.serve.app import Application
from asknown.serve.problems import CONTENT_TYPE, ProblemError


@dataclass(frozen=True)
class Address:
    """Where a server listens; port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = 6566

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")

    def listen(self) -> socket.socket:
        """A socket that listens there. Raises ``bad-value`` where that cannot be."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self.host, self.port))
        except (OSError, OverflowError) as error:
            listener.close()
            why = getattr(error, "strerror", None) or str(error)
            raise AsknownError(
                "bad-value",
                f"cannot listen on {self.host}:{self.port}: {why.lower()}",
                hint="another process may have the port; --port 0 takes a free one",
            ) from None
        listener.set_inheritable(True)
        return listener


def run(
    application: Application,
    listener: socket.socket,
    *,
    drain: float,
    on_ready: Callable[[], None] | None = None,
    on_drain: Callable[[], None] | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT, then for ``drain`` seconds longer, and returns when all requests are answered."""
    config = uvicorn.Config(
        application,
        http=type("Protocol", (_Protocol,), {"seconds": application.state.limits.receive}),
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        proxy_headers=False,  # nothing here reads who asked
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=30,
    )
    _Server(config, application, drain, on_ready, on_drain).run([listener])


class _Server(uvicorn.Server):
    """uvicorn's server, which goes on for a while after SIGTERM, and then ends the process with exit code 0."""

    def __init__(
        self,
        config: uvicorn.Config,
        application: Application,
        drain: float,
        on_ready: Callable[[], None] | None,
        on_drain: Callable[[], None] | None,
    ) -> None:
        super().__init__(config)
        self._application = application
        self._drain = drain
        self._on_ready = on_ready
        self._on_drain = on_drain

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()  # first, because a signal may come at any time
        await super().startup(sockets)
        if self._on_ready is not None and self.started:
            self._on_ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begins the drain; a second signal ends it. Before the start there is nothing to drain.

        uvicorn's own would raise the signal again at the end.
        """
        if self._application.state.draining or not self.started:
            self.should_exit = True
            return
        self._application.state.draining = True
        if sig == signal.SIGINT or self._drain <= 0:
            self.should_exit = True
        self._loop.call_soon_threadsafe(self._begin_drain)

    def _begin_drain(self) -> None:
        """Says that the drain begins, outside of the handler, which may interrupt another line being written."""
        if self._on_drain is not None:
            self._on_drain()
        self._loop.call_later(self._drain, self._stop)

    def _stop(self) -> None:
        self.should_exit = True


class _WholeAnswers:
    """A transport that sends an answer's head together with the first part of its body: one system call, not two.

    uvicorn writes the head, and then the body. A call to the system takes longer than to find one row.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._write = transport.write
        self._head: bytes | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Sends data; a head waits for what follows it."""
        if self._head is not None:
            head, self._head = self._head, None
            self._write(head + data)
        elif data.startswith(b"HTTP/1.1 ") and data.endswith(b"\r\n\r\n") and not data.startswith(b"HTTP/1.1 1"):
            self._head = data
        else:
            self._write(data)

    def flush(self) -> None:
        """Sends a head that waits."""
        if self._head is not None:
            self.write(b"")

    def close(self) -> None:
        """Closes the connection, after what was written."""
        self.flush()
        self._transport.close()


class _Protocol(HttpToolsProtocol):
    """uvicorn's protocol, which closes a connection whose request is not complete after ``seconds``."""

    seconds = 10.0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        self._answers = _WholeAnswers(transport)
        super().connection_made(self._answers)  # type: ignore[arg-type]
        self._start_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_deadline()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answers what is no HTTP as every other mistake is answered; uvicorn would send a plain text."""
        problem = ProblemError("bad-request", msg, hint="send HTTP/1.1: a method, a path, headers and one length")
        self._close_with(b"400 Bad Request", problem)

    def on_response_complete(self) -> None:
        self._answers.flush()  # an answer without a body: a head alone
        super().on_response_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        cycle = self.cycle
        if cycle is not None and not cycle.more_body and cycle.scope is self.scope:  # the newest request is whole
            if self._deadline is not None:
                self._cancel_deadline()
        elif self._deadline is None:  # most requests come whole in one part, and need no timer
            self._start_deadline()

    def _start_deadline(self) -> None:
        self._cancel_deadline()
        self._deadline = self.loop.call_later(self.seconds, self._give_up)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        cycle = self.cycle
        if self.transport.is_closing():
            return
        if cycle is not None and not cycle.response_started:
            why = f"The request did not arrive whole within {self.seconds:g} seconds."
            self._close_with(b"408 Request Timeout", ProblemError("too-slow", why, hint="send it again, in one go"))
        self.transport.close()

    def _close_with(self, status: bytes, problem: ProblemError) -> None:
        body = problem.body("")
        head = b"HTTP/1.1 %b\r\ncontent-type: %b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        self.transport.write(head % (status, CONTENT_TYPE, len(body)) + body)
        self.transport.close()
