"""The ASGI application: which endpoint answers a request, and what every answer goes through.

It has no global state, so that several may be mounted in one process. Routes are a table: to look a path up in it
takes a tenth of what a framework's router takes, and reads are short.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any
from urllib.parse import unquote

import msgspec

from asknown.addresses import Address
from asknown.errors import AsknownError
from asknown.serve.auth import Token, Tokens
from asknown.serve.limits import DisconnectedError, Limits, Receive, Send
from asknown.serve.metrics import metrics
from asknown.serve.problems import CONTENT_TYPE, ProblemError, as_problem, bug
from asknown.serve.state import State

Scope = MutableMapping[str, Any]

log = logging.getLogger("asknown.serve")

_LONGEST_ID = 64  # characters of a request's id
_JSON = b"application/json"


class Call(msgspec.Struct, gc=False):
    """One request on its way through an endpoint. ``name`` is the path's parameter."""

    headers: dict[bytes, bytes]
    receive: Receive
    request_id: str
    query: bytes = b""
    token: Token | None = None
    name: str = ""


class Reply(msgspec.Struct, frozen=True, gc=False):
    """An answer without an error."""

    body: bytes
    content_type: bytes = _JSON
    headers: Sequence[tuple[bytes, bytes]] = ()


Handler = Callable[[State, Call], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path: its method and what answers it.

    ``public`` endpoints need no token. ``light`` ones are answered whatever the number of requests in work.
    """

    path: str
    method: str
    handler: Handler
    public: bool = False
    light: bool = False


class Application:
    """Serves the online table in a file, or on a server.

    ``startup`` and ``shutdown`` are its lifespan, for a host that mounts it.
    """

    def __init__(
        self, file: str | Address, tokens: Sequence[Token] = (), limits: Limits | None = None, **options: Any
    ) -> None:
        from asknown.serve.endpoints import ENDPOINTS

        self.state = State(Path(file) if isinstance(file, str) else file, limits or Limits(), **options)
        self._tokens = Tokens(tokens)
        endpoints: tuple[Endpoint, ...] = ENDPOINTS
        if self.state.pushes is not None:
            from asknown.serve.push import PUSH_ENDPOINTS

            endpoints += PUSH_ENDPOINTS
        self._exact = {endpoint.path: endpoint for endpoint in endpoints if "{" not in endpoint.path}
        self._below = {e.path.partition("{")[0]: e for e in endpoints if "{" in e.path}
        self._numbers = count(1)
        self._prefix = os.urandom(6).hex()
        self._working = 0

    async def startup(self) -> None:
        """Opens the table. What cannot be opened yet is an answer 503, and is tried again with each request."""
        await self.state.startup()

    async def shutdown(self) -> None:
        """Ends the threads and writes what is left of the log."""
        await self.state.shutdown()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":  # a WebSocket: none is served here
            await send({"type": "websocket.close", "code": 1000})
            return
        started = perf_counter()
        headers: dict[bytes, bytes] = dict(scope["headers"])
        request_id = self._request_id(headers.get(b"x-request-id"))
        endpoint: Endpoint | None = None
        code, status = "ok", 200
        try:
            endpoint, name = self._find(scope)
            reply = await self._work(
                endpoint, Call(headers, receive, request_id, scope.get("query_string", b""), None, name)
            )
            body, kind, more = reply.body, reply.content_type, reply.headers
        except DisconnectedError:
            return
        except (ProblemError, AsknownError) as error:
            problem = error if isinstance(error, ProblemError) else as_problem(error)
            if problem.status == 500:
                _log_bug(request_id, headers)
            code, status = problem.code, problem.status
            body, kind, more = problem.body(request_id), CONTENT_TYPE, problem.headers
        except Exception:
            _log_bug(request_id, headers)
            code, status = "internal", 500
            body, kind, more = bug().body(request_id), CONTENT_TYPE, ()
        sent = [
            (b"content-type", kind),
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", request_id.encode()),
            *more,
        ]
        if self.state.draining and (b"connection", b"close") not in sent:
            sent.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": sent})
        await send({"type": "http.response.body", "body": body})
        metrics().request(endpoint.path if endpoint else "", code, started, perf_counter())

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            done = "startup" if message["type"] == "lifespan.startup" else "shutdown"
            try:
                await (self.startup() if done == "startup" else self.shutdown())
            except Exception as error:
                await send({"type": f"lifespan.{done}.failed", "message": str(error)})
                raise
            await send({"type": f"lifespan.{done}.complete"})
            if done == "shutdown":
                return

    async def _work(self, endpoint: Endpoint, call: Call) -> Reply:
        if not endpoint.light and self._working >= self.state.limits.concurrency:
            raise ProblemError(
                "overloaded", f"The server works on {self._working} requests, and takes no more.", hint="try again"
            )
        if not endpoint.public and not self._tokens.open:
            call.token = self._tokens.find(call.headers.get(b"authorization"))
        if endpoint.light:
            return await endpoint.handler(self.state, call)
        self._working += 1
        try:
            return await endpoint.handler(self.state, call)
        finally:
            self._working -= 1

    def _find(self, scope: Scope) -> tuple[Endpoint, str]:
        path, root, name = scope["path"], scope.get("root_path", ""), ""
        if root and path.startswith(root):
            path = path[len(root) :]
        endpoint = self._exact.get(path)
        if endpoint is None:
            start, _, last = path.rpartition("/")
            endpoint, name = self._below.get(f"{start}/"), unquote(last)
            if endpoint is None or not name:
                known = ", ".join([*self._exact, *(e.path for e in self._below.values())])
                raise ProblemError("not-found", f"There is no path '{path}' here.", hint=f"paths: {known}")
        if endpoint.method != scope["method"]:
            raise ProblemError(
                "wrong-method",
                f"{path} does not take {scope['method']}.",
                hint=f"send {endpoint.method}",
                headers=[(b"allow", endpoint.method.encode())],
            )
        return endpoint, name

    def _request_id(self, given: bytes | None) -> str:
        if given and len(given) <= _LONGEST_ID and given.isascii():
            text = given.decode()
            if text.isprintable():
                return text
        return f"{self._prefix}-{next(self._numbers):x}"


def _log_bug(request_id: str, headers: dict[bytes, bytes]) -> None:
    """Logs the exception that is being handled, with what finds its request in other logs."""
    log.exception("request %s failed, traceparent %s", request_id, headers.get(b"traceparent", b"-").decode("latin-1"))


def app(file: str | Address, tokens: Sequence[Token] = (), limits: Limits | None = None, **options: Any) -> Application:
    """An ASGI application that serves the online table in ``file``.

    ``tokens`` are those that it takes; without any it takes every request. A host that mounts it must call
    ``startup()`` and ``shutdown()`` in its own lifespan.
    """
    return Application(file, tokens, limits, **options)
