"""Calls of an application in this process, and a server in another one, for the tests of serving."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asknown.serve import Application
from waiting import PATIENCE

ASKNOWN = Path(sys.executable).with_name("asknown")


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def call(
    app: Application,
    method: str,
    path: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    *,
    parts: Sequence[bytes] | None = None,
    root_path: str = "",
    query: bytes = b"",
) -> Answer:
    """One request through the application itself, with no server between."""
    if parts is None:
        parts = [body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()]
    messages: Iterator[dict[str, Any]] = iter(
        [
            {"type": "http.request", "body": part, "more_body": place < len(parts)}
            for place, part in enumerate(parts, start=1)
        ]
    )
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return next(messages, {"type": "http.disconnect"})

    async def send(message: Any) -> None:
        sent.append(message)

    lines = {"content-type": "application/json", **(headers or {})}
    scope = {
        "type": "http",
        "method": method,
        "path": root_path + path,
        "root_path": root_path,
        "query_string": query,
        "headers": [(name.lower().encode(), value.encode()) for name, value in lines.items()],
    }
    asyncio.run(app(scope, receive, send))
    head, rest = sent[0], sent[1:]
    named = {name.decode(): value.decode() for name, value in head["headers"]}
    return Answer(head["status"], named, b"".join(message.get("body", b"") for message in rest))


@dataclass(frozen=True)
class Server:
    """A server in a process of its own."""

    process: subprocess.Popen[str]
    port: int

    def request(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            connection.request(method, path, data, {"content-type": "application/json", **(headers or {})})
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def stop(self) -> int:
        """Sends SIGTERM, and gives the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=PATIENCE)


@contextmanager
def serving(*arguments: str, folder: Path, first: str = "") -> Iterator[Server]:
    """`asknown serve` with the arguments, on a free port. It says lines that start with ``first`` before it serves."""
    command = [str(ASKNOWN), "serve", "--port", "0", "--drain", "0 seconds", *arguments]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        line = process.stderr.readline()
        while first and line.startswith(first):
            line = process.stderr.readline()
        found = re.search(r"on http://127\.0\.0\.1:(\d+)", line)
        assert found, line + (process.stderr.read() if process.poll() is not None else "")
        yield Server(process, int(found[1]))
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stderr.close()
