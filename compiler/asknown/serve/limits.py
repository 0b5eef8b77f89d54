"""The limits of one request, and of all requests together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from asknown.serve.problems import ProblemError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@dataclass(frozen=True)
class Limits:
    """``body`` is in bytes; ``receive`` and ``read`` in seconds; ``concurrency`` counts requests in work.

    Reads of more than ``rows_in_loop`` rows, or of windows for more than one row, run in one of ``threads`` threads,
    for at most ``read`` seconds.
    """

    body: int = 2_000_000
    rows: int = 5_000
    features: int = 2_000
    concurrency: int = 256
    receive: float = 10.0
    read: float = 1.0
    threads: int = 4
    rows_in_loop: int = 200

    def check_rows(self, rows: int) -> None:
        """Refuses a request of too many rows."""
        if rows > self.rows:
            raise ProblemError(
                "too-large", f"The request has {rows:,} rows, and {self.rows:,} is the most.", hint="send them in parts"
            )

    def check_features(self, features: int) -> None:
        """Refuses a request for too many features."""
        if features > self.features:
            raise ProblemError(
                "too-large",
                f"The request asks for {features:,} features, and {self.features:,} is the most.",
                hint="ask for them in several requests",
            )


class DisconnectedError(Exception):
    """The caller went away before the request was complete."""


async def read_body(receive: Receive, most: int, declared: bytes | None) -> bytes:
    """The body of a request, counted as it arrives. Raises ``too-large``."""
    if declared is not None and declared.isdigit() and int(declared) > most:
        raise _too_large(most)
    message = await receive()
    if message["type"] == "http.disconnect":
        raise DisconnectedError
    body: bytes = message.get("body", b"")
    if len(body) > most:
        raise _too_large(most)
    if not message.get("more_body", False):
        return body
    parts, size = [body], len(body)
    while message.get("more_body", False):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise DisconnectedError
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            raise _too_large(most)
    return b"".join(parts)


def _too_large(most: int) -> ProblemError:
    # the rest of the body is not read, so the connection cannot be used again
    return ProblemError(
        "too-large",
        f"The body has more than {most:,} bytes.",
        hint="send the rows in parts",
        headers=[(b"connection", b"close")],
    )
